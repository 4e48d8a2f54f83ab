package app

import (
	"context"
	"fmt"
	"path/filepath"

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
	switch err := log.begin(ctx); {
	case err == nil && lost:
		warn("the log of erasures is gone, and begins anew from its copy in the data directory: if that was put back or moved, put the log beside it and start again, or those erased since come back", "file", path)
	case err == nil:
	case c.ErasureLog != "":
		return nil, nil, fmt.Errorf("LLAVE_ERASURE_LOG: %w; name a file in a folder that is there and may be written, outside the data directory", err)
	default:
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

func (a *App) scrub(ctx context.Context) error { return scrub(ctx, a.raw) }

// scrub overwrites what the file of an embedded store keeps of what was removed. Of any other engine there is no file.
func scrub(ctx context.Context, engine store.Engine) error {
	if s, ok := engine.(interface {
		Scrub(ctx context.Context) (int, error)
	}); ok {
		if _, err := s.Scrub(ctx); err != nil {
			return fmt.Errorf("overwrite what was removed: %w", err)
		}
	}
	return nil
}
