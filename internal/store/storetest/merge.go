package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/internal/affiliate"
	"llave/internal/store"
)

func getMany(t *testing.T, e store.Engine) {
	ctx := t.Context()
	c := store.Cases
	got := func(ids ...string) map[string]string {
		t.Helper()
		found := map[string]string{}
		must(t, e.GetMany(ctx, c, ids, func(doc bson.Raw) {
			found[doc.Lookup("_id").StringValue()] += doc.Lookup("n").StringValue()
		}))
		return found
	}
	if found := got("a"); len(found) != 0 {
		t.Errorf("of a collection that does not exist: got %v", found)
	}
	must(t, e.BulkUpsert(ctx, c, []bson.Raw{doc(t, "a", "n", "1"), doc(t, "b", "n", "2"), doc(t, "c", "n", "3")}))
	if found := got(); len(found) != 0 {
		t.Errorf("none: got %v", found)
	}
	if found := got("c", "nobody", "a"); len(found) != 2 || found["a"] != "1" || found["c"] != "3" {
		t.Errorf("two of three: got %v", found)
	}
	many := make([]bson.Raw, 2500)
	ids := make([]string, len(many))
	for i := range many {
		ids[i] = fmt.Sprintf("many-%d", i)
		many[i] = doc(t, ids[i], "n", "x")
	}
	must(t, e.BulkUpsert(ctx, c, many))
	if found := got(ids...); len(found) != len(ids) {
		t.Errorf("got %d of %d", len(found), len(ids))
	}
	clear(t, e, c)
}

// mergeRecords goes through what may become of a row of an import (P609).
func mergeRecords(t *testing.T, s *store.Store) {
	ctx := t.Context()
	now, err := s.Now(ctx)
	must(t, err)
	hour := func(n int) time.Time { return now.Add(time.Duration(n) * time.Hour) }
	base := affiliate.Record{IDType: affiliate.Cedula, Category: affiliate.Affiliate, FullName: "Persona Uno", Email: "uno@correo.example",
		DataUpdatedAt: time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC), Status: affiliate.Locked, UpdatedAt: hour(-10)}
	with := func(change func(*affiliate.Record)) affiliate.Record {
		r := base
		change(&r)
		return r
	}
	at := func(n int) func(*affiliate.Record) { return func(r *affiliate.Record) { r.UpdatedAt = hour(n) } }
	mail := func(r *affiliate.Record) { r.Email = "otro@correo.example" }
	status := func(st affiliate.Status) func(*affiliate.Record) {
		return func(r *affiliate.Record) { r.Status = st }
	}
	undated := func(r *affiliate.Record) { r.UpdatedAt = time.Time{} }
	all := func(changes ...func(*affiliate.Record)) affiliate.Record {
		return with(func(r *affiliate.Record) {
			for _, change := range changes {
				change(r)
			}
		})
	}
	for i, c := range []struct {
		name string
		ours affiliate.Status // Llave sets it, now; "": it does not
		row  affiliate.Record
		asOf time.Time
		want affiliate.Record
		did  affiliate.Merged
	}{
		{"the same", "", base, time.Time{}, base, affiliate.Merged{Unchanged: 1}},
		{"the same, undated", "", all(undated), time.Time{}, base, affiliate.Merged{Unchanged: 1}},
		{"changed later", "", all(mail, at(-9)), time.Time{}, all(mail, at(-9)), affiliate.Merged{Changed: 1}},
		{"changed, undated", "", all(mail, undated), time.Time{}, all(mail), affiliate.Merged{Changed: 1}},
		{"changed, as old as the stored", "", all(mail), time.Time{}, all(mail), affiliate.Merged{Changed: 1}},
		{"changed earlier", "", all(mail, at(-11)), time.Time{}, base, affiliate.Merged{Older: 1}},
		{"no longer updated in person", "", all(at(-9), func(r *affiliate.Record) { r.DataUpdatedAt = time.Time{} }), time.Time{},
			all(at(-9), func(r *affiliate.Record) { r.DataUpdatedAt = time.Time{} }), affiliate.Merged{Changed: 1}},
		{"status changed", "", all(status(affiliate.Suspended)), time.Time{}, all(status(affiliate.Suspended)), affiliate.Merged{Changed: 1}},

		{"unlocked since, nothing else new", affiliate.Active, all(at(-10)), time.Time{}, all(status(affiliate.Active)), affiliate.Merged{Unchanged: 1, Kept: 1}},
		{"unlocked since, another address", affiliate.Active, all(mail, at(-1)), time.Time{}, all(mail, at(-1), status(affiliate.Active)), affiliate.Merged{Changed: 1, Kept: 1}},
		{"unlocked before the row", affiliate.Active, all(at(1)), time.Time{}, all(at(1)), affiliate.Merged{Changed: 1}},
		{"unlocked since the file", affiliate.Active, all(undated), hour(-1), all(status(affiliate.Active)), affiliate.Merged{Unchanged: 1, Kept: 1}},
		{"unlocked before the file", affiliate.Active, all(undated), hour(1), base, affiliate.Merged{Changed: 1}},
		{"unlocked, row and file undated", affiliate.Active, all(undated), time.Time{}, base, affiliate.Merged{Changed: 1}},
		{"the row's own time counts before the file's", affiliate.Active, all(at(-1)), hour(1), all(at(-1), status(affiliate.Active)), affiliate.Merged{Changed: 1, Kept: 1}},
		{"unlocked since, and dead", affiliate.Active, all(at(-1), status(affiliate.Deceased)), time.Time{}, all(at(-1), status(affiliate.Deceased)), affiliate.Merged{Changed: 1}},
		{"locked again by its owner", affiliate.Locked, all(at(-1), status(affiliate.Active)), time.Time{}, all(at(-1)), affiliate.Merged{Changed: 1, Kept: 1}},
	} {
		id := fmt.Sprintf("24%08d", i)
		c.row.ID, c.want.ID = id, id
		stored := base
		stored.ID = id
		if did, err := s.Affiliates.Merge(ctx, []affiliate.Record{stored}, affiliate.MergeOptions{}); err != nil || did != (affiliate.Merged{New: 1}) {
			t.Fatalf("%s: new: %+v, %v", c.name, did, err)
		}
		must(t, s.Engine().BulkUpsert(ctx, store.Affiliates, []bson.Raw{doc(t, id, "branch", "Quito")}))
		if c.ours != "" {
			rec, _, err := s.Affiliates.Find(ctx, id)
			must(t, err)
			must(t, s.Affiliates.SetStatus(ctx, rec, c.ours))
		}
		before := get(t, s.Engine(), store.Affiliates, id)
		for _, dry := range []bool{true, false} {
			did, err := s.Affiliates.Merge(ctx, []affiliate.Record{c.row}, affiliate.MergeOptions{AsOf: c.asOf, DryRun: dry})
			must(t, err)
			if did != c.did {
				t.Errorf("%s (dry %t): got %+v, want %+v", c.name, dry, did, c.did)
			}
			if dry && get(t, s.Engine(), store.Affiliates, id).String() != before.String() {
				t.Errorf("%s: a dry run wrote", c.name)
			}
		}
		got, _, err := s.Affiliates.Find(ctx, id)
		must(t, err)
		wantVersion := store.DocumentVersion(before) + c.did.Changed
		if got.Version != wantVersion {
			t.Errorf("%s: version %d, want %d", c.name, got.Version, wantVersion)
		}
		if got.Version = 0; got != c.want {
			t.Errorf("%s:\ngot  %+v\nwant %+v", c.name, got, c.want)
		}
		if branch, _ := get(t, s.Engine(), store.Affiliates, id).Lookup("branch").StringValueOK(); branch != "Quito" {
			t.Errorf("%s: a field of others is lost", c.name)
		}
	}
}

// mergeRace imports rows from before while Llave unlocks some records and locks others again: what Llave did stays, and whoever is
// suspended is.
func mergeRace(t *testing.T, s *store.Store) {
	ctx := t.Context()
	now, err := s.Now(ctx)
	must(t, err)
	const people, rounds = 90, 6
	cases := []struct{ rows, ours, want affiliate.Status }{
		{affiliate.Locked, affiliate.Active, affiliate.Active},
		{affiliate.Active, affiliate.Locked, affiliate.Locked},
		{affiliate.Suspended, affiliate.Locked, affiliate.Suspended},
	}
	rows := make([]affiliate.Record, people)
	for i := range rows {
		rows[i] = affiliate.Record{ID: fmt.Sprintf("30%08d", i), IDType: affiliate.Cedula, Category: affiliate.Affiliate, Status: affiliate.Locked}
	}
	_, err = s.Affiliates.Merge(ctx, rows, affiliate.MergeOptions{})
	must(t, err)
	var all sync.WaitGroup
	for i, r := range rows {
		all.Go(func() {
			for {
				rec, _, err := s.Affiliates.Find(ctx, r.ID)
				if err == nil && rec.Status != affiliate.Suspended {
					err = s.Affiliates.SetStatus(ctx, rec, cases[i%len(cases)].ours)
				}
				if err == nil {
					return
				}
				if !errors.Is(err, store.ErrConflict) {
					t.Error(err)
					return
				}
			}
		})
	}
	for round := range rounds {
		for i := range rows {
			rows[i].Email, rows[i].Status = fmt.Sprintf("vuelta%d@correo.example", round), cases[i%len(cases)].rows
		}
		if _, err := s.Affiliates.Merge(ctx, rows, affiliate.MergeOptions{AsOf: now.Add(-time.Hour)}); err != nil {
			t.Error(err)
		}
	}
	all.Wait()
	for i, r := range rows {
		got, _, err := s.Affiliates.Find(ctx, r.ID)
		must(t, err)
		if want := cases[i%len(cases)].want; got.Status != want || got.Email != fmt.Sprintf("vuelta%d@correo.example", rounds-1) {
			t.Errorf("%d: %s, %s; want %s and the last address", i, got.Status, got.Email, want)
		}
	}
}

// missingRecords lists and deletes as `llave import --delete-missing` does.
func missingRecords(t *testing.T, s *store.Store) {
	ctx := t.Context()
	must(t, s.Affiliates.Import(ctx, []affiliate.Record{{ID: "0100000009", Status: affiliate.Locked}, {ID: "0100000017", Status: affiliate.Locked}}))
	versions := map[string]int64{}
	must(t, s.Affiliates.EachID(ctx, func(id string, version int64) bool {
		versions[id] = version
		return true
	}))
	if n, err := s.Affiliates.Count(ctx); err != nil || int64(len(versions)) != n || versions["0100000009"] != 1 {
		t.Errorf("listed %d of %d (%v)", len(versions), n, err)
	}
	rec, _, err := s.Affiliates.Find(ctx, "0100000017")
	must(t, err)
	must(t, s.Affiliates.SetStatus(ctx, rec, affiliate.Active))
	must(t, s.Affiliates.Delete(ctx, "0100000009", 1))
	must(t, s.Affiliates.Delete(ctx, "0100000009", 1)) // it is gone
	err = s.Affiliates.Delete(ctx, "0100000017", 1)
	wantErr(t, "delete what was unlocked meanwhile", err, store.ErrConflict)
	for id, want := range map[string]bool{"0100000009": false, "0100000017": true} {
		if _, found, err := s.Affiliates.Find(ctx, id); err != nil || found != want {
			t.Errorf("found %v, %v; want %v", found, err, want)
		}
	}
}
