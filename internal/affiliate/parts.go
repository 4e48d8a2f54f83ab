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
// a key. Where one of them gave a number, it hides what else may be digits of it too. The last of them is the newest, the only one that
// may end something; each was masked by itself before. Messages without digits in between change nothing. It returns all of them.
func MaskSpread(texts []string) []string {
	if len(texts) < 2 {
		return texts
	}
	out := slices.Clone(texts)
	hideKey(out)
	hideNumber(out)
	hideBeside(out)
	return out
}

// MaskDigits hides all digits of a text that was read as a part of a number, but for dates, times of day and what a mask left.
func MaskDigits(text string) string {
	var pieces []piece
	dates, said, kept := datesIn(text), len(marks.FindString(text)), masksIn(text)
	for _, p := range lex(text) {
		if p.kind == digitPiece && p.start >= said && !inSpans(dates, p.start) && !inSpans(kept, p.start) {
			pieces = append(pieces, p)
		}
	}
	return hidePieces(text, pieces)
}

func hidePieces(text string, pieces []piece) string {
	var cuts []span
	for _, p := range pieces {
		cuts = append(cuts, span{p.start, p.end, strings.Repeat(string(bullet), len(p.text))})
	}
	return replaceSpans(text, cuts)
}

// masked is what Mask leaves of a number.
var masked = regexp.MustCompile(`\b(\d{3})(•{4,10})(\d{2})\b`)

func masksIn(text string) (spans []span) {
	for _, m := range masked.FindAllStringIndex(text, -1) {
		spans = append(spans, span{start: m[0], end: m[1]})
	}
	return spans
}

// hidesDigits says whether nothing is left of a text but what stands for digits, and what announces them.
func hidesDigits(text string) bool {
	text = text[len(marks.FindString(text)):]
	if !strings.ContainsRune(text, bullet) || strings.HasPrefix(text, "(") { // "(•••)" hides a message
		return false
	}
	return !slices.ContainsFunc(lex(text), func(p piece) bool {
		return p.kind == wordPiece && p.text != string(bullet) && p.alike == "" && !filler[p.text] && labels[p.text] != "cedula"
	})
}

// What may stand beside a number that was given, so that all lines together show seven digits of it at most: Mask leaves five.
const (
	fewestBeside = 3 // so many digits in lines that hold nothing else are hidden
	fewestAmid   = 5 // so many in one run among words, where they may be those of the number
)

// hideBeside hides what may be digits of a number that one of the texts gave: it was masked there, and what else was said before or
// after it would show the rest. Where the newest brings neither digits nor a number nothing changes.
func hideBeside(texts []string) {
	var given []string // with a dot for each digit that does not show
	hides := false
	for _, text := range texts {
		for _, m := range masked.FindAllStringSubmatch(text, -1) {
			given = append(given, m[1]+strings.Repeat(".", strings.Count(m[2], string(bullet)))+m[3])
		}
		hides = hides || hidesDigits(text)
	}
	if len(given) == 0 && !hides {
		return
	}
	all := make([]ends, len(texts))
	digits := 0
	for i, text := range texts {
		if all[i] = endsOf(text); all[i].whole {
			digits += len(digitsOf(all[i].tail))
		}
	}
	last := texts[len(texts)-1]
	if !all[len(all)-1].some && !strings.ContainsRune(last, bullet) {
		return
	}
	for i, text := range texts {
		switch e := all[i]; {
		case !e.some, strings.ContainsRune(text, bullet):
		case e.whole && digits >= fewestBeside:
			texts[i] = hidePieces(text, e.tail)
		case !e.whole:
			texts[i] = hideAmid(text, given)
		}
	}
}

// hideAmid hides runs of digits among words that may be those of a number that was given.
func hideAmid(text string, given []string) string {
	var cuts []span
	for _, r := range joined(lex(text), text) {
		if len(r.digits) >= fewestAmid && slices.ContainsFunc(given, func(g string) bool { return holdsRun(g, r.digits) }) {
			cuts = append(cuts, span{r.start, r.end, strings.Repeat(string(bullet), len(r.digits))})
		}
	}
	return replaceSpans(text, cuts)
}

// holdsRun says whether a number, of which some digits show, may hold a run.
func holdsRun(given, run string) bool {
	for at := 0; at+len(run) <= len(given); at++ {
		fits := true
		for i := range run {
			fits = fits && (given[at+i] == '.' || given[at+i] == run[i])
		}
		if fits {
			return true
		}
	}
	return false
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
		if hidesDigits(texts[i]) && !masked.MatchString(texts[i]) { // those of a part that was hidden at once
			digits += strings.Count(texts[i], string(bullet))
			spread[i] = nil
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
		texts[i] = hidePieces(texts[i], pieces)
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
