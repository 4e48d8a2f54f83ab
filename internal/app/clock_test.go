package app_test

import (
	"context"
	"io"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"llave/internal/app"
	"llave/internal/bottest"
	"llave/internal/config"
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
	c, err := config.Load([]string{
		"LLAVE_HTTP_ADDR=127.0.0.1:0", "LLAVE_ADMIN_ADDR=127.0.0.1:0", "LLAVE_SMTP_URL=smtp://127.0.0.1:1?tls=none", "LLAVE_SECRET_KEY=" + testKey,
	}, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	logs := &bottest.Buffer{}
	a, err := app.New(t.Context(), app.Options{Config: c, Engine: e, Log: slog.New(slog.NewTextHandler(logs, nil)), LocalURL: true, NoSweep: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer stop(t, a)
	line := func(way string) string {
		return `level=WARN msg="this machine's clock is apart from the store's" this_is=` + way + " by=40s"
	}
	offset := func() float64 {
		res, err := http.Get("http://" + a.AdminAddr() + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(body), "\nllave_clock_offset_seconds ")
		value, _, _ := strings.Cut(rest, "\n")
		seconds, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return math.NaN()
		}
		return seconds
	}
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
