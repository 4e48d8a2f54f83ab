package world

import (
	"testing"
	"time"

	"llave/internal/bottest"
)

// Phone is what a person of the world holds: the side of a channel's stub that people have.
type Phone interface {
	Say(chat int64, text string) int
	Press(chat int64, label string) (int, error)
	PressOn(chat int64, messageID int, label string) (int, error)
	Photo(chat int64, caption string) int
	Voice(chat int64) int
	Location(chat int64, lat, lon float64) int
	Send(chat int64, what, words string) error
	Contact(chat int64, phone string, own bool) int
	Edit(chat int64, messageID int, text string) int
	Block(chat int64)
	Unblock(chat int64)
	Repeat(chat int64)
	Messages(chat int64) []bottest.ChatMessage
	History(chat int64) []bottest.ChatMessage
	Pending() int
	HangUp()
	Wait(timeout time.Duration, cond func() bool) bool
}

// Channel is a way into a world.
type Channel struct {
	Name string
	open func(t testing.TB, w *World) (p Phone, settings []string, ready func())
}

// Telegram is the channel of a world unless another is chosen.
var Telegram = Channel{"telegram", func(t testing.TB, w *World) (Phone, []string, func()) {
	w.API = bottest.NewBotAPI(Token)
	if err := w.API.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.API.Close)
	ready := func() {
		if !w.API.Wait(5*time.Second, func() bool { return w.API.WebhookURL() != "" }) {
			t.Fatal("the webhook was not registered within 5 s")
		}
	}
	return w.API, []string{
		"LLAVE_TELEGRAM_TOKEN=" + Token, "LLAVE_TELEGRAM_API_URL=" + w.API.URL(), "LLAVE_TELEGRAM_MODE=webhook", "LLAVE_TELEGRAM_RATE=1000",
	}, ready
}}

// Template is what WhatsApp's approved template says there: LLAVE_WHATSAPP_TEMPLATE=volver:es.
const Template = "Tenemos una respuesta para usted. Escriba algo para verla."

// WhatsApp is the other one.
var WhatsApp = Channel{"whatsapp", func(t testing.TB, w *World) (Phone, []string, func()) {
	g := bottest.NewGraph(bottest.GraphOptions{
		Tokens: []string{"EAAtest"}, PhoneNumberID: "106540352242922", AppSecret: "app-secret-of-the-test", VerifyToken: "verify-token-of-the-test",
		Now: w.Now, PerSecond: -1, Templates: []bottest.GraphTemplate{{Name: "volver", Language: "es", Body: Template}},
	})
	if err := g.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	w.Graph = g
	ready := func() {
		if err := g.SetWebhook(w.URL("/webhooks/whatsapp")); err != nil {
			t.Fatal(err)
		}
	}
	return g, []string{
		"LLAVE_WHATSAPP_TOKEN=EAAtest", "LLAVE_WHATSAPP_PHONE_NUMBER_ID=106540352242922", "LLAVE_WHATSAPP_APP_SECRET=app-secret-of-the-test",
		"LLAVE_WHATSAPP_VERIFY_TOKEN=verify-token-of-the-test", "LLAVE_WHATSAPP_API_URL=" + g.URL(), "LLAVE_WHATSAPP_RATE=1000",
	}, ready
}}
