package handoff

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"llave/bot"
)

// everything is a limit that no queue reaches: ten thousand people waiting is another kind of problem.
const everything = 10_000

// Tend does what nobody at a keyboard does: lets the queue follow the hours, frees what agents who are gone have, and tells
// who has come much closer. Run it every few seconds, in one process; twice at once does no harm.
func (d *Desk) Tend(ctx context.Context) error {
	now, err := d.Now(ctx)
	if err != nil {
		return fmt.Errorf("read the store's clock: %w", err)
	}
	calendar, err := d.Calendar(ctx)
	if err != nil {
		return err
	}
	return errors.Join(d.tendHours(ctx, calendar.Open(now), now), d.tendAgents(ctx, now), d.tendPositions(ctx))
}

// tendHours has scheduled cases join the queue while the desk is open, and those in the queue wait for the next opening
// while it is not.
func (d *Desk) tendHours(ctx context.Context, open bool, now time.Time) error {
	prefix, signal := QueueWaiting, bot.SignalDeskClosed
	if open {
		prefix, signal = QueueScheduled, bot.SignalDeskOpened
	}
	cases, err := d.Store.Queue(ctx, prefix, everything)
	if err != nil {
		return fmt.Errorf("find who waits: %w", err)
	}
	var problems []error
	for _, c := range cases {
		problems = append(problems, d.signal(ctx, c, signal, strconv.FormatInt(now.UnixMilli(), 10), nil))
	}
	return errors.Join(problems...)
}

// tendAgents frees the conversations of agents whose console has not been there for a minute.
func (d *Desk) tendAgents(ctx context.Context, now time.Time) error {
	held, err := d.Store.Queue(ctx, QueueHeld, everything)
	if err != nil || len(held) == 0 {
		return err
	}
	all, err := d.Store.Present(ctx)
	if err != nil {
		return fmt.Errorf("find who is there: %w", err)
	}
	here := map[string]bool{}
	for _, p := range all {
		here[p.Login] = p.Here(now)
	}
	var problems []error
	comes := map[string]bool{} // who is not here and may come back, asked once of each
	for _, c := range held {
		if here[c.Agent] {
			continue
		}
		if c.IsPostponed() { // it waits for them, unless they never come
			may, asked := comes[c.Agent]
			if !asked {
				_, known, err := d.Known(ctx, c.Agent)
				may = known || err != nil
				comes[c.Agent], problems = may, append(problems, err)
			}
			if may {
				continue
			}
		}
		problems = append(problems, d.free(ctx, c))
	}
	return errors.Join(problems...)
}

// free takes a conversation from its agent, who is gone, also one that they had put off when the desk saw it.
func (d *Desk) free(ctx context.Context, c Case) error {
	act := &bot.DeskAct{Agent: c.Agent}
	if c.IsPostponed() {
		act.Do = bot.DeskRelease
	}
	return d.signal(ctx, c, bot.SignalAgentGone, strconv.FormatInt(c.Version, 10), act)
}

// tendPositions tells whoever has come to half the position they were told, or better.
func (d *Desk) tendPositions(ctx context.Context) error {
	waiting, err := d.Store.Queue(ctx, QueueWaiting, everything)
	if err != nil {
		return fmt.Errorf("read the queue: %w", err)
	}
	var problems []error
	for i, c := range waiting {
		if position := i + 1; Halved(c.Told, position) {
			problems = append(problems, d.signal(ctx, c, bot.SignalPosition, strconv.Itoa(position)+"/"+strconv.FormatInt(c.Version, 10), nil))
		}
	}
	return errors.Join(problems...)
}

// signal tells a conversation something of its case. [once] tells apart signals of one sort.
func (d *Desk) signal(ctx context.Context, c Case, signal, once string, act *bot.DeskAct) error {
	channel, chat := bot.SplitConversationID(c.Conv)
	_, err := d.Answer(ctx, bot.Update{
		ID: signal + "/" + c.Ref + "/" + once, Channel: channel, Chat: chat, Kind: bot.Signal, Signal: signal, Text: c.Ref, Desk: act,
	})
	if err != nil {
		return fmt.Errorf("%s: %w", signal, err)
	}
	return nil
}
