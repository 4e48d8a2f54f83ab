package app_test

import (
	"testing"
	"time"

	"llave/internal/bottest/world"
	"llave/internal/handoff"
)

// An agent sees beside their words what the channel says of them: WhatsApp that they were taken, are on the device, were read, in whatever
// order and as often as it says it; Telegram that they were taken (P764).
func TestMarks(t *testing.T) {
	for _, on := range []world.Channel{world.Telegram, world.WhatsApp} {
		t.Run(on.Name, func(t *testing.T) {
			w := world.NewOn(t, on, onePerson)
			deed := taken(t, w)
			if w.Graph != nil {
				w.Graph.Statuses() // it says nothing by itself from here on
			}
			said := map[string]int64{}
			for _, words := range []string{"Buenos días, le ayudo.", "¿Ya abrió su correo?"} {
				deed.Once = words
				if err := w.App.Desk.Say(t.Context(), deed, words); err != nil {
					t.Fatal(err)
				}
				w.Later(10 * time.Second)
			}
			mark := func(words string) string {
				t.Helper()
				of, err := w.App.Desk.Find(t.Context(), deed.Ref)
				if err != nil {
					t.Fatal(err)
				}
				lines, err := w.App.Desk.Lines(t.Context(), deed.Ref, 0)
				if err != nil {
					t.Fatal(err)
				}
				marks, err := w.App.Desk.Marks(t.Context(), of, lines)
				if err != nil {
					t.Fatal(err)
				}
				for _, l := range lines {
					if l.Text == words {
						said[words] = l.Seq
					}
				}
				return marks[said[words]]
			}
			for words := range map[string]bool{"Buenos días, le ayudo.": true, "¿Ya abrió su correo?": true} {
				if got := mark(words); got != handoff.ArrivedSent {
					t.Errorf("%q: %q, want sent", words, got)
				}
			}
			if w.Graph == nil {
				return
			}
			all := w.Phone.Messages(world.Chat)
			report := func(message int, status string) {
				t.Helper()
				if err := w.Graph.Report(world.Chat, message, status, 0); err != nil {
					t.Fatal(err)
				}
				w.Settle()
			}
			first, second := all[len(all)-2], all[len(all)-1]
			report(first.ID, "delivered")
			if got := mark(first.Text); got != handoff.ArrivedThere {
				t.Errorf("%q: %q, want delivered", first.Text, got)
			}
			report(first.ID, "read")
			report(first.ID, "delivered")
			if got := mark(first.Text); got != handoff.ArrivedRead {
				t.Errorf("%q: %q, want read", first.Text, got)
			}
			if got := mark(second.Text); got != handoff.ArrivedSent {
				t.Errorf("%q: %q, though nothing was said of it", second.Text, got)
			}
		})
	}
}

// taken has Ana take the case of somebody who asked for a person, and returns what she did.
func taken(t *testing.T, w *world.World) handoff.Deed {
	t.Helper()
	w.Say("hola")
	ana := w.Agent("ana", false)
	w.Say("persona")
	deed := handoff.Deed{Once: "1", Actor: ana, Ref: w.Case(world.Chat).Ref}
	if err := w.App.Desk.Claim(t.Context(), deed); err != nil {
		t.Fatal(err)
	}
	w.Settle()
	return deed
}
