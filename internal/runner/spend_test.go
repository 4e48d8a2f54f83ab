package runner_test

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/bot"
	"llave/internal/runner"
	"llave/internal/runner/runnertest"
	"llave/internal/store"
	"llave/internal/store/storetest"
)

// press answers the welcome by its button.
func press(id int, c bot.Conversation, bubble *bot.Bubble) bot.Update {
	return bot.Update{ID: fmt.Sprint(id), Channel: "telegram", Chat: "1", Kind: bot.Press, Button: c.Shown[0], Prompt: c.Prompt, Bubble: bubble}
}

var welcome = &bot.Bubble{ID: "7", Text: "¿Quiere empezar?"}

// tallied is a cluster whose writes are counted.
func tallied(t *testing.T) (*cluster, *tally) {
	t.Helper()
	var calls tally
	cl := newCluster(t)
	cl.store = store.New(storetest.Around(storetest.Bolt(t, cl.clock.Now), calls.around))
	return cl, &calls
}

// Taking a keyboard off costs a turn one write more, however often it is tried, and comes after the turn's own bubble.
func TestEdit_writes(t *testing.T) {
	for _, tt := range []struct {
		name string
		ends []error
		more int64
	}{
		{"done", nil, 1},
		{"no rate left twice", []error{throttled, throttled}, 1},
		{"refused", []error{&bot.SendError{Failure: bot.Permanent}}, 1},
		{"nobody there", []error{&bot.SendError{Failure: bot.Gone}}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var writes [2]int64
			for i, bubble := range []*bot.Bubble{nil, welcome} {
				cl, calls := tallied(t)
				ends := tt.ends
				cl.wire.spend = func() error {
					if len(cl.wire.sent) != 2 {
						t.Errorf("edited after %d bubbles, want the turn's own first", len(cl.wire.sent))
					}
					if len(ends) == 0 {
						return nil
					}
					err := ends[0]
					ends = ends[1:]
					return err
				}
				r := cl.runner("a")
				cl.handle(r, text(1, "hola"))
				cl.idle(r)
				before := calls.writes.Load()
				cl.handle(r, press(2, cl.conversation(), bubble))
				cl.idle(r)
				writes[i] = calls.writes.Load() - before
				cl.wantSent(2, tt.name)
				if c := cl.conversation(); len(c.Promises) != 0 || c.Gone {
					t.Errorf("still owed %+v, gone %t", c.Promises, c.Gone)
				}
				if want := map[bool]int{true: max(1, len(tt.ends)), false: 0}[bubble != nil]; len(cl.wire.edits) < want {
					t.Errorf("edited %d times, want %d", len(cl.wire.edits), want)
				}
			}
			if more := writes[1] - writes[0]; more > tt.more {
				t.Errorf("%d writes without an edit, %d with one, want at most one more", writes[0], writes[1])
			}
		})
	}
}

var throttled = &bot.SendError{Failure: bot.Throttled, After: 20 * time.Millisecond}

// An edit that waited for a minute is dropped, whoever has it by then, and is not tried.
func TestEdit_late(t *testing.T) {
	cl := newCluster(t)
	a, b := cl.runner("a"), cl.runner("b")
	var over atomic.Bool
	cl.wire.spend = func() error {
		if over.Load() {
			t.Error("tried when its time was over")
		}
		return throttled
	}
	cl.handle(a, text(1, "hola"))
	cl.idle(a)
	cl.handle(a, press(2, cl.conversation(), welcome))
	for end := time.Now().Add(10 * time.Second); len(cl.edits()) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never tried")
		}
	}
	cl.sweep2(b) // nobody else takes it meanwhile
	if c := cl.conversation(); c.Keepers[bot.LaneEdit].Who != "a" {
		t.Errorf("kept by %+v, want a", c.Keepers)
	}
	cl.stop(a) // hands it over
	over.Store(true)
	cl.clock.Advance(61 * time.Second)
	cl.sweep(b)
	if c := cl.conversation(); len(c.Promises) != 0 {
		t.Errorf("still owed %+v", c.Promises)
	}
}

func (cl *cluster) edits() []bot.Spend {
	cl.wire.mu.Lock()
	defer cl.wire.mu.Unlock()
	return slices.Clone(cl.wire.edits)
}

// sweep2 is sweep while something is under way.
func (cl *cluster) sweep2(r *runner.Runner) {
	cl.t.Helper()
	if err := r.Sweep(cl.t.Context()); err != nil {
		cl.t.Fatal(err)
	}
}

// A version that does not know the kind drops an edit after its minute, and offers nobody a person for it.
func TestEdit_unknown(t *testing.T) {
	cl := newCluster(t)
	var counted runnertest.Counts
	r := cl.runner("a")
	r.Watch = &counted
	cl.handle(r, text(1, "hola"))
	cl.idle(r)
	c := cl.conversation()
	now := cl.clock.Now()
	raw, err := bson.Marshal(bson.D{
		{Key: "id", Value: "p"}, {Key: "lane", Value: "later"}, {Key: "kind", Value: "later"}, {Key: "bubble", Value: "7"},
		{Key: "made", Value: now}, {Key: "until", Value: now.Add(bot.SpendFor)},
	})
	if err != nil {
		t.Fatal(err)
	}
	var p bot.Promise
	if err := bson.Unmarshal(raw, &p); err != nil {
		t.Fatal(err)
	}
	c.Promises = append(c.Promises, p)
	c.Wake()
	if err := cl.store.Conversations.Save(t.Context(), &c); err != nil {
		t.Fatal(err)
	}
	for range 100 { // it is looked at twice a minute by then
		cl.sweep(r)
		cl.clock.Advance(time.Second)
	}
	if c := cl.conversation(); len(c.Promises) != 0 {
		t.Errorf("still owed %+v", c.Promises)
	}
	cl.wantSent(1, "for an edit that nobody knows")
	if up, worthless := counted.Of("given_up"), counted.Of("worthless"); up != 0 || worthless != 1 {
		t.Errorf("%d given up and %d worthless, want it dropped and not given up", up, worthless)
	}
}
