package unlock

import (
	"context"
	"fmt"
	"time"

	"llave/bot"
)

// LookNotMe says whether the "No fui yo" link is known. It changes nothing.
func (s *Service) LookNotMe(ctx context.Context, token string) error {
	d, err := s.Documents.FindBy(ctx, "live.not_me", s.hashNotMe(token))
	if err != nil {
		return fmt.Errorf("find link: %w", err)
	}
	if d == nil || d.Live == nil {
		return ErrUnknown
	}
	return nil
}

// NotMe voids the newest link and every key pass that still lives, opens a case and returns its number. It works from
// any letter of the day. Pressing again finds the same case.
func (s *Service) NotMe(ctx context.Context, token string) (ref string, err error) {
	h := s.hashNotMe(token)
	found, err := s.Documents.FindBy(ctx, "live.not_me", h)
	if err != nil {
		return "", fmt.Errorf("find link: %w", err)
	}
	if found == nil {
		return "", ErrUnknown
	}
	d, err := s.change(ctx, found.ID, func(d *Document, now time.Time) error {
		if d.Live == nil || d.Live.NotMe != h {
			return ErrUnknown
		}
		ref = bot.Ref("N", s.Vault.Hash("ref", d.Live.ID))
		if !d.Live.Voided.IsZero() {
			return errUnchanged
		}
		body := "voided before use"
		if !d.Live.Redeemed.IsZero() || len(d.Used) > 0 {
			body = "voided after use"
		}
		d.Live.Voided = now
		for i := range d.Used {
			d.Used[i].Voided = now
		}
		s.owe(d, d.Live, now, "not_me/", bot.KeepFile{Topic: "not_me", Ref: ref, Body: body})
		s.tell(d, d.Live, now, bot.SignalLinkVoided, "")
		return nil
	})
	if err != nil {
		return "", err
	}
	s.Kick(d.ID)
	return ref, nil
}
