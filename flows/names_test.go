package flows_test

import (
	"slices"
	"testing"
	"unicode/utf8"

	"llave/flows"
	"llave/flows/meaning"
)

// Every meaning that the model knows and every place that sentences are kept of has a name of its own, and nothing else has.
func TestNames(t *testing.T) {
	names, err := flows.ReadNames()
	if err != nil {
		t.Fatal(err)
	}
	var meanings, titles []string
	for _, m := range names.Meanings {
		meanings, titles = append(meanings, m.Name), append(titles, m.Title)
		if n := utf8.RuneCountInString(m.Title); n == 0 || n > 45 {
			t.Errorf("%s is called %q", m.Name, m.Title)
		}
	}
	known := slices.Clone(meaning.Default().Meanings())
	slices.Sort(known)
	slices.Sort(meanings)
	if !slices.Equal(meanings, known) {
		t.Errorf("names of meanings %v, want %v", meanings, known)
	}
	slices.Sort(titles)
	if once := slices.Compact(slices.Clone(titles)); len(once) != len(titles) {
		t.Errorf("two meanings have one name: %v", titles)
	}
	reader, err := flows.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	places := slices.DeleteFunc(reader.States(), func(s string) bool { return s == "any" })
	for _, p := range places {
		if names.Places[p] == "" {
			t.Errorf("place %q has no name", p)
		}
	}
	if len(names.Places) != len(places) {
		t.Errorf("%d places have names, of %d", len(names.Places), len(places))
	}
}
