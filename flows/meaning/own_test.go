package meaning_test

import (
	"cmp"
	"errors"
	"os"
	"slices"
	"testing"

	"llave/flows/meaning"
)

// TestBuiltIn_isCurrent: the packed sentences are those of flows/said, and small.
func TestBuiltIn_isCurrent(t *testing.T) {
	got, err := meaning.BuiltIn()
	if err != nil {
		t.Fatal(err)
	}
	want := examples(t)
	sorted := func(said []meaning.Said) []meaning.Said {
		return slices.SortedFunc(slices.Values(said), func(a, b meaning.Said) int {
			return cmp.Or(cmp.Compare(a.Writer, b.Writer), cmp.Compare(a.Text, b.Text), cmp.Compare(a.State, b.State), cmp.Compare(a.Meaning, b.Meaning))
		})
	}
	if !slices.Equal(sorted(got.Said), sorted(want.Said)) || !slices.Equal(got.Writers, want.Writers) || !slices.Equal(got.Meanings, want.Meanings) || !slices.Equal(got.States, want.States) {
		t.Error("flows/meaning/said.gz is behind flows/said: go generate ./flows/meaning")
	}
	for _, m := range want.Meanings {
		for _, s := range want.States {
			if got.Possible(m, s) != want.Possible(m, s) {
				t.Errorf("%s in %s: said.gz is behind flows/said/states.txt: go generate ./flows/meaning", m, s)
			}
		}
	}
	if info, err := os.Stat("said.gz"); err != nil || info.Size() > 400_000 {
		t.Errorf("%d bytes (%v), at most 400,000", info.Size(), err)
	}
}

// What is learned with more examples is another model, and one that is stopped is none.
func TestLearnAndHear(t *testing.T) {
	e, err := meaning.BuiltIn()
	if err != nil {
		t.Fatal(err)
	}
	own := e.With([]meaning.Said{{Writer: "z", State: "sent", Text: "diosito no asoma el papelito", Meaning: "not_arrived"}}).Without(e.Writers...)
	part := 0.0
	model, heard, err := meaning.LearnAndHear(own, func(done float64) error { part = done; return nil })
	if err != nil || len(heard) != 0 || part != 1 {
		t.Fatalf("%d heard, %.2f done, %v; want a model of one writer, who is not held out", len(heard), part, err)
	}
	m, err := meaning.New(model)
	if err != nil || !slices.Equal(m.Meanings(), e.Meanings) {
		t.Errorf("%v: want a model that knows every meaning", err)
	}
	stop := errors.New("stop")
	if _, _, err := meaning.LearnAndHear(own, func(float64) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v, want that it stopped", err)
	}
}
