package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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

// Facts are what an embedded store is like from outside.
type Facts struct {
	Exists  bool
	Size    int64
	HeldBy  string // the process that has it open, in words; empty: nobody
	Wrapped string // the data key; empty before the first start, or while somebody has the store open
}

// Inspect looks at the store in a directory, for whoever looks after it. It makes nothing and changes nothing. The error wraps
// store.ErrDamaged or store.ErrNewer, as that of Open does.
func Inspect(ctx context.Context, dir string) (f Facts, err error) {
	path := filepath.Join(dir, FileName)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return f, fmt.Errorf("look at the store: %w", err)
	}
	f.Exists, f.Size = true, info.Size()
	if err := inspect(path); err != nil {
		return f, fmt.Errorf("look at the store %s: %w", path, err)
	}
	f.Wrapped, err = readKey(ctx, path)
	if errors.Is(err, berrors.ErrTimeout) {
		f.HeldBy = heldBy(dir)
		return f, nil
	}
	if err != nil {
		return f, fmt.Errorf("look at the store %s: %w", path, err)
	}
	return f, nil
}

// readKey opens the file for reading alone and returns the wrapped data key, if there is one.
func readKey(ctx context.Context, path string) (wrapped string, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v; %s", store.ErrDamaged, p, advice)
		}
	}()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: 100 * time.Millisecond})
	if err != nil {
		return "", err
	}
	defer db.Close()
	err = db.View(func(tx *bbolt.Tx) error {
		meta := tx.Bucket(metaBucket)
		if meta == nil {
			return fmt.Errorf("%w: it is a bbolt file, but not of this program; %s", store.ErrDamaged, advice)
		}
		if found, err := strconv.Atoi(string(meta.Get(schemaKey))); err != nil || found > schema {
			return fmt.Errorf("%w: the file has another format than this program knows", store.ErrNewer)
		}
		wrapped, _, err = store.WrappedDataKey(ctx, func(_ context.Context, collection, id string) (bson.Raw, error) {
			b := tx.Bucket(documents(collection))
			if b == nil {
				return nil, store.ErrNotFound
			}
			doc := bytes.Clone(b.Get([]byte(id)))
			if doc == nil {
				return nil, store.ErrNotFound
			}
			return doc, nil
		})
		return err
	})
	return wrapped, err
}
