package runner_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"llave/bot"
	"llave/flows"
	"llave/internal/affiliate"
	"llave/internal/runner"
	"llave/internal/runner/runnertest"
	"llave/internal/secret"
	"llave/internal/store"
	"llave/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// wire is where the runner's words end: it records them, and can be told to answer as a channel does. The channels'
// own tests, the dialogues and the end-to-end tests go over real protocols; here the runner's side is what matters.
type wire struct {
	mu      sync.Mutex
	sent    []string
	answers []error       // to the next sends
	hold    chan struct{} // sends wait for it
	waiting chan struct{} // gets a word from each that does
	merges  bool
	silence []time.Duration // the person's, at each try
	edits   []bot.Spend     // tries included
	spend   func() error    // how edits end; nil: well
}

func (w *wire) Merges() bool { return w.merges }

func (w *wire) Send(ctx context.Context, chat string, r bot.Reply) error {
	w.mu.Lock()
	w.silence = append(w.silence, r.Silence)
	hold := w.hold
	w.mu.Unlock()
	if hold != nil {
		w.waiting <- struct{}{}
		select {
		case <-hold:
		case <-ctx.Done():
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.answers) > 0 {
		err := w.answers[0]
		w.answers = w.answers[1:]
		if err != nil {
			return err
		}
	}
	w.sent = append(w.sent, r.Text)
	return nil
}

func (w *wire) Delete(context.Context, string, string) error { return nil }

func (w *wire) Spend(_ context.Context, _ string, s bot.Spend) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.edits = append(w.edits, s)
	if w.spend != nil {
		return w.spend()
	}
	return nil
}

func (w *wire) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.sent)
}

// cluster is one store with as many runners over it as a test wants. Their flow is the real one, over no records.
type cluster struct {
	t      *testing.T
	store  *store.Store
	clock  *storetest.Clock
	engine *bot.Engine
	open   func(conv, sealed string) (string, error)
	wire   *wire
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	clock := storetest.NewClock(time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC))
	s := store.New(storetest.Bolt(t, clock.Now))
	v, err := secret.New(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	e, err := flows.New(flows.Options{
		Records: s.Affiliates, Vault: v, Offices: affiliate.Offices{}, PublicURL: "http://localhost", LinkTTL: 3 * time.Minute,
		Limits: flows.Limits{NumbersHour: 3, NumbersDay: 10, MessagesMinute: 1000}, Idle: 24 * time.Hour, Seen: 192 * time.Hour,
		Erasing: func(string) flows.Erasing { return flows.StaysHere },
	})
	if err != nil {
		t.Fatal(err)
	}
	open := func(conv, sealed string) (string, error) { return flows.OpenReply(v, conv, sealed) }
	return &cluster{t: t, store: s, clock: clock, engine: e, open: open, wire: &wire{}}
}

func (cl *cluster) runner(name string) *runner.Runner {
	cl.t.Helper()
	r, err := runner.New(runner.Options{
		Name: name, Conversations: cl.store.Conversations, Unlocks: cl.store.Unlocks, Processes: cl.store.Processes, Engine: cl.engine, Now: cl.store.Now,
		Open: cl.open, Keepers: runnertest.Keepers(), Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		cl.t.Fatal(err)
	}
	r.Bind("telegram", cl.wire)
	cl.t.Cleanup(func() { cl.stop(r) })
	return r
}

func (cl *cluster) stop(r *runner.Runner) {
	cl.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := r.Stop(ctx); err != nil {
		cl.t.Errorf("stop: %v", err)
	}
}

func text(id int, words string) bot.Update {
	return bot.Update{ID: fmt.Sprint(id), Channel: "telegram", Chat: "1", Kind: bot.Text, Text: words}
}

func (cl *cluster) handle(r *runner.Runner, u bot.Update) {
	cl.t.Helper()
	if err := r.Handle(cl.t.Context(), u); err != nil {
		cl.t.Fatal(err)
	}
}

func (cl *cluster) idle(rs ...*runner.Runner) {
	cl.t.Helper()
	ctx, cancel := context.WithTimeout(cl.t.Context(), 10*time.Second)
	defer cancel()
	for _, r := range rs {
		if err := r.Idle(ctx); err != nil {
			cl.t.Fatal(err)
		}
	}
}

func (cl *cluster) sweep(r *runner.Runner) {
	cl.t.Helper()
	if err := r.Sweep(cl.t.Context()); err != nil {
		cl.t.Fatal(err)
	}
	cl.idle(r)
}

func (cl *cluster) wantSent(n int, when string) {
	cl.t.Helper()
	if got := cl.wire.count(); got != n {
		cl.t.Errorf("%s: %d bubbles sent, want %d", when, got, n)
	}
}

func (cl *cluster) conversation() bot.Conversation {
	cl.t.Helper()
	c, err := cl.store.Conversations.Load(cl.t.Context(), "telegram:1")
	if err != nil {
		cl.t.Fatal(err)
	}
	return c
}

func TestHandle_repeatsInParallel(t *testing.T) {
	cl := newCluster(t)
	a, b := cl.runner("a"), cl.runner("b")
	for id, words := range []string{"hola", "1", "desbloquear"} {
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				if err := []*runner.Runner{a, b}[i%2].Handle(t.Context(), text(100+id, words)); err != nil {
					t.Errorf("handle: %v", err)
				}
			})
		}
		wg.Wait()
	}
	cl.idle(a, b)
	cl.sweep(a)
	cl.wantSent(3, "three updates, ten times each, by two processes")
	if c := cl.conversation(); c.Turns != 3 || len(c.Promises) != 0 {
		t.Errorf("%d turns and %d promises left, want 3 and none", c.Turns, len(c.Promises))
	}
}

func TestHandle_order(t *testing.T) {
	cl := newCluster(t)
	r := cl.runner("a")
	for i, words := range []string{"hola", "1", "ayuda", "estado", "menú"} {
		cl.handle(r, text(100+i, words))
	}
	cl.idle(r)
	cl.wire.mu.Lock()
	defer cl.wire.mu.Unlock()
	var tail []string
	for _, l := range cl.conversation().Tail {
		if l.From == "bot" {
			tail = append(tail, l.Text)
		}
	}
	if !slices.Equal(cl.wire.sent, tail) {
		t.Errorf("sent in another order than said:\n got %q\nwant %q", cl.wire.sent, tail)
	}
}

func TestKeep_failures(t *testing.T) {
	temporary := &bot.SendError{Failure: bot.Temporary, Reason: "told to"}
	cl := newCluster(t)
	r := cl.runner("a")
	cl.wire.answers = []error{temporary}
	cl.handle(r, text(1, "hola"))
	cl.idle(r)
	cl.wantSent(1, "one failure is retried at once")

	cl.wire.answers = []error{temporary, temporary}
	cl.handle(r, text(2, "1"))
	cl.idle(r)
	cl.wantSent(1, "after two failures it waits")
	cl.sweep(r)
	cl.wantSent(1, "not before its time")
	cl.clock.Advance(2 * time.Second)
	cl.sweep(r)
	cl.wantSent(2, "two seconds later")

	cl.wire.answers = []error{&bot.SendError{Failure: bot.Throttled, After: 7 * time.Second}}
	cl.handle(r, text(3, "ayuda"))
	cl.handle(r, text(4, "menú"))
	cl.idle(r)
	cl.clock.Advance(6900 * time.Millisecond)
	cl.sweep(r)
	cl.wantSent(2, "throttled for seven seconds, and what comes behind waits too")
	cl.clock.Advance(200 * time.Millisecond)
	cl.sweep(r)
	cl.wantSent(4, "both after seven seconds")

	cl.wire.answers = []error{&bot.SendError{Failure: bot.Permanent}}
	cl.handle(r, text(5, "ayuda"))
	cl.idle(r)
	cl.wantSent(4, "one that is never taken is dropped")
	if n := len(cl.conversation().Promises); n != 0 {
		t.Errorf("%d promises left, want none", n)
	}

	cl.wire.answers = []error{&bot.SendError{Failure: bot.Gone}}
	cl.handle(r, text(6, "ayuda"))
	cl.idle(r)
	if c := cl.conversation(); !c.Gone || len(c.Promises) != 0 {
		t.Errorf("gone %t with %d promises, want gone with none", c.Gone, len(c.Promises))
	}
	cl.handle(r, text(7, "menú"))
	cl.idle(r)
	cl.wantSent(5, "who writes again is answered again")
}

// A process that dies while sending: another takes its lane over, five seconds after it was last heard of, not before.
// Should it only have been stopped, and go on, it sends nothing any more of what it was about to (P402).
func TestSweep_takesOver(t *testing.T) {
	cl := newCluster(t)
	dead, other := cl.runner("dead"), cl.runner("other")
	hold := make(chan struct{})
	cl.wire.hold, cl.wire.waiting = hold, make(chan struct{}, 1)
	cl.handle(dead, text(1, "hola"))
	<-cl.wire.waiting
	cl.wire.mu.Lock()
	cl.wire.hold = nil // only the first send hangs
	cl.wire.mu.Unlock()
	cl.clock.Advance(4 * time.Second)
	cl.sweep(other)
	cl.wantSent(0, "while the keeper may be alive")
	cl.clock.Advance(1100 * time.Millisecond)
	cl.sweep(other)
	cl.wantSent(1, "once it has been silent for five seconds")
	if n := len(cl.conversation().Promises); n != 0 {
		t.Errorf("%d promises left, want none", n)
	}
	close(hold)
	cl.idle(dead)
	cl.wantSent(1, "after the first has woken up")
}

// Stopping hands what is owed to others at once (P604).
func TestStop_handsOver(t *testing.T) {
	cl := newCluster(t)
	first, second := cl.runner("first"), cl.runner("second")
	cl.wire.answers = []error{&bot.SendError{Failure: bot.Temporary}, &bot.SendError{Failure: bot.Temporary}}
	cl.handle(first, text(1, "hola"))
	cl.idle(first)
	cl.stop(first)
	if err := first.Handle(t.Context(), text(2, "1")); err == nil {
		t.Error("a stopped process took an update")
	}
	cl.clock.Advance(2 * time.Second)
	cl.sweep(second)
	cl.wantSent(1, "by the second process")
}

// A timer goes off once, whoever sweeps; one set again for the same moment goes off again and ends.
func TestTimers(t *testing.T) {
	cl := newCluster(t)
	a, b := cl.runner("a"), cl.runner("b")
	cl.handle(a, text(1, "hola"))
	cl.handle(a, text(2, "1"))
	cl.idle(a)
	cl.clock.Advance(24*time.Hour + time.Second)
	var wg sync.WaitGroup
	for _, r := range []*runner.Runner{a, b} {
		wg.Go(func() {
			if err := r.Sweep(t.Context()); err != nil {
				t.Errorf("sweep: %v", err)
			}
		})
	}
	wg.Wait()
	c := cl.conversation()
	if c.State != flows.Start || len(c.Timers) != 0 {
		t.Errorf("after a day alone: state %s with timers %v, want emptied", c.State, c.Timers)
	}
	c.SetTimer(bot.Timer{Signal: bot.SignalForget, At: cl.clock.Now().Add(-time.Second)})
	c.Wake(c.NextTimer())
	if err := cl.store.Conversations.Save(t.Context(), &c); err != nil {
		t.Fatal(err)
	}
	cl.sweep(a)
	cl.sweep(b)
	if c := cl.conversation(); len(c.Timers) != 0 {
		t.Errorf("the timer set again is still there: %v", c.Timers)
	}
}

func TestHandle_storeAway(t *testing.T) {
	cl := newCluster(t)
	r := cl.runner("a")
	if err := cl.store.Engine().Close(); err != nil {
		t.Fatal(err)
	}
	if err := r.Handle(t.Context(), text(1, "hola")); err == nil {
		t.Error("an update was acknowledged without a store")
	}
	cl.wantSent(0, "without a store")
}

// A flow that has no answer to what it heard: the person is asked again, once, and the update is not delivered for ever.
func TestHandle_noRow(t *testing.T) {
	cl := newCluster(t)
	var counted runnertest.Counts
	engine, err := bot.NewEngine(bot.Options{
		Start:     "A",
		Languages: []bot.Catalogue{{Language: "es", Texts: map[string]bot.Entry{"ask": {Text: "¿Sí?"}, "missed": {Text: "No entendí. {question}", Aside: true}}}},
		Mask:      func(s string) string { return s }, Idle: time.Hour, Seen: time.Hour,
	},
		bot.In(bot.Any, "", func(context.Context, *bot.Turn) (bot.Event, error) { return "", nil },
			bot.On(bot.Missed, bot.Stay, "missed"), bot.On(bot.MissedOften, bot.Stay, "missed"), bot.On(bot.StaleButton, bot.Stay, "missed"),
			bot.On(bot.Ignored, bot.Stay, ""), bot.On("Left", "B", "")),
		bot.In("A", "ask", func(context.Context, *bot.Turn) (bot.Event, error) { return "Nowhere", nil }),
		bot.In("B", "ask", func(context.Context, *bot.Turn) (bot.Event, error) { return "", nil }, bot.On("Back", "A", "")),
	)
	if err != nil {
		t.Fatal(err)
	}
	cl.engine = engine
	r := cl.runner("a")
	r.Watch = &counted
	cl.handle(r, text(1, "hola"))
	cl.idle(r)
	cl.wantSent(1, "an event without a row")
	if n := counted.Of("flow_fault"); n != 1 {
		t.Errorf("%d faults of the flow are counted, want 1", n)
	}
	cl.handle(r, text(1, "hola"))
	cl.idle(r)
	cl.wantSent(1, "the same update again")
}
