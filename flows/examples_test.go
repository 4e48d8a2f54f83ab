package flows_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"llave/internal/key"
)

var (
	drawnText = regexp.MustCompile(`<text [^>]*font-size="(\d+)"[^>]*>([^<]*)</text>`)
	oneWord   = regexp.MustCompile(`^\p{L}{2,}$`)
	anExample = regexp.MustCompile(`(?i)(?:por ejemplo|for example)[^.:"]*:? ([^.":]+)`)
	quoted    = regexp.MustCompile(`«([^»]+)»|“([^”]+)”`)
)

// shownExamples are what our drawings and texts show that somebody may take for a key to copy: three and more single words in
// letters of one size, and what a text gives as an example or in quotation marks.
func shownExamples(t *testing.T) (out []string) {
	t.Helper()
	drawings, err := filepath.Glob("images/*.svg")
	if err != nil || len(drawings) == 0 {
		t.Fatalf("no drawings: %v", err)
	}
	for _, file := range drawings {
		svg, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var size string
		var words []string
		for _, m := range append(drawnText.FindAllStringSubmatch(string(svg), -1), []string{"", "", ""}) {
			single := oneWord.MatchString(m[2])
			if (!single || m[1] != size) && len(words) > 2 {
				out = append(out, strings.Join(words, " "))
			}
			switch {
			case !single:
				words = nil
			case m[1] != size:
				words = []string{m[2]}
			default:
				words = append(words, m[2])
			}
			size = m[1]
		}
	}
	catalogues, err := filepath.Glob("*.toml")
	if err != nil || len(catalogues) < 2 {
		t.Fatalf("catalogues: %v, %v", catalogues, err)
	}
	for _, file := range catalogues {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range slices.Concat(anExample.FindAllStringSubmatch(string(text), -1), quoted.FindAllStringSubmatch(string(text), -1)) {
			if example := strings.TrimSpace(strings.Join(m[1:], "")); len(strings.Fields(example)) > 2 {
				out = append(out, example)
			}
		}
	}
	return out
}

// Nobody may take for a key what our drawings and texts show, in whatever order and however joined.
func TestExamples_areNoKeys(t *testing.T) {
	examples := shownExamples(t)
	if !slices.Contains(examples, "luna café río silla") {
		t.Errorf("the drawing's words are not among %q", examples)
	}
	for _, example := range examples {
		words := strings.Fields(example)
		turned := slices.Clone(words)
		slices.Reverse(turned)
		for _, order := range [][]string{words, turned} {
			for _, between := range []string{" ", "", "-"} {
				typed := strings.Join(order, between)
				if len(typed) < key.MinLength {
					continue
				}
				for _, typed := range []string{typed, strings.ToUpper(typed), typed + "1"} {
					if len(key.Check(typed, key.About{})) == 0 {
						t.Errorf("%q is taken for a key, and all have seen it: put it into internal/key/lists/examples.txt", typed)
					}
				}
			}
		}
	}
	t.Log(fmt.Sprint(examples))
}
