package bottest

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/smtp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func startSMTP(t *testing.T, opt SMTPOptions) *SMTP {
	t.Helper()
	s, err := StartSMTPWith(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// post sends a letter with the standard library's client.
func post(s *SMTP, to string) error {
	return smtp.SendMail(s.Addr(), nil, "llave@example.org", []string{to},
		[]byte("From: <llave@example.org>\r\nSubject: hola\r\nMessage-ID: <m@example.org>\r\n\r\nuno\r\n"))
}

func TestSMTP_recordsOverDownAndUp(t *testing.T) {
	s := startSMTP(t, SMTPOptions{})
	addr := s.Addr()
	if err := post(s, "ana@example.org"); err != nil {
		t.Fatal(err)
	}
	s.Down()
	s.Down()
	if err := post(s, "ana@example.org"); err == nil {
		t.Error("a server that is down takes letters")
	}
	for range 2 {
		if err := s.Up(); err != nil {
			t.Fatal(err)
		}
	}
	if s.Addr() != addr {
		t.Errorf("it moved from %s to %s", addr, s.Addr())
	}
	if err := post(s, "luis@example.org"); err != nil {
		t.Fatal(err)
	}
	letters := s.Letters()
	if len(letters) != 2 || letters[1].Number != 2 || len(s.LettersTo("luis@example.org")) != 1 {
		t.Errorf("kept %+v", letters)
	}
	if got := s.Count(SMTPData); got != 2 {
		t.Errorf("%d letters were tried, want 2", got)
	}
}

func TestSMTP_rude(t *testing.T) {
	s := startSMTP(t, SMTPOptions{})
	s.RefuseRcpt("nadie@example.org", SMTPFault{Code: 550, Enhanced: "5.1.1", Text: "no such user"})
	s.Fail(SMTPRcpt, SMTPFault{Code: 451, Enhanced: "4.3.0", Text: "not now"}, SMTPFault{})
	s.Fail(SMTPData, SMTPFault{KeepDrop: true})
	for i, want := range []string{`451 "4.3.0 not now"`, "EOF", `550 "5.1.1 no such user"`} {
		to := "ana@example.org"
		if i == 2 {
			to = "nadie@example.org"
		}
		if err := post(s, to); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("letter %d: error is %v, want %q", i+1, err, want)
		}
	}
	if n := len(s.Letters()); n != 1 {
		t.Errorf("%d letters kept, want the one that was never answered", n)
	}
	s.FailAlways(SMTPMail, SMTPFault{Code: 421, Enhanced: "4.3.2", Text: "closing"})
	for range 2 {
		if err := post(s, "ana@example.org"); err == nil || !strings.Contains(err.Error(), `421 "4.3.2 closing"`) {
			t.Errorf("error is %v, want 421", err)
		}
	}
	s.Heal()
	for _, to := range []string{"ana@example.org", "nadie@example.org"} {
		if err := post(s, to); err != nil {
			t.Errorf("healed, and: %v", err)
		}
	}
}

func TestSMTP_greylist(t *testing.T) {
	s := startSMTP(t, SMTPOptions{})
	s.Greylist(50 * time.Millisecond)
	if err := post(s, "ana@example.org"); err == nil || !strings.HasPrefix(err.Error(), "450") {
		t.Errorf("error is %v, want 450", err)
	}
	time.Sleep(60 * time.Millisecond)
	if err := post(s, "ana@example.org"); err != nil {
		t.Error(err)
	}
}

// Down wakes an answer that is being waited for.
func TestSMTP_slow(t *testing.T) {
	s := startSMTP(t, SMTPOptions{})
	s.Slow(SMTPData, time.Hour)
	done := make(chan error, 1)
	go func() { done <- post(s, "ana@example.org") }()
	for s.Count(SMTPRcpt) == 0 {
		time.Sleep(time.Millisecond)
	}
	s.Down()
	if err := <-done; err == nil {
		t.Error("the letter was answered")
	}
	if n := len(s.Letters()); n != 0 {
		t.Errorf("%d letters kept", n)
	}
}

func TestSMTP_waitLetter(t *testing.T) {
	s := startSMTP(t, SMTPOptions{})
	done := make(chan error, 1)
	go func() { done <- errors.Join(post(s, "luis@example.org"), post(s, "ana@example.org")) }()
	l, err := s.WaitLetter(t.Context(), "ana@example.org", 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if l.Number != 2 || l.Subject != "hola" {
		t.Errorf("got %+v", l)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := s.WaitLetter(ctx, "ana@example.org", l.Number); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error is %v, want the context's", err)
	}
}

func TestSMTP_security(t *testing.T) {
	tests := []struct {
		opt  SMTPOptions
		want string
	}{
		{SMTPOptions{}, "smtp://ADDR?tls=none"},
		{SMTPOptions{StartTLS: true}, "smtp://ADDR"},
		{SMTPOptions{Implicit: true, User: "ana", Password: "a/b"}, "smtps://ana:a%2Fb@ADDR"},
	}
	for _, tt := range tests {
		s := startSMTP(t, tt.opt)
		if want := strings.ReplaceAll(tt.want, "ADDR", s.Addr()); s.URL() != want {
			t.Errorf("URL is %s, want %s", s.URL(), want)
		}
		if (s.RootCAs() != nil) != (tt.opt.StartTLS || tt.opt.Implicit) || (s.CAPEM() != nil) != (s.RootCAs() != nil) {
			t.Errorf("%+v: certificates are missing, or there without need", tt.opt)
		}
	}
	s := startSMTP(t, SMTPOptions{Implicit: true, User: "ana", Password: "clave"})
	conn, err := tls.Dial("tcp", s.Addr(), &tls.Config{RootCAs: s.RootCAs(), ServerName: "127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	host, _, err := net.SplitHostPort(s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	c, err := smtp.NewClient(conn, host)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Auth(smtp.PlainAuth("", "ana", "otra", host)); err == nil || !strings.HasPrefix(err.Error(), "535") {
		t.Errorf("a wrong password gives %v, want 535", err)
	}
}
