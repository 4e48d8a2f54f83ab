package app_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"llave/internal/bottest/world"
)

// Pages lead back to the chat under the name that its platform gives us: the one that asked, over its whole road (P215).
func TestChats(t *testing.T) {
	for _, tt := range []struct {
		on    world.Channel
		leads string
	}{
		{world.Telegram, `href="https://t.me/example_bot"`},
		{world.WhatsApp, `href="https://wa.me/15550783881"`},
	} {
		t.Run(tt.on.Name, func(t *testing.T) {
			w := world.NewOn(t, tt.on, onePerson)
			for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
				if _, page := w.Get(w.Browser, w.URL("/")); strings.Contains(page, tt.leads) {
					break
				}
				if time.Now().After(end) {
					t.Fatalf("the first page never leads to the chat; log:\n%s", w.Log)
				}
			}
			for _, text := range []string{"hola", "1", "1", theirs, "1", "1"} {
				w.Say(text)
			}
			leads := func(what string, status int, page string) {
				t.Helper()
				if status != http.StatusOK || strings.Count(page, tt.leads) != 1 {
					t.Errorf("%s (%d) does not lead back to the chat:\n%s", what, status, page)
				}
			}
			b := world.NewBrowser(t)
			status, page := w.Get(b, w.Link(false))
			leads("the link's page", status, page)
			status, page = w.Post(b, w.Link(false), nil)
			leads("the success", status, page)
			status, page = w.Get(b, w.URL("/clave"))
			leads("the key page", status, page)
		})
	}
}
