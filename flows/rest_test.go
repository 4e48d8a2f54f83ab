package flows_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"llave/bot"
	"llave/flows"
)

// What is said in between takes the beginning of a number away from nobody: the rest of it is joined, at once or later.
func TestPieces_numberStays(t *testing.T) {
	between := map[string]bot.Update{
		"thanks": wrote("gracias"), "a photo": {Kind: bot.Media, Media: "photo"}, "a voice message": {Kind: bot.Media, Media: "voice"},
		"an old button": {Kind: bot.Press, Button: "continue", Prompt: -1}, "an emergency": wrote("auxilio me muero"), "the status": wrote("estado"),
	}
	for name, u := range between {
		for _, later := range []time.Duration{0, 20 * time.Second} {
			k := at(t, flows.AskNumber)
			k.c.Promises = nil
			k.soon(wrote("1710"))
			k.soon(u)
			k.now = k.now.Add(later)
			if k.soon(wrote("034065")); k.c.State != flows.ConfirmNumber {
				t.Errorf("%s in between, the rest %s later: in %s, want %s", name, later, k.c.State, flows.ConfirmNumber)
			}
		}
	}
}

// Words that come to the same bubble are not swallowed with what they do: the wish is kept, the complaint has them, the digits are part
// of the number.
func TestRest_keepsWhatItDoes(t *testing.T) {
	k := newTalk(t)
	k.soon(wrote("Oiga señorita"))
	k.soon(wrote("clave bloqueada"))
	if k.soon(bot.Update{Kind: bot.Press, Button: k.c.Shown[0], Prompt: k.c.Prompt}); k.c.State != flows.AskNumber {
		t.Errorf("a wish after a greeting: in %s, want %s", k.c.State, flows.AskNumber)
	}
	k = at(t, flows.AskNumber)
	k.soon(wrote("poner queja"))
	if k.soon(wrote("pésimo trato")); k.c.State != flows.ComplaintRead {
		t.Errorf("what happened, after the wish to complain: in %s, want %s", k.c.State, flows.ComplaintRead)
	}
	k = at(t, flows.Menu)
	k.soon(wrote("necesito desbloquear"))
	k.soon(wrote("171003"))
	k.now = k.now.Add(10 * time.Second)
	if k.soon(wrote("4065")); k.c.State != flows.ConfirmNumber {
		t.Errorf("digits after a wish: in %s, want %s", k.c.State, flows.ConfirmNumber)
	}
}

// Greetings in pieces are met once, and the buttons that are on the screen are the valid ones. What a press does is never left unsaid.
func TestRest_greetings(t *testing.T) {
	k := newTalk(t)
	first := k.soon(wrote("hola"))
	shown := k.c.Prompt
	k.soon(wrote("buenas"))
	if said := k.soon(wrote("tardes")); len(first) != 1 || len(said) != 1 || said[0].ID != first[0].ID {
		t.Errorf("%d and then %d bubbles, want the first alone", len(first), len(said))
	}
	if k.soon(bot.Update{Kind: bot.Press, Button: k.c.Shown[0], Prompt: shown}); k.c.State != flows.Menu {
		t.Errorf("the button under the first: in %s, want %s", k.c.State, flows.Menu)
	}
}

// Who waits for the desk to open is answered by the bot, and so in pieces too. What was taken back stands in no line that an agent will
// read, and the lines have no gap.
func TestPieces_ticket(t *testing.T) {
	k := at(t, flows.WithTicket)
	k.c.Promises = nil
	if !k.c.Handoff.Open() || k.c.Handoff.Status != bot.HandoffScheduled {
		t.Fatalf("the case is %+v", k.c.Handoff)
	}
	began, kept := k.c.Handoff.Lines, map[string][]bot.Line{}
	for _, words := range []string{"murciélago", "vampiro", "ceniza"} {
		k.soon(wrote(words))
		for _, p := range k.c.Promises {
			if lines, ok := p.What.(bot.KeepLines); ok {
				kept[p.ID] = lines.Lines
			}
		}
	}
	if k.c.Pieces == nil || k.c.Misses != 1 {
		t.Errorf("pieces %+v with %d misses, want one reply that waits, and one miss", k.c.Pieces, k.c.Misses)
	}
	var lines []bot.Line
	for _, of := range kept {
		lines = append(lines, of...)
	}
	slices.SortStableFunc(lines, func(a, b bot.Line) int { return int(a.Seq - b.Seq) })
	var said []string
	for i, l := range lines {
		if l.Seq != began+int64(i)+1 {
			t.Errorf("line %d has number %d, want %d", i, l.Seq, began+int64(i)+1)
		}
		said = append(said, l.From)
	}
	if want := []string{bot.FromPerson, bot.FromPerson, bot.FromPerson, bot.FromBot}; !slices.Equal(said, want) || k.c.Handoff.Lines != began+4 {
		t.Errorf("lines of %q, %d counted, want %q", said, k.c.Handoff.Lines-began, want)
	}
}

// What holds everywhere is heard by itself after a piece, though it counts as a miss.
func TestPieces_wordsThatHold(t *testing.T) {
	k := at(t, flows.AskNumber)
	k.c.Promises = nil
	k.soon(wrote("murciélago"))
	said := k.soon(wrote("no entiendo"))
	if len(said) != 1 || !strings.HasPrefix(said[0].What.(bot.Say).Reply.Text, "Se lo digo de otra manera") {
		t.Errorf("%d bubbles, %+v, want the question in other words", len(said), said)
	}
}

// A denial and what it denies are one, though the "no" was answered: what is denied is never taken for its opposite.
func TestRest_denied(t *testing.T) {
	for _, words := range [][]string{{"pero", "no", "tengo correo"}, {"no", "tengo", "correo"}, {"no", "tengo correo"}} {
		k := at(t, flows.LinkSent)
		var said []bot.Promise
		for _, w := range words {
			said = k.soon(wrote(w))
		}
		for _, p := range said {
			if text := p.What.(bot.Say).Reply.Text; strings.Contains(text, "Abra ese mensaje") {
				t.Errorf("%q: answered with %q, as if it were not denied", words, text)
			}
		}
		if len(said) == 0 || k.c.State == flows.LinkSent {
			t.Errorf("%q: in %s with %d bubbles, want what to do without a mailbox", words, k.c.State, len(said))
		}
	}
	k := at(t, flows.Menu)
	for _, w := range []string{"no", "quiero", "poner", "una", "queja"} {
		k.soon(wrote(w))
	}
	if k.c.State != flows.Menu {
		t.Errorf("no complaint wanted: in %s, want %s", k.c.State, flows.Menu)
	}
}

// Photos that are sent at once are one act for the limit of messages too, and silent beside words that were answered.
func TestAlbum_limit(t *testing.T) {
	for _, album := range []string{"", "1"} {
		k := at(t, flows.AskNumber)
		k.c.Promises, k.c.Recent = nil, nil
		under := bot.Update{Kind: bot.Text, Media: "photo", Text: "1710034065", Album: album}
		k.soon(under)
		k.c.Promises = nil
		for range 25 {
			if said := k.soon(bot.Update{Kind: bot.Media, Media: "photo", Album: album}); len(said) != 0 {
				t.Fatalf("album %q: a photo beside words: %d bubbles, want none", album, len(said))
			}
		}
		if k.c.Misses != 0 || len(k.c.Recent) != 1 {
			t.Errorf("album %q: %d misses and %d messages counted, want 0 and 1", album, k.c.Misses, len(k.c.Recent))
		}
		if k.soon(wrote("corregir")); k.c.State != flows.AskNumber {
			t.Errorf("album %q: after them in %s, want %s", album, k.c.State, flows.AskNumber)
		}
	}
}

// Two voice messages in a row are met with help once: the second could not know how to dictate. A later one is offered a person.
func TestAlbum_voices(t *testing.T) {
	k := at(t, flows.Menu)
	k.c.Promises = nil
	voice := bot.Update{Kind: bot.Media, Media: "voice"}
	first := k.soon(voice)
	if again := k.soon(voice); len(first) != 1 || len(again) != 1 || again[0].ID != first[0].ID {
		t.Errorf("two at once: %d and then %d bubbles, want the first's", len(first), len(again))
	}
	k.now = k.now.Add(20 * time.Second)
	k.c.Promises = nil
	if later := k.soon(voice); len(later) != 1 || later[0].What.(bot.Say).Reply.Text == first[0].What.(bot.Say).Reply.Text {
		t.Errorf("a later one: %+v, want another answer", later)
	}
}

// Who corrects the words under a picture has sent nothing: what they send next is answered.
func TestAlbum_edit(t *testing.T) {
	k := at(t, flows.Menu)
	k.soon(bot.Update{Kind: bot.Text, Media: "photo", Text: "me hicieron volver", MessageID: "m1"})
	k.now = k.now.Add(time.Minute)
	k.soon(bot.Update{Kind: bot.Edited, Media: "photo", Text: "me hicieron volver", MessageID: "m1"})
	k.c.Promises = nil
	if said := k.soon(bot.Update{Kind: bot.Media, Media: "document"}); len(said) != 1 {
		t.Errorf("a document after an edit: %d bubbles, want one", len(said))
	}
}

// Who agrees between two parts of a number has agreed, in words and under a picture.
func TestPieces_agreesBetween(t *testing.T) {
	for name, u := range map[string]bot.Update{
		"in words": wrote("sí"), "under a picture": {Kind: bot.Text, Media: "photo", Text: "sí"},
	} {
		k := newTalk(t)
		k.soon(wrote("hola"))
		k.now = k.now.Add(time.Minute)
		k.soon(wrote("desbloquear"))
		k.now = k.now.Add(time.Minute)
		k.soon(wrote("1710"))
		k.soon(u)
		if k.soon(wrote("034065")); k.c.State != flows.ConfirmNumber {
			t.Errorf("%s: in %s, want %s", name, k.c.State, flows.ConfirmNumber)
		}
	}
}
