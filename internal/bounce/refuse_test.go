package bounce

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"llave/internal/mail/conns"
)

// pipes is a listener whose connections hold nothing: what is written waits until it is read.
type pipes struct {
	net.Listener
	next chan net.Conn
}

func (p pipes) Accept() (net.Conn, error) {
	if c, ok := <-p.next; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

// One too many that reads nothing keeps nobody else waiting.
func TestLimited_readsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pipes{next: make(chan net.Conn)}
		l := &limited{Listener: conns.New(p)}
		for range maxConns {
			taken, _ := net.Pipe()
			l.Keep(taken, maxConns)
		}
		go func() { _, _ = l.Accept() }()
		dial := func() net.Conn {
			ours, theirs := net.Pipe()
			p.next <- theirs
			return ours
		}
		begun := time.Now()
		deaf := dial()
		line, err := bufio.NewReader(dial()).ReadString('\n')
		if took := time.Since(begun); err != nil || !strings.HasPrefix(line, "421 ") || took != 0 {
			t.Errorf("the next one heard %q, %v after %s; want 421 at once", line, err, took)
		}
		close(p.next)
		l.refusing.Wait()
		if _, err := deaf.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the one that read nothing: %v, want that it was given up", err)
		}
	})
}
