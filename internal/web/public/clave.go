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
	Repeat   []key.Problem // of the second time; a script sees that first, and then nothing is sent
	Later    web.Span      // it was not judged, and may be sent again then; zero: it was
	Chats    []web.Chat
}

func (d keyData) Wrong() bool { return len(d.Problems)+len(d.Repeat) > 0 }

// Verdicts are all that can be said of a key while it is being typed. The page keeps room for the longest, however wide it is
// and whatever its letters: the button does not move when one comes or goes.
func (keyData) Verdicts() [][]key.Problem {
	verdicts := [][]key.Problem{nil}
	for _, p := range key.Problems() {
		if p != key.NotRepeated {
			verdicts = append(verdicts, []key.Problem{p})
		}
	}
	return verdicts
}

func (s *Site) showKey(w http.ResponseWriter, r *http.Request) error {
	holder, err := s.Links.KeyPass(r.Context(), s.Kit.Cookie(r, keyPassCookie))
	if err != nil {
		return s.noKeyPass(w, r, err)
	}
	if holder.Made {
		return s.pages.Show(w, holder.Lang, web.View{Name: "key_done", Data: s.data(holder.Channel)})
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
		return s.noKeyPass(w, r, err)
	}
	leave, err := s.turn(r, pass, &s.tried)
	if err != nil {
		return s.keyLater(w, holder, err)
	}
	defer leave()
	chosen := form.Get("clave")
	problems := s.Links.CheckKey(chosen, holder.About)
	if form.Get("clave2") != chosen {
		problems = append(problems, key.NotRepeated)
	}
	if len(problems) == 0 {
		problems, err = s.Links.MakeKey(r.Context(), pass, chosen)
	}
	switch {
	case errors.Is(err, unlock.ErrKeyMade) || err == nil && holder.Made && len(problems) > 0:
		return s.pages.Show(w, holder.Lang, web.View{Name: "key_made_before", Status: http.StatusConflict, Data: s.data(holder.Channel)})
	case err != nil:
		return s.noKeyPass(w, r, err)
	case len(problems) > 0:
		s.Count("key_refused")
		return s.askKey(w, holder, problems)
	}
	s.Count("key_made")
	return web.Redirect(w, r, "/clave")
}

// What of the queue one may have at once: a browser asks how strong a key is while its button is pressed; behind one address
// may be many people.
const (
	passAtOnce   = 2
	sourceAtOnce = 8
)

// laterWait is how long whoever has no turn is asked to wait.
const laterWait = 5 * time.Second

// turn waits until a key may be judged. [count] is how often one key pass may ask for that. A *web.Error means that there is no
// turn, and says when to come back.
func (s *Site) turn(r *http.Request, pass string, count *shares) (leave func(), err error) {
	id := sha256.Sum256([]byte(pass))
	if wait := count.take(id, time.Now()); wait > 0 {
		return nil, &web.Error{Status: http.StatusTooManyRequests, RetryAfter: wait}
	}
	leave, err = s.Keys.Enter(r.Context(), key.Share{Who: "pass/" + string(id[:]), Most: passAtOnce}, key.Share{Who: "from/" + s.Kit.Source(r), Most: sourceAtOnce})
	switch {
	case errors.Is(err, key.ErrShare):
		return nil, &web.Error{Status: http.StatusTooManyRequests, RetryAfter: laterWait}
	case err != nil:
		return nil, &web.Error{Status: http.StatusServiceUnavailable, RetryAfter: laterWait}
	}
	return leave, nil
}

// keyLater is the key page for a key that was not judged.
func (s *Site) keyLater(w http.ResponseWriter, holder unlock.Holder, err error) error {
	var e *web.Error
	if !errors.As(err, &e) {
		return err
	}
	s.Count("key_later")
	web.RetryAfter(w.Header(), e.RetryAfter)
	return s.pages.Show(w, holder.Lang, web.View{Name: "key_ask", Status: e.Status, Form: true, Policy: keyPolicy, Data: keyData{
		Life: web.Wait(holder.Life), Min: key.MinLength, Max: key.MaxLength, Later: web.Wait(e.RetryAfter), Chats: back(s.Chats(), holder.Channel),
	}})
}

func (s *Site) askKey(w http.ResponseWriter, holder unlock.Holder, problems []key.Problem) error {
	d := keyData{Life: web.Wait(holder.Life), Min: key.MinLength, Max: key.MaxLength, Chats: back(s.Chats(), holder.Channel)}
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
	return s.pages.Show(w, holder.Lang, v)
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
		return s.noKeyPass(w, r, err)
	}
	leave, err := s.turn(r, pass, &s.asked)
	if err != nil {
		return err
	}
	defer leave()
	pages, _ := s.pages.In(holder.Lang, "key_ask")
	return web.ShowPart(w, pages, "key_ask", "strength", s.Links.CheckKey(form.Get("clave"), holder.About))
}

// shares counts by key pass (only good ones get here) within one minute, in this process only: each process guards its own time.
// A person who types without a pause asks about twice a second at most how strong a key is, and nobody presses the button
// every three seconds.
type shares struct {
	most  int
	mu    sync.Mutex
	since time.Time
	taken map[[sha256.Size]byte]int
}

// take counts one question. When the share of a key pass, given by its hash, is used up it returns how long until there is a
// new one.
func (s *shares) take(id [sha256.Size]byte, now time.Time) (wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if age := now.Sub(s.since); age < 0 || age >= time.Minute {
		s.since, s.taken = now, map[[sha256.Size]byte]int{}
	}
	if s.taken[id] >= s.most {
		return s.since.Add(time.Minute).Sub(now)
	}
	s.taken[id]++
	return 0
}

// noKeyPass is the page of a browser that may not make a key, or not any more: one that had a key pass is told that its time is over.
func (s *Site) noKeyPass(w http.ResponseWriter, r *http.Request, err error) error {
	if !errors.Is(err, unlock.ErrKeyPass) {
		return unavailable(err)
	}
	was := rememberedBy(r)
	v := web.View{Name: "key_no_pass", Status: http.StatusForbidden, Data: s.data(was.Channel)}
	if was.passed {
		v.Name = "key_over"
	}
	return s.pages.Show(w, Lang(r), v)
}
