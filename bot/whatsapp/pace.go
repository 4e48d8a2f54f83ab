package whatsapp

import (
	"context"
	"sync"
	"time"

	"llave/bot/wire"
)

const (
	chatEvery   = 6 * time.Second // between messages to one person, in the long run
	chatBurst   = 10              // so many at once before that
	longestHold = 1500 * time.Millisecond
	slowestRate = 0.1
	sweepFrom   = 1024 // chats remembered before the idle ones are dropped

	chatPause    = chatEvery   // after a refusal that names no time: for a person,
	allPause     = time.Second // for the whole number, and twice that for each further one,
	longestPause = time.Minute // up to here
)

// pace decides when a message may go out. First it waits for its chat's turn: WhatsApp lets one person have a message
// every six seconds, and a short burst that is paid back. Then it waits for the whole number's: no burst, so that no
// second ever holds more than the rate. A chat is forgotten once it owes nothing any more.
//
// A refusal pauses the person, or the whole number, whichever it was about. If the first message after a pause of the
// number is refused as well, the next pause is twice as long: nobody knows how long a limit by the hour still lasts.
type pace struct {
	now func() time.Time

	mu         sync.Mutex
	whole      queue
	wholeUntil time.Time
	wholePause time.Duration // the last one; 0 since something was taken
	chats      map[string]*chatPace
	sweepAt    int
}

type chatPace struct {
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
func (q *queue) take(now time.Time) (place time.Time) {
	if q.paid.Before(now) {
		q.paid = now
	}
	q.paid = q.paid.Add(q.every)
	return q.paid
}

// giveBack makes a place free again, if nobody stands behind it: they have been told when.
func (q *queue) giveBack(place time.Time) {
	if q.paid.Equal(place) {
		q.paid = place.Add(-q.every)
	}
}

func newPace(perSecond float64, now func() time.Time) *pace {
	p := &pace{now: now, whole: queue{burst: 1}, chats: map[string]*chatPace{}, sweepAt: sweepFrom}
	p.setRate(perSecond)
	return p
}

func (p *pace) setRate(perSecond float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.whole.every = time.Duration(float64(time.Second) / max(perSecond, slowestRate))
}

// enter waits for the moment at which a message to chat may go out. If that is further away than longestHold it
// returns how long to wait instead, and whether it is the whole number that is paused.
func (p *pace) enter(ctx context.Context, chat string) (after time.Duration, whole bool, err error) {
	latest := p.now().Add(longestHold)
	mine, after, whole, err := p.turn(ctx, chat, p.ofChat, latest)
	if after > 0 || err != nil {
		return after, whole, err
	}
	ours, after, whole, err := p.turn(ctx, chat, p.ofAll, latest)
	if after == 0 && err == nil {
		// Somebody else may have been refused meanwhile.
		if after, whole = p.paused(chat); after > 0 {
			p.giveBack(chat, p.ofAll, ours)
		}
	}
	if after > 0 || err != nil {
		p.giveBack(chat, p.ofChat, mine)
	}
	return after, whole, err
}

// turn takes a place in a queue and waits for its turn, unless that comes too late or nothing may be sent at all.
func (p *pace) turn(ctx context.Context, chat string, in func(string, time.Time) *queue, latest time.Time) (place time.Time, after time.Duration, whole bool, err error) {
	p.mu.Lock()
	now := p.now()
	q := in(chat, now)
	wait := q.wait(now)
	after, whole = p.pausedAt(chat, now)
	switch {
	case after > 0:
	case now.Add(wait).After(latest):
		after = wait
	default:
		place = q.take(now)
	}
	p.mu.Unlock()
	if after == 0 && !wire.Sleep(ctx, wait) {
		p.giveBack(chat, in, place)
		err = ctx.Err()
	}
	return place, after, whole, err
}

func (p *pace) giveBack(chat string, in func(string, time.Time) *queue, place time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	in(chat, p.now()).giveBack(place)
}

func (p *pace) ofAll(string, time.Time) *queue           { return &p.whole }
func (p *pace) ofChat(chat string, now time.Time) *queue { return &p.find(chat, now).queue }

// paused says how long nothing may be sent to chat because of a refusal, and whether that holds for the whole number.
func (p *pace) paused(chat string) (after time.Duration, whole bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pausedAt(chat, p.now())
}

func (p *pace) pausedAt(chat string, now time.Time) (after time.Duration, whole bool) {
	if d := p.wholeUntil.Sub(now); d > 0 {
		return d, true
	}
	if c := p.chats[chat]; c != nil {
		return max(c.until.Sub(now), 0), false
	}
	return 0, false
}

// refused pauses a chat, for the time that the refusal named (0: it named none), and returns for how long.
func (p *pace) refused(chat string, after time.Duration) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if after <= 0 {
		after = chatPause
	}
	now := p.now()
	p.find(chat, now).until = now.Add(after)
	return after
}

// refusedAll pauses the whole number in the same way. Refusals of messages that were under way when the pause began
// do not make it longer.
func (p *pace) refusedAll(after time.Duration) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	left := p.wholeUntil.Sub(now)
	switch {
	case after > 0:
	case left > 0:
		return left
	case p.wholePause > 0:
		after = min(2*p.wholePause, longestPause)
	default:
		after = allPause
	}
	if after > left {
		p.wholeUntil, p.wholePause = now.Add(after), after
	}
	return max(after, left)
}

// taken notes that a message was taken: the number is not slowed down any more.
func (p *pace) taken() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.wholeUntil.After(p.now()) {
		p.wholePause = 0
	}
}

// find returns the chat's pace. Now and then it forgets the chats that are as good as new; the next sweep comes when
// twice as many are known as were left, so that a sweep costs nothing worth naming.
func (p *pace) find(chat string, now time.Time) *chatPace {
	if c := p.chats[chat]; c != nil {
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
	c := &chatPace{queue: queue{every: chatEvery, burst: chatBurst}}
	p.chats[chat] = c
	return c
}
