package app

import (
	"context"
	"fmt"
	"time"

	"llave/bot"
	"llave/internal/report"
	"llave/internal/runner"
	"llave/internal/store"
)

// keepVisit counts how far a visit has come.
func (a *App) keepVisit(ctx context.Context, p bot.Promise, what bot.KeepVisit) (runner.Effects, error) {
	return runner.Effects{}, a.count(ctx, p.Made, report.Entry{
		ID: what.Visit, Kind: report.Visit, At: what.Began, Reached: what.Reached,
		Attended: what.Attended, Completed: what.Completed, Took: what.Took, Left: what.Left,
	})
}

// countLetter counts a letter that the mail server took, before that is noted: for whoever dies in between it was not sent, and goes again.
// A letter that is noted is counted.
func (a *App) countLetter(ctx context.Context, p bot.Promise) error {
	at, err := a.Store.Now(ctx)
	if err != nil {
		return err
	}
	return runner.Written(ctx, func(ctx context.Context) error {
		return a.count(ctx, p.Made, report.Entry{ID: a.countedAs(report.Letter, p.ID), Kind: report.Letter, At: at})
	})
}

// countCase counts that a person was asked for, and how long they waited for an agent's first word.
func (a *App) countCase(ctx context.Context, p bot.Promise, h bot.Handoff) error {
	e := report.Entry{ID: a.countedAs(report.Handoff, h.Ref), Kind: report.Handoff, At: h.Asked}
	if !h.Answered.IsZero() {
		e.Took = max(h.Answered.Sub(h.Asked), time.Second)
	}
	return a.count(ctx, p.Made, e)
}

// countedAs is what something is counted under, by what it is called elsewhere.
func (a *App) countedAs(kind, name string) string { return a.Vault.Derive("counted/"+kind, name) }

// count counts something that was owed at [made], once. What comes so late that its month may be closed is counted no more, and told.
func (a *App) count(ctx context.Context, made time.Time, e report.Entry) error {
	if e.ID == "" || e.At.IsZero() {
		return &bot.SendError{Failure: bot.Permanent, Reason: "a count without its name or its time"}
	}
	now, err := a.Store.Now(ctx)
	if err != nil {
		return fmt.Errorf("read the store's clock: %w", err)
	}
	if e.Late(made, now) {
		a.options.Log.Warn("not counted for the report: it comes too late", "kind", e.Kind, "late", now.Sub(e.At).Round(time.Hour))
		return nil
	}
	if err := a.Store.Counts.Count(ctx, e); err != nil {
		return fmt.Errorf("count for the report: %w", err)
	}
	return nil
}

// figures is what was counted.
func (a *App) figures() report.Book { return bookOf(a.Store, a.options.Config.Timezone) }

func bookOf(s *store.Store, zone *time.Location) report.Book {
	return report.Book{Shelf: s.Counts, Zone: zone}
}
