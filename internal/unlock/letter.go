package unlock

import (
	"context"
	"fmt"
	"time"

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
	Channel string
	Asked   time.Time     // of this attempt
	Life    time.Duration // what the link still lives from its arrival
}

// Letter returns what to mail for an attempt, or ErrOver when the link is worth nothing any more.
func (s *Service) Letter(ctx context.Context, record, attempt string) (Letter, error) {
	r, err := s.Records.Load(ctx, record)
	if err != nil {
		return Letter{}, fmt.Errorf("load unlock record: %w", err)
	}
	now, err := s.Now(ctx)
	if err != nil {
		return Letter{}, fmt.Errorf("read the store's clock: %w", err)
	}
	a := r.Live
	if a == nil || a.ID != attempt || !a.Lives(now, s.Limits.LinkTTL) {
		return Letter{}, ErrOver
	}
	l := Letter{Kind: a.Kind, Want: a.Want, Channel: a.Channel, Asked: a.Asked, Life: min(s.Limits.LinkTTL, a.Ends(s.Limits.LinkTTL).Sub(now))}
	rec, err := s.find(ctx, a.Sealed)
	if err != nil {
		return Letter{}, err
	}
	if a.Kind == KindDecoy || !affiliate.ValidEmail(rec.Email) {
		l.Decoy = true
		return l, nil
	}
	l.To, l.Token, l.NotMe = rec.Email, s.linkToken(a.ID), s.notMeToken(a.notMe())
	return l, nil
}

// Accepted notes that the mail server took the letter, which starts the link's life the first time, and returns when
// the link ends.
func (s *Service) Accepted(ctx context.Context, record, attempt string) (ends time.Time, err error) {
	_, err = s.change(ctx, record, func(r *Record, now time.Time) error {
		if r.Live == nil || r.Live.ID != attempt {
			return ErrOver
		}
		ends = r.Live.Ends(s.Limits.LinkTTL)
		if !r.Live.Accepted.IsZero() {
			return errUnchanged
		}
		r.Live.Accepted = now
		ends = r.Live.Ends(s.Limits.LinkTTL)
		if r.Live.Redeemed.IsZero() {
			r.PurgeAt = ends
		}
		return nil
	})
	return ends, err
}

// Refused notes that the mailbox refused for good and returns the moment at which a link accepted now would end.
func (s *Service) Refused(ctx context.Context, record, attempt string) (ends time.Time, err error) {
	_, err = s.change(ctx, record, func(r *Record, now time.Time) error {
		if r.Live == nil || r.Live.ID != attempt {
			return ErrOver
		}
		as := *r.Live
		as.Accepted = now
		ends = as.Ends(s.Limits.LinkTTL)
		if !r.Live.Refused.IsZero() || !r.Live.Accepted.IsZero() {
			return errUnchanged
		}
		r.Live.Refused = now
		return nil
	})
	return ends, err
}
