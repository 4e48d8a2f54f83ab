// Package public is the pages that letters lead to: unlock, "No fui yo", generate, and the page where the new key is made;
// and the privacy notice, the home page and the sheets that people take along to an office.
//
// A GET never uses a link, since mail scanners open every link they see, some in a full browser: only the button's POST
// does. The GET gives the browser a random nonce in a cookie. Whoever presses first wins, and the winner's nonce is kept
// with the link. The same browser, pressing or loading the page again because our answer got lost, sees the same success
// and gets its key pass again. The key pass, a sealed cookie, is the right to make a key for ten minutes. A wrong link, one
// that is over and one that another browser used have their own pages and statuses; none says whether an account exists.
//
// The press is answered with 303, to /listo, an address without the token: what stands in the address line and the history from then
// on is no secret, and loading it again presses nothing. That page knows its reader by the key pass. A browser that did not bring the
// nonce back would not be known there, so it is told of the success in the answer to the POST itself, and how it goes on elsewhere.
//
// Every page leads back to the chat: to the one that asked for the link, where the page knows whose that is, else to all that there
// are. The cookie of the nonce remembers it for pages without a token.
//
// A link is looked up first, and only unknown ones are counted against the address they came from. So a good link works
// whatever else came from there.
package public

import (
	"cmp"
	"context"
	"crypto/rand"
	"embed"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"llave/bot"
	"llave/internal/affiliate"
	"llave/internal/key"
	"llave/internal/unlock"
	"llave/internal/web"
)

// Links is what the pages need of the unlock service.
type Links interface {
	Look(ctx context.Context, token, nonce string) (unlock.View, error)
	Redeem(ctx context.Context, token, nonce string) (unlock.Redeemed, error)
	LookNotMe(ctx context.Context, token string) (unlock.Chat, error)
	NotMe(ctx context.Context, token string) (unlock.Disowned, error)
	KeyPass(ctx context.Context, pass string) (unlock.Holder, error)
	CheckKey(chosen string, about key.About) []key.Problem
	MakeKey(ctx context.Context, pass, chosen string) ([]key.Problem, error)
}

// Retention is what the privacy notice says about how long things are kept (P406).
type Retention struct {
	Idle       time.Duration // a conversation left alone
	Seen       time.Duration // the ids of its updates; zero: eight days
	Transcript time.Duration // of a chat that a person of the help desk took over
	Audit      time.Duration
	Complaint  time.Duration
	Unheard    time.Duration // what was not understood; zero: nothing of it is kept
}

// Options are what the pages need. Kit, Links, LinkTTL, Limit and Log are required.
type Options struct {
	Kit         *web.Kit
	Links       Links
	LinkTTL     time.Duration // shown on the page
	GenerateURL string        // the institution's own key page; /clave is off then
	Retention   Retention
	Address     string                   // where the institution lives, for the privacy notice; "": not said
	Officer     string                   // its data protection officer; "": to be asked for
	NoHome      bool                     // somebody else serves "/"
	Offices     func() affiliate.Offices // those that are known at this moment; nil: none
	// Chats are the chats that there are to lead back to, at this moment; nil: none.
	Chats func() []web.Chat
	// Keys is where keys wait to be judged; nil: two at a time, 16 waiting for 5 s.
	Keys *key.Queue
	// Limit counts one wrong link from a source; not ok means that the source has used up its share and when it gets
	// a new one.
	Limit func(ctx context.Context, source string) (ok bool, retryAfter time.Duration, err error)
	Log   *slog.Logger
	// Count is told what became of a link or a key, one of Outcomes. nil: not counted.
	Count func(what string)
}

// Outcomes are what a visit can come to, as Options.Count is told. "not_me" is a press that took something back, "not_me_again" one after it.
var Outcomes = []string{
	"shown", "used", "again", "used_by_other", "expired", "unknown", "limited", "not_me", "not_me_again", "key_refused", "key_later", "key_made",
}

// Site serves the pages.
type Site struct {
	Options
	pages web.Languages
	asked shares // how strong a key is
	tried shares // to make one
}

//go:embed templates assets
var files embed.FS

var assets = web.MustAssets("/recursos/publico/", files, "assets")

// New makes the site.
func New(o Options) (*Site, error) {
	if o.Count == nil {
		o.Count = func(string) {}
	}
	pages, err := web.ParseLanguages(files, "templates", assets)
	if err != nil {
		return nil, err
	}
	if o.Chats == nil {
		o.Chats = func() []web.Chat { return nil }
	}
	if o.Offices == nil {
		o.Offices = func() affiliate.Offices { return nil }
	}
	if o.Keys == nil {
		o.Keys = key.NewQueue(2, 16, 5*time.Second)
	}
	return &Site{Options: o, pages: pages, asked: shares{most: 60}, tried: shares{most: 20}}, nil
}

// Routes are all of the site's.
func (s *Site) Routes(mux *http.ServeMux) {
	page := s.Kit.Page
	mux.Handle("GET /desbloqueo/{token}", page(unglued(s.link(unlock.KindUnlock, s.show))))
	mux.Handle("POST /desbloqueo/{token}", page(unglued(s.link(unlock.KindUnlock, s.use))))
	mux.Handle("GET /generar/{token}", page(unglued(s.link(unlock.KindGenerate, s.show))))
	mux.Handle("POST /generar/{token}", page(unglued(s.link(unlock.KindGenerate, s.use))))
	mux.Handle("GET /no-fui-yo/{token}", page(unglued(s.showNotMe)))
	mux.Handle("POST /no-fui-yo/{token}", page(unglued(s.notMe)))
	mux.Handle("GET /listo", page(s.showDone))
	if s.GenerateURL == "" {
		mux.Handle("GET /clave", page(s.showKey))
		mux.Handle("POST /clave", page(s.makeKey))
		mux.Handle("POST /clave/fuerza", page(s.strength))
	}
	mux.Handle("GET /privacidad", page(s.privacy))
	mux.Handle("GET /oficina/{code}", page(s.office))
	if !s.NoHome {
		mux.Handle("GET /{$}", page(s.home))
	}
	assets.Routes(mux)
}

// The cookies, before web.Kit puts "__Host-" in front.
const (
	keyPassCookie = "llave"
	nonceCookie   = "llave-navegador"
)

// nonceLife is how long a browser is known again. A link and its key pass live at most twenty minutes together.
const nonceLife = time.Hour

var paths = map[unlock.Kind]string{unlock.KindUnlock: "/desbloqueo/", unlock.KindGenerate: "/generar/"}

// unglued serves a link of a letter to which something was glued on its way, as mail programs do with the signs around one ("…abc.",
// "…abc>)", "…abc&gt;"): what comes behind the first sign that no token has is not of it. A browser that asks for the page is sent on to
// the right address, so that this is where its form posts.
func unglued(f web.HandlerFunc) web.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		came := r.PathValue("token")
		end := strings.IndexFunc(came, func(c rune) bool { return !strings.ContainsRune(tokenSigns, c) })
		if end <= 0 {
			return f(w, r)
		}
		if r.Method != http.MethodPost {
			return web.Redirect(w, r, strings.TrimSuffix(r.URL.Path, came)+came[:end])
		}
		r.SetPathValue("token", came[:end])
		return f(w, r)
	}
}

// tokenSigns are those of base64url (RFC 4648 5).
const tokenSigns = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// press is one request for a link's page.
type press struct {
	kind  unlock.Kind // what the address says the link does
	token string
	nonce string
	fresh bool // the browser came without a nonce
	again bool // it pressed the button before
}

// link reads the token and the browser's nonce, of which it makes one where there is none.
func (s *Site) link(kind unlock.Kind, f func(w http.ResponseWriter, r *http.Request, p press) error) web.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		p := press{kind: kind, token: r.PathValue("token"), nonce: rememberedBy(r).nonce}
		if !isNonce(p.nonce) {
			p.nonce, p.fresh = newNonce(), true
		}
		return f(w, r, p)
	}
}

// mark hands out the browser's nonce, and keeps beside it which chat the link is of, and whether there was a key pass; it returns that
// chat. For a link that is not known ([err]) it is what the request says.
func (s *Site) mark(w http.ResponseWriter, r *http.Request, p press, chat unlock.Chat, err error) unlock.Chat {
	m := remembered{nonce: p.nonce, Chat: chat, passed: err == nil && (p.again || r.Method == http.MethodPost) || rememberedBy(r).passed}
	if err != nil && !errors.Is(err, unlock.ErrUsed) && !errors.Is(err, unlock.ErrExpired) {
		m.Chat = unlock.Chat{Lang: Lang(r), Channel: rememberedBy(r).Channel}
	}
	chat = m.Chat
	if _, ok := s.pages[m.Lang]; !ok {
		m.Lang = ""
	}
	s.Kit.SetCookie(w, nonceCookie, m.value(), nonceLife)
	return chat
}

func newNonce() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func isNonce(s string) bool {
	b, err := base64.RawURLEncoding.DecodeString(s)
	return err == nil && len(b) == 16
}

// linkData is what the pages of a link show.
type linkData struct {
	Life    web.Span // of the link
	KeyPass web.Span // of the key pass
	Next    string   // where the key is made
	Own     bool     // on our own page
	Alone   bool     // which this browser cannot come to: it keeps no cookies
	Moment  bool     // the link was used a moment ago, perhaps by who taps again
	Chats   []web.Chat
}

func (s *Site) data(channel string) linkData {
	d := linkData{Life: web.Wait(s.LinkTTL), KeyPass: web.Wait(unlock.KeyPassLife), Next: s.GenerateURL, Chats: back(s.Chats(), channel)}
	if d.Next == "" {
		d.Next, d.Own = "/clave", true
	}
	return d
}

// show is the page with the button, or, in the browser that pressed it, the success.
func (s *Site) show(w http.ResponseWriter, r *http.Request, p press) error {
	v, err := s.Links.Look(r.Context(), p.token, p.nonce)
	p.again = v.Again
	chat := s.mark(w, r, p, v.Chat, err)
	if v.Over {
		return s.pages.Show(w, chat.Lang, web.View{Name: "key_over", Status: http.StatusGone, Data: s.data(chat.Channel)})
	}
	if err != nil {
		return s.deadLink(w, r, chat, err)
	}
	if v.Kind != p.kind {
		return web.Redirect(w, r, paths[v.Kind]+p.token)
	}
	if v.Again {
		// Redeeming again in the same browser changes nothing and gives the key pass again, which may have got lost
		// with our first answer.
		used, err := s.Links.Redeem(r.Context(), p.token, p.nonce)
		if err != nil {
			return s.deadLink(w, r, chat, err)
		}
		s.giveKeyPass(w, used)
		s.Count("again")
		return s.pages.Show(w, chat.Lang, web.View{Name: "done_" + string(v.Kind), Data: s.data(chat.Channel)})
	}
	s.Count("shown")
	return s.pages.Show(w, chat.Lang, web.View{Name: "ask_" + string(v.Kind), Form: true, Data: s.data(chat.Channel)})
}

// use is the button: the link is used, once, and the browser sent on to see it. One that did not bring back what it was given with the
// button would not be known there: it sees the success at once, and how it goes on elsewhere.
func (s *Site) use(w http.ResponseWriter, r *http.Request, p press) error {
	used, err := s.Links.Redeem(r.Context(), p.token, p.nonce)
	chat := s.mark(w, r, p, used.Chat, err)
	switch {
	case p.fresh && used.Moment: // a second tap, perhaps: nobody is asked whether it was them
		s.Count("used_by_other")
		d := s.data(chat.Channel)
		d.Moment = true
		return s.pages.Show(w, chat.Lang, web.View{Name: "link_used", Status: http.StatusGone, Data: d})
	case err != nil:
		return s.deadLink(w, r, chat, err)
	}
	s.giveKeyPass(w, used)
	if used.Again {
		s.Count("again")
	} else {
		s.Count("used")
	}
	if p.fresh {
		return s.alone(w, chat, used.Kind)
	}
	if used.Kind == unlock.KindGenerate && s.GenerateURL == "" {
		return web.Redirect(w, r, "/clave")
	}
	return web.Redirect(w, r, "/listo")
}

// alone is the success in a browser that would not be known again: it says how it goes on elsewhere.
func (s *Site) alone(w http.ResponseWriter, chat unlock.Chat, kind unlock.Kind) error {
	d := s.data(chat.Channel)
	d.Alone = d.Own
	return s.pages.Show(w, chat.Lang, web.View{Name: "done_" + string(kind), Form: true, Data: d})
}

// giveKeyPass gives the browser what /listo and /clave know it by.
func (s *Site) giveKeyPass(w http.ResponseWriter, used unlock.Redeemed) {
	s.Kit.SetCookie(w, keyPassCookie, used.KeyPass, used.Life)
}

// showDone is the success, in the browser that pressed the button.
func (s *Site) showDone(w http.ResponseWriter, r *http.Request) error {
	holder, err := s.Links.KeyPass(r.Context(), s.Kit.Cookie(r, keyPassCookie))
	if err != nil {
		return s.noKeyPass(w, r, err)
	}
	if holder.Made && s.GenerateURL == "" {
		return web.Redirect(w, r, "/clave")
	}
	return s.pages.Show(w, holder.Lang, web.View{Name: "done_" + string(holder.Kind), Data: s.data(holder.Channel)})
}

// deadLink is the page of a link that cannot be used.
func (s *Site) deadLink(w http.ResponseWriter, r *http.Request, chat unlock.Chat, err error) error {
	switch {
	case errors.Is(err, unlock.ErrUsed):
		s.Count("used_by_other")
		return s.pages.Show(w, chat.Lang, web.View{Name: "link_used", Status: http.StatusGone, Data: s.data(chat.Channel)})
	case errors.Is(err, unlock.ErrExpired):
		s.Count("expired")
		return s.pages.Show(w, chat.Lang, web.View{Name: "link_expired", Status: http.StatusGone, Data: s.data(chat.Channel)})
	case errors.Is(err, unlock.ErrUnknown):
		return s.wrongLink(w, r, chat.Lang, web.View{Name: "link_unknown", Status: http.StatusNotFound, Data: s.data(chat.Channel)})
	}
	return unavailable(err)
}

// wrongLink counts a wrong link against where it came from, and shows a page.
func (s *Site) wrongLink(w http.ResponseWriter, r *http.Request, lang string, v web.View) error {
	ok, wait, err := s.Limit(r.Context(), s.Kit.Source(r))
	if err != nil {
		return unavailable(err)
	}
	if !ok {
		s.Count("limited")
		return &web.Error{Status: http.StatusTooManyRequests, RetryAfter: max(wait, time.Second)}
	}
	s.Count("unknown")
	return s.pages.Show(w, lang, v)
}

// unavailable is for whatever the service could not do: the store was not there, and will be.
func unavailable(err error) error {
	return &web.Error{Status: http.StatusServiceUnavailable, RetryAfter: 5 * time.Second, Err: err}
}

func (s *Site) showNotMe(w http.ResponseWriter, r *http.Request) error {
	chat, err := s.Links.LookNotMe(r.Context(), r.PathValue("token"))
	if err != nil {
		return s.deadNotMe(w, r, chat, err)
	}
	return s.pages.Show(w, chat.Lang, web.View{Name: "notme_ask", Form: true, Data: anyChat{back(s.Chats(), chat.Channel)}})
}

// notMeData is what became of "No fui yo".
type notMeData struct {
	Ref    string
	Used   bool     // the link had been used
	Locked bool     // and the record is locked again
	Key    bool     // a key that was made is none any more
	Hold   web.Span // how long no letter goes to the record; zero: it is not held
	Chats  []web.Chat
}

// notMe shows the case's number itself rather than sending the browser on to see it: pressing again finds the same
// case, so loading the page again does no harm.
func (s *Site) notMe(w http.ResponseWriter, r *http.Request) error {
	came, err := s.Links.NotMe(r.Context(), r.PathValue("token"))
	if came.New { // also where the record could not be locked yet: whoever presses again is no second person
		s.Count("not_me")
	}
	if err != nil {
		return s.deadNotMe(w, r, came.Chat, err)
	}
	if !came.New {
		s.Count("not_me_again")
	}
	return s.pages.Show(w, came.Lang, web.View{Name: "notme_done", Form: true, Data: notMeData{
		bot.SayRef(came.Ref), came.Used, came.Locked, came.Dropped, web.Wait(came.Hold), back(s.Chats(), came.Channel),
	}})
}

// deadNotMe is the page of a "No fui yo" that cannot be pressed.
func (s *Site) deadNotMe(w http.ResponseWriter, r *http.Request, chat unlock.Chat, err error) error {
	late := web.View{Name: "notme_late", Status: http.StatusGone, Data: anyChat{back(s.Chats(), chat.Channel)}}
	switch {
	case errors.Is(err, unlock.ErrExpired):
		return s.pages.Show(w, chat.Lang, late)
	case errors.Is(err, unlock.ErrUnknown): // cleaned up since, or never given out
		late.Status = http.StatusNotFound
		return s.wrongLink(w, r, Lang(r), late)
	}
	return unavailable(err)
}

// privacyData is how long things are kept, in words.
type privacyData struct {
	Idle, Seen, Transcript, Audit, Complaint, Unheard web.Span
	KeepsUnheard                                      bool
	Address, Officer                                  string
	Chats                                             []web.Chat
}

func (s *Site) privacy(w http.ResponseWriter, r *http.Request) error {
	d := s.Retention
	return s.pages.Show(w, "", web.View{Name: "privacy", Data: privacyData{
		web.Wait(d.Idle), web.Wait(cmp.Or(d.Seen, 8*24*time.Hour)), web.Wait(d.Transcript), web.Wait(d.Audit), web.Wait(d.Complaint), web.Wait(d.Unheard),
		d.Unheard > 0, s.Address, s.Officer, s.Chats(),
	}})
}

func (s *Site) home(w http.ResponseWriter, r *http.Request) error {
	return s.pages.Show(w, "", web.View{Name: "home", Data: s.anywhere()})
}
