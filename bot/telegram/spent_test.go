package telegram

import (
	"context"
	"fmt"
	"reflect"
	"strconv"
	"testing"
	"time"

	"llave/bot"
	"llave/flows"
	"llave/internal/bottest"
)

var (
	portal  = bot.Button{Title: "Portal", URL: "https://www.iess.gob.ec"}
	goOn    = bot.Button{ID: "go", Title: "Continuar", Main: true}
	subject = bot.Copy{Title: "Copiar asunto", Text: "SOLICITUD DESBLOQUEO DE CLAVE"}
)

// asked sends a bubble to a chat, has its button pressed, and returns the bubble as the press tells of it.
func (b *testBot) asked(chat int64, r bot.Reply) (*bot.Bubble, int) {
	b.t.Helper()
	b.api.Say(chat, "hola")
	if err := b.c.Send(context.Background(), fmt.Sprint(chat), r); err != nil {
		b.t.Fatal(err)
	}
	sent := b.api.Messages(chat)
	id := sent[len(sent)-1].ID
	if _, err := b.api.Press(chat, goOn.Title); err != nil {
		b.t.Fatal(err)
	}
	var bubble *bot.Bubble
	b.until("the press", func() bool {
		for _, u := range b.updates() {
			if u.Kind == bot.Press && u.Chat == fmt.Sprint(chat) {
				bubble = u.Bubble
			}
		}
		return bubble != nil
	})
	return bubble, id
}

func (b *testBot) now(chat int64, id int) bottest.ChatEdit {
	b.t.Helper()
	for _, m := range b.api.Messages(chat) {
		if m.ID == id {
			return m.Now()
		}
	}
	b.t.Fatalf("no message %d", id)
	return bottest.ChatEdit{}
}

// A press tells which bubble it is under, and what it says, but for one that is protected or an image's; what sends nothing
// stays under it, everything else goes.
func TestSpend(t *testing.T) {
	b := newTestBot(t, func(o *Options) { o.Images = flows.Image })
	b.run()
	for i, tt := range []struct {
		name  string
		reply bot.Reply
		want  bot.Bubble
		text  string // of the edit
		now   bottest.ChatEdit
	}{
		{"plain", bot.Reply{Text: "¿Sigue?", Buttons: []bot.Button{goOn}}, bot.Bubble{Text: "¿Sigue?"}, "¿Sigue?\n\n✓ Continuar",
			bottest.ChatEdit{Text: "¿Sigue?\n\n✓ Continuar"}},
		{"protected", bot.Reply{Text: "¿Es 171 003 406 5?", Buttons: []bot.Button{goOn}, Protect: true}, bot.Bubble{}, "",
			bottest.ChatEdit{Text: "¿Es 171 003 406 5?"}},
		{"an image", bot.Reply{Text: "Mire.", Buttons: []bot.Button{goOn}, Image: "id_card"}, bot.Bubble{}, "", bottest.ChatEdit{Text: "Mire."}},
		{"what stays", bot.Reply{Text: "Busque.", Buttons: []bot.Button{goOn, portal}, Copies: []bot.Copy{subject}},
			bot.Bubble{Text: "Busque.", Links: []bot.Button{portal}, Copies: []bot.Copy{subject}}, "Busque.\n\n✓ Continuar",
			bottest.ChatEdit{Text: "Busque.\n\n✓ Continuar", Rows: [][]bottest.ChatButton{
				{{Title: portal.Title, URL: portal.URL}}, {{Title: subject.Title, Copy: &bottest.ChatCopy{Text: subject.Text}}},
			}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			chat := int64(60 + i)
			bubble, id := b.asked(chat, tt.reply)
			tt.want.ID = strconv.Itoa(id)
			if !reflect.DeepEqual(*bubble, tt.want) {
				t.Errorf("the press tells of %+v, want %+v", *bubble, tt.want)
			}
			spend := bot.Spend{Bubble: bubble.ID, Text: tt.text, Links: bubble.Links, Copies: bubble.Copies}
			for range 2 { // the second time it is as it should be
				if err := b.c.Spend(t.Context(), fmt.Sprint(chat), spend); err != nil {
					t.Fatal(err)
				}
			}
			if got := b.now(chat, id); !reflect.DeepEqual(got, tt.now) {
				t.Errorf("it is %+v now, want %+v", got, tt.now)
			}
		})
	}
}

// What Telegram refuses to change stays, and is no trouble; a server that is away, or a person who is gone, is.
func TestSpend_refused(t *testing.T) {
	b := newTestBot(t, nil)
	b.api.Say(1, "hola")
	for _, description := range []string{
		"Bad Request: message is not modified: specified new message content and reply markup are exactly the same", "Bad Request: message to edit not found",
		"Bad Request: message can't be edited", "Bad Request: MESSAGE_ID_INVALID", "Bad Request: something new",
	} {
		b.api.Fail("editMessageText", 1, bottest.BotFault{Code: 400, Description: description})
		if err := b.c.Spend(t.Context(), "1", bot.Spend{Bubble: "7", Text: "x"}); err != nil {
			t.Errorf("%s: %v", description, err)
		}
	}
	if n := b.counted(CountUnspent); n != 5 {
		t.Errorf("%d counted as refused, want 5", n)
	}
	for want, f := range map[bot.Failure]bottest.BotFault{
		bot.Temporary: bottest.FaultServerError, bot.Gone: bottest.FaultBlocked, bot.Throttled: bottest.FaultTooMany(3),
	} {
		chat := fmt.Sprint(10 + int(want)) // the 429 pauses its chat
		b.api.Fail("editMessageReplyMarkup", 1, f)
		if got := sendError(t, b.c.Spend(t.Context(), chat, bot.Spend{Bubble: "7"})).Failure; got != want {
			t.Errorf("%+v: %v, want %v", f, got, want)
		}
	}
	if got := sendError(t, b.c.Spend(t.Context(), "1", bot.Spend{Bubble: "x"})).Failure; got != bot.Permanent {
		t.Errorf("a bubble without a number: %v", got)
	}
}

// An edit never goes before a bubble that waits for its turn, and makes none wait.
func TestSpend_yields(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, b *testBot) {
		b.api.Say(1, "hola")
		for range 5 {
			if err := b.c.Send(t.Context(), "1", bot.Reply{Text: "x"}); err != nil {
				t.Fatal(err)
			}
		}
		got := sendError(t, b.c.Spend(t.Context(), "1", bot.Spend{Bubble: "7"}))
		if got.Failure != bot.Throttled || got.After <= 0 || len(b.api.Calls("editMessageReplyMarkup")) != 0 {
			t.Fatalf("after a burst: %+v with %d edits, want to be told to wait", got, len(b.api.Calls("editMessageReplyMarkup")))
		}
		time.Sleep(got.After)
		if err := b.c.Spend(t.Context(), "1", bot.Spend{Bubble: "7"}); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := b.c.Send(t.Context(), "1", bot.Reply{Text: "y"}); err != nil || time.Since(began) > 0 {
			t.Errorf("the bubble after the edit: %v after %v, want at once", err, time.Since(began))
		}
		if b.counted(CountThrottled) != 0 {
			t.Error("waiting for left-over rate is counted as trouble")
		}
	})
}
