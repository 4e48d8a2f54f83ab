package flows_test

import (
	"flag"
	"fmt"
	"hash/fnv"
	"os"
	"slices"
	"strings"
	"testing"

	"llave/bot"
)

var looked = flag.String("looked", "", "with -update: keys of Spanish texts whose siblings are right as they stand, with commas between")

// siblingsFile has, of every text that was made from a Spanish one, what both were when it was last right.
const siblingsFile = "testdata/siblings.txt"

// sibling is a text made from a Spanish one: the same in another language, or what is said step by step.
type sibling struct {
	of, where string // key and language, or key and "slow"
	from, is  string // hashes of the Spanish words and of its own
}

func (s sibling) name() string { return s.of + " " + s.where }

func hashed(words ...string) string {
	h := fnv.New32a()
	fmt.Fprintf(h, "%q", words)
	return fmt.Sprintf("%08x", h.Sum32())
}

func hashedText(e bot.Entry) string { return hashed(append([]string{e.Text, e.Place}, e.Again...)...) }

// siblings are all there are, in the order of the file. A button's title is under its id in brackets.
func siblings(languages []bot.Catalogue) (out []sibling) {
	first := languages[0]
	for key, text := range first.Texts {
		if s, ok := first.Texts[key+".slow"]; ok {
			out = append(out, sibling{key, "slow", hashedText(text), hashedText(s)})
		}
		for _, cat := range languages[1:] {
			out = append(out, sibling{key, cat.Language, hashedText(text), hashedText(cat.Texts[key])})
		}
	}
	for id, label := range first.Labels {
		for _, cat := range languages[1:] {
			if label.Title != cat.Labels[id].Title { // languages' own names are the same in all
				out = append(out, sibling{"[" + id + "]", cat.Language, hashed(label.Title), hashed(cat.Labels[id].Title)})
			}
		}
	}
	slices.SortFunc(out, func(a, b sibling) int { return strings.Compare(a.name(), b.name()) })
	return out
}

// A Spanish text that changed names what was made from it and did not: the same in other languages, and step by step.
func TestSiblings(t *testing.T) {
	was := map[string]sibling{}
	file, err := os.ReadFile(siblingsFile)
	if err != nil && !*update {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(file)) {
		if f := strings.Fields(line); len(f) == 4 {
			was[f[0]+" "+f[1]] = sibling{f[0], f[1], f[2], f[3]}
		}
	}
	var lines strings.Builder
	var left []string
	for _, s := range siblings(newEngine(t).Languages()) {
		family := strings.TrimSuffix(s.of, ".slow")
		right := *update && slices.Contains(strings.Split(*looked, ","), family)
		if old, known := was[s.name()]; known && s.from != old.from && s.is == old.is && !right {
			t.Errorf("%s changed in es.toml; %s did not", s.of, place(s))
			left = append(left, family)
			s = old
		}
		fmt.Fprintln(&lines, s.of, s.where, s.from, s.is)
	}
	if len(left) > 0 {
		t.Errorf("change those too; or, which of them are right as they stand: go test ./flows -run Siblings -update -looked '%s'", strings.Join(slices.Compact(left), ","))
	}
	if *update {
		if err := os.WriteFile(siblingsFile, []byte(lines.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if !t.Failed() && lines.String() != string(file) {
		t.Errorf("%s is not the catalogues'; run with -update", siblingsFile)
	}
}

// place says where a sibling stands.
func place(s sibling) string {
	if s.where == "slow" {
		return s.of + ".slow"
	}
	return "its form in " + s.where + ".toml"
}
