// Package conns knows the connections of a mail server of ours, so that they can be counted, and cut when it stops.
package conns

import (
	"net"
	"sync"
)

// Listener is a listener whose Accept notes what it hands out: Keep for each connection, Drop once it is closed.
type Listener struct {
	net.Listener

	mu     sync.Mutex
	closed bool
	open   map[net.Conn]struct{}
}

// New keeps the connections of [ln].
func New(ln net.Listener) *Listener { return &Listener{Listener: ln, open: map[net.Conn]struct{}{}} }

// Keep notes a connection. false: the listener is closed, or has [most] already; 0 is no bound.
func (l *Listener) Keep(c net.Conn, most int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || most > 0 && len(l.open) >= most {
		return false
	}
	l.open[c] = struct{}{}
	return true
}

// Drop notes that a connection is closed.
func (l *Listener) Drop(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, c)
}

// Close accepts nothing more. What is open stays so; closing again does nothing.
func (l *Listener) Close() error {
	l.mu.Lock()
	was := l.closed
	l.closed = true
	l.mu.Unlock()
	if was {
		return nil
	}
	return l.Listener.Close()
}

// Cut ends the traffic of every connection; the server's goroutines then close them.
func (l *Listener) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.open {
		c.Close()
	}
}
