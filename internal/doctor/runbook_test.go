package doctor

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// text is a string of the source.
func text(e ast.Expr) (string, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(lit.Value)
	return s, err == nil
}

// named calls [found] with the names of the checks that a file of ours has: what check and add are called with, the first field
// of tables of checks, and settings that are warned of.
func named(t *testing.T, path string, found func(name string)) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if len(n.Args) == 0 {
				return true
			}
			name, ok := text(n.Args[0])
			switch of := n.Fun.(type) {
			case *ast.SelectorExpr:
				if r, is := of.X.(*ast.Ident); ok && is && r.Name == "s" && (of.Sel.Name == "check" || of.Sel.Name == "add") {
					found(name)
				}
			case *ast.Ident:
				if ok && of.Name == "warn" && strings.HasPrefix(name, "LLAVE_") {
					found(name)
				}
			}
		case *ast.CompositeLit: // {"channels", channels}
			if len(n.Elts) < 2 {
				return true
			}
			name, ok := text(n.Elts[0])
			if _, try := n.Elts[1].(*ast.Ident); ok && (try && n.Type == nil || strings.HasPrefix(name, "LLAVE_") && strings.HasSuffix(path, "unsafe.go")) {
				found(name)
			}
		}
		return true
	})
}

// docs/doctor.md has an entry for each line that doctor can print, under its section, and for nothing else (P814).
func TestRunbook(t *testing.T) {
	page, err := os.ReadFile("../../docs/doctor.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{} // names, by section
	var order []string
	for _, part := range strings.Split(string(page), "\n## ")[1:] {
		section, body, _ := strings.Cut(part, "\n")
		order = append(order, section)
		for _, row := range regexp.MustCompile("(?m)^\\| ([^|]*`[^|]*`[^|]*) \\| [^|]+ \\| [^|]+ \\|$").FindAllStringSubmatch(body, -1) {
			for _, name := range regexp.MustCompile("`([^`]*)`").FindAllStringSubmatch(row[1], -1) {
				rows[section] = append(rows[section], name[1])
			}
		}
	}
	var sections []string
	for _, p := range append(offline[:2:2], online...) {
		sections = append(sections, p.name)
	}
	if !slices.Equal(order, sections) {
		t.Errorf("docs/doctor.md has the sections %q, doctor has %q", order, sections)
	}
	lines := map[string][]string{"settings": {".env"}, "files": {"_FILE"}} // Elsewhere's; those of whatever is given in a file
	for _, section := range sections {
		named(t, strings.ReplaceAll(strings.TrimSuffix(section, " address"), " ", "")+".go", func(name string) { lines[section] = append(lines[section], name) })
	}
	named(t, filepath.Join("..", "config", "unsafe.go"), func(name string) {
		if name != proxiesSetting {
			lines["settings"] = append(lines["settings"], name)
		}
	})
	for section, names := range lines {
		slices.Sort(names)
		for _, name := range slices.Compact(names) {
			if !slices.Contains(rows[section], name) {
				t.Errorf("docs/doctor.md has no entry for %s, %s", section, name)
			}
		}
	}
	for section, names := range rows {
		for _, name := range names {
			if !slices.Contains(lines[section], name) {
				t.Errorf("docs/doctor.md, %s: doctor has no line %s", section, name)
			}
		}
	}
	if len(lines["store"]) < 10 || len(lines["settings"]) < 15 {
		t.Errorf("only these were found: %q", lines)
	}
}
