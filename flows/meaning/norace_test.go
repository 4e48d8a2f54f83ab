//go:build !race

package meaning_test

const raceDetector = false
