package app_test

import (
	"testing"
	"time"

	"llave/bot"
	"llave/internal/bottest"
	"llave/internal/store"
	"llave/internal/store/storetest"
)

// rude is a world in which somebody has unlocked their key, and the institution's program refuses to hear of it.
func rude(t *testing.T) (*steered, *bottest.Receiver) {
	t.Helper()
	r := newReceiver(t)
	r.FailWhere(func(bottest.BotCall) bool { return true }, 1000, bottest.ReceiverFault{Status: 503})
	w := newSteered(t, nil, "LLAVE_EVENTS_URL="+r.URL(), "LLAVE_EVENTS_SECRET="+eventsSecret)
	for _, text := range []string{"hola", "1", "1", theirs, "1", "1"} {
		w.Say(text)
	}
	pressLink(t, w.World)
	w.Settle()
	return w, r
}

func (s *steered) dead(t *testing.T) []store.DeadEvent {
	t.Helper()
	dead, err := s.App.Store.Events.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return dead
}

// An event that nobody took is counted as dead, not as kept (P707).
func TestEvents_deadIsNotKept(t *testing.T) {
	w, _ := rude(t)
	for range 27 {
		w.Later(time.Hour)
	}
	now := scrape(t, w.App)
	kept, dead := now.of("llave_promises_total", `kind="announce"`, `result="kept"`), now.of("llave_promises_total", `kind="announce"`, `result="dead"`)
	if kept != 0 || dead != 1 || len(w.dead(t)) != 1 || now.of("llave_events_dead") != 1 {
		t.Errorf("%d are counted as kept and %d as dead, %d are listed and %d are scraped, want one dead", kept, dead, len(w.dead(t)), now.of("llave_events_dead"))
	}
}

// An event whose record cannot be read any more ends with its day all the same, with what is known of it.
func TestEvents_recordUnreadable(t *testing.T) {
	w, r := rude(t)
	w.fails(func(c storetest.Call) bool { return c.Collection == store.Affiliates })
	for range 27 {
		w.Later(time.Hour)
	}
	dead := w.dead(t)
	if len(dead) != 1 || dead[0].Name != bot.ToldUnlocked || dead[0].Why != "its record cannot be read" {
		t.Fatalf("dead are %+v, want the one, and why", dead)
	}
	tries, calls := scrape(t, w.App).of("llave_promises_total", `kind="announce"`, `result="temporary"`), len(r.Calls(""))
	for range 3 {
		w.Later(time.Hour)
	}
	if again := scrape(t, w.App).of("llave_promises_total", `kind="announce"`, `result="temporary"`); again != tries || len(r.Calls("")) != calls {
		t.Errorf("a dead event is tried: %d times before, %d now", tries, again)
	}
}

// A process that dies after it has put a dead event aside and before it has written that it did: the next one tries once more. Where that
// is taken nothing stays listed.
func TestEvents_takenAfterDeath(t *testing.T) {
	w, r := rude(t)
	for range 23 {
		w.Later(time.Hour)
	}
	buried := false
	w.steer(func(c storetest.Call, do func() error) error {
		err := do()
		if c.Collection == store.Events && c.Write && !buried {
			buried = true
			return errAway
		}
		return err
	})
	for range 4 {
		if w.Later(30 * time.Minute); buried {
			break
		}
	}
	if !buried || len(w.dead(t)) != 1 {
		t.Fatalf("it was put aside: %t, and %d are listed, want it to stand there", buried, len(w.dead(t)))
	}
	r.Heal()
	for range 3 {
		w.Later(time.Hour)
	}
	if told, dead := r.Told(), w.dead(t); len(told) != 1 || len(dead) != 0 {
		t.Errorf("it was taken %d times and %d are listed, want once and none", len(told), len(dead))
	}
}
