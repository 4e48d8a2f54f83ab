package runnertest

import (
	"context"
	"testing"
	"time"

	"llave/bot"
)

// Flow is a conversation of two states, both heard by [hear], which says "Heard" and is answered "Sí.".
func Flow(t testing.TB, hear bot.Hear) *bot.Engine {
	t.Helper()
	rows := []bot.Row{
		bot.On("Heard", bot.Stay, "heard"), bot.On("Left", "Away", "heard"), bot.On("Returned", "Home", "heard"), bot.On(bot.Missed, bot.Stay, "heard"),
		bot.On(bot.MissedOften, bot.Stay, "heard"), bot.On(bot.StaleButton, bot.Stay, "heard"), bot.On(bot.Ignored, bot.Stay, ""),
	}
	same := func(s string) string { return s }
	e, err := bot.NewEngine(bot.Options{
		Start: "Home", Languages: []bot.Catalogue{{Language: "es", Texts: map[string]bot.Entry{"heard": {Text: "Sí."}}}}, Seal: func(_ string, _ bot.Sealed, text string) string { return text }, Mask: same,
		Hash: func(label, data string) string { return label + data }, Idle: 24 * time.Hour, Seen: 192 * time.Hour,
	}, bot.In("Home", "heard", hear), bot.In("Away", "heard", hear), bot.In(bot.Any, "", func(context.Context, *bot.Turn) (bot.Event, error) { return "", nil }, rows...))
	if err != nil {
		t.Fatal(err)
	}
	return e
}
