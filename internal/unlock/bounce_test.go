package unlock_test

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"llave/bot"
	"llave/internal/affiliate"
	"llave/internal/secret"
	"llave/internal/unlock"
)

// mails has a chat ask for a link to the number, lets the mail server accept the letter, and returns it.
func (s *service) mails(conv, number string) unlock.Letter {
	s.t.Helper()
	turn, record := conv+"/"+s.next(), affiliate.Hash(s.vault, number)
	res, err := s.Reserve(s.t.Context(), bot.Ask{
		Turn: turn, Conv: conv, Record: record, Number: number, Want: "unlock", Channel: "telegram",
	})
	if err != nil || !res.Granted {
		s.t.Fatalf("asking: %+v, %v", res, err)
	}
	p := bot.Promise{ID: turn + "/link", What: bot.MailLink{Conv: conv}, Record: record, Attempt: res.Attempt, Made: s.clock.Now()}
	l, err := s.Letter(s.t.Context(), p, conv)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.Accepted(s.t.Context(), p); err != nil {
		s.t.Fatal(err)
	}
	return l
}

// returned says what became of a report of a letter that names these addresses.
func (s *service) returned(l unlock.Letter, fate unlock.Fate, named ...string) error {
	s.t.Helper()
	r, ok := s.OpenReturn(l.Return)
	if !ok {
		s.t.Fatalf("%q is not known as a return address", l.Return)
	}
	return s.Returned(s.t.Context(), r, fate, named)
}

func (s *service) reaches(number string) bool {
	s.t.Helper()
	rec, _, err := s.store.Affiliates.Find(s.t.Context(), number)
	if err != nil {
		s.t.Fatal(err)
	}
	ok, err := s.Reaches(s.t.Context(), affiliate.Hash(s.vault, number), rec.Email)
	if err != nil {
		s.t.Fatal(err)
	}
	return ok
}

// told are the signals that are owed, each with its conversation.
func (s *service) told(number string) (signals []string) {
	s.t.Helper()
	for _, p := range s.document(number).Promises {
		if what, ok := p.What.(bot.SendSignal); ok {
			signals = append(signals, what.Signal+" to "+what.Conv)
		}
	}
	return signals
}

var localPart = regexp.MustCompile(`^b-[a-z2-7]{60}$`)

// The return address of a letter and of a decoy look alike, fit into a local part (RFC 5321 4.5.3.1.1), bear nothing that can be read,
// and are known in capitals too. The key that signs them is the store's, so they outlive a new LLAVE_SECRET_KEY (P214).
func TestReturn_address(t *testing.T) {
	s := newService(t)
	letter, decoy := s.mails("telegram:1", locked), s.mails("telegram:2", nobody)
	for what, l := range map[string]unlock.Letter{"a letter": letter, "a decoy": decoy} {
		if !localPart.MatchString(l.Return) {
			t.Errorf("%s: got %q, want 62 characters of which relays keep each", what, l.Return)
		}
		if _, ok := s.OpenReturn(strings.ToUpper(l.Return)); !ok {
			t.Errorf("%s: not known in capitals", what)
		}
	}
	if letter.Decoy || !decoy.Decoy {
		t.Fatal("the letter or the decoy is none")
	}
	if err := s.returned(decoy, unlock.BadMailbox); !errors.Is(err, unlock.ErrUnknown) {
		t.Errorf("a report of a decoy: got %v, want ErrUnknown", err)
	}
	dataKey := secret.NewDataKey()
	old, next := secret.Keys{secret.NewDataKey()}, secret.NewDataKey()
	first, err := secret.New(dataKey)
	if err != nil {
		t.Fatal(err)
	}
	opened, stale, err := secret.Keys{next, old[0]}.Unwrap(old.Wrap(dataKey))
	if err != nil || !stale {
		t.Fatal(err)
	}
	rotated, err := secret.New(opened)
	if err != nil {
		t.Fatal(err)
	}
	s.Service.Vault, s.vault = first, first
	l := s.mails("telegram:1", locked)
	s.Service.Vault = rotated
	if _, ok := s.OpenReturn(l.Return); !ok {
		t.Error("an address of before the keys were rotated is not known")
	}
}

// No address that differs from one that was given out, but for capitals, is known.
func FuzzOpenReturn(f *testing.F) {
	vault, err := secret.New(make([]byte, 32))
	if err != nil {
		f.Fatal(err)
	}
	s := unlock.New(unlock.Options{Vault: vault})
	given := s.SealReturn(unlock.Return{Attempt: [4]byte{1, 2, 3, 4}, Conv: [3]byte{5, 6, 7}})
	if _, ok := s.OpenReturn(given); !ok {
		f.Fatal("the address that was given out is not known")
	}
	for i := range given {
		for _, c := range "ab7-= \n\x00ſK" { // the last two are an s and a k to who folds case
			f.Add(given[:i] + string(c) + given[i+1:])
		}
		f.Add(given[:i])
		f.Add(given[:i] + "a" + given[i:])
	}
	f.Add(given + "a")
	f.Add(strings.TrimPrefix(given, "b-"))
	f.Add("")
	f.Fuzz(func(t *testing.T, local string) {
		if _, ok := s.OpenReturn(local); ok && !strings.EqualFold(local, given) {
			t.Errorf("%q is known", local)
		}
	})
}

// A report of a bad mailbox is told to the chat whose letter it was, once, and remembered for as long as the address stays, 30 days
// at most; of a full one a day (P214).
func TestReturned(t *testing.T) {
	onEveryStore(t, func(t *testing.T, s *service) {
		other := s.mails("telegram:2", locked)
		l := s.mails("telegram:1", locked)
		if err := s.returned(l, unlock.BadMailbox); err != nil {
			t.Fatal(err)
		}
		if got, want := s.told(locked), []string{"mail_refused to telegram:1"}; !slices.Equal(got, want) {
			t.Errorf("owed: got %q, want %q", got, want)
		}
		s.kept(locked)
		before := s.document(locked).Version
		for range 3 {
			if err := s.returned(l, unlock.BadMailbox); !errors.Is(err, unlock.ErrRepeated) {
				t.Errorf("again: got %v, want ErrRepeated", err)
			}
		}
		if got := s.document(locked).Version; got != before {
			t.Errorf("again: the document was written %d times, want never", got-before)
		}
		if err := s.returned(other, unlock.BadMailbox); err != nil {
			t.Fatal(err)
		}
		if got, want := s.told(locked), []string{"mail_refused to telegram:2"}; !slices.Equal(got, want) {
			t.Errorf("the other chat's: got %q, want %q", got, want)
		}
		s.kept(locked)
		if s.reaches(locked) {
			t.Error("the mailbox is not remembered")
		}
		s.clock.Advance(30*24*time.Hour - time.Minute)
		s.purge(locked)
		if s.reaches(locked) {
			t.Error("the mailbox is not remembered for 30 days")
		}
		s.clock.Advance(time.Minute)
		if !s.reaches(locked) {
			t.Error("the mailbox is remembered for longer than 30 days")
		}
		s.purge(locked)
		if s.document(locked).Bounced != nil {
			t.Error("what is over is still kept")
		}

		if err := s.returned(s.mails("telegram:1", locked), unlock.FullMailbox); err != nil {
			t.Fatal(err)
		}
		if s.reaches(locked) {
			t.Error("a full mailbox is not remembered")
		}
		s.clock.Advance(24 * time.Hour)
		if !s.reaches(locked) {
			t.Error("a full mailbox is remembered for longer than a day")
		}
	})
}

// A mailbox is remembered no longer once the record has another address; a report of the old one's letter says nothing of the new one.
func TestReturned_addressChanges(t *testing.T) {
	s := newService(t)
	l := s.mails("telegram:1", locked)
	s.clock.Advance(time.Minute)
	later := s.mails("telegram:1", locked)
	if err := s.returned(l, unlock.BadMailbox); err != nil {
		t.Fatal(err)
	}
	rec, _, err := s.store.Affiliates.Find(t.Context(), locked)
	if err != nil {
		t.Fatal(err)
	}
	rec.Email = "nueva@correo.example"
	if err := s.store.Affiliates.Import(t.Context(), []affiliate.Record{rec}); err != nil {
		t.Fatal(err)
	}
	if !s.reaches(locked) {
		t.Error("the new address is taken for the old one")
	}
	if err := s.returned(later, unlock.BadMailbox); err != nil {
		t.Fatal(err)
	}
	if !s.reaches(locked) {
		t.Error("a report of the old address counts against the new one")
	}
	s.mails("telegram:1", locked)
	if s.document(locked).Bounced != nil {
		t.Error("the old address is still remembered")
	}
}

// What comes late, or of a link that is over, tells nobody anything; one that was used shows that its mailbox is read.
func TestReturned_over(t *testing.T) {
	for _, tc := range []struct {
		name    string
		act     func(s *service, l unlock.Letter)
		want    error
		reaches bool
	}{
		{"the link is over", func(s *service, _ unlock.Letter) { s.clock.Advance(4 * time.Minute); s.purge(locked) }, nil, false},
		{"voided", func(s *service, l unlock.Letter) { s.disown(l.NotMe) }, nil, false},
		{"used", func(s *service, l unlock.Letter) { s.redeem(l.Token, "n") }, nil, true},
		{"another link since", func(s *service, _ unlock.Letter) { s.clock.Advance(time.Hour); s.mails("telegram:9", locked) }, nil, false},
		{"on the last day", func(s *service, _ unlock.Letter) { s.clock.Advance(7*24*time.Hour - time.Minute); s.purge(locked) }, nil, false},
		{"after seven days", func(s *service, _ unlock.Letter) { s.clock.Advance(7 * 24 * time.Hour) }, unlock.ErrLate, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newService(t)
			l := s.mails("telegram:1", locked)
			tc.act(s, l)
			s.kept(locked)
			if err := s.returned(l, unlock.BadMailbox); !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
			if got := s.told(locked); len(got) > 0 {
				t.Errorf("owed: %q, want nothing", got)
			}
			if got := s.reaches(locked); got != tc.reaches {
				t.Errorf("letters reach the address: %t, want %t", got, tc.reaches)
			}
		})
	}
}

// A letter that was given up for no fault of its mailbox, or is still tried, says nothing of the mailbox; the chat hears what it is.
func TestReturned_notTheMailbox(t *testing.T) {
	for fate, want := range map[unlock.Fate]string{unlock.Unsent: "mail_unsent to telegram:1", unlock.Delayed: "mail_late to telegram:1"} {
		s := newService(t)
		l := s.mails("telegram:1", locked)
		if err := s.returned(l, fate); err != nil {
			t.Fatal(err)
		}
		if !s.reaches(locked) {
			t.Errorf("%s: the mailbox is remembered", fate)
		}
		if got := s.told(locked); len(got) != 1 || got[0] != want {
			t.Errorf("%s: owed %q, want %q", fate, got, want)
		}
		if err := s.returned(l, fate); !errors.Is(err, unlock.ErrRepeated) {
			t.Errorf("%s again: got %v, want ErrRepeated", fate, err)
		}
	}
}

// A report of a copy that the mailbox forwarded changes nothing and tells nobody; one that names the letter's own mailbox counts,
// however it writes it.
func TestReturned_forwarded(t *testing.T) {
	s := newService(t)
	l := s.mails("telegram:1", locked)
	before := s.document(locked).Version
	for _, fate := range []unlock.Fate{unlock.BadMailbox, unlock.FullMailbox, unlock.Unsent, unlock.Delayed} {
		if err := s.returned(l, fate, "otra@example.com", "otro@example.net"); !errors.Is(err, unlock.ErrForwarded) {
			t.Errorf("%s: got %v, want ErrForwarded", fate, err)
		}
	}
	if got := s.document(locked).Version; got != before {
		t.Errorf("the document was written %d times, want never", got-before)
	}
	if err := s.returned(l, unlock.BadMailbox, "otra@example.com", strings.ToUpper(l.To)); err != nil {
		t.Fatal(err)
	}
	if s.reaches(locked) {
		t.Error("the letter's own mailbox is not remembered")
	}

	s = newService(t)
	rec, _, err := s.store.Affiliates.Find(t.Context(), locked)
	if err != nil {
		t.Fatal(err)
	}
	rec.Email = "Uno@Año.Example"
	if err := s.store.Affiliates.Import(t.Context(), []affiliate.Record{rec}); err != nil {
		t.Fatal(err)
	}
	if err := s.returned(s.mails("telegram:1", locked), unlock.BadMailbox, "uno@xn--ao-zja.example"); err != nil {
		t.Errorf("an address with capitals and an ñ, as mail servers say it: %v", err)
	}
}

// That a letter is late or was given up is told only of the chat's newest one: a later one may have arrived. A bad mailbox is bad for
// both.
func TestReturned_olderLetter(t *testing.T) {
	for fate, want := range map[unlock.Fate]string{unlock.Unsent: "", unlock.Delayed: "", unlock.BadMailbox: "mail_refused to telegram:1"} {
		s := newService(t)
		first := s.mails("telegram:1", locked)
		s.clock.Advance(20 * time.Second)
		other := s.mails("telegram:12", locked) // another chat's is none of this one's
		before := unlock.Delayed
		if fate == before {
			before = unlock.Unsent
		}
		if err := s.returned(first, before); err != nil || len(s.told(locked)) != 1 {
			t.Fatalf("the chat's only letter: owed %q, %v", s.told(locked), err)
		}
		s.kept(locked)
		s.clock.Advance(20 * time.Second)
		second := s.mails("telegram:1", locked)
		if err := s.returned(first, fate); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(s.told(locked), ", "); got != want {
			t.Errorf("%s of the first of two letters: owed %q, want %q", fate, got, want)
		}
		s.kept(locked)
		for _, l := range []unlock.Letter{second, other} {
			if err := s.returned(l, unlock.Unsent); err != nil || len(s.told(locked)) != 1 {
				t.Errorf("of each chat's newest letter: owed %q, %v", s.told(locked), err)
			}
			s.kept(locked)
		}
	}
}

// In `uniform` a report writes nothing, whatever it says.
func TestReturned_uniform(t *testing.T) {
	s := newService(t)
	s.Service.Uniform = true
	l := s.mails("telegram:1", locked)
	before := s.document(locked).Version
	for _, fate := range []unlock.Fate{unlock.BadMailbox, unlock.FullMailbox, unlock.Unsent, unlock.Delayed} {
		if err := s.returned(l, fate); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.document(locked).Version; got != before {
		t.Errorf("the document was written %d times, want never", got-before)
	}
}
