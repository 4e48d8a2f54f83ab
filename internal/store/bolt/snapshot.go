package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	bbolt "go.etcd.io/bbolt"
	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/internal/store"
)

// beforeMost is how many bytes of documents are kept as they were for whoever reads the store whole; a variable for tests.
var beforeMost = 256 << 20

var errTooMuch = errors.New("more was written meanwhile than can be kept for whoever reads the store whole: read faster, or while less is written")

// snapshot is a reading of the whole store that is under way. It is made of short reads: a long one would keep bbolt from growing its map,
// so that writes wait for it, and Scrub from overwriting. So whoever changes a document that was not read yet leaves it here
// as it was, once, and the reading takes that instead.
type snapshot struct {
	mu   sync.Mutex
	over bool
	was  map[string]map[string]bson.Raw // by collection and id, as at the beginning; nil: it was not there
	size int
	most int
	at   string // the collection that is being read
	read []byte // up to which id that was read
	done map[string]bool
}

// snapshots are those under way.
type snapshots struct {
	some atomic.Int32
	mu   sync.Mutex
	list []*snapshot
}

// keep leaves a document as it was before its first change to those who read the store whole. Only the writer calls it.
func (s *snapshots) keep(collection, id string, was bson.Raw) {
	if s.some.Load() == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.list {
		one.keep(collection, id, was)
	}
}

func (s *snapshot) keep(collection, id string, was bson.Raw) {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := s.was[collection]
	if of == nil || s.done[collection] || s.at == collection && s.read != nil && id <= string(s.read) || s.size > s.most {
		return
	}
	if _, has := of[id]; has {
		return
	}
	of[id] = bytes.Clone(was)
	s.size += len(was) + len(id)
}

// begin has the writer note every change from now on. What it commits together with this counts as before.
func (e *Engine) begin(ctx context.Context, s *snapshot) (collections []string, err error) {
	err = e.writer.do(ctx, 1, func(tx *bbolt.Tx) error {
		collections = nil
		err := tx.ForEach(func(name []byte, _ *bbolt.Bucket) error {
			if collection, is := bytes.CutPrefix(name, documents("")); is {
				collections = append(collections, string(collection))
			}
			return nil
		})
		if err != nil {
			return err
		}
		e.snapshots.mu.Lock()
		defer e.snapshots.mu.Unlock()
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.over { // whoever asked has gone
			return errLooked
		}
		s.was, s.size = map[string]map[string]bson.Raw{}, 0
		for _, c := range collections {
			s.was[c] = map[string]bson.Raw{}
		}
		if !slices.Contains(e.snapshots.list, s) {
			e.snapshots.list = append(e.snapshots.list, s)
			e.snapshots.some.Add(1)
		}
		return errLooked
	})
	if !errors.Is(err, errLooked) {
		return nil, err
	}
	return collections, nil
}

func (e *Engine) end(s *snapshot) {
	e.snapshots.mu.Lock()
	defer e.snapshots.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	if i := slices.Index(e.snapshots.list, s); i >= 0 {
		e.snapshots.list = slices.Delete(e.snapshots.list, i, i+1)
		e.snapshots.some.Add(-1)
	}
}

// Snapshot reads the whole store as it is now. It holds up no write, and Scrub neither.
func (e *Engine) Snapshot(ctx context.Context, begin func(store.Moment) error, each func(collection string, doc bson.Raw) error) error {
	s := &snapshot{done: map[string]bool{}, most: beforeMost}
	defer e.end(s)
	collections, err := e.begin(ctx, s)
	if err != nil {
		return fmt.Errorf("read the store whole: %w", err)
	}
	if err := begin(store.Moment{At: e.clock(), Exact: true, Engine: store.EngineEmbedded}); err != nil {
		return err
	}
	for _, c := range collections {
		if err := e.readWhole(ctx, s, c, each); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) readWhole(ctx context.Context, s *snapshot, collection string, each func(collection string, doc bson.Raw) error) error {
	var after []byte
	for {
		docs, last, err := e.chunk(ctx, store.Query{Collection: collection}, span{}, after, scanChunk)
		if err == nil {
			docs, err = s.merge(collection, docs, last, len(docs) < scanChunk)
		}
		if err != nil {
			return fmt.Errorf("read %s whole: %w", collection, err)
		}
		for _, doc := range docs {
			if err := each(collection, doc); err != nil {
				return err
			}
		}
		if s.done[collection] {
			return nil
		}
		after = last
	}
}

// merge puts what was changed since in its place, of the documents that were just read: those up to [last], or all that are left.
// From then on changes of them count no more.
func (s *snapshot) merge(collection string, docs []bson.Raw, last []byte, end bool) ([]bson.Raw, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.size > s.most {
		return nil, errTooMuch
	}
	out := make([]bson.Raw, 0, len(docs))
	of := s.was[collection]
	for _, doc := range docs {
		id, err := store.DocumentID(doc)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", store.ErrDamaged, err)
		}
		if _, changed := of[id]; !changed {
			out = append(out, doc)
		}
	}
	for id, was := range of {
		if !end && id > string(last) {
			continue
		}
		if was != nil {
			out = append(out, was)
		}
		s.size -= len(was) + len(id)
		delete(of, id)
	}
	slices.SortFunc(out, func(a, b bson.Raw) int { return strings.Compare(idIn(a), idIn(b)) })
	s.at, s.read = collection, last
	if end {
		s.done[collection] = true
	}
	return out, nil
}

func idIn(doc bson.Raw) string {
	id, _ := doc.Lookup("_id").StringValueOK()
	return id
}
