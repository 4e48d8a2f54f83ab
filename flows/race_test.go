//go:build race

package flows_test

// raced says that the tests run under the race detector, which a walk of one conversation has no use for.
const raced = true
