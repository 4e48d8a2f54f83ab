package flows

import (
	"time"

	"llave/bot"
	"llave/internal/secret"
)

// NewWith is New with a place added to the map, and a row that leads there.
func NewWith(o Options, more bot.Place, leads bot.Row) (*bot.Engine, error) {
	return build(o, func(f *flow) []bot.Place {
		places := append(f.places(), more)
		for i := range places {
			if places[i].State == bot.Any {
				places[i].Rows = append(places[i].Rows, leads)
			}
		}
		return places
	})
}

// ReadMoment is when words mean.
func ReadMoment(said string, now time.Time, asked bool) (time.Time, bool) {
	m, ok := readMoment(said, now, asked)
	return m.at, ok
}

// ReadMomentOf is when words mean that are said of a day.
func ReadMomentOf(said string, now, day time.Time) (time.Time, bool) {
	m, ok := readMomentOf(said, now, true, day)
	return m.at, ok
}

// OpenComplaint opens what a conversation has of a complaint that is not filed yet.
func OpenComplaint(v *secret.Vault, c bot.Conversation) (string, error) {
	return OpenSlot(v, c, slotComplaint)
}

// OpenSlot opens what a slot of a conversation keeps sealed.
func OpenSlot(v *secret.Vault, c bot.Conversation, slot string) (string, error) {
	return v.Open(secret.Slots[slot].Of(c.ID), c.Slots[slot])
}

// Tellable is what is kept of a sentence.
var Tellable = tellable

// MakesSentence says whether a text is more than loose words.
func MakesSentence(said string) bool { return sentence.MatchString(bot.Fold(said)) }

// Patterns are the largest.
var Patterns = map[string]pattern{"danger": danger, "cry": cry, "figurative": figurative, "mourned": mourned}

// PartsOf are texts one of which stands in whatever an expression matches.
func PartsOf(expr string) []string { return newPattern(expr).parts }

// WordsOfDanger says whether words of danger are found in a sentence, without the model.
func WordsOfDanger(said string) bool { return cries(literally(bot.Fold(said))) }

// Writes is the language that something is plainly written in, or "".
var Writes = writes

// What somebody who waits says that is not an agent's to answer.
var SaysNeedsNobody, SaysAsksTheWait = saysNeedsNobody, saysAsksTheWait

// ParseCatalogue reads the file of a language.
var ParseCatalogue = parse
