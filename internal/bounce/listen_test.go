package bounce_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"go.uber.org/goleak"

	"llave/internal/bounce"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const given = "b-given@rebotes.example.org"

// taker keeps what a listener has taken, and can be told to fail.
type taker struct {
	mu    sync.Mutex
	took  []bounce.Report
	fails bool
}

func (k *taker) take(_ context.Context, _ string, r bounce.Report) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fails {
		return errors.New("the store is away")
	}
	k.took = append(k.took, r)
	return nil
}

func (k *taker) kinds() (kinds []bounce.Kind) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, r := range k.took {
		kinds = append(kinds, r.Kind)
	}
	return kinds
}

// listen starts a listener that knows one address.
func listen(t *testing.T, o bounce.Options) (*bounce.Listener, *taker) {
	t.Helper()
	k := &taker{}
	o.Domain, o.Take = "rebotes.example.org", k.take
	o.Known = func(local string) bool { return strings.EqualFold(local, "b-given") }
	if o.Network == "" {
		o.Network, o.Addr = "tcp", "127.0.0.1:0"
	}
	l, err := bounce.Listen(o)
	if err != nil {
		t.Fatal(err)
	}
	l.Start()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := l.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return l, k
}

// dialogue says lines and returns the code of each answer, that of the greeting first; "" where the connection ended.
func dialogue(t *testing.T, addr string, lines ...string) (codes []string) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	r := bufio.NewReader(c)
	answer := func() string {
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return ""
			}
			if len(line) > 3 && line[3] == ' ' {
				return line[:3]
			}
		}
	}
	codes = append(codes, answer())
	for _, line := range lines {
		fmt.Fprintf(c, "%s\r\n", line)
		codes = append(codes, answer())
	}
	return codes
}

// It takes mail for addresses that were given out, and for nobody else's: it is no relay, tells no users, signs nobody in.
func TestListener_takesItsOwnAlone(t *testing.T) {
	l, k := listen(t, bounce.Options{})
	for _, tc := range []struct {
		lines []string
		want  string
	}{
		{[]string{"EHLO mx", "MAIL FROM:<>", "RCPT TO:<B-GIVEN@Rebotes.Example.ORG>", "DATA", "From: a\r\n\r\nx\r\n."}, "220 250 250 250 354 250"},
		{[]string{"EHLO mx", "MAIL FROM:<a@example.net>", "RCPT TO:<persona@example.net>", "DATA"}, "220 250 250 550 502"},
		{[]string{"EHLO mx", "MAIL FROM:<>", "RCPT TO:<persona@rebotes.example.org>"}, "220 250 250 550"},
		{[]string{"EHLO mx", "MAIL FROM:<>", "RCPT TO:<b-given@rebotes.example.org.example.net>"}, "220 250 250 550"},
		{[]string{"EHLO mx", "MAIL FROM:<>", "RCPT TO:<b-given%rebotes.example.org@example.net>"}, "220 250 250 550"},
		{[]string{"EHLO mx", "MAIL FROM:<>", "RCPT TO:<\"b-given@rebotes.example.org\"@example.net>"}, "220 250 250 550"},
		{[]string{"EHLO mx", "MAIL FROM:<>", "RCPT TO:<b-forged@rebotes.example.org>"}, "220 250 250 550"},
		{[]string{"EHLO mx", "MAIL FROM:<>", "RCPT TO:<" + given + ">", "RCPT TO:<" + given + ">"}, "220 250 250 250 452"},
		{[]string{"EHLO mx", "AUTH PLAIN AGEAYg=="}, "220 250 523"},
		{[]string{"EHLO mx", "STARTTLS", "VRFY persona", "EXPN all", "HELP"}, "220 250 502 252 502 502"},
		{[]string{"DATA", "RCPT TO:<" + given + ">", "MAIL FROM:<>"}, "220 502 502 502"},
		{[]string{"EHLO mx", "MAIL FROM:<> SIZE=2000000"}, "220 250 552"},
		{[]string{"\x00\xff\xfe", "GET / HTTP/1.1", "Host: x"}, "220 501 501 501"},
		{[]string{strings.Repeat("x", 20<<10)}, "220 500"},
	} {
		if got := strings.Join(dialogue(t, l.Addr(), tc.lines...), " "); got != tc.want {
			t.Errorf("%.200q: got %s, want %s", tc.lines, got, tc.want)
		}
	}
	if got := k.kinds(); len(got) != 1 {
		t.Errorf("%d mails were taken, want the first alone", len(got))
	}
}

// send mails to the given address with go-smtp's own client.
func send(t *testing.T, network, addr string, lmtp bool, raw []byte) error {
	t.Helper()
	raw2, err := net.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	c := smtp.NewClient(raw2)
	if lmtp {
		c = smtp.NewClientLMTP(raw2)
	}
	defer c.Close()
	if err := c.Mail("", nil); err != nil {
		return err
	}
	if err := c.Rcpt(given, nil); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(raw); err != nil {
		return err
	}
	return w.Close()
}

// The same over both protocols, and over a socket that a dead process left behind.
func TestListener_wires(t *testing.T) {
	dir, err := os.MkdirTemp("", "llave") //nolint:usetesting // a socket's path has room for 100 bytes, and t.TempDir is longer
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "lmtp")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	dead.Close()
	for name, o := range map[string]bounce.Options{
		"SMTP":           {},
		"LMTP":           {LMTP: true},
		"LMTP by socket": {LMTP: true, Network: "unix", Addr: socket},
	} {
		t.Run(name, func(t *testing.T) {
			l, k := listen(t, o)
			network := "tcp"
			if o.Network != "" {
				network = o.Network
				if _, err := bounce.Listen(o); err == nil {
					t.Error("a second listener took the socket of one that lives")
				}
			}
			if err := send(t, network, l.Addr(), o.LMTP, reports(t)["qmail"]); err != nil {
				t.Fatal(err)
			}
			if got := k.kinds(); len(got) != 1 || got[0] != bounce.Failed {
				t.Errorf("took %v, want one that failed", got)
			}
			k.fails = true
			var said *smtp.SMTPError
			if err := send(t, network, l.Addr(), o.LMTP, reports(t)["qmail"]); !errors.As(err, &said) || said.Code != 451 {
				t.Errorf("while nothing can be written: got %v, want 451, so that it comes again", err)
			}
		})
	}
}

// Bytes of any kind end in an answer: too many in 552, a line that does not end in an error, anything else in 250.
func TestListener_bodies(t *testing.T) {
	l, k := listen(t, bounce.Options{})
	var said *smtp.SMTPError
	if err := send(t, "tcp", l.Addr(), false, bytes.Repeat([]byte("0123456789abcdef\r\n"), 1<<20/18+1)); !errors.As(err, &said) || said.Code != 552 {
		t.Errorf("a mail of more than 1 MiB: got %v, want 552", err)
	}
	if err := send(t, "tcp", l.Addr(), false, bytes.Repeat([]byte("x"), 100<<10)); err == nil {
		t.Error("a line of 100 KiB was taken")
	}
	if n := len(k.kinds()); n > 0 {
		t.Errorf("%d of them were taken", n)
	}
	if err := send(t, "tcp", l.Addr(), false, []byte("\x00\xff\r\n\r\n--\xfe")); err != nil {
		t.Errorf("garbage: got %v, want that it is taken and forgotten", err)
	}
	if got := k.kinds(); len(got) != 1 || got[0] != bounce.Reply {
		t.Errorf("garbage: took %v", got)
	}
}

// Who says nothing, or a byte now and then, is cut, in a command and in a mail.
func TestListener_slow(t *testing.T) {
	l, k := listen(t, bounce.Options{ReadTimeout: 300 * time.Millisecond})
	for _, begin := range []string{"", "EHLO mx\r\nMAIL FROM:<>\r\nRCPT TO:<" + given + ">\r\nDATA\r\n"} {
		c, err := net.Dial("tcp", l.Addr())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(c, begin)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_, _ = bufio.NewReader(c).WriteTo(&bytes.Buffer{})
		}()
		for cut := false; !cut; {
			select {
			case <-ended:
				cut = true
			case <-time.After(50 * time.Millisecond):
				_, _ = c.Write([]byte("x"))
			}
		}
		c.Close()
	}
	if n := len(k.kinds()); n > 0 {
		t.Errorf("%d mails were taken", n)
	}
}

// More than 32 at once are told to come again, and find room when others have gone.
func TestListener_many(t *testing.T) {
	l, _ := listen(t, bounce.Options{})
	var open []net.Conn
	for i := range 33 {
		c, err := net.Dial("tcp", l.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		open = append(open, c)
		line, err := bufio.NewReader(c).ReadString('\n')
		if want := map[bool]string{true: "220", false: "421"}[i < 32]; err != nil || !strings.HasPrefix(line, want) {
			t.Fatalf("connection %d: got %q, %v, want %s", i, line, err, want)
		}
	}
	open[0].Close()
	for range 100 {
		if codes := dialogue(t, l.Addr()); codes[0] == "220" {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Error("nobody found room after one had gone")
}
