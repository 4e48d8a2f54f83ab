package bolt

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"time"

	bbolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/internal/store"
)

// FileName is the store's file inside the data directory; holderName says which process holds it.
const (
	FileName   = "llave.db"
	holderName = "llave.lock"
)

// schema is what this program writes. A file with a higher one is left alone.
const schema = 1

var (
	metaBucket  = []byte("llave")
	schemaKey   = []byte("schema")
	trialKey    = []byte("trial") // there while it is tried whether there is room
	indexPrefix = []byte("index/")
)

// Options says where the file is. Only Dir is needed.
type Options struct {
	Dir    string           // made when missing, for the owner alone
	Now    func() time.Time // the store's clock; nil is time.Now
	NoSync bool             // for tests: a power cut may lose or damage what was written
}

// Open opens the store in a directory, making it when there is none. The error wraps store.ErrLocked when another process
// holds the file (and says which), store.ErrDamaged when the file is truncated or not a store, and store.ErrNewer when a
// newer version wrote it. In all three the file is unchanged. After ErrDamaged this process may go on holding the file's
// lock.
func Open(ctx context.Context, opt Options) (*Engine, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	path := filepath.Join(opt.Dir, FileName)
	if err := os.MkdirAll(opt.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	if err := create(opt, path); err != nil {
		return nil, fmt.Errorf("open store: create %s: %w", path, err)
	}
	if err := inspect(path); err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	db, file, err := openFile(path, opt.NoSync)
	if err != nil {
		if errors.Is(err, berrors.ErrTimeout) {
			return nil, fmt.Errorf("open store %s: %w: %s", path, store.ErrLocked, heldBy(opt.Dir))
		}
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	if !isAt(file, path) { // Compact has just put another in its place
		return nil, errors.Join(fmt.Errorf("open store %s: %w: it was just written anew; do it again", path, store.ErrLocked), db.Close())
	}
	e := &Engine{db: db, file: file, now: opt.Now, holder: filepath.Join(opt.Dir, holderName), indexes: map[string][]index{}}
	for _, ix := range store.Indexes {
		e.indexes[ix.Collection] = append(e.indexes[ix.Collection], index{ix.Field, indexBucket(ix)})
	}
	if err := e.prepare(opt.Dir); err != nil {
		_ = e.release() // the first error is the one to tell
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	e.writer = startWriter(db, &e.health)
	return e, nil
}

// openFile opens an existing file. bbolt panics over some damages, and reading past a file's end is a fault: both come
// back as store.ErrDamaged.
func openFile(path string, noSync bool) (db *bbolt.DB, file *os.File, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			file.Close()
			err = fmt.Errorf("%w: %v; %s", store.ErrDamaged, p, advice)
		}
	}()
	db, err = bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout:         100 * time.Millisecond,
		NoSync:          noSync,
		FreelistType:    bbolt.FreelistMapType,
		InitialMmapSize: 64 << 20, // address space, not memory; spares small stores the remapping
		// The file is there: one that vanished meanwhile is an error, not a new store.
		OpenFile: func(name string, flag int, mode os.FileMode) (f *os.File, err error) {
			file, err = os.OpenFile(name, flag&^os.O_CREATE, mode)
			return file, err
		},
	})
	for _, broken := range []error{berrors.ErrInvalid, berrors.ErrVersionMismatch, berrors.ErrChecksum} {
		if errors.Is(err, broken) {
			err = fmt.Errorf("%w: %w; %s", store.ErrDamaged, err, advice)
		}
	}
	return db, file, err
}

// isAt says whether a file is still the one that a path names.
func isAt(file *os.File, path string) bool {
	has, err := file.Stat()
	if err != nil {
		return false
	}
	is, err := os.Stat(path)
	return err == nil && os.SameFile(has, is)
}

// create makes a new, complete store file unless there is one. It is made under another name and linked into place, so
// that whatever stands under the right name was whole once: an empty file there is damage, not a beginning. Two
// processes doing this at once end up with one file.
func create(opt Options, path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.CreateTemp(opt.Dir, FileName+".*.new")
	if err != nil {
		return err
	}
	temp := f.Name()
	defer os.Remove(temp)
	if err := f.Close(); err != nil {
		return err
	}
	db, err := bbolt.Open(temp, 0o600, &bbolt.Options{NoSync: opt.NoSync})
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucket(metaBucket)
		if err != nil {
			return err
		}
		return b.Put(schemaKey, []byte(strconv.Itoa(schema)))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	if err := os.Link(temp, path); errors.Is(err, fs.ErrExist) {
		return nil
	} else if err != nil { // a file system without links
		if err := os.Rename(temp, path); err != nil {
			return err
		}
	}
	return syncDir(opt.Dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// advice is what to do about a damaged file.
const advice = "put a backup back (docs/upgrade.md); never delete the file"

// meta is what inspect reads of one of the file's two meta pages.
type meta struct {
	pageSize int64
	pages    int64 // every page in use is below this
	txid     uint64
}

// The layout of a bbolt page header and meta page: fixed since boltdb, in the machine's byte order.
const (
	pageHeader = 16
	metaSize   = 64
	metaMagic  = 0xED0CDAED
)

func readMeta(f io.ReaderAt, at int64) (meta, bool) {
	b := make([]byte, metaSize)
	if _, err := f.ReadAt(b, at+pageHeader); err != nil {
		return meta{}, false
	}
	order := binary.NativeEndian
	sum := fnv.New64a()
	sum.Write(b[:56])
	if order.Uint32(b) != metaMagic || order.Uint64(b[56:]) != sum.Sum64() {
		return meta{}, false
	}
	return meta{
		pageSize: int64(order.Uint32(b[8:])),
		pages:    int64(order.Uint64(b[40:])), //nolint:gosec // pages of a file
		txid:     order.Uint64(b[48:]),
	}, true
}

// inspect looks at the file before bbolt maps it: a map that is longer than its file ends the process when the missing
// part is touched. The metas are read before the size, so that a store that another process holds and lets grow is not
// taken for a damaged one.
func inspect(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	newest, ok := readMeta(f, 0)
	second := int64(os.Getpagesize())
	if ok {
		second = newest.pageSize
	}
	if m, good := readMeta(f, second); good && (!ok || m.txid > newest.txid) {
		newest, ok = m, true
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	switch {
	case info.Size() == 0:
		return fmt.Errorf("%w: it is empty; %s", store.ErrDamaged, advice)
	case !ok:
		return fmt.Errorf("%w: it is not a store, or its beginning is destroyed; %s", store.ErrDamaged, advice)
	case info.Size() < newest.pages*newest.pageSize:
		return fmt.Errorf("%w: it is cut off, %d bytes of %d are there; %s",
			store.ErrDamaged, info.Size(), newest.pages*newest.pageSize, advice)
	}
	return nil
}

// prepare runs while the lock is held and nobody else uses the engine yet.
func (e *Engine) prepare(dir string) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer e.health.recovered(&err)
	if err := e.checkSchema(); err != nil {
		return err
	}
	if err := e.buildIndexes(); err != nil {
		return err
	}
	leftovers, _ := filepath.Glob(filepath.Join(dir, FileName+".*.new"))
	for _, name := range leftovers {
		os.RemoveAll(name) // a file, or the folder of a store that was being built
	}
	if writeHolder(e.holder) != nil {
		os.Remove(e.holder) // it only informs: a full disk keeps nobody from reading what is stored
	}
	return nil
}

func (e *Engine) checkSchema() error {
	return e.db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket(metaBucket)
		if b == nil {
			return fmt.Errorf("%w: it is a bbolt file, but not of this program; %s", store.ErrDamaged, advice)
		}
		found, err := strconv.Atoi(string(b.Get(schemaKey)))
		switch {
		case err != nil || found < 1:
			return fmt.Errorf("%w: it does not say which version wrote it; %s", store.ErrDamaged, advice)
		case found > schema:
			return fmt.Errorf("%w: the file has format %d, this program knows %d", store.ErrNewer, found, schema)
		}
		return nil
	})
}

// buildIndexes makes the buckets of indexes that are new, filled, and drops those of indexes no longer declared, which
// nobody would keep up to date.
func (e *Engine) buildIndexes() error {
	declared := map[string]bool{}
	var missing []store.Index
	for _, ix := range store.Indexes {
		declared[string(indexBucket(ix))] = true
	}
	var dropped [][]byte
	err := e.db.View(func(tx *bbolt.Tx) error {
		for _, ix := range store.Indexes {
			if tx.Bucket(indexBucket(ix)) == nil {
				missing = append(missing, ix)
			}
		}
		return tx.ForEach(func(name []byte, _ *bbolt.Bucket) error {
			if len(name) > len(indexPrefix) && string(name[:len(indexPrefix)]) == string(indexPrefix) && !declared[string(name)] {
				dropped = append(dropped, append([]byte(nil), name...))
			}
			return nil
		})
	})
	if err != nil || len(missing)+len(dropped) == 0 {
		return err
	}
	return e.db.Update(func(tx *bbolt.Tx) error {
		for _, name := range dropped {
			if err := tx.DeleteBucket(name); err != nil {
				return err
			}
		}
		for _, ix := range missing {
			if err := buildIndex(tx, ix); err != nil {
				return fmt.Errorf("build index %s.%s: %w", ix.Collection, ix.Field, err)
			}
		}
		return nil
	})
}

func buildIndex(tx *bbolt.Tx, ix store.Index) error {
	b, err := tx.CreateBucket(indexBucket(ix))
	if err != nil {
		return err
	}
	docs := tx.Bucket(documents(ix.Collection))
	if docs == nil {
		return nil
	}
	only := []index{{field: ix.Field}}
	return docs.ForEach(func(id, doc []byte) error {
		keys, err := entries(only, string(id), bson.Raw(doc))
		if err != nil || keys[0] == nil {
			return err
		}
		return b.Put(keys[0], nil)
	})
}

// holder is what lies beside the file while a process holds it. It only informs; the lock is bbolt's.
type holder struct {
	PID   int       `json:"pid"`
	Host  string    `json:"host"`
	Since time.Time `json:"since"`
}

func writeHolder(path string) error {
	host, _ := os.Hostname()
	text, err := json.Marshal(holder{PID: os.Getpid(), Host: host, Since: time.Now().UTC().Truncate(time.Second)})
	if err != nil {
		return err
	}
	temp := path + ".new"
	if err := os.WriteFile(temp, append(text, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(temp, path)
}

// heldBy describes the process that holds the file.
func heldBy(dir string) string {
	var h holder
	text, err := os.ReadFile(filepath.Join(dir, holderName))
	if err != nil || json.Unmarshal(text, &h) != nil || h.PID == 0 {
		return "it did not say which"
	}
	return fmt.Sprintf("process %d on %s, since %s", h.PID, h.Host, h.Since.Local().Format("2006-01-02 15:04:05 -0700"))
}
