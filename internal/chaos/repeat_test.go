package chaos

import (
	"context"
	"strconv"
	"testing"
	"time"

	"llave/internal/affiliate"
)

// TestRepeat_fiveTimesAtOnce: every update is delivered five times at the same moment, through all processes, and once
// more after all of them were ended and started again. It has one effect: one turn, one bubble, one ask at the record,
// one letter.
func TestRepeat_fiveTimesAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, k kind) {
		const copies = 5
		dep := newDeployment(t, k)
		dep.front.copies = copies
		people := dep.populate(sized(30, 300))
		dep.start()
		began := time.Now()
		waiting, stop := context.WithTimeout(t.Context(), sized(time.Minute, 5*time.Minute))
		defer stop()
		dep.walk(waiting, waiting, people, 10*time.Millisecond, sized(30, 150))
		for _, p := range dep.fleet.instances {
			if err := dep.fleet.terminate(p); err != nil {
				t.Fatal(err)
			}
		}
		for _, p := range dep.fleet.instances {
			if err := dep.fleet.start(p); err != nil {
				t.Fatal(err)
			}
		}
		if refused := dep.front.replay(); refused > 0 {
			t.Errorf("%d updates delivered again were not answered 200", refused)
		}
		dep.settle(waiting)
		took := time.Since(began)
		dep.end()
		dep.reconcile(t, took)

		s, vault := dep.openStore(t)
		turns := invariant{name: "conversations with other than one turn for each update"}
		asks := invariant{name: "records asked other than once"}
		answered := 0
		for _, p := range people {
			c, err := s.Conversations.Load(t.Context(), s.Book.Conv(p.conv))
			if err != nil {
				t.Fatal(err)
			}
			times := map[string]int{}
			for _, seen := range c.Seen {
				times[seen.ID]++
			}
			updates := 0
			for _, d := range dep.front.kept {
				id, chat := read(d.body)
				if chat != p.chat {
					continue
				}
				updates++
				if n := times[strconv.Itoa(id)]; n != 1 {
					turns.breaks("person %d: update %d was answered %d times", p.index, id, n)
				}
			}
			if updates != len(road) || c.Turns != int64(updates) || len(c.Seen) != updates+1 { // and the used link
				turns.breaks("person %d: %d updates, %d turns, %d ids seen", p.index, updates, c.Turns, len(c.Seen))
			}
			answered += updates
			r, err := s.Unlocks.Load(t.Context(), affiliate.Hash(vault, p.number))
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Asks) != 1 || r.Live == nil || len(r.Live.Convs) != 1 || len(r.Used) != 0 {
				asks.breaks("person %d: %d asks, %d attempts beside the live one", p.index, len(r.Asks), len(r.Used))
			}
		}
		t.Logf("%d updates, each delivered %d times at once to %d processes and once more after a restart: %d deliveries", answered, copies, len(dep.fleet.instances), answered*(copies+1))
		turns.report(t)
		asks.report(t)
	})
}
