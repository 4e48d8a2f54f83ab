package e2e

import (
	"net/http"
	"net/http/cookiejar"
	"testing"

	"llave/internal/bottest"
)

// A process that is killed between its promise and the letter: the next one keeps the promise, the link works, and the
// chat goes on where it was.
func TestServe_killed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "webhook")
	if code, _, errs := outcome(t, w.env, "", "import", writePeople(t, people)); code != 0 {
		t.Fatalf("import: exit %d: %s", code, errs)
	}
	first := w.serve(t)
	p := &phone{t: t, api: w.api, chat: 5551230000 + walker}
	p.says("hola", "Hola. Soy Llave")
	p.presses("Continuar", "¿Qué necesita hoy?")
	p.presses("Desbloquear clave", "Escriba su número de cédula")
	p.says(bottest.Cedula(walker), "¿Es correcto?")
	p.presses("Sí, es correcto", "Enviar enlace")
	w.smtp.Down()
	said := p.presses("Enviar enlace", "SOLICITUD DESBLOQUEO DE CLAVE")
	first.Kill()
	if err := w.smtp.Up(); err != nil {
		t.Fatal(err)
	}

	second := w.serve(t)
	l := w.letter(t, 0)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, Timeout: answerWithin}
	res, err := browser.PostForm(l.Link("DESBLOQUEO DE CLAVE IESS"), nil)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("the link's button: got %d, want 200", res.StatusCode)
	}
	// What Telegram had accepted and the dead process had not yet noted is said once more, in the same words.
	if m, err := w.api.WaitMessage(p.chat, p.last, answerWithin); err == nil && m.Text == said {
		p.last = m.ID
	}
	p.hears("Su clave ya está desbloqueada")
	second.stop(t)
	letters := 0
	for _, l := range w.smtp.LettersTo(address(walker)) {
		if l.Subject == "SOLICITUD DESBLOQUEO DE CLAVE" {
			letters++
		}
	}
	if letters != 1 {
		t.Errorf("got %d letters with the link, want 1", letters)
	}
}
