package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"llave/bot"
)

// Spender is a Channel that can change a bubble it has sent. Errors are *bot.SendError: Throttled where there is no rate left
// over for it now.
type Spender interface {
	Spend(ctx context.Context, chat string, s bot.Spend) error
}

// editKeep is for how long whoever commits a change of a bubble has the lane of those: for all its time. It waits in memory
// for rate that is left over, so a lease would cost the write that it may not cost. Nobody needs to follow a process that
// dies with one: the keyboard stays, and is as harmless as an old one is anyway.
const editKeep = bot.SpendFor + keepFor

// claimFor is for how long a claim of a lane is believed.
func claimFor(lane bot.Lane) time.Duration {
	if lane == bot.LaneEdit {
		return editKeep
	}
	return keepFor
}

// How often is looked whether an edit may go, from the first time on.
const (
	editSoon   = 10 * time.Millisecond
	editSeldom = time.Second
	editAgain  = 5 * time.Second // after one that met with trouble
)

// edit changes a bubble: behind all that the chat is owed itself, and as long as that takes, but not when its time is over. It
// costs one write, when that is known to be so or to have failed, however often it is tried; what was changed twice is as it
// was after once.
func (k keeping) edit(ctx context.Context, doc document, p bot.Promise, what bot.Spend) error {
	channel, chat := bot.SplitConversationID(doc.id())
	s, ok := k.channels[channel].(Spender)
	if !ok {
		return nil // what cannot be changed there stays
	}
	chat, err := k.address(ctx, channel, chat)
	if err != nil {
		return err
	}
	for wait := editSoon; ; wait = min(2*wait, editSeldom) {
		if now, err := k.Now(ctx); err != nil || now.After(p.Until) {
			return errWorthless
		}
		pause := wait
		if (keeping{k.Runner, k.shelf, k.id, bot.LaneChat}).isRunning() {
			pause = min(wait, 4*editSoon)
		} else {
			err := k.editOnce(ctx, s, chat, what)
			var se *bot.SendError
			if !errors.As(err, &se) || se.Failure != bot.Throttled && se.Failure != bot.Temporary {
				return err
			}
			pause = max(pause, se.After)
			if se.Failure == bot.Temporary {
				pause = max(pause, editAgain)
			}
		}
		if !k.rest(pause) {
			return ErrStopping
		}
	}
}

func (k keeping) editOnce(ctx context.Context, s Spender, chat string, what bot.Spend) error {
	select {
	case k.slots[k.lane] <- struct{}{}:
		defer func() { <-k.slots[k.lane] }()
	case <-k.closing:
		return ErrStopping
	}
	ctx, cancel := context.WithTimeout(ctx, sendLimit)
	defer cancel()
	if err := s.Spend(ctx, chat, what); err != nil {
		return fmt.Errorf("change a bubble: %w", err)
	}
	return nil
}

// rest waits, and says whether the process goes on after that. Long waits are no work that anybody waits for (Idle).
func (r *Runner) rest(d time.Duration) bool {
	if d > editSeldom {
		r.setActive(-1)
		defer r.setActive(1)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.closing:
		return false
	}
}
