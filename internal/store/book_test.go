package store_test

import (
	"context"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/internal/store"
	"llave/internal/store/storetest"
)

// reads counts what is read of the address book.
type reads struct {
	*clocked
	book int
}

func (r *reads) Get(ctx context.Context, collection, id string) (bson.Raw, error) {
	if collection == store.Book {
		r.book++
	}
	return r.clocked.Get(ctx, collection, id)
}

// A turn reads the address book once: whoever has just written is answered where they wrote, also when another process drops the address
// of an erased chat at that moment.
func TestBook_readOnceATurn(t *testing.T) {
	storetest.Engines(t, func(t *testing.T, e store.Engine) {
		r := &reads{clocked: clock(e)}
		s, v := open(t, r, key)
		other := store.New(r)
		other.Seal(v)
		conv := chatOf(t, s, "1")
		r.book = 0
		name, err := s.Book.Enter(t.Context(), "telegram", "1")
		must(t, err)
		_, err = s.Conversations.Load(t.Context(), conv)
		must(t, err)
		now, err := s.Now(t.Context())
		must(t, err)
		if r.book != 1 {
			t.Errorf("the address book is read %d times before the answer, want once", r.book)
		}
		must(t, other.EraseChat(t.Context(), nil, conv, now, false))
		r.book = 0
		if chat, err := s.Book.Chat(t.Context(), "telegram", name); err != nil || chat != "1" || r.book != 0 {
			t.Errorf("the answer goes to %q, %v, after %d more reads", chat, err, r.book)
		}
		if chat, err := other.Book.Chat(t.Context(), "telegram", name); err != nil || chat != "" {
			t.Errorf("an erased chat is at %q, %v", chat, err)
		}
	})
}
