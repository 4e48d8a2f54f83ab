// Package metrics counts what happens, in a registry of its own that Prometheus scrapes.
//
// Counters and histograms are of this process since its start. What is true of the store as a whole (what is owed, who waits) is
// asked of it when somebody scrapes, so it is the same from every process: take the largest, not the sum. Names follow
// Prometheus' conventions: a unit at the end, _total for what only grows. Labels are constants of the code, or come from one of
// its tables, so there are few of them, and none holds an address, a number, a chat or a token.
package metrics

import (
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics is one process's counts. It is safe for use by many goroutines.
type Metrics struct {
	registry *prometheus.Registry
	families []Family

	turns, flowFaults, attachments, sentences, conflicts *prometheus.CounterVec
	step, commit, confidence                             *prometheus.HistogramVec
	funnel, left, limits                                 *prometheus.CounterVec

	promises    *prometheus.CounterVec
	keep, reply *prometheus.HistogramVec

	letters, reports           *prometheus.CounterVec
	linksMade, linksEnded      *prometheus.CounterVec
	linkStep                   *prometheus.HistogramVec
	linkPages                  *prometheus.CounterVec
	updates, sent, sendErrors  *prometheus.CounterVec
	channelEvents              *prometheus.CounterVec
	webhook                    *prometheus.HistogramVec
	requests                   *prometheus.CounterVec
	storeTook                  *prometheus.HistogramVec
	storeErrors                *prometheus.CounterVec
	jobRuns                    *prometheus.CounterVec
	jobRun, jobSuccess, jobFor *prometheus.GaugeVec
}

// Family is a metric that there is: its name, its type as Prometheus calls it, and its labels.
type Family struct {
	Name, Type, Help string
	Labels           []string
}

// Build is what the program was built from.
type Build struct{ Version, Revision, GoVersion string }

// Buckets, in seconds, each from what is quick for it to what is a fault.
var (
	quick  = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5}
	medium = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
	slow   = []float64{.05, .1, .25, .5, 1, 2, 3, 5, 10, 20, 30, 60, 120, 300}
	human  = []float64{.25, 1, 5, 10, 20, 30, 60, 90, 120, 180, 240, 300, 450, 600}
	share  = []float64{.1, .2, .25, .3, .4, .5, .6, .65, .7, .8, .9, .95, .99, 1}
)

// New makes an empty set, with the runtime's and the process's own figures.
func New(b Build) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	m.turns = m.counter("llave_turns_total", "Updates that were stepped: by channel, what they meant, and what became of the turn (committed, repeat, failed).", "channel", "event", "result")
	m.conflicts = m.counter("llave_turn_conflicts_total", "Times a turn was stepped again because another process had written the conversation meanwhile.", "channel")
	m.flowFaults = m.counter("llave_flow_faults_total", "Updates for which the flow had no answer: the person was asked again.")
	m.attachments = m.counter("llave_attachments_total", "What people sent that is more than words, by what it is.", "channel", "thing")
	m.step = m.histogram("llave_turn_step_duration_seconds", "How long it took to work out the answer to an update.", quick, "channel")
	m.commit = m.histogram("llave_turn_commit_duration_seconds", "How long the one write of a turn took.", quick, "channel")
	m.sentences = m.counter("llave_sentences_total", "What people wrote, by the place where they did and how far it was understood (acts, asks, missed).", "state", "result")
	m.confidence = m.histogram("llave_meaning_confidence", "Confidence of the likeliest meaning of what was read for one, by the place.", share, "state")
	m.funnel = m.counter("llave_funnel_total", "Visits that came to a stage of the procedure, each once.", "stage")
	m.left = m.counter("llave_funnel_left_total", "Visits that ended short of the last stage: the last one reached, and why.", "stage", "reason")
	m.limits = m.counter("llave_limits_met_total", "Times somebody met a limit.", "limit")

	m.promises = m.counter("llave_promises_total", "What became of what was owed to the outside: kept, a failed try, or dropped.", "kind", "result")
	m.keep = m.histogram("llave_promise_keep_duration_seconds", "How long a try at keeping a promise took.", slow, "kind")
	m.reply = m.histogram("llave_reply_duration_seconds", "From the turn that owed a message until the platform took it; the moment that a reply waits for more pieces of a sentence is part of it.", slow, "channel")

	m.letters = m.counter("llave_letters_total", "Letters by what they are and what the mail server said: accepted, refused, temporary. A decoy is a question whether the server is there.", "kind", "result")
	m.reports = m.counter("llave_mail_reports_total", "Delivery reports of letters that the mail server had accepted, by the mailbox's domain and what they said.", "domain", "outcome")
	m.linksMade = m.counter("llave_links_made_total", "Links that were asked for, each once.", "kind")
	m.linksEnded = m.counter("llave_links_ended_total", "Links that ended, each once: used, expired, replaced, refused, disowned.", "kind", "end")
	m.linkStep = m.histogram("llave_link_step_duration_seconds", "From asking to the mail server's acceptance (accepted), from there to the press (pressed), from there to the new key (key).", human, "step")
	m.linkPages = m.counter("llave_link_pages_total", "What became of visits to the pages of links and keys.", "outcome")

	m.updates = m.counter("llave_channel_updates_total", "What came from a platform: handled, ignored, malformed, failed, refused (not signed), no_room.", "channel", "result")
	m.sent = m.counter("llave_messages_sent_total", "Messages that a platform took.", "channel")
	m.sendErrors = m.counter("llave_send_errors_total", "Messages that a platform did not take, each try: temporary, throttled, gone, permanent, closed.", "channel", "kind")
	m.channelEvents = m.counter("llave_channel_events_total", "What else happened between a platform and us.", "channel", "event")
	m.webhook = m.histogram("llave_webhook_duration_seconds", "How long a platform waited for the answer to a webhook.", medium, "channel", "code")
	m.requests = m.counter("llave_http_requests_total", "Requests to the public listener, by route and status.", "route", "code")

	m.storeTook = m.histogram("llave_store_operation_duration_seconds", "How long the store took, by operation.", quick, "operation")
	m.storeErrors = m.counter("llave_store_errors_total", "Operations that the store did not do; a conflict, or what is not there, is no error.", "operation")
	m.jobRuns = m.counter("llave_job_runs_total", "Runs of periodic work in this process, ok or failed.", "job", "result")
	m.jobRun = m.gauge("llave_job_last_run_timestamp_seconds", "When periodic work ended last in this process.", "job")
	m.jobSuccess = m.gauge("llave_job_last_success_timestamp_seconds", "When it ended well last in this process; until it has, when the process started.", "job")
	m.jobFor = m.gauge("llave_job_last_duration_seconds", "How long it took.", "job")
	m.gauge("llave_build_info", "1, with what the program was built from.", "version", "revision", "goversion").
		WithLabelValues(b.Version, b.Revision, b.GoVersion).Set(1)
	m.flowFaults.WithLabelValues()
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *Metrics) note(name, kind, help string, labels []string) {
	m.families = append(m.families, Family{name, kind, help, labels})
}

func (m *Metrics) counter(name, help string, labels ...string) *prometheus.CounterVec {
	m.note(name, "counter", help, labels)
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	m.registry.MustRegister(v)
	return v
}

func (m *Metrics) gauge(name, help string, labels ...string) *prometheus.GaugeVec {
	m.note(name, "gauge", help, labels)
	v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	m.registry.MustRegister(v)
	return v
}

func (m *Metrics) histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	m.note(name, "histogram", help, labels)
	v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
	m.registry.MustRegister(v)
	return v
}

// Families are the metrics of ours that there are, whether or not something was counted yet.
func (m *Metrics) Families() []Family { return slices.Clone(m.families) }

// Handler answers GET /metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}

// Expect has rows be there from the start, so that the first of something is seen as a change.
func (m *Metrics) Expect(e Expected) {
	for _, stage := range e.Stages {
		m.funnel.WithLabelValues(stage)
	}
	for _, kind := range e.Promises {
		for _, result := range []string{"kept", "given_up"} {
			m.promises.WithLabelValues(kind, result)
		}
	}
	for _, limit := range e.Limits {
		m.limits.WithLabelValues(limit)
	}
	for _, channel := range e.Channels {
		m.sent.WithLabelValues(channel)
		for _, result := range []string{"handled", "failed", "refused"} {
			m.updates.WithLabelValues(channel, result)
		}
		for _, kind := range []string{"temporary", "throttled", "gone", "permanent"} {
			m.sendErrors.WithLabelValues(channel, kind)
		}
	}
	for _, job := range e.Jobs {
		m.jobRuns.WithLabelValues(job, "ok")
		m.jobRuns.WithLabelValues(job, "failed")
		m.jobSuccess.WithLabelValues(job).SetToCurrentTime() // else one that never ends well would never be missed
	}
	for _, outcome := range e.Pages {
		m.linkPages.WithLabelValues(outcome)
	}
	for _, kind := range e.Links {
		for _, end := range Ends {
			m.linksEnded.WithLabelValues(kind, end)
		}
	}
	for _, operation := range e.Operations {
		m.storeErrors.WithLabelValues(operation)
	}
}

// Expected are labels that there will be.
type Expected struct{ Stages, Promises, Limits, Channels, Jobs, Operations, Pages, Links []string }

// Ends are how links end.
var Ends = []string{"used", "expired", "replaced", "refused", "disowned"}

// Turn counts a turn, and how long its parts took where they were measured.
func (m *Metrics) Turn(channel, event, result string, step, commit time.Duration) {
	m.turns.WithLabelValues(channel, event, result).Inc()
	if step > 0 {
		m.step.WithLabelValues(channel).Observe(step.Seconds())
	}
	if commit > 0 {
		m.commit.WithLabelValues(channel).Observe(commit.Seconds())
	}
}

// Conflict counts a turn that is stepped again.
func (m *Metrics) Conflict(channel string) { m.conflicts.WithLabelValues(channel).Inc() }

// FlowFault counts an update for which the flow had no answer.
func (m *Metrics) FlowFault() { m.flowFaults.WithLabelValues().Inc() }

// Attachment counts something that is more than words.
func (m *Metrics) Attachment(channel, thing string) {
	m.attachments.WithLabelValues(channel, thing).Inc()
}

// Sentence counts what somebody wrote; confidence is zero where it was not read for its meaning.
func (m *Metrics) Sentence(state, result string, confidence float64) {
	m.sentences.WithLabelValues(state, result).Inc()
	if confidence > 0 {
		m.confidence.WithLabelValues(state).Observe(confidence)
	}
}

// Reached counts a stage of a visit.
func (m *Metrics) Reached(stage string) { m.funnel.WithLabelValues(stage).Inc() }

// Left counts the end of a visit.
func (m *Metrics) Left(stage, reason string) { m.left.WithLabelValues(stage, reason).Inc() }

// Limit counts that somebody met a limit.
func (m *Metrics) Limit(limit string) { m.limits.WithLabelValues(limit).Inc() }

// Promise counts what became of a promise; took is zero where nothing was tried.
func (m *Metrics) Promise(kind, result string, took time.Duration) {
	m.promises.WithLabelValues(kind, result).Inc()
	if took > 0 {
		m.keep.WithLabelValues(kind).Observe(took.Seconds())
	}
}

// Reply is how long a message was owed.
func (m *Metrics) Reply(channel string, owed time.Duration) {
	m.reply.WithLabelValues(channel).Observe(owed.Seconds())
}

// Letter counts what became of a letter.
func (m *Metrics) Letter(kind, result string) { m.letters.WithLabelValues(kind, result).Inc() }

// Report counts a delivery report.
func (m *Metrics) Report(domain, outcome string) { m.reports.WithLabelValues(domain, outcome).Inc() }

// LinkMade counts a link.
func (m *Metrics) LinkMade(kind string) { m.linksMade.WithLabelValues(kind).Inc() }

// LinkEnded counts its end.
func (m *Metrics) LinkEnded(kind, end string) { m.linksEnded.WithLabelValues(kind, end).Inc() }

// LinkStep is how long a link took from one step to the next; zero is not known.
func (m *Metrics) LinkStep(step string, took time.Duration) {
	if took > 0 {
		m.linkStep.WithLabelValues(step).Observe(took.Seconds())
	}
}

// LinkPage counts what became of a visit to the page of a link or of a key.
func (m *Metrics) LinkPage(outcome string) { m.linkPages.WithLabelValues(outcome).Inc() }

// Update counts what came from a platform.
func (m *Metrics) Update(channel, result string) { m.updates.WithLabelValues(channel, result).Inc() }

// Sent counts a message that a platform took.
func (m *Metrics) Sent(channel string) { m.sent.WithLabelValues(channel).Inc() }

// SendError counts one that it did not take.
func (m *Metrics) SendError(channel, kind string) { m.sendErrors.WithLabelValues(channel, kind).Inc() }

// ChannelEvent counts something else between a platform and us.
func (m *Metrics) ChannelEvent(channel, event string) {
	m.channelEvents.WithLabelValues(channel, event).Inc()
}

// Webhook is how long a platform waited for its answer.
func (m *Metrics) Webhook(channel, code string, took time.Duration) {
	m.webhook.WithLabelValues(channel, code).Observe(took.Seconds())
}

// Request counts a request.
func (m *Metrics) Request(route, code string) { m.requests.WithLabelValues(route, code).Inc() }

// Store is how long the store took, and whether it did what was asked.
func (m *Metrics) Store(operation string, took time.Duration, failed bool) {
	m.storeTook.WithLabelValues(operation).Observe(took.Seconds())
	if failed {
		m.storeErrors.WithLabelValues(operation).Inc()
	}
}

// Job notes a run of periodic work that ended now.
func (m *Metrics) Job(name string, ok bool, took time.Duration) {
	result := "failed"
	if ok {
		result = "ok"
		m.jobSuccess.WithLabelValues(name).SetToCurrentTime()
	}
	m.jobRuns.WithLabelValues(name, result).Inc()
	m.jobRun.WithLabelValues(name).SetToCurrentTime()
	m.jobFor.WithLabelValues(name).Set(took.Seconds())
}
