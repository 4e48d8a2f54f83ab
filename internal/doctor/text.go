package doctor

import (
	"fmt"
	"io"
	"strings"
)

// colours are for terminals; the word alone says the same.
var colours = map[Status]string{Green: "\x1b[32m", Yellow: "\x1b[33m", Red: "\x1b[31m"}

const plainAgain = "\x1b[0m"

// Write prints the report for people, with colours for a terminal.
func (r Report) Write(w io.Writer, coloured bool) error {
	var b strings.Builder
	last, wide := "", 15 // a setting's name is longer than a check's
	for _, f := range r.Findings {
		wide = max(wide, len(f.Check))
	}
	for _, f := range r.Findings {
		if f.Section != last {
			fmt.Fprintf(&b, "%s\n", f.Section)
			last = f.Section
		}
		status := fmt.Sprintf("%-7s", f.Status)
		if coloured {
			status = colours[f.Status] + status + plainAgain
		}
		fmt.Fprintf(&b, "  %s %-*s %s\n", status, wide, f.Check, f.Found)
		if f.Do != "" {
			fmt.Fprintf(&b, "%*s→ %s\n", wide+12, "", f.Do)
		}
	}
	green, yellow, red := r.count()
	fmt.Fprintf(&b, "\n%d green, %d yellow, %d red\n", green, yellow, red)
	_, err := io.WriteString(w, b.String())
	return err
}

func (r Report) count() (green, yellow, red int) {
	for _, f := range r.Findings {
		switch f.Status {
		case Green:
			green++
		case Yellow:
			yellow++
		default:
			red++
		}
	}
	return green, yellow, red
}
