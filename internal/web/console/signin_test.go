package console_test

import (
	"encoding/base64"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"llave/internal/agent"
	"llave/internal/key"
	"llave/internal/web/console/consoletest"
)

func TestSignIn(t *testing.T) {
	w := consoletest.NewDoor(t, "http")
	b := w.Browser()
	b.Get("/agentes/entrar").Want(t, 200, `autocomplete="username"`, `autocomplete="current-password"`, `lang="es"`)
	known := b.SignIn("ana", "no es esta").Want(t, 422, "El usuario o la contraseña no son correctos", `aria-invalid="true"`, `value="ana"`)
	unknown := b.SignIn("nadie", "no es esta").Want(t, 422)
	if a, b := strings.ReplaceAll(known.Body, `value="ana"`, ""), strings.ReplaceAll(unknown.Body, `value="nadie"`, ""); a != b {
		t.Errorf("the two pages differ:\n%s\n%s", a, b)
	}
	if b.Cookie("agente") != "" {
		t.Error("a cookie without a sign-in")
	}
	p := b.SignIn(" ANA ", consoletest.Password, "volver", "/agentes/caso/C-1").To(t, "/agentes/caso/C-1")
	if c := p.Header.Get("Set-Cookie"); !regexp.MustCompile(`^agente=[A-Za-z0-9_-]{43}; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict$`).MatchString(c) {
		t.Errorf("cookie: %q", c)
	}
	b.Get("/agentes/entrar?volver=/agentes/caso/C-2").To(t, "/agentes/caso/C-2") // signed in already
	b.Post("/agentes/salir").To(t, "/agentes/entrar?fin")
	if b.Cookie("agente") != "" {
		t.Error("the cookie is still there")
	}
	b.Get("/agentes/entrar?fin").Want(t, 200, "Usted salió")
	b.Get("/agentes").To(t, "/agentes/entrar")
	if log := w.Log.String(); strings.Contains(log, consoletest.Password) || strings.Contains(log, "ana") {
		t.Errorf("the log holds what was typed:\n%s", log)
	}
}

func TestSignIn_https(t *testing.T) {
	w := consoletest.NewDoor(t, "https")
	p := w.Browser().SignIn("ana", consoletest.Password)
	if c := p.Header.Get("Set-Cookie"); !strings.HasPrefix(c, "__Host-agente=") || !strings.Contains(c, "; Secure") || !strings.Contains(c, "; SameSite=Strict") {
		t.Errorf("cookie: %q", c)
	}
}

// A token that the server did not make is never taken over, one that it did make is not gone on with, and what a browser
// brought along ends.
func TestSignIn_fixation(t *testing.T) {
	w := consoletest.NewDoor(t, "http")
	thief := w.Browser()
	thief.SignIn("sup", consoletest.Password)
	for name, planted := range map[string]string{
		"made up":      base64.RawURLEncoding.EncodeToString(make([]byte, 32)),
		"the thief's":  thief.Cookie("agente"),
		"not a token":  "x",
		"very long":    strings.Repeat("A", 4000),
		"of a session": "",
	} {
		b := w.Browser()
		if name == "of a session" {
			b.SignIn("ana", consoletest.Password)
			planted = b.Cookie("agente")
		}
		b.SetCookie("agente", planted)
		b.SignIn("ana", consoletest.Password).To(t, "/agentes")
		if b.Cookie("agente") == planted || len(b.Cookie("agente")) != 43 {
			t.Errorf("%s: goes on with %q", name, b.Cookie("agente"))
		}
		b.Get("/agentes").Want(t, 200, "here is ana")
		other := w.Browser()
		other.SetCookie("agente", planted)
		other.Get("/agentes").To(t, "/agentes/entrar")
		w.Clock.Advance(time.Minute)
	}
}

// Another site cannot sign anybody in or out, nor change an account.
func TestSignIn_otherSites(t *testing.T) {
	w := consoletest.NewDoor(t, "http")
	b := w.Browser()
	b.SignIn("ana", consoletest.Password)
	token := b.Cookie("agente")
	for _, path := range []string{"/agentes/entrar", "/agentes/codigo", "/agentes/salir", "/agentes/cuenta", "/agentes/caso/C-1"} {
		form := url.Values{"usuario": {"sup"}, "contrasena": {consoletest.Password}, "hacer": {"empezar"}}
		for _, from := range [][]string{
			{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"},
			{"Sec-Fetch-Site", "same-site", "Origin", "http://other.localhost"},
			{"Sec-Fetch-Site", "", "Origin", "null"},
		} {
			if p := b.Do(http.MethodPost, path, form, from...); p.Status != http.StatusForbidden || p.Header.Get("Set-Cookie") != "" {
				t.Errorf("%s from %q: got %d, cookie %q", path, from, p.Status, p.Header.Get("Set-Cookie"))
			}
		}
	}
	if b.Cookie("agente") != token {
		t.Error("the cookie changed")
	}
	b.Get("/agentes").Want(t, 200, "here is ana")
	if _, err := w.Agents.Enrolment(t.Context(), token); err == nil {
		t.Error("a second factor was begun")
	}
	for _, path := range []string{"/agentes/salir"} { // a GET changes nothing
		b.Get(path).Want(t, 405)
	}
}

// Where too many passwords wait already, one is not judged: it does not count as wrong, and may be typed again.
func TestSignIn_busy(t *testing.T) {
	w := consoletest.NewDoor(t, "http")
	b := w.Browser()
	queue := key.NewQueue(1, 0, time.Minute)
	w.Agents.Passwords = queue
	leave, err := queue.Enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 * agent.SourceTries {
		p := b.SignIn("ana", consoletest.Password, "volver", "/agentes/caso/C-1").
			Want(t, 503, "Espere un momento, por favor", "otra vez dentro de 5 segundos", `value="ana"`, `value="/agentes/caso/C-1"`)
		if got := p.Header.Get("Retry-After"); got != "5" {
			t.Fatalf("Retry-After: got %q, want 5", got)
		}
	}
	leave()
	b.SignIn("ana", consoletest.Password).To(t, "/agentes")
}

// From one address eight passwords at most are judged and wait at once, so that it does not take all the turns there are.
func TestSignIn_oneAddress(t *testing.T) {
	w := consoletest.NewDoor(t, "http")
	queue := key.NewQueue(1, 16, time.Minute)
	w.Agents.Passwords = queue
	judge, err := queue.Enter(t.Context()) // nobody is judged before all have come
	if err != nil {
		t.Fatal(err)
	}
	judge = sync.OnceFunc(judge)
	t.Cleanup(judge) // before the server ends, which waits for them
	const many = 15  // fewer than may be tried in a minute
	answers := make(chan int, many)
	for i := range many {
		b := w.Browser()
		go func() {
			p, err := b.Browser.Do(t.Context(), http.MethodPost, "/agentes/entrar", url.Values{"usuario": {fmt.Sprint("nadie", i)}, "contrasena": {"no es esta"}})
			if err != nil {
				t.Error(err)
			}
			answers <- p.Status
		}()
	}
	for range many - 8 {
		select {
		case got := <-answers:
			if got != 503 {
				t.Errorf("got %d, want 503", got)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("more than eight wait")
		}
	}
	judge()
	for range 8 {
		if got := <-answers; got != 422 {
			t.Errorf("got %d, want 422", got)
		}
	}
}

func TestSignIn_wait(t *testing.T) {
	w := consoletest.NewDoor(t, "http")
	b := w.Browser()
	for range agent.MaxWrong - 1 {
		b.SignIn("ana", "no es esta").Want(t, 422)
	}
	p := b.SignIn("ana", "no es esta").Want(t, 429, "El usuario o la contraseña no son correctos", "Pruebe otra vez en 30 segundos")
	if got := p.Header.Get("Retry-After"); got != "30" {
		t.Errorf("Retry-After: got %q, want 30", got)
	}
	w.Clock.Advance(10 * time.Second)
	b.SignIn("ana", consoletest.Password).Want(t, 429, "El usuario o la contraseña no son correctos", "Pruebe otra vez en 20 segundos")
	w.Browser().SignIn("sup", consoletest.Password).To(t, "/agentes")
	w.Clock.Advance(20 * time.Second)
	b.SignIn("ana", consoletest.Password).To(t, "/agentes")
}

// A browser that signed in before is spared what others do from the same address: it has a cookie of its own, which the session is not
// in and which lets nobody in.
func TestSignIn_knownBrowser(t *testing.T) {
	w := consoletest.NewDoor(t, "http")
	b, thief := w.Browser(), w.Browser()
	b.SignIn("ana", consoletest.Password).To(t, "/agentes")
	device := b.Cookie("agente-equipo")
	if len(device) != 43 || device == b.Cookie("agente") {
		t.Fatalf("device %q", device)
	}
	b.Post("/agentes/salir")
	for range 2 * agent.SourceTries {
		thief.SignIn("ana", "no es esta")
	}
	thief.SignIn("ana", consoletest.Password).Want(t, 429)
	w.Browser().SignIn("ana", consoletest.Password).Want(t, 429)
	b.SignIn("ana", consoletest.Password).To(t, "/agentes")
	b.Post("/agentes/salir")
	b.SignIn("sup", consoletest.Password).Want(t, 429) // it is another's there, and the address is out of tries
	w.Clock.Advance(time.Hour)
	b.SignIn("sup", consoletest.Password).To(t, "/agentes")
	if got := b.Cookie("agente-equipo"); !strings.HasSuffix(got, "."+device) {
		t.Errorf("two who share a browser: got %q, want the first one's token kept: %q", got, device)
	}
	b.Post("/agentes/salir")
	b.Get("/agentes").To(t, "/agentes/entrar")
}

var recoveryText = regexp.MustCompile(`<code>([a-z2-7]{5}-[a-z2-7]{5})</code>`)

var secretText = regexp.MustCompile(`<strong class="secret">([A-Z2-7 ]+)</strong>`)

// turnOn turns the second factor on in a browser that is signed in, and returns its secret.
func turnOn(b *consoletest.Browser) string {
	t := b.Site.T
	t.Helper()
	b.Post("/agentes/cuenta", "hacer", "empezar").Want(t, 422, "No es su contraseña")
	b.Post("/agentes/cuenta", "hacer", "empezar", "actual", consoletest.Password).To(t, "/agentes/cuenta")
	p := b.Get("/agentes/cuenta").Want(t, 200, `autocomplete="one-time-code"`, `href="otpauth://totp/Llave:`)
	m := secretText.FindStringSubmatch(p.Body)
	if m == nil {
		t.Fatalf("no secret on the page:\n%s", p.Main())
	}
	secret := strings.ReplaceAll(html.UnescapeString(m[1]), " ", "")
	if code := b.Get("/agentes/cuenta/codigo.png"); code.Status != 200 || !strings.HasPrefix(code.Body, "\x89PNG") || code.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("enrolment code: got %d, %v", code.Status, code.Header)
	}
	b.Post("/agentes/cuenta", "hacer", "confirmar", "codigo", "000000").Want(t, 422, "Ese código no sirve", m[1])
	before := b.Cookie("agente")
	p = b.Post("/agentes/cuenta", "hacer", "confirmar", "codigo", code(b.Site, secret)).Want(t, 200, "se le pide también un código", "Quitar el código", "Sus códigos de recuperación")
	if n := len(recoveryText.FindAllString(p.Body, -1)); n != 10 || b.Cookie("agente") == before || p.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d recovery codes, session kept: %v", n, b.Cookie("agente") == before)
	}
	if p := b.Get("/agentes/cuenta"); recoveryText.MatchString(p.Body) {
		t.Error("the recovery codes are shown again")
	}
	b.Get("/agentes/cuenta/codigo.png").Want(t, 404)
	if p := b.Get("/agentes/cuenta"); strings.Contains(p.Body, m[1]) || strings.Contains(p.Body, "otpauth") {
		t.Error("the secret is shown again")
	}
	return secret
}

func code(w *consoletest.Site, secret string) string {
	w.T.Helper()
	c, err := totp.GenerateCode(secret, w.Clock.Now())
	if err != nil {
		w.T.Fatal(err)
	}
	return c
}

func TestSignIn_code(t *testing.T) {
	w := consoletest.NewDoor(t, "http")
	first := w.Browser()
	first.Get("/agentes/codigo").To(t, "/agentes/entrar")
	first.SignIn("ana", consoletest.Password)
	secret := turnOn(first)
	confirmed := code(w, secret)

	b := w.Browser()
	b.SignIn("ana", consoletest.Password, "volver", "/agentes/caso/C-1").To(t, "/agentes/codigo?volver=%2Fagentes%2Fcaso%2FC-1")
	half := b.Cookie("agente-codigo")
	if half == "" || b.Cookie("agente") != "" {
		t.Error("the password alone gave a session")
	}
	b.SetCookie("agente", half)
	b.Get("/agentes").To(t, "/agentes/entrar") // it proves nothing else
	b.Get("/agentes/codigo?volver=/agentes/caso/C-1").Want(t, 200, `autocomplete="one-time-code"`, `value="/agentes/caso/C-1"`)
	b.Post("/agentes/codigo", "codigo", confirmed).Want(t, 422, "Ese código no sirve") // taken when it was turned on
	w.Clock.Advance(time.Minute)
	typed := code(w, secret)
	b.Post("/agentes/codigo", "codigo", typed, "volver", "/agentes/caso/C-1").To(t, "/agentes/caso/C-1")
	if token := b.Cookie("agente"); token == half || len(token) != 43 || b.Cookie("agente-codigo") != "" {
		t.Errorf("after the code: session %q, step %q", token, b.Cookie("agente-codigo"))
	}
	b.Get("/agentes").Want(t, 200, "here is ana")

	replay := w.Browser()
	replay.SignIn("ana", consoletest.Password)
	replay.Post("/agentes/codigo", "codigo", typed).Want(t, 422)
	replay.SetCookie("agente-codigo", half)
	w.Clock.Advance(time.Minute)
	replay.Post("/agentes/codigo", "codigo", code(w, secret)).To(t, "/agentes/entrar") // that step is over

	late := w.Browser()
	late.SignIn("ana", consoletest.Password)
	w.Clock.Advance(agent.CodeLife)
	late.Get("/agentes/codigo").To(t, "/agentes/entrar")
	late.Post("/agentes/codigo", "codigo", code(w, secret)).To(t, "/agentes/entrar")
}
