package handoff

import (
	"cmp"
	"iter"
	"slices"
	"time"
)

// reach is how many days ahead the calendar looks.
const reach = 60

// Calendar says when the desk is open: by the hours of the week, the national days of rest, and what supervisors have set.
// It asks nobody, so its answers are as fresh as its Schedule.
type Calendar struct {
	Hours    Hours // the setting's, which count unless the schedule has its own
	Schedule Schedule
	Zone     *time.Location // not nil
}

// Why says why the desk is closed.
type Why string

// What closes the desk.
const (
	ByHand       Why = "by_hand"       // closed now, by a supervisor
	LocalDay     Why = "local_day"     // a day of rest that a supervisor set: local, decreed, exceptional
	NationalDay  Why = "national_day"  // a day of rest by law
	OutsideHours Why = "outside_hours" // not at this hour, or not on this day of the week
)

// Door says whether the desk is open and, if not, why.
type Door struct {
	Open bool
	Why  Why
	Name string // of the day of rest
}

// Open says whether the desk is open.
func (c Calendar) Open(now time.Time) bool {
	return !c.Schedule.ClosedNow.Holds(now) && c.expected(now)
}

// State says whether the desk is open and, if not, why.
func (c Calendar) State(now time.Time) Door {
	date := c.Today(now)
	set, found := c.Schedule.day(date)
	name, national := holidayOn(date.midnight())
	switch {
	case c.Schedule.ClosedNow.Holds(now):
		return Door{Why: ByHand}
	case c.expected(now):
		return Door{Open: true}
	case found && !set.Open:
		return Door{Why: LocalDay, Name: set.Name}
	case national && !found:
		return Door{Why: NationalDay, Name: name}
	}
	return Door{Why: OutsideHours}
}

// Today is the date at the desk.
func (c Calendar) Today(now time.Time) Date { return DateOf(now.In(c.Zone)) }

// NextOpening returns the first moment from [now] on at which the desk is open, which is now when it is open. It returns false
// when there is none within sixty days, and while the desk is closed by hand without an end: nobody knows then.
func (c Calendar) NextOpening(now time.Time) (time.Time, bool) {
	if closed := c.Schedule.ClosedNow; closed.Holds(now) {
		if closed.Until.IsZero() {
			return time.Time{}, false
		}
		now = closed.Until
	}
	for s := range c.stretches(now, reach) {
		if s.to.After(now) {
			return latest(s.from, now).In(c.Zone), true
		}
	}
	return time.Time{}, false
}

// NextClosing returns when the desk, open now, closes next: a midnight between 24:00 and 00:00 is no closing. It returns
// false when the desk is closed now, or stays open for sixty days.
func (c Calendar) NextClosing(now time.Time) (time.Time, bool) {
	if !c.Open(now) {
		return time.Time{}, false
	}
	end := now
	for s := range c.stretches(now, reach) {
		if s.from.After(end) {
			return end.In(c.Zone), true
		}
		end = latest(end, s.to)
	}
	if last := after(c.Today(now).midnight(), reach); !end.Before(c.at(last, 24*time.Hour)) {
		return time.Time{}, false
	}
	return end.In(c.Zone), true
}

// WaitFrom is the moment from which somebody waited for what came at [until]: when they asked or, while the desk was closed, when
// it opened after that. That the desk is closed by hand now says nothing of the past.
func (c Calendar) WaitFrom(asked, until time.Time) time.Time {
	c.Schedule.Reopen()
	if opens, known := c.NextOpening(asked); known && opens.Before(until) {
		return opens
	}
	return asked
}

// expected is Open by the calendar alone, whatever was closed by hand.
func (c Calendar) expected(now time.Time) bool {
	for s := range c.stretches(now, 0) {
		if !s.from.After(now) && s.to.After(now) {
			return true
		}
	}
	return false
}

// stretch is a time within one day in which the desk is open: from ≤ t < to.
type stretch struct{ from, to time.Time }

// stretches goes over those of the day of [t] and of the days that follow, in the order in which they begin. They may touch and
// overlap, and none is empty. A closing by hand is not looked at.
func (c Calendar) stretches(t time.Time, following int) iter.Seq[stretch] {
	return func(yield func(stretch) bool) {
		hours := c.Schedule.hours(c.Hours)
		today := c.Today(t).midnight()
		for n := range following + 1 {
			date := after(today, n)
			for _, span := range c.spans(date, hours) {
				s := stretch{c.at(date, span.Opens), c.at(date, span.Closes)}
				if s.from.Before(s.to) && !yield(s) {
					return
				}
			}
		}
	}
}

// On are the hours of a date, in the order in which they open; none on a day of rest.
func (c Calendar) On(date Date) []Span { return c.spans(date.midnight(), c.Schedule.hours(c.Hours)) }

// spans are the hours of a date, given by its midnight in UTC, in the order in which they open.
func (c Calendar) spans(date time.Time, hours Hours) []Span {
	set, found := c.Schedule.day(DateOf(date))
	switch {
	case found && !set.Open:
		return nil
	case found && set.Opens != "":
		var spans []Span
		for _, t := range set.Spans() {
			opens, _ := clock(t.Opens)
			closes, _ := clock(t.Closes)
			spans = append(spans, Span{Opens: opens, Closes: closes})
		}
		return spans
	case !found:
		if _, national := holidayOn(date); national {
			return nil
		}
	}
	return hours.spansOn(date.Weekday())
}

// at is the moment at which the clocks of the zone show so much on a date, given by its midnight in UTC; where they are put
// forward over it, the moment at which they are.
func (c Calendar) at(date time.Time, clock time.Duration) time.Time {
	t := time.Date(date.Year(), date.Month(), date.Day(), 0, int(clock.Minutes()), 0, 0, c.Zone)
	_, offset := t.Zone()
	switch shown := t.Add(time.Duration(offset) * time.Second); {
	case shown.Before(date.Add(clock)):
		_, t = t.ZoneBounds()
	case shown.After(date.Add(clock)):
		t, _ = t.ZoneBounds()
	}
	return t
}

// spansOn are the spans of a day of the week, in the order in which they open.
func (h Hours) spansOn(day time.Weekday) []Span {
	var spans []Span
	for _, s := range h {
		if s.on(day) {
			spans = append(spans, s)
		}
	}
	slices.SortFunc(spans, func(a, b Span) int { return cmp.Compare(a.Opens, b.Opens) })
	return spans
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
