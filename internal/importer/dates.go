package importer

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"llave/bot"
)

// What is said of a date that cannot be taken.
const (
	noDate    = "is no date; write 2025-03-01 or 2025-03-01T10:30:00Z"
	serial    = "is a number, as a spreadsheet counts days; write 2025-03-01"
	shortYear = "has a year of two digits, which reads several ways; write 2025-03-01"
)

var (
	inDigits = regexp.MustCompile(`^(\d{4})([-/.])(\d{1,2})([-/.])(\d{1,2})$|^(\d{1,2})([-/.])(\d{1,2})([-/.])(\d{4}|\d{2})$|^(\d{4})(\d\d)(\d\d)$`)
	inWords  = regexp.MustCompile(`^(\d{1,2})(?:[-/. ]| de )([a-z]{3,10})\.?(?:[-/. ]| del? )(\d{4}|\d{2})$`)
	counted  = regexp.MustCompile(`^\d{5}([.,]\d+)?$`)
	cutTime  = regexp.MustCompile(`^(.*\d)(?:t| )(\d{1,2}:.*)$`)
)

// moment reads a date, or a date and a time, that reads one way only. A time without a zone is one of [zone]; a date alone is its
// first moment there. Empty is the zero time. [problem] says what is wrong, and nothing else of what stood there but the two ways to
// read it.
func moment(s string, zone *time.Location) (at time.Time, problem string) {
	if s == "" {
		return time.Time{}, ""
	}
	if day, err := time.ParseInLocation(time.DateOnly, s, zone); err == nil { // nearly all are; what follows takes much longer
		_, problem = valid(day.Date())
		return day.UTC(), problem
	}
	if s = bot.Fold(s); s == "" {
		return time.Time{}, ""
	}
	date, clock := s, ""
	if m := cutTime.FindStringSubmatch(s); m != nil {
		date, clock = m[1], m[2]
	}
	day, problem := dateOf(date)
	if problem != "" {
		return time.Time{}, problem
	}
	at = time.Date(day.Year(), day.Month(), day.Day(), 0, 0, 0, 0, zone)
	if clock != "" {
		var ok bool
		if at, ok = withClock(day, clock, zone); !ok {
			return time.Time{}, noDate
		}
	}
	return at.UTC().Truncate(time.Millisecond), "" // as stores keep it
}

// clocks are ways to write a time of day; fractions of a second are taken with each. Zones are Z, +00:00, +0000 or +00.
var clocks = []string{"15:04:05", "15:04"}

var zones = []string{"", "Z07:00", "Z0700", "Z07"}

func withClock(day time.Time, clock string, zone *time.Location) (time.Time, bool) {
	clock = strings.ReplaceAll(strings.ToUpper(strings.ReplaceAll(clock, " ", "")), "UTC", "Z")
	for _, form := range clocks {
		for _, suffix := range zones {
			at, err := time.ParseInLocation("2006-01-02 "+form+suffix, day.Format(time.DateOnly)+" "+clock, zone)
			if err == nil {
				return at, true
			}
		}
	}
	return time.Time{}, false
}

// dateOf reads a day, as midnight UTC.
func dateOf(s string) (day time.Time, problem string) {
	number := func(s string) int {
		n, _ := strconv.Atoi(s) // digits alone
		return n
	}
	ymd := func(year, month, day string) (time.Time, string) {
		return valid(number(year), time.Month(number(month)), number(day))
	}
	if m := inWords.FindStringSubmatch(s); m != nil {
		if len(m[3]) == 2 {
			return day, shortYear
		}
		return valid(number(m[3]), month(m[2]), number(m[1]))
	}
	m := inDigits.FindStringSubmatch(s)
	switch {
	case m == nil && counted.MatchString(s):
		return day, serial
	case m == nil || m[2] != m[4] || m[7] != m[9]:
		return day, noDate
	case m[1] != "":
		return ymd(m[1], m[3], m[5])
	case m[11] != "":
		return ymd(m[11], m[12], m[13])
	case len(m[10]) == 2:
		return day, shortYear
	}
	return dayAndMonth(number(m[6]), number(m[8]), number(m[10]))
}

// dayAndMonth reads the two numbers before a year: as that order in which they are a date, when it is one.
func dayAndMonth(a, b, year int) (time.Time, string) {
	spanish, wrong := valid(year, time.Month(b), a)
	english, alsoWrong := valid(year, time.Month(a), b)
	switch {
	case wrong != "":
		return english, alsoWrong
	case alsoWrong != "" || spanish.Equal(english):
		return spanish, ""
	}
	return time.Time{}, fmt.Sprintf("reads two ways (%s or %s); write 2025-03-01", spanish.Format("2 January 2006"), english.Format("2 January 2006"))
}

func valid(year int, month time.Month, day int) (time.Time, string) {
	at := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	if at.Month() != month || at.Day() != day || year < 1900 || year > 2200 {
		return time.Time{}, noDate
	}
	return at, ""
}

// months are the first three letters of the months, in Spanish and in English.
var months = []string{"ene jan", "feb", "mar", "abr apr", "may", "jun", "jul", "ago aug", "sep set", "oct", "nov", "dic dec"}

// month is 0 for a word that is none.
func month(word string) time.Month {
	for i, names := range months {
		if strings.Contains(names, word[:3]) {
			return time.Month(i + 1)
		}
	}
	return 0
}
