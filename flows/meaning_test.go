package flows_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"llave/bot"
	"llave/flows"
	"llave/flows/meaning"
	"llave/internal/bottest"
)

// sentences are those of strangers, with their meanings.
func sentences(t testing.TB) []meaning.Said {
	t.Helper()
	e, err := meaning.ReadExamples("said")
	if err != nil {
		t.Fatal(err)
	}
	return e.Said
}

// undone is what must not come of a sentence that asked for something else: by event, the meanings that may lead to it.
var undone = map[bot.Event][]string{
	flows.Erased: nil, flows.Cancelled: nil, flows.Declined: {"no"}, // by a button or a bare word only
	flows.Eligible: {"yes"}, flows.NotEligible: {"yes"}, flows.Unsaid: {"yes"},
}

// bare are words that are buttons or hold everywhere: what they do is asked for, whatever their writer meant.
var bare = []string{"cancelar", "cancele", "cancel", "no", "no quiero", "mejor no", "no gracias", "borrar", "sí", "si", "yes", "no thanks", "ok thanks", "dale"}

// opens are sentences that ask for a link where one is offered, though not where their writer said them.
var opens = map[string]bool{"new one pls": true, "otra vez": true}

// Whatever is said wherever, it is answered, and nothing that cannot be taken back comes of a sentence that is about
// something else: no mail is promised, nothing is erased or cancelled, no number is confirmed. 10,000 sentences are said in
// states drawn at random, in a small sweep a hundredth of them.
func TestMeaning_everywhere(t *testing.T) {
	t.Parallel()
	sweep := bottest.NewSweep(t)
	list := sentences(t)
	dice := rand.New(rand.NewPCG(11, 11))
	var states []bot.State
	bases := map[bot.State]*talk{}
	for _, s := range newEngine(t).States() {
		if s != flows.Start && s != flows.Group && !newEngine(t).Place(s).Is(bot.FreeText) && !inDesk(s) {
			states, bases[s] = append(states, s), at(t, s)
		}
	}
	for i := range 10_000 {
		said, s := list[dice.IntN(len(list))], states[dice.IntN(len(states))]
		if !sweep.Takes(i, 100) {
			continue
		}
		k := *bases[s]
		k.t, k.c = t, bases[s].c.Clone()
		out := k.says(said.Text)
		if !k.said {
			t.Errorf("%s, %q: no answer", s, said.Text)
		}
		for _, p := range k.c.Promises {
			if p.Lane() == bot.LaneMail && !slices.Contains([]string{"send", "resend", "yes", "link_dead", "found_mail"}, said.Meaning) && !opens[said.Text] {
				t.Errorf("%s, %q (%s): a mail was promised (%s)", s, said.Text, said.Meaning, out.Event)
			}
		}
		if may, harms := undone[out.Event]; harms && !slices.Contains(may, said.Meaning) && !slices.Contains(bare, strings.Trim(bot.Fold(said.Text), ".!")) {
			t.Errorf("%s, %q (%s): %s", s, said.Text, said.Meaning, out.Event)
		}
	}
}

// Every button that an answer brings leads somewhere, in every state: those of what was not clear, and those of a question
// that an answer asks. Each state is told every twentieth sentence, another twentieth than the one before; a small sweep
// tries a sixtieth of those.
func TestMeaning_offered(t *testing.T) {
	t.Parallel()
	sweep := bottest.NewSweep(t)
	list := sentences(t)
	turn, asked := 0, 0
	everywhere(t, func(t *testing.T, s bot.State) {
		base, pressed := at(t, s), map[string]bool{}
		turn++
		for i, c := range list {
			if (i+turn)%20 != 0 || !sweep.Takes(i/20, 60) {
				continue
			}
			k := *base
			k.c = base.c.Clone()
			out := k.says(c.Text)
			if k.c.State != s || out.Event != flows.Unclear && slices.Equal(k.c.Shown, base.c.Shown) {
				continue
			}
			asked++
			for _, b := range k.c.Shown {
				if pressed[k.c.Text+b] {
					continue
				}
				pressed[k.c.Text+b] = true
				next := k
				next.c = k.c.Clone()
				if out := next.step(bot.Update{Kind: bot.Press, Button: b, Prompt: k.c.Prompt}); !next.said || out.Event == bot.Missed || out.Event == bot.StaleButton {
					t.Errorf("%q, then [%s]: %s (answered: %v)", c.Text, b, out.Event, next.said)
				}
			}
		}
	})
	if asked == 0 {
		t.Error("nothing is asked")
	}
}

// signs are a yes without a word.
var signs = []string{"👍", "👌", "✅"}

// Nothing is begun before a person has agreed to go on: whatever is said first or at the greeting, no number is looked up and
// no mail is promised. What may come is the question about the terms again, the choice of a language, or somebody who helps.
// Agreed is by [Continuar], by one of its words ("adelante", "go ahead"), or by a plain yes, in either language; what is only
// likely to mean yes agrees to nothing. A small sweep tries a hundredth.
func TestMeaning_beforeTerms(t *testing.T) {
	t.Parallel()
	sweep := bottest.NewSweep(t)
	welcome := at(t, flows.Welcome)
	agrees := *welcome
	agrees.t, agrees.c = t, welcome.c.Clone()
	agreed := agrees.step(bot.Update{Kind: bot.Press, Button: "continue", Prompt: agrees.c.Prompt}).Event
	for i, c := range sentences(t) {
		if !sweep.Takes(i, 100) {
			continue
		}
		greeted := *welcome
		greeted.t, greeted.c = t, welcome.c.Clone()
		for _, k := range []*talk{newTalk(t), &greeted} {
			before := k.c.State
			out := k.says(c.Text)
			for _, p := range k.c.Promises {
				if p.Lane() == bot.LaneMail {
					t.Errorf("%s, %q: a mail is promised", before, c.Text)
				}
			}
			place := k.e.Place(k.c.State)
			yes := before == flows.Welcome && out.Event == agreed && (isLabel(k.e, c.Text, "continue", "yes", "word_nod") || slices.Contains(signs, c.Text))
			if yes || place.Is(flows.BeforeTerms) || k.c.State == flows.Language || k.c.State == flows.OfferPerson || helped(k.c.State) {
				continue
			}
			t.Errorf("%s, %q (%s): %s leads to %s", before, c.Text, c.Meaning, out.Event, k.c.State)
		}
	}
}
