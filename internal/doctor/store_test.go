package doctor

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/internal/secret"
	"llave/internal/store"
	"llave/internal/store/bolt"
	"llave/internal/store/mongodb"
	"llave/internal/store/storetest"
)

var otherKey = base64.StdEncoding.EncodeToString([]byte("another secret key for the doctor, also long"))

// setUp gives a store its data key, under these secret keys.
func setUp(t *testing.T, e store.Engine, keys string) {
	t.Helper()
	k, err := secret.ParseKeys(keys)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.New(e).DataKey(t.Context(), k); err != nil {
		t.Fatal(err)
	}
}

// newer makes a database one that a later version has written.
func newer(t *testing.T, e store.Engine) {
	t.Helper()
	doc, err := bson.Marshal(bson.D{{Key: "_id", Value: "schema"}, {Key: "schema", Value: int64(99)}})
	if err == nil {
		err = e.BulkUpsert(t.Context(), store.Settings, []bson.Raw{doc})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestStore_embedded(t *testing.T) {
	c := newClinic(t)
	c.finds("store", "embedded", Green, "will be made")
	if _, err := os.Stat(c.dataDir()); err == nil {
		t.Fatal("the doctor has made a store")
	}
	e, err := bolt.Open(t.Context(), bolt.Options{Dir: c.dataDir()})
	if err != nil {
		t.Fatal(err)
	}
	c.finds("store", "embedded", Green, "held by process")
	setUp(t, e, otherKey)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	f := c.finds("store", "embedded", Red, "its secret key is not")
	if f.Do == "" {
		t.Error("nothing is said to do")
	}
	c.set("LLAVE_SECRET_KEY=" + otherKey)
	c.finds("store", "embedded", Green, "the secret key opens it")
	c.set("LLAVE_SECRET_KEY=" + secretKey + "," + otherKey)
	c.finds("store", "embedded", Yellow, "older secret key")
	c.set("LLAVE_SECRET_KEY=" + secretKey)
	c.finds("store", "embedded", Red, "does not open this store")
	if err := os.Truncate(filepath.Join(c.dataDir(), bolt.FileName), 5000); err != nil {
		t.Fatal(err)
	}
	c.finds("store", "embedded", Red, "damaged")
}

func TestStore_mongodbAway(t *testing.T) {
	c := newClinic(t).set("LLAVE_SECRET_KEY="+secretKey, "LLAVE_MONGODB_URI=mongodb://llave:"+mongoPass+"@"+nowhere(t)+"/")
	c.opt.Within = time.Second
	c.finds("store", "connection", Red, "cannot be reached: nobody listens there")
	c.lacks("store", "version")
	c.set("LLAVE_MONGODB_URI=mongodb://llave:" + mongoPass + "@db.example/?maxPoolSize=many")
	c.finds("store", "address", Red, "cannot be read")
}

func TestStore_mongodb(t *testing.T) {
	uri := storetest.MongoURI(t)
	database := storetest.NewDatabase(t, uri)
	c := newClinic(t).set("LLAVE_SECRET_KEY="+secretKey, "LLAVE_MONGODB_URI="+uri, "LLAVE_MONGODB_DATABASE="+database)
	c.opt.Within = 10 * time.Second
	c.finds("store", "connection", Green, "answers")
	c.finds("store", "version", Green, ".")
	c.finds("store", "topology", Yellow, "a server alone")
	c.finds("store", "write concern", Green, "a majority")
	c.finds("store", "clock", Green, "agree")
	c.finds("store", "data key", Green, "will be made")
	c.finds("store", "indexes", Green, "the database is new")

	e, err := mongodb.Open(t.Context(), mongodb.Options{URI: uri, Database: database})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	c.finds("store", "indexes", Green, "are there")
	n, err := e.Count(t.Context(), store.Query{Collection: store.Counters})
	if err != nil || n != 0 {
		t.Errorf("%d counters are left (%v)", n, err)
	}
	setUp(t, e, otherKey)
	c.finds("store", "data key", Red, "does not open this store")
	c.set("LLAVE_SECRET_KEY=" + secretKey + "," + otherKey)
	c.finds("store", "data key", Yellow, "older secret key")
	c.set("LLAVE_SECRET_KEY=" + otherKey)
	c.finds("store", "data key", Green, "opens it")

	for ahead, want := range map[time.Duration]Status{20 * time.Second: Yellow, -time.Hour: Red} {
		c.opt.Now = func() time.Time { return time.Now().Add(ahead) }
		c.finds("store", "clock", want, "apart")
	}
	c.opt.Now = nil
	storetest.DropIndex(t, uri, database, store.Index{Collection: store.Conversations, Field: "wake_at"})
	c.finds("store", "indexes", Yellow, "1 are missing: chats.wake_at")
	newer(t, e)
	c.finds("store", "indexes", Red, "newer version")

	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("nobody", mongoPass)
	c.set("LLAVE_MONGODB_URI=" + u.String())
	c.finds("store", "connection", Red, "refuses the sign-in")
}

// A way that is slow is told of with its time, and an answer that does not come in time as that, not in the driver's words.
func TestStore_mongodbSlow(t *testing.T) {
	uri, err := url.Parse(storetest.MongoURI(t))
	if err != nil {
		t.Fatal(err)
	}
	server := uri.Host
	for name, tt := range map[string]struct {
		held         func(said []byte) time.Duration
		check, words string
		want         Status
	}{
		"far away": {func([]byte) time.Duration { return 2 * tripSlow }, "round trip", "there and back", Yellow},
		"hangs": {func(said []byte) time.Duration {
			if bytes.Contains(said, []byte("buildInfo")) {
				return 5 * time.Second
			}
			return 0
		}, "version", "MongoDB did not answer in time", Red},
	} {
		t.Run(name, func(t *testing.T) {
			u := *uri
			u.Host = slowWay(t, server, tt.held)
			c := newClinic(t).set("LLAVE_SECRET_KEY="+secretKey, "LLAVE_MONGODB_URI="+u.String()+"?directConnection=true")
			c.opt.Within = 2 * time.Second
			if f := c.finds("store", tt.check, tt.want, tt.words); strings.Contains(f.Found, "calculated") {
				t.Errorf("it says %q", f.Found)
			}
		})
	}
	if r := tripResult(time.Millisecond); r.status != Green {
		t.Errorf("a millisecond is %+v", r)
	}
}

// slowWay leads to a server, and holds what is said to it.
func slowWay(t *testing.T, server string, held func(said []byte) time.Duration) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var ways sync.WaitGroup
	done := make(chan struct{})
	t.Cleanup(func() { close(done); _ = l.Close(); ways.Wait() })
	ways.Go(func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("tcp", server)
			if err != nil {
				_ = from.Close()
				return
			}
			ways.Go(func() { _, _ = io.Copy(from, to); _ = from.Close() })
			ways.Go(func() { <-done; _ = from.Close(); _ = to.Close() })
			ways.Go(func() {
				defer to.Close()
				said := make([]byte, 64<<10)
				for {
					n, err := from.Read(said)
					select {
					case <-done:
						return
					case <-time.After(held(said[:n])):
					}
					if _, werr := to.Write(said[:n]); err != nil || werr != nil {
						return
					}
				}
			})
		}
	})
	return l.Addr().String()
}

// What the driver says of a server that cannot be reached, in words and with what to do.
func TestAway(t *testing.T) {
	for words, want := range map[string][2]string{
		"tls: failed to verify certificate: x509: certificate signed by unknown authority":                      {"nobody we know", "SSL_CERT_FILE"},
		"tls: failed to verify certificate: x509: certificate is valid for a.example, not b.example":            {"another name", "LLAVE_MONGODB_URI"},
		"tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time is": {"has ended", "renew"},
		"dial tcp 127.0.0.1:1: connect: connection refused":                                                     {"nobody listens", "firewall"},
		"tls: first record does not look like a TLS handshake":                                                  {"another TLS", "tls="},
	} {
		if why, do := away(errors.New(words)); !strings.Contains(why, want[0]) || !strings.Contains(do, want[1]) {
			t.Errorf("%s: %q, %q", words, why, do)
		}
	}
}

// What this server cannot be is judged by what a server would say.
func TestStore_verdicts(t *testing.T) {
	for version, want := range map[string]Status{"8.0.4": Green, "7.0.77": Green, "6.0.1": Yellow, "4.4.29": Yellow, "4.2.0": Red, "3.6.23": Red, "": Yellow, "x.y": Yellow, "10.0.0": Green} {
		if got := versionResult(version); got.status != want {
			t.Errorf("version %q: %v, want %s", version, got, want)
		}
	}
	for _, tt := range []struct {
		t    mongodb.Topology
		want Status
	}{
		{mongodb.Topology{Sharded: true}, Green},
		{mongodb.Topology{}, Yellow},
		{mongodb.Topology{Set: "rs0", Members: 3}, Green},
		{mongodb.Topology{Set: "rs0", Members: 1}, Yellow},
		{mongodb.Topology{Set: "rs0", Members: 3, Away: []string{"b:27017"}}, Yellow},
		{mongodb.Topology{Set: "rs0", Members: 3, Away: []string{"b:27017", "c:27017"}}, Red},
	} {
		if got := topologyResult(tt.t); got.status != tt.want {
			t.Errorf("%+v: %v, want %s", tt.t, got, tt.want)
		}
	}
	for _, tt := range []struct {
		r    mongodb.Rights
		want Status
	}{
		{mongodb.Rights{}, Green}, {mongodb.Rights{Known: true}, Yellow}, {mongodb.Rights{Known: true, User: true}, Green},
		{mongodb.Rights{Known: true, User: true, Lacking: []string{"createIndex"}}, Red},
	} {
		if got := rightsResult(tt.r); got.status != tt.want {
			t.Errorf("%+v: %v, want %s", tt.r, got, tt.want)
		}
	}
}
