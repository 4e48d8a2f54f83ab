package metrics_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"llave/internal/metrics"
)

func page(t *testing.T, m *metrics.Metrics) string {
	t.Helper()
	got := httptest.NewRecorder()
	m.Handler().ServeHTTP(got, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if got.Code != http.StatusOK {
		t.Fatalf("status: got %d, want 200: %s", got.Code, got.Body)
	}
	return got.Body.String()
}

func TestMetrics_fetched(t *testing.T) {
	m := metrics.New(metrics.Build{Version: "1.2", Revision: "abc", GoVersion: "go1"})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 25 {
				m.Turn("telegram", "SaidHello", "committed", 2*time.Millisecond, time.Millisecond)
			}
		})
	}
	all.Wait()
	m.Report("gmail.com", "bad")
	m.Job("sweep", true, 2*time.Second)
	m.Expect(metrics.Expected{Stages: []string{"started"}, Promises: []string{"link"}})
	m.Watch(func(context.Context) metrics.Now {
		return metrics.Now{
			StoreUp: true, Queue: &metrics.Queue{Length: 3, Longest: 90 * time.Second},
			Trouble: map[string]time.Time{"mail": time.Unix(1000, 0), "telegram": {}},
			Outbox:  map[string]metrics.Owed{"chat": {Promises: 2, Oldest: 5 * time.Second}},
		}
	})
	body := page(t, m)
	for _, want := range []string{
		`llave_turns_total{channel="telegram",event="SaidHello",result="committed"} 200`,
		`llave_turn_step_duration_seconds_bucket{channel="telegram",le="0.0025"} 200`,
		`llave_turn_commit_duration_seconds_count{channel="telegram"} 200`,
		`llave_mail_reports_total{domain="gmail.com",outcome="bad"} 1`,
		`llave_job_last_duration_seconds{job="sweep"} 2`,
		`llave_funnel_total{stage="started"} 0`,
		`llave_promises_total{kind="link",result="given_up"} 0`,
		`llave_trouble{part="mail"} 1`, `llave_trouble{part="telegram"} 0`,
		`llave_trouble_since_timestamp_seconds{part="mail"} 1000`,
		`llave_outbox_promises{lane="chat"} 2`, `llave_outbox_oldest_age_seconds{lane="chat"} 5`,
		`llave_handoff_queue_length 3`, `llave_handoff_longest_wait_seconds 90`, `llave_store_up 1`,
		`llave_build_info{goversion="go1",revision="abc",version="1.2"} 1`,
	} {
		if !strings.Contains(body, want+"\n") {
			t.Errorf("got no line %q in:\n%s", want, body)
		}
	}
	if !strings.Contains(body, "\ngo_goroutines ") {
		t.Error("the runtime's own figures are not there")
	}
}

// Who does not know what the store owes says so, and gives no figure of it.
func TestMetrics_storeAway(t *testing.T) {
	m := metrics.New(metrics.Build{})
	m.Watch(func(context.Context) metrics.Now { return metrics.Now{Trouble: map[string]time.Time{"mail": {}}} })
	body := page(t, m)
	if !strings.Contains(body, "\nllave_store_up 0\n") {
		t.Error("the store is not said to be away")
	}
	for _, unknown := range []string{"\nllave_outbox_promises{", "\nllave_handoff_queue_length "} {
		if strings.Contains(body, unknown) {
			t.Errorf("a figure is made up: %s", unknown)
		}
	}
}

// Names are as Prometheus' conventions have them: what only grows ends in _total, and a measure in its unit.
func TestMetrics_names(t *testing.T) {
	m := metrics.New(metrics.Build{})
	m.Watch(func(context.Context) metrics.Now { return metrics.Now{} })
	name := regexp.MustCompile(`^llave_[a-z]+(_[a-z]+)*$`)
	personal := regexp.MustCompile(`(?i)number|chat|conv|mail_?address|person|token|login|user`)
	for _, f := range m.Families() {
		total := strings.HasSuffix(f.Name, "_total")
		if !name.MatchString(f.Name) || total != (f.Type == "counter") {
			t.Errorf("%s is a %s", f.Name, f.Type)
		}
		if f.Type == "histogram" && !strings.HasSuffix(f.Name, "_seconds") && f.Name != "llave_meaning_confidence" {
			t.Errorf("%s has no unit", f.Name)
		}
		if f.Help == "" || !strings.HasSuffix(f.Help, ".") {
			t.Errorf("%s is not explained: %q", f.Name, f.Help)
		}
		for _, l := range f.Labels {
			if personal.MatchString(l) {
				t.Errorf("%s has a label of somebody: %s", f.Name, l)
			}
		}
	}
}

// Two sets in one process do not meet: tests and the demo start several.
func TestNew_twice(t *testing.T) {
	one, other := metrics.New(metrics.Build{}), metrics.New(metrics.Build{})
	one.Reached("here")
	if strings.Contains(page(t, other), `stage="here"`) {
		t.Error("got the other set's count")
	}
}
