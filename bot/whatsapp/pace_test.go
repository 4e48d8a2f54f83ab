package whatsapp

import (
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"llave/bot"
	"llave/internal/bottest"
)

// TestPace_chat: ten at once, then one each six seconds; what would wait longer is given back.
func TestPace_chat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacing(1000, time.Now)
		start := time.Now()
		for i := range chatPace.Burst {
			if after, whole, err := p.Enter(t.Context(), "a"); after != 0 || whole || err != nil {
				t.Fatalf("message %d: got %v %v %v", i+1, after, whole, err)
			}
		}
		if took := time.Since(start); took > 10*time.Millisecond {
			t.Errorf("the burst took %v", took)
		}
		for range 3 { // each is given back, so asking costs nothing
			if after, whole, _ := p.Enter(t.Context(), "a"); after.Round(100*time.Millisecond) != 6*time.Second || whole {
				t.Errorf("got %v %v, want 6s for this chat alone", after, whole)
			}
		}
		if after, _, _ := p.Enter(t.Context(), "b"); after != 0 {
			t.Errorf("another chat waits too: %v", after)
		}
		time.Sleep(5 * time.Second)
		before := time.Now()
		if after, _, _ := p.Enter(t.Context(), "a"); after != 0 || time.Since(before) < 900*time.Millisecond {
			t.Errorf("got %v after %v, want to have been held for the last second", after, time.Since(before))
		}
		time.Sleep(time.Minute)
		for i := range chatPace.Burst {
			if after, _, _ := p.Enter(t.Context(), "a"); after != 0 {
				t.Errorf("message %d of the next burst waits %v", i+1, after)
			}
		}
	})
}

// TestPace_refusedAll: pauses of the number grow while each is followed by a refusal, and only then.
func TestPace_refusedAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacing(1000, time.Now)
		refusal := func(named, want time.Duration) {
			t.Helper()
			if got := p.refusedAll(named); got != want {
				t.Errorf("got %v, want %v", got, want)
			}
		}
		refusal(0, time.Second)
		refusal(0, time.Second) // was under way
		time.Sleep(time.Second)
		refusal(0, 2*time.Second)
		time.Sleep(500 * time.Millisecond)
		refusal(0, 1500*time.Millisecond)
		refusal(10*time.Second, 10*time.Second) // it names a time
		refusal(5*time.Second, 10*time.Second)  // never shorter than what was promised to others
		for range 6 {
			time.Sleep(longestPause)
			p.refusedAll(0)
		}
		time.Sleep(longestPause)
		refusal(0, longestPause)
		p.taken() // was under way
		time.Sleep(longestPause)
		p.taken()
		refusal(0, time.Second)
	})
}

// TestSend_pair: a refusal for one person pauses that person, for the time it names or six seconds.
func TestSend_pair(t *testing.T) {
	outboundInBubble(t, nil, func(t *testing.T, o *outbound) {
		one, two := o.meet(593990000001), o.meet(593990000002)
		calls := func() int { return len(o.api.Calls("messages")) }

		o.api.FailChat(593990000001, 1, bottest.GraphFaultPair)
		if got := o.refused(one); got.Failure != bot.Throttled || got.After != 6*time.Second || got.Whole {
			t.Fatalf("got %+v, want throttled for 6s, this person alone", got)
		}
		time.Sleep(5 * time.Second)
		if got := o.refused(one); got.Failure != bot.Throttled || got.After != time.Second || got.Whole {
			t.Errorf("a second before: got %+v, want throttled for 1s", got)
		}
		if n := calls(); n != 1 {
			t.Errorf("%d requests, want 1: none during the pause", n)
		}
		if err := o.send(t.Context(), two, bot.Reply{Text: "x"}); err != nil {
			t.Errorf("another person: %v", err)
		}
		time.Sleep(time.Second)
		if err := o.send(t.Context(), one, bot.Reply{Text: "x"}); err != nil {
			t.Errorf("after the pause: %v", err)
		}
		o.api.FailChat(593990000001, 1, bottest.GraphFault{Code: 131056, RetryAfter: 20})
		if got := o.refused(one); got.After != 20*time.Second {
			t.Errorf("got %+v, want throttled for the 20s that were named", got)
		}
	})
}

// TestSend_tooMany: a refusal for the number pauses everybody.
func TestSend_tooMany(t *testing.T) {
	outboundInBubble(t, nil, func(t *testing.T, o *outbound) {
		one, two := o.meet(593990000001), o.meet(593990000002)
		o.api.Fail("messages", 1, bottest.GraphFault{Code: 130429, RetryAfter: 9})
		if got := o.refused(one); got.Failure != bot.Throttled || got.After != 9*time.Second || !got.Whole {
			t.Fatalf("got %+v, want throttled for 9s, everybody", got)
		}
		time.Sleep(4 * time.Second)
		if got := o.refused(two); got.Failure != bot.Throttled || got.After != 5*time.Second || !got.Whole {
			t.Errorf("another person: got %+v, want throttled for 5s", got)
		}
		if n := len(o.api.Calls("messages")); n != 1 {
			t.Errorf("%d requests, want 1: none during the pause", n)
		}
		time.Sleep(5 * time.Second)
		for _, chat := range []string{one, two} {
			if err := o.send(t.Context(), chat, bot.Reply{Text: "x"}); err != nil {
				t.Errorf("after the pause: %v", err)
			}
		}
		o.api.Fail("messages", 1, bottest.GraphFaultTooMany)
		if got := o.refused(one); got.After != time.Second {
			t.Errorf("got %+v, want throttled for 1s when no time is named", got)
		}
	})
}

// TestSend_retryAfterDate: the header may be a date.
func TestSend_retryAfterDate(t *testing.T) {
	o := outboundTo(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", time.Now().Add(30*time.Second).UTC().Format(http.TimeFormat))
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = w.Write([]byte(`{"error":{"code":80007,"message":"no"}}`))
	})
	if got := o.refused(somebody); got.Failure != bot.Throttled || got.After < 28*time.Second || got.After > 30*time.Second {
		t.Errorf("got %v for %v, want throttled for about 30s", got, got.After)
	}
}

// TestSend_refusedWhileWaiting: a message that waits for its turn when the number is paused is not sent.
func TestSend_refusedWhileWaiting(t *testing.T) {
	outboundInBubble(t, func(opt *Options, _ *bottest.GraphOptions) { opt.Rate = 1 }, func(t *testing.T, o *outbound) {
		one := o.meet(593990000001)
		if err := o.send(t.Context(), one, bot.Reply{Text: "first"}); err != nil {
			t.Fatal(err)
		}
		late := make(chan error)
		go func() { late <- o.send(t.Context(), one, bot.Reply{Text: "second"}) }()
		synctest.Wait()
		o.c.pace.refusedAll(time.Minute)
		err := <-late
		var got *bot.SendError
		if !errors.As(err, &got) || got.Failure != bot.Throttled || got.After < 58*time.Second {
			t.Errorf("got %v, want throttled for about a minute", err)
		}
		if n := len(o.api.Calls("messages")); n != 1 {
			t.Errorf("%d requests, want 1", n)
		}
	})
}

// TestSend_limits: at the pace of the channel the real limits are never met, for one person and for the number.
func TestSend_limits(t *testing.T) {
	outboundInBubble(t, func(opt *Options, g *bottest.GraphOptions) {
		opt.Rate = 80
		g.PerSecond, g.PairEvery = 0, 0 // as they are
	}, func(t *testing.T, o *outbound) {
		var all sync.WaitGroup
		for i := range 100 {
			chat := o.meet(593990000100 + int64(i))
			all.Go(func() {
				for range 12 {
					for {
						err := o.send(t.Context(), chat, bot.Reply{Text: "x"})
						var later *bot.SendError
						if !errors.As(err, &later) {
							break
						}
						time.Sleep(later.After)
					}
				}
			})
		}
		all.Wait()
		refused := 0
		for _, c := range o.api.Calls("messages") {
			if c.Status != http.StatusOK {
				refused++
			}
		}
		if got, want := len(o.notes()), 100*12; refused != 0 || got != want {
			t.Errorf("%d messages taken, want %d; %d refused, want none", got, want, refused)
		}
	})
}
