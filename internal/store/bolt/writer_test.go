package bolt

import (
	"context"
	"errors"
	"testing"

	bbolt "go.etcd.io/bbolt"

	"llave/internal/store"
)

// A group holds writes that succeed, are refused, break half-way and come too late. Each gets its own result, and
// those that broke leave nothing.
func TestWriter_eachItsOwnResult(t *testing.T) {
	e, err := Open(t.Context(), Options{Dir: t.TempDir(), NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	put := func(key string, result error) func(*bbolt.Tx) error {
		return func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists([]byte("test"))
			if err != nil {
				return err
			}
			if result == nil || errors.As(result, new(fatal)) {
				if err := b.Put([]byte(key), []byte("x")); err != nil {
					return err
				}
			}
			return result
		}
	}
	broken := errors.New("broken")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, ops := range [][]struct {
		name   string
		ctx    context.Context
		apply  func(*bbolt.Tx) error
		want   error
		stored bool
	}{{
		{"good", t.Context(), put("good", nil), nil, true},
		{"refused", t.Context(), put("refused", store.ErrConflict), store.ErrConflict, false},
		{"too late", ended, put("too late", nil), context.Canceled, false},
		{"also good", t.Context(), put("also good", nil), nil, true},
	}, {
		{"good 2", t.Context(), put("good 2", nil), nil, true},
		{"broken", t.Context(), put("broken", fatal{broken}), broken, false},
		{"refused 2", t.Context(), put("refused 2", store.ErrDuplicate), store.ErrDuplicate, false},
		{"good 3", t.Context(), put("good 3", nil), nil, true},
	}, {
		{"refused alone", t.Context(), put("refused alone", store.ErrConflict), store.ErrConflict, false},
	}, { // the last: after a panic nothing is written any more
		{"before", t.Context(), put("before", nil), store.ErrDamaged, false},
		{"panics", t.Context(), func(*bbolt.Tx) error { panic("impossible page") }, store.ErrDamaged, false},
		{"after", t.Context(), put("after", nil), store.ErrDamaged, false},
	}} {
		var group []*op
		for _, c := range ops {
			group = append(group, &op{ctx: c.ctx, apply: c.apply, weight: 1, done: make(chan struct{})})
		}
		e.writer.commit(group)
		for i, c := range ops {
			<-group[i].done
			if got := group[i].result; !errors.Is(got, c.want) {
				t.Errorf("%s: got %v, want %v", c.name, got, c.want)
			}
			err := e.db.View(func(tx *bbolt.Tx) error {
				if stored := tx.Bucket([]byte("test")).Get([]byte(c.name)) != nil; stored != c.stored {
					t.Errorf("%s: stored is %v, want %v", c.name, stored, c.stored)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// What waits while a commit runs goes into the next one together, up to a limit.
func TestWriter_groups(t *testing.T) {
	w := &writer{most: groupMax, wake: make(chan struct{}, 1)}
	for range 3 {
		w.waiting = append(w.waiting, &op{weight: 200})
	}
	w.waiting = append(w.waiting, &op{weight: 5000}, &op{weight: 1})
	var sizes []int
	for group := w.take(); len(group) > 0; group = w.take() {
		sizes = append(sizes, len(group))
	}
	if want := []int{2, 1, 1, 1}; len(sizes) != len(want) || sizes[0] != 2 {
		t.Errorf("groups of %v, want %v", sizes, want)
	}
}
