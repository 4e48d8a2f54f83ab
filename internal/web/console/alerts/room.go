// Package alerts is the part of the console in which agents say how they want to be told of things: the sound of their pages, quiet hours,
// which devices are told with no page open, and their own Telegram. What tells them is internal/alert; here are its pages and its words.
package alerts

import (
	"bytes"
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"llave/internal/agent"
	"llave/internal/alert"
	"llave/internal/web"
	"llave/internal/web/console"
)

//go:embed templates
var files embed.FS

//go:embed worker.js
var worker []byte

// Options are what the room needs beside the frame.
type Options struct {
	Alerts *alert.Service
	// Chat is where an agent writes the code to: the bot's own name on Telegram, "" while nobody has said it. nil: that channel is off.
	Chat func() string
}

// Room serves the pages. It is safe for use by many goroutines.
type Room struct {
	*console.Frame
	Options
	pages web.Pages
}

// New makes the room within [frame].
func New(frame *console.Frame, o Options) (*Room, error) {
	pages, err := frame.Pages(files, "templates")
	if err != nil {
		return nil, err
	}
	return &Room{Frame: frame, Options: o, pages: pages}, nil
}

// Where the page is, and its entry of the navigation.
const (
	Path = "/agentes/alertas"
	here = "alertas"
)

// Routes are the page's, those of its forms, and the worker's, which browsers run while no page is open.
func (c *Room) Routes(mux *http.ServeMux) {
	mux.Handle("GET "+Path, c.Page(agent.Member, c.show))
	mux.Handle("POST "+Path, c.Page(agent.Member, c.change))
	mux.Handle("POST "+Path+"/suscribir", c.Page(agent.Member, c.subscribe))
	mux.Handle("POST "+Path+"/cancelar", c.Page(agent.Member, c.unsubscribe))
	mux.HandleFunc("GET /agentes/avisador.js", serveWorker)
}

// serveWorker serves the worker. Its address stays the same, so that a browser sees when it has changed.
func serveWorker(w http.ResponseWriter, _ *http.Request) {
	web.Secure(w.Header(), "", false)
	h := w.Header()
	h.Set("Content-Type", "text/javascript; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; connect-src 'self'")
	h.Set("Cache-Control", "no-cache")
	_, _ = w.Write(worker)
}

// Words say what happened, once or several times; of several things together [what] is empty.
func (c *Room) Words(what string, times int) (string, error) {
	return c.text("told", struct {
		What  string
		Times int
	}{what, times})
}

// Linked is what an agent reads in their own chat when it was linked, or when their code is worth nothing.
func (c *Room) Linked(done bool) (string, error) { return c.text("linked", done) }

func (c *Room) text(name string, data any) (string, error) {
	var b bytes.Buffer
	if err := c.pages.Draw(&b, "alerts", name, data); err != nil {
		return "", fmt.Errorf("draw %s: %w", name, err)
	}
	return strings.TrimSpace(b.String()), nil
}

// data is what the page shows.
type data struct {
	Key      string // with which a browser is subscribed
	From, To string
	Devices  []device
	Telegram bool // the channel is on
	Chat     string
	Linked   bool
	Code     string // shown this once
	Minutes  int    // that it lives
	Done     string // which form was sent
	Refused  string
}

type device struct {
	ID, Name string
	Made     console.Moment
}

func (c *Room) show(w http.ResponseWriter, r *http.Request, v console.Visit) error {
	return c.ask(w, r, v, data{Done: r.FormValue("hecho")}, 0)
}

func (c *Room) ask(w http.ResponseWriter, r *http.Request, v console.Visit, d data, status int) error {
	b, err := c.Alerts.Bell(r.Context(), v.Agent.Login)
	if err != nil {
		return console.Unavailable(err)
	}
	if d.Key, err = c.Alerts.PublicKey(r.Context()); err != nil {
		return console.Unavailable(err)
	}
	d.Linked, d.Minutes = b.Chat != "", int(alert.CodeLives/time.Minute)
	if d.Refused == "" {
		d.From, d.To = b.From, b.To
	}
	for _, x := range b.Devices {
		d.Devices = append(d.Devices, device{x.ID, x.Name, c.Moment(x.Made)})
	}
	if c.Chat != nil {
		d.Telegram, d.Chat = true, c.Chat()
	}
	return c.Show(w, r, c.pages, console.View{Visit: v, Name: "alerts", Here: here, Status: status, Data: d})
}

// change does what a form of the page asks for.
func (c *Room) change(w http.ResponseWriter, r *http.Request, v console.Visit) error {
	form, err := web.Form(r)
	if err != nil {
		return err
	}
	login, do := v.Agent.Login, form.Get("hacer")
	switch do {
	case "silencio":
		err = c.Alerts.SetQuiet(r.Context(), login, form.Get("desde"), form.Get("hasta"))
		if errors.Is(err, alert.ErrHours) {
			return c.ask(w, r, v, data{Refused: do, From: form.Get("desde"), To: form.Get("hasta")}, http.StatusUnprocessableEntity)
		}
	case "quitar":
		err = c.Alerts.Unsubscribe(r.Context(), login, form.Get("equipo"), "")
	case "codigo":
		var code string
		if code, err = c.Alerts.NewCode(r.Context(), login); err == nil {
			return c.ask(w, r, v, data{Code: code, Done: do}, 0)
		}
	case "desvincular":
		err = c.Alerts.Unlink(r.Context(), login)
	default:
		return &web.Error{Status: http.StatusBadRequest}
	}
	if err != nil {
		return console.Unavailable(err)
	}
	return web.Redirect(w, r, Path+"?"+url.Values{"hecho": {do}}.Encode())
}

// subscribe takes the subscription that the page's script got from its browser.
func (c *Room) subscribe(w http.ResponseWriter, r *http.Request, v console.Visit) error {
	form, err := web.Form(r)
	if err != nil {
		return err
	}
	err = c.Alerts.Subscribe(r.Context(), v.Agent.Login, console.BrowserOf(r), []byte(form.Get("suscripcion")))
	if errors.Is(err, alert.ErrSubscription) {
		return &web.Error{Status: http.StatusUnprocessableEntity}
	}
	if err == nil {
		err = c.writeDown(r.Context(), v, auditDevice)
	}
	return c.done(w, err)
}

func (c *Room) unsubscribe(w http.ResponseWriter, r *http.Request, v console.Visit) error {
	form, err := web.Form(r)
	if err != nil {
		return err
	}
	return c.done(w, c.Alerts.Unsubscribe(r.Context(), v.Agent.Login, "", form.Get("direccion")))
}

func (c *Room) done(w http.ResponseWriter, err error) error {
	if err != nil {
		return console.Unavailable(err)
	}
	web.Secure(w.Header(), "", false)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// What is written down.
const auditDevice = "agent_device_told"

func (c *Room) writeDown(ctx context.Context, v console.Visit, what string) error {
	return c.Desk.Audit(ctx, what+"/"+rand.Text(), v.Agent.Login, what, v.Agent.Login)
}
