package jobs_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"llave/internal/jobs"
	"llave/internal/store"
	"llave/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// process is one holder of leases in a store that all share.
type process struct {
	leases *store.LeaseTable
	name   string
}

func (p process) Hold(ctx context.Context, name string, ttl time.Duration, do func(context.Context) error) (bool, error) {
	return p.leases.Hold(ctx, name, p.name, ttl, do)
}

// sharedTables returns the leases of a store, and makes tables of processes that share it, in a bubble whose clock jumps.
func sharedTables(t *testing.T) (leases *store.LeaseTable, table func(name string, add func(*jobs.Table)) *jobs.Table) {
	t.Helper()
	leases = store.New(storetest.Bolt(t, nil)).Leases
	return leases, func(name string, add func(*jobs.Table)) *jobs.Table {
		t.Helper()
		tb := jobs.New(jobs.Options{Lease: process{leases, name}, Log: slog.New(slog.DiscardHandler)})
		add(tb)
		tb.Start()
		t.Cleanup(tb.Stop)
		return tb
	}
}

func add(t *testing.T, tb *jobs.Table, spec string, ttl time.Duration, run func(context.Context) error) {
	t.Helper()
	if err := tb.Add("purge", spec, ttl, run); err != nil {
		t.Fatal(err)
	}
}

func TestTable_runsByTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, table := sharedTables(t)
		var runs atomic.Int32
		table("a", func(tb *jobs.Table) {
			add(t, tb, "@every 15s", 30*time.Second, func(context.Context) error { runs.Add(1); return nil })
		})
		time.Sleep(time.Minute + time.Second)
		synctest.Wait()
		if got, want := runs.Load(), int32(4); got != want {
			t.Errorf("runs in a minute: got %d, want %d", got, want)
		}
	})
}

func TestTable_neverTwiceAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, table := sharedTables(t)
		var runs, now, most atomic.Int32
		run := func(ctx context.Context) error {
			most.Store(max(most.Load(), now.Add(1)))
			defer now.Add(-1)
			runs.Add(1)
			time.Sleep(50 * time.Second) // longer than the lease lives unrenewed, and than the clock's step
			return ctx.Err()
		}
		for _, name := range []string{"a", "b", "c"} {
			table(name, func(tb *jobs.Table) { add(t, tb, "@every 15s", 20*time.Second, run) })
		}
		time.Sleep(10 * time.Minute)
		if got := most.Load(); got != 1 {
			t.Errorf("runs at once: got %d, want 1", got)
		}
		if got := runs.Load(); got < 8 {
			t.Errorf("runs in ten minutes: got %d, want 8 or more", got)
		}
	})
}

func TestTable_goesOnAfterFailureAndPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, table := sharedTables(t)
		var runs atomic.Int32
		table("a", func(tb *jobs.Table) {
			add(t, tb, "@every 15s", 30*time.Second, func(context.Context) error {
				switch runs.Add(1) {
				case 1:
					return errors.New("the store is away")
				case 2:
					panic("a mistake")
				case 3:
					_ = make([]int, 1)[runs.Load()] // the runtime's own panic
				}
				return nil
			})
		})
		time.Sleep(time.Minute + time.Second)
		synctest.Wait()
		if got, want := runs.Load(), int32(4); got != want {
			t.Errorf("runs: got %d, want %d", got, want)
		}
	})
}

// TestTable_followsADeadHolderWithinAMinute shows P409.
func TestTable_followsADeadHolderWithinAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		leases, table := sharedTables(t)
		ran := make(chan time.Time, 1)
		table("alive", func(tb *jobs.Table) {
			add(t, tb, "@hourly", time.Minute, func(context.Context) error { ran <- time.Now(); return nil })
		})
		next := time.Now().Truncate(time.Hour).Add(time.Hour)
		time.Sleep(time.Until(next) - time.Millisecond)
		// A process takes the lease a moment before, for as long as any table may, and is heard of no more.
		if _, ok, err := leases.Acquire(t.Context(), "job/purge", "dead", 45*time.Second); err != nil || !ok {
			t.Fatalf("acquire: got %v, %v", ok, err)
		}
		if late := (<-ran).Sub(next); late > time.Minute {
			t.Errorf("ran %v after the holder died, want a minute at most", late)
		}
	})
}

func TestTable_leaseLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		leases, table := sharedTables(t)
		cause := make(chan error, 1)
		table("a", func(tb *jobs.Table) {
			add(t, tb, "@every 1h", 30*time.Second, func(ctx context.Context) error {
				stored, _, err := leases.Acquire(ctx, "job/purge", "a", time.Second)
				if err == nil {
					err = leases.Release(ctx, stored)
				}
				if err == nil {
					_, _, err = leases.Acquire(ctx, "job/purge", "thief", time.Hour)
				}
				if err != nil {
					return err
				}
				<-ctx.Done()
				cause <- context.Cause(ctx)
				return ctx.Err()
			})
		})
		if got := <-cause; !errors.Is(got, store.ErrLeaseLost) {
			t.Errorf("cause: got %v, want %v", got, store.ErrLeaseLost)
		}
	})
}

func TestTable_stopWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		leases, table := sharedTables(t)
		var once sync.Once
		running, ended := make(chan struct{}), false
		tb := table("a", func(tb *jobs.Table) {
			add(t, tb, "@every 15s", 30*time.Second, func(ctx context.Context) error {
				once.Do(func() { close(running) })
				<-ctx.Done()
				time.Sleep(3 * time.Second)
				ended = true
				return nil
			})
		})
		<-running
		tb.Stop()
		if !ended {
			t.Error("Stop returned before the job did")
		}
		if _, ok, err := leases.Acquire(t.Context(), "job/purge", "b", time.Second); err != nil || !ok {
			t.Errorf("lease after stop: got %v, %v, want it free", ok, err)
		}
	})
}

func TestAdd_refuses(t *testing.T) {
	tb := jobs.New(jobs.Options{Log: slog.New(slog.DiscardHandler)})
	for _, tc := range []struct {
		spec string
		ttl  time.Duration
	}{
		{"every now and then", time.Minute},
		{"* * * * * *", time.Minute},
		{"@hourly", 0},
	} {
		if err := tb.Add("purge", tc.spec, tc.ttl, nil); err == nil {
			t.Errorf("Add(%q, %v): got no error", tc.spec, tc.ttl)
		}
	}
}
