package unlock_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"llave/bot"
	"llave/internal/affiliate"
	"llave/internal/unlock"
)

func (s *service) disown(token string) unlock.Disowned {
	s.t.Helper()
	d, err := s.NotMe(s.t.Context(), token)
	if err != nil {
		s.t.Fatalf("No fui yo: %v", err)
	}
	return d
}

func (s *service) purge(number string) {
	s.t.Helper()
	if _, err := s.Purge(s.t.Context(), s.document(number).ID); err != nil {
		s.t.Fatal(err)
	}
}

func (s *service) makesKey(pass string) {
	s.t.Helper()
	if problems, err := s.MakeKey(s.t.Context(), pass, goodKey); err != nil || len(problems) > 0 {
		s.t.Fatalf("the key: got %v, %v, want it made", problems, err)
	}
}

// isDecoy says whether nothing is mailed to who asks now.
func (s *service) isDecoy(number string) bool {
	s.t.Helper()
	res := s.ask(number, s.next())
	if !res.Granted {
		s.t.Fatal("asking: got a refusal, want a mail or a decoy")
	}
	l, err := s.Letter(s.t.Context(), promise(s.document(number).ID, res.Attempt), "telegram:1")
	if err != nil {
		s.t.Fatalf("the letter: %v", err)
	}
	return l.Decoy
}

// "No fui yo" takes back what its letter led to, whenever it is pressed (P206): before the link was used, once it was, once a
// key was made; at once, and on the last of the seven days.
func TestNotMe_inAllItsTimes(t *testing.T) {
	for _, late := range []time.Duration{0, time.Hour, 7*24*time.Hour - time.Minute} {
		for _, number := range []string{locked, active} {
			for _, used := range []bool{false, true} {
				for _, made := range []bool{false, true} {
					if made && !used {
						continue
					}
					t.Run(fmt.Sprintf("%s later, %s, used %t, made %t", late, number, used, made), func(t *testing.T) {
						onEveryStore(t, func(t *testing.T, s *service) {
							s.set(active, affiliate.Active)
							before := s.status(number)
							l := s.link(number)
							var pass string
							if used {
								pass = s.redeem(l.Token, "n").KeyPass
							}
							if made {
								s.makesKey(pass)
							}
							s.kept(number)
							for range 12 { // the job that cleans up comes by meanwhile
								s.clock.Advance(late / 12)
								s.purge(number)
							}
							looked := s.document(number).Version
							if _, err := s.LookNotMe(t.Context(), l.NotMe); err != nil {
								t.Fatalf("the page: %v", err)
							}
							if s.document(number).Version != looked {
								t.Error("looking changed something")
							}
							d := s.disown(l.NotMe)
							if d.Ref == "" || d.Used != used || d.Locked != used || d.Dropped != made || d.Hold != hold {
								t.Errorf("got %+v, want a case, locked %t, the key dropped %t, hold %s", d, used, made, hold)
							}
							want := before
							if used {
								want = affiliate.Locked
							}
							if got := s.status(number); got != want {
								t.Errorf("the record is %s, want %s", got, want)
							}
							if doc := s.document(number); doc.Key != "" || !doc.KeyAt.IsZero() {
								t.Error("the key that was made is still a key")
							}
							owed := s.owed(number)
							for _, duty := range []struct {
								what string
								want bool
							}{{"file", true}, {"warning", true}, {"lock", used}, {"revoked", used}} {
								if got := slices.Contains(owed, duty.what); got != duty.want {
									t.Errorf("%s is owed: got %t, want %t (%q)", duty.what, got, duty.want, owed)
								}
							}
							version := s.document(number).Version
							if !d.New {
								t.Error("the first press is not new")
							}
							d.New = false // what the second one finds
							if again := s.disown(l.NotMe); again != d || s.document(number).Version != version {
								t.Errorf("pressed again: got %+v and a write, want %+v and none", again, d)
							}
							if late == 0 {
								if _, err := s.Look(t.Context(), l.Token, "n"); err == nil {
									t.Error("the link still works")
								}
								if _, err := s.KeyPass(t.Context(), pass); !errors.Is(err, unlock.ErrKeyPass) {
									t.Errorf("the key pass: got %v, want %v", err, unlock.ErrKeyPass)
								}
							}
							// Whoever makes the record active late does not undo it.
							if err := s.Activate(t.Context(), s.document(number).ID, s.document(number).Live.ID); used && (err != nil || s.status(number) != want) {
								t.Errorf("a late activation: got %v, the record is %s, want %s", err, s.status(number), want)
							}
							if o, err := s.Owner(t.Context(), s.document(number).ID, s.document(number).Live.ID); used && (err != nil || o.Email == "") {
								t.Errorf("the owner's letter: got %q, %v, want an address", o.Email, err)
							}
						})
					})
				}
			}
		}
	}
}

const hold = 24 * time.Hour

// For a time no letter goes to the record, whoever asks; nothing that the chat sees is another.
func TestNotMe_holds(t *testing.T) {
	onEveryStore(t, func(t *testing.T, s *service) {
		l := s.link(locked)
		s.disown(l.NotMe)
		if !s.isDecoy(locked) {
			t.Error("asked for again at once: a letter goes, want none")
		}
		s.clock.Advance(hold - time.Second)
		if !s.isDecoy(locked) {
			t.Error("at the end of the hold: a letter goes, want none")
		}
		s.clock.Advance(10 * time.Minute)
		if s.isDecoy(locked) {
			t.Error("after it: no letter goes, want one")
		}
		if again := s.disown(l.NotMe); again.Ref == "" {
			t.Error("the first letter's \"No fui yo\", after two others were asked for: got no case")
		}
	})
}

// A link that another chat was sent just now is void too, and a letter that was on its way carries nothing; the word of that
// letter finds the same case.
func TestNotMe_theOtherLink(t *testing.T) {
	onEveryStore(t, func(t *testing.T, s *service) {
		first := s.link(locked)
		s.clock.Advance(11 * time.Minute)
		second := s.link(locked)
		res := s.ask(locked, s.next())
		d := s.disown(first.NotMe)
		if _, err := s.Redeem(t.Context(), second.Token, "n"); !errors.Is(err, unlock.ErrExpired) {
			t.Errorf("the second link: got %v, want %v", err, unlock.ErrExpired)
		}
		if l, err := s.Letter(t.Context(), promise(s.document(locked).ID, res.Attempt), "telegram:1"); err != nil || !l.Decoy {
			t.Errorf("a letter on its way: got %+v, %v, want that nothing is mailed", l, err)
		}
		if got := s.disown(second.NotMe); got.Ref != d.Ref {
			t.Errorf("the second letter's word: got case %s, want %s", got.Ref, d.Ref)
		}
	})
}

// It is for its own attempt: where the owner has been through it again since, with a link of their own, the record stays as it
// is and so does their key.
func TestNotMe_ownAttempt(t *testing.T) {
	onEveryStore(t, func(t *testing.T, s *service) {
		strangers := s.link(locked)
		s.makesKey(s.redeem(strangers.Token, "stranger").KeyPass)
		s.kept(locked)
		s.clock.Advance(time.Hour)
		s.purge(locked)
		owners := s.link(locked)
		s.makesKey(s.redeem(owners.Token, "owner").KeyPass)
		key := s.document(locked).Key
		if d := s.disown(strangers.NotMe); d.Locked || d.Ref == "" {
			t.Errorf("got %+v, want a case and nothing locked", d)
		}
		if s.status(locked) != affiliate.Active || s.document(locked).Key != key {
			t.Errorf("the record is %s, want active with the owner's key", s.status(locked))
		}
		if d := s.disown(owners.NotMe); !d.Locked || s.status(locked) != affiliate.Locked || s.document(locked).Key != "" {
			t.Errorf("of their own letter: got %+v, the record is %s, want it locked without a key", d, s.status(locked))
		}
	})
}

// What the institution decided stays, and a chat that waits hears nothing of it but a signal that only the desk hears.
func TestNotMe_leaves(t *testing.T) {
	onEveryStore(t, func(t *testing.T, s *service) {
		l := s.link(locked)
		s.redeem(l.Token, "n")
		s.set(locked, affiliate.Suspended)
		s.disown(l.NotMe)
		if got := s.status(locked); got != affiliate.Suspended {
			t.Errorf("the record is %s, want suspended", got)
		}
		if got := hears(s.document(locked), bot.SignalLinkVoided); len(got) != 1 {
			t.Errorf("told: %q, want the chat whose link was used", got)
		}
	})
}

// After seven days it works no more, and what it was kept for is gone.
func TestNotMe_late(t *testing.T) {
	onEveryStore(t, func(t *testing.T, s *service) {
		l := s.link(locked)
		s.makesKey(s.redeem(l.Token, "n").KeyPass)
		s.kept(locked)
		s.clock.Advance(7 * 24 * time.Hour)
		if _, err := s.NotMe(t.Context(), l.NotMe); !errors.Is(err, unlock.ErrExpired) {
			t.Errorf("got %v, want %v", err, unlock.ErrExpired)
		}
		s.purge(locked)
		if _, err := s.NotMe(t.Context(), l.NotMe); !errors.Is(err, unlock.ErrUnknown) {
			t.Errorf("once it was cleaned up: got %v, want %v", err, unlock.ErrUnknown)
		}
		if doc := s.document(locked); doc.Live != nil || len(doc.Used) > 0 || doc.Key == "" {
			t.Errorf("got %+v, want the key alone", doc)
		}
		if s.status(locked) != affiliate.Active {
			t.Errorf("the record is %s, want active", s.status(locked))
		}
	})
}

// A letter of the version before bears no tag: it takes back whatever such a version did, and nothing of this one's.
func TestNotMe_ofAnOlderVersion(t *testing.T) {
	onEveryStore(t, func(t *testing.T, s *service) {
		l, old := s.olderVersion(s.link(locked))
		d := s.document(locked)
		d.Live.Tagged = false
		if err := s.store.Unlocks.Save(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		s.makesKey(s.redeem(l.Token, "n").KeyPass)
		s.kept(locked)
		s.clock.Advance(time.Hour)
		newer := s.link(locked)
		if got := s.disown(old); !got.Locked || s.status(locked) != affiliate.Locked {
			t.Errorf("got %+v, the record is %s, want it locked", got, s.status(locked))
		}
		if _, err := s.NotMe(t.Context(), newer.NotMe[:22]+"AAAAAAAA"); !errors.Is(err, unlock.ErrExpired) {
			t.Errorf("a tag of nothing: got %v, want %v", err, unlock.ErrExpired)
		}
	})
}

// A letter cut to what all of the document's begin with is nobody's word: an old letter never takes back what another led to.
func TestNotMe_cut(t *testing.T) {
	onEveryStore(t, func(t *testing.T, s *service) {
		old := s.link(locked).NotMe
		for range 3 { // asked for again so often that the beginning stays the same
			s.clock.Advance(6 * 24 * time.Hour)
			s.link(locked)
			s.purge(locked)
		}
		l := s.link(locked)
		s.makesKey(s.redeem(l.Token, "owner").KeyPass)
		for _, token := range []string{old, old[:22], l.NotMe[:22]} {
			if d, err := s.NotMe(t.Context(), token); !errors.Is(err, unlock.ErrExpired) {
				t.Errorf("got %+v, %v, want %v", d, err, unlock.ErrExpired)
			}
		}
		if s.status(locked) != affiliate.Active || s.document(locked).Key == "" {
			t.Errorf("the record is %s, want active with its key", s.status(locked))
		}
	})
}

// What the office decides after the press stays, however often the page is loaded again or its promise kept late.
func TestNotMe_thenTheOffice(t *testing.T) {
	onEveryStore(t, func(t *testing.T, s *service) {
		l := s.link(locked)
		s.redeem(l.Token, "n")
		s.kept(locked)
		first := s.disown(l.NotMe)
		s.kept(locked)
		s.set(locked, affiliate.Active)
		first.New = false
		if again := s.disown(l.NotMe); again != first || s.status(locked) != affiliate.Active {
			t.Errorf("loaded again: got %+v, the record is %s, want %+v and active", again, s.status(locked), first)
		}
		d := s.document(locked)
		if err := s.Lock(t.Context(), d.ID, d.Live.ID); err != nil || s.status(locked) != affiliate.Active {
			t.Errorf("locked late: got %v, the record is %s, want active", err, s.status(locked))
		}
	})
}

// A stranger who has pressed the button of a second link, without making a key, does not shield the record with it; and nothing
// that is open is left.
func TestNotMe_shield(t *testing.T) {
	onEveryStore(t, func(t *testing.T, s *service) {
		first := s.link(locked)
		s.makesKey(s.redeem(first.Token, "stranger").KeyPass)
		s.clock.Advance(time.Minute)
		second := s.link(locked)
		pass := s.redeem(second.Token, "stranger").KeyPass
		if d := s.disown(first.NotMe); !d.Locked || !d.Dropped || s.status(locked) != affiliate.Locked {
			t.Errorf("got %+v, the record is %s, want it locked without a key", d, s.status(locked))
		}
		if _, err := s.MakeKey(t.Context(), pass, goodKey); !errors.Is(err, unlock.ErrKeyPass) {
			t.Errorf("the second link's key pass: got %v, want %v", err, unlock.ErrKeyPass)
		}
	})
}

// The word of the newest letter takes back a key of the one before, too: the record is locked without a key.
func TestNotMe_keyOfTheLetterBefore(t *testing.T) {
	onEveryStore(t, func(t *testing.T, s *service) {
		first := s.link(locked)
		s.makesKey(s.redeem(first.Token, "stranger").KeyPass)
		s.clock.Advance(time.Minute)
		second := s.link(locked)
		s.redeem(second.Token, "stranger")
		if d := s.disown(second.NotMe); !d.Locked || !d.Dropped || s.document(locked).Key != "" {
			t.Errorf("got %+v, key %t, want it locked without a key", d, s.document(locked).Key != "")
		}
	})
}

// A turn that is done again, because its commit failed, may find another number in the chat. The link of the one record is none of
// the other's.
func TestReserve_oneTurnTwoRecords(t *testing.T) {
	onEveryStore(t, func(t *testing.T, s *service) {
		s.set(active, affiliate.Locked)
		theirs, mine := s.ask(locked, "turn/1"), s.ask(active, "turn/1")
		if theirs.Attempt == mine.Attempt {
			t.Fatal("two records have one attempt")
		}
		l, err := s.Letter(t.Context(), promise(s.document(active).ID, mine.Attempt), "")
		if err != nil {
			t.Fatal(err)
		}
		s.redeem(l.Token, "n")
		if s.status(locked) != affiliate.Locked || s.status(active) != affiliate.Active {
			t.Errorf("the other's record is %s, mine %s, want locked and active", s.status(locked), s.status(active))
		}
	})
}

// dying is a store that stops at its so many-th call: the call is not done, or only its answer is lost.
type dying struct {
	unlock.Documents
	unlock.Affiliates
	left int
	done bool
}

var errDied = errors.New("the process died")

func (d *dying) call(do func() error) error {
	if d.left--; d.left > 0 {
		return do()
	}
	if d.left == 0 && d.done {
		_ = do() // its answer is lost
	}
	return errDied
}

func (d *dying) Save(ctx context.Context, doc *unlock.Document) error {
	return d.call(func() error { return d.Documents.Save(ctx, doc) })
}

func (d *dying) Load(ctx context.Context, id string) (doc *unlock.Document, err error) {
	err = d.call(func() (err error) { doc, err = d.Documents.Load(ctx, id); return err })
	return doc, err
}

func (d *dying) SetStatus(ctx context.Context, rec affiliate.Record, to affiliate.Status) error {
	return d.call(func() error { return d.Affiliates.SetStatus(ctx, rec, to) })
}

// The process dies at any call of "No fui yo". Whoever presses it again, or only what is owed, has the record locked without a key,
// under one case.
func TestNotMe_dies(t *testing.T) {
	died := 0
	for n := 1; n < 12; n++ {
		for _, done := range []bool{false, true} {
			onEveryStore(t, func(t *testing.T, s *service) {
				l := s.link(locked)
				s.makesKey(s.redeem(l.Token, "n").KeyPass)
				s.kept(locked)
				o := s.Options
				d := &dying{Documents: o.Documents, Affiliates: o.Affiliates, left: n, done: done}
				o.Documents, o.Affiliates = d, d
				if _, err := unlock.New(o).NotMe(t.Context(), l.NotMe); err != nil {
					died++
				}
				if doc := s.document(locked); len(doc.Promises) == 0 { // the owner saw that it did not work
					s.disown(l.NotMe)
				} else if err := s.Lock(t.Context(), doc.ID, doc.Live.ID); err != nil { // the runner's part
					t.Fatal(err)
				}
				if s.status(locked) != affiliate.Locked || s.document(locked).Key != "" {
					t.Errorf("died at call %d, done %t: the record is %s", n, done, s.status(locked))
				}
				first := s.owed(locked)
				if s.disown(l.NotMe); !slices.Equal(s.owed(locked), first) {
					t.Errorf("died at call %d, done %t: pressed again, %q is owed, was %q", n, done, s.owed(locked), first)
				}
			})
		}
	}
	if died < 8 {
		t.Errorf("it died %d times: nothing was shown", died)
	}
}
