package store

import (
	"context"
	"errors"
	"time"

	"llave/internal/alert"
)

// BellTable keeps where agents are told of things, and the one key that push services know us by.
type BellTable struct {
	*Documents[alert.Bell]
	keys *Documents[alert.PushKey]
}

func newBells(engine Engine) *BellTable {
	return &BellTable{
		NewDocuments(engine, Bells, func(b *alert.Bell) (*string, *int64) { return &b.Login, &b.Version }),
		NewDocuments(engine, PushKeys, func(k *alert.PushKey) (*string, *int64) { return &k.ID, &k.Version }),
	}
}

// All returns every bell.
func (t *BellTable) All(ctx context.Context) ([]alert.Bell, error) {
	return t.Scan(ctx, Query{})
}

// PushKey returns the key that push services know us by; where there is none it keeps the one that [fresh] makes. Of two processes that
// make one at the same moment both get the same.
func (t *BellTable) PushKey(ctx context.Context, fresh func() (alert.PushKey, error)) (alert.PushKey, error) {
	for {
		k, found, err := t.keys.Find(ctx, alert.PushKeyID)
		if err != nil || found {
			return k, err
		}
		if k, err = fresh(); err != nil {
			return k, err
		}
		k.ID = alert.PushKeyID
		if err := t.keys.Save(ctx, &k); !errors.Is(err, ErrConflict) {
			return k, err
		}
	}
}

// Forget removes at most [limit] bells whose agents were not near since a moment, and says how many.
func (t *BellTable) Forget(ctx context.Context, before time.Time, limit int) (int64, error) {
	return t.engine.DeleteRange(ctx, Query{Collection: Bells, Field: "seen", To: before, Limit: limit})
}
