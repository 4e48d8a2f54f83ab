package whatsapp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"llave/bot"
	"llave/internal/bottest"
)

const (
	firstToken  = "EAAtest-first-token"
	secondToken = "EAAtest-second-token"
	ourNumberID = "106540352242922"
	anApp       = "appsecret-of-a-test"
	aVerifier   = "verifytoken-of-a-test"
	ourTemplate = "novedad_tramite:es"
)

// somebody is a person of these tests; the chat is named by the phone.
const somebody = "593990000001"

// outbound is a channel that sends, the Graph API it talks to, and what it kept and logged.
type outbound struct {
	t    testing.TB
	c    *Channel
	api  *bottest.Graph // nil where a test brings its own
	logs *bottest.Buffer
	dial func(ctx context.Context, network, address string) (net.Conn, error)

	mu     sync.Mutex
	people map[string]Names // by chat
	sent   []noted
	failed error // what Address and Sent return
	counts map[string]int
	errs   []error // every error of Send
}

// noted is what Deliveries was told.
type noted struct {
	id, chat string
	reply    bot.Reply
}

// newOutbound starts a Graph API and a channel that sends to it. change may change both sides' options.
func newOutbound(t *testing.T, change func(*Options, *bottest.GraphOptions)) *outbound {
	t.Helper()
	o := blank(t)
	opt, g := o.options(), graphOptions()
	if change != nil {
		change(&opt, &g)
	}
	o.api = bottest.NewGraph(g)
	if err := o.api.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.api.Close)
	opt.APIURL = o.api.URL()
	o.build(opt)
	return o
}

// outboundTo is a channel that sends to a handler.
func outboundTo(t *testing.T, h http.HandlerFunc) *outbound {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	o := blank(t)
	opt := o.options()
	opt.APIURL = srv.URL
	o.build(opt)
	return o
}

// outboundInBubble runs a test in a synctest bubble, where hours pass in no time. HTTP goes over pipes there, since a
// bubble's clock stands still while a socket is waited for.
func outboundInBubble(t *testing.T, change func(*Options, *bottest.GraphOptions), test func(t *testing.T, o *outbound)) {
	synctest.Test(t, func(t *testing.T) {
		o := blank(t)
		opt, g := o.options(), graphOptions()
		opt.APIURL = "http://pipe.invalid"
		if change != nil {
			change(&opt, &g)
		}
		o.api = bottest.NewGraph(g)
		l := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
		srv := &http.Server{Handler: o.api, ReadHeaderTimeout: time.Minute}
		served := make(chan struct{})
		go func() { defer close(served); _ = srv.Serve(l) }()
		t.Cleanup(func() {
			o.api.Close()
			_ = srv.Close()
			<-served
		})
		o.dial = l.dial
		o.build(opt)
		test(t, o)
	})
}

func blank(t testing.TB) *outbound {
	return &outbound{t: t, logs: &bottest.Buffer{}, people: map[string]Names{somebody: {Phone: somebody}}, counts: map[string]int{}}
}

func (o *outbound) options() Options {
	return Options{
		Tokens: []Secret{firstToken, secondToken}, PhoneNumberID: ourNumberID, AppSecret: anApp, VerifyToken: aVerifier,
		Rate: 1000, Template: ourTemplate, People: o, Deliveries: o,
		Handle: func(context.Context, bot.Update) error { return nil },
		Count: func(name string) {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.counts[name]++
		},
		Log: slog.New(slog.NewJSONHandler(o.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
}

func graphOptions() bottest.GraphOptions {
	return bottest.GraphOptions{
		Tokens: []string{firstToken, secondToken}, PhoneNumberID: ourNumberID, AppSecret: anApp, VerifyToken: aVerifier,
		PerSecond: -1, PairEvery: -1,
		Templates: []bottest.GraphTemplate{{Name: "novedad_tramite", Language: "es", Body: "Hay novedades de su trámite. Escríbanos."}},
	}
}

func (o *outbound) build(opt Options) {
	o.t.Helper()
	c, err := New(opt)
	if err != nil {
		o.t.Fatal(err)
	}
	if o.dial != nil {
		c.client.http.Transport.(*http.Transport).DialContext = o.dial
	}
	o.c = c
	o.t.Cleanup(func() {
		c.Close()
		o.clean()
	})
}

// Find is not asked for here.
func (o *outbound) Find(context.Context, Names) (string, error) { return "", errors.ErrUnsupported }

// Move is not asked for here.
func (o *outbound) Move(context.Context, Names, Names) error { return errors.ErrUnsupported }

func (o *outbound) Address(_ context.Context, chat string) (Names, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.people[chat], o.failed
}

func (o *outbound) Sent(ctx context.Context, wamid, chat string, r bot.Reply) (*Lost, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	o.sent = append(o.sent, noted{wamid, chat, r})
	return nil, o.failed
}

// Moved is not asked for here.
func (o *outbound) Moved(context.Context, string, Status, int) (string, *bot.Reply, bool, error) {
	return "", nil, false, errors.ErrUnsupported
}

// meet makes a person known, and has them write.
func (o *outbound) meet(chat int64) string {
	id := strconv.FormatInt(chat, 10)
	o.mu.Lock()
	o.people[id] = Names{Phone: id}
	o.mu.Unlock()
	o.api.Say(chat, "hola")
	return id
}

func (o *outbound) send(ctx context.Context, chat string, r bot.Reply) error {
	err := o.c.Send(ctx, chat, r)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.errs = append(o.errs, err)
	return err
}

// refused sends a text and returns how it failed.
func (o *outbound) refused(chat string) *bot.SendError {
	o.t.Helper()
	err := o.send(context.Background(), chat, bot.Reply{Text: "x"})
	var s *bot.SendError
	if !errors.As(err, &s) {
		o.t.Fatalf("got %v (%T), want a *bot.SendError; log:\n%s", err, err, o.logs)
	}
	return s
}

func (o *outbound) counted(name string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.counts[name]
}

func (o *outbound) notes() []noted {
	o.c.remembering.Wait()
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]noted(nil), o.sent...)
}

var telltale = regexp.MustCompile(`EAAtest|106540352242922|-of-a-test|an app secret|a verify token|5939\d{8}|EC\.\d|wamid\.`)

// clean looks through everything that left the channel during a test: no secret, no person.
func (o *outbound) clean() {
	o.t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	if found := telltale.FindString(o.logs.String()); found != "" {
		o.t.Errorf("the log holds %q:\n%s", found, o.logs)
	}
	for _, err := range o.errs {
		for ; err != nil; err = errors.Unwrap(err) {
			if found := telltale.FindString(fmt.Sprintf("%v %+v", err, err)); found != "" {
				o.t.Errorf("an error holds %q: %v", found, err)
			}
		}
	}
}

// pipeListener is a listener in memory.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (p *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
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

func (p *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipeListener) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }
