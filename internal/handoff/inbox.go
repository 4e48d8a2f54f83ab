package handoff

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"llave/bot"
)

// Case is a conversation with a case as the desk shows it in its list. Nothing in it says who the person is.
type Case struct {
	bot.Handoff
	Conv    string // the conversation; not for showing: the channel's name of the chat stands in it
	Channel string
	Version int64 // of the conversation: grows with every change
	Glimpse       // of what was said
	Alerts  []bot.Alert
	Unsent  int       // messages for the person that have not gone out yet
	Waits   bool      // of those some wait until the person writes again (the channel's window is closed)
	Gone    bool      // the person has blocked the chat
	Slowly  bool      // goes step by step
	State   bot.State // where the bot is
	Lang    string
	Born    time.Time // the person's first message
	LastAt  time.Time // their last word
	Late    *bot.Late // what the agent has said later
	Turns   int64     // messages of the person in all
	Tried   int       // different numbers that were looked up in the last day
	Silent  time.Time // when who has it loses it unless they answer; zero: nobody owes an answer
}

// AskedLast is when a person was last asked for: at the beginning, or when the case was opened again.
func (c Case) AskedLast() time.Time { return latest(c.Asked, c.Reopened) }

// CaseOf is the case of a conversation that has one.
func CaseOf(c bot.Conversation) Case {
	channel, _ := bot.SplitConversationID(c.ID)
	out := Case{
		Handoff: *c.Handoff, Conv: c.ID, Channel: channel, Version: c.Version, Gone: c.Gone, Slowly: c.Way != "",
		State: c.State, Lang: c.Lang, Born: c.Born, Turns: c.Turns, Tried: len(c.Numbers), LastAt: c.LastAt, Late: c.Late,
	}
	out.Glimpse = GlimpseOf(*c.Handoff, func(yield func(bot.Line) bool) {
		for _, l := range slices.Backward(c.Tail) {
			if !yield(l) {
				return
			}
		}
	})
	out.Alerts = c.Alerts
	out.Silent, _ = c.TimerAt(bot.SignalAgentSilent)
	for _, p := range c.Promises {
		if p.Kind() == bot.PromiseSay {
			out.Unsent++
			out.Waits = out.Waits || p.Waits
		}
	}
	return out
}

// Inbox returns every open case: those that agents have, those in the queue in its order, those for the next opening.
func (d *Desk) Inbox(ctx context.Context) ([]Case, error) {
	var all []Case
	for _, prefix := range []string{QueueHeld, QueueWaiting, QueueScheduled} {
		cs, err := d.Store.Queue(ctx, prefix, everything)
		if err != nil {
			return nil, fmt.Errorf("read the inbox: %w", err)
		}
		all = append(all, cs...)
	}
	return all, nil
}

// Waiting is how many stand in the queue, and how many wait for the next opening.
func (d *Desk) Waiting(ctx context.Context) (queued, scheduled int, err error) {
	for prefix, n := range map[string]*int{QueueWaiting: &queued, QueueScheduled: &scheduled} {
		keys, err := d.Store.Between(ctx, prefix, prefix+"\U0010ffff")
		if err != nil {
			return 0, 0, fmt.Errorf("count who waits: %w", err)
		}
		*n = len(keys)
	}
	return queued, scheduled, nil
}

// Late is for how long a change may have been on its way into the store after the moment written in it.
const Late = 10 * time.Second

// Moved returns the cases that moved since a moment, and some before: who asks again and again passes the last moment it
// saw, and tells what it knows already by its Version. A closed case is among them once it is.
func (d *Desk) Moved(ctx context.Context, since time.Time) ([]Case, error) {
	all, err := d.Store.Moved(ctx, since.Add(-Late), everything)
	if err != nil {
		return nil, fmt.Errorf("read what moved: %w", err)
	}
	return all, nil
}

// Find returns a case by its number: as its conversation has it, or as it was recorded once the conversation has moved on to
// another. ErrNoCase when there is none.
func (d *Desk) Find(ctx context.Context, ref string) (Case, error) {
	c, found, err := d.Store.FindCase(ctx, ref)
	if err != nil {
		return Case{}, fmt.Errorf("find case: %w", err)
	}
	if found {
		return CaseOf(c), nil
	}
	r, found, err := d.Store.Case(ctx, ref)
	switch {
	case err != nil:
		return Case{}, fmt.Errorf("find case: %w", err)
	case !found || r.Notice || r.Handoff.Ref == "": // or the bot alone ended it
		return Case{}, ErrNoCase
	}
	channel, _ := bot.SplitConversationID(r.Conv)
	return Case{Handoff: r.Handoff, Conv: r.Conv, Channel: channel}, nil
}

// LinesAtOnce is how many lines of a case are read at once.
const LinesAtOnce = 500

// Lines returns the lines of a case after the one with that number, in order; with [after] 0 the last LinesAtOnce. Those that
// were committed and are not kept yet are among them.
func (d *Desk) Lines(ctx context.Context, ref string, after int64) ([]bot.Line, error) {
	c, found, err := d.Store.FindCase(ctx, ref) // before the lines: what is kept meanwhile is in both
	if err != nil {
		return nil, fmt.Errorf("find case: %w", err)
	}
	lines, err := d.Store.Lines(ctx, ref, after, LinesAtOnce)
	if err != nil {
		return nil, fmt.Errorf("read lines: %w", err)
	}
	if !found || after > 0 && len(lines) == LinesAtOnce { // there are more before those that are not kept yet
		return lines, nil
	}
	for _, p := range c.Promises {
		owed, ok := p.What.(bot.KeepLines)
		if !ok || owed.Ref != ref {
			continue
		}
		for _, l := range owed.Lines {
			switch i := slices.IndexFunc(lines, func(k bot.Line) bool { return k.Seq == l.Seq }); {
			case i >= 0:
				lines[i] = l // something in it is hidden since it was kept
			case l.Seq > after:
				lines = append(lines, l)
			}
		}
	}
	slices.SortFunc(lines, func(a, b bot.Line) int { return cmp.Compare(a.Seq, b.Seq) })
	return lines, nil
}

// Closed returns the cases that were asked for in [from] ≤ asked < [to], are over, and that somebody may read, the latest first, at
// most [limit].
func (d *Desk) Closed(ctx context.Context, who Actor, from, to time.Time, limit int) ([]CaseFile, error) {
	var out []CaseFile
	err := d.Store.EachCase(ctx, from, to, func(r CaseFile) bool {
		if !r.Open && !r.Notice && MayRead(who, Case{Handoff: r.Handoff}) {
			out = append(out, r)
		}
		return len(out) < limit
	})
	return out, err
}

// Notices returns the open notices of owners who say that it was not them, the latest first.
func (d *Desk) Notices(ctx context.Context) ([]CaseFile, error) {
	now, err := d.Now(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the store's clock: %w", err)
	}
	var out []CaseFile
	err = d.Store.EachCase(ctx, now.AddDate(0, 0, -30), now.Add(time.Minute), func(r CaseFile) bool {
		if r.Notice && r.Open {
			out = append(out, r)
		}
		return len(out) < 200
	})
	return out, err
}

// CloseNotice closes a notice with what was found. ErrNotYours when it is closed with something else, or by somebody else;
// again with the same it is done, and written down where it was not.
func (d *Desk) CloseNotice(ctx context.Context, deed Deed, found string) error {
	found = strings.TrimSpace(found)
	done, err := d.Store.CloseNotice(ctx, deed.Ref, deed.Actor.Login, found)
	if err != nil {
		return fmt.Errorf("close notice: %w", err)
	}
	if !done {
		switch r, known, err := d.Store.Case(ctx, deed.Ref); {
		case err != nil:
			return fmt.Errorf("find notice: %w", err)
		case !known || !r.Notice || r.By != deed.Actor.Login || r.Answer != found:
			return ErrNotYours
		}
	}
	return d.writeDown(ctx, deed, AuditNotice)
}

// Hit is a line that a search found.
type Hit struct {
	Ref  string
	Line bot.Line
}

// Search looks for words in what was said in handed-off chats, the latest first: every word must stand in the line, without
// regard to accents and capitals. It gives up when [ctx] ends and returns what it has, and the moment down to which it looked.
// ErrTooShort when there is nothing to look for, ErrNotYours for agents. What was looked for is written down, as a keyed hash.
func (d *Desk) Search(ctx context.Context, deed Deed, words string, limit int) (hits []Hit, downTo time.Time, err error) {
	return d.SearchIn(ctx, deed, words, Within{}, limit)
}

// Within narrows a search.
type Within struct {
	From, To time.Time                                  // when it was said; zero: whenever
	Has      func(ctx context.Context, ref string) bool // nil: any case
}

// SearchIn is Search within some cases and days.
func (d *Desk) SearchIn(ctx context.Context, deed Deed, words string, in Within, limit int) (hits []Hit, downTo time.Time, err error) {
	if !deed.Actor.Supervisor {
		return nil, time.Time{}, ErrNotYours
	}
	wanted := strings.Fields(bot.Fold(words))
	if utf8.RuneCountInString(strings.Join(wanted, "")) < 3 {
		return nil, time.Time{}, ErrTooShort
	}
	now, err := d.Now(ctx)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("read the store's clock: %w", err)
	}
	downTo = now
	to := now.Add(time.Minute)
	if !in.To.IsZero() && in.To.Before(to) {
		to = in.To
	}
	err = d.Store.EachLine(ctx, in.From, to, func(ref string, l bot.Line) bool {
		downTo = l.At
		if l.From != bot.FromEvent {
			text := bot.Fold(l.Text)
			if !slices.ContainsFunc(wanted, func(w string) bool { return !strings.Contains(text, w) }) && (in.Has == nil || in.Has(ctx, ref)) {
				hits = append(hits, Hit{ref, l})
			}
		}
		return len(hits) < limit && ctx.Err() == nil
	})
	if errors.Is(err, context.DeadlineExceeded) {
		err = nil
	}
	if err == nil {
		err = d.Audit(context.WithoutCancel(ctx), AuditSearch+"/"+deed.Actor.Login+"/"+deed.Once, deed.Actor.Login, AuditSearch, searched(hits, d.Mark(strings.Join(wanted, " "))))
	}
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("search: %w", err)
	}
	return hits, downTo, nil
}

// searchedMost is how many cases that a search showed are named in the audit.
const searchedMost = 20

// searched is what is written down of a search: how many lines it showed, the mark of its words, and of which cases they were.
func searched(hits []Hit, mark string) string {
	var refs []string
	for _, h := range hits {
		if !slices.Contains(refs, h.Ref) && len(refs) < searchedMost {
			refs = append(refs, h.Ref)
		}
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s %s", len(hits), mark, strings.Join(refs, " ")))
}

// ErrTooShort means that what is looked for is too short to be looked for.
var ErrTooShort = errors.New("too short to search for")
