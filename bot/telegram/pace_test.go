package telegram

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"llave/bot"
	"llave/internal/bottest"
)

// TestPace_chat: five at once, then one a second; what would wait longer is given back.
func TestPace_chat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPace(1000, time.Now)
		start := time.Now()
		for i := range 7 {
			after, whole, err := p.enter(t.Context(), "42")
			if after != 0 || whole || err != nil {
				t.Fatalf("message %d: got %v %v %v", i+1, after, whole, err)
			}
		}
		if got, want := time.Since(start).Round(10*time.Millisecond), 2*time.Second; got != want {
			t.Errorf("seven messages took %v, want %v", got, want)
		}
		// Two at once now: the first waits its second, the second would wait two and is sent away.
		var wg sync.WaitGroup
		wg.Go(func() { _, _, _ = p.enter(t.Context(), "42") })
		synctest.Wait()
		if after, whole, _ := p.enter(t.Context(), "42"); after <= longestHold || whole {
			t.Errorf("got %v %v, want more than %v for this chat alone", after, whole, longestHold)
		}
		before := time.Now()
		if after, _, _ := p.enter(t.Context(), "43"); after != 0 || time.Since(before) > 10*time.Millisecond {
			t.Errorf("another chat waits too: %v, %v", after, time.Since(before))
		}
		wg.Wait()
	})
}

// TestPace_whole: never more than the rate in any second, and the rate is used up.
func TestPace_whole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPace(30, time.Now)
		var mu sync.Mutex
		var sent []time.Time
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() {
				for {
					after, _, err := p.enter(t.Context(), fmt.Sprint(i))
					if err != nil {
						t.Error(err)
						return
					}
					if after == 0 {
						break
					}
					time.Sleep(after)
				}
				mu.Lock()
				defer mu.Unlock()
				sent = append(sent, time.Now())
			})
		}
		wg.Wait()
		for i, at := range sent {
			n := 0
			for _, other := range sent[i:] {
				if other.Sub(at) < time.Second-time.Millisecond {
					n++
				}
			}
			if n > 30 {
				t.Fatalf("%d messages within a second, want at most 30", n)
			}
		}
		if took := sent[len(sent)-1].Sub(sent[0]); took > 9*time.Second {
			t.Errorf("200 messages took %v, want about 6.7 s", took)
		}
		p.setRate(2)
		before := time.Now()
		for i := range 4 {
			if after, _, err := p.enter(t.Context(), fmt.Sprint("x", i)); after != 0 || err != nil {
				t.Fatalf("got %v %v", after, err)
			}
		}
		if took := time.Since(before); took < 1400*time.Millisecond {
			t.Errorf("after setRate(2) four messages took %v", took)
		}
	})
}

// TestPace_cancelled: who stops waiting gives the place back.
func TestPace_cancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPace(1, time.Now)
		_, _, _ = p.enter(t.Context(), "1")
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, _, err := p.enter(ctx, "2"); err != context.DeadlineExceeded {
			t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
		}
		start := time.Now()
		if after, _, err := p.enter(t.Context(), "3"); after != 0 || err != nil || time.Since(start) > time.Second {
			t.Errorf("got %v %v after %v, want the place that was given back", after, err, time.Since(start))
		}
	})
}

// TestPace_forgets: the chats of a busy day are not remembered.
func TestPace_forgets(t *testing.T) {
	now := time.Unix(0, 0)
	p := newPace(1e9, func() time.Time { return now })
	for i := range 100_000 {
		now = now.Add(33 * time.Millisecond)
		if _, _, err := p.enter(t.Context(), fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(p.chats); n > sweepFrom {
		t.Errorf("%d chats remembered, want at most %d", n, sweepFrom)
	}
	p.refused("paused", time.Hour)
	for i := range 2 * sweepFrom {
		now = now.Add(time.Second)
		_, _, _ = p.enter(t.Context(), fmt.Sprint(i))
	}
	if after, _ := p.paused("paused"); after <= 0 {
		t.Error("a pause was forgotten")
	}
}

// TestSend_tooMany: nothing goes out before the time that Telegram named, and only that chat waits; a second chat
// refused meanwhile pauses the bot.
func TestSend_tooMany(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		for chat := range int64(4) {
			w.api.Say(chat+1, "hola")
		}
		send := func(chat string) error { return w.c.Send(t.Context(), chat, bot.Reply{Text: "x"}) }

		w.api.Fail("sendMessage", 1, bottest.FaultTooMany(35))
		got := sendError(t, send("1"))
		if got.Failure != bot.Throttled || got.After != 35*time.Second || got.Whole {
			t.Fatalf("got %+v, want throttled for 35s, this chat alone", got)
		}
		time.Sleep(34 * time.Second)
		if got := sendError(t, send("1")); got.Failure != bot.Throttled || got.After != time.Second {
			t.Errorf("a second before: got %+v, want throttled for 1s", got)
		}
		if err := send("2"); err != nil {
			t.Errorf("another chat: %v", err)
		}
		if n := len(w.api.Calls("sendMessage")); n != 2 {
			t.Errorf("%d requests, want 2: none during the pause", n)
		}
		time.Sleep(time.Second)
		if err := send("1"); err != nil {
			t.Errorf("after the pause: %v", err)
		}

		w.api.Fail("sendMessage", 2, bottest.FaultTooMany(10))
		if got := sendError(t, send("1")); got.Whole {
			t.Errorf("first refusal: %+v, want this chat alone", got)
		}
		if got := sendError(t, send("2")); !got.Whole {
			t.Errorf("second chat refused: %+v, want the whole bot", got)
		}
		time.Sleep(4 * time.Second)
		if got := sendError(t, send("3")); !got.Whole || got.After != 6*time.Second {
			t.Errorf("a third chat: %+v, want the whole bot for 6s more", got)
		}
		if got := sendError(t, w.c.Delete(t.Context(), "3", "101")); !got.Whole {
			t.Errorf("deleting: %+v, want the whole bot", got)
		}
		n := len(w.api.Calls(""))
		time.Sleep(6 * time.Second)
		if got := len(w.api.Calls("")); got != n {
			t.Errorf("%d requests during the pause", got-n)
		}
		for _, chat := range []string{"1", "2", "3", "4"} {
			if err := send(chat); err != nil {
				t.Errorf("chat %s after the pause: %v", chat, err)
			}
		}
	})
}

// TestSend_refusedWhileWaiting: a message that waits for its turn when its chat is paused is not sent.
func TestSend_refusedWhileWaiting(t *testing.T) {
	inBubble(t, func(o *Options) { o.Rate = 1 }, func(t *testing.T, w *world) {
		w.api.Say(1, "hola")
		_ = w.c.Send(t.Context(), "1", bot.Reply{Text: "first"})
		late := make(chan error)
		go func() { late <- w.c.Send(t.Context(), "1", bot.Reply{Text: "second"}) }()
		synctest.Wait()
		w.c.pace.refused("1", time.Minute)
		if got := sendError(t, <-late); got.Failure != bot.Throttled || got.After < 58*time.Second {
			t.Errorf("got %+v, want throttled for about a minute", got)
		}
		if n := len(w.api.Messages(1)); n != 1 {
			t.Errorf("%d messages, want 1", n)
		}
	})
}
