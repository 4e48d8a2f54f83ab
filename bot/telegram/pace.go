package telegram

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"llave/bot/wire"
)

const (
	chatRate    = 1 // messages a second to one chat
	chatBurst   = 5
	longestHold = 1500 * time.Millisecond // what would wait longer is given back to the caller
	slowestRate = 0.1
	sweepFrom   = 1024 // chats remembered before the idle ones are dropped
)

// pace decides when a message may go out. One bucket is the whole bot's: no burst, so that no second ever holds more
// than the rate. Each chat has a small one, and is forgotten once that is full again.
//
// A 429 pauses the chat it was the answer to. Telegram does not say whether it meant the chat or the bot; when a
// second chat is refused while the pause of another still runs, it is taken to mean the bot, and everything waits.
type pace struct {
	now   func() time.Time
	whole *rate.Limiter

	mu          sync.Mutex
	wholeUntil  time.Time
	chats       map[string]*chatPace
	sweepAt     int
	lastRefused string
	lastUntil   time.Time
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
// returns at once how long to wait instead, and whether it is the whole bot that is paused.
func (p *pace) enter(ctx context.Context, chat string) (after time.Duration, whole bool, err error) {
	after, whole = p.paused(chat)
	if after > 0 {
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
	if !wire.Sleep(ctx, wait) {
		giveBack()
		return 0, false, ctx.Err()
	}
	// Somebody else may have been refused meanwhile.
	after, whole = p.paused(chat)
	return after, whole, nil
}

// paused says how long nothing may be sent to chat because of a 429, and whether that holds for the whole bot.
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

// refused notes a 429 and says whether it pauses the whole bot.
func (p *pace) refused(chat string, after time.Duration) (whole bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	until := now.Add(after)
	p.find(chat, now).until = until
	whole = p.lastRefused != chat && p.lastUntil.After(now) || p.wholeUntil.After(now)
	if whole && until.After(p.wholeUntil) {
		p.wholeUntil = until
	}
	p.lastRefused, p.lastUntil = chat, until
	return whole
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
	c := &chatPace{bucket: rate.NewLimiter(chatRate, chatBurst)}
	p.chats[chat] = c
	return c
}
