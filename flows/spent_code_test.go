package flows_test

import (
	"testing"

	"llave/bot"
	"llave/flows"
)

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
