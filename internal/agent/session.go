package agent

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"llave/bot"
	"llave/internal/secret"
)

// MaxSession is how long a session lasts, whatever is done in it.
const MaxSession = 12 * time.Hour

// CodeLife is how long after the right password the code may be typed.
const CodeLife = 5 * time.Minute

// touchEvery is how exactly the time of the last action is kept: an action that soon after another writes nothing.
const touchEvery = 15 * time.Second

// ProofLife is how long the password that was typed last is good for what wants it once more.
const ProofLife = 15 * time.Minute

// From is where somebody acts from.
type From struct {
	Source  string   // the network, for limits
	Devices []string // the tokens of devices that the browser has
	Browser string   // which one it is, for the list of sessions: "Firefox, Linux"
	Network string   // the same as Source for people, the last part left out; "" where there is none
}

// Session is what a browser goes on with after signing in. Its token is kept as a keyed hash alone.
type Session struct {
	ID      string    `bson:"_id"`
	Version int64     `bson:"v"`
	Login   string    `bson:"login"`
	Epoch   int64     `bson:"epoch"` // the agent's when it began
	Made    time.Time `bson:"made"`
	Seen    time.Time `bson:"seen"` // the last action
	Ends    time.Time `bson:"ends"` // whatever is done

	Half    bool      `bson:"half,omitempty"`   // it is the step that asks for a code
	Proved  time.Time `bson:"proved,omitempty"` // when the password was typed last
	Browser string    `bson:"browser,omitempty"`
	Network string    `bson:"network,omitempty"`

	Fresh bool `bson:"-"` // told by Session and Live: the password was typed a moment ago
}

// SignedIn is what a right try gives: the token of a session, or, when Code says so, of the step that asks for a code,
// which proves nothing else.
type SignedIn struct {
	Token  secret.Text
	Life   time.Duration // of the token, from now
	Agent  Agent
	Code   bool
	Device secret.Text // by which this browser is known from now on; "" with Code
}

// SignIn judges a login and a password. What is wrong is ErrWrong, whichever it was, also for an account that is disabled;
// *Later and key.ErrBusy mean that it was not judged. Every sign-in has a token that was made for it.
func (s *Service) SignIn(ctx context.Context, login, password string, from From) (SignedIn, error) {
	login, err := ParseLogin(login)
	if err != nil {
		login = "-" // nobody can have it; what was typed is counted with all else that cannot be a login
	}
	a, known, err := s.Agents.Find(ctx, login)
	if err != nil {
		return SignedIn{}, fmt.Errorf("find agent: %w", err)
	}
	now, err := s.now(ctx)
	if err != nil {
		return SignedIn{}, err
	}
	tried, err := s.begin(ctx, login, s.placeOf(a, from, now), from)
	if err != nil {
		return SignedIn{}, err
	}
	hash, err := s.dummy.get(ctx)
	if err != nil {
		return SignedIn{}, err
	}
	who := unknown
	if known {
		hash, who = a.Hash, a.Login
	}
	right, err := s.judge(ctx, tried, from, hash, password)
	if err != nil {
		return SignedIn{}, err
	}
	if !right || !known || a.Disabled {
		return SignedIn{}, s.failed(ctx, who, "agent_sign_in_failed", tried, ErrWrong)
	}
	if err := s.hashAnew(ctx, a, password); err != nil {
		return SignedIn{}, err
	}
	if a.SecondFactor() {
		if err := s.takeBack(ctx, tried); err != nil {
			return SignedIn{}, err
		}
		return s.half(ctx, a, from)
	}
	in, err := s.enter(ctx, tried, a.Epoch, from, func(*Agent, time.Time) (string, error) { return "", nil })
	if errors.Is(err, ErrNoSession) { // the account changed under our hands
		err = ErrWrong
	}
	return in, err
}

// half begins the step that asks for a code.
func (s *Service) half(ctx context.Context, a Agent, from From) (SignedIn, error) {
	token := newToken()
	if err := s.begun(ctx, Session{ID: s.halfID(token), Half: true}, a, CodeLife, from); err != nil {
		return SignedIn{}, err
	}
	return SignedIn{Token: secret.Text(token), Life: CodeLife, Agent: a, Code: true}, nil
}

// SignInCode judges the code that is asked for after the right password, of the app or for recovery. [token] is the one SignIn gave;
// ErrNoSession means that its time is over. A wrong code, or one that was taken already, is ErrCode and counts as a try: strangers
// who have the password have one count, wherever they come from.
func (s *Service) SignInCode(ctx context.Context, token, code string, from From) (SignedIn, error) {
	h, err := s.HalfSignedIn(ctx, token)
	if err != nil {
		return SignedIn{}, err
	}
	a, found, err := s.Agents.Find(ctx, h.Login)
	if err != nil {
		return SignedIn{}, fmt.Errorf("find agent: %w", err)
	}
	if !found {
		return SignedIn{}, ErrNoSession
	}
	now, err := s.now(ctx)
	if err != nil {
		return SignedIn{}, err
	}
	at := s.placeOf(a, from, now)
	if at.device == "" {
		at.name = placeCodes
	}
	tried, err := s.begin(ctx, h.Login, at, from)
	if err != nil {
		return SignedIn{}, err
	}
	in, err := s.enter(ctx, tried, h.Epoch, from, func(a *Agent, now time.Time) (string, error) { return s.takeAnyCode(a, code, now) })
	if errors.Is(err, ErrCode) {
		return SignedIn{}, s.failed(ctx, h.Login, "agent_code_wrong", tried, ErrCode)
	}
	if err != nil {
		return SignedIn{}, err
	}
	if err := s.Sessions.Delete(ctx, h.ID, -1); err != nil {
		return SignedIn{}, fmt.Errorf("end the step: %w", err)
	}
	return in, nil
}

// HalfSignedIn returns the step that waits for a code, or ErrNoSession.
func (s *Service) HalfSignedIn(ctx context.Context, token string) (Session, error) {
	h, found, err := s.Sessions.Find(ctx, s.halfID(token))
	if err != nil {
		return Session{}, fmt.Errorf("find the step: %w", err)
	}
	now, err := s.now(ctx)
	if err != nil {
		return Session{}, err
	}
	if !found || !h.Ends.After(now) {
		return Session{}, ErrNoSession
	}
	return h, nil
}

// enter completes a sign-in: [judge] has the last word and may say how it was, the account must be as it was when the password was
// right, and the count of tries begins anew. The browser is known from then on.
func (s *Service) enter(ctx context.Context, tried try, epoch int64, from From, judge func(a *Agent, now time.Time) (how string, err error)) (SignedIn, error) {
	for {
		a, found, err := s.Agents.Find(ctx, tried.login)
		if err != nil {
			return SignedIn{}, fmt.Errorf("find agent: %w", err)
		}
		if !found || a.Disabled || a.Epoch != epoch {
			return SignedIn{}, ErrNoSession
		}
		now, err := s.now(ctx)
		if err != nil {
			return SignedIn{}, err
		}
		how, err := judge(&a, now)
		if err != nil {
			return SignedIn{}, err
		}
		a.LastIn = now
		device := s.remember(&a, from, now)
		err = s.save(ctx, &a, newEntry(now, a.Login, "agent_signed_in", how))
		if errors.Is(err, bot.ErrConflict) {
			continue
		}
		if err != nil {
			return SignedIn{}, err
		}
		if err := s.beginAnew(ctx, tried); err != nil {
			return SignedIn{}, err
		}
		in, err := s.open(ctx, a, time.Time{}, from)
		in.Device = secret.Text(device)
		return in, err
	}
}

// open begins a session, of somebody who typed the password at [proved]; zero: just now.
func (s *Service) open(ctx context.Context, a Agent, proved time.Time, from From) (SignedIn, error) {
	token := newToken()
	if err := s.begun(ctx, Session{ID: s.sessionID(token), Proved: proved}, a, MaxSession, from); err != nil {
		return SignedIn{}, err
	}
	return SignedIn{Token: secret.Text(token), Life: MaxSession, Agent: a}, nil
}

func (s *Service) begun(ctx context.Context, sn Session, a Agent, life time.Duration, from From) error {
	now, err := s.now(ctx)
	if err != nil {
		return err
	}
	sn.Login, sn.Epoch, sn.Made, sn.Seen, sn.Ends = a.Login, a.Epoch, now, now, now.Add(life)
	if sn.Proved.IsZero() {
		sn.Proved = now
	}
	sn.Browser, sn.Network = from.Browser, from.Network
	if err := s.Sessions.Save(ctx, &sn); err != nil {
		return fmt.Errorf("save session: %w", err)
	}
	return nil
}

// reopen goes on in place of a session that a change of the account has ended. The password was typed at [proved]; zero: just now.
func (s *Service) reopen(ctx context.Context, token, login string, proved time.Time, from From) (SignedIn, error) {
	a, err := s.Find(ctx, login)
	if err != nil {
		return SignedIn{}, err
	}
	if err := s.Sessions.Delete(ctx, s.sessionID(token), -1); err != nil {
		return SignedIn{}, fmt.Errorf("end session: %w", err)
	}
	return s.open(ctx, a, proved, from)
}

// Session returns who is signed in with a token, and counts as an action of theirs. The error says why nobody is:
// ErrNoSession, ErrIdle, ErrOver, ErrRevoked; any other means that the store could not be asked.
func (s *Service) Session(ctx context.Context, token string) (Agent, Session, error) {
	a, sn, now, err := s.look(ctx, token)
	if err != nil || now.Sub(sn.Seen) < touchEvery {
		return a, sn, err
	}
	sn.Seen = now
	if err := s.Sessions.Save(ctx, &sn); err != nil && !errors.Is(err, bot.ErrConflict) { // else another request counts
		return Agent{}, Session{}, fmt.Errorf("save session: %w", err)
	}
	return a, sn, nil
}

// Live is Session without counting as an action: for a stream that asks again and again whether it may go on.
func (s *Service) Live(ctx context.Context, token string) (Agent, Session, error) {
	a, sn, _, err := s.look(ctx, token)
	return a, sn, err
}

// Left is how long a session lasts yet: without an action, and at most. [action] counts as one (P768).
func (s *Service) Left(ctx context.Context, token string, action bool) (idle, whole time.Duration, err error) {
	look := s.Live
	if action {
		look = s.Session
	}
	_, sn, err := look(ctx, token)
	if err != nil {
		return 0, 0, err
	}
	now, err := s.now(ctx)
	if err != nil {
		return 0, 0, err
	}
	return sn.Seen.Add(s.Idle).Sub(now), sn.Ends.Sub(now), nil
}

func (s *Service) look(ctx context.Context, token string) (a Agent, sn Session, now time.Time, err error) {
	if token == "" {
		return a, sn, now, ErrNoSession
	}
	sn, found, err := s.Sessions.Find(ctx, s.sessionID(token))
	if err != nil {
		return a, sn, now, fmt.Errorf("find session: %w", err)
	}
	if !found {
		return a, sn, now, ErrNoSession
	}
	if now, err = s.now(ctx); err != nil {
		return a, sn, now, err
	}
	a, found, err = s.Agents.Find(ctx, sn.Login)
	switch {
	case err != nil:
		err = fmt.Errorf("find agent: %w", err)
	case !found || a.Disabled || a.Epoch != sn.Epoch:
		err = ErrRevoked
	case !sn.Ends.After(now):
		err = ErrOver
	case now.Sub(sn.Seen) >= s.Idle:
		err = ErrIdle
	}
	if err != nil {
		return Agent{}, Session{}, now, err
	}
	sn.Fresh = now.Sub(sn.Proved) < ProofLife
	return a, sn, now, nil
}

// SignOut ends a session. One that is over, or never was, is no error.
func (s *Service) SignOut(ctx context.Context, token string) error {
	a, sn, now, err := s.look(ctx, token)
	switch {
	case errors.Is(err, ErrNoSession):
		return nil
	case errors.Is(err, ErrIdle), errors.Is(err, ErrOver), errors.Is(err, ErrRevoked):
	case err != nil:
		return err
	default:
		e := AuditEntry{ID: "agent/out/" + sn.ID, At: now, Who: a.Login, What: "agent_signed_out"}
		if err := s.tell(ctx, e); err != nil {
			return err
		}
	}
	if err := s.Sessions.Delete(ctx, s.sessionID(token), -1); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}

// The two sorts of token are hashed under labels of their own, so that one is never taken for the other.
func (s *Service) sessionID(token string) string { return s.Vault.Hash("agent-session", token) }
func (s *Service) halfID(token string) string    { return s.Vault.Hash("agent-half", token) }

func newToken() string {
	var b [32]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}
