package agent_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"llave/internal/agent"
	"llave/internal/key"
	"llave/internal/store"
	"llave/internal/store/storetest"
)

func TestParseLogin(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"ana", "ana"}, {" Ana.Paz ", "ana.paz"}, {"a_b-9", "a_b-9"}, {strings.Repeat("a", 32), strings.Repeat("a", 32)},
		{"an", ""}, {strings.Repeat("a", 33), ""}, {"ana paz", ""}, {"añá", ""}, {"ana@paz", ""}, {"", ""}, {"ana\n", "ana"}, {"0000000000", ""}, {"a12345678", "a12345678"},
	} {
		got, err := agent.ParseLogin(c.in)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%q: got %q, %v, want %q", c.in, got, err, c.want)
		}
	}
}

func TestParseName(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"Ana", "Ana"}, {"  Ana   Paz ", "Ana Paz"}, {"Íñ", "Íñ"}, {strings.Repeat("ñ", 40), strings.Repeat("ñ", 40)},
		{"A", ""}, {"", ""}, {strings.Repeat("a", 41), ""}, {"A\x00na", ""}, {"A\u202ena", ""}, {"A\xffna", ""}, {"Ana 000 000 000 0", ""}, {"Ana 12", "Ana 12"},
	} {
		got, err := agent.ParseName(c.in)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%q: got %q, %v, want %q", c.in, got, err, c.want)
		}
	}
}

func TestCheckPassword(t *testing.T) {
	for _, c := range []struct {
		password string
		want     []key.Problem
	}{
		{goodPassword, nil},
		{"corto", []key.Problem{key.TooShort}},
		{"kX9#vQ2$mZp", []key.Problem{key.TooShort}}, // strong enough for a key, not long enough here
		{"aaaaaaaaaaa", []key.Problem{key.TooShort}},
		{"aaaaaaaaaaaa", []key.Problem{key.TooEasy}},
		{"contrasena123", []key.Problem{key.TooEasy}},
		{"lunapersona", []key.Problem{key.TooShort, key.HasName}},
		{"nube verde ana.paz tambor", []key.Problem{key.HasName}},
		{strings.Repeat("nube verde ", 12), []key.Problem{key.TooLong}},
		{"nube\x00verde tambor", []key.Problem{key.Unreadable}},
		{"nube\xffverde", []key.Problem{key.Unreadable}},
	} {
		if got := agent.CheckPassword(c.password, "ana.paz", "Persona Uno"); !slices.Equal(got, c.want) {
			t.Errorf("%q: got %v, want %v", c.password, got, c.want)
		}
	}
}

func TestAdd(t *testing.T) {
	p := newServicePair(t)
	p.add("Ana.Paz", agent.Supervisor)
	for _, c := range []struct {
		login, name, password string
		role                  agent.Role
		want                  error
	}{
		{"ana.paz", "Otra", goodPassword, agent.Member, agent.ErrTaken},
		{"a", "Otra", goodPassword, agent.Member, agent.ErrLogin},
		{"Unknown", "Otra", goodPassword, agent.Member, agent.ErrLogin}, // the audit says so of nobody
		{"owner", "Otra", goodPassword, agent.Member, agent.ErrLogin},
		{"otra", "", goodPassword, agent.Member, agent.ErrName},
		{"otra", "Otra", goodPassword, "boss", agent.ErrRole},
	} {
		_, err := p.one.Add(t.Context(), agent.CommandLine, agent.Newcomer{Login: c.login, Name: c.name, Role: c.role}, c.password)
		wantErr(t, c.login, err, c.want)
	}
	var weak *agent.Weak
	if _, err := p.one.Add(t.Context(), agent.CommandLine, agent.Newcomer{Login: "otra", Name: "Otra", Role: agent.Member}, ""); !errors.As(err, &weak) {
		t.Errorf("no password: got %v, want it refused", err)
	}
	all, err := p.two.List(t.Context())
	if err != nil || len(all) != 1 || all[0].Login != "ana.paz" || all[0].Role != agent.Supervisor || all[0].SecondFactor() {
		t.Errorf("got %+v, %v", all, err)
	}
	if s := fmt.Sprintf("%v %+v %#v", all[0], all[0], &all[0]); strings.Contains(s, "argon2") {
		t.Errorf("printing an agent shows the hash: %s", s)
	}
	if got := p.what(); !reflect.DeepEqual(got, []string{"command line agent_added"}) {
		t.Errorf("audit: got %q", got)
	}
}

// Of many processes that add one login, one does.
func TestAdd_atOnce(t *testing.T) {
	p := newServicePair(t)
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() {
			_, errs[i] = p.one.Add(t.Context(), agent.CommandLine, agent.Newcomer{Login: "ana", Name: "Persona", Role: agent.Member}, goodPassword)
		})
	}
	wg.Wait()
	added := 0
	for _, err := range errs {
		if err == nil {
			added++
		} else if !errors.Is(err, agent.ErrTaken) {
			t.Error(err)
		}
	}
	if added != 1 {
		t.Errorf("%d were added, want 1", added)
	}
}

// Disabling, another role and a new password end what is signed in, in every process, at once; a new name does not.
func TestChanges_endSessions(t *testing.T) {
	p := newServicePair(t)
	p.add("sup", agent.Supervisor)
	p.add("ana", agent.Member)
	ctx := t.Context()
	for _, c := range []struct {
		name   string
		change func() error
		want   error
	}{
		{"a new name", func() error { return p.two.Rename(ctx, "sup", "ana", "Ana Nueva") }, nil},
		{"another role", func() error { return p.two.SetRole(ctx, "sup", "ana", agent.Supervisor) }, agent.ErrRevoked},
		{"the same role", func() error { return p.two.SetRole(ctx, "sup", "ana", agent.Supervisor) }, nil},
		{"a new password", func() error { return p.two.SetPassword(ctx, "sup", "ana", goodPassword) }, agent.ErrRevoked},
		{"disabled", func() error { return p.two.Disable(ctx, "sup", "ana") }, agent.ErrRevoked},
	} {
		token := p.signIn("ana")
		if err := c.change(); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		wantErr(t, c.name, live(p.one, ctx, token), c.want)
		_, _, err := p.two.Session(ctx, token)
		wantErr(t, c.name, err, c.want)
	}
	_, err := p.one.SignIn(ctx, "ana", goodPassword, at("192.0.2.1"))
	wantErr(t, "disabled, signing in", err, agent.ErrWrong)
	if err := p.one.Enable(ctx, "sup", "ana"); err != nil {
		t.Error(err)
	}
	p.signIn("ana")
	for _, want := range []string{"sup agent_renamed", "sup agent_role", "sup agent_password", "sup agent_disabled", "sup agent_enabled"} {
		if n := p.audited(want); n != 1 {
			t.Errorf("the audit has %q %d times, want once:\n%q", want, n, p.what())
		}
	}
	wantErr(t, "nobody", p.one.Disable(ctx, "sup", "nadie"), agent.ErrNotFound)
	wantErr(t, "no login", p.one.Enable(ctx, "sup", "?"), agent.ErrNotFound)
}

// From the console the last supervisor who can sign in stays; on the command line not even that one must.
func TestLastSupervisor(t *testing.T) {
	p := newServicePair(t)
	p.add("sup", agent.Supervisor)
	p.add("dos", agent.Supervisor)
	p.add("ana", agent.Member)
	ctx := t.Context()
	if err := p.one.Disable(ctx, "sup", "dos"); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "disable the last", p.one.Disable(ctx, "sup", "sup"), agent.ErrLastSupervisor)
	wantErr(t, "demote the last", p.two.SetRole(ctx, "sup", "sup", agent.Member), agent.ErrLastSupervisor)
	if err := p.one.SetRole(ctx, "sup", "dos", agent.Member); err != nil {
		t.Errorf("demote one who is disabled: %v", err)
	}
	if err := p.one.Disable(ctx, agent.CommandLine, "sup"); err != nil {
		t.Errorf("on the command line: %v", err)
	}
}

// Supervisors who take one another's rights away at once leave one.
func TestLastSupervisor_atOnce(t *testing.T) { storetest.Engines(t, lastSupervisorAtOnce) }

func lastSupervisorAtOnce(t *testing.T, e store.Engine) {
	p := newServicePairOn(t, e)
	ctx := t.Context()
	logins := []string{"uno", "dos", "tres", "cuatro"}
	for _, l := range logins {
		p.add(l, agent.Supervisor)
	}
	for round := range 25 {
		var wg sync.WaitGroup
		for i, l := range logins {
			service := []*agent.Service{p.one, p.two}[i%2]
			wg.Go(func() {
				do := func() error { return service.Disable(ctx, "uno", l) }
				if (i+round)%3 == 0 {
					do = func() error { return service.SetRole(ctx, "uno", l, agent.Member) }
				}
				if err := do(); err != nil && !errors.Is(err, agent.ErrLastSupervisor) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		all, err := p.one.List(ctx)
		if err != nil {
			t.Fatal(err)
		}
		left := 0
		for _, a := range all {
			if a.Role == agent.Supervisor && !a.Disabled {
				left++
			}
			for _, err := range []error{p.one.SetRole(ctx, agent.CommandLine, a.Login, agent.Supervisor), p.one.Enable(ctx, agent.CommandLine, a.Login)} {
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		if left != 1 {
			t.Fatalf("round %d: %d supervisors are left, want 1", round, left)
		}
	}
}

// What a change did is in the audit even when the process died between the two: the next change puts it there.
func TestAudit_afterACrash(t *testing.T) {
	p := newServicePair(t)
	p.add("ana", agent.Member)
	o := p.one.Options
	o.Audit = func(_ context.Context, d agent.AuditEntry) error {
		if d.What == "agent_renamed" {
			return errors.New("died")
		}
		return nil
	}
	if err := agent.New(o).Rename(t.Context(), "sup", "ana", "Ana Nueva"); err == nil {
		t.Error("a change that is not in the audit was called done")
	}
	if n := p.audited("sup agent_renamed"); n != 0 {
		t.Fatalf("it is there %d times already", n)
	}
	if err := p.two.Disable(t.Context(), "sup", "ana"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"sup agent_renamed", "sup agent_disabled"} {
		if n := p.audited(want); n != 1 {
			t.Errorf("%q is there %d times, want once", want, n)
		}
	}
}

func TestChangePassword(t *testing.T) {
	p := newServicePair(t)
	p.add("ana", agent.Member)
	ctx := t.Context()
	mine, other := p.signIn("ana"), p.signIn("ana")
	_, err := p.one.ChangePassword(ctx, mine, "no es esta", otherPassword, at("192.0.2.1"))
	wantErr(t, "wrong present password", err, agent.ErrWrong)
	var weak *agent.Weak
	if _, err = p.one.ChangePassword(ctx, mine, goodPassword, "corta", at("192.0.2.1")); !errors.As(err, &weak) {
		t.Errorf("weak: got %v", err)
	}
	in, err := p.one.ChangePassword(ctx, mine, goodPassword, otherPassword, at("192.0.2.1"))
	if err != nil {
		t.Fatal(err)
	}
	wantErr(t, "the new session", live(p.two, ctx, in.Token.Reveal()), nil)
	wantErr(t, "the old session", live(p.two, ctx, mine), agent.ErrNoSession)
	wantErr(t, "the other browser's", live(p.two, ctx, other), agent.ErrRevoked)
	_, err = p.two.SignIn(ctx, "ana", goodPassword, at("192.0.2.1"))
	wantErr(t, "the old password", err, agent.ErrWrong)
	if _, err = p.two.SignIn(ctx, "ana", otherPassword, at("192.0.2.1")); err != nil {
		t.Errorf("the new password: %v", err)
	}
	for range agent.MaxWrong - 1 {
		_, err = p.one.ChangePassword(ctx, in.Token.Reveal(), "no es esta", goodPassword, at("192.0.2.9"))
		wantErr(t, "guessing in a session", err, agent.ErrWrong)
	}
	_, err = p.one.ChangePassword(ctx, in.Token.Reveal(), "no es esta", goodPassword, at("192.0.2.9"))
	later(t, "the fifth guess", err, agent.FirstWait)
}

func TestSession_ends(t *testing.T) {
	p := newServicePair(t)
	p.add("ana", agent.Member)
	ctx := t.Context()
	token := p.signIn("ana")
	begun := p.clock.Now()
	for p.clock.Now().Sub(begun) < agent.MaxSession-29*time.Minute {
		p.clock.Advance(29 * time.Minute)
		if _, _, err := p.one.Session(ctx, token); err != nil {
			t.Fatalf("after %v of work: %v", p.clock.Now().Sub(begun), err)
		}
	}
	p.clock.Advance(29 * time.Minute)
	_, _, err := p.one.Session(ctx, token)
	wantErr(t, "after twelve hours of work", err, agent.ErrOver)

	token = p.signIn("ana")
	for range 59 {
		p.clock.Advance(30 * time.Second)
		if err := live(p.two, ctx, token); err != nil {
			t.Fatalf("the stream: %v", err)
		}
	}
	if _, _, err = p.one.Session(ctx, token); err != nil {
		t.Errorf("after 29 minutes and a half: %v", err)
	}
	p.clock.Advance(30*time.Minute - time.Millisecond)
	wantErr(t, "just before", live(p.two, ctx, token), nil)
	p.clock.Advance(time.Millisecond)
	wantErr(t, "half an hour after the last action, in spite of the stream", live(p.two, ctx, token), agent.ErrIdle)
	_, _, err = p.one.Session(ctx, token)
	wantErr(t, "an action comes too late", err, agent.ErrIdle)
	if err := p.one.SignOut(ctx, token); err != nil {
		t.Errorf("sign out of what is over: %v", err)
	}
	if n := p.audited("ana agent_signed_out"); n != 0 {
		t.Errorf("the audit says %d times that she signed out", n)
	}
}

func TestSignOut(t *testing.T) {
	p := newServicePair(t)
	p.add("ana", agent.Member)
	token, other := p.signIn("ana"), p.signIn("ana")
	if token == other || len(token) != 43 {
		t.Errorf("tokens %q and %q", token, other)
	}
	for range 2 {
		if err := p.two.SignOut(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	wantErr(t, "signed out", live(p.one, t.Context(), token), agent.ErrNoSession)
	wantErr(t, "the other browser", live(p.one, t.Context(), other), nil)
	wantErr(t, "no token", live(p.one, t.Context(), ""), agent.ErrNoSession)
	if n := p.audited("ana agent_signed_out"); n != 1 {
		t.Errorf("the audit says %d times that she signed out, want once", n)
	}
}
