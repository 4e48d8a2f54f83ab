// Package counter is the part of the console for clerks, who sit at a counter of the institution: one page, on which the number of a case,
// which a person shows, says how the case stands and why the virtual route was not open. It shows no name, number or line.
package counter

import (
	"crypto/rand"
	"embed"
	"errors"
	"net/http"
	"strings"

	"llave/bot"
	"llave/internal/agent"
	"llave/internal/handoff"
	"llave/internal/web"
	"llave/internal/web/console"
)

//go:embed templates
var files embed.FS

// Room serves the page. It is safe for use by many goroutines.
type Room struct {
	*console.Frame
	stateName func(s bot.State) string
	pages     web.Pages
}

// New makes the room within [frame]. [stateName] is what agents call the place where the bot was.
func New(frame *console.Frame, stateName func(s bot.State) string) (*Room, error) {
	pages, err := frame.Pages(files, "templates")
	if err != nil {
		return nil, err
	}
	return &Room{Frame: frame, stateName: stateName, pages: pages}, nil
}

// Routes are the page's.
func (c *Room) Routes(mux *http.ServeMux) {
	mux.Handle("GET "+console.CounterPath, c.Page(agent.Clerk, c.ask))
	mux.Handle("POST "+console.CounterPath, c.Page(agent.Clerk, c.look))
}

// counterData is the page: what was typed, and what is found of it.
type counterData struct {
	Once    string
	Typed   string
	Problem string // "empty", "none" or "many"
	Found   *handoff.Counter
	Asked   console.Moment
	Place   string // what the bot was doing, in words
}

func (c *Room) ask(w http.ResponseWriter, r *http.Request, v console.Visit) error {
	return c.show(w, r, v, 0, counterData{})
}

// look answers in the page itself: a number of a case stands in no address.
func (c *Room) look(w http.ResponseWriter, r *http.Request, v console.Visit) error {
	form, err := web.Form(r)
	if err != nil {
		return err
	}
	d := counterData{Typed: bot.Cut(strings.TrimSpace(form.Get("caso")), 40)}
	if d.Typed == "" {
		d.Problem = "empty"
		return c.show(w, r, v, http.StatusUnprocessableEntity, d)
	}
	ctx, cancel := console.Detached(r)
	defer cancel()
	found, err := c.Desk.LookUp(ctx, handoff.Deed{Once: rand.Text(), Actor: v.Actor()}, d.Typed)
	switch {
	case errors.Is(err, handoff.ErrTries):
		d.Problem = "many"
		return c.show(w, r, v, http.StatusTooManyRequests, d)
	case errors.Is(err, handoff.ErrNoCase):
		d.Problem = "none"
		return c.show(w, r, v, http.StatusUnprocessableEntity, d)
	case err != nil:
		return console.Unavailable(err)
	}
	d.Typed, d.Found, d.Asked, d.Place = "", &found, c.Moment(found.Asked), c.stateName(found.From)
	return c.show(w, r, v, 0, d)
}

func (c *Room) show(w http.ResponseWriter, r *http.Request, v console.Visit, status int, d counterData) error {
	return c.Show(w, r, c.pages, console.View{Visit: v, Name: "counter", Here: console.HereCounter, Status: status, Data: d})
}
