package store_test

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"llave/internal/secret"
	"llave/internal/store"
)

var update = flag.Bool("update", false, "write the table of collections into docs/security.md")

// TestCollections_inDocs compares the inventory in docs/security.md with what is declared.
func TestCollections_inDocs(t *testing.T) {
	const page, begin, end = "../../docs/security.md", "<!-- begin: collections -->\n", "<!-- end: collections -->"
	raw, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(raw), begin)
	is, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("%s has no place for the table: %q to %q", page, begin, end)
	}
	want := inventory()
	if is == want {
		return
	}
	if *update {
		if err := os.WriteFile(page, []byte(before+begin+want+end+after), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("%s does not say what is declared (go test ./internal/store -run Collections -update):\n%s", page, want)
}

// inventory is the table: what stands where, why, sealed how, kept how long.
func inventory() string {
	var b strings.Builder
	b.WriteString("| collection | what stands in it | why | sealed | kept |\n|---|---|---|---|---|\n")
	for _, c := range store.Collections {
		var sealed []string
		for _, f := range secret.Stored {
			if f.Collection == c.Name {
				sealed = append(sealed, "`"+f.Name+"`")
			}
		}
		slices.Sort(sealed)
		b.WriteString("| `" + c.Name + "` | " + strings.Join([]string{c.Holds, c.Why, c.Whole + strings.Join(sealed, ", "), c.Until}, " | ") + " |\n")
	}
	return b.String()
}

// TestCollections_sealed holds that what is sealed lies in collections that there are.
func TestCollections_sealed(t *testing.T) {
	for _, f := range secret.Stored {
		if !slices.ContainsFunc(store.Collections, func(c store.Collection) bool { return c.Name == f.Collection }) {
			t.Errorf("%s is sealed in %q, which is no collection", f.Name, f.Collection)
		}
	}
}
