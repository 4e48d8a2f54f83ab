package app

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"llave/bot/wire"
	"llave/internal/store"
)

// storeHealth is how the store does, from what was last asked of it and written to it. It is ill when it does not answer who asks
// whether it is there, and when two operations in a row fail for reasons of its own. Reads that succeed say nothing of writes. It is
// well again once it answers, and takes a write where writes had failed.
//
// The log has one line when it begins and one when it ends; what others would write about it meanwhile is held back (spare).
type storeHealth struct {
	log *slog.Logger

	mu            sync.Mutex
	ping          string // why it did not answer who asked last; "": it did
	reads, writes row
	trouble       wire.Trouble
	left          int       // lines that were held back since the last that tells of them
	told          time.Time // when that was
}

// row is failures without a success between them that began later.
type row struct {
	failed int
	reason string
	last   time.Time
}

// manyInRow is how many failures are no chance.
const manyInRow = 2

// remindEvery is how often it is said again, while it lasts.
const remindEvery = time.Minute

func newStoreHealth(log *slog.Logger) *storeHealth { return &storeHealth{log: log} }

// done sees an operation.
func (h *storeHealth) done(d store.Done) {
	if d.Operation == "now" { // some stores ask nobody for that
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	r, reason := &h.reads, storeReason
	if d.Write {
		r, reason = &h.writes, writeReason
	}
	switch now := time.Now(); {
	case d.Err != nil:
		*r = row{r.failed + 1, reason(d.Err), now}
	case now.Add(-d.Took).After(r.last): // what was under way when the store went says nothing of now
		*r = row{}
	}
	h.judge()
}

// asked sees whether the store answered, and returns how it does now.
func (h *storeHealth) asked(err error) wire.Trouble {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ping = ""
	if err != nil {
		h.ping = storeReason(err)
	}
	h.judge()
	return h.trouble
}

// judge says what it is after something was seen, and tells when that is another.
func (h *storeHealth) judge() {
	reason := h.ping
	switch {
	case reason != "":
	case h.reads.failed >= manyInRow:
		reason = h.reads.reason
	case h.writes.failed >= manyInRow:
		reason = h.writes.reason
	}
	was := h.trouble
	switch {
	case reason != "" && was.Since.IsZero():
		h.trouble = wire.Trouble{Since: time.Now(), Reason: reason}
		h.told, h.left = time.Now(), 0
		h.log.Error("the store does not serve: "+reason, "since", h.trouble.Since.UTC().Format(time.RFC3339),
			"do", "see LlaveStoreDown in docs/runbook.md; webhooks are answered 503 meanwhile, and it goes on by itself")
	case reason != "":
		h.trouble.Reason = reason
	case !was.Since.IsZero():
		h.trouble = wire.Trouble{}
		h.log.Info("the store serves again", "was", was.Reason, "down", time.Since(was.Since).Round(time.Second), "lines_held_back", h.left)
	}
}

// hold says whether a line about the store is to be left out: there is trouble, of which the log knows.
func (h *storeHealth) hold() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.trouble.Since.IsZero() {
		return false
	}
	h.left++
	if time.Since(h.told) >= remindEvery {
		h.log.Warn("the store still does not serve: "+h.trouble.Reason, "since", h.trouble.Since.UTC().Format(time.RFC3339), "lines_held_back", h.left)
		h.told, h.left = time.Now(), 0
	}
	return true
}

// askStore asks whether the store answers, and returns how it does. That the caller went away says nothing of the store.
func (a *App) askStore(ctx context.Context) wire.Trouble {
	within, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	err := a.Store.Ping(within)
	if err != nil && ctx.Err() != nil {
		return wire.Trouble{Since: time.Now(), Reason: storeReason(err)}
	}
	return a.storeHealth.asked(err)
}

// storeReason says what is wrong with the store, without what an error may quote.
func storeReason(err error) string {
	switch {
	case errors.Is(err, store.ErrDamaged):
		return "store file is damaged"
	case errors.Is(err, store.ErrUnavailable):
		return because("store cannot be reached", err)
	case errors.Is(err, context.DeadlineExceeded):
		return "store does not answer in time"
	}
	return writeReason(err)
}

// writeReason is storeReason of a write.
func writeReason(err error) string {
	if errors.Is(err, store.ErrDamaged) {
		return storeReason(err)
	}
	return because("store cannot be written", err)
}

func because(what string, err error) string {
	if why := store.Cause(err); why != "" {
		return what + ": " + why
	}
	return what
}

// spare is a handler of log lines that leaves out what only says again that the store does not serve. With level debug all are
// written.
type spare struct {
	next   slog.Handler
	health *storeHealth
}

func (s spare) Enabled(ctx context.Context, level slog.Level) bool { return s.next.Enabled(ctx, level) }

func (s spare) Handle(ctx context.Context, r slog.Record) error {
	ofStore := false
	r.Attrs(func(a slog.Attr) bool {
		err, is := a.Value.Any().(error)
		ofStore = is && (errors.As(err, new(*store.Failure)) || errors.Is(err, store.ErrUnavailable))
		return !ofStore
	})
	if ofStore && !s.next.Enabled(ctx, slog.LevelDebug) && s.health.hold() {
		return nil
	}
	return s.next.Handle(ctx, r)
}

func (s spare) WithAttrs(list []slog.Attr) slog.Handler {
	return spare{s.next.WithAttrs(list), s.health}
}

func (s spare) WithGroup(name string) slog.Handler { return spare{s.next.WithGroup(name), s.health} }
