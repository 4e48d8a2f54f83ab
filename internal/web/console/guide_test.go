package console_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What the agents' guide says to press stands on the pages by that name, and its pictures are there.
func TestGuide(t *testing.T) {
	guide, err := os.ReadFile("../../../docs/agentes.md")
	if err != nil {
		t.Fatal(err)
	}
	var pages strings.Builder
	err = filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !slices.Contains([]string{".html", ".js"}, filepath.Ext(name)) {
			return err
		}
		text, err := os.ReadFile(name)
		pages.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`\*\*([^*]+)\*\*`).FindAllStringSubmatch(string(guide), -1)
	if len(names) < 40 {
		t.Fatalf("only %d names found", len(names))
	}
	for _, n := range names {
		if strings.HasSuffix(n[1], ".") { // a rule
			continue
		}
		if !strings.Contains(pages.String(), n[1]) {
			t.Errorf("no page has %q", n[1])
		}
	}
	for _, p := range regexp.MustCompile(`!\[[^]]+\]\(([^)]+)\)`).FindAllStringSubmatch(string(guide), -1) {
		if _, err := os.Stat("../../../docs/" + p[1]); err != nil {
			t.Error(err)
		}
	}
}
