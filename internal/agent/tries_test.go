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

// Random tries, right and wrong, of two processes, of which several are under way at once, and time that passes: since the
// last right one there are never more than five, wrong or under way, before a lock, and the lock lasts its time.
func TestTries_neverMoreThanFive(t *testing.T) {
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
		var underWay []try
		row := map[int64]bool{} // since the last right one, by number; none of them was taken back
		var locked time.Time    // when the fifth of them began
		for range rapid.IntRange(1, 80).Draw(rt, "steps") {
			s := services[rapid.IntRange(0, 1).Draw(rt, "process")]
			what := rapid.SampledFrom([]string{"begin", "begin", "begin", "wrong", "wrong", "right", "half right", "wait"}).Draw(rt, "what")
			if !locked.IsZero() && book.now.Sub(locked) >= LockedFor {
				clear(row)
				locked = time.Time{}
			}
			if what == "begin" {
				tried, err := s.begin(ctx, "ana", "here")
				var later *Later
				switch {
				case len(row) < MaxWrong && err != nil:
					rt.Fatalf("refused with %d in a row: %v", len(row), err)
				case len(row) < MaxWrong:
					row[tried.n] = true
					underWay = append(underWay, tried)
					if len(row) == MaxWrong {
						locked = book.now
					}
					if tried.locks != (len(row) == MaxWrong) {
						rt.Fatalf("locks is %v with %d in a row", tried.locks, len(row))
					}
				case !errors.As(err, &later) || later.Wait != locked.Add(LockedFor).Sub(book.now):
					rt.Fatalf("locked at %v, at %v: got %v", locked, book.now, err)
				}
				continue
			}
			if what == "wait" {
				book.now = book.now.Add(time.Duration(rapid.IntRange(1, 20).Draw(rt, "minutes")) * time.Minute)
				continue
			}
			if len(underWay) == 0 {
				continue
			}
			i := rapid.IntRange(0, len(underWay)-1).Draw(rt, "which")
			judged := underWay[i]
			underWay = append(underWay[:i:i], underWay[i+1:]...)
			switch what {
			case "half right":
				err = s.takeBack(ctx, judged)
				delete(row, judged.n)
			case "right":
				err = s.beginAnew(ctx, judged)
				maps.DeleteFunc(row, func(n int64, _ bool) bool { return n <= judged.n })
			}
			if err != nil {
				rt.Fatal(err)
			}
			if len(row) < MaxWrong {
				locked = time.Time{}
			}
		}
	})
}
