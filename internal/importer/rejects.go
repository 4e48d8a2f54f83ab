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

// rejects is the file of rejected rows: line, reason, and the row as it was, under the file's own columns. It holds
// people's data, so only its owner may read it. It is made when the first row is rejected, and written anew by each
// run, which comes by the same rows again.
type rejects struct {
	path   string
	header []byte
	comma  byte
	file   *os.File
	w      *bufio.Writer
}

func (r *rejects) add(line int64, reason string, row []byte) error {
	if r.file == nil {
		if err := r.create(); err != nil {
			return fmt.Errorf("write rejected rows: %w", err)
		}
	}
	r.w.WriteString(strconv.FormatInt(line, 10))
	r.w.WriteByte(r.comma)
	r.w.Write(quoted(reason))
	r.w.WriteByte(r.comma)
	r.w.Write(row)
	if err := r.w.WriteByte('\n'); err != nil { // a writer's first error stays
		return fmt.Errorf("write rejected rows: %w", err)
	}
	return nil
}

func (r *rejects) create() error {
	f, err := os.OpenFile(r.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	start := "line" + string(r.comma) + "reason" + string(r.comma)
	head := make([]byte, len(start))
	n, err := io.ReadFull(f, head)
	switch {
	case err != nil && err != io.EOF && err != io.ErrUnexpectedEOF:
		f.Close()
		return err
	case n > 0 && !bytes.HasPrefix(head, []byte("line")):
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
	r.w.WriteString(start)
	r.w.Write(r.header)
	return r.w.WriteByte('\n')
}

func (r *rejects) flush() error {
	if r.file == nil {
		return nil
	}
	if err := r.w.Flush(); err != nil {
		return fmt.Errorf("write rejected rows: %w", err)
	}
	return nil
}

func (r *rejects) close() error {
	if r.file == nil {
		return nil
	}
	err := r.flush()
	if closeErr := r.file.Close(); err == nil && closeErr != nil {
		err = fmt.Errorf("write rejected rows: %w", closeErr)
	}
	r.file = nil
	return err
}

// quoted is a CSV field.
func quoted(s string) []byte {
	return []byte(`"` + strings.ReplaceAll(s, `"`, `""`) + `"`)
}
