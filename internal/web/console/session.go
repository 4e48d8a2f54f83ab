package console

import (
	"context"
	"embed"
	"errors"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"llave/internal/agent"
	"llave/internal/handoff"
	"llave/internal/web"
)

//go:embed templates
var files embed.FS

// Door lets agents in and out: the pages of signing in, the agent's own account, and the question in front of every other
// page of who is asking. Kit and Agents are required.
type Door struct {
	Kit    *web.Kit
	Agents *agent.Service
	Zone   *time.Location // of the times shown; nil: UTC
	pages  web.Pages

	// What the rooms behind it may set.
	policy string                                                                  // of its pages; "": web.Policy
	left   func(ctx context.Context, login string) error                           // somebody has signed out
	within func(w http.ResponseWriter, r *http.Request, v Visit, p web.View) error // shows a page of who is signed in
	word   func(ctx context.Context, word string) (agent.SignedIn, error)          // signs in instead of login and password; nil: accounts do
	auto   bool                                                                    // nobody is asked who they are: the next page signs them in
}

// NewDoor makes the door.
func NewDoor(kit *web.Kit, agents *agent.Service) (*Door, error) {
	pages, err := web.ParsePages(files, "templates", assets)
	if err != nil {
		return nil, err
	}
	return &Door{Kit: kit, Agents: agents, pages: pages}, nil
}

// Routes are the door's own.
func (d *Door) Routes(mux *http.ServeMux) {
	page := d.Kit.Page
	mux.Handle("GET "+SignInPath, page(d.showSignIn))
	mux.Handle("POST "+SignInPath, page(d.signIn))
	mux.Handle("GET "+codePath, page(d.showCode))
	mux.Handle("POST "+codePath, page(d.signInCode))
	mux.Handle("POST "+signOutPath, page(d.signOut))
	mux.Handle("GET "+accountPath, page(d.For(agent.Any, d.showAccount)))
	mux.Handle("POST "+accountPath, page(d.For(agent.Any, d.changeAccount)))
	mux.Handle("GET "+enrolmentPath, page(d.For(agent.Any, d.enrolmentCode)))
	mux.Handle("GET "+confirmPath, page(d.For(agent.Any, d.showConfirm)))
	mux.Handle("POST "+confirmPath, page(d.For(agent.Any, d.confirm)))
}

// Where the door's pages are. Home is where signing in leads when nobody asked for another page.
const (
	Home          = "/agentes"
	SignInPath    = "/agentes/entrar"
	codePath      = "/agentes/codigo"
	signOutPath   = "/agentes/salir"
	accountPath   = "/agentes/cuenta"
	enrolmentPath = "/agentes/cuenta/codigo.png"
	confirmPath   = "/agentes/confirmar"

	// CounterPath is the home of clerks.
	CounterPath = "/agentes/ventanilla"
)

// The cookies, before web.Kit puts "__Host-" in front.
const (
	sessionCookie = "agente"
	codeCookie    = "agente-codigo" // between password and code
	deviceCookie  = "agente-equipo" // that somebody signed in from here before
)

// Visit is a request of somebody who is signed in.
type Visit struct {
	Agent agent.Agent
	token string
	fresh bool // the password was typed a moment ago
}

// Actor is who does what a visit asks for.
func (v Visit) Actor() handoff.Actor {
	return handoff.Actor{Login: v.Agent.Login, Name: v.Agent.Name, Supervisor: v.Supervisor(), Speaks: v.Agent.Speaks}
}

// Fresh says whether the visitor typed the password a moment ago.
func (v Visit) Fresh() bool { return v.fresh }

// Supervisor says whether the visitor may do what supervisors do.
func (v Visit) Supervisor() bool { return v.Agent.Role.Includes(agent.Supervisor) }

// Handler answers a visit.
type Handler = func(w http.ResponseWriter, r *http.Request, v Visit) error

// For turns a handler that wants somebody signed in, with a role, into one that anybody may ask. Whoever is not signed in is
// sent to do so and comes back to the page; a script, which could not show that page, is answered 401. Without the role the
// answer is 403. Who owes something (a password of their own, a second factor) is sent to their account and gets no other page.
// Every request counts as an action of the agent.
func (d *Door) For(role agent.Role, f Handler) web.HandlerFunc {
	return d.ask(role, d.Agents.Session, f)
}

// ForStream is For for what a page asks by itself: it does not count as an action.
func (d *Door) ForStream(role agent.Role, f Handler) web.HandlerFunc {
	return d.ask(role, d.Agents.Live, f)
}

// Live says whether a visit may go on, for a stream to ask every second or two: the agent as the account is now, or why not.
func (d *Door) Live(ctx context.Context, v Visit) (agent.Agent, error) {
	a, _, err := d.Agents.Live(ctx, v.token)
	return a, err
}

type lookup func(ctx context.Context, token string) (agent.Agent, agent.Session, error)

func (d *Door) ask(role agent.Role, look lookup, f Handler) web.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		token := d.Kit.Cookie(r, sessionCookie)
		a, sn, err := look(r.Context(), token)
		switch {
		case whyNot(err) != "":
			return sendToSignIn(w, r)
		case err != nil:
			return Unavailable(err)
		case d.Agents.Owes(a) != agent.OwesNothing && !strings.HasPrefix(r.URL.Path, accountPath):
			return sendTo(w, r, accountPath)
		case a.Role == agent.Clerk && !a.Role.Includes(role) && r.Method == http.MethodGet && strings.TrimSuffix(r.URL.Path, "/") == Home:
			return sendTo(w, r, CounterPath)
		case !a.Role.Includes(role):
			return &web.Error{Status: http.StatusForbidden}
		}
		return f(w, r, Visit{a, token, sn.Fresh || d.auto || d.word != nil})
	}
}

// whyNot is the template's word for why nobody is signed in, "" when the error is about something else.
func whyNot(err error) string {
	switch {
	case errors.Is(err, agent.ErrNoSession):
		return "none"
	case errors.Is(err, agent.ErrIdle):
		return "idle"
	case errors.Is(err, agent.ErrOver):
		return "over"
	case errors.Is(err, agent.ErrRevoked):
		return "revoked"
	}
	return ""
}

// Ended says of an error of Live whether the session is over, rather than the store away.
func Ended(err error) bool { return whyNot(err) != "" }

func sendToSignIn(w http.ResponseWriter, r *http.Request) error {
	back := Home
	if r.Method == http.MethodGet {
		back = r.URL.RequestURI()
	}
	return sendTo(w, r, withBack(SignInPath, back))
}

// sendTo leads a browser to a page of the door; a script, which could not show that, is answered 401.
func sendTo(w http.ResponseWriter, r *http.Request, to string) error {
	if r.Header.Get("Sec-Fetch-Dest") == "empty" {
		web.Secure(w.Header(), "", true)
		w.WriteHeader(http.StatusUnauthorized)
		return nil
	}
	return web.Redirect(w, r, to)
}

// withBack adds to an address where to go afterwards, unless that is Home anyway.
func withBack(to, back string) string {
	if back = ownPage(back); back == Home {
		return to
	}
	return to + "?" + url.Values{"volver": {back}}.Encode()
}

// ownPage returns [back] if it is one of the console's pages, written plainly, else Home: nobody is sent elsewhere, whatever a
// link said, and not round in a circle.
func ownPage(back string) string {
	u, err := url.ParseRequestURI(back)
	if err != nil || u.IsAbs() || u.Host != "" || u.Opaque != "" || u.User != nil || strings.ContainsAny(back, "\\#") {
		return Home
	}
	if u.EscapedPath() != u.Path || path.Clean(u.Path) != u.Path || !strings.HasPrefix(u.Path, Home+"/") {
		return Home
	}
	switch u.Path {
	case SignInPath, codePath, signOutPath, enrolmentPath, confirmPath:
		return Home
	}
	return back
}

// Unavailable is for whatever could not be done: the store was not there, and will be.
func Unavailable(err error) error {
	return &web.Error{Status: http.StatusServiceUnavailable, RetryAfter: 5 * time.Second, Err: err}
}
