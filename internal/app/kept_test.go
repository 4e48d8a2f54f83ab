package app

import (
	"errors"
	"testing"
	"time"

	"llave/bot"
	"llave/bot/whatsapp"
	"llave/internal/config"
	"llave/internal/secret"
	"llave/internal/store"
	"llave/internal/store/storetest"
)

// A purge that dies half-way leaves nothing that the next one does not find: neither the names nor the conversation (P407).
func TestForget_halfWay(t *testing.T) {
	clock := storetest.NewClock(time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC))
	for _, fails := range []string{store.Names, store.Contacts, store.Conversations} {
		t.Run(fails, func(t *testing.T) {
			down := false
			s := store.New(storetest.Around(storetest.Bolt(t, clock.Now), func(c storetest.Call, do func() error) error {
				if down && c.Collection == fails && c.Write {
					return errors.New("the store is away")
				}
				return do()
			}))
			a := &App{Store: s, options: Options{Config: config.Config{}}}
			chat, err := s.People.Find(t.Context(), whatsapp.Name, "593990000001", "EC.1")
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

// The report that a message failed may be first, before it is noted whose it is; what it was is told all the same.
func TestDeliveries_failedBeforeNoted(t *testing.T) {
	v, err := secret.New(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	d := whatsappDeliveries{store.New(storetest.Bolt(t, nil)).Deliveries, v}
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
