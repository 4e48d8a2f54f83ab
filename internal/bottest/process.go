package bottest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Build builds the llave binary into a directory and returns its path: as it is shipped, or with the race detector. One
// that has it exits with 66 after a race.
func Build(ctx context.Context, dir string, race bool) (string, error) {
	binary := filepath.Join(dir, "llave")
	args, env := []string{"build", "-o", binary, "-trimpath"}, append(os.Environ(), "CGO_ENABLED=0")
	if race { // with the paths, so that what the tests have compiled serves again
		args, env = []string{"build", "-o", binary, "-race"}, os.Environ()
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "llave/cmd/llave")...)
	cmd.Env = env
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build llave: %w\n%s", err, out)
	}
	return binary, nil
}

// Command makes a llave that has no LLAVE_ settings but [env], in a folder.
func Command(ctx context.Context, binary, dir string, env []string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir = dir
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "LLAVE_") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	cmd.Env = append(cmd.Env, env...)
	return cmd
}

// Process is a running llave. Its methods may be called from many goroutines.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

// StartProcess runs a Command until it ends by itself, or by Kill or Terminate.
func StartProcess(cmd *exec.Cmd) (*Process, error) {
	p := &Process{cmd: cmd, done: make(chan struct{})}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start llave: %w", err)
	}
	go func() {
		_ = cmd.Wait() // how it ended stands in ProcessState
		close(p.done)
	}()
	return p, nil
}

// Pid is the process's number.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Kill ends the process without a word (kill -9) and waits for its end.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // it may have ended already
	<-p.done
}

// Terminate asks the process to end, as an operator does, and returns its exit code and how long it took. One that
// does not end in time is killed and an error.
func (p *Process) Terminate(within time.Duration) (code int, took time.Duration, err error) {
	start := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return 0, 0, fmt.Errorf("terminate llave: %w", err)
	}
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode(), time.Since(start), nil
	case <-time.After(within):
		p.Kill()
		return -1, time.Since(start), fmt.Errorf("llave has not ended within %v of SIGTERM", within)
	}
}

// WaitReady waits until an address answers 200, as long as the process runs.
func (p *Process) WaitReady(ctx context.Context, url string) error {
	client := &http.Client{Timeout: 5 * time.Second}
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return fmt.Errorf("wait for llave: %w", err)
		}
		if res, err := client.Do(req); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-p.done:
			return fmt.Errorf("llave ended with %d before it was ready", p.cmd.ProcessState.ExitCode())
		case <-ctx.Done():
			return fmt.Errorf("llave is not ready: %w", ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// ExitCode is how the process ended; -1 while it runs or when a signal ended it.
func (p *Process) ExitCode() int {
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	default:
		return -1
	}
}

// Cedula makes the i-th made-up national number: ten digits of a province, with the right check digit.
func Cedula(i int) string { return checked(fmt.Sprintf("%02d%07d", i%24+1, 3000000+i)) }

// Nobodys is Cedula with a third digit that no person's number has: for what is shown to people.
func Nobodys(i int) string { return checked(fmt.Sprintf("179%06d", 431000+i)) }

// checked puts the check digit behind nine digits.
func checked(nine string) string {
	sum := 0
	for at, digit := range nine {
		d := int(digit - '0')
		if at%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return fmt.Sprintf("%s%d", nine, (10-sum%10)%10)
}

var given sync.Map // ports that FreeAddr has given out

// FreeAddr is a loopback address that nobody listens on, and that nobody will be given by asking for port 0 or by
// dialing: it lies below the range that systems take those from (32768 on Linux, 49152 elsewhere). Between asking and
// listening another test's server would otherwise now and then be there first.
func FreeAddr() (string, error) {
	for range 1000 {
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(20000+rand.IntN(12000)))
		if _, taken := given.LoadOrStore(addr, true); taken {
			continue
		}
		if l, err := net.Listen("tcp", addr); err == nil {
			return addr, l.Close()
		}
	}
	return "", errors.New("find a free address: all that were tried are taken")
}
