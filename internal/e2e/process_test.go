// Package e2e walks the whole road over real wires: the built binary as a process of its own, the Bot API and SMTP over
// TCP, a browser with scripts, a store on disk or on a MongoDB server.
//
// What is shown in detail elsewhere is shown here once more from outside. A binary that was built with the race
// detector exits with 66 after a race, so every exit code that is compared here is a race check too.
package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"llave/internal/bottest"
)

// binary is the llave that TestMain has built.
var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "llave-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	if binary, err = bottest.Build(context.Background(), dir, bottest.Raced); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	defer func() { closeBrowser() }() // the one that is there by then
	return m.Run()
}

// token is the bot's, of the shape Telegram gives, and hookSecret what its webhook carries.
const (
	token      = "7000000001:AAtesttesttesttesttesttesttesttest01"
	hookSecret = "e2e-hook-secret-e2e-hook-secret"
)

// What WhatsApp's Graph API knows of the bot, and an access token that it does not take any more.
const (
	graphToken    = "EAAe2ee2ee2ee2ee2enew"
	oldGraphToken = "EAAe2ee2ee2ee2ee2eold"
	graphNumber   = "106540352242922"
	appSecret     = "e2e-app-secret-e2e-app-secret"
	verifyToken   = "e2e-verify-token"
)

// secretKey is LLAVE_SECRET_KEY.
var secretKey = base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{42}, 32))

// process is a running llave and what it writes.
type process struct {
	*bottest.Process
	stdout, stderr *bottest.Buffer
}

// start runs a llave that is killed when the test ends, if it still runs then.
func start(t testing.TB, env []string, args ...string) *process {
	t.Helper()
	p := &process{stdout: &bottest.Buffer{}, stderr: &bottest.Buffer{}}
	cmd := bottest.Command(context.Background(), binary, t.TempDir(), env, args...)
	cmd.Stdout, cmd.Stderr = p.stdout, p.stderr
	var err error
	if p.Process, err = bottest.StartProcess(cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Kill()                // it has ended already in a test that went well
		if args[0] == "serve" { // chat and demo print the people that one may try
			for _, leak := range bottest.Leaks(p.stdout.String()+p.stderr.String(), token, hookSecret, graphToken, oldGraphToken, appSecret, verifyToken, secretKey) {
				t.Errorf("the log holds %s", leak)
			}
		}
		if t.Failed() {
			t.Logf("llave %s wrote:\n%s%s", strings.Join(args, " "), p.stdout, p.stderr)
		}
	})
	return p
}

// stop asks the process to end, as an operator does, and wants it to agree.
func (p *process) stop(t testing.TB) {
	t.Helper()
	if code, _, err := p.Terminate(10 * time.Second); err != nil || code != 0 {
		t.Fatalf("after SIGTERM: got exit %d (%v), want 0", code, err)
	}
}

// outcome runs a llave to its end.
func outcome(t testing.TB, env []string, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := bottest.Command(ctx, binary, t.TempDir(), env, args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	err := cmd.Run()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// freeAddr is a loopback address that nobody listens on.
func freeAddr(t testing.TB) string {
	t.Helper()
	addr, err := bottest.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

// waitOK waits until an address answers 200, as long as the process runs.
func (p *process) waitOK(t testing.TB, url string, within time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	if err := p.WaitReady(ctx, url); err != nil {
		t.Fatalf("%s: %v: %s", url, err, p.stderr)
	}
}

// get returns the status of an address; 0 when nobody answers.
func get(ctx context.Context, url string) int {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body) // so that the connection is used again
	return res.StatusCode
}
