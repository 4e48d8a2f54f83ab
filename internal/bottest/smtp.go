package bottest

import (
	"fmt"
	"sync"
	"time"

	"llave/internal/mail/catcher"
	"llave/internal/mail/letter"
)

// SMTP is a mail server: it takes letters over the real protocol and records them. It can be told to refuse, to
// greylist, to be slow, to drop the connection after it has taken a letter, and to be gone.
type SMTP struct {
	mu      sync.Mutex
	server  *catcher.Catcher
	addr    string
	letters []letter.Letter
	changed chan struct{}

	refused  map[string]int // recipient → code
	failing  int            // the next so many letters are answered with failCode
	failCode int
	grey     time.Duration
	greyed   map[string]time.Time
	dropping int
	slow     time.Duration
	tries    int
}

// StartSMTP listens on a free port of the loopback interface.
func StartSMTP() (*SMTP, error) {
	s := &SMTP{addr: "127.0.0.1:0", changed: make(chan struct{}), refused: map[string]int{}, greyed: map[string]time.Time{}}
	return s, s.Up()
}

// URL is the value of LLAVE_SMTP_URL that leads here.
func (s *SMTP) URL() string { return "smtp://" + s.addr + "?tls=none" }

// Up listens again after Down, on the same port.
func (s *SMTP) Up() error {
	c, err := catcher.StartWith(catcher.Options{Addr: s.addr, Hooks: catcher.Hooks{OnRcpt: s.onRcpt, OnData: s.onData}, OnLetterKept: s.keep})
	if err != nil {
		return fmt.Errorf("start the mail server: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.server, s.addr = c, c.Addr()
	return nil
}

// Down closes the port and every connection.
func (s *SMTP) Down() {
	s.mu.Lock()
	c := s.server
	s.server = nil
	s.mu.Unlock()
	if c != nil {
		_ = c.Close() // it is gone either way
	}
}

// Close ends the server.
func (s *SMTP) Close() error {
	s.Down()
	return nil
}

// Refuse answers every RCPT for the mailbox with code, 0 takes it back.
func (s *SMTP) Refuse(to string, code int) { s.set(func() { s.refused[to] = code }) }

// FailNext answers the next n letters with code after DATA.
func (s *SMTP) FailNext(n, code int) { s.set(func() { s.failing, s.failCode = n, code }) }

// Greylist answers 450 to a recipient until d after the first try.
func (s *SMTP) Greylist(d time.Duration) { s.set(func() { s.grey = d }) }

// DropAfterData keeps the next n letters and drops the connection instead of saying so.
func (s *SMTP) DropAfterData(n int) { s.set(func() { s.dropping = n }) }

// Slow makes every letter take that much longer.
func (s *SMTP) Slow(d time.Duration) { s.set(func() { s.slow = d }) }

// Tries says how often somebody began to hand over a letter.
func (s *SMTP) Tries() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tries
}

func (s *SMTP) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func (s *SMTP) onRcpt(to string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tries++
	if code := s.refused[to]; code != 0 {
		return catcher.Answer{Code: code, Enhanced: "5.1.1", Text: "no such mailbox here"}
	}
	if s.grey > 0 {
		first, ok := s.greyed[to]
		if !ok {
			first = time.Now()
			s.greyed[to] = first
		}
		if time.Since(first) < s.grey {
			return catcher.Answer{Code: 450, Enhanced: "4.7.1", Text: "greylisted, come back later"}
		}
	}
	return nil
}

func (s *SMTP) onData(letter.Letter) error {
	s.mu.Lock()
	slow := s.slow
	defer s.mu.Unlock()
	if slow > 0 {
		s.mu.Unlock()
		time.Sleep(slow)
		s.mu.Lock()
	}
	if s.failing > 0 {
		s.failing--
		return catcher.Answer{Code: s.failCode, Text: "told to fail"}
	}
	if s.dropping > 0 {
		s.dropping--
		return catcher.ErrKeepDrop
	}
	return nil
}

func (s *SMTP) keep(l letter.Letter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.letters = append(s.letters, l)
	close(s.changed)
	s.changed = make(chan struct{})
}

// Letters returns what was taken so far, oldest first.
func (s *SMTP) Letters() []letter.Letter {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]letter.Letter(nil), s.letters...)
}

// WaitLetter waits for the first letter to a mailbox ("" means any) after the first so many of all.
func (s *SMTP) WaitLetter(to string, after int, timeout time.Duration) (letter.Letter, error) {
	end := time.NewTimer(timeout)
	defer end.Stop()
	for {
		s.mu.Lock()
		changed, letters := s.changed, s.letters
		s.mu.Unlock()
		for i, l := range letters {
			if i >= after && (to == "" || l.To == to) {
				return l, nil
			}
		}
		select {
		case <-changed:
		case <-end.C:
			return letter.Letter{}, fmt.Errorf("no letter came within %s", timeout)
		}
	}
}
