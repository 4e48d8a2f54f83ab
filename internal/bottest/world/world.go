// Package world runs one process of Llave inside a test, with everything around it: a channel's server, an SMTP server, a
// browser with cookies, and a clock that the test moves. It is driven from outside only: messages go in through the
// webhook, letters are read where they arrive, and links are opened over HTTP.
package world

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"llave/bot"
	"llave/internal/app"
	"llave/internal/bottest"
	"llave/internal/config"
	"llave/internal/handoff"
	"llave/internal/store"
)

// Chat is the chat that people of the world write in, unless a test chooses another.
const Chat = int64(5551230001)

// World is made by New and taken down by the test's end.
type World struct {
	App     *app.App
	Phone   Phone           // of the channel
	API     *bottest.BotAPI // on Telegram
	Graph   *bottest.Graph  // on WhatsApp
	SMTP    *bottest.SMTP
	Push    *bottest.Push
	Browser *http.Client // follows redirects, keeps cookies
	Log     *bottest.Buffer

	t       testing.TB
	offset  atomic.Int64
	start   time.Time
	channel string
	agents  map[string]handoff.Actor
	present map[string]bool // whose console is there
	paused  map[string]bool // of these, who is on a break
	hurries bool            // the person goes on at once
}

// usual is when a world begins: a Monday, at ten in the morning at the desk.
var usual = time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)

// Token is the bot's, of the shape Telegram gives.
const Token = "7000000001:AAtesttesttesttesttesttesttesttest01"

// New starts a world with Telegram. [settings] are LLAVE_* assignments beside those that the world needs; import rows go in
// before the start.
func New(t testing.TB, importCSV string, settings ...string) *World {
	t.Helper()
	return NewOn(t, Telegram, importCSV, settings...)
}

// NewOn is New with another channel.
func NewOn(t testing.TB, on Channel, importCSV string, settings ...string) *World {
	t.Helper()
	return newFrom(t, on, before{at: usual, importCSV: importCSV}, settings...)
}

// NewOver is NewOn over a store of the test's own, in which nobody has a record yet; the test closes it.
func NewOver(t testing.TB, on Channel, e store.Engine, settings ...string) *World {
	t.Helper()
	return newFrom(t, on, before{at: usual, store: e}, settings...)
}

// before is what there is when a world begins.
type before struct {
	at        time.Time
	store     store.Engine // nil: an empty one of its own
	importCSV string
}

// newFrom is NewOn with something else before.
func newFrom(t testing.TB, on Channel, from before, settings ...string) *World {
	t.Helper()
	w := &World{
		t: t, start: from.at, channel: on.Name, Log: &bottest.Buffer{}, agents: map[string]handoff.Actor{}, present: map[string]bool{}, paused: map[string]bool{},
	}
	phone, channel, ready := on.open(t, w)
	w.Phone = phone
	var err error
	w.Push = bottest.NewPush()
	t.Cleanup(w.Push.Close)
	if w.SMTP, err = bottest.StartSMTP(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.SMTP.Close() })
	t.Cleanup(func() { // once the process has written its last line
		if w.App != nil {
			w.wantNoLeak("the log", w.Log.String(), from.importCSV)
		}
	})
	environ := append([]string{
		"LLAVE_HTTP_ADDR=127.0.0.1:0", "LLAVE_ADMIN_ADDR=127.0.0.1:0", "LLAVE_DATA_DIR=" + t.TempDir(),
		"LLAVE_SECRET_KEY=" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32)),
		"LLAVE_SMTP_URL=" + w.SMTP.URL(), "LLAVE_INTRODUCE=off", // so that nobody counts its calls
	}, channel...)
	environ = append(environ, settings...)
	if from.importCSV != "" {
		path := filepath.Join(t.TempDir(), "people.csv")
		writeFile(t, path, from.importCSV)
		var out bytes.Buffer
		if code := app.Main(t.Context(), []string{"import", path}, app.IO{Environ: environ, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out}); code != 0 {
			t.Fatalf("import: exit %d: %s", code, out.String())
		}
	}
	c, err := config.Load(environ, t.TempDir(), config.NeedMail)
	if err != nil {
		t.Fatal(err)
	}
	w.App, err = app.New(t.Context(), app.Options{
		Config: c, Log: slog.New(slog.NewJSONHandler(w.Log, nil)), LocalURL: true, NoSweep: true, Now: w.Now, Engine: from.store, PushClient: w.Push,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		w.Phone.HangUp()
		if err := w.App.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	if err := w.App.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // before it stops
		res, err := http.Get("http://" + w.App.AdminAddr() + "/metrics")
		if err != nil {
			return // the test has stopped it
		}
		_, scraped := read(t, res, nil)
		http.DefaultClient.CloseIdleConnections()
		w.wantNoLeak("/metrics", scraped, from.importCSV)
	})
	ready()
	w.Browser = NewBrowser(t)
	return w
}

// NewBrowser is a browser without scripts and with a cookie jar of its own.
func NewBrowser(t testing.TB) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, Timeout: 10 * time.Second}
}

// Now is the store's clock.
func (w *World) Now() time.Time { return w.start.Add(time.Duration(w.offset.Load())) }

// Later moves the clock and lets everything that is due happen.
func (w *World) Later(d time.Duration) {
	w.t.Helper()
	w.hurries = false
	w.offset.Add(int64(d))
	w.Settle()
}

// Settle waits until nothing is under way: what was said is answered, what is due has been done, the desk's queue is tended.
func (w *World) Settle() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
	defer cancel()
	w.beat(ctx)
	for range 3 { // a promise kept may owe another document something, which may owe a chat
		if !w.Phone.Wait(10*time.Second, func() bool { return w.Phone.Pending() == 0 }) {
			w.t.Fatalf("the bot has not taken what was said: %s", w.Log.String())
		}
		if err := w.App.Runner.Idle(ctx); err != nil {
			w.t.Fatalf("settle: %v", err)
		}
		if err := w.App.Runner.Sweep(ctx); err != nil {
			w.t.Fatalf("sweep: %v", err)
		}
		if err := w.App.Desk.Tend(ctx); err != nil {
			w.t.Fatalf("tend: %v", err)
		}
		if err := w.App.Runner.Idle(ctx); err != nil {
			w.t.Fatalf("settle: %v", err)
		}
	}
}

// turnTakes is how long a person takes for one message, by the world's clock: what WhatsApp lets one person have in the
// long run.
const turnTakes = 6 * time.Second

// Do lets a person do something and returns what the bot said to it.
func (w *World) Do(act func() error) []bottest.ChatMessage {
	w.t.Helper()
	return w.DoIn(Chat, act)
}

// DoIn is Do in another chat.
func (w *World) DoIn(chat int64, act func() error) []bottest.ChatMessage {
	w.t.Helper()
	before := len(w.Phone.Messages(chat))
	w.offset.Add(int64(w.takes()))
	if err := act(); err != nil {
		w.t.Fatal(err)
	}
	w.Settle()
	w.waitOut(chat)
	return w.Phone.Messages(chat)[before:]
}

// pieceTakes is how long a person takes for the next piece of a sentence.
const pieceTakes = 250 * time.Millisecond

// GoOn lets a person do something and go on at once: what waits for more pieces of a sentence still does.
func (w *World) GoOn(act func() error) {
	w.t.Helper()
	w.offset.Add(int64(w.takes()))
	w.hurries = true
	if err := act(); err != nil {
		w.t.Fatal(err)
	}
	w.Settle()
}

// takes is how long what the person does next takes them.
func (w *World) takes() time.Duration {
	if w.hurries {
		w.hurries = false
		return pieceTakes
	}
	return turnTakes
}

// waitOut lets the time pass that a chat's reply waits for more pieces of a sentence.
func (w *World) waitOut(chat int64) {
	w.t.Helper()
	if c, found := w.kept(chat); found {
		if wait := c.ReplyDue().Sub(w.Now()); !c.ReplyDue().IsZero() && wait > 0 {
			w.Later(wait)
		}
	}
}

// Say writes a text and returns what the bot said to it, as one string.
func (w *World) Say(text string) string {
	w.t.Helper()
	return joined(w.Do(func() error { w.Phone.Say(Chat, text); return nil }))
}

func joined(ms []bottest.ChatMessage) string {
	var texts []string
	for _, m := range ms {
		texts = append(texts, m.Text)
	}
	return strings.Join(texts, "\n")
}

// Post sends a page's form and returns status and body of where it leads.
func (w *World) Post(b *http.Client, address string, form url.Values) (int, string) {
	w.t.Helper()
	res, err := b.PostForm(address, form)
	return read(w.t, res, err)
}

// Get opens a page.
func (w *World) Get(b *http.Client, address string) (int, string) {
	w.t.Helper()
	res, err := b.Get(address)
	return read(w.t, res, err)
}

func read(t testing.TB, res *http.Response, err error) (int, string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// Heard waits until a conversation has heard an update whose id begins so: of what is told to it beside all else.
func (w *World) Heard(chat int64, prefix string) {
	w.t.Helper()
	for range 1000 {
		if c, _ := w.kept(chat); slices.ContainsFunc(c.Seen, func(s bot.Seen) bool { return strings.HasPrefix(s.ID, prefix) }) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	w.t.Fatalf("the conversation has not heard %q", prefix)
}

// kept is the conversation of a chat on the world's channel as it is stored.
func (w *World) kept(chat int64) (c bot.Conversation, found bool) {
	w.t.Helper()
	c, found, err := w.App.Store.Conversations.Find(w.t.Context(), w.App.Store.Book.Conv(bot.ConversationID(w.channel, fmt.Sprint(chat))))
	if err != nil {
		w.t.Fatalf("read the conversation: %v", err)
	}
	return c, found
}

// URL is an address of the public listener.
func (w *World) URL(path string) string {
	_, port, _ := strings.Cut(w.App.Addr(), ":")
	return fmt.Sprintf("http://localhost:%s%s", port, path)
}
