// Command learn makes the model that is built into the program from the sentences in flows/said. "go generate
// ./flows/meaning" runs it.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"llave/flows/meaning"
)

func main() {
	from := flag.String("from", "flows/said", "the directory of the sentences")
	to := flag.String("to", "flows/meaning", "the directory to write model.bin, language.bin and said.gz to")
	flag.Parse()
	if err := run(*from, *to); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(from, to string) error {
	e, err := meaning.ReadExamples(from)
	if err != nil {
		return err
	}
	model, err := meaning.Learn(e)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(to, "model.bin"), model, 0o644); err != nil { //nolint:gosec // stands in the repository
		return err
	}
	if err := pack(e, from, to); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(to, "language.bin"), meaning.LearnAt(e.Languages(), 1), 0o644) //nolint:gosec // stands in the repository
}

func pack(e *meaning.Examples, from, to string) error {
	bounds, err := os.ReadFile(filepath.Join(from, "states.txt"))
	if err != nil {
		return err
	}
	packed, err := e.Pack(bounds)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(to, "said.gz"), packed, 0o644) //nolint:gosec // stands in the repository
}
