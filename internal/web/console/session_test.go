package console_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"llave/internal/agent"
	"llave/internal/web/console"
	"llave/internal/web/console/consoletest"
)

func TestFor(t *testing.T) {
	w := consoletest.NewDoor(t, "http")
	b := w.Browser()
	b.Get("/agentes").To(t, "/agentes/entrar")
	b.Get("/agentes/caso/C-1234?ver=notas").To(t, "/agentes/entrar?volver=%2Fagentes%2Fcaso%2FC-1234%3Fver%3Dnotas")
	b.Post("/agentes/caso/C-1234", "texto", "hola").To(t, "/agentes/entrar")
	if p := b.Do(http.MethodGet, "/agentes/vivo", nil, "Sec-Fetch-Dest", "empty"); p.Status != http.StatusUnauthorized || p.Body != "" {
		t.Errorf("a script: got %d %q, want an empty 401", p.Status, p.Body)
	}
	b.SignIn("ana", consoletest.Password).To(t, "/agentes")
	b.Get("/agentes").Want(t, 200, "here is ana")
	b.Get("/agentes/vivo").Want(t, 200, "here is ana")
	b.Post("/agentes/caso/C-1234").Want(t, 200, "here is ana")
	b.Get("/agentes/hoy").Want(t, 403)
	s := w.Browser()
	s.SignIn("sup", consoletest.Password).To(t, "/agentes")
	s.Get("/agentes/hoy").Want(t, 200, "here is sup")
	s.Get("/agentes").Want(t, 200, "here is sup")
}

// After half an hour without an action the page says why; the stream is none.
func TestFor_idle(t *testing.T) {
	w := consoletest.NewDoor(t, "http")
	b := w.Browser()
	b.SignIn("ana", consoletest.Password).To(t, "/agentes")
	for range 59 {
		w.Clock.Advance(time.Minute / 2)
		b.Get("/agentes/vivo").Want(t, 200)
	}
	b.Get("/agentes").Want(t, 200)
	for range 60 {
		w.Clock.Advance(time.Minute / 2)
		b.Get("/agentes/vivo")
	}
	b.Get("/agentes/caso/C-1").To(t, "/agentes/entrar?volver=%2Fagentes%2Fcaso%2FC-1")
	p := b.Get("/agentes/entrar?volver=%2Fagentes%2Fcaso%2FC-1").Want(t, 200, "Su sesión se cerró", "30 minutos", `value="/agentes/caso/C-1"`)
	if strings.Contains(p.Body, "aria-invalid") {
		t.Error("a field is marked as wrong")
	}
	b.SignIn("ana", consoletest.Password, "volver", "/agentes/caso/C-1").To(t, "/agentes/caso/C-1")
}

func TestFor_twelveHours(t *testing.T) {
	w := consoletest.NewDoor(t, "http")
	b := w.Browser()
	b.SignIn("ana", consoletest.Password)
	for range 35 {
		w.Clock.Advance(20 * time.Minute)
		b.Get("/agentes").Want(t, 200)
	}
	w.Clock.Advance(20 * time.Minute)
	b.Get("/agentes").To(t, "/agentes/entrar")
	b.Get("/agentes/entrar").Want(t, 200, "doce horas")
}

// Whoever is disabled is out at the next request, and in a stream at the next look.
func TestFor_disabled(t *testing.T) {
	w := consoletest.NewDoor(t, "http")
	b := w.Browser()
	b.SignIn("ana", consoletest.Password)
	var v console.Visit
	grab := w.Door.For(agent.Member, func(_ http.ResponseWriter, _ *http.Request, visit console.Visit) error { v = visit; return nil })
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/agentes", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.AddCookie(&http.Cookie{Name: "agente", Value: b.Cookie("agente")})
	if err := grab(nil, r); err != nil || v.Agent.Login != "ana" {
		t.Fatalf("got %v, %v", v.Agent, err)
	}
	if a, err := w.Door.Live(t.Context(), v); err != nil || a.Login != "ana" {
		t.Errorf("live: got %v, %v", a, err)
	}
	if err := w.Agents.Disable(t.Context(), "sup", "ana"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Door.Live(t.Context(), v); !errors.Is(err, agent.ErrRevoked) {
		t.Errorf("live, disabled: got %v, want %v", err, agent.ErrRevoked)
	}
	b.Get("/agentes").To(t, "/agentes/entrar")
	b.Get("/agentes/entrar").Want(t, 200, "Hubo un cambio en su cuenta")
	b.SignIn("ana", consoletest.Password).Want(t, 422, "El usuario o la contraseña no son correctos")
}

// Nobody is sent to another site, or round in a circle.
func TestSignIn_goesBackToOwnPagesOnly(t *testing.T) {
	w := consoletest.NewDoor(t, "http")
	for _, c := range []struct{ back, want string }{
		{"/agentes/caso/C-1?ver=notas", "/agentes/caso/C-1?ver=notas"},
		{"/agentes", "/agentes"},
		{"", "/agentes"},
		{"https://evil.example/agentes/", "/agentes"},
		{"//evil.example/agentes/", "/agentes"},
		{"/\\evil.example/agentes/", "/agentes"},
		{"\\\\evil.example", "/agentes"},
		{"/agentes/../desbloqueo/x", "/agentes"},
		{"/agentes//evil.example", "/agentes"},
		{"/agentes/%2e%2e/x", "/agentes"},
		{"/agentes/%0d%0aLocation:x", "/agentes"},
		{"/agentes/\r\nx", "/agentes"},
		{"/agentesx", "/agentes"},
		{"/otra", "/agentes"},
		{"javascript:alert(1)", "/agentes"},
		{"/agentes/entrar?volver=/agentes/entrar", "/agentes"},
		{"/agentes/codigo", "/agentes"},
		{"/agentes/salir", "/agentes"},
		{"/agentes/cuenta/codigo.png", "/agentes"},
	} {
		b := w.Browser()
		w.Clock.Advance(time.Minute) // else it were too many for one address
		if p := b.SignIn("ana", consoletest.Password, "volver", c.back); p.Status != 303 || p.Location != c.want {
			t.Errorf("%q: got %d to %q, want %q", c.back, p.Status, p.Location, c.want)
		}
	}
}
