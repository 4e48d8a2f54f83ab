package app

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"llave/internal/config"
	"llave/internal/store"
	"llave/internal/store/mongodb"
)

// erasuresInBase is what stands behind the name of the database where the log of its erasures is: beside what a backup puts back, so that it
// outlives that (P723).
const erasuresInBase = "_erasures"

// openErasures opens the log of erasures of the store that the settings name.
func openErasures(ctx context.Context, c config.Config, s *store.Store, warn func(msg string, args ...any)) (store.ErasureLog, func() error, error) {
	if !c.Embedded() {
		e, err := mongodb.Open(ctx, mongodb.Options{URI: c.MongoDBURI.Reveal(), Database: c.MongoDBDatabase + erasuresInBase, AppName: "llave", Bare: true})
		if err != nil {
			warn("erasures are logged in the database itself: one that is put back as a whole forgets them; give the user the right to write in another one", "database", c.MongoDBDatabase+erasuresInBase, "error", err)
			return store.NewErasureLog(s.Engine()), func() error { return nil }, nil
		}
		return store.NewErasureLog(e), e.Close, nil
	}
	inside := filepath.Join(c.DataDir, config.ErasuresInside)
	path, err := c.ErasureLogPath()
	if err != nil {
		return nil, nil, fmt.Errorf("find the log of erasures: %w", err)
	}
	if c.ErasureLogIsInside() {
		warn("the log of erasures is in the data directory: one that is put back as a whole forgets them; name a file elsewhere in LLAVE_ERASURE_LOG")
	}
	lost := c.ErasureLogIsLost()
	log := &erasureFile{path: path, also: inside}
	err = log.try()
	if lost && err == nil {
		warn("the log of erasures is gone, and begins anew from its copy in the data directory: if that was put back or moved, put the log beside it and start again, or those erased since come back", "file", path)
	}
	if err != nil {
		if c.ErasureLog != "" {
			return nil, nil, fmt.Errorf("LLAVE_ERASURE_LOG: %w; name a file in a folder that is there and may be written, outside the data directory", err)
		}
		warn("erasures are logged inside the data directory alone: one that is put back as a whole forgets them; name a file elsewhere in LLAVE_ERASURE_LOG", "error", err)
		log.path, log.also = inside, ""
	}
	return log, func() error { return nil }, nil
}

// openErasures opens the log, and erases again what it has and the store does not show. What is tried out has none; of a store that is
// given it is in there.
func (a *App) openErasures(ctx context.Context) error {
	switch {
	case a.options.Demo, a.options.Terminal != nil:
		return nil
	case a.options.Engine != nil:
		a.erasures = store.NewErasureLog(a.Store.Engine())
		return a.EraseAgain(ctx)
	}
	log, done, err := openErasures(ctx, a.options.Config, a.Store, a.options.Log.Warn)
	if err != nil {
		return err
	}
	a.erasures = log
	a.onStop("log of erasures", func(context.Context) error { return done() })
	return a.EraseAgain(ctx)
}

// erasureFile is a log of erasures in a file, a line each: when, in milliseconds, and the chat's name. [also] is a second one, in the data
// directory: who moves that elsewhere has them still.
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

// try says whether the file can be written, and its copy.
func (f *erasureFile) try() error {
	file, err := os.OpenFile(f.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	copied, err := os.OpenFile(f.also, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600) // by it a log that is gone is told from one that never was
	if err != nil {
		return err
	}
	return copied.Close()
}

// Append notes an erasure, durably.
func (f *erasureFile) Append(_ context.Context, conv string, at time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	line := "\n" + strconv.FormatInt(at.UnixMilli(), 10) + " " + conv + "\n" // the line before may have been left unended
	for _, path := range f.files() {
		if err := appendTo(path, line); err != nil {
			return err
		}
	}
	return nil
}

func appendTo(path, line string) error {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(line)
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// Each calls each for every erasure of either file until it returns false. A line that was not written to its end is none.
func (f *erasureFile) Each(_ context.Context, each func(conv string, at time.Time) bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, path := range f.files() {
		file, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		lines := bufio.NewScanner(file)
		for lines.Scan() {
			at, conv, ok := strings.Cut(lines.Text(), " ")
			ms, err := strconv.ParseInt(at, 10, 64)
			if ok && err == nil && conv != "" && !each(conv, time.UnixMilli(ms).UTC()) {
				break
			}
		}
		if err := errors.Join(lines.Err(), file.Close()); err != nil {
			return err
		}
	}
	return nil
}

// Forget drops erasures from before a moment: nothing is kept for so long that a backup could bring back.
func (f *erasureFile) Forget(_ context.Context, before time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, path := range f.files() {
		if err := forgetLines(path, before); err != nil {
			return err
		}
	}
	return nil
}

// forgetLines writes a file anew without its old lines, where it has some.
func forgetLines(path string, before time.Time) error {
	all, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var kept strings.Builder
	old := false
	for line := range strings.Lines(string(all)) {
		at, _, _ := strings.Cut(line, " ")
		if strings.TrimSpace(line) == "" {
			continue
		}
		if ms, err := strconv.ParseInt(at, 10, 64); err != nil || time.UnixMilli(ms).Before(before) {
			old = true
			continue
		}
		kept.WriteString(line)
	}
	if !old {
		return nil
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
	return os.Rename(fresh, path)
}

// EraseAgain erases what the log of erasures has and the store does not show: it was put back as it was before. It reads the whole log.
func (a *App) EraseAgain(ctx context.Context) error {
	if a.erasures == nil {
		return nil
	}
	n, err := a.Store.Reapply(ctx, a.erasures)
	if err != nil {
		return err
	}
	if n > 0 {
		a.options.Log.Warn("erased again: the store was put back as it was before", "chats", n)
		if err := a.scrub(ctx); err != nil {
			return err
		}
	}
	return nil
}

// EndErasing drops the addresses of erased chats whose answer is out, and takes what was erased off the disk.
func (a *App) EndErasing(ctx context.Context) error {
	n, err := a.Store.LetGo(ctx, a.erasures)
	if err != nil || n == 0 {
		return err
	}
	return a.scrub(ctx)
}

// scrub overwrites what the embedded store's file keeps of what was removed.
func (a *App) scrub(ctx context.Context) error {
	if s, ok := a.raw.(interface {
		Scrub(ctx context.Context) (int, error)
	}); ok {
		if _, err := s.Scrub(ctx); err != nil {
			return fmt.Errorf("overwrite what was removed: %w", err)
		}
	}
	return nil
}
