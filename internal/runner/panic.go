package runner

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
)

// errPanic is what becomes of a panic.
var errPanic = errors.New("panic")

// panicked, deferred, turns a panic into an error: one turn or one try has failed, and the process goes on. Of a panic that the runtime
// did not make only the type is told, since its value may hold anything (P751).
func panicked(err *error) {
	switch p := recover().(type) {
	case nil:
	case runtime.Error:
		*err = fmt.Errorf("%w: %w\n%s", errPanic, p, debug.Stack())
	default:
		*err = fmt.Errorf("%w: %T\n%s", errPanic, p, debug.Stack())
	}
}
