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

const (
	retryAfter = 7                      // seconds, in every 429
	underWay   = 500 * time.Millisecond // a call may have set out before the 429 to another was read
	talkerChat = 5554000000             // the first talker's
	everyCall  = 1000                   // more than there are
	hangs      = 15 * time.Second       // longer than a call is waited for
	lookInMail = linkSubject            // is in the bubble that tells to look in the mail, and in no other of the road
)

// monologue is what a talker says after the greeting, in one breath: the answers wait for each other in the outbox, and
// no two that follow each other are the same.
var monologue = []string{"ayuda", "menú", "hola", "gracias", "idioma", "menú"}

// weather is a fault scenario: a way in which an API can go wrong, while nothing is wrong with us.
type weather struct {
	name    string
	share   int                                 // one call of so many goes wrong; 0: see over
	worse   func(dep *deployment, share int)    // has the next few calls go wrong
	over    func(t *testing.T, dep *deployment) // what happens while people walk
	repeats bool                                // an answer may be lost
	after   func(t *testing.T, dep *deployment) // what else must hold
}

// TestTelegram_trouble has a share of the calls go wrong in each of the ways there are. All the time people walk, and
// talkers say more than can be answered at once. Then every chat must read as in quiet weather; a bubble twice where its
// answer was lost, and nowhere else.
func TestTelegram_trouble(t *testing.T) {
	alongside(t)
	fail := func(fault bottest.BotFault) func(dep *deployment, share int) {
		return func(dep *deployment, share int) {
			for _, method := range []string{"sendMessage", "deleteMessage"} {
				dep.api.Fail(method, share-1, bottest.BotFault{})
				dep.api.Fail(method, 1, fault)
			}
		}
	}
	inWeather(t, byTelegram, []weather{
		{name: "500", share: 3, worse: fail(bottest.FaultServerError)},
		{name: "502 in HTML", share: 3, worse: fail(bottest.FaultBadGateway)},
		{name: "reset", share: 3, worse: fail(bottest.FaultDropped)},
		{name: "answer lost", share: 3, worse: fail(bottest.FaultAnswerLost), repeats: true},
		{name: "hangs", share: sized(30, 10), worse: fail(bottest.FaultTimeout(hangs))},
		{name: "down", over: goesDown, repeats: true},
	})
}

// goesDown has the API away for a while.
func goesDown(t *testing.T, dep *deployment) {
	down := sized(6*time.Second, 30*time.Second)
	api := dep.mainWay().(interface {
		Down()
		Up() error
	})
	time.Sleep(3 * time.Second)
	dep.lost = append(dep.lost, time.Now())
	api.Down()
	time.Sleep(down)
	if err := api.Up(); err != nil {
		t.Error(err)
	}
	dep.back = time.Now()
}

// inWeather has people walk and talkers talk in each weather, and compares what they read with what is read in a quiet one.
func inWeather(t *testing.T, by way, cases []weather) {
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, k kind) {
				t.Parallel()
				dep := newDeployment(t, k)
				if by == byWhatsApp {
					dep.byWhatsApp(byWhatsApp)
				}
				people, talkers := dep.populate(sized(20, 100)), sized(5, 25)
				dep.start()
				dep.listen(t)
				if tt.share > 0 {
					for range 10 * (len(people) + talkers) / tt.share {
						tt.worse(dep, tt.share)
					}
				}
				var happening sync.WaitGroup
				if tt.over != nil {
					happening.Go(func() { tt.over(t, dep) })
				}
				took := dep.walkAndTalk(t, people, talkers)
				happening.Wait()
				if tt.share > 0 && tt.repeats { // what was seen may wait for its turn to be said again: its answer was lost
					dep.settle(t.Context())
				}
				dep.end()
				failed, calls := 0, dep.mainWay().Calls("")
				for _, c := range calls {
					if c.Status != 200 {
						failed++
					}
					if c.Status == 0 && tt.repeats {
						dep.lost = append(dep.lost, c.At)
					}
				}
				if tt.share > 0 {
					t.Logf("%d of %d calls went wrong", failed, len(calls))
				}
				if !dep.back.IsZero() {
					t.Logf("down: the chats that waited had their next bubble at most %v after it was back", dep.slowestAfter(dep.back).Round(10*time.Millisecond))
				}
				if tt.share > 0 && failed == 0 {
					t.Error("nothing was proved: no call went wrong")
				}
				if tt.after != nil {
					tt.after(t, dep)
				}
				dep.spoke(t, talkers)
				dep.reconcile(t, took)
			})
		})
	}
}

// TestTelegram_throttled has Telegram ask for a pause: one chat's, and, when it refuses several at once, the whole bot's.
// Each process knows of the pauses that it was asked for itself, so that the second is shown by one process (P703).
func TestTelegram_throttled(t *testing.T) {
	alongside(t)
	for _, tt := range []struct {
		name  string
		chats int // that are refused
		times int // each
	}{{"one chat", 1, 2}, {"the whole bot", 3, 1}} {
		t.Run(tt.name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, k kind) {
				t.Parallel()
				whole := tt.chats > 1
				if whole {
					k.processes = 1
				}
				dep := newDeployment(t, k)
				people, talkers := dep.populate(sized(15, 100)), sized(5, 25)
				dep.start()
				dep.listen(t)
				for _, p := range people[:tt.chats] {
					dep.api.FailChat(p.chat, tt.times, bottest.FaultTooMany(retryAfter))
				}
				took := dep.walkAndTalk(t, people, talkers)
				dep.end()
				dep.pausesKept(t, retryAfter*time.Second, whole, tt.chats*tt.times)
				dep.spoke(t, talkers)
				dep.reconcile(t, took)
			})
		})
	}
}

// TestTelegram_blocked has Telegram say of some chats that the bot is blocked, without the update that says so too: what
// was to be written to them ends there, nobody else notices, and who writes again is answered again.
func TestTelegram_blocked(t *testing.T) {
	alongside(t)
	onBoth(t, func(t *testing.T, k kind) {
		life := 10 * time.Second
		dep := newDeployment(t, k, "LLAVE_LINK_TTL="+life.String())
		people := dep.populate(sized(15, 100))
		blocked := people[:5]
		dep.start()
		for _, p := range blocked {
			chat, begun := strconv.FormatInt(p.chat, 10), false
			dep.api.FailWhere(func(c bottest.BotCall) bool { // from "look in your mail" on
				if c.Params["chat_id"] == chat && strings.Contains(c.Params["text"], lookInMail) {
					begun = true
				}
				return begun && c.Params["chat_id"] == chat
			}, everyCall, bottest.FaultBlocked)
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		var walking sync.WaitGroup
		for _, p := range blocked {
			walking.Go(func() { // they wait for what never comes
				asking, stop := context.WithTimeout(ctx, life+8*time.Second)
				defer stop()
				_, _ = p.asks(asking, dep.api, lookInMail)
			})
		}
		took := dep.walkMail(t, people[len(blocked):], 100*time.Millisecond, 0)
		walking.Wait()
		calls := 0
		for _, p := range blocked { // the link has ended, and its timer has gone off
			mine := 0
			for _, c := range dep.callsTo(p.chat) {
				if c.Status == 403 && !strings.HasPrefix(c.Method, "edit") { // a keyboard to be taken off, for which nothing is read anew, asks by itself
					mine++
				}
			}
			if mine != 1 {
				t.Errorf("person %d: %d calls were answered that the bot is blocked, want 1", p.index, mine)
			}
			calls += mine
		}
		t.Logf("%d chats blocked, %d calls refused though each one's link ended meanwhile; %d others walked on", len(blocked), calls, len(people)-len(blocked))
		dep.api.Heal()
		for _, p := range blocked {
			if err := p.reads(ctx, dep.api, dep.api.Say(p.chat, "ayuda"), ""); err != nil {
				t.Errorf("person %d writes again: %v", p.index, err)
			}
		}
		dep.end()
		dep.people = people[len(blocked):]
		dep.reconcile(t, took)
	})
}

// TestTelegram_worthless keeps "look in your mail" waiting until the link it speaks of has ended. Then it would only
// mislead: the chat reads that the link is worth nothing any more, and nothing before it.
func TestTelegram_worthless(t *testing.T) {
	alongside(t)
	onBoth(t, func(t *testing.T, k kind) {
		const life = 15 * time.Second
		dep := newDeployment(t, k, "LLAVE_LINK_TTL="+life.String())
		people := dep.populate(sized(6, 30))
		dep.start()
		for i, p := range people {
			chat, fault := strconv.FormatInt(p.chat, 10), bottest.FaultServerError
			if i == 0 { // one alone: the chats of several would pause the whole bot
				fault = bottest.FaultTooMany(retryAfter)
			}
			dep.api.FailWhere(func(c bottest.BotCall) bool {
				return c.Params["chat_id"] == chat && strings.Contains(c.Params["text"], lookInMail)
			}, everyCall, fault)
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		var walking sync.WaitGroup
		for _, p := range people {
			walking.Go(func() { _, p.failed = p.asks(ctx, dep.api, linkEnded) })
		}
		walking.Wait()
		time.Sleep(2 * time.Second) // for what should not come any more
		worthless := dep.count("llave_promises_total", `result="worthless"`) + dep.count("llave_promises_total", `result="withdrawn"`)
		dep.end()
		refused, sent, slowest := 0, 0, time.Duration(0)
		for _, p := range people {
			if p.failed != nil {
				t.Errorf("person %d: %v", p.index, p.failed)
				continue
			}
			for _, c := range dep.callsTo(p.chat) {
				if c.Status != 200 {
					refused++
				}
			}
			said := dep.api.Messages(p.chat)
			if stale := slices.IndexFunc(said, func(m bottest.ChatMessage) bool { return strings.Contains(m.Text, lookInMail) }); stale >= 0 {
				sent++
				t.Errorf("person %d: a stale bubble: %q", p.index, begin(said[stale].Text))
			}
			last := said[len(said)-1]
			if !strings.Contains(last.Text, linkEnded) {
				t.Errorf("person %d: the chat ends with %q", p.index, begin(last.Text))
			}
			if letters := dep.smtp.LettersTo(p.address); len(letters) > 0 {
				slowest = max(slowest, last.At.Sub(letters[0].Received.Add(life)))
			}
		}
		t.Logf("%d chats whose link ended while the bubble about it waited (%d refused tries): %.0f counted as worthless, %d sent all the same; %q came at most %v after the link's end",
			len(people), refused, worthless, sent, linkEnded, slowest.Round(10*time.Millisecond))
		if worthless != float64(len(people)) {
			t.Errorf("worthless counted %.0f, want %d", worthless, len(people))
		}
		dep.pausesKept(t, retryAfter*time.Second, false, 0)
	})
}

// listen has somebody hold the monologue in quiet weather, so that it is known what a talker must read.
func (dep *deployment) listen(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := dep.speak(ctx, 0, true); err != nil {
		t.Fatalf("the monologue in quiet weather: %v; read %q", err, openings(dep.mainWay().History(talkerChat)))
	}
}

// speak greets, agrees to go on, and holds the monologue; patiently: waiting for each answer.
func (dep *deployment) speak(ctx context.Context, talker int, patiently bool) error {
	chat := talkerChat + int64(talker)
	somebody := &person{chat: chat}
	if err := somebody.reads(ctx, dep.mainWay(), dep.mainWay().Say(chat, road[0].do), road[0].want); err != nil {
		return err
	}
	last, err := dep.mainWay().Press(chat, road[1].do)
	if err != nil {
		return err
	}
	if err := somebody.reads(ctx, dep.mainWay(), last, road[1].want); err != nil {
		return err
	}
	for _, words := range monologue {
		last := dep.mainWay().Say(chat, words)
		if patiently {
			if err := somebody.reads(ctx, dep.mainWay(), last, ""); err != nil {
				return fmt.Errorf("%s: %w", words, err)
			}
		}
	}
	return nil
}

// walkAndTalk has people walk and talkers hold their monologue in the same weather, until all have what they wait for.
func (dep *deployment) walkAndTalk(t *testing.T, people []*person, talkers int) (took time.Duration) {
	t.Helper()
	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute+patience)
	defer cancel()
	var talking sync.WaitGroup
	for i := range talkers {
		talking.Go(func() {
			if err := dep.speak(ctx, i+1, false); err != nil {
				t.Errorf("talker %d: %v", i+1, err)
			}
		})
	}
	dep.walk(ctx, ctx, people, 100*time.Millisecond, *together)
	talking.Wait()
	pattern := dep.mainWay().Messages(talkerChat)
	for i := range talkers { // until the last words are there, or are not to come
		dep.mainWay().Wait(time.Minute, func() bool {
			said := dep.mainWay().Messages(talkerChat + int64(i+1))
			order, _ := unfold(said, dep.ways[0] == byWhatsApp)
			return tells(order, pattern, dep.ways[0] == byWhatsApp)
		})
	}
	dep.noticed(ctx, people)
	return time.Since(began)
}

// spoke fails the test where a talker did not read, in order, what the one in quiet weather read, but for what was overtaken; a
// bubble twice only where its answer was lost.
func (dep *deployment) spoke(t *testing.T, talkers int) {
	t.Helper()
	pattern := dep.mainWay().Messages(talkerChat)
	copies, strange, bubbles, slowest := 0, 0, 0, time.Duration(0)
	merges := dep.ways[0] == byWhatsApp
	for i := range talkers {
		said := dep.mainWay().Messages(talkerChat + int64(i+1))
		for j, m := range said {
			if j > 0 {
				slowest = max(slowest, m.At.Sub(said[j-1].At))
			}
		}
		order, again := unfold(said, merges)
		copies, bubbles = copies+len(again), bubbles+len(said)
		for _, c := range again {
			if !c.same || !dep.explained(c.first.At, c.again.At) {
				t.Errorf("talker %d: %q came twice, and no answer was lost", i+1, begin(c.again.Text))
			}
		}
		if !tells(order, pattern, merges) {
			strange++
			t.Errorf("talker %d read %q, want %q", i+1, openings(order), openings(pattern))
		}
	}
	t.Logf("%d talkers with %d answers each, in %d bubbles: %d chats with one lost or out of order, %d answers repeated; the longest wait between two was %v",
		talkers, len(pattern), bubbles, strange, copies, slowest.Round(10*time.Millisecond))
}

func openings(said []bottest.ChatMessage) (out []string) {
	for _, m := range said {
		out = append(out, begin(m.Text))
	}
	return out
}

// callsTo are the calls that were about a chat, oldest first.
func (dep *deployment) callsTo(chat int64) []bottest.BotCall {
	id := strconv.FormatInt(chat, 10)
	calls := slices.DeleteFunc(dep.mainWay().Calls(""), func(c bottest.BotCall) bool { return c.Params["chat_id"] != id })
	slices.SortStableFunc(calls, func(a, b bottest.BotCall) int { return a.At.Compare(b.At) })
	return calls
}

// pausesKept fails the test where a chat was written to before the pause that a 429 asked for was over, or, with whole,
// any chat after a second one was refused; on WhatsApp, where a refusal says which it is about, after the first.
func (dep *deployment) pausesKept(t *testing.T, pause time.Duration, whole bool, want int) {
	t.Helper()
	all := slices.DeleteFunc(dep.mainWay().Calls(""), func(c bottest.BotCall) bool { return c.Params["chat_id"] == "" || c.Method == "read" })
	slices.SortStableFunc(all, func(a, b bottest.BotCall) int { return a.At.Compare(b.At) })
	pauses, others, smallest := 0, 0, time.Hour
	var first bottest.BotCall // the first refusal
	for i, refused := range all {
		if refused.Status != 429 {
			continue
		}
		pauses++
		if first.Status == 0 {
			first = refused
		}
		everybody := whole && (dep.ways[0] == byWhatsApp || refused.Params["chat_id"] != first.Params["chat_id"] && refused.At.Before(first.At.Add(pause)))
		for _, c := range all[i+1:] {
			margin := c.At.Sub(refused.At.Add(pause))
			switch {
			case c.Params["chat_id"] == refused.Params["chat_id"], everybody && c.At.Sub(refused.At) > underWay:
				smallest = min(smallest, margin)
				if margin < 0 {
					t.Errorf("%s to a chat %v before its pause was over", c.Method, -margin)
				}
			case margin < 0:
				others++
			}
		}
	}
	t.Logf("429 × %d: the next call that was to wait came %v after its pause at the earliest; %d calls to others meanwhile", pauses, smallest.Round(time.Millisecond), others)
	if pauses < want || pauses > 0 && smallest == time.Hour {
		t.Errorf("nothing was proved: %d calls refused, want %d, and what followed", pauses, want)
	}
}

// slowestAfter is how long after a moment the last of the chats that waited then had its next bubble.
func (dep *deployment) slowestAfter(back time.Time) (slowest time.Duration) {
	for _, p := range dep.people {
		said := dep.mainWay().Messages(p.chat)
		if i := slices.IndexFunc(said, func(m bottest.ChatMessage) bool { return m.At.After(back) }); i > 0 {
			slowest = max(slowest, said[i].At.Sub(back))
		}
	}
	return slowest
}
