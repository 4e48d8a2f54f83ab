package mongodb

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

const (
	clockSamples = 5                // readings of which the quickest counts
	clockRefresh = 10 * time.Second // how often the clock is read again
)

// clock is the server's clock as this process knows it: one reading, and the monotonic time since. Setting this
// machine's own clock therefore changes nothing.
type clock struct {
	reading atomic.Pointer[reading]
	cancel  context.CancelFunc
	done    chan struct{}
}

// reading is one answer of the server. It holds for the middle of the round trip, give or take half of it.
type reading struct {
	server time.Time
	here   time.Time // with its monotonic part
	trip   time.Duration
}

func (r *reading) at(now time.Time) time.Time { return r.server.Add(now.Sub(r.here)) }

// hello is a function that asks the server for its time.
type hello func(context.Context) (time.Time, error)

// hello asks the server for its time.
func (e *Engine) hello(ctx context.Context) (time.Time, error) {
	raw, err := e.client.Database("admin").RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Raw()
	if err != nil {
		return time.Time{}, failed("read the server's clock", err)
	}
	at, ok := raw.Lookup("localTime").TimeOK()
	if !ok {
		return time.Time{}, errors.New("read the server's clock: hello has no localTime")
	}
	return at, nil
}

func newClock(ctx context.Context, ask hello) (*clock, error) {
	r, err := sample(ctx, ask, clockSamples)
	if err != nil {
		return nil, err
	}
	c := &clock{done: make(chan struct{})}
	c.reading.Store(r)
	return c, nil
}

// start keeps the clock fresh until stop.
func (c *clock) start(ask hello) {
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	go func() {
		defer close(c.done)
		tick := time.NewTicker(clockRefresh)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				c.refresh(ctx, ask)
			}
		}
	}()
}

// stop ends the refreshing and waits for it. It may be called again.
func (c *clock) stop() {
	c.cancel()
	<-c.done
}

func (c *clock) now() time.Time {
	return c.reading.Load().at(time.Now()).UTC().Truncate(time.Millisecond)
}

// refresh reads the clock again. A server that does not answer leaves the old reading in place, and so does a new one
// that says the same within what it can tell: time then does not jitter by half a round trip.
func (c *clock) refresh(ctx context.Context, ask hello) {
	fresh, err := sample(ctx, ask, clockSamples)
	if err != nil {
		return
	}
	old := c.reading.Load()
	off := fresh.at(fresh.here).Sub(old.at(fresh.here)).Abs()
	if off > fresh.trip/2+time.Millisecond || fresh.trip < old.trip {
		c.reading.Store(fresh)
	}
}

// sample reads the clock [n] times and returns the reading with the shortest round trip.
func sample(ctx context.Context, ask hello, n int) (*reading, error) {
	var best *reading
	for range n {
		sent := time.Now()
		server, err := ask(ctx)
		if err != nil {
			if best != nil {
				break
			}
			return nil, fmt.Errorf("sample clock: %w", err)
		}
		trip := time.Since(sent)
		// The server's milliseconds are cut off: half of one is what is missing on average.
		r := &reading{server: server.Add(500 * time.Microsecond), here: sent.Add(trip / 2), trip: trip}
		if best == nil || r.trip < best.trip {
			best = r
		}
	}
	return best, nil
}
