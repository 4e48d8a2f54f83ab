package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"llave/internal/secret"
)

const ringID = "sealing_keys"

// The times of keys.
const (
	// KeysEvery is how often a process looks which keys there are.
	KeysEvery = 5 * time.Second
	// keySpread is how long a new key waits until it seals: by then every process knows it.
	keySpread = 6 * KeysEvery
	// rollOut is how long a store of a version before goes on in the form of that version, which knows no other: its processes may
	// serve beside this one while it is put in their place, and it may be put back.
	rollOut = 10 * time.Minute
	// keyRests is how long a key that seals no more is kept at least: a process that was suspended may have sealed with it.
	keyRests = 24 * time.Hour
)

// storedRing is the ring as it is stored. It is not in the document of the data key: a process of a version before writes that anew
// when the setting is rotated, and drops what it does not know.
type storedRing struct {
	ID      string      `bson:"_id"`
	Version int64       `bson:"v"`
	Keys    []storedKey `bson:"keys"`
	Before  bool        `bson:"before,omitempty"` // there may be values of versions before
}

type storedKey struct {
	ID      string    `bson:"id"`
	Wrapped string    `bson:"wrapped"` // by LLAVE_SECRET_KEY
	From    time.Time `bson:"from"`    // since when it seals
}

// current is the key that seals at a moment; empty: the form of versions before is written yet.
func (r *storedRing) current(now time.Time) (id string, from time.Time) {
	for _, k := range r.Keys {
		if !k.From.After(now) && !k.From.Before(from) {
			id, from = k.ID, k.From
		}
	}
	return id, from
}

// newest is the key that seals last.
func (r *storedRing) newest() storedKey {
	return slices.MaxFunc(r.Keys, func(a, b storedKey) int { return a.From.Compare(b.From) })
}

func wrapName(id string) string { return Settings + "|" + ringID + "|" + id }

// RingTable keeps the keys that seal, and tells the vault which there are.
type RingTable struct {
	engine    Engine
	documents *Documents[storedRing]
	keys      secret.Keys // of the setting; none until DataKey
	vault     *secret.Vault
}

func newRing(engine Engine) *RingTable {
	return &RingTable{engine: engine, documents: NewDocuments(engine, Settings, func(r *storedRing) (*string, *int64) { return &r.ID, &r.Version })}
}

// open gives a vault its ring, which the first process to ask makes. [fresh]: nothing was ever sealed in this store.
func (t *RingTable) open(ctx context.Context, keys secret.Keys, vault *secret.Vault, fresh bool) error {
	t.keys, t.vault = keys, vault
	err := t.change(ctx, func(r *storedRing, now time.Time) (bool, error) {
		if r.Version == 0 {
			from := now
			if !fresh {
				from = now.Add(rollOut)
			}
			r.Keys, r.Before = []storedKey{t.wrap(secret.NewKey(), from)}, !fresh
			return true, nil
		}
		stale := false
		for i, k := range r.Keys {
			key, old, err := keys.UnwrapAs(wrapName(k.ID), k.Wrapped)
			if err != nil {
				return false, fmt.Errorf("sealing key: %w", ErrSecretKey)
			}
			if old {
				r.Keys[i].Wrapped, stale = keys.WrapAs(wrapName(k.ID), key), true
			}
		}
		return stale, nil
	})
	if err != nil {
		return err
	}
	if err := t.Look(ctx); err != nil {
		return err
	}
	vault.OnUnknown(func() {
		ctx, cancel := context.WithTimeout(context.Background(), keyWaits)
		defer cancel()
		_ = t.Look(ctx) // the value cannot be opened then, which whoever needs it says
	})
	return nil
}

// keyWaits is how long a value waits for the key that it names, and that this process does not know yet.
const keyWaits = 2 * time.Second

func (t *RingTable) wrap(k secret.Key, from time.Time) storedKey {
	return storedKey{ID: k.ID, Wrapped: t.keys.WrapAs(wrapName(k.ID), k.Secret), From: from}
}

// change has the ring changed, again when somebody else was quicker.
func (t *RingTable) change(ctx context.Context, f func(r *storedRing, now time.Time) (bool, error)) error {
	for {
		now, err := t.engine.Now(ctx)
		if err != nil {
			return fmt.Errorf("read the store's clock: %w", err)
		}
		r, err := t.documents.Load(ctx, ringID)
		if err != nil {
			return fmt.Errorf("sealing keys: %w", err)
		}
		changed, err := f(&r, now)
		if err != nil || !changed {
			return err
		}
		if err := t.documents.Save(ctx, &r); !errors.Is(err, ErrConflict) {
			return err
		}
	}
}

// Look tells the vault which keys there are and which one seals now. Each process calls it every KeysEvery. A key that it knows stays
// known to it also while the setting is rotated and it cannot unwrap it any more; one that it cannot unwrap at all is an error, and the
// others serve.
func (t *RingTable) Look(ctx context.Context) error {
	now, err := t.engine.Now(ctx)
	if err != nil {
		return fmt.Errorf("read the store's clock: %w", err)
	}
	stored, err := t.documents.Load(ctx, ringID)
	if err != nil {
		return fmt.Errorf("sealing keys: %w", err)
	}
	ring := secret.Ring{Before: stored.Before}
	known := storedRing{}
	var lacks error
	for _, k := range stored.Keys {
		key, has := t.vault.Has(k.ID)
		if !has {
			text, _, err := t.keys.UnwrapAs(wrapName(k.ID), k.Wrapped)
			if err != nil {
				lacks = fmt.Errorf("sealing key: %w", ErrSecretKey)
				continue
			}
			key = secret.Key{ID: k.ID, Secret: text}
		}
		ring.Keys, known.Keys = append(ring.Keys, key), append(known.Keys, k)
	}
	ring.Current, _ = known.current(now)
	t.vault.Use(ring)
	return lacks
}

// From is since when the newest key seals, or from when on it will.
func (t *RingTable) From(ctx context.Context) (time.Time, error) {
	r, err := t.documents.Load(ctx, ringID)
	if err != nil || len(r.Keys) == 0 {
		return time.Time{}, err
	}
	return r.newest().From, nil
}

// Renew makes a key that seals from a moment on that every process knows it, and returns that moment. One that waits for its moment
// is not followed by another.
func (t *RingTable) Renew(ctx context.Context) (from time.Time, err error) {
	err = t.change(ctx, func(r *storedRing, now time.Time) (bool, error) {
		if r.Version == 0 {
			return false, errors.New("sealing keys: there are none yet")
		}
		if newest := r.newest(); newest.From.After(now) {
			from = newest.From
			return false, nil
		}
		from = now.Add(keySpread)
		r.Keys = append(r.Keys, t.wrap(secret.NewKey(), from))
		return true, nil
	})
	if err == nil {
		err = t.Look(ctx)
	}
	return from, err
}

// forget drops the keys that seal no more, rested long enough, and are not [needed], and the form of versions before likewise, unless
// there are documents of such ([older]). It returns how many there were.
func (t *RingTable) forget(ctx context.Context, needed map[string]bool, older bool) (gone int, err error) {
	err = t.change(ctx, func(r *storedRing, now time.Time) (bool, error) {
		gone = 0
		current, from := r.current(now)
		if current == "" || now.Before(from.Add(keyRests)) {
			return false, nil
		}
		left := slices.DeleteFunc(slices.Clone(r.Keys), func(k storedKey) bool {
			return k.ID != current && !k.From.After(now) && !needed[k.ID]
		})
		gone = len(r.Keys) - len(left)
		r.Keys = left
		if r.Before && !older {
			r.Before = false
			gone++
		}
		return gone > 0, nil
	})
	if err == nil && gone > 0 {
		err = t.Look(ctx)
	}
	return gone, err
}
