package handoff

import (
	"slices"
	"strings"
	"time"
)

// Date is a day of the calendar, such as 2026-12-24. Dates compare as they follow each other; where a day begins is the
// matter of a Calendar's zone.
type Date string

// DateOf is the date of [t] in the zone it carries.
func DateOf(t time.Time) Date { return Date(t.Format(time.DateOnly)) }

// Valid says whether there is such a date.
func (d Date) Valid() bool {
	_, err := time.Parse(time.DateOnly, string(d))
	return err == nil
}

// Year, Month and Day are the date's parts. Like Weekday, they are those of 1 January of the year 1 when the date is not
// Valid.
func (d Date) Year() int { return d.midnight().Year() }

// Month is the date's month.
func (d Date) Month() time.Month { return d.midnight().Month() }

// Day is the date's day of the month.
func (d Date) Day() int { return d.midnight().Day() }

// Weekday is the date's day of the week.
func (d Date) Weekday() time.Weekday { return d.midnight().Weekday() }

// Plus is the date so many days later.
func (d Date) Plus(days int) Date { return DateOf(after(d.midnight(), days)) }

// midnight is where the date begins in UTC: dates are reckoned there, where every day has 24 hours.
func (d Date) midnight() time.Time {
	t, err := time.Parse(time.DateOnly, string(d))
	if err != nil {
		return time.Time{}
	}
	return t
}

// Holiday is one of Ecuador's national days of rest.
type Holiday struct {
	Date  Date   // on which people rest
	Name  string // in Spanish
	Civic Date   // which is remembered; where the rest has moved away from it, a day like any other
}

// Holidays returns the national days of rest whose Date lies in the year, earliest first, under the law of December 2016.
// When 1 January is a Saturday people rest on 31 December: that Año Nuevo is in the list of the year before.
func Holidays(year int) []Holiday {
	var list []Holiday
	add := func(r rest) {
		if r.on.Year() == year {
			list = append(list, Holiday{DateOf(r.on), r.name, DateOf(r.civic)})
		}
	}
	for _, r := range rests(year) {
		add(r)
	}
	add(newYear(year + 1))
	slices.SortFunc(list, func(a, b Holiday) int { return strings.Compare(string(a.Date), string(b.Date)) })
	return list
}

// holidayOn returns the name of the national day of rest on a date, if it is one.
func holidayOn(midnight time.Time) (string, bool) {
	for _, r := range rests(midnight.Year()) {
		if r.on.Equal(midnight) {
			return r.name, true
		}
	}
	next := newYear(midnight.Year() + 1)
	return next.name, next.on.Equal(midnight)
}

// rest is a Holiday before it is written down: both are midnights in UTC.
type rest struct {
	civic, on time.Time
	name      string
}

// rests returns the days of rest for what is remembered in a year. That of 1 January may lie in the year before.
func rests(year int) [11]rest {
	bridge := func(m time.Month, d int, name string) rest {
		t := civil(year, m, d)
		return rest{t, bridged(t), name}
	}
	second, third, christmas, easter := civil(year, time.November, 2), civil(year, time.November, 3), civil(year, time.December, 25), easter(year)
	monday, tuesday, friday := after(easter, -48), after(easter, -47), after(easter, -2)
	move := november[second.Weekday()]
	return [...]rest{
		newYear(year),
		{monday, monday, "Carnaval (lunes)"},
		{tuesday, tuesday, "Carnaval (martes)"},
		{friday, friday, "Viernes Santo"},
		bridge(time.May, 1, "Día del Trabajo"),
		bridge(time.May, 24, "Batalla de Pichincha"),
		bridge(time.August, 10, "Primer Grito de Independencia"),
		bridge(time.October, 9, "Independencia de Guayaquil"),
		{second, after(second, move.second), "Día de los Difuntos"},
		{third, after(third, move.third), "Independencia de Cuenca"},
		{christmas, offWeekend(christmas), "Navidad"},
	}
}

func newYear(year int) rest {
	t := civil(year, time.January, 1)
	return rest{t, offWeekend(t), "Año Nuevo"}
}

func civil(year int, month time.Month, day int) time.Time {
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

// after is the midnight so many days later, in UTC.
func after(midnight time.Time, days int) time.Time {
	return midnight.Add(time.Duration(days) * 24 * time.Hour)
}

// offWeekend is where the rest of a day goes that moves from a weekend only.
func offWeekend(t time.Time) time.Time {
	switch t.Weekday() {
	case time.Saturday:
		return after(t, -1)
	case time.Sunday:
		return after(t, 1)
	}
	return t
}

// bridged is where the rest of a day goes that makes a long weekend of any day of the week.
func bridged(t time.Time) time.Time {
	switch t.Weekday() {
	case time.Tuesday:
		return after(t, -1)
	case time.Wednesday:
		return after(t, 2)
	case time.Thursday:
		return after(t, 1)
	}
	return offWeekend(t)
}

// november is by how many days the rests of 2 and 3 November move, by the weekday of the second. The two together make one
// long weekend, so neither goes the way it would go alone.
var november = [7]struct{ second, third int }{
	time.Monday:    {0, 0},
	time.Tuesday:   {0, -2},
	time.Wednesday: {2, 0},
	time.Thursday:  {0, 0},
	time.Friday:    {0, -2},
	time.Saturday:  {-1, 1},
	time.Sunday:    {2, 0},
}

// easter is Easter Sunday in the Gregorian calendar, by the anonymous reckoning of 1876 that Meeus gives. Its letters are
// the ones it is printed with.
func easter(year int) time.Time {
	a, b, c := year%19, year/100, year%100
	d, e := b/4, b%4
	f := (b + 8) / 25
	g := (b - f + 1) / 3
	h := (19*a + b - d - g + 15) % 30
	i, k := c/4, c%4
	l := (32 + 2*e + 2*i - h - k) % 7
	m := (a + 11*h + 22*l) / 451
	n := h + l - 7*m + 114
	return civil(year, time.Month(n/31), n%31+1)
}
