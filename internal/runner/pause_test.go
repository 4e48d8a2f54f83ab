package runner_test

import (
	"testing"
	"time"

	"llave/bot"
)

// A pause that a channel asked for holds for the chat, for every process, also when the bubble that met it is taken back
// meanwhile and another stands in its place.
func TestKeep_pauseOutlivesItsBubble(t *testing.T) {
	h := newHouse(t)
	asked, other := h.runner("asked"), h.runner("other")
	h.wire.answers = []error{&bot.SendError{Failure: bot.Throttled, After: 7 * time.Second}}
	h.handle(asked, text(1, "hola"))
	h.idle(asked)

	c := h.conversation()
	c.Promises = nil
	c.Wake(c.NextTimer())
	if err := h.store.Conversations.Save(t.Context(), &c); err != nil {
		t.Fatal(err)
	}
	h.handle(other, text(2, "1"))
	h.idle(other)
	h.clock.Advance(6900 * time.Millisecond)
	h.sweep(other)
	h.wantSent(0, "before the pause is over")
	h.clock.Advance(200 * time.Millisecond)
	h.sweep(other)
	h.wantSent(1, "after it")
	if c := h.conversation(); len(c.Paused) != 0 {
		t.Errorf("paused %v after a bubble was taken, want no pause", c.Paused)
	}
}
