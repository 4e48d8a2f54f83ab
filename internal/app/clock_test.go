package app_test

import (
	"context"
	"log/slog"
	"math"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"llave/internal/app"
	"llave/internal/bottest"
	"llave/internal/store"
	"llave/internal/store/storetest"
)

// shifted is a store whose clock is another than this machine's.
type shifted struct {
	store.Engine
	by atomic.Int64
}

func (s *shifted) Now(ctx context.Context) (time.Time, error) {
	at, err := s.Engine.Now(ctx)
	return at.Add(time.Duration(s.by.Load())), err
}

// A clock that is not the store's is told of once at the start, or when it is noticed, with how far and which way, and once when it
// is over; the gauge has it all along.
func TestClock_apart(t *testing.T) {
	t.Parallel()
	e := &shifted{Engine: storetest.Bolt(t, nil)}
	e.by.Store(int64(40 * time.Second))
	logs := &bottest.Buffer{}
	a := startOver(t, app.Options{Engine: e, Log: slog.New(slog.NewTextHandler(logs, nil)), NoSweep: true})
	defer http.DefaultClient.CloseIdleConnections()
	defer stop(t, a)
	line := func(way string) string {
		return `level=WARN msg="this machine's clock is apart from the store's" this_is=` + way + " by=40s"
	}
	offset := func() float64 { return figure(t, a, "llave_clock_offset_seconds") }
	eventually(t, "told at the start", func() bool { return strings.Contains(logs.String(), line("behind")) })
	eventually(t, "the gauge", func() bool { return math.Abs(offset()+40) < 2 })
	e.by.Store(0)
	eventually(t, "told that it is over", func() bool { return strings.Contains(logs.String(), "goes with the store's again") })
	e.by.Store(int64(-40 * time.Second))
	eventually(t, "told when it is noticed", func() bool { return strings.Contains(logs.String(), line("ahead")) })
	eventually(t, "the gauge, ahead", func() bool { return math.Abs(offset()-40) < 2 })
	time.Sleep(6 * time.Second) // another look
	if n := strings.Count(logs.String(), "is apart from the store's"); n != 2 {
		t.Errorf("told %d times, want twice: %s", n, logs)
	}
}
