package backup

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"filippo.io/age"
)

// ageMagic is what every file begins with that age has encrypted.
const ageMagic = "age-encryption.org/"

// Unfinished ends the name of a file that is being written; before it there is a part that chance makes.
const Unfinished = ".unfinished"

// File is a backup that was written.
type File struct {
	Report
	Bytes int64
	Sum   string // SHA-256 of the file, as sha256sum prints it
}

// Create writes a backup into a new file that its owner alone may read, encrypted where there are recipients. Whatever goes wrong, no file
// of that name is there afterwards. The error wraps fs.ErrExist where one was there before.
func Create(ctx context.Context, path string, to Recipients, from Source) (f File, err error) {
	if _, err := os.Lstat(path); err == nil {
		return f, fmt.Errorf("%s: %w; name another, or move it away", path, fs.ErrExist)
	}
	temp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*"+Unfinished) // mode 0600
	if err != nil {
		return f, fmt.Errorf("%w; name a file in a folder that is there and that this user may write to", err)
	}
	defer os.Remove(temp.Name())
	f, err = fill(ctx, temp, to, from)
	if err == nil {
		err = temp.Sync()
	}
	if err = errors.Join(err, temp.Close()); err != nil {
		return f, err
	}
	if err := verify(ctx, temp.Name(), f, len(to) > 0); err != nil {
		return f, err
	}
	if err := claim(temp.Name(), path); err != nil {
		return f, err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return f, err
	}
	return f, errors.Join(dir.Sync(), dir.Close())
}

// claim gives a file a name that nobody has.
func claim(from, to string) error {
	err := os.Link(from, to)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) { // a file system without links
		return errors.Join(fs.ErrExist, err)
	}
	return os.Rename(from, to)
}

func fill(ctx context.Context, file *os.File, to Recipients, from Source) (f File, err error) {
	sum := sha256.New()
	buffered := bufio.NewWriterSize(io.MultiWriter(file, sum), 256<<10)
	out := io.Writer(buffered)
	end := func() error { return nil }
	if len(to) > 0 {
		sealed, err := age.Encrypt(buffered, to...)
		if err != nil {
			return f, fmt.Errorf("encrypt backup: %w", err)
		}
		out, end = sealed, sealed.Close
	}
	if f.Report, err = Write(ctx, out, from); err != nil {
		return f, err
	}
	if err := errors.Join(end(), buffered.Flush()); err != nil {
		return f, fmt.Errorf("write backup: %w", err)
	}
	info, err := file.Stat()
	if err != nil {
		return f, err
	}
	f.Bytes, f.Sum = info.Size(), hex.EncodeToString(sum.Sum(nil))
	return f, nil
}

// verify reads back what was written: every byte, and what is not encrypted as a restore would.
func verify(ctx context.Context, path string, f File, sealed bool) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	sum := sha256.New()
	in := io.TeeReader(file, sum)
	if !sealed {
		r, err := NewReader(in)
		if err != nil {
			return fmt.Errorf("read back: %w", err)
		}
		got, err := r.Each(ctx, Into{})
		if err != nil {
			return fmt.Errorf("read back: %w", err)
		}
		if got.Documents != f.Documents || Differ(got.Collections, f.Collections) != "" {
			return fmt.Errorf("read back: %w", ErrBroken)
		}
	}
	if _, err := io.Copy(io.Discard, in); err != nil {
		return fmt.Errorf("read back: %w", err)
	}
	if hex.EncodeToString(sum.Sum(nil)) != f.Sum {
		return fmt.Errorf("read back: %w: the disk does not give back what was written", ErrBroken)
	}
	return ctx.Err()
}

// Open reads the head of a backup in a file, encrypted or not.
func Open(file io.Reader, identities Identities) (*Reader, error) {
	in := bufio.NewReaderSize(file, 256<<10)
	if first, _ := in.Peek(len(ageMagic)); string(first) != ageMagic {
		return NewReader(in)
	}
	if len(identities) == 0 {
		return nil, ErrSealed
	}
	clear, err := age.Decrypt(in, identities...)
	if none := (*age.NoIdentityMatchError)(nil); errors.As(err, &none) {
		return nil, errors.New("the identity does not open the backup: it was encrypted for another")
	}
	if err != nil {
		return nil, broken(err)
	}
	return NewReader(clear)
}

// Recipients are who a backup is encrypted for; none: it is not.
type Recipients []age.Recipient

// Identities are what opens an encrypted backup.
type Identities []age.Identity

// ParseRecipients reads public keys of age ("age1…"), one a line.
func ParseRecipients(text []byte) (Recipients, error) {
	to, err := age.ParseRecipients(bytes.NewReader(text))
	if err != nil { // its words quote the line, which may be a secret one
		return nil, errors.New("expected public keys of age, one a line, each beginning with age1; age-keygen makes a pair")
	}
	return to, nil
}

// ParseIdentities reads a file that age-keygen wrote.
func ParseIdentities(text []byte) (Identities, error) {
	all, err := age.ParseIdentities(bytes.NewReader(text))
	if err != nil {
		return nil, errors.New("expected a file that age-keygen wrote, with a line AGE-SECRET-KEY-…")
	}
	return all, nil
}
