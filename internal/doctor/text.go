package doctor

import (
	"fmt"
	"io"
	"strings"
)

// signs are what stands before a finding: a sign and a word, so that no colour is needed to tell them apart.
var signs = map[Status]string{Green: "ok     ", Yellow: "look   ", Red: "BROKEN "}

// colours are for terminals.
var colours = map[Status]string{Green: "\x1b[32m", Yellow: "\x1b[33m", Red: "\x1b[31m"}

const plainAgain = "\x1b[0m"

// Write prints the report for people, with colours for a terminal.
func (r Report) Write(w io.Writer, coloured bool) error {
	var b strings.Builder
	last := ""
	for _, f := range r.Findings {
		if f.Section != last {
			fmt.Fprintf(&b, "%s\n", f.Section)
			last = f.Section
		}
		sign := signs[f.Status]
		if coloured {
			sign = colours[f.Status] + sign + plainAgain
		}
		fmt.Fprintf(&b, "  %s%-14s %s\n", sign, f.Check, f.Found)
		if f.Do != "" {
			fmt.Fprintf(&b, "  %9s%-14s → %s\n", "", "", f.Do)
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
