//go:build race

package meaning_test

// raceDetector makes learning ten times slower; what learns is then left to the run without it.
const raceDetector = true
