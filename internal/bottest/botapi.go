package bottest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
)

// BotAPI is a Telegram server for tests: the Bot API over HTTP for the bot, and methods that play people with telephones.
// It speaks the real wire format, checks what the real server checks, and delivers what people do by getUpdates or to the
// webhook, whichever the bot asked for. Everything is recorded. It can be slow (Slow), fail (Fail, FailChat, FailWhere) or
// be gone (Down, Up).
//
// Methods that play a person return the id of the chat's newest message at that moment. WaitMessage with that id waits for
// what the bot answers. All methods may be called from many goroutines.
type BotAPI struct {
	// RetryWait is how long it waits before it posts to a webhook again that did not answer 2xx; it doubles up to
	// sixteen times as much. Set before Start; zero means 50 ms.
	RetryWait time.Duration

	platform[BotFault]

	token   string
	chats   map[int64]*botChat
	queue   []*botUpdate // not yet confirmed, oldest first
	nextID  int
	nextQ   int64
	queries map[string]bool // callback queries: answered?
	hook    botHook
	allowed []string
	poll    chan struct{}     // closed to end the getUpdates that waits now
	sending int               // posts to the webhook under way
	profile map[string]string // what the bot has set of itself, by part and language
	photos  map[string]string // by file_id: name of the file
	refused []string          // fields that it does not know
}

type botChat struct {
	id       int64
	kind     string // "private", "group"
	nextID   int
	messages []*ChatMessage
	blocked  bool
	last     *botUpdate
	lines    map[string]*botLine
}

// botLine is what waits for the webhook, one after the other. As with the real server messages and their edits stand in
// one line, and each other kind in one of its own: a press may overtake the message that was written before it.
type botLine struct {
	pending []*botUpdate
	busy    bool
}

func (c *botChat) line(kind string) *botLine {
	if kind == "edited_message" {
		kind = "message"
	}
	if c.lines[kind] == nil {
		c.lines[kind] = &botLine{}
	}
	return c.lines[kind]
}

type botUpdate struct {
	id   int
	chat int64
	kind string
	body []byte
	done bool
}

type botHook struct {
	url, secret string
	max         int
	failed      int64  // when a delivery went wrong last, in Unix seconds; 0: never
	failedFor   string // what Telegram says of that
}

// ChatMessage is one bubble in a chat, as it was sent. What the bot has changed since is in Edited, and Now; its first buttons
// can still be pressed, as on a telephone that has not heard of the change.
type ChatMessage struct {
	ID      int
	Bot     bool // from the bot; else from the person
	Text    string
	Image   string // name of the file that is shown, without its end
	Rows    [][]ChatButton
	Protect bool
	Deleted bool
	Edited  *ChatEdit // by the bot; nil: never
	Hint    string    // what stands in the empty input field
	At      time.Time
}

// ChatButton is one button under a message: it sends Data, opens URL, or copies a text.
type ChatButton struct {
	Title string    `json:"text"`
	Data  string    `json:"callback_data,omitempty"`
	URL   string    `json:"url,omitempty"`
	Copy  *ChatCopy `json:"copy_text,omitempty"`
	Style string    `json:"style,omitempty"`
}

// ChatCopy is what a button copies.
type ChatCopy struct {
	Text string `json:"text"`
}

// Labels returns the titles of a message's buttons, in reading order, but for those that copy: not every channel has them.
func (m ChatMessage) Labels() []string {
	var out []string
	for _, row := range m.Rows {
		for _, b := range row {
			if b.Copy == nil {
				out = append(out, b.Title)
			}
		}
	}
	return out
}

// BotCall is one request that the bot made. Status is what it was answered with; 0: the connection was dropped.
type BotCall struct {
	Method string
	Params map[string]string
	At     time.Time
	Status int
}

// WebhookPost is one delivery to the webhook.
type WebhookPost struct {
	UpdateID int
	Status   int // 0: no answer
	At       time.Time
}

// BotFault is how a call goes wrong. The zero value is none, so that a list of faults can let one pass.
type BotFault struct {
	Code        int    // HTTP status and error_code
	Description string // empty: what Telegram says with that code
	RetryAfter  int    // 429: seconds
	Drop        bool   // close the connection instead of answering
	Done        bool   // with Drop: do what was asked first, so that only the answer is lost
	Body        string // answer with this instead of JSON, as a proxy would

	Wait time.Duration // before the answer, or before the connection is closed
}

// The refusals, in Telegram's words.
const (
	botTextUnauthorized  = "Unauthorized"
	botTextNotFound      = "Not Found"
	botTextNoMethod      = "Not Found: method not found"
	botTextChatNotFound  = "Bad Request: chat not found"
	botTextBlocked       = "Forbidden: bot was blocked by the user"
	botTextEmpty         = "Bad Request: message text is empty"
	botTextTooLong       = "Bad Request: message is too long"
	botTextQueryTooOld   = "Bad Request: query is too old and response timeout expired or query ID is invalid"
	botTextNoDelete      = "Bad Request: message to delete not found"
	botTextOtherPoller   = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
	botTextWebhookActive = "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
)

// Usual faults, for Fail.
var (
	FaultUnauthorized = BotFault{Code: 401, Description: botTextUnauthorized}
	FaultBlocked      = BotFault{Code: 403, Description: botTextBlocked}
	FaultServerError  = BotFault{Code: 500, Description: "Internal Server Error"}
	FaultBadGateway   = BotFault{Code: 502, Body: "<html><body><h1>502 Bad Gateway</h1></body></html>"}
	FaultDropped      = BotFault{Drop: true}             // nothing was done
	FaultAnswerLost   = BotFault{Drop: true, Done: true} // it was done, but the bot cannot know
)

// FaultTimeout is no answer at all: nothing was done, and the connection is closed after so long.
func FaultTimeout(after time.Duration) BotFault { return BotFault{Drop: true, Wait: after} }

// FaultTooMany is a 429 that asks to wait.
func FaultTooMany(seconds int) BotFault { return BotFault{Code: 429, RetryAfter: seconds} }

// NewBotAPI makes a Bot API that knows one bot by its token. It does not listen yet; as an http.Handler it already
// answers.
func NewBotAPI(token string) *BotAPI {
	return &BotAPI{
		platform: newPlatform[BotFault](), token: token,
		chats:   map[int64]*botChat{},
		queries: map[string]bool{},
		photos:  map[string]string{},
		profile: map[string]string{},
		nextID:  700000001,
	}
}

// Start listens on a free port of the loopback interface.
func (b *BotAPI) Start() error { return b.Up() }

// Up listens again after Down, on the same port, and goes on delivering.
func (b *BotAPI) Up() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.up(b); err != nil {
		return fmt.Errorf("bot API: %w", err)
	}
	for _, c := range b.chats {
		b.pumpAll(c)
	}
	return nil
}

// FailChat makes the next [n] calls that are about one chat go wrong.
func (b *BotAPI) FailChat(chat int64, n int, f BotFault) {
	id := strconv.FormatInt(chat, 10)
	b.FailWhere(func(c BotCall) bool { return c.Params["chat_id"] == id }, n, f)
}

// Unanswered says how many pressed buttons still spin.
func (b *BotAPI) Unanswered() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, answered := range b.queries {
		if !answered {
			n++
		}
	}
	return n
}

// Pending says how many updates the bot has not confirmed yet.
func (b *BotAPI) Pending() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.pending()
}

func (b *BotAPI) pending() int {
	n := 0
	for _, u := range b.queue {
		if !u.done {
			n++
		}
	}
	return n
}

// Resume goes on where an earlier BotAPI was left: with these chats, empty, and with update ids from [next] on. An id that
// the bot has seen is a repeat to it.
func (b *BotAPI) Resume(next int, chats ...int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.nextID = max(b.nextID, next)
	for _, id := range chats {
		b.chat(id)
	}
}

// WebhookURL returns what the bot has registered, or "".
func (b *BotAPI) WebhookURL() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.hook.url
}

// ---- people ----

// Say writes a text.
func (b *BotAPI) Say(chat int64, text string) int {
	return b.write(chat, text, map[string]any{"text": text})
}

// Photo sends an image.
func (b *BotAPI) Photo(chat int64, caption string) int {
	m := map[string]any{"photo": []any{
		map[string]any{"file_id": "AgACsmall", "file_unique_id": "AQADs", "file_size": 1234, "width": 90, "height": 67},
		map[string]any{"file_id": "AgAClarge", "file_unique_id": "AQADl", "file_size": 98765, "width": 1280, "height": 960},
	}}
	if caption != "" {
		m["caption"] = caption
	}
	return b.write(chat, caption, m)
}

// Voice sends a voice message.
func (b *BotAPI) Voice(chat int64) int {
	return b.write(chat, "", map[string]any{"voice": map[string]any{
		"file_id": "AwACvoice", "file_unique_id": "AgADv", "duration": 3, "mime_type": "audio/ogg", "file_size": 12345,
	}})
}

// Location shares a place.
func (b *BotAPI) Location(chat int64, lat, lon float64) int {
	return b.write(chat, "", map[string]any{"location": map[string]any{"latitude": lat, "longitude": lon, "horizontal_accuracy": 12}})
}

// Contact shares a telephone number; [own] says that it is the person's own.
func (b *BotAPI) Contact(chat int64, phone string, own bool) int {
	c := map[string]any{"phone_number": phone, "first_name": "Persona"}
	if own {
		c["user_id"] = chat
	}
	return b.write(chat, "", map[string]any{"contact": c})
}

// Edit changes the text of one of the person's messages.
func (b *BotAPI) Edit(chat int64, messageID int, text string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.chat(chat)
	if m := c.message(messageID); m != nil {
		m.Text = text
	}
	b.send(c, "edited_message", map[string]any{
		"message_id": messageID, "from": botPerson(chat), "chat": c.wire(),
		"date": time.Now().Unix(), "edit_date": time.Now().Unix(), "text": text,
	})
	return c.newest()
}

// React puts an emoji under a message.
func (b *BotAPI) React(chat int64, messageID int, emoji string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.chat(chat)
	b.send(c, "message_reaction", map[string]any{
		"chat": c.wire(), "message_id": messageID, "user": botPerson(chat), "date": time.Now().Unix(),
		"old_reaction": []any{}, "new_reaction": []any{map[string]any{"type": "emoji", "emoji": emoji}},
	})
	return c.newest()
}

// Press presses the button with that label on the newest message of the bot that has one. A button that opens an
// address sends nothing and cannot be pressed here.
func (b *BotAPI) Press(chat int64, label string) (int, error) {
	return b.PressOn(chat, 0, label)
}

// PressOn presses a button on one message, however old; 0 means the newest one that has it.
func (b *BotAPI) PressOn(chat int64, messageID int, label string) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.chat(chat)
	for _, m := range slices.Backward(c.messages) {
		if !m.Bot || m.Deleted || messageID != 0 && m.ID != messageID {
			continue
		}
		for _, row := range m.Rows {
			for _, button := range row {
				if button.Title != label {
					continue
				}
				if button.Data == "" {
					return 0, fmt.Errorf("press: the button %q opens an address", label)
				}
				b.press(c, m, button.Data)
				return c.newest(), nil
			}
		}
	}
	return 0, fmt.Errorf("press: no message with a button %q", label)
}

func (b *BotAPI) press(c *botChat, m *ChatMessage, data string) {
	b.nextQ++
	id := strconv.FormatInt(2384567890123456789+b.nextQ, 10)
	b.queries[id] = false
	b.send(c, "callback_query", map[string]any{
		"id": id, "from": botPerson(c.id), "message": m.wire(c), "chat_instance": "-3141592653589793238", "data": data,
	})
}

// Block blocks the bot: it hears of it, and may not write any more.
func (b *BotAPI) Block(chat int64) { b.membership(chat, true) }

// Unblock lets the bot in again.
func (b *BotAPI) Unblock(chat int64) { b.membership(chat, false) }

func (b *BotAPI) membership(chat int64, blocked bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.chat(chat)
	c.blocked = blocked
	was, is := "member", "kicked"
	if !blocked {
		was, is = is, was
	}
	b.send(c, "my_chat_member", map[string]any{
		"chat": c.wire(), "from": botPerson(chat), "date": time.Now().Unix(),
		"old_chat_member": map[string]any{"user": botSelf, "status": was},
		"new_chat_member": map[string]any{"user": botSelf, "status": is},
	})
}

// SendUpdate delivers an update as it stands, but with the next update_id.
func (b *BotAPI) SendUpdate(raw string) error {
	var u map[string]json.RawMessage
	if err := json.Unmarshal([]byte(raw), &u); err != nil {
		return fmt.Errorf("update: %w", err)
	}
	delete(u, "update_id")
	for kind, body := range u {
		var in struct {
			Chat    struct{ ID int64 }
			Message struct{ Chat struct{ ID int64 } }
		}
		_ = json.Unmarshal(body, &in) // kinds without a chat belong to chat 0
		id := in.Chat.ID
		if id == 0 {
			id = in.Message.Chat.ID
		}
		b.mu.Lock()
		b.send(b.chat(id), kind, body)
		b.mu.Unlock()
	}
	return nil
}

// NumberFrom has the next update bear that number: those before went to another process.
func (b *BotAPI) NumberFrom(update int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.nextID = max(b.nextID, update)
}

// Repeat delivers the newest update of a chat once more, under the same update_id, as Telegram does when an answer
// was lost. By getUpdates it only comes when the bot has not confirmed it yet.
func (b *BotAPI) Repeat(chat int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.chat(chat)
	if c.last == nil {
		return
	}
	again := *c.last
	again.done = false
	b.enqueue(c, &again)
}

// Messages returns the bubbles the bot has sent to a chat, oldest first.
func (b *BotAPI) Messages(chat int64) []ChatMessage {
	return slices.DeleteFunc(b.History(chat), func(m ChatMessage) bool { return !m.Bot })
}

// History returns all bubbles of a chat, oldest first.
func (b *BotAPI) History(chat int64) []ChatMessage {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []ChatMessage
	if c := b.chats[chat]; c != nil {
		for _, m := range c.messages {
			out = append(out, *m)
		}
	}
	return out
}

// WaitMessage waits for the bot's first message in a chat that is newer than the message with the id [after].
func (b *BotAPI) WaitMessage(chat int64, after int, timeout time.Duration) (ChatMessage, error) {
	return b.waitMessage(func() []ChatMessage { return b.Messages(chat) }, after, timeout)
}

func (b *BotAPI) write(chat int64, text string, content map[string]any) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.chat(chat)
	m := c.add(&ChatMessage{Text: text, At: time.Now()})
	content["message_id"] = m.ID
	content["from"] = botPerson(chat)
	content["chat"] = c.wire()
	content["date"] = m.At.Unix()
	b.send(c, "message", content)
	return m.ID
}

// chat finds or makes a chat: whoever does something has one. The lock is held.
func (b *BotAPI) chat(id int64) *botChat {
	c := b.chats[id]
	if c == nil {
		c = &botChat{id: id, kind: "private", nextID: 101, lines: map[string]*botLine{}}
		if id < 0 {
			c.kind = "group"
		}
		b.chats[id] = c
	}
	return c
}

func (c *botChat) add(m *ChatMessage) *ChatMessage {
	m.ID = c.nextID
	c.nextID++
	c.messages = append(c.messages, m)
	return m
}

func (c *botChat) message(id int) *ChatMessage {
	for _, m := range c.messages {
		if m.ID == id && !m.Deleted {
			return m
		}
	}
	return nil
}

// forget drops what was confirmed from the head of the line.
func (l *botLine) forget() {
	for len(l.pending) > 0 && l.pending[0].done {
		l.pending = l.pending[1:]
	}
}

func (c *botChat) newest() int { return c.nextID - 1 }

func (c *botChat) wire() map[string]any {
	if c.kind == "group" {
		return map[string]any{"id": c.id, "title": "Grupo", "type": "group"}
	}
	return map[string]any{"id": c.id, "first_name": "Persona", "type": "private"}
}

func (m *ChatMessage) wire(c *botChat) map[string]any {
	now := m.Now()
	out := map[string]any{"message_id": m.ID, "from": botSelf, "chat": c.wire(), "date": m.At.Unix(), "text": now.Text}
	if m.Image != "" {
		delete(out, "text")
		out["caption"] = now.Text
	}
	if m.Protect {
		out["has_protected_content"] = true
	}
	if len(now.Rows) > 0 {
		out["reply_markup"] = map[string]any{"inline_keyboard": now.Rows}
	}
	return out
}

var botSelf = map[string]any{"id": 7000000001, "is_bot": true, "first_name": "Bot", "username": "example_bot"}

func botPerson(id int64) map[string]any {
	return map[string]any{"id": id, "is_bot": false, "first_name": "Persona", "language_code": "es"}
}

// send makes an update of something and queues it, if the bot wants that kind. The lock is held.
func (b *BotAPI) send(c *botChat, kind string, body any) {
	id := b.nextID
	b.nextID++
	raw, err := json.Marshal(map[string]any{"update_id": id, kind: body})
	if err != nil {
		panic(err) // maps of plain values
	}
	u := &botUpdate{id: id, chat: c.id, kind: kind, body: raw}
	c.last = u
	b.enqueue(c, u)
}

func (b *BotAPI) enqueue(c *botChat, u *botUpdate) {
	if !b.wanted(u.kind) {
		return
	}
	b.queue = append(b.queue, u)
	l := c.line(u.kind)
	l.forget()
	l.pending = append(l.pending, u)
	b.pump(l)
	b.changed()
}

// wanted: without a list, everything but the kinds that must be asked for by name.
func (b *BotAPI) wanted(kind string) bool {
	if len(b.allowed) == 0 {
		return kind != "chat_member" && kind != "message_reaction" && kind != "message_reaction_count"
	}
	return slices.Contains(b.allowed, kind)
}

// confirm takes an update off the queue. The lock is held.
func (b *BotAPI) confirm(u *botUpdate) {
	u.done = true
	for len(b.queue) > 0 && b.queue[0].done {
		b.queue = b.queue[1:]
	}
}

// ---- delivery to a webhook ----

// pump sees to it that somebody posts what waits in a line, one after the other. The lock is held.
func (b *BotAPI) pump(l *botLine) {
	if b.hook.url == "" || l.busy || b.closed || b.server == nil || len(l.pending) == 0 {
		return
	}
	l.busy = true
	b.workers.Go(func() { b.deliver(l) })
}

func (b *BotAPI) pumpAll(c *botChat) {
	for _, l := range c.lines {
		b.pump(l)
	}
}

func (b *BotAPI) deliver(l *botLine) {
	wait := b.RetryWait
	if wait <= 0 {
		wait = 50 * time.Millisecond
	}
	longest := 16 * wait
	for {
		b.mu.Lock()
		l.forget()
		if b.hook.url == "" || b.closed || b.server == nil || len(l.pending) == 0 {
			l.busy = false
			b.mu.Unlock()
			return
		}
		if b.sending >= b.hook.max {
			news := b.news
			b.mu.Unlock()
			select {
			case <-news:
			case <-b.stop:
			}
			continue
		}
		b.sending++
		u, hook := l.pending[0], b.hook
		b.mu.Unlock()

		status := b.post(hook, u)

		b.mu.Lock()
		b.sending--
		b.posts = append(b.posts, WebhookPost{UpdateID: u.id, Status: status, At: time.Now()})
		ok := status >= 200 && status < 300
		if ok {
			b.confirm(u)
		}
		b.changed()
		b.mu.Unlock()
		if !ok {
			select {
			case <-time.After(wait):
			case <-b.stop:
			}
			wait = min(2*wait, longest)
		}
	}
}

func (b *BotAPI) post(hook botHook, u *botUpdate) (status int) {
	req, err := http.NewRequest(http.MethodPost, hook.url, strings.NewReader(string(u.body)))
	if err != nil {
		return 0
	}
	req.Header.Set("Content-Type", "application/json")
	if hook.secret != "" {
		req.Header.Set("X-Telegram-Bot-Api-Secret-Token", hook.secret)
	}
	resp, err := b.client.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body) // only so that the connection can be used again
	return resp.StatusCode
}

// ---- the Bot API ----

// botRefusal is an error answer.
type botRefusal struct {
	code, retryAfter int
	description      string
}

func (r *botRefusal) Error() string { return r.description }

func refuseBot(code int, description string) error {
	return &botRefusal{code: code, description: description}
}

var botMethods = map[string]func(b *BotAPI, r *http.Request, p map[string]string) (any, error){
	"getMe":          (*BotAPI).getMe,
	"setWebhook":     (*BotAPI).setWebhook,
	"deleteWebhook":  (*BotAPI).deleteWebhook,
	"getWebhookInfo": (*BotAPI).getWebhookInfo,
	"getUpdates":     (*BotAPI).getUpdates,
	"sendMessage":    (*BotAPI).sendMessage,
	"sendPhoto":      (*BotAPI).sendPhoto,
	"sendChatAction": (*BotAPI).sendChatAction,
	"deleteMessage":  (*BotAPI).deleteMessage,

	"editMessageText":        (*BotAPI).editMessageText,
	"editMessageReplyMarkup": (*BotAPI).editMessageReplyMarkup,

	"answerCallbackQuery": (*BotAPI).answerCallbackQuery,

	"getMyDescription":      (*BotAPI).getMyDescription,
	"setMyDescription":      (*BotAPI).setMyDescription,
	"getMyShortDescription": (*BotAPI).getMyShortDescription,
	"setMyShortDescription": (*BotAPI).setMyShortDescription,
	"getMyCommands":         (*BotAPI).getMyCommands,
	"setMyCommands":         (*BotAPI).setMyCommands,
	"getChatMenuButton":     (*BotAPI).getChatMenuButton,
	"setChatMenuButton":     (*BotAPI).setChatMenuButton,
}

// ServeHTTP answers one call of the bot: /bot<token>/<method>.
func (b *BotAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	at := time.Now()
	rest, isBot := strings.CutPrefix(r.URL.Path, "/bot")
	token, method, _ := strings.Cut(rest, "/")
	if !isBot || !strings.Contains(token, ":") {
		answerBot(w, nil, refuseBot(404, botTextNotFound))
		return
	}
	if token != b.token {
		answerBot(w, nil, refuseBot(401, botTextUnauthorized))
		return
	}
	params, err := readBotParams(r)
	if err != nil {
		answerBot(w, nil, refuseBot(400, "Bad Request: can't parse the request"))
		return
	}
	call := BotCall{Method: method, Params: params, At: at}

	b.mu.Lock()
	delay := b.slow[""] + b.slow[method]
	fault := b.fault(call)
	b.mu.Unlock()
	b.dawdle(r, delay)
	if fault != nil && !fault.Done {
		b.dawdle(r, fault.Wait)
		b.record(call, fault.Code)
		fault.answer(w)
		return
	}
	do := botMethods[method]
	if do == nil {
		b.record(call, 404)
		answerBot(w, nil, refuseBot(404, botTextNoMethod))
		return
	}
	result, err := do(b, r, params)
	if fault != nil {
		b.dawdle(r, fault.Wait)
		b.record(call, 0)
		fault.answer(w)
		return
	}
	status := 200
	var refused *botRefusal
	if errors.As(err, &refused) {
		status = refused.code
	}
	b.record(call, status)
	answerBot(w, result, err)
}

func (f *BotFault) answer(w http.ResponseWriter) {
	switch {
	case f.Drop:
		panic(http.ErrAbortHandler) // the server closes the connection and says nothing
	case f.Body != "":
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(f.Code)
		_, _ = io.WriteString(w, f.Body) // the bot may have gone
	default:
		r := &botRefusal{code: f.Code, retryAfter: f.RetryAfter, description: f.Description}
		if r.description == "" && f.Code == 429 {
			r.description = fmt.Sprintf("Too Many Requests: retry after %d", f.RetryAfter)
		}
		if r.description == "" {
			r.description = http.StatusText(f.Code)
		}
		answerBot(w, nil, r)
	}
}

func answerBot(w http.ResponseWriter, result any, err error) {
	status := 200
	out := map[string]any{"ok": true, "result": result}
	var refused *botRefusal
	if errors.As(err, &refused) {
		status = refused.code
		out = map[string]any{"ok": false, "error_code": refused.code, "description": refused.description}
		if refused.retryAfter > 0 {
			out["parameters"] = map[string]any{"retry_after": refused.retryAfter}
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(out) // the bot may have gone
}

// readBotParams reads a query, a form or a JSON body; values that are not strings are kept as JSON.
func readBotParams(r *http.Request) (map[string]string, error) {
	out := map[string]string{}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		var body map[string]json.RawMessage
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			return nil, err
		}
		for k, v := range body {
			var s string
			if json.Unmarshal(v, &s) != nil {
				s = string(v)
			}
			out[k] = s
		}
		return out, nil
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data") {
		if err := r.ParseMultipartForm(32 << 20); err != nil {
			return nil, err
		}
	}
	if err := r.ParseForm(); err != nil {
		return nil, err
	}
	for k := range r.Form {
		out[k] = r.Form.Get(k)
	}
	return out, nil
}

func (b *BotAPI) getMe(*http.Request, map[string]string) (any, error) { return botSelf, nil }

func (b *BotAPI) setWebhook(_ *http.Request, p map[string]string) (any, error) {
	u, err := url.Parse(p["url"])
	if err != nil || p["url"] != "" && (u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
		return nil, refuseBot(400, "Bad Request: bad webhook: invalid webhook URL specified")
	}
	for _, r := range p["secret_token"] {
		if !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-", r) {
			return nil, refuseBot(400, "Bad Request: secret token contains unallowed characters")
		}
	}
	if len(p["secret_token"]) > 256 {
		return nil, refuseBot(400, "Bad Request: secret token is too long")
	}
	limit, _ := strconv.Atoi(p["max_connections"])
	if limit < 1 || limit > 100 {
		limit = 40
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.allow(p["allowed_updates"]); err != nil {
		return nil, err
	}
	b.hook = botHook{url: p["url"], secret: p["secret_token"], max: limit}
	b.dropPending(p["drop_pending_updates"])
	b.endPoll()
	for _, c := range b.chats {
		b.pumpAll(c)
	}
	b.changed()
	return true, nil
}

func (b *BotAPI) deleteWebhook(_ *http.Request, p map[string]string) (any, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hook = botHook{}
	b.dropPending(p["drop_pending_updates"])
	b.changed()
	return true, nil
}

func (b *BotAPI) getWebhookInfo(*http.Request, map[string]string) (any, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	info := map[string]any{
		"url": b.hook.url, "has_custom_certificate": false, "pending_update_count": b.pending(),
		"max_connections": b.hook.max, "allowed_updates": b.allowed,
	}
	if b.hook.failed != 0 {
		info["last_error_date"], info["last_error_message"] = b.hook.failed, b.hook.failedFor
	}
	return info, nil
}

// SetHook is a webhook that somebody has set, whose last delivery went wrong at [failed] for that reason; zero: it did not.
func (b *BotAPI) SetHook(url string, failed time.Time, why string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hook = botHook{url: url, max: 40}
	if !failed.IsZero() {
		b.hook.failed, b.hook.failedFor = failed.Unix(), why
	}
}

func (b *BotAPI) dropPending(yes string) {
	if yes == "true" || yes == "True" || yes == "1" {
		for _, u := range b.queue {
			u.done = true
		}
		b.queue = nil
	}
}

// allow remembers the list of kinds; an absent list leaves the last one. The lock is held.
func (b *BotAPI) allow(list string) error {
	if list == "" {
		return nil
	}
	var kinds []string
	if err := json.Unmarshal([]byte(list), &kinds); err != nil {
		return refuseBot(400, "Bad Request: can't parse allowed_updates: expected an array of strings")
	}
	b.allowed = kinds
	return nil
}

// endPoll ends the getUpdates that waits now, with a conflict. The lock is held.
func (b *BotAPI) endPoll() {
	if b.poll != nil {
		close(b.poll)
		b.poll = nil
	}
}

func (b *BotAPI) getUpdates(r *http.Request, p map[string]string) (any, error) {
	offset, _ := strconv.Atoi(p["offset"])
	limit, _ := strconv.Atoi(p["limit"])
	if limit < 1 || limit > 100 {
		limit = 100
	}
	seconds, _ := strconv.Atoi(p["timeout"])
	late := time.NewTimer(time.Duration(seconds) * time.Second)
	defer late.Stop()

	b.mu.Lock()
	if b.hook.url != "" {
		b.mu.Unlock()
		return nil, refuseBot(409, botTextWebhookActive)
	}
	if err := b.allow(p["allowed_updates"]); err != nil {
		b.mu.Unlock()
		return nil, err
	}
	b.endPoll()
	mine := make(chan struct{})
	b.poll = mine
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		if b.poll == mine {
			b.poll = nil
		}
		b.mu.Unlock()
	}()
	for {
		b.mu.Lock()
		updates := b.take(offset, limit)
		news := b.news
		b.mu.Unlock()
		if len(updates) > 0 || seconds == 0 {
			return updates, nil
		}
		select {
		case <-news:
		case <-mine:
			return nil, refuseBot(409, botTextOtherPoller)
		case <-late.C:
			return []json.RawMessage{}, nil
		case <-r.Context().Done():
			return []json.RawMessage{}, nil
		case <-b.stop:
			return []json.RawMessage{}, nil
		}
	}
}

// take confirms what is below the offset and returns what is not confirmed. The lock is held.
func (b *BotAPI) take(offset, limit int) []json.RawMessage {
	out := []json.RawMessage{}
	for _, u := range slices.Clone(b.queue) {
		switch {
		case u.done:
		case u.id < offset:
			b.confirm(u)
		case len(out) < limit:
			out = append(out, u.body)
		}
	}
	return out
}

func (b *BotAPI) sendMessage(_ *http.Request, p map[string]string) (any, error) {
	id, err := strconv.ParseInt(p["chat_id"], 10, 64)
	if err != nil {
		return nil, refuseBot(400, botTextChatNotFound)
	}
	switch n := len(utf16.Encode([]rune(p["text"]))); {
	case strings.TrimSpace(p["text"]) == "":
		return nil, refuseBot(400, botTextEmpty)
	case n > 4096:
		return nil, refuseBot(400, botTextTooLong)
	}
	m := &ChatMessage{Text: p["text"]}
	if err := b.show(id, m, p); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return m.wire(b.chats[id]), nil
}

// show puts a message of the bot into a chat.
func (b *BotAPI) show(id int64, m *ChatMessage, p map[string]string) error {
	if err := b.knows(p); err != nil {
		return err
	}
	rows, err := readBotKeyboard(p)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.chats[id]
	switch {
	case c == nil:
		return refuseBot(400, botTextChatNotFound)
	case c.blocked:
		return refuseBot(403, botTextBlocked)
	}
	m.Bot, m.Rows, m.Protect, m.At = true, rows, p["protect_content"] == "true", time.Now()
	m.Hint = readBotHint(p)
	c.add(m)
	b.changed()
	return nil
}

// readBotKeyboard checks an inline keyboard as Telegram does.
func readBotKeyboard(p map[string]string) ([][]ChatButton, error) {
	raw, ok := p["reply_markup"]
	if !ok {
		return nil, nil
	}
	var markup map[string]json.RawMessage
	if err := json.Unmarshal([]byte(raw), &markup); err != nil || markup == nil {
		return nil, refuseBot(400, "Bad Request: object expected as reply markup")
	}
	if string(markup["force_reply"]) == "true" {
		if len([]rune(readBotHint(p))) > 64 {
			return nil, refuseBot(400, "Bad Request: input field placeholder is too long")
		}
		return nil, nil
	}
	var rows [][]ChatButton
	if err := json.Unmarshal(markup["inline_keyboard"], &rows); err != nil || string(markup["inline_keyboard"]) == "null" {
		return nil, refuseBot(400, "Bad Request: can't parse inline keyboard: expected an Array of Arrays")
	}
	for _, row := range rows {
		for _, button := range row {
			switch {
			case button.Title == "":
				return nil, refuseBot(400, "Bad Request: can't parse inline keyboard button: Field \"text\" must be of type String")
			case button.URL != "":
				u, err := url.Parse(button.URL)
				if err != nil || !strings.Contains(u.Hostname(), ".") {
					return nil, refuseBot(400, "Bad Request: inline keyboard button URL '"+button.URL+"' is invalid: Wrong HTTP URL")
				}
			case button.Style != "" && button.Style != "primary" && button.Style != "success" && button.Style != "danger":
				return nil, refuseBot(400, "Bad Request: can't parse inline keyboard button: invalid button style specified")
			case button.Copy != nil && button.Data == "":
				if n := len([]rune(button.Copy.Text)); n < 1 || n > 256 {
					return nil, refuseBot(400, "Bad Request: can't parse inline keyboard button: copy_text must be 1 to 256 characters")
				}
			case button.Data == "":
				return nil, refuseBot(400, "Bad Request: can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard")
			case len(button.Data) > 64:
				return nil, refuseBot(400, "Bad Request: BUTTON_DATA_INVALID")
			}
		}
	}
	return rows, nil
}

// readBotHint is what a reply that is asked for has in its empty input field.
func readBotHint(p map[string]string) string {
	var markup struct {
		Hint string `json:"input_field_placeholder"`
	}
	_ = json.Unmarshal([]byte(p["reply_markup"]), &markup) // readBotKeyboard has looked
	return markup.Hint
}

func (b *BotAPI) sendChatAction(_ *http.Request, p map[string]string) (any, error) {
	id, _ := strconv.ParseInt(p["chat_id"], 10, 64)
	b.mu.Lock()
	defer b.mu.Unlock()
	switch c := b.chats[id]; {
	case c == nil:
		return nil, refuseBot(400, botTextChatNotFound)
	case c.blocked:
		return nil, refuseBot(403, botTextBlocked)
	}
	return true, nil
}

func (b *BotAPI) deleteMessage(_ *http.Request, p map[string]string) (any, error) {
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
	case c.message(messageID) == nil:
		return nil, refuseBot(400, botTextNoDelete)
	}
	c.message(messageID).Deleted = true
	b.changed()
	return true, nil
}

func (b *BotAPI) answerCallbackQuery(_ *http.Request, p map[string]string) (any, error) {
	id := p["callback_query_id"]
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, known := b.queries[id]; !known {
		return nil, refuseBot(400, botTextQueryTooOld)
	}
	b.queries[id] = true
	b.changed()
	return true, nil
}
