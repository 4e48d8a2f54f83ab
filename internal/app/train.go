package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"llave/flows"
	"llave/flows/meaning"
)

// training is one run of `llave train`.
type training struct {
	examples, out string
	alone, json   bool
}

func (p *program) train() *cobra.Command {
	var o training
	cmd := &cobra.Command{
		Use: "train --examples FILE --out MODEL", Short: "Learn a model of meanings from your own people's sentences", Args: cobra.NoArgs,
		Long: `Learns what sentences mean from the examples that are built in and from yours, and writes the model that LLAVE_MODEL_FILE
names. It takes about a minute. FILE is a CSV file with the columns state,said,meaning, or a directory of such files, one of
each writer. The model holds no sentence. States and meanings are those of llave understand; others are refused. Some
meanings can be meant in some states only ("send it again" says nothing where nothing was sent): such rows are left out, and
it is said which.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.examples == "" || o.out == "" {
				return fmt.Errorf("%w: --examples and --out are needed", errUsage)
			}
			return p.runTrain(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVar(&o.examples, "examples", "", "sentences with their meanings: a CSV file, or a directory of them")
	cmd.Flags().StringVar(&o.out, "out", "", "the model's file; one that is there is replaced once the new one is whole")
	cmd.Flags().BoolVar(&o.alone, "alone", false, "learn from yours alone, without the examples that are built in")
	cmd.Flags().BoolVar(&o.json, "json", false, "print what came of it as JSON")
	return cmd
}

// trained is what came of it. Held out are sentences that were heard by a model which had not learned from their writer.
type trained struct {
	Sentences int        `json:"sentences"`
	Own       int        `json:"own"`
	Meanings  int        `json:"meanings"`
	Writers   int        `json:"writers"`
	Bytes     int        `json:"bytes"`
	HeldOut   *heldShare `json:"held_out,omitempty"`
	HeldOwn   *heldShare `json:"held_out_own,omitempty"`
}

type heldShare struct {
	Total       int `json:"total"`
	Right       int `json:"right"`
	WithinThree int `json:"within_three"`
}

func (h *heldShare) String() string {
	return fmt.Sprintf("%d, right %.1f %%, within three %.1f %%", h.Total, 100*float64(h.Right)/float64(h.Total), 100*float64(h.WithinThree)/float64(h.Total))
}

// ownWriter begins the names of the institution's writers, so that none is taken for one who is built in.
const ownWriter = "own/"

func (p *program) runTrain(ctx context.Context, o training) error {
	builtIn, err := meaning.BuiltIn()
	if err != nil {
		return fmt.Errorf("read the examples that are built in: %w", err)
	}
	own, err := p.readOwn(o.examples, builtIn)
	if err != nil {
		return err
	}
	e := builtIn.With(own)
	if o.alone {
		e = e.Without(builtIn.Writers...)
	}
	f, err := os.CreateTemp(filepath.Dir(o.out), filepath.Base(o.out)+".*.new") // before the work, not after it
	if err != nil {
		return fmt.Errorf("write the model: %w", err)
	}
	defer os.Remove(f.Name()) // gone when all went well
	defer f.Close()
	fmt.Fprintf(p.stderr, "Learning from %d sentences of %d writers; yours: %d.\n", len(e.Said), len(e.Writers), len(own))
	model, heard, err := meaning.LearnAndHear(e, p.progress(ctx))
	if err != nil {
		return fmt.Errorf("nothing was written: %w", err)
	}
	if err := putModel(f, model, o.out); err != nil {
		return fmt.Errorf("write the model: %w", err)
	}
	t := trained{Sentences: len(e.Said), Own: len(own), Meanings: len(e.Meanings), Writers: len(e.Writers), Bytes: len(model)}
	t.HeldOut = share(heard)
	t.HeldOwn = share(slices.DeleteFunc(heard, func(h meaning.Heard) bool { return !strings.HasPrefix(h.Writer, ownWriter) }))
	return p.printTrained(o, t)
}

// progress tells every tenth of the work, and stops it when ctx ends.
func (p *program) progress(ctx context.Context) func(float64) error {
	begun, told := time.Now(), 0
	return func(part float64) error {
		if tenth := int(10 * part); tenth > told {
			told = tenth
			fmt.Fprintf(p.stderr, "%3d %%, %.0f s\n", 10*tenth, time.Since(begun).Seconds())
		}
		return ctx.Err()
	}
}

// putModel writes the model to [f] and gives it its name, once it is whole and the conversation can use it.
func putModel(f *os.File, model []byte, name string) error {
	_, err := f.Write(model)
	if err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil { // it holds no secret
		return err
	}
	if _, err := flows.LoadModel(f.Name()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

func share(heard []meaning.Heard) *heldShare {
	if len(heard) == 0 {
		return nil
	}
	s := heldShare{Total: len(heard)}
	for _, h := range heard {
		if h.Place() == 0 {
			s.Right++
		}
		if h.Place() < 3 {
			s.WithinThree++
		}
	}
	return &s
}

func (p *program) printTrained(o training, t trained) error {
	if o.json {
		return json.NewEncoder(p.stdout).Encode(t)
	}
	fmt.Fprintf(p.stdout, "%s: %d sentences, %d of them yours; %d meanings; %d bytes\n", o.out, t.Sentences, t.Own, t.Meanings, t.Bytes)
	if t.HeldOut != nil {
		fmt.Fprintf(p.stdout, "heard by a model that had not learned from their writer: %v\n", t.HeldOut)
	}
	if t.HeldOwn != nil {
		fmt.Fprintf(p.stdout, "of these your own: %v\n", t.HeldOwn)
	}
	fmt.Fprintf(p.stderr, "To use it: LLAVE_MODEL_FILE=%s\n", o.out)
	return nil
}

// readOwn reads the institution's sentences: a file, or a directory of files, one of each writer.
func (p *program) readOwn(name string, builtIn *meaning.Examples) (own []meaning.Said, err error) {
	files := []string{name}
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("open the examples: %w", err)
	}
	if info.IsDir() {
		if files, err = filepath.Glob(filepath.Join(name, "*.csv")); err != nil || len(files) == 0 {
			return nil, cmp.Or(err, fmt.Errorf("%s: there is no .csv file in it", name))
		}
	}
	var mistakes []error
	for _, file := range files {
		said, impossible, err := readOwnFile(file, builtIn)
		own = append(own, said...)
		if err != nil {
			mistakes = append(mistakes, fmt.Errorf("%s: %w", file, err))
		}
		for _, pair := range slices.SortedFunc(maps.Keys(impossible), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) }) {
			fmt.Fprintf(p.stderr, "%s: left out, %d: %s cannot be meant in %s, only in: %s\n", file, impossible[pair], pair[0], pair[1], strings.Join(builtIn.Where(pair[0]), ", "))
		}
	}
	if len(mistakes) > 0 {
		return nil, errors.Join(mistakes...)
	}
	if len(own) == 0 {
		return nil, fmt.Errorf("%s: no sentence is left to learn from", name)
	}
	return own, nil
}

// readOwnFile reads one file, and counts the sentences that mean what cannot be meant where they are said, by meaning and
// state.
func readOwnFile(file string, builtIn *meaning.Examples) (own []meaning.Said, impossible map[[2]string]int, err error) {
	rows, columns, err := readSaidFile(file, builtIn.States)
	if err != nil {
		return nil, nil, err
	}
	if columns != 3 {
		return nil, nil, errors.New("the column meaning is missing; expected state,said,meaning")
	}
	if err := badRows(rows, columns, builtIn.States, builtIn.Meanings); err != nil {
		return nil, nil, err
	}
	impossible = map[[2]string]int{}
	writer := ownWriter + strings.TrimSuffix(filepath.Base(file), ".csv")
	for _, row := range rows {
		if !builtIn.Possible(row.meaning, row.state) {
			impossible[[2]string{row.meaning, row.state}]++
			continue
		}
		own = append(own, meaning.Said{Writer: writer, State: row.state, Text: row.said, Meaning: row.meaning})
	}
	return own, impossible, nil
}

// readSaidFile is readSaid of a file.
func readSaidFile(file string, states []string) ([]sentence, int, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	return readSaid(f, states)
}
