package bottest

import (
	"net/http"
	"strconv"
	"strings"
	"unicode/utf16"
)

// The refusals of an edit, in Telegram's words.
const (
	botTextNoEdit      = "Bad Request: message to edit not found"
	botTextCannotEdit  = "Bad Request: message can't be edited"
	botTextNotModified = "Bad Request: message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message"
	botTextNoText      = "Bad Request: there is no text in the message to edit"
)

// ChatEdit is what a bubble looks like since the bot changed it.
type ChatEdit struct {
	Text string
	Rows [][]ChatButton
}

// Now is what the bubble looks like now.
func (m ChatMessage) Now() ChatEdit {
	if m.Edited != nil {
		return *m.Edited
	}
	return ChatEdit{m.Text, m.Rows}
}

// RefuseFields has the server refuse every message with such a field in its keyboard, as one that is older than the field.
// Without names it takes them all again.
func (b *BotAPI) RefuseFields(names ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refused = names
}

// knows refuses a keyboard with a field that the server does not know.
func (b *BotAPI) knows(p map[string]string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, name := range b.refused {
		if strings.Contains(p["reply_markup"], `"`+name+`":`) {
			return refuseBot(400, "Bad Request: can't parse reply markup: field is not supported")
		}
	}
	return nil
}

func (b *BotAPI) editMessageText(_ *http.Request, p map[string]string) (any, error) {
	switch n := len(utf16.Encode([]rune(p["text"]))); {
	case strings.TrimSpace(p["text"]) == "":
		return nil, refuseBot(400, botTextEmpty)
	case n > 4096:
		return nil, refuseBot(400, botTextTooLong)
	}
	return b.edit(p, func(m *ChatMessage, e *ChatEdit) error {
		if m.Image != "" {
			return refuseBot(400, botTextNoText)
		}
		e.Text = p["text"]
		return nil
	})
}

func (b *BotAPI) editMessageReplyMarkup(_ *http.Request, p map[string]string) (any, error) {
	return b.edit(p, func(*ChatMessage, *ChatEdit) error { return nil })
}

// edit changes a bubble of the bot. Its keyboard is the one that comes with the call, or none.
func (b *BotAPI) edit(p map[string]string, change func(m *ChatMessage, e *ChatEdit) error) (any, error) {
	if err := b.knows(p); err != nil {
		return nil, err
	}
	rows, err := readBotKeyboard(p)
	if err != nil {
		return nil, err
	}
	id, _ := strconv.ParseInt(p["chat_id"], 10, 64)
	messageID, _ := strconv.Atoi(p["message_id"])
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.chats[id]
	switch {
	case c == nil:
		return nil, refuseBot(400, botTextChatNotFound)
	case c.blocked:
		return nil, refuseBot(403, botTextBlocked)
	}
	m := c.message(messageID)
	switch {
	case m == nil:
		return nil, refuseBot(400, botTextNoEdit)
	case !m.Bot:
		return nil, refuseBot(400, botTextCannotEdit)
	}
	was := m.Now()
	next := ChatEdit{was.Text, rows}
	if err := change(m, &next); err != nil {
		return nil, err
	}
	if next.Text == was.Text && len(next.Rows) == 0 && len(was.Rows) == 0 {
		return nil, refuseBot(400, botTextNotModified)
	}
	m.Edited = &next
	b.changed()
	return m.wire(c), nil
}
