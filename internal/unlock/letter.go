package unlock

import (
	"context"
	"fmt"
	"time"

	"llave/bot"
	"llave/internal/affiliate"
)

// Letter is what a link's mail is made of.
type Letter struct {
	Decoy   bool // nothing is mailed; the mail server is only asked whether it is there
	Kind    Kind
	Want    Want
	To      string
	Token   string
	NotMe   string
	Channel string        // of the chat that asked for it
	Asked   time.Time     // when it did
	Life    time.Duration // what the link still lives from its arrival
}

// Letter returns what to mail for the promise of a link to the conversation [conv], or ErrOver when the link is worth nothing
// any more. Asked again for the promise whose letter started the link's life, it is the same letter. A promise of an older
// version names no conversation: its letter bears the first one's link.
func (s *Service) Letter(ctx context.Context, p bot.Promise, conv string) (Letter, error) {
	d, err := s.Documents.Load(ctx, p.Record)
	if err != nil {
		return Letter{}, fmt.Errorf("load unlock document: %w", err)
	}
	now, err := s.Now(ctx)
	if err != nil {
		return Letter{}, fmt.Errorf("read the store's clock: %w", err)
	}
	a := d.Live
	if a == nil || a.ID != p.Attempt || !a.Lives(now, s.Limits.LinkTTL) {
		return Letter{}, ErrOver
	}
	arrives := now
	if !a.Accepted.IsZero() && a.First == p.ID {
		arrives = a.Accepted // we died before we could note that it need not be sent again
	}
	l := Letter{Kind: a.Kind, Want: a.Want, Channel: a.Channel, Asked: a.Asked, Life: min(s.Limits.LinkTTL, a.Ends(s.Limits.LinkTTL).Sub(arrives))}
	rec, err := s.find(ctx, a.Sealed)
	if err != nil {
		return Letter{}, err
	}
	if a.Kind == KindDecoy || d.held(now) || !affiliate.ValidEmail(rec.Email) {
		l.Decoy = true
		return l, nil
	}
	l.To, l.Token, l.NotMe = rec.Email, s.linkToken(a, conv), s.notMeToken(a)
	if conv != "" {
		l.Channel, _ = bot.SplitConversationID(conv)
		l.Asked = p.Made
	}
	return l, nil
}

// Accepted notes that the mail server took a promise's letter, which starts the link's life the first time, and returns
// when the link ends.
func (s *Service) Accepted(ctx context.Context, p bot.Promise) (ends time.Time, err error) {
	_, err = s.change(ctx, p.Record, func(d *Document, now time.Time) error {
		if d.Live == nil || d.Live.ID != p.Attempt {
			return ErrOver
		}
		ends = d.Live.Ends(s.Limits.LinkTTL)
		if !d.Live.Accepted.IsZero() {
			return errUnchanged
		}
		d.Live.Accepted, d.Live.First = now, p.ID
		ends = d.Live.Ends(s.Limits.LinkTTL)
		if d.Live.Redeemed.IsZero() {
			d.PurgeAt = ends
		}
		return nil
	})
	return ends, err
}

// Refused notes that the mailbox refused a promise's letter for good and returns the moment at which a link accepted now
// would end.
func (s *Service) Refused(ctx context.Context, p bot.Promise) (ends time.Time, err error) {
	_, err = s.change(ctx, p.Record, func(d *Document, now time.Time) error {
		if d.Live == nil || d.Live.ID != p.Attempt {
			return ErrOver
		}
		as := *d.Live
		as.Accepted = now
		ends = as.Ends(s.Limits.LinkTTL)
		if !d.Live.Refused.IsZero() || !d.Live.Accepted.IsZero() {
			return errUnchanged
		}
		d.Live.Refused = now
		return nil
	})
	return ends, err
}
