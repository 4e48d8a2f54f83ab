package app

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"llave/flows"
	"llave/internal/mail"
)

// parsed are the files of a package, without its tests.
func parsed(t *testing.T, dir string) (files []*ast.File) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}

// parsedChannel is what a package's source says of its channel: what it is called, "" if it is none, and whether it has a
// Run, and a Delete that looks at which message is meant.
type parsedChannel struct {
	name          string
	runs, deletes bool
}

func channelIn(t *testing.T, dir string) (c parsedChannel) {
	t.Helper()
	for _, f := range parsed(t, dir) {
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				c.runs = c.runs || n.Recv != nil && n.Name.Name == "Run"
				c.deletes = c.deletes || n.Recv != nil && n.Name.Name == "Delete" && usesLast(n)
				return false
			case *ast.ValueSpec:
				if text, ok := valueOf(n); ok && n.Names[0].Name == "Name" {
					c.name = text
				}
			}
			return true
		})
	}
	return c
}

// usesLast says whether a function's body names its last parameter.
func usesLast(f *ast.FuncDecl) (uses bool) {
	params := f.Type.Params.List
	if len(params) == 0 || len(params[len(params)-1].Names) == 0 {
		return false
	}
	names := params[len(params)-1].Names
	ast.Inspect(f.Body, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		uses = uses || ok && id.Name != "_" && id.Name == names[len(names)-1].Name
		return true
	})
	return uses
}

func valueOf(spec *ast.ValueSpec) (string, bool) {
	if len(spec.Values) != 1 {
		return "", false
	}
	lit, ok := spec.Values[0].(*ast.BasicLit)
	if !ok {
		return "", false
	}
	text, err := strconv.Unquote(lit.Value)
	return text, err == nil
}

// bound are the packages whose channels the wiring binds, and whether it gives their Run.
func bound(t *testing.T) map[string]bool {
	t.Helper()
	runs := map[string]bool{}
	for _, f := range parsed(t, ".") {
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || named(call.Fun) != "bind" || len(call.Args) != 3 {
				return true
			}
			if name, ok := call.Args[0].(*ast.SelectorExpr); ok {
				runs[named(name.X)] = named(call.Args[2]) != "nil"
			}
			return true
		})
	}
	return runs
}

// runByCommand are channels that a command runs, and not Start.
var runByCommand = map[string]bool{"terminal": true}

// Every channel there is, a package under bot that has a Name, is bound, is run if it has a Run, and is known wherever
// channels are named: in what becomes of a message, in letters, in the console.
func TestChannels_everywhere(t *testing.T) {
	letters, err := mail.NewComposer(mail.ComposerOptions{PublicURL: "https://llave.example", Zone: time.UTC})
	if err != nil {
		t.Fatal(err)
	}
	letter := func(channel string) string {
		l, err := letters.Compose(mail.Unlocked, mail.Data{Channel: channel, At: time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)})
		if err != nil {
			t.Fatal(err)
		}
		return l.Text
	}
	console, err := os.ReadFile("../web/console/templates/frame/words.part.html")
	if err != nil {
		t.Fatal(err)
	}
	dirs, err := filepath.Glob("../../bot/*")
	if err != nil {
		t.Fatal(err)
	}
	wired, seen := bound(t), 0
	for _, dir := range dirs {
		c := channelIn(t, dir)
		name := c.name
		if name == "" {
			continue
		}
		seen++
		pkg := filepath.Base(dir)
		started, isBound := wired[pkg]
		becomes, known := erasing[name]
		for missing, there := range map[string]bool{
			"is not bound (bindChannels)":                                         isBound,
			"has a Run that nobody runs (bindChannels, or runByCommand)":          !isBound || !c.runs || started || runByCommand[pkg],
			"is not in erasing":                                                   known,
			"is flows.Deleted in erasing, and its Delete deletes nothing":         becomes != flows.Deleted || c.deletes,
			"has no words in a letter (internal/mail/templates/common.txt)":       letter(name) != letter("nobody's"),
			"has no words in the console (internal/web/console, templates/frame)": strings.Contains(string(console), fmt.Sprintf("eq . %q", name)),
		} {
			if !there {
				t.Errorf("channel %s (bot/%s) %s", name, pkg, missing)
			}
		}
	}
	if seen < 4 {
		t.Errorf("found %d channels, which cannot be all", seen)
	}
}

// A channel of which nothing is said is refused at the start.
func TestBind_unknownChannel(t *testing.T) {
	if err := (&App{}).bind("fax", nil, nil); err == nil {
		t.Error("a channel was bound of which erasing says nothing")
	}
}
