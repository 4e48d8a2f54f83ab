package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	bbolt "go.etcd.io/bbolt"
	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/internal/store"
)

// names are what lies in a directory.
func names(t testing.TB, dir string) (all []string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		all = append(all, e.Name())
	}
	return all
}

func filled(t testing.TB, dir string, n int) {
	t.Helper()
	e, err := Open(t.Context(), Options{Dir: dir, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	fill(t, e, n)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

func fill(t testing.TB, e *Engine, n int) {
	t.Helper()
	var docs []bson.Raw
	for i := range n {
		raw, err := bson.Marshal(bson.D{{Key: "_id", Value: fmt.Sprintf("d%05d", i)}, {Key: "conv", Value: fmt.Sprint("telegram:~", i%7)}, {Key: "body", Value: strings.Repeat("x", 200)}})
		if err != nil {
			t.Fatal(err)
		}
		docs = append(docs, raw)
	}
	if err := e.BulkUpsert(t.Context(), store.Complaints, docs); err != nil {
		t.Fatal(err)
	}
}

func inDir(t testing.TB, dir string) map[string]bson.Raw {
	t.Helper()
	e, err := Open(t.Context(), Options{Dir: dir, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	return whole(t, e, func() {})
}

// A store that is being built is none before it is whole, whatever ends it (P806).
func TestBuild(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	broken := errors.New("broken off")
	err := Build(t.Context(), Options{Dir: dir}, func(e *Engine) error {
		fill(t, e, 1000)
		if slices.Contains(names(t, dir), FileName) {
			t.Error("a half store has the name of a whole one")
		}
		return broken
	})
	if !errors.Is(err, broken) || len(names(t, dir)) > 0 {
		t.Errorf("got %v, and there is %v; want %v and nothing", err, names(t, dir), broken)
	}
	if err := Build(t.Context(), Options{Dir: dir}, func(e *Engine) error { fill(t, e, 1000); return nil }); err != nil {
		t.Fatal(err)
	}
	if got := names(t, dir); !slices.Equal(got, []string{FileName}) {
		t.Errorf("there is %v, want %s alone", got, FileName)
	}
	if info, err := os.Stat(filepath.Join(dir, FileName)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v (%v), want 0600", info, err)
	}
	if n := len(inDir(t, dir)); n != 1000 {
		t.Errorf("%d documents, want 1000", n)
	}
	err = Build(t.Context(), Options{Dir: dir}, func(*Engine) error { t.Error("it is filled over another"); return nil })
	if !errors.Is(err, store.ErrTaken) {
		t.Errorf("got %v, want %v", err, store.ErrTaken)
	}
}

// Somebody begins a store while another is being built there: theirs stays as it is.
func TestBuild_begunMeanwhile(t *testing.T) {
	dir := t.TempDir()
	err := Build(t.Context(), Options{Dir: dir}, func(e *Engine) error {
		fill(t, e, 10)
		filled(t, dir, 3)
		return nil
	})
	if !errors.Is(err, store.ErrTaken) {
		t.Errorf("got %v, want %v", err, store.ErrTaken)
	}
	if n := len(inDir(t, dir)); n != 3 {
		t.Errorf("%d documents, want the 3 of who began it", n)
	}
}

// What a process left that was killed over a build or a compaction is taken away by the next that opens the store.
func TestBuild_killed(t *testing.T) {
	dir := t.TempDir()
	half := filepath.Join(dir, FileName+".123.new")
	if err := os.Mkdir(half, 0o700); err != nil {
		t.Fatal(err)
	}
	filled(t, half, 100)
	if err := os.WriteFile(filepath.Join(dir, FileName+".456.new"), []byte("half a copy"), 0o600); err != nil {
		t.Fatal(err)
	}
	filled(t, dir, 5)
	if got := names(t, dir); !slices.Equal(got, []string{FileName}) {
		t.Errorf("there is %v, want %s alone", got, FileName)
	}
}

// A store is compacted to the same store, in less room, with the rights it had, and nothing of it lies on in the old file (P808).
func TestCompact(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, FileName)
	e, err := Open(t.Context(), Options{Dir: dir, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	fill(t, e, 5000)
	if _, err := e.DeleteRange(t.Context(), store.Query{Collection: store.Complaints, From: "d00100"}); err != nil {
		t.Fatal(err)
	}
	if _, err := Compact(t.Context(), dir); !errors.Is(err, store.ErrLocked) {
		t.Errorf("while it is open: got %v, want %v", err, store.ErrLocked)
	}
	if _, err := Check(t.Context(), dir); !errors.Is(err, store.ErrLocked) {
		t.Errorf("while it is open: got %v, want %v", err, store.ErrLocked)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	want := inDir(t, dir)
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	before, err := os.Open(path) // who waits for the lock has it open
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	done, err := Compact(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o640 || done.After != info.Size() || done.After*4 > done.Before {
		t.Errorf("got %+v and %v (%v), want a quarter at most, with 0640", done, info, err)
	}
	if got := names(t, dir); !slices.Equal(got, []string{FileName}) {
		t.Errorf("there is %v, want %s alone", got, FileName)
	}
	sameDocuments(t, inDir(t, dir), want)
	if isAt(before, path) {
		t.Error("the old file passes for the new one")
	}
	old, err := os.ReadFile(fmt.Sprintf("/proc/self/fd/%d", before.Fd()))
	if err == nil && (len(old) == 0 || len(bytes.Trim(old, "\x00")) > 0) {
		t.Errorf("of %d bytes of the old file %d lie on", len(old), len(bytes.Trim(old, "\x00")))
	}
	if found, err := Check(t.Context(), dir); err != nil || len(found.Faults) > 0 || found.Documents != int64(len(want)) {
		t.Errorf("the compacted store: %+v (%v)", found, err)
	}
}

// What is wrong with a file is found, whatever it is, and nothing of a document is said.
func TestCheck(t *testing.T) {
	tamper := func(change func(tx *bbolt.Tx) error) func(t *testing.T, path string) {
		return func(t *testing.T, path string) {
			db, err := bbolt.Open(path, 0o600, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(db.Update(change), db.Close()); err != nil {
				t.Fatal(err)
			}
		}
	}
	conv := indexBucket(store.Index{Collection: store.Complaints, Field: "conv"})
	for _, c := range []struct {
		name, want string
		spoil      func(t *testing.T, path string)
	}{
		{"nothing", "", func(*testing.T, string) {}},
		{"an entry that leads nowhere", "leads nowhere", tamper(func(tx *bbolt.Tx) error {
			return tx.Bucket(documents(store.Complaints)).Delete([]byte("d00001"))
		})},
		{"a document without its entry", "missing from it", tamper(func(tx *bbolt.Tx) error {
			key, _ := tx.Bucket(conv).Cursor().First()
			return tx.Bucket(conv).Delete(key)
		})},
		{"a document that is none", "cannot be read", tamper(func(tx *bbolt.Tx) error {
			return tx.Bucket(documents(store.Complaints)).Put([]byte("d00002"), []byte("none"))
		})},
		{"another id", "another id", tamper(func(tx *bbolt.Tx) error {
			b := tx.Bucket(documents(store.Complaints))
			return b.Put([]byte("d00003"), bytes.Clone(b.Get([]byte("d00004"))))
		})},
		{"a page of noise", "", func(t *testing.T, path string) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			size := os.Getpagesize()
			at := bytes.Index(data, []byte("d00500")) / size * size
			copy(data[at:at+size], bytes.Repeat([]byte{0xa7}, size))
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			filled(t, dir, 2000)
			c.spoil(t, filepath.Join(dir, FileName))
			before, err := os.ReadFile(filepath.Join(dir, FileName))
			if err != nil {
				t.Fatal(err)
			}
			found, err := Check(t.Context(), dir)
			if err != nil {
				t.Fatal(err)
			}
			text := strings.Join(found.Faults, "\n")
			if (text == "") != (c.name == "nothing") || !strings.Contains(text, c.want) || strings.Contains(text, "d0") {
				t.Errorf("found %q, want %q", text, c.want)
			}
			if after, err := os.ReadFile(filepath.Join(dir, FileName)); err != nil || !bytes.Equal(before, after) {
				t.Errorf("the file was changed (%v)", err)
			}
		})
	}
}
