package agent_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"llave/internal/agent"
	"llave/internal/key"
)

// A password that a supervisor chose is owed a change, from Add and from SetPassword; one's own, or the operator's, is not.
func TestOwes_password(t *testing.T) {
	p := newServicePair(t)
	ctx := t.Context()
	p.add("sup", agent.Supervisor)
	if _, err := p.one.Add(ctx, "sup", agent.Newcomer{Login: "ana", Name: "Persona", Role: agent.Member}, goodPassword); err != nil {
		t.Fatal(err)
	}
	owes := func(login string, want agent.Owed) {
		t.Helper()
		a, err := p.two.Find(ctx, login)
		if got := p.two.Owes(a); err != nil || got != want {
			t.Errorf("%s owes %q, %v; want %q", login, got, err, want)
		}
	}
	owes("sup", agent.OwesNothing)
	owes("ana", agent.OwesPassword)
	_, err := p.one.ChangePassword(ctx, p.signIn("ana"), goodPassword, goodPassword, at("192.0.2.1"))
	wantErr(t, "the same again", err, agent.ErrSame)
	owes("ana", agent.OwesPassword)
	if _, err := p.one.ChangePassword(ctx, p.signIn("ana"), goodPassword, otherPassword, at("192.0.2.1")); err != nil {
		t.Fatal(err)
	}
	owes("ana", agent.OwesNothing)
	if err := p.one.SetPassword(ctx, "sup", "ana", goodPassword); err != nil {
		t.Fatal(err)
	}
	owes("ana", agent.OwesPassword)
	if err := p.one.SetPassword(ctx, agent.CommandLine, "ana", goodPassword); err != nil {
		t.Fatal(err)
	}
	owes("ana", agent.OwesNothing)
}

func TestOwes_secondFactor(t *testing.T) {
	p := newServicePair(t)
	p.add("sup", agent.Supervisor)
	p.add("ana", agent.Member)
	for _, c := range []struct {
		require  agent.Policy
		sup, ana agent.Owed
	}{
		{"", agent.OwesNothing, agent.OwesNothing},
		{agent.Optional, agent.OwesNothing, agent.OwesNothing},
		{agent.Supervisors, agent.OwesSecondFactor, agent.OwesNothing},
		{agent.Everybody, agent.OwesSecondFactor, agent.OwesSecondFactor},
	} {
		o := p.one.Options
		o.Require = c.require
		s := agent.New(o)
		all, err := s.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if ana, sup := s.Owes(all[0]), s.Owes(all[1]); ana != c.ana || sup != c.sup {
			t.Errorf("%q: the agent owes %q, the supervisor %q; want %q and %q", c.require, ana, sup, c.ana, c.sup)
		}
	}
	p.secondFactor("sup")
	o := p.one.Options
	o.Require = agent.Everybody
	a, err := p.one.Find(t.Context(), "sup")
	if err != nil || agent.New(o).Owes(a) != agent.OwesNothing {
		t.Errorf("with a second factor there is still something owed, %v", err)
	}
}

// P741: turning the second factor on ends every other session of the account, and gives ten codes of which each works once.
func TestSecondFactor_recovery(t *testing.T) {
	p := newServicePair(t)
	p.add("ana", agent.Member)
	ctx := t.Context()
	mine, other := p.signIn("ana"), p.signIn("ana")
	e := p.begin(mine)
	in, codes, err := p.one.ConfirmTOTP(ctx, mine, code(t, e, p.clock.Now()), at("192.0.2.1"))
	if err != nil {
		t.Fatal(err)
	}
	wantErr(t, "the browser that turned it on", live(p.two, ctx, in.Token.Reveal()), nil)
	wantErr(t, "its old token", live(p.two, ctx, mine), agent.ErrNoSession)
	wantErr(t, "another browser", live(p.two, ctx, other), agent.ErrRevoked)
	if len(codes) != 10 || len(codes[0]) != 11 || fmt.Sprint(codes) != "[redacted]" {
		t.Errorf("got %d codes, printed %v", len(codes), codes)
	}
	a, err := p.one.Find(ctx, "ana")
	if err != nil || len(a.Recovery) != 10 || strings.Contains(strings.Join(a.Recovery, " "), codes[0]) {
		t.Errorf("kept %q, %v", a.Recovery, err)
	}
	use := func(typed string) error {
		_, err := p.two.SignInCode(ctx, p.half("ana"), typed, at("192.0.2.1"))
		return err
	}
	wantErr(t, "a code for recovery", use(codes[3]), nil)
	wantErr(t, "again", use(codes[3]), agent.ErrCode)
	wantErr(t, "another, as somebody types it", use(" "+strings.ToUpper(strings.ReplaceAll(codes[4], "-", " "))), nil)
	wantErr(t, "nothing", use(""), agent.ErrCode)
	_, err = p.one.RenewRecovery(ctx, "ana", "no es esta", at("192.0.2.1"))
	wantErr(t, "new ones without the password", err, agent.ErrWrong)
	fresh, err := p.one.RenewRecovery(ctx, "ana", goodPassword, at("192.0.2.1"))
	if err != nil {
		t.Fatal(err)
	}
	wantErr(t, "one of before", use(codes[0]), agent.ErrCode)
	wantErr(t, "a new one", use(fresh[0]), nil)
	if err := p.one.RemoveTOTP(ctx, "sup", "ana"); err != nil {
		t.Fatal(err)
	}
	p.signIn("ana")
	_, err = p.one.RenewRecovery(ctx, "ana", goodPassword, at("192.0.2.1"))
	wantErr(t, "new ones without a second factor", err, agent.ErrEnrolment)
}

// Sessions are listed with their browser, and end one by one, all others, or all; those of others are not to be had.
func TestSessions(t *testing.T) {
	p := newServicePair(t)
	p.add("ana", agent.Member)
	p.add("sup", agent.Supervisor)
	ctx := t.Context()
	in := func(login, browser string) string {
		in, err := p.one.SignIn(ctx, login, goodPassword, agent.From{Source: "192.0.2.1", Browser: browser, Network: "192.0.x.x"})
		if err != nil {
			t.Fatal(err)
		}
		p.clock.Advance(time.Second)
		return in.Token.Reveal()
	}
	a, b, c, sup := in("ana", "Firefox, Linux"), in("ana", "Chrome, Android"), in("ana", "Safari, Mac"), in("sup", "Edge, Windows")
	list := func() []agent.Session {
		t.Helper()
		all, err := p.two.SessionsOf(ctx, "ana")
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	all := list()
	if len(all) != 3 || all[0].Browser != "Safari, Mac" || all[2].Network != "192.0.x.x" || !p.two.IsSession(all[2], a) || p.two.IsSession(all[2], b) {
		t.Fatalf("listed %+v", all)
	}
	if err := p.two.EndSession(ctx, sup, all[1].ID); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "another account's", live(p.one, ctx, b), nil)
	if err := p.two.EndSession(ctx, a, all[1].ID); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "ended", live(p.one, ctx, b), agent.ErrNoSession)
	if err := p.two.EndOthers(ctx, c); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "one of the others", live(p.one, ctx, a), agent.ErrNoSession)
	wantErr(t, "one's own", live(p.one, ctx, c), nil)
	wantErr(t, "somebody else's", live(p.one, ctx, sup), nil)
	if err := p.two.EndSessions(ctx, "sup", "ana"); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "ended by a supervisor", live(p.one, ctx, c), agent.ErrRevoked)
	in("ana", "Firefox, Linux")
	p.clock.Advance(30 * time.Minute)
	if all := list(); len(all) != 0 {
		t.Errorf("listed after half an hour: %+v", all)
	}
}

// The password that was typed is good for a quarter of an hour, and can be typed again.
func TestProve(t *testing.T) {
	p := newServicePair(t)
	p.add("ana", agent.Member)
	ctx := t.Context()
	token := p.signIn("ana")
	fresh := func(want bool) {
		t.Helper()
		_, sn, err := p.two.Session(ctx, token)
		if err != nil || sn.Fresh != want {
			t.Errorf("fresh is %v, %v; want %v", sn.Fresh, err, want)
		}
	}
	fresh(true)
	p.clock.Advance(agent.ProofLife - time.Second)
	fresh(true)
	p.clock.Advance(time.Second)
	fresh(false)
	wantErr(t, "wrong", p.one.Prove(ctx, token, "no es esta", at("192.0.2.1")), agent.ErrWrong)
	fresh(false)
	wantErr(t, "right", p.one.Prove(ctx, token, goodPassword, at("192.0.2.1")), nil)
	fresh(true)
}

// A hash of a version before is right, and is made anew at the next sign-in, in less memory.
func TestSignIn_hashOfBefore(t *testing.T) {
	p := newServicePair(t)
	p.add("ana", agent.Member)
	ctx := t.Context()
	a, err := p.one.Find(ctx, "ana")
	if err != nil {
		t.Fatal(err)
	}
	if a.Hash, err = key.Hash(ctx, goodPassword); err != nil {
		t.Fatal(err)
	}
	before := a.Hash
	if err := p.store.Agents.Save(ctx, &a); err != nil {
		t.Fatal(err)
	}
	_, err = p.one.SignIn(ctx, "ana", "no es esta", at("192.0.2.1"))
	wantErr(t, "wrong", err, agent.ErrWrong)
	token := p.signIn("ana")
	a, err = p.one.Find(ctx, "ana")
	if err != nil || a.Hash == before || key.Large(a.Hash) || !key.Large(before) {
		t.Errorf("the hash stayed as it was: %v", err)
	}
	wantErr(t, "signed in", live(p.two, ctx, token), nil)
	p.signIn("ana")
}

// A browser is known for half a year, and ten of an account are.
func TestDevices(t *testing.T) {
	p := newServicePair(t)
	p.add("ana", agent.Member)
	ctx := t.Context()
	in, err := p.one.SignIn(ctx, "ana", goodPassword, at("192.0.2.1"))
	if err != nil {
		t.Fatal(err)
	}
	browser := known("192.0.2.1", in)
	knows := func(want bool) {
		t.Helper()
		a, err := p.one.Find(ctx, "ana")
		if err != nil || len(a.Devices) > 10 || strings.Contains(fmt.Sprintf("%q", a.Devices), in.Device.Reveal()) {
			t.Errorf("%d devices, %v", len(a.Devices), err)
		}
		for range agent.MaxWrong {
			_, _ = p.two.SignIn(ctx, "ana", "no es esta", at("192.0.2.1"))
		}
		again, err := p.two.SignIn(ctx, "ana", goodPassword, browser)
		if (err == nil) != want {
			t.Errorf("signed in: %v, want the browser known: %v", err, want)
		}
		if want && again.Device != in.Device {
			t.Error("the browser got another token")
		}
		p.clock.Advance(2 * time.Hour)
	}
	knows(true)
	p.clock.Advance(agent.DeviceLife - 3*time.Hour)
	knows(true)
	p.clock.Advance(agent.DeviceLife)
	knows(false)
	if in, err = p.one.SignIn(ctx, "ana", goodPassword, at("192.0.2.1")); err != nil {
		t.Fatal(err)
	}
	browser = known("192.0.2.1", in)
	for i := range 10 {
		if _, err := p.one.SignIn(ctx, "ana", goodPassword, at(fmt.Sprint("net ", i))); err != nil {
			t.Fatal(err)
		}
		p.clock.Advance(time.Second)
	}
	knows(false)
}

// The secret of a second factor is shown to the session alone with which the password was proved for it: who took another session of the
// account neither sees it nor turns it on with it. The code is no password: it makes nothing fresh again.
func TestSecondFactor_ofOneSession(t *testing.T) {
	p := newServicePair(t)
	p.add("ana", agent.Member)
	ctx := t.Context()
	mine, taken := p.signIn("ana"), p.signIn("ana")
	e := p.begin(mine)
	_, err := p.two.Enrolment(ctx, taken)
	wantErr(t, "the secret in another session", err, agent.ErrEnrolment)
	_, _, err = p.two.ConfirmTOTP(ctx, taken, code(t, e, p.clock.Now()), at("198.51.100.7"))
	wantErr(t, "turned on by another session", err, agent.ErrEnrolment)
	if again, err := p.two.Enrolment(ctx, mine); err != nil || again.Secret() != e.Secret() {
		t.Errorf("the secret in its own session, of another process: %v", err)
	}
	p.clock.Advance(agent.EnrolmentLife - time.Second)
	in, _, err := p.two.ConfirmTOTP(ctx, mine, code(t, e, p.clock.Now()), at("192.0.2.1"))
	if err != nil {
		t.Fatal(err)
	}
	if _, sn, err := p.one.Live(ctx, in.Token.Reveal()); err != nil || !sn.Fresh {
		t.Errorf("before a quarter of an hour is over: %+v, %v", sn, err)
	}
	p.clock.Advance(time.Second)
	if _, sn, err := p.one.Live(ctx, in.Token.Reveal()); err != nil || sn.Fresh {
		t.Errorf("a code has made the session fresh: %+v, %v", sn, err)
	}
}

// Who sits at an open session and has the password too cannot guess the code with which the second factor is taken off: each right
// password, there or elsewhere, leaves the count of codes as it is.
func TestSecondFactor_guessingInside(t *testing.T) {
	p := newServicePair(t)
	p.add("ana", agent.Member)
	ctx := t.Context()
	e := p.secondFactor("ana")
	in, err := p.one.SignInCode(ctx, p.half("ana"), code(t, e, p.clock.Now()), at("192.0.2.1"))
	if err != nil {
		t.Fatal(err)
	}
	token := in.Token.Reveal()
	p.clock.Advance(time.Minute)
	for range 40 {
		if err := p.two.Prove(ctx, token, goodPassword, at("192.0.2.1")); err != nil {
			t.Fatal(err)
		}
		_, err = p.two.EndTOTP(ctx, token, goodPassword, "000000", at("192.0.2.1"))
	}
	later(t, "the fortieth guess", err, agent.FirstWait)
	if n := p.audited("ana agent_code_wrong"); n != agent.MaxWrong {
		t.Errorf("%d codes were judged, want %d", n, agent.MaxWrong)
	}
	if !slices.Contains(p.alert, agent.AlertCodes) {
		t.Error("nobody was told")
	}
	p.clock.Advance(agent.FirstWait)
	if _, err := p.one.EndTOTP(ctx, token, goodPassword, code(t, e, p.clock.Now()), at("192.0.2.1")); err != nil {
		t.Errorf("the right code after the wait: %v", err)
	}
}

// Logins that nobody has are told to the audit once a minute, however many are tried, by two processes too; those of an account each time.
func TestSignIn_unknownFillNothing(t *testing.T) {
	p := newServicePair(t)
	p.add("ana", agent.Member)
	const tries = 30
	for i := range tries {
		for _, s := range []*agent.Service{p.one, p.two} {
			_, err := s.SignIn(t.Context(), fmt.Sprint("nobody-", i), goodPassword, at(fmt.Sprint("net ", i)))
			wantErr(t, "nobody's login", err, agent.ErrWrong)
		}
		if i < agent.MaxWrong-1 {
			_, err := p.one.SignIn(t.Context(), "ana", otherPassword, at("192.0.2.1"))
			wantErr(t, "a wrong password", err, agent.ErrWrong)
		}
	}
	if n := p.audited("unknown agent_sign_in_failed"); n != 1 {
		t.Errorf("%d lines of nobody within a minute, want 1", n)
	}
	if n := p.audited("ana agent_sign_in_failed"); n != agent.MaxWrong-1 {
		t.Errorf("%d lines of an account, want %d", n, agent.MaxWrong-1)
	}
	p.clock.Advance(time.Minute)
	_, err := p.one.SignIn(t.Context(), "nobody", goodPassword, at("192.0.2.1"))
	wantErr(t, "a minute later", err, agent.ErrWrong)
	if n := p.audited("unknown agent_sign_in_failed"); n != 2 {
		t.Errorf("%d lines a minute later, want 2", n)
	}
}

// begunTries says that a try was begun, which is then judged.
type begunTries struct {
	agent.TryBook
	begun chan struct{}
}

func (b *begunTries) Save(ctx context.Context, t *agent.Tries) error {
	defer func() { b.begun <- struct{}{} }()
	return b.TryBook.Save(ctx, t)
}

// Whoever is disabled, or given another password, while a change of their own waits for its password to be judged does not win by having
// begun earlier.
func TestChange_begunBefore(t *testing.T) {
	for name, takes := range map[string]func(p *servicePair) error{
		"another password": func(p *servicePair) error { return p.two.SetPassword(t.Context(), "sup", "ana", otherPassword) },
		"disabled":         func(p *servicePair) error { return p.two.Disable(t.Context(), "sup", "ana") },
		"sessions ended":   func(p *servicePair) error { return p.two.EndSessions(t.Context(), "sup", "ana") },
	} {
		for what, begins := range map[string]func(p *servicePair, token string) error{
			"password": func(p *servicePair, token string) error {
				_, err := p.one.ChangePassword(t.Context(), token, goodPassword, "piedra azul sobre mesa redonda", at("192.0.2.1"))
				return err
			},
			"second factor": func(p *servicePair, token string) error {
				_, err := p.one.BeginTOTP(t.Context(), token, goodPassword, at("192.0.2.1"))
				return err
			},
		} {
			p := newServicePair(t)
			p.add("sup", agent.Supervisor)
			p.add("ana", agent.Member)
			p.one.KnownPasswords = key.NewQueue(1, 16, time.Minute)
			leave, err := p.one.KnownPasswords.Enter(t.Context()) // somebody's password is being judged
			if err != nil {
				t.Fatal(err)
			}
			token, ended := p.signIn("ana"), make(chan error, 1)
			begun := &begunTries{TryBook: p.one.Tries, begun: make(chan struct{}, 10)}
			p.one.Tries = begun
			go func() { ended <- begins(p, token) }()
			<-begun.begun
			if err := takes(p); err != nil {
				t.Fatal(err)
			}
			leave()
			wantErr(t, name+" meanwhile: "+what, <-ended, agent.ErrRevoked)
			a, err := p.two.Find(t.Context(), "ana")
			if err != nil || a.NewTOTP != "" || name == "another password" && !a.MustChange {
				t.Errorf("%s meanwhile: %s: got %+v, %v", name, what, a, err)
			}
		}
	}
}
