package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"llave/bot"
	"llave/internal/unheard"
	"llave/internal/unlock"
)

// Kept is all that is kept of one chat, wherever it is, but for sentences that were not understood: those are found by a keyed hash.
type Kept struct {
	Conv         string            // what the chat is called everywhere
	Contact      *Contact          // what its person is called; nil: nothing is kept of that
	Conversation *bot.Conversation // nil: it is kept no longer
	Lines        []KeptLine        // said with a person of the desk
	Complaints   []File
	Cases        []File
	Deliveries   []Delivery
	Sentences    []unheard.Row
	Records      []KeptRecord // for whose number a link was asked for
}

// KeptLine is a line of a case.
type KeptLine struct {
	Ref string // of the case
	bot.Line
}

// KeptRecord is what the document of one number's links says of a chat.
type KeptRecord struct {
	Record string // keyed hash of the number
	Asked  []time.Time
}

// Any says whether anything is kept of the chat.
func (k Kept) Any() bool {
	return k.Contact != nil || k.Conversation != nil || len(k.Lines)+len(k.Complaints)+len(k.Cases)+len(k.Deliveries)+len(k.Sentences)+len(k.Records) > 0
}

// KeptOf lists all that is kept of a chat, by the id of its conversation. Collections in which that is no index are read whole.
func (s *Store) KeptOf(ctx context.Context, conv string) (k Kept, err error) {
	k.Conv = conv
	contact, called, err := s.People.contacts.Find(ctx, conv)
	if err != nil {
		return k, fmt.Errorf("list what is kept of a chat: %w", err)
	}
	if called {
		k.Contact = &contact
	}
	c, found, err := s.Conversations.Find(ctx, conv)
	if err != nil {
		return k, fmt.Errorf("list what is kept of a chat: %w", err)
	}
	if found {
		k.Conversation = &c
	}
	files := func(of *[]File) func(f File) bool {
		return func(f File) bool {
			if f.Conv == conv {
				*of = append(*of, f)
			}
			return true
		}
	}
	fileTable := func(collection string) *Documents[File] {
		return NewDocuments(s.engine, collection, func(f *File) (*string, *int64) { return &f.Ref, &f.Version })
	}
	for _, scan := range []func() error{
		func() error {
			return s.Desk.lines.each(ctx, Query{Field: "conv", From: conv, To: conv + "\x00"}, func(l storedLine) bool {
				k.Lines = append(k.Lines, KeptLine{l.Ref, l.Line})
				return true
			})
		},
		func() error { return fileTable(Complaints).each(ctx, Query{Field: "made"}, files(&k.Complaints)) },
		func() error { return fileTable(Cases).each(ctx, Query{Field: "made"}, files(&k.Cases)) },
		func() error {
			return s.Deliveries.documents.each(ctx, Query{Field: "at"}, func(d Delivery) bool {
				if d.Conv == conv {
					k.Deliveries = append(k.Deliveries, d)
				}
				return true
			})
		},
		func() error {
			return s.Unlocks.documents.each(ctx, Query{}, func(d unlock.Document) bool {
				r := KeptRecord{Record: d.ID}
				for _, a := range d.Asks {
					if asker, _, _ := strings.Cut(a.Turn, "/"); asker == conv {
						r.Asked = append(r.Asked, a.At)
					}
				}
				if len(r.Asked) > 0 {
					k.Records = append(k.Records, r)
				}
				return true
			})
		},
	} {
		if err := scan(); err != nil {
			return k, fmt.Errorf("list what is kept of a chat: %w", err)
		}
	}
	return k, nil
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
		return nil, fmt.Errorf("find the sentences of a chat: %w", err)
	}
	return rows, nil
}
