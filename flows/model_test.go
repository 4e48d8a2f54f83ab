package flows_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"llave/bot"
	"llave/flows"
	"llave/internal/bottest"
)

// The walk and how far help may be.
const (
	walked      = 100_000 // inputs
	walkedSmall = 2_000   // in a small sweep
	nearest     = 4       // inputs to a person or to the end
)

// spot is what makes one conversation differ from another for what can come next.
type spot struct {
	state     bot.State
	text, way string
	number    string // which of a given and a confirmed one there are
	desk      string // status of the case with a person
}

func spotOf(c bot.Conversation) spot {
	s := spot{c.State, c.Text, c.Way, fmt.Sprint(c.Slots["given"] != "", c.Slots["record"] != ""), ""}
	if c.Handoff != nil {
		s.desk = c.Handoff.Status
	}
	return s
}

// typed is what a walker writes, besides what stands on buttons.
var typed = []string{
	"hola", "menú", "atrás", "repetir", "ayuda", "persona", "cancelar", "idioma", "estado", "gracias", "english", "paso a paso", "sin paso a paso",
	"sí", "no", "ya", "1", "2", "3", "4", "8", "99", "blabla", "quiero desbloquear mi clave", "olvidé mi clave", "cuánto cuesta", "a qué hora atienden",
	"queja", "mis datos", "cómo abro mi correo", "no tengo ese correo", "no me llega", "no me sale", "corregir", known, "0926687856", "1710034064", "171003406",
	"AB-12345", "recuérdeme", "recuérdeme mañana", "a las 5", "mi clave es Perro2024!", "es para mi mamá", "me trataron muy mal en la oficina", "",
}

var signalled = []string{bot.SignalLinkUsed, bot.SignalLinkVoided, bot.SignalLinkExpired, bot.SignalMailRefused, bot.SignalKeyMade, bot.SignalForget, bot.SignalGivenUp, bot.SignalRemind, bot.SignalStillWaiting}

// random is one thing that may happen next.
func random(r *rand.Rand, c bot.Conversation) bot.Update {
	switch n := r.IntN(100); {
	case n < 15 && c.Handoff != nil:
		return deed(r, c)
	case n < 50 && len(c.Shown) > 0:
		return bot.Update{Kind: bot.Press, Button: c.Shown[r.IntN(len(c.Shown))], Prompt: c.Prompt}
	case n < 80:
		return bot.Update{Kind: bot.Text, Text: typed[r.IntN(len(typed))]}
	case n < 90:
		return bot.Update{Kind: bot.Signal, Signal: signalled[r.IntN(len(signalled))], Attempt: c.Attempt}
	}
	odd := []bot.Update{
		{Kind: bot.Media, Media: "photo"}, {Kind: bot.Media, Media: "voice"}, {Kind: bot.Location}, {Kind: bot.Contact, Phone: "593991234567"},
		{Kind: bot.Edited, Text: "hola"}, {Kind: bot.Reaction}, {Kind: bot.Unsupported}, {Kind: bot.Start}, {Kind: bot.Press, Button: "continue", Prompt: -1},
		{Kind: bot.Undelivered, Failure: bot.Permanent}, {Kind: bot.Blocked}, {Kind: bot.Unblocked},
	}
	return odd[r.IntN(len(odd))]
}

// walker steps conversations, whatever becomes of what they owe.
type walker struct {
	e *bot.Engine
	n int
}

func (w *walker) step(c bot.Conversation, u bot.Update, now time.Time) (bot.Conversation, error) {
	w.n++
	u.ID, u.Channel, u.Chat = fmt.Sprint(w.n), "telegram", "1"
	c.Promises = nil
	next, _, err := w.e.Step(context.Background(), c, u, bot.Env{Now: now, Reservation: &bot.Reservation{Granted: w.n%7 > 0, Attempt: "a1", Ends: now.Add(10 * time.Minute), RetryAt: now.Add(time.Minute)}})
	if err != nil {
		return c, fmt.Errorf("%+v in %s: %w", u, c.State, err)
	}
	return next, nil
}

var deskStates = flows.Marked(flows.AtDesk)

// inDesk says whether what a person writes is an agent's to answer.
func inDesk(s bot.State) bool { return slices.Contains(deskStates, s) }

// helped says that a person will write, or that it is done.
func helped(s bot.State) bool { return s == flows.WithTicket || inDesk(s) || s == flows.Done }

// near returns how many inputs from here somebody is helped who presses what is shown and knows the words that hold
// everywhere.
func (w *walker) near(c bot.Conversation, now time.Time) (int, error) {
	seen := map[spot]bool{}
	for depth, level := 0, []bot.Conversation{c}; depth <= nearest; depth++ {
		var below []bot.Conversation
		for _, c := range level {
			if helped(c.State) {
				return depth, nil
			}
			if seen[spotOf(c)] {
				continue
			}
			seen[spotOf(c)] = true
			inputs := []bot.Update{{Kind: bot.Text, Text: "persona"}, {Kind: bot.Text, Text: "menú"}, {Kind: bot.Text, Text: "hola"}}
			for _, id := range c.Shown {
				inputs = append(inputs, bot.Update{Kind: bot.Press, Button: id, Prompt: c.Prompt})
			}
			for _, u := range inputs {
				next, err := w.step(c, u, now.Add(time.Duration(depth+1)*time.Minute))
				if err != nil {
					return 0, err
				}
				below = append(below, next)
			}
		}
		level = below
	}
	return nearest + 1, nil
}

// Nobody is ever stuck: wherever 100,000 random inputs lead, or 2,000 others each day (what is on buttons, words, numbers, photos, news of links,
// long silences, agents' deeds and a desk that opens and closes), a person or the end is four inputs away at most.
func TestNeverStuck(t *testing.T) {
	t.Parallel()
	d := &frontDesk{}
	e := deskEngine(t, d, false)
	sweep := bottest.NewSweep(t)
	steps, seed := walked, uint64(20260105)
	if !sweep.Whole {
		steps, seed = walkedSmall, sweep.Seed
	}
	r := rand.New(rand.NewPCG(seed, seed))
	w := &walker{e: e}
	now := time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)
	c := bot.Conversation{ID: "telegram:1"}
	found, visited := map[spot]int{}, map[bot.State]bool{}
	for range steps {
		now = now.Add(5 * time.Second)
		if r.IntN(50) == 0 {
			now = now.Add(2 * time.Hour)
			if r.IntN(4) == 0 { // whoever comes back another day is asked nothing about the last case
				now = now.Add(24 * time.Hour)
			}
			d.closed.Store(r.IntN(3) == 0)
			d.empty.Store(r.IntN(3) == 0)
			d.ahead.Store(r.Int64N(9))
		}
		var err error
		if c, err = w.step(c, random(r, c), now); err != nil {
			t.Fatal(err)
		}
		at := spotOf(c)
		if _, known := found[at]; known {
			continue
		}
		visited[c.State] = true
		if found[at], err = w.near(c, now); err != nil {
			t.Fatal(err)
		}
		if found[at] > nearest {
			t.Errorf("%+v: nobody helps within %d inputs", at, nearest)
		}
	}
	for _, s := range e.States() {
		if !visited[s] && s != flows.Group && sweep.Whole {
			t.Errorf("the walk never came to %s", s)
		}
	}
	worst := 0
	for _, n := range found {
		worst = max(worst, n)
	}
	t.Logf("%d inputs, %d different places, help at most %d inputs away", steps, len(found), worst)
}

// Every state says what may be done next, or asks for something to be written; and leads on, back and out of itself.
func TestWays_everywhere(t *testing.T) {
	e := newEngine(t)
	written := func(s bot.State) bool { // what is asked for is written
		return e.Place(s).Is(bot.FreeText, flows.AsksNumber) || s == flows.Done
	}
	everywhere(t, func(t *testing.T, s bot.State) {
		k := at(t, s)
		if len(k.c.Shown) == 0 && !written(s) {
			t.Error("nothing to press, nothing to write")
		}
		on := written(s)
		for _, id := range k.c.Shown {
			k := at(t, s)
			before := k.c.Text
			k.step(bot.Update{Kind: bot.Press, Button: id, Prompt: k.c.Prompt})
			if !k.said {
				t.Errorf("%s: no answer", id)
			}
			on = on || k.c.State != s || k.c.Text != before
		}
		if !on {
			t.Error("no way on")
		}
		if s == flows.Welcome { // nothing has begun: "No continuar" is the way out
			return
		}
		if k = at(t, s); len(k.c.Back) > 0 && s != flows.KeyStep1 && s != flows.KeyTried { // where what lies behind is done already, which is said
			if k.says("atrás"); k.c.State == s {
				t.Error("no way back")
			}
		}
		if k = at(t, s); s != flows.Menu {
			if k.says("menú"); k.c.State != flows.Menu {
				t.Errorf("no way out: %s", k.c.State)
			}
		}
	})
}

// The shortest road, from the first word to the end, in what the person types or presses in the chat (P101).
func TestShortestRoad(t *testing.T) {
	const most = 9
	for name, road := range map[string][]string{
		"unlock":              {"hola", "1", "1", known, "1", "1", "@" + bot.SignalLinkUsed, "@" + bot.SignalKeyMade, "1", "5"},
		"said at once":        {"quiero desbloquear mi clave", "1", known, "1", "1", "@" + bot.SignalLinkUsed, "@" + bot.SignalKeyMade, "1", "5"},
		"a new key":           {"hola", "1", "2", known, "1", "1", "@" + bot.SignalLinkUsed, "@" + bot.SignalKeyMade, "1", "5"},
		"step by step":        {"paso a paso", "1", "1", known, "1", "1", "@" + bot.SignalLinkUsed, "@" + bot.SignalKeyMade, "1", "3"},
		"a person, at once":   {"hola", "persona"},
		"in person, at once":  {"hola", "1", "3"},
		"without the mailbox": {"hola", "1", "1", known, "1", "2"},
	} {
		k, inputs := newTalk(t), 0
		for _, said := range road {
			if signal, ok := strings.CutPrefix(said, "@"); ok {
				k.signal(signal)
				continue
			}
			k.says(said)
			inputs++
		}
		if s := k.c.State; s != flows.Done && s != flows.WithTicket && s != flows.AtOffice {
			t.Errorf("%s: ends in %s", name, s)
		}
		if inputs > most {
			t.Errorf("%s: %d inputs, at most %d", name, inputs, most)
		}
		t.Logf("%s: %d inputs", name, inputs)
	}
}
