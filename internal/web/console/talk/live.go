package talk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"llave/internal/handoff"
)

// How often the store is asked.
const (
	lookEvery = 250 * time.Millisecond // what moved
	allEvery  = 15 * time.Second       // everything that is open, should a move have been missed
	lookLimit = 5 * time.Second        // one look
)

// live is what this process knows of the open cases while somebody looks at them. Its goroutine begins with the first
// subscriber and ends with the last.
type live struct {
	desk *handoff.Desk
	log  *slog.Logger

	closing chan struct{} // closed by close: every stream ends
	poke    chan struct{} // something was done here: look now

	mu          sync.Mutex
	shut        bool
	subscribers map[*subscriber]bool
	stop        func()
	known       bool                    // cases are those of the store
	cases       map[string]handoff.Case // by conversation: open, or closed a moment ago
	view        []handoff.Case          // the same in a list that every stream reads and none changes; nil: they have changed since
	notes       []handoff.CaseFile      // open notices
	closed      int                     // how many cases were seen to close
	since       time.Time               // the last move that was seen
	all         time.Time               // when everything was read last
}

// subscriber is one stream that wants to be woken.
type subscriber struct {
	woken chan struct{}
	conv  string // the conversation its page shows
	typed bool   // the person of that conversation is writing
}

// snapshot is what a stream compares with what it has sent.
type snapshot struct {
	cases   []handoff.Case // not to be changed
	notices []handoff.CaseFile
	closed  int
	typed   bool
}

func newLive(desk *handoff.Desk, log *slog.Logger) *live {
	return &live{desk: desk, log: log, closing: make(chan struct{}), poke: make(chan struct{}, 1), subscribers: map[*subscriber]bool{}}
}

// join begins to listen; false when the process is going down.
func (l *live) join() (*subscriber, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.shut {
		return nil, false
	}
	sub := &subscriber{woken: make(chan struct{}, 1)}
	l.subscribers[sub] = true
	if l.stop == nil {
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		l.stop = func() { cancel(); <-done }
		l.known, l.cases, l.view, l.since, l.all = false, map[string]handoff.Case{}, nil, time.Time{}, time.Time{}
		go func() {
			defer close(done)
			l.run(ctx)
		}()
	} else {
		sub.wake()
	}
	return sub, true
}

// leave ends listening. With the last one the goroutine has ended when it returns.
func (l *live) leave(sub *subscriber) {
	l.mu.Lock()
	delete(l.subscribers, sub)
	stop := l.stop
	if len(l.subscribers) > 0 {
		stop = nil
	} else {
		l.stop = nil
	}
	l.mu.Unlock()
	if stop != nil {
		stop()
	}
}

// close ends every stream, now and from now on.
func (l *live) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.shut {
		l.shut = true
		close(l.closing)
	}
}

// look says how things stand, once that is known.
func (l *live) look(sub *subscriber) (snapshot, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := snapshot{cases: l.list(), notices: l.notes, closed: l.closed, typed: sub.typed}
	sub.typed = false
	return p, l.known
}

// find says how a case stands, where that is known.
func (l *live) find(ref string) (handoff.Case, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.known {
		return handoff.Case{}, false
	}
	return snapshot{cases: l.list()}.find(ref)
}

// list are the cases as every stream reads them, which nobody changes. The lock is held.
func (l *live) list() []handoff.Case {
	if l.view == nil {
		l.view = slices.Collect(maps.Values(l.cases))
	}
	return l.view
}

// watch says which conversation the page of a subscriber shows.
func (l *live) watch(sub *subscriber, conv string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	sub.conv = conv
}

// typing tells the pages that show a conversation that its person is writing.
func (l *live) typing(conv string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for sub := range l.subscribers {
		if sub.conv == conv {
			sub.typed = true
			sub.wake()
		}
	}
}

// hurry has what was done here seen at once.
func (l *live) hurry() {
	select {
	case l.poke <- struct{}{}:
	default:
	}
}

func (sub *subscriber) wake() {
	select {
	case sub.woken <- struct{}{}:
	default: // woken already
	}
}

func (l *live) run(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	failing := false
	for {
		if err := l.read(ctx); err != nil && ctx.Err() == nil {
			if !failing {
				l.log.Warn("the desk cannot be read", "err", err)
			}
			failing = true
		} else if failing && err == nil {
			l.log.Info("the desk can be read again")
			failing = false
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-l.poke:
		}
	}
}

// read asks the store what moved, or now and then for everything, and wakes the subscribers when something did.
func (l *live) read(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	l.mu.Lock()
	since, full := l.since, !l.known || time.Since(l.all) >= allEvery
	l.mu.Unlock()
	if !full {
		moved, err := l.desk.Moved(ctx, since)
		if err != nil {
			return err
		}
		l.moved(moved)
		return nil
	}
	now, err := l.desk.Now(ctx) // before the rest: what moves meanwhile is among what moved since
	if err != nil {
		return fmt.Errorf("read the store's clock: %w", err)
	}
	open, err := l.desk.Inbox(ctx)
	notices, err2 := l.desk.Notices(ctx)
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	l.replaced(now, open, notices)
	return nil
}

// moved takes in what moved.
func (l *live) moved(cases []handoff.Case) {
	l.mu.Lock()
	defer l.mu.Unlock()
	changed := false
	for _, c := range cases {
		changed = l.take(c) || changed
	}
	if changed {
		l.wake()
	}
}

// take keeps a case unless what is known of it is as new. It says whether it did.
func (l *live) take(c handoff.Case) bool {
	if c.Moved.After(l.since) {
		l.since = c.Moved
	}
	before, had := l.cases[c.Conv]
	if had && before.Version >= c.Version {
		return false
	}
	if !c.Open() && (!had || before.Open()) {
		l.closed++
	}
	l.cases[c.Conv], l.view = c, nil
	return true
}

// replaced takes in everything that is open. What is not among it, is dropped, unless it moved so lately that it may have gone
// from one list to the other while they were read: what moved next says what became of it.
func (l *live) replaced(now time.Time, open []handoff.Case, notices []handoff.CaseFile) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.since.IsZero() || l.since.After(now.Add(handoff.Late)) { // or the store's clock was set back
		l.since = now
	}
	changed := !l.known || !slices.EqualFunc(l.notes, notices, func(a, b handoff.CaseFile) bool { return a.Ref == b.Ref })
	listed := map[string]bool{}
	for _, c := range open {
		listed[c.Conv] = true
		changed = l.take(c) || changed
	}
	for conv, c := range l.cases {
		if !listed[conv] && c.Moved.Before(now.Add(-2*handoff.Late)) {
			delete(l.cases, conv)
			l.view, changed = nil, true
		}
	}
	l.known, l.all, l.notes = true, time.Now(), notices
	if changed {
		l.wake()
	}
}

func (l *live) wake() {
	for sub := range l.subscribers {
		sub.wake()
	}
}

// find returns the conversation of a case, as far as it is among the cases of a snapshot.
func (p snapshot) find(ref string) (handoff.Case, bool) {
	i := slices.IndexFunc(p.cases, func(c handoff.Case) bool { return c.Ref == ref })
	if i < 0 {
		return handoff.Case{}, false
	}
	return p.cases[i], true
}

// PersonTyping tells the agents who have a conversation open that its person is writing: for channels that know.
func (c *Room) PersonTyping(conv string) { c.live.typing(conv) }

// Close ends the streams. Pages are still served.
func (c *Room) Close() { c.live.close() }
