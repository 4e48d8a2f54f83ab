package runner

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"llave/bot"
)

// Processes is the list of those that have something in hand for long. A name is one process's and is not used again.
type Processes interface {
	// Join begins a lease, Renew gives it new time unless the process was buried, Remove ends it where by has it.
	Join(ctx context.Context, name string, ttl time.Duration) (until time.Time, err error)
	Renew(ctx context.Context, name string, ttl time.Duration) (until time.Time, ok bool, err error)
	Remove(ctx context.Context, name, by string) error
	// Dead names those whose lease ran out; Bury takes one over, so that it cannot be renewed.
	Dead(ctx context.Context) ([]string, error)
	Bury(ctx context.Context, name, by string, ttl time.Duration) (ok, again bool, err error)
}

// identity is the name under which this process keeps lanes, and the lease of that name.
//
// A claim is believed for five seconds, by everybody. For what takes longer the process takes a lease, unless it has one,
// and writes once into the document that it has the lane for twenty minutes. From then on only the lease is written, one
// heartbeat for all that is held. Whoever finds an expired lease takes it, which ends it for good, and takes over every
// lane of that name, whatever the document says of its time. A version that knows no leases goes by that time alone, and is
// right too.
//
// Once its lease has expired, nothing under a name is believed any more: neither what was held nor a claim of five seconds.
// The process goes on under another name.
type identity struct {
	name  string
	lives atomic.Pointer[time.Time] // until when the lease does; nil: there is none
	wake  chan struct{}             // of beat: nothing is held any more
	lost  chan struct{}             // closed when the lease has run out

	mu      sync.Mutex
	held    int
	spoiled bool // something may be held in the store that nothing here holds
}

func newIdentity(name string) *identity { return &identity{name: name, lost: make(chan struct{})} }

// lapsed says whether the lease ran out.
func (i *identity) lapsed(now time.Time) bool {
	until := i.lives.Load()
	return until != nil && !now.Before(*until)
}

// spoil has the lease run out rather than end, so that others look for what was held.
func (i *identity) spoil() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.spoiled = true
}

func (r *Runner) me() *identity { return r.self.Load() }

// known is who this process is at that moment: somebody else where its lease has run out.
func (r *Runner) known(now time.Time) *identity {
	for {
		i := r.me()
		if !i.lapsed(now) {
			return i
		}
		next := newIdentity(fmt.Sprintf("%s~%d", r.Name, r.names.Add(1)))
		if r.self.CompareAndSwap(i, next) {
			close(i.lost)
			r.Log.Warn("lease was lost", "name", i.name)
			return next
		}
	}
}

func (r *Runner) isDead(who string) bool {
	_, dead := r.dead.Load(who)
	return dead || r.Alone && who != ""
}

// grip is what a try has of its lane: until when this process is believed to have it.
type grip struct {
	r      *Runner
	by     *identity
	stored atomic.Pointer[time.Time] // what the document says
	long   bool                      // counted among what the identity holds
}

func (r *Runner) begin() *grip { return &grip{r: r, by: r.me()} }

func (g *grip) believe(until time.Time) { g.stored.Store(&until) }

func (g *grip) until() time.Time {
	stored := *g.stored.Load()
	if lease := g.by.lives.Load(); lease != nil && lease.Before(stored) {
		return *lease
	}
	return stored
}

// join counts the try among what the identity holds and begins its lease where it has none.
func (g *grip) join(ctx context.Context) error {
	i := g.by
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.lives.Load() == nil {
		until, err := g.r.Processes.Join(ctx, i.name, keepFor)
		if err != nil {
			return fmt.Errorf("begin the lease of this process: %w", err)
		}
		i.lives.Store(&until)
		i.wake = make(chan struct{}, 1)
		g.r.busy.Add(1)
		go func() {
			defer g.r.busy.Done()
			g.r.beat(i)
		}()
	}
	if !g.long {
		g.long = true
		i.held++
	}
	return nil
}

// release ends what join began.
func (g *grip) release() {
	if !g.long {
		return
	}
	g.by.mu.Lock()
	defer g.by.mu.Unlock()
	if g.by.held--; g.by.held == 0 {
		select {
		case g.by.wake <- struct{}{}:
		default:
		}
	}
}

// hold says from the second second of a try on that this process has the lane for as long as its lease lives. taken is
// called when another has it.
func (k keeping) hold(ctx context.Context, g *grip, promise string, taken context.CancelCauseFunc) {
	wait := time.NewTimer(heartbeat)
	defer wait.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-wait.C:
		}
		switch err := k.holdOnce(ctx, g, promise); {
		case errors.Is(err, errTaken):
			taken(errTaken)
			return
		case err != nil: // the store is away: for everybody, or what is sent is asked of StillOurs
			wait.Reset(heartbeat)
		default:
			wait.Reset(holdFor * 17 / 20)
		}
	}
}

func (k keeping) holdOnce(ctx context.Context, g *grip, promise string) error {
	if err := g.join(ctx); err != nil {
		return err
	}
	release := k.locks.lock(k.shelf.key(k.id))
	defer release()
	for {
		doc, err := k.shelf.load(ctx, k.id)
		if err != nil {
			return err
		}
		now, err := k.Now(ctx)
		if err != nil {
			return err
		}
		outbox := doc.outbox()
		if outbox.Keepers[k.lane].Who != g.by.name || outbox.Find(promise) == nil || g.by.lapsed(now) {
			return errTaken
		}
		until := now.Add(holdFor)
		outbox.Keepers[k.lane] = bot.Keeper{Who: g.by.name, Until: until}
		outbox.Wake(doc.timers())
		switch err = k.shelf.save(ctx, doc); {
		case errors.Is(err, bot.ErrConflict):
			continue
		case err == nil:
			g.believe(until)
		}
		return err
	}
}

// beat renews a lease until nothing is held under it, or it is lost.
func (r *Runner) beat(i *identity) {
	tick := time.NewTicker(heartbeat)
	defer tick.Stop()
	closing := r.closing
	for {
		select {
		case <-tick.C:
		case <-i.wake:
			if !r.stopping() {
				continue // it may be needed again soon
			}
		case <-closing:
			closing = nil
		}
		ctx, cancel := context.WithTimeout(context.Background(), keepFor)
		over := r.part(ctx, i)
		if !over {
			over = !r.renew(ctx, i)
		}
		cancel()
		if over {
			return
		}
	}
}

// part ends the lease when nothing is held under it, and says whether it did.
func (r *Runner) part(ctx context.Context, i *identity) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.held > 0 {
		return false
	}
	if i.spoiled {
		return r.stopping()
	}
	if err := r.Processes.Remove(ctx, i.name, i.name); err != nil {
		return r.stopping() // it runs out by itself
	}
	i.lives.Store(nil)
	return true
}

// renew gives the lease new time, and says whether it is worth going on.
func (r *Runner) renew(ctx context.Context, i *identity) bool {
	until, ok, err := r.Processes.Renew(ctx, i.name, keepFor)
	switch {
	case err != nil:
		now, err := r.Now(ctx)
		return err != nil || !i.lapsed(now)
	case !ok:
		long := time.Time{}
		i.lives.Store(&long) // known takes another name
		return false
	}
	i.lives.Store(&until)
	return true
}

// bury takes over, every two seconds, from those whose lease ran out. The lease that it takes lets nobody else do the same
// meanwhile; when that runs out somebody looks once more, for what was being written when the first look was taken, and
// ends it.
func (r *Runner) bury(ctx context.Context, now time.Time) error {
	r.mu.Lock()
	early := now.Before(r.looked.Add(heartbeat)) && !now.Before(r.looked)
	if !early {
		r.looked = now
	}
	r.mu.Unlock()
	if early {
		return nil
	}
	names, err := r.Processes.Dead(ctx)
	if err != nil {
		return fmt.Errorf("look for processes that died: %w", err)
	}
	for _, name := range names {
		me := r.known(now).name
		ok, again, err := r.Processes.Bury(ctx, name, me, keepFor)
		if err != nil {
			return fmt.Errorf("bury process: %w", err)
		}
		if !ok || name == me {
			continue
		}
		r.dead.Store(name, true)
		if err := r.takeOver(ctx, now, func(who string) bool { return who == name }); err != nil {
			return err
		}
		if again {
			if err := r.Processes.Remove(ctx, name, me); err != nil {
				return err
			}
		}
	}
	return nil
}

// inherit takes over what the last process had, of a store that belongs to one at a time.
func (r *Runner) inherit(ctx context.Context) error {
	if !r.Alone || !r.enter() {
		return nil
	}
	defer r.leave()
	now, err := r.Now(ctx)
	if err != nil {
		return fmt.Errorf("read the store's clock: %w", err)
	}
	return r.takeOver(ctx, now, func(who string) bool { return who != "" && who != r.me().name })
}

// takeOver wakes the documents that keepers of such a name have.
func (r *Runner) takeOver(ctx context.Context, now time.Time, by func(who string) bool) error {
	var problems []error
	for _, s := range []shelf{r.conversations, r.unlocks} {
		ids, err := s.heldBy(ctx, now.Add(holdFor+keepFor), by)
		if err != nil {
			problems = append(problems, fmt.Errorf("find what a dead process kept: %w", err))
			continue
		}
		problems = append(problems, r.wakeAll(ctx, s, ids))
	}
	return errors.Join(problems...)
}
