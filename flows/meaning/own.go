package meaning

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	_ "embed"
	"fmt"
	"io"
	"slices"
	"strings"
)

// said.gz are the sentences that the built-in model was learned from, packed, so that an institution can have a model learned
// from these and its own people's with the program alone. "go generate" packs them.
//
//go:embed said.gz
var packed []byte

// Pack packs examples, with [bounds], the text of states.txt. Sentences of one meaning stand together: that packs smallest.
func (e *Examples) Pack(bounds []byte) ([]byte, error) {
	var text, out bytes.Buffer
	text.Write(bounds)
	text.WriteByte(0)
	sorted := slices.Clone(e.Said)
	slices.SortStableFunc(sorted, func(a, b Said) int {
		return cmp.Or(cmp.Compare(a.Meaning, b.Meaning), cmp.Compare(a.State, b.State), cmp.Compare(a.Writer, b.Writer), cmp.Compare(a.Text, b.Text))
	})
	var last Said
	for _, s := range sorted {
		if s.Meaning != last.Meaning || s.State != last.State || s.Writer != last.Writer {
			fmt.Fprintf(&text, "\t%s %s %s\n", s.Meaning, s.State, s.Writer)
		}
		if last = s; strings.ContainsAny(s.Text, "\n\t") {
			return nil, fmt.Errorf("%s: %q holds a line break or a tab", s.Writer, s.Text)
		}
		fmt.Fprintln(&text, s.Text)
	}
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err = w.Write(text.Bytes()); err == nil {
		err = w.Close()
	}
	return out.Bytes(), err
}

// BuiltIn are the examples that the built-in model was learned from.
func BuiltIn() (*Examples, error) {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	bounds, groups, _ := bytes.Cut(text, []byte{0})
	e := &Examples{room: kept, digest: sha256.Sum256(append([]byte(recipe), text...))}
	if e.bounds, err = readTable(bounds); err != nil {
		return nil, err
	}
	var s Said
	lines := bufio.NewScanner(bytes.NewReader(groups))
	for lines.Scan() {
		if head, is := strings.CutPrefix(lines.Text(), "\t"); is {
			_, err = fmt.Sscan(head, &s.Meaning, &s.State, &s.Writer)
		} else {
			s.Text = lines.Text()
			e.Said = append(e.Said, s)
		}
		if err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(e.Said, func(a, b Said) int { return cmp.Compare(a.Writer, b.Writer) })
	e.Writers = writersOf(e.Said)
	if err := lines.Err(); err != nil {
		return nil, err
	}
	return e, e.index()
}

func writersOf(said []Said) (writers []string) {
	for _, s := range said {
		if !slices.Contains(writers, s.Writer) {
			writers = append(writers, s.Writer)
		}
	}
	return writers
}

// With are these examples and more, of the meanings and states that there are. Who has more by the name of a writer there is
// already adds to theirs.
func (e *Examples) With(more []Said) *Examples {
	all := *e
	all.Said = append(slices.Clone(e.Said), more...)
	all.Writers = writersOf(all.Said)
	sum := sha256.New()
	sum.Write(e.digest[:])
	for _, s := range more {
		fmt.Fprintf(sum, "%q\n", s)
	}
	all.digest = [digestSize]byte(sum.Sum(nil))
	return &all
}
