package agent_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"llave/internal/agent"
	"llave/internal/store"
	"llave/internal/store/storetest"
)

// Five wrong in a row from one network make it wait, whether anybody has the login or not, in the same words; and after that each
// wrong one twice as long as the one before.
func TestSignIn_growingWaits(t *testing.T) {
	p := newServicePair(t)
	p.add("ana", agent.Member)
	ctx := t.Context()
	for i, login := range []string{"ana", "nadie", "?"} {
		source := at(fmt.Sprint("192.0.2.", i))
		for range agent.MaxWrong - 1 {
			_, err := p.one.SignIn(ctx, login, "no es esta", source)
			wantErr(t, login, err, agent.ErrWrong)
		}
		for n, wait := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 16 * time.Minute, 32 * time.Minute, time.Hour, time.Hour} {
			_, err := p.two.SignIn(ctx, login, "no es esta", source)
			later(t, fmt.Sprint(login, ": the wrong one after ", n, " waits"), err, wait)
			p.clock.Advance(wait / 2)
			_, err = p.two.SignIn(ctx, login, goodPassword, source)
			later(t, login+": while it waits, with the right password", err, wait/2)
			p.clock.Advance(wait / 2)
		}
	}
	if in, err := p.one.SignIn(ctx, "ana", goodPassword, at("192.0.2.0")); err != nil {
		t.Errorf("right, after the wait: %v", err)
	} else if wantErr(t, "signed in", live(p.two, ctx, in.Token.Reveal()), nil); in.Device == "" {
		t.Error("the browser is not known from then on")
	}
	for range agent.MaxWrong - 1 { // the count has begun anew
		_, err := p.one.SignIn(ctx, "ana", "no es esta", at("192.0.2.0"))
		wantErr(t, "again", err, agent.ErrWrong)
	}
	for _, line := range p.what() {
		if strings.Contains(line, "nadie") || strings.Contains(line, "192.") {
			t.Errorf("the audit repeats what was typed, or from where: %q", line)
		}
	}
}

// Whoever guesses keeps nobody out but themself (P740): neither the owner in another network, nor one in the same network whose browser
// signed in before, nor one who is signed in and proves the password.
func TestSignIn_nobodyIsKeptOut(t *testing.T) { storetest.Engines(t, nobodyIsKeptOut) }

func nobodyIsKeptOut(t *testing.T, e store.Engine) {
	p := newServicePairOn(t, e)
	p.add("sup", agent.Supervisor)
	ctx := t.Context()
	in, err := p.one.SignIn(ctx, "sup", goodPassword, at("192.0.2.1"))
	if err != nil {
		t.Fatal(err)
	}
	office := known("192.0.2.1", in)
	for range 3 * agent.SourceTries { // in the office's own network, which is out of tries as well
		_, _ = p.two.SignIn(ctx, "sup", "no es esta", at("192.0.2.1"))
	}
	var refused *agent.Later
	if _, err := p.one.SignIn(ctx, "sup", goodPassword, at("192.0.2.1")); !errors.As(err, &refused) {
		t.Errorf("a stranger's browser there: got %v, want it to wait", err)
	}
	for round := range 3 {
		if _, err := p.one.SignIn(ctx, "sup", goodPassword, office); err != nil {
			t.Errorf("a known browser in the same network, round %d: %v", round, err)
		}
	}
	if _, err := p.one.SignIn(ctx, "sup", goodPassword, at("198.51.100.7")); err != nil {
		t.Errorf("another network: %v", err)
	}
	if err := p.two.Prove(ctx, in.Token.Reveal(), goodPassword, at("192.0.2.1")); err != nil && !errors.As(err, &refused) {
		t.Errorf("proving the password inside: %v", err)
	} else if err != nil {
		t.Errorf("proving the password inside is kept out by strangers: %v", err)
	}
	for range agent.MaxWrong { // a device that was stolen guesses no better than a stranger
		_, err = p.one.SignIn(ctx, "sup", "no es esta", office)
	}
	later(t, "the fifth wrong one of a known browser", err, agent.FirstWait)
	other := agent.From{Source: "192.0.2.50", Devices: []string{strings.Repeat("a", 43), in.Device.Reveal()}}
	if _, err = p.one.SignIn(ctx, "sup", goodPassword, other); !errors.As(err, &refused) {
		t.Errorf("the same browser elsewhere: got %v, want the same wait", err)
	}
	if err := p.one.SetPassword(ctx, agent.CommandLine, "sup", otherPassword); err != nil {
		t.Fatal(err)
	}
	if _, err = p.one.SignIn(ctx, "sup", otherPassword, at("192.0.2.2")); err != nil {
		t.Errorf("after a new password: %v", err)
	}
}

// Who guesses from many networks is told of once, and gets one try from each before it waits; a known browser is spared.
func TestSignIn_manyNetworks(t *testing.T) {
	p := newServicePair(t)
	p.add("sup", agent.Supervisor)
	ctx := t.Context()
	in, err := p.one.SignIn(ctx, "sup", goodPassword, at("192.0.2.1"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range agent.GuessedAt {
		_, err := p.one.SignIn(ctx, "sup", "no es esta", at(fmt.Sprint("net ", i)))
		wantErr(t, fmt.Sprint("network ", i), err, agent.ErrWrong)
	}
	for i := range 3 {
		_, err := p.one.SignIn(ctx, "sup", "no es esta", at(fmt.Sprint("another ", i)))
		later(t, "one more network", err, agent.FirstWait)
	}
	if _, err := p.one.SignIn(ctx, "sup", goodPassword, at("a new one")); err != nil {
		t.Errorf("the owner in a network of their own: %v", err)
	}
	if _, err := p.one.SignIn(ctx, "sup", goodPassword, known("net 1", in)); err != nil {
		t.Errorf("the owner's browser: %v", err)
	}
	if n := p.audited("sup agent_guessed"); n != 1 || !slices.Equal(p.alert, []string{agent.AlertGuessed}) {
		t.Errorf("told %d times in the audit, alerts %q; want once", n, p.alert)
	}
	all, err := p.two.List(ctx)
	if err != nil || !all[0].Guessed.Equal(p.clock.Now()) {
		t.Errorf("listed as guessed at since %v, %v", all[0].Guessed, err)
	}
	p.clock.Advance(24 * time.Hour)
	_, err = p.one.SignIn(ctx, "sup", "no es esta", at("the next day"))
	wantErr(t, "the next day", err, agent.ErrWrong)
	if all, err = p.two.List(ctx); err != nil || !all[0].Guessed.IsZero() {
		t.Errorf("listed the next day as guessed at since %v, %v", all[0].Guessed, err)
	}
}

// However many guess at once from one network, in two processes, five are judged.
func TestSignIn_atOnce(t *testing.T) { storetest.Engines(t, signInAtOnce) }

func signInAtOnce(t *testing.T, e store.Engine) {
	p := newServicePairOn(t, e)
	p.add("ana", agent.Member)
	var wrong, refused atomic.Int32
	var wg sync.WaitGroup
	for i := range 16 {
		service := []*agent.Service{p.one, p.two}[i%2]
		wg.Go(func() {
			_, err := service.SignIn(t.Context(), "ana", "no es esta", at("192.0.2.1"))
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
	if judged := p.audited("ana agent_sign_in_failed"); judged != agent.MaxWrong || wrong.Load() != agent.MaxWrong-1 || refused.Load() != 16-agent.MaxWrong+1 {
		t.Errorf("%d were judged, %d called wrong and %d told to wait; want 5, 4, 12", judged, wrong.Load(), refused.Load())
	}
}

// One address has twenty tries a minute, for whatever logins.
func TestSignIn_perAddress(t *testing.T) {
	p := newServicePair(t)
	p.add("ana", agent.Member)
	ctx := t.Context()
	for i := range agent.SourceTries {
		_, err := p.one.SignIn(ctx, fmt.Sprint("nadie", i), "no es esta", at("192.0.2.1"))
		wantErr(t, fmt.Sprint("try ", i), err, agent.ErrWrong)
	}
	p.clock.Advance(20 * time.Second)
	_, err := p.two.SignIn(ctx, "ana", goodPassword, at("192.0.2.1"))
	later(t, "one too many, though right", err, 40*time.Second)
	if _, err = p.two.SignIn(ctx, "ana", goodPassword, at("192.0.2.2")); err != nil {
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
		if _, err := p.one.SignIn(ctx, "ana", goodPassword, at("192.0.2.1")); err != nil {
			t.Fatalf("right password %d within a minute: %v", i+1, err)
		}
	}
	for i := range agent.SourceTries {
		_, err := p.one.SignIn(ctx, fmt.Sprint("nadie", i), "no es esta", at("192.0.2.1"))
		wantErr(t, fmt.Sprint("wrong try ", i), err, agent.ErrWrong)
	}
	_, err := p.two.SignIn(ctx, "ana", goodPassword, at("192.0.2.1"))
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
			_, _ = p.one.SignIn(t.Context(), login, "no es esta", at(fmt.Sprint(login, round))) // later on: locked both
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
	mine := p.signIn("ana")
	_, err := p.one.Enrolment(ctx, mine)
	wantErr(t, "not begun", err, agent.ErrEnrolment)
	confirm := func(code string) (in agent.SignedIn, err error) {
		in, _, err = p.one.ConfirmTOTP(ctx, mine, code, at("192.0.2.1"))
		return in, err
	}
	wantErr(t, "a code of nothing", second(confirm("123456")), agent.ErrEnrolment)
	_, err = p.one.BeginTOTP(ctx, mine, "no es esta", at("192.0.2.1"))
	wantErr(t, "begun without the password", err, agent.ErrWrong)
	e := p.begin(mine)
	if !strings.HasPrefix(e.URL(), "otpauth://totp/Llave:ana?") || fmt.Sprint(e) != "[redacted]" || len(e.Secret()) != 39 {
		t.Errorf("got %q, printed %v, secret %q", e.URL(), e, e.Secret())
	}
	if again, err := p.two.Enrolment(ctx, mine); err != nil || again.Secret() != e.Secret() {
		t.Errorf("shown in another process: %v", err)
	}
	if b, err := e.PNG(); err != nil || !strings.HasPrefix(string(b), "\x89PNG") {
		t.Errorf("enrolment code: %v", err)
	}
	p.signIn("ana") // not asked for yet
	wantErr(t, "a wrong code", second(confirm("000000")), agent.ErrCode)
	p.clock.Advance(agent.EnrolmentLife)
	wantErr(t, "too late", second(confirm(code(t, e, p.clock.Now()))), agent.ErrEnrolment)

	e = p.begin(mine)
	on, err := confirm(code(t, e, p.clock.Now()))
	if err != nil {
		t.Fatal(err)
	}
	p.clock.Advance(time.Minute)
	_, err = p.one.Enrolment(ctx, on.Token.Reveal())
	wantErr(t, "shown again", err, agent.ErrEnrolment)
	_, err = p.one.BeginTOTP(ctx, on.Token.Reveal(), goodPassword, at("192.0.2.1"))
	wantErr(t, "another in its place", err, agent.ErrEnrolment)

	half := p.half("ana")
	wantErr(t, "the step before the code is no session", live(p.one, ctx, half), agent.ErrNoSession)
	typed := code(t, e, p.clock.Now())
	in, err := p.one.SignInCode(ctx, half, " "+typed[:3]+" "+typed[3:], at("192.0.2.1"))
	if err != nil {
		t.Fatal(err)
	}
	token := in.Token.Reveal()
	if token == half {
		t.Error("the session goes on with the token of the step before")
	}
	wantErr(t, "signed in", live(p.two, ctx, token), nil)
	wantErr(t, "a session is no step before", second(p.one.HalfSignedIn(ctx, token)), agent.ErrNoSession)
	_, err = p.one.SignInCode(ctx, half, code(t, e, p.clock.Now().Add(30*time.Second)), at("192.0.2.1"))
	wantErr(t, "the step again", err, agent.ErrNoSession)
	_, err = p.one.SignInCode(ctx, p.half("ana"), typed, at("192.0.2.1"))
	wantErr(t, "the code again", err, agent.ErrCode)
	_, err = p.one.SignInCode(ctx, p.half("ana"), code(t, e, p.clock.Now().Add(-30*time.Second)), at("192.0.2.1"))
	wantErr(t, "the code before the one taken", err, agent.ErrCode)
	if _, err = p.one.SignInCode(ctx, p.half("ana"), code(t, e, p.clock.Now().Add(30*time.Second)), at("192.0.2.1")); err != nil {
		t.Errorf("the next code, from a phone half a minute fast: %v", err)
	}

	half = p.half("ana")
	p.clock.Advance(agent.CodeLife)
	_, err = p.one.SignInCode(ctx, half, code(t, e, p.clock.Now()), at("192.0.2.1"))
	wantErr(t, "after five minutes", err, agent.ErrNoSession)

	half = p.half("ana")
	if err := p.two.SetPassword(ctx, "sup", "ana", goodPassword); err != nil {
		t.Fatal(err)
	}
	_, err = p.one.SignInCode(ctx, half, code(t, e, p.clock.Now()), at("192.0.2.1"))
	wantErr(t, "the account changed in between", err, agent.ErrNoSession)

	if in, err = p.one.SignInCode(ctx, p.half("ana"), code(t, e, p.clock.Now()), at("192.0.2.1")); err != nil {
		t.Fatal(err)
	}
	p.clock.Advance(time.Minute)
	end := func(password, code string) (agent.SignedIn, error) {
		return p.one.EndTOTP(ctx, in.Token.Reveal(), password, code, at("192.0.2.1"))
	}
	wantErr(t, "off, wrong password", second(end("no es esta", code(t, e, p.clock.Now()))), agent.ErrWrong)
	wantErr(t, "off, wrong code", second(end(goodPassword, "000000")), agent.ErrCode)
	after, err := end(goodPassword, code(t, e, p.clock.Now()))
	if err != nil {
		t.Fatal(err)
	}
	wantErr(t, "the session goes on", live(p.two, ctx, after.Token.Reveal()), nil)
	p.signIn("ana")
}

func second[T any](_ T, err error) error { return err }

// Whoever knows the password cannot buy more codes with it: it neither begins the count anew nor uses it up, and another network
// is no other count. The owner's known browser is not kept out.
func TestSecondFactor_guessing(t *testing.T) {
	p := newServicePair(t)
	p.add("ana", agent.Member)
	ctx := t.Context()
	in, err := p.one.SignIn(ctx, "ana", goodPassword, at("192.0.2.1"))
	if err != nil {
		t.Fatal(err)
	}
	e := p.secondFactor("ana")
	for range 10 {
		p.half("ana") // asked for, never typed
	}
	p.clock.Advance(time.Minute)
	for i := range agent.MaxWrong {
		_, err := p.two.SignInCode(ctx, p.half("ana"), "000000", at(fmt.Sprint("net ", i)))
		if i < agent.MaxWrong-1 {
			wantErr(t, "a guess", err, agent.ErrCode)
		} else {
			later(t, "the fifth guess", err, agent.FirstWait)
		}
	}
	_, err = p.one.SignInCode(ctx, p.half("ana"), code(t, e, p.clock.Now()), at("another"))
	later(t, "a right code elsewhere", err, agent.FirstWait)
	if n := p.audited("ana agent_code_wrong"); n != agent.MaxWrong {
		t.Errorf("%d codes were judged, want %d", n, agent.MaxWrong)
	}
	if !slices.Contains(p.alert, agent.AlertCodes) {
		t.Errorf("alerts %q: nobody is told", p.alert)
	}
	if _, err = p.one.SignInCode(ctx, p.half("ana"), code(t, e, p.clock.Now()), known("192.0.2.1", in)); err != nil {
		t.Errorf("the owner's browser: %v", err)
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
			_, err := service.SignInCode(t.Context(), half, typed, at("192.0.2.1"))
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
