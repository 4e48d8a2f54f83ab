// Package console is the agents' desk in a browser, at /agentes: signing in, and what all its pages share.
//
// session.go, signin.go and account.go let agents in and find out before every page who they are. The rest draws what every
// page has around it, records that whoever asks for one is present (presence.go), and serves the static files. What agents
// do is in two packages that import this one and not each other: console/talk, the inbox and the conversations;
// console/supervisor, the figures, accounts, hours and closed cases.
//
// Every page is drawn by the server and works without a script: links, forms, and a reload. What is refused is said in the
// page, with what was typed still in its field. The script adds what a whole day of work wants: lines that appear by
// themselves, keyboard shortcuts, ready answers, a sound.
package console

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"llave/internal/agent"
	"llave/internal/handoff"
	"llave/internal/web"
)

//go:embed assets
var assetFiles embed.FS

var assets = web.MustAssets("/recursos/agentes/", assetFiles, "assets")

// Options are what the frame needs. All are required but those that say otherwise.
type Options struct {
	Kit    *web.Kit
	Desk   *handoff.Desk
	Agents *agent.Service
	Log    *slog.Logger
	Embed  bool // the pages may stand in a frame of our own site
	// AutoSignIn signs in whoever comes without a session; nil: they are asked who they are. For llave demo.
	AutoSignIn func(ctx context.Context) (agent.SignedIn, error)
	// Word signs in whoever has the word that llave demo printed, instead of a login and a password; agent.ErrWrong when it is
	// another. nil: accounts sign in.
	Word func(ctx context.Context, word string) (agent.SignedIn, error)
}

// Frame is what the rooms stand in. It is safe for use by many goroutines.
type Frame struct {
	Options
	door  *Door
	parts *web.Parts
	pages web.Pages
	freed func()

	mu    sync.Mutex
	beats map[string]time.Time // when this process said last that an agent is there
}

// New makes the frame.
func New(o Options) (*Frame, error) {
	door, err := NewDoor(o.Kit, o.Agents)
	if err != nil {
		return nil, err
	}
	parts, err := web.ParseParts(files, "templates/frame", assets)
	if err != nil {
		return nil, err
	}
	pages, err := parts.Pages(files, "templates/frame")
	if err != nil {
		return nil, err
	}
	c := &Frame{Options: o, door: door, parts: parts, pages: pages, freed: func() {}, beats: map[string]time.Time{}}
	door.left, door.within, door.auto, door.Zone = c.left, c.showWithin, o.AutoSignIn != nil, o.Desk.Zone
	door.word = o.Word
	if o.Embed {
		door.policy = web.Framed(web.Policy)
	}
	return c, nil
}

// OnFreed has a room told when an agent has signed out and what they had is free for others. It is called before the frame
// serves anything.
func (c *Frame) OnFreed(do func()) { c.freed = do }

// Pages reads the pages of a room: each stands in the frame and may use the frame's words.
func (c *Frame) Pages(fsys fs.FS, dir string) (web.Pages, error) { return c.parts.Pages(fsys, dir) }

// left frees what an agent had who signed out.
func (c *Frame) left(ctx context.Context, login string) error {
	c.mu.Lock()
	delete(c.beats, login)
	c.mu.Unlock()
	defer c.freed()
	return c.Desk.Gone(ctx, login)
}

// showWithin draws a page of the door in the console's frame.
func (c *Frame) showWithin(w http.ResponseWriter, r *http.Request, v Visit, p web.View) error {
	var title, main bytes.Buffer
	for name, into := range map[string]*bytes.Buffer{"title": &title, "main": &main} {
		if err := c.door.pages.Draw(into, p.Name, name, p.Data); err != nil {
			return fmt.Errorf("draw %s: %w", p.Name, err)
		}
	}
	return c.Show(w, r, c.pages, View{Visit: v, Name: "within", Here: HereAccount, Status: p.Status, Data: struct{ Title, Main template.HTML }{
		template.HTML(title.String()), template.HTML(main.String()), //nolint:gosec // made by templates, which escaped what people wrote
	}})
}

// Routes are the door's, those of being there, and the files that pages link to.
func (c *Frame) Routes(mux *http.ServeMux) {
	c.door.Routes(mux)
	mux.Handle("GET /agentes/{$}", c.Page(agent.Member, func(w http.ResponseWriter, r *http.Request, _ Visit) error { return web.Redirect(w, r, Home) }))
	mux.Handle("POST /agentes/pausa", c.Page(agent.Member, c.pause))
	mux.Handle("POST /agentes/latido", c.Quiet(agent.Member, c.beatNow))
	assets.Routes(mux)
}

// Page serves a page to whoever is signed in with a role, and says that they are there. One that reloaded itself does not
// count as an action of theirs.
func (c *Frame) Page(role agent.Role, f Handler) http.Handler {
	action, reload := c.door.For(role, c.there(f)), c.door.ForStream(role, c.there(f))
	return c.Kit.Page(func(w http.ResponseWriter, r *http.Request) error {
		if r.Method == http.MethodGet && r.URL.Query().Has(ReloadParam) {
			return reload(w, r)
		}
		if in, err := c.autoSignIn(w, r); in || err != nil {
			return err
		}
		return action(w, r)
	})
}

// Quiet is Page for what pages ask for by themselves: it does not count as an action.
func (c *Frame) Quiet(role agent.Role, f Handler) http.Handler {
	return c.Kit.Page(c.door.ForStream(role, c.there(f)))
}

// Look is Quiet for what does not even say that the agent is there.
func (c *Frame) Look(role agent.Role, f Handler) http.Handler {
	return c.Kit.Page(c.door.ForStream(role, f))
}

// Proven is a handler of what would do harm in a browser that was left open: see Door.Proven.
func (c *Frame) Proven(f Handler) Handler { return c.door.Proven(f) }

// Live says whether a visit may go on: see Door.Live.
func (c *Frame) Live(ctx context.Context, v Visit) (agent.Agent, error) { return c.door.Live(ctx, v) }

// autoSignIn signs in whoever asks for a page without a session, where that is wanted, and sends them on to the same page.
func (c *Frame) autoSignIn(w http.ResponseWriter, r *http.Request) (in bool, err error) {
	if c.AutoSignIn == nil || r.Method != http.MethodGet || r.Header.Get("Sec-Fetch-Dest") == "empty" {
		return false, nil
	}
	if _, _, err := c.Agents.Live(r.Context(), c.Kit.Cookie(r, sessionCookie)); whyNot(err) == "" {
		return false, nil // signed in, or the store is away: what follows says so
	}
	if !ownHost(r.Host) { // a page of somebody else's whose name leads here
		return false, &web.Error{Status: http.StatusForbidden}
	}
	s, err := c.AutoSignIn(r.Context())
	if err != nil {
		return false, Unavailable(err)
	}
	c.Kit.SetStrictCookie(w, sessionCookie, s.Token.Reveal(), s.Life)
	return true, web.Redirect(w, r, r.URL.RequestURI())
}

// ownHost says whether a browser asked for this machine by a name that leads nowhere else.
func ownHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return ip != nil && ip.IsLoopback() || host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// Where the pages of the rooms are that others lead to, and what is in the address of a page that reloads itself.
const (
	CasePath    = "/agentes/casos/"  // followed by the number of the case
	NoticePath  = "/agentes/avisos/" // followed by that of the notice
	ReloadParam = "recarga"
)

// The entries of the navigation.
const (
	HereMine       = "mios"
	HereWaiting    = "espera"
	HereClosed     = "cerrados"
	HereAll        = "todos"
	HereSearch     = "buscar"
	HereSupervisor = "supervision"
	HereAccount    = "cuenta"
	HereCounter    = "ventanilla"
)

// View is a page in the console's frame.
type View struct {
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
	Clerk      bool
	Here       string
	Away       bool
	Stream     string
	Reload     string
	Back       string // this page, for a form that leads back to it
	Data       any
}

// Policy lets a page listen to its stream, and without script show what is new in a frame.
const Policy = web.Policy + "; connect-src 'self'; frame-src 'self'"

// Show draws one of some pages in the console's frame.
func (c *Frame) Show(w http.ResponseWriter, r *http.Request, pages web.Pages, v View) error {
	away, err := c.Desk.Paused(r.Context(), v.Visit.Agent.Login)
	if err != nil {
		return Unavailable(err)
	}
	back := Home
	if r.Method == http.MethodGet {
		back = r.URL.RequestURI()
	}
	return web.Show(w, pages, web.View{Name: v.Name, Status: v.Status, Form: true, Policy: c.policy(), Data: framed{
		Agent: v.Visit.Agent, Supervisor: v.Visit.Supervisor(), Clerk: v.Visit.Agent.Role == agent.Clerk, Here: v.Here, Away: away,
		Stream: v.Stream, Reload: v.Reload, Back: back, Data: v.Data,
	}})
}

func (c *Frame) policy() string {
	if c.Embed {
		return web.Framed(Policy)
	}
	return Policy
}

// Moment is a point in time as a page shows it. The zero Moment is none.
type Moment struct{ ISO, Day, Clock string }

// Moment writes [t] for a page, at the desk's place.
func (c *Frame) Moment(t time.Time) Moment {
	return momentIn(t, c.Desk.Zone)
}

func momentIn(t time.Time, zone *time.Location) Moment {
	if t.IsZero() {
		return Moment{}
	}
	t = t.In(zone)
	return Moment{t.Format(time.RFC3339), t.Format("02/01/2006"), t.Format("15:04")}
}

// Detached is for what must be finished although the browser has gone away.
func Detached(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(r.Context()), 20*time.Second)
}
