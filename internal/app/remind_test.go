package app_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"llave/internal/bottest"
	"llave/internal/store"
	"llave/internal/store/storetest"
)

// A reminder outlives the process that set it, and one that dies while it goes off, at whatever call to the store: the person is
// reminded once, or again word for word where nobody can know that it arrived (P403, P510).
func TestRemind_processDies(t *testing.T) {
	storetest.Engines(t, func(t *testing.T, e store.Engine) {
		api := newAPI(t)
		smtp, err := bottest.StartSMTP()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = smtp.Close() })
		n := 0
		run := func(k int, done bool) (calls int) {
			n++
			clock := storetest.NewClock(time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC))
			c := &crash{t: t, api: api, smtp: smtp, clock: clock, engine: clocked{e, clock}, chat: int64(5551260000 + n), m: &mortal{dead: make(chan struct{})}}
			c.dead = c.m.dead
			c.start(storetest.Around(c.engine, c.m.call))
			for _, text := range []string{"hola", "1", "recuérdeme mañana a las 9"} {
				c.writes(text)
			}
			c.m.arm(k, done)
			clock.Advance(time.Date(2026, 3, 3, 14, 0, 1, 0, time.UTC).Sub(clock.Now()))
			c.settle()
			calls = c.m.calls
			c.end()
			c.start(c.engine) // and once more, days later
			clock.Advance(72 * time.Hour)
			c.settle()
			c.end()
			var said []string
			for _, m := range api.Messages(c.chat) {
				if strings.HasPrefix(m.Text, "Le escribo, como me pidió.") {
					said = append(said, m.Text)
				}
			}
			if once := len(slices.Compact(slices.Clone(said))); once != 1 || len(said) > 2 || len(said) > 1 && k == 0 {
				t.Errorf("the process dies at call %d, done %t: reminded with %q", k, done, said)
			}
			return calls
		}
		calls := run(0, false)
		if calls < 3 {
			t.Fatalf("%d calls while a reminder goes off: this test sees nothing", calls)
		}
		for k := 1; k <= calls; k++ {
			for _, done := range []bool{false, true} {
				t.Run(fmt.Sprintf("%d/done=%t", k, done), func(*testing.T) { run(k, done) })
			}
		}
	})
}
