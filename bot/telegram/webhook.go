package telegram

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

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

// How often it is looked whether the webhook still is ours: after it was registered, and once it was found well.
const (
	lookSoon  = 30 * time.Second
	lookEvery = 3 * time.Minute
)

func (c *Channel) hookURL() string { return strings.TrimRight(c.opt.PublicURL, "/") + WebhookPath }

// runWebhook registers the webhook, however long that takes, and again when there is another token or somebody has set another
// address, until the end.
func (c *Channel) runWebhook(ctx context.Context) error {
	kinds, err := json.Marshal(allowed)
	if err != nil {
		panic(err) // a list of strings
	}
	for {
		another := c.token.wait() // also one that comes while the webhook is being registered
		err := c.persist(ctx, "setWebhook", func() error {
			return c.client.call(ctx, callTimeout, "setWebhook", tgbotapi.Params{
				"url":                  c.hookURL(),
				"secret_token":         string(c.opt.Secret),
				"allowed_updates":      string(kinds),
				"max_connections":      "40",
				"drop_pending_updates": "false",
			}, nil)
		})
		if err != nil {
			return nil // the end
		}
		c.log.Info("telegram webhook registered")
		if !c.guardWebhook(ctx, another) {
			return nil
		}
	}
}

// guardWebhook looks now and then whether the webhook still is ours. It returns when it is to be registered again, as it is with
// another token, or false at the end. Trouble that another has set it is over only when ours is found in place: two programs that set it in turn are trouble
// all along.
func (c *Channel) guardWebhook(ctx context.Context, another <-chan struct{}) bool {
	for wait := lookSoon; ; wait = lookEvery {
		timer := time.NewTimer(wait + rand.N(wait/5)) //nolint:gosec // so that not all processes look at once; no secret
		select {
		case <-ctx.Done():
			timer.Stop()
			return false
		case <-another:
			timer.Stop()
			return true
		case <-timer.C:
		}
		at, err := c.hook(ctx)
		switch {
		case err != nil: // health has seen it
		case at == c.hookURL():
			c.rival.Well()
		default:
			c.opt.Count(CountHookMoved)
			c.rival.Ill("the bot's webhook was set to another address by somebody with its token")
			c.warn("the bot's webhook was set to another address; registering ours again: another program has the token", "host", host(at))
			return true
		}
	}
}

// hook is the address of the webhook as Telegram has it; "": none is set.
func (c *Channel) hook(ctx context.Context) (string, error) {
	var info struct {
		URL string `json:"url"`
	}
	err := c.client.call(ctx, callTimeout, "getWebhookInfo", nil, &info)
	return info.URL, err
}

// hookHost is where a webhook leads that is not ours, for the log.
func (c *Channel) hookHost(ctx context.Context) string {
	at, err := c.hook(ctx)
	if err != nil {
		return "unknown"
	}
	return host(at)
}

// host is the host of an address, of which the rest may be secret.
func host(address string) string {
	if address == "" {
		return "none"
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return "unknown"
	}
	return u.Host
}
