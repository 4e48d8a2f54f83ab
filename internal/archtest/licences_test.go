package archtest

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/licences.md anew")

const licencesFile = "../../docs/licences.md"

// licences are what the modules of the program come under, each known by words that no other of them has. What none of them
// fits is looked at by a person, and gets its line here.
var licences = []struct {
	name  string
	words string
}{
	{"Apache-2.0", `Apache License,? Version 2\.0`},
	{"MPL-2.0", `Mozilla Public License,? [Vv]ersion 2\.0`},
	{"LGPL/GPL", `GNU (LESSER )?GENERAL PUBLIC LICENSE`},
	{"ISC", `Permission to use, copy, modify, and(/or)? distribute this software for any purpose with or without fee`},
	{"MIT", `Permission is hereby granted, free of charge, to any person obtaining a copy`},
	{"BSD-3-Clause", `Redistribution and use in source and binary forms.*Neither the name`},
	{"BSD-2-Clause", `Redistribution and use in source and binary forms`},
}

// refused are licences that a program under Apache-2.0 of a public institution does not link against without being asked.
var refused = []string{"LGPL/GPL"}

// licenceOf reads a module's licence.
func licenceOf(t *testing.T, module, dir string) string {
	t.Helper()
	var files []string
	for _, pattern := range []string{"LICEN[SC]E*", "Licen[sc]e*", "COPYING*"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	for _, file := range files {
		if info, err := os.Stat(file); err != nil || info.IsDir() {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		words := strings.Join(strings.Fields(string(text)), " ")
		for _, l := range licences {
			if regexp.MustCompile(l.words).MatchString(words) {
				return l.name
			}
		}
	}
	t.Errorf("%s: no licence that is known in %q", module, files)
	return "?"
}

// Every module that is linked into the program has a licence that is known and not refused, and stands with it in
// docs/licences.md.
func TestLicences(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}", "../../cmd/llave").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	slices.Sort(lines)
	var page strings.Builder
	page.WriteString("# Licences\n\nThe modules that are linked into the program, and what they come under; the program itself is under [Apache-2.0](../LICENSE).\n" +
		"Written by `go test ./internal/archtest -run Licences -update`; the test fails while it is behind, and for a licence that it does not know.\n\n" +
		"| module | version | licence |\n|---|---|---|\n")
	modules := 0
	for _, line := range slices.Compact(lines) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		if len(f) != 3 {
			t.Fatalf("go list says %q", line)
		}
		modules++
		l := licenceOf(t, f[0], f[2])
		if slices.Contains(refused, l) {
			t.Errorf("%s is under %s", f[0], l)
		}
		fmt.Fprintf(&page, "| %s | %s | %s |\n", f[0], f[1], l)
	}
	if modules < 30 {
		t.Errorf("%d modules, more are linked", modules)
	}
	if *update {
		if err := os.WriteFile(licencesFile, []byte(page.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want, err := os.ReadFile(licencesFile); err != nil || string(want) != page.String() {
		t.Errorf("docs/licences.md is behind (%v): go test ./internal/archtest -run Licences -update", err)
	}
}
