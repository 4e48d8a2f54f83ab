package agent_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"go.uber.org/goleak"

	"llave/internal/agent"
	"llave/internal/secret"
	"llave/internal/store"
	"llave/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	goodPassword  = "sopa verde con nube y tambor"
	otherPassword = "tambor lento bajo la nube gris"
)

// servicePair is two services, as in two processes, over one store with a clock that the test sets.
type servicePair struct {
	t     *testing.T
	clock *storetest.Clock
	store *store.Store
	alert []string
	one   *agent.Service
	two   *agent.Service
}

func newServicePair(t *testing.T) *servicePair {
	t.Helper()
	clock := storetest.NewClock(time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC))
	p := newServicePairOn(t, storetest.Bolt(t, clock.Now))
	p.clock = clock
	return p
}

// newServicePairOn makes a pair over an engine whose clock nobody sets.
func newServicePairOn(t *testing.T, e store.Engine) *servicePair {
	t.Helper()
	p := &servicePair{t: t, store: store.New(e)}
	vault, err := secret.New(secret.NewDataKey())
	if err != nil {
		t.Fatal(err)
	}
	p.store.Audit.Chain(vault)
	service := func() *agent.Service {
		return agent.New(agent.Options{
			Agents: p.store.Agents, Sessions: p.store.Sessions, Tries: p.store.Tries, Counters: p.store.Counters,
			Audit: p.store.Audit.AppendAgent, Vault: vault, Now: p.store.Now, Idle: 30 * time.Minute,
			Alert: func(what string) { p.alert = append(p.alert, what) },
		})
	}
	p.one, p.two = service(), service()
	return p
}

// at is a stranger's browser in a network.
func at(network string) agent.From { return agent.From{Source: network} }

// known is a browser in a network that a sign-in made known.
func known(network string, in agent.SignedIn) agent.From {
	return agent.From{Source: network, Devices: []string{in.Device.Reveal()}}
}

func (p *servicePair) add(login string, role agent.Role) {
	p.t.Helper()
	if _, err := p.one.Add(p.t.Context(), agent.CommandLine, agent.Newcomer{Login: login, Name: "Persona de Prueba", Role: role}, goodPassword); err != nil {
		p.t.Fatal(err)
	}
}

// signIn signs in with the right password, and fails the test when that is refused.
func (p *servicePair) signIn(login string) string {
	p.t.Helper()
	in, err := p.one.SignIn(p.t.Context(), login, goodPassword, at("192.0.2.1"))
	if err != nil || in.Code {
		p.t.Fatalf("sign in: got %v, code %v", err, in.Code)
	}
	return in.Token.Reveal()
}

// what lists what the audit holds, each as who and what.
func (p *servicePair) what() []string {
	p.t.Helper()
	var all []string
	now, err := p.store.Now(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	err = p.store.Audit.Between(p.t.Context(), time.Time{}, now.Add(time.Hour), func(e store.AuditEntry) bool {
		all = append(all, e.Who+" "+e.What)
		return true
	})
	if err != nil {
		p.t.Fatal(err)
	}
	slices.Sort(all)
	return all
}

func (p *servicePair) audited(line string) (n int) {
	p.t.Helper()
	for _, l := range p.what() {
		if l == line {
			n++
		}
	}
	return n
}

func wantErr(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// later fails the test unless the error says to wait that long.
func later(t *testing.T, what string, err error, wait time.Duration) {
	t.Helper()
	var l *agent.Later
	if !errors.As(err, &l) || l.Wait != wait {
		t.Errorf("%s: got %v (%+v), want to wait %v", what, err, l, wait)
	}
}

// code is what the app on the phone shows now and so much later.
func code(t *testing.T, e agent.Enrolment, at time.Time) string {
	t.Helper()
	c, err := totp.GenerateCode(strings.ReplaceAll(e.Secret(), " ", ""), at)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// secondFactor turns it on for a login and lets its first code be over.
func (p *servicePair) secondFactor(login string) agent.Enrolment {
	p.t.Helper()
	token := p.signIn(login)
	e := p.begin(token)
	if _, _, err := p.one.ConfirmTOTP(p.t.Context(), token, code(p.t, e, p.clock.Now()), at("192.0.2.1")); err != nil {
		p.t.Fatal(err)
	}
	p.clock.Advance(time.Minute)
	return e
}

// begin begins a second factor with a session.
func (p *servicePair) begin(token string) agent.Enrolment {
	p.t.Helper()
	e, err := p.one.BeginTOTP(p.t.Context(), token, goodPassword, at("192.0.2.1"))
	if err != nil {
		p.t.Fatal(err)
	}
	return e
}

// half signs in as far as the code.
func (p *servicePair) half(login string) string {
	p.t.Helper()
	in, err := p.two.SignIn(p.t.Context(), login, goodPassword, at("192.0.2.1"))
	if err != nil || !in.Code {
		p.t.Fatalf("sign in: got %v, code %v, want a code to be asked for", err, in.Code)
	}
	return in.Token.Reveal()
}

func live(s *agent.Service, ctx context.Context, token string) error {
	_, _, err := s.Live(ctx, token)
	return err
}
