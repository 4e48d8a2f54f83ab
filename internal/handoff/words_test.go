package handoff

import (
	"testing"
	"time"
)

func TestWhenOf(t *testing.T) {
	for _, tc := range []struct {
		at, now string
		want    When
	}{
		{"2026-11-24 08:00:00", "2026-11-24 07:59:59", When{Today, time.Tuesday, "2026-11-24", "08:00"}},
		{"2026-11-24 23:59:00", "2026-11-24 00:00:00", When{Today, time.Tuesday, "2026-11-24", "23:59"}},
		{"2026-11-25 00:00:00", "2026-11-24 23:59:59", When{Tomorrow, time.Wednesday, "2026-11-25", "00:00"}},
		{"2027-01-01 08:05:00", "2026-12-31 20:00:00", When{Tomorrow, time.Friday, "2027-01-01", "08:05"}},
		{"2026-11-26 08:00:00", "2026-11-24 20:00:00", When{OnDate, time.Thursday, "2026-11-26", "08:00"}},
		{"2028-01-03 08:00:00", "2027-12-30 17:00:00", When{OnDate, time.Monday, "2028-01-03", "08:00"}},
		{"2026-11-23 17:00:00", "2026-11-24 08:00:00", When{OnDate, time.Monday, "2026-11-23", "17:00"}},
	} {
		for _, zone := range []*time.Location{guayaquil, galapagos} {
			if got := WhenOf(moment(t, zone, tc.at), moment(t, zone, tc.now), zone); got != tc.want {
				t.Errorf("%s, said %s: got %+v, want %+v", tc.at, tc.now, got, tc.want)
			}
		}
	}
	if d := WhenOf(time.Date(2026, 12, 24, 4, 30, 0, 0, time.UTC), time.Date(2026, 12, 24, 6, 30, 0, 0, time.UTC), guayaquil); d.Date != "2026-12-23" || d.Clock != "23:30" ||
		d.Date.Day() != 23 || d.Date.Month() != time.December || d.Date.Year() != 2026 || d.Date.Weekday() != time.Wednesday {
		t.Errorf("got %+v", d)
	}
}
