package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/bot"
)

// The statuses of a file.
const (
	Open   = "open" // nobody has answered yet
	Closed = "closed"
)

// The topics of files that the help desk works on.
const (
	TopicPerson = "person" // a person was asked for
	TopicNotMe  = "not_me" // the owner of a record says that it was not them
)

// File is a complaint or a case, kept under the number the person was told.
type File struct {
	Ref     string    `bson:"_id"`
	Version int64     `bson:"v"`
	Topic   string    `bson:"topic"`
	Body    string    `bson:"body"` // what they wrote, masked
	Conv    string    `bson:"conv,omitempty"`
	Made    time.Time `bson:"made"`
	Status  string    `bson:"status"`

	Handoff *bot.Handoff `bson:"handoff,omitempty"` // a case with a person
	By      string       `bson:"by,omitempty"`      // who closed a notice, and
	Answer  string       `bson:"answer,omitempty"`  // what they found
}

// FileTable keeps files of one sort.
type FileTable struct {
	engine     Engine
	collection string
}

// Insert stores a file, open unless it says otherwise. Storing the same file again changes nothing; ErrDuplicate means
// that another one has its number.
func (t *FileTable) Insert(ctx context.Context, f File) error {
	if f.Status == "" {
		f.Status = Open
	}
	err := insert(ctx, t.engine, t.collection, f)
	if errors.Is(err, ErrDuplicate) {
		stored, found, findErr := t.Find(ctx, f.Ref)
		if findErr != nil {
			return findErr
		}
		if found && stored.Topic == f.Topic && stored.Body == f.Body && stored.Conv == f.Conv {
			return nil
		}
	}
	return err
}

// Find returns the file with that number, and whether there is one.
func (t *FileTable) Find(ctx context.Context, ref string) (File, bool, error) {
	return NewDocuments(t.engine, t.collection, func(f *File) (*string, *int64) { return &f.Ref, &f.Version }).Find(ctx, ref)
}

// Forget removes at most [limit] files made before a moment, and says how many.
func (t *FileTable) Forget(ctx context.Context, before time.Time, limit int) (int64, error) {
	return t.engine.DeleteRange(ctx, Query{Collection: t.collection, Field: "made", To: before, Limit: limit})
}

func insert(ctx context.Context, engine Engine, collection string, doc any) error {
	raw, err := bson.Marshal(doc)
	if err == nil {
		err = engine.Insert(ctx, collection, raw)
	}
	if err != nil {
		return fmt.Errorf("insert into %s: %w", collection, err)
	}
	return nil
}
