package affiliate

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"llave/bot"
)

// bounds are those of a coordinate within Ecuador, the islands included: degrees beyond them are slips, most often a
// latitude and a longitude in each other's column.
type bounds struct {
	column      string
	least, most float64
}

var (
	latitudes  = bounds{"lat", -5.1, 1.9}
	longitudes = bounds{"lon", -92.2, -75.1}
)

// spot reads where an office is, "" and "" being nowhere. A decimal comma is as good as a point.
func spot(lat, lon string) (bot.Spot, []fault) {
	if lat == "" && lon == "" {
		return bot.Spot{}, nil
	}
	north, faults := latitudes.read(lat)
	east, more := longitudes.read(lon)
	if faults = append(faults, more...); len(faults) > 0 {
		return bot.Spot{}, faults
	}
	return bot.SpotAt(north, east), nil
}

// decimal makes of a number what Go reads: spreadsheets write decimal commas and a minus sign of their own.
var decimal = strings.NewReplacer(",", ".", "−", "-")

func (b bounds) read(text string) (float64, []fault) {
	if text == "" {
		return 0, []fault{{b.column, "is empty, and the other of lat and lon is not"}}
	}
	d, err := strconv.ParseFloat(decimal.Replace(text), 64)
	switch {
	case err != nil:
		return 0, []fault{{b.column, fmt.Sprintf("%q is no number of degrees, such as %.4f", text, (b.least+b.most)/2)}}
	case !(d >= b.least && d <= b.most):
		return 0, []fault{{b.column, fmt.Sprintf("%s lies outside Ecuador (%v to %v)", text, b.least, b.most)}}
	}
	return d, nil
}

// Distance is how far off an office is in a straight line, in kilometres and in steps: so coarse that three of them do not
// tell where somebody is (P415).
type Distance int

// The ends of the scale.
const (
	Close Distance = 0   // less than a kilometre
	Far   Distance = 100 // a hundred or more
)

// distances are the steps, and up to how many kilometres each is said.
var distances = []struct {
	upTo float64
	say  Distance
}{{1, Close}, {3, 2}, {7, 5}, {15, 10}, {30, 20}, {60, 40}, {100, 80}}

// nearAtAll is how many kilometres off an office may be to be named as near: beyond that somebody is abroad, or on an
// island that has none.
const nearAtAll = 300

// Nearby is an office and how far off it is.
type Nearby struct {
	Office   Office
	Distance Distance
}

// Mapped says whether it is known of any office where on the map it is.
func (o Offices) Mapped() bool {
	return slices.ContainsFunc(o, func(office Office) bool { return office.Spot.Known() })
}

// Near returns up to three offices near a place, the nearest first.
func (o Offices) Near(from bot.Spot) []Nearby {
	type hit struct {
		office Office
		km     float64
	}
	var hits []hit
	for _, office := range o {
		if !from.Known() || !office.Spot.Known() {
			continue
		}
		if km := kilometres(from, office.Spot); km <= nearAtAll {
			hits = append(hits, hit{office, km})
		}
	}
	slices.SortStableFunc(hits, func(a, b hit) int { return cmp.Compare(a.km, b.km) })
	var near []Nearby
	for _, h := range hits[:min(shown, len(hits))] {
		near = append(near, Nearby{h.office, distance(h.km)})
	}
	return near
}

func distance(km float64) Distance {
	for _, d := range distances {
		if km < d.upTo {
			return d.say
		}
	}
	return Far
}

// kilometres between two places, on a round earth.
func kilometres(a, b bot.Spot) float64 {
	const radius, degree = 6371, math.Pi / 180
	lat1, lon1 := a.Degrees()
	lat2, lon2 := b.Degrees()
	half := func(d float64) float64 { s := math.Sin(d * degree / 2); return s * s }
	h := half(lat2-lat1) + math.Cos(lat1*degree)*math.Cos(lat2*degree)*half(lon2-lon1)
	return 2 * radius * math.Asin(math.Sqrt(min(h, 1)))
}
