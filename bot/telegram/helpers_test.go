package telegram

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"llave/bot"
	"llave/internal/bottest"
)

const (
	testToken  = "7000000001:AAtest-token_for_the_stub"
	testSecret = "webhook-secret_0123456789"
	soon       = 20 * time.Second // how long a test waits for what must happen
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// testBot is a channel, the Bot API server that it talks to, and the updates that it handed on.
type testBot struct {
	t    testing.TB
	api  *bottest.BotAPI
	c    *Channel
	logs *bottest.Buffer

	pipes *pipes // in a bubble

	mu     sync.Mutex
	heard  []bot.Update
	fail   func(u bot.Update) error // Handle fails where it says so
	counts map[string]int
}

func newTestBot(t testing.TB, change func(*Options)) *testBot {
	t.Helper()
	b := &testBot{t: t, api: bottest.NewBotAPI(testToken), logs: &bottest.Buffer{}, counts: map[string]int{}}
	if err := b.api.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.api.Close)
	b.build(b.api.URL(), change)
	return b
}

func (b *testBot) build(apiURL string, change func(*Options)) {
	b.t.Helper()
	opt := Options{
		Token: testToken, APIURL: apiURL, Secret: testSecret, Rate: 1000,
		Handle: b.handle, Count: b.count,
		Log: slog.New(slog.NewJSONHandler(b.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&opt)
	}
	c, err := New(opt)
	if err != nil {
		b.t.Fatal(err)
	}
	if b.pipes != nil {
		c.client.http.Transport.(*http.Transport).DialContext = b.pipes.dial
	}
	b.c = c
	b.t.Cleanup(c.Close)
}

// inBubble runs a test in a synctest bubble, where hours pass in no time. The bot and the Bot API speak HTTP over
// pipes there, since a bubble's clock stands still while a socket is waited for.
func inBubble(t *testing.T, change func(*Options), test func(t *testing.T, b *testBot)) {
	synctest.Test(t, func(t *testing.T) {
		b := &testBot{t: t, api: bottest.NewBotAPI(testToken), logs: &bottest.Buffer{}, counts: map[string]int{}}
		pipes := newPipes()
		srv := &http.Server{Handler: b.api}
		served := make(chan struct{})
		go func() { defer close(served); _ = srv.Serve(pipes) }()
		t.Cleanup(func() {
			b.api.Close()
			_ = srv.Close()
			<-served
		})
		b.pipes = pipes
		b.build("http://pipe.invalid", change)
		test(t, b)
	})
}

// pipes is a listener in memory.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	close func()
}

func newPipes() *pipes {
	p := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
	p.close = sync.OnceFunc(func() { close(p.done) })
	return p
}

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-p.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.close(); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// run runs the channel until the test ends, or the returned function is called.
func (b *testBot) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	c, done := b.c, make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			b.t.Errorf("Run: %v", err)
		}
	})
	b.t.Cleanup(stop)
	return stop
}

func (b *testBot) handle(ctx context.Context, u bot.Update) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if b.fail != nil {
		if err := b.fail(u); err != nil {
			return err
		}
	}
	b.heard = append(b.heard, u)
	return nil
}

func (b *testBot) count(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counts[name]++
}

func (b *testBot) counted(name string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.counts[name]
}

func (b *testBot) updates() []bot.Update {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]bot.Update(nil), b.heard...)
}

// until waits for something that does not tell when it happens.
func (b *testBot) until(what string, cond func() bool) {
	b.t.Helper()
	for end := time.Now().Add(soon); !cond(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatalf("waited in vain for %s; log:\n%s", what, b.logs)
		}
	}
}

func (b *testBot) texts() string {
	var out []string
	for _, u := range b.updates() {
		out = append(out, u.Text)
	}
	return strings.Join(out, " ")
}

var errStore = errors.New("store cannot be reached")

// sendError is what a Send or Delete must return.
func sendError(t testing.TB, err error) *bot.SendError {
	t.Helper()
	var s *bot.SendError
	if !errors.As(err, &s) {
		t.Fatalf("got %v (%T), want a *bot.SendError", err, err)
	}
	return s
}

func mustJSON(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
