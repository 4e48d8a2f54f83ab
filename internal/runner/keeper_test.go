package runner_test

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/bot"
	"llave/internal/runner"
	"llave/internal/runner/runnertest"
	"llave/internal/store"
	"llave/internal/store/storetest"
)

type fax struct{}

func (fax) Kind() bot.PromiseKind { return "fax" }
func (fax) Lane() bot.Lane        { return bot.LaneEvent }
func (fax) Told() bool            { return false }

// Every kind has one keeper and every keeper a kind, or there is no runner.
func TestNew_keepers(t *testing.T) {
	all := runnertest.Keepers()
	letter := runner.KeeperOf(func(context.Context, bot.Promise, bot.MailLink) (runner.Effects, error) { return runner.Effects{}, nil })
	faxes := runner.KeeperOf(func(context.Context, bot.Promise, fax) (runner.Effects, error) { return runner.Effects{}, nil })
	bubbles := runner.KeeperOf(func(context.Context, bot.Promise, bot.Say) (runner.Effects, error) { return runner.Effects{}, nil })
	with := func(k runner.Keeper) []runner.Keeper { return append(slices.Clone(all), k) }
	for name, tt := range map[string]struct {
		keepers []runner.Keeper
		want    string
	}{
		"one of each":       {all, ""},
		"nobody":            {slices.DeleteFunc(slices.Clone(all), func(k runner.Keeper) bool { return k.Kind == bot.PromiseErase }), `nobody keeps promises of kind "erase"`},
		"no kind":           {with(faxes), `a keeper for "fax", which is no kind`},
		"twice":             {with(letter), `two keepers for promises of kind "link"`},
		"the runner's own":  {with(bubbles), `two keepers for promises of kind "say"`},
		"a keeper of no-op": {with(runner.Keeper{Kind: bot.PromiseErase}), `two keepers for promises of kind "erase"`},
	} {
		_, err := runner.New(runner.Options{Keepers: tt.keepers})
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
	}
}

// What a later version promised is tried for four minutes or more, in which a process of that version would find it; then it is given
// up aloud: an error line, a count, and a word to the person. So is what it has a lane of its own for.
func TestKeep_unknownKind(t *testing.T) {
	for _, lane := range []string{"event", "chat", "fax"} {
		t.Run(lane, func(t *testing.T) { unknownKind(t, lane) })
	}
}

func unknownKind(t *testing.T, lane string) {
	synctest.Test(t, func(t *testing.T) {
		engine := storetest.Bolt(t, nil)
		cl := newKeeperCluster(t, engine)
		r := cl.runner("a")
		var log bytes.Buffer
		r.Log = slog.New(slog.NewTextHandler(&log, nil))
		cl.say(r, 1, "1", "hola")
		cl.idle(r)
		c := cl.conversation("1")
		raw, err := bson.Marshal(bson.D{{Key: "id", Value: "p"}, {Key: "lane", Value: lane}, {Key: "kind", Value: "fax"}, {Key: "made", Value: time.Now()}})
		if err != nil {
			t.Fatal(err)
		}
		var p bot.Promise
		if err := bson.Unmarshal(raw, &p); err != nil {
			t.Fatal(err)
		}
		c.Promises = []bot.Promise{p}
		c.Wake(c.NextTimer())
		if err := store.New(engine).Conversations.Save(t.Context(), &c); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		r.Start(ctx)
		time.Sleep(9 * time.Minute)
		if n := len(cl.conversation("1").Promises); n != 1 || cl.counted("given_up") != 0 || cl.wire.count() != 1 {
			t.Errorf("after nine minutes: %d owed, %d given up, %d bubbles; want 1, 0, 1", n, cl.counted("given_up"), cl.wire.count())
		}
		time.Sleep(4 * time.Minute)
		if n := len(cl.conversation("1").Promises); n != 0 || cl.counted("given_up") != 1 || cl.wire.count() != 2 {
			t.Errorf("after thirteen: %d owed, %d given up, %d bubbles; want 0, 1, 2", n, cl.counted("given_up"), cl.wire.count())
		}
		cancel()
		synctest.Wait()
		if lines := log.String(); strings.Count(lines, "level=ERROR") != 1 || !strings.Contains(lines, `msg="promise given up" kind=fax`) {
			t.Errorf("the log has no one error line that it was given up:\n%s", lines)
		}
	})
}
