package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"llave/internal/report"
)

// CountTable keeps what is counted for the report, and the months that it came to. Nobody is named in it.
type CountTable struct {
	engine  Engine
	entries *Documents[report.Entry]
	months  *Documents[report.Figures]
	marks   *Documents[mark]
}

func newCounts(engine Engine) *CountTable {
	return &CountTable{
		engine:  engine,
		entries: NewDocuments(engine, Counted, func(e *report.Entry) (*string, *int64) { return &e.ID, &e.Version }),
		months: NewDocuments(engine, Months, func(f *report.Figures) (*string, *int64) {
			return (*string)(&f.ID), &f.Version
		}),
		marks: NewDocuments(engine, Settings, func(m *mark) (*string, *int64) { return &m.ID, &m.Version }),
	}
}

// Count keeps an entry. Keeping it again changes nothing, nor does what tells less of the same (P801).
func (t *CountTable) Count(ctx context.Context, e report.Entry) error {
	e = e.Rounded()
	for {
		kept, found, err := t.entries.Find(ctx, e.ID)
		if err != nil || found && !e.Further(kept) {
			return err
		}
		e.Version = kept.Version
		if err = t.entries.Save(ctx, &e); !errors.Is(err, ErrConflict) {
			return err
		}
	}
}

// Entries calls each for the entries in from ≤ at < to, earliest first, until it returns false.
func (t *CountTable) Entries(ctx context.Context, from, to time.Time, each func(report.Entry) bool) error {
	return t.entries.each(ctx, Query{Field: "at", From: from, To: to}, each)
}

// Months are those that are kept, from one to another.
func (t *CountTable) Months(ctx context.Context, from, to report.Month) ([]report.Figures, error) {
	return t.months.Scan(ctx, Query{From: string(from), To: string(to) + "\x00"})
}

// Change loads a month, has it changed, and saves it, again when somebody else saved meanwhile.
func (t *CountTable) Change(ctx context.Context, m report.Month, change func(f *report.Figures)) error {
	for {
		f, err := t.months.Load(ctx, string(m))
		if err != nil {
			return err
		}
		change(&f)
		if err = t.months.Save(ctx, &f); !errors.Is(err, ErrConflict) {
			return err
		}
	}
}

// Drop removes the entries in from ≤ at < to.
func (t *CountTable) Drop(ctx context.Context, from, to time.Time) error {
	const atOnce = 1000
	for {
		n, err := t.engine.DeleteRange(ctx, Query{Collection: Counted, Field: "at", From: from, To: to, Limit: atOnce})
		if err != nil || n < atOnce {
			return err
		}
	}
}

// since is the mark of the beginning of counting.
const since = "mark/counted_since"

// Begin notes that counting begins now, where it has not.
func (t *CountTable) Begin(ctx context.Context) error {
	m, found, err := t.marks.Find(ctx, since)
	if err != nil || found {
		return err
	}
	m.ID = since
	if m.At, err = t.engine.Now(ctx); err != nil {
		return fmt.Errorf("read the store's clock: %w", err)
	}
	if err := t.marks.Save(ctx, &m); err != nil && !errors.Is(err, ErrConflict) { // somebody else began at the same moment
		return err
	}
	return nil
}

// Since is when counting began; zero: it has not.
func (t *CountTable) Since(ctx context.Context) (time.Time, error) {
	m, _, err := t.marks.Find(ctx, since)
	return m.At, err
}

// Now is the store's clock.
func (t *CountTable) Now(ctx context.Context) (time.Time, error) { return t.engine.Now(ctx) }
