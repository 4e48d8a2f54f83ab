// Package web is what all pages of Llave share: middleware, error pages, templates and static files.
//
// A handler returns an error and does not draw its page. Page turns a HandlerFunc into an http.Handler that sets the
// security headers, refuses posts from other sites, limits the body, and answers an error with a page in plain Spanish.
// Wrap is the middleware around the whole mux: it recovers from panics, counts, writes one log line a request, and draws
// the mux's own 404 and 405. The log has the route ("POST /desbloqueo/{token}"), never the path, which may hold a token,
// and never an address.
//
// A page is rendered into a buffer first, so that a template's error is a 500 and not half a page. Pages carry no inline
// script or style and ask no other host for anything; files they link to are named by their content (Assets).
package web

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"llave/bot/wire"
)

// Options are what the kit needs to know. PublicURL and Log are required.
type Options struct {
	PublicURL      *url.URL       // https: cookies are Secure and browsers are told to stay on https
	TrustedProxies []netip.Prefix // networks whose X-Forwarded-For counts
	Log            *slog.Logger
	// Bodies is the room for forms and other bodies of strangers; nil: room of its own.
	Bodies *wire.Bodies
	// Framed lets the pages of errors stand in a frame of our own site, as those that may meet them there do.
	Framed bool
	// Lang is the language of a request's error page, as a template's folder is called; "" or nil: Spanish.
	Lang func(r *http.Request) string
	// Chats are those that a request's error page leads back to; nil: to none.
	Chats func(r *http.Request) []Chat
	// Untrusted is told of a peer that is no trusted proxy and says for whom it asks; nil: nobody is.
	Untrusted func(peer netip.Addr)
	// Count is told of every request, under its route; nil: not counted.
	Count func(route string, status int, took time.Duration)
}

// Kit serves pages. It is safe for use by many goroutines.
type Kit struct {
	options Options
	secure  bool
	origins *http.CrossOriginProtection
	errors  Languages
	assets  *Assets
}

// New makes a kit.
func New(o Options) (*Kit, error) {
	if o.Bodies == nil {
		o.Bodies = wire.NewBodies()
	}
	if o.Count == nil {
		o.Count = func(string, int, time.Duration) {}
	}
	if o.Untrusted == nil {
		o.Untrusted = func(netip.Addr) {}
	}
	if o.Lang == nil {
		o.Lang = func(*http.Request) string { return "" }
	}
	if o.Chats == nil {
		o.Chats = func(*http.Request) []Chat { return nil }
	}
	k := &Kit{options: o, secure: o.PublicURL.Scheme == "https", origins: http.NewCrossOriginProtection(), assets: shared}
	// A proxy may have changed Host; where the browser says it comes from is compared with what we call ourselves too.
	if err := k.origins.AddTrustedOrigin(o.PublicURL.Scheme + "://" + o.PublicURL.Host); err != nil {
		return nil, fmt.Errorf("public address: %w", err)
	}
	pages, err := ParseLanguages(files, "templates/errors")
	if err != nil {
		return nil, err
	}
	k.errors = pages
	k.origins.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k.fail(w, r, &Error{Status: http.StatusForbidden})
	}))
	return k, nil
}

// Routes serves the files every page links to.
func (k *Kit) Routes(mux *http.ServeMux) { k.assets.Routes(mux) }

// Error is an answer with a status and a page of its own. RetryAfter, when not zero, is told to the browser.
type Error struct {
	Status     int
	RetryAfter time.Duration
	Err        error // for the log: holds no token, number or address
}

// Error is for the log; the person gets the page of the status.
func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%d: %v", e.Status, e.Err)
	}
	return strconv.Itoa(e.Status)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// HandlerFunc answers a request, or returns why it could not. An error that is not an *Error is a 500. Nothing must have been
// written when it returns one.
type HandlerFunc func(w http.ResponseWriter, r *http.Request) error

// FormLimit is how large the body of a form may be.
const FormLimit = 64 << 10

// formCost is how many times a form is in memory: as it came, as one text, and as its fields.
const formCost = 3

// Page serves a page: with its security headers, closed to other sites, the body limited to FormLimit, and to the room there
// is: 503 when there is none.
func (k *Kit) Page(f HandlerFunc) http.Handler {
	return k.origins.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := k.options.Bodies.Read(w, r, FormLimit, formCost)
		if err == nil {
			defer body.Release()
			r.Body = io.NopCloser(body.Reader())
			err = f(w, r)
		} else {
			err = unread(err)
		}
		if err != nil {
			k.fail(w, r, err)
		}
	}))
}

// unread is the answer to a body that could not be read.
func unread(err error) error {
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return &Error{Status: http.StatusRequestEntityTooLarge}
	case errors.Is(err, wire.ErrNoRoom):
		return &Error{Status: http.StatusServiceUnavailable, RetryAfter: wire.RetryAfter}
	}
	return &Error{Status: http.StatusBadRequest}
}

// Form reads the form of a POST.
func Form(r *http.Request) (url.Values, error) {
	if err := r.ParseForm(); err != nil {
		return nil, &Error{Status: http.StatusBadRequest}
	}
	return r.PostForm, nil
}

// fail answers an error with its page and writes the operator's half to the log.
func (k *Kit) fail(w http.ResponseWriter, r *http.Request, err error) {
	e := &Error{Status: http.StatusInternalServerError, Err: err}
	errors.As(err, &e)
	if e.Err != nil && e.Status >= 500 {
		k.options.Log.Error("request failed", "route", route(r), "status", e.Status, "err", e.Err)
	}
	k.showError(w, r, e)
}

// errorPages are the statuses that have a page of their own; others show the page of 500 or 400.
var errorPages = map[int]string{
	400: "400", 403: "403", 404: "404", 405: "405", 413: "413", 429: "429", 500: "500", 503: "503",
}

// errorData is what the page of an error shows.
type errorData struct {
	Later Span // when to come back
	Chats []Chat
}

// Chat is one that a page leads back to.
type Chat struct {
	Channel string // its name, as bot.Update.Channel has it
	URL     string
}

func (k *Kit) showError(w http.ResponseWriter, r *http.Request, e *Error) {
	name, ok := errorPages[e.Status]
	if !ok {
		name = "400"
		if e.Status >= 500 {
			name = "500"
		}
	}
	RetryAfter(w.Header(), e.RetryAfter)
	v := View{Name: name, Status: e.Status, Data: errorData{Wait(e.RetryAfter), k.options.Chats(r)}}
	if k.options.Framed {
		v.Policy = Framed(Policy)
	}
	if err := k.errors.Show(w, k.options.Lang(r), v); err != nil {
		k.options.Log.Error("error page", "route", route(r), "err", err)
		http.Error(w, http.StatusText(e.Status), e.Status)
	}
}

// RetryAfter tells when to come back, in whole seconds, rounded up; nothing when [d] is zero.
func RetryAfter(h http.Header, d time.Duration) {
	if d > 0 {
		h.Set("Retry-After", strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10))
	}
}

// Wrap is the outermost handler: around the mux of a listener.
func (k *Kit) Wrap(mux http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		start := time.Now()
		w := &recorder{ResponseWriter: rw, request: r}
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Permissions-Policy", Permissions)
		if k.forwarded(r) && h.Get(ProbeHeader) == "" { // llave doctor asks as a proxy would, and says itself what it finds
			k.options.Untrusted(k.peer(r))
		}
		if k.secure {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		defer func() {
			v := recover()
			if v != nil && v != http.ErrAbortHandler {
				k.options.Log.Error("panic", "route", route(r), "what", panicText(v), "stack", string(debug.Stack()))
				if !w.wrote {
					k.showError(w, r, &Error{Status: http.StatusInternalServerError})
					v = nil
				}
			}
			took := time.Since(start)
			k.options.Count(route(r), w.code(), took)
			level := slog.LevelInfo
			if w.code() == http.StatusUnauthorized && strings.Contains(r.Pattern, "/webhooks/") {
				level = slog.LevelDebug // the channel has warned, and said what to do
			}
			if w.code() < 400 && (r.Pattern == k.assets.pattern() || w.code() == http.StatusNoContent) {
				level = slog.LevelDebug
			}
			k.options.Log.Log(r.Context(), level, "request", "route", route(r), "status", w.code(), "bytes", w.bytes, "took", took)
			if v != nil {
				panic(http.ErrAbortHandler) // half an answer went out: end the connection, so that it is not taken for a whole one
			}
		}()
		mux.ServeHTTP(w, r)
		if w.own != 0 { // the mux had no route: our page instead of its line
			w.own, w.ours = 0, true
			h.Del("Content-Length")
			k.showError(w, r, &Error{Status: w.status})
		}
	})
}

// panicText says what a panic was about. Only the run time's own words are repeated: others may hold anything.
func panicText(v any) string {
	if err, ok := v.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("%T", v)
}

// route is the pattern that took the request, or its method alone.
func route(r *http.Request) string {
	if r.Pattern != "" {
		return r.Pattern
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return r.Method + " (none)"
	}
	return "(none)"
}

// recorder remembers the status, and holds back the mux's own 404 and 405.
type recorder struct {
	http.ResponseWriter
	request *http.Request
	status  int
	own     int // the mux's status, while its line is being swallowed
	ours    bool
	wrote   bool
	bytes   int64
}

// Unwrap lets http.ResponseController reach the connection.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *recorder) code() int {
	if w.status == 0 {
		return http.StatusOK
	}
	return w.status
}

func (w *recorder) WriteHeader(status int) {
	if status < 200 {
		w.ResponseWriter.WriteHeader(status)
		return
	}
	if w.wrote || w.own != 0 {
		return
	}
	w.status = status
	if w.request.Pattern == "" && !w.ours && (status == http.StatusNotFound || status == http.StatusMethodNotAllowed) {
		w.own = status
		return
	}
	w.wrote = true
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	if w.own != 0 {
		return len(b), nil
	}
	if !w.wrote {
		w.WriteHeader(http.StatusOK)
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}
