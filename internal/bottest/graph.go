package bottest

import (
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
)

// Graph is a WhatsApp server for tests: the Cloud API over HTTP for the bot, and methods that play people with telephones,
// named as those of BotAPI. What people do is posted to the webhook, signed, until it is taken. What the bot sends is
// checked as the real server checks it, shown in the chat, and followed by statuses. Everything is recorded. It can be slow
// (Slow), fail (Fail, FailChat, FailWhere, FailStatus) or be gone (Down, Up).
//
// Slow, Fail and FailWhere name a call: "messages" (a send), "read" (a read receipt), "media" (an upload), "phone_number",
// "subscribed_apps", "whatsapp_business_profile", "conversational_automation", or what only an operator asks: "debug_token", "phone_numbers", "message_templates", "subscriptions". The parameters of a call are the members of its body, with access_token, and with chat_id where it
// is about a known person.
//
// A chat is named by the person's telephone number. Methods that play a person return the id of the chat's newest message
// at that moment. WaitMessage with that id waits for what the bot answers. All methods may be called from many goroutines.
type Graph struct {
	// RetryWait is how long it waits before it posts to a webhook again that did not answer 2xx; it doubles up to
	// sixteen times as much. Set before Start; zero means 50 ms.
	RetryWait time.Duration

	platform[GraphFault]

	opt        GraphOptions
	seed       uint64   // makes the ids of two of us differ
	tokens     []string // those that work
	expired    map[string]bool
	people     map[int64]*graphPerson  // by the number they use now
	users      map[string]*graphPerson // by the business-scoped user id they have now
	mail       map[string]*graphMessage
	files      map[string]string // by media id: name of the file
	nextWAMID  uint64
	nextQ      int
	hook       string
	ready      []*graphLine // lines that wait for a place, oldest first
	sending    int          // posts to the webhook under way
	pending    int          // updates that were not taken yet
	batch      int
	statuses   []string
	throttle   graphBucket
	took       []time.Duration
	subscribed bool
	admin      graphAdmin
	profile    map[string]string // what it shows of the bot
}

// GraphOptions is what Graph knows of the bot and of its number. Only Tokens, PhoneNumberID, AppSecret and VerifyToken
// must be given.
type GraphOptions struct {
	Tokens        []string // access tokens that work; SetTokens changes them
	PhoneNumberID string
	AppSecret     string // signs what is posted to the webhook
	VerifyToken   string // shown to the webhook when it is set

	Version      string // of the API; empty: v26.0
	DisplayPhone string // the bot's own number; empty: an invented one
	AccountID    string // the business account; empty: an invented one

	// Now is the clock of the 24-hour window, of the limits and of the timestamps; nil: time.Now. A test may move it.
	Now func() time.Time

	PerSecond int           // messages a second for the number, else 130429; 0: 80; negative: no limit
	PairEvery time.Duration // one person may get one message in so long, else 131056; 0: 6 s; negative: no limit
	PairBurst int           // … after so many at once; 0: 45
	Parallel  int           // posts to the webhook at the same time; 0: 40

	// StatusDelay is how long after the answer to a send its first status is delivered. Zero is realistic too: a status
	// may overtake the answer.
	StatusDelay time.Duration

	Templates []GraphTemplate
}

// GraphTemplate is an approved template. {{1}}, {{2}}, … in Body are its parameters.
type GraphTemplate struct {
	Name, Language string
	Body           string
	Buttons        []string // titles of its quick replies
}

// graphPerson is one person with a telephone. The chat is named by phone; hidden says that the bot is not told it.
type graphPerson struct {
	phone    int64
	userID   string // "": the bot is told only the number
	hidden   bool
	nextID   int
	messages []*graphMessage
	last     *graphUpdate
	inbox    graphLine // messages
	reports  graphLine // statuses
	heard    time.Time // when the person last wrote: opens the window
	pair     graphBucket
	blocked  bool
	typing   time.Time // until when the bot seems to write
	failures []int     // codes of the statuses that the next messages get
}

// graphMessage is a bubble with what only WhatsApp knows of it.
type graphMessage struct {
	ChatMessage
	person  *graphPerson
	wamid   string
	kind    string // "button", "list", "template", or what the message is
	buttons []graphButton
	mediaID string // of the image that is shown
	read    bool   // by the bot
}

// graphButton is a reply button, a row of a list, or a quick reply of a template.
type graphButton struct{ id, title, description string }

// graphLine is what waits for the webhook, one after the other.
type graphLine struct {
	pending []*graphUpdate
	busy    bool // being posted
	queued  bool // in ready
}

// graphUpdate is one message or one status; or a whole value of a change.
type graphUpdate struct {
	id      int
	field   string
	contact string // JSON, "" for none: stands beside the messages
	message json.RawMessage
	status  json.RawMessage
	value   json.RawMessage
}

// graphBucket is a limit: full at first, one drop for each message, filled again by the clock.
type graphBucket struct {
	drops float64
	at    time.Time
}

// take takes a drop, or says that there is none.
func (b *graphBucket) take(now time.Time, size int, every time.Duration) bool {
	if every < 0 || size < 0 {
		return true
	}
	if b.at.IsZero() {
		b.drops = float64(size)
	}
	b.drops = min(float64(size), b.drops+max(0, float64(now.Sub(b.at))/float64(every)))
	b.at = now
	if b.drops < 1 {
		return false
	}
	b.drops--
	return true
}

// GraphFault is how a call goes wrong. The zero value is none, so that a list of faults can let one pass.
type GraphFault struct {
	Code       int    // error.code; 0 with a Status: an answer without one
	Subcode    int    // error.error_subcode
	Status     int    // HTTP; 0: what the code usually comes with
	Message    string // empty: what Meta says with that code
	Details    string // empty: what Meta says with that code
	RetryAfter int    // header, in seconds
	Drop       bool   // close the connection instead of answering
	Done       bool   // with Drop: do what was asked first, so that only the answer is lost
	Body       string // answer with this instead of JSON, as a proxy would

	Wait time.Duration // before the answer, or before the connection is closed
}

// Usual faults, for Fail.
var (
	GraphFaultToken       = GraphFault{Code: 190, Subcode: 463}
	GraphFaultTooMany     = GraphFault{Code: 130429}
	GraphFaultPair        = GraphFault{Code: 131056}
	GraphFaultWindow      = GraphFault{Code: 131047}
	GraphFaultServerError = GraphFault{Code: 131000}
	GraphFaultBadGateway  = GraphFault{Status: 502, Body: "<html><body><h1>502 Bad Gateway</h1></body></html>"}
	GraphFaultDropped     = GraphFault{Drop: true}             // nothing was done
	GraphFaultAnswerLost  = GraphFault{Drop: true, Done: true} // it was done, but the bot cannot know
)

// GraphFaultTimeout is no answer at all: nothing was done, and the connection is closed after so long.
func GraphFaultTimeout(after time.Duration) GraphFault { return GraphFault{Drop: true, Wait: after} }

// window is how long after a person's last message the bot may answer freely.
const graphWindow = 24 * time.Hour

// NewGraph makes a WhatsApp that knows one bot. It does not listen yet; as an http.Handler it already answers.
func NewGraph(o GraphOptions) *Graph {
	o.Version = cmp.Or(o.Version, "v26.0")
	o.DisplayPhone = cmp.Or(o.DisplayPhone, "15550783881")
	o.AccountID = cmp.Or(o.AccountID, "102290129340398")
	o.PerSecond = cmp.Or(o.PerSecond, 80)
	o.PairEvery = cmp.Or(o.PairEvery, 6*time.Second)
	o.PairBurst = cmp.Or(o.PairBurst, 45)
	o.Parallel = cmp.Or(o.Parallel, 40)
	if o.Now == nil {
		o.Now = time.Now
	}
	var seed [8]byte
	_, _ = rand.Read(seed[:]) // never fails
	return &Graph{
		platform:   newPlatform[GraphFault](),
		opt:        o,
		seed:       binary.BigEndian.Uint64(seed[:]),
		tokens:     slices.Clone(o.Tokens),
		expired:    map[string]bool{},
		people:     map[int64]*graphPerson{},
		users:      map[string]*graphPerson{},
		mail:       map[string]*graphMessage{},
		files:      map[string]string{},
		batch:      1,
		statuses:   []string{"sent", "delivered", "read"},
		subscribed: true,
		admin:      newGraphAdmin(),
		profile:    map[string]string{},
	}
}

// Start listens on a free port of the loopback interface.
func (g *Graph) Start() error { return g.Up() }

// Up listens again after Down, on the same port, and goes on delivering.
func (g *Graph) Up() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.up(g); err != nil {
		return fmt.Errorf("graph: %w", err)
	}
	g.pump()
	return nil
}

// SetTokens says which access tokens work from now on; the others have expired.
func (g *Graph) SetTokens(tokens ...string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, t := range g.tokens {
		g.expired[t] = true
	}
	g.tokens = slices.Clone(tokens)
}

// FailChat makes the next [n] sends to one person go wrong.
func (g *Graph) FailChat(chat int64, n int, f GraphFault) {
	id := strconv.FormatInt(chat, 10)
	g.FailWhere(func(c BotCall) bool { return c.Method == "messages" && c.Params["chat_id"] == id }, n, f)
}

// FailStatus takes the next message to a person, and then reports that it failed, with that code. The person does not
// see it.
func (g *Graph) FailStatus(chat int64, code int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.person(chat)
	p.failures = append(p.failures, code)
}

// Statuses says which statuses each message that was taken goes through, in the order in which they are delivered: out
// of order, and twice, if so told. At first "sent", "delivered", "read"; none at all turns them off.
func (g *Graph) Statuses(statuses ...string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.statuses = slices.Clone(statuses)
}

// Report delivers one more status of a message of the bot. The code is for "failed".
func (g *Graph) Report(chat int64, messageID int, status string, code int) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	m := g.person(chat).message(messageID)
	if m == nil || !m.Bot {
		return fmt.Errorf("report: chat has no message %d of the bot", messageID)
	}
	g.report(m, status, code)
	return nil
}

// Batch puts up to [n] messages and statuses into one post to the webhook: those of one person side by side, different
// people as changes, in two entries by turns.
func (g *Graph) Batch(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.batch = max(1, n)
}

// Heal ends every slowness and rudeness.
func (g *Graph) Heal() {
	g.platform.Heal()
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, p := range g.people {
		p.failures = nil
	}
}

// Took returns how long each post to the webhook so far waited for its answer.
func (g *Graph) Took() []time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.took)
}

// Pending says how many messages and statuses the webhook has not taken yet, those included that StatusDelay holds.
func (g *Graph) Pending() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.pending
}

// WebhookURL returns what SetWebhook was given, or "".
func (g *Graph) WebhookURL() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.hook
}

// Read says whether the bot has marked a person's message as read; that includes the earlier ones.
func (g *Graph) Read(wamid string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	m := g.mail[wamid]
	return m != nil && m.read
}

// Typing says whether the person sees that the bot is writing.
func (g *Graph) Typing(chat int64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.people[chat]
	return p != nil && g.opt.Now().Before(p.typing)
}

// WAMID returns the wire's name of a message of a chat, or "".
func (g *Graph) WAMID(chat int64, messageID int) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if p := g.people[chat]; p != nil {
		if m := p.message(messageID); m != nil {
			return m.wamid
		}
	}
	return ""
}

// ---- people ----

// Resume goes on where an earlier Graph was left: with these people, whose chats are empty and who have just written.
func (g *Graph) Resume(chats ...int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, phone := range chats {
		g.person(phone).heard = g.opt.Now()
	}
}

// Say writes a text.
func (g *Graph) Say(chat int64, text string) int {
	return g.write(chat, text, "text", map[string]any{"body": text})
}

// Photo sends an image.
func (g *Graph) Photo(chat int64, caption string) int {
	m := map[string]any{"mime_type": "image/jpeg", "sha256": graphHash, "id": "1003383421387257"}
	if caption != "" {
		m["caption"] = caption
	}
	return g.write(chat, caption, "image", m)
}

// Voice sends a voice message.
func (g *Graph) Voice(chat int64) int {
	return g.write(chat, "", "audio", map[string]any{
		"mime_type": "audio/ogg; codecs=opus", "sha256": graphHash, "id": "1003383421387256", "voice": true,
	})
}

// Sticker sends a sticker.
func (g *Graph) Sticker(chat int64) int {
	return g.write(chat, "", "sticker", map[string]any{
		"mime_type": "image/webp", "sha256": graphHash, "id": "1003383421387259", "animated": false,
	})
}

// Document sends a file.
func (g *Graph) Document(chat int64, filename string) int {
	return g.write(chat, "", "document", map[string]any{
		"filename": filename, "mime_type": "application/pdf", "sha256": graphHash, "id": "1003383421387258",
	})
}

// Location shares a place.
func (g *Graph) Location(chat int64, lat, lon float64) int {
	return g.write(chat, "", "location", map[string]any{
		"latitude": lat, "longitude": lon, "name": "Quito", "address": "Av. Amazonas 1",
	})
}

// Contact shares a telephone number; [own] says that it is the person's own.
func (g *Graph) Contact(chat int64, phone string, own bool) int {
	waID := digits(phone)
	if own {
		waID = strconv.FormatInt(chat, 10)
	}
	return g.write(chat, "", "contacts", []any{map[string]any{
		"name":   map[string]any{"first_name": "Persona", "formatted_name": "Persona P."},
		"phones": []any{map[string]any{"phone": phone, "wa_id": waID, "type": "MOBILE"}},
	}})
}

// React puts an emoji under a message; "" takes it away.
func (g *Graph) React(chat int64, messageID int, emoji string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.person(chat)
	r := map[string]any{"message_id": ""}
	if m := p.message(messageID); m != nil {
		r["message_id"] = m.wamid
	}
	if emoji != "" {
		r["emoji"] = emoji
	}
	p.heard = g.opt.Now()
	g.send(p, p.wire(g.note(p, "reaction"), p.heard, "reaction", r))
	return p.newest()
}

// Unsupported sends something that the API does not tell of, such as a poll.
func (g *Graph) Unsupported(chat int64) int { return g.unsupported(chat, "") }

// Edit changes the text of one of the person's messages. The API does not tell the bot what it says now.
func (g *Graph) Edit(chat int64, messageID int, text string) int {
	g.mu.Lock()
	if m := g.person(chat).message(messageID); m != nil {
		m.Text = text
	}
	g.mu.Unlock()
	return g.unsupported(chat, "edit")
}

func (g *Graph) unsupported(chat int64, what string) int { return g.untold(chat, what, 131051) }

// untold sends what the API does not tell: of which type it is, at best, and an error.
func (g *Graph) untold(chat int64, what string, code int) int {
	title, details := "Message type unknown", "Message type is currently not supported."
	if code != 131051 {
		title, details = "This message is currently unavailable.", "This message is currently unavailable."
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.person(chat)
	m := g.add(p, &graphMessage{kind: "unsupported"}, false)
	w := p.wire(m.wamid, m.At, "unsupported", nil)
	w["errors"] = []any{map[string]any{
		"code": code, "title": title, "message": title, "error_data": map[string]any{"details": details},
	}}
	if what != "" {
		w["unsupported"] = map[string]any{"type": what}
	}
	g.send(p, w)
	return p.newest()
}

// Press presses the button, or chooses the row of a list, with that label on the newest message of the bot that has
// one. A button that opens an address sends nothing and cannot be pressed here; nor can a line of a numbered text.
func (g *Graph) Press(chat int64, label string) (int, error) { return g.PressOn(chat, 0, label) }

// PressOn presses a button on one message, however old; 0 means the newest one that has it.
func (g *Graph) PressOn(chat int64, messageID int, label string) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.person(chat)
	for _, m := range slices.Backward(p.messages) {
		if !m.Bot || messageID != 0 && m.ID != messageID {
			continue
		}
		for _, b := range m.buttons {
			if b.title == label {
				g.press(p, m, b)
				return p.newest(), nil
			}
		}
		if slices.Contains(m.Labels(), label) {
			return 0, fmt.Errorf("press: the button %q opens an address", label)
		}
	}
	return 0, fmt.Errorf("press: no message with a button %q", label)
}

// press: what is pressed stands in the chat as a message of the person.
func (g *Graph) press(p *graphPerson, on *graphMessage, b graphButton) {
	reply := map[string]any{"id": b.id, "title": b.title}
	kind, body := "interactive", map[string]any{"type": "button_reply", "button_reply": reply}
	switch on.kind {
	case "list":
		if b.description != "" {
			reply["description"] = b.description
		}
		body = map[string]any{"type": "list_reply", "list_reply": reply}
	case "template":
		kind, body = "button", map[string]any{"payload": b.id, "text": b.title}
	}
	m := g.add(p, &graphMessage{ChatMessage: ChatMessage{Text: b.title}, kind: kind}, false)
	w := p.wire(m.wamid, m.At, kind, body)
	w["context"] = map[string]any{"from": g.opt.DisplayPhone, "id": on.wamid}
	g.send(p, w)
}

// Block blocks the bot. It is not told: what it sends is taken, gets no further than "sent", and is not seen.
func (g *Graph) Block(chat int64) { g.block(chat, true) }

// Unblock lets the bot in again.
func (g *Graph) Unblock(chat int64) { g.block(chat, false) }

func (g *Graph) block(chat int64, blocked bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.person(chat).blocked = blocked
}

// UserID gives the person a business-scoped user id, unless there is one, and returns it. From then on the bot is told
// both names.
func (g *Graph) UserID(chat int64) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.person(chat)
	g.name(p)
	return p.userID
}

// HidePhone keeps the person's number from the bot, which from then on is told only the user id. A number that
// the bot remembers still works. It returns the user id.
func (g *Graph) HidePhone(chat int64) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.person(chat)
	g.name(p)
	p.hidden = true
	return p.userID
}

// ShowPhone ends HidePhone: the bot is told both names.
func (g *Graph) ShowPhone(chat int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.person(chat).hidden = false
}

// name gives a person a user id. The lock is held.
func (g *Graph) name(p *graphPerson) {
	if p.userID != "" {
		return
	}
	p.userID = fmt.Sprintf("EC.%020d", graphAlias(p.phone))
	g.users[p.userID] = p
}

// graphAlias is a number that does not tell the phone.
func graphAlias(phone int64) uint64 {
	h := fnv.New64a()
	_, _ = fmt.Fprint(h, "alias ", phone) // a hash cannot fail
	return h.Sum64()
}

// Recycle gives a number to somebody else, with a user id of their own and an empty chat. The bot is not told: nobody says so
// when a number that was given up is sold again. Who had it writes no more.
func (g *Graph) Recycle(chat int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	was := g.person(chat)
	delete(g.users, was.userID)
	delete(g.people, chat)
	p := g.person(chat)
	g.nextWAMID++
	p.userID = fmt.Sprintf("EC.%020d", graphAlias(chat+int64(g.nextWAMID)<<40))
	g.users[p.userID] = p
}

// ChangeNumber gives a person another number, and another user id if there is one. The bot is told what changed that
// it may know. The chat, with all that is in it, is named by the new number from then on; the old number is free, and
// whoever writes from it is somebody else. Who had the new number is forgotten.
func (g *Graph) ChangeNumber(was, is int64) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.person(was)
	if other := g.people[is]; other != nil && other != p {
		delete(g.users, other.userID)
	}
	delete(g.people, was)
	g.people[is] = p
	oldID := p.userID
	w := p.wire(g.note(p, "system"), g.opt.Now(), "system", nil)
	p.phone = is
	system := map[string]any{
		"type": "user_changed_number", "wa_id": strconv.FormatInt(is, 10),
		"body": fmt.Sprintf("User Persona changed from %d to %d", was, is),
	}
	if oldID != "" {
		delete(g.users, oldID)
		p.userID = ""
		g.name(p)
		system["user_id"], system["previous_user_id"] = p.userID, oldID
	}
	if p.hidden {
		delete(system, "wa_id")
		system["type"] = "user_changed_user_id"
		system["body"] = fmt.Sprintf("User Persona changed from %s to %s", oldID, p.userID)
	}
	w["system"] = system
	g.enqueue(&p.inbox, &graphUpdate{field: "messages", message: mustMarshal(w)}) // comes without contacts
	return p.newest()
}

// SendUpdate delivers the value of a change as it stands. Whoever stands in it as the sender of a message has written:
// the window is open, and the message may be marked as read.
func (g *Graph) SendUpdate(raw string) error { return g.SendChange("messages", raw) }

// SendChange is SendUpdate for a change of any field.
func (g *Graph) SendChange(field, raw string) error {
	var v struct {
		Messages []struct {
			From       string
			FromUserID string `json:"from_user_id"`
			ID         string
			Type       string
		}
	}
	if !json.Valid([]byte(raw)) {
		return errors.New("update: not JSON")
	}
	_ = json.Unmarshal([]byte(raw), &v) // a value of another shape is sent all the same
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.person(0)
	for _, m := range v.Messages {
		if n, err := strconv.ParseInt(m.From, 10, 64); err == nil {
			p = g.person(n)
		} else if m.FromUserID != "" {
			if p = g.users[m.FromUserID]; p == nil {
				p = g.person(int64(graphAlias(int64(len(g.people))) >> 1))
				p.userID, p.hidden = m.FromUserID, true
				g.users[p.userID] = p
			}
		}
		if m.Type != "system" {
			p.heard = g.opt.Now()
		}
		g.mail[m.ID] = &graphMessage{person: p, wamid: m.ID, kind: m.Type}
	}
	p.last = &graphUpdate{field: field, value: json.RawMessage(raw)}
	g.enqueue(&p.inbox, p.last)
	return nil
}

// Repeat delivers the newest message of a person once more, under the same id, as Meta does when an answer was lost.
func (g *Graph) Repeat(chat int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if p := g.person(chat); p.last != nil {
		again := *p.last
		g.enqueue(&p.inbox, &again)
	}
}

// Messages returns the bubbles the bot has sent to a chat, oldest first.
func (g *Graph) Messages(chat int64) []ChatMessage {
	return slices.DeleteFunc(g.History(chat), func(m ChatMessage) bool { return !m.Bot })
}

// History returns all bubbles of a chat, oldest first. The rows of a list are rows of buttons.
func (g *Graph) History(chat int64) []ChatMessage {
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []ChatMessage
	if p := g.people[chat]; p != nil {
		for _, m := range p.messages {
			out = append(out, m.ChatMessage)
		}
	}
	return out
}

// WaitMessage waits for the bot's first message in a chat that is newer than the message with the id [after].
func (g *Graph) WaitMessage(chat int64, after int, timeout time.Duration) (ChatMessage, error) {
	return g.waitMessage(func() []ChatMessage { return g.Messages(chat) }, after, timeout)
}

// graphHash stands for what a file holds.
const graphHash = "SfInY0gGKTsJlUWbwxC1k+FAD0FZHvzwfpvO0zX0GUI="

func (g *Graph) write(chat int64, text, kind string, content any) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.person(chat)
	m := g.add(p, &graphMessage{ChatMessage: ChatMessage{Text: text}, kind: kind}, false)
	g.send(p, p.wire(m.wamid, m.At, kind, content))
	return m.ID
}

// person finds or makes a person: whoever does something has a chat. The lock is held.
func (g *Graph) person(phone int64) *graphPerson {
	p := g.people[phone]
	if p == nil {
		p = &graphPerson{phone: phone, nextID: 101}
		g.people[phone] = p
	}
	return p
}

// add puts a bubble into a chat, the bot's or the person's own. The lock is held.
func (g *Graph) add(p *graphPerson, m *graphMessage, bot bool) *graphMessage {
	m.person, m.Bot, m.At = p, bot, g.opt.Now()
	m.ID = p.nextID
	m.wamid = g.wamid(p, bot)
	p.nextID++
	p.messages = append(p.messages, m)
	g.mail[m.wamid] = m
	if !bot {
		p.heard = m.At
	}
	return m
}

// note remembers a message of a person that is no bubble, and returns its name. The lock is held.
func (g *Graph) note(p *graphPerson, kind string) string {
	id := g.wamid(p, false)
	g.mail[id] = &graphMessage{person: p, wamid: id, kind: kind}
	return id
}

// wamid makes a message's id in the shape of the real ones, which hold the number. The lock is held.
func (g *Graph) wamid(p *graphPerson, bot bool) string {
	g.nextWAMID++
	n := g.seed + g.nextWAMID
	who := strconv.FormatInt(p.phone, 10)
	if p.hidden {
		who = strconv.FormatUint(graphAlias(p.phone), 10)
	}
	who = string([]byte{0x1c, 0x18, byte(len(who))}) + who + "\x15\x02\x00"
	if bot {
		who += fmt.Sprintf("\x11\x18\x1270%016X\x00", n)
	} else {
		who += fmt.Sprintf("\x12\x18\x143A4A%016X\x00", n)
	}
	return "wamid." + base64.StdEncoding.EncodeToString([]byte(who))
}

func (p *graphPerson) message(id int) *graphMessage {
	for _, m := range p.messages {
		if m.ID == id {
			return m
		}
	}
	return nil
}

func (p *graphPerson) newest() int { return p.nextID - 1 }

// wire is a message from a person, without what is not known of the person.
func (p *graphPerson) wire(wamid string, at time.Time, kind string, content any) map[string]any {
	m := map[string]any{"id": wamid, "timestamp": strconv.FormatInt(at.Unix(), 10), "type": kind}
	if !p.hidden {
		m["from"] = strconv.FormatInt(p.phone, 10)
	}
	if p.userID != "" {
		m["from_user_id"] = p.userID
	}
	if content != nil {
		m[kind] = content
	}
	return m
}

// contact is what stands beside a person's messages.
func (p *graphPerson) contact() map[string]any {
	profile := map[string]any{"name": "Persona"}
	c := map[string]any{"profile": profile}
	if !p.hidden {
		c["wa_id"] = strconv.FormatInt(p.phone, 10)
	}
	if p.userID != "" {
		c["user_id"] = p.userID
	}
	if p.hidden {
		profile["username"] = "persona"
	}
	return c
}

// send queues a message of a person. The lock is held.
func (g *Graph) send(p *graphPerson, message map[string]any) {
	p.last = &graphUpdate{field: "messages", contact: string(mustMarshal(p.contact())), message: mustMarshal(message)}
	g.enqueue(&p.inbox, p.last)
}

// report queues a status of a message of the bot. The lock is held.
func (g *Graph) report(m *graphMessage, status string, code int) {
	p, now := m.person, g.opt.Now()
	s := map[string]any{"id": m.wamid, "status": status, "timestamp": strconv.FormatInt(now.Unix(), 10)}
	if !p.hidden {
		s["recipient_id"] = strconv.FormatInt(p.phone, 10)
	}
	if p.userID != "" {
		s["recipient_user_id"] = p.userID
	}
	category := "service"
	if m.kind == "template" {
		category = "utility"
	}
	conversation := map[string]any{"id": fmt.Sprintf("%016x", graphAlias(-p.phone)), "origin": map[string]any{"type": category}}
	switch status {
	case "sent":
		conversation["expiration_timestamp"] = strconv.FormatInt(now.Add(graphWindow).Unix(), 10)
		fallthrough
	case "delivered":
		s["conversation"] = conversation
		s["pricing"] = map[string]any{"billable": true, "pricing_model": "PMP", "category": category, "type": "regular"}
	case "failed":
		e := graphError(code)
		s["errors"] = []any{map[string]any{
			"code": code, "title": e.title, "message": e.title, "error_data": map[string]any{"details": e.details},
			"href": "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/",
		}}
	}
	g.enqueue(&p.reports, &graphUpdate{field: "messages", status: mustMarshal(s)})
}

func mustMarshal(v any) json.RawMessage {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err) // maps of plain values
	}
	return raw
}

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

// ---- delivery to the webhook ----

// SetWebhook asks the webhook whether it is the right one, as Meta's console does, and delivers to it from then on; ""
// stops delivering.
func (g *Graph) SetWebhook(address string) error {
	if address != "" {
		if err := g.verify(address); err != nil {
			return fmt.Errorf("set webhook: %w", err)
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.hook = address
	g.pump()
	g.changed()
	return nil
}

func (g *Graph) verify(address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	challenge := strconv.FormatUint(uint64(time.Now().UnixNano())&(1<<31-1), 10)
	q := u.Query()
	q.Set("hub.mode", "subscribe")
	q.Set("hub.challenge", challenge)
	q.Set("hub.verify_token", g.opt.VerifyToken)
	u.RawQuery = q.Encode()
	resp, err := g.client.Get(u.String())
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || string(got) != challenge {
		return fmt.Errorf("the callback could not be validated: got %d %q, want 200 %q", resp.StatusCode, got, challenge)
	}
	return nil
}

// enqueue puts an update at the end of a line. The lock is held.
func (g *Graph) enqueue(l *graphLine, u *graphUpdate) {
	g.nextQ++
	u.id = g.nextQ
	g.pending++
	l.pending = append(l.pending, u)
	g.offer(l)
	g.pump()
	g.changed()
}

// offer says that a line has something to post. The lock is held.
func (g *Graph) offer(l *graphLine) {
	if !l.busy && !l.queued && len(l.pending) > 0 {
		l.queued = true
		g.ready = append(g.ready, l)
	}
}

// graphShare is what one line has in a post: its first n updates.
type graphShare struct {
	line    *graphLine
	updates []*graphUpdate
}

// delivering says whether posts go out now. The lock is held.
func (g *Graph) delivering() bool { return g.hook != "" && !g.closed && g.server != nil }

// pump starts as many posts as there are places and lines that wait. The lock is held.
func (g *Graph) pump() {
	for g.delivering() && g.sending < g.opt.Parallel && len(g.ready) > 0 {
		var shares []graphShare
		for room := g.batch; room > 0 && len(g.ready) > 0; {
			l := g.ready[0]
			g.ready = g.ready[1:]
			n := min(room, len(l.pending))
			room -= n
			l.queued, l.busy = false, true
			shares = append(shares, graphShare{l, slices.Clone(l.pending[:n])})
		}
		g.sending++
		g.workers.Go(func() { g.deliver(shares) })
	}
}

// deliver posts until it is taken, or until nothing is delivered any more.
func (g *Graph) deliver(shares []graphShare) {
	body := g.body(shares)
	wait := g.RetryWait
	if wait <= 0 {
		wait = 50 * time.Millisecond
	}
	longest := 16 * wait
	for {
		g.mu.Lock()
		hook, on := g.hook, g.delivering()
		if !on {
			g.release(shares, false)
			g.mu.Unlock()
			return
		}
		g.mu.Unlock()

		began := time.Now()
		status := g.post(hook, body)

		g.mu.Lock()
		g.posts = append(g.posts, WebhookPost{UpdateID: shares[0].updates[0].id, Status: status, At: time.Now()})
		g.took = append(g.took, time.Since(began))
		ok := status >= 200 && status < 300
		if ok {
			g.release(shares, true)
		}
		g.changed()
		g.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-time.After(wait):
		case <-g.stop:
		}
		wait = min(2*wait, longest)
	}
}

// release gives the lines back, without what was taken. The lock is held.
func (g *Graph) release(shares []graphShare, taken bool) {
	g.sending--
	for _, s := range shares {
		if taken {
			s.line.pending = s.line.pending[len(s.updates):]
			g.pending -= len(s.updates)
		}
		s.line.busy = false
		g.offer(s.line)
	}
	g.pump()
}

// body is one post: the updates of a line side by side in one change, as far as they belong together.
func (g *Graph) body(shares []graphShare) []byte {
	var changes []any
	for _, s := range shares {
		for u := s.updates; len(u) > 0; {
			n := 1
			for n < len(u) && u[0].value == nil && u[n].value == nil && (u[0].status == nil) == (u[n].status == nil) && u[0].contact == u[n].contact {
				n++
			}
			changes = append(changes, map[string]any{"field": u[0].field, "value": g.value(u[:n])})
			u = u[n:]
		}
	}
	entries := []any{}
	for first := range min(2, len(changes)) {
		var mine []any
		for i := first; i < len(changes); i += 2 {
			mine = append(mine, changes[i])
		}
		entries = append(entries, map[string]any{"id": g.opt.AccountID, "changes": mine})
	}
	return escaped(mustMarshal(map[string]any{"object": "whatsapp_business_account", "entry": entries}))
}

func (g *Graph) value(updates []*graphUpdate) any {
	if updates[0].value != nil {
		return updates[0].value
	}
	v := map[string]any{
		"messaging_product": "whatsapp",
		"metadata":          map[string]any{"display_phone_number": g.opt.DisplayPhone, "phone_number_id": g.opt.PhoneNumberID},
	}
	if c := updates[0].contact; c != "" {
		v["contacts"] = []any{json.RawMessage(c)}
	}
	var messages, statuses []any
	for _, u := range updates {
		if u.status != nil {
			statuses = append(statuses, u.status)
		} else {
			messages = append(messages, u.message)
		}
	}
	if messages != nil {
		v["messages"] = messages
	}
	if statuses != nil {
		v["statuses"] = statuses
	}
	return v
}

// escaped is JSON as Meta writes it, which is what it signs: nothing but ASCII, and no bare slash.
func escaped(raw []byte) []byte {
	var out strings.Builder
	behind := false // an escaping backslash
	for _, r := range string(raw) {
		switch {
		case r == '/' && !behind:
			out.WriteString(`\/`)
		case r < 0x80:
			out.WriteRune(r)
		default:
			for _, u := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&out, `\u%04x`, u)
			}
		}
		behind = r == '\\' && !behind
	}
	return []byte(out.String())
}

func (g *Graph) post(hook string, body []byte) (status int) {
	req, err := http.NewRequest(http.MethodPost, hook, strings.NewReader(string(body)))
	if err != nil {
		return 0
	}
	mac := hmac.New(sha256.New, []byte(g.opt.AppSecret))
	mac.Write(body)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	resp, err := g.client.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body) // only so that the connection can be used again
	return resp.StatusCode
}
