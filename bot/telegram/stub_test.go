package telegram

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"llave/internal/bottest"
)

// TestStub_fixtures: the Bot API that the tests run against refuses in the words of the fixtures.
func TestStub_fixtures(t *testing.T) {
	b := newTestBot(t, nil)
	b.api.Say(1, "hola")
	b.api.Say(2, "hola")
	b.api.Block(2)
	ask := func(token, method string, form url.Values) string {
		t.Helper()
		resp, err := http.PostForm(b.api.URL()+"/bot"+token+"/"+method, form)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	compare := func(name, got string) {
		t.Helper()
		var g, want any
		if err := json.Unmarshal([]byte(got), &g); err != nil {
			t.Fatalf("%s: %q: %v", name, got, err)
		}
		if err := json.Unmarshal(fixture(t, name), &want); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(g, want) {
			t.Errorf("%s: got %v, want %v", name, g, want)
		}
	}
	compare("error_401.json", ask("1:wrong", "getMe", nil))
	compare("error_400_chat_not_found.json", ask(testToken, "sendMessage", url.Values{"chat_id": {"9"}, "text": {"x"}}))
	compare("error_403_blocked.json", ask(testToken, "sendMessage", url.Values{"chat_id": {"2"}, "text": {"x"}}))
	compare("error_400_query_too_old.json", ask(testToken, "answerCallbackQuery", url.Values{"callback_query_id": {"9"}}))
	b.api.Fail("sendMessage", 1, bottest.FaultTooMany(35))
	compare("error_429.json", ask(testToken, "sendMessage", nil))
	compare("response_true.json", ask(testToken, "setMyCommands", url.Values{"commands": {`[{"command":"menu","description":"Menú"}]`}}))

	first := make(chan string)
	go func() { first <- ask(testToken, "getUpdates", url.Values{"offset": {"999999999"}, "timeout": {"30"}}) }()
	b.until("the first poll to be ended by a second", func() bool {
		ask(testToken, "getUpdates", url.Values{"offset": {"999999999"}})
		select {
		case got := <-first:
			compare("error_409_conflict.json", got)
			return true
		default:
			return false
		}
	})
	compare("response_true.json", ask(testToken, "setWebhook", url.Values{"url": {"https://bot.example.org/hook"}, "secret_token": {"AZaz09_-"}}))
	compare("error_409_webhook_active.json", ask(testToken, "getUpdates", nil))
	compare("response_true.json", ask(testToken, "deleteWebhook", nil))

	sent := ask(testToken, "sendMessage", url.Values{"chat_id": {"1"}, "text": {"ok"}, "reply_markup": {`{"inline_keyboard":[[{"text":"A","callback_data":"a"}]]}`}})
	if got, want := shape(t, sent), shape(t, string(fixture(t, "response_sendMessage_ok.json"))); !strings.HasPrefix(got, "{") || got != want {
		t.Errorf("sendMessage answers in the shape\n%s, want\n%s", got, want)
	}
	for markup, want := range map[string]string{
		`null`: "object expected", `{"inline_keyboard":null}`: "Array of Arrays", `{"inline_keyboard":[[{"text":"x"}]]}`: "unallowed",
		`{"inline_keyboard":[[{"text":"x","callback_data":"` + strings.Repeat("x", 65) + `"}]]}`: "BUTTON_DATA_INVALID",
		`{"inline_keyboard":[[{"text":"x","url":"http://localhost/"}]]}`:                         "Wrong HTTP URL",
	} {
		if got := ask(testToken, "sendMessage", url.Values{"chat_id": {"1"}, "text": {"x"}, "reply_markup": {markup}}); !strings.Contains(got, want) {
			t.Errorf("keyboard %s: got %s, want a refusal with %q", markup, got, want)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

// shape is JSON with every value replaced by its type; what only a person's profile has is left out.
func shape(t *testing.T, raw string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(raw), &v); err != nil {
		t.Fatal(err)
	}
	var walk func(v any) any
	walk = func(v any) any {
		switch v := v.(type) {
		case map[string]any:
			out := map[string]any{}
			for k, e := range v {
				if k != "last_name" && k != "username" {
					out[k] = walk(e)
				}
			}
			return out
		case []any:
			out := make([]any, len(v))
			for i, e := range v {
				out[i] = walk(e)
			}
			return out
		}
		return reflect.TypeOf(v).String()
	}
	return mustJSON(t, walk(v))
}
