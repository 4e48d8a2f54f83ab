package app_test

import (
	"testing"

	"llave/internal/store"
	"llave/internal/store/storetest"
)

// A store that answers is up, also where one figure cannot be read: that one is left out, and the others are there.
func TestScrape_oneFigureAway(t *testing.T) {
	w := newSteered(t, nil)
	w.Say("hola")
	w.Settle()
	w.fails(func(c storetest.Call) bool { return c.Collection == store.Unlocks && !c.Write })
	now := scrape(t, w.World)
	w.steer(nil)
	if now.of("llave_store_up") != 1 {
		t.Error("the store is said to be away")
	}
	for name, want := range map[string]bool{
		"llave_handoff_queue_length": true, "llave_handoff_longest_wait_seconds": true, "llave_events_dead": true,
		`llave_outbox_promises{lane="chat"}`: false, `llave_outbox_oldest_age_seconds{lane="chat"}`: false,
	} {
		if _, there := now[name]; there != want {
			t.Errorf("%s is there: %t, want %t", name, there, want)
		}
	}
}
