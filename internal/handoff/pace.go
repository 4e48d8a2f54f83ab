package handoff

import "time"

// How long somebody has waited against the time in which the desk means to answer (P783).
const (
	PaceCalm = "calm"
	PaceNear = "near" // half of it is over
	PaceLate = "late" // all of it is
)

// Pace says by the target how long a wait is.
func Pace(wait, target time.Duration) string {
	switch {
	case wait >= target:
		return PaceLate
	case wait >= target/2:
		return PaceNear
	}
	return PaceCalm
}
