package catcher

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"llave/internal/mail/letter"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T, opt Options) *Catcher {
	t.Helper()
	opt.Addr = "127.0.0.1:0"
	c, err := StartWith(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// client speaks SMTP by hand, so that the tests see what is on the wire.
type client struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func dial(t *testing.T, c *Catcher) *client {
	t.Helper()
	conn, err := net.Dial("tcp", c.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	return &client{t, conn, bufio.NewReader(conn)}
}

// answer reads one answer and returns its last line; "" when the connection ended.
func (c *client) answer() string {
	for {
		line, err := c.in.ReadString('\n')
		if errors.Is(err, os.ErrDeadlineExceeded) {
			c.t.Fatal("no answer, and the connection is open")
		}
		if err != nil {
			return ""
		}
		if len(line) < 4 || line[3] != '-' {
			return strings.TrimRight(line, "\r\n")
		}
	}
}

// say sends lines and checks how each is answered.
func (c *client) say(pairs ...string) {
	c.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i] != "" {
			fmt.Fprintf(c.conn, "%s\r\n", pairs[i])
		}
		if got := c.answer(); !strings.HasPrefix(got, pairs[i+1]) || (pairs[i+1] == "" && got != "") {
			c.t.Fatalf("%q was answered %q, want %q", pairs[i], got, pairs[i+1])
		}
	}
}

const body = "From: <llave@example.org>\r\nSubject: hola %d\r\nMessage-ID: <m%d@example.org>\r\n\r\nuno\r\n."

func (c *client) letter(n int, want string) {
	c.t.Helper()
	c.say("MAIL FROM:<llave@example.org>", "250", "RCPT TO:<ana@example.org>", "250", "DATA", "354", fmt.Sprintf(body, n, n), want)
}

func TestCatcher(t *testing.T) {
	now := time.Date(2025, 11, 24, 8, 35, 0, 0, time.UTC)
	c := start(t, Options{Now: func() time.Time { return now }})
	if want := "smtp://" + c.Addr() + "?tls=none"; c.URL() != want {
		t.Errorf("URL is %q, want %q", c.URL(), want)
	}
	if n := len(c.Letters()); n != 0 {
		t.Fatalf("%d letters before one came", n)
	}
	k := dial(t, c)
	k.say("", "220", "EHLO localhost", "250")
	k.letter(1, "250")
	if n := len(c.Letters()); n != 1 {
		t.Fatalf("%d letters after the first, want 1", n)
	}
	k.letter(2, "250")
	k.say("QUIT", "221")
	got := c.Letters()
	if len(got) != 2 {
		t.Fatalf("%d letters, want 2", len(got))
	}
	l := got[1]
	if l.Number != 2 || l.Subject != "hola 2" || l.MessageID != "m2@example.org" || l.To != "ana@example.org" || l.Sender != "llave@example.org" || !l.Received.Equal(now) || l.Text != "uno\n" {
		t.Errorf("got %+v", l)
	}
	got[0].Header["Subject"] = "changed"
	if c.Letters()[0].Header["Subject"] != "hola 1" {
		t.Error("what Letters returns is shared")
	}
}

func TestCatcher_keepsTheLast(t *testing.T) {
	c := start(t, Options{Keep: 3})
	k := dial(t, c)
	k.say("", "220", "EHLO localhost", "250")
	for i := range 5 {
		k.letter(i+1, "250")
	}
	var got []int
	for _, l := range c.Letters() {
		got = append(got, l.Number)
	}
	if want := []int{3, 4, 5}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("kept %v, want %v", got, want)
	}
}

func TestStart_refused(t *testing.T) {
	c := start(t, Options{})
	for _, addr := range []string{"0.0.0.0:0", ":0", "192.0.2.1:25", "localhost", "example.org:25", c.Addr()} {
		if other, err := Start(addr); err == nil {
			other.Close()
			t.Errorf("Start(%q) gives no error", addr)
		}
	}
}

func TestCatcher_unreadableLetter(t *testing.T) {
	c := start(t, Options{})
	k := dial(t, c)
	k.say("", "220", "EHLO localhost", "250", "MAIL FROM:<a@example.org>", "250", "RCPT TO:<b@example.org>", "250",
		"DATA", "354", "Date: mañana\r\n\r\nx\r\n.", "554 5.6.0", "NOOP", "250")
	if n := len(c.Letters()); n != 0 {
		t.Errorf("%d letters kept", n)
	}
}

func TestHooks(t *testing.T) {
	busy := Answer{Code: 450, Enhanced: "4.7.1", Text: "later"}
	tests := []struct {
		name  string
		hooks Hooks
		talk  func(*client)
		kept  int
	}{
		{"greeting refused", Hooks{OnConnect: func() error { return Answer{Code: 554, Text: "no"} }},
			func(k *client) { k.say("", "554 no", "", "") }, 0},
		{"greeting dropped", Hooks{OnConnect: func() error { return ErrDrop }},
			func(k *client) { k.say("", "") }, 0},
		{"hello", Hooks{OnHello: func(name string) error { return Answer{Code: 550, Enhanced: "5.7.1", Text: "not " + name} }},
			func(k *client) { k.say("", "220", "EHLO you", "550 5.7.1 not you") }, 0},
		{"mail", Hooks{OnMail: func(from string) error { return Answer{Code: 550, Enhanced: "5.7.1", Text: from} }},
			func(k *client) {
				k.say("", "220", "EHLO me", "250", "MAIL FROM:<a@example.org>", "550 5.7.1 a@example.org")
			}, 0},
		{"rcpt", Hooks{OnRcpt: func(string) error { return busy }},
			func(k *client) {
				k.say("", "220", "EHLO me", "250", "MAIL FROM:<a@example.org>", "250", "RCPT TO:<b@example.org>", "450 4.7.1 later", "RSET", "250")
			}, 0},
		{"rcpt closing", Hooks{OnRcpt: func(string) error { return Answer{Code: 421, Enhanced: "4.3.2", Text: "closing"} }},
			func(k *client) {
				k.say("", "220", "EHLO me", "250", "MAIL FROM:<a@example.org>", "250", "RCPT TO:<b@example.org>", "421 4.3.2 closing", "", "")
			}, 0},
		{"rcpt beyond ASCII", Hooks{},
			func(k *client) {
				k.say("", "220", "EHLO me", "250", "MAIL FROM:<a@example.org>", "250", "RCPT TO:<muñoz@example.org>", "553 5.6.7",
					"RSET", "250", "MAIL FROM:<a@example.org> SMTPUTF8", "250", "RCPT TO:<muñoz@example.org>", "250")
			}, 0},
		{"mail within mail", Hooks{},
			func(k *client) {
				k.say("", "220", "EHLO me", "250", "MAIL FROM:<>", "250", "MAIL FROM:<a@example.org>", "503 5.5.1", "RSET", "250", "MAIL FROM:<>", "250")
			}, 0},
		{"any error", Hooks{OnMail: func(string) error { return errors.New("disk is full of secrets") }},
			func(k *client) {
				k.say("", "220", "EHLO me", "250", "MAIL FROM:<a@example.org>", "451 4.3.0 Local error")
			}, 0},
		{"data", Hooks{OnData: func(l letter.Letter) error { return Answer{Code: 552, Enhanced: "5.2.2", Text: l.Subject} }},
			func(k *client) { k.say("", "220", "EHLO me", "250"); k.letter(1, "552 5.2.2 hola 1") }, 0},
		{"data dropped", Hooks{OnData: func(letter.Letter) error { return ErrDrop }},
			func(k *client) { k.say("", "220", "EHLO me", "250"); k.letter(1, "") }, 0},
		{"data kept and dropped", Hooks{OnData: func(letter.Letter) error { return ErrKeepDrop }},
			func(k *client) { k.say("", "220", "EHLO me", "250"); k.letter(1, "") }, 1},
		{"auth not offered", Hooks{},
			func(k *client) { k.say("", "220", "EHLO me", "250", "AUTH PLAIN AGEAYg==", "502") }, 0},
		{"auth plain", Hooks{OnAuth: onlyAnaAndClave},
			func(k *client) { k.say("", "220", "EHLO me", "250", "AUTH PLAIN AGFuYQBjbGF2ZQ==", "235") }, 0},
		{"auth login", Hooks{OnAuth: onlyAnaAndClave},
			func(k *client) {
				k.say("", "220", "EHLO me", "250", "AUTH LOGIN", "334 VXNlcm5hbWU6", "YW5h", "334 UGFzc3dvcmQ6", "Y2xhdmU=", "235")
			}, 0},
		{"auth login in one", Hooks{OnAuth: onlyAnaAndClave},
			func(k *client) {
				k.say("", "220", "EHLO me", "250", "AUTH LOGIN YW5h", "334", "Y2xhdmUx", "535 5.7.8 no")
			}, 0},
		{"auth unknown", Hooks{OnAuth: onlyAnaAndClave},
			func(k *client) { k.say("", "220", "EHLO me", "250", "AUTH NTLM", "504") }, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := start(t, Options{Hooks: tt.hooks})
			tt.talk(dial(t, c))
			if n := len(c.Letters()); n != tt.kept {
				t.Errorf("%d letters kept, want %d", n, tt.kept)
			}
		})
	}
}

func onlyAnaAndClave(user, pass string) error {
	if user == "ana" && pass == "clave" {
		return nil
	}
	return Answer{Code: 535, Enhanced: "5.7.8", Text: "no"}
}

// Close cuts whoever is connected, waits for hooks, and may be called twice.
func TestClose(t *testing.T) {
	stop := make(chan struct{})
	c := start(t, Options{Hooks: Hooks{OnMail: func(string) error { <-stop; return nil }}})
	idle, waiting := dial(t, c), dial(t, c)
	idle.say("", "220")
	waiting.say("", "220", "EHLO me", "250")
	fmt.Fprintf(waiting.conn, "MAIL FROM:<a@example.org>\r\n")
	var wg sync.WaitGroup
	wg.Go(func() {
		time.Sleep(20 * time.Millisecond)
		close(stop)
	})
	for range 2 {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
	idle.say("", "")
	if _, err := net.Dial("tcp", c.Addr()); err == nil {
		t.Error("it still listens")
	}
}
