package app_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"llave/internal/app"
	"llave/internal/bottest"
	"llave/internal/bottest/world"
	"llave/internal/store"
	"llave/internal/store/storetest"
)

// readyz asks a process how it is, until it says so.
func readyz(t *testing.T, a *app.App, status int, want string) {
	t.Helper()
	got := ""
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		res, err := http.Get("http://" + a.AdminAddr() + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if got = string(body); res.StatusCode == status && strings.Contains(got, want) {
			return
		}
	}
	t.Fatalf("/readyz says %q, want %d and %q", got, status, want)
}

// A channel that is away makes the process no less ready, and is told of with its reason, until it is back; by itself (P605).
func TestReadyz_channel(t *testing.T) {
	t.Parallel()
	api := newAPI(t)
	a := start(t, api, "LLAVE_DATA_DIR="+t.TempDir())
	defer http.DefaultClient.CloseIdleConnections()
	defer stop(t, a)
	readyz(t, a, 200, "degraded: the mail server takes no letters since")
	api.Say(world.Chat, "hola")
	if _, err := api.WaitMessage(world.Chat, 0, 15*time.Second); err != nil {
		t.Fatal(err)
	}
	api.Down()
	readyz(t, a, 200, "degraded: telegram since ")
	readyz(t, a, 200, "it cannot be reached")
	if err := api.Up(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if now := ask(t, a); len(now.Reasons) == 1 && now.Reasons[0].Part == "mail" {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("Telegram is back, and /readyz says %+v", ask(t, a))
		}
	}
}

// ask asks as a program does.
func ask(t *testing.T, a *app.App) (now app.Readiness) {
	t.Helper()
	req := httptest.NewRequest(http.MethodGet, "http://"+a.AdminAddr()+"/readyz", nil)
	req.RequestURI = ""
	req.Header.Set("Accept", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(&now); err != nil {
		t.Fatal(err)
	}
	return now
}

// Nothing that is asked of others at the start holds it up: with a Bot API, a Graph API and a mail server that never answer the process
// is ready, while they have not answered (P605).
func TestReadyz_waitsForNobody(t *testing.T) {
	api := newAPI(t)
	const never = time.Hour
	api.Slow("", never)
	g := bottest.NewGraph(bottest.GraphOptions{Tokens: []string{"EAAtest"}, PhoneNumberID: "106540352242922", AppSecret: "app-secret-of-the-test", VerifyToken: "verify-token-of-the-test"})
	if err := g.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	g.Slow("", never)
	smtp, err := bottest.StartSMTP()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = smtp.Close() })
	smtp.Slow(bottest.SMTPConnect, never)
	a := start(t, api, "LLAVE_DATA_DIR="+t.TempDir(), "LLAVE_SMTP_URL="+smtp.URL(), "LLAVE_TELEGRAM_MODE=webhook",
		"LLAVE_WHATSAPP_TOKEN=EAAtest", "LLAVE_WHATSAPP_PHONE_NUMBER_ID=106540352242922", "LLAVE_WHATSAPP_APP_SECRET=app-secret-of-the-test",
		"LLAVE_WHATSAPP_VERIFY_TOKEN=verify-token-of-the-test", "LLAVE_WHATSAPP_API_URL="+g.URL())
	defer http.DefaultClient.CloseIdleConnections()
	defer stop(t, a)
	readyz(t, a, 200, "ready")
	if calls := len(api.Calls("")) + len(g.Calls("")); calls != 0 {
		t.Errorf("%d calls were answered before it was ready", calls)
	}
}

// awayEngine is a store whose server can be away.
type awayEngine struct {
	store.Engine
	gone atomic.Pointer[error]
}

func (e *awayEngine) Ping(ctx context.Context) error {
	if err := e.gone.Load(); err != nil {
		if errors.Is(*err, errHangs) {
			<-ctx.Done()
			return ctx.Err()
		}
		return *err
	}
	return e.Engine.Ping(ctx)
}

// errHangs has an awayEngine not answer.
var errHangs = errors.New("hangs")

// A store that does not answer is away since it was first asked, and the log says so once.
func TestReadyz_storeHangs(t *testing.T) {
	t.Parallel()
	away, logs := &awayEngine{Engine: storetest.Bolt(t, nil)}, &bottest.Buffer{}
	a := startOver(t, app.Options{Engine: away, NoSweep: true, Log: slog.New(slog.NewTextHandler(logs, nil))})
	defer http.DefaultClient.CloseIdleConnections()
	defer stop(t, a)
	readyz(t, a, 200, "ready")
	away.gone.Store(&errHangs)
	const begun = `level=ERROR msg="the store does not serve: store does not answer in time"`
	readyz(t, a, 503, "unready: store does not answer in time (since ")
	_, rest, _ := strings.Cut(logs.String(), begun+" since=")
	since, _, _ := strings.Cut(rest, " ")
	if since == "" {
		t.Fatalf("the log does not say it: %s", logs)
	}
	time.Sleep(time.Second) // of which /readyz speaks
	readyz(t, a, 503, "unready: store does not answer in time (since "+since+")")
	if n := strings.Count(logs.String(), begun); n != 1 {
		t.Errorf("said %d times", n)
	}
}

// Only the store, and stopping, make a process unready; healthz says that it runs all the same.
func TestReadyz_store(t *testing.T) {
	away := &awayEngine{Engine: storetest.Bolt(t, nil)}
	a := startOver(t, app.Options{Engine: away, NoSweep: true})
	defer http.DefaultClient.CloseIdleConnections()
	defer stop(t, a)
	readyz(t, a, 200, "ready")
	for _, tt := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("a driver's words: %w", store.ErrUnavailable), "unready: store cannot be reached (since "},
		{context.DeadlineExceeded, "unready: store does not answer in time (since "},
		{fmt.Errorf("write: %w", syscall.ENOSPC), "unready: store cannot be written: no space left on device (since "},
		{store.ErrDamaged, "unready: store file is damaged (since "},
		{errors.New("input/output error"), "unready: store cannot be written (since "},
	} {
		away.gone.Store(&tt.err)
		readyz(t, a, 503, tt.want)
	}
	res, err := http.Get("http://" + a.AdminAddr() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 200 {
		t.Errorf("healthz: %d", res.StatusCode)
	}
	away.gone.Store(nil)
	readyz(t, a, 200, "ready")
}

// `llave health` says what /readyz says, and exits by it; with --wait it waits for a service that is being started.
func TestHealth(t *testing.T) {
	addr, err := bottest.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	environ := []string{"LLAVE_ADMIN_ADDR=" + addr, "LLAVE_DATA_DIR=" + t.TempDir()}
	code, stdout, stderr := run(t, environ, "", "health")
	if code != 1 || stdout != "" || !strings.Contains(stderr, addr) {
		t.Errorf("nobody there: exit %d, %q, %q; want 1 and the address", code, stdout, stderr)
	}
	answers := []string{`{"status":"unready","reasons":[{"part":"store","reason":"store cannot be reached"}]}`, `{"status":"stopping"}`, `{"status":"ready"}`}
	var asked atomic.Int32
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n := min(int(asked.Add(1)), len(answers))
		if n < len(answers) {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		io.WriteString(w, answers[n-1])
	})}
	served := make(chan struct{})
	defer func() { server.Close(); <-served }()
	go func() {
		defer close(served)
		time.Sleep(300 * time.Millisecond) // it is being started
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Error(err)
			return
		}
		_ = server.Serve(l)
	}()
	if code, stdout, stderr = run(t, environ, "", "health", "--wait", "20s"); code != 0 || stdout != "ready\n" || asked.Load() != 3 {
		t.Errorf("with --wait: exit %d, %q, %q, asked %d times; want 0, ready, 3", code, stdout, stderr, asked.Load())
	}
	asked.Store(0)
	if code, stdout, _ = run(t, environ, "", "health"); code != 1 || stdout != "unready: store cannot be reached\n" {
		t.Errorf("without: exit %d, %q; want 1 and why", code, stdout)
	}
	asked.Store(0)
	if code, stdout, _ = run(t, environ, "", "health", "--json"); code != 1 || strings.TrimSpace(stdout) != answers[0] {
		t.Errorf("as JSON: exit %d, %q, want 1, %q", code, stdout, answers[0])
	}
	if code, _, stderr = run(t, append(environ, "LLAVE_ADMIN_ADDR=here"), "", "health"); code != 1 || !strings.Contains(stderr, "LLAVE_ADMIN_ADDR") {
		t.Errorf("wrong settings: exit %d, %q", code, stderr)
	}
	asked.Store(2) // what it does not need is none of its business: the service that it asks has it
	if code, stdout, stderr = run(t, append(environ, "LLAVE_TELEGRAM_TOKEN_FILE=/nowhere/token", "LLAVE_NONSENSE=1"), "", "health"); code != 0 || stdout != "ready\n" {
		t.Errorf("without a secret's file: exit %d, %q, %q; want 0, ready", code, stdout, stderr)
	}
}
