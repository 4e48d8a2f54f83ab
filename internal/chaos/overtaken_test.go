package chaos

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"llave/internal/bottest"
)

// What waits to be said may be overtaken: then a question is not asked that a later answer asks anew, and what a later one says
// again is said there only. All else is news, and is read, once and in order.

// left are what may be read of an answer that has been overtaken, longest first: all of it, and what stands before one of its
// questions.
func left(text string) (parts []string) {
	parts = []string{text}
	for i := len(text) - 1; i >= 0; i-- {
		if starts(text, i) && asks(text[i:]) {
			parts = append(parts, strings.TrimSpace(text[:i]))
		}
	}
	return parts
}

// starts says whether a sentence starts there.
func starts(text string, at int) bool {
	before := strings.TrimRight(text[:at], " ")
	last, _ := utf8.DecodeLastRuneInString(before)
	return text[at] != ' ' && (before == "" || len(before) < at && strings.ContainsRune(".!:?", last) || last == '\n')
}

// asks says whether a text's first sentence is a question, or says how to answer one.
func asks(text string) bool {
	if strings.HasPrefix(text, "Toque uno de los botones") {
		return true
	}
	i := strings.IndexAny(text, ".!?\n")
	return i >= 0 && text[i] == '?'
}

// comesTo says whether a bubble is what answers come to that waited together: the last of them, and of those before it what is left.
// The last one may itself be overtaken by one that waits, where that does not go out with it: then it has no buttons.
func comesTo(m bottest.ChatMessage, answers []bottest.ChatMessage, overtaken bool) bool {
	n := len(answers) - 1
	last := answers[n]
	if rest, ok := cutEnd(m.Text, last.Text); ok && slices.Equal(m.Labels(), last.Labels()) && before(rest, last.Text, answers[:n]) {
		return true
	}
	if !overtaken || len(m.Labels()) > 0 {
		return false
	}
	return slices.ContainsFunc(left(last.Text), func(part string) bool {
		rest, ok := cutEnd(m.Text, part)
		return ok && part != "" && before(rest, part, answers[:n])
	})
}

// before says whether a text is what is left of answers that stand before others.
func before(text, others string, answers []bottest.ChatMessage) bool {
	if len(answers) == 0 {
		return text == ""
	}
	n := len(answers) - 1
	if strings.Contains(others, answers[n].Text) && before(text, others, answers[:n]) {
		return true // said there
	}
	return slices.ContainsFunc(left(answers[n].Text), func(part string) bool {
		rest, ok := cutEnd(text, part)
		return ok && before(rest, part+between+others, answers[:n])
	})
}

// cutEnd is a bubble's text without what it says last.
func cutEnd(text, last string) (rest string, ok bool) {
	switch rest, ok = strings.CutSuffix(text, last); {
	case !ok, rest == "", last == "":
		return rest, ok
	}
	return strings.CutSuffix(rest, between)
}

// tells says whether bubbles are what answers come to, some of which waited. One that is nothing but a question, or says what a later
// one says, may be missing; with merges several may be in one bubble.
func tells(bubbles, answers []bottest.ChatMessage, merges bool) bool {
	if len(answers) == 0 || len(bubbles) == 0 {
		return len(answers) == len(bubbles)
	}
	for from := range answers {
		if from > 0 && !missing(answers[:from], answers[from:]) {
			break
		}
		for to := from + 1; to <= len(answers) && (merges || to == from+1); to++ {
			if comesTo(bubbles[0], answers[from:to], to < len(answers)) && tells(bubbles[1:], answers[to:], merges) {
				return true
			}
		}
	}
	return false
}

// missing says whether answers need not be read, because of later ones.
func missing(answers, later []bottest.ChatMessage) bool {
	return !slices.ContainsFunc(answers, func(a bottest.ChatMessage) bool {
		return !slices.Contains(left(a.Text), "") && !slices.ContainsFunc(later, func(l bottest.ChatMessage) bool { return strings.Contains(l.Text, a.Text) })
	})
}

// saysAgain cuts from a bubble what it says again of earlier ones, if that is what may be left of each.
func saysAgain(text string, earlier []bottest.ChatMessage) (rest string, ok bool) {
	if len(earlier) == 0 {
		return text, true
	}
	for _, part := range left(earlier[0].Text) {
		if part == "" {
			continue
		}
		if text == part {
			return "", len(earlier) == 1
		}
		if after, found := strings.CutPrefix(text, part+between); found {
			if rest, ok := saysAgain(after, earlier[1:]); ok {
				return rest, true
			}
		}
	}
	return text, false
}

func TestTells(t *testing.T) {
	t.Parallel()
	say := func(text string, labels ...string) bottest.ChatMessage {
		m := bottest.ChatMessage{Text: text}
		for _, l := range labels {
			m.Rows = append(m.Rows, []bottest.ChatButton{{Title: l}})
		}
		return m
	}
	menu, help, tongue := say("¿Qué necesita?", "Clave"), say("Escriba menú. Es gratis.\n\n¿Qué necesita?", "Clave"), say("¿En qué idioma?", "English")
	thanks := say("Con gusto.")
	answers := []bottest.ChatMessage{menu, help, thanks, tongue, menu}
	for _, tt := range []struct {
		name    string
		bubbles []bottest.ChatMessage
		merges  bool
		want    bool
	}{
		{"all", answers, false, true},
		{"all, where they may come together", answers, true, true},
		{"together", []bottest.ChatMessage{menu, say("Escriba menú. Es gratis.\n\nCon gusto.\n\n¿Qué necesita?", "Clave")}, true, true},
		{"together, with a question too many", []bottest.ChatMessage{menu, help, say("Con gusto.\n\n¿En qué idioma?\n\n¿Qué necesita?", "Clave")}, true, true},
		{"together, where they do not come so", []bottest.ChatMessage{menu, help, say("Con gusto.\n\n¿Qué necesita?", "Clave")}, false, false},
		{"one by one, without what was overtaken", []bottest.ChatMessage{menu, say("Escriba menú. Es gratis."), thanks, menu}, false, true},
		{"together, behind one that was overtaken", []bottest.ChatMessage{say("Escriba menú. Es gratis.\n\n¿En qué idioma?", "English"), menu}, true, false},
		{"together, but for one that was overtaken", []bottest.ChatMessage{help, say("Con gusto.\n\n¿En qué idioma?", "English"), menu}, true, true},
		{"news lost", []bottest.ChatMessage{menu, help, menu}, false, false},
		{"news lost from within one", []bottest.ChatMessage{menu, say("Escriba menú.\n\nCon gusto.\n\n¿Qué necesita?", "Clave")}, true, false},
		{"out of order", []bottest.ChatMessage{menu, thanks, help, tongue, menu}, false, false},
		{"twice", []bottest.ChatMessage{menu, help, thanks, thanks, tongue, menu}, false, false},
		{"twice in one", []bottest.ChatMessage{menu, help, say("Con gusto.\n\nCon gusto.\n\n¿Qué necesita?", "Clave")}, true, false},
		{"without the last", []bottest.ChatMessage{menu, help, thanks, tongue}, false, false},
		{"the last without its buttons", []bottest.ChatMessage{menu, help, thanks, say("¿Qué necesita?")}, false, false},
		{"the buttons of another", []bottest.ChatMessage{menu, help, say("Con gusto.\n\n¿Qué necesita?", "English")}, true, false},
	} {
		if got := tells(tt.bubbles, answers, tt.merges); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
	for _, tt := range []struct {
		text string
		want string
		ok   bool
	}{
		{"Con gusto.", "Con gusto.", false},
		{"¿Qué necesita?", "¿Qué necesita?", false},
		{"Escriba menú. Es gratis.\n\nCon gusto.", "Con gusto.", true},
		{"Escriba menú. Es gratis.\n\n¿Qué necesita?\n\nCon gusto.", "Con gusto.", true},
		{"Escriba menú. Es gratis.\n\n¿Qué necesita?", "", true},
		{"Escriba menú.\n\nCon gusto.", "Escriba menú.\n\nCon gusto.", false},
		{"Escriba menú. Es gratis.", "", true},
	} {
		if rest, ok := saysAgain(tt.text, []bottest.ChatMessage{help}); ok != tt.ok || ok && rest != tt.want {
			t.Errorf("%q again: %q, %v, want %q, %v", tt.text, rest, ok, tt.want, tt.ok)
		}
	}
}
