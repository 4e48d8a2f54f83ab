package socket

import "time"

// AnswersWithin sets how long a holder may take to answer, and returns what it was.
func AnswersWithin(d time.Duration) time.Duration {
	was := answersWithin
	answersWithin = d
	return was
}
