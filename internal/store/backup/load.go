package backup

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/internal/store"
)

// Target is an empty store that takes a backup.
type Target struct {
	Engine interface {
		store.Engine
		store.Loader
	}
	Erasure func(conv string, at time.Time) // is told the log of erasures
	Tell    func(documents int64)           // how far it is
}

// Load puts what is in a backup into a store, and sees that all of it is there. That the backup is whole should have been seen before: an
// error leaves what was loaded by then.
func (r *Reader) Load(ctx context.Context, to Target) (Report, error) {
	l := loading{to: to.Engine}
	n := int64(0)
	report, err := r.Each(ctx, Into{
		Document: func(collection string, doc bson.Raw) error {
			n++
			to.Tell(n)
			return l.add(ctx, collection, doc)
		},
		Erasure: func(conv string, at time.Time) error { to.Erasure(conv, at); return nil },
	})
	if err == nil {
		err = l.flush(ctx)
	}
	if err != nil {
		return Report{}, err
	}
	has, err := Measure(ctx, to.Engine)
	if err != nil {
		return Report{}, err
	}
	if name := Differ(report.Collections, has); name != "" {
		return Report{}, fmt.Errorf("what the store has in %s is not what is in the backup", name)
	}
	return report, nil
}

// loadMost is how much goes to the store at once.
const (
	loadMost      = 500
	loadMostBytes = 8 << 20
)

// loading hands documents to an engine, many at once.
type loading struct {
	to         store.Loader
	collection string
	docs       []bson.Raw
	size       int
}

func (l *loading) add(ctx context.Context, collection string, doc bson.Raw) error {
	if collection != l.collection || len(l.docs) == loadMost || l.size+len(doc) > loadMostBytes {
		if err := l.flush(ctx); err != nil {
			return err
		}
	}
	l.collection, l.docs, l.size = collection, append(l.docs, doc), l.size+len(doc)
	return nil
}

func (l *loading) flush(ctx context.Context) error {
	if len(l.docs) == 0 {
		return nil
	}
	err := l.to.Load(ctx, l.collection, l.docs)
	l.docs, l.size = nil, 0
	return err
}
