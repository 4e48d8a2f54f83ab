package store_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/bot"
	"llave/internal/secret"
	"llave/internal/store"
	"llave/internal/store/storetest"
)

// erasureLog is a log of erasures, which may be away.
type erasureLog struct {
	away  bool
	convs []string
}

func (l *erasureLog) Append(_ context.Context, conv string, _ time.Time) error {
	if l.away {
		return errDied
	}
	l.convs = append(l.convs, conv)
	return nil
}

func (l *erasureLog) Each(context.Context, func(string, time.Time) bool) error { return nil }

func (l *erasureLog) Forget(context.Context, time.Time) error { return nil }

// An erasure that a process began and did not log, since it died, is logged by whoever ends it: else a backup that is put back would
// bring the chat back (P722, P723).
func TestErase_loggedByWhoEndsIt(t *testing.T) {
	storetest.Engines(t, func(t *testing.T, e store.Engine) {
		c := clock(e)
		s, _ := open(t, c, key)
		conv := chatOf(t, s, "1")
		log := &erasureLog{away: true}
		now, err := s.Now(t.Context())
		must(t, err)
		if err := s.EraseChat(t.Context(), log, conv, now, false); !errors.Is(err, errDied) {
			t.Fatalf("erased with a log that is away: %v", err)
		}
		if n, err := s.LetGo(t.Context(), log); !errors.Is(err, errDied) || n != 0 {
			t.Errorf("ended with a log that is away: %d, %v", n, err)
		}
		log.away = false
		_, err = s.LetGo(t.Context(), log)
		must(t, err)
		c.later(41 * time.Second)
		if n, err := s.LetGo(t.Context(), log); err != nil || n != 1 {
			t.Fatalf("ended %d, %v, want one", n, err)
		}
		if !slices.Equal(log.convs, []string{conv}) {
			t.Errorf("the log has %q, want %q once", log.convs, conv)
		}
		if k, err := s.KeptOf(t.Context(), conv); err != nil || k.Chat != "" {
			t.Errorf("the address stays: %+v, %v", k, err)
		}
	})
}

// What another process was keeping of a chat while it was erased goes too, once the erasure ends.
func TestErase_keptMeanwhile(t *testing.T) {
	storetest.Engines(t, func(t *testing.T, e store.Engine) {
		c := clock(e)
		s, _ := open(t, c, key)
		conv := chatOf(t, s, "1")
		now, err := s.Now(t.Context())
		must(t, err)
		must(t, s.EraseChat(t.Context(), nil, conv, now, false))
		must(t, s.Desk.KeepLines(t.Context(), conv, "C1", []bot.Line{{Seq: 1, Text: "lo de antes"}}))
		must(t, s.Complaints.Insert(t.Context(), store.File{Ref: "Q1", Topic: "complaint", Body: "no me atendieron", Conv: conv, Made: now, Status: store.Open}))
		if n, err := s.LetGo(t.Context(), nil); err != nil || n != 1 {
			t.Fatalf("ended %d, %v, want one", n, err)
		}
		if k, err := s.KeptOf(t.Context(), conv); err != nil || len(k.Lines)+len(k.Complaints) > 0 {
			t.Errorf("of an erased chat there is %+v, %v", k, err)
		}
	})
}

// Who has their chat erased a second time is answered as they were the first time, also where the first was ended by another process
// than this one, which had seen it.
func TestErase_answeredAgain(t *testing.T) {
	storetest.Engines(t, func(t *testing.T, e store.Engine) {
		c := clock(e)
		s, v := open(t, c, key)
		other := store.New(c)
		other.Seal(v)
		conv := chatOf(t, s, "1")
		erase := func() {
			t.Helper()
			now, err := s.Now(t.Context())
			must(t, err)
			must(t, s.EraseChat(t.Context(), &erasureLog{}, conv, now, true))
			if n, err := s.LetGo(t.Context(), &erasureLog{}); err != nil || n != 0 {
				t.Fatalf("the address went before the answer: %d, %v", n, err)
			}
		}
		erase()
		c.later(41 * time.Second) // this process holds no more what it saw
		if n, err := other.LetGo(t.Context(), &erasureLog{}); err != nil || n != 0 {
			t.Fatalf("the other process has just seen it: %d, %v", n, err)
		}
		c.later(41 * time.Second)
		if n, err := other.LetGo(t.Context(), &erasureLog{}); err != nil || n != 1 {
			t.Fatalf("the address stays: %d, %v", n, err)
		}
		c.later(time.Hour)
		if _, err := s.Book.Enter(t.Context(), "telegram", "1"); err != nil {
			t.Fatal(err)
		}
		erase()
	})
}

// TestSealed_moved shows P731 of documents that are sealed whole under the key of their chat: in the place of another of the same chat, of
// that collection or another, they do not open.
func TestSealed_moved(t *testing.T) {
	storetest.Engines(t, func(t *testing.T, e store.Engine) {
		s, _ := open(t, clock(e), key)
		conv := chatOf(t, s, "1")
		must(t, s.Desk.KeepLines(t.Context(), conv, "C1", []bot.Line{{Seq: 1, Text: "uno"}, {Seq: 2, Text: "dos"}}))
		_, err := s.Deliveries.Move(t.Context(), "m1", "accepted", func(string) bool { return true }, func(d *store.Delivery) { d.Conv = conv })
		must(t, err)
		all := func(collection string) (docs []bson.Raw) {
			must(t, s.Raw().Scan(t.Context(), store.Query{Collection: collection}, func(raw bson.Raw) bool { docs = append(docs, raw); return true }))
			return docs
		}
		lines, deliveries := all(store.Lines), all(store.Deliveries)
		if len(lines) != 2 || len(deliveries) != 1 {
			t.Fatalf("%d lines and %d deliveries are kept", len(lines), len(deliveries))
		}
		for _, c := range []struct {
			collection string
			of, into   bson.Raw
		}{{store.Lines, lines[0], lines[1]}, {store.Deliveries, lines[0], deliveries[0]}} {
			id, err := store.DocumentID(c.into)
			must(t, err)
			if _, err := s.Opened(t.Context(), c.collection, c.into); err != nil {
				t.Fatalf("what lies in its own place does not open: %v", err)
			}
			moved, err := store.WithField(c.into, "sealed", c.of.Lookup("sealed"))
			must(t, err)
			if got, err := s.Opened(t.Context(), c.collection, moved); !errors.Is(err, secret.ErrOpen) {
				t.Errorf("in the place of %s in %s there is read %v, %v", id, c.collection, got, err)
			}
		}
	})
}

// chatOf makes a chat that owes its person a bubble.
func chatOf(t *testing.T, s *store.Store, chat string) (conv string) {
	t.Helper()
	name, err := s.Book.Enter(t.Context(), "telegram", chat)
	must(t, err)
	conv = bot.ConversationID("telegram", name)
	now, err := s.Now(t.Context())
	must(t, err)
	c := bot.Conversation{ID: conv, LastAt: now}
	c.Promises = []bot.Promise{{ID: conv + "/1/0", Made: now, What: bot.Say{Reply: &bot.Reply{Text: "Listo"}}}}
	must(t, s.Conversations.Save(t.Context(), &c))
	return conv
}
