package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/internal/store"
)

func fresh(t testing.TB) *Engine {
	t.Helper()
	e, err := Open(t.Context(), Options{Dir: t.TempDir(), NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func numbered(id string, n int64) bson.Raw {
	raw, err := bson.Marshal(bson.D{{Key: "_id", Value: id}, {Key: "n", Value: n}})
	if err != nil {
		panic(err)
	}
	return raw
}

// whole is all that an engine has.
func whole(t testing.TB, e *Engine, each func()) map[string]bson.Raw {
	t.Helper()
	all := map[string]bson.Raw{}
	err := e.Snapshot(t.Context(), func(store.Moment) error { return nil }, func(collection string, doc bson.Raw) error {
		if _, twice := all[collection+"/"+idIn(doc)]; twice {
			t.Errorf("%s/%s comes twice", collection, idIn(doc))
		}
		all[collection+"/"+idIn(doc)] = bytes.Clone(doc)
		each()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func sameDocuments(t testing.TB, got, want map[string]bson.Raw) {
	t.Helper()
	for name, doc := range want {
		if !bytes.Equal(got[name], doc) {
			t.Errorf("%s is %v, want %v", name, got[name], doc)
		}
	}
	for name := range got {
		if want[name] == nil {
			t.Errorf("%s was not there", name)
		}
	}
}

// Whatever is written while the store is read whole, before and behind the place where that is: it is as it was when it began (P805).
func TestSnapshot_whileWritten(t *testing.T) {
	for seed := range uint64(6) {
		e := fresh(t)
		rng := rand.New(rand.NewPCG(seed, 1))
		collections := []string{store.Cases, store.Imports, store.Tries}
		const ids = 900
		for _, c := range collections {
			var docs []bson.Raw
			for i := range ids {
				if i%3 > 0 {
					docs = append(docs, numbered(fmt.Sprintf("d%04d", i), int64(i)))
				}
			}
			if err := e.BulkUpsert(t.Context(), c, docs); err != nil {
				t.Fatal(err)
			}
		}
		want := whole(t, e, func() {})
		if len(want) != len(collections)*ids*2/3 {
			t.Fatalf("%d documents", len(want))
		}
		wrote := 0
		got := whole(t, e, func() {
			if rng.IntN(4) > 0 {
				return
			}
			wrote++
			write(t, e, rng, append(collections, store.Drafts)[rng.IntN(4)], ids)
		})
		if wrote < 100 {
			t.Errorf("only %d writes", wrote)
		}
		sameDocuments(t, got, want)
		if e.snapshots.some.Load() != 0 || len(e.snapshots.list) != 0 {
			t.Error("changes are still noted")
		}
	}
}

// write changes something: a document, some, or many.
func write(t *testing.T, e *Engine, rng *rand.Rand, collection string, ids int) {
	t.Helper()
	ctx, id := t.Context(), fmt.Sprintf("d%04d", rng.IntN(ids))
	var err error
	switch rng.IntN(6) {
	case 0:
		if err = e.Insert(ctx, collection, numbered(id, -1)); errors.Is(err, store.ErrDuplicate) {
			err = nil
		}
	case 1, 2:
		err = e.BulkUpsert(ctx, collection, []bson.Raw{numbered(id, rng.Int64()), numbered(id+"x", 1)})
	case 3:
		err = e.Delete(ctx, collection, id, -1)
	case 4:
		_, err = e.DeleteRange(ctx, store.Query{Collection: collection, From: id, Limit: rng.IntN(300) + 1})
	case 5:
		_, err = e.Scrub(ctx)
	}
	if err != nil {
		t.Error(err)
	}
}

// A writer goes over documents of several collections one after the other: read whole, none is further than one before it, and none more
// than one behind.
func TestSnapshot_isOneMoment(t *testing.T) {
	e := fresh(t)
	const docs = 600
	name := func(i int) (collection, id string) {
		return []string{store.Unheard, store.Cases, store.Imports}[i%3], fmt.Sprintf("d%04d", (i*7919)%docs)
	}
	ctx, stop := context.WithCancel(t.Context())
	var writer sync.WaitGroup
	round := int64(0)
	goRound := func() {
		round++
		for i := range docs {
			c, id := name(i)
			if err := e.BulkUpsert(context.WithoutCancel(ctx), c, []bson.Raw{numbered(id, round)}); err != nil {
				t.Error(err)
			}
		}
	}
	goRound()
	writer.Go(func() {
		for ctx.Err() == nil {
			goRound()
		}
	})
	for range 30 {
		all := whole(t, e, func() {})
		before := int64(-1)
		first := int64(-1)
		for i := range docs {
			c, id := name(i)
			n := all[c+"/"+id].Lookup("n").Int64()
			if first < 0 {
				first, before = n, n
			}
			if n > before || n < first-1 {
				t.Fatalf("document %d is of round %d, the one before it of %d, the first of %d", i, n, before, first)
			}
			before = n
		}
	}
	stop()
	writer.Wait()
}

// Who reads too slowly while too much is written is told so, and costs no more than that.
func TestSnapshot_tooMuchWritten(t *testing.T) {
	was := beforeMost
	beforeMost = 10_000
	defer func() { beforeMost = was }()
	e := fresh(t)
	var docs []bson.Raw
	for i := range 2000 {
		docs = append(docs, numbered(fmt.Sprintf("d%04d", i), 1))
	}
	if err := e.BulkUpsert(t.Context(), store.Cases, docs); err != nil {
		t.Fatal(err)
	}
	n := 0
	err := e.Snapshot(t.Context(), func(store.Moment) error { return nil }, func(string, bson.Raw) error {
		if n++; n == 1 {
			return e.BulkUpsert(t.Context(), store.Cases, docs)
		}
		return nil
	})
	if !errors.Is(err, errTooMuch) || len(e.snapshots.list) != 0 {
		t.Errorf("got %v, want %v", err, errTooMuch)
	}
}

// Who is gone before it began leaves nothing behind.
func TestSnapshot_cancelled(t *testing.T) {
	e := fresh(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := e.Snapshot(ctx, func(store.Moment) error { return nil }, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if len(e.snapshots.list) != 0 {
		t.Error("changes are noted for nobody")
	}
}
