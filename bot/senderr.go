package bot

import (
	"errors"
	"fmt"
	"time"
)

// ErrConflict is what a repository returns when the document has moved on since it was read: load it and step again.
var ErrConflict = errors.New("document has moved on")

// Failure says what a failed send means for the promise behind it.
type Failure int

// The kinds of failure. An error that is not a *SendError counts as Temporary.
const (
	Temporary Failure = iota // try again, later
	Throttled                // try again, not before After has passed
	Gone                     // they blocked us or left: stop writing to them
	Permanent                // this message will never be taken; drop it and show it to the operator
	Closed                   // not before the person writes again: a channel lets us speak so long after their last word
)

// String is the word for it in logs and metrics.
func (f Failure) String() string {
	return [...]string{"temporary", "throttled", "gone", "permanent", "closed"}[f]
}

// SendError is what a channel or the mailer returns when something could not be sent. Reason is for the operator and
// holds no address, text or token.
type SendError struct {
	Failure Failure
	After   time.Duration // Throttled: how long to wait
	Whole   bool          // Throttled: the whole channel is asked to wait, not this chat alone
	Reason  string
	Err     error
}

// Error is for the operator: what sort of failure, and why.
func (e *SendError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %s: %v", e.Failure, e.Reason, e.Err)
	}
	return fmt.Sprintf("%s: %s", e.Failure, e.Reason)
}

// Unwrap returns the cause.
func (e *SendError) Unwrap() error { return e.Err }

// KindOf tells what [err] means for the promise.
func KindOf(err error) Failure {
	var s *SendError
	if errors.As(err, &s) {
		return s.Failure
	}
	return Temporary
}
