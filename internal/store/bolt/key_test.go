package bolt

import (
	"bytes"
	"cmp"
	"math"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

func keyOf(t testing.TB, value any, id string) []byte {
	t.Helper()
	kind, data, err := bson.MarshalValue(value)
	if err != nil {
		t.Fatal(err)
	}
	key, ok := appendValue(nil, bson.RawValue{Type: kind, Value: data})
	if !ok {
		t.Fatalf("%v is not indexed", value)
	}
	return append(key, id...)
}

func TestKeys_sortAsValuesDo(t *testing.T) {
	ascending := []struct {
		value any
		id    string
	}{
		{int64(math.MinInt64), "z"}, {int64(-256), "z"}, {int64(-1), "z"}, {int64(0), "z"}, {int64(1), "a"}, {int32(1), "b"},
		{int64(255), "z"}, {int64(256), "a"}, {int64(math.MaxInt64), "a"},
		{"", "z"}, {"\x00", "z"}, {"\x00\x00", "z"}, {"\x00\x01", "z"}, {"\x00\xff", "z"}, {"\x01", "z"}, {"a", "\x00"}, {"a", "z"},
		{"a\x00", "a"}, {"a\x00\x01", "a"}, {"a\x00b", "a"}, {"a\x01", "a"}, {"ab", "a"}, {"b", "a"}, {"ñ", "a"},
		{time.Date(1931, 1, 1, 0, 0, 0, 0, time.UTC), "z"}, {time.UnixMilli(-1), "z"}, {time.UnixMilli(0), "z"},
		{time.UnixMilli(1), "a"}, {time.UnixMilli(1), "b"}, {time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), "a"},
	}
	for i := range ascending[1:] {
		a, b := ascending[i], ascending[i+1]
		if bytes.Compare(keyOf(t, a.value, a.id), keyOf(t, b.value, b.id)) >= 0 {
			t.Errorf("%v/%q does not sort before %v/%q", a.value, a.id, b.value, b.id)
		}
	}
}

func FuzzStringKeys(f *testing.F) {
	f.Add("a", "1", "a\x00", "2")
	f.Add("", "\xff", "\x00\xff", "\x01")
	f.Fuzz(func(t *testing.T, a, idA, b, idB string) {
		if idA == "" || idB == "" {
			t.Skip("ids are never empty")
		}
		keyA, keyB := append(appendString(nil, a), idA...), append(appendString(nil, b), idB...)
		if got, want := bytes.Compare(keyA, keyB), cmp.Or(strings.Compare(a, b), strings.Compare(idA, idB)); got != want {
			t.Errorf("%q/%q against %q/%q: got %d, want %d", a, idA, b, idB, got, want)
		}
		if id, err := idOf(keyA); err != nil || string(id) != idA {
			t.Errorf("id of %q/%q: got %q, %v", a, idA, id, err)
		}
	})
}

func FuzzNumberKeys(f *testing.F) {
	f.Add(int64(-1), int64(0))
	f.Add(int64(math.MinInt64), int64(math.MaxInt64))
	f.Fuzz(func(t *testing.T, a, b int64) {
		for _, kind := range []byte{kindNumber, kindTime} {
			keyA, keyB := append(appendInt(nil, kind, a), 'x'), append(appendInt(nil, kind, b), 'x')
			if got, want := bytes.Compare(keyA, keyB), cmp.Compare(a, b); got != want {
				t.Errorf("%d against %d: got %d, want %d", a, b, got, want)
			}
			if id, err := idOf(keyA); err != nil || string(id) != "x" {
				t.Errorf("id of %d: got %q, %v", a, id, err)
			}
		}
	})
}

// Whatever bytes stand in an index, reading the id from them is an error or an id.
func FuzzIDOf(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{kindString, 0, 1})
	f.Fuzz(func(t *testing.T, key []byte) {
		if id, err := idOf(key); err == nil && (len(id) == 0 || !bytes.HasSuffix(key, id)) {
			t.Errorf("id of %x: got %x", key, id)
		}
	})
}

func TestKeys_notIndexed(t *testing.T) {
	for _, v := range []bsoncore.Value{
		{Type: bsoncore.TypeNull}, {Type: bsoncore.TypeBoolean, Data: []byte{1}},
		{Type: bsoncore.TypeDouble, Data: bsoncore.AppendDouble(nil, 1)},
	} {
		if key, ok := appendValue(nil, bson.RawValue{Type: bson.Type(v.Type), Value: v.Data}); ok {
			t.Errorf("%v is indexed as %x", v, key)
		}
	}
}
