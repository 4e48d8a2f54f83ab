package app_test

import (
	"fmt"
	"testing"
	"time"

	"llave/internal/bottest/world"
	"llave/internal/store"
)

// What comes of an erased chat and is no word of its person's brings nothing back: the platform delivers their last message again, since
// our answer to it was lost, or says that they blocked us (P722). Who writes is known again. Before, either of the two had the telephone
// or Telegram's id in the address book for eight days more.
func TestErase_nothingSaidSince(t *testing.T) {
	for _, on := range []world.Channel{world.Telegram, world.WhatsApp} {
		for name, comes := range map[string]func(p world.Phone){
			"delivered again": func(p world.Phone) { p.Repeat(world.Chat) },
			"blocked":         func(p world.Phone) { p.Block(world.Chat); p.Repeat(world.Chat) },
		} {
			for when, wait := range map[string]time.Duration{"a minute later": time.Minute, "before the address has gone": 0} {
				t.Run(fmt.Sprintf("%s/%s/%s", on.Name, name, when), func(t *testing.T) {
					w := world.NewOn(t, on, "")
					say := func(texts ...string) {
						t.Helper()
						for _, text := range texts {
							w.DoIn(world.Chat, func() error { w.Phone.Say(world.Chat, text); return nil })
						}
					}
					end := func(d time.Duration) {
						t.Helper()
						for ; d > 0; d -= 15 * time.Second {
							w.Later(15 * time.Second)
							if err := w.App.EndErasing(t.Context()); err != nil {
								t.Fatal(err)
							}
						}
					}
					kept := func() store.Kept {
						t.Helper()
						k, err := w.App.Store.KeptOf(t.Context(), conversation(w, world.Chat))
						if err != nil {
							t.Fatal(err)
						}
						return k
					}
					say("hola", "continuar")
					if k := kept(); k.Chat == "" && k.Contact == nil {
						t.Fatal("who writes is not known: nothing is shown")
					}
					say("mis datos", "borrar mis datos", "sí, borrar")
					end(wait)
					said := len(w.Phone.Messages(world.Chat))
					comes(w.Phone)
					w.Settle()
					end(time.Minute)
					if k := kept(); k.Chat != "" || k.Contact != nil {
						t.Errorf("the address is kept: %q, %+v", k.Chat, k.Contact)
					}
					if n := len(w.Phone.Messages(world.Chat)); n != said {
						t.Errorf("the person was written to %d times", n-said)
					}
					w.Phone.Unblock(world.Chat)
					say("hola")
					end(time.Minute)
					if k := kept(); k.Chat == "" && k.Contact == nil {
						t.Error("whoever writes again is not known")
					}
					if n := len(w.Phone.Messages(world.Chat)); n != said+1 {
						t.Errorf("whoever writes again is answered %d times", n-said)
					}
				})
			}
		}
	}
}
