package backup

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Reader reads a backup from its beginning to its end.
type Reader struct {
	Head Head

	in    *bufio.Reader
	sum   hash.Hash // of all frames before the one at hand
	tally tally
}

// Into is where what is read goes; nil: it is only read.
type Into struct {
	Document func(collection string, doc bson.Raw) error
	Erasure  func(conv string, at time.Time) error
}

// NewReader reads the head of a backup that is not encrypted.
func NewReader(from io.Reader) (*Reader, error) {
	in := bufio.NewReaderSize(from, 64<<10)
	first, err := in.Peek(len(magic))
	if err != nil && !errors.Is(err, io.EOF) { // of what is encrypted: not even the first part is as it was written
		return nil, broken(err)
	}
	if string(first) != magic {
		return nil, ErrNotOne
	}
	line, err := in.ReadSlice('\n')
	if err != nil {
		return nil, ErrNotOne
	}
	version, err := strconv.Atoi(strings.TrimSpace(string(line[len(magic):])))
	switch {
	case err != nil || version < 1:
		return nil, ErrNotOne
	case version > format:
		return nil, fmt.Errorf("%w: its format is %d, this program knows %d", ErrNewer, version, format)
	}
	z, err := gzip.NewReader(in)
	if err != nil {
		return nil, broken(err)
	}
	r := &Reader{in: bufio.NewReaderSize(z, 64<<10), sum: sha256.New()}
	kind, doc, err := r.frame()
	if err != nil {
		return nil, err
	}
	if kind != aHead {
		return nil, ErrBroken
	}
	if err := bson.Unmarshal(doc, &r.Head); err != nil {
		return nil, broken(err)
	}
	r.Head.At = r.Head.At.UTC()
	r.add(kind, doc)
	return r, nil
}

// broken is an error of a file that cannot be read to its end.
func broken(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it is cut off", ErrBroken)
	}
	return fmt.Errorf("%w: %w", ErrBroken, err)
}

func (r *Reader) add(kind byte, doc bson.Raw) {
	r.sum.Write([]byte{kind})
	r.sum.Write(doc)
}

func (r *Reader) frame() (kind byte, doc bson.Raw, err error) {
	if kind, err = r.in.ReadByte(); err != nil {
		return 0, nil, broken(err)
	}
	size, err := r.in.Peek(4)
	if err != nil {
		return 0, nil, broken(err)
	}
	n := binary.LittleEndian.Uint32(size)
	if n < 5 || n > documentMost {
		return 0, nil, ErrBroken
	}
	doc = make(bson.Raw, n)
	if _, err := io.ReadFull(r.in, doc); err != nil {
		return 0, nil, broken(err)
	}
	return kind, doc, nil
}

// Each hands out all that is in a backup. That it is whole, and as it was written, is known once this has returned nil.
func (r *Reader) Each(ctx context.Context, into Into) (Report, error) {
	for {
		if err := ctx.Err(); err != nil {
			return Report{}, err
		}
		kind, doc, err := r.frame()
		if err != nil {
			return Report{}, err
		}
		if kind == theEnd {
			return r.end(doc)
		}
		r.add(kind, doc)
		if err := r.take(kind, doc, into); err != nil {
			return Report{}, err
		}
	}
}

func (r *Reader) take(kind byte, doc bson.Raw, into Into) error {
	switch kind {
	case aCollection:
		var of named
		if err := bson.Unmarshal(doc, &of); err != nil {
			return broken(err)
		}
		if len(r.tally.report.Collections) == collectionsMost || r.tally.has(of.Name) {
			return ErrBroken
		}
		r.tally.collection(of.Name)
	case aDocument:
		if len(r.tally.report.Collections) == 0 {
			return ErrBroken
		}
		r.tally.document(doc)
		if into.Document != nil {
			return into.Document(r.tally.report.Collections[len(r.tally.report.Collections)-1].Name, doc)
		}
	case anErasure:
		var of erasure
		if err := bson.Unmarshal(doc, &of); err != nil {
			return broken(err)
		}
		r.tally.report.Erasures++
		if into.Erasure != nil {
			return into.Erasure(of.Conv, of.At.UTC())
		}
	default:
		return ErrBroken
	}
	return nil
}

// end compares what was read with what was written.
func (r *Reader) end(doc bson.Raw) (Report, error) {
	var says last
	if err := bson.Unmarshal(doc, &says); err != nil {
		return Report{}, broken(err)
	}
	r.tally.close()
	got := r.tally.report
	if !bytes.Equal(says.Sum, r.sum.Sum(nil)) || says.Documents != got.Documents || says.Erasures != got.Erasures || Differ(says.Collections, got.Collections) != "" {
		return Report{}, fmt.Errorf("%w: its sums are not those of what is in it", ErrBroken)
	}
	if _, err := r.in.ReadByte(); !errors.Is(err, io.EOF) {
		return Report{}, fmt.Errorf("%w: there is something behind its end", ErrBroken)
	}
	got.Head = r.Head
	return got, nil
}

// Differ names a collection that is not the same in both; empty: there is none.
func Differ(a, b []Count) string {
	in := func(list []Count, c Count) bool {
		for _, other := range list {
			if other.Name == c.Name {
				return other.Documents == c.Documents && bytes.Equal(other.Sum, c.Sum)
			}
		}
		return false
	}
	for _, c := range a {
		if !in(b, c) {
			return c.Name
		}
	}
	for _, c := range b {
		if !in(a, c) {
			return c.Name
		}
	}
	return ""
}
