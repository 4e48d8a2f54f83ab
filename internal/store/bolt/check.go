package bolt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	bbolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/internal/store"
)

// Checked is what Check found. Its words name no document.
type Checked struct {
	Bytes       int64            `json:"bytes"`
	Free        int64            `json:"free"` // bytes of pages that hold nothing: Compact gives them back
	Documents   int64            `json:"documents"`
	Collections map[string]int64 `json:"collections"`
	Faults      []string         `json:"faults"`
}

// faultsMost is how many faults are told.
const faultsMost = 50

func (c *Checked) fault(format string, args ...any) {
	if len(c.Faults) < faultsMost {
		c.Faults = append(c.Faults, fmt.Sprintf(format, args...))
	}
}

// Check reads the whole file of a directory's store and says what is wrong with it: pages, documents, and indexes against the documents
// that they lead to. It changes nothing. Nobody may have the store open (store.ErrLocked).
func Check(ctx context.Context, dir string) (c Checked, err error) {
	path := filepath.Join(dir, FileName)
	info, err := os.Stat(path)
	if err != nil {
		return c, fmt.Errorf("check: %w", err)
	}
	c = Checked{Bytes: info.Size(), Collections: map[string]int64{}, Faults: []string{}}
	if err := inspect(path); err != nil {
		return c, fmt.Errorf("check %s: %w", path, err)
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil { // so are impossible pages; where is not said, since it may quote a document
			c.fault("a page cannot be read")
			err = nil
		}
	}()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, PreLoadFreelist: true, Timeout: 100 * time.Millisecond})
	if errors.Is(err, berrors.ErrTimeout) {
		return c, fmt.Errorf("check %s: %w: %s", path, store.ErrLocked, heldBy(dir))
	}
	if err != nil {
		return c, fmt.Errorf("check %s: %w: %w; %s", path, store.ErrDamaged, err, advice)
	}
	defer db.Close()
	return c, db.View(func(tx *bbolt.Tx) error {
		if tx.Bucket(metaBucket) == nil {
			return fmt.Errorf("check %s: %w: it is a bbolt file, but not of this program; %s", path, store.ErrDamaged, advice)
		}
		if err := c.documents(ctx, tx); err != nil {
			return err
		}
		c.indexes(tx)
		if len(c.Faults) == 0 { // bbolt walks the same pages, in a goroutine that nothing protects: they can be read
			for err := range tx.Check(bbolt.WithKVStringer(unsaid{})) {
				c.fault("%v", err)
			}
		}
		c.Free = int64(db.Stats().FreePageN+db.Stats().PendingPageN) * int64(db.Info().PageSize)
		return nil
	})
}

// unsaid keeps keys and documents out of what bbolt says.
type unsaid struct{}

func (unsaid) KeyToString([]byte) string   { return "…" }
func (unsaid) ValueToString([]byte) string { return "…" }

func (c *Checked) documents(ctx context.Context, tx *bbolt.Tx) error {
	return tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
		collection, is := strings.CutPrefix(string(name), string(documents("")))
		if !is {
			return nil
		}
		n := int64(0)
		err := b.ForEach(func(key, value []byte) error {
			n++
			doc := bson.Raw(value)
			if doc.Validate() != nil {
				c.fault("%s: a document cannot be read", collection)
			} else if id, err := store.DocumentID(doc); err != nil || id != string(key) {
				c.fault("%s: a document lies under another id than its own", collection)
			}
			return ctx.Err()
		})
		c.Collections[collection] = n
		c.Documents += n
		return err
	})
}

// indexes compares each declared index with what the documents say. One that is missing, or not declared any more, is mended at the next start.
func (c *Checked) indexes(tx *bbolt.Tx) {
	for _, ix := range store.Indexes {
		b := tx.Bucket(indexBucket(ix))
		if b == nil {
			continue
		}
		name := ix.Collection + "." + ix.Field
		docs, led := tx.Bucket(documents(ix.Collection)), 0
		_ = b.ForEach(func(key, _ []byte) error { // the function returns none
			led++
			if id, err := idOf(key); err != nil || docs == nil || docs.Get(id) == nil {
				c.fault("index %s: an entry leads nowhere", name)
			}
			return nil
		})
		wants := 0
		if docs != nil {
			_ = docs.ForEach(func(id, doc []byte) error { // the same
				keys, err := entries([]index{{field: ix.Field}}, string(id), bson.Raw(doc))
				switch {
				case err != nil || keys[0] == nil:
				case b.Get(keys[0]) == nil:
					c.fault("index %s: a document is missing from it", name)
					fallthrough
				default:
					wants++
				}
				return nil
			})
		}
		if led != wants {
			c.fault("index %s: %d entries for %d documents", name, led, wants)
		}
	}
}

// same says whether two files hold the same.
func same(a, b *bbolt.Tx) error {
	var different = errors.New("the copy is not the same")
	return a.ForEach(func(name []byte, from *bbolt.Bucket) error {
		to := b.Bucket(name)
		if to == nil {
			return different
		}
		ca, cb := from.Cursor(), to.Cursor()
		ka, va := ca.First()
		kb, vb := cb.First()
		for ka != nil || kb != nil {
			if string(ka) != string(kb) || string(va) != string(vb) || (ka == nil) != (kb == nil) {
				return different
			}
			ka, va = ca.Next()
			kb, vb = cb.Next()
		}
		return nil
	})
}
