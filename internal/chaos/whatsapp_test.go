package chaos

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"llave/internal/bottest"
)

// TestWhatsApp_trouble is TestTelegram_trouble on the other channel, where answers that wait together come in one bubble.
func TestWhatsApp_trouble(t *testing.T) {
	alongside(t)
	fail := func(fault bottest.GraphFault) func(dep *deployment, share int) {
		return func(dep *deployment, share int) {
			for _, method := range []string{"messages", "read"} {
				dep.graph.Fail(method, share-1, bottest.GraphFault{})
				dep.graph.Fail(method, 1, fault)
			}
		}
	}
	inWeather(t, byWhatsApp, []weather{
		{name: "131000", share: 5, worse: fail(bottest.GraphFaultServerError)},
		{name: "502 in HTML", share: 5, worse: fail(bottest.GraphFaultBadGateway)},
		{name: "reset", share: 5, worse: fail(bottest.GraphFaultDropped)},
		{name: "answer lost", share: 5, worse: fail(bottest.GraphFaultAnswerLost), repeats: true},
		{name: "hangs", share: sized(30, 10), worse: fail(bottest.GraphFaultTimeout(hangs))},
		{name: "tokens expire", over: expireTokens, after: tokensFollowed},
		{name: "down", over: goesDown, repeats: true},
	})
}

// expireTokens has the access token in use expire, and a while later the other one, when the first is good again.
func expireTokens(_ *testing.T, dep *deployment) {
	time.Sleep(1500 * time.Millisecond)
	dep.graph.SetTokens(graphTokens[1])
	time.Sleep(1500 * time.Millisecond)
	dep.graph.SetTokens(graphTokens[0])
}

// tokensFollowed fails the test where a message waited because of an expired token: the other one must be tried for it at
// once. Each process learns of it with whatever is on its way then, which may be a mark that a message was read.
func tokensFollowed(t *testing.T, dep *deployment) {
	calls, marks := dep.graph.Calls("messages"), dep.graph.Calls("read")
	slices.SortStableFunc(calls, func(a, b bottest.BotCall) int { return a.At.Compare(b.At) })
	refused, slowest := 0, time.Duration(0)
	marked := len(marks) - len(slices.DeleteFunc(marks, func(c bottest.BotCall) bool { return c.Status == 401 }))
	for i, c := range calls {
		if c.Status != 401 {
			continue
		}
		refused++
		next := slices.IndexFunc(calls[i:], func(n bottest.BotCall) bool {
			return n.Status == 200 && n.Params["chat_id"] == c.Params["chat_id"]
		})
		if next < 0 {
			t.Error("a message whose token was refused did not go out with the other one")
			continue
		}
		slowest = max(slowest, calls[i+next].At.Sub(c.At))
	}
	t.Logf("%d messages and %d marks were refused for an expired token; the slowest message went out with the other one %v later", refused, marked, slowest.Round(time.Millisecond))
	if refused+marked == 0 || slowest > time.Second {
		t.Errorf("%d refused, the slowest followed after %v, want some, and a second at most", refused, slowest)
	}
}

// TestWhatsApp_throttled has WhatsApp ask for a pause: one person's (131056, six seconds as it names no time), or the
// whole number's (130429 with Retry-After). Each process knows of the latter when it was refused itself, so that it is
// shown by one process.
func TestWhatsApp_throttled(t *testing.T) {
	alongside(t)
	for _, tt := range []struct {
		name  string
		fault bottest.GraphFault
		pause time.Duration
		whole bool
	}{
		{"one person", bottest.GraphFaultPair, 6 * time.Second, false},
		{"the whole number", bottest.GraphFault{Code: 130429, RetryAfter: retryAfter}, retryAfter * time.Second, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, k kind) {
				t.Parallel()
				if tt.whole {
					k.processes = 1
				}
				dep := newDeployment(t, k)
				dep.byWhatsApp(byWhatsApp)
				people, talkers := dep.populate(sized(15, 100)), sized(5, 25)
				dep.start()
				dep.listen(t)
				dep.graph.FailChat(people[0].chat, 2, tt.fault)
				took := dep.walkAndTalk(t, people, talkers)
				dep.end()
				dep.pausesKept(t, tt.pause, tt.whole, 2)
				dep.spoke(t, talkers)
				dep.reconcile(t, took)
			})
		})
	}
}

// TestWhatsApp_failed has WhatsApp take messages and report later that they failed: the first one of half of the people,
// and of the others the one in the middle. Nobody has seen them; they are said again, once, and the road goes on.
func TestWhatsApp_failed(t *testing.T) {
	alongside(t)
	onBoth(t, func(t *testing.T, k kind) {
		t.Parallel()
		dep := newDeployment(t, k)
		dep.byWhatsApp(byWhatsApp)
		people := dep.populate(sized(20, 100))
		for i, p := range people {
			before, code := p.before, []int{131000, 130429, 131056}[i%3]
			p.before = func(step int) {
				if before != nil {
					before(step)
				}
				if step == i%2*len(road)/2 {
					dep.graph.FailStatus(p.chat, code)
				}
			}
		}
		dep.start()
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		dep.walk(ctx, ctx, people, 50*time.Millisecond, *together)
		dep.noticed(ctx, people)
		took := time.Since(began)
		dep.end()
		failed, sent, seen := 0, 0, 0
		for _, statuses := range dep.front.reported {
			if slices.Contains(statuses, "failed") {
				failed++
			}
		}
		for _, p := range people {
			seen += len(dep.graph.Messages(p.chat))
		}
		for _, c := range dep.graph.Calls("messages") {
			if c.Status == 200 {
				sent++
			}
		}
		t.Logf("%d messages failed after they had been taken; %d were taken, %d seen", failed, sent, seen)
		if failed != len(people) || sent != seen+failed {
			t.Errorf("%d failed, want %d; %d taken, want those and the %d that were seen", failed, len(people), sent, seen)
		}
		dep.reconcile(t, took)
	})
}

// TestWhatsApp_gone has WhatsApp say of some people that they cannot be reached (131026), of half of them at once and of
// the others in a report: what was to be written to them ends there, nobody else notices, and who writes again is
// answered again.
func TestWhatsApp_gone(t *testing.T) {
	alongside(t)
	onBoth(t, func(t *testing.T, k kind) {
		t.Parallel()
		const life = 10 * time.Second
		dep := newDeployment(t, k, "LLAVE_LINK_TTL="+life.String())
		dep.byWhatsApp(byWhatsApp)
		people := dep.populate(sized(16, 100))
		gone := people[:6]
		dep.start()
		for i, p := range gone {
			if i%2 > 0 {
				p.before = func(step int) {
					if step == len(road)-1 {
						dep.graph.FailStatus(p.chat, 131026)
					}
				}
				continue
			}
			chat, begun := strconv.FormatInt(p.chat, 10), false
			dep.graph.FailWhere(func(c bottest.BotCall) bool { // from "look in your mail" on
				if c.Method != "messages" || c.Params["chat_id"] != chat {
					return false
				}
				begun = begun || strings.Contains(fmt.Sprint(c.Params), lookInMail)
				return begun
			}, everyCall, bottest.GraphFault{Code: 131026})
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		var walking sync.WaitGroup
		for _, p := range gone {
			walking.Go(func() { // they wait for what never comes
				asking, stop := context.WithTimeout(ctx, life+8*time.Second)
				defer stop()
				_, _ = p.asks(asking, dep.graph, lookInMail)
			})
		}
		took := dep.walkMail(t, people[len(gone):], 100*time.Millisecond, 0)
		walking.Wait()
		for _, p := range gone { // the link has ended, and its timer has gone off
			calls := slices.DeleteFunc(dep.callsTo(p.chat), func(c bottest.BotCall) bool { return c.Method != "messages" })
			told := slices.IndexFunc(calls, func(c bottest.BotCall) bool { return strings.Contains(fmt.Sprint(c.Params), lookInMail) })
			if told < 0 || told != len(calls)-1 {
				t.Errorf("person %d: %d messages, of which number %d told to look in the mail; want it to be the last", p.index, len(calls), told+1)
			}
			if said := dep.graph.Messages(p.chat); slices.ContainsFunc(said, func(m bottest.ChatMessage) bool { return strings.Contains(m.Text, lookInMail) }) {
				t.Errorf("person %d: saw what could not be delivered", p.index)
			}
		}
		t.Logf("%d people gone, not written to any more though each one's link ended meanwhile; %d others walked on", len(gone), len(people)-len(gone))
		dep.graph.Heal()
		for _, p := range gone {
			if err := p.reads(ctx, dep.graph, dep.graph.Say(p.chat, "ayuda"), ""); err != nil {
				t.Errorf("person %d writes again: %v", p.index, err)
			}
		}
		dep.end()
		dep.people = people[len(gone):]
		dep.reconcile(t, took)
	})
}
