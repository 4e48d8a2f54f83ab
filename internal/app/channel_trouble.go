package app

import (
	"context"
	"iter"
	"time"

	"llave/bot/wire"
)

// How often it is looked how the channels are, and how long one must be well for its trouble to count as over in the log.
const (
	troubleEvery = 500 * time.Millisecond
	troubleCalm  = 2 * time.Second
)

// channelTroubles is how the platforms are with us, by the channel's name, of those channels that have one.
func (a *App) channelTroubles() iter.Seq2[string, wire.Trouble] {
	return func(yield func(string, wire.Trouble) bool) {
		for _, ch := range a.channels {
			if s, ok := ch.channel.(interface{ Trouble() wire.Trouble }); ok && !yield(ch.name, s.Trouble()) {
				return
			}
		}
	}
}

// watchTrouble writes one line when a channel's platform begins not to serve us, and one when it does again.
func (a *App) watchTrouble(ctx context.Context) {
	type seen struct {
		since time.Time // of the trouble that was told; zero: none
		calm  time.Time // since when there is none any more
	}
	was := map[string]seen{}
	for wire.Sleep(ctx, troubleEvery) {
		for name, now := range a.channelTroubles() {
			w := was[name]
			switch {
			case !now.Since.IsZero() && w.since.IsZero():
				a.options.Log.Error(name+" does not serve us: "+now.Reason, "channel", name, "since", now.Since.UTC().Format(time.RFC3339),
					"do", "see LlaveChannelTrouble in docs/runbook.md; it is tried again by itself")
				w = seen{since: now.Since}
			case !now.Since.IsZero():
				w.calm = time.Time{}
			case w.since.IsZero():
			case w.calm.IsZero():
				w.calm = time.Now()
			case time.Since(w.calm) >= troubleCalm:
				a.options.Log.Info(name+" serves us again", "channel", name, "down", w.calm.Sub(w.since).Round(time.Second))
				w = seen{}
			}
			was[name] = w
		}
	}
}
