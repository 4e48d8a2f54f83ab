package runner_test

import (
	"testing"
	"time"

	"llave/bot"
)

// A pause that a channel asked for holds for the chat, for every process, also when the bubble that met it is taken back
// meanwhile and another stands in its place.
func TestKeep_pauseOutlivesItsBubble(t *testing.T) {
	t.Run("taken back after the answer", func(t *testing.T) { pauseOutlives(t, false) })
	t.Run("taken back on its way", func(t *testing.T) { pauseOutlives(t, true) })
}

func pauseOutlives(t *testing.T, under bool) {
	h := newHouse(t)
	asked, other := h.runner("asked"), h.runner("other")
	h.wire.answers = []error{&bot.SendError{Failure: bot.Throttled, After: 7 * time.Second}}
	takeBack := func() {
		c := h.conversation()
		c.Promises = nil
		c.Wake(c.NextTimer())
		if err := h.store.Conversations.Save(t.Context(), &c); err != nil {
			t.Fatal(err)
		}
	}
	if under {
		hold := make(chan struct{})
		h.wire.hold, h.wire.waiting = hold, make(chan struct{}, 1)
		h.handle(asked, text(1, "hola"))
		<-h.wire.waiting
		takeBack()
		h.wire.mu.Lock()
		h.wire.hold = nil
		h.wire.mu.Unlock()
		close(hold)
		h.idle(asked)
	} else {
		h.handle(asked, text(1, "hola"))
		h.idle(asked)
		takeBack()
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
