package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// ErrTaken is returned where an empty store is needed, and something is there.
var ErrTaken = errors.New("a store is there already")

// ErrUnfinished is returned by a store that a restore was to fill, and broke off.
var ErrUnfinished = errors.New("a restore of this store was begun and not ended")

// Moment is when a store was read whole.
type Moment struct {
	At     time.Time `bson:"at"`     // by the store's clock
	Exact  bool      `bson:"exact"`  // all of it is as it was at one moment; else each document as it was at a moment of its own, since At
	Engine string    `bson:"engine"` // EngineEmbedded or EngineMongoDB
}

// What a Moment calls the engines.
const (
	EngineEmbedded = "embedded"
	EngineMongoDB  = "mongodb"
)

// Snapshotter is an engine that can be read whole, as it is at one moment, while it is written. It calls begin once, and each for every
// document as it lies there, version included: collection by collection, in order of _id. What an engine keeps for itself is not among
// them. An error of either function ends it.
type Snapshotter interface {
	Snapshot(ctx context.Context, begin func(Moment) error, each func(collection string, doc bson.Raw) error) error
}

// Loader is an engine that takes documents as they are, version included, under ids that are not there yet (ErrDuplicate). Not atomic
// over all of them.
type Loader interface {
	Load(ctx context.Context, collection string, docs []bson.Raw) error
}

// Snapshot reads an engine whole, as Snapshotter says.
func Snapshot(ctx context.Context, e Engine, begin func(Moment) error, each func(collection string, doc bson.Raw) error) error {
	s, ok := e.(Snapshotter)
	if !ok {
		return errors.New("this store cannot be read whole")
	}
	return s.Snapshot(ctx, begin, each)
}

// IDFirst is the document with its _id in front, as every engine returns it: MongoDB puts it there.
func IDFirst(doc bson.Raw) (bson.Raw, error) {
	if bytes.HasPrefix(doc[min(len(doc), 5):], []byte(idField+"\x00")) {
		return doc, nil
	}
	id, err := doc.LookupErr(idField)
	if err != nil {
		return nil, errors.New("document without an _id")
	}
	elements, err := doc.Elements()
	if err != nil {
		return nil, errMalformed
	}
	start, out := bsoncore.AppendDocumentStart(make([]byte, 0, len(doc)))
	out = bsoncore.AppendValueElement(out, idField, bsoncore.Value{Type: bsoncore.Type(id.Type), Data: id.Value})
	for _, e := range elements {
		if e.Key() != idField {
			out = append(out, e...)
		}
	}
	if out, err = bsoncore.AppendDocumentEnd(out, start); err != nil {
		return nil, fmt.Errorf("put the _id in front: %w", err)
	}
	return out, nil
}
