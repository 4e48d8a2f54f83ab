// Package jobs runs scheduled work: a table of names and cron specs, kept by robfig/cron.
//
// Every process runs the same table. A lease in the store lets one of them at a time run a job; it is renewed while the job
// runs and ends soon after its holder died. A process that finds the lease taken asks again every few seconds, until only
// somebody alive can hold it. So a job whose holder died half-way is run by another within a minute, even one that is due
// only every hour. Several processes may therefore run a job one after the other: a job must accept to find nothing left to
// do.
//
// A job never overlaps itself. In cron v3.0.1 SkipIfStillRunning does not put its token back when the job panics, and the
// job would never run again. So it stands outside Recover, and a panic is made an error before it reaches either.
package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/robfig/cron/v3"
)

const (
	longestLease = 45 * time.Second // with askEvery: a dead holder is followed within a minute
	askEvery     = 3 * time.Second
)

// Lease lets one process at a time do something. Hold runs do while it has the lease of that name for ttl, renewing it,
// ends do's context when the lease is lost, and gives it back; held is false, and do not run, when another process has it.
type Lease interface {
	Hold(ctx context.Context, name string, ttl time.Duration, do func(ctx context.Context) error) (held bool, err error)
}

// Options are what the table needs. Lease and Log are required.
type Options struct {
	Lease    Lease
	Log      *slog.Logger
	Location *time.Location // of the specs; nil is UTC
	// Watch is told of each run that this process made, for counting; nil: nobody is.
	Watch func(name string, took time.Duration, err error)
}

// Table is a list of jobs. Add before Start; Start and Stop once.
type Table struct {
	opt  Options
	cron *cron.Cron
	jobs []job
	stop context.CancelFunc
}

type job struct {
	name     string
	schedule cron.Schedule
	ttl      time.Duration
	run      func(ctx context.Context) error
}

// New makes an empty table.
func New(o Options) *Table {
	if o.Location == nil {
		o.Location = time.UTC
	}
	if o.Watch == nil {
		o.Watch = func(string, time.Duration, error) {}
	}
	log := cronLog{o.Log}
	return &Table{opt: o, cron: cron.New(
		cron.WithLocation(o.Location),
		cron.WithLogger(log),
		cron.WithChain(cron.SkipIfStillRunning(log), cron.Recover(log)),
	)}
}

// Add puts a job on the table. spec is a cron line of five fields, @hourly and its like, or "@every 15s". ttl is how
// long the lease outlives a holder that died, at most 45 s; it says nothing about how long run may take. run's context
// ends when the lease is lost or the table stops.
func (t *Table) Add(name, spec string, ttl time.Duration, run func(ctx context.Context) error) error {
	schedule, err := cron.ParseStandard(spec)
	if err != nil {
		return fmt.Errorf("job %s: %w", name, err)
	}
	if ttl < time.Second {
		return fmt.Errorf("job %s: a lease of %v is too short to be renewed", name, ttl)
	}
	t.jobs = append(t.jobs, job{name, schedule, min(ttl, longestLease), run})
	return nil
}

// Names are what the jobs are called, in the order they were added.
func (t *Table) Names() (names []string) {
	for _, j := range t.jobs {
		names = append(names, j.name)
	}
	return names
}

// Start begins to look at the clock.
func (t *Table) Start() {
	var ctx context.Context
	ctx, t.stop = context.WithCancel(context.Background())
	for _, j := range t.jobs {
		t.cron.Schedule(j.schedule, cron.FuncJob(func() { t.run(ctx, j) }))
	}
	t.cron.Start()
}

// Stop ends the contexts of the jobs that run and waits for them.
func (t *Table) Stop() {
	if t.stop == nil {
		return
	}
	t.stop()
	<-t.cron.Stop().Done()
}

// run gets the lease and runs the job, once.
func (t *Table) run(ctx context.Context, j job) {
	start := time.Now()
	for {
		var took time.Duration
		held, err := t.opt.Lease.Hold(ctx, "job/"+j.name, j.ttl, func(ctx context.Context) error {
			began := time.Now()
			defer func() { took = time.Since(began) }()
			return guarded(ctx, j.run)
		})
		switch {
		case ctx.Err() != nil:
			return // stopping: whatever it says is because of that, and the next process goes on
		case err != nil:
			t.opt.Watch(j.name, took, err)
			t.opt.Log.Error("job failed", "job", j.name, "took", time.Since(start), "err", err)
			return
		case held:
			t.opt.Watch(j.name, took, nil)
			t.opt.Log.Debug("job done", "job", j.name, "took", time.Since(start))
			return
		case time.Since(start) > j.ttl+askEvery:
			return // somebody alive is at it
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(askEvery):
		}
	}
}

// guarded turns a panic into an error. The value of one that the runtime did not make may hold anything, so only its
// type is told.
func guarded(ctx context.Context, run func(ctx context.Context) error) (err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case runtime.Error:
			err = fmt.Errorf("panic: %w\n%s", p, debug.Stack())
		default:
			err = fmt.Errorf("panic: %T\n%s", p, debug.Stack())
		}
	}()
	return run(ctx)
}

// cronLog gives cron's complaints to our log and drops its chatter.
type cronLog struct{ log *slog.Logger }

func (cronLog) Info(string, ...any) {}

func (l cronLog) Error(err error, msg string, _ ...any) {
	l.log.Error("job failed", "err", errors.Join(errors.New(msg), err))
}
