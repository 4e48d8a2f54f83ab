package flows_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"llave/bot"
	"llave/flows"
	"llave/internal/bottest"
)

// flood sends messages without a pause, and says how many were answered and how many lines of the person were kept for an agent.
func (k *talk) flood(n int, u func(i int) bot.Update) (answers, kept int) {
	k.t.Helper()
	began := k.now
	for i := range n {
		k.now = k.now.Add(-5*time.Second + 20*time.Millisecond) // step moves it by 5 s
		k.step(u(i))
		if k.said {
			answers++
		}
		for _, p := range k.c.Promises {
			if lines, ok := p.What.(bot.KeepLines); ok {
				for _, l := range lines.Lines {
					if l.From == bot.FromPerson && l.At.After(began) { // what was said before comes along when a case is opened
						kept++
					}
				}
			}
		}
	}
	return answers, kept
}

// The limit of messages holds in every state (P304): of sixty in a second twenty are answered, one more answer says that it
// is too fast, and at the desk no more than twenty are kept, whatever is sent. A small sweep sends an eighth of it all.
func TestFlood(t *testing.T) {
	t.Parallel()
	sweep := bottest.NewSweep(t)
	sent := map[string]func(i int) bot.Update{
		"estado":  func(int) bot.Update { return bot.Update{Kind: bot.Text, Text: "estado"} },
		"menú":    func(int) bot.Update { return bot.Update{Kind: bot.Text, Text: "menú"} },
		"words":   func(i int) bot.Update { return bot.Update{Kind: bot.Text, Text: fmt.Sprint("ayúdeme por favor ", i)} },
		"ok":      func(int) bot.Update { return bot.Update{Kind: bot.Text, Text: "ok"} },
		"long":    func(int) bot.Update { return bot.Update{Kind: bot.Text, Text: strings.Repeat("palabra ", 450)} },
		"a photo": func(int) bot.Update { return bot.Update{Kind: bot.Media, Media: "photo"} },
		"a voice": func(int) bot.Update { return bot.Update{Kind: bot.Media, Media: "voice"} },
		"a press": func(int) bot.Update { return bot.Update{Kind: bot.Press, Button: "menu", Prompt: 1} },
	}
	talks := map[string]func(t testing.TB) *talk{
		"in the queue": func(t testing.TB) *talk {
			k, _ := staffedTalk(t)
			k.says("hola")
			k.says("sí")
			k.says("persona")
			return k
		},
		"with an agent": func(t testing.TB) *talk { return heldTalk(t, flows.LinkSent) },
		"leaving":       func(t testing.TB) *talk { k := heldTalk(t, flows.LinkSent); k.says("menú"); return k },
	}
	for state := range roads {
		talks[string(state)] = func(t testing.TB) *talk { return at(t, state) }
	}
	for i, where := range slices.Sorted(maps.Keys(talks)) {
		for j, what := range slices.Sorted(maps.Keys(sent)) {
			if !sweep.Takes(i+j, len(sent)) { // each state with one, another each day
				continue
			}
			k, u := talks[where](t), sent[what]
			k.now = k.now.Add(time.Minute)
			answers, kept := k.flood(60, u)
			if answers > 21 {
				t.Errorf("%s, %s: %d answers, want 21 at most", where, what, answers)
			}
			if kept > 20 {
				t.Errorf("%s, %s: %d lines kept, want 20 at most", where, what, kept)
			}
		}
	}
}

// What is written to an agent is kept within the limit, and the person is told once a minute, not each time, that it was more;
// a case that has a thousand lines takes no more, and can be left.
func TestFlood_toldOnce(t *testing.T) {
	t.Parallel()
	k := heldTalk(t, flows.LinkSent)
	k.now = k.now.Add(time.Minute)
	words := func(i int) bot.Update { return bot.Update{Kind: bot.Text, Text: fmt.Sprint("mensaje ", i)} }
	answers, kept := k.flood(200, words)
	if answers != 1 || kept != 20 || !strings.Contains(k.reply.Text, "en un solo mensaje") {
		t.Errorf("200 messages at once: %d answers and %d kept, want 1 and 20", answers, kept)
	}
	all, told := kept, 0
	for range 80 {
		k.now = k.now.Add(time.Minute)
		answers, kept = k.flood(20, words)
		all, told = all+kept, told+answers
	}
	if all < 500 || all > 1000 || told != 1 {
		t.Errorf("hour after hour: %d lines of the person are kept and they were told %d times, want 1,000 at most and once", all, told)
	}
	k.now = k.now.Add(time.Minute)
	if k.says("menú"); k.c.State != flows.LeaveSure || !k.said {
		t.Errorf("\"menú\" in a full case: in %s, answered %t", k.c.State, k.said)
	}
	if k.says("sí"); k.c.State != flows.Menu || !k.said {
		t.Errorf("\"sí\" to leaving it: in %s, answered %t", k.c.State, k.said)
	}
}

// Of answers that say the same, and wait where many do, the last is enough, but for the first, which may be on its way; what stands
// between them is said.
func TestFlood_overtaken(t *testing.T) {
	for _, tt := range []struct {
		says []string
		want int
	}{
		{[]string{"estado", "estado", "estado", "estado", "estado", "estado"}, 2},
		{[]string{"estado", "ayuda", "estado", "ayuda", "estado"}, 3},
	} {
		k := at(t, flows.LinkSent)
		c := k.c
		c.Promises = nil
		for i, text := range tt.says {
			var err error
			c, _, err = k.e.Step(t.Context(), c, bot.Update{ID: fmt.Sprint("f", i), Channel: "telegram", Chat: "1", Kind: bot.Text, Text: text}, bot.Env{Now: k.now})
			if err != nil {
				t.Fatal(err)
			}
		}
		said := 0
		for _, p := range c.Promises {
			if p.Kind() == bot.PromiseSay {
				said++
			}
		}
		if said != tt.want {
			t.Errorf("%q: %d answers wait, want %d", tt.says, said, tt.want)
		}
	}
}
