package whatsapp

import (
	"sync"
	"time"

	"llave/bot/pace"
)

// chatPace is what one person may have: a message every six seconds, after a short burst that is paid back.
var chatPace = pace.Chat{Every: 6 * time.Second, Burst: 10}

const (
	chatPause    = 6 * time.Second // after a refusal that names no time: for a person,
	allPause     = time.Second     // for the whole number, and twice that for each further one,
	longestPause = time.Minute     // up to here
)

// pacing is the pace of the number and what a refusal does to it. A refusal pauses the person, or the whole number, whichever
// it was about. If the first message after a pause of the number is refused as well, the next pause is twice as long: nobody
// knows how long a limit by the hour still lasts.
type pacing struct {
	*pace.Pacer

	mu   sync.Mutex
	last time.Duration // the last pause of the number; 0 since something was taken
}

func newPacing(perSecond float64, now func() time.Time) *pacing {
	return &pacing{Pacer: pace.New(perSecond, chatPace, now)}
}

// refused pauses a chat, for the time that the refusal named (0: it named none), and returns for how long.
func (p *pacing) refused(chat string, after time.Duration) time.Duration {
	if after <= 0 {
		after = chatPause
	}
	p.Pause(chat, after)
	return after
}

// refusedAll pauses the whole number in the same way. Refusals of messages that were under way when the pause began
// do not make it longer.
func (p *pacing) refusedAll(after time.Duration) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	left, _ := p.Paused("")
	switch {
	case after > 0:
	case left > 0:
		return left
	case p.last > 0:
		after = min(2*p.last, longestPause)
	default:
		after = allPause
	}
	if after > left {
		p.PauseAll(after)
		p.last = after
	}
	return max(after, left)
}

// taken notes that a message was taken: the number is not slowed down any more.
func (p *pacing) taken() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if left, _ := p.Paused(""); left <= 0 {
		p.last = 0
	}
}
