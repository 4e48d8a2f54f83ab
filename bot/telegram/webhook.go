package telegram

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	tgbotapi "github.com/go-telegram-bot-api/telegram-bot-api/v5"
)

const (
	bodyMax      = 4 << 20
	secretHeader = "X-Telegram-Bot-Api-Secret-Token" //nolint:gosec // the name of a header
)

// Handler is the webhook. It answers 200 once the update's effect is durable (or nobody handles its kind), 503 when it
// is not, 401 without body for a missing or wrong secret, which is checked before the body is read, 405 for anything
// but POST, 413 over 4 MiB, and 400 for what is not an update.
func (c *Channel) Handler() http.Handler {
	want := sha256.Sum256([]byte(c.opt.Secret))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		got := sha256.Sum256([]byte(r.Header.Get(secretHeader)))
		if c.opt.Secret == "" || subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			c.opt.Count(CountRefused)
			c.strange.Warn(c.log, "a webhook was refused, its secret is not ours: start llave anew, which registers it with the secret of now (LLAVE_TELEGRAM_WEBHOOK_SECRET, or derived from LLAVE_SECRET_KEY); if that changes nothing, somebody else sends this")
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.WriteHeader(c.receive(w, r))
	})
}

func (c *Channel) receive(w http.ResponseWriter, r *http.Request) (status int) {
	if r.ContentLength > bodyMax {
		return http.StatusRequestEntityTooLarge
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyMax))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return http.StatusRequestEntityTooLarge
	case err != nil:
		return http.StatusBadRequest
	}
	in, err := decode(body)
	if err != nil {
		c.opt.Count(CountMalformed)
		return http.StatusBadRequest
	}
	if err := c.take(r.Context(), in); err != nil {
		c.log.Error("update not handled, Telegram will send it again", "conv", in.Conv(), "err", err)
		return http.StatusServiceUnavailable
	}
	return http.StatusOK
}

// runWebhook registers the webhook, however long that takes, again when there is another token, and waits for the end.
func (c *Channel) runWebhook(ctx context.Context) error {
	kinds, err := json.Marshal(allowed)
	if err != nil {
		panic(err) // a list of strings
	}
	register := func() error {
		return c.persist(ctx, "setWebhook", func() error {
			return c.client.call(ctx, callTimeout, "setWebhook", tgbotapi.Params{
				"url":                  strings.TrimRight(c.opt.PublicURL, "/") + WebhookPath,
				"secret_token":         string(c.opt.Secret),
				"allowed_updates":      string(kinds),
				"max_connections":      "40",
				"drop_pending_updates": "false",
			}, nil)
		})
	}
	if err := register(); errors.Is(err, ErrToken) {
		return ErrToken
	}
	for ctx.Err() == nil {
		c.log.Info("telegram webhook registered")
		select {
		case <-ctx.Done():
			return nil
		case <-c.anew:
		}
		if err := register(); errors.Is(err, ErrToken) {
			c.log.Error("telegram does not know the new token", "err", err)
		}
	}
	return nil
}
