package agent_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"llave/internal/agent"
	"llave/internal/store"
	"llave/internal/store/storetest"
)

// Five wrong in a row lock a login, whether anybody has it or not, in the same words.
func TestSignIn_lock(t *testing.T) {
	p := newServicePair(t)
	p.add("ana", agent.Member)
	ctx := t.Context()
	for i, login := range []string{"ana", "nadie", "?"} {
		source := fmt.Sprint("192.0.2.", i)
		for range agent.MaxWrong - 1 {
			_, err := p.one.SignIn(ctx, login, "no es esta", source)
			wantErr(t, login, err, agent.ErrWrong)
		}
		_, err := p.two.SignIn(ctx, login, "no es esta", source)
		later(t, login+": the fifth", err, agent.LockedFor)
		if all, err := p.one.List(ctx); err != nil || login == "ana" && !all[0].LockedUntil.Equal(p.clock.Now().Add(agent.LockedFor)) {
			t.Errorf("listed as locked until %v, %v", all[0].LockedUntil, err)
		}
		p.clock.Advance(5 * time.Minute)
		_, err = p.two.SignIn(ctx, login, goodPassword, source)
		later(t, login+": locked, with the right password", err, 10*time.Minute)
	}
	p.clock.Advance(10 * time.Minute)
	p.signIn("ana")
	for range agent.MaxWrong - 1 { // the count has begun anew
		_, err := p.one.SignIn(ctx, "ana", "no es esta", "192.0.2.77")
		wantErr(t, "again", err, agent.ErrWrong)
	}
	p.signIn("ana")
	if got := [...]int{p.audited("ana agent_locked"), p.audited("unknown agent_locked"), p.audited("ana agent_sign_in_failed")}; got != [...]int{1, 2, 9} {
		t.Errorf("audit: got %v, want 1, 2, 9", got)
	}
	for _, line := range p.what() {
		if strings.Contains(line, "nadie") || strings.Contains(line, "192.") {
			t.Errorf("the audit repeats what was typed, or from where: %q", line)
		}
	}
}

// However many guess at once, in two processes, five are judged.
func TestSignIn_atOnce(t *testing.T) { storetest.Engines(t, signInAtOnce) }

func signInAtOnce(t *testing.T, e store.Engine) {
	p := newServicePairOn(t, e)
	p.add("ana", agent.Member)
	var wrong, refused atomic.Int32
	var wg sync.WaitGroup
	for i := range 32 {
		service := []*agent.Service{p.one, p.two}[i%2]
		wg.Go(func() {
			_, err := service.SignIn(t.Context(), "ana", "no es esta", fmt.Sprint("192.0.2.", i))
			var l *agent.Later
			switch {
			case errors.Is(err, agent.ErrWrong):
				wrong.Add(1)
			case errors.As(err, &l):
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if judged := p.audited("ana agent_sign_in_failed"); judged != agent.MaxWrong || wrong.Load() != agent.MaxWrong-1 || refused.Load() != 32-agent.MaxWrong+1 {
		t.Errorf("%d were judged, %d called wrong and %d told to wait; want 5, 4, 28", judged, wrong.Load(), refused.Load())
	}
}

// One address has twenty tries a minute, for whatever logins.
func TestSignIn_perAddress(t *testing.T) {
	p := newServicePair(t)
	p.add("ana", agent.Member)
	ctx := t.Context()
	for i := range agent.SourceTries {
		_, err := p.one.SignIn(ctx, fmt.Sprint("nadie", i), "no es esta", "192.0.2.1")
		wantErr(t, fmt.Sprint("try ", i), err, agent.ErrWrong)
	}
	p.clock.Advance(20 * time.Second)
	_, err := p.two.SignIn(ctx, "ana", goodPassword, "192.0.2.1")
	later(t, "one too many, though right", err, 40*time.Second)
	if _, err = p.two.SignIn(ctx, "ana", goodPassword, "192.0.2.2"); err != nil {
		t.Errorf("another address: %v", err)
	}
	p.clock.Advance(40 * time.Second)
	p.signIn("ana")
}

// An office behind one address is not kept out by its own right passwords, with a code or without.
func TestSignIn_officeBehindOneAddress(t *testing.T) {
	p := newServicePair(t)
	p.add("ana", agent.Member)
	ctx := t.Context()
	for i := range 2*agent.SourceTries + 5 {
		if _, err := p.one.SignIn(ctx, "ana", goodPassword, "192.0.2.1"); err != nil {
			t.Fatalf("right password %d within a minute: %v", i+1, err)
		}
	}
	for i := range agent.SourceTries {
		_, err := p.one.SignIn(ctx, fmt.Sprint("nadie", i), "no es esta", "192.0.2.1")
		wantErr(t, fmt.Sprint("wrong try ", i), err, agent.ErrWrong)
	}
	_, err := p.two.SignIn(ctx, "ana", goodPassword, "192.0.2.1")
	later(t, "one more than the wrong ones allow", err, time.Minute)
}

// What nobody has an account for takes as long as an account: the same work is done.
func TestSignIn_sameWork(t *testing.T) {
	p := newServicePair(t)
	p.add("ana", agent.Member)
	took := map[string]time.Duration{}
	for round := range 8 {
		for _, login := range []string{"ana", "nadie"} {
			start := time.Now()
			_, _ = p.one.SignIn(t.Context(), login, "no es esta", fmt.Sprint(login, round)) // later on: locked both
			if d := time.Since(start); took[login] == 0 || d < took[login] && round < agent.MaxWrong {
				took[login] = d
			}
		}
	}
	if ratio := float64(took["ana"]) / float64(took["nadie"]); ratio > 4 || ratio < 0.25 {
		t.Errorf("an account takes %v, none %v", took["ana"], took["nadie"])
	}
}

// TestSecondFactor shows P508.
func TestSecondFactor(t *testing.T) {
	p := newServicePair(t)
	p.add("ana", agent.Member)
	ctx := t.Context()
	_, err := p.one.Enrolment(ctx, "ana")
	wantErr(t, "not begun", err, agent.ErrEnrolment)
	wantErr(t, "a code of nothing", p.one.ConfirmTOTP(ctx, "ana", "123456"), agent.ErrEnrolment)

	e, err := p.one.BeginTOTP(ctx, "ana")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(e.URL(), "otpauth://totp/Llave:ana?") || fmt.Sprint(e) != "[redacted]" || len(e.Secret()) != 39 {
		t.Errorf("got %q, printed %v, secret %q", e.URL(), e, e.Secret())
	}
	if again, err := p.two.Enrolment(ctx, "ana"); err != nil || again.Secret() != e.Secret() {
		t.Errorf("shown in another process: %v", err)
	}
	if b, err := e.PNG(); err != nil || !strings.HasPrefix(string(b), "\x89PNG") {
		t.Errorf("enrolment code: %v", err)
	}
	p.signIn("ana") // not asked for yet
	wantErr(t, "a wrong code", p.one.ConfirmTOTP(ctx, "ana", "000000"), agent.ErrCode)
	p.clock.Advance(agent.EnrolmentLife)
	wantErr(t, "too late", p.one.ConfirmTOTP(ctx, "ana", code(t, e, p.clock.Now())), agent.ErrEnrolment)

	e = p.secondFactor("ana")
	_, err = p.one.Enrolment(ctx, "ana")
	wantErr(t, "shown again", err, agent.ErrEnrolment)
	_, err = p.one.BeginTOTP(ctx, "ana")
	wantErr(t, "another in its place", err, agent.ErrEnrolment)

	half := p.half("ana")
	wantErr(t, "the step before the code is no session", live(p.one, ctx, half), agent.ErrNoSession)
	typed := code(t, e, p.clock.Now())
	in, err := p.one.SignInCode(ctx, half, " "+typed[:3]+" "+typed[3:], "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	token := in.Token.Reveal()
	if token == half {
		t.Error("the session goes on with the token of the step before")
	}
	wantErr(t, "signed in", live(p.two, ctx, token), nil)
	wantErr(t, "a session is no step before", second(p.one.HalfSignedIn(ctx, token)), agent.ErrNoSession)
	_, err = p.one.SignInCode(ctx, half, code(t, e, p.clock.Now().Add(30*time.Second)), "192.0.2.1")
	wantErr(t, "the step again", err, agent.ErrNoSession)
	_, err = p.one.SignInCode(ctx, p.half("ana"), typed, "192.0.2.1")
	wantErr(t, "the code again", err, agent.ErrCode)
	_, err = p.one.SignInCode(ctx, p.half("ana"), code(t, e, p.clock.Now().Add(-30*time.Second)), "192.0.2.1")
	wantErr(t, "the code before the one taken", err, agent.ErrCode)
	if _, err = p.one.SignInCode(ctx, p.half("ana"), code(t, e, p.clock.Now().Add(30*time.Second)), "192.0.2.1"); err != nil {
		t.Errorf("the next code, from a phone half a minute fast: %v", err)
	}

	half = p.half("ana")
	p.clock.Advance(agent.CodeLife)
	_, err = p.one.SignInCode(ctx, half, code(t, e, p.clock.Now()), "192.0.2.1")
	wantErr(t, "after five minutes", err, agent.ErrNoSession)

	half = p.half("ana")
	if err := p.two.SetPassword(ctx, "sup", "ana", goodPassword); err != nil {
		t.Fatal(err)
	}
	_, err = p.one.SignInCode(ctx, half, code(t, e, p.clock.Now()), "192.0.2.1")
	wantErr(t, "the account changed in between", err, agent.ErrNoSession)

	wantErr(t, "off, wrong password", p.one.EndTOTP(ctx, "ana", "no es esta", "192.0.2.1"), agent.ErrWrong)
	if err := p.one.EndTOTP(ctx, "ana", goodPassword, "192.0.2.1"); err != nil {
		t.Fatal(err)
	}
	p.signIn("ana")
}

func second[T any](_ T, err error) error { return err }

// Whoever knows the password cannot buy more codes with it: it neither begins the count anew nor uses it up.
func TestSecondFactor_guessing(t *testing.T) {
	p := newServicePair(t)
	p.add("ana", agent.Member)
	p.secondFactor("ana")
	ctx := t.Context()
	for range 10 {
		p.half("ana") // asked for, never typed
	}
	p.clock.Advance(time.Minute)
	for i := range agent.MaxWrong {
		_, err := p.two.SignInCode(ctx, p.half("ana"), "000000", "192.0.2.1")
		if i < agent.MaxWrong-1 {
			wantErr(t, "a guess", err, agent.ErrCode)
		} else {
			later(t, "the fifth guess", err, agent.LockedFor)
		}
	}
	_, err := p.one.SignIn(ctx, "ana", goodPassword, "192.0.2.1")
	later(t, "the password again", err, agent.LockedFor)
	if n := p.audited("ana agent_code_wrong"); n != agent.MaxWrong {
		t.Errorf("%d codes were judged, want %d", n, agent.MaxWrong)
	}
}

// One code that is typed in many browsers at once lets one in.
func TestSecondFactor_atOnce(t *testing.T) {
	p := newServicePair(t)
	p.add("ana", agent.Member)
	e := p.secondFactor("ana")
	var halves []string
	for range agent.MaxWrong - 1 {
		halves = append(halves, p.half("ana"))
	}
	typed := code(t, e, p.clock.Now())
	var in atomic.Int32
	var wg sync.WaitGroup
	for i, half := range halves {
		service := []*agent.Service{p.one, p.two}[i%2]
		wg.Go(func() {
			_, err := service.SignInCode(t.Context(), half, typed, "192.0.2.1")
			if err == nil {
				in.Add(1)
			} else if !errors.Is(err, agent.ErrCode) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if in.Load() != 1 {
		t.Errorf("%d were let in, want 1", in.Load())
	}
}
