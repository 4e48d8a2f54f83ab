// Package pace limits the rate at which a channel sends. A message waits first for its chat, which has a rate and a burst,
// and then for the whole channel, which has a rate and no burst: no second ever holds more than the rate. A chat is
// forgotten once it owes nothing.
//
// A refusal of the platform pauses a chat or the whole channel. The channel says which, and for how long.
//
// golang.org/x/time/rate is not used. A message whose chat's turn has come, while the channel's comes too late, gives its
// chat's turn back. There a reservation can be given back only until its turn has come, so each try would cost the person
// one message of their burst.
package pace

import (
	"context"
	"sync"
	"time"

	"llave/bot/wire"
)

// LongestHold is how long a message is held for its turn; what would wait longer is given back to the caller.
const LongestHold = 1500 * time.Millisecond

const (
	slowestRate = 0.1
	sweepFrom   = 1024 // chats remembered before the idle ones are dropped
)

// Chat is what a platform allows for one chat.
type Chat struct {
	Every time.Duration // between messages, in the long run
	Burst int           // so many at once before that
}

// Pacer keeps the pace of one channel. It is safe for use by many goroutines.
type Pacer struct {
	each Chat
	now  func() time.Time

	mu         sync.Mutex
	whole      queue
	wholeUntil time.Time // paused
	chats      map[string]*chat
	sweepAt    int
}

type chat struct {
	queue queue
	until time.Time // paused
}

// queue lets one through every so often, and a burst ahead of time.
type queue struct {
	every time.Duration
	burst int
	paid  time.Time // when all it has let through is paid for
}

// wait is how long the next one must wait.
func (q *queue) wait(now time.Time) time.Duration {
	return max(0, q.paid.Add(-time.Duration(q.burst-1)*q.every).Sub(now))
}

// take gives the next one its place.
func (q *queue) take(now time.Time) (slot time.Time) {
	if q.paid.Before(now) {
		q.paid = now
	}
	q.paid = q.paid.Add(q.every)
	return q.paid
}

// spare is how long what may come last of all must wait: until a place was left that nobody took.
func (q *queue) spare(now time.Time) time.Duration { return max(0, q.afterSpare(now).Sub(now)) }

// takeSpare takes a place that was left, so that the next one in the queue goes as soon as it would have gone without.
func (q *queue) takeSpare(now time.Time) {
	q.paid = q.afterSpare(now).Add(time.Duration(q.burst-1) * q.every)
}

// afterSpare is when the next one could go after a spare place was taken now.
func (q *queue) afterSpare(now time.Time) time.Time {
	paid := q.paid
	if left := now.Add(-q.every); paid.Before(left) {
		paid = left
	}
	return paid.Add(q.every).Add(-time.Duration(q.burst-1) * q.every)
}

// giveBack makes a place free again, if nobody stands behind it: they have been told when.
func (q *queue) giveBack(slot time.Time) {
	if q.paid.Equal(slot) {
		q.paid = slot.Add(-q.every)
	}
}

// New makes a pacer for [perSecond] messages of all chats together, and what [each] of them allows.
func New(perSecond float64, each Chat, now func() time.Time) *Pacer {
	p := &Pacer{each: each, now: now, whole: queue{burst: 1}, chats: map[string]*chat{}, sweepAt: sweepFrom}
	p.SetRate(perSecond)
	return p
}

// SetRate changes how many messages a second all chats have together.
func (p *Pacer) SetRate(perSecond float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.whole.every = time.Duration(float64(time.Second) / max(perSecond, slowestRate))
}

// Enter waits for the moment at which a message to a chat may go out. If that is further away than LongestHold it returns
// how long to wait instead, and whether it is the whole channel that is paused.
func (p *Pacer) Enter(ctx context.Context, to string) (after time.Duration, whole bool, err error) {
	latest := p.now().Add(LongestHold)
	mine, after, whole, err := p.turn(ctx, to, p.ofChat, latest)
	if after > 0 || err != nil {
		return after, whole, err
	}
	ours, after, whole, err := p.turn(ctx, to, p.ofAll, latest)
	if after == 0 && err == nil {
		// Somebody else may have been refused meanwhile.
		if after, whole = p.Paused(to); after > 0 {
			p.giveBack(to, p.ofAll, ours)
		}
	}
	if after > 0 || err != nil {
		p.giveBack(to, p.ofChat, mine)
	}
	return after, whole, err
}

// turn takes a position in a queue and waits for its turn, unless that comes too late or nothing may be sent at all.
func (p *Pacer) turn(ctx context.Context, to string, in func(string, time.Time) *queue, latest time.Time) (slot time.Time, after time.Duration, whole bool, err error) {
	p.mu.Lock()
	now := p.now()
	q := in(to, now)
	wait := q.wait(now)
	after, whole = p.pausedAt(to, now)
	switch {
	case after > 0:
	case now.Add(wait).After(latest):
		after = wait
	default:
		slot = q.take(now)
	}
	p.mu.Unlock()
	if after == 0 && !wire.Sleep(ctx, wait) {
		p.giveBack(to, in, slot)
		err = ctx.Err()
	}
	return slot, after, whole, err
}

// Spare waits until something may go to a chat that is less than a message: where rate was left over, in the chat and in the
// whole channel, and nobody waits. It holds no place meanwhile, and a message that comes next does not wait for it; so a
// second may hold one more than the rate has. If the moment is further away than LongestHold it returns how long, at least.
func (p *Pacer) Spare(ctx context.Context, to string) (after time.Duration, err error) {
	var waited time.Time // until when the wait that just ended made sure that rate was left, unless somebody went meanwhile
	var chat, whole time.Time
	for hold := LongestHold; ; hold -= after {
		p.mu.Lock()
		now := p.now()
		mine := &p.find(to, now).queue
		paused, _ := p.pausedAt(to, now)
		after = max(paused, mine.spare(now), p.whole.spare(now))
		same := !waited.IsZero() && paused == 0 && mine.paid.Equal(chat) && p.whole.paid.Equal(whole)
		if after == 0 || same {
			at := now
			if same && waited.After(at) {
				at = waited // the wait is believed rather than the clock, as Enter does
			}
			mine.takeSpare(at)
			p.whole.takeSpare(at)
			after = 0
		}
		waited, chat, whole = now.Add(after), mine.paid, p.whole.paid
		p.mu.Unlock()
		if after == 0 || after > hold {
			return after, nil
		}
		if !wire.Sleep(ctx, after) {
			return after, ctx.Err()
		}
	}
}

func (p *Pacer) giveBack(to string, in func(string, time.Time) *queue, slot time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	in(to, p.now()).giveBack(slot)
}

func (p *Pacer) ofAll(string, time.Time) *queue         { return &p.whole }
func (p *Pacer) ofChat(to string, now time.Time) *queue { return &p.find(to, now).queue }

// Paused says how long nothing may be sent to a chat because of a refusal, and whether that holds for the whole channel. Of
// no chat, "", it says how long the channel is paused.
func (p *Pacer) Paused(to string) (after time.Duration, whole bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pausedAt(to, p.now())
}

func (p *Pacer) pausedAt(to string, now time.Time) (after time.Duration, whole bool) {
	if d := p.wholeUntil.Sub(now); d > 0 {
		return d, true
	}
	if c := p.chats[to]; c != nil {
		return max(c.until.Sub(now), 0), false
	}
	return 0, false
}

// Pause has nothing go to a chat for some time from now.
func (p *Pacer) Pause(to string, after time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	p.find(to, now).until = now.Add(after)
}

// PauseAll has nothing go to anybody for some time from now; a pause that lasts longer stays as it is.
func (p *Pacer) PauseAll(after time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := p.now().Add(after); until.After(p.wholeUntil) {
		p.wholeUntil = until
	}
}

// find returns the chat's pace. Now and then it forgets the chats that are as good as new; the next sweep comes when
// twice as many are known as were left, so that a sweep costs nothing worth naming.
func (p *Pacer) find(to string, now time.Time) *chat {
	if c := p.chats[to]; c != nil {
		return c
	}
	if len(p.chats) >= p.sweepAt {
		for id, c := range p.chats {
			if !c.queue.paid.After(now) && !c.until.After(now) {
				delete(p.chats, id)
			}
		}
		p.sweepAt = max(sweepFrom, 2*len(p.chats))
	}
	c := &chat{queue: queue{every: p.each.Every, burst: p.each.Burst}}
	p.chats[to] = c
	return c
}
