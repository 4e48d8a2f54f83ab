package app_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"llave/internal/bottest/world"
	"llave/internal/config"
)

// A chat that is in the middle of something hears the new offices, read by the new model, in its next turn.
func TestReload_inAChat(t *testing.T) {
	const head = "name,province,city,address\n"
	offices, model := filepath.Join(t.TempDir(), "offices.csv"), filepath.Join(t.TempDir(), "model.bin")
	put := func(rows string) {
		t.Helper()
		if err := os.WriteFile(offices, []byte(head+rows), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("Centro Uno,Loja,Loja,Calle de Prueba 1\n")
	w := world.New(t, onePerson, "LLAVE_OFFICES_FILE="+offices)
	for _, said := range []string{"hola", "Continuar", "Atención presencial"} {
		w.Say(said)
	}
	if heard := w.Say("Loja"); !strings.Contains(heard, "Centro Uno") {
		t.Fatalf("before: %q", heard)
	}
	put("Centro Dos,Loja,Loja,Calle de Prueba 2\n")
	if err := os.WriteFile(model, []byte(read(t, "../../flows/meaning/model.bin")), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load([]string{"LLAVE_OFFICES_FILE=" + offices, "LLAVE_MODEL_FILE=" + model}, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	changed, _, err := w.App.Reload(c)
	if want := []string{"LLAVE_OFFICES_FILE", "LLAVE_MODEL_FILE"}; err != nil || !slices.Equal(changed, want) {
		t.Fatalf("changed %v (%v), want %v", changed, err, want)
	}
	if heard := w.Say("Loja"); !strings.Contains(heard, "Centro Dos") || strings.Contains(heard, "Centro Uno") {
		t.Errorf("after: %q", heard)
	}
}
