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
		if id := e.tongue(c).words.match(u.Text, c.Shown); id != "" {
			return id
		}
		if first, rest, more := strings.Cut(said, " "); more { // "1 muy mal"
			if i, ok := ordinal(first); ok && i >= 1 && i <= len(c.Shown) && e.tongue(c).words.match(rest, c.Shown[i-1:i]) != "" {
				return c.Shown[i-1]
			}
		}
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

// courtesies are said with a wish or a greeting, and say nothing more.
var courtesies = []string{
	"es urgente", "urgente", "muy urgente", "es muy urgente", "de urgencia", "por favor", "por favorcito", "porfavor", "porfavorcito", "porfa", "porfis", "porfita",
	"senor", "senora", "senorita", "ingeniero", "doctor", "doctora", "estimado", "estimada", "estimados", "amigo", "amiga", "una pregunta", "una preguntita", "una consulta",
	"tengo una pregunta", "tengo una consulta", "disculpe", "disculpe la molestia", "disculpen", "perdone", "perdon", "con permiso", "no sea malito", "no sea malita",
	"sea buenito", "sea buenita", "si fuera tan amable", "si es tan amable", "le agradeceria", "please", "pls", "urgent", "its urgent", "it is urgent", "very urgent", "sir", "madam", "maam",
	"a question", "i have a question", "one question", "excuse me", "sorry", "kindly",
}

// isCourteous says whether a message is nothing but courtesies.
func isCourteous(text string) bool {
	said := plain(text)
	return slices.Contains(courtesies, said) || slices.Contains(courtesies, bare(said))
}

// articles are said before what they belong to as well as for "one".
var articles = []string{"una", "un", "la", "el", "los", "las"}

// functional are words that mean nothing before what they belong to is said.
var functional = append([]string{"de", "del", "al", "a", "en", "con", "para", "por", "que", "y", "o", "pero", "me", "te", "se", "le", "lo", "les", "nos", "mi", "mis",
	"su", "sus", "quiero", "quisiera", "queria", "necesito", "deseo", "puedo", "puede", "podria", "tengo", "tiene", "poner", "hacer", "es", "como",
	"i", "my", "the", "an", "to", "want", "need", "would", "of", "for", "with", "and", "or", "but"}, articles...)

// isArticle says whether a message is one alone.
func isArticle(text string) bool { return slices.Contains(articles, plain(text)) }

// isOpen says whether words end where more must follow.
func isOpen(text string) bool {
	words := strings.Fields(plain(text))
	return len(words) > 0 && slices.Contains(functional, words[len(words)-1])
}

// IsFunctional says whether words mean nothing before others are said with them: "quiero", "para la".
func IsFunctional(text string) bool {
	words := strings.Fields(plain(text))
	return len(words) > 0 && !slices.ContainsFunc(words, func(w string) bool { return !slices.Contains(functional, w) })
}

// isCounted says whether a message is an ordinal in words.
func isCounted(text string) bool {
	_, is := ordinal(plain(text))
	return is && !hasDigit(text)
}

// isBareAnswer says whether a message is a yes or no alone, which may belong to what stands before it.
func isBareAnswer(text string) bool { return slices.Contains([]string{"si", "no", "yes"}, plain(text)) }

func hasDigit(text string) bool { return strings.ContainsFunc(text, unicode.IsDigit) }

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

// match returns the label whose words are all of [text], give or take manners and a slip. What else people say is not
// looked for in labels: the flow reads it. A slip never makes or loses a denial: "no está bien" is not "está bien".
func (w *words) match(text string, labels []string) string {
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
	if id := w.nearest(whole, labels); id != "" {
		return id
	}
	return w.repeated(text, labels)
}

// repeated is the label that every part of [text] means by itself: "no, no está bien".
func (w *words) repeated(text string, labels []string) (label string) {
	parts := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(".,;:!?¡¿\n", r) })
	if len(parts) < 2 {
		return ""
	}
	for _, part := range parts {
		switch id := w.match(part, labels); {
		case plain(part) == "":
		case id == "", label != "" && id != label:
			return ""
		default:
			label = id
		}
	}
	return label
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

// slips is how many wrong letters a phrase forgives.
func slips(p string) int { return Slips(len(p)) }
