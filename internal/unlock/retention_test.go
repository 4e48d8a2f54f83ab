package unlock_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/bot"
	"llave/internal/affiliate"
	"llave/internal/store"
	"llave/internal/unlock"
)

const nobodys = "1798765432" // no record has it

// TestRetention shows P735: an unlock document goes once its limits, its link, its letters' "No fui yo", its hold and what it knows of a
// mailbox are all over, not before, and whatever became of it; an hour later no chat that asked stands in it beyond its time.
func TestRetention(t *testing.T) {
	day := 24 * time.Hour
	for _, c := range []struct {
		name   string
		number string
		does   func(s *service)
		after  time.Duration // of the last thing that was done, when the document goes
		stays  bool          // it does not go: there is a key
	}{
		{"a number that nobody has", nobodys, func(s *service) { s.ask(nobodys, s.next()) }, day, false},
		{"a link that was not used", locked, func(s *service) { s.link(locked) }, 7 * day, false},
		{"a link that was used", locked, func(s *service) { s.redeem(s.link(locked).Token, "n"); s.kept(locked) }, 7 * day, false},
		{"asked again on the last day", locked, func(s *service) {
			s.redeem(s.link(locked).Token, "n")
			s.kept(locked)
			s.clock.Advance(7*day - time.Hour)
			s.purge(locked)
			s.ask(locked, s.next())
		}, 7 * day, false},
		{"taken back on the last day", locked, func(s *service) {
			l := s.link(locked)
			s.redeem(l.Token, "n")
			s.kept(locked)
			s.clock.Advance(7*day - time.Minute)
			s.purge(locked)
			s.disown(l.NotMe)
			s.kept(locked)
		}, hold, false},
		{"a mailbox that refuses", locked, func(s *service) {
			l := s.mails("telegram:1", locked)
			if err := s.returned(l, unlock.BadMailbox); err != nil {
				s.t.Fatal(err)
			}
			s.kept(locked)
		}, 30 * day, false},
		{"a key that was made", locked, func(s *service) { s.makesKey(s.redeem(s.link(locked).Token, "n").KeyPass); s.kept(locked) }, 7 * day, true},
		{"something that is owed", nobodys, func(s *service) {
			s.ask(nobodys, s.next())
			d := s.document(nobodys)
			d.Promises = owedForEver()
			if err := s.store.Unlocks.Save(s.t.Context(), d); err != nil {
				s.t.Fatal(err)
			}
		}, day, true},
		{"left by a version that planned nothing", nobodys, func(s *service) {
			s.ask(nobodys, s.next())
			d := s.document(nobodys)
			d.Live, d.PurgeAt = nil, time.Time{}
			if err := s.store.Unlocks.Save(s.t.Context(), d); err != nil {
				s.t.Fatal(err)
			}
		}, day, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			onEveryStore(t, func(t *testing.T, s *service) {
				c.does(s)
				id := affiliate.Hash(s.vault, c.number)
				is := func() bool {
					s.purgeDue(id)
					_, err := s.store.Engine().Get(t.Context(), store.Unlocks, id)
					if err != nil && !errors.Is(err, store.ErrNotFound) {
						t.Fatal(err)
					}
					return err == nil
				}
				began := s.clock.Now()
				for s.clock.Now().Before(began.Add(c.after - time.Hour)) {
					if !is() {
						t.Fatalf("gone after %v, want %v", s.clock.Now().Sub(began), c.after)
					}
					s.clock.Advance(c.after / 50)
				}
				s.clock.Advance(began.Add(c.after + time.Hour).Sub(s.clock.Now()))
				if there := is(); there != c.stays {
					t.Fatalf("after %v and an hour the document is there: %t, want %t", c.after, there, c.stays)
				}
				if c.stays {
					raw, err := s.store.Engine().Get(t.Context(), store.Unlocks, id)
					if err != nil {
						t.Fatal(err)
					}
					if text := raw.String(); strings.Contains(text, "telegram:1") || raw.Lookup("live").Type == bson.TypeEmbeddedDocument || raw.Lookup("purge_at").Type != bson.TypeDateTime {
						t.Errorf("what stays holds more than what is needed, or is not looked at again: %s", text)
					}
				}
			})
		})
	}
}

// purgeDue is what the job does with a document.
func (s *service) purgeDue(id string) {
	s.t.Helper()
	now := s.clock.Now()
	ids, err := s.store.Unlocks.Purgeable(s.t.Context(), now, 10)
	if err != nil {
		s.t.Fatal(err)
	}
	unplanned, _, err := s.store.Unlocks.Unplanned(s.t.Context(), "", 10)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, due := range append(ids, unplanned...) {
		if _, err := s.Purge(s.t.Context(), due); err != nil {
			s.t.Fatal(err)
		}
	}
	if ids, err = s.store.Unlocks.Purgeable(s.t.Context(), now, 10); err != nil || len(ids) > 0 {
		s.t.Fatalf("%q are due still, %v: the job would not end", ids, err)
	}
}

// TestRetention_askedMeanwhile has somebody ask for a link while the document is being deleted: they get one.
func TestRetention_askedMeanwhile(t *testing.T) {
	onEveryStore(t, func(t *testing.T, s *service) {
		for range 50 {
			s.ask(nobodys, s.next())
			s.clock.Advance(25 * time.Hour)
			done := make(chan error)
			go func() {
				_, err := s.Purge(t.Context(), affiliate.Hash(s.vault, nobodys))
				done <- err
			}()
			if res := s.ask(nobodys, s.next()); !res.Granted {
				t.Fatal("the request was refused")
			}
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if n := len(s.document(nobodys).Asks); n != 1 {
				t.Fatalf("%d requests are counted, want the one that was granted", n)
			}
			s.clock.Advance(25 * time.Hour)
			s.purge(nobodys)
		}
	})
}

// owedForEver is a promise that nobody keeps.
func owedForEver() []bot.Promise {
	return []bot.Promise{{ID: "p", What: bot.MailNotice{Topic: "unlocked"}, Attempt: "a"}}
}
