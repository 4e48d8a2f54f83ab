// Package metrics counts what happens, in a registry of its own that Prometheus scrapes.
//
// An event is counted by its name alone, a delivery report by its outcome and the domain, one of a few, beside it. Names are
// constants in the code, so there are few of them, and no label ever holds an address, a number or a token.
package metrics

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics is one process's counts. It is safe for use by many goroutines.
type Metrics struct {
	registry *prometheus.Registry
	events   *prometheus.CounterVec
	reports  *prometheus.CounterVec
}

// New makes an empty set, with the runtime's and the process's own figures.
func New() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "llave_events_total",
			Help: "What has happened in this process since it started, by name.",
		}, []string{"what"}),
		reports: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "llave_mail_reports_total",
			Help: "Delivery reports of letters that the mail server had accepted, by the mailbox's domain and what they said.",
		}, []string{"domain", "outcome"}),
	}
	m.registry.MustRegister(m.events, m.reports,
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Count adds one to llave_events_total{what}. [what] is a constant of the caller's.
func (m *Metrics) Count(what string) { m.events.WithLabelValues(what).Inc() }

// Report adds one to llave_mail_reports_total{domain,outcome}. Both are constants of the caller's.
func (m *Metrics) Report(domain, outcome string) { m.reports.WithLabelValues(domain, outcome).Inc() }

// Handler answers GET /metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}
