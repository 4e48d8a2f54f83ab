package runner_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"llave/bot"
	"llave/internal/runner"
	"llave/internal/runner/runnertest"
	"llave/internal/store"
	"llave/internal/store/storetest"
)

// A flow of two states that owes what it is told to: "mail N" a letter, "timer" a timer that is due; the signal
// "again" sets its own timer again.
func newFlow(t testing.TB) *bot.Engine {
	t.Helper()
	hear := func(_ context.Context, t *bot.Turn) (bot.Event, error) {
		switch {
		case t.Update.Kind == bot.Signal:
			if t.Update.Signal == "again" {
				t.Later("again", "", t.Now)
			}
		case t.Text() == "timer":
			t.Later("once", "", t.Now.Add(time.Minute))
		case t.Text() == "timer again":
			t.Later("again", "", t.Now.Add(time.Minute))
		case t.Text() == "mail":
			t.Promise(bot.Promise{What: bot.MailLink{}})
		}
		return "Heard", nil
	}
	return runnertest.Flow(t, hear)
}

// cutOff is an engine that nothing reaches while [away] is set.
func cutOff(e store.Engine, away *atomic.Bool) store.Engine {
	return storetest.Around(e, func(_ storetest.Call, do func() error) error {
		if away.Load() {
			return store.ErrUnavailable
		}
		return do()
	})
}

// keeperCluster is a store, which may fail, with as many runners over it as a test wants. Their flow owes what it is told to, and
// a function of the test's keeps their letters.
type keeperCluster struct {
	t      testing.TB
	store  *store.Store
	now    func(ctx context.Context) (time.Time, error)
	letter runner.Keep
	wire   *wire
	engine *bot.Engine
	counts runnertest.Counts
	alone  bool
}

func newKeeperCluster(t testing.TB, e store.Engine) *keeperCluster {
	t.Helper()
	s := store.New(e)
	none := func(context.Context, bot.Promise) (runner.Effects, error) { return runner.Effects{}, nil }
	return &keeperCluster{t: t, store: s, now: s.Now, letter: none, wire: &wire{}, engine: newFlow(t)}
}

func (cl *keeperCluster) runner(name string) *runner.Runner {
	cl.t.Helper()
	r, err := runner.New(runner.Options{
		Name: name, Conversations: cl.store.Conversations, Unlocks: cl.store.Unlocks, Processes: cl.store.Processes, Alone: cl.alone, Engine: cl.engine, Now: cl.now,
		Keepers: runnertest.Keepers(runner.Keeper{Kind: bot.PromiseLink, Keep: cl.letter}, runner.Keeper{Kind: bot.PromiseNotice, Keep: cl.letter}),
		Watch:   &cl.counts, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		cl.t.Fatal(err)
	}
	r.Bind("telegram", cl.wire)
	cl.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := r.Stop(ctx); err != nil {
			cl.t.Errorf("stop: %v", err)
		}
	})
	return r
}

func (cl *keeperCluster) counted(what string) int { return cl.counts.Of(what) }

func (cl *keeperCluster) say(r *runner.Runner, id int, chat, words string) {
	cl.t.Helper()
	if err := r.Handle(cl.t.Context(), bot.Update{ID: fmt.Sprint(id), Channel: "telegram", Chat: chat, Kind: bot.Text, Text: words}); err != nil {
		cl.t.Fatal(err)
	}
}

func (cl *keeperCluster) conversation(chat string) bot.Conversation {
	cl.t.Helper()
	c, err := cl.store.Conversations.Load(cl.t.Context(), "telegram:"+chat)
	if err != nil {
		cl.t.Fatal(err)
	}
	return c
}

func (cl *keeperCluster) idle(r *runner.Runner) {
	cl.t.Helper()
	ctx, cancel := context.WithTimeout(cl.t.Context(), 20*time.Second)
	defer cancel()
	if err := r.Idle(ctx); err != nil {
		cl.t.Fatalf("idle: %v", err)
	}
}

// What keeping a letter makes the conversation say is kept at once, while the next letter is: each lane goes on from a copy
// of its own, or one would read what the other writes (go test -race).
func TestKeep_lanesShareNothing(t *testing.T) {
	const chats, letters = 20, 3
	cl := newKeeperCluster(t, storetest.Bolt(t, nil))
	open := make(chan struct{})
	cl.letter = func(_ context.Context, p bot.Promise) (runner.Effects, error) {
		<-open
		return runner.Effects{Signal: &bot.Update{ID: "signal/" + p.ID, Signal: "taken"}}, nil
	}
	r := cl.runner("a")
	for chat := range chats {
		for i := range letters {
			cl.say(r, i, fmt.Sprint(chat), "mail")
		}
	}
	close(open)
	cl.idle(r)
	if got, want := cl.wire.count(), chats*letters*2; got != want {
		t.Errorf("%d bubbles sent, want %d: one for each message and one for each letter", got, want)
	}
}

// A letter that takes a minute holds up no bubble, and its process says meanwhile that it is alive: nobody else takes
// it over.
func TestKeep_slowLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cl := newKeeperCluster(t, storetest.Bolt(t, nil))
		var letters atomic.Int32
		cl.letter = func(ctx context.Context, _ bot.Promise) (runner.Effects, error) {
			letters.Add(1)
			select {
			case <-time.After(40 * time.Second):
				return runner.Effects{}, nil
			case <-ctx.Done():
				return runner.Effects{}, ctx.Err()
			}
		}
		a, b := cl.runner("a"), cl.runner("b")
		cl.say(a, 1, "1", "mail")
		for i := range 39 {
			time.Sleep(time.Second)
			if err := b.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			if i%10 == 0 {
				cl.say(a, 2+i, "1", "hola")
			}
		}
		if got := cl.wire.count(); got != 5 {
			t.Errorf("while the letter is under way: got %d bubbles, want 5", got)
		}
		cl.idle(a)
		if got := letters.Load(); got != 1 {
			t.Errorf("got %d tries of the letter, want 1", got)
		}
		if c := cl.conversation("1"); len(c.Promises) != 0 {
			t.Errorf("got %d promises left, want none", len(c.Promises))
		}
	})
}

// The waits between tries, by the store's clock: at once, then 2 s, 4 s … 30 s.
func TestKeep_waits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cl := newKeeperCluster(t, storetest.Bolt(t, nil))
		var at []time.Duration
		start := time.Now()
		cl.letter = func(context.Context, bot.Promise) (runner.Effects, error) {
			at = append(at, time.Since(start).Round(time.Second))
			return runner.Effects{}, errors.New("the mail server is away")
		}
		r := cl.runner("a")
		cl.say(r, 1, "1", "mail")
		ctx, cancel := context.WithCancel(t.Context())
		r.Start(ctx)
		time.Sleep(100 * time.Second)
		cancel()
		synctest.Wait()
		want := []time.Duration{0, 0, 2, 6, 14, 24, 34, 44, 54, 64, 74, 84, 94}
		if len(at) != len(want) {
			t.Fatalf("got tries at %v, want at %v s", at, want)
		}
		for i, w := range want {
			if d := at[i] - w*time.Second; d < 0 || d > time.Duration(i)*time.Second { // a sweep may come up to a second later
				t.Errorf("try %d: got %v, want %ds", i, at[i], w)
			}
		}
	})
}

// "Nobody is there", said of a letter or of anything else that is no bubble, says nothing of the chat: what it is about is given
// up, and the person is told and written to as before.
func TestKeep_goneElsewhere(t *testing.T) {
	cl := newKeeperCluster(t, storetest.Bolt(t, nil))
	cl.letter = func(context.Context, bot.Promise) (runner.Effects, error) {
		return runner.Effects{}, &bot.SendError{Failure: bot.Gone, Reason: "nobody"}
	}
	r := cl.runner("a")
	cl.say(r, 1, "1", "mail")
	cl.idle(r)
	if c := cl.conversation("1"); c.Gone || len(c.Promises) != 0 || cl.wire.count() != 2 {
		t.Errorf("gone %t, %d owed, %d bubbles; want false, 0, and 2: the answer and that it was given up", c.Gone, len(c.Promises), cl.wire.count())
	}
	if up, lost := cl.counted("given_up"), cl.counted("unreachable"); up != 1 || lost != 0 {
		t.Errorf("%d given up, %d unreachable, want 1 and 0", up, lost)
	}
}

// What a chat is owed and does not get because the person is gone is counted, whoever says so and whenever.
func TestHandle_unreachableCounted(t *testing.T) {
	cl := newKeeperCluster(t, storetest.Bolt(t, nil))
	r := cl.runner("a")
	owe := func(chat string, n int) {
		c := cl.conversation(chat)
		c.ID = "telegram:" + chat
		for i := range n {
			c.Promises = append(c.Promises, bot.Promise{ID: fmt.Sprint("p", i), What: bot.Say{Reply: &bot.Reply{Text: "Hola."}}, Made: time.Now(), Schedule: bot.Schedule{Waits: true}})
		}
		c.LastAt = time.Now()
		if err := cl.store.Conversations.Save(t.Context(), &c); err != nil {
			t.Fatal(err)
		}
	}
	update := func(chat string, u bot.Update) func() {
		return func() {
			u.ID, u.Channel, u.Chat = fmt.Sprint(time.Now().UnixNano()), "telegram", chat
			if err := r.Handle(t.Context(), u); err != nil {
				t.Fatal(err)
			}
			cl.idle(r)
		}
	}
	owe("1", 3)
	owe("2", 2)
	for _, tt := range []struct {
		name string
		do   func()
		want int
	}{
		{"blocked, with three owed", update("1", bot.Update{Kind: bot.Blocked}), 3},
		{"something to say while they are", update("1", bot.Update{Kind: bot.Signal, Signal: "told"}), 1},
		{"a report that says so, with two owed", update("2", bot.Update{Kind: bot.Undelivered, Failure: bot.Gone}), 2},
		{"a send that is refused, and what came behind it", func() {
			cl.wire.hold, cl.wire.waiting = make(chan struct{}), make(chan struct{}, 1)
			cl.wire.answers = []error{&bot.SendError{Failure: bot.Gone}}
			cl.say(r, 1, "3", "hola")
			<-cl.wire.waiting
			cl.say(r, 2, "3", "hola")
			close(cl.wire.hold)
			cl.idle(r)
		}, 2},
	} {
		before := cl.counted("unreachable")
		tt.do()
		if got := cl.counted("unreachable") - before; got != tt.want {
			t.Errorf("%s: counted %d, want %d", tt.name, got, tt.want)
		}
	}
}

// "Nobody is there" ends a promise whatever document owes it: an unlock document has no chat that could be gone.
func TestKeep_goneEndsAnyPromise(t *testing.T) {
	cl := newKeeperCluster(t, storetest.Bolt(t, nil))
	tries := 0
	cl.letter = func(context.Context, bot.Promise) (runner.Effects, error) {
		tries++
		return runner.Effects{}, &bot.SendError{Failure: bot.Gone, Reason: "nobody"}
	}
	doc, err := cl.store.Unlocks.Load(t.Context(), "record")
	if err != nil {
		t.Fatal(err)
	}
	doc.Promises = []bot.Promise{{ID: "p", What: bot.MailNotice{}, Made: time.Now().Add(-time.Second)}}
	doc.Wake()
	if err := cl.store.Unlocks.Save(t.Context(), doc); err != nil {
		t.Fatal(err)
	}
	r := cl.runner("a")
	r.Kick("record")
	cl.idle(r)
	if doc, err = cl.store.Unlocks.Load(t.Context(), "record"); err != nil || len(doc.Promises) != 0 || tries != 1 {
		t.Errorf("got %d promises left after %d tries, %v, want none after 1", len(doc.Promises), tries, err)
	}
}

// A promise whose time is over is dropped, not counted as kept.
func TestKeep_worthless(t *testing.T) {
	clock := storetest.NewClock(time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC))
	cl := newKeeperCluster(t, storetest.Bolt(t, clock.Now))
	r := cl.runner("a")
	cl.say(r, 1, "1", "hola")
	cl.idle(r)
	c := cl.conversation("1")
	c.Promises = []bot.Promise{{ID: "p", What: bot.MailLink{}, Made: clock.Now(), Until: clock.Now().Add(time.Minute)}}
	c.Wake(c.NextTimer())
	if err := cl.store.Conversations.Save(t.Context(), &c); err != nil {
		t.Fatal(err)
	}
	clock.Advance(time.Minute + time.Millisecond)
	if err := r.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	cl.idle(r)
	if n := len(cl.conversation("1").Promises); n != 0 || cl.counted("worthless") != 1 || cl.counted("kept/link") != 0 {
		t.Errorf("got %d left, %d worthless, %d kept, want 0, 1, 0", n, cl.counted("worthless"), cl.counted("kept/link"))
	}
}

// A store clock that is set back a little between finding a timer due and stepping it: the timer goes off, once.
func TestSweep_clockSetBack(t *testing.T) {
	clock := storetest.NewClock(time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC))
	cl := newKeeperCluster(t, storetest.Bolt(t, clock.Now))
	var calls atomic.Int32
	cl.now = func(context.Context) (time.Time, error) {
		if calls.Add(1) > 2 { // the sweep's and the wake's look
			return clock.Now().Add(-5 * time.Millisecond), nil
		}
		return clock.Now(), nil
	}
	r := cl.runner("a")
	cl.say(r, 1, "1", "timer")
	cl.idle(r)
	clock.Advance(time.Minute)
	calls.Store(0)
	if err := r.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	cl.idle(r)
	calls.Store(-1000) // the clock is right again
	if err := r.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	cl.idle(r)
	if got := cl.wire.count(); got != 2 {
		t.Errorf("got %d bubbles, want 2: one for the message, one for the timer", got)
	}
}

// A flow that sets its due timer again and again: a sweep ends all the same, and other chats are answered.
func TestSweep_timerForEver(t *testing.T) {
	clock := storetest.NewClock(time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC))
	cl := newKeeperCluster(t, storetest.Bolt(t, clock.Now))
	r := cl.runner("a")
	cl.say(r, 1, "1", "timer again")
	cl.idle(r)
	clock.Advance(time.Minute)
	if err := r.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	cl.idle(r)
	if got := cl.wire.count(); got < 2 || got > 20 {
		t.Errorf("got %d bubbles, want a few", got)
	}
}

// Stopping while sixteen letters are under way and more wait their turn: those under way end, the rest is due at once
// for whoever sweeps.
func TestStop_waitingTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cl := newKeeperCluster(t, storetest.Bolt(t, nil))
		letters := map[string]int{}
		var mu sync.Mutex
		cl.letter = func(_ context.Context, p bot.Promise) (runner.Effects, error) {
			time.Sleep(3 * time.Second)
			mu.Lock()
			defer mu.Unlock()
			letters[p.ID]++
			return runner.Effects{}, nil
		}
		a, b := cl.runner("a"), cl.runner("b")
		for i := range 20 {
			cl.say(a, 1, fmt.Sprint(i), "mail")
		}
		time.Sleep(time.Second)
		if err := a.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		under := len(letters)
		mu.Unlock()
		if under != 16 {
			t.Errorf("when stopped: got %d letters, want the 16 that were under way", under)
		}
		if err := b.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		cl.idle(b)
		if len(letters) != 20 {
			t.Errorf("got %d letters, want 20", len(letters))
		}
		for id, n := range letters {
			if n != 1 {
				t.Errorf("letter %s: got it %d times, want once", id, n)
			}
		}
	})
}

// A store that goes away right after the letter was taken and comes back half a minute later: the letter is not sent
// again, and nothing is left.
func TestMark_storeAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var away atomic.Bool
		cl := newKeeperCluster(t, cutOff(storetest.Bolt(t, nil), &away))
		var letters atomic.Int32
		cl.letter = func(context.Context, bot.Promise) (runner.Effects, error) {
			time.Sleep(time.Second)
			away.Store(true)
			letters.Add(1)
			return runner.Effects{}, nil
		}
		r := cl.runner("a")
		ctx, cancel := context.WithCancel(t.Context())
		r.Start(ctx)
		cl.say(r, 1, "1", "mail")
		time.Sleep(30 * time.Second)
		if err := r.Handle(t.Context(), bot.Update{ID: "2", Channel: "telegram", Chat: "1", Kind: bot.Text, Text: "hola"}); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("an update meanwhile: got %v, want %v", err, store.ErrUnavailable)
		}
		away.Store(false)
		time.Sleep(10 * time.Second)
		cancel()
		synctest.Wait()
		if n := len(cl.conversation("1").Promises); n != 0 || letters.Load() != 1 {
			t.Errorf("got %d promises left and %d letters, want none and 1", n, letters.Load())
		}
	})
}

// A store that goes away before what a letter means is written down: that waits for the store, and the letter is not sent again.
func TestWritten_storeAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var away atomic.Bool
		cl := newKeeperCluster(t, cutOff(storetest.Bolt(t, nil), &away))
		var letters, tries atomic.Int32
		cl.letter = func(ctx context.Context, _ bot.Promise) (runner.Effects, error) {
			letters.Add(1)
			away.Store(true)
			return runner.Effects{}, runner.Written(ctx, func(ctx context.Context) error {
				tries.Add(1)
				_, err := cl.store.Conversations.Load(ctx, "telegram:1")
				return err
			})
		}
		r := cl.runner("a")
		ctx, cancel := context.WithCancel(t.Context())
		r.Start(ctx)
		cl.say(r, 1, "1", "mail")
		time.Sleep(2 * time.Minute) // longer than a try may take
		away.Store(false)
		time.Sleep(10 * time.Second)
		cancel()
		synctest.Wait()
		if n := len(cl.conversation("1").Promises); n != 0 || letters.Load() != 1 || tries.Load() < 100 {
			t.Errorf("got %d promises left, %d letters, %d tries to write; want none, 1, and more than 100", n, letters.Load(), tries.Load())
		}
	})
}

// What cannot be written though the store is there keeps its place for ten minutes, and is then tried like anything that failed.
func TestWritten_never(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cl := newKeeperCluster(t, storetest.Bolt(t, nil))
		var letters atomic.Int32
		cl.letter = func(ctx context.Context, _ bot.Promise) (runner.Effects, error) {
			letters.Add(1)
			return runner.Effects{}, runner.Written(ctx, func(context.Context) error { return errors.New("it cannot be decoded") })
		}
		r := cl.runner("a")
		cl.say(r, 1, "1", "mail")
		time.Sleep(9 * time.Minute)
		before := letters.Load()
		time.Sleep(2 * time.Minute)
		if after := letters.Load(); before != 1 || after != 2 {
			t.Errorf("got %d letters in nine minutes and %d in eleven, want 1 and 2", before, after)
		}
	})
}

// A process that ends while it cannot write that down does not wait for the store.
func TestWritten_stopping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cl := newKeeperCluster(t, storetest.Bolt(t, nil))
		cl.letter = func(ctx context.Context, _ bot.Promise) (runner.Effects, error) {
			return runner.Effects{}, runner.Written(ctx, func(context.Context) error { return store.ErrUnavailable })
		}
		r := cl.runner("a")
		cl.say(r, 1, "1", "mail")
		time.Sleep(3 * time.Second)
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := r.Stop(ctx); err != nil || time.Since(began) > time.Second {
			t.Errorf("got %v after %v, want an end at once", err, time.Since(began))
		}
		if n := len(cl.conversation("1").Promises); n != 1 {
			t.Errorf("got %d promises left, want the letter", n)
		}
	})
}

// A store that is away for one process alone, which waits for it before it sends a letter, until another process has taken
// over and sent it: the first one sends nothing when it goes on.
func TestKeep_storeAwayForOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var away atomic.Bool
		bolt := storetest.Bolt(t, nil)
		first, other := newKeeperCluster(t, cutOff(bolt, &away)), newKeeperCluster(t, bolt)
		var letters, left atomic.Int32
		first.letter = func(ctx context.Context, _ bot.Promise) (runner.Effects, error) {
			if err := runner.StillOurs(ctx); err != nil {
				t.Errorf("before the store went away: %v", err)
			}
			away.Store(true)
			time.Sleep(8 * time.Second) // its letter is read from the store
			away.Store(false)
			if err := runner.StillOurs(ctx); err != nil {
				left.Add(1)
				return runner.Effects{}, err
			}
			letters.Add(1)
			return runner.Effects{}, nil
		}
		other.letter = func(context.Context, bot.Promise) (runner.Effects, error) {
			letters.Add(1)
			return runner.Effects{}, nil
		}
		a, b := first.runner("a"), other.runner("b")
		ctx, cancel := context.WithCancel(t.Context())
		first.say(a, 1, "1", "mail")
		b.Start(ctx)
		time.Sleep(30 * time.Second)
		cancel()
		synctest.Wait()
		if n := len(other.conversation("1").Promises); n != 0 || letters.Load() != 1 || left.Load() != 1 {
			t.Errorf("got %d promises left, %d letters, %d left to the other; want none, 1 and 1", n, letters.Load(), left.Load())
		}
	})
}

// A conversation that is purged while something is being sent to it stays purged.
func TestMark_purged(t *testing.T) {
	cl := newKeeperCluster(t, storetest.Bolt(t, nil))
	cl.wire.hold, cl.wire.waiting = make(chan struct{}), make(chan struct{}, 1)
	r := cl.runner("a")
	cl.say(r, 1, "1", "hola")
	<-cl.wire.waiting
	if err := cl.store.Conversations.Delete(t.Context(), "telegram:1", -1); err != nil {
		t.Fatal(err)
	}
	close(cl.wire.hold)
	cl.idle(r)
	if n, err := cl.store.Conversations.Count(t.Context()); err != nil || n != 0 {
		t.Errorf("got %d conversations, %v, want none", n, err)
	}
}
