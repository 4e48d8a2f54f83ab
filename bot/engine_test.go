package bot_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"llave/bot"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// texts of a small flow: a door, a hall, a cellar.
var texts = map[string]bot.Entry{
	"door":      {Text: "¿Entra?", Again: []string{"¿Entra o no?", "Diga sí o no."}, Buttons: []string{"yes", "no"}},
	"hall":      {Text: "Está en la sala, {who}.", Buttons: []string{"down", "letter"}},
	"cellar":    {Text: "Está en el sótano.", Buttons: []string{"down"}},
	"missed":    {Text: "No entendí. {again}", Aside: true},
	"help":      {Text: "Le ayudo. {question}", Aside: true},
	"stale":     {Text: "Ese botón ya no sirve. {question}", Aside: true},
	"mailed":    {Text: "Va la carta a {secret}.", Buttons: []string{"down"}},
	"told":      {Text: "Se acabó.", Aside: true},
	"forbidden": {Text: "x"},
}

var labels = map[string]bot.Label{
	"yes": {Title: "Sí", Words: []string{"claro"}}, "no": {Title: "No"}, "down": {Title: "Bajar"}, "letter": {Title: "Enviar"},
	"back": {Words: []string{"atrás"}}, "help": {Words: []string{"ayuda"}},
}

func options() bot.Options {
	return bot.Options{
		Start: "Door", Languages: []bot.Catalogue{{Language: "es", Texts: texts, Labels: labels}},
		Secrets: map[string]func(*bot.Turn) string{"secret": func(*bot.Turn) string { return "1790000002" }},
		Vars:    map[string]func(*bot.Turn) string{"who": func(*bot.Turn) string { return "alguien" }},
		Seal:    func(_ string, _ bot.Sealed, s string) string { return "sealed:" + fmt.Sprint(len(s)) },
		Mask:    func(s string) string { return strings.ReplaceAll(s, "1790000002", "••••••••••") },
		Hash:    func(label, data string) string { return label + "/" + data }, Idle: 24 * time.Hour, Seen: 192 * time.Hour,
	}
}

func hearAny(_ context.Context, t *bot.Turn) (bot.Event, error) {
	switch {
	case t.Update.Kind == bot.Signal && t.Update.Signal == "told":
		return "Told", nil
	case t.Says("back") != "":
		return "WentBack", nil
	case t.Says("help") != "":
		return "AskedHelp", nil
	}
	return "", nil
}

func hearChoice(_ context.Context, t *bot.Turn) (bot.Event, error) {
	switch t.Choice() {
	case "yes":
		return "Entered", nil
	case "no":
		return "Refused", nil
	case "down":
		return "WentDown", nil
	case "letter":
		res, err := t.Reserve(bot.Ask{Record: "r"})
		if err != nil {
			return "", err
		}
		t.Conv.Attempt = res.Attempt
		t.Promise(bot.Promise{What: bot.MailLink{}, Attempt: res.Attempt})
		return "Asked", nil
	}
	return "", nil
}

func places() []bot.Place {
	return []bot.Place{
		bot.In("Door", "door", hearChoice, bot.On("Entered", "Hall", ""), bot.On("Refused", bot.Stay, "door")),
		bot.In("Hall", "hall", hearChoice, bot.On("WentDown", "Cellar", ""), bot.On("Asked", bot.Stay, "mailed")),
		bot.In("Cellar", "cellar", hearChoice, bot.On("WentDown", "Hall", "")),
		bot.In(bot.Any, "", hearAny, bot.On("WentBack", bot.Back, ""), bot.On("AskedHelp", bot.Stay, "help"), bot.On("Told", bot.Stay, "told"),
			bot.On(bot.Missed, bot.Stay, "missed"), bot.On(bot.MissedOften, "Door", ""), bot.On(bot.StaleButton, bot.Stay, "stale"), bot.On(bot.Ignored, bot.Stay, "")),
	}
}

func newEngine(t testing.TB) *bot.Engine {
	t.Helper()
	e, err := bot.NewEngine(options(), places()...)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// talk is a conversation being stepped.
type talk struct {
	t      testing.TB
	e      *bot.Engine
	c      bot.Conversation
	n      int
	now    time.Time
	answer *bot.Reservation
}

func newTalk(t testing.TB) *talk {
	return &talk{t: t, e: newEngine(t), c: bot.Conversation{ID: "terminal:1"}, now: noon}
}

func (k *talk) step(u bot.Update) bot.Outcome {
	k.t.Helper()
	if u.ID == "" {
		k.n++
		u.ID = fmt.Sprint(k.n)
	}
	u.Order, _ = strconv.ParseInt(u.ID, 10, 64) // as on Telegram
	before := k.c.Clone()
	next, out, err := k.e.Step(k.t.Context(), k.c, u, bot.Env{Now: k.now, Reservation: k.answer})
	if err != nil {
		k.t.Fatalf("step: %v", err)
	}
	if !reflect.DeepEqual(k.c.Clone(), before) {
		k.t.Errorf("stepping changed what it was given")
	}
	k.c = next
	return out
}

func (k *talk) says(text string) bot.Outcome {
	k.t.Helper()
	return k.step(bot.Update{Kind: bot.Text, Text: text})
}

func (k *talk) last() bot.Reply {
	k.t.Helper()
	for i := len(k.c.Promises) - 1; i >= 0; i-- {
		if say, ok := k.c.Promises[i].What.(bot.Say); ok {
			r := say.Reply
			return *r
		}
	}
	k.t.Fatal("nothing was said")
	return bot.Reply{}
}

func TestNewEngine_reportsEverything(t *testing.T) {
	bad := places()
	bad[0].Rows = append(bad[0].Rows, bot.On("Entered", "Hall", ""), bot.On("Flew", "Roof", ""), bot.On("Sang", bot.Stay, "song"))
	bad = append(bad, bot.In("Attic", "attic", nil), bot.In("Hall", "hall", hearChoice))
	o := options()
	o.Start = "Street"
	_, err := bot.NewEngine(o, bad...)
	if err == nil {
		t.Fatal("got no error")
	}
	for _, want := range []string{
		`start state "Street" is not declared`, "state Hall stands twice", "state Door has two rows for Entered", `leads to "Roof"`,
		`says "song"`, `state Attic asks "attic"`, "state Attic has no ear", "state Attic cannot be reached",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %v\nwant it to say %q", err, want)
		}
	}
}

// A repeat changes nothing, whichever of the last 64 it is, and neither does one older than all of them (P401).
func TestStep_repeat(t *testing.T) {
	k := newTalk(t)
	for range bot.SeenMax + 10 {
		k.says("ayuda")
	}
	before := k.c
	for _, id := range []string{fmt.Sprint(k.n), fmt.Sprint(k.n - bot.SeenMax + 1), "1"} {
		if out := k.step(bot.Update{ID: id, Kind: bot.Text, Text: "sí"}); !out.Repeat || !reflect.DeepEqual(k.c, before) {
			t.Errorf("update %s again: got %+v, want a repeat that changes nothing", id, out)
		}
	}
	if len(k.c.Seen) != bot.SeenMax || len(k.c.Tail) != bot.TailMax {
		t.Errorf("got %d ids and %d lines kept, want %d and %d", len(k.c.Seen), len(k.c.Tail), bot.SeenMax, bot.TailMax)
	}
}

// Nor does a repeat of one that the full list has let go while an earlier one, which came after it, is still in it.
func TestStep_repeatOutOfOrder(t *testing.T) {
	k := newTalk(t)
	again := []bot.Update{{ID: "1002", Kind: bot.Text, Text: "ayuda"}, {ID: "1001", Kind: bot.Text, Text: "ayuda"}}
	for _, u := range again {
		if out := k.step(u); out.Repeat {
			t.Errorf("update %s: a repeat, want an answer", u.ID)
		}
	}
	for i := range bot.SeenMax + 1 {
		for _, u := range again {
			if out := k.step(u); !out.Repeat {
				t.Fatalf("update %s again after %d others: answered twice", u.ID, i)
			}
		}
		k.step(bot.Update{ID: fmt.Sprint(1003 + i), Kind: bot.Text, Text: "ayuda"})
	}
}

// After a week without any, Telegram begins its ids anew, lower perhaps. They are no repeats: neither when the list had let
// go of old ones, nor when it does so later.
func TestStep_idsAnew(t *testing.T) {
	for _, old := range []int{bot.SeenMax / 2, 2 * bot.SeenMax} {
		k := newTalk(t)
		for i := range old {
			k.step(bot.Update{ID: fmt.Sprint(900_000 + i), Kind: bot.Text, Text: "ayuda"})
		}
		k.now = k.now.Add(7 * 24 * time.Hour)
		for i := range 2 * bot.SeenMax {
			u := bot.Update{ID: fmt.Sprint(1000 + i), Kind: bot.Text, Text: "ayuda"}
			if out := k.step(u); out.Repeat {
				t.Fatalf("update %s, a week after %d of 900000 and above: a repeat, want an answer", u.ID, old)
			}
			if out := k.step(u); !out.Repeat {
				t.Fatalf("update %s again: answered twice", u.ID)
			}
		}
		if out := k.step(bot.Update{ID: "1000", Kind: bot.Text, Text: "ayuda"}); !out.Repeat {
			t.Errorf("update 1000 again, which the list has let go: answered twice")
		}
	}
}

func TestStep_answers(t *testing.T) {
	for _, said := range []string{"Sí", "si", " SÍ! ", "1", "1.", "uno", "la 1", "claro"} {
		k := newTalk(t)
		k.says("hola")
		if out := k.says(said); out.To != "Hall" {
			t.Errorf("%q: got %s in %s, want Hall", said, out.Event, out.To)
		}
	}
	k := newTalk(t)
	k.says("hola")
	prompt := k.last().Prompt
	k.step(bot.Update{Kind: bot.Press, Button: "yes", Prompt: prompt})
	if k.c.State != "Hall" {
		t.Fatalf("pressed: got %s, want Hall", k.c.State)
	}
	k.now = k.now.Add(time.Minute) // no second tap of the same
	for _, u := range []bot.Update{{Kind: bot.Press, Button: "yes", Prompt: prompt}, {Kind: bot.Press, Button: "yes", Prompt: k.c.Prompt}, {Kind: bot.Press}} {
		if out := k.step(u); out.Event != bot.StaleButton || out.To != "Hall" || !strings.HasSuffix(k.last().Text, "alguien.") {
			t.Errorf("an old button: got %s in %s, %q", out.Event, out.To, k.last().Text)
		}
	}
}

// Not understood: the question in other words, twice; the third time something else is offered.
func TestStep_misses(t *testing.T) {
	k := newTalk(t)
	var got []string
	for range 4 {
		k.says("xyzzy")
		got = append(got, k.last().Text)
	}
	want := []string{"No entendí. ¿Entra o no?", "No entendí. Diga sí o no.", "¿Entra?", "No entendí. ¿Entra o no?"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestStep_back(t *testing.T) {
	k := newTalk(t)
	for _, said := range []string{"hola", "sí", "bajar"} {
		k.says(said)
	}
	for _, want := range []bot.State{"Hall", "Door", "Door"} {
		if out := k.says("atrás"); out.To != want {
			t.Errorf("back: got %s, want %s", out.To, want)
		}
	}
	for range 40 { // up and down the stairs is not a history
		k.says("sí")
		k.says("bajar")
	}
	if len(k.c.Back) > 2 {
		t.Errorf("got %v to go back to, want no loops", k.c.Back)
	}
}

// A turn that must reserve comes back unchanged, and is stepped again with the answer; what it said with a secret is
// sealed, and masked in the transcript.
func TestStep_reservation(t *testing.T) {
	k := newTalk(t)
	k.says("hola")
	k.says("sí")
	u := bot.Update{ID: "77", Kind: bot.Text, Text: "enviar"}
	same, _, err := k.e.Step(t.Context(), k.c, u, bot.Env{Now: k.now})
	var need *bot.NeedsReservation
	if !errors.As(err, &need) || need.Ask.Turn != "terminal:1/77" || need.Ask.Conv != "terminal:1" || !reflect.DeepEqual(same, k.c) {
		t.Fatalf("got %v, want a reservation for the turn, and nothing changed", err)
	}
	k.answer = &bot.Reservation{Granted: true, Attempt: "a"}
	k.step(u)
	if r := k.last(); !r.Sealed || !strings.HasPrefix(r.Text, "sealed:") {
		t.Errorf("got %+v, want it sealed", r)
	}
	for _, l := range k.c.Tail {
		if strings.Contains(l.Text, "1790000002") {
			t.Error("the transcript holds the secret")
		}
	}
	if p := k.c.Head(bot.LaneMail); p == nil || p.ID != "terminal:1/77/link" {
		t.Errorf("got %+v, want the letter owed under the turn's key", p)
	}
	// What a signal of another attempt says is not heard.
	if out := k.step(bot.Update{Kind: bot.Signal, Signal: "told", Attempt: "old"}); out.Event != bot.Ignored {
		t.Errorf("an older attempt: got %s, want %s", out.Event, bot.Ignored)
	}
	if out := k.step(bot.Update{Kind: bot.Signal, Signal: "told", Attempt: "a"}); out.Event != "Told" {
		t.Errorf("this attempt: got %s, want Told", out.Event)
	}
}

// Who blocks us is owed no bubble; a letter still goes. Who writes again is answered.
func TestStep_blocked(t *testing.T) {
	k := newTalk(t)
	k.says("hola")
	k.says("sí")
	k.answer = &bot.Reservation{Granted: true, Attempt: "a"}
	k.says("enviar")
	k.step(bot.Update{Kind: bot.Blocked})
	k.step(bot.Update{Kind: bot.Signal, Signal: "told", Attempt: "a"})
	if k.c.Head(bot.LaneChat) != nil || k.c.Head(bot.LaneMail) == nil || !k.c.Gone {
		t.Errorf("blocked: got %+v owed, gone %t", k.c.Promises, k.c.Gone)
	}
	k.says("ayuda")
	if k.c.Head(bot.LaneChat) == nil || k.c.Gone {
		t.Error("writing again: got no answer")
	}
}

// A conversation written by a version with other states begins again rather than breaking.
func TestStep_unknownState(t *testing.T) {
	k := newTalk(t)
	k.c.State, k.c.Back, k.c.Shown = "Garage", []bot.State{"Garage", "Attic"}, []string{"fly"}
	if out := k.says("1"); out.From != "Door" {
		t.Errorf("got from %s, want Door", out.From)
	}
}

// Whatever comes in, a step ends in a declared state, says one bubble at most, and keeps the document small.
func FuzzStep(f *testing.F) {
	f.Add("hola", "sí", "bajar", byte(0))
	f.Add("{again}{question}", "atrás", strings.Repeat("á", 10_000), byte(3))
	f.Add("\xff\xfe", "2", "no no no", byte(5))
	kinds := []bot.Kind{bot.Text, bot.Press, bot.Start, bot.Contact, bot.Media, bot.Location, bot.Edited, bot.Reaction, bot.Unsupported, bot.Blocked, bot.Unblocked, bot.Signal}
	f.Fuzz(func(t *testing.T, a, b, c string, kind byte) {
		k := newTalk(t)
		k.answer = &bot.Reservation{Granted: true, Attempt: "a"}
		for i, said := range []string{a, b, c, a, c} {
			before := len(k.c.Promises)
			k.step(bot.Update{Kind: bot.Text, Text: said})
			if said := len(k.c.Promises) - before; said > 2 {
				t.Errorf("got %d promises of one turn", said)
			}
			k.step(bot.Update{Kind: kinds[(int(kind)+i)%len(kinds)], Text: said, Button: said, Signal: said, Prompt: int(kind)})
			if _, ok := map[bot.State]bool{"Door": true, "Hall": true, "Cellar": true}[k.c.State]; !ok {
				t.Errorf("got state %q", k.c.State)
			}
		}
		for _, l := range k.c.Tail {
			if n := len([]rune(l.Text)); n > bot.TailRunes {
				t.Errorf("got a line of %d characters", n)
			}
		}
	})
}
