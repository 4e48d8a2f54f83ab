package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrLeaseLost is the cause of the context given to what Hold runs, when somebody else may have the lease by now.
var ErrLeaseLost = errors.New("lease was lost")

// Hold runs [do] while it has the lease, renewing it three times in its [ttl], and gives it back afterwards, also when [do]
// panics. [held] is false when somebody else has it: [do] was not run then. Should the lease be taken, or the store not
// answer until it has run out, the context of [do] ends with ErrLeaseLost as its cause.
func (t *LeaseTable) Hold(ctx context.Context, name, holder string, ttl time.Duration, do func(ctx context.Context) error) (held bool, err error) {
	taken := time.Now()
	lease, ok, err := t.Acquire(ctx, name, holder, ttl)
	if err != nil || !ok {
		return false, err
	}
	ctx, lose := context.WithCancelCause(ctx)
	renewed := make(chan struct{})
	defer func() {
		lost := errors.Is(context.Cause(ctx), ErrLeaseLost)
		lose(nil)
		<-renewed
		if lost {
			err = errors.Join(fmt.Errorf("%s: %w", name, ErrLeaseLost), err)
			return
		}
		after, cancel := context.WithTimeout(context.WithoutCancel(ctx), ttl)
		defer cancel()
		err = errors.Join(err, t.Release(after, lease))
	}()
	go func() {
		defer close(renewed)
		t.renew(ctx, lease, ttl, taken, lose)
	}()
	return true, do(ctx)
}

// renew keeps a lease until [ctx] ends. [taken] is a moment, by this process's clock, before the lease was given its time.
func (t *LeaseTable) renew(ctx context.Context, lease Lease, ttl time.Duration, taken time.Time, lose context.CancelCauseFunc) {
	for {
		end := taken.Add(ttl)
		wait := time.NewTimer(max(0, min(ttl/3, time.Until(end))))
		select {
		case <-ctx.Done():
			wait.Stop()
			return
		case <-wait.C:
		}
		start := time.Now()
		if !start.Before(end) {
			lose(ErrLeaseLost)
			return
		}
		try, cancel := context.WithDeadline(ctx, end)
		_, ok, err := t.Renew(try, lease, ttl)
		cancel()
		switch {
		case err == nil && ok:
			taken = start
		case err == nil:
			lose(ErrLeaseLost)
			return
		}
	}
}
