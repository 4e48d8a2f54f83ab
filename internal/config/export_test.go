package config

import (
	"fmt"
	"strings"
)

// Markdown is the table of settings as the README has it, which a test writes there.
func Markdown() string {
	var b strings.Builder
	b.WriteString("| name | default | meaning |\n|---|---|---|\n")
	for _, s := range settings {
		def := s.shown
		if s.fallback != "" {
			def = "`" + s.fallback + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", s.name, def, s.meaning)
	}
	return b.String()
}
