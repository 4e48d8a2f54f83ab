package store

import (
	"context"
	"fmt"
	"time"
)

const breachesID = "breaches"

// Breaches is the register of security incidents that touched personal data: one document, kept as long as the store (LOPDP 43).
type Breaches struct {
	ID      string   `bson:"_id"`
	Version int64    `bson:"v"`
	List    []Breach `bson:"list"`
}

// Breach is one incident. What happened is told in words of the operator, without names or numbers of people.
type Breach struct {
	Number    int       `bson:"number" json:"number"`
	Known     time.Time `bson:"known" json:"known"`                           // when somebody had certainty of it: the deadlines count from then
	Noted     time.Time `bson:"noted" json:"noted"`                           // when it was written down here
	What      string    `bson:"what" json:"what"`                             // what happened, to which data, what is done about it
	People    int       `bson:"people" json:"people"`                         // how many it touches; 0: not known
	Harmless  string    `bson:"harmless,omitempty" json:"harmless,omitempty"` // why it is unlikely to be a risk: nobody need be told then
	Authority time.Time `bson:"authority,omitempty" json:"authority,omitzero"`
	Persons   time.Time `bson:"persons,omitempty" json:"people_told,omitzero"`
}

// BreachTable keeps the register.
type BreachTable struct{ documents *Documents[Breaches] }

func newBreaches(engine Engine) *BreachTable {
	return &BreachTable{NewDocuments(engine, Settings, func(b *Breaches) (*string, *int64) { return &b.ID, &b.Version })}
}

// Load returns the register, an empty one before anything was noted.
func (t *BreachTable) Load(ctx context.Context) (Breaches, error) {
	b, err := t.documents.Load(ctx, breachesID)
	if err != nil {
		return b, fmt.Errorf("load the register of breaches: %w", err)
	}
	return b, nil
}

// Save stores it where nobody else has saved since it was loaded; ErrConflict means that somebody has.
func (t *BreachTable) Save(ctx context.Context, b *Breaches) error {
	b.ID = breachesID
	if err := t.documents.Save(ctx, b); err != nil {
		return fmt.Errorf("save the register of breaches: %w", err)
	}
	return nil
}
