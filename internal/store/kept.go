package store

import (
	"context"
	"fmt"
	"time"

	"llave/bot"
	"llave/internal/handoff"
	"llave/internal/unheard"
	"llave/internal/unlock"
)

// Kept is all that is kept of one chat, wherever it is.
type Kept struct {
	Conv         string            // what the chat is called everywhere
	Chat         string            // what its channel calls it; "": its person has names
	Contact      *Contact          // and what they are called now
	Since        time.Time         // when its key was made; zero: it has none
	Conversation *bot.Conversation // nil: it is kept no longer
	Lines        []KeptLine        // said with a person of the desk
	Drafts       []handoff.Draft   // that agents have begun to write
	Complaints   []File
	Cases        []File
	Deliveries   []Delivery
	Sentences    []unheard.Row // not understood, and said within the last day
	Records      []KeptRecord  // for whose number a link was asked for
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

// KeptOf lists all that is kept of a chat, by the id of its conversation (AddressBook.Conv). The audit is not among it: it is kept
// under a pseudonym that leads to nobody.
func (s *Store) KeptOf(ctx context.Context, conv string) (k Kept, err error) {
	conv = s.Book.Conv(conv)
	k.Conv = conv
	e, err := s.Book.load(ctx, conv)
	if err != nil {
		return k, err
	}
	k.Chat, k.Since = e.Chat, e.Born
	if c := e.contact(); c.Version > 0 {
		k.Contact = &c
	}
	c, found, err := s.Conversations.Find(ctx, conv)
	if err != nil {
		return k, err
	}
	if found {
		k.Conversation = &c
	}
	by := func(collection string) Query {
		return Query{Collection: collection, Field: "conv", From: conv, To: conv + "\x00"}
	}
	err = scan(ctx, s.engine, by(Lines), func(l storedLine) bool {
		k.Lines = append(k.Lines, KeptLine{l.Ref, l.Line})
		return true
	})
	if err == nil {
		err = scan(ctx, s.engine, by(Drafts), func(d handoff.Draft) bool { k.Drafts = append(k.Drafts, d); return true })
	}
	if err == nil {
		err = scan(ctx, s.engine, by(Complaints), func(f File) bool { k.Complaints = append(k.Complaints, f); return true })
	}
	if err == nil {
		err = scan(ctx, s.engine, by(Cases), func(f File) bool { k.Cases = append(k.Cases, f); return true })
	}
	if err == nil {
		err = scan(ctx, s.engine, by(Deliveries), func(d Delivery) bool { k.Deliveries = append(k.Deliveries, d); return true })
	}
	if err == nil && s.Book.vault != nil {
		err = s.Unheard.eachOf(ctx, s.Book.Teller(conv), func(r unheard.Row) { k.Sentences = append(k.Sentences, r) })
	}
	if err != nil {
		return k, fmt.Errorf("list what is kept of a chat: %w", err)
	}
	for _, n := range c.Numbers {
		d, err := s.Unlocks.Load(ctx, n.ID)
		if err != nil {
			return k, err
		}
		if asked := d.AskedBy(s.named(conv)); len(asked) > 0 {
			k.Records = append(k.Records, KeptRecord{n.ID, asked})
		}
	}
	return k, nil
}

// named says whether a conversation's id is that one, whatever version gave it.
func (s *Store) named(conv string) func(id string) bool {
	return func(id string) bool { return id != "" && s.Book.Conv(id) == conv }
}

// ChatsOf are the conversations in which a record's number, by its keyed hash, was looked up or a link for it asked for, as long as that is
// known.
func (s *Store) ChatsOf(ctx context.Context, record string) (convs []string, err error) {
	known := map[string]bool{}
	add := func(id string) {
		if conv := s.Book.Conv(id); conv != "" && !known[conv] && !unlock.Erased(conv) {
			known[conv] = true
			convs = append(convs, conv)
		}
	}
	d, err := s.Unlocks.Load(ctx, record)
	if err != nil {
		return nil, err
	}
	for _, conv := range d.Askers() {
		add(conv)
	}
	err = s.Conversations.each(ctx, Query{}, func(c bot.Conversation) bool {
		for _, n := range c.Numbers {
			if n.ID == record {
				add(c.ID)
			}
		}
		return true
	})
	if err != nil {
		return nil, fmt.Errorf("find the chats of a number: %w", err)
	}
	return convs, nil
}
