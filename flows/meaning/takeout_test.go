package meaning_test

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"testing"

	"llave/flows/meaning"
)

// takeOut writes the files of the writers who have later ones among [found] anew without them.
func takeOut(t *testing.T, all []meaning.Said, found []meaning.Alike) {
	out, writers := map[int]bool{}, map[string]bool{}
	for _, a := range found {
		out[a.Later] = true
		writers[all[a.Later].Writer] = true
	}
	for w := range writers {
		f, err := os.Create(filepath.Join(said, w+".csv"))
		if err != nil {
			t.Fatal(err)
		}
		rows := csv.NewWriter(f)
		_ = rows.Write([]string{"state", "said", "meaning"})
		for i, s := range all {
			if s.Writer == w && !out[i] {
				_ = rows.Write([]string{s.State, s.Text, s.Meaning})
			}
		}
		rows.Flush()
		if err := rows.Error(); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d taken out", len(out))
}
