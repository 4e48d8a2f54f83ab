package app_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/internal/affiliate"
	"llave/internal/agent"
	"llave/internal/bottest/world"
	"llave/internal/handoff"
	"llave/internal/report"
	"llave/internal/store"
	"llave/internal/store/storetest"
)

// recorder notes the collections that anything is written into. Its clock is the world's.
type recorder struct {
	store.Engine
	mu      sync.Mutex
	written map[string]bool
	now     func() time.Time
}

func (r *recorder) wrote(collection string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.written[collection] = true
}

func (r *recorder) Now(context.Context) (time.Time, error) { return r.now(), nil }

func (r *recorder) Insert(ctx context.Context, collection string, doc bson.Raw) error {
	r.wrote(collection)
	return r.Engine.Insert(ctx, collection, doc)
}

func (r *recorder) BulkUpsert(ctx context.Context, collection string, docs []bson.Raw) error {
	r.wrote(collection)
	return r.Engine.BulkUpsert(ctx, collection, docs)
}

func (r *recorder) Increment(ctx context.Context, collection, id string, by int64, expires time.Time) (int64, error) {
	r.wrote(collection)
	return r.Engine.Increment(ctx, collection, id, by, expires)
}

// TestRetention_everyCollection shows P735: something stands in each collection, people do nothing more, the clock moves, and each is
// empty when its time is over, with nothing left by which the chat could be found. A collection that is written into and not declared, or
// declared with a time that nothing ends, fails.
func TestRetention_everyCollection(t *testing.T) {
	storetest.Engines(t, func(t *testing.T, e store.Engine) {
		r := &recorder{Engine: e, written: map[string]bool{}}
		w, end := inEveryCollection(t, r)
		engine := w.App.Store.Engine()
		count := func(c string) int64 {
			t.Helper()
			n, err := engine.Count(t.Context(), store.Query{Collection: c})
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		declared := slices.SortedFunc(slices.Values(store.Collections), func(a, b store.Collection) int { return int(a.Longest - b.Longest) })
		for _, c := range declared {
			if count(c.Name) == 0 {
				t.Errorf("nothing is in %s: this test sees nothing of it", c.Name)
			}
			if c.Until == "" || c.Holds == "" || c.Why == "" || c.Longest == 0 && !strings.Contains(c.Until, "kept") {
				t.Errorf("%s says too little of itself: %+v", c.Name, c)
			}
		}
		r.mu.Lock()
		for c := range r.written {
			if !slices.ContainsFunc(store.Collections, func(d store.Collection) bool { return d.Name == c }) {
				t.Errorf("%q is written into and not declared", c)
			}
		}
		r.mu.Unlock()
		if t.Failed() {
			t.FailNow()
		}
		const hourly = time.Hour + time.Minute
		for _, c := range declared {
			if c.Longest == 0 {
				continue
			}
			for w.Now().Before(end.Add(c.Longest + hourly)) {
				step := min(2*24*time.Hour, end.Add(c.Longest+hourly).Sub(w.Now()))
				w.Later(step)
				if _, err := w.App.Forget(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if n := count(c.Name); n != 0 {
				t.Errorf("%v after all was done %d documents are in %s, want none", c.Longest, n, c.Name)
			}
		}
		for _, c := range declared {
			err := engine.Scan(t.Context(), store.Query{Collection: c.Name}, func(doc bson.Raw) bool {
				for _, trace := range []string{fmt.Sprint(world.Chat), affiliate.Hash(w.App.Vault, theirs), "cuarenta personas"} {
					if c.Name != store.Affiliates && strings.Contains(doc.String(), trace) {
						t.Errorf("%s still holds %q: %s", c.Name, trace, doc)
					}
				}
				return true
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}

// inEveryCollection has people do what leaves something in every collection, through the front door where there is one, and returns when
// they were done.
func inEveryCollection(t *testing.T, r *recorder) (*world.World, time.Time) {
	t.Helper()
	at := time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC)
	if err := store.New(r).Affiliates.Import(t.Context(), []affiliate.Record{{
		ID: theirs, IDType: affiliate.Cedula, Category: affiliate.Affiliate, FullName: "Persona Uno", Email: "uno@correo.example", DataUpdatedAt: at, Status: affiliate.Locked,
	}}); err != nil {
		t.Fatal(err)
	}
	var playing atomic.Pointer[world.World]
	start := time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC) // a world's, on a Monday
	r.now = func() time.Time {
		if w := playing.Load(); w != nil {
			return w.Now()
		}
		return start
	}
	w := world.NewOver(t, world.WhatsApp, r)
	playing.Store(w)
	say := func(texts ...string) {
		t.Helper()
		for _, text := range texts {
			w.DoIn(world.Chat, func() error { w.Phone.Say(world.Chat, text); return nil })
		}
	}
	say("hola", "Continuar", puzzling, "menú", "Presentar queja", "Había cuarenta personas y una ventanilla", "Registrar", "menú", "1", theirs, "1", "1")
	pressLink(t, w)
	if status, _ := w.Get(world.NewBrowser(t), w.URL("/desbloqueo/"+strings.Repeat("A", 22))); status != http.StatusNotFound {
		t.Fatalf("a wrong link: %d, want 404", status)
	}
	ana := w.Agent("ana", true)
	say("persona")
	h := w.Case(world.Chat)
	if h == nil {
		t.Fatal("nobody was asked for")
	}
	deed := handoff.Deed{Actor: ana, Ref: h.Ref, Once: "take"}
	if err := w.App.Desk.Claim(t.Context(), deed); err != nil {
		t.Fatal(err)
	}
	say("gracias")
	if _, err := w.App.Desk.KeepDraft(t.Context(), w.Agent("eva", true), h.Ref, "Ver si es el mismo correo", true); err != nil {
		t.Fatal(err)
	}
	deed.Once = "end"
	if err := w.App.Desk.Resolve(t.Context(), deed, handoff.Solved); err != nil {
		t.Fatal(err)
	}
	w.Settle()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	const password = "un tranvía cruza la laguna"
	_, err := w.App.Agents.Add(t.Context(), "ana", agent.Newcomer{Login: "luis", Name: "Luis", Role: agent.Member}, password)
	must(err)
	if _, err := w.App.Agents.SignIn(t.Context(), "luis", "otra", agent.From{Source: "192.0.2.1"}); err == nil {
		t.Fatal("a wrong password is right")
	}
	_, err = w.App.Agents.SignIn(t.Context(), "luis", password, agent.From{Source: "192.0.2.1"})
	must(err)
	must(w.App.Store.Events.Bury(t.Context(), store.DeadEvent{ID: "e1", Name: "key.unlocked", At: w.Now(), Died: w.Now(), Sealed: "s"}))
	must(w.App.Store.Imports.Save(t.Context(), &store.Progress{ID: "sha256:1", Done: true, At: w.Now()}))
	_, err = w.App.Alerts.PublicKey(t.Context())
	must(err)
	must(w.App.Alerts.Subscribe(t.Context(), "luis", "Firefox, Linux", []byte(w.Push.Device().Subscription())))
	must(report.Book{Shelf: w.App.Store.Counts, Zone: time.UTC}.Load(t.Context(), []report.Row{{Month: "2025-09", Volumes: &report.Volumes{Attentions: 80009}}}))
	other := world.Chat + 1
	w.DoIn(other, func() error { w.Phone.Say(other, "hola"); return nil })
	must(w.App.Store.EraseChat(t.Context(), store.NewErasureLog(w.App.Store.Engine()), conversation(w, other), w.Now(), false))
	w.Vanish("ana")
	w.Vanish("eva")
	return w, w.Now()
}

// TestRetention_transcript shows P735 of lines: they can be read for their time, longer than the conversation and whom it was with are kept;
// then the key goes too.
func TestRetention_transcript(t *testing.T) {
	for _, on := range []world.Channel{world.Telegram, world.WhatsApp} {
		t.Run(on.Name, func(t *testing.T) {
			w := world.NewOn(t, on, onePerson)
			deed := taken(t, w)
			w.Say("necesito que alguien me explique despacio")
			deed.Once = "2"
			if err := w.App.Desk.Resolve(t.Context(), deed, handoff.Solved); err != nil {
				t.Fatal(err)
			}
			w.Settle()
			later := func(d time.Duration) store.Kept {
				t.Helper()
				for range int(d / (24 * time.Hour)) {
					w.Later(24 * time.Hour)
					if _, err := w.App.Forget(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				k, err := w.App.Store.KeptOf(t.Context(), conversation(w, world.Chat))
				if err != nil {
					t.Fatal(err)
				}
				return k
			}
			k := later(20 * 24 * time.Hour)
			if k.Conversation != nil || k.Contact != nil || k.Chat != "" {
				t.Errorf("after 20 days whom the conversation was with is kept: %+v", k)
			}
			if !slices.ContainsFunc(k.Lines, func(l store.KeptLine) bool { return strings.Contains(l.Text, "explique despacio") }) {
				t.Errorf("after 20 days the lines are %+v, want what was said", k.Lines)
			}
			if k = later(12 * 24 * time.Hour); len(k.Lines) > 0 || !k.Since.IsZero() {
				t.Errorf("after 32 days there are %d lines, and a key since %v", len(k.Lines), k.Since)
			}
		})
	}
}

// TestRetention_noConversation shows P735 of the address book where no turn came of what somebody wrote, and of a chat that only the audit
// names: nothing is kept of either two days later, and of somebody who wrote meanwhile all is.
func TestRetention_noConversation(t *testing.T) {
	storetest.Engines(t, func(t *testing.T, e store.Engine) {
		timed := &timed{Engine: e}
		w := world.NewOver(t, world.Telegram, timed)
		timed.world.Store(w)
		book := w.App.Store.Book
		enter := func(chat int64) {
			t.Helper()
			if _, err := book.Enter(t.Context(), "telegram", fmt.Sprint(chat)); err != nil {
				t.Fatal(err)
			}
		}
		address := func(chat int64) string {
			t.Helper()
			is, err := book.Chat(t.Context(), "telegram", book.Name("telegram", fmt.Sprint(chat)))
			if err != nil {
				t.Fatal(err)
			}
			return is
		}
		forget := func() {
			t.Helper()
			if _, err := w.App.Forget(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		const never, late = world.Chat + 1, world.Chat + 2
		w.Later(25 * time.Hour) // since the start, which has looked
		enter(never)
		enter(late)
		if _, err := w.App.Store.AuditID(t.Context(), "telegram:5551239999/1/0"); err != nil {
			t.Fatal(err)
		}
		forget()
		if address(never) == "" || address(late) == "" {
			t.Fatal("the address of somebody who has just written is gone")
		}
		if got := w.DoIn(late, func() error { w.Phone.Say(late, "hola"); return nil }); len(got) != 1 {
			t.Fatalf("who writes meanwhile hears %+v", got)
		}
		w.Later(time.Hour)
		forget()
		w.Later(25 * time.Hour)
		forget()
		if address(late) == "" {
			t.Error("the address of somebody who wrote is gone")
		}
		n, err := e.Count(t.Context(), store.Query{Collection: store.Book})
		if err != nil || n != 1 {
			t.Errorf("%d entries are in the address book (%v), want that of who wrote", n, err)
		}
	})
}
