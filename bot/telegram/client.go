package telegram

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	tgbotapi "github.com/go-telegram-bot-api/telegram-bot-api/v5"

	"llave/bot/wire"
)

const (
	callTimeout    = 10 * time.Second // everything but the long poll
	answerMaxBytes = 32 << 20         // of one answer; a hundred updates are far below
)

// client speaks to the Bot API through tgbotapi's MakeRequest.
type client struct {
	endpoint string // "https://host/bot%s/%s", as tgbotapi wants it
	access   *atomic.Pointer[access]
	http     *http.Client
	health   *wire.Health // of the way to Telegram, and of the token
}

// access is the bot's token, and what takes it out of words, with those before it and the webhook's secret.
type access struct {
	token   string
	secrets []string
	hide    *strings.Replacer
}

func newAccess(token string, secrets ...string) *access {
	secrets = append(secrets, token, url.PathEscape(token), url.QueryEscape(token))
	var hide []string
	for _, s := range secrets {
		if s != "" {
			hide = append(hide, s, redacted)
		}
	}
	return &access{token, secrets, strings.NewReplacer(hide...)}
}

func newClient(apiURL, token, secret string) client {
	c := client{
		endpoint: strings.ReplaceAll(strings.TrimRight(apiURL, "/"), "%", "%%") + "/bot%s/%s",
		access:   &atomic.Pointer[access]{},
		http:     wire.NewClient(),
		health:   &wire.Health{},
	}
	c.access.Store(newAccess(token, secret))
	return c
}

func (c *client) token() string { return c.access.Load().token }

// hidden is what takes secrets out of words.
func (c *client) hidden() *strings.Replacer { return c.access.Load().hide }

// call makes one request and decodes what comes into [result], unless that is nil. Its errors are *apiError where the
// Bot API answered, and never hold a secret.
func (c *client) call(ctx context.Context, timeout time.Duration, method string, params tgbotapi.Params, result any) error {
	one, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	trip := &trip{ctx: one, http: c.http}
	api := &tgbotapi.BotAPI{Token: c.token(), Client: trip}
	api.SetAPIEndpoint(c.endpoint)
	resp, err := api.MakeRequest(method, params)
	if err != nil {
		err = c.explain(method, trip.status, err)
	}
	c.note(ctx, err)
	if err != nil {
		return err
	}
	if result == nil {
		return nil
	}
	if err := json.Unmarshal(resp.Result, result); err != nil {
		return fmt.Errorf("%s: the result has another shape: %w", method, wire.Redact(err, c.hidden()))
	}
	return nil
}

// trip is tgbotapi's HTTP client for one request: it adds the context that tgbotapi lacks and reads the whole body,
// so that a connection that breaks half-way is an error of the network and a whole one can be used again.
type trip struct {
	ctx    context.Context // of this one request; tgbotapi leaves no other way in
	http   *http.Client
	status int
}

func (t *trip) Do(req *http.Request) (*http.Response, error) {
	resp, err := t.http.Do(req.WithContext(t.ctx))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, answerMaxBytes))
	if err != nil {
		return nil, err
	}
	t.status = resp.StatusCode
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// apiError is a refusal by the Bot API.
type apiError struct {
	method      string
	code        int
	description string
	after       time.Duration // 429: how long to wait
}

func (e *apiError) Error() string {
	return fmt.Sprintf("%s: %d %s", e.method, e.code, e.description)
}

// explain turns what MakeRequest returned into an error without secrets.
func (c *client) explain(method string, status int, err error) error {
	var refused *tgbotapi.Error
	if errors.As(err, &refused) {
		return &apiError{
			method:      method,
			code:        refused.Code,
			description: cut(c.hidden().Replace(refused.Message), 200),
			after:       time.Duration(max(refused.RetryAfter, 0)) * time.Second,
		}
	}
	if status != 0 { // something answered, but not in the Bot API's JSON: a proxy in between
		return &apiError{method: method, code: max(status, 500), description: fmt.Sprintf("not an answer of the Bot API (HTTP status %d)", status)}
	}
	return fmt.Errorf("%s: %w", method, wire.Redact(err, c.hidden()))
}

func unauthorized(err error) bool {
	var refused *apiError
	return errors.As(err, &refused) && (refused.code == http.StatusUnauthorized || refused.code == http.StatusNotFound)
}

func retryAfter(err error) time.Duration {
	var refused *apiError
	if errors.As(err, &refused) {
		return refused.after
	}
	return 0
}
