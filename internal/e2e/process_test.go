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
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
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
	binary = filepath.Join(dir, "llave")
	args := []string{"build", "-o", binary}
	if raced {
		args = append(args, "-race")
	}
	build := exec.Command("go", append(args, "llave/cmd/llave")...)
	if !raced {
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
	}
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "e2e: build llave: %v\n%s", err, out)
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

// secretKey is LLAVE_SECRET_KEY.
var secretKey = base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{42}, 32))

// output is what a process has written so far.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// process is a running llave.
type process struct {
	cmd            *exec.Cmd
	stdout, stderr *output
	done           chan struct{} // closed when it has ended
}

// command makes a llave that has no settings but env, in a folder without a .env file.
func command(ctx context.Context, t testing.TB, env []string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir = t.TempDir()
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "LLAVE_") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	cmd.Env = append(cmd.Env, env...)
	return cmd
}

// start runs a llave that is killed when the test ends, if it still runs then.
func start(t testing.TB, env []string, args ...string) *process {
	t.Helper()
	p := &process{cmd: command(context.Background(), t, env, args...), stdout: &output{}, stderr: &output{}, done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.stdout, p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // how it ended stands in ProcessState
		close(p.done)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // it has ended already in a test that went well
		<-p.done
		if t.Failed() {
			t.Logf("llave %s wrote:\n%s%s", strings.Join(args, " "), p.stdout, p.stderr)
		}
	})
	return p
}

// exit waits for the process's end and returns its exit code.
func (p *process) exit(t testing.TB, within time.Duration) int {
	t.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(within):
		t.Fatalf("the process has not ended within %v", within)
		return -1
	}
}

// stop asks the process to end, as an operator does, and wants it to agree.
func (p *process) stop(t testing.TB) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatalf("SIGTERM: %v", err)
	}
	if code := p.exit(t, 10*time.Second); code != 0 {
		t.Fatalf("after SIGTERM: got exit %d, want 0", code)
	}
}

// outcome runs a llave to its end.
func outcome(t testing.TB, env []string, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := command(ctx, t, env, args...)
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
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// waitOK waits until an address answers 200, as long as the process runs.
func (p *process) waitOK(t testing.TB, url string, within time.Duration) {
	t.Helper()
	late := time.After(within)
	for {
		if get(t.Context(), url) == http.StatusOK {
			return
		}
		select {
		case <-p.done:
			t.Fatalf("the process ended with %d before %s answered: %s", p.cmd.ProcessState.ExitCode(), url, p.stderr)
		case <-late:
			t.Fatalf("%s has not answered 200 within %v", url, within)
		case <-time.After(10 * time.Millisecond):
		}
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
