package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// DeadEvent is an event that the institution's programs did not take within its day. What they would have been told is sealed: it
// names a record.
type DeadEvent struct {
	ID      string    `bson:"_id"` // the event's own, under which it is sent again
	Version int64     `bson:"v"`
	Name    string    `bson:"name"`
	At      time.Time `bson:"at"` // when it happened
	Died    time.Time `bson:"died"`
	Tries   int       `bson:"tries"`
	Why     string    `bson:"why"` // of the last try, without secrets
	Sealed  string    `bson:"sealed"`
}

// EventTable keeps dead events.
type EventTable struct {
	engine    Engine
	documents *Documents[DeadEvent]
}

func newEvents(engine Engine) *EventTable {
	return &EventTable{engine, NewDocuments(engine, Events, func(e *DeadEvent) (*string, *int64) { return &e.ID, &e.Version })}
}

// Bury keeps a dead event. Burying it again changes nothing.
func (t *EventTable) Bury(ctx context.Context, e DeadEvent) error {
	if err := insert(ctx, t.engine, Events, e); err != nil && !errors.Is(err, ErrDuplicate) {
		return err
	}
	return nil
}

// List returns all of them, the longest dead first.
func (t *EventTable) List(ctx context.Context) ([]DeadEvent, error) {
	list, err := t.documents.Scan(ctx, Query{Field: "died"})
	if err != nil {
		return nil, fmt.Errorf("list dead events: %w", err)
	}
	return list, nil
}

// Count returns how many there are.
func (t *EventTable) Count(ctx context.Context) (int64, error) { return t.documents.Count(ctx) }

// Failed notes that one was sent again in vain. Of two that do so at once one counts.
func (t *EventTable) Failed(ctx context.Context, id, why string) error {
	e, found, err := t.documents.Find(ctx, id)
	if err != nil || !found {
		return err
	}
	e.Tries, e.Why = e.Tries+1, why
	if err := t.documents.Save(ctx, &e); err != nil && !errors.Is(err, ErrConflict) {
		return fmt.Errorf("note a failed event: %w", err)
	}
	return nil
}

// Taken removes one that has been taken at last. One that is not there is no error.
func (t *EventTable) Taken(ctx context.Context, id string) error {
	return t.documents.Delete(ctx, id, -1)
}

// Forget removes at most [limit] that died before a moment, and says how many.
func (t *EventTable) Forget(ctx context.Context, before time.Time, limit int) (int64, error) {
	return t.engine.DeleteRange(ctx, Query{Collection: Events, Field: "died", To: before, Limit: limit})
}
