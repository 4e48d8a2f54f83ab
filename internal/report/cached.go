package report

import (
	"context"
	"sync"
	"time"
)

// Cached is a book that reads at most once a minute, however many look at its page: the entries of a busy month are many. It is safe for
// use by many goroutines.
type Cached struct {
	Book

	mu   sync.Mutex
	last Span
}

// fresh is how long what was read is shown again.
const fresh = time.Minute

// Read is the book's, of a minute ago at most. Whoever asks meanwhile waits for who reads.
func (c *Cached) Read(ctx context.Context, from, to Month) (Span, error) {
	now, err := c.Shelf.Now(ctx)
	if err != nil {
		return Span{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if age := now.Sub(c.last.At); c.last.From == from && c.last.To == to && age >= 0 && age < fresh {
		return c.last, nil
	}
	span, err := c.Book.Read(ctx, from, to)
	if err == nil {
		c.last = span
	}
	return span, err
}
