package app

import (
	"context"
	"time"

	"llave/internal/store"
)

// limitMet is that somebody in a chat met a limit.
type limitMet struct{ channel, limit string }

// auditLimits writes the limits that chats meet into the audit: each once an hour for a channel, without whose chat it was, which the line
// of the turn in the log says. It runs until [ctx] ends; what comes while the store is away is counted by the metrics alone.
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
					ID: "limit/" + met.limit + "/" + met.channel + "/" + hour, At: now.Truncate(time.Millisecond), Who: "chat", What: "limit_met", Detail: met.limit,
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
