package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// mark is when something was last done for the whole store.
type mark struct {
	ID      string    `bson:"_id"`
	Version int64     `bson:"v"`
	At      time.Time `bson:"at"`
}

// MarkTable remembers when something was last done that is done seldom, in whichever process.
type MarkTable struct {
	engine    Engine
	documents *Documents[mark]
}

func newMarks(engine Engine) *MarkTable {
	return &MarkTable{engine, NewDocuments(engine, Settings, func(m *mark) (*string, *int64) { return &m.ID, &m.Version })}
}

// Every does something unless it was done within a time, in whichever process, and remembers that it is done. What fails is done again.
func (t *MarkTable) Every(ctx context.Context, name string, every time.Duration, do func() error) error {
	now, err := t.engine.Now(ctx)
	if err != nil {
		return fmt.Errorf("read the store's clock: %w", err)
	}
	m, _, err := t.documents.Find(ctx, "mark/"+name)
	if err != nil || now.Sub(m.At) < every {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	return t.set(ctx, name)
}

func (t *MarkTable) set(ctx context.Context, name string) error {
	m, err := t.documents.Load(ctx, "mark/"+name)
	if err != nil {
		return err
	}
	if m.At, err = t.engine.Now(ctx); err != nil {
		return fmt.Errorf("read the store's clock: %w", err)
	}
	if err := t.documents.Save(ctx, &m); err != nil && !errors.Is(err, ErrConflict) { // somebody else did it as well
		return err
	}
	return nil
}
