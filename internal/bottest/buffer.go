package bottest

import (
	"strings"
	"sync"
)

// Buffer keeps what is written to it, a log say, and is safe for use by many goroutines.
type Buffer struct {
	mu sync.Mutex
	b  strings.Builder
}

// Write adds to what is kept.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// String is all that was written.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
