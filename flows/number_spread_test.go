package flows_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"llave/bot"
	"llave/flows"
	"llave/internal/affiliate"
	"llave/internal/bottest"
)

// mostShown is how many digits of a number stand in clear in all lines together.
const mostShown = 7

// shownOf is how many digits of a number can be read in lines that a person wrote one after the other: in runs of three and more, in one
// line or in several that hold nothing else, and in what a mask leaves.
func shownOf(number string, lines []string) int {
	var runs []string
	joined := []string{}
	for _, line := range lines {
		runs = append(runs, strings.FieldsFunc(strings.ReplaceAll(line, " ", ""), func(r rune) bool { return !unicode.IsDigit(r) })...)
		switch d := digitsOf(line); {
		case strings.Contains(line, "•") || d == "":
		case strings.ContainsFunc(strings.ReplaceAll(line, "mi cédula es", ""), unicode.IsLetter):
			joined = nil
		default:
			joined = append(joined, d)
			for i := range joined {
				runs = append(runs, strings.Join(joined[i:], ""))
			}
		}
		if mask := affiliate.Mask(number); strings.Contains(line, mask) {
			runs = append(runs, number[:3]+"|", "|"+number[8:])
		}
	}
	shown := make([]bool, len(number))
	for _, run := range runs {
		switch {
		case strings.HasSuffix(run, "|"):
			copy(shown, []bool{true, true, true})
			continue
		case strings.HasPrefix(run, "|"):
			copy(shown[8:], []bool{true, true})
			continue
		}
		for n := min(len(run), len(number)); n >= 3; n-- { // all of a run that the number holds
			for i := 0; i+n <= len(run); i++ {
				for at := 0; at+n <= len(number); at++ {
					if number[at:at+n] == run[i:i+n] {
						for k := range n {
							shown[at+k] = true
						}
					}
				}
			}
		}
	}
	count := 0
	for _, is := range shown {
		if is {
			count++
		}
	}
	return count
}

// Whatever parts of a number, whole numbers, slips and edits of them come, in whatever order: where the number was given, at most seven
// digits of it stand in what is kept of the conversation.
func TestSpread_neverInClear(t *testing.T) {
	t.Parallel()
	sweep := bottest.NewSweep(t)
	places := []bot.State{flows.AskNumber, flows.Menu, flows.Welcome, flows.ConfirmNumber, flows.LinkSent, flows.KeyStep2, flows.Complaining, "agent"}
	given := 0
	faults := 0
	for seed := range sweep.Cases(4000, 400) {
		r := rand.New(rand.NewPCG(uint64(seed)+sweep.Seed*4000, 15))
		place := places[seed%len(places)]
		var k *talk
		if place == "agent" {
			k = heldTalk(t, flows.Menu)
		} else {
			k = at(t, place)
		}
		k.c.Tail = nil
		kept := map[int64]bot.Line{}
		var says []string
		var ids []string
		whole := false
		for range 2 + r.IntN(8) {
			words := partly(r)
			u := wrote(words)
			u.MessageID = fmt.Sprint("m", len(says))
			if len(ids) > 0 && r.IntN(5) == 0 {
				u.Kind, u.MessageID = bot.Edited, ids[r.IntN(len(ids))]
			} else {
				ids = append(ids, u.MessageID)
			}
			pause := []time.Duration{300 * time.Millisecond, 2 * time.Second, 10 * time.Second, time.Minute}[r.IntN(4)]
			k.now = k.now.Add(pause - 5*time.Second)
			says = append(says, fmt.Sprintf("%s %q", u.Kind, words))
			k.step(u)
			for _, p := range k.c.Promises {
				if owed, ok := p.What.(bot.KeepLines); ok {
					for _, l := range owed.Lines {
						kept[l.Seq] = l
					}
				}
			}
			whole = whole || strings.Contains(digitsOf(words), known)
			for _, slot := range []string{"given", "number"} {
				if n, err := flows.OpenSlot(k.v, k.c, slot); err == nil && n == known && place != flows.ConfirmNumber && place != flows.LinkSent && place != flows.KeyStep2 {
					whole = true
				}
			}
			if !whole {
				continue
			}
			given++
			var lines, agents []string
			for _, l := range k.c.Tail {
				if l.From == bot.FromPerson {
					lines = append(lines, l.Text)
				}
			}
			for _, seq := range slices.Sorted(maps.Keys(kept)) {
				if kept[seq].From == bot.FromPerson {
					agents = append(agents, kept[seq].Text)
				}
			}
			for name, all := range map[string][]string{"transcript": lines, "an agent's lines": agents} {
				if n := shownOf(known, all); n > mostShown && faults < 5 {
					faults++
					t.Errorf("seed %d, %s, %s: %d digits in clear in %q after %q", seed, place, name, n, all, says)
				}
			}
		}
	}
	if given == 0 {
		t.Error("no number was ever given")
	}
}

// partly is what somebody writes who gives the known number, all of it or a part, with a slip or without.
func partly(r *rand.Rand) string {
	said := known
	switch from := r.IntN(10); {
	case r.IntN(3) > 0:
		said = known[from:min(from+1+r.IntN(8), len(known))]
	case r.IntN(3) == 0:
		at := r.IntN(len(known))
		said = known[:at] + string('0'+(known[at]-'0'+1)%10) + known[at+1:]
	}
	switch r.IntN(8) {
	case 0:
		return "mi cédula es " + said
	case 1:
		return "gracias"
	case 2:
		return "no sé cómo hacerlo"
	}
	return said
}
