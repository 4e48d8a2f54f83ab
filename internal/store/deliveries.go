package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"llave/bot"
)

// Delivery is what became of one message that a channel took. Reply is kept, sealed, only until the message has arrived:
// it may have to be sent again.
type Delivery struct {
	ID      string     `bson:"_id"` // the channel's id of the message
	Version int64      `bson:"v"`
	Conv    string     `bson:"conv,omitempty"` // empty: a report came before we could note whose it is
	Status  string     `bson:"status,omitempty"`
	Code    int        `bson:"code,omitempty"` // why it failed, in the channel's numbers, until it is known whose it is
	Reply   *bot.Reply `bson:"reply,omitempty"`
	Case    string     `bson:"case,omitempty"` // of an agent's words: their case, and
	Line    int64      `bson:"line,omitempty"` // its line that they are
	At      time.Time  `bson:"at"`
}

// DeliveryTable keeps deliveries. They only move forward.
type DeliveryTable struct {
	engine    Engine
	documents *Documents[Delivery]
}

func newDeliveries(engine Engine) *DeliveryTable {
	return &DeliveryTable{engine, NewDocuments(engine, Deliveries, func(d *Delivery) (*string, *int64) { return &d.ID, &d.Version })}
}

// Move notes a status of a message where [follows] says that it may come after the stored one, with whatever else [change]
// sets, and returns the delivery as it is then. Nothing is written when neither changes anything.
func (t *DeliveryTable) Move(ctx context.Context, id, status string, follows func(before string) bool, change func(d *Delivery)) (Delivery, error) {
	for {
		d, err := t.documents.Load(ctx, id)
		if err != nil {
			return d, fmt.Errorf("load delivery: %w", err)
		}
		if d.At, err = t.engine.Now(ctx); err != nil {
			return d, fmt.Errorf("read the store's clock: %w", err)
		}
		moves := follows(d.Status)
		if moves {
			d.Status = status
		}
		before := d
		if change(&d); !moves && d == before {
			return d, nil
		}
		if err = t.documents.Save(ctx, &d); !errors.Is(err, ErrConflict) {
			return d, err
		}
	}
}

// OfCase calls [each] for what became of the agents' words of a case: the line that they are, and the status.
func (t *DeliveryTable) OfCase(ctx context.Context, conv, ref string, each func(line int64, status string)) error {
	return t.documents.each(ctx, Query{Field: "conv", From: conv, To: conv + "\x00"}, func(d Delivery) bool {
		if d.Case == ref && d.Line > 0 {
			each(d.Line, d.Status)
		}
		return true
	})
}

// Forget removes at most limit deliveries that have not moved since a moment, and says how many.
func (t *DeliveryTable) Forget(ctx context.Context, before time.Time, limit int) (int64, error) {
	return t.engine.DeleteRange(ctx, Query{Collection: Deliveries, Field: "at", To: before, Limit: limit})
}
