package store

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/bot"
	"llave/internal/secret"
	"llave/internal/unlock"
)

// Earlier versions called a chat by what its channel calls it, everywhere. Carry takes what they wrote over: each document is written
// under its new name first and removed under its old one then, so that it may break off at any write and be done again. While a
// process of such a version goes on writing it is done again too; when there is nothing left it costs some empty scans.

// Carry takes over what earlier versions wrote, of these channels, and says how much it had to leave for another time: what such a
// process is keeping at this moment. [alone] says that there is no other process.
func (s *Store) Carry(ctx context.Context, channels []string, alone bool) (left int, err error) {
	if s.Book.vault == nil {
		return 0, nil
	}
	c := carrier{s, alone, unopened(s.engine)}
	steps := []func(ctx context.Context, channel string) (int, error){
		c.contacts, c.names, c.conversations, c.lines, c.deliveries, c.complaints, c.cases, c.audit,
	}
	for _, channel := range channels {
		for _, step := range steps {
			n, err := step(ctx, channel)
			if left += n; err != nil {
				return left, fmt.Errorf("carry over what an earlier version wrote: %w", err)
			}
		}
	}
	return left, nil
}

// keyOf gives an entry its key, as one that is as old as what an earlier version wrote: an erasure of before is of that too.
func (e *entry) keyOf(born time.Time) {
	if len(e.Key) == 0 {
		e.Key, e.Born = secret.NewChatKey().Bytes(), born
	}
}

// carriers is how many documents are carried at once.
const carriers = 8

// CarryChat takes over the conversation of a chat, if an earlier version wrote one. It says whether it had to leave it, as Carry does.
func (s *Store) CarryChat(ctx context.Context, conv string, alone bool) (left bool, err error) {
	channel, chat := bot.SplitConversationID(conv)
	e, err := s.Book.load(ctx, conv)
	if err != nil {
		return false, err
	}
	c := carrier{s, alone, unopened(s.engine)}
	for _, was := range slices.Concat([]string{e.Chat, e.Phone, e.UserID, e.Lost}, e.WasPhone, e.WasID) {
		if was == "" || s.Book.Name(channel, was) != chat {
			continue
		}
		doc, err := c.lies.Get(ctx, oldConversations, bot.ConversationID(channel, was))
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return false, err
		}
		return c.conversation(ctx, doc)
	}
	return false, nil
}

type carrier struct {
	*Store
	alone bool
	lies  Engine // the documents as they lie in the store
}

// believed says whether a keeper may be at what it has. One that holds it for longer does so under a lease: see internal/runner.
func (c carrier) believed(ctx context.Context, k bot.Keeper, now time.Time) (bool, error) {
	const claim = 10 * time.Second // longer than a claim without a lease is believed
	if c.alone || !k.Until.After(now) {
		return false, nil
	}
	l, err := c.Leases.documents().Load(ctx, processPrefix+k.Who)
	if err != nil || l.Version == 0 {
		return k.Until.Before(now.Add(claim)), err
	}
	return l.Until.After(now), nil
}

// of is the range of ids, and of values of "conv", that earlier versions gave of a channel.
func of(channel, between string) (from, to string) {
	return channel + between, channel + between + named
}

// each calls do for the documents of a query, some at once. They are read first: do removes them.
func (c carrier) each(ctx context.Context, q Query, do func(doc bson.Raw) (left bool, err error)) (left int, err error) {
	q.Limit = purgeOnce
	for {
		var docs []bson.Raw
		if err := c.lies.Scan(ctx, q, func(doc bson.Raw) bool { docs = append(docs, doc); return true }); err != nil {
			return left, err
		}
		var mu sync.Mutex
		var problems []error
		var wg sync.WaitGroup
		gate := make(chan struct{}, carriers)
		stayed := 0
		for _, doc := range docs {
			gate <- struct{}{}
			wg.Go(func() {
				defer func() { <-gate }()
				stays, err := do(doc)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					problems = append(problems, err)
				}
				if stays || err != nil {
					stayed++
				}
			})
		}
		wg.Wait()
		if err := errors.Join(problems...); err != nil {
			return left + stayed, err
		}
		if left += stayed; len(docs) < q.Limit || stayed > 0 {
			return left, nil
		}
	}
}

// purgeOnce is how many documents are read at once.
const purgeOnce = 1000

// remove removes a document that was carried over; one that moved on meanwhile is carried over again.
func (c carrier) remove(ctx context.Context, collection string, doc bson.Raw) (left bool, err error) {
	id, err := DocumentID(doc)
	if err != nil {
		return false, err
	}
	err = c.lies.Delete(ctx, collection, id, DocumentVersion(doc))
	if errors.Is(err, ErrConflict) {
		return true, nil
	}
	return false, err
}

// contacts carries over what people are called.
func (c carrier) contacts(ctx context.Context, channel string) (int, error) {
	from, to := of(channel, ":")
	return c.each(ctx, Query{Collection: oldContacts, From: from, To: to}, func(doc bson.Raw) (bool, error) {
		old, err := decode[Contact](oldContacts, doc)
		if err != nil {
			return false, err
		}
		err = again(func() error {
			k, err := c.People.contacts.Load(ctx, c.Book.Conv(old.ID))
			if err != nil || k.Version > 0 { // known here already
				return err
			}
			fresh := old
			fresh.ID, fresh.Version, fresh.entry = k.ID, 0, k.entry
			fresh.entry.keyOf(time.Time{})
			return c.People.contacts.Save(ctx, &fresh)
		})
		if err != nil {
			return false, err
		}
		return c.remove(ctx, oldContacts, doc)
	})
}

// names carries over what leads to people.
func (c carrier) names(ctx context.Context, channel string) (int, error) {
	from, to := of(channel, "/")
	return c.each(ctx, Query{Collection: oldNames, From: from, To: to}, func(doc bson.Raw) (bool, error) {
		old, err := decode[personName](oldNames, doc)
		if err != nil {
			return false, err
		}
		name := func(chat string) string {
			if chat == "" {
				return ""
			}
			return c.Book.Name(channel, chat)
		}
		fresh := personName{ID: c.Book.nameID(channel, strings.TrimPrefix(old.ID, channel+"/")), Version: 1, Chat: name(old.Chat), Former: name(old.Former)}
		if err := insert(ctx, c.lies, Names, fresh); err != nil && !errors.Is(err, ErrDuplicate) {
			return false, err
		}
		for _, chat := range []string{fresh.Chat, fresh.Former} {
			if err := c.leads(ctx, channel, chat, fresh.ID); err != nil {
				return false, err
			}
		}
		return c.remove(ctx, oldNames, doc)
	})
}

// leads notes in an entry that a name leads, or led, there.
func (c carrier) leads(ctx context.Context, channel, chat, name string) error {
	if chat == "" {
		return nil
	}
	return again(func() error {
		e, err := c.Book.load(ctx, bot.ConversationID(channel, chat))
		if err != nil || slices.Contains(e.Names, name) {
			return err
		}
		e.Names = append(e.Names, name)
		return c.Book.save(ctx, &e)
	})
}

// conversations carries over conversations, but for those that somebody alive owes something at this moment.
func (c carrier) conversations(ctx context.Context, channel string) (int, error) {
	from, to := of(channel, ":")
	return c.each(ctx, Query{Collection: oldConversations, From: from, To: to}, func(doc bson.Raw) (bool, error) {
		return c.conversation(ctx, doc)
	})
}

func (c carrier) conversation(ctx context.Context, doc bson.Raw) (left bool, err error) {
	old, err := decode[bot.Conversation](oldConversations, doc)
	if err != nil {
		return false, err
	}
	now, err := c.Now(ctx)
	if err != nil {
		return false, err
	}
	for _, k := range old.Keepers {
		if there, err := c.believed(ctx, k, now); there || err != nil {
			return there, err
		}
	}
	sum := sha256.Sum256(doc)
	digest := base64.RawURLEncoding.EncodeToString(sum[:12])
	fresh := c.recast(old)
	err = again(func() error {
		is, found, err := c.Conversations.Find(ctx, fresh.ID)
		if err != nil {
			return err
		}
		e, err := c.Book.load(ctx, fresh.ID) // after that: whoever carried it over noted it first
		switch {
		case err != nil:
			return err
		case found && e.Carried == digest:
			return nil // it was about to be removed
		case found:
			is = merged(is, fresh)
			if err := c.Conversations.Save(ctx, &is); err != nil {
				return err
			}
		}
		if e.Carried = digest; e.Chat == "" && !e.Known {
			_, e.Chat = bot.SplitConversationID(old.ID)
		}
		if e.keyOf(old.Born); e.Born.After(old.Born) {
			e.Born = old.Born // it was made for what came meanwhile
		}
		if err := c.Book.save(ctx, &e); err != nil || found {
			return err
		}
		into := fresh
		into.Version = 0
		return c.Conversations.Save(ctx, &into)
	})
	if err != nil {
		return false, err
	}
	return c.remove(ctx, oldConversations, doc)
}

// recast is a conversation of an earlier version under its new name. Ids of promises stay as they are, since letters, links and
// what was heard are known by them.
func (c carrier) recast(old bot.Conversation) bot.Conversation {
	conv := c.Book.Conv(old.ID)
	old.ID = conv
	old.Seen = slices.Clone(old.Seen)
	for i := range old.Seen {
		old.Seen[i].ID = c.Book.Message(old.Seen[i].ID)
	}
	if old.LetGo != nil {
		let := *old.LetGo
		let.ID = c.Book.Message(let.ID)
		old.LetGo = &let
	}
	old.Promises = slices.Clone(old.Promises)
	for i := range old.Promises {
		switch what := old.Promises[i].What.(type) {
		case bot.KeepFile:
			what.Conv = conv
			old.Promises[i].What = what
		case bot.KeepCase:
			what.Conv = conv
			old.Promises[i].What = what
		case bot.KeepLines:
			what.Conv = conv
			old.Promises[i].What = what
		case bot.EraseChat:
			what.Conv = conv
			old.Promises[i].What = what
		}
	}
	return old
}

// merged is a conversation that went on in two processes: as it was where the person wrote last, with what either owes and counts.
func merged(is, old bot.Conversation) bot.Conversation {
	id, version := is.ID, is.Version
	if old.LastAt.After(is.LastAt) {
		is, old = old, is
	}
	is.ID, is.Version = id, version
	for _, p := range old.Promises {
		if is.Find(p.ID) == nil {
			is.Promises = append(is.Promises, p)
		}
	}
	seen := func(into *[]bot.Seen, from []bot.Seen) {
		for _, s := range from {
			if !slices.ContainsFunc(*into, func(have bot.Seen) bool { return have.ID == s.ID }) {
				*into = append(*into, s)
			}
		}
	}
	seen(&is.Seen, old.Seen)
	seen(&is.Numbers, old.Numbers)
	is.Recent, is.Filed = append(is.Recent, old.Recent...), append(is.Filed, old.Filed...)
	for _, at := range []*[]time.Time{&is.Recent, &is.Filed} {
		slices.SortFunc(*at, time.Time.Compare)
		*at = slices.CompactFunc(*at, time.Time.Equal)
	}
	if !is.Handoff.Open() && old.Handoff.Open() {
		is.Handoff = old.Handoff
	}
	if old.KeptTill.After(is.KeptTill) {
		is.KeptTill = old.KeptTill
	}
	is.Wake(is.NextTimer())
	return is
}

// keyed has a chat have a key that is as old as anything of it.
func (c carrier) keyed(ctx context.Context, conv string) error {
	return again(func() error {
		e, err := c.Book.load(ctx, conv)
		if err != nil || len(e.Key) > 0 {
			return err
		}
		e.keyOf(time.Time{})
		return c.Book.save(ctx, &e)
	})
}

// lines carries over the lines of cases.
func (c carrier) lines(ctx context.Context, channel string) (int, error) {
	from, to := of(channel, ":")
	return c.each(ctx, Query{Collection: Lines, Field: "conv", From: from, To: to}, func(doc bson.Raw) (bool, error) {
		l, err := decode[storedLine](Lines, doc)
		if err == nil {
			l.Conv = c.Book.Conv(l.Conv)
			err = c.keyed(ctx, l.Conv)
		}
		if err == nil {
			err = c.Desk.lines.Save(ctx, &l)
		}
		return stays(err)
	})
}

// stays says that a document was written meanwhile, and is carried over another time.
func stays(err error) (bool, error) {
	if errors.Is(err, ErrConflict) {
		return true, nil
	}
	return false, err
}

// deliveries carries over what became of messages.
func (c carrier) deliveries(ctx context.Context, channel string) (int, error) {
	from, to := of(channel, ":")
	return c.each(ctx, Query{Collection: Deliveries, Field: "conv", From: from, To: to}, func(doc bson.Raw) (bool, error) {
		d, err := decode[Delivery](Deliveries, doc)
		if err != nil {
			return false, err
		}
		fresh := d
		fresh.ID, fresh.Conv, fresh.Version = c.Book.Message(d.ID), c.Book.Conv(d.Conv), 0
		if err := c.keyed(ctx, fresh.Conv); err != nil {
			return false, err
		}
		if err := c.Deliveries.documents.Save(ctx, &fresh); err != nil && !errors.Is(err, ErrConflict) {
			return false, err
		}
		return c.remove(ctx, Deliveries, doc)
	})
}

func (c carrier) complaints(ctx context.Context, channel string) (int, error) {
	return c.files(ctx, channel, Complaints)
}

func (c carrier) cases(ctx context.Context, channel string) (int, error) {
	return c.files(ctx, channel, Cases)
}

func (c carrier) files(ctx context.Context, channel, collection string) (int, error) {
	table := NewDocuments(c.engine, collection, func(f *File) (*string, *int64) { return &f.Ref, &f.Version })
	from, to := of(channel, ":")
	return c.each(ctx, Query{Collection: collection, Field: "conv", From: from, To: to}, func(doc bson.Raw) (bool, error) {
		f, err := decode[File](collection, doc)
		if err == nil {
			f.Conv = c.Book.Conv(f.Conv)
			err = table.Save(ctx, &f)
		}
		return stays(err)
	})
}

// audit carries over entries that are called by the turn of a chat. They stay beside the chain, as their kind does.
func (c carrier) audit(ctx context.Context, channel string) (int, error) {
	from, to := of(channel, ":")
	return c.each(ctx, Query{Collection: Audit, From: from, To: to}, func(doc bson.Raw) (bool, error) {
		e, err := decode[AuditEntry](Audit, doc)
		if err != nil {
			return false, err
		}
		id := e.ID
		conv, _, _ := strings.Cut(id, "/")
		if err := c.keyed(ctx, c.Book.Conv(conv)); err != nil {
			return false, err
		}
		if e.ID, err = c.AuditID(ctx, id); err != nil {
			return false, err
		}
		if err := insert(ctx, c.lies, Audit, e); err != nil && !errors.Is(err, ErrDuplicate) {
			return false, err
		}
		return false, c.lies.Delete(ctx, Audit, id, -1)
	})
}

// AuditID is what an entry of the audit is called that was caused by a promise: one of a conversation, whose id begins with that's, by
// a pseudonym of the chat.
func (s *Store) AuditID(ctx context.Context, promise string) (string, error) {
	conv, _, _ := strings.Cut(promise, "/")
	if channel, chat := bot.SplitConversationID(conv); channel == "" || chat == "" {
		return promise, nil
	}
	return s.Book.Pseudonym(ctx, s.Book.Conv(conv), "chat", promise)
}

// CarryUnlocks carries over who asked for links, and says how many documents it had to leave: one with a link that may be used, or that
// owes something, since its letters' tokens are of the chats' old names. When nothing was left and no process of an earlier version is expected
// any more ([last]), that is noted, and done no more.
func (s *Store) CarryUnlocks(ctx context.Context, last bool) (left int, err error) {
	if s.Book.vault == nil {
		return 0, nil
	}
	_, err = s.engine.Get(ctx, Settings, unlocksCarried)
	if !errors.Is(err, ErrNotFound) {
		return 0, err
	}
	now, err := s.Now(ctx)
	if err != nil {
		return 0, err
	}
	change := func(d *unlock.Document) bool {
		renamed := d.Rename(s.Book.Conv, s.Book.Update)
		return renamed && (d.TrimAsks(now.Add(-24*time.Hour)) || true)
	}
	var ids []string
	err = s.Unlocks.documents.each(ctx, Query{}, func(d unlock.Document) bool {
		if change(&d) {
			ids = append(ids, d.ID)
		}
		return true
	})
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		d, err := s.Unlocks.Load(ctx, id)
		if err != nil {
			return left, err
		}
		if d.Busy(now) {
			left++
			continue
		}
		if change(d) {
			if err := s.Unlocks.Save(ctx, d); errors.Is(err, ErrConflict) {
				left++
			} else if err != nil {
				return left, err
			}
		}
	}
	if left == 0 && last {
		err = insert(ctx, s.engine, Settings, bson.D{{Key: "_id", Value: unlocksCarried}, {Key: VersionField, Value: int64(1)}, {Key: "at", Value: now}})
		err = ignoring(err, ErrDuplicate)
	}
	return left, err
}

// unlocksCarried notes that there is nothing left to carry over in the documents of links.
const unlocksCarried = "carried/unlocks"
