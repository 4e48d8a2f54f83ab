package handoff

import (
	"context"
	"fmt"

	"llave/bot"
)

// Earlier is an earlier case of the same chat, with the notes of colleagues that are still kept.
type Earlier struct {
	CaseFile
	Notes []bot.Line
}

// earlierMost is how many earlier cases are shown beside a new one.
const earlierMost = 5

// MayReadEarlier says whether somebody may read what was before a case, in the same chat: who has the case, and supervisors (P774).
func MayReadEarlier(who Actor, c Case) bool {
	return who.Supervisor || c.Held() && c.Agent == who.Login
}

// Earlier returns the cases of the same chat before one, the latest first, for who may read them: none for anybody else. That their notes
// are read is written down first, as for any case.
func (d *Desk) Earlier(ctx context.Context, who Actor, c Case) ([]Earlier, error) {
	if !MayReadEarlier(who, c) || c.Conv == "" {
		return nil, nil
	}
	files, err := d.Store.CasesOf(ctx, c.Conv)
	if err != nil {
		return nil, fmt.Errorf("find earlier cases: %w", err)
	}
	var out []Earlier
	for _, f := range files {
		if f.Ref == c.Ref || f.Notice || !f.Made.Before(c.Asked) {
			continue
		}
		lines, err := d.Store.Lines(ctx, f.Ref, 0, LinesAtOnce)
		if err != nil {
			return nil, fmt.Errorf("read notes: %w", err)
		}
		e := Earlier{CaseFile: f}
		for _, l := range lines {
			if l.From == bot.FromNote {
				e.Notes = append(e.Notes, l)
			}
		}
		if len(e.Notes) > 0 {
			if err := d.Read(ctx, who, f.Ref); err != nil {
				return nil, err
			}
		}
		if out = append(out, e); len(out) >= earlierMost {
			break
		}
	}
	return out, nil
}

// EarlierLines returns the lines of an earlier case of the chat of another, which the actor must be allowed to read. ErrNoCase when it is
// none of that chat's, ErrNotYours when it is not theirs to read. It is written down first.
func (d *Desk) EarlierLines(ctx context.Context, who Actor, ref, before string) (Case, []bot.Line, error) {
	c, err := d.Find(ctx, ref)
	if err != nil {
		return c, nil, err
	}
	was, err := d.Find(ctx, before)
	switch {
	case err != nil:
		return was, nil, err
	case !MayReadEarlier(who, c):
		return was, nil, ErrNotYours
	case was.Conv == "" || was.Conv != c.Conv || was.Ref == c.Ref || !was.Asked.Before(c.Asked):
		return was, nil, ErrNoCase
	}
	if err := d.Read(ctx, who, was.Ref); err != nil {
		return was, nil, err
	}
	lines, err := d.Lines(ctx, was.Ref, 0)
	return was, lines, err
}
