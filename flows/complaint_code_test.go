package flows_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"llave/bot"
	"llave/flows"
)

// A code that is announced in a complaint is masked in it, in what is filed, and in the transcript, in one message or in several.
func TestCode_inComplaint(t *testing.T) {
	t.Parallel()
	for _, says := range [][]string{
		{"mi código es EXT-0001 y me trataron mal"}, {"mi código es ext–0001 y me trataron mal"}, {"me trataron mal", "mi código es EXT-0001 y me botaron"},
		{"me trataron mal y mi código es", "EXT-0001 y me botaron"}, {"me gritaron y mi código es EXT-0001", "y me botaron"},
	} {
		for _, pause := range []time.Duration{400 * time.Millisecond, 10 * time.Second} {
			k := at(t, flows.Complaining)
			k.owes = true
			for i, words := range says {
				k.now = k.now.Add(pause - 5*time.Second)
				k.step(bot.Update{Kind: bot.Text, Text: words, MessageID: fmt.Sprint("m", i)})
			}
			text, _ := flows.OpenComplaint(k.v, k.c)
			if text == "" || strings.Contains(text, "0001") {
				t.Errorf("%q every %s: the complaint is %q", says, pause, text)
			}
			for _, word := range []string{"trataron", "gritaron", "botaron"} {
				if strings.Contains(strings.Join(says, " "), word) && !strings.Contains(text, word) {
					t.Errorf("%q every %s: %q is not in the complaint %q", says, pause, word, text)
				}
			}
			for _, l := range k.c.Tail {
				if strings.Contains(l.Text, "0001") {
					t.Errorf("%q every %s: the transcript says %q", says, pause, l.Text)
				}
			}
		}
	}
}
