package handoff

import (
	"iter"

	"llave/bot"
)

// wordsMost is how many of the person's last words a list is given: the last ones may only ask for somebody.
const wordsMost = 3

// Glimpse is what a list shows of what was said.
type Glimpse struct {
	Words  []string // the person's last words, the latest first
	Unread int      // messages of theirs that no agent has answered
}

// GlimpseOf reads the lines of a case from the latest one back, no further than it must.
func GlimpseOf(h bot.Handoff, back iter.Seq[bot.Line]) (g Glimpse) {
	counting := true
	for l := range back {
		switch {
		case l.From == bot.FromAgent, !h.Held() && !l.At.After(h.Asked):
			counting = false
		case l.From == bot.FromPerson && counting:
			g.Unread++
		}
		if l.From == bot.FromPerson && len(g.Words) < wordsMost {
			g.Words = append(g.Words, l.Text)
		}
		if !counting && len(g.Words) == wordsMost {
			break
		}
	}
	return g
}
