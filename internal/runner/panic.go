package runner

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// panicked, deferred, turns a panic into an error: one turn or one try has failed, and the process goes on. Of a panic that the runtime
// did not make only the type is told, since its value may hold anything (P751).
func panicked(err *error) {
	switch p := recover().(type) {
	case nil:
	case runtime.Error:
		*err = fmt.Errorf("panic: %w\n%s", p, debug.Stack())
	default:
		*err = fmt.Errorf("panic: %T\n%s", p, debug.Stack())
	}
}
