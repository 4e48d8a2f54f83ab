package telegram

import (
	"strings"
	"testing"
)

// Another token of the same bot is used at once, and the webhook registered with it; one that Telegram does not know is told, and
// ends nothing. Neither is in any line of the log.
func TestSetToken(t *testing.T) {
	b := newWebhookBot(t, nil)
	registered := func() int { return len(b.api.Calls("setWebhook")) }
	b.until("registered", func() bool { return registered() > 0 })
	first, id := registered(), strings.Split(testToken, ":")[0]
	if err := b.c.SetToken(Secret(id + ":hidden")); err != nil {
		t.Fatal(err)
	}
	b.until("told", func() bool { return strings.Contains(b.logs.String(), "telegram refuses the bot's token") })
	if err := b.c.SetToken(testToken); err != nil {
		t.Fatal(err)
	}
	b.until("registered again", func() bool { return registered() > first })
	for _, other := range []Secret{"7:abc", "", "nonsense"} {
		if err := b.c.SetToken(other); err == nil {
			t.Errorf("the token of another bot, or none, was taken: %q", string(other))
		}
	}
	if logs := b.logs.String(); strings.Contains(logs, "hidden") || strings.Contains(logs, testToken) {
		t.Errorf("a token is in the log: %s", logs)
	}
}
