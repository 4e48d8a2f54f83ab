package e2e

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	bits "encoding/binary"
	"fmt"
	"html/template"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"llave/internal/agent"
)

// theirs is a page of somebody else that sends a form to the desk as soon as it is pressed.
var theirs = template.Must(template.New("").Parse(`<!doctype html><title>Premios</title><main>
<form method="post" action="{{.Action}}">{{range $name, $value := .Fields}}<input type="hidden" name="{{$name}}" value="{{$value}}">{{end}}<button>Ver mi premio</button></form></main>`))

// A form on somebody else's page does nothing at the desk, be the page of another site or only of another port, with which
// a browser shares its cookies.
func TestDesk_foreignForm(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	ref := o.person().asks()
	const once = "abcdefghijklmnopqrstuvwx"
	forms := []struct {
		path   string
		fields map[string]string
	}{
		{"/agentes/casos/" + ref + "/tomar", map[string]string{"once": once}},
		{"/agentes/siguiente", map[string]string{"once": once}},
		{"/agentes/cuenta", map[string]string{"hacer": "empezar"}},
		{"/agentes/supervision/agentes", map[string]string{"hacer": "agregar", "usuario": "otro", "nombre": "Otro", "rol": "supervisor", "contrasena": deskPassword}},
		{"/agentes/supervision/horario", map[string]string{"hacer": "cerrar", "version": "0"}},
		{"/agentes/salir", nil},
		{"/agentes/entrar", map[string]string{"usuario": "luis", "contrasena": deskPassword}},
	}
	at := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = theirs.Execute(w, map[string]any{"Action": o.base + forms[at].path, "Fields": forms[at].fields}) // who has gone away misses nothing
	}))
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	o.hire("luis", "Luis", agent.Member)
	eva := o.sits("eva", agent.Supervisor)
	before := eva.cookie("agente")
	for host, most := range map[string]int{"127.0.0.1": 2, "localhost": len(forms)} { // of another site, of the same
		for at = range most {
			eva.open("http://" + net.JoinHostPort(host, port))
			if got := eva.status(chromedp.Click(chromedp.CSS("button"))); got != http.StatusForbidden {
				t.Errorf("from %s to %s: got %d, want %d", host, forms[at].path, got, http.StatusForbidden)
			}
		}
	}
	eva.at("/agentes/supervision/agentes")
	if got := eva.cookie("agente"); got.Value != before.Value {
		t.Error("the session is another")
	}
	if n := look[int](eva.visitor, `document.querySelectorAll(".people > li").length`); n != 2 {
		t.Errorf("there are %d accounts, want 2", n)
	}
	contains(t, "the hours", eva.at("/agentes/supervision/horario"), "La atención está abierta")
	o.waits(ref)
}

// status does something that leads to another page and returns the status of that page.
func (v *visitor) status(press chromedp.Action[chromedp.Void]) int64 {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.ctx, pageWithin)
	defer cancel()
	res, err := chromedp.RunResponse(ctx, press)
	if err != nil {
		v.t.Fatal(err)
	}
	return res.Status
}

// cookie is one of the browser's cookies, nil when it has none of that name.
func (v *visitor) cookie(name string) *network.Cookie {
	v.t.Helper()
	res, err := chromedp.Call(v.ctx, network.GetCookies, network.GetCookiesParams{})
	if err != nil {
		v.t.Fatal(err)
	}
	for _, c := range res.Cookies {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// plant puts a cookie into the browser, as somebody who was at it before could.
func (v *visitor) plant(base, name, value string) {
	v.t.Helper()
	if _, err := chromedp.Call(v.ctx, network.SetCookie, network.SetCookieParams{Name: name, Value: value, URL: base}); err != nil {
		v.t.Fatal(err)
	}
}

// admits says whether a cookie of that value opens the inbox.
func (o *office) admits(value string) bool {
	o.t.Helper()
	req, err := http.NewRequestWithContext(o.t.Context(), http.MethodGet, o.base+"/agentes", nil)
	if err != nil {
		o.t.Fatal(err)
	}
	req.AddCookie(&http.Cookie{Name: "agente", Value: value})
	res, err := http.DefaultTransport.RoundTrip(req) // follows no redirect
	if err != nil {
		o.t.Fatal(err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body) // so that the connection is used again
	return res.StatusCode == http.StatusOK
}

// A session that somebody laid into the browser beforehand, made up or their own, does not become that of who signs in.
func TestDesk_fixation(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.hire("ana", "Ana", agent.Member)
	o.hire("luis", "Luis", agent.Member)
	own, err := o.app.Agents.SignIn(t.Context(), "luis", deskPassword, agent.From{Source: "192.0.2.1"})
	if err != nil {
		t.Fatal(err)
	}
	for _, planted := range []string{"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", own.Token.Reveal()} {
		v := newVisitor(t)
		v.plant(o.base, "agente", planted)
		v.open(o.base + "/agentes/cuenta")
		if planted == own.Token.Reveal() { // they see whose it is; and sign in as themselves
			v.press("Salir")
			v.plant(o.base, "agente", planted)
			v.open(o.base + "/agentes/entrar")
		}
		v.signIn("ana", deskPassword)
		c := v.cookie("agente")
		switch {
		case c == nil || c.Value == planted:
			t.Fatal("the session is the one that was planted")
		case !c.HTTPOnly || c.SameSite != network.CookieSameSiteStrict || c.Path != "/" || strings.HasPrefix(c.Domain, "."):
			t.Errorf("the cookie can be had by others: %+v", c)
		case !o.admits(c.Value):
			t.Error("who has signed in is not admitted")
		case o.admits(planted):
			t.Error("who planted the cookie is admitted by it")
		}
		v.open(o.base + "/agentes/cuenta")
		first := c.Value
		v.press("Salir")
		if o.admits(first) {
			t.Error("a session goes on after its end")
		}
		v.signIn("ana", deskPassword)
		if again := v.cookie("agente"); again.Value == first {
			t.Error("the second session is called as the first")
		}
	}
}

// codeOf is what an app of codes shows for a secret (RFC 6238).
func codeOf(t testing.TB, secret string, now time.Time) string {
	t.Helper()
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ReplaceAll(secret, " ", ""))
	if err != nil {
		t.Fatalf("the secret on the page: %v", err)
	}
	mac := hmac.New(sha1.New, key)
	_ = bits.Write(mac, bits.BigEndian, now.Unix()/30) // a hash takes everything
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 15
	return fmt.Sprintf("%06d", bits.BigEndian.Uint32(sum[at:])&0x7fffffff%1_000_000)
}

// Somebody puts a code beside the password, and signs in with both; a wrong code, and one that was used, do not open.
func TestDesk_code(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	ana := o.sits("ana", agent.Member)
	ana.at("/agentes/cuenta")
	do(ana.visitor, "type the password", chromedp.SendKeys(chromedp.CSS("#empezar"), deskPassword))
	ana.press("Empezar")
	secret := look[string](ana.visitor, `document.querySelector(".secret").innerText`)
	types := func(code, button string) string {
		return ana.read("type the code", chromedp.Steps(
			chromedp.SendKeys(chromedp.CSS("#codigo"), code), leaving(chromedp.Click(chromedp.Search(`//button[normalize-space()="`+button+`"]`))),
		))
	}
	used := codeOf(t, secret, o.now())
	contains(t, "after the first code", types(used, "Poner el código"), "al entrar se le pide también un código")
	recovery := look[string](ana.visitor, `document.querySelector(".codes code").innerText`)
	if strings.Contains(look[string](ana.visitor, `document.documentElement.outerHTML`), secret) {
		t.Error("the secret is still on the page")
	}
	ana.press("Salir")
	contains(t, "after the password", ana.signIn("ana", deskPassword), "Escriba los seis números")
	if c := ana.cookie("agente"); c != nil && o.admits(c.Value) {
		t.Error("the password alone opens the inbox")
	}
	contains(t, "a used code", types(used, "Entrar"), "Ese código no sirve")
	o.later(time.Minute)
	contains(t, "a right code", types(codeOf(t, secret, o.now()), "Entrar"), "En espera")
	ana.listening()
	ana.press("Salir")
	contains(t, "after the password", ana.signIn("ana", deskPassword), "Escriba los seis números")
	contains(t, "a code for recovery", types(recovery, "Entrar"), "En espera")
	contains(t, "the account", ana.at("/agentes/cuenta"), "Le quedan 9 códigos")
}

// After five wrong passwords a browser waits, and so does another of the same network, for a while; one that signed in there before does
// not.
func TestDesk_waits(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.hire("ana", "Ana", agent.Member)
	known := newVisitor(t)
	known.open(o.base + "/agentes/entrar")
	contains(t, "signed in", known.signIn("ana", deskPassword), "En espera")
	known.press("Salir")
	v := newVisitor(t)
	v.open(o.base + "/agentes/entrar")
	for i := range agent.MaxWrong {
		do(v, "empty the field", chromedp.Evaluate[chromedp.Void](`document.querySelector("#usuario").value = ""; undefined`))
		if text := v.signIn("ana", "otra cosa bien distinta"); i < agent.MaxWrong-1 {
			contains(t, "a wrong password", text, "no son correctos")
		}
	}
	other := newVisitor(t)
	other.open(o.base + "/agentes/entrar")
	contains(t, "the right password", other.signIn("ana", deskPassword), "Hubo demasiados intentos")
	contains(t, "where she signed in before", known.signIn("ana", deskPassword), "En espera")
	o.later(agent.FirstWait + time.Second)
	other.open(o.base + "/agentes/entrar")
	contains(t, "half a minute later", other.signIn("ana", deskPassword), "En espera")
}
