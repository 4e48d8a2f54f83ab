package handoff

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

func TestSchedule_setDay(t *testing.T) {
	const today = Date("2026-11-24") // a Tuesday
	long := strings.Repeat("ñ", maxName)
	for _, tc := range []struct {
		name string
		give Exception
		want Exception
		err  error
	}{
		{"a decreed day", Exception{Date: "2026-12-24", Name: "  Decreto\t 249 "}, Exception{Date: "2026-12-24", Name: "Decreto 249"}, nil},
		{"today", Exception{Date: today, Name: long}, Exception{Date: today, Name: long}, nil},
		{"other hours", Exception{Date: "2026-12-31", Open: true, Opens: "8:00", Closes: "24:00"}, Exception{Date: "2026-12-31", Open: true, Opens: "08:00", Closes: "24:00"}, nil},
		{"works after all", Exception{Date: "2026-12-25", Open: true}, Exception{Date: "2026-12-25", Open: true}, nil},
		{"a Saturday with hours", Exception{Date: "2026-12-26", Open: true, Opens: "09:00", Closes: "12:00"}, Exception{Date: "2026-12-26", Open: true, Opens: "09:00", Closes: "12:00"}, nil},
		{"a Saturday without", Exception{Date: "2026-12-26", Open: true}, Exception{}, ErrDayHours},
		{"yesterday", Exception{Date: "2026-11-23", Name: "Ayer"}, Exception{}, ErrPastDate},
		{"two years", Exception{Date: "2028-11-24", Name: "Lejos"}, Exception{Date: "2028-11-24", Name: "Lejos"}, nil},
		{"longer", Exception{Date: "2028-11-25", Name: "Lejos"}, Exception{}, ErrFarDate},
		{"no date", Exception{Name: "Nada"}, Exception{}, ErrNoDate},
		{"30 February", Exception{Date: "2027-02-30", Name: "Nada"}, Exception{}, ErrNoDate},
		{"as it is written elsewhere", Exception{Date: "24/12/2026", Name: "Nada"}, Exception{}, ErrNoDate},
		{"a rest without a name", Exception{Date: "2026-12-24", Name: " \u200b"}, Exception{}, ErrDayName},
		{"a long name", Exception{Date: "2026-12-24", Name: long + "ñ"}, Exception{}, ErrDayName},
		{"a rest with hours", Exception{Date: "2026-12-24", Name: "Decreto", Opens: "08:00", Closes: "12:00"}, Exception{}, ErrDayTimes},
		{"two spans", spans("2026-12-31", "13h30", "17h", "8:00", "12:30"), spans("2026-12-31", "08:00", "12:30", "13:30", "17:00"), nil},
		{"spans that overlap", spans("2026-12-31", "08:00", "12:30", "12:00", "17:00"), Exception{}, ErrOverlap},
		{"a span that does not close", spans("2026-12-31", "08:00", "12:30", "13:30", ""), Exception{}, ErrDayTimes},
		{"seven spans", spans("2026-12-31", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14"), Exception{}, ErrManySpans},
		{"opening only", Exception{Date: "2026-12-24", Open: true, Opens: "08:00"}, Exception{}, ErrDayTimes},
		{"closing only", Exception{Date: "2026-12-24", Open: true, Closes: "08:00"}, Exception{}, ErrDayTimes},
		{"closes first", Exception{Date: "2026-12-24", Open: true, Opens: "12:00", Closes: "08:00"}, Exception{}, ErrDayTimes},
		{"no clock", Exception{Date: "2026-12-24", Open: true, Opens: "temprano", Closes: "12:00"}, Exception{}, ErrDayTimes},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var s Schedule
			err := s.SetDay(tc.give, hours(t, "mon-fri 08:00-17:00"), today)
			if !errors.Is(err, tc.err) {
				t.Errorf("got %v, want %v", err, tc.err)
			}
			var want []Exception
			if tc.err == nil {
				want = []Exception{tc.want}
			}
			if !reflect.DeepEqual(s.Days, want) {
				t.Errorf("got %+v, want %+v", s.Days, want)
			}
		})
	}
}

// spans is an open day with hours of its own.
func spans(date Date, clocks ...string) Exception {
	d := Exception{Date: date, Open: true}
	var all []Times
	for i := 0; i < len(clocks); i += 2 {
		all = append(all, Times{clocks[i], clocks[i+1]})
	}
	d.SetSpans(all)
	return d
}

// A special day opens and closes at each of its spans; a store of before spans has one.
func TestCalendar_daySpans(t *testing.T) {
	var s Schedule
	if err := s.SetDay(spans("2026-12-24", "13:30", "15:00", "08:00", "12:00"), nil, "2026-11-24"); err != nil {
		t.Fatal(err)
	}
	raw, err := bson.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var read Schedule
	if err := bson.Unmarshal(raw, &read); err != nil {
		t.Fatal(err)
	}
	c := Calendar{Hours: hours(t, "mon-fri 08:00-17:00"), Schedule: read, Zone: time.UTC}
	for clock, want := range map[string]bool{"07:59": false, "08:00": true, "12:00": false, "13:29": false, "13:30": true, "15:00": false} {
		at, err := time.Parse("2006-01-02 15:04", "2026-12-24 "+clock)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Open(at); got != want {
			t.Errorf("%s: got %t, want %t", clock, got, want)
		}
	}
	old := Exception{Date: "2026-12-24", Open: true, Opens: "08:00", Closes: "12:00"}
	if got := old.Spans(); len(got) != 1 || got[0] != (Times{"08:00", "12:00"}) {
		t.Errorf("of before: got %v", got)
	}
}

// The rows of a week come to the same hours, and days that are alike to one span.
func TestSchedule_week(t *testing.T) {
	for _, text := range []string{
		"mon-fri 08:00-17:00", "mon-fri 08:00-12:30, mon-fri 13:30-17:00, sat 09:00-12:00", "mon-sun 00:00-24:00", "mon 08:00-09:00, tue-wed 10:00-11:00, sun 08:00-09:00",
	} {
		s := Schedule{}
		if err := s.SetWeek((&Schedule{Hours: text}).Week(nil)); err != nil || s.Hours != text {
			t.Errorf("%s: got %s, %v", text, s.Hours, err)
		}
	}
	s := Schedule{Hours: "mon 08:00-09:00"}
	if err := s.SetWeek([7][]Span{}); !errors.Is(err, ErrHours) || s.Hours != "mon 08:00-09:00" {
		t.Errorf("no hours: got %q, %v", s.Hours, err)
	}
}

// TestSchedule_days: one for a date, in order, those of a year ago gone, and no more than are read quickly.
func TestSchedule_days(t *testing.T) {
	list := func(s Schedule) string {
		var names []string
		for _, d := range s.Days {
			names = append(names, fmt.Sprint(d.Date, " ", d.Name))
		}
		return strings.Join(names, ", ")
	}
	set := func(s *Schedule, date Date, name string, today Date) {
		t.Helper()
		if err := s.SetDay(Exception{Date: date, Name: name}, nil, today); err != nil {
			t.Error(err)
		}
	}
	var s Schedule
	set(&s, "2026-12-31", "c", "2026-11-24")
	set(&s, "2026-12-04", "a", "2026-11-24")
	set(&s, "2026-12-24", "b", "2026-11-24")
	before := s
	set(&s, "2026-12-24", "d", "2026-11-24")
	if got, want := list(s), "2026-12-04 a, 2026-12-24 d, 2026-12-31 c"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := list(before), "2026-12-04 a, 2026-12-24 b, 2026-12-31 c"; got != want {
		t.Errorf("a copy of the one that was changed: got %s, want %s", got, want)
	}
	set(&s, "2028-01-02", "e", "2027-12-24")
	if got, want := list(s), "2026-12-24 d, 2026-12-31 c, 2028-01-02 e"; got != want {
		t.Errorf("a year later: got %s, want %s", got, want)
	}
	s.DropDay("2026-12-31")
	s.DropDay("2026-12-30")
	if got, want := list(s), "2026-12-24 d, 2028-01-02 e"; got != want {
		t.Errorf("dropped: got %s, want %s", got, want)
	}

	s = Schedule{}
	for i := range maxDays {
		set(&s, DateOf(after(Date("2026-11-24").midnight(), i)), "x", "2026-11-24")
	}
	if err := s.SetDay(Exception{Date: "2028-01-01", Name: "x"}, nil, "2026-11-24"); !errors.Is(err, ErrTooMany) || len(s.Days) != maxDays {
		t.Errorf("one too many: got %v, %d days", err, len(s.Days))
	}
	set(&s, "2026-11-24", "y", "2026-11-24")
}

func TestSchedule_hours(t *testing.T) {
	usual := hours(t, "mon-fri 08:00-17:00")
	s := Schedule{}
	if err := s.SetHours(" Mon-Fri 8:00-12:00,sat 9:00-12:00 "); err != nil || s.Hours != "mon-fri 08:00-12:00, sat 09:00-12:00" {
		t.Errorf("got %q, %v", s.Hours, err)
	}
	if err := s.SetDay(Exception{Date: "2026-11-28", Open: true}, usual, "2026-11-24"); err != nil {
		t.Errorf("a Saturday on which the hours set have the desk open: %v", err)
	}
	if err := s.SetHours("siempre"); !errors.Is(err, ErrHours) || s.Hours == "siempre" {
		t.Errorf("got %q, %v", s.Hours, err)
	}
	if err := s.SetHours(" "); err != nil || s.Hours != "" {
		t.Errorf("given back: got %q, %v", s.Hours, err)
	}
}

func TestSchedule_close(t *testing.T) {
	now := time.Date(2026, 11, 24, 15, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		until time.Time
		note  string
		err   error
	}{
		{time.Time{}, " Corte\n de luz ", nil},
		{now.Add(time.Minute), "", nil},
		{now.AddDate(0, 0, 60), "", nil},
		{now, "", ErrUntil},
		{now.Add(-time.Hour), "", ErrUntil},
		{now.AddDate(0, 0, 61), "", ErrUntil},
		{time.Time{}, strings.Repeat("a", maxNote+1), ErrCloseNote},
	} {
		var s Schedule
		if err := s.Close("ana", now, tc.until, tc.note); !errors.Is(err, tc.err) {
			t.Errorf("until %v, %q: got %v, want %v", tc.until, tc.note, err, tc.err)
		}
		if s.ClosedNow.Holds(now) != (tc.err == nil) {
			t.Errorf("until %v: got %+v", tc.until, s.ClosedNow)
		}
		if tc.err == nil && (s.ClosedNow.By != "ana" || !s.ClosedNow.At.Equal(now) || s.ClosedNow.Note != oneLine(tc.note)) {
			t.Errorf("until %v: got %+v", tc.until, s.ClosedNow)
		}
		if s.Reopen(); s.ClosedNow.Holds(now) {
			t.Errorf("until %v: still closed", tc.until)
		}
	}
}

// BenchmarkSchedule is what each hand-off pays: a schedule of fifty days is decoded and asked.
func BenchmarkSchedule(b *testing.B) {
	s := Schedule{ID: "schedule", Version: 7, Hours: "mon-fri 08:00-12:00, mon-fri 13:00-17:00"}
	for i := range 50 {
		s.Days = append(s.Days, Exception{Date: DateOf(after(Date("2026-01-01").midnight(), 9*i)), Name: "Fundación de Quito"})
	}
	raw, err := bson.Marshal(s)
	if err != nil {
		b.Fatal(err)
	}
	usual, now := hours(b, "mon-fri 08:00-17:00"), time.Date(2026, 12, 25, 15, 0, 0, 0, time.UTC)
	b.ReportMetric(float64(len(raw)), "bytes")
	for b.Loop() {
		c := Calendar{Hours: usual, Zone: guayaquil}
		if err := bson.Unmarshal(raw, &c.Schedule); err != nil {
			b.Fatal(err)
		}
		if c.Open(now) {
			b.Fatal("open on Christmas")
		}
		if _, ok := c.NextOpening(now); !ok {
			b.Fatal("never opens")
		}
	}
}
