package whatsapp

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"llave/bot"
	"llave/internal/bottest"
)

const (
	testToken    = "EAAtest-token-for-the-stub"
	testNumberID = "106540352242922" // the fixtures'
	testSecret   = "app-secret-0123456789abcdef"
	testVerify   = "verify-token-abc"
)

var errStore = errors.New("store cannot be reached")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fixtures are the wire fixtures, which the stand-in is tested with too.
var fixtures = filepath.Join("..", "..", "internal", "bottest", "testdata", "whatsapp")

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(fixtures, name))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// directory is a People in memory.
type directory struct {
	mu    sync.Mutex
	chats map[string]string // by name
	now   map[string]Names  // by chat
	asked int
	fail  func(n Names) error
}

func newDirectory() *directory {
	return &directory{chats: map[string]string{}, now: map[string]Names{}}
}

func (d *directory) Find(_ context.Context, n Names) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked++
	if d.fail != nil {
		if err := d.fail(n); err != nil {
			return "", err
		}
	}
	chat := d.chat(n)
	if chat == "" {
		if chat = n.Phone; chat == "" {
			chat = n.UserID
		}
	}
	known := d.now[chat]
	if n.Phone != "" {
		known.Phone, d.chats[n.Phone] = n.Phone, chat
	}
	if n.UserID != "" {
		known.UserID, d.chats[n.UserID] = n.UserID, chat
	}
	d.now[chat] = known
	return chat, nil
}

func (d *directory) Move(_ context.Context, from, to Names) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked++
	if d.fail != nil {
		if err := d.fail(from); err != nil {
			return err
		}
	}
	chat := d.chat(from)
	if chat == "" {
		return nil
	}
	delete(d.chats, from.Phone)
	delete(d.chats, from.UserID)
	d.now[chat] = to
	for _, name := range []string{to.Phone, to.UserID} {
		if name != "" {
			d.chats[name] = chat
		}
	}
	return nil
}

func (d *directory) Address(_ context.Context, chat string) (Names, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now[chat], nil
}

func (d *directory) chat(n Names) string {
	if chat := d.chats[n.Phone]; n.Phone != "" && chat != "" {
		return chat
	}
	return d.chats[n.UserID]
}

// ledger is a Deliveries in memory.
type ledger struct {
	mu    sync.Mutex
	chats map[string]string // by message
	sent  map[string]bot.Reply
	at    map[string]Status
	code  map[string]int
	asked int
	fail  func(wamid string) error
}

func newLedger() *ledger {
	return &ledger{chats: map[string]string{}, sent: map[string]bot.Reply{}, at: map[string]Status{}, code: map[string]int{}}
}

func (l *ledger) Sent(_ context.Context, wamid, chat string, r bot.Reply) (*Lost, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.chats[wamid], l.sent[wamid] = chat, r
	if Accepted.Follows(l.at[wamid]) {
		l.at[wamid] = Accepted
	}
	if l.at[wamid] == Failed {
		return &Lost{l.code[wamid], &r}, nil
	}
	return nil, nil
}

func (l *ledger) Moved(_ context.Context, wamid string, s Status, code int) (string, *bot.Reply, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked++
	if l.fail != nil {
		if err := l.fail(wamid); err != nil {
			return "", nil, false, err
		}
	}
	if s.Follows(l.at[wamid]) {
		l.at[wamid], l.code[wamid] = s, code
	}
	var again *bot.Reply
	if r, ok := l.sent[wamid]; ok {
		again = &r
	}
	return l.chats[wamid], again, l.at[wamid] == s, nil
}

func (l *ledger) status(wamid string) Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.at[wamid]
}

// inbox is a channel and everything that came through it.
type inbox struct {
	t      testing.TB
	c      *Channel
	people *directory
	ledger *ledger
	logs   *bottest.Buffer

	mu     sync.Mutex
	calls  int
	heard  []bot.Update
	fail   func(u bot.Update) error // Handle fails where it says so
	counts map[string]int
}

func newInbox(t testing.TB, change func(*Options)) *inbox {
	t.Helper()
	b := &inbox{t: t, people: newDirectory(), ledger: newLedger(), logs: &bottest.Buffer{}, counts: map[string]int{}}
	opt := Options{
		Tokens: []Secret{testToken}, PhoneNumberID: testNumberID, AppSecret: testSecret, VerifyToken: testVerify,
		APIURL: "http://graph.invalid", Rate: 1000, Handle: b.handle, People: b.people, Deliveries: b.ledger, Count: b.count,
		Log: slog.New(slog.NewJSONHandler(b.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&opt)
	}
	c, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	b.c = c
	t.Cleanup(c.Close)
	return b
}

// handle drops repeats, as the conversation does.
func (b *inbox) handle(ctx context.Context, u bot.Update) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls++
	if err := ctx.Err(); err != nil {
		return err
	}
	if b.fail != nil {
		if err := b.fail(u); err != nil {
			return err
		}
	}
	for _, old := range b.heard {
		if old.ID == u.ID && old.Chat == u.Chat {
			return nil
		}
	}
	b.heard = append(b.heard, u)
	return nil
}

func (b *inbox) count(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counts[name]++
}

func (b *inbox) counted(name string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.counts[name]
}

func (b *inbox) updates() []bot.Update {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]bot.Update(nil), b.heard...)
}

// texts are what each chat said, in order.
func (b *inbox) texts() map[string]string {
	said := map[string][]string{}
	for _, u := range b.updates() {
		said[u.Chat] = append(said[u.Chat], u.Text)
	}
	out := map[string]string{}
	for chat, list := range said {
		out[chat] = strings.Join(list, " ")
	}
	return out
}

// post sends a signed body to the webhook and returns the status.
func (b *inbox) post(body string) int {
	b.t.Helper()
	return serve(b.c.Handler(), []byte(body), sign([]byte(body), testSecret)).Code
}

func serve(h http.Handler, body []byte, signature string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, WebhookPath, bytes.NewReader(body))
	if signature != "" {
		r.Header.Set(signatureHeader, signature)
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec
}

func sign(body []byte, secret string) string {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write(body)
	return "sha256=" + hex.EncodeToString(h.Sum(nil))
}

// hook is a webhook's body around the given parts of its value.
func hook(parts ...string) string {
	return `{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[` + change(parts...) + `]}]}`
}

func change(parts ...string) string {
	meta := `"metadata":{"display_phone_number":"15550783881","phone_number_id":"` + testNumberID + `"}`
	return `{"field":"messages","value":{` + strings.Join(append([]string{meta}, parts...), ",") + `}}`
}

// said is a text message.
func said(from, id, words string) string {
	return `{"from":"` + from + `","id":"` + id + `","timestamp":"1795300000","type":"text","text":{"body":"` + words + `"}}`
}

func messages(list ...string) string { return `"messages":[` + strings.Join(list, ",") + `]` }
func statuses(list ...string) string { return `"statuses":[` + strings.Join(list, ",") + `]` }
