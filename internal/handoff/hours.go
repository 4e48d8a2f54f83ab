package handoff

import (
	"fmt"
	"strings"
	"time"
)

// Span is the same hours on some days of the week.
type Span struct {
	First, Last   time.Weekday  // Last may come before First: sat-mon
	Opens, Closes time.Duration // since midnight, Opens < Closes
}

// on says whether the span's days include one.
func (s Span) on(day time.Weekday) bool { return (day-s.First+7)%7 <= (s.Last-s.First+7)%7 }

// String is the span as ParseHours reads it.
func (s Span) String() string {
	name := func(d time.Weekday) string { return strings.ToLower(d.String()[:3]) }
	days := name(s.First)
	if s.Last != s.First {
		days += "-" + name(s.Last)
	}
	return days + " " + clockText(s.Opens) + "-" + clockText(s.Closes)
}

// Hours are when agents are expected.
type Hours []Span

// Open says whether [t], in the zone it carries, lies within the hours. Holidays are not looked at.
func (h Hours) Open(t time.Time) bool {
	clock := time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute
	for _, s := range h {
		if s.on(t.Weekday()) && s.Opens <= clock && clock < s.Closes {
			return true
		}
	}
	return false
}

// String is the hours as ParseHours reads them.
func (h Hours) String() string {
	spans := make([]string, len(h))
	for i, s := range h {
		spans[i] = s.String()
	}
	return strings.Join(spans, ", ")
}

// Clocks are when the span opens and closes, as people read them: "08:00", "17:00".
func (s Span) Clocks() (opens, closes string) { return clockText(s.Opens), clockText(s.Closes) }

func clockText(d time.Duration) string {
	return fmt.Sprintf("%02d:%02d", int(d.Hours()), int(d.Minutes())%60)
}
