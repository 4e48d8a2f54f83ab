package runner

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"llave/bot"
)

// Every way in which a try can end, in every lane, of a promise that is young or old, whoever the outbox names as keeper by
// then, and whether or not the promise still stands in it.
func TestSettle(t *testing.T) {
	now := time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)
	refused := func(f bot.Failure) error {
		return fmt.Errorf("send: %w", &bot.SendError{Failure: f, After: 7 * time.Second})
	}
	duties := map[bot.Lane]bot.Duty{bot.LaneChat: bot.Say{Reply: &bot.Reply{}}, bot.LaneMail: bot.MailLink{}, bot.LaneEvent: bot.SendSignal{}}
	ages := []struct {
		tries int
		next  time.Duration // after one more
	}{{0, 0}, {1, 2 * time.Second}, {2, 4 * time.Second}, {9, 30 * time.Second}, {unknownTries, 30 * time.Second}}
	for _, tt := range []struct {
		name  string
		err   error
		fate  fate
		drops int // of the two that were tried together
	}{
		{"kept", nil, done, 2},
		{"any error", errors.New("away"), later, 0},
		{"temporary", refused(bot.Temporary), later, 0},
		{"throttled", refused(bot.Throttled), owed, 0},
		{"gone", refused(bot.Gone), gone, 1},
		{"permanent", refused(bot.Permanent), givenUp, 1},
		{"closed", refused(bot.Closed), waits, 0},
		{"stopping", ErrStopping, owed, 0},
		{"taken", fmt.Errorf("try: %w", errTaken), owed, 0},
		{"worthless", errWorthless, worthless, 1},
		{"unknown kind", errUnknown, later, 0},
	} {
		for lane, what := range duties {
			for _, age := range ages {
				for _, keeper := range []string{"me", "other", ""} {
					for _, there := range []bool{true, false} {
						name := fmt.Sprintf("%s/%s/%d tries/keeper %q/there %t", tt.name, lane, age.tries, keeper, there)
						head := bot.Promise{ID: "a", What: what, Schedule: bot.Schedule{Tries: age.tries}}
						second, behind := bot.Promise{ID: "b", What: what}, bot.Promise{ID: "c", What: what}
						box := bot.Outbox{Promises: []bot.Promise{second, behind}, Paused: map[bot.Lane]time.Time{lane: now}, WakeAt: now}
						if there {
							box.Promises = []bot.Promise{head, second, behind}
						}
						if keeper != "" {
							box.Keepers = map[bot.Lane]bot.Keeper{lane: {Who: keeper, Until: now.Add(time.Second)}}
						}
						before := box.Clone()
						after, f := settle(box, try{lane: lane, owed: []bot.Promise{head, second}, by: "me", same: true, err: tt.err}, now)
						if !reflect.DeepEqual(box, before) {
							t.Fatalf("%s: what was given is changed", name)
						}
						throttled := tt.name == "throttled"
						want := tt.fate
						switch {
						case keeper != "me" && (tt.name == "taken" || !there && !throttled):
							want = theirs
						case !there:
							want = owed
						case tt.err == errUnknown && age.tries+1 >= unknownTries:
							want = givenUp
						}
						if f != want {
							t.Errorf("%s: fate %d, want %d", name, f, want)
						}
						if want == theirs {
							if !reflect.DeepEqual(after, before) {
								t.Errorf("%s: %+v, want it as it was", name, after)
							}
							continue
						}
						_, named := after.Keepers[lane]
						if named != (keeper == "other") {
							t.Errorf("%s: keepers %v", name, after.Keepers)
						}
						drops := tt.drops
						if want == givenUp {
							drops = 1
						}
						if !there {
							drops = 0
						}
						if n := len(before.Promises) - len(after.Promises); n != drops {
							t.Errorf("%s: %d dropped, want %d", name, n, drops)
						}
						pause := now
						switch {
						case throttled:
							pause = now.Add(7 * time.Second)
						case want == done:
							pause = time.Time{}
						}
						if !after.Paused[lane].Equal(pause) {
							t.Errorf("%s: paused until %v, want %v", name, after.Paused[lane], pause)
						}
						p := after.Find("a")
						if p == nil {
							continue
						}
						if p.Waits != (want == waits) {
							t.Errorf("%s: waits %t", name, p.Waits)
						}
						switch {
						case want == later && (p.Tries != age.tries+1 || !p.NotBefore.Equal(now.Add(age.next))):
							t.Errorf("%s: %d tries, not before %v, want %d, %v later", name, p.Tries, p.NotBefore, age.tries+1, age.next)
						case want != later && (p.Tries != age.tries || !p.NotBefore.IsZero()):
							t.Errorf("%s: schedule %+v, want none", name, p.Schedule)
						}
					}
				}
			}
		}
	}
}

// Who wrote while the channel refused to speak before they write is tried again, not waited for.
func TestSettle_wroteMeanwhile(t *testing.T) {
	p := bot.Promise{ID: "a", What: bot.Say{Reply: &bot.Reply{}}}
	closed := &bot.SendError{Failure: bot.Closed}
	box, f := settle(bot.Outbox{Promises: []bot.Promise{p}}, try{lane: bot.LaneChat, owed: []bot.Promise{p}, err: closed}, time.Now())
	if f != waits || box.Promises[0].Waits {
		t.Errorf("fate %d, waits %t, want %d and a promise that is due", f, box.Promises[0].Waits, waits)
	}
}
