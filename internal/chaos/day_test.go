package chaos

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"llave/internal/affiliate"
	"llave/internal/bottest"
)

// What somebody does on the day, by their number.
type errand int

const (
	makesKey  errand = iota // the whole road, a new key, and in
	unlocks                 // the road's end, and silent then
	asksHelp                // asks for a person
	declines                // reads the first bubble, and does not want to
	wandersIn               // greets, and nothing more
	errands
)

// A key that no rule refuses.
const dayKey = "cuatro caballos pintan la luna"

// outageOfDay is how long the mail server takes no letters.
const outageOfDay = 12 * time.Second

// sampleEvery is how often the metrics are read; for the alert rules, which wait for minutes, each reading is [sampleIs] after the one before.
const (
	sampleEvery = 500 * time.Millisecond
	sampleIs    = 15 * time.Second
)

// TestDay plays a day: people of every sort on both channels, agents at the console, a mail server that takes no letters for a while, and
// nobody dies. When all is quiet the metrics of the processes, added up, must say just what the people did, what the stubs have seen and
// what lies in the store; and the alert of the mail server fires while it is away, and clears.
func TestDay(t *testing.T) {
	alongside(t)
	onBoth(t, func(t *testing.T, k kind) {
		if !*full {
			t.Parallel()
		}
		dep := newDeployment(t, k, "LLAVE_LINK_TTL=3m", "LLAVE_OFFICE_HOURS=mon-sun 00:00-24:00", "LLAVE_LIMIT_MESSAGES_MINUTE=1000")
		dep.byWhatsApp(byTelegram, byWhatsApp)
		d := dep.openDesk(t, 2)
		people := dep.populate(sized(40, 200))
		dep.start()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()

		watching, stopWatching := context.WithCancel(ctx)
		var watch sync.WaitGroup
		var seen mailTrouble
		watch.Go(func() { seen.watch(watching, dep) })
		helping, closeDesk := context.WithCancel(ctx)
		calm, stop := context.WithCancel(ctx)
		stop() // nothing is broken: nobody of the desk goes away
		var agents sync.WaitGroup
		for _, a := range d.agents {
			if err := a.SignIn(ctx, a.login, agentPassword); err != nil {
				t.Fatal(err)
			}
			agents.Go(func() { a.work(helping, calm) })
		}
		carry, stopCarrying := context.WithCancel(ctx)
		var post sync.WaitGroup
		post.Go(func() { dep.post.work(carry, dep.smtp) })
		var outage sync.WaitGroup
		outage.Go(func() {
			time.Sleep(6 * time.Second)
			dep.smtp.FailAlways(bottest.SMTPMail, bottest.SMTPFault{Code: 451, Enhanced: "4.3.0", Text: "Try again later"})
			time.Sleep(outageOfDay)
			dep.smtp.Heal()
		})

		var walkers sync.WaitGroup
		helped := make([]*caller, len(people))
		for i, p := range people {
			walkers.Go(func() {
				time.Sleep(time.Duration(i) * sized(300*time.Millisecond, 150*time.Millisecond))
				p.began = time.Now()
				switch errand(i) % errands {
				case makesKey:
					p.failed = p.walksToKey(ctx, dep)
				case unlocks:
					p.failed = p.walk(ctx, dep.phone(p), dep.post)
				case asksHelp:
					helped[i] = &caller{desk: d, person: p}
					p.failed = helped[i].talksOnce(ctx)
				case declines:
					p.failed = p.declines(ctx, dep.phone(p))
				case wandersIn:
					p.failed = p.reads(ctx, dep.phone(p), dep.phone(p).Say(p.chat, "hola"), road[0].want)
				}
			})
		}
		walkers.Wait()
		outage.Wait()
		for _, p := range people {
			if p.failed != nil {
				t.Fatalf("person %d: %v", p.index, p.failed)
			}
		}
		dep.settle(ctx)
		closeDesk()
		agents.Wait()
		stopCarrying()
		post.Wait()
		time.Sleep(4 * sampleEvery)
		stopWatching()
		watch.Wait()
		day := dep.scrape(t)
		dep.end()
		dep.adds(t, day, people)
		seen.alerts(t)
	})
}

// walksToKey goes the whole road in one browser, makes a key in it, and says in the chat that it opens the portal.
func (p *person) walksToKey(ctx context.Context, dep *deployment) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	browser := &http.Client{Jar: jar, Timeout: 30 * time.Second, Transport: pages}
	p.opening = func(ctx context.Context, link string) (int, error) {
		page, err := posts(ctx, browser, link, nil)
		if err != nil || !strings.Contains(page, unlocked) {
			return 0, fmt.Errorf("press: %w: %s", err, begin(page))
		}
		return 1, nil
	}
	api := dep.phone(p)
	if err := p.walk(ctx, api, dep.post); err != nil {
		return err
	}
	told := api.Say(p.chat, "estado") // what is said about the key comes behind it
	if _, err := posts(ctx, browser, dep.public+"/clave", url.Values{"clave": {dayKey}, "clave2": {dayKey}}); err != nil {
		return err
	}
	if err := p.reads(ctx, api, told, "Su clave nueva está lista"); err != nil {
		return err
	}
	return p.reads(ctx, api, api.Say(p.chat, "sí pude"), "¿Cómo le fue con este chat?")
}

// posts sends a form and returns the page that comes of it.
func posts(ctx context.Context, browser *http.Client, address string, form url.Values) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := browser.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	page, err := io.ReadAll(res.Body)
	return string(page), err
}

// declines reads what Llave is and does not go on.
func (p *person) declines(ctx context.Context, api phone) error {
	if err := p.reads(ctx, api, api.Say(p.chat, "hola"), road[0].want); err != nil {
		return err
	}
	last, err := api.Press(p.chat, "No continuar")
	if err != nil {
		return err
	}
	return p.reads(ctx, api, last, "")
}

// talksOnce goes to the menu, asks for a person, and talks until the case is over.
func (c *caller) talksOnce(ctx context.Context) error {
	api := c.desk.phone(c.person)
	if err := c.reads(ctx, api, api.Say(c.chat, "hola"), road[0].want); err != nil {
		return err
	}
	began := api.Say(c.chat, "persona")
	if err := c.reads(ctx, api, began, "Su caso es"); err != nil {
		return err
	}
	c.tells(api, thatIsAll)
	for c.over(api, began) == "" {
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for the end of the case: %w", ctx.Err())
		case <-time.After(200 * time.Millisecond):
		}
	}
	return nil
}

// samples are the values of metrics at a moment, each under its name and labels as they are written.
type samples map[string]float64

// scraped reads what a process says of itself.
func scraped(ctx context.Context, admin string) (samples, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+admin+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	all := samples{}
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		series, value, ok := cutLast(lines.Text())
		if !ok || strings.HasPrefix(series, "#") {
			continue
		}
		if all[series], err = strconv.ParseFloat(value, 64); err != nil {
			return nil, fmt.Errorf("%s: %w", series, err)
		}
	}
	return all, lines.Err()
}

// cutLast parts a line of the text form at its last blank.
func cutLast(line string) (series, value string, ok bool) {
	i := strings.LastIndexByte(line, ' ')
	if i < 0 {
		return "", "", false
	}
	return line[:i], line[i+1:], true
}

// scrape is what the processes say, added up.
func (dep *deployment) scrape(t *testing.T) samples {
	t.Helper()
	sum := samples{}
	for _, p := range dep.fleet.instances {
		all, err := scraped(t.Context(), p.admin)
		if err != nil {
			t.Fatal(err)
		}
		for series, value := range all {
			sum[series] += value
		}
	}
	return sum
}

// of adds up the series of a metric whose labels hold all of these.
func (s samples) of(name string, labels ...string) (sum float64) {
	for series, value := range s {
		if rest, ok := strings.CutPrefix(series, name); !ok || rest != "" && rest[0] != '{' {
			continue
		}
		if !slices.ContainsFunc(labels, func(l string) bool { return !strings.Contains(series, l) }) {
			sum += value
		}
	}
	return sum
}

// adds compares what the metrics say with what people did, what the stubs have seen, and what is in the store.
func (dep *deployment) adds(t *testing.T, day samples, people []*person) {
	t.Helper()
	s, vault := dep.openStore(t)
	did := map[errand]float64{}
	for i := range people {
		did[errand(i)%errands]++
	}
	walked := did[makesKey] + did[unlocks]
	same := func(what string, got, want float64) {
		t.Helper()
		t.Logf("%6.0f  %s", got, what)
		if got != want {
			t.Errorf("%s: the metrics say %v, want %v", what, got, want)
		}
	}

	for stage, want := range map[string]float64{
		"started": float64(len(people)), "number": walked, "eligible": walked, "letter": walked, "pressed": walked, "unlocked": walked,
		"generated": did[makesKey], "confirmed": did[makesKey],
	} {
		same("visits that came to "+stage, day.of("llave_funnel_total", `stage="`+stage+`"`), want)
	}
	same("visits that were declined", day.of("llave_funnel_left_total", `reason="declined"`), did[declines])
	same("visits that ended otherwise", day.of("llave_funnel_left_total"), did[declines])

	unlockedRecords, keys, cases := 0.0, 0.0, 0.0
	for i, p := range people {
		record, _, err := s.Affiliates.Find(t.Context(), p.number)
		if err != nil {
			t.Fatal(err)
		}
		if record.Status == affiliate.Active {
			unlockedRecords++
		}
		c, err := s.Conversations.Load(t.Context(), s.Book.Conv(p.conv))
		if err != nil {
			t.Fatal(err)
		}
		if n := owes(c); n > 0 {
			t.Errorf("person %d is owed %d things", p.index, n)
		}
		doc, err := s.Unlocks.Load(t.Context(), affiliate.Hash(vault, p.number))
		if err != nil {
			t.Fatal(err)
		}
		if doc.Key != "" {
			keys++
		}
		if n := len(doc.Promises); n > 0 {
			t.Errorf("the record of person %d owes %d things", p.index, n)
		}
		if errand(i)%errands == asksHelp {
			cases++
		}
	}
	same("records unlocked, in the store", day.of("llave_funnel_total", `stage="unlocked"`), unlockedRecords)
	same("new keys, in the store", day.of("llave_funnel_total", `stage="generated"`), keys)
	same("cases opened", day.of("llave_turns_total", `event="Queued"`, `result="committed"`), cases)
	same("links asked for", day.of("llave_links_made_total"), walked)
	same("links used", day.of("llave_links_ended_total", `end="used"`), walked)
	same("links that ended", day.of("llave_links_ended_total"), walked)

	letters := map[string]float64{}
	for _, l := range dep.smtp.Letters() {
		letters[l.Subject]++
	}
	same("letters with a link, that the mail server has", day.of("llave_letters_total", `kind="unlock"`, `result="accepted"`), letters[linkSubject])
	same("letters, that the mail server has", day.of("llave_letters_total", `result="accepted"`), float64(len(dep.smtp.Letters())))
	if n := day.of("llave_letters_total", `result="temporary"`); n == 0 {
		t.Error("no letter met the mail server's outage")
	}
	for _, by := range dep.ways {
		sent := 0
		for _, call := range dep.way(by).Calls("") {
			if call.Status == http.StatusOK && (call.Method == "sendMessage" || call.Method == "sendPhoto" || call.Method == "messages") {
				sent++
			}
		}
		same("messages on "+string(by)+", that its stub has", day.of("llave_messages_sent_total", `channel="`+string(by)+`"`), float64(sent))
	}
	same("people who wait for an agent", day.of("llave_handoff_queue_length"), 0)
	same("what is owed", day.of("llave_outbox_promises"), 0)
	same("conversation had no answer", day.of("llave_flow_faults_total"), 0)
	same("turns that failed", day.of("llave_turns_total", `result="failed"`), 0)
}

// mailTrouble is what was read of the mail server's gauge over the day, of each process.
type mailTrouble struct{ of [][]float64 }

// watch reads it until ctx ends.
func (w *mailTrouble) watch(ctx context.Context, dep *deployment) {
	w.of = make([][]float64, len(dep.fleet.instances))
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		for i, p := range dep.fleet.instances {
			all, err := scraped(ctx, p.admin)
			if err != nil {
				continue // the day is over
			}
			w.of[i] = append(w.of[i], all[`llave_trouble{part="mail"}`])
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// alerts plays what was read to Prometheus' rules: the alert fires while the mail server is away, and not at the end.
func (w *mailTrouble) alerts(t *testing.T) {
	t.Helper()
	last, n := -1, 0
	for _, values := range w.of {
		n = max(n, len(values))
		for i, v := range values {
			if v == 1 {
				last = max(last, i)
			}
		}
	}
	if last < 0 {
		t.Fatal("no process saw the mail server's outage")
	}
	if quiet := n - 1 - last; quiet < 3 {
		t.Fatalf("the outage is over for %d readings, want 3", quiet)
	}
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Log("SKIP: no promtool here (.ci/deps installs it): the alert rules were not asked")
		return
	}
	rules, err := filepath.Abs("../../deploy/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "rule_files: [%q]\nevaluation_interval: %v\ntests:\n- interval: %v\n  input_series:\n", rules, sampleIs, sampleIs)
	for i, values := range w.of {
		var said []string
		for _, v := range values {
			said = append(said, fmt.Sprint(v))
		}
		fmt.Fprintf(&b, "  - series: 'llave_trouble{part=\"mail\",job=\"llave\",instance=\"%d\"}'\n    values: '%s'\n", i, strings.Join(said, " "))
	}
	fmt.Fprintf(&b, `  alert_rule_test:
  - eval_time: %v
    alertname: LlaveMailTrouble
    exp_alerts:
    - exp_labels: {severity: critical}
      exp_annotations: {summary: "The mail server takes no letters.", runbook_url: "docs/runbook.md#llavemailtrouble"}
  - eval_time: %v
    alertname: LlaveMailTrouble
`, time.Duration(last)*sampleIs, time.Duration(n-1)*sampleIs)
	file := filepath.Join(t.TempDir(), "day.yaml")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), promtool, "test", "rules", file).CombinedOutput(); err != nil {
		t.Errorf("promtool: %v\n%s\n%s", err, out, b.String())
	}
}
