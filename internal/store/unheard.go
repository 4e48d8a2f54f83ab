package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"llave/internal/unheard"
)

// UnheardTable keeps sentences that were not understood.
type UnheardTable struct {
	engine Engine
	rows   *Documents[unheard.Row]
}

func newUnheard(engine Engine) *UnheardTable {
	return &UnheardTable{engine, NewDocuments(engine, Unheard, func(r *unheard.Row) (*string, *int64) { return &r.ID, &r.Version })}
}

// change loads a row, has it changed, and saves it unless nothing changed; again when somebody else saved meanwhile. A row
// that nobody has said any more is emptied, and goes as others do: were it deleted, its versions would begin again, and who had
// loaded it before would save over what is said next.
func (t *UnheardTable) change(ctx context.Context, id string, change func(r *unheard.Row) bool) (unheard.Row, error) {
	for {
		r, err := t.rows.Load(ctx, id)
		if err != nil || !change(&r) {
			return r, err
		}
		switch {
		case r.Times > 0:
			err = t.rows.Save(ctx, &r)
		case r.Version > 0:
			r = unheard.Row{ID: r.ID, Version: r.Version, Last: r.Last}
			err = t.rows.Save(ctx, &r)
		}
		if !errors.Is(err, ErrConflict) {
			return r, err
		}
	}
}

// Tell counts that a sentence was said. Telling the same again changes nothing.
func (t *UnheardTable) Tell(ctx context.Context, said unheard.Telling) error {
	if _, err := t.change(ctx, said.ID(), func(r *unheard.Row) bool { return r.Add(said) }); err != nil {
		return fmt.Errorf("keep a sentence: %w", err)
	}
	return nil
}

// Erase takes away what a chat, by its keyed hash, said within the last day. What others said too stays with their counts.
func (t *UnheardTable) Erase(ctx context.Context, who string) error {
	return t.eachTold(ctx, nil, func(r *unheard.Row) bool { return r.Erase(who) })
}

// eachOf calls each for the rows that a chat, by its keyed hash, said within the last day.
func (t *UnheardTable) eachOf(ctx context.Context, who string, each func(unheard.Row)) error {
	return t.rows.each(ctx, Query{Field: "drop_at"}, func(r unheard.Row) bool {
		for _, teller := range r.Tellers {
			if teller.Who == who {
				each(r)
			}
		}
		return true
	})
}

// Drop forgets which chats said what longer ago than unheard.Known.
func (t *UnheardTable) Drop(ctx context.Context, now time.Time) error {
	return t.eachTold(ctx, upTo(now), func(r *unheard.Row) bool { return r.Drop(now) })
}

// eachTold changes those rows of which it is known who said them: all, or those where that is to be forgotten before a
// moment.
func (t *UnheardTable) eachTold(ctx context.Context, before any, change func(r *unheard.Row) bool) error {
	var ids []string
	err := t.rows.each(ctx, Query{Field: "drop_at", To: before}, func(r unheard.Row) bool {
		if change(&r) {
			ids = append(ids, r.ID)
		}
		return true
	})
	if err != nil {
		return fmt.Errorf("find sentences: %w", err)
	}
	for _, id := range ids {
		if _, err := t.change(ctx, id, change); err != nil {
			return fmt.Errorf("change a sentence: %w", err)
		}
	}
	return nil
}

// Assign says what a sentence meant: a meaning, unheard.NotOurs, or "" for not yet. It returns the row as it is then;
// unheard.ErrNoRow means that it is there no more.
func (t *UnheardTable) Assign(ctx context.Context, id, meaning string) (unheard.Row, error) {
	r, err := t.change(ctx, id, func(r *unheard.Row) bool {
		changed := r.Times > 0 && r.Assigned != meaning
		r.Assigned = meaning
		return changed
	})
	if err == nil && r.Times == 0 {
		err = unheard.ErrNoRow
	}
	if err != nil {
		return r, fmt.Errorf("assign a sentence: %w", err)
	}
	return r, nil
}

// Often returns at most [limit] rows, those first that were said most often.
func (t *UnheardTable) Often(ctx context.Context, limit int) (rows []unheard.Row, err error) {
	rows, err = t.rows.Scan(ctx, Query{Field: "times", Descending: true, Limit: limit})
	return slices.DeleteFunc(rows, func(r unheard.Row) bool { return r.Times == 0 }), err
}

// Each calls each for every row until it returns false.
func (t *UnheardTable) Each(ctx context.Context, each func(unheard.Row) bool) error {
	return t.rows.each(ctx, Query{}, func(r unheard.Row) bool { return r.Times == 0 || each(r) })
}

// Forget removes at most [limit] rows that were last said before a moment, and says how many.
func (t *UnheardTable) Forget(ctx context.Context, before time.Time, limit int) (int64, error) {
	return t.engine.DeleteRange(ctx, Query{Collection: Unheard, Field: "last", To: before, Limit: limit})
}
