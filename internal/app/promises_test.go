package app

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"llave/internal/store"
	"llave/internal/store/storetest"
)

// Whatever is promised to be filed has its table: every topic that stands in a bot.KeepFile of the program is known to
// keepFile. One that is made of parts begins with a word of its own, and each that can come of it is named here.
func TestKeepFile_everyTopic(t *testing.T) {
	a := &App{Store: store.New(storetest.Bolt(t, nil))}
	parts := map[string][]string{"done_": {"unlock", "generate"}}
	seen := 0
	for at, topic := range filedTopics(t) {
		ends, made := parts[topic]
		if !made {
			ends = []string{""}
		}
		for _, end := range ends {
			seen++
			if _, _, ok := a.filed(topic + end); !ok {
				t.Errorf("%s promises a file of topic %q, which keepFile has no table for", at, topic+end)
			}
		}
	}
	if seen < 4 {
		t.Errorf("found %d topics, which cannot be all", seen)
	}
}

// filedTopics are the topics of the files that the program promises, by where that is. Of a topic that is put together it
// is the first part.
func filedTopics(t *testing.T) map[string]string {
	t.Helper()
	topics := map[string]string{}
	fset := token.NewFileSet()
	err := filepath.WalkDir("../..", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(fset, name, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if what, ok := n.(*ast.CompositeLit); ok && named(what.Type) == "KeepFile" {
				topics[fset.Position(what.Pos()).String()] = topicOf(what)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return topics
}

// named is the last part of a type's name.
func named(typ ast.Expr) string {
	switch typ := typ.(type) {
	case *ast.Ident:
		return typ.Name
	case *ast.SelectorExpr:
		return typ.Sel.Name
	}
	return ""
}

// topicOf reads the topic that a literal gives, as far as it stands there.
func topicOf(what *ast.CompositeLit) string {
	for _, element := range what.Elts {
		pair, ok := element.(*ast.KeyValueExpr)
		if !ok || named(pair.Key) != "Topic" {
			continue
		}
		value := pair.Value
		if sum, ok := value.(*ast.BinaryExpr); ok {
			value = sum.X
		}
		if text, ok := value.(*ast.BasicLit); ok {
			topic, _ := strconv.Unquote(text.Value) // it was parsed: it is a string
			return topic
		}
	}
	return "(not readable: write it as a string)"
}
