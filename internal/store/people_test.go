package store_test

import (
	"context"
	"slices"
	"testing"

	"llave/internal/store"
	"llave/internal/store/storetest"
)

// While a message of a person is read, between any two calls of the store, others are: of somebody else who comes under the same number, and
// before that of the person too. The number is then one's of the two, and each has their chat.
func TestPeople_takenMeanwhile(t *testing.T) {
	const phone = "593990000999"
	nobody := func(context.Context, string) error { return nil }
	storetest.Engines(t, func(t *testing.T, e store.Engine) {
		for _, c := range []struct{ before, meanwhile []string }{
			{[]string{"EC.1"}, []string{"EC.2"}},
			{nil, []string{"EC.2"}},
			{nil, []string{"EC.1", "EC.2"}},
			{[]string{"EC.2"}, []string{"EC.1"}},
			{nil, []string{"EC.2", "EC.1"}},
		} {
			for at := 1; ; at++ {
				for _, collection := range []string{store.Names, store.Book} {
					if _, err := e.DeleteRange(t.Context(), store.Query{Collection: collection}); err != nil {
						t.Fatal(err)
					}
				}
				chats := map[string][]string{}
				find := func(p *store.PeopleTable, id string) {
					t.Helper()
					chat, err := p.Find(t.Context(), "whatsapp", store.KnownBy{Phone: phone, UserID: id}, nobody)
					if err != nil {
						t.Fatal(err)
					}
					chats[id] = append(chats[id], chat)
				}
				plain := store.New(e).People
				for _, id := range c.before {
					find(plain, id)
				}
				calls := 0
				find(store.New(storetest.Around(e, func(_ storetest.Call, do func() error) error {
					if calls++; calls == at {
						for _, id := range c.meanwhile {
							find(plain, id)
						}
					}
					return do()
				})).People, "EC.1")
				if calls < at {
					break
				}
				first, second := chats["EC.1"], chats["EC.2"]
				if len(slices.Compact(first)) != 1 || len(slices.Compact(second)) != 1 || first[0] == second[0] {
					t.Errorf("%v, before call %d: chats %q and %q", c, at, first, second)
					continue
				}
				reached := 0
				for _, chat := range []string{first[0], second[0]} {
					if got, _, err := plain.Address(t.Context(), "whatsapp", chat); err != nil {
						t.Fatal(err)
					} else if got == phone {
						reached++
					}
				}
				if reached != 1 {
					t.Errorf("%v, before call %d: %d chats have the number, want one", c, at, reached)
				}
			}
		}
	})
}
