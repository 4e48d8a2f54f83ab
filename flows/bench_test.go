package flows_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"llave/bot"
)

// BenchmarkSay is the steps of what people write at the question for the number: what is understood, what is not, and what comes in
// pieces, each within the wait of the one before.
func BenchmarkSay(b *testing.B) {
	e := newEngine(b)
	now := time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)
	step := func(c bot.Conversation, n int, text string, at time.Time) bot.Conversation {
		u := bot.Update{ID: fmt.Sprint("u", n), MessageID: fmt.Sprint("m", n), Channel: "telegram", Chat: "1", Kind: bot.Text, Text: text}
		next, _, err := e.Step(context.Background(), c, u, bot.Env{Now: at})
		if err != nil {
			b.Fatal(err)
		}
		return next
	}
	asked := bot.Conversation{ID: "telegram:1"}
	for i, text := range []string{"hola", "sí", "desbloquear"} {
		asked = step(asked, i, text, now)
		asked.Promises = nil
	}
	now = now.Add(time.Minute)
	for _, tt := range []struct {
		name  string
		parts []string
	}{
		{"a number", []string{known}},
		{"a wish", []string{"quiero hablar con una persona"}},
		{"a question", []string{"cuánto tiempo se demora esto"}},
		{"nothing", []string{"murciélago verde"}},
		{"a number in pieces", []string{"1710", "034065"}},
		{"words in pieces", []string{"no me", "acuerdo de", "mi número"}},
	} {
		b.Run(tt.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c := asked
				for i, part := range tt.parts {
					c = step(c, 10+i, part, now.Add(time.Duration(i)*300*time.Millisecond))
				}
			}
		})
	}
}
