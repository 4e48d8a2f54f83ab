package app_test

import (
	"testing"
	"time"

	"llave/internal/bottest/world"
)

// Somebody asks for another's number while the owner asks for it too. The owner uses the link of their own letter, and makes
// a key: the bystander hears nothing of it, and in its time that their link has ended (P204).
func TestBystander(t *testing.T) {
	for _, disclosure := range []string{"guided", "uniform"} {
		t.Run(disclosure, func(t *testing.T) {
			w := world.New(t, onePerson, "LLAVE_DISCLOSURE="+disclosure)
			const bystander, owner = world.Chat, world.Chat + 1
			for _, chat := range []int64{bystander, owner} {
				for _, text := range []string{"hola", "1", "1", theirs, "1", "1"} {
					w.DoIn(chat, func() error { w.Phone.Say(chat, text); return nil })
				}
			}
			before := len(w.Phone.Messages(bystander))
			heard := w.DoIn(owner, func() error { pressLink(t, w); return nil })
			wantBubble(t, "the link being used", heard, "ya está desbloqueada")
			if more := w.Phone.Messages(bystander)[before:]; len(more) > 0 {
				t.Errorf("the bystander hears %q", more[0].Text)
			}
			w.Later(11 * time.Minute)
			wantBubble(t, "in its time", w.Phone.Messages(bystander)[before:], "ya no sirve")
			if n := len(w.Phone.Messages(bystander)[before:]); n != 1 {
				t.Errorf("the bystander hears %d messages, want one", n)
			}
		})
	}
}
