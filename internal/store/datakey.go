package store

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/internal/secret"
)

// ErrSecretKey is returned when none of the given keys opens the store's data key.
var ErrSecretKey = errors.New("LLAVE_SECRET_KEY does not open this store: it was set up with another one; give that one too, after a comma")

const dataKeyID = "data_key"

type dataKey struct {
	ID      string `bson:"_id"`
	Version int64  `bson:"v"`
	Wrapped string `bson:"wrapped"`
}

// DataKey returns the vault over the store's data key, which the first process to ask makes, with the ring of keys that seal (RingTable). When the key was wrapped
// by one that is no longer the first of [keys] it is wrapped again. Processes may do this at once, with different keys
// in front while a rotation is rolled out. The audit's lines are chained with it from then on.
func (s *Store) DataKey(ctx context.Context, keys secret.Keys) (*secret.Vault, error) {
	if len(keys) == 0 {
		return nil, errors.New("data key: no secret key given")
	}
	settings := NewDocuments(s.engine, Settings, func(k *dataKey) (*string, *int64) { return &k.ID, &k.Version })
	for {
		stored, err := settings.Load(ctx, dataKeyID)
		if err != nil {
			return nil, fmt.Errorf("data key: %w", err)
		}
		var key []byte
		fresh := stored.Version == 0
		stale := fresh
		if fresh {
			key = secret.NewDataKey()
		} else if key, stale, err = keys.Unwrap(stored.Wrapped); err != nil {
			return nil, fmt.Errorf("data key: %w", ErrSecretKey)
		}
		if stale {
			stored.Wrapped = keys.Wrap(key)
			if err := settings.Save(ctx, &stored); errors.Is(err, ErrConflict) {
				continue // another process was quicker: its key counts
			} else if err != nil {
				return nil, fmt.Errorf("data key: %w", err)
			}
		}
		vault, err := secret.New(key)
		if err != nil {
			return nil, err
		}
		s.Audit.Chain(vault)
		return vault, s.Ring.open(ctx, keys, vault, fresh)
	}
}

// HasDataKey says whether the store has a data key, which only the secret key that wrapped it opens. It makes none.
func (s *Store) HasDataKey(ctx context.Context) (bool, error) {
	_, found, err := WrappedDataKey(ctx, s.engine.Get)
	return found, err
}

// WrappedDataKey reads the data key as it is stored, with an engine's Get; found is false before the first start. It makes none.
func WrappedDataKey(ctx context.Context, get func(ctx context.Context, collection, id string) (bson.Raw, error)) (wrapped string, found bool, err error) {
	raw, err := get(ctx, Settings, dataKeyID)
	if errors.Is(err, ErrNotFound) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("data key: %w", err)
	}
	wrapped, found = raw.Lookup("wrapped").StringValueOK()
	return wrapped, found, nil
}
