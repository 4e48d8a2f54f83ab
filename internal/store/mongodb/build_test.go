package mongodb_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/internal/store"
	"llave/internal/store/mongodb"
	"llave/internal/store/storetest"
)

func buildDoc(t *testing.T, id string) bson.Raw {
	t.Helper()
	raw, err := bson.Marshal(bson.D{{Key: "_id", Value: id}, {Key: "v", Value: int64(3)}, {Key: "made", Value: "x"}})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// A database that is being filled is opened by nobody before it is whole; what breaks off leaves it empty, and what is killed leaves one that
// nobody opens (P806).
func TestBuild(t *testing.T) {
	uri := storetest.MongoURI(t)
	opt := mongodb.Options{URI: uri, Database: storetest.NewDatabase(t, uri), Timeout: time.Minute}
	opens := func() error {
		e, err := mongodb.Open(t.Context(), opt)
		if err == nil {
			err = e.Close()
		}
		return err
	}
	broken := errors.New("broken off")
	err := mongodb.Build(t.Context(), opt, func(e *mongodb.Engine) error {
		if err := e.Load(t.Context(), store.Cases, []bson.Raw{buildDoc(t, "a")}); err != nil {
			t.Error(err)
		}
		if err := opens(); !errors.Is(err, store.ErrUnfinished) {
			t.Errorf("while it is filled: got %v, want %v", err, store.ErrUnfinished)
		}
		if err := mongodb.Build(t.Context(), opt, nil); !errors.Is(err, store.ErrUnfinished) {
			t.Errorf("two at once: got %v, want %v", err, store.ErrUnfinished)
		}
		return broken
	})
	if !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
	err = mongodb.Build(t.Context(), opt, func(e *mongodb.Engine) error {
		if _, err := e.Get(t.Context(), store.Cases, "a"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("what broke off is still there: %v", err)
		}
		return e.Load(t.Context(), store.Cases, []bson.Raw{buildDoc(t, "b")})
	})
	if err != nil {
		t.Fatal(err)
	}
	e := storetest.MongoDatabase(t, uri, opt.Database)
	if doc, err := e.Get(t.Context(), store.Cases, "b"); err != nil || store.DocumentVersion(doc) != 3 {
		t.Errorf("got %v (%v), want the document as it was", doc, err)
	}
	if n, err := e.Count(t.Context(), store.Query{Collection: store.Cases, Field: "made"}); err != nil || n != 1 {
		t.Errorf("by its index: %d (%v), want one", n, err)
	}
	err = mongodb.Build(t.Context(), opt, func(*mongodb.Engine) error { t.Error("it is filled over another"); return nil })
	if !errors.Is(err, store.ErrTaken) || !strings.Contains(err.Error(), store.Cases) {
		t.Errorf("got %v, want %v and where", err, store.ErrTaken)
	}
	if err := opens(); err != nil {
		t.Errorf("a store that was refused to a restore does not open any more: %v", err)
	}
}

// A process is killed while it fills a database: programs of every version take it for one of a later version.
func TestBuild_killed(t *testing.T) {
	uri := storetest.MongoURI(t)
	opt := mongodb.Options{URI: uri, Database: storetest.NewDatabase(t, uri), Timeout: time.Minute}
	e := storetest.MongoDatabase(t, uri, opt.Database)
	half, err := bson.Marshal(bson.D{{Key: "_id", Value: "schema"}, {Key: "schema", Value: int64(1<<31 - 1)}, {Key: "restoring", Value: true}})
	if err != nil {
		t.Fatal(err)
	}
	was, err := e.Get(t.Context(), store.Settings, "schema")
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Replace(t.Context(), store.Settings, "schema", store.DocumentVersion(was), half); err != nil {
		t.Fatal(err)
	}
	if _, err := mongodb.Open(t.Context(), opt); !errors.Is(err, store.ErrUnfinished) {
		t.Errorf("got %v, want %v", err, store.ErrUnfinished)
	}
	if err := mongodb.Build(t.Context(), opt, nil); !errors.Is(err, store.ErrUnfinished) || !strings.Contains(err.Error(), "dropDatabase") {
		t.Errorf("got %v, want %v and what to do", err, store.ErrUnfinished)
	}
	i, err := mongodb.Inspect(opt)
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	if _, err := i.Newer(t.Context()); !errors.Is(err, store.ErrUnfinished) {
		t.Errorf("got %v, want %v", err, store.ErrUnfinished)
	}
}
