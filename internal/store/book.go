package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/bot"
	"llave/internal/secret"
)

// AddressBook is the one place that knows who a chat is with: everywhere else it goes by a keyed hash (P720). An entry holds what the
// channel calls the chat, or what its person is called now (Contact), and the key under which all is sealed that the person wrote
// (P721). It is sealed itself. Erasing replaces the key and drops the address: see Store.EraseChat.
//
// Without a vault, which only tests and commands are that read no chats, nothing is hashed or sealed.
type AddressBook struct {
	vault   *secret.Vault
	entries *Documents[storedEntry]
	now     func(ctx context.Context) (time.Time, error)

	mu   sync.Mutex
	keys map[string]heldKeys // by chat
	back map[string][]int64  // of chats that were erased: what came and was not heard yet (content.Came)
}

// heldKeys are a chat's keys, and its address, as they were a moment ago.
type heldKeys struct {
	key, next secret.ChatKey
	chat      string    // "": not known here
	version   int64     // of the entry
	read      time.Time // by this process's clock
}

// How long, and of how many chats, keys are believed without looking again. One that was destroyed meanwhile seals nothing that can be
// read: a conversation is only replaced as it was read, so who is late reads it again, and with it the key.
const (
	keysHeld = 2 * time.Second
	keysMost = 20_000
)

// storedEntry is an entry as it lies in the store.
type storedEntry struct {
	ID      string   `bson:"_id"` // the conversation's
	Version int64    `bson:"v"`
	Names   []string `bson:"names,omitempty"` // hashes of names that lead here
	Ends    bool     `bson:"ends,omitempty"`  // nothing else is kept of the chat: whoever writes takes this back
	Sealed  []byte   `bson:"sealed,omitempty"`
	Open    *content `bson:"open,omitempty"` // without a vault
}

// content is what an entry holds.
type content struct {
	Key     []byte    `bson:"key,omitempty"`
	Next    []byte    `bson:"next,omitempty"` // while the chat is erased: what everything is written under already
	Born    time.Time `bson:"born,omitempty"` // when the key was made; of Next, where there is one
	Chat    string    `bson:"chat,omitempty"` // what the channel calls it; empty: the person has names
	Known   bool      `bson:"known,omitempty"`
	Contact `bson:",inline"`
	Came    int64  `bson:"came,omitempty"`    // once the chat was erased, and until its person is heard: 1, and one more for each thing that came
	Carried string `bson:"carried,omitempty"` // digest of the document of an earlier version that the conversation was made from
}

// entry is one that was opened.
type entry struct {
	storedEntry
	content
}

func newBook(engine Engine, v *secret.Vault) *AddressBook {
	return &AddressBook{
		vault: v, entries: NewDocuments(engine, Book, func(e *storedEntry) (*string, *int64) { return &e.ID, &e.Version }),
		now: engine.Now, keys: map[string]heldKeys{}, back: map[string][]int64{},
	}
}

// named is what the name of a chat begins with. No channel's own does.
const named = "~"

// nameSize is how much of a hash names a chat: 132 bits.
const nameSize = 22

// Name is what a chat is called everywhere but in the book.
func (b *AddressBook) Name(channel, chat string) string {
	if b.vault == nil {
		return chat
	}
	return chatName(b.vault, channel, chat)
}

func chatName(v *secret.Vault, channel, chat string) string {
	return named + v.Hash("chat", channel+":"+chat)[:nameSize]
}

// ConversationName is the id of a conversation, whatever version gave it.
func ConversationName(v *secret.Vault, id string) string {
	channel, chat := bot.SplitConversationID(id)
	if chat == "" || strings.HasPrefix(chat, named) {
		return id
	}
	return bot.ConversationID(channel, chatName(v, channel, chat))
}

// Conv is ConversationName.
func (b *AddressBook) Conv(id string) string {
	if b.vault == nil {
		return id
	}
	return ConversationName(b.vault, id)
}

// Message is what a message of a channel's is called here whose own id tells whom it is from: WhatsApp's hold the telephone number.
func (b *AddressBook) Message(id string) string {
	if b.vault == nil || !strings.HasPrefix(id, tellingIDs) {
		return id
	}
	return named + b.vault.Hash("message", id)[:nameSize]
}

// Update is what the id of an update is called here that stands in the key of a turn, perhaps with something behind it.
func (b *AddressBook) Update(id string) string {
	message, more, found := strings.Cut(id, "/")
	if message = b.Message(message); found {
		message += "/" + more
	}
	return message
}

// tellingIDs is what such ids begin with.
const tellingIDs = "wamid."

// Teller is what a chat is called beside the sentences that were not understood.
func (b *AddressBook) Teller(conv string) string { return b.vault.Hash("unheard/chat", conv) }

// Enter is the name of a chat that somebody writes in, which has an entry from then on.
func (b *AddressBook) Enter(ctx context.Context, channel, chat string) (name string, err error) {
	name = b.Name(channel, chat)
	if b.vault == nil {
		return name, nil
	}
	id := bot.ConversationID(channel, name)
	err = again(func() error {
		e, err := b.load(ctx, id)
		if err != nil || e.Chat == chat && !e.Ends && e.Came == 0 {
			return err
		}
		came := e.comes(e.Chat != "")
		e.Chat, e.Ends = chat, false
		return b.saveCame(ctx, &e, came)
	})
	if err != nil {
		return "", fmt.Errorf("enter a chat: %w", err)
	}
	return name, nil
}

// Chat is what a channel calls the chat of that name; "" when nobody is there any more. Who has just written is answered there, whatever
// becomes of the entry meanwhile.
func (b *AddressBook) Chat(ctx context.Context, channel, name string) (string, error) {
	if b.vault == nil || !strings.HasPrefix(name, named) {
		return name, nil
	}
	id := bot.ConversationID(channel, name)
	if h, ok := b.held(id); ok && h.chat != "" {
		return h.chat, nil
	}
	e, err := b.load(ctx, id)
	if err != nil {
		return "", fmt.Errorf("find a chat's address: %w", err)
	}
	return e.Chat, nil
}

// Pseudonym is what something of a conversation is called where it is kept after the chat is erased: nobody can tell then of whom
// it is.
func (b *AddressBook) Pseudonym(ctx context.Context, conv, label, of string) (string, error) {
	if b.vault == nil {
		return of, nil
	}
	h, ok := b.held(conv)
	if !ok || h.key.IsZero() {
		if _, err := b.sealing(ctx, conv, true); err != nil {
			return "", err
		}
		h, _ = b.held(conv)
	}
	return label + "/" + h.key.Pseudonym(label, of), nil // while it is erased too by the key of before: what is told again is the same
}

// load reads the entry of a conversation; of version 0 when there is none.
func (b *AddressBook) load(ctx context.Context, id string) (e entry, err error) {
	if e.storedEntry, err = b.entries.Load(ctx, id); err != nil {
		return e, fmt.Errorf("read the address book: %w", err)
	}
	if e.content, err = b.open(e.storedEntry); err == nil && e.Version > 0 {
		b.hold(id, e)
	}
	return e, err
}

func (b *AddressBook) open(s storedEntry) (c content, err error) {
	switch {
	case s.Open != nil:
		return *s.Open, nil
	case len(s.Sealed) == 0:
		return c, nil
	}
	plain, err := b.vault.OpenAt(secret.BookEntry.Of(s.ID), s.Sealed)
	if err == nil {
		err = bson.Unmarshal(plain, &c)
	}
	if err != nil {
		return c, fmt.Errorf("open an entry of the address book: %w", err)
	}
	return c, nil
}

// save stores an entry as Documents.Save does. One that has no key gets it.
func (b *AddressBook) save(ctx context.Context, e *entry) error {
	if len(e.Key) == 0 && b.vault != nil {
		now, err := b.now(ctx)
		if err != nil {
			return fmt.Errorf("read the store's clock: %w", err)
		}
		e.Key, e.Born = secret.NewChatKey().Bytes(), now
	}
	if b.vault == nil {
		open := e.content
		e.Open = &open
	} else {
		plain, err := bson.Marshal(e.content)
		if err != nil {
			return fmt.Errorf("seal an entry of the address book: %w", err)
		}
		e.Sealed = b.vault.SealAt(secret.BookEntry.Of(e.ID), plain)
	}
	if err := b.entries.Save(ctx, &e.storedEntry); err != nil {
		b.drop(e.ID)
		return err
	}
	b.hold(e.ID, *e)
	return nil
}

func (b *AddressBook) hold(id string, e entry) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.keys[id].version > e.storedEntry.Version {
		return // it was read before somebody else wrote it
	}
	if len(b.keys) >= keysMost {
		clear(b.keys)
	}
	b.keys[id] = heldKeys{secret.ChatKeyOf(e.Key), secret.ChatKeyOf(e.Next), e.Chat, e.storedEntry.Version, time.Now()}
}

// drop has the keys be read again.
func (b *AddressBook) drop(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if h, ok := b.keys[id]; ok {
		b.keys[id] = heldKeys{version: h.version}
	}
}

func (b *AddressBook) held(id string) (heldKeys, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	h, ok := b.keys[id]
	return h, ok && time.Since(h.read) < keysHeld
}

// sealing is the key under which something of a conversation is written now. A chat that has none gets it. [anew] has it read again:
// where there was nothing of the chat, its entry may be about to go.
func (b *AddressBook) sealing(ctx context.Context, id string, anew bool) (k secret.ChatKey, err error) {
	h, ok := b.held(id)
	if anew || !ok || h.key.IsZero() {
		err = again(func() error {
			e, err := b.load(ctx, id)
			if err == nil && (len(e.Key) == 0 || e.Ends) {
				e.Ends = false
				err = b.save(ctx, &e)
			}
			if err == nil {
				h = heldKeys{key: secret.ChatKeyOf(e.Key), next: secret.ChatKeyOf(e.Next)}
			}
			return err
		})
		if err != nil {
			return k, fmt.Errorf("find a chat's key: %w", err)
		}
	}
	if !h.next.IsZero() {
		return h.next, nil
	}
	return h.key, nil
}

// opening is the key of a conversation with that id; false when it was destroyed.
func (b *AddressBook) opening(ctx context.Context, conv, keyID string) (k secret.ChatKey, found bool, err error) {
	fits := func(h heldKeys) bool {
		for _, k = range []secret.ChatKey{h.next, h.key} {
			if !k.IsZero() && k.ID() == keyID {
				return true
			}
		}
		return false
	}
	if h, ok := b.held(conv); ok && fits(h) {
		return k, true, nil
	}
	e, err := b.load(ctx, conv)
	if err != nil {
		return k, false, err
	}
	found = fits(heldKeys{key: secret.ChatKeyOf(e.Key), next: secret.ChatKeyOf(e.Next)})
	return k, found, nil
}

// ending marks an entry that is about to go, and returns it; of version 0 when there is none. Whoever writes in the chat meanwhile takes
// the mark off.
func (b *AddressBook) ending(ctx context.Context, conv string) (e entry, err error) {
	err = again(func() error {
		if e, err = b.load(ctx, conv); err != nil || e.Version == 0 || e.Ends {
			return err
		}
		e.Ends = true
		return b.save(ctx, &e)
	})
	return e, err
}

// opens says whether anything is kept beside a conversation that its key opens.
func (b *AddressBook) opens(ctx context.Context, conv string) (bool, error) {
	for _, collection := range []string{Lines, Deliveries, Drafts} {
		n, err := b.entries.engine.Count(ctx, Query{Collection: collection, Field: "conv", From: conv, To: conv + "\x00"})
		if err != nil || n > 0 {
			return n > 0, err
		}
	}
	return false, nil
}

// endAddress drops the address of an entry that was marked, unless somebody has written meanwhile.
func (b *AddressBook) endAddress(ctx context.Context, e entry) error {
	if e.Chat == "" && !e.Known {
		return nil
	}
	e.letGo()
	return ignoring(b.save(ctx, &e), ErrConflict)
}

// end removes an entry that was marked, unless somebody has written meanwhile.
func (b *AddressBook) end(ctx context.Context, e entry) error {
	b.mu.Lock()
	delete(b.keys, e.ID)
	b.mu.Unlock()
	if err := b.entries.Delete(ctx, e.ID, e.Version); err != nil && !errors.Is(err, ErrConflict) {
		return fmt.Errorf("forget an entry of the address book: %w", err)
	}
	return nil
}

// contactBook is the book as PeopleTable reads it: what the person of a chat is called.
type contactBook struct{ book *AddressBook }

// Load returns the contact of a chat; of version 0 when nobody is known there.
func (c contactBook) Load(ctx context.Context, id string) (Contact, error) {
	e, err := c.book.load(ctx, id)
	return e.contact(), err
}

func (e entry) contact() Contact {
	k := e.Contact
	k.ID, k.entry = e.storedEntry.ID, &e
	if k.Version = e.storedEntry.Version; !e.Known {
		k.Version = 0
	}
	return k
}

// Save stores a contact as Documents.Save does.
func (c contactBook) Save(ctx context.Context, k *Contact) error {
	e := entry{storedEntry: storedEntry{ID: k.ID}}
	if k.entry != nil {
		e = *k.entry
	}
	came := !e.Known && e.comes(false)
	e.Contact, e.Known, e.Ends = *k, true, false
	e.Contact.ID, e.Contact.Version, e.Contact.entry = "", 0, nil
	e.Names = c.book.hashed(k)
	if err := c.book.saveCame(ctx, &e, came); err != nil {
		return err
	}
	k.Version, k.entry = e.storedEntry.Version, &e
	return nil
}

// hashed are the names that lead to a contact, those before among them.
func (b *AddressBook) hashed(k *Contact) []string {
	channel, _ := bot.SplitConversationID(k.ID)
	var names []string
	if k.entry != nil {
		names = slices.Clone(k.entry.Names)
	}
	for _, name := range slices.Concat([]string{k.Phone, k.UserID, k.Lost}, k.WasPhone, k.WasID) {
		if id := b.nameID(channel, name); name != "" && !slices.Contains(names, id) {
			names = append(names, id)
		}
	}
	return names
}

// nameID is the id of a name's document.
func (b *AddressBook) nameID(channel, name string) string {
	return channel + "/" + b.Name(channel, name)
}
