package store

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// ProcessTable is who is alive of those that have something in hand: a lease each, under a name that is nobody else's and
// never used again. One whose lease ran out is buried by another, which takes the lease; it can then not be renewed.
type ProcessTable struct{ leases *LeaseTable }

const processPrefix = "runner/" // of the leases' names

// Join begins a process's lease and returns until when it lives.
func (t *ProcessTable) Join(ctx context.Context, name string, ttl time.Duration) (time.Time, error) {
	l, ok, err := t.leases.Acquire(ctx, processPrefix+name, name, ttl)
	if err == nil && !ok {
		err = fmt.Errorf("the lease of process %s is held by %s", name, l.Holder)
	}
	return l.Until, err
}

// Renew gives the lease new time. [ok] is false when the process was buried.
func (t *ProcessTable) Renew(ctx context.Context, name string, ttl time.Duration) (until time.Time, ok bool, err error) {
	var l Lease
	err = t.leases.change(ctx, processPrefix+name, func(stored *Lease, now time.Time) bool {
		if ok = stored.Holder == name; ok {
			stored.Until = now.Add(ttl)
		}
		return ok
	}, &l)
	return l.Until, ok, err
}

// Remove ends the lease of the process with that name, where [by] has it: itself, or who buried it.
func (t *ProcessTable) Remove(ctx context.Context, name, by string) error {
	l, err := t.leases.documents().Load(ctx, processPrefix+name)
	if err != nil || l.Holder != by {
		return err
	}
	if err = t.leases.drop(ctx, l); err != nil {
		return fmt.Errorf("end the lease of process %s: %w", name, err)
	}
	return nil
}

// Dead returns the names of those whose lease ran out, or was not ended by who buried them.
func (t *ProcessTable) Dead(ctx context.Context) ([]string, error) {
	var names []string
	err := t.leases.under(ctx, processPrefix, func(l Lease, now time.Time) {
		if !l.Until.After(now) {
			names = append(names, strings.TrimPrefix(l.Name, processPrefix))
		}
	})
	return names, err
}

// Bury takes the lease of a process that has run out. [ok] is false when another was quicker, or it lives after all; [again]
// says that it had been buried before.
func (t *ProcessTable) Bury(ctx context.Context, name, by string, ttl time.Duration) (ok, again bool, err error) {
	err = t.leases.change(ctx, processPrefix+name, func(stored *Lease, now time.Time) bool {
		if ok = stored.Version > 0 && !stored.Until.After(now); !ok {
			return false
		}
		again = stored.Holder != name
		stored.Holder, stored.Until = by, now.Add(ttl)
		stored.Fence++
		return true
	}, &Lease{})
	return ok, again, err
}
