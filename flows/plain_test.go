package flows_test

import (
	"testing"

	"llave/bot"
	"llave/flows"
)

// The plainest sentences are understood: who was treated badly, and who cannot get in to their account.
func TestPlain(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]bot.State{
		"no me quieren atender en la oficina de Quito, es un abuso": flows.Complaining, "nadie quiso atenderme": flows.Complaining, "el guardia me gritó": flows.Complaining,
		"me trataron muy mal en el seguro": flows.Complaining, "se negaron a atenderme": flows.Complaining,
		"the guard shouted at me": flows.Complaining, "they treated me very badly": flows.Complaining, "nobody wanted to serve me": flows.Complaining,
		"hi, i can't log in to my account": flows.AskNumber, "good morning, i can't log in": flows.AskNumber, "my account won't let me log in": flows.AskNumber, "I cannot sign in anymore": flows.AskNumber,
	} {
		if k := at(t, flows.Menu); k.says(said).To != want {
			t.Errorf("%q: %s, %q", said, k.c.State, k.reply.Text)
		}
	}
}
