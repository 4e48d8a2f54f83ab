// Command learn makes the model that is built into the program from the sentences in flows/said. "go generate
// ./flows/meaning" runs it.
package main

import (
	"flag"
	"fmt"
	"os"

	"llave/flows/meaning"
)

func main() {
	from := flag.String("from", "flows/said", "the directory of the sentences")
	to := flag.String("to", "flows/meaning/model.bin", "the file to write")
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
	return os.WriteFile(to, model, 0o644)
}
