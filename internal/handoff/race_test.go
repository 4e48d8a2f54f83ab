//go:build race

package handoff

// raced says that the tests run under the race detector, which finds nothing in a calendar: it then walks a few days.
const raced = true
