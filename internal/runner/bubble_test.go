package runner_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"llave/bot"
)

// Bubbles that wait together go out as one where each costs, with the buttons of the last; elsewhere one after the other.
func TestKeep_oneBubble(t *testing.T) {
	for _, merges := range []bool{false, true} {
		h := newHouse(t)
		h.wire.merges = merges
		r := h.runner("a")
		h.wire.answers = []error{&bot.SendError{Failure: bot.Throttled, After: 6 * time.Second}}
		h.handle(r, text(1, "hola"))
		h.idle(r)
		h.handle(r, text(2, "1"))
		h.handle(r, text(3, "1"))
		h.idle(r)
		h.clock.Advance(7 * time.Second)
		h.sweep(r)
		if left := len(h.conversation().Promises); left != 0 {
			t.Errorf("merges %t: %d promises left, want none", merges, left)
		}
		want := []string{"Hola", "¿Qué necesita hoy?", "Escriba su número"}
		if h.wantSent(map[bool]int{false: 3, true: 1}[merges], "after the pause"); t.Failed() {
			continue
		}
		all := strings.Join(h.wire.sent, "\n\n")
		for _, part := range want {
			before, after, found := strings.Cut(all, part)
			if !found {
				t.Errorf("merges %t: %q is missing or out of order after %q", merges, part, before)
			}
			all = after
		}
	}
}

// What may not be said before the person writes again waits for that, with all that stands behind it, and keeps its place;
// nobody tries meanwhile.
func TestKeep_waitsForTheirWord(t *testing.T) {
	h := newHouse(t)
	a, b := h.runner("a"), h.runner("b")
	closed := &bot.SendError{Failure: bot.Closed, Reason: "the window is over"}
	h.wire.answers = []error{closed}
	h.handle(a, text(1, "hola"))
	h.idle(a)
	h.clock.Advance(25 * time.Hour)
	for range 3 {
		h.sweep(a)
		h.sweep(b)
	}
	h.wantSent(0, "before they write")
	if n := len(h.wire.silence); n != 1 || h.wire.silence[0] != 0 {
		t.Errorf("tried %d times, silences %v, want once, at once", n, h.wire.silence)
	}
	if c := h.conversation(); len(c.Promises) != 1 || !c.Promises[0].Waits {
		t.Fatalf("owed %+v, want one bubble that waits", c.Promises)
	}
	h.handle(b, text(2, "hola"))
	h.idle(b)
	h.wantSent(2, "after they wrote")
	if !strings.HasPrefix(h.wire.sent[0], "Hola. Soy Llave") {
		t.Errorf("first came %q, want what had waited", h.wire.sent[0])
	}
}

// The channel is told how long the person has been silent.
func TestKeep_silence(t *testing.T) {
	h := newHouse(t)
	r := h.runner("a")
	h.wire.answers = []error{&bot.SendError{Failure: bot.Throttled, After: time.Hour}}
	h.handle(r, text(1, "hola"))
	h.idle(r)
	h.clock.Advance(time.Hour + time.Second)
	h.sweep(r)
	if want := []time.Duration{0, time.Hour + time.Second}; !slices.Equal(h.wire.silence, want) {
		t.Errorf("silences %v, want %v", h.wire.silence, want)
	}
}

// A message that was taken and did not arrive is owed anew, a few times; one that never will is not, and who is gone is not
// written to.
func TestHandle_undelivered(t *testing.T) {
	lost := func(id string, f bot.Failure, again *bot.Reply) bot.Update {
		return bot.Update{ID: id, Channel: "telegram", Chat: "1", Kind: bot.Undelivered, Failure: f, Again: again}
	}
	for _, tt := range []struct {
		name  string
		u     bot.Update
		sent  int // after ten seconds
		later int // after they wrote again, beside its answer
		gone  bool
	}{
		{"temporary", lost("x", bot.Temporary, &bot.Reply{Text: "otra vez"}), 1, 0, false},
		{"too often", lost("x", bot.Temporary, &bot.Reply{Text: "otra vez", Returned: 3}), 0, 0, false},
		{"window", lost("x", bot.Closed, &bot.Reply{Text: "otra vez"}), 0, 1, false},
		{"permanent", lost("x", bot.Permanent, &bot.Reply{Text: "otra vez"}), 0, 0, false},
		{"not known any more", lost("x", bot.Temporary, nil), 0, 0, false},
		{"gone", lost("x", bot.Gone, &bot.Reply{Text: "otra vez"}), 0, 0, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHouse(t)
			r := h.runner("a")
			h.handle(r, text(1, "hola"))
			h.idle(r)
			for range 2 { // a report may come twice
				h.handle(r, tt.u)
				h.idle(r)
			}
			if got := h.conversation().Gone; got != tt.gone {
				t.Errorf("gone %t, want %t", got, tt.gone)
			}
			h.clock.Advance(11 * time.Second)
			h.sweep(r)
			h.wantSent(1+tt.sent, "after ten seconds")
			h.handle(r, text(2, "ayuda"))
			h.idle(r)
			h.wantSent(2+tt.sent+tt.later, "after they wrote")
		})
	}
}
