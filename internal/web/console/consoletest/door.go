// Package consoletest serves the console to tests: signing in alone (NewDoor), or all of it over a real store, a real
// runner and the real conversation (NewDesk). Agents and the people they talk to are played through the public routes; the
// test sets the clock.
package consoletest

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"llave/internal/agent"
	"llave/internal/bottest"
	"llave/internal/secret"
	"llave/internal/store"
	"llave/internal/store/storetest"
	"llave/internal/web"
	"llave/internal/web/console"
)

// Password is that of "ana" and "sup".
const Password = "sopa verde con nube y tambor"

// Site is a served console and who may sign in: an agent "ana" and a supervisor "sup". It begins on a Monday at ten in the
// morning.
type Site struct {
	T      *testing.T
	Clock  *storetest.Clock
	Agents *agent.Service
	Door   *console.Door // of NewDoor
	Server *httptest.Server
	Log    *bottest.Log
	public string // what the console calls itself
}

func newSite(t *testing.T) (w *Site, s *store.Store, vault *secret.Vault) {
	t.Helper()
	w = &Site{T: t, Clock: storetest.NewClock(time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)), Log: &bottest.Log{}}
	s = store.New(storetest.Bolt(t, w.Clock.Now))
	vault, err := secret.New(secret.NewDataKey())
	if err != nil {
		t.Fatal(err)
	}
	s.Audit.Chain(vault)
	w.Agents = agent.New(agent.Options{
		Agents: s.Agents, Sessions: s.Sessions, Tries: s.Tries, Counters: s.Counters, Audit: s.Audit.AppendAgent,
		Vault: vault, Now: s.Now, Idle: 30 * time.Minute,
	})
	w.Add("ana", agent.Member)
	w.Add("sup", agent.Supervisor)
	return w, s, vault
}

// Add makes an account, whose password is Password.
func (w *Site) Add(login string, role agent.Role) {
	w.T.Helper()
	if _, err := w.Agents.Add(w.T.Context(), agent.CommandLine, agent.Newcomer{Login: login, Name: "Persona de Prueba", Role: role}, Password); err != nil {
		w.T.Fatal(err)
	}
}

func (w *Site) log() *slog.Logger {
	return slog.New(slog.NewTextHandler(w.Log, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// serve makes the server; what [routes] puts on its mux is served until the test ends.
func (w *Site) serve(scheme string, routes func(kit *web.Kit, mux *http.ServeMux) error) {
	w.T.Helper()
	w.Server = httptest.NewUnstartedServer(nil)
	base := &url.URL{Scheme: scheme, Host: w.Server.Listener.Addr().String()}
	w.public = base.String()
	kit, err := web.New(web.Options{PublicURL: base, Log: w.log()})
	if err != nil {
		w.T.Fatal(err)
	}
	mux := http.NewServeMux()
	kit.Routes(mux)
	if err := routes(kit, mux); err != nil {
		w.T.Fatal(err)
	}
	w.Server.Config.Handler = kit.Wrap(mux)
	w.Server.Config.ConnState = func(c net.Conn, state http.ConnState) {
		if tcp, ok := c.(*net.TCPConn); ok && state == http.StateNew {
			_ = tcp.SetWriteBuffer(8 << 10) // so that a client that does not read is met soon; larger ones are as good
		}
	}
	w.Server.Start()
	w.T.Cleanup(w.Server.Close)
}

// NewDoor serves the door with pages behind it that say who is there. [scheme] is that of the public address.
func NewDoor(t *testing.T, scheme string) *Site {
	t.Helper()
	w, _, _ := newSite(t)
	room := func(rw http.ResponseWriter, _ *http.Request, v console.Visit) error {
		_, err := io.WriteString(rw, "here is "+v.Agent.Login)
		return err
	}
	w.serve(scheme, func(kit *web.Kit, mux *http.ServeMux) (err error) {
		if w.Door, err = console.NewDoor(kit, w.Agents); err != nil {
			return err
		}
		w.Door.Routes(mux)
		mux.Handle("GET /agentes", kit.Page(w.Door.For(agent.Member, room)))
		mux.Handle("GET /agentes/caso/{ref}", kit.Page(w.Door.For(agent.Member, room)))
		mux.Handle("POST /agentes/caso/{ref}", kit.Page(w.Door.For(agent.Member, room)))
		mux.Handle("GET /agentes/hoy", kit.Page(w.Door.For(agent.Supervisor, room)))
		mux.Handle("GET /agentes/vivo", kit.Page(w.Door.ForStream(agent.Member, room)))
		return nil
	})
	return w
}

// Browser is one agent's. Its calls fail the test when nothing answers.
type Browser struct {
	*bottest.Browser
	Site *Site
}

// Browser is a new one, in which nobody has signed in.
func (w *Site) Browser() *Browser { return &Browser{bottest.NewBrowser(w.Server.URL, w.public), w} }

// Do sends a request; headers are given as name, value, name, value.
func (b *Browser) Do(method, path string, form url.Values, header ...string) bottest.Page {
	b.Site.T.Helper()
	p, err := b.Browser.Do(b.Site.T.Context(), method, path, form, header...)
	if err != nil {
		b.Site.T.Fatal(err)
	}
	return p
}

// Get asks for a page.
func (b *Browser) Get(path string) bottest.Page {
	b.Site.T.Helper()
	return b.Do(http.MethodGet, path, nil)
}

// Post sends a form whose fields are given as name, value, name, value.
func (b *Browser) Post(path string, fields ...string) bottest.Page {
	b.Site.T.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return b.Do(http.MethodPost, path, form)
}

// SignIn types a login and a password.
func (b *Browser) SignIn(login, password string, more ...string) bottest.Page {
	b.Site.T.Helper()
	return b.Post("/agentes/entrar", append([]string{"usuario", login, "contrasena", password}, more...)...)
}
