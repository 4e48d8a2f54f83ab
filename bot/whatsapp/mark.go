package whatsapp

import (
	"context"
	"time"

	"llave/bot"
)

const (
	markers     = 16   // calls at a time
	marksQueued = 1024 // messages waiting for one; more stay unmarked
	markTimeout = 5 * time.Second

	// The indicator stays until our next message, or for 25 seconds. One that reaches the person after the answer
	// promises another, so a message that is old when its turn comes, or that came again, is only marked as read.
	typingWithin = time.Second
	typingFresh  = 20 * time.Second
)

// mark is a message to be marked as read.
type mark struct {
	id     string
	came   time.Time // when we got it
	typing bool
}

// wireMark is the request.
type wireMark struct {
	Product string      `json:"messaging_product"`
	Status  string      `json:"status"`
	ID      string      `json:"message_id"`
	Typing  *wireTyping `json:"typing_indicator,omitempty"`
}

type wireTyping struct {
	Type string `json:"type"`
}

// markLater has the last message of each person marked as read, which marks those before it too, soon and as well as
// can be. It is asked before the messages are handled, so that the person sees at once that somebody is there.
func (c *Channel) markLater(line []incoming) {
	for i := len(line) - 1; i >= 0; i-- {
		in := line[i]
		if in.MessageID == "" || in.ignored != "" || in.Kind == bot.Reaction {
			continue
		}
		now := c.now()
		select {
		case c.marks <- mark{id: in.MessageID, came: now, typing: now.Sub(in.At) < typingFresh}:
		default:
			c.opt.Count(CountUnmarked)
		}
		return
	}
}

// Typing shows the person for some seconds that somebody writes to them, beside their last message, if that can be done at
// once.
func (c *Channel) Typing(lastMessage string) {
	if lastMessage == "" {
		return
	}
	select {
	case c.marks <- mark{id: lastMessage, came: c.now(), typing: true}:
	default:
		c.opt.Count(CountUnmarked)
	}
}

// markAll marks what is queued until [ctx] ends. What is queued then stays unmarked: nobody misses it.
func (c *Channel) markAll(ctx context.Context) {
	for {
		select {
		case m := <-c.marks:
			c.markRead(ctx, m)
		case <-ctx.Done():
			return
		}
	}
}

func (c *Channel) markRead(ctx context.Context, m mark) {
	if after, _ := c.pace.Paused(""); after > 0 { // the number is asked to be quiet
		c.opt.Count(CountUnmarked)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, markTimeout)
	defer cancel()
	body := wireMark{Product: "whatsapp", Status: "read", ID: m.id}
	if m.typing && c.now().Sub(m.came) < typingWithin {
		body.Typing = &wireTyping{Type: "text"}
	}
	if err := c.client.post(ctx, body, nil); err != nil {
		c.opt.Count(CountUnmarked)
		c.log.Debug("message not marked as read", "err", without(err, m.id))
	}
}
