package mongodb

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// server answers hello with its own time after a trip there and one back.
type server struct {
	there, back []time.Duration
	mu          sync.Mutex
	ahead       time.Duration // of this process's clock
	calls       int
	gone        bool
}

func (s *server) set(ahead time.Duration, gone bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead, s.gone = ahead, gone
}

func (s *server) hello(ctx context.Context) (time.Time, error) {
	s.mu.Lock()
	there, back := s.there[s.calls%len(s.there)], s.back[s.calls%len(s.back)]
	ahead, gone := s.ahead, s.gone
	s.calls++
	s.mu.Unlock()
	time.Sleep(there)
	if gone {
		return time.Time{}, errors.New("gone")
	}
	at := time.Now().Add(ahead).Truncate(time.Millisecond)
	time.Sleep(back)
	return at, nil
}

func TestClock(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name   string
		server *server
		within time.Duration
	}{
		{"same", &server{there: []time.Duration{0}, back: []time.Duration{0}}, ms},
		{"two minutes ahead", &server{ahead: 2 * time.Minute, there: []time.Duration{5 * ms}, back: []time.Duration{5 * ms}}, ms},
		{"two minutes behind", &server{ahead: -2 * time.Minute, there: []time.Duration{0}, back: []time.Duration{2 * ms}}, 2 * ms},
		{"the quickest counts", &server{ahead: time.Hour, there: []time.Duration{900 * ms, 0, 900 * ms}, back: []time.Duration{0, 2 * ms, 0}}, 2 * ms},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				clock, err := newClock(t.Context(), c.server.hello)
				if err != nil {
					t.Fatal(err)
				}
				clock.start(c.server.hello)
				defer clock.stop()
				ahead := c.server.ahead
				check := func(when string) {
					t.Helper()
					want := time.Now().Add(ahead)
					if off := clock.now().Sub(want).Abs(); off > c.within {
						t.Errorf("%s: got %v, want %v: %v off", when, clock.now(), want, off)
					}
				}
				check("at first")
				time.Sleep(clockRefresh / 2)
				check("between readings")

				c.server.set(ahead, true)
				time.Sleep(3 * clockRefresh)
				check("while the server is gone")

				ahead += 30 * time.Second // somebody sets the server's clock
				c.server.set(ahead, false)
				time.Sleep(2 * clockRefresh)
				check("after the server's clock was set")
			})
		})
	}
}

// A new reading that says the same as the old within its error is not taken: time does not jitter.
func TestClock_steady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := server{there: []time.Duration{time.Millisecond}, back: []time.Duration{time.Millisecond}}
		clock, err := newClock(t.Context(), s.hello)
		if err != nil {
			t.Fatal(err)
		}
		first := clock.reading.Load()
		s.there, s.back = []time.Duration{0}, []time.Duration{40 * time.Millisecond}
		clock.refresh(t.Context(), s.hello)
		if clock.reading.Load() != first {
			t.Errorf("got %+v, want the first reading %+v", clock.reading.Load(), first)
		}
	})
}

func TestClock_serverGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := server{there: []time.Duration{0}, back: []time.Duration{0}, gone: true}
		if _, err := newClock(t.Context(), s.hello); err == nil {
			t.Error("got no error")
		}
	})
}
