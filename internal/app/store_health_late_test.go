package app

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"llave/internal/bottest"
	"llave/internal/store"
)

// A read that was under way when the store went away, and succeeds after others have failed, does not end the trouble; one that begins
// later does.
func TestStoreHealth_lateSuccess(t *testing.T) {
	logs := &bottest.Buffer{}
	h := newStoreHealth(slog.New(slog.NewTextHandler(logs, nil)))
	for range manyInRow {
		h.done(store.Done{Operation: "get", Err: fmt.Errorf("get: %w", store.ErrUnavailable)})
	}
	h.done(store.Done{Operation: "get", Took: time.Minute})
	if h.trouble.Since.IsZero() {
		t.Errorf("a read that began before ended the trouble:\n%s", logs)
	}
	time.Sleep(time.Millisecond)
	h.done(store.Done{Operation: "get"})
	if !h.trouble.Since.IsZero() {
		t.Errorf("a read that began later did not end the trouble:\n%s", logs)
	}
}
