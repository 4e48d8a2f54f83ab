package handoff

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"
	_ "time/tzdata" // the zones, also where the system has none

	"pgregory.net/rapid"

	"llave/internal/bottest"
)

var guayaquil, galapagos = zone("America/Guayaquil"), zone("Pacific/Galapagos")

func zone(name string) *time.Location {
	z, err := time.LoadLocation(name)
	if err != nil {
		panic(err)
	}
	return z
}

func hours(t rapid.TB, text string) Hours {
	t.Helper()
	h, err := ParseHours(text)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func moment(t testing.TB, zone *time.Location, text string) time.Time {
	t.Helper()
	at, err := time.ParseInLocation("2006-01-02 15:04:05", text, zone)
	if err != nil {
		t.Fatal(err)
	}
	return at.UTC() // as the store's clock has it
}

// told is a moment as the tables below have it, or "never".
func told(at time.Time, ok bool) string {
	if !ok {
		return "never"
	}
	return at.Format("2006-01-02 15:04:05")
}

func TestCalendar(t *testing.T) {
	const office = "mon-fri 08:00-17:00"
	set := []Exception{
		{Date: "2026-12-04", Name: "Fundación de Quito"},
		{Date: "2026-12-24", Open: true, Opens: "08:00", Closes: "12:00"},
		{Date: "2026-12-25", Open: true},
		{Date: "2026-12-26", Open: true, Opens: "22:00", Closes: "24:00"},
	}
	for _, tc := range []struct {
		name, hours string
		schedule    Schedule
		zone        *time.Location
		now         string // 2026-11-23 was a Monday
		door        Door
		opens       string // next
		closes      string // next
	}{
		{"before the first opening", office, Schedule{}, guayaquil, "2026-11-23 07:59:59",
			Door{Why: OutsideHours}, "2026-11-23 08:00:00", "never"},
		{"at opening", office, Schedule{}, guayaquil, "2026-11-23 08:00:00",
			Door{Open: true}, "2026-11-23 08:00:00", "2026-11-23 17:00:00"},
		{"the last second", office, Schedule{}, guayaquil, "2026-11-23 16:59:59",
			Door{Open: true}, "2026-11-23 16:59:59", "2026-11-23 17:00:00"},
		{"at closing", office, Schedule{}, guayaquil, "2026-11-23 17:00:00",
			Door{Why: OutsideHours}, "2026-11-24 08:00:00", "never"},
		{"over the weekend", office, Schedule{}, guayaquil, "2026-11-27 20:00:00",
			Door{Why: OutsideHours}, "2026-11-30 08:00:00", "never"},
		{"an hour later in Galápagos", office, Schedule{}, galapagos, "2026-11-23 07:30:00",
			Door{Why: OutsideHours}, "2026-11-23 08:00:00", "never"},
		{"lunch", "mon-fri 08:00-12:00, mon-fri 13:00-17:00", Schedule{}, guayaquil, "2026-11-23 12:00:00",
			Door{Why: OutsideHours}, "2026-11-23 13:00:00", "never"},
		{"in whatever order they are written", "mon-fri 13:00-17:00, mon-fri 08:00-12:00", Schedule{}, guayaquil, "2026-11-23 01:00:00",
			Door{Why: OutsideHours}, "2026-11-23 08:00:00", "never"},
		{"spans that touch and overlap", "mon 08:00-12:00, mon 12:00-14:00, mon 13:00-15:00, mon 09:00-10:00", Schedule{}, guayaquil, "2026-11-23 08:30:00",
			Door{Open: true}, "2026-11-23 08:30:00", "2026-11-23 15:00:00"},
		{"through midnight", "sat-mon 00:00-24:00", Schedule{}, guayaquil, "2026-11-28 12:00:00",
			Door{Open: true}, "2026-11-28 12:00:00", "2026-12-01 00:00:00"},
		{"at midnight", "sat-mon 00:00-24:00", Schedule{}, guayaquil, "2026-11-29 00:00:00",
			Door{Open: true}, "2026-11-29 00:00:00", "2026-12-01 00:00:00"},
		{"closes at midnight", "fri 20:00-24:00", Schedule{}, guayaquil, "2026-11-28 00:00:00",
			Door{Why: OutsideHours}, "2026-12-04 20:00:00", "never"},
		{"round the clock until a day of rest", "mon-sun 00:00-24:00", Schedule{}, guayaquil, "2026-11-23 10:00:00",
			Door{Open: true}, "2026-11-23 10:00:00", "2026-12-25 00:00:00"},
		{"round the clock for longer than anybody looks", "mon-sun 00:00-24:00", Schedule{}, guayaquil, "2026-05-26 10:00:00",
			Door{Open: true}, "2026-05-26 10:00:00", "never"},
		{"no hours at all", "", Schedule{}, guayaquil, "2026-11-23 10:00:00",
			Door{Why: OutsideHours}, "never", "never"},

		{"a national day", office, Schedule{}, guayaquil, "2026-12-25 10:00:00",
			Door{Why: NationalDay, Name: "Navidad"}, "2026-12-28 08:00:00", "never"},
		{"the evening before", office, Schedule{}, guayaquil, "2026-12-24 17:00:00",
			Door{Why: OutsideHours}, "2026-12-28 08:00:00", "never"},
		{"where it is a national day still", office, Schedule{}, galapagos, "2026-12-25 23:59:59",
			Door{Why: NationalDay, Name: "Navidad"}, "2026-12-28 08:00:00", "never"},
		{"a civic date whose rest has moved", office, Schedule{}, guayaquil, "2027-11-03 10:00:00",
			Door{Open: true}, "2027-11-03 10:00:00", "2027-11-03 17:00:00"},
		{"the rest of next year's first day", office, Schedule{}, guayaquil, "2027-12-31 10:00:00",
			Door{Why: NationalDay, Name: "Año Nuevo"}, "2028-01-03 08:00:00", "never"},

		{"a local day", office, Schedule{Days: set}, guayaquil, "2026-12-04 10:00:00",
			Door{Why: LocalDay, Name: "Fundación de Quito"}, "2026-12-07 08:00:00", "never"},
		{"shorter hours", office, Schedule{Days: set}, guayaquil, "2026-12-24 11:00:00",
			Door{Open: true}, "2026-12-24 11:00:00", "2026-12-24 12:00:00"},
		{"after shorter hours", office, Schedule{Days: set}, guayaquil, "2026-12-24 12:00:00",
			Door{Why: OutsideHours}, "2026-12-25 08:00:00", "never"},
		{"works on a national day", office, Schedule{Days: set}, guayaquil, "2026-12-25 10:00:00",
			Door{Open: true}, "2026-12-25 10:00:00", "2026-12-25 17:00:00"},
		{"the evening of that day", office, Schedule{Days: set}, guayaquil, "2026-12-25 18:00:00",
			Door{Why: OutsideHours}, "2026-12-26 22:00:00", "never"},
		{"works on a Saturday until midnight", office, Schedule{Days: set}, guayaquil, "2026-12-26 23:00:00",
			Door{Open: true}, "2026-12-26 23:00:00", "2026-12-27 00:00:00"},
		{"hours set by a supervisor", office, Schedule{Hours: "sun 10:00-11:00"}, guayaquil, "2026-11-23 10:00:00",
			Door{Why: OutsideHours}, "2026-11-29 10:00:00", "never"},
		{"hours this version cannot read", office, Schedule{Hours: "first monday"}, guayaquil, "2026-11-23 10:00:00",
			Door{Open: true}, "2026-11-23 10:00:00", "2026-11-23 17:00:00"},

		{"closed now", office, Schedule{ClosedNow: &Closed{}}, guayaquil, "2026-11-23 10:00:00",
			Door{Why: ByHand}, "never", "never"},
		{"closed now for a while", office, Schedule{ClosedNow: &Closed{Until: moment(t, guayaquil, "2026-11-23 11:30:00")}}, guayaquil, "2026-11-23 10:00:00",
			Door{Why: ByHand}, "2026-11-23 11:30:00", "never"},
		{"closed now till after hours", office, Schedule{ClosedNow: &Closed{Until: moment(t, guayaquil, "2026-11-23 18:00:00")}}, guayaquil, "2026-11-23 10:00:00",
			Door{Why: ByHand}, "2026-11-24 08:00:00", "never"},
		{"the moment it ends", office, Schedule{ClosedNow: &Closed{Until: moment(t, guayaquil, "2026-11-23 11:30:00")}}, guayaquil, "2026-11-23 11:30:00",
			Door{Open: true}, "2026-11-23 11:30:00", "2026-11-23 17:00:00"},
		{"closed by hand on a national day", office, Schedule{ClosedNow: &Closed{}}, guayaquil, "2026-12-25 10:00:00",
			Door{Why: ByHand}, "never", "never"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := Calendar{Schedule: tc.schedule, Zone: tc.zone}
			if tc.hours != "" {
				c.Hours = hours(t, tc.hours)
			}
			now := moment(t, tc.zone, tc.now)
			if got := c.State(now); got != tc.door || c.Open(now) != tc.door.Open {
				t.Errorf("door: got %+v, open %v, want %+v", got, c.Open(now), tc.door)
			}
			if got := told(c.NextOpening(now)); got != tc.opens {
				t.Errorf("opens: got %s, want %s", got, tc.opens)
			}
			if got := told(c.NextClosing(now)); got != tc.closes {
				t.Errorf("closes: got %s, want %s", got, tc.closes)
			}
		})
	}
}

// TestCalendar_sixtyDays: an opening on the last day that is looked at is found, one on the day after is not.
func TestCalendar_sixtyDays(t *testing.T) {
	c := Calendar{Zone: guayaquil}
	now := moment(t, guayaquil, "2026-11-23 10:00:00")
	for _, tc := range []struct {
		date Date
		want string
	}{{"2027-01-22", "2027-01-22 08:00:00"}, {"2027-01-23", "never"}} {
		c.Schedule.Days = []Exception{{Date: tc.date, Open: true, Opens: "08:00", Closes: "09:00"}}
		if got := told(c.NextOpening(now)); got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.date, got, tc.want)
		}
	}
}

// TestCalendar_minutes walks two weeks of random calendars (three days in a small sweep) minute by minute and asks a naive
// one whether the desk is open. It is, exactly from each NextOpening to the NextClosing after it.
func TestCalendar_minutes(t *testing.T) {
	const day = 24 * 60
	walk := bottest.NewSweep(t).Of(14, 3) // days
	rapid.Check(t, func(rt *rapid.T) {
		c, naive := drawCalendar(rt)
		year := rapid.IntRange(2017, 2060).Draw(rt, "year")
		first := time.Date(year, 1, 1, 0, 0, 0, 0, c.Zone).AddDate(0, 0, rapid.SampledFrom([]int{0, 35, 85, 118, 140, 218, 278, 300, 350, 200}).Draw(rt, "day"))
		for range rapid.IntRange(0, 4).Draw(rt, "days set") {
			d := Exception{Date: DateOf(first.AddDate(0, 0, rapid.IntRange(0, walk).Draw(rt, "set"))), Open: rapid.Bool().Draw(rt, "open")}
			if d.Open && rapid.Bool().Draw(rt, "own hours") {
				d.Opens, d.Closes = drawClocks(rt)
			}
			if _, twice := naive.days[d.Date]; !twice {
				naive.days[d.Date] = d
				c.Schedule.Days = append(c.Schedule.Days, d)
			}
		}
		for y := year - 1; y <= year+1; y++ {
			for _, h := range Holidays(y) {
				naive.rest[h.Date] = true
			}
		}
		if rapid.Bool().Draw(rt, "closed") {
			naive.until = first.Add(time.Duration(rapid.IntRange(1, 7*day).Draw(rt, "until")) * time.Minute)
			c.Schedule.ClosedNow = &Closed{Until: naive.until}
		}

		open := make([]bool, walk*day)
		for i := range open {
			at := first.Add(time.Duration(i) * time.Minute)
			if i%day == 0 {
				naive.today, naive.weekday = DateOf(at), at.Weekday()
			}
			open[i] = naive.open(at, fmt.Sprintf("%02d:%02d", i%day/60, i%60))
			if got := c.Open(at.Add(time.Duration(i%60) * time.Second)); got != open[i] {
				rt.Fatalf("%v: open %v, want %v", at, got, open[i])
			}
		}
		// Backwards, so that what comes next is known; until there is an edge it lies beyond the end, if anywhere.
		end := first.Add(time.Duration(len(open)) * time.Minute)
		var opening, closing time.Time
		right := func(got time.Time, known bool, want time.Time) bool {
			if want.IsZero() {
				return !known || !got.Before(end)
			}
			return known && got.Equal(want)
		}
		for i := len(open) - 1; i >= 0; i-- {
			at := first.Add(time.Duration(i) * time.Minute)
			switch edge := i+1 < len(open) && open[i] != open[i+1]; {
			case edge && open[i]:
				closing = at.Add(time.Minute)
			case edge:
				opening = at.Add(time.Minute)
			case i%61 > 0 && i > 0 && open[i-1] == open[i]: // asked on both sides of every edge, and now and then between
				continue
			}
			got, known := c.NextOpening(at)
			if open[i] && !(known && got.Equal(at)) || !open[i] && !right(got, known, opening) {
				rt.Fatalf("%v, open %v: opens %v, %v, want %v", at, open[i], got, known, opening)
			}
			got, known = c.NextClosing(at)
			if open[i] && !right(got, known, closing) || !open[i] && known {
				rt.Fatalf("%v, open %v: closes %v, %v, want %v", at, open[i], got, known, closing)
			}
		}
	})
}

// naiveCalendar looks at the clock on the wall, a minute at a time.
type naiveCalendar struct {
	week    []naiveSpan
	days    map[Date]Exception
	rest    map[Date]bool
	until   time.Time
	today   Date
	weekday time.Weekday
}

type naiveSpan struct {
	days          []time.Weekday
	opens, closes string
}

func (n *naiveCalendar) open(at time.Time, clock string) bool {
	set, found := n.days[n.today]
	switch {
	case at.Before(n.until):
		return false
	case found && !set.Open, !found && n.rest[n.today]:
		return false
	case set.Opens != "":
		return set.Opens <= clock && clock < set.Closes
	}
	for _, s := range n.week {
		if slices.Contains(s.days, n.weekday) && s.opens <= clock && clock < s.closes {
			return true
		}
	}
	return false
}

// drawCalendar draws a zone and hours, and what the naive calendar makes of them.
func drawCalendar(rt *rapid.T) (Calendar, naiveCalendar) {
	c := Calendar{Zone: rapid.SampledFrom([]*time.Location{guayaquil, galapagos, time.UTC}).Draw(rt, "zone")}
	n := naiveCalendar{days: map[Date]Exception{}, rest: map[Date]bool{}}
	for range rapid.IntRange(0, 4).Draw(rt, "spans") {
		first, length := rapid.IntRange(0, 6).Draw(rt, "first"), rapid.IntRange(1, 7).Draw(rt, "length")
		s := naiveSpan{}
		for i := range length {
			s.days = append(s.days, time.Weekday((first+i)%7))
		}
		s.opens, s.closes = drawClocks(rt)
		n.week = append(n.week, s)
		c.Hours = append(c.Hours, hours(rt, fmt.Sprintf("%s-%s %s-%s", s.days[0].String()[:3], s.days[length-1].String()[:3], s.opens, s.closes))...)
	}
	if rapid.Bool().Draw(rt, "set by a supervisor") && len(c.Hours) > 0 {
		c.Schedule.Hours, c.Hours = c.Hours.String(), Hours{{time.Sunday, time.Saturday, 0, time.Hour}}
	}
	return c, n
}

// drawClocks draws an opening and a closing: mostly whole hours, so that spans touch, and often midnight.
func drawClocks(rt *rapid.T) (opens, closes string) {
	clocks := rapid.SliceOfNDistinct(rapid.OneOf(
		rapid.Map(rapid.IntRange(0, 24), func(h int) int { return h * 60 }),
		rapid.SampledFrom([]int{0, 24 * 60}),
		rapid.IntRange(0, 24*60),
	), 2, 2, rapid.ID).Draw(rt, "clocks")
	slices.SortFunc(clocks, cmp.Compare)
	text := func(m int) string { return fmt.Sprintf("%02d:%02d", m/60, m%60) }
	return text(clocks[0]), text(clocks[1])
}

// TestCalendar_clockChanges: in zones whose clocks are put forward and back, at midnight too, what is said beforehand is
// what happens.
func TestCalendar_clockChanges(t *testing.T) {
	for _, tc := range []struct{ zone, from string }{
		{"America/New_York", "2026-03-07"},    // forward at 02:00 on the 8th
		{"America/New_York", "2026-10-31"},    // back at 02:00 on the 1st
		{"America/Santiago", "2026-09-05"},    // forward at 24:00: the 6th begins at 01:00
		{"America/Santiago", "2026-04-03"},    // back at 24:00 on the 4th: its last hour comes twice
		{"Australia/Lord_Howe", "2026-10-03"}, // forward by half an hour
	} {
		for _, text := range []string{"mon-sun 00:00-24:00", "mon-sun 00:00-01:30, mon-sun 02:15-24:00", "mon-sun 01:30-02:30", "mon-sun 23:00-24:00", "mon-sun 00:00-00:30", "sat 00:00-24:00", "sun 00:00-24:00"} {
			c := Calendar{Hours: hours(t, text), Zone: zone(tc.zone)}
			first := Date(tc.from).midnight().Add(-12 * time.Hour)
			opening, closing := time.Time{}, time.Time{}
			for i := range 3 * 24 * 12 {
				at := first.Add(time.Duration(i) * 5 * time.Minute)
				open := c.Open(at)
				if want := !at.Before(opening); i > 0 && open != (want && at.Before(closing)) {
					t.Errorf("%s, %s, %v: open %v, said opens %v closes %v", tc.zone, text, at.In(c.Zone), open, opening, closing)
				}
				if opening, _ = c.NextOpening(at); !opening.IsZero() {
					closing, _ = c.NextClosing(opening)
				}
				if closing.IsZero() {
					closing = at.AddDate(1, 0, 0)
				}
			}
		}
	}
}
