package meaning_test

import (
	"bytes"
	"os"
	"testing"

	"llave/flows/meaning"
)

// TestModelIsNew: the model that is built in was learned from the sentences as they are. With -full it is learned once
// more, to the same bytes.
func TestModelIsNew(t *testing.T) {
	e := examples(t)
	if !meaning.Default().Learned(e) {
		t.Fatal("the sentences have changed since model.bin was learned: go generate ./flows/meaning")
	}
	if !*full {
		return
	}
	again, err := meaning.Learn(e)
	if err != nil {
		t.Fatal(err)
	}
	if model, err := os.ReadFile("model.bin"); err != nil || !bytes.Equal(model, again) {
		t.Error("learned anew, the model has other bytes: go generate ./flows/meaning", err)
	}
}

func TestModelSize(t *testing.T) {
	size := int64(0)
	for _, file := range []string{"model.bin", "language.bin"} {
		f, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if size += f.Size(); file == "model.bin" && size > 1_500_000 {
			t.Errorf("%s has %d bytes, more than 1.5 MB", file, size)
		}
	}
	if size > 3<<19 {
		t.Errorf("the models have %d bytes, more than 1.5 MiB", size)
	}
}

// TestAllocations holds what one sentence costs.
func TestAllocations(t *testing.T) {
	m := meaning.Default()
	m.Read("se me bloqueó la clave del seguro", "start")
	if n := testing.AllocsPerRun(200, func() { m.Read("se me bloqueó la clave del seguro", "start") }); n > 20 {
		t.Errorf("%.0f allocations a sentence", n)
	}
}

// TestManyAtOnce: a model is shared by all conversations.
func TestManyAtOnce(t *testing.T) {
	m := meaning.Default()
	want := m.Read("se me bloqueó la clave", "start")[0]
	for range 4 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			for range 100 {
				m.Read("cuánto cuesta?", "menu")
				if got := m.Read("se me bloqueó la clave", "start")[0]; got != want {
					t.Fatalf("%v, alone %v", got, want)
				}
			}
		})
	}
}

func BenchmarkRead(b *testing.B) {
	all, m := examples(b).Said, meaning.Default()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		s := all[i%len(all)]
		m.Read(s.Text, s.State)
	}
}
