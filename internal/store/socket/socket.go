// Package socket lends the embedded store out: the process that holds it answers on a socket beside the store's file, and
// commands on the same machine use it through that, as if the store were theirs.
//
// What goes over the socket are the calls of store.Engine themselves, by HTTP, with documents in BSON; so whatever works on an
// engine works on a lent one, and nothing is written twice. The socket is its owner's alone (0600). Both sides must be of one
// version: what a newer program writes an older one may not be able to read. The socket of a process that died is in nobody's way:
// the store's own lock decides who holds it, and whoever has that replaces or removes the socket.
package socket

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/internal/store"
)

// FileName is the socket inside the data directory.
const FileName = "llave.sock"

// The errors of Dial.
var (
	ErrNobody  = errors.New("nobody lends the store")
	ErrVersion = errors.New("the store is held by another version of the program")
)

// versionHeader says who speaks, in both directions.
const versionHeader = "Llave-Version"

// Each call is a POST to one of these paths, with a request in BSON. An answer is any number of documents, each after the byte that
// says so, and an end.
const (
	callGet       = "/get"
	callGetMany   = "/get-many"
	callInsert    = "/insert"
	callReplace   = "/replace"
	callDelete    = "/delete"
	callScan      = "/scan"
	callCount     = "/count"
	callIncrement = "/increment"
	callUpsert    = "/bulk-upsert"
	callRange     = "/delete-range"
	callNow       = "/now"
	callPing      = "/ping"
	callSnapshot  = "/snapshot"

	aDocument = 'd'
	theEnd    = 'e'
)

// part is what a snapshot is sent in: its moment first, then documents.
type part struct {
	Moment     *store.Moment `bson:"moment,omitempty"`
	Collection string        `bson:"collection,omitempty"`
	Doc        bson.Raw      `bson:"doc,omitempty"`
}

// request is what a call is given: each uses the fields it needs.
type request struct {
	Collection string     `bson:"collection"`
	ID         string     `bson:"id"`
	IDs        []string   `bson:"ids,omitempty"`
	Version    int64      `bson:"version"`
	Doc        bson.Raw   `bson:"doc,omitempty"`
	Docs       []bson.Raw `bson:"docs,omitempty"`
	Query      query      `bson:"query"`
	By         int64      `bson:"by"`
	Expires    time.Time  `bson:"expires"`
}

// query is a store.Query.
type query struct {
	Collection string `bson:"collection"`
	Field      string `bson:"field"`
	From       any    `bson:"from"`
	To         any    `bson:"to"`
	Descending bool   `bson:"descending"`
	Limit      int    `bson:"limit"`

	Only []string `bson:"only,omitempty"`
}

func (q query) stored() store.Query {
	return store.Query{Collection: q.Collection, Field: q.Field, From: bound(q.From), To: bound(q.To), Descending: q.Descending, Limit: q.Limit, Only: q.Only}
}

// bound is a bound as it was before it went through BSON.
func bound(v any) any {
	if at, ok := v.(bson.DateTime); ok {
		return at.Time().UTC()
	}
	return v
}

// end is how a call ended.
type end struct {
	Kind  string    `bson:"kind"`  // one of kinds, or empty
	Error string    `bson:"error"` // empty: it went well
	N     int64     `bson:"n"`
	Now   time.Time `bson:"now"`
}

// kinds are the errors that callers tell apart.
var kinds = map[string]error{
	"not found": store.ErrNotFound, "duplicate": store.ErrDuplicate, "conflict": store.ErrConflict,
	"unavailable": store.ErrUnavailable, "damaged": store.ErrDamaged, "newer": store.ErrNewer,
}

func ending(err error) end {
	if err == nil {
		return end{}
	}
	for name, kind := range kinds {
		if errors.Is(err, kind) {
			return end{Kind: name, Error: err.Error()}
		}
	}
	return end{Error: err.Error()}
}

// err is the error as the engine gave it.
func (e end) err() error {
	switch {
	case e.Error == "":
		return nil
	case kinds[e.Kind] == nil:
		return errors.New(e.Error)
	}
	return lentError{e.Error, kinds[e.Kind]}
}

// lentError is an error of the engine's in the holder's words.
type lentError struct {
	text string
	kind error
}

func (e lentError) Error() string { return e.text }
func (e lentError) Unwrap() error { return e.kind }

// Path is where the socket of the store in a directory lies.
func Path(dir string) string { return filepath.Join(dir, FileName) }

// Clean removes the socket that a process left which died. It is for whoever holds the store's lock.
func Clean(dir string) error {
	if err := os.Remove(Path(dir)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove an old socket: %w", err)
	}
	left, _ := filepath.Glob(Path(dir) + ".*") // the pattern is right
	for _, name := range left {
		os.RemoveAll(name) // what it holds is a socket nobody answers on
	}
	return nil
}

// addressMax is how long the path of a socket may be, in bytes, on every system.
const addressMax = 100

// at calls [do] with an address for a socket of that name in a directory. Where the path is too long for one, it is reached by
// the number of the open directory.
func at(dir, name string, do func(address string) error) error {
	path := filepath.Join(dir, name)
	if len(path) <= addressMax || runtime.GOOS != "linux" {
		return do(path)
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return do(fmt.Sprintf("/proc/self/fd/%d/%s", d.Fd(), name))
}

// gone is the error of a call that the holder did not answer.
func gone(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("%w: the process that holds it does not answer any more: %w", store.ErrUnavailable, err)
}
