package agent

import (
	"context"
	"errors"
	"maps"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"llave/bot"
	"llave/internal/secret"
)

// shelf keeps tries in memory, and counters.
type shelf struct {
	mu    sync.Mutex
	tries map[string]Tries
	now   time.Time
}

func (s *shelf) Load(_ context.Context, id string) (Tries, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tries[id]
	t.ID = id
	return t, nil
}

func (s *shelf) Save(_ context.Context, t *Tries) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tries[t.ID].Version != t.Version {
		return bot.ErrConflict
	}
	t.Version++
	s.tries[t.ID] = *t
	return nil
}

func (s *shelf) Add(context.Context, string, int64, time.Duration) (int64, time.Time, error) {
	return 1, s.now, nil
}

// Random tries, right and wrong, of two processes and two networks, of which several are under way at once, and time that passes:
// since the last right one from a network there are never more than five, wrong or under way, before it waits; from then on one at a
// time, each after twice the wait; and the other network knows nothing of it.
func TestTries_waitsGrow(t *testing.T) {
	type oracle struct {
		row    map[int64]bool // since the last right one, by number; none of them was taken back
		last   int64
		locked time.Time // until when
	}
	rapid.Check(t, func(rt *rapid.T) {
		ctx := context.Background()
		vault, err := secret.New(make([]byte, 32))
		if err != nil {
			rt.Fatal(err)
		}
		book := &shelf{tries: map[string]Tries{}, now: time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)}
		service := func() *Service {
			return New(Options{Tries: book, Counters: book, Vault: vault, Now: func(context.Context) (time.Time, error) { return book.now, nil }})
		}
		services := []*Service{service(), service()}
		networks := []string{"here", "there"}
		of := map[string]*oracle{"here": {row: map[int64]bool{}}, "there": {row: map[int64]bool{}}}
		type judged struct {
			try
			network string
		}
		var underWay []judged
		for range rapid.IntRange(1, 80).Draw(rt, "steps") {
			s := services[rapid.IntRange(0, 1).Draw(rt, "process")]
			what := rapid.SampledFrom([]string{"begin", "begin", "begin", "wrong", "wrong", "right", "half right", "wait"}).Draw(rt, "what")
			switch {
			case what == "begin":
				network := rapid.SampledFrom(networks).Draw(rt, "network")
				o := of[network]
				from := From{Source: network}
				tried, err := s.begin(ctx, "ana", s.placeOf(Agent{Login: "ana"}, from, book.now), from)
				if o.locked.After(book.now) {
					var later *Later
					if !errors.As(err, &later) || later.Wait != o.locked.Sub(book.now) {
						rt.Fatalf("waits until %v, at %v: got %v", o.locked, book.now, err)
					}
					continue
				}
				if err != nil {
					rt.Fatalf("refused with %d in a row: %v", len(o.row), err)
				}
				o.row[tried.n], o.last = true, tried.n
				want := time.Duration(0)
				if n := len(o.row); n >= MaxWrong {
					want = min(FirstWait<<(n-MaxWrong), LongestWait)
					o.locked = book.now.Add(want)
				}
				if tried.wait != want {
					rt.Fatalf("%d in a row: waits %v, want %v", len(o.row), tried.wait, want)
				}
				underWay = append(underWay, judged{tried, network})
			case what == "wait":
				book.now = book.now.Add(time.Duration(rapid.IntRange(1, 4000).Draw(rt, "seconds")) * time.Second)
			case len(underWay) > 0:
				i := rapid.IntRange(0, len(underWay)-1).Draw(rt, "which")
				j := underWay[i]
				underWay = append(underWay[:i:i], underWay[i+1:]...)
				o := of[j.network]
				before := len(o.row)
				switch what {
				case "wrong":
					continue
				case "half right":
					err = s.takeBack(ctx, j.try)
					delete(o.row, j.n)
				case "right":
					err = s.beginAnew(ctx, j.try)
					maps.DeleteFunc(o.row, func(n int64, _ bool) bool { return n <= j.n })
				}
				if err != nil {
					rt.Fatal(err)
				}
				if len(o.row) < before && (len(o.row) < MaxWrong || o.last == j.n) {
					o.locked = time.Time{}
				}
			}
		}
	})
}
