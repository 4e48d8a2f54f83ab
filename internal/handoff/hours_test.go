package handoff

import (
	"errors"
	"slices"
	"testing"
	"time"
)

func TestHours_open(t *testing.T) {
	h, err := ParseHours("mon-fri 08:00-17:00, sat-sun 22:00-24:00, wed 18:30-19:00")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		at   string // 2025-09-01 was a Monday
		want bool
	}{
		{"2025-09-01 07:59", false},
		{"2025-09-01 08:00", true},
		{"2025-09-05 16:59", true},
		{"2025-09-05 17:00", false},
		{"2025-09-06 10:00", false},
		{"2025-09-07 23:59", true},
		{"2025-09-08 00:00", false},
		{"2025-09-03 18:45", true},
		{"2025-09-04 18:45", false},
	} {
		at, err := time.Parse("2006-01-02 15:04", tc.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := h.Open(at); got != tc.want {
			t.Errorf("%s: got %v, want %v", tc.at, got, tc.want)
		}
	}
}

func TestParseHours(t *testing.T) {
	for _, tc := range []struct{ text, want string }{ // want empty: refused
		{"mon-fri 08:00-17:00", "mon-fri 08:00-17:00"},
		{"  MON-Fri   8:00-17:00 ,sat 09:00-12:30", "mon-fri 08:00-17:00, sat 09:00-12:30"},
		{"sat-mon 00:00-24:00", "sat-mon 00:00-24:00"},
		{"sun-sun 23:59-24:00", "sun 23:59-24:00"},
		{"", ""},
		{"mon-fri", ""},
		{"mon-fri 08:00", ""},
		{"mon-fri 17:00-08:00", ""},
		{"mon-fri 08:00-08:00", ""},
		{"mon-fri 24:00-24:00", ""},
		{"mon-fri 08:00-24:01", ""},
		{"mon-fri 08:00-17:00,", ""},
		{"monday 08:00-17:00", "mon 08:00-17:00"},
		{"lun-vie 08:00-12:30, 13:30-17:00", "mon-fri 08:00-12:30, mon-fri 13:30-17:00"},
		{"08:00-17:00", ""},
		{"lun-vie 08h00-17h00", "mon-fri 08:00-17:00"},
		{"lun-vie 08:00 - 17:00", "mon-fri 08:00-17:00"},
		{"lunes a viernes de 08h00 a 12h30 y de 13h30 a 17h00; sábados 9h00 a 12h00", "mon-fri 08:00-12:30, mon-fri 13:30-17:00, sat 09:00-12:00"},
		{"Lun. - Vie.: 8 a 17h", "mon-fri 08:00-17:00"},
		{"lunes, miércoles y viernes 09:00-12:00", "mon 09:00-12:00, wed 09:00-12:00, fri 09:00-12:00"},
		{"L-V 08:00-17:00, S 9-12", "mon-fri 08:00-17:00, sat 09:00-12:00"},
		{"todos los días 00:00-24:00", "mon-sun 00:00-24:00"},
		{"lun-vie 8-12 sab 9-12", "mon-fri 08:00-12:00, sat 09:00-12:00"},
		{"lun-vie 08:60-12:00", ""},
		{"lun-vie 08:00-12:30 13:30-17:00", ""},
		{"lun-fer 08:00-12:30", ""},
		{"m-v 08:00-12:30", ""},
		{"mon-fri 08:00-12:00-17:00", ""},
	} {
		h, err := ParseHours(tc.text)
		if got := h.String(); got != tc.want || (err == nil) != (tc.want != "") {
			t.Errorf("%q: got %q, %v, want %q", tc.text, got, err, tc.want)
		}
	}
}

// What cannot be read is named as it was written.
func TestParseHours_names(t *testing.T) {
	for text, want := range map[string]string{
		"lun-vie 08:00-12:30, sábado por la mañana": "sábado por la mañana",
		"lun-vie 17:00-08:00; sáb 09:00-12:00":      "lun-vie 17:00-08:00",
		"lun-vie 08:00-12:30, mar 13:30, sáb 09-12": "mar 13:30",
		"siempre": "siempre",
	} {
		_, err := ParseHours(text)
		var problem *HoursError
		if !errors.As(err, &problem) || problem.Part != want {
			t.Errorf("%q: got %v, want it to name %q", text, err, want)
		}
	}
}

// FuzzParseHours: whatever is taken can be meant, and is the same when it is written down and read again.
func FuzzParseHours(f *testing.F) {
	for _, seed := range []string{"mon-fri 08:00-17:00", "sat-mon 00:00-24:00, wed 8:30-9:00", "sun 24:00-24:00", "lun 08:00-09:00", ",", "mon 08:00-\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h, err := ParseHours(text)
		if err != nil {
			if h != nil {
				t.Errorf("%q: got %v beside %v", text, h, err)
			}
			return
		}
		if len(h) == 0 {
			t.Errorf("%q: taken, but holds no hours", text)
		}
		for _, s := range h {
			if s.Opens < 0 || s.Opens >= s.Closes || s.Closes > 24*time.Hour || (s.Opens+s.Closes)%time.Minute != 0 ||
				s.First < time.Sunday || s.First > time.Saturday || s.Last < time.Sunday || s.Last > time.Saturday {
				t.Errorf("%q: got %+v", text, s)
			}
		}
		again, err := ParseHours(h.String())
		if err != nil || !slices.Equal(again, h) {
			t.Errorf("%q: got %v, and from %q %v, %v", text, h, h.String(), again, err)
		}
	})
}
