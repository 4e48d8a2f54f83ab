package bot_test

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"llave/bot"
)

// A second tap of the button that was just answered is answered with nothing, and is no miss; later, or after something else,
// it is a button of an older question (P120).
func TestStep_doubleTap(t *testing.T) {
	for _, tt := range []struct {
		name    string
		between func(k *talk)
		want    bot.Event
	}{
		{"at once", func(*talk) {}, bot.Ignored},
		{"nine seconds later", func(k *talk) { k.now = k.now.Add(9 * time.Second) }, bot.Ignored},
		{"ten seconds later", func(k *talk) { k.now = k.now.Add(10 * time.Second) }, bot.StaleButton},
		{"a third time", func(k *talk) { k.step(bot.Update{Kind: bot.Press, Button: "yes", Prompt: 1}) }, bot.Ignored},
		{"after a word", func(k *talk) { k.says("ayuda") }, bot.StaleButton},
		{"after another button", func(k *talk) { k.step(bot.Update{Kind: bot.Press, Button: "no", Prompt: 1}) }, bot.StaleButton},
		{"after a signal", func(k *talk) { k.step(bot.Update{Kind: bot.Signal, Signal: "told"}) }, bot.Ignored},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := newTalk(t)
			k.says("hola")
			press := bot.Update{Kind: bot.Press, Button: "yes", Prompt: k.c.Prompt}
			if out := k.step(press); out.To != "Hall" {
				t.Fatalf("pressed: got %s in %s", out.Event, out.To)
			}
			tt.between(k)
			owed, said := len(k.c.Promises), len(k.c.Tail)
			out := k.step(press)
			if out.Event != tt.want || out.To != "Hall" || k.c.Misses != 0 {
				t.Errorf("again: got %s in %s with %d misses, want %s in Hall", out.Event, out.To, k.c.Misses, tt.want)
			}
			if quiet := len(k.c.Promises) == owed && len(k.c.Tail) == said; quiet != (tt.want == bot.Ignored) {
				t.Errorf("again: %s, quiet %t", out.Event, quiet)
			}
		})
	}
}

// A button whose question still stands may be pressed again on purpose, but not within two seconds.
func TestStep_doubleTapStands(t *testing.T) {
	k := newTalk(t)
	k.says("hola")
	k.c.Misses, k.c.Shown = 0, []string{"odd"} // which no ear of the place knows
	press := bot.Update{Kind: bot.Press, Button: "odd", Prompt: k.c.Prompt}
	for i, want := range []bot.Event{bot.Missed, bot.Ignored, bot.Missed} {
		if i == 2 {
			k.now = k.now.Add(2 * time.Second)
		}
		if out := k.step(press); out.Event != want {
			t.Errorf("press %d: got %s, want %s", i+1, out.Event, want)
		}
	}
}

func spends(c bot.Conversation) (all []bot.Spend) {
	for _, p := range c.Promises {
		if s, ok := p.What.(bot.Spend); ok {
			all = append(all, s)
		}
	}
	return all
}

// The keyboard of a question that was answered is to be taken off, and the choice stays readable; not where the question still
// stands, or the channel does not say which bubble it was.
func TestStep_spend(t *testing.T) {
	links := []bot.Button{{Title: "Portal", URL: "https://www.iess.gob.ec"}}
	for _, tt := range []struct {
		name   string
		u      bot.Update
		bubble *bot.Bubble
		want   []bot.Spend
	}{
		{"answered", bot.Update{Button: "yes"}, &bot.Bubble{ID: "7", Text: "¿Entra?", Links: links}, []bot.Spend{{Bubble: "7", Text: "¿Entra?\n\n✓ Sí", Links: links}}},
		{"its text may not be written", bot.Update{Button: "yes"}, &bot.Bubble{ID: "7"}, []bot.Spend{{Bubble: "7"}}},
		{"it holds a number", bot.Update{Button: "yes"}, &bot.Bubble{ID: "7", Text: "¿Es 1790000002?"}, []bot.Spend{{Bubble: "7"}}},
		{"which bubble is not said", bot.Update{Button: "yes"}, nil, nil},
		{"an older one", bot.Update{Button: "yes", Prompt: -1}, &bot.Bubble{ID: "7", Text: "x"}, nil},
		{"not understood", bot.Update{Button: "odd"}, &bot.Bubble{ID: "7", Text: "x"}, nil},
		{"typed", bot.Update{Kind: bot.Text, Text: "sí"}, &bot.Bubble{ID: "7", Text: "x"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := newTalk(t)
			k.says("hola")
			k.c.Shown = append(k.c.Shown, "odd")
			u := tt.u
			u.Bubble, u.Prompt = tt.bubble, k.c.Prompt+u.Prompt
			if u.Kind == "" {
				u.Kind = bot.Press
			}
			k.step(u)
			if got := spends(k.c); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("owed %+v, want %+v", got, tt.want)
			}
			for _, p := range k.c.Promises {
				if p.Kind() == bot.PromiseSpend && !p.Until.Equal(k.now.Add(time.Minute)) {
					t.Errorf("worth something until %v, want a minute", p.Until)
				}
			}
			k.step(bot.Update{Kind: bot.Blocked})
			if got := spends(k.c); got != nil || slices.ContainsFunc(k.c.Promises, func(p bot.Promise) bool { return p.Lane() == bot.LaneChat }) {
				t.Errorf("blocked: still owed %+v", k.c.Promises)
			}
		})
	}
}
