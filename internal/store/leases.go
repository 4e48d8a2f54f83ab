package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Lease is the right to do something alone until a moment. Fence grows with every change of holder and never falls, so
// that what a late holder writes can be told from what its successor wrote.
type Lease struct {
	Name   string    `bson:"_id"`
	Holder string    `bson:"holder,omitempty"` // empty: given back
	Fence  int64     `bson:"fence"`
	Until  time.Time `bson:"until"`

	Version int64 `bson:"v"`
}

// LeaseTable hands out leases. Time is the store's.
type LeaseTable struct{ engine Engine }

// Acquire takes the lease for a holder, whose name must be its process's alone, when it is free or its time has passed.
// A holder that has it already keeps it, with new time. [ok] is false when somebody else has it; the lease returned is
// then theirs.
func (t *LeaseTable) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (l Lease, ok bool, err error) {
	err = t.change(ctx, name, func(stored *Lease, now time.Time) bool {
		free := stored.Holder == "" || !stored.Until.After(now)
		if !free && stored.Holder != holder {
			ok = false
			return false
		}
		if free {
			stored.Fence++
		}
		stored.Holder, stored.Until = holder, now.Add(ttl)
		ok = true
		return true
	}, &l)
	if err != nil {
		return Lease{}, false, fmt.Errorf("acquire lease %s: %w", name, err)
	}
	return l, ok, nil
}

// Renew gives a lease new time. [ok] is false when somebody else took it; a lease whose time has passed, but that nobody
// took, is renewed.
func (t *LeaseTable) Renew(ctx context.Context, held Lease, ttl time.Duration) (l Lease, ok bool, err error) {
	err = t.change(ctx, held.Name, func(stored *Lease, now time.Time) bool {
		if ok = stored.Holder == held.Holder && stored.Fence == held.Fence; ok {
			stored.Until = now.Add(ttl)
		}
		return ok
	}, &l)
	if err != nil {
		return Lease{}, false, fmt.Errorf("renew lease %s: %w", held.Name, err)
	}
	return l, ok, nil
}

// Release gives a lease back. One that somebody else took meanwhile is left alone.
func (t *LeaseTable) Release(ctx context.Context, held Lease) error {
	err := t.change(ctx, held.Name, func(stored *Lease, now time.Time) bool {
		if stored.Holder != held.Holder || stored.Fence != held.Fence {
			return false
		}
		stored.Holder, stored.Until = "", now
		return true
	}, &Lease{})
	if err != nil {
		return fmt.Errorf("release lease %s: %w", held.Name, err)
	}
	return nil
}

// Live returns the leases that somebody holds whose names begin with [prefix], in order of name. A process that renews a
// lease of its own under a common prefix is counted by all.
func (t *LeaseTable) Live(ctx context.Context, prefix string) ([]Lease, error) {
	var live []Lease
	err := t.under(ctx, prefix, func(l Lease, now time.Time) {
		if l.Holder != "" && l.Until.After(now) {
			live = append(live, l)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("list leases: %w", err)
	}
	return live, nil
}

// Forget removes the leases under a prefix whose time passed longer than [age] ago. Their fences begin anew, so it is for
// names that are not used again.
func (t *LeaseTable) Forget(ctx context.Context, prefix string, age time.Duration) error {
	var old []Lease
	err := t.under(ctx, prefix, func(l Lease, now time.Time) {
		if l.Until.Before(now.Add(-age)) {
			old = append(old, l)
		}
	})
	for _, l := range old {
		if err != nil {
			break
		}
		err = t.drop(ctx, l)
	}
	if err != nil {
		return fmt.Errorf("forget leases: %w", err)
	}
	return nil
}

// Void gives back every lease, whoever has it: when a store that belongs to one process at a time is opened, their holders
// are dead. Fences stay, so that what such a one wrote can still be told.
func (t *LeaseTable) Void(ctx context.Context) error {
	held, err := t.Live(ctx, "")
	for _, l := range held {
		err = errors.Join(err, t.Release(ctx, l))
	}
	if err != nil {
		return fmt.Errorf("void leases: %w", err)
	}
	return nil
}

func (t *LeaseTable) under(ctx context.Context, prefix string, each func(l Lease, now time.Time)) error {
	now, err := t.engine.Now(ctx)
	if err != nil {
		return err
	}
	return scan(ctx, t.engine, Query{Collection: Leases, From: prefix, To: prefix + "\U0010ffff"}, func(l Lease) bool {
		each(l, now)
		return true
	})
}

// drop removes a lease, unless somebody wrote it after it was read: it lives again.
func (t *LeaseTable) drop(ctx context.Context, l Lease) error {
	if err := t.engine.Delete(ctx, Leases, l.Name, l.Version); err != nil && !errors.Is(err, ErrConflict) {
		return err
	}
	return nil
}

func (t *LeaseTable) documents() *Documents[Lease] {
	return NewDocuments(t.engine, Leases, func(l *Lease) (*string, *int64) { return &l.Name, &l.Version })
}

// change reads the lease, lets [f] change it, and stores it when [f] says so; again when another was quicker. [result] is the
// lease as it is afterwards.
func (t *LeaseTable) change(ctx context.Context, name string, f func(stored *Lease, now time.Time) bool, result *Lease) error {
	documents := t.documents()
	for {
		l, err := documents.Load(ctx, name)
		if err != nil {
			return err
		}
		now, err := t.engine.Now(ctx)
		if err != nil {
			return err
		}
		if f(&l, now) {
			if err = documents.Save(ctx, &l); errors.Is(err, ErrConflict) {
				continue
			}
		}
		*result = l
		return err
	}
}
