package check

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// program is the one of the release that runs here, unpacked.
func program(t *testing.T) string {
	t.Helper()
	names, _ := filepath.Glob(filepath.Join(dist(t), "llave_*_linux_"+runtime.GOARCH+".tar.gz"))
	if len(names) != 1 {
		t.Skipf("SKIPPED: the release has no program for %s", runtime.GOARCH)
	}
	file, err := os.Open(names[0])
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	zipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(zipped); ; {
		h, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Count(h.Name, "/") == 1 && filepath.Base(h.Name) == "llave" {
			path := filepath.Join(t.TempDir(), "llave")
			out, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o755)
			if err != nil {
				t.Fatal(err)
			}
			_, err = io.Copy(out, r)
			if err := errors.Join(err, out.Close()); err != nil {
				t.Fatal(err)
			}
			return path
		}
	}
}

// noise is what a process writes, read while it does.
type noise struct {
	sync.Mutex
	bytes.Buffer
}

func (n *noise) Write(p []byte) (int, error) {
	n.Lock()
	defer n.Unlock()
	return n.Buffer.Write(p)
}

func (n *noise) String() string {
	n.Lock()
	defer n.Unlock()
	return n.Buffer.String()
}

// started is a process that is ended with the test.
type started struct {
	*exec.Cmd
	said *noise
	gone chan struct{}
}

func start(t *testing.T, env []string, name string, args ...string) *started {
	t.Helper()
	p := &started{exec.CommandContext(context.Background(), name, args...), &noise{}, make(chan struct{})}
	p.Env = append([]string{"PATH=" + os.Getenv("PATH")}, env...)
	p.Dir = t.TempDir()
	p.Stdout, p.Stderr = p.said, p.said
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = p.Wait(); close(p.gone) }()
	t.Cleanup(func() {
		_ = p.Process.Kill()
		<-p.gone
		if t.Failed() {
			t.Logf("%s wrote:\n%s", name, p.said)
		}
	})
	return p
}

// end asks it to end, as an operator does, and is how it did.
func (p *started) end(t *testing.T) int {
	t.Helper()
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.gone:
	case <-time.After(time.Minute):
		t.Fatal("it does not end")
	}
	return p.ProcessState.ExitCode()
}

// answers waits until an address answers with a status.
func (p *started) answers(t *testing.T, url string, status int) {
	t.Helper()
	for until := time.Now().Add(time.Minute); time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
		if res, err := http.Get(url); err == nil {
			_ = res.Body.Close()
			if res.StatusCode == status {
				return
			}
		}
		select {
		case <-p.gone:
			t.Fatalf("it ended: %s", p.said)
		default:
		}
	}
	t.Fatalf("%s does not answer %d", url, status)
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
