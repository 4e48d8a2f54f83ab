package flows

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"llave/bot"
)

// How long things are kept where nothing else was set, as the settings have it.
const (
	transcriptKept = 30 * 24 * time.Hour
	complaintKept  = 365 * 24 * time.Hour
)

// The texts that say a period: how long, and after how long; of one and of several.
type periodTexts struct{ minute, minutes, hour, hours, day, days, year, years string }

var (
	keptFor   = periodTexts{"kept.minute", "kept.minutes", "kept.hour", "kept.hours", "kept.day", "kept.days", "kept.year", "kept.years"}
	keptAfter = periodTexts{"kept_after.minute", "kept_after.minutes", "kept_after.hour", "kept_after.hours", "", "kept_after.days", "kept_after.year", "kept_after.years"}
)

// period says in words how long something is kept: in whole years, in days from the fourth on, else in hours or minutes. What is none of
// these wholly is said longer than it is, never shorter.
func period(t *bot.Turn, says periodTexts, d time.Duration) string {
	const day, year = 24 * time.Hour, 365 * 24 * time.Hour
	unit, one, several := time.Minute, says.minute, says.minutes
	switch {
	case d >= year && d%year == 0:
		unit, one, several = year, says.year, says.years
	case d > 3*day, d == day && says.day != "":
		unit, one, several = day, says.day, says.days
	case d >= time.Hour:
		unit, one, several = time.Hour, says.hour, says.hours
	}
	n := int((d + unit - 1) / unit)
	return strings.ReplaceAll(t.Wording(when(n == 1, one)+when(n != 1, several)), "{n}", fmt.Sprint(n))
}

// withPeriods adds what the notice, and what is said of a person's data, put in for how long things are kept.
func (f *flow) withPeriods(vars map[string]func(*bot.Turn) string) map[string]func(*bot.Turn) string {
	vars["idle_after"] = func(t *bot.Turn) string { return period(t, keptAfter, f.Idle) }
	vars["idle_kept"] = func(t *bot.Turn) string { return period(t, keptFor, f.Idle) }
	vars["talk_kept"] = func(t *bot.Turn) string { return period(t, keptFor, cmp.Or(f.Transcript, transcriptKept)) }
	vars["complaint_kept"] = func(t *bot.Turn) string { return period(t, keptFor, cmp.Or(f.Complaint, complaintKept)) }
	return vars
}
