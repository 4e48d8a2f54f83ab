package mail

import (
	"bytes"
	"io"
	"net"
	"net/mail"
	"regexp"
	"strings"
	"sync"
	"testing"

	"llave/bot"
	"llave/internal/address"
	"llave/internal/affiliate"
	"llave/internal/bottest"

	"pgregory.net/rapid"
)

// tap stands before a mail server and keeps what the client says.
type tap struct {
	ln   net.Listener
	to   string
	wait sync.WaitGroup
	mu   sync.Mutex
	said bytes.Buffer
}

func startTap(t *testing.T, to string) *tap {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &tap{ln: ln, to: to}
	p.wait.Go(func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			p.wait.Go(func() { p.pipe(client) })
		}
	})
	t.Cleanup(func() { ln.Close(); p.wait.Wait() })
	return p
}

func (p *tap) pipe(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	p.wait.Go(func() {
		defer client.Close()
		_, _ = io.Copy(client, server)
	})
	_, _ = io.Copy(io.MultiWriter(p, server), client)
	server.Close()
}

func (p *tap) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.Write(b)
}

// take returns what was said since the last time.
func (p *tap) take() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.said.Reset()
	return p.said.String()
}

// strictAddress is the form of all that may be said: a dot-atom or a plain quoted word of what is seen, and a host's name.
var strictAddress = regexp.MustCompile("^(?:\"[\\p{L}\\p{M}\\p{N}!#$%&'*+/=?^_`{|}~. -]+\"|[\\p{L}\\p{M}\\p{N}!#$%&'*+/=?^_`{|}~.-]+)@[A-Za-z0-9.-]+$")

var commandTo = regexp.MustCompile(`^RCPT TO:<([^\r\n]*)>$`)

// heard takes apart what a client said of one letter: every command on a line of its own, exactly one recipient, and the
// letter's head and body. It is stricter than any server.
func heard(t *rapid.T, said string) (to, head, body string) {
	commands, letter, ok := strings.Cut(said, "\r\nDATA\r\n")
	if !ok {
		t.Fatalf("no DATA: %q", said)
	}
	n := 0
	for line := range strings.SplitSeq(commands, "\r\n") {
		if strings.ContainsAny(line, "\r\n\x00") {
			t.Fatalf("a stray line end in %q", line)
		}
		verb, _, _ := strings.Cut(line, " ")
		switch m := commandTo.FindStringSubmatch(line); {
		case m != nil:
			to, n = m[1], n+1
		case verb != "EHLO" && verb != "MAIL":
			t.Fatalf("command %q", line)
		}
	}
	if n != 1 {
		t.Fatalf("%d recipients: %q", n, commands)
	}
	head, body, ok = strings.Cut(strings.TrimSuffix(letter, "\r\n.\r\n"), "\r\n\r\n")
	if !ok {
		t.Fatalf("no body: %q", letter)
	}
	return to, head, body
}

// anyAddress makes up what may stand in a record: good addresses, good ones with one thing wrong, and anything at all.
func anyAddress() *rapid.Generator[string] {
	local := rapid.OneOf(
		rapid.StringMatching(`[A-Za-z0-9+_'-]{1,12}(\.[A-Za-z0-9+_'-]{1,8}){0,2}`),
		rapid.StringMatching(`"[A-Za-z0-9. +-]{1,12}"`),
		rapid.StringMatching(`[a-zñáü]{1,10}`),
	)
	domain := rapid.OneOf(
		rapid.StringMatching(`[A-Za-z0-9]{1,12}\.(ec|org|com\.ec|Example)`),
		rapid.StringMatching(`[a-zñáéüç]{1,12}\.(ec|org)`),
		rapid.SampledFrom([]string{"localhost", "[192.0.2.1]", "192.0.2.1", "xn--andu-fqa.ec", "ñandu.xn--p1ai"}),
	)
	stray := rapid.SampledFrom([]string{
		"\r\n", "\r", "\n", "\r\nRCPT TO:<otra@example.org>", "\r\nBcc: otra@example.org", "\r\n.\r\n", ",", ", otra@example.org", ";", ":", "<", ">",
		"> NOTIFY=NEVER", " ", "\t", "(x)", `"`, `\`, "@", "..", "\x00", "\x7f", "\u0085", "\u2028", "\u202e", "\u2066", "\u200b", "\ufeff", "\u00ad",
		"\uff0c", "\uff20", "\u3002", "\uff1e", "\xff", "%0d%0a", "=?utf-8?q?=0d=0aBcc:_x?=",
	})
	return rapid.Custom(func(t *rapid.T) string {
		s := local.Draw(t, "local") + "@" + domain.Draw(t, "domain")
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			return rapid.String().Draw(t, "anything")
		case 1:
			at := rapid.IntRange(0, len(s)).Draw(t, "at")
			return s[:at] + stray.Draw(t, "stray") + s[at:]
		}
		return s
	})
}

// TestSend_anyAddress: whatever a record holds, either nothing is said to the server, or one letter goes to exactly that
// address; the letter is byte for byte the one that everybody gets, but for its To. What counts as an address of a record
// can be written to.
func TestSend_anyAddress(t *testing.T) {
	server := startSMTP(t, bottest.SMTPOptions{})
	p := startTap(t, server.Addr())
	srv, err := ParseURL("smtp://" + p.ln.Addr().String() + "?tls=none")
	if err != nil {
		t.Fatal(err)
	}
	send := func(to string) error { // on a connection of its own, so that all that was said is there
		sender, err := New(Options{Server: srv, From: from})
		if err != nil {
			t.Fatal(err)
		}
		err = sender.Send(t.Context(), letterTo(to))
		_ = sender.Close()
		return err
	}
	var usual string
	sent, refused := 0, 0
	check := func(t *rapid.T, to string) {
		err := send(to)
		said := strings.TrimSuffix(p.take(), "QUIT\r\n")
		if err != nil {
			refused++
			if bot.KindOf(err) != bot.Permanent || said != "" {
				t.Fatalf("%q: %v, and %q was said", to, err, said)
			}
			if affiliate.ValidEmail(to) {
				t.Fatalf("%q counts as an address and cannot be written to: %v", to, err)
			}
			return
		}
		sent++
		rcpt, head, _ := heard(t, said)
		if local, domain, _ := strings.Cut(to, "@"); rcpt != to && (rcpt != local+"@"+punycode(domain) || address.IsASCII(domain)) {
			t.Fatalf("%q went to %q", to, rcpt)
		}
		if !strictAddress.MatchString(rcpt) {
			t.Fatalf("%q went to %q", to, rcpt)
		}
		if want := strings.Replace(usual, "\r\nTo: <ana@example.org>\r\n", "\r\nTo: <"+rcpt+">\r\n", 1); head != want {
			t.Fatalf("the head is\n%s\nwant\n%s", head, want)
		}
		m, err := mail.ReadMessage(strings.NewReader(head + "\r\n\r\n"))
		if err != nil {
			t.Fatal(err)
		}
		if list, err := m.Header.AddressList("To"); err != nil || len(list) != 1 || list[0].Name != "" || list[0].Address != strings.ReplaceAll(rcpt, `"`, "") {
			t.Fatalf("To reads as %v, %v; want one: %q", list, err, rcpt)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		if usual == "" {
			if err := send("ana@example.org"); err != nil {
				t.Fatal(err)
			}
			_, usual, _ = heard(t, strings.TrimSuffix(p.take(), "QUIT\r\n"))
		}
		for _, to := range rapid.SliceOfN(anyAddress(), 8, 8).Draw(t, "addresses") {
			check(t, to)
		}
	})
	t.Logf("%d sent, %d refused", sent, refused)
	if sent == 0 || refused == 0 {
		t.Errorf("%d sent, %d refused: the test shows one side only", sent, refused)
	}
}

// punycode is the domain as Wire says it, of an address that needs no care otherwise.
func punycode(domain string) string {
	wire, _ := address.Wire("x@" + domain)
	return strings.TrimPrefix(wire, "x@")
}

// A domain with letters beyond ASCII is reached through a server that has no SMTPUTF8, and asks none that has it.
func TestSend_punycode(t *testing.T) {
	for _, opt := range []bottest.SMTPOptions{{NoUTF8: true}, {}} {
		server := startSMTP(t, opt)
		if err := newSender(t, server, Options{}).Send(t.Context(), letterTo("Ana+iess@ñandu.ec")); err != nil {
			t.Fatal(err)
		}
		got := server.Letters()[0]
		if got.To != "Ana+iess@xn--andu-fqa.ec" || got.Header["To"] != "<Ana+iess@xn--andu-fqa.ec>" {
			t.Errorf("it went to %q, and says %q", got.To, got.Header["To"])
		}
	}
}

// Our own address may have such a domain too.
func TestNew_punycodeSender(t *testing.T) {
	server := startSMTP(t, bottest.SMTPOptions{NoUTF8: true})
	srv, err := ParseURL(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Options{Server: srv, From: "IESS <avisos@ñandu.ec>"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Send(t.Context(), letterTo("ana@example.org")); err != nil {
		t.Fatal(err)
	}
	if got := server.Letters()[0]; got.Sender != "avisos@xn--andu-fqa.ec" || got.MessageID != "derived-1@xn--andu-fqa.ec" {
		t.Errorf("it is from %q with Message-ID %q", got.Sender, got.MessageID)
	}
}
