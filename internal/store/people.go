package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/bot"
)

// PeopleTable finds the chat of a person on a channel where a person has two names, a phone number and a user id, either of
// which may be missing, appear or change. A chat is named once, by the first name its person was known by, and keeps it.
//
// A name is a document that leads to a chat. It is claimed by inserting it, so two processes never make two chats of one
// new person. What the person is called now is a document of the chat, and that one decides: a name leads there only while
// the person goes by it. So one replace takes a number from a chat, wherever the name still leads when a process dies. Nothing
// is sent to a number that does not lead back.
//
// A user id is one person's for good; a number changes hands (P116). Under a number that comes with another user id than its
// chat's is somebody else, who begins anew. Only the channel's own word (Move) takes a chat to other names.
type PeopleTable struct {
	book     *AddressBook
	names    *Documents[personName]
	contacts contactBook
}

// Contact is how the person of a chat is called now.
type Contact struct {
	ID       string   `bson:"_id,omitempty"` // channel:chat
	Version  int64    `bson:"v,omitempty"`
	Phone    string   `bson:"phone,omitempty"`
	UserID   string   `bson:"user_id,omitempty"`
	Hidden   bool     `bson:"hidden,omitempty"`    // the last message came without the phone number
	Lost     string   `bson:"lost,omitempty"`      // the name that was taken from it for another chat
	WasPhone []string `bson:"was_phone,omitempty"` // numbers it had before
	WasID    []string `bson:"was_id,omitempty"`    // user ids it had before, which still lead here: messages may be late

	entry *entry // of the address book, which it is a part of
}

type personName struct {
	ID      string `bson:"_id"` // channel/name, which is a keyed hash
	Version int64  `bson:"v"`
	Chat    string `bson:"chat"`             // empty: nobody's now
	Former  string `bson:"former,omitempty"` // the chat that it led to before
}

// Left is called for a chat whose number is another chat's from now on: after nothing is sent there any more, and before the
// other chat has the number. It may be called again for the same chat. An error ends what called it, to be done again.
type Left func(ctx context.Context, chat string) error

func newPeople(engine Engine, book *AddressBook) *PeopleTable {
	return &PeopleTable{
		book:     book,
		names:    NewDocuments(engine, Names, func(n *personName) (*string, *int64) { return &n.ID, &n.Version }),
		contacts: contactBook{book},
	}
}

// KnownBy is what a person goes by on a channel. Either may be empty.
type KnownBy struct{ Phone, UserID string }

// fits says whether a message by those names may be the person's. A chat that was claimed a moment ago is of whoever comes.
func (c Contact) fits(who KnownBy) bool {
	switch {
	case c.Version == 0:
		return true
	case who.UserID != "" && who.UserID == c.UserID:
		return who.Phone == "" || who.Phone != c.Lost
	case who.UserID != "" && c.UserID != "" && !slices.Contains(c.WasID, who.UserID):
		return false
	}
	return who.Phone == c.Phone
}

// isPast says that a message by those names was on its way while the person had them: they have others now.
func (c Contact) isPast(who KnownBy) bool {
	return who.UserID != c.UserID && slices.Contains(c.WasID, who.UserID) || who.Phone != "" && who.Phone == c.Lost
}

// isLeft says that what the chat was reached by was taken from it, and that it has no other number.
func (c Contact) isLeft() bool { return c.Lost != "" && c.Phone == "" }

// became says that these names are the person's already, or complete them.
func (c Contact) became(to KnownBy) bool {
	return c.Phone == to.Phone && (c.UserID == to.UserID || c.UserID == "")
}

// rename has the person go by other names, and remembers those before.
func (c *Contact) rename(to KnownBy) {
	if c.Phone != "" && c.Phone != to.Phone && !slices.Contains(c.WasPhone, c.Phone) {
		c.WasPhone = append(slices.Clip(c.WasPhone), c.Phone)
	}
	if c.UserID != "" && c.UserID != to.UserID && !slices.Contains(c.WasID, c.UserID) {
		c.WasID = append(slices.Clip(c.WasID), c.UserID)
	}
	c.Phone, c.UserID = to.Phone, to.UserID
}

// led is where a name leads.
type led struct {
	by      string
	name    personName // of version 0: it is nobody's yet
	contact Contact    // of the chat that stands in the name
	chat    string     // that chat, if the person still goes by the name
	taken   bool       // the name was taken from that chat, and has not got to another yet
}

// leadsTo says that the name leads to a chat, or that there is no name.
func (l led) leadsTo(chat string) bool { return l.name.ID == "" || l.name.Chat == chat }

// follow reads where a person's names lead.
func (t *PeopleTable) follow(ctx context.Context, channel string, who KnownBy) (byID, byPhone led, err error) {
	byID.by, byPhone.by = who.UserID, who.Phone
	for _, l := range []*led{&byID, &byPhone} {
		if l.by == "" {
			continue
		}
		if l.name, err = t.names.Load(ctx, t.book.nameID(channel, l.by)); err != nil {
			return byID, byPhone, fmt.Errorf("find person: %w", err)
		}
		switch chat := l.name.Chat; {
		case chat == "":
			continue
		case chat == byID.name.Chat && l != &byID:
			l.contact = byID.contact
		default:
			if l.contact, err = t.contacts.Load(ctx, channel+":"+chat); err != nil {
				return byID, byPhone, fmt.Errorf("load contact: %w", err)
			}
		}
		c := l.contact
		goes := c.Phone == l.by || c.UserID == l.by
		l.taken = c.Lost == l.by && !goes
		if c.Version == 0 || goes || !l.taken && slices.Contains(c.WasID, l.by) {
			l.chat = l.name.Chat
		}
	}
	return byID, byPhone, nil
}

// again does something until nobody else was first.
func again(do func() error) error {
	for {
		if err := do(); !errors.Is(err, ErrConflict) {
			return err
		}
	}
}

// Find returns the chat of whoever goes by these names, and makes one when nobody does. A name that is missing is not
// forgotten by that; one that is new is learned.
//
// Where the number is a chat's with another user id, or the two lead to two chats, the user id decides, and the number is
// taken from the other chat: see Left. A message that was on its way while its sender's names changed goes to the chat it
// was written in and changes nothing.
func (t *PeopleTable) Find(ctx context.Context, channel string, who KnownBy, left Left) (chat string, err error) {
	err = again(func() error {
		chat, err = t.find(ctx, channel, who, left)
		return err
	})
	return chat, err
}

func (t *PeopleTable) find(ctx context.Context, channel string, who KnownBy, left Left) (string, error) {
	byID, byPhone, err := t.follow(ctx, channel, who)
	if err != nil {
		return "", err
	}
	if byID.chat != "" && byID.chat != byPhone.chat && byID.contact.isPast(who) {
		return byID.chat, nil
	}
	sure := false // that the chat's contact is as it was read
	if other := byPhone.contact; byPhone.chat != "" && byPhone.chat != byID.chat && other.Version > 0 && (byID.chat != "" || !other.fits(who)) {
		if err := t.prepare(ctx, channel, who, &byID); err != nil {
			return "", err
		}
		sure = true
		if err := t.take(ctx, &byPhone); err != nil {
			return "", err
		}
	}
	for _, l := range []led{byID, byPhone} {
		if err := l.leave(ctx, left); err != nil {
			return "", err
		}
	}
	chat, contact, err := t.theirs(ctx, channel, who, byID, byPhone)
	if err != nil {
		return "", err
	}
	before, claimed := contact.Phone, contact.Version > 0
	if claimed { // first, as it decides whose the names are
		read := contact.Version
		if err := t.learn(ctx, &contact, who); err != nil {
			return "", err
		}
		if !sure && contact.Version == read && !(byID.leadsTo(chat) && byPhone.leadsTo(chat)) {
			if err := t.save(ctx, &contact); err != nil { // no name comes to a chat from which it was taken meanwhile
				return "", err
			}
		}
	}
	if err := errors.Join(t.lead(ctx, &byID.name, chat), t.lead(ctx, &byPhone.name, chat)); err != nil {
		return "", err
	}
	if !claimed {
		return chat, t.learn(ctx, &contact, who)
	}
	if contact.entry.Came > 0 {
		if err := t.book.comesTo(ctx, &contact); err != nil {
			return "", err
		}
	}
	if before != contact.Phone {
		return chat, t.giveUp(ctx, channel, before, chat)
	}
	return chat, nil
}

// theirs is the chat that the names lead to, the user id first, or a new one.
func (t *PeopleTable) theirs(ctx context.Context, channel string, who KnownBy, byID, byPhone led) (string, Contact, error) {
	switch {
	case byID.chat != "":
		return byID.chat, byID.contact, nil
	case byPhone.chat != "":
		return byPhone.chat, byPhone.contact, nil
	}
	return t.free(ctx, channel, who)
}

// prepare makes sure of the chat that a number is about to be taken for: its user id leads there, and what the person is called is
// as it was read. Else the number was taken from it since, and is the other's: ErrConflict.
func (t *PeopleTable) prepare(ctx context.Context, channel string, who KnownBy, own *led) (err error) {
	if own.chat == "" {
		if own.chat, own.contact, err = t.free(ctx, channel, who); err != nil {
			return err
		}
		if err := t.lead(ctx, &own.name, own.chat); err != nil {
			return err
		}
	}
	own.contact.UserID = who.UserID
	return t.save(ctx, &own.contact)
}

// take takes a name from the chat that it leads to: nothing goes there any more. A chat whose user id is taken has no name
// left: its person has another chat.
func (t *PeopleTable) take(ctx context.Context, l *led) error {
	c := l.contact
	if rest := (KnownBy{UserID: c.UserID}); c.UserID == l.by {
		c.UserID = ""
		c.rename(KnownBy{})
	} else {
		c.rename(rest)
	}
	c.Lost = l.by
	if err := t.save(ctx, &c); err != nil {
		return err
	}
	l.contact, l.chat, l.taken = c, "", true
	return nil
}

// leave tells that the chat's number was taken, if it was.
func (l led) leave(ctx context.Context, left Left) error {
	if !l.taken || !l.contact.isLeft() {
		return nil
	}
	return left(ctx, l.name.Chat)
}

// learn notes what a message shows of its sender's names.
func (t *PeopleTable) learn(ctx context.Context, c *Contact, who KnownBy) error {
	if !c.fits(who) {
		return ErrConflict // they were another's in the meantime
	}
	now := KnownBy{c.Phone, c.UserID}
	if who.Phone != "" {
		now.Phone = who.Phone
	}
	if now.UserID == "" {
		now.UserID = who.UserID
	}
	if hidden := who.Phone == ""; now != (KnownBy{c.Phone, c.UserID}) || hidden != c.Hidden {
		c.rename(now)
		c.Hidden = hidden
		return t.save(ctx, c)
	}
	return nil
}

// Move has the chat of whoever went by the names [from] go by those of [to], because the channel says that it is the same
// person. A number that was given up leads nowhere from now on: it may be somebody else's tomorrow. A chat that has one of
// the new names loses it: see Left. Doing it again changes nothing, also when those names are others' meanwhile.
//
// What names no user id, of a number that has been in several hands, may be late and of somebody before. Then nobody moves, and
// the number leads nowhere.
func (t *PeopleTable) Move(ctx context.Context, channel string, from, to KnownBy, left Left) error {
	return again(func() error { return t.move(ctx, channel, from, to, left) })
}

func (t *PeopleTable) move(ctx context.Context, channel string, from, to KnownBy, left Left) error {
	byID, byPhone, err := t.follow(ctx, channel, from)
	if err != nil {
		return err
	}
	moves, doubtful := mover(byID, byPhone, from, to)
	switch {
	case doubtful:
		return t.cutOff(ctx, channel, byPhone, left)
	case moves.name.Chat == "":
		return nil
	}
	chat, c := moves.name.Chat, moves.contact
	toID, toPhone, err := t.follow(ctx, channel, to)
	if err != nil {
		return err
	}
	for _, l := range []*led{&toID, &toPhone} {
		switch {
		case l.name.Chat == "" || l.name.Chat == chat, l == &toPhone && toID.taken && l.name.Chat == toID.name.Chat:
			continue
		case l.chat != "" && c.isLeft():
			return nil // they went on in another chat, and nothing of this one is left
		case l.chat != "" && l.contact.Version > 0:
			if err := t.take(ctx, l); err != nil {
				return err
			}
		}
		if err := l.leave(ctx, left); err != nil {
			return err
		}
	}
	now := to
	if now.UserID == "" && (to.Phone == "" || to.Phone == c.Phone) { // a new number makes a new user id
		now.UserID = c.UserID
	}
	before := c.Phone
	c.rename(now)
	if from.UserID != "" && from.UserID != c.UserID && !slices.Contains(c.WasID, from.UserID) {
		c.WasID = append(slices.Clip(c.WasID), from.UserID)
	}
	c.Hidden, c.Lost = to.Phone == "", ""
	if err := t.save(ctx, &c); err != nil {
		return err
	}
	if err := errors.Join(t.lead(ctx, &toID.name, chat), t.lead(ctx, &toPhone.name, chat)); err != nil {
		return err
	}
	if from.UserID != to.UserID {
		if err := t.lead(ctx, &byID.name, chat); err != nil {
			return err
		}
	}
	return t.giveUpBut(ctx, channel, chat, c.Phone, before, from.Phone)
}

// giveUpBut has numbers lead nowhere, but for the one that is the chat's now.
func (t *PeopleTable) giveUpBut(ctx context.Context, channel, chat, now string, phones ...string) error {
	for _, phone := range phones {
		if phone == now {
			continue
		}
		if err := t.giveUp(ctx, channel, phone, chat); err != nil {
			return err
		}
	}
	return nil
}

// mover is the chat that moves from one's names to others; doubtful says that it may be of somebody before, who had the
// number too.
func mover(byID, byPhone led, from, to KnownBy) (moves led, doubtful bool) {
	switch c := byPhone.contact; {
	case byID.chat != "":
		if c := byID.contact; from.UserID == c.UserID || c.Version == 0 || c.became(to) {
			return byID, false
		}
		return led{}, false // they have moved on since
	case from.UserID != "" && c.UserID != "" && from.UserID != c.UserID:
		return led{}, false // the number is another's by now
	case byPhone.chat != "" && from.UserID != "" && from.UserID == c.UserID:
		return byPhone, false
	case byPhone.chat != "", byPhone.taken:
		return byPhone, byPhone.name.Former != "" || byPhone.taken
	case byPhone.name.Chat != "" && slices.Contains(c.WasPhone, from.Phone) && c.became(to):
		return byPhone, false // it was begun
	}
	return led{}, false
}

// cutOff takes a number from a chat, for nobody. A chat that has a user id goes on under that.
func (t *PeopleTable) cutOff(ctx context.Context, channel string, l led, left Left) error {
	switch {
	case l.taken:
	case l.contact.UserID == "":
		if err := t.take(ctx, &l); err != nil {
			return err
		}
	default:
		c := l.contact
		c.rename(KnownBy{UserID: c.UserID})
		if err := t.save(ctx, &c); err != nil {
			return err
		}
	}
	if err := l.leave(ctx, left); err != nil {
		return err
	}
	return t.giveUp(ctx, channel, l.by, l.name.Chat)
}

// Led is the chat to which a name leads, or last led; "" when it is nobody's.
func (t *PeopleTable) Led(ctx context.Context, channel, name string) (chat string, err error) {
	n, err := t.names.Load(ctx, t.book.nameID(channel, name))
	if err != nil {
		return "", fmt.Errorf("find name: %w", err)
	}
	return cmp.Or(n.Chat, n.Former), nil
}

// Address returns what the person of a chat is called now: the phone number, unless the last message came without it. A number
// that does not lead to the chat is not theirs: it was being learned when a process died, and is perhaps another's since.
func (t *PeopleTable) Address(ctx context.Context, channel, chat string) (phone, userID string, err error) {
	c, err := t.contacts.Load(ctx, channel+":"+chat)
	if err != nil {
		return "", "", fmt.Errorf("find address: %w", err)
	}
	if c.Hidden && c.UserID != "" || c.Phone == "" {
		return "", c.UserID, nil
	}
	n, err := t.names.Load(ctx, t.book.nameID(channel, c.Phone))
	switch {
	case err != nil:
		return "", "", fmt.Errorf("find address: %w", err)
	case n.Chat != chat:
		return "", c.UserID, nil
	}
	return c.Phone, c.UserID, nil
}

// Forget has [remove] remove a conversation, and then drops its entry in the address book and the names that lead there. It
// stays when remove says that somebody wrote meanwhile, or somebody does; and its key, without the address, as long as lines or messages
// are kept that it opens.
func (t *PeopleTable) Forget(ctx context.Context, channel, chat string, remove func() (removed bool, err error)) (bool, error) {
	e, err := t.book.ending(ctx, channel+":"+chat)
	if err != nil {
		return false, err
	}
	if removed, err := remove(); err != nil || !removed || e.Version == 0 {
		return removed, err
	}
	for _, id := range e.Names {
		n, found, err := t.names.Find(ctx, id)
		if err != nil {
			return true, fmt.Errorf("find name: %w", err)
		}
		if !found || n.Chat != chat && (n.Chat != "" || n.Former != chat) {
			continue
		}
		if err := t.names.Delete(ctx, n.ID, n.Version); err != nil && !errors.Is(err, ErrConflict) {
			return true, fmt.Errorf("forget name: %w", err)
		}
	}
	if opens, err := t.book.opens(ctx, e.ID); err != nil {
		return true, err
	} else if opens {
		return true, t.book.endAddress(ctx, e)
	}
	return true, t.book.end(ctx, e)
}

// ForgetStrays drops the entries of which nothing else is kept any more: what their keys opened has gone meanwhile, or a process died
// between the two.
func (t *PeopleTable) ForgetStrays(ctx context.Context) error {
	var marked []string
	err := t.book.entries.each(ctx, Query{}, func(e storedEntry) bool {
		if e.Ends {
			marked = append(marked, e.ID)
		}
		return true
	})
	if err != nil {
		return fmt.Errorf("find what is left in the address book: %w", err)
	}
	for _, id := range marked {
		channel, chat := bot.SplitConversationID(id)
		_, err := t.Forget(ctx, channel, chat, func() (bool, error) {
			_, err := t.book.entries.engine.Get(ctx, Conversations, id)
			return errors.Is(err, ErrNotFound), ignoring(err, ErrNotFound)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// MarkStrays marks the entries that there is no conversation to, for ForgetStrays to drop an hour later: no turn came of what somebody
// wrote, or an earlier version kept something longer than the conversation. Whoever writes meanwhile takes the mark off. It reads the
// whole book.
func (t *PeopleTable) MarkStrays(ctx context.Context) error {
	for from := ""; ; {
		var ids []string
		err := t.book.entries.each(ctx, Query{From: from, Limit: purgeOnce}, func(e storedEntry) bool {
			ids = append(ids, e.ID)
			return true
		})
		if err != nil {
			return fmt.Errorf("read the address book: %w", err)
		}
		if len(ids) == 0 {
			return nil
		}
		from = ids[len(ids)-1] + "\x00"
		there := map[string]bool{}
		q := Query{Collection: Conversations, From: ids[0], To: from, Only: []string{VersionField}}
		err = unopened(t.book.entries.engine).Scan(ctx, q, func(doc bson.Raw) bool {
			id, _ := DocumentID(doc)
			there[id] = true
			return true
		})
		if err != nil {
			return fmt.Errorf("read which conversations there are: %w", err)
		}
		for _, id := range ids {
			if there[id] {
				continue
			}
			if _, err := t.book.ending(ctx, id); err != nil {
				return fmt.Errorf("mark an entry of the address book: %w", err)
			}
		}
	}
}

// ignoring is err unless it is [known].
func ignoring(err, known error) error {
	if errors.Is(err, known) {
		return nil
	}
	return err
}

// free is a new chat: named by its person, unless that was a chat's name already.
func (t *PeopleTable) free(ctx context.Context, channel string, who KnownBy) (chat string, c Contact, err error) {
	first := who.Phone
	if first == "" {
		first = who.UserID
	}
	for name, n := first, 2; ; name, n = fmt.Sprintf("%s.%d", first, n), n+1 {
		chat = t.book.Name(channel, name)
		if c, err = t.contacts.Load(ctx, channel+":"+chat); err != nil {
			return "", c, fmt.Errorf("find chat: %w", err)
		}
		if c.Version == 0 || c.Lost == "" && who == (KnownBy{c.Phone, c.UserID}) {
			return chat, c, nil
		}
	}
}

// lead has a name lead to a chat. ErrConflict when it leads elsewhere since it was read.
func (t *PeopleTable) lead(ctx context.Context, n *personName, chat string) error {
	if n.ID == "" || n.Chat == chat {
		return nil
	}
	if n.Chat != "" {
		n.Former = n.Chat
	}
	n.Chat = chat
	if err := t.names.Save(ctx, n); err != nil {
		return fmt.Errorf("claim name: %w", err)
	}
	return nil
}

// giveUp has a name that led to a chat lead nowhere. That it did is remembered as long as the chat.
func (t *PeopleTable) giveUp(ctx context.Context, channel, name, chat string) error {
	if name == "" {
		return nil
	}
	n, found, err := t.names.Find(ctx, t.book.nameID(channel, name))
	if err != nil {
		return fmt.Errorf("find name: %w", err)
	}
	if !found || n.Chat != chat {
		return nil
	}
	return t.lead(ctx, &n, "")
}

func (t *PeopleTable) save(ctx context.Context, c *Contact) error {
	if err := t.contacts.Save(ctx, c); err != nil {
		return fmt.Errorf("keep what a person is called: %w", err)
	}
	return nil
}
