package unlock

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"llave/bot"
)

// What the file of a case says of it. A version before wrote "voided after use" where it locked nothing.
const (
	BeforeUse    = "voided before use"
	AfterUse     = "taken back after use"        // the record was locked again
	Overtaken    = "a later link was used since" // and the record left as that one made it
	OvertakenKey = "a later link was used since, its key taken back"
)

// Disowned is what "No fui yo" came to.
type Disowned struct {
	Ref     string        // of the case
	Used    bool          // the link had been used
	Locked  bool          // so the record is locked again; false: a later link was used since, which is not this one's to take back
	Dropped bool          // there was a key, which is no key any more
	New     bool          // by this press: no press before it had
	Hold    time.Duration // for how long yet no letter goes to the record
	Chat                  // that the letter was of
}

// LookNotMe says whether the "No fui yo" link is known and works: ErrUnknown, ErrExpired; and of which chat its letter was. It
// changes nothing.
func (s *Service) LookNotMe(ctx context.Context, token string) (Chat, error) {
	now, err := s.Now(ctx)
	if err != nil {
		return Chat{}, fmt.Errorf("read the store's clock: %w", err)
	}
	t := cutToken(token)
	d, err := s.byNotMe(ctx, t)
	if err != nil {
		return Chat{}, err
	}
	_, chat, err := s.disowned(d, t, now)
	return chat, err
}

// byNotMe is the document whose letters' "No fui yo" begin so.
func (s *Service) byNotMe(ctx context.Context, t token) (*Document, error) {
	d, err := s.findBy(ctx, "live.not_me", t, s.hashNotMe)
	if err != nil {
		return nil, fmt.Errorf("find link: %w", err)
	}
	if d == nil {
		return nil, ErrUnknown
	}
	return d, nil
}

// disowned are the attempts that the "No fui yo" of a letter is about, the newest first: the letter's own; and the chat it was of. A letter of a
// version before bears no tag: its token is for every attempt that such a version made, as it was then, and for no other.
func (s *Service) disowned(d *Document, t token, now time.Time) (own []*Attempt, chat Chat, err error) {
	if d.Live == nil || !t.is(d.Live.NotMe, s.hashNotMe) {
		return nil, Chat{}, ErrUnknown
	}
	for _, a := range d.all() {
		spoke, is := s.notMeLang(a, t.tag)
		if !is || a.Kind == KindDecoy {
			continue
		}
		if len(own) == 0 {
			chat = Chat{Channel: a.channel(spoke), Lang: spoke}
		}
		if now.Before(a.notMeEnds()) {
			own = append(own, a)
		}
	}
	if len(own) == 0 {
		return nil, chat, ErrExpired
	}
	return own, chat, nil
}

// NotMe takes back what the letter's attempt did, whenever within seven days it is pressed (P206). Before use: the link is
// void. After it: the key pass is void, the record is locked again, and the key that is there is dropped, unless a later attempt
// unlocked the record or made a key since; the owner is written to. In all cases what is open besides is void, a link that lives and
// a key pass that made no key, no letter goes to the record for a time, and a case is opened. The chat that asked hears nothing:
// its own clock says that the link has ended. Pressing again finds the same case and changes nothing, whatever the record has
// become since. It returns once the record is locked. ErrUnknown and ErrExpired are as in LookNotMe.
func (s *Service) NotMe(ctx context.Context, token string) (Disowned, error) {
	t := cutToken(token)
	found, err := s.byNotMe(ctx, t)
	if err != nil {
		return Disowned{}, err
	}
	ctx, span, turn := s.join(ctx, found, found.Live, found.Live.asker(), "no fui yo")
	defer span.End()
	var out Disowned
	var own []*Attempt
	var chat Chat
	var happened steps
	var first bool
	d, err := s.change(ctx, found.ID, func(d *Document, now time.Time) error {
		happened, first = nil, false
		was := d.Live.open()
		var err error
		if own, chat, err = s.disowned(d, t, now); err != nil {
			return err
		}
		newest := own[0]
		ref := cmp.Or(newest.Case, bot.Ref("N", s.Vault.Hash("ref", newest.ID)))
		fresh := slices.DeleteFunc(slices.Clone(own), func(a *Attempt) bool { return a.Case != "" })
		if len(fresh) == 0 {
			out = s.came(d, own, ref, now)
			return errUnchanged
		}
		d.trace = turn
		s.owe(d, newest, now, "not_me/", bot.MailWarning{Ref: ref})
		for _, a := range fresh {
			s.takeBack(d, a, ref, now)
		}
		for _, a := range d.all() {
			if open := a.Redeemed.IsZero() || a.KeyMade.IsZero() && now.Before(a.keyPassEnds()); open && a.Voided.IsZero() && a.Kind != KindDecoy && !a.overtakes(newest) {
				a.Voided, a.Case = now, ref
			}
		}
		if was && !d.Live.open() {
			happened.add(d.Live, StepDisowned, 0)
		}
		d.Hold = now.Add(s.Hold)
		d.purgeBy(d.Hold)
		out = s.came(d, own, ref, now)
		s.disownedBy(d, newest, out, now)
		first = true
		return nil
	})
	out.Chat = chat
	if err != nil {
		return out, err
	}
	out.New = first
	s.tellSteps(happened)
	for _, a := range own {
		if err := s.Lock(ctx, d.ID, a.ID); err != nil {
			return out, fmt.Errorf("lock record: %w", err)
		}
	}
	s.Kick(d.ID)
	return out, nil
}

// came is what became of attempts that were taken back: of all that the same case took back with them.
func (s *Service) came(d *Document, own []*Attempt, ref string, now time.Time) Disowned {
	out := Disowned{Ref: ref, Hold: max(0, d.Hold.Sub(now))}
	for _, a := range own {
		out.Used = out.Used || !a.Redeemed.IsZero()
	}
	for _, a := range d.all() {
		if a.Case == ref {
			out.Locked = out.Locked || !a.Revoked.IsZero()
			out.Dropped = out.Dropped || a.Dropped
		}
	}
	return out
}

// takeBack voids an attempt, and what was done with it, under the number of a case.
func (s *Service) takeBack(d *Document, a *Attempt, ref string, now time.Time) {
	a.Voided, a.Case = now, ref
	s.tell(d, a, now, bot.SignalLinkVoided, "")
	if a.Redeemed.IsZero() {
		return
	}
	lock := a.Sealed != "" && !d.overtaken(a) // a version before kept the number for a few minutes only
	if d.Key != "" && (d.KeyAt.Equal(a.KeyMade) || lock && now.Sub(d.KeyAt) < notMeLife) {
		d.Key, d.KeyAt, a.Dropped = "", time.Time{}, true
	}
	if lock {
		a.Revoked = now
		d.purgeBy(a.notMeEnds())
		s.owe(d, a, now, "/", bot.Lock{})
	}
}

// disownedBy owes what follows once: the case, the owner's letter, and what the institution's programs are told.
func (s *Service) disownedBy(d *Document, newest *Attempt, came Disowned, now time.Time) {
	body := BeforeUse
	switch {
	case came.Locked:
		body = AfterUse
		s.owe(d, newest, now, "/", bot.MailRevoked{Dropped: came.Dropped})
	case came.Dropped:
		body = OvertakenKey
	case came.Used:
		body = Overtaken
	}
	s.owe(d, newest, now, "not_me/", bot.KeepFile{Topic: "not_me", Ref: came.Ref, Conv: newest.asker(), Body: body})
	if came.Locked || came.Dropped {
		s.announce(d, newest, now, bot.ToldRevoked, came.Ref)
	}
	s.announce(d, newest, now, bot.ToldDisowned, came.Ref)
}
