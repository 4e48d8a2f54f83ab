package handoff

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"llave/bot"
)

// LineID is the id of the one document of Line.
const LineID = "line"

// Line says who is about to stand in the queue: the case is decided and its conversation's document not written yet. Of many who ask
// in the same moment each would count only those that are written, and all would be told that they are the first. So a new
// case takes its place here, before its turn is committed, by a conditional replace: that orders them, over all processes, and
// whoever comes later sees it. Taking the same place again changes nothing. A turn that is never committed leaves its place for
// Late; until then those behind it are told one more.
type Line struct {
	ID      string    `bson:"_id"`
	Version int64     `bson:"v"`
	Last    time.Time `bson:"last"` // Asked of the last that took a place: the next one's is later
	Coming  []Coming  `bson:"coming,omitempty"`
}

// Coming is a case that is about to stand in the queue.
type Coming struct {
	Ref   string    `bson:"ref"`
	Queue string    `bson:"queue"`
	Asked time.Time `bson:"asked"`
}

// LineUp puts a new case into the queue and returns how many stand before it, those included who ask at the same moment. It costs
// the store five calls, however many do.
func (d *Desk) LineUp(ctx context.Context, h *bot.Handoff) (ahead int, err error) {
	before, err := d.takePlace(ctx, h)
	if err != nil {
		return 0, fmt.Errorf("take a place in the queue: %w", err)
	}
	to := h.Queue
	if len(before) > 0 {
		to = min(to, slices.Min(before))
	}
	ahead, err = d.Store.Ahead(ctx, to)
	if err != nil || len(before) == 0 {
		return ahead, err
	}
	written, err := d.Store.Between(ctx, to, h.Queue) // after takePlace: who has been written since is in both
	if err != nil {
		return 0, err
	}
	before = append(before, written...)
	slices.Sort(before)
	return ahead + len(slices.Compact(before)), nil
}

// takePlace puts a case into the queue behind all that took their place before, but for its rank, and returns the keys of those before
// it whose turn is not committed. One case of this process does so at a time: others would only meet it at the document.
func (d *Desk) takePlace(ctx context.Context, h *bot.Handoff) (before []string, err error) {
	select {
	case d.placing <- struct{}{}:
		defer func() { <-d.placing }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for {
		line, err := d.Store.Line(ctx)
		if err != nil {
			return nil, err
		}
		written, err := d.written(ctx, line)
		if err != nil {
			return nil, err
		}
		line.Coming = slices.DeleteFunc(line.Coming, func(c Coming) bool {
			return c.Ref != h.Ref && (written[c.Ref] || c.Asked.Before(h.Asked.Add(-Late)))
		})
		mine := slices.IndexFunc(line.Coming, func(c Coming) bool { return c.Ref == h.Ref })
		if mine < 0 {
			if !h.Asked.After(line.Last) {
				h.Asked = line.Last.Add(time.Millisecond)
			}
			Wait(h)
			mine, line.Last = len(line.Coming), h.Asked
			line.Coming = append(line.Coming, Coming{h.Ref, h.Queue, h.Asked})
			if err = d.Store.SaveLine(ctx, &line); errors.Is(err, bot.ErrConflict) {
				continue
			}
			if err != nil {
				return nil, err
			}
		} else {
			h.Asked = line.Coming[mine].Asked
			Wait(h)
		}
		for _, c := range line.Coming[:mine] {
			if c.Queue < h.Queue {
				before = append(before, c.Queue)
			}
		}
		return before, nil
	}
}

// written says which of those that took a place have been committed.
func (d *Desk) written(ctx context.Context, line Line) (map[string]bool, error) {
	if len(line.Coming) == 0 {
		return nil, nil
	}
	return d.Store.MovedRefs(ctx, line.Coming[0].Asked.Add(-Late))
}
