package affiliate

import (
	"regexp"
	"slices"
	"strings"
)

// A number is typed in one message or in several, and what may not be kept of one may not be kept of several.

// ends are the digits at the beginning and at the end of a text, with nothing but separators and the words that announce a
// number between them and the edge.
type ends struct {
	head, tail []piece
	whole      bool // there is nothing else: the two are the same
	some       bool // there are digits somewhere
}

// marks are what a line begins with that tells how it came: "(foto)", "(editado)".
var marks = regexp.MustCompile(`^(?:\(\pL[\pL ]*\)\s*)+`)

func endsOf(text string) (e ends) {
	if strings.ContainsRune(text, bullet) { // what is left of a masked number ends nothing
		return ends{some: true}
	}
	dates := datesIn(text)
	said := len(marks.FindString(text))
	apart := false
	for _, p := range lex(text) {
		switch {
		case p.start < said:
		case p.kind == digitPiece && !inSpans(dates, p.start):
			e.some = true
			e.tail = append(e.tail, p)
			if !apart {
				e.head = append(e.head, p)
			}
		case p.kind == digitPiece, p.kind == wordPiece && p.alike == "" && !filler[p.text] && labels[p.text] != "cedula":
			apart, e.tail = true, nil
			e.some = e.some || p.kind == digitPiece
		}
	}
	e.whole = !apart
	return e
}

func digitsOf(pieces []piece) string {
	if len(pieces) == 0 {
		return ""
	}
	return join(pieces).digits
}

// Part is what a message gives of a number that is typed in several: the digits that it begins with and those that it ends with, and
// whether it says nothing else.
func Part(text string) (begins, stops string, alone bool) {
	e := endsOf(text)
	return digitsOf(e.head), digitsOf(e.tail), e.whole && e.some
}

// MaskSpread hides what MaskAll would hide if [texts], what somebody wrote one after the other, were one: a number in two messages, or
// a key. The last of them is the newest, the only one that may end something; each was masked by itself before. Messages without
// digits in between change nothing. It returns all of them.
func MaskSpread(texts []string) []string {
	if len(texts) < 2 {
		return texts
	}
	out := slices.Clone(texts)
	hideKey(out)
	hideNumber(out)
	return out
}

// hideNumber hides a number that the last text ends.
func hideNumber(texts []string) {
	last := len(texts) - 1
	e := endsOf(texts[last])
	if len(e.head) == 0 {
		return
	}
	digits := len(digitsOf(e.head))
	spread := map[int][]piece{last: e.head}
	for i := last - 1; i >= 0; i-- {
		e := endsOf(texts[i])
		if !e.some { // "gracias", a button
			continue
		}
		if len(e.tail) == 0 {
			break
		}
		spread[i] = e.tail
		digits += len(digitsOf(e.tail))
		if !e.whole {
			break
		}
	}
	if len(spread) < 2 || digits < 9 {
		return
	}
	for i, pieces := range spread {
		var cuts []span
		for _, p := range pieces {
			cuts = append(cuts, span{p.start, p.end, strings.Repeat(string(bullet), len(p.text))})
		}
		texts[i] = replaceSpans(texts[i], cuts)
	}
}

// keyParts is in how many messages a key is looked for.
const keyParts = 4

// announced says that a key follows. After "quiero desbloquear mi clave" digits alone are rather a part of the number.
var announced = regexp.MustCompile(`(?i)(?:\b(?:es|era|ser[ií]a|fue|son|is|was)|[:=])\s*$`)

// hideKey hides a key that the last text holds or ends: "mi clave es", then the key.
func hideKey(texts []string) {
	from := max(len(texts)-keyParts, 0)
	var starts []int
	all := ""
	for _, text := range texts[from:] {
		if all != "" {
			all += "\n"
		}
		starts = append(starts, len(all))
		all += text
	}
	if !namesKey(all) {
		return
	}
	newest := starts[len(starts)-1]
	keys := secretSpans(all, runsOf(lex(all)))
	for i, start := range starts {
		var here []span
		for _, s := range keys {
			at, end := max(s.start-start, 0), min(s.end-start, len(texts[from+i]))
			if at < end && s.end > newest && !strings.ContainsRune(all[s.start:s.end], bullet) && (announced.MatchString(all[:s.start]) || !allDigits(all[s.start:s.end])) {
				here = append(here, span{at, end, secretMark})
			}
		}
		texts[from+i] = replaceSpans(texts[from+i], here)
	}
}
