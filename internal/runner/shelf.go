package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"llave/bot"
	"llave/internal/trace"
	"llave/internal/unlock"
)

// document is something with an outbox.
type document interface {
	id() string
	outbox() *bot.Outbox
	timers() time.Time   // the earliest of its timers
	heard() time.Time    // when the person wrote last
	gone() int           // the person cannot be reached any more: what the chat is owed is dropped, so many
	stuck(now time.Time) // something for the chat will not arrive for now: who looks on may want to know
	copy() document
}

// shelf is where documents of one sort stand.
type shelf interface {
	key(id string) string
	load(ctx context.Context, id string) (document, error)
	save(ctx context.Context, d document) error
	due(ctx context.Context, now time.Time, limit int) ([]string, error)
	// heldBy finds documents that keepers have until a moment at the latest.
	heldBy(ctx context.Context, until time.Time, by func(who string) bool) ([]string, error)
	// fire turns one due timer into an update and says whether there was one.
	fire(ctx context.Context, d document, now time.Time) (bool, error)
	// apply adds to the document what keeping a promise has for it, and says what a signal's turn did, if there was one.
	apply(ctx context.Context, d document, k Effects, now time.Time) (document, *within, error)
}

type conversation struct{ c bot.Conversation }

func (d *conversation) id() string          { return d.c.ID }
func (d *conversation) outbox() *bot.Outbox { return &d.c.Outbox }
func (d *conversation) timers() time.Time   { return d.c.NextTimer() }
func (d *conversation) heard() time.Time    { return d.c.LastAt }
func (d *conversation) copy() document      { return &conversation{c: d.c.Clone()} }
func (d *conversation) gone() int {
	d.c.Gone = true
	return d.c.Unreach()
}

func (d *conversation) stuck(now time.Time) { d.c.Stir(now) }

type conversationShelf struct{ r *Runner }

func (conversationShelf) key(id string) string { return "c/" + id }

func (s conversationShelf) load(ctx context.Context, id string) (document, error) {
	c, err := s.r.Conversations.Load(ctx, id)
	return &conversation{c: c}, err
}

func (s conversationShelf) save(ctx context.Context, d document) error {
	return s.r.Conversations.Save(ctx, &d.(*conversation).c)
}

func (s conversationShelf) due(ctx context.Context, now time.Time, limit int) ([]string, error) {
	return s.r.Conversations.Due(ctx, now, limit)
}

func (s conversationShelf) heldBy(ctx context.Context, until time.Time, by func(who string) bool) ([]string, error) {
	return s.r.Conversations.Held(ctx, until, by)
}

func (s conversationShelf) fire(ctx context.Context, d document, now time.Time) (bool, error) {
	c := d.(*conversation).c
	for _, t := range c.Timers {
		if t.At.After(now) {
			continue
		}
		channel, chat := bot.SplitConversationID(c.ID)
		_, err := s.r.turn(ctx, c.ID, bot.Update{
			ID:      "timer/" + t.Signal + "/" + t.Attempt + "/" + strconv.FormatInt(t.At.UnixMilli(), 10),
			Channel: channel, Chat: chat, Kind: bot.Signal, Signal: t.Signal, Attempt: t.Attempt, Timer: true, At: now,
		})
		return true, err
	}
	return false, nil
}

func (s conversationShelf) apply(ctx context.Context, d document, k Effects, now time.Time) (document, *within, error) {
	doc := d.(*conversation)
	doc.c.EndPieces()
	doc.c.Sent(k.Asked)
	if k.Timer != nil { // who gave up while the letter was on its way waits for nothing
		doc.c.MoveTimer(*k.Timer)
	}
	if k.Signal == nil {
		return doc, nil, nil
	}
	u := *k.Signal
	u.Channel, u.Chat = bot.SplitConversationID(doc.c.ID)
	u.Kind, u.At, u.Once = bot.Signal, now, true
	in := &within{u: u, began: time.Now()}
	ctx, in.span, in.ref = s.r.Trace.Turn(ctx, u.Trace, "turn", trace.Inside)
	var next bot.Conversation
	var err error
	next, in.out, err = s.r.traceStep(ctx, doc.c, u, bot.Env{Now: now, Trace: in.ref})
	in.step = time.Since(in.began)
	return &conversation{c: next}, in, err
}

type unlockDocument struct{ r *unlock.Document }

func (d *unlockDocument) id() string          { return d.r.ID }
func (d *unlockDocument) outbox() *bot.Outbox { return &d.r.Outbox }
func (d *unlockDocument) timers() time.Time   { return time.Time{} } // the cron job ends links; nobody is told
func (d *unlockDocument) gone() int           { return 0 }
func (d *unlockDocument) stuck(time.Time)     {}
func (d *unlockDocument) heard() time.Time    { return time.Time{} }
func (d *unlockDocument) copy() document      { return &unlockDocument{r: d.r.Clone()} }

type unlockShelf struct{ r *Runner }

func (unlockShelf) key(id string) string { return "r/" + id }

func (s unlockShelf) load(ctx context.Context, id string) (document, error) {
	r, err := s.r.Unlocks.Load(ctx, id)
	return &unlockDocument{r: r}, err
}

func (s unlockShelf) save(ctx context.Context, d document) error {
	return s.r.Unlocks.Save(ctx, d.(*unlockDocument).r)
}

func (s unlockShelf) due(ctx context.Context, now time.Time, limit int) ([]string, error) {
	return s.r.Unlocks.Due(ctx, now, limit)
}

func (s unlockShelf) heldBy(ctx context.Context, until time.Time, by func(who string) bool) ([]string, error) {
	return s.r.Unlocks.Held(ctx, until, by)
}

func (unlockShelf) fire(context.Context, document, time.Time) (bool, error) { return false, nil }

func (s unlockShelf) apply(_ context.Context, d document, k Effects, _ time.Time) (document, *within, error) {
	if k.Timer != nil || k.Signal != nil {
		return nil, nil, errors.New("an unlock document has no timers and hears no signals")
	}
	return d, nil, nil
}

// keyed is a lock per key. Of those that wait for it the one with the lowest rank comes next, and of equals the first.
type keyed struct {
	mu    sync.Mutex
	lines map[string]*line // of the keys that are locked
}

type line []waiting

type waiting struct {
	rank int64
	turn chan struct{}
}

func newKeyed() *keyed { return &keyed{lines: map[string]*line{}} }

// lock waits for its turn, before all that have a rank, and returns what gives the lock back.
func (k *keyed) lock(key string) (release func()) { return k.lockAs(key, 0) }

// lockAs is lock with a rank.
func (k *keyed) lockAs(key string, rank int64) (release func()) {
	me := waiting{rank, make(chan struct{})}
	k.mu.Lock()
	l, locked := k.lines[key]
	if locked {
		i := len(*l)
		for i > 0 && (*l)[i-1].rank > me.rank {
			i--
		}
		*l = slices.Insert(*l, i, me)
	} else {
		k.lines[key] = new(line)
	}
	k.mu.Unlock()
	if locked {
		<-me.turn
	}
	return func() { k.next(key) }
}

func (k *keyed) next(key string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	l := k.lines[key]
	if len(*l) == 0 {
		delete(k.lines, key)
		return
	}
	close((*l)[0].turn)
	*l = slices.Delete(*l, 0, 1)
}

// Deliver keeps signals: it hands the word of an unlock document to the conversation that asked.
func (r *Runner) Deliver(ctx context.Context, p bot.Promise, what bot.SendSignal) (Effects, error) {
	channel, chat := bot.SplitConversationID(what.Conv)
	err := r.Handle(ctx, bot.Update{
		ID: "signal/" + p.ID, Channel: channel, Chat: chat, Kind: bot.Signal, Signal: what.Signal, Attempt: p.Attempt, Text: what.Text, Trace: p.Trace,
	})
	if err != nil {
		return Effects{}, fmt.Errorf("deliver signal: %w", err)
	}
	return Effects{}, nil
}
