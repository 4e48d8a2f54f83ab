package console

import (
	"errors"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"

	"llave/internal/agent"
	"llave/internal/key"
	"llave/internal/web"
)

// accountData is the agent's own account: what is wrong with what was typed, never what was typed.
type accountData struct {
	Agent    agent.Agent
	Owes     agent.Owed // what must be done before anything else
	Required bool       // a second factor is
	Min, Max int        // characters of a password
	Done     string
	Failed   string // which form was refused: "password", "begin", "confirm", "recovery", "end"
	Wait     web.Span
	Busy     bool // nothing was judged: too much else is
	Present  bool // the present password was wrong
	Same     bool // the new one is the present one
	Code     bool // the code was wrong
	Problems []key.Problem
	Repeat   bool // the second time was another

	Secret        string       // of a second factor that waits for its first code, else ""
	Link          template.URL // the same for an app on this device; no web address
	EnrolmentCode string       // where the same is drawn
	Side          int          // how wide and high
	Recovery      []string     // recovery codes, shown this once

	Sessions []sessionRow
}

// sessionRow is one of the sessions of the account.
type sessionRow struct {
	ID, Browser, Network string
	Since, Seen          Moment
	Here                 bool // it is the one of this browser
}

// passwordField is the field for the present password in one of the forms.
type passwordField struct {
	ID    string
	Wrong bool
}

// Password is the field of a form, which [refused] names where that was refused.
func (a accountData) Password(id, refused string) passwordField {
	return passwordField{id, a.Present && a.Failed == refused}
}

// What the forms of the page ask for, and what happened says what was done.
var accountForms = map[string]func(d *Door, w http.ResponseWriter, r *http.Request, v Visit) error{
	"contrasena":   (*Door).changePassword,
	"empezar":      (*Door).beginTOTP,
	"confirmar":    (*Door).confirmTOTP,
	"recuperacion": (*Door).renewRecovery,
	"quitar":       (*Door).endTOTP,
	"idiomas":      (*Door).setSpeaks,
	"cerrar":       (*Door).endSession,
	"cerrar-otras": (*Door).endOthers,
}

// done are the notes that a redirect may ask for.
var done = map[string]string{"contrasena": "password", "sin-codigo": "totp_off", "idiomas": "speaks", "cerrada": "session_ended", "cerradas": "sessions_ended"}

func (d *Door) showAccount(w http.ResponseWriter, r *http.Request, v Visit) error {
	return d.askAccount(w, r, v, accountData{Done: done[r.URL.Query().Get("hecho")]})
}

func (d *Door) askAccount(w http.ResponseWriter, r *http.Request, v Visit, data accountData) error {
	data.Agent, data.Min, data.Max = v.Agent, agent.MinPassword, key.MaxLength
	data.Owes, data.Required = d.Agents.Owes(v.Agent), d.Agents.Requires(v.Agent)
	if !v.Agent.SecondFactor() {
		switch e, err := d.Agents.Enrolment(r.Context(), v.token); {
		case err == nil:
			data.Secret, data.Link, data.EnrolmentCode, data.Side = e.Secret(), template.URL(e.URL()), enrolmentPath, agent.EnrolmentSide //nolint:gosec // of our own making: otpauth, and an issuer and login that are escaped
		case !errors.Is(err, agent.ErrEnrolment):
			return Unavailable(err)
		}
	}
	sessions, err := d.Agents.SessionsOf(r.Context(), v.Agent.Login)
	if err != nil {
		return Unavailable(err)
	}
	for _, s := range sessions {
		data.Sessions = append(data.Sessions, sessionRow{s.ID, s.Browser, s.Network, momentIn(s.Made, d.zone()), momentIn(s.Seen, d.zone()), d.Agents.IsSession(s, v.token)})
	}
	p := d.view("account", data.Failed != "", data.Wait, data)
	if data.Busy {
		p.Status = http.StatusServiceUnavailable
	}
	if d.within != nil && data.Owes == agent.OwesNothing { // else none of the other pages is to be had, nor what the frame asks by itself
		return d.within(w, r, v, p)
	}
	return web.Show(w, d.pages, p)
}

func (d *Door) zone() *time.Location {
	if d.Zone == nil {
		return time.UTC
	}
	return d.Zone
}

// otherLanguages are those that people write in beside the desk's own.
var otherLanguages = []string{"en"}

// setSpeaks says which languages the agent speaks.
func (d *Door) setSpeaks(w http.ResponseWriter, r *http.Request, v Visit) error {
	var spoken []string
	for _, language := range otherLanguages {
		if slices.Contains(r.PostForm["idioma"], language) {
			spoken = append(spoken, language)
		}
	}
	if err := d.Agents.SetSpeaks(r.Context(), v.Agent.Login, v.Agent.Login, strings.Join(spoken, " ")); err != nil {
		return Unavailable(err)
	}
	return web.Redirect(w, r, accountPath+"?hecho=idiomas")
}

func (d *Door) changeAccount(w http.ResponseWriter, r *http.Request, v Visit) error {
	form, err := web.Form(r)
	if err != nil {
		return err
	}
	do, ok := accountForms[form.Get("hacer")]
	if !ok {
		return &web.Error{Status: http.StatusBadRequest}
	}
	return do(d, w, r, v)
}

// refuseAccount shows the page again after a form that was refused, or answers what went wrong although nothing that was typed was.
func (d *Door) refuseAccount(w http.ResponseWriter, r *http.Request, v Visit, form string, err error) error {
	data := accountData{Failed: form}
	wait, ok := refused(w, err, agent.ErrWrong, agent.ErrCode, agent.ErrSame)
	switch {
	case ok:
		data.Wait, data.Present, data.Code, data.Same = wait, errors.Is(err, agent.ErrWrong), errors.Is(err, agent.ErrCode), errors.Is(err, agent.ErrSame)
		return d.askAccount(w, r, v, data)
	case errors.Is(err, key.ErrBusy):
		data.Busy, data.Wait = true, web.Wait(busyWait)
		web.RetryAfter(w.Header(), busyWait)
		return d.askAccount(w, r, v, data)
	case errors.Is(err, agent.ErrEnrolment): // its time is over, or another window was quicker
		return web.Redirect(w, r, accountPath)
	case whyNot(err) != "":
		return sendToSignIn(w, r)
	}
	return Unavailable(err)
}

// goOn gives the browser the session that goes on in place of the one that a change has ended.
func (d *Door) goOn(w http.ResponseWriter, in agent.SignedIn) {
	d.Kit.SetStrictCookie(w, sessionCookie, in.Token.Reveal(), in.Life)
}

// changePassword goes on with a new session in this browser: the password's change ended all others.
func (d *Door) changePassword(w http.ResponseWriter, r *http.Request, v Visit) error {
	chosen := r.PostForm.Get("nueva")
	data := accountData{Failed: "password", Repeat: chosen != r.PostForm.Get("nueva2")}
	if data.Problems = agent.CheckPassword(chosen, v.Agent.Login, v.Agent.Name); len(data.Problems) > 0 || data.Repeat {
		return d.askAccount(w, r, v, data)
	}
	in, err := d.Agents.ChangePassword(r.Context(), v.token, r.PostForm.Get("actual"), chosen, d.from(r))
	if err != nil {
		return d.refuseAccount(w, r, v, "password", err)
	}
	d.goOn(w, in)
	return web.Redirect(w, r, accountPath+"?hecho=contrasena")
}

func (d *Door) beginTOTP(w http.ResponseWriter, r *http.Request, v Visit) error {
	if _, err := d.Agents.BeginTOTP(r.Context(), v.token, r.PostForm.Get("actual"), d.from(r)); err != nil {
		return d.refuseAccount(w, r, v, "begin", err)
	}
	return web.Redirect(w, r, accountPath)
}

// confirmTOTP shows the recovery codes, which no other answer can.
func (d *Door) confirmTOTP(w http.ResponseWriter, r *http.Request, v Visit) error {
	in, codes, err := d.Agents.ConfirmTOTP(r.Context(), v.token, r.PostForm.Get("codigo"), d.from(r))
	if err != nil {
		return d.refuseAccount(w, r, v, "confirm", err)
	}
	d.goOn(w, in)
	return d.askAccount(w, r, Visit{in.Agent, in.Token.Reveal(), v.fresh}, accountData{Done: "totp_on", Recovery: codes})
}

func (d *Door) renewRecovery(w http.ResponseWriter, r *http.Request, v Visit) error {
	codes, err := d.Agents.RenewRecovery(r.Context(), v.Agent.Login, r.PostForm.Get("actual"), d.from(r))
	if err != nil {
		return d.refuseAccount(w, r, v, "recovery", err)
	}
	return d.askAccount(w, r, v, accountData{Done: "recovery", Recovery: codes})
}

func (d *Door) endTOTP(w http.ResponseWriter, r *http.Request, v Visit) error {
	in, err := d.Agents.EndTOTP(r.Context(), v.token, r.PostForm.Get("actual"), r.PostForm.Get("codigo"), d.from(r))
	if err != nil {
		return d.refuseAccount(w, r, v, "end", err)
	}
	d.goOn(w, in)
	return web.Redirect(w, r, accountPath+"?hecho=sin-codigo")
}

func (d *Door) endSession(w http.ResponseWriter, r *http.Request, v Visit) error {
	if err := d.Agents.EndSession(r.Context(), v.token, r.PostForm.Get("sesion")); err != nil {
		return d.refuseAccount(w, r, v, "", err)
	}
	return web.Redirect(w, r, accountPath+"?hecho=cerrada")
}

func (d *Door) endOthers(w http.ResponseWriter, r *http.Request, v Visit) error {
	if err := d.Agents.EndOthers(r.Context(), v.token); err != nil {
		return d.refuseAccount(w, r, v, "", err)
	}
	return web.Redirect(w, r, accountPath+"?hecho=cerradas")
}

// enrolmentCode is the enrolment for the camera of another device.
func (d *Door) enrolmentCode(w http.ResponseWriter, r *http.Request, v Visit) error {
	e, err := d.Agents.Enrolment(r.Context(), v.token)
	if errors.Is(err, agent.ErrEnrolment) {
		return &web.Error{Status: http.StatusNotFound}
	}
	if err != nil {
		return Unavailable(err)
	}
	b, err := e.PNG()
	if err != nil {
		return err
	}
	web.Secure(w.Header(), "", true)
	w.Header().Set("Content-Type", "image/png")
	_, _ = w.Write(b) // who has gone away misses nothing
	return nil
}
