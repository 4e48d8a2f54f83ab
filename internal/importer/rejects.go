package importer

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// RejectsName is where the rejected rows of a file go: beside it, or for standard input in the working directory.
func RejectsName(name string) string {
	if name == "" || name == "-" {
		return "rejects.csv"
	}
	return name + ".rejects.csv"
}

// Kind says why a row stands in the file of rejects.
type Kind string

// The kinds.
const (
	Rejected      Kind = "rejected"       // it was not taken
	LostZero      Kind = "lost_zero"      // it was not taken, and would be with --fix-zero
	UnusableEmail Kind = "unusable_email" // it was stored, but no letter can be sent to that address
)

// fault is why a row stands there, for programs and for people.
type fault struct {
	kind   Kind
	reason string
}

func rejected(reason string) fault { return fault{Rejected, reason} }

// rejectColumns stand in front of the row.
var rejectColumns = []string{"line", "reason", "kind"}

// rejects is the file of rejected rows: line, reason, kind, and the row as it was, under the file's own columns, in UTF-8. Rows that
// were stored with an address that cannot be used stand there too. It holds people's data, so only its owner may read it. It is
// made when the first such row comes, and written anew by each run, which comes by the same rows again.
type rejects struct {
	path   string
	to     io.Writer // in place of a file
	header []byte
	comma  byte
	bom    bool // as the input: without it a spreadsheet that wrote the one misreads the other
	file   *os.File
	w      *bufio.Writer
}

func (r *rejects) add(line int64, f fault, row []byte) error {
	if r.w == nil {
		if err := r.create(); err != nil {
			return fmt.Errorf("write rejected rows: %w (--rejects names another place)", err)
		}
	}
	r.w.WriteString(strconv.FormatInt(line, 10))
	r.w.WriteByte(r.comma)
	r.w.Write(quoted(f.reason))
	r.w.WriteByte(r.comma)
	r.w.WriteString(string(f.kind))
	r.w.WriteByte(r.comma)
	r.w.Write(row)
	if err := r.w.WriteByte('\n'); err != nil { // a writer's first error stays
		return fmt.Errorf("write rejected rows: %w", err)
	}
	return nil
}

func (r *rejects) create() error {
	if r.to != nil {
		r.w = bufio.NewWriter(r.to)
		return r.begin()
	}
	f, err := os.OpenFile(r.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	head := make([]byte, len(bom)+len("line"))
	n, err := io.ReadFull(f, head)
	switch {
	case err != nil && err != io.EOF && err != io.ErrUnexpectedEOF:
		f.Close()
		return err
	case n > 0 && !bytes.HasPrefix(bytes.TrimPrefix(head[:n], bom), []byte("line")):
		f.Close()
		return fmt.Errorf("%s exists and is not a file of rejected rows; move it away", r.path)
	}
	for _, step := range []func() error{
		func() error { return f.Chmod(0o600) },
		func() error { return f.Truncate(0) },
		func() error { _, err := f.Seek(0, io.SeekStart); return err },
	} {
		if err := step(); err != nil {
			f.Close()
			return err
		}
	}
	r.file, r.w = f, bufio.NewWriter(f)
	return r.begin()
}

// begin writes the header.
func (r *rejects) begin() error {
	if r.bom {
		r.w.Write(bom)
	}
	for _, name := range rejectColumns {
		r.w.WriteString(name)
		r.w.WriteByte(r.comma)
	}
	r.w.Write(r.header)
	return r.w.WriteByte('\n')
}

func (r *rejects) flush() error {
	if r.w == nil {
		return nil
	}
	if err := r.w.Flush(); err != nil {
		return fmt.Errorf("write rejected rows: %w", err)
	}
	return nil
}

func (r *rejects) close() error {
	err := r.flush()
	if r.file == nil {
		return err
	}
	if closeErr := r.file.Close(); err == nil && closeErr != nil {
		err = fmt.Errorf("write rejected rows: %w", closeErr)
	}
	r.file, r.w = nil, nil
	return err
}

// quoted is a CSV field.
func quoted(s string) []byte {
	return []byte(`"` + strings.ReplaceAll(s, `"`, `""`) + `"`)
}
