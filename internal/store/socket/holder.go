package socket

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/internal/store"
)

// drainFor is how long calls under way may take once the holder lends no longer.
const drainFor = 2 * time.Second

// Holder lends a store out.
type Holder struct {
	engine store.Engine
	server *http.Server
	path   string
	done   chan struct{}
}

// Listen begins to lend the engine whose file is in [dir], to programs of that version. It is for whoever holds the store's lock: a
// socket that stands there is a dead process's and is replaced.
func Listen(dir, version string, e store.Engine) (*Holder, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("lend the store: %w", err)
	}
	l, err := open(dir)
	if err != nil {
		return nil, fmt.Errorf("lend the store: %w", err)
	}
	h := &Holder{engine: e, path: Path(dir), done: make(chan struct{})}
	h.server = &http.Server{Handler: h.sameVersion(version, h.routes()), ReadHeaderTimeout: time.Minute}
	go func() {
		defer close(h.done)
		_ = h.server.Serve(l) // ends with Close
	}()
	return h, nil
}

// open makes the socket in a folder that nobody else can look into, and puts it into its place once its rights are right.
func open(dir string) (*net.UnixListener, error) {
	if err := Clean(dir); err != nil {
		return nil, err
	}
	made, err := os.MkdirTemp(dir, FileName+".*") // mode 0700
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(made)
	var l *net.UnixListener
	err = at(made, "s", func(address string) (err error) {
		l, err = net.ListenUnix("unix", &net.UnixAddr{Name: address, Net: "unix"})
		return err
	})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false) // it goes by another name
	file := filepath.Join(made, "s")
	if err := errors.Join(os.Chmod(file, 0o600), os.Rename(file, Path(dir))); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// Close lends no longer. The engine stays open.
func (h *Holder) Close() error {
	_ = os.Remove(h.path) // whoever comes now is told that nobody lends
	ctx, cancel := context.WithTimeout(context.Background(), drainFor)
	defer cancel()
	err := h.server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = h.server.Close()
	}
	<-h.done
	return err
}

// sameVersion turns away programs of another version, and says which this is.
func (h *Holder) sameVersion(version string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(versionHeader, version)
		if r.Header.Get(versionHeader) != version {
			w.WriteHeader(http.StatusConflict)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// call does one thing with the engine. [each] sends a document, and says whether more are wanted.
type call func(ctx context.Context, r request, each func(bson.Raw) bool) (end, error)

func (h *Holder) routes() http.Handler {
	e := h.engine
	counted := func(n int64, err error) (end, error) { return end{N: n}, err }
	mux := http.NewServeMux()
	for path, do := range map[string]call{
		callGet: func(ctx context.Context, r request, each func(bson.Raw) bool) (end, error) {
			doc, err := e.Get(ctx, r.Collection, r.ID)
			if err == nil {
				each(doc)
			}
			return end{}, err
		},
		callGetMany: func(ctx context.Context, r request, each func(bson.Raw) bool) (end, error) {
			return end{}, e.GetMany(ctx, r.Collection, r.IDs, func(doc bson.Raw) { each(doc) })
		},
		callInsert: func(ctx context.Context, r request, _ func(bson.Raw) bool) (end, error) {
			return end{}, e.Insert(ctx, r.Collection, r.Doc)
		},
		callReplace: func(ctx context.Context, r request, _ func(bson.Raw) bool) (end, error) {
			return end{}, e.Replace(ctx, r.Collection, r.ID, r.Version, r.Doc)
		},
		callDelete: func(ctx context.Context, r request, _ func(bson.Raw) bool) (end, error) {
			return end{}, e.Delete(ctx, r.Collection, r.ID, r.Version)
		},
		callScan: func(ctx context.Context, r request, each func(bson.Raw) bool) (end, error) {
			return end{}, e.Scan(ctx, r.Query.stored(), each)
		},
		callCount: func(ctx context.Context, r request, _ func(bson.Raw) bool) (end, error) {
			return counted(e.Count(ctx, r.Query.stored()))
		},
		callIncrement: func(ctx context.Context, r request, _ func(bson.Raw) bool) (end, error) {
			return counted(e.Increment(ctx, r.Collection, r.ID, r.By, r.Expires))
		},
		callUpsert: func(ctx context.Context, r request, _ func(bson.Raw) bool) (end, error) {
			return end{}, e.BulkUpsert(ctx, r.Collection, r.Docs)
		},
		callRange: func(ctx context.Context, r request, _ func(bson.Raw) bool) (end, error) {
			return counted(e.DeleteRange(ctx, r.Query.stored()))
		},
		callNow: func(ctx context.Context, _ request, _ func(bson.Raw) bool) (end, error) {
			now, err := e.Now(ctx)
			return end{Now: now}, err
		},
		callSnapshot: func(ctx context.Context, _ request, each func(bson.Raw) bool) (end, error) {
			return end{}, snapshot(ctx, e, each)
		},
		callPing: func(ctx context.Context, _ request, _ func(bson.Raw) bool) (end, error) { return end{}, e.Ping(ctx) },
	} {
		mux.HandleFunc("POST "+path, answer(do))
	}
	return mux
}

// errGone ends what nobody hears any more.
var errGone = errors.New("whoever asked is gone")

// snapshot sends a store whole.
func snapshot(ctx context.Context, e store.Engine, each func(bson.Raw) bool) error {
	send := func(p part) error {
		raw, err := bson.Marshal(p)
		if err == nil && !each(raw) {
			err = errGone
		}
		return err
	}
	return store.Snapshot(ctx, e, func(m store.Moment) error { return send(part{Moment: &m}) }, func(collection string, doc bson.Raw) error {
		return send(part{Collection: collection, Doc: doc})
	})
}

// answer reads a request, has it done, and sends what comes of it. Whoever hears no end knows that something is missing.
func answer(do call) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		raw, err := bson.ReadDocument(r.Body)
		var asked request
		if err == nil {
			err = bson.Unmarshal(raw, &asked)
		}
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		out := bufio.NewWriterSize(w, 64<<10)
		send := func(kind byte, doc bson.Raw) bool {
			_ = out.WriteByte(kind) // Write tells of both
			_, err := out.Write(doc)
			return err == nil
		}
		ended, err := do(r.Context(), asked, func(doc bson.Raw) bool { return send(aDocument, doc) })
		if err != nil {
			ended = ending(err)
		}
		last, err := bson.Marshal(ended)
		if err == nil && send(theEnd, last) {
			_ = out.Flush() // whoever asked is gone
		}
	}
}
