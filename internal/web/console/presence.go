package console

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"llave/internal/agent"
	"llave/internal/web"
)

// beatEvery is how often at most a process writes down that an agent is there.
const beatEvery = 10 * time.Second

// there has a request say that the agent is there.
func (c *Frame) there(f Handler) Handler {
	return func(w http.ResponseWriter, r *http.Request, v Visit) error {
		if err := c.beat(r.Context(), v); err != nil {
			return Unavailable(err)
		}
		return f(w, r, v)
	}
}

// beat says that an agent is there, as much on duty as they said last.
func (c *Frame) beat(ctx context.Context, v Visit) error {
	if v.Agent.Role == agent.Clerk { // who talks to nobody
		return nil
	}
	c.mu.Lock()
	recent := time.Since(c.beats[v.Agent.Login]) < beatEvery
	c.mu.Unlock()
	if recent {
		return nil
	}
	away, err := c.Desk.Paused(ctx, v.Agent.Login)
	if err != nil {
		return err
	}
	return c.beatAs(ctx, v, away)
}

func (c *Frame) beatAs(ctx context.Context, v Visit, away bool) error {
	if err := c.Desk.Beat(ctx, v.Actor(), away); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.beats[v.Agent.Login] = time.Now()
	return nil
}

// pause says whether the agent takes new conversations.
func (c *Frame) pause(w http.ResponseWriter, r *http.Request, v Visit) error {
	form, err := web.Form(r)
	if err != nil {
		return err
	}
	if err := c.beatAs(r.Context(), v, form.Get("pausa") == "si"); err != nil {
		return Unavailable(err)
	}
	return web.Redirect(w, r, ownPage(form.Get("volver")))
}

// beatNow is the page's word that it is there, and answers how many seconds the session lasts yet: without an action, and at most. Of
// who is on duty it counts as an action: waiting for cases is their work. Who is on a break is asked before they are signed out (P768).
func (c *Frame) beatNow(w http.ResponseWriter, r *http.Request, v Visit) error {
	away, err := c.Desk.Paused(r.Context(), v.Agent.Login)
	if err != nil {
		return Unavailable(err)
	}
	idle, whole, err := c.Agents.Left(r.Context(), v.token, !away || r.FormValue("sigo") != "")
	switch {
	case Ended(err):
		return sendToSignIn(w, r)
	case err != nil:
		return Unavailable(err)
	}
	web.Secure(w.Header(), "", false)
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	fmt.Fprintf(w, `{"idle":%d,"whole":%d}`, int(idle.Seconds()), int(whole.Seconds()))
	return nil
}
