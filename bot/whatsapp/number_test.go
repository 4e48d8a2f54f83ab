package whatsapp

import (
	"strings"
	"testing"
	"time"

	"llave/internal/bottest"
)

// chatURL waits until the channel knows where its chat is.
func (b *inbox) chatURL(want string) {
	b.t.Helper()
	for end := time.Now().Add(20 * time.Second); b.c.ChatURL() != want; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatalf("the chat is at %q, want %q; log:\n%s", b.c.ChatURL(), want, b.logs)
		}
	}
}

// Our own number is asked for until it is told, by whichever token may ask, and nothing waits for it.
func TestChatURL(t *testing.T) {
	const second = "EAAtest-token-that-may-ask"
	refused := bottest.GraphFault{Code: 200, Message: "(#200) Requires whatsapp_business_management permission"}
	for name, tt := range map[string]struct {
		faults []bottest.GraphFault
		calls  int
	}{
		"at once":                      {nil, 1},
		"by another token":             {[]bottest.GraphFault{refused}, 2},
		"once the permission is there": {[]bottest.GraphFault{refused, refused}, 3},
		"once the server is there":     {[]bottest.GraphFault{bottest.GraphFaultBadGateway, bottest.GraphFaultBadGateway}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			graph := bottest.NewGraph(bottest.GraphOptions{
				Tokens: []string{testToken, second}, PhoneNumberID: testNumberID, AppSecret: testSecret, VerifyToken: testVerify, DisplayPhone: "+1 555-078-3881",
			})
			if err := graph.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(graph.Close)
			for _, f := range tt.faults {
				graph.Fail("phone_number", 1, f)
			}
			b := newInbox(t, func(o *Options) { o.APIURL, o.Tokens = graph.URL(), []Secret{testToken, second} })
			if got := b.c.ChatURL(); got != "" {
				t.Errorf("the chat is at %q before anybody was asked", got)
			}
			b.run(t)
			b.chatURL("https://wa.me/15550783881")
			if got := len(graph.Calls("phone_number")); got != tt.calls {
				t.Errorf("asked %d times, want %d", got, tt.calls)
			}
			warned := strings.Count(b.logs.String(), "whatsapp_business_management for that")
			if want := map[bool]int{true: 1}[tt.calls > 2]; warned != want {
				t.Errorf("the operator was told %d times, want %d", warned, want)
			}
			for _, secret := range []string{testToken, second, testNumberID, "15550783881", "078-3881"} {
				if strings.Contains(b.logs.String(), secret) {
					t.Errorf("the log holds %q:\n%s", secret, b.logs)
				}
			}
		})
	}
}
