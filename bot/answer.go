package bot

import (
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/agnivade/levenshtein"
)

// Answers may be pressed, typed as the button's title, as its number ("2", "2.", "dos", "la 2"), or in plain words,
// with or without accents and with small slips. What counts for which label is in the catalogue; how close is close
// enough is here.

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
		return e.words.match(u.Text, c.Shown, true)
	}
	return ""
}

// plain folds what was typed and drops its punctuation and symbols.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return ' '
	}, Fold(s))
	return strings.Join(strings.Fields(s), " ")
}

var (
	ordinals = []string{"", "uno", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve", "diez"}
	lead     = []string{"la opcion", "opcion", "el numero", "numero", "la", "el"}
)

func ordinal(said string) (int, bool) {
	for _, l := range lead {
		if rest, ok := strings.CutPrefix(said, l+" "); ok {
			said = rest
			break
		}
	}
	if i := slices.Index(ordinals, said); i > 0 {
		return i, true
	}
	if said == "una" || said == "primera" || said == "primero" {
		return 1, true
	}
	if said == "segunda" || said == "segundo" {
		return 2, true
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

func newWords(labels map[string]Label) *words {
	w := &words{phrases: map[string][]string{}}
	for id, l := range labels {
		var list []string
		for _, p := range append([]string{l.Title}, l.Words...) {
			if p = plain(p); p != "" && !slices.Contains(list, p) {
				list = append(list, p)
			}
		}
		w.phrases[id] = list
	}
	return w
}

// match returns the label that text means: all of it; all but a slip; or, when within is set, a phrase inside it. The
// longest phrase wins, then the order of labels. A sentence that begins with "no" only means what begins with "no".
func (w *words) match(text string, labels []string, within bool) string {
	said := plain(text)
	if said == "" || len(labels) == 0 || len(said) > 400 {
		return ""
	}
	for _, id := range labels {
		if slices.Contains(w.phrases[id], said) {
			return id
		}
	}
	best, bestSlips := "", 99
	for _, id := range labels {
		for _, p := range w.phrases[id] {
			allowed := slips(p)
			if allowed == 0 || len(said) > len(p)+2 || len(said) < len(p)-2 || negated(said) != negated(p) {
				continue
			}
			if d := levenshtein.ComputeDistance(said, p); d <= allowed && d < bestSlips {
				best, bestSlips = id, d
			}
		}
	}
	if best != "" || !within {
		return best
	}
	longest := 0
	spoken := strings.Fields(said)
	for _, id := range labels {
		for _, p := range w.phrases[id] {
			if len(p) <= longest || negated(said) && !negated(p) && !strings.Contains(said, "no "+p) && len(spoken) < 4 {
				continue
			}
			if strings.Contains(p, " ") && hasPhrase(spoken, strings.Fields(p)) ||
				!strings.Contains(p, " ") && len(p) >= 6 && slices.Contains(spoken, p) && !negated(said) ||
				!strings.Contains(p, " ") && len(spoken) <= 3 && slices.Contains(spoken, p) && !negated(said) {
				best, longest = id, len(p)
			}
		}
	}
	return best
}

func negated(said string) bool {
	return said == "no" || strings.HasPrefix(said, "no ") || strings.HasPrefix(said, "nunca ")
}

// slips is how many wrong letters a phrase of that length forgives.
func slips(p string) int {
	switch n := len(p); {
	case n < 5:
		return 0
	case n < 9:
		return 1
	}
	return 2
}

func hasPhrase(spoken, phrase []string) bool {
	for i := 0; i+len(phrase) <= len(spoken); i++ {
		ok := true
		for j, w := range phrase {
			if s := spoken[i+j]; s != w && !(len(w) >= 6 && levenshtein.ComputeDistance(s, w) <= 1) {
				ok = false
				break
			}
		}
		if ok {
			return true
		}
	}
	return false
}
