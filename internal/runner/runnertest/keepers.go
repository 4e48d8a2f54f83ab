// Package runnertest helps tests to make a runner.
package runnertest

import (
	"context"
	"slices"

	"llave/bot"
	"llave/internal/runner"
)

// Keepers are those given, and for every other kind one that does nothing.
func Keepers(given ...runner.Keeper) []runner.Keeper {
	for _, kind := range bot.PromiseKinds() {
		kept := func(k runner.Keeper) bool { return k.Kind == kind }
		if !slices.ContainsFunc(given, kept) && !slices.Contains(runner.Own, kind) {
			given = append(given, runner.Keeper{Kind: kind, Keep: func(context.Context, bot.Promise) (runner.Effects, error) {
				return runner.Effects{}, nil
			}})
		}
	}
	return given
}
