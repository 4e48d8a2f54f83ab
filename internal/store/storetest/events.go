package storetest

import (
	"slices"
	"testing"
	"time"

	"llave/internal/store"
)

// deadEvents are buried once, listed the longest dead first, and leave when they are taken, or forgotten.
func deadEvents(t *testing.T, s *store.Store) {
	ctx := t.Context()
	day := time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)
	wantListed := func(when string, want ...string) (list []store.DeadEvent) {
		t.Helper()
		list, err := s.Events.List(ctx)
		must(t, err)
		var ids []string
		for _, e := range list {
			ids = append(ids, e.ID)
		}
		if !slices.Equal(ids, want) {
			t.Errorf("%s: listed are %q, want %q", when, ids, want)
		}
		return list
	}
	wantListed("at first")
	for i, id := range []string{"c", "a", "b"} {
		must(t, s.Events.Bury(ctx, store.DeadEvent{ID: id, Name: "key.unlocked", At: day, Died: day.Add(time.Duration(i) * time.Hour), Tries: 30, Why: "away", Sealed: "s"}))
	}
	must(t, s.Events.Bury(ctx, store.DeadEvent{ID: "c", Died: day.Add(time.Hour), Tries: 1})) // by a process that died before it noted that
	list := wantListed("buried", "c", "a", "b")
	if e := list[0]; e.Tries != 30 || e.Why != "away" || e.Sealed != "s" || !e.At.Equal(day) || !e.Died.Equal(day) {
		t.Errorf("burying it again changed it: %+v", e)
	}
	must(t, s.Events.Failed(ctx, "c", "still away"))
	must(t, s.Events.Failed(ctx, "nobody", "away"))
	if e := wantListed("sent again in vain", "c", "a", "b")[0]; e.Tries != 31 || e.Why != "still away" || e.Sealed != "s" {
		t.Errorf("got %+v, want one try more and why", e)
	}
	must(t, s.Events.Taken(ctx, "a"))
	must(t, s.Events.Taken(ctx, "a"))
	wantListed("taken", "c", "b")
	n, err := s.Events.Forget(ctx, day.Add(time.Hour), 10)
	must(t, err)
	if n != 1 {
		t.Errorf("forgot %d, want 1", n)
	}
	wantListed("forgotten", "b")
}

// introductions are remembered by channel and part: what was written lately, not all that ever was.
func introductions(t *testing.T, s *store.Store) {
	ctx := t.Context()
	want := func(channel, part string, hashes ...string) {
		t.Helper()
		got, err := s.Intros.Wrote(ctx, channel, part)
		must(t, err)
		if !slices.Equal(got, hashes) {
			t.Errorf("%s, %s: got %q, want %q", channel, part, got, hashes)
		}
	}
	want("telegram", "description/en")
	must(t, s.Intros.Keep(ctx, "telegram", "description/en", "h1"))
	must(t, s.Intros.Keep(ctx, "telegram", "commands", "h2"))
	must(t, s.Intros.Keep(ctx, "telegram", "description/en", "h1"))
	want("telegram", "description/en", "h1")
	want("telegram", "commands", "h2")
	want("whatsapp", "commands")
	for _, h := range []string{"h3", "h4", "h1", "h5"} {
		must(t, s.Intros.Keep(ctx, "telegram", "description/en", h))
	}
	want("telegram", "description/en", "h5", "h1", "h4")
}
