package doctor

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"llave/flows"
	"llave/internal/affiliate"
	"llave/internal/config"
	"llave/internal/key"
	"llave/internal/store/bolt"
)

// files are checks of what lies on this machine's disk, and of who may read it.
func (d *doctor) files(s *section) {
	c := d.Config
	if c.Embedded() {
		s.check("data directory", func(context.Context) result { return dataDirectory(c.DataDir) })
		s.check("disk", func(context.Context) result { return d.disk(c.DataDir) })
		s.check("store file", func(context.Context) result {
			return private(filepath.Join(c.DataDir, bolt.FileName), "the store: all that was written to the bot", "it will be made at the start")
		})
		s.check("erasure log", func(context.Context) result { return erasureLog(c) })
	}
	s.check("secret key", d.secretKey)
	s.check(".env", func(context.Context) result {
		return private(d.EnvFile, "the settings, passwords among them", "there is none")
	})
	for _, f := range c.SecretFiles() {
		s.check(f.Setting, func(context.Context) result { return secretFile(f.Path) })
	}
	s.check("offices", func(context.Context) result { return offices(c.OfficesFile) })
	s.check("stolen keys", func(context.Context) result { return stolen(c.BreachedFile) })
	s.check("model", func(context.Context) result { return model(c.ModelFile) })
	s.check("catalogue", func(context.Context) result { return d.catalogue() })
}

// existing is the folder itself, or the nearest above it that is there.
func existing(dir string) string {
	for {
		if _, err := os.Stat(dir); err == nil || filepath.Dir(dir) == dir {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}

func dataDirectory(dir string) result {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	at := existing(dir)
	info, err := os.Stat(at)
	if err != nil {
		return bad("set LLAVE_DATA_DIR to a folder that this user may read", "%v", err)
	}
	if !info.IsDir() {
		return bad("set LLAVE_DATA_DIR to a folder", "%s is no folder", at)
	}
	f, err := os.CreateTemp(at, ".llave-doctor-*")
	if err != nil {
		return bad("let the user that runs Llave write there: chown, or mount it writable", "%s cannot be written: %v", at, errors.Unwrap(err))
	}
	name := f.Name()
	if err := errors.Join(f.Close(), os.Remove(name)); err != nil {
		return bad("look at the disk", "%s: %v", at, err)
	}
	if at != dir {
		return good("%s will be made at the start", dir)
	}
	if mode := info.Mode(); mode&0o002 == 0 && mode&0o077 != 0 { // its files are closed, whoever may see their names
		return warn("chmod go= "+dir, "others on this machine may look into the data directory (%s is %v)", dir, mode.Perm())
	}
	return open(dir, info.Mode(), "the data directory")
}

// private says who else may read what [is] in a file.
func private(path, is, missing string) result {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return good("%s", missing)
	}
	if err != nil {
		return bad("let the user that runs Llave read it", "%v", err)
	}
	if f, err := os.Open(path); err != nil {
		return bad("let the user that runs Llave read it", "%v", err)
	} else if err := f.Close(); err != nil {
		return bad("look at the disk", "%v", err)
	}
	return open(path, info.Mode(), is)
}

// erasureLog judges where it is noted which chats were erased, so that a backup that is put back is erased again.
func erasureLog(c config.Config) result {
	path, err := c.ErasureLogPath()
	if err != nil {
		return bad("set LLAVE_ERASURE_LOG to a file", "%v", err)
	}
	folder := filepath.Dir(path)
	info, err := os.Stat(existing(folder))
	switch {
	case err != nil:
		return bad("set LLAVE_ERASURE_LOG to a file in a folder that this user may read", "%v", err)
	case c.ErasureLog != "" && existing(folder) != folder || !info.IsDir():
		return bad("make the folder, or set LLAVE_ERASURE_LOG to a file in one that is there", "%s is no folder", folder)
	case c.ErasureLogIsInside():
		return warn("set LLAVE_ERASURE_LOG to a file outside the data directory", "it is in the data directory: a backup that is put back takes it back too, and who was erased since is there again")
	case c.ErasureLogIsLost():
		return warn("if the data directory was put back or moved, put the log beside it before serve starts; else start llave serve: it begins a new one", "%s is gone: nobody knows who was erased since the data directory was copied", path)
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return bad("set LLAVE_ERASURE_LOG to a file", "%s is a folder", path)
	}
	return private(path, "which chats were erased, and when", "it will be made at the start, at "+path)
}

// secretFile judges a file that holds one secret. Docker and Kubernetes put it there with rights of their own unless they are told
// others, and where nobody else is that does no harm.
func secretFile(path string) result {
	r := private(path, "the secret", "")
	f, err := os.Open(path)
	if err != nil {
		return r
	}
	_ = f.Close() // nothing was written
	if r.status == Green {
		return r
	}
	return warn("chmod go= "+path+", or mount it with mode 0400 (Kubernetes: defaultMode)", "%s", r.found)
}

// open judges the rights of a file or folder that is for its owner alone.
func open(path string, mode fs.FileMode, is string) result {
	rights := "chmod go= " + path
	switch {
	case mode&0o007 != 0:
		return bad(rights, "everybody on this machine may get at %s (%s is %v)", is, path, mode.Perm())
	case mode&0o070 != 0:
		return warn(rights, "its group may get at %s (%s is %v)", is, path, mode.Perm())
	}
	return good("%s, for its owner alone", path)
}

// Room that is little, and too little.
const (
	little    = 1 << 30
	tooLittle = 200 << 20
)

func (d *doctor) disk(dir string) result {
	free, total, err := d.Disk(existing(dir))
	if errors.Is(err, errors.ErrUnsupported) {
		return good("not known on this system")
	}
	if err != nil {
		return bad("look at the disk", "%v", err)
	}
	const mib = 1 << 20
	switch {
	case free < tooLittle:
		return bad("make room: with a full disk nothing that is written is kept, and webhooks are turned away", "%d MiB are free", free/mib)
	case free < little || free < total/20:
		return warn("make room, before nothing can be kept any more", "%d MiB of %d are free", free/mib, total/mib)
	}
	return good("%d MiB are free", free/mib)
}

func (d *doctor) secretKey(ctx context.Context) result {
	c := d.Config
	keys, err := d.keys()
	if c.Embedded() {
		switch f, ferr := bolt.Inspect(ctx, c.DataDir); {
		case errors.Is(err, fs.ErrNotExist) && (ferr != nil || f.Wrapped != "" || f.HeldBy != ""): // it was set up once
			return d.opens("")
		case err == nil && f.Wrapped != "":
			if r := d.opens(f.Wrapped); r.status == Red {
				return r
			}
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return good("%s will be made at the start; keep a copy where backups are not", config.SecretKeyPath(c.DataDir))
	}
	if err != nil {
		return bad("put back the file from a backup; a new one opens nothing of what is stored", "%v", err)
	}
	for _, k := range keys {
		different := slices.Compact(slices.Sorted(slices.Values(k)))
		if len(different) < 12 {
			return bad("make one with: openssl rand -base64 32. Put it in front of the old one, with a comma", "it is not random: it has %d different bytes", len(different))
		}
	}
	if c.SecretKey == nil {
		return private(config.SecretKeyPath(c.DataDir), "the secret key", "")
	}
	if len(keys) > 1 {
		return warn("once every process has started with the first, take the others out", "%d keys: one is being rotated", len(keys))
	}
	return good("set")
}

func offices(file string) result {
	if file == "" {
		return warn("set LLAVE_OFFICES_FILE (the columns: README, Offices)", "people who must go in person are told of no office")
	}
	list, err := affiliate.LoadOffices(file)
	if err != nil {
		return bad("mend the file", "LLAVE_OFFICES_FILE: %v", err)
	}
	if len(list) == 0 {
		return warn("put the offices in", "%s names no office", file)
	}
	return good("%d offices", len(list))
}

func stolen(file string) result {
	if file == "" {
		return good("no list is set")
	}
	if _, err := key.OpenStolen(file, slog.New(slog.DiscardHandler)); err != nil {
		return bad("mend the file (README, Stolen keys)", "LLAVE_BREACHED_FILE: %v", err)
	}
	return good("%s can be searched", file)
}

func model(file string) result {
	if file == "" {
		return good("the one that is built in")
	}
	if _, err := flows.LoadModel(file); err != nil {
		return bad("train it again with this version: llave train", "LLAVE_MODEL_FILE: %v", err)
	}
	return good("%s", file)
}

func (d *doctor) catalogue() result {
	if err := d.Flow(); err != nil {
		return bad("mend what is named", "%v", err)
	}
	return good("every text, answer and place of the conversation is there")
}
