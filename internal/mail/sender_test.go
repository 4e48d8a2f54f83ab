package mail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"llave/bot"
	"llave/internal/bottest"
	"llave/internal/mail/catcher"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const from = "Instituto de Prueba <no-responder@example.org>"

func startSMTP(t testing.TB, opt bottest.SMTPOptions) *bottest.SMTP {
	t.Helper()
	s, err := bottest.StartSMTPWith(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func newSender(t testing.TB, server *bottest.SMTP, opt Options) *Sender {
	t.Helper()
	srv, err := ParseURL(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	opt.Server, opt.From = srv, from
	if opt.RootCAs == nil {
		opt.RootCAs = server.RootCAs()
	}
	s, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func letterTo(to string) Letter {
	return Letter{
		To: to, Subject: "SOLICITUD DESBLOQUEO DE CLAVE", Text: "Línea uno.\n\nhttps://desbloqueo.example.org/una-palabra-secreta\n",
		HTML:      `<p>Línea uno.</p><a href="https://desbloqueo.example.org/una-palabra-secreta">DESBLOQUEO DE CLAVE IESS</a>`,
		MessageID: "derived-1", Date: time.Date(2025, 11, 24, 8, 35, 0, 0, time.FixedZone("", -5*3600)), AutoSubmitted: true,
	}
}

func waitFor(t testing.TB, done func() bool) {
	t.Helper()
	for range 2000 {
		if done() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatal("it did not happen within ten seconds")
}

func TestSend(t *testing.T) {
	server := startSMTP(t, bottest.SMTPOptions{})
	l := letterTo("ana@example.org")
	l.Subject = "Aquí está: «clave» para la señora Muñoz, con un asunto tan largo que no cabe en una línea"
	if err := newSender(t, server, Options{}).Send(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	letters := server.Letters()
	if len(letters) != 1 {
		t.Fatalf("%d letters came, want 1", len(letters))
	}
	got := letters[0]
	for name, pair := range map[string][2]string{
		"sender":      {got.Sender, "no-responder@example.org"},
		"recipient":   {got.To, "ana@example.org"},
		"From":        {got.From, `"Instituto de Prueba" <no-responder@example.org>`},
		"To":          {got.Header["To"], "<ana@example.org>"},
		"subject":     {got.Subject, l.Subject},
		"Message-ID":  {got.MessageID, "derived-1@example.org"},
		"date":        {got.Date.Format(time.RFC3339), "2025-11-24T08:35:00-05:00"},
		"text":        {got.Text, l.Text},
		"HTML":        {got.HTML, l.HTML},
		"link":        {got.Link("DESBLOQUEO DE CLAVE IESS"), "https://desbloqueo.example.org/una-palabra-secreta"},
		"automatic":   {got.Header["Auto-Submitted"], "auto-generated"},
		"no reply":    {got.Header["X-Auto-Response-Suppress"], "All"},
		"language":    {got.Header["Content-Language"], "es"},
		"User-Agent":  {got.Header["User-Agent"], ""},
		"X-Mailer":    {got.Header["X-Mailer"], ""},
		"Return-Path": {got.Header["Return-Receipt-To"], ""},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s is %q, want %q", name, pair[0], pair[1])
		}
	}
	if !strings.HasPrefix(got.Header["Content-Type"], "multipart/alternative") {
		t.Errorf("Content-Type is %q", got.Header["Content-Type"])
	}
	raw := string(got.Raw)
	if text, html := strings.Index(raw, "text/plain"), strings.Index(raw, "text/html"); text < 0 || html < text {
		t.Errorf("the plain text does not come first:\n%s", raw)
	}
	if strings.Count(raw, "quoted-printable") != 2 {
		t.Errorf("not both parts are quoted-printable:\n%s", raw)
	}
	for i, line := range bytes.Split(got.Raw, []byte("\r\n")) {
		if len(line) > 78 || bytes.ContainsFunc(line, func(r rune) bool { return r > 126 || r == '\n' || r == '\r' }) {
			t.Errorf("line %d is longer than 78 or not plain ASCII: %q", i, line)
		}
	}
}

// TestSend_sameLetterSameBytes shows P704.
func TestSend_sameLetterSameBytes(t *testing.T) {
	server := startSMTP(t, bottest.SMTPOptions{})
	for range 2 { // two processes
		if err := newSender(t, server, Options{}).Send(t.Context(), letterTo("ana@example.org")); err != nil {
			t.Fatal(err)
		}
	}
	letters := server.Letters()
	if !bytes.Equal(letters[0].Raw, letters[1].Raw) {
		t.Errorf("the same letter came in two shapes:\n%s\n%s", letters[0].Raw, letters[1].Raw)
	}
}

func TestSend_datesUndated(t *testing.T) {
	server := startSMTP(t, bottest.SMTPOptions{})
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	l := letterTo("ana@example.org")
	l.Date, l.AutoSubmitted, l.HTML = time.Time{}, false, ""
	if err := newSender(t, server, Options{Now: func() time.Time { return now }}).Send(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	got := server.Letters()[0]
	if !got.Date.Equal(now) {
		t.Errorf("date is %v, want %v", got.Date, now)
	}
	if got.Text != l.Text || got.Header["Auto-Submitted"] != "" {
		t.Errorf("got text %q, Auto-Submitted %q", got.Text, got.Header["Auto-Submitted"])
	}
}

func TestNew_nonASCIISender(t *testing.T) {
	server := startSMTP(t, bottest.SMTPOptions{})
	srv, err := ParseURL(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Options{Server: srv, From: "Atención al Público <no-responder@example.org>"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Send(t.Context(), letterTo("ana@example.org")); err != nil {
		t.Fatal(err)
	}
	got := server.Letters()[0]
	if got.From != "Atención al Público <no-responder@example.org>" {
		t.Errorf("From is %q", got.From)
	}
	if bytes.ContainsFunc(got.Raw, func(r rune) bool { return r > 126 }) {
		t.Errorf("the letter is not plain ASCII:\n%s", got.Raw)
	}
}

// A sender that the server cannot say is our trouble; a mailbox that it cannot say is the mailbox's.
func TestSend_nonASCIISenderAddress(t *testing.T) {
	server := startSMTP(t, bottest.SMTPOptions{NoUTF8: true})
	srv, err := ParseURL(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Options{Server: srv, From: "IESS <atención@example.org>"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, to := range []string{"ana@example.org", "muñoz@example.org"} {
		l := letterTo(to)
		l.ReturnPath = "b-x@rebotes.example.org"
		wantFailure(t, s.Send(t.Context(), l), bot.Temporary)
	}
	wantFailure(t, s.Probe(t.Context(), ""), bot.Temporary)
	if s.Trouble().Since.IsZero() {
		t.Error("the operator is told of no trouble")
	}
}

func TestNew_refused(t *testing.T) {
	srv := Server{Host: "localhost", Port: 25, Security: Plain}
	for _, opt := range []Options{
		{Server: srv, From: ""},
		{Server: srv, From: "nobody"},
		{Server: srv, From: "IESS\r\nBcc: ana@example.org <no-responder@localhost>"},
		{Server: srv, From: "a@example.org, b@example.org"},
		{Server: srv, From: "a@example.99"},
		{From: from},
	} {
		if _, err := New(opt); err == nil {
			t.Errorf("New accepts %+v", opt)
		}
	}
}

func TestSend_injectionIsRefused(t *testing.T) {
	server := startSMTP(t, bottest.SMTPOptions{})
	sender := newSender(t, server, Options{})
	for name, change := range map[string]func(*Letter){
		"subject line break":     func(l *Letter) { l.Subject = "Hola\r\nBcc: otra@example.org" },
		"subject bare newline":   func(l *Letter) { l.Subject = "Hola\nBcc: otra@example.org" },
		"subject next line":      func(l *Letter) { l.Subject = "Hola\u0085Bcc: otra@example.org" },
		"empty subject":          func(l *Letter) { l.Subject = "" },
		"recipient line break":   func(l *Letter) { l.To = "ana@example.org\r\nRCPT TO:<otra@example.org>" },
		"two recipients":         func(l *Letter) { l.To = "ana@example.org, otra@example.org" },
		"recipient with options": func(l *Letter) { l.To = "ana@example.org> NOTIFY=NEVER" },
		"recipient with a name":  func(l *Letter) { l.To = "Ana <ana@example.org>" },
		"return path":            func(l *Letter) { l.ReturnPath = "b-x@rebotes.example.99" },
		"return path line break": func(l *Letter) { l.ReturnPath = "b-x@example.org>\r\nRCPT TO:<otra@example.org" },
		"no recipient":           func(l *Letter) { l.To = "" },
		"Message-ID line break":  func(l *Letter) { l.MessageID = "x\r\nBcc: otra" },
		"Message-ID brackets":    func(l *Letter) { l.MessageID = "<x@example.org>" },
		"no Message-ID":          func(l *Letter) { l.MessageID = "" },
		"no text":                func(l *Letter) { l.Text = "" },
	} {
		t.Run(name, func(t *testing.T) {
			l := letterTo("ana@example.org")
			change(&l)
			want := bot.Temporary // no fault of the mailbox: nobody is sent to an office for it
			if l.To != "ana@example.org" {
				want = bot.Permanent
			}
			wantFailure(t, sender.Send(t.Context(), l), want)
		})
	}
	if n := len(server.Attempts()); n != 0 {
		t.Errorf("the server was asked %d times", n)
	}
}

// Dots at the start of a line, long lines and lone carriage returns arrive as they were written.
func TestSend_awkwardText(t *testing.T) {
	server := startSMTP(t, bottest.SMTPOptions{})
	l := letterTo("ana@example.org")
	l.Text = ".\n..\nQUIT\n" + strings.Repeat("á", 2000) + "\n.\n"
	if err := newSender(t, server, Options{}).Send(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	if got := server.Letters()[0].Text; got != l.Text {
		t.Errorf("text came as %q", got)
	}
}

func TestSend_utf8Address(t *testing.T) {
	l := letterTo("muñoz@example.org")
	t.Run("offered", func(t *testing.T) {
		server := startSMTP(t, bottest.SMTPOptions{})
		if err := newSender(t, server, Options{}).Send(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		if got := server.Letters()[0].To; got != l.To {
			t.Errorf("it went to %q", got)
		}
	})
	t.Run("not offered", func(t *testing.T) {
		server := startSMTP(t, bottest.SMTPOptions{NoUTF8: true})
		sender := newSender(t, server, Options{})
		wantFailure(t, sender.Send(t.Context(), l), bot.Permanent)
		if err := sender.Send(t.Context(), letterTo("ana@example.org")); err != nil {
			t.Errorf("and the next letter: %v", err)
		}
		if n := server.Count(bottest.SMTPConnect); n != 1 {
			t.Errorf("%d connections, want 1", n)
		}
	})
}

func TestSend_security(t *testing.T) {
	tests := []struct {
		name string
		opt  bottest.SMTPOptions
	}{
		{"STARTTLS", bottest.SMTPOptions{StartTLS: true}},
		{"STARTTLS with sign-in", bottest.SMTPOptions{StartTLS: true, User: "ana@example.org", Password: "hunter2:/?#@%"}},
		{"TLS", bottest.SMTPOptions{Implicit: true}},
		{"TLS with sign-in", bottest.SMTPOptions{Implicit: true, User: "llave", Password: "hunter2"}},
		{"none", bottest.SMTPOptions{}},
		{"none with sign-in", bottest.SMTPOptions{User: "llave", Password: "hunter2"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := startSMTP(t, tt.opt)
			sender := newSender(t, server, Options{})
			if err := sender.Probe(t.Context(), ""); err != nil {
				t.Fatalf("probe: %v", err)
			}
			if err := sender.Send(t.Context(), letterTo("ana@example.org")); err != nil {
				t.Fatalf("send: %v", err)
			}
			if n := len(server.Letters()); n != 1 {
				t.Errorf("%d letters came, want 1", n)
			}
			if got, want := server.Count(bottest.SMTPAuth), 0; tt.opt.User == "" && got != want {
				t.Errorf("signed in %d times, want %d", got, want)
			}
		})
	}
}

func TestSend_securityRefused(t *testing.T) {
	send := func(t *testing.T, server *bottest.SMTP, url string, opt Options) error {
		t.Helper()
		srv, err := ParseURL(strings.ReplaceAll(url, "ADDR", server.Addr()))
		if err != nil {
			t.Fatal(err)
		}
		opt.Server, opt.From = srv, from
		s, err := New(opt)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if probe := s.Probe(t.Context(), ""); bot.KindOf(probe) != bot.Temporary || probe == nil {
			t.Errorf("probe says %v", probe)
		}
		return s.Send(t.Context(), letterTo("ana@example.org"))
	}
	tests := []struct {
		name, url string
		opt       bottest.SMTPOptions
		trust     bool
		want      string
	}{
		{"STARTTLS not offered", "smtp://ADDR", bottest.SMTPOptions{}, true, "does not offer STARTTLS"},
		{"TLS where there is none", "smtps://ADDR", bottest.SMTPOptions{}, true, "does not speak TLS there"},
		{"STARTTLS, unknown signer", "smtp://ADDR", bottest.SMTPOptions{StartTLS: true}, false, "signed by nobody we know"},
		{"TLS, unknown signer", "smtps://ADDR", bottest.SMTPOptions{Implicit: true}, false, "signed by nobody we know"},
		{"wrong password", "smtps://llave:hunter2@ADDR", bottest.SMTPOptions{Implicit: true, User: "llave", Password: "other"}, true, "AUTH answered 535 5.7.8"},
		{"no sign-in there", "smtps://llave:hunter2@ADDR", bottest.SMTPOptions{Implicit: true}, true, "does not ask for a sign-in"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := startSMTP(t, tt.opt)
			opt := Options{}
			if tt.trust {
				opt.RootCAs = server.RootCAs()
			}
			err := send(t, server, tt.url, opt)
			wantFailure(t, err, bot.Temporary)
			wantWords(t, err, tt.want)
			if n := server.Count(bottest.SMTPMail); n != 0 {
				t.Errorf("a letter was begun %d times", n)
			}
		})
	}
}

// Sign-in is refused for good by some and for now by others; either way no mailbox is to blame.
func TestSend_signInRefused(t *testing.T) {
	server := startSMTP(t, bottest.SMTPOptions{StartTLS: true, User: "llave", Password: "hunter2"})
	sender := newSender(t, server, Options{})
	for _, code := range []int{454, 504, 530, 534, 535, 538, 550} {
		server.Fail(bottest.SMTPAuth, bottest.SMTPFault{Code: code, Enhanced: fmt.Sprintf("%d.7.0", code/100), Text: "no, sorry"})
		wantFailure(t, sender.Send(t.Context(), letterTo("ana@example.org")), bot.Temporary)
	}
	if err := sender.Send(t.Context(), letterTo("ana@example.org")); err != nil {
		t.Error(err)
	}
}

func TestSend_keepsConnections(t *testing.T) {
	server := startSMTP(t, bottest.SMTPOptions{StartTLS: true, User: "llave", Password: "hunter2"})
	sender := newSender(t, server, Options{})
	for range 5 {
		if err := sender.Send(t.Context(), letterTo("ana@example.org")); err != nil {
			t.Fatal(err)
		}
		if err := sender.Probe(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
	}
	// A refusal ends the letter, not the connection.
	server.Fail(bottest.SMTPRcpt, bottest.SMTPFault{Code: 550, Enhanced: "5.1.1"})
	wantFailure(t, sender.Send(t.Context(), letterTo("ana@example.org")), bot.Permanent)
	server.Fail(bottest.SMTPData, bottest.SMTPFault{Code: 451, Enhanced: "4.3.0"})
	wantFailure(t, sender.Send(t.Context(), letterTo("ana@example.org")), bot.Temporary)
	if err := sender.Send(t.Context(), letterTo("ana@example.org")); err != nil {
		t.Fatal(err)
	}
	if n := server.Count(bottest.SMTPConnect); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
	if n := len(server.Letters()); n != 6 {
		t.Errorf("%d letters came, want 6", n)
	}
}

func TestSend_keptConnectionDied(t *testing.T) {
	tests := []struct {
		name string
		die  func(*testing.T, *bottest.SMTP)
	}{
		{"server restarted", func(t *testing.T, s *bottest.SMTP) {
			s.Down()
			if err := s.Up(); err != nil {
				t.Fatal(err)
			}
		}},
		{"421 at MAIL", func(_ *testing.T, s *bottest.SMTP) {
			s.Fail(bottest.SMTPMail, bottest.SMTPFault{Code: 421, Enhanced: "4.4.2"})
		}},
		{"cut at MAIL", func(_ *testing.T, s *bottest.SMTP) { s.Fail(bottest.SMTPMail, bottest.SMTPFault{Drop: true}) }},
		{"cut at RCPT", func(_ *testing.T, s *bottest.SMTP) { s.Fail(bottest.SMTPRcpt, bottest.SMTPFault{Drop: true}) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := startSMTP(t, bottest.SMTPOptions{})
			sender := newSender(t, server, Options{})
			if err := sender.Send(t.Context(), letterTo("ana@example.org")); err != nil {
				t.Fatal(err)
			}
			tt.die(t, server)
			if err := sender.Send(t.Context(), letterTo("ana@example.org")); err != nil {
				t.Fatal(err)
			}
			if n := server.Count(bottest.SMTPConnect); n != 2 {
				t.Errorf("%d connections, want 2", n)
			}
			if n := len(server.Letters()); n != 2 {
				t.Errorf("%d letters came, want 2", n)
			}
		})
	}
	t.Run("and the next dies too", func(t *testing.T) {
		server := startSMTP(t, bottest.SMTPOptions{})
		sender := newSender(t, server, Options{})
		if err := sender.Probe(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		server.FailAlways(bottest.SMTPMail, bottest.SMTPFault{Drop: true})
		wantFailure(t, sender.Send(t.Context(), letterTo("ana@example.org")), bot.Temporary)
		if n := server.Count(bottest.SMTPConnect); n != 2 {
			t.Errorf("%d connections, want 2: one new try, not more", n)
		}
	})
}

// Between the end of DATA and the 250 nobody knows: Send never hands the letter over twice, the caller does, and both
// are one letter to a mailbox that looks at the Message-ID.
func TestSend_cutAfterHandover(t *testing.T) {
	for name, fault := range map[string]bottest.SMTPFault{
		"letter kept": {KeepDrop: true},
		"letter lost": {Drop: true},
	} {
		t.Run(name, func(t *testing.T) {
			server := startSMTP(t, bottest.SMTPOptions{})
			sender := newSender(t, server, Options{})
			if err := sender.Probe(t.Context(), ""); err != nil { // so that the connection is a kept one
				t.Fatal(err)
			}
			server.Fail(bottest.SMTPData, fault)
			err := sender.Send(t.Context(), letterTo("ana@example.org"))
			wantFailure(t, err, bot.Temporary)
			wantWords(t, err, "handover: the connection was lost")
			if n := server.Count(bottest.SMTPData); n != 1 {
				t.Fatalf("the letter was handed over %d times, want 1", n)
			}
			if err := sender.Send(t.Context(), letterTo("ana@example.org")); err != nil {
				t.Fatal(err)
			}
			var first string
			for _, a := range server.Attempts() {
				switch {
				case a.Stage != bottest.SMTPData:
				case first == "":
					first = a.MessageID
				case a.MessageID != first:
					t.Errorf("Message-ID was %q, then %q", first, a.MessageID)
				}
			}
		})
	}
}

func TestSend_greylisted(t *testing.T) {
	server := startSMTP(t, bottest.SMTPOptions{})
	sender := newSender(t, server, Options{})
	server.Greylist(100 * time.Millisecond)
	wantFailure(t, sender.Send(t.Context(), letterTo("ana@example.org")), bot.Temporary)
	waitFor(t, func() bool { return sender.Send(t.Context(), letterTo("ana@example.org")) == nil })
	if n := len(server.LettersTo("ana@example.org")); n != 1 {
		t.Errorf("%d letters came, want 1", n)
	}
}

func TestSend_oneRecipientRefused(t *testing.T) {
	server := startSMTP(t, bottest.SMTPOptions{})
	sender := newSender(t, server, Options{})
	server.RefuseRcpt("ana@example.org", bottest.SMTPFault{Code: 550, Enhanced: "5.1.1", Text: "<ana@example.org>: no such user"})
	wantFailure(t, sender.Send(t.Context(), letterTo("ana@example.org")), bot.Permanent)
	if err := sender.Send(t.Context(), letterTo("luis@example.org")); err != nil {
		t.Error(err)
	}
}

func TestSend_idleConnectionsEnd(t *testing.T) {
	server := startSMTP(t, bottest.SMTPOptions{})
	sender := newSender(t, server, Options{IdleTimeout: 20 * time.Millisecond})
	for range 3 {
		if err := sender.Send(t.Context(), letterTo("ana@example.org")); err != nil {
			t.Fatal(err)
		}
		waitFor(t, func() bool {
			sender.mu.Lock()
			defer sender.mu.Unlock()
			return len(sender.idle) == 0
		})
	}
	if n := server.Count(bottest.SMTPConnect); n != 3 {
		t.Errorf("%d connections, want 3", n)
	}
}

func TestSend_manyAtOnce(t *testing.T) {
	server := startSMTP(t, bottest.SMTPOptions{})
	sender := newSender(t, server, Options{Connections: 4})
	const letters = 200
	var wg sync.WaitGroup
	for i := range letters {
		wg.Go(func() {
			l := letterTo(fmt.Sprintf("persona-%d@example.org", i))
			l.MessageID = fmt.Sprintf("derived-%d", i)
			if err := sender.Send(t.Context(), l); err != nil {
				t.Errorf("letter %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if n := server.Count(bottest.SMTPConnect); n > 4 {
		t.Errorf("%d connections, want 4 at most", n)
	}
	for _, l := range server.Letters() {
		want := regexp.MustCompile(`\d+`).FindString(l.To)
		if l.MessageID != "derived-"+want+"@example.org" || l.Header["To"] != "<"+l.To+">" {
			t.Errorf("the letter of %s went to %s", l.MessageID, l.To)
		}
	}
	if n := len(server.Letters()); n != letters {
		t.Errorf("%d letters came, want %d", n, letters)
	}
}

func TestClose(t *testing.T) {
	server := startSMTP(t, bottest.SMTPOptions{})
	sender := newSender(t, server, Options{})
	if err := sender.Send(t.Context(), letterTo("ana@example.org")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := sender.Close(); err != nil {
			t.Fatal(err)
		}
	}
	err := sender.Send(t.Context(), letterTo("ana@example.org"))
	wantFailure(t, err, bot.Temporary)
	wantWords(t, err, "closed")
}

// A letter under way when Close is called goes through; its connection is not kept.
func TestClose_duringSend(t *testing.T) {
	server := startSMTP(t, bottest.SMTPOptions{})
	server.Slow(bottest.SMTPData, 100*time.Millisecond)
	sender := newSender(t, server, Options{})
	done := make(chan error, 1)
	go func() { done <- sender.Send(context.Background(), letterTo("ana@example.org")) }()
	waitFor(t, func() bool { return server.Count(bottest.SMTPRcpt) == 1 })
	if err := sender.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if len(sender.idle) != 0 {
		t.Error("a connection is kept by a closed sender")
	}
}

// A letter that is no longer ours when the server is ready for it is not handed over, and the connection serves the next.
func TestSend_notOursAnyMore(t *testing.T) {
	server := startSMTP(t, bottest.SMTPOptions{})
	sender := newSender(t, server, Options{})
	lost := errors.New("another has it")
	l := letterTo("ana@example.org")
	l.Still = func() error {
		if server.Count(bottest.SMTPRcpt) == 0 {
			t.Error("asked before the recipient was named: too early")
		}
		return lost
	}
	err := sender.Send(t.Context(), l)
	wantFailure(t, err, bot.Temporary)
	if !errors.Is(err, lost) {
		t.Errorf("got %v, in which %v is not to be found", err, lost)
	}
	l.Still = func() error { return nil }
	if err := sender.Send(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	if c, n := server.Count(bottest.SMTPConnect), len(server.Letters()); c != 1 || n != 1 {
		t.Errorf("%d connections, %d letters; want 1 and 1", c, n)
	}
	if trouble := sender.Trouble(); trouble.Waiting != 0 || !trouble.Since.IsZero() {
		t.Errorf("the server is in trouble: %+v", trouble)
	}
}

func TestProbe_leavesNothing(t *testing.T) {
	server := startSMTP(t, bottest.SMTPOptions{})
	sender := newSender(t, server, Options{})
	for range 3 {
		if err := sender.Probe(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
	}
	if c, r, l := server.Count(bottest.SMTPConnect), server.Count(bottest.SMTPRcpt), len(server.Letters()); c != 1 || r != 0 || l != 0 {
		t.Errorf("%d connections, %d recipients, %d letters; want 1, 0, 0", c, r, l)
	}
	server.FailAlways(bottest.SMTPMail, bottest.SMTPFault{Code: 550, Enhanced: "5.7.1"})
	wantFailure(t, sender.Probe(t.Context(), ""), bot.Temporary)
	server.Down()
	wantFailure(t, sender.Probe(t.Context(), ""), bot.Temporary)
}

func BenchmarkSend(b *testing.B) {
	c, err := catcher.Start("127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	srv, err := ParseURL(c.URL())
	if err != nil {
		b.Fatal(err)
	}
	sender, err := New(Options{Server: srv, From: from})
	if err != nil {
		b.Fatal(err)
	}
	defer sender.Close()
	l, err := newComposer(b, "America/Guayaquil").Compose(Unlock, sample(b, Unlock))
	if err != nil {
		b.Fatal(err)
	}
	l.To, l.MessageID = "ana@example.org", "derived-1"
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := sender.Send(b.Context(), l); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "letters/s")
}
