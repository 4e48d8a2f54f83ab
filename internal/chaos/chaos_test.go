// Package chaos proves "nothing lost, nothing twice" by breaking things around processes of the built binary, while
// people walk the whole road, from "hola" to the chat that says the key is unlocked.
//
// TestChaos kills and ends processes, with a fifth of all webhooks delivered to every process at once and a tenth of them
// held back until the chat's next was answered. Half of the people come by Telegram and half by WhatsApp. When all is
// quiet four ledgers must agree: the updates and reports that were answered 200 (front), the chat messages and the letters
// that the stubs have seen, and the store. Every invariant is printed with its figure. TestDesk does the same with
// people who ask for a person and agents at the console. The other tests each break one thing: a mail
// server, Telegram, WhatsApp, the store, a clock, a disk. Slowness is no violation: a person who waits is waited for, minutes long.
//
//	go test ./internal/chaos -v -chaos.for=2m
//
// runs them, TestChaos for so long on each engine (kills for three quarters of the time and SIGTERM for the rest);
// -chaos.full gives the others their full size too, which takes the better part of an hour. Without the flags nothing is
// broken, and the tests say so. The MongoDB part needs TEST_MONGODB_URI.
package chaos

import (
	"context"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

var (
	duration = flag.Duration("chaos.for", 0, "how long processes are broken, for each engine; 0 breaks nothing")
	full     = flag.Bool("chaos.full", false, "break for as long and as much as docs/reliability.md says")
	every    = flag.Duration("chaos.every", 60*time.Millisecond, "a conversation begins every so often")
	together = flag.Int("chaos.people", 200, "conversations at once, at most")
)

const (
	swapped = 0.10 // the share of webhooks that are held back for the chat's next, if there is one
	hasty   = 0.50 // the share of people on Telegram who do two things at once, again and again

	patience  = 4 * time.Minute // how long people wait after the last process was broken
	stillness = 8 * time.Second // longer than a dead keeper is believed alive
)

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if *duration > 0 || *disclosure > 0 {
		if llave, err := binary(); err == nil {
			_ = os.RemoveAll(filepath.Dir(llave)) // a folder for what is temporary
		}
	}
	os.Exit(code)
}

// sized is full where -chaos.full was said, else short.
func sized[T any](short, fullSize T) T {
	if *full {
		return fullSize
	}
	return short
}

// TestChaos shows P403.
func TestChaos(t *testing.T) {
	onBoth(t, func(t *testing.T, k kind) {
		t.Run("kill", func(t *testing.T) { run(t, k, false, *duration*3/4) })
		t.Run("term", func(t *testing.T) { run(t, k, true, *duration/4) })
	})
}

// run is one phase: a deployment, people who use it, and what breaks it.
func run(t *testing.T, k kind, gently bool, lasts time.Duration) {
	dep := newDeployment(t, k)
	dep.byWhatsApp(byTelegram, byWhatsApp)
	dep.front.swapped = swapped
	people := dep.populate(int(lasts / *every) + 1)
	for _, p := range people {
		p.hasty = p.by == byTelegram && rand.Float64() < hasty // the other channel paces what it says to one person
	}
	dep.start()
	began := time.Now()
	breaking, stop := context.WithTimeout(t.Context(), lasts)
	defer stop()
	waiting, giveUp := context.WithTimeout(t.Context(), lasts+patience)
	defer giveUp()
	walked := make(chan struct{})
	go func() {
		defer close(walked)
		dep.walk(breaking, waiting, people, *every, *together)
	}()
	broken := dep.fleet.torment(breaking, gently)
	if broken != nil {
		t.Errorf("a process could not go on: %v", broken)
		giveUp()
	}
	<-walked
	if broken == nil {
		dep.settle(waiting)
	}
	took := time.Since(began)
	dep.end()
	copies, kills := dep.reconcile(t, took), len(dep.fleet.kills)
	t.Logf("%6d  repeats, wanted at most one a kill (%d)", copies, kills)
	if *full && copies > kills { // a machine that is busy with other things as well has more on its way at each kill
		t.Errorf("VIOLATED: %d repeats at %d kills", copies, kills)
	}
}
