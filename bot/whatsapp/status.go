package whatsapp

import (
	"context"
	"slices"

	"llave/bot"
)

// Status is how far a message of ours has come. Statuses are stored: a rename is a migration.
type Status string

// The statuses. The zero Status is that of a message nothing is known of.
const (
	Accepted  Status = "accepted"  // the Cloud API took it
	Sent      Status = "sent"      // WhatsApp has it
	Delivered Status = "delivered" // it is on the person's phone
	Read      Status = "read"      // it was seen
	Failed    Status = "failed"    // it will not arrive
)

var onTheWay = []Status{Accepted, Sent, Delivered, Read}

// Known says that s is one of the statuses.
func (s Status) Known() bool { return s == Failed || slices.Contains(onTheWay, s) }

// Follows says that a message which was [before] can be [s] now. Reports come in any order and more than once, and a
// message never runs backwards: what was read is not merely sent, what arrived cannot fail, and what failed stays so.
func (s Status) Follows(before Status) bool {
	switch {
	case !s.Known() || before == Failed:
		return false
	case s == Failed:
		return before != Delivered && before != Read
	}
	return slices.Index(onTheWay, s) > slices.Index(onTheWay, before)
}

// Deliveries keeps what became of the messages we sent. It is the store's.
type Deliveries interface {
	// Sent keeps that the Cloud API took a message to a chat under that id. A report may have come before: one that it failed
	// is returned, since nobody could be told of it then.
	Sent(ctx context.Context, wamid, chat string, r bot.Reply) (*Lost, error)
	// Moved keeps the report [s], with its code, if it follows what was known (Status.Follows). It returns the chat, which is empty for a
	// message that is not ours or not noted yet, and the message while it is still known. [forward] says that [s] is where the message
	// stands now, by this report or by the same one before. So a failure that could not be told to the conversation is told
	// when its report comes again.
	Moved(ctx context.Context, wamid string, s Status, code int) (chat string, r *bot.Reply, forward bool, err error)
}

// Lost is a message of ours that will not arrive.
type Lost struct {
	Code  int        // why it failed
	Again *bot.Reply // the message, as its conversation would owe it anew
}
