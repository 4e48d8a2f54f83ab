package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/bot"
	"llave/internal/affiliate"
	"llave/internal/secret"
	"llave/internal/unlock"
)

// Store is every repository over one engine. Repositories keep nothing themselves: any number of processes may each
// have a Store over the same database.
type Store struct {
	engine    Engine
	answering *sync.Map // erasures (answer) of chats that still have their address, with when that was first seen

	Book          *AddressBook
	Conversations *ConversationTable
	Unlocks       *UnlockTable
	Affiliates    *AffiliateTable
	Complaints    *FileTable
	Cases         *FileTable
	Audit         *AuditLog
	Leases        *LeaseTable
	Processes     *ProcessTable
	Counters      *CounterTable
	Imports       *Documents[Progress]
	People        *PeopleTable
	Deliveries    *DeliveryTable
	Images        *ImageTable
	Desk          *DeskTable
	Schedule      *ScheduleTable
	Agents        *AgentTable
	Sessions      *SessionTable
	Tries         *TryTable
	Bells         *BellTable
	Unheard       *UnheardTable
	Events        *EventTable
	Intros        *IntroTable
	Marks         *MarkTable
	Ring          *RingTable
	Breaches      *BreachTable
	Counts        *CountTable
}

// New makes the repositories. The engine stays the caller's to close.
func New(engine Engine) *Store { return newStore(engine, newBook(engine, nil)) }

// Seal has everything of a chat kept under its name in the address book, and what its person wrote sealed: for every process that
// reads or writes chats.
func (s *Store) Seal(v *secret.Vault) {
	engine := s.engine
	if already, ok := engine.(*sealed); ok {
		engine = already.Engine
	}
	book := newBook(engine, v)
	fresh := newStore(&sealed{engine, book}, book)
	fresh.Ring, fresh.Audit = s.Ring, s.Audit // they have the vault already (DataKey)
	*s = *fresh
}

// Opened is a document as it lies in the store, as its repository reads it.
func (s *Store) Opened(ctx context.Context, collection string, doc bson.Raw) (bson.Raw, error) {
	if e, ok := s.engine.(*sealed); ok {
		return e.open(ctx, collection, doc)
	}
	return doc, nil
}

func newStore(engine Engine, book *AddressBook) *Store {
	return &Store{
		engine:        engine,
		answering:     new(sync.Map),
		Book:          book,
		Conversations: &ConversationTable{NewDocuments(engine, Conversations, headOfConversation)},
		Unlocks: &UnlockTable{NewDocuments(engine, Unlocks, func(r *unlock.Document) (*string, *int64) {
			return &r.ID, &r.Version
		})},
		Affiliates: &AffiliateTable{engine},
		Complaints: &FileTable{engine, Complaints},
		Cases:      &FileTable{engine, Cases},
		Audit:      newAudit(engine),
		Leases:     &LeaseTable{engine},
		Processes:  &ProcessTable{&LeaseTable{engine}},
		Counters:   &CounterTable{engine},
		Imports: NewDocuments(engine, Imports, func(p *Progress) (*string, *int64) {
			return &p.ID, &p.Version
		}),
		People:     newPeople(engine, book),
		Deliveries: newDeliveries(engine),
		Images:     newImages(engine),
		Desk:       newDesk(engine, NewDocuments(engine, Conversations, headOfConversation)),
		Schedule:   newSchedule(engine),
		Agents:     newAgents(engine),
		Sessions:   newSessions(engine),
		Tries:      newTries(engine),
		Bells:      newBells(engine),
		Unheard:    newUnheard(engine),
		Events:     newEvents(engine),
		Intros:     newIntros(engine),
		Marks:      newMarks(engine),
		Ring:       newRing(engine),
		Breaches:   newBreaches(engine),
		Counts:     newCounts(engine),
	}
}

// Engine is what the store stands on, for repositories that live elsewhere (NewDocuments).
func (s *Store) Engine() Engine { return s.engine }

// Raw is the engine below all: documents as they lie in the store.
func (s *Store) Raw() Engine { return unopened(s.engine) }

// Knows says whether anything is kept under a conversation's id, or whom it is with.
func (s *Store) Knows(ctx context.Context, conv string) (bool, error) {
	for _, collection := range []string{Book, Conversations} {
		_, err := s.Raw().Get(ctx, collection, conv)
		if !errors.Is(err, ErrNotFound) {
			return err == nil, err
		}
	}
	return false, nil
}

// Now is the store's clock: the same in every process, whatever their own clocks say.
func (s *Store) Now(ctx context.Context) (time.Time, error) { return s.engine.Now(ctx) }

// Ping says whether the store answers.
func (s *Store) Ping(ctx context.Context) error { return s.engine.Ping(ctx) }

func headOfConversation(c *bot.Conversation) (*string, *int64) { return &c.ID, &c.Version }

// ConversationTable keeps conversations.
type ConversationTable struct{ *Documents[bot.Conversation] }

// Due returns the ids of at most [limit] conversations whose wake_at has come, longest waiting first.
func (t *ConversationTable) Due(ctx context.Context, now time.Time, limit int) ([]string, error) {
	return t.IDsUpTo(ctx, "wake_at", now, limit)
}

// Held returns the ids of the conversations whose wake_at is not after [until] and that have a keeper of such a name.
func (t *ConversationTable) Held(ctx context.Context, until time.Time, by func(who string) bool) ([]string, error) {
	return t.held(ctx, until, by)
}

// Forgettable returns the ids of at most [limit] conversations that need not be kept any longer.
func (t *ConversationTable) Forgettable(ctx context.Context, now time.Time, limit int) ([]string, error) {
	return t.IDsUpTo(ctx, "kept_till", now, limit)
}

// UnlockTable keeps the unlock documents: who asked, the one live link, what is owed.
type UnlockTable struct{ documents *Documents[unlock.Document] }

// Load returns the document with that id. When there is none it returns a new one that has only its id, and version 0.
func (t *UnlockTable) Load(ctx context.Context, id string) (*unlock.Document, error) {
	r, err := t.documents.Load(ctx, id)
	if err != nil {
		return nil, err
	}
	return &r, nil
}

// Save stores the document where its version is the one it was loaded with, as Documents.Save does.
func (t *UnlockTable) Save(ctx context.Context, r *unlock.Document) error {
	return t.documents.Save(ctx, r)
}

// FindBy returns the document in which a declared field has that value, or nil.
func (t *UnlockTable) FindBy(ctx context.Context, field, value string) (*unlock.Document, error) {
	r, found, err := t.documents.FindBy(ctx, field, value)
	if err != nil || !found {
		return nil, err
	}
	return &r, nil
}

// FindByPrefix returns the first document in which a declared field begins with [prefix], and is printable ASCII, or nil.
func (t *UnlockTable) FindByPrefix(ctx context.Context, field, prefix string) (*unlock.Document, error) {
	r, found, err := t.documents.findBetween(ctx, field, prefix, prefix+"\x7f")
	if err != nil || !found {
		return nil, err
	}
	return &r, nil
}

// Due returns the ids of at most [limit] documents whose wake_at has come, longest waiting first.
func (t *UnlockTable) Due(ctx context.Context, now time.Time, limit int) ([]string, error) {
	return t.documents.IDsUpTo(ctx, "wake_at", now, limit)
}

// Held returns ids as ConversationTable.Held does.
func (t *UnlockTable) Held(ctx context.Context, until time.Time, by func(who string) bool) ([]string, error) {
	return t.documents.held(ctx, until, by)
}

// Purgeable returns the ids of at most [limit] documents that hold something whose time has passed.
func (t *UnlockTable) Purgeable(ctx context.Context, now time.Time, limit int) ([]string, error) {
	return t.documents.IDsUpTo(ctx, "purge_at", now, limit)
}

// Unplanned returns the ids of at most [limit] documents with an id of [from] or higher that nobody will look at again by themselves,
// because a version before wrote them so; [next] is where to go on, empty at the end.
func (t *UnlockTable) Unplanned(ctx context.Context, from string, limit int) (ids []string, next string, err error) {
	looked := 0
	err = t.documents.engine.Scan(ctx, Query{Collection: Unlocks, From: from, Limit: limit + 1}, func(raw bson.Raw) bool {
		id, broken := DocumentID(raw)
		if broken != nil {
			return true
		}
		if looked++; looked > limit {
			next = id
			return false
		}
		if _, planned := Lookup(raw, "purge_at"); !planned {
			ids = append(ids, id)
		}
		return true
	})
	if err != nil {
		return nil, "", fmt.Errorf("scan %s: %w", Unlocks, err)
	}
	return ids, next, nil
}

// Delete removes a document where its version is [version], or whatever it is when that is negative.
func (t *UnlockTable) Delete(ctx context.Context, id string, version int64) error {
	return t.documents.Delete(ctx, id, version)
}

// Progress is how far an import has come.
type Progress = affiliate.ImportMark

// ForgetImports removes at most [limit] marks of imports whose last step was before what is kept of them, and ForgetPresence what is
// known of agents' consoles that were not there for as long.
func (s *Store) ForgetImports(ctx context.Context, now time.Time, limit int) (int64, error) {
	return s.engine.DeleteRange(ctx, Query{Collection: Imports, Field: "at", To: now.Add(-importsKept), Limit: limit})
}

// ForgetPresence is as ForgetImports says.
func (s *Store) ForgetPresence(ctx context.Context, now time.Time, limit int) (int64, error) {
	return s.engine.DeleteRange(ctx, Query{Collection: Presence, Field: "at", To: now.Add(-presenceKept), Limit: limit})
}

// CounterTable keeps counters that start again when their window has passed.
type CounterTable struct{ engine Engine }

// Add adds to a counter and returns its new value and when it starts again. The window begins with the first Add.
// Exact under any parallelism and across processes.
func (t *CounterTable) Add(ctx context.Context, id string, by int64, window time.Duration) (n int64, resetsAt time.Time, err error) {
	now, err := t.engine.Now(ctx)
	if err != nil {
		return 0, time.Time{}, fmt.Errorf("count: %w", err)
	}
	resetsAt = now.Add(window)
	if n, err = t.engine.Increment(ctx, Counters, id, by, resetsAt); err != nil {
		return 0, time.Time{}, fmt.Errorf("count: %w", err)
	}
	if n == by { // the first: the window is ours
		return n, resetsAt, nil
	}
	doc, err := t.engine.Get(ctx, Counters, id)
	if err != nil {
		return 0, time.Time{}, fmt.Errorf("count: %w", err)
	}
	if at, ok := doc.Lookup("expires").TimeOK(); ok {
		resetsAt = at.UTC()
	}
	return n, resetsAt, nil
}

// Purge removes at most [limit] counters whose window has passed.
func (t *CounterTable) Purge(ctx context.Context, limit int) (int64, error) {
	now, err := t.engine.Now(ctx)
	if err != nil {
		return 0, fmt.Errorf("purge counters: %w", err)
	}
	return t.engine.DeleteRange(ctx, Query{Collection: Counters, Field: "expires", To: upTo(now), Limit: limit})
}
