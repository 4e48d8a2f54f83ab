package unlock_test

import (
	"errors"
	"strings"
	"testing"

	"llave/bot"
	"llave/internal/affiliate"
	"llave/internal/unlock"
)

// askAs asks for a link from a chat, and returns the letter that it brings.
func (s *service) askAs(conv, number string) unlock.Letter {
	s.t.Helper()
	record := affiliate.Hash(s.vault, number)
	res, err := s.Reserve(s.t.Context(), bot.Ask{
		Turn: s.next(), Conv: conv, Record: record, Number: number, Want: "unlock", Channel: "telegram",
	})
	if err != nil {
		s.t.Fatal(err)
	}
	l, err := s.Letter(s.t.Context(), promise(record, res.Attempt), conv)
	if err != nil {
		s.t.Fatal(err)
	}
	return l
}

// hears is which conversations are owed a signal.
func hears(d *unlock.Document, signal string) (convs []string) {
	for _, p := range d.Promises {
		if what, ok := p.What.(bot.SendSignal); ok && what.Signal == signal {
			convs = append(convs, what.Conv)
		}
	}
	return convs
}

// A stranger asks for somebody's number while the owner's link lives: each letter bears a link of its own, all of them use the
// one attempt, and only the chat whose link was used hears of it and of the key (P204).
func TestLinks_ofChats(t *testing.T) {
	for name, pressed := range map[string]string{"the first": "telegram:1", "the second": "whatsapp:2"} {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			letters := map[string]unlock.Letter{}
			for _, conv := range []string{"telegram:1", "whatsapp:2"} {
				letters[conv] = s.askAs(conv, locked)
				if channel, _ := bot.SplitConversationID(conv); letters[conv].Channel != channel {
					t.Errorf("the letter names %s, want the chat's own channel %s", letters[conv].Channel, channel)
				}
			}
			if again := s.askAs("whatsapp:2", locked); again.Token != letters["whatsapp:2"].Token {
				t.Error("asked again, the same chat has another link")
			}
			if letters["telegram:1"].Token == letters["whatsapp:2"].Token {
				t.Fatal("two chats have one link")
			}
			token := letters["whatsapp:2"].Token
			for _, wrong := range []string{token[:len(token)-1] + "~", token + "x", token[:len(token)-1], letters["telegram:1"].Token + strings.Repeat("A", 8)} {
				if _, err := s.Look(t.Context(), wrong, "n"); !errors.Is(err, unlock.ErrUnknown) {
					t.Errorf("%s: %v, want ErrUnknown", wrong, err)
				}
				if _, err := s.Redeem(t.Context(), wrong, "n"); !errors.Is(err, unlock.ErrUnknown) {
					t.Errorf("%s is pressed: %v, want ErrUnknown", wrong, err)
				}
			}
			r, err := s.Redeem(t.Context(), letters[pressed].Token, "n")
			if err != nil {
				t.Fatal(err)
			}
			for conv, l := range letters {
				if _, err := s.Redeem(t.Context(), l.Token, "another browser"); !errors.Is(err, unlock.ErrUsed) {
					t.Errorf("the link of %s is pressed afterwards: %v, want ErrUsed", conv, err)
				}
			}
			if _, err := s.MakeKey(t.Context(), r.KeyPass, "cuatro caballos pintan la luna"); err != nil {
				t.Fatal(err)
			}
			d := s.document(locked)
			for _, signal := range []string{bot.SignalLinkUsed, bot.SignalKeyMade} {
				if got := hears(d, signal); len(got) != 1 || got[0] != pressed {
					t.Errorf("%s is told to %v, want %s alone", signal, got, pressed)
				}
			}
		})
	}
}

// A link that an older version mailed to two chats is one link: it works until it ends, and the first chat hears of it.
func TestLinks_ofAnOlderVersion(t *testing.T) {
	s := newService(t)
	first := s.askAs("telegram:1", locked)
	s.askAs("whatsapp:2", locked)
	l, err := s.Letter(t.Context(), promise(affiliate.Hash(s.vault, locked), s.document(locked).Live.ID), "")
	if err != nil || l.Token != first.Token {
		t.Fatalf("the letter of a promise without a chat: %q (%v), want the first chat's link", l.Token, err)
	}
	if _, err := s.Redeem(t.Context(), l.Token, "n"); err != nil {
		t.Fatal(err)
	}
	if got := hears(s.document(locked), bot.SignalLinkUsed); len(got) != 1 || got[0] != "telegram:1" {
		t.Errorf("it is told to %v", got)
	}
}
