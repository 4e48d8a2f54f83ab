package flows

import (
	"slices"

	"llave/bot"
	"llave/internal/affiliate"
)

// Who is asked in which city they are names one, and it need not be one with an office: what the words would mean elsewhere is not
// what they say here. The answer may come late, when a person was already offered.

// NoOfficeList means that a town was named where no offices are listed.
const NoOfficeList bot.Event = "NoOfficeList"

// namesTown says whether what was written is the name of a town: one in which an office is, or any other.
func (f *flow) namesTown(t *bot.Turn) bool {
	return t.Update.Kind == bot.Text && t.Choice() == "" && (len(f.Offices.Find(t.Text())) > 0 || affiliate.NamesPlace(t.Text()))
}

// returnsToOffice has who names a town, or shares where they are, after a person was offered beside the offices, stand there again.
func (f *flow) returnsToOffice(t *bot.Turn) {
	c := t.Conv
	last := len(c.Back) - 1
	if !t.Place().Has(Stayed) || last < 0 || !t.PlaceOf(c.Back[last]).Has(FoundOffices) || t.Choice() != "" {
		return
	}
	if t.Update.Kind != bot.Location && !f.namesTown(t) {
		return
	}
	c.State, c.Back = c.Back[last], slices.Clone(c.Back[:last])
	t.Ask(t.Place().Ask)
}
