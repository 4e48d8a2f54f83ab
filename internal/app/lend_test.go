package app_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"llave/internal/affiliate"
	"llave/internal/app"
	"llave/internal/bottest"
	"llave/internal/store"
	"llave/internal/store/socket"
	"llave/internal/unheard"
)

// service is `llave serve` in this process. What it logs is read once it has stopped, or under the lock.
type service struct {
	mu    sync.Mutex
	log   bytes.Buffer
	ready chan struct{}
	stop  func() (code int)
}

func (s *service) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if bytes.Contains(p, []byte(`"msg":"ready"`)) {
		close(s.ready)
	}
	return s.log.Write(p)
}

func (s *service) logged() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// serving starts the service with those settings, and stops it when the test ends.
func serving(t *testing.T, environ []string) *service {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	s := &service{ready: make(chan struct{})}
	ended := make(chan int, 1)
	environ = append([]string{"LLAVE_HTTP_ADDR=127.0.0.1:0", "LLAVE_ADMIN_ADDR=127.0.0.1:0", "LLAVE_SMTP_URL=smtp://127.0.0.1:1?tls=none"}, environ...)
	go func() {
		ended <- app.Main(ctx, []string{"serve"}, app.IO{Environ: environ, Stdin: strings.NewReader(""), Stdout: s, Stderr: s})
	}()
	s.stop = sync.OnceValue(func() int { cancel(); return <-ended })
	t.Cleanup(func() {
		if code := s.stop(); code != 0 {
			t.Errorf("serve exits with %d: %s", code, s.logged())
		}
	})
	select {
	case <-s.ready:
	case code := <-ended:
		ended <- code
		t.Fatalf("serve does not serve, exit %d: %s", code, s.logged())
	case <-time.After(time.Minute):
		t.Fatalf("serve is not ready: %s", s.logged())
	}
	return s
}

// storeCommands are the commands that open the store, and what is wanted of each. They run one after the other.
var storeCommands = []struct {
	command string // as it is typed
	stdin   string
	want    string // in what it prints, on either
}{
	{"agents add sup --role supervisor", "sopa verde con nube y tambor\n", "can sign in as sup"},
	{"agents list", "", "supervisor"},
	{"agents password sup", "tambor lento bajo la nube gris\n", "has a new password"},
	{"agents second-factor --reset sup", "", "signs in without a code"},
	{"agents disable sup", "", "cannot sign in any more"},
	{"audit verify", "", "as it was written"},
	{"agents list --json", "", `"state":"disabled"`},
	{"import --json -", importHeader + "\n" + importRow(1, affiliate.Locked), `"imported":1`},
	{"understand --export", "", "step,no era esa,key_weak"},
	{"events list --json", "", "[]"},
	{"store reseal", "", "broken 0\n"},
	{"backup $DIR/b", "", "encrypted no\n"},
	{"breach add - --people 3", "una laptop perdida\n", "until "},
	{"breach list --json", "", `"people":3`},
	{"person export " + bottest.Cedula(1), "", `"status": "locked"`},
	{"person erase -", "1714307103\n", "chats 0\n"},
	{"person erase --json --chat 593991234567", "", `"chats":0`},
	{"report --load -", "Año,Mes,Volumen de Quejas,Volumen de Atenciones\n2025,09,0,80009\n", "months loaded: 1\n"},
	{"report --from 2025-09 --to 2025-09 --format csv", "", "2025,09,0,80009\n"},
	{"purge", "", "complaints 1\n"},
	{"purge --json", "", `"complaints":0`},
}

// storeless are the commands that open no store, with the reason.
var storeless = map[string]string{
	"demo": "it has one of its own", "chat": "it has one of its own", "serve": "it holds the store", "flow": "", "train": "", "version": "", "config": "", "help": "",
	"doctor": "it looks at the store from outside", "health": "it asks the service",
	"restore": "it makes one",
}

// Every command that opens the store works while a service serves from it, on either store.
func TestCommands_onEachStore(t *testing.T) {
	eachStore(t, func(t *testing.T, environ []string) {
		inStore(t, environ, func(s *store.Store) {
			telling := unheard.Telling{Who: "a", Turn: "b", At: time.Now(), Place: "stuck", Said: "no era esa"}
			told := s.Unheard.Tell(t.Context(), telling)
			_, assigned := s.Unheard.Assign(t.Context(), telling.ID(), "key_weak")
			kept := s.Complaints.Insert(t.Context(), store.File{Ref: "Q-1", Topic: "service", Body: "una queja", Made: time.Now().AddDate(-2, 0, 0)})
			if err := errors.Join(told, assigned, kept); err != nil {
				t.Fatal(err)
			}
		})
		dir := t.TempDir()
		for _, c := range storeCommands {
			code, stdout, stderr := run(t, environ, c.stdin, strings.Fields(strings.ReplaceAll(c.command, "$DIR", dir))...)
			if code != 0 || !strings.Contains(stdout+stderr, c.want) {
				t.Errorf("llave %s: exit %d, %q and %q, want %q", c.command, code, stdout, stderr, c.want)
			}
		}
		if rec := stored(t, environ, bottest.Cedula(1)); rec.Status != affiliate.Locked {
			t.Errorf("the record that was imported is %+v", rec)
		}
	})
}

// A new command is in one of the two tables.
func TestCommands_areAllTried(t *testing.T) {
	_, help, _ := run(t, nil, "", "--help")
	_, list, _ := strings.Cut(help, "Available Commands:\n")
	list, _, _ = strings.Cut(list, "\n\n")
	names := regexp.MustCompile(`(?m)^  ([a-z]+) `).FindAllStringSubmatch(list, -1)
	if len(names) < 10 {
		t.Fatalf("the help lists %q", list)
	}
	for _, name := range names {
		_, without := storeless[name[1]]
		tried := slices.ContainsFunc(storeCommands, func(c struct{ command, stdin, want string }) bool { return strings.Fields(c.command)[0] == name[1] })
		if without == tried {
			t.Errorf("llave %s: it opens no store: %t; it is tried on each: %t", name[1], without, tried)
		}
	}
}

// A service that was killed leaves its socket. A command uses the store itself then, and takes the socket away.
func TestCommands_afterADeadService(t *testing.T) {
	dir := t.TempDir()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket.Path(dir), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	if code, _, stderr := run(t, []string{"LLAVE_DATA_DIR=" + dir}, "", "agents", "list"); code != 0 {
		t.Errorf("exit %d, %s", code, stderr)
	}
	if _, err := os.Lstat(socket.Path(dir)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there (%v)", err)
	}
}

// The socket is its owner's alone, is there while the service is, and goes with it (P411).
func TestServe_lendsItsStore(t *testing.T) {
	dir := t.TempDir()
	s := serving(t, []string{"LLAVE_DATA_DIR=" + dir})
	info, err := os.Stat(socket.Path(dir))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket is %v (%v), want 0600", info, err)
	}
	code, _, stderr := run(t, []string{"LLAVE_DATA_DIR=" + dir, "LLAVE_HTTP_ADDR=127.0.0.1:0", "LLAVE_ADMIN_ADDR=127.0.0.1:0", "LLAVE_SMTP_URL=smtp://127.0.0.1:1?tls=none"}, "", "serve")
	if code != 1 || !strings.Contains(stderr, fmt.Sprintf("process %d", os.Getpid())) {
		t.Errorf("a second serve: exit %d, %s, want 1 and the process", code, stderr)
	}
	s.stop()
	if left, _ := filepath.Glob(socket.Path(dir) + "*"); len(left) > 0 {
		t.Errorf("there is still %v", left)
	}
}

// A command of another version changes nothing, and says what to do.
func TestCommands_otherVersion(t *testing.T) {
	dir := t.TempDir()
	serving(t, []string{"LLAVE_DATA_DIR=" + dir})
	was := app.Version
	app.Version = "v9.9.9"
	t.Cleanup(func() { app.Version = was })
	code, _, stderr := run(t, []string{"LLAVE_DATA_DIR=" + dir}, "", "purge")
	if code != 1 || !strings.Contains(stderr, "this is llave v9.9.9") || !strings.Contains(stderr, "start the service again") {
		t.Errorf("exit %d, %s", code, stderr)
	}
}
