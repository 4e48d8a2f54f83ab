package metrics

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Now is how things are when somebody asks.
type Now struct {
	Trouble        map[string]time.Time // since when, by part; zero: it is well
	LettersWaiting int
	StoreUp        bool
	ClockOffset    *time.Duration // how far this machine's clock is ahead of the store's; nil: not known

	// nil where the store has not said.
	Outbox     map[string]Owed // by lane
	Queue      *Queue
	DeadEvents *int64
}

// Queue is who waits for an agent.
type Queue struct {
	Length  int
	Longest time.Duration
}

// Owed is what one lane owes.
type Owed struct {
	Promises int
	Oldest   time.Duration
}

// How long the answer of one scrape serves the next, and how long it may take.
const (
	nowServes = 5 * time.Second
	nowWithin = 5 * time.Second
)

// now asks how things are when it is scraped.
type now struct {
	ask func(ctx context.Context) Now

	mu    sync.Mutex
	last  Now
	asked time.Time

	trouble, since, clock, waiting, up, promises, oldest, queue, wait, dead *prometheus.Desc
}

// Watch has the gauges of how things are asked for whenever somebody scrapes, a few seconds apart.
func (m *Metrics) Watch(ask func(ctx context.Context) Now) {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		m.note(name, "gauge", help, labels)
		return prometheus.NewDesc(name, help, labels, nil)
	}
	m.registry.MustRegister(&now{
		ask:      ask,
		trouble:  desc("llave_trouble", "1 while the mail server or a channel's platform does not serve us, as far as this process knows.", "part"),
		since:    desc("llave_trouble_since_timestamp_seconds", "When that began; 0 where there is none.", "part"),
		clock:    desc("llave_clock_offset_seconds", "How far this machine's clock is ahead of the store's; negative: behind."),
		waiting:  desc("llave_letters_waiting", "Letters that wait to be tried again, in this process."),
		up:       desc("llave_store_up", "1 while the store answers and can be written."),
		promises: desc("llave_outbox_promises", "What is owed to the outside, of the whole store, by lane; what waits for a person's next word is not counted.", "lane"),
		oldest:   desc("llave_outbox_oldest_age_seconds", "How long the oldest of it has been owed.", "lane"),
		queue:    desc("llave_handoff_queue_length", "People who wait for an agent, of the whole store."),
		wait:     desc("llave_handoff_longest_wait_seconds", "How long the one who has waited longest has."),
		dead:     desc("llave_events_dead", "Events that nobody took within a day, of the whole store, until they are sent again."),
	})
}

// Describe tells Prometheus' library what there is.
func (n *now) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{n.trouble, n.since, n.clock, n.waiting, n.up, n.promises, n.oldest, n.queue, n.wait, n.dead} {
		ch <- d
	}
}

// Collect asks, or says what it heard a moment ago.
func (n *now) Collect(ch chan<- prometheus.Metric) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if time.Since(n.asked) > nowServes {
		ctx, cancel := context.WithTimeout(context.Background(), nowWithin)
		defer cancel()
		n.last, n.asked = n.ask(ctx), time.Now()
	}
	put := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for part, since := range n.last.Trouble {
		ill, at := 0.0, 0.0
		if !since.IsZero() {
			ill, at = 1, float64(since.UnixMilli())/1000
		}
		put(n.trouble, ill, part)
		put(n.since, at, part)
	}
	if offset := n.last.ClockOffset; offset != nil {
		put(n.clock, offset.Seconds())
	}
	put(n.waiting, float64(n.last.LettersWaiting))
	up := 0.0
	if n.last.StoreUp {
		up = 1
	}
	put(n.up, up)
	for lane, owed := range n.last.Outbox {
		put(n.promises, float64(owed.Promises), lane)
		put(n.oldest, owed.Oldest.Seconds(), lane)
	}
	if q := n.last.Queue; q != nil {
		put(n.queue, float64(q.Length))
		put(n.wait, q.Longest.Seconds())
	}
	if dead := n.last.DeadEvents; dead != nil {
		put(n.dead, float64(*dead))
	}
}
