package runner_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"llave/bot"
	"llave/internal/runner"
	"llave/internal/runner/runnertest"
)

type fax struct{}

func (fax) Kind() bot.PromiseKind { return "fax" }
func (fax) Lane() bot.Lane        { return bot.LaneEvent }

// Every kind has one keeper and every keeper a kind, or there is no runner.
func TestNew_keepers(t *testing.T) {
	all := runnertest.Keepers()
	letter := runner.KeeperOf(func(context.Context, bot.Promise, bot.MailLink) (runner.Kept, error) { return runner.Kept{}, nil })
	faxes := runner.KeeperOf(func(context.Context, bot.Promise, fax) (runner.Kept, error) { return runner.Kept{}, nil })
	bubbles := runner.KeeperOf(func(context.Context, bot.Promise, bot.Say) (runner.Kept, error) { return runner.Kept{}, nil })
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
