package flows_test

import (
	"slices"
	"testing"
	"time"

	"llave/bot"
	"llave/flows"
)

// alerted are what the conversation's case has told the desk of, each with whom.
func (k *talk) alerted() (all []string) {
	for _, a := range k.c.Alerts {
		if a.Ref == k.c.Handoff.Ref {
			all = append(all, a.What+" "+a.To)
		}
	}
	return all
}

// rung are the alerts that were promised to devices.
func (k *talk) rung() (all []string) {
	for _, p := range k.c.Promises {
		if a, ok := p.What.(bot.RaiseAlert); ok {
			all = append(all, a.Topic+" "+a.To)
		}
	}
	return all
}

// What concerns somebody at the desk is noted once, for whom it concerns, and promised to their devices, but for what the person writes,
// which pages alone tell of (P760).
func TestAlerts_forWhom(t *testing.T) {
	k, _ := staffedTalk(t)
	for _, words := range append(slices.Clone(roads[flows.LinkSent]), "persona") {
		k.says(words)
	}
	want := []string{"new "}
	check := func(what string, more ...string) {
		t.Helper()
		want = append(want, more...)
		if got := k.alerted(); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", what, got, want)
		}
	}
	check("asked for")
	k.says("¿hay alguien?")
	k.says("persona")
	check("asked for again")
	k.desk(bot.DeskAct{Do: bot.DeskClaim}, "")
	k.says("no me sale el paso tres")
	check("the person wrote", "wrote ana")
	if got := k.rung(); len(got) != 0 && slices.Contains(got, "wrote ana") {
		t.Errorf("devices are told %q", got)
	}
	k.signal(bot.SignalLinkUsed)
	check("the link was used", "link_used ana")
	k.signal(bot.SignalKeyMade)
	check("the key was made", "key_made ana")
	k.desk(bot.DeskAct{Do: bot.DeskNote}, "nota mía")
	check("an own note")
	k.desk(bot.DeskAct{Do: bot.DeskNote, Agent: "eva", Name: "Eva", Supervisor: true, Names: []string{"luis", "eva"}}, "@luis, @eva")
	check("a note that names a colleague", "note luis", "note ana")
	k.desk(bot.DeskAct{Do: bot.DeskPass, To: "luis", ToName: "Luis"}, "")
	check("passed", "passed luis")
	k.desk(bot.DeskAct{Do: bot.DeskRelease, Agent: "luis", Name: "Luis"}, "")
	check("released", "new ")
}

// The agent is told when a fifth of the time to answer is left, once, by however much that time was moved; not when they have answered.
func TestAlerts_silenceNear(t *testing.T) {
	due := func(k *talk) (at time.Time) {
		for _, x := range k.c.Timers {
			if x.Signal == bot.SignalSilenceNear {
				at = x.At
			}
		}
		return at
	}
	goesOff := func(k *talk) {
		k.now = due(k)
		k.step(bot.Update{Kind: bot.Signal, Signal: bot.SignalSilenceNear, Timer: true})
	}
	k := heldTalk(t, flows.ReadyToSend)
	var silent time.Time
	for i, x := range k.c.Timers {
		if x.Signal == bot.SignalAgentSilent {
			k.c.Timers[i].At = x.At.Add(3 * time.Minute) // as if something had given the agent more time
			silent = k.c.Timers[i].At
		}
	}
	goesOff(k)
	if slices.Contains(k.alerted(), "silence ana") {
		t.Error("told too early")
	}
	if at := due(k); !at.Before(silent) || silent.Sub(at) > silent.Sub(k.now) {
		t.Errorf("told at %v of what is over at %v", at, silent)
	}
	goesOff(k)
	if !slices.Contains(k.alerted(), "silence ana") || !slices.Contains(k.rung(), "silence ana") {
		t.Errorf("told of %q", k.alerted())
	}
	k.desk(bot.DeskAct{Do: bot.DeskSay}, "Buenos días")
	if !due(k).IsZero() {
		t.Error("the agent has answered, and will be told all the same")
	}
}
