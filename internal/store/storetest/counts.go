package storetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"llave/internal/report"
	"llave/internal/store"
)

var countDay = time.Date(2024, 2, 29, 23, 50, 0, 0, time.UTC)

// counted keeps each entry once, whoever keeps it how often: what tells more takes the place of what told less.
func counted(t *testing.T, s *store.Store) {
	ctx := t.Context()
	visit := func(stages ...string) report.Entry {
		return report.Entry{ID: "visit", Kind: report.Visit, At: countDay, Reached: stages}
	}
	left := visit("started", "number")
	left.Left = "silent"
	done := visit("started", "number", "unlocked")
	done.Completed, done.Took = true, time.Minute
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for _, e := range []report.Entry{visit("started"), visit("started", "number"), done, left, {ID: fmt.Sprint("letter", i%4), Kind: report.Letter, At: countDay.Add(time.Hour)}} {
				if err := s.Counts.Count(ctx, e); err != nil {
					t.Errorf("count: %v", err)
				}
			}
		})
	}
	wg.Wait()
	kinds := map[string]int{}
	must(t, s.Counts.Entries(ctx, countDay.Add(-time.Hour), countDay.Add(48*time.Hour), func(e report.Entry) bool {
		kinds[e.Kind]++
		if e.Kind == report.Visit && (!e.Completed || len(e.Reached) != 3 || !e.At.Equal(countDay.Add(-5*time.Minute))) {
			t.Errorf("the visit is kept as %+v", e)
		}
		return true
	}))
	if want := map[string]int{report.Visit: 1, report.Letter: 4}; !reflect.DeepEqual(kinds, want) {
		t.Errorf("counted %v, want %v", kinds, want)
	}
}

// countedMonths are the same before they are closed and after, wherever who closes them dies; what is loaded beside stays.
func countedMonths(t *testing.T, s *store.Store) {
	ctx := t.Context()
	zone := time.FixedZone("", -5*60*60)
	must(t, s.Counts.Drop(ctx, time.Time{}, countDay.AddDate(10, 0, 0)))
	must(t, s.Counts.Begin(ctx))
	for i := range 40 {
		must(t, s.Counts.Count(ctx, report.Entry{
			ID: fmt.Sprint("v", i), Kind: report.Visit, At: countDay.AddDate(0, 0, i-20), Reached: []string{"started"}, Attended: i%2 == 0, Completed: i%4 == 0,
			Took: time.Duration(i) * time.Second, Left: []string{"", "silent"}[i%2],
		}))
	}
	dies := errors.New("the process is dead")
	left := 1 << 30 // writes
	mortal := store.New(Around(s.Engine(), func(c Call, do func() error) error {
		if c.Write {
			if left--; left < 0 {
				return dies
			}
		}
		return do()
	}))
	book := report.Book{Shelf: mortal.Counts, Zone: zone}
	must(t, book.Load(ctx, []report.Row{{Month: "2024-03", Volumes: &report.Volumes{Complaints: 3, Attentions: 55205}}}))
	read := func() (all []report.Figures) {
		t.Helper()
		span, err := book.Read(ctx, "2024-02", "2024-03")
		must(t, err)
		for _, f := range span.Months {
			f.Version, f.Closed = 0, false
			all = append(all, f)
		}
		return all
	}
	want := read()
	if len(want) != 2 || want[0].Own.Visits+want[1].Own.Visits != 40 || want[1].Sheet == nil || want[0].Own.Days[28].Attentions != 1 {
		t.Fatalf("read %+v", want)
	}
	for k := 0; ; k++ {
		left = k
		err := book.Close(ctx)
		left = 1 << 30
		if got := read(); !reflect.DeepEqual(got, want) {
			t.Fatalf("after %d writes it is %+v, want %+v", k, got, want)
		}
		if err == nil {
			break
		}
		if !errors.Is(err, dies) {
			t.Fatal(err)
		}
	}
	n, err := s.Engine().Count(ctx, store.Query{Collection: store.Counted})
	must(t, err)
	if n != 0 {
		t.Errorf("%d entries are left of months that are closed", n)
	}
	must(t, book.Close(context.WithoutCancel(ctx)))
	if span, err := book.Read(ctx, "2024-02", "2024-03"); err != nil || !span.Months[0].Closed || !span.Months[1].Closed {
		t.Errorf("closed: %+v, %v", span, err)
	}
}
