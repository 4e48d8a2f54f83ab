package bot

import (
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// What a person writes is masked as it is noted. What they write in pieces shows only with the last of them: then the lines before it
// are hidden too, in the tail and where they are kept of a handed-off chat.

// hiddenLine is what stands for a message of which nothing may be kept.
const hiddenLine = "(•••)"

// withoutWord is the line of an update without a word, in capitals or not: all of it is hidden where that is the word alone, or it is
// written in another way.
func withoutWord(u Update, line, word string) string {
	at := regexp.MustCompile(`(?i)` + regexp.QuoteMeta(word))
	if len(strings.Fields(u.Text)) < 2 || !at.MatchString(line) {
		return hiddenLine
	}
	return at.ReplaceAllLiteralString(line, "•••")
}

// ordinalDigits is how long the number of a button is at most.
const ordinalDigits = 2

// spread is a new line of the person's, masked by itself, without what it ends. Earlier lines lose their part of it. What chose a
// button by its number ends nothing, unless it comes behind digits alone.
func (e *Engine) spread(t *Turn, line string) string {
	if t.digits && e.options.Digits != nil {
		line = e.options.Digits(line)
	}
	if e.options.Spread == nil || t.choice != "" && len(line) <= ordinalDigits && !t.behindFigures() {
		return line
	}
	var at []int
	tail := t.Conv.Tail
	for i := len(tail) - 1; i >= 0; i-- {
		if tail[i].From != FromPerson {
			continue
		}
		if utf8.RuneCountInString(tail[i].Text) >= TailRunes { // how it ends is not known
			break
		}
		at = append(at, i)
	}
	if len(at) == 0 {
		return line
	}
	slices.Reverse(at)
	texts := make([]string, 0, len(at)+1)
	for _, i := range at {
		texts = append(texts, tail[i].Text)
	}
	texts = e.options.Spread(append(texts, line))
	for n, i := range at {
		t.hideLine(i, texts[n])
	}
	return texts[len(at)]
}

// behindFigures says whether the person wrote some digits and nothing else just before.
func (t *Turn) behindFigures() bool {
	for _, l := range slices.Backward(t.Conv.Tail) {
		if l.From == FromPerson {
			return len(l.Text) > 1 && hasDigit(l.Text) && !strings.ContainsFunc(l.Text, unicode.IsLetter)
		}
	}
	return false
}

// hideSince hides what the person wrote from a moment on.
func (t *Turn) hideSince(since time.Time) {
	for i, l := range t.Conv.Tail {
		if l.From == FromPerson && !l.At.Before(since) {
			t.hideLine(i, hiddenLine)
		}
	}
}

// hideLine has a line of the tail say [text] instead, and the same line where it is kept, or about to be.
func (t *Turn) hideLine(i int, text string) {
	c := t.Conv
	if c.Tail[i].Text == text {
		return
	}
	c.Tail[i].Text = text
	t.tail = slices.Clone(c.Tail)
	l, h := c.Tail[i], c.Handoff
	if l.Seq == 0 || !h.Open() {
		return
	}
	t.hid = append(t.hid, l)
	for n, p := range c.Promises { // not kept yet
		owed, ok := p.What.(KeepLines)
		if !ok || owed.Ref != h.Ref {
			continue
		}
		owed.Lines = slices.Clone(owed.Lines)
		for k := range owed.Lines {
			if owed.Lines[k].Seq == l.Seq {
				owed.Lines[k].Text = text
			}
		}
		c.Promises[n].What = owed
	}
}

// number gives the lines of the tail the numbers under which the same lines are kept.
func (t *Turn) number(kept []Line) {
	tail := t.Conv.Tail
	for _, l := range kept {
		for i := range slices.Backward(tail) {
			if tail[i].From == l.From && tail[i].At.Equal(l.At) {
				tail[i].Seq = l.Seq
				break
			}
		}
	}
}
