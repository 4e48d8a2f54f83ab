package handoff_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/bot"
	"llave/internal/handoff"
	"llave/internal/store"
)

// counted counts every call to a store.
type counted struct {
	store.Engine
	calls atomic.Int64
}

func (c *counted) Get(ctx context.Context, collection, id string) (bson.Raw, error) {
	c.calls.Add(1)
	return c.Engine.Get(ctx, collection, id)
}

func (c *counted) Insert(ctx context.Context, collection string, doc bson.Raw) error {
	c.calls.Add(1)
	return c.Engine.Insert(ctx, collection, doc)
}

func (c *counted) Replace(ctx context.Context, collection, id string, version int64, doc bson.Raw) error {
	c.calls.Add(1)
	return c.Engine.Replace(ctx, collection, id, version, doc)
}

func (c *counted) Scan(ctx context.Context, q store.Query, each func(bson.Raw) bool) error {
	c.calls.Add(1)
	return c.Engine.Scan(ctx, q, each)
}

func (c *counted) Count(ctx context.Context, q store.Query) (int64, error) {
	c.calls.Add(1)
	return c.Engine.Count(ctx, q)
}

// gathering has the turns that open a case wait with their commit until so many are there.
type gathering struct {
	turns   sync.WaitGroup
	arrived sync.Map
}

func (g *gathering) wait(c *bot.Conversation) {
	if c.Handoff == nil {
		return
	}
	if _, again := g.arrived.LoadOrStore(c.ID, true); !again {
		g.turns.Done()
		g.turns.Wait()
	}
}

// In a burst, in two processes, everybody is told a place of their own, and that is where they stand (P505, P781). What it costs the
// store does not grow with how many they are.
func TestLineUp_burst(t *testing.T) {
	const people = 15
	dp := newDeskPair(t)
	dp.waits("first")
	before := dp.engine.calls.Load()
	dp.waits("second")
	alone := dp.engine.calls.Load() - before
	dp.must(dp.desks[0].Beat(t.Context(), actor("ana"), false))
	for i := range people {
		dp.must(dp.says(i%2, fmt.Sprint("p", i), fmt.Sprint("h", i), "hola"))
	}
	dp.must(dp.settle(t.Context()))
	g := &gathering{}
	g.turns.Add(people)
	wait := g.wait
	dp.written.before.Store(&wait)
	before = dp.engine.calls.Load()
	var all sync.WaitGroup
	for i := range people {
		all.Go(func() {
			if err := dp.says(i%2, fmt.Sprint("p", i), fmt.Sprint("q", i), "persona"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	dp.written.before.Store(nil)
	dp.must(dp.settle(t.Context()))
	// Two processes meet at the document: whoever comes second looks again, which is three calls.
	if calls := dp.engine.calls.Load() - before; calls > people*(alone+6) {
		t.Errorf("%d people at once took %d calls to the store, want %d a person at most: one alone takes %d", people, calls, alone+6, alone)
	}
	queue, err := dp.store.Desk.Queue(t.Context(), handoff.QueueWaiting, 100)
	dp.must(err)
	if len(queue) != people+2 {
		t.Fatalf("%d stand in the queue, want %d", len(queue), people+2)
	}
	for i, c := range queue {
		if c.Told != i+1 {
			t.Errorf("the case in place %d was told %d", i+1, c.Told)
		}
	}
}

// What took a place and is never committed is believed for ten seconds; a case that is committed twice over stands where it stood.
func TestLineUp_neverCommitted(t *testing.T) {
	dp := newDeskPair(t)
	now := dp.clock.Now()
	lineUp := func(ref string, at time.Time) string {
		t.Helper()
		h := handoff.New(ref, handoff.RankUsual, "Menu", "", at)
		ahead, err := dp.desks[0].LineUp(t.Context(), h)
		dp.must(err)
		return fmt.Sprint(ahead, " ", h.Asked.Sub(now))
	}
	var got []string
	for _, of := range []struct {
		ref   string
		after time.Duration
	}{{"CA", 0}, {"CB", 0}, {"CA", time.Second}, {"CC", 9 * time.Second}, {"CD", 11 * time.Second}, {"CE", 30 * time.Second}} {
		got = append(got, of.ref+" "+lineUp(of.ref, now.Add(of.after)))
	}
	want := []string{"CA 0 0s", "CB 1 1ms", "CA 0 0s", "CC 2 9s", "CD 1 11s", "CE 0 30s"}
	if !slices.Equal(got, want) {
		t.Errorf("case, ahead, asked:\ngot  %s\nwant %s", strings.Join(got, ", "), strings.Join(want, ", "))
	}
}
