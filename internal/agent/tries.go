package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"llave/bot"
	"llave/internal/key"
)

// The limits of signing in.
const (
	MaxWrong    = 5                // wrong in a row
	LockedFor   = 15 * time.Minute // after that
	SourceTries = 20               // a minute, from one address
)

// Tries is what was tried for one login, whether anybody has it or not.
type Tries struct {
	ID          string    `bson:"_id"` // keyed hash of the login
	Version     int64     `bson:"v"`
	Wrong       int       `bson:"wrong"` // in a row; those under way count
	LockedUntil time.Time `bson:"locked_until,omitempty"`
	Ends        time.Time `bson:"ends"` // worth nothing after that
}

// TryBook keeps tries.
type TryBook interface {
	// Load returns the tries with that id, or new ones with that id and version 0.
	Load(ctx context.Context, id string) (Tries, error)
	// Save writes where the version is the one that was loaded, else bot.ErrConflict.
	Save(ctx context.Context, t *Tries) error
}

// rememberTries is how long wrong tries in a row count when no more come.
const rememberTries = 24 * time.Hour

func (s *Service) tryID(login string) string { return s.Vault.Hash("agent-login", login) }

// begin counts a try before it is judged: against where it comes from, and against the login. *Later means that it must
// not be judged. locks says that it locks the login unless it is taken back.
func (s *Service) begin(ctx context.Context, login, source string) (locks bool, err error) {
	n, resets, err := s.Counters.Add(ctx, "agent-try/"+s.Vault.Hash("address", source), 1, time.Minute)
	if err != nil {
		return false, fmt.Errorf("count tries: %w", err)
	}
	now, err := s.now(ctx)
	if err != nil {
		return false, err
	}
	if n > SourceTries {
		return false, &Later{resets, resets.Sub(now)}
	}
	err = s.changeTries(ctx, login, func(t *Tries, now time.Time) error {
		if t.LockedUntil.After(now) {
			return &Later{t.LockedUntil, t.LockedUntil.Sub(now)}
		}
		t.Wrong++
		if locks = t.Wrong >= MaxWrong; locks {
			t.LockedUntil = now.Add(LockedFor)
		}
		return nil
	})
	return locks, err
}

// takeBack uncounts a try that was right, but is not yet a sign-in.
func (s *Service) takeBack(ctx context.Context, login string) error {
	return s.changeTries(ctx, login, func(t *Tries, _ time.Time) error {
		if t.Wrong == 0 {
			return errUnchanged
		}
		if t.Wrong--; t.Wrong < MaxWrong {
			t.LockedUntil = time.Time{}
		}
		return nil
	})
}

// forgive begins the count anew.
func (s *Service) forgive(ctx context.Context, login string) error {
	login, err := ParseLogin(login)
	if err != nil {
		return ErrNotFound
	}
	return s.changeTries(ctx, login, func(t *Tries, _ time.Time) error {
		if t.Wrong == 0 {
			return errUnchanged
		}
		t.Wrong, t.LockedUntil = 0, time.Time{}
		return nil
	})
}

// changeTries is change for tries. Those whose time is over have become none before f sees them.
func (s *Service) changeTries(ctx context.Context, login string, f func(t *Tries, now time.Time) error) error {
	for {
		t, err := s.Tries.Load(ctx, s.tryID(login))
		if err != nil {
			return fmt.Errorf("load tries: %w", err)
		}
		now, err := s.now(ctx)
		if err != nil {
			return err
		}
		locked := !t.LockedUntil.IsZero()
		if locked && !t.LockedUntil.After(now) || !t.Ends.After(now) {
			t.Wrong, t.LockedUntil = 0, time.Time{}
		}
		if err := f(&t, now); errors.Is(err, errUnchanged) {
			return nil
		} else if err != nil {
			return err
		}
		t.Ends = now.Add(rememberTries)
		if err = s.Tries.Save(ctx, &t); !errors.Is(err, bot.ErrConflict) {
			if err != nil {
				return fmt.Errorf("save tries: %w", err)
			}
			return nil
		}
	}
}

// failed tells the audit of a wrong try, and of the lock it led to. It returns how the try is refused: with wrong, or, when
// it was the last one for now, with *Later.
func (s *Service) failed(ctx context.Context, who, what string, locks bool, wrong error) error {
	now, err := s.now(ctx)
	if err != nil {
		return err
	}
	deeds := []Deed{newDeed(now, who, what, "")}
	if locks {
		deeds = append(deeds, newDeed(now, who, "agent_locked", ""))
		wrong = &Later{now.Add(LockedFor), LockedFor}
	}
	if err := s.tell(ctx, deeds...); err != nil {
		return err
	}
	return wrong
}

// prove asks somebody who is signed in for their password. A wrong one counts as a try: ErrWrong, or *Later.
func (s *Service) prove(ctx context.Context, a Agent, password, source string) error {
	locks, err := s.begin(ctx, a.Login, source)
	if err != nil {
		return err
	}
	right, err := key.Verify(ctx, a.Hash, password)
	if err != nil {
		return fmt.Errorf("verify password: %w", err)
	}
	if right {
		return s.takeBack(ctx, a.Login)
	}
	return s.failed(ctx, a.Login, "agent_password_wrong", locks, ErrWrong)
}
