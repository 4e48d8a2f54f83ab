package telegram

import (
	"context"
	"errors"
	"time"

	tgbotapi "github.com/go-telegram-bot-api/telegram-bot-api/v5"
)

// Inspection asks Telegram how a bot stands there, for whoever looks after it. It changes nothing. Close it.
type Inspection struct{ client client }

// Inspect prepares to ask about the bot with that token; an empty URL is Telegram's own.
func Inspect(token Secret, apiURL string) *Inspection {
	return &Inspection{newClient(apiURL, string(token), "")}
}

// Close gives the connections back.
func (i *Inspection) Close() { i.client.http.CloseIdleConnections() }

// Me is the bot's username. The error is ErrToken where Telegram does not know the token.
func (i *Inspection) Me(ctx context.Context) (string, error) {
	var me tgbotapi.User
	err := i.client.call(ctx, callTimeout, "getMe", nil, &me)
	if refused := (*apiError)(nil); errors.As(err, &refused) && refused.unknownToken() {
		return "", ErrToken
	}
	return me.UserName, err
}

// Answered says whether it was Telegram that said so: the way there is right.
func Answered(err error) bool { return errors.As(err, new(*apiError)) }

// Hook is the webhook as Telegram has it.
type Hook struct {
	URL       string // empty: none is set
	Pending   int    // updates that wait
	Failed    time.Time
	FailedFor string // in Telegram's words; both are zero where the last delivery went well, as long as anybody remembers
}

// Hook asks for the webhook.
func (i *Inspection) Hook(ctx context.Context) (Hook, error) {
	var info struct {
		URL     string `json:"url"`
		Pending int    `json:"pending_update_count"`
		At      int64  `json:"last_error_date"`
		Words   string `json:"last_error_message"`
	}
	if err := i.client.call(ctx, callTimeout, "getWebhookInfo", nil, &info); err != nil {
		return Hook{}, err
	}
	h := Hook{URL: info.URL, Pending: info.Pending}
	if info.At > 0 {
		h.Failed, h.FailedFor = time.Unix(info.At, 0), cut(i.client.hidden().Replace(info.Words), 200)
	}
	return h, nil
}
