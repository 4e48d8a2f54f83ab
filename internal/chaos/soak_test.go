package chaos

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Half of the turns come from people who walk the road, seven turns each with the one that the link's button causes; half
// from regulars, who ask one thing after the other in a chat that is soon as full as a chat can be.
const (
	soakTurns   = 50 // a second
	roadTurns   = 7
	regulars    = 50
	regularChat = 5552000000 // the first one's chat
)

// remarks are what regulars say: each is answered by one bubble, in any state.
var remarks = []string{"ayuda", "menú", "estado", "repetir", "hola"}

// TestSoak holds a steady load for long. What a process holds on to must not grow with what it has done: the last fifth
// of the time is compared to the second, since pools, caches and the regulars' chats fill in the first. Once it is quiet,
// every goroutine and every file that the load needed must be gone again.
//
// A short run has not the time to say anything of memory; it judges what is left when it is quiet.
func TestSoak(t *testing.T) {
	onBoth(t, func(t *testing.T, k kind) {
		lasts, warming := sized(20*time.Second, 10*time.Minute), sized(3*time.Second, 20*time.Second)
		dep := newDeployment(t, k, "LLAVE_LIMIT_MESSAGES_MINUTE=1000")
		every := 2 * time.Second * roadTurns / soakTurns
		people := dep.populate(int((lasts+warming)/every) + 2)
		dep.start()
		warmers := people[:warming/every]

		dep.soak(t, warming, every, warmers)
		dep.hangUp(t)
		idle := dep.readings(t)
		t.Logf("idle, warmed: %s", describe(idle))

		watching, stop := context.WithCancel(t.Context())
		var samples [][]reading // of all processes, every second
		var watch sync.WaitGroup
		watch.Go(func() {
			tick := time.NewTicker(time.Second)
			defer tick.Stop()
			for {
				select {
				case <-watching.Done():
					return
				case <-tick.C:
					samples = append(samples, dep.readings(t))
				}
			}
		})
		began := time.Now()
		dep.soak(t, lasts, every, people[len(warmers):])
		took := time.Since(began)
		stop()
		watch.Wait()
		samples = samples[:min(len(samples), int(lasts.Seconds()))] // without the last people's way to the end
		t.Logf("%.1f turns/s over %v", (turnsIn(samples[len(samples)-1])-turnsIn(samples[0]))/float64(len(samples)-1), lasts)
		for i := range dep.fleet.instances {
			for _, figure := range soakFigures {
				figure.judge(t, i, samples, *full)
			}
		}

		dep.hangUp(t)
		for i := range idle {
			dep.returns(t, i, idle[i])
		}
		dep.hears(t)
		dep.end()
		dep.reconcile(t, took)
	})
}

// soak has people walk and regulars talk for a while, and waits for the last to come to the end.
func (dep *deployment) soak(t *testing.T, lasts, every time.Duration, people []*person) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), lasts)
	defer cancel()
	waiting, giveUp := context.WithTimeout(t.Context(), lasts+patience)
	defer giveUp()
	var talking sync.WaitGroup
	for i := range regulars {
		talking.Go(func() { dep.talk(ctx, i) })
	}
	dep.walk(ctx, waiting, people, every, *together)
	talking.Wait()
}

// talk is a regular who says something at a steady pace, whether or not there was an answer yet: the load must not
// slacken when the answers do.
func (dep *deployment) talk(ctx context.Context, i int) {
	pace := 2 * time.Second * regulars / soakTurns
	select { // not all at the same moment
	case <-ctx.Done():
		return
	case <-time.After(pace * time.Duration(i) / regulars):
	}
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for n := 0; ; n++ {
		dep.api.Say(regularChat+int64(i), remarks[n%len(remarks)])
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// hears fails the test where a regular was not answered once each time.
func (dep *deployment) hears(t *testing.T) {
	t.Helper()
	said, unanswered := 0, 0
	for i := range regulars {
		mine, answers := 0, 0
		dep.api.Wait(30*time.Second, func() bool {
			mine, answers = 0, 0
			for _, m := range dep.api.History(regularChat + int64(i)) {
				if m.Bot {
					answers++
				} else {
					mine++
				}
			}
			return answers >= mine
		})
		said += mine
		if answers != mine {
			unanswered++
			t.Errorf("regular %d: %d messages, %d answers", i, mine, answers)
		}
	}
	t.Logf("%d remarks of %d regulars, %d chats without exactly one answer to each", said, regulars, unanswered)
}

// hangUp waits until nothing is said any more and closes every connection of the outside world, as its peers would by and
// by, so that a process at rest holds only its own.
func (dep *deployment) hangUp(t *testing.T) {
	t.Helper()
	for last, since := -1, time.Now(); time.Since(since) < 2*time.Second; time.Sleep(200 * time.Millisecond) {
		if n := len(dep.api.Calls("")) + len(dep.smtp.Attempts()) + dep.api.Pending(); n != last {
			last, since = n, time.Now()
		}
	}
	dep.front.client.CloseIdleConnections()
	pages.CloseIdleConnections()
	dep.api.Down()
	dep.smtp.Down()
	if err := dep.api.Up(); err != nil {
		t.Fatal(err)
	}
	if err := dep.smtp.Up(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second)
}

// reading is what one process holds at a moment.
type reading struct {
	turns                float64 // answered since it started
	goroutines, files    float64
	heap, resident, anon float64 // bytes; anon leaves out the database's file, which the embedded store maps into memory
}

func (r reading) String() string {
	return fmt.Sprintf("%.0f goroutines, %.0f files, heap %.1f MiB, resident %.1f MiB of which anonymous %.1f", r.goroutines, r.files, r.heap/mib, r.resident/mib, r.anon/mib)
}

func turnsIn(all []reading) (sum float64) {
	for _, r := range all {
		sum += r.turns
	}
	return sum
}

func describe(all []reading) string {
	parts := make([]string, 0, len(all))
	for _, r := range all {
		parts = append(parts, r.String())
	}
	return strings.Join(parts, " | ")
}

const mib = 1 << 20

// readings asks every process.
func (dep *deployment) readings(t *testing.T) []reading {
	t.Helper()
	out := make([]reading, 0, len(dep.fleet.instances))
	for _, p := range dep.fleet.instances {
		m, err := scrape(p.admin)
		if err != nil {
			t.Errorf("metrics: %v", err)
			m = map[string]float64{}
		}
		out = append(out, reading{
			turns:      sumOf(m, "llave_turns_total", `result="committed"`),
			goroutines: m["go_goroutines"], files: m["process_open_fds"],
			heap: m["go_memstats_heap_inuse_bytes"], resident: m["process_resident_memory_bytes"], anon: anonymous(p.process.Pid()),
		})
	}
	return out
}

// anonymous is a process's memory that is no file's, in bytes; 0 where the system does not say.
func anonymous(pid int) float64 {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			kib, _ := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 64)
			return kib * 1024
		}
	}
	return 0
}

// soakFigures are what is judged, and how much of a tenth's growth is forgiven beside: a figure that is small swings more
// than one that is large.
var soakFigures = []soakFigure{
	{"goroutines", "%.0f", 1, 20, func(r reading) float64 { return r.goroutines }},
	{"open files", "%.0f", 1, 10, func(r reading) float64 { return r.files }},
	{"heap in use, lowest of ten seconds", "%.1f MiB", mib, 4 * mib, func(r reading) float64 { return r.heap }},
	{"anonymous memory", "%.1f MiB", mib, 8 * mib, func(r reading) float64 { return r.anon }},
	{"resident memory", "%.1f MiB", mib, -1, func(r reading) float64 { return r.resident }},
}

type soakFigure struct {
	name, format string
	unit         float64
	slack        float64 // below zero: only printed, because the database's own growth is in it
	of           func(reading) float64
}

// judge compares the last fifth of a process's samples to the second.
func (f soakFigure) judge(t *testing.T, process int, samples [][]reading, strictly bool) {
	t.Helper()
	var values []float64
	for _, s := range samples {
		values = append(values, f.of(s[process]))
	}
	if strings.Contains(f.name, "lowest") { // what the collector leaves; what lies between two collections says nothing
		var lowest []float64
		for chunk := range slices.Chunk(values, 10) {
			lowest = append(lowest, slices.Min(chunk))
		}
		values = lowest
	}
	n := len(values)
	if n < 2 {
		return
	}
	early, last := median(values[n/5:max(2*n/5, n/5+1)]), median(values[4*n/5:])
	show := func(v float64) string { return fmt.Sprintf(f.format, v/f.unit) }
	t.Logf("process %d: %s: median of the second fifth %s, of the last %s, highest %s", process, f.name, show(early), show(last), show(slices.Max(values)))
	if strictly && f.slack >= 0 && last > early*1.1+f.slack {
		t.Errorf("process %d: %s grow: %s, then %s", process, f.name, show(early), show(last))
	}
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/2]
}

// returns waits for a process to hold no more than it did at rest. The store's pool lets go of what a burst has opened
// only when it was idle for a while, and keeps some: they are files, and have no goroutines of their own.
func (dep *deployment) returns(t *testing.T, process int, idle reading) {
	t.Helper()
	const within, goroutines, files = 90 * time.Second, 3, 12
	began := time.Now()
	for {
		now := dep.readings(t)[process]
		quiet := now.goroutines <= idle.goroutines+goroutines && now.files <= idle.files+files
		if quiet || time.Since(began) > within {
			t.Logf("process %d, quiet again after %v: %s", process, time.Since(began).Round(100*time.Millisecond), now)
			if !quiet {
				t.Errorf("process %d: something is left: %.0f goroutines at rest before, %.0f after; %.0f files before, %.0f after", process, idle.goroutines, now.goroutines, idle.files, now.files)
			}
			return
		}
		time.Sleep(500 * time.Millisecond)
	}
}

// count adds up what the processes have counted since each was started: of a metric, the series that have all those labels.
func (dep *deployment) count(metric string, labels ...string) float64 {
	sum := 0.0
	for _, p := range dep.fleet.instances {
		m, err := scrape(p.admin)
		if err != nil {
			dep.t.Errorf("metrics: %v", err)
		}
		sum += sumOf(m, metric, labels...)
	}
	return sum
}

// sumOf adds up the series of a metric that have all those labels, each as name="value".
func sumOf(series map[string]float64, metric string, labels ...string) (sum float64) {
	for name, n := range series {
		if !strings.HasPrefix(name, metric+"{") || slices.ContainsFunc(labels, func(l string) bool { return !strings.Contains(name, l) }) {
			continue
		}
		sum += n
	}
	return sum
}

// scrape reads a process's /metrics as Prometheus does, by series.
func scrape(admin string) (map[string]float64, error) {
	res, err := watcher.Get("http://" + admin + "/metrics")
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("/metrics answered %d", res.StatusCode)
	}
	out := map[string]float64{}
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		if series, value, ok := strings.Cut(lines.Text(), "} "); ok && !strings.HasPrefix(series, "#") {
			out[series+"}"], _ = strconv.ParseFloat(value, 64)
		} else if series, value, ok := strings.Cut(lines.Text(), " "); ok && series != "#" {
			out[series], _ = strconv.ParseFloat(value, 64)
		}
	}
	_, _ = io.Copy(io.Discard, res.Body) // so that the connection is used again
	return out, lines.Err()
}

// watcher is who asks for metrics. It keeps one connection to each process.
var watcher = &http.Client{Timeout: 10 * time.Second}
