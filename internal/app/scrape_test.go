package app_test

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"llave/internal/app"
	"llave/internal/bottest"
	"llave/internal/bottest/world"
	"llave/internal/store"
	"llave/internal/store/storetest"
)

// A store that answers is up, also where one figure cannot be read: that one is left out, and the others are there.
func TestScrape_oneFigureAway(t *testing.T) {
	w := newSteered(t, nil)
	w.Say("hola")
	w.Settle()
	w.fails(func(c storetest.Call) bool { return c.Collection == store.Unlocks && !c.Write })
	now := scrape(t, w.App)
	w.steer(nil)
	if now.of("llave_store_up") != 1 {
		t.Error("the store is said to be away")
	}
	for name, want := range map[string]bool{
		"llave_handoff_queue_length": true, "llave_handoff_longest_wait_seconds": true, "llave_events_dead": true,
		`llave_outbox_promises{lane="chat"}`: false, `llave_outbox_oldest_age_seconds{lane="chat"}`: false,
	} {
		if _, there := now[name]; there != want {
			t.Errorf("%s is there: %t, want %t", name, there, want)
		}
	}
}

// fell has the next n writes of a conversation come to something else.
func (s *steered) fell(n int, err error) {
	var left atomic.Int64
	left.Store(int64(n))
	s.steer(func(c storetest.Call, do func() error) error {
		if c.Collection == store.Conversations && c.Write && left.Add(-1) >= 0 {
			return err
		}
		return do()
	})
}

// A day in which everything happens that alerts and panels ask for: each metric of the program says so, and each label's value that
// deploy/ picks by is one of these.
func TestScrape_everything(t *testing.T) {
	r := newReceiver(t)
	w := newSteered(t, nil, "LLAVE_EVENTS_URL="+r.URL(), "LLAVE_EVENTS_SECRET="+eventsSecret)
	w.Agent("ana", false)
	writes := func(text string) { w.Say(text) }
	writes("hola")
	writes("1")
	w.fell(1, store.ErrConflict)
	writes("1")
	w.fell(2, errAway) // the platform sends it again
	w.Phone.Say(world.Chat, theirs)
	for until := time.Now().Add(20 * time.Second); w.Phone.Pending() > 0 && time.Now().Before(until); {
		time.Sleep(10 * time.Millisecond)
	}
	w.Settle()
	w.steer(nil)
	w.Later(10 * time.Second)
	writes("1")
	w.API.Fail("sendMessage", 1, bottest.BotFault{Code: 502})
	writes("1")
	w.API.Fail("sendMessage", 1, bottest.BotFault{Code: 413})
	writes("xyzzy plugh frotz")
	w.Later(time.Minute)
	link, notMe, unknown := w.Link(false), w.Link(true), 0
	w.SMTP.RefuseRcpt("uno@correo.example", bottest.SMTPFault{Code: 550, Enhanced: "5.1.1", Text: "no such user"})
	w.Get(w.Browser, link)
	w.Post(w.Browser, link, nil)
	w.Settle()
	w.Post(world.NewBrowser(t), link, nil)
	w.makesKey(t, w.Browser, "caballo azul con tres lunas")
	w.Post(w.Browser, notMe, nil)
	w.Settle()
	limited := 0
	for range 15 {
		switch status, _ := w.Get(w.Browser, w.URL("/desbloqueo/"+strings.Repeat("A", 60))); status {
		case http.StatusTooManyRequests:
			limited++
		case http.StatusNotFound:
			unknown++
		}
	}
	writes("persona")
	w.Later(time.Second)

	now := scrape(t, w.App)
	tg := `channel="telegram"`
	for _, c := range []struct {
		metric string
		labels []string
		want   int
	}{
		{"llave_turn_conflicts_total", []string{tg}, 1},
		{"llave_turns_total", []string{tg, `result="failed"`}, 2},
		{"llave_send_errors_total", []string{tg, `kind="temporary"`}, 1},
		{"llave_send_errors_total", []string{tg, `kind="permanent"`}, 1},
		{"llave_promises_total", []string{`kind="say"`, `result="given_up"`}, 1},
		{"llave_promises_total", []string{`kind="say"`, `result="temporary"`}, 1},
		{"llave_reply_duration_seconds_count", []string{tg}, now.of("llave_promises_total", `kind="say"`, `result="kept"`)},
		{"llave_store_errors_total", []string{`operation="replace"`}, 2},
		{"llave_link_pages_total", []string{`outcome="shown"`}, 1},
		{"llave_link_pages_total", []string{`outcome="used"`}, 1},
		{"llave_link_pages_total", []string{`outcome="used_by_other"`}, 1},
		{"llave_link_pages_total", []string{`outcome="key_made"`}, 1},
		{"llave_link_pages_total", []string{`outcome="not_me"`}, 1},
		{"llave_link_pages_total", []string{`outcome="unknown"`}, unknown},
		{"llave_link_pages_total", []string{`outcome="limited"`}, limited},
		{"llave_limits_met_total", []string{`limit="wrong_links"`}, limited},
		{"llave_http_requests_total", []string{`route="GET /desbloqueo/{token}"`, `code="404"`}, unknown},
		{"llave_http_requests_total", []string{`route="GET /desbloqueo/{token}"`, `code="429"`}, limited},
		{"llave_handoff_queue_length", nil, 1},
		{"llave_events_dead", nil, 0},
	} {
		if got := now.of(c.metric, c.labels...); got != c.want {
			t.Errorf("%s %v is %d, want %d", c.metric, c.labels, got, c.want)
		}
	}
	if limited == 0 || unknown == 0 {
		t.Errorf("%d wrong links were limited, %d not", limited, unknown)
	}
	for _, grown := range []string{
		`llave_turn_step_duration_seconds_count{channel="telegram"}`, `llave_turn_commit_duration_seconds_count{channel="telegram"}`,
		`llave_promise_keep_duration_seconds_count{kind="say"}`, `llave_promise_keep_duration_seconds_count{kind="link"}`,
		`llave_channel_events_total{channel="telegram",event="keyboard_removed"}`, `llave_meaning_confidence_count{state="MenuMain"}`,
		`llave_store_operation_duration_seconds_count{operation="get"}`, `llave_store_operation_duration_seconds_count{operation="insert"}`,
		`llave_store_operation_duration_seconds_count{operation="replace"}`, `llave_store_operation_duration_seconds_count{operation="scan"}`,
	} {
		name, label, _ := strings.Cut(strings.TrimSuffix(grown, "}"), "{")
		if strings.HasPrefix(name, "llave_meaning") {
			label = ""
		}
		if now.of(name, strings.Split(label, ",")...) == 0 {
			t.Errorf("%s has not grown", grown)
		}
	}
	turns := now.of("llave_turns_total", tg, `result="committed"`)
	if commits := now.of("llave_turn_commit_duration_seconds_count", tg); commits < 8 || commits > turns+3 {
		t.Errorf("%d commits are timed, with %d turns committed, one in conflict and two failed", commits, turns)
	}
	wantPicked(t, now)
}

// wantPicked has each label's value by which deploy/ picks be one that is scraped.
func wantPicked(t *testing.T, now scraped) {
	t.Helper()
	picked := 0
	for _, file := range []string{"alerts.yaml", "dashboard.json"} {
		raw, err := os.ReadFile("../../deploy/" + file)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(string(raw), `\"`, `"`)
		for _, series := range regexp.MustCompile(`\b(llave_\w+)\{([^}]*)\}`).FindAllStringSubmatch(text, -1) {
			for _, m := range regexp.MustCompile(`(\w+)(?:=~|!~|!=|=)"([^"]*)"`).FindAllStringSubmatch(series[2], -1) {
				for value := range strings.SplitSeq(m[2], "|") {
					picked++
					label := fmt.Sprintf("%s=%q", m[1], value)
					if !slices.ContainsFunc(slices.Collect(maps.Keys(now)), func(name string) bool {
						return strings.HasPrefix(name, series[1]+"{") && strings.Contains(name, label)
					}) {
						t.Errorf("%s picks %s by %s, which the program never says", file, series[1], label)
					}
				}
			}
		}
	}
	if picked < 20 {
		t.Errorf("only %d values are picked by: this test sees too little", picked)
	}
}

// Periodic work in a process that runs: its runs are counted by how they ended, and a job that has not ended well counts from the start.
func TestScrape_jobs(t *testing.T) {
	t.Parallel()
	w := newSteered(t, nil)
	begin := scrape(t, w.App)
	for _, job := range []string{"purge-links", "sweep", "desk", "unheard", "retention"} {
		name := fmt.Sprintf("llave_job_last_success_timestamp_seconds{job=%q}", job)
		if at := time.Unix(int64(begin[name]), 0); time.Since(at) > time.Minute {
			t.Errorf("%s ended well %v, want it to count from the start", job, at)
		}
		if _, there := begin[fmt.Sprintf("llave_job_runs_total{job=%q,result=\"failed\"}", job)]; !there {
			t.Errorf("failed runs of %s are not there before the first", job)
		}
	}

	var away atomic.Bool
	e := storetest.Around(storetest.Bolt(t, nil), func(c storetest.Call, do func() error) error {
		if away.Load() && c.Collection == store.Conversations && !c.Write {
			return errAway
		}
		return do()
	})
	a := startOver(t, app.Options{Engine: e})
	defer http.DefaultClient.CloseIdleConnections()
	defer stop(t, a)
	away.Store(true)
	for until, result := time.Now().Add(40*time.Second), "failed"; ; time.Sleep(100 * time.Millisecond) {
		now := scrape(t, a)
		if now.of("llave_job_runs_total", `job="desk"`, fmt.Sprintf("result=%q", result)) == 0 {
			if time.Now().After(until) {
				t.Fatalf("no run of the desk's job is counted as %s", result)
			}
			continue
		}
		_, took := now[`llave_job_last_duration_seconds{job="desk"}`]
		if !took || now.of("llave_job_last_run_timestamp_seconds", `job="desk"`) == 0 {
			t.Error("when it ran, and for how long, is not there")
		}
		if result == "ok" {
			break
		}
		away.Store(false)
		result = "ok"
	}
}
