package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/internal/store"
)

// Run is the engines' conformance suite. [open] returns an engine over an empty store that the caller closes. Opening a
// store may be slow, so there are few, and each test keeps to ids and collections of its own.
func Run(t *testing.T, open func(t testing.TB) store.Engine) {
	e := open(t)
	for _, test := range []struct {
		name string
		run  func(*testing.T, store.Engine)
	}{
		{"documents", documents},
		{"fields are kept as they are", fidelity},
		{"refused", refused},
		{"scan by id", scanByID},
		{"scan by time", scanByTime},
		{"scan by string", scanByString},
		{"scan of some fields", scanOnly},
		{"scan while writing", scanWhileWriting},
		{"index follows the document", indexFollows},
		{"increment", increment},
		{"bulk upsert", bulkUpsert},
		{"get many", getMany},
		{"delete range", deleteRange},
		{"snapshot", snapshot},
		{"load", load},
		{"clock", clock},
		{"contexts", contexts},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, e) })
	}
	RunConcurrently(t, e)
}

// RunConcurrently is the part of the suite in which sixteen writers do the same thing at once. Of several engines, which
// must be over one store as those of several processes are, each writer uses one.
func RunConcurrently(t *testing.T, engines ...store.Engine) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, []store.Engine)
	}{
		{"compare and set by 16", compareAndSet},
		{"increment by 16", incrementMany},
		{"increment by 16 over expiry", incrementOverExpiry},
		{"claim by 16", claim},
		{"insert by 16", insertRace},
		{"bulk upsert by 16", bulkRace},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, engines) })
	}
}

const writers = 16

func doc(t testing.TB, id string, fields ...any) bson.Raw {
	t.Helper()
	d := bson.D{{Key: "_id", Value: id}}
	for i := 0; i < len(fields); i += 2 {
		d = append(d, bson.E{Key: fields[i].(string), Value: fields[i+1]})
	}
	raw, err := bson.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t testing.TB, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got error %v, want %v", what, got, want)
	}
}

func get(t testing.TB, e store.Engine, collection, id string) bson.Raw {
	t.Helper()
	raw, err := e.Get(t.Context(), collection, id)
	if err != nil {
		t.Fatalf("get %s/%s: %v", collection, id, err)
	}
	return raw
}

func wantVersion(t testing.TB, raw bson.Raw, want int64) {
	t.Helper()
	if got, ok := raw.Lookup("v").Int64OK(); !ok || got != want {
		t.Errorf("version: got %v, want the int64 %d", raw.Lookup("v"), want)
	}
}

func ids(t testing.TB, e store.Engine, q store.Query) string {
	t.Helper()
	var got []string
	must(t, e.Scan(t.Context(), q, func(raw bson.Raw) bool {
		got = append(got, raw.Lookup("_id").StringValue())
		return true
	}))
	return strings.Join(got, " ")
}

func clear(t testing.TB, e store.Engine, collections ...string) {
	t.Helper()
	for _, c := range collections {
		_, err := e.DeleteRange(t.Context(), store.Query{Collection: c})
		must(t, err)
	}
}

func documents(t *testing.T, e store.Engine) {
	ctx := t.Context()
	_, err := e.Get(ctx, store.Cases, "one")
	wantErr(t, "get what is not there", err, store.ErrNotFound)
	wantErr(t, "replace what is not there", e.Replace(ctx, store.Cases, "one", 1, doc(t, "one")), store.ErrConflict)
	wantErr(t, "replace what is not there, version 0", e.Replace(ctx, store.Cases, "one", 0, doc(t, "one")), store.ErrConflict)
	must(t, e.Delete(ctx, store.Cases, "one", 1))

	must(t, e.Insert(ctx, store.Cases, doc(t, "one", "body", "a", "v", int64(77))))
	wantVersion(t, get(t, e, store.Cases, "one"), 1)
	wantErr(t, "insert again", e.Insert(ctx, store.Cases, doc(t, "one")), store.ErrDuplicate)

	given := doc(t, "one", "v", int32(5), "body", "b")
	before := slices.Clone(given)
	must(t, e.Replace(ctx, store.Cases, "one", 1, given))
	if !slices.Equal(given, before) {
		t.Error("replace changed the document it was given")
	}
	got := get(t, e, store.Cases, "one")
	wantVersion(t, got, 2)
	if body := got.Lookup("body").StringValue(); body != "b" {
		t.Errorf("body: got %q, want b", body)
	}
	wantErr(t, "replace an old version", e.Replace(ctx, store.Cases, "one", 1, doc(t, "one", "body", "c")), store.ErrConflict)
	wantErr(t, "delete an old version", e.Delete(ctx, store.Cases, "one", 1), store.ErrConflict)
	if body := get(t, e, store.Cases, "one").Lookup("body").StringValue(); body != "b" {
		t.Errorf("body after refused writes: got %q, want b", body)
	}
	must(t, e.Delete(ctx, store.Cases, "one", 2))
	_, err = e.Get(ctx, store.Cases, "one")
	wantErr(t, "get what was deleted", err, store.ErrNotFound)

	must(t, e.Insert(ctx, store.Cases, doc(t, "one")))
	must(t, e.Delete(ctx, store.Cases, "one", -1))
	must(t, e.Ping(ctx))
}

func fidelity(t *testing.T, e store.Engine) {
	ctx := t.Context()
	at := time.Date(2025, 9, 1, 12, 30, 15, 123e6, time.UTC)
	type inner struct {
		A string    `bson:"a"`
		T time.Time `bson:"t"`
	}
	type outer struct {
		ID    string           `bson:"_id"`
		V     int64            `bson:"v"`
		Text  string           `bson:"text"`
		Empty string           `bson:"empty"`
		Big   int64            `bson:"big"`
		Small int              `bson:"small"`
		Yes   bool             `bson:"yes"`
		At    time.Time        `bson:"at"`
		None  time.Time        `bson:"none,omitempty"`
		Bytes []byte           `bson:"bytes"`
		List  []inner          `bson:"list"`
		Map   map[string]inner `bson:"map"`
		Ptr   *inner           `bson:"ptr"`
	}
	want := outer{
		ID: "ñandú:1/á\u200b", V: 1, Text: "línea\nuno\x00dos 🔑", Big: 1 << 60, Small: -7, Yes: true, At: at, Bytes: []byte{0, 255},
		List: []inner{{"x", at}, {"y", at.Add(time.Hour)}}, Map: map[string]inner{"k": {"z", at}},
	}
	raw, err := bson.Marshal(want)
	must(t, err)
	must(t, e.Insert(ctx, store.Settings, raw))
	stored := get(t, e, store.Settings, want.ID)
	var got outer
	must(t, bson.Unmarshal(stored, &got))
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got.At.Location() != time.UTC {
		t.Errorf("a time came back in %v, want UTC", got.At.Location())
	}
	if _, err := stored.LookupErr("none"); err == nil {
		t.Error("a zero time with omitempty was stored")
	}
}

func refused(t *testing.T, e store.Engine) {
	ctx := t.Context()
	noID, _ := bson.Marshal(bson.D{{Key: "a", Value: 1}})
	numberID, _ := bson.Marshal(bson.D{{Key: "_id", Value: 1}})
	for _, bad := range []bson.Raw{nil, {}, {1, 2, 3}, noID, numberID, doc(t, "")} {
		if err := e.Insert(ctx, store.Settings, bad); err == nil {
			t.Errorf("insert of %v: got no error", bad)
		}
		if err := e.BulkUpsert(ctx, store.Settings, []bson.Raw{bad}); err == nil {
			t.Errorf("upsert of %v: got no error", bad)
		}
	}
	if err := e.Replace(ctx, store.Settings, "a", 1, doc(t, "b")); err == nil || errors.Is(err, store.ErrConflict) {
		t.Errorf("replace with another id: got %v, want an error of its own", err)
	}
	for _, q := range []store.Query{
		{Collection: store.Settings, Field: "colour"},
		{Collection: store.Conversations, Field: "wake_at", From: 7},
		{Collection: store.Conversations, From: time.Now()},
	} {
		if err := e.Scan(ctx, q, func(bson.Raw) bool { return true }); err == nil {
			t.Errorf("scan of %+v: got no error", q)
		}
		if _, err := e.Count(ctx, q); err == nil {
			t.Errorf("count of %+v: got no error", q)
		}
		if _, err := e.DeleteRange(ctx, q); err == nil {
			t.Errorf("delete of %+v: got no error", q)
		}
	}
}

type queryCase struct {
	name string
	q    store.Query
	want string
}

func runQueries(t *testing.T, e store.Engine, cases []queryCase) {
	for _, c := range cases {
		if got := ids(t, e, c.q); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
		n, err := e.Count(t.Context(), c.q)
		must(t, err)
		if want := len(strings.Fields(c.want)); n != int64(want) {
			t.Errorf("%s: count is %d, want %d", c.name, n, want)
		}
	}
}

func scanByID(t *testing.T, e store.Engine) {
	c := store.Imports
	if got := ids(t, e, store.Query{Collection: "unheard_of"}); got != "" {
		t.Errorf("scan of a collection that does not exist: got %q", got)
	}
	for _, id := range []string{"b", "a", "c", "ab", "ñ", "B"} {
		must(t, e.Insert(t.Context(), c, doc(t, id)))
	}
	runQueries(t, e, []queryCase{
		{"all", store.Query{Collection: c}, "B a ab b c ñ"},
		{"descending", store.Query{Collection: c, Descending: true}, "ñ c b ab a B"},
		{"limit", store.Query{Collection: c, Limit: 2}, "B a"},
		{"from", store.Query{Collection: c, From: "ab"}, "ab b c ñ"},
		{"to", store.Query{Collection: c, To: "b"}, "B a ab"},
		{"from to descending", store.Query{Collection: c, From: "a", To: "c", Descending: true}, "b ab a"},
		{"from to descending limit", store.Query{Collection: c, From: "a", To: "c", Descending: true, Limit: 1}, "b"},
		{"nothing", store.Query{Collection: c, From: "x", To: "y"}, ""},
		{"turned round", store.Query{Collection: c, From: "c", To: "a"}, ""},
	})
	stopped := 0
	must(t, e.Scan(t.Context(), store.Query{Collection: c}, func(bson.Raw) bool { stopped++; return stopped < 3 }))
	if stopped != 3 {
		t.Errorf("scan went on after false: %d calls, want 3", stopped)
	}
}

func scanByTime(t *testing.T, e store.Engine) {
	c := store.Conversations
	clear(t, e, c)
	base := time.Date(2025, 9, 1, 0, 0, 0, 0, time.UTC)
	at := func(ms int) time.Time { return base.Add(time.Duration(ms) * time.Millisecond) }
	for id, field := range map[string]any{
		"c": at(3), "a": at(1), "b2": at(2), "b1": at(2), "old": time.Date(1931, 5, 1, 0, 0, 0, 0, time.UTC),
		"null": nil, "text": "2025-09-01T00:00:00Z",
	} {
		must(t, e.Insert(t.Context(), c, doc(t, id, "wake_at", field)))
	}
	must(t, e.Insert(t.Context(), c, doc(t, "without")))
	q := func(from, to any, descending bool, limit int) store.Query {
		return store.Query{Collection: c, Field: "wake_at", From: from, To: to, Descending: descending, Limit: limit}
	}
	runQueries(t, e, []queryCase{
		{"up to", q(nil, at(2), false, 0), "old a"},
		{"up to, a millisecond on", q(nil, at(3), false, 0), "old a b1 b2"},
		{"from", q(at(2), nil, false, 0), "b1 b2 c"},
		{"between", q(at(1), at(3), false, 0), "a b1 b2"},
		{"descending", q(nil, at(4), true, 0), "c b2 b1 a old"},
		{"descending limit", q(nil, at(3), true, 2), "b2 b1"},
		{"limit", q(at(1), nil, false, 3), "a b1 b2"},
		{"of any kind", q(nil, nil, false, 0), "text old a b1 b2 c"},
		{"in another zone", q(at(3).In(time.FixedZone("", -5*3600)), nil, false, 0), "c"},
	})
}

// scanOnly: what the caller reads is there as it was stored, whatever else is handed out.
func scanOnly(t *testing.T, e store.Engine) {
	c := store.Conversations
	clear(t, e, c)
	at := time.Date(2025, 9, 1, 0, 0, 0, 0, time.UTC)
	must(t, e.Insert(t.Context(), c, doc(t, "a", "wake_at", at, "tail", "much", "promises", bson.A{
		bson.D{{Key: "lane", Value: "chat"}, {Key: "made", Value: at}, {Key: "text", Value: "more"}}, bson.D{{Key: "lane", Value: "mail"}},
	})))
	must(t, e.Insert(t.Context(), c, doc(t, "b", "wake_at", at.Add(time.Hour))))
	var got []string
	q := store.Query{Collection: c, Field: "wake_at", Only: []string{"promises.lane", "promises.made"}}
	must(t, e.Scan(t.Context(), q, func(raw bson.Raw) bool {
		var d struct {
			ID       string `bson:"_id"`
			Promises []struct {
				Lane string
				Made time.Time
			}
		}
		must(t, bson.Unmarshal(raw, &d))
		for _, p := range d.Promises {
			d.ID += fmt.Sprintf(" %s %t", p.Lane, p.Made.Equal(at))
		}
		got = append(got, d.ID)
		return true
	}))
	if want := []string{"a chat true mail false", "b"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func scanByString(t *testing.T, e store.Engine) {
	c := store.Unlocks
	clear(t, e, c)
	for id, link := range map[string]string{
		"1": "b", "2": "a", "3": "a\x00", "4": "a\x00b", "5": "ab", "6": "", "7": "a\x01", "8": "ñ", "9": "a",
	} {
		must(t, e.Insert(t.Context(), c, doc(t, id, "live", bson.D{{Key: "link", Value: link}})))
	}
	must(t, e.Insert(t.Context(), c, doc(t, "none", "live", bson.D{})))
	must(t, e.Insert(t.Context(), c, doc(t, "flat", "live", "a")))
	q := func(from, to any) store.Query {
		return store.Query{Collection: c, Field: "live.link", From: from, To: to}
	}
	runQueries(t, e, []queryCase{
		{"all", q(nil, nil), "6 2 9 3 4 7 5 1 8"},
		{"exactly one value", q("a", "a\x00"), "2 9"},
		{"exactly one value with a zero", q("a\x00", "a\x00\x00"), "3"},
		{"empty", q("", "\x00"), "6"},
		{"prefix", q("a", "b"), "2 9 3 4 7 5"},
	})
}

// scanWhileWriting shows that a scan's function may use the engine, and that long scans lose and double nothing.
func scanWhileWriting(t *testing.T, e store.Engine) {
	const c, n = "many", 1500
	docs := make([]bson.Raw, n)
	for i := range docs {
		docs[i] = doc(t, fmt.Sprintf("%05d", i), "fill", strings.Repeat("x", 100))
	}
	must(t, e.BulkUpsert(t.Context(), c, docs))
	for _, descending := range []bool{false, true} {
		seen := 0
		must(t, e.Scan(t.Context(), store.Query{Collection: c, Descending: descending}, func(raw bson.Raw) bool {
			want := seen
			if descending {
				want = n - 1 - seen
			}
			if id := raw.Lookup("_id").StringValue(); id != fmt.Sprintf("%05d", want) {
				t.Errorf("descending %v: document %d is %s", descending, seen, id)
				return false
			}
			if seen%500 == 0 {
				_, err := e.Increment(t.Context(), store.Counters, "scan", 1, time.Time{})
				must(t, err)
			}
			seen++
			return true
		}))
		if seen != n {
			t.Errorf("descending %v: got %d documents, want %d", descending, seen, n)
		}
	}
	clear(t, e, c)
}

func indexFollows(t *testing.T, e store.Engine) {
	ctx := t.Context()
	c := store.Unlocks
	clear(t, e, c)
	with := func(link string) bson.Raw { return doc(t, "r", "live", bson.D{{Key: "link", Value: link}}) }
	find := func(link string) string {
		return ids(t, e, store.Query{Collection: c, Field: "live.link", From: link, To: link + "\x00"})
	}
	step := func(what, one, two string) {
		t.Helper()
		if got := find("one"); got != one {
			t.Errorf("%s: link one leads to %q, want %q", what, got, one)
		}
		if got := find("two"); got != two {
			t.Errorf("%s: link two leads to %q, want %q", what, got, two)
		}
	}
	must(t, e.Insert(ctx, c, with("one")))
	step("inserted", "r", "")
	must(t, e.Replace(ctx, c, "r", 1, with("two")))
	step("replaced", "", "r")
	must(t, e.Replace(ctx, c, "r", 2, doc(t, "r")))
	step("field gone", "", "")
	must(t, e.BulkUpsert(ctx, c, []bson.Raw{with("one")}))
	step("upserted", "r", "")
	must(t, e.BulkUpsert(ctx, c, []bson.Raw{doc(t, "r", "other", "x")}))
	step("upserted another field", "r", "")
	wantErr(t, "replace an old version", e.Replace(ctx, c, "r", 1, with("two")), store.ErrConflict)
	step("refused", "r", "")
	must(t, e.Delete(ctx, c, "r", -1))
	step("deleted", "", "")
	must(t, e.Insert(ctx, c, with("two")))
	step("inserted again", "", "r")
	_, err := e.DeleteRange(ctx, store.Query{Collection: c})
	must(t, err)
	step("deleted by range", "", "")
}

func increment(t *testing.T, e store.Engine) {
	ctx := t.Context()
	now, err := e.Now(ctx)
	must(t, err)
	later, much := now.Add(time.Hour), now.Add(2*time.Hour)
	add := func(id string, by int64, expires time.Time, want int64) {
		t.Helper()
		got, err := e.Increment(ctx, store.Counters, id, by, expires)
		must(t, err)
		if got != want {
			t.Errorf("%s: got %d, want %d", id, got, want)
		}
	}
	add("live", 1, later, 1)
	add("live", 2, much, 3)
	add("live", -5, much, -2)
	add("live", 0, much, -2)
	raw := get(t, e, store.Counters, "live")
	if got := raw.Lookup("expires").Time(); !got.Equal(later) {
		t.Errorf("expiry of a living counter: got %v, want %v", got, later)
	}
	wantVersion(t, raw, 4)

	add("dead", 3, now.Add(-time.Second), 3)
	add("dead", 4, later, 4) // it had expired, so it began again
	add("dead", 4, much, 8)
	if got := get(t, e, store.Counters, "dead").Lookup("expires").Time(); !got.Equal(later) {
		t.Errorf("expiry of a counter that began again: got %v, want %v", got, later)
	}
	add("forever", 1, time.Time{}, 1)
	add("forever", 1, later, 2)
}

func bulkUpsert(t *testing.T, e store.Engine) {
	ctx := t.Context()
	c := store.Affiliates
	at := time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC)
	must(t, e.BulkUpsert(ctx, c, nil))
	must(t, e.BulkUpsert(ctx, c, []bson.Raw{
		doc(t, "a", "status", "locked", "data_updated_at", at, "extra", "kept"),
		doc(t, "b", "v", int64(9), "status", "locked"),
		doc(t, "bare"),
	}))
	for _, id := range []string{"a", "b", "bare"} {
		wantVersion(t, get(t, e, c, id), 1)
	}
	again := []bson.Raw{doc(t, "a", "v", int64(40), "status", "active", "data_updated_at", nil), doc(t, "c", "status", "locked")}
	must(t, e.BulkUpsert(ctx, c, again))
	got := get(t, e, c, "a")
	wantVersion(t, got, 2)
	if s := got.Lookup("status").StringValue(); s != "active" {
		t.Errorf("status: got %q, want active", s)
	}
	if s, _ := got.Lookup("extra").StringValueOK(); s != "kept" {
		t.Errorf("a field not given: got %q, want kept", s)
	}
	if v := got.Lookup("data_updated_at"); v.Type != bson.TypeNull {
		t.Errorf("a field given as null: got %v", v)
	}
	must(t, e.BulkUpsert(ctx, c, again))
	wantVersion(t, get(t, e, c, "a"), 3)
	wantVersion(t, get(t, e, c, "c"), 2)
	must(t, e.BulkUpsert(ctx, c, []bson.Raw{doc(t, "twice", "n", "first"), doc(t, "twice", "m", "second")}))
	twice := get(t, e, c, "twice")
	wantVersion(t, twice, 2)
	if twice.Lookup("n").StringValue() != "first" || twice.Lookup("m").StringValue() != "second" {
		t.Errorf("an id twice in a batch: got %v", twice)
	}
	if got, want := ids(t, e, store.Query{Collection: c}), "a b bare c twice"; got != want {
		t.Errorf("ids: got %q, want %q", got, want)
	}
}

func deleteRange(t *testing.T, e store.Engine) {
	ctx := t.Context()
	c := store.Audit
	base := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 10 {
		must(t, e.Insert(ctx, c, doc(t, fmt.Sprint(i), "at", base.AddDate(0, 0, i))))
	}
	must(t, e.Insert(ctx, c, doc(t, "undated")))
	step := func(q store.Query, want int64, left string) {
		t.Helper()
		q.Collection = c
		n, err := e.DeleteRange(ctx, q)
		must(t, err)
		if n != want {
			t.Errorf("%+v: %d deleted, want %d", q, n, want)
		}
		if got := ids(t, e, store.Query{Collection: c}); got != left {
			t.Errorf("%+v: left %q, want %q", q, got, left)
		}
	}
	step(store.Query{Field: "at", To: base.AddDate(0, 0, 5), Limit: 2}, 2, "2 3 4 5 6 7 8 9 undated")
	step(store.Query{Field: "at", To: base.AddDate(0, 0, 5), Limit: 50}, 3, "5 6 7 8 9 undated")
	step(store.Query{Field: "at", To: base.AddDate(0, 0, 5)}, 0, "5 6 7 8 9 undated")
	step(store.Query{Field: "at", Descending: true, Limit: 1}, 1, "5 6 7 8 undated")
	step(store.Query{From: "6", To: "8"}, 2, "5 8 undated")
	step(store.Query{Field: "at"}, 2, "undated")
	step(store.Query{}, 1, "")

	docs := make([]bson.Raw, 2500)
	for i := range docs {
		docs[i] = doc(t, fmt.Sprintf("%05d", i), "at", base)
	}
	must(t, e.BulkUpsert(ctx, c, docs))
	n, err := e.DeleteRange(ctx, store.Query{Collection: c, Field: "at", Limit: 2100})
	must(t, err)
	left, err := e.Count(ctx, store.Query{Collection: c})
	must(t, err)
	if n != 2100 || left != 400 {
		t.Errorf("more than a chunk: %d deleted and %d left, want 2100 and 400", n, left)
	}
	clear(t, e, c)
}

// clock wants the store's time to go on, in whole milliseconds, and to be that of a machine that keeps time: the test
// server's and this one are the same.
func clock(t *testing.T, e store.Engine) {
	ctx := t.Context()
	first, err := e.Now(ctx)
	must(t, err)
	if off := time.Since(first).Abs(); off > 30*time.Second {
		t.Errorf("the store's clock is %v off", off)
	}
	if first.Location() != time.UTC || !first.Equal(first.Truncate(time.Millisecond)) {
		t.Errorf("got %v, want whole milliseconds in UTC", first)
	}
	last := first
	for range 2000 {
		now, err := e.Now(ctx)
		must(t, err)
		if now.Before(last.Add(-50 * time.Millisecond)) {
			t.Fatalf("time went back from %v to %v", last, now)
		}
		last = now
	}
	time.Sleep(20 * time.Millisecond)
	now, err := e.Now(ctx)
	must(t, err)
	if !now.After(first) {
		t.Errorf("time stood still at %v", now)
	}
}

func contexts(t *testing.T, e store.Engine) {
	ended, cancel := contextEnded(t)
	defer cancel()
	for name, err := range map[string]error{
		"get many":  e.GetMany(ended, store.Settings, []string{"x"}, func(bson.Raw) {}),
		"get":       second(e.Get(ended, store.Settings, "x")),
		"insert":    e.Insert(ended, store.Settings, doc(t, "late")),
		"increment": second(e.Increment(ended, store.Counters, "late", 1, time.Time{})),
		"scan":      e.Scan(ended, store.Query{Collection: store.Settings}, func(bson.Raw) bool { return true }),
		"count":     second(e.Count(ended, store.Query{Collection: store.Settings})),
		"ping":      e.Ping(ended),
	} {
		if err == nil {
			t.Errorf("%s after the context ended: got no error", name)
		}
	}
	_, err := e.Get(t.Context(), store.Settings, "late")
	wantErr(t, "get what was inserted too late", err, store.ErrNotFound)
}

// together runs [f] in as many goroutines as there are writers, released at once, and waits for them.
func together(engines []store.Engine, f func(writer int, e store.Engine)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for w := range writers {
		wg.Go(func() {
			<-start
			f(w, engines[w%len(engines)])
		})
	}
	close(start)
	wg.Wait()
}

// compareAndSet wants every success to have moved the version, and nothing else to have.
func compareAndSet(t *testing.T, engines []store.Engine) {
	e := engines[0]
	ctx := t.Context()
	c, rounds := store.Settings, 12
	must(t, e.Insert(ctx, c, doc(t, "cas", "sum", int64(0))))
	var wins [writers]int64
	together(engines, func(w int, e store.Engine) {
		for range rounds {
			raw, err := e.Get(ctx, c, "cas")
			if err != nil {
				t.Error(err)
				return
			}
			sum := raw.Lookup("sum").Int64()
			err = e.Replace(ctx, c, "cas", store.DocumentVersion(raw), doc(t, "cas", "sum", sum+1))
			switch {
			case err == nil:
				wins[w]++
			case !errors.Is(err, store.ErrConflict):
				t.Error(err)
				return
			}
		}
	})
	var won int64
	for _, n := range wins {
		won += n
	}
	raw := get(t, e, c, "cas")
	if moved := store.DocumentVersion(raw) - 1; moved != won {
		t.Errorf("%d writes were told they won, but the version moved by %d", won, moved)
	}
	if sum := raw.Lookup("sum").Int64(); sum != won {
		t.Errorf("%d writes were told they won, but they add up to %d", won, sum)
	}
	if won == 0 {
		t.Error("nobody won")
	}
}

// incrementMany wants every value between 1 and the sum to be handed out once.
func incrementMany(t *testing.T, engines []store.Engine) {
	e := engines[0]
	const each = 20
	now, err := e.Now(t.Context())
	must(t, err)
	var mu sync.Mutex
	seen := map[int64]int{}
	together(engines, func(_ int, e store.Engine) {
		for range each {
			n, err := e.Increment(t.Context(), store.Counters, "many", 1, now.Add(time.Hour))
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			seen[n]++
			mu.Unlock()
		}
	})
	for n := int64(1); n <= writers*each; n++ {
		if seen[n] != 1 {
			t.Errorf("value %d was handed out %d times", n, seen[n])
		}
	}
}

// incrementOverExpiry wants a counter that expires while everybody adds to it to begin again once, and to lose no
// addition after that.
func incrementOverExpiry(t *testing.T, engines []store.Engine) {
	e := engines[0]
	ctx := t.Context()
	for round := range 5 {
		id := fmt.Sprintf("expired-%d", round)
		now, err := e.Now(ctx)
		must(t, err)
		_, err = e.Increment(ctx, store.Counters, id, 1000, now.Add(-time.Millisecond))
		must(t, err)
		var mu sync.Mutex
		seen := map[int64]int{}
		together(engines, func(_ int, e store.Engine) {
			n, err := e.Increment(ctx, store.Counters, id, 1, now.Add(time.Hour))
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			seen[n]++
			mu.Unlock()
		})
		for n := int64(1); n <= writers; n++ {
			if seen[n] != 1 {
				t.Errorf("round %d: value %d was handed out %d times", round, n, seen[n])
			}
		}
	}
}

// claim wants one of sixteen to take each document that is due.
func claim(t *testing.T, engines []store.Engine) {
	e := engines[0]
	ctx := t.Context()
	c, n := store.Conversations, 10
	clear(t, e, c)
	now := time.Date(2025, 9, 1, 0, 0, 0, 0, time.UTC)
	for i := range n {
		must(t, e.Insert(ctx, c, doc(t, fmt.Sprint(i), "wake_at", now)))
	}
	var mu sync.Mutex
	claims := map[string]int{}
	together(engines, func(w int, e store.Engine) {
		q := store.Query{Collection: c, Field: "wake_at", To: now.Add(time.Millisecond)}
		var due []bson.Raw
		if err := e.Scan(ctx, q, func(raw bson.Raw) bool { due = append(due, raw); return true }); err != nil {
			t.Error(err)
			return
		}
		for _, raw := range due {
			id := raw.Lookup("_id").StringValue()
			err := e.Replace(ctx, c, id, store.DocumentVersion(raw), doc(t, id, "wake_at", now.Add(time.Hour), "by", int64(w)))
			switch {
			case err == nil:
				mu.Lock()
				claims[id]++
				mu.Unlock()
			case !errors.Is(err, store.ErrConflict):
				t.Error(err)
			}
		}
	})
	for i := range n {
		if got := claims[fmt.Sprint(i)]; got != 1 {
			t.Errorf("document %d was claimed %d times, want once", i, got)
		}
	}
}

func insertRace(t *testing.T, engines []store.Engine) {
	e := engines[0]
	for round := range 5 {
		id := fmt.Sprintf("race-%d", round)
		var won sync.Map
		together(engines, func(w int, e store.Engine) {
			err := e.Insert(t.Context(), store.Cases, doc(t, id, "by", int64(w)))
			if err == nil {
				won.Store(w, true)
			} else if !errors.Is(err, store.ErrDuplicate) {
				t.Error(err)
			}
		})
		var winners []int
		won.Range(func(w, _ any) bool { winners = append(winners, w.(int)); return true })
		by := get(t, e, store.Cases, id).Lookup("by").Int64()
		if len(winners) != 1 || int64(winners[0]) != by {
			t.Errorf("round %d: writers %v were told they won, the document is writer %d's", round, winners, by)
		}
	}
}

func bulkRace(t *testing.T, engines []store.Engine) {
	const n = 20
	together(engines, func(w int, e store.Engine) {
		docs := make([]bson.Raw, n)
		for i := range docs {
			docs[i] = doc(t, fmt.Sprintf("bulk-%d", i), fmt.Sprintf("w%d", w), true)
		}
		if err := e.BulkUpsert(t.Context(), store.Affiliates, docs); err != nil {
			t.Error(err)
		}
	})
	for i := range n {
		raw := get(t, engines[0], store.Affiliates, fmt.Sprintf("bulk-%d", i))
		wantVersion(t, raw, writers)
		for w := range writers {
			if _, err := raw.LookupErr(fmt.Sprintf("w%d", w)); err != nil {
				t.Errorf("document %d lost writer %d's field", i, w)
			}
		}
	}
}

func contextEnded(t testing.TB) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx, cancel
}

func second[T any](_ T, err error) error { return err }
