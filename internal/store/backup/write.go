package backup

import (
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/internal/store"
)

// ErrNothing is returned for a store that no process has begun yet.
var ErrNothing = errors.New("there is nothing to back up: the store was never started")

// Source is what a backup is made of.
type Source struct {
	Engine   store.Engine
	Erasures func(ctx context.Context, each func(conv string, at time.Time) bool) error
	Program  string                // the version
	Tell     func(documents int64) // how far it is
}

// writer writes frames.
type writer struct {
	out   io.Writer
	sum   hash.Hash // of all frames
	tally tally
}

func (w *writer) frame(kind byte, doc bson.Raw) error {
	for _, part := range [][]byte{{kind}, doc} {
		w.sum.Write(part)
		if _, err := w.out.Write(part); err != nil {
			return fmt.Errorf("write backup: %w", err)
		}
	}
	return nil
}

func (w *writer) put(kind byte, of any) error {
	raw, err := bson.Marshal(of)
	if err != nil {
		return fmt.Errorf("write backup: %w", err)
	}
	return w.frame(kind, raw)
}

// Write writes a whole store, as it is now, into a stream.
func Write(ctx context.Context, out io.Writer, from Source) (Report, error) {
	wrapped, found, err := store.WrappedDataKey(ctx, from.Engine.Get)
	if err == nil && !found {
		err = ErrNothing
	}
	if err != nil {
		return Report{}, err
	}
	if _, err := fmt.Fprintf(out, "%s%d\n", magic, format); err != nil {
		return Report{}, fmt.Errorf("write backup: %w", err)
	}
	z := gzip.NewWriter(out)
	w := &writer{out: z, sum: sha256.New()}
	head := Head{Program: from.Program, Wrapped: wrapped}
	err = store.Snapshot(ctx, from.Engine, func(m store.Moment) error {
		head.Moment = m
		return w.put(aHead, head)
	}, func(collection string, doc bson.Raw) error {
		err := w.document(collection, doc)
		if from.Tell != nil {
			from.Tell(w.tally.report.Documents)
		}
		return err
	})
	if err != nil {
		return Report{}, err
	}
	if err := w.erasures(ctx, from); err != nil {
		return Report{}, err
	}
	w.tally.close()
	if err := w.put(theEnd, last{w.tally.report, w.sum.Sum(nil)}); err != nil {
		return Report{}, err
	}
	if err := z.Close(); err != nil {
		return Report{}, fmt.Errorf("write backup: %w", err)
	}
	w.tally.report.Head = head
	return w.tally.report, nil
}

func (w *writer) document(collection string, doc bson.Raw) error {
	if leftOut[collection] {
		return nil
	}
	doc, err := store.IDFirst(doc)
	if err != nil {
		return fmt.Errorf("back %s up: %w", collection, err)
	}
	if !w.tally.in(collection) {
		if err := w.put(aCollection, named{collection}); err != nil {
			return err
		}
		w.tally.collection(collection)
	}
	w.tally.document(doc)
	return w.frame(aDocument, doc)
}

func (w *writer) erasures(ctx context.Context, from Source) error {
	var broken error
	err := from.Erasures(ctx, func(conv string, at time.Time) bool {
		broken = w.put(anErasure, erasure{conv, at})
		w.tally.report.Erasures++
		return broken == nil
	})
	if err != nil {
		return fmt.Errorf("read the log of erasures: %w", err)
	}
	return broken
}
