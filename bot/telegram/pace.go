package telegram

import (
	"sync"
	"time"

	"llave/bot/pace"
)

// chatPace is what one chat may have: about one message a second, after a burst.
var chatPace = pace.Chat{Every: time.Second, Burst: 5}

// pacing is the pace of the bot and what a 429 does to it. It pauses the chat it was the answer to. Telegram does not say
// whether it meant the chat or the bot; when a second chat is refused while the pause of another still runs, it is taken to
// mean the bot, and everything waits.
type pacing struct {
	*pace.Pacer
	now func() time.Time

	mu          sync.Mutex
	lastRefused string
	lastUntil   time.Time
}

func newPacing(perSecond float64, now func() time.Time) *pacing {
	return &pacing{Pacer: pace.New(perSecond, chatPace, now), now: now}
}

// refused notes a 429 and says whether it pauses the whole bot.
func (p *pacing) refused(chat string, after time.Duration) (whole bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	p.Pause(chat, after)
	_, already := p.Paused("")
	whole = already || p.lastRefused != chat && p.lastUntil.After(now)
	if whole {
		p.PauseAll(after)
	}
	p.lastRefused, p.lastUntil = chat, now.Add(after)
	return whole
}
