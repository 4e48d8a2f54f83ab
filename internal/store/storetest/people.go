package storetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"llave/bot"
	"llave/internal/store"
)

// people follows persons whose names appear, change and go. The chat stays; the address is what they are called now.
func people(t *testing.T, s *store.Store) {
	ctx := t.Context()
	var gone []string // chats whose number was taken since find was last asked
	left := func(_ context.Context, chat string) error { gone = append(gone, chat); return nil }
	find := func(phone, userID, want string, wantLeft ...string) {
		t.Helper()
		gone = nil
		got, err := s.People.Find(ctx, "whatsapp", store.KnownBy{Phone: phone, UserID: userID}, left)
		if err != nil || got != want || !slices.Equal(gone, wantLeft) {
			t.Errorf("%q, %q: got chat %q, left %q, %v, want %q, left %q", phone, userID, got, gone, err, want, wantLeft)
		}
	}
	move := func(from, to store.KnownBy, wantLeft ...string) {
		t.Helper()
		gone = nil
		for range 2 { // it may be told twice
			if err := s.People.Move(ctx, "whatsapp", from, to, left); err != nil || !slices.Equal(gone, wantLeft) {
				t.Errorf("%v to %v: left %q, %v, want left %q", from, to, gone, err, wantLeft)
			}
		}
	}
	address := func(chat, phone, userID string) {
		t.Helper()
		if p, u, err := s.People.Address(ctx, "whatsapp", chat); err != nil || p != phone || u != userID {
			t.Errorf("address of %s: got %q, %q, %v, want %q, %q", chat, p, u, err, phone, userID)
		}
	}
	find("593990000001", "", "593990000001")
	address("593990000001", "593990000001", "")
	find("593990000001", "EC.1", "593990000001") // the user id appears
	find("", "EC.1", "593990000001")             // the number goes
	address("593990000001", "", "EC.1")
	find("593990000001", "EC.1", "593990000001") // and comes back
	address("593990000001", "593990000001", "EC.1")

	find("", "EC.2", "EC.2") // somebody without a number, which appears
	address("EC.2", "", "EC.2")
	find("593990000002", "EC.2", "EC.2")
	find("593990000002", "", "EC.2")

	move(store.KnownBy{Phone: "593990000002"}, store.KnownBy{Phone: "593990000003"}) // a number changes
	find("593990000003", "", "EC.2")
	address("EC.2", "593990000003", "")                                                              // and with it the user id, which is not known yet
	find("593990000002", "", "593990000002")                                                         // somebody else has the old one now
	move(store.KnownBy{Phone: "593990000002"}, store.KnownBy{Phone: "593990000003"}, "593990000002") // told late: it may be either of them, so nobody moves
	address("EC.2", "593990000003", "")
	find("593990000002", "EC.2", "EC.2") // late: it was written before the number changed
	address("EC.2", "593990000003", "")
	find("593990000003", "EC.2b", "EC.2")
	address("EC.2", "593990000003", "EC.2b")

	find("593990000004", "", "593990000004")
	move(store.KnownBy{Phone: "593990000004"}, store.KnownBy{Phone: "593990000005"})
	find("593990000004", "", "593990000004.2") // whose chat was another's once
	find("593990000005", "", "593990000004")

	find("593990000006", "", "593990000006") // two chats turn out to be one person's: the user id's is kept
	find("", "EC.6", "EC.6")
	find("593990000006", "EC.6", "EC.6", "593990000006")
	find("593990000006", "", "EC.6")
	address("593990000006", "", "") // nothing of the other goes there any more

	find("593990000011", "EC.11", "593990000011") // a number changes and nobody says so
	find("593990000012", "EC.11", "593990000011")
	find("593990000011", "EC.12", "593990000011.2") // somebody else has the old one now
	address("593990000011", "593990000012", "EC.11")

	find("593990000021", "EC.21", "593990000021") // a number changes hands
	find("593990000021", "EC.22", "593990000021.2", "593990000021")
	address("593990000021", "", "EC.21")
	address("593990000021.2", "593990000021", "EC.22")
	find("593990000021", "", "593990000021.2")
	find("593990000021", "EC.21", "593990000021") // late: it was written before that
	address("593990000021", "", "EC.21")
	find("593990000021", "EC.22", "593990000021.2")
	move(store.KnownBy{Phone: "593990000021", UserID: "EC.21"}, store.KnownBy{Phone: "593990000023", UserID: "EC.23"}) // whose it was is heard of after all
	address("593990000021", "593990000023", "EC.23")
	address("593990000021.2", "593990000021", "EC.22")
	find("593990000023", "EC.23", "593990000021")

	find("593990000031", "EC.31", "593990000031") // a person moves to a number that was another's
	find("593990000032", "EC.32", "593990000032")
	move(store.KnownBy{Phone: "593990000031", UserID: "EC.31"}, store.KnownBy{Phone: "593990000032", UserID: "EC.33"}, "593990000032")
	address("593990000031", "593990000032", "EC.33")
	address("593990000032", "", "EC.32")

	find("593990000041", "EC.41", "593990000041") // a person writes under the new names before the channel says so
	find("593990000042", "EC.42", "593990000042")
	move(store.KnownBy{Phone: "593990000041", UserID: "EC.41"}, store.KnownBy{Phone: "593990000042", UserID: "EC.42"}, "593990000042")
	find("593990000042", "EC.42", "593990000041")
	address("593990000042", "", "")

	forget := func(chat string) {
		t.Helper()
		_, err := s.People.Forget(ctx, "whatsapp", chat, func() (bool, error) { return true, nil })
		must(t, err)
	}
	forget("593990000041")
	find("593990000041", "EC.41", "593990000041")
	forget("EC.6")
	address("EC.6", "", "")
	find("", "EC.6", "EC.6")
	move(store.KnownBy{Phone: "593990000099"}, store.KnownBy{Phone: "593990000098"}) // nobody we know
	find("593990000098", "", "593990000098")
}

// peopleRace: one new person writes to many processes at once and gets one chat.
func peopleRace(t *testing.T, s *store.Store) {
	chats := make([]string, 16)
	var wg sync.WaitGroup
	for i := range chats {
		wg.Go(func() {
			phone, userID := "593990000777", "EC.777"
			if i%3 == 1 {
				userID = ""
			}
			var err error
			if chats[i], err = s.People.Find(t.Context(), "whatsapp", store.KnownBy{Phone: phone, UserID: userID}, nobodyLeft(t)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if slices.ContainsFunc(chats, func(c string) bool { return c != chats[0] }) {
		t.Errorf("got chats %q, want one", chats)
	}
}

// nobodyLeft is for where no number changes hands.
func nobodyLeft(t *testing.T) store.Left {
	return func(_ context.Context, chat string) error {
		t.Errorf("the number of %s was taken", chat)
		return nil
	}
}

// peopleTwice: two persons come under one number at once, to many processes: each has a chat, and one of them the number.
func peopleTwice(t *testing.T, s *store.Store) {
	chats := make([]string, 16)
	var wg sync.WaitGroup
	for i := range chats {
		wg.Go(func() {
			var err error
			who := store.KnownBy{Phone: "593990000888", UserID: fmt.Sprint("EC.", 880+i%2)}
			if chats[i], err = s.People.Find(t.Context(), "whatsapp", who, func(context.Context, string) error { return nil }); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	reached := 0
	for i, chat := range chats {
		if chat != chats[i%2] || chats[0] == chats[1] {
			t.Fatalf("got chats %q, want one for each of the two", chats)
		}
		if phone, _, err := s.People.Address(t.Context(), "whatsapp", chat); i < 2 && phone != "" {
			reached++
		} else if err != nil {
			t.Error(err)
		}
	}
	if reached != 1 {
		t.Errorf("%d chats have the number, want one", reached)
	}
}

// deliveries only move forward, whoever is first.
func deliveries(t *testing.T, s *store.Store) {
	order := []string{"", "accepted", "sent", "read"}
	move := func(id, status string, want store.Delivery, change func(*store.Delivery)) {
		t.Helper()
		got, err := s.Deliveries.Move(t.Context(), id, status,
			func(before string) bool { return slices.Index(order, status) > slices.Index(order, before) }, change)
		if err != nil || got.Status != want.Status || got.Conv != want.Conv || (got.Reply == nil) != (want.Reply == nil) {
			t.Errorf("%s: got %+v, %v, want %+v", status, got, err, want)
		}
	}
	none := func(*store.Delivery) {}
	owner := func(d *store.Delivery) { d.Conv, d.Reply = "whatsapp:1", &bot.Reply{Text: "Hola"} }
	drop := func(d *store.Delivery) { d.Reply = nil }
	hola := &bot.Reply{Text: "Hola"}
	move("w1", "accepted", store.Delivery{Status: "accepted", Conv: "whatsapp:1", Reply: hola}, owner)
	move("w1", "read", store.Delivery{Status: "read", Conv: "whatsapp:1"}, drop)
	move("w1", "sent", store.Delivery{Status: "read", Conv: "whatsapp:1"}, none)
	move("w2", "sent", store.Delivery{Status: "sent"}, none) // before we could note whose it is
	move("w2", "accepted", store.Delivery{Status: "sent", Conv: "whatsapp:1", Reply: hola}, owner)
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			status := order[1+i%3]
			_, err := s.Deliveries.Move(t.Context(), "w3", status, func(before string) bool {
				return slices.Index(order, status) > slices.Index(order, before)
			}, none)
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	move("w3", "sent", store.Delivery{Status: "read"}, none)
	now, err := s.Now(t.Context())
	must(t, err)
	if n, err := s.Deliveries.Forget(t.Context(), now.Add(time.Minute), 100); err != nil || n != 3 {
		t.Errorf("forget: got %d, %v, want 3", n, err)
	}
}

// images remembers what channels call them: the last name counts, and each channel has its own.
func images(t *testing.T, s *store.Store) {
	ctx := t.Context()
	named := func(channel, hash, want string) {
		t.Helper()
		if got, err := s.Images.Find(ctx, channel, hash); err != nil || got != want {
			t.Errorf("%s, %s: got %q, %v, want %q", channel, hash, got, err, want)
		}
	}
	named("telegram", "a1", "")
	must(t, s.Images.Keep(ctx, "telegram", "a1", "first"))
	must(t, s.Images.Keep(ctx, "telegram", "a1", "second"))
	named("telegram", "a1", "second")
	named("whatsapp", "a1", "")
	named("telegram", "b2", "")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if err := s.Images.Keep(ctx, "whatsapp", "a1", "media"); err != nil {
				t.Errorf("keep at once: %v", err)
			}
		})
	}
	all.Wait()
	named("whatsapp", "a1", "media")
}
