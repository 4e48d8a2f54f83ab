package telegram

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"llave/bot"
	"llave/bot/intro"
	"llave/internal/bottest"
)

func TestSend_wire(t *testing.T) {
	b := newTestBot(t, nil)
	tests := []struct {
		name  string
		reply bot.Reply
		want  map[string]string // besides chat_id and link_preview_options
	}{
		{"text alone", bot.Reply{Text: "Hola <b>"}, map[string]string{"text": "Hola <b>"}},
		{"protected", bot.Reply{Text: "x", Protect: true}, map[string]string{"text": "x", "protect_content": "true"}},
		{"no buttons, not null", bot.Reply{Text: "x", Buttons: []bot.Button{}}, map[string]string{"text": "x"}},
		{"short titles, two in a row", bot.Reply{Text: "x", Prompt: 7, Buttons: []bot.Button{{ID: "go", Title: "Siguiente"}, {ID: "again", Title: "Repetir"}, {ID: "back", Title: "Atrás"}}},
			map[string]string{"text": "x", "reply_markup": `{"inline_keyboard":[[{"text":"Siguiente","callback_data":"7:go"},{"text":"Repetir","callback_data":"7:again"}],[{"text":"Atrás","callback_data":"7:back"}]]}`}},
		{"a long title, one in a row", bot.Reply{Text: "x", Buttons: []bot.Button{{ID: "y", Title: "Sí, es correcto"}, {ID: "n", Title: "Corregir"}}},
			map[string]string{"text": "x", "reply_markup": `{"inline_keyboard":[[{"text":"Sí, es correcto","callback_data":"0:y"}],[{"text":"Corregir","callback_data":"0:n"}]]}`}},
		{"an address", bot.Reply{Text: "x", Buttons: []bot.Button{{Title: "Portal", URL: "https://www.iess.gob.ec"}}},
			map[string]string{"text": "x", "reply_markup": `{"inline_keyboard":[[{"text":"Portal","url":"https://www.iess.gob.ec"}]]}`}},
		{"an address that Telegram takes for no button", bot.Reply{Text: "x", Buttons: []bot.Button{{Title: "Ver aviso", URL: "http://localhost:8080/privacidad"}}},
			map[string]string{"text": "x\n\nVer aviso: http://localhost:8080/privacidad"}},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			chat := int64(42 + i) // one chat would have to wait after five
			b.api.Say(chat, "hola")
			before := len(b.api.Calls("sendMessage"))
			if err := b.c.Send(t.Context(), fmt.Sprint(chat), tt.reply); err != nil {
				t.Fatal(err)
			}
			calls := b.api.Calls("sendMessage")[before:]
			if len(calls) != 1 {
				t.Fatalf("%d calls, want 1", len(calls))
			}
			tt.want["chat_id"] = fmt.Sprint(chat)
			tt.want["link_preview_options"] = `{"is_disabled":true}`
			if got, want := mustJSON(t, calls[0].Params), mustJSON(t, tt.want); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func TestFit(t *testing.T) {
	words := strings.Repeat("palabra ", 600)
	emoji := strings.Repeat("👍", 3000)
	tests := []struct {
		name, in  string
		wantUnits int
		wantEnd   string
	}{
		{"short", "hola", 4, "hola"},
		{"just fits", strings.Repeat("á", 4096), 4096, "á"},
		{"one too many", strings.Repeat("á", 4097), 4096, "á…"},
		{"at a word", words, 4096, "palabra…"},
		{"surrogates stay whole", emoji, 4095, "👍…"},
	}
	for _, tt := range tests {
		got := fit(tt.in, textMax)
		if n := len(utf16.Encode([]rune(got))); n != tt.wantUnits {
			t.Errorf("%s: got %d units, want %d", tt.name, n, tt.wantUnits)
		}
		if !strings.HasSuffix(got, tt.wantEnd) {
			t.Errorf("%s: ends in %q, want %q", tt.name, got[len(got)-12:], tt.wantEnd)
		}
	}
}

// TestSend_refused sends into every error of the fixtures, and a few more.
func TestSend_refused(t *testing.T) {
	want := map[string]bot.Failure{
		"error_400_chat_not_found.json": bot.Gone,
		"error_400_not_modified.json":   bot.Permanent,
		"error_400_parse_entities.json": bot.Permanent,
		"error_400_query_too_old.json":  bot.Permanent,
		"error_401.json":                bot.Temporary,
		"error_403_blocked.json":        bot.Gone,
		"error_403_deactivated.json":    bot.Gone,
		"error_409_conflict.json":       bot.Temporary,
		"error_409_webhook_active.json": bot.Temporary,
		"error_429.json":                bot.Throttled,
	}
	files, err := filepath.Glob(filepath.Join("testdata", "error_*.json"))
	if err != nil || len(files) != len(want) {
		t.Fatalf("found %d fixtures (%v), the table has %d", len(files), err, len(want))
	}
	type answer struct {
		name   string
		status int
		body   string
		want   bot.Failure
	}
	tests := []answer{
		{"404", 404, `{"ok":false,"error_code":404,"description":"Not Found"}`, bot.Temporary},
		{"500", 500, `{"ok":false,"error_code":500,"description":"Internal Server Error"}`, bot.Temporary},
		{"429 without a time", 429, `{"ok":false,"error_code":429,"description":"Too Many Requests"}`, bot.Throttled},
		{"502 of a proxy", 502, `<html>Bad Gateway</html>`, bot.Temporary},
		{"403 of a proxy", 403, `<html>Forbidden</html>`, bot.Temporary},
		{"200 that is no JSON", 200, `hello`, bot.Temporary},
		{"200 that is empty", 200, ``, bot.Temporary},
		{"a refusal without words", 200, `{"ok":false}`, bot.Temporary},
		{"a redirect", 302, ``, bot.Temporary},
	}
	for _, file := range files {
		name := filepath.Base(file)
		raw := fixture(t, name)
		var e struct {
			Code int `json:"error_code"`
		}
		if err := json.Unmarshal(raw, &e); err != nil {
			t.Fatal(err)
		}
		tests = append(tests, answer{name, e.Code, string(raw), want[name]})
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Location", "http://127.0.0.1:1"+r.URL.Path)
				w.WriteHeader(tt.status)
				_, _ = w.Write([]byte(tt.body))
			}))
			defer srv.Close()
			b := &testBot{t: t, logs: &bottest.Buffer{}, counts: map[string]int{}}
			b.build(srv.URL, nil)
			got := sendError(t, b.c.Send(t.Context(), "42", bot.Reply{Text: "x"}))
			if got.Failure != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			if got.Failure == bot.Throttled && got.After <= 0 {
				t.Errorf("throttled for %v", got.After)
			}
			if tt.name == "error_429.json" && got.After != 35*time.Second {
				t.Errorf("throttled for %v, want 35s", got.After)
			}
		})
	}
}

// TestSend_trouble: slow, rude and gone.
func TestSend_trouble(t *testing.T) {
	b := newTestBot(t, nil)
	b.api.Say(42, "hola")
	b.api.Say(45, "hola")
	send := func(text string) error { return b.c.Send(t.Context(), "42", bot.Reply{Text: text}) }

	for name, fault := range map[string]bottest.BotFault{
		"dropped": bottest.FaultDropped, "answer lost": bottest.FaultAnswerLost, "500": bottest.FaultServerError, "502": bottest.FaultBadGateway,
	} {
		b.api.Fail("sendMessage", 1, fault)
		if got, want := sendError(t, send(name)).Failure, bot.Temporary; got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
	if got, want := len(b.api.Messages(42)), 1; got != want {
		t.Errorf("%d messages arrived, want %d (the one whose answer was lost)", got, want)
	}

	b.api.Slow("sendMessage", time.Minute)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if got := sendError(t, b.c.Send(ctx, "45", bot.Reply{Text: "slow"})); got.Failure != bot.Temporary {
		t.Errorf("slow: got %v, want temporary", got)
	}
	b.api.Slow("sendMessage", 0)

	b.api.Down()
	if got, want := sendError(t, b.c.Send(t.Context(), "45", bot.Reply{Text: "gone"})).Failure, bot.Temporary; got != want {
		t.Errorf("gone: got %v, want %v", got, want)
	}
	if err := b.api.Up(); err != nil {
		t.Fatal(err)
	}
	if err := b.c.Send(t.Context(), "43", bot.Reply{Text: "never met"}); bot.KindOf(err) != bot.Gone {
		t.Errorf("unknown chat: got %v, want gone", err)
	}
	b.api.Say(44, "hola")
	if err := b.c.Send(t.Context(), "44", bot.Reply{Text: "back"}); err != nil {
		t.Errorf("back again: %v", err)
	}
	b.api.Block(44)
	if err := b.c.Send(t.Context(), "44", bot.Reply{Text: "blocked"}); bot.KindOf(err) != bot.Gone {
		t.Errorf("blocked: got %v, want gone", err)
	}
}

func TestSend_neverAsked(t *testing.T) {
	b := newTestBot(t, nil)
	tests := []struct {
		name, chat string
		reply      bot.Reply
	}{
		{"chat that is no number", "ana", bot.Reply{Text: "x"}},
		{"too long an id", "42", bot.Reply{Text: "x", Prompt: 12, Buttons: []bot.Button{{ID: strings.Repeat("x", 62), Title: "x"}}}},
	}
	for _, tt := range tests {
		if err := b.c.Send(t.Context(), tt.chat, tt.reply); bot.KindOf(err) != bot.Permanent {
			t.Errorf("%s: got %v, want permanent", tt.name, err)
		}
	}
	if err := b.c.Delete(t.Context(), "42", "x"); bot.KindOf(err) != bot.Permanent {
		t.Errorf("delete: got %v, want permanent", err)
	}
	if calls := b.api.Calls(""); len(calls) != 0 {
		t.Errorf("asked all the same: %+v", calls)
	}
}

func TestDelete(t *testing.T) {
	b := newTestBot(t, nil)
	id := b.api.Say(42, "1710034065")
	tests := []struct {
		name, chat, message string
		fault               *bottest.BotFault
		want                string // "" = nil
	}{
		{"there", "42", "101", nil, ""},
		{"already gone", "42", "101", nil, ""},
		{"too old", "42", "101", &bottest.BotFault{Code: 400, Description: "Bad Request: message can't be deleted for everyone"}, ""},
		{"unknown chat", "43", "101", nil, "gone"},
		{"blocked", "42", "101", &bottest.FaultBlocked, "gone"},
		{"broken", "42", "101", &bottest.FaultServerError, "temporary"},
		{"too many", "42", "101", &bottest.BotFault{Code: 429, RetryAfter: 3}, "throttled"},
		{"still too many", "42", "101", nil, "throttled"},
	}
	for _, tt := range tests {
		if tt.fault != nil {
			b.api.Fail("deleteMessage", 1, *tt.fault)
		}
		got := ""
		if err := b.c.Delete(t.Context(), tt.chat, tt.message); err != nil {
			got = sendError(t, err).Failure.String()
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
	if m := b.api.History(42)[0]; m.ID != id || !m.Deleted {
		t.Errorf("the message is still there: %+v", m)
	}
	if got, want := len(b.api.Calls("deleteMessage")), len(tests)-1; got != want {
		t.Errorf("%d calls, want %d: nothing is asked during a pause", got, want)
	}
}

// TestSecrets makes everything fail that can, and looks for the token and the secret in what comes out.
func TestSecrets(t *testing.T) {
	bodies := map[string]func(w http.ResponseWriter, r *http.Request){
		"hangs up": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"half an answer": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "99")
			_, _ = w.Write([]byte(`{"ok":`))
		},
		"no JSON": func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte("<html>" + r.URL.String())) },
		"redirects": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1"+r.URL.Path, 307)
		},
		"repeats the URL": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(400)
			_, _ = w.Write([]byte(`{"ok":false,"error_code":400,"description":"Bad Request: ` + r.URL.Path + " " + testSecret + `"}`))
		},
		"another result": func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(`{"ok":true,"result":"` + r.URL.Path + `"}`))
		},
		"another shape": func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(`{"ok":"` + r.URL.Path + `"}`)) },
		"too slow": func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // else the server does not see that the bot hangs up
			<-r.Context().Done()
		},
	}
	addresses := map[string]string{"nobody listens": "http://127.0.0.1:1", "no such host": "http://bot-api.invalid", "a path with %": "http://127.0.0.1:1/%41"}
	for name, h := range bodies {
		srv := httptest.NewUnstartedServer(http.HandlerFunc(h))
		srv.Config.ErrorLog = nil
		srv.Start()
		defer srv.Close()
		addresses[name] = srv.URL
	}
	for name, address := range addresses {
		t.Run(name, func(t *testing.T) {
			for _, mode := range []Mode{Polling, Webhook} {
				b := &testBot{t: t, logs: &bottest.Buffer{}, counts: map[string]int{}}
				b.build(address, func(o *Options) {
					o.Mode, o.PublicURL = mode, "https://bot.example.org"
					o.Introduce = &intro.Introduction{Memory: forgetful{}, Texts: []intro.Texts{{Description: "Soy un bot."}}}
				})
				ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
				var out []string
				for _, err := range []error{
					b.c.Run(ctx),
					b.c.Send(ctx, "42", bot.Reply{Text: "x"}),
					b.c.Delete(ctx, "42", "7"),
					b.c.client.call(t.Context(), 20*time.Millisecond, "getMe", nil, new(int)),
				} {
					for ; err != nil; err = unwrap(err) {
						out = append(out, err.Error())
					}
				}
				cancel()
				all := strings.Join(out, "\n") + b.logs.String()
				if len(out) == 0 {
					t.Error("nothing failed")
				}
				for _, secret := range []string{testToken, "AAtest-token", testSecret} {
					if strings.Contains(all, secret) {
						t.Errorf("%s: a secret in:\n%s", mode, all)
					}
				}
			}
		})
	}
	for _, got := range []string{Secret(testToken).String(), mustJSON(t, Options{Token: testToken}.Token)} {
		if strings.Contains(got, "AAtest") {
			t.Errorf("the token prints as %s", got)
		}
	}
}

func unwrap(err error) error {
	u, ok := err.(interface{ Unwrap() error })
	if !ok {
		return nil
	}
	return u.Unwrap()
}
