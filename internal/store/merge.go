package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/internal/affiliate"
)

// Merge lays the records of an import over those that are stored, while the service goes on unlocking:
//
//   - A record whose updated_at, or where it has none the time of its file, is before the stored one's changes nothing.
//   - One from before Llave itself unlocked or locked the record changes what else it says, not that. What says suspended
//     or deceased always counts.
//   - A status that stays as it is is not written, and one that changes is written only over what was read. So an unlock
//     that happens meanwhile is never undone by it.
//
// The ids are different ones. After an error some of the records may be stored; merging them again is safe.
func (t *AffiliateTable) Merge(ctx context.Context, records []affiliate.Record, o affiliate.MergeOptions) (sum affiliate.Merged, err error) {
	for left := range slices.Chunk(records, importBatch) {
		for len(left) > 0 {
			if left, err = t.mergeSome(ctx, left, o, &sum); err != nil {
				return sum, fmt.Errorf("import affiliates: %w", err)
			}
		}
	}
	return sum, nil
}

// mergeSome merges records and returns those that somebody wrote after they were read.
func (t *AffiliateTable) mergeSome(ctx context.Context, records []affiliate.Record, o affiliate.MergeOptions, sum *affiliate.Merged) ([]affiliate.Record, error) {
	stored, err := t.stored(ctx, records)
	if err != nil {
		return nil, err
	}
	var p plan
	for _, r := range records {
		if was, there := stored[r.ID]; there {
			p.change(r, was, o)
		} else {
			p.did.New++
			p.docs = append(p.docs, rawAffiliate(&r))
		}
	}
	if o.DryRun {
		sum.Add(p.did)
		sum.Changed += int64(len(p.moves))
		return nil, nil
	}
	if len(p.docs) > 0 {
		if err := t.engine.BulkUpsert(ctx, Affiliates, p.docs); err != nil {
			return nil, err
		}
	}
	sum.Add(p.did)
	again, done, err := t.move(ctx, p.moves)
	sum.Changed += done
	return again, err
}

// plan is what is to be written, and what will have become of the records then, but for the moves.
type plan struct {
	docs  []bson.Raw // laid over whatever is stored
	moves []move
	did   affiliate.Merged
}

// move is a record whose status an import changes, and the document that was read.
type move struct {
	record affiliate.Record
	was    bson.Raw
}

// change plans what becomes of a stored document.
func (p *plan) change(r affiliate.Record, was bson.Raw, o affiliate.MergeOptions) {
	old := recordOf(was)
	switch {
	case asOf(r, o).Before(old.UpdatedAt):
		p.did.Older++
		return
	case r.Status != old.Status && settled(old.Status, r.Status) && asOf(r, o).Before(anyTime(was.Lookup(statusSetAt))):
		p.did.Kept++
		r.Status = old.Status
	}
	switch {
	case r.Status != old.Status:
		p.moves = append(p.moves, move{r, was})
	case same(r, old):
		p.did.Unchanged++
	default:
		p.did.Changed++
		r.Status = ""
		p.docs = append(p.docs, rawAffiliate(&r))
	}
}

// stored returns the documents that are there for the records.
func (t *AffiliateTable) stored(ctx context.Context, records []affiliate.Record) (map[string]bson.Raw, error) {
	ids := make([]string, len(records))
	for i := range records {
		ids[i] = records[i].ID
	}
	docs := make(map[string]bson.Raw)
	var broken error
	err := t.engine.GetMany(ctx, Affiliates, ids, func(doc bson.Raw) {
		id, err := DocumentID(doc)
		docs[id], broken = doc, errors.Join(broken, err)
	})
	return docs, errors.Join(err, broken)
}

// settled says whether both are what Llave itself sets.
func settled(a, b affiliate.Status) bool {
	ours := func(s affiliate.Status) bool { return s == affiliate.Locked || s == affiliate.Active }
	return ours(a) && ours(b)
}

// never is after every time: of a record nobody knows when it was so, it is taken as said now.
var never = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)

// asOf is when what a record says was so, at the latest.
func asOf(r affiliate.Record, o affiliate.MergeOptions) time.Time {
	switch {
	case !r.UpdatedAt.IsZero():
		return r.UpdatedAt
	case !o.AsOf.IsZero():
		return o.AsOf
	}
	return never
}

// same says whether a record says nothing that is not stored.
func same(r, old affiliate.Record) bool {
	if r.UpdatedAt.IsZero() {
		r.UpdatedAt = old.UpdatedAt
	}
	if !r.DataUpdatedAt.Equal(old.DataUpdatedAt) || !r.UpdatedAt.Equal(old.UpdatedAt) {
		return false
	}
	r.Version, r.DataUpdatedAt, r.UpdatedAt = old.Version, old.DataUpdatedAt, old.UpdatedAt
	return r == old
}

// movers is how many statuses are written at once: each is a write of its own.
const movers = 16

// move writes the records whose status changes, each over the document that was read, and returns those that are not so any more.
func (t *AffiliateTable) move(ctx context.Context, moves []move) (again []affiliate.Record, done int64, err error) {
	var mu sync.Mutex
	var all sync.WaitGroup
	next := func() (m move, ok bool) {
		mu.Lock()
		defer mu.Unlock()
		if err != nil || len(moves) == 0 {
			return m, false
		}
		m, moves = moves[0], moves[1:]
		return m, true
	}
	for range min(movers, len(moves)) {
		all.Go(func() {
			for m, ok := next(); ok; m, ok = next() {
				failed := t.moveOne(ctx, m)
				mu.Lock()
				switch {
				case errors.Is(failed, ErrConflict):
					again = append(again, m.record)
				case failed != nil:
					err = failed
				default:
					done++
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return again, done, err
}

func (t *AffiliateTable) moveOne(ctx context.Context, m move) error {
	doc, err := Merge(m.was, rawAffiliate(&m.record))
	if err != nil {
		return err
	}
	return t.engine.Replace(ctx, Affiliates, m.record.ID, DocumentVersion(m.was), doc)
}

// EachID calls [each] with the id and version of every record until it returns false. What others keep there under an id that no
// record can have is passed over.
func (t *AffiliateTable) EachID(ctx context.Context, each func(id string, version int64) bool) error {
	err := t.engine.Scan(ctx, Query{Collection: Affiliates}, func(raw bson.Raw) bool {
		id, err := DocumentID(raw)
		return err != nil || each(id, DocumentVersion(raw))
	})
	if err != nil {
		return fmt.Errorf("list affiliates: %w", err)
	}
	return nil
}

// Delete removes a record as it was seen; ErrConflict when somebody has written it since.
func (t *AffiliateTable) Delete(ctx context.Context, id string, version int64) error {
	if err := t.engine.Delete(ctx, Affiliates, id, version); err != nil {
		return fmt.Errorf("delete an affiliate: %w", err)
	}
	return nil
}
