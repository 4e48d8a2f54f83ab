package unlock

import (
	"cmp"
	"context"
	"crypto/subtle"
	"fmt"
	"slices"
	"time"

	"llave/bot"
)

// What the file of a case says of it.
const (
	BeforeUse = "voided before use"
	AfterUse  = "voided after use" // and the record was locked again
)

// Disowned is what "No fui yo" came to.
type Disowned struct {
	Ref    string        // of the case
	Locked bool          // the link had been used: the record is locked again, and the key that was made is no key any more
	Hold   time.Duration // how long no letter goes to the record from the first press on
}

// LookNotMe says whether the "No fui yo" link is known and works: ErrUnknown, ErrExpired. It changes nothing.
func (s *Service) LookNotMe(ctx context.Context, token string) error {
	now, err := s.Now(ctx)
	if err != nil {
		return fmt.Errorf("read the store's clock: %w", err)
	}
	base, tag := cutToken(token)
	d, err := s.byNotMe(ctx, base)
	if err != nil {
		return err
	}
	_, err = s.disowned(d, base, tag, now)
	return err
}

// byNotMe is the document whose letters' "No fui yo" begin so.
func (s *Service) byNotMe(ctx context.Context, base string) (*Document, error) {
	d, err := s.Documents.FindBy(ctx, "live.not_me", s.hashNotMe(base))
	if err != nil {
		return nil, fmt.Errorf("find link: %w", err)
	}
	if d == nil {
		return nil, ErrUnknown
	}
	return d, nil
}

// disowned are the attempts that the "No fui yo" of a letter is about, the newest first: the letter's own. A letter of a version
// before bears no tag: its word is for every attempt that such a version made, as it was then, else for the newest.
func (s *Service) disowned(d *Document, base, tag string, now time.Time) ([]*Attempt, error) {
	if d.Live == nil || d.Live.NotMe != s.hashNotMe(base) {
		return nil, ErrUnknown
	}
	var mailed, own, before []*Attempt
	for _, a := range append([]*Attempt{d.Live}, newestFirst(d.Used)...) {
		if a.Kind == KindDecoy || !now.Before(a.notMeEnds()) {
			continue
		}
		mailed = append(mailed, a)
		if !a.Tagged {
			before = append(before, a)
		}
		if subtle.ConstantTimeCompare([]byte(tag), []byte(s.notMeTag(a))) == 1 {
			own = append(own, a)
		}
	}
	switch {
	case len(own) > 0:
		return own, nil
	case tag != "" || len(mailed) == 0:
		return nil, ErrExpired
	case len(before) > 0:
		return before, nil
	}
	return mailed[:1], nil
}

func newestFirst(attempts []Attempt) []*Attempt {
	var all []*Attempt
	for i := range attempts {
		all = append(all, &attempts[len(attempts)-1-i])
	}
	return all
}

// NotMe takes back what the letter's attempt did, whenever within seven days it is pressed (P206). Before use: the link is
// void. After it: the key pass is void, the record is locked again, and the key that was made is dropped, unless a later attempt
// was used since; the owner is written to. In all cases a link that lives and was not used is void, no letter goes to the record
// for a time, and a case is opened. The chat that asked hears nothing: its own clock says that the link has ended. Pressing again
// finds the same case. It returns once the record is locked. ErrUnknown and ErrExpired are as in LookNotMe.
func (s *Service) NotMe(ctx context.Context, token string) (Disowned, error) {
	base, tag := cutToken(token)
	found, err := s.byNotMe(ctx, base)
	if err != nil {
		return Disowned{}, err
	}
	out := Disowned{Hold: s.Hold}
	var attempts []*Attempt
	d, err := s.change(ctx, found.ID, func(d *Document, now time.Time) error {
		var err error
		if attempts, err = s.disowned(d, base, tag, now); err != nil {
			return err
		}
		newest := attempts[0]
		out.Ref, out.Locked = cmp.Or(newest.Case, bot.Ref("N", s.Vault.Hash("ref", newest.ID))), false
		again := !newest.Voided.IsZero()
		if l := d.Live; l.Redeemed.IsZero() && l.Kind != KindDecoy && !slices.Contains(attempts, l) {
			attempts = append(attempts, l) // as no letter may go, none that went just now may be used
		}
		for _, a := range attempts {
			if a.Voided.IsZero() {
				s.takeBack(d, a, out.Ref, now)
			}
			out.Locked = out.Locked || !a.Revoked.IsZero()
		}
		if again {
			return errUnchanged
		}
		d.Hold = now.Add(s.Hold)
		body := BeforeUse
		if out.Locked {
			body = AfterUse
		}
		s.owe(d, newest, now, "not_me/", bot.KeepFile{Topic: "not_me", Ref: out.Ref, Conv: newest.asker(), Body: body})
		s.owe(d, newest, now, "not_me/", bot.MailWarning{Ref: out.Ref})
		s.announce(d, newest, now, "link.disowned", out.Ref)
		return nil
	})
	if err != nil {
		return Disowned{}, err
	}
	for _, a := range attempts {
		if err := s.Lock(ctx, d.ID, a.ID); err != nil {
			return Disowned{}, fmt.Errorf("lock record: %w", err)
		}
	}
	s.Kick(d.ID)
	return out, nil
}

// takeBack voids an attempt, and what was done with it, under the number of a case.
func (s *Service) takeBack(d *Document, a *Attempt, ref string, now time.Time) {
	a.Voided, a.Case = now, ref
	s.tell(d, a, now, bot.SignalLinkVoided, "")
	if a.Redeemed.IsZero() {
		return
	}
	if !a.KeyMade.IsZero() && d.KeyAt.Equal(a.KeyMade) {
		d.Key, d.KeyAt = "", time.Time{}
	}
	if d.overtaken(a) {
		return
	}
	a.Revoked = now
	d.purgeBy(a.notMeEnds())
	s.owe(d, a, now, "/", bot.Lock{})
	s.owe(d, a, now, "revoked/", bot.MailNotice{Topic: "revoked"})
	s.announce(d, a, now, "key.revoked", ref)
}
