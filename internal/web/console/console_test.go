package console_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"llave/internal/agent"
	"llave/internal/web/console"
	"llave/internal/web/console/consoletest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Who signs out, or is in pause, and what a page that reloads itself counts for.
func TestPresence(t *testing.T) {
	d := consoletest.NewDesk(t).Process()
	of := d.Ask("1")
	ana := d.As("ana")
	ana.Get("/agentes").Want(t, http.StatusOK, "Disponible")
	if got := d.Present("ana"); !got.Here(d.Clock.Now()) || got.Away {
		t.Errorf("presence: got %+v, want there and on duty", got)
	}
	ana.Post("/agentes/pausa", "pausa", "si", "volver", console.CasePath+of.Ref).To(t, console.CasePath+of.Ref)
	ana.Get("/agentes").Want(t, http.StatusOK, "En pausa")
	d.Clock.Advance(40 * time.Second)
	ana.Post("/agentes/latido").Want(t, http.StatusOK, `"idle":1760`)
	if got := d.Present("ana"); !got.Away {
		t.Errorf("presence: got %+v, want in pause", got)
	}
	ana.Post("/agentes/pausa", "pausa", "no", "volver", "https://elsewhere.example/").To(t, "/agentes")

	d.Claim("ana", of)
	ana.Post("/agentes/salir").To(t, "/agentes/entrar?fin")
	if got := d.Find(of.Ref); !got.Waiting() {
		t.Errorf("after signing out: got %s, want the case in the queue", got.Status)
	}

	ana = d.As("ana")
	for range 4 { // the page reloads itself for longer than one may do nothing
		d.Clock.Advance(9 * time.Minute)
		ana.Get("/agentes?ver=espera&recarga=")
	}
	ana.Get("/agentes").To(t, "/agentes/entrar")
}

// In a frame of our own site, where whoever comes is signed in.
func TestEmbedded(t *testing.T) {
	d := consoletest.NewDesk(t)
	p := d.Process(func(o *console.Options) {
		o.Embed = true
		o.AutoSignIn = func(ctx context.Context) (agent.SignedIn, error) {
			return d.Agents.SignIn(ctx, "ana", consoletest.Password, agent.From{Source: "192.0.2.9"})
		}
	})
	b := p.Browser()
	b.Get("/agentes?ver=mios").To(t, "/agentes?ver=mios")
	got := b.Get("/agentes?ver=mios").Want(t, http.StatusOK, "Disponible").Header.Get("Content-Security-Policy")
	if !strings.Contains(got, "frame-ancestors 'self'") || strings.Contains(got, "unsafe") {
		t.Errorf("policy: got %q", got)
	}
	b.Get("/agentes/cuenta").Want(t, http.StatusOK, "Mi cuenta", "Disponible")
	b.Post("/agentes/salir").To(t, "/agentes/entrar?fin")
	b.Get("/agentes/entrar?fin").To(t, "/agentes")

	apart := d.Process().Browser()
	apart.SignIn("ana", consoletest.Password)
	if got := apart.Get("/agentes").Header.Get("Content-Security-Policy"); !strings.Contains(got, "frame-ancestors 'none'") {
		t.Errorf("policy: got %q", got)
	}
}

// Waiting for cases on duty is no idleness; on a break it is, unless the agent says that they are there; twelve hours are the end (P768).
func TestBeat_session(t *testing.T) {
	d := consoletest.NewDesk(t).Process()
	ana := d.As("ana")
	ana.Get("/agentes").Want(t, http.StatusOK, "Disponible")
	for range 6 {
		d.Clock.Advance(25 * time.Minute)
		ana.Post("/agentes/latido").Want(t, http.StatusOK, `"idle":1800`)
	}
	ana.Post("/agentes/pausa", "pausa", "si", "volver", "/agentes").To(t, "/agentes")
	d.Clock.Advance(28 * time.Minute)
	ana.Post("/agentes/latido").Want(t, http.StatusOK, `"idle":120`)
	ana.Post("/agentes/latido", "sigo", "si").Want(t, http.StatusOK, `"idle":1800`)
	d.Clock.Advance(31 * time.Minute)
	ana.Do(http.MethodPost, "/agentes/latido", nil, "Sec-Fetch-Dest", "empty").Want(t, http.StatusUnauthorized)

	ana.SignIn("ana", consoletest.Password).To(t, "/agentes")
	ana.Post("/agentes/pausa", "pausa", "no", "volver", "/agentes").To(t, "/agentes")
	for range 35 {
		d.Clock.Advance(20 * time.Minute)
		ana.Post("/agentes/latido").Want(t, http.StatusOK, `"idle":1800`)
	}
	d.Clock.Advance(20 * time.Minute)
	ana.Do(http.MethodPost, "/agentes/latido", nil, "Sec-Fetch-Dest", "empty").Want(t, http.StatusUnauthorized)
}
