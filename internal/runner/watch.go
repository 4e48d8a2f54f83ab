package runner

import (
	"time"

	"llave/bot"
)

// Watcher is told what the runner does, for counting. It is called where things happen, after what it is told of was written,
// and must not wait.
type Watcher interface {
	Turned(t Turned)
	Tried(t Tried)
	FlowFault()
}

// What became of an update.
const (
	TurnCommitted = "committed"
	TurnRepeat    = "repeat"   // answered before: nothing changed
	TurnConflict  = "conflict" // another process wrote meanwhile: it was stepped again
	TurnFailed    = "failed"   // nothing was written; it comes again
)

// Turned is an update that was stepped.
type Turned struct {
	Channel string
	Media   string // Update.Media
	Result  string // one of Turn…
	Outcome bot.Outcome
	Step    time.Duration // zero: not measured
	Commit  time.Duration
}

// What became of a promise, beside the word for its failure (bot.Failure).
const (
	PromiseKept        = "kept"
	PromiseWorthless   = "worthless"   // its time was over
	PromiseDead        = "dead"        // so it was, and what nobody took is put aside (ErrDead)
	PromiseWithdrawn   = "withdrawn"   // a turn took it back before it was sent
	PromiseUnreachable = "unreachable" // the person is gone
	PromiseGivenUp     = "given_up"    // nobody can keep it: a try that failed stands before it
)

// Tried is a promise of which something became.
type Tried struct {
	Channel string // of its conversation; empty: it is owed by an unlock document
	Kind    bot.PromiseKind
	Result  string
	Took    time.Duration // the try; zero: there was none
	Owed    time.Duration // kept: since it was made
}

// nobody watches.
type nobody struct{}

func (nobody) Turned(Turned) {}
func (nobody) Tried(Tried)   {}
func (nobody) FlowFault()    {}

// stepped tells of a turn that was written.
func (r *Runner) stepped(channel string, out bot.Outcome) {
	if out.From == "" { // nothing was stepped
		return
	}
	r.Watch.Turned(Turned{Channel: channel, Result: TurnCommitted, Outcome: out})
}

// dropped counts what a turn took back before it was sent, and what it owes nobody because the person is gone.
func (r *Runner) dropped(channel string, out bot.Outcome) {
	for range out.Withdrawn {
		r.Watch.Tried(Tried{Channel: channel, Kind: bot.PromiseSay, Result: PromiseWithdrawn})
	}
	for range out.Unreached {
		r.Watch.Tried(Tried{Channel: channel, Kind: bot.PromiseSay, Result: PromiseUnreachable})
	}
}
