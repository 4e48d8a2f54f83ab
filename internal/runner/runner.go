// Package runner answers updates and keeps promises.
//
// Answering is load → step → commit → acknowledge. The conversation is read, stepped by the engine (which writes nothing),
// and replaced if its version is still the one that was read. Handle returns nil only after that, and whoever delivered the
// update may then forget it. A repeat is found in the document; a conflict reloads and steps again.
//
// A promise is written in the same commit as the turn that made it (a transactional outbox) and kept afterwards by the
// process that committed. The commit names it keeper of the lane and sets wake_at five seconds ahead. Lanes (chat, mail,
// event) keep their order and do not wait for each other. A promise that takes longer, or waits for its turn, is held under
// the lease of the process, whose heartbeat comes every two seconds: what only waits costs nothing more (see identity). If
// a keeper dies, the sweep of any process finds the document, by its wake_at or by the expired lease, and keeps what is
// left.
//
// Nothing is lost, and one message may be repeated, identical: when a crash falls between the server's "accepted" and our
// writing that down, or the store is away then for longer than a keeper is believed.
//
// Conversations and unlock documents are served alike: both are documents with an outbox.
package runner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"llave/bot"
	"llave/internal/trace"
	"llave/internal/unlock"
)

// How promises are kept.
const (
	keepFor   = 5 * time.Second  // how long a keeper, or a process, is believed alive without a word (P402)
	heartbeat = 2 * time.Second  // how often one says so that has something in hand for longer, and looks for those that died
	holdFor   = 20 * time.Minute // how long such a one has its lanes, while it says so
	sendLimit = 45 * time.Second // one try
	longest   = 30 * time.Second // between tries
	soon      = 10 * time.Second // between tries to send a letter
	seldom    = time.Hour        // between tries to tell another program
	sweepMax  = 500              // documents looked at in one sweep
	firesMax  = 16               // timers of one document that go off in one sweep
)

// laneSlots is how many promises of a lane are being kept at once, so that a burst does not open thousands of
// connections. Each lane has its own share: letters that wait for a slow mail server hold up no chat.
var laneSlots = map[bot.Lane]int{bot.LaneChat: 64, bot.LaneMail: 16, bot.LaneMail2: 16, bot.LaneMail3: 16, bot.LaneEvent: 32, bot.LaneDesk: 4, bot.LaneHook: 8, bot.LaneAlert: 8, bot.LaneEdit: 8}

// Conversations keeps one document per chat.
type Conversations interface {
	Load(ctx context.Context, id string) (bot.Conversation, error)
	Save(ctx context.Context, c *bot.Conversation) error
	Due(ctx context.Context, now time.Time, limit int) ([]string, error)
	Held(ctx context.Context, until time.Time, by func(who string) bool) ([]string, error)
}

// Unlocks keeps one unlock document per number.
type Unlocks interface {
	Load(ctx context.Context, id string) (*unlock.Document, error)
	Save(ctx context.Context, r *unlock.Document) error
	Due(ctx context.Context, now time.Time, limit int) ([]string, error)
	Held(ctx context.Context, until time.Time, by func(who string) bool) ([]string, error)
}

// Channel sends to a chat. Errors are *bot.SendError. One that waits before it sends asks ctx.Err afterwards, whatever
// ended the wait, and lets its error be found: see leased.
type Channel interface {
	Send(ctx context.Context, chat string, r bot.Reply) error
	Delete(ctx context.Context, chat, messageID string) error
}

// Bubbler is a Channel that can change a bubble later, by the name that it has for it as it sends it.
type Bubbler interface {
	SendBubble(ctx context.Context, chat string, r bot.Reply) (bubble string, err error)
}

// Merger is a Channel in which every bubble costs: those that wait together go out as one.
type Merger interface{ Merges() bool }

// Effects are what keeping a promise has for the conversation that owed it.
type Effects struct {
	Timer  *bot.Timer  // moved in the same write that drops the promise, where it stands still
	Signal *bot.Update // stepped in the same write
	Asked  *bot.Asked  // the bubble that was sent, noted in the same write
}

// Options are what a runner needs. All are required but Watch, Alone, Trace and Address: without that a chat goes by one name.
type Options struct {
	Name          string // of this process, unlike any other's
	Conversations Conversations
	Unlocks       Unlocks
	Processes     Processes
	Alone         bool // the store belongs to this process: whoever else it names as keeper is dead
	Engine        *bot.Engine
	Reserve       func(ctx context.Context, a bot.Ask) (bot.Reservation, error)
	Now           func(ctx context.Context) (time.Time, error) // the store's clock
	Open          func(conv, sealed string) (string, error)
	Address       func(ctx context.Context, channel, chat string) (string, error) // what a channel calls a chat; "": nobody is there any more
	Keepers       []Keeper                                                        // one for each kind of promise but those in Own
	Watch         Watcher                                                         // nil: nobody counts
	Log           *slog.Logger
	Trace         *trace.Tracer // nil: turns are not exported
}

// Runner is safe for use by many goroutines. Start sweeps; Stop waits.
type Runner struct {
	Options
	channels               map[string]Channel
	keeps                  map[bot.PromiseKind]Keep
	late                   map[bot.PromiseKind]bool // see Keeper
	conversations, unlocks shelf
	locks                  *keyed
	slots                  map[bot.Lane]chan struct{}

	mu      sync.Mutex
	running map[string]bool // shelf/id/lane being kept here
	busy    sync.WaitGroup
	active  int
	idle    chan struct{} // closed when active falls to zero
	closing chan struct{}
	once    sync.Once
	started bool

	engine atomic.Pointer[bot.Engine]
	self   atomic.Pointer[identity]
	names  atomic.Int64 // identities after the first
	dead   sync.Map     // names of identities that were buried here
	looked time.Time    // for the dead; guarded by mu
}

// New makes a runner; it starts nothing. It refuses keepers that leave a kind of promise without one, and a kind in a lane
// that is none of bot.Lanes.
func New(o Options) (*Runner, error) {
	keeps, err := byKind(o.Keepers)
	if err != nil {
		return nil, err
	}
	if o.Watch == nil {
		o.Watch = nobody{}
	}
	if o.Address == nil {
		o.Address = func(_ context.Context, _, chat string) (string, error) { return chat, nil }
	}
	r := &Runner{
		Options: o, keeps: keeps, late: map[bot.PromiseKind]bool{}, channels: map[string]Channel{}, locks: newKeyed(), slots: map[bot.Lane]chan struct{}{},
		running: map[string]bool{}, closing: make(chan struct{}),
	}
	r.engine.Store(o.Engine)
	r.self.Store(newIdentity(o.Name))
	for _, keeper := range o.Keepers {
		r.late[keeper.Kind] = keeper.Late
	}
	for lane, n := range laneSlots {
		r.slots[lane] = make(chan struct{}, n)
	}
	r.conversations = conversationShelf{r}
	r.unlocks = unlockShelf{r}
	return r, nil
}

// SetEngine has another engine answer from the next turn on. It must know every place that the one before it knew.
func (r *Runner) SetEngine(e *bot.Engine) { r.engine.Store(e) }

// Bind has the chats of a channel answered through ch. Call it before Start, and before the first update: a bubble for a
// channel that is not bound waits.
func (r *Runner) Bind(channel string, ch Channel) {
	if r.started {
		panic("runner: channel " + channel + " is bound after the start")
	}
	r.channels[channel] = ch
}

// ErrStopping is returned for updates that come while the process is going down: they will be delivered again.
var ErrStopping = errors.New("process is stopping")

// Handle answers the update [u]. When it returns nil, the answer is committed (or [u] was a repeat) and [u] may be
// acknowledged; after any error it must be delivered again. Updates of one conversation are answered one after the other:
// of those that wait here at the same time the earliest first, whatever order they came in (Update.Order). One that comes
// after a later one was answered is answered all the same, as what it is by then: a button of a question that is gone
// changes nothing.
func (r *Runner) Handle(ctx context.Context, u bot.Update) error {
	_, err := r.Answer(ctx, u)
	return err
}

// Answer is Handle, and says what the update came to.
func (r *Runner) Answer(ctx context.Context, u bot.Update) (bot.Outcome, error) {
	if !r.enter() {
		return bot.Outcome{}, ErrStopping
	}
	defer r.leave()
	ctx, received := r.receive(ctx, u)
	defer received.End()
	id := u.Conv()
	release := r.locks.lockAs(r.conversations.key(id), u.Order)
	defer release()
	out, err := r.turn(ctx, id, u)
	if err != nil {
		received.Fail("not answered")
	}
	return out, err
}

// turn answers an update; the conversation is locked.
func (r *Runner) turn(ctx context.Context, id string, u bot.Update) (out bot.Outcome, err error) {
	start := time.Now()
	turned := Turned{Channel: u.Channel, Media: u.Media}
	defer func() {
		if err != nil {
			turned.Result = TurnFailed
		}
		turned.Outcome = out
		r.Watch.Turned(turned)
	}()
	env := bot.Env{}
	ctx, span, ref := r.Trace.Turn(ctx, u.Trace, "turn", trace.Inside)
	env.Trace = ref
	defer func() { endTurn(span, u, out, ref, err) }()
	for {
		c, err := r.load(ctx, id)
		if err != nil {
			return bot.Outcome{}, fmt.Errorf("load conversation: %w", err)
		}
		if env.Now, err = r.Now(ctx); err != nil {
			return bot.Outcome{}, fmt.Errorf("read the store's clock: %w", err)
		}
		if u.Kind == bot.Signal && env.Now.Before(u.At) {
			env.Now = u.At // the clock was set back a little since the timer was found due: it is due all the same, once
		}
		began := time.Now()
		var next bot.Conversation
		next, out, err = r.traceStep(ctx, c, u, env)
		turned.Step = time.Since(began)
		if err != nil {
			return out, err
		}
		if out.Repeat {
			turned.Result = TurnRepeat
			return out, nil
		}
		mine := r.claim(&next.Outbox, env.Now, next.NextTimer())
		began = time.Now()
		err = r.commit(ctx, &next)
		turned.Commit = time.Since(began)
		if errors.Is(err, bot.ErrConflict) {
			r.Watch.Turned(Turned{Channel: u.Channel, Result: TurnConflict, Outcome: bot.Outcome{Event: out.Event}, Step: turned.Step, Commit: turned.Commit})
			continue
		}
		if err != nil {
			return out, fmt.Errorf("commit turn: %w", err)
		}
		turned.Result = TurnCommitted
		r.dropped(u.Channel, out)
		r.tellTurn(id, u, out, ref, start)
		doc := &conversation{c: next}
		for _, lane := range mine {
			r.keep(keeping{r, r.conversations, id, lane}, doc)
		}
		if due := next.ReplyDue(); due.After(env.Now) {
			time.AfterFunc(due.Sub(env.Now), func() { r.keepDue(r.conversations, id) })
		}
		return out, nil
	}
}

// step steps. Where the flow has no answer to what it heard, or words made it panic, the person is asked again rather than left without
// a word for ever, and the operator is told: a platform would send what cannot be handled again and again, and nothing behind it.
func (r *Runner) step(ctx context.Context, c bot.Conversation, u bot.Update, env bot.Env) (bot.Conversation, bot.Outcome, error) {
	next, out, err := r.stepOnce(ctx, c, u, env)
	said := u.Kind != bot.Signal && u.Kind != bot.Desk
	if errors.Is(err, bot.ErrNoRow) || said && errors.Is(err, errPanic) {
		r.Watch.FlowFault()
		r.Log.Error("the flow has no answer", "conv", c.ID, "error", err)
		env.Deaf = true
		next, out, err = r.stepOnce(ctx, c, u, env)
	}
	if err != nil {
		return c, out, fmt.Errorf("step conversation: %w", err)
	}
	return next, out, nil
}

// stepOnce steps, reserving at the unlock document when the turn asks for it.
func (r *Runner) stepOnce(ctx context.Context, c bot.Conversation, u bot.Update, env bot.Env) (next bot.Conversation, out bot.Outcome, err error) {
	defer panicked(&err)
	engine := r.engine.Load()
	next, out, err = engine.Step(ctx, c, u, env)
	var need *bot.NeedsReservation
	if errors.As(err, &need) {
		res, rerr := r.Reserve(ctx, need.Ask)
		if rerr != nil {
			return c, out, fmt.Errorf("reserve: %w", rerr)
		}
		env.Reservation = &res
		next, out, err = engine.Step(ctx, c, u, env)
	}
	return next, out, err
}

// claim names this process keeper of every lane that has something due and no living keeper, and returns those lanes.
func (r *Runner) claim(outbox *bot.Outbox, now time.Time, timers time.Time) []bot.Lane {
	var mine []bot.Lane
	me := r.known(now).name
	maps.DeleteFunc(outbox.Keepers, func(_ bot.Lane, k bot.Keeper) bool { return k.Who != me && r.isDead(k.Who) })
	for _, lane := range bot.Lanes {
		if !outbox.Due(lane, now) {
			continue
		}
		k := outbox.Keepers[lane]
		if k.Who != me && k.Until.After(now) {
			continue
		}
		until := now.Add(claimFor(lane))
		if k.Who == me && k.Until.After(until) {
			until = k.Until // held for longer
		}
		if outbox.Keepers == nil {
			outbox.Keepers = map[bot.Lane]bot.Keeper{}
		}
		outbox.Keepers[lane] = bot.Keeper{Who: me, Until: until}
		mine = append(mine, lane)
	}
	outbox.Wake(timers)
	return mine
}

// orphaned says whether a lane has a keeper that is known to be dead.
func (r *Runner) orphaned(outbox *bot.Outbox) bool {
	me := r.me().name
	for _, k := range outbox.Keepers {
		if k.Who != me && r.isDead(k.Who) {
			return true
		}
	}
	return false
}

// Kick looks after an unlock document that owes something now.
func (r *Runner) Kick(id string) {
	if !r.enter() {
		return // the sweep of another process, or of the next start, will find it
	}
	go func() {
		defer r.leave()
		if err := r.wake(context.Background(), r.unlocks, id); err != nil {
			r.Log.Warn("kick", "error", err)
		}
	}()
}

// Start sweeps at once and then every second until ctx ends.
func (r *Runner) Start(ctx context.Context) {
	r.started = true
	r.busy.Add(1)
	go func() {
		defer r.busy.Done()
		if err := r.inherit(ctx); err != nil && ctx.Err() == nil {
			r.Log.Warn("take over from the last process", "error", err)
		}
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			if err := r.Sweep(ctx); err != nil && ctx.Err() == nil {
				r.Log.Warn("sweep", "error", err)
			}
			select {
			case <-ctx.Done():
				return
			case <-r.closing:
				return
			case <-tick.C:
			}
		}
	}()
}

// Sweep takes up everything that is due: timers, and promises that nobody alive is keeping.
func (r *Runner) Sweep(ctx context.Context) error {
	if !r.enter() {
		return nil
	}
	defer r.leave()
	now, err := r.Now(ctx)
	if err != nil {
		return fmt.Errorf("read the store's clock: %w", err)
	}
	problems := []error{r.bury(ctx, now)}
	for _, s := range []shelf{r.conversations, r.unlocks} {
		ids, err := s.due(ctx, now, sweepMax)
		if err != nil {
			return fmt.Errorf("find what is due: %w", err)
		}
		problems = append(problems, r.wakeAll(ctx, s, ids))
	}
	return errors.Join(problems...)
}

func (r *Runner) wakeAll(ctx context.Context, s shelf, ids []string) error {
	var problems []error
	var wg sync.WaitGroup
	gate := make(chan struct{}, 16)
	var mu sync.Mutex
	for _, id := range ids {
		gate <- struct{}{}
		wg.Go(func() {
			defer func() { <-gate }()
			if err := r.wake(ctx, s, id); err != nil {
				mu.Lock()
				problems = append(problems, err)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return errors.Join(problems...)
}

// wake looks at one document: due timers become updates, lanes without a living keeper are taken over.
func (r *Runner) wake(ctx context.Context, s shelf, id string) error {
	release := r.locks.lock(s.key(id))
	defer release()
	fires := 0
	for {
		doc, err := s.load(ctx, id)
		if err != nil {
			return fmt.Errorf("load what is due: %w", err)
		}
		now, err := r.Now(ctx)
		if err != nil {
			return fmt.Errorf("read the store's clock: %w", err)
		}
		if fires < firesMax { // a flow that sets a due timer again whenever it goes off has the next sweep for it
			fired, err := s.fire(ctx, doc, now)
			if err != nil {
				return err
			}
			if fired {
				fires++
				continue // the turn wrote the document; look again
			}
		}
		outbox := doc.outbox()
		if outbox.WakeAt.IsZero() || outbox.WakeAt.After(now) && len(outbox.Promises) == 0 {
			return nil
		}
		if err := r.takeUp(ctx, s, id, doc, now); !errors.Is(err, bot.ErrConflict) {
			return err
		}
	}
}

// keepDue keeps what waited in a document for this moment. The sweep would too, a second later perhaps, and does where this
// process has died meanwhile.
func (r *Runner) keepDue(s shelf, id string) {
	if !r.enter() {
		return
	}
	defer r.leave()
	ctx := context.Background()
	release := r.locks.lock(s.key(id))
	defer release()
	for {
		doc, err := s.load(ctx, id)
		var now time.Time
		if err == nil {
			now, err = r.Now(ctx)
		}
		if err == nil && !doc.outbox().WakeAt.IsZero() {
			err = r.takeUp(ctx, s, id, doc, now)
		}
		switch {
		case errors.Is(err, bot.ErrConflict):
			continue
		case err != nil:
			r.Log.Warn("keep what waited", "error", err)
		}
		return
	}
}

// takeUp claims the lanes of [doc] that nobody alive keeps, and begins to keep them. ErrConflict: doc is not as it stands
// any more, and nothing was begun.
func (r *Runner) takeUp(ctx context.Context, s shelf, id string, doc document, now time.Time) error {
	outbox := doc.outbox()
	orphaned := r.orphaned(outbox)
	fresh := slices.DeleteFunc(r.claim(outbox, now, doc.timers()), func(lane bot.Lane) bool {
		return keeping{r, s, id, lane}.isRunning()
	})
	if len(fresh) == 0 && !orphaned && outbox.WakeAt.After(now) {
		return nil
	}
	if err := s.save(ctx, doc); err != nil {
		return fmt.Errorf("claim what is due: %w", err)
	}
	for _, lane := range fresh {
		r.keep(keeping{r, s, id, lane}, doc)
	}
	return nil
}

func (r *Runner) enter() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.closing:
		return false
	default:
	}
	r.active++
	r.busy.Add(1)
	return true
}

func (r *Runner) leave() {
	r.setActive(-1)
	r.busy.Done()
}

func (r *Runner) setActive(by int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.active += by
	if r.active == 0 && r.idle != nil {
		close(r.idle)
		r.idle = nil
	}
}

// Idle waits until nothing is being answered or kept here. What waits for its time does not count.
func (r *Runner) Idle(ctx context.Context) error {
	r.mu.Lock()
	if r.active == 0 {
		r.mu.Unlock()
		return nil
	}
	if r.idle == nil {
		r.idle = make(chan struct{})
	}
	idle := r.idle
	r.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Stop takes no more updates, lets what is being sent end, hands the rest to others by setting its wake_at to now, and
// waits for all that until ctx ends.
func (r *Runner) Stop(ctx context.Context) error {
	r.once.Do(func() {
		r.mu.Lock()
		close(r.closing)
		r.mu.Unlock()
	})
	done := make(chan struct{})
	go func() {
		r.busy.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop runner: %w", ctx.Err())
	}
}

func (r *Runner) stopping() bool {
	select {
	case <-r.closing:
		return true
	default:
		return false
	}
}
