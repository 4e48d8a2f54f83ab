package importer

import (
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
)

// every is how often a line is written where there is no terminal to draw on.
const every = 5 * time.Second

// Progress returns a Report that shows people how far an import is: a bar with rate and time left on a terminal, a
// line every few seconds elsewhere or where the size is not known. It writes to [w], which is never standard output.
func Progress(w io.Writer, terminal bool, size int64) func(Status) {
	if !terminal || size <= 0 {
		return progressLines(w)
	}
	bar := progressbar.NewOptions64(size,
		progressbar.OptionSetWriter(w),
		progressbar.OptionShowBytes(true),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionFullWidth(),
	)
	return func(s Status) {
		bar.Describe(fmt.Sprintf("%s rows, %s rejected", thousands(s.Rows), thousands(s.Rejected)))
		_ = bar.Set64(min(s.Bytes, size)) // fails when the terminal has gone, and the import does not need it
		if s.Done {
			_ = bar.Exit()
			fmt.Fprintln(w)
		}
	}
}

func progressLines(w io.Writer) func(Status) {
	var last time.Duration
	return func(s Status) {
		if !s.Done && s.Elapsed-last < every {
			return
		}
		last = s.Elapsed
		line := fmt.Sprintf("%s rows, %s rejected", thousands(s.Rows), thousands(s.Rejected))
		if seconds := s.Elapsed.Seconds(); seconds > 0 {
			line += fmt.Sprintf(", %s rows/s", thousands(int64(float64(s.Rows)/seconds)))
		}
		if left := timeLeft(s); left > 0 {
			line += fmt.Sprintf(", %d%%, %s left", s.Bytes*100/s.Size, left)
		}
		fmt.Fprintln(w, line)
	}
}

// timeLeft is zero when it cannot be told.
func timeLeft(s Status) time.Duration {
	if s.Done || s.Size <= 0 || s.Bytes <= 0 || s.Bytes >= s.Size {
		return 0
	}
	return time.Duration(float64(s.Elapsed) * float64(s.Size-s.Bytes) / float64(s.Bytes)).Round(time.Second)
}

func thousands(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
