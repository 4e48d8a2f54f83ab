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
		"no me quieren atender en la oficina de Quito, es un abuso": flows.ComplaintRead, "nadie quiso atenderme": flows.ComplaintRead, "el guardia me gritó": flows.ComplaintRead,
		"me trataron muy mal en el seguro": flows.ComplaintRead, "se negaron a atenderme": flows.ComplaintRead,
		"the guard shouted at me": flows.ComplaintRead, "they treated me very badly": flows.ComplaintRead, "nobody wanted to serve me": flows.ComplaintRead,
		"hi, i can't log in to my account": flows.AskNumber, "good morning, i can't log in": flows.AskNumber, "my account won't let me log in": flows.AskNumber, "I cannot sign in anymore": flows.AskNumber,
	} {
		if k := at(t, flows.Menu); k.says(said).To != want {
			t.Errorf("%q: %s, %q", said, k.c.State, k.reply.Text)
		}
	}
}
