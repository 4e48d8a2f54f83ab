package storetest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"llave/internal/store"
	"llave/internal/unheard"
)

var unheardDay = time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)

// telling is one sentence of a chat, so many minutes after unheardDay.
func telling(who, turn, said string, minutes int) unheard.Telling {
	return unheard.Telling{
		Who: who, Turn: turn, At: unheardDay.Add(time.Duration(minutes) * time.Minute),
		Place: "sent", Lang: "es", Said: said, Meaning: "not_arrived", Confidence: 0.4,
	}
}

// rowsOf are the rows of the store in words, those said most often first; of equal ones, in alphabetical order.
func rowsOf(t *testing.T, s *store.Store) []string {
	t.Helper()
	rows, err := s.Unheard.Often(t.Context(), 100)
	must(t, err)
	if !slices.IsSortedFunc(rows, func(a, b unheard.Row) int { return int(b.Times - a.Times) }) {
		t.Errorf("not by how often: %+v", rows)
	}
	slices.SortStableFunc(rows, func(a, b unheard.Row) int { return cmp.Or(int(b.Times-a.Times), cmp.Compare(a.Said, b.Said)) })
	var out []string
	for _, r := range rows {
		var who []string
		for _, o := range r.Tellers {
			who = append(who, fmt.Sprintf("%s×%d", o.Who, o.Times))
		}
		out = append(out, strings.Join(append([]string{fmt.Sprintf("%d %s", r.Times, r.Said)}, who...), " "))
	}
	return out
}

func wantRows(t *testing.T, s *store.Store, what string, want ...string) {
	t.Helper()
	if got := rowsOf(t, s); !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// unheardRows are counted once a turn, in one row however they are written; erasing takes a person's part, and a day later
// nobody knows whose they are.
func unheardRows(t *testing.T, s *store.Store) {
	ctx := t.Context()
	tell := func(o unheard.Telling) {
		t.Helper()
		must(t, s.Unheard.Tell(ctx, o))
	}
	tell(telling("ana", "1", "No sé nada", 0))
	tell(telling("ana", "1", "No sé nada", 0)) // kept again after a crash
	tell(telling("eva", "2", "no se nada.", 1))
	tell(telling("eva", "3", "NO SE NADA", 2))
	tell(telling("eva", "3", "NO SE NADA", 2))
	tell(telling("eva", "4", "qué cosa", 3))
	elsewhere := telling("leo", "5", "no sé nada", 4)
	elsewhere.Place, elsewhere.Meaning, elsewhere.Confidence = "menu", "help", 0.2
	tell(elsewhere)
	wantRows(t, s, "told", "3 No sé nada ana×1 eva×2", "1 no sé nada leo×1", "1 qué cosa eva×1")

	rows, err := s.Unheard.Often(ctx, 1)
	must(t, err)
	if len(rows) != 1 || !rows[0].First.Equal(unheardDay) || !rows[0].Last.Equal(unheardDay.Add(2*time.Minute)) || rows[0].Place != "sent" || rows[0].Meaning != "not_arrived" {
		t.Errorf("the one said most often: got %+v", rows)
	}

	assigned, err := s.Unheard.Assign(ctx, rows[0].ID, "status")
	must(t, err)
	again, err := s.Unheard.Assign(ctx, rows[0].ID, "status")
	must(t, err)
	if assigned.Assigned != "status" || assigned.Version != rows[0].Version+1 || again.Version != assigned.Version {
		t.Errorf("assigned: got %+v, then version %d", assigned, again.Version)
	}
	if _, err := s.Unheard.Assign(ctx, "nobody", "status"); !errors.Is(err, unheard.ErrNoRow) {
		t.Errorf("assign what is not there: got %v, want unheard.ErrNoRow", err)
	}

	must(t, s.Unheard.Erase(ctx, "eva"))
	must(t, s.Unheard.Erase(ctx, "eva"))
	wantRows(t, s, "eva erased", "1 No sé nada ana×1", "1 no sé nada leo×1")
	must(t, s.Unheard.Drop(ctx, unheardDay.Add(unheard.Known+time.Minute)))
	wantRows(t, s, "a day later", "1 No sé nada", "1 no sé nada leo×1")
	must(t, s.Unheard.Erase(ctx, "ana"))
	wantRows(t, s, "erased after that", "1 No sé nada", "1 no sé nada leo×1")
	tell(telling("ana", "6", "no sé nada", 2000))
	wantRows(t, s, "said again", "2 No sé nada ana×1", "1 no sé nada leo×1")

	n, err := s.Unheard.Forget(ctx, unheardDay.Add(time.Hour), 100)
	if err != nil || n != 2 { // one that nobody has said any more is among them
		t.Errorf("forget: got %d, %v, want 2", n, err)
	}
	seen := 0
	must(t, s.Unheard.Each(ctx, func(r unheard.Row) bool {
		seen++
		if r.Assigned != "status" {
			t.Errorf("kept %+v, want what was assigned", r)
		}
		return true
	}))
	if seen != 1 {
		t.Errorf("%d rows are left, want 1", seen)
	}
	must(t, s.Unheard.Erase(ctx, "ana"))
	wantRows(t, s, "erased of two, one nobody's", "1 No sé nada")
}

// unheardRace has sixteen chats say the same at once, each turn kept twice, while each of half of them is erased.
func unheardRace(t *testing.T, s *store.Store) {
	ctx := t.Context()
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			who := fmt.Sprintf("chat %02d", i)
			o := telling(who, who+"/1", "todos a una", 0)
			for range 2 {
				if err := s.Unheard.Tell(ctx, o); err != nil {
					t.Error(err)
				}
			}
			if i%2 == 0 {
				if err := s.Unheard.Erase(ctx, who); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	id := telling("", "", "todos a una", 0).ID()
	found := 0
	must(t, s.Unheard.Each(ctx, func(r unheard.Row) bool {
		if r.ID == id {
			found++
			if r.Times != writers/2 || len(r.Tellers) != writers/2 {
				t.Errorf("counted %d times of %d chats, want %d of %d", r.Times, len(r.Tellers), writers/2, writers/2)
			}
		}
		return true
	}))
	if found != 1 {
		t.Errorf("found %d rows, want 1", found)
	}
}

// unheardAgain: while somebody's sentence is being counted, who alone had said it is erased, and another says it. Both are counted.
func unheardAgain(t *testing.T, s *store.Store) {
	ctx := t.Context()
	const said = "otra vez desde cero"
	must(t, s.Unheard.Tell(ctx, telling("one", "one/1", said, 0)))
	between := false
	slow := store.New(Around(s.Engine(), func(c Call, do func() error) error {
		if c.Write && !between {
			between = true
			must(t, s.Unheard.Erase(ctx, "one"))
			must(t, s.Unheard.Tell(ctx, telling("two", "two/1", said, 0)))
		}
		return do()
	}))
	must(t, slow.Unheard.Tell(ctx, telling("three", "three/1", said, 0)))
	must(t, s.Unheard.Each(ctx, func(r unheard.Row) bool {
		var who []string
		for _, teller := range r.Tellers {
			who = append(who, teller.Who)
		}
		slices.Sort(who)
		if want := []string{"three", "two"}; r.ID == telling("", "", said, 0).ID() && (r.Times != 2 || !slices.Equal(who, want)) {
			t.Errorf("counted %d times, of %v, want of %v", r.Times, who, want)
		}
		return true
	}))
}
