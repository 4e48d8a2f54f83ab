package bot_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"llave/bot"
)

// chest is a flow of one place where things are laid down: "nota …" is a part of a note, digits are a fragment that keeps a slot.
func chest(t testing.TB) *bot.Engine {
	t.Helper()
	o := options()
	o.Start = "Chest"
	o.Seal = func(_ string, _ bot.Sealed, s string) string { return "sealed:" + s }
	o.Open = func(_ string, _ bot.Sealed, s string) (string, error) { return strings.TrimPrefix(s, "sealed:"), nil }
	o.Whole = func(t *bot.Turn) bool { return t.Says("help") != "" }
	o.Languages = []bot.Catalogue{{Language: "es", Labels: labels, Texts: map[string]bot.Entry{
		"chest": {Text: "¿Qué pone?", Buttons: []string{"yes", "no"}}, "note": {Text: "Nota: {note}.", Aside: true},
		"half": {Text: "¿Y el resto? {question}", Aside: true}, "all": {Text: "Tengo {digits}.", Aside: true},
		"missed": texts["missed"], "help": texts["help"], "stale": texts["stale"], "lid": {Text: "Está cerrado.", Buttons: []string{"yes"}},
	}}}
	o.Vars = map[string]func(*bot.Turn) string{
		"note": func(t *bot.Turn) string { return t.Slot("note") }, "digits": func(t *bot.Turn) string { return t.Slot("digits") },
	}
	hear := func(_ context.Context, t *bot.Turn) (bot.Event, error) {
		digits := strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' {
				return r
			}
			return -1
		}, t.Text())
		switch note, is := strings.CutPrefix(t.Text(), "nota "); {
		case t.Choice() == "no":
			return "Closed", nil
		case is:
			t.Remember("note", strings.TrimSpace(t.Slot("note")+" "+note))
			t.Part()
			return "Noted", nil
		case len(digits) >= 4:
			t.Remember("digits", digits)
			return "Whole", nil
		case digits != "":
			if digits = t.Slot("half") + digits; len(digits) >= 4 {
				t.Remember("digits", digits)
				return "Whole", nil
			}
			t.Remember("half", digits)
			t.Miss()
			t.Piece("half")
			return "Half", nil
		}
		return "", nil
	}
	any := func(_ context.Context, t *bot.Turn) (bot.Event, error) {
		switch {
		case t.Says("help") != "":
			return "AskedHelp", nil
		case t.Update.Kind == bot.Reaction:
			return bot.Ignored, nil
		}
		return "", nil
	}
	rows := places()[3].Rows
	rows = slices.DeleteFunc(rows, func(r bot.Row) bool { return r.Event == "Told" || r.Event == "WentBack" || r.Event == bot.MissedOften })
	e, err := bot.NewEngine(o,
		bot.In("Chest", "chest", hear, bot.On("Noted", bot.Stay, "note"), bot.On("Half", bot.Stay, "half"), bot.On("Whole", bot.Stay, "all"), bot.On("Closed", "Lid", "")),
		bot.In("Lid", "lid", hear, bot.On("Noted", "Chest", "note"), bot.On("Half", bot.Stay, "half"), bot.On("Whole", bot.Stay, "all"), bot.On("Closed", "Chest", "")),
		bot.In(bot.Any, "", any, append(rows, bot.On(bot.MissedOften, "Chest", ""))...))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// soon plays messages that come 300 ms after one another, and returns the conversation and what waits to be said.
func soon(t testing.TB, e *bot.Engine, all ...bot.Update) (c bot.Conversation, said []string) {
	t.Helper()
	c = bot.Conversation{ID: "telegram:1"}
	for i, u := range all {
		u.ID, u.Channel, u.Chat = fmt.Sprint(i), "telegram", "1"
		var err error
		if c, _, err = e.Step(context.Background(), c, u, bot.Env{Now: noon.Add(time.Duration(i) * 300 * time.Millisecond)}); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range c.Promises {
		if say, ok := p.What.(bot.Say); ok {
			said = append(said, say.Reply.Text)
		}
	}
	return c, said
}

func write(words ...string) (all []bot.Update) {
	for _, w := range words {
		all = append(all, bot.Update{Kind: bot.Text, Text: w})
	}
	return all
}

// A part stays, and one bubble is said to all of them; a fragment is undone, and what it was told to keep stays where the next message
// is no part of it.
func TestPiece(t *testing.T) {
	e := chest(t)
	pressed := bot.Update{Kind: bot.Press, Button: "old", Prompt: -1}
	for _, tt := range []struct {
		name  string
		comes []bot.Update
		said  []string
		slots map[string]string
	}{
		{"parts", write("nota uno", "nota dos", "nota tres"), []string{"Nota: uno dos tres."}, map[string]string{"note": "uno dos tres"}},
		{"a part and what is none", write("nota uno", "ayuda"), []string{"Le ayudo. ¿Qué pone?"}, map[string]string{"note": "uno"}},
		{"a part and a thumb", append(write("nota uno"), bot.Update{Kind: bot.Reaction}), []string{"Nota: uno."}, map[string]string{"note": "uno"}},
		{"a part and a fragment", write("nota uno", "12", "34"), []string{"Tengo 1234."}, map[string]string{"note": "uno", "digits": "1234"}},
		{"fragments", write("12", "34"), []string{"Tengo 1234."}, map[string]string{"half": "", "digits": "1234"}},
		{"something between", append(write("12", "ayuda"), write("34")...), []string{"Le ayudo. ¿Qué pone?", "Tengo 1234."}, map[string]string{"digits": "1234"}},
		{"a button between", append(append(write("12"), pressed), write("34")...), []string{"Ese botón ya no sirve. ¿Qué pone?", "Tengo 1234."}, map[string]string{"digits": "1234"}},
	} {
		c, said := soon(t, e, tt.comes...)
		if !slices.Equal(said, tt.said) {
			t.Errorf("%s: said %q, want %q", tt.name, said, tt.said)
		}
		for name, want := range tt.slots {
			if c.Slots[name] != want {
				t.Errorf("%s: slot %s is %q, want %q", tt.name, name, c.Slots[name], want)
			}
		}
	}
}

// A word that would choose something alone chooses nothing after a denial, nor after a word to which it belongs. By itself it does, and
// so does a digit.
func TestPiece_choices(t *testing.T) {
	e := chest(t)
	for _, tt := range []struct {
		words []string
		state bot.State
	}{
		{[]string{"no"}, "Lid"},
		{[]string{"murciélago", "2"}, "Lid"},
		{[]string{"los", "dos"}, "Chest"},
		{[]string{"dos"}, "Lid"},
		{[]string{"necesito", "una"}, "Chest"},
		{[]string{"nunca", "dos"}, "Chest"},
	} {
		if c, _ := soon(t, e, write(append([]string{"ayuda"}, tt.words...)...)...); c.State != tt.state {
			t.Errorf("%q: in %s, want %s", tt.words, c.State, tt.state)
		}
	}
}

// The same bubble is not said again to more words within the wait, and its buttons are valid; to a word that holds everywhere it is.
func TestRest_sameBubble(t *testing.T) {
	e := chest(t)
	c, said := soon(t, e, write("1234", "1234")...)
	if len(said) != 1 || c.Turns != 2 || len(c.Seen) != 2 {
		t.Errorf("the same again: said %q in %d turns, want one bubble and two turns", said, c.Turns)
	}
	if _, said := soon(t, e, write("ayuda", "ayuda")...); len(said) != 2 {
		t.Errorf("help asked for twice: %q, want both", said)
	}
	if _, said := soon(t, e, write("12", "34", "1234", "1234", "1234", "1234")...); len(said) != 1 {
		t.Errorf("the same again, the first of them later than the wait behind the first piece: %q, want one bubble", said)
	}
	if _, said := soon(t, e, write("1234", "12345")...); len(said) != 2 {
		t.Errorf("something else: %q, want both", said)
	}
}

// Where a bubble is sent by itself, the words are all of it; the buttons that answer an overtaken question are left out.
func TestOvertaken(t *testing.T) {
	asks := bot.Reply{Text: "¿Sigue?", Ask: 9, Hint: "sí", Buttons: []bot.Button{{ID: "yes"}, {ID: "page", URL: "https://x.example"}}}
	for _, tt := range []struct {
		name    string
		first   bot.Reply
		later   []bot.Reply
		buttons int
	}{
		{"nothing later", asks, nil, 2},
		{"news later", asks, []bot.Reply{{Text: "Ya."}}, 2},
		{"a question later", asks, []bot.Reply{{Text: "Ya."}, {Text: "¿Otro?", Ask: 7}}, 1},
		{"an agent's question later", asks, []bot.Reply{{Text: "¿Otro?", Ask: 7, By: "Ana"}}, 2},
	} {
		got := bot.Overtaken(tt.first, tt.later)
		if got.Text != asks.Text || len(got.Buttons) != tt.buttons || (got.Hint == "") != (tt.buttons == 1) {
			t.Errorf("%s: %+v, want the words and %d buttons", tt.name, got, tt.buttons)
		}
	}
	if len(asks.Buttons) != 2 {
		t.Error("the bubble that waits was changed")
	}
}

// What may be on its way is not taken back when the same is said again: the first bubble, and while somebody sends, all that may go
// out in one with it.
func TestOvertake_underWay(t *testing.T) {
	e := chest(t)
	for _, tt := range []struct {
		kept bool
		want int
	}{{false, 2}, {true, bot.OneBubble + 1}} {
		c := bot.Conversation{ID: "telegram:1"}
		for i := range 8 {
			if tt.kept {
				c.Keepers = map[bot.Lane]bot.Keeper{bot.LaneChat: {Who: "a", Until: noon.Add(time.Hour)}}
			}
			u := bot.Update{ID: fmt.Sprint(i), Channel: "telegram", Chat: "1", Kind: bot.Text, Text: "ayuda"}
			var err error
			if c, _, err = e.Step(context.Background(), c, u, bot.Env{Now: noon.Add(time.Duration(i) * time.Second)}); err != nil {
				t.Fatal(err)
			}
		}
		if got := len(c.Promises); got != tt.want {
			t.Errorf("somebody sends: %t; %d bubbles wait, want %d", tt.kept, got, tt.want)
		}
	}
}
