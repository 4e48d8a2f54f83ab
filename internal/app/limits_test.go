package app_test

import (
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
	met := func() []string { return limitsMet(t, w) }
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

// limitsMet are the lines of the audit that say that a limit was met.
func limitsMet(t *testing.T, w *world.World) (lines []string) {
	t.Helper()
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

// Wrong links that are too many stand in the audit once an hour, from however many addresses and in however many minutes they come: else
// strangers could make it as long as they like (P742).
func TestLimits_wrongLinksInAudit(t *testing.T) {
	w := world.New(t, onePerson, "LLAVE_LIMIT_WRONG_LINKS_MINUTE=2")
	guesses := func() {
		t.Helper()
		last := 0
		for range 4 {
			last, _ = w.Get(world.NewBrowser(t), w.URL("/desbloqueo/"+strings.Repeat("A", 22)))
		}
		if last != http.StatusTooManyRequests {
			t.Fatalf("the fourth wrong link: %d, want 429", last)
		}
	}
	guesses()
	for end := time.Now().Add(20 * time.Second); len(limitsMet(t, w)) == 0 && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
	}
	w.Later(2 * time.Minute)
	guesses()
	time.Sleep(100 * time.Millisecond)
	if lines := limitsMet(t, w); len(lines) != 1 || !strings.HasSuffix(lines[0], " unknown wrong_links") {
		t.Errorf("the audit has %q, want one line", lines)
	}
}
