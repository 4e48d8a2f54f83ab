package archtest

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	promised  = regexp.MustCompile(`(?m)^- \*\*(P[1-9][0-9]{2})\*\* `)
	cited     = regexp.MustCompile(`(?:^|[^.\w])(P[1-9][0-9]{2})\b`) // not elliptic.P256
	elsewhere = regexp.MustCompile(`\b(SPEC [0-9]|SPEC section|\(DESIGN)`)
)

// cites are the files that cite a promise, by its number. Test data and what is not text cites nothing.
func cites(t *testing.T) map[string][]string {
	t.Helper()
	by := map[string][]string{}
	walk(t, func(name string) error {
		if base := filepath.Base(name); base == "promises.md" || base == "promises_test.go" {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		for _, m := range cited.FindAllStringSubmatch(string(text), -1) {
			by[m[1]] = append(by[m[1]], name)
		}
		if found := elsewhere.FindString(string(text)); found != "" {
			t.Errorf("%s cites %q, which the repository does not hold: cite docs/promises.md", name, found)
		}
		return nil
	}, ".go", ".md", ".toml")
	return by
}

// Every promise that is cited stands in docs/promises.md, and every one that stands there is cited in the code or by a
// test, once at least.
func TestPromises_cited(t *testing.T) {
	text, err := os.ReadFile("../../docs/promises.md")
	if err != nil {
		t.Fatal(err)
	}
	var known []string
	for _, m := range promised.FindAllStringSubmatch(string(text), -1) {
		known = append(known, m[1])
	}
	if len(known) < 50 || !slices.IsSorted(known) || len(slices.Compact(slices.Clone(known))) != len(known) {
		t.Errorf("docs/promises.md: %d promises, sorted %t, want each number once, in order", len(known), slices.IsSorted(known))
	}
	by := cites(t)
	for p, files := range by {
		if !slices.Contains(known, p) {
			t.Errorf("%s is cited by %s and does not stand in docs/promises.md", p, files[0])
		}
	}
	for _, p := range known {
		if !slices.ContainsFunc(by[p], func(file string) bool { return strings.HasSuffix(file, ".go") }) {
			t.Errorf("%s is cited by no code and no test: who holds it?", p)
		}
	}
}
