package runner_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"llave/bot"
	"llave/internal/runner"
)

// threeWait has three bubbles of the chat wait together, for a pause of six seconds.
func (cl *cluster) threeWait(r *runner.Runner) {
	cl.t.Helper()
	cl.wire.answers = []error{&bot.SendError{Failure: bot.Throttled, After: 6 * time.Second}}
	cl.handle(r, text(1, "hola"))
	cl.idle(r)
	cl.handle(r, text(2, "1"))
	cl.handle(r, text(3, "desbloquear"))
	cl.idle(r)
}

// Bubbles that wait together go out as one where each costs, with the buttons of the last; elsewhere one after the other.
func TestKeep_oneBubble(t *testing.T) {
	for _, merges := range []bool{false, true} {
		cl := newCluster(t)
		cl.wire.merges = merges
		r := cl.runner("a")
		cl.threeWait(r)
		cl.clock.Advance(7 * time.Second)
		cl.sweep(r)
		if left := len(cl.conversation().Promises); left != 0 {
			t.Errorf("merges %t: %d promises left, want none", merges, left)
		}
		want := []string{"Hola", "¿Qué necesita hoy?", "Escriba su número"}
		if cl.wantSent(map[bool]int{false: 3, true: 1}[merges], "after the pause"); t.Failed() {
			continue
		}
		all := strings.Join(cl.wire.sent, "\n\n")
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
	cl := newCluster(t)
	a, b := cl.runner("a"), cl.runner("b")
	closed := &bot.SendError{Failure: bot.Closed, Reason: "the window is over"}
	cl.wire.answers = []error{closed}
	cl.handle(a, text(1, "hola"))
	cl.idle(a)
	cl.clock.Advance(25 * time.Hour)
	for range 3 {
		cl.sweep(a)
		cl.sweep(b)
	}
	cl.wantSent(0, "before they write")
	if n := len(cl.wire.silence); n != 1 || cl.wire.silence[0] != 0 {
		t.Errorf("tried %d times, silences %v, want once, at once", n, cl.wire.silence)
	}
	if c := cl.conversation(); len(c.Promises) != 1 || !c.Promises[0].Waits {
		t.Fatalf("owed %+v, want one bubble that waits", c.Promises)
	}
	cl.handle(b, text(2, "hola"))
	cl.idle(b)
	cl.wantSent(2, "after they wrote")
	if !strings.HasPrefix(cl.wire.sent[0], "Hola. Soy Llave") {
		t.Errorf("first came %q, want what had waited", cl.wire.sent[0])
	}
}

// The channel is told how long the person has been silent.
func TestKeep_silence(t *testing.T) {
	cl := newCluster(t)
	r := cl.runner("a")
	cl.wire.answers = []error{&bot.SendError{Failure: bot.Throttled, After: time.Hour}}
	cl.handle(r, text(1, "hola"))
	cl.idle(r)
	cl.clock.Advance(time.Hour + time.Second)
	cl.sweep(r)
	if want := []time.Duration{0, time.Hour + time.Second}; !slices.Equal(cl.wire.silence, want) {
		t.Errorf("silences %v, want %v", cl.wire.silence, want)
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
			cl := newCluster(t)
			r := cl.runner("a")
			cl.handle(r, text(1, "hola"))
			cl.idle(r)
			for range 2 { // a report may come twice
				cl.handle(r, tt.u)
				cl.idle(r)
			}
			if got := cl.conversation().Gone; got != tt.gone {
				t.Errorf("gone %t, want %t", got, tt.gone)
			}
			cl.clock.Advance(11 * time.Second)
			cl.sweep(r)
			cl.wantSent(1+tt.sent, "after ten seconds")
			cl.handle(r, text(2, "ayuda"))
			cl.idle(r)
			cl.wantSent(2+tt.sent+tt.later, "after they wrote")
		})
	}
}

// A report older than what the person wrote last does not say that they cannot be written to now.
func TestHandle_undeliveredReportedLate(t *testing.T) {
	for _, f := range []bot.Failure{bot.Closed, bot.Gone} {
		t.Run(f.String(), func(t *testing.T) {
			cl := newCluster(t)
			r := cl.runner("a")
			cl.handle(r, text(1, "hola"))
			cl.idle(r)
			now, err := cl.store.Now(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			cl.clock.Advance(5 * time.Second)
			cl.handle(r, text(2, "1"))
			cl.idle(r)
			cl.handle(r, bot.Update{ID: "x", Channel: "telegram", Chat: "1", Kind: bot.Undelivered, Failure: f, Again: &bot.Reply{Text: "otra vez"}, At: now})
			if c := cl.conversation(); c.Gone || len(c.Promises) != 1 || c.Promises[0].Waits {
				t.Errorf("gone %t, owed %+v, want one bubble that does not wait", c.Gone, c.Promises)
			}
			cl.clock.Advance(11 * time.Second)
			cl.sweep(r)
			cl.wantSent(3, "after ten seconds")
		})
	}
}

// A report on a message to somebody of whom nothing is kept any more keeps nothing anew.
func TestHandle_undeliveredForgotten(t *testing.T) {
	cl := newCluster(t)
	r := cl.runner("a")
	cl.handle(r, bot.Update{ID: "x", Channel: "telegram", Chat: "1", Kind: bot.Undelivered, Failure: bot.Closed, Again: &bot.Reply{Text: "otra vez"}})
	if n, err := cl.store.Conversations.Count(t.Context()); err != nil || n != 0 {
		t.Errorf("%d conversations (%v), want none", n, err)
	}
}

// What one bubble of several is refused for costs only the one at fault.
func TestKeep_oneBubbleRefused(t *testing.T) {
	cl := newCluster(t)
	cl.wire.merges = true
	r := cl.runner("a")
	cl.threeWait(r)
	never := &bot.SendError{Failure: bot.Permanent, Reason: "told to"}
	cl.wire.answers = []error{never, nil, never, never, nil} // all three; the first; the others; the second; the third
	cl.clock.Advance(7 * time.Second)
	cl.sweep(r)
	cl.wantSent(2, "after the pause")
	if all := strings.Join(cl.wire.sent, "\n\n"); !strings.HasPrefix(all, "Hola") || !strings.Contains(all, "Escriba su número") {
		t.Errorf("sent %q, want the first and the third", all)
	}
	if left := len(cl.conversation().Promises); left != 0 {
		t.Errorf("%d promises left, want none", left)
	}
}

// What came back is said before what was said after it, in one bubble that has the buttons of the newest question.
func TestKeep_oneBubbleCameBack(t *testing.T) {
	cl := newCluster(t)
	cl.wire.merges = true
	r := cl.runner("a")
	cl.handle(r, text(1, "hola"))
	cl.idle(r)
	cl.wire.answers = []error{&bot.SendError{Failure: bot.Throttled, After: 30 * time.Second}}
	cl.handle(r, text(2, "1"))
	cl.idle(r)
	cl.handle(r, bot.Update{ID: "x", Channel: "telegram", Chat: "1", Kind: bot.Undelivered, Again: &bot.Reply{Text: "de antes"}})
	cl.clock.Advance(31 * time.Second)
	cl.sweep(r)
	cl.wantSent(2, "after the pause")
	if last := cl.wire.sent[len(cl.wire.sent)-1]; !strings.HasPrefix(last, "de antes\n\n¿Qué necesita hoy?") {
		t.Errorf("sent %q, want what came back first", last)
	}
}

// An agent's words are a bubble of their own, in their place among those of the bot that wait with them.
func TestKeep_agentsOwnBubble(t *testing.T) {
	cl := newCluster(t)
	cl.wire.merges = true
	r := cl.runner("a")
	cl.wire.answers = []error{&bot.SendError{Failure: bot.Throttled, After: 30 * time.Second}}
	cl.handle(r, text(1, "hola"))
	cl.idle(r)
	c := cl.conversation()
	for i, p := range []bot.Reply{{Text: "uno", Prompt: 1}, {Text: "dos", By: "Ana"}, {Text: "tres", By: "Ana"}, {Text: "cuatro", Prompt: 2}} {
		c.Promises = append(c.Promises, bot.Promise{ID: fmt.Sprint("p", i), What: bot.Say{Reply: &p}})
	}
	if err := cl.store.Conversations.Save(t.Context(), &c); err != nil {
		t.Fatal(err)
	}
	cl.clock.Advance(31 * time.Second)
	cl.sweep(r)
	cl.wantSent(3, "after the pause")
	if s := cl.wire.sent; !strings.HasSuffix(s[0], "\n\nuno") || s[1] != "dos\n\ntres" || s[2] != "cuatro" {
		t.Errorf("sent %q", s)
	}
}
