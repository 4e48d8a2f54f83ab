package bot

import (
	"strings"
	"unicode"

	"github.com/agnivade/levenshtein"
	"golang.org/x/text/unicode/norm"
)

// Clean makes what was typed comparable without changing what it says: one form for every character (NFKC, so
// full-width and mathematical characters become plain ones), nothing invisible, no control characters but line feed
// and tab. Case, accents and spaces stay.
func Clean(s string) string {
	s = strings.ToValidUTF8(s, "")
	if !needsCleaning(s) {
		return s
	}
	return strings.Map(visible, norm.NFKC.String(strings.Map(visible, s)))
}

// Fold is Clean for comparing words: lower case, without accents or other marks (ñ becomes n), one space between
// words and none around them.
func Fold(s string) string {
	s = strings.ToLower(Clean(s))
	s = norm.NFKD.String(s)
	var b strings.Builder
	b.Grow(len(s))
	space := false
	for _, r := range s {
		switch {
		case unicode.Is(unicode.M, r):
		case unicode.IsSpace(r):
			space = b.Len() > 0
		default:
			if space {
				b.WriteByte(' ')
				space = false
			}
			b.WriteRune(r)
		}
	}
	return b.String()
}

// needsCleaning is false for what most people type: printable ASCII.
func needsCleaning(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= 0x7f || c < ' ' && c != '\n' && c != '\t' {
			return true
		}
	}
	return false
}

// visible maps what cannot be seen to nothing: format characters (zero-width, bidi), controls, fillers, variation
// selectors and the keycap around an emoji digit.
func visible(r rune) rune {
	switch {
	case r >= ' ' && r < 0x7f, r > 0xa0 && r < 0x250 && r != 0xad, r == '\n', r == '\t': // Latin: nearly all there is
		return r
	case r == '\r', r == unicode.ReplacementChar:
		return -1
	case r == 0x2028, r == 0x2029: // line and paragraph separator
		return '\n'
	case r == 0x2800: // blank braille pattern
		return ' '
	case r == 0x20e3, r == 0x034f, r == 0x115f, r == 0x1160, r == 0x3164, r == 0xffa0:
		return -1
	case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Variation_Selector):
		return -1
	}
	return r
}

// Alike says whether two words or names are the same but for case, accents, punctuation and a small slip.
func Alike(a, b string) bool {
	a, b = plain(a), plain(b)
	if a == b || a == "" || b == "" {
		return a == b
	}
	return levenshtein.ComputeDistance(a, b) <= max(slips(a), slips(b))
}

// Near says whether two folded words are at most that many letters apart.
func Near(a, b string, letters int) bool {
	if d := len(a) - len(b); d > letters || -d > letters {
		return false
	}
	return levenshtein.ComputeDistance(a, b) <= letters
}

// Slips is how many wrong letters a word or phrase of that many letters forgives.
func Slips(letters int) int {
	switch {
	case letters < 5:
		return 0
	case letters < 9:
		return 1
	}
	return 2
}
