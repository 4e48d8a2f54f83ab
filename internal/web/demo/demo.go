// Package demo is the page of `llave demo`: a phone with the chat, its mailbox and the agents' desk, side by side, and
// fictional people to try it with.
//
// The chat comes from a channel (bot/webchat) and the letters from the mail catcher, both through interfaces declared here.
// A letter's HTML is shown in a sandboxed frame from a route of its own, as a mail program would: no script, no form,
// nothing from outside; links open a new tab. The desk is internal/web/console in a frame. That frame is always in the
// page, since an agent is present only while a page of the desk is open.
package demo

import (
	"embed"
	"html/template"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"time"

	"llave/internal/web"
)

// Letter is one letter in the mailbox.
type Letter struct {
	ID      string // of letters, digits, "-", "_" and "." only
	From    string
	To      string
	Subject string
	Date    time.Time
	Text    string
	HTML    string // "": the letter has text only
}

// Person is somebody fictional to try.
type Person struct {
	Number string
	Who    string // "Rosa, afiliada"
	What   string // what happens
}

// Chat draws the phone.
type Chat interface {
	Pane(w http.ResponseWriter, r *http.Request) (template.HTML, error)
}

// Options are what the page needs. All are required but People.
type Options struct {
	Kit     *web.Kit
	Chat    Chat
	Letters func() []Letter // oldest first
	People  []Person
	Zone    *time.Location // of the times shown
	Log     *slog.Logger
}

// Demo serves the page.
type Demo struct {
	Options
	pages web.Pages
}

//go:embed templates assets
var files embed.FS

var assets = web.MustAssets("/recursos/demo/", files, "assets")

// New makes the page.
func New(o Options) (*Demo, error) {
	pages, err := web.ParsePages(files, "templates", assets)
	if err != nil {
		return nil, err
	}
	return &Demo{Options: o, pages: pages}, nil
}

// Routes are all of the demo's. "/" is among them: web/public is to leave it out (NoHome).
func (d *Demo) Routes(mux *http.ServeMux) {
	mux.Handle("GET /{$}", d.Kit.Page(d.page))
	mux.Handle("GET /buzon", d.Kit.Page(d.news))
	mux.Handle("GET /buzon/{letter}", d.Kit.Page(d.letter))
	assets.Routes(mux)
}

// policy lets the page listen to the chat's stream and show letters and the desk in frames.
const policy = web.Policy + "; connect-src 'self'; frame-src 'self'"

type pageData struct {
	Chat    template.HTML
	Letters []letterData
	People  []Person
}

// letterData is a letter as a page shows it.
type letterData struct {
	Letter
	Clock string
}

func (d *Demo) page(w http.ResponseWriter, r *http.Request) error {
	chat, err := d.Chat.Pane(w, r)
	if err != nil {
		return err
	}
	data := pageData{Chat: chat, Letters: d.after(""), People: d.People}
	return web.Show(w, d.pages, web.View{Name: "demo", Form: true, Policy: policy, Data: data})
}

// after lists the letters that came after the one with that id, newest first; all of them when it is not known.
func (d *Demo) after(id string) []letterData {
	letters := d.Letters()
	if i := slices.IndexFunc(letters, func(l Letter) bool { return l.ID == id }); i >= 0 {
		letters = letters[i+1:]
	}
	out := make([]letterData, 0, len(letters))
	for _, l := range slices.Backward(letters) {
		out = append(out, letterData{l, l.Date.In(d.Zone).Format("15:04:05")})
	}
	return out
}

// news is a piece of the page: the letters after "desde", or 204.
func (d *Demo) news(w http.ResponseWriter, r *http.Request) error {
	letters := d.after(r.FormValue("desde"))
	web.Secure(w.Header(), "", false)
	if len(letters) == 0 {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return web.ShowPart(w, d.pages, "demo", "letters", letters)
}

// letterPolicy is for a letter's own HTML: its inline styles, images it carries, and nothing else. The sandbox makes
// it a stranger to this site, whose links may open a tab of their own.
const letterPolicy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; " +
	"sandbox allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation"

var headTag = regexp.MustCompile(`(?i)<head[^>]*>`)

// newTab makes a letter's links open a new tab.
const newTab = `<base target="_blank">`

func (d *Demo) letter(w http.ResponseWriter, r *http.Request) error {
	letters := d.Letters()
	i := slices.IndexFunc(letters, func(l Letter) bool { return l.ID == r.PathValue("letter") && l.HTML != "" })
	if i < 0 {
		return &web.Error{Status: http.StatusNotFound}
	}
	body := letters[i].HTML
	if at := headTag.FindStringIndex(body); at != nil {
		body = body[:at[1]] + newTab + body[at[1]:]
	} else {
		body = newTab + body
	}
	web.Secure(w.Header(), letterPolicy, false)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write([]byte(body))
	return nil
}
