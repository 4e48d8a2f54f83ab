package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/bot"
	"llave/internal/agent"
	"llave/internal/alert"
	"llave/internal/secret"
	"llave/internal/store"
	"llave/internal/store/storetest"
	"llave/internal/unlock"
)

// clocked is an engine whose clock is the test's, and whose writes may fail from one on.
type clocked struct {
	store.Engine
	ahead  atomic.Int64
	writes atomic.Int64 // how many are let through; negative: all
	calls  atomic.Int64
}

var errDied = errors.New("the process died")

func clock(e store.Engine) *clocked {
	c := &clocked{Engine: e}
	c.writes.Store(-1)
	return c
}

func (c *clocked) Now(context.Context) (time.Time, error) {
	return time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC).Add(time.Duration(c.ahead.Load())), nil
}

func (c *clocked) later(d time.Duration) { c.ahead.Add(int64(d)) }

func (c *clocked) Replace(ctx context.Context, collection, id string, version int64, doc bson.Raw) error {
	c.calls.Add(1)
	if left := c.writes.Load(); left == 0 {
		return errDied
	} else if left > 0 {
		c.writes.Add(-1)
	}
	return c.Engine.Replace(ctx, collection, id, version, doc)
}

var key = secret.Keys{bytes.Repeat([]byte{7}, 32)}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, e store.Engine, keys secret.Keys) (*store.Store, *secret.Vault) {
	t.Helper()
	s := store.New(e)
	v, err := s.DataKey(t.Context(), keys)
	must(t, err)
	s.Seal(v)
	return s, v
}

// withEverything stores documents that hold a value in every field that is sealed, and returns what each says.
func withEverything(t testing.TB, s *store.Store, v *secret.Vault, people int) map[string]string {
	t.Helper()
	says := map[string]string{}
	seal := func(f *secret.Field, id string) string {
		text := fmt.Sprintf("%s of %s", f.Name, id)
		says[f.Collection+"/"+f.Name+"/"+id] = text
		return v.Seal(f.Of(id), text)
	}
	for i := range people {
		conv := s.Book.Conv(fmt.Sprintf("telegram:%d", i))
		standing := map[string]string{"given": seal(secret.Given, conv), "want": "unlock"}
		slots := map[string]string{"want": "unlock", "record": "no.secret"}
		for name, f := range secret.Slots {
			slots[name] = seal(f, conv)
		}
		c := bot.Conversation{
			ID: conv, State: "Menu", Slots: slots, KeptTill: time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC),
			Pieces:   &bot.Pieces{Said: seal(secret.Said, conv), Each: seal(secret.Each, conv), Before: bot.Standing{Slots: standing}},
			Answered: &bot.Answered{Said: seal(secret.Said, conv), Before: bot.Standing{Slots: standing}},
		}
		c.Promises = []bot.Promise{
			{ID: "a", What: bot.Say{Reply: &bot.Reply{Text: "Hola. Nadie.", Buttons: []bot.Button{{ID: "yes", Title: "Sí"}}}}},
			{ID: "b", What: bot.Say{Reply: &bot.Reply{Text: seal(secret.Reply, conv), Sealed: true}}},
		}
		must(t, s.Conversations.Save(t.Context(), &c))
		record := fmt.Sprintf("record%d", i)
		must(t, s.Unlocks.Save(t.Context(), &unlock.Document{
			ID: record, Live: &unlock.Attempt{ID: "a2", Sealed: seal(secret.Attempt, record), KeyID: v.Current()},
			Used: []unlock.Attempt{{ID: "a1", Sealed: seal(secret.Attempt, record)}, {ID: "a0"}},
		}))
		wamid := s.Book.Message(fmt.Sprintf("wamid.%d", i))
		_, err := s.Deliveries.Move(t.Context(), wamid, "accepted", func(string) bool { return true }, func(d *store.Delivery) {
			d.Conv, d.Reply = s.Book.Conv("whatsapp:1"), &bot.Reply{Text: seal(secret.Delivery, wamid), Sealed: true}
		})
		must(t, err)
		ref := fmt.Sprintf("Q%d", i)
		says[secret.Filed.Collection+"/"+secret.Filed.Name+"/"+ref] = "what " + ref + " says"
		must(t, s.Complaints.Insert(t.Context(), store.File{Ref: ref, Topic: "complaint", Body: "what " + ref + " says", Conv: conv, Status: store.Open}))
		says[secret.BookEntry.Collection+"/"+secret.BookEntry.Name+"/"+conv] = fmt.Sprint(i)
		_, err = s.Book.Enter(t.Context(), "telegram", fmt.Sprint(i))
		must(t, err)
		event := fmt.Sprintf("event%d", i)
		must(t, s.Events.Bury(t.Context(), store.DeadEvent{ID: event, Sealed: seal(secret.DeadEvent, event)}))
		login := fmt.Sprintf("ana%d", i)
		must(t, s.Agents.Save(t.Context(), &agent.Agent{Login: login, TOTP: seal(secret.TOTP, login), NewTOTP: seal(secret.TOTP, login)}))
		must(t, s.Bells.Save(t.Context(), &alert.Bell{Login: login, Chat: seal(secret.AlertChat, login), Devices: []alert.Device{{ID: "d", Sealed: seal(secret.PushDevice, login)}}}))
		keys := store.NewDocuments(s.Engine(), store.PushKeys, func(k *alert.PushKey) (*string, *int64) { return &k.ID, &k.Version })
		must(t, keys.Save(t.Context(), &alert.PushKey{ID: login, Public: "p", Private: seal(secret.PushKey, login)}))
	}
	return says
}

// sealedWith reads every sealed value there is, holds that it says what it said, and counts them by their keys.
func sealedWith(t testing.TB, s *store.Store, v *secret.Vault, says map[string]string) map[string]int {
	t.Helper()
	by := map[string]int{}
	for _, f := range secret.Stored {
		found := 0
		engine := s.Engine()
		if f.Bytes {
			engine = s.Raw()
		}
		must(t, engine.Scan(t.Context(), store.Query{Collection: f.Collection}, func(raw bson.Raw) bool {
			id, err := store.DocumentID(raw)
			must(t, err)
			if _, value, is := raw.Lookup(f.Name).BinaryOK(); is && f.Bytes {
				plain, err := v.OpenAt(f.Of(id), value)
				if want, told := says[f.Collection+"/"+f.Name+"/"+id]; err != nil || told && !bytes.Contains(plain, []byte(want)) {
					t.Errorf("%s of %s says %q (%v), want %q in it", f.Collection, id, plain, err, want)
				}
				key, _, _ := secret.KeyAt(value)
				by[key]++
				found++
			}
			for _, path := range f.At() {
				for _, value := range valuesAt(raw, strings.Split(path, "."), f.Marked) {
					text, err := v.Open(f.Of(id), value)
					if want := says[f.Collection+"/"+f.Name+"/"+id]; err != nil || text != want {
						t.Errorf("%s of %s says %q (%v), want %q", path, id, text, err, want)
					}
					key, _ := secret.KeyOf(value)
					by[key]++
					found++
				}
			}
			return true
		}))
		if found == 0 {
			t.Errorf("no value of %s.%s is there: this test sees nothing of it", f.Collection, f.Name)
		}
	}
	return by
}

func valuesAt(doc bson.Raw, path []string, marked string) (all []string) {
	v, err := doc.LookupErr(path[0])
	if err != nil {
		return nil
	}
	if len(path) == 1 {
		text, is := v.StringValueOK()
		if marked != "" {
			sealed, _ := doc.Lookup(marked).BooleanOK()
			is = is && sealed
		}
		if is && text != "" {
			all = append(all, text)
		}
		return all
	}
	if inner, is := v.DocumentOK(); is {
		return valuesAt(inner, path[1:], marked)
	}
	if array, is := v.ArrayOK(); is {
		values, _ := array.Values()
		for _, one := range values {
			if inner, is := one.DocumentOK(); is {
				all = append(all, valuesAt(inner, path[1:], marked)...)
			}
		}
	}
	return all
}

func nobodyListens(store.Resealing) {}

// TestReseal shows P733: what versions before sealed, and what another key sealed, is sealed anew, in every field there is; a process that
// dies at any write on the way leaves what the next one ends; doing it again changes nothing; a key is forgotten once it has rested and
// nothing needs it.
func TestReseal(t *testing.T) {
	storetest.Engines(t, func(t *testing.T, e store.Engine) {
		c := clock(e)
		beginsBefore(t, c)
		s, v := open(t, c, key)
		if v.Current() != "" {
			t.Fatal("a store of a version before is written in the new form at once: its processes could not read it")
		}
		says := withEverything(t, s, v, 3)
		if done, err := s.Reseal(t.Context(), v, "p", nobodyListens); err != nil || done.Sealed != 0 {
			t.Fatalf("while a version before may be there: %+v, %v, want nothing done", done, err)
		}
		c.later(11 * time.Minute)
		resealsDying(t, c, s, v)
		first := v.Current()
		if by := sealedWith(t, s, v, says); len(by) != 1 || by[first] == 0 {
			t.Fatalf("values by key: %v, want all under %q", by, first)
		}
		began := c.calls.Load()
		if done, err := s.Reseal(t.Context(), v, "p", nobodyListens); err != nil || done.Fresh || c.calls.Load()-began > 2 { // the lease alone
			t.Errorf("again: %+v, %v, %d writes, want nothing to do", done, err, c.calls.Load()-began)
		}

		_, err := s.Ring.Renew(t.Context())
		must(t, err)
		if v.Current() != first {
			t.Error("a new key seals before every process knows it")
		}
		c.later(31 * time.Second)
		resealsDying(t, c, s, v)
		second := v.Current()
		if by := sealedWith(t, s, v, says); second == first || len(by) != 1 || by[second] == 0 {
			t.Fatalf("values by key: %v, want all under the new one, %q", by, second)
		}
		if _, has := v.Has(first); !has {
			t.Error("a key is gone that may be needed: a process was suspended")
		}
		c.later(25 * time.Hour)
		must(t, forgets(t, s, v))
		if _, has := v.Has(first); has {
			t.Error("a key is there that nothing needs")
		}
		if _, err := v.Open(secret.Number.Of("telegram:1"), before(t, "x")); !errors.Is(err, secret.ErrOpen) {
			t.Errorf("a value of the form before: %v, want ErrOpen once none is left", err)
		}
		other, again := open(t, c, key)
		sealedWith(t, other, again, says)
	})
}

func forgets(t *testing.T, s *store.Store, v *secret.Vault) error {
	t.Helper()
	done, err := s.Reseal(t.Context(), v, "p", nobodyListens)
	if err == nil && (!done.Fresh || done.Forgot == 0) {
		err = fmt.Errorf("a day later: %+v, want keys forgotten", done)
	}
	return err
}

// TestReseal_linksKeepTheirKey shows P732: a key from which links come stays as long as they do.
func TestReseal_linksKeepTheirKey(t *testing.T) {
	c := clock(storetest.Bolt(t, nil))
	s, v := open(t, c, key)
	first := v.Current()
	must(t, s.Unlocks.Save(t.Context(), &unlock.Document{ID: "r", Live: &unlock.Attempt{ID: "a2", KeyID: "another", SinceKeyID: first}}))
	token := v.DeriveBy(first, "link", "a2")
	_, err := s.Ring.Renew(t.Context())
	must(t, err)
	for range 8 {
		c.later(25 * time.Hour)
		_, err := s.Reseal(t.Context(), v, "p", nobodyListens)
		must(t, err)
	}
	if v.Current() == first || v.DeriveBy(first, "link", "a2") != token {
		t.Fatal("a link's key is gone, or still the current one")
	}
	must(t, s.Unlocks.Delete(t.Context(), "r", -1))
	c.later(25 * time.Hour)
	must(t, forgets(t, s, v))
	if v.DeriveBy(first, "link", "a2") == token {
		t.Error("the key of a link that is over is still there")
	}
}

// TestReseal_olderDocuments shows that documents of an earlier version, which get another id when they are carried over, are sealed anew
// after that, and that the form they are sealed in opens until then.
func TestReseal_olderDocuments(t *testing.T) {
	storetest.Engines(t, func(t *testing.T, e store.Engine) {
		c := clock(e)
		beginsBefore(t, c)
		s, v := open(t, c, key)
		old := store.New(c)
		_, err := old.Deliveries.Move(t.Context(), "wamid.1", "accepted", func(string) bool { return true }, func(d *store.Delivery) {
			d.Conv, d.Reply = "whatsapp:593991234567", &bot.Reply{Text: v.Seal(secret.Delivery.Of("wamid.1"), "hola"), Sealed: true}
		})
		must(t, err)
		conversation := bot.Conversation{ID: "whatsapp:593991234567", State: "Menu", Slots: map[string]string{"number": before(t, "1")}}
		conversations := store.NewDocuments(c, "conversations", func(c *bot.Conversation) (*string, *int64) { return &c.ID, &c.Version })
		must(t, conversations.Save(t.Context(), &conversation))

		c.later(11 * time.Minute)
		for range 3 {
			if done, err := s.Reseal(t.Context(), v, "p", nobodyListens); err != nil || done.Sealed != 0 || done.Broken != 0 || done.Forgot != 0 {
				t.Fatalf("before they are carried over: %+v, %v, want nothing sealed, broken or forgotten", done, err)
			}
			c.later(25 * time.Hour)
		}
		if left, err := s.Carry(t.Context(), []string{"whatsapp"}, true); err != nil || left != 0 {
			t.Fatalf("%d left, %v", left, err)
		}
		done, err := s.Reseal(t.Context(), v, "p", nobodyListens)
		if err != nil || done.Sealed != 2 || done.Broken != 0 || done.Forgot != 1 {
			t.Fatalf("once they are carried over: %+v, %v, want two values, and the form before forgotten", done, err)
		}
		conv, id := s.Book.Conv("whatsapp:593991234567"), s.Book.Message("wamid.1")
		fresh, err := s.Conversations.Load(t.Context(), conv)
		must(t, err)
		d, err := s.Deliveries.Move(t.Context(), id, "", func(string) bool { return false }, func(*store.Delivery) {})
		must(t, err)
		for _, value := range []struct {
			at     secret.Place
			sealed string
			want   string
		}{{secret.Number.Of(conv), fresh.Slots["number"], "1"}, {secret.Delivery.Of(id), d.Reply.Text, "hola"}} {
			if text, err := v.Open(value.at, value.sealed); err != nil || text != value.want {
				t.Errorf("%s says %q, %v, want %q", value.at.Field.Name, text, err, value.want)
			}
		}
	})
}

// TestReseal_erased shows that sealing anew and erasing go together: what an erased chat leaves is no hindrance, and of the others all is
// sealed with the key of now, within documents under the keys of their chats too.
func TestReseal_erased(t *testing.T) {
	storetest.Engines(t, func(t *testing.T, e store.Engine) {
		c := clock(e)
		beginsBefore(t, c)
		s, v := open(t, c, key)
		withEverything(t, s, v, 3)
		c.later(11 * time.Minute)
		_, err := s.Reseal(t.Context(), v, "p", nobodyListens)
		must(t, err)
		first := v.Current()
		_, err = s.Ring.Renew(t.Context())
		must(t, err)
		c.later(31 * time.Second)
		must(t, s.Ring.Look(t.Context()))
		gone := s.Book.Conv("telegram:1")
		erased := make(chan error, 1)
		go func() {
			now, err := s.Now(context.Background())
			if err == nil {
				err = s.EraseChat(context.Background(), nil, gone, now, false)
			}
			erased <- err
		}()
		_, err = s.Reseal(t.Context(), v, "p", nobodyListens)
		must(t, errors.Join(err, <-erased))
		done, err := s.Reseal(t.Context(), v, "p", nobodyListens)
		if err != nil || done.Broken != 0 {
			t.Fatalf("%+v, %v", done, err)
		}
		k, err := s.KeptOf(t.Context(), gone)
		must(t, err)
		if k.Chat != "" || k.Contact != nil || len(k.Complaints)+len(k.Deliveries)+len(k.Lines) > 0 || k.Conversation != nil && len(k.Conversation.Slots) > 0 {
			t.Errorf("of the erased chat there is %+v", k)
		}
		for _, f := range secret.Stored {
			engine := s.Engine()
			if f.Bytes {
				engine = s.Raw()
			}
			must(t, engine.Scan(t.Context(), store.Query{Collection: f.Collection}, func(raw bson.Raw) bool {
				for _, path := range f.At() {
					for _, value := range valuesAt(raw, strings.Split(path, "."), f.Marked) {
						if id, _ := secret.KeyOf(value); id == first {
							t.Errorf("a value of %s.%s is sealed with the key of before", f.Collection, f.Name)
						}
					}
				}
				if _, value, is := raw.Lookup(f.Name).BinaryOK(); is && f.Bytes {
					if id, _, _ := secret.KeyAt(value); id == first {
						t.Errorf("a document of %s is sealed with the key of before", f.Collection)
					}
				}
				return true
			}))
		}
	})
}

// beginsBefore makes the store's data key as a version before did: without a ring.
func beginsBefore(t *testing.T, e store.Engine) {
	t.Helper()
	raw, err := bson.Marshal(bson.D{{Key: "_id", Value: "data_key"}, {Key: "v", Value: int64(1)}, {Key: "wrapped", Value: key.Wrap(bytes.Repeat([]byte{3}, 32))}})
	must(t, err)
	must(t, e.Insert(t.Context(), store.Settings, raw))
}

// before is a value as a version before sealed a number, in any document.
func before(t *testing.T, text string) string {
	t.Helper()
	v, err := secret.New(bytes.Repeat([]byte{3}, 32))
	must(t, err)
	v.Use(secret.Ring{Before: true})
	return v.Seal(secret.Number.Of(""), text)
}

// resealsDying seals anew in processes that die at each write, one later than the other, until one comes to the end.
func resealsDying(t *testing.T, c *clocked, s *store.Store, v *secret.Vault) {
	t.Helper()
	died := 0
	for n := int64(1); ; n++ {
		c.writes.Store(n)
		done, err := s.Reseal(t.Context(), v, fmt.Sprint("p", n), nobodyListens)
		c.writes.Store(-1)
		if err == nil && done.Fresh {
			break
		}
		if err != nil && !errors.Is(err, errDied) {
			t.Fatal(err)
		}
		died++
		c.later(16 * time.Second) // the dead one's lease
	}
	if died < 4 {
		t.Errorf("%d processes died on the way: this test sees nothing", died)
	}
}

// TestReseal_beside shows P732: while four processes write and read sealed values as fast as they can, each looking at the keys at its
// own times, or hardly ever, the key is changed again and again and all is sealed anew by two at once: no value ever
// fails to open, and none is lost.
func TestReseal_beside(t *testing.T) {
	storetest.Engines(t, func(t *testing.T, e store.Engine) {
		c := clock(e)
		beginsBefore(t, c)
		s, v := open(t, c, key)
		says := withEverything(t, s, v, 10)
		stop := make(chan struct{})
		var writes, failed atomic.Int64
		var all sync.WaitGroup
		for p := range 4 {
			mine, own := open(t, c, key)
			all.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-stop:
						return
					default:
					}
					if p > 0 && i%(20*p) == 0 { // the first looks only when it meets a key that it does not know
						if err := mine.Ring.Look(t.Context()); err != nil {
							t.Error(err)
						}
					}
					conv := mine.Book.Conv(fmt.Sprintf("telegram:%d", i%10))
					doc, err := mine.Conversations.Load(t.Context(), conv)
					if err != nil {
						t.Error(err)
						return
					}
					for name, f := range secret.Slots {
						text, err := own.Open(f.Of(conv), doc.Slots[name])
						if want := says[f.Collection+"/"+f.Name+"/"+conv]; err != nil || text != want {
							failed.Add(1)
							t.Errorf("process %d: %s of %s says %q (%v), want %q", p, name, conv, text, err, want)
							return
						}
						doc.Slots[name] = own.Seal(f.Of(conv), text)
					}
					switch err := mine.Conversations.Save(t.Context(), &doc); {
					case err == nil:
						writes.Add(1)
					case !errors.Is(err, store.ErrConflict):
						t.Error(err)
						return
					}
				}
			})
		}
		c.later(11 * time.Minute)
		rounds := 0
		for end := time.Now().Add(8 * time.Second); time.Now().Before(end) && failed.Load() == 0; rounds++ {
			_, err := s.Ring.Renew(t.Context())
			must(t, err)
			c.later(31 * time.Second)
			time.Sleep(1200 * time.Millisecond) // a value of an unknown key is asked for once a second
			var both [2]error
			var two sync.WaitGroup
			for i := range both {
				two.Go(func() { _, both[i] = s.Reseal(t.Context(), v, fmt.Sprint("reseal", i), nobodyListens) })
			}
			two.Wait()
			for _, err := range both {
				if err != nil && !errors.Is(err, store.ErrBeingResealed) {
					t.Error(err)
				}
			}
		}
		close(stop)
		all.Wait()
		if writes.Load() < 100 || rounds < 3 {
			t.Errorf("%d writes in %d rounds: this test sees little", writes.Load(), rounds)
		}
		_, err := s.Reseal(t.Context(), v, "last", nobodyListens)
		must(t, err)
		by := sealedWith(t, s, v, says)
		t.Logf("%d writes by four processes, %d new keys, 0 values that did not open; at the end by key: %v", writes.Load(), rounds, by)
	})
}
