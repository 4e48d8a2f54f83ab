package e2e

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"llave/bot"
	"llave/internal/bottest"
)

var loadFor = flag.Duration("e2e.load", 2*time.Second, "how long WhatsApp's load lasts; docs/performance.md has 30s")

// What comes in a second: messages, and three statuses for each reply; so 500 webhooks where each is answered by itself.
const (
	loadMessages = 125

	calm   = 400 // people who write seven of eight messages, by turns
	chatty = 26  // people who write the eighth, and in 30 s more than may be answered one by one
)

// script is what a loaded person writes, the last two over and over, and what is in each answer.
var script = []struct{ says, hears string }{
	{"hola", "Hola. Soy Llave"}, {"1", "¿Qué necesita hoy?"}, {"1", "Escriba su número de cédula"}, {"menú", "¿Qué necesita hoy?"},
}

var answers = regexp.MustCompile(`Hola\. Soy Llave|¿Qué necesita hoy\?|Escriba su número de cédula`)

func line(i int) int {
	if i < len(script) {
		return i
	}
	return 2 + i%2
}

// TestWhatsApp_load is open-loop: people write at a steady rate, whether or not they have been answered, and WhatsApp
// reports what became of each reply. Nothing is lost, nothing comes twice, each person's answers come in order, and
// WhatsApp has nothing to refuse; also where more comes in than the number may send, and the answers queue. How fast it was
// is printed (-v), and fails nothing.
func TestWhatsApp_load(t *testing.T) {
	for _, rate := range []int{1000, 80} {
		onBothStoresInTurn(t, fmt.Sprintf("%d a second", rate), func(t *testing.T, store ...string) { load(t, rate, store...) })
	}
}

func load(t *testing.T, rate int, settings ...string) {
	e := newEnvironment(t, byNothing)
	e.withWhatsApp(t, bottest.GraphOptions{PerSecond: rate, PairBurst: 11}) // ten, and one that was faster on its way
	e.env = append(append(e.env, fmt.Sprintf("LLAVE_WHATSAPP_RATE=%d", rate), "LLAVE_LOG_FORMAT=json"), settings...)
	llave := e.serve(t)
	began := time.Now()
	wrote := make([]int, calm+chatty)
	for i := range int(loadFor.Seconds() * loadMessages) {
		who := i - i/8
		if who %= calm; i%8 == 7 {
			who = calm + i/8%chatty
		}
		time.Sleep(time.Until(began.Add(time.Duration(i) * time.Second / loadMessages)))
		e.graph.Say(int64(593990000000+who), script[line(wrote[who])].says)
		wrote[who]++
	}
	took := e.graph.Took()
	lasted := time.Since(began)
	behind := e.graph.Pending()

	heard := func() (n int) {
		for who := range wrote {
			for _, m := range e.graph.Messages(int64(593990000000 + who)) {
				n += len(answers.FindAllString(m.Text, -1))
			}
		}
		return n
	}
	total := 0
	for _, n := range wrote {
		total += n
	}
	for late := time.Now().Add(3 * time.Minute); heard() < total || e.graph.Pending() > 0; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(late) {
			t.Errorf("%d of %d messages were answered, and %d webhooks not taken", heard(), total, e.graph.Pending())
			break
		}
	}
	settled := time.Since(began)
	resident, busy := residentKB(llave.Pid()), processorTime(llave.Pid())
	llave.stop(t)

	bubbles := 0
	s, _ := e.openStore(t)
	for who, n := range wrote {
		chat := int64(593990000000 + who)
		var got []string
		for _, m := range e.graph.Messages(chat) {
			bubbles++
			got = append(got, answers.FindAllString(m.Text, -1)...)
		}
		var want []string
		for i := range n {
			want = append(want, script[line(i)].hears)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("person %d was answered:\n%s\nwant:\n%s", who, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		c, err := s.Conversations.Load(t.Context(), s.Book.Conv(bot.ConversationID("whatsapp", fmt.Sprint(chat))))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range e.graph.History(chat) {
			if id := e.graph.WAMID(chat, m.ID); !m.Bot && !slices.ContainsFunc(c.Seen, func(seen bot.Seen) bool { return seen.ID == s.Book.Message(id) }) {
				t.Errorf("person %d's %q was acknowledged and is not in the store", who, m.Text)
			}
		}
		if len(c.Promises) > 0 {
			t.Errorf("person %d is still owed %d messages", who, len(c.Promises))
		}
	}
	refused := 0
	for _, c := range e.graph.Calls("messages") {
		if c.Status == http.StatusTooManyRequests {
			refused++
		}
	}
	if refused > 0 {
		t.Errorf("WhatsApp refused %d messages as too many", refused)
	}
	for _, p := range e.graph.Posts() {
		if p.Status != http.StatusOK {
			t.Errorf("a webhook was answered with %d", p.Status)
		}
	}
	slices.Sort(took)
	t.Logf("in %v: %d messages, %.0f webhooks/s; answered in p50 %v, p99 %v, longest %v; not taken yet at the end: %d", lasted.Round(time.Second),
		total, float64(len(took))/lasted.Seconds(), took[len(took)/2], took[len(took)*99/100], took[len(took)-1], behind)
	t.Logf("%d bubbles for them, the last after %v; %d kB resident, %v of processor time; load of the machine: %s",
		bubbles, settled.Round(100*time.Millisecond), resident, busy, loadavg())
}

// processorTime is what a process has used of the processors as Linux counts it, in its hundredths of a second; 0 elsewhere.
func processorTime(pid int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), ") ") // behind the program's name
	f := strings.Fields(rest)
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// loadavg is how busy the machine is, as Linux counts it.
func loadavg() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(text))[:2], " ")
}
