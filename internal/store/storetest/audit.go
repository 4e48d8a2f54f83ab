package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/internal/secret"
	"llave/internal/store"
)

// auditVault is the key of every store's audit here: two stores over one engine chain as two processes do.
func auditVault(t testing.TB) *secret.Vault {
	t.Helper()
	v, err := secret.New(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// auditOn empties the audit and returns a process's view of it.
func auditOn(t testing.TB, e store.Engine) *store.AuditLog {
	t.Helper()
	ctx := t.Context()
	if _, err := e.DeleteRange(ctx, store.Query{Collection: store.Audit}); err != nil {
		t.Fatal(err)
	}
	if err := e.Delete(ctx, store.Settings, "audit_chain", -1); err != nil {
		t.Fatal(err)
	}
	return auditOf(t, e)
}

func auditOf(t testing.TB, e store.Engine) *store.AuditLog {
	l := store.New(e).Audit
	l.Chain(auditVault(t))
	return l
}

var auditDay = time.Date(2025, 9, 1, 12, 0, 0, 0, time.UTC)

func auditLine(i int) store.AuditEntry {
	return store.AuditEntry{ID: fmt.Sprint("line ", i), At: auditDay.Add(time.Duration(i) * time.Minute), Who: "ana", What: "case_read", Detail: fmt.Sprint("C-", i)}
}

// verified fails the test unless the chain is whole and has so many lines.
func verified(t testing.TB, l *store.AuditLog, lines int64) store.AuditReport {
	t.Helper()
	r, err := l.Verify(t.Context(), store.AuditEnd{})
	if err != nil || len(r.Faults) > 0 || r.Lines != lines {
		t.Errorf("verified: got %+v, %v; want %d lines and no fault", r, err, lines)
	}
	return r
}

func auditChain(t *testing.T, s *store.Store) {
	ctx := t.Context()
	l := auditOn(t, s.Engine())
	if err := store.New(s.Engine()).Audit.Append(ctx, auditLine(0)); err == nil {
		t.Error("a line was appended without a key")
	}
	verified(t, l, 0)
	var begun []bool
	l.OnBegin(func(older bool) { begun = append(begun, older) })
	must(t, insertLine(ctx, s.Engine(), bson.D{{Key: "_id", Value: "older"}, {Key: "v", Value: int64(1)}, {Key: "at", Value: auditDay.Add(-time.Hour)}, {Key: "who", Value: "sup"}, {Key: "what", Value: "x"}}))
	for i := range 10 {
		must(t, l.Begin(ctx))
		must(t, auditOf(t, s.Engine()).Begin(ctx))
		must(t, l.Append(ctx, auditLine(i)))
		must(t, auditOf(t, s.Engine()).Append(ctx, auditLine(i))) // another process is asked to do it again
	}
	if !slices.Equal(begun, []bool{true}) {
		t.Errorf("it was told that the chain began: %v", begun)
	}
	if r := verified(t, l, 10); r.First != 1 || r.Last != 10 || r.Beside != 1 || r.CutUpto != nil || r.Began == nil {
		t.Errorf("got %+v", r)
	}
	end, err := l.End(ctx)
	must(t, err)
	for _, e := range []store.AuditEnd{end, {Seq: end.Seq, Hash: "z"}, {Seq: end.Seq + 1, Hash: end.Hash}} {
		if through, err := l.GoesThrough(ctx, e); err != nil || through != (e == end) {
			t.Errorf("goes through %v: %t, %v", e, through, err)
		}
	}
	if again, err := store.ParseAuditEnd(end.String()); err != nil || again != end || end.Seq != 10 {
		t.Errorf("end %v, read back %v, %v", end, again, err)
	}
	must(t, l.Append(ctx, auditLine(10)))
	if r, err := l.Verify(ctx, end); err != nil || len(r.Faults) > 0 {
		t.Errorf("with the end of before: got %+v, %v", r, err)
	}
	end.Hash = strings.ToUpper(end.Hash)
	if r, err := l.Verify(ctx, end); err != nil || len(r.Faults) != 1 || r.Faults[0].Seq != 10 {
		t.Errorf("with another end: got %+v, %v", r, err)
	}

	if n, err := l.Forget(ctx, auditDay.Add(4*time.Minute), 3); err != nil || n != 3 {
		t.Errorf("forget at most three: %d, %v", n, err)
	}
	if n, err := l.Forget(ctx, auditDay.Add(4*time.Minute), 3); err != nil || n != 2 { // the fourth, and the one of before
		t.Errorf("forget the rest: %d, %v", n, err)
	}
	if r := verified(t, l, 7); r.First != 5 || r.Last != 11 || r.Beside != 0 || r.CutUpto == nil || !r.CutUpto.Equal(auditDay.Add(4*time.Minute)) {
		t.Errorf("after the retention: got %+v", r)
	}
	if r, err := l.Verify(ctx, store.AuditEnd{Seq: 2, Hash: "whatever"}); err != nil || len(r.Faults) > 0 || !r.Skipped {
		t.Errorf("with an end that is not kept any more: got %+v, %v", r, err)
	}
	if n, err := l.Forget(ctx, auditDay.Add(time.Hour), 100); err != nil || n != 7 {
		t.Errorf("forget everything: %d, %v", n, err)
	}
	verified(t, l, 0)
	if head, err := s.Engine().Get(ctx, store.Settings, "audit_chain"); err != nil || strings.Contains(head.String(), "case_read") {
		t.Errorf("the head keeps the last line: %v, %v", head, err)
	}
	must(t, l.Append(ctx, auditLine(20)))
	if r := verified(t, l, 1); r.First != 12 {
		t.Errorf("the chain goes on: got %+v", r)
	}
}

func insertLine(ctx context.Context, e store.Engine, doc any) error {
	raw, err := bson.Marshal(doc)
	if err != nil {
		return err
	}
	return e.Insert(ctx, store.Audit, raw)
}

// Sixteen processes append at once, some the same lines: every line is there once, and the chain is whole, also to whoever reads it
// meanwhile.
func auditRace(t *testing.T, s *store.Store) {
	ctx := t.Context()
	l := auditOn(t, s.Engine())
	const writers, each = 16, 20
	var done atomic.Bool
	var reading, writing sync.WaitGroup
	reading.Go(func() {
		for !done.Load() {
			if r, err := l.Verify(ctx, store.AuditEnd{}); err != nil || len(r.Faults) > 0 {
				t.Errorf("while they append: got %+v, %v", r, err)
				return
			}
		}
	})
	for w := range writers {
		own := auditOf(t, s.Engine())
		writing.Go(func() {
			for i := range each {
				if err := own.Append(ctx, auditLine(w/2*each+i)); err != nil { // two have the same lines
					t.Error(err)
				}
			}
		})
	}
	writing.Wait()
	done.Store(true)
	reading.Wait()
	verified(t, l, writers/2*each)
}

// Processes that die at any call, done or not, and are followed by others that do what they had to do again: no line is lost or
// doubled, and the chain is whole after each death.
func auditDies(t *testing.T, s *store.Store) {
	ctx := t.Context()
	l := auditOn(t, s.Engine())
	died := errors.New("died")
	rng := rand.New(rand.NewPCG(1, 2))
	deaths := 0
	for i := range 40 {
		for at := 0; ; at++ {
			calls, after := 0, rng.IntN(2) == 0
			dying := auditOf(t, Around(s.Engine(), func(_ Call, do func() error) error {
				if calls++; calls-1 != at {
					return do()
				}
				if after {
					return errors.Join(do(), died)
				}
				return died
			}))
			err := dying.Append(ctx, auditLine(i))
			if err == nil {
				break
			}
			if !errors.Is(err, died) {
				t.Fatal(err)
			}
			deaths++
			if r, err := auditOf(t, s.Engine()).Verify(ctx, store.AuditEnd{}); err != nil || len(r.Faults) > 0 || r.Lines < int64(i) || r.Lines > int64(i)+1 {
				t.Fatalf("line %d, death at call %d (done: %v): got %+v, %v", i, at, after, r, err)
			}
		}
	}
	if deaths < 60 {
		t.Errorf("only %d deaths were tried", deaths)
	}
	verified(t, l, 40)
	verified(t, l, auditCutDies(t, s, 40))
}

// auditCutDies has processes die while they remove the beginning of a chain of so many lines, and says how many are left.
func auditCutDies(t *testing.T, s *store.Store, lines int64) (left int64) {
	ctx := t.Context()
	died := errors.New("died")
	for at := 0; ; at++ {
		calls := 0
		dying := auditOf(t, Around(s.Engine(), func(_ Call, do func() error) error {
			if calls++; calls-1 == at {
				return errors.Join(do(), died)
			}
			return do()
		}))
		_, err := dying.Forget(ctx, auditDay.Add(time.Duration(at+1)*2*time.Minute), 100)
		left = lines - 2*int64(at+1)
		if r, verr := auditOf(t, s.Engine()).Verify(ctx, store.AuditEnd{}); verr != nil || len(r.Faults) > 0 || r.Lines < left {
			t.Fatalf("cut, death at call %d: got %+v, %v", at, r, verr)
		}
		if err == nil {
			return left
		}
	}
}

// What somebody does who can write the store and has not the key shows, each at its place (P743).
func auditTampered(t *testing.T, s *store.Store) {
	ctx := t.Context()
	e := s.Engine()
	line := func(i int) bson.Raw {
		raw, err := e.Get(ctx, store.Audit, fmt.Sprint("line ", i))
		must(t, err)
		return raw
	}
	change := func(collection, id string, raw bson.Raw, field string, value any) {
		typ, b, err := bson.MarshalValue(value)
		must(t, err)
		changed, err := store.WithField(raw, field, bson.RawValue{Type: typ, Value: b})
		must(t, err)
		must(t, e.Replace(ctx, collection, id, store.DocumentVersion(raw), changed))
	}
	head := func() bson.Raw {
		raw, err := e.Get(ctx, store.Settings, "audit_chain")
		must(t, err)
		return raw
	}
	for _, c := range []struct {
		name string
		do   func()
		seqs []int64
		what string
	}{
		{"nothing", func() {}, nil, ""},
		{"who", func() { change(store.Audit, "line 3", line(3), "who", "sup") }, []int64{4}, "changed"},
		{"what", func() { change(store.Audit, "line 3", line(3), "what", "case_claim") }, []int64{4}, "changed"},
		{"detail", func() { change(store.Audit, "line 0", line(0), "detail", "") }, []int64{1}, "changed"},
		{"when", func() { change(store.Audit, "line 9", line(9), "at", auditDay) }, []int64{10}, "changed"},
		{"one taken out", func() { must(t, e.Delete(ctx, store.Audit, "line 5", -1)) }, []int64{6}, "1 lines are missing"},
		{"the end taken off", func() {
			must(t, e.Delete(ctx, store.Audit, "line 8", -1))
			must(t, e.Delete(ctx, store.Audit, "line 9", -1))
		}, []int64{9}, "missing"}, // the last one is in the head, and put back
		{"one put in beside", func() {
			must(t, insertLine(ctx, e, bson.D{{Key: "_id", Value: "x"}, {Key: "at", Value: time.Now().Add(48 * time.Hour)}, {Key: "who", Value: "sup"}, {Key: "what", Value: "y"}}))
		}, []int64{0}, "beside"},
		{"one put in at a place", func() {
			must(t, insertLine(ctx, e, bson.D{{Key: "_id", Value: "x"}, {Key: "at", Value: auditDay}, {Key: "who", Value: "sup"}, {Key: "what", Value: "y"}, {Key: "seq", Value: int64(4)}, {Key: "hash", Value: "z"}}))
		}, nil, "two lines"},
		{"one put in at the end", func() {
			must(t, insertLine(ctx, e, bson.D{{Key: "_id", Value: "x"}, {Key: "at", Value: auditDay}, {Key: "who", Value: "sup"}, {Key: "what", Value: "y"}, {Key: "seq", Value: int64(11)}, {Key: "hash", Value: "z"}}))
		}, []int64{11}, "after the end"},
		{"one put in before the beginning", func() {
			must(t, insertLine(ctx, e, bson.D{{Key: "_id", Value: "x"}, {Key: "at", Value: auditDay}, {Key: "who", Value: "sup"}, {Key: "what", Value: "y"}, {Key: "seq", Value: int64(-1)}, {Key: "hash", Value: "z"}}))
		}, []int64{-1}, "before the beginning"},
		{"one put in where the beginning was cut off", func() {
			_, err := auditOf(t, e).Forget(ctx, auditDay.Add(4*time.Minute), 100)
			must(t, err)
			must(t, insertLine(ctx, e, bson.D{{Key: "_id", Value: "x"}, {Key: "at", Value: auditDay.Add(5 * time.Minute)}, {Key: "who", Value: "sup"}, {Key: "what", Value: "y"}, {Key: "seq", Value: int64(2)}, {Key: "hash", Value: "z"}}))
		}, []int64{2}, "before the beginning"},
		{"two exchanged", func() {
			a, b := line(2), line(4)
			change(store.Audit, "line 2", a, "detail", "C-4")
			change(store.Audit, "line 4", b, "detail", "C-2")
		}, []int64{3, 5}, "changed"},
		{"the beginning cut off by somebody else", func() {
			hash := line(3).Lookup("hash").StringValue()
			_, err := e.DeleteRange(ctx, store.Query{Collection: store.Audit, Field: "seq", To: int64(5)})
			must(t, err)
			change(store.Settings, "audit_chain", head(), "anchor", bson.D{{Key: "seq", Value: int64(4)}, {Key: "hash", Value: hash}, {Key: "upto", Value: auditDay}, {Key: "mark", Value: "forged"}})
		}, []int64{4}, "anchor"},
		{"one put in as of long ago", func() {
			must(t, insertLine(ctx, e, bson.D{{Key: "_id", Value: "x"}, {Key: "at", Value: auditDay}, {Key: "who", Value: "sup"}, {Key: "what", Value: "y"}}))
		}, []int64{0}, "beside"},
		{"one put in beside, and the beginning moved on", func() {
			change(store.Settings, "audit_chain", head(), "began", time.Now().Add(1000*time.Hour))
			must(t, insertLine(ctx, e, bson.D{{Key: "_id", Value: "x"}, {Key: "at", Value: time.Now().Add(48 * time.Hour)}, {Key: "who", Value: "sup"}, {Key: "what", Value: "y"}}))
		}, []int64{0, 0}, "began"},
		{"one put in as of long ago, and lines said to have been there", func() {
			change(store.Settings, "audit_chain", head(), "older", true)
			must(t, insertLine(ctx, e, bson.D{{Key: "_id", Value: "x"}, {Key: "at", Value: auditDay}, {Key: "who", Value: "sup"}, {Key: "what", Value: "y"}}))
		}, []int64{0}, "began"},
		{"the chain taken off all lines but one, which goes", func() {
			must(t, e.Delete(ctx, store.Audit, "line 3", -1))
			must(t, e.Delete(ctx, store.Settings, "audit_chain", -1))
			for _, i := range []int{0, 1, 2, 4, 5, 6, 7, 8, 9} {
				must(t, e.Delete(ctx, store.Audit, fmt.Sprint("line ", i), -1))
				must(t, insertLine(ctx, e, bson.D{{Key: "_id", Value: fmt.Sprint("line ", i)}, {Key: "at", Value: auditDay}, {Key: "who", Value: "ana"}, {Key: "what", Value: "case_read"}}))
			}
		}, []int64{0}, "no chain"},
		{"the head taken away", func() { must(t, e.Delete(ctx, store.Settings, "audit_chain", -1)) }, []int64{10}, "after the end"},
	} {
		l := auditOn(t, e)
		for i := range 10 {
			must(t, l.Append(ctx, auditLine(i)))
		}
		c.do()
		r, err := auditOf(t, e).Verify(ctx, store.AuditEnd{})
		must(t, err)
		var seqs []int64
		for _, f := range r.Faults {
			seqs = append(seqs, f.Seq)
		}
		if c.seqs != nil && !slices.Equal(seqs, c.seqs) || (c.what != "") != (len(r.Faults) > 0) || len(r.Faults) > 0 && !strings.Contains(r.Faults[0].What, c.what) {
			t.Errorf("%s: got %+v, want %q at %v", c.name, r.Faults, c.what, c.seqs)
		}
	}
	// An older state of all is one that fits in itself; only an end that was noted down elsewhere tells.
	l := auditOn(t, e)
	for i := range 5 {
		must(t, l.Append(ctx, auditLine(i)))
	}
	before := head()
	must(t, l.Append(ctx, auditLine(5)))
	end, err := l.End(ctx)
	must(t, err)
	must(t, e.Delete(ctx, store.Settings, "audit_chain", -1))
	must(t, e.Insert(ctx, store.Settings, before))
	must(t, e.Delete(ctx, store.Audit, "line 5", -1))
	verified(t, auditOf(t, e), 5)
	if r, err := auditOf(t, e).Verify(ctx, end); err != nil || len(r.Faults) != 1 || r.Faults[0].Seq != 6 {
		t.Errorf("with the end that was noted down: got %+v, %v", r, err)
	}
	auditOn(t, e)
}

// Lines are appended, the beginning is removed, and the whole is verified, all at once in processes of their own.
func auditCut(t *testing.T, s *store.Store) {
	ctx := t.Context()
	auditOn(t, s.Engine())
	const lines = 200
	var last atomic.Int64
	var all sync.WaitGroup
	all.Go(func() {
		own := auditOf(t, s.Engine())
		for i := range lines {
			if err := own.Append(ctx, auditLine(i)); err != nil {
				t.Error(err)
			}
			last.Store(int64(i))
		}
	})
	for range 2 {
		own := auditOf(t, s.Engine())
		all.Go(func() {
			for last.Load() < lines-1 {
				if _, err := own.Forget(ctx, auditDay.Add(time.Duration(last.Load()-5)*time.Minute), 7); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Go(func() {
		own := auditOf(t, s.Engine())
		for last.Load() < lines-1 {
			if r, err := own.Verify(ctx, store.AuditEnd{}); err != nil || len(r.Faults) > 0 {
				t.Errorf("got %+v, %v", r, err)
			}
		}
	})
	all.Wait()
	if r, err := auditOf(t, s.Engine()).Verify(ctx, store.AuditEnd{}); err != nil || len(r.Faults) > 0 || r.Last != lines || r.First == 1 {
		t.Errorf("at the end: got %+v, %v", r, err)
	}
	auditOn(t, s.Engine())
}
