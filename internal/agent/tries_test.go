package agent

import (
	"context"
	"errors"
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

// Random tries, right and wrong, of two processes, of which several are under way at once, and time that passes: between two
// that were right there are never more than five wrong before a lock, and the lock lasts its time.
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
		var underWay, wrong int // begun and not judged; judged wrong in a row
		var lockedAt time.Time
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			s := services[rapid.IntRange(0, 1).Draw(rt, "process")]
			switch rapid.SampledFrom([]string{"begin", "begin", "begin", "wrong", "wrong", "right", "half right", "wait"}).Draw(rt, "what") {
			case "begin":
				_, err := s.begin(ctx, "ana", "here")
				var later *Later
				switch {
				case err == nil && !lockedAt.IsZero() && book.now.Sub(lockedAt) < LockedFor:
					rt.Fatal("a try was let through while the login was locked")
				case err == nil:
					lockedAt = time.Time{}
					underWay++
				case !errors.As(err, &later):
					rt.Fatal(err)
				case underWay+wrong < MaxWrong:
					rt.Fatalf("refused with %d under way and %d wrong", underWay, wrong)
				}
				if underWay+wrong > MaxWrong {
					rt.Fatalf("%d under way and %d wrong", underWay, wrong)
				}
			case "wrong":
				if underWay == 0 {
					continue
				}
				underWay, wrong = underWay-1, wrong+1
				if wrong == MaxWrong {
					lockedAt = book.now
				}
			case "half right":
				if underWay == 0 {
					continue
				}
				if err := s.takeBack(ctx, "ana"); err != nil {
					rt.Fatal(err)
				}
				underWay--
			case "right":
				if underWay == 0 {
					continue
				}
				if err := s.forgive(ctx, "ana"); err != nil {
					rt.Fatal(err)
				}
				underWay, wrong, lockedAt = 0, 0, time.Time{} // what else was under way is forgiven with it
			case "wait":
				if underWay > 0 {
					continue // judging takes no time to speak of
				}
				book.now = book.now.Add(time.Duration(rapid.IntRange(1, 20).Draw(rt, "minutes")) * time.Minute)
				if !lockedAt.IsZero() && book.now.Sub(lockedAt) >= LockedFor {
					wrong, lockedAt = 0, time.Time{}
				}
			}
		}
	})
}
