package app

import (
	"context"
	"time"
)

// clockApart is how far this machine's clock may be from the store's until it is told.
const clockApart = 5 * time.Second

// clockOffset is how far this machine's clock is ahead of the store's; nil where that is not known.
func (a *App) clockOffset(ctx context.Context) *time.Duration {
	at, err := a.Store.Now(ctx)
	if err != nil {
		return nil
	}
	offset := time.Now().Round(0).Sub(at) // by the clock on the wall
	return &offset
}

// clockWatch tells once that the clocks are apart, and once that they are together again.
type clockWatch struct{ apart bool }

func (w *clockWatch) look(ctx context.Context, a *App) {
	offset := a.clockOffset(ctx)
	if offset == nil {
		return
	}
	switch by := offset.Abs(); {
	case by > clockApart && !w.apart:
		w.apart = true
		way := "ahead"
		if *offset < 0 {
			way = "behind"
		}
		a.options.Log.Warn("this machine's clock is apart from the store's", "this_is", way, "by", by.Round(time.Second),
			"do", "set both by NTP; what expires goes by the store's")
	case by <= clockApart/2 && w.apart:
		w.apart = false
		a.options.Log.Info("this machine's clock goes with the store's again")
	}
}
