package socket_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.uber.org/goleak"

	"llave/internal/store"
	"llave/internal/store/bolt"
	"llave/internal/store/socket"
	"llave/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func held(t testing.TB, dir string) *socket.Holder {
	t.Helper()
	h, err := socket.Listen(dir, "1", storetest.Bolt(t, nil))
	must(t, err)
	t.Cleanup(func() { h.Close() })
	return h
}

func dial(t testing.TB, dir string) *socket.Engine {
	t.Helper()
	e, err := socket.Dial(t.Context(), dir, "1")
	must(t, err)
	t.Cleanup(func() { e.Close() })
	return e
}

// A lent store does all that its own engine does.
func TestEngine(t *testing.T) {
	storetest.Run(t, func(t testing.TB) store.Engine {
		dir := t.TempDir()
		held(t, dir)
		return dial(t, dir)
	})
}

func TestListen_isItsOwnersAlone(t *testing.T) {
	dir := t.TempDir()
	h := held(t, dir)
	info, err := os.Stat(socket.Path(dir))
	must(t, err)
	if got := info.Mode(); got.Perm() != 0o600 || got&os.ModeSocket == 0 {
		t.Errorf("the socket's mode is %v, want a socket with 0600", got)
	}
	must(t, h.Close())
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 {
		t.Errorf("closing leaves %v, want nothing", left)
	}
}

// A process that was killed leaves its socket, and perhaps a folder.
func TestListen_replacesADeadOnes(t *testing.T) {
	dir := t.TempDir()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket.Path(dir), Net: "unix"})
	must(t, err)
	l.SetUnlinkOnClose(false)
	must(t, l.Close())
	must(t, os.Mkdir(socket.Path(dir)+".123", 0o700))
	if _, err := socket.Dial(t.Context(), dir, "1"); !errors.Is(err, socket.ErrNobody) {
		t.Errorf("a dead one's socket: got %v, want %v", err, socket.ErrNobody)
	}
	held(t, dir)
	must(t, dial(t, dir).Ping(t.Context()))
	if left, _ := filepath.Glob(socket.Path(dir) + ".*"); len(left) > 0 {
		t.Errorf("there is still %v", left)
	}
}

func TestDial_nobody(t *testing.T) {
	for _, dir := range []string{t.TempDir(), filepath.Join(t.TempDir(), "not there")} {
		if _, err := socket.Dial(t.Context(), dir, "1"); !errors.Is(err, socket.ErrNobody) {
			t.Errorf("got %v, want %v", err, socket.ErrNobody)
		}
	}
}

// A process that is stopped has the socket, and answers nobody.
func TestDial_stuck(t *testing.T) {
	dir := t.TempDir()
	l, err := net.Listen("unix", socket.Path(dir))
	must(t, err)
	defer l.Close()
	was := socket.AnswersWithin(50 * time.Millisecond)
	defer socket.AnswersWithin(was)
	if _, err := socket.Dial(t.Context(), dir, "1"); !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("got %v, want %v, and that it does not answer", err, store.ErrUnavailable)
	}
}

func TestDial_otherVersion(t *testing.T) {
	dir := t.TempDir()
	held(t, dir)
	_, err := socket.Dial(t.Context(), dir, "2")
	if !errors.Is(err, socket.ErrVersion) || !strings.Contains(err.Error(), "llave 1") || !strings.Contains(err.Error(), "llave 2") {
		t.Errorf("got %v, want %v with both versions", err, socket.ErrVersion)
	}
}

// The path of a socket may have some hundred bytes, that of a folder more.
func TestListen_longPath(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("largo", 20), strings.Repeat("largo", 20))
	must(t, os.MkdirAll(dir, 0o700))
	held(t, dir)
	must(t, dial(t, dir).Ping(t.Context()))
}

func TestEngine_holderStops(t *testing.T) {
	dir := t.TempDir()
	h := held(t, dir)
	e := dial(t, dir)
	raw, err := bson.Marshal(bson.D{{Key: "_id", Value: "a"}})
	must(t, err)
	must(t, e.Insert(t.Context(), store.Cases, raw))
	must(t, h.Close())
	if err := e.Insert(t.Context(), store.Cases, raw); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("got %v, want %v", err, store.ErrUnavailable)
	}
}

// What the holder's engine says is told apart on the other side, with its words.
func TestEngine_errors(t *testing.T) {
	dir := t.TempDir()
	b, err := bolt.Open(t.Context(), bolt.Options{Dir: dir, NoSync: true})
	must(t, err)
	h, err := socket.Listen(dir, "1", b)
	must(t, err)
	t.Cleanup(func() { h.Close() })
	e := dial(t, dir)
	must(t, b.Close())
	if err := e.Ping(t.Context()); !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "it is closed") {
		t.Errorf("got %v, want %v: it is closed", err, store.ErrUnavailable)
	}
}
