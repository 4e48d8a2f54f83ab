package config_test

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"testing"

	"llave/internal/config"
)

// .env.example has every setting with its default and its meaning, as the table has them; who takes every # off has changed nothing (P814).
func TestEnvExample(t *testing.T) {
	const path = "../../.env.example"
	if *update {
		if err := os.WriteFile(path, []byte(config.EnvExample()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != config.EnvExample() {
		t.Error(".env.example is behind internal/config/settings.go; run go test ./internal/config -update")
	}
	dir := t.TempDir()
	all := regexp.MustCompile(`(?m)^#(LLAVE_\w+=)`).ReplaceAll(text, []byte("$1"))
	if err := os.WriteFile(filepath.Join(dir, ".env"), all, 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := config.Load(nil, dir)
	if err != nil {
		t.Fatal(err)
	}
	want, err := config.Load(nil, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for i := range reflect.TypeFor[config.Config]().NumField() {
		f := reflect.TypeFor[config.Config]().Field(i)
		if a, b := reflect.ValueOf(got).Field(i), reflect.ValueOf(want).Field(i); f.IsExported() && !reflect.DeepEqual(a.Interface(), b.Interface()) {
			t.Errorf("%s becomes %v, the default is %v", f.Name, a, b)
		}
	}
}
