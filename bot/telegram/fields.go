package telegram

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	tgbotapi "github.com/go-telegram-bot-api/telegram-bot-api/v5"

	"llave/bot"
)

// What the Bot API has learned since tgbotapi was written. A server of one's own may be older and refuse a message for it, so
// each is left out of what comes after as soon as a message went through without it and not with it.

// field is something that a message can do without.
type field string

const (
	fieldStyle field = "style"                   // the main button stands out
	fieldCopy  field = "copy_text"               // a button that copies
	fieldHint  field = "input_field_placeholder" // what to write, in the empty input field
)

// optional are the fields in the order in which they are left out: the one that is missed least first.
var optional = []field{fieldStyle, fieldHint, fieldCopy}

// refusals are the fields that are left out.
type refusals map[field]bool

// fields remembers what the server refused. Another server is another Channel.
type fields struct {
	mu  sync.Mutex
	out refusals
}

// refused is a copy.
func (f *fields) refused() refusals {
	f.mu.Lock()
	defer f.mu.Unlock()
	without := refusals{}
	maps.Copy(without, f.out)
	return without
}

func (f *fields) refuse(name field) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.out == nil {
		f.out = refusals{}
	}
	f.out[name] = true
}

// deliver sends a message, and again without one optional field after the other while the server refuses it as it stands.
// What is left out last before it is taken is what the server does not know. What is refused without any of them is at fault
// itself, and nothing is remembered. Each further try takes a place in the pace of its own.
func (c *Channel) deliver(ctx context.Context, chat string, r bot.Reply, params tgbotapi.Params, has refusals) (id int, err error) {
	id, err = c.sendOnce(ctx, r, params, has)
	without := c.fields.refused()
	for _, name := range suspects(err, has) {
		if !refusedAsItIs(err) {
			break
		}
		without[name] = true
		if params, has, err = message(chat, r, without); err != nil {
			return 0, err
		}
		if turn := c.enter(ctx, chat); turn != nil {
			return 0, turn
		}
		if id, err = c.sendOnce(ctx, r, params, has); err == nil {
			c.fields.refuse(name)
			c.log.Warn("the Bot API's server refuses a field, messages go out without it", "field", string(name))
		}
	}
	return id, err
}

// sendOnce sends a message, under its image where it has one. What is refused for another reason than its image is tried without one of
// the optional fields that it [has] first.
func (c *Channel) sendOnce(ctx context.Context, r bot.Reply, params tgbotapi.Params, has refusals) (id int, err error) {
	if p, ok := c.image(r, params["text"]); ok {
		id, sent, err := c.sendPhoto(ctx, p, params)
		switch {
		case sent, err != nil && (!refusedAsItIs(err) || len(suspects(err, has)) > 0):
			return id, err
		case err != nil:
			c.imageless(p, err)
		}
	}
	var result sentMessage
	err = c.client.call(ctx, callTimeout, "sendMessage", params, &result)
	return result.ID, err
}

// sentMessage is what is read of the message that Telegram answers with. Whatever its shape, the message was sent: nothing in it is
// an error.
type sentMessage struct{ ID int }

func (m *sentMessage) UnmarshalJSON(raw []byte) error {
	var result struct {
		ID json.Number `json:"message_id"`
	}
	if json.Unmarshal(raw, &result) == nil {
		m.ID, _ = strconv.Atoi(result.ID.String())
	}
	return nil
}

func refusedAsItIs(err error) bool {
	var refused *apiError
	return errors.As(err, &refused) && refused.code == http.StatusBadRequest && failureOf(refused) == bot.Permanent
}

// suspects are the fields that a message has, those that the refusal names first.
func suspects(err error, has refusals) []field {
	var refused *apiError
	if !errors.As(err, &refused) {
		return nil
	}
	named := func(name field) bool { return hasAny(refused.description, string(name)) }
	return slices.SortedStableFunc(func(yield func(field) bool) {
		for _, name := range optional {
			if has[name] && !yield(name) {
				return
			}
		}
	}, func(a, b field) int {
		switch {
		case named(a) && !named(b):
			return -1
		case named(b) && !named(a):
			return 1
		}
		return 0
	})
}

// button is one of an inline keyboard.
type button struct {
	Text  string    `json:"text"`
	URL   string    `json:"url,omitempty"`
	Data  string    `json:"callback_data,omitempty"`
	Copy  *copyText `json:"copy_text,omitempty"`
	Style string    `json:"style,omitempty"`
}

type copyText struct {
	Text string `json:"text"`
}

type inlineKeyboard struct {
	Rows [][]button `json:"inline_keyboard"`
}

// forceReply opens the input field, with a word in it of what belongs there. A message has it or a keyboard.
type forceReply struct {
	Force bool   `json:"force_reply"`
	Hint  string `json:"input_field_placeholder"`
}

const (
	copyMax = 256 // runes of what a button copies
	hintMax = 64  // runes of a hint
)

// copies are the buttons that copy, one in a row.
func copies(all []bot.Copy, without refusals) (out [][]button) {
	for _, k := range all {
		if n := len([]rune(k.Text)); !without[fieldCopy] && n > 0 && n <= copyMax {
			out = append(out, []button{{Text: k.Title, Copy: &copyText{k.Text}}})
		}
	}
	return out
}

// hint is what stands in the empty input field, or "".
func hint(r bot.Reply, without refusals) string {
	if without[fieldHint] {
		return ""
	}
	return strings.TrimSpace(string([]rune(r.Hint)[:min(len([]rune(r.Hint)), hintMax)]))
}
