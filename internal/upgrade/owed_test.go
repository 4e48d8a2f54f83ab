package upgrade

import (
	"regexp"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/internal/store"
)

var caseNumber = regexp.MustCompile(`C-[0-9A-Z]{4}-[0-9A-Z]{3}|\bC[0-9A-Z]{8}\b`)

// kinds are the kinds of promise that a store has.
var kinds = []string{"say", "delete", "link", "notice", "activate", "signal", "file", "case", "lines", "audit", "erase"}

// owed is a promise as commit 06ecc36 stored it. What is in the test data never changes; what the program makes of it may.
type owed struct {
	ID        string `bson:"id"`
	Lane      string `bson:"lane"`
	Kind      string `bson:"kind"`
	MessageID string `bson:"message_id"`
	Record    string `bson:"record"`
	Attempt   string `bson:"attempt"`
	Conv      string `bson:"conv"`
	Topic     string `bson:"topic"`
	Ref       string `bson:"ref"`
	Body      string `bson:"body"`
	Waits     bool   `bson:"waits"`
	Reply     struct {
		Text   string `bson:"text"`
		Sealed bool   `bson:"sealed"`
	} `bson:"reply"`
	Handoff struct {
		Ref string `bson:"ref"`
		Rev int64  `bson:"rev"`
	} `bson:"handoff"`
	Lines []struct {
		Text string    `bson:"text"`
		Seq  int64     `bson:"seq"`
		At   time.Time `bson:"at"`
	} `bson:"lines"`

	by string // the document that owes it
}

// owedBy are all promises of a store.
func owedBy(docs []document) (all []owed) {
	for _, d := range docs {
		if d.collection != conversations && d.collection != store.Conversations && d.collection != store.Unlocks {
			continue
		}
		var doc struct {
			ID       string `bson:"_id"`
			Promises []owed `bson:"promises"`
		}
		if err := bson.Unmarshal(d.doc, &doc); err != nil {
			panic(err) // test data that cannot be read
		}
		for _, p := range doc.Promises {
			p.by = doc.ID
			all = append(all, p)
		}
	}
	return all
}
