package whatsapp

import (
	"bytes"
	"context"
	"image"
	"image/png"
	"strings"
	"sync"
	"testing"

	"llave/bot"
	"llave/internal/bottest"
)

func drawing(t testing.TB) bot.Image {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 8, 6))); err != nil {
		t.Fatal(err)
	}
	return bot.Image{Name: "mail_app", Hash: "a1", Alt: "Dibujo", PNG: b.Bytes()}
}

// shelf is a bot.ImageIDs in memory.
type shelf struct {
	mu  sync.Mutex
	ids map[string]string
}

func (s *shelf) Find(_ context.Context, channel, hash string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ids[channel+hash], nil
}

func (s *shelf) Keep(_ context.Context, channel, hash, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ids[channel+hash] = id
	return nil
}

func drawn(p bot.Image, kept bot.ImageIDs) func(*Options, *bottest.GraphOptions) {
	return func(o *Options, _ *bottest.GraphOptions) {
		o.Images = func(name string) (bot.Image, bool) { return p, name == p.Name }
		o.Shown = kept
	}
}

// An image is uploaded once for all processes, stands above buttons or over its text, and is uploaded again where its id
// is refused.
func TestSend_image(t *testing.T) {
	p, kept := drawing(t), &shelf{ids: map[string]string{}}
	o := newOutbound(t, drawn(p, kept))
	chat := o.meet(593990000001)
	replies := []bot.Reply{
		{Text: "Abra su correo", Image: "mail_app", Prompt: 4, Buttons: answers(3)},
		{Text: "Abra su correo", Image: "mail_app"},
		{Text: "Abra su correo", Image: "mail_app", Buttons: []bot.Button{{Title: "Portal", URL: "https://www.iess.gob.ec"}}},
	}
	all := func() {
		t.Helper()
		for _, r := range replies {
			if err := o.send(t.Context(), chat, r); err != nil {
				t.Fatal(err)
			}
			ms := o.api.Messages(593990000001)
			if m := ms[len(ms)-1]; m.Image != "mail_app" || m.Text != r.Text || len(m.Labels()) != len(r.Buttons) {
				t.Errorf("%d buttons: got %+v", len(r.Buttons), m)
			}
		}
	}
	uploads := func() int { return len(o.api.Calls("media")) }
	all()
	if n := uploads(); n != 1 {
		t.Errorf("%d uploads for three messages, want 1", n)
	}
	o.c.uploads = bot.NewUploads(Name, kept) // as another process has it
	all()
	if n := uploads(); n != 1 {
		t.Errorf("another process: %d uploads, want 1", n)
	}
	o.api.ForgetMedia()
	all()
	if n := uploads(); n != 2 {
		t.Errorf("after thirty days: %d uploads, want 2", n)
	}
}

// Whatever is wrong with an image, the text arrives, with its buttons.
func TestSend_imageTrouble(t *testing.T) {
	short := bot.Reply{Text: "Abra su correo", Image: "mail_app", Prompt: 4, Buttons: answers(2)}
	for _, tt := range []struct {
		name   string
		reply  bot.Reply
		upload []bottest.GraphFault
		send   []bottest.GraphFault
		bad    bool
	}{
		{name: "no image", reply: short, bad: true},
		{name: "upload fails", reply: short, upload: []bottest.GraphFault{bottest.GraphFaultServerError}},
		{name: "upload without an answer", reply: short, upload: []bottest.GraphFault{{Drop: true}}},
		{name: "refused though fresh", reply: short, send: []bottest.GraphFault{{Code: 131009}}},
		{name: "a list has no place for one", reply: bot.Reply{Text: "Elija", Image: "mail_app", Prompt: 4, Buttons: answers(5)}},
		{name: "too long for a caption", reply: bot.Reply{Text: strings.Repeat("ñ", captionMax+1), Image: "mail_app"}},
		{name: "nobody drew it", reply: bot.Reply{Text: "x", Image: "nobody_drew_this"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := drawing(t)
			if tt.bad {
				p.PNG = []byte("no image")
			}
			o := newOutbound(t, drawn(p, nil))
			chat := o.meet(593990000001)
			for _, f := range tt.upload {
				o.api.Fail("media", 1, f)
			}
			for _, f := range tt.send {
				o.api.Fail("messages", 1, f)
			}
			if err := o.send(t.Context(), chat, tt.reply); err != nil {
				t.Fatal(err)
			}
			ms := o.api.Messages(593990000001)
			if m := ms[len(ms)-1]; m.Image != "" || m.Text != tt.reply.Text || len(m.Labels()) != len(tt.reply.Buttons) {
				t.Errorf("got %+v", m)
			}
		})
	}
}

// A report, later, that the image could not be used has the text sent again, alone.
func TestStatus_imageRefused(t *testing.T) {
	shown := bot.Reply{Text: "x", Image: "mail_app"}
	for _, tt := range []struct {
		name  string
		code  int
		reply *bot.Reply
		want  bot.Failure
		image string
	}{
		{"the image", mediaRefused, &shown, bot.Temporary, ""},
		{"the image is gone", mediaLost, &shown, bot.Temporary, ""},
		{"no image in it", mediaRefused, &bot.Reply{Text: "x"}, bot.Permanent, ""},
		{"something else", 131026, &shown, bot.Gone, "mail_app"},
	} {
		again, failure := withoutImage(tt.code, tt.reply, failureOf(tt.code))
		if failure != tt.want || again.Image != tt.image || again.Text != "x" {
			t.Errorf("%s: got %+v, %v, want image %q, %v", tt.name, again, failure, tt.image, tt.want)
		}
	}
	if shown.Image == "" {
		t.Error("the kept reply was changed")
	}
}

// An id that a message failed later on because of is not used again: the next message uploads the image.
func TestStatus_imageUploadedAgain(t *testing.T) {
	p, kept := drawing(t), &shelf{ids: map[string]string{}}
	o := newOutbound(t, drawn(p, kept))
	chat := o.meet(593990000001)
	shown := bot.Reply{Text: "x", Image: "mail_app"}
	for _, tt := range []struct {
		code, uploads int
	}{{131026, 1}, {mediaRefused, 2}, {mediaLost, 3}} {
		if err := o.send(t.Context(), chat, shown); err != nil {
			t.Fatal(err)
		}
		o.c.dropImage(t.Context(), tt.code, &shown)
		if err := o.send(t.Context(), chat, shown); err != nil {
			t.Fatal(err)
		}
		if n := len(o.api.Calls("media")); n != tt.uploads {
			t.Errorf("after %d: %d uploads, want %d", tt.code, n, tt.uploads)
		}
	}
}
