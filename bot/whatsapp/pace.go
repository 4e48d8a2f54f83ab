package whatsapp

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
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

// pace decides when a message may go out. One bucket is the whole number's: no burst, so that no second ever holds
// more than the rate. Each chat has one too: WhatsApp lets one person have a message every six seconds, and a short
// burst that is paid back. A chat is forgotten once its bucket is full again.
//
// A refusal pauses the person, or the whole number, whichever it was about. If the first message after a pause of the
// number is refused as well, the next pause is twice as long: nobody knows how long a limit by the hour still lasts.
type pace struct {
	now   func() time.Time
	whole *rate.Limiter

	mu         sync.Mutex
	wholeUntil time.Time
	wholePause time.Duration // the last one; 0 since something was taken
	chats      map[string]*chatPace
	sweepAt    int
}

type chatPace struct {
	bucket *rate.Limiter
	until  time.Time
}

func newPace(perSecond float64, now func() time.Time) *pace {
	p := &pace{now: now, whole: rate.NewLimiter(0, 1), chats: map[string]*chatPace{}, sweepAt: sweepFrom}
	p.setRate(perSecond)
	return p
}

func (p *pace) setRate(perSecond float64) {
	p.whole.SetLimitAt(p.now(), rate.Limit(max(perSecond, slowestRate)))
}

// enter waits for the moment at which a message to chat may go out. If that is further away than longestHold it
// returns at once how long to wait instead, and whether it is the whole number that is paused.
func (p *pace) enter(ctx context.Context, chat string) (after time.Duration, whole bool, err error) {
	if after, whole = p.paused(chat); after > 0 {
		return after, whole, nil
	}
	now, mine, ours := p.reserve(chat)
	giveBack := func() {
		at := p.now()
		ours.CancelAt(at)
		mine.CancelAt(at)
	}
	wait := max(mine.DelayFrom(now), ours.DelayFrom(now))
	if wait > longestHold {
		giveBack()
		return wait, false, nil
	}
	if !hold(ctx, wait) {
		giveBack()
		return 0, false, ctx.Err()
	}
	// Somebody else may have been refused meanwhile.
	if after, whole = p.paused(chat); after > 0 {
		giveBack()
	}
	return after, whole, nil
}

// paused says how long nothing may be sent to chat because of a refusal, and whether that holds for the whole number.
func (p *pace) paused(chat string) (after time.Duration, whole bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
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

// reserve takes a place in both queues, at one moment.
func (p *pace) reserve(chat string) (now time.Time, mine, ours *rate.Reservation) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now = p.now()
	return now, p.find(chat, now).bucket.ReserveN(now, 1), p.whole.ReserveN(now, 1)
}

// find returns the chat's pace. Now and then it forgets the chats that are as good as new; the next sweep comes when
// twice as many are known as were left, so that a sweep costs nothing worth naming.
func (p *pace) find(chat string, now time.Time) *chatPace {
	if c := p.chats[chat]; c != nil {
		return c
	}
	if len(p.chats) >= p.sweepAt {
		for id, c := range p.chats {
			if c.bucket.TokensAt(now) >= chatBurst && !c.until.After(now) {
				delete(p.chats, id)
			}
		}
		p.sweepAt = max(sweepFrom, 2*len(p.chats))
	}
	c := &chatPace{bucket: rate.NewLimiter(rate.Every(chatEvery), chatBurst)}
	p.chats[chat] = c
	return c
}

// hold waits and says whether ctx still lives.
func hold(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
