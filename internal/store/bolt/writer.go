package bolt

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"

	bbolt "go.etcd.io/bbolt"

	"llave/internal/store"
)

// groupMax is how much goes into one commit, counted in documents.
const groupMax = 512

// op is one write. apply looks first and changes afterwards: when it returns an error it has changed nothing, so that
// the others of its group are not touched by it.
type op struct {
	ctx    context.Context
	apply  func(*bbolt.Tx) error
	weight int
	result error
	done   chan struct{}
	trial  bool // it only tries whether there is room
}

// fatal marks an error that came up half-way through an op's changes: the whole group has to be undone.
type fatal struct{ error }

func (f fatal) Unwrap() error { return f.error }

// writer is the one goroutine that writes. Whatever is waiting when it looks goes into one transaction, so one fsync;
// it never waits for more to come, so a lone write is as quick as the disk.
type writer struct {
	db      *bbolt.DB
	most    int // in one commit
	health  *health
	mu      sync.Mutex
	waiting []*op
	closed  bool
	wake    chan struct{} // holds a token while something is waiting
	done    chan struct{}
}

func startWriter(db *bbolt.DB, h *health) *writer {
	w := &writer{db: db, most: groupMax, health: h, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go w.run()
	return w
}

// do hands in a write and waits for its result. When [ctx] ends first the write may still happen.
func (w *writer) do(ctx context.Context, weight int, apply func(*bbolt.Tx) error) error {
	return w.hand(&op{ctx: ctx, apply: apply, weight: weight, done: make(chan struct{})})
}

// try is do for a write that nobody needs.
func (w *writer) try(ctx context.Context, apply func(*bbolt.Tx) error) error {
	return w.hand(&op{ctx: ctx, apply: apply, weight: 1, done: make(chan struct{}), trial: true})
}

func (w *writer) hand(o *op) error {
	ctx := o.ctx
	if err := ctx.Err(); err != nil {
		return err
	}
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return errClosed
	}
	w.waiting = append(w.waiting, o)
	w.mu.Unlock()
	w.signal()
	select {
	case <-o.done:
		return o.result
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *writer) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// close lets what is waiting be written, and waits for it.
func (w *writer) close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.signal()
	<-w.done
}

func (w *writer) run() {
	defer close(w.done)
	debug.SetPanicOnFault(true) // a page that cannot be read is then an error, not the end of the process
	for range w.wake {
		for {
			group := w.take()
			if len(group) == 0 {
				break
			}
			w.commit(group)
		}
		if w.finished() {
			return
		}
	}
}

// take removes the next group from the queue.
func (w *writer) take() []*op {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, weight := 0, 0
	for n < len(w.waiting) && (n == 0 || weight+w.waiting[n].weight <= w.most) {
		weight += w.waiting[n].weight
		n++
	}
	group := w.waiting[:n:n]
	w.waiting = w.waiting[n:]
	if len(w.waiting) == 0 {
		w.waiting = nil
	}
	return group
}

func (w *writer) finished() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.closed && len(w.waiting) == 0
}

// commit writes a group. An op that breaks half-way takes the group down; then each is tried in a commit of its own.
func (w *writer) commit(group []*op) {
	err := w.update(group)
	if err != nil && len(group) > 1 && errors.As(err, new(fatal)) {
		for _, o := range group {
			w.commit([]*op{o})
		}
		return
	}
	for _, o := range group {
		if err != nil {
			o.result = fmt.Errorf("write store file: %w", err)
		}
		close(o.done)
	}
}

func (w *writer) update(group []*op) (err error) {
	if err := w.health.check(); err != nil {
		return err
	}
	defer w.health.recovered(&err)
	var of *bbolt.Tx
	err = w.db.Update(func(tx *bbolt.Tx) error {
		of = tx
		changed := false
		for _, o := range group {
			if o.result = o.ctx.Err(); o.result != nil {
				continue
			}
			o.result = o.apply(tx)
			if errors.As(o.result, new(fatal)) {
				return o.result
			}
			changed = changed || o.result == nil
		}
		if !changed {
			return errNothing
		}
		return nil
	})
	if err == errNothing {
		return nil
	}
	if err != nil && !errors.As(err, new(fatal)) && !slices.ContainsFunc(group, func(o *op) bool { return o.trial }) {
		var wanted int64
		if of != nil {
			stats := of.Stats()
			wanted = stats.GetPageAlloc()
		}
		w.health.lacks(wanted)
	}
	return err
}

// errNothing ends a transaction in which every op was refused: there is nothing to sync.
var errNothing = errors.New("nothing to write")

// health says whether the file was found damaged while it was open. bbolt may then still hold its own locks, so it is
// not asked again: every later call gets store.ErrDamaged, and so does whoever asks whether the store is well. A file
// that cannot be written, as on a full disk, is another matter: it is read on, and every write tries again.
type health struct {
	damaged atomic.Bool
	// room is how many bytes the largest write wanted that failed. On a full disk a smaller one may well succeed, in pages that were
	// freed, and says nothing: only a write of that size does. 0: none failed.
	room atomic.Int64
}

const (
	leastRoom = 16 << 10
	mostRoom  = 1 << 20
)

// lacks notes that there was no room for a write of so many bytes.
func (h *health) lacks(wanted int64) {
	h.room.Store(min(max(wanted, h.room.Load(), leastRoom), mostRoom))
}

func (h *health) check() error {
	if h.damaged.Load() {
		return store.ErrDamaged
	}
	return nil
}

// recovered turns a panic into store.ErrDamaged. bbolt panics over impossible pages, and Go over pages that cannot be
// read, where debug.SetPanicOnFault says so.
func (h *health) recovered(err *error) {
	if p := recover(); p != nil {
		h.damaged.Store(true)
		*err = fmt.Errorf("%w: %v", store.ErrDamaged, p)
	}
}
