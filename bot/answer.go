package bot

import (
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/agnivade/levenshtein"
)

// Answers may be pressed, typed as the button's title, as its number ("2", "2.", "dos", "la 2"), or in plain words, with or
// without accents and with small slips. The catalogue says which words count for which label. This file says how close is
// close enough. It also holds the few words that count in every catalogue: ordinals, manners and denials, in Spanish and
// English, since no word of one means something else in the other.

// chosen resolves an update to one of the buttons under the last question.
func (e *Engine) chosen(c *Conversation, u Update) string {
	switch u.Kind {
	case Press:
		if u.Prompt == c.Prompt && slices.Contains(c.Shown, u.Button) {
			return u.Button
		}
	case Text:
		said := plain(u.Text)
		if i, ok := ordinal(said); ok && i >= 1 && i <= len(c.Shown) {
			return c.Shown[i-1]
		}
		return e.tongue(c).words.match(u.Text, c.Shown, !e.places[c.State].Is(FreeText))
	}
	return ""
}

// plain folds what was typed and drops its punctuation and symbols. An apostrophe leaves no gap: "don't" is "dont".
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r):
			return r
		case r == '\'', r == '’', r == '‘', r == '`':
			return -1
		}
		return ' '
	}, Fold(s))
	return strings.Join(strings.Fields(s), " ")
}

var (
	ordinals = [][]string{
		{"uno", "una", "primero", "primera", "primer", "one", "first", "first one"}, {"dos", "segundo", "segunda", "two", "second", "second one"},
		{"tres", "tercero", "tercera", "three", "third", "third one"}, {"cuatro", "cuarto", "cuarta", "four", "fourth"},
		{"cinco", "quinto", "quinta", "five", "fifth"}, {"seis", "sexto", "sexta", "six", "sixth"}, {"siete", "seven"}, {"ocho", "eight"},
		{"nueve", "nine"}, {"diez", "ten"},
	}
	lead    = []string{"opcion", "numero", "la", "el", "option", "number", "the"}
	manners = []string{"por favor", "porfavor", "porfa", "porfis", "gracias", "senorita", "senor", "senora", "please", "thanks", "thank you", "sir", "madam", "maam"}
)

// bare takes the manners off the end of what was said: "2 por favor" is "2", "no, señorita" is "no". In English they stand
// in front as well: "please repeat".
func bare(said string) string {
	for again := true; again; {
		again = false
		for _, m := range manners {
			if rest, ok := strings.CutSuffix(said, " "+m); ok {
				said, again = rest, true
			}
		}
	}
	return strings.TrimPrefix(said, "please ")
}

func ordinal(said string) (int, bool) {
	said = bare(said)
	for again := true; again; {
		again = false
		for _, l := range lead {
			if rest, ok := strings.CutPrefix(said, l+" "); ok {
				said, again = rest, true
			}
		}
	}
	for i, names := range ordinals {
		if slices.Contains(names, said) {
			return i + 1, true
		}
	}
	if n, err := strconv.Atoi(said); err == nil && len(said) <= 2 {
		return n, true
	}
	return 0, false
}

// words knows every phrase that stands for a label.
type words struct {
	phrases map[string][]string // label → folded phrases, the title first
}

// newWords takes what the labels of a language are called, and what they are called in another that is understood too.
func newWords(labels, also map[string]Label) *words {
	w := &words{phrases: map[string][]string{}}
	for id, l := range labels {
		var list []string
		for _, p := range slices.Concat([]string{l.Title}, l.Words, []string{also[id].Title}, also[id].Words) {
			if p = plain(p); p != "" && !slices.Contains(list, p) {
				list = append(list, p)
			}
		}
		w.phrases[id] = list
	}
	return w
}

// match returns the label that [text] means: all of it, give or take manners; all but a slip; or, when [within] is set, a
// phrase inside it. The longest phrase wins, then the order of [labels]. What is denied is never heard as meant: "no
// está bien" is not "está bien", "claro que no" is not "claro".
func (w *words) match(text string, labels []string, within bool) string {
	said := plain(text)
	if said == "" || len(labels) == 0 || len(said) > 400 {
		return ""
	}
	whole := []string{said}
	if short := bare(said); short != said {
		whole = append(whole, short)
	}
	for _, said := range whole {
		for _, id := range labels {
			if slices.Contains(w.phrases[id], said) {
				return id
			}
		}
	}
	if id := w.nearest(whole, labels); id != "" || !within {
		return id
	}
	return w.inside(text, labels)
}

// nearest is the label of the phrase that one of the ways to say the whole text misses by the fewest slips, "" where none is
// near enough.
func (w *words) nearest(whole, labels []string) string {
	best, bestSlips := "", 99
	for _, said := range whole {
		for _, id := range labels {
			for _, p := range w.phrases[id] {
				allowed := slips(p)
				if allowed == 0 || len(said) > len(p)+2 || len(said) < len(p)-2 || denials(said) != denials(p) {
					continue
				}
				if d := levenshtein.ComputeDistance(said, p); d <= allowed && d < bestSlips {
					best, bestSlips = id, d
				}
			}
		}
	}
	return best
}

// inside is the label of the longest phrase that a clause of text means. A short word counts only where little else is said.
func (w *words) inside(text string, labels []string) string {
	best, longest, spoken := "", 0, strings.Fields(plain(text))
	for _, clause := range clauses(text) {
		for _, id := range labels {
			for _, p := range w.phrases[id] {
				phrase := strings.Fields(p)
				if len(p) > longest && (len(phrase) > 1 || len(p) >= 6 || len(spoken) <= 3) && means(clause, phrase) {
					best, longest = id, len(p)
				}
			}
		}
	}
	return best
}

var turning = []string{"pero", "sino", "porque", "but", "because"}

// clauses are the parts of what was said that a denial does not reach across.
func clauses(text string) [][]string {
	var out [][]string
	for _, part := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(".,;:!?¡¿\n", r) }) {
		from, spoken := 0, strings.Fields(plain(part))
		for i, w := range spoken {
			if slices.Contains(turning, w) {
				out, from = append(out, spoken[from:i]), i+1
			}
		}
		out = append(out, spoken[from:])
	}
	return out
}

var denying = []string{"no", "nunca", "tampoco", "jamas", "ni", "not", "never", "nor", "neither", "dont", "doesnt", "didnt", "isnt", "wasnt",
	"wont", "wouldnt", "cant", "cannot", "couldnt", "havent", "hasnt", "shouldnt"}

func denies(word string) bool { return slices.Contains(denying, word) }

// denials counts the words that deny: a slip never makes or loses one.
func denials(said string) int {
	n := 0
	for _, w := range strings.Fields(said) {
		if denies(w) {
			n++
		}
	}
	return n
}

// reach is how many words after a "no" are still denied by it: "no quiero que borre".
const reach = 3

// means says whether the phrase is in the clause and is not denied there, by a word before it or by a "no" after it
// ("ya no", "claro que no"). A phrase that denies something itself is taken as it stands.
func means(clause, phrase []string) bool {
	own := slices.ContainsFunc(phrase, denies)
	for i := 0; i+len(phrase) <= len(clause); i++ {
		if !hasPhrase(clause[i:i+len(phrase)], phrase) {
			continue
		}
		before, after := clause[max(0, i-reach):i], clause[i+len(phrase):]
		switch {
		case own && len(phrase) == 1 && len(after) > 0: // a "no" that denies what follows is no answer
		case own:
			return true
		case slices.ContainsFunc(before, denies):
		case len(after) > 0 && denies(after[0]) && len(phrase) == 1 && (len(after) == 1 || len(phrase[0]) < 6):
		case len(after) > 1 && after[0] == "que" && denies(after[1]):
		default:
			return true
		}
	}
	return false
}

// slips is how many wrong letters a phrase forgives.
func slips(p string) int { return Slips(len(p)) }

// hasPhrase says whether the words are the phrase's, give or take a slip in a long one.
func hasPhrase(spoken, phrase []string) bool {
	for j, w := range phrase {
		if s := spoken[j]; s != w && (len(phrase) == 1 || len(w) < 6 || levenshtein.ComputeDistance(s, w) > 1) {
			return false
		}
	}
	return true
}
