package store_test

import (
	"strings"
	"testing"
	"time"

	"llave/bot"
	"llave/internal/store"
	"llave/internal/store/storetest"
	"llave/internal/unlock"
)

// Who asked for a link of a record stands there by the key of a turn, in which the id of an update stands. WhatsApp's hold the telephone:
// one that an earlier version wrote is carried over as messages are. And since a conversation that was erased keeps the ids of its
// updates, none of them stays with the record. Before, the telephone stood there in base64, and either led from one to the other.
func TestErase_asksLeadNowhere(t *testing.T) {
	storetest.Engines(t, func(t *testing.T, raw store.Engine) {
		e := clock(raw)
		s, _ := open(t, e, key)
		ctx := t.Context()
		now, err := e.Now(ctx)
		must(t, err)
		const message = "wamid.HBgMNTkzOTkwMDAwMDY1FQIAEhgUM0E0QTE4RTU2MTdERDQ4MDY1RkIA"
		must(t, s.Unlocks.Save(ctx, &unlock.Document{ID: "record", Asks: []unlock.Asked{{Turn: "whatsapp:593990000065/" + message, Attempt: "a", At: now.Add(-time.Hour)}}}))
		_, err = s.CarryUnlocks(ctx, false)
		must(t, err)
		turn := func() string {
			t.Helper()
			d, err := s.Unlocks.Load(ctx, "record")
			must(t, err)
			if len(d.Asks) != 1 {
				t.Fatalf("the limit does not stay: %+v", d.Asks)
			}
			return d.Asks[0].Turn
		}
		conv := s.Book.Conv("whatsapp:593990000065")
		if got, want := turn(), conv+"/"+s.Book.Message(message); got != want {
			t.Errorf("carried over it is %q, want %q", got, want)
		}
		must(t, s.Conversations.Save(ctx, &bot.Conversation{ID: conv, LastAt: now, Born: now, Numbers: []bot.Seen{{ID: "record", At: now}}, Seen: []bot.Seen{{ID: s.Book.Message(message), At: now}}}))
		must(t, s.EraseChat(ctx, nil, conv, now, false))
		if got := turn(); strings.Contains(got, conv) || strings.Contains(got, s.Book.Message(message)) || !strings.HasPrefix(got, "whatsapp:") {
			t.Errorf("erased it is %q", got)
		}
	})
}
