package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/bot"
)

// Documents is a repository of whole documents of type T: loaded, changed by their owner, and saved where nobody else
// saved meanwhile. head points at the id and the version inside a T.
type Documents[T any] struct {
	engine     Engine
	collection string
	head       func(*T) (id *string, version *int64)
}

// NewDocuments makes the repository of a collection. T's id has the bson name _id and its version v.
func NewDocuments[T any](engine Engine, collection string, head func(*T) (id *string, version *int64)) *Documents[T] {
	return &Documents[T]{engine, collection, head}
}

// Load returns the document with that id. When there is none it returns a new one that has only its id, and version 0.
func (d *Documents[T]) Load(ctx context.Context, id string) (T, error) {
	doc, found, err := d.Find(ctx, id)
	if err == nil && !found {
		key, _ := d.head(&doc)
		*key = id
	}
	return doc, err
}

// Find returns the document with that id, and whether there is one.
func (d *Documents[T]) Find(ctx context.Context, id string) (doc T, found bool, err error) {
	raw, err := d.engine.Get(ctx, d.collection, id)
	if errors.Is(err, ErrNotFound) {
		return doc, false, nil
	}
	if err != nil {
		return doc, false, fmt.Errorf("load from %s: %w", d.collection, err)
	}
	doc, err = decode[T](d.collection, raw)
	return doc, err == nil, err
}

// FindBy returns the document in which a declared field has that value, and whether there is one. Of several it
// returns the one with the lowest id.
func (d *Documents[T]) FindBy(ctx context.Context, field, value string) (doc T, found bool, err error) {
	return d.findBetween(ctx, field, value, value+"\x00")
}

// findBetween returns the first document in which a declared field is in a range, [to] not included.
func (d *Documents[T]) findBetween(ctx context.Context, field, from, to string) (doc T, found bool, err error) {
	q := Query{Collection: d.collection, Field: field, From: from, To: to, Limit: 1}
	var broken error
	err = d.engine.Scan(ctx, q, func(raw bson.Raw) bool {
		doc, broken = decode[T](d.collection, raw)
		found = broken == nil
		return false
	})
	if err != nil {
		return doc, false, fmt.Errorf("find in %s by %s: %w", d.collection, field, err)
	}
	return doc, found, broken
}

// Save stores the document: as a new one when its version is 0, else in place of the version it was loaded with. On
// success its version has moved by one; ErrConflict means that another saved first, also when both were new. After any
// other error the document may or may not have been stored: load it again to know.
func (d *Documents[T]) Save(ctx context.Context, doc *T) error {
	id, version := d.head(doc)
	loaded := *version
	*version = loaded + 1 // as it will be stored, so that the engine need not write it in again
	raw, err := bson.Marshal(doc)
	*version = loaded
	if err != nil {
		return fmt.Errorf("save into %s: %w", d.collection, err)
	}
	if loaded == 0 {
		err = d.engine.Insert(ctx, d.collection, raw)
		if errors.Is(err, ErrDuplicate) { // perhaps one that others wrote, without a version
			err = d.engine.Replace(ctx, d.collection, *id, 0, raw)
		}
	} else {
		err = d.engine.Replace(ctx, d.collection, *id, loaded, raw)
	}
	if err != nil {
		return fmt.Errorf("save into %s: %w", d.collection, err)
	}
	*version = loaded + 1
	return nil
}

// Delete removes the document where its version is [version], or whatever it is when that is negative. ErrConflict means
// that it moved on; a document that is not there is no error.
func (d *Documents[T]) Delete(ctx context.Context, id string, version int64) error {
	if err := d.engine.Delete(ctx, d.collection, id, version); err != nil {
		return fmt.Errorf("delete from %s: %w", d.collection, err)
	}
	return nil
}

// IDsUpTo returns the ids of at most [limit] documents whose declared time field is not after a moment, earliest first.
func (d *Documents[T]) IDsUpTo(ctx context.Context, field string, moment time.Time, limit int) ([]string, error) {
	var ids []string
	var broken error
	q := Query{Collection: d.collection, Field: field, To: upTo(moment), Limit: limit}
	err := unopened(d.engine).Scan(ctx, q, func(raw bson.Raw) bool {
		var id string
		id, broken = DocumentID(raw)
		ids = append(ids, id)
		return broken == nil
	})
	if err = errors.Join(err, broken); err != nil {
		return nil, fmt.Errorf("scan %s by %s: %w", d.collection, field, err)
	}
	return ids, nil
}

// held returns the ids of the documents with an outbox whose wake_at is not after [until] and that have a keeper of such a
// name. It reads them all and decodes none: a process has died, or the first one starts.
func (d *Documents[T]) held(ctx context.Context, until time.Time, by func(who string) bool) ([]string, error) {
	var ids []string
	q := Query{Collection: d.collection, Field: "wake_at", To: upTo(until)}
	err := unopened(d.engine).Scan(ctx, q, func(raw bson.Raw) bool {
		for _, lane := range bot.Lanes {
			who, ok := raw.Lookup("keepers", string(lane), "who").StringValueOK()
			if !ok || !by(who) {
				continue
			}
			if id, err := DocumentID(raw); err == nil {
				ids = append(ids, id)
			}
			break
		}
		return true
	})
	if err != nil {
		return nil, fmt.Errorf("scan %s for keepers: %w", d.collection, err)
	}
	return ids, nil
}

// Scan returns the documents of a query, whose collection is this one.
func (d *Documents[T]) Scan(ctx context.Context, q Query) ([]T, error) {
	var all []T
	err := d.each(ctx, q, func(doc T) bool {
		all = append(all, doc)
		return true
	})
	return all, err
}

func (d *Documents[T]) each(ctx context.Context, q Query, each func(T) bool) error {
	q.Collection = d.collection
	return scan(ctx, d.engine, q, each)
}

// scan reads the documents of a query as T, which may be a part of them, until [each] returns false.
func scan[T any](ctx context.Context, engine Engine, q Query, each func(T) bool) error {
	var broken error
	err := engine.Scan(ctx, q, func(raw bson.Raw) bool {
		var doc T
		if doc, broken = decode[T](q.Collection, raw); broken != nil {
			return false
		}
		return each(doc)
	})
	if err = errors.Join(err, broken); err != nil {
		return fmt.Errorf("scan %s: %w", q.Collection, err)
	}
	return nil
}

// Count returns how many documents there are.
func (d *Documents[T]) Count(ctx context.Context) (int64, error) {
	return d.engine.Count(ctx, Query{Collection: d.collection})
}

func decode[T any](collection string, raw bson.Raw) (T, error) {
	var doc T
	if err := bson.Unmarshal(raw, &doc); err != nil {
		return doc, fmt.Errorf("read a document of %s: %w", collection, err)
	}
	return doc, nil
}

// upTo is the open end of a range that includes the moment: stored times are whole milliseconds.
func upTo(moment time.Time) time.Time {
	return moment.Truncate(time.Millisecond).Add(time.Millisecond)
}
