package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"llave/bot"
)

// keep starts keeping a lane of a document whose keeper this process is, unless it is being kept here already. The
// document's lock is held by the caller, so that nothing is missed between a lane's end and a new promise.
func (r *Runner) keep(s shelf, id string, lane bot.Lane, doc document) {
	key := s.key(id) + "/" + string(lane)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running[key] {
		return
	}
	r.running[key] = true
	r.active++
	r.busy.Add(1)
	mine := doc.copy() // now: the caller goes on to change the document
	go func() {
		defer r.leave()
		r.lane(s, id, lane, mine, key)
	}()
}

func (r *Runner) isRunning(s shelf, id string, lane bot.Lane) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.running[s.key(id)+"/"+string(lane)]
}

// lane keeps one promise after the other until there is none due, or another process has taken the lane over.
func (r *Runner) lane(s shelf, id string, lane bot.Lane, doc document, key string) {
	ctx := context.Background() // what is being kept outlives the request that caused it; tries have their own limit
	end := func() {
		r.mu.Lock()
		delete(r.running, key)
		r.mu.Unlock()
	}
	for {
		head := doc.box().Head(lane)
		if head == nil {
			// The snapshot is empty; whether the document is too is decided under its lock.
			release := r.locks.lock(s.key(id))
			fresh, err := s.load(ctx, id)
			if err == nil && fresh.box().Head(lane) != nil && fresh.box().Keepers[lane].Who == r.Name {
				release()
				doc = fresh
				continue
			}
			end()
			release()
			return
		}
		now, _ := r.Now(ctx)
		owed := r.together(doc, *head, now)
		p := owed[0]
		var kept Kept
		var err error
		switch {
		case r.stopping():
			err = ErrStopping
		case !p.Until.IsZero() && now.After(p.Until):
			err = errWorthless
		default:
			kept, err = r.try(ctx, s, doc, owed)
			if len(owed) > 1 && bot.KindOf(err) == bot.Permanent {
				owed = owed[:1] // one of them is at fault: each by itself, so that it takes no other with it
				kept, err = r.try(ctx, s, doc, owed)
			}
		}
		after, more := r.mark(ctx, s, doc, lane, owed, kept, err, end)
		if !more {
			return
		}
		doc = after
	}
}

// oneBubble is how many bubbles that wait together go out as one at most.
const oneBubble = 4

// together is the promise whose turn it is, and those that can be kept with it: bubbles of the same voice that wait behind
// it, in a channel where each costs.
func (r *Runner) together(doc document, head bot.Promise, now time.Time) []bot.Promise {
	owed := []bot.Promise{head}
	channel, _ := bot.SplitConversationID(doc.id())
	if m, ok := r.channels[channel].(Merger); head.Kind() != bot.PromiseSay || !ok || !m.Merges() {
		return owed
	}
	for _, p := range doc.box().Promises {
		if p.Lane() != head.Lane() || p.ID == head.ID {
			continue
		}
		if p.Kind() != bot.PromiseSay || p.NotBefore.After(now) || len(owed) == oneBubble || said(p).By != said(head).By {
			break // an agent's words are a bubble of their own
		}
		owed = append(owed, p)
	}
	return owed
}

// said is what a promise of saying something says.
func said(p bot.Promise) *bot.Reply { return p.What.(bot.Say).Reply }

// bubble is what promises of saying something come to in one bubble: all their texts, and the buttons of the last.
func (r *Runner) bubble(owed []bot.Promise) (bot.Reply, error) {
	var texts []string
	var whole bot.Reply
	inOrder := slices.Clone(owed) // one that came back stands behind what was said after it
	slices.SortStableFunc(inOrder, func(a, b bot.Promise) int { return cmp.Compare(said(a).Prompt, said(b).Prompt) })
	for _, p := range inOrder {
		reply, protect := *said(p), whole.Protect
		if reply.Sealed {
			text, err := r.Open(reply.Text)
			if err != nil {
				return whole, &bot.SendError{Failure: bot.Permanent, Reason: "text cannot be opened", Err: err}
			}
			reply.Text, reply.Sealed = text, false
		}
		texts = append(texts, reply.Text)
		whole = reply
		whole.Protect = reply.Protect || protect
	}
	whole.Text = strings.Join(texts, "\n\n")
	return whole, nil
}

// What a try comes to when nothing was sent, beside ErrStopping.
var (
	errTaken     = errors.New("another process keeps this lane, or may")
	errWorthless = errors.New("its time is over")
)

// word is a context that also ends when this process is not believed any more to keep a lane, because it could not say
// so in time: the store was away, or the process itself was stopped. Only its Err tells, and by looking at the clock: a
// process that wakes from a stop runs what it was about to do as soon as its timers, and must not send what another has
// sent meanwhile. It cuts nothing off; what is on its way is better let arrive. Ask it last before sending.
type word struct {
	context.Context
	now   func(ctx context.Context) (time.Time, error)
	until atomic.Pointer[time.Time]
}

func (w *word) Err() error {
	if err := w.Context.Err(); err != nil {
		return err
	}
	now, err := w.now(w.Context)
	if err != nil || now.After(w.until.Load().Add(-keepFor/10)) { // the message needs a moment to arrive
		return errTaken
	}
	return nil
}

// try keeps one promise once, when it is its turn in this process. From the beginning of the wait to the end of the try
// it says every two seconds that this process is alive; it gives up when another process has taken over, since what we
// send then would be a second one.
func (r *Runner) try(ctx context.Context, s shelf, doc document, owed []bot.Promise) (Kept, error) {
	p := owed[0]
	ctx, taken := context.WithCancelCause(ctx)
	limited, cancel := context.WithTimeout(ctx, sendLimit) // a name of its own: the heartbeat reads ctx
	defer cancel()
	believed := &word{Context: limited, now: r.Now}
	until := doc.box().Keepers[p.Lane()].Until
	believed.until.Store(&until)
	done := make(chan struct{})
	beating := make(chan struct{})
	go func() {
		defer close(beating)
		tick := time.NewTicker(heartbeat)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				until, mine := r.beat(ctx, s, doc.id(), p)
				if !mine {
					taken(errTaken)
					return
				}
				if !until.IsZero() {
					believed.until.Store(&until)
				}
			}
		}
	}()
	defer func() {
		close(done)
		<-beating
		taken(nil)
	}()
	select {
	case r.slots[p.Lane()] <- struct{}{}:
		defer func() { <-r.slots[p.Lane()] }()
	case <-r.closing:
		return Kept{}, ErrStopping
	case <-ctx.Done():
		return Kept{}, context.Cause(ctx)
	}
	if believed.Err() != nil {
		return Kept{}, errTaken // or not: marking looks
	}
	kept, err := r.attempt(limited, believed, doc, owed)
	if err != nil && (errors.Is(err, errTaken) || errors.Is(context.Cause(ctx), errTaken)) {
		return Kept{}, errTaken
	}
	return kept, err
}

func (r *Runner) attempt(ctx context.Context, believed *word, doc document, owed []bot.Promise) (Kept, error) {
	p := owed[0]
	switch what := p.What.(type) {
	case bot.Say, bot.Delete:
		channel, chat := bot.SplitConversationID(doc.id())
		ch, ok := r.channels[channel]
		if !ok {
			return Kept{}, &bot.SendError{Failure: bot.Temporary, Reason: "channel " + channel + " is off"}
		}
		if d, ok := what.(bot.Delete); ok {
			return Kept{}, ch.Delete(ctx, chat, d.MessageID)
		}
		reply, err := r.bubble(owed)
		if err != nil {
			return Kept{}, err
		}
		if now, err := r.Now(ctx); err == nil {
			reply.Silence = now.Sub(doc.heard())
		}
		return Kept{}, ch.Send(believed, chat, reply)
	}
	keep, ok := r.keeps[p.Kind()]
	if !ok {
		return Kept{}, &bot.SendError{Failure: bot.Permanent, Reason: "nobody keeps " + string(p.Kind())}
	}
	return keep(ctx, p)
}

// beat moves the keeper's word ahead and returns until when it holds, zero when the store did not say; mine is false
// when another process has the lane.
func (r *Runner) beat(ctx context.Context, s shelf, id string, p bot.Promise) (until time.Time, mine bool) {
	release := r.locks.lock(s.key(id))
	defer release()
	for {
		doc, err := s.load(ctx, id)
		if err != nil {
			return time.Time{}, true // the store is away: nobody else can claim either
		}
		now, err := r.Now(ctx)
		if err != nil {
			return time.Time{}, true
		}
		box := doc.box()
		if box.Keepers[p.Lane()].Who != r.Name || box.Find(p.ID) == nil {
			return time.Time{}, false
		}
		until = now.Add(keepFor)
		box.Keepers[p.Lane()] = bot.Keeper{Who: r.Name, Until: until}
		box.Wake(doc.timers())
		switch err = s.save(ctx, doc); {
		case errors.Is(err, bot.ErrConflict):
			continue
		case err != nil:
			return time.Time{}, true
		}
		return until, true
	}
}

// mark writes down what became of a promise, with what it caused, and says whether there is more to keep now. It does
// not give up before the process does: an accepted message that is not marked would be sent again. For the same reason
// it begins with the document as it was when the try began: mostly nobody has written it since, and a process that dies
// has one round trip less to die in.
func (r *Runner) mark(ctx context.Context, s shelf, known document, lane bot.Lane, owed []bot.Promise, kept Kept, sent error, end func()) (document, bool) {
	r.report(owed[0], sent)
	id := known.id()
	for {
		doc, more, err := r.markOnce(ctx, s, id, known, lane, owed, kept, sent, end)
		known = nil
		switch {
		case err == nil:
			return doc, more
		case errors.Is(err, bot.ErrConflict):
			continue
		case r.stopping():
			end()
			r.Log.Error("promise could not be marked", "kind", owed[0].Kind(), "error", err)
			return nil, false
		}
		r.Log.Warn("mark promise", "kind", owed[0].Kind(), "error", err)
		select {
		case <-time.After(500 * time.Millisecond):
		case <-r.closing:
		}
	}
}

// markOnce writes it into doc, or into the document as it is stored when doc is nil.
func (r *Runner) markOnce(ctx context.Context, s shelf, id string, doc document, lane bot.Lane, kept []bot.Promise, caused Kept, sent error, end func()) (document, bool, error) {
	release := r.locks.lock(s.key(id))
	defer release()
	var err error
	known := doc != nil
	if !known {
		if doc, err = s.load(ctx, id); err != nil {
			return nil, false, fmt.Errorf("load to mark: %w", err)
		}
	}
	now, err := r.Now(ctx)
	if err != nil {
		return nil, false, fmt.Errorf("read the store's clock: %w", err)
	}
	box := doc.box()
	owed := box.Find(kept[0].ID)
	var se *bot.SendError
	throttled := errors.As(sent, &se) && se.Failure == bot.Throttled // the chat's pause, whatever became of the bubble
	if box.Keepers[lane].Who != r.Name && (owed == nil && !throttled || errors.Is(sent, errTaken)) {
		end() // another process has written, or will write, what becomes of it; or the document is not there any more
		return nil, false, nil
	}
	if throttled {
		box.Pause(lane, now.Add(max(se.After, 50*time.Millisecond)))
	}
	var out bot.Outcome
	if owed != nil {
		switch {
		case sent == nil:
			for _, p := range kept {
				box.Drop(p.ID)
			}
			delete(box.Paused, lane)
			doc, out, err = s.apply(ctx, doc, caused, now)
			if err != nil {
				return nil, false, err
			}
			box = doc.box()
		case errors.Is(sent, ErrStopping), errors.Is(sent, errTaken), throttled:
		case errors.Is(sent, errWorthless), se != nil && se.Failure == bot.Permanent:
			box.Drop(owed.ID)
		case se != nil && se.Failure == bot.Gone:
			box.Drop(owed.ID) // a record's promise too: nobody is there to be reached
			doc.gone()
			doc.stuck(now)
		case se != nil && se.Failure == bot.Closed:
			owed.Waits = known // else they may have written meanwhile: it is tried again
			doc.stuck(now)
		default:
			owed.Tries++
			owed.NotBefore = now.Add(wait(owed.Tries))
		}
	}
	mine := box.Keepers[lane].Who == r.Name || box.Keepers[lane].Who == ""
	if mine {
		delete(box.Keepers, lane) // taken again below when there is something due
	}
	if r.stopping() {
		box.Wake(doc.timers())
	} else {
		r.claim(box, now, doc.timers())
	}
	if err := s.save(ctx, doc); err != nil {
		return nil, false, err
	}
	r.withdrew(out)
	more := box.Keepers[lane].Who == r.Name && box.Due(lane, now)
	if !more {
		end()
	}
	for l, k := range box.Keepers { // a signal stepped here may owe something in another lane
		if l != lane && k.Who == r.Name {
			r.keep(s, id, l, doc)
		}
	}
	return doc, more, nil
}

func (r *Runner) report(p bot.Promise, err error) {
	switch {
	case err == nil:
		r.Count("kept_" + string(p.Kind()))
	case errors.Is(err, ErrStopping), errors.Is(err, errTaken):
	case errors.Is(err, errWorthless):
		r.Count("worthless")
		r.Log.Info("promise", "kind", p.Kind(), "result", "worthless")
	default:
		kind := bot.KindOf(err)
		r.Count("failed_" + string(p.Kind()) + "_" + kind.String())
		r.Log.Warn("promise", "kind", p.Kind(), "result", kind.String(), "tries", p.Tries, "error", err)
	}
}

// withdrew counts what a turn took back before it was sent.
func (r *Runner) withdrew(out bot.Outcome) {
	for range out.Withdrawn {
		r.Count("worthless")
	}
}

// wait is how long after the n-th temporary failure the next try comes: at once, then 2 s, 4 s, 8 s … 30 s.
func wait(n int) time.Duration {
	if n <= 1 {
		return 0
	}
	return min(time.Second<<min(n-1, 10), longest)
}
