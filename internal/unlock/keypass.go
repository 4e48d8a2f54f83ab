package unlock

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"llave/bot"
	"llave/internal/affiliate"
	"llave/internal/key"
	"llave/internal/secret"
)

// Holder is who holds a key pass, for the key page.
type Holder struct {
	About key.About     // what the key must not contain
	Made  bool          // the key was made with this key pass
	Life  time.Duration // what is left of the key pass
	Kind  Kind          // what the link did that gave it
	Chat                // whose letter's link it was
}

// KeyPass opens the cookie's key pass, or ErrKeyPass.
func (s *Service) KeyPass(ctx context.Context, pass string) (Holder, error) {
	d, a, now, err := s.holder(ctx, pass)
	if err != nil {
		return Holder{}, err
	}
	rec, err := s.find(ctx, d, a)
	if err != nil {
		return Holder{}, err
	}
	return Holder{
		About: about(rec),
		Made:  !a.KeyMade.IsZero(),
		Life:  a.keyPassEnds().Sub(now),
		Kind:  a.Kind,
		Chat:  a.chat(a.asker()),
	}, nil
}

func about(r affiliate.Record) key.About {
	return key.About{Number: r.ID, Name: r.FullName, Email: r.Email}
}

// CheckKey returns what is wrong with a key, nothing when it may be made.
func (s *Service) CheckKey(chosen string, about key.About) []key.Problem {
	return s.Keys.Check(chosen, about)
}

func (s *Service) holder(ctx context.Context, pass string) (*Document, *Attempt, time.Time, error) {
	now, err := s.Now(ctx)
	if err != nil {
		return nil, nil, now, fmt.Errorf("read the store's clock: %w", err)
	}
	text, err := s.Vault.Open(secret.KeyPass.Of(""), pass)
	if err != nil {
		return nil, nil, now, ErrKeyPass
	}
	id, attempt, _ := strings.Cut(text, "|")
	d, err := s.Documents.Load(ctx, id)
	if err != nil {
		return nil, nil, now, fmt.Errorf("load unlock document: %w", err)
	}
	a, err := holds(d, attempt, now)
	return d, a, now, err
}

// holds returns the attempt whose key pass it is, if that is still worth something.
func holds(d *Document, attempt string, now time.Time) (*Attempt, error) {
	a := d.attempt(attempt)
	if a == nil || a.Sealed == "" || a.Redeemed.IsZero() || !a.Voided.IsZero() || !now.Before(a.keyPassEnds()) {
		return nil, ErrKeyPass
	}
	return a, nil
}

// MakeKey stores the new key under the key pass, once; the same key again (a lost answer) is the same success, another
// is ErrKeyMade. The rules were checked by the page; they are checked again here, and problems come back.
func (s *Service) MakeKey(ctx context.Context, pass, chosen string) ([]key.Problem, error) {
	d, a, _, err := s.holder(ctx, pass)
	if err != nil {
		return nil, err
	}
	if !a.KeyMade.IsZero() {
		return nil, same(ctx, d, chosen)
	}
	rec, err := s.find(ctx, d, a)
	if err != nil {
		return nil, err
	}
	if problems := s.CheckKey(chosen, about(rec)); len(problems) > 0 {
		return problems, nil
	}
	hash, err := key.Hash(ctx, chosen)
	if err != nil {
		return nil, fmt.Errorf("hash key: %w", err)
	}
	attempt := a.ID
	ctx, span, ref := s.join(ctx, d, a, a.asker(), "key")
	defer span.End()
	var happened steps
	d, err = s.change(ctx, d.ID, func(d *Document, now time.Time) error {
		happened = nil
		a, err := holds(d, attempt, now)
		if err != nil {
			return err
		}
		if !a.KeyMade.IsZero() {
			return ErrKeyMade // while this one was being hashed
		}
		d.trace = ref
		d.Key, d.KeyAt, a.KeyMade = hash, now, now
		happened.add(a, StepKey, took(a.Redeemed, now))
		s.tell(d, a, now, bot.SignalKeyMade, "")
		s.owe(d, a, now, "generated/", bot.MailNotice{Topic: "generated"})
		s.announce(d, a, now, bot.ToldGenerated, "")
		return nil
	})
	if errors.Is(err, ErrKeyMade) {
		return nil, same(ctx, d, chosen)
	}
	if err != nil {
		return nil, err
	}
	s.tellSteps(happened)
	s.Kick(d.ID)
	return nil, nil
}

// same says whether the key that was made is the one that was chosen: nil, or ErrKeyMade.
func same(ctx context.Context, d *Document, chosen string) error {
	is, err := key.Verify(ctx, d.Key, chosen)
	if err != nil {
		return fmt.Errorf("compare with the key that was made: %w", err)
	}
	if !is {
		return ErrKeyMade
	}
	return nil
}
