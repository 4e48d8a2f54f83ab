package runner

import (
	"errors"
	"time"

	"llave/bot"
	"llave/internal/trace"
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

// within is a turn that is stepped in the write that says what became of a promise.
type within struct {
	u     bot.Update
	out   bot.Outcome
	ref   string
	span  trace.Span
	began time.Time
	step  time.Duration
}

// stepped tells of a turn that was stepped in the write of something else, if there was one, and what became of that write.
func (r *Runner) stepped(id string, in *within, err error) {
	if in == nil {
		return
	}
	if errors.Is(err, bot.ErrConflict) { // mostly another lane of this process has written meanwhile: it is stepped again
		in.span.End()
		return
	}
	endTurn(in.span, in.u, in.out, in.ref, err)
	turned := Turned{Channel: in.u.Channel, Result: TurnCommitted, Outcome: in.out, Step: in.step}
	switch {
	case err != nil:
		turned.Result = TurnFailed
	case in.out.Repeat:
		turned.Result = TurnRepeat
	}
	r.Watch.Turned(turned)
	if turned.Result == TurnCommitted {
		r.dropped(in.u.Channel, in.out)
		r.tellTurn(id, in.u, in.out, in.ref, in.began)
	}
}

// tellTurn writes the line of a turn that was committed.
func (r *Runner) tellTurn(id string, u bot.Update, out bot.Outcome, ref string, began time.Time) {
	r.Log.Info("turn", "conv", id, "turn", trace.ID(ref), "trace_id", trace.Of(ref), "kind", u.Kind, "signal", u.Signal, "from", out.From, "event", out.Event,
		"to", out.To, "text", out.Text, "took", time.Since(began))
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
