package secret

import (
	"encoding/binary"
	"strings"
)

// Field is a field of stored documents whose values are sealed. A value opens in its own field of its own document alone: moved or
// copied elsewhere, it is ErrOpen.
type Field struct {
	Collection string
	Name       string
	Paths      []string // where values lie, dotted, through arrays too; none: at Name
	Marked     string   // the field beside it that is true where it is sealed; empty: it always is
	Bytes      bool     // values are of SealAt, a whole document each
	Was        string   // label under which versions before sealed it, without saying where; empty: none did
}

// Place is a field of one document, which is what a value is sealed for.
type Place struct {
	Field *Field
	ID    string // of the document
}

// Of is the field of the document with that id.
func (f *Field) Of(id string) Place { return Place{f, id} }

// At are the paths at which values of the field lie.
func (f *Field) At() []string {
	if len(f.Paths) == 0 {
		return []string{f.Name}
	}
	return f.Paths
}

// bound is what a value under a key is bound to: no two places, and no two keys, have the same.
func (p Place) bound(key string) []byte {
	var b []byte
	for _, part := range []string{key, p.Field.Collection, p.Field.Name, p.ID} {
		b = binary.AppendUvarint(b, uint64(len(part)))
		b = append(b, part...)
	}
	return b
}

// Collections of what is sealed. The names are those of internal/store, which a test compares.
const (
	chats      = "chats"
	book       = "book"
	complaints = "complaints"
	unlocks    = "unlocks"
	deliveries = "deliveries"
	events     = "events"
	agents     = "agents"
	bells      = "bells"
	pushKeys   = "push_keys"
	cookies    = "cookies" // no collection: browsers keep them
)

const numberLabel, complaintLabel, replyLabel = "affiliate/number", "complaint", "reply"

// The fields. Names are sealed into every value: a new name is a migration.
var (
	Given         = slot("given", numberLabel)              // a number that was read back and is not confirmed yet
	Number        = slot("number", numberLabel)             // the confirmed one
	Phone         = slot("phone", numberLabel)              // the chat's own telephone number
	Part          = slot("part", numberLabel)               // what came so far of a number that is typed in parts
	Typed         = slot("typed", numberLabel)              // what may be a number, before the person agreed to go on
	Complaint     = slot("complaint", complaintLabel)       // the one that is being written
	ComplaintOld  = slot("complaint_old", complaintLabel)   // the one that it was before
	ComplaintMade = slot("complaint_first", complaintLabel) // what may have been the first part
	Reply         = &Field{Collection: chats, Name: "promises.reply.text", Marked: "sealed", Was: replyLabel}
	Said          = &Field{Collection: chats, Name: "said", Paths: []string{"pieces.said", "answered.said"}, Was: replyLabel}
	Each          = &Field{Collection: chats, Name: "pieces.each", Was: replyLabel}
	Attempt       = &Field{Collection: unlocks, Name: "number", Paths: []string{"live.sealed", "used.sealed"}, Was: numberLabel}
	Delivery      = &Field{Collection: deliveries, Name: "reply.text", Marked: "sealed", Was: replyLabel}
	DeadEvent     = &Field{Collection: events, Name: "sealed", Was: "dead-event"}
	TOTP          = &Field{Collection: agents, Name: "totp", Paths: []string{"totp", "new_totp"}, Was: "agent-totp"}

	PushKey    = &Field{Collection: pushKeys, Name: "private", Was: "push-key"}        // by which push services know us
	PushDevice = &Field{Collection: bells, Name: "devices.sealed", Was: "push-device"} // an agent's browser, as its push service names it
	AlertChat  = &Field{Collection: bells, Name: "chat", Was: "alert-chat"}            // an agent's own chat

	// BookEntry is an entry of the address book, with the key of a chat; Filed a complaint, which outlives its chat.
	BookEntry = &Field{Collection: book, Name: "sealed", Bytes: true, Was: "book"}
	Filed     = &Field{Collection: complaints, Name: "sealed", Bytes: true, Was: "complaint-document"}

	// KeyPass is a cookie: nothing of it is stored, and it is over in ten minutes.
	KeyPass = &Field{Collection: cookies, Name: "key_pass", Was: "ticket"}
)

// Stored are the fields of stored documents, all of them: what is not on the list is not sealed anew when the key changes, and cannot
// be opened any more once the old key is gone.
var Stored = []*Field{
	Given, Number, Phone, Part, Typed, Complaint, ComplaintOld, ComplaintMade, Reply, Said, Each, Attempt, Delivery, DeadEvent, TOTP, BookEntry, Filed,
	PushKey, PushDevice, AlertChat,
}

// slot is a slot of conversations, which also stands in what they were before words that may have to be taken back.
func slot(name, was string) *Field {
	return &Field{Collection: chats, Name: "slots." + name, Was: was, Paths: []string{
		"slots." + name, "pieces.before.slots." + name, "answered.before.slots." + name,
	}}
}

// Slots are the slots of conversations that are sealed, by name.
var Slots = func() map[string]*Field {
	byName := map[string]*Field{}
	for _, f := range Stored {
		if name, is := strings.CutPrefix(f.Name, "slots."); is {
			byName[name] = f
		}
	}
	return byName
}()
