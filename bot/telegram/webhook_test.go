package telegram

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"llave/bot"
	"llave/internal/bottest"
)

// untouchable is a body that must not be read.
type untouchable struct{ t *testing.T }

func (u untouchable) Read([]byte) (int, error) {
	u.t.Error("the body was read before the secret was checked")
	return 0, io.EOF
}

// TestWebhook_statuses shows P701.
func TestWebhook_statuses(t *testing.T) {
	b := newTestBot(t, nil)
	text := string(fixture(t, "update_message_text.json"))
	down := `{"update_id":5,"message":{"message_id":1,"from":{"id":1},"chat":{"id":1,"type":"private"},"text":"down"}}`
	b.fail = func(u bot.Update) error {
		if u.Text == "down" {
			return errStore
		}
		return nil
	}
	tests := []struct {
		name, method, secret string
		body                 io.Reader
		length               int64 // of the Content-Length header, where it is not the body's
		status, heard        int
	}{
		{"an update", "POST", testSecret, strings.NewReader(text), 0, 200, 1},
		{"a kind nobody handles", "POST", testSecret, strings.NewReader(`{"update_id":5,"poll":{"id":"1"}}`), 0, 200, 0},
		{"store down", "POST", testSecret, strings.NewReader(down), 0, 503, 0},
		{"no secret", "POST", "", untouchable{t}, 9, 401, 0},
		{"wrong secret", "POST", testSecret + "x", untouchable{t}, 9, 401, 0},
		{"GET", "GET", testSecret, untouchable{t}, 0, 405, 0},
		{"PUT", "PUT", testSecret, untouchable{t}, 9, 405, 0},
		{"4 MiB", "POST", testSecret, strings.NewReader(text + strings.Repeat(" ", bodyMax-len(text))), 0, 200, 1},
		{"4 MiB and a byte", "POST", testSecret, strings.NewReader(text + strings.Repeat(" ", bodyMax-len(text)+1)), 0, 413, 0},
		{"4 MiB and a byte, not said before", "POST", testSecret, io.MultiReader(strings.NewReader(strings.Repeat(" ", bodyMax+1))), -1, 413, 0},
		{"said to be too large", "POST", testSecret, untouchable{t}, bodyMax + 1, 413, 0},
		{"empty", "POST", testSecret, strings.NewReader(""), 0, 400, 0},
		{"no JSON", "POST", testSecret, strings.NewReader("hola"), 0, 400, 0},
		{"half", "POST", testSecret, strings.NewReader(text[:40]), 0, 400, 0},
		{"no update", "POST", testSecret, strings.NewReader(`[]`), 0, 400, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := len(b.updates())
			r := httptest.NewRequest(tt.method, WebhookPath, tt.body)
			if tt.length != 0 {
				r.ContentLength = tt.length
			}
			if tt.secret != "" {
				r.Header.Set(secretHeader, tt.secret)
			}
			rec := httptest.NewRecorder()
			b.c.Handler().ServeHTTP(rec, r)
			if rec.Code != tt.status {
				t.Errorf("got %d, want %d", rec.Code, tt.status)
			}
			if got := len(b.updates()) - before; got != tt.heard {
				t.Errorf("%d updates handled, want %d", got, tt.heard)
			}
			if rec.Body.Len() != 0 {
				t.Errorf("body %q, want none", rec.Body)
			}
			if tt.status == 405 && rec.Header().Get("Allow") != "POST" {
				t.Errorf("Allow: %q, want POST", rec.Header().Get("Allow"))
			}
		})
	}
	if got, want := b.counted(CountRefused), 2; got != want {
		t.Errorf("%d refused, want %d", got, want)
	}
	if log := b.logs.String(); strings.Count(log, "LLAVE_TELEGRAM_WEBHOOK_SECRET") != 1 || strings.Contains(log, testSecret) {
		t.Errorf("log %q, want one warning that says what to do, and no secret", log)
	}
}

// TestWebhook_noSecret: a channel without a secret takes nothing, least of all an empty one.
func TestWebhook_noSecret(t *testing.T) {
	b := newTestBot(t, func(o *Options) { o.Secret = "" })
	r := httptest.NewRequest("POST", WebhookPath, untouchable{t})
	r.Header.Set(secretHeader, "")
	rec := httptest.NewRecorder()
	b.c.Handler().ServeHTTP(rec, r)
	if rec.Code != 401 {
		t.Errorf("got %d, want 401", rec.Code)
	}
}

// newWebhookBot serves the webhook on a real socket and runs the channel.
func newWebhookBot(t testing.TB, before func(b *testBot)) *testBot {
	b := newTestBot(t, nil)
	var handler atomic.Pointer[http.Handler]
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path != WebhookPath {
			t.Errorf("posted to %s, want %s", r.URL.Path, WebhookPath)
		}
		(*handler.Load()).ServeHTTP(rw, r)
	}))
	t.Cleanup(srv.Close)
	b.build(b.api.URL(), func(o *Options) { o.Mode, o.PublicURL = Webhook, srv.URL+"/" })
	h := b.c.Handler()
	handler.Store(&h)
	if before != nil {
		before(b)
	}
	b.run()
	return b
}

// TestWebhook_road: it registers itself although the Bot API is unwell, updates that could not be handled come again,
// presses and their repeats are answered.
func TestWebhook_road(t *testing.T) {
	failures := 3
	b := newWebhookBot(t, func(b *testBot) {
		b.api.RetryWait = time.Millisecond
		b.api.Fail("setWebhook", 1, bottest.FaultServerError)
		b.fail = func(bot.Update) error {
			if failures > 0 {
				failures--
				return errStore
			}
			return nil
		}
		b.api.Say(1, "hola")
	})
	b.until("hola", func() bool { return b.texts() == "hola" && b.api.Pending() == 0 })
	calls := b.api.Calls("setWebhook")
	p := calls[len(calls)-1].Params
	for name, want := range map[string]string{
		"url": strings.TrimRight(b.c.opt.PublicURL, "/") + WebhookPath, "secret_token": testSecret, "max_connections": "40",
		"allowed_updates": `["message","edited_message","callback_query","my_chat_member","message_reaction"]`, "drop_pending_updates": "false",
	} {
		if p[name] != want {
			t.Errorf("setWebhook %s: got %s, want %s", name, p[name], want)
		}
	}
	if posts := b.api.Posts(); len(posts) < 4 || posts[0].Status != 503 || posts[len(posts)-1].Status != 200 {
		t.Errorf("posts %+v, want three times 503 and then 200", posts)
	}

	if err := b.c.Send(t.Context(), "1", bot.Reply{Text: "¿Sí?", Prompt: 3, Buttons: []bot.Button{{ID: "y", Title: "Sí"}}}); err != nil {
		t.Fatal(err)
	}
	// The answer to the press does not hold up the 200.
	b.api.Slow("answerCallbackQuery", 100*time.Millisecond)
	if _, err := b.api.Press(1, "Sí"); err != nil {
		t.Fatal(err)
	}
	b.until("the press to be confirmed", func() bool { return b.api.Pending() == 0 && len(b.updates()) == 2 })
	b.api.Repeat(1)
	b.until("both answers", func() bool { return len(b.api.Calls("answerCallbackQuery")) == 2 && b.api.Unanswered() == 0 })
}

// TestWebhook_moved: a webhook that somebody sets elsewhere, or takes away, is noticed within minutes, told of, counted, and ours
// registered again. Who sets it again and again is trouble all along; the log is not filled by that.
func TestWebhook_moved(t *testing.T) {
	inBubble(t, func(o *Options) { o.Mode, o.PublicURL = Webhook, "https://bot.example.org/" }, func(t *testing.T, b *testBot) {
		const ours = "https://bot.example.org" + WebhookPath
		b.run()
		time.Sleep(10 * time.Minute)
		if got := len(b.api.Calls("getWebhookInfo")); b.api.WebhookURL() != ours || got < 2 || got > 5 || len(b.api.Calls("setWebhook")) != 1 {
			t.Errorf("nothing happened: the webhook is at %q, asked %d times, set %d times", b.api.WebhookURL(), got, len(b.api.Calls("setWebhook")))
		}
		for _, other := range []string{"https://other.example.org/secret-path", ""} {
			b.api.SetHook(other, time.Time{}, "")
			time.Sleep(4 * time.Minute)
			if got := b.api.WebhookURL(); got != ours {
				t.Fatalf("set to %q, and it stays at %q", other, got)
			}
			time.Sleep(4 * time.Minute)
			if got := b.c.Trouble(); !got.Since.IsZero() {
				t.Errorf("trouble does not end: %v", got)
			}
		}
		if got := b.counted(CountHookMoved); got != 2 {
			t.Errorf("counted %d times, want 2", got)
		}
		if log := b.logs.String(); strings.Count(log, "set to another address") != 2 || !strings.Contains(log, `"host":"other.example.org"`) || strings.Contains(log, "secret-path") {
			t.Errorf("log: %s", log)
		}
		b.api.SetHook("https://other.example.org/", time.Time{}, "")
		for end := time.Now().Add(5 * time.Minute); b.c.Trouble().Since.IsZero() && time.Now().Before(end); {
			time.Sleep(time.Second)
		}
		for range 12 {
			b.api.SetHook("https://other.example.org/", time.Time{}, "")
			time.Sleep(15 * time.Second)
			if got := b.c.Trouble(); !strings.Contains(got.Reason, "another address") {
				t.Errorf("somebody sets it again and again: trouble %v", got)
			}
		}
		b.api.Fail("setWebhook", 1000, bottest.FaultUnauthorized)
		b.api.SetHook("https://other.example.org/", time.Time{}, "")
		time.Sleep(4 * time.Minute)
		if got := b.c.Trouble(); got.Since.IsZero() {
			t.Error("ours cannot be registered, and there is no trouble")
		}
	})
}

// TestWebhook_manyChats: what many people say at a time arrives, each in order.
func TestWebhook_manyChats(t *testing.T) {
	b := newWebhookBot(t, nil)
	const chats, each = 50, 4
	for i := range each {
		for chat := range chats {
			b.api.Say(int64(chat+1), fmt.Sprint(i))
		}
	}
	b.until("all", func() bool { return b.api.Pending() == 0 })
	texts := map[string]string{}
	for _, u := range b.updates() {
		texts[u.Chat] += u.Text
	}
	for chat, got := range texts {
		if got != "0123" {
			t.Errorf("chat %s: got %q, want %q", chat, got, "0123")
		}
	}
	if len(texts) != chats {
		t.Errorf("%d chats heard, want %d", len(texts), chats)
	}
}

func TestNew_refuses(t *testing.T) {
	handle := func(context.Context, bot.Update) error { return errors.ErrUnsupported }
	tests := []struct {
		name string
		opt  Options
		want string
	}{
		{"no token", Options{Handle: handle}, "token"},
		{"a token that is none", Options{Token: "abc/def", Handle: handle}, "token"},
		{"mode", Options{Token: testToken, Mode: "pigeon", Handle: handle}, "pigeon"},
		{"secret", Options{Token: testToken, Secret: "a b", Handle: handle}, "secret"},
		{"a long secret", Options{Token: testToken, Secret: Secret(strings.Repeat("x", 257)), Handle: handle}, "secret"},
		{"webhook without secret", Options{Token: testToken, Mode: Webhook, PublicURL: "https://x.example.org", Handle: handle}, "secret"},
		{"webhook without URL", Options{Token: testToken, Mode: Webhook, Secret: testSecret, Handle: handle}, "public URL"},
		{"API URL", Options{Token: testToken, APIURL: "api.telegram.org", Handle: handle}, "URL"},
		{"handler", Options{Token: testToken}, "handler"},
	}
	for _, tt := range tests {
		_, err := New(tt.opt)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), string(tt.opt.Token)) && tt.opt.Token != "" {
			t.Errorf("%s: got %v, want an error about %q without the token", tt.name, err, tt.want)
		}
	}
}

// BenchmarkWebhook is updates a second through the real handler, commit excluded.
func BenchmarkWebhook(b *testing.B) {
	c, err := New(Options{Token: testToken, Secret: testSecret, Handle: func(context.Context, bot.Update) error { return nil }})
	if err != nil {
		b.Fatal(err)
	}
	srv := httptest.NewServer(c.Handler())
	defer srv.Close()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	defer client.CloseIdleConnections()
	raw := fixture(b, "update_message_text.json")
	b.SetParallelism(8)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r, err := http.NewRequest(http.MethodPost, srv.URL, bytes.NewReader(raw))
			if err != nil {
				b.Error(err)
				return
			}
			r.Header.Set(secretHeader, testSecret)
			resp, err := client.Do(r)
			if err != nil {
				b.Error(err)
				return
			}
			resp.Body.Close()
			if resp.StatusCode != 200 {
				b.Errorf("status %d", resp.StatusCode)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "updates/s")
}

// BenchmarkHandler is the same without the sockets.
func BenchmarkHandler(b *testing.B) {
	c, err := New(Options{Token: testToken, Secret: testSecret, Handle: func(context.Context, bot.Update) error { return nil }})
	if err != nil {
		b.Fatal(err)
	}
	h, raw := c.Handler(), fixture(b, "update_message_text.json")
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest(http.MethodPost, WebhookPath, bytes.NewReader(raw))
		r.Header.Set(secretHeader, testSecret)
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		if rec.Code != 200 {
			b.Fatalf("status %d", rec.Code)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "updates/s")
}
