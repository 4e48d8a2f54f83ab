package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"llave/bot"
)

// Keep keeps one promise. It may be asked again for the same promise and must then do the same. An error that is a
// *bot.SendError decides what becomes of it; any other is temporary. One that sends something to the outside asks
// StillOurs last before it does.
type Keep func(ctx context.Context, p bot.Promise) (Effects, error)

// believedKey is where a Keep's context has its leased.
type believedKey struct{}

// StillOurs says whether a promise may still be kept by this process. ctx is what its Keep was handed, or comes from that. An
// error says that another process keeps it, or may: the store was away for this process alone, which waited for it, or the
// process was suspended. The Keep then sends nothing and lets the error be found. Writing down what was sent needs no asking.
func StillOurs(ctx context.Context) error {
	if l, ok := ctx.Value(believedKey{}).(leased); ok {
		return l.Err()
	}
	return nil
}

// Written writes down what must be known of something that was sent, before its promise counts as kept. While that cannot be
// written, which [write] says with an error, it is tried again: an error of the Keep would have the same sent once more. ctx is
// what the Keep was handed. The last error is returned where another process keeps the promise meanwhile, this one ends, or ten
// minutes are over, in which a store that was away would be there again.
func Written(ctx context.Context, write func(ctx context.Context) error) error {
	l, ok := ctx.Value(believedKey{}).(leased)
	if !ok {
		return write(ctx)
	}
	const longEnough = 10 * time.Minute
	for began := time.Now(); ; {
		err := write(l.whole)
		if err == nil || l.whole.Err() != nil || l.grip.r.stopping() || time.Since(began) > longEnough {
			return err
		}
		l.grip.r.Log.Warn("write down what was sent", "error", err)
		l.grip.r.waitToWrite(l.whole)
	}
}

// Keeper keeps the promises of one kind.
type Keeper struct {
	Kind bot.PromiseKind
	Keep Keep
	Late bool // it is asked also when the time of a promise is over, which is dropped else, and sees to that itself
}

// KeeperOf makes the keeper of a duty's kind from a function that is handed the duty.
func KeeperOf[D bot.Duty](keep func(ctx context.Context, p bot.Promise, what D) (Effects, error)) Keeper {
	var none D
	return Keeper{Kind: none.Kind(), Keep: func(ctx context.Context, p bot.Promise) (Effects, error) { return keep(ctx, p, p.What.(D)) }}
}

// Late is a keeper that is asked also when a promise's time is over.
func Late(k Keeper) Keeper {
	k.Late = true
	return k
}

// Own are the kinds that the runner keeps itself, through the chat's channel.
var Own = []bot.PromiseKind{bot.PromiseSay, bot.PromiseDelete, bot.PromiseSpend}

// byKind refuses keepers under which a promise would have nobody, or two, to keep it, and a keeper for a kind that cannot
// be promised.
func byKind(keepers []Keeper) (map[bot.PromiseKind]Keep, error) {
	var problems []error
	all := bot.PromiseKinds()
	keeps := map[bot.PromiseKind]Keep{}
	for _, k := range keepers {
		switch {
		case !slices.Contains(all, k.Kind):
			problems = append(problems, fmt.Errorf("a keeper for %q, which is no kind of promise", k.Kind))
		case keeps[k.Kind] != nil, slices.Contains(Own, k.Kind):
			problems = append(problems, fmt.Errorf("two keepers for promises of kind %q", k.Kind))
		}
		keeps[k.Kind] = k.Keep
	}
	for _, kind := range all {
		if lane := bot.LaneOf(kind); !slices.Contains(bot.Lanes, lane) {
			problems = append(problems, fmt.Errorf("nobody looks into lane %q of promises of kind %q", lane, kind))
		}
		if keeps[kind] == nil && !slices.Contains(Own, kind) {
			problems = append(problems, fmt.Errorf("nobody keeps promises of kind %q", kind))
		}
	}
	return keeps, errors.Join(problems...)
}
