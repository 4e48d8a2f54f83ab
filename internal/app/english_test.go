package app_test

import (
	"net/http"
	"strings"
	"testing"

	"llave/internal/bottest/world"
	"llave/internal/mail/letter"
)

// mails are the letters to an address, in order.
func mails(w *world.World, to string) (all []letter.Letter) {
	for _, l := range w.SMTP.Letters() {
		if l.To == to {
			all = append(all, l)
		}
	}
	return all
}

// Who chats in English is written to in English, and so are the pages and the notices; changing the chat's language afterwards changes
// none of that. Subjects and what is pressed stay.
func TestEnglish_wholeRoad(t *testing.T) {
	for _, disclosure := range []string{"guided", "uniform"} {
		t.Run(disclosure, func(t *testing.T) {
			w := world.New(t, onePerson, "LLAVE_DISCLOSURE="+disclosure)
			for _, text := range []string{"english", "1", "1", theirs, "1", "1"} {
				w.Say(text)
			}
			sent := mails(w, "uno@correo.example")
			if len(sent) != 1 {
				t.Fatalf("%d letters, want one; the chat: %+v", len(sent), w.Phone.Messages(world.Chat))
			}
			if l := sent[0]; l.Subject != "SOLICITUD DESBLOQUEO DE CLAVE" || l.Header["Content-Language"] != "en" || !strings.Contains(l.Text, "DESBLOQUEO DE CLAVE IESS\nUnlock your IESS key\nhttp") {
				t.Errorf("the letter: %q in %q:\n%s", l.Subject, l.Header["Content-Language"], l.Text)
			}
			for _, text := range []string{"idioma", "1"} { // to Spanish
				w.Say(text)
			}
			b, english := world.NewBrowser(t), `<html lang="en">`
			if status, page := w.Get(b, w.Link(false)); status != http.StatusOK || !strings.Contains(page, english) || !strings.Contains(page, ">Desbloquear</button>") {
				t.Errorf("the page: %d %s", status, page)
			}
			if status, page := w.Get(b, w.Link(true)); status != http.StatusOK || !strings.Contains(page, english) {
				t.Errorf("No fui yo: %d %s", status, page)
			}
			if status, page := w.Post(b, w.Link(false), nil); status != http.StatusOK || !strings.Contains(page, english) || !strings.Contains(page, "ha sido desbloqueada") {
				t.Errorf("pressed: %d %s", status, page)
			}
			if status, page := w.Post(b, w.URL("/clave"), map[string][]string{"clave": {"caballo azul con tres lunas"}, "clave2": {"caballo azul con tres lunas"}}); status != http.StatusOK || !strings.Contains(page, "Your new key is ready") {
				t.Errorf("the key: %d %s", status, page)
			}
			w.Settle()
			all := mails(w, "uno@correo.example")
			if len(all) != 3 {
				t.Fatalf("%d letters came, want 3: %+v", len(all), all)
			}
			for i, l := range all {
				want := []string{"Unlock your key", "Your key was unlocked", "Your new key was made"}[i]
				if l.Header["Content-Language"] != "en" || !strings.Contains(l.HTML, want+"</h1>") {
					t.Errorf("letter %d, %q, is in %q, want English and %q", i+1, l.Subject, l.Header["Content-Language"], want)
				}
			}
		})
	}
}
