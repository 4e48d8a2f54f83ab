package handoff

import "time"

// Day says which word a moment's day goes by.
type Day string

// The words.
const (
	Today    Day = "today"
	Tomorrow Day = "tomorrow"
	OnDate   Day = "date" // weekday and date; also for what has passed
)

// When is a moment in the parts that a sentence is made of.
type When struct {
	Day     Day
	Weekday time.Weekday
	Date    Date
	Clock   string // "08:00"
}

// WhenOf takes a moment apart as people of a zone would say it now.
func WhenOf(at, now time.Time, zone *time.Location) When {
	at = at.In(zone)
	w := When{Day: OnDate, Weekday: at.Weekday(), Date: DateOf(at), Clock: at.Format("15:04")}
	switch today := DateOf(now.In(zone)); w.Date {
	case today:
		w.Day = Today
	case DateOf(today.midnight().AddDate(0, 0, 1)):
		w.Day = Tomorrow
	}
	return w
}
