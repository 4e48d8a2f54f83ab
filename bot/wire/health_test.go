package wire_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"llave/bot/wire"
)

// Trouble has one beginning, tells its latest reason, and is over with the first good answer.
func TestHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h wire.Health
		if got := h.Trouble(); !got.Since.IsZero() {
			t.Errorf("a new one is in trouble: %v", got)
		}
		began := time.Now()
		h.Ill("it cannot be reached")
		time.Sleep(time.Minute)
		h.Ill("it answers 502")
		if got := h.Trouble(); !got.Since.Equal(began) || got.Reason != "it answers 502" {
			t.Errorf("got %v, want since %v, the latest reason", got, began)
		}
		h.Well()
		if got := h.Trouble(); !got.Since.IsZero() {
			t.Errorf("still in trouble: %v", got)
		}
	})
}

// Nobody is asked while all is well; in trouble it is asked until it is over.
func TestHealth_Watch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h wire.Health
		ctx, cancel := context.WithCancel(t.Context())
		asked := 0
		done := make(chan struct{})
		go func() {
			defer close(done)
			h.Watch(ctx, func(context.Context) {
				if asked++; asked == 3 {
					h.Well()
				} else {
					h.Ill("still")
				}
			})
		}()
		time.Sleep(time.Minute)
		synctest.Wait()
		if asked != 0 {
			t.Errorf("asked %d times while all was well", asked)
		}
		h.Ill("it cannot be reached")
		time.Sleep(time.Minute)
		synctest.Wait()
		if asked != 3 || !h.Trouble().Since.IsZero() {
			t.Errorf("asked %d times, %v; want 3, and over", asked, h.Trouble())
		}
		cancel()
		<-done
	})
}
