package bot

import (
	"fmt"
	"io"
	"log/slog"
)

// Spot is a place on the map that a person shared. It is read in the turn it came with, and nothing writes it down: it has
// no exported field that a store or a log would find, and prints as one word (P415).
type Spot struct {
	known    bool
	lat, lon float64
}

// SpotAt is the place at those degrees, or none where there is no such place.
func SpotAt(lat, lon float64) Spot {
	if !(lat >= -90 && lat <= 90 && lon >= -180 && lon <= 180) { // nor is there one at NaN
		return Spot{}
	}
	return Spot{true, lat, lon}
}

// Known says whether it is a place at all.
func (s Spot) Known() bool { return s.known }

// Degrees are its latitude and longitude, for reckoning with.
func (s Spot) Degrees() (lat, lon float64) { return s.lat, s.lon }

// Format prints nothing of it, whatever the verb.
func (s Spot) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[place]") }

// LogValue is for slog, which would look inside.
func (s Spot) LogValue() slog.Value { return slog.StringValue("[place]") }
