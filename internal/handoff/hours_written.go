package handoff

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"llave/bot"
)

// WeekdayNames are the days of the week in Spanish, folded, from Sunday on.
var WeekdayNames = [...]string{"domingo", "lunes", "martes", "miercoles", "jueves", "viernes", "sabado"}

// writtenDay is a day as ParseHours calls it, of its name or of more than one of it; "": it is none.
func writtenDay(name string) string {
	day := slices.Index(WeekdayNames[:], name)
	if many, ok := strings.CutSuffix(name, "s"); ok && day < 0 { // "sábados"
		day = slices.Index(WeekdayNames[:], many)
	}
	if day < 0 {
		return ""
	}
	return strings.ToLower(time.Weekday(day).String()[:3])
}

// written is one span as people write it, folded: "de lunes a viernes, de 8h00 a 17:00", "08:00-16:00".
var written = regexp.MustCompile(`^(?:(?:de |los )?([a-z]+)(?:(?: a | ?- ?)([a-z]+))?,? )?(?:de )?(?:las )?(\d{1,2})[:.h](\d{2})(?: a (?:las )?| hasta (?:las )?| ?[-–] ?)(\d{1,2})[:.h](\d{2})(?: ?h| horas)?$`)

// several divides what is written of several spans.
var several = regexp.MustCompile(`[,;] (?:y )?(?:de |los )?(?:` + strings.Join(WeekdayNames[:], "|") + `)s?\b|;`)

// ReadHours reads hours as people write them in Spanish, or as ParseHours does; hours without a day are those of Monday to
// Friday. Not ok: they are for people alone to read.
func ReadHours(text string) (hours Hours, ok bool) {
	if hours, err := ParseHours(text); err == nil {
		return hours, true
	}
	text = bot.Fold(text)
	for text != "" {
		part, rest := text, ""
		if cut := several.FindStringIndex(text); cut != nil {
			part, rest = text[:cut[0]], strings.TrimSpace(text[cut[0]+1:])
			rest = strings.TrimPrefix(rest, "y ")
		}
		m := written.FindStringSubmatch(strings.TrimSpace(strings.TrimSuffix(part, ".")))
		if m == nil {
			return nil, false
		}
		days := "mon-fri"
		if m[1] != "" {
			days = writtenDay(m[1])
			if m[2] != "" {
				days += "-" + writtenDay(m[2])
			}
		}
		s, ok := parseSpan(days + " " + m[3] + ":" + m[4] + "-" + m[5] + ":" + m[6])
		if !ok {
			return nil, false
		}
		hours, text = append(hours, s), rest
	}
	return hours, len(hours) > 0
}
