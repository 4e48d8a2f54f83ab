package flows

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode"

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
	kept, err := f.kept(t, slotPart)
	if err != nil || kept == "" {
		return nil
	}
	return strings.Split(kept, partBreak)
}

// digitsOfPart are the digits of a part as it is kept: of a whole message in what earlier versions kept.
func digitsOfPart(part string) string {
	said, _, _ := strings.Cut(part, partEnds)
	_, stops, _ := affiliate.Part(said)
	return stops
}

// partSoFar is what was given of a number, and the messages that it came in.
func (f *flow) partSoFar(t *bot.Turn) (digits string, messages []string) {
	var said []string
	for _, part := range f.partsKept(t) {
		_, ids, _ := strings.Cut(part, partEnds)
		said, messages = append(said, digitsOfPart(part)), append(messages, strings.Fields(ids)...)
	}
	return soFar(said), messages
}

// keepPart keeps a part of a number behind those [before] it.
func (f *flow) keepPart(t *bot.Turn, digits string, before []string) {
	var ids []string
	if t.Update.Kind == bot.Text && f.reading(t).Digits < mostInChat { // else it is deleted
		ids = append(slices.Clone(t.Earlier()), t.Update.MessageID)
	}
	part := digits + partEnds + strings.Join(ids, " ")
	f.keeps(t, slotPart, strings.Join(append(slices.Clip(before), part), partBreak))
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
		f.keeps(t, slotPart, strings.Join(parts[:i], partBreak))
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

// joins is what was typed as the next part of what was given so far. Parts may be equal, and one may be said again: of what the parts
// may come to, the check digit decides as soon as there are ten digits.
func (f *flow) joins(t *bot.Turn, typed string) goingOn {
	parts := f.partsKept(t)
	begins, _, _ := affiliate.Part(typed)
	anew := goingOn{typed: begins}
	if len(parts) == 0 || begins == "" || len(begins) >= nationalDigits {
		return anew
	}
	var said []string
	for _, part := range parts {
		said = append(said, digitsOfPart(part))
	}
	said = append(said, begins)
	all := strings.Join(said, "")
	verdict := affiliate.ParseNumber(all, f.parsing(t)).Verdict
	if verdict == affiliate.AskFirstTen || len(all) == nationalDigits && verdict != affiliate.AskProvince && !slips(verdict) {
		return goingOn{all, begins, parts}
	}
	if whole := rightOf(said); whole != "" {
		return goingOn{whole, begins, parts}
	}
	switch so := soFar(said); {
	case len(so) < nationalDigits:
		return goingOn{so, begins, parts}
	case len(so) > nationalDigits:
		return endsOf(parts, begins)
	case so != all:
	case verdict == affiliate.AskProvince, !slips(affiliate.Check(begins + strings.TrimSuffix(all, begins))): // its beginning came last
		return anew
	}
	return goingOn{all, begins, parts}
}

// fewestAgain is how many digits are the same ones said again, rather than more that are equal: what is cut in parts has none so long
// twice. So are all of it so far, from fewestWhole on.
const (
	fewestAgain = 6
	fewestWhole = 4
)

// soFar is what parts come to where none of what they may come to is a right number: without what was said again, and begun anew where
// they are too much and some of them begin as all those before them do.
func soFar(parts []string) string {
	so := ""
	for _, part := range parts {
		longest := max(len(part), len(so))
		begun := strings.HasPrefix(part, so) || strings.HasPrefix(so, part)
		if so != "" && begun && longest >= fewestAgain && len(part) >= fewestWhole || part == so && len(part) >= fewestWhole {
			so = part
			continue
		}
		so += part
	}
	if len(so) < nationalDigits {
		return so
	}
	for i := 1; i < len(parts); i++ {
		before, end := strings.Join(parts[:i], ""), strings.Join(parts[i:], "")
		if len(end) < nationalDigits && (strings.HasPrefix(end, before) || strings.HasPrefix(before, end)) {
			return end
		}
	}
	return so
}

// mostAgain is how many parts that are the same as those before them are tried with and without.
const mostAgain = 6

// rightOf is the right number that the last parts come to, without what was said twice running, or "".
func rightOf(parts []string) string {
	var again []int
	for i := 1; i < len(parts) && len(again) < mostAgain; i++ {
		if parts[i] == parts[i-1] {
			again = append(again, i)
		}
	}
	for without := range 1 << len(again) { // first with all of them
		left := slices.Clone(parts)
		for n, i := range again {
			if without>>n&1 == 1 {
				left[i] = ""
			}
		}
		whole := ""
		for _, part := range slices.Backward(left) {
			if whole = part + whole; len(whole) == nationalDigits && affiliate.Check(whole) == affiliate.Accept {
				return whole
			}
		}
	}
	return ""
}

// endsOf is what the last parts are with what was typed now, where all of them are too much: the first was something else. It is as
// much as is less than a number.
func endsOf(parts []string, typed string) goingOn {
	end := goingOn{typed: typed}
	whole := typed
	for i, part := range slices.Backward(parts) {
		if whole = digitsOfPart(part) + whole; len(whole) >= nationalDigits {
			break
		}
		end.whole, end.before = whole, parts[i:]
	}
	return end
}

// slips says that a number of ten digits cannot be right.
func slips(v affiliate.Verdict) bool {
	return slices.Contains([]affiliate.Verdict{affiliate.AskCheckDigit, affiliate.AskProvince, affiliate.PhoneOrTypo}, v)
}

// takePart takes too few digits, or too many, for the next part of the number that was begun, or for a new beginning.
func (f *flow) takePart(t *bot.Turn, typed string, digits int) bot.Event {
	t.HideDigits()
	j := goingOn{}
	before, _ := f.partSoFar(t)
	again := typed == before && typed != t.Text() // what is kept is read again
	if !again {
		j = f.joins(t, typed)
	}
	switch {
	case len(j.whole) >= nationalDigits:
		f.cleansParts(t)
		return f.takeNumber(t, j.whole)
	case j.whole != "":
		f.keepPart(t, j.typed, j.before)
		pieceOfNumber(t, len(j.whole))
		t.Say("count", len(j.whole))
		return GaveMore
	}
	pieceOfNumber(t, digits)
	if digits < nationalDigits && !again {
		f.beginsPart(t, typed)
	}
	if begins, _, alone := affiliate.Part(typed); alone && affiliate.Begins(begins) && (again || begins != before) { // the rest is yet to come
		t.Say("count", len(begins))
		return GaveMore
	}
	t.Miss()
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
	if t.Update.Kind != bot.Text || t.Choice() != "" && !f.goesOnWith(t) || f.reading(t).Verdict != affiliate.AskLength {
		return false
	}
	begins, _, alone := affiliate.Part(t.Text())
	if f.joins(t, t.Text()).whole != "" {
		return alone
	}
	return alone && len(begins) >= fewestAlone && len(begins) < nationalDigits
}

// goesOnWith says whether the digits that would choose a button are the next ones of a number that is under way: wherever one is asked
// for, anywhere else in haste, and before the person has agreed where they make it a right one too.
func (f *flow) goesOnWith(t *bot.Turn) bool {
	place := t.Place()
	hastily := t.Idle() < bot.PieceWait && !place.Is(ReadsBack, bot.FreeText)
	if t.Update.Kind != bot.Text || t.Slot(slotPart) == "" || t.Idle() >= ResumeAfter || !hastily && !place.Is(AsksNumber, BeforeTerms) {
		return false
	}
	if _, _, alone := affiliate.Part(t.Text()); !alone || strings.ContainsFunc(t.Text(), unicode.IsLetter) {
		return false
	}
	whole := f.joins(t, t.Text()).whole
	return whole != "" && (hastily || place.Is(AsksNumber) || affiliate.Check(whole) == affiliate.Accept)
}

// hearDigits takes a digit for the next one of a number rather than for the button of that number.
func (f *flow) hearDigits(t *bot.Turn) {
	if t.Choice() != "" && f.goesOnWith(t) {
		t.Choose("")
	}
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

// partElsewhere takes a part of a number where none is asked for.
func (f *flow) partElsewhere(t *bot.Turn) bot.Event {
	if t.Place().Is(BeforeTerms, AsksNumber, ReadsBack, LinkLives, InKey, Between, bot.FreeText) || !f.givesPart(t) {
		return ""
	}
	t.Remember(slotWant, want(t))
	return f.readNumber(t)
}

// digitsWhereLinkLives says whether a message is digits alone, those of no right number, while a link lives or its key is being made.
func (f *flow) digitsWhereLinkLives(t *bot.Turn) bool {
	if t.Update.Kind != bot.Text || t.Choice() != "" || !t.Place().Is(LinkLives, InKey) || f.holdsNumber(t) || f.isCode(t) {
		return false
	}
	begins, _, alone := affiliate.Part(t.Text())
	return alone && (len(begins) >= fewestAlone || f.joins(t, t.Text()).whole != "")
}

// partOfOther hears those. Nothing is dropped for them: the question stands again where they are of the number in use, else it is said
// whose link it is.
func (f *flow) partOfOther(t *bot.Turn) bot.Event {
	t.HideDigits()
	j := f.joins(t, t.Text())
	said := cmp.Or(j.whole, j.typed)
	inUse, err := f.kept(t, slotNumber)
	switch {
	case len(said) >= nationalDigits:
		f.cleansParts(t)
	case j.whole != "":
		pieceOfNumber(t, len(said))
		f.keepPart(t, j.typed, j.before)
	default:
		pieceOfNumber(t, len(said))
		f.beginsPart(t, t.Text())
	}
	if err == nil && strings.Contains(inUse, said) {
		return AskedRepeat
	}
	return saysOther(t)
}

// keepsPart keeps a part of a number that came before the person agreed to go on, and is what was given so far, or "".
func (f *flow) keepsPart(t *bot.Turn) string {
	if !f.givesPart(t) {
		return ""
	}
	t.HideDigits()
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
	_, stops, alone := affiliate.Part(t.Text())
	if h := t.Conv.Handoff; alone && len(stops) >= fewestAlone && (h.Number != "" || t.Slot(slotRecord) != "" || isAbout(t)) {
		t.HideDigits() // beside the number that they gave it would show
	}
	switch {
	case affiliate.Check(j.whole) == affiliate.Accept:
		t.HideDigits()
		f.cleansParts(t)
		return j.whole
	case j.whole != "" && len(j.whole) < nationalDigits:
		f.keepPart(t, j.typed, j.before)
	case len(stops) >= fewestAlone && len(stops) < nationalDigits:
		f.beginsPart(t, t.Text())
	}
	return ""
}
