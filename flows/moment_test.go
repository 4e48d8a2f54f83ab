package flows_test

import (
	"testing"
	"time"
	"unicode/utf8"

	"llave/flows"
)

var guayaquil = time.FixedZone("America/Guayaquil", -5*60*60)

// What people say of when, on a Wednesday at half past ten in the morning where nothing else is said.
func TestMoment(t *testing.T) {
	const form = "2006-01-02 15:04"
	for _, c := range []struct{ now, said, want string }{ // want "": no time is named
		{"", "en una hora", "2026-03-04 11:30"},
		{"", "recuérdeme en una hora por favor", "2026-03-04 11:30"},
		{"", "dentro de 2 horas", "2026-03-04 12:30"},
		{"", "en una hora y media", "2026-03-04 12:00"},
		{"", "en media hora", "2026-03-04 11:00"},
		{"", "en 45 minutos", "2026-03-04 11:15"},
		{"", "en un par de horas", "2026-03-04 12:30"},
		{"", "en dos días", "2026-03-06 10:30"},
		{"", "en dos días a las 8", "2026-03-06 08:00"},
		{"", "en una semana", "2026-03-11 10:30"},
		{"", "in an hour", "2026-03-04 11:30"},
		{"", "remind me in half an hour", "2026-03-04 11:00"},

		{"", "mañana", "2026-03-05 08:00"},
		{"", "MAÑANA", "2026-03-05 08:00"},
		{"", "manana", "2026-03-05 08:00"},
		{"", "recuérdeme mañana", "2026-03-05 08:00"},
		{"", "mañana a las 8", "2026-03-05 08:00"},
		{"", "mañana a las 5", "2026-03-05 17:00"},
		{"", "mañana a las 8 de la noche", "2026-03-05 20:00"},
		{"", "mañana por la mañana", "2026-03-05 08:00"},
		{"", "mañana en la tarde", "2026-03-05 15:00"},
		{"", "mañana en la noche", "2026-03-05 19:00"},
		{"", "mañana al mediodía", "2026-03-05 12:00"},
		{"", "mañana temprano, hoy estoy ordeñando", "2026-03-05 08:00"},
		{"", "mejor mañana sigo, ya es muy tarde", "2026-03-05 08:00"},
		{"", "hágame acordar pasado mañana", "2026-03-06 08:00"},
		{"", "pasado mañana a las 9:30", "2026-03-06 09:30"},
		{"", "tomorrow at 5 pm", "2026-03-05 17:00"},
		{"", "tomorrow morning", "2026-03-05 08:00"},
		{"", "the day after tomorrow", "2026-03-06 08:00"},

		{"", "a las 5 de la tarde", "2026-03-04 17:00"},
		{"", "a las cinco de la tarde", "2026-03-04 17:00"},
		{"", "mándeme un recordatorio a las 8 pm", "2026-03-04 20:00"},
		{"", "a las 8 p. m.", "2026-03-04 20:00"},
		{"", "a las 8am", "2026-03-05 08:00"},
		{"", "a las 8", "2026-03-04 20:00"},
		{"2026-03-04 21:30", "a las 8", "2026-03-05 08:00"},
		{"", "a las 08:00", "2026-03-05 08:00"},
		{"", "a las 11", "2026-03-04 11:00"},
		{"", "a la una", "2026-03-04 13:00"},
		{"", "a las 12", "2026-03-04 12:00"},
		{"", "a las 4 y media", "2026-03-04 16:30"},
		{"", "a las 4 y cuarto", "2026-03-04 16:15"},
		{"", "a las 5 menos cuarto", "2026-03-04 16:45"},
		{"", "a las 4.30 de la tarde", "2026-03-04 16:30"},
		{"", "a las 20h00", "2026-03-04 20:00"},
		{"", "17:45", "2026-03-04 17:45"},
		{"", "a las 10 de la noche", "2026-03-04 22:00"},
		{"", "a las 2 de la madrugada", "2026-03-05 02:00"},
		{"", "a las 12 de la noche", "2026-03-05 00:00"},
		{"", "a medianoche", "2026-03-05 00:00"},
		{"", "al mediodía", "2026-03-04 12:00"},
		{"", "at 5", "2026-03-04 17:00"},

		{"", "en la tarde", "2026-03-04 15:00"},
		{"", "avíseme en la tarde por favor", "2026-03-04 15:00"},
		{"2026-03-04 16:00", "en la tarde", "2026-03-04 17:00"},
		{"2026-03-04 18:30", "en la tarde", "2026-03-05 15:00"},
		{"", "esta noche", "2026-03-04 19:00"},
		{"", "en la noche", "2026-03-04 19:00"},
		{"", "en la mañana", "2026-03-04 11:30"},
		{"2026-03-04 15:00", "en la mañana", "2026-03-05 08:00"},
		{"", "buenas tardes, recuérdeme mañana", "2026-03-05 08:00"},
		{"", "this afternoon", "2026-03-04 15:00"},

		{"", "el viernes", "2026-03-06 08:00"},
		{"", "el viernes a las 9", "2026-03-06 09:00"},
		{"", "me avisa el lunes para hacerlo con mi hija", "2026-03-09 08:00"},
		{"", "el miércoles", "2026-03-11 08:00"},
		{"", "el sábado en la tarde", "2026-03-07 15:00"},
		{"", "lo dejamos para el finde", "2026-03-07 08:00"},
		{"", "la próxima semana", "2026-03-09 08:00"},
		{"", "on Friday at 10", "2026-03-06 10:00"},

		{"", "el 15 de marzo", "2026-03-15 08:00"},
		{"", "recuérdeme el 6 de marzo a las 9", "2026-03-06 09:00"},
		{"", "el 6 de marzo en la tarde", "2026-03-06 15:00"},
		{"", "el lunes 9 de marzo a las 4", "2026-03-09 16:00"},
		{"", "6/3", "2026-03-06 08:00"},
		{"", "06/03/2026 a las 10", "2026-03-06 10:00"},
		{"", "el 5 de enero", "2026-03-03 10:30"}, // over: said so
		{"2026-12-30 10:00", "el 2 de enero", "2027-01-02 08:00"},
		{"", "el 31 de febrero", ""},
		{"", "March 15", "2026-03-15 08:00"},
		{"", "the 15th of March at 9 am", "2026-03-15 09:00"},
		{"", "hoy 4 de marzo a las 5", "2026-03-04 17:00"},
		{"", "el 4 de marzo a las 5 de la tarde", "2026-03-04 17:00"},
		{"", "en un mes", "2026-04-03 10:30"},
		{"", "en dos meses", "2026-05-03 10:30"},
		{"", "en un año", "2027-03-04 10:30"},
		{"", "el próximo mes", "2026-04-04 08:00"},
		{"", "a fin de mes", "2026-03-31 08:00"},
		{"", "ayer", "2026-03-03 10:30"},
		{"", "a la hora de la merienda", "2026-03-04 19:00"},
		{"", "después del almuerzo", "2026-03-04 13:00"},
		{"", "mañana en el desayuno", "2026-03-05 08:00"},

		{"2026-03-04 00:30", "mañana", "2026-03-04 08:00"},
		{"2026-03-04 00:30", "mañana en la mañana", "2026-03-04 08:00"},
		{"2026-03-04 00:30", "mañana a las 5 de la tarde", "2026-03-04 17:00"},
		{"2026-03-04 00:30", "mañana a las 8", "2026-03-04 08:00"},
		{"2026-03-04 00:30", "pasado mañana", "2026-03-05 08:00"},
		{"2026-03-04 05:30", "mañana", "2026-03-05 08:00"},

		{"", "hoy a las 9 de la mañana", "2026-03-04 09:00"}, // over: said so
		{"", "más tarde", ""},
		{"", "buenas tardes", ""},
		{"", "buenas noches", ""},
		{"", "ya es tarde", ""},
		{"", "hoy", ""},
		{"", "luego", ""},
		{"", "8", ""},
		{"", "", ""},
		{"", "a las 99", ""},
		{"", "no recuerdo mi clave", ""},
	} {
		at := c.now
		if at == "" {
			at = "2026-03-04 10:30"
		}
		now, err := time.ParseInLocation(form, at, guayaquil)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if m, ok := flows.ReadMoment(c.said, now, false); ok {
			got = m.Format(form)
		}
		if got != c.want {
			t.Errorf("%q at %s: got %q, want %q", c.said, at, got, c.want)
		}
	}
}

// Where an hour is asked for a bare one is enough.
func TestMoment_asked(t *testing.T) {
	now := time.Date(2026, 3, 4, 10, 30, 0, 0, guayaquil)
	for said, want := range map[string]string{
		"8": "20:00", "5": "17:00", "las 5": "17:00", "cinco": "17:00", "17": "17:00", "11": "11:00", "5 pm": "17:00", "17:30": "17:30", "dos horas": "12:30", "una hora": "11:30",
		"30 minutos": "11:00", "el 6": "08:00", "el día 6 a las 9": "09:00", "a las 25": "", "blabla": "", "99": "", "1710034065": "", "171 003 4065": "",
	} {
		got := ""
		if m, ok := flows.ReadMoment(said, now, true); ok {
			got = m.Format("15:04")
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", said, got, want)
		}
	}
}

// An hour alone is one of the day that was named before, while that lies ahead.
func TestMoment_day(t *testing.T) {
	now, tomorrow := time.Date(2026, 3, 4, 10, 30, 0, 0, guayaquil), time.Date(2026, 3, 5, 0, 0, 0, 0, guayaquil)
	for _, c := range []struct {
		said string
		day  time.Time
		want string
	}{
		{"mejor en la tarde", tomorrow, "05 15:00"}, {"a las 9", tomorrow, "05 09:00"}, {"el viernes a las 9", tomorrow, "06 09:00"}, {"hoy a las 5", tomorrow, "04 17:00"},
		{"en una hora", tomorrow, "04 11:30"}, {"en la tarde", now, "04 15:00"}, {"en la tarde", now.AddDate(0, 0, -2), "04 15:00"},
	} {
		if at, _ := flows.ReadMomentOf(c.said, now, c.day); at.Format("02 15:04") != c.want {
			t.Errorf("%q of %s: got %s, want %s", c.said, c.day.Format("02"), at.Format("02 15:04"), c.want)
		}
	}
}

// Whatever is typed is read without harm, and what is read is no earlier than the day before.
func FuzzMoment(f *testing.F) {
	for _, said := range []string{"mañana a las 8 y media", "en 999 semanas", "el lunes a la 1 menos cuarto", "24:59", "pasado mañana a medianoche", "\xff a las 0"} {
		f.Add(said, int64(1772638200), true)
	}
	f.Fuzz(func(t *testing.T, said string, unix int64, asked bool) {
		if unix < 0 || unix > 4102444800 || !utf8.ValidString(said) {
			t.Skip()
		}
		now := time.Unix(unix, 0).In(guayaquil)
		at, ok := flows.ReadMoment(said, now, asked)
		if !ok {
			return
		}
		if at.Location() != guayaquil || at.Before(now.AddDate(0, 0, -1)) {
			t.Errorf("%q at %s: %s", said, now, at)
		}
	})
}
