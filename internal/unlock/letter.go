package unlock

import (
	"context"
	"slices"
	"strings"
	"time"

	"llave/bot"
	"llave/internal/affiliate"
)

// Letter is what a link's mail is made of.
type Letter struct {
	Decoy   bool // nothing is mailed; the mail server is only asked whether it is there
	Sent    bool // nor is it asked: it has accepted this letter before
	Kind    Kind
	Want    Want
	To      string
	Token   string
	NotMe   string
	Channel string        // of the chat that asked for it
	Lang    string        // in which it asked
	Asked   time.Time     // when it did
	Life    time.Duration // what the link still lives from its arrival
	Return  string        // local part of its return address; a decoy has one too
}

// Letter returns what to mail for the promise of a link to the conversation [conv], or ErrOver when that has used it, or nothing
// is known of it any more. Where another has, or the owner said that it was not them, nothing is mailed, and for the chat the
// link ends at the usual time. Asked again for a promise whose letter was accepted it is none. A promise of an older version
// names no conversation: its letter bears the first one's link.
func (s *Service) Letter(ctx context.Context, p bot.Promise, conv string) (Letter, error) {
	d, now, err := s.load(ctx, p.Record)
	if err != nil {
		return Letter{}, err
	}
	a := d.attempt(p.Attempt)
	conv = s.as(a, conv)
	switch {
	case a == nil, a.By == conv && conv != "":
		return Letter{}, ErrOver
	case d.sent(p):
		return Letter{Sent: true}, nil
	case a != d.Live, !a.Lives(now, s.Limits.LinkTTL):
		return Letter{Decoy: true, Return: s.returnOf(d, a, "", conv, d.askedAt(p))}, nil // its owner, or another chat, has ended it: here it ends in its time
	}
	as := *a
	if s.Uniform { // the chat says that it lasts as long as ever
		as.Accepted = now
	}
	l := Letter{Kind: a.Kind, Want: a.Want, Channel: a.Channel, Asked: a.Asked, Life: min(s.Limits.LinkTTL, as.Ends(s.Limits.LinkTTL).Sub(now))}
	rec, err := s.find(ctx, d, a)
	if err != nil {
		return Letter{}, err
	}
	l.Return = s.returnOf(d, a, rec.Email, conv, d.askedAt(p))
	if a.Kind == KindDecoy || d.held(now) || !affiliate.ValidEmail(rec.Email) {
		l.Decoy = true
		return l, nil
	}
	if what, _ := p.What.(bot.MailLink); slices.Contains(a.langs(), what.Lang) { // else a version before has dropped it, and its tag is nobody's
		l.Lang = what.Lang
	}
	l.To, l.Token, l.NotMe = rec.Email, s.linkToken(a, conv), s.notMeToken(a, l.Lang)
	if conv != "" {
		l.Channel, _ = bot.SplitConversationID(conv)
		l.Asked = p.Made
	}
	return l, nil
}

// Accepted notes that the mail server took a promise's letter, which starts the link's life the first time, and returns
// when the link ends for the chat: also where another, or the record's owner, has ended it meanwhile. ErrOver when the chat has
// used it itself, or nothing is known of it any more.
func (s *Service) Accepted(ctx context.Context, p bot.Promise) (ends time.Time, err error) {
	var happened steps
	_, err = s.change(ctx, p.Record, func(d *Document, now time.Time) error {
		happened = nil
		a := d.attempt(p.Attempt)
		if what, _ := p.What.(bot.MailLink); a == nil || a.By != "" && a.By == s.as(a, what.Conv) {
			return ErrOver
		}
		wrote := false
		for i := range d.Asks {
			if d.Asks[i].Turn == turnOf(p) && !d.Asks[i].Sent {
				d.Asks[i].Sent, wrote = true, true
			}
		}
		as := *a
		if begins := as.Accepted.IsZero() || s.Uniform && wrote; begins {
			as.Accepted = now
		}
		ends = as.Ends(s.Limits.LinkTTL)
		if a == d.Live && a.Accepted != as.Accepted && a.Redeemed.IsZero() && a.Voided.IsZero() {
			if a.Accepted.IsZero() {
				happened.add(a, StepAccepted, took(a.Asked, now))
			}
			a.Accepted, d.PurgeAt, wrote = now, ends, true
		}
		if !wrote {
			return errUnchanged
		}
		return nil
	})
	if err == nil {
		s.tellSteps(happened)
	}
	return ends, err
}

// turnOf is the key of the turn that promised a letter.
func turnOf(p bot.Promise) string { return strings.TrimSuffix(p.ID, "/"+string(bot.PromiseLink)) }

// askedAt is when a promise's letter was asked for.
func (d *Document) askedAt(p bot.Promise) time.Time {
	if i := slices.IndexFunc(d.Asks, func(a Asked) bool { return a.Turn == turnOf(p) }); i >= 0 {
		return d.Asks[i].At
	}
	return p.Made
}

// sent says whether the mail server has accepted the letter of a promise, which may be owed again: whoever repeats an update is not
// sent more letters than the limit counts.
func (d *Document) sent(p bot.Promise) bool {
	return slices.ContainsFunc(d.Asks, func(a Asked) bool { return a.Sent && a.Turn == turnOf(p) })
}

// Refused notes that the mailbox refused a promise's letter for good and returns the moment at which a link accepted now
// would end.
func (s *Service) Refused(ctx context.Context, p bot.Promise) (ends time.Time, err error) {
	var happened steps
	_, err = s.change(ctx, p.Record, func(d *Document, now time.Time) error {
		happened = nil
		if d.Live == nil || d.Live.ID != p.Attempt {
			return ErrOver
		}
		as := *d.Live
		as.Accepted = now
		ends = as.Ends(s.Limits.LinkTTL)
		if !d.Live.Refused.IsZero() || !d.Live.Accepted.IsZero() {
			return errUnchanged
		}
		if d.Live.open() {
			happened.add(d.Live, StepRefused, 0)
		}
		d.Live.Refused = now
		return nil
	})
	if err == nil {
		s.tellSteps(happened)
	}
	return ends, err
}
