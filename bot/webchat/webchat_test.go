package webchat

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"llave/bot"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// desk is the channel behind a real server, and what it handed on.
type desk struct {
	t       *testing.T
	channel *Channel
	server  *httptest.Server
	client  *http.Client

	mu      sync.Mutex
	updates []bot.Update
	fail    error
	writing []string // conversations whose person was said to be writing
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t}
	d.channel = New(Options{
		Handle: func(ctx context.Context, u bot.Update) error {
			d.mu.Lock()
			defer d.mu.Unlock()
			if d.fail != nil {
				return d.fail
			}
			d.updates = append(d.updates, u)
			return nil
		},
		PersonTyping: func(conv string) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.writing = append(d.writing, conv)
		},
		Log: slog.New(slog.DiscardHandler),
	})
	mux := http.NewServeMux()
	d.channel.Routes(mux)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		pane, err := d.channel.Pane(w, r)
		if err != nil {
			t.Error(err)
		}
		io.WriteString(w, string(pane))
	})
	d.server = httptest.NewServer(mux)
	t.Cleanup(func() {
		d.channel.Close()
		d.server.Close()
	})
	jar, _ := cookiejar.New(nil)
	d.client = &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return d
}

func (d *desk) page() string {
	d.t.Helper()
	res, err := d.client.Get(d.server.URL + "/")
	if err != nil {
		d.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return string(b)
}

func (d *desk) post(form url.Values, header ...string) *http.Response {
	d.t.Helper()
	return d.postTo("/chat", form, header...)
}

func (d *desk) postTo(path string, form url.Values, header ...string) *http.Response {
	d.t.Helper()
	req, err := http.NewRequest("POST", d.server.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := d.client.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	res.Body.Close()
	return res
}

// events opens the stream; next reads one event from it.
func (d *desk) events(after string) (next func() (id, kind, data string), closeIt func()) {
	d.t.Helper()
	ctx, cancel := context.WithCancel(d.t.Context())
	req, err := http.NewRequestWithContext(ctx, "GET", d.server.URL+"/chat/eventos", nil)
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header.Set("Last-Event-ID", after)
	res, err := d.client.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	lines := bufio.NewScanner(res.Body)
	return func() (id, kind, data string) {
		for lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "id":
				id = value
			case "event":
				kind = value
			case "data":
				data += value
			case "":
				if kind != "" {
					return id, kind, data
				}
			}
		}
		return "", "end", ""
	}, func() { cancel(); res.Body.Close() }
}

func TestTalk(t *testing.T) {
	d := newDesk(t)
	d.page() // gives the cookie
	next, closeIt := d.events("0")
	defer closeIt()

	if res := d.post(url.Values{"id": {"first-message"}, "texto": {"hola <b>"}}); res.StatusCode != 204 {
		t.Fatalf("post: got %s", res.Status)
	}
	if _, kind, data := next(); kind != "add" || !strings.Contains(data, "hola &lt;b&gt;") || !strings.Contains(data, "person") {
		t.Errorf("got %s %q, want the person's line", kind, data)
	}
	u := d.updates[0]
	if u.ID != "w-first-message" || u.Kind != bot.Text || u.Text != "hola <b>" || u.Channel != Name || u.Chat == "" || u.MessageID == "" {
		t.Errorf("update: %+v", u)
	}

	err := d.channel.Send(t.Context(), u.Chat, bot.Reply{
		Text: "Lea https://llave.example/privacidad.\n¿Sigue?", Prompt: 7,
		Buttons: []bot.Button{{ID: "continue", Title: "Continuar"}, {ID: "page", Title: "Abrir", URL: "https://llave.example/privacidad"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, kind, data := next()
	for _, want := range []string{
		`href="https://llave.example/privacidad"`, `privacidad</a>.`, "¿Sigue?",
		`<button name="boton" value="continue">Continuar</button>`, `name="pregunta" value="7"`, `<a class="button" href="https://llave.example/privacidad"`,
	} {
		if kind != "add" || !strings.Contains(data, want) {
			t.Errorf("got %s %q, want %q", kind, data, want)
		}
	}

	d.post(url.Values{"id": {"second-message"}, "boton": {"continue"}, "pregunta": {"7"}})
	if _, _, data := next(); !strings.Contains(data, "Continuar") {
		t.Errorf("got %q, want the button's title", data)
	}
	u = d.updates[1]
	if u.Kind != bot.Press || u.Button != "continue" || u.Prompt != 7 {
		t.Errorf("update: %+v", u)
	}

	d.channel.Delete(t.Context(), u.Chat, "p-first-message")
	if _, kind, data := next(); kind != "delete" || data != "p-first-message" {
		t.Errorf("got %s %q, want the first line deleted", kind, data)
	}

	d.post(url.Values{"id": {"third-message"}, "empezar": {"1"}})
	if u = d.updates[2]; u.Kind != bot.Start {
		t.Errorf("update: %+v", u)
	}
}

// What happens while the page is closed is there when it opens again, drawn by the page or over the stream.
func TestReplay(t *testing.T) {
	d := newDesk(t)
	d.page()
	d.post(url.Values{"id": {"first-message"}, "texto": {"hola"}})
	chat := d.updates[0].Chat
	for i := range 3 {
		d.channel.Send(t.Context(), chat, bot.Reply{Text: fmt.Sprint("respuesta ", i)})
	}
	d.channel.Delete(t.Context(), chat, "p-first-message")

	html := d.page()
	if strings.Contains(html, ">hola<") || !strings.Contains(html, "respuesta 0") || !strings.Contains(html, "respuesta 2") || !strings.Contains(html, `data-since="5"`) {
		t.Errorf("the page: %s", html)
	}
	next, closeIt := d.events("3") // saw the line and two replies
	defer closeIt()
	if id, kind, data := next(); id != "4" || kind != "add" || !strings.Contains(data, "respuesta 2") {
		t.Errorf("got %s %s %q, want reply 2", id, kind, data)
	}
	if id, kind, data := next(); id != "5" || kind != "delete" || data != "p-first-message" {
		t.Errorf("got %s %s %q, want the line deleted", id, kind, data)
	}
	again, closeAgain := d.events("99") // of a process that is gone
	defer closeAgain()
	if id, kind, data := again(); id != "5" || kind != "reset" || !strings.Contains(data, "respuesta 1") {
		t.Errorf("got %s %s %q, want the whole log", id, kind, data)
	}
}

func TestReplay_bounded(t *testing.T) {
	d := newDesk(t)
	d.page()
	d.post(url.Values{"id": {"first-message"}, "texto": {"hola"}})
	chat := d.updates[0].Chat
	for i := range maxEvents + 10 {
		d.channel.Send(t.Context(), chat, bot.Reply{Text: fmt.Sprint("respuesta ", i, ".")})
	}
	html := d.page()
	if got := strings.Count(html, `<div class="chat-line`); got != maxEvents {
		t.Errorf("the page has %d lines, want %d", got, maxEvents)
	}
	next, closeIt := d.events("1")
	defer closeIt()
	if _, kind, _ := next(); kind != "reset" {
		t.Errorf("got %s, want reset", kind)
	}
	for i := range maxChats + 5 {
		d.channel.Send(t.Context(), fmt.Sprint("chat ", i), bot.Reply{Text: "x"})
	}
	if got := len(d.channel.chats); got != maxChats {
		t.Errorf("%d chats are kept, want %d", got, maxChats)
	}
}

// A browser that got no answer sends again, under the same name.
func TestPost_again(t *testing.T) {
	d := newDesk(t)
	d.page()
	d.fail = errors.New("store is away")
	form := url.Values{"id": {"first-message"}, "texto": {"hola"}}
	if res := d.post(form); res.StatusCode != 503 || res.Header.Get("Retry-After") == "" {
		t.Errorf("got %s, want 503", res.Status)
	}
	d.fail = nil
	for range 2 {
		if res := d.post(form); res.StatusCode != 204 {
			t.Errorf("got %s, want 204", res.Status)
		}
	}
	if got := strings.Count(d.page(), ">hola<"); got != 1 {
		t.Errorf("the line is drawn %d times", got)
	}
	if d.updates[0].ID != d.updates[1].ID {
		t.Errorf("ids: %q and %q", d.updates[0].ID, d.updates[1].ID)
	}
}

func TestPost_refused(t *testing.T) {
	d := newDesk(t)
	d.page()
	good := url.Values{"id": {"first-message"}, "texto": {"hola"}}
	for _, tt := range []struct {
		name   string
		form   url.Values
		header []string
		status int
	}{
		{"no id", url.Values{"texto": {"hola"}}, nil, 400},
		{"an id that is none", url.Values{"id": {"with a space"}, "texto": {"hola"}}, nil, 400},
		{"nothing said", url.Values{"id": {"first-message"}, "texto": {" "}}, nil, 400},
		{"too large", url.Values{"id": {"first-message"}, "texto": {strings.Repeat("x", bodyLimit)}}, nil, 413},
		{"another site", good, []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"without script", good, []string{"Accept", "text/html,*/*"}, 303},
	} {
		if res := d.post(tt.form, tt.header...); res.StatusCode != tt.status {
			t.Errorf("%s: got %s, want %d", tt.name, res.Status, tt.status)
		}
	}
	if len(d.updates) != 1 {
		t.Errorf("%d updates were handed on, want 1", len(d.updates))
	}
}

// Two browsers are two chats, and the chat's name is not the cookie.
func TestWho(t *testing.T) {
	d := newDesk(t)
	d.post(url.Values{"id": {"first-message"}, "texto": {"hola"}})
	jar, _ := cookiejar.New(nil)
	first := d.client.Jar
	d.client.Jar = jar
	d.post(url.Values{"id": {"first-message"}, "texto": {"hola"}})
	a, b := d.updates[0].Chat, d.updates[1].Chat
	if a == b {
		t.Error("two browsers share a chat")
	}
	u, _ := url.Parse(d.server.URL)
	for _, c := range first.Cookies(u) {
		if strings.Contains(a, c.Value) {
			t.Error("the chat's name holds the cookie")
		}
	}
}

// An agent's words carry the agent's name, which is text whatever it holds.
func TestSend_by(t *testing.T) {
	d := newDesk(t)
	d.page()
	d.post(url.Values{"id": {"first-message"}, "texto": {"persona"}})
	chat := d.updates[0].Chat
	for _, tt := range []struct{ by, want string }{
		{"", `<div class="chat-line bot" id="`},
		{"", `<span class="chat-who">Llave: </span>`},
		{"Agente Uno", `<p class="chat-by">Agente Uno<span class="chat-who">: </span></p>`},
		{"Agente Uno", `<div class="chat-line bot agent" id="`},
		{`<script>alert(1)</script>`, `<p class="chat-by">&lt;script&gt;alert(1)&lt;/script&gt;<`},
		{`"><img src=x onerror=alert(1)>`, `<p class="chat-by">&#34;&gt;&lt;img src=x onerror=alert(1)&gt;<`},
		{"{{.ID}}\ndata: x\n\nevent: delete", `<p class="chat-by">{{.ID}}`},
	} {
		since := strings.Count(d.page(), `<div class="chat-line`)
		next, closeIt := d.events(fmt.Sprint(since))
		d.channel.Send(t.Context(), chat, bot.Reply{Text: "Buenos días", By: tt.by})
		_, kind, data := next()
		if kind != "add" || !strings.Contains(data, tt.want) || strings.Contains(data, "<script") || strings.Contains(data, "<img") {
			t.Errorf("by %q: got %s %q, want %q", tt.by, kind, data, tt.want)
		}
		if html := d.page(); !strings.Contains(html, tt.want) {
			t.Errorf("by %q: the page lacks %q: %s", tt.by, tt.want, html)
		}
		closeIt()
	}
}

// What an agent says stands on a ground of its own, in light and in dark; there the page's ink and links keep 7:1.
func TestAgentGround_contrast(t *testing.T) {
	css, err := files.ReadFile("chat.css")
	if err != nil {
		t.Fatal(err)
	}
	grounds := regexp.MustCompile(`--agent-ground: (#[0-9a-f]{6})`).FindAllSubmatch(css, -1)
	if len(grounds) != 2 {
		t.Fatalf("%d grounds, want those of light and dark", len(grounds))
	}
	luminance := func(colour string) float64 {
		n, err := strconv.ParseUint(strings.TrimPrefix(colour, "#"), 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		linear := func(v uint64) float64 {
			if s := float64(v&255) / 255; s > 0.04045 {
				return math.Pow((s+0.055)/1.055, 2.4)
			}
			return float64(v&255) / 255 / 12.92
		}
		return 0.2126*linear(n>>16) + 0.7152*linear(n>>8) + 0.0722*linear(n) + 0.05
	}
	for i, texts := range [][]string{{"#14212b", "#0a4a75"}, {"#f2f6f9", "#a6d4f5"}} { // ink and link of internal/web/assets/llave.css
		for _, text := range texts {
			a, b := luminance(text), luminance(string(grounds[i][1]))
			if got := max(a, b) / min(a, b); got < 7 {
				t.Errorf("%s on %s has %.1f:1, want 7:1", text, grounds[i][1], got)
			}
		}
	}
}

// That somebody writes is told to whoever looks, by name once they have said something, and is over with their next bubble. It
// has no number, so that a browser that comes back misses nothing by it.
func TestTyping(t *testing.T) {
	d := newDesk(t)
	d.page()
	d.channel.Typing("a chat that is not there")
	if got := len(d.channel.chats); got != 1 {
		t.Errorf("%d chats are kept, want the one", got)
	}
	d.post(url.Values{"id": {"first-message"}, "texto": {"persona"}})
	chat := d.updates[0].Chat
	next, closeIt := d.events("1")
	defer closeIt()
	want := func(wantKind, wantData string) {
		t.Helper()
		if id, kind, data := next(); kind != wantKind || !strings.Contains(data, wantData) || (id == "") != (kind == "typing") {
			t.Errorf("got %q %s %q, want %s %q", id, kind, data, wantKind, wantData)
		}
	}
	d.channel.Typing(chat)
	want("typing", "Una persona está escribiendo…")
	d.channel.Typing(chat)
	want("typing", "Una persona está escribiendo…")
	d.channel.Send(t.Context(), chat, bot.Reply{Text: "Buenos días", By: "Ana <b>"})
	want("add", "Buenos días")
	d.channel.Typing(chat)
	want("typing", "Ana &lt;b&gt; está escribiendo…")

	late, closeLate := d.events("2") // it is still so for a page that opens meanwhile
	if _, kind, _ := late(); kind != "typing" {
		t.Errorf("a page that opens while somebody writes got %s", kind)
	}
	closeLate()
	d.post(url.Values{"id": {"second-message"}, "texto": {"sí"}})
	want("add", "sí")
	d.channel.Send(t.Context(), chat, bot.Reply{Text: "¿Y ahora?", By: "Ana <b>"})
	want("add", "ahora")
	after, closeAfter := d.events("3") // and no more after the bubble
	defer closeAfter()
	if _, kind, data := after(); kind != "add" || !strings.Contains(data, "ahora") {
		t.Errorf("got %s %q, want the last bubble", kind, data)
	}
	d.channel.Send(t.Context(), chat, bot.Reply{Text: "Gracias"})
	if _, kind, data := after(); kind != "add" || !strings.Contains(data, "Gracias") {
		t.Errorf("got %s %q, want the next bubble and nobody writing", kind, data)
	}
}

// The desk is told that the person writes, not too often, and only of a chat that is there.
func TestPersonTyping(t *testing.T) {
	d := newDesk(t)
	if res := d.postTo("/chat/escribiendo", nil); res.StatusCode != 204 || len(d.writing) != 0 || len(d.channel.chats) != 0 {
		t.Errorf("nobody's chat: got %s, told of %v, %d chats", res.Status, d.writing, len(d.channel.chats))
	}
	d.page()
	if res := d.postTo("/chat/escribiendo", nil, "Sec-Fetch-Site", "cross-site"); res.StatusCode != 403 || len(d.writing) != 0 {
		t.Errorf("another site: got %s, told of %v", res.Status, d.writing)
	}
	for range 5 {
		if res := d.postTo("/chat/escribiendo", nil); res.StatusCode != 204 {
			t.Errorf("got %s, want 204", res.Status)
		}
	}
	d.post(url.Values{"id": {"first-message"}, "texto": {"hola"}})
	if want := d.updates[0].Conv(); len(d.writing) != 1 || d.writing[0] != want {
		t.Errorf("told of %v, want %s once", d.writing, want)
	}
	for range 2 {
		if d.postTo("/chat/escribiendo", nil); len(d.writing) != 2 {
			t.Errorf("told %d times, want once again after what was written is there", len(d.writing))
		}
	}
	d.channel.mu.Lock()
	d.channel.chats[d.updates[0].Chat].typed = time.Now().Add(-typingEvery)
	d.channel.mu.Unlock()
	if d.postTo("/chat/escribiendo", nil); len(d.writing) != 3 {
		t.Errorf("told %d times, want again after a while", len(d.writing))
	}
	if res, err := d.client.Get(d.server.URL + "/chat/escribiendo"); err != nil || res.StatusCode != 405 {
		t.Errorf("GET: got %v %v, want 405", res, err)
	} else {
		res.Body.Close()
	}
	d.channel.options.PersonTyping = nil
	if res := d.postTo("/chat/escribiendo", nil); res.StatusCode != 204 {
		t.Errorf("nobody to tell: got %s, want 204", res.Status)
	}
}

func TestPieces(t *testing.T) {
	for _, tt := range []struct {
		text string
		want []piece
	}{
		{"hola", []piece{{Text: "hola"}}},
		{"", nil},
		{"https://a.example", []piece{{"https://a.example", "https://a.example"}}},
		{"Abra (http://a.example/x?y=1). Gracias", []piece{{Text: "Abra ("}, {"http://a.example/x?y=1", "http://a.example/x?y=1"}, {Text: "). Gracias"}}},
		{"https://a.example\nhttps://b.example", []piece{{"https://a.example", "https://a.example"}, {Text: "\n"}, {"https://b.example", "https://b.example"}}},
		{"javascript:alert(1)", []piece{{Text: "javascript:alert(1)"}}},
	} {
		if got := pieces(tt.text); fmt.Sprint(got) != fmt.Sprint(tt.want) {
			t.Errorf("%q: got %v, want %v", tt.text, got, tt.want)
		}
	}
}

// An image stands in its line with words for who cannot see it, and is served; there is no other.
func TestSend_image(t *testing.T) {
	c := New(Options{Handle: func(context.Context, bot.Update) error { return nil }, Log: slog.New(slog.DiscardHandler), Images: func(name string) (bot.Image, bool) {
		return bot.Image{Name: "mail_app", Alt: `Dibujo: un "correo"`, PNG: []byte("png")}, name == "mail_app"
	}})
	mux := http.NewServeMux()
	c.Routes(mux)
	var chat string
	page := httptest.NewRecorder()
	chat = c.who(page, httptest.NewRequest(http.MethodGet, "/", nil))
	for _, name := range []string{"mail_app", "", "nobody_drew_this"} {
		if err := c.Send(t.Context(), chat, bot.Reply{Text: "Abra su correo", Image: name}); err != nil {
			t.Fatal(err)
		}
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for _, k := range page.Result().Cookies() {
		r.AddCookie(k)
	}
	html, err := c.Pane(httptest.NewRecorder(), r)
	if err != nil {
		t.Fatal(err)
	}
	want := `<img class="chat-image" src="/chat/dibujos/mail_app.png" alt="Dibujo: un &#34;correo&#34;" width="640" height="480">`
	if n := strings.Count(string(html), "<img"); n != 1 || !strings.Contains(string(html), want) {
		t.Errorf("%d images in %s", n, html)
	}
	for path, status := range map[string]int{"/chat/dibujos/mail_app.png": 200, "/chat/dibujos/x.png": 404} {
		w := httptest.NewRecorder()
		if mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil)); w.Code != status {
			t.Errorf("%s: %d, want %d", path, w.Code, status)
		}
	}
}
