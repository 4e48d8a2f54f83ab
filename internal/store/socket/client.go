package socket

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/internal/store"
)

// Engine is the engine of another process.
type Engine struct {
	client  *http.Client
	version string

	mu    sync.Mutex
	asked time.Time     // when the holder's clock was last asked for, by ours
	ahead time.Duration // how far it is ahead of ours
}

// clockAge is how long what was learned of the holder's clock is used. It is this machine's, so that little can come of it.
const clockAge = time.Second

var _ store.Engine = (*Engine)(nil)

// answersWithin is how long a holder may take to answer at first: one that is stopped, or stuck, would have a command wait for ever.
var answersWithin = 10 * time.Second

// Dial reaches the process that lends the store in [dir]. The error is ErrNobody where none does, and wraps ErrVersion when
// it is of another version.
func Dial(ctx context.Context, dir, version string) (*Engine, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("reach the store's holder: %w", err)
	}
	var dialer net.Dialer
	e := &Engine{version: version, client: &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: 16, DisableCompression: true,
		DialContext: func(ctx context.Context, _, _ string) (c net.Conn, err error) {
			err = at(dir, FileName, func(address string) (err error) {
				c, err = dialer.DialContext(ctx, "unix", address)
				return err
			})
			return c, err
		},
	}}}
	first, cancel := context.WithTimeout(ctx, answersWithin)
	defer cancel()
	if err := e.Ping(first); err != nil {
		_ = e.Close() // nothing was done
		if ctx.Err() == nil && first.Err() != nil {
			return nil, fmt.Errorf("reach the store's holder: %w: the process that holds it does not answer; look at it, and start it again", store.ErrUnavailable)
		}
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
			return nil, ErrNobody
		}
		if errors.Is(err, fs.ErrPermission) {
			return nil, errors.New("reach the store's holder: its socket may not be opened by this user; run the command as the user that the service runs as")
		}
		return nil, fmt.Errorf("reach the store's holder: %w", err)
	}
	return e, nil
}

// ask has the holder do a call. Documents go to [each] until it returns false.
func (e *Engine) ask(ctx context.Context, path string, r request, each func(bson.Raw) bool) (end, error) {
	if err := ctx.Err(); err != nil {
		return end{}, err
	}
	body, err := bson.Marshal(r)
	if err != nil {
		return end{}, fmt.Errorf("ask the store's holder: %w", err)
	}
	asked, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://llave"+path, bytes.NewReader(body))
	if err != nil {
		return end{}, fmt.Errorf("ask the store's holder: %w", err)
	}
	asked.Header.Set(versionHeader, e.version)
	resp, err := e.client.Do(asked)
	if err != nil {
		return end{}, gone(ctx, err)
	}
	defer resp.Body.Close()
	switch holder := resp.Header.Get(versionHeader); {
	case holder != e.version:
		return end{}, fmt.Errorf("%w: it is llave %s, and this is llave %s; start the service again with this program, or use that one", ErrVersion, holder, e.version)
	case resp.StatusCode != http.StatusOK:
		return end{}, fmt.Errorf("ask the store's holder: it answers %d", resp.StatusCode)
	}
	in := bufio.NewReaderSize(resp.Body, 64<<10)
	for {
		kind, err := in.ReadByte()
		if err != nil {
			return end{}, gone(ctx, err)
		}
		doc, err := bson.ReadDocument(in)
		if err != nil {
			return end{}, gone(ctx, err)
		}
		if kind == aDocument {
			if !each(doc) {
				return end{}, nil
			}
			continue
		}
		var last end
		if err := bson.Unmarshal(doc, &last); err != nil {
			return end{}, fmt.Errorf("ask the store's holder: %w", err)
		}
		_, _ = in.ReadByte() // the end of the answer: the connection can be used again
		return last, last.err()
	}
}

// do is ask for calls that have no documents.
func (e *Engine) do(ctx context.Context, path string, r request) (end, error) {
	return e.ask(ctx, path, r, func(bson.Raw) bool { return true })
}

func asQuery(q store.Query) request {
	return request{Query: query{q.Collection, q.Field, q.From, q.To, q.Descending, q.Limit, q.Only}}
}

// Get returns the document, or ErrNotFound.
func (e *Engine) Get(ctx context.Context, collection, id string) (doc bson.Raw, err error) {
	_, err = e.ask(ctx, callGet, request{Collection: collection, ID: id}, func(d bson.Raw) bool { doc = d; return true })
	if err != nil {
		return nil, err
	}
	return doc, nil
}

// GetMany calls [each] for the documents that are there.
func (e *Engine) GetMany(ctx context.Context, collection string, ids []string, each func(bson.Raw)) error {
	_, err := e.ask(ctx, callGetMany, request{Collection: collection, IDs: ids}, func(d bson.Raw) bool { each(d); return true })
	return err
}

// Insert stores a new document.
func (e *Engine) Insert(ctx context.Context, collection string, doc bson.Raw) error {
	_, err := e.do(ctx, callInsert, request{Collection: collection, Doc: doc})
	return err
}

// Replace stores the document where the stored version is [version].
func (e *Engine) Replace(ctx context.Context, collection, id string, version int64, doc bson.Raw) error {
	_, err := e.do(ctx, callReplace, request{Collection: collection, ID: id, Version: version, Doc: doc})
	return err
}

// Delete removes the document where its version is [version].
func (e *Engine) Delete(ctx context.Context, collection, id string, version int64) error {
	_, err := e.do(ctx, callDelete, request{Collection: collection, ID: id, Version: version})
	return err
}

// Scan calls [each] for every document of the query until it returns false.
func (e *Engine) Scan(ctx context.Context, q store.Query, each func(bson.Raw) bool) error {
	_, err := e.ask(ctx, callScan, asQuery(q), each)
	return err
}

// Count returns how many documents the query has.
func (e *Engine) Count(ctx context.Context, q store.Query) (int64, error) {
	last, err := e.do(ctx, callCount, asQuery(q))
	return last.N, err
}

// Snapshot reads the holder's store whole.
func (e *Engine) Snapshot(ctx context.Context, begin func(store.Moment) error, each func(collection string, doc bson.Raw) error) error {
	var stop error
	_, err := e.ask(ctx, callSnapshot, request{}, func(raw bson.Raw) bool {
		var p part
		switch stop = bson.Unmarshal(raw, &p); {
		case stop != nil:
		case p.Moment != nil:
			p.Moment.At = p.Moment.At.UTC()
			stop = begin(*p.Moment)
		default:
			stop = each(p.Collection, p.Doc)
		}
		return stop == nil
	})
	return errors.Join(stop, err)
}

// Increment adds to a counter.
func (e *Engine) Increment(ctx context.Context, collection, id string, by int64, expires time.Time) (int64, error) {
	last, err := e.do(ctx, callIncrement, request{Collection: collection, ID: id, By: by, Expires: expires})
	return last.N, err
}

// BulkUpsert stores documents by their ids.
func (e *Engine) BulkUpsert(ctx context.Context, collection string, docs []bson.Raw) error {
	_, err := e.do(ctx, callUpsert, request{Collection: collection, Docs: docs})
	return err
}

// DeleteRange removes the documents of the query.
func (e *Engine) DeleteRange(ctx context.Context, q store.Query) (int64, error) {
	last, err := e.do(ctx, callRange, asQuery(q))
	return last.N, err
}

// Now is the holder's clock, told from memory for a second, and after that too where the holder does not answer.
func (e *Engine) Now(ctx context.Context) (time.Time, error) {
	if err := ctx.Err(); err != nil {
		return time.Time{}, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if now := time.Now(); e.asked.IsZero() || now.Sub(e.asked) > clockAge {
		switch last, err := e.do(ctx, callNow, request{}); {
		case err == nil:
			e.asked, e.ahead = now, last.Now.Sub(now).Truncate(time.Millisecond)
		case e.asked.IsZero():
			return time.Time{}, err
		}
	}
	return time.Now().Add(e.ahead).UTC().Truncate(time.Millisecond), nil
}

// Ping says whether the holder and its store answer.
func (e *Engine) Ping(ctx context.Context) error {
	_, err := e.do(ctx, callPing, request{})
	return err
}

// Close lets go of the holder, whose store stays open.
func (e *Engine) Close() error {
	e.client.CloseIdleConnections()
	return nil
}
