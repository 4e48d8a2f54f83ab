package store

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Operations are the names of what an engine does, as Watched tells them.
var Operations = []string{"get", "get_many", "insert", "replace", "delete", "scan", "count", "increment", "bulk_upsert", "delete_range", "now"}

// Done is an operation that has ended.
type Done struct {
	Operation string
	Write     bool
	Took      time.Duration
	Err       error // why the store could not do it; nil also where it gave an answer
}

// Watched is an engine that tells how long each operation took, and whether it failed: a conflict, a duplicate and what is not
// there are answers, and so is a context that ended, which is the caller's doing. What fails is then a *Failure.
func Watched(e Engine, tell func(Done)) Engine {
	return &watched{e, tell}
}

type watched struct {
	Engine
	tell func(Done)
}

// writes are the operations that change something.
var writes = map[string]bool{"insert": true, "replace": true, "delete": true, "increment": true, "bulk_upsert": true, "delete_range": true}

func (w *watched) done(operation string, began time.Time, err *error) {
	d := Done{Operation: operation, Write: writes[operation], Took: time.Since(began)}
	if *err != nil && !isAnswer(*err) {
		d.Err = *err
		*err = &Failure{*err}
	}
	w.tell(d)
}

// Get tells of Engine.Get.
func (w *watched) Get(ctx context.Context, collection, id string) (doc bson.Raw, err error) {
	defer func(began time.Time) { w.done("get", began, &err) }(time.Now())
	return w.Engine.Get(ctx, collection, id)
}

// GetMany tells of Engine.GetMany.
func (w *watched) GetMany(ctx context.Context, collection string, ids []string, each func(bson.Raw)) (err error) {
	defer func(began time.Time) { w.done("get_many", began, &err) }(time.Now())
	return w.Engine.GetMany(ctx, collection, ids, each)
}

// Insert tells of Engine.Insert.
func (w *watched) Insert(ctx context.Context, collection string, doc bson.Raw) (err error) {
	defer func(began time.Time) { w.done("insert", began, &err) }(time.Now())
	return w.Engine.Insert(ctx, collection, doc)
}

// Replace tells of Engine.Replace.
func (w *watched) Replace(ctx context.Context, collection, id string, version int64, doc bson.Raw) (err error) {
	defer func(began time.Time) { w.done("replace", began, &err) }(time.Now())
	return w.Engine.Replace(ctx, collection, id, version, doc)
}

// Delete tells of Engine.Delete.
func (w *watched) Delete(ctx context.Context, collection, id string, version int64) (err error) {
	defer func(began time.Time) { w.done("delete", began, &err) }(time.Now())
	return w.Engine.Delete(ctx, collection, id, version)
}

// Scan tells of Engine.Scan; what the caller does with each document is part of its time.
func (w *watched) Scan(ctx context.Context, q Query, each func(bson.Raw) bool) (err error) {
	defer func(began time.Time) { w.done("scan", began, &err) }(time.Now())
	return w.Engine.Scan(ctx, q, each)
}

// Count tells of Engine.Count.
func (w *watched) Count(ctx context.Context, q Query) (n int64, err error) {
	defer func(began time.Time) { w.done("count", began, &err) }(time.Now())
	return w.Engine.Count(ctx, q)
}

// Increment tells of Engine.Increment.
func (w *watched) Increment(ctx context.Context, collection, id string, by int64, expires time.Time) (n int64, err error) {
	defer func(began time.Time) { w.done("increment", began, &err) }(time.Now())
	return w.Engine.Increment(ctx, collection, id, by, expires)
}

// BulkUpsert tells of Engine.BulkUpsert.
func (w *watched) BulkUpsert(ctx context.Context, collection string, docs []bson.Raw) (err error) {
	defer func(began time.Time) { w.done("bulk_upsert", began, &err) }(time.Now())
	return w.Engine.BulkUpsert(ctx, collection, docs)
}

// DeleteRange tells of Engine.DeleteRange.
func (w *watched) DeleteRange(ctx context.Context, q Query) (n int64, err error) {
	defer func(began time.Time) { w.done("delete_range", began, &err) }(time.Now())
	return w.Engine.DeleteRange(ctx, q)
}

// Now tells of Engine.Now.
func (w *watched) Now(ctx context.Context) (at time.Time, err error) {
	defer func(began time.Time) { w.done("now", began, &err) }(time.Now())
	return w.Engine.Now(ctx)
}
