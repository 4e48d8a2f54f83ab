package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/internal/store"
)

// snapshot holds that a store is handed out whole: each document once, as it lies there, in order (P805).
func snapshot(t *testing.T, e store.Engine) {
	ctx := t.Context()
	const many = 700 // more than an engine reads at once
	var docs []bson.Raw
	for i := range many {
		docs = append(docs, doc(t, fmt.Sprintf("snapshot-%04d", i), "n", int64(i), "text", "ñ"))
	}
	must(t, e.BulkUpsert(ctx, store.Imports, docs))
	must(t, e.Insert(ctx, store.Cases, doc(t, "snapshot-case", "made", "x")))
	begun, seen := 0, map[string]int{}
	last := [2]string{}
	err := store.Snapshot(ctx, e, func(m store.Moment) error {
		begun++
		if now, err := e.Now(ctx); err != nil || m.At.IsZero() || m.At.After(now) || m.Engine == "" {
			t.Errorf("the moment is %+v, and now it is %v (%v)", m, now, err)
		}
		return nil
	}, func(collection string, got bson.Raw) error {
		id, err := store.DocumentID(got)
		must(t, err)
		if at := [2]string{collection, id}; at[0] == last[0] && at[1] <= last[1] {
			t.Errorf("%v comes after %v", at, last)
		} else if seen[collection]++; at[0] != last[0] && seen[collection] > 1 {
			t.Errorf("%s comes twice", collection)
		} else {
			last = at
		}
		if want, err := e.Get(ctx, collection, id); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s/%s is %v, want %v (%v)", collection, id, got, want, err)
		}
		return nil
	})
	must(t, err)
	for collection, n := range seen {
		if want, err := e.Count(ctx, store.Query{Collection: collection}); collection != store.Settings && (err != nil || int64(n) != want) {
			t.Errorf("%d documents of %s, want %d (%v)", n, collection, want, err)
		}
	}
	if begun != 1 || seen[store.Imports] < many || seen[store.Cases] < 1 {
		t.Errorf("it began %d times, and has %v", begun, seen)
	}
	stop := errors.New("enough")
	n := 0
	err = store.Snapshot(ctx, e, func(store.Moment) error { return nil }, func(string, bson.Raw) error { n++; return stop })
	if !errors.Is(err, stop) || n != 1 {
		t.Errorf("after %d documents: %v, want %v after one", n, err, stop)
	}
	if err := store.Snapshot(ctx, e, func(store.Moment) error { return stop }, nil); !errors.Is(err, stop) {
		t.Errorf("got %v, want %v", err, stop)
	}
}

// load holds that documents are taken as they are.
func load(t *testing.T, e store.Engine) {
	l, ok := e.(store.Loader)
	if !ok {
		t.Skip("a lent store is not loaded")
	}
	ctx := t.Context()
	docs := []bson.Raw{doc(t, "load-a", "v", int64(7), "made", "x"), doc(t, "load-b", "made", "y"), doc(t, "load-c", "v", int64(1))}
	must(t, l.Load(ctx, store.Unheard, docs))
	for i, id := range []string{"load-a", "load-b", "load-c"} {
		if got, err := e.Get(ctx, store.Unheard, id); err != nil || !bytes.Equal(got, docs[i]) {
			t.Errorf("%s: got %v, want %v (%v)", id, got, docs[i], err)
		}
	}
	wantErr(t, "loaded again", l.Load(ctx, store.Unheard, docs[2:]), store.ErrDuplicate)
	must(t, l.Load(ctx, store.Unheard, nil))
}
