package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"llave/internal/affiliate"
)

// AffiliateTable keeps the institute's records. Others may write the collection too, so reading is tolerant and
// writing leaves fields it does not know as they are.
type AffiliateTable struct{ engine Engine }

// importBatch is how many records go to the engine at once.
const importBatch = 2000

// Find returns the record kept under a number or code, and whether there is one. A code is found by its capitals
// (affiliate.Canonical), or as an earlier version or others wrote it (spellings). data_updated_at may be a date or a
// text that is one; anything else there counts as absent. No error names the number.
func (t *AffiliateTable) Find(ctx context.Context, number string) (affiliate.Record, bool, error) {
	if number == "" {
		return affiliate.Record{}, false, nil
	}
	raw, err := t.find(ctx, affiliate.Canonical(number))
	if errors.Is(err, ErrNotFound) {
		return affiliate.Record{}, false, nil
	}
	if err != nil {
		return affiliate.Record{}, false, fmt.Errorf("find affiliate: %w", err)
	}
	return recordOf(raw), true, nil
}

// recordOf reads a document, which others may have written.
func recordOf(raw bson.Raw) affiliate.Record {
	text := func(field string) string {
		s, _ := raw.Lookup(field).StringValueOK()
		return s
	}
	return affiliate.Record{
		ID:            text("_id"),
		Version:       DocumentVersion(raw),
		IDType:        affiliate.IDType(text("id_type")),
		Category:      affiliate.Category(text("category")),
		FullName:      text("full_name"),
		Email:         text("email"),
		DataUpdatedAt: anyTime(raw.Lookup("data_updated_at")),
		Status:        affiliate.Status(text("status")),
		UpdatedAt:     anyTime(raw.Lookup("updated_at")),
	}
}

// find gets the one document of a code in whatever letters. All spellings are asked for always, or a code that nobody has would
// take longer. That in capitals comes before others; two others are nobody's, since no one can say whose the code is.
func (t *AffiliateTable) find(ctx context.Context, code string) (bson.Raw, error) {
	raw, err := t.engine.Get(ctx, Affiliates, code)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	var others []bson.Raw
	for _, spelling := range spellings(code) {
		other, err := t.engine.Get(ctx, Affiliates, spelling)
		switch {
		case err == nil:
			others = append(others, other)
		case !errors.Is(err, ErrNotFound):
			return nil, err
		}
	}
	if err != nil && len(others) == 1 {
		return others[0], nil
	}
	return raw, err
}

// mostMixed is up to how many letters every mixture of capitals and small letters is a spelling: each doubles them.
const mostMixed = 4

// spellings are the other ways to write a code in capitals: in small letters, with the first letter alone a capital, and where it
// has few letters in every mixture of both.
func spellings(code string) (other []string) {
	var letters []int
	runes := []rune(code)
	for i, r := range runes {
		if unicode.ToLower(r) != r {
			letters = append(letters, i)
		}
	}
	add := func(small func(n int) bool) {
		mixed := slices.Clone(runes)
		for n, i := range letters {
			if small(n) {
				mixed[i] = unicode.ToLower(mixed[i])
			}
		}
		if s := string(mixed); s != code && !slices.Contains(other, s) {
			other = append(other, s)
		}
	}
	add(func(int) bool { return true })
	add(func(n int) bool { return n > 0 })
	if len(letters) <= mostMixed {
		for mix := range 1 << len(letters) {
			add(func(n int) bool { return mix>>n&1 == 1 })
		}
	}
	return other
}

// anyTime reads a time that others may have written as text.
func anyTime(v bson.RawValue) time.Time {
	if at, ok := v.TimeOK(); ok {
		return at.UTC()
	}
	text, _ := v.StringValueOK()
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", time.DateTime, time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC()
		}
	}
	return time.Time{}
}

// statusSetAt is the field of when Llave itself last set the status: an import of what was so before leaves that status.
const statusSetAt = "status_set_at"

// SetStatus sets the status of a record as it was read, and when that was, also where it has that status: whoever has read it
// before then knows. ErrConflict when somebody has written it since, or it is gone.
func (t *AffiliateTable) SetStatus(ctx context.Context, rec affiliate.Record, status affiliate.Status) error {
	raw, err := t.engine.Get(ctx, Affiliates, rec.ID)
	if errors.Is(err, ErrNotFound) || err == nil && DocumentVersion(raw) != rec.Version {
		return ErrConflict
	}
	if err != nil {
		return fmt.Errorf("set affiliate's status: %w", err)
	}
	now, err := t.engine.Now(ctx)
	if err != nil {
		return fmt.Errorf("set affiliate's status: %w", err)
	}
	changed, err := WithField(raw, "status", bson.RawValue{Type: bson.TypeString, Value: bsoncore.AppendString(nil, string(status))})
	if err == nil {
		changed, err = WithField(changed, statusSetAt, bson.RawValue{Type: bson.TypeDateTime, Value: bsoncore.AppendTime(nil, now)})
	}
	if err != nil {
		return fmt.Errorf("set affiliate's status: %w", err)
	}
	if err := t.engine.Replace(ctx, Affiliates, rec.ID, rec.Version, changed); err != nil {
		return fmt.Errorf("set affiliate's status: %w", err)
	}
	return nil
}

// Import stores records as they are, over whatever is stored. Fields of a stored record that they do not have stay. After an error
// some of the records may be stored; importing them again is safe. What an operator imports goes through Merge.
func (t *AffiliateTable) Import(ctx context.Context, records []affiliate.Record) error {
	for len(records) > 0 {
		n := min(len(records), importBatch)
		docs := make([]bson.Raw, n)
		for i := range docs {
			docs[i] = rawAffiliate(&records[i])
		}
		if err := t.engine.BulkUpsert(ctx, Affiliates, docs); err != nil {
			return fmt.Errorf("import affiliates: %w", err)
		}
		records = records[n:]
	}
	return nil
}

// rawAffiliate writes the document by hand: an import has hundreds of thousands. An absent data_updated_at is written
// as null, since an upsert would leave the one that is stored; an empty status and an absent updated_at are left out.
func rawAffiliate(r *affiliate.Record) bson.Raw {
	start, b := bsoncore.AppendDocumentStart(make([]byte, 0, 256))
	b = bsoncore.AppendStringElement(b, "_id", r.ID)
	b = bsoncore.AppendInt64Element(b, VersionField, 1)
	b = bsoncore.AppendStringElement(b, "id_type", string(r.IDType))
	b = bsoncore.AppendStringElement(b, "category", string(r.Category))
	b = bsoncore.AppendStringElement(b, "full_name", r.FullName)
	b = bsoncore.AppendStringElement(b, "email", r.Email)
	if r.DataUpdatedAt.IsZero() {
		b = bsoncore.AppendNullElement(b, "data_updated_at")
	} else {
		b = bsoncore.AppendTimeElement(b, "data_updated_at", r.DataUpdatedAt)
	}
	if r.Status != "" {
		b = bsoncore.AppendStringElement(b, "status", string(r.Status))
	}
	if !r.UpdatedAt.IsZero() {
		b = bsoncore.AppendTimeElement(b, "updated_at", r.UpdatedAt)
	}
	b, _ = bsoncore.AppendDocumentEnd(b, start) // fails only for a start that is not one
	return b
}

// Count returns how many records there are.
func (t *AffiliateTable) Count(ctx context.Context) (int64, error) {
	return t.engine.Count(ctx, Query{Collection: Affiliates})
}
