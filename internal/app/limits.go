package app

import (
	"context"
	"time"

	"llave/internal/store"
)

// limitMet is that somebody met a limit: in a chat of a channel, or on the pages.
type limitMet struct{ who, where, limit string }

// meets has a limit written into the audit. What finds no room is counted all the same.
func meets(limits chan<- limitMet, met limitMet) {
	select {
	case limits <- met:
	default:
	}
}

// auditLimits writes the limits that chats and pages meet into the audit: each once an hour for a channel, without whose chat it was, which
// the line of the turn in the log says. It runs until [ctx] ends; what comes while the store is away is counted by the metrics alone.
func (a *App) auditLimits(ctx context.Context) {
	var hour string
	known := map[limitMet]bool{}
	for {
		select {
		case <-ctx.Done():
			return
		case met := <-a.limits:
			now, err := a.Store.Now(ctx)
			if err == nil {
				if h := now.UTC().Format("2006-01-02T15"); h != hour {
					hour, known = h, map[limitMet]bool{}
				}
				if known[met] {
					continue
				}
				err = a.Store.Audit.Append(ctx, store.AuditEntry{
					ID: "limit/" + met.limit + "/" + met.where + "/" + hour, At: now.Truncate(time.Millisecond), Who: met.who, What: "limit_met", Detail: met.limit,
				})
			}
			if err != nil {
				a.options.Log.Warn("a limit is not in the audit", "limit", met.limit, "error", err)
				continue
			}
			known[met] = true
		}
	}
}
