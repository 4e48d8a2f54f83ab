package demo_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"llave/bot"
	"llave/bot/webchat"
	"llave/internal/web"
	"llave/internal/web/demo"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve is the demo with a real web chat and these letters.
func serve(t *testing.T, letters *[]demo.Letter) *httptest.Server {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	s := httptest.NewUnstartedServer(nil)
	kit, err := web.New(web.Options{PublicURL: &url.URL{Scheme: "http", Host: s.Listener.Addr().String()}, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	chat := webchat.New(webchat.Options{Handle: func(context.Context, bot.Update) error { return nil }, Log: log})
	d, err := demo.New(demo.Options{
		Kit: kit, Chat: chat, Letters: func() []demo.Letter { return *letters }, Zone: time.UTC, Log: log,
		People: []demo.Person{{Number: "1710034065", Who: "Persona inventada", What: "Su clave está bloqueada."}},
	})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	kit.Routes(mux)
	chat.Routes(mux)
	d.Routes(mux)
	s.Config.Handler = kit.Wrap(mux)
	s.Start()
	t.Cleanup(func() {
		chat.Close()
		s.Close()
	})
	return s
}

func get(t *testing.T, address string) (*http.Response, string) {
	t.Helper()
	res, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(b)
}

func TestPage(t *testing.T) {
	letters := []demo.Letter{}
	s := serve(t, &letters)
	res, html := get(t, s.URL+"/")
	for _, want := range []string{
		`<html lang="es">`, `id="chat"`, `role="log"`, "1710034065", "Todavía no hay correos", `class="demo"`, `<label for="chat-texto">`,
		`<iframe src="/agentes" title="Escritorio de agentes"></iframe>`, "atienda el caso en el escritorio",
		`<a href="/agentes" target="_blank" rel="noopener">Abrir en otra pestaña</a>`,
	} {
		if !strings.Contains(html, want) {
			t.Errorf("the page lacks %q:\n%s", want, html)
		}
	}
	at := -1 // where the pane before was
	for _, pane := range []string{"telefono", "buzon", "escritorio"} {
		next := strings.Index(html, `aria-labelledby="`+pane+`"`)
		if next <= at || !strings.Contains(html, `<h2 id="`+pane+`">`) || !strings.Contains(html, `<a href="#`+pane+`">`) {
			t.Errorf("the pane %q is not in its place, or nothing leads to it", pane)
		}
		at = next
	}
	if got := strings.Count(html, "<h1"); got != 1 {
		t.Errorf("%d headings of the first rank", got)
	}
	for _, bad := range []string{"<style", "<script>", " style=", " onclick", "autofocus", `loading="lazy"`, "ZgotmplZ", "<no value>"} {
		if strings.Contains(html, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	policy := res.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "connect-src 'self'", "frame-src 'self'", "script-src 'self'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("policy %q lacks %q", policy, want)
		}
	}
	for _, path := range []string{"/chat/chat.js", "/chat/chat.css"} {
		if res, _ := get(t, s.URL+path); res.StatusCode != 200 {
			t.Errorf("%s: got %s", path, res.Status)
		}
	}
}

func TestLetters(t *testing.T) {
	at := time.Date(2026, 3, 2, 15, 4, 5, 0, time.UTC)
	letters := []demo.Letter{
		{ID: "one", Subject: "Uno <1>", To: "persona@example.com", Date: at, HTML: `<html><HEAD lang="es"></head><body><a href="http://localhost/x">DESBLOQUEO</a></body></html>`, Text: "texto uno"},
		{ID: "two", Subject: "Dos", Date: at.Add(time.Second), Text: "texto dos"},
	}
	s := serve(t, &letters)

	_, html := get(t, s.URL+"/")
	two, one := strings.Index(html, `id="carta-two"`), strings.Index(html, `id="carta-one"`)
	if two < 0 || one < two {
		t.Errorf("letters are not newest first:\n%s", html)
	}
	for _, want := range []string{"Uno &lt;1&gt;", "15:04:05", `<iframe src="/buzon/one"`, "texto dos", `sandbox="allow-popups`} {
		if !strings.Contains(html, want) {
			t.Errorf("the page lacks %q:\n%s", want, html)
		}
	}
	if strings.Contains(html, `src="/buzon/two"`) {
		t.Error("a letter without HTML has a frame")
	}

	res, body := get(t, s.URL+"/buzon/one")
	if !strings.Contains(body, `<HEAD lang="es"><base target="_blank">`) {
		t.Errorf("links do not open a new tab: %s", body)
	}
	policy := res.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "sandbox allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation", "frame-ancestors 'self'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("policy %q lacks %q", policy, want)
		}
	}
	if strings.Contains(policy, "script") {
		t.Errorf("policy %q speaks of scripts", policy)
	}

	for _, tt := range []struct {
		path   string
		status int
		has    string
		hasNot string
	}{
		{"/buzon?desde=two", 204, "", "carta"},
		{"/buzon?desde=one", 200, "carta-two", "carta-one"},
		{"/buzon?desde=", 200, "carta-one", "<html"},
		{"/buzon?desde=gone", 200, "carta-one", "<html"},
		{"/buzon/two", 404, "Aquí no hay ninguna página", "texto dos"},
		{"/buzon/none", 404, "Aquí no hay ninguna página", "texto"},
	} {
		res, body := get(t, s.URL+tt.path)
		if res.StatusCode != tt.status || !strings.Contains(body, tt.has) || tt.hasNot != "" && strings.Contains(body, tt.hasNot) {
			t.Errorf("%s: got %s %q", tt.path, res.Status, body)
		}
	}
}
