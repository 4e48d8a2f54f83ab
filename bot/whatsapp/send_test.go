package whatsapp

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"llave/bot"
	"llave/internal/bottest"
)

// TestSend_noted: what was taken is noted with its id, and what was not is not.
func TestSend_noted(t *testing.T) {
	o := newOutbound(t, nil)
	chat := o.meet(593990000001)
	reply := bot.Reply{Text: "¿Sí?", Prompt: 4, Buttons: answers(2)}
	if err := o.send(t.Context(), chat, reply); err != nil {
		t.Fatal(err)
	}
	o.api.Fail("messages", 1, bottest.GraphFaultServerError)
	o.refused(chat)
	shown := o.api.Messages(593990000001)
	got := o.notes()
	if len(got) != 1 || got[0].chat != chat || got[0].id != o.api.WAMID(593990000001, shown[0].ID) || fmt.Sprint(got[0].reply) != fmt.Sprint(reply) {
		t.Errorf("noted %+v, want the one that was taken", got)
	}
	if o.counted(CountSent) != 1 || o.counted(CountTemporary) != 1 {
		t.Errorf("counted %v", o.counts)
	}
}

// TestSend_notNoted: a message that went out is not sent again because that could not be noted; and it is noted even
// when the program is being stopped.
func TestSend_notNoted(t *testing.T) {
	o := newOutbound(t, nil)
	chat := o.meet(593990000001)
	o.api.Slow("messages", 50*time.Millisecond)
	ctx, cancel := context.WithCancel(t.Context())
	stop := time.AfterFunc(10*time.Millisecond, func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.failed = errors.New("write delivery of 593990000001: no primary")
	})
	defer stop.Stop()
	if err := o.send(ctx, chat, bot.Reply{Text: "x"}); err != nil {
		t.Errorf("got %v, want nil: the message went out", err)
	}
	o.c.remembering.Wait()
	if !strings.Contains(o.logs.String(), "could not be noted") {
		t.Errorf("not logged:\n%s", o.logs)
	}
	cancel()
	o.c.remember(ctx, "wamid.x", chat, Names{Phone: chat}, bot.Reply{})
	if n := o.notes(); len(n) != 2 {
		t.Errorf("noted %d, want 2: stopping does not keep from noting", len(n))
	}
}

// TestSend_address: it goes to the name by which the person goes now.
func TestSend_address(t *testing.T) {
	o := newOutbound(t, nil)
	chat := o.meet(593990000001)
	userID := o.api.HidePhone(593990000001)
	for _, n := range []Names{{Phone: chat}, {Phone: chat, UserID: userID}, {UserID: userID}} {
		o.mu.Lock()
		o.people[chat] = n
		o.mu.Unlock()
		if err := o.send(t.Context(), chat, bot.Reply{Text: "x", Buttons: answers(1)}); err != nil {
			t.Errorf("%v", err)
		}
	}
	var got []string
	for _, c := range o.api.Calls("messages") {
		got = append(got, c.Params["to"]+"/"+c.Params["recipient"])
	}
	if got, want := strings.Join(got, " "), fmt.Sprintf("%s/ %s/ /%s", chat, chat, userID); got != want {
		t.Errorf("got %s, want %s", got, want)
	}

	if got := o.refused("nobody"); got.Failure != bot.Permanent {
		t.Errorf("nobody: got %v, want permanent", got)
	}
	o.mu.Lock()
	o.failed = errors.New("find 593990000001: no primary")
	o.mu.Unlock()
	if got := o.refused(chat); got.Failure != bot.Temporary || !strings.Contains(got.Error(), "no primary") {
		t.Errorf("store gone: got %v, want temporary and why", got)
	}
}

// TestSend_wrong: a message that cannot be is told at once.
func TestSend_wrong(t *testing.T) {
	o := newOutbound(t, nil)
	chat := o.meet(593990000001)
	if err := o.send(t.Context(), chat, bot.Reply{}); bot.KindOf(err) != bot.Permanent {
		t.Errorf("got %v, want permanent", err)
	}
	if n := len(o.api.Calls("messages")); n != 0 {
		t.Errorf("%d requests, want none", n)
	}
}

// TestSend_window: after 24 hours of silence the template goes out, once, and the message waits.
func TestSend_window(t *testing.T) {
	outboundInBubble(t, nil, func(t *testing.T, o *outbound) {
		chat := o.meet(593990000001)
		heard := time.Now()
		send := func() error {
			return o.send(t.Context(), chat, bot.Reply{Text: "novedad", Silence: time.Since(heard)})
		}
		texts := func() string {
			var out []string
			for _, m := range o.api.Messages(593990000001) {
				out = append(out, m.Text)
			}
			return strings.Join(out, " | ")
		}
		time.Sleep(24 * time.Hour)
		if err := o.send(t.Context(), chat, bot.Reply{Text: "a tiempo", Silence: 24*time.Hour - time.Second}); bot.KindOf(err) != bot.Closed {
			t.Fatalf("WhatsApp's clock says it is over: got %v, want closed", err)
		}
		for range 3 {
			time.Sleep(time.Hour)
			if err := send(); bot.KindOf(err) != bot.Closed {
				t.Errorf("got %v, want closed", err)
			}
		}
		const knocked = "Hay novedades de su trámite. Escríbanos."
		if got := texts(); got != knocked {
			t.Errorf("got %q, want the template once", got)
		}
		if n := o.notes(); len(n) != 0 {
			t.Errorf("noted %+v, want nothing: the message waits", n)
		}

		o.api.Say(593990000001, "aquí estoy")
		heard = time.Now()
		if err := send(); err != nil {
			t.Errorf("after the person wrote: %v", err)
		}
		time.Sleep(25 * time.Hour)
		for range 2 {
			if err := send(); bot.KindOf(err) != bot.Closed {
				t.Errorf("another silence: got %v, want closed", err)
			}
		}
		if got, want := texts(), knocked+" | novedad | "+knocked; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if sent, templates, closed := o.counted(CountSent), o.counted(CountTemplate), o.counted(CountClosed); sent != 3 || templates != 2 || closed != 6 {
			t.Errorf("counted %d sent, %d of them templates, %d closed", sent, templates, closed)
		}
	})
}

// TestSend_windowWithoutTemplate: nothing goes out at all.
func TestSend_windowWithoutTemplate(t *testing.T) {
	o := newOutbound(t, func(opt *Options, _ *bottest.GraphOptions) { opt.Template = "" })
	chat := o.meet(593990000001)
	if err := o.send(t.Context(), chat, bot.Reply{Text: "x", Silence: 25 * time.Hour}); bot.KindOf(err) != bot.Closed {
		t.Errorf("got %v, want closed", err)
	}
	if n := len(o.api.Calls("messages")); n != 0 {
		t.Errorf("%d requests, want none", n)
	}
}

// TestSend_templateTrouble: a template that did not go out for now is tried again; one that is refused for good is the
// operator's to mend, and the message waits all the same.
func TestSend_templateTrouble(t *testing.T) {
	o := newOutbound(t, nil)
	chat := o.meet(593990000001)
	late := bot.Reply{Text: "x", Silence: 25 * time.Hour}
	for _, tt := range []struct {
		fault bottest.GraphFault
		want  bot.Failure
	}{
		{bottest.GraphFaultServerError, bot.Temporary},
		{bottest.GraphFaultDropped, bot.Temporary},
		{bottest.GraphFault{Code: 131026}, bot.Gone},
		{bottest.GraphFault{Code: 132015}, bot.Closed},
	} {
		o.api.Fail("messages", 1, tt.fault)
		if err := o.send(t.Context(), chat, late); bot.KindOf(err) != tt.want {
			t.Errorf("%d: got %v, want %v", tt.fault.Code, err, tt.want)
		}
	}
	if !strings.Contains(o.logs.String(), "LLAVE_WHATSAPP_TEMPLATE") {
		t.Errorf("a refused template is not told to the operator:\n%s", o.logs)
	}
	if err := o.send(t.Context(), chat, late); bot.KindOf(err) != bot.Closed {
		t.Errorf("got %v, want closed", err)
	}
	if n := len(o.api.Calls("messages")); n != 4 {
		t.Errorf("%d requests, want 4: a refused template is not sent again in this silence", n)
	}
}

func TestKnocks(t *testing.T) {
	var k knocks
	start := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	first := func(chat string, at, silence time.Duration) bool { return k.first(chat, start.Add(at), silence) }
	if !first("a", 0, 25*time.Hour) || first("a", time.Hour, 26*time.Hour) {
		t.Error("want the first of a silence, and only that")
	}
	if !first("a", 30*time.Hour, 25*time.Hour) {
		t.Error("want the first of the next silence")
	}
	k.undo("a")
	if !first("a", 30*time.Hour, 25*time.Hour) {
		t.Error("want another after undo")
	}
	for i := range 10 * knocksKept {
		if !first(strconv.Itoa(i), 0, 25*time.Hour) {
			t.Fatalf("chat %d is new", i)
		}
	}
	if n := len(k.young) + len(k.old); n > 2*knocksKept {
		t.Errorf("%d remembered, want at most %d", n, 2*knocksKept)
	}
	if first(strconv.Itoa(9*knocksKept), 0, 25*time.Hour) {
		t.Error("one of the last was forgotten")
	}
}

// TestDelete: WhatsApp cannot, so nothing is asked and nothing fails.
func TestDelete(t *testing.T) {
	o := newOutbound(t, nil)
	chat := o.meet(593990000001)
	if err := o.c.Delete(t.Context(), chat, "wamid.x"); err != nil {
		t.Errorf("got %v, want nil", err)
	}
	if n := len(o.api.Calls("")); n != 0 {
		t.Errorf("%d requests, want none", n)
	}
}

// TestSend_shapes: the API's own checks take every shape, and the person sees it.
func TestSend_shapes(t *testing.T) {
	o := newOutbound(t, nil)
	long := strings.Repeat("título larguísimo ", 5)
	var many []bot.Button
	for i := range 12 {
		many = append(many, bot.Button{ID: fmt.Sprint("b", i), Title: fmt.Sprint(i, " ", long)})
	}
	for i, text := range []string{"x", sized(1024), sized(1025), sized(4096), sized(4097), strings.Repeat("👍🏽", 3000)} {
		for n := range many {
			for _, links := range [][]bot.Button{nil, {portal}, {portal, notice}} {
				chat := o.meet(593990000000 + int64(i*1000+n*10+len(links))) // one person would have to wait after ten
				buttons := append(append([]bot.Button(nil), many[:n]...), links...)
				if err := o.send(t.Context(), chat, bot.Reply{Text: text, Prompt: 1234, Buttons: buttons}); err != nil {
					t.Errorf("%d runes, %d buttons, %d links: %v", runes(text), n, len(links), err)
				}
			}
		}
	}
}
