package web

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Text and what it stands on, by the names of the style sheet.
var contrasts = []struct{ text, ground string }{
	{"ink", "paper"}, {"ink", "ground"}, {"soft", "paper"}, {"soft", "ground"}, {"link", "paper"}, {"link", "ground"},
	{"on-brand", "brand"}, {"good", "good-ground"}, {"bad", "bad-ground"}, {"bad", "paper"}, {"bad", "ground"}, {"good", "paper"},
}

// Contrast is 7:1 and more (WCAG 2.2 AAA) in light and in dark; what only marks a border or the focus 3:1.
func TestContrast(t *testing.T) {
	css, err := files.ReadFile("assets/llave.css")
	if err != nil {
		t.Fatal(err)
	}
	light, rest, _ := strings.Cut(string(css), "prefers-color-scheme: dark")
	dark, _, _ := strings.Cut(rest, "*, *::before")
	colours := map[string]string{}
	for _, theme := range []struct{ name, css string }{{"light", light}, {"dark", dark}} {
		for _, m := range regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{6})`).FindAllStringSubmatch(theme.css, -1) {
			colours[m[1]] = m[2]
		}
		for _, c := range contrasts {
			if got := contrast(colours[c.text], colours[c.ground]); got < 7 || math.IsNaN(got) {
				t.Errorf("%s: %s on %s has %.1f:1, want 7:1", theme.name, c.text, c.ground, got)
			}
		}
		for _, ground := range []string{"paper", "ground"} {
			if got := contrast(colours["focus"], colours[ground]); got < 3 {
				t.Errorf("%s: focus on %s has %.1f:1, want 3:1", theme.name, ground, got)
			}
		}
	}
}

func contrast(a, b string) float64 {
	la, lb := luminance(a), luminance(b)
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

func luminance(hex string) float64 {
	if len(hex) != 7 {
		return math.NaN()
	}
	n, err := strconv.ParseUint(hex[1:], 16, 32)
	if err != nil {
		return math.NaN()
	}
	linear := func(v uint64) float64 {
		s := float64(v&255) / 255
		if s <= 0.04045 {
			return s / 12.92
		}
		return math.Pow((s+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(n>>16) + 0.7152*linear(n>>8) + 0.0722*linear(n)
}
