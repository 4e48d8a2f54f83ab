package app_test

import (
	"context"
	"encoding/base64"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"llave/internal/app"
	"llave/internal/bottest"
	"llave/internal/bottest/world"
	"llave/internal/config"
	"llave/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testKey is the secret key of the processes here.
var testKey = base64.StdEncoding.EncodeToString([]byte("the secret key of the processes in these tests"))

func start(t *testing.T, api *bottest.BotAPI, settings ...string) *app.App {
	t.Helper()
	c, err := config.Load(append([]string{
		"LLAVE_HTTP_ADDR=127.0.0.1:0", "LLAVE_ADMIN_ADDR=127.0.0.1:0", "LLAVE_SMTP_URL=smtp://127.0.0.1:1?tls=none",
		"LLAVE_SECRET_KEY=" + testKey,
		"LLAVE_TELEGRAM_TOKEN=" + world.Token, "LLAVE_TELEGRAM_API_URL=" + api.URL(),
	}, settings...), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	a, err := app.New(t.Context(), app.Options{Config: c, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), LocalURL: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return a
}

func stop(t *testing.T, a *app.App) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := a.Stop(ctx); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// startOver starts a process over [o]'s engine that has no mail server and, but for what the settings say, no channel.
func startOver(t *testing.T, o app.Options, settings ...string) *app.App {
	t.Helper()
	c, err := config.Load(append([]string{
		"LLAVE_HTTP_ADDR=127.0.0.1:0", "LLAVE_ADMIN_ADDR=127.0.0.1:0", "LLAVE_SMTP_URL=smtp://127.0.0.1:1?tls=none",
		"LLAVE_SECRET_KEY=" + testKey, "LLAVE_DATA_DIR=" + t.TempDir(),
	}, settings...), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if o.Config, o.LocalURL = c, true; o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	a, err := app.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return a
}

func newAPI(t *testing.T) *bottest.BotAPI {
	t.Helper()
	api := bottest.NewBotAPI(world.Token)
	if err := api.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(api.Close)
	return api
}

// Two processes over one store: one polls, each message is answered once, and when the poller goes the other takes over (P606).
func TestPolling_oneOfTwoProcesses(t *testing.T) {
	uri := storetest.MongoURI(t)
	database := "LLAVE_MONGODB_DATABASE=" + storetest.NewDatabase(t, uri)
	api := newAPI(t)
	first := start(t, api, "LLAVE_MONGODB_URI="+uri, database)
	second := start(t, api, "LLAVE_MONGODB_URI="+uri, database)
	defer stop(t, second)
	say := func(text string) {
		t.Helper()
		before := len(api.Messages(world.Chat))
		after := api.Say(world.Chat, text)
		if _, err := api.WaitMessage(world.Chat, after, 15*time.Second); err != nil {
			t.Fatal(err)
		}
		time.Sleep(300 * time.Millisecond)
		if got := len(api.Messages(world.Chat)) - before; got != 1 {
			t.Errorf("%q was answered %d times, want once", text, got)
		}
	}
	say("hola")
	say("1")
	stop(t, first)
	say("menú")
}

// TestAdmin shows P605.
func TestAdmin(t *testing.T) {
	a := start(t, newAPI(t), "LLAVE_DATA_DIR="+t.TempDir(), "LLAVE_TELEGRAM_MODE=webhook")
	defer stop(t, a)
	for path, want := range map[string]string{"/healthz": "ok", "/readyz": "", // what it says of mail: internal/e2e
		"/metrics": "go_goroutines"} {
		res, err := http.Get("http://" + a.AdminAddr() + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("GET %s: %d %.80q (%v), want 200 with %q", path, res.StatusCode, body, err, want)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

// The clock's work: an expired link is purged, a live one is not; a conversation is emptied after a day and gone after
// eight (P406).
func TestPurge(t *testing.T) {
	w := world.New(t, "_id,id_type,category,full_name,email,data_updated_at,status\n"+
		"1790000002,cedula,affiliate,Persona Uno,uno@correo.example,2025-03-01,locked\n")
	for _, text := range []string{"hola", "1", "1", "1790000002", "1", "1"} {
		w.Say(text)
	}
	link := w.Link(false)
	purge := func(want int64) {
		t.Helper()
		got, err := w.App.PurgeLinks(t.Context())
		if err != nil || got != want {
			t.Errorf("purged %d links (%v), want %d", got, err, want)
		}
	}
	w.Later(2 * time.Minute)
	purge(0)
	if status, _ := w.Get(w.Browser, link); status != http.StatusOK {
		t.Errorf("a live link is %d, want 200", status)
	}
	w.Later(65 * time.Second)
	purge(1)
	purge(0)
	if status, _ := w.Get(w.Browser, link); status != http.StatusNotFound {
		t.Errorf("a purged link is %d, want 404", status)
	}
	conversations := func(want int64) {
		t.Helper()
		if _, err := w.App.Forget(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, err := w.App.Store.Conversations.Count(t.Context()); err != nil || got != want {
			t.Errorf("%d conversations (%v), want %d", got, err, want)
		}
	}
	w.Later(25 * time.Hour)
	conversations(1)
	w.Later(7 * 24 * time.Hour)
	conversations(0)
}
