package app

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// erasureFile is a log of erasures in a file, a line each: when, in milliseconds, and the chat's name. [also] is a second one, in the data
// directory: who moves that elsewhere has them still.
//
// The service and commands beside it have it at once. Whoever writes has the file locked, and makes sure that it is the one which the
// path names: to drop what is old another one is put in its place.
type erasureFile struct {
	path, also string
	mu         sync.Mutex
}

func (f *erasureFile) files() []string {
	if f.also == "" {
		return []string{f.path}
	}
	return []string{f.path, f.also}
}

// begin says whether the file can be written, and has each of the two have what the other has: one may have been lost, or put back as it
// was before.
func (f *erasureFile) begin(ctx context.Context) error {
	for _, path := range f.files() { // by the copy a log that is gone is told from one that never was
		if err := withLocked(path, func(*os.File) error { return syncDir(path) }); err != nil {
			return err
		}
	}
	if f.also == "" {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	has := map[string]map[string]bool{}
	for _, path := range f.files() {
		lines := map[string]bool{}
		if err := eachLine(ctx, path, func(conv string, at time.Time) bool { lines[logLine(conv, at)] = true; return true }); err != nil {
			return err
		}
		has[path] = lines
	}
	for _, path := range f.files() {
		var lacks strings.Builder
		for _, other := range f.files() {
			for line := range has[other] {
				if !has[path][line] {
					lacks.WriteString(line)
				}
			}
		}
		if lacks.Len() == 0 {
			continue
		}
		if err := appendTo(path, lacks.String()); err != nil {
			return err
		}
	}
	return nil
}

// logLine is the line of an erasure.
func logLine(conv string, at time.Time) string {
	return strconv.FormatInt(at.UnixMilli(), 10) + " " + conv + "\n"
}

// parseLine reads a line. One that was not written to its end, or that something has spoilt, is none.
func parseLine(line string) (conv string, at time.Time, ok bool) {
	ms, conv, ok := strings.Cut(strings.TrimSpace(line), " ")
	n, err := strconv.ParseInt(ms, 10, 64)
	return conv, time.UnixMilli(n).UTC(), ok && err == nil && conv != ""
}

// Append notes an erasure, durably.
func (f *erasureFile) Append(_ context.Context, conv string, at time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, path := range f.files() {
		if err := appendTo(path, logLine(conv, at)); err != nil {
			return err
		}
	}
	return nil
}

func appendTo(path, lines string) error {
	return withLocked(path, func(file *os.File) error {
		if _, err := file.WriteString("\n" + lines); err != nil { // the line before may have been left unended
			return err
		}
		return file.Sync()
	})
}

// Each calls each for every erasure of either file until it returns false.
func (f *erasureFile) Each(ctx context.Context, each func(conv string, at time.Time) bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	more := true
	for _, path := range f.files() {
		err := eachLine(ctx, path, func(conv string, at time.Time) bool { more = more && each(conv, at); return more })
		if err != nil {
			return err
		}
	}
	return nil
}

// eachLine calls each for every line of a file until it returns false.
func eachLine(ctx context.Context, path string, each func(conv string, at time.Time) bool) (err error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	lines := bufio.NewReader(file)
	for {
		line, err := lines.ReadSlice('\n')
		if err == nil || errors.Is(err, io.EOF) {
			if conv, at, ok := parseLine(string(line)); ok && !each(conv, at) {
				return nil
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, bufio.ErrBufferFull): // nothing that we wrote is so long
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = lines.ReadSlice('\n')
			}
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// Forget drops erasures from before a moment: nothing is kept for so long that a backup could bring back.
func (f *erasureFile) Forget(ctx context.Context, before time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, path := range f.files() {
		if err := forgetLines(ctx, path, before); err != nil {
			return err
		}
	}
	return nil
}

// forgetLines puts a file without the old lines in the place of one that has some.
func forgetLines(ctx context.Context, path string, before time.Time) error {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return withLocked(path, func(*os.File) error {
		var kept strings.Builder
		old := false
		err := eachLine(ctx, path, func(conv string, at time.Time) bool {
			if at.Before(before) {
				old = true
			} else {
				kept.WriteString(logLine(conv, at))
			}
			return true
		})
		if err != nil || !old {
			return err
		}
		fresh := path + ".new"
		file, err := os.OpenFile(fresh, os.O_TRUNC|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		_, err = file.WriteString(kept.String())
		if err == nil {
			err = file.Sync()
		}
		if err = errors.Join(err, file.Close()); err != nil {
			return err
		}
		if err := os.Rename(fresh, path); err != nil {
			return err
		}
		return syncDir(path)
	})
}

// withLocked has something done with the file of that path, which no other process writes or replaces meanwhile.
func withLocked(path string, do func(file *os.File) error) error {
	for {
		file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return err
		}
		if err := lockFile(file); err != nil {
			return errors.Join(fmt.Errorf("lock the log of erasures: %w", err), file.Close())
		}
		has, err := file.Stat()
		if err != nil {
			return errors.Join(err, file.Close())
		}
		is, err := os.Stat(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return errors.Join(err, file.Close())
		}
		if err != nil || !os.SameFile(has, is) { // it was replaced before we had it
			if err := file.Close(); err != nil {
				return err
			}
			continue
		}
		return errors.Join(do(file), file.Close()) // which unlocks it
	}
}

// syncDir makes durable what a file is called.
func syncDir(path string) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
