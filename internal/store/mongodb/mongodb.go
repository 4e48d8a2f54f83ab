// Package mongodb is the production store: MongoDB 4.4 or newer (a standalone server, a replica set or a sharded cluster),
// or a server that speaks its protocol. Any number of processes share it.
//
// Whatever must be atomic is one document and one conditional write on it, so no transactions are needed. What not every
// server has is not used: change streams, collation, pipeline updates, $expr, TTL indexes, the client-wide bulk write. What
// must be unique is claimed by inserting an _id, because some servers report a duplicate in findAndModify with the wrong
// code. Writes are acknowledged by a majority that has them in its journal; reads go to the primary and see only what a
// majority has.
//
// Errors carry the server's code and its name, never its message: messages quote documents, and those hold numbers.
package mongodb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"llave/internal/store"
)

// schema is what this program writes. A database with a higher one is left alone.
const schema = 1

const schemaID = "schema"

// never is what a counter without an expiry expires at.
var never = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)

// connecting is how many connections may be opened at once. With the driver's own two, a server that takes two seconds to
// answer a greeting lets in one more request a second, and all others time out waiting for a connection.
const connecting = 32

// Options says where the database is. URI and Database are needed.
type Options struct {
	URI      string // holds a password: it appears in no error
	Database string
	AppName  string        // how the server's own lists call us
	Select   time.Duration // how long to look for a server; 0 is 5 s, or what the URI says
	Timeout  time.Duration // the longest an operation without a deadline of its own may take; 0 is 10 s, or what the URI says
	Bare     bool          // the database has no indexes: it is read whole
}

// Engine is a store.Engine over one database.
type Engine struct {
	client *mongo.Client
	db     *mongo.Database
	clock  *clock
}

var _ store.Engine = (*Engine)(nil)

// Open connects, makes the indexes that are missing and reads the server's clock. When no server answers the error
// wraps store.ErrUnavailable and names the addresses tried.
func Open(ctx context.Context, opt Options) (*Engine, error) {
	client, hosts, err := connect(opt)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	e := &Engine{client: client, db: client.Database(opt.Database)}
	if err := e.prepare(ctx, opt.Bare); err != nil {
		_ = e.disconnect() // the first error is the one to tell
		return nil, fmt.Errorf("open store: MongoDB at %s, database %s: %w", hosts, opt.Database, err)
	}
	e.clock.start(e.hello)
	return e, nil
}

func connect(opt Options) (client *mongo.Client, hosts string, err error) {
	if opt.Database == "" {
		return nil, "", errors.New("no database named")
	}
	c := options.Client().ApplyURI(opt.URI)
	if err := c.Validate(); err != nil {
		return nil, "", uriError(opt.URI, err)
	}
	if opt.AppName != "" {
		c.SetAppName(opt.AppName)
	}
	if opt.Select > 0 || c.ServerSelectionTimeout == nil {
		c.SetServerSelectionTimeout(defaulted(opt.Select, 5*time.Second))
	}
	if opt.Timeout > 0 || c.Timeout == nil {
		c.SetTimeout(defaulted(opt.Timeout, 10*time.Second))
	}
	if c.ConnectTimeout == nil {
		c.SetConnectTimeout(5 * time.Second)
	}
	if c.MaxConnecting == nil {
		c.SetMaxConnecting(connecting)
	}
	if c.MaxConnIdleTime == nil { // a burst opens many; what stays open costs both sides, and firewalls forget it silently
		c.SetMaxConnIdleTime(30 * time.Second)
	}
	journaled := true
	c.SetWriteConcern(&writeconcern.WriteConcern{W: writeconcern.WCMajority, Journal: &journaled})
	c.SetReadConcern(readconcern.Majority())
	c.SetReadPreference(readpref.Primary())
	hosts = strings.Join(c.Hosts, ", ")
	if client, err = mongo.Connect(c); err != nil {
		return nil, hosts, uriError(opt.URI, err)
	}
	return client, hosts, nil
}

func defaulted(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}

func (e *Engine) prepare(ctx context.Context, bare bool) error {
	if err := e.Ping(ctx); err != nil {
		return err
	}
	if err := e.checkSchema(ctx); err != nil {
		return err
	}
	if !bare {
		if err := e.index(ctx); err != nil {
			return err
		}
	}
	var err error
	e.clock, err = newClock(ctx, e.hello)
	return err
}

// index makes the indexes that are missing.
func (e *Engine) index(ctx context.Context) error {
	models := map[string][]mongo.IndexModel{}
	for _, ix := range store.Indexes {
		models[ix.Collection] = append(models[ix.Collection],
			mongo.IndexModel{Keys: bson.D{{Key: ix.Field, Value: 1}, {Key: "_id", Value: 1}}})
	}
	for collection, m := range models {
		if _, err := e.db.Collection(collection).Indexes().CreateMany(ctx, m); err != nil {
			return failed("create indexes of "+collection, err)
		}
	}
	return nil
}

func (e *Engine) checkSchema(ctx context.Context) error {
	for {
		raw, err := e.Get(ctx, store.Settings, schemaID)
		if errors.Is(err, store.ErrNotFound) {
			if err := e.Insert(ctx, store.Settings, schemaDocument(schema, false)); err != nil && !errors.Is(err, store.ErrDuplicate) {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		if unfinished(raw) {
			return store.ErrUnfinished
		}
		if found, _ := raw.Lookup("schema").AsInt64OK(); found > schema {
			return fmt.Errorf("%w: the database has format %d, this program knows %d", store.ErrNewer, found, schema)
		}
		return nil
	}
}

// Get returns a copy of the document.
func (e *Engine) Get(ctx context.Context, collection, id string) (bson.Raw, error) {
	raw, err := e.db.Collection(collection).FindOne(ctx, bson.D{{Key: "_id", Value: id}}).Raw()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return nil, store.ErrNotFound
	}
	if err != nil {
		return nil, failed("get from "+collection, err)
	}
	return raw, nil
}

// GetMany calls [each] for the documents that are there.
func (e *Engine) GetMany(ctx context.Context, collection string, ids []string, each func(bson.Raw)) error {
	if len(ids) == 0 {
		return nil
	}
	cursor, err := e.db.Collection(collection).Find(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}})
	if err != nil {
		return failed("get from "+collection, err)
	}
	return drain(ctx, cursor, "get from "+collection, func(doc bson.Raw) bool {
		each(doc)
		return true
	})
}

// drain calls [each] for what a cursor has until it returns false, and closes it.
func drain(ctx context.Context, cursor *mongo.Cursor, doing string, each func(bson.Raw) bool) error {
	defer cursor.Close(context.WithoutCancel(ctx)) // the server is told even when ctx has ended
	for cursor.Next(ctx) {
		if !each(bytes.Clone(cursor.Current)) {
			return nil
		}
	}
	if err := cursor.Err(); err != nil {
		return failed(doing, err)
	}
	return nil
}

// Insert stores a new document with version 1.
func (e *Engine) Insert(ctx context.Context, collection string, doc bson.Raw) error {
	_, err := store.DocumentID(doc)
	if err == nil {
		doc, err = store.WithVersion(doc, 1)
	}
	if err != nil {
		return fmt.Errorf("insert into %s: %w", collection, err)
	}
	if _, err = e.db.Collection(collection).InsertOne(ctx, doc); mongo.IsDuplicateKeyError(err) {
		return store.ErrDuplicate
	}
	if err != nil {
		return failed("insert into "+collection, err)
	}
	return nil
}

// at is the filter for a document at a version. Documents that others wrote without one have version 0.
func at(id string, version int64) bson.D {
	if version == 0 {
		return bson.D{{Key: "_id", Value: id}, {Key: store.VersionField, Value: bson.D{{Key: "$in", Value: bson.A{int64(0), nil}}}}}
	}
	return bson.D{{Key: "_id", Value: id}, {Key: store.VersionField, Value: version}}
}

// Replace stores [doc] where the stored version is [version]. When the connection breaks the write may have happened: the
// error is then neither nil nor ErrConflict, and reading the document again tells.
func (e *Engine) Replace(ctx context.Context, collection, id string, version int64, doc bson.Raw) error {
	given, err := store.DocumentID(doc)
	if err == nil && given != id {
		err = errors.New("the document has another id")
	}
	if err == nil {
		doc, err = store.WithVersion(doc, version+1)
	}
	if err != nil {
		return fmt.Errorf("replace in %s: %w", collection, err)
	}
	result, err := e.db.Collection(collection).ReplaceOne(ctx, at(id, version), doc)
	if err != nil {
		return failed("replace in "+collection, err)
	}
	if result.MatchedCount == 0 {
		return store.ErrConflict
	}
	return nil
}

// Delete removes the document where its version is [version]; a negative one removes any.
func (e *Engine) Delete(ctx context.Context, collection, id string, version int64) error {
	c := e.db.Collection(collection)
	filter := bson.D{{Key: "_id", Value: id}}
	if version >= 0 {
		filter = at(id, version)
	}
	result, err := c.DeleteOne(ctx, filter)
	if err != nil {
		return failed("delete from "+collection, err)
	}
	if result.DeletedCount > 0 || version < 0 {
		return nil
	}
	_, err = e.Get(ctx, collection, id)
	switch {
	case err == nil:
		return store.ErrConflict
	case errors.Is(err, store.ErrNotFound):
		return nil
	}
	return err
}

// filter is the query's range. A bound compares only values of its own type, as the server does by itself.
func filter(q store.Query) bson.D {
	bounds := bson.D{}
	if q.From != nil {
		bounds = append(bounds, bson.E{Key: "$gte", Value: q.From})
	}
	if q.To != nil {
		bounds = append(bounds, bson.E{Key: "$lt", Value: q.To})
	}
	field := q.Field
	switch {
	case field == "" && len(bounds) == 0:
		return bson.D{}
	case field == "":
		field = "_id"
	case len(bounds) == 0:
		bounds = bson.D{{Key: "$ne", Value: nil}}
	}
	return bson.D{{Key: field, Value: bounds}}
}

func order(q store.Query) bson.D {
	direction := 1
	if q.Descending {
		direction = -1
	}
	if q.Field == "" {
		return bson.D{{Key: "_id", Value: direction}}
	}
	return bson.D{{Key: q.Field, Value: direction}, {Key: "_id", Value: direction}}
}

// Scan calls [each] for every document of the query.
func (e *Engine) Scan(ctx context.Context, q store.Query, each func(bson.Raw) bool) error {
	if err := q.Check(); err != nil {
		return fmt.Errorf("scan: %w", err)
	}
	if q.Only == nil {
		return e.find(ctx, q, nil, each)
	}
	only := bson.D{}
	for _, field := range q.Only {
		only = append(only, bson.E{Key: field, Value: 1})
	}
	return e.find(ctx, q, only, each)
}

func (e *Engine) find(ctx context.Context, q store.Query, projection any, each func(bson.Raw) bool) error {
	opt := options.Find().SetSort(order(q)).SetLimit(int64(q.Limit))
	if projection != nil {
		opt.SetProjection(projection)
	}
	cursor, err := e.db.Collection(q.Collection).Find(ctx, filter(q), opt)
	if err != nil {
		return failed("scan "+q.Collection, err)
	}
	return drain(ctx, cursor, "scan "+q.Collection, each)
}

// Count returns how many documents the query has.
func (e *Engine) Count(ctx context.Context, q store.Query) (int64, error) {
	if err := q.Check(); err != nil {
		return 0, fmt.Errorf("count: %w", err)
	}
	opt := options.Count()
	if q.Limit > 0 {
		opt.SetLimit(int64(q.Limit))
	}
	n, err := e.db.Collection(q.Collection).CountDocuments(ctx, filter(q), opt)
	if err != nil {
		return 0, failed("count "+q.Collection, err)
	}
	return n, nil
}

// Increment adds to a counter, and begins again when it has expired. A counter is in one of three states, and each has
// one conditional write that fits it alone: living, it is added to; expired, it is set anew; missing, it is inserted.
// When none fits, the state changed in between, and it is looked at again.
func (e *Engine) Increment(ctx context.Context, collection, id string, by int64, expires time.Time) (int64, error) {
	if expires.IsZero() {
		expires = never
	}
	for range incrementTries {
		n, done, err := e.tryIncrement(ctx, collection, id, by, expires)
		if err != nil {
			return 0, failed("increment in "+collection, err)
		}
		if done {
			return n, nil
		}
	}
	return 0, fmt.Errorf("increment in %s: what is stored there is not a counter", collection)
}

// incrementTries is far more often than a counter can change its state between two looks.
const incrementTries = 1000

func (e *Engine) tryIncrement(ctx context.Context, collection, id string, by int64, expires time.Time) (n int64, done bool, err error) {
	c, now := e.db.Collection(collection), e.clock.now()
	n, done, err = modify(ctx, c,
		bson.D{{Key: "_id", Value: id}, {Key: "expires", Value: bson.D{{Key: "$gt", Value: now}}}},
		bson.D{{Key: "$inc", Value: bson.D{{Key: "n", Value: by}, {Key: store.VersionField, Value: int64(1)}}}})
	if done || err != nil {
		return n, done, err
	}
	n, done, err = modify(ctx, c,
		bson.D{{Key: "_id", Value: id}, {Key: "expires", Value: bson.D{{Key: "$lte", Value: now}}}},
		bson.D{
			{Key: "$set", Value: bson.D{{Key: "n", Value: by}, {Key: "expires", Value: expires}}},
			{Key: "$inc", Value: bson.D{{Key: store.VersionField, Value: int64(1)}}},
		})
	if done || err != nil {
		return n, done, err
	}
	_, err = c.InsertOne(ctx, bson.D{
		{Key: "_id", Value: id}, {Key: store.VersionField, Value: int64(1)}, {Key: "n", Value: by}, {Key: "expires", Value: expires},
	})
	if mongo.IsDuplicateKeyError(err) {
		return 0, false, nil
	}
	return by, err == nil, err
}

// modify changes the counter that fits the filter and returns its new value, and whether there was one.
func modify(ctx context.Context, c *mongo.Collection, filter, update bson.D) (n int64, found bool, err error) {
	raw, err := c.FindOneAndUpdate(ctx, filter, update, options.FindOneAndUpdate().SetReturnDocument(options.After)).Raw()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	n, _ = raw.Lookup("n").AsInt64OK()
	return n, true, nil
}

// BulkUpsert stores documents by _id, laying the given fields over what is stored. Documents that lost a race to be
// the first of their id are tried again.
func (e *Engine) BulkUpsert(ctx context.Context, collection string, docs []bson.Raw) error {
	models := make([]mongo.WriteModel, len(docs))
	for i, doc := range docs {
		m, err := upsert(doc)
		if err != nil {
			return fmt.Errorf("upsert into %s: %w", collection, err)
		}
		models[i] = m
	}
	for len(models) > 0 {
		_, err := e.db.Collection(collection).BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
		if err == nil {
			return nil
		}
		if models = lostRaces(models, err); models == nil {
			return failed("upsert into "+collection, err)
		}
	}
	return nil
}

func upsert(doc bson.Raw) (mongo.WriteModel, error) {
	id, err := store.DocumentID(doc)
	if err != nil {
		return nil, err
	}
	elements, err := doc.Elements()
	if err != nil {
		return nil, err
	}
	start, set := bsoncore.AppendDocumentStart(make([]byte, 0, len(doc)))
	fields := 0
	for _, element := range elements {
		if key := element.Key(); key != "_id" && key != store.VersionField {
			set = append(set, element...)
			fields++
		}
	}
	if set, err = bsoncore.AppendDocumentEnd(set, start); err != nil {
		return nil, err
	}
	update := bson.D{{Key: "$inc", Value: bson.D{{Key: store.VersionField, Value: int64(1)}}}}
	if fields > 0 {
		update = append(update, bson.E{Key: "$set", Value: bson.Raw(set)})
	}
	return mongo.NewUpdateOneModel().SetFilter(bson.D{{Key: "_id", Value: id}}).SetUpdate(update).SetUpsert(true), nil
}

// lostRaces returns the models that failed as duplicates, or nil when anything else went wrong too.
func lostRaces(models []mongo.WriteModel, err error) []mongo.WriteModel {
	var bulk mongo.BulkWriteException
	if !errors.As(err, &bulk) || bulk.WriteConcernError != nil {
		return nil
	}
	var again []mongo.WriteModel
	for _, we := range bulk.WriteErrors {
		if !we.HasErrorCode(11000) || we.Index < 0 || we.Index >= len(models) {
			return nil
		}
		again = append(again, models[we.Index])
	}
	return again
}

// deleteChunk is how many documents are removed with one command.
const deleteChunk = 1000

// DeleteRange removes the documents of the query. Each is removed only if it still is in the range.
func (e *Engine) DeleteRange(ctx context.Context, q store.Query) (int64, error) {
	if err := q.Check(); err != nil {
		return 0, fmt.Errorf("delete range: %w", err)
	}
	var total int64
	for {
		chunk := q
		chunk.Limit = deleteChunk
		if q.Limit > 0 {
			chunk.Limit = min(deleteChunk, q.Limit-int(total))
		}
		var ids []string
		err := e.find(ctx, chunk, bson.D{{Key: "_id", Value: 1}}, func(raw bson.Raw) bool {
			if id, err := store.DocumentID(raw); err == nil {
				ids = append(ids, id)
			}
			return true
		})
		if err != nil || len(ids) == 0 {
			return total, err
		}
		doomed := bson.D{{Key: "$and", Value: bson.A{
			bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}}, filter(q),
		}}}
		result, err := e.db.Collection(q.Collection).DeleteMany(ctx, doomed)
		if err != nil {
			return total, failed("delete from "+q.Collection, err)
		}
		total += result.DeletedCount
		if len(ids) < chunk.Limit || q.Limit > 0 && total >= int64(q.Limit) {
			return total, nil
		}
	}
}

// Now is the server's clock: read now and then, carried on by this process's monotonic one. It asks nobody.
func (e *Engine) Now(context.Context) (time.Time, error) { return e.clock.now(), nil }

// Ping says whether the primary answers.
func (e *Engine) Ping(ctx context.Context) error {
	if err := e.client.Ping(ctx, readpref.Primary()); err != nil {
		return failed("ping", err)
	}
	return nil
}

// Close waits for what is under way and disconnects. Closing twice is closing once.
func (e *Engine) Close() error {
	e.clock.stop()
	return e.disconnect()
}

// disconnect ends the connections; it waits for operations under way, but not longer than they may take.
func (e *Engine) disconnect() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := e.client.Disconnect(ctx); err != nil && !errors.Is(err, mongo.ErrClientDisconnected) {
		return failed("close", err)
	}
	return nil
}
