//go:build !race

package bottest

// Raced says that the tests run under the race detector.
const Raced = false
