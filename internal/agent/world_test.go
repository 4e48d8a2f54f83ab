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

// world is two services, as in two processes, over one store with a clock that the test sets.
type world struct {
	t     *testing.T
	clock *storetest.Clock
	store *store.Store
	one   *agent.Service
	two   *agent.Service
}

func newWorld(t *testing.T) *world {
	t.Helper()
	clock := storetest.NewClock(time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC))
	w := newWorldOn(t, storetest.Bolt(t, clock.Now))
	w.clock = clock
	return w
}

// newWorldOn makes a world over an engine, whose clock nobody sets.
func newWorldOn(t *testing.T, e store.Engine) *world {
	t.Helper()
	w := &world{t: t, store: store.New(e)}
	vault, err := secret.New(secret.NewDataKey())
	if err != nil {
		t.Fatal(err)
	}
	service := func() *agent.Service {
		return agent.New(agent.Options{
			Agents: w.store.Agents, Sessions: w.store.Sessions, Tries: w.store.Tries, Counters: w.store.Counters,
			Audit: w.store.Audit.AppendAgent, Vault: vault, Now: w.store.Now, Idle: 30 * time.Minute,
		})
	}
	w.one, w.two = service(), service()
	return w
}

func (w *world) add(login string, role agent.Role) {
	w.t.Helper()
	if _, err := w.one.Add(w.t.Context(), agent.CommandLine, agent.Newcomer{Login: login, Name: "Persona de Prueba", Role: role}, goodPassword); err != nil {
		w.t.Fatal(err)
	}
}

// signIn signs in with the right password, and fails the test when that is refused.
func (w *world) signIn(login string) string {
	w.t.Helper()
	in, err := w.one.SignIn(w.t.Context(), login, goodPassword, "192.0.2.1")
	if err != nil || in.Code {
		w.t.Fatalf("sign in: got %v, code %v", err, in.Code)
	}
	return in.Token.Reveal()
}

// what lists what the audit holds, each as who and what.
func (w *world) what() []string {
	w.t.Helper()
	var all []string
	now, err := w.store.Now(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	err = w.store.Audit.Between(w.t.Context(), time.Time{}, now.Add(time.Hour), func(e store.AuditEntry) bool {
		all = append(all, e.Who+" "+e.What)
		return true
	})
	if err != nil {
		w.t.Fatal(err)
	}
	slices.Sort(all)
	return all
}

func (w *world) audited(line string) (n int) {
	w.t.Helper()
	for _, l := range w.what() {
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
func (w *world) secondFactor(login string) agent.Enrolment {
	w.t.Helper()
	e, err := w.one.BeginTOTP(w.t.Context(), login)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.one.ConfirmTOTP(w.t.Context(), login, code(w.t, e, w.clock.Now())); err != nil {
		w.t.Fatal(err)
	}
	w.clock.Advance(time.Minute)
	return e
}

// half signs in as far as the code.
func (w *world) half(login string) string {
	w.t.Helper()
	in, err := w.two.SignIn(w.t.Context(), login, goodPassword, "192.0.2.1")
	if err != nil || !in.Code {
		w.t.Fatalf("sign in: got %v, code %v, want a code to be asked for", err, in.Code)
	}
	return in.Token.Reveal()
}

func live(s *agent.Service, ctx context.Context, token string) error {
	_, _, err := s.Live(ctx, token)
	return err
}
