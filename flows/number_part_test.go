package flows_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"llave/bot"
	"llave/flows"
)

// What is masked, hidden or deleted in one message is so in several, at once or slowly: neither the transcript nor anything else that is
// kept shows a part.
func TestPieces_keptOfThem(t *testing.T) {
	for _, tt := range []struct {
		in      bot.State
		says    []string
		deleted int // on a channel that can, when they come slowly
	}{
		{flows.AskNumber, []string{"1710", "034065"}, 2},
		{flows.AskNumber, []string{"171", "003", "4065"}, 3},
		{flows.AskNumber, []string{"mi cédula es 1710", "034", "065"}, 3},
		{flows.Menu, []string{"171", "003", "4065"}, 3},
		{flows.Welcome, []string{"1710", "034", "065"}, 3},
		{flows.ConfirmNumber, []string{"0926", "687856"}, 2},
		{flows.Complaining, []string{"mi cédula es 17100", "34065 y me gritaron"}, 0},
		{flows.AskNumber, []string{"mi clave es", "Perro2024!"}, 0},
	} {
		for _, pause := range []time.Duration{300 * time.Millisecond, 20 * time.Second} {
			k := at(t, tt.in)
			k.c.Promises = nil
			deleted := map[string]bool{}
			for i, words := range tt.says {
				u := wrote(words)
				u.MessageID = fmt.Sprint("part", i)
				k.owes = true
				k.now = k.now.Add(pause - 5*time.Second) // step moves it by 5 s
				k.step(u)
			}
			for _, p := range k.c.Promises {
				if what, ok := p.What.(bot.Delete); ok {
					deleted[what.MessageID] = true
				}
			}
			for _, l := range k.c.Tail {
				for _, part := range []string{"1710", "171", "003", "034", "065", "4065", "0926", "687856", "34065", "Perro"} {
					if l.From == bot.FromPerson && strings.Contains(l.Text, part) && !strings.Contains(l.Text, "•••••") {
						t.Errorf("%s, %q every %s: the transcript says %q", tt.in, tt.says, pause, l.Text)
					}
				}
			}
			if len(deleted) != tt.deleted && tt.deleted > 0 {
				t.Errorf("%s, %q every %s: %d of the messages are deleted", tt.in, tt.says, pause, len(deleted))
			}
		}
	}
}

// A number in two parts, cut anywhere, comes to what it comes to in one message: read back, or what is wrong with it.
func TestPieces_checked(t *testing.T) {
	for _, number := range []string{known, "1710034064", "0934066123", "1790034060", "5010034067"} {
		whole := at(t, flows.AskNumber)
		want := whole.says(number).Event
		for cut := 1; cut < len(number); cut++ {
			k := at(t, flows.AskNumber)
			k.says(number[:cut])
			if got := k.says(number[cut:]).Event; got != want {
				t.Errorf("%q then %q: %s, in one message %s", number[:cut], number[cut:], got, want)
			}
		}
	}
}

// What begins a number anew is no end of what was typed before.
func TestPieces_begunAnew(t *testing.T) {
	for _, says := range [][]string{
		{"34065", "17100", "34065"}, {"065", "1710034", "065"}, {"171", "171", "0034065"}, {"17", "171", "003", "4065"}, {"17100340", "171003", "4065"},
	} {
		k := at(t, flows.AskNumber)
		for _, words := range says {
			k.says(words)
		}
		if k.c.State != flows.ConfirmNumber || !strings.Contains(k.reply.Text, "171 003 406 5") {
			t.Errorf("%q: in %s with %q", says, k.c.State, k.reply.Text)
		}
	}
}

// An edit of the last part replaces it.
func TestPieces_edited(t *testing.T) {
	k := at(t, flows.AskNumber)
	part := func(kind bot.Kind, id, words string) { k.step(bot.Update{Kind: kind, Text: words, MessageID: id}) }
	part(bot.Text, "a", "171")
	part(bot.Text, "b", "004")
	part(bot.Edited, "b", "003")
	part(bot.Text, "c", "4065")
	if !strings.Contains(k.reply.Text, "171 003 406 5") {
		t.Errorf("after an edit: %q", k.reply.Text)
	}
}

// A code in a few words is heard by its shape; a key is not taken for one, nor another word with a year.
func TestCode_fourDigits(t *testing.T) {
	for says, want := range map[string]bool{
		"ext-4471": true, "EXT-0001": true, "ext4471": true, "mi código es ext-4471": true, "soy extranjera, mi código es ext-4471, ayuda por favor": true,
		"XE-77120": true, "Perro2024": false, "clave2024": false, "mi código es correcto": false, "covid19": false,
	} {
		k := at(t, flows.Menu)
		k.says(says)
		if got := k.c.State == flows.ConfirmNumber; got != want {
			t.Errorf("%q in the menu: read back %t, want %t (%q)", says, got, want, k.reply.Text)
		}
	}
}

// A person who is asked for beside a number is called wherever it is said, and gets the number; one that is only spoken of is not.
func TestPerson_besideNumber(t *testing.T) {
	for _, s := range []bot.State{flows.Menu, flows.AskNumber, flows.ConfirmNumber, flows.ReadyToSend, flows.LinkSent, flows.KeyStep1, flows.AtOffice} {
		for _, says := range []string{"quiero una persona mi cedula es 0926687856", "0926687856 persona por favor", "persona 092 668 7856"} {
			k := at(t, s)
			k.says(says)
			if h := k.c.Handoff; h == nil || h.Number != "092•••••56" {
				t.Errorf("%q in %s: %q, %+v", says, s, k.reply.Text, h)
			}
		}
	}
	k := at(t, flows.AskNumber)
	if k.says("es de otra persona el 0926687856"); k.c.Handoff != nil {
		t.Errorf("somebody else's number: %q", k.reply.Text)
	}
}
