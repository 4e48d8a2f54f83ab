package chaos

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"llave/bot"
	"llave/bot/telegram"
)

// hookSecret is the webhook's, for tests that play Telegram themselves.
const hookSecret = "chaos-webhook-secret-0001"

// answer is what a process said to one request.
type answer struct {
	sent   time.Time
	took   time.Duration
	status int // 0: none in time
	update int // that was delivered, by a webhook
	text   string
}

func (a answer) at() time.Time { return a.sent.Add(a.took) }

// probe asks a process the same thing again and again, never waiting for one answer before the next question.
type probe struct {
	name    string
	mu      sync.Mutex
	answers []answer
}

// give adds an answer.
func (p *probe) give(a answer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answers = append(p.answers, a)
}

// between are the answers to what was asked after a moment and before another.
func (p *probe) between(from, to time.Time) (out []answer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range p.answers {
		if !a.sent.Before(from) && a.sent.Before(to) {
			out = append(out, a)
		}
	}
	return out
}

// firstOK is how long after a moment a request was first answered 200.
func (p *probe) firstOK(since time.Time) (time.Duration, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var first time.Time
	for _, a := range p.answers {
		if a.status == http.StatusOK && a.at().After(since) && (first.IsZero() || a.at().Before(first)) {
			first = a.at()
		}
	}
	return first.Sub(since), !first.IsZero()
}

// probes ask one process for its webhook, its readiness and a page.
type probes struct{ hook, ready, page *probe }

// probing is a deployment in which every process is asked all the time.
type probing struct {
	at   []probes // as the fleet's instances
	stop func()
}

// probe begins to ask every process, each four times a second, until the test or stop ends it. Every update is the
// first of a chat of its own: it takes the whole road through the store. way is how they reach it; nil keeps connections.
func (dep *deployment) probe(way *http.Transport) *probing {
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	if way == nil {
		way = &http.Transport{MaxIdleConnsPerHost: 64}
	}
	client := &http.Client{Timeout: 25 * time.Second, Transport: way}
	q := &probing{stop: func() { cancel(); all.Wait(); client.CloseIdleConnections() }}
	dep.t.Cleanup(func() { q.stop() })
	for i, at := range dep.fleet.instances {
		p := probes{&probe{name: "webhook"}, &probe{name: "readiness"}, &probe{name: "page"}}
		q.at = append(q.at, p)
		all.Go(func() {
			tick := time.NewTicker(250 * time.Millisecond)
			defer tick.Stop()
			for n := 0; ; n++ {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
				id := 100_000_000 + i*1_000_000 + n
				page, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+at.addr+"/desbloqueo/"+strings.Repeat("A", 43), nil)
				if err != nil {
					panic(err) // the address is ours
				}
				page.Header.Set("X-Forwarded-For", fmt.Sprintf("10.200.%d.%d", n>>8&255, n&255)) // a wrong link of somebody else each time
				ready, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+at.admin+"/readyz", nil)
				if err != nil {
					panic(err)
				}
				all.Go(func() {
					a := at.direct(ctx, client, id, int64(id), "hola")
					a.update = id
					p.hook.give(a)
				})
				all.Go(func() { p.ready.give(ask(client, ready)) })
				all.Go(func() { p.page.give(ask(client, page)) })
			}
		})
	}
	return q
}

// direct hands an update to a process, past the front, as Telegram does.
func (at *instance) direct(ctx context.Context, client *http.Client, id int, chat int64, text string) answer {
	body := fmt.Sprintf(`{"update_id":%d,"message":{"message_id":%d,"date":%d,"chat":{"id":%d,"type":"private"},"from":{"id":%d,"is_bot":false,"first_name":"Sonda"},"text":%q}}`,
		id, id, time.Now().Unix(), chat, chat, text)
	return ask(client, webhook(ctx, at.addr, body))
}

// webhook is an update on its way to one process, as Telegram sends it.
func webhook(ctx context.Context, addr, body string) *http.Request {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+telegram.WebhookPath, strings.NewReader(body))
	if err != nil {
		panic(err) // the address is ours
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Telegram-Bot-Api-Secret-Token", hookSecret)
	return r
}

func ask(client *http.Client, r *http.Request) answer {
	a := answer{sent: time.Now()}
	if res, err := client.Do(r); err == nil {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10)) // what came of it is enough
		res.Body.Close()
		a.status, a.text = res.StatusCode, string(text)
	}
	a.took = time.Since(a.sent)
	return a
}

// answered counts those that were 200.
func answered(answers []answer) (n int) {
	for _, a := range answers {
		if a.status == http.StatusOK {
			n++
		}
	}
	return n
}

// summary says how often each status came, and the slowest answer.
func summary(answers []answer) string {
	count := map[int]int{}
	var slowest time.Duration
	for _, a := range answers {
		count[a.status]++
		slowest = max(slowest, a.took)
	}
	var parts []string
	for status, n := range count {
		parts = append(parts, fmt.Sprintf("%d × %d", status, n))
	}
	slices.Sort(parts)
	return fmt.Sprintf("%s, slowest %v", strings.Join(parts, ", "), slowest.Round(time.Millisecond))
}

// refused checks what every process said while the store could not be asked: webhooks and readiness 503, pages something
// kind; nothing at all is no answer. Those asked in the first moments may still have been lucky.
func (q *probing) refused(t *testing.T, what string, from, to time.Time) {
	t.Helper()
	for i, p := range q.at {
		for _, x := range []*probe{p.hook, p.ready, p.page} {
			answers := x.between(from.Add(500*time.Millisecond), to)
			t.Logf("%s, process %d, %s: %s", what, i, x.name, summary(answers))
			silent, wrong := 0, 0
			for _, a := range answers {
				switch {
				case a.status == 0:
					silent++
				case a.at().Before(to) && a.status != http.StatusServiceUnavailable: // later ones have waited for its return
					wrong++
				case x == p.page && a.status == http.StatusServiceUnavailable && !strings.Contains(a.text, "Su enlace no se ha perdido"):
					t.Errorf("%s, process %d: the page says %q", what, i, begin(a.text))
				}
			}
			if len(answers) == 0 || silent > 0 || wrong > 0 {
				t.Errorf("%s, process %d, %s: of %d asked %d got no answer in 25 s, and %d got other than 503", what, i, x.name, len(answers), silent, wrong)
			}
		}
	}
}

// kept fails the test where an update of these was acknowledged and is not in the store. It is for when all have ended.
func (q *probing) kept(t *testing.T, dep *deployment) {
	t.Helper()
	s, _ := dep.openStore(t)
	lost := invariant{name: "acknowledged updates without effect, of those that only asked"}
	acked := 0
	for _, p := range q.at {
		for _, a := range p.hook.answers {
			if a.status != http.StatusOK {
				continue
			}
			acked++
			id := strconv.Itoa(a.update)
			c, err := s.Conversations.Load(t.Context(), s.Book.Conv(bot.ConversationID("telegram", id)))
			if err != nil {
				t.Fatal(err)
			}
			if !c.SawUpdate(bot.Update{ID: id, Order: int64(a.update)}, a.sent) {
				lost.breaks("update %s, acknowledged at %s", id, clock(a.at()))
			}
		}
	}
	t.Logf("%6d  updates of those that only asked were acknowledged", acked)
	lost.report(t)
}

// recovered waits until every process answers its webhook and is ready, and says how long that took. How quick it is
// depends on what else the machine does, so that only a full run, which has it to itself, wants five seconds.
func (q *probing) recovered(t *testing.T, what string, healed time.Time) {
	t.Helper()
	for i, p := range q.at {
		for _, x := range []*probe{p.hook, p.ready} {
			for {
				took, ok := x.firstOK(healed)
				if ok {
					t.Logf("%s, process %d, %s: %v from healing to the first 200", what, i, x.name, took.Round(time.Millisecond))
					if *full && took > 5*time.Second {
						t.Errorf("%s, process %d, %s: recovered after %v, want 5 s at most", what, i, x.name, took)
					}
					break
				}
				if time.Since(healed) > time.Minute {
					t.Fatalf("%s, process %d, %s: no 200 a minute after healing", what, i, x.name)
				}
				time.Sleep(20 * time.Millisecond)
			}
		}
	}
}
