package runner

import (
	"errors"
	"slices"
	"time"

	"llave/bot"
)

// try is one attempt at what stands at the head of a lane, and how it went.
type try struct {
	lane    bot.Lane
	owed    []bot.Promise // kept together; the first is the head
	by      string        // who the keeper was, as far as this process knows
	same    bool          // nobody has written the document since the try began
	effects Effects
	err     error
	took    time.Duration
}

// fate is what became of the promise that was tried.
type fate int

const (
	theirs    fate = iota // another process writes what becomes of it: there is nothing to write here
	asBefore              // still owed
	done                  // kept
	later                 // to be tried again
	waits                 // for the person's next word
	worthless             // its time was over, whether or not it is put aside
	gone                  // nobody is there to be reached
	givenUp               // nobody can keep it: the operator must know, and the person where there is one
)

// unknownTries is how often a promise of a kind that this version does not know is tried before it is given up: four minutes
// or more, in which a process of the version that made it will have found it.
const unknownTries = 25

// settle says what becomes of an outbox after a try, and of the promise that was tried. It changes nothing that it is
// given. The lane has no keeper afterwards where it was this process: whoever writes the outbox names one anew.
func settle(before bot.Outbox, t try, now time.Time) (bot.Outbox, fate) {
	outbox := before.Clone()
	p := outbox.Find(t.owed[0].ID)
	var se *bot.SendError
	if !errors.As(t.err, &se) {
		se = &bot.SendError{Failure: bot.Temporary}
	}
	throttled := t.err != nil && se.Failure == bot.Throttled
	who := outbox.Keepers[t.lane].Who
	if who != t.by && (p == nil && !throttled || errors.Is(t.err, errTaken)) {
		return outbox, theirs
	}
	if throttled { // the chat's pause, whatever became of the bubble
		outbox.Pause(t.lane, now.Add(max(se.After, 50*time.Millisecond)))
	}
	if who == t.by {
		delete(outbox.Keepers, t.lane)
	}
	if p == nil {
		return outbox, asBefore
	}
	switch f := t.fate(se.Failure, p.Tries); f {
	case done:
		for _, p := range t.owed {
			outbox.Drop(p.ID)
		}
		delete(outbox.Paused, t.lane)
		return outbox, done
	case later:
		p.Tries++
		p.NotBefore = now.Add(wait(t.lane, p.Tries))
		return outbox, later
	case waits:
		p.Waits = t.same // else they may have written meanwhile: it is tried again
		return outbox, waits
	case asBefore:
		return outbox, asBefore
	default:
		outbox.Drop(p.ID)
		return outbox, f
	}
}

// fate of a promise that had been tried so often before, by the failure of the try. Only a chat can be gone, or closed until
// the person writes: elsewhere the one is for good and the other for now.
func (t try) fate(f bot.Failure, tries int) fate {
	switch {
	case t.err == nil:
		return done
	case errors.Is(t.err, ErrStopping), errors.Is(t.err, errTaken), f == bot.Throttled:
		return asBefore
	case errors.Is(t.err, errWorthless), errors.Is(t.err, ErrDead):
		return worthless
	case t.lane == bot.LaneEdit && (f == bot.Permanent || f == bot.Gone || f == bot.Closed):
		return worthless // the keyboard stays; what is wrong with the chat the next bubble meets
	case errors.Is(t.err, errUnknown) && tries+1 >= unknownTries, f == bot.Permanent:
		return givenUp
	case f == bot.Gone && t.lane == bot.LaneChat:
		return gone
	case f == bot.Gone:
		return givenUp
	case f == bot.Closed && t.lane == bot.LaneChat:
		return waits
	}
	return later
}

// wait is how long after the n-th temporary failure the next try comes: at once, then 2 s, 4 s, 8 s … 30 s; an hour at most
// where another program is told, which may be away for long, ten seconds for a letter, which somebody waits for with the time of
// its link running.
func wait(lane bot.Lane, n int) time.Duration {
	most := longest
	switch {
	case lane == bot.LaneHook:
		most = seldom
	case slices.Contains(bot.MailRows, lane):
		most = soon
	}
	if n <= 1 {
		return 0
	}
	return min(time.Second<<min(n-1, 12), most)
}
