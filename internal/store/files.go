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

// AuditEntry is one line of the audit: who did what, and when. Detail holds no number, address or token.
type AuditEntry struct {
	ID     string    `bson:"_id"`
	At     time.Time `bson:"at"`
	Who    string    `bson:"who"`
	What   string    `bson:"what"`
	Detail string    `bson:"detail,omitempty"`
}

// AuditLog keeps the audit. It is only appended to, until its time has passed.
type AuditLog struct{ engine Engine }

// Append stores an entry. The id is the caller's and names what happened: appending it again changes nothing.
func (l *AuditLog) Append(ctx context.Context, e AuditEntry) error {
	if err := insert(ctx, l.engine, Audit, e); err != nil && !errors.Is(err, ErrDuplicate) {
		return err
	}
	return nil
}

// Between calls [each] for the entries in [from] ≤ at < [to], earliest first, until it returns false.
func (l *AuditLog) Between(ctx context.Context, from, to time.Time, each func(AuditEntry) bool) error {
	var broken error
	err := l.engine.Scan(ctx, Query{Collection: Audit, Field: "at", From: from, To: to}, func(raw bson.Raw) bool {
		var e AuditEntry
		if broken = bson.Unmarshal(raw, &e); broken != nil {
			return false
		}
		return each(e)
	})
	if err = errors.Join(err, broken); err != nil {
		return fmt.Errorf("read audit: %w", err)
	}
	return nil
}

// Forget removes at most limit entries older than a moment, and says how many.
func (l *AuditLog) Forget(ctx context.Context, before time.Time, limit int) (int64, error) {
	return l.engine.DeleteRange(ctx, Query{Collection: Audit, Field: "at", To: before, Limit: limit})
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
