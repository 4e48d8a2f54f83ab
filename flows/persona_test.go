package flows_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"llave/flows"
	"llave/internal/bottest"
	"llave/internal/bottest/world"
)

// TestPersonas plays people, not features: each file in testdata/personas is somebody with a habit, a fear or a bad day,
// named after it and introduced in the first line. They are compared as dialogues are, on both channels (a small sweep
// plays a quarter of it all). Whoever they are, they may not be left standing: each ends with an unlocked record and a new key, on the in-person route, or with
// a person. How many end which way is said with -v.
func TestPersonas(t *testing.T) {
	files, err := filepath.Glob("testdata/personas/*.txtar")
	if err != nil || len(files) < 60 {
		t.Fatalf("%d personas, want 60 or more: %v", len(files), err)
	}
	sweep := bottest.NewSweep(t)
	var mu sync.Mutex
	ends := map[string]int{}
	t.Run("played", func(t *testing.T) {
		for i, file := range files {
			name := strings.TrimSuffix(filepath.Base(file), ".txtar")
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				for n, on := range []world.Channel{world.Telegram, world.WhatsApp} {
					if !*update && !sweep.Takes(2*i+n, 4) {
						continue
					}
					t.Run(on.Name, func(t *testing.T) {
						end := endOf(t, file, playAndCompare(t, on, file))
						mu.Lock()
						defer mu.Unlock()
						ends[end]++
					})
				}
			})
		}
	})
	t.Logf("%d personas, on two channels where the sweep is whole: %d dialogues end with a new key, %d on the in-person route, %d with a person",
		len(files), ends["key"], ends["office"], ends["person"])
}

// endOf says which of the three ways a persona's dialogue ended, by what is kept and what came.
func endOf(t *testing.T, file string, end world.Ending) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if who, _, _ := strings.Cut(string(text), "\n"); strings.TrimSpace(who) == "" || strings.HasPrefix(who, "-- ") {
		t.Errorf("%s: the first line does not say who it is", file)
	}
	made := strings.Contains(string(text), "@ page 200: Su clave nueva está lista")
	switch c := end.Conv; {
	case c.State == flows.Done && end.Active && made:
		return "key"
	case c.State == flows.AtOffice:
		return "office"
	case (c.State == flows.WithTicket || c.State == flows.InQueue) && c.Handoff.Open():
		return "person"
	default:
		t.Errorf("%s: left standing in %s (record active: %t, key made: %t)", file, c.State, end.Active, made)
	}
	return ""
}
