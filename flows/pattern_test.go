package flows_test

import (
	"slices"
	"testing"

	"llave/bot"
	"llave/flows"
	"llave/flows/meaning"
)

// A pattern finds in all sentences what its regular expression finds.
func TestPattern(t *testing.T) {
	t.Parallel()
	all, err := meaning.BuiltIn()
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range flows.Patterns {
		found := 0
		for _, s := range all.Said {
			said := bot.Fold(s.Text)
			got, want := p.MatchString(said), p.Regexp.MatchString(said)
			if got != want {
				t.Errorf("%s in %q: %v, want %v", name, said, got, want)
			}
			if got {
				found++
			}
		}
		if found == 0 {
			t.Errorf("%s is found nowhere", name)
		}
	}
}

// Of a pattern it is known what stands in each of its matches, unless nothing does.
func TestPattern_parts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		expr string
		want []string
	}{
		{`\b(?:fuego|in?cendio\w*)\b`, []string{"cendio", "fuego"}},
		{`(?:me|nos) (?:muero|ahogo)+`, []string{"ahogo", "muero"}},
		{`(?:la )?casa|(?:mi )casa grande`, []string{"casa"}},
		{`a|\w+`, nil},
		{`(?i)fuego`, nil},
	} {
		if got := flows.PartsOf(tt.expr); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.expr, got, tt.want)
		}
	}
	for name, p := range flows.Patterns {
		if len(flows.PartsOf(p.String())) == 0 {
			t.Errorf("%s: nothing stands in all its matches", name)
		}
	}
}
