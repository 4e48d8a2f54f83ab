package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"llave/bot"
	"llave/internal/handoff"
	"llave/internal/secret"
)

// ErasureLog is what was erased and when, kept where it outlives a store that is put back as it was before (P723). It names chats as the
// address book does.
type ErasureLog interface {
	// Append notes an erasure; noting it again does no harm.
	Append(ctx context.Context, conv string, at time.Time) error
	// Each calls each for every erasure until it returns false.
	Each(ctx context.Context, each func(conv string, at time.Time) bool) error
	// Forget drops those from before a moment.
	Forget(ctx context.Context, before time.Time) error
}

// ErasuresKept is how long an erasure is remembered: longer than anything is kept that a backup could bring back.
const ErasuresKept = 400 * 24 * time.Hour

// erasure is a chat that was erased and still has its address, for the answer to who asked for it.
type erasure struct {
	ID      string    `bson:"_id"` // the conversation's
	Version int64     `bson:"v"`
	At      time.Time `bson:"at"`
}

func (s *Store) erasures() *Documents[erasure] {
	return NewDocuments(s.engine, Erasures, func(e *erasure) (*string, *int64) { return &e.ID, &e.Version })
}

// EraseChat forgets a chat as it was at a moment (P722). Its key is destroyed, so that what was written under it cannot be read by
// anybody, wherever a copy of it lies; what names the chat elsewhere is removed. Limits, complaints and the audit stay, and none of them
// leads to the person. [emptied] says that the conversation was emptied by its own last turn and goes on: it is written anew as it is,
// and the address stays until LetGo. Else it is emptied here, and nobody is written to any more.
//
// It is done in steps, and may break off at each: done again it goes on. Done again later, when the person has written anew, it changes
// nothing of that.
func (s *Store) EraseChat(ctx context.Context, log ErasureLog, conv string, at time.Time, emptied bool) error {
	if s.Book.vault == nil {
		return errors.New("erase a chat: the store is not sealed")
	}
	conv = s.Book.Conv(conv)
	err := again(func() error { // first: what is logged and not under way is done without an answer
		x, err := s.erasures().Load(ctx, conv)
		if err != nil || !at.After(x.At) {
			return err
		}
		x.At = at
		return s.erasures().Save(ctx, &x)
	})
	if err != nil {
		return fmt.Errorf("begin to erase a chat: %w", err)
	}
	if err := logErasure(ctx, log, conv, at); err != nil {
		return err
	}
	if err := s.eraseChat(ctx, conv, at, emptied); err != nil {
		return fmt.Errorf("erase a chat: %w", err)
	}
	return nil
}

// logErasure notes an erasure where there is a log.
func logErasure(ctx context.Context, log ErasureLog, conv string, at time.Time) error {
	if log == nil {
		return nil
	}
	if err := log.Append(ctx, conv, at); err != nil {
		return fmt.Errorf("log an erasure: %w", err)
	}
	return nil
}

func (s *Store) eraseChat(ctx context.Context, conv string, at time.Time, emptied bool) error {
	e, anew, err := s.Book.rekey(ctx, conv, at)
	if err != nil || anew { // it was done, and the person has written since
		return err
	}
	channel, _ := bot.SplitConversationID(conv)
	was := []string{conv} // and by what an earlier version called it
	for _, name := range slices.Concat([]string{e.Chat, e.Phone, e.UserID, e.Lost}, e.WasPhone, e.WasID) {
		if name != "" {
			was = append(was, bot.ConversationID(channel, name))
		}
	}
	records, err := s.eraseConversation(ctx, conv, was, at, emptied)
	if err != nil {
		return err
	}
	for _, id := range was {
		if err := s.erasePapers(ctx, id, at); err != nil {
			return err
		}
	}
	for _, record := range records {
		if err := s.eraseAsker(ctx, record, s.named(conv)); err != nil {
			return err
		}
	}
	return s.Book.destroy(ctx, conv, emptied)
}

// rekey gives a chat a second key, under which everything is written from now on. [anew] says that its key is younger than the erasure.
func (b *AddressBook) rekey(ctx context.Context, conv string, at time.Time) (e entry, anew bool, err error) {
	err = again(func() error {
		if e, err = b.load(ctx, conv); err != nil {
			return err
		}
		anew = len(e.Next) == 0 && e.Born.After(at)
		if e.Version == 0 || len(e.Next) > 0 || anew {
			return nil
		}
		now, err := b.now(ctx)
		if err != nil {
			return fmt.Errorf("read the store's clock: %w", err)
		}
		if !now.After(at) {
			now = at.Add(time.Millisecond)
		}
		e.Next, e.Born, e.Came = secret.NewChatKey().Bytes(), now, 1
		return b.save(ctx, &e)
	})
	return e, anew, err
}

// destroy leaves the second key alone, and the address if the chat goes on.
func (b *AddressBook) destroy(ctx context.Context, conv string, goesOn bool) error {
	return again(func() error {
		e, err := b.load(ctx, conv)
		if err != nil || len(e.Next) == 0 {
			return err
		}
		e.Key, e.Next, e.Carried = e.Next, nil, ""
		if !goesOn && e.Came <= 1 {
			e.letGo()
		}
		return b.save(ctx, &e)
	})
}

// letGo drops the address. Hashes of names still lead here, as the limits do that are kept here.
func (e *entry) letGo() { e.Chat, e.Known, e.Contact, e.Came = "", false, Contact{}, 0 }

// eraseConversation writes the conversation anew, under the second key: emptied, without what an earlier version called it. It returns
// the records whose numbers were looked up in it.
func (s *Store) eraseConversation(ctx context.Context, conv string, was []string, at time.Time, emptied bool) (records []string, err error) {
	err = again(func() error {
		records = nil
		c, found, err := s.Conversations.Find(ctx, conv)
		if err != nil || !found {
			return err
		}
		for _, n := range c.Numbers {
			records = append(records, n.ID)
		}
		if !emptied {
			c = c.Erased()
		}
		c.Seen = slices.DeleteFunc(slices.Clone(c.Seen), func(seen bot.Seen) bool { return names(seen.ID, was) })
		if c.LetGo != nil && names(c.LetGo.ID, was) {
			c.LetGo = nil
		}
		if !c.Handoff.Open() {
			c.Handoff = nil
		}
		c.DropUncounted(at)
		if err := s.pinAudit(ctx, &c); err != nil {
			return err
		}
		return s.Conversations.Save(ctx, &c)
	})
	return records, err
}

// pinAudit has what a conversation owes the audit keep the name that is derived from the key of now: it may stand there already, of a
// process that died before it could say so.
func (s *Store) pinAudit(ctx context.Context, c *bot.Conversation) error {
	c.Promises = slices.Clone(c.Promises)
	for i, p := range c.Promises {
		what, is := p.What.(bot.KeepAudit)
		if !is || what.As != "" {
			continue
		}
		var err error
		if what.As, err = s.AuditID(ctx, p.ID); err != nil {
			return err
		}
		c.Promises[i].What = what
	}
	return nil
}

// names says whether an id holds what an earlier version called the chat.
func names(id string, was []string) bool {
	return slices.ContainsFunc(was[1:], func(w string) bool { return strings.Contains(id, w) })
}

// erasePapers removes what is kept beside a conversation, and takes the chat off what stays.
func (s *Store) erasePapers(ctx context.Context, conv string, at time.Time) error {
	to := conv + "\x00"
	if err := s.Desk.EraseLines(ctx, conv); err != nil {
		return err
	}
	if err := s.Desk.EraseDrafts(ctx, conv); err != nil {
		return err
	}
	if _, err := s.engine.DeleteRange(ctx, Query{Collection: Deliveries, Field: "conv", From: conv, To: to}); err != nil {
		return err
	}
	if err := s.Unheard.Erase(ctx, s.Book.Teller(conv)); err != nil {
		return err
	}
	for collection, strip := range map[string]func(f *File){Complaints: func(*File) {}, Cases: func(f *File) { f.strip(at) }} {
		table := NewDocuments(s.engine, collection, func(f *File) (*string, *int64) { return &f.Ref, &f.Version })
		files, err := table.Scan(ctx, Query{Field: "conv", From: conv, To: to})
		if err != nil {
			return err
		}
		for _, f := range files {
			err := again(func() error {
				f, found, err := table.Find(ctx, f.Ref)
				if err != nil || !found {
					return err
				}
				f.Conv = ""
				strip(&f)
				return table.Save(ctx, &f)
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// strip takes off a case what is of its person; the figures stay. A case that is open ends.
func (f *File) strip(at time.Time) {
	if f.Handoff == nil {
		return
	}
	h := *f.Handoff
	h.Number, h.Trace = "", ""
	if h.Open() {
		h.Status, h.Reason, h.Ended, h.Queue = bot.HandoffClosed, handoff.Erased, at, ""
		f.Status = Closed
	}
	f.Handoff = &h
}

// eraseAsker takes a conversation off the document of a number.
func (s *Store) eraseAsker(ctx context.Context, record string, is func(conv string) bool) error {
	return again(func() error {
		d, err := s.Unlocks.Load(ctx, record)
		if err != nil || d.Version == 0 || !d.Erase(is) {
			return err
		}
		return s.Unlocks.Save(ctx, d)
	})
}

// EraseRecord has nobody find who asked for a link of a number, by its keyed hash. The limits stay, and what is the owner's.
func (s *Store) EraseRecord(ctx context.Context, record string) error {
	err := again(func() error {
		now, err := s.Now(ctx)
		if err != nil {
			return err
		}
		d, err := s.Unlocks.Load(ctx, record)
		if err != nil || d.Version == 0 || !d.EraseAll(now) {
			return err
		}
		return s.Unlocks.Save(ctx, d)
	})
	if err != nil {
		return fmt.Errorf("erase who asked for a number: %w", err)
	}
	return nil
}

// answeredFor is how long an erased chat keeps its address for the answer, from when a process has seen it: while none lives nobody can
// answer.
const answeredFor = 40 * time.Second

// LetGo drops the addresses of chats that were erased, once their answer is out or its time is over, unless the person has written
// since. What a command began and did not end, which nobody has promised, is ended, and logged in case it was not. It says how many.
func (s *Store) LetGo(ctx context.Context, log ErasureLog) (n int, err error) {
	now, err := s.Now(ctx)
	if err != nil {
		return 0, fmt.Errorf("read the store's clock: %w", err)
	}
	open, err := s.erasures().Scan(ctx, Query{})
	if err != nil {
		return 0, fmt.Errorf("find erased chats: %w", err)
	}
	s.answering.Range(func(key, _ any) bool {
		if !slices.ContainsFunc(open, func(x erasure) bool { return x.answer() == key }) {
			s.answering.Delete(key) // another process has ended it
		}
		return true
	})
	for _, x := range open {
		done, err := s.letGo(ctx, log, x, now)
		if err != nil {
			return n, fmt.Errorf("let an erased chat go: %w", err)
		}
		if done {
			n++
		}
	}
	return n, nil
}

// answer is one erasure of a chat: each is answered for itself.
type answer struct {
	conv string
	at   int64
}

func (x erasure) answer() answer { return answer{x.ID, x.At.UnixMilli()} }

func (s *Store) letGo(ctx context.Context, log ErasureLog, x erasure, now time.Time) (done bool, err error) {
	c, err := s.Conversations.Load(ctx, x.ID)
	if err != nil {
		return false, err
	}
	if slices.ContainsFunc(c.Promises, func(p bot.Promise) bool { return p.Kind() == bot.PromiseErase }) {
		return false, nil // it is about to be erased
	}
	e, err := s.Book.load(ctx, x.ID)
	if err != nil {
		return false, err
	}
	if e.Version > 0 && (len(e.Next) > 0 || !e.Born.After(x.At)) {
		if err := logErasure(ctx, log, x.ID, x.At); err != nil {
			return false, err
		}
		if err := s.eraseChat(ctx, x.ID, x.At, false); err != nil {
			return false, err
		}
	}
	back := c.LastAt.After(x.At)
	first, _ := s.answering.LoadOrStore(x.answer(), now)
	if !back && c.Head(bot.LaneChat) != nil && now.Before(first.(time.Time).Add(answeredFor)) {
		return false, nil
	}
	err = again(func() error {
		e, err := s.Book.load(ctx, x.ID)
		switch {
		case err != nil:
			return err
		case len(e.Next) > 0:
			done = false // it is being erased
			return nil
		case back || e.Came > 1 || e.Version == 0 || e.Chat == "" && !e.Known:
			back, done = back || e.Came > 1, true
			return nil
		}
		done = true
		e.letGo()
		return s.Book.save(ctx, &e)
	})
	if err != nil || !done {
		return false, err
	}
	s.answering.Delete(x.answer())
	if !back { // what became of the answer, and what another process was about to keep at that moment
		if err := s.erasePapers(ctx, x.ID, x.At); err != nil {
			return false, err
		}
	}
	return true, ignoring(s.erasures().Delete(ctx, x.ID, x.Version), ErrConflict)
}

// Reapply erases again what the log has and the store shows no trace of: it was put back as it was before. It says how many chats that
// were.
func (s *Store) Reapply(ctx context.Context, log ErasureLog) (n int, err error) {
	last := map[string]time.Time{}
	err = log.Each(ctx, func(conv string, at time.Time) bool {
		if at.After(last[conv]) {
			last[conv] = at
		}
		return true
	})
	if err != nil {
		return 0, fmt.Errorf("read the log of erasures: %w", err)
	}
	open := map[string]time.Time{}
	pending, err := s.erasures().Scan(ctx, Query{})
	if err != nil {
		return 0, fmt.Errorf("find erased chats: %w", err)
	}
	for _, x := range pending {
		open[x.ID] = x.At
	}
	for conv, at := range last {
		e, err := s.Book.load(ctx, conv)
		if err != nil {
			return n, err
		}
		if e.Version == 0 || len(e.Next) == 0 && e.Born.After(at) || !open[conv].Before(at) {
			continue
		}
		if err := s.eraseChat(ctx, conv, at, false); err != nil {
			return n, fmt.Errorf("erase a chat again: %w", err)
		}
		n++
	}
	return n, nil
}

// erasureTable is an ErasureLog in a database of its own.
type erasureTable struct{ documents *Documents[erasure] }

// NewErasureLog is the log in an engine's database, which should not be the one that it is about.
func NewErasureLog(engine Engine) ErasureLog {
	return erasureTable{NewDocuments(engine, Erased, func(e *erasure) (*string, *int64) { return &e.ID, &e.Version })}
}

func (t erasureTable) Append(ctx context.Context, conv string, at time.Time) error {
	return again(func() error {
		e, err := t.documents.Load(ctx, conv)
		if err != nil || !at.After(e.At) {
			return err
		}
		e.At = at
		return t.documents.Save(ctx, &e)
	})
}

func (t erasureTable) Each(ctx context.Context, each func(conv string, at time.Time) bool) error {
	return t.documents.each(ctx, Query{}, func(e erasure) bool { return each(e.ID, e.At) })
}

func (t erasureTable) Forget(ctx context.Context, before time.Time) error {
	var old []erasure
	err := t.documents.each(ctx, Query{}, func(e erasure) bool {
		if e.At.Before(before) {
			old = append(old, e)
		}
		return true
	})
	for _, e := range old {
		if err == nil {
			err = ignoring(t.documents.Delete(ctx, e.ID, e.Version), ErrConflict)
		}
	}
	return err
}
