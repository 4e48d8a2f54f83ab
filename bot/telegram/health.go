package telegram

import (
	"cmp"
	"context"
	"errors"
	"net/http"

	tgbotapi "github.com/go-telegram-bot-api/telegram-bot-api/v5"

	"llave/bot/wire"
)

// Trouble is how Telegram fares, for the operator: it cannot be reached, is not well itself, does not know the token any more, or
// gives our updates to somebody else. It does not wait.
func (c *Channel) Trouble() wire.Trouble {
	t := c.client.health.Trouble()
	if rival := c.rival.Trouble(); t.Since.IsZero() {
		return rival
	}
	return t
}

// ask asks Telegram for something that changes nothing.
func (c *Channel) ask(ctx context.Context) {
	_ = c.client.call(ctx, callTimeout, "getMe", nil, new(tgbotapi.User)) // health has seen it
}

// note keeps health of one call. One that was given up because we stop tells nothing; any answer about the matter itself, a
// refusal too, tells that all is well.
func (c *client) note(ctx context.Context, err error) {
	var refused *apiError
	switch {
	case err != nil && ctx.Err() != nil:
	case err == nil:
		c.health.Well()
	case !errors.As(err, &refused):
		c.health.Ill("it cannot be reached")
	case refused.unknownToken():
		c.health.Ill("it does not know the bot's token (check LLAVE_TELEGRAM_TOKEN)")
	case refused.code >= http.StatusInternalServerError:
		c.health.Ill("it answers with an error of its own")
	default:
		c.health.Well()
	}
}

// unknownToken says whether it is the token that is refused. A method that a server does not have is a 404 in longer words.
func (e *apiError) unknownToken() bool {
	return e.code == http.StatusUnauthorized || e.code == http.StatusNotFound && cmp.Or(e.description, http.StatusText(e.code)) == http.StatusText(http.StatusNotFound)
}
