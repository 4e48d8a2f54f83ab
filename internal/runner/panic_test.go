package runner_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"llave/bot"
	"llave/internal/bottest"
	"llave/internal/runner"
	"llave/internal/runner/runnertest"
	"llave/internal/store/storetest"
)

// A panic costs a turn or a try, never the process, and what it says is repeated nowhere: of a letter that was being kept, of words, and
// of a timer (P751).
func TestPanic(t *testing.T) {
	const number = "1710034065"
	synctest.Test(t, func(t *testing.T) {
		var log bottest.Buffer
		cl := newKeeperCluster(t, storetest.Bolt(t, nil))
		cl.engine = runnertest.Flow(t, func(_ context.Context, t *bot.Turn) (bot.Event, error) {
			switch {
			case t.Update.Kind == bot.Signal, t.Text() == "panic":
				panic("the number is " + number)
			case t.Text() == "timer":
				t.Later("once", "", t.Now.Add(time.Minute))
			case t.Text() == "mail":
				t.Promise(bot.Promise{What: bot.MailLink{}})
			}
			return "Heard", nil
		})
		tries := 0
		cl.letter = func(context.Context, bot.Promise) (runner.Effects, error) {
			if tries++; tries == 1 {
				panic(fmt.Errorf("letter to %s", number))
			}
			return runner.Effects{}, nil
		}
		r := cl.runner("a")
		r.Log = slog.New(slog.NewTextHandler(&log, nil))
		// Its platform would send it again and again, and hold back what comes behind it: the person is asked again instead.
		if err := r.Handle(t.Context(), bot.Update{ID: "1", Channel: "telegram", Chat: "1", Kind: bot.Text, Text: "panic"}); err != nil {
			t.Errorf("words that panic: %v", err)
		}
		if lines := log.String(); strings.Count(lines, "panic: string") != 1 {
			t.Errorf("after words that panic the log says:\n%s", lines)
		}
		cl.idle(r)
		if n := len(cl.wire.sent); n != 1 {
			t.Errorf("whose words panic is answered %d times, want once", n)
		}
		cl.say(r, 2, "1", "mail")
		cl.say(r, 3, "2", "timer")
		cl.idle(r)
		ctx, cancel := context.WithCancel(t.Context())
		r.Start(ctx)
		time.Sleep(2 * time.Minute)
		cancel()
		synctest.Wait()
		if tries != 2 || len(cl.conversation("1").Promises) > 0 {
			t.Errorf("the letter was tried %d times, and %d are owed", tries, len(cl.conversation("1").Promises))
		}
		if lines := log.String(); strings.Contains(lines, number) || !strings.Contains(lines, "panic: *fmt.wrapError") && !strings.Contains(lines, "panic: *errors.errorString") {
			t.Errorf("the log:\n%s", lines)
		}
	})
}
