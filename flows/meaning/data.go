package meaning

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// anyState is written where it matters little in which state a thing is said.
const anyState = "any"

// Said is a sentence and what was meant by it.
type Said struct {
	Writer, State, Text, Meaning string
}

// Examples are what a model is learned from.
type Examples struct {
	Said     []Said
	Meanings []string // in alphabetical order
	States   []string
	Writers  []string
	bounds   map[string][]string // a meaning that can be meant only in these states
	room     int                 // weights that a model file has room for
	digest   [digestSize]byte
}

// writers in the order in which they are read. Of two sentences that are alike the later writer's is the one to go.
func writerFiles(dir string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.csv"))
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("no sentences in %s", dir)
	}
	slices.Sort(files)
	return files, err
}

// ReadExamples reads the sentences in [dir]: a file WRITER.csv for each writer, with the header "state,said,meaning", and
// states.txt, which says what can be meant in only some states.
func ReadExamples(dir string) (*Examples, error) {
	files, err := writerFiles(dir)
	if err != nil {
		return nil, err
	}
	e := &Examples{room: kept}
	sum := sha256.New()
	fmt.Fprintln(sum, recipe)
	for _, file := range append(files, filepath.Join(dir, "states.txt")) {
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		raw = bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n"))
		fmt.Fprintln(sum, filepath.Base(file), len(raw))
		sum.Write(raw)
		if strings.HasSuffix(file, ".csv") {
			err = e.add(strings.TrimSuffix(filepath.Base(file), ".csv"), raw)
		} else {
			e.bounds, err = readTable(raw)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	e.digest = [digestSize]byte(sum.Sum(nil))
	return e, e.index()
}

func (e *Examples) add(writer string, raw []byte) error {
	rows, err := csv.NewReader(bytes.NewReader(raw)).ReadAll()
	if err != nil {
		return err
	}
	if len(rows) == 0 || !slices.Equal(rows[0], []string{"state", "said", "meaning"}) {
		return fmt.Errorf("the header is not state,said,meaning")
	}
	e.Writers = append(e.Writers, writer)
	for i, r := range rows[1:] {
		if r[0] == "" || strings.TrimSpace(r[1]) == "" || r[2] == "" {
			return fmt.Errorf("sentence %d: something is empty", i+1)
		}
		e.Said = append(e.Said, Said{writer, r[0], r[1], r[2]})
	}
	return nil
}

// index names the meanings and states, and holds that the bounds are about them.
func (e *Examples) index() error {
	e.States = []string{anyState}
	for _, s := range e.Said {
		e.Meanings, e.States = append(e.Meanings, s.Meaning), append(e.States, s.State)
	}
	slices.Sort(e.Meanings)
	slices.Sort(e.States)
	e.Meanings, e.States = slices.Compact(e.Meanings), slices.Compact(e.States)
	if len(e.Meanings) > 8*boundsSize {
		return fmt.Errorf("%d meanings: a model holds %d", len(e.Meanings), 8*boundsSize)
	}
	for meaning, states := range e.bounds {
		if !slices.Contains(e.Meanings, meaning) {
			return fmt.Errorf("states.txt: nobody means %q", meaning)
		}
		for _, s := range states {
			if !slices.Contains(e.States, s) {
				return fmt.Errorf("states.txt: %s: nothing is said in %q", meaning, s)
			}
		}
	}
	return nil
}

// Possible says whether [meaning] can be meant in [state].
func (e *Examples) Possible(meaning, state string) bool {
	states, bounded := e.bounds[meaning]
	return !bounded || state == anyState || slices.Contains(states, state)
}

// Where are the states in which a meaning can be meant.
func (e *Examples) Where(meaning string) (states []string) {
	for _, state := range e.States {
		if e.Possible(meaning, state) {
			states = append(states, state)
		}
	}
	return states
}

// Languages are the same sentences as examples of languages: what each means is "en", where its writer's name begins so, or
// "es".
func (e *Examples) Languages() *Examples {
	l := &Examples{Writers: e.Writers, States: []string{anyState}, Meanings: []string{"en", "es"}, digest: e.digest, room: keptOfLanguage}
	for _, s := range e.Said {
		s.State, s.Meaning = anyState, "es"
		if strings.HasPrefix(s.Writer, "en") {
			s.Meaning = "en"
		}
		l.Said = append(l.Said, s)
	}
	return l
}

// Without are the examples of every writer but these.
func (e *Examples) Without(writers ...string) *Examples {
	rest := *e
	rest.Said = slices.DeleteFunc(slices.Clone(e.Said), func(s Said) bool { return slices.Contains(writers, s.Writer) })
	rest.Writers = slices.DeleteFunc(slices.Clone(e.Writers), func(w string) bool { return slices.Contains(writers, w) })
	return &rest
}

// Of are the sentences of one writer.
func (e *Examples) Of(writer string) []Said {
	return slices.DeleteFunc(slices.Clone(e.Said), func(s Said) bool { return s.Writer != writer })
}

// readTable reads lines of a name and a list, with "#" before what is for the reader.
func readTable(raw []byte) (map[string][]string, error) {
	table := map[string][]string{}
	lines := bufio.NewScanner(bytes.NewReader(raw))
	for lines.Scan() {
		text, _, _ := strings.Cut(lines.Text(), "#")
		words := strings.Fields(text)
		if len(words) == 0 {
			continue
		}
		if _, twice := table[words[0]]; twice || len(words) == 1 {
			return nil, fmt.Errorf("%q is there twice, or has no list", words[0])
		}
		table[words[0]] = words[1:]
	}
	return table, lines.Err()
}

// Alike are two sentences with one meaning that two writers have said in nearly the same words: held out, the later would
// be known already.
type Alike struct{ First, Later int }

// FindAlike looks for sentences alike across writers: the same folded words, or in longer ones four fifths of all runs
// of three letters in common.
func FindAlike(said []Said) []Alike {
	var found []Alike
	runs := make([]map[string]bool, len(said))
	byMeaning := map[string][]int{}
	for i, s := range said {
		runs[i] = lettersOf(s.Text)
		for _, j := range byMeaning[s.Meaning] {
			if said[j].Writer != s.Writer && alike(runs[i], runs[j]) {
				found = append(found, Alike{j, i})
				break
			}
		}
		byMeaning[s.Meaning] = append(byMeaning[s.Meaning], i)
	}
	return found
}

func alike(a, b map[string]bool) bool {
	if 5*min(len(a), len(b)) < 4*max(len(a), len(b)) {
		return false
	}
	common := 0
	for r := range a {
		if b[r] {
			common++
		}
	}
	return 5*common >= 4*(len(a)+len(b)-common)
}

func lettersOf(text string) map[string]bool {
	var s scratch
	s.cut(text)
	line := []byte("  ")
	for _, w := range s.words {
		if word := s.text[w[0]:w[1]]; word[0] != '?' {
			line = append(append(line, word...), ' ')
		}
	}
	runs := map[string]bool{}
	for i := range len(line) - 2 {
		runs[string(line[i:i+3])] = true
	}
	return runs
}
