package app_test

import (
	"fmt"
	"math"
	"net/http"
	"testing"
	"time"

	"llave/internal/affiliate"
	"llave/internal/bottest"
	"llave/internal/metrics"
)

// asks has the person ask for a link.
func (s *steered) asks() {
	for _, text := range []string{"hola", "1", "1", theirs, "1", "1"} {
		s.Say(text)
	}
}

// makesKey makes a key in the browser that pressed the button.
func (s *steered) makesKey(t *testing.T, browser *http.Client, key string) {
	t.Helper()
	if status, page := s.Post(browser, s.URL("/clave"), map[string][]string{"clave": {key}, "clave2": {key}}); status != http.StatusOK {
		t.Fatalf("the key page: %d %s", status, page)
	}
	s.Settle()
}

// From asking to the letter's acceptance, from there to the press, from there to the key: each is timed once, by the clock.
func TestLinks_timed(t *testing.T) {
	w := newSteered(t, nil)
	w.SMTP.Down()
	w.asks()
	asked := w.Now()
	w.Later(3 * time.Second)
	if err := w.SMTP.Up(); err != nil {
		t.Fatal(err)
	}
	for len(w.SMTP.Letters()) == 0 {
		w.Later(time.Second)
		if w.Now().Sub(asked) > 2*time.Minute {
			t.Fatal("no letter goes out")
		}
	}
	accepted := w.Now()
	w.Later(70 * time.Second)
	w.Post(w.Browser, w.Link(false), nil)
	w.Settle()
	w.Later(25 * time.Second)
	w.makesKey(t, w.Browser, "caballo azul con tres lunas")
	w.Later(time.Second)

	now := scrape(t, w.App)
	for step, want := range map[string]time.Duration{"accepted": accepted.Sub(asked), "pressed": 70 * time.Second, "key": 25 * time.Second} {
		sum, n := now[fmt.Sprintf("llave_link_step_duration_seconds_sum{step=%q}", step)], now.of("llave_link_step_duration_seconds_count", fmt.Sprintf("step=%q", step))
		slack := 0.001
		if step == "accepted" { // the person's last word may wait a moment for more of it
			slack = 5
		}
		if n != 1 || math.Abs(sum-want.Seconds()) > slack {
			t.Errorf("%d links are timed to %s, in %.3f s, want one in %v", n, step, sum, want)
		}
	}
}

// Each way in which a link ends is counted once, and under no other name.
func TestLinks_ends(t *testing.T) {
	for end, play := range map[string]func(t *testing.T, w *steered){
		"used":    func(t *testing.T, w *steered) { w.asks(); pressLink(t, w.World); pressLinkAgain(w) },
		"expired": func(t *testing.T, w *steered) { w.asks(); w.Later(4 * time.Minute); w.purge(t) },
		"replaced": func(t *testing.T, w *steered) {
			w.asks()
			rec, _, err := w.App.Store.Affiliates.Find(t.Context(), theirs)
			if err != nil {
				t.Fatal(err)
			}
			rec.Status = affiliate.Active
			if err := w.App.Store.Affiliates.Import(t.Context(), []affiliate.Record{rec}); err != nil {
				t.Fatal(err)
			}
			for _, text := range []string{"menú", "2", theirs, "1", "1"} {
				w.Say(text)
			}
		},
		"refused": func(_ *testing.T, w *steered) {
			w.SMTP.RefuseRcpt("uno@correo.example", bottest.SMTPFault{Code: 550, Enhanced: "5.1.1", Text: "no such user"})
			w.asks()
		},
		"disowned": func(_ *testing.T, w *steered) { w.asks(); w.Post(w.Browser, w.Link(true), nil) },
	} {
		t.Run(end, func(t *testing.T) {
			w := newSteered(t, nil)
			play(t, w)
			w.Settle()
			w.purge(t)
			now := scrape(t, w.App)
			for _, e := range metrics.Ends {
				want := 0
				if e == end {
					want = 1
				}
				if got := now.of("llave_links_ended_total", `kind="unlock"`, fmt.Sprintf("end=%q", e)); got != want {
					t.Errorf("%d are counted as %s, want %d", got, e, want)
				}
			}
			made := 1
			if end == "replaced" {
				made = 2
			}
			if n := now.of("llave_links_made_total"); n != made {
				t.Errorf("%d links are made, want %d", n, made)
			}
		})
	}
}

func pressLinkAgain(w *steered) { w.Post(w.Browser, w.Link(false), nil) }

func (s *steered) purge(t *testing.T) {
	t.Helper()
	if _, err := s.App.PurgeLinks(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// Who presses "No fui yo" again, or three times more, is one person; what is counted from is there before the first.
func TestLinks_disownedOnce(t *testing.T) {
	w := newSteered(t, nil)
	w.asks()
	const series = `llave_link_pages_total{outcome="not_me"}`
	if n, there := scrape(t, w.App)[series]; !there || n != 0 {
		t.Errorf("before anybody pressed it is %v, there: %t, want 0", n, there)
	}
	for range 4 {
		if status, _ := w.Post(w.Browser, w.Link(true), nil); status != http.StatusOK {
			t.Fatalf("No fui yo: %d", status)
		}
	}
	now := scrape(t, w.App)
	if first, again := now[series], now.of("llave_link_pages_total", `outcome="not_me_again"`); first != 1 || again != 3 {
		t.Errorf("four presses of one link count %v and %d again, want 1 and 3", first, again)
	}
}
