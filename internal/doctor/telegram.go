package doctor

import (
	"context"
	"errors"
	"strings"
	"time"

	"llave/bot/telegram"
	"llave/internal/config"
)

// telegram are checks of the bot as Telegram has it.
func (d *doctor) telegram(s *section) {
	c := d.Config
	if c.TelegramToken == "" {
		return
	}
	i := telegram.Inspect(c.TelegramToken, c.TelegramAPIURL)
	defer i.Close()
	if !s.check("bot", func(ctx context.Context) result { return telegramBot(ctx, i) }) {
		return
	}
	s.check("webhook", func(ctx context.Context) result {
		h, err := i.Hook(ctx)
		if err != nil {
			return bad("run it again", "Telegram does not say: %v", err)
		}
		if c.TelegramMode == config.Polling {
			return pollingResult(h)
		}
		return d.hookResult(h)
	})
}

func telegramBot(ctx context.Context, i *telegram.Inspection) result {
	name, err := i.Me(ctx)
	switch {
	case errors.Is(err, telegram.ErrToken):
		return bad("put the token into LLAVE_TELEGRAM_TOKEN as BotFather shows it (/mybots, API Token)", "Telegram does not know the token")
	case err != nil && telegram.Answered(err):
		return bad("wait and run it again: Telegram answers, so the way there is right (429: too many requests; 5xx: its own trouble)", "Telegram cannot be asked: %v", err)
	case err != nil:
		return bad("check the way out of this machine (firewall, proxy, DNS) to LLAVE_TELEGRAM_API_URL", "Telegram cannot be asked: %v", err)
	}
	return good("@%s", name)
}

func pollingResult(h telegram.Hook) result {
	if h.URL != "" {
		return warn("start llave serve: it takes the webhook off. If it comes back, another program uses this token", "a webhook is set, and LLAVE_TELEGRAM_MODE is polling")
	}
	return good("none, as polling needs it; %d updates wait", h.Pending)
}

// A webhook's trouble is of now, or of today; more updates than many wait because they are not taken.
const (
	troubleNow   = 10 * time.Minute
	troubleToday = 24 * time.Hour
	many         = 100
)

func (d *doctor) hookResult(h telegram.Hook) result {
	want := strings.TrimRight(d.Config.PublicURL.String(), "/") + telegram.WebhookPath
	ago := d.Now().Sub(h.Failed)
	const look = "see that the public address can be reached from outside (its section below), and the proxy's log"
	switch {
	case h.URL == "":
		return warn("start llave serve: it sets the webhook", "none is set yet")
	case h.URL != want:
		return bad("start llave serve: it sets its own. If the other comes back, another program uses this token", "another one is set, and not %s", want)
	case !h.Failed.IsZero() && ago < troubleNow:
		return bad(look, "the last delivery went wrong %v ago: %s; %d updates wait", ago.Round(time.Second), h.FailedFor, h.Pending)
	case h.Pending > many:
		return warn(look, "%d updates wait", h.Pending)
	case !h.Failed.IsZero() && ago < troubleToday:
		return warn(look, "a delivery went wrong %v ago: %s", ago.Round(time.Minute), h.FailedFor)
	}
	return good("set, and deliveries go well; %d updates wait", h.Pending)
}
