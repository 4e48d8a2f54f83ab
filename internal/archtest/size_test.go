package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"
)

const (
	medianLines = 9  // of a function, from its first line to its last
	tenthLines  = 27 // nine in ten are not longer
	mostParams  = 5
)

// eachFile calls do with every parsed file of ours that is no test.
func eachFile(t *testing.T, do func(fset *token.FileSet, f *ast.File)) {
	t.Helper()
	eachFileOf(t, func(name string) bool { return !strings.HasSuffix(name, "_test.go") }, do)
}

// eachFileOf calls do with every parsed file whose name is wanted.
func eachFileOf(t *testing.T, wanted func(name string) bool, do func(fset *token.FileSet, f *ast.File)) {
	t.Helper()
	fset, files := token.NewFileSet(), 0
	walk(t, func(name string) error {
		if !wanted(name) {
			return nil
		}
		f, err := parser.ParseFile(fset, name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		files++
		do(fset, f)
		return nil
	}, ".go")
	if files < 100 {
		t.Fatalf("only %d files found: is this the repository?", files)
	}
}

// params counts what a function takes, its receiver not among it: a, b int are two, an unnamed one is one.
func params(f *ast.FuncType) int {
	n := 0
	for _, p := range f.Params.List {
		n += max(1, len(p.Names))
	}
	return n
}

// Functions take five parameters at most, in tests too: what needs more takes a struct that names them. What a fuzz target is
// handed can be in none.
func TestSize_parameters(t *testing.T) {
	all := func(string) bool { return true }
	eachFileOf(t, all, func(fset *token.FileSet, f *ast.File) {
		fuzzed := map[ast.Node]bool{}
		ast.Inspect(f, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				if s, ok := call.Fun.(*ast.SelectorExpr); ok && s.Sel.Name == "Fuzz" && len(call.Args) == 1 {
					if target, ok := call.Args[0].(*ast.FuncLit); ok {
						fuzzed[target.Type] = true
					}
				}
			}
			if f, ok := n.(*ast.FuncType); ok && params(f) > mostParams && !fuzzed[f] {
				t.Errorf("%s: %d parameters; %d at most", fset.Position(f.Pos()), params(f), mostParams)
			}
			return true
		})
	})
}

// Functions stay short: half of them have at most medianLines lines and nine in ten at most tenthLines, so that one long
// straight function costs nothing; what is hard to follow rather than long, gocognit finds.
func TestSize_functions(t *testing.T) {
	var lines []int
	eachFile(t, func(fset *token.FileSet, f *ast.File) {
		ast.Inspect(f, func(n ast.Node) bool {
			if f, ok := n.(*ast.FuncDecl); ok && f.Body != nil {
				lines = append(lines, fset.Position(f.End()).Line-fset.Position(f.Pos()).Line+1)
			}
			return true
		})
	})
	slices.Sort(lines)
	rank := func(p int) int { return lines[(len(lines)*p+99)/100-1] }
	t.Logf("%d functions, lines: median %d, p90 %d, longest %d", len(lines), rank(50), rank(90), rank(100))
	if rank(50) > medianLines || rank(90) > tenthLines {
		t.Errorf("lines per function: median %d, p90 %d; at most %d and %d", rank(50), rank(90), medianLines, tenthLines)
	}
}

// Everything exported has a comment: functions, methods of exported types, types, variables and constants. It stands above or, where
// all of it is one line, at its end; a group may have one in common.
func TestSize_exportedHaveComments(t *testing.T) {
	eachFile(t, func(fset *token.FileSet, f *ast.File) {
		for _, d := range f.Decls {
			for _, name := range uncommented(d) {
				if commentedBeside(fset, f, d) {
					continue
				}
				t.Errorf("%s: %s has no comment", fset.Position(name.Pos()), name.Name)
			}
		}
	})
}

// uncommented are the exported names that a declaration makes without a word about them.
func uncommented(d ast.Decl) []*ast.Ident {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Doc == nil && d.Name.IsExported() && ofExported(d) {
			return []*ast.Ident{d.Name}
		}
	case *ast.GenDecl:
		if d.Doc != nil {
			return nil
		}
		var bare []*ast.Ident
		for _, s := range d.Specs {
			bare = append(bare, uncommentedIn(s)...)
		}
		return bare
	}
	return nil
}

// commentedBeside says whether a comment begins in the line where d ends.
func commentedBeside(fset *token.FileSet, f *ast.File, d ast.Decl) bool {
	first, last := fset.Position(d.Pos()).Line, fset.Position(d.End()).Line
	return first == last && slices.ContainsFunc(f.Comments, func(c *ast.CommentGroup) bool {
		return c.Pos() >= d.End() && fset.Position(c.Pos()).Line == last
	})
}

func uncommentedIn(s ast.Spec) []*ast.Ident {
	var names []*ast.Ident
	switch s := s.(type) {
	case *ast.TypeSpec:
		if s.Doc == nil && s.Comment == nil {
			names = append(names, s.Name)
		}
	case *ast.ValueSpec:
		if s.Doc == nil && s.Comment == nil {
			names = slices.Clone(s.Names)
		}
	}
	return slices.DeleteFunc(names, func(n *ast.Ident) bool { return !n.IsExported() })
}

// ofExported says whether f is a plain function or a method of a type that others can name.
func ofExported(f *ast.FuncDecl) bool {
	if f.Recv == nil {
		return true
	}
	exported := false
	ast.Inspect(f.Recv.List[0].Type, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && !exported {
			exported = id.IsExported()
			return false
		}
		return true
	})
	return exported
}
