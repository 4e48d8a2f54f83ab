// Package bounce takes delivery reports of letters that a mail server had accepted, and reads what they say.
//
// A Listener speaks SMTP or LMTP and takes mail for return addresses that were given out here, and no other: it is no relay, knows no
// users, and signs nobody in. What it has taken it reads to the end, hands over as a Report (Parse), and forgets. No word or
// address of a mail is logged.
package bounce

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-smtp"

	"llave/internal/mail/conns"
)

// Bounds of what somebody can have a listener hold.
const (
	maxBytes    = 1 << 20          // of a mail; beyond it 552
	maxLine     = 16 << 10         // of a line: reports quote HTML that has long ones
	maxConns    = 32               // at once; the next one hears 421
	readTimeout = time.Minute      // of a command, and of a whole mail
	connLife    = 10 * time.Minute // of a connection
	takeTimeout = 20 * time.Second // for what is done with a report
)

// Options say how a Listener behaves.
type Options struct {
	Network, Addr string // as net.Listen has them
	LMTP          bool   // else SMTP
	Domain        string // of the return addresses, in small letters
	// Known says whether a local part was given out here.
	Known func(local string) bool
	// Take does what follows from a report. After an error the mail is not taken, and its server comes again.
	Take        func(ctx context.Context, local string, r Report) error
	ReadTimeout time.Duration // 0: a minute
}

// Listener takes delivery reports. It listens from Listen on and answers from Start on; Stop it.
type Listener struct {
	opt    Options
	server *smtp.Server
	ln     *limited
	served chan struct{} // closed when nothing is accepted any more
}

// Listen opens the address.
func Listen(o Options) (*Listener, error) {
	if o.Network == "unix" {
		if err := dropDead(o.Addr); err != nil {
			return nil, err
		}
	}
	ln, err := net.Listen(o.Network, o.Addr)
	if err != nil {
		return nil, err
	}
	if o.Network == "unix" {
		if err := os.Chmod(o.Addr, 0o660); err != nil { //nolint:gosec // the mail server's group may write
			ln.Close()
			return nil, err
		}
	}
	if o.ReadTimeout == 0 {
		o.ReadTimeout = readTimeout
	}
	l := &Listener{opt: o, ln: &limited{Listener: conns.New(ln)}}
	s := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &session{l: l}, nil }))
	s.LMTP, s.Domain = o.LMTP, o.Domain
	s.MaxMessageBytes, s.MaxLineLength, s.MaxRecipients = maxBytes, maxLine, 1
	s.ReadTimeout, s.WriteTimeout = o.ReadTimeout, 10*time.Second
	s.ErrorLog = log.New(io.Discard, "", 0) // it repeats what clients say
	l.server = s
	return l, nil
}

// dropDead removes a socket that a process left behind which is no more.
func dropDead(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return fmt.Errorf("%s is there and is no socket", path)
	}
	if c, err := net.Dial("unix", path); err == nil {
		c.Close()
		return fmt.Errorf("%s: another process listens there", path)
	}
	return os.Remove(path)
}

// Addr is where it listens.
func (l *Listener) Addr() string { return l.ln.Addr().String() }

// Start answers, until Stop.
func (l *Listener) Start() {
	l.served = make(chan struct{})
	go func() {
		defer close(l.served)
		_ = l.server.Serve(l.ln) // ends when Stop closes the listener
	}()
}

// Stop takes no more, cuts who is still talking, whose servers come again, and waits for reports that are being taken, until [ctx]
// ends.
func (l *Listener) Stop(ctx context.Context) error {
	err := l.ln.Close()
	if l.served == nil {
		return err
	}
	<-l.served
	l.ln.refusing.Wait() // a second at most
	l.ln.Cut()
	if serr := l.server.Shutdown(ctx); err == nil && !errors.Is(serr, smtp.ErrServerClosed) && !errors.Is(serr, net.ErrClosed) {
		err = serr
	}
	return err
}

// session is one client's dialogue.
type session struct {
	l     *Listener
	local string // whose mail it is; "" before RCPT
}

func (s *session) Reset()        { s.local = "" }
func (s *session) Logout() error { return nil }

// Mail takes every sender: reports have none, answers of machines may have one, and nothing is ever sent back.
func (s *session) Mail(string, *smtp.MailOptions) error { return nil }

// Rcpt takes an address that was given out here.
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	at := strings.LastIndexByte(to, '@')
	if at < 0 || !strings.EqualFold(to[at+1:], s.l.opt.Domain) || !s.l.opt.Known(to[:at]) {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "No such address here"}
	}
	if s.local != "" {
		return &smtp.SMTPError{Code: 452, EnhancedCode: smtp.EnhancedCode{4, 5, 3}, Message: "One recipient at a time"}
	}
	s.local = to[:at]
	return nil
}

// Data reads the mail to the end and hands over what it says. Only what could not be done is asked for again.
func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	var said *smtp.SMTPError
	switch {
	case errors.As(err, &said): // too large
		return said
	case errors.Is(err, smtp.ErrTooLongLine):
		return &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 6, 0}, Message: "A line is too long"}
	case err != nil:
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 4, 2}, Message: "The mail did not come to its end"}
	}
	ctx, cancel := context.WithTimeout(context.Background(), takeTimeout)
	defer cancel()
	if err := s.l.opt.Take(ctx, s.local, Parse(raw)); err != nil {
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "Come again later"}
	}
	return nil
}

// limited has few connections at once, each for a while.
type limited struct {
	*conns.Listener

	refusing sync.WaitGroup // one for each that is told to come again
}

func (l *limited) Accept() (net.Conn, error) {
	for {
		raw, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.Keep(raw, maxConns) {
			return &conn{Conn: raw, l: l, ends: time.Now().Add(connLife)}, nil
		}
		l.refusing.Go(func() { // who does not read it keeps nobody else waiting
			_ = raw.SetWriteDeadline(time.Now().Add(time.Second))
			_, _ = io.WriteString(raw, "421 4.3.2 Too many connections, come again later\r\n")
			raw.Close()
		})
	}
}

// conn is one connection. Whoever says something now and then does not keep it for ever.
type conn struct {
	net.Conn
	l    *limited
	ends time.Time
}

// SetReadDeadline sets the deadline, the connection's end at the latest.
func (c *conn) SetReadDeadline(t time.Time) error {
	if t.IsZero() || t.After(c.ends) {
		t = c.ends
	}
	return c.Conn.SetReadDeadline(t)
}

// Close gives its place to another.
func (c *conn) Close() error {
	c.l.Drop(c.Conn)
	return c.Conn.Close()
}
