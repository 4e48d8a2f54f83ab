package whatsapp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"llave/bot/wire"
)

const (
	callTimeout    = 10 * time.Second // of one request
	answerMaxBytes = 1 << 20          // of one answer; they have a few hundred
	wordsMax       = 300              // runes of an error's words that are kept
)

// client speaks to the Graph API in the name of one phone number. It holds the access tokens and knows which of them
// works; it is the only place that sees them.
type client struct {
	self     string // what is known of our number
	messages string // where messages go
	media    string // and images
	access   atomic.Pointer[access]
	refused  atomic.Bool // none worked when last tried: said once, not once a message
	count    func(name string)
	log      *slog.Logger
	now      func() time.Time
	http     *http.Client
	reach    wire.Health // of the way there, and of the Graph API itself
	account  wire.Health // of what only the operator can mend: tokens, the account, the number
}

// newClient wants options that New has checked and completed.
func newClient(opt Options) *client {
	number := strings.TrimRight(opt.APIURL, "/") + "/" + url.PathEscape(opt.APIVersion) + "/" + url.PathEscape(string(opt.PhoneNumberID))
	c := &client{
		self:     number,
		messages: number + "/messages",
		media:    number + "/media",
		count:    opt.Count,
		log:      opt.Log.With("channel", Name),
		now:      opt.Now,
		http:     wire.NewClient(),
	}
	c.access.Store(newAccess(opt.Secrets(), string(opt.PhoneNumberID), string(opt.AppSecret)))
	return c
}

// access is what we show the Graph API and it shows us, and what takes all that out of words.
type access struct {
	Secrets
	tokens  []string
	current atomic.Int64 // index of the token that worked last
	hidden  []string
	hide    *strings.Replacer
}

// newAccess also hides what was in use before.
func newAccess(s Secrets, hidden ...string) *access {
	a := &access{Secrets: s, hidden: hidden}
	for _, token := range s.Tokens {
		a.tokens = append(a.tokens, string(token))
	}
	a.hidden = append(a.hidden, a.tokens...)
	var pairs []string
	for _, h := range a.hidden {
		if h != "" {
			pairs = append(pairs, h, redacted)
		}
	}
	a.hide = strings.NewReplacer(pairs...)
	return a
}

// hidden is what takes secrets out of words.
func (c *client) hidden() *strings.Replacer { return c.access.Load().hide }

// post sends one message, as JSON. See call.
func (c *client) post(ctx context.Context, body, out any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("messages: %w", err)
	}
	return c.call(ctx, request{c.messages, "application/json", raw}, out)
}

// request is what a call sends, and where; without a body it asks.
type request struct {
	address, contentType string
	body                 []byte
}

// call makes the call [r] and decodes its answer into [out], unless that is nil. Its errors are *apiError where the Graph
// API answered, and never hold a secret, a phone or a person's name on the channel.
//
// When a token is refused the next is tried at once with the same body; the first that is not refused stays in use. When
// all are refused, the error has errNoToken in its chain, and the operator is told.
func (c *client) call(ctx context.Context, r request, out any) (err error) {
	a := c.access.Load()
	first := a.current.Load()
	for i := range a.tokens {
		at := (int(first) + i) % len(a.tokens)
		err = c.try(ctx, a.tokens[at], r, out)
		var e *apiError
		switch {
		case errors.As(err, &e) && e.meaning().remedy == nextToken:
			continue
		case err != nil && e == nil: // nobody answered: nothing is known about the token
			return err
		}
		c.refused.Store(false)
		if i > 0 && a.current.CompareAndSwap(first, int64(at)) {
			c.count(CountTokenChanged)
			c.log.Warn("whatsapp access token refused, another one is in use now", "token", at+1, "of", len(a.tokens))
		}
		return err
	}
	c.account.Ill("no access token is accepted (check LLAVE_WHATSAPP_TOKEN)")
	if !c.refused.Swap(true) {
		c.log.Error("whatsapp access tokens refused, nothing can be sent: check LLAVE_WHATSAPP_TOKEN", "tokens", len(a.tokens), "err", err)
	}
	return fmt.Errorf("%w: %w", errNoToken, err)
}

// try makes one request, and keeps health of the way there.
func (c *client) try(ctx context.Context, token string, r request, out any) error {
	one, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := c.ask(one, token, r, out)
	if err == nil || ctx.Err() == nil {
		c.noteReach(err)
	}
	return err
}

func (c *client) ask(ctx context.Context, token string, r request, out any) error {
	method := http.MethodPost
	if r.body == nil {
		method = http.MethodGet
	}
	req, err := http.NewRequestWithContext(ctx, method, r.address, bytes.NewReader(r.body))
	if err != nil {
		return fmt.Errorf("messages: %w", wire.Redact(err, c.hidden()))
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if r.body != nil {
		req.Header.Set("Content-Type", r.contentType)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("messages: %w", wire.Redact(err, c.hidden()))
	}
	defer func() { _ = resp.Body.Close() }()
	// Read whole, so that a connection that breaks half-way is trouble of the network, and a whole one is used again.
	raw, err := io.ReadAll(io.LimitReader(resp.Body, answerMaxBytes))
	if err != nil {
		return fmt.Errorf("messages: %w", wire.Redact(err, c.hidden()))
	}
	if e := c.refusal(resp, raw); e != nil {
		return e
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return errors.New("messages: the answer has another shape") // the cause may quote what is in it
	}
	return nil
}

// refusal reads the error envelope, whatever the HTTP status says. What is neither that nor a success was said by
// something in between.
func (c *client) refusal(resp *http.Response, raw []byte) *apiError {
	var envelope struct {
		Error *struct {
			Code    *int   `json:"code"`
			Subcode int    `json:"error_subcode"`
			Message string `json:"message"`
			Data    struct {
				Details string `json:"details"`
			} `json:"error_data"`
		} `json:"error"`
	}
	// A field of another type than expected does not spoil the rest.
	if err := json.Unmarshal(raw, &envelope); err != nil && !errors.As(err, new(*json.UnmarshalTypeError)) {
		envelope.Error = nil
	}
	out := &apiError{status: resp.StatusCode, code: noCode, after: retryAfter(resp.Header.Get("Retry-After"), c.now())}
	switch e := envelope.Error; {
	case e != nil:
		out.subcode = e.Subcode
		if e.Code != nil {
			out.code = *e.Code
		}
		out.words = e.Message
		if e.Data.Details != "" {
			out.words += ": " + e.Data.Details
		}
		out.words = fit(c.clean(out.words), wordsMax)
	case resp.StatusCode >= 200 && resp.StatusCode < 300:
		return nil
	default:
		out.words = "not an answer of the Graph API"
	}
	return out
}

// person matches what may name somebody in the words of others: a phone however it is written, a business-scoped user
// id, and the id of a message, which has the phone inside.
var person = regexp.MustCompile(`wamid\.[A-Za-z0-9+/=_-]+|\b[A-Z]{2}\.[A-Za-z0-9.]{8,}|\+?\d(?:[ ().-]{0,2}\d){6,}`)

// clean takes secrets and persons out of words.
func (c *client) clean(words string) string {
	return person.ReplaceAllString(c.hidden().Replace(words), redacted)
}

// close gives idle connections back.
func (c *client) close() { c.http.CloseIdleConnections() }
