package unlock_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"llave/bot"
	"llave/internal/affiliate"
	"llave/internal/key"
	"llave/internal/secret"
	"llave/internal/store"
	"llave/internal/store/storetest"
	"llave/internal/unlock"
)

const (
	locked  = "1790000002"
	active  = "1890000001"
	nobody  = "0990000002"
	goodKey = "tres barcos azules duermen"
)

// service is unlock.Service over a real store, with the embedded store's clock in the test's hands.
type service struct {
	*unlock.Service
	t     *testing.T
	store *store.Store
	clock *storetest.Clock
	vault *secret.Vault
	turn  int
}

func newService(t *testing.T) *service {
	t.Helper()
	clock := storetest.NewClock(time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC))
	s := store.New(storetest.Bolt(t, clock.Now))
	v, err := secret.New(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	updated := time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC)
	err = s.Affiliates.Import(t.Context(), []affiliate.Record{
		{ID: locked, IDType: affiliate.Cedula, Category: affiliate.Affiliate, Email: "uno@correo.example", DataUpdatedAt: updated, Status: affiliate.Locked},
		{ID: active, IDType: affiliate.Cedula, Category: affiliate.Affiliate, Email: "tres@correo.example", DataUpdatedAt: updated, Status: affiliate.Active},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &service{t: t, store: s, clock: clock, vault: v, Service: unlock.New(unlock.Options{
		Documents: s.Unlocks, Affiliates: s.Affiliates, Vault: v, Now: s.Now,
		Limits: unlock.Limits{Burst: 3, Window: 15 * time.Minute, Day: 6, PerDay: 24 * time.Hour, LinkTTL: 3 * time.Minute},
	})}
}

func (s *service) ask(number, turn string) bot.Reservation {
	s.t.Helper()
	res, err := s.Reserve(s.t.Context(), bot.Ask{
		Turn: turn, Conv: "telegram:1", Record: affiliate.Hash(s.vault, number), Number: number, Want: "unlock", Channel: "telegram",
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return res
}

func (s *service) next() string { s.turn++; return fmt.Sprint("turn/", s.turn) }

// link asks for a link, lets the mail server accept it, and returns its letter.
func (s *service) link(number string) unlock.Letter {
	s.t.Helper()
	res := s.ask(number, s.next())
	p := promise(affiliate.Hash(s.vault, number), res.Attempt)
	l, err := s.Letter(s.t.Context(), p, "")
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.Accepted(s.t.Context(), p); err != nil {
		s.t.Fatal(err)
	}
	return l
}

// promise is the first one of an attempt's link.
func promise(record, attempt string) bot.Promise {
	return bot.Promise{ID: "link of " + attempt, Record: record, Attempt: attempt}
}

func (s *service) document(number string) *unlock.Document {
	s.t.Helper()
	r, err := s.store.Unlocks.Load(s.t.Context(), affiliate.Hash(s.vault, number))
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

func (s *service) status(number string) affiliate.Status {
	s.t.Helper()
	r, _, err := s.store.Affiliates.Find(s.t.Context(), number)
	if err != nil {
		s.t.Fatal(err)
	}
	return r.Status
}

// TestReserve_oncePerTurn shows P204.
func TestReserve_oncePerTurn(t *testing.T) {
	s := newService(t)
	first := s.ask(locked, "turn/a")
	for range 5 {
		if again := s.ask(locked, "turn/a"); again != first {
			t.Fatalf("the same turn got %+v, want %+v", again, first)
		}
	}
	if n := len(s.document(locked).Asks); n != 1 {
		t.Errorf("%d requests counted, want 1", n)
	}
	if other := s.ask(locked, "turn/b"); other.Attempt != first.Attempt {
		t.Error("asking while a link lives made another link")
	}
}

// Whatever a number is, the same asks get the same answers (P305).
func TestReserve_limits(t *testing.T) {
	for _, number := range []string{locked, active, nobody} {
		s := newService(t)
		var granted int
		var mu sync.Mutex
		var wg sync.WaitGroup
		for i := range 32 {
			wg.Go(func() {
				if s.ask(number, fmt.Sprint("parallel/", i)).Granted {
					mu.Lock()
					granted++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if granted != 3 {
			t.Errorf("%d of 32 parallel asks were granted, want 3", granted)
		}
		res := s.ask(number, "late")
		if want := s.clock.Now().Add(15 * time.Minute); res.Granted || !res.RetryAt.Equal(want) {
			t.Errorf("the fourth got %+v, want to come back at %s", res, want)
		}
		s.clock.Advance(15 * time.Minute)
		for i := range 3 {
			if !s.ask(number, fmt.Sprint("second/", i)).Granted {
				t.Errorf("ask %d of the second quarter of an hour was refused", i)
			}
		}
		s.clock.Advance(15 * time.Minute)
		if res := s.ask(number, "seventh"); res.Granted || !res.RetryAt.Equal(s.clock.Now().Add(24*time.Hour-30*time.Minute)) {
			t.Errorf("the seventh of the day got %+v, want refused until tomorrow", res)
		}
	}
}

func TestLetter_decoy(t *testing.T) {
	s := newService(t)
	if l := s.link(nobody); !l.Decoy || l.Token != "" || l.To != "" {
		t.Error("a number that nobody has got a letter")
	}
	if l := s.link(locked); l.Decoy || l.To != "uno@correo.example" || l.Kind != unlock.KindUnlock {
		t.Error("a locked record got no letter that unlocks")
	}
	if l := s.link(active); l.Kind != unlock.KindGenerate {
		t.Error("an active record's link would unlock")
	}
}

// TestRedeem_sixteenAtOnce shows P203.
func TestRedeem_sixteenAtOnce(t *testing.T) {
	s := newService(t)
	l := s.link(locked)
	var won, used int
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			_, err := s.Redeem(t.Context(), l.Token, fmt.Sprint("nonce", i))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				won++
			case errors.Is(err, unlock.ErrUsed):
				used++
			default:
				t.Errorf("redeem: %v", err)
			}
		})
	}
	wg.Wait()
	if won != 1 || used != 15 {
		t.Errorf("%d won and %d were told that it was used, want 1 and 15", won, used)
	}
	if got := s.status(locked); got != affiliate.Active {
		t.Errorf("record is %s, want active", got)
	}
	kinds := map[bot.PromiseKind]int{}
	for _, p := range s.document(locked).Promises {
		kinds[p.Kind()]++
	}
	if kinds[bot.PromiseActivate] != 1 || kinds[bot.PromiseNotice] != 1 || kinds[bot.PromiseSignal] != 1 {
		t.Errorf("owed after one redemption: %v", kinds)
	}
}

// TestRedeem_sameBrowserAgain shows P203.
func TestRedeem_sameBrowserAgain(t *testing.T) {
	s := newService(t)
	l := s.link(locked)
	first, err := s.Redeem(t.Context(), l.Token, "nonce")
	if err != nil || first.Again {
		t.Fatalf("%+v, %v", first, err)
	}
	again, err := s.Redeem(t.Context(), l.Token, "nonce")
	if err != nil || !again.Again {
		t.Fatalf("the same browser got %+v, %v", again, err)
	}
	if _, err := s.KeyPass(t.Context(), again.KeyPass); err != nil {
		t.Errorf("the key pass given again: %v", err)
	}
	s.clock.Advance(unlock.KeyPassLife)
	if _, err := s.KeyPass(t.Context(), first.KeyPass); !errors.Is(err, unlock.ErrKeyPass) {
		t.Errorf("after ten minutes the key pass is %v, want ErrKeyPass", err)
	}
}

// TestLife shows P205.
func TestLife(t *testing.T) {
	s := newService(t)
	hash := affiliate.Hash(s.vault, locked)
	res := s.ask(locked, "turn/life")
	l, err := s.Letter(t.Context(), promise(hash, res.Attempt), "")
	if err != nil {
		t.Fatal(err)
	}
	s.clock.Advance(5 * time.Minute) // the mail server was away
	if _, err := s.Look(t.Context(), l.Token, ""); err != nil {
		t.Errorf("a press that overtakes our record of acceptance: %v", err)
	}
	accepted := s.clock.Now()
	for range 2 { // only the first acceptance counts
		ends, err := s.Accepted(t.Context(), promise(hash, res.Attempt))
		if err != nil || !ends.Equal(accepted.Add(3*time.Minute)) {
			t.Errorf("ends %s (%v), want three minutes after the first acceptance", ends, err)
		}
		s.clock.Advance(time.Minute)
	}
	s.clock.Advance(time.Minute - time.Millisecond)
	if _, err := s.Look(t.Context(), l.Token, ""); err != nil {
		t.Errorf("a millisecond before its end: %v", err)
	}
	s.clock.Advance(time.Millisecond)
	if _, err := s.Redeem(t.Context(), l.Token, "n"); !errors.Is(err, unlock.ErrExpired) {
		t.Errorf("at its end: %v, want ErrExpired", err)
	}
	if s.status(locked) != affiliate.Locked {
		t.Error("an expired link unlocked")
	}
	late := s.ask(locked, "turn/late")
	s.clock.Advance(9 * time.Minute)
	if ends, err := s.Accepted(t.Context(), promise(hash, late.Attempt)); err != nil || !ends.Equal(late.Ends) {
		t.Errorf("accepted after nine minutes it ends %s (%v), want ten minutes after it was asked for, %s", ends, err, late.Ends)
	}
}

// A promise that is kept again, because we died before we could mark it or because the update was repeated, sends no second letter
// once the mail server is known to have taken the first; a letter that was asked for again tells what is left.
func TestLetter_again(t *testing.T) {
	s := newService(t)
	hash := affiliate.Hash(s.vault, locked)
	first := promise(hash, s.ask(locked, "turn/first").Attempt)
	first.ID = "turn/first/link"
	want, err := s.Letter(t.Context(), first, "")
	if err != nil {
		t.Fatal(err)
	}
	ends, err := s.Accepted(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	s.clock.Advance(5 * time.Second)
	if got, err := s.Letter(t.Context(), first, ""); err != nil || !got.Sent {
		t.Errorf("kept again: got %+v, %v, want that it was sent", got, err)
	}
	if again, err := s.Accepted(t.Context(), first); err != nil || !again.Equal(ends) {
		t.Errorf("its end: got %v, %v, want %v as before", again, err, ends)
	}
	second := promise(hash, s.ask(locked, "turn/second").Attempt)
	second.ID = "turn/second/link"
	if got, err := s.Letter(t.Context(), second, ""); err != nil || got.Token != want.Token || got.Life != want.Life-5*time.Second {
		t.Errorf("asked for again: got token %q, life %v, %v, want the same token, five seconds less", got.Token, got.Life, err)
	}
}

// TestNotMe shows P206.
func TestNotMe(t *testing.T) {
	s := newService(t)
	l := s.link(locked)
	if _, err := s.LookNotMe(t.Context(), l.NotMe); err != nil {
		t.Fatal(err)
	}
	came, err := s.NotMe(t.Context(), l.NotMe)
	if err != nil || came.Ref == "" {
		t.Fatalf("%q, %v", came.Ref, err)
	}
	if again, err := s.NotMe(t.Context(), l.NotMe); err != nil || again.Ref != came.Ref {
		t.Errorf("pressed again: %q (%v), want the same case", again.Ref, err)
	}
	if _, err := s.Redeem(t.Context(), l.Token, "n"); !errors.Is(err, unlock.ErrExpired) {
		t.Errorf("a voided link: %v, want ErrExpired", err)
	}
	s.clock.Advance(11 * time.Minute)
	second := s.link(locked)
	used, err := s.Redeem(t.Context(), second.Token, "n")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.NotMe(t.Context(), second.NotMe); err != nil {
		t.Fatal(err)
	}
	if _, err := s.MakeKey(t.Context(), used.KeyPass, goodKey); !errors.Is(err, unlock.ErrKeyPass) {
		t.Errorf("a key made after the owner said no: %v, want ErrKeyPass", err)
	}
}

// TestMakeKey shows P210.
func TestMakeKey(t *testing.T) {
	s := newService(t)
	used, err := s.Redeem(t.Context(), s.link(locked).Token, "n")
	if err != nil {
		t.Fatal(err)
	}
	if problems, err := s.MakeKey(t.Context(), used.KeyPass, locked); err != nil || len(problems) == 0 {
		t.Errorf("the number as a key: %v, %v, want problems", problems, err)
	}
	for range 2 { // the second is a lost answer
		if problems, err := s.MakeKey(t.Context(), used.KeyPass, goodKey); err != nil || problems != nil {
			t.Fatalf("%v, %v", problems, err)
		}
	}
	if _, err := s.MakeKey(t.Context(), used.KeyPass, goodKey+" otra"); !errors.Is(err, unlock.ErrKeyMade) {
		t.Errorf("another key: %v, want ErrKeyMade", err)
	}
	if ok, err := key.Verify(t.Context(), s.document(locked).Key, goodKey); err != nil || !ok {
		t.Errorf("the key does not verify (%v)", err)
	}
}

func TestPurge(t *testing.T) {
	s := newService(t)
	l := s.link(locked)
	hash := affiliate.Hash(s.vault, locked)
	s.clock.Advance(3*time.Minute - time.Second)
	if gone, err := s.Purge(t.Context(), hash); err != nil || gone.Link {
		t.Errorf("a live link was purged (%v)", err)
	}
	s.clock.Advance(time.Second)
	if gone, err := s.Purge(t.Context(), hash); err != nil || !gone.Link {
		t.Errorf("an expired link was not purged (%v)", err)
	}
	if live := s.document(locked).Live; live.Link != "" || live.Sealed != "" {
		t.Error("the link or the number is still there")
	}
	if _, err := s.Look(t.Context(), l.Token, ""); !errors.Is(err, unlock.ErrUnknown) {
		t.Errorf("a purged link: %v, want ErrUnknown", err)
	}
	if _, err := s.LookNotMe(t.Context(), l.NotMe); err != nil {
		t.Errorf("\"No fui yo\" the same day: %v", err)
	}
	s.clock.Advance(7 * 24 * time.Hour)
	if _, err := s.Purge(t.Context(), hash); err != nil {
		t.Fatal(err)
	}
	if s.document(locked).Live != nil {
		t.Error("the attempt is still there after seven days")
	}
}

// TestDocument_holdsNoNumber shows P404.
func TestDocument_holdsNoNumber(t *testing.T) {
	s := newService(t)
	l := s.link(locked)
	raw, err := s.store.Engine().Get(t.Context(), store.Unlocks, affiliate.Hash(s.vault, locked))
	if err != nil {
		t.Fatal(err)
	}
	for what, secret := range map[string]string{"number": locked, "address": "uno@correo.example", "token": l.Token, "no-fui-yo token": l.NotMe} {
		if strings.Contains(string(raw), secret) {
			t.Errorf("the document holds the %s", what)
		}
	}
}
