package flows_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"llave/bot"
	"llave/flows"
	"llave/internal/bottest"
)

// Whatever somebody does while they wait for a link, and after it was used: nothing leads back to waiting for it, nor, once the key was
// made, to its steps; and what is known of the two is known until they begin anew. A small sweep tries a fifth.
func TestBack_used(t *testing.T) {
	t.Parallel()
	sweep := bottest.NewSweep(t)
	asides := []string{"idioma", "español", "atención presencial", "queja", "me trataron mal en la oficina", "recuérdeme", "recuérdeme en una hora", "mis datos", "estado",
		"repetir", "ayuda", "atrás", "blabla", "no me llega", "cómo abro mi correo", "english", "cancelar el recordatorio", "gracias"}
	waits := func(s bot.State) bool {
		return slices.Contains(flows.Marked(flows.LinkLives), s) || slices.Contains(flows.Marked(flows.LinkOver), s)
	}
	steps := flows.Marked(flows.InKey)
	steps = slices.DeleteFunc(steps, func(s bot.State) bool { return slices.Contains(flows.Marked(flows.KeyMadeBy), s) })
	aside, made := 0, 0
	for i := range 1000 {
		if !sweep.Takes(i, 5) {
			continue
		}
		dice := rand.New(rand.NewPCG(15, uint64(i)))
		k := at(t, flows.LinkSent)
		says := func(n int) (said []string) {
			for range n {
				words := asides[dice.IntN(len(asides))]
				k.says(words)
				said = append(said, words)
			}
			return said
		}
		said := says(dice.IntN(6))
		if k.c.Slots["rests"] == "" && k.c.Slots["record"] == "" {
			continue // they gave up
		}
		if !waits(k.c.State) {
			aside++
		}
		k.signal(bot.SignalLinkUsed)
		said = append(said, "used")
		key := dice.IntN(2) == 0
		if key {
			said = append(said, says(dice.IntN(4))...)
			if k.c.Slots["used"] != "" {
				k.signal(bot.SignalKeyMade)
				made++
			}
			said = append(said, "made")
		}
		for range 6 {
			said = append(said, says(1)...)
			if k.c.Slots["used"] == "" {
				break // begun anew
			}
			if waits(k.c.State) || slices.ContainsFunc(k.c.Back, waits) {
				t.Fatalf("%d: %s: in %s, back to %v", i, strings.Join(said, " > "), k.c.State, k.c.Back)
			}
			if key && k.c.Slots["made"] != "" && slices.Contains(steps, k.c.State) {
				t.Fatalf("%d: %s: the key was made, and in %s", i, strings.Join(said, " > "), k.c.State)
			}
		}
	}
	if least := sweep.Of(100, 10); aside < least || made < least {
		t.Errorf("%d were elsewhere, %d keys were made: this test sees too little", aside, made)
	}
}
