package whatsapp

import (
	"strconv"
	"strings"
	"testing"

	"llave/bot"
	"llave/internal/bottest"
)

// What goes wrong with everything is trouble of the channel, and what goes wrong with one message is not. It is over with the next
// message that is taken.
func TestTrouble(t *testing.T) {
	for name, tt := range map[string]struct {
		fault bottest.GraphFault
		want  string // in the reason; "": no trouble
	}{
		"dropped":     {bottest.GraphFaultDropped, "cannot be reached"},
		"bad gateway": {bottest.GraphFaultBadGateway, "error of its own"},
		"token":       {bottest.GraphFaultToken, "LLAVE_WHATSAPP_TOKEN"},
		"account":     {bottest.GraphFault{Code: 131031}, "131031"},
		"payment":     {bottest.GraphFault{Code: 131042}, "131042"},
		"window":      {bottest.GraphFaultWindow, ""},
		"person":      {bottest.GraphFault{Code: 131026}, ""},
		"pair":        {bottest.GraphFaultPair, ""},
	} {
		t.Run(name, func(t *testing.T) {
			const chat = 593990000001
			g := bottest.NewGraph(bottest.GraphOptions{Tokens: []string{testToken}, PhoneNumberID: testNumberID, AppSecret: testSecret, VerifyToken: testVerify})
			if err := g.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(g.Close)
			b := newInbox(t, func(o *Options) { o.APIURL = g.URL() })
			g.Resume(chat)
			if _, err := b.people.Find(t.Context(), Names{Phone: strconv.Itoa(chat)}); err != nil {
				t.Fatal(err)
			}
			send := func() { _ = b.c.Send(t.Context(), strconv.Itoa(chat), bot.Reply{Text: "Hola"}) }
			if tt.want == "" { // an answer about the message ends what trouble there was
				g.Fail("messages", 1, bottest.GraphFaultDropped)
				send()
			}
			g.Fail("messages", 1, tt.fault)
			send()
			got := b.c.Trouble()
			if (tt.want == "") != got.Since.IsZero() || !strings.Contains(got.Reason, tt.want) {
				t.Errorf("got %v, want %q", got, tt.want)
			}
			if strings.Contains(got.Reason, testToken) || strings.Contains(got.Reason, testNumberID) {
				t.Error("the reason holds a secret")
			}
			if tt.want == "" {
				return
			}
			send()
			if got := b.c.Trouble(); !got.Since.IsZero() {
				t.Errorf("a message was taken, and there is still trouble: %v", got)
			}
		})
	}
}
