package flows_test

import (
	"testing"

	"llave/bot"
	"llave/flows"
	"llave/internal/handoff"
)

// Wherever a conversation stands when its number turns out to be somebody else's, nothing of it is left to be read or said, and
// a case is closed for that reason (P116).
func TestNumberLost_everywhere(t *testing.T) {
	everywhere(t, func(t *testing.T, s bot.State) {
		k := at(t, s)
		open := k.c.Handoff.Open()
		k.step(bot.Update{Kind: bot.Signal, Signal: bot.SignalNumberLost})
		if k.said || len(k.c.Slots) > 0 || len(k.c.Tail) > 0 || k.c.Attempt != "" || k.c.State != flows.Start || !k.c.Gone {
			t.Errorf("said %q; left are the slots %v, the lines %v and the attempt %q, in %s", k.reply.Text, k.c.Slots, k.c.Tail, k.c.Attempt, k.c.State)
		}
		for _, timer := range k.c.Timers {
			if timer.Signal != bot.SignalForget {
				t.Errorf("the timer of %s is still set", timer.Signal)
			}
		}
		if open && (k.c.Handoff.Open() || k.c.Handoff.Reason != handoff.ChangedHands) {
			t.Errorf("the case is %+v", k.c.Handoff)
		}
		k.says("hola")
		if k.c.State != flows.Welcome {
			t.Errorf("the next word leads to %s, want the welcome", k.c.State)
		}
	})
}
