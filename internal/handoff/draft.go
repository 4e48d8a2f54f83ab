package handoff

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"llave/bot"
)

// Draft is what an agent has begun to write in a case: theirs alone, on each of their devices. It is kept as it would go out, masked
// (P766).
type Draft struct {
	ID      string    `bson:"_id"` // DraftID
	Version int64     `bson:"v"`
	Conv    string    `bson:"conv"`
	Ref     string    `bson:"ref"`
	At      time.Time `bson:"at"`             // when it was changed last
	Text    string    `bson:"text,omitempty"` // to the person
	Note    string    `bson:"note,omitempty"` // for colleagues
}

// DraftID is the id of an agent's draft in a case.
func DraftID(ref, login string) string { return ref + "/" + login }

// of is the part of a draft that is for the person, or for colleagues.
func (d *Draft) of(note bool) *string {
	if note {
		return &d.Note
	}
	return &d.Text
}

// Draft is what an agent has begun to write in a case.
func (d *Desk) Draft(ctx context.Context, ref, login string) (Draft, error) {
	draft, err := d.Store.Draft(ctx, ref, login)
	if err != nil {
		return Draft{}, fmt.Errorf("read a draft: %w", err)
	}
	return draft, nil
}

// masked is what goes out of an agent's words, or is kept of a note.
func (d *Desk) masked(text string, note bool) string {
	if note {
		return d.Noted(text)
	}
	return d.Discreet(text)
}

// KeepDraft keeps what an agent has begun to write in a case that they may write in, in place of what was kept of it, and returns it as
// it would go out. The case may have left them meanwhile: what they wrote stays theirs.
func (d *Desk) KeepDraft(ctx context.Context, who Actor, ref, text string, note bool) (masked string, err error) {
	c, found, err := d.Store.FindCase(ctx, ref)
	switch {
	case err != nil:
		return "", fmt.Errorf("find case: %w", err)
	case !found || !c.Handoff.Open():
		return "", ErrNoCase
	}
	now, err := d.Now(ctx)
	if err != nil {
		return "", fmt.Errorf("read the store's clock: %w", err)
	}
	masked = d.masked(text, note)
	err = d.changeDraft(ctx, ref, who.Login, func(draft *Draft) bool {
		writes := c.Handoff.Agent == who.Login || c.Handoff.Before == who.Login || draft.Version > 0 || note && (who.Supervisor || c.Handoff.MentionOf(who.Login) > 0)
		if kept := draft.of(note); writes && *kept != masked {
			*kept, draft.Conv, draft.Ref, draft.At = masked, c.ID, ref, now
			return true
		}
		return false
	})
	if err != nil {
		return "", err
	}
	// The case may have ended, and its chat been forgotten, while this was on its way.
	if c, found, err := d.Store.FindCase(ctx, ref); err != nil {
		return "", fmt.Errorf("find case: %w", err)
	} else if !found || !c.Handoff.Open() {
		return masked, d.dropDraft(ctx, who, ref)
	}
	return masked, nil
}

// sent takes words that went out off the agent's draft, unless they have written something else since.
func (d *Desk) sent(ctx context.Context, who Actor, ref, text string, note bool) error {
	text = d.masked(text, note)
	return d.changeDraft(ctx, ref, who.Login, func(draft *Draft) bool {
		kept := draft.of(note)
		if draft.Version == 0 || *kept == "" || strings.Join(strings.Fields(*kept), " ") != strings.Join(strings.Fields(text), " ") {
			return false
		}
		*kept = ""
		return true
	})
}

// changeDraft has a draft changed, if [change] says that it did; an empty one goes.
func (d *Desk) changeDraft(ctx context.Context, ref, login string, change func(*Draft) bool) error {
	for {
		draft, err := d.Store.Draft(ctx, ref, login)
		if err == nil && change(&draft) {
			if draft.Text == "" && draft.Note == "" {
				err = d.Store.DropDraft(ctx, draft)
			} else {
				err = d.Store.SaveDraft(ctx, &draft)
			}
		}
		if !errors.Is(err, bot.ErrConflict) {
			if err != nil {
				err = fmt.Errorf("keep a draft: %w", err)
			}
			return err
		}
	}
}

// dropDraft forgets what an agent had begun to write in a case that they closed.
func (d *Desk) dropDraft(ctx context.Context, who Actor, ref string) error {
	return d.changeDraft(ctx, ref, who.Login, func(draft *Draft) bool {
		had := draft.Version > 0
		draft.Text, draft.Note = "", ""
		return had
	})
}

// PartsMost is how many messages a long text is sent in at most.
const PartsMost = 5

// Parts are the messages that a long text is sent in: each within what a message holds, cut where the words allow it, and never within
// a number, which would be masked in neither half.
func Parts(text string) []string { return parts(text, bot.LineRunes) }

func parts(text string, most int) []string {
	var out []string
	runes := []rune(text)
	for len(runes) > most {
		at := cutAt(runes[:most+1])
		out = append(out, trimmed(runes[:at]))
		runes = []rune(trimmed(runes[at:]))
	}
	if len(runes) > 0 || len(out) == 0 {
		out = append(out, string(runes))
	}
	return slices.DeleteFunc(out, func(s string) bool { return s == "" && len(out) > 1 })
}

// cutAt is where a text that is one rune too long is cut: after a paragraph, a line, a sentence or a word, the last that leaves at
// least half; else anywhere but within digits.
func cutAt(runes []rune) int {
	half := len(runes) / 2
	joins := func(i int) bool { // digits on both sides, with or without a blank between
		before, after := strings.TrimRightFunc(string(runes[:i]), unicode.IsSpace), strings.TrimLeftFunc(string(runes[i:]), unicode.IsSpace)
		return endsInDigit(before) && beginsWithDigit(after)
	}
	for _, is := range []func(i int) bool{
		func(i int) bool { return i > 1 && runes[i-1] == '\n' && runes[i-2] == '\n' },
		func(i int) bool { return runes[i-1] == '\n' },
		func(i int) bool {
			return unicode.IsSpace(runes[i-1]) && i > 1 && strings.ContainsRune(".!?…", runes[i-2])
		},
		func(i int) bool { return unicode.IsSpace(runes[i-1]) },
		func(int) bool { return true },
	} {
		for i := len(runes) - 1; i > half; i-- {
			if is(i) && !joins(i) {
				return i
			}
		}
	}
	return len(runes) - 1
}

func endsInDigit(s string) bool {
	r, _ := utf8.DecodeLastRuneInString(s)
	return unicode.IsDigit(r)
}

func beginsWithDigit(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return unicode.IsDigit(r)
}

func trimmed(runes []rune) string { return strings.TrimSpace(string(runes)) }
