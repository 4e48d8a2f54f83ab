package app

import (
	"io"
	"log/slog"
	"slices"
	"testing"
	"time"

	"llave/internal/config"
)

// The desk of the demo is open on a day of rest, at night and after midnight; with hours of one's own it rests.
func TestSeed_deskOpen(t *testing.T) {
	quito, err := time.LoadLocation("America/Guayaquil")
	if err != nil {
		t.Fatal(err)
	}
	christmasEve := time.Date(2026, 12, 24, 23, 30, 0, 0, quito)
	for _, tt := range []struct {
		name  string
		hours string
		open  bool
	}{
		{"any hour", anyHour.String(), true},
		{"hours of one's own", "mon-sun 00:00-23:59", false},
	} {
		c, err := config.Load([]string{
			"LLAVE_HTTP_ADDR=127.0.0.1:0", "LLAVE_ADMIN_ADDR=127.0.0.1:0", "LLAVE_DATA_DIR=" + t.TempDir(), "LLAVE_OFFICE_HOURS=" + tt.hours,
		}, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		a, err := New(t.Context(), Options{
			Config: c, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Demo: true, NoSweep: true, Now: func() time.Time { return christmasEve },
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := a.seed(t.Context()); err != nil {
			t.Fatal(err)
		}
		calendar, err := a.Desk.Calendar(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range []time.Duration{0, time.Hour, 12 * time.Hour, 7 * 24 * time.Hour, 8 * 24 * time.Hour} {
			at := christmasEve.Add(h)
			rest := slices.Contains([]string{"12-25", "01-01"}, at.Format("01-02"))
			if got := calendar.Open(at); got != (tt.open || !rest) {
				t.Errorf("%s: open at %s: %v", tt.name, at.Format(time.DateTime), got)
			}
		}
		if err := a.Stop(t.Context()); err != nil {
			t.Errorf("stop: %v", err)
		}
	}
}
