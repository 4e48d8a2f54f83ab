// Package metrics counts what happens, in a registry of its own that Prometheus scrapes.
//
// An event is counted by its name alone. Names are constants in the code, so there are few of them, and no label ever holds
// an address, a number or a token.
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
}

// New makes an empty set, with the runtime's and the process's own figures.
func New() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "llave_events_total",
			Help: "What has happened in this process since it started, by name.",
		}, []string{"what"}),
	}
	m.registry.MustRegister(m.events,
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Count adds one to llave_events_total{what}. [what] is a constant of the caller's.
func (m *Metrics) Count(what string) { m.events.WithLabelValues(what).Inc() }

// Handler answers GET /metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}
