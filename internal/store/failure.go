package store

import (
	"context"
	"errors"
	"syscall"
)

// Failure is the error of an operation that the store could not do, other than by an answer (ErrNotFound, ErrDuplicate,
// ErrConflict). Whoever logs errors knows by it that the store is the matter.
type Failure struct{ Err error }

// Error is the engine's words.
func (f *Failure) Error() string { return f.Err.Error() }

// Unwrap is the engine's error.
func (f *Failure) Unwrap() error { return f.Err }

// isAnswer says whether an error is an engine's answer, or the caller's doing.
func isAnswer(err error) bool {
	for _, answer := range []error{ErrNotFound, ErrDuplicate, ErrConflict, context.Canceled} {
		if errors.Is(err, answer) {
			return true
		}
	}
	return false
}

// Cause is why the store failed, in a few words that quote no document; "" where nothing is known of it. An error says it by a
// method Cause; of what the system says its own words are taken.
func Cause(err error) string {
	var said interface{ Cause() string }
	if errors.As(err, &said) {
		return said.Cause()
	}
	var system syscall.Errno
	if errors.As(err, &system) {
		return system.Error()
	}
	return ""
}
