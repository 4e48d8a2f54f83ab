package bottest

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"slices"
	"sync"
	"time"

	"llave/internal/mail/catcher"
	"llave/internal/mail/letter"
)

// SMTP is a mail server: a real one, the catcher of `demo`, that records everything and can be told to be slow (Slow),
// rude (Fail, FailEach, RefuseRcpt, Greylist) or gone (Down, Up). All methods may be called from many goroutines.
type SMTP struct {
	opt  SMTPOptions
	tls  *tls.Config
	ca   []byte // PEM
	pool *x509.CertPool

	mu       sync.Mutex
	server   *catcher.Catcher // nil while down
	stop     chan struct{}    // closed when the server goes down: nobody sleeps on
	port     port             // kept over Down and Up
	letters  []letter.Letter
	attempts []SMTPAttempt
	news     chan struct{} // closed and replaced whenever something changes
	faults   map[SMTPStage][]SMTPFault
	always   map[SMTPStage]SMTPFault
	each     SMTPFault
	met      map[string]bool // Message-IDs that have met it
	refused  map[string]SMTPFault
	slow     map[SMTPStage]time.Duration
	grey     time.Duration
	known    map[string]time.Time // recipients: first seen
}

// SMTPOptions say what kind of server it is. The zero value speaks neither TLS nor AUTH.
type SMTPOptions struct {
	StartTLS bool   // offer STARTTLS, with a certificate of a test CA (RootCAs, CAPEM)
	Implicit bool   // TLS from the first byte
	User     string // not empty: sign-in is wanted before a letter
	Password string
	NoUTF8   bool // do not offer SMTPUTF8

	CertFor time.Duration // how long the certificate is good; 0: a day
}

// SMTPStage is where in the dialogue something happens.
type SMTPStage string

// The stages, in order.
const (
	SMTPConnect SMTPStage = "connect"
	SMTPHello   SMTPStage = "hello"
	SMTPAuth    SMTPStage = "auth"
	SMTPMail    SMTPStage = "mail"
	SMTPRcpt    SMTPStage = "rcpt"
	SMTPData    SMTPStage = "data" // the whole letter was read
)

// SMTPFault is one rudeness: an answer, or a connection that is cut. The zero value is none, so that a list of faults
// can let one pass.
type SMTPFault struct {
	Code     int           // the answer
	Enhanced string        // "5.1.1"; empty leaves it out
	Text     string        // the server's words
	Wait     time.Duration // before it
	Drop     bool          // cut the connection instead of answering
	KeepDrop bool          // data: keep the letter, then cut the connection without a word
}

// SMTPAttempt is one thing a client asked for.
type SMTPAttempt struct {
	At        time.Time
	Stage     SMTPStage
	Arg       string // mail: sender; rcpt: recipient; auth: user; hello: name; data: recipient
	MessageID string // data
	Code      int    // our answer; 0: the connection was cut
	Kept      bool   // data: the letter was kept
}

// StartSMTP starts a server without TLS and AUTH on a free port of loopback. Close it.
func StartSMTP() (*SMTP, error) { return StartSMTPWith(SMTPOptions{}) }

// StartSMTPWith starts a server on a free port of loopback. Close it.
func StartSMTPWith(opt SMTPOptions) (*SMTP, error) {
	s := &SMTP{
		opt: opt, news: make(chan struct{}),
		faults: map[SMTPStage][]SMTPFault{}, always: map[SMTPStage]SMTPFault{}, refused: map[string]SMTPFault{},
		slow: map[SMTPStage]time.Duration{}, known: map[string]time.Time{}, met: map[string]bool{},
	}
	if opt.StartTLS || opt.Implicit {
		if err := s.makeCertificate(); err != nil {
			return nil, fmt.Errorf("start SMTP server: %w", err)
		}
	}
	if err := s.Up(); err != nil {
		return nil, err
	}
	return s, nil
}

// Addr is where the server listens, or did while it was up.
func (s *SMTP) Addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.port.addr
}

// URL is the value of LLAVE_SMTP_URL that leads here, sign-in included.
func (s *SMTP) URL() string {
	u := url.URL{Scheme: "smtp", Host: s.Addr()}
	switch {
	case s.opt.Implicit:
		u.Scheme = "smtps"
	case !s.opt.StartTLS:
		u.RawQuery = "tls=none"
	}
	if s.opt.User != "" {
		u.User = url.UserPassword(s.opt.User, s.opt.Password)
	}
	return u.String()
}

// RootCAs trusts the server's certificate; nil without TLS.
func (s *SMTP) RootCAs() *x509.CertPool { return s.pool }

// CAPEM is the certificate of the test CA, for programs that read SSL_CERT_FILE; nil without TLS.
func (s *SMTP) CAPEM() []byte { return s.ca }

// Down closes the server and cuts every connection. What was recorded stays. It panics if its port cannot be kept.
func (s *SMTP) Down() {
	if !s.close() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.port.hold(); err != nil {
		panic(err)
	}
}

// close ends the server, and says whether it was up.
func (s *SMTP) close() bool {
	s.mu.Lock()
	server, stop := s.server, s.stop
	s.server = nil
	s.mu.Unlock()
	if server == nil {
		return false
	}
	close(stop)
	_ = server.Close() // a listener that was closed meanwhile is closed
	return true
}

// Up starts the server again, on the same port.
func (s *SMTP) Up() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server != nil {
		return nil
	}
	s.stop = make(chan struct{})
	hooks := s.hooks(s.stop)
	server, err := catcher.StartWith(catcher.Options{
		Addr: s.port.next(), Keep: 1, TLS: s.tls, Implicit: s.opt.Implicit, NoSMTPUTF8: s.opt.NoUTF8, Hooks: hooks, OnLetterKept: s.keep,
	})
	if err != nil {
		return fmt.Errorf("start SMTP server: %w", err)
	}
	s.server, s.port.addr = server, server.Addr()
	return nil
}

// Close ends the server and waits for its connections.
func (s *SMTP) Close() error {
	s.close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.port.release()
	return nil
}

// Slow makes the server wait before it answers at a stage. Zero ends that.
func (s *SMTP) Slow(stage SMTPStage, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.slow[stage] = wait
}

// Fail has the next answers at a stage be these, one each.
func (s *SMTP) Fail(stage SMTPStage, faults ...SMTPFault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[stage] = append(s.faults[stage], faults...)
}

// FailAlways has every answer at a stage be this one, after those of Fail.
func (s *SMTP) FailAlways(stage SMTPStage, fault SMTPFault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.always[stage] = fault
}

// FailEach has every letter meet this fault the first time it is handed over, after those of Fail.
func (s *SMTP) FailEach(fault SMTPFault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.each = fault
	clear(s.met)
}

// RefuseRcpt has the server answer so whenever that recipient is named.
func (s *SMTP) RefuseRcpt(address string, fault SMTPFault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused[address] = fault
}

// Greylist has the server turn each recipient away (450) until so long after it was named first.
func (s *SMTP) Greylist(wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.grey = wait
	clear(s.known)
}

// Heal ends every slowness and rudeness.
func (s *SMTP) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.faults)
	clear(s.always)
	clear(s.refused)
	clear(s.slow)
	s.grey, s.each = 0, SMTPFault{}
}

// Letters returns every letter that was kept, in order.
func (s *SMTP) Letters() []letter.Letter {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.letters)
}

// LettersTo returns the letters kept for one recipient, in order.
func (s *SMTP) LettersTo(address string) []letter.Letter {
	return slices.DeleteFunc(s.Letters(), func(l letter.Letter) bool { return l.To != address })
}

// Attempts returns everything that clients asked for, in order.
func (s *SMTP) Attempts() []SMTPAttempt {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.attempts)
}

// Count says how often clients came to a stage.
func (s *SMTP) Count(stage SMTPStage) int {
	n := 0
	for _, a := range s.Attempts() {
		if a.Stage == stage {
			n++
		}
	}
	return n
}

// WaitLetter returns the first letter to a recipient with a Number above [after], once it is there.
func (s *SMTP) WaitLetter(ctx context.Context, to string, after int) (letter.Letter, error) {
	for {
		s.mu.Lock()
		news := s.news
		for _, l := range s.letters {
			if l.To == to && l.Number > after {
				s.mu.Unlock()
				return l, nil
			}
		}
		s.mu.Unlock()
		select {
		case <-news:
		case <-ctx.Done():
			return letter.Letter{}, fmt.Errorf("wait for a letter: %w", ctx.Err())
		}
	}
}

func (s *SMTP) changed() {
	close(s.news)
	s.news = make(chan struct{})
}

func (s *SMTP) keep(l letter.Letter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l.Number = len(s.letters) + 1
	s.letters = append(s.letters, l)
	s.changed()
}

func (s *SMTP) hooks(stop <-chan struct{}) catcher.Hooks {
	h := catcher.Hooks{
		OnConnect: func() error { return s.meet(stop, SMTPConnect, "", "") },
		OnHello:   func(name string) error { return s.meet(stop, SMTPHello, name, "") },
		OnMail:    func(from string) error { return s.meet(stop, SMTPMail, from, "") },
		OnRcpt:    func(to string) error { return s.meet(stop, SMTPRcpt, to, "") },
		OnData:    func(l letter.Letter) error { return s.meet(stop, SMTPData, l.To, l.MessageID) },
	}
	if s.opt.User != "" {
		h.OnAuth = func(user, pass string) error {
			if user != s.opt.User || pass != s.opt.Password {
				s.record(SMTPAttempt{At: time.Now(), Stage: SMTPAuth, Arg: user, Code: 535})
				return catcher.Answer{Code: 535, Enhanced: "5.7.8", Text: "Authentication credentials invalid"}
			}
			return s.meet(stop, SMTPAuth, user, "")
		}
	}
	return h
}

// meet decides what happens at a stage, waits as long as it should, and records it.
func (s *SMTP) meet(stop <-chan struct{}, stage SMTPStage, arg, messageID string) error {
	fault, wait := s.fault(stage, arg, messageID)
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-stop:
			fault = SMTPFault{Drop: true}
		}
	}
	a := SMTPAttempt{At: time.Now(), Stage: stage, Arg: arg, MessageID: messageID, Code: fault.Code}
	var err error
	switch {
	case fault.KeepDrop:
		a.Code, a.Kept, err = 0, stage == SMTPData, catcher.ErrKeepDrop
	case fault.Drop:
		a.Code, err = 0, catcher.ErrDrop
	case fault.Code != 0:
		err = catcher.Answer{Code: fault.Code, Enhanced: fault.Enhanced, Text: fault.Text}
	default:
		a.Code, a.Kept = 250, stage == SMTPData
	}
	s.record(a)
	return err
}

func (s *SMTP) fault(stage SMTPStage, arg, messageID string) (SMTPFault, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fault := s.always[stage]
	if list := s.faults[stage]; len(list) > 0 {
		fault, s.faults[stage] = list[0], list[1:]
	} else if stage == SMTPData && s.each != (SMTPFault{}) && !s.met[messageID] {
		fault, s.met[messageID] = s.each, true
	} else if stage == SMTPRcpt {
		if f, ok := s.refused[arg]; ok {
			fault = f
		} else if s.grey > 0 {
			now := time.Now()
			first, seen := s.known[arg]
			if !seen {
				s.known[arg], first = now, now
			}
			if now.Sub(first) < s.grey {
				fault = SMTPFault{Code: 450, Enhanced: "4.7.1", Text: "Greylisted, try again later"}
			}
		}
	}
	return fault, fault.Wait + s.slow[stage]
}

func (s *SMTP) record(a SMTPAttempt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attempts = append(s.attempts, a)
	s.changed()
}

// makeCertificate makes a CA and a certificate of its for loopback.
func (s *SMTP) makeCertificate() error {
	now := time.Now()
	sign := func(template, parent *x509.Certificate, key, parentKey *ecdsa.PrivateKey) (*x509.Certificate, error) {
		der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, parentKey)
		if err != nil {
			return nil, err
		}
		return x509.ParseCertificate(der)
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	caTemplate := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Llave test CA"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(cmp.Or(s.opt.CertFor, 24*time.Hour)),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	ca, err := sign(caTemplate, caTemplate, caKey, caKey)
	if err != nil {
		return err
	}
	leaf, err := sign(&x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(cmp.Or(s.opt.CertFor, 24*time.Hour)),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, ca, key, caKey)
	if err != nil {
		return err
	}
	s.tls = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
	s.ca = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Raw})
	s.pool = x509.NewCertPool()
	s.pool.AddCert(ca)
	return nil
}
