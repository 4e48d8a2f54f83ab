package key

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// enters asks for a turn by itself, and answers when it has come to an end.
func enters(q *Queue, ctx context.Context, shares ...Share) (leave func(), err error) {
	type result struct {
		leave func()
		err   error
	}
	done := make(chan result, 1)
	go func() {
		leave, err := q.Enter(ctx, shares...)
		done <- result{leave, err}
	}()
	synctest.Wait()
	select {
	case r := <-done:
		return r.leave, r.err
	default:
		return nil, errWaits
	}
}

var errWaits = errors.New("waits")

func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		q := NewQueue(2, 3, 5*time.Second)
		one, err := enters(q, ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = enters(q, ctx); err != nil {
			t.Fatal(err)
		}
		gone, cancel := context.WithCancel(ctx)
		for _, ctx := range []context.Context{ctx, ctx, gone} {
			if _, err := enters(q, ctx); err != errWaits {
				t.Fatalf("with two at work: got %v, want it to wait", err)
			}
		}
		if _, err := enters(q, ctx); !errors.Is(err, ErrBusy) {
			t.Errorf("with three waiting: got %v, want busy", err)
		}
		cancel() // who goes away makes room for another
		synctest.Wait()
		if _, err := enters(q, ctx); err != errWaits {
			t.Errorf("when one has gone: got %v, want it to wait", err)
		}
		one() // the one that waited longest has its turn now, and never leaves
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if q.inside != 2 {
			t.Errorf("after five seconds %d are inside, want the two at work", q.inside)
		}
		if _, err := q.Enter(ctx); !errors.Is(err, ErrBusy) || errors.Is(err, ErrShare) {
			t.Errorf("after five seconds: got %v, want busy", err)
		}
	})
}

func TestQueue_shares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue(2, 16, 5*time.Second)
		pass := func(n int) []Share { return []Share{{fmt.Sprint("pass ", n), 2}, {"address", 5}} }
		first, err := enters(q, t.Context(), pass(1)...)
		if err != nil {
			t.Fatal(err)
		}
		second, err := enters(q, t.Context(), pass(1)...)
		if err != nil {
			t.Fatal(err)
		}
		for range 22 { // of 24 at once
			if _, err := enters(q, t.Context(), pass(1)...); !errors.Is(err, ErrShare) || !errors.Is(err, ErrBusy) {
				t.Fatalf("one pass, beyond its two: got %v, want its share used up", err)
			}
		}
		for n := range 3 {
			if _, err := enters(q, t.Context(), pass(n+2)...); err != errWaits {
				t.Fatalf("another pass: got %v, want it to wait", err)
			}
		}
		if _, err := enters(q, t.Context(), pass(9)...); !errors.Is(err, ErrShare) {
			t.Errorf("one address, beyond its five: got %v, want its share used up", err)
		}
		if _, err := enters(q, t.Context(), Share{"pass 9", 2}, Share{"another address", 5}); err != errWaits {
			t.Errorf("another address: got %v, want it to wait", err)
		}
		first()
		second()
		if _, err := enters(q, t.Context(), pass(1)...); err != errWaits {
			t.Errorf("when it has left: got %v, want it to wait behind the others", err)
		}
	})
	q := NewQueue(1, 1, time.Second)
	for range 3 {
		leave, err := q.Enter(t.Context(), Share{"a", 1})
		if err != nil {
			t.Fatal(err)
		}
		leave()
	}
	if q.inside != 0 || len(q.of) != 0 || len(q.turns) != 0 {
		t.Errorf("left behind: %d inside, %v", q.inside, q.of)
	}
}
