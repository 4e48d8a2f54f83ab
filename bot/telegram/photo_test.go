package telegram

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/png"
	"strings"
	"sync"
	"testing"

	"llave/bot"
	"llave/internal/bottest"
)

// drawing is a small image.
func drawing(t testing.TB) bot.Image {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 8, 6))); err != nil {
		t.Fatal(err)
	}
	return bot.Image{Name: "mail_app", Hash: "a1", Alt: "Dibujo", PNG: b.Bytes()}
}

func showing(p bot.Image) bot.Images {
	return func(name string) (bot.Image, bool) { return p, name == p.Name }
}

// shelf is the ports' memory of ids, shared by processes.
type shelf struct {
	mu  sync.Mutex
	ids map[string]string
	err error
}

func (s *shelf) Find(_ context.Context, channel, hash string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ids[channel+hash], s.err
}

func (s *shelf) Keep(_ context.Context, channel, hash, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ids == nil {
		s.ids = map[string]string{}
	}
	s.ids[channel+hash] = id
	return s.err
}

// An image is uploaded once for all processes; its id does after that, and where the id is refused it is uploaded again.
func TestSend_image(t *testing.T) {
	kept := &shelf{}
	p := drawing(t)
	b := newTestBot(t, func(o *Options) { o.Images, o.Shown = showing(p), kept })
	b.api.Say(42, "hola")
	reply := bot.Reply{Text: "Abra su correo", Image: "mail_app", Prompt: 3, Protect: true, Buttons: []bot.Button{{ID: "send", Title: "Enviar enlace"}}}
	send := func(c *Channel) bottest.ChatMessage {
		t.Helper()
		if err := c.Send(t.Context(), "42", reply); err != nil {
			t.Fatal(err)
		}
		ms := b.api.Messages(42)
		m := ms[len(ms)-1]
		if m.Text != reply.Text || m.Image != "mail_app" || len(m.Labels()) != 1 || !m.Protect {
			t.Fatalf("got %+v", m)
		}
		return m
	}
	uploads := func() (n int) {
		for _, c := range b.api.Calls("sendPhoto") {
			if c.Status == 200 && c.Params["photo"] == "" {
				n++
			}
		}
		return n
	}
	send(b.c)
	send(b.c)
	if n := uploads(); n != 1 {
		t.Errorf("two messages: %d uploads, want 1", n)
	}
	other, err := New(b.c.opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.Close)
	send(other)
	if n := uploads(); n != 1 {
		t.Errorf("another process: %d uploads, want 1", n)
	}
	b.api.ForgetPhotos()
	send(b.c)
	send(b.c)
	if n := uploads(); n != 2 {
		t.Errorf("after Telegram has forgotten the id: %d uploads, want 2", n)
	}
	if n := len(b.api.Calls("sendMessage")); n != 0 {
		t.Errorf("%d texts beside the images", n)
	}
}

// Whatever is wrong with an image, the text arrives; what is wrong with the chat is told as ever.
func TestSend_imageTrouble(t *testing.T) {
	reply := bot.Reply{Text: "Abra su correo", Image: "mail_app"}
	for _, tt := range []struct {
		name   string
		reply  bot.Reply
		faults []bottest.BotFault
		bad    bool   // the file is no image
		want   string // failure
		text   bool   // the text went out alone
	}{
		{name: "refused as an image", bad: true, text: true},
		{name: "500", faults: []bottest.BotFault{bottest.FaultServerError}, text: true},
		{name: "a proxy's page", faults: []bottest.BotFault{bottest.FaultBadGateway}, text: true},
		{name: "no answer", faults: []bottest.BotFault{bottest.FaultDropped}, text: true},
		{name: "413", faults: []bottest.BotFault{{Code: 413, Description: "Request Entity Too Large"}}, text: true},
		{name: "no such image", reply: bot.Reply{Text: "x", Image: "nobody_drew_this"}, text: true},
		{name: "too long for a caption", reply: bot.Reply{Text: strings.Repeat("ñ", captionMax+1), Image: "mail_app"}, text: true},
		{name: "blocked", faults: []bottest.BotFault{bottest.FaultBlocked}, want: "gone"},
		{name: "too many", faults: []bottest.BotFault{bottest.FaultTooMany(7)}, want: "throttled"},
		{name: "token", faults: []bottest.BotFault{bottest.FaultUnauthorized}, want: "temporary"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := drawing(t)
			if tt.bad {
				p.PNG = []byte("no image")
			}
			b := newTestBot(t, func(o *Options) { o.Images = showing(p) })
			b.api.Say(42, "hola")
			for _, f := range tt.faults {
				b.api.Fail("sendPhoto", 1, f)
			}
			r := reply
			if tt.reply.Text != "" {
				r = tt.reply
			}
			err := b.c.Send(t.Context(), "42", r)
			got := ""
			if err != nil {
				got = bot.KindOf(err).String()
			}
			if got != tt.want {
				t.Errorf("failure %q (%v), want %q", got, err, tt.want)
			}
			var alone int
			for _, m := range b.api.Messages(42) {
				if m.Text == r.Text && m.Image == "" {
					alone++
				}
			}
			if (alone == 1) != tt.text {
				t.Errorf("text alone %d times, want %v", alone, tt.text)
			}
			if strings.Contains(b.logs.String(), testToken) || err != nil && strings.Contains(err.Error(), testToken) {
				t.Error("the token is told")
			}
		})
	}
}

// A store that is away costs an upload, nothing else.
func TestSend_imageWithoutStore(t *testing.T) {
	b := newTestBot(t, func(o *Options) { o.Images, o.Shown = showing(drawing(t)), &shelf{err: errors.New("away")} })
	b.api.Say(42, "hola")
	for range 2 {
		if err := b.c.Send(t.Context(), "42", bot.Reply{Text: "x", Image: "mail_app"}); err != nil {
			t.Fatal(err)
		}
	}
	if ms := b.api.Messages(42); len(ms) != 2 || ms[1].Image != "mail_app" {
		t.Errorf("got %+v", ms)
	}
}
