package bottest

import (
	"os"
	"strconv"
	"testing"
	"time"
)

// sweeps is the setting of all sweeps: "whole", or the seed of a small run that is to be repeated; empty: small, with the
// day's own seed.
const sweeps = "TEST_SWEEPS"

// Sweep is how much a test tries that looks at very many cases of one thing: random walks, every sentence in every place, a
// crash at every call. `make test` looks at a part of them, another one each day; `make sweeps` at all. The assertions
// are the same.
type Sweep struct {
	Whole bool
	Seed  uint64 // of what a small run chooses
	part  int    // a small run takes one in so many of what it would take; 0: all of that
}

// racedPart is the part of a small run that is tried under the race detector, which makes one goroutine's work ten times as
// slow. A race that a quarter of like cases does not show is not looked for with the others.
const racedPart = 4

// NewSweep reads the setting, and writes into the test's log what a small run takes to be repeated.
func NewSweep(t testing.TB) Sweep {
	t.Helper()
	s, err := readSweep(os.Getenv(sweeps), time.Now())
	if err != nil {
		t.Fatalf("%s: got %q, want \"whole\" or a seed", sweeps, os.Getenv(sweeps))
	}
	if Raced && !s.Whole {
		s.part = racedPart
	}
	if !s.Whole {
		t.Logf("a small part of the sweep: %s=%d tries the same again, make sweeps tries everything", sweeps, s.Seed)
	}
	return s
}

func readSweep(setting string, now time.Time) (Sweep, error) {
	switch setting {
	case "whole":
		return Sweep{Whole: true}, nil
	case "":
		return Sweep{Seed: uint64(now.Unix()) / (24 * 60 * 60)}, nil
	}
	seed, err := strconv.ParseUint(setting, 10, 64)
	return Sweep{Seed: seed}, err
}

// Of is [whole], or in a small run [part].
func (s Sweep) Of(whole, part int) int {
	if s.Whole {
		return whole
	}
	return part
}

// Cases is how many cases of one thing are tried: [whole], or in a small run [part], of which the race detector looks at a part.
func (s Sweep) Cases(whole, part int) int {
	return s.Of(whole, max(1, part/max(1, s.part)))
}

// Full is a sweep that takes as much under the race detector as without it.
func (s Sweep) Full() Sweep {
	s.part = 0
	return s
}

// Takes says whether case [i] is tried: all are, or in a small run one in [every], and after so many days each has been; under
// the race detector a part of those, and after so many times more.
func (s Sweep) Takes(i, every int) bool {
	return s.Whole || (uint64(i)+s.Seed)%uint64(every*max(1, s.part)) == 0
}
