package app_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"llave/internal/affiliate"
	"llave/internal/bottest/world"
	"llave/internal/store"
	"llave/internal/store/storetest"
)

// steered is a world with one person, over a store whose calls go through a function of the test's while there is one.
type steered struct {
	*world.World
	around atomic.Pointer[func(c storetest.Call, do func() error) error]
}

func newSteered(t *testing.T, over func(store.Engine) store.Engine, settings ...string) *steered {
	t.Helper()
	s := &steered{}
	var w atomic.Pointer[world.World]
	begin := time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)
	e := storetest.Around(storetest.Bolt(t, func() time.Time {
		if w := w.Load(); w != nil {
			return w.Now()
		}
		return begin
	}), func(c storetest.Call, do func() error) error {
		if around := s.around.Load(); around != nil {
			return (*around)(c, do)
		}
		return do()
	})
	if over != nil {
		e = over(e)
	}
	s.World = world.NewOver(t, world.Telegram, e, settings...)
	w.Store(s.World)
	err := s.App.Store.Affiliates.Import(t.Context(), []affiliate.Record{{
		ID: theirs, IDType: affiliate.Cedula, Category: affiliate.Affiliate, FullName: "Persona Uno", Email: "uno@correo.example",
		DataUpdatedAt: time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC), Status: affiliate.Locked,
	}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// steer has calls go through a function from now on; nil: through none.
func (s *steered) steer(around func(c storetest.Call, do func() error) error) {
	if around == nil {
		s.around.Store(nil)
		return
	}
	s.around.Store(&around)
}

var errAway = errors.New("the store is away")

// fails has the calls that match fail.
func (s *steered) fails(match func(c storetest.Call) bool) {
	s.steer(func(c storetest.Call, do func() error) error {
		if match(c) {
			return errAway
		}
		return do()
	})
}
