package config

import (
	"fmt"
	"slices"
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

// EnvExample is the settings as a .env to begin with: every one with its meaning and its default, none of them set.
func EnvExample() string {
	var b strings.Builder
	b.WriteString("# Settings of Llave. Copy this to .env in the folder that it is started in, for its user alone (chmod 600), and take the # off what\n" +
		"# you set: what stands behind a name is its default. A $ is a $. The environment wins. To try them: llave serve --check, llave doctor\n" +
		"# Written by: go test ./internal/config -update\n")
	plain := func(s string) string { return strings.ReplaceAll(s, "`", "") }
	for _, s := range settings {
		fmt.Fprintf(&b, "\n# %s\n", plain(s.meaning))
		if s.shown != "" {
			fmt.Fprintf(&b, "# (%s)\n", plain(s.shown))
		}
		if slices.Contains(secrets, s.name) {
			fmt.Fprintf(&b, "# A secret: or %s%s=/path/of/a/file that holds it.\n", s.name, inFile)
		}
		fmt.Fprintf(&b, "#%s=%s\n", s.name, s.fallback)
	}
	return b.String()
}
