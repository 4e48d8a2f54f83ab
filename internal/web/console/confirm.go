package console

import (
	"errors"
	"net/http"
	"net/url"

	"llave/internal/agent"
	"llave/internal/key"
	"llave/internal/web"
)

// confirmData is the page that asks who is signed in for their password once more.
type confirmData struct {
	Login string
	Back  string // where to go afterwards
	Wrong bool
	Busy  bool
	Wait  web.Span
}

// Proven has a handler wait until the password was typed a moment ago: a browser that was left open, or a session that was stolen,
// takes nothing away and changes nobody's rights. A page is come back to; of a form that was sent nothing is done, and the page it
// stood on is come back to.
func (d *Door) Proven(f Handler) Handler {
	return func(w http.ResponseWriter, r *http.Request, v Visit) error {
		if v.fresh {
			return f(w, r, v)
		}
		back := r.URL.RequestURI()
		if r.Method != http.MethodGet {
			back = Home
			if from, err := url.Parse(r.Referer()); err == nil { // "" is Home too
				back = from.RequestURI()
			}
		}
		return sendTo(w, r, withBack(confirmPath, back))
	}
}

func (d *Door) showConfirm(w http.ResponseWriter, r *http.Request, v Visit) error {
	return d.askConfirm(w, r, v, confirmData{Back: ownPage(r.URL.Query().Get("volver"))})
}

func (d *Door) askConfirm(w http.ResponseWriter, r *http.Request, v Visit, data confirmData) error {
	data.Login = v.Agent.Login
	p := d.view("confirm", data.Wrong, data.Wait, data)
	if data.Busy {
		p.Status = http.StatusServiceUnavailable
	}
	if d.within != nil {
		return d.within(w, r, v, p)
	}
	return web.Show(w, d.pages, p)
}

func (d *Door) confirm(w http.ResponseWriter, r *http.Request, v Visit) error {
	form, err := web.Form(r)
	if err != nil {
		return err
	}
	data := confirmData{Back: ownPage(form.Get("volver"))}
	err = d.Agents.Prove(r.Context(), v.token, form.Get("actual"), d.from(r))
	wait, wrong := refused(w, err, agent.ErrWrong)
	switch {
	case err == nil:
		return web.Redirect(w, r, data.Back)
	case wrong:
		data.Wrong, data.Wait = true, wait
		return d.askConfirm(w, r, v, data)
	case errors.Is(err, key.ErrBusy):
		data.Busy, data.Wait = true, web.Wait(busyWait)
		web.RetryAfter(w.Header(), busyWait)
		return d.askConfirm(w, r, v, data)
	case whyNot(err) != "":
		return sendToSignIn(w, r)
	}
	return Unavailable(err)
}
