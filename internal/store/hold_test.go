package store_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"llave/internal/store"
	"llave/internal/store/bolt"
	"llave/internal/store/storetest"
)

// leases opens a store of its own, in a bubble whose clock jumps.
func leases(t *testing.T) *store.LeaseTable {
	t.Helper()
	return store.New(storetest.Bolt(t, nil)).Leases
}

func free(t *testing.T, l *store.LeaseTable, want bool) {
	t.Helper()
	held, ok, err := l.Acquire(t.Context(), "x", "other", time.Second)
	if err != nil || ok != want {
		t.Errorf("lease free: got %v, %v, want %v", ok, err, want)
	}
	if ok {
		if err := l.Release(t.Context(), held); err != nil {
			t.Error(err)
		}
	}
}

func TestHold_renewsAndGivesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := leases(t)
		failed := errors.New("did not work")
		held, err := l.Hold(t.Context(), "x", "a", 10*time.Second, func(ctx context.Context) error {
			time.Sleep(time.Minute)
			free(t, l, false)
			if other, err := l.Hold(ctx, "x", "b", time.Second, func(context.Context) error { panic("both hold it") }); other || err != nil {
				t.Errorf("held by b: got %v, %v, want false", other, err)
			}
			if ctx.Err() != nil {
				t.Errorf("after a minute: %v", context.Cause(ctx))
			}
			return failed
		})
		if !held || !errors.Is(err, failed) {
			t.Errorf("got %v, %v, want true and what do returned", held, err)
		}
		free(t, l, true)
	})
}

func TestHold_givesBackAfterPanicAndCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := leases(t)
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic was swallowed")
				}
			}()
			_, _ = l.Hold(t.Context(), "x", "a", 10*time.Second, func(context.Context) error { panic("a mistake") })
		}()
		free(t, l, true)

		ctx, cancel := context.WithCancel(t.Context())
		_, err := l.Hold(ctx, "x", "a", 10*time.Second, func(ctx context.Context) error { cancel(); return ctx.Err() })
		if !errors.Is(err, context.Canceled) || errors.Is(err, store.ErrLeaseLost) {
			t.Errorf("cancelled: got %v, want %v alone", err, context.Canceled)
		}
		free(t, l, true)
	})
}

// A process that slept through its lease must not go on as if it had it.
func TestHold_lost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := leases(t)
		held, err := l.Hold(t.Context(), "x", "a", 10*time.Second, func(ctx context.Context) error {
			stored, ok, err := l.Acquire(ctx, "x", "a", 10*time.Second)
			if err != nil || !ok {
				t.Fatalf("a again: got %v, %v", ok, err)
			}
			if err := l.Release(ctx, stored); err != nil {
				t.Fatal(err)
			}
			if _, ok, err := l.Acquire(ctx, "x", "thief", time.Hour); err != nil || !ok {
				t.Fatalf("thief: got %v, %v", ok, err)
			}
			<-ctx.Done()
			if got := context.Cause(ctx); !errors.Is(got, store.ErrLeaseLost) {
				t.Errorf("cause: got %v, want %v", got, store.ErrLeaseLost)
			}
			return ctx.Err()
		})
		if !held || !errors.Is(err, store.ErrLeaseLost) {
			t.Errorf("got %v, %v, want true, %v", held, err, store.ErrLeaseLost)
		}
		free(t, l, false) // the thief's is left alone
	})
}

// While the store does not answer the lease may run out and be taken, so what it allowed ends before that.
func TestHold_storeGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine, err := bolt.Open(t.Context(), bolt.Options{Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		var took time.Duration
		_, err = store.New(engine).Leases.Hold(t.Context(), "x", "a", 10*time.Second, func(ctx context.Context) error {
			if err := engine.Close(); err != nil {
				t.Error(err)
			}
			start := time.Now()
			<-ctx.Done()
			took = time.Since(start)
			return nil
		})
		if !errors.Is(err, store.ErrLeaseLost) || took > 10*time.Second {
			t.Errorf("got %v after %v, want %v within the lease's time", err, took, store.ErrLeaseLost)
		}
	})
}
