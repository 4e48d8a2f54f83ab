package flows

import (
	"regexp"
	"strings"

	"llave/bot"
	"llave/internal/affiliate"
)

// What is said beside a number: that a person is wanted. It waits for nothing, and the number is kept for that person.

// givenNext stands in slotGivenTo for the case that is opened next.
const givenNext = "next"

// digitsOrMask are what a number is written with.
var digitsOrMask = regexp.MustCompile(`[\d•]+`)

// announcing is what is said before a number to say what it is.
var announcing = regexp.MustCompile(`\b(?:mi |my )?(?:numero |nro |number )?(?:de )?(?:cedula|ci|ruc|codigo|identidad|numero|number|code)(?: (?:de (?:identidad|cedula|extranjer[oa])|numero|nro|es|is))*\b`)

// asksPersonBeside says whether a person is asked for beside a number, a code, or what was meant to be one.
func (f *flow) asksPersonBeside(t *bot.Turn) bool {
	if t.Update.Kind != bot.Text || !f.givesNumber(t) && !f.isCode(t) {
		return false
	}
	r := f.reading(t)
	words := digitsOrMask.ReplaceAllString(affiliate.MaskAll(bot.Fold(t.Text()), r.Code), " ")
	said := strings.Join(strings.FieldsFunc(announcing.ReplaceAllString(words, " "), func(r rune) bool { return strings.ContainsRune(" \n\t¿?¡!.,;:-", r) }), " ")
	if said == "" {
		return false
	}
	if t.Means(said, "word_person") != "" {
		return true
	}
	guesses := f.answers.read(f.model, said, t.Place())
	return len(guesses) > 0 && guesses[0].answer == string(AskedPerson) && f.answers.sure(guesses[0], said)
}

// keepsBeside keeps the number that a person is asked for beside, for that person.
func (f *flow) keepsBeside(t *bot.Turn) {
	if !f.asksPersonBeside(t) {
		return
	}
	r := f.reading(t)
	f.cleans(t, r)
	number := ""
	switch {
	case f.holdsNumber(t):
		number = r.Number
	case f.isCode(t):
		number = r.Code
	}
	switch h := t.Conv.Handoff; {
	case number == "":
	case h.Open():
		f.gaveAgent(t, number)
	default:
		f.gave(t, number, GaveNumber)
		t.Remember(slotGivenTo, givenNext)
	}
}
