package telegram

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	tgbotapi "github.com/go-telegram-bot-api/telegram-bot-api/v5"

	"llave/bot"
)

const (
	textMax       = 4096 // UTF-16 units of one message
	dataMax       = 64   // bytes of a button's callback data
	shortTitle    = 12   // runes; titles up to here stand two in a row
	plainThrottle = 5 * time.Second
)

// Send sends one bubble to [chat]: plain text, no link previews, its buttons under it. Where it has an image and the text
// fits under it, the text is the image's caption. Trouble with an image never keeps the text back. Send waits a moment
// where the rate limit asks for it. An error is always a *bot.SendError:
//
//   - Throttled: not before After has passed. Nothing was sent; while a pause lasts no request is even made. Whole says
//     that a 429 paused the bot, not this chat alone. It is false where the queue is too long, since that pauses
//     nobody.
//   - Gone: blocked, deleted or unknown.
//   - Permanent: Telegram will never take this message.
//   - Temporary: network or server trouble, or a refused token: the operator can mend that, and the message is still
//     worth sending. A message whose answer was lost may have arrived.
func (c *Channel) Send(ctx context.Context, chat string, r bot.Reply) error {
	_, err := c.SendBubble(ctx, chat, r)
	return err
}

// SendBubble is Send, and returns Telegram's id of the message, so that Spend can change it.
func (c *Channel) SendBubble(ctx context.Context, chat string, r bot.Reply) (bubble string, err error) {
	params, has, err := message(chat, r, c.fields.refused())
	if err != nil {
		return "", c.failed(&bot.SendError{Failure: bot.Permanent, Reason: err.Error()})
	}
	if turn := c.enter(ctx, chat); turn != nil {
		return "", c.failed(turn)
	}
	id, err := c.deliver(ctx, chat, r, params, has)
	if err != nil {
		var turn *bot.SendError
		if errors.As(err, &turn) {
			return "", c.failed(turn)
		}
		return "", c.failed(c.classify(chat, err))
	}
	c.opt.Count(CountSent)
	if id == 0 { // the answer had another shape: the message is sent all the same
		return "", nil
	}
	return strconv.Itoa(id), nil
}

// enter waits for a message's turn; nil once that has come.
func (c *Channel) enter(ctx context.Context, chat string) *bot.SendError {
	after, whole, err := c.pace.Enter(ctx, chat)
	switch {
	case err != nil:
		return &bot.SendError{Failure: bot.Temporary, Reason: "stopped while waiting for its turn", Err: err}
	case after > 0:
		return &bot.SendError{Failure: bot.Throttled, After: after, Whole: whole, Reason: "waits for its turn"}
	}
	return nil
}

// Delete deletes a message of the person. A message that is not there any more, or is too old to be deleted, is fine.
func (c *Channel) Delete(ctx context.Context, chat, messageID string) error {
	_, badChat := strconv.ParseInt(chat, 10, 64)
	_, badID := strconv.Atoi(messageID)
	if badChat != nil || badID != nil {
		return c.failed(&bot.SendError{Failure: bot.Permanent, Reason: "deleteMessage: chat and message must be numbers"})
	}
	if after, whole := c.pace.Paused(chat); after > 0 {
		return c.failed(&bot.SendError{Failure: bot.Throttled, After: after, Whole: whole, Reason: "waits for its turn"})
	}
	err := c.client.call(ctx, callTimeout, "deleteMessage", tgbotapi.Params{"chat_id": chat, "message_id": messageID}, nil)
	if err != nil && !undeletable(err) {
		return c.failed(c.classify(chat, err))
	}
	c.opt.Count(CountDeleted)
	return nil
}

// Typing shows the person for some seconds that somebody writes to them; nothing comes of it when it cannot be shown.
func (c *Channel) Typing(ctx context.Context, chat string) {
	if after, _ := c.pace.Paused(chat); after > 0 {
		return
	}
	err := c.client.call(ctx, callTimeout, "sendChatAction", tgbotapi.Params{"chat_id": chat, "action": tgbotapi.ChatTyping}, nil)
	if err != nil {
		c.opt.Log.Debug("typing not shown", "err", err)
	}
}

func undeletable(err error) bool {
	var refused *apiError
	return errors.As(err, &refused) && refused.code == http.StatusBadRequest && hasAny(refused.description,
		"message to delete not found", "message can't be deleted", "message_id_invalid")
}

func (c *Channel) failed(err *bot.SendError) error {
	c.opt.Count(map[bot.Failure]string{
		bot.Temporary: CountTemporary, bot.Throttled: CountThrottled, bot.Gone: CountGone, bot.Permanent: CountPermanent,
	}[err.Failure])
	return err
}

// classify says what a failed request means for the message, and notes a 429.
func (c *Channel) classify(chat string, err error) *bot.SendError {
	var refused *apiError
	if !errors.As(err, &refused) {
		return &bot.SendError{Failure: bot.Temporary, Reason: "the Bot API did not answer", Err: err}
	}
	out := &bot.SendError{Failure: failureOf(refused), Reason: refused.Error()}
	switch {
	case out.Failure == bot.Throttled:
		out.After = refused.after
		if out.After <= 0 {
			out.After = plainThrottle
		}
		out.Whole = c.pace.refused(chat, out.After)
	case unauthorized(err):
		out.Err = ErrToken
	}
	return out
}

// failureOf is the one place that knows what the Bot API's refusals mean.
func failureOf(e *apiError) bot.Failure {
	switch {
	case e.code == http.StatusTooManyRequests:
		return bot.Throttled
	case e.code == http.StatusForbidden:
		return bot.Gone
	case e.code == http.StatusUnauthorized, e.code == http.StatusNotFound, e.code == http.StatusConflict:
		return bot.Temporary
	case e.code == http.StatusBadRequest && hasAny(e.description,
		"chat not found", "user not found", "peer_id_invalid", "user is deactivated", "bot was blocked"):
		return bot.Gone
	case e.code >= 400 && e.code < 500:
		return bot.Permanent
	}
	return bot.Temporary
}

func hasAny(s string, parts ...string) bool {
	s = strings.ToLower(s)
	for _, p := range parts {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}

// noPreview has no page shown under a message that holds its address.
const noPreview = `{"is_disabled":true}`

// message builds sendMessage's parameters, without the fields that are left out, and says which of the others it [has].
func message(chat string, r bot.Reply, without refusals) (params tgbotapi.Params, has refusals, err error) {
	if _, err := strconv.ParseInt(chat, 10, 64); err != nil {
		return nil, nil, errors.New("sendMessage: the chat must be a number")
	}
	text, has := r.Text, refusals{}
	var buttons []button
	for _, b := range r.Buttons {
		switch data := bot.PressData(r.Prompt, b.ID); {
		case b.URL != "" && !linkable(b.URL):
			text += "\n\n" + b.Title + ": " + b.URL
		case b.URL != "":
			buttons = append(buttons, button{Text: b.Title, URL: b.URL})
		case len(data) > dataMax:
			return nil, nil, fmt.Errorf("sendMessage: a button's id of %d bytes is too long", len(b.ID))
		default:
			k := button{Text: b.Title, Data: data}
			if b.Main && !without[fieldStyle] {
				k.Style, has[fieldStyle] = "primary", true
			}
			buttons = append(buttons, k)
		}
	}
	params = tgbotapi.Params{
		"chat_id":              chat,
		"text":                 fit(text, textMax),
		"link_preview_options": noPreview,
	}
	params.AddBool("protect_content", r.Protect)
	copying := copies(r.Copies, without)
	has[fieldCopy] = len(copying) > 0
	var markup any
	if keys := append(rows(buttons), copying...); len(keys) > 0 { // an empty keyboard would be sent as null, which Telegram refuses
		markup = inlineKeyboard{keys}
	} else if what := hint(r, without); what != "" {
		markup, has[fieldHint] = forceReply{true, what}, true
	}
	if markup != nil {
		raw, err := json.Marshal(markup)
		if err != nil {
			return nil, nil, fmt.Errorf("sendMessage: keyboard: %w", err)
		}
		params["reply_markup"] = string(raw)
	}
	return params, has, nil
}

// linkable says whether Telegram takes the address for a button: it refuses hosts without a dot, such as localhost.
func linkable(address string) bool {
	u, err := url.Parse(address)
	return err == nil && strings.Contains(u.Hostname(), ".")
}

// rows puts two buttons in a row when every title is short, else one.
func rows(buttons []button) [][]button {
	perRow := 2
	for _, b := range buttons {
		if utf8.RuneCountInString(b.Text) > shortTitle {
			perRow = 1
		}
	}
	var out [][]button
	for len(buttons) > 0 {
		n := min(perRow, len(buttons))
		out = append(out, buttons[:n])
		buttons = buttons[n:]
	}
	return out
}

// fit cuts [text] to so many UTF-16 [units], at a space where there is one near, and says so with "…".
func fit(text string, units int) string {
	if len(text) <= units { // bytes are never fewer than units
		return text
	}
	if n := utf16Len(text); n <= units {
		return text
	}
	end, space, n := 0, 0, 1 // one unit for the …
	for i, r := range text {
		n += utf16.RuneLen(r)
		if unicode.IsSpace(r) {
			space = i
		}
		if n > units {
			break
		}
		end = i + utf8.RuneLen(r)
	}
	if space > end*9/10 {
		end = space
	}
	return strings.TrimRightFunc(text[:end], unicode.IsSpace) + "…"
}

func utf16Len(s string) int {
	n := 0
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}

// cut shortens [s] to at most [n] runes.
func cut(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n]) + "…"
	}
	return s
}
