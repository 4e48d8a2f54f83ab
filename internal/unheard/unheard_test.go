package unheard_test

import (
	"fmt"
	"testing"
	"time"

	"llave/internal/unheard"
)

var at = time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)

// A row does not grow without end: of more chats than it has room for the earliest are forgotten, the count stays.
func TestRow_bounded(t *testing.T) {
	var r unheard.Row
	for i := range 1000 {
		r.Add(unheard.Telling{Who: fmt.Sprint("chat", i), Turn: fmt.Sprint(i), At: at.Add(time.Duration(i) * time.Second), Said: "x"})
	}
	if r.Times != 1000 || len(r.Tellers) != 300 || r.Tellers[0].Who != "chat700" || !r.DropAt.Equal(r.Tellers[0].At.Add(unheard.Known)) {
		t.Errorf("got %d times, %d chats from %s, dropped at %v", r.Times, len(r.Tellers), r.Tellers[0].Who, r.DropAt)
	}
}

// What comes late does not move the end, and is dropped in its own time.
func TestRow_outOfOrder(t *testing.T) {
	var r unheard.Row
	r.Add(unheard.Telling{Who: "b", Turn: "2", At: at.Add(time.Hour), Said: "x", Meaning: "later"})
	r.Add(unheard.Telling{Who: "a", Turn: "1", At: at, Said: "X."})
	if !r.First.Equal(at) || !r.Last.Equal(at.Add(time.Hour)) || r.Said != "x" {
		t.Errorf("got %v to %v, %q", r.First, r.Last, r.Said)
	}
	if changed := r.Drop(at.Add(unheard.Known)); !changed || len(r.Tellers) != 1 || r.Tellers[0].Who != "b" || r.Times != 2 {
		t.Errorf("after a day: %+v", r)
	}
	if r.Drop(at.Add(unheard.Known + time.Minute)) {
		t.Error("dropped one whose day is not over")
	}
}
