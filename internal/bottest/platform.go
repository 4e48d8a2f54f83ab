package bottest

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// platform is what the stubs of platforms have in common, whatever they speak: they listen and go away, record every call,
// are slow and rude when told to, and wake whoever waits for something to happen. F is how a call goes wrong; its zero
// value lets one pass.
type platform[F comparable] struct {
	client *http.Client // posts to webhooks

	mu      sync.Mutex
	server  *http.Server  // nil while down
	listen  net.Listener  // its own: it may not have begun to serve when it is closed
	port    port          // kept over Down and Up
	news    chan struct{} // closed and replaced whenever something changes
	closed  bool
	calls   []BotCall
	posts   []WebhookPost
	slow    map[string]time.Duration
	faults  map[string][]F
	aimed   []*aimedFault[F]
	workers sync.WaitGroup
	stop    chan struct{}
}

// aimedFault is a fault for the calls that match, so many times.
type aimedFault[F comparable] struct {
	match func(BotCall) bool
	left  int
	fault F
}

func newPlatform[F comparable]() platform[F] {
	return platform[F]{
		client: &http.Client{Timeout: 60 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 100}},
		news:   make(chan struct{}), stop: make(chan struct{}),
		slow: map[string]time.Duration{}, faults: map[string][]F{},
	}
}

// URL is what the bot must be given as the API's address.
func (p *platform[F]) URL() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return "http://" + p.port.addr
}

// up listens, on the same port as before. The lock is held.
func (p *platform[F]) up(h http.Handler) error {
	if p.closed || p.server != nil {
		return errors.New("it is closed, or up already")
	}
	l, err := net.Listen("tcp", p.port.next())
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	p.port.addr = l.Addr().String()
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	p.server, p.listen = srv, l
	p.workers.Go(func() { _ = srv.Serve(l) }) // ends with ErrServerClosed
	return nil
}

// Down closes the port and every connection, and delivers nothing. What people do meanwhile waits. It panics if the port
// cannot be kept.
func (p *platform[F]) Down() {
	p.mu.Lock()
	srv, listen := p.server, p.listen
	p.server = nil
	p.changed()
	p.mu.Unlock()
	if srv == nil {
		return
	}
	_ = srv.Close() // the port is gone either way
	_ = listen.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	if err := p.port.hold(); err != nil {
		panic(err)
	}
}

// HangUp closes the connections to webhooks on which nothing is under way. One that was opened and never used holds up a
// server that is told to stop for five seconds.
func (p *platform[F]) HangUp() { p.client.CloseIdleConnections() }

// Close ends everything and waits for it.
func (p *platform[F]) Close() {
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		close(p.stop)
	}
	p.mu.Unlock()
	p.Down()
	p.mu.Lock()
	p.port.release()
	p.mu.Unlock()
	p.workers.Wait()
	p.client.CloseIdleConnections()
}

// Slow makes every call of a method take that much longer ("" means every method).
func (p *platform[F]) Slow(method string, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.slow[method] = d
}

// Fail makes the next [n] calls of a method go wrong.
func (p *platform[F]) Fail(method string, n int, f F) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for range n {
		p.faults[method] = append(p.faults[method], f)
	}
}

// FailWhere makes the next [n] calls that match go wrong, unless Fail has a fault for them. It looks at the method and the
// parameters.
func (p *platform[F]) FailWhere(match func(BotCall) bool, n int, f F) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.aimed = append(p.aimed, &aimedFault[F]{match, n, f})
}

// Heal ends every slowness and rudeness.
func (p *platform[F]) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.slow)
	clear(p.faults)
	p.aimed = nil
}

// fault takes the fault that a call meets, or nil. The lock is held.
func (p *platform[F]) fault(c BotCall) *F {
	if list := p.faults[c.Method]; len(list) > 0 {
		p.faults[c.Method] = list[1:]
		if list[0] == *new(F) {
			return nil
		}
		return &list[0]
	}
	for _, a := range p.aimed {
		if a.left > 0 && a.match(c) {
			a.left--
			return &a.fault
		}
	}
	return nil
}

// dawdle waits, unless the bot hangs up before.
func (p *platform[F]) dawdle(r *http.Request, d time.Duration) {
	if d <= 0 {
		return
	}
	select {
	case <-time.After(d):
	case <-r.Context().Done():
	case <-p.stop:
	}
}

func (p *platform[F]) record(c BotCall, status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.Status = status
	p.calls = append(p.calls, c)
	p.changed()
}

// Calls returns the calls of a method so far ("" means all), oldest first.
func (p *platform[F]) Calls(method string) []BotCall {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []BotCall
	for _, c := range p.calls {
		if method == "" || c.Method == method {
			out = append(out, c)
		}
	}
	return out
}

// Posts returns the deliveries to the webhook so far. Of several updates in one body UpdateID is the first one's.
func (p *platform[F]) Posts() []WebhookPost {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.posts)
}

// Wait waits until [cond] holds. [cond] is asked again whenever something has changed; it must not call methods that play a
// person.
func (p *platform[F]) Wait(timeout time.Duration, cond func() bool) bool {
	late := time.NewTimer(timeout)
	defer late.Stop()
	for {
		p.mu.Lock()
		news := p.news
		p.mu.Unlock()
		if cond() {
			return true
		}
		select {
		case <-news:
		case <-late.C:
			return cond()
		case <-p.stop:
			return cond()
		}
	}
}

// changed wakes everybody who waits. The lock is held.
func (p *platform[F]) changed() {
	close(p.news)
	p.news = make(chan struct{})
}

// waitMessage waits for the bot's first message that is newer than the message with the id [after].
func (p *platform[F]) waitMessage(messages func() []ChatMessage, after int, timeout time.Duration) (ChatMessage, error) {
	var found ChatMessage
	ok := p.Wait(timeout, func() bool {
		for _, m := range messages() {
			if m.ID > after {
				found = m
				return true
			}
		}
		return false
	})
	if !ok {
		return ChatMessage{}, fmt.Errorf("no message after %d within %v", after, timeout)
	}
	return found, nil
}
