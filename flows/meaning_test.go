package flows_test

import (
	"slices"
	"testing"

	"llave/bot"
	"llave/flows"
	"llave/flows/understand"
	"llave/internal/bottest"
)

// Whatever is said wherever, it is answered, and nothing that cannot be taken back comes of a sentence that is about
// something else: no mail is promised, nothing is erased or cancelled, no number is confirmed. Each state hears every
// fourth sentence, another fourth than the state before it; in a small sweep every tenth of those.
func TestMeaning_everywhere(t *testing.T) {
	t.Parallel()
	sweep := bottest.NewSweep(t)
	list := append(sentences(t, "testdata/understand.csv"), sentences(t, "testdata/understand_held_out.csv")...)
	turn := 0
	everywhere(t, func(t *testing.T, s bot.State) {
		if newEngine(t).Place(s).Is(bot.FreeText) {
			return // whatever is written there is what was asked for
		}
		base := at(t, s)
		turn++
		for i, c := range list {
			if (i+turn)%4 != 0 || !sweep.Takes(i/4, 10) {
				continue
			}
			k := *base
			k.c = base.c.Clone()
			out := k.says(c.text)
			if !k.said {
				t.Errorf("%q: no answer", c.text)
			}
			for _, p := range k.c.Promises {
				if p.Lane() == bot.LaneMail && !slices.Contains([]string{"send", "yes"}, c.intent) && !opens[c.text] {
					t.Errorf("%q: a mail was promised (%s)", c.text, out.Event)
				}
			}
			switch {
			case out.Event == flows.Erased && !slices.Contains([]string{"erase", "yes"}, c.intent):
				t.Errorf("%q: erased", c.text)
			case out.Event == flows.Cancelled && c.intent != "cancel":
				t.Errorf("%q: cancelled", c.text)
			case slices.Contains([]bot.Event{flows.Eligible, flows.NotEligible}, out.Event) && c.intent != "yes":
				t.Errorf("%q: a number was confirmed", c.text)
			}
		}
	})
}

// opens are sentences that ask for a link where one is offered, though not elsewhere.
var opens = map[string]bool{"otra vez porfa": true}

// Every button that is offered when something was not clear leads somewhere, in every state. A small sweep
// tries a tenth of what is not clear in each.
func TestMeaning_offered(t *testing.T) {
	t.Parallel()
	sweep := bottest.NewSweep(t)
	u := understanding(t)
	var list []told
	for _, c := range sentences(t, "testdata/understand.csv") {
		if u.Read(c.text).Outcome == understand.Unsure {
			list = append(list, c)
		}
	}
	if len(list) == 0 {
		t.Fatal("nothing is asked")
	}
	turn := 0
	everywhere(t, func(t *testing.T, s bot.State) {
		base, asked := at(t, s), map[string]bool{}
		turn++
		for i, c := range list {
			if !sweep.Takes(i+turn, 10) {
				continue
			}
			k := *base
			k.c = base.c.Clone()
			if out := k.says(c.text); out.Event != flows.Unclear {
				continue
			}
			for _, b := range k.c.Shown {
				pressed := k
				pressed.c = k.c.Clone()
				if asked[b] {
					continue
				}
				asked[b] = true
				if out := pressed.step(bot.Update{Kind: bot.Press, Button: b, Prompt: k.c.Prompt}); !pressed.said || out.Event == bot.Missed || out.Event == bot.StaleButton {
					t.Errorf("%q, then [%s]: %s (answered: %v)", c.text, b, out.Event, pressed.said)
				}
			}
		}
	})
}
