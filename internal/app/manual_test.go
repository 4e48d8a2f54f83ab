package app

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

const manuals = "../../docs/man"

// manual is each command's page, by the name of its file, as cobra writes it; the settings are as in the terminal.
func manual(t *testing.T) map[string]string {
	t.Helper()
	root := (&program{}).commands()
	root.InitDefaultHelpCmd()
	root.DisableAutoGenTag = true
	pages := map[string]string{}
	var of func(c *cobra.Command)
	of = func(c *cobra.Command) {
		if c.Name() == "config" { // a table stays one
			c.Long = "    " + strings.ReplaceAll(strings.TrimSpace(c.Long), "\n", "\n    ")
		}
		var b bytes.Buffer
		none := time.Unix(0, 0)
		if err := doc.GenMan(c, &doc.GenManHeader{Title: strings.ToUpper(strings.ReplaceAll(c.CommandPath(), " ", "-")), Section: "1", Date: &none, Source: "Llave", Manual: "Llave"}, &b); err != nil {
			t.Fatal(err)
		}
		pages[strings.ReplaceAll(c.CommandPath(), " ", "-")+".1"] = strings.Replace(b.String(), "Jan 1970", "", 1) // the same commit has the same pages
		for _, below := range c.Commands() {
			if below.IsAvailableCommand() {
				of(below)
			}
		}
	}
	of(root)
	return pages
}

// docs/man has a page for each command, as its help has it, and no other (P814).
func TestManual(t *testing.T) {
	pages := manual(t)
	there, err := filepath.Glob(manuals + "/*.1")
	if err != nil {
		t.Fatal(err)
	}
	if flag.Lookup("update").Value.String() == "true" { // of the tests beside these
		for _, path := range there {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
		there = there[:0]
		for name, page := range pages {
			there = append(there, filepath.Join(manuals, name))
			if err := os.WriteFile(filepath.Join(manuals, name), []byte(page), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	const renew = "run go test ./internal/app -run TestManual -update"
	for name, page := range pages {
		if text, err := os.ReadFile(filepath.Join(manuals, name)); err != nil || string(text) != page {
			t.Errorf("docs/man/%s is not what the command's help says (%v): %s", name, err, renew)
		}
	}
	for _, path := range there {
		if pages[filepath.Base(path)] == "" {
			t.Errorf("there is no command for %s: %s", path, renew)
		}
	}
	for _, name := range []string{"llave.1", "llave-serve.1", "llave-store-reseal.1", "llave-config.1"} {
		if pages[name] == "" {
			t.Errorf("there is no %s", name)
		}
	}
}

// The shells that people use are given what completes our commands, flags among it; it asks the program, so that it is never behind it.
func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		var out, errs bytes.Buffer
		if code := Main(t.Context(), []string{"completion", shell}, IO{Stdout: &out, Stderr: &errs}); code != 0 || !strings.Contains(out.String(), "__complete") {
			t.Errorf("%s: exit %d, %s", shell, code, &errs)
		}
	}
	for _, c := range []struct {
		args []string
		want string
	}{{[]string{"bre"}, "breach\t"}, {[]string{"serve", "--ch"}, "--check\t"}, {[]string{"store", ""}, "reseal\t"}} {
		var out, errs bytes.Buffer
		code := Main(t.Context(), append([]string{"__complete"}, c.args...), IO{Stdout: &out, Stderr: &errs})
		if lines := strings.Split(out.String(), "\n"); code != 0 || !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, c.want) }) {
			t.Errorf("%q: exit %d, %q, want %q", c.args, code, lines, c.want)
		}
	}
}
