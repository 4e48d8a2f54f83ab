package meaning_test

import (
	"flag"
	"testing"

	"llave/flows/meaning"
)

var update = flag.Bool("update", false, "take sentences that are alike out of the files (the later ones), and write the figures of docs/meanings.md with -full")

const said = "../said"

func examples(t testing.TB) *meaning.Examples {
	t.Helper()
	e, err := meaning.ReadExamples(said)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestNoneAlike: no two writers have said the same, or what is held out would be known already.
func TestNoneAlike(t *testing.T) {
	all := examples(t).Said
	found := meaning.FindAlike(all)
	if *update {
		takeOut(t, all, found)
		return
	}
	for i, a := range found {
		if i == 20 {
			t.Errorf("and %d more: -update takes the later ones out", len(found)-i)
			break
		}
		first, later := all[a.First], all[a.Later]
		t.Errorf("%s: %s has %q and %s %q", first.Meaning, first.Writer, first.Text, later.Writer, later.Text)
	}
}

func TestFindAlike(t *testing.T) {
	said := []meaning.Said{
		{Writer: "a", Meaning: "thanks", Text: "Muchas gracias!"},
		{Writer: "b", Meaning: "thanks", Text: "muchas   grácias"},
		{Writer: "b", Meaning: "thanks", Text: "muchas gracias señorita"},
		{Writer: "c", Meaning: "yes", Text: "muchas gracias"},
		{Writer: "a", Meaning: "unlock", Text: "se me bloqueó la clave del seguro ayer en la tarde"},
		{Writer: "c", Meaning: "unlock", Text: "se me bloqueo la clave del seguro ayer x la tarde"},
		{Writer: "c", Meaning: "unlock", Text: "se me bloqueo la clave del seguro ayer a la tarde"},
		{Writer: "c", Meaning: "unlock", Text: "la clave está bloqueada desde ayer"},
	}
	found := meaning.FindAlike(said)
	want := []meaning.Alike{{First: 0, Later: 1}, {First: 4, Later: 5}, {First: 4, Later: 6}}
	if len(found) != len(want) {
		t.Fatalf("found %v, want %v", found, want)
	}
	for i := range want {
		if found[i] != want[i] {
			t.Errorf("found %v, want %v", found[i], want[i])
		}
	}
}

// TestPossible: nothing is bounded away that people have meant in a state, but for a handful.
func TestPossible(t *testing.T) {
	e := examples(t)
	out := 0
	for _, s := range e.Said {
		if !e.Possible(s.Meaning, s.State) {
			t.Logf("%s: %s in %s: %q", s.Writer, s.Meaning, s.State, s.Text)
			out++
		}
	}
	if out > len(e.Said)/500 {
		t.Errorf("%d of %d sentences mean what cannot be meant by states.txt", out, len(e.Said))
	}
}
