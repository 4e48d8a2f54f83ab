package upgrade

import (
	"bytes"
	"context"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/internal/store"
	"llave/internal/store/backup"
	"llave/internal/store/storetest"
)

// Back from an upgrade: a store that an earlier version left is backed up, taken over by this one, and put back into an empty store, of either
// engine. It is what the earlier version left, document for document, with every version of theirs, under the names that it
// knows; so that version goes on from it. And it can be taken over again, and loses nothing (P809).
func TestUpgrade_andBack(t *testing.T) {
	stores(t, func(t *testing.T, l *left) {
		var file bytes.Buffer
		_, err := backup.Write(t.Context(), &file, backup.Source{Engine: snapshots(l), Program: "before", Erasures: nobodyErased})
		must(t, err)
		must(t, l.start(t, l.engine, false))
		must(t, l.sweep(t))
		l.stop(t)
		for _, b := range storetest.Backends() {
			t.Run("into "+b.Name, func(t *testing.T) {
				back := *l
				back.app = nil
				back.clock = storetest.NewClock(l.Left)
				e := b.Open(t)
				r, err := backup.NewReader(bytes.NewReader(file.Bytes()))
				must(t, err)
				_, err = r.Load(t.Context(), backup.Target{Engine: e.(interface {
					store.Engine
					store.Loader
				}), Erasure: func(string, time.Time) {}, Tell: func(int64) {}})
				must(t, err)
				for _, d := range l.docs {
					id := d.doc.Lookup("_id").StringValue()
					if d.collection == store.Sessions || d.collection == store.Settings && id == "schema" {
						continue // in no backup; the engine's own
					}
					want, err := store.IDFirst(d.doc)
					must(t, err)
					got, err := e.Get(t.Context(), d.collection, id)
					if err != nil || !bytes.Equal(got, want) {
						t.Errorf("%s/%s is %v (%v), want %v", d.collection, id, got, err, bson.Raw(want))
					}
				}
				back.engine, back.shared = ticking{e, back.clock}, b.Name != "bolt"
				must(t, back.start(t, back.engine, false))
				defer back.stop(t)
				back.clock.Advance(believed)
				for range 60 {
					must(t, back.sweep(t))
					if len(back.owes(t)) == 0 {
						break
					}
					back.clock.Advance(2 * time.Second)
				}
				if open := back.owes(t); len(open) > 0 {
					t.Errorf("%d promises are still owed", len(open))
				}
				back.agentsSignIn(t)
			})
		}
	})
}

func nobodyErased(context.Context, func(string, time.Time) bool) error { return nil }

// snapshots is the engine below the test's time.
func snapshots(l *left) store.Engine { return l.engine.(ticking).Engine }
