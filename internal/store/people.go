package store

import (
	"context"
	"errors"
	"fmt"
)

// PeopleTable finds the chat of a person on a channel where a person has two names, a phone number and a user id, either of
// which may be missing, appear or change. A chat is named once, by the first name its person was known by, and keeps it.
//
// A name is a document that leads to a chat. It is claimed by inserting it, so two processes never make two chats of one
// new person. What the person is called now is a document of the chat.
type PeopleTable struct {
	names    *Documents[personName]
	contacts *Documents[Contact]
}

// Contact is how the person of a chat is called now.
type Contact struct {
	ID      string `bson:"_id"` // channel:chat
	Version int64  `bson:"v"`
	Phone   string `bson:"phone,omitempty"`
	UserID  string `bson:"user_id,omitempty"`
	Hidden  bool   `bson:"hidden,omitempty"` // the last message came without the phone number
}

type personName struct {
	ID      string `bson:"_id"` // channel/name
	Version int64  `bson:"v"`
	Chat    string `bson:"chat"`
}

func newPeople(engine Engine) *PeopleTable {
	return &PeopleTable{
		names:    NewDocuments(engine, Names, func(n *personName) (*string, *int64) { return &n.ID, &n.Version }),
		contacts: NewDocuments(engine, Contacts, func(c *Contact) (*string, *int64) { return &c.ID, &c.Version }),
	}
}

// Find returns the chat of whoever goes by one of the names, and makes one when nobody does. Either name may be empty.
// Where the two lead to different chats the user id's is kept: it is the one that does not change hands. A name that one of
// them replaces leads nowhere from now on.
func (t *PeopleTable) Find(ctx context.Context, channel, phone, userID string) (chat string, err error) {
	for {
		byID, err := t.chatOf(ctx, channel, userID)
		if err != nil {
			return "", err
		}
		byPhone, err := t.chatOf(ctx, channel, phone)
		if err != nil {
			return "", err
		}
		switch {
		case byID != "":
			chat = byID
		case byPhone != "":
			chat = byPhone
		default:
			if chat, err = t.free(ctx, channel, phone, userID); err != nil {
				return "", err
			}
		}
		err = errors.Join(t.lead(ctx, channel, userID, byID, chat), t.lead(ctx, channel, phone, byPhone, chat))
		if errors.Is(err, ErrConflict) {
			continue // another process was first: its chat is theirs
		}
		if err != nil {
			return "", err
		}
		var was Contact
		err = t.call(ctx, channel, chat, func(c *Contact) {
			was = *c
			c.Hidden = phone == ""
			if phone != "" {
				c.Phone = phone
			}
			if userID != "" {
				c.UserID = userID
			}
		})
		if err == nil && phone != "" && was.Phone != phone {
			err = t.leave(ctx, channel, was.Phone, chat)
		}
		if err == nil && userID != "" && was.UserID != userID {
			err = t.leave(ctx, channel, was.UserID, chat)
		}
		return chat, err
	}
}

// leave has a name that was replaced without a word lead nowhere: it may be somebody else's tomorrow.
func (t *PeopleTable) leave(ctx context.Context, channel, name, chat string) error {
	leads, err := t.chatOf(ctx, channel, name)
	if err != nil || leads != chat || name == "" {
		return err
	}
	if err := t.names.Delete(ctx, channel+"/"+name, -1); err != nil {
		return fmt.Errorf("forget name: %w", err)
	}
	return nil
}

// KnownBy is what a person goes by on a channel. Either may be empty.
type KnownBy struct{ Phone, UserID string }

// Move has the chat of whoever goes by one of the names [from] go by those of [to]. An old name without a new one of its sort
// leads nowhere from now on: it may be somebody else's tomorrow. Doing it again changes nothing.
func (t *PeopleTable) Move(ctx context.Context, channel string, from, to KnownBy) error {
	for {
		chat := ""
		for _, name := range []string{from.UserID, from.Phone} {
			if chat == "" {
				var err error
				if chat, err = t.chatOf(ctx, channel, name); err != nil {
					return err
				}
			}
		}
		if chat == "" {
			return nil // nobody we know, or moved already
		}
		var problems []error
		for _, name := range []string{to.Phone, to.UserID} {
			now, err := t.chatOf(ctx, channel, name)
			problems = append(problems, err, t.lead(ctx, channel, name, now, chat))
		}
		err := errors.Join(problems...)
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err == nil {
			err = t.call(ctx, channel, chat, func(c *Contact) {
				c.Phone, c.Hidden = to.Phone, to.Phone == ""
				if to.UserID != "" || from.UserID != "" {
					c.UserID = to.UserID
				}
			})
		}
		for _, name := range []string{from.Phone, from.UserID} { // last, so that a crash before finds the chat again
			if err == nil && name != "" && name != to.Phone && name != to.UserID {
				err = t.names.Delete(ctx, channel+"/"+name, -1)
			}
		}
		return err
	}
}

// Address returns what the person of a chat is called now: the phone number, unless the last message came without it.
func (t *PeopleTable) Address(ctx context.Context, channel, chat string) (phone, userID string, err error) {
	c, err := t.contacts.Load(ctx, channel+":"+chat)
	if err != nil {
		return "", "", fmt.Errorf("find address: %w", err)
	}
	if c.Hidden && c.UserID != "" {
		return "", c.UserID, nil
	}
	return c.Phone, c.UserID, nil
}

// Forget drops what a chat's person was called, once nothing else is kept of the chat.
func (t *PeopleTable) Forget(ctx context.Context, channel, chat string) error {
	c, found, err := t.contacts.Find(ctx, channel+":"+chat)
	if err != nil || !found {
		return err
	}
	for _, name := range []string{c.Phone, c.UserID} {
		if err := t.leave(ctx, channel, name, chat); err != nil {
			return err
		}
	}
	if err := t.contacts.Delete(ctx, c.ID, c.Version); err != nil && !errors.Is(err, ErrConflict) {
		return fmt.Errorf("forget contact: %w", err)
	}
	return nil // changed meanwhile: they write again
}

func (t *PeopleTable) chatOf(ctx context.Context, channel, name string) (string, error) {
	if name == "" {
		return "", nil
	}
	n, _, err := t.names.Find(ctx, channel+"/"+name)
	if err != nil {
		return "", fmt.Errorf("find person: %w", err)
	}
	return n.Chat, nil
}

// free is the name of a new chat: the person's, unless somebody who has another name now made a chat of it.
func (t *PeopleTable) free(ctx context.Context, channel, phone, userID string) (string, error) {
	name := phone
	if name == "" {
		name = userID
	}
	for chat, n := name, 2; ; chat, n = fmt.Sprintf("%s.%d", name, n), n+1 {
		c, found, err := t.contacts.Find(ctx, channel+":"+chat)
		if err != nil {
			return "", fmt.Errorf("find chat: %w", err)
		}
		if !found || c.Phone == phone && c.UserID == userID {
			return chat, nil
		}
	}
}

// lead has a name lead to a chat. [now] is where it led when it was read; ErrConflict when it leads elsewhere meanwhile.
func (t *PeopleTable) lead(ctx context.Context, channel, name, now, chat string) error {
	if name == "" || now == chat {
		return nil
	}
	n, found, err := t.names.Find(ctx, channel+"/"+name)
	switch {
	case err != nil:
		return fmt.Errorf("claim name: %w", err)
	case !found:
		n.ID = channel + "/" + name
	case n.Chat != now:
		return ErrConflict
	}
	n.Chat = chat
	if err := t.names.Save(ctx, &n); err != nil {
		return fmt.Errorf("claim name: %w", err)
	}
	return nil
}

// call changes what the person of a chat is called.
func (t *PeopleTable) call(ctx context.Context, channel, chat string, change func(*Contact)) error {
	for {
		c, err := t.contacts.Load(ctx, channel+":"+chat)
		if err != nil {
			return fmt.Errorf("load contact: %w", err)
		}
		before := c
		if change(&c); c == before {
			return nil
		}
		if err = t.contacts.Save(ctx, &c); !errors.Is(err, ErrConflict) {
			return err
		}
	}
}
