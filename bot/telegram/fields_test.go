package telegram

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"llave/bot"
	"llave/flows"
	"llave/internal/bottest"
)

// newer are messages with what the Bot API has learned since tgbotapi was written.
var newer = map[field]bot.Reply{
	fieldStyle: {Text: "¿Sigue?", Prompt: 1, Buttons: []bot.Button{goOn, {ID: "no", Title: "No"}}},
	fieldCopy:  {Text: "Busque SOLICITUD DESBLOQUEO DE CLAVE.", Prompt: 2, Buttons: []bot.Button{goOn}, Copies: []bot.Copy{subject}, Image: "id_card"},
	fieldHint:  {Text: "Escriba su número de cédula.", Hint: "10 números"},
}

func (b *testBot) sent(chat int64, r bot.Reply) string {
	b.t.Helper()
	before := len(b.api.Messages(chat))
	if err := b.c.Send(b.t.Context(), fmt.Sprint(chat), r); err != nil {
		b.t.Fatal(err)
	}
	if n := len(b.api.Messages(chat)) - before; n != 1 {
		b.t.Fatalf("%d bubbles, want one", n)
	}
	calls := b.api.Calls("")
	return calls[len(calls)-1].Params["reply_markup"]
}

func TestFields_wire(t *testing.T) {
	b := newTestBot(t, func(o *Options) { o.Images = flows.Image })
	b.api.Say(1, "hola")
	for name, want := range map[field]string{
		fieldStyle: `{"inline_keyboard":[[{"text":"Continuar","callback_data":"1:go","style":"primary"},{"text":"No","callback_data":"1:no"}]]}`,
		fieldCopy:  `{"inline_keyboard":[[{"text":"Continuar","callback_data":"2:go","style":"primary"}],[{"text":"Copiar asunto","copy_text":{"text":"SOLICITUD DESBLOQUEO DE CLAVE"}}]]}`,
		fieldHint:  `{"force_reply":true,"input_field_placeholder":"10 números"}`,
	} {
		if got := b.sent(1, newer[name]); got != want {
			t.Errorf("%s: sent %s, want %s", name, got, want)
		}
	}
	if got := b.api.Messages(1); got[len(got)-1].Text == "" {
		t.Error("nothing arrived")
	}
	withButtons := newer[fieldHint]
	withButtons.Buttons = []bot.Button{{ID: "slow", Title: "Paso a paso"}}
	if got := b.sent(1, withButtons); strings.Contains(got, "placeholder") {
		t.Errorf("a hint beside a keyboard: %s", got)
	}
}

// A field that the server refuses is left out at once, so that the message is not lost, and from then on; the others stay.
func TestFields_refused(t *testing.T) {
	for name := range newer {
		t.Run(string(name), func(t *testing.T) {
			b := newTestBot(t, func(o *Options) { o.Images = flows.Image })
			b.api.RefuseFields(string(name))
			for chat := range int64(3) {
				b.api.Say(chat+1, "hola")
				tries := len(b.api.Calls(""))
				for _, r := range newer {
					if got := b.sent(chat+1, r); strings.Contains(got, string(name)) {
						t.Errorf("sent %s with it", got)
					}
					if r.Image != "" {
						if got := b.api.Messages(chat + 1); got[len(got)-1].Image != r.Image {
							t.Error("its image was lost")
						}
					}
				}
				if n := len(b.api.Calls("")) - tries; chat > 0 && n != len(newer) {
					t.Errorf("%d calls for %d messages, once it is known", n, len(newer))
				}
			}
			for other, r := range newer {
				if got := b.sent(3, r); other != name && !strings.Contains(got, string(other)) {
					t.Errorf("%s went with it: %s", other, got)
				}
			}
		})
	}
}

// A message that is refused for what it is teaches nothing.
func TestFields_notAtFault(t *testing.T) {
	b := newTestBot(t, nil)
	b.api.Say(1, "hola")
	b.api.Fail("sendMessage", 2, bottest.BotFault{Code: 400, Description: "Bad Request: something else"})
	if got := sendError(t, b.c.Send(t.Context(), "1", newer[fieldStyle])).Failure; got != bot.Permanent {
		t.Errorf("got %v, want that it will never be taken", got)
	}
	if got := b.sent(1, newer[fieldStyle]); !strings.Contains(got, "style") {
		t.Errorf("sent %s, want everything as before", got)
	}
}

// What is sent once more, without a field, takes a place of its own in the pace.
func TestFields_keepThePace(t *testing.T) {
	inBubble(t, func(o *Options) { o.Rate = 1 }, func(t *testing.T, b *testBot) {
		b.api.Say(1, "hola")
		b.api.RefuseFields("style")
		start := time.Now()
		b.sent(1, newer[fieldStyle])
		if calls, took := len(b.api.Calls("sendMessage")), time.Since(start); calls != 2 || took < time.Second {
			t.Errorf("%d calls in %v, want two, a second apart", calls, took)
		}
		// Where there is no place for it soon, it waits like any message; then it goes.
		b.api.RefuseFields("copy_text")
		others := make(chan error)
		for chat := range int64(3) {
			b.api.Say(chat+2, "hola")
			go func() { others <- b.c.Send(t.Context(), fmt.Sprint(chat+2), bot.Reply{Text: "x"}) }()
		}
		err := b.c.Send(t.Context(), "1", newer[fieldCopy])
		for range 3 {
			<-others
		}
		for err != nil {
			se := sendError(t, err)
			if se.Failure != bot.Throttled || se.After <= 0 {
				t.Fatalf("got %+v, want that it waits for its turn", se)
			}
			time.Sleep(se.After)
			err = b.c.Send(t.Context(), "1", newer[fieldCopy])
		}
	})
}

// A message that is refused for a field is not refused for its image: the image's id is as good as before.
func TestFields_keepTheImage(t *testing.T) {
	p := drawing(t)
	b := newTestBot(t, func(o *Options) { o.Images, o.Shown = showing(p), &shelf{} })
	b.api.Say(1, "hola")
	reply := bot.Reply{Text: "Abra su correo", Image: p.Name, Prompt: 3, Buttons: []bot.Button{{ID: "send", Title: "Enviar enlace"}}}
	b.sent(1, reply)
	b.api.RefuseFields("style", "copy_text")
	reply.Buttons[0].Main, reply.Copies = true, []bot.Copy{subject}
	b.sent(1, reply)
	for _, call := range b.api.Calls("")[1:] {
		if call.Method == "sendMessage" || call.Method == "sendPhoto" && call.Params["photo"] == "" {
			t.Errorf("%s without the image's id", call.Method)
		}
	}
	if got := b.api.Messages(1); got[len(got)-1].Image != p.Name {
		t.Error("its image was lost")
	}
}
