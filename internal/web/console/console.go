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
	"context"
	"crypto/rand"
	"embed"
	"log/slog"
	"net/http"
	"strings"
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
	Audit     AuditLog
	Steps     []Step                   // in the order of the procedure
	StateName func(s bot.State) string // what agents call the place where the bot was
	Zone      *time.Location           // of the times shown
	Now       func(ctx context.Context) (time.Time, error)
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
	return &Console{Options: o, door: door, pages: pages, beats: map[string]time.Time{}}, nil
}

// Routes are all of the console's.
func (c *Console) Routes(mux *http.ServeMux) {
	c.door.Routes(mux)
	mux.Handle("GET /agentes", c.page(agent.Member, c.inbox))
	mux.Handle("GET /agentes/{$}", c.Kit.Page(func(w http.ResponseWriter, r *http.Request) error { return web.Redirect(w, r, Home) }))
	c.supervisorRoutes(mux)
	assets.Routes(mux)
}

// page serves a page to whoever is signed in with a role, and says that they are there. A page that reloaded itself does not
// count as an action.
func (c *Console) page(role agent.Role, f func(w http.ResponseWriter, r *http.Request, v Visit) error) http.Handler {
	there := func(w http.ResponseWriter, r *http.Request, v Visit) error {
		if err := c.beat(r.Context(), v); err != nil {
			return unavailable(err)
		}
		return f(w, r, v)
	}
	action, reload := c.door.For(role, there), c.door.ForStream(role, there)
	return c.Kit.Page(func(w http.ResponseWriter, r *http.Request) error {
		if r.Method == http.MethodGet && r.URL.Query().Has(reloadParam) {
			return reload(w, r)
		}
		return action(w, r)
	})
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
	Pause      string // the name of the next press of the button
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
	return web.Show(w, c.pages, web.View{Name: v.Name, Status: v.Status, Form: true, Policy: c.policy(c.Embed), Data: framed{
		Agent: v.Visit.Agent, Supervisor: v.Visit.supervisor(), Here: v.Here, Away: away,
		Stream: v.Stream, Reload: v.Reload, Data: v.Data,
	}})
}

func (c *Console) policy(embed bool) string {
	if embed {
		return strings.Replace(policy, "frame-ancestors 'none'", "frame-ancestors 'self'", 1)
	}
	return policy
}

// newOnce names a press of a button.
func newOnce() string { return rand.Text() }
