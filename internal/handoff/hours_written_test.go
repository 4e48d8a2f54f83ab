package handoff

import (
	"testing"
	"time"
)

func TestReadHours(t *testing.T) {
	for _, tc := range []struct{ text, want string }{ // want empty: not understood
		{"lunes a viernes 08:00-17:00", "mon-fri 08:00-17:00"},
		{"De lunes a viernes, de 8h00 a 16h30", "mon-fri 08:00-16:30"},
		{"Lunes a viernes de 08:00 a 17:00.", "mon-fri 08:00-17:00"},
		{"08:00-16:00", "mon-fri 08:00-16:00"},
		{"8:00 – 16:00", "mon-fri 08:00-16:00"},
		{"mon-sat 08:00-12:00", "mon-sat 08:00-12:00"},
		{"lunes a viernes 08:00-12:30; lunes a viernes 13:30-17:00", "mon-fri 08:00-12:30, mon-fri 13:30-17:00"},
		{"lunes a viernes 08:00-17:00, sábado 09:00-12:00", "mon-fri 08:00-17:00, sat 09:00-12:00"},
		{"lunes a viernes 08:00-17:00, y los sábados de 09:00 a 12:00", "mon-fri 08:00-17:00, sat 09:00-12:00"},
		{"miércoles 8.00 hasta las 12.00", "wed 08:00-12:00"},
		{"", ""},
		{"con cita previa", ""},
		{"lunes a viernes", ""},
		{"lunes a feriado 08:00-17:00", ""},
		{"lunes a viernes 17:00-08:00", ""},
		{"lunes a viernes 08:00-17:00, sábado con cita", ""},
		{"lunes a viernes 08:00-17:00 (ventanilla 3)", ""},
	} {
		h, ok := ReadHours(tc.text)
		if got := h.String(); ok != (tc.want != "") || ok && got != tc.want {
			t.Errorf("%q: got %q, %v, want %q", tc.text, got, ok, tc.want)
		}
	}
}

func FuzzReadHours(f *testing.F) {
	f.Add("de lunes a viernes, de 8h00 a 17:00; sábado 09:00-12:00")
	f.Fuzz(func(t *testing.T, text string) {
		if h, ok := ReadHours(text); ok {
			if again, ok := ReadHours(h.String()); !ok || again.String() != h.String() {
				t.Errorf("%q is %q, and that %q", text, h, again)
			}
		}
	})
}

// A calendar's hours of a date are those of the week, of the day itself, or none on a day of rest.
func TestCalendar_on(t *testing.T) {
	hours, err := ParseHours("mon-fri 13:30-17:00, mon-fri 08:00-12:30")
	if err != nil {
		t.Fatal(err)
	}
	c := Calendar{Hours: hours, Zone: time.UTC}
	for date, want := range map[Date]string{"2026-03-02": "08:00-12:30 13:30-17:00", "2026-03-07": "", "2026-12-25": ""} {
		got := ""
		for _, s := range c.On(date) {
			if got != "" {
				got += " "
			}
			opens, closes := s.Clocks()
			got += opens + "-" + closes
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", date, got, want)
		}
	}
}
