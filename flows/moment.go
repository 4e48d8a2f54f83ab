package flows

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"llave/bot"
)

// This file reads when somebody wants to hear of us again: "en una hora", "mañana", "el lunes a las 8", "at 5 pm". Days and hours are
// those of the person's own clock.

// moment is what words say of when.
type moment struct {
	at    time.Time
	exact bool // an hour was named: without one it is the usual hour of that day, or of that part of it
}

// part is a part of the day as people name it.
type part struct {
	said  *regexp.Regexp
	usual int  // the hour where none is named
	until int  // the hour by which it is over
	late  bool // hours up to noon are meant of the afternoon
}

// The parts of a day, the narrowest first.
var parts = []part{
	{regexp.MustCompile(`\b(madrugada)\b`), 5, 7, false},
	{regexp.MustCompile(`\b(desayun\w+|breakfast)\b`), 8, 10, false},
	{regexp.MustCompile(`\b(almuerzo|almorzar|lunch)\b`), 13, 15, true},
	{regexp.MustCompile(`\b(merienda|merendar|cena|cenar|dinner|supper)\b`), 19, 21, true},
	{regexp.MustCompile(`\b(tonight|(la|esta|de|hoy|manana) (noche|nochecita)|(this|in the|the) (evening|night)|(tomorrow|today|` + weekdayWords + `) (evening|night))\b`), 19, 21, true},
	{regexp.MustCompile(`\b((la|esta|hoy|manana|` + weekdayWords + `) (tarde|tardecita)|((this|in the|the) afternoon)|(tomorrow|today|` + weekdayWords + `) afternoon|pm)\b`), 15, 18, true},
	{regexp.MustCompile(`\b((de|en|por|a) la manan(a|ita)|esta manana|(this|in the|the|tomorrow|` + weekdayWords + `) morning|temprano|early|am)\b`), 8, 12, false},
}

const (
	numberWords = `un|una|uno|dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez|once|doce|an|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve`

	dayStarts = 8 // the hour of a day without an hour
)

// weekdayWords are the names of the days of the week.
var weekdayWords = strings.Join(weekdays, "|")

var (
	spanOfTime = regexp.MustCompile(`\b(?:en|dentro de|de aqui a|in|within) (?:unos |unas |about |otra |another )?(\d{1,3}|media|half an|un par de|a couple of|` + numberWords +
		`) ?(minutos?|mins?|minutes?|horas?|hours?|hrs?|h|dias?|days?|semanas?|weeks?|mes|meses|months?|anos?|years?)\b( y media| y cuarto)?`)
	bareSpan  = regexp.MustCompile(`^(?:unas? )?(\d{1,3}|media|` + numberWords + `) (minutos?|minutes?|horas?|hours?|dias?|days?)( y media)?$`)
	dayAfter  = regexp.MustCompile(`\b(pasado manana|(the )?day after tomorrow)\b`)
	ofMorning = regexp.MustCompile(`\b(?:de|en|por|a) la manan(?:a|ita)\b|\besta manana\b`)
	nextDay   = regexp.MustCompile(`\b(manana|mananita|tomorrow)\b`)
	thisDay   = regexp.MustCompile(`\b(hoy|today|tonight|esta (tarde|noche|manana)|this (morning|afternoon|evening))\b`)
	weekday   = regexp.MustCompile(`\b(` + weekdayWords + `)\b`)
	weekend   = regexp.MustCompile(`\b(fin de semana|finde|weekend)\b`)
	nextWeek  = regexp.MustCompile(`\b((proxima|otra|siguiente|next) (semana|week)|semana que (viene|entra))\b`)
	noon      = regexp.MustCompile(`\b(medio ?dia|noon|midday)\b`)
	midnight  = regexp.MustCompile(`\b(media ?noche|midnight)\b`)

	hourNamed = regexp.MustCompile(`\b(?:a las?|las|at|around|by|tipo|tipo las|como a las) (\d{1,2}|` + numberWords + `)(?: ?[:h] ?(\d{2})|( y media| y cuarto| menos cuarto| half past)| y (\d{1,2}))?\b`)
	clockTime = regexp.MustCompile(`\b(\d{1,2}) ?[:h] ?(\d{2})\b`)
	hourOf    = regexp.MustCompile(`\b(\d{1,2}|` + numberWords + `) ?(?:am|pm|h|hs|o ?clock|de la (?:manana|tarde|noche|madrugada))\b`)
	hourAlone = regexp.MustCompile(`^(\d{1,2}|` + numberWords + `)$`)

	// What sounds like a part of a day and is none.
	noPart = regexp.MustCompile(`\bbuen[oa]s? (dias?|tardes?|noches?)\b|\bgood (morning|afternoon|evening|night)\b|\b(mas|muy|tan|es|algo|poco|demasiado) tarde\b`)
)

// countWords by what they count: the Spanish ones from one to twelve, then the English.
var countWords = map[string]int{
	"un": 1, "una": 1, "uno": 1, "dos": 2, "tres": 3, "cuatro": 4, "cinco": 5, "seis": 6, "siete": 7, "ocho": 8, "nueve": 9, "diez": 10, "once": 11, "doce": 12,
	"an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12,
	"un par de": 2, "a couple of": 2,
}

// readMoment reads when words mean, counted from [now] in its own zone; not ok where they name no time. [asked] says that they
// answer the question for an hour, so that a bare "8" is one. A moment of today that is over is returned as it is.
func readMoment(said string, now time.Time, asked bool) (m moment, ok bool) {
	return readMomentOf(said, now, asked, time.Time{})
}

// readMomentOf is readMoment where an hour alone, or a part of the day, is one of [day], unless that is zero.
func readMomentOf(said string, now time.Time, asked bool, day time.Time) (m moment, ok bool) {
	s := timeWords(said)
	if asked && bareSpan.MatchString(s) { // "dos horas"
		s = "en " + s
	}
	now = now.Truncate(time.Second)
	days, known := 0, false
	if at := spanOfTime.FindStringSubmatchIndex(s); at != nil {
		length, whole := spanLength(s, at)
		if !whole {
			return moment{now.Add(length), true}, true
		}
		days, known = int(length/(24*time.Hour)), true
		s = s[:at[0]] + " " + s[at[1]:]
		if _, _, hourly := hourIn(s, asked); !hourly && !noon.MatchString(s) && partOf(s) == nil {
			return moment{now.AddDate(0, 0, days), true}, true
		}
	}
	dated := false
	if !known {
		if days, s, dated = dateIn(s, now, asked); !dated {
			days, known = dayIn(s, now)
		}
	}
	if dayOver.MatchString(s) || dated && days < 0 {
		return moment{now.AddDate(0, 0, -1), true}, true
	}
	if !known && !dated && !thisDay.MatchString(s) && !day.IsZero() && daysTo(now, day) > 0 {
		days, known = daysTo(now, day), true
	}
	in := partOf(s)
	known = known || dated
	today := thisDay.MatchString(s) || known && days == 0
	if midnight.MatchString(s) { // the one that ends the day
		return moment{clockOn(now, days+1, 0, 0), true}, true
	}
	if noon.MatchString(s) {
		return moment{nextOf(now, days, known || today, 12, 0), true}, true
	}
	if hour, minute, ok := hourIn(s, asked); ok {
		return moment{hourOn(now, days, known, today, clock{hour, minute, in}), true}, true
	}
	switch {
	case known && days > 0 && in != nil:
		return moment{clockOn(now, days, in.usual, 0), false}, true
	case known && days > 0:
		return moment{clockOn(now, days, dayStarts, 0), false}, true
	case in != nil:
		return moment{partNext(now, today, *in), false}, true
	case known:
		return moment{partNext(now, true, part{usual: dayStarts, until: quietFrom}), false}, true
	}
	return moment{}, false
}

// timeWords is what was said, folded, without what only sounds like a time.
func timeWords(said string) string {
	s := inWordsOfMonths(bot.Fold(said))
	s = halfOfDay.ReplaceAllString(s, "${1}m")
	s = pointInClock.ReplaceAllString(s, "$1:$2")
	s = strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9', r == ':':
			return r
		}
		return ' '
	}, s)
	s = joined.ReplaceAllString(s, "$1 $2")
	s = noPart.ReplaceAllString(strings.Join(strings.Fields(s), " "), " ")
	return strings.TrimSpace(s)
}

var (
	halfOfDay    = regexp.MustCompile(`\b([ap])\. ?m\b`) // "p. m."
	pointInClock = regexp.MustCompile(`\b(\d{1,2})\.(\d{2})\b`)
	joined       = regexp.MustCompile(`\b(\d{1,2}(?::\d{2})?)(am|pm|hs)\b`)
)

// mostCounted is how many of a unit are counted at most: nobody is reminded after so long.
const mostCounted = 100

// spanLength is how long a span of time is that was found in [s]; whole says that it counts days.
func spanLength(s string, at []int) (length time.Duration, whole bool) {
	count, unit, more := s[at[2]:at[3]], s[at[4]:at[5]], ""
	if at[6] >= 0 {
		more = strings.TrimSpace(s[at[6]:at[7]])
	}
	var one time.Duration
	switch unit[0] {
	case 'm':
		one = time.Minute
		if strings.HasPrefix(unit, "mes") || strings.HasPrefix(unit, "mon") {
			one, whole = 30*24*time.Hour, true
		}
	case 'a', 'y':
		one, whole = 365*24*time.Hour, true
	case 'h':
		one = time.Hour
	case 'd':
		one, whole = 24*time.Hour, true
	default:
		one, whole = 7*24*time.Hour, true
	}
	if count == "media" || count == "half an" {
		return one / 2, false
	}
	length = time.Duration(min(counted(count), mostCounted)) * one
	switch more {
	case "y media":
		length += one / 2
	case "y cuarto":
		length += one / 4
	}
	return length, whole && more == ""
}

// counted is a number in digits or as a word.
func counted(word string) int {
	if n, ok := countWords[word]; ok {
		return n
	}
	n, _ := strconv.Atoi(word)
	return n
}

// dayIn is the day that is named, counted from today; not ok where none is but, perhaps, today.
func dayIn(s string, now time.Time) (days int, ok bool) {
	if dayAfter.MatchString(s) {
		return nextMorning(now) + 1, true
	}
	until := func(day time.Weekday) int { return (int(day-now.Weekday())+6)%7 + 1 }
	if named := weekday.FindString(s); named != "" {
		return until(time.Weekday(slices.Index(weekdays, named) % 7)), true
	}
	switch {
	case nextDay.MatchString(ofMorning.ReplaceAllString(s, " ")):
		return nextMorning(now), true
	case weekend.MatchString(s):
		if now.Weekday() == time.Saturday {
			return 1, true
		}
		return until(time.Saturday), true
	case nextWeek.MatchString(s):
		return until(time.Monday), true
	}
	return 0, false
}

// partOf is the part of the day that is named, or nil.
func partOf(s string) *part {
	for i := range parts {
		if parts[i].said.MatchString(s) {
			return &parts[i]
		}
	}
	return nil
}

// hourIn is the hour that is named.
func hourIn(s string, asked bool) (hour, minute int, ok bool) {
	switch m := hourNamed.FindStringSubmatch(s); {
	case m != nil:
		hour, minute = counted(m[1]), counted(m[2])+counted(m[4])
		switch strings.TrimSpace(m[3]) {
		case "y media", "half past":
			minute = 30
		case "y cuarto":
			minute = 15
		case "menos cuarto":
			hour, minute = hour-1, 45
		}
		hour = keepMark(m[1], hour)
	default:
		for _, re := range []*regexp.Regexp{clockTime, hourOf, hourAlone} {
			m := re.FindStringSubmatch(s)
			if m == nil || re == hourAlone && !asked {
				continue
			}
			hour, minute = counted(m[1]), 0
			if len(m) > 2 {
				minute = counted(m[2])
			}
			hour = keepMark(m[1], hour)
			ok = true
			break
		}
		if !ok {
			return 0, 0, false
		}
	}
	plain := hour
	if plain >= written {
		plain -= written
	}
	return hour, minute, plain <= 24 && minute < 60
}

// written marks an hour before noon that was written as clocks write it, "08:00": it is no evening.
const written = 100

func keepMark(digits string, hour int) int {
	if strings.HasPrefix(digits, "0") {
		return hour + written
	}
	return hour
}

// clock is an hour as it was named, and the part of the day it was said of.
type clock struct {
	hour, minute int
	in           *part
}

// hours are the hours of a day that are meant, the likelier first.
func (c clock) hours() []int {
	h := c.hour
	switch {
	case h >= written:
		return []int{h - written}
	case h > 12:
		return []int{h}
	case c.in == nil && h == 12:
		return []int{12}
	case c.in == nil:
		return []int{h, h + 12}
	case c.in.late && h == 12 && c.in.usual > 18: // twelve at night
		return []int{24}
	case c.in.late && h == 12:
		return []int{12}
	case c.in.late && c.in.usual > 18 && h < 6: // two at night
		return []int{h}
	case c.in.late:
		return []int{h + 12}
	case h == 12:
		return []int{0}
	}
	return []int{h}
}

// hourOn is an hour of a day that was named, or the next there is.
func hourOn(now time.Time, days int, known, today bool, c clock) time.Time {
	hours := c.hours()
	if known && days > 0 {
		hour := hours[0]
		if len(hours) > 1 && hour < quietUntil { // "mañana a las 5" is no night
			hour = hours[1]
		}
		return clockOn(now, days, hour, c.minute)
	}
	last := clockOn(now, 0, hours[len(hours)-1], c.minute)
	for _, waking := range []bool{true, false} {
		for _, day := range []int{0, 1} {
			for _, hour := range hours {
				at := clockOn(now, day, hour, c.minute)
				if day > 0 && today || !at.After(now) || waking && isQuiet(at) {
					continue
				}
				return at
			}
		}
	}
	return last
}

// nextOf is an hour of the day that was named, or, where none was, the next time it strikes.
func nextOf(now time.Time, days int, named bool, hour, minute int) time.Time {
	at := clockOn(now, days, hour, minute)
	if !named && !at.After(now) {
		at = clockOn(now, days+1, hour, minute)
	}
	return at
}

// partNext is the next time that a part of the day comes, or an hour from now while it is that already.
func partNext(now time.Time, today bool, in part) time.Time {
	at := clockOn(now, 0, in.usual, 0)
	if at.After(now) {
		return at
	}
	if soon := now.Add(time.Hour); soon.Before(clockOn(now, 0, in.until, 0)) {
		return soon
	}
	if today {
		return at
	}
	return clockOn(now, 1, in.usual, 0)
}

// clockOn is an hour so many days from now.
func clockOn(now time.Time, days, hour, minute int) time.Time {
	return time.Date(now.Year(), now.Month(), now.Day()+days, hour, minute, 0, 0, now.Location())
}

// Nothing is sent unasked from the one hour to the other (P510).
const (
	quietFrom  = 21
	quietUntil = 7
)

// isQuiet says whether nobody is written to unasked at that moment, by the clock of its zone.
func isQuiet(at time.Time) bool { return at.Hour() >= quietFrom || at.Hour() < quietUntil }

// afterQuiet is the moment itself, or the end of the night that it falls in.
func afterQuiet(at time.Time) time.Time {
	switch {
	case !isQuiet(at):
		return at
	case at.Hour() < quietUntil:
		return clockOn(at, 0, quietUntil, 0)
	}
	return clockOn(at, 1, quietUntil, 0)
}

// beforeQuiet is the moment itself, or the last minute before the night that it falls in.
func beforeQuiet(at time.Time) time.Time {
	switch {
	case !isQuiet(at):
		return at
	case at.Hour() < quietUntil:
		return clockOn(at, -1, quietFrom-1, 59)
	}
	return clockOn(at, 0, quietFrom-1, 59)
}
