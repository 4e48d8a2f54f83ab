package store_test

import (
	"context"
	"testing"

	"llave/internal/store"
	"llave/internal/store/storetest"
)

// Somebody else comes under a person's number while a message of that person is read: between any two calls of the store. The number
// is then one's of them, whoever that is, and each has their chat.
func TestPeople_takenMeanwhile(t *testing.T) {
	const phone = "593990000999"
	storetest.Engines(t, func(t *testing.T, e store.Engine) {
		nobody := func(context.Context, string) error { return nil }
		for at := 1; ; at++ {
			if _, err := e.DeleteRange(t.Context(), store.Query{Collection: store.Names}); err != nil {
				t.Fatal(err)
			}
			if _, err := e.DeleteRange(t.Context(), store.Query{Collection: store.Contacts}); err != nil {
				t.Fatal(err)
			}
			plain := store.New(e).People
			find := func(p *store.PeopleTable, id string) string {
				t.Helper()
				chat, err := p.Find(t.Context(), "whatsapp", store.KnownBy{Phone: phone, UserID: id}, nobody)
				if err != nil {
					t.Fatal(err)
				}
				return chat
			}
			first := find(plain, "EC.1")
			calls, second := 0, ""
			slow := store.New(storetest.Around(e, func(_ storetest.Call, do func() error) error {
				if calls++; calls == at {
					second = find(plain, "EC.2")
				}
				return do()
			})).People
			again := find(slow, "EC.1")
			if calls < at {
				break
			}
			if again != first || second == first {
				t.Errorf("before call %d: chats %q, %q of one and %q of the other", at, first, again, second)
			}
			reached := 0
			for _, chat := range []string{first, second} {
				if got, _, err := plain.Address(t.Context(), "whatsapp", chat); err != nil {
					t.Fatal(err)
				} else if got == phone {
					reached++
				}
			}
			if reached != 1 {
				t.Errorf("before call %d: %d chats have the number, want one", at, reached)
			}
		}
	})
}
