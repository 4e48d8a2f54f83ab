package metrics_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"llave/internal/metrics"
)

func TestMetrics_fetched(t *testing.T) {
	m := metrics.New()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 25 {
				m.Count("turn.committed")
			}
		})
	}
	all.Wait()
	m.Count("turn.repeated")
	m.Report("gmail.com", "bad")

	got := httptest.NewRecorder()
	m.Handler().ServeHTTP(got, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if got.Code != http.StatusOK {
		t.Fatalf("status: got %d, want 200", got.Code)
	}
	for _, want := range []string{
		`llave_events_total{what="turn.committed"} 200`,
		`llave_events_total{what="turn.repeated"} 1`,
		`llave_mail_reports_total{domain="gmail.com",outcome="bad"} 1`,
		`go_goroutines `,
	} {
		if !strings.Contains(got.Body.String(), want+"\n") && !strings.Contains(got.Body.String(), "\n"+want) {
			t.Errorf("got no line %q in:\n%s", want, got.Body)
		}
	}
}

// Two sets in one process do not meet: tests and the demo start several.
func TestNew_twice(t *testing.T) {
	one, other := metrics.New(), metrics.New()
	one.Count("here")
	got := httptest.NewRecorder()
	other.Handler().ServeHTTP(got, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if strings.Contains(got.Body.String(), `what="here"`) {
		t.Error("got the other set's count")
	}
}
