package unlock

import (
	"context"
	"fmt"
	"time"

	"llave/bot"
)

// LookNotMe says whether the "No fui yo" link is known. It changes nothing.
func (s *Service) LookNotMe(ctx context.Context, token string) error {
	r, err := s.Records.FindBy(ctx, "live.not_me", s.hashNotMe(token))
	if err != nil {
		return fmt.Errorf("find link: %w", err)
	}
	if r == nil || r.Live == nil {
		return ErrUnknown
	}
	return nil
}

// NotMe voids the newest link and every ticket that still lives, opens a case and returns its number. It works from
// any letter of the day. Pressing again finds the same case.
func (s *Service) NotMe(ctx context.Context, token string) (ref string, err error) {
	h := s.hashNotMe(token)
	found, err := s.Records.FindBy(ctx, "live.not_me", h)
	if err != nil {
		return "", fmt.Errorf("find link: %w", err)
	}
	if found == nil {
		return "", ErrUnknown
	}
	r, err := s.change(ctx, found.ID, func(r *Record, now time.Time) error {
		if r.Live == nil || r.Live.NotMe != h {
			return ErrUnknown
		}
		ref = bot.Ref("N", s.Vault.Hash("ref", r.Live.ID))
		if !r.Live.Voided.IsZero() {
			return errUnchanged
		}
		body := "voided before use"
		if !r.Live.Redeemed.IsZero() || len(r.Used) > 0 {
			body = "voided after use"
		}
		r.Live.Voided = now
		for i := range r.Used {
			r.Used[i].Voided = now
		}
		s.owe(r, r.Live, now, bot.KeepFile{Topic: "not_me", Ref: ref, Body: body})
		s.tell(r, r.Live, now, bot.SignalLinkVoided, "")
		return nil
	})
	if err != nil {
		return "", err
	}
	s.Kick(r.ID)
	return ref, nil
}
