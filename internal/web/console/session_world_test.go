package console_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"llave/internal/agent"
	"llave/internal/secret"
	"llave/internal/store"
	"llave/internal/store/storetest"
	"llave/internal/web"
	"llave/internal/web/console"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	goodPassword  = "sopa verde con nube y tambor"
	otherPassword = "tambor lento bajo la nube gris"
)

// world is the door and three rooms behind it, over a real store, with a clock that the test sets.
type world struct {
	t      *testing.T
	clock  *storetest.Clock
	agents *agent.Service
	door   *console.Door
	server *httptest.Server
	log    *syncBuffer
	public string // what the console calls itself
}

// newWorld makes one with an agent "ana" and a supervisor "sup". scheme is that of the public address.
func newWorld(t *testing.T, scheme string) *world {
	t.Helper()
	w := &world{t: t, clock: storetest.NewClock(time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)), log: &syncBuffer{}}
	s := store.New(storetest.Bolt(t, w.clock.Now))
	vault, err := secret.New(secret.NewDataKey())
	if err != nil {
		t.Fatal(err)
	}
	w.agents = agent.New(agent.Options{
		Agents: s.Agents, Sessions: s.Sessions, Tries: s.Tries, Counters: s.Counters, Audit: s.Audit.Deed,
		Vault: vault, Now: s.Now, Idle: 30 * time.Minute,
	})
	w.add("ana", agent.Member)
	w.add("sup", agent.Supervisor)

	w.server = httptest.NewUnstartedServer(nil)
	base := &url.URL{Scheme: scheme, Host: w.server.Listener.Addr().String()}
	w.public = base.String()
	kit, err := web.New(web.Options{PublicURL: base, Log: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		t.Fatal(err)
	}
	if w.door, err = console.NewDoor(kit, w.agents); err != nil {
		t.Fatal(err)
	}
	room := func(rw http.ResponseWriter, _ *http.Request, v console.Visit) error {
		_, err := io.WriteString(rw, "here is "+v.Agent.Login)
		return err
	}
	mux := http.NewServeMux()
	w.door.Routes(mux)
	kit.Routes(mux)
	mux.Handle("GET /agentes", kit.Page(w.door.For(agent.Member, room)))
	mux.Handle("GET /agentes/caso/{ref}", kit.Page(w.door.For(agent.Member, room)))
	mux.Handle("POST /agentes/caso/{ref}", kit.Page(w.door.For(agent.Member, room)))
	mux.Handle("GET /agentes/hoy", kit.Page(w.door.For(agent.Supervisor, room)))
	mux.Handle("GET /agentes/vivo", kit.Page(w.door.ForStream(agent.Member, room)))
	w.server.Config.Handler = kit.Wrap(mux)
	w.server.Start()
	t.Cleanup(w.server.Close)
	return w
}

func (w *world) add(login string, role agent.Role) {
	w.t.Helper()
	if _, err := w.agents.Add(w.t.Context(), agent.CommandLine, login, "Persona de Prueba", role, goodPassword); err != nil {
		w.t.Fatal(err)
	}
}

// browser is one agent's browser: it keeps cookies and says where a form came from. It does not follow redirects.
type browser struct {
	w      *world
	client *http.Client
}

func (w *world) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return &browser{w, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// page is an answer.
type page struct {
	status   int
	header   http.Header
	body     string
	location string
}

func (b *browser) do(method, path string, form url.Values, header ...string) page {
	b.w.t.Helper()
	req, err := http.NewRequestWithContext(b.w.t.Context(), method, b.w.server.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.w.t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", b.w.public)
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := b.client.Do(req)
	if err != nil {
		b.w.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.w.t.Fatal(err)
	}
	return page{res.StatusCode, res.Header, string(body), res.Header.Get("Location")}
}

func (b *browser) get(path string) page { b.w.t.Helper(); return b.do(http.MethodGet, path, nil) }

// post sends a form whose fields are given as name, value, name, value.
func (b *browser) post(path string, fields ...string) page {
	b.w.t.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return b.do(http.MethodPost, path, form)
}

func (b *browser) signIn(login, password string, more ...string) page {
	b.w.t.Helper()
	return b.post("/agentes/entrar", append([]string{"usuario", login, "contrasena", password}, more...)...)
}

// cookie is the value the browser has for a name, and setCookie puts one there.
func (b *browser) cookie(name string) string {
	u, _ := url.Parse(b.w.server.URL)
	for _, c := range b.client.Jar.Cookies(u) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

func (b *browser) setCookie(name, value string) {
	u, _ := url.Parse(b.w.server.URL)
	b.client.Jar.SetCookies(u, []*http.Cookie{{Name: name, Value: value, Path: "/"}})
}

// main is the part of the page that is not on every page.
func (p page) main() string {
	_, rest, _ := strings.Cut(p.body, "<main")
	main, _, _ := strings.Cut(rest, "</main>")
	return main
}

// want fails when the page is not the one expected.
func (p page) want(t *testing.T, status int, says ...string) page {
	t.Helper()
	if p.status != status {
		t.Errorf("status: got %d to %q, want %d; page:\n%s", p.status, p.location, status, p.main())
	}
	for _, s := range says {
		if !strings.Contains(p.body, s) {
			t.Errorf("the page lacks %q:\n%s", s, p.main())
		}
	}
	return p
}

// to fails when the page does not send the browser on to that address.
func (p page) to(t *testing.T, location string) page {
	t.Helper()
	if p.status != http.StatusSeeOther || p.location != location {
		t.Errorf("got %d to %q, want 303 to %q; page:\n%s", p.status, p.location, location, p.main())
	}
	return p
}

type syncBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
