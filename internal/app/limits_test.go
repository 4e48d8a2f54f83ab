package app_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"llave/internal/bottest"
	"llave/internal/bottest/world"
	"llave/internal/store"
)

// The numbers that a chat has looked up count for their hour and their day, however soon the operator wants conversations
// forgotten, and though the person has what is kept erased (P304).
func TestLimits_outliveRetention(t *testing.T) {
	w := world.New(t, onePerson, "LLAVE_RETENTION_SEEN=2m", "LLAVE_RETENTION_IDLE=1m")
	looksUp := func(i int, want string) {
		t.Helper()
		for _, text := range []string{"hola", "1", "1", bottest.Cedula(i)} {
			w.Say(text)
		}
		sayIn(t, w, world.Chat, "1", want)
	}
	for i := range 3 {
		looksUp(100+i, "Centro de Atención")
		for _, text := range []string{"mis datos", "borrar mis datos", "sí"} {
			w.Say(text)
		}
		w.Later(10 * time.Minute)
		if _, err := w.App.Forget(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	looksUp(103, "minutos")
	w.Later(50 * time.Minute)
	looksUp(104, "Centro de Atención")
	w.Later(25 * time.Hour)
	if _, err := w.App.Forget(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantConversations(t, w, 0)
}

// A limit that somebody in a chat meets stands in the audit, once an hour, and not whose chat it was (P742).
func TestLimits_inAudit(t *testing.T) {
	w := world.New(t, onePerson)
	met := func() (lines []string) {
		err := w.App.Store.Audit.Between(t.Context(), time.Time{}, w.Now().Add(time.Hour), func(e store.AuditEntry) bool {
			if e.What == "limit_met" {
				lines = append(lines, e.ID+" "+e.Who+" "+e.Detail)
			}
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
		return lines
	}
	asks := func() {
		for i := range 5 {
			for _, text := range []string{"hola", "1", "1", bottest.Cedula(200 + i), "1", "mis datos", "borrar mis datos", "sí"} {
				w.Say(text)
			}
			w.Later(2 * time.Minute) // not too many messages in one
		}
	}
	asks()
	for end := time.Now().Add(20 * time.Second); len(met()) == 0 && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
	}
	w.Later(time.Minute)
	asks()
	time.Sleep(100 * time.Millisecond)
	lines := met()
	if len(lines) != 1 || !strings.HasSuffix(lines[0], " chat numbers") || strings.Contains(lines[0], strconv.FormatInt(world.Chat, 10)) {
		t.Errorf("the audit has %q, want one line", lines)
	}
}

// Wrong links that meet their limit are a line an hour, from however many addresses they come: whoever asks for pages could fill the store
// with them for a year.
func TestLimits_wrongLinksInAudit(t *testing.T) {
	w := world.New(t, onePerson, "LLAVE_LIMIT_WRONG_LINKS_MINUTE=1", "LLAVE_TRUSTED_PROXIES=127.0.0.0/8,::1/128")
	for i := range 20 {
		for range 3 {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.URL("/desbloqueo/AAAAAAAAAAAAAAAAAAAAAA"), nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("X-Forwarded-For", fmt.Sprintf("2001:db8:0:%x::1", i))
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
		}
	}
	n := 0
	err := w.App.Store.Audit.Between(t.Context(), time.Time{}, w.Now().Add(time.Hour), func(e store.AuditEntry) bool {
		if e.What == "limit_met" && e.Who == "unknown" {
			n++
		}
		return true
	})
	if err != nil || n != 1 {
		t.Errorf("the limit stands in the audit %d times, %v; want once", n, err)
	}
}
