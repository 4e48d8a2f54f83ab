package runner

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"llave/bot"
)

// ending is one way in which a try can end.
type ending struct {
	name  string
	err   error
	fate  fate
	drops int // of the two that were tried together
	// where it is another in a lane that is no chat's
	elsewhere fate
}

func endings() []ending {
	refused := func(f bot.Failure) error {
		return fmt.Errorf("send: %w", &bot.SendError{Failure: f, After: 7 * time.Second})
	}
	return []ending{
		{name: "kept", fate: done, drops: 2},
		{name: "any error", err: errors.New("away"), fate: later},
		{name: "temporary", err: refused(bot.Temporary), fate: later},
		{name: "throttled", err: refused(bot.Throttled), fate: asBefore},
		{name: "gone", err: refused(bot.Gone), fate: gone, drops: 1, elsewhere: givenUp},
		{name: "permanent", err: refused(bot.Permanent), fate: givenUp, drops: 1},
		{name: "closed", err: refused(bot.Closed), fate: waits, elsewhere: later},
		{name: "stopping", err: ErrStopping, fate: asBefore},
		{name: "taken", err: fmt.Errorf("try: %w", errTaken), fate: asBefore},
		{name: "worthless", err: errWorthless, fate: worthless, drops: 1},
		{name: "dead", err: fmt.Errorf("keep: %w", ErrDead), fate: worthless, drops: 1},
		{name: "unknown kind", err: errUnknown, fate: later},
	}
}

// age is how often a promise was tried before, and how long it waits after one more temporary failure.
type age struct {
	tries int
	next  time.Duration
}

var ages = []age{{0, 0}, {1, 2 * time.Second}, {2, 4 * time.Second}, {9, 30 * time.Second}, {unknownTries, 30 * time.Second}}

// outcome is a case of the table: an ending in a lane, of a promise of that age, with that keeper in the outbox, the promise
// still there or not, and the document as it was when the try began or not.
type outcome struct {
	ending
	age
	lane   bot.Lane
	keeper string
	there  bool
	same   bool
}

// Every way in which a try can end, in every lane, of a promise that is young or old, whoever the outbox names as keeper by
// then, whether or not the promise still stands in it, and whether or not somebody has written it meanwhile.
func TestSettle(t *testing.T) {
	for _, e := range endings() {
		for _, a := range ages {
			for _, lane := range bot.Lanes {
				for _, keeper := range []string{"me", "other", ""} {
					for _, there := range []bool{true, false} {
						for _, same := range []bool{true, false} {
							o := outcome{e, a, lane, keeper, there, same}
							t.Run(fmt.Sprintf("%s/%d/%s/%s/%t/%t", e.name, a.tries, lane, keeper, there, same), o.check)
						}
					}
				}
			}
		}
	}
}

// want is what becomes of the promise, and how many are dropped.
func (o outcome) want() (fate, int) {
	switch {
	case o.keeper != "me" && (o.name == "taken" || !o.there && o.name != "throttled"):
		return theirs, 0
	case !o.there:
		return asBefore, 0
	case o.name == "unknown kind" && o.tries+1 >= unknownTries:
		return givenUp, 1
	case o.lane == bot.LaneEdit && slices.Contains([]string{"gone", "permanent", "closed"}, o.name):
		return worthless, 1
	case o.lane != bot.LaneChat && o.elsewhere != theirs:
		return o.elsewhere, map[fate]int{givenUp: 1}[o.elsewhere]
	}
	return o.fate, o.drops
}

func (o outcome) check(t *testing.T) {
	now := time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)
	what := map[bot.Lane]bot.Duty{bot.LaneChat: bot.Say{Reply: &bot.Reply{}}, bot.LaneMail: bot.MailLink{}, bot.LaneMail2: bot.MailLink{Row: 1}, bot.LaneMail3: bot.MailLink{Row: 2}, bot.LaneEvent: bot.SendSignal{}, bot.LaneDesk: bot.MailWarning{}, bot.LaneHook: bot.Announce{}, bot.LaneAlert: bot.RaiseAlert{}, bot.LaneEdit: bot.Spend{}}[o.lane]
	head := bot.Promise{ID: "a", What: what, Schedule: bot.Schedule{Tries: o.tries}}
	second, behind := bot.Promise{ID: "b", What: what}, bot.Promise{ID: "c", What: what}
	outbox := bot.Outbox{Promises: []bot.Promise{second, behind}, Paused: map[bot.Lane]time.Time{o.lane: now}, WakeAt: now}
	if o.there {
		outbox.Promises = []bot.Promise{head, second, behind}
	}
	if o.keeper != "" {
		outbox.Keepers = map[bot.Lane]bot.Keeper{o.lane: {Who: o.keeper, Until: now.Add(time.Second)}}
	}
	before := outbox.Clone()
	after, f := settle(outbox, try{lane: o.lane, owed: []bot.Promise{head, second}, by: "me", same: o.same, err: o.err}, now)
	if !reflect.DeepEqual(outbox, before) {
		t.Error("what was given is changed")
	}
	want, drops := o.want()
	if f != want {
		t.Errorf("fate %d, want %d", f, want)
	}
	if want == theirs {
		if !reflect.DeepEqual(after, before) {
			t.Errorf("%+v, want it as it was", after)
		}
		return
	}
	if _, named := after.Keepers[o.lane]; named != (o.keeper == "other") {
		t.Errorf("keepers %v", after.Keepers)
	}
	if n := len(before.Promises) - len(after.Promises); n != drops {
		t.Errorf("%d dropped, want %d", n, drops)
	}
	pause := map[bool]time.Time{true: now.Add(7 * time.Second), false: now}[o.name == "throttled"]
	if want == done {
		pause = time.Time{}
	}
	if !after.Paused[o.lane].Equal(pause) {
		t.Errorf("paused until %v, want %v", after.Paused[o.lane], pause)
	}
	if p := after.Find("a"); p != nil {
		schedule := bot.Schedule{Tries: o.tries, Waits: want == waits && o.same} // else they may have written, and it is tried again
		if want == later {
			next := o.next
			if o.lane == bot.LaneHook && next == longest {
				next = min(time.Second<<o.tries, seldom) // it goes on growing
			}
			if slices.Contains(bot.MailRows, o.lane) {
				next = min(next, soon)
			}
			schedule = bot.Schedule{Tries: o.tries + 1, NotBefore: now.Add(next)}
		}
		if p.Schedule != schedule {
			t.Errorf("schedule %+v, want %+v", p.Schedule, schedule)
		}
	}
}
