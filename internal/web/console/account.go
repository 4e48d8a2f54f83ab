package console

import (
	"errors"
	"html/template"
	"net/http"

	"llave/internal/agent"
	"llave/internal/key"
	"llave/internal/web"
)

// accountData is the agent's own account: what is wrong with what was typed, never what was typed.
type accountData struct {
	Agent    agent.Agent
	Min, Max int // characters of a password
	Done     string
	Failed   string // which form was refused: "password", "confirm", "end"
	Wait     web.Span
	Present  bool // the present password was wrong
	Problems []key.Problem
	Repeat   bool // the second time was another

	Secret        string       // of a second factor that waits for its first code, else ""
	Link          template.URL // the same for an app on this device; no web address
	EnrolmentCode string       // where the same is drawn
	Side          int          // how wide and high
}

// What the forms of the page ask for, and what happened says what was done.
var accountForms = map[string]func(d *Door, w http.ResponseWriter, r *http.Request, v Visit) error{
	"contrasena": (*Door).changePassword,
	"empezar":    (*Door).beginTOTP,
	"confirmar":  (*Door).confirmTOTP,
	"quitar":     (*Door).endTOTP,
}

// done are the notes that a redirect may ask for.
var done = map[string]string{"contrasena": "password", "codigo": "totp_on", "sin-codigo": "totp_off"}

func (d *Door) showAccount(w http.ResponseWriter, r *http.Request, v Visit) error {
	return d.askAccount(w, r, v, accountData{Done: done[r.URL.Query().Get("hecho")]})
}

func (d *Door) askAccount(w http.ResponseWriter, r *http.Request, v Visit, data accountData) error {
	data.Agent, data.Min, data.Max = v.Agent, agent.MinPassword, key.MaxLength
	if !v.Agent.SecondFactor() {
		switch e, err := d.Agents.Enrolment(r.Context(), v.Agent.Login); {
		case err == nil:
			data.Secret, data.Link, data.EnrolmentCode, data.Side = e.Secret(), template.URL(e.URL()), enrolmentPath, agent.EnrolmentSide //nolint:gosec // of our own making: otpauth, and an issuer and login that are escaped
		case !errors.Is(err, agent.ErrEnrolment):
			return Unavailable(err)
		}
	}
	p := d.view("account", data.Failed != "", data.Wait, data)
	if d.within != nil {
		return d.within(w, r, v, p)
	}
	return web.Show(w, d.pages, p)
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

// changePassword goes on with a new session in this browser: the password's change ended all others.
func (d *Door) changePassword(w http.ResponseWriter, r *http.Request, v Visit) error {
	chosen := r.PostForm.Get("nueva")
	data := accountData{Failed: "password", Repeat: chosen != r.PostForm.Get("nueva2")}
	if data.Problems = agent.CheckPassword(chosen, v.Agent.Login, v.Agent.Name); len(data.Problems) > 0 || data.Repeat {
		return d.askAccount(w, r, v, data)
	}
	in, err := d.Agents.ChangePassword(r.Context(), v.token, r.PostForm.Get("actual"), chosen, d.Kit.Source(r))
	if wait, ok := refused(w, err, agent.ErrWrong); ok {
		data.Present, data.Wait = true, wait
		return d.askAccount(w, r, v, data)
	}
	if err != nil {
		return accountFailed(w, r, err)
	}
	d.Kit.SetStrictCookie(w, sessionCookie, in.Token.Reveal(), in.Life)
	return web.Redirect(w, r, accountPath+"?hecho=contrasena")
}

func (d *Door) beginTOTP(w http.ResponseWriter, r *http.Request, v Visit) error {
	if _, err := d.Agents.BeginTOTP(r.Context(), v.Agent.Login); err != nil && !errors.Is(err, agent.ErrEnrolment) {
		return accountFailed(w, r, err)
	}
	return web.Redirect(w, r, accountPath)
}

func (d *Door) confirmTOTP(w http.ResponseWriter, r *http.Request, v Visit) error {
	err := d.Agents.ConfirmTOTP(r.Context(), v.Agent.Login, r.PostForm.Get("codigo"))
	switch {
	case errors.Is(err, agent.ErrCode):
		return d.askAccount(w, r, v, accountData{Failed: "confirm"})
	case errors.Is(err, agent.ErrEnrolment): // its time is over, or another window was quicker
		return web.Redirect(w, r, accountPath)
	case err != nil:
		return accountFailed(w, r, err)
	}
	return web.Redirect(w, r, accountPath+"?hecho=codigo")
}

func (d *Door) endTOTP(w http.ResponseWriter, r *http.Request, v Visit) error {
	err := d.Agents.EndTOTP(r.Context(), v.Agent.Login, r.PostForm.Get("actual"), d.Kit.Source(r))
	if wait, ok := refused(w, err, agent.ErrWrong); ok {
		return d.askAccount(w, r, v, accountData{Failed: "end", Wait: wait})
	}
	if err != nil {
		return accountFailed(w, r, err)
	}
	return web.Redirect(w, r, accountPath+"?hecho=sin-codigo")
}

// enrolmentCode is the enrolment for the camera of another device.
func (d *Door) enrolmentCode(w http.ResponseWriter, r *http.Request, v Visit) error {
	e, err := d.Agents.Enrolment(r.Context(), v.Agent.Login)
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

// accountFailed answers what went wrong although nothing that was typed was.
func accountFailed(w http.ResponseWriter, r *http.Request, err error) error {
	if whyNot(err) != "" {
		return sendToSignIn(w, r)
	}
	return Unavailable(err)
}
