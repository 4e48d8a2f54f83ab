// Package bolt is the embedded store: one file, one process, nothing to install. It serves demo, chat, tests and small
// offices on one machine; whoever outgrows it points the service at MongoDB.
//
// A collection is a bucket of documents in BSON, keyed by id. A declared index is a bucket whose keys sort as the values do
// (key.go); a new one is built when the file is opened. All writes go through one goroutine that puts whatever is waiting
// into one transaction (writer.go): many writers share one fsync, and a lone one does not wait. bbolt's own DB.Batch does
// wait, ten milliseconds for a lone commit, and runs a whole batch again when one of its members fails.
//
// The file belongs to one process: bbolt holds a lock on it, and a file beside it says who holds it. A file that is
// truncated, empty or not ours is refused, never replaced: see Open.
package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	bbolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"llave/internal/store"
)

var errClosed = fmt.Errorf("%w: it is closed", store.ErrUnavailable)

// never is what a counter without an expiry expires at.
var never = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)

// Engine is a store.Engine over one file.
type Engine struct {
	db      *bbolt.DB
	file    *os.File // what db works on
	health  health
	writer  *writer
	now     func() time.Time
	holder  string             // path of the file that says who holds this one
	indexes map[string][]index // by collection
	reads   sync.RWMutex       // held by reads, for Scrub to wait for

	snapshots snapshots // readings of all of it that are under way

	once   sync.Once
	closed error
}

type index struct {
	field  string
	bucket []byte
}

var _ store.Engine = (*Engine)(nil)

func documents(collection string) []byte { return []byte("documents/" + collection) }

func indexBucket(ix store.Index) []byte { return []byte("index/" + ix.Collection + "/" + ix.Field) }

// view runs a read. Faults and impossible pages become ErrDamaged.
func (e *Engine) view(ctx context.Context, read func(*bbolt.Tx) error) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := e.health.check(); err != nil {
		return err
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer e.health.recovered(&err)
	e.reads.RLock()
	defer e.reads.RUnlock()
	err = e.db.View(read)
	if errors.Is(err, berrors.ErrDatabaseNotOpen) {
		return errClosed
	}
	return err
}

// Get returns a copy of the document.
func (e *Engine) Get(ctx context.Context, collection, id string) (bson.Raw, error) {
	var doc bson.Raw
	err := e.view(ctx, func(tx *bbolt.Tx) error {
		if b := tx.Bucket(documents(collection)); b != nil {
			doc = bytes.Clone(b.Get([]byte(id)))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("get from %s: %w", collection, err)
	}
	if doc == nil {
		return nil, store.ErrNotFound
	}
	return doc, nil
}

// GetMany calls [each] for the documents that are there. They are copied out first: see scanChunk.
func (e *Engine) GetMany(ctx context.Context, collection string, ids []string, each func(bson.Raw)) error {
	var docs []bson.Raw
	err := e.view(ctx, func(tx *bbolt.Tx) error {
		b := tx.Bucket(documents(collection))
		if b == nil {
			return nil
		}
		for _, id := range ids {
			if doc := b.Get([]byte(id)); doc != nil {
				docs = append(docs, bytes.Clone(doc))
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("get from %s: %w", collection, err)
	}
	for _, doc := range docs {
		each(doc)
	}
	return nil
}

// Insert stores a new document with version 1.
func (e *Engine) Insert(ctx context.Context, collection string, doc bson.Raw) error {
	id, err := checkedID(doc)
	if err == nil {
		doc, err = store.WithVersion(doc, 1)
	}
	if err != nil {
		return fmt.Errorf("insert into %s: %w", collection, err)
	}
	put, err := e.putter(collection, id, doc)
	if err != nil {
		return fmt.Errorf("insert into %s: %w", collection, err)
	}
	return e.writer.do(ctx, 1, func(tx *bbolt.Tx) error {
		if old(tx, collection, id) != nil {
			return store.ErrDuplicate
		}
		return put(tx, nil)
	})
}

// Replace stores [doc] where the stored version is [version].
func (e *Engine) Replace(ctx context.Context, collection, id string, version int64, doc bson.Raw) error {
	given, err := checkedID(doc)
	if err == nil && given != id {
		err = errors.New("the document has another id")
	}
	if err == nil {
		doc, err = store.WithVersion(doc, version+1)
	}
	if err != nil {
		return fmt.Errorf("replace in %s: %w", collection, err)
	}
	put, err := e.putter(collection, id, doc)
	if err != nil {
		return fmt.Errorf("replace in %s: %w", collection, err)
	}
	return e.writer.do(ctx, 1, func(tx *bbolt.Tx) error {
		was := old(tx, collection, id)
		if was == nil || store.DocumentVersion(was) != version {
			return store.ErrConflict
		}
		return put(tx, was)
	})
}

// Delete removes the document where its version is [version]; a negative one removes any.
func (e *Engine) Delete(ctx context.Context, collection, id string, version int64) error {
	return e.writer.do(ctx, 1, func(tx *bbolt.Tx) error {
		was := old(tx, collection, id)
		if was == nil {
			return nil
		}
		if version >= 0 && store.DocumentVersion(was) != version {
			return store.ErrConflict
		}
		return e.remove(tx, collection, id, was)
	})
}

// scanChunk is how many documents are copied out in one read. The caller's function runs between reads, not inside
// one: an open read keeps bbolt from growing its map, and a write made by the function would wait for it forever.
const scanChunk = 256

// Scan calls [each] for every document of the query.
func (e *Engine) Scan(ctx context.Context, q store.Query, each func(bson.Raw) bool) error {
	if err := q.Check(); err != nil {
		return fmt.Errorf("scan: %w", err)
	}
	s, left := spanOf(q), q.Limit
	var after []byte
	for {
		want := scanChunk
		if q.Limit > 0 {
			want = min(want, left)
		}
		docs, last, err := e.chunk(ctx, q, s, after, want)
		if err != nil {
			return fmt.Errorf("scan %s: %w", q.Collection, err)
		}
		for _, doc := range docs {
			if !each(doc) {
				return nil
			}
		}
		left -= len(docs)
		if len(docs) < want || q.Limit > 0 && left == 0 {
			return nil
		}
		after = last
	}
}

// chunk copies up to [want] documents that come after a key, and says at which key it stopped.
func (e *Engine) chunk(ctx context.Context, q store.Query, s span, after []byte, want int) (docs []bson.Raw, last []byte, err error) {
	err = e.view(ctx, func(tx *bbolt.Tx) error {
		bucket, byID := tx.Bucket(bucketOf(q)), tx.Bucket(documents(q.Collection))
		if bucket == nil || byID == nil {
			return nil
		}
		var broken error
		s.walk(bucket.Cursor(), q.Descending, after, func(key, value []byte) bool {
			last = key
			if q.Field != "" {
				var id []byte
				if id, broken = idOf(key); broken != nil {
					return false
				}
				if value = byID.Get(id); value == nil {
					broken = errors.New("an index entry leads nowhere")
					return false
				}
			}
			docs = append(docs, bytes.Clone(value))
			return len(docs) < want
		})
		last = bytes.Clone(last)
		if broken != nil {
			return fmt.Errorf("%w: %w", store.ErrDamaged, broken)
		}
		return nil
	})
	return docs, last, err
}

// Count returns how many documents the query has.
func (e *Engine) Count(ctx context.Context, q store.Query) (int64, error) {
	if err := q.Check(); err != nil {
		return 0, fmt.Errorf("count: %w", err)
	}
	var n int64
	err := e.view(ctx, func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(bucketOf(q))
		if bucket == nil {
			return nil
		}
		spanOf(q).walk(bucket.Cursor(), false, nil, func(_, _ []byte) bool {
			n++
			return q.Limit == 0 || n < int64(q.Limit)
		})
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("count %s: %w", q.Collection, err)
	}
	return n, nil
}

// Increment adds to a counter, and begins again when it has expired.
func (e *Engine) Increment(ctx context.Context, collection, id string, by int64, expires time.Time) (int64, error) {
	if id == "" {
		return 0, fmt.Errorf("increment in %s: empty id", collection)
	}
	if expires.IsZero() {
		expires = never
	}
	var n int64
	err := e.writer.do(ctx, 1, func(tx *bbolt.Tx) error {
		n = by
		until, version := expires.UnixMilli(), int64(1)
		was := old(tx, collection, id)
		if was != nil {
			version = store.DocumentVersion(was) + 1
			if at, ok := was.Lookup("expires").DateTimeOK(); ok && at > e.clock().UnixMilli() {
				before, _ := was.Lookup("n").AsInt64OK()
				n, until = before+by, at
			}
		}
		doc := bsoncore.BuildDocument(nil,
			bsoncore.AppendStringElement(nil, "_id", id),
			bsoncore.AppendInt64Element(nil, store.VersionField, version),
			bsoncore.AppendInt64Element(nil, "n", n),
			bsoncore.AppendDateTimeElement(nil, "expires", until))
		put, err := e.putter(collection, id, doc)
		if err != nil {
			return err
		}
		return put(tx, was)
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// BulkUpsert stores documents by _id, laying the given fields over what is stored. A batch is one commit: it happens
// whole or not at all. It does best with batches of some thousands.
func (e *Engine) BulkUpsert(ctx context.Context, collection string, docs []bson.Raw) error {
	type row struct {
		id  string
		doc bson.Raw
	}
	rows := make([]row, len(docs))
	for i, doc := range docs {
		id, err := checkedID(doc)
		if err != nil {
			return fmt.Errorf("upsert into %s: %w", collection, err)
		}
		if doc, err = store.WithVersion(doc, 1); err != nil {
			return fmt.Errorf("upsert into %s: %w", collection, err)
		}
		rows[i] = row{id, doc}
	}
	// In order of id neighbours share pages; equal ids stay in the order given.
	slices.SortStableFunc(rows, func(a, b row) int { return strings.Compare(a.id, b.id) })
	return e.writer.do(ctx, max(len(rows), 1), func(tx *bbolt.Tx) error {
		for _, r := range rows {
			was, doc := old(tx, collection, r.id), r.doc
			if was != nil {
				var err error
				if doc, err = store.Merge(was, r.doc); err != nil {
					return fatal{err}
				}
			}
			put, err := e.putter(collection, r.id, doc)
			if err == nil {
				err = put(tx, was)
			}
			if err != nil {
				return fatal{err}
			}
		}
		return nil
	})
}

// Load stores documents as they are, versions included, in one commit.
func (e *Engine) Load(ctx context.Context, collection string, docs []bson.Raw) error {
	puts := make([]func(tx *bbolt.Tx, was bson.Raw) error, len(docs))
	ids := make([]string, len(docs))
	for i, doc := range docs {
		id, err := checkedID(doc)
		if err == nil {
			puts[i], err = e.putter(collection, id, doc)
		}
		if err != nil {
			return fmt.Errorf("load into %s: %w", collection, err)
		}
		ids[i] = id
	}
	return e.writer.do(ctx, max(len(docs), 1), func(tx *bbolt.Tx) error {
		for i, put := range puts {
			err := error(store.ErrDuplicate)
			if old(tx, collection, ids[i]) == nil {
				err = put(tx, nil)
			}
			if err != nil {
				return fatal{err}
			}
		}
		return nil
	})
}

// DeleteRange removes the documents of the query, in commits of some hundreds.
func (e *Engine) DeleteRange(ctx context.Context, q store.Query) (int64, error) {
	if err := q.Check(); err != nil {
		return 0, fmt.Errorf("delete range: %w", err)
	}
	s := spanOf(q)
	var total int64
	for {
		want := groupMax
		if q.Limit > 0 {
			want = min(want, q.Limit-int(total))
		}
		removed := 0
		err := e.writer.do(ctx, want, func(tx *bbolt.Tx) error {
			var err error
			removed, err = e.removeSome(tx, q, s, want)
			return err
		})
		if err != nil {
			return total, err
		}
		total += int64(removed)
		if removed < want || q.Limit > 0 && total == int64(q.Limit) {
			return total, nil
		}
	}
}

func (e *Engine) removeSome(tx *bbolt.Tx, q store.Query, s span, want int) (int, error) {
	bucket := tx.Bucket(bucketOf(q))
	if bucket == nil {
		return 0, nil
	}
	var ids []string
	var broken error
	s.walk(bucket.Cursor(), q.Descending, nil, func(key, _ []byte) bool {
		id := key
		if q.Field != "" {
			if id, broken = idOf(key); broken != nil {
				return false
			}
		}
		ids = append(ids, string(id))
		return len(ids) < want
	})
	if broken != nil {
		return 0, fmt.Errorf("%w: %w", store.ErrDamaged, broken)
	}
	for _, id := range ids {
		if err := e.remove(tx, q.Collection, id, old(tx, q.Collection, id)); err != nil {
			return 0, err
		}
	}
	return len(ids), nil
}

// Now is this machine's clock, or the one given in Options.
func (e *Engine) Now(context.Context) (time.Time, error) { return e.clock(), nil }

func (e *Engine) clock() time.Time { return e.now().UTC().Truncate(time.Millisecond) }

// Ping says whether the file is open and can be read, and, when a write failed, whether one of that size can be written again:
// it tries, since whoever is told that it cannot may send no more work by which that would be found out.
func (e *Engine) Ping(ctx context.Context) error {
	err := e.view(ctx, func(tx *bbolt.Tx) error {
		if tx.Bucket(metaBucket) == nil {
			return store.ErrDamaged
		}
		return nil
	})
	room := e.health.room.Load()
	if err != nil || room == 0 {
		return err
	}
	err = e.writer.try(ctx, func(tx *bbolt.Tx) error { return tx.Bucket(metaBucket).Put(trialKey, make([]byte, room)) })
	if err == nil {
		err = e.writer.try(ctx, func(tx *bbolt.Tx) error { return tx.Bucket(metaBucket).Delete(trialKey) })
	}
	if err == nil {
		e.health.room.CompareAndSwap(room, 0) // unless another failed meanwhile
	}
	return err
}

// Close writes what is waiting and lets go of the file. Closing twice is closing once.
func (e *Engine) Close() error {
	e.once.Do(func() {
		e.writer.close()
		os.Remove(e.holder) // while the lock is held: afterwards it may be the next holder's
		if err := e.release(); err != nil {
			e.closed = fmt.Errorf("close store file: %w", err)
		}
	})
	return e.closed
}

// release closes the file. Of a damaged one bbolt may hold locks of its own that its Close would wait for; then the
// file's lock ends with the process, since the map over it stays.
func (e *Engine) release() error {
	if e.health.check() != nil {
		return e.file.Close()
	}
	return e.db.Close()
}

func bucketOf(q store.Query) []byte {
	if q.Field == "" {
		return documents(q.Collection)
	}
	return indexBucket(store.Index{Collection: q.Collection, Field: q.Field})
}

// old returns the stored document as it lies in the file, valid until the next change, or nil.
func old(tx *bbolt.Tx, collection, id string) bson.Raw {
	if b := tx.Bucket(documents(collection)); b != nil {
		return b.Get([]byte(id))
	}
	return nil
}

func checkedID(doc bson.Raw) (string, error) {
	id, err := store.DocumentID(doc)
	if err == nil && len(id) > bbolt.MaxKeySize {
		err = errors.New("id is too long")
	}
	return id, err
}

// putter checks before the transaction that [doc] can be indexed. The function it returns stores [doc] and replaces the
// index entries of [was], the document stored before.
func (e *Engine) putter(collection, id string, doc bson.Raw) (func(tx *bbolt.Tx, was bson.Raw) error, error) {
	indexes := e.indexes[collection]
	fresh, err := entries(indexes, id, doc)
	if err != nil {
		return nil, err
	}
	return func(tx *bbolt.Tx, was bson.Raw) error {
		stale, err := entries(indexes, id, was)
		if err != nil {
			return err
		}
		e.snapshots.keep(collection, id, was)
		for i, ix := range indexes {
			if bytes.Equal(stale[i], fresh[i]) {
				continue
			}
			if err := moveEntry(tx.Bucket(ix.bucket), stale[i], fresh[i]); err != nil {
				return fatal{err}
			}
		}
		b, err := tx.CreateBucketIfNotExists(documents(collection))
		if err == nil {
			err = b.Put([]byte(id), doc)
		}
		if err != nil {
			return fatal{err}
		}
		return nil
	}, nil
}

func moveEntry(b *bbolt.Bucket, stale, fresh []byte) error {
	if stale != nil {
		if err := b.Delete(stale); err != nil {
			return err
		}
	}
	if fresh != nil {
		return b.Put(fresh, nil)
	}
	return nil
}

func (e *Engine) remove(tx *bbolt.Tx, collection, id string, was bson.Raw) error {
	indexes := e.indexes[collection]
	stale, err := entries(indexes, id, was)
	if err != nil {
		return err
	}
	e.snapshots.keep(collection, id, was)
	for i, ix := range indexes {
		if err := moveEntry(tx.Bucket(ix.bucket), stale[i], nil); err != nil {
			return fatal{err}
		}
	}
	if err := tx.Bucket(documents(collection)).Delete([]byte(id)); err != nil {
		return fatal{err}
	}
	return nil
}
