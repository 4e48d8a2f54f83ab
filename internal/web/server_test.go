package web

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener in memory, for a bubble: its clock stands still while a socket is waited for.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	close func()
}

func newPipes() *pipes {
	p := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
	p.close = sync.OnceFunc(func() { close(p.done) })
	return p
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.close(); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p *pipes) dial() net.Conn {
	ours, theirs := net.Pipe()
	p.conns <- theirs
	return ours
}

// A body that comes slowly is cut after 15 seconds from the request's beginning, however much of it has come; a stream that lifts
// its own limit is not.
func TestServer_slowBodies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, _ := newKit(t, "http://localhost:8080")
		mux := http.NewServeMux()
		mux.Handle("POST /form", k.Page(func(w http.ResponseWriter, r *http.Request) error {
			_, err := Form(r)
			return err
		}))
		mux.HandleFunc("POST /hook", func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.ReadAll(r.Body); err != nil {
				w.WriteHeader(http.StatusBadRequest)
			}
		})
		mux.Handle("GET /stream", k.Page(func(w http.ResponseWriter, r *http.Request) error {
			out := http.NewResponseController(w)
			if err := out.SetReadDeadline(time.Time{}); err != nil {
				return err
			}
			for range 3 {
				if err := out.SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
					return err
				}
				fmt.Fprintln(w, "still here")
				if err := out.Flush(); err != nil {
					return err
				}
				select {
				case <-time.After(20 * time.Second):
				case <-r.Context().Done():
					return nil
				}
			}
			return nil
		}))
		server, l := NewServer(k.Wrap(mux), slog.New(slog.DiscardHandler)), newPipes()
		server.Start(l)
		for _, path := range []string{"/form", "/hook"} {
			c := l.dial()
			began := time.Now()
			go func() {
				fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: localhost:8080\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\n", path)
				for range 1000 {
					time.Sleep(time.Second)
					if _, err := c.Write([]byte("x")); err != nil {
						return
					}
				}
			}()
			res, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); res.StatusCode != http.StatusBadRequest || took != 15*time.Second {
				t.Errorf("%s: got %d after %v, want 400 after 15s", path, res.StatusCode, took)
			}
			c.Close()
		}
		c := l.dial()
		go fmt.Fprint(c, "GET /stream HTTP/1.1\r\nHost: localhost:8080\r\n\r\n")
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		if all, err := io.ReadAll(res.Body); err != nil || string(all) != "still here\nstill here\nstill here\n" {
			t.Errorf("stream: got %q, %v", all, err)
		}
		c.Close()
		if err := server.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
