package telegram

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"llave/bot"
	"llave/bot/pace"
	"llave/internal/bottest"
)

// TestPace_chat: five at once, then one a second; what would wait longer is given back.
func TestPace_chat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacing(1000, time.Now)
		start := time.Now()
		for i := range 7 {
			after, whole, err := p.Enter(t.Context(), "42")
			if after != 0 || whole || err != nil {
				t.Fatalf("message %d: got %v %v %v", i+1, after, whole, err)
			}
		}
		if got, want := time.Since(start).Round(10*time.Millisecond), 2*time.Second; got != want {
			t.Errorf("seven messages took %v, want %v", got, want)
		}
		// Two at once now: the first waits its second, the second would wait two and is sent away.
		var wg sync.WaitGroup
		wg.Go(func() { _, _, _ = p.Enter(t.Context(), "42") })
		synctest.Wait()
		if after, whole, _ := p.Enter(t.Context(), "42"); after <= pace.LongestHold || whole {
			t.Errorf("got %v %v, want more than %v for this chat alone", after, whole, pace.LongestHold)
		}
		before := time.Now()
		if after, _, _ := p.Enter(t.Context(), "43"); after != 0 || time.Since(before) > 10*time.Millisecond {
			t.Errorf("another chat waits too: %v, %v", after, time.Since(before))
		}
		wg.Wait()
	})
}

// TestSend_tooMany: nothing goes out before the time that Telegram named, and only that chat waits; a second chat
// refused meanwhile pauses the bot.
func TestSend_tooMany(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, b *testBot) {
		for chat := range int64(4) {
			b.api.Say(chat+1, "hola")
		}
		send := func(chat string) error { return b.c.Send(t.Context(), chat, bot.Reply{Text: "x"}) }

		b.api.Fail("sendMessage", 1, bottest.FaultTooMany(35))
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
		if n := len(b.api.Calls("sendMessage")); n != 2 {
			t.Errorf("%d requests, want 2: none during the pause", n)
		}
		time.Sleep(time.Second)
		if err := send("1"); err != nil {
			t.Errorf("after the pause: %v", err)
		}

		b.api.Fail("sendMessage", 2, bottest.FaultTooMany(10))
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
		if got := sendError(t, b.c.Delete(t.Context(), "3", "101")); !got.Whole {
			t.Errorf("deleting: %+v, want the whole bot", got)
		}
		n := len(b.api.Calls(""))
		time.Sleep(6 * time.Second)
		if got := len(b.api.Calls("")); got != n {
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
	inBubble(t, func(o *Options) { o.Rate = 1 }, func(t *testing.T, b *testBot) {
		b.api.Say(1, "hola")
		_ = b.c.Send(t.Context(), "1", bot.Reply{Text: "first"})
		late := make(chan error)
		go func() { late <- b.c.Send(t.Context(), "1", bot.Reply{Text: "second"}) }()
		synctest.Wait()
		b.c.pace.refused("1", time.Minute)
		if got := sendError(t, <-late); got.Failure != bot.Throttled || got.After < 58*time.Second {
			t.Errorf("got %+v, want throttled for about a minute", got)
		}
		if n := len(b.api.Messages(1)); n != 1 {
			t.Errorf("%d messages, want 1", n)
		}
	})
}
