package app_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"llave/internal/bottest/world"
	"llave/internal/events"
)

const eventsSecret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"

// institution is a program of the institution that hears of events. It can be away.
type institution struct {
	t      *testing.T
	mu     sync.Mutex
	away   bool
	tries  int
	heard  []string // "name record case", in the order in which they came
	ids    map[string]bool
	bodies string
}

func (in *institution) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.tries++; in.away {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		in.t.Error(err)
	}
	if err := events.Verify(eventsSecret, body, r.Header); err != nil {
		in.t.Errorf("an event whose signature does not hold: %v", err)
	}
	var e struct {
		Type string
		Data events.Data
	}
	if err := json.Unmarshal(body, &e); err != nil {
		in.t.Error(err)
	}
	if id := r.Header.Get("webhook-id"); in.ids[id] || strings.Contains(id, "telegram") {
		in.t.Errorf("%s came twice, or says whose chat it is: %s", e.Type, id)
	} else {
		in.ids[id] = true
	}
	known := ""
	if e.Data.RecordID != "" {
		known = " of " + e.Data.IDType
	}
	if e.Data.Case != "" {
		known += " with a case"
	}
	in.heard = append(in.heard, e.Type+known)
	in.bodies += string(body)
}

// The institution's programs hear of each event once, signed, and after they have been away for an hour; what they are told
// holds neither a key, an address nor the chat. While they are away everything else goes on (P707).
func TestEvents(t *testing.T) {
	in := &institution{t: t, ids: map[string]bool{}, away: true}
	server := httptest.NewServer(in)
	defer server.Close()
	w := world.New(t, onePerson, "LLAVE_EVENTS_URL="+server.URL, "LLAVE_EVENTS_SECRET="+eventsSecret)
	for _, text := range []string{"hola", "1", "1", theirs, "1", "1"} {
		w.Say(text)
	}
	notMe, browser := w.Link(true), world.NewBrowser(t)
	w.Post(browser, w.Link(false), nil)
	w.Settle()
	wantBubble(t, "the link being used", w.Phone.Messages(world.Chat), "ya está desbloqueada")
	key := "caballo azul con tres lunas"
	w.Post(browser, w.URL("/clave"), map[string][]string{"clave": {key}, "clave2": {key}})
	w.Post(world.NewBrowser(t), notMe, nil)
	w.Settle()
	for _, text := range []string{"queja", "No me atienden desde ayer.", "registrar", "persona"} {
		w.Say(text)
	}
	w.Later(time.Hour)
	in.mu.Lock()
	if in.tries == 0 || in.tries > 60 {
		t.Errorf("while they were away they were asked %d times in an hour", in.tries)
	}
	in.away = false
	in.mu.Unlock()
	for range 4 {
		w.Later(time.Hour)
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	slices.Sort(in.heard)
	want := []string{"complaint.registered with a case", "handoff.requested with a case", "key.generated of cedula", "key.revoked of cedula with a case", "key.unlocked of cedula", "link.disowned of cedula with a case"}
	if !slices.Equal(in.heard, want) {
		t.Errorf("got %q, want %q", in.heard, want)
	}
	for _, private := range []string{key, "uno@correo.example", "Persona", "telegram", "argon2"} {
		if strings.Contains(in.bodies, private) {
			t.Errorf("an event holds %q", private)
		}
	}
	if !strings.Contains(in.bodies, theirs) {
		t.Error("no event says which record it is about")
	}
}
