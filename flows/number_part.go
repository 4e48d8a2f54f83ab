package flows

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"llave/bot"
	"llave/internal/affiliate"
)

// A number is typed in one message or in several, at once or with time between them: "171", "003", "4065", as it is printed. What came
// of it so far is kept, sealed, with the channel's names for the messages, which are deleted with the last one.

// GaveMore is that a number goes on, and is not whole yet.
const GaveMore bot.Event = "GaveMore"

// What stands behind the digits of a part, before the messages that they came in, and between parts.
const (
	partEnds  = "\x1e"
	partBreak = "\x1f"
)

// mostInChat is with how many digits a message does not stay in the chat.
const mostInChat = 8

// fewestAlone is how many digits alone are the beginning of a number where none is asked for: fewer are a button's.
const fewestAlone = 3

// partsKept are the parts of a number that were given so far, as they are kept.
func (f *flow) partsKept(t *bot.Turn) []string {
	kept, err := affiliate.Open(f.Vault, t.Slot(slotPart))
	if err != nil || kept == "" {
		return nil
	}
	return strings.Split(kept, partBreak)
}

// partSoFar is what was given of a number, and the messages that it came in.
func (f *flow) partSoFar(t *bot.Turn) (digits string, messages []string) {
	for _, part := range f.partsKept(t) {
		said, ids, _ := strings.Cut(part, partEnds)
		_, stops, _ := affiliate.Part(said) // a whole message in what earlier versions kept
		digits, messages = digits+stops, append(messages, strings.Fields(ids)...)
	}
	return digits, messages
}

// keepPart keeps a part of a number behind those [before] it.
func (f *flow) keepPart(t *bot.Turn, digits string, before []string) {
	var ids []string
	if t.Update.Kind == bot.Text && f.reading(t).Digits < mostInChat { // else it is deleted
		ids = append(slices.Clone(t.Earlier()), t.Update.MessageID)
	}
	part := digits + partEnds + strings.Join(ids, " ")
	t.Remember(slotPart, affiliate.Seal(f.Vault, strings.Join(append(slices.Clip(before), part), partBreak)))
}

// dropPart forgets what a message gave that is edited now: the last part, or, where others came behind it, all of them.
func (f *flow) dropPart(t *bot.Turn) {
	parts, id := f.partsKept(t), t.Update.MessageID
	i := slices.IndexFunc(parts, func(part string) bool {
		_, ids, _ := strings.Cut(part, partEnds)
		return slices.Contains(strings.Fields(ids), id)
	})
	switch {
	case i > 0 && i == len(parts)-1:
		t.Remember(slotPart, affiliate.Seal(f.Vault, strings.Join(parts[:i], partBreak)))
	case i >= 0, len(parts) > 0 && !strings.Contains(parts[0], partEnds): // by an earlier version
		t.Forget(slotPart)
	}
}

// goingOn is what was typed now, and the number that it goes on with.
type goingOn struct {
	whole  string   // the number so far; "" where what was typed goes on with none
	typed  string   // the digits that it begins with
	before []string // the parts before it, as they are kept
}

// joins is what was typed as the next part of what was given so far.
func (f *flow) joins(t *bot.Turn, typed string) goingOn {
	parts := f.partsKept(t)
	before, _ := f.partSoFar(t)
	begins, _, _ := affiliate.Part(typed)
	anew := goingOn{typed: begins}
	switch {
	case before == "", begins == "", strings.HasPrefix(begins, before): // begun anew, or said again
		return anew
	case len(begins) >= fewestAlone && strings.HasPrefix(before, begins): // so too, in parts as before
		return anew
	}
	whole := before + begins
	r := affiliate.ParseNumber(whole, f.parsing(t))
	switch {
	case len(whole) < nationalDigits, r.Verdict == affiliate.AskFirstTen:
	case len(whole) > nationalDigits:
		return endsOf(parts, begins)
	case r.Verdict == affiliate.AskProvince || slips(r.Verdict) && !slips(affiliate.Check(begins+before)): // its beginning came last
		return anew
	}
	return goingOn{whole, begins, parts}
}

// endsOf is what the last parts are with what was typed now, where all of them are too much: the first was something else. It is a right
// number, or else as much as is less than one.
func endsOf(parts []string, typed string) goingOn {
	end := goingOn{typed: typed}
	whole := typed
	for i, part := range slices.Backward(parts) {
		digits, _, _ := strings.Cut(part, partEnds)
		switch whole = digits + whole; {
		case len(whole) < nationalDigits:
			end.whole, end.before = whole, parts[i:]
		case len(whole) == nationalDigits && affiliate.Check(whole) == affiliate.Accept:
			return goingOn{whole, typed, parts[i:]}
		}
	}
	return end
}

// slips says that a number of ten digits cannot be right.
func slips(v affiliate.Verdict) bool {
	return slices.Contains([]affiliate.Verdict{affiliate.AskCheckDigit, affiliate.AskProvince, affiliate.PhoneOrTypo}, v)
}

// takePart takes too few digits, or too many, for the next part of the number that was begun, or for a new beginning.
func (f *flow) takePart(t *bot.Turn, typed string, digits int) bot.Event {
	switch j := f.joins(t, typed); {
	case len(j.whole) >= nationalDigits:
		f.cleansParts(t)
		return f.takeNumber(t, j.whole)
	case j.whole != "":
		f.keepPart(t, j.typed, j.before)
		pieceOfNumber(t, len(j.whole))
		t.Say("count", len(j.whole))
		return GaveMore
	}
	t.Miss()
	pieceOfNumber(t, digits)
	if digits < nationalDigits {
		f.beginsPart(t, typed)
	}
	counted := "number.counted"
	if digits == 1 {
		counted = "number.counted_one"
	}
	t.Say("counted", strings.ReplaceAll(t.Wording(counted), "{n}", strconv.Itoa(digits)))
	return WrongCount
}

// beginsPart keeps what was typed as the first part of a number. What is kept already stays.
func (f *flow) beginsPart(t *bot.Turn, typed string) {
	begins, stops, _ := affiliate.Part(typed)
	first := cmp.Or(stops, begins)
	if before, _ := f.partSoFar(t); first != "" && (first != before || t.Update.Kind == bot.Text) {
		f.keepPart(t, first, nil)
	}
}

// cleansParts takes the messages that a number came in out of the chat, and forgets that it came in parts.
func (f *flow) cleansParts(t *bot.Turn) {
	_, messages := f.partSoFar(t)
	t.Forget(slotPart)
	if t.Update.Kind != bot.Text || f.Erasing(t.Update.Channel) != Deleted {
		return
	}
	f.erase(t)
	for _, id := range messages {
		if id != t.Update.MessageID && !slices.Contains(t.Earlier(), id) {
			t.Promise(bot.Promise{ID: t.Key() + "/" + string(bot.PromiseDelete) + "/" + id, What: bot.Delete{MessageID: id}})
		}
	}
}

// givesPart says that a message is a part of a number and nothing else, where none is asked for.
func (f *flow) givesPart(t *bot.Turn) bool {
	if t.Update.Kind != bot.Text || t.Choice() != "" || f.reading(t).Verdict != affiliate.AskLength {
		return false
	}
	begins, _, alone := affiliate.Part(t.Text())
	if f.joins(t, t.Text()).whole != "" {
		return alone
	}
	return alone && len(begins) >= fewestAlone && len(begins) < nationalDigits
}

// besidePart says that what was said in one breath holds a part of a number beside other words, where one is asked for: it is not what
// the words mean that counts there, and each is heard by itself.
func (f *flow) besidePart(t *bot.Turn) bool {
	if len(t.Earlier()) == 0 || !t.Place().Is(AsksNumber) {
		return false
	}
	begins, stops, alone := affiliate.Part(t.Text())
	return !alone && max(len(begins), len(stops)) >= fewestAlone
}

// partElsewhere takes a part of a number where none is asked for, and nothing is under way that it could mean something in.
func (f *flow) partElsewhere(t *bot.Turn) bot.Event {
	if t.Place().Is(BeforeTerms, AsksNumber, ReadsBack, NeedsNumber, LinkLives, InKey, AfterKey, Between, bot.FreeText) || !f.givesPart(t) {
		return ""
	}
	t.Remember(slotWant, want(t))
	return f.readNumber(t)
}

// keepsPart keeps a part of a number that came before the person agreed to go on, and is what was given so far, or "".
func (f *flow) keepsPart(t *bot.Turn) string {
	if !f.givesPart(t) {
		return ""
	}
	j := f.joins(t, t.Text())
	if len(j.whole) >= nationalDigits {
		f.cleansParts(t)
		return j.whole
	}
	pieceOfNumber(t, len(cmp.Or(j.whole, j.typed)))
	if j.whole == "" {
		f.beginsPart(t, t.Text())
		return j.typed
	}
	f.keepPart(t, j.typed, j.before)
	return j.whole
}

// partForAgent takes a part of a number that is written to an agent: the number that it ends, or "".
func (f *flow) partForAgent(t *bot.Turn) string {
	j := f.joins(t, t.Text())
	switch _, stops, _ := affiliate.Part(t.Text()); {
	case affiliate.Check(j.whole) == affiliate.Accept:
		f.cleansParts(t)
		return j.whole
	case j.whole != "" && len(j.whole) < nationalDigits:
		f.keepPart(t, j.typed, j.before)
	case len(stops) >= fewestAlone && len(stops) < nationalDigits:
		f.beginsPart(t, t.Text())
	}
	return ""
}
