package handoff

import (
	"context"
	"strings"
	"time"

	"llave/bot"
)

// Postpone puts a case off that the actor has: for one of bot.Until…, with bot.UntilTime until a moment. It stays theirs, also when they
// sign out, and comes back by itself. ErrNotThen when the moment has passed or is too far off, or nobody knows when the desk opens.
func (d *Desk) Postpone(ctx context.Context, deed Deed, what string, until time.Time) error {
	_, _, err := d.act(ctx, deed, bot.DeskAct{Do: bot.DeskPostpone, Until: what, At: until}, "")
	return err
}

// Resume has a case that was put off be gone on with now.
func (d *Desk) Resume(ctx context.Context, deed Deed) error {
	_, _, err := d.act(ctx, deed, bot.DeskAct{Do: bot.DeskResume}, "")
	return err
}

// SayLater writes to the person at a later moment, one message at a time, and may put the case off until then. It is said while the actor
// has the case; who loses it leaves it as a note. It is no draft any more. ErrNotThen when the channel would not take it then (LateMost), or one waits already.
func (d *Desk) SayLater(ctx context.Context, deed Deed, text string, at time.Time, postpone bool) error {
	if text = strings.TrimSpace(text); text == "" {
		return nil
	}
	act := bot.DeskAct{Do: bot.DeskLater, At: at}
	if postpone {
		act.Until = bot.UntilTime
	}
	if _, _, err := d.act(ctx, deed, act, text); err != nil {
		return err
	}
	return d.sent(ctx, deed.Actor, deed.Ref, text, false)
}

// Unsay takes back what was to be said later.
func (d *Desk) Unsay(ctx context.Context, deed Deed) error {
	_, _, err := d.act(ctx, deed, bot.DeskAct{Do: bot.DeskUnsay}, "")
	return err
}

// lateSpare is how long before a channel's window ends nothing is said later any more.
const lateSpare = 10 * time.Minute

// LateMost is the last moment at which the channel of a case takes words that are said later; zero: it takes them at any time.
func (d *Desk) LateMost(c Case) time.Time {
	if d.Window == nil || d.Window(c.Channel) == 0 {
		return time.Time{}
	}
	return c.LastAt.Add(d.Window(c.Channel) - lateSpare)
}
