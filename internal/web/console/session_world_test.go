package console_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"go.uber.org/goleak"

	"llave/internal/agent"
	"llave/internal/bottest"
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
	log    *bottest.Log
	public string // what the console calls itself
}

// newWorld makes one with an agent "ana" and a supervisor "sup". scheme is that of the public address.
func newWorld(t *testing.T, scheme string) *world {
	t.Helper()
	w := &world{t: t, clock: storetest.NewClock(time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)), log: &bottest.Log{}}
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

// browser is one agent's.
type browser struct {
	*bottest.Browser
	w *world
}

func (w *world) browser() *browser { return &browser{bottest.NewBrowser(w.server.URL, w.public), w} }

func (b *browser) do(method, path string, form url.Values, header ...string) bottest.Page {
	b.w.t.Helper()
	p, err := b.Do(b.w.t.Context(), method, path, form, header...)
	if err != nil {
		b.w.t.Fatal(err)
	}
	return p
}

func (b *browser) get(path string) bottest.Page {
	b.w.t.Helper()
	return b.do(http.MethodGet, path, nil)
}

// post sends a form whose fields are given as name, value, name, value.
func (b *browser) post(path string, fields ...string) bottest.Page {
	b.w.t.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return b.do(http.MethodPost, path, form)
}

func (b *browser) signIn(login, password string, more ...string) bottest.Page {
	b.w.t.Helper()
	return b.post("/agentes/entrar", append([]string{"usuario", login, "contrasena", password}, more...)...)
}
