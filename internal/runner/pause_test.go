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
	cl := newCluster(t)
	asked, other := cl.runner("asked"), cl.runner("other")
	cl.wire.answers = []error{&bot.SendError{Failure: bot.Throttled, After: 7 * time.Second}}
	takeBack := func() {
		c := cl.conversation()
		c.Promises = nil
		c.Wake(c.NextTimer())
		if err := cl.store.Conversations.Save(t.Context(), &c); err != nil {
			t.Fatal(err)
		}
	}
	if under {
		hold := make(chan struct{})
		cl.wire.hold, cl.wire.waiting = hold, make(chan struct{}, 1)
		cl.handle(asked, text(1, "hola"))
		<-cl.wire.waiting
		takeBack()
		cl.wire.mu.Lock()
		cl.wire.hold = nil
		cl.wire.mu.Unlock()
		close(hold)
		cl.idle(asked)
	} else {
		cl.handle(asked, text(1, "hola"))
		cl.idle(asked)
		takeBack()
	}
	cl.handle(other, text(2, "1"))
	cl.idle(other)
	cl.clock.Advance(6900 * time.Millisecond)
	cl.sweep(other)
	cl.wantSent(0, "before the pause is over")
	cl.clock.Advance(200 * time.Millisecond)
	cl.sweep(other)
	cl.wantSent(1, "after it")
	if c := cl.conversation(); len(c.Paused) != 0 {
		t.Errorf("paused %v after a bubble was taken, want no pause", c.Paused)
	}
}
