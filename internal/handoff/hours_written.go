package handoff

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"llave/bot"
)

// WeekdayNames are the days of the week in Spanish, folded, from Sunday on.
var WeekdayNames = [...]string{"domingo", "lunes", "martes", "miercoles", "jueves", "viernes", "sabado"}

// initials are the days as they stand on doors; the m is two of them.
var initials = map[string]time.Weekday{"d": time.Sunday, "l": time.Monday, "x": time.Wednesday, "j": time.Thursday, "v": time.Friday, "s": time.Saturday}

// token is a piece of what is written of hours.
var token = regexp.MustCompile(`\d{1,2}[:.h]\d{2}|\d+|[\p{L}]+\.?|\S`)

// The words of hours, folded, that mean no day and no time.
var (
	hourFillers  = []string{"de", "del", "desde", "los", "las", "el", "la"}
	hourRanges   = []string{"-", "–", "—", "a", "al", "hasta", "to"}
	hourBetweens = []string{",", ";", "/", "y", "e", "and"}
	hourMarks    = []string{"h", "hs", "hrs", "hora", "horas"}
)

// ParseHours reads the hours of the week as the setting has them and as people write them, in English or Spanish: "mon-fri
// 08:00-17:00, sat 09:00-12:00", "lunes a viernes, de 08h00 a 12h30 y de 13h30 a 17h00". Times without a day are those of the days
// before them. Of what cannot be read the error is a *HoursError.
func ParseHours(v string) (Hours, error) { return readHours(v, nil) }

// ReadHours is ParseHours, but that times without any day are those of Monday to Friday, and that a full stop may end it. Not ok:
// they are for people alone to read.
func ReadHours(text string) (hours Hours, ok bool) {
	hours, err := readHours(strings.TrimSuffix(strings.TrimSpace(text), "."), []Span{{First: time.Monday, Last: time.Friday}})
	return hours, err == nil
}

// ReadTimes reads the times of one day: "08:00-12:30, 13:30-17:00". Empty: there are none.
func ReadTimes(text string) ([]Span, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	spans, err := readHours(text, []Span{{}})
	if err != nil {
		return nil, err
	}
	for _, s := range spans {
		if s.First != time.Sunday || s.Last != time.Sunday {
			return nil, &HoursError{Part: text}
		}
	}
	return spans, nil
}

// HoursError says which part of some hours cannot be read.
type HoursError struct{ Part string }

// Error says what is expected, for the setting.
func (e *HoursError) Error() string {
	return fmt.Sprintf("%q are no hours; expected days and hours, such as mon-fri 08:00-17:00 or lunes a viernes 08h00 a 17h00, several separated by commas", e.Part)
}

// hoursReader goes over the pieces of some hours.
type hoursReader struct {
	tokens []string
	at     int
}

func readHours(text string, days []Span) (hours Hours, err error) {
	r := hoursReader{tokens: token.FindAllString(bot.Fold(text), -1)}
	for {
		r.skip(hourFillers)
		if named, ok := r.days(); ok {
			days = named
			r.take(":", ",")
		} else if r.dayNext() {
			return nil, r.problem(text)
		}
		opens, closes, ok := r.times()
		if !ok || len(days) == 0 {
			return nil, r.problem(text)
		}
		for _, d := range days {
			hours = append(hours, Span{First: d.First, Last: d.Last, Opens: opens, Closes: closes})
		}
		switch {
		case r.at == len(r.tokens):
			return hours, nil
		case !r.between() && !r.dayNext():
			return nil, r.problem(text)
		}
	}
}

// problem names the part, between commas, in which the reader stopped.
func (r *hoursReader) problem(text string) error {
	separates := func(c rune) bool { return c == ',' || c == ';' }
	part := 0
	for _, t := range r.tokens[:min(r.at, len(r.tokens))] {
		if t == "," || t == ";" {
			part++
		}
	}
	parts := []string{text}
	if fields := strings.FieldsFunc(text, separates); strings.Count(text, ",")+strings.Count(text, ";") == len(fields)-1 {
		parts = fields
	}
	return &HoursError{strings.TrimSpace(parts[min(part, len(parts)-1)])}
}

func (r *hoursReader) peek() string {
	if r.at < len(r.tokens) {
		return r.tokens[r.at]
	}
	return ""
}

func (r *hoursReader) take(one ...string) bool {
	if r.at < len(r.tokens) && slices.Contains(one, r.tokens[r.at]) {
		r.at++
		return true
	}
	return false
}

func (r *hoursReader) skip(all []string) {
	for r.take(all...) {
	}
}

// between takes what stands between two spans: ",", "y", ", y".
func (r *hoursReader) between() bool {
	taken := r.take(hourBetweens...)
	r.take("y", "and")
	return taken
}

func (r *hoursReader) dayNext() bool {
	_, ok := weekday(r.peek())
	return ok
}

// days reads "lunes a viernes", "lun, mié y vie", "todos los días".
func (r *hoursReader) days() (list []Span, ok bool) {
	for _, all := range [][]string{{"todos", "los", "dias"}, {"cada", "dia"}, {"every", "day"}} {
		if end := r.at + len(all); end <= len(r.tokens) && slices.Equal(r.tokens[r.at:end], all) {
			r.at = end
			return []Span{{First: time.Monday, Last: time.Sunday}}, true
		}
	}
	start := r.at
	for {
		first, ok := weekday(r.peek())
		if !ok {
			break
		}
		r.at++
		last, to := first, r.at
		if r.take(hourRanges...) {
			r.skip(hourFillers)
			if last, ok = weekday(r.peek()); !ok {
				r.at = start
				return nil, false
			}
			r.at++
			to = r.at
		}
		list = append(list, Span{First: first, Last: last})
		if !r.between() {
			break
		}
		r.skip(hourFillers)
		if !r.dayNext() { // it separates the days from their times
			r.at = to
			break
		}
	}
	return list, len(list) > 0
}

// times reads "de 08h00 a 12h30".
func (r *hoursReader) times() (opens, closes time.Duration, ok bool) {
	r.skip(hourFillers)
	if opens, ok = r.clock(); !ok || !r.take(hourRanges...) {
		return 0, 0, false
	}
	r.skip(hourFillers)
	closes, ok = r.clock()
	return opens, closes, ok && opens < closes && opens < 24*time.Hour
}

func (r *hoursReader) clock() (time.Duration, bool) {
	d, ok := clock(r.peek())
	if ok {
		r.at++
		r.take(hourMarks...)
	}
	return d, ok
}

// weekday reads a day by its name or the beginning of it, in either language, or of more than one of it: "mon", "lun.", "sábados", "L".
func weekday(word string) (time.Weekday, bool) {
	word = strings.TrimSuffix(strings.ToLower(word), ".")
	if day, ok := initials[word]; ok {
		return day, true
	}
	if len(word) < 3 {
		return 0, false
	}
	for d := time.Sunday; d <= time.Saturday; d++ {
		for _, name := range []string{strings.ToLower(d.String()), WeekdayNames[d]} {
			if word == name || word == name+"s" || word == name[:3] {
				return d, true
			}
		}
	}
	return 0, false
}

var clockDigits = regexp.MustCompile(`^(\d{1,2})(?:[:.h](\d{2}))? ?h?$`)

// clock reads a time of the day up to 24:00, also "8", "17h", "08h00" and "8.30".
func clock(v string) (time.Duration, bool) {
	m := clockDigits.FindStringSubmatch(strings.ToLower(strings.TrimSpace(v)))
	if m == nil {
		return 0, false
	}
	hours, err := strconv.Atoi(m[1])
	minutes, err2 := strconv.Atoi("0" + m[2])
	d := time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	return d, err == nil && err2 == nil && minutes < 60 && d <= 24*time.Hour
}
