package flows_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"llave/bot"
	"llave/flows"
	"llave/internal/affiliate"
	"llave/internal/bottest"
)

// validNumber makes up a number with the right check digit; many of them repeat their digits.
func validNumber(r *rand.Rand) string {
	for {
		head := fmt.Sprintf("%02d%d%06d", 1+r.IntN(24), r.IntN(6), r.IntN(1e6))
		switch r.IntN(3) {
		case 0:
			head = strings.Repeat(head[:2], 5)[:9]
		case 1:
			head = strings.Repeat(head[:3], 3)
		}
		for d := range 10 {
			if n := fmt.Sprint(head, d); affiliate.Check(n) == affiliate.Accept {
				return n
			}
		}
	}
}

// cutNumber cuts a number anywhere into 2 to 6 parts.
func cutNumber(r *rand.Rand, number string) (parts []string) {
	cuts := map[int]bool{}
	for range 1 + r.IntN(5) {
		cuts[1+r.IntN(len(number)-1)] = true
	}
	from := 0
	for i := range number {
		if cuts[i] {
			parts, from = append(parts, number[from:i]), i
		}
	}
	return append(parts, number[from:])
}

// A right number that is cut anywhere, and of which parts may be equal, is read back as that number, in whatever haste: no part of it
// presses a button, nor counts as said again.
func TestCut_anywhere(t *testing.T) {
	t.Parallel()
	sweep := bottest.NewSweep(t)
	faults := 0
	for seed := range sweep.Cases(4000, 400) {
		r := rand.New(rand.NewPCG(uint64(seed)+sweep.Seed*4000, 16))
		number := validNumber(r)
		parts := cutNumber(r, number)
		if len(parts[0]) == 9 && affiliate.ParseNumber(parts[0], affiliate.ParseOptions{}).Verdict == affiliate.AskLeadingZero {
			continue // a whole number by itself, which is asked about
		}
		k := at(t, flows.AskNumber)
		k.owes = true
		pause := []time.Duration{500 * time.Millisecond, 3 * time.Second, 10 * time.Second, 40 * time.Second}[r.IntN(4)]
		for i, part := range parts {
			k.now = k.now.Add(pause - 5*time.Second)
			out := k.step(bot.Update{Kind: bot.Text, Text: part, MessageID: fmt.Sprint("part", i)})
			if i < len(parts)-1 && k.c.State != flows.AskNumber && faults < 5 {
				faults++
				t.Errorf("seed %d: %q every %s: %q leads to %s (%s)", seed, parts, pause, part, k.c.State, out.Event)
			}
		}
		if got, _ := flows.OpenSlot(k.v, k.c, "given"); got != number && faults < 5 {
			faults++
			t.Errorf("seed %d: %q every %s: in %s with %q", seed, parts, pause, k.c.State, k.reply.Text)
		}
	}
}

// A digit alone is the next of a number that is under way, and no button, wherever one is asked for.
func TestCut_digitIsNoButton(t *testing.T) {
	t.Parallel()
	for _, says := range [][]string{
		{"110", "110", "110", "1"}, {"171", "003", "406", "5"}, {"171", "1", "2"}, {"no entiendo", "no entiendo", "no entiendo", "171", "1"},
		{"171", "ayuda", "1"},
	} {
		for _, pause := range []time.Duration{500 * time.Millisecond, 10 * time.Second} {
			k := at(t, flows.AskNumber)
			k.owes = true
			for _, words := range says {
				k.now = k.now.Add(pause - 5*time.Second)
				k.says(words)
			}
			if k.c.State != flows.AskNumber && k.c.State != flows.ConfirmNumber || k.c.Handoff != nil {
				t.Errorf("%q every %s: in %s with %q", says, pause, k.c.State, k.reply.Text)
			}
		}
	}
}

// What is said again is no second part: the number is what the check digit says it is.
func TestCut_saidAgain(t *testing.T) {
	t.Parallel()
	for _, says := range [][]string{
		{"1710", "1710", "034065"}, {"171003", "171003", "4065"}, {"171", "003", "003", "4065"}, {"17", "1710", "0340", "65"}, {"171", "003", "171003", "4065"},
	} {
		k := at(t, flows.AskNumber)
		for _, words := range says {
			k.says(words)
		}
		if k.c.State != flows.ConfirmNumber || !strings.Contains(k.reply.Text, "171 003 406 5") {
			t.Errorf("%q: in %s with %q", says, k.c.State, k.reply.Text)
		}
	}
}
