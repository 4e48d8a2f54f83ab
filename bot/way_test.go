package bot_test

import (
	"context"
	"maps"
	"slices"
	"testing"

	"llave/bot"
)

// A way of speaking says "key.way" where there is one, asks with its buttons, shows its image, and outlives what empties
// the conversation. An offer stands under the answer and is heard by its number.
func TestStep_way(t *testing.T) {
	o := options()
	said := maps.Clone(texts)
	said["door.calm"] = bot.Entry{Text: "Con calma: ¿entra?", Again: []string{"¿Entra, sí o no?"}, Buttons: []string{"no", "yes"}, Image: "door_{who}"}
	said["now"] = bot.Entry{Text: "{question}", Aside: true}
	said["offer"] = bot.Entry{Text: "¿Más calma?", Buttons: []string{"calm"}}
	named := maps.Clone(labels)
	named["calm"] = bot.Label{Title: "Con calma"}
	named["empty"] = bot.Label{Words: []string{"borrar"}}
	o.Languages = []bot.Catalogue{{Language: "es", Texts: said, Labels: named}}
	o.Lost = func(t *bot.Turn) { t.Add("offer") }
	hear := func(_ context.Context, t *bot.Turn) (bot.Event, error) {
		switch {
		case t.Choice() == "calm" || t.Says("calm") != "":
			t.Pace("calm")
			return "Calmed", nil
		case t.Says("empty") != "":
			t.Empty()
			return "Emptied", nil
		case t.Choice() == "yes":
			return "Entered", nil
		}
		return "", nil
	}
	nothing := func(context.Context, *bot.Turn) (bot.Event, error) { return "", nil }
	e, err := bot.NewEngine(o,
		bot.In(bot.Any, "", nothing, bot.On(bot.Missed, bot.Stay, "missed"), bot.On(bot.MissedOften, bot.Stay, "told"), bot.On(bot.StaleButton, bot.Stay, "stale"),
			bot.On(bot.Ignored, bot.Stay, ""), bot.On("Calmed", bot.Stay, "now"), bot.On("Emptied", "Door", ""), bot.On("Entered", "Hall", "")),
		bot.In("Door", "door", hear), bot.In("Hall", "hall", hear))
	if err != nil {
		t.Fatal(err)
	}
	c := bot.Conversation{ID: "web:1"}
	for i, step := range []struct {
		says, text, image string
		buttons           []string
	}{
		{"borrar", "¿Entra?", "", []string{"yes", "no"}},
		{"xyzzy", "No entendí. ¿Entra o no?\n\n¿Más calma?", "", []string{"yes", "no", "calm"}},
		{"3", "Con calma: ¿entra?", "door_alguien", []string{"no", "yes"}}, // the offer by its number
		{"2", "Está en la sala, alguien.", "", []string{"down", "letter"}}, // the new order counts; no calm text here
		{"borrar", "Con calma: ¿entra?", "door_alguien", []string{"no", "yes"}},
		{"xyzzy", "No entendí. ¿Entra, sí o no?\n\n¿Más calma?", "", []string{"no", "yes", "calm"}},
	} {
		c.Promises = nil
		c, _, err = e.Step(t.Context(), c, bot.Update{ID: string(rune('a' + i)), Channel: "web", Chat: "1", Kind: bot.Text, Text: step.says}, bot.Env{Now: noon})
		if err != nil {
			t.Fatal(err)
		}
		got := c.Promises[0].What.(bot.Say).Reply
		var ids []string
		for _, b := range got.Buttons {
			ids = append(ids, b.ID)
		}
		if got.Text != step.text || got.Image != step.image || !slices.Equal(ids, step.buttons) {
			t.Errorf("%q: got %q %v, image %q; want %q %v, %q", step.says, got.Text, ids, got.Image, step.text, step.buttons, step.image)
		}
	}
}
