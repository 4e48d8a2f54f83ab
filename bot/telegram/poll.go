package telegram

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	tgbotapi "github.com/go-telegram-bot-api/telegram-bot-api/v5"

	"llave/bot/wire"
)

const (
	pollFor     = 50 * time.Second // how long Telegram may hold getUpdates when there is nothing
	pollTimeout = pollFor + 15*time.Second
	pollLimit   = 100
	pollWorkers = 64              // chats handled at a time
	stuckWait   = 5 * time.Second // longest wait before updates that could not be handled are asked for again
)

// runPolling polls while this process holds the lease.
func (c *Channel) runPolling(ctx context.Context) error {
	if c.opt.Lease == nil {
		return c.poll(ctx)
	}
	for {
		err := c.opt.Lease.Hold(ctx, LeaseName, c.poll)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			c.log.Warn("no lease to poll telegram, will try again", "err", err)
		}
		if !wire.Sleep(ctx, time.Second) {
			return nil
		}
	}
}

// poll asks for updates until [ctx] ends.
func (c *Channel) poll(ctx context.Context) error {
	if err := c.persist(ctx, "deleteWebhook", func() error { return c.deleteWebhook(ctx) }); err != nil {
		return nil // the end
	}
	c.log.Info("telegram polling started")
	defer c.rival.Well() // who does not poll has none
	p := poller{c: c, done: map[int]bool{}}
	var trouble backoff
	for ctx.Err() == nil {
		another := c.token.wait()
		batch, err := p.fetch(ctx)
		if err != nil {
			if ctx.Err() != nil {
				break
			}
			c.pollFailed(ctx, err)
			trouble.sleep(ctx, another, retryAfter(err))
			continue
		}
		trouble.reset()
		c.rival.Well()
		p.rest(ctx, p.handle(ctx, batch))
	}
	return nil
}

func (c *Channel) deleteWebhook(ctx context.Context) error {
	return c.client.call(ctx, callTimeout, "deleteWebhook", tgbotapi.Params{"drop_pending_updates": "false"}, nil)
}

// pollFailed says what went wrong, and mends what it can.
func (c *Channel) pollFailed(ctx context.Context, err error) {
	var refused *apiError
	errors.As(err, &refused)
	switch {
	case refused != nil && refused.code == http.StatusConflict && strings.Contains(refused.description, "webhook"):
		c.opt.Count(CountConflict)
		c.rival.Ill("somebody has set a webhook while we poll")
		c.warn("somebody has set a webhook for this bot while it is polling; deleting it", "host", c.hookHost(ctx), "err", err)
		if err := c.deleteWebhook(ctx); err != nil {
			c.warn("webhook not deleted", "err", err)
		}
	case refused != nil && refused.code == http.StatusConflict:
		c.opt.Count(CountConflict)
		c.rival.Ill("another program polls with the bot's token")
		c.warn("another program polls with this bot's token; only one of both gets each update", "err", err)
	case unauthorized(err):
		c.warn(tokenRefused, "method", "getUpdates", "err", err)
	default:
		c.warn("telegram polling failed, will try again", "err", err)
	}
}

// poller knows how far Telegram has been told, and what was handled beyond that.
type poller struct {
	c      *Channel
	offset int          // the first update that Telegram still has to give
	done   map[int]bool // handled, but behind one that was not
	stuck  time.Duration
}

// fetch asks for the next updates, waiting for some to come.
func (p *poller) fetch(ctx context.Context) ([]json.RawMessage, error) {
	kinds, err := json.Marshal(allowed)
	if err != nil {
		panic(err) // a list of strings
	}
	params := tgbotapi.Params{
		"timeout":         strconv.Itoa(int(pollFor / time.Second)),
		"limit":           strconv.Itoa(pollLimit),
		"allowed_updates": string(kinds),
	}
	params.AddNonZero("offset", p.offset)
	var batch []json.RawMessage
	err = p.c.client.call(ctx, pollTimeout, "getUpdates", params, &batch)
	return batch, err
}

// outcome is how a batch went.
type outcome struct{ handled, failed int }

// handle handles a batch, the updates of one chat in the order of their ids and the chats side by side, and moves the
// offset up to the first update that was not handled. When [ctx] ends, what has begun is finished and the rest is left to
// Telegram.
func (p *poller) handle(ctx context.Context, batch []json.RawMessage) outcome {
	var out outcome
	var ids []int
	var order []string
	chats := map[string][]incoming{}
	for _, raw := range batch {
		in, err := decode(raw)
		if err != nil {
			p.c.opt.Count(CountMalformed)
			if in.id = updateID(raw); in.id == 0 {
				out.failed++ // cannot be passed over by itself
				continue
			}
			p.done[in.id] = true // it would come again for ever
		}
		ids = append(ids, in.id)
		if p.done[in.id] {
			continue
		}
		if _, known := chats[in.Chat]; !known {
			order = append(order, in.Chat)
		}
		chats[in.Chat] = append(chats[in.Chat], in)
	}

	var (
		mu    sync.Mutex
		all   sync.WaitGroup
		slots = make(chan struct{}, pollWorkers)
	)
	for _, chat := range order {
		slices.SortStableFunc(chats[chat], func(a, b incoming) int { return cmp.Compare(a.Order, b.Order) })
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			for _, in := range chats[chat] {
				if ctx.Err() != nil {
					return
				}
				err := p.c.take(context.WithoutCancel(ctx), in)
				mu.Lock()
				if err == nil {
					p.done[in.id] = true
					out.handled++
				} else {
					out.failed++
				}
				mu.Unlock()
				if err != nil {
					p.c.log.Error("update not handled, will be asked for again", "conv", in.Conv(), "err", err)
					return // the later ones of this chat wait for it
				}
			}
		})
	}
	all.Wait()

	for _, id := range ids {
		if !p.done[id] {
			break
		}
		delete(p.done, id)
		p.offset = id + 1 // ids start anew, anywhere, after a quiet week: the last one counts, not the highest
	}
	return out
}

// rest waits a little before updates that could not be handled are asked for again: getUpdates gives them at once.
// The wait grows while nothing at all can be handled.
func (p *poller) rest(ctx context.Context, o outcome) {
	switch {
	case o.failed == 0:
		p.stuck = 0
		return
	case o.handled > 0 || p.stuck == 0:
		p.stuck = firstWait
	default:
		p.stuck = min(2*p.stuck, stuckWait)
	}
	wire.Sleep(ctx, p.stuck)
}

// updateID finds the id of something that is otherwise no update.
func updateID(raw []byte) int {
	var u struct {
		ID int `json:"update_id"`
	}
	_ = json.Unmarshal(raw, &u) // whatever it is, only the id matters
	return u.ID
}
