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

// The limits of signing in. They are of one account from one place, so that whoever guesses keeps nobody out but themself.
const (
	MaxWrong    = 5                // wrong in a row before the first wait
	FirstWait   = 30 * time.Second // and each wait is twice as long as the one before, but
	LongestWait = time.Hour        // no longer
	SourceTries = 20               // a minute, from one network, for whatever logins

	// GuessedAt is how many wrong tries of a day from unknown devices make an account one that somebody guesses at. From then
	// on a network that guesses waits after its first wrong try already, and supervisors are told.
	GuessedAt = 20
)

// Tries is what was tried for one login from one place, or, without a place, what strangers tried for it from everywhere. It is
// kept for logins that nobody has too.
type Tries struct {
	ID          string    `bson:"_id"` // keyed hash of the login and the place
	Version     int64     `bson:"v"`
	Begun       int64     `bson:"begun"`         // how many there were; numbers them
	Row         []int64   `bson:"row,omitempty"` // those begun since the last right one: wrong, or under way
	LockedUntil time.Time `bson:"locked_until,omitempty"`
	Ends        time.Time `bson:"ends"` // worth nothing after that

	// Of a login, from everywhere.
	Strange      int64     `bson:"strange,omitempty"` // wrong ones from unknown devices, of a day that began
	StrangeSince time.Time `bson:"strange_since,omitempty"`
	Forgiven     int64     `bson:"forgiven,omitempty"` // how often all was forgiven; part of the ids of its places
}

// guessed says whether somebody guesses at the login, of which these are the tries from everywhere.
func (t Tries) guessed(now time.Time) bool {
	return t.Strange >= GuessedAt && now.Sub(t.StrangeSince) < rememberTries
}

// try is one of them.
type try struct {
	login   string
	id      string // of the tries of its place
	from    string // the count of its network; "" from a known device
	strange bool   // from no device that the account was signed in from
	n       int64
	wait    time.Duration // until the next from there, unless it turns out right; 0: none
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

// place is where tries are counted together.
type place struct {
	name   string // unique within the login
	device string // the known device, "" for a stranger
}

// The places that are neither a network nor a device.
const (
	placeInside      = "inside"       // of who is signed in and proves the password
	placeInsideCodes = "inside-codes" // of who is signed in, has the password and types a code
	placeCodes       = "codes"        // of strangers who have the password: their networks share one count
)

// placeOf is where a browser's tries are counted: the device, where the account was signed in from it before, else the network.
func (s *Service) placeOf(a Agent, from From, now time.Time) place {
	if d, _, ok := s.knownDevice(a, from, now); ok {
		return place{"device/" + d, d}
	}
	return place{name: "network/" + from.Source}
}

// begin counts a try before it is judged: against its network, unless the device is known, and against the login from that place.
// *Later means that it must not be judged.
func (s *Service) begin(ctx context.Context, login string, at place, from From) (try, error) {
	begun := try{login: login, strange: at.device == ""}
	if begun.strange {
		begun.from = "agent-try/" + s.Vault.Hash("address", from.Source)
		n, resets, err := s.Counters.Add(ctx, begun.from, 1, time.Minute)
		if err != nil {
			return try{}, fmt.Errorf("count tries: %w", err)
		}
		now, err := s.now(ctx)
		if err != nil {
			return try{}, err
		}
		if n > SourceTries {
			return try{}, s.limited(ctx, "network", n == SourceTries+1, resets.Sub(now))
		}
	}
	all, err := s.Tries.Load(ctx, s.tryID(login))
	if err != nil {
		return try{}, fmt.Errorf("load tries: %w", err)
	}
	begun.id = s.tryID(fmt.Sprintf("%s %d %s", login, all.Forgiven, at.name)) // no login holds a blank
	err = s.changeTries(ctx, begun.id, func(t *Tries, now time.Time) error {
		if t.LockedUntil.After(now) {
			return &Later{t.LockedUntil.Sub(now)}
		}
		free := MaxWrong
		if begun.strange && at.name != placeCodes && all.guessed(now) {
			free = 1
		}
		t.Begun++
		t.Row = append(t.Row, t.Begun)
		begun.n, begun.wait = t.Begun, waitAfter(len(t.Row), free)
		if begun.wait > 0 {
			t.LockedUntil = now.Add(begun.wait)
		}
		return nil
	})
	return begun, err
}

// waitAfter is how long nothing is judged after so many wrong ones in a row.
func waitAfter(row, free int) time.Duration {
	if row < free {
		return 0
	}
	wait := FirstWait
	for range row - free {
		if wait *= 2; wait >= LongestWait {
			return LongestWait
		}
	}
	return wait
}

// limited refuses a try by a limit, and tells the audit of the first that meets it.
func (s *Service) limited(ctx context.Context, limit string, first bool, wait time.Duration) error {
	if first {
		now, err := s.now(ctx)
		if err != nil {
			return err
		}
		if err := s.tell(ctx, triedEntry(now, unknown, "limit_met", limit)); err != nil {
			return err
		}
	}
	return &Later{wait}
}

// fromHere takes a right try off the count of where it came from, so that an office behind one address is not kept out by
// its own right passwords. When the minute has passed meanwhile, the next has room for one more.
func (s *Service) fromHere(ctx context.Context, right try) error {
	if right.from == "" {
		return nil
	}
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
	return s.uncount(ctx, right, func(n int64) bool { return n == right.n })
}

// beginAnew uncounts a try that was right and all that began before it. Those that began after it still count.
func (s *Service) beginAnew(ctx context.Context, right try) error {
	if err := s.fromHere(ctx, right); err != nil {
		return err
	}
	return s.uncount(ctx, right, func(n int64) bool { return n <= right.n })
}

// uncount takes tries off their place. The wait that the right one began ends with it; one that a later one began does not.
func (s *Service) uncount(ctx context.Context, right try, which func(n int64) bool) error {
	return s.changeTries(ctx, right.id, func(t *Tries, _ time.Time) error {
		before := len(t.Row)
		t.Row = slices.DeleteFunc(t.Row, which)
		if len(t.Row) == before {
			return errUnchanged
		}
		if len(t.Row) < MaxWrong || t.Begun == right.n {
			t.LockedUntil = time.Time{}
		}
		return nil
	})
}

// forgive uncounts everything of a login, from every place.
func (s *Service) forgive(ctx context.Context, login string) error {
	login, err := ParseLogin(login)
	if err != nil {
		return ErrNotFound
	}
	return s.changeTries(ctx, s.tryID(login), func(t *Tries, _ time.Time) error {
		t.Forgiven++
		t.Strange, t.StrangeSince = 0, time.Time{}
		return nil
	})
}

// changeTries is change for tries. Those whose time is over have become none before [f] sees them.
func (s *Service) changeTries(ctx context.Context, id string, f func(t *Tries, now time.Time) error) error {
	for {
		t, err := s.Tries.Load(ctx, id)
		if err != nil {
			return fmt.Errorf("load tries: %w", err)
		}
		now, err := s.now(ctx)
		if err != nil {
			return err
		}
		if !t.Ends.After(now) {
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

// failed tells the audit of a wrong try, of the wait it led to, and of an account that is guessed at. It returns how the try is
// refused: with wrong, or, when it was the last one for now, with *Later.
func (s *Service) failed(ctx context.Context, who, what string, tried try, wrong error) error {
	now, err := s.now(ctx)
	if err != nil {
		return err
	}
	entries := []AuditEntry{triedEntry(now, who, what, "")}
	if tried.wait > 0 {
		entries = append(entries, triedEntry(now, who, "agent_locked", tried.wait.String()))
		wrong = &Later{tried.wait}
	}
	if tried.strange {
		began, err := s.countStranger(ctx, tried.login)
		if err != nil {
			return err
		}
		if began {
			entries = append(entries, triedEntry(now, who, "agent_guessed", ""))
			if who != unknown {
				s.Alert(AlertGuessed)
			}
		}
	}
	if what == "agent_code_wrong" && tried.wait > 0 {
		s.Alert(AlertCodes)
	}
	if err := s.tell(ctx, entries...); err != nil {
		return err
	}
	return wrong
}

// triedEntry is what the audit is told of a try: of logins that nobody has one line a minute of each sort, since whoever asks for the page
// could fill the store with them for a year, and hide among them what is looked for.
func triedEntry(now time.Time, who, what, detail string) AuditEntry {
	e := newEntry(now, who, what, detail)
	if who == unknown {
		e.ID = "agent/" + unknown + "/" + what + "/" + now.UTC().Format("2006-01-02T15:04")
	}
	return e
}

// countStranger counts a wrong try from an unknown device, and says whether it is the one that makes the login one that is guessed
// at.
func (s *Service) countStranger(ctx context.Context, login string) (began bool, err error) {
	err = s.changeTries(ctx, s.tryID(login), func(t *Tries, now time.Time) error {
		if now.Sub(t.StrangeSince) >= rememberTries {
			t.Strange, t.StrangeSince = 0, now
		}
		t.Strange++
		began = t.Strange == GuessedAt
		return nil
	})
	return began, err
}

// judge says whether a hash is of a password, in its turn. Where there is none (key.ErrBusy), or it is not waited for, the try is uncounted: nobody has
// learned anything by it. Known devices have a queue of their own, which strangers cannot fill.
func (s *Service) judge(ctx context.Context, tried try, from From, hash, password string) (right bool, err error) {
	queue, share := s.Passwords, key.Share{Who: from.Source, Most: sourceAtOnce}
	if !tried.strange {
		queue, share = s.KnownPasswords, key.Share{Who: tried.id, Most: sourceAtOnce}
	}
	leave, err := queue.Enter(ctx, share)
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
// judge. Strangers cannot use up these tries.
func (s *Service) prove(ctx context.Context, a Agent, password string, from From) error {
	at := place{placeInside, placeInside}
	tried, err := s.begin(ctx, a.Login, at, from)
	if err != nil {
		return err
	}
	right, err := s.judge(ctx, tried, from, a.Hash, password)
	if err != nil {
		return err
	}
	if right {
		return s.beginAnew(ctx, tried)
	}
	return s.failed(ctx, a.Login, "agent_password_wrong", tried, ErrWrong)
}
