package storetest

import (
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"llave/bot"
	"llave/internal/handoff"
	"llave/internal/store"
)

// schedule comes back as it was saved, and of those who change it at once one does.
func schedule(t *testing.T, s *store.Store) {
	ctx := t.Context()
	set, err := s.Schedule.Load(ctx)
	must(t, err)
	if set.Version != 0 || set.Hours != "" || set.Days != nil || set.ClosedNow != nil {
		t.Errorf("before anybody set something: got %+v", set)
	}
	rival := set
	at := time.Date(2026, 12, 21, 15, 0, 0, 5e6, time.UTC)
	must(t, set.SetHours("mon-fri 08:00-12:00, mon-fri 13:00-24:00"))
	must(t, set.SetDay(handoff.Exception{Date: "2026-12-31", Name: "Fin de año", Open: true, Opens: "08:00", Closes: "12:00"}, nil, "2026-12-21"))
	must(t, set.SetDay(handoff.Exception{Date: "2026-12-24", Name: "Decreto"}, nil, "2026-12-21"))
	must(t, set.Close("ana", at, at.Add(time.Hour), "Simulacro"))
	must(t, s.Schedule.Save(ctx, &set))
	wantErr(t, "save what somebody else saved meanwhile", s.Schedule.Save(ctx, &rival), bot.ErrConflict)

	loaded, err := s.Schedule.Load(ctx)
	must(t, err)
	if loaded.Version != 1 || !reflect.DeepEqual(loaded, set) {
		t.Errorf("loaded:\ngot  %+v\nwant %+v", loaded, set)
	}
	must(t, loaded.Close("bea", at, time.Time{}, ""))
	must(t, s.Schedule.Save(ctx, &loaded))
	if loaded, err = s.Schedule.Load(ctx); err != nil || loaded.ClosedNow == nil || !loaded.ClosedNow.Until.IsZero() {
		t.Errorf("closed without an end: got %+v, %v", loaded.ClosedNow, err)
	}

	var won atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		mine := loaded
		all.Go(func() {
			mine.Reopen()
			if s.Schedule.Save(ctx, &mine) == nil {
				won.Add(1)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Errorf("%d of 8 saved at once, want one", won.Load())
	}
}
