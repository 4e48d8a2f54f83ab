package app_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/bot"
	"llave/internal/agent"
	"llave/internal/bottest/world"
)

// told are the security events in a world's log, each with what it is of.
func told(w *world.World) (events []string) {
	for line := range strings.Lines(w.Log.String()) {
		var l map[string]any
		if json.Unmarshal([]byte(line), &l) != nil || l["msg"] != "security" {
			continue
		}
		event := fmt.Sprint(l["event"])
		for _, of := range []string{"channel", "route", "limit", "outcome", "control", "promise", "flow"} {
			if v, ok := l[of]; ok {
				event += fmt.Sprintf(" %s=%v", of, v)
			}
		}
		events = append(events, event)
	}
	return events
}

// eventRow is a row of the table in docs/security.md that begins with an event's name.
var eventRow = regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|")

// Every event of docs/security.md stands in the log once what it names has happened, from outside, and nothing that is not there does
// (P750). What strangers can cause as often as they like has one line a minute.
func TestSecurity_events(t *testing.T) {
	text, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## What the log says of attacks\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var documented []string
	for _, m := range eventRow.FindAllStringSubmatch(section, -1) {
		documented = append(documented, m[1])
	}

	post := func(w *world.World, path, contentType, body string, headers ...string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.URL(path), strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", contentType)
		for i := 0; i < len(headers); i += 2 {
			req.Header.Set(headers[i], headers[i+1])
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode
	}
	const form = "application/x-www-form-urlencoded"
	signIn := func(w *world.World, login, password string) int {
		status, _ := w.Post(world.NewBrowser(t), w.URL("/agentes/entrar"), url.Values{"usuario": {login}, "contrasena": {password}})
		return status
	}
	const password = "tres lunas con caballo azul"
	add := func(w *world.World) {
		if _, err := w.App.Agents.Add(t.Context(), agent.CommandLine, agent.Newcomer{Login: "ana", Name: "Ana", Role: agent.Member}, password); err != nil {
			t.Fatal(err)
		}
	}
	var seen []string
	for _, tt := range []struct {
		name     string
		on       world.Channel
		settings []string
		act      func(w *world.World)
		want     []string
	}{
		{"an account is made, signed in to, and missed five times", world.Telegram, nil, func(w *world.World) {
			add(w)
			signIn(w, "ana", password)
			for range agent.MaxWrong {
				signIn(w, "ana", "otra cosa que no es")
			}
		}, []string{"agent_added", "agent_signed_in", "agent_sign_in_failed", "agent_locked"}},
		{"a webhook without the secret, a hundred times", world.Telegram, nil, func(w *world.World) {
			for range 100 {
				post(w, "/webhooks/telegram", "application/json", "{}")
			}
		}, []string{"webhook_refused channel=telegram"}},
		{"a webhook with another's signature", world.WhatsApp, nil, func(w *world.World) {
			post(w, "/webhooks/whatsapp", "application/json", "{}", "X-Hub-Signature-256", "sha256="+strings.Repeat("0", 64))
		}, []string{"webhook_refused channel=whatsapp"}},
		{"a form from another site", world.Telegram, nil, func(w *world.World) {
			if got := post(w, "/agentes/entrar", form, "usuario=ana", "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"); got != http.StatusForbidden {
				t.Errorf("got %d", got)
			}
		}, []string{"access_denied route=POST /agentes/entrar"}},
		{"an agent at a supervisor's page", world.Telegram, nil, func(w *world.World) {
			add(w)
			b := world.NewBrowser(t)
			w.Post(b, w.URL("/agentes/entrar"), url.Values{"usuario": {"ana"}, "contrasena": {password}})
			if status, _ := w.Get(b, w.URL("/agentes/supervision")); status != http.StatusForbidden {
				t.Errorf("got %d", status)
			}
		}, []string{"access_denied route=GET /agentes/supervision"}},
		{"a form that is too large", world.Telegram, nil, func(w *world.World) {
			post(w, "/agentes/entrar", form, "usuario="+strings.Repeat("a", 70<<10))
		}, []string{"input_refused route=POST /agentes/entrar"}},
		{"a number more than there may be", world.Telegram, []string{"LLAVE_LIMIT_MESSAGES_MINUTE=3"}, func(w *world.World) {
			for range 6 {
				w.Say("hola")
			}
		}, []string{"limit_reached limit=messages"}},
		{"a link that was never given out, and too many of them", world.Telegram, []string{"LLAVE_LIMIT_WRONG_LINKS_MINUTE=3"}, func(w *world.World) {
			for range 6 {
				w.Get(world.NewBrowser(t), w.URL("/desbloqueo/AAAAAAAAAAAAAAAAAAAAAA"))
			}
		}, []string{"wrong_link outcome=unknown", "limit_reached route=GET /desbloqueo/{token}"}},
		{"No fui yo", world.Telegram, nil, func(w *world.World) {
			for _, text := range []string{"hola", "1", "1", theirs, "1", "1"} {
				w.Say(text)
			}
			w.Post(world.NewBrowser(t), w.Link(true), nil)
		}, []string{"link_disowned outcome=not_me"}},
		{"a mail server without TLS where there must be some", world.Telegram, []string{"LLAVE_SMTP_URL=smtps://" + plain(t)}, func(w *world.World) {
			for _, text := range []string{"hola", "1", "1", theirs, "1", "1"} {
				w.Say(text)
			}
		}, []string{"control_failed control=mail_tls"}},
		{"a promise of a later version that nobody keeps", world.Telegram, nil, func(w *world.World) {
			w.Say("hola")
			owes(t, w, "fax")
			for range 30 {
				w.Later(time.Minute)
			}
		}, []string{"unexpected_error promise=fax"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := world.NewOn(t, tt.on, onePerson, tt.settings...)
			tt.act(w)
			w.Settle()
			got := told(w)
			for _, want := range tt.want {
				if !slices.Contains(got, want) {
					t.Errorf("no %q among %q", want, got)
				}
				if n := len(slices.DeleteFunc(slices.Clone(got), func(e string) bool { return e != want })); n > 1 && want != "agent_sign_in_failed" {
					t.Errorf("%q stands there %d times", want, n)
				}
			}
			for _, e := range got {
				name, _, _ := strings.Cut(e, " ")
				if !slices.Contains(documented, name) {
					t.Errorf("%s stands in the log and not in docs/security.md", name)
				}
				seen = append(seen, name)
			}
			if strings.Contains(w.Log.String(), `"agent":"ana"`) {
				t.Error("the log says who signed in")
			}
		})
	}
	for _, name := range documented {
		if !slices.Contains(seen, name) {
			t.Errorf("%s stands in docs/security.md, and no case here makes it happen", name)
		}
	}
}

// owes has the chat owe what only a later version could keep.
func owes(t *testing.T, w *world.World, kind string) {
	t.Helper()
	id := w.App.Store.Book.Conv(bot.ConversationID("telegram", fmt.Sprint(world.Chat)))
	c, found, err := w.App.Store.Conversations.Find(t.Context(), id)
	if err != nil || !found {
		t.Fatalf("the conversation: %t, %v", found, err)
	}
	raw, err := bson.Marshal(bson.D{{Key: "id", Value: "p"}, {Key: "lane", Value: "event"}, {Key: "kind", Value: kind}, {Key: "made", Value: w.Now()}})
	if err != nil {
		t.Fatal(err)
	}
	var p bot.Promise
	if err := bson.Unmarshal(raw, &p); err != nil {
		t.Fatal(err)
	}
	c.Promises = append(c.Promises, p)
	c.Wake(c.NextTimer())
	if err := w.App.Store.Conversations.Save(t.Context(), &c); err != nil {
		t.Fatal(err)
	}
}

// plain is the address of a mail server that greets without TLS.
func plain(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("220 mail.example ESMTP\r\n"))
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return l.Addr().String()
}
