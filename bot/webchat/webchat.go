// Package webchat is the channel of `llave demo`: a chat in a page.
//
// A browser is one chat, known by a random cookie. It sends by POST, and what we say goes out over server-sent events as
// pieces of HTML. Pane draws the same pieces when the page is loaded, so the chat works without script too, by a form and a
// reload. Lines are kept in memory, with a limit for each chat and one on the number of chats. A page that is opened again
// shows what happened while it was closed.
//
// The browser gives each thing it sends an idempotency key, and sends it again under the same key when no answer came. The
// line is drawn once, and the conversation knows the update by that key.
//
// Typing indicators go both ways and are not kept, since they are true for seconds only.
package webchat

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"llave/bot"
)

// Name is the channel's name in updates and conversation ids.
const Name = "web"

// How much is kept in memory.
const (
	maxChats  = 500
	maxEvents = 300 // of a chat: lines added and removed
)

// How long it is believed that somebody is writing, and how often a browser is listened to that says so of its person; the
// script says it a little less often.
const (
	typingFor   = 5 * time.Second
	typingEvery = 2 * time.Second
)

// Options are what the channel needs. Handle and Log are required.
type Options struct {
	// Handle answers an update; nil means that its effect is durable.
	Handle func(ctx context.Context, u bot.Update) error
	Secure bool   // the page is served over https
	Page   string // where the pane is; forms sent without script come back there. "": "/"
	Log    *slog.Logger
	// Images finds what a reply shows; nil: texts stand alone.
	Images bot.Images
	// PersonTyping is told, by the conversation's id, that the person is writing; nil: nobody is.
	PersonTyping func(conv string)
}

// Channel is the web chat. It is safe for use by many goroutines.
type Channel struct {
	options Options
	origins *http.CrossOriginProtection
	closed  chan struct{}
	close   func()

	mu    sync.Mutex
	chats map[string]*chat
}

// New makes a channel.
func New(o Options) *Channel {
	if o.Page == "" {
		o.Page = "/"
	}
	c := &Channel{options: o, origins: http.NewCrossOriginProtection(), closed: make(chan struct{}), chats: map[string]*chat{}}
	c.close = sync.OnceFunc(func() { close(c.closed) })
	return c
}

// Close ends the streams. Messages are still taken.
func (c *Channel) Close() { c.close() }

// line is one bubble.
type line struct {
	ID      string // the message's name
	Person  bool
	By      string // what the agent is called whose words these are; empty: the person's, or the bot's
	Text    string
	Image   string // name, where there is one
	Alt     string // what is to be seen on it
	Buttons []bot.Button
	Prompt  int
	Form    string // names what this bubble's form sends, without script
}

// event is a change of the chat's log.
type event struct {
	seq  int64
	kind string // "add" or "delete"
	line line   // delete: its id alone
}

// chat is what is kept of one browser's chat.
type chat struct {
	seq    int64
	events []event
	lost   int64                  // the last change that is not kept any more
	waiter map[chan struct{}]bool // streams to be woken
	used   time.Time
	typing time.Time // until when somebody writes to the person, as far as is known
	typed  time.Time // when the person was last said to be writing
}

func (c *Channel) chat(id string) *chat {
	ch := c.chats[id]
	if ch == nil {
		if len(c.chats) >= maxChats {
			c.evict()
		}
		ch = &chat{waiter: map[chan struct{}]bool{}}
		c.chats[id] = ch
	}
	ch.used = time.Now()
	return ch
}

// evict forgets the chat that was used longest ago and that nobody looks at.
func (c *Channel) evict() {
	oldest := ""
	for id, ch := range c.chats {
		if len(ch.waiter) == 0 && (oldest == "" || ch.used.Before(c.chats[oldest].used)) {
			oldest = id
		}
	}
	delete(c.chats, oldest)
}

// lines is the log as it stands.
func (ch *chat) lines() []line {
	var out []line
	for _, e := range ch.events {
		if e.kind == "add" {
			out = append(out, e.line)
		}
	}
	return out
}

// by is what the agent is called whose words came last; empty where the bot's did.
func (ch *chat) by() string {
	for _, l := range slices.Backward(ch.lines()) {
		if !l.Person {
			return l.By
		}
	}
	return ""
}

func (ch *chat) add(l line) {
	if slices.ContainsFunc(ch.events, func(e event) bool { return e.kind == "add" && e.line.ID == l.ID }) {
		return
	}
	ch.append(event{kind: "add", line: l})
}

// remove takes a line off the log; the event stays, for pages that show the line.
func (ch *chat) remove(id string) {
	n := len(ch.events)
	ch.events = slices.DeleteFunc(ch.events, func(e event) bool { return e.kind == "add" && e.line.ID == id })
	if len(ch.events) < n {
		ch.append(event{kind: "delete", line: line{ID: id}})
	}
}

func (ch *chat) append(e event) {
	ch.seq++
	e.seq = ch.seq
	ch.events = append(ch.events, e)
	if extra := len(ch.events) - maxEvents; extra > 0 {
		ch.lost = ch.events[extra-1].seq
		ch.events = slices.Delete(ch.events, 0, extra)
	}
	switch { // what was being written is there; what is begun next is told at once
	case e.kind != "add":
	case e.line.Person:
		ch.typed = time.Time{}
	default:
		ch.typing = time.Time{}
	}
	ch.wake()
}

// wake has the streams look what is new.
func (ch *chat) wake() {
	for w := range ch.waiter {
		select {
		case w <- struct{}{}:
		default: // woken already
		}
	}
}

// Send shows a reply in the chat, now or when the page opens again.
func (c *Channel) Send(ctx context.Context, chat string, r bot.Reply) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := line{ID: "b-" + rand.Text(), By: r.By, Text: r.Text, Buttons: r.Buttons, Prompt: r.Prompt, Form: rand.Text()}
	if p, ok := c.find(r.Image); ok {
		l.Image, l.Alt = p.Name, p.Alt
	}
	c.chat(chat).add(l)
	return nil
}

// Typing shows the person for some seconds, or until the next bubble, that somebody writes to them. A chat that is not there
// has nobody to be shown it.
func (c *Channel) Typing(chat string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ch := c.chats[chat]; ch != nil {
		ch.typing = time.Now().Add(typingFor)
		ch.wake()
	}
}

// writes takes word of the browser that its person is writing. Nothing of what they write comes along.
func (c *Channel) writes(w http.ResponseWriter, r *http.Request) {
	if chat := c.who(w, r); c.options.PersonTyping != nil && c.mayTell(chat) {
		c.options.PersonTyping(bot.ConversationID(Name, chat))
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
}

// mayTell says whether it is time to tell again that the person of a chat is writing. Of a chat that is not there nothing is
// told.
func (c *Channel) mayTell(chat string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch, now := c.chats[chat], time.Now()
	if ch == nil || now.Sub(ch.typed) < typingEvery {
		return false
	}
	ch.typed = now
	return true
}

func (c *Channel) find(name string) (bot.Image, bool) {
	if c.options.Images == nil || name == "" {
		return bot.Image{}, false
	}
	return c.options.Images(name)
}

// image serves one, as long as it is kept by the browser.
func (c *Channel) image(w http.ResponseWriter, r *http.Request) {
	p, ok := c.find(strings.TrimSuffix(r.PathValue("name"), ".png"))
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "image/png")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "max-age=3600")
	_, _ = w.Write(p.PNG) // the browser may have gone
}

// Delete takes one of the person's messages off the chat.
func (c *Channel) Delete(ctx context.Context, chat, messageID string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.chat(chat).remove(messageID)
	return nil
}

//go:embed webchat.html chat.js chat.css
var files embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{"pieces": pieces}).ParseFS(files, "webchat.html"))

// Routes are all of the channel's.
func (c *Channel) Routes(mux *http.ServeMux) {
	mux.Handle("POST /chat", c.origins.Handler(http.HandlerFunc(c.post)))
	mux.Handle("POST /chat/escribiendo", c.origins.Handler(http.HandlerFunc(c.writes)))
	mux.HandleFunc("GET /chat/eventos", c.stream)
	mux.HandleFunc("GET /chat/dibujos/{name}", c.image)
	mux.HandleFunc("GET /chat/chat.js", file("chat.js"))
	mux.HandleFunc("GET /chat/chat.css", file("chat.css"))
}

func file(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-cache")
		http.ServeFileFS(w, r, files, name)
	}
}

// Pane draws the chat for a page. The page links /chat/chat.css and /chat/chat.js, and its policy allows itself
// connect-src.
func (c *Channel) Pane(w http.ResponseWriter, r *http.Request) (template.HTML, error) {
	id := c.who(w, r)
	c.mu.Lock()
	ch := c.chat(id)
	data := struct {
		Lines []line
		Since int64
		Form  string
	}{ch.lines(), ch.seq, rand.Text()}
	c.mu.Unlock()
	var b strings.Builder
	if err := templates.ExecuteTemplate(&b, "pane", data); err != nil {
		return "", fmt.Errorf("draw chat: %w", err)
	}
	return template.HTML(b.String()), nil //nolint:gosec // made by a template, which escaped what people wrote
}

// who is the chat of the browser, which gets a cookie when it has none. The chat is named by a hash of the cookie, so
// that the name may stand in a log.
func (c *Channel) who(w http.ResponseWriter, r *http.Request) string {
	name := "llave-chat"
	if c.options.Secure {
		name = "__Host-" + name
	}
	secret := ""
	if k, err := r.Cookie(name); err == nil && len(k.Value) == 26 {
		secret = k.Value
	} else {
		secret = rand.Text()
		http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure but in a demo on http, where a browser would drop it
			Name: name, Value: secret, Path: "/", MaxAge: 30 * 24 * 3600,
			HttpOnly: true, Secure: c.options.Secure, SameSite: http.SameSiteLaxMode,
		})
	}
	sum := sha256.Sum256([]byte("chat/" + secret))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

const bodyLimit = 64 << 10

// turnLimit is how long a turn may take. It does not end when the browser goes away: what was begun is finished.
const turnLimit = 30 * time.Second

// post takes what the person did: "texto", or "boton" of question "pregunta", or "empezar".
func (c *Channel) post(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	r.Body = http.MaxBytesReader(w, r.Body, bodyLimit)
	if err := r.ParseForm(); err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			http.Error(w, "", http.StatusRequestEntityTooLarge)
			return
		}
		http.Error(w, "", http.StatusBadRequest)
		return
	}
	chat := c.who(w, r)
	u, shown, ok := c.read(chat, r)
	if !ok {
		http.Error(w, "", http.StatusBadRequest)
		return
	}
	if shown != "" {
		c.mu.Lock()
		c.chat(chat).add(line{ID: u.MessageID, Person: true, Text: shown})
		c.mu.Unlock()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), turnLimit)
	defer cancel()
	if err := c.options.Handle(ctx, u); err != nil {
		c.options.Log.Error("web chat turn failed", "conv", u.Conv(), "err", err)
		w.Header().Set("Retry-After", "1")
		http.Error(w, "", http.StatusServiceUnavailable)
		return
	}
	if strings.Contains(r.Header.Get("Accept"), "text/html") {
		http.Redirect(w, r, c.options.Page+"#chat-fin", http.StatusSeeOther)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// read turns a form into an update, and the line to show for it.
func (c *Channel) read(chat string, r *http.Request) (u bot.Update, shown string, ok bool) {
	id := r.PostForm.Get("id")
	if !isName(id) {
		return u, "", false
	}
	u = bot.Update{ID: "w-" + id, Channel: Name, Chat: chat, MessageID: "p-" + id, At: time.Now()}
	switch {
	case r.PostForm.Has("boton"):
		u.Kind, u.Button = bot.Press, r.PostForm.Get("boton")
		u.Prompt, _ = strconv.Atoi(r.PostForm.Get("pregunta"))
		return u, c.title(chat, u.Button, u.Prompt), true
	case r.PostForm.Has("empezar"):
		u.Kind = bot.Start
		return u, "", true
	}
	u.Kind, u.Text = bot.Text, r.PostForm.Get("texto")
	return u, u.Text, strings.TrimSpace(u.Text) != ""
}

// title is what stood on the button; what the browser says it was is not shown.
func (c *Channel) title(chat, button string, prompt int) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range slices.Backward(c.chat(chat).lines()) {
		if l.Person || l.Prompt != prompt {
			continue
		}
		for _, b := range l.Buttons {
			if b.ID == button {
				return b.Title
			}
		}
	}
	return ""
}

func isName(s string) bool {
	return len(s) >= 8 && len(s) <= 64 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") == ""
}

// piece is a part of a text: a link, or not.
type piece struct{ Text, URL string }

// pieces finds the web addresses in a text.
func pieces(s string) []piece {
	var out []piece
	for s != "" {
		at := strings.Index(s, "https://")
		if h := strings.Index(s, "http://"); h >= 0 && (at < 0 || h < at) {
			at = h
		}
		if at < 0 {
			break
		}
		end := strings.IndexFunc(s[at:], func(r rune) bool { return r <= ' ' || strings.ContainsRune("<>\"«»", r) })
		if end < 0 {
			end = len(s) - at
		}
		url := strings.TrimRight(s[at:at+end], ".,;:!?)")
		if at > 0 {
			out = append(out, piece{Text: s[:at]})
		}
		out = append(out, piece{Text: url, URL: url})
		s = s[at+len(url):]
	}
	if s != "" {
		out = append(out, piece{Text: s})
	}
	return out
}
