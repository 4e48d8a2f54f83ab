//go:build race

package e2e

// raced says that the tests run under the race detector; the binary is then built with it too.
const raced = true
