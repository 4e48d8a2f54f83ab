package talk

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"html/template"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"llave/bot"
	"llave/internal/agent"
	"llave/internal/handoff"
	"llave/internal/web"
	"llave/internal/web/console"
)

// said is what a page says about the form that it answers. The template "said" has the words.
type said struct {
	Code, Name string
	As         string // what would go out, where that is asked about
}

// What a page can say.
const (
	saidTaken        = "taken"     // Name has it
	saidNotYours     = "not_yours" // it is not the agent's any more
	saidOver         = "over"      // the case is closed
	saidNotHere      = "not_here"  // the colleague has gone
	saidNoNumber     = "no_number"
	saidLimit        = "limit" // the record has had its mails
	saidEmpty        = "empty"
	saidLong         = "long"
	saidChoose       = "choose"        // nothing was chosen
	saidLater        = "later"         // the store was not there
	saidPerhaps      = "perhaps"       // it may have gone out, and the conversation is not the agent's any more
	saidNoticeClosed = "notice_closed" // somebody closed it meanwhile
	saidMasked       = "masked"        // As is what would go out of it
	saidSeen         = "seen"          // As is what would be said later
	saidSlash        = "slash"         // Name is no ready answer, and would go out as it is
	saidWhy          = "why"           // the reason has to be said in words
	saidNotThen      = "not_then"      // not at that moment
	saidEnough       = "enough"        // the agent has as many conversations as one may
	saidNoRoom       = "no_room"       // the colleague has
	saidProve        = "prove"         // the password must be typed first; Name is the case
)

// The forms of a conversation, by the last part of their address.
const (
	formClaim   = "tomar"
	formSay     = "decir"
	formNote    = "nota"
	formPass    = "pasar"
	formRelease = "soltar"
	formLink    = "enlace"
	formOffice  = "oficina"
	formReturn  = "devolver"
	formResolve = "resolver"
	formNumber  = "numero"
	formWhy     = "porque"

	formPostpone = "posponer"
	formGoOn     = "retomar"
	formLater    = "programar"
	formUnsay    = "quitar"
)

// refusal is a form that changed nothing, and what the page says about it.
type refusal struct {
	said
	status int
}

func (r *refusal) Error() string { return "refused: " + r.Code }

func refuse(code string) error { return &refusal{said{Code: code}, http.StatusUnprocessableEntity} }

// refusalOf is what the desk's error is to the agent; [ok] is false when it is nothing that an agent can do something about.
func refusalOf(err error) (r *refusal, ok bool) {
	var taken *handoff.TakenError
	switch {
	case errors.As(err, &r):
		return r, true
	case errors.As(err, &taken):
		return &refusal{said{Code: saidTaken, Name: taken.Name}, http.StatusConflict}, true
	}
	for _, known := range []struct {
		err  error
		code string
	}{
		{handoff.ErrNoCase, saidOver}, {handoff.ErrNotYours, saidNotYours}, {handoff.ErrNotHere, saidNotHere},
		{handoff.ErrNoNumber, saidNoNumber}, {handoff.ErrRefused, saidLimit},
		{handoff.ErrNotThen, saidNotThen}, {handoff.ErrEnough, saidEnough}, {handoff.ErrNoRoom, saidNoRoom},
	} {
		if errors.Is(err, known.err) {
			return &refusal{said{Code: known.code}, http.StatusConflict}, true
		}
	}
	return nil, false
}

func isBlank(s string) bool { return strings.TrimSpace(s) == "" }
func isLong(s string) bool  { return utf8.RuneCountInString(s) > bot.LineRunes }

// isOnce says whether a form brings an idempotency key of the right shape.
func isOnce(s string) bool {
	return len(s) >= 16 && len(s) <= 64 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") == ""
}

// onceOf is the idempotency key of a form's deed. It holds a hash of what was typed: words that were changed after no answer came
// are another deed, not the same one again.
func onceOf(form url.Values) string {
	h := fnv.New64a()
	for _, field := range []string{"texto", "a", "paso", "motivo", "hasta", "dia", "hora", "posponer"} {
		fmt.Fprintf(h, "%q", form[field])
	}
	return form.Get("once") + "-" + strconv.FormatUint(h.Sum64(), 36)
}

// onForm serves the form [name] of a conversation. [do] returns what cannot be done as an error that refusalOf knows.
func (c *Room) onForm(name string, do func(ctx context.Context, d handoff.Deed, form url.Values) error) http.Handler {
	return c.onFormShowing(name, func(ctx context.Context, d handoff.Deed, form url.Values, _ *talkData) error { return do(ctx, d, form) })
}

// onFormShowing is onForm for a form whose answer shows something once: [do] puts it into [t].
func (c *Room) onFormShowing(name string, do func(ctx context.Context, d handoff.Deed, form url.Values, t *talkData) error) http.Handler {
	return c.Page(agent.Member, func(w http.ResponseWriter, r *http.Request, v console.Visit) error {
		form, err := web.Form(r)
		if err != nil {
			return err
		}
		if !isOnce(form.Get("once")) {
			return &web.Error{Status: http.StatusBadRequest}
		}
		ctx, cancel := console.Detached(r)
		defer cancel()
		p := pressed{name: name, form: form}
		if name == formNumber && !v.Fresh() {
			p.err = &refusal{said{Code: saidProve, Name: r.PathValue("ref")}, http.StatusForbidden}
		} else {
			p.err = do(ctx, handoff.Deed{Once: onceOf(form), Ref: r.PathValue("ref"), Actor: v.Actor()}, form, &p.shown)
		}
		if p.err == nil && name == formResolve && form.Get("siguiente") != "" {
			p.to = c.leadOn(ctx, v, form.Get("once"))
		}
		c.live.hurry()
		if p.err == nil && name == formSay {
			p.err = c.stillMine(ctx, v, r.PathValue("ref"))
		}
		if forScript(r) {
			return c.answerScript(w, r, v, p)
		}
		return c.answerForm(w, r, v, p)
	})
}

// pressed is a form that was sent, and what came of it.
type pressed struct {
	name  string // one of form…
	form  url.Values
	shown talkData // what is shown this once
	err   error    // why it was not done
	to    string   // where it leads on to; "": back to the conversation
}

// leadOn takes the first case of the queue for who has just closed one, and says where that is. What was closed stays closed, whatever
// comes of this.
func (c *Room) leadOn(ctx context.Context, v console.Visit, once string) (to string) {
	switch ref, err := c.takeNext(ctx, v, once+"-next"); {
	case errors.Is(err, handoff.ErrEnough):
		return enoughPath
	case err != nil:
		c.Log.Error("take the next case", "err", err)
		return console.Home + "?ver=" + console.HereWaiting
	case ref == "":
		return nobodyPath
	default:
		return taken(ref)
	}
}

// stillMine refuses words that were taken when the agent no longer has the conversation: a repeated deed counts as done,
// also when it had been refused.
func (c *Room) stillMine(ctx context.Context, v console.Visit, ref string) error {
	switch of, err := c.Desk.Find(ctx, ref); {
	case err != nil:
		return nil // they were taken; how things stand shows later
	case !mayDo(v, of).Say:
		return &refusal{said{Code: saidPerhaps}, http.StatusConflict}
	}
	return nil
}

// forScript says whether the page's script sent the form.
func forScript(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "application/json")
}

// answerForm sends the browser on to see what was done, or draws the page with what was typed.
func (c *Room) answerForm(w http.ResponseWriter, r *http.Request, v console.Visit, p pressed) error {
	if p.err == nil && p.shown.Shown == "" {
		to := "/agentes/casos/" + r.PathValue("ref") + "?" + url.Values{"ver": {filterOf(v, p.form.Get("ver"))}}.Encode()
		switch p.name {
		case formClaim:
			to = taken(r.PathValue("ref"))
		case formLink, formOffice, formReturn, formResolve, formPass, formRelease, formNote, formPostpone, formGoOn, formLater, formUnsay:
			to += "&dicho=" + p.name
		}
		return web.Redirect(w, r, cmp.Or(p.to, to))
	}
	status := http.StatusOK
	ref, refused := refusalOf(p.err)
	switch {
	case refused:
		status = ref.status
	case p.err != nil:
		c.Log.Error("form failed", "form", p.name, "err", p.err)
		status, ref = http.StatusServiceUnavailable, &refusal{said{Code: saidLater}, 0}
	}
	return c.askTalk(w, r, v, status, func(t *talkData) {
		t.Shown, t.Revealed, t.Finding = p.shown.Shown, p.shown.Revealed, p.shown.Finding
		if ref != nil {
			t.Said, t.Refused, t.Typed = ref.said, p.name, map[string]string{}
			for field := range p.form {
				t.Typed[field] = p.form.Get(field)
			}
			if !refused {
				t.SameOnce = p.form.Get("once")
			}
		}
	})
}

// scriptAnswer is what the script gets for a form.
type scriptAnswer struct {
	Done  bool          `json:"done"`
	Said  template.HTML `json:"said,omitempty"`
	Once  string        `json:"once"`            // the idempotency key of the next form
	As    string        `json:"as,omitempty"`    // what would go out of what was written: it goes when it is sent again
	To    string        `json:"to,omitempty"`    // where the page leads on to
	Shown template.HTML `json:"shown,omitempty"` // what is shown this once
	News  []event       `json:"news,omitempty"`  // what the stream would say in a moment
}

func (c *Room) answerScript(w http.ResponseWriter, r *http.Request, v console.Visit, p pressed) error {
	a := scriptAnswer{Done: p.err == nil, Once: newOnce(), To: p.to}
	what := said{Code: p.name}
	ref, refused := refusalOf(p.err)
	switch {
	case refused:
		what, a.As = ref.said, ref.As
	case p.err != nil:
		return console.Unavailable(p.err) // the script sends it again
	}
	var err error
	if a.Said, err = c.part("said", what); err != nil {
		return err
	}
	t, err := c.talk(r.Context(), v, filterOf(v, r.FormValue("ver")), r.PathValue("ref"), since(r))
	if err == nil {
		if p.shown.Shown != "" {
			t.Shown, t.Revealed, t.Finding = p.shown.Shown, p.shown.Revealed, p.shown.Finding
			if a.Shown, err = c.part("shown", &t); err != nil {
				return err
			}
		}
		a.News, err = c.talkEvents(t)
	}
	if err != nil {
		a.News = nil // the stream brings it
	}
	return answerJSON(w, a)
}

// since is the last line that the page of a script has.
func since(r *http.Request) int64 {
	n, err := strconv.ParseInt(r.FormValue("desde"), 10, 64)
	if err != nil || n < 0 {
		return -1
	}
	return n
}

// part draws one template of the desk's page. A struct comes as a pointer: templates call methods of what it holds.
func (c *Room) part(name string, data any) (template.HTML, error) {
	var b bytes.Buffer
	if err := c.pages.Draw(&b, "inbox", name, data); err != nil {
		return "", fmt.Errorf("draw %s: %w", name, err)
	}
	return template.HTML(b.String()), nil //nolint:gosec // made by a template, which escaped what people wrote
}

// text is what a form says, within what one message can hold.
func text(form url.Values, required bool) (string, error) {
	t := form.Get("texto")
	switch {
	case required && isBlank(t):
		return "", refuse(saidEmpty)
	case isLong(t):
		return "", refuse(saidLong)
	}
	return plainLines(t), nil
}

// plainLines is a field of several lines as we keep it.
func plainLines(t string) string { return strings.ReplaceAll(t, "\r\n", "\n") }

// longText is what a form says, within what can be sent in several messages.
func longText(form url.Values) (string, error) {
	t := strings.TrimSpace(plainLines(form.Get("texto")))
	switch {
	case t == "":
		return "", refuse(saidEmpty)
	case len(handoff.Parts(t)) > handoff.PartsMost:
		return "", refuse(saidLong)
	}
	return t, nil
}

// slashed is a word that looks as if a ready answer was meant by it.
var slashed = regexp.MustCompile(`(?:^|\s)(/\pL[\pL\d-]*)(?:$|[\s.,;:!?])`)

// seen refuses words of which something else would go out than was written, or that a ready answer was meant by, until the agent has
// seen what that is: the form says it then (P767).
func (c *Room) seen(t string, form url.Values) error {
	out := strings.TrimSpace(c.Desk.Discreet(t))
	if strings.TrimSpace(plainLines(form.Get("visto"))) == out {
		return nil
	}
	r := &refusal{status: http.StatusUnprocessableEntity}
	if m := slashed.FindStringSubmatch(t); m != nil {
		r.said = said{Code: saidSlash, Name: m[1], As: out}
		return r
	}
	if out != t {
		r.said = said{Code: saidMasked, As: out}
		return r
	}
	return nil
}

func (c *Room) claim(ctx context.Context, d handoff.Deed, _ url.Values) error {
	return c.Desk.Claim(ctx, d)
}

func (c *Room) say(ctx context.Context, d handoff.Deed, form url.Values) error {
	t, err := longText(form)
	if err == nil {
		err = c.seen(t, form)
	}
	if err != nil {
		return err
	}
	return c.Desk.Say(ctx, d, t)
}

func (c *Room) note(ctx context.Context, d handoff.Deed, form url.Values) error {
	t, err := longText(form)
	if err != nil {
		return err
	}
	return c.Desk.Note(ctx, d, t)
}

func (c *Room) pass(ctx context.Context, d handoff.Deed, form url.Values) error {
	t, err := text(form, false)
	if err != nil {
		return err
	}
	if form.Get("a") == "" {
		return refuse(saidChoose)
	}
	return c.Desk.Pass(ctx, d, form.Get("a"), t)
}

func (c *Room) release(ctx context.Context, d handoff.Deed, _ url.Values) error {
	return c.Desk.Release(ctx, d)
}

func (c *Room) sendLink(ctx context.Context, d handoff.Deed, _ url.Values) error {
	return c.Desk.SendLink(ctx, d)
}

func (c *Room) office(ctx context.Context, d handoff.Deed, _ url.Values) error {
	return c.Desk.Office(ctx, d)
}

func (c *Room) giveBack(ctx context.Context, d handoff.Deed, form url.Values) error {
	for _, s := range c.Steps {
		if string(s.State) == form.Get("paso") {
			return c.Desk.Return(ctx, d, s.State)
		}
	}
	return refuse(saidChoose)
}

func (c *Room) resolve(ctx context.Context, d handoff.Deed, form url.Values) error {
	reason := form.Get("motivo")
	if !slices.Contains(handoff.Reasons, reason) {
		return refuse(saidChoose)
	}
	words, err := text(form, false)
	if err != nil {
		return err
	}
	if reason == handoff.Other && isBlank(words) {
		return refuse(saidWhy)
	}
	return c.Desk.ResolveSaying(ctx, d, reason, words)
}

// number shows the whole number this once: it stands in no address and no browser keeps the page.
func (c *Room) number(ctx context.Context, d handoff.Deed, _ url.Values, t *talkData) error {
	number, err := c.Desk.Reveal(ctx, d)
	if err == nil {
		t.Shown, t.Revealed = "number", number
	}
	return err
}

func (c *Room) why(ctx context.Context, d handoff.Deed, _ url.Values, t *talkData) error {
	found, err := c.Desk.Why(ctx, d)
	if err == nil {
		t.Shown, t.Finding = "why", found
	}
	return err
}

// draft keeps what the agent has begun to write, and answers what would go out of it where that is something else.
func (c *Room) draft(w http.ResponseWriter, r *http.Request, v console.Visit) error {
	form, err := web.Form(r)
	if err != nil {
		return err
	}
	t := plainLines(form.Get("texto"))
	if utf8.RuneCountInString(t) > 2*handoff.PartsMost*bot.LineRunes {
		return &web.Error{Status: http.StatusRequestEntityTooLarge}
	}
	ctx, cancel := console.Detached(r)
	defer cancel()
	masked, err := c.Desk.KeepDraft(ctx, v.Actor(), r.PathValue("ref"), t, form.Get("que") == formNote)
	if err != nil {
		return talkFailed(err)
	}
	var a struct {
		As string `json:"as,omitempty"`
	}
	if masked != t {
		a.As = masked
	}
	return answerJSON(w, a)
}

func answerJSON(w http.ResponseWriter, a any) error {
	b, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	web.Secure(w.Header(), "", false)
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = w.Write(b) // who has gone away asks again
	return nil
}

// typing shows the person that the agent is writing. It counts as an action of the agent.
func (c *Room) typing(w http.ResponseWriter, r *http.Request, v console.Visit) error {
	ctx, cancel := console.Detached(r)
	defer cancel()
	err := c.Desk.Type(ctx, handoff.Deed{Ref: r.PathValue("ref"), Actor: v.Actor()}, r.FormValue("que") == formNote)
	if err != nil && !errors.Is(err, handoff.ErrNotYours) && !errors.Is(err, handoff.ErrNoCase) {
		return console.Unavailable(err)
	}
	web.Secure(w.Header(), "", false)
	w.WriteHeader(http.StatusNoContent)
	return nil
}
