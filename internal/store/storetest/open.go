// Package storetest is the suite that every engine has to pass, and gives tests an engine.
//
// Run tests an engine, RunRepositories the repositories over it. Each test gets a store of its own: a new directory for
// bolt, a new database for MongoDB, which is dropped afterwards. TEST_MONGODB_URI names the MongoDB server; without it
// those tests are skipped, and say so.
package storetest

import (
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"llave/internal/store"
	"llave/internal/store/bolt"
	"llave/internal/store/mongodb"
)

// Clock is a clock that tests set. The zero value begins at the time of its first use and stands still.
type Clock struct {
	mu sync.Mutex
	t  time.Time
}

// NewClock returns a clock that stands at [t].
func NewClock(t time.Time) *Clock { return &Clock{t: t} }

// Now is what the clock shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now()
}

func (c *Clock) now() time.Time {
	if c.t.IsZero() {
		c.t = time.Now()
	}
	return c.t
}

// Advance moves the clock on.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.now().Add(d)
}

// Bolt opens an embedded store in a new directory, to be closed when the test ends. [now] may be nil.
func Bolt(t testing.TB, now func() time.Time) *bolt.Engine {
	t.Helper()
	e, err := bolt.Open(t.Context(), bolt.Options{Dir: t.TempDir(), Now: now, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("close store: %v", err)
		}
	})
	return e
}

// MongoDB opens a store over a new database of the test server, to be dropped and closed when the test ends.
func MongoDB(t testing.TB) *mongodb.Engine {
	t.Helper()
	uri := MongoURI(t)
	return MongoDatabase(t, uri, NewDatabase(t, uri))
}

// MongoDatabase opens a store over a database that may be open already, as another process would.
func MongoDatabase(t testing.TB, uri, database string) *mongodb.Engine {
	t.Helper()
	// The test server is slow to make indexes when several tests do so at once.
	e, err := mongodb.Open(t.Context(), mongodb.Options{URI: uri, Database: database, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("close store: %v", err)
		}
	})
	return e
}

// MongoURI names the test server. Without one the test is skipped; where CI is set and a server could have been
// started it fails instead.
func MongoURI(t testing.TB) string {
	t.Helper()
	uri := os.Getenv("TEST_MONGODB_URI")
	if uri == "" {
		if os.Getenv("CI") == "true" && starterExists() {
			t.Fatal("TEST_MONGODB_URI is not set, though ../shared/mongo/up is there to start a server")
		}
		t.Skip("SKIP: TEST_MONGODB_URI is not set, so nothing is tested against MongoDB here")
	}
	return uri
}

// starterExists says whether ../shared/mongo/up lies beside the repository.
func starterExists() bool {
	dir, err := os.Getwd()
	for ; err == nil && dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			_, err := os.Stat(filepath.Join(dir, "..", "shared", "mongo", "up"))
			return err == nil
		}
	}
	return false
}

// NewDatabase returns the name of a database that does not exist, and drops it when the test ends.
func NewDatabase(t testing.TB, uri string) string {
	t.Helper()
	name := "llave_test_" + strings.ToLower(rand.Text()[:12])
	DropDatabase(t, uri, name)
	return name
}

// DropDatabase drops a database when the test ends.
func DropDatabase(t testing.TB, uri, name string) {
	t.Helper()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		client, err := mongo.Connect(options.Client().ApplyURI(uri))
		if err != nil {
			t.Errorf("drop test database: %v", err)
			return
		}
		defer client.Disconnect(ctx)
		if err := client.Database(name).Drop(ctx); err != nil {
			t.Errorf("drop test database: %v", err)
		}
	})
}

// Restore puts documents into a database as they are, versions included: a store that an earlier version wrote.
func Restore(t testing.TB, uri, database string, docs map[string][]bson.Raw) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatalf("restore a store: %v", err)
	}
	defer client.Disconnect(ctx)
	for collection, all := range docs {
		if _, err := client.Database(database).Collection(collection).InsertMany(ctx, all); err != nil {
			t.Fatalf("restore %s: %v", collection, err)
		}
	}
}

// Backend is one kind of store for a test to run on.
type Backend struct {
	Name string
	Open func(t testing.TB) store.Engine // skips the test where there is none
}

// Backends are all kinds of store.
func Backends() []Backend {
	return []Backend{
		{"bolt", func(t testing.TB) store.Engine { return Bolt(t, nil) }},
		{"mongodb", func(t testing.TB) store.Engine { return MongoDB(t) }},
	}
}

// Engines runs a test on every kind of store, each in a subtest of its own.
func Engines(t *testing.T, test func(t *testing.T, e store.Engine)) {
	t.Helper()
	for _, b := range Backends() {
		t.Run(b.Name, func(t *testing.T) { test(t, b.Open(t)) })
	}
}

// DropIndex takes an index of a declared field away, as nobody but an operator does.
func DropIndex(t testing.TB, uri, database string, ix store.Index) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Disconnect(ctx)
	if err := client.Database(database).Collection(ix.Collection).Indexes().DropWithKey(ctx, bson.D{{Key: ix.Field, Value: 1}, {Key: "_id", Value: 1}}); err != nil {
		t.Fatal(err)
	}
}
