package public

import (
	"crypto/sha256"
	"errors"
	"net/http"
	"sync"
	"time"

	"llave/internal/key"
	"llave/internal/unlock"
	"llave/internal/web"
)

// keyData is the key page: what is wrong with what was typed, never what was typed.
type keyData struct {
	Life     web.Span
	Min, Max int
	Problems []key.Problem // of the key itself
	Repeat   []key.Problem // of the second time
}

func (d keyData) Wrong() bool { return len(d.Problems)+len(d.Repeat) > 0 }

func (s *Site) showKey(w http.ResponseWriter, r *http.Request) error {
	holder, err := s.Links.KeyPass(r.Context(), s.Kit.Cookie(r, keyPassCookie))
	if err != nil {
		return s.noKeyPass(w, err)
	}
	if holder.Made {
		return web.Show(w, s.pages, web.View{Name: "key_done"})
	}
	return s.askKey(w, holder, nil)
}

// makeKey stores the key and sends the browser on to see that it is there. The key pass stays until its time is over,
// so that loading the page again shows the same; it makes one key only.
func (s *Site) makeKey(w http.ResponseWriter, r *http.Request) error {
	form, err := web.Form(r)
	if err != nil {
		return err
	}
	pass := s.Kit.Cookie(r, keyPassCookie)
	holder, err := s.Links.KeyPass(r.Context(), pass)
	if err != nil {
		return s.noKeyPass(w, err)
	}
	chosen := form.Get("clave")
	problems := key.CheckTwice(chosen, form.Get("clave2"), holder.About)
	if len(problems) == 0 {
		problems, err = s.Links.MakeKey(r.Context(), pass, chosen)
	}
	switch {
	case errors.Is(err, unlock.ErrKeyMade) || err == nil && holder.Made && len(problems) > 0:
		return web.Show(w, s.pages, web.View{Name: "key_made_before", Status: http.StatusConflict})
	case err != nil:
		return s.noKeyPass(w, err)
	case len(problems) > 0:
		s.Count("key_refused")
		return s.askKey(w, holder, problems)
	}
	s.Count("key_made")
	return web.Redirect(w, r, "/clave")
}

func (s *Site) askKey(w http.ResponseWriter, holder unlock.Holder, problems []key.Problem) error {
	d := keyData{Life: web.Wait(holder.Life), Min: key.MinLength, Max: key.MaxLength}
	for _, p := range problems {
		if p == key.NotRepeated {
			d.Repeat = append(d.Repeat, p)
		} else {
			d.Problems = append(d.Problems, p)
		}
	}
	v := web.View{Name: "key_ask", Form: true, Policy: keyPolicy, Data: d}
	if d.Wrong() {
		v.Status = http.StatusUnprocessableEntity
	}
	return web.Show(w, s.pages, v)
}

// keyPolicy lets the key page ask this site how strong a key is.
const keyPolicy = web.Policy + "; connect-src 'self'"

// strength says in words how strong the key is that is being typed. A script puts this piece of HTML into the key page.
//
// The server judges and not the browser, so that nobody reads "fuerte" and is then refused: these are the rules, and the
// owner's name and mail, that the button's POST will judge by. What is typed goes where it would go a moment later, over
// the same connection; it is neither kept nor logged. Without the script only the button's POST judges.
func (s *Site) strength(w http.ResponseWriter, r *http.Request) error {
	form, err := web.Form(r)
	if err != nil {
		return err
	}
	pass := s.Kit.Cookie(r, keyPassCookie)
	holder, err := s.Links.KeyPass(r.Context(), pass)
	if err != nil {
		return s.noKeyPass(w, err)
	}
	if wait := s.asked.take(pass, time.Now()); wait > 0 {
		return &web.Error{Status: http.StatusTooManyRequests, RetryAfter: wait}
	}
	return web.ShowPart(w, s.pages, "key_ask", "strength", key.Check(form.Get("clave"), holder.About))
}

// share is how many times a minute one key pass may ask how strong a key is. Judging one takes a few milliseconds; a
// person who types without a pause asks about twice a second at most.
const share = 60

// shares counts by key pass (only good ones get here) within one minute, in this process only: each process guards its own time.
type shares struct {
	mu    sync.Mutex
	since time.Time
	taken map[[sha256.Size]byte]int
}

// take counts one question. When the key pass's share is used up it returns how long until there is a new one.
func (s *shares) take(pass string, now time.Time) (wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if age := now.Sub(s.since); age < 0 || age >= time.Minute {
		s.since, s.taken = now, map[[sha256.Size]byte]int{}
	}
	id := sha256.Sum256([]byte(pass))
	if s.taken[id] >= share {
		return s.since.Add(time.Minute).Sub(now)
	}
	s.taken[id]++
	return 0
}

// noKeyPass is the page of a browser that may not make a key, or not any more.
func (s *Site) noKeyPass(w http.ResponseWriter, err error) error {
	if errors.Is(err, unlock.ErrKeyPass) {
		return web.Show(w, s.pages, web.View{Name: "key_no_pass", Status: http.StatusForbidden, Data: s.data()})
	}
	return unavailable(err)
}
