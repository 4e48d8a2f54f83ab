package console_test

import (
	"strings"
	"testing"
	"time"

	"llave/internal/bottest"
)

func TestAccount_password(t *testing.T) {
	w := newWorld(t, "http")
	b, other := w.browser(), w.browser()
	b.get("/agentes/cuenta").To(t, "/agentes/entrar?volver=%2Fagentes%2Fcuenta")
	b.signIn("ana", goodPassword)
	other.signIn("ana", goodPassword)
	b.get("/agentes/cuenta").Want(t, 200, "Persona de Prueba", `autocomplete="new-password"`)
	change := func(present, chosen, again string) bottest.Page {
		return b.post("/agentes/cuenta", "hacer", "contrasena", "actual", present, "nueva", chosen, "nueva2", again)
	}
	for _, c := range []struct {
		name, present, chosen, again string
		says                         string
		focus                        string
	}{
		{"short", goodPassword, "corta", "corta", "al menos 12", "nueva"},
		{"easy", goodPassword, "aaaaaaaaaaaaaa", "aaaaaaaaaaaaaa", "fácil de adivinar", "nueva"},
		{"the name", goodPassword, "persona lenta bajo la nube", "persona lenta bajo la nube", "su nombre o su usuario", "nueva"},
		{"not repeated", goodPassword, otherPassword, goodPassword, "No es igual a la de arriba", "nueva2"},
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
	change(goodPassword, otherPassword, otherPassword).To(t, "/agentes/cuenta?hecho=contrasena")
	if b.Cookie("agente") == before {
		t.Error("the session kept its token")
	}
	b.get("/agentes/cuenta?hecho=contrasena").Want(t, 200, "Su contraseña cambió")
	other.get("/agentes").To(t, "/agentes/entrar")
	w.browser().signIn("ana", goodPassword).Want(t, 422)
	w.browser().signIn("ana", otherPassword).To(t, "/agentes")
	b.post("/agentes/cuenta", "hacer", "otra cosa").Want(t, 400)
	if strings.Contains(w.log.String(), otherPassword) {
		t.Error("the log holds a password")
	}
}

// Guessing the present password in a session that was left open ends as guessing at the door does.
func TestAccount_guessing(t *testing.T) {
	w := newWorld(t, "http")
	b := w.browser()
	b.signIn("ana", goodPassword)
	b.turnOn()
	for range 4 {
		b.post("/agentes/cuenta", "hacer", "quitar", "actual", "no es esta").Want(t, 422, "No es su contraseña", "autofocus")
	}
	b.post("/agentes/cuenta", "hacer", "quitar", "actual", "no es esta").Want(t, 429, "Pruebe otra vez en 15 minutos")
	b.post("/agentes/cuenta", "hacer", "quitar", "actual", goodPassword).Want(t, 429)
	w.clock.Advance(15 * time.Minute)
	b.post("/agentes/cuenta", "hacer", "quitar", "actual", goodPassword).To(t, "/agentes/cuenta?hecho=sin-codigo")
	b.get("/agentes/cuenta?hecho=sin-codigo").Want(t, 200, "Ya no se le pide un código", "Empezar")
	w.browser().signIn("ana", goodPassword).To(t, "/agentes")
}
