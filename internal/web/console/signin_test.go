package console_test

import (
	"encoding/base64"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"llave/internal/agent"
)

func TestSignIn(t *testing.T) {
	w := newWorld(t, "http")
	b := w.browser()
	b.get("/agentes/entrar").want(t, 200, `autocomplete="username"`, `autocomplete="current-password"`, `lang="es"`)
	known := b.signIn("ana", "no es esta").want(t, 422, "El usuario o la contraseña no son correctos", `aria-invalid="true"`, `value="ana"`)
	unknown := b.signIn("nadie", "no es esta").want(t, 422)
	if a, b := strings.ReplaceAll(known.body, `value="ana"`, ""), strings.ReplaceAll(unknown.body, `value="nadie"`, ""); a != b {
		t.Errorf("the two pages differ:\n%s\n%s", a, b)
	}
	if b.cookie("agente") != "" {
		t.Error("a cookie without a sign-in")
	}
	p := b.signIn(" ANA ", goodPassword, "volver", "/agentes/caso/C-1").to(t, "/agentes/caso/C-1")
	if c := p.header.Get("Set-Cookie"); !regexp.MustCompile(`^agente=[A-Za-z0-9_-]{43}; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict$`).MatchString(c) {
		t.Errorf("cookie: %q", c)
	}
	b.get("/agentes/entrar?volver=/agentes/caso/C-2").to(t, "/agentes/caso/C-2") // signed in already
	b.post("/agentes/salir").to(t, "/agentes/entrar?fin")
	if b.cookie("agente") != "" {
		t.Error("the cookie is still there")
	}
	b.get("/agentes/entrar?fin").want(t, 200, "Usted salió")
	b.get("/agentes").to(t, "/agentes/entrar")
	if log := w.log.String(); strings.Contains(log, goodPassword) || strings.Contains(log, "ana") {
		t.Errorf("the log holds what was typed:\n%s", log)
	}
}

func TestSignIn_https(t *testing.T) {
	w := newWorld(t, "https")
	p := w.browser().signIn("ana", goodPassword)
	if c := p.header.Get("Set-Cookie"); !strings.HasPrefix(c, "__Host-agente=") || !strings.Contains(c, "; Secure") || !strings.Contains(c, "; SameSite=Strict") {
		t.Errorf("cookie: %q", c)
	}
}

// A token that the server did not make is never taken over, one that it did make is not gone on with, and what a browser
// brought along ends.
func TestSignIn_fixation(t *testing.T) {
	w := newWorld(t, "http")
	thief := w.browser()
	thief.signIn("sup", goodPassword)
	for name, planted := range map[string]string{
		"made up":      base64.RawURLEncoding.EncodeToString(make([]byte, 32)),
		"the thief's":  thief.cookie("agente"),
		"not a token":  "x",
		"very long":    strings.Repeat("A", 4000),
		"of a session": "",
	} {
		b := w.browser()
		if name == "of a session" {
			b.signIn("ana", goodPassword)
			planted = b.cookie("agente")
		}
		b.setCookie("agente", planted)
		b.signIn("ana", goodPassword).to(t, "/agentes")
		if b.cookie("agente") == planted || len(b.cookie("agente")) != 43 {
			t.Errorf("%s: goes on with %q", name, b.cookie("agente"))
		}
		b.get("/agentes").want(t, 200, "here is ana")
		other := w.browser()
		other.setCookie("agente", planted)
		other.get("/agentes").to(t, "/agentes/entrar")
		w.clock.Advance(time.Minute)
	}
}

// Another site cannot sign anybody in or out, nor change an account.
func TestSignIn_otherSites(t *testing.T) {
	w := newWorld(t, "http")
	b := w.browser()
	b.signIn("ana", goodPassword)
	token := b.cookie("agente")
	for _, path := range []string{"/agentes/entrar", "/agentes/codigo", "/agentes/salir", "/agentes/cuenta", "/agentes/caso/C-1"} {
		form := url.Values{"usuario": {"sup"}, "contrasena": {goodPassword}, "hacer": {"empezar"}}
		for _, from := range [][]string{
			{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"},
			{"Sec-Fetch-Site", "same-site", "Origin", "http://other.localhost"},
			{"Sec-Fetch-Site", "", "Origin", "null"},
		} {
			if p := b.do(http.MethodPost, path, form, from...); p.status != http.StatusForbidden || p.header.Get("Set-Cookie") != "" {
				t.Errorf("%s from %q: got %d, cookie %q", path, from, p.status, p.header.Get("Set-Cookie"))
			}
		}
	}
	if b.cookie("agente") != token {
		t.Error("the cookie changed")
	}
	b.get("/agentes").want(t, 200, "here is ana")
	if _, err := w.agents.Enrolment(t.Context(), "ana"); err == nil {
		t.Error("a second factor was begun")
	}
	for _, path := range []string{"/agentes/salir"} { // a GET changes nothing
		b.get(path).want(t, 405)
	}
}

func TestSignIn_lock(t *testing.T) {
	w := newWorld(t, "http")
	b := w.browser()
	for range agent.MaxWrong - 1 {
		b.signIn("ana", "no es esta").want(t, 422)
	}
	p := b.signIn("ana", "no es esta").want(t, 429, "El usuario o la contraseña no son correctos", "Pruebe otra vez en 15 minutos")
	if got := p.header.Get("Retry-After"); got != "900" {
		t.Errorf("Retry-After: got %q, want 900", got)
	}
	w.clock.Advance(time.Minute)
	b.signIn("ana", goodPassword).want(t, 429, "El usuario o la contraseña no son correctos", "Pruebe otra vez en 14 minutos")
	w.browser().signIn("sup", goodPassword).to(t, "/agentes")
	w.clock.Advance(14 * time.Minute)
	b.signIn("ana", goodPassword).to(t, "/agentes")
}

var secretText = regexp.MustCompile(`<strong class="secret">([A-Z2-7 ]+)</strong>`)

// turnOn turns the second factor on in a browser that is signed in, and returns its secret.
func (b *browser) turnOn() string {
	t := b.w.t
	t.Helper()
	b.post("/agentes/cuenta", "hacer", "empezar").to(t, "/agentes/cuenta")
	p := b.get("/agentes/cuenta").want(t, 200, `autocomplete="one-time-code"`, `href="otpauth://totp/Llave:ana?`)
	m := secretText.FindStringSubmatch(p.body)
	if m == nil {
		t.Fatalf("no secret on the page:\n%s", p.main())
	}
	secret := strings.ReplaceAll(html.UnescapeString(m[1]), " ", "")
	if picture := b.get("/agentes/cuenta/codigo.png"); picture.status != 200 || !strings.HasPrefix(picture.body, "\x89PNG") || picture.header.Get("Cache-Control") != "no-store" {
		t.Errorf("picture: got %d, %v", picture.status, picture.header)
	}
	b.post("/agentes/cuenta", "hacer", "confirmar", "codigo", "000000").want(t, 422, "Ese código no sirve", m[1])
	b.post("/agentes/cuenta", "hacer", "confirmar", "codigo", b.w.code(secret)).to(t, "/agentes/cuenta?hecho=codigo")
	b.get("/agentes/cuenta?hecho=codigo").want(t, 200, "se le pide también un código", "Quitar el código")
	b.get("/agentes/cuenta/codigo.png").want(t, 404)
	if p := b.get("/agentes/cuenta"); strings.Contains(p.body, m[1]) || strings.Contains(p.body, "otpauth") {
		t.Error("the secret is shown again")
	}
	return secret
}

func (w *world) code(secret string) string {
	w.t.Helper()
	c, err := totp.GenerateCode(secret, w.clock.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func TestSignIn_code(t *testing.T) {
	w := newWorld(t, "http")
	first := w.browser()
	first.get("/agentes/codigo").to(t, "/agentes/entrar")
	first.signIn("ana", goodPassword)
	secret := first.turnOn()
	confirmed := w.code(secret)

	b := w.browser()
	b.signIn("ana", goodPassword, "volver", "/agentes/caso/C-1").to(t, "/agentes/codigo?volver=%2Fagentes%2Fcaso%2FC-1")
	half := b.cookie("agente-codigo")
	if half == "" || b.cookie("agente") != "" {
		t.Error("the password alone gave a session")
	}
	b.setCookie("agente", half)
	b.get("/agentes").to(t, "/agentes/entrar") // it proves nothing else
	b.get("/agentes/codigo?volver=/agentes/caso/C-1").want(t, 200, `autocomplete="one-time-code"`, `value="/agentes/caso/C-1"`)
	b.post("/agentes/codigo", "codigo", confirmed).want(t, 422, "Ese código no sirve") // taken when it was turned on
	w.clock.Advance(time.Minute)
	typed := w.code(secret)
	b.post("/agentes/codigo", "codigo", typed, "volver", "/agentes/caso/C-1").to(t, "/agentes/caso/C-1")
	if token := b.cookie("agente"); token == half || len(token) != 43 || b.cookie("agente-codigo") != "" {
		t.Errorf("after the code: session %q, step %q", token, b.cookie("agente-codigo"))
	}
	b.get("/agentes").want(t, 200, "here is ana")

	replay := w.browser()
	replay.signIn("ana", goodPassword)
	replay.post("/agentes/codigo", "codigo", typed).want(t, 422)
	replay.setCookie("agente-codigo", half)
	w.clock.Advance(time.Minute)
	replay.post("/agentes/codigo", "codigo", w.code(secret)).to(t, "/agentes/entrar") // that step is over

	late := w.browser()
	late.signIn("ana", goodPassword)
	w.clock.Advance(agent.CodeLife)
	late.get("/agentes/codigo").to(t, "/agentes/entrar")
	late.post("/agentes/codigo", "codigo", w.code(secret)).to(t, "/agentes/entrar")
}
