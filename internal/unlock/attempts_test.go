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

// onEveryStore runs a test with a service over each kind of store. The clock is the test's on all of them.
func onEveryStore(t *testing.T, test func(t *testing.T, s *service)) {
	t.Helper()
	storetest.Engines(t, func(t *testing.T, e store.Engine) {
		v, err := secret.New(secret.NewDataKey())
		if err != nil {
			t.Fatal(err)
		}
		s := &service{t: t, store: store.New(e), vault: v, clock: storetest.NewClock(time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC))}
		s.Service = unlock.New(unlock.Options{
			Documents: s.store.Unlocks, Affiliates: s.store.Affiliates, Vault: v,
			Now:    func(context.Context) (time.Time, error) { return s.clock.Now(), nil },
			Limits: unlock.Limits{Burst: 3, Window: 15 * time.Minute, Day: 6, PerDay: 24 * time.Hour, LinkTTL: 3 * time.Minute},
			Hold:   hold,
		})
		s.set(locked, affiliate.Locked)
		test(t, s)
	})
}

// set is the institution's import of a record.
func (sv *service) set(number string, s affiliate.Status) {
	sv.t.Helper()
	err := sv.store.Affiliates.Import(sv.t.Context(), []affiliate.Record{{
		ID: number, IDType: affiliate.Cedula, Category: affiliate.Affiliate, FullName: "Persona de Prueba", Email: "uno@correo.example",
		DataUpdatedAt: time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC), Status: s,
	}})
	if err != nil {
		sv.t.Fatal(err)
	}
}

func (s *service) redeem(token, nonce string) unlock.Redeemed {
	s.t.Helper()
	r, err := s.Redeem(s.t.Context(), token, nonce)
	if err != nil {
		s.t.Fatalf("redeem: %v", err)
	}
	return r
}

// kept takes what a record owes off it, as the runner does once it has been kept.
func (s *service) kept(number string) {
	s.t.Helper()
	r := s.document(number)
	r.Promises = nil
	r.Wake()
	if err := s.store.Unlocks.Save(s.t.Context(), r); err != nil {
		s.t.Fatal(err)
	}
}

func (s *service) owed(number string) []string {
	s.t.Helper()
	var out []string
	for _, p := range s.document(number).Promises {
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
	onEveryStore(t, func(t *testing.T, s *service) {
		pass := s.redeem(s.link(locked).Token, "n").KeyPass
		id, used := s.document(locked).ID, s.document(locked).Live.ID
		s.set(locked, affiliate.Locked) // as if the process had died before it made the record active
		s.ask(locked, s.next())
		if s.document(locked).Live.ID == used {
			t.Fatal("asking after use: got the used attempt, want a new one")
		}
		if err := s.Activate(t.Context(), id, used); err != nil || s.status(locked) != affiliate.Active {
			t.Errorf("the activation: got %v, record is %s, want active", err, s.status(locked))
		}
		if o, err := s.Owner(t.Context(), id, used); err != nil || o.Email == "" {
			t.Errorf("the owner's letter: got %q, %v, want an address", o.Email, err)
		}
		if problems, err := s.MakeKey(t.Context(), pass, goodKey); err != nil || len(problems) > 0 {
			t.Errorf("the key: got %v, %v, want it made", problems, err)
		}
		if h, err := s.KeyPass(t.Context(), pass); err != nil || !h.Made {
			t.Errorf("the key pass: got made %t, %v", h.Made, err)
		}
		if r := s.document(locked); !r.Live.KeyMade.IsZero() {
			t.Error("the new attempt was touched by the old key pass")
		}
		s.kept(locked)
		s.clock.Advance(7 * 24 * time.Hour) // until then "No fui yo" must know whose record it is
		s.purge(locked)
		if r := s.document(locked); len(r.Used) > 0 || r.Live != nil {
			t.Errorf("after its time: got %d used attempts, want no number left", len(r.Used))
		}
	})
}

// What the institution decided after the letter stays: only a locked record is made active.
func TestActivate_onlyLocked(t *testing.T) {
	onEveryStore(t, func(t *testing.T, s *service) {
		l := s.link(locked)
		s.set(locked, affiliate.Suspended)
		s.redeem(l.Token, "n")
		if got := s.status(locked); got != affiliate.Suspended {
			t.Errorf("record is %s, want suspended", got)
		}
	})
}

// A record that is gone holds nothing up.
func TestActivate_noRecord(t *testing.T) {
	onEveryStore(t, func(t *testing.T, s *service) {
		l := s.link(locked)
		if err := s.store.Engine().Delete(t.Context(), store.Affiliates, locked, -1); err != nil {
			t.Fatal(err)
		}
		s.redeem(l.Token, "n")
		r := s.document(locked)
		if err := s.Activate(t.Context(), r.ID, r.Live.ID); err != nil {
			t.Errorf("got %v, want nothing to do", err)
		}
	})
}

// "No fui yo" works from every letter, also from those before the newest, and ends what they led to.
func TestNotMe_earlierLetter(t *testing.T) {
	onEveryStore(t, func(t *testing.T, s *service) {
		first := s.link(locked)
		pass := s.redeem(first.Token, "n").KeyPass
		s.kept(locked)
		s.set(locked, affiliate.Locked)
		s.clock.Advance(5 * time.Minute)
		if _, err := s.Purge(t.Context(), s.document(locked).ID); err != nil {
			t.Fatal(err)
		}
		second := s.link(locked)
		if _, err := s.NotMe(t.Context(), first.NotMe); err != nil {
			t.Fatalf("from the first letter: %v", err)
		}
		if _, err := s.Redeem(t.Context(), second.Token, "n"); !errors.Is(err, unlock.ErrExpired) {
			t.Errorf("the second link: got %v, want %v", err, unlock.ErrExpired)
		}
		if _, err := s.KeyPass(t.Context(), pass); !errors.Is(err, unlock.ErrKeyPass) {
			t.Errorf("the first link's key pass: got %v, want %v", err, unlock.ErrKeyPass)
		}
	})
}

// The button of the key page, pressed four times at once, is one success told four times.
func TestMakeKey_atOnce(t *testing.T) {
	onEveryStore(t, func(t *testing.T, s *service) {
		pass := s.redeem(s.link(locked).Token, "n").KeyPass
		s.kept(locked)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if problems, err := s.MakeKey(t.Context(), pass, goodKey); err != nil || len(problems) > 0 {
					t.Errorf("got %v, %v, want success", problems, err)
				}
			})
		}
		wg.Wait()
		if got, want := s.owed(locked), []string{"signal key_made", "notice generated"}; !slices.Equal(got, want) {
			t.Errorf("owed: got %q, want %q", got, want)
		}
		if _, err := s.MakeKey(t.Context(), pass, "otra muy distinta del todo"); !errors.Is(err, unlock.ErrKeyMade) {
			t.Errorf("another key: got %v, want %v", err, unlock.ErrKeyMade)
		}
	})
}

// What is still owed needs the number: purging waits for it.
func TestPurge_waitsForPromises(t *testing.T) {
	onEveryStore(t, func(t *testing.T, s *service) {
		s.redeem(s.link(locked).Token, "n")
		r := s.document(locked)
		s.clock.Advance(time.Hour)
		if purged, err := s.Purge(t.Context(), r.ID); err != nil || purged.Link {
			t.Errorf("got %t, %v, want nothing purged", purged, err)
		}
		if o, err := s.Owner(t.Context(), r.ID, r.Live.ID); err != nil || o.Email == "" {
			t.Errorf("the owner's letter: got %q, %v, want an address", o.Email, err)
		}
	})
}

// Asking, pressing and asking again, all at once, from many chats: the limit is exact and one press wins.
func TestRecord_atOnce(t *testing.T) {
	onEveryStore(t, func(t *testing.T, s *service) {
		token := s.link(locked).Token
		var wg sync.WaitGroup
		var mu sync.Mutex
		granted, won := 1, 0
		for i := range 32 {
			wg.Go(func() {
				res := s.ask(locked, fmt.Sprint("storm/", i))
				mu.Lock()
				defer mu.Unlock()
				if res.Granted {
					granted++
				}
			})
			if i%2 == 0 {
				wg.Go(func() {
					_, err := s.Redeem(t.Context(), token, fmt.Sprint("nonce/", i))
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
		activations := slices.DeleteFunc(s.owed(locked), func(p string) bool { return p != string(bot.PromiseActivate) })
		if len(activations) != 1 || s.status(locked) != affiliate.Active {
			t.Errorf("got %d activations, record is %s, want 1, active", len(activations), s.status(locked))
		}
	})
}
