// Package console is the agents' desk in a browser, at /agentes.
//
// The door (session.go, signin.go, account.go) lets people in and asks before every page who they are. Behind it are the
// inbox and the conversations (inbox.go, talk.go, deed.go), the supervisor's pages, and what keeps them up to date (live.go,
// stream.go).
//
// Every page is drawn by the server and works without a script: links, forms, and a reload. A press of a button is a POST with
// a name of its own, made when the page was drawn, so that pressing twice, or sending again when no answer came, does it once.
// What the desk refuses is said in the page, with what was typed still in its field. The script adds what a whole day of work
// wants: lines that appear by themselves, keys, ready answers, a sound.
//
// What changes is pushed over server-sent events as the same HTML that draws the page. One goroutine a process, there only
// while somebody looks, asks the store a few times a second what moved, and wakes the streams; each stream compares with what
// it has sent. So any number of processes may serve the same desk, and an agent of one sees what happens in another.
package console

import (
	"bytes"
	"context"
	"crypto/rand"
	"embed"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"llave/bot"
	"llave/internal/agent"
	"llave/internal/handoff"
	"llave/internal/web"
)

//go:embed assets
var assetFiles embed.FS

var assets = web.MustAssets("/recursos/agentes/", assetFiles, "assets")

// Step is a place where an agent may have the bot go on.
type Step struct {
	State bot.State
	Label string
}

// Options are what the console needs. All are required but those that say otherwise.
type Options struct {
	Kit       *web.Kit
	Desk      *handoff.Desk
	Agents    *agent.Service
	Audit     AuditLog                 // for the page of who did what
	Steps     []Step                   // in the order of the procedure
	StateName func(s bot.State) string // what agents call the place where the bot was
	Log       *slog.Logger
	Embed     bool // the pages may stand in a frame of our own site
	// AutoSignIn signs in whoever comes without a session; nil: they are asked who they are. For llave demo.
	AutoSignIn func(ctx context.Context) (agent.SignedIn, error)
}

// Console serves the pages. It is safe for use by many goroutines.
type Console struct {
	Options
	door  *Door
	pages web.Pages
	live  *live

	mu    sync.Mutex
	beats map[string]time.Time // when this process said last that an agent is there
}

// New makes the console.
func New(o Options) (*Console, error) {
	door, err := NewDoor(o.Kit, o.Agents)
	if err != nil {
		return nil, err
	}
	pages, err := web.ParsePages(files, "templates/desk", assets)
	if err != nil {
		return nil, err
	}
	c := &Console{Options: o, door: door, pages: pages, live: newLive(o.Desk, o.Log), beats: map[string]time.Time{}}
	door.left, door.within, door.auto = c.left, c.showWithin, o.AutoSignIn != nil
	if o.Embed {
		door.policy = web.Framed(web.Policy)
	}
	return c, nil
}

// left frees what an agent had who signed out.
func (c *Console) left(ctx context.Context, login string) error {
	c.mu.Lock()
	delete(c.beats, login)
	c.mu.Unlock()
	defer c.live.hurry()
	return c.Desk.Gone(ctx, login)
}

// showWithin draws a page of the door in the console's frame.
func (c *Console) showWithin(w http.ResponseWriter, r *http.Request, v Visit, p web.View) error {
	var title, main bytes.Buffer
	for name, into := range map[string]*bytes.Buffer{"title": &title, "main": &main} {
		if err := c.door.pages.Draw(into, p.Name, name, p.Data); err != nil {
			return fmt.Errorf("draw %s: %w", p.Name, err)
		}
	}
	return c.show(w, r, view{Visit: v, Name: "within", Here: hereAccount, Status: p.Status, Data: struct{ Title, Main template.HTML }{
		template.HTML(title.String()), template.HTML(main.String()),
	}})
}

// Routes are all of the console's.
func (c *Console) Routes(mux *http.ServeMux) {
	page, quiet, press := c.page, c.quiet, c.press
	c.door.Routes(mux)
	mux.Handle("GET /agentes", page(agent.Member, c.inbox))
	mux.Handle("GET /agentes/{$}", page(agent.Member, func(w http.ResponseWriter, r *http.Request, _ Visit) error { return web.Redirect(w, r, Home) }))
	mux.Handle("POST /agentes/siguiente", page(agent.Member, c.next))
	mux.Handle("POST /agentes/pausa", page(agent.Member, c.pause))
	mux.Handle("GET /agentes/avisos/{ref}", page(agent.Member, c.showNotice))
	mux.Handle("POST /agentes/avisos/{ref}", page(agent.Member, c.closeNotice))

	mux.Handle("GET /agentes/casos/{ref}", page(agent.Member, c.showTalk))
	mux.Handle("GET /agentes/casos/{ref}/lineas", page(agent.Member, c.olderLines))
	mux.Handle("POST /agentes/casos/{ref}/respuesta", page(agent.Member, c.putReady))
	mux.Handle("POST /agentes/casos/{ref}/escribiendo", page(agent.Member, c.typing))
	mux.Handle("POST /agentes/casos/{ref}/tomar", press(formClaim, c.claim))
	mux.Handle("POST /agentes/casos/{ref}/decir", press(formSay, c.say))
	mux.Handle("POST /agentes/casos/{ref}/nota", press(formNote, c.note))
	mux.Handle("POST /agentes/casos/{ref}/pasar", press(formPass, c.pass))
	mux.Handle("POST /agentes/casos/{ref}/soltar", press(formRelease, c.release))
	mux.Handle("POST /agentes/casos/{ref}/enlace", press(formLink, c.sendLink))
	mux.Handle("POST /agentes/casos/{ref}/oficina", press(formOffice, c.office))
	mux.Handle("POST /agentes/casos/{ref}/devolver", press(formReturn, c.giveBack))
	mux.Handle("POST /agentes/casos/{ref}/resolver", press(formResolve, c.resolve))
	mux.Handle("POST /agentes/casos/{ref}/numero", c.pressing(formNumber, c.number))
	mux.Handle("POST /agentes/casos/{ref}/porque", c.pressing(formWhy, c.why))

	mux.Handle("GET /agentes/flujo", quiet(agent.Member, c.stream))
	mux.Handle("POST /agentes/latido", quiet(agent.Member, c.beatNow))
	mux.Handle("GET /agentes/casos/{ref}/novedades", quiet(agent.Member, c.news))
	c.supervisorRoutes(mux)
	assets.Routes(mux)
}

// page serves a page to whoever is signed in with a role, and says that they are there. One that reloaded itself does not
// count as an action of theirs.
func (c *Console) page(role agent.Role, f func(w http.ResponseWriter, r *http.Request, v Visit) error) http.Handler {
	action, reload := c.door.For(role, c.there(f)), c.door.ForStream(role, c.there(f))
	return c.Kit.Page(func(w http.ResponseWriter, r *http.Request) error {
		if r.Method == http.MethodGet && r.URL.Query().Has(reloadParam) {
			return reload(w, r)
		}
		if in, err := c.autoSignIn(w, r); in || err != nil {
			return err
		}
		return action(w, r)
	})
}

// quiet is page for what pages ask for by themselves: it does not count as an action.
func (c *Console) quiet(role agent.Role, f func(w http.ResponseWriter, r *http.Request, v Visit) error) http.Handler {
	return c.Kit.Page(c.door.ForStream(role, c.there(f)))
}

// there has a request say that the agent is there.
func (c *Console) there(f func(w http.ResponseWriter, r *http.Request, v Visit) error) func(http.ResponseWriter, *http.Request, Visit) error {
	return func(w http.ResponseWriter, r *http.Request, v Visit) error {
		if err := c.beat(r.Context(), v); err != nil {
			return unavailable(err)
		}
		return f(w, r, v)
	}
}

// autoSignIn signs in whoever asks for a page without a session, where that is wanted, and sends them on to the same page.
func (c *Console) autoSignIn(w http.ResponseWriter, r *http.Request) (in bool, err error) {
	if c.AutoSignIn == nil || r.Method != http.MethodGet || r.Header.Get("Sec-Fetch-Dest") == "empty" {
		return false, nil
	}
	if _, _, err := c.Agents.Live(r.Context(), c.Kit.Cookie(r, sessionCookie)); whyNot(err) == "" {
		return false, nil // signed in, or the store is away: what follows says so
	}
	s, err := c.AutoSignIn(r.Context())
	if err != nil {
		return false, unavailable(err)
	}
	c.Kit.SetStrictCookie(w, sessionCookie, s.Token.Reveal(), s.Life)
	return true, web.Redirect(w, r, r.URL.RequestURI())
}

// reloadParam is in the address of a page that reloads itself.
const reloadParam = "recarga"

// actor is who does what a visit asks for.
func (v Visit) actor() handoff.Actor {
	return handoff.Actor{Login: v.Agent.Login, Name: v.Agent.Name, Supervisor: v.supervisor()}
}

func (v Visit) supervisor() bool { return v.Agent.Role.Includes(agent.Supervisor) }

// beatEvery is how often at most a process writes down that an agent is there.
const beatEvery = 10 * time.Second

// beat says that an agent is there, as much on duty as they said last.
func (c *Console) beat(ctx context.Context, v Visit) error {
	c.mu.Lock()
	recent := time.Since(c.beats[v.Agent.Login]) < beatEvery
	c.mu.Unlock()
	if recent {
		return nil
	}
	away, err := c.away(ctx, v.Agent.Login)
	if err != nil {
		return err
	}
	return c.beatAs(ctx, v, away)
}

func (c *Console) beatAs(ctx context.Context, v Visit, away bool) error {
	if err := c.Desk.Beat(ctx, v.actor(), away); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.beats[v.Agent.Login] = time.Now()
	return nil
}

// away says whether an agent takes no new conversation for now.
func (c *Console) away(ctx context.Context, login string) (bool, error) {
	all, err := c.Desk.Store.Present(ctx)
	if err != nil {
		return false, err
	}
	for _, p := range all {
		if p.Login == login {
			return p.Away, nil
		}
	}
	return false, nil
}

// The entries of the navigation.
const (
	hereMine       = "mios"
	hereWaiting    = "espera"
	hereClosed     = "cerrados"
	hereAll        = "todos"
	hereSearch     = "buscar"
	hereSupervisor = "supervision"
	hereAccount    = "cuenta"
)

// view is a page in the console's frame.
type view struct {
	Visit  Visit
	Name   string // of the template
	Here   string // the entry of the navigation it belongs to
	Status int    // 0: 200
	Stream string // what the page's stream is asked beside: an encoded query
	Reload string // where the page reloads itself to when there is no script; "": it does not
	Data   any    // what the page's "title" and "main" get
}

// framed is what the frame gets.
type framed struct {
	Agent      agent.Agent
	Supervisor bool
	Here       string
	Away       bool
	Stream     string
	Reload     string
	Back       string // this page, for a form that leads back to it
	Data       any
}

// policy lets a page listen to its stream, and without script show what is new in a frame.
const policy = web.Policy + "; connect-src 'self'; frame-src 'self'"

// show draws a page in the console's frame.
func (c *Console) show(w http.ResponseWriter, r *http.Request, v view) error {
	away, err := c.away(r.Context(), v.Visit.Agent.Login)
	if err != nil {
		return unavailable(err)
	}
	back := Home
	if r.Method == http.MethodGet {
		back = r.URL.RequestURI()
	}
	return web.Show(w, c.pages, web.View{Name: v.Name, Status: v.Status, Form: true, Policy: c.policy(), Data: framed{
		Agent: v.Visit.Agent, Supervisor: v.Visit.supervisor(), Here: v.Here, Away: away,
		Stream: v.Stream, Reload: v.Reload, Back: back, Data: v.Data,
	}})
}

func (c *Console) policy() string {
	if c.Embed {
		return web.Framed(policy)
	}
	return policy
}

// newOnce names a press of a button.
func newOnce() string { return rand.Text() }
