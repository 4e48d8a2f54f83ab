package wire

import (
	"context"
	"sync"
	"time"
)

// Trouble is a platform that does not serve us. Since is zero while it does, as far as this process knows.
type Trouble struct {
	Since  time.Time
	Reason string // for the operator; no address, no token, no word of the platform
}

// How often a platform in trouble is asked whether it is over, and how long a question may take.
const (
	askEvery = 5 * time.Second
	askLimit = 10 * time.Second
)

// Health is what a channel has seen of its platform. The zero value is well. It is safe for use by many goroutines.
type Health struct {
	mu      sync.Mutex
	trouble Trouble
	news    time.Time // when something was last seen
}

// Well notes that the platform does what it is asked: that ends trouble.
func (h *Health) Well() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.trouble, h.news = Trouble{}, time.Now()
}

// Ill notes that it does not. Trouble began with the first of these.
func (h *Health) Ill(reason string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.news = time.Now()
	if h.trouble.Since.IsZero() {
		h.trouble.Since = h.news
	}
	h.trouble.Reason = reason
}

// Trouble is how things are now. It does not wait.
func (h *Health) Trouble() Trouble {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.trouble
}

// quiet says whether there is trouble of which nothing was heard lately.
func (h *Health) quiet() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.trouble.Since.IsZero() && time.Since(h.news) >= askEvery
}

// Watch calls [ask] while there is trouble and nothing else tells whether it is over, until [ctx] ends. What [ask] finds it notes
// itself.
func (h *Health) Watch(ctx context.Context, ask func(ctx context.Context)) {
	for Sleep(ctx, askEvery/5) {
		if !h.quiet() {
			continue
		}
		one, cancel := context.WithTimeout(ctx, askLimit)
		ask(one)
		cancel()
	}
}
