package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	Begun       int64     `bson:"begun"`         // how many there were; numbers them
	Row         []int64   `bson:"row,omitempty"` // those begun since the last right one: wrong, or under way
	LockedUntil time.Time `bson:"locked_until,omitempty"`
	Ends        time.Time `bson:"ends"` // worth nothing after that
}

// try is one of them.
type try struct {
	login string
	from  string // the count of where it comes from
	n     int64
	locks bool // it locks the login, unless it turns out right
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
// not be judged.
func (s *Service) begin(ctx context.Context, login, source string) (try, error) {
	from := "agent-try/" + s.Vault.Hash("address", source)
	n, resets, err := s.Counters.Add(ctx, from, 1, time.Minute)
	if err != nil {
		return try{}, fmt.Errorf("count tries: %w", err)
	}
	now, err := s.now(ctx)
	if err != nil {
		return try{}, err
	}
	if n > SourceTries {
		return try{}, &Later{resets.Sub(now)}
	}
	begun := try{login: login, from: from}
	err = s.changeTries(ctx, login, func(t *Tries, now time.Time) error {
		if t.LockedUntil.After(now) {
			return &Later{t.LockedUntil.Sub(now)}
		}
		t.Begun++
		t.Row = append(t.Row, t.Begun)
		begun.n, begun.locks = t.Begun, len(t.Row) >= MaxWrong
		if begun.locks {
			t.LockedUntil = now.Add(LockedFor)
		}
		return nil
	})
	return begun, err
}

// fromHere takes a right try off the count of where it came from, so that an office behind one address is not kept out by
// its own right passwords. When the minute has passed meanwhile, the next has room for one more.
func (s *Service) fromHere(ctx context.Context, right try) error {
	if _, _, err := s.Counters.Add(ctx, right.from, -1, time.Minute); err != nil {
		return fmt.Errorf("count tries: %w", err)
	}
	return nil
}

// takeBack uncounts a try that was right, but is not yet a sign-in.
func (s *Service) takeBack(ctx context.Context, right try) error {
	if err := s.fromHere(ctx, right); err != nil {
		return err
	}
	return s.uncount(ctx, right.login, func(n int64) bool { return n == right.n })
}

// beginAnew uncounts a try that was right and all that began before it. Those that began after it still count.
func (s *Service) beginAnew(ctx context.Context, right try) error {
	if err := s.fromHere(ctx, right); err != nil {
		return err
	}
	return s.uncount(ctx, right.login, func(n int64) bool { return n <= right.n })
}

// forgive uncounts everything.
func (s *Service) forgive(ctx context.Context, login string) error {
	login, err := ParseLogin(login)
	if err != nil {
		return ErrNotFound
	}
	return s.uncount(ctx, login, func(int64) bool { return true })
}

func (s *Service) uncount(ctx context.Context, login string, which func(n int64) bool) error {
	return s.changeTries(ctx, login, func(t *Tries, _ time.Time) error {
		before := len(t.Row)
		t.Row = slices.DeleteFunc(t.Row, which)
		if len(t.Row) == before {
			return errUnchanged
		}
		t.LockedUntil = time.Time{} // one less than lock it
		return nil
	})
}

// changeTries is change for tries. Those whose time is over have become none before [f] sees them.
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
			t.Row, t.LockedUntil = nil, time.Time{}
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
func (s *Service) failed(ctx context.Context, who, what string, tried try, wrong error) error {
	now, err := s.now(ctx)
	if err != nil {
		return err
	}
	entries := []AuditEntry{newEntry(now, who, what, "")}
	if tried.locks {
		entries = append(entries, newEntry(now, who, "agent_locked", ""))
		wrong = &Later{LockedFor}
	}
	if err := s.tell(ctx, entries...); err != nil {
		return err
	}
	return wrong
}

// judge says whether a hash is of a password, in its turn. Where there is none (key.ErrBusy), or it is not waited for, the try is uncounted: nobody has
// learned anything by it.
func (s *Service) judge(ctx context.Context, tried try, source, hash, password string) (right bool, err error) {
	leave, err := s.Passwords.Enter(ctx, key.Share{Who: source, Most: sourceAtOnce})
	if err != nil {
		if err := s.takeBack(context.WithoutCancel(ctx), tried); err != nil {
			return false, err
		}
		return false, fmt.Errorf("wait for the password's turn: %w", err)
	}
	defer leave()
	if right, err = key.Verify(ctx, hash, password); err != nil {
		return false, fmt.Errorf("verify password: %w", err)
	}
	return right, nil
}

// prove asks somebody who is signed in for their password. A wrong one counts as a try: ErrWrong, or *Later; for key.ErrBusy see
// judge.
func (s *Service) prove(ctx context.Context, a Agent, password, source string) error {
	tried, err := s.begin(ctx, a.Login, source)
	if err != nil {
		return err
	}
	right, err := s.judge(ctx, tried, source, a.Hash, password)
	if err != nil {
		return err
	}
	if right {
		return s.takeBack(ctx, tried)
	}
	return s.failed(ctx, a.Login, "agent_password_wrong", tried, ErrWrong)
}
