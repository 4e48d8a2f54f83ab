package flows_test

import (
	"strings"
	"testing"
	"time"

	"llave/bot"
	"llave/flows"
)

// soon does something a moment after what was done before, and returns what waits to be said.
func (k *talk) soon(u bot.Update) (said []bot.Promise) {
	k.t.Helper()
	k.owes = true
	k.now = k.now.Add(300*time.Millisecond - 5*time.Second) // step moves it by 5 s
	k.step(u)
	for _, p := range k.c.Promises {
		if p.Kind() == bot.PromiseSay {
			said = append(said, p)
		}
	}
	return said
}

func wrote(text string) bot.Update { return bot.Update{Kind: bot.Text, Text: text} }

// An album gets one bubble and counts as one miss; words under a photo that comes later are heard, and then they alone are
// answered.
func TestPieces_album(t *testing.T) {
	photo := bot.Update{Kind: bot.Media, Media: "photo", Album: "1"}
	k := at(t, flows.AskNumber)
	k.c.Promises = nil
	first := k.soon(photo)
	if len(first) != 1 || !first[0].NotBefore.Equal(k.now.Add(bot.PieceWait)) {
		t.Fatalf("the first photo: %+v, want one bubble that waits", first)
	}
	for range 2 {
		if said := k.soon(photo); len(said) != 1 || said[0].ID != first[0].ID || k.c.Misses != 1 {
			t.Errorf("another photo: %d bubbles and %d misses, want that of the first and 1", len(said), k.c.Misses)
		}
	}
	under := photo
	under.Kind, under.Text = bot.Text, "persona"
	if said := k.soon(under); len(said) != 1 || !said[0].NotBefore.IsZero() || k.c.Misses != 0 {
		t.Errorf("the words under one: %+v with %d misses, want one bubble that does not wait", said, k.c.Misses)
	}
	if k.c.Handoff == nil {
		t.Error("the words under one were not heard")
	}
}

// What has a meaning waits for nothing, nor does anybody at a terminal; what is no reply is no word: a thumb takes nothing back.
func TestPieces_noWait(t *testing.T) {
	k := at(t, flows.Menu)
	for _, words := range []string{"estado", "quiero desbloquear mi clave", "persona"} {
		k.c.Promises = nil
		if said := k.soon(wrote(words)); len(said) != 1 || !said[0].NotBefore.IsZero() {
			t.Errorf("%q: %+v, want one bubble that does not wait", words, said)
		}
	}
	c := bot.Conversation{ID: "terminal:1"}
	for i, words := range []string{"hola", "sí", "murciélago"} {
		var err error
		u := bot.Update{ID: string(rune('a' + i)), Channel: "terminal", Chat: "1", Kind: bot.Text, Text: words}
		if c, _, err = k.e.Step(t.Context(), c, u, bot.Env{Now: k.now}); err != nil {
			t.Fatal(err)
		}
	}
	if c.Misses != 1 || !c.ReplyDue().IsZero() {
		t.Errorf("at a terminal: %d misses, due %v, want one that does not wait", c.Misses, c.ReplyDue())
	}
	k = at(t, flows.Menu)
	k.c.Promises = nil
	before := k.soon(wrote("murciélago"))
	if after := k.soon(bot.Update{Kind: bot.Reaction}); len(after) != 1 || after[0].ID != before[0].ID || k.c.ReplyDue().IsZero() {
		t.Errorf("after a thumb: %+v, want the reply still waiting", after)
	}
}

// A piece leaves nothing behind when it is taken back: neither a miss nor a line that was never said. What it said is kept sealed,
// for as long as its reply waits.
func TestPieces_takenBack(t *testing.T) {
	k := at(t, flows.AskNumber)
	k.c.Promises = nil
	k.soon(wrote("17100340"))
	if k.c.Misses != 1 || k.c.Pieces == nil || strings.Contains(k.c.Pieces.Said, "17100340") {
		t.Fatalf("a piece: %d misses, pieces %+v, want a miss and what was said sealed", k.c.Misses, k.c.Pieces)
	}
	said := k.soon(wrote("65"))
	if k.c.State != flows.ConfirmNumber || k.c.Misses != 0 || len(said) != 1 || k.c.Pieces != nil {
		t.Errorf("in %s with %d misses, %d bubbles, pieces %+v", k.c.State, k.c.Misses, len(said), k.c.Pieces)
	}
	for _, l := range k.c.Tail {
		if l.From == bot.FromBot && strings.Contains(l.Text, "Revise el número") {
			t.Errorf("the transcript says %q, which was never said", l.Text)
		}
	}
}

// What a record or a timer has to say does not wait behind a piece: its reply goes out first, at once.
func TestPieces_signal(t *testing.T) {
	k := at(t, flows.LinkSent)
	k.c.Promises = nil
	k.soon(wrote("murciélago"))
	said := k.soon(bot.Update{Kind: bot.Signal, Signal: bot.SignalLinkUsed, Attempt: k.c.Attempt})
	if len(said) != 2 || !said[0].NotBefore.IsZero() || !said[1].NotBefore.IsZero() || k.c.Pieces != nil {
		t.Errorf("%+v, pieces %+v, want two bubbles that do not wait", said, k.c.Pieces)
	}
}

// Pieces are waited for no longer than a moment after the first.
func TestPieces_noLonger(t *testing.T) {
	k := at(t, flows.Menu)
	k.c.Promises = nil
	k.soon(wrote("murciélago"))
	due := k.c.ReplyDue()
	for range 4 {
		k.soon(wrote("vampiro"))
	}
	if !k.c.ReplyDue().Equal(due) || k.c.Misses != 1 {
		t.Errorf("due %v with %d misses, want %v and 1", k.c.ReplyDue(), k.c.Misses, due)
	}
	if k.soon(wrote("ceniza")); k.c.Misses != 2 || !k.c.ReplyDue().After(due) {
		t.Errorf("after the wait: %d misses, due %v, want another", k.c.Misses, k.c.ReplyDue())
	}
}
