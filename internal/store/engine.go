// Package store keeps everything: conversations, affiliates, unlock documents, complaints, cases, leases, counters.
//
// Each repository is written once, over the small interface Engine. Two packages implement it: store/mongodb (production)
// and store/bolt (one process, one machine). An Engine knows documents by collection and id, replaces one only if its
// version is the one that was read, and scans declared indexes. It has no transactions: whatever must be atomic is one
// document. The store's clock, not the process's, decides what has expired.
package store

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/bot"
)

// The errors an engine tells apart. Anything else means the store could not be asked.
var (
	ErrNotFound    = errors.New("not found")
	ErrDuplicate   = errors.New("id exists already")
	ErrConflict    = bot.ErrConflict
	ErrUnavailable = errors.New("store cannot be reached")
	ErrLocked      = errors.New("store is held by another process")
	ErrNewer       = errors.New("store was written by a newer version")
	ErrDamaged     = errors.New("store file is damaged")
)

// VersionField is the field every document carries: an int64 that moves by one with each write. A document written
// by others without it has version 0.
const VersionField = "v"

// Index declares that a collection can be scanned by one field, top level or dotted ("live.link"). Documents without
// the field are not in the index. Values are strings, datetimes or int64.
type Index struct {
	Collection string
	Field      string
}

// Query is a scan. With an empty Field it runs over _id (strings). The range is From ≤ value < To; a nil bound is
// open. Results come in order of the field, equal values in order of _id; Descending turns the whole order round.
// Limit 0 means everything. Only are the fields that a scan's caller reads (a part of each of an array's documents: "promises.made"),
// beside _id: what the engine hands out may lack the others; nil: whole documents. A scan is not a snapshot: documents written while
// it runs may or may not be seen.
type Query struct {
	Collection string
	Field      string
	From, To   any // string, time.Time or int64, as the field is
	Descending bool
	Limit      int
	Only       []string
}

// Engine is what a repository needs of a database. Documents are BSON with a string _id and an int64 "v"; the engine keeps
// the version: Insert stores v = 1, Replace stores v = version+1, BulkUpsert moves it by one. All times are in
// milliseconds, UTC. An engine is safe for use by many goroutines. A write that returns nil is durable (journal, majority;
// fsync). One that returns an error other than ErrNotFound, ErrDuplicate or ErrConflict may or may not have happened.
type Engine interface {
	// Get returns a copy of the document, or ErrNotFound.
	Get(ctx context.Context, collection, id string) (bson.Raw, error)
	// GetMany calls each for a copy of every document that is there under one of the ids, in no order.
	GetMany(ctx context.Context, collection string, ids []string, each func(bson.Raw)) error
	// Insert stores a new document, or ErrDuplicate.
	Insert(ctx context.Context, collection string, doc bson.Raw) error
	// Replace stores doc where the stored version is version; ErrConflict when it is another or the document is gone.
	Replace(ctx context.Context, collection, id string, version int64, doc bson.Raw) error
	// Delete removes the document where its version is version; version < 0 removes any. ErrConflict when it is
	// another; a document that is not there is no error.
	Delete(ctx context.Context, collection, id string, version int64) error
	// Scan calls each for every document of the query until it returns false. The field must be declared.
	Scan(ctx context.Context, q Query, each func(bson.Raw) bool) error
	// Count returns how many documents the query has.
	Count(ctx context.Context, q Query) (int64, error)
	// Increment adds by to the counter and returns its new value. A counter that has expired starts again from zero
	// with the new expiry; the expiry of a live one stays as it was. A zero expiry is never. Exact under any
	// parallelism. The counter is a document {_id, v, n, expires}.
	Increment(ctx context.Context, collection, id string, by int64, expires time.Time) (int64, error)
	// BulkUpsert stores documents by _id, setting the fields given and leaving other fields of a stored document as
	// they are; v moves by one. Not atomic over the batch; safe to run again.
	BulkUpsert(ctx context.Context, collection string, docs []bson.Raw) error
	// DeleteRange removes the documents of the query, at most Limit of them, and says how many.
	DeleteRange(ctx context.Context, q Query) (int64, error)
	// Now is the store's clock, in milliseconds, UTC.
	Now(ctx context.Context) (time.Time, error)
	// Ping says whether the store answers.
	Ping(ctx context.Context) error
	// Close waits for what is under way and lets go.
	Close() error
}

// Collections of earlier versions, in which chats go by what their channels call them: see Store.Carry.
const (
	oldConversations = "conversations"
	oldNames         = "names"
	oldContacts      = "contacts"
)

// Indexes is the whole table; engines apply it at start, which is safe to run twice.
var Indexes = []Index{
	{Conversations, "wake_at"},
	{Conversations, "kept_till"},
	{Unlocks, "wake_at"},
	{Unlocks, "live.link"},
	{Unlocks, "live.not_me"},
	{Unlocks, "purge_at"},
	{Counters, "expires"},
	{Complaints, "made"},
	{Cases, "made"},
	{Audit, "at"},
	{Audit, "seq"},
	{Deliveries, "at"},
	{Deliveries, "conv"},
	{Complaints, "conv"},
	{Cases, "conv"},
	{Conversations, "handoff.queue"},
	{Conversations, "handoff.moved"},
	{Conversations, "handoff.ref"},
	{Lines, "conv"},
	{Lines, "at"},
	{Drafts, "conv"},
	{Drafts, "at"},
	{Sessions, "ends"},
	{Sessions, "login"},
	{Tries, "ends"},
	{Unheard, "times"},
	{Unheard, "last"},
	{Unheard, "drop_at"},
	{Events, "died"},
	{Imports, "at"},
	{Presence, "at"},
	{Bells, "seen"},
	{Counted, "at"},
}
