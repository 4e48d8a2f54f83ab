package mongodb

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// Rights count where they are given for the whole database, in any form that MongoDB has for that.
func TestLacking(t *testing.T) {
	all := bson.A{"find", "insert", "update", "remove", "createCollection", "createIndex", "listIndexes", "dropCollection"}
	on := func(resource bson.D, actions bson.A) bson.D {
		return bson.D{{Key: "resource", Value: resource}, {Key: "actions", Value: actions}}
	}
	db := func(name, collection string) bson.D {
		return bson.D{{Key: "db", Value: name}, {Key: "collection", Value: collection}}
	}
	for name, tt := range map[string]struct {
		privileges bson.A
		want       []string
	}{
		"readWrite":         {bson.A{on(db("llave", ""), all)}, nil},
		"on every database": {bson.A{on(db("", ""), all)}, nil},
		"on anything":       {bson.A{on(bson.D{{Key: "anyResource", Value: true}}, bson.A{"anyAction"})}, nil},
		"of another":        {bson.A{on(db("other", ""), all)}, needed},
		"of one collection": {bson.A{on(db("llave", "audit"), all)}, needed},
		"of the cluster":    {bson.A{on(bson.D{{Key: "cluster", Value: true}}, all)}, needed},
		"read":              {bson.A{on(db("llave", ""), bson.A{"find", "listIndexes"})}, []string{"insert", "update", "remove", "createCollection", "createIndex"}},
		"in two parts":      {bson.A{on(db("llave", ""), all[:3]), on(db("llave", ""), all[3:])}, nil},
	} {
		raw, err := bson.Marshal(bson.D{{Key: "all", Value: tt.privileges}})
		if err != nil {
			t.Fatal(err)
		}
		var doc struct {
			All []privilege `bson:"all"`
		}
		if err := bson.Unmarshal(raw, &doc); err != nil {
			t.Fatal(err)
		}
		if got := lacking(doc.All, "llave"); !slices.Equal(got, tt.want) {
			t.Errorf("%s: lacking %v, want %v", name, got, tt.want)
		}
	}
}

// A server that may not write is told from one that cannot, and both from one that is late.
func TestNotPrimary(t *testing.T) {
	primary := failed("write", mongo.CommandError{Code: 10107, Name: "NotWritablePrimary"})
	late := failed("write", fmt.Errorf("it was: %w", context.DeadlineExceeded))
	other := failed("write", mongo.CommandError{Code: 13, Name: "Unauthorized"})
	for name, tt := range map[string]struct {
		err                error
		notPrimary, isLate bool
	}{"not primary": {primary, true, false}, "late": {late, false, true}, "no right": {other, false, false}, "well": {nil, false, false}} {
		if NotPrimary(tt.err) != tt.notPrimary || Late(tt.err) != tt.isLate {
			t.Errorf("%s: not primary %t, late %t", name, NotPrimary(tt.err), Late(tt.err))
		}
	}
}
