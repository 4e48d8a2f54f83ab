package flows

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"llave/internal/handoff"
)

// This file reads dates for moment.go: "el 15 de marzo", "15/3", "March 15", "fin de mes", and days that are over.

const (
	monthWords = `enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre|` +
		`january|february|march|april|may|june|july|august|september|october|november|december`

	dawn = 5 // until then the morning that is spoken of is the one that comes
)

var (
	months = strings.Split(monthWords, "|") // those of a year in Spanish, then in English

	dayOfMonth = regexp.MustCompile(`\b(?:el |the )?(?:dia )?(\d{1,2}|primero)(?:st|nd|rd|th)? (?:de |of )?(` + monthWords + `|setiembre)(?: (?:de |del )?(\d{4}))?\b`)
	monthsDay  = regexp.MustCompile(`\b(` + monthWords + `) (?:the )?(\d{1,2})(?:st|nd|rd|th)?(?: (\d{4}))?\b`)
	inFigures  = regexp.MustCompile(`\b(\d{1,2})[/-](\d{1,2})(?:[/-](\d{4}|\d{2}))?\b`)
	dayAlone   = regexp.MustCompile(`\b(?:el dia|el|dia|the) (\d{1,2})(?:st|nd|rd|th)?\b`)
	monthsEnd  = regexp.MustCompile(`\b(fin|finales|ultimo dia) de(l)? mes\b|\bend of the month\b`)
	nextMonth  = regexp.MustCompile(`\b((proximo|otro|siguiente|next) (mes|month)|mes que (viene|entra))\b`)
	dayOver    = regexp.MustCompile(`\b(ayer|anteayer|antier|antes de ayer|yesterday)\b`)
	timeNamed  = regexp.MustCompile(`\b(horas?|dias?|fecha|mes|meses|semanas?|anos?|minutos?|ayer|anteayer|antier|luego|manana|tarde|noche|madrugada|almuerzo|merienda|cena|desayuno|feriado|quincena|` +
		`hours?|days?|weeks?|months?|years?|minutes?|morning|afternoon|evening|night|` + weekdayWords + `|` + monthWords + `|a las?|\d{1,2})\b`)
	timeAsked = regexp.MustCompile(`[?¿]|\b(que|cual|cuanto|cuantos|cuando|donde|quien|what|when|which|who|how)\b`)
)

// ofTime says whether words are about a time, and ask for none.
func ofTime(said string) bool {
	return timeNamed.MatchString(timeWords(said)) && !timeAsked.MatchString(strings.ToLower(said))
}

// inWordsOfMonths writes a date in figures with the name of its month.
func inWordsOfMonths(s string) string {
	return inFigures.ReplaceAllStringFunc(s, func(figures string) string {
		m := inFigures.FindStringSubmatch(figures)
		month, _ := strconv.Atoi(m[2])
		if month < 1 || month > 12 {
			return figures
		}
		year := m[3]
		if len(year) == 2 {
			year = "20" + year
		}
		return m[1] + " de " + months[month-1] + " " + year
	})
}

// dateIn is the date that is named, counted in days from today, below zero where it is over, and what was said without it. [asked]
// says that a day's number alone is one.
func dateIn(s string, now time.Time, asked bool) (days int, rest string, ok bool) {
	day, month, year := "", "", ""
	var at []int
	switch {
	case dayOfMonth.MatchString(s):
		at = dayOfMonth.FindStringIndex(s)
		m := dayOfMonth.FindStringSubmatch(s)
		day, month, year = m[1], m[2], m[3]
	case monthsDay.MatchString(s):
		at = monthsDay.FindStringIndex(s)
		m := monthsDay.FindStringSubmatch(s)
		day, month, year = m[2], m[1], m[3]
	case monthsEnd.MatchString(s):
		end := time.Date(now.Year(), now.Month()+1, 0, 0, 0, 0, 0, now.Location())
		return daysTo(now, end), monthsEnd.ReplaceAllString(s, " "), true
	case nextMonth.MatchString(s):
		return daysTo(now, now.AddDate(0, 1, 0)), nextMonth.ReplaceAllString(s, " "), true
	case asked && dayAlone.MatchString(s):
		at = dayAlone.FindStringIndex(s)
		day = dayAlone.FindStringSubmatch(s)[1]
	default:
		return 0, s, false
	}
	rest = s[:at[0]] + " " + s[at[1]:]
	n, _ := strconv.Atoi(strings.Replace(day, "primero", "1", 1))
	date := time.Date(now.Year(), now.Month(), n, 0, 0, 0, 0, now.Location())
	if month == "" {
		if n < now.Day() {
			date = date.AddDate(0, 1, 0)
		}
	} else {
		month = strings.Replace(month, "setiembre", "septiembre", 1)
		date = time.Date(now.Year(), time.Month(slices.Index(months, month)%12+1), n, 0, 0, 0, 0, now.Location())
	}
	if y, err := strconv.Atoi(year); err == nil {
		date = date.AddDate(y-now.Year(), 0, 0)
	} else if month != "" && daysTo(now, date) < -90 { // that of next year
		date = date.AddDate(1, 0, 0)
	}
	if n < 1 || date.Day() != n {
		return 0, s, false
	}
	return daysTo(now, date), rest, true
}

// daysTo is how many days lie between two moments by the calendar.
func daysTo(now, then time.Time) int {
	day := func(at time.Time) time.Time { return time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, time.UTC) }
	return int(day(then).Sub(day(now)) / (24 * time.Hour))
}

// nextMorning is how many days off the morning is that "mañana" means: before dawn none.
func nextMorning(now time.Time) int {
	if now.Hour() < dawn {
		return 0
	}
	return 1
}

// weekdays by their names, from Sunday on, in Spanish and then in English.
var weekdays = append(slices.Clone(handoff.WeekdayNames[:]), englishDays...)

var englishDays = strings.Split("sunday|monday|tuesday|wednesday|thursday|friday|saturday", "|")
