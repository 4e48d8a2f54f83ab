package bottest

import (
	"fmt"
	"net"
	"syscall"
)

// port is the loopback address of a server that goes away and comes back. Whoever dials it meanwhile is refused, and no
// server that asks for any free port is given this one: else what was meant for the one that is gone would reach another
// test's. The zero value is any free port. Not for many goroutines.
type port struct {
	addr string // of the server; empty before the first listen
	held int    // a socket that is bound and does not listen; 0: none
}

// next is the address to listen on, which is free from here on.
func (p *port) next() string {
	p.release()
	if p.addr == "" {
		return "127.0.0.1:0"
	}
	return p.addr
}

// release gives the port back, if it is held.
func (p *port) release() {
	if p.held != 0 {
		_ = syscall.Close(p.held) // all there is to do
		p.held = 0
	}
}

// hold keeps the port of a server that has just closed.
func (p *port) hold() error {
	addr, err := net.ResolveTCPAddr("tcp4", p.addr)
	if err != nil {
		return fmt.Errorf("hold a port: %w", err)
	}
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		return fmt.Errorf("hold a port: %w", err)
	}
	syscall.CloseOnExec(socket)
	to := syscall.SockaddrInet4{Port: addr.Port, Addr: [4]byte(addr.IP.To4())}
	// Else the connections that have just ended keep it for a minute.
	if err = syscall.SetsockoptInt(socket, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err == nil {
		err = syscall.Bind(socket, &to)
	}
	if err != nil {
		_ = syscall.Close(socket)
		return fmt.Errorf("hold %s: %w", p.addr, err)
	}
	p.held = socket
	return nil
}
