package bottest

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	graphToken  = "EAAtest"
	graphNumber = "106540352242922"
	graphSecret = "app-secret"
	graphWord   = "verify-me"

	ana   int64 = 593990000001
	berta int64 = 593990000002
)

// phones is what a dialogue does with a channel, whichever it is.
type phones interface {
	Say(chat int64, text string) int
	Photo(chat int64, caption string) int
	Voice(chat int64) int
	Contact(chat int64, phone string, own bool) int
	Edit(chat int64, messageID int, text string) int
	React(chat int64, messageID int, emoji string) int
	Press(chat int64, label string) (int, error)
	PressOn(chat int64, messageID int, label string) (int, error)
	Block(chat int64)
	Unblock(chat int64)
	Repeat(chat int64)
	SendUpdate(raw string) error
	Messages(chat int64) []ChatMessage
	History(chat int64) []ChatMessage
	WaitMessage(chat int64, after int, timeout time.Duration) (ChatMessage, error)
	Wait(timeout time.Duration, cond func() bool) bool
	Pending() int
	Calls(method string) []BotCall
	Posts() []WebhookPost
	WebhookURL() string
	Slow(method string, d time.Duration)
	Heal()
	Start() error
	URL() string
	Up() error
	Down()
	Close()
}

var _, _ phones = (*BotAPI)(nil), (*Graph)(nil)

// graphBot is a webhook, and the little that a bot does with the API.
type graphBot struct {
	t      *testing.T
	g      *Graph
	server *httptest.Server
	offset atomic.Int64 // of g's clock, in nanoseconds

	mu     sync.Mutex
	bodies [][]byte   // taken
	answer func() int // nil: 200
}

func newGraphBot(t *testing.T, change func(*GraphOptions)) *graphBot {
	b := &graphBot{t: t}
	start := time.Unix(1795300000, 0)
	o := GraphOptions{
		Tokens: []string{graphToken}, PhoneNumberID: graphNumber, AppSecret: graphSecret, VerifyToken: graphWord,
		Now: func() time.Time { return start.Add(time.Duration(b.offset.Load())) },
		Templates: []GraphTemplate{
			{Name: "order_ready", Language: "ru", Body: "{{1}}, готово", Buttons: []string{"Отписаться"}},
			{Name: "volver", Language: "es", Body: "Escriba algo para seguir."},
		},
	}
	if change != nil {
		change(&o)
	}
	b.g = NewGraph(o)
	b.g.RetryWait = time.Millisecond
	if err := b.g.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.g.Close)
	b.server = httptest.NewServer(http.HandlerFunc(b.hear))
	t.Cleanup(b.server.Close)
	return b
}

func (b *graphBot) listen() {
	b.t.Helper()
	if err := b.g.SetWebhook(b.server.URL + "/webhooks/whatsapp"); err != nil {
		b.t.Fatal(err)
	}
}

func (b *graphBot) hear(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		q := r.URL.Query()
		if q.Get("hub.mode") != "subscribe" || q.Get("hub.verify_token") != graphWord {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		_, _ = io.WriteString(w, q.Get("hub.challenge"))
		return
	}
	body, _ := io.ReadAll(r.Body)
	mac := hmac.New(sha256.New, []byte(graphSecret))
	mac.Write(body)
	if got, want := r.Header.Get("X-Hub-Signature-256"), "sha256="+hex.EncodeToString(mac.Sum(nil)); got != want {
		b.t.Errorf("signature: got %s, want %s", got, want)
	}
	if i := slices.IndexFunc(body, func(c byte) bool { return c >= 0x80 }); i >= 0 {
		b.t.Errorf("the body is not ASCII at %d: %s", i, body)
	}
	b.mu.Lock()
	answer := b.answer
	b.mu.Unlock()
	status := 200
	if answer != nil {
		status = answer()
	}
	b.mu.Lock()
	if status == 200 {
		b.bodies = append(b.bodies, body)
	}
	b.mu.Unlock()
	w.WriteHeader(status)
}

// came waits until everything was taken, and returns what came since the last time.
func (b *graphBot) came() [][]byte {
	b.t.Helper()
	if !b.g.Wait(10*time.Second, func() bool { return b.g.Pending() == 0 }) {
		b.t.Fatalf("still pending: %d", b.g.Pending())
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	out := b.bodies
	b.bodies = nil
	return out
}

// ask calls the API and returns status and body.
func (b *graphBot) ask(method, path, token string, body []byte) (int, []byte) {
	b.t.Helper()
	req, err := http.NewRequest(method, b.g.URL()+path, bytes.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := b.server.Client().Do(req)
	if err != nil {
		return 0, nil
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, answer
}

func (b *graphBot) post(body string) (int, []byte) {
	b.t.Helper()
	return b.ask("POST", "/v26.0/"+graphNumber+"/messages", graphToken, []byte(body))
}

// text sends a text to a person and returns the error's code, or 0.
func (b *graphBot) text(to int64, text string) int {
	b.t.Helper()
	_, answer := b.post(fmt.Sprintf(`{"messaging_product":"whatsapp","to":"%d","type":"text","text":{"body":%q}}`, to, text))
	return graphCode(answer)
}

func graphCode(answer []byte) int {
	var a struct{ Error struct{ Code int } }
	_ = json.Unmarshal(answer, &a) // no JSON, no code
	return a.Error.Code
}

func graphFixture(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata/whatsapp", name))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func graphFixtures(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata/whatsapp", pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures %s: %v", pattern, err)
	}
	for i, f := range files {
		files[i] = filepath.Base(f)
	}
	return files
}

func decoded(t *testing.T, raw []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return v
}

// graphShape is JSON without the invented values: what is left are the types, and the words that have a meaning.
func graphShape(v any, whole bool) any {
	words := []string{"object", "field", "messaging_product", "type", "status", "category", "pricing_model", "mime_type", "billable", "voice", "display_phone_number", "phone_number_id"}
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, e := range v {
			out[k] = graphShape(e, whole || slices.Contains(words, k) || k == "errors")
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = graphShape(e, whole)
		}
		return out
	}
	if whole {
		return v
	}
	return reflect.TypeOf(v).String()
}

// TestGraph_inbound: what people do, and what becomes of a message, comes in the shapes of the fixtures.
func TestGraph_inbound(t *testing.T) {
	press := func(b *graphBot, file, label string) {
		b.g.Say(77011234567, "x")
		b.came()
		b.post(string(graphFixture(b.t, file)))
		if _, err := b.g.Press(77011234567, label); err != nil {
			b.t.Error(err)
		}
	}
	status := func(which string, code int) func(*graphBot) {
		return func(b *graphBot) {
			b.g.Statuses(which)
			b.g.Say(ana, "x")
			b.came()
			if code != 0 {
				b.g.FailStatus(ana, code)
			}
			b.text(ana, "y")
		}
	}
	acts := map[string]func(*graphBot){
		"in_text.json":        func(b *graphBot) { b.g.Say(ana, "Hola 👋") },
		"in_audio_voice.json": func(b *graphBot) { b.g.Voice(ana) },
		"in_image.json":       func(b *graphBot) { b.g.Photo(ana, "pie") },
		"in_document.json":    func(b *graphBot) { b.g.Document(ana, "a.pdf") },
		"in_location.json":    func(b *graphBot) { b.g.Location(ana, -0.2201, -78.5123) },
		"in_contacts.json":    func(b *graphBot) { b.g.Contact(ana, "+593 99 000 0001", true) },
		"in_unsupported.json": func(b *graphBot) { b.g.Unsupported(ana) },
		"in_reaction.json":    func(b *graphBot) { b.g.Say(ana, "x"); b.came(); b.g.React(ana, 101, "👍") },
		"in_reaction_removed.json": func(b *graphBot) {
			b.g.Say(ana, "x")
			b.came()
			b.g.React(ana, 101, "")
		},
		"in_system_number_changed.json": func(b *graphBot) { b.g.ChangeNumber(ana, berta) },
		"in_text_bsuid_no_phone.json":   func(b *graphBot) { b.g.HidePhone(ana); b.g.Say(ana, "x") },
		"in_two_messages_one_webhook.json": func(b *graphBot) {
			if err := b.g.SetWebhook(""); err != nil {
				b.t.Error(err)
			}
			b.g.Batch(9)
			b.g.Say(ana, "1")
			b.g.Say(ana, "2")
			b.listen()
		},
		"in_button_reply.json":         func(b *graphBot) { press(b, "out_buttons.json", "Русский") },
		"in_list_reply.json":           func(b *graphBot) { press(b, "out_list.json", "Справка") },
		"in_template_quick_reply.json": func(b *graphBot) { press(b, "out_template.json", "Отписаться") },
		"in_flow_reply.json": func(b *graphBot) { // nobody here fills in forms
			var hook struct {
				Entry []struct {
					Changes []struct{ Value json.RawMessage }
				}
			}
			if err := json.Unmarshal(graphFixture(b.t, "in_flow_reply.json"), &hook); err != nil {
				b.t.Error(err)
			}
			if err := b.g.SendUpdate(string(hook.Entry[0].Changes[0].Value)); err != nil {
				b.t.Error(err)
			}
		},
		"status_sent.json":          status("sent", 0),
		"status_delivered.json":     status("delivered", 0),
		"status_read.json":          status("read", 0),
		"status_failed_131026.json": status("", 131026),
		"status_failed_131047.json": status("", 131047),
	}
	files := append(graphFixtures(t, "in_*.json"), graphFixtures(t, "status_*.json")...)
	if len(files) != len(acts) {
		t.Fatalf("found %d fixtures, the table has %d", len(files), len(acts))
	}
	for _, name := range files {
		t.Run(name, func(t *testing.T) {
			b := newGraphBot(t, nil)
			b.g.Statuses()
			b.listen()
			acts[name](b)
			bodies := b.came()
			if len(bodies) != 1 {
				t.Fatalf("got %d bodies, want one: %s", len(bodies), bodies)
			}
			got, want := graphShape(decoded(t, bodies[0]), false), graphShape(decoded(t, graphFixture(t, name)), false)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got\n%v, want\n%v", got, want)
			}
		})
	}
}

// writers makes the people known who are written to in the fixtures.
func (b *graphBot) writers() {
	b.t.Helper()
	for _, name := range []string{"in_text.json", "in_text_bsuid_no_phone.json"} {
		var hook struct {
			Entry []struct {
				Changes []struct{ Value json.RawMessage }
			}
		}
		if err := json.Unmarshal(graphFixture(b.t, name), &hook); err != nil {
			b.t.Fatal(err)
		}
		if err := b.g.SendUpdate(string(hook.Entry[0].Changes[0].Value)); err != nil {
			b.t.Fatal(err)
		}
	}
}

// TestGraph_takes every message of the fixtures, and answers as they do.
func TestGraph_takes(t *testing.T) {
	b := newGraphBot(t, nil)
	b.writers()
	shape := func(raw []byte) any { return graphShape(decoded(t, raw), false) }
	for _, name := range graphFixtures(t, "out_*.json") {
		want := shape(graphFixture(t, "response_send_ok.json"))
		switch name {
		case "out_mark_read.json", "out_mark_read_typing.json":
			want = shape(graphFixture(t, "response_success.json"))
		case "out_text_bsuid.json":
			want = shape([]byte(`{"messaging_product":"whatsapp","contacts":[{"input":"x","user_id":"x"}],"messages":[{"id":"x"}]}`))
		case "out_template.json":
			want = shape([]byte(`{"messaging_product":"whatsapp","contacts":[{"input":"x","wa_id":"x"}],"messages":[{"id":"x","message_status":"x"}]}`))
		}
		status, answer := b.post(string(graphFixture(t, name)))
		if got := shape(answer); status != 200 || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %d %s, want %v", name, status, answer, want)
		}
	}
	var got []string
	for _, m := range b.g.Messages(77011234567) {
		got = append(got, fmt.Sprintf("%s %v", m.Text, m.Labels()))
	}
	want := []string{
		" []", "Язык\nВыберите язык\nможно сменить позже [Қазақша Русский English]", "Оплатить можно здесь [Оплатить]",
		"Ваша справка []", "Карта []", "Карта []", "Услуги\nЧто нужно?\nдо 10 строк [Справка Запись Оператор]", "Где вы? []",
		"Айгүл, готово [Отписаться]", "Здравствуйте []", "Ответ []",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the chat shows\n%q, want\n%q", got, want)
	}
}

// TestGraph_refusesMutilated: without any one of its members, or with one of another type, no message of the fixtures is
// taken; unless the member may be left out.
func TestGraph_refusesMutilated(t *testing.T) {
	optional := []string{
		".recipient_type", ".context", ".text.preview_url", ".image.caption", ".document.caption", ".document.filename",
		".interactive.header", ".interactive.footer", ".interactive.action.sections.0.rows.0.description", ".typing_indicator",
		".template.components.1", // without it the button sends its title
	}
	alsoGood := []string{"out_text.json.type", "out_text_bsuid.json.type", "out_text_reply.json.type"} // "text" goes without saying
	n := 0
	for _, name := range graphFixtures(t, "out_*.json") {
		b := newGraphBot(t, func(o *GraphOptions) { o.PerSecond, o.PairEvery = -1, -1 })
		b.writers()
		whole := decoded(t, graphFixture(t, name))
		try := func(path, how string) {
			n++
			body, err := json.Marshal(whole)
			if err != nil {
				t.Fatal(err)
			}
			status, answer := b.post(string(body))
			taken := status == 200
			may := how == "without" && (slices.Contains(optional, path) || slices.Contains(alsoGood, name+path))
			if taken != may {
				t.Errorf("%s: %s %s: got %d %s, want it taken: %v", name, how, path, status, answer, may)
			}
			if !taken && !slices.Contains([]int{100, 131008, 131009, 131051, 132000, 132001}, graphCode(answer)) {
				t.Errorf("%s: %s %s: got %s, want a code for what is wrong with the message", name, how, path, answer)
			}
		}
		var walk func(v any, path string)
		walk = func(v any, path string) {
			switch v := v.(type) {
			case map[string]any:
				for _, k := range slices.Sorted(maps.Keys(v)) {
					was := v[k]
					delete(v, k)
					try(path+"."+k, "without")
					v[k] = []any{7}
					try(path+"."+k, "of another type")
					delete(v, k)
					v[k+"x"] = was
					try(path+"."+k, "misspelt")
					delete(v, k+"x")
					v[k] = was
					walk(was, path+"."+k)
				}
			case []any:
				for i, e := range v {
					walk(e, path+"."+strconv.Itoa(i))
				}
			}
		}
		walk(whole, "")
	}
	if n < 200 {
		t.Errorf("only %d mutilations were tried", n)
	}
}

// TestGraph_lengths: everything is taken as long as it may be, and not one character longer.
func TestGraph_lengths(t *testing.T) {
	b := newGraphBot(t, func(o *GraphOptions) { o.PerSecond, o.PairEvery = -1, -1 })
	b.g.Say(ana, "x")
	x := func(n int) string { return strings.Repeat("ñ", n) }
	buttons := func(body, title, id, footer string, n int) string {
		var list []any
		for i := range n {
			if i > 0 {
				title, id = fmt.Sprint("t", i), fmt.Sprint("i", i)
			}
			list = append(list, map[string]any{"type": "reply", "reply": map[string]any{"id": id, "title": title}})
		}
		return string(mustMarshal(map[string]any{"type": "button", "body": map[string]any{"text": body}, "footer": map[string]any{"text": footer}, "action": map[string]any{"buttons": list}}))
	}
	type menu struct {
		body, button, section  string
		title, description, id string // of the first row
		rows                   int
	}
	list := func(m menu) string {
		var rows []any
		for i := range m.rows {
			if i > 0 {
				m.title, m.id = fmt.Sprint("t", i), fmt.Sprint("i", i)
			}
			rows = append(rows, map[string]any{"id": m.id, "title": m.title, "description": m.description})
		}
		return string(mustMarshal(map[string]any{"type": "list", "body": map[string]any{"text": m.body}, "action": map[string]any{
			"button": m.button, "sections": []any{map[string]any{"title": m.section, "rows": rows}}}}))
	}
	link := func(body, title, address string) string {
		return string(mustMarshal(map[string]any{"type": "cta_url", "body": map[string]any{"text": body}, "action": map[string]any{
			"name": "cta_url", "parameters": map[string]any{"display_text": title, "url": address}}}))
	}
	const good = "https://example.org/"
	tests := []struct {
		name, interactive string
		code              int
		details           string
	}{
		{"buttons", buttons(x(1024), x(20), x(256), x(60), 3), 0, ""},
		{"buttons: body", buttons(x(1025), "t", "i", "f", 1), 131009, "Body text length invalid. Min length: 1, Max length: 1024"},
		{"buttons: no body", buttons("", "t", "i", "f", 1), 131009, "Body text"},
		{"buttons: title", buttons("b", x(21), "i", "f", 1), 131009, "Button title length invalid. Min length: 1, Max length: 20"},
		{"buttons: blank title", buttons("b", " ", "i", "f", 1), 131009, "Button title"},
		{"buttons: id", buttons("b", "t", x(257), "f", 1), 131009, "Button id"},
		{"buttons: spaces in id", buttons("b", "t", "i ", "f", 1), 131009, "spaces"},
		{"buttons: footer", buttons("b", "t", "i", x(61), 1), 131009, "Footer"},
		{"buttons: four", buttons("b", "t", "i", "f", 4), 131009, "Max allowed buttons: 3"},
		{"buttons: none", buttons("b", "t", "i", "f", 0), 131009, "buttons count"},
		{"buttons: same id", buttons("b", "t", "i1", "f", 2), 131009, "ids must be unique"},
		{"buttons: same title", buttons("b", "t1", "i", "f", 2), 131009, "titles must be unique"},
		{"list", list(menu{x(4096), x(20), x(24), x(24), x(72), x(200), 10}), 0, ""},
		{"list: body", list(menu{x(4097), "b", "", "t", "d", "i", 1}), 131009, "Body text"},
		{"list: button", list(menu{"b", x(21), "", "t", "d", "i", 1}), 131009, "Button label"},
		{"list: section", list(menu{"b", "b", x(25), "t", "d", "i", 1}), 131009, "Section title"},
		{"list: title", list(menu{"b", "b", "", x(25), "d", "i", 1}), 131009, "Row title"},
		{"list: description", list(menu{"b", "b", "", "t", x(73), "i", 1}), 131009, "Row description"},
		{"list: id", list(menu{"b", "b", "", "t", "d", x(201), 1}), 131009, "Row id"},
		{"list: eleven", list(menu{"b", "b", "", "t", "d", "i", 11}), 131009, "Total row count"},
		{"list: none", list(menu{"b", "b", "", "t", "d", "i", 0}), 131009, "no rows"},
		{"list: same id", list(menu{"b", "b", "", "t", "d", "i1", 2}), 131009, "ids must be unique"},
		{"link", link(x(1024), x(20), good), 0, ""},
		{"link: body", link(x(1025), "t", good), 131009, "Body text"},
		{"link: title", link("b", x(21), good), 131009, "display_text"},
		{"link: address", link("b", "t", "example.org"), 131009, "url"},
	}
	for _, tt := range tests {
		_, answer := b.post(fmt.Sprintf(`{"messaging_product":"whatsapp","to":"%d","type":"interactive","interactive":%s}`, ana, tt.interactive))
		if got := graphCode(answer); got != tt.code || !strings.Contains(string(answer), tt.details) {
			t.Errorf("%s: got %s, want code %d with %q", tt.name, answer, tt.code, tt.details)
		}
	}
	if got := b.text(ana, x(4096)); got != 0 {
		t.Errorf("4096 characters: got %d", got)
	}
	if got := b.text(ana, x(4097)); got != 100 {
		t.Errorf("4097 characters: got %d, want 100", got)
	}
}

// TestGraph_errors: it refuses in the words of the fixtures, for their reasons.
func TestGraph_errors(t *testing.T) {
	b := newGraphBot(t, func(o *GraphOptions) { o.PerSecond, o.PairBurst = 4, 2 })
	b.g.Statuses()
	send := func(to int64, body string) func() (int, []byte) {
		return func() (int, []byte) {
			return b.post(fmt.Sprintf(`{"messaging_product":"whatsapp","to":"%d",%s}`, to, body))
		}
	}
	b.g.Say(ana, "hola")
	const text = `"type":"text","text":{"body":"x"}`
	steps := []struct {
		file   string // "": it is taken
		status int
		ask    func() (int, []byte)
	}{
		{"error_100_missing_object.json", 400, func() (int, []byte) { return b.ask("GET", "/v26.0/1", graphToken, nil) }},
		{"error_131009_button_title.json", 400, send(ana, `"type":"interactive","interactive":{"type":"button","body":{"text":"x"},"action":{"buttons":[{"type":"reply","reply":{"id":"a","title":"123456789012345678901"}}]}}`)},
		{"error_131047_window.json", 400, send(berta, text)},
		{"", 200, send(ana, text)},
		{"", 200, send(ana, text)},
		{"error_131056_pair.json", 429, send(ana, text)},
		{"error_130429_throughput.json", 429, send(ana, text)}, // four in a second, whatever became of them
		{"error_190_token.json", 401, func() (int, []byte) {
			b.g.SetTokens("other")
			return send(ana, text)()
		}},
	}
	if files := graphFixtures(t, "error_*.json"); len(files) != 6 {
		t.Fatalf("found %d fixtures, the table has 6", len(files))
	}
	for i, s := range steps {
		status, answer := s.ask()
		if status != s.status {
			t.Errorf("%d %s: got status %d, want %d", i, s.file, status, s.status)
		}
		if s.file != "" {
			if got, want := decoded(t, answer), decoded(t, graphFixture(t, s.file)); !reflect.DeepEqual(got, want) {
				t.Errorf("%d: got %v, want %v", i, got, want)
			}
		}
	}
	if status, answer := b.ask("POST", "/v26.0/"+graphNumber+"/messages", "nobody's", []byte("{}")); status != 401 || graphCode(answer) != 190 {
		t.Errorf("an unknown token: got %d %s", status, answer)
	}
	b.g.SetTokens(graphToken)
	for _, path := range []string{"/v25.0/" + graphNumber + "/messages", "/v26.0/1/messages", "/v26.0/" + graphNumber + "/nothing"} {
		if status, answer := b.ask("POST", path, graphToken, []byte(`{"messaging_product":"whatsapp"}`)); status != 400 || graphCode(answer) != 100 || !strings.Contains(string(answer), "post request") {
			t.Errorf("%s: got %d %s", path, status, answer)
		}
	}
	for _, body := range []string{"", "null", "[]", "{", `{"messaging_product":"x"}`, `{"messaging_product":"whatsapp"}`, `{"messaging_product":"whatsapp","to":"ana",` + text + `}`} {
		if _, answer := b.post(body); graphCode(answer) != 100 {
			t.Errorf("%q: got %s, want code 100", body, answer)
		}
	}
	if _, answer := send(15550783881, text)(); graphCode(answer) != 131021 {
		t.Errorf("to itself: got %s", answer)
	}
}

// TestGraph_clock: the window closes, and the limits are filled again, by a clock that can be moved.
func TestGraph_clock(t *testing.T) {
	b := newGraphBot(t, nil)
	b.g.Say(ana, "hola")
	for i := range 45 {
		if got := b.text(ana, "x"); got != 0 {
			t.Fatalf("message %d: got %d", i, got)
		}
	}
	if got := b.text(ana, "x"); got != 131056 {
		t.Errorf("message 46: got %d, want 131056", got)
	}
	b.offset.Add(int64(6 * time.Second))
	if got := []int{b.text(ana, "x"), b.text(ana, "x")}; !slices.Equal(got, []int{0, 131056}) {
		t.Errorf("after six seconds: got %v, want one", got)
	}
	b.offset.Store(int64(24*time.Hour - time.Second))
	if got := b.text(ana, "x"); got != 0 {
		t.Errorf("before the window closes: got %d", got)
	}
	b.offset.Store(int64(24 * time.Hour))
	if got := b.text(ana, "x"); got != 131047 {
		t.Errorf("after 24 hours: got %d, want 131047", got)
	}
	volver := func(language string) int {
		_, answer := b.post(fmt.Sprintf(`{"messaging_product":"whatsapp","to":"%d","type":"template","template":{"name":"volver","language":{"code":%q}}}`, ana, language))
		return graphCode(answer)
	}
	if got := []int{volver("es"), volver("en")}; !slices.Equal(got, []int{0, 132001}) {
		t.Errorf("templates: got %v", got)
	}
	b.g.Say(ana, "sigo")
	if got := b.text(ana, "x"); got != 0 {
		t.Errorf("after the person wrote: got %d", got)
	}
}

// incoming is one message or status as a webhook brings it.
type incoming struct {
	ID, Status, From string
	FromUserID       string `json:"from_user_id"`
	RecipientID      string `json:"recipient_id"`
	RecipientUserID  string `json:"recipient_user_id"`
	Type             string
	Text             struct{ Body string }
	System           map[string]string
}

// opened is what is in some bodies, in order, and how many entries and changes they had.
func opened(t *testing.T, bodies [][]byte) (all []incoming, entries, changes int) {
	t.Helper()
	for _, body := range bodies {
		var hook struct {
			Entry []struct {
				Changes []struct {
					Value struct{ Messages, Statuses []incoming }
				}
			}
		}
		if err := json.Unmarshal(body, &hook); err != nil {
			t.Fatal(err)
		}
		entries += len(hook.Entry)
		for _, e := range hook.Entry {
			changes += len(e.Changes)
			for _, c := range e.Changes {
				all = append(append(all, c.Value.Messages...), c.Value.Statuses...)
			}
		}
	}
	return all, entries, changes
}

// TestGraph_statuses: out of order, twice, of a failure, of somebody who has blocked the bot, and by hand.
func TestGraph_statuses(t *testing.T) {
	b := newGraphBot(t, nil)
	b.listen()
	b.g.Say(ana, "x")
	b.came()
	statuses := func() string {
		all, _, _ := opened(t, b.came())
		var out []string
		for _, s := range all {
			out = append(out, s.Status)
		}
		return strings.Join(out, " ")
	}
	send := func() {
		b.t.Helper()
		if got := b.text(ana, "y"); got != 0 {
			t.Errorf("send: got %d", got)
		}
	}
	for _, tt := range []struct {
		name string
		act  func()
		want string
		seen int // bubbles of the bot
	}{
		{"as usual", func() { send() }, "sent delivered read", 1},
		{"as told", func() { b.g.Statuses("read", "sent", "delivered", "delivered"); send() }, "read sent delivered delivered", 2},
		{"none", func() { b.g.Statuses(); send() }, "", 3},
		{"failed", func() { b.g.Statuses("sent"); b.g.FailStatus(ana, 131026); send() }, "failed", 3},
		{"only once", func() { send() }, "sent", 4},
		{"blocked", func() { b.g.Statuses("sent", "delivered"); b.g.Block(ana); send() }, "sent", 4},
		{"unblocked", func() { b.g.Unblock(ana); send() }, "sent delivered", 5},
		{"by hand", func() {
			if err := b.g.Report(ana, 102, "failed", 131047); err != nil {
				t.Error(err)
			}
		}, "failed", 5},
	} {
		tt.act()
		if got := statuses(); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
		if got := len(b.g.Messages(ana)); got != tt.seen {
			t.Errorf("%s: the person sees %d messages, want %d", tt.name, got, tt.seen)
		}
	}
	if err := b.g.Report(ana, 101, "sent", 0); err == nil {
		t.Error("a status of the person's own message was reported")
	}
}

// TestGraph_strangers: to somebody who never wrote goes nothing but a template, and only to a number.
func TestGraph_strangers(t *testing.T) {
	b := newGraphBot(t, func(o *GraphOptions) { o.StatusDelay = 5 * time.Millisecond })
	b.g.Statuses("sent")
	b.listen()
	for to, want := range map[string]string{`"to":"593990000003"`: "sent", `"recipient":"EC.123"`: "failed"} {
		if status, answer := b.post(`{"messaging_product":"whatsapp",` + to + `,"type":"template","template":{"name":"volver","language":{"code":"es"}}}`); status != 200 {
			t.Errorf("%s: got %d %s", to, status, answer)
		}
		if all, _, _ := opened(t, b.came()); len(all) != 1 || all[0].Status != want {
			t.Errorf("%s: got %+v, want one %s", to, all, want)
		}
	}
	if got := b.g.Messages(593990000003); len(got) != 1 || got[0].Text != "Escriba algo para seguir." {
		t.Errorf("got %+v, want the template", got)
	}
	if got := b.text(593990000003, "x"); got != 131047 {
		t.Errorf("a text: got %d, want 131047", got)
	}
}

// TestGraph_delivery: one chat's in order and as often as it takes, different chats at the same time, several in one
// body, nothing while it is down.
func TestGraph_delivery(t *testing.T) {
	b := newGraphBot(t, nil)
	fails := 0
	b.answer = func() int {
		b.mu.Lock()
		defer b.mu.Unlock()
		if fails++; fails%3 != 0 {
			return 503
		}
		return 200
	}
	b.listen()
	for i := range 20 {
		b.g.Say(ana, strconv.Itoa(i))
	}
	all, _, _ := opened(t, b.came())
	for i, m := range all {
		if m.Text.Body != strconv.Itoa(i) {
			t.Fatalf("message %d: got %q", i, m.Text.Body)
		}
	}
	if len(all) != 20 || len(b.g.Posts()) < 60 || len(b.g.Took()) != len(b.g.Posts()) {
		t.Errorf("got %d messages in %d posts, want 20 in 60", len(all), len(b.g.Posts()))
	}

	var meet sync.WaitGroup // every post waits for the others
	meet.Add(4)
	b.mu.Lock()
	b.answer = func() int { meet.Done(); meet.Wait(); return 200 }
	b.mu.Unlock()
	for i := range int64(4) {
		b.g.Say(ana+i, "a la vez")
	}
	b.came()

	b.mu.Lock()
	b.answer = nil
	b.mu.Unlock()
	b.g.Down()
	if got := b.text(ana, "x"); got != 0 {
		t.Errorf("while down: got %d", got)
	}
	b.g.Batch(7)
	for i := range int64(3) {
		b.g.Say(ana+i, "uno")
		b.g.Say(ana+i, "dos")
	}
	b.g.Repeat(ana)
	if got := b.g.Pending(); got != 7 {
		t.Errorf("while down: %d pending, want 7", got)
	}
	if err := b.g.Up(); err != nil {
		t.Fatal(err)
	}
	all, entries, changes := opened(t, b.came())
	if len(all) != 7 || entries != 2 || changes != 3 {
		t.Errorf("got %d messages in %d entries and %d changes, want 7 in 2 and 3", len(all), entries, changes)
	}
	if all[1].ID != all[2].ID || all[0].ID == all[1].ID {
		t.Errorf("the newest message was not repeated: %+v", all[:3])
	}
	if err := b.g.Up(); err == nil {
		t.Error("up twice")
	}
}

// TestGraph_verification: it delivers only to a webhook that knows the word.
func TestGraph_verification(t *testing.T) {
	b := newGraphBot(t, func(o *GraphOptions) { o.VerifyToken = "other" })
	if err := b.g.SetWebhook(b.server.URL); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("got %v, want a refusal", err)
	}
	if got := b.g.WebhookURL(); got != "" {
		t.Errorf("the webhook is %q", got)
	}
}

// TestGraph_identity: a person is known by the number, by both names, or by the user id alone, and changes them.
func TestGraph_identity(t *testing.T) {
	b := newGraphBot(t, nil)
	b.g.Statuses("delivered")
	b.listen()
	say := func(chat int64) incoming {
		t.Helper()
		b.g.Say(chat, "x")
		all, _, _ := opened(t, b.came())
		return all[0]
	}
	byUser := func(id string) (int, incoming) {
		t.Helper()
		_, answer := b.post(fmt.Sprintf(`{"messaging_product":"whatsapp","recipient":%q,"type":"text","text":{"body":"y"}}`, id))
		all, _, _ := opened(t, b.came())
		if len(all) == 0 {
			return graphCode(answer), incoming{}
		}
		return graphCode(answer), all[0]
	}
	phone := strconv.FormatInt(ana, 10)
	if m := say(ana); m.From != phone || m.FromUserID != "" {
		t.Errorf("by number: got %+v", m)
	}
	id := b.g.UserID(ana)
	if m := say(ana); m.From != phone || m.FromUserID != id || !strings.HasPrefix(id, "EC.") {
		t.Errorf("by both: got %+v, want also %s", m, id)
	}
	if got := b.g.HidePhone(ana); got != id {
		t.Errorf("the user id became %s, was %s", got, id)
	}
	if m := say(ana); m.From != "" || m.FromUserID != id {
		t.Errorf("by user id: got %+v", m)
	}
	if code, s := byUser(id); code != 0 || s.RecipientID != "" || s.RecipientUserID != id || s.Status != "delivered" {
		t.Errorf("to the user id: got %d %+v", code, s)
	}
	if code, _ := byUser("EC.1"); code != 131047 {
		t.Errorf("to nobody: got %d, want 131047", code)
	}

	b.g.ChangeNumber(ana, berta)
	all, _, _ := opened(t, b.came())
	if s := all[0].System; all[0].From != "" || s["type"] != "user_changed_user_id" || s["previous_user_id"] != id || s["wa_id"] != "" {
		t.Errorf("the changed user id: got %+v", all[0])
	}
	id = b.g.UserID(berta)
	b.g.ShowPhone(berta)
	b.g.ChangeNumber(berta, ana)
	all, _, _ = opened(t, b.came())
	if s := all[0].System; all[0].From != strconv.FormatInt(berta, 10) || s["type"] != "user_changed_number" || s["previous_user_id"] != id || s["wa_id"] != phone {
		t.Errorf("the changed number: got %+v", all[0])
	}
	if got := len(b.g.History(ana)); got != 4 {
		t.Errorf("the chat has %d messages, want 4", got)
	}
	if got := len(b.g.History(berta)); got != 0 {
		t.Errorf("the free number has %d messages", got)
	}
	if got := b.text(berta, "x"); got != 131047 {
		t.Errorf("to the free number: got %d, want 131047", got)
	}
}

// TestGraph_people: pressing, reading, typing, and what cannot be pressed.
func TestGraph_people(t *testing.T) {
	b := newGraphBot(t, nil)
	b.listen()
	first := b.g.Say(77011234567, "hola")
	second := b.g.Sticker(77011234567)
	mark := func(id int, typing string) {
		t.Helper()
		_, answer := b.post(fmt.Sprintf(`{"messaging_product":"whatsapp","status":"read","message_id":%q%s}`, b.g.WAMID(77011234567, id), typing))
		if graphCode(answer) != 0 {
			t.Errorf("mark as read: got %s", answer)
		}
	}
	mark(second, `,"typing_indicator":{"type":"text"}`)
	if !b.g.Read(b.g.WAMID(77011234567, first)) || !b.g.Read(b.g.WAMID(77011234567, second)) || !b.g.Typing(77011234567) {
		t.Error("the messages are not read, or nobody types")
	}
	if _, answer := b.post(`{"messaging_product":"whatsapp","status":"read","message_id":"wamid.x"}`); graphCode(answer) != 131009 {
		t.Errorf("an unknown message was read: %s", answer)
	}
	b.post(string(graphFixture(t, "out_buttons.json")))
	if b.g.Typing(77011234567) {
		t.Error("still typing, though the message is there")
	}
	got, err := b.g.WaitMessage(77011234567, second, time.Second)
	if err != nil || !slices.Equal(got.Labels(), []string{"Қазақша", "Русский", "English"}) {
		t.Errorf("got %v %+v", err, got)
	}
	b.post(string(graphFixture(t, "out_cta_url.json")))
	id, err := b.g.PressOn(77011234567, got.ID, "English")
	if h := b.g.History(77011234567); err != nil || h[len(h)-1].ID != id || h[len(h)-1].Text != "English" || h[len(h)-1].Bot {
		t.Errorf("pressed: got %v %+v", err, h)
	}
	for _, label := range []string{"Оплатить", "nothing"} {
		if _, err := b.g.Press(77011234567, label); err == nil {
			t.Errorf("%q was pressed", label)
		}
	}
	if _, err := b.g.WaitMessage(77011234567, id, time.Millisecond); err == nil {
		t.Error("a message that never came")
	}
	b.came()
	b.g.Edit(77011234567, first, "buenas")
	if body := string(b.came()[0]); !strings.Contains(body, `"unsupported"`) || b.g.History(77011234567)[0].Text != "buenas" {
		t.Errorf("edited: got %s", body)
	}
	b.g.Contact(77011234567, "0990000009", false)
	if body := string(b.came()[0]); !strings.Contains(body, `"wa_id":"0990000009"`) {
		t.Errorf("somebody's contact: got %s", body)
	}
	if err := b.g.SendUpdate("{"); err == nil {
		t.Error("an update that is not JSON")
	}
	if err := b.g.SendChange("account_update", `{"event":"x\/y\\/z"}`); err != nil {
		t.Error(err)
	}
	if body := string(b.came()[0]); !strings.Contains(body, `"field":"account_update"`) || !strings.Contains(body, `x\/y\\\/z`) {
		t.Errorf("another field: got %s", body)
	}
}

// TestGraph_faults: calls go wrong as told, and only those.
func TestGraph_faults(t *testing.T) {
	b := newGraphBot(t, nil)
	b.g.Statuses()
	b.g.Say(ana, "x")
	b.g.Say(berta, "x")
	body := fmt.Sprintf(`{"messaging_product":"whatsapp","to":"%d","type":"text","text":{"body":"y"}}`, ana)
	post := func() (int, string) {
		t.Helper()
		status, answer := b.post(body)
		return status, string(answer)
	}
	for _, tt := range []struct {
		name   string
		fault  GraphFault
		status int
		answer string
		seen   int
	}{
		{"none", GraphFault{}, 200, `"wamid.`, 1},
		{"token", GraphFaultToken, 401, `"error_subcode":463`, 1},
		{"too many", GraphFaultTooMany, 429, `(#130429) Rate limit hit`, 1},
		{"pair", GraphFaultPair, 429, `131056`, 1},
		{"window", GraphFaultWindow, 400, `131047`, 1},
		{"server", GraphFaultServerError, 500, `131000`, 1},
		{"gateway", GraphFaultBadGateway, 502, `<html>`, 1},
		{"no code", GraphFault{Status: 503}, 503, `Service Unavailable`, 1},
		{"own words", GraphFault{Code: 7, Status: 418, Message: "m", Details: "d"}, 418, `"details":"d"`, 1},
		{"dropped", GraphFaultDropped, 0, "", 1},
		{"timeout", GraphFaultTimeout(time.Millisecond), 0, "", 1},
		{"answer lost", GraphFaultAnswerLost, 0, "", 2},
	} {
		b.g.Fail("messages", 1, tt.fault)
		status, answer := post()
		if status != tt.status || !strings.Contains(answer, tt.answer) {
			t.Errorf("%s: got %d %s, want %d %s", tt.name, status, answer, tt.status, tt.answer)
		}
		if got := len(b.g.Messages(ana)); got != tt.seen {
			t.Errorf("%s: %d messages, want %d", tt.name, got, tt.seen)
		}
		calls := b.g.Calls("messages")
		if got := calls[len(calls)-1]; got.Status != tt.status || got.Params["chat_id"] != strconv.FormatInt(ana, 10) || got.Params["access_token"] != graphToken {
			t.Errorf("%s: recorded %+v", tt.name, got)
		}
	}
	b.g.FailChat(ana, 2, GraphFaultPair)
	if got := []int{b.text(ana, "y"), b.text(berta, "y"), b.text(ana, "y"), b.text(ana, "y")}; !slices.Equal(got, []int{131056, 0, 131056, 0}) {
		t.Errorf("one chat: got %v", got)
	}
	b.g.Fail("messages", 1, GraphFaultTooMany)
	b.g.FailStatus(ana, 131026)
	b.g.Slow("", time.Hour)
	b.g.Heal()
	if got := b.text(ana, "y"); got != 0 {
		t.Errorf("healed: got %d", got)
	}
	b.g.Fail("messages", 1, GraphFault{Code: 80007, RetryAfter: 7})
	resp, err := b.server.Client().Post(b.g.URL()+"/v26.0/"+graphNumber+"/messages?access_token="+graphToken, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := resp.Header.Get("Retry-After"); got != "7" || resp.StatusCode != 429 {
		t.Errorf("got %d with Retry-After %q, want 429 with 7", resp.StatusCode, got)
	}
}

// TestGraph_account answers what a doctor asks.
func TestGraph_account(t *testing.T) {
	b := newGraphBot(t, nil)
	ask := func(method, path string) string {
		t.Helper()
		status, answer := b.ask(method, path, graphToken, nil)
		if status != 200 {
			t.Errorf("%s %s: got %d %s", method, path, status, answer)
		}
		return string(answer)
	}
	if got := ask("GET", "/v26.0/"+graphNumber+"?fields=id,display_phone_number"); !strings.Contains(got, `"display_phone_number":"15550783881"`) {
		t.Errorf("the number: got %s", got)
	}
	const apps = "/v26.0/102290129340398/subscribed_apps"
	if got := ask("GET", apps); !strings.Contains(got, "whatsapp_business_api_data") {
		t.Errorf("subscribed: got %s", got)
	}
	b.g.Unsubscribe()
	if got := ask("GET", apps); got != `{"data":[]}` {
		t.Errorf("unsubscribed: got %s", got)
	}
	if got := ask("POST", apps); got != `{"success":true}` {
		t.Errorf("subscribe: got %s", got)
	}
	if got := ask("GET", apps); !strings.Contains(got, "whatsapp_business_api_data") {
		t.Errorf("subscribed again: got %s", got)
	}
}
