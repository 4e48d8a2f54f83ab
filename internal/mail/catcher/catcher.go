// Package catcher is a real SMTP server that keeps the last 200 letters in memory. It listens on loopback only.
//
// `demo` and `chat` use it as the mailbox of their people, so that letters go over the same protocol as in production.
// Tests use it through its hooks, as a server that can be slow, fail or be gone. internal/bounce is the other package that uses go-smtp.
package catcher

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"llave/internal/mail/conns"
	"llave/internal/mail/letter"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Keep is how many letters are kept unless the options say otherwise.
const Keep = 200

// maxBytes is how long a letter may be.
const maxBytes = 4 << 20

// Answer is an error that a hook returns to have the server say exactly this. After a 421 the connection is closed, as
// RFC 5321 section 3.8 wants it.
type Answer struct {
	Code     int
	Enhanced string // "5.1.1"; empty leaves it out
	Text     string
}

// Error is the answer as the client reads it: a hook returns one to have it given.
func (a Answer) Error() string { return fmt.Sprintf("%d %s %s", a.Code, a.Enhanced, a.Text) }

// What a hook returns to have the connection closed without an answer.
var (
	ErrDrop     = errors.New("drop the connection")                       // nothing is kept
	ErrKeepDrop = errors.New("keep the letter, then drop the connection") // OnData only: accepted, never said so
)

// Hooks are called while the server serves, on the goroutine of the connection; each may sleep, and Close waits for it
// to wake. A nil hook agrees to everything. Any error that is neither an Answer nor one of the drops is a 451.
type Hooks struct {
	OnConnect func() error                  // before the greeting; with implicit TLS an Answer can only drop
	OnHello   func(name string) error       // EHLO or HELO
	OnAuth    func(user, pass string) error // offered only when set
	OnMail    func(from string) error
	OnRcpt    func(to string) error
	OnData    func(l letter.Letter) error // the whole letter has been read, nothing was answered
}

// Options say how the server behaves. The zero value is what Start uses.
type Options struct {
	Addr         string // loopback host:port; port 0 picks one
	Keep         int    // letters kept; 0 is the constant Keep
	TLS          *tls.Config
	Implicit     bool // TLS from the first byte instead of STARTTLS
	NoSMTPUTF8   bool // do not offer SMTPUTF8
	Hooks        Hooks
	Now          func() time.Time
	OnLetterKept func(letter.Letter) // called in order for each letter kept, before it is answered
}

// Catcher is a running server. Close it.
type Catcher struct {
	opt    Options
	server *smtp.Server
	ln     *listener
	served chan struct{}

	mu      sync.Mutex
	letters []letter.Letter
	count   int
}

// Start listens on [addr], which must be a loopback address; port 0 picks a free one.
func Start(addr string) (*Catcher, error) { return StartWith(Options{Addr: addr}) }

// StartWith is Start with every option.
func StartWith(opt Options) (*Catcher, error) {
	if err := checkLoopback(opt.Addr); err != nil {
		return nil, err
	}
	if opt.Keep <= 0 {
		opt.Keep = Keep
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	ln, err := net.Listen("tcp", opt.Addr)
	if err != nil {
		return nil, fmt.Errorf("start mail catcher: %w", err)
	}
	c := &Catcher{opt: opt, served: make(chan struct{})}
	c.ln = &listener{conns.New(ln), opt.Hooks.OnConnect}
	c.server = smtp.NewServer(smtp.BackendFunc(func(sc *smtp.Conn) (smtp.Session, error) {
		s := &session{catcher: c, conn: sc}
		if hook := opt.Hooks.OnHello; hook != nil {
			if err := hook(sc.Hostname()); err != nil {
				return nil, s.answer(err)
			}
		}
		return s, nil
	}))
	c.server.Domain = "localhost"
	c.server.MaxMessageBytes = maxBytes
	c.server.AllowInsecureAuth = opt.TLS == nil
	c.server.EnableSMTPUTF8 = !opt.NoSMTPUTF8
	c.server.ReadTimeout = 2 * time.Minute
	c.server.WriteTimeout = 10 * time.Second
	c.server.ErrorLog = log.New(io.Discard, "", 0) // clients of a mailbox in memory come and go as they like
	var accept net.Listener = c.ln
	if opt.Implicit {
		accept = tls.NewListener(c.ln, opt.TLS)
	} else {
		c.server.TLSConfig = opt.TLS
	}
	go func() {
		defer close(c.served)
		_ = c.server.Serve(accept) // ends when Close closes the listener
	}()
	return c, nil
}

func checkLoopback(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("start mail catcher: %w", err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("start mail catcher: it listens on loopback only, not on %q", host)
	}
	return nil
}

// Addr is where the server listens.
func (c *Catcher) Addr() string { return c.ln.Addr().String() }

// URL is the value of LLAVE_SMTP_URL that leads here. It is right for a server without TLS and sign-in.
func (c *Catcher) URL() string { return "smtp://" + c.Addr() + "?tls=none" }

// Letters returns the letters kept, newest last.
func (c *Catcher) Letters() []letter.Letter {
	c.mu.Lock()
	defer c.mu.Unlock()
	letters := make([]letter.Letter, len(c.letters))
	for i, l := range c.letters {
		letters[i] = l.Clone()
	}
	return letters
}

// Close stops listening, cuts every connection and waits for all of them. Letters remain readable.
func (c *Catcher) Close() error {
	err := c.ln.Close()
	<-c.served
	c.ln.Cut()
	// Nothing is accepted any more and every connection is cut, so this waits for hooks alone.
	if serr := c.server.Shutdown(context.Background()); err == nil && !errors.Is(serr, smtp.ErrServerClosed) {
		err = serr
	}
	return err
}

func (c *Catcher) keep(l letter.Letter) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count++
	l.Number = c.count
	c.letters = append(c.letters, l)
	if extra := len(c.letters) - c.opt.Keep; extra > 0 {
		c.letters = slices.Delete(c.letters, 0, extra)
	}
	if c.opt.OnLetterKept != nil {
		c.opt.OnLetterKept(l)
	}
}

// session is one client's dialogue.
type session struct {
	catcher *Catcher
	conn    *smtp.Conn
	from    string
	begun   bool // MAIL was taken
	utf8    bool
	to      []string
}

var _ smtp.AuthSession = (*session)(nil)

func (s *session) Reset()        { s.from, s.begun, s.utf8, s.to = "", false, false, nil }
func (s *session) Logout() error { return nil }

func (s *session) Mail(from string, opts *smtp.MailOptions) error {
	if s.begun { // go-smtp would mix the two letters' recipients
		return s.answer(Answer{Code: 503, Enhanced: "5.5.1", Text: "A letter is under way: RSET first"})
	}
	if hook := s.catcher.opt.Hooks.OnMail; hook != nil {
		if err := hook(from); err != nil {
			return s.answer(err)
		}
	}
	s.from, s.begun, s.utf8 = from, true, opts.UTF8
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if !s.utf8 && strings.ContainsFunc(to, func(r rune) bool { return r > unicode.MaxASCII }) {
		return s.answer(Answer{Code: 553, Enhanced: "5.6.7", Text: "SMTPUTF8 was not asked for"}) // RFC 6531 section 3.5
	}
	if hook := s.catcher.opt.Hooks.OnRcpt; hook != nil {
		if err := hook(to); err != nil {
			return s.answer(err)
		}
	}
	s.to = append(s.to, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	l, err := letter.Parse(raw)
	if err != nil {
		return s.answer(Answer{Code: 554, Enhanced: "5.6.0", Text: "The letter cannot be read"})
	}
	l.Sender, l.To, l.Received = s.from, strings.Join(s.to, ", "), s.catcher.opt.Now()
	if hook := s.catcher.opt.Hooks.OnData; hook != nil {
		err = hook(l)
	}
	if err == nil || errors.Is(err, ErrKeepDrop) {
		s.catcher.keep(l)
	}
	return s.answer(err)
}

// AuthMechanisms offers PLAIN and LOGIN when sign-in is wanted.
func (s *session) AuthMechanisms() []string {
	if s.catcher.opt.Hooks.OnAuth == nil {
		return nil
	}
	return []string{sasl.Plain, sasl.Login}
}

func (s *session) Auth(mechanism string) (sasl.Server, error) {
	check := func(user, pass string) error {
		if err := s.catcher.opt.Hooks.OnAuth(user, pass); err != nil {
			return s.answer(err)
		}
		return nil
	}
	switch {
	case s.catcher.opt.Hooks.OnAuth == nil:
		return nil, smtp.ErrAuthUnsupported
	case mechanism == sasl.Plain:
		return sasl.NewPlainServer(func(_, user, pass string) error { return check(user, pass) }), nil
	case mechanism == sasl.Login:
		return &loginServer{check: check}, nil
	}
	return nil, smtp.ErrAuthUnknownMechanism
}

// loginServer is the server's side of the LOGIN mechanism, which go-sasl has for clients only.
type loginServer struct {
	check func(user, pass string) error
	step  int
	user  string
}

func (l *loginServer) Next(response []byte) (challenge []byte, done bool, err error) {
	if response == nil && l.step == 0 {
		return []byte("Username:"), false, nil
	}
	l.step++
	if l.step == 1 {
		l.user = string(response)
		return []byte("Password:"), false, nil
	}
	return nil, true, l.check(l.user, string(response))
}

// answer turns what a hook returned into what go-smtp says.
func (s *session) answer(err error) error {
	var a Answer
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrDrop), errors.Is(err, ErrKeepDrop):
		s.conn.Conn().Close()
		return smtp.ErrServerClosed
	case !errors.As(err, &a):
		a = Answer{Code: 451, Enhanced: "4.3.0", Text: "Local error in processing"}
	}
	if a.Code == 421 {
		fmt.Fprintf(s.conn.Conn(), "%s\r\n", strings.Join(strings.Fields(a.Error()), " "))
		s.conn.Conn().Close()
		return smtp.ErrServerClosed
	}
	return &smtp.SMTPError{Code: a.Code, EnhancedCode: a.enhanced(), Message: a.Text}
}

func (a Answer) enhanced() smtp.EnhancedCode {
	var e smtp.EnhancedCode
	if n, _ := fmt.Sscanf(a.Enhanced, "%d.%d.%d", &e[0], &e[1], &e[2]); n != len(e) {
		return smtp.NoEnhancedCode
	}
	return e
}

// listener has its connections greet by a hook, and knows them, so that Close can cut them.
type listener struct {
	*conns.Listener
	onConnect func() error
}

func (l *listener) Accept() (net.Conn, error) {
	raw, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if !l.Keep(raw, 0) {
		raw.Close()
		return nil, net.ErrClosed
	}
	return &conn{Conn: raw, listener: l}, nil
}

// conn is one connection. The first thing a server writes is its greeting, so that is when OnConnect is asked.
type conn struct {
	net.Conn
	listener *listener
	greet    sync.Once
	refused  error
}

func (c *conn) Write(p []byte) (int, error) {
	c.greet.Do(c.connected)
	if c.refused != nil {
		return 0, c.refused
	}
	return c.Conn.Write(p)
}

func (c *conn) connected() {
	if c.listener.onConnect == nil {
		return
	}
	if c.refused = c.listener.onConnect(); c.refused == nil {
		return
	}
	var a Answer
	if errors.As(c.refused, &a) {
		fmt.Fprintf(c.Conn, "%s\r\n", strings.Join(strings.Fields(a.Error()), " "))
	}
	c.Conn.Close()
}

func (c *conn) Close() error {
	c.listener.Drop(c.Conn)
	return c.Conn.Close()
}
