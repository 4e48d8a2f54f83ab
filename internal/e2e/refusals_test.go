package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What cannot be started ends at once, with 1, and says what to do about it.
func TestServe_badStart(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() }) // after the cases, which run when this function has returned
	for _, c := range []struct {
		name     string
		settings []string
		want     []string
	}{
		{"unknown setting", []string{"LLAVE_TELEGRAM_TOKN=" + token}, []string{"LLAVE_TELEGRAM_TOKN"}},
		{"bad values, all at once", []string{"LLAVE_LINK_TTL=soon", "LLAVE_DISCLOSURE=loud"}, []string{"LLAVE_LINK_TTL", "LLAVE_DISCLOSURE"}},
		{"WhatsApp half set up", []string{"LLAVE_WHATSAPP_TOKEN=" + graphToken}, []string{"LLAVE_WHATSAPP_PHONE_NUMBER_ID", "LLAVE_WHATSAPP_APP_SECRET", "LLAVE_WHATSAPP_VERIFY_TOKEN"}},
		{"no mail server named", []string{"LLAVE_SMTP_URL="}, []string{"LLAVE_SMTP_URL"}},
		{"no store there", []string{"LLAVE_MONGODB_URI=mongodb://127.0.0.1:1/"}, []string{"LLAVE_MONGODB_URI", "127.0.0.1:1", "check that the server runs"}},
		{"port taken", []string{"LLAVE_HTTP_ADDR=" + taken.Addr().String()}, []string{"LLAVE_HTTP_ADDR", taken.Addr().String()}},
		{"admin port taken", []string{"LLAVE_ADMIN_ADDR=" + taken.Addr().String()}, []string{"LLAVE_ADMIN_ADDR", taken.Addr().String()}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := newEnvironment(t, byPolling, c.settings...)
			begun := time.Now()
			code, out, errs := outcome(t, e.env, "", "serve")
			if code != 1 || out != "" {
				t.Errorf("got exit %d and on stdout %q, want 1 and nothing", code, out)
			}
			for _, want := range c.want {
				contains(t, "stderr", errs, want)
			}
			if strings.Contains(errs, token) && c.name != "unknown setting" || strings.Contains(errs, secretKey) || strings.Contains(errs, graphToken) {
				t.Errorf("a secret was printed: %s", errs)
			}
			t.Logf("took %v", time.Since(begun).Round(time.Millisecond))
		})
	}
}

// Two processes on one embedded store: the second says which process holds it.
func TestServe_storeHeld(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, byPolling)
	first := e.serve(t)
	second := append(append([]string(nil), e.env...), "LLAVE_HTTP_ADDR="+freeAddr(t), "LLAVE_ADMIN_ADDR="+freeAddr(t))
	code, _, errs := outcome(t, second, "", "serve")
	if code != 1 {
		t.Errorf("got exit %d, want 1", code)
	}
	contains(t, "stderr", errs, "LLAVE_DATA_DIR")
	contains(t, "stderr", errs, fmt.Sprintf("process %d", first.Pid()))
	first.stop(t)
}

// A store file that this program cannot or must not use is told, with what to do, and stays as it is: no new store is
// begun in its place.
func TestServe_storeUnusable(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, byPolling)
	e.serve(t).stop(t) // makes a store
	whole, err := os.ReadFile(filepath.Join(e.setting("LLAVE_DATA_DIR"), "llave.db"))
	if err != nil {
		t.Fatal(err)
	}
	newer := bytes.ReplaceAll(whole, []byte("schema1"), []byte("schema2")) // pages that are not in use any more too
	if bytes.Equal(newer, whole) {
		t.Fatal("the file does not say its format where it did")
	}
	for _, c := range []struct {
		name string
		file []byte
		want []string
	}{
		{"of a newer version", newer, []string{"newer version", "format 2", "start the version that wrote it"}},
		{"cut off", whole[:4*os.Getpagesize()], // of six pages or more in use; a file that had to grow is mostly unused ones
			[]string{"cut off", "put a backup back (docs/upgrade.md); never delete the file"}},
		{"empty", nil, []string{"empty", "put a backup back (docs/upgrade.md); never delete the file"}},
		{"something else", bytes.Repeat([]byte("no es una base de datos\n"), 4000), []string{"not a store", "put a backup back (docs/upgrade.md); never delete the file"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEnvironment(t, byPolling)
			path := filepath.Join(e.setting("LLAVE_DATA_DIR"), "llave.db")
			if err := os.WriteFile(path, c.file, 0o600); err != nil {
				t.Fatal(err)
			}
			code, _, errs := outcome(t, e.env, "", "serve")
			if code != 1 {
				t.Errorf("got exit %d, want 1", code)
			}
			for _, want := range append(c.want, "LLAVE_DATA_DIR", path) {
				contains(t, "stderr", errs, want)
			}
			after, err := os.ReadFile(path)
			if err != nil || !bytes.Equal(after, c.file) {
				t.Errorf("the file is not as it was: %d bytes, were %d (%v)", len(after), len(c.file), err)
			}
		})
	}
}

// What a stranger may send to the webhook, and what a group gets.
func TestWebhook_badInput(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, byWebhook)
	llave := e.serve(t)
	hook := e.base + "/webhooks/telegram"
	for _, c := range []struct {
		name   string
		method string
		secret string
		body   io.Reader
		want   int
	}{
		{"no secret", http.MethodPost, "", strings.NewReader(`{"update_id":1}`), http.StatusUnauthorized},
		{"wrong secret", http.MethodPost, hookSecret + "x", strings.NewReader(`{"update_id":1}`), http.StatusUnauthorized},
		{"wrong secret, not JSON", http.MethodPost, "x", strings.NewReader("{"), http.StatusUnauthorized},
		{"too long", http.MethodPost, hookSecret, strings.NewReader(`{"update_id":1,"x":"` + strings.Repeat("x", 4<<20) + `"}`), http.StatusRequestEntityTooLarge},
		{"too long, length not said", http.MethodPost, hookSecret, io.MultiReader(strings.NewReader(strings.Repeat(" ", 4<<20)), strings.NewReader(`{"update_id":1}`)), http.StatusRequestEntityTooLarge},
		{"not JSON", http.MethodPost, hookSecret, strings.NewReader("hola"), http.StatusBadRequest},
		{"cut off", http.MethodPost, hookSecret, strings.NewReader(`{"update_id":1,"message":{`), http.StatusBadRequest},
		{"nothing", http.MethodPost, hookSecret, strings.NewReader(""), http.StatusBadRequest},
		{"GET", http.MethodGet, hookSecret, nil, http.StatusMethodNotAllowed},
		{"PUT", http.MethodPut, hookSecret, strings.NewReader(`{"update_id":1}`), http.StatusMethodNotAllowed},
		{"a kind that nobody handles", http.MethodPost, hookSecret, strings.NewReader(`{"update_id":1,"poll_answer":{}}`), http.StatusOK},
	} {
		status, body := call(t, c.method, hook, c.secret, c.body)
		if status != c.want {
			t.Errorf("%s: got %d, want %d", c.name, status, c.want)
		}
		if c.want == http.StatusUnauthorized && body != "" {
			t.Errorf("%s: got a body: %q", c.name, body)
		}
	}

	const group = -1001234567890
	p := &phone{t: t, api: e.api, chat: group}
	p.says("hola", "solo atiendo en chats privados")
	e.api.Say(group, "¿hola?")
	e.api.Say(group, "hola bot")
	if !e.api.Wait(answerWithin, func() bool { return e.api.Pending() == 0 }) {
		t.Fatal("what the group said was not taken")
	}
	time.Sleep(300 * time.Millisecond) // an answer would have come by now
	p.silent("the group had been refused once")
	llave.stop(t)
}

func call(t testing.TB, method, url, secret string, body io.Reader) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), answerWithin)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if secret != "" {
		req.Header.Set("X-Telegram-Bot-Api-Secret-Token", secret)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}
