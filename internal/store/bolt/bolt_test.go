package bolt_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bbolt "go.etcd.io/bbolt"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.uber.org/goleak"

	"llave/internal/store"
	"llave/internal/store/bolt"
	"llave/internal/store/storetest"
)

func TestMain(m *testing.M) {
	if helper() {
		return
	}
	flag.Parse()
	if flag.Lookup("test.fuzzworker").Value.String() == "true" {
		m.Run() // is stopped in the middle of things
		return
	}
	goleak.VerifyTestMain(m)
}

func TestEngine(t *testing.T) {
	storetest.Run(t, func(t testing.TB) store.Engine { return storetest.Bolt(t, nil) })
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func doc(t testing.TB, id string, fields ...bson.E) bson.Raw {
	t.Helper()
	raw, err := bson.Marshal(append(bson.D{{Key: "_id", Value: id}}, fields...))
	must(t, err)
	return raw
}

func openIn(t testing.TB, dir string) *bolt.Engine {
	t.Helper()
	e, err := bolt.Open(t.Context(), bolt.Options{Dir: dir, NoSync: true})
	must(t, err)
	t.Cleanup(func() { e.Close() })
	return e
}

// filled makes a store with some thousand documents and closes it.
func filled(t testing.TB, dir string) (path string) {
	t.Helper()
	e := openIn(t, dir)
	docs := make([]bson.Raw, 1500)
	for i := range docs {
		docs[i] = doc(t, fmt.Sprintf("telegram:%06d", i), bson.E{Key: "text", Value: strings.Repeat("x", 100)},
			bson.E{Key: "wake_at", Value: time.UnixMilli(int64(i))})
	}
	must(t, e.BulkUpsert(t.Context(), store.Conversations, docs))
	must(t, e.Close())
	return filepath.Join(dir, bolt.FileName)
}

// used returns the part of a store's file that is in use; the file has room ahead.
func used(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	page := os.Getpagesize()
	n := len(bytes.TrimRight(b, "\x00"))
	return b[:(n/page+1)*page]
}

func TestOpen_keepsWhatWasWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there", "yet")
	e := openIn(t, dir)
	must(t, e.Insert(t.Context(), store.Cases, doc(t, "a")))
	must(t, e.Close())
	must(t, e.Close())
	for name, err := range map[string]error{
		"insert": e.Insert(t.Context(), store.Cases, doc(t, "b")),
		"get":    func() error { _, err := e.Get(t.Context(), store.Cases, "a"); return err }(),
		"ping":   e.Ping(t.Context()),
	} {
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s after closing: got %v, want %v", name, err, store.ErrUnavailable)
		}
	}

	e = openIn(t, dir)
	_, err := e.Get(t.Context(), store.Cases, "a")
	must(t, err)
	for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, bolt.FileName): 0o600} {
		info, err := os.Stat(path)
		must(t, err)
		if got := info.Mode().Perm(); got != want {
			t.Errorf("mode of %s: got %o, want %o", path, got, want)
		}
	}
	must(t, e.Close())
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	must(t, err)
	if len(names) != 1 {
		t.Errorf("a closed store leaves %v, want its file alone", names)
	}
}

// TestOpen_damaged shows P412.
func TestOpen_damaged(t *testing.T) {
	whole := used(t, filled(t, t.TempDir()))
	page := os.Getpagesize()
	zeroed := func(from, to int) []byte {
		b := append([]byte(nil), whole...)
		for i := from; i < to; i++ {
			b[i] = 0
		}
		return b
	}
	for _, c := range []struct {
		name string
		file []byte
	}{
		{"empty", nil},
		{"a few bytes", whole[:32]},
		{"one page", whole[:page]},
		{"two pages", whole[:2*page]},
		{"half", whole[:len(whole)/2]},
		{"half a page short", whole[:len(whole)/2/page*page+page/2]},
		{"text", []byte(strings.Repeat("esto no es una base de datos\n", 2000))},
		{"both metas gone", zeroed(0, 2*page)},
		{"all but the metas gone", zeroed(2*page, len(whole))},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, bolt.FileName)
			must(t, os.WriteFile(path, c.file, 0o600))
			_, err := bolt.Open(t.Context(), bolt.Options{Dir: dir, NoSync: true})
			if !errors.Is(err, store.ErrDamaged) {
				t.Fatalf("got %v, want %v", err, store.ErrDamaged)
			}
			after, err := os.ReadFile(path)
			must(t, err)
			if string(after) != string(c.file) {
				t.Error("the file was changed")
			}
		})
	}
}

// A page that is overwritten in the middle is found only when it is read: by then as an error, never as a crash, and
// never by waiting for ever.
func TestOpen_damagedInside(t *testing.T) {
	base := t.TempDir()
	whole, page := used(t, filled(t, base)), os.Getpagesize()
	found := 0
	for at := 2 * page; at < len(whole); at += 3 * page {
		broken := bytes.Clone(whole)
		copy(broken[at:at+page], bytes.Repeat([]byte{0xa5}, page))
		dir := filepath.Join(base, fmt.Sprint(at)) // a damaged file stays locked until the process ends
		must(t, os.Mkdir(dir, 0o700))
		must(t, os.WriteFile(filepath.Join(dir, bolt.FileName), broken, 0o600))
		e, err := bolt.Open(t.Context(), bolt.Options{Dir: dir, NoSync: true})
		if err != nil {
			found++
			continue
		}
		each := func(bson.Raw) bool { return true }
		err = errors.Join(
			e.Scan(t.Context(), store.Query{Collection: store.Conversations}, each),
			e.Scan(t.Context(), store.Query{Collection: store.Conversations, Field: "wake_at"}, each),
			e.Insert(t.Context(), store.Conversations, doc(t, "new")))
		_, deleted := e.DeleteRange(t.Context(), store.Query{Collection: store.Conversations})
		if errors.Join(err, deleted) != nil {
			found++
		}
		e.Close()
	}
	if found < 10 {
		t.Errorf("%d damaged pages were found of %d, want more", found, len(whole)/page)
	}
}

func TestOpen_cutOffWhileOpen(t *testing.T) {
	dir := t.TempDir()
	path := filled(t, dir)
	e := openIn(t, dir)
	must(t, os.Truncate(path, int64(4*os.Getpagesize())))
	err := e.Scan(t.Context(), store.Query{Collection: store.Conversations}, func(bson.Raw) bool { return true })
	if !errors.Is(err, store.ErrDamaged) {
		t.Errorf("scan: got %v, want %v", err, store.ErrDamaged)
	}
	if err := e.Insert(t.Context(), store.Cases, doc(t, "a")); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("insert afterwards: got %v, want %v", err, store.ErrDamaged)
	}
	if err := e.Ping(t.Context()); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("ping afterwards: got %v, want %v", err, store.ErrDamaged)
	}
	must(t, e.Close())
}

func TestOpen_foreign(t *testing.T) {
	for _, c := range []struct {
		name  string
		setUp func(tx *bbolt.Tx) error
		want  error
	}{
		{"newer", func(tx *bbolt.Tx) error {
			return tx.Bucket([]byte("llave")).Put([]byte("schema"), []byte("2"))
		}, store.ErrNewer},
		{"of no known format", func(tx *bbolt.Tx) error {
			return tx.Bucket([]byte("llave")).Put([]byte("schema"), []byte("x"))
		}, store.ErrDamaged},
		{"another program's", func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte("llave")) }, store.ErrDamaged},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			change(t, filled(t, dir), c.setUp)
			if _, err := bolt.Open(t.Context(), bolt.Options{Dir: dir}); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

// change changes a closed store behind the engine's back.
func change(t testing.TB, path string, f func(*bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true})
	must(t, err)
	must(t, errors.Join(db.Update(f), db.Close()))
}

func TestOpen_buildsIndexes(t *testing.T) {
	dir := t.TempDir()
	change(t, filled(t, dir), func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket([]byte("index/chats/no_longer"))
		return errors.Join(err, tx.DeleteBucket([]byte("index/chats/wake_at")))
	})
	e := openIn(t, dir)
	n, err := e.Count(t.Context(), store.Query{Collection: store.Conversations, Field: "wake_at", To: time.UnixMilli(1000)})
	must(t, err)
	if n != 1000 {
		t.Errorf("found %d documents by the new index, want 1000", n)
	}
	must(t, e.Close())
	change(t, filepath.Join(dir, bolt.FileName), func(tx *bbolt.Tx) error {
		if tx.Bucket([]byte("index/chats/no_longer")) != nil {
			t.Error("an index that is not declared was kept")
		}
		return nil
	})
}

func TestEngine_keyTooLong(t *testing.T) {
	e := storetest.Bolt(t, nil)
	long := strings.Repeat("x", 40_000)
	if err := e.Insert(t.Context(), store.Cases, doc(t, long)); err == nil {
		t.Error("an id too long: got no error")
	}
	err := e.Insert(t.Context(), store.Unlocks, doc(t, "a", bson.E{Key: "live", Value: bson.D{{Key: "link", Value: long}}}))
	if err == nil {
		t.Error("an indexed value too long: got no error")
	}
	must(t, e.Insert(t.Context(), store.Unlocks, doc(t, "a", bson.E{Key: "live", Value: bson.D{{Key: "other", Value: long}}})))
}

func TestEngine_clockOfItsOwn(t *testing.T) {
	clock := storetest.NewClock(time.Date(2025, 9, 1, 12, 0, 0, 123456789, time.FixedZone("", -5*3600)))
	e := storetest.Bolt(t, clock.Now)
	now, err := e.Now(t.Context())
	must(t, err)
	if want := time.Date(2025, 9, 1, 17, 0, 0, 123e6, time.UTC); now != want {
		t.Errorf("got %v, want %v", now, want)
	}
	count := func(want int64) {
		t.Helper()
		n, err := e.Increment(t.Context(), store.Counters, "c", 1, clock.Now().Add(time.Minute))
		must(t, err)
		if n != want {
			t.Errorf("got %d, want %d", n, want)
		}
	}
	count(1)
	clock.Advance(59 * time.Second)
	count(2)
	clock.Advance(time.Second) // the window of the first has passed
	count(1)
}
