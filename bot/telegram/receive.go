package telegram

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	tgbotapi "github.com/go-telegram-bot-api/telegram-bot-api/v5"
)

const (
	handleTimeout = 30 * time.Second // one turn; both platforms ask again
	answerTimeout = 5 * time.Second
	answerers     = 16   // answerCallbackQuery calls at a time
	answersQueued = 1024 // presses waiting for one; more are left to spin
)

// take handles one update. nil means that it need not come again.
func (c *Channel) take(ctx context.Context, in incoming) (err error) {
	if in.ignored != "" {
		c.opt.Count(CountIgnored)
		c.log.Debug("update ignored", "what", in.ignored)
		c.answerLater(in.query)
		return nil
	}
	defer func() {
		if p := recover(); p != nil {
			c.log.Error("update handler panicked", "conv", in.Conv(), "panic", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			err = errors.New("update handler panicked")
			c.opt.Count(CountHandleFailed)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, handleTimeout)
	defer cancel()
	if err := c.opt.Handle(ctx, in.Update); err != nil {
		c.opt.Count(CountHandleFailed)
		return err
	}
	c.opt.Count(CountUpdate)
	c.answerLater(in.query)
	return nil
}

// answerLater stops the spinner of a pressed button, soon and as well as can be: it ends by itself in any case.
func (c *Channel) answerLater(query string) {
	if query == "" {
		return
	}
	select {
	case c.answers <- query:
	default:
		c.opt.Count(CountUnanswered)
	}
}

// answerPresses answers callback queries until [ctx] has ended and none waits.
func (c *Channel) answerPresses(ctx context.Context) {
	for {
		select {
		case query := <-c.answers:
			c.answerPress(context.WithoutCancel(ctx), query)
			continue
		default:
		}
		select {
		case query := <-c.answers:
			c.answerPress(context.WithoutCancel(ctx), query)
		case <-ctx.Done():
			return
		}
	}
}

func (c *Channel) answerPress(ctx context.Context, query string) {
	if after, _ := c.pace.Paused(""); after > 0 {
		c.opt.Count(CountUnanswered)
		return
	}
	err := c.client.call(ctx, answerTimeout, "answerCallbackQuery", tgbotapi.Params{"callback_query_id": query}, nil)
	if err != nil {
		c.opt.Count(CountUnanswered)
		c.log.Debug("press not answered", "err", err)
	}
}
