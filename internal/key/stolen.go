package key

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // the choice of who publishes stolen keys
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"sync/atomic"
)

// StolenFile is a local file of keys known to be stolen, as the hashes of the public dump of Have I Been Pwned: SHA-1 in
// hexadecimal, one a line, sorted, with or without a colon and a count behind. It is searched where it lies, by halving,
// and read anew for each key: it may be replaced while we run. It is safe for use by many goroutines.
type StolenFile struct {
	path   string
	log    *slog.Logger
	broken atomic.Bool // it could not be read the last time
}

// OpenStolen looks at a file of stolen keys: it can be read, and its first, its last and some lines between are hashes in
// order.
func OpenStolen(path string, log *slog.Logger) (*StolenFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open stolen keys: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("look at stolen keys: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("look at stolen keys: %s is not a file", path)
	}
	if err := (hashes{f, info.Size()}).sound(); err != nil {
		return nil, fmt.Errorf("look at stolen keys: %w", err)
	}
	return &StolenFile{path: path, log: log}, nil
}

// has says whether a key is in the file. Nobody is kept from a key because the file cannot be read: the log says so, once
// until it can be again.
func (f *StolenFile) has(key string) bool {
	if f == nil {
		return false
	}
	found, err := f.find(key)
	if err == nil {
		f.broken.Store(false)
	} else if !f.broken.Swap(true) {
		f.log.Error("keys are judged without the file of stolen ones (LLAVE_BREACHED_FILE)", "error", err)
	}
	return found
}

func (f *StolenFile) find(key string) (bool, error) {
	file, err := os.Open(f.path)
	if err != nil {
		return false, fmt.Errorf("open stolen keys: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return false, fmt.Errorf("look at stolen keys: %w", err)
	}
	sum := sha1.Sum([]byte(key)) //nolint:gosec // the dump's choice; nothing is kept of it
	return hashes{file, info.Size()}.find([]byte(hex.EncodeToString(sum[:])))
}

const (
	hashLength = 2 * sha1.Size
	blockSize  = 512 // what is read at once: some ten lines
	looks      = 16  // places of the file that are looked at when it is opened
)

var (
	errNoHash   = errors.New("a line is not a SHA-1 hash in hexadecimal")
	errUnsorted = errors.New("its lines are not in order: sort them with LC_ALL=C sort")
	errEmpty    = errors.New("it is empty")
)

// hashes are the lines of an open file.
type hashes struct {
	file io.ReaderAt
	size int64
}

// block is some whole lines of the file: their hashes in lower case, and the bytes from where they begin up to where they end.
type block struct {
	hashes   [][]byte
	from, to int64
}

// sound looks at the first lines, the last ones and some between.
func (h hashes) sound() error {
	var seen [][]byte // the first line of each place
	for n := range int64(looks + 1) {
		at := h.size / looks * n
		if n == looks {
			at = max(h.size/looks*(looks-1), h.size-blockSize)
		}
		b, err := h.block(at)
		if err != nil {
			return err
		}
		if !slices.IsSortedFunc(b.hashes, bytes.Compare) {
			return errUnsorted
		}
		if len(b.hashes) > 0 {
			seen = append(seen, b.hashes[0])
		}
	}
	switch {
	case len(seen) == 0:
		return errEmpty
	case !slices.IsSortedFunc(seen, bytes.Compare):
		return errUnsorted
	}
	return nil
}

// find halves what is left of the file until the hash would be in the block that was read.
func (h hashes) find(hash []byte) (bool, error) {
	from, to := int64(0), h.size // where its line may begin; both are beginnings of lines
	for from < to {
		at := max(from, from+(to-from-blockSize)/2)
		b, err := h.block(at)
		if err != nil {
			return false, err
		}
		switch {
		case len(b.hashes) == 0 || at == from && bytes.Compare(hash, b.hashes[0]) < 0:
			return false, nil
		case bytes.Compare(hash, b.hashes[0]) < 0:
			to = b.from
		case bytes.Compare(hash, b.hashes[len(b.hashes)-1]) > 0:
			from = b.to
		default:
			_, found := slices.BinarySearchFunc(b.hashes, hash, bytes.Compare)
			return found, nil
		}
	}
	return false, nil
}

// block reads the lines that begin at a place or soon behind it.
func (h hashes) block(at int64) (b block, err error) {
	begin := max(0, at-1) // a line begins behind the end of another
	text := make([]byte, blockSize+1)
	n, err := h.file.ReadAt(text, begin)
	if err != nil && !errors.Is(err, io.EOF) {
		return b, fmt.Errorf("read stolen keys: %w", err)
	}
	text = text[:n]
	if begin+int64(n) == h.size {
		text = append(text, '\n') // the last line may have no end
	}
	if at > 0 {
		_, rest, _ := bytes.Cut(text, []byte("\n"))
		begin += int64(len(text) - len(rest))
		text = rest
	}
	end := bytes.LastIndexByte(text, '\n') + 1
	if end == 0 && len(text) >= blockSize/2 {
		return b, errNoHash
	}
	b.from, b.to = begin, min(begin+int64(end), h.size)
	for line := range bytes.Lines(text[:end]) {
		if line = bytes.TrimRight(line, "\r\n"); len(line) == 0 {
			continue
		}
		hash, count, counted := bytes.Cut(line, []byte(":"))
		if len(hash) != hashLength || counted && !isNumber(count) {
			return b, errNoHash
		}
		hash = bytes.ToLower(hash)
		if _, err := hex.DecodeString(string(hash)); err != nil {
			return b, errNoHash
		}
		b.hashes = append(b.hashes, hash)
	}
	return b, nil
}

func isNumber(s []byte) bool {
	return len(s) > 0 && !bytes.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}
