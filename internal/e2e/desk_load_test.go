package e2e

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"llave/internal/bottest"
	"llave/internal/handoff"
	"llave/internal/store/storetest"
)

var deskFor = flag.Duration("e2e.desk", 0, "how long people write to a full desk; docs/performance.md has 60s. 0: a moment, to a small one")

// deskLoad is the size of a desk under load.
type deskLoad struct {
	agents, each int           // conversations that each agent has
	rate         int           // messages of people in a second
	pause        time.Duration // of an agent before the next answer, on average
	lasts, idle  time.Duration
}

// TestDeskLoad is a desk at its busiest: every agent has conversations open, looks at one of them with the list beside it,
// and answers whoever has waited longest; people write at a steady rate, whether or not they are answered. Every message is
// seen by the agent who has the conversation, every answer comes once. How long it took from the message's webhook to the
// event in the agent's stream, and what it cost, is printed (-v), and fails nothing.
func TestDeskLoad(t *testing.T) {
	size := deskLoad{agents: 3, each: 3, rate: 15, pause: 300 * time.Millisecond, lasts: time.Second, idle: time.Millisecond}
	if *deskFor > 0 {
		size = deskLoad{agents: 20, each: 10, rate: 15, pause: 3 * time.Second, lasts: *deskFor, idle: 20 * time.Second}
	}
	t.Run("bolt", func(t *testing.T) { loadDesk(t, size, 1) })
	t.Run("MongoDB, the webhook and the agents in two processes", func(t *testing.T) {
		uri := storetest.MongoURI(t)
		loadDesk(t, size, 2, "LLAVE_MONGODB_URI="+uri, "LLAVE_MONGODB_DATABASE="+storetest.NewDatabase(t, uri))
	})
}

func loadDesk(t *testing.T, size deskLoad, processes int, settings ...string) {
	e := newEnvironment(t, byWebhook, append([]string{
		"LLAVE_OFFICE_HOURS=mon-sun 00:00-24:00", "LLAVE_TRUSTED_PROXIES=127.0.0.0/8", "LLAVE_LIMIT_MESSAGES_MINUTE=1000",
		"LLAVE_TELEGRAM_RATE=1000", "LLAVE_LOG_FORMAT=json",
	}, settings...)...)
	e.openOnHolidays(t)
	b := &board{w: e, size: size, messages: map[string]*message{}, answers: map[string]int64{}}
	for i := range size.agents {
		a := &seat{board: b, login: fmt.Sprintf("agente%02d", i), waiting: map[string][]string{}}
		b.agents = append(b.agents, a)
		if code, _, errs := outcome(t, e.env, deskPassword+"\n", "agents", "add", a.login, "--name", "Agente "+strconv.Itoa(i)); code != 0 {
			t.Fatal(errs)
		}
	}
	hook := e.serve(t)
	all, addr := []*process{hook}, e.addr
	if processes > 1 {
		admin := freeAddr(t)
		addr = freeAddr(t)
		all = append(all, start(t, append(slices.Clone(e.env), "LLAVE_HTTP_ADDR="+addr, "LLAVE_ADMIN_ADDR="+admin), "serve"))
		all[1].waitOK(t, "http://"+admin+"/readyz", 30*time.Second)
	}
	seats := all[len(all)-1] // the process whose console the agents use

	ready := peakKB(seats.Pid())
	empty := usage(seats, size.idle)
	for i, a := range b.agents {
		a.Agent = bottest.NewAgent("http://"+addr, fmt.Sprintf("192.0.2.%d", i+1))
		t.Cleanup(a.Close)
		if err := a.SignIn(t.Context(), a.login, deskPassword); err != nil {
			t.Fatal(err)
		}
	}
	signedIn := peakKB(seats.Pid())
	b.fill(t)
	listening, hangUp := context.WithCancel(t.Context())
	defer hangUp()
	for _, a := range b.agents {
		a.looksAt(t, listening, a.refs[0])
	}
	time.Sleep(size.idle / 4)
	quiet := usage(seats, size.idle)

	busy, began := processorTime(seats.Pid()), time.Now()
	b.run(t, listening)
	lasted := time.Since(began)
	busy = processorTime(seats.Pid()) - busy
	b.settle(t)
	peaks := make([]string, 0, len(all))
	for _, p := range all {
		peaks = append(peaks, megabytes(peakKB(p.Pid())))
	}
	load := loadavg()
	hangUp()
	b.away.Wait()
	for _, p := range all {
		p.stop(t)
	}
	b.report(t)
	t.Logf("the console's process took %.1f %% of a core for that; at rest %.1f %% with %d streams open, %.1f %% with none; load of the machine: %s",
		percent(busy, lasted), quiet, size.agents, empty, load)
	t.Logf("its memory at its highest: %s when ready, %s when %d agents had signed in; of each process at the end: %s",
		megabytes(ready), megabytes(signedIn), size.agents, strings.Join(peaks, ", "))
}

// openOnHolidays has the desk open today and tomorrow, whatever days they are. Nothing of llave runs yet.
func (e *environment) openOnHolidays(t *testing.T) {
	t.Helper()
	s, _ := e.openStore(t)
	zone, err := time.LoadLocation("America/Guayaquil")
	if err != nil {
		t.Fatal(err)
	}
	schedule, err := s.Schedule.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().In(zone)
	for _, day := range []time.Time{now, now.AddDate(0, 0, 1)} {
		open := handoff.Exception{Date: handoff.DateOf(day), Open: true, Opens: "00:00", Closes: "24:00"}
		if err := schedule.SetDay(open, nil, handoff.DateOf(now)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Schedule.Save(t.Context(), &schedule); err != nil {
		t.Fatal(err)
	}
	if err := s.Engine().Close(); err != nil {
		t.Fatal(err)
	}
}

func megabytes(kb int) string { return fmt.Sprintf("%.1f MB", float64(kb)/1024) }

// usage is what a process takes of a core in a time, in percent.
func usage(p *process, over time.Duration) float64 {
	before, began := processorTime(p.Pid()), time.Now()
	time.Sleep(over)
	return percent(processorTime(p.Pid())-before, time.Since(began))
}

func percent(used, of time.Duration) float64 { return 100 * used.Seconds() / of.Seconds() }

// peakKB is the most memory that a process has had, as Linux counts it; 0 elsewhere.
func peakKB(pid int) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, _ := strconv.Atoi(strings.Fields(rest)[0])
			return n
		}
	}
	return 0
}

// message is what a person wrote, and when the agent who has the conversation was shown it.
type message struct {
	chat  int64
	sent  time.Time
	seen  time.Time
	where string // "lines", "row", or "page": while the agent went from one conversation to another
}

// board is what people and agents of a loaded desk wrote.
type board struct {
	w      *environment
	size   deskLoad
	agents []*seat
	chats  []int64
	away   sync.WaitGroup // streams

	mu       sync.Mutex
	messages map[string]*message // by its word
	answers  map[string]int64    // accepted, by their word: the chat
	words    int
	pages    []time.Duration
	presses  []time.Duration
	bytes    int
}

// seat is an agent with conversations.
type seat struct {
	*bottest.Agent
	board   *board
	login   string
	refs    []string
	stop    func()              // of the stream
	mu      sync.Mutex          // of what follows
	queue   []string            // conversations that wait for an answer, the longest first
	waiting map[string][]string // the words in each
}

func (b *board) word() string {
	const letters = "bcdfghjkmnpqrstvwxz"
	b.words++
	word := []byte("qqqqq")
	for i, n := len(word)-1, b.words; i > 0; i, n = i-1, n/len(letters) {
		word[i] = letters[n%len(letters)]
	}
	return string(word) + "ax"
}

var deskWord = regexp.MustCompile(`\bq[b-z]{4}ax\b`)

// fill has people ask for a person, and agents take them.
func (b *board) fill(t *testing.T) {
	t.Helper()
	for i := range b.size.agents * b.size.each {
		chat := int64(5556000000 + i)
		b.chats = append(b.chats, chat)
		b.w.api.Say(chat, "hola")
		b.w.api.Say(chat, "persona")
	}
	for _, chat := range b.chats {
		if !b.w.api.Wait(time.Minute, func() bool { return b.heard(chat, "Su caso es") > 0 }) {
			t.Fatalf("chat %d is not in the queue", chat)
		}
	}
	for _, a := range b.agents {
		for range b.size.each {
			p, err := a.Get(t.Context(), "/agentes?ver=espera")
			if err != nil {
				t.Fatal(err)
			}
			next, _ := p.Form("siguiente")
			if p, err = a.Send(t.Context(), next); err != nil {
				t.Fatal(err)
			}
			ref, _, _ := strings.Cut(strings.TrimPrefix(p.Location, "/agentes/casos/"), "?")
			if p.Status != http.StatusSeeOther || ref == "" {
				t.Fatalf("%s took no case: status %d to %q", a.login, p.Status, p.Location)
			}
			a.refs = append(a.refs, ref)
		}
	}
}

// heard counts the bubbles of a chat that hold a text.
func (b *board) heard(chat int64, text string) (n int) {
	for _, m := range b.w.api.Messages(chat) {
		if strings.Contains(m.Text, text) {
			n++
		}
	}
	return n
}

// looksAt opens the page of a conversation, as a browser does: the stream of the page before ends.
func (a *seat) looksAt(t *testing.T, ctx context.Context, ref string) (page bottest.DeskPage) {
	began := time.Now()
	page, err := a.Get(ctx, "/agentes/casos/"+ref+"?ver=mios")
	if err != nil || page.Status != http.StatusOK {
		if ctx.Err() == nil {
			t.Errorf("%s reads a conversation: status %d, %v", a.login, page.Status, err)
		}
		return page
	}
	b := a.board
	b.mu.Lock()
	b.pages = append(b.pages, time.Since(began))
	b.bytes += page.Bytes
	b.mu.Unlock()
	for _, l := range page.Lines {
		b.shown(a, "page", ref, l.Text, time.Now())
	}
	for _, r := range page.Rows {
		b.shown(a, "page", r.Ref, r.Text, time.Now())
	}
	if a.stop != nil {
		a.stop()
	}
	listening, stop := context.WithCancel(ctx)
	gone := make(chan struct{})
	a.stop = func() { stop(); <-gone }
	b.away.Go(func() {
		defer close(gone)
		_ = a.Listen(listening, page.Stream, "", func(e bottest.DeskEvent) { a.hears(listening, ref, e) }) // it ends with the page
	})
	return page
}

// hears takes in an event of the stream.
func (a *seat) hears(ctx context.Context, open string, e bottest.DeskEvent) {
	switch e.Name {
	case "ping":
		a.board.away.Go(func() { _ = a.Beat(ctx) })
	case "lines", "row", "list":
		var data struct{ Ref, HTML string }
		_ = json.Unmarshal(e.Data, &data) // what cannot be read is never seen
		if e.Name == "lines" {
			data.Ref = open
		}
		a.board.shown(a, e.Name, data.Ref, data.HTML, e.At)
	}
}

// shown notes which messages an agent is shown, and has them wait for an answer.
func (b *board) shown(a *seat, where, ref, text string, at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, word := range deskWord.FindAllString(text, -1) {
		m := b.messages[word]
		if m == nil || !m.seen.IsZero() {
			continue
		}
		m.seen, m.where = at, where
		if ref == "" { // a whole list
			continue
		}
		a.mu.Lock()
		if len(a.waiting[ref]) == 0 {
			a.queue = append(a.queue, ref)
		}
		a.waiting[ref] = append(a.waiting[ref], word)
		a.mu.Unlock()
	}
}

// run has people write and agents answer.
func (b *board) run(t *testing.T, ctx context.Context) {
	working, stop := context.WithTimeout(ctx, b.size.lasts)
	defer stop()
	var all sync.WaitGroup
	for _, a := range b.agents {
		all.Go(func() {
			for {
				select {
				case <-working.Done():
					return
				case <-time.After(b.size.pause/2 + rand.N(b.size.pause)):
				}
				a.answers(t, ctx)
			}
		})
	}
	tick := time.NewTicker(time.Second / time.Duration(b.size.rate))
	defer tick.Stop()
	order := rand.Perm(len(b.chats))
	for i := 0; working.Err() == nil; i++ {
		chat := b.chats[order[i%len(order)]]
		b.mu.Lock()
		word := b.word()
		b.messages[word] = &message{chat: chat, sent: time.Now()}
		b.mu.Unlock()
		b.w.api.Say(chat, "Le cuento una cosa más sobre mi clave: "+word)
		select {
		case <-working.Done():
		case <-tick.C:
		}
	}
	all.Wait()
}

// answers answers whoever has waited longest.
func (a *seat) answers(t *testing.T, ctx context.Context) {
	a.mu.Lock()
	if len(a.queue) == 0 {
		a.mu.Unlock()
		return
	}
	ref := a.queue[0]
	a.queue = a.queue[1:]
	words := a.waiting[ref]
	delete(a.waiting, ref)
	a.mu.Unlock()
	page := a.looksAt(t, ctx, ref)
	form, ok := page.Form("decir")
	if !ok {
		if ctx.Err() == nil {
			t.Errorf("%s cannot write in %s", a.login, ref)
		}
		return
	}
	b := a.board
	b.mu.Lock()
	own, chat := b.word(), b.messages[words[0]].chat
	b.mu.Unlock()
	began := time.Now()
	page, err := a.Send(ctx, form.With("texto", "Ya lo reviso y le digo: "+own))
	took := time.Since(began)
	if err != nil || page.Status != http.StatusSeeOther {
		t.Errorf("%s writes in %s: status %d, %v", a.login, ref, page.Status, err)
		return
	}
	b.mu.Lock()
	b.answers[own] = chat
	b.presses = append(b.presses, took)
	b.mu.Unlock()
}

// settle waits until every message was seen and every answer has come.
func (b *board) settle(t *testing.T) {
	t.Helper()
	for late := time.Now().Add(30 * time.Second); b.missing() != ""; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(late) {
			t.Error(b.missing())
			break
		}
	}
	time.Sleep(300 * time.Millisecond) // for what comes twice
	for word, chat := range b.answers {
		if n := b.heard(chat, word); n != 1 {
			t.Errorf("answer %s came %d times", word, n)
		}
	}
}

func (b *board) missing() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	for word, m := range b.messages {
		if m.seen.IsZero() {
			return fmt.Sprintf("message %s of chat %d was not seen by its agent", word, m.chat)
		}
	}
	for word, chat := range b.answers {
		if b.heard(chat, word) == 0 {
			return fmt.Sprintf("answer %s did not come to chat %d", word, chat)
		}
	}
	return ""
}

// report prints how long things took.
func (b *board) report(t *testing.T) {
	t.Helper()
	took := map[string][]time.Duration{}
	for _, m := range b.messages {
		took[m.where] = append(took[m.where], m.seen.Sub(m.sent))
		if m.where != "page" {
			took["any"] = append(took["any"], m.seen.Sub(m.sent))
		}
	}
	if len(took["any"]) == 0 || len(b.answers) == 0 {
		t.Error("nothing was measured")
	}
	t.Logf("%d agents with %d conversations each; %d messages of people, %d answers; shown by the stream: %s (in the open conversation: %s; in the list: %s); %d were in a page that was opened meanwhile",
		b.size.agents, b.size.each, len(b.messages), len(b.answers), spread(took["any"]), spread(took["lines"]), spread(append(took["row"], took["list"]...)), len(took["page"]))
	t.Logf("a page of %d kB with a conversation and the list: %s; an answer accepted: %s", b.bytes/max(1, len(b.pages))/1024, spread(b.pages), spread(b.presses))
}

// spread says how durations lie.
func spread(d []time.Duration) string {
	if len(d) == 0 {
		return "none"
	}
	d = slices.Sorted(slices.Values(d))
	at := func(share int) time.Duration { return d[min(len(d)*share/100, len(d)-1)].Round(100 * time.Microsecond) }
	return fmt.Sprintf("%d, p50 %v, p99 %v, longest %v", len(d), at(50), at(99), at(100))
}
