package handoff_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"llave/bot"
	"llave/internal/handoff"
)

// A text is sent whole: its parts are all its words in their order, each within what a message holds, and no number is cut.
func TestParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.SampledFrom([]string{"correo", "a", "1712 345 678", "ñandú.", "\n", "\n\n", "¿Sí?", strings.Repeat("x", 900), "0991234567"}), 0, 1500).Draw(t, "words")
		text := strings.TrimSpace(strings.Join(words, " "))
		parts := handoff.Parts(text)
		if got, want := strings.Join(strings.Fields(strings.Join(parts, " ")), ""), strings.Join(strings.Fields(text), ""); got != want {
			t.Fatalf("%d letters of %d", len(got), len(want))
		}
		for i, p := range parts {
			if utf8.RuneCountInString(p) > bot.LineRunes || p == "" && text != "" {
				t.Fatalf("part %d has %d letters", i, utf8.RuneCountInString(p))
			}
			if i > 0 {
				before, _ := utf8.DecodeLastRuneInString(parts[i-1])
				after, _ := utf8.DecodeRuneInString(p)
				if unicode.IsDigit(before) && unicode.IsDigit(after) {
					t.Fatalf("a number is cut between parts %d and %d", i-1, i)
				}
			}
		}
	})
}
