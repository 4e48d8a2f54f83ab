package store

import (
	"context"
	"errors"
	"fmt"

	"llave/bot"
	"llave/internal/unheard"
	"llave/internal/unlock"
)

// What the collections keep of one conversation, for its person to read (P753). Those that are not found by the conversation's id are
// read whole.

// Of returns the files of a conversation, the earliest first.
func (t *FileTable) Of(ctx context.Context, conv string) (files []File, err error) {
	all := NewDocuments(t.engine, t.collection, func(f *File) (*string, *int64) { return &f.Ref, &f.Version })
	err = all.each(ctx, Query{Field: "made"}, func(f File) bool {
		if f.Conv == conv {
			files = append(files, f)
		}
		return true
	})
	if err != nil {
		return nil, fmt.Errorf("find the files of a conversation: %w", err)
	}
	return files, nil
}

// LinesOf returns every line of a conversation that is kept, by case.
func (t *DeskTable) LinesOf(ctx context.Context, conv string) (map[string][]bot.Line, error) {
	lines := map[string][]bot.Line{}
	err := t.lines.each(ctx, Query{Field: "conv", From: conv, To: conv + "\x00"}, func(l storedLine) bool {
		lines[l.Ref] = append(lines[l.Ref], l.Line)
		return true
	})
	if err != nil {
		return nil, fmt.Errorf("find the lines of a conversation: %w", err)
	}
	return lines, nil
}

// Of returns the attempts that a conversation asked for, of whatever record.
func (t *UnlockTable) Of(ctx context.Context, conv string) (attempts []unlock.Attempt, err error) {
	err = t.documents.each(ctx, Query{}, func(d unlock.Document) bool {
		attempts = append(attempts, d.Of(conv)...)
		return true
	})
	if err != nil {
		return nil, fmt.Errorf("find the links of a conversation: %w", err)
	}
	return attempts, nil
}

// Of returns what became of the messages to a conversation, the earliest first.
func (t *DeliveryTable) Of(ctx context.Context, conv string) (deliveries []Delivery, err error) {
	err = t.documents.each(ctx, Query{Field: "at"}, func(d Delivery) bool {
		if d.Conv == conv {
			deliveries = append(deliveries, d)
		}
		return true
	})
	if err != nil {
		return nil, fmt.Errorf("find the messages to a conversation: %w", err)
	}
	return deliveries, nil
}

// Of returns the rows of what a chat, by its keyed hash, said within the last day and was not understood.
func (t *UnheardTable) Of(ctx context.Context, who string) (rows []unheard.Row, err error) {
	err = t.rows.each(ctx, Query{Field: "drop_at"}, func(r unheard.Row) bool {
		for _, teller := range r.Tellers {
			if teller.Who == who {
				rows = append(rows, r)
			}
		}
		return true
	})
	if err != nil {
		return nil, fmt.Errorf("find the sentences of a conversation: %w", err)
	}
	return rows, nil
}

// Contact returns what the person of a chat goes by and went by, and whether that is kept.
func (t *PeopleTable) Contact(ctx context.Context, channel, chat string) (Contact, bool, error) {
	c, found, err := t.contacts.Find(ctx, channel+":"+chat)
	if errors.Is(err, ErrNotFound) {
		return c, false, nil
	}
	return c, found, err
}
