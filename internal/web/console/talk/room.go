// Package talk is the part of the console in which agents talk to people: the inbox (inbox.go), a conversation with what
// can be done to it (talk.go, form.go, ready.go), and what keeps both up to date (live.go, stream.go).
//
// A press of a button is a POST with an idempotency key made when the page was drawn. So pressing twice, or sending again
// when no answer came, does it once.
//
// Changes are pushed over server-sent events as the HTML that draws the page. While somebody looks, one goroutine a process
// polls the store a few times a second for what moved, and wakes the streams; each stream compares with what it has sent.
// So any number of processes may serve the same desk, and an agent of one sees what happens in another.
package talk

import (
	"context"
	"crypto/rand"
	"embed"
	"net/http"
	"sync/atomic"

	"llave/bot"
	"llave/internal/agent"
	"llave/internal/handoff"
	"llave/internal/web"
	"llave/internal/web/console"
)

//go:embed templates
var files embed.FS

// Step is a place where an agent may have the bot go on.
type Step struct {
	State bot.State
	Label string
}

// Options are what the room needs beside the frame.
type Options struct {
	Steps     []Step                   // in the order of the procedure
	StateName func(s bot.State) string // what agents call the place where the bot was
	// MeaningName is what agents call what people's words came to; nil: cases are called by where the bot was.
	MeaningName func(meaning string) string
	// Asks are the words that ask for a person and tell nothing else.
	Asks []string
	// Hushed says whether an agent is to be told of things without a sound: on a break, or in their quiet hours. nil: nobody is.
	Hushed func(ctx context.Context, login string) (bool, error)
}

// Room serves the pages. It is safe for use by many goroutines.
type Room struct {
	*console.Frame
	Options
	pages web.Pages
	live  *live
	asks  map[string]bool

	calendar atomic.Pointer[handoff.Calendar] // as it was read last; nil: it was not yet
}

// New makes the room within [frame].
func New(frame *console.Frame, o Options) (*Room, error) {
	pages, err := frame.Pages(files, "templates")
	if err != nil {
		return nil, err
	}
	c := &Room{Frame: frame, Options: o, pages: pages, live: newLive(frame.Desk, frame.Log), asks: map[string]bool{}}
	for _, words := range o.Asks {
		c.asks[bot.Fold(words)] = true
	}
	frame.OnFreed(c.live.hurry)
	return c, nil
}

// asksPerson says whether words ask for a person and tell nothing else.
func (c *Room) asksPerson(words string) bool { return c.asks[bot.Fold(words)] }

// Routes are the inbox's, those of a conversation and of its forms, and the stream's.
func (c *Room) Routes(mux *http.ServeMux) {
	page, quiet, press := c.Page, c.Quiet, c.onForm
	mux.Handle("GET /agentes", page(agent.Member, c.inbox))
	mux.Handle("POST /agentes/siguiente", page(agent.Member, c.next))
	mux.Handle("GET "+console.NoticePath+"{ref}", page(agent.Member, c.showNotice))
	mux.Handle("POST "+console.NoticePath+"{ref}", page(agent.Member, c.closeNotice))

	mux.Handle("GET /agentes/casos/{ref}", page(agent.Member, c.showTalk))
	mux.Handle("GET /agentes/casos/{ref}/lineas", page(agent.Member, c.olderLines))
	mux.Handle("POST /agentes/casos/{ref}/respuesta", page(agent.Member, c.putReady))
	mux.Handle("POST /agentes/casos/{ref}/borrador", page(agent.Member, c.draft))
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
	mux.Handle("POST /agentes/casos/{ref}/posponer", press(formPostpone, c.postpone))
	mux.Handle("POST /agentes/casos/{ref}/retomar", press(formGoOn, c.goOn))
	mux.Handle("POST /agentes/casos/{ref}/programar", press(formLater, c.sayLater))
	mux.Handle("POST /agentes/casos/{ref}/quitar", press(formUnsay, c.unsay))
	mux.Handle("GET /agentes/casos/{ref}/antes/{before}", page(agent.Member, c.showEarlier))
	mux.Handle("POST /agentes/casos/{ref}/numero", c.onFormShowing(formNumber, c.number))
	mux.Handle("POST /agentes/casos/{ref}/porque", c.onFormShowing(formWhy, c.why))

	mux.Handle("GET /agentes/flujo", quiet(agent.Member, c.stream))
	mux.Handle("GET /agentes/casos/{ref}/novedades", quiet(agent.Member, c.news))
}

func (c *Room) show(w http.ResponseWriter, r *http.Request, v console.View) error {
	return c.Show(w, r, c.pages, v)
}

// newOnce names a press of a button.
func newOnce() string { return rand.Text() }
