package bolt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	bbolt "go.etcd.io/bbolt"

	"llave/internal/store"
)

// Build makes the store of a directory that has none, filled by [fill]. It grows under another name and gets its own once it is whole and
// on the disk: whatever dies before has made no store, and what it leaves the next Open takes away. The error wraps store.ErrTaken
// where there is a store, also one that somebody began meanwhile.
func Build(ctx context.Context, opt Options, fill func(e *Engine) error) (err error) {
	path := filepath.Join(opt.Dir, FileName)
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%w: %s", store.ErrTaken, path)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("build store: %w", err)
	}
	if err := os.MkdirAll(opt.Dir, 0o700); err != nil {
		return fmt.Errorf("build store: %w", err)
	}
	aside, err := os.MkdirTemp(opt.Dir, FileName+".*.new") // mode 0700
	if err != nil {
		return fmt.Errorf("build store: %w", err)
	}
	defer os.RemoveAll(aside)
	e, err := Open(ctx, Options{Dir: aside, Now: opt.Now, NoSync: true})
	if err != nil {
		return fmt.Errorf("build store: %w", err)
	}
	if err := fill(e); err != nil {
		return errors.Join(err, e.Close())
	}
	if err := errors.Join(e.file.Sync(), e.Close()); err != nil {
		return fmt.Errorf("build store: %w", err)
	}
	if err := claim(filepath.Join(aside, FileName), path); err != nil {
		if errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: %s: somebody began it meanwhile", store.ErrTaken, path)
		}
		return fmt.Errorf("build store: %w", err)
	}
	return syncDir(opt.Dir)
}

// claim gives a file a name that nobody has.
func claim(from, to string) error {
	err := os.Link(from, to)
	if err == nil || errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) { // a file system without links
		return errors.Join(fs.ErrExist, err)
	}
	return os.Rename(from, to)
}

// Compacted is what Compact made of a file.
type Compacted struct {
	Before int64 `json:"before"` // bytes
	After  int64 `json:"after"`
}

// compactEvery is how many bytes go into one commit of the copy.
const compactEvery = 16 << 20

// Compact writes the file of a directory's store anew without the pages that are free, and puts the copy into its place once it is whole and
// the same, with the same rights and owner. What dies before leaves the file as it was. Nobody may have the store open (store.ErrLocked).
// The old file is overwritten before it goes: what is erased later must not lie on in it.
func Compact(ctx context.Context, dir string) (c Compacted, err error) {
	path := filepath.Join(dir, FileName)
	was, err := os.Stat(path)
	if err != nil {
		return c, fmt.Errorf("compact: %w", err)
	}
	e, err := Open(ctx, Options{Dir: dir})
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	temp, err := os.CreateTemp(dir, FileName+".*.new") // mode 0600
	if err != nil {
		return c, fmt.Errorf("compact: %w", err)
	}
	defer os.Remove(temp.Name())
	if err := temp.Close(); err != nil {
		return c, fmt.Errorf("compact: %w", err)
	}
	if err := e.copyTo(ctx, temp.Name()); err != nil {
		return c, fmt.Errorf("compact: %w", err)
	}
	if err := likeness(was, temp.Name()); err != nil {
		return c, fmt.Errorf("compact: rights of the new file: %w", err)
	}
	now, err := os.Stat(temp.Name())
	if err != nil {
		return c, fmt.Errorf("compact: %w", err)
	}
	if err := os.Rename(temp.Name(), path); err != nil {
		return c, fmt.Errorf("compact: %w", err)
	}
	if err := syncDir(dir); err != nil {
		return c, fmt.Errorf("compact: %w", err)
	}
	return Compacted{Before: was.Size(), After: now.Size()}, e.wipe()
}

// copyTo writes all that the file has into another, and sees that it is there.
func (e *Engine) copyTo(ctx context.Context, path string) (err error) {
	to, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true, Timeout: time.Second})
	if err != nil {
		return err
	}
	closed := false
	defer func() {
		if !closed {
			err = errors.Join(err, to.Close())
		}
	}()
	err = e.view(ctx, func(*bbolt.Tx) error { return bbolt.Compact(to, e.db, compactEvery) })
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = e.view(ctx, func(a *bbolt.Tx) error { return to.View(func(b *bbolt.Tx) error { return same(a, b) }) })
	}
	if err == nil {
		err = to.Sync()
	}
	closed = true
	return errors.Join(err, to.Close())
}

// wipe overwrites a file that has no name any more, in which the store was.
func (e *Engine) wipe() error {
	info, err := e.file.Stat()
	if err != nil || links(info) != 0 { // somebody has it under another name
		return err
	}
	clean := make([]byte, 1<<20)
	for at := int64(0); at < info.Size(); at += int64(len(clean)) {
		if _, err := e.file.WriteAt(clean[:min(int64(len(clean)), info.Size()-at)], at); err != nil {
			return fmt.Errorf("overwrite the old file: %w", err)
		}
	}
	return e.file.Sync()
}
