package flows

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"llave/bot"
	"llave/internal/affiliate"
	"llave/internal/handoff"
)

// In person there is a way back, and a way there: the number can be corrected, the nearest offices are found by a place that
// is shared once, and each has a sheet to take along. The place is read in its turn and kept nowhere (P415).

// The events.
const (
	FoundNearest bot.Event = "FoundNearest" // by a place that was shared
	SharedInVain bot.Event = "SharedInVain" // of no office it is known where it is, or of the place
)

// correctNumber is the button by which the number is given once more.
const correctNumber = "correct_number"

// correctsNumber asks for the number once more. Whatever the one before led to, it counts against the chat.
func (f *flow) correctsNumber(t *bot.Turn) bot.Event {
	f.dropNumber(t)
	return Corrected
}

// findsNearest says that a shared place is an answer here: where offices are asked for in any case, elsewhere if there is one near.
func (f *flow) findsNearest(t *bot.Turn) bool {
	p := t.Place()
	return t.Update.Kind == bot.Location && p.Has(FoundNearest) &&
		(p.Has(FoundOffices) && len(f.Offices) > 0 || len(f.Offices.Near(t.Update.Spot)) > 0)
}

// hearSpot answers a shared place with the nearest offices.
func (f *flow) hearSpot(ctx context.Context, t *bot.Turn) (bot.Event, error) {
	offersAtOffice(t)
	near := f.Offices.Near(t.Update.Spot)
	switch {
	case len(near) > 0:
		return FoundNearest, f.sayNearest(ctx, t, near...)
	case t.Update.Spot.Known() && f.Offices.Mapped():
		return NoOffice, nil
	}
	t.Miss()
	return SharedInVain, nil
}

// hearCity answers the name of a place with the offices there.
func (f *flow) hearCity(ctx context.Context, t *bot.Turn) (bot.Event, error) {
	found := f.Offices.Find(t.Text())
	if len(found) == 0 && !affiliate.NamesPlace(t.Text()) && len(strings.Fields(t.Text())) > 4 { // no name of a place
		return "", nil
	}
	offersAtOffice(t)
	if len(found) == 0 {
		return NoOffice, nil
	}
	var somewhere []affiliate.Nearby
	for _, o := range found {
		somewhere = append(somewhere, affiliate.Nearby{Office: o, Distance: unmeasured})
	}
	return FoundOffices, f.sayOffices(ctx, t, somewhere...)
}

// offersAtOffice has the way back to the number stand on under what comes of looking for an office.
func offersAtOffice(t *bot.Turn) {
	labels := []string{"agent", "menu"}
	if slices.Contains(t.Conv.Shown, correctNumber) {
		labels = append(labels, correctNumber)
	}
	t.Offer(labels...)
}

// unmeasured is the distance of an office that was not looked for by a shared place.
const unmeasured affiliate.Distance = -1

// unsaid is that of one that was, when it is named again.
const unsaid affiliate.Distance = -2

// passing is what is said of the offices near a place, so that no transcript tells where that was.
var passing = map[string]string{"near_offices": "office.unkept", "nearest": "office.unkept", "near_address": "", "near_today": "", "near_sheet": ""}

// sayNearest fills in the offices near a place; and the first of them in parts, for who goes step by step. How far they are is
// said this once. Asked again, they are named without that, and not in that order.
func (f *flow) sayNearest(ctx context.Context, t *bot.Turn, near ...affiliate.Nearby) error {
	desk, err := f.Desk.Calendar(ctx)
	if err != nil {
		return fmt.Errorf("read the desk's hours: %w", err)
	}
	first := near[0].Office
	t.Once("near_offices", f.officeCards(t, desk, near))
	t.Once("nearest", titleOf(t, near[0]))
	t.Say("nearest", first.Name)
	t.Say("near_address", addressOf(first))
	t.Say("near_today", today(t, desk, first))
	t.Say("near_sheet", f.sheetOf(t, first))
	kept := slices.Clone(near)
	for i := range kept {
		kept[i].Distance = unsaid
	}
	slices.SortFunc(kept, func(a, b affiliate.Nearby) int { return cmp.Compare(a.Office.Name, b.Office.Name) })
	t.Say("near_offices", f.officeCards(t, desk, kept))
	return nil
}

// sayOffices fills in the offices of a city.
func (f *flow) sayOffices(ctx context.Context, t *bot.Turn, found ...affiliate.Nearby) error {
	desk, err := f.Desk.Calendar(ctx)
	if err != nil {
		return fmt.Errorf("read the desk's hours: %w", err)
	}
	t.Say("offices", f.officeCards(t, desk, found))
	return nil
}

func (f *flow) officeCards(t *bot.Turn, desk handoff.Calendar, some []affiliate.Nearby) string {
	var cards []string
	for _, n := range some {
		cards = append(cards, f.officeCard(t, desk, n))
	}
	return strings.Join(cards, "\n\n")
}

// officeCard is what is said of one office.
func (f *flow) officeCard(t *bot.Turn, desk handoff.Calendar, n affiliate.Nearby) string {
	o := n.Office
	lines := []string{titleOf(t, n), addressOf(o)}
	open := today(t, desk, o)
	if _, read := hoursOf(o); o.Hours != "" && (n.Distance == unmeasured && !saysHours(open, o.Hours) || !read) { // else those of today say it
		lines = append(lines, o.Hours)
	}
	lines = append(lines, o.Note, open, f.sheetOf(t, o))
	return strings.Join(slices.DeleteFunc(lines, func(line string) bool { return line == "" }), "\n")
}

// clockIn finds the times of a day.
var clockIn = regexp.MustCompile(`\d{1,2}:\d{2}`)

// saysHours says whether what is said of today is all that an office's hours are: no days are named in them.
func saysHours(today, hours string) bool {
	return !strings.ContainsFunc(hours, unicode.IsLetter) &&
		!slices.ContainsFunc(clockIn.FindAllString(hours, -1), func(clock string) bool { return !strings.Contains(today, clock) })
}

// sheetOf leads to the sheet to take along.
func (f *flow) sheetOf(t *bot.Turn, o affiliate.Office) string {
	return filled(t, "office.sheet", "url", f.PublicURL+"/oficina/"+o.Code)
}

func addressOf(o affiliate.Office) string {
	return o.Address + "\n" + o.City + ", " + o.Province
}

// titleOf is an office's name, and how far off it is.
func titleOf(t *bot.Turn, n affiliate.Nearby) string {
	switch n.Distance {
	case unmeasured, unsaid:
		return n.Office.Name
	case affiliate.Close:
		return n.Office.Name + ", " + t.Wording("office.close")
	case affiliate.Far:
		return n.Office.Name + ", " + t.Wording("office.far")
	}
	return n.Office.Name + ", " + filled(t, "office.about", "n", fmt.Sprint(int(n.Distance)))
}

// today says until when an office is open today, or when it opens next, by its own hours and the national days of rest. A
// day that supervisors set for the desk may be one in another town: it is better to ask. Of hours that only people can read
// nothing is said but that.
func today(t *bot.Turn, desk handoff.Calendar, o affiliate.Office) string {
	desk.Schedule.Reopen() // that nobody answers in the chat says nothing of the office
	if door := desk.State(t.Now); door.Why == handoff.LocalDay {
		return filled(t, "office.ask_first", "holiday", door.Name)
	}
	hours, read := hoursOf(o)
	calendar := handoff.Calendar{Hours: hours, Zone: zoneOf(o, desk.Zone)}
	spans, door := calendar.On(calendar.Today(t.Now)), calendar.State(t.Now)
	switch {
	case door.Why == handoff.NationalDay:
		return filled(t, "office.holiday", "holiday", door.Name, "opening", opening(t, calendar))
	case !read:
		return ""
	case len(spans) == 0:
		return filled(t, "office.closed", "opening", opening(t, calendar))
	}
	now := t.Now.In(calendar.Zone)
	if clock := time.Duration(now.Hour())*time.Hour + time.Duration(now.Minute())*time.Minute; clock >= spans[len(spans)-1].Closes {
		return filled(t, "office.closed_now", "opening", opening(t, calendar))
	}
	var said []string
	for _, s := range spans {
		opens, closes := s.Clocks()
		said = append(said, filled(t, "office.span", "opens", opens, "closes", closes))
	}
	return filled(t, "office.today", "hours", strings.Join(said, t.Wording("office.and")))
}

// usualHours are the procedure's own.
var usualHours = handoff.Hours{{First: time.Monday, Last: time.Friday, Opens: 8 * time.Hour, Closes: 17 * time.Hour}}

// hoursOf are an office's hours; not read where only people can.
func hoursOf(o affiliate.Office) (hours handoff.Hours, read bool) {
	if o.Hours == "" {
		return usualHours, true
	}
	if hours, read = handoff.ReadHours(o.Hours); !read {
		return usualHours, false
	}
	return hours, true
}

// galapagos has a clock of its own.
var galapagos = time.FixedZone("Galápagos", -6*60*60)

func zoneOf(o affiliate.Office, usual *time.Location) *time.Location {
	if bot.Fold(o.Province) == "galapagos" {
		return galapagos
	}
	return usual
}

// filled is a wording with its {names} filled in: names and values by turns.
func filled(t *bot.Turn, key string, with ...string) string {
	var pairs []string
	for i := 0; i+1 < len(with); i += 2 {
		pairs = append(pairs, "{"+with[i]+"}", with[i+1])
	}
	return strings.NewReplacer(pairs...).Replace(t.Wording(key))
}

// asksPlace asks where somebody is, after what is said of the offices: by the city, and where the chat can tell it, by the place itself.
func (f *flow) asksPlace(t *bot.Turn) string {
	channel, _ := bot.SplitConversationID(t.Conv.ID)
	switch {
	case len(f.Offices) == 0:
		return ""
	case f.Offices.Mapped() && f.SharesSpot != nil && f.SharesSpot(channel):
		return t.Wording("in_person.near")
	}
	return t.Wording("in_person.city")
}

// placeOrHours asks that, or says when the offices are open where none are listed.
func (f *flow) placeOrHours(t *bot.Turn) string {
	return cmp.Or(f.asksPlace(t), t.Wording("in_person.hours"))
}
