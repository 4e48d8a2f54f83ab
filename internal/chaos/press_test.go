package chaos

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"llave/internal/affiliate"
)

// Of the sixteen presses of a link one browser makes two, the first of a double click and its echo.
const (
	presses  = 16
	browsers = presses - 1
)

// sight is what a browser was shown for a link.
type sight string

const (
	sawButton sight = "the button"
	sawOpen   sight = "unlocked"
	sawUsed   sight = "used by another"
)

// act is one request of a browser.
type act struct {
	browser int
	press   bool
}

// link is what a link must be: a register that is written once. Its state is the browser that won, or nobody.
var link = porcupine.Model{
	Init: func() any { return nobody },
	Step: func(state, input, output any) (bool, any) {
		winner, a, saw := state.(int), input.(act), output.(sight)
		switch {
		case winner == nobody && !a.press:
			return saw == sawButton, winner
		case winner == nobody || winner == a.browser:
			return saw == sawOpen, a.browser
		}
		return saw == sawUsed, winner
	},
}

const nobody = -1

// crowd is the browsers that press one link at once, and what they saw.
type crowd struct {
	person  *person
	link    string
	addrs   []string
	jars    [browsers]http.CookieJar
	began   time.Time
	mu      sync.Mutex
	history []porcupine.Operation
}

// TestPress_sixteenAtOnce: however many browsers press a link at the same moment, through however many processes, one of
// them unlocks, once; it sees so as often as it asks, and every other reads that the link was used. Some browsers have
// opened the page before, some press without its cookie, and some open it while the others press.
func TestPress_sixteenAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, k kind) {
		dep := newDeployment(t, k)
		people := dep.populate(sized(60, 1000))
		dep.start()
		addrs := dep.fleet.running()
		crowds := make([]*crowd, len(people))
		for i, p := range people {
			crowds[i] = &crowd{person: p, addrs: addrs}
			p.opening = crowds[i].rush
		}
		began := time.Now()
		waiting, stop := context.WithTimeout(t.Context(), sized(time.Minute, 10*time.Minute))
		defer stop()
		dep.walk(waiting, waiting, people, 10*time.Millisecond, sized(60, 200))
		dep.settle(waiting)
		took := time.Since(began)
		dep.end()
		dep.reconcile(t, took)

		s, vault := dep.openStore(t)
		pressed, torn, others := 0, invariant{name: "links whose history is not that of a register written once"}, invariant{name: "links that the store says another browser used"}
		redeemed := 0
		for _, c := range crowds {
			winner := nobody
			for _, op := range c.history {
				if a := op.Input.(act); a.press {
					pressed++
					if op.Output == sawOpen {
						winner = a.browser
					}
				}
			}
			if !porcupine.CheckOperations(link, c.history) {
				torn.breaks("person %d: %s", c.person.index, told(c.history))
			}
			r, err := s.Unlocks.Load(t.Context(), affiliate.Hash(vault, c.person.number))
			if err != nil {
				t.Fatal(err)
			}
			if r.Live == nil || len(r.Used) > 0 || winner == nobody || r.Live.Nonce != vault.Hash("nonce", c.nonce(winner)) {
				others.breaks("person %d: browser %d was shown the success", c.person.index, winner)
				continue
			}
			redeemed++
		}
		t.Logf("%d links pressed %d times by %d browsers each, through %d processes: %d presses, %d redemptions, each by the browser that saw it",
			len(crowds), presses, browsers, len(addrs), pressed, redeemed)
		for _, v := range []*invariant{&torn, &others} {
			v.report(t)
		}
	})
}

// told is a history that a person can read.
func told(history []porcupine.Operation) string {
	var b strings.Builder
	for _, op := range history {
		a, did := op.Input.(act), "looks"
		if a.press {
			did = "presses"
		}
		fmt.Fprintf(&b, "\n\t\t%7.3f-%.3f ms: browser %d %s, saw %s", float64(op.Call)/1e6, float64(op.Return)/1e6, a.browser, did, op.Output)
	}
	return b.String()
}

// rush presses the link sixteen times at once, and has every browser look again afterwards. It says how many browsers
// saw the key unlocked.
func (c *crowd) rush(ctx context.Context, link string) (int, error) {
	c.link, c.began = link, time.Now()
	var problem error
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	note := func(err error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if problem == nil {
			problem = err
		}
	}
	for i := range browsers {
		jar, err := cookiejar.New(nil)
		if err != nil {
			return 0, err
		}
		c.jars[i] = jar
		ready.Add(1)
		done.Go(func() {
			if i%5 < 3 { // of five browsers three have opened the page, one opens it now, and one never does
				note(c.does(ctx, act{browser: i}))
			}
			ready.Done()
			<-start
			if i == 0 {
				done.Go(func() { note(c.does(ctx, act{browser: i, press: true})) })
			}
			if i%5 == 3 {
				note(c.does(ctx, act{browser: i}))
			}
			note(c.does(ctx, act{browser: i, press: true}))
		})
	}
	ready.Wait()
	close(start)
	done.Wait()
	var again sync.WaitGroup
	for i := range browsers {
		again.Go(func() { note(c.does(ctx, act{browser: i})) })
	}
	again.Wait()
	won := map[int]bool{}
	for _, op := range c.history {
		if op.Output == sawOpen {
			won[op.Input.(act).browser] = true
		}
	}
	return len(won), problem
}

// does lets a browser look or press, at any process, and notes what it saw and when.
func (c *crowd) does(ctx context.Context, a act) error {
	method := http.MethodGet
	if a.press {
		method = http.MethodPost
	}
	there, err := url.Parse(c.link)
	if err != nil {
		return err
	}
	there.Host = c.addrs[rand.IntN(len(c.addrs))]
	req, err := http.NewRequestWithContext(ctx, method, there.String(), nil)
	if err != nil {
		return err
	}
	req.Header.Set("X-Forwarded-For", fmt.Sprintf("10.%d.%d.%d", c.person.index>>8&255, c.person.index&255, a.browser))
	browser := &http.Client{Jar: c.jars[a.browser], Timeout: 30 * time.Second, Transport: pages,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	called := time.Since(c.began)
	res, err := browser.Do(req)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(res.Body)
	res.Body.Close()
	returned := time.Since(c.began)
	if err != nil {
		return err
	}
	var saw sight
	page := string(body)
	switch {
	case res.StatusCode == http.StatusSeeOther, res.StatusCode == http.StatusOK && strings.Contains(page, unlocked):
		saw = sawOpen // pressing leads to the page that says so
	case res.StatusCode == http.StatusOK && strings.Contains(page, "Desbloquear"):
		saw = sawButton
	case res.StatusCode == http.StatusGone && strings.Contains(page, "ya se usó"):
		saw = sawUsed
	default:
		return fmt.Errorf("%s of the link: status %d", method, res.StatusCode)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.history = append(c.history, porcupine.Operation{
		ClientId: a.browser, Input: a, Output: saw, Call: int64(called), Return: int64(returned),
	})
	return nil
}

// nonce is the part of the cookie by which a browser is known again.
func (c *crowd) nonce(browser int) string {
	at := &url.URL{Scheme: "http", Host: c.addrs[0], Path: "/"}
	for _, cookie := range c.jars[browser].Cookies(at) {
		if strings.HasSuffix(cookie.Name, "llave-navegador") {
			nonce, _, _ := strings.Cut(cookie.Value, ".") // what follows only chooses words
			return nonce
		}
	}
	return ""
}
