package store

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"llave/internal/secret"
)

// sealed is an engine whose repositories write and read whole documents, while those in the store show only what must be found or
// counted there: the rest is one sealed value, under the key of the chat, or under the ring's where it outlives the chat (P721).
// A document that is not sealed is read as it is: an earlier version wrote it, or nobody's words are in it.
type sealed struct {
	Engine
	book *AddressBook
}

// What a sealed document has besides what it shows.
const (
	keyField    = "k"      // names the chat's key; nothing: it is the ring's
	sealedField = "sealed" // all of the document
)

// shows says what of a collection's documents stands open. They are sealed under the key of the conversation which the field [chat] names,
// or where that is "" for [field], under the ring's.
type shows struct {
	chat   string
	field  *secret.Field
	fields []string
	lists  map[string][]string // of an array of documents, their fields
}

// ofPeople are the collections that hold what a person wrote. docs/security.md says the same in words.
var ofPeople = map[string]shows{
	Conversations: {chat: idField, fields: []string{"wake_at", "kept_till", "keepers", "handoff.queue", "handoff.moved", "handoff.ref"}, lists: map[string][]string{"promises": {"lane", "made", "waits"}}},
	Lines:         {chat: "conv", fields: []string{"conv", "ref", "at"}},
	Drafts:        {chat: "conv", fields: []string{"conv", "at"}},
	Deliveries:    {chat: "conv", fields: []string{"conv", "status", "at"}},
	Complaints:    {field: secret.Filed, fields: []string{"topic", "conv", "made", "status"}},
}

// unopened is the engine that reads documents as they lie in the store: for whoever needs no more than they show.
func unopened(e Engine) Engine {
	if s, ok := e.(*sealed); ok {
		return s.Engine
	}
	return e
}

func place(collection, id string) string { return collection + "|" + sealedField + "|" + id }

// close is the document as it is stored; [anew]: there was none.
func (s *sealed) close(ctx context.Context, collection string, doc bson.Raw, anew bool) (bson.Raw, error) {
	of, has := ofPeople[collection]
	if !has {
		return doc, nil
	}
	id, err := DocumentID(doc)
	if err != nil {
		return nil, err
	}
	var blob []byte
	var key secret.ChatKey
	switch {
	case of.chat == "":
		blob = s.book.vault.SealAt(of.field.Of(id), doc)
	default:
		conv, _ := doc.Lookup(of.chat).StringValueOK()
		if conv == "" {
			return doc, nil // nobody's yet
		}
		if key, err = s.book.sealing(ctx, conv, anew && of.chat == idField); err != nil {
			return nil, err
		}
		blob = key.SealAt(place(collection, id), doc)
	}
	start, out := bsoncore.AppendDocumentStart(make([]byte, 0, len(blob)+512))
	out = bsoncore.AppendStringElement(out, idField, id)
	out = bsoncore.AppendInt64Element(out, VersionField, DocumentVersion(doc))
	out = of.show(out, doc)
	if !key.IsZero() {
		out = bsoncore.AppendStringElement(out, keyField, key.ID())
	}
	out = bsoncore.AppendBinaryElement(out, sealedField, bson.TypeBinaryGeneric, blob)
	return bsoncore.AppendDocumentEnd(out, start)
}

// show appends what stands open of a document. Fields of one document within it stand together in the table.
func (of shows) show(out []byte, doc bson.Raw) []byte {
	inside, at := "", int32(0)
	end := func() {
		if inside != "" {
			out, _ = bsoncore.AppendDocumentEnd(out, at)
			inside = ""
		}
	}
	for _, field := range of.fields {
		value, ok := Lookup(doc, field)
		if !ok {
			continue
		}
		outer, name := cutField(field)
		if outer != inside {
			end()
			if outer != "" {
				out = bsoncore.AppendHeader(out, bsoncore.TypeEmbeddedDocument, outer)
				at, out = bsoncore.AppendDocumentStart(out)
				inside = outer
			}
		}
		out = bsoncore.AppendValueElement(out, name, bsoncore.Value{Type: bsoncore.Type(value.Type), Data: value.Value})
	}
	end()
	for list, fields := range of.lists {
		array, ok := doc.Lookup(list).ArrayOK()
		if !ok {
			continue
		}
		out = bsoncore.AppendArrayElement(out, list, shortened(array, fields))
	}
	return out
}

func cutField(field string) (outer, name string) {
	for i := range field {
		if field[i] == '.' {
			return field[:i], field[i+1:]
		}
	}
	return "", field
}

// shortened is an array of documents with only so much of each.
func shortened(array bson.RawArray, fields []string) bsoncore.Array {
	b := bsoncore.NewArrayBuilder()
	values, _ := array.Values() // ours: it was marshalled a moment ago
	for _, v := range values {
		doc, ok := v.DocumentOK()
		if !ok {
			continue
		}
		short := bsoncore.NewDocumentBuilder()
		for _, field := range fields {
			if value, err := doc.LookupErr(field); err == nil {
				short.AppendValue(field, bsoncore.Value{Type: bsoncore.Type(value.Type), Data: value.Value})
			}
		}
		b.AppendDocument(short.Build())
	}
	return b.Build()
}

// open is the whole of a stored document. One whose key was destroyed is what an erased chat leaves: its id, and whose it was.
func (s *sealed) open(ctx context.Context, collection string, doc bson.Raw) (bson.Raw, error) {
	of, has := ofPeople[collection]
	if !has {
		return doc, nil
	}
	_, blob, ok := doc.Lookup(sealedField).BinaryOK()
	if !ok {
		return doc, nil
	}
	id, err := DocumentID(doc)
	if err != nil {
		return nil, err
	}
	var plain []byte
	if of.chat == "" {
		plain, err = s.book.vault.OpenAt(of.field.Of(id), blob)
	} else {
		conv, _ := doc.Lookup(of.chat).StringValueOK()
		keyID, _ := doc.Lookup(keyField).StringValueOK()
		key, found, kerr := s.book.opening(ctx, conv, keyID)
		if kerr != nil {
			return nil, kerr
		}
		if !found {
			return remains(doc, of)
		}
		plain, err = key.OpenAt(place(collection, id), blob)
	}
	if err != nil {
		return nil, fmt.Errorf("open a document of %s: %w", collection, err)
	}
	return WithVersion(plain, DocumentVersion(doc))
}

// remains is what can be read of a document whose key was destroyed. A conversation is an empty one then, that owes nothing.
func remains(doc bson.Raw, of shows) (bson.Raw, error) {
	out := bsoncore.NewDocumentBuilder()
	for _, field := range append([]string{idField, VersionField}, of.fields...) {
		if of.chat == idField && field != idField && field != VersionField {
			continue
		}
		if value, err := doc.LookupErr(field); err == nil {
			out.AppendValue(field, bsoncore.Value{Type: bsoncore.Type(value.Type), Data: value.Value})
		}
	}
	return bson.Raw(out.Build()), nil
}

// Get is Engine.Get, opened.
func (s *sealed) Get(ctx context.Context, collection, id string) (bson.Raw, error) {
	doc, err := s.Engine.Get(ctx, collection, id)
	if err != nil {
		return nil, err
	}
	return s.open(ctx, collection, doc)
}

// GetMany is Engine.GetMany, opened.
func (s *sealed) GetMany(ctx context.Context, collection string, ids []string, each func(bson.Raw)) error {
	var broken error
	err := s.Engine.GetMany(ctx, collection, ids, func(doc bson.Raw) {
		if broken != nil {
			return
		}
		if doc, broken = s.open(ctx, collection, doc); broken == nil {
			each(doc)
		}
	})
	if err == nil {
		err = broken
	}
	return err
}

// Insert is Engine.Insert, closed.
func (s *sealed) Insert(ctx context.Context, collection string, doc bson.Raw) error {
	doc, err := s.close(ctx, collection, doc, true)
	if err != nil {
		return err
	}
	return s.Engine.Insert(ctx, collection, doc)
}

// Replace is Engine.Replace, closed.
func (s *sealed) Replace(ctx context.Context, collection, id string, version int64, doc bson.Raw) error {
	doc, err := s.close(ctx, collection, doc, false)
	if err != nil {
		return err
	}
	return s.Engine.Replace(ctx, collection, id, version, doc)
}

// Scan is Engine.Scan, opened.
func (s *sealed) Scan(ctx context.Context, q Query, each func(bson.Raw) bool) error {
	if _, has := ofPeople[q.Collection]; !has {
		return s.Engine.Scan(ctx, q, each)
	}
	var broken error
	err := s.Engine.Scan(ctx, q, func(doc bson.Raw) bool {
		if doc, broken = s.open(ctx, q.Collection, doc); broken != nil {
			return false
		}
		return each(doc)
	})
	if err == nil {
		err = broken
	}
	return err
}

// BulkUpsert is Engine.BulkUpsert, of whole documents where they are sealed: nothing is laid over a part of one.
func (s *sealed) BulkUpsert(ctx context.Context, collection string, docs []bson.Raw) error {
	if _, has := ofPeople[collection]; !has {
		return s.Engine.BulkUpsert(ctx, collection, docs)
	}
	closed := make([]bson.Raw, len(docs))
	for i, doc := range docs {
		var err error
		if closed[i], err = s.close(ctx, collection, doc, false); err != nil {
			return err
		}
	}
	return s.Engine.BulkUpsert(ctx, collection, closed)
}
