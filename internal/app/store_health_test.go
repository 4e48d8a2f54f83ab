package app_test

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"llave/bot"
	"llave/internal/app"
	"llave/internal/bottest"
	"llave/internal/bottest/world"
	"llave/internal/store"
	"llave/internal/store/storetest"
)

// A store that answers and cannot be written is not well: /readyz and llave_store_up say so with the reason, also while nobody
// writes to us. The log has one line when it begins and one when it ends, however much fails meanwhile (P605).
func TestReadyz_unwritable(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err   error
		want  string
		reads bool // fail as well
	}{
		"full":   {err: &wrapped{syscall.ENOSPC}, want: "unready: store cannot be written: no space left on device (since "},
		"rights": {err: &worded{errors.New("update: server says Unauthorized (13)"), "no rights"}, want: "unready: store cannot be written: no rights (since "},
		"gone":   {err: &worded{store.ErrUnavailable, "connection refused"}, reads: true, want: "unready: store cannot be reached: connection refused (since "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var broken atomic.Bool
			engine := storetest.Around(storetest.Bolt(t, nil), func(c storetest.Call, do func() error) error {
				if broken.Load() && (c.Write || tt.reads && c.Collection != "") {
					return tt.err
				}
				return do()
			})
			api := newAPI(t)
			logs := &bottest.Buffer{}
			a := startOver(t, app.Options{Engine: engine, Log: slog.New(slog.NewTextHandler(logs, nil))},
				"LLAVE_TELEGRAM_TOKEN="+world.Token, "LLAVE_TELEGRAM_API_URL="+api.URL())
			defer http.DefaultClient.CloseIdleConnections()
			defer stop(t, a)
			up := func() float64 { return figure(t, a, "llave_store_up") }
			if got := up(); got != 1 {
				t.Errorf("llave_store_up is %v at first", got)
			}
			broken.Store(true)
			readyz(t, a, 503, tt.want)
			eventually(t, "llave_store_up is 0", func() bool { return up() == 0 })
			for i := range 20 { // what people write meanwhile is not taken
				_ = a.Runner.Handle(t.Context(), bot.Update{Channel: "telegram", Chat: "77", ID: "u" + string(rune('a'+i)), Kind: bot.Text, Text: "hola"})
			}
			if tt.reads {
				api.Say(world.Chat, "hola")
			}
			time.Sleep(6 * time.Second) // the jobs and the heartbeat have gone round
			broken.Store(false)
			readyz(t, a, 200, "degraded")
			eventually(t, "llave_store_up is 1", func() bool { return up() == 1 })
			log := logs.String()
			lines := 0
			for line := range strings.SplitSeq(log, "\n") {
				if (strings.Contains(line, "level=ERROR") || strings.Contains(line, "level=WARN")) && !strings.Contains(line, "mail server") {
					lines++
				}
			}
			if begun := strings.Count(log, `level=ERROR msg="the store does not serve: `); begun != 1 || strings.Count(log, `level=INFO msg="the store serves again"`) != 1 {
				t.Errorf("%d lines that it began, want one, and one that it ended", begun)
			}
			if lines > 4 { // what failed before it was known
				t.Errorf("%d lines while the store was away", lines)
			}
			if t.Failed() {
				t.Log(log)
			}
		})
	}
}

// wrapped is an error around what the system says.
type wrapped struct{ error }

func (w *wrapped) Unwrap() error { return w.error }

// worded is an error that says its cause.
type worded struct {
	error
	cause string
}

func (w *worded) Unwrap() error { return w.error }
func (w *worded) Cause() string { return w.cause }
