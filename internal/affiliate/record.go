// Package affiliate is the institute's record of a member, and the national number that finds it.
//
// A number is read tolerantly (ParseNumber), checked, and read back to the person before it is used. The check digit only
// catches slips; the record decides. Numbers are kept in the affiliates collection and nowhere else: elsewhere they are a
// keyed hash and a mask.
package affiliate

import (
	"time"

	"llave/internal/address"
)

// IDType says what kind of number a record is kept under.
type IDType string

// Category says why the person has a record.
type Category string

// Status says what may be done with the record's key.
type Status string

// The values of the affiliates collection (P301).
const (
	Cedula      IDType = "cedula"
	ForeignCode IDType = "foreign_code"

	Affiliate   Category = "affiliate"
	Pensioner   Category = "pensioner"
	Beneficiary Category = "beneficiary"

	Locked    Status = "locked"
	Active    Status = "active"
	Suspended Status = "suspended"
	Deceased  Status = "deceased"
)

// Record is one member. The bson and json names are the collection's and the import's (P301).
type Record struct {
	ID            string    `bson:"_id" json:"_id"`
	Version       int64     `bson:"v" json:"-"`
	IDType        IDType    `bson:"id_type" json:"id_type"`
	Category      Category  `bson:"category" json:"category"`
	FullName      string    `bson:"full_name" json:"full_name"`
	Email         string    `bson:"email" json:"email"`
	DataUpdatedAt time.Time `bson:"data_updated_at,omitempty" json:"data_updated_at"` // zero: never updated in person
	Status        Status    `bson:"status" json:"status"`
	UpdatedAt     time.Time `bson:"updated_at,omitempty" json:"updated_at"` // when the institute last changed any of it; zero: not said
}

// Outcome is what the virtual route has for a record. It never reaches a chat.
type Outcome string

// The outcomes (P301).
const (
	CanUnlock   Outcome = "can_unlock"   // found, data updated in person, valid e-mail, locked
	CanGenerate Outcome = "can_generate" // the same, but active: the key is not locked
	InPerson    Outcome = "in_person"    // everything else
)

// Outcome says what the virtual route has for the record; the zero Record is one that was not found.
func (r Record) Outcome() Outcome {
	if r.ID == "" || r.DataUpdatedAt.IsZero() || !ValidEmail(r.Email) {
		return InPerson
	}
	switch r.Status {
	case Locked:
		return CanUnlock
	case Active:
		return CanGenerate
	}
	return InPerson
}

// ValidEmail says whether a letter can be addressed to [s]: one bare address that the mailer can say, with a dotted domain.
func ValidEmail(s string) bool { return address.Valid(s) }
