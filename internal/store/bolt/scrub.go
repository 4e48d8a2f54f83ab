package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	bbolt "go.etcd.io/bbolt"
)

// errLooked ends a transaction that changes nothing.
var errLooked = errors.New("nothing was changed")

// Scrub overwrites the pages that the file has free, in place, and what lies behind the last one: bbolt leaves there what was removed
// or written anew. It says how many it overwrote.
//
// It runs inside a write, so that nobody takes a free page meanwhile, and begins when the reads have ended that were under way: a page
// that was freed lately may be theirs. Reads that begin later see what was committed last, which has no part in a free page, and so does
// bbolt after a crash: it would have given these pages to the next commit too.
func (e *Engine) Scrub(ctx context.Context) (n int, err error) {
	err = e.writer.do(ctx, 1, func(tx *bbolt.Tx) error {
		e.reads.Lock()
		e.reads.Unlock() //nolint:staticcheck // it only waits
		if n, err = e.scrub(tx); err != nil {
			return err
		}
		return errLooked
	})
	if errors.Is(err, errLooked) {
		return n, nil
	}
	if err != nil {
		return n, fmt.Errorf("overwrite free pages: %w", err)
	}
	return n, nil
}

func (e *Engine) scrub(tx *bbolt.Tx) (n int, err error) {
	size := e.db.Info().PageSize
	clean, page := make([]byte, size), make([]byte, size)
	wipe := func(id int64) (end bool, err error) {
		got, err := e.file.ReadAt(page, id*int64(size))
		switch {
		case err != nil && !errors.Is(err, io.EOF):
			return false, err
		case got == 0:
			return true, nil // behind the file's end
		}
		if bytes.Equal(page[:got], clean[:got]) {
			return false, nil
		}
		if _, err = e.file.WriteAt(clean[:got], id*int64(size)); err == nil {
			n++
		}
		return false, err
	}
	id := 0
	for ; ; id++ {
		info, err := tx.Page(id)
		if err != nil {
			return n, err
		}
		if info == nil {
			break
		}
		if info.Type != "free" {
			continue
		}
		if _, err := wipe(int64(id)); err != nil {
			return n, err
		}
	}
	for end := false; !end; id++ {
		if end, err = wipe(int64(id)); err != nil {
			return n, err
		}
	}
	if n == 0 {
		return 0, nil
	}
	return n, e.file.Sync()
}
