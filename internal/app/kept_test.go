package app

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"llave/bot"
	"llave/bot/whatsapp"
	"llave/internal/config"
	"llave/internal/runner"
	"llave/internal/runner/runnertest"
	"llave/internal/secret"
	"llave/internal/store"
	"llave/internal/store/storetest"
)

// A purge that dies half-way leaves nothing that the next one does not find: neither the names nor the conversation (P407).
func TestForget_halfWay(t *testing.T) {
	clock := storetest.NewClock(time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC))
	for _, fails := range []string{store.Names, store.Book, store.Conversations} {
		t.Run(fails, func(t *testing.T) {
			down := false
			s := store.New(storetest.Around(storetest.Bolt(t, clock.Now), func(c storetest.Call, do func() error) error {
				if down && c.Collection == fails && c.Write {
					return errors.New("the store is away")
				}
				return do()
			}))
			a := &App{Store: s, options: Options{Config: config.Config{}}}
			chat, err := s.People.Find(t.Context(), whatsapp.Name, store.KnownBy{Phone: "593990000001", UserID: "EC.1"}, nil)
			if err != nil {
				t.Fatal(err)
			}
			c := bot.Conversation{ID: bot.ConversationID(whatsapp.Name, chat), KeptTill: clock.Now().Add(-time.Hour)}
			if err := s.Conversations.Save(t.Context(), &c); err != nil {
				t.Fatal(err)
			}
			down = true
			_, _ = a.Forget(t.Context())
			down = false
			if _, err := a.Forget(t.Context()); err != nil {
				t.Fatal(err)
			}
			phone, userID, err := s.People.Address(t.Context(), whatsapp.Name, chat)
			if n, cerr := s.Conversations.Count(t.Context()); n != 0 || cerr != nil || phone != "" || userID != "" || err != nil {
				t.Errorf("%d conversations (%v) and the names %q, %q (%v) are kept, want none", n, cerr, phone, userID, err)
			}
		})
	}
}

// A conversation whose time is over stays while it owes a file, however many owe one; neither a bubble nor a change of one keeps it. After a
// month the file is given up aloud.
func TestForget_stillOwed(t *testing.T) {
	clock := storetest.NewClock(time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC))
	s := store.New(storetest.Bolt(t, clock.Now))
	var log bytes.Buffer
	var counts runnertest.Counts
	r, err := runner.New(runner.Options{Keepers: runnertest.Keepers(), Watch: &counts, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	a := &App{Store: s, Runner: r, options: Options{Config: config.Config{}}}
	for chat, what := range map[string]bot.Duty{"1": bot.KeepFile{Topic: "complaint"}, "2": bot.Say{Reply: &bot.Reply{}}, "3": bot.KeepCase{}, "4": bot.Spend{Bubble: "7"}} {
		c := bot.Conversation{ID: bot.ConversationID("telegram", chat), KeptTill: clock.Now()}
		c.Promises = []bot.Promise{{ID: "p" + chat, What: what, Made: clock.Now(), Schedule: bot.Schedule{Tries: 9}}}
		if err := s.Conversations.Save(t.Context(), &c); err != nil {
			t.Fatal(err)
		}
	}
	forget := func() (left int64) {
		t.Helper()
		if _, err := a.Forget(t.Context()); err != nil {
			t.Fatal(err)
		}
		left, err := s.Conversations.Count(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return left
	}
	if left := forget(); left != 2 {
		t.Fatalf("%d conversations are kept, want the two that owe a file and a case", left)
	}
	kept, err := s.Conversations.Load(t.Context(), "telegram:1")
	if want := clock.Now().Add(24 * time.Hour); err != nil || !kept.KeptTill.Equal(want) || len(kept.Promises) != 1 || kept.Promises[0].Tries != 9 {
		t.Errorf("kept till %v with %+v (%v), want till %v with the file as it was", kept.KeptTill, kept.Promises, err, want)
	}
	kept.Promises = nil // somebody could keep it
	if err := s.Conversations.Save(t.Context(), &kept); err != nil {
		t.Fatal(err)
	}
	clock.Advance(24 * time.Hour)
	if left := forget(); left != 1 {
		t.Errorf("a day later %d conversations are kept, want the one that still owes its case", left)
	}
	clock.Advance(29*24*time.Hour - time.Second)
	if left := forget(); left != 1 || counts.Of("given_up") != 0 {
		t.Errorf("within the month %d are kept and %d promises given up, want 1 and 0", left, counts.Of("given_up"))
	}
	clock.Advance(24 * time.Hour)
	if left := forget(); left != 0 || counts.Of("given_up") != 1 {
		t.Errorf("after it %d are kept and %d promises given up, want 0 and 1", left, counts.Of("given_up"))
	}
	if lines := log.String(); strings.Count(lines, "level=ERROR") != 1 || !strings.Contains(lines, `msg="promise given up" kind=case tries=9 person_told=false`) {
		t.Errorf("the log has no one error line that it was given up:\n%s", lines)
	}
}

// The report that a message failed may be first, before it is noted whose it is; what it was is told all the same.
func TestDeliveries_failedBeforeNoted(t *testing.T) {
	v, err := secret.New(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	d := whatsappDeliveries{store.New(storetest.Bolt(t, nil)).Deliveries, v, func(wamid string) string { return wamid }}
	if _, _, _, err := d.Moved(t.Context(), "wamid.1", whatsapp.Sent); err != nil {
		t.Fatal(err)
	}
	noted := make(chan error, 1)
	go func() {
		time.Sleep(noting / 16) // the report is there by then
		noted <- d.Sent(t.Context(), "wamid.1", "593990000001", bot.Reply{Text: "Hola"})
	}()
	chat, r, forward, err := d.Moved(t.Context(), "wamid.1", whatsapp.Failed)
	if err != nil || chat != "593990000001" || r == nil || !r.Sealed || !forward {
		t.Errorf("got chat %q, reply %+v, forward %t, %v, want the chat and the sealed reply", chat, r, forward, err)
	}
	if err := <-noted; err != nil {
		t.Error(err)
	}
}
