// Package events tells the institution's own programs what happened, by the Standard Webhooks convention
// (https://www.standardwebhooks.com): a signed POST for each event. A receiver answers 2xx once it has it; everything else, a
// redirect too, is a failure, after which the event is sent again, with the same id.
package events

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"llave/bot"
	"llave/bot/wire"
)

// Within is how long a receiver has to answer.
const Within = 10 * time.Second

// Event is what happened. Neither a key nor its hash is ever part of one.
type Event struct {
	ID   string    // the same each time it is sent
	Name string    // one of bot.Told…
	At   time.Time // when it happened
	Data Data
}

// Data is what the institution's program has to know. What is empty is left out.
type Data struct {
	RecordID string    `json:"record_id,omitempty"` // affiliates._id; empty once the number is not kept any more
	IDType   string    `json:"id_type,omitempty"`   // "cedula" or "foreign_code"
	Attempt  string    `json:"attempt,omitempty"`   // what the events of one link have in common
	Case     string    `json:"case,omitempty"`      // the number that the person was told
	Time     time.Time `json:"time"`
}

// Sender sends events to one address.
type Sender struct {
	address string
	hide    *strings.Replacer // the path may hold a secret
	sign    *standardwebhooks.Webhook
	client  *http.Client
	now     func() time.Time
}

// New makes a sender. The secret is "whsec_" and base64.
func New(address, secret string) (*Sender, error) {
	sign, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		return nil, fmt.Errorf("read the secret of events: %w", err)
	}
	client := wire.NewClient() // it follows no redirect
	client.Timeout = Within
	return &Sender{address, strings.NewReplacer(address, "[redacted]"), sign, client, time.Now}, nil
}

// Send sends an event once. The error is a *bot.SendError that says to try again, and holds nothing of the answer's body.
func (s *Sender) Send(ctx context.Context, e Event) error {
	e.Data.Time = e.At.UTC()
	body, err := json.Marshal(struct {
		Type      string    `json:"type"`
		Timestamp time.Time `json:"timestamp"`
		Data      Data      `json:"data"`
	}{e.Name, e.At.UTC(), e.Data})
	if err != nil {
		return fmt.Errorf("write event: %w", err)
	}
	sent := s.now() // of this try, by which a receiver knows a replay
	signature, err := s.sign.Sign(e.ID, sent, body)
	if err != nil {
		return fmt.Errorf("sign event: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.address, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("send event: %w", wire.Redact(err, s.hide))
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Llave")
	req.Header.Set(standardwebhooks.HeaderWebhookID, e.ID)
	req.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(sent.Unix(), 10))
	req.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	res, err := s.client.Do(req)
	if err != nil {
		return &bot.SendError{Failure: bot.Temporary, Reason: "the receiver of events does not answer", Err: wire.Redact(err, s.hide)}
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // so that the connection is used again
	if res.StatusCode/100 != 2 {
		return &bot.SendError{Failure: bot.Temporary, Reason: fmt.Sprintf("the receiver of events answers %d", res.StatusCode)}
	}
	return nil
}

// Verify says whether a body was sent by who has the secret, as a receiver does: an error, or nil.
func Verify(secret string, body []byte, headers http.Header) error {
	wh, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		return fmt.Errorf("read the secret of events: %w", err)
	}
	return wh.Verify(body, headers)
}

// Close lets go of connections.
func (s *Sender) Close() { s.client.CloseIdleConnections() }
