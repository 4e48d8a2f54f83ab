package telegram

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	tgbotapi "github.com/go-telegram-bot-api/telegram-bot-api/v5"

	"llave/bot"
)

// bubbleOf is the bubble that a pressed button is under. Its text is left out where it must not be written again, or is none:
// a protected one, and a caption. An old message comes without text, as one with the date 0; it cannot be changed.
func bubbleOf(m *tgbotapi.Message, raw []byte) *bot.Bubble {
	if m == nil || m.MessageID == 0 || m.Date == 0 {
		return nil
	}
	b := &bot.Bubble{ID: strconv.Itoa(m.MessageID)}
	if !m.HasProtectedContent {
		b.Text = m.Text
	}
	var u struct {
		Query struct {
			Message struct {
				Markup struct {
					Rows [][]button `json:"inline_keyboard"`
				} `json:"reply_markup"`
			} `json:"message"`
		} `json:"callback_query"`
	}
	if json.Unmarshal(raw, &u) != nil {
		return b // without its links: nobody needs them to go on
	}
	for _, row := range u.Query.Message.Markup.Rows {
		for _, k := range row {
			switch {
			case k.URL != "":
				b.Links = append(b.Links, bot.Button{Title: k.Text, URL: k.URL})
			case k.Copy != nil:
				b.Copies = append(b.Copies, bot.Copy{Title: k.Text, Text: k.Copy.Text})
			}
		}
	}
	return b
}

// Spend takes the keyboard off a bubble, but for what sends nothing, and writes its text anew where it is given one. It waits
// behind every message (pace.Spare) and is Throttled where that takes long. What Telegram refuses to change stays as it is:
// it was changed already, or deleted, or is too old.
func (c *Channel) Spend(ctx context.Context, chat string, s bot.Spend) error {
	_, badChat := strconv.ParseInt(chat, 10, 64)
	_, badID := strconv.Atoi(s.Bubble)
	if badChat != nil || badID != nil {
		return c.failed(&bot.SendError{Failure: bot.Permanent, Reason: "editMessageText: chat and message must be numbers"})
	}
	after, err := c.pace.Spare(ctx, chat)
	switch {
	case err != nil:
		return c.failed(&bot.SendError{Failure: bot.Temporary, Reason: "stopped while waiting for its turn", Err: err})
	case after > 0: // no trouble, so it is not counted as one
		return &bot.SendError{Failure: bot.Throttled, After: after, Reason: "waits for rate that is left over"}
	}
	params := tgbotapi.Params{"chat_id": chat, "message_id": s.Bubble}
	if rows := stays(s, c.fields.refused()); len(rows) > 0 {
		markup, err := json.Marshal(inlineKeyboard{rows})
		if err != nil {
			return c.failed(&bot.SendError{Failure: bot.Permanent, Reason: "keyboard: " + err.Error()})
		}
		params["reply_markup"] = string(markup)
	}
	method := "editMessageReplyMarkup"
	if s.Text != "" && utf16Len(s.Text) <= textMax {
		method = "editMessageText"
		params["text"], params["link_preview_options"] = s.Text, noPreview
	}
	err = c.client.call(ctx, callTimeout, method, params, nil)
	var refused *apiError
	switch {
	case err == nil:
		c.opt.Count(CountSpent)
	case errors.As(err, &refused) && refused.code == http.StatusBadRequest:
		c.opt.Count(CountUnspent)
		c.log.Debug("a bubble was not changed", "err", err)
	default:
		return c.failed(c.classify(chat, err))
	}
	return nil
}

// stays are the buttons that stay under a bubble when it is answered.
func stays(s bot.Spend, without refusals) [][]button {
	var keys []button
	for _, b := range s.Links {
		keys = append(keys, button{Text: b.Title, URL: b.URL})
	}
	return append(rows(keys), copies(s.Copies, without)...)
}
