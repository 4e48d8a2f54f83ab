package flows_test

import (
	"context"
	"os"
	"testing"

	"llave/bot"
	"llave/flows"
)

// Whatever stands in the file of a language: it is read or refused, and so is a flow that speaks it. One that is taken answers.
func FuzzCatalogue(f *testing.F) {
	for _, file := range []string{"es.toml", "en.toml"} {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text[:4000]), "1") // cut off in the middle of a text
	}
	const small = "[name]\ntitle = \"X\"\n[texts.\"a.ask\"]\ntext = \"¿{x}?\"\nagain = [\"otra\"]\nbuttons = [\"yes\"]\nyes = \"yes\"\n[labels.yes]\ntitle = \"Sí\"\nwords = [\"si\", \"\"]\n" +
		"[texts.\"a.said\"]\ntext = \"{again}\"\naside = true\n[texts.missed]\ntext = \"{hint}\"\n[texts.stale]\ntext = \"x\"\n"
	f.Add(small, "si")
	f.Add(small, "{again}")
	f.Add("[texts.\"a.ask\"]\ntext = \"{again}{again}\"\ntext = 1", "")
	f.Fuzz(func(t *testing.T, raw, said string) {
		cat, _, err := flows.ParseCatalogue("xx.toml", raw)
		if err != nil {
			return
		}
		hear := func(_ context.Context, t *bot.Turn) (bot.Event, error) {
			if t.Choice() != "" {
				return "Chose", nil
			}
			return "Said", nil
		}
		e, err := bot.NewEngine(bot.Options{Start: "A", Languages: []bot.Catalogue{cat}},
			bot.In("A", "a.ask", hear, bot.On("Said", bot.Stay, "a.said"), bot.On("Chose", bot.Stay, "a.ask")))
		if err != nil {
			return
		}
		c := bot.Conversation{ID: "telegram:1"}
		for i, text := range []string{"hola", said, said} {
			next, _, err := e.Step(t.Context(), c, bot.Update{ID: string(rune('a' + i)), Channel: "telegram", Chat: "1", Kind: bot.Text, Text: text}, bot.Env{})
			if err != nil {
				t.Skip(err) // an error is an answer of the engine's; a panic is none
			}
			c = next
		}
	})
}
