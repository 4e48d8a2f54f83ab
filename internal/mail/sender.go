package mail

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/mail"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"llave/bot"
	"llave/internal/address"

	"github.com/wneessen/go-mail/smtp"
)

// How a Sender behaves unless its options say otherwise.
const (
	DialTimeout = 10 * time.Second // up to a finished EHLO, TLS and AUTH
	SendTimeout = 30 * time.Second // the whole of one Send
	IdleTimeout = 15 * time.Second // how long an unused connection is kept
	uses        = 100              // dialogues on one connection: servers end those that go on for ever
	Connections = 8                // open at once; the next letter waits for one to be free
)

// Options say where letters go and whom they are from.
type Options struct {
	Server      Server
	From        string // LLAVE_MAIL_FROM: a name and an address
	Log         *slog.Logger
	Now         func() time.Time // dates letters that have no date of their own; nil is time.Now
	RootCAs     *x509.CertPool   // nil: the system's
	Connections int              // 0: the constant
	DialTimeout time.Duration    // 0: the constant; the same for the others
	SendTimeout time.Duration
	IdleTimeout time.Duration
	RefusedRow  int // so many different mailboxes refused one after another are our trouble, not theirs; 0: never
}

// Sender hands letters to one mail server. It may be used by many goroutines at once; Close it.
type Sender struct {
	opt   Options
	from  *mail.Address
	hello string
	slots chan struct{} // one for each open connection
	row   *row

	health *health

	mu      sync.Mutex
	idle    []*conn // most recently used last
	closed  bool
	closing sync.WaitGroup // connections being closed because they were idle
}

var (
	errClosed      = errors.New("the mailer is closed")
	errNoStartTLS  = errors.New("the mail server does not offer STARTTLS, and we send nothing without it (smtps:// is for TLS from the first byte)")
	errNoAuth      = errors.New("the mail server does not ask for a sign-in (leave user and password out of LLAVE_SMTP_URL)")
	errNoMechanism = errors.New("the mail server offers no way to sign in that we know (PLAIN, LOGIN, SCRAM-SHA-256, CRAM-MD5)")
)

// New checks the options. It connects to nothing; Probe does.
func New(opt Options) (*Sender, error) {
	from, err := address.Sender(opt.From)
	if err != nil {
		return nil, errors.New("sender is not an address such as `IESS <no-responder@example.org>`")
	}
	if opt.Server.Host == "" {
		return nil, errors.New("no mail server is given")
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	opt.Connections = orDefault(opt.Connections, Connections)
	opt.DialTimeout = orDefault(opt.DialTimeout, DialTimeout)
	opt.SendTimeout = orDefault(opt.SendTimeout, SendTimeout)
	opt.IdleTimeout = orDefault(opt.IdleTimeout, IdleTimeout)
	return &Sender{opt: opt, from: from, hello: helloName(), slots: make(chan struct{}, opt.Connections), row: newRow(opt.RefusedRow), health: newHealth(opt.Now)}, nil
}

func orDefault[T int | time.Duration](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}

// helloName is the name we greet with: the machine's, when it can be one.
func helloName() string {
	name, err := os.Hostname()
	if err != nil || name == "" || strings.ContainsFunc(name, notInMessageID) {
		return "localhost"
	}
	return name
}

// Send hands the letter over and returns nil once the server has answered 250 to it. Every error is a *bot.SendError
// without the address. When the connection is lost after the letter was handed over nobody knows whether it was taken:
// that is Temporary, and the caller sends the same letter again with the same Message-ID. So is a mailbox refused for good
// once Options.RefusedRow different ones were, with no letter accepted between. What is wrong with the letter, other than
// its recipient, is Temporary as well: the mailbox is not to blame, and whoever mends it has the letter go out. So is an
// error of l.Still, which can be found in what is returned and tells nothing of the server.
func (s *Sender) Send(ctx context.Context, l Letter) error {
	if l.Date.IsZero() {
		l.Date = s.opt.Now()
	}
	to, err := address.Wire(l.To)
	if err != nil {
		return &bot.SendError{Failure: bot.Permanent, Reason: "letter not sent: the recipient is " + err.Error()}
	}
	l.To = to
	if err := l.check(); err != nil {
		err := &bot.SendError{Failure: bot.Temporary, Reason: "letter not sent: " + err.Error()}
		s.health.letter(l.MessageID, err) // it waits, as the operator is told
		return err
	}
	m := l.message(s.from)
	var left bool
	err = s.dialogue(ctx, func(c *conn, reached func()) *bot.SendError {
		if err := s.mailFrom(c, l.ReturnPath, l.To); err != nil {
			return err
		}
		reached()
		if err := c.command(StageRcpt, 25, "RCPT TO:<%s>", l.To); err != nil {
			return err
		}
		if l.Still != nil {
			if err := l.Still(); err != nil {
				left = true
				return &bot.SendError{Failure: bot.Temporary, Reason: "letter not sent: it is not ours any more", Err: err}
			}
		}
		w, err := c.client.Data()
		if err != nil {
			return c.fail(StageData, err)
		}
		c.handedOver = true
		if err := writeMessage(w, m); err != nil {
			return c.fail(StageHandover, err)
		}
		if err := w.Close(); err != nil {
			return c.fail(StageHandover, err)
		}
		c.inMail = false
		return nil
	})
	if left {
		return err
	}
	err = s.weigh(l.To, err)
	s.health.letter(l.MessageID, err)
	return err
}

// Probe does all that a send does before it names a recipient, and hands nothing over. What waits for a number that
// has no record meets the same faults with it: a server that is away is away for both. [returnPath] is as in a Letter.
func (s *Sender) Probe(ctx context.Context, returnPath string) error {
	return s.dialogue(ctx, func(c *conn, reached func()) *bot.SendError {
		if err := s.mailFrom(c, returnPath, ""); err != nil {
			return err
		}
		reached()
		return c.reset()
	})
}

// Close ends the connections that are kept. One in use ends when its letter is through; sending after Close fails.
func (s *Sender) Close() error {
	s.mu.Lock()
	s.closed = true
	idle := s.idle
	s.idle = nil
	s.mu.Unlock()
	for _, c := range idle {
		if c.expiry.Stop() { // else its time was up and it is being closed already
			go func() {
				defer s.closing.Done()
				c.quit()
			}()
		}
	}
	s.closing.Wait()
	return nil
}

// dialogue runs [talk] on a connection and keeps health of it. [talk] calls what it is handed once the server has come to where
// a recipient may be named.
func (s *Sender) dialogue(ctx context.Context, talk func(c *conn, reached func()) *bot.SendError) error {
	ctx, cancel := context.WithTimeout(ctx, s.opt.SendTimeout)
	defer cancel()
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return &bot.SendError{Failure: bot.Temporary, Reason: "every connection to the mail server stayed busy", Err: ctx.Err()}
	}
	d := s.health.begin()
	err := s.onConnection(ctx, func(c *conn) *bot.SendError { return talk(c, func() { s.health.reached(d) }) })
	s.health.ended(d, err)
	return err
}

// onConnection runs [talk] on a connection, kept or new. A kept one may have died while nobody looked: when it fails before
// the letter was handed over, a new one is tried, once.
func (s *Sender) onConnection(ctx context.Context, talk func(*conn) *bot.SendError) error {
	c, closed := s.takeIdle()
	if closed {
		return failed(StageDial, errClosed)
	}
	if c != nil {
		err := s.talk(ctx, c, talk)
		if err == nil {
			return nil
		}
		if !c.dead || c.handedOver || ctx.Err() != nil {
			return err
		}
		s.opt.Log.Debug("kept mail connection was dead", "reason", err.Reason)
	}
	c, err := s.dial(ctx)
	if err != nil {
		return err
	}
	if err := s.talk(ctx, c, talk); err != nil {
		return err
	}
	return nil
}

// talk runs one dialogue under ctx and puts the connection back, or away when it is no good any more.
func (s *Sender) talk(ctx context.Context, c *conn, talk func(*conn) *bot.SendError) *bot.SendError {
	c.handedOver = false
	release := c.bind(ctx)
	err := talk(c)
	if err != nil && !c.dead && c.inMail {
		_ = c.reset() // when that fails the connection is dead, and err is what counts all the same
	}
	if !release() { // ctx cut it
		c.dead = true
		if err != nil && !isRefusal(err) {
			err = failed(c.failedAt, ctx.Err())
		}
	}
	s.put(c)
	return err
}

func isRefusal(err error) bool {
	var r *Refusal
	return errors.As(err, &r)
}

func (s *Sender) takeIdle() (c *conn, closed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, true
	}
	for len(s.idle) > 0 {
		c = s.idle[len(s.idle)-1]
		s.idle = s.idle[:len(s.idle)-1]
		if c.expiry.Stop() {
			s.closing.Done()
			return c, false
		}
		// Its time is up: expire is about to close it.
	}
	return nil, false
}

func (s *Sender) put(c *conn) {
	s.mu.Lock()
	c.used++
	if c.dead || s.closed || c.used >= uses {
		s.mu.Unlock()
		c.quit()
		return
	}
	defer s.mu.Unlock()
	s.closing.Add(1)
	c.expiry = time.AfterFunc(s.opt.IdleTimeout, func() {
		defer s.closing.Done()
		s.mu.Lock()
		s.idle = slices.DeleteFunc(s.idle, func(other *conn) bool { return other == c })
		s.mu.Unlock()
		c.quit()
	})
	s.idle = append(s.idle, c)
}

// dial opens a connection and brings it to where MAIL FROM may be said.
func (s *Sender) dial(ctx context.Context) (*conn, error) {
	c, stage, err := s.connect(ctx, func(*conn) {})
	if err != nil {
		return nil, failed(stage, err)
	}
	return c, nil
}

// connect is dial, and says at which stage it failed, and how. [look] sees the connection however far it came.
func (s *Sender) connect(ctx context.Context, look func(*conn)) (*conn, Stage, error) {
	ctx, cancel := context.WithTimeout(ctx, s.opt.DialTimeout)
	defer cancel()
	var d net.Dialer
	raw, err := d.DialContext(ctx, "tcp", s.opt.Server.Addr())
	if err != nil {
		return nil, StageDial, err
	}
	c := &conn{raw: raw}
	release := c.bind(ctx)
	stage, err := s.open(ctx, c)
	look(c)
	if !release() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		raw.Close()
		return nil, stage, err
	}
	return c, "", nil
}

// open says how far it came: greeting, EHLO, TLS, sign-in. It is long because the order is the point.
func (s *Sender) open(ctx context.Context, c *conn) (Stage, error) {
	srv := s.opt.Server
	config := &tls.Config{ServerName: srv.Host, RootCAs: s.opt.RootCAs, MinVersion: tls.VersionTLS12}
	speak := c.raw
	if srv.Security == ImplicitTLS {
		wrapped := tls.Client(c.raw, config)
		if err := wrapped.HandshakeContext(ctx); err != nil {
			return StageTLS, err
		}
		speak, c.tls = wrapped, wrapped.ConnectionState
	}
	client, err := smtp.NewClient(speak, srv.Host)
	if err != nil {
		return StageGreeting, err
	}
	c.client = client
	if err := client.Hello(s.hello); err != nil {
		return StageHello, err
	}
	if srv.Security == StartTLS {
		if ok, _ := client.Extension("STARTTLS"); !ok {
			return StageTLS, errNoStartTLS
		}
		if err := client.StartTLS(config); err != nil {
			return StageTLS, err
		}
		c.tls = func() tls.ConnectionState { state, _ := client.TLSConnectionState(); return state }
	}
	if srv.User == "" {
		return StageFrom, nil
	}
	ok, offered := client.Extension("AUTH")
	if !ok {
		return StageAuth, errNoAuth
	}
	auth := signIn(srv, strings.Fields(strings.ToUpper(offered)))
	if auth == nil {
		return StageAuth, errNoMechanism
	}
	return StageAuth, client.Auth(auth)
}

// signIn picks the mechanism. The way is encrypted and the certificate checked, or it is loopback, so that the plain
// ones, which every server means seriously, come first.
func signIn(srv Server, offered []string) smtp.Auth {
	for _, known := range []struct {
		name string
		auth func() smtp.Auth
	}{
		{"PLAIN", func() smtp.Auth { return smtp.PlainAuth("", srv.User, srv.Password.Reveal(), srv.Host, true) }},
		{"LOGIN", func() smtp.Auth { return smtp.LoginAuth(srv.User, srv.Password.Reveal(), srv.Host, true) }},
		{"SCRAM-SHA-256", func() smtp.Auth { return smtp.ScramSHA256Auth(srv.User, srv.Password.Reveal()) }},
		{"CRAM-MD5", func() smtp.Auth { return smtp.CRAMMD5Auth(srv.User, srv.Password.Reveal()) }},
	} {
		if slices.Contains(offered, known.name) {
			return known.auth()
		}
	}
	return nil
}

// conn is one connection past its sign-in. One goroutine uses it at a time.
type conn struct {
	raw        net.Conn
	client     *smtp.Client
	expiry     *time.Timer // while idle
	inMail     bool        // a transaction is open: RSET before the next
	handedOver bool        // the server said 354: from here on it may have the letter
	dead       bool
	used       int                        // dialogues
	failedAt   Stage                      // of the last failure
	tls        func() tls.ConnectionState // nil: the way is not encrypted
}

// bind gives the connection the deadline of [ctx] and cuts it when [ctx] ends before. The returned function ends that and says
// whether the connection is still whole.
func (c *conn) bind(ctx context.Context) (release func() bool) {
	deadline, _ := ctx.Deadline() // dialogue and dial have set one
	_ = c.raw.SetDeadline(deadline)
	return context.AfterFunc(ctx, func() { _ = c.raw.SetDeadline(time.Unix(1, 0)) })
}

// mailFrom opens a transaction for a letter to [to]; "" is nobody. SMTPUTF8 is asked for only by an address that needs it: a
// server that was asked may refuse to pass the letter on to one that cannot. Where it is the sender's or the return path, a
// server without it takes nobody's letters, and no mailbox is to blame.
func (s *Sender) mailFrom(c *conn, returnPath, to string) *bot.SendError {
	parameters := ""
	ours := !address.IsASCII(s.from.Address) || !address.IsASCII(returnPath)
	if ours || !address.IsASCII(to) {
		ok, _ := c.client.Extension("SMTPUTF8")
		switch {
		case !ok && ours:
			return &bot.SendError{Failure: bot.Temporary, Reason: "the mail server cannot write from an address with letters beyond ASCII (check LLAVE_MAIL_FROM)"}
		case !ok:
			return &bot.SendError{Failure: bot.Permanent, Reason: "the mail server cannot write to an address with letters beyond ASCII"}
		}
		parameters = " SMTPUTF8"
	}
	if err := c.command(StageFrom, 250, "MAIL FROM:<%s>%s", cmp.Or(returnPath, s.from.Address), parameters); err != nil {
		return err
	}
	c.inMail = true
	return nil
}

func (c *conn) reset() *bot.SendError {
	if err := c.command(StageReset, 250, "RSET"); err != nil {
		c.dead = true
		return err
	}
	c.inMail = false
	return nil
}

// command says one line and expects one kind of answer. Arguments were checked for line breaks.
func (c *conn) command(stage Stage, expect int, format string, args ...any) *bot.SendError {
	text := c.client.Text
	id, err := text.Cmd(format, args...)
	if err != nil {
		return c.fail(stage, err)
	}
	text.StartResponse(id)
	defer text.EndResponse(id)
	if _, _, err := text.ReadResponse(expect); err != nil {
		return c.fail(stage, err)
	}
	return nil
}

// fail notes whether the connection survived [err]: it did when the server refused in words, other than by closing.
func (c *conn) fail(stage Stage, err error) *bot.SendError {
	c.failedAt = stage
	e := failed(stage, err)
	var r *Refusal
	if !errors.As(e, &r) || r.Code == 421 {
		c.dead = true
	}
	return e
}

// quit says goodbye, briefly, and closes.
func (c *conn) quit() {
	if !c.dead {
		_ = c.raw.SetDeadline(time.Now().Add(time.Second))
		_ = c.command(StageReset, 221, "QUIT")
	}
	_ = c.raw.Close()
}

// String names the server, for logs.
func (s *Sender) String() string { return fmt.Sprintf("mail by %s", s.opt.Server) }
