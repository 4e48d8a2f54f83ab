package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// room makes room for so many blocks.
func room(blocks int) *Bodies {
	b := NewBodies()
	b.most = blocks
	return b
}

// unsaid hides how long a body is.
func unsaid(r io.Reader) io.Reader { return io.MultiReader(r) }

func post(body io.Reader) *http.Request { return httptest.NewRequest(http.MethodPost, "/", body) }

// What is read is what was sent, whatever its length, said or not, and all room is there again afterwards.
func TestBodies_whole(t *testing.T) {
	b := room(8)
	for _, size := range []int{0, 1, blockSize - 1, blockSize, blockSize + 1, 2 * blockSize, 3*blockSize + 7} {
		for _, said := range []bool{true, false} {
			want := bytes.Repeat([]byte("abcdefg"), size)[:size]
			var in io.Reader = bytes.NewReader(want)
			if !said {
				in = unsaid(in)
			}
			body, err := b.Read(httptest.NewRecorder(), post(in), 1<<20, 1)
			if err != nil {
				t.Fatalf("%d bytes: %v", size, err)
			}
			read, err := io.ReadAll(body.Reader())
			if err != nil || !bytes.Equal(read, want) || !bytes.Equal(body.Bytes(), want) || !bytes.Equal(bytes.Join(body.Blocks(), nil), want) {
				t.Errorf("%d bytes, said %v: got %d (%v), %d and %d", size, said, len(read), err, len(body.Bytes()), len(body.Blocks()))
			}
			if most := (size + blockSize) / blockSize; b.held > most {
				t.Errorf("%d bytes hold %d blocks, want %d at most", size, b.held, most)
			}
			body.Release()
			body.Release()
			if b.held != 0 || len(b.coming) != 0 {
				t.Fatalf("%d bytes: %d blocks are held and %d bodies come after all", size, b.held, len(b.coming))
			}
		}
	}
}

// untouchable is a body that must not be read.
type untouchable struct{ t *testing.T }

func (u untouchable) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

func TestBodies_refused(t *testing.T) {
	b := room(4)
	large := post(untouchable{t})
	large.ContentLength = 101
	full := post(untouchable{t})
	full.ContentLength = 5 * blockSize
	var tooLarge *http.MaxBytesError
	for _, tt := range []struct {
		name string
		r    *http.Request
		most int64
		cost int
		want func(err error) bool
	}{
		{"said to be too large", large, 100, 1, func(err error) bool { return errors.As(err, &tooLarge) }},
		{"too large", post(unsaid(strings.NewReader(strings.Repeat("x", 101)))), 100, 1, func(err error) bool { return errors.As(err, &tooLarge) }},
		{"said to be larger than the room", full, 1 << 20, 1, func(err error) bool { return errors.Is(err, ErrNoRoom) }},
		{"larger than the room", post(unsaid(strings.NewReader(strings.Repeat("x", 5*blockSize)))), 1 << 20, 1, func(err error) bool { return errors.Is(err, ErrNoRoom) }},
		{"counts more than once", post(unsaid(strings.NewReader(strings.Repeat("x", 2*blockSize)))), 1 << 20, 3, func(err error) bool { return errors.Is(err, ErrNoRoom) }},
		{"broken off", post(io.MultiReader(strings.NewReader("half"), broken{})), 100, 1, func(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) }},
	} {
		body, err := b.Read(httptest.NewRecorder(), tt.r, tt.most, tt.cost)
		if body != nil || !tt.want(err) {
			t.Errorf("%s: got %v, %v", tt.name, body, err)
		}
		if b.held != 0 || len(b.coming) != 0 {
			t.Fatalf("%s: %d blocks are held, %d bodies come", tt.name, b.held, len(b.coming))
		}
	}
}

// broken is a body whose sender goes away.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// door is a server that reads bodies, and what it answered.
type door struct {
	t      *testing.T
	bodies *Bodies
	server *httptest.Server
}

func newDoor(t *testing.T, b *Bodies) *door {
	d := &door{t: t, bodies: b}
	d.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := b.Read(w, r, 1<<20, 1)
		switch {
		case errors.Is(err, ErrNoRoom):
			w.WriteHeader(http.StatusServiceUnavailable)
		case err != nil:
			t.Logf("cannot be read: %v", err)
			w.WriteHeader(http.StatusBadRequest)
		default:
			defer body.Release()
			fmt.Fprintf(w, "%d", len(body.Bytes()))
		}
	}))
	t.Cleanup(d.server.Close)
	return d
}

// begins sends the head of a request that says it has so many bytes, and the first of them.
func (d *door) begins(says, sends int) net.Conn {
	d.t.Helper()
	c, err := net.Dial("tcp", d.server.Listener.Addr().String())
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second)) // no answer is a failure
	if _, err := fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", says, strings.Repeat("x", sends)); err != nil {
		d.t.Fatal(err)
	}
	return c
}

// holds waits until so many blocks are held.
func (d *door) holds(blocks int) {
	d.t.Helper()
	var got int
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		d.bodies.mu.Lock()
		got = d.bodies.held
		d.bodies.mu.Unlock()
		if got == blocks {
			return
		}
	}
	d.t.Fatalf("%d blocks are held, want %d", got, blocks)
}

func (d *door) wants(c net.Conn, status string) {
	d.t.Helper()
	answer := make([]byte, len("HTTP/1.1 200"))
	if _, err := io.ReadFull(c, answer); err != nil || string(answer) != "HTTP/1.1 "+status {
		d.t.Errorf("got %q (%v), want %s", answer, err, status)
	}
}

// What was only announced takes no room; what is slow and large gives way to what is small, and is told to come again.
func TestBodies_largestGivesWay(t *testing.T) {
	d := newDoor(t, room(8))
	for range 2 { // the second has the first's blocks
		idle := d.begins(6*blockSize, 0)
		d.holds(1)
		hog := d.begins(6*blockSize, 5*blockSize+1)
		d.holds(7) // one each, before the first byte has come; the hog's last is begun
		lesser := d.begins(2*blockSize, blockSize+1)
		d.wants(hog, "503")
		d.holds(3)
		quick := d.begins(3*blockSize, 3*blockSize)
		d.wants(quick, "200")
		idle.Close()
		lesser.Close()
		d.holds(0)
	}
}

// Of two of a size, one that has been coming for long gives way; else who comes later has no room.
func TestBodies_slowGiveWay(t *testing.T) {
	d := newDoor(t, room(4))
	var slow []net.Conn
	for range 4 {
		slow = append(slow, d.begins(100, 1))
	}
	d.holds(4)
	begun := func(at time.Time) { // all of them, however long the test takes
		d.bodies.mu.Lock()
		defer d.bodies.mu.Unlock()
		for body := range d.bodies.coming {
			body.since = at
		}
	}
	begun(time.Now().Add(time.Hour))
	d.wants(d.begins(10, 10), "503")
	begun(time.Now().Add(-longOpen))
	d.wants(d.begins(10, 10), "200")
	for _, c := range slow {
		c.Close()
	}
	d.holds(0)
}

// Many large bodies at once never hold more than the room, and each is answered: it went through, or is to come again.
func TestBodies_manyAtOnce(t *testing.T) {
	const blocks, clients = 64, 100
	d := newDoor(t, room(blocks))
	var all sync.WaitGroup
	var mu sync.Mutex
	got := map[int]int{}
	text := strings.Repeat("x", blocks/2*blockSize)
	for i := range clients {
		all.Go(func() {
			var in io.Reader = strings.NewReader(text)
			if i%2 == 0 {
				in = unsaid(in)
			}
			status := 0
			if res, err := http.Post(d.server.URL, "text/plain", in); err == nil { // some find the connection closed
				status = res.StatusCode
				res.Body.Close()
			}
			mu.Lock()
			defer mu.Unlock()
			got[status]++
		})
	}
	stop, most := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		for {
			select {
			case <-stop:
				most <- n
				return
			case <-time.After(100 * time.Microsecond):
				d.bodies.mu.Lock()
				n = max(n, d.bodies.held)
				d.bodies.mu.Unlock()
			}
		}
	}()
	all.Wait()
	close(stop)
	if n := <-most; n > blocks {
		t.Errorf("%d blocks were held, want %d at most", n, blocks)
	}
	if got[200]+got[503]+got[0] != clients {
		t.Errorf("got %v, want each to go through or to be told to come again", got)
	}
	t.Logf("answers: %v", got)
	http.DefaultClient.CloseIdleConnections()
	d.holds(0)
	d.wants(d.begins(10, 10), "200")
	if n := len(d.bodies.spare); n > blocks {
		t.Errorf("%d blocks are kept, more than there may be", n)
	}
}
