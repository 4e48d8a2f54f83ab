package flows_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"llave/bot"
	"llave/flows"
)

// A plain yes that is typed again within a moment of the next question sends nothing, in whatever words and at whatever gap; later it
// answers that question. So it does at once where the question was not even sent.
func TestTyped_again(t *testing.T) {
	for _, tt := range []struct {
		first, second string
		gap           time.Duration
		unsent, sent  bool
	}{
		{"si", "si", 200 * time.Millisecond, false, false}, {"si", "Sí.", 500 * time.Millisecond, false, false},
		{"sí", "sip", time.Second, false, false}, {"1", "1", time.Second, false, false}, {"si", "👍", time.Second, false, false},
		{"si", "enviar enlace", 700 * time.Millisecond, false, false},
		{"si", "si", 2 * time.Second, false, true}, {"si", "ya", 2 * time.Second, false, true},
		{"si", "si", 20 * time.Second, true, false},
	} {
		t.Run(fmt.Sprint(tt.first, " ", tt.second, " ", tt.gap, " ", tt.unsent), func(t *testing.T) {
			k := at(t, flows.ConfirmNumber)
			k.owes = true
			k.c.Promises = nil
			k.says(tt.first)
			if k.c.State != flows.ReadyToSend {
				t.Fatalf("in %s, want %s", k.c.State, flows.ReadyToSend)
			}
			if !tt.unsent {
				k.c.Promises = nil
			}
			k.now = k.now.Add(tt.gap - 5*time.Second) // step moves it by 5 s
			k.says(tt.second)
			letters := slices.ContainsFunc(k.c.Promises, func(p bot.Promise) bool { return p.Kind() == bot.PromiseLink })
			if letters != tt.sent {
				t.Errorf("a letter owed: %t, want %t; in %s", letters, tt.sent, k.c.State)
			}
		})
	}
}

// What is pressed was read: at once it sends.
func TestTyped_pressed(t *testing.T) {
	k := at(t, flows.ConfirmNumber)
	k.says("si")
	k.now = k.now.Add(-4800 * time.Millisecond)
	k.step(bot.Update{Kind: bot.Press, Button: "send", Prompt: k.c.Prompt})
	if k.c.State != flows.LinkSent {
		t.Errorf("in %s, want %s", k.c.State, flows.LinkSent)
	}
}

// A bubble into which a number or a code was filled is not written anew, though the channel gives its words back: only its keyboard goes (P120).
func TestSpent_code(t *testing.T) {
	for _, number := range []string{"EXT-0001", "1710034065"} {
		k := at(t, flows.AskNumber)
		k.says(number)
		if k.c.State != flows.ConfirmNumber {
			t.Fatalf("in %s, want %s", k.c.State, flows.ConfirmNumber)
		}
		k.step(bot.Update{Kind: bot.Press, Button: "correct", Prompt: k.c.Prompt, Bubble: &bot.Bubble{ID: "7", Text: "Leo su código: EXT-0001. ¿Es correcto?"}})
		spent := 0
		for _, p := range k.c.Promises {
			if what, ok := p.What.(bot.Spend); ok {
				if spent++; what.Text != "" {
					t.Errorf("%s: the bubble becomes %q, want its keyboard gone and no more", number, what.Text)
				}
			}
		}
		if spent != 1 {
			t.Errorf("%s: %d bubbles change, want one", number, spent)
		}
	}
}
