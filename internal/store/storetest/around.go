package storetest

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/internal/store"
)

// Call is one call of an engine.
type Call struct {
	Collection string // empty for Now
	Write      bool
}

// Around is a real engine whose calls go through a function of the test's, which does each one or fails in its place,
// or does it and fails all the same, as when only the answer is lost. What a test of a crash does not need (counters,
// bulk writes) goes straight through.
func Around(e store.Engine, around func(c Call, do func() error) error) store.Engine {
	return &surrounded{e, around}
}

type surrounded struct {
	store.Engine
	around func(c Call, do func() error) error
}

func (s *surrounded) Get(ctx context.Context, collection, id string) (doc bson.Raw, err error) {
	err = s.around(Call{Collection: collection}, func() (err error) {
		doc, err = s.Engine.Get(ctx, collection, id)
		return err
	})
	return doc, err
}

func (s *surrounded) Insert(ctx context.Context, collection string, doc bson.Raw) error {
	return s.around(Call{collection, true}, func() error { return s.Engine.Insert(ctx, collection, doc) })
}

func (s *surrounded) Replace(ctx context.Context, collection, id string, version int64, doc bson.Raw) error {
	return s.around(Call{collection, true}, func() error { return s.Engine.Replace(ctx, collection, id, version, doc) })
}

func (s *surrounded) Delete(ctx context.Context, collection, id string, version int64) error {
	return s.around(Call{collection, true}, func() error { return s.Engine.Delete(ctx, collection, id, version) })
}

func (s *surrounded) Scan(ctx context.Context, q store.Query, each func(bson.Raw) bool) error {
	return s.around(Call{Collection: q.Collection}, func() error { return s.Engine.Scan(ctx, q, each) })
}

func (s *surrounded) Now(ctx context.Context) (now time.Time, err error) {
	err = s.around(Call{}, func() (err error) {
		now, err = s.Engine.Now(ctx)
		return err
	})
	return now, err
}
