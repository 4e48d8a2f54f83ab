package whatsapp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"llave/bot"
	"llave/internal/bottest"
)

// used lists the tokens of the sends so far.
func (o *outbound) used() string {
	var out []string
	for _, c := range o.api.Calls("messages") {
		out = append(out, strings.TrimPrefix(c.Params["access_token"], "EAAtest-"))
	}
	return strings.Join(out, " ")
}

// TestTokens_rotate: a token that expires costs no message and needs no restart.
func TestTokens_rotate(t *testing.T) {
	o := newOutbound(t, nil)
	chat := o.meet(593990000001)
	send := func() {
		t.Helper()
		if err := o.send(t.Context(), chat, bot.Reply{Text: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	send()
	o.api.SetTokens(secondToken)
	send()
	send()
	if got, want := o.used(), "first-token first-token second-token second-token"; got != want {
		t.Errorf("tokens used: %s, want %s", got, want)
	}
	if got := o.counted(CountTokenChanged); got != 1 {
		t.Errorf("counted %d changes, want 1", got)
	}
	o.api.SetTokens(firstToken) // the list goes round
	send()
	if got, want := o.used(), "first-token first-token second-token second-token second-token first-token"; got != want {
		t.Errorf("tokens used: %s, want %s", got, want)
	}
	if got, want := len(o.api.Messages(593990000001)), 4; got != want {
		t.Errorf("%d messages, want %d", got, want)
	}
}

// TestTokens_permission: a missing permission is the token's too, and so is a phone number id that it may not see.
func TestTokens_permission(t *testing.T) {
	for _, fault := range []bottest.GraphFault{{Code: 10}, {Code: 200}, {Code: 299}, {Code: 131005}, {Code: 100, Subcode: 33}} {
		o := newOutbound(t, nil)
		chat := o.meet(593990000001)
		o.api.FailWhere(func(c bottest.BotCall) bool { return c.Params["access_token"] == firstToken }, 5, fault)
		for range 2 {
			if err := o.send(t.Context(), chat, bot.Reply{Text: "x"}); err != nil {
				t.Errorf("%d: %v", fault.Code, err)
			}
		}
		if got, want := o.used(), "first-token second-token second-token"; got != want {
			t.Errorf("%d: tokens used: %s, want %s", fault.Code, got, want)
		}
	}
}

// TestTokens_none: when no token works the message waits, the operator is told once, and one that works again is found.
func TestTokens_none(t *testing.T) {
	o := newOutbound(t, nil)
	chat := o.meet(593990000001)
	o.api.SetTokens()
	for range 3 {
		got := o.refused(chat)
		if got.Failure != bot.Temporary || !errors.Is(got, errNoToken) {
			t.Errorf("got %v, want temporary and %v", got, errNoToken)
		}
	}
	if got := strings.Count(o.logs.String(), `"level":"ERROR"`); got != 1 || !strings.Contains(o.logs.String(), "LLAVE_WHATSAPP_TOKEN") {
		t.Errorf("%d lines for the operator, want 1:\n%s", got, o.logs)
	}
	o.api.SetTokens(secondToken)
	if err := o.send(t.Context(), chat, bot.Reply{Text: "x"}); err != nil {
		t.Error(err)
	}
	o.api.SetTokens()
	o.refused(chat)
	if got := strings.Count(o.logs.String(), `"level":"ERROR"`); got != 2 {
		t.Errorf("%d lines for the operator, want 2: it is news again", got)
	}
}

// TestTokens_crowd: many messages meet the expired token at once.
func TestTokens_crowd(t *testing.T) {
	o := newOutbound(t, nil)
	o.api.SetTokens(secondToken)
	var all sync.WaitGroup
	for i := range 40 {
		chat := o.meet(593990000100 + int64(i))
		all.Go(func() {
			if err := o.send(t.Context(), chat, bot.Reply{Text: "x"}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := o.counted(CountTokenChanged); got != 1 {
		t.Errorf("counted %d changes, want 1", got)
	}
}

// TestClient_request: where it goes and what it carries.
func TestClient_request(t *testing.T) {
	var got, body string
	o := outboundTo(t, func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		got = fmt.Sprint(r.Method, " ", r.URL, " ", r.Header.Get("Content-Type"), " ", r.Header.Get("Authorization"))
		body = string(raw)
		_, _ = w.Write(fixture(t, "response_send_ok.json"))
	})
	if err := o.send(t.Context(), somebody, bot.Reply{Text: "Hola"}); err != nil {
		t.Fatal(err)
	}
	if want := "POST /v26.0/106540352242922/messages application/json Bearer " + firstToken; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if want := `{"messaging_product":"whatsapp","recipient_type":"individual","to":"593990000001","type":"text","text":{"preview_url":false,"body":"Hola"}}`; body != want {
		t.Errorf("got  %s\nwant %s", body, want)
	}
	if n := o.notes(); len(n) != 1 || n[0].id != "wamid.HBgLNzcwMTEyMzQ1NjcVAgARGBI3MEM2RUJFNkI0RENGQTVDRjUA" {
		t.Errorf("noted %+v, want the fixture's id", n)
	}
}

// TestClient_trouble: slow, rude and gone.
func TestClient_trouble(t *testing.T) {
	o := newOutbound(t, nil)
	chat := o.meet(593990000001)
	for name, fault := range map[string]bottest.GraphFault{
		"dropped": bottest.GraphFaultDropped, "answer lost": bottest.GraphFaultAnswerLost,
		"131000": bottest.GraphFaultServerError, "502": bottest.GraphFaultBadGateway,
	} {
		o.api.Fail("messages", 1, fault)
		if got := o.refused(chat); got.Failure != bot.Temporary {
			t.Errorf("%s: got %v, want temporary", name, got)
		}
	}
	if got, want := len(o.api.Messages(593990000001)), 1; got != want {
		t.Errorf("%d messages, want %d: the one whose answer was lost", got, want)
	}
	if n := o.notes(); len(n) != 0 {
		t.Errorf("noted %+v, want nothing: no id is known", n)
	}

	o.api.Slow("messages", time.Minute)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := o.send(ctx, chat, bot.Reply{Text: "slow"}); bot.KindOf(err) != bot.Temporary || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("slow: got %v, want temporary, of the deadline", err)
	}
	o.api.Slow("messages", 0)

	o.api.Down()
	if got := o.refused(chat); got.Failure != bot.Temporary {
		t.Errorf("down: got %v, want temporary", got)
	}
	if err := o.api.Up(); err != nil {
		t.Fatal(err)
	}
	if err := o.send(t.Context(), chat, bot.Reply{Text: "up again"}); err != nil {
		t.Errorf("up again: %v", err)
	}
	if got := o.counted(CountTemporary); got != 6 {
		t.Errorf("counted %d, want 6", got)
	}
}

// TestClient_timeout: an answer that never comes is not waited for longer than callTimeout.
func TestClient_timeout(t *testing.T) {
	outboundInBubble(t, nil, func(t *testing.T, o *outbound) {
		chat := o.meet(593990000001)
		o.api.Fail("messages", 1, bottest.GraphFaultTimeout(time.Hour))
		start := time.Now()
		if got := o.refused(chat); got.Failure != bot.Temporary || time.Since(start) != callTimeout {
			t.Errorf("got %v after %v, want temporary after %v", got, time.Since(start), callTimeout)
		}
	})
}

// TestClient_secrets: whatever the other side repeats to us, nothing of it is kept.
func TestClient_secrets(t *testing.T) {
	words := "token " + firstToken + " of object '" + ourNumberID + "' for +593 99 000-0001, 593990000001 or EC.13491208655302741918, " +
		"message wamid.HBgLNTkzOTkwMDAwMDE1FQIAERgSNzBDNkVCRTZCNERDRkE1Q0Y1AA== (#131026)"
	o := outboundTo(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprintf(w, `{"error":{"code":368,"message":%q,"error_data":{"details":%q}}}`, words, words)
	})
	got := o.refused(somebody)
	want := "temporary: messages: 368 token [redacted] of object '[redacted]' for [redacted], [redacted] or [redacted], message [redacted] (#131026): " +
		"token [redacted] of object '[redacted]' for [redacted], [redacted] or [redacted], message [redacted] (#131026)"
	if got.Error() != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if !strings.Contains(o.logs.String(), `"level":"ERROR"`) {
		t.Errorf("a locked account is not told to the operator:\n%s", o.logs)
	}

	// A network error prints the URL, and with it the phone number id.
	o = outboundTo(t, func(http.ResponseWriter, *http.Request) {})
	o.c.client.messages = "http://127.0.0.1:1/v26.0/" + ourNumberID + "/messages"
	if got := o.refused(somebody); !strings.Contains(got.Error(), "connect") {
		t.Errorf("got %v, want it to say that the connection failed", got)
	}
	for _, s := range []any{o.c.opt, &o.c.opt, fmt.Sprintf("%#v", o.c.opt.Tokens), fmt.Sprintf("%v %+v", o.c.opt.Tokens, o.c.opt.PhoneNumberID)} {
		if found := telltale.FindString(fmt.Sprintf("%v", s)); found != "" {
			t.Errorf("printing the options shows %q", found)
		}
	}
}
