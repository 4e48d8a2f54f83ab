package supervisor

import (
	"errors"
	"net/http"
	"net/url"
	"slices"

	"llave/bot"
	"llave/internal/agent"
	"llave/internal/key"
	"llave/internal/web"
	"llave/internal/web/console"
)

// agentsData is the page of the accounts.
type agentsData struct {
	Me      string
	Agents  []agentRow
	Min     int // characters of a password
	Done    string
	DoneFor string // the name of whom it was done to
	Failed  agentFailed
}

// agentRow is one account as it is listed.
type agentRow struct {
	agent.Agent
	LastSeen console.Moment
	Guessed  console.Moment
	Open     bool        // its forms are unfolded: one of them was refused
	Failed   agentFailed // of this account
}

// agentFailed is a form that was refused: what is wrong, and what was typed but for the password.
type agentFailed struct {
	Do       string // the form
	Field    string // "login", "name", "role", "password"; "" when no field is to blame
	Problem  string // the template "agent-problem" has the words
	Problems []key.Problem
	Login    string
	Name     string
	Role     string
}

// agentForms are what may be done to an account.
var agentForms = map[string]func(c *Room, r *http.Request, v console.Visit, login string) error{
	"agregar": func(c *Room, r *http.Request, v console.Visit, login string) error {
		form := r.PostForm
		_, err := c.Agents.Add(r.Context(), v.Agent.Login, agent.Newcomer{Login: login, Name: form.Get("nombre"), Role: agent.Role(form.Get("rol"))}, form.Get("contrasena"))
		return err
	},
	"nombre": func(c *Room, r *http.Request, v console.Visit, login string) error {
		return c.Agents.Rename(r.Context(), v.Agent.Login, login, r.PostForm.Get("nombre"))
	},
	"rol": func(c *Room, r *http.Request, v console.Visit, login string) error {
		return c.Agents.SetRole(r.Context(), v.Agent.Login, login, agent.Role(r.PostForm.Get("rol")))
	},
	"contrasena": func(c *Room, r *http.Request, v console.Visit, login string) error {
		return c.Agents.SetPassword(r.Context(), v.Agent.Login, login, r.PostForm.Get("contrasena"))
	},
	"sin-codigo": func(c *Room, r *http.Request, v console.Visit, login string) error {
		return c.Agents.RemoveTOTP(r.Context(), v.Agent.Login, login)
	},
	"sesiones": func(c *Room, r *http.Request, v console.Visit, login string) error {
		return c.Agents.EndSessions(r.Context(), v.Agent.Login, login)
	},
	"activar": func(c *Room, r *http.Request, v console.Visit, login string) error {
		return c.Agents.Enable(r.Context(), v.Agent.Login, login)
	},
	"desactivar": (*Room).disableAgent,
}

// ownForms are those that nobody sends for their own account, which has a page where the present password and the code are asked for.
var ownForms = map[string]bool{"contrasena": true, "sin-codigo": true}

// disableAgent throws somebody out at once; whoever they were talking to goes back to the queue, also when they had been
// disabled before and that was cut short.
func (c *Room) disableAgent(r *http.Request, v console.Visit, login string) error {
	ctx, cancel := console.Detached(r)
	defer cancel()
	if err := c.Agents.Disable(ctx, v.Agent.Login, login); err != nil {
		return err
	}
	return c.Desk.Gone(ctx, login)
}

func (c *Room) showAgents(w http.ResponseWriter, r *http.Request, v console.Visit) error {
	query := r.URL.Query()
	data := agentsData{Done: query.Get("hecho"), DoneFor: query.Get("de")}
	if _, ok := agentForms[data.Done]; !ok {
		data.Done = ""
	}
	return c.listAgents(w, r, v, data)
}

func (c *Room) listAgents(w http.ResponseWriter, r *http.Request, v console.Visit, data agentsData) error {
	all, err := c.Agents.List(r.Context())
	if err != nil {
		return console.Unavailable(err)
	}
	data.Me, data.Min = v.Agent.Login, agent.MinPassword
	status, doneFor := http.StatusOK, ""
	if data.Failed.Do != "" {
		status = http.StatusUnprocessableEntity
	}
	for _, a := range all {
		row := agentRow{Agent: a, LastSeen: c.Moment(a.LastIn), Guessed: c.Moment(a.Guessed)}
		if data.Failed.Do != "agregar" && data.Failed.Login == a.Login {
			row.Open, row.Failed = true, data.Failed
		}
		if a.Login == data.DoneFor {
			doneFor = a.Name
		}
		data.Agents = append(data.Agents, row)
	}
	if data.DoneFor = doneFor; doneFor == "" {
		data.Done = ""
	}
	slices.SortStableFunc(data.Agents, func(a, b agentRow) int {
		switch {
		case a.Disabled == b.Disabled:
			return 0
		case b.Disabled:
			return -1
		}
		return 1
	})
	return c.show(w, r, console.View{Visit: v, Name: "agents", Here: console.HereSupervisor, Status: status, Data: data})
}

func (c *Room) changeAgent(w http.ResponseWriter, r *http.Request, v console.Visit) error {
	form, err := web.Form(r)
	if err != nil {
		return err
	}
	do := form.Get("hacer")
	change, ok := agentForms[do]
	if !ok {
		return &web.Error{Status: http.StatusBadRequest}
	}
	login := form.Get("usuario")
	if own, err := agent.ParseLogin(login); err == nil && own == v.Agent.Login && ownForms[do] {
		return &web.Error{Status: http.StatusForbidden}
	}
	err = change(c, r, v, login)
	if err == nil {
		if login, err = agent.ParseLogin(login); err != nil {
			return err
		}
		return web.Redirect(w, r, agentsPath+"?"+url.Values{"hecho": {do}, "de": {login}}.Encode())
	}
	failed, ok := agentRefused(err)
	if !ok {
		return console.Unavailable(err)
	}
	failed.Do, failed.Login, failed.Name, failed.Role = do, bot.Cut(login, 64), bot.Cut(form.Get("nombre"), 80), form.Get("rol")
	return c.listAgents(w, r, v, agentsData{Failed: failed})
}

// agentRefused says which field an error is about. It returns false when nothing that was typed is wrong.
func agentRefused(err error) (agentFailed, bool) {
	var weak *agent.Weak
	if errors.As(err, &weak) {
		return agentFailed{Field: "password", Problem: "weak", Problems: weak.Problems}, true
	}
	for known, f := range map[error]agentFailed{
		agent.ErrLogin:          {Field: "login", Problem: "login"},
		agent.ErrTaken:          {Field: "login", Problem: "taken"},
		agent.ErrName:           {Field: "name", Problem: "name"},
		agent.ErrRole:           {Field: "role", Problem: "role"},
		agent.ErrLastSupervisor: {Problem: "last"},
		agent.ErrNotFound:       {Problem: "gone"},
	} {
		if errors.Is(err, known) {
			return f, true
		}
	}
	return agentFailed{}, false
}
