package flows_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"llave/flows"
	"llave/internal/bottest"
)

// TestAnswersTable writes what is answered to each meaning into docs/meanings.md, above the figures, and holds that it is so
// written.
func TestAnswersTable(t *testing.T) {
	const file, mark = "../docs/meanings.md", "<!-- measured -->\n"
	r, err := flows.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	names, err := flows.ReadNames()
	if err != nil {
		t.Fatal(err)
	}
	titles := map[string]string{}
	for _, m := range names.Meanings {
		titles[m.Name] = m.Title
	}
	var page strings.Builder
	page.WriteString("# What people mean, and what is answered\n\nFrom `flows/answers.toml`, by `go test ./flows -run AnswersTable -update`. A dot: a text that is said by the way " +
		"(`flows/es.toml`). A capital: an event of the map (`flows/diagram.md`). Else an act (`flows/acts.go`). Without a row for the place the first column holds.\n\n" +
		"| meaning | at the desk | answer | elsewhere |\n|---|---|---|---|\n")
	for _, row := range r.Table() {
		var own []string
		for _, place := range r.States() {
			if cell, ok := row.At[place]; ok {
				own = append(own, fmt.Sprintf("%s: `%s`", place, cell))
			}
		}
		note := map[string]string{"sure": ", only when all but certain", "button": ", only by a button or a bare word"}[row.Careful]
		fmt.Fprintf(&page, "| %s | %s | `%s`%s | %s |\n", row.Meaning, titles[row.Meaning], row.Any, note, strings.Join(own, ", "))
	}
	page.WriteString("\n")
	raw, err := os.ReadFile(file)
	if err != nil && !*update {
		t.Fatal(err)
	}
	was, figures, _ := strings.Cut(string(raw), mark)
	switch {
	case *update:
		if err := os.WriteFile(file, []byte(page.String()+mark+figures), 0o644); err != nil {
			t.Fatal(err)
		}
	case was != page.String():
		t.Error("docs/meanings.md is not flows/answers.toml's: run with -update")
	}
}

// Every answer of the table can be reached: said in the place, some sentence of its meaning is answered so.
func TestAnswers_reached(t *testing.T) {
	if !bottest.NewSweep(t).Whole {
		t.Skip("says every sentence in every place: in make sweeps")
	}
	r, err := flows.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	reached := map[string][]string{} // cell → places
	for _, s := range sentences(t) {
		for _, place := range r.States() {
			if u, err := r.Read(s.Text, place); err == nil && !slices.Contains(reached[u.Answer], place) {
				reached[u.Answer] = append(reached[u.Answer], place)
			}
		}
	}
	for _, row := range r.Table() {
		if len(reached[row.Any]) == 0 {
			t.Errorf("%s: nothing that people said was answered with %q", row.Meaning, row.Any)
		}
		for place, cell := range row.At {
			if !slices.Contains(reached[cell], place) {
				t.Errorf("%s: nothing that people said was answered with %q in %s", row.Meaning, cell, place)
			}
		}
	}
}

// Whatever is typed in whatever place is read without harm: some meaning, confidences that are such, and an answer that is there.
func FuzzReader(f *testing.F) {
	r, err := flows.NewReader(nil)
	if err != nil {
		f.Fatal(err)
	}
	states := r.States()
	f.Add("me bloquearon la clave", uint8(1))
	f.Add("no, no, ¿qué? ñ\xff 🙂 pero", uint8(5))
	f.Add("", uint8(0))
	f.Fuzz(func(t *testing.T, said string, at uint8) {
		u, err := r.Read(said, states[int(at)%len(states)])
		if err != nil {
			t.Fatal(err)
		}
		if u.Meaning == "" || u.Answer == "" || !(u.Confidence >= 0 && u.Confidence < 1.001) || len(u.Offers) > 3 {
			t.Fatalf("%q: %+v", said, u)
		}
	})
}
