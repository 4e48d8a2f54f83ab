package backup_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.uber.org/goleak"

	"llave/internal/secret"
	"llave/internal/store"
	"llave/internal/store/backup"
	"llave/internal/store/bolt"
	"llave/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var when = time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)

// source is a store with some documents in it.
func source(t testing.TB) backup.Source {
	t.Helper()
	e := storetest.Bolt(t, nil)
	_, err := store.New(e).DataKey(t.Context(), secret.Keys{bytes.Repeat([]byte{7}, 32)})
	must(t, err)
	for i := range 900 {
		raw, err := bson.Marshal(bson.D{{Key: "made", Value: when}, {Key: "_id", Value: fmt.Sprintf("C-%03d", i)}, {Key: "text", Value: "ñ"}})
		must(t, err)
		must(t, e.Insert(t.Context(), []string{store.Cases, store.Complaints, store.Sessions}[i%3], raw))
	}
	return backup.Source{Engine: e, Program: "v1", Erasures: func(_ context.Context, each func(string, time.Time) bool) error {
		each("telegram:~a", when)
		each("telegram:~b", when.Add(time.Second))
		return nil
	}}
}

func written(t testing.TB, from backup.Source) []byte {
	t.Helper()
	var out bytes.Buffer
	_, err := backup.Write(t.Context(), &out, from)
	must(t, err)
	return out.Bytes()
}

func read(data []byte, with backup.Identities) (backup.Report, error) {
	r, err := backup.Open(bytes.NewReader(data), with)
	if err != nil {
		return backup.Report{}, err
	}
	return r.Each(context.Background(), backup.Into{})
}

// A store goes into a file and from there into either engine, as it is: but for who is signed in.
func TestBackup(t *testing.T) {
	from := source(t)
	path := filepath.Join(t.TempDir(), "b")
	f, err := backup.Create(t.Context(), path, nil, from)
	must(t, err)
	info, err := os.Stat(path)
	must(t, err)
	if info.Mode().Perm() != 0o600 || info.Size() != f.Bytes || f.Documents < 600 || f.Erasures != 2 || !f.Exact || f.Program != "v1" {
		t.Errorf("got %+v and %v", f, info)
	}
	data, err := os.ReadFile(path)
	must(t, err)
	report, err := read(data, nil)
	if err != nil || report.Documents != f.Documents || backup.Differ(report.Collections, f.Collections) != "" {
		t.Errorf("read back: %+v (%v), want %+v", report, err, f)
	}
	storetest.Engines(t, func(t *testing.T, e store.Engine) {
		r, err := backup.Open(bytes.NewReader(data), nil)
		must(t, err)
		var logged []string
		_, err = r.Load(t.Context(), backup.Target{
			Engine:  e.(engine),
			Erasure: func(conv string, at time.Time) { logged = append(logged, conv+" "+at.Format(time.RFC3339)) },
			Tell:    func(int64) {},
		})
		must(t, err)
		if got := strings.Join(logged, ","); got != "telegram:~a 2026-03-02T15:00:00Z,telegram:~b 2026-03-02T15:00:01Z" {
			t.Errorf("erasures: %s", got)
		}
		if n, err := e.Count(t.Context(), store.Query{Collection: store.Sessions}); err != nil || n != 0 {
			t.Errorf("%d are signed in (%v)", n, err)
		}
		for _, c := range []string{store.Cases, store.Complaints, store.Settings} {
			must(t, from.Engine.Scan(t.Context(), store.Query{Collection: c}, func(want bson.Raw) bool {
				id, _ := store.DocumentID(want)
				got, err := e.Get(t.Context(), c, id)
				want, werr := store.IDFirst(want)
				if err != nil || werr != nil || !bytes.Equal(got, want) {
					t.Errorf("%s/%s is %v, want %v (%v)", c, id, got, want, err)
				}
				return true
			}))
		}
	})
}

type engine interface {
	store.Engine
	store.Loader
	store.Snapshotter
}

// A file that is not whole, or not as it was written, is no backup: cut off anywhere, with any byte changed, with something behind it.
func TestBackup_spoilt(t *testing.T) {
	data := written(t, source(t))
	whole, err := read(data, nil)
	must(t, err)
	step := max(1, len(data)/400)
	for at := 0; at < len(data); at += step {
		if _, err := read(data[:at], nil); !errors.Is(err, backup.ErrBroken) && !errors.Is(err, backup.ErrNotOne) {
			t.Fatalf("cut off at %d of %d: got %v, want %v", at, len(data), err, backup.ErrBroken)
		}
	}
	for at := 0; at < len(data); at += step {
		bad := bytes.Clone(data)
		bad[at] ^= 1 << (at % 8)
		report, err := read(bad, nil)
		if err == nil && report.Head == whole.Head && backup.Differ(report.Collections, whole.Collections) == "" {
			continue // of what gzip packs with not every bit tells something
		}
		if err == nil && at >= len("llave backup 1\n")+10 { // of gzip's own head not all counts
			t.Fatalf("byte %d of %d changed: nobody sees it in %+v", at, len(data), report)
		}
	}
	for name, behind := range map[string][]byte{"a byte": {0}, "itself": data, "noise": bytes.Repeat([]byte{9}, 100)} {
		if _, err := read(append(bytes.Clone(data), behind...), nil); !errors.Is(err, backup.ErrBroken) {
			t.Errorf("%s behind it: got %v, want %v", name, err, backup.ErrBroken)
		}
	}
	newer := bytes.Replace(data, []byte("llave backup 1\n"), []byte("llave backup 2\n"), 1)
	if _, err := read(newer, nil); !errors.Is(err, backup.ErrNewer) {
		t.Errorf("a later format: got %v, want %v", err, backup.ErrNewer)
	}
	if _, err := read([]byte("id,name\n1,2\n"), nil); !errors.Is(err, backup.ErrNotOne) {
		t.Errorf("another file: got %v, want %v", err, backup.ErrNotOne)
	}
}

// A file that names more collections than any store has, or one twice, is no backup: it is not kept in memory until its end.
func TestBackup_collections(t *testing.T) {
	for name, of := range map[string]func(i int) string{"many": func(i int) string { return fmt.Sprintf("c%06d", i) }, "one, again": func(int) string { return store.Cases }} {
		var data bytes.Buffer
		data.WriteString("llave backup 1\n")
		z := gzip.NewWriter(&data)
		frame := func(kind byte, doc bson.D) {
			raw, err := bson.Marshal(doc)
			must(t, err)
			_, err = z.Write(append([]byte{kind}, raw...))
			must(t, err)
		}
		frame('h', bson.D{})
		for i := range 2000 {
			frame('c', bson.D{{Key: "name", Value: of(i)}})
		}
		must(t, z.Close())
		if _, err := read(data.Bytes(), nil); !errors.Is(err, backup.ErrBroken) || strings.Contains(err.Error(), "cut off") {
			t.Errorf("%s: got %v, want %v before it is read to its end", name, err, backup.ErrBroken)
		}
	}
}

// Encrypted it can be read by whoever it is for, and by nobody else; nothing of it lies open.
func TestBackup_encrypted(t *testing.T) {
	id, err := age.GenerateX25519Identity()
	must(t, err)
	other, err := age.GenerateX25519Identity()
	must(t, err)
	to, err := backup.ParseRecipients([]byte("# whose\n" + id.Recipient().String() + "\n"))
	must(t, err)
	path := filepath.Join(t.TempDir(), "b.age")
	f, err := backup.Create(t.Context(), path, to, source(t))
	must(t, err)
	data, err := os.ReadFile(path)
	must(t, err)
	if bytes.Contains(data, []byte("llave")) || bytes.Contains(data, []byte("complaints")) {
		t.Error("something lies open")
	}
	with, err := backup.ParseIdentities([]byte(id.String() + "\n"))
	must(t, err)
	report, err := read(data, with)
	if err != nil || report.Documents != f.Documents {
		t.Errorf("got %+v (%v), want %d documents", report, err, f.Documents)
	}
	if _, err := read(data, nil); !errors.Is(err, backup.ErrSealed) {
		t.Errorf("without an identity: got %v, want %v", err, backup.ErrSealed)
	}
	if _, err := read(data, backup.Identities{other}); err == nil || !strings.Contains(err.Error(), "for another") {
		t.Errorf("with another's: got %v", err)
	}
	for at := len(data) / 2; at < len(data); at += max(1, len(data)/40) {
		if _, err := read(data[:at], with); !errors.Is(err, backup.ErrBroken) {
			t.Errorf("cut off at %d of %d: got %v, want %v", at, len(data), err, backup.ErrBroken)
		}
	}
	if _, err := backup.ParseRecipients([]byte(id.String())); err == nil || strings.Contains(err.Error(), id.String()) {
		t.Errorf("a secret key where a public one is wanted: got %v", err)
	}
	if _, err := backup.ParseIdentities([]byte("AGE-SECRET-KEY-1NONE")); err == nil || strings.Contains(err.Error(), "1NONE") {
		t.Errorf("a secret key that is none: got %v", err)
	}
}

// failing is an engine whose reading breaks off.
type failing struct{ *bolt.Engine }

var errAway = errors.New("the store is away")

func (f failing) Snapshot(ctx context.Context, begin func(store.Moment) error, each func(string, bson.Raw) error) error {
	n := 0
	return f.Engine.Snapshot(ctx, begin, func(collection string, doc bson.Raw) error {
		if n++; n > 500 {
			return errAway
		}
		return each(collection, doc)
	})
}

// A file has its name once it is whole, and none is replaced (P805).
func TestCreate_wholeOrNone(t *testing.T) {
	from := source(t)
	dir := t.TempDir()
	there := filepath.Join(dir, "there")
	must(t, os.WriteFile(there, []byte("what was there"), 0o644))
	if _, err := backup.Create(t.Context(), there, nil, from); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v, want %v", err, fs.ErrExist)
	}
	if _, err := backup.Create(t.Context(), filepath.Join(dir, "none", "file"), nil, from); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "in a folder that is there") {
		t.Errorf("got %v, want the way on", err)
	}
	if text, err := os.ReadFile(there); err != nil || string(text) != "what was there" {
		t.Errorf("what was there is %q (%v)", text, err)
	}
	bad := from
	bad.Engine = failing{from.Engine.(*bolt.Engine)}
	if _, err := backup.Create(t.Context(), filepath.Join(dir, "half"), nil, bad); !errors.Is(err, errAway) {
		t.Errorf("got %v, want %v", err, errAway)
	}
	late := from // somebody else takes the name meanwhile
	late.Erasures = func(context.Context, func(string, time.Time) bool) error {
		return os.WriteFile(filepath.Join(dir, "late"), []byte("somebody else's"), 0o600)
	}
	if _, err := backup.Create(t.Context(), filepath.Join(dir, "late"), nil, late); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v, want %v", err, fs.ErrExist)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "late")); err != nil || string(text) != "somebody else's" {
		t.Errorf("it is %q (%v)", text, err)
	}
	spoiling := from // the disk does not give back what was written
	spoiling.Erasures = func(context.Context, func(string, time.Time) bool) error {
		half, err := filepath.Glob(filepath.Join(dir, "spoilt.*"+backup.Unfinished))
		if err != nil || len(half) != 1 {
			return fmt.Errorf("there is %v: %w", half, err)
		}
		return os.Chmod(half[0], 0o200)
	}
	if os.Geteuid() != 0 { // root reads everything
		if _, err := backup.Create(t.Context(), filepath.Join(dir, "spoilt"), nil, spoiling); err == nil {
			t.Error("what cannot be read back is a backup")
		}
	}
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	must(t, err)
	if len(left) != 2 {
		t.Errorf("there is %v, want what others put there alone", left)
	}
}

// Of a store that no process has begun there is nothing to back up.
func TestWrite_nothing(t *testing.T) {
	from := source(t)
	from.Engine = storetest.Bolt(t, nil)
	if _, err := backup.Write(t.Context(), &bytes.Buffer{}, from); !errors.Is(err, backup.ErrNothing) {
		t.Errorf("got %v, want %v", err, backup.ErrNothing)
	}
}

// What comes from elsewhere breaks nothing.
func FuzzOpen(f *testing.F) {
	f.Add([]byte("llave backup 1\n"))
	f.Add([]byte("llave backup 99999999999999999999\n"))
	f.Add(written(f, source(f))[:600])
	f.Fuzz(func(_ *testing.T, data []byte) { _, _ = read(data, nil) })
}
