package console_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"llave/internal/agent"
	"llave/internal/bottest"
	"llave/internal/web/console/consoletest"
)

// otherPassword is one that nobody has yet.
const otherPassword = "tambor lento bajo la nube gris"

func TestAccount_password(t *testing.T) {
	w := consoletest.NewDoor(t, "http")
	b, other := w.Browser(), w.Browser()
	b.Get("/agentes/cuenta").To(t, "/agentes/entrar?volver=%2Fagentes%2Fcuenta")
	b.SignIn("ana", consoletest.Password)
	other.SignIn("ana", consoletest.Password)
	b.Get("/agentes/cuenta").Want(t, 200, "Persona de Prueba", `autocomplete="new-password"`)
	change := func(present, chosen, again string) bottest.Page {
		return b.Post("/agentes/cuenta", "hacer", "contrasena", "actual", present, "nueva", chosen, "nueva2", again)
	}
	for _, c := range []struct {
		name, present, chosen, again string
		says                         string
		focus                        string
	}{
		{"short", consoletest.Password, "corta", "corta", "al menos 12", "nueva"},
		{"easy", consoletest.Password, "aaaaaaaaaaaaaa", "aaaaaaaaaaaaaa", "fácil de adivinar", "nueva"},
		{"the name", consoletest.Password, "persona lenta bajo la nube", "persona lenta bajo la nube", "su nombre o su usuario", "nueva"},
		{"not repeated", consoletest.Password, otherPassword, consoletest.Password, "No es igual a la de arriba", "nueva2"},
		{"wrong", "no es esta", otherPassword, otherPassword, "No es su contraseña de ahora", "actual"},
	} {
		p := change(c.present, c.chosen, c.again).Want(t, 422, c.says)
		for _, field := range []string{"actual", "nueva", "nueva2"} {
			_, input, _ := strings.Cut(p.Body, `<input id="`+field+`"`)
			input, _, _ = strings.Cut(input, ">")
			if got := strings.Contains(input, "autofocus"); got != (field == c.focus) {
				t.Errorf("%s: focus on %s: %v", c.name, field, got)
			}
		}
		if strings.Contains(p.Body, c.chosen) && c.name != "short" {
			t.Errorf("%s: the page repeats what was typed", c.name)
		}
	}
	before := b.Cookie("agente")
	change(consoletest.Password, otherPassword, otherPassword).To(t, "/agentes/cuenta?hecho=contrasena")
	if b.Cookie("agente") == before {
		t.Error("the session kept its token")
	}
	b.Get("/agentes/cuenta?hecho=contrasena").Want(t, 200, "Su contraseña cambió")
	other.Get("/agentes").To(t, "/agentes/entrar")
	w.Browser().SignIn("ana", consoletest.Password).Want(t, 422)
	w.Browser().SignIn("ana", otherPassword).To(t, "/agentes")
	b.Post("/agentes/cuenta", "hacer", "otra cosa").Want(t, 400)
	if strings.Contains(w.Log.String(), otherPassword) {
		t.Error("the log holds a password")
	}
}

// Guessing the present password in a session that was left open ends as guessing at the door does.
func TestAccount_guessing(t *testing.T) {
	w := consoletest.NewDoor(t, "http")
	b := w.Browser()
	b.SignIn("ana", consoletest.Password)
	secret := turnOn(b)
	for range 4 {
		b.Post("/agentes/cuenta", "hacer", "quitar", "actual", "no es esta").Want(t, 422, "No es su contraseña", "autofocus")
	}
	b.Post("/agentes/cuenta", "hacer", "quitar", "actual", "no es esta").Want(t, 429, "Pruebe otra vez en 30 segundos")
	b.Post("/agentes/cuenta", "hacer", "quitar", "actual", consoletest.Password).Want(t, 429)
	w.Clock.Advance(time.Minute)
	b.Post("/agentes/cuenta", "hacer", "quitar", "actual", consoletest.Password, "codigo", "000000").Want(t, 422, "Ese código no sirve", "autofocus")
	b.Post("/agentes/cuenta", "hacer", "quitar", "actual", consoletest.Password, "codigo", code(w, secret)).To(t, "/agentes/cuenta?hecho=sin-codigo")
	b.Get("/agentes/cuenta?hecho=sin-codigo").Want(t, 200, "Ya no se le pide un código", "Empezar")
	w.Browser().SignIn("ana", consoletest.Password).To(t, "/agentes")
}

// Where a second factor is required nothing but the account is to be had before it is set up; afterwards everything is.
func TestAccount_secondFactorOwed(t *testing.T) {
	w := consoletest.NewDoor(t, "http")
	w.Agents.Require = agent.Supervisors
	w.Browser().SignIn("ana", consoletest.Password).To(t, "/agentes")
	b := w.Browser()
	b.SignIn("sup", consoletest.Password).To(t, "/agentes")
	b.Get("/agentes").To(t, "/agentes/cuenta")
	b.Get("/agentes/hoy").To(t, "/agentes/cuenta")
	b.Get("/agentes/confirmar").To(t, "/agentes/cuenta")
	b.Post("/agentes/caso/C-1").To(t, "/agentes/cuenta")
	if p := b.Do("GET", "/agentes/vivo", nil, "Sec-Fetch-Dest", "empty"); p.Status != 401 || strings.Contains(p.Body, "here is") {
		t.Errorf("a stream: got %d", p.Status)
	}
	p := b.Get("/agentes/cuenta").Want(t, 200, "ponga un código en su teléfono")
	if strings.Contains(p.Body, "Cambiar la contraseña") || strings.Contains(p.Body, "Volver a la bandeja") {
		t.Error("the page offers what cannot be done yet")
	}
	secret := turnOn(b)
	b.Get("/agentes").Want(t, 200, "here is sup")
	w.Clock.Advance(time.Minute)
	b.Post("/agentes/cuenta", "hacer", "quitar", "actual", consoletest.Password, "codigo", code(w, secret)).To(t, "/agentes/cuenta?hecho=sin-codigo")
	b.Get("/agentes").To(t, "/agentes/cuenta") // to set up the next one
	if err := w.Agents.RemoveTOTP(t.Context(), agent.CommandLine, "sup"); err != nil {
		t.Fatal(err)
	}
}

// Everybody sees where their account is open, and ends it there.
func TestAccount_sessions(t *testing.T) {
	w := consoletest.NewDoor(t, "http")
	in := func(agent string) *consoletest.Browser {
		b := w.Browser()
		b.Do("POST", "/agentes/entrar", url.Values{"usuario": {"ana"}, "contrasena": {consoletest.Password}}, "User-Agent", agent).To(t, "/agentes")
		w.Clock.Advance(time.Second)
		return b
	}
	one := in("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	two := in("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Mobile Safari/537.36")
	three := in("<script>")
	p := one.Get("/agentes/cuenta").Want(t, 200, "Firefox, Linux", "Chrome, Android", "Otro navegador", "red de este equipo", "02/03/2026 a las 15:00", ">esta<")
	if strings.Contains(p.Body, "<script>") || strings.Contains(p.Body, "Mozilla") || strings.Count(p.Body, `name="sesion"`) != 2 {
		t.Error("the page shows too much, or not the two others to be ended")
	}
	_, rest, _ := strings.Cut(p.Body, "Chrome, Android")
	_, rest, _ = strings.Cut(rest, `name="sesion" value="`)
	id, _, _ := strings.Cut(rest, `"`)
	other := w.Browser()
	other.SignIn("sup", consoletest.Password)
	other.Post("/agentes/cuenta", "hacer", "cerrar", "sesion", id).To(t, "/agentes/cuenta?hecho=cerrada")
	two.Get("/agentes").Want(t, 200) // it was not theirs
	one.Post("/agentes/cuenta", "hacer", "cerrar", "sesion", id).To(t, "/agentes/cuenta?hecho=cerrada")
	two.Get("/agentes").To(t, "/agentes/entrar")
	three.Get("/agentes").Want(t, 200)
	one.Post("/agentes/cuenta", "hacer", "cerrar-otras").To(t, "/agentes/cuenta?hecho=cerradas")
	three.Get("/agentes").To(t, "/agentes/entrar")
	one.Get("/agentes/cuenta?hecho=cerradas").Want(t, 200, "Sus demás sesiones se cerraron")
	other.Get("/agentes").Want(t, 200)
}
