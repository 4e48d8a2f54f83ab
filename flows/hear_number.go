package flows

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"llave/bot"
	"llave/internal/affiliate"
)

func (f *flow) parsing(t *bot.Turn) affiliate.ParseOptions {
	o := affiliate.ParseOptions{ForeignCode: f.ForeignCode}
	if t.Slot(slotPhone) != "" {
		o.Phone, _ = f.kept(t, slotPhone) // one that cannot be opened is one we do not know
	}
	return o
}

// reading is what is read of a number in what was written. Many ask, so that it is read once.
func (f *flow) reading(t *bot.Turn) affiliate.Reading {
	type read struct {
		text, phone string
		affiliate.Reading
	}
	text, phone := t.Update.Text, t.Slot(slotPhone)
	was, ok := t.Memo.(read)
	if !ok || was.text != text || was.phone != phone {
		was = read{text, phone, affiliate.ParseNumber(t.Text(), f.parsing(t))}
		t.Memo = was
	}
	return was.Reading
}

// readAloud is the number as it is read back: in groups. Where it remains in the chat it is whole once, and masked when the
// question is asked again.
func (f *flow) readAloud(t *bot.Turn) string {
	number, err := f.kept(t, given(t))
	if err != nil {
		return "…"
	}
	if f.Erasing(t.Update.Channel) == Remains {
		if shown := t.Slot(slotShown); shown != "" && shown != t.Update.ID {
			return affiliate.Mask(number)
		}
		t.Remember(slotShown, t.Update.ID)
	}
	return affiliate.Group(number)
}

// hearNumber decides what was typed where a number was asked for. The check digit only catches slips: the same number
// a second time is looked up, and the record decides.
func (f *flow) hearNumber(_ context.Context, t *bot.Turn) (bot.Event, error) {
	if t.Choice() == "in_person" {
		return WantsOffice, nil
	}
	if t.Update.Kind != bot.Text {
		return "", nil
	}
	return f.readNumber(t), nil
}

// readNumber says what was typed as a number, and remembers the number where there is one to be confirmed.
func (f *flow) readNumber(t *bot.Turn) bot.Event {
	f.cleans(t, f.reading(t))
	return f.takeNumber(t, t.Text())
}

// cleans takes what must not stay out of the chat and the transcript.
func (f *flow) cleans(t *bot.Turn, r affiliate.Reading) {
	if r.Number != "" || r.Code != "" || r.Digits >= mostInChat || r.Verdict == affiliate.SecretGiven {
		f.erase(t)
	}
	switch {
	case r.Verdict == affiliate.SecretGiven:
		t.Hide()
	case r.Code != "":
		t.HideWord(r.Code)
	}
}

// takeNumber is readNumber for what was typed before.
func (f *flow) takeNumber(t *bot.Turn, typed string) bot.Event {
	r := f.reading(t)
	if typed != t.Text() {
		r = affiliate.ParseNumber(typed, f.parsing(t))
	}
	switch r.Verdict {
	case affiliate.Accept:
		return f.gave(t, r.Number, GaveNumber)
	case affiliate.CodeGiven:
		return f.gave(t, r.Code, GaveCode)
	case affiliate.ConfirmUnusual, affiliate.ConfirmRepeated:
		return f.gave(t, r.Number, GaveUnusual)
	case affiliate.IsItPhone:
		return f.gave(t, r.Number, GavePhoneLike)
	case affiliate.AskLeadingZero:
		if j := f.joins(t, typed); affiliate.Check(j.whole) == affiliate.Accept { // nine that end a number
			f.cleansParts(t)
			t.HideDigits()
			return f.gave(t, j.whole, GaveNumber)
		}
		if t.Own() != t.Text() { // in pieces: the tenth may follow
			return f.takePart(t, typed, r.Digits)
		}
		return f.gave(t, r.Number, GaveNine)
	case affiliate.AskFirstTen:
		return f.gave(t, r.Number, GaveRUC)
	case affiliate.AskCheckDigit, affiliate.PhoneOrTypo:
		hash := affiliate.Hash(f.Vault, r.Number)
		if t.Slot(slotDoubt) == hash {
			return f.gave(t, r.Number, GaveNumber)
		}
		t.Remember(slotDoubt, hash)
		t.Forget(slotPart) // it was typed anew
		t.Miss()
		if r.Verdict == affiliate.PhoneOrTypo {
			return PhoneOrSlip
		}
		return WrongDigit
	case affiliate.AskProvince:
		t.Miss()
		t.Say("start", r.Number[:2])
		return WrongProvince
	case affiliate.AskLength:
		return f.takePart(t, typed, r.Digits)
	case affiliate.TwoNumbers:
		t.Miss()
		return GaveTwo
	case affiliate.PhoneGiven:
		t.Miss()
		return GavePhone
	case affiliate.SecretGiven:
		return WroteSecret
	case affiliate.WantsForeign:
		return WantsCode
	case affiliate.Forgotten:
		return LostNumber
	}
	return ""
}

// gave keeps a number to be read back and confirmed. What was asked for with another one stays as it is until then.
func (f *flow) gave(t *bot.Turn, number string, ev bot.Event) bot.Event {
	dropGiven(t)
	f.keeps(t, slotGiven, number)
	return ev
}

// given is the slot of the number that is read back: the one that was given, or on the way back the confirmed one.
func given(t *bot.Turn) string {
	if t.Slot(slotGiven) != "" {
		return slotGiven
	}
	return slotNumber
}

// isAbout says whether there is a number to be read back.
func isAbout(t *bot.Turn) bool { return t.Slot(given(t)) != "" }

// isGiven says whether a number is the one that is read back.
func (f *flow) isGiven(t *bot.Turn, number string) bool {
	was, err := f.kept(t, given(t))
	return err == nil && was == number
}

// binds makes a number the one that links are asked for with. What was asked for with another one is not waited for any more.
func (f *flow) binds(t *bot.Turn, record, number string) {
	if record != t.Slot(slotRecord) {
		t.Forget(slotEnded, slotUsed, slotMade)
		waitsNoMore(t)
		t.Withdraw()
		t.Conv.Attempt = ""
	}
	t.Forget(slotGiven, slotGivenTo, slotDoubt, slotPart, slotTyped, slotRests, slotLeft)
	f.keeps(t, slotNumber, number)
	t.Remember(slotRecord, record)
	counts(t, record)
}

// hearConfirm looks the number up once the person has said that it is theirs. In uniform disclosure nothing is said
// of what was found.
func (f *flow) hearConfirm(ctx context.Context, t *bot.Turn) (bot.Event, error) {
	if f.repeatsNumber(t) {
		t.Choose("yes")
	}
	if f.correction(t) { // the right number, typed instead of "no"
		return f.readNumber(t), nil
	}
	switch t.Choice() {
	case "correct":
		f.dropRead(t)
		return Corrected, nil
	case "in_person":
		return WantsOffice, nil
	case "yes":
	default:
		return "", nil
	}
	number, err := f.kept(t, given(t))
	if err != nil {
		return "", fmt.Errorf("open number: %w", err)
	}
	record := affiliate.Hash(f.Vault, number)
	if at := f.numbersRetryAt(t, record); !at.IsZero() {
		t.Say("when", waiting(t, at))
		return TooManyNumbers, nil
	}
	f.binds(t, record, number)
	rec, _, err := f.Records.Find(ctx, number)
	if err != nil {
		return "", fmt.Errorf("find record: %w", err)
	}
	switch {
	case f.Uniform:
		return Unsaid, nil
	case rec.Outcome() == affiliate.InPerson:
		f.dropNumber(t)
		return NotEligible, nil
	}
	return Eligible, nil
}

// repeatsNumber says that the number read back was typed once more, with a yes: "sí, 171 003 4065".
func (f *flow) repeatsNumber(t *bot.Turn) bool {
	if t.Update.Kind != bot.Text || !f.holdsNumber(t) {
		return false
	}
	first, _, _ := strings.Cut(bot.Fold(t.Text()), " ")
	r := f.reading(t)
	return slices.Contains([]string{"si", "yes"}, strings.Trim(first, ",.;:")) && f.isGiven(t, r.Number)
}

// correction says that another number was typed where one was read back, or that its digits were tried.
func (f *flow) correction(t *bot.Turn) bool {
	if t.Update.Kind != bot.Text {
		return false
	}
	r := f.reading(t)
	if t.Choice() == "yes" {
		return r.Number != "" && !f.isGiven(t, r.Number)
	}
	return r.Number != "" || r.Digits >= mostInChat || r.Verdict == affiliate.TwoNumbers || f.isCode(t) || f.givesPart(t)
}

// holdsNumber says that a whole national number was typed, its check digit being right.
func (f *flow) holdsNumber(t *bot.Turn) bool {
	whole := []affiliate.Verdict{affiliate.Accept, affiliate.ConfirmUnusual, affiliate.ConfirmRepeated}
	return t.Update.Kind == bot.Text && slices.Contains(whole, f.reading(t).Verdict)
}

// isCode says that a message is a foreigner's code and perhaps what announces one. Among what else is written in one word with a
// digit, a key above all, it is known by its digits: five, or four behind a few letters or a dash ("EXT-0001").
func (f *flow) isCode(t *bot.Turn) bool {
	if t.Update.Kind != bot.Text && t.Update.Kind != bot.Edited {
		return false
	}
	r := f.reading(t)
	return r.Verdict == affiliate.CodeGiven && (r.Digits >= 5 || affiliate.ShapedAsCode(r.Code))
}

// codesIn are the codes that are announced in words of a complaint, or in the part before them: they are masked there. The line of the
// message loses them too.
func (f *flow) codesIn(t *bot.Turn, words string) (codes []string) {
	announced := words
	if parts := f.parts(t); len(parts) > 0 {
		announced = parts[len(parts)-1].text + " " + words
	}
	for _, said := range []string{t.Text(), words, announced} {
		r := affiliate.ParseNumber(said, f.parsing(t))
		if r.Verdict != affiliate.CodeGiven || r.Digits < 5 && !affiliate.ShapedAsCode(r.Code) {
			continue
		}
		codes = append(codes, r.Code)
		if masked := affiliate.MaskAll(t.Own(), r.Code); masked != affiliate.MaskAll(t.Own()) {
			t.HideWord(r.Code)
		}
	}
	return codes
}

// mostAround is how many words may stand in a message that was meant to give a number, and does not give a whole one.
const mostAround = 8

// triesNumber says that a message gives a number or a code, or was meant to: one that is whole among any words, else one that
// little else is said with.
func (f *flow) triesNumber(t *bot.Turn) bool {
	if f.holdsNumber(t) || f.isCode(t) {
		return true
	}
	return f.givesNumber(t) && len(strings.Fields(t.Text())) <= mostAround &&
		f.reading(t).Verdict != affiliate.PhoneGiven
}

// numberUnasked takes a number that was typed before it was asked for: it is read back like any other, or what is wrong with
// it is said.
func (f *flow) numberUnasked(t *bot.Turn) bot.Event {
	if !f.triesNumber(t) {
		return ""
	}
	t.Remember(slotWant, want(t))
	return f.readNumber(t)
}

// numberElsewhere hears a whole number or a code where none is asked for. While something is under way with it, it brings the
// question again; anywhere else, or once a link has ended, it is read back. In between nothing is dropped for another one, and whose
// link it is is said.
func (f *flow) numberElsewhere(t *bot.Turn) bot.Event {
	place, code := t.Place(), f.isCode(t)
	if !f.holdsNumber(t) && !code || place.Is(BeforeTerms, AsksNumber, ReadsBack) {
		return ""
	}
	r := f.reading(t)
	inUse := affiliate.Hash(f.Vault, cmp.Or(r.Code, r.Number)) == t.Slot(slotRecord) || affiliate.Hash(f.Vault, r.Number) == t.Slot(slotRecord)
	switch {
	case inUse && place.Has(Resumed):
		f.cleans(t, r)
		return f.resumes(t)
	case inUse && place.Is(InKey): // the steps alone would not show that it was heard
		f.cleans(t, r)
		return SameNumber
	case inUse && place.Is(NeedsNumber, AfterKey):
		f.cleans(t, r)
		return AskedRepeat
	case !place.Is(InKey, LinkLives):
		return f.numberUnasked(t)
	case code && len(strings.Fields(t.Text())) < 2: // a word with digits may be anything there: a key, above all
		return ""
	}
	f.cleans(t, r)
	return saysOther(t)
}

// saysOther says whose link lives, or is in use, to who gave another number.
func saysOther(t *bot.Turn) bot.Event {
	switch {
	case t.Slot(slotRecord) == "": // an agent led here
		return AskedRepeat
	case t.Place().Is(LinkLives):
		return OtherNumber
	}
	return OtherNumberLate
}

// numbersRetryAt keeps the limit of different numbers of a chat; zero means that the one with this hash may be looked up.
func (f *flow) numbersRetryAt(t *bot.Turn, record string) time.Time {
	c := t.Conv
	var kept []bot.Seen
	for _, s := range c.Numbers {
		if t.Now.Sub(s.At) < 24*time.Hour {
			kept = append(kept, s)
		}
	}
	c.Numbers = kept
	var hour []bot.Seen
	for _, s := range kept {
		if s.ID == record {
			return time.Time{}
		}
		if t.Now.Sub(s.At) < time.Hour {
			hour = append(hour, s)
		}
	}
	var at time.Time
	if n := f.Limits.NumbersHour; len(hour) >= n {
		at = hour[len(hour)-n].At.Add(time.Hour)
	}
	if n := f.Limits.NumbersDay; len(kept) >= n {
		if day := kept[len(kept)-n].At.Add(24 * time.Hour); day.After(at) {
			at = day
		}
	}
	return at
}

// counts has a number count against its chat: its outcome is shown, or a letter asked for.
func counts(t *bot.Turn, record string) {
	if !slices.ContainsFunc(t.Conv.Numbers, func(s bot.Seen) bool { return s.ID == record }) {
		t.Conv.Numbers = append(t.Conv.Numbers, bot.Seen{ID: record, At: t.Now})
	}
}
