package runner_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"llave/bot"
	"llave/flows"
	"llave/internal/affiliate"
	"llave/internal/runner"
	"llave/internal/secret"
	"llave/internal/store"
	"llave/internal/store/storetest"
)

// atMenu leads the chat to the menu.
func (cl *cluster) atMenu(r *runner.Runner) {
	cl.t.Helper()
	cl.handle(r, text(1, "hola"))
	cl.handle(r, text(2, "continuar"))
	cl.idle(r)
	cl.wantSent(2, "at the menu")
}

// A process dies while what it said to a piece of a sentence waits: another says it, once, when its time has come.
func TestPiece_processDies(t *testing.T) {
	cl := newCluster(t)
	dead, other := cl.runner("dead"), cl.runner("other")
	cl.atMenu(dead)
	cl.handle(dead, text(3, "murciélago"))
	cl.stop(dead)
	cl.sweep(other)
	cl.wantSent(2, "while it waits")
	cl.clock.Advance(bot.PieceWait)
	for range 3 {
		cl.sweep(other)
	}
	cl.wantSent(3, "when its time has come")
	if c := cl.conversation(); len(c.Promises) != 0 || c.Pieces != nil {
		t.Errorf("owed %+v, pieces %+v, want neither", c.Promises, c.Pieces)
	}
}

// Another process takes the next piece: what the first one said is taken back, and both are answered once.
func TestPiece_elsewhere(t *testing.T) {
	cl := newCluster(t)
	a, b := cl.runner("a"), cl.runner("b")
	cl.atMenu(a)
	cl.handle(a, text(3, "desbloquear"))
	cl.idle(a)
	cl.handle(a, text(4, "1710"))
	cl.clock.Advance(time.Second)
	cl.handle(b, text(5, "034065"))
	cl.idle(b)
	cl.clock.Advance(bot.PieceWait)
	cl.sweep(a)
	cl.sweep(b)
	cl.wantSent(4, "after the second part")
	if c := cl.conversation(); c.State != flows.ConfirmNumber || c.Misses != 0 {
		t.Errorf("in %s with %d misses, want %s without any", c.State, c.Misses, flows.ConfirmNumber)
	}
}

// Who has written a piece is answered when its time has come, and not at the next sweep. What has a meaning is one write, and
// another for what was sent; a piece costs one more.
func TestPiece_onTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls tally
		v, err := secret.New(make([]byte, 32))
		if err != nil {
			t.Fatal(err)
		}
		s := store.New(storetest.Around(storetest.Bolt(t, nil), calls.around))
		e, err := flows.New(flows.Options{
			Records: s.Affiliates, Vault: v, Offices: affiliate.Offices{}, PublicURL: "http://localhost", LinkTTL: 3 * time.Minute,
			Limits: flows.Limits{NumbersHour: 3, NumbersDay: 10, MessagesMinute: 1000}, Idle: 24 * time.Hour, Seen: 192 * time.Hour,
			Erasing: func(string) flows.Erasing { return flows.StaysHere },
		})
		if err != nil {
			t.Fatal(err)
		}
		cl := &cluster{t: t, store: s, engine: e, wire: &wire{}}
		r := cl.runner("a")
		cl.atMenu(r)
		writes := func(words string, id int) (n int64) {
			before := calls.writes.Load()
			cl.handle(r, text(id, words))
			time.Sleep(bot.PieceWait - time.Millisecond)
			n = calls.writes.Load() - before
			time.Sleep(time.Millisecond)
			synctest.Wait()
			return n
		}
		if n := writes("estado", 3); n != 2 {
			t.Errorf("what has a meaning: %d writes, want 2", n)
		}
		cl.wantSent(3, "what has a meaning")
		if n := writes("murciélago", 4); n != 1 {
			t.Errorf("a piece: %d writes before its time, want 1", n)
		}
		cl.wantSent(4, "a piece, at its time")
	})
}

// Of bubbles that go out together the question that another has overtaken is left out, and nothing is said twice.
func TestTogether(t *testing.T) {
	ask := func(tells, asks string) bot.Reply {
		return bot.Reply{Text: strings.TrimSpace(tells + " " + asks), Ask: len(asks), Buttons: []bot.Button{{ID: "x"}}}
	}
	for _, tt := range []struct {
		name    string
		bubbles []bot.Reply
		want    string
	}{
		{"a question that was overtaken", []bot.Reply{ask("", "¿Sigue?"), ask("Bien.", "¿Otro?")}, "Bien. ¿Otro?"},
		{"what stands before it is told", []bot.Reply{ask("El enlace ya no sirve.", "¿Otro?"), ask("Su caso espera.", "¿Sigue?")}, "El enlace ya no sirve.\n\nSu caso espera. ¿Sigue?"},
		{"the last question stands", []bot.Reply{ask("", "¿Sigue?"), {Text: "Recibí su carta."}}, "¿Sigue?\n\nRecibí su carta."},
		{"the same twice", []bot.Reply{{Text: "Espere."}, {Text: "Ya viene."}, {Text: "Espere."}}, "Ya viene.\n\nEspere."},
		{"an agent who says the same twice", []bot.Reply{{Text: "Sí.", By: "Ana"}, {Text: "Sí.", By: "Ana"}}, "Sí.\n\nSí."},
	} {
		if got := bot.Together(tt.bubbles).Text; got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}
