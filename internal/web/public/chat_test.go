package public_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"llave/bot"
	"llave/internal/affiliate"
	"llave/internal/web"
	"llave/internal/web/public"
)

// The chats of the tests.
var (
	onTelegram = web.Chat{Channel: "telegram", URL: "https://t.me/example_bot"}
	onWhatsApp = web.Chat{Channel: "whatsapp", URL: "https://wa.me/15550783881"}
)

// letterOn asks for a link from a chat of a channel, and returns the path of its letter's.
func (s *site) letterOn(channel, number string) string {
	s.t.Helper()
	s.turns++
	conv, record := bot.ConversationID(channel, "1"), affiliate.Hash(s.vault, number)
	res, err := s.links.Reserve(s.t.Context(), bot.Ask{
		Turn: fmt.Sprint(conv, "/", s.turns), Conv: conv, Record: record, Number: number, Want: "unlock", Channel: channel,
	})
	if err != nil || !res.Granted {
		s.t.Fatalf("reserve: %+v, %v", res, err)
	}
	l, err := s.links.Letter(s.t.Context(), bot.Promise{Record: record, Attempt: res.Attempt, What: bot.MailLink{}}, conv)
	if err != nil {
		s.t.Fatal(err)
	}
	s.notMe = l.NotMe
	return "/desbloqueo/" + l.Token
}

// leadsTo wants a page to lead back to these chats and to no other (P215).
func (b *browser) leadsTo(path string, status int, chats ...web.Chat) {
	b.w.t.Helper()
	page := b.get(path).Want(b.w.t, status)
	for _, c := range []web.Chat{onTelegram, onWhatsApp} {
		want := 0
		for _, one := range chats {
			if one == c {
				want = 1
			}
		}
		if got := strings.Count(page.Body, `href="`+c.URL+`"`); got != want {
			b.w.t.Errorf("%s leads to %s %d times, want %d", path, c.URL, got, want)
		}
	}
}

// From the letter to the new key every page leads back to the chat that asked, and to no other. A page that nobody came to from a letter
// leads to all there are.
func TestBack(t *testing.T) {
	chats := []web.Chat{onTelegram, onWhatsApp}
	s := newSite(t, func(o *public.Options) { o.Chats = func() []web.Chat { return chats } })
	for _, own := range chats {
		s.add(lockedNumber, affiliate.Locked)
		path, b := s.letterOn(own.Channel, lockedNumber), s.browser()
		b.leadsTo(path, 200, own)
		b.leadsTo("/clave", 403, own) // by the cookie
		b.press(path).To(t, "/listo")
		b.leadsTo("/listo", 200, own)
		b.leadsTo(path, 200, own)
		b.leadsTo("/clave", 200, own)
		s.browser().leadsTo(path, 410, own) // used
		b.post("/clave", url.Values{"clave": {"corta"}, "clave2": {"corta"}}).Want(t, 422, own.URL)
		b.post("/clave", url.Values{"clave": {goodKey}, "clave2": {goodKey}}).To(t, "/clave")
		b.leadsTo("/clave", 200, own)
		b.leadsTo("/nowhere", 404, own)
		s.clock.Advance(10 * time.Minute)
		b.leadsTo("/clave", 403, own)
		b.leadsTo(path, 410, own)

		s.add(lockedNumber, affiliate.Locked)
		ended := s.letterOn(own.Channel, lockedNumber)
		s.clock.Advance(10 * time.Minute)
		s.browser().leadsTo(ended, 410, own)
	}
	b := s.browser()
	for path, status := range map[string]int{"/": 200, "/privacidad": 200, "/clave": 403, "/listo": 403, "/desbloqueo/wrong": 404, "/no-fui-yo/wrong": 404, "/nowhere": 404} {
		s.clock.Advance(time.Minute)
		b.leadsTo(path, status, chats...)
	}
	b.get("/agentes/nowhere").Want(t, 404)
	b.leadsTo("/agentes/nowhere", 404)

	// Whose owner says that it was not them is led to where the letter was asked for, too, before and after.
	for _, own := range chats {
		s.add(activeNumber, affiliate.Active)
		s.letterOn(own.Channel, activeNumber)
		notMe := "/no-fui-yo/" + s.notMe
		b = s.browser()
		b.leadsTo(notMe, 200, own)
		page, other := b.press(notMe).Want(t, 200, "Gracias por avisar", own.URL), chats[0]
		if other == own {
			other = chats[1]
		}
		if strings.Contains(page.Body, other.URL) {
			t.Errorf("who said that a letter of %s was not theirs is led to %s", own.Channel, other.Channel)
		}
		s.clock.Advance(8 * 24 * time.Hour)
		b.leadsTo(notMe, 410, own)
	}

	// What a platform has not said yet leads nowhere, and what a browser makes up chooses among what is there.
	chats = nil
	s.browser().leadsTo("/", 200)
	chats = []web.Chat{onTelegram}
	b = s.browser()
	u, err := url.Parse(s.server.URL)
	if err != nil {
		t.Fatal(err)
	}
	b.Client.Jar.SetCookies(u, []*http.Cookie{{Name: "llave-navegador", Value: "AAAAAAAAAAAAAAAAAAAAAA.xx.evil.1", Path: "/"}})
	b.leadsTo("/clave", 403, onTelegram)
}

// A cookie of a version before holds the nonce and the language.
func TestBack_olderCookie(t *testing.T) {
	s := newSite(t, func(o *public.Options) { o.Chats = func() []web.Chat { return []web.Chat{onTelegram, onWhatsApp} } })
	b := s.browser()
	u, err := url.Parse(s.server.URL)
	if err != nil {
		t.Fatal(err)
	}
	b.Client.Jar.SetCookies(u, []*http.Cookie{{Name: "llave-navegador", Value: "AAAAAAAAAAAAAAAAAAAAAA.en", Path: "/"}})
	b.get("/clave").Want(t, 403, "Open the link in your email again", "Back to the Telegram chat", "Back to the WhatsApp chat")
	path := s.letterOn("whatsapp", lockedNumber)
	b.press(path).To(t, "/listo")
	b.get("/listo").Want(t, 200, unlocked, "Volver al chat de WhatsApp")
}
