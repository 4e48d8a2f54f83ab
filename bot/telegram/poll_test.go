package telegram

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"llave/bot"
	"llave/bot/intro"
	"llave/internal/bottest"
)

// TestPoll_offset: the offset never passes an update that was not handled. The chat it belongs to waits, others do
// not, and in the end each was handled once.
func TestPoll_offset(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, b *testBot) {
		b.fail = func(u bot.Update) error {
			if u.Chat == "2" {
				return errStore
			}
			return nil
		}
		b.api.Say(1, "a1")
		b.api.Say(2, "b1")
		b.api.Say(1, "a2")
		b.api.Say(2, "b2")
		b.run()
		time.Sleep(20 * time.Second)
		b.api.Say(1, "a3")
		time.Sleep(20 * time.Second)

		if got, want := b.texts(), "a1 a2 a3"; got != want {
			t.Errorf("handled %q, want %q", got, want)
		}
		calls := b.api.Calls("getUpdates")
		for _, c := range calls {
			if offset, _ := strconv.Atoi(c.Params["offset"]); offset > 700000002 {
				t.Fatalf("offset %d passed the update 700000002, which was not handled", offset)
			}
		}
		if n := len(calls); n > 20 {
			t.Errorf("asked %d times in 40 s, want growing waits", n)
		}
		if got, want := b.api.Pending(), 4; got != want {
			t.Errorf("%d updates pending, want %d", got, want)
		}

		b.mu.Lock()
		b.fail = nil
		b.mu.Unlock()
		b.until("the rest", func() bool { return b.api.Pending() == 0 })
		if got, want := b.texts(), "a1 a2 a3 b1 b2"; got != want {
			t.Errorf("handled %q, want %q", got, want)
		}
	})
}

// TestPoll_killed: what was handled but not yet confirmed comes again, what was not handled comes.
func TestPoll_killed(t *testing.T) {
	b := newTestBot(t, nil)
	b.api.Say(1, "uno")
	reached := make(chan struct{})
	b.fail = func(bot.Update) error { close(reached); return errStore }
	stop := b.run()
	<-reached
	stop()
	if got := b.api.Pending(); got != 1 {
		t.Fatalf("%d updates pending, want 1", got)
	}
	b.fail = nil
	b.build(b.api.URL(), nil)
	b.run()
	b.until("the update", func() bool { return b.texts() == "uno" && b.api.Pending() == 0 })
}

// TestPoll_order: many chats at a time, each in its order.
func TestPoll_order(t *testing.T) {
	var mu sync.Mutex
	busy, most := map[string]bool{}, 0
	var b *testBot
	b = newTestBot(t, func(o *Options) {
		o.Handle = func(ctx context.Context, u bot.Update) error {
			mu.Lock()
			if busy[u.Chat] {
				t.Errorf("chat %s handled twice at a time", u.Chat)
			}
			busy[u.Chat] = true
			most = max(most, len(busy))
			mu.Unlock()
			time.Sleep(time.Millisecond)
			err := b.handle(ctx, u)
			mu.Lock()
			delete(busy, u.Chat)
			mu.Unlock()
			return err
		}
	})
	const chats, each = 80, 5
	for i := range each {
		for chat := range chats {
			b.api.Say(int64(chat+1), fmt.Sprint(i))
		}
	}
	b.run()
	b.until("all updates", func() bool { return b.api.Pending() == 0 })
	texts := map[string]string{}
	for _, u := range b.updates() {
		texts[u.Chat] += u.Text
	}
	for chat, got := range texts {
		if got != "01234" {
			t.Errorf("chat %s: got %q, want %q", chat, got, "01234")
		}
	}
	if len(texts) != chats || most > pollWorkers {
		t.Errorf("%d chats, at most %d at a time; want %d and at most %d", len(texts), most, chats, pollWorkers)
	}
}

// forgetful remembers nothing of what was written.
type forgetful struct{}

func (forgetful) Wrote(context.Context, string, string) ([]string, error) { return nil, nil }
func (forgetful) Keep(context.Context, string, string, string) error      { return nil }

// TestPoll_wire looks at what is asked, and how often when nothing happens.
func TestPoll_wire(t *testing.T) {
	introduce := &intro.Introduction{Memory: forgetful{}, Texts: []intro.Texts{{Language: "es", Commands: []intro.Command{{Name: "menu", Description: "Ver el menú"}}}}}
	inBubble(t, func(o *Options) { o.Introduce = introduce }, func(t *testing.T, b *testBot) {
		stop := b.run()
		time.Sleep(170 * time.Second)
		want := `{"allowed_updates":"[\"message\",\"edited_message\",\"callback_query\",\"my_chat_member\",\"message_reaction\"]","limit":"100","timeout":"50"}`
		if calls := b.api.Calls("getUpdates"); len(calls) != 3 || mustJSON(t, calls[0].Params) != want {
			t.Errorf("%d answered polls in 170 s, the first %+v; want 3, %s", len(calls), calls, want)
		}
		if calls := b.api.Calls("deleteWebhook"); len(calls) != 1 || calls[0].Params["drop_pending_updates"] != "false" {
			t.Errorf("deleteWebhook: %+v", calls)
		}
		if got, want := b.api.Profile()["commands"], `[{"command":"menu","description":"Ver el menú"}]`; got != want {
			t.Errorf("commands %s, want %s", got, want)
		}
		if want := `"username":"example_bot"`; !strings.Contains(b.logs.String(), want) {
			t.Errorf("the log does not say who the bot is, %s:\n%s", want, b.logs)
		}
		before := time.Now()
		stop()
		if took := time.Since(before); took != 0 {
			t.Errorf("stopping took %v in the middle of a long poll", took)
		}
	})
}

// TestPoll_presses: the spinner stops after the press was handled, also of a press that nobody handles.
func TestPoll_presses(t *testing.T) {
	b := newTestBot(t, nil)
	stop := b.run()
	b.api.Say(1, "hola")
	b.until("hola", func() bool { return len(b.updates()) == 1 })
	if err := b.c.Send(t.Context(), "1", bot.Reply{Text: "¿Sí?", Prompt: 3, Buttons: []bot.Button{{ID: "y", Title: "Sí"}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.api.Press(1, "Sí"); err != nil {
		t.Fatal(err)
	}
	b.until("the answer", func() bool { return len(b.updates()) == 2 && b.api.Unanswered() == 0 })
	if u := b.updates()[1]; u.Kind != bot.Press || u.Prompt != 3 || u.Button != "y" {
		t.Errorf("got %+v, want the button y of question 3", u)
	}

	if err := b.api.SendUpdate(`{"callback_query":{"id":"77","from":{"id":1},"inline_message_id":"x","data":"y"}}`); err != nil {
		t.Fatal(err)
	}
	b.until("an ignored press", func() bool { return b.counted(CountIgnored) == 1 && len(b.api.Calls("answerCallbackQuery")) == 2 })

	// Presses are answered even while the program is ending.
	b.api.Slow("answerCallbackQuery", 30*time.Millisecond)
	if _, err := b.api.Press(1, "Sí"); err != nil {
		t.Fatal(err)
	}
	b.until("the press", func() bool { return len(b.updates()) == 3 })
	stop()
	if n := b.api.Unanswered(); n != 0 {
		t.Errorf("%d presses left spinning", n)
	}
}

// TestPoll_conflict: a webhook that somebody sets is deleted again; another poller is told of.
func TestPoll_conflict(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, b *testBot) {
		ask := func(method, url string) {
			if err := b.c.client.call(t.Context(), time.Minute, method, map[string]string{"url": url}, nil); err != nil {
				t.Fatal(err)
			}
		}
		b.run()
		time.Sleep(time.Second)
		ask("setWebhook", "https://other.example.org/hook")
		b.api.Say(1, "uno")
		b.until("the update", func() bool { return b.texts() == "uno" })
		if got := b.api.WebhookURL(); got != "" {
			t.Errorf("the webhook is still %s", got)
		}
		ask("getUpdates", "")
		time.Sleep(time.Minute)
		b.api.Say(1, "dos")
		b.until("the update", func() bool { return b.texts() == "uno dos" })
		if b.counted(CountConflict) < 2 {
			t.Errorf("%d conflicts counted, want one of each kind", b.counted(CountConflict))
		}
		for _, want := range []string{"another program polls", "somebody has set a webhook", `"host":"other.example.org"`} {
			if !strings.Contains(b.logs.String(), want) {
				t.Errorf("the log does not say %q:\n%s", want, b.logs)
			}
		}
	})
}

// TestPoll_token: a token that was never good ends nothing, nor does one that is refused later: it is trouble, and another token
// of the bot is used at once.
func TestPoll_token(t *testing.T) {
	for _, mode := range []Mode{Polling, Webhook} {
		id, _, _ := strings.Cut(testToken, ":")
		b := newTestBot(t, func(o *Options) {
			o.Token, o.Mode, o.PublicURL = Secret(id+":wrong"), mode, "https://bot.example.org"
		})
		b.run()
		b.until("trouble", func() bool { return strings.Contains(b.c.Trouble().Reason, "LLAVE_TELEGRAM_TOKEN") })
		if err := b.c.SetToken(testToken); err != nil {
			t.Fatal(err)
		}
		b.until("its end", func() bool {
			return b.c.Trouble().Since.IsZero() && b.c.ChatURL() != "" && (mode == Polling || b.api.WebhookURL() != "")
		})
	}
	inBubble(t, nil, func(t *testing.T, b *testBot) {
		b.run()
		b.api.Say(1, "uno")
		b.until("the update", func() bool { return b.texts() == "uno" })
		b.api.Fail("getUpdates", 5, bottest.FaultUnauthorized)
		time.Sleep(5 * time.Minute)
		b.api.Say(1, "dos")
		b.until("the update", func() bool { return b.texts() == "uno dos" })
	})
}

// TestPoll_trouble: whatever getUpdates answers, the next update is heard, and Telegram is not hammered meanwhile.
func TestPoll_trouble(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, b *testBot) {
		for _, fault := range []bottest.BotFault{bottest.FaultServerError, bottest.FaultBadGateway, bottest.FaultDropped, bottest.FaultAnswerLost, bottest.FaultTooMany(60)} {
			b.api.Fail("getUpdates", 2, fault)
			b.api.Fail("deleteWebhook", 1, fault)
			b.api.Fail("getMe", 1, fault)
		}
		b.api.Say(1, "uno")
		start := time.Now()
		b.run()
		for b.texts() != "uno" && time.Since(start) < time.Hour {
			time.Sleep(time.Second)
		}
		if got := time.Since(start); got < 2*time.Minute || got > 10*time.Minute {
			t.Errorf("heard after %v, want the two pauses of 60 s obeyed and little more", got)
		}
		calls := b.api.Calls("getUpdates")
		for i, c := range calls[1:] {
			if calls[i].Status == 429 && c.At.Sub(calls[i].At) < time.Minute {
				t.Errorf("asked again %v after a 429 of 60 s", c.At.Sub(calls[i].At))
			}
		}
	})
	b := newTestBot(t, nil)
	b.run()
	b.api.Say(1, "uno")
	b.until("the update", func() bool { return b.texts() == "uno" })
	b.api.Down()
	b.api.Say(1, "dos")
	if err := b.api.Up(); err != nil {
		t.Fatal(err)
	}
	b.until("the update", func() bool { return b.texts() == "uno dos" })
}

// TestPoll_odd: things that are no update, or that make the handler panic, do not stop the rest.
func TestPoll_odd(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, b *testBot) {
		panics := 2
		b.fail = func(u bot.Update) error {
			if u.Text == "panic" && panics > 0 {
				panics--
				panic("1710034065")
			}
			return nil
		}
		for _, raw := range []string{`{"message":7}`, `{"poll":{"id":"1"}}`, `{"telepathy":[]}`, `{"message":{"chat":{"id":9,"type":"private"},"text":"panic"}}`, `{"message":{}}`} {
			if err := b.api.SendUpdate(raw); err != nil {
				t.Fatal(err)
			}
		}
		b.api.Say(1, "uno")
		b.run()
		b.until("the rest", func() bool { return b.api.Pending() == 0 && len(b.updates()) == 2 })
		if strings.Contains(b.logs.String(), "1710034065") {
			t.Error("the log repeats what the panic said")
		}
	})
}

// TestPoll_stop: what has begun is finished, what has not is left to Telegram.
func TestPoll_stop(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, b *testBot) {
		begun := make(chan struct{}, 1)
		b.build("http://pipe.invalid", func(o *Options) {
			o.Handle = func(ctx context.Context, u bot.Update) error {
				begun <- struct{}{}
				time.Sleep(5 * time.Second)
				return b.handle(ctx, u)
			}
		})
		b.api.Say(1, "uno")
		b.api.Say(1, "dos")
		stop := b.run()
		<-begun
		stop()
		if got, want := b.texts(), "uno"; got != want {
			t.Errorf("handled %q, want %q", got, want)
		}
	})
}

// lease is what the store's lease does, within one process.
type lease struct {
	held chan struct{}
	lose chan struct{} // a receive loses the lease
}

func (l *lease) Hold(ctx context.Context, _ string, do func(context.Context) error) error {
	select {
	case l.held <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-l.held }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-l.lose:
			cancel()
		case <-ctx.Done():
		}
	}()
	return do(ctx)
}

// TestPoll_lease: of two processes one polls; when it loses the lease the other does, and nothing is lost.
func TestPoll_lease(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, b *testBot) {
		l := &lease{held: make(chan struct{}, 1), lose: make(chan struct{})}
		for range 2 {
			b.build("http://pipe.invalid", func(o *Options) { o.Lease = l })
			b.run()
		}
		// What was handled but not confirmed when the lease was lost comes again; the runner drops it, this test too.
		heard := func() string {
			seen := map[string]bool{}
			var out []string
			for _, u := range b.updates() {
				if !seen[u.ID] {
					out = append(out, u.Text)
				}
				seen[u.ID] = true
			}
			return strings.Join(out, " ")
		}
		time.Sleep(time.Second)
		for _, want := range []string{"0", "0 1", "0 1 2", "0 1 2 3"} {
			b.api.Say(1, want[len(want)-1:])
			b.until(want, func() bool { return heard() == want })
			l.lose <- struct{}{}
		}
		b.until("all to be confirmed", func() bool { return b.api.Pending() == 0 })
		if n := b.counted(CountConflict); n != 0 {
			t.Errorf("%d conflicts: both polled at a time", n)
		}
	})
}

// What the bot is called is learned beside everything else.
func TestChatURL(t *testing.T) {
	b := newTestBot(t, nil)
	b.api.Fail("getMe", 1, bottest.FaultServerError)
	if got := b.c.ChatURL(); got != "" {
		t.Errorf("the chat is at %q before anybody was asked", got)
	}
	b.run()
	for end := time.Now().Add(soon); b.c.ChatURL() != "https://t.me/example_bot"; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the chat is at %q; log:\n%s", b.c.ChatURL(), b.logs)
		}
	}
}
