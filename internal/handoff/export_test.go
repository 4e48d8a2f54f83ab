package handoff

// Raced says that the tests run under the race detector.
const Raced = raced
