package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	bbolt "go.etcd.io/bbolt"
	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/internal/store"
)

// An index entry is a key without a value: the kind of what is indexed, that encoded so that bytes sort as values do, and
// the id. Numbers and times are eight bytes, big-endian, with the sign bit flipped. Strings end in 0x00 0x01, and a zero
// byte inside one is written 0x00 0xff. So a string sorts before every longer one that begins with it, whatever id follows.
// The kinds sort as MongoDB sorts them.
const (
	kindNumber byte = 0x10
	kindString byte = 0x20
	kindTime   byte = 0x30
)

var (
	stringEnd  = []byte{0x00, 0x01}
	stringZero = []byte{0x00, 0xff}
)

func appendInt(dst []byte, kind byte, n int64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, kind), uint64(n)^1<<63) //nolint:gosec // the bits are what is wanted
}

func appendString(dst []byte, s string) []byte {
	dst = append(dst, kindString)
	for {
		i := strings.IndexByte(s, 0)
		if i < 0 {
			break
		}
		dst = append(append(dst, s[:i]...), stringZero...)
		s = s[i+1:]
	}
	return append(append(dst, s...), stringEnd...)
}

// appendValue encodes a field's value. Values that cannot be scanned for (null, numbers with a fraction, documents)
// are not indexed, as documents without the field are not.
func appendValue(dst []byte, v bson.RawValue) ([]byte, bool) {
	switch v.Type {
	case bson.TypeString:
		return appendString(dst, v.StringValue()), true
	case bson.TypeInt64:
		return appendInt(dst, kindNumber, v.Int64()), true
	case bson.TypeInt32:
		return appendInt(dst, kindNumber, int64(v.Int32())), true
	case bson.TypeDateTime:
		return appendInt(dst, kindTime, v.DateTime()), true
	}
	return dst, false
}

// appendBound encodes one end of a range.
func appendBound(dst []byte, bound any) []byte {
	switch b := bound.(type) {
	case string:
		return appendString(dst, b)
	case int64:
		return appendInt(dst, kindNumber, b)
	case time.Time:
		return appendInt(dst, kindTime, b.UnixMilli())
	}
	panic(fmt.Sprintf("bound of type %T", bound)) // Query.Check let it through
}

var errBadKey = errors.New("index key cannot be read")

// idOf returns the id at the end of an index key.
func idOf(key []byte) ([]byte, error) {
	if len(key) == 0 {
		return nil, errBadKey
	}
	switch key[0] {
	case kindNumber, kindTime:
		if len(key) > 9 {
			return key[9:], nil
		}
	case kindString:
		if i := bytes.Index(key, stringEnd); i > 0 && i+2 < len(key) {
			return key[i+2:], nil
		}
	}
	return nil, errBadKey
}

// entries returns the index keys of a document, one for each of the collection's indexes, nil where it has none.
func entries(indexes []index, id string, doc bson.Raw) ([][]byte, error) {
	if len(indexes) == 0 || doc == nil {
		return make([][]byte, len(indexes)), nil
	}
	keys := make([][]byte, len(indexes))
	for i, ix := range indexes {
		v, ok := store.Lookup(doc, ix.field)
		if !ok {
			continue
		}
		key, ok := appendValue(nil, v)
		if !ok {
			continue
		}
		key = append(key, id...)
		if len(key) > bbolt.MaxKeySize {
			return nil, fmt.Errorf("value of %s is too long for an index", ix.field)
		}
		keys[i] = key
	}
	return keys, nil
}

// span is a range of keys in a bucket: from ≤ key < to, nil is open.
type span struct{ from, to []byte }

// spanOf turns a query's bounds into keys. A bound on one side keeps to its own kind of value.
func spanOf(q store.Query) span {
	if q.Field == "" {
		var s span
		if q.From != nil {
			s.from = []byte(q.From.(string))
		}
		if q.To != nil {
			s.to = []byte(q.To.(string))
		}
		return s
	}
	var s span
	if q.From != nil {
		s.from = appendBound(nil, q.From)
	}
	if q.To != nil {
		s.to = appendBound(nil, q.To)
	}
	switch {
	case s.from == nil && s.to != nil:
		s.from = s.to[:1]
	case s.to == nil && s.from != nil:
		s.to = []byte{s.from[0] + 1}
	}
	return s
}

// walk calls [each] for the keys of the span, in order or backwards, until it returns false. [after], when not nil, is the
// key where an earlier walk ended; it is not visited again.
func (s span) walk(c *bbolt.Cursor, descending bool, after []byte, each func(key, value []byte) bool) {
	if descending {
		end := s.to
		if after != nil {
			end = after
		}
		var k, v []byte
		if end == nil {
			k, v = c.Last()
		} else if k, v = c.Seek(end); k == nil {
			k, v = c.Last()
		}
		for k != nil && end != nil && bytes.Compare(k, end) >= 0 {
			k, v = c.Prev()
		}
		for ; k != nil && (s.from == nil || bytes.Compare(k, s.from) >= 0); k, v = c.Prev() {
			if !each(k, v) {
				return
			}
		}
		return
	}
	start := s.from
	if after != nil {
		start = after
	}
	var k, v []byte
	if start == nil {
		k, v = c.First()
	} else if k, v = c.Seek(start); after != nil && bytes.Equal(k, after) {
		k, v = c.Next()
	}
	for ; k != nil && (s.to == nil || bytes.Compare(k, s.to) < 0); k, v = c.Next() {
		if !each(k, v) {
			return
		}
	}
}
