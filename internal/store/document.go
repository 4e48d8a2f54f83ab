package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// This file works on documents as bytes, so that engines and tolerant readers need not decode what they only carry.

const idField = "_id"

var errMalformed = errors.New("malformed document")

// DocumentID returns the document's _id, which must be a string and not empty.
func DocumentID(doc bson.Raw) (string, error) {
	v, err := doc.LookupErr(idField)
	if err != nil {
		return "", errors.New("document without an _id")
	}
	id, ok := v.StringValueOK()
	if !ok || id == "" {
		return "", errors.New("document whose _id is not a string, or empty")
	}
	return id, nil
}

// DocumentVersion returns the document's version; 0 when others wrote it without one.
func DocumentVersion(doc bson.Raw) int64 {
	v, err := doc.LookupErr(VersionField)
	if err != nil {
		return 0
	}
	n, _ := v.AsInt64OK()
	return n
}

// WithVersion returns the document carrying that version. It returns [doc] itself when it does already, and never
// changes it.
func WithVersion(doc bson.Raw, version int64) (bson.Raw, error) {
	_, rest, ok := bsoncore.ReadLength(doc)
	for ok && len(rest) > 1 {
		var e bsoncore.Element
		if e, rest, ok = bsoncore.ReadElement(rest); !ok {
			break
		}
		if e.Key() != VersionField {
			continue
		}
		if e.Value().Type != bsoncore.TypeInt64 {
			return WithField(doc, VersionField, bson.RawValue{Type: bson.TypeInt64, Value: bsoncore.AppendInt64(nil, version)})
		}
		at := len(doc) - len(rest) - 8
		if binary.LittleEndian.Uint64(doc[at:]) == uint64(version) { //nolint:gosec // the bits are what is wanted
			return doc, nil
		}
		out := append(bson.Raw(nil), doc...)
		binary.LittleEndian.PutUint64(out[at:], uint64(version)) //nolint:gosec // the bits are what is wanted
		return out, nil
	}
	if !ok {
		return nil, errMalformed
	}
	return WithField(doc, VersionField, bson.RawValue{Type: bson.TypeInt64, Value: bsoncore.AppendInt64(nil, version)})
}

// WithField returns a copy of the document in which a top-level field has that value; every other field is as it was.
func WithField(doc bson.Raw, field string, value bson.RawValue) (bson.Raw, error) {
	_, rest, ok := bsoncore.ReadLength(doc)
	if !ok {
		return nil, errMalformed
	}
	put := bsoncore.Value{Type: bsoncore.Type(value.Type), Data: value.Value}
	start, out := bsoncore.AppendDocumentStart(make([]byte, 0, len(doc)+len(field)+len(value.Value)+2))
	found := false
	for len(rest) > 1 {
		var e bsoncore.Element
		if e, rest, ok = bsoncore.ReadElement(rest); !ok {
			return nil, errMalformed
		}
		if e.Key() == field {
			found = true
			out = bsoncore.AppendValueElement(out, field, put)
			continue
		}
		out = append(out, e...)
	}
	if !found {
		out = bsoncore.AppendValueElement(out, field, put)
	}
	return bsoncore.AppendDocumentEnd(out, start)
}

// Merge returns [old] with the fields of [set] laid over it, and the version moved by one from that of [old]. The _id and
// v of [set] do not count. [old] may be nil: then the result is [set] with version 1.
func Merge(old, set bson.Raw) (bson.Raw, error) {
	if old == nil {
		return WithVersion(set, 1)
	}
	fresh, err := set.Elements()
	if err != nil {
		return nil, errMalformed
	}
	kept, err := old.Elements()
	if err != nil {
		return nil, errMalformed
	}
	replaced := func(key string) bool {
		for _, e := range fresh {
			if e.Key() == key {
				return true
			}
		}
		return false
	}
	start, out := bsoncore.AppendDocumentStart(make([]byte, 0, len(old)+len(set)))
	for _, e := range kept {
		if key := e.Key(); key == idField || key != VersionField && !replaced(key) {
			out = append(out, e...)
		}
	}
	out = bsoncore.AppendInt64Element(out, VersionField, DocumentVersion(old)+1)
	for _, e := range fresh {
		if key := e.Key(); key != idField && key != VersionField {
			out = append(out, e...)
		}
	}
	return bsoncore.AppendDocumentEnd(out, start)
}

// Lookup returns the value of a field, top level or dotted.
func Lookup(doc bson.Raw, field string) (bson.RawValue, bool) {
	if !strings.Contains(field, ".") {
		v, err := doc.LookupErr(field)
		return v, err == nil
	}
	v, err := doc.LookupErr(strings.Split(field, ".")...)
	return v, err == nil
}

// Check says what is wrong with a query: a field that is not declared, or a bound of a type that cannot be compared.
func (q Query) Check() error {
	if q.Field != "" {
		declared := false
		for _, ix := range Indexes {
			declared = declared || ix == Index{q.Collection, q.Field}
		}
		if !declared {
			return fmt.Errorf("no index on %s.%s is declared", q.Collection, q.Field)
		}
	}
	for _, bound := range []any{q.From, q.To} {
		switch bound.(type) {
		case nil, string:
			continue
		case time.Time, int64:
			if q.Field != "" {
				continue
			}
		}
		return fmt.Errorf("a bound of type %T does not fit %s.%s", bound, q.Collection, q.Field)
	}
	return nil
}
