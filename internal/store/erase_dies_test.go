package store_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"llave/bot"
	"llave/internal/store"
	"llave/internal/store/storetest"
	"llave/internal/unheard"
)

// chatWithAll is a chat of which something is kept everywhere, and the promise of an audit line that it owes.
func chatWithAll(t testing.TB, s *store.Store, chat string, now time.Time) (conv string, owed bot.Promise) {
	t.Helper()
	ctx := t.Context()
	name, err := s.Book.Enter(ctx, "telegram", chat)
	must(t, err)
	conv = bot.ConversationID("telegram", name)
	owed = bot.Promise{ID: conv + "/desk/1", Made: now, What: bot.KeepAudit{Deed: "case_claim", Agent: "ana", Detail: "C-" + chat}}
	must(t, s.Conversations.Save(ctx, &bot.Conversation{
		ID: conv, State: "Menu", LastAt: now, Born: now, KeptTill: now.Add(24 * time.Hour),
		Numbers: []bot.Seen{{ID: "of three days ago", At: now.Add(-72 * time.Hour)}, {ID: "of today", At: now.Add(-time.Hour)}},
		Filed:   []time.Time{now.Add(-72 * time.Hour), now.Add(-time.Hour)}, Outbox: bot.Outbox{Promises: []bot.Promise{owed}},
	}))
	must(t, s.Desk.KeepLines(ctx, conv, "C-"+chat, []bot.Line{{Seq: 1, At: now, From: bot.FromPerson, Text: "me duele"}}))
	must(t, s.Unheard.Tell(ctx, unheard.Telling{Place: "Menu", Said: "zqx", Who: s.Book.Teller(conv), At: now, Turn: "1"}))
	must(t, s.Complaints.Insert(ctx, store.File{Ref: "Q-" + chat, Topic: "complaint", Body: "no abre", Conv: conv, Made: now}))
	return conv, owed
}

// A command that erases a chat dies at any of its calls to the store, before the call was done or after. Either nothing has happened, and
// the command says so, or the service ends it: then nothing is left, it is in the log of erasures, so that a backup which is put back is
// erased again (P723), and what the audit was told before stands there once. Before, it was not in the log when the command died between
// its first two writes, and the audit had the line twice.
func TestErase_commandDies(t *testing.T) {
	storetest.Engines(t, func(t *testing.T, raw store.Engine) {
		e := clock(raw)
		service, _ := open(t, e, key)
		ended, begun := 0, 0
		for k := 1; ended < 2; k++ {
			done := k%2 == 0
			chat := fmt.Sprint(5550000000 + k)
			now, err := e.Now(t.Context())
			must(t, err)
			conv, owed := chatWithAll(t, service, chat, now)
			id, err := service.AuditID(t.Context(), owed.ID)
			must(t, err)
			line := store.AuditEntry{ID: id, At: now, Who: "ana", What: "case_claim", Detail: "C-" + chat} // whoever kept it died before it was marked
			must(t, service.Audit.Append(t.Context(), line))
			left, dead := (k+1)/2, false
			dying := storetest.Around(e, func(_ storetest.Call, do func() error) error {
				if dead {
					return errDied
				}
				if left--; left >= 0 {
					return do()
				}
				if dead = true; done {
					_ = do()
				}
				return errDied
			})
			command := store.New(dying)
			left = 1 << 20
			v, err := command.DataKey(t.Context(), key)
			must(t, err)
			command.Seal(v)
			left = (k+1)/2 - 1
			e.later(time.Second)
			at, err := e.Now(t.Context())
			must(t, err)
			err = command.EraseChat(t.Context(), store.NewErasureLog(dying), conv, at, false)
			if err == nil {
				ended++
			}
			e.later(time.Minute)
			log := store.NewErasureLog(e)
			for range 2 {
				_, lerr := service.LetGo(t.Context(), log)
				must(t, lerr)
			}
			kept, kerr := service.KeptOf(t.Context(), conv)
			must(t, kerr)
			logged := false
			must(t, log.Each(t.Context(), func(c string, _ time.Time) bool { logged = logged || c == conv; return true }))
			if kept.Chat == chat && len(kept.Lines) == 1 && len(kept.Complaints) == 1 && len(kept.Sentences) == 1 && err != nil && !logged {
				continue // nothing has happened
			}
			begun++
			if kept.Chat != "" || len(kept.Lines)+len(kept.Complaints)+len(kept.Sentences) > 0 {
				t.Errorf("dead at call %d (done: %t), %v: there is still %+v", (k+1)/2, done, err, kept)
			}
			if !logged {
				t.Errorf("dead at call %d (done: %t): the chat was erased, and the log of erasures has it not", (k+1)/2, done)
			}
			c := kept.Conversation
			if c == nil || len(c.Numbers) != 1 || c.Numbers[0].ID != "of today" || len(c.Filed) != 1 || len(c.Promises) != 1 {
				t.Fatalf("dead at call %d (done: %t): the conversation is %+v, want the limits of the last day and what the audit is owed", (k+1)/2, done, c)
			}
			again := c.Promises[0].What.(bot.KeepAudit)
			if line.ID = again.As; line.ID == "" {
				line.ID, err = service.AuditID(t.Context(), c.Promises[0].ID)
				must(t, err)
			}
			must(t, service.Audit.Append(t.Context(), line))
			lines := 0
			must(t, service.Audit.Between(t.Context(), now.Add(-time.Hour), now.Add(time.Hour), func(l store.AuditEntry) bool {
				if l.Detail == line.Detail {
					lines++
				}
				return true
			}))
			if lines != 1 {
				t.Errorf("dead at call %d (done: %t): the audit has the line %d times", (k+1)/2, done, lines)
			}
		}
		if begun < 20 {
			t.Errorf("an erasure was begun %d times: nothing is shown", begun)
		}
		t.Logf("%d erasures were begun", begun)
	})
}

// Who writes at the moment at which the address of their erased chat is dropped is answered all the same: they have come into the
// conversation, and it is known where to write to. Before, the address was gone under the answer.
func TestErase_writesAsTheAddressGoes(t *testing.T) {
	for _, channel := range []string{"telegram", "whatsapp"} {
		t.Run(channel, func(t *testing.T) {
			storetest.Engines(t, func(t *testing.T, raw store.Engine) {
				e := clock(raw)
				var writes func()
				s, _ := open(t, storetest.Around(e, func(c storetest.Call, do func() error) error {
					err := do()
					if c.Collection == store.Conversations && !c.Write && writes != nil {
						say := writes
						writes = nil
						say()
					}
					return err
				}), key)
				ctx := t.Context()
				const phone = "593987654321"
				comes := func() (name string) {
					t.Helper()
					var err error
					if channel == "telegram" {
						name, err = s.Book.Enter(ctx, channel, phone)
					} else {
						name, err = s.People.Find(ctx, channel, store.KnownBy{Phone: phone, UserID: "US.1"}, func(context.Context, string) error { return nil })
					}
					must(t, err)
					return name
				}
				address := func(name string) string {
					t.Helper()
					if channel == "telegram" {
						at, err := s.Book.Chat(ctx, channel, name)
						must(t, err)
						return at
					}
					at, _, err := s.People.Address(ctx, channel, name)
					must(t, err)
					return at
				}
				name := comes()
				conv := bot.ConversationID(channel, name)
				now, err := e.Now(ctx)
				must(t, err)
				must(t, s.Conversations.Save(ctx, &bot.Conversation{ID: conv, LastAt: now, Born: now}))
				e.later(time.Second)
				at, err := e.Now(ctx)
				must(t, err)
				log := store.NewErasureLog(e)
				must(t, s.EraseChat(ctx, log, conv, at, true))
				if got := address(name); got != phone {
					t.Fatalf("for the answer the address is %q", got)
				}
				e.later(time.Minute)
				writes = func() { comes() } // the turn has begun, and is not committed yet
				_, err = s.LetGo(ctx, log)
				must(t, err)
				if writes != nil {
					t.Fatal("nobody wrote")
				}
				if got := address(name); got != phone {
					t.Errorf("who wrote meanwhile is reached at %q, want %q", got, phone)
				}
				e.later(time.Minute)
				_, err = s.LetGo(ctx, log)
				must(t, err)
				if got := address(name); got != phone {
					t.Errorf("a minute later they are reached at %q", got)
				}
				at, err = e.Now(ctx)
				must(t, err)
				must(t, s.EraseChat(ctx, log, conv, at, true)) // and again
				e.later(time.Minute)
				_, err = s.LetGo(ctx, log)
				must(t, err)
				if got := address(name); got != "" {
					t.Errorf("erased again, and silent, they are reached at %q", got)
				}
			})
		})
	}
}
