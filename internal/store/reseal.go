package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/internal/secret"
)

const (
	resealID    = "reseal"
	resealLease = "sealing_anew"
	resealBatch = 200
	// resealEvery is how often all is read again while keys rest that nothing may need any more.
	resealEvery = keyRests
)

// ErrBeingResealed is returned while another process seals anew.
var ErrBeingResealed = errors.New("another process is sealing anew")

// Resealing is how far the sealing anew has come.
type Resealing struct {
	ID      string `bson:"_id" json:"-"`
	Version int64  `bson:"v" json:"-"`

	Key        string    `bson:"key" json:"-"`                  // that all is sealed with
	Collection string    `bson:"collection,omitempty" json:"-"` // where it is, and
	From       string    `bson:"from,omitempty" json:"-"`       // from which id on it is not done
	Pass       int       `bson:"pass" json:"passes"`            // a pass that finds nothing is the last
	Again      bool      `bson:"again,omitempty" json:"-"`      // this pass has found something
	Total      int64     `bson:"total" json:"documents"`        // documents in a pass, as they were counted at its beginning
	Looked     int64     `bson:"looked" json:"looked"`          // of this pass
	Sealed     int64     `bson:"sealed" json:"sealed"`          // values, of all passes
	Broken     int64     `bson:"broken" json:"broken"`          // values of this pass that nobody can open
	Older      int64     `bson:"older,omitempty" json:"-"`      // documents of this pass that were not carried over yet: see Carry
	Needed     []string  `bson:"needed,omitempty" json:"-"`     // keys that links of this pass come from
	Began      time.Time `bson:"began" json:"began"`
	Ended      time.Time `bson:"ended,omitempty" json:"ended,omitzero"`
	Forgot     int       `bson:"forgot,omitempty" json:"forgotten"` // keys, at its end
	Fresh      bool      `bson:"-" json:"-"`                        // it ended just now; false: it had ended before
}

// fieldsOf are the sealed fields of each collection.
func fieldsOf() map[string][]*secret.Field {
	by := map[string][]*secret.Field{}
	for _, f := range secret.Stored {
		by[f.Collection] = append(by[f.Collection], f)
	}
	return by
}

// over is the engine through which a collection is sealed anew: the one that seals whole documents under the keys of their chats, unless
// that is what is sealed anew.
func (s *Store) over(collection string) Engine {
	if fieldsOf()[collection][0].Bytes {
		return s.Raw()
	}
	return s.engine
}

// resealed are the collections that are gone through, in order.
func resealed() []string {
	var names []string
	for name := range fieldsOf() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Reseal seals anew what is not sealed with the key of now, document by document, beside whatever else writes them: a document that
// moved on is read again. What lies within a document that is sealed under the key of its chat is sealed anew in there. It goes through all collections until a pass finds nothing, and then forgets the keys that nothing needs.
// What it has done is written down after each batch, so that it goes on there when it is called again after it broke off, in whichever
// process; called when all is done it does nothing until there is another key, or keys have rested. One runs at a time, by the lease of
// [holder]. [tell] hears how far it is.
func (s *Store) Reseal(ctx context.Context, vault *secret.Vault, holder string, tell func(Resealing)) (r Resealing, err error) {
	const ttl = 15 * time.Second
	held, err := s.Leases.Hold(ctx, resealLease, holder, ttl, func(ctx context.Context) error {
		r, err = s.reseal(ctx, vault, tell)
		return err
	})
	if err == nil && !held {
		err = ErrBeingResealed
	}
	return r, err
}

// resealBegins says whether there is something to do: values that are not sealed with the key of now, as far as anybody has looked, or
// keys that have rested.
func (s *Store) resealBegins(ctx context.Context, r *Resealing, current string) (bool, error) {
	if r.Version == 0 || r.Key != current || r.Ended.IsZero() {
		return true, nil
	}
	now, err := s.engine.Now(ctx)
	if err != nil {
		return false, fmt.Errorf("read the store's clock: %w", err)
	}
	ring, err := s.Ring.documents.Load(ctx, ringID)
	if err != nil {
		return false, fmt.Errorf("sealing keys: %w", err)
	}
	return (len(ring.Keys) > 1 || ring.Before) && now.Sub(r.Ended) >= resealEvery, nil
}

func (s *Store) resealing() *Documents[Resealing] {
	return NewDocuments(s.engine, Settings, func(r *Resealing) (*string, *int64) { return &r.ID, &r.Version })
}

func (s *Store) reseal(ctx context.Context, vault *secret.Vault, tell func(Resealing)) (r Resealing, err error) {
	if err := s.Ring.Look(ctx); err != nil {
		return r, err
	}
	marks, current := s.resealing(), vault.Current()
	if r, err = marks.Load(ctx, resealID); err != nil || current == "" {
		return r, err
	}
	if begins, err := s.resealBegins(ctx, &r, current); err != nil || !begins {
		return r, err
	}
	now, err := s.engine.Now(ctx)
	if err != nil {
		return r, fmt.Errorf("read the store's clock: %w", err)
	}
	if r.Key != current || !r.Ended.IsZero() { // else one that broke off goes on
		r = Resealing{ID: r.ID, Version: r.Version, Key: current, Began: now}
	}
	for r.Ended.IsZero() {
		if err := s.resealPass(ctx, vault, &r, tell); err != nil {
			return r, err
		}
		if r.Again {
			continue
		}
		needed := map[string]bool{}
		for _, id := range r.Needed {
			needed[id] = true
		}
		if r.Forgot, err = s.Ring.forget(ctx, needed, r.Older > 0); err != nil {
			return r, err
		}
		if r.Ended, err = s.engine.Now(ctx); err != nil {
			return r, fmt.Errorf("read the store's clock: %w", err)
		}
		if err := marks.Save(ctx, &r); err != nil {
			return r, err
		}
	}
	r.Fresh = true
	tell(r)
	return r, nil
}

// resealPass goes through all collections, or those that are left of a pass that broke off.
func (s *Store) resealPass(ctx context.Context, vault *secret.Vault, r *Resealing, tell func(Resealing)) error {
	marks, names := s.resealing(), resealed()
	if r.Collection == "" {
		r.Pass, r.Collection, r.From = r.Pass+1, names[0], ""
		r.Again, r.Total, r.Looked, r.Broken, r.Needed = false, 0, 0, 0, nil
		older, err := s.engine.Count(ctx, Query{Collection: oldConversations})
		if err != nil {
			return fmt.Errorf("count what is sealed: %w", err)
		}
		r.Older = older
		for _, name := range names {
			n, err := s.engine.Count(ctx, Query{Collection: name})
			if err != nil {
				return fmt.Errorf("count what is sealed: %w", err)
			}
			r.Total += n
		}
	}
	for r.Collection != "" {
		ids, next, err := s.idsFrom(ctx, r.Collection, r.From, resealBatch)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if err := s.resealDocument(ctx, vault, r, id); err != nil {
				return err
			}
			r.Looked++
		}
		if r.From = next; next == "" {
			r.Collection = after(names, r.Collection)
		}
		if err := marks.Save(ctx, r); err != nil {
			return err
		}
		tell(*r)
	}
	return nil
}

// after is the name behind one; "" behind the last. Of a name that there is not any more it is the first.
func after(names []string, name string) string {
	if i := slices.Index(names, name) + 1; i < len(names) {
		return names[i]
	}
	return ""
}

// idsFrom are the ids of at most [limit] documents from one on; next is where to go on, empty at the end.
func (s *Store) idsFrom(ctx context.Context, collection, from string, limit int) (ids []string, next string, err error) {
	err = s.Raw().Scan(ctx, Query{Collection: collection, From: from, Limit: limit + 1}, func(raw bson.Raw) bool {
		id, broken := DocumentID(raw)
		switch {
		case broken != nil: // nobody's
		case len(ids) == limit:
			next = id
		default:
			ids = append(ids, id)
		}
		return true
	})
	if err != nil {
		return nil, "", fmt.Errorf("scan %s: %w", collection, err)
	}
	return ids, next, nil
}

// resealDocument seals the values of one document anew, and notes which keys its links come from.
func (s *Store) resealDocument(ctx context.Context, vault *secret.Vault, r *Resealing, id string) error {
	over := s.over(r.Collection)
	for {
		raw, err := over.Get(ctx, r.Collection, id)
		switch {
		case errors.Is(err, ErrNotFound):
			return nil
		case errors.Is(err, secret.ErrOpen):
			r.Broken++
			return nil
		case err != nil:
			return fmt.Errorf("seal anew: %w", err)
		}
		if s.uncarried(r.Collection, raw) { // its id will be another
			r.Older++
			return nil
		}
		if r.Collection == Unlocks {
			r.needs(raw)
		}
		sealed, anew, broken, err := resealedDocument(vault, r.Collection, id, raw)
		if err != nil {
			return fmt.Errorf("seal a document of %s anew: %w", r.Collection, err)
		}
		if anew == 0 {
			r.Broken += broken
			return nil
		}
		err = over.Replace(ctx, r.Collection, id, DocumentVersion(raw), sealed)
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err != nil {
			return fmt.Errorf("seal anew: %w", err)
		}
		r.Sealed, r.Broken, r.Again = r.Sealed+anew, r.Broken+broken, true
		return nil
	}
}

// uncarried says whether a document is of an earlier version, which named its chat otherwise.
func (s *Store) uncarried(collection string, raw bson.Raw) bool {
	of := ofPeople[collection]
	if of.chat == "" {
		return false
	}
	conv, _ := raw.Lookup(of.chat).StringValueOK()
	return s.Book.Conv(conv) != conv
}

// needs notes the keys that an unlock document's links come from.
func (r *Resealing) needs(raw bson.Raw) {
	var d struct {
		Live *linkKeys  `bson:"live"`
		Used []linkKeys `bson:"used"`
	}
	if err := bson.Unmarshal(raw, &d); err != nil {
		return
	}
	if d.Live != nil {
		d.Used = append(d.Used, *d.Live)
	}
	for _, a := range d.Used {
		for _, id := range []string{a.KeyID, a.SinceKeyID} {
			if id != "" && !slices.Contains(r.Needed, id) {
				r.Needed = append(r.Needed, id)
			}
		}
	}
}

type linkKeys struct {
	KeyID      string `bson:"key_id"`
	SinceKeyID string `bson:"since_key_id"`
}

// resealedDocument is a document with its values sealed with the key of now; anew is how many were not, broken how many nobody can open.
func resealedDocument(vault *secret.Vault, collection, id string, raw bson.Raw) (sealed bson.Raw, anew, broken int64, err error) {
	var doc bson.D
	if err := bson.Unmarshal(raw, &doc); err != nil {
		return nil, 0, 0, err
	}
	for _, f := range fieldsOf()[collection] {
		for _, path := range f.At() {
			eachValue(doc, strings.Split(path, "."), f.Marked, func(value any) any {
				fresh, err := resealedValue(vault, f.Of(id), value)
				switch {
				case err != nil:
					broken++
				case fresh != nil:
					anew++
					return fresh
				}
				return value
			})
		}
	}
	if anew == 0 {
		return raw, 0, broken, nil
	}
	sealed, err = bson.Marshal(doc)
	return sealed, anew, broken, err
}

// resealedValue is a value sealed with the key of now; nil: it is, or there is none.
func resealedValue(vault *secret.Vault, at secret.Place, value any) (any, error) {
	switch v := value.(type) {
	case string:
		if key, _ := secret.KeyOf(v); v == "" || key == vault.Current() {
			return nil, nil
		}
		text, err := vault.Open(at, v)
		if err != nil {
			return nil, err
		}
		return vault.Seal(at, text), nil
	case bson.Binary:
		key, _, err := secret.KeyAt(v.Data)
		if err != nil || key == vault.Current() {
			return nil, err
		}
		plain, err := vault.OpenAt(at, v.Data)
		if err != nil {
			return nil, err
		}
		return bson.Binary{Data: vault.SealAt(at, plain)}, nil
	}
	return nil, nil
}

// eachValue has each value at a path changed, in every document of an array on the way, where the field beside it that marks it is true.
func eachValue(doc bson.D, path []string, marked string, change func(any) any) {
	for i := range doc {
		if doc[i].Key != path[0] {
			continue
		}
		if len(path) == 1 {
			if marked == "" || isMarked(doc, marked) {
				doc[i].Value = change(doc[i].Value)
			}
			continue
		}
		switch inner := doc[i].Value.(type) {
		case bson.D:
			eachValue(inner, path[1:], marked, change)
		case bson.A:
			for _, one := range inner {
				if d, is := one.(bson.D); is {
					eachValue(d, path[1:], marked, change)
				}
			}
		}
	}
}

func isMarked(doc bson.D, field string) bool {
	for _, e := range doc {
		if e.Key == field {
			is, _ := e.Value.(bool)
			return is
		}
	}
	return false
}
