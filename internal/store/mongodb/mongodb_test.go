package mongodb_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.uber.org/goleak"

	"llave/internal/affiliate"
	"llave/internal/store"
	"llave/internal/store/mongodb"
	"llave/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEngine(t *testing.T) {
	storetest.Run(t, func(t testing.TB) store.Engine { return storetest.MongoDB(t) })
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Several processes open one new database at once, and then do everything at once.
func TestEngine_severalProcesses(t *testing.T) {
	uri := storetest.MongoURI(t)
	database := storetest.NewDatabase(t, uri)
	engines := make([]store.Engine, 3)
	var wg sync.WaitGroup
	for i := range engines {
		wg.Go(func() {
			e, err := mongodb.Open(t.Context(), mongodb.Options{URI: uri, Database: database, Timeout: time.Minute})
			if err != nil {
				t.Errorf("open by process %d: %v", i, err)
				return
			}
			t.Cleanup(func() { e.Close() })
			engines[i] = e
		})
	}
	wg.Wait()
	if !t.Failed() {
		storetest.RunConcurrently(t, engines...)
	}
}

// raw is the database as others see it.
func raw(t testing.TB, uri, database string) *mongo.Database {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	must(t, err)
	t.Cleanup(func() { client.Disconnect(context.Background()) })
	return client.Database(database)
}

// Records that others wrote have no version, or one of another type. They are found, changed and kept whole.
func TestEngine_documentsOfOthers(t *testing.T) {
	uri := storetest.MongoURI(t)
	database := storetest.NewDatabase(t, uri)
	e := storetest.MongoDatabase(t, uri, database)
	records := store.New(e).Affiliates
	for i, c := range []struct {
		name    string
		version any
		want    int64
	}{
		{"none", bson.E{}, 0}, {"null", nil, 0}, {"int64", int64(3), 3}, {"int32", int32(3), 3}, {"double", 3.0, 3}, {"zero", int32(0), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			id := string(rune('a'+i)) + "-1"
			d := bson.D{{Key: "_id", Value: id}, {Key: "status", Value: "locked"}, {Key: "data_updated_at", Value: "2025-03-01"},
				{Key: "branch", Value: bson.A{"x", 1}}}
			if c.version != (bson.E{}) {
				d = append(d, bson.E{Key: "v", Value: c.version})
			}
			_, err := raw(t, uri, database).Collection(store.Affiliates).InsertOne(t.Context(), d)
			must(t, err)
			got, found, err := records.Find(t.Context(), id)
			must(t, err)
			if !found || got.Version != c.want || got.DataUpdatedAt.IsZero() {
				t.Errorf("got %+v, %v; want version %d", got, found, c.want)
			}
			must(t, records.SetStatus(t.Context(), got, affiliate.Active))
			doc, err := e.Get(t.Context(), store.Affiliates, id)
			must(t, err)
			if v := store.DocumentVersion(doc); v != c.want+1 || doc.Lookup("branch").Type != bson.TypeArray {
				t.Errorf("after a change: got %v, want version %d and every field", doc, c.want+1)
			}
		})
	}
}

// A scan that names the fields it reads has no others come over the wire.
func TestEngine_scanOnly(t *testing.T) {
	e := storetest.MongoDB(t)
	doc, err := bson.Marshal(bson.D{
		{Key: "_id", Value: "a"}, {Key: "wake_at", Value: time.Date(2025, 9, 1, 0, 0, 0, 0, time.UTC)}, {Key: "tail", Value: strings.Repeat("x", 100_000)},
		{Key: "promises", Value: bson.A{bson.D{{Key: "lane", Value: "chat"}, {Key: "text", Value: strings.Repeat("y", 100_000)}}}},
	})
	must(t, err)
	must(t, e.Insert(t.Context(), store.Conversations, doc))
	size := 0
	must(t, e.Scan(t.Context(), store.Query{Collection: store.Conversations, Field: "wake_at", Only: []string{"promises.lane"}}, func(raw bson.Raw) bool {
		size += len(raw)
		return true
	}))
	if size == 0 || size > 100 {
		t.Errorf("%d bytes came, want a hundred at most", size)
	}
}

// TestOpen_newer shows P412.
func TestOpen_newer(t *testing.T) {
	uri := storetest.MongoURI(t)
	database := storetest.NewDatabase(t, uri)
	settings := raw(t, uri, database).Collection(store.Settings)
	_, err := settings.InsertOne(t.Context(), bson.D{{Key: "_id", Value: "schema"}, {Key: "schema", Value: 2}})
	must(t, err)
	if _, err := mongodb.Open(t.Context(), mongodb.Options{URI: uri, Database: database}); !errors.Is(err, store.ErrNewer) {
		t.Errorf("got %v, want %v", err, store.ErrNewer)
	}
}

// refusing is an address where nobody listens.
func refusing(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	must(t, l.Close())
	return l.Addr().String()
}

func TestOpen_unreachable(t *testing.T) {
	address := refusing(t)
	uri := "mongodb://someone:hunter%402@" + address + "/?authSource=admin"
	_, err := mongodb.Open(t.Context(), mongodb.Options{URI: uri, Database: "llave", Select: 300 * time.Millisecond})
	if !errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("got %v, want %v", err, store.ErrUnavailable)
	}
	if text := err.Error(); !strings.Contains(text, address) || strings.Contains(text, "hunter") || strings.Contains(text, "someone") {
		t.Errorf("%q: want the address and no credentials", text)
	}
}

func TestOpen_badURI(t *testing.T) {
	for _, uri := range []string{
		"", "localhost:27017", "http://user:hunter2@localhost/", "mongodb://", "mongodb://user:hunt/er2@localhost/",
		"mongodb://user:hunter2%zz@localhost/", "mongodb://user:hunter2@localhost:99999/", "mongodb://user:hunter2@localhost/?w=-1",
		"mongodb://localhost/?replicaSet", "mongodb://user:hunter2@localhost/?timeoutMS=hunter2",
	} {
		_, err := mongodb.Open(t.Context(), mongodb.Options{URI: uri, Database: "llave", Select: 100 * time.Millisecond})
		if err == nil {
			t.Errorf("%q: got no error", uri)
		} else if strings.Contains(err.Error(), "hunt") || strings.Contains(err.Error(), "user") && strings.Contains(uri, "@") &&
			!strings.Contains(err.Error(), "user and password") {
			t.Errorf("%q: the error quotes it: %v", uri, err)
		}
	}
	if _, err := mongodb.Open(t.Context(), mongodb.Options{URI: "mongodb://localhost/"}); err == nil {
		t.Error("no database: got no error")
	}
}

// relay passes connections on to a server until it is cut, and again when it is mended.
type relay struct {
	listener net.Listener
	to       string
	mu       sync.Mutex
	cut      bool
	open     map[net.Conn]bool
	wg       sync.WaitGroup
}

func newRelay(t testing.TB, to string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	r := &relay{listener: l, to: to, open: map[net.Conn]bool{}}
	r.wg.Go(r.serve)
	t.Cleanup(func() {
		l.Close()
		r.set(true)
		r.wg.Wait()
	})
	return r
}

func (r *relay) serve() {
	for {
		in, err := r.listener.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", r.to)
		if err != nil || !r.admit(in, out) {
			in.Close()
			if out != nil {
				out.Close()
			}
			continue
		}
		pass := func(to, from net.Conn) {
			io.Copy(to, from)
			to.Close()
			from.Close()
		}
		r.wg.Go(func() { pass(in, out) })
		r.wg.Go(func() { pass(out, in) })
	}
}

func (r *relay) admit(conns ...net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range conns {
		r.open[c] = true
	}
	return !r.cut
}

func (r *relay) set(cut bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cut = cut
	if cut {
		for c := range r.open {
			c.Close()
		}
		clear(r.open)
	}
}

// A server that goes away is an ErrUnavailable, its clock goes on, and when it is back everything works again.
func TestEngine_serverGone(t *testing.T) {
	uri := storetest.MongoURI(t)
	database := storetest.NewDatabase(t, uri)
	storetest.MongoDatabase(t, uri, database) // makes the indexes, which may take long
	hosts := options.Client().ApplyURI(uri).Hosts
	r := newRelay(t, hosts[0])
	through := strings.Replace(uri, hosts[0], r.listener.Addr().String(), 1)
	e, err := mongodb.Open(t.Context(), mongodb.Options{URI: through, Database: database, Select: 300 * time.Millisecond, Timeout: 10 * time.Second})
	must(t, err)
	defer e.Close()
	doc, err := bson.Marshal(bson.D{{Key: "_id", Value: "1710034065"}})
	must(t, err)
	must(t, e.Insert(t.Context(), store.Cases, doc))

	r.set(true)
	_, get := e.Get(t.Context(), store.Cases, "1710034065")
	_, inc := e.Increment(t.Context(), store.Counters, "1710034065", 1, time.Time{})
	for name, err := range map[string]error{
		"get":     get,
		"incr":    inc,
		"insert":  e.Insert(t.Context(), store.Cases, doc),
		"replace": e.Replace(t.Context(), store.Cases, "1710034065", 1, doc),
		"delete":  e.Delete(t.Context(), store.Cases, "1710034065", 1),
		"upsert":  e.BulkUpsert(t.Context(), store.Cases, []bson.Raw{doc}),
		"scan":    e.Scan(t.Context(), store.Query{Collection: store.Cases}, func(bson.Raw) bool { return true }),
		"ping":    e.Ping(t.Context()),
	} {
		if !errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrConflict) {
			t.Errorf("%s: got %v, want %v", name, err, store.ErrUnavailable)
		} else if strings.Contains(err.Error(), "1710034065") {
			t.Errorf("%s: the error names the number: %v", name, err)
		}
	}
	if _, err := e.Now(t.Context()); err != nil {
		t.Errorf("now: %v", err)
	}

	r.set(false)
	for e.Ping(t.Context()) != nil { // ends with the test's own time limit at the latest
		time.Sleep(20 * time.Millisecond)
	}
	must(t, e.Replace(t.Context(), store.Cases, "1710034065", 1, doc))
}
