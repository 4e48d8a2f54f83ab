package storetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/bot"
	"llave/internal/affiliate"
	"llave/internal/secret"
	"llave/internal/store"
	"llave/internal/unlock"
)

// RunRepositories is the suite of what is written over an engine.
func RunRepositories(t *testing.T, open func(t testing.TB) store.Engine) {
	s := store.New(open(t))
	s.Audit.Chain(auditVault(t))
	for _, test := range []struct {
		name string
		run  func(*testing.T, *store.Store)
	}{
		{"conversations", conversations},
		{"conversations due", conversationsDue},
		{"unlock documents", unlocks},
		{"find by a field", findBy},
		{"affiliates", affiliates},
		{"affiliates written by others", affiliatesOfOthers},
		{"codes in others' letters", affiliatesInLetters},
		{"records of an import", mergeRecords},
		{"an import and unlocks at once", mergeRace},
		{"records that an import does not have", missingRecords},
		{"leases", leases},
		{"a lease for one of 16", leaseRace},
		{"leases under a prefix", leasesLive},
		{"processes", processes},
		{"counters", counters},
		{"files", files},
		{"audit", audit},
		{"the audit's chain", auditChain},
		{"the audit's chain by 16", auditRace},
		{"the audit's chain when processes die", auditDies},
		{"the audit's chain when it is tampered with", auditTampered},
		{"the audit's chain while it is cut", auditCut},
		{"imports", imports},
		{"people", people},
		{"a new person for 16", peopleRace},
		{"two persons under one number for 16", peopleTwice},
		{"deliveries", deliveries},
		{"images", images},
		{"schedule", schedule},
		{"the desk's queue", deskQueue},
		{"a list's case is the whole document's", deskGlance},
		{"lines of the desk", deskLines},
		{"cases of the desk", deskCases},
		{"who is at the desk", deskPresence},
		{"the desk by 16", deskRaces},
		{"a case taken by 16", deskTaken},
		{"agents", agents},
		{"agents' sessions", agentSessions},
		{"tries by 16", triesRace},
		{"entries of the report", counted},
		{"months of the report", countedMonths},
		{"sentences", unheardRows},
		{"dead events", deadEvents},
		{"introductions", introductions},
		{"a sentence by 16", unheardRace},
		{"a sentence that is forgotten and said again", unheardAgain},
		{"data key", dataKey},
		{"data key for 16", dataKeyRace},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, s) })
	}
}

func conversations(t *testing.T, s *store.Store) {
	ctx := t.Context()
	c, err := s.Conversations.Load(ctx, "telegram:1")
	must(t, err)
	if c.ID != "telegram:1" || c.Version != 0 {
		t.Errorf("a conversation nobody saved: got id %q version %d, want telegram:1 and 0", c.ID, c.Version)
	}
	at := time.Date(2025, 9, 1, 12, 0, 0, 5e6, time.UTC)
	c.State, c.Slots, c.Back, c.Born, c.LastAt = "ask_number", map[string]string{"a": "b"}, []bot.State{"menu"}, at, at
	c.Seen = []bot.Seen{{ID: "77", At: at}}
	c.Promises = []bot.Promise{{ID: "p", Made: at,
		What: bot.Say{Reply: &bot.Reply{Text: "Hola", Buttons: []bot.Button{{ID: "x", Title: "Sí"}}}}}}
	c.Keepers = map[bot.Lane]bot.Keeper{bot.LaneChat: {Who: "me", Until: at.Add(time.Second)}}
	c.Wake()
	other := c.Clone()
	must(t, s.Conversations.Save(ctx, &c))
	if c.Version != 1 {
		t.Errorf("version after saving: got %d, want 1", c.Version)
	}
	wantErr(t, "save as new what another saved", s.Conversations.Save(ctx, &other), bot.ErrConflict)
	if other.Version != 0 {
		t.Errorf("version after a conflict: got %d, want 0 as before", other.Version)
	}

	loaded, err := s.Conversations.Load(ctx, c.ID)
	must(t, err)
	got, err := json.Marshal(loaded)
	must(t, err)
	want, err := json.Marshal(c)
	must(t, err)
	if string(got) != string(want) {
		t.Errorf("loaded:\ngot  %s\nwant %s", got, want)
	}
	if loaded.WakeAt.Location() != time.UTC {
		t.Errorf("wake_at came back in %v, want UTC", loaded.WakeAt.Location())
	}
	if !loaded.KeptTill.IsZero() || loaded.Promises[0].What.(bot.Say).Reply.Text != "Hola" {
		t.Errorf("got kept till %v and reply %+v", loaded.KeptTill, loaded.Promises[0].What.(bot.Say).Reply)
	}

	stale := loaded.Clone()
	loaded.State = "menu"
	must(t, s.Conversations.Save(ctx, &loaded))
	wantErr(t, "save what has moved on", s.Conversations.Save(ctx, &stale), bot.ErrConflict)
	wantErr(t, "delete what has moved on", s.Conversations.Delete(ctx, c.ID, stale.Version), bot.ErrConflict)
	must(t, s.Conversations.Delete(ctx, c.ID, loaded.Version))
	wantErr(t, "save what was deleted", s.Conversations.Save(ctx, &loaded), bot.ErrConflict)
	must(t, s.Conversations.Delete(ctx, c.ID, loaded.Version))
	_, found, err := s.Conversations.Find(ctx, c.ID)
	must(t, err)
	if found {
		t.Error("a deleted conversation was found")
	}
}

func conversationsDue(t *testing.T, s *store.Store) {
	ctx := t.Context()
	now := time.Date(2025, 9, 1, 12, 0, 0, 0, time.UTC)
	for i, id := range []string{"a", "b", "c", "d"} {
		c := bot.Conversation{ID: "due:" + id}
		if id != "d" {
			c.WakeAt = now.Add(time.Duration(2-i) * time.Millisecond) // a is due last
			c.KeptTill = now.Add(time.Duration(i) * time.Millisecond)
		}
		must(t, s.Conversations.Save(ctx, &c))
	}
	list := func(f func() ([]string, error), want string) {
		t.Helper()
		got, err := f()
		must(t, err)
		if got := strings.Join(got, " "); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	list(func() ([]string, error) { return s.Conversations.Due(ctx, now, 10) }, "due:c")
	list(func() ([]string, error) { return s.Conversations.Due(ctx, now.Add(1500*time.Microsecond), 10) }, "due:c due:b")
	list(func() ([]string, error) { return s.Conversations.Due(ctx, now.Add(time.Hour), 2) }, "due:c due:b")
	list(func() ([]string, error) { return s.Conversations.Due(ctx, now.Add(-time.Millisecond), 2) }, "")
	list(func() ([]string, error) { return s.Conversations.Forgettable(ctx, now.Add(time.Millisecond), 10) }, "due:a due:b")

	c, err := s.Conversations.Load(ctx, "due:c")
	must(t, err)
	c.WakeAt = time.Time{}
	must(t, s.Conversations.Save(ctx, &c))
	list(func() ([]string, error) { return s.Conversations.Due(ctx, now.Add(time.Hour), 10) }, "due:b due:a")
}

func unlocks(t *testing.T, s *store.Store) {
	ctx := t.Context()
	at := time.Date(2025, 9, 1, 12, 0, 0, 0, time.UTC)
	for _, id := range []string{"r1", "r2"} {
		r, err := s.Unlocks.Load(ctx, id)
		must(t, err)
		if r.ID != id || r.Version != 0 || r.Live != nil {
			t.Errorf("a document nobody saved: got %+v", r)
		}
		r.Live = &unlock.Attempt{ID: "a-" + id, Kind: unlock.KindUnlock, Link: "link-" + id, NotMe: "notme-" + id,
			Convs: []string{"telegram:1"}, Asked: at}
		r.PurgeAt = at.Add(time.Minute)
		r.WakeAt = at
		must(t, s.Unlocks.Save(ctx, r))
	}
	for field, value := range map[string]string{"live.link": "link-r2", "live.not_me": "notme-r2"} {
		r, err := s.Unlocks.FindBy(ctx, field, value)
		must(t, err)
		if r == nil || r.ID != "r2" || !r.Live.Asked.Equal(at) || !r.Live.Accepted.IsZero() || r.Live.Convs[0] != "telegram:1" {
			t.Errorf("by %s: got %+v", field, r)
		}
	}
	for _, value := range []string{"", "link-", "link-r", "link-r22"} {
		if r, err := s.Unlocks.FindBy(ctx, "live.link", value); err != nil || r != nil {
			t.Errorf("by link %q: got %+v, %v; want nothing", value, r, err)
		}
	}
	for prefix, want := range map[string]string{"notme-r2": "r2", "notme": "r1", "notme-r3": "", "notme-r22": "", "link": ""} {
		r, err := s.Unlocks.FindByPrefix(ctx, "live.not_me", prefix)
		if got := (r != nil); err != nil || got != (want != "") || got && r.ID != want {
			t.Errorf("by the prefix %q: got %+v, %v, want %q", prefix, r, err, want)
		}
	}
	due, err := s.Unlocks.Due(ctx, at, 10)
	must(t, err)
	purgeable, err := s.Unlocks.Purgeable(ctx, at, 10)
	must(t, err)
	if len(due) != 2 || len(purgeable) != 0 {
		t.Errorf("due %v and purgeable %v, want both and none", due, purgeable)
	}
	r, err := s.Unlocks.Load(ctx, "r1")
	must(t, err)
	stale := *r
	r.Live, r.PurgeAt, r.WakeAt = nil, time.Time{}, time.Time{}
	must(t, s.Unlocks.Save(ctx, r))
	wantErr(t, "save what has moved on", s.Unlocks.Save(ctx, &stale), bot.ErrConflict)
	if gone, err := s.Unlocks.FindBy(ctx, "live.link", "link-r1"); err != nil || gone != nil {
		t.Errorf("a link taken off leads to %+v, %v", gone, err)
	}
	purgeable, err = s.Unlocks.Purgeable(ctx, at.Add(time.Minute), 10)
	must(t, err)
	if len(purgeable) != 1 || purgeable[0] != "r2" {
		t.Errorf("purgeable: got %v, want r2", purgeable)
	}
	must(t, s.Unlocks.Delete(ctx, "r1", r.Version))
	must(t, s.Unlocks.Delete(ctx, "r2", -1))
}

// linked is a document of a type that this package owns, as others bring theirs to NewDocuments.
type linked struct {
	Record  string `bson:"_id"`
	Version int64  `bson:"v"`
	Live    struct {
		Link string `bson:"link,omitempty"`
	} `bson:"live,omitempty"`
	bot.Outbox `bson:",inline"`
}

func findBy(t *testing.T, s *store.Store) {
	ctx := t.Context()
	table := store.NewDocuments(s.Engine(), store.Unlocks, func(l *linked) (*string, *int64) { return &l.Record, &l.Version })
	for _, link := range []string{"abc", "abcd", ""} {
		l := linked{Record: "record-" + link}
		l.Live.Link = link
		l.WakeAt = time.Date(2025, 9, 1, 0, 0, 0, 0, time.UTC)
		must(t, table.Save(ctx, &l))
	}
	got, found, err := table.FindBy(ctx, "live.link", "abc")
	must(t, err)
	if !found || got.Record != "record-abc" || got.Version != 1 || got.WakeAt.IsZero() {
		t.Errorf("got %+v, %v", got, found)
	}
	for _, nobody := range []string{"ab", ""} {
		if got, found, err = table.FindBy(ctx, "live.link", nobody); err != nil || found {
			t.Errorf("link %q: got %+v, %v, %v; want nothing", nobody, got, found, err)
		}
	}
	if _, _, err = table.FindBy(ctx, "live.colour", "abc"); err == nil {
		t.Error("a field that is not declared: got no error")
	}
	due, err := table.IDsUpTo(ctx, "wake_at", time.Date(2025, 9, 1, 0, 0, 0, 0, time.UTC), 10)
	must(t, err)
	if len(due) != 3 {
		t.Errorf("due: got %v, want all three", due)
	}
}

func affiliates(t *testing.T, s *store.Store) {
	ctx := t.Context()
	at := time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC)
	one := affiliate.Record{ID: "1710034065", IDType: affiliate.Cedula, Category: affiliate.Pensioner, FullName: "Persona Uno",
		Email: "uno@example.com", DataUpdatedAt: at, Status: affiliate.Locked}
	two := affiliate.Record{ID: "EXT-0042", IDType: affiliate.ForeignCode, Category: affiliate.Affiliate, FullName: "Persona Dos",
		Status: affiliate.Suspended}
	must(t, s.Affiliates.Import(ctx, []affiliate.Record{one, two}))
	check := func(want affiliate.Record, version int64) {
		t.Helper()
		got, found, err := s.Affiliates.Find(ctx, want.ID)
		must(t, err)
		want.Version = version
		if !found || got != want {
			t.Errorf("found %v\ngot  %+v\nwant %+v", found, got, want)
		}
	}
	check(one, 1)
	check(two, 1)
	for _, id := range []string{"ext-0042", " Ext-0042 "} {
		if got, found, err := s.Affiliates.Find(ctx, id); err != nil || !found || got.ID != two.ID {
			t.Errorf("%q: got %+v, %v, %v", id, got, found, err)
		}
	}
	for _, unknown := range []string{"1710034066", "171003406", "ext-0043", ""} {
		if got, found, err := s.Affiliates.Find(ctx, unknown); err != nil || found || got != (affiliate.Record{}) {
			t.Errorf("unknown: got %+v, %v, %v", got, found, err)
		}
	}
	if n, err := s.Affiliates.Count(ctx); err != nil || n != 2 {
		t.Errorf("count: got %d, %v; want 2", n, err)
	}

	read, _, err := s.Affiliates.Find(ctx, one.ID)
	must(t, err)
	must(t, s.Affiliates.SetStatus(ctx, read, affiliate.Active))
	wantErr(t, "status of a record as it was before", s.Affiliates.SetStatus(ctx, read, affiliate.Locked), store.ErrConflict)
	read, _, err = s.Affiliates.Find(ctx, one.ID)
	must(t, err)
	must(t, s.Affiliates.SetStatus(ctx, read, affiliate.Active)) // as it is: whoever has read it hears of it
	one.Status = affiliate.Active
	check(one, 3)
	err = s.Affiliates.SetStatus(ctx, affiliate.Record{ID: "0999999999"}, affiliate.Active)
	wantErr(t, "status of nobody", err, store.ErrConflict)
	if err != nil && strings.Contains(err.Error(), "0999999999") {
		t.Errorf("an error names the number: %v", err)
	}

	one.DataUpdatedAt, one.Email, one.Status = time.Time{}, "otro@example.com", affiliate.Locked
	must(t, s.Affiliates.Import(ctx, []affiliate.Record{one}))
	check(one, 4)

	many := make([]affiliate.Record, 4100)
	for i := range many {
		many[i] = affiliate.Record{ID: fmt.Sprintf("X%05d", i), IDType: affiliate.ForeignCode, Status: affiliate.Locked}
	}
	must(t, s.Affiliates.Import(ctx, many))
	if n, err := s.Affiliates.Count(ctx); err != nil || n != 4102 {
		t.Errorf("count: got %d, %v; want 4102", n, err)
	}
}

func affiliatesOfOthers(t *testing.T, s *store.Store) {
	ctx := t.Context()
	day := time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC)
	for i, c := range []struct {
		updated any
		want    time.Time
	}{
		{"2025-03-01", day},
		{"2025-03-01T00:00:00Z", day},
		{"2025-02-28T19:00:00-05:00", day},
		{"2025-03-01T00:00:00.000Z", day},
		{"2025-03-01 00:00:00", day},
		{day, day},
		{nil, time.Time{}},
		{"", time.Time{}},
		{"ayer", time.Time{}},
		{int64(7), time.Time{}},
	} {
		id := fmt.Sprintf("OTHER-%d", i)
		must(t, s.Engine().BulkUpsert(ctx, store.Affiliates, []bson.Raw{
			doc(t, id, "status", "locked", "data_updated_at", c.updated, "branch", "Quito", "email", nil),
		}))
		got, found, err := s.Affiliates.Find(ctx, id)
		must(t, err)
		if !found || !got.DataUpdatedAt.Equal(c.want) || got.Status != affiliate.Locked {
			t.Errorf("data_updated_at %v: got %+v, want %v", c.updated, got, c.want)
		}
		must(t, s.Affiliates.SetStatus(ctx, got, affiliate.Active))
		raw := get(t, s.Engine(), store.Affiliates, id)
		if raw.Lookup("branch").StringValue() != "Quito" {
			t.Errorf("setting the status lost a field: %v", raw)
		}
	}
}

// affiliatesInLetters finds codes as others wrote them, in capitals or small letters or both. One that two records have is nobody's.
func affiliatesInLetters(t *testing.T, s *store.Store) {
	ctx := t.Context()
	stored := []string{"xe-77120", "Xy-77121", "xZ-77122", "abcdef-1", "Ghijkl-2", "qA-1", "Qa-1", "RA-1", "ra-1"}
	for _, id := range stored {
		must(t, s.Engine().BulkUpsert(ctx, store.Affiliates, []bson.Raw{doc(t, id, "status", "locked")}))
	}
	for typed, want := range map[string]string{
		"XE-77120 ": "xe-77120", "xy-77121": "Xy-77121", "XZ-77122": "xZ-77122", "ABCDEF-1": "abcdef-1", "ghijkl-2": "Ghijkl-2", "qa-1": "", "ra-1": "RA-1", "xe-77121": "",
	} {
		got, found, err := s.Affiliates.Find(ctx, typed)
		must(t, err)
		if found != (want != "") || got.ID != want {
			t.Errorf("%q: got %q, %v; want %q", typed, got.ID, found, want)
		}
		if found {
			must(t, s.Affiliates.SetStatus(ctx, got, affiliate.Active))
		}
	}
}

func leases(t *testing.T, s *store.Store) {
	ctx := t.Context()
	take := func(holder string, ttl time.Duration, wantOK bool, wantFence int64) store.Lease {
		t.Helper()
		l, ok, err := s.Leases.Acquire(ctx, "poll", holder, ttl)
		must(t, err)
		if ok != wantOK || l.Fence != wantFence {
			t.Errorf("%s: got ok %v and fence %d, want %v and %d", holder, ok, l.Fence, wantOK, wantFence)
		}
		return l
	}
	ana := take("ana", time.Hour, true, 1)
	if l := take("bea", time.Hour, false, 1); l.Holder != "ana" {
		t.Errorf("holder: got %q, want ana", l.Holder)
	}
	take("ana", time.Hour, true, 1) // has it already

	if l, ok, err := s.Leases.Renew(ctx, ana, 2*time.Hour); err != nil || !ok || !l.Until.After(ana.Until) {
		t.Errorf("renew: got %+v, %v, %v", l, ok, err)
	}
	must(t, s.Leases.Release(ctx, ana))
	must(t, s.Leases.Release(ctx, ana))
	bea := take("bea", time.Millisecond, true, 2)
	if _, ok, err := s.Leases.Renew(ctx, ana, time.Hour); err != nil || ok {
		t.Errorf("renew by who gave it back: got %v, %v", ok, err)
	}
	must(t, s.Leases.Release(ctx, ana)) // not hers any more

	for now := bea.Until; !now.After(bea.Until); time.Sleep(time.Millisecond) { // bea is dead
		var err error
		now, err = s.Now(ctx)
		must(t, err)
	}
	take("carla", time.Hour, true, 3)
	if _, ok, err := s.Leases.Renew(ctx, bea, time.Hour); err != nil || ok {
		t.Errorf("renew by who lost it: got %v, %v", ok, err)
	}
	must(t, s.Leases.Release(ctx, bea))
	take("ana", time.Hour, false, 3)
	if _, ok, err := s.Leases.Renew(ctx, store.Lease{Name: "nobody's", Holder: "ana", Fence: 1}, time.Hour); err != nil || ok {
		t.Errorf("renew of a lease nobody took: got %v, %v", ok, err)
	}
}

func leaseRace(t *testing.T, s *store.Store) {
	var won atomic.Int64
	together([]store.Engine{s.Engine()}, func(w int, _ store.Engine) {
		_, ok, err := s.Leases.Acquire(t.Context(), "race", fmt.Sprint(w), time.Hour)
		if err != nil {
			t.Error(err)
		}
		if ok {
			won.Add(1)
		}
	})
	if won.Load() != 1 {
		t.Errorf("%d hold the lease, want one", won.Load())
	}
}

func leasesLive(t *testing.T, s *store.Store) {
	ctx := t.Context()
	for _, name := range []string{"process/b", "process/a", "processor"} {
		_, _, err := s.Leases.Acquire(ctx, name, "me", time.Hour)
		must(t, err)
	}
	gone, _, err := s.Leases.Acquire(ctx, "process/c", "me", time.Hour)
	must(t, err)
	must(t, s.Leases.Release(ctx, gone))
	list := func(want ...string) {
		t.Helper()
		live, err := s.Leases.Live(ctx, "process/")
		must(t, err)
		var names []string
		for _, l := range live {
			names = append(names, l.Name)
		}
		if !slices.Equal(names, want) {
			t.Errorf("live: got %v, want %v", names, want)
		}
	}
	list("process/a", "process/b")
	must(t, s.Leases.Forget(ctx, "process/", -2*time.Second)) // ended before two seconds from now: the one given back
	list("process/a", "process/b")
	_, err = s.Engine().Get(ctx, store.Leases, "process/c")
	wantErr(t, "get a forgotten lease", err, store.ErrNotFound)
	must(t, s.Leases.Void(ctx))
	list()
	l, ok, err := s.Leases.Acquire(ctx, "process/a", "you", time.Hour)
	if must(t, err); !ok || l.Fence != 2 {
		t.Errorf("a lease that was void: got %+v, %t, want fence 2", l, ok)
	}
}

// processes: who is dead is buried, by one, and cannot come back.
func processes(t *testing.T, s *store.Store) {
	ctx := t.Context()
	dead := func(want ...string) {
		t.Helper()
		names, err := s.Processes.Dead(ctx)
		if must(t, err); !slices.Equal(names, want) {
			t.Errorf("dead: got %v, want %v", names, want)
		}
	}
	bury := func(by string, ttl time.Duration, want, wantAgain bool) {
		t.Helper()
		ok, again, err := s.Processes.Bury(ctx, "ana", by, ttl)
		if must(t, err); ok != want || again != wantAgain {
			t.Errorf("%s buries: got %t, again %t, want %t, %t", by, ok, again, want, wantAgain)
		}
	}
	renew := func(want bool) {
		t.Helper()
		_, ok, err := s.Processes.Renew(ctx, "ana", -time.Second)
		if must(t, err); ok != want {
			t.Errorf("renew: got %t, want %t", ok, want)
		}
	}
	bury("bea", time.Hour, false, false) // nobody is there
	_, err := s.Processes.Join(ctx, "ana", time.Hour)
	must(t, err)
	dead()
	bury("bea", time.Hour, false, false)
	renew(true) // into the past
	dead("ana")
	must(t, s.Processes.Remove(ctx, "ana", "bea")) // not hers
	bury("bea", -time.Second, true, false)
	renew(false)
	dead("ana") // bea died over it
	bury("carla", time.Hour, true, true)
	bury("bea", time.Hour, false, false)
	must(t, s.Processes.Remove(ctx, "ana", "carla"))
	dead()
	renew(false)
	dead()
}

func counters(t *testing.T, s *store.Store) {
	ctx := t.Context()
	add := func(id string, window time.Duration, want int64) time.Time {
		t.Helper()
		n, resets, err := s.Counters.Add(ctx, id, 1, window)
		must(t, err)
		if n != want {
			t.Errorf("%s: got %d, want %d", id, n, want)
		}
		return resets
	}
	first := add("a", time.Hour, 1)
	now, err := s.Now(ctx)
	must(t, err)
	if off := first.Sub(now.Add(time.Hour)).Abs(); off > time.Minute {
		t.Errorf("resets at %v, an hour from %v was expected", first, now)
	}
	if again := add("a", 5*time.Hour, 2); !again.Equal(first) {
		t.Errorf("the window moved from %v to %v", first, again)
	}
	add("b", -time.Second, 1)
	add("b", -time.Second, 1)
	n, err := s.Counters.Purge(ctx, 100)
	must(t, err)
	if n != 1 {
		t.Errorf("%d counters purged, want 1", n)
	}
	add("a", time.Hour, 3)
}

func files(t *testing.T, s *store.Store) {
	ctx := t.Context()
	at := time.Date(2025, 9, 1, 12, 0, 0, 0, time.UTC)
	f := store.File{Ref: "Q-0001", Topic: "slow", Body: "No llega el correo.", Conv: "telegram:1", Made: at}
	must(t, s.Complaints.Insert(ctx, f))
	must(t, s.Complaints.Insert(ctx, f)) // a retry
	other := f
	other.Body = "Otra cosa."
	wantErr(t, "another file under the same number", s.Complaints.Insert(ctx, other), store.ErrDuplicate)
	got, found, err := s.Complaints.Find(ctx, f.Ref)
	must(t, err)
	f.Version, f.Status = 1, store.Open
	if !found || got != f {
		t.Errorf("found %v\ngot  %+v\nwant %+v", found, got, f)
	}
	if _, found, err = s.Cases.Find(ctx, f.Ref); err != nil || found {
		t.Errorf("a complaint among the cases: %v, %v", found, err)
	}
	must(t, s.Complaints.Insert(ctx, store.File{Ref: "Q-0002", Made: at.AddDate(0, 1, 0)}))
	if n, err := s.Complaints.Forget(ctx, at, 100); err != nil || n != 0 {
		t.Errorf("forget what is older than the first: got %d, %v; want 0", n, err)
	}
	if n, err := s.Complaints.Forget(ctx, at.AddDate(0, 1, 0), 100); err != nil || n != 1 {
		t.Errorf("forget: got %d, %v; want 1", n, err)
	}
}

func audit(t *testing.T, s *store.Store) {
	ctx := t.Context()
	at := time.Date(2025, 9, 1, 12, 0, 0, 0, time.UTC)
	for i := range 5 {
		e := store.AuditEntry{ID: fmt.Sprint(4 - i), At: at.Add(time.Duration(i) * time.Hour), Who: "system", What: "purged"}
		must(t, s.Audit.Append(ctx, e))
		must(t, s.Audit.Append(ctx, e))
	}
	list := func() (got string) {
		must(t, s.Audit.Between(ctx, at, at.Add(4*time.Hour), func(e store.AuditEntry) bool {
			got += e.ID
			return true
		}))
		return got
	}
	if got := list(); got != "4321" {
		t.Errorf("entries: got %s, want 4321", got)
	}
	if n, err := s.Audit.Forget(ctx, at.Add(2*time.Hour), 100); err != nil || n != 2 {
		t.Errorf("forget: got %d, %v; want 2", n, err)
	}
	if got := list(); got != "21" {
		t.Errorf("entries left: got %s, want 21", got)
	}
}

func imports(t *testing.T, s *store.Store) {
	ctx := t.Context()
	p, err := s.Imports.Load(ctx, "sha256:1")
	must(t, err)
	p.Offset, p.Line, p.Taken, p.Refused = 4096, 50, 48, 2
	must(t, s.Imports.Save(ctx, &p))
	rival, err := s.Imports.Load(ctx, "sha256:1")
	must(t, err)
	if rival.Offset != 4096 || rival.Taken != 48 || rival.Done {
		t.Errorf("got %+v", rival)
	}
	p.Done = true
	must(t, s.Imports.Save(ctx, &p))
	wantErr(t, "the same import, run twice at once", s.Imports.Save(ctx, &rival), store.ErrConflict)
}

func keysOf(t testing.TB, seeds ...byte) secret.Keys {
	t.Helper()
	var keys secret.Keys
	for _, seed := range seeds {
		keys = append(keys, bytes.Repeat([]byte{seed}, 32))
	}
	return keys
}

func dataKey(t *testing.T, s *store.Store) {
	ctx := t.Context()
	sameKey := func(what string, keys secret.Keys, want *secret.Vault) *secret.Vault {
		t.Helper()
		v, err := s.DataKey(ctx, keys)
		must(t, err)
		if want != nil && v.Hash("l", "x") != want.Hash("l", "x") {
			t.Errorf("%s: got another data key", what)
		}
		return v
	}
	v := sameKey("new", keysOf(t, 1), nil)
	sameKey("again", keysOf(t, 1), v)
	_, err := s.DataKey(ctx, keysOf(t, 2))
	wantErr(t, "another secret key", err, store.ErrSecretKey)
	sameKey("rotated", keysOf(t, 2, 1), v)
	sameKey("rotated, the old one gone", keysOf(t, 2), v)
	_, err = s.DataKey(ctx, keysOf(t, 1))
	wantErr(t, "the old secret key", err, store.ErrSecretKey)
	if _, err = s.DataKey(ctx, nil); err == nil || errors.Is(err, store.ErrSecretKey) {
		t.Errorf("no secret key: got %v", err)
	}
	raw := get(t, s.Engine(), store.Settings, "data_key")
	if raw.Lookup("wrapped").StringValue() == "" {
		t.Errorf("got %v", raw)
	}
}

func dataKeyRace(t *testing.T, s *store.Store) {
	for _, id := range []string{"data_key", "sealing_keys"} {
		must(t, s.Engine().Delete(t.Context(), store.Settings, id, -1))
	}
	var hashes [writers]string
	together([]store.Engine{s.Engine()}, func(w int, e store.Engine) { // a process each
		v, err := store.New(e).DataKey(t.Context(), keysOf(t, byte(5+w%2), byte(5+(w+1)%2))) // half of them with the new key in front
		if err != nil {
			t.Error(err)
			return
		}
		hashes[w] = v.Hash("l", "x")
	})
	for _, h := range hashes {
		if h == "" || h != hashes[0] {
			t.Fatalf("got different data keys: %q", hashes)
		}
	}
}
