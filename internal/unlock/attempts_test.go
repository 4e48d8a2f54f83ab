package unlock_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"llave/bot"
	"llave/internal/affiliate"
	"llave/internal/secret"
	"llave/internal/store"
	"llave/internal/store/storetest"
	"llave/internal/unlock"
)

// onEveryStore runs a test with a box over each kind of store. The clock is the test's on all of them.
func onEveryStore(t *testing.T, test func(t *testing.T, b *box)) {
	t.Helper()
	storetest.Engines(t, func(t *testing.T, e store.Engine) {
		v, err := secret.New(secret.NewDataKey())
		if err != nil {
			t.Fatal(err)
		}
		b := &box{t: t, store: store.New(e), vault: v, clock: storetest.NewClock(time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC))}
		b.Service = unlock.New(unlock.Options{
			Documents: b.store.Unlocks, Affiliates: b.store.Affiliates, Vault: v,
			Now:    func(context.Context) (time.Time, error) { return b.clock.Now(), nil },
			Limits: unlock.Limits{Burst: 3, Window: 15 * time.Minute, Day: 6, PerDay: 24 * time.Hour, LinkTTL: 3 * time.Minute},
		})
		b.set(locked, affiliate.Locked)
		test(t, b)
	})
}

// set is the institution's import of a record.
func (b *box) set(number string, s affiliate.Status) {
	b.t.Helper()
	err := b.store.Affiliates.Import(b.t.Context(), []affiliate.Record{{
		ID: number, IDType: affiliate.Cedula, Category: affiliate.Affiliate, FullName: "Persona de Prueba", Email: "uno@correo.example",
		DataUpdatedAt: time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC), Status: s,
	}})
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *box) redeem(token, nonce string) unlock.Redeemed {
	b.t.Helper()
	r, err := b.Redeem(b.t.Context(), token, nonce)
	if err != nil {
		b.t.Fatalf("redeem: %v", err)
	}
	return r
}

// kept takes what a record owes off it, as the runner does once it has been kept.
func (b *box) kept(number string) {
	b.t.Helper()
	r := b.document(number)
	r.Promises = nil
	r.Wake()
	if err := b.store.Unlocks.Save(b.t.Context(), r); err != nil {
		b.t.Fatal(err)
	}
}

func (b *box) owed(number string) []string {
	b.t.Helper()
	var out []string
	for _, p := range b.document(number).Promises {
		what := string(p.Kind())
		switch w := p.What.(type) {
		case bot.SendSignal:
			what += " " + w.Signal
		case bot.MailNotice:
			what += " " + w.Topic
		}
		out = append(out, what)
	}
	return out
}

// Somebody asks for the next link while the last one's promises are still owed and its browser is on the key page:
// neither the activation nor the owner's letter nor the key pass is lost by it.
func TestReserve_afterUse(t *testing.T) {
	onEveryStore(t, func(t *testing.T, b *box) {
		pass := b.redeem(b.link(locked).Token, "n").KeyPass
		id, used := b.document(locked).ID, b.document(locked).Live.ID
		b.set(locked, affiliate.Locked) // as if the process had died before it made the record active
		b.ask(locked, b.next())
		if b.document(locked).Live.ID == used {
			t.Fatal("asking after use: got the used attempt, want a new one")
		}
		if err := b.Activate(t.Context(), id, used); err != nil || b.status(locked) != affiliate.Active {
			t.Errorf("the activation: got %v, record is %s, want active", err, b.status(locked))
		}
		if to, _, err := b.Owner(t.Context(), id, used); err != nil || to == "" {
			t.Errorf("the owner's letter: got %q, %v, want an address", to, err)
		}
		if problems, err := b.MakeKey(t.Context(), pass, goodKey); err != nil || len(problems) > 0 {
			t.Errorf("the key: got %v, %v, want it made", problems, err)
		}
		if h, err := b.KeyPass(t.Context(), pass); err != nil || !h.Made {
			t.Errorf("the key pass: got made %t, %v", h.Made, err)
		}
		if r := b.document(locked); !r.Live.KeyMade.IsZero() {
			t.Error("the new attempt was touched by the old key pass")
		}
		b.kept(locked)
		b.clock.Advance(unlock.KeyPassLife)
		if _, err := b.Purge(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if r := b.document(locked); len(r.Used) > 0 || r.Live.Sealed != "" {
			t.Errorf("after its time: got %d used attempts, want no number left", len(r.Used))
		}
	})
}

// What the institution decided after the letter stays: only a locked record is made active.
func TestActivate_onlyLocked(t *testing.T) {
	onEveryStore(t, func(t *testing.T, b *box) {
		l := b.link(locked)
		b.set(locked, affiliate.Suspended)
		b.redeem(l.Token, "n")
		if got := b.status(locked); got != affiliate.Suspended {
			t.Errorf("record is %s, want suspended", got)
		}
	})
}

// A record that is gone holds nothing up.
func TestActivate_noRecord(t *testing.T) {
	onEveryStore(t, func(t *testing.T, b *box) {
		l := b.link(locked)
		if err := b.store.Engine().Delete(t.Context(), store.Affiliates, locked, -1); err != nil {
			t.Fatal(err)
		}
		b.redeem(l.Token, "n")
		r := b.document(locked)
		if err := b.Activate(t.Context(), r.ID, r.Live.ID); err != nil {
			t.Errorf("got %v, want nothing to do", err)
		}
	})
}

// "No fui yo" works from every letter of the day, also from those before the newest, and ends what they led to.
func TestNotMe_earlierLetter(t *testing.T) {
	onEveryStore(t, func(t *testing.T, b *box) {
		first := b.link(locked)
		pass := b.redeem(first.Token, "n").KeyPass
		b.kept(locked)
		b.set(locked, affiliate.Locked)
		b.clock.Advance(5 * time.Minute)
		if _, err := b.Purge(t.Context(), b.document(locked).ID); err != nil {
			t.Fatal(err)
		}
		second := b.link(locked)
		if _, err := b.NotMe(t.Context(), first.NotMe); err != nil {
			t.Fatalf("from the first letter: %v", err)
		}
		if _, err := b.Redeem(t.Context(), second.Token, "n"); !errors.Is(err, unlock.ErrExpired) {
			t.Errorf("the second link: got %v, want %v", err, unlock.ErrExpired)
		}
		if _, err := b.KeyPass(t.Context(), pass); !errors.Is(err, unlock.ErrKeyPass) {
			t.Errorf("the first link's key pass: got %v, want %v", err, unlock.ErrKeyPass)
		}
	})
}

// The button of the key page, pressed four times at once, is one success told four times.
func TestMakeKey_atOnce(t *testing.T) {
	onEveryStore(t, func(t *testing.T, b *box) {
		pass := b.redeem(b.link(locked).Token, "n").KeyPass
		b.kept(locked)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if problems, err := b.MakeKey(t.Context(), pass, goodKey); err != nil || len(problems) > 0 {
					t.Errorf("got %v, %v, want success", problems, err)
				}
			})
		}
		wg.Wait()
		if got, want := b.owed(locked), []string{"signal key_made", "notice generated"}; !slices.Equal(got, want) {
			t.Errorf("owed: got %q, want %q", got, want)
		}
		if _, err := b.MakeKey(t.Context(), pass, "otra muy distinta del todo"); !errors.Is(err, unlock.ErrKeyMade) {
			t.Errorf("another key: got %v, want %v", err, unlock.ErrKeyMade)
		}
	})
}

// What is still owed needs the number: purging waits for it.
func TestPurge_waitsForPromises(t *testing.T) {
	onEveryStore(t, func(t *testing.T, b *box) {
		b.redeem(b.link(locked).Token, "n")
		r := b.document(locked)
		b.clock.Advance(time.Hour)
		if purged, err := b.Purge(t.Context(), r.ID); err != nil || purged {
			t.Errorf("got %t, %v, want nothing purged", purged, err)
		}
		if to, _, err := b.Owner(t.Context(), r.ID, r.Live.ID); err != nil || to == "" {
			t.Errorf("the owner's letter: got %q, %v, want an address", to, err)
		}
	})
}

// Asking, pressing and asking again, all at once, from many chats: the limit is exact and one press wins.
func TestRecord_atOnce(t *testing.T) {
	onEveryStore(t, func(t *testing.T, b *box) {
		token := b.link(locked).Token
		var wg sync.WaitGroup
		var mu sync.Mutex
		granted, won := 1, 0
		for i := range 32 {
			wg.Go(func() {
				res := b.ask(locked, fmt.Sprint("storm/", i))
				mu.Lock()
				defer mu.Unlock()
				if res.Granted {
					granted++
				}
			})
			if i%2 == 0 {
				wg.Go(func() {
					_, err := b.Redeem(t.Context(), token, fmt.Sprint("nonce/", i))
					mu.Lock()
					defer mu.Unlock()
					switch {
					case err == nil:
						won++
					case !errors.Is(err, unlock.ErrUsed) && !errors.Is(err, unlock.ErrUnknown): // unknown: asked for again since
						t.Errorf("redeem: %v", err)
					}
				})
			}
		}
		wg.Wait()
		if granted != 3 || won != 1 {
			t.Errorf("got %d mails and %d winners, want 3 and 1", granted, won)
		}
		activations := slices.DeleteFunc(b.owed(locked), func(p string) bool { return p != string(bot.PromiseActivate) })
		if len(activations) != 1 || b.status(locked) != affiliate.Active {
			t.Errorf("got %d activations, record is %s, want 1, active", len(activations), b.status(locked))
		}
	})
}
