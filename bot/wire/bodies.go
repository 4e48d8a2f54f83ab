package wire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// ErrNoRoom is for whoever is to send the body again later: answer 503 with RetryAfter.
var ErrNoRoom = errors.New("too many bodies at once")

// RetryAfter is how long somebody whose body had no room is asked to wait.
const RetryAfter = 2 * time.Second

const (
	bodiesRoom = 6 << 20 // bytes of all bodies together
	blockSize  = 4 << 10 // bytes that a body takes at a time: a platform's usual webhook
	spareKept  = 16      // blocks that are kept for the next when nobody has a body

	giveWay  = time.Second     // how long room is waited for that somebody was told to give
	longOpen = 2 * time.Second // for so long a body has the same right as another of its size
)

// Bodies is the memory that bodies of requests may take, all of them together, before it is known whom they are from. Anybody may
// send those: many at once, large ones, slowly. A body takes room as it comes, so that what was only announced takes
// none. When none is left, the largest that is still coming gives way to a smaller one, and of two of a size the one that has
// been coming for long. So what is small and quick, as platforms' messages are, goes through whatever else is sent.
//
// The memory is in blocks, which are used again: a body that grows leaves nothing to collect. It is safe for use by many
// goroutines.
type Bodies struct {
	most int // blocks

	mu     sync.Mutex
	held   int // blocks, of all bodies
	spare  [][]byte
	coming map[*Body]struct{}
	going  int           // told to give way, and still there
	freed  chan struct{} // closed when there is room again; nil: nobody waits
}

// NewBodies makes room for 6 MiB of bodies.
func NewBodies() *Bodies {
	return &Bodies{most: bodiesRoom / blockSize, coming: map[*Body]struct{}{}}
}

// Body is the body of a request as it came, in pieces. Release gives its room back.
type Body struct {
	of     *Bodies
	w      http.ResponseWriter
	cost   int // blocks that are counted for each block
	since  time.Time
	blocks [][]byte
	held   int
	gives  bool // way
}

// Read reads the body of a request, which may have so many bytes. Each counts [cost] times: as often as whoever reads it further
// copies it. What is announced as larger is not read at all. The error is ErrNoRoom, an *http.MaxBytesError, or
// the connection's.
func (b *Bodies) Read(w http.ResponseWriter, r *http.Request, most int64, cost int) (*Body, error) {
	if r.ContentLength > most {
		return nil, &http.MaxBytesError{Limit: most}
	}
	body := &Body{of: b, w: w, cost: cost, since: time.Now()}
	if r.ContentLength == 0 {
		return body, nil
	}
	if !b.begin(body, r.ContentLength) {
		return nil, ErrNoRoom
	}
	err := body.fill(r.Context(), http.MaxBytesReader(w, r.Body, most), r.ContentLength)
	if b.arrived(body) {
		// Had the body just come whole, the server took the end of its time for the end of the connection.
		w.Header().Set("Connection", "close")
		err = ErrNoRoom
	}
	if err != nil {
		body.Release()
		return nil, err
	}
	return body, nil
}

// Blocks are the bytes as they came. They are worth nothing after Release.
func (body *Body) Blocks() [][]byte { return body.blocks }

// Bytes returns a copy.
func (body *Body) Bytes() []byte { return bytes.Join(body.blocks, nil) }

// Reader reads the bytes, once. It is worth nothing after Release.
func (body *Body) Reader() io.Reader {
	blocks := net.Buffers(slices.Clone(body.blocks))
	return &blocks
}

// Release gives the room back. It may be called again.
func (body *Body) Release() {
	b := body.of
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held -= body.held
	for _, block := range body.blocks {
		b.spare = append(b.spare, block[:blockSize])
	}
	body.held, body.blocks = 0, nil
	if body.gives {
		body.gives = false
		b.going--
	}
	if b.held == 0 && len(b.spare) > spareKept {
		b.spare = slices.Clone(b.spare[:spareKept]) // the rest is the collector's
	}
	b.wake()
}

// fill reads to the end.
func (body *Body) fill(ctx context.Context, in io.Reader, announced int64) error {
	for size := int64(0); ; {
		block, err := body.of.grow(ctx, body)
		if err != nil {
			return err
		}
		n := 0
		for n < len(block) && err == nil {
			var m int
			m, err = in.Read(block[n:])
			n += m
		}
		body.blocks[len(body.blocks)-1] = block[:n]
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read body: %w", err)
		}
		if size += int64(n); size == announced {
			return nil
		}
	}
}

// begin lets a body come, unless it is seen beforehand that it will get no room.
func (b *Bodies) begin(body *Body, announced int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if announced > 0 {
		whole := int((announced+blockSize-1)/blockSize) * body.cost
		if b.held+whole > b.most && b.going == 0 && b.larger(body, whole) == nil {
			return false
		}
	}
	b.coming[body] = struct{}{}
	return true
}

// arrived ends the coming of a body, and says whether it was told to give way.
func (b *Bodies) arrived(body *Body) (gives bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.coming, body)
	return body.gives
}

// grow gives a body one more block, for which it waits a moment where another was told to give way.
func (b *Bodies) grow(ctx context.Context, body *Body) ([]byte, error) {
	var late <-chan time.Time
	for {
		block, freed, err := b.take(body)
		if block != nil || err != nil {
			return block, err
		}
		if late == nil {
			timer := time.NewTimer(giveWay)
			defer timer.Stop()
			late = timer.C
		}
		select {
		case <-freed:
		case <-late:
			return nil, ErrNoRoom
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// take is a block, or, where somebody will give way, what to wait for.
func (b *Bodies) take(body *Body) (block []byte, freed <-chan struct{}, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if body.gives {
		return nil, nil, ErrNoRoom
	}
	if b.held+body.cost > b.most {
		if b.going == 0 {
			other := b.larger(body, body.held+body.cost)
			if other == nil {
				return nil, nil, ErrNoRoom
			}
			b.end(other)
		}
		if b.freed == nil {
			b.freed = make(chan struct{})
		}
		return nil, b.freed, nil
	}
	b.held += body.cost
	body.held += body.cost
	if n := len(b.spare); n > 0 {
		block, b.spare = b.spare[n-1], b.spare[:n-1]
	} else {
		block = make([]byte, blockSize)
	}
	body.blocks = append(body.blocks, block)
	return block, nil, nil
}

// larger is the one that gives way to a body that wants to hold so much: nil when nobody does.
func (b *Bodies) larger(than *Body, held int) (found *Body) {
	for other := range b.coming {
		if other == than || other.gives {
			continue
		}
		if other.held > held || other.held == held && than.since.Sub(other.since) > longOpen {
			if found == nil || other.held > found.held || other.held == found.held && other.since.Before(found.since) {
				found = other
			}
		}
	}
	return found
}

// end has a body give way: whoever reads it finds the connection's time over. One that has arrived is not ended, since its
// handler would take the end for the sender's going away.
func (b *Bodies) end(body *Body) {
	body.gives = true
	b.going++
	_ = http.NewResponseController(body.w).SetReadDeadline(time.Unix(1, 0)) // where that cannot be, it ends with its next block
	b.wake()                                                                // it may wait for room itself
}

func (b *Bodies) wake() {
	if b.freed != nil {
		close(b.freed)
		b.freed = nil
	}
}
