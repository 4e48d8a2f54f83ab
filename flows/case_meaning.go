package flows

import (
	"slices"

	"llave/bot"
)

// wordsForMeaning is how many of the person's last messages are looked at for what a case is about.
const wordsForMeaning = 3

// ofNoUse are meanings that say nothing of what a case is about, or much of whom it is about: what people tell of their health, their
// age or their family is in no figures.
var ofNoUse = []string{
	"person", "yes", "no", "menu", "back", "repeat", "help", "cancel", "wait", "number", "correct", "remind", "slow", "english", "other_language", "bot",
	"hello", "thanks", "goodbye", "not_understood", "upset", "out_of_scope",
	"deaf", "low_vision", "cannot_read", "voice", "minor", "deceased", "survivor", "relative", "emergency", "passport",
}

// caseMeaning is what the person's last words came to, for the figures of the desk: the latest that the model is sure of; "" where
// it is of none.
func (f *flow) caseMeaning(t *bot.Turn) string {
	said := []string{t.Text()}
	for _, l := range slices.Backward(t.Conv.Tail) {
		if l.From == bot.FromPerson && len(said) < wordsForMeaning {
			said = append(said, l.Text)
		}
	}
	for _, words := range said {
		if words == "" {
			continue
		}
		may := f.model.Read(words, "any")
		if len(may) > 0 && may[0].Confidence >= surely && !slices.Contains(ofNoUse, may[0].Meaning) {
			return may[0].Meaning
		}
	}
	return ""
}
