package report

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Shelf is where entries and months are kept.
type Shelf interface {
	// Entries calls each for the entries in from ≤ at < to, until it returns false.
	Entries(ctx context.Context, from, to time.Time, each func(Entry) bool) error
	// Months are those that are kept in from ≤ month ≤ to.
	Months(ctx context.Context, from, to Month) ([]Figures, error)
	// Change loads a month, has it changed, and saves it, again when somebody else saved meanwhile.
	Change(ctx context.Context, m Month, change func(f *Figures)) error
	// Drop removes the entries in from ≤ at < to.
	Drop(ctx context.Context, from, to time.Time) error
	// Since is when counting began; zero: it has not.
	Since(ctx context.Context) (time.Time, error)
	// Now is the store's clock.
	Now(ctx context.Context) (time.Time, error)
}

// Book reads what was counted.
type Book struct {
	Shelf Shelf
	Zone  *time.Location
}

// Span is what is known of some months.
type Span struct {
	From, To Month
	Since    time.Time // when counting began; zero: it has not
	At       time.Time // when it was asked for
	Months   []Figures // those of which anything is known, earliest first
	Missing  []Month   // the others
}

// ErrOrder means that the first month comes after the last.
var ErrOrder = errors.New("the first month comes after the last")

// Read sums up the months from one to another, both included. Entries are read before what is kept of a month: one that is being closed
// meanwhile is whole in either.
func (b Book) Read(ctx context.Context, from, to Month) (Span, error) {
	s := Span{From: from, To: to}
	if from > to {
		return s, ErrOrder
	}
	var err error
	if s.At, err = b.Shelf.Now(ctx); err != nil {
		return s, fmt.Errorf("read the store's clock: %w", err)
	}
	if s.Since, err = b.Shelf.Since(ctx); err != nil {
		return s, fmt.Errorf("read since when is counted: %w", err)
	}
	own := sums{zone: b.Zone, of: map[Month]*summing{}}
	err = b.Shelf.Entries(ctx, from.Begins(b.Zone), to.Plus(1).Begins(b.Zone), func(e Entry) bool {
		own.add(e)
		return true
	})
	if err != nil {
		return s, fmt.Errorf("read what was counted: %w", err)
	}
	kept, err := b.Shelf.Months(ctx, from, to)
	if err != nil {
		return s, fmt.Errorf("read the months: %w", err)
	}
	of := map[Month]Figures{}
	for _, f := range kept {
		of[f.ID] = f
	}
	for m := from; m <= to; m = m.Plus(1) {
		if f := s.figures(m, of[m], own, b.Zone); f.Own != nil || f.Sheet != nil {
			s.Months = append(s.Months, f)
		} else {
			s.Missing = append(s.Missing, m)
		}
	}
	return s, nil
}

// figures are what is known of one month.
func (s Span) figures(m Month, f Figures, own sums, zone *time.Location) Figures {
	f.ID = m
	first, now := MonthOf(s.Since, zone), MonthOf(s.At, zone)
	f.Running, f.Partly = m == now, m == first && s.Since.After(m.Begins(zone))
	if f.Running {
		f.Today = s.At.In(zone).Day()
	}
	switch {
	case f.Closed:
	case own.of[m] != nil || !s.Since.IsZero() && m >= first && m <= now:
		f.Own = own.month(m).sum()
	default:
		f.Own = nil
	}
	return f
}

// Close has the sums of months take the place of their entries, where nothing can be added to them any more. It may be interrupted at any
// write: the sum is written once, before the first entry goes.
func (b Book) Close(ctx context.Context) error {
	now, err := b.Shelf.Now(ctx)
	if err != nil {
		return fmt.Errorf("read the store's clock: %w", err)
	}
	var oldest time.Time
	err = b.Shelf.Entries(ctx, time.Time{}, now, func(e Entry) bool { oldest = e.At; return false })
	if err != nil || oldest.IsZero() {
		return err
	}
	for m := MonthOf(oldest, b.Zone); now.After(m.Closes(b.Zone)); m = m.Plus(1) {
		if err := b.close(ctx, m); err != nil {
			return fmt.Errorf("close %s: %w", m, err)
		}
	}
	return nil
}

func (b Book) close(ctx context.Context, m Month) error {
	span, err := b.Read(ctx, m, m)
	if err != nil {
		return err
	}
	if len(span.Months) == 0 || span.Months[0].Own == nil {
		return nil
	}
	own := span.Months[0].Own
	err = b.Shelf.Change(ctx, m, func(f *Figures) {
		if !f.Closed {
			f.Own, f.Closed = own, true
		}
	})
	if err != nil {
		return err
	}
	return b.Shelf.Drop(ctx, m.Begins(b.Zone), m.Plus(1).Begins(b.Zone))
}

// Due are the months that are over, were counted here and have no report yet, and whose visits have ended: a day after the last at the
// latest, so that nearly all is told of them. One whose report was written is as it was then, whatever came since: its letter may have gone
// (P804).
func (b Book) Due(ctx context.Context) ([]Figures, error) {
	since, err := b.Shelf.Since(ctx)
	if err != nil || since.IsZero() {
		return nil, err
	}
	now, err := b.Shelf.Now(ctx)
	if err != nil {
		return nil, err
	}
	last := MonthOf(now.Add(-settled), b.Zone).Plus(-1)
	first := max(MonthOf(since, b.Zone), last.Plus(-11))
	if first > last {
		return nil, nil
	}
	span, err := b.Read(ctx, first, last)
	if err != nil {
		return nil, err
	}
	kept, err := b.Shelf.Months(ctx, first, last)
	if err != nil {
		return nil, fmt.Errorf("read the months: %w", err)
	}
	wrote := map[Month]*Sum{}
	for _, f := range kept {
		wrote[f.ID] = f.Own
	}
	var due []Figures
	for _, f := range span.Months {
		if f.Own == nil || !f.Reported.IsZero() {
			continue
		}
		if own := wrote[f.ID]; own != nil { // somebody may have been told this already
			f.Own = own
		}
		due = append(due, f)
	}
	return due, nil
}

// settled is how long after its end a month is reported: the sixth hour of its second day.
const settled = day + 6*time.Hour

// Write notes what a month's report says, before it is told to anybody.
func (b Book) Write(ctx context.Context, m Figures) error {
	return b.Shelf.Change(ctx, m.ID, func(f *Figures) {
		if !f.Closed {
			f.Own = m.Own
		}
	})
}

// Told notes that a month's report was told.
func (b Book) Told(ctx context.Context, m Month) error {
	now, err := b.Shelf.Now(ctx)
	if err != nil {
		return err
	}
	return b.Shelf.Change(ctx, m, func(f *Figures) { f.Reported = now })
}

// Load keeps what the sheet says of months, in place of what was loaded of them before; of a month whose row has no
// volumes, nothing.
func (b Book) Load(ctx context.Context, rows []Row) error {
	for _, r := range rows {
		err := b.Shelf.Change(ctx, r.Month, func(f *Figures) { f.Sheet = r.Volumes })
		if err != nil {
			return fmt.Errorf("load %s: %w", r.Month, err)
		}
	}
	return nil
}
