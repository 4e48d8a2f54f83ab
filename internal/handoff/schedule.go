package handoff

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"llave/bot"
)

// What can be wrong with what a supervisor sets. The page has the words.
var (
	ErrHours     = errors.New("no hours of the week")
	ErrNoDate    = errors.New("no such date")
	ErrPastDate  = errors.New("the date has passed")
	ErrFarDate   = errors.New("the date is more than two years away")
	ErrDayName   = errors.New("the name of the day is missing or too long")
	ErrDayTimes  = errors.New("opening and closing belong together, in this order, on a day that is open")
	ErrOverlap   = errors.New("two spans of a day overlap")
	ErrManySpans = errors.New("a day has too many spans")
	ErrDayHours  = errors.New("the desk has no hours on that day of the week: the day needs its own")
	ErrTooMany   = errors.New("too many days are set")
	ErrUntil     = errors.New("the end is not between now and sixty days from now")
	ErrCloseNote = errors.New("the note is too long")
)

// The limits of a Schedule, which is read at every hand-off.
const (
	maxDays  = 200
	maxSpans = 6   // of one day
	maxName  = 80  // letters
	maxNote  = 200 // letters
)

// Schedule is what supervisors have set about the desk's hours, for every process. It is one document, so of two
// supervisors who change it at once one is told to look again. The zero Schedule sets nothing.
type Schedule struct {
	ID        string      `bson:"_id"`
	Version   int64       `bson:"v"`
	Hours     string      `bson:"hours,omitempty"` // as LLAVE_OFFICE_HOURS; empty: the setting's
	Days      []Exception `bson:"days,omitempty"`  // earliest first, one for a date
	ClosedNow *Closed     `bson:"closed_now,omitempty"`
}

// Exception is a date that is not as the week and the law have it: a local or decreed day of rest, or a day on which the desk works
// at other hours, or works after all.
type Exception struct {
	Date   Date   `bson:"date"`
	Name   string `bson:"name,omitempty"`
	Open   bool   `bson:"open,omitempty"`   // false: a day of rest
	Opens  string `bson:"opens,omitempty"`  // "08:00"; with Closes, the hours of that day alone
	Closes string `bson:"closes,omitempty"` // "24:00" at the latest
	// More are further spans of that day. Versions that know one span keep to the first.
	More []Times `bson:"more,omitempty"`
}

// Times are when a span opens and closes.
type Times struct {
	Opens  string `bson:"opens"`
	Closes string `bson:"closes"`
}

// Spans are the hours of that day alone, in the order in which they open; none: those of the week, or none at all.
func (d Exception) Spans() []Times {
	if d.Opens == "" && d.Closes == "" {
		return nil
	}
	return append([]Times{{d.Opens, d.Closes}}, d.More...)
}

// SetSpans sets them, as they were typed.
func (d *Exception) SetSpans(all []Times) {
	d.Opens, d.Closes, d.More = "", "", nil
	if len(all) > 0 {
		d.Opens, d.Closes = all[0].Opens, all[0].Closes
		d.More = append(d.More, all[1:]...)
	}
}

// TidySpans returns spans of one day as they are kept, in the order in which they open, or what is wrong with them.
func TidySpans(all []Times) ([]Span, error) {
	var spans []Span
	for _, t := range all {
		opens, ok := clock(t.Opens)
		closes, too := clock(t.Closes)
		if !ok || !too || opens >= closes {
			return nil, ErrDayTimes
		}
		spans = append(spans, Span{Opens: opens, Closes: closes})
	}
	slices.SortFunc(spans, func(a, b Span) int { return cmp.Compare(a.Opens, b.Opens) })
	for i := range spans[:max(len(spans)-1, 0)] {
		if spans[i+1].Opens < spans[i].Closes {
			return nil, ErrOverlap
		}
	}
	if len(spans) > maxSpans {
		return nil, ErrManySpans
	}
	return spans, nil
}

// Closed is the desk closed by hand, whatever its hours.
type Closed struct {
	By    string    `bson:"by"`
	At    time.Time `bson:"at"`
	Until time.Time `bson:"until,omitempty"` // zero: until it is lifted
	Note  string    `bson:"note,omitempty"`  // for colleagues
}

// Holds says whether the desk is still closed by hand. A nil Closed never holds.
func (c *Closed) Holds(now time.Time) bool {
	return c != nil && (c.Until.IsZero() || now.Before(c.Until))
}

// SetHours replaces the hours of the week; an empty text gives them back to the setting.
func (s *Schedule) SetHours(text string) error {
	if strings.TrimSpace(text) == "" {
		s.Hours = ""
		return nil
	}
	hours, err := ParseHours(text)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrHours, err)
	}
	s.Hours = hours.String()
	return nil
}

// SetWeek replaces the hours of the week by those of its days, from Sunday on. Days that follow each other and have the same hours are
// written as one. No hours at all are refused: that is what closing is for.
func (s *Schedule) SetWeek(days [7][]Span) error {
	var hours Hours
	for _, d := range []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday, time.Saturday, time.Sunday} {
		last := len(hours) - 1
		before := (d + 6) % 7
		if d != time.Monday && last >= 0 && hours[last].Last == before && slices.EqualFunc(days[d], days[before], sameTimes) {
			for i := last; i >= 0 && hours[i].Last == before; i-- {
				hours[i].Last = d
			}
			continue
		}
		for _, span := range days[d] {
			hours = append(hours, Span{First: d, Last: d, Opens: span.Opens, Closes: span.Closes})
		}
	}
	if len(hours) == 0 {
		return ErrHours
	}
	s.Hours = hours.String()
	return nil
}

func sameTimes(a, b Span) bool { return a.Opens == b.Opens && a.Closes == b.Closes }

// Week are the hours of the week in force by day, from Sunday on, where usual are the setting's.
func (s *Schedule) Week(usual Hours) (days [7][]Span) {
	hours := s.hours(usual)
	for d := range days {
		days[d] = hours.spansOn(time.Weekday(d))
	}
	return days
}

// hours are the hours of the week in force, where usual are the setting's. A text that this version cannot read counts as
// none.
func (s *Schedule) hours(usual Hours) Hours {
	if s.Hours == "" {
		return usual
	}
	if own, err := ParseHours(s.Hours); err == nil {
		return own
	}
	return usual
}

// SetDay sets a date from today on, in place of what was set for it, and lets go of those that passed a year ago. [usual] are
// the hours of the setting.
func (s *Schedule) SetDay(d Exception, usual Hours, today Date) error {
	d, err := tidyDay(d, s.hours(usual), today)
	if err != nil {
		return err
	}
	yearAgo := DateOf(today.midnight().AddDate(-1, 0, 0))
	days := slices.DeleteFunc(slices.Clone(s.Days), func(o Exception) bool { return o.Date == d.Date || o.Date < yearAgo })
	if len(days) >= maxDays {
		return ErrTooMany
	}
	at, _ := slices.BinarySearchFunc(days, d.Date, func(o Exception, date Date) int { return strings.Compare(string(o.Date), string(date)) })
	s.Days = slices.Insert(days, at, d)
	return nil
}

// tidyDay returns the day as it is kept, or what is wrong with it.
func tidyDay(d Exception, hours Hours, today Date) (Exception, error) {
	d.Name = oneLine(d.Name)
	switch {
	case !d.Date.Valid():
		return d, ErrNoDate
	case d.Date < today:
		return d, ErrPastDate
	case d.Date > DateOf(today.midnight().AddDate(2, 0, 0)):
		return d, ErrFarDate
	case d.Name == "" && !d.Open, utf8.RuneCountInString(d.Name) > maxName: // a day of rest is told by its name
		return d, ErrDayName
	}
	if d.Opens == "" && d.Closes == "" {
		if d.Open && len(hours.spansOn(d.Date.Weekday())) == 0 {
			return d, ErrDayHours
		}
		return d, nil
	}
	spans, err := TidySpans(d.Spans())
	switch {
	case err != nil:
		return d, err
	case !d.Open:
		return d, ErrDayTimes
	}
	var all []Times
	for _, s := range spans {
		opens, closes := s.Clocks()
		all = append(all, Times{opens, closes})
	}
	d.SetSpans(all)
	return d, nil
}

// DropDay gives a date back to the week and the law. One that was not set is no mistake.
func (s *Schedule) DropDay(date Date) {
	s.Days = slices.DeleteFunc(slices.Clone(s.Days), func(o Exception) bool { return o.Date == date })
}

// day returns what is set for a date.
func (s *Schedule) day(date Date) (Exception, bool) {
	for _, d := range s.Days {
		if d.Date == date {
			return d, true
		}
	}
	return Exception{}, false
}

// Close closes the desk by hand, in place of an earlier closing: until a moment, or, when that is zero, until Reopen.
func (s *Schedule) Close(by string, now, until time.Time, note string) error {
	note = oneLine(note)
	switch {
	case !until.IsZero() && (!until.After(now) || until.After(now.AddDate(0, 0, reach))):
		return ErrUntil
	case utf8.RuneCountInString(note) > maxNote:
		return ErrCloseNote
	}
	s.ClosedNow = &Closed{By: by, At: now, Until: until, Note: note}
	return nil
}

// Reopen lifts a closing by hand; the desk's hours count again.
func (s *Schedule) Reopen() { s.ClosedNow = nil }

func oneLine(text string) string { return strings.Join(strings.Fields(bot.Clean(text)), " ") }
