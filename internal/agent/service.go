package agent

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"llave/bot"
	"llave/internal/key"
	"llave/internal/secret"
)

// Agents keeps the accounts.
type Agents interface {
	// Find returns the agent with that login, and whether there is one.
	Find(ctx context.Context, login string) (Agent, bool, error)
	// Save writes where the version is the one that was loaded, 0 for a new one, else bot.ErrConflict.
	Save(ctx context.Context, a *Agent) error
	// All returns every agent in order of login.
	All(ctx context.Context) ([]Agent, error)
}

// Sessions keeps what browsers go on with.
type Sessions interface {
	Find(ctx context.Context, id string) (Session, bool, error)
	Save(ctx context.Context, s *Session) error
	// Delete removes the session, whatever its version when that is negative.
	Delete(ctx context.Context, id string, version int64) error
	// Of returns those of a login.
	Of(ctx context.Context, login string) ([]Session, error)
}

// Counters counts within windows, exactly and across processes.
type Counters interface {
	Add(ctx context.Context, id string, by int64, window time.Duration) (n int64, resetsAt time.Time, err error)
}

// Options are what the service needs. All without a default in their comment are required.
type Options struct {
	Agents   Agents
	Sessions Sessions
	Tries    TryBook
	Counters Counters
	Audit    func(ctx context.Context, e AuditEntry) error // appending the same id again changes nothing
	Vault    *secret.Vault
	Now      func(ctx context.Context) (time.Time, error) // the store's clock
	Idle     time.Duration                                // how long a session lasts without an action
	// Require says who needs a second factor; "": nobody.
	Require Policy
	// Alert is told of what an operator should hear at once; nil: nobody is. It must not block.
	Alert func(what string)
	// Passwords is where passwords wait to be judged, and KnownPasswords where those from known devices do; nil: one at a time,
	// 16 waiting for 5 s.
	Passwords, KnownPasswords *key.Queue
}

// What Options.Alert is told.
const (
	AlertGuessed = "guessed" // strangers guess at the password of an account
	AlertCodes   = "codes"   // somebody who has a password guesses at its codes
)

// Policy says who needs a second factor.
type Policy string

// The policies.
const (
	Optional    Policy = "optional"
	Supervisors Policy = "supervisors"
	Everybody   Policy = "all"
)

// wants says whether an account needs a second factor.
func (p Policy) wants(a Agent) bool {
	return p == Everybody || p == Supervisors && a.Role == Supervisor
}

// Owed is what an account must do before it may do anything else.
type Owed string

// What may be owed.
const (
	OwesNothing      Owed = ""
	OwesPassword     Owed = "password"      // one of its own
	OwesSecondFactor Owed = "second-factor" // it has none, and needs one
)

// Requires says whether an account needs a second factor.
func (s *Service) Requires(a Agent) bool { return s.Require.wants(a) }

// Owes says what an account owes.
func (s *Service) Owes(a Agent) Owed {
	switch {
	case a.MustChange:
		return OwesPassword
	case s.Require.wants(a) && !a.SecondFactor():
		return OwesSecondFactor
	}
	return OwesNothing
}

// sourceAtOnce is how many passwords from one address are judged or wait at once.
const sourceAtOnce = 8

// Service keeps accounts and sessions. It is safe for use by many goroutines and processes.
type Service struct {
	Options
	dummy dummy
}

// New makes a service.
func New(o Options) *Service {
	for _, q := range []**key.Queue{&o.Passwords, &o.KnownPasswords} {
		if *q == nil {
			*q = key.NewQueue(1, 16, 5*time.Second)
		}
	}
	if o.Alert == nil {
		o.Alert = func(string) {}
	}
	return &Service{Options: o}
}

// CommandLine is who acts when nobody is signed in: the operator at the server.
const CommandLine = "command line"

// unknown is who tries a login that nobody has.
const unknown = "unknown"

// reserved are what the audit calls those who have no account: nobody is made whose deeds would be taken for theirs.
var reserved = []string{unknown, "owner", "chat"}

// Newcomer is whose account is made. Login and name may come as somebody typed them.
type Newcomer struct {
	Login, Name string
	Role        Role
}

// Add makes an account in the name of [by]. The password may be refused as *Weak, the rest as ErrLogin, ErrName, ErrRole or ErrTaken.
// One that a supervisor chose must be changed at first use.
func (s *Service) Add(ctx context.Context, by string, n Newcomer, password string) (Agent, error) {
	login, err := ParseLogin(n.Login)
	if err == nil && slices.Contains(reserved, login) {
		err = ErrLogin
	}
	if err != nil {
		return Agent{}, err
	}
	name, err := ParseName(n.Name)
	if err != nil {
		return Agent{}, err
	}
	if !n.Role.Valid() {
		return Agent{}, ErrRole
	}
	if _, found, err := s.Agents.Find(ctx, login); err != nil || found {
		return Agent{}, cmp.Or(err, ErrTaken)
	}
	hash, err := s.hash(ctx, password, login, name)
	if err != nil {
		return Agent{}, err
	}
	now, err := s.now(ctx)
	if err != nil {
		return Agent{}, err
	}
	a := Agent{Login: login, Name: name, Role: n.Role, Hash: hash, PasswordAt: now, MustChange: by != CommandLine, Made: now, Epoch: 1}
	a.Audited = []AuditEntry{newEntry(now, by, "agent_added", login+", "+string(n.Role))}
	if err = s.Agents.Save(ctx, &a); errors.Is(err, bot.ErrConflict) {
		return Agent{}, ErrTaken
	}
	if err != nil {
		return Agent{}, fmt.Errorf("save agent: %w", err)
	}
	return a, s.tell(ctx, a.Audited...)
}

// Find returns the agent with that login, or ErrNotFound.
func (s *Service) Find(ctx context.Context, login string) (Agent, error) {
	login, err := ParseLogin(login)
	if err != nil {
		return Agent{}, ErrNotFound
	}
	a, found, err := s.Agents.Find(ctx, login)
	if err != nil {
		return Agent{}, fmt.Errorf("find agent: %w", err)
	}
	if !found {
		return Agent{}, ErrNotFound
	}
	return a, nil
}

// List returns every account in order of login, with since when it is guessed at.
func (s *Service) List(ctx context.Context) ([]Agent, error) {
	all, err := s.Agents.All(ctx)
	if err != nil {
		return nil, fmt.Errorf("list agents: %w", err)
	}
	now, err := s.now(ctx)
	if err != nil {
		return nil, err
	}
	for i, a := range all {
		t, err := s.Tries.Load(ctx, s.tryID(a.Login))
		if err != nil {
			return nil, fmt.Errorf("load tries: %w", err)
		}
		if t.guessed(now) {
			all[i].Guessed = t.StrangeSince
		}
	}
	return all, nil
}

// Disable ends an account's sessions and keeps it from signing in. From the console the last supervisor who can sign in
// stays: ErrLastSupervisor.
func (s *Service) Disable(ctx context.Context, by, login string) error {
	return s.change(ctx, by, login, func(a *Agent, _ time.Time) (string, string, error) {
		if a.Disabled {
			return "", "", errUnchanged
		}
		a.Disabled = true
		a.Epoch++
		return "agent_disabled", a.Login, nil
	})
}

// Enable lets an account in again, and forgets what was tried for it.
func (s *Service) Enable(ctx context.Context, by, login string) error {
	err := s.change(ctx, by, login, func(a *Agent, _ time.Time) (string, string, error) {
		if !a.Disabled {
			return "", "", errUnchanged
		}
		a.Disabled = false
		return "agent_enabled", a.Login, nil
	})
	if err != nil {
		return err
	}
	return s.forgive(ctx, login)
}

// Rename changes what people are told.
func (s *Service) Rename(ctx context.Context, by, login, name string) error {
	name, err := ParseName(name)
	if err != nil {
		return err
	}
	return s.change(ctx, by, login, func(a *Agent, _ time.Time) (string, string, error) {
		if a.Name == name {
			return "", "", errUnchanged
		}
		a.Name = name
		return "agent_renamed", a.Login, nil
	})
}

// SetSpeaks says which languages beside the desk's own somebody speaks: those who write in one are kept for them.
func (s *Service) SetSpeaks(ctx context.Context, by, login, languages string) error {
	return s.change(ctx, by, login, func(a *Agent, _ time.Time) (string, string, error) {
		if a.Speaks == languages {
			return "", "", errUnchanged
		}
		a.Speaks = languages
		return "agent_speaks", a.Login, nil
	})
}

// SetRole changes what an agent may do, and ends their sessions. From the console the last supervisor who can sign in
// stays one: ErrLastSupervisor.
func (s *Service) SetRole(ctx context.Context, by, login string, role Role) error {
	if !role.Valid() {
		return ErrRole
	}
	return s.change(ctx, by, login, func(a *Agent, _ time.Time) (string, string, error) {
		if a.Role == role {
			return "", "", errUnchanged
		}
		a.Role = role
		a.Epoch++
		return "agent_role", a.Login + ", " + string(role), nil
	})
}

// SetPassword gives an account a new password, or refuses it as *Weak. It ends the account's sessions, knows none of its devices
// any more, and forgets what was tried for it. One that a supervisor chose must be changed at first use.
func (s *Service) SetPassword(ctx context.Context, by, login, password string) error {
	a, err := s.Find(ctx, login)
	if err != nil {
		return err
	}
	return s.setPassword(ctx, by, a, password, func(a *Agent, _ time.Time) error {
		a.MustChange, a.Devices = by != CommandLine, nil
		return nil
	})
}

func (s *Service) setPassword(ctx context.Context, by string, a Agent, password string, also func(a *Agent, now time.Time) error) error {
	hash, err := s.hash(ctx, password, a.Login, a.Name)
	if err != nil {
		return err
	}
	err = s.change(ctx, by, a.Login, func(a *Agent, now time.Time) (string, string, error) {
		if err := also(a, now); err != nil {
			return "", "", err
		}
		a.Hash, a.PasswordAt = hash, now
		a.Epoch++
		return "agent_password", a.Login, nil
	})
	if err != nil {
		return err
	}
	return s.forgive(ctx, a.Login)
}

// ChangePassword is SetPassword by the agent themself, who proves the present one; a wrong one counts as a try. ErrSame when the new
// one is that. The other sessions of the account end, and what is returned goes on in place of the one with this token.
func (s *Service) ChangePassword(ctx context.Context, token, present, password string, from From) (SignedIn, error) {
	a, _, err := s.Session(ctx, token)
	if err != nil {
		return SignedIn{}, err
	}
	if problems := CheckPassword(password, a.Login, a.Name); len(problems) > 0 {
		return SignedIn{}, &Weak{problems}
	}
	if err := s.prove(ctx, a, present, from); err != nil {
		return SignedIn{}, err
	}
	if present == password {
		return SignedIn{}, ErrSame
	}
	epoch := a.Epoch
	err = s.setPassword(ctx, a.Login, a, password, func(a *Agent, now time.Time) error {
		if err := a.still(epoch); err != nil {
			return err
		}
		id, _, known := s.knownDevice(*a, from, now)
		a.MustChange = false
		a.Devices = slices.DeleteFunc(a.Devices, func(d Device) bool { return !known || d.ID != id })
		return nil
	})
	if err != nil {
		return SignedIn{}, err
	}
	return s.reopen(ctx, token, a.Login, time.Time{}, from)
}

// still says that an account is as it was when its session was found and its password proved, or ErrRevoked. That may have taken some
// seconds, and whoever is disabled meanwhile or given another password does not win by having begun earlier.
func (a Agent) still(epoch int64) error {
	if a.Disabled || a.Epoch != epoch {
		return ErrRevoked
	}
	return nil
}

// change loads an agent, lets [f] change it and say what was done, and saves; when somebody else was first it does so again.
// [f] returns errUnchanged to leave without writing.
func (s *Service) change(ctx context.Context, by, login string, f func(a *Agent, now time.Time) (what, detail string, err error)) error {
	for {
		a, err := s.Find(ctx, login)
		if err != nil {
			return err
		}
		now, err := s.now(ctx)
		if err != nil {
			return err
		}
		before := a
		what, detail, err := f(&a, now)
		if errors.Is(err, errUnchanged) {
			return nil
		}
		if err != nil {
			return err
		}
		if reigns(before) && !reigns(a) && by != CommandLine {
			if err = s.anotherRemains(ctx, a.Login); errors.Is(err, bot.ErrConflict) {
				continue
			}
			if err != nil {
				return err
			}
		}
		if err = s.save(ctx, &a, newEntry(now, by, what, detail)); errors.Is(err, bot.ErrConflict) {
			continue
		}
		return err
	}
}

var errUnchanged = errors.New("nothing to write")

// save writes an agent and what was done in one, after appending what the write before told, should its process have died.
func (s *Service) save(ctx context.Context, a *Agent, e AuditEntry) error {
	if err := s.tell(ctx, a.Audited...); err != nil {
		return err
	}
	a.Audited = []AuditEntry{e}
	if err := s.Agents.Save(ctx, a); err != nil {
		return fmt.Errorf("save agent: %w", err)
	}
	return s.tell(ctx, e)
}

func reigns(a Agent) bool { return a.Role == Supervisor && !a.Disabled }

// anotherRemains makes sure that a supervisor other than this one can sign in, and goes on being able to until the caller
// has saved: it moves the other's version on. Of two who would take each other's rights away at once, one then finds that
// the document it was about to save, or the one that was its witness, has moved (ErrConflict) and looks again.
func (s *Service) anotherRemains(ctx context.Context, login string) error {
	all, err := s.Agents.All(ctx)
	if err != nil {
		return fmt.Errorf("list agents: %w", err)
	}
	i := slices.IndexFunc(all, func(a Agent) bool { return a.Login != login && reigns(a) })
	if i < 0 {
		return ErrLastSupervisor
	}
	if err := s.Agents.Save(ctx, &all[i]); err != nil {
		return fmt.Errorf("save agent: %w", err)
	}
	return nil
}

// tell appends to the audit.
func (s *Service) tell(ctx context.Context, entries ...AuditEntry) error {
	for _, e := range entries {
		if err := s.Audit(ctx, e); err != nil {
			return fmt.Errorf("append to the audit: %w", err)
		}
	}
	return nil
}

func newEntry(now time.Time, who, what, detail string) AuditEntry {
	return AuditEntry{ID: "agent/" + rand.Text(), At: now, Who: who, What: what, Detail: detail}
}

func (s *Service) hash(ctx context.Context, password, login, name string) (string, error) {
	if problems := CheckPassword(password, login, name); len(problems) > 0 {
		return "", &Weak{problems}
	}
	hash, err := key.HashPassword(ctx, password)
	if err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	return hash, nil
}

// hashAnew keeps a right password's hash as it is made now, where a version before made it. Whoever changes the account at this
// moment wins; the next sign-in does it then.
func (s *Service) hashAnew(ctx context.Context, a Agent, password string) error {
	if !key.Large(a.Hash) {
		return nil
	}
	hash, err := key.HashPassword(ctx, password)
	if err != nil {
		return fmt.Errorf("hash password: %w", err)
	}
	a.Hash = hash
	if err := s.Agents.Save(ctx, &a); err != nil && !errors.Is(err, bot.ErrConflict) {
		return fmt.Errorf("save agent: %w", err)
	}
	return nil
}

func (s *Service) now(ctx context.Context) (time.Time, error) {
	now, err := s.Now(ctx)
	if err != nil {
		return now, fmt.Errorf("read the store's clock: %w", err)
	}
	return now, nil
}

// dummy is the hash of a password that nobody has, for logins that nobody has.
type dummy struct {
	mu   sync.Mutex
	hash string
}

func (d *dummy) get(ctx context.Context) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.hash != "" {
		return d.hash, nil
	}
	hash, err := key.HashPassword(ctx, rand.Text())
	if err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	d.hash = hash
	return hash, nil
}
