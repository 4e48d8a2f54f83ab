package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"llave/bot"
	"llave/internal/trace"
)

// keeping is one lane of one document, kept by this process.
type keeping struct {
	*Runner
	shelf shelf
	id    string
	lane  bot.Lane
}

func (k keeping) key() string { return k.shelf.key(k.id) + "/" + string(k.lane) }

// keep starts keeping a lane of a document whose keeper this process is, unless it is being kept here already. The
// document's lock is held by the caller, so that nothing is missed between a lane's end and a new promise.
func (r *Runner) keep(k keeping, doc document) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running[k.key()] {
		return
	}
	r.running[k.key()] = true
	r.active++
	r.busy.Add(1)
	mine := doc.copy() // now: the caller goes on to change the document
	go func() {
		defer r.leave()
		k.run(mine)
	}()
}

func (k keeping) isRunning() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.running[k.key()]
}

func (k keeping) end() {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.running, k.key())
}

// run keeps one promise after the other until there is none due, or another process has taken the lane over.
func (k keeping) run(doc document) {
	ctx := context.Background() // what is being kept outlives the request that caused it; tries have their own limit
	for more := true; more; {
		head := doc.outbox().Head(k.lane)
		if head == nil {
			doc, more = k.look(ctx)
			continue
		}
		now, _ := k.Now(ctx)
		doc, more = k.once(ctx, doc, k.together(doc, *head, now), now)
	}
}

// look decides under the document's lock whether the lane is empty, when the snapshot that is being kept is.
func (k keeping) look(ctx context.Context) (document, bool) {
	release := k.locks.lock(k.shelf.key(k.id))
	defer release()
	fresh, err := k.shelf.load(ctx, k.id)
	if err == nil && fresh.outbox().Head(k.lane) != nil && fresh.outbox().Keepers[k.lane].Who == k.me().name {
		return fresh, true
	}
	k.end()
	return nil, false
}

// once tries what stands at the head, and writes what became of it. more says whether there is more to keep now.
func (k keeping) once(ctx context.Context, doc document, owed []bot.Promise, now time.Time) (after document, more bool) {
	t := try{lane: k.lane, owed: owed, by: k.me().name}
	began := time.Now()
	switch p := owed[0]; {
	case k.stopping():
		t.err = ErrStopping
	case !p.Until.IsZero() && now.After(p.Until) && !k.late[p.Kind()]:
		t.err = errWorthless
	case p.Kind() == bot.PromiseSpend:
		t.err = k.edit(ctx, doc, p, p.What.(bot.Spend))
	default:
		g := k.begin()
		t.by = g.by.name
		defer g.release() // once it is written down: until then the store may say that this process has the lane for long
		t.effects, t.err = k.traceTry(ctx, g, doc, t.owed)
		if len(owed) > 1 && bot.KindOf(t.err) == bot.Permanent {
			t.owed = owed[:1] // one of them is at fault: each by itself, so that it takes no other with it
			t.effects, t.err = k.traceTry(ctx, g, doc, t.owed)
		}
		if s := t.effects.Signal; s != nil {
			s.Trace = p.Trace
		}
	}
	t.took = time.Since(began)
	return k.mark(ctx, doc, t)
}

// together is the promise whose turn it is, and those that can be kept with it: bubbles of the same voice that wait behind
// it, in a channel where each costs.
func (r *Runner) together(doc document, head bot.Promise, now time.Time) []bot.Promise {
	if !r.merges(doc) {
		return []bot.Promise{head}
	}
	return bubblesFrom(doc, head, now)
}

// merges says whether what waits together in the document's channel goes out as one bubble.
func (r *Runner) merges(doc document) bool {
	channel, _ := bot.SplitConversationID(doc.id())
	m, ok := r.channels[channel].(Merger)
	return ok && m.Merges()
}

// bubblesFrom is the promise whose turn it is, and the bubbles of the same voice that wait behind it.
func bubblesFrom(doc document, head bot.Promise, now time.Time) []bot.Promise {
	owed := []bot.Promise{head}
	if head.Kind() != bot.PromiseSay {
		return owed
	}
	for _, p := range doc.outbox().Promises {
		if p.Lane() != head.Lane() || p.ID == head.ID {
			continue
		}
		if p.Kind() != bot.PromiseSay || p.NotBefore.After(now) || len(owed) == bot.OneBubble || said(p).By != said(head).By {
			break // an agent's words are a bubble of their own
		}
		owed = append(owed, p)
	}
	return owed
}

// said is what a promise of saying something says.
func said(p bot.Promise) *bot.Reply { return p.What.(bot.Say).Reply }

// bubble is what promises of saying something come to in one bubble: their texts, and the buttons of the last. In a channel where each
// is sent by itself it is the first, now that the others wait behind it.
func (r *Runner) bubble(doc document, owed []bot.Promise, now time.Time) (bot.Reply, error) {
	inOrder := slices.Clone(owed) // one that came back stands behind what was said after it
	slices.SortStableFunc(inOrder, func(a, b bot.Promise) int { return cmp.Compare(said(a).Prompt, said(b).Prompt) })
	var bubbles []bot.Reply
	for _, p := range inOrder {
		reply := *said(p)
		if reply.Sealed {
			text, err := r.Open(doc.id(), reply.Text)
			if err != nil {
				return bot.Reply{}, &bot.SendError{Failure: bot.Permanent, Reason: "text cannot be opened", Err: err}
			}
			reply.Text, reply.Sealed = text, false
		}
		bubbles = append(bubbles, reply)
	}
	if !r.merges(doc) {
		var later []bot.Reply
		for _, p := range bubblesFrom(doc, owed[0], now)[1:] {
			if said(p).Prompt > bubbles[0].Prompt { // else the first came back: it stands behind
				later = append(later, *said(p))
			}
		}
		return bot.Overtaken(bubbles[0], later), nil
	}
	return bot.Together(bubbles), nil
}

// ErrDead is what a Keep comes to whose promise's time is over, and which has put aside what nobody took: it is owed no longer, and
// was not kept.
var ErrDead = errors.New("nobody took it in its time")

// What a try comes to when nothing was sent, beside ErrStopping.
var (
	errTaken     = errors.New("another process keeps this lane, or may")
	errWorthless = errors.New("its time is over")
	errUnknown   = errors.New("this version does not know the kind")
)

// leased is a context that also ends when this process may no longer keep a lane, because it could not renew its claim in
// time: the store was away, or the process was suspended. It looks at the clock in Err, since a process that is resumed
// goes on at once, before its timers fire, and must not send what another has sent meanwhile. Done does not tell: what is
// on its way is better let arrive. Call Err last before sending.
type leased struct {
	context.Context
	whole context.Context // without the limit of one try
	now   func(ctx context.Context) (time.Time, error)
	grip  *grip
}

func (l leased) Err() error {
	if err := l.Context.Err(); err != nil {
		return err
	}
	now, err := l.now(l.Context)
	if err != nil || now.After(l.grip.until().Add(-keepFor/10)) { // the message needs a moment to arrive
		return errTaken
	}
	return nil
}

// tryOnce keeps what is owed once, when it is its turn in this process. When it takes long this process has the lane for as
// long as its lease lives; it gives up when another process has taken over, since what we send then would be a second one.
func (k keeping) tryOnce(ctx context.Context, g *grip, doc document, owed []bot.Promise) (Effects, error) {
	keeper := doc.outbox().Keepers[k.lane]
	if keeper.Who != g.by.name {
		return Effects{}, errTaken // it was claimed before this process had to take another name
	}
	g.believe(keeper.Until)
	ctx, taken := context.WithCancelCause(ctx)
	holding := make(chan struct{})
	go func() {
		defer close(holding)
		k.hold(ctx, g, owed[0].ID, taken)
	}()
	defer func() {
		taken(nil)
		<-holding
	}()
	select {
	case k.slots[k.lane] <- struct{}{}:
		defer func() { <-k.slots[k.lane] }()
	case <-k.closing:
		return Effects{}, ErrStopping
	case <-g.by.lost:
		return Effects{}, errTaken
	case <-ctx.Done():
		return Effects{}, context.Cause(ctx)
	}
	limited, cancel := context.WithTimeout(ctx, sendLimit) // from now: waiting for a slot is no part of it
	defer cancel()
	believed := leased{limited, ctx, k.Now, g}
	if believed.Err() != nil {
		return Effects{}, errTaken // or not: marking looks
	}
	effects, err := k.perform(believed, doc, owed)
	if err != nil && (errors.Is(err, errTaken) || errors.Is(context.Cause(ctx), errTaken)) {
		return Effects{}, errTaken
	}
	return effects, err
}

func (k keeping) perform(believed leased, doc document, owed []bot.Promise) (_ Effects, err error) {
	defer panicked(&err)
	p := owed[0]
	ctx := believed.Context
	switch what := p.What.(type) {
	case bot.Say, bot.Delete:
		channel, chat := bot.SplitConversationID(doc.id())
		ch, ok := k.channels[channel]
		if !ok {
			return Effects{}, &bot.SendError{Failure: bot.Temporary, Reason: "channel " + channel + " is off"}
		}
		chat, err := k.address(ctx, channel, chat)
		if err != nil {
			return Effects{}, err
		}
		if d, ok := what.(bot.Delete); ok {
			return Effects{}, ch.Delete(ctx, chat, d.MessageID)
		}
		now, clock := k.Now(ctx)
		reply, err := k.bubble(doc, owed, now)
		if err != nil {
			return Effects{}, err
		}
		if clock == nil {
			reply.Silence = now.Sub(doc.heard())
		}
		if b, ok := ch.(Bubbler); ok {
			bubble, err := b.SendBubble(believed, chat, reply)
			return Effects{Asked: reply.AskedIn(bubble)}, err
		}
		return Effects{}, ch.Send(believed, chat, reply)
	case bot.Unknown:
		return Effects{}, errUnknown
	}
	return k.keeps[p.Kind()](context.WithValue(ctx, believedKey{}, believed), p) // New saw to it that there is one
}

// address is what the channel calls a chat.
func (k keeping) address(ctx context.Context, channel, chat string) (string, error) {
	address, err := k.Address(ctx, channel, chat)
	if err == nil && address == "" {
		err = &bot.SendError{Failure: bot.Gone, Reason: "the chat was erased"}
	}
	return address, err
}

// mark writes down what became of a try, with what it caused. It does not give up before the process does: an accepted
// message that is not marked would be sent again. For the same reason it begins with the document as it was when the try
// began: mostly nobody has written it since, and a process that dies has one round trip less to die in.
func (k keeping) mark(ctx context.Context, known document, t try) (after document, more bool) {
	k.report(known, t)
	for t.same = k.lane != bot.LaneEdit; ; t.same = false { // an edit comes after a bubble, whose mark has written it meanwhile
		doc, more, err := k.markOnce(ctx, known, t)
		switch {
		case err == nil:
			return doc, more
		case errors.Is(err, bot.ErrConflict):
			continue
		case k.stopping():
			k.me().spoil()
			k.end()
			k.Log.Error("promise could not be marked", "kind", t.owed[0].Kind(), "error", err)
			return nil, false
		}
		k.Log.Warn("mark promise", "kind", t.owed[0].Kind(), "error", err)
		k.waitToWrite(ctx)
	}
}

// waitToWrite is the pause between two tries to write down what was sent.
func (r *Runner) waitToWrite(ctx context.Context) {
	const pause = 500 * time.Millisecond
	select {
	case <-time.After(pause):
	case <-r.closing:
	case <-ctx.Done():
	}
}

// markOnce writes it into known, where that is still the document, or into the document as it is stored.
func (k keeping) markOnce(ctx context.Context, known document, t try) (doc document, more bool, err error) {
	release := k.locks.lock(k.shelf.key(k.id))
	defer release()
	doc = known
	if !t.same {
		if doc, err = k.shelf.load(ctx, k.id); err != nil {
			return nil, false, fmt.Errorf("load to mark: %w", err)
		}
	}
	now, err := k.Now(ctx)
	if err != nil {
		return nil, false, fmt.Errorf("read the store's clock: %w", err)
	}
	outbox, f := settle(*doc.outbox(), t, now)
	if f == theirs {
		k.end()
		return nil, false, nil
	}
	*doc.outbox() = outbox
	doc, dropped, in, err := k.follow(ctx, doc, t, f, now)
	defer func() { k.stepped(k.id, in, err) }()
	if err != nil {
		return nil, false, err
	}
	if k.stopping() {
		doc.outbox().Wake(doc.timers())
	} else {
		k.claim(doc.outbox(), now, doc.timers())
	}
	if err := k.shelf.save(ctx, doc); err != nil {
		return nil, false, err
	}
	if f == givenUp {
		k.GaveUp(t.owed[0], mustHear(doc, t.owed[0]), t.err)
	}
	k.dropped(channelOf(doc), bot.Outcome{Unreached: dropped})
	return doc, k.goOn(doc, now), nil
}

// follow does to the document what the promise's fate has for it beside the outbox. It says how much is dropped with it because the
// person is gone, and which turn was stepped, if one was.
func (k keeping) follow(ctx context.Context, doc document, t try, f fate, now time.Time) (after document, dropped int, in *within, err error) {
	effects := t.effects
	switch {
	case f == done:
	case f == givenUp && mustHear(doc, t.owed[0]):
		p := t.owed[0]
		effects = Effects{Signal: &bot.Update{ID: "signal/" + p.ID + "/given_up", Signal: bot.SignalGivenUp, Trace: p.Trace}}
	case f == gone:
		dropped = 1 + doc.gone()
		doc.stuck(now)
		return doc, dropped, nil, nil
	case f == waits:
		doc.stuck(now)
		return doc, 0, nil, nil
	default:
		return doc, 0, nil, nil
	}
	after, in, err = k.shelf.apply(ctx, doc, effects, now)
	return after, 0, in, err
}

// mustHear says whether somebody in a chat was told of what is given up, and so must hear that it goes on another way.
func mustHear(doc document, p bot.Promise) bool {
	_, chat := doc.(*conversation)
	return chat && p.What.Told()
}

// goOn starts the other lanes of a document that was just written, to which a signal stepped in it may owe something, and
// says whether this lane has more to keep now.
func (k keeping) goOn(doc document, now time.Time) bool {
	me := k.me().name
	more := doc.outbox().Keepers[k.lane].Who == me && doc.outbox().Due(k.lane, now)
	if !more {
		k.end()
	}
	for l, keeper := range doc.outbox().Keepers {
		if l != k.lane && keeper.Who == me {
			k.keep(keeping{k.Runner, k.shelf, k.id, l}, doc)
		}
	}
	return more
}

func (k keeping) report(doc document, t try) {
	p := t.owed[0]
	tried := Tried{Channel: channelOf(doc), Kind: p.Kind(), Took: t.took}
	switch err := t.err; {
	case err == nil:
		k.went(t)
		tried.Result = PromiseKept
		now, clock := k.Now(context.Background())
		for _, p := range t.owed {
			if tried.Kind = p.Kind(); clock == nil {
				tried.Owed = max(0, now.Sub(p.Made))
			}
			k.Watch.Tried(tried)
		}
	case errors.Is(err, ErrStopping), errors.Is(err, errTaken):
	case errors.Is(err, ErrDead):
		tried.Result = PromiseDead
		k.Watch.Tried(tried)
	case errors.Is(err, errWorthless):
		tried.Result, tried.Took = PromiseWorthless, 0
		k.Watch.Tried(tried)
		level := slog.LevelInfo
		switch p.Kind() {
		case bot.PromiseNotice, bot.PromiseRevoked, bot.PromiseWarning: // somebody never heard of it
			level = slog.LevelWarn
		}
		k.Log.Log(context.Background(), level, "promise", "kind", p.Kind(), "result", "worthless", "turn", trace.ID(p.Trace), "trace_id", trace.Of(p.Trace))
	default:
		kind := bot.KindOf(err)
		tried.Result = kind.String()
		k.Watch.Tried(tried)
		k.Log.Warn("promise", "kind", p.Kind(), "result", kind.String(), "tries", p.Tries, "turn", trace.ID(p.Trace), "trace_id", trace.Of(p.Trace), "took", t.took, "error", err)
	}
}

// channelOf is the channel of a conversation; "" of an unlock document.
func channelOf(doc document) string {
	if _, is := doc.(*conversation); !is {
		return ""
	}
	channel, _ := bot.SplitConversationID(doc.id())
	return channel
}

// GaveUp tells the operator of a promise that was dropped because nobody can keep it, and whether the person hears of that.
func (r *Runner) GaveUp(p bot.Promise, heard bool, err error) {
	r.Watch.Tried(Tried{Kind: p.Kind(), Result: PromiseGivenUp})
	r.Log.Error("promise given up", "kind", p.Kind(), "tries", p.Tries, "person_told", heard, "turn", trace.ID(p.Trace), "trace_id", trace.Of(p.Trace), "error", err)
}
