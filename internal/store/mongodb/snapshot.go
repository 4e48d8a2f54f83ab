package mongodb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"llave/internal/store"
)

// Snapshot reads the whole database. A replica set or a sharded cluster of MongoDB 5.0 or newer shows all of it as it was at one moment
// (read concern snapshot), for as long as it keeps that: five minutes, unless it is set otherwise. Any other server shows each
// document as it is when its turn comes, chats first: what a chat leads to was written before it. Documents of others, whose _id
// is no string, are not ours.
func (e *Engine) Snapshot(ctx context.Context, begin func(store.Moment) error, each func(collection string, doc bson.Raw) error) error {
	names, err := e.collections(ctx)
	if err != nil {
		return err
	}
	frozen, exact, thaw, err := e.freeze(ctx)
	if err != nil {
		return err
	}
	defer thaw()
	if err := begin(store.Moment{At: e.clock.now().UTC().Truncate(time.Millisecond), Exact: exact, Engine: store.EngineMongoDB}); err != nil {
		return err
	}
	for _, name := range names {
		if err := e.readWhole(frozen, name, each); err != nil {
			return err
		}
	}
	return nil
}

// collections are the names of those that hold documents, the chats' first.
func (e *Engine) collections(ctx context.Context) ([]string, error) {
	all, err := e.db.ListCollectionSpecifications(ctx, bson.D{})
	if err != nil {
		return nil, failed("list collections", err)
	}
	var names []string
	for _, c := range all {
		if (c.Type == "" || c.Type == "collection") && !strings.HasPrefix(c.Name, "system.") {
			names = append(names, c.Name)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		switch {
		case a == b:
			return 0
		case a == store.Conversations:
			return -1
		case b == store.Conversations:
			return 1
		}
		return strings.Compare(a, b)
	})
	return names, nil
}

// freeze returns a context in which all reads show one moment; exact is false, and it is [ctx], where the server knows no such reads.
func (e *Engine) freeze(ctx context.Context) (frozen context.Context, exact bool, thaw func(), err error) {
	for range 2 { // a server that is just being replaced is asked again
		session, err := e.client.StartSession(options.Session().SetSnapshot(true))
		if err != nil {
			break
		}
		end := func() { session.EndSession(context.WithoutCancel(ctx)) }
		in := mongo.NewSessionContext(ctx, session)
		err = e.db.Collection(store.Settings).FindOne(in, bson.D{}).Err()
		if (err == nil || errors.Is(err, mongo.ErrNoDocuments)) && session.SnapshotTime().T != 0 {
			return in, true, end, nil
		}
		end()
		if err := e.Ping(ctx); err != nil {
			return nil, false, nil, err
		}
	}
	return ctx, false, func() {}, ctx.Err()
}

func (e *Engine) readWhole(ctx context.Context, collection string, each func(collection string, doc bson.Raw) error) error {
	doing := "read " + collection + " whole"
	cursor, err := e.db.Collection(collection).Find(ctx, bson.D{}, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}))
	if err != nil {
		return failed(doing, err)
	}
	var stop error
	err = drain(ctx, cursor, doing, func(doc bson.Raw) bool {
		id, err := store.DocumentID(doc)
		if err != nil || collection == store.Settings && id == schemaID {
			return true
		}
		stop = each(collection, doc)
		return stop == nil
	})
	return errors.Join(stop, err)
}

// Load stores documents as they are, versions included.
func (e *Engine) Load(ctx context.Context, collection string, docs []bson.Raw) error {
	if len(docs) == 0 {
		return nil
	}
	_, err := e.db.Collection(collection).InsertMany(ctx, docs, options.InsertMany().SetOrdered(false))
	if mongo.IsDuplicateKeyError(err) {
		return fmt.Errorf("load into %s: %w", collection, store.ErrDuplicate)
	}
	if err != nil {
		return failed("load into "+collection, err)
	}
	return nil
}

// buildingSchema is the format that a database says it has while it is being filled: no version of this program serves it.
const buildingSchema = 1<<31 - 1

func schemaDocument(format int64, building bool) bson.Raw {
	doc := bsoncore.NewDocumentBuilder().AppendString("_id", schemaID).AppendInt64("schema", format)
	if building {
		doc = doc.AppendBoolean("restoring", true)
	}
	return bson.Raw(doc.Build())
}

// unfinished says whether a database is being filled, or that broke off.
func unfinished(schema bson.Raw) bool {
	is, _ := schema.Lookup("restoring").BooleanOK()
	return is
}

// Build fills a database that has no documents. Until it is whole no program opens it (store.ErrUnfinished), so what dies meanwhile leaves
// nothing that serves. After an error it is empty again, if the server lets it be. The error wraps store.ErrTaken where there is something.
func Build(ctx context.Context, opt Options, fill func(e *Engine) error) (err error) {
	client, hosts, err := connect(opt)
	if err != nil {
		return fmt.Errorf("build store: %w", err)
	}
	e := &Engine{client: client, db: client.Database(opt.Database)}
	where := fmt.Sprintf("MongoDB at %s, database %s", hosts, opt.Database)
	if err := e.Ping(ctx); err != nil {
		return errors.Join(fmt.Errorf("build store: %s: %w", where, err), e.disconnect())
	}
	if e.clock, err = newClock(ctx, e.hello); err != nil {
		return errors.Join(fmt.Errorf("build store: %s: %w", where, err), e.disconnect())
	}
	e.clock.start(e.hello)
	defer func() { err = errors.Join(err, e.Close()) }()
	if err := e.claim(ctx); err != nil {
		return fmt.Errorf("%s: %w", where, err)
	}
	err = fill(e)
	if err == nil {
		err = e.index(ctx)
	}
	if err == nil {
		err = e.mark(ctx, schemaDocument(schema, false))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", where, errors.Join(err, e.empty(context.WithoutCancel(ctx))))
	}
	return nil
}

// claim marks an empty database as being filled. It looks before it writes, and after it: a database that is served is not touched.
func (e *Engine) claim(ctx context.Context) error {
	is, err := e.Get(ctx, store.Settings, schemaID)
	switch {
	case err == nil && unfinished(is):
		return fmt.Errorf("%w: drop the database (db.dropDatabase() in mongosh), unless one runs now, and do it again", store.ErrUnfinished)
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return err
	}
	if err := e.vacant(ctx); err != nil {
		return err
	}
	if is != nil {
		err = e.Replace(ctx, store.Settings, schemaID, store.DocumentVersion(is), schemaDocument(buildingSchema, true))
	} else {
		err = e.Insert(ctx, store.Settings, schemaDocument(buildingSchema, true))
	}
	if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrDuplicate) {
		return fmt.Errorf("%w: somebody begins it at this moment", store.ErrTaken)
	}
	if err != nil {
		return err
	}
	if err := e.vacant(ctx); err != nil {
		return errors.Join(err, e.mark(context.WithoutCancel(ctx), is))
	}
	return nil
}

// vacant is nil where no document is but the format's.
func (e *Engine) vacant(ctx context.Context) error {
	names, err := e.collections(ctx)
	if err != nil {
		return err
	}
	one := errors.New("there is one")
	for _, name := range names {
		switch err := e.readWhole(ctx, name, func(string, bson.Raw) error { return one }); {
		case errors.Is(err, one):
			return fmt.Errorf("%w: there are documents in %s", store.ErrTaken, name)
		case err != nil:
			return err
		}
	}
	return nil
}

// mark has the database say its format again; nil: none.
func (e *Engine) mark(ctx context.Context, schema bson.Raw) error {
	if schema == nil {
		return e.Delete(ctx, store.Settings, schemaID, -1)
	}
	now, err := e.Get(ctx, store.Settings, schemaID)
	if err != nil {
		return err
	}
	return e.Replace(ctx, store.Settings, schemaID, store.DocumentVersion(now), schema)
}

// emptying is how long it may take to take away what was loaded.
const emptying = time.Minute

// empty takes away what was loaded, the mark at last. Documents of others stay.
func (e *Engine) empty(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, emptying)
	defer cancel()
	names, err := e.collections(ctx)
	ours := bson.D{{Key: "_id", Value: bson.D{{Key: "$gte", Value: ""}, {Key: "$ne", Value: schemaID}}}} // a string compares with strings alone
	for _, name := range names {
		if err == nil {
			_, err = e.db.Collection(name).DeleteMany(ctx, ours)
		}
	}
	if err != nil {
		return failed("take away what was loaded; drop the database", err)
	}
	return e.Delete(ctx, store.Settings, schemaID, -1)
}
