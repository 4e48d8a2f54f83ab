package whatsapp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"llave/bot/wire"
)

// How long it waits before it asks for our number again: a permission may be given while it runs.
const (
	numberFirst   = time.Second
	numberLongest = time.Hour
)

// ChatURL is the address that opens the chat with us, "https://wa.me/15550783881"; "" until WhatsApp has said what our number is.
func (c *Channel) ChatURL() string {
	number, _ := c.number.Load().(string)
	if number == "" {
		return ""
	}
	return "https://wa.me/" + number
}

// learnNumber asks what our own number is until it is told. Only pages that lead back to the chat need it, so nothing waits for it; a
// token may write messages and not be allowed to ask.
func (c *Channel) learnNumber(ctx context.Context) {
	for wait, told := numberFirst, false; ; wait = min(2*wait, numberLongest) {
		number, err := c.client.ownNumber(ctx)
		if err == nil {
			c.number.Store(number)
			return
		}
		if ctx.Err() != nil {
			return
		}
		if !told {
			told = true
			c.log.Warn("whatsapp does not tell our own number, so pages do not lead back to the chat; a token needs the permission whatsapp_business_management for that", "err", err)
		}
		if !wire.Sleep(ctx, wait) {
			return
		}
	}
}

// ownNumber is our number in digits, as the first token that may ask is told it.
func (c *client) ownNumber(ctx context.Context) (string, error) {
	var failed error
	for _, token := range c.access.Load().tokens {
		var answer struct {
			Display json.RawMessage `json:"display_phone_number"`
		}
		if failed = c.try(ctx, token, request{address: c.self + "?fields=display_phone_number"}, &answer); failed != nil {
			continue
		}
		var digits []byte
		for _, r := range answer.Display {
			if r >= '0' && r <= '9' {
				digits = append(digits, r)
			}
		}
		if len(digits) > 0 {
			return string(digits), nil
		}
		failed = errors.New("there is none in the answer")
	}
	return "", fmt.Errorf("ask for our number: %w", failed)
}
