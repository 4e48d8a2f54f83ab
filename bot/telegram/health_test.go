package telegram

import (
	"strings"
	"testing"

	"llave/bot"
	"llave/internal/bottest"
)

// What goes wrong with everything is trouble of the channel, and what goes wrong with one message is not. Trouble ends by itself.
func TestTrouble(t *testing.T) {
	for name, tt := range map[string]struct {
		fault bottest.BotFault
		want  string // in the reason; "": no trouble
	}{
		"dropped":      {bottest.FaultDropped, "cannot be reached"},
		"bad gateway":  {bottest.FaultBadGateway, "error of its own"},
		"server error": {bottest.FaultServerError, "error of its own"},
		"no token":     {bottest.FaultUnauthorized, "LLAVE_TELEGRAM_TOKEN"},
		"blocked":      {bottest.FaultBlocked, ""},
		"too many":     {bottest.FaultTooMany(1), ""},
		"no method":    {bottest.BotFault{Code: 404, Description: "Not Found: method not found"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newTestBot(t, nil)
			b.api.Say(1, "hola")
			send := func() { _ = b.c.Send(t.Context(), "1", bot.Reply{Text: "Hola"}) }
			if tt.want == "" { // an answer about the message ends what trouble there was
				b.api.Fail("sendMessage", 1, bottest.FaultDropped)
				send()
			}
			b.api.Fail("sendMessage", 1, tt.fault)
			send()
			got := b.c.Trouble()
			if (tt.want == "") != got.Since.IsZero() || !strings.Contains(got.Reason, tt.want) {
				t.Errorf("got %v, want %q", got, tt.want)
			}
			if strings.Contains(got.Reason, testToken) {
				t.Error("the reason holds the token")
			}
			send()
			if got := b.c.Trouble(); !got.Since.IsZero() {
				t.Errorf("a message was taken, and there is still trouble: %v", got)
			}
		})
	}
}

// With nothing to send, trouble is noticed to be over all the same.
func TestTrouble_endsUnasked(t *testing.T) {
	b := newTestBot(t, func(o *Options) { o.Mode, o.PublicURL = Webhook, "https://bot.example.org" })
	b.api.Say(1, "hola")
	stop := b.run()
	defer stop()
	b.until("the webhook", func() bool { return b.api.WebhookURL() != "" })
	b.api.Fail("sendMessage", 1, bottest.FaultDropped)
	_ = b.c.Send(t.Context(), "1", bot.Reply{Text: "Hola"})
	if b.c.Trouble().Since.IsZero() {
		t.Fatal("no trouble")
	}
	b.until("the end of trouble", func() bool { return b.c.Trouble().Since.IsZero() })
}

// Another program that polls with the token is trouble, though Telegram answers everything else.
func TestTrouble_rival(t *testing.T) {
	b := newTestBot(t, nil)
	b.api.Fail("getUpdates", 1, bottest.BotFault{Code: 409, Description: "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"})
	stop := b.run()
	defer stop()
	b.until("the conflict", func() bool { return strings.Contains(b.c.Trouble().Reason, "another program polls") })
	b.until("its end", func() bool {
		b.api.Say(1, "hola")
		return b.c.Trouble().Since.IsZero()
	})
}
