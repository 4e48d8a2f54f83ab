package bot_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/bot"
)

// However a place is written down, nothing of it is there (P415).
func TestSpot_leavesNothing(t *testing.T) {
	u := bot.Update{Kind: bot.Location, Spot: bot.SpotAt(-0.2191817, -78.5121314)}
	if lat, lon := u.Spot.Degrees(); !u.Spot.Known() || lat != -0.2191817 || lon != -78.5121314 {
		t.Fatalf("the turn itself reads %v, %v", lat, lon)
	}
	written := map[string][]byte{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%f", "%x"} {
		written["printed with "+verb] = fmt.Appendf(nil, verb+" "+verb, u, u.Spot)
	}
	var log bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(h).Info("update", "spot", u.Spot, "update", u)
	}
	written["logged"] = log.Bytes()
	var err error
	if written["as JSON"], err = json.Marshal(u); err != nil {
		t.Fatal(err)
	}
	if written["as BSON"], err = bson.Marshal(u); err != nil {
		t.Fatal(err)
	}
	lat := make([]byte, 8)
	for i, bits := 0, math.Float64bits(-0.2191817); i < 8; i++ {
		lat[i] = byte(bits >> (8 * i))
	}
	for how, bytesOf := range written {
		if text := string(bytesOf); strings.Contains(text, "2191817") || strings.Contains(text, "5121314") || strings.Contains(text, string(lat)) {
			t.Errorf("%s it is there: %q", how, text)
		}
	}
}

func TestSpotAt_noSuchPlace(t *testing.T) {
	for _, at := range [][2]float64{{91, 0}, {-91, 0}, {0, 181}, {0, -181}, {math.NaN(), 0}, {0, math.NaN()}, {math.Inf(1), 0}} {
		if bot.SpotAt(at[0], at[1]).Known() {
			t.Errorf("%v is a place", at)
		}
	}
}
