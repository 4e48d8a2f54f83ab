package unlock

import (
	"context"
	"slices"
	"time"

	"llave/bot"
	"llave/internal/affiliate"
	"llave/internal/secret"
)

// Reserve gives the turn one mail of the number's live link, or says when to come back. Reserving twice for one turn
// is reserving once. What the record is decides what the attempt will be, and nothing the caller can see.
func (s *Service) Reserve(ctx context.Context, ask bot.Ask) (bot.Reservation, error) {
	rec, err := s.record(ctx, ask.Number)
	if err != nil {
		return bot.Reservation{}, err
	}
	kind := KindDecoy
	switch rec.Outcome() {
	case affiliate.CanUnlock:
		kind = KindUnlock
	case affiliate.CanGenerate:
		kind = KindGenerate
	}
	var res bot.Reservation
	var happened steps
	_, err = s.change(ctx, ask.Record, func(d *Document, now time.Time) error {
		res, happened = bot.Reservation{}, nil
		for _, a := range d.Asks {
			if a.Turn == ask.Turn {
				res.Granted, res.Attempt = true, a.Attempt
				if d.Live != nil && d.Live.ID == a.Attempt {
					res.Ends = d.Live.Ends(s.Limits.LinkTTL)
				} else {
					res.Ends = a.At
				}
				return errUnchanged
			}
		}
		d.Asks = slices.DeleteFunc(d.Asks, func(a Asked) bool { return now.Sub(a.At) >= s.Limits.PerDay })
		if at := s.retryAt(d.Asks, now); !at.IsZero() {
			res.RetryAt = at
			return errUnchanged
		}
		s.forgetBounced(d, rec)
		kind := kind
		if d.held(now) {
			kind = KindDecoy
		}
		if !d.Live.Lives(now, s.Limits.LinkTTL) || d.Live.Kind != kind && !d.held(now) {
			if old := d.Live; old.open() && !old.Lives(now, s.Limits.LinkTTL) {
				happened.add(old, StepExpired, 0)
			} else if old.open() {
				happened.add(old, StepReplaced, 0)
			}
			s.mint(d, ask, kind, now)
			happened.add(d.Live, StepMade, 0)
		}
		conv := s.as(d.Live, ask.Conv)
		if !slices.Contains(d.Live.Convs, conv) {
			d.Live.Convs = append(d.Live.Convs, conv)
		}
		d.Live.hears(conv, ask.Lang)
		d.Asks = append(d.Asks, Asked{Turn: ask.Turn, Trace: ask.Trace, Attempt: d.Live.ID, At: now})
		d.PurgeAt = d.Live.Ends(s.Limits.LinkTTL)
		res.Granted, res.Attempt, res.Ends = true, d.Live.ID, d.Live.Ends(s.Limits.LinkTTL)
		return nil
	})
	if err == nil {
		s.tellSteps(happened)
	}
	return res, err
}

// retryAt says when one more mail may be asked for; zero: now.
func (s *Service) retryAt(asks []Asked, now time.Time) time.Time {
	var at time.Time
	within := func(n int, window time.Duration) {
		if n <= 0 {
			return
		}
		recent := slices.DeleteFunc(slices.Clone(asks), func(a Asked) bool { return now.Sub(a.At) >= window })
		if len(recent) >= n {
			if free := recent[len(recent)-n].At.Add(window); free.After(at) {
				at = free
			}
		}
	}
	within(s.Limits.Burst, s.Limits.Window)
	within(s.Limits.Day, s.Limits.PerDay)
	return at
}

// mint puts a new attempt in place of the newest. One that had letters stays beside it for as long as their "No fui yo" works:
// whoever asks for the next link must not take away somebody's key pass, nor the owner's word. What all "No fui yo" begin with
// stays the same from attempt to attempt, a decoy's too: by it the document is found.
//
// The id, from which all tokens come, is of the turn and of the record: a turn that is done again may find another number in the chat
// and reserve at a second record, whose link must be no link of the first.
func (s *Service) mint(d *Document, ask bot.Ask, kind Kind, now time.Time) {
	a := &Attempt{
		ID: s.Vault.Hash("attempt", ask.Turn+"|"+ask.Record)[:22], Kind: kind, Want: Want(ask.Want), Sealed: s.Vault.Seal(secret.Attempt.Of(d.ID), ask.Number),
		Channel: ask.Channel, Asked: now, Tagged: true, KeyID: s.Vault.Current(),
	}
	if old := d.Live; old != nil {
		if old.Kind != KindDecoy && now.Before(old.notMeEnds()) {
			gone := *old
			if gone.Link = ""; gone.Redeemed.IsZero() {
				gone.Sealed = ""
				gone.forget()
			}
			d.Used = append(d.Used, gone)
		}
		if len(d.Used) > 0 && old.NotMe != "" {
			a.SinceKeyID, a.Since = old.notMe()
		}
	}
	if kind != KindDecoy {
		a.Link = s.hashLink(s.linkToken(a, ""))
	}
	if kind != KindDecoy || a.Since != "" {
		a.NotMe = s.hashNotMe(beginning(s.notMeDerived(a), "", s.hashNotMe))
	}
	d.Live = a
}

// notMe is the attempt from which the beginning of its letters' "No fui yo" is derived, and by which key.
func (a *Attempt) notMe() (key, of string) {
	if a.Since != "" {
		return a.SinceKeyID, a.Since
	}
	return a.KeyID, a.ID
}
