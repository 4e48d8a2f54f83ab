package wire

import (
	"log/slog"
	"sync"
	"time"
)

// seldomEvery is how often a Seldom writes.
const seldomEvery = time.Minute

// Seldom writes a warning that somebody else can cause as often as they like: once a minute at most, with how many were left
// out since the last. The zero value is ready. It is safe for use by many goroutines.
type Seldom struct {
	mu   sync.Mutex
	last time.Time
	left int
}

// Warn writes the line, or counts it.
func (s *Seldom) Warn(log *slog.Logger, msg string, args ...any) {
	s.warn(time.Now(), log, msg, args...)
}

func (s *Seldom) warn(now time.Time, log *slog.Logger, msg string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.last.IsZero() && now.Sub(s.last) < seldomEvery {
		s.left++
		return
	}
	if s.left > 0 {
		args = append(args, "more_since_the_last", s.left)
	}
	s.last, s.left = now, 0
	log.Warn(msg, args...)
}
