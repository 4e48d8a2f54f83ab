package handoff

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Takes says whether an agent is on duty and has room for one conversation more: who comes back goes to them then.
func (d *Desk) Takes(ctx context.Context, login string) (bool, error) {
	all, err := d.Colleagues(ctx)
	if err != nil {
		return false, err
	}
	if !slices.ContainsFunc(all, func(p Presence) bool { return p.Login == login && !p.Away }) {
		return false, nil
	}
	if _, known, err := d.Known(ctx, login); err != nil || !known {
		return false, err
	}
	return d.room(ctx, login, "")
}

// room says whether an agent may have one conversation more, which is that one. What they put off does not count, nor do they have the one
// already: a repeated deed is answered as the first.
func (d *Desk) room(ctx context.Context, login, ref string) (bool, error) {
	if d.OpenMax == 0 {
		return true, nil
	}
	held, err := d.Store.Queue(ctx, QueueHeld+login+"/", everything)
	if err != nil {
		return false, fmt.Errorf("count what the agent has: %w", err)
	}
	held = slices.DeleteFunc(held, func(c Case) bool { return c.IsPostponed() || c.Ref == ref })
	return len(held) < d.OpenMax, nil
}

// mayTake says whether an agent may take one conversation more: ErrEnough. Of two that the same agent takes at the same moment in two
// browsers, through two processes, both may be taken: that is accepted.
func (d *Desk) mayTake(ctx context.Context, deed Deed) error {
	if d.OpenMax == 0 {
		return nil
	}
	c, found, err := d.Store.FindCase(ctx, deed.Ref)
	switch {
	case err != nil:
		return fmt.Errorf("find case: %w", err)
	case found && c.Handoff.Held(): // it is theirs already, or taken: what follows says so
		return nil
	}
	room, err := d.room(ctx, deed.Actor.Login, deed.Ref)
	if err == nil && !room {
		err = ErrEnough
	}
	return err
}

// languageWait is how long a conversation in another language waits for somebody who speaks it before anybody is given it.
const languageWait = 5 * time.Minute

// spoken is the language that everybody at the desk speaks.
const spoken = "es"

func speaks(languages, language string) bool {
	return language == "" || language == spoken || slices.Contains(strings.Fields(languages), language)
}

// NextFor orders who waits for an agent who takes whoever is next: as they stand in the queue, but that those in a language which the agent
// does not speak, and a colleague on duty does, come last for five minutes (P775).
func (d *Desk) NextFor(ctx context.Context, who Actor, waiting []Case) ([]Case, error) {
	now, err := d.Now(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the store's clock: %w", err)
	}
	all, err := d.Colleagues(ctx)
	if err != nil {
		return nil, err
	}
	others := func(c Case) bool {
		return !speaks(who.Speaks, c.Lang) && now.Sub(c.AskedLast()) < languageWait &&
			slices.ContainsFunc(all, func(p Presence) bool { return p.Login != who.Login && !p.Away && speaks(p.Speaks, c.Lang) })
	}
	var own, last []Case
	for _, c := range waiting {
		if others(c) {
			last = append(last, c)
		} else {
			own = append(own, c)
		}
	}
	return append(own, last...), nil
}
