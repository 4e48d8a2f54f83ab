package handoff

import (
	"context"
	"fmt"

	"llave/bot"
)

// What became of an agent's words (P764). The channel's own words for it are the same.
const (
	ArrivedNot   = "waiting"   // they have not gone out yet
	ArrivedSent  = "sent"      // the channel took them
	ArrivedThere = "delivered" // they are on the person's device
	ArrivedRead  = "read"
	ArrivedLost  = "failed" // they did not arrive, and are not sent again
)

// farther orders them: words that went out twice are what the better of the two is.
var farther = map[string]int{ArrivedLost: 1, ArrivedSent: 2, ArrivedThere: 3, ArrivedRead: 4}

// Marks says what became of the agents' words among [lines] of a case that is open. Of a case whose conversation has moved on nothing
// is known any more.
func (d *Desk) Marks(ctx context.Context, of Case, lines []bot.Line) (map[int64]string, error) {
	c, found, err := d.Store.FindCase(ctx, of.Ref)
	if err != nil || !found {
		return nil, err
	}
	marks := map[int64]string{}
	for i, l := range lines {
		switch {
		case l.From != bot.FromAgent:
		case i+1 < len(lines) && lines[i+1].From == bot.FromEvent && lines[i+1].Text == NoteBlocked:
			marks[l.Seq] = ArrivedLost
		default:
			marks[l.Seq] = ArrivedSent
		}
	}
	came := map[int64]string{}
	if d.Arrived != nil && len(marks) > 0 {
		if err := d.Arrived(ctx, of.Conv, of.Ref, func(line int64, status string) {
			if farther[status] > farther[came[line]] {
				came[line] = status
			}
		}); err != nil {
			return nil, fmt.Errorf("see what arrived: %w", err)
		}
	}
	for line, status := range came {
		if _, shown := marks[line]; shown {
			marks[line] = status
		}
	}
	for _, p := range c.Promises {
		say, ok := p.What.(bot.Say)
		if !ok || say.Reply == nil || say.Reply.Case != of.Ref {
			continue
		}
		if mark, shown := marks[say.Reply.Line]; shown && farther[mark] < farther[ArrivedThere] {
			marks[say.Reply.Line] = ArrivedNot
		}
	}
	return marks, nil
}

// MarksFinal says that nothing more becomes of an agent's words, as their marks are: they are read or lost, or have gone out by a channel
// that reports no more.
func (d *Desk) MarksFinal(of Case, marks map[int64]string) bool {
	for _, mark := range marks {
		switch {
		case mark == ArrivedRead, mark == ArrivedLost:
		case mark == ArrivedSent && d.Reports != nil && !d.Reports(of.Channel):
		default:
			return false
		}
	}
	return true
}

// NoteBlocked is the line that says that the words before it do not arrive: the person has blocked the chat.
const NoteBlocked = "blocked"
