package doctor

import (
	"strings"
	"testing"
	"time"

	"llave/internal/bottest"
)

// newAPI turns Telegram on.
func newAPI(t *testing.T, c *clinic) *bottest.BotAPI {
	t.Helper()
	api := bottest.NewBotAPI(botToken)
	if err := api.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(api.Close)
	c.set("LLAVE_TELEGRAM_TOKEN="+botToken, "LLAVE_TELEGRAM_API_URL="+api.URL())
	return api
}

func TestTelegram_off(t *testing.T) { newClinic(t).lacks("telegram", "bot") }

func TestTelegram_bot(t *testing.T) {
	c := newClinic(t)
	api := newAPI(t, c)
	c.finds("telegram", "bot", Green, "@example_bot")
	api.Fail("getMe", 1, bottest.FaultBadGateway)
	if f := c.finds("telegram", "bot", Red, "cannot be asked"); !strings.Contains(f.Do, "the way there is right") {
		t.Errorf("it answers, and what to do is %q", f.Do)
	}
	api.Down()
	if f := c.finds("telegram", "bot", Red, "cannot be asked"); !strings.Contains(f.Do, "firewall") {
		t.Errorf("it is away, and what to do is %q", f.Do)
	}
	if err := api.Up(); err != nil {
		t.Fatal(err)
	}
	f := c.set("LLAVE_TELEGRAM_TOKEN="+botToken+"x").finds("telegram", "bot", Red, "does not know the token")
	if !strings.Contains(f.Do, "LLAVE_TELEGRAM_TOKEN") {
		t.Errorf("what to do is %q", f.Do)
	}
	c.lacks("telegram", "webhook")
}

func TestTelegram_webhook(t *testing.T) {
	const ours = "https://clave.example/webhooks/telegram"
	for name, tt := range map[string]struct {
		polling bool
		url     string
		failed  time.Duration // ago; 0: never
		waiting int
		want    Status
		words   string
	}{
		"polling":                 {true, "", 0, 2, Green, "2 updates wait"},
		"polling and a webhook":   {true, ours, 0, 0, Yellow, "a webhook is set"},
		"none":                    {false, "", 0, 0, Yellow, "none is set yet"},
		"ours":                    {false, ours, 0, 3, Green, "deliveries go well"},
		"another":                 {false, "https://other.example/webhooks/telegram", 0, 0, Red, "another one is set"},
		"wrong now":               {false, ours, time.Minute, 5, Red, "Wrong response from the webhook: 502 Bad Gateway"},
		"wrong earlier":           {false, ours, 5 * time.Hour, 0, Yellow, "went wrong"},
		"wrong some time ago":     {false, ours, 50 * time.Hour, 0, Green, "deliveries go well"},
		"many wait":               {false, ours, 0, 101, Yellow, "101 updates wait"},
		"many wait, and it fails": {false, ours, time.Minute, 101, Red, "101 updates wait"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClinic(t).set("LLAVE_PUBLIC_URL=https://clave.example")
			api := newAPI(t, c)
			if !tt.polling {
				c.set("LLAVE_TELEGRAM_MODE=webhook")
			}
			for range tt.waiting { // nobody fetches them
				api.Say(1, "hola")
			}
			failed := time.Time{}
			if tt.failed > 0 {
				failed = time.Now().Add(-tt.failed)
			}
			api.SetHook(tt.url, failed, "Wrong response from the webhook: 502 Bad Gateway")
			c.finds("telegram", "webhook", tt.want, tt.words)
		})
	}
}
