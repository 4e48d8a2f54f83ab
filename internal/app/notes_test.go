package app_test

import (
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"os"
	"strconv"
	"strings"
	"testing"

	"llave/internal/handoff"
)

// What the conversation writes down of a case with the desk has words in the console: neither package may know the other.
func TestNotes_haveWords(t *testing.T) {
	page, err := os.ReadFile("../web/console/templates/frame/words.part.html")
	if err != nil {
		t.Fatal(err)
	}
	_, words, found := strings.Cut(string(page), `{{define "event"}}`)
	if !found {
		t.Fatal("the console has no words for events")
	}
	parsed, err := parser.ParseFile(gotoken.NewFileSet(), "../../flows/hear_desk.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	notes := 0
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 || !strings.HasPrefix(spec.Names[0].Name, "Note") {
			return true
		}
		code := handoff.NoteBlocked // the one that the desk itself knows
		if of, ok := spec.Values[0].(*ast.SelectorExpr); !ok || of.Sel.Name != "NoteBlocked" {
			code, err = strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
		}
		notes++
		if !strings.Contains(words, "eq . "+strconv.Quote(code)+"}}") {
			t.Errorf("%s: the console has no words for %q", spec.Names[0].Name, code)
		}
		return true
	})
	if notes < 20 {
		t.Errorf("found %d notes in flows: they are declared elsewhere now", notes)
	}
}
