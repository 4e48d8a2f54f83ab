package console

import (
	"errors"
	"net/http"
	"time"

	"llave/bot"
	"llave/internal/agent"
	"llave/internal/key"
	"llave/internal/web"
)

// signInData is what the pages of signing in show; never a password or a code.
type signInData struct {
	Back  string   // where to go afterwards
	Why   string   // why the session ended: "idle", "over", "revoked", "left"; "none": there was none
	Idle  web.Span // how long a session lasts without an action
	Login string   // as it was typed
	Word  bool     // a word is asked for, instead of login and password
	Wrong bool
	Wait  web.Span // until the next try; zero: now
	Busy  bool     // nothing was judged: too much else is
}

// showSignIn is the form. Whoever is signed in already does not need it.
func (d *Door) showSignIn(w http.ResponseWriter, r *http.Request) error {
	back := ownPage(r.URL.Query().Get("volver"))
	_, _, err := d.Agents.Live(r.Context(), d.Kit.Cookie(r, sessionCookie))
	why := whyNot(err)
	switch {
	case err == nil:
		return web.Redirect(w, r, back)
	case d.auto:
		return web.Redirect(w, r, Home)
	case why == "":
		return Unavailable(err)
	case why == "none" && r.URL.Query().Has("fin"):
		why = "left"
	}
	return d.askSignIn(w, signInData{Back: back, Why: why})
}

func (d *Door) askSignIn(w http.ResponseWriter, data signInData) error {
	data.Idle, data.Word = web.Wait(d.Agents.Idle), d.word != nil
	v := d.view("signin", data.Wrong, data.Wait, data)
	if data.Busy {
		v.Status = http.StatusServiceUnavailable
	}
	return web.Show(w, d.pages, v)
}

// busyWait is how long whoever finds too many passwords before theirs is asked to wait.
const busyWait = 5 * time.Second

// show shows a form. After something wrong the status says so; when no further try is judged before some time, it says that.
func (d *Door) show(w http.ResponseWriter, name string, wrong bool, wait web.Span, data any) error {
	return web.Show(w, d.pages, d.view(name, wrong, wait, data))
}

func (d *Door) view(name string, wrong bool, wait web.Span, data any) web.View {
	v := web.View{Name: name, Form: true, Policy: d.policy, Data: data}
	switch {
	case wait != web.Span{}:
		v.Status = http.StatusTooManyRequests
	case wrong:
		v.Status = http.StatusUnprocessableEntity
	}
	return v
}

// refused says of an error whether it refuses what was typed, and until when everything is refused.
func refused(w http.ResponseWriter, err error, wrong ...error) (wait web.Span, ok bool) {
	var later *agent.Later
	if errors.As(err, &later) {
		d := max(later.Wait, time.Second)
		web.RetryAfter(w.Header(), d)
		return web.Wait(d), true
	}
	for _, e := range wrong {
		if errors.Is(err, e) {
			return web.Span{}, true
		}
	}
	return web.Span{}, false
}

// signIn judges login and password. The browser gets a token that was made for this sign-in, whatever it brought along; what
// it brought along ends.
func (d *Door) signIn(w http.ResponseWriter, r *http.Request) error {
	form, err := web.Form(r)
	if err != nil {
		return err
	}
	data := signInData{Back: ownPage(form.Get("volver")), Login: bot.Cut(form.Get("usuario"), 64), Wrong: true}
	if d.word != nil {
		return d.signInWord(w, r, data)
	}
	in, err := d.Agents.SignIn(r.Context(), form.Get("usuario"), form.Get("contrasena"), d.from(r))
	if wait, ok := refused(w, err, agent.ErrWrong); ok {
		data.Wait = wait
		return d.askSignIn(w, data)
	}
	if errors.Is(err, key.ErrBusy) {
		data.Wrong, data.Busy, data.Wait = false, true, web.Wait(busyWait)
		web.RetryAfter(w.Header(), busyWait)
		return d.askSignIn(w, data)
	}
	if err != nil {
		return Unavailable(err)
	}
	if in.Code {
		d.Kit.SetStrictCookie(w, codeCookie, in.Token.Reveal(), in.Life)
		return web.Redirect(w, r, withBack(codePath, data.Back))
	}
	return d.enter(w, r, in, data.Back)
}

// signInWord judges the word that was printed.
func (d *Door) signInWord(w http.ResponseWriter, r *http.Request, data signInData) error {
	in, err := d.word(r.Context(), r.PostForm.Get("palabra"))
	if errors.Is(err, agent.ErrWrong) {
		data.Login = ""
		return d.askSignIn(w, data)
	}
	if err != nil {
		return Unavailable(err)
	}
	return d.enter(w, r, in, data.Back)
}

// enter gives the browser its session and sends it on.
func (d *Door) enter(w http.ResponseWriter, r *http.Request, in agent.SignedIn, back string) error {
	if err := d.Agents.SignOut(r.Context(), d.Kit.Cookie(r, sessionCookie)); err != nil {
		return Unavailable(err)
	}
	d.Kit.SetStrictCookie(w, sessionCookie, in.Token.Reveal(), in.Life)
	d.setDevice(w, r, in.Device.Reveal())
	return web.Redirect(w, r, back)
}

// showCode asks for the code, in the browser that has just typed the right password.
func (d *Door) showCode(w http.ResponseWriter, r *http.Request) error {
	back := ownPage(r.URL.Query().Get("volver"))
	if _, err := d.Agents.HalfSignedIn(r.Context(), d.Kit.Cookie(r, codeCookie)); errors.Is(err, agent.ErrNoSession) {
		return web.Redirect(w, r, withBack(SignInPath, back))
	} else if err != nil {
		return Unavailable(err)
	}
	return d.show(w, "signin_code", false, web.Span{}, signInData{Back: back})
}

func (d *Door) signInCode(w http.ResponseWriter, r *http.Request) error {
	form, err := web.Form(r)
	if err != nil {
		return err
	}
	data := signInData{Back: ownPage(form.Get("volver")), Wrong: true}
	in, err := d.Agents.SignInCode(r.Context(), d.Kit.Cookie(r, codeCookie), form.Get("codigo"), d.from(r))
	if wait, ok := refused(w, err, agent.ErrCode); ok {
		data.Wait = wait
		return d.show(w, "signin_code", true, wait, data)
	}
	if errors.Is(err, agent.ErrNoSession) {
		return web.Redirect(w, r, withBack(SignInPath, data.Back))
	}
	if err != nil {
		return Unavailable(err)
	}
	d.Kit.DropCookie(w, codeCookie)
	return d.enter(w, r, in, data.Back)
}

func (d *Door) signOut(w http.ResponseWriter, r *http.Request) error {
	token := d.Kit.Cookie(r, sessionCookie)
	a, _, live := d.Agents.Live(r.Context(), token)
	if err := d.Agents.SignOut(r.Context(), token); err != nil {
		return Unavailable(err)
	}
	if live == nil && d.left != nil {
		if err := d.left(r.Context(), a.Login); err != nil {
			return Unavailable(err)
		}
	}
	d.Kit.DropCookie(w, sessionCookie)
	return web.Redirect(w, r, SignInPath+"?fin")
}
