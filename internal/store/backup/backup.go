// Package backup writes a store into a file and reads it back.
//
// The file begins with a line that names the format and its version, "llave backup 1". After it comes one gzip stream of frames: a byte
// that says what the frame is, and a document in BSON. A head says when the store was read, whether all of it at one moment, by which
// program, and has the data key as the store has it, wrapped by LLAVE_SECRET_KEY. Then, by collection and in order of _id, come the documents as
// they lie in the store, sealed values sealed; then the log of erasures. The end has the number of documents and a SHA-256 of each collection and
// one of everything before it: a file without an end, with another sum, or with something behind it is no backup. By option all of it
// is encrypted by age, whose own format has an end and a sum too.
//
// Create writes under a name of its own, reads back what is on the disk, and gives the file its name only then; no file that is there is
// ever replaced.
package backup

import (
	"context"
	"crypto/sha256"
	"errors"
	"hash"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/internal/store"
)

// The errors of who reads a backup.
var (
	ErrNotOne = errors.New("it is not a backup of llave")
	ErrBroken = errors.New("the backup is not whole, or something has spoilt it")
	ErrNewer  = errors.New("the backup was made by a newer version of llave")
	ErrSealed = errors.New("the backup is encrypted: name the file with the age identity that opens it")
)

const (
	magic  = "llave backup "
	format = 1

	// documentMost is how long a document may be: what MongoDB takes, and the frame around it.
	documentMost = 16<<20 + 64<<10

	// collectionsMost is how many collections a backup has: many times those that there are.
	collectionsMost = 1000
)

// What a frame is.
const (
	aHead       = 'h'
	aCollection = 'c'
	aDocument   = 'd'
	anErasure   = 'x'
	theEnd      = 'e'
)

// leftOut are the collections that are in no backup: who had signed out, or was signed out, is not signed in again by it.
var leftOut = map[string]bool{store.Sessions: true}

// Head is what a backup says of itself.
type Head struct {
	store.Moment `bson:",inline"`
	Program      string `bson:"program"` // the version that made it
	Wrapped      string `bson:"wrapped"` // the store's data key, which LLAVE_SECRET_KEY opens
}

// Count is what a backup has of a collection.
type Count struct {
	Name      string `bson:"name" json:"name"`
	Documents int64  `bson:"documents" json:"documents"`
	Sum       []byte `bson:"sum" json:"-"`
}

// Report is what a backup has.
type Report struct {
	Head        `bson:"-"`
	Documents   int64   `bson:"documents"`
	Erasures    int64   `bson:"erasures"`
	Collections []Count `bson:"collections"`
}

// last is the frame that a backup ends with.
type last struct {
	Report `bson:",inline"`
	Sum    []byte `bson:"sum"` // of all before it
}

type named struct {
	Name string `bson:"name"`
}

type erasure struct {
	Conv string    `bson:"conv"`
	At   time.Time `bson:"at"`
}

// tally counts documents as they come, collection by collection.
type tally struct {
	report Report
	sum    hash.Hash // of the collection that is under way
}

func (t *tally) collection(name string) {
	t.close()
	t.report.Collections = append(t.report.Collections, Count{Name: name})
	t.sum = sha256.New()
}

// document counts one of the collection that was named last.
func (t *tally) document(doc bson.Raw) {
	t.report.Documents++
	t.report.Collections[len(t.report.Collections)-1].Documents++
	t.sum.Write(doc)
}

func (t *tally) close() {
	if n := len(t.report.Collections); n > 0 {
		t.report.Collections[n-1].Sum = t.sum.Sum(nil)
	}
}

// in says whether a collection is the one under way.
func (t *tally) in(name string) bool {
	n := len(t.report.Collections)
	return n > 0 && t.report.Collections[n-1].Name == name
}

// has says whether a collection is or was under way.
func (t *tally) has(name string) bool {
	return slices.ContainsFunc(t.report.Collections, func(c Count) bool { return c.Name == name })
}

// Measure counts what an engine has, as a backup of it would.
func Measure(ctx context.Context, e store.Engine) ([]Count, error) {
	var t tally
	err := store.Snapshot(ctx, e, func(store.Moment) error { return nil }, func(collection string, doc bson.Raw) error {
		if leftOut[collection] {
			return nil
		}
		doc, err := store.IDFirst(doc)
		if err != nil {
			return err
		}
		if !t.in(collection) {
			t.collection(collection)
		}
		t.document(doc)
		return nil
	})
	t.close()
	return t.report.Collections, err
}
