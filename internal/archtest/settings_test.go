package archtest

import (
	"go/ast"
	"go/token"
	"path/filepath"
	"reflect"
	"testing"

	"llave/internal/config"
)

// TestSettings_read holds that what an operator sets is read: a field of the configuration that the wiring does not name
// would be a setting that does nothing, and nobody would be told.
func TestSettings_read(t *testing.T) {
	read := map[string]bool{}
	eachFile(t, func(fset *token.FileSet, f *ast.File) {
		if filepath.Dir(fset.Position(f.Pos()).Filename) != filepath.Join(root, "internal", "app") {
			return
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				read[s.Sel.Name] = true
			}
			return true
		})
	})
	for _, field := range reflect.VisibleFields(reflect.TypeFor[config.Config]()) {
		if field.IsExported() && !read[field.Name] {
			t.Errorf("config.Config.%s is read nowhere in internal/app, so the setting would do nothing", field.Name)
		}
	}
}
