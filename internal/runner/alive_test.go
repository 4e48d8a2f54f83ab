package runner_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"llave/bot"
	"llave/internal/runner"
	"llave/internal/store/storetest"
)

// tally counts the calls of a store.
type tally struct{ reads, writes atomic.Int64 }

func (c *tally) around(call storetest.Call, do func() error) error {
	switch {
	case call.Write:
		c.writes.Add(1)
	case call.Collection != "":
		c.reads.Add(1)
	}
	return do()
}

// backlog are letters for so many chats at a mail server that takes nothing and says nothing, so that a try ends when its
// time is over. They have been under way for ten seconds.
func backlog(t testing.TB, cl *keeperCluster, letters int) (*runner.Runner, *atomic.Int64) {
	t.Helper()
	over, tries := make(chan struct{}), new(atomic.Int64)
	cl.letter = func(ctx context.Context, _ bot.Promise) (runner.Effects, error) {
		tries.Add(1)
		select {
		case <-time.After(40 * time.Second):
		case <-ctx.Done():
		case <-over:
		}
		return runner.Effects{}, &bot.SendError{Failure: bot.Temporary, Reason: "no answer"}
	}
	r := cl.runner("a")
	t.Cleanup(func() { close(over) })
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	r.Start(ctx)
	for chat := range letters {
		cl.say(r, 1, fmt.Sprint(chat), "mail")
	}
	time.Sleep(10 * time.Second)
	return r, tries
}

// A thousand letters that wait behind a mail server that hangs cost the store next to nothing.
func TestHold_backlogCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls tally
		cl := newKeeperCluster(t, storetest.Around(storetest.Bolt(t, nil), calls.around))
		backlog(t, cl, 1000)
		const seconds = 120
		reads, writes := calls.reads.Load(), calls.writes.Load()
		time.Sleep(seconds * time.Second)
		reads, writes = calls.reads.Load()-reads, calls.writes.Load()-writes
		if reads >= 5*seconds || writes >= 5*seconds {
			t.Errorf("in %d s %d reads and %d writes, want fewer than 5 of each a second", seconds, reads, writes)
		}
		t.Logf("%.1f reads and %.1f writes a second", float64(reads)/seconds, float64(writes)/seconds)
		for chat := range 1000 {
			if c := cl.conversation(fmt.Sprint(chat)); len(c.Promises) != 1 {
				t.Fatalf("chat %d owes %d promises, want its letter", chat, len(c.Promises))
			}
		}
	})
}

// A process that dies while letters of its wait: others take them over within ten seconds, and nobody sends one
// that another has.
func TestHold_processDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dead atomic.Bool
		bolt := storetest.Bolt(t, nil)
		cut := cutOff(bolt, &dead)
		first := newKeeperCluster(t, cut)
		backlog(t, first, 100)
		other := newKeeperCluster(t, bolt)
		var mu sync.Mutex
		sent := map[string]int{}
		other.letter = func(_ context.Context, p bot.Promise) (runner.Effects, error) {
			mu.Lock()
			defer mu.Unlock()
			sent[p.ID]++
			return runner.Effects{}, nil
		}
		b := other.runner("b")
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		b.Start(ctx)
		time.Sleep(30 * time.Second)
		mu.Lock()
		if len(sent) != 0 {
			t.Errorf("%d letters were sent by another while their keeper lives", len(sent))
		}
		mu.Unlock()
		dead.Store(true)
		time.Sleep(10 * time.Second)
		mu.Lock()
		defer mu.Unlock()
		if len(sent) != 100 {
			t.Errorf("ten seconds after its death %d letters are taken over, want 100", len(sent))
		}
		for id, n := range sent {
			if n != 1 {
				t.Errorf("letter %s was sent %d times", id, n)
			}
		}
	})
}

// A process that is cut off from the store until others have what it held: when it is back it tries nothing of that, and
// goes on under another name.
func TestHold_leaseLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var away atomic.Bool
		bolt := storetest.Bolt(t, nil)
		first := newKeeperCluster(t, cutOff(bolt, &away))
		a, tries := backlog(t, first, 40)
		before := tries.Load()
		away.Store(true)
		other := newKeeperCluster(t, bolt)
		var sent atomic.Int64
		other.letter = func(context.Context, bot.Promise) (runner.Effects, error) { sent.Add(1); return runner.Effects{}, nil }
		b := other.runner("b")
		ctx, cancel := context.WithCancel(t.Context())
		b.Start(ctx)
		time.Sleep(20 * time.Second)
		cancel()
		away.Store(false)
		time.Sleep(40 * time.Second)
		if sent.Load() != 40 || tries.Load() != before {
			t.Errorf("%d letters were sent by the other, want 40; tried since by the first: %d, want none", sent.Load(), tries.Load()-before)
		}
		for chat := range 40 {
			if c := first.conversation(fmt.Sprint(chat)); len(c.Promises) != 0 {
				t.Errorf("chat %d owes %d promises, want none", chat, len(c.Promises))
			}
		}
		first.say(a, 1, "another", "mail")
		time.Sleep(3 * time.Second)
		if who := first.conversation("another").Keepers[bot.LaneMail].Who; !strings.HasPrefix(who, "a~") {
			t.Errorf("it keeps under the name %q, want another than a", who)
		}
	})
}

// A store that belongs to one process: the next one takes over at once what the last one had.
func TestStart_alone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dead atomic.Bool
		bolt := storetest.Bolt(t, nil)
		first := newKeeperCluster(t, cutOff(bolt, &dead))
		backlog(t, first, 20)
		dead.Store(true)
		other := newKeeperCluster(t, bolt)
		other.alone = true
		var sent atomic.Int64
		other.letter = func(context.Context, bot.Promise) (runner.Effects, error) { sent.Add(1); return runner.Effects{}, nil }
		b := other.runner("b")
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		b.Start(ctx)
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if sent.Load() != 20 {
			t.Errorf("%d letters at once, want 20", sent.Load())
		}
	})
}
