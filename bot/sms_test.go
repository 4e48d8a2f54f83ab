package bot_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"llave/bot"
	"llave/bot/wire"
	"llave/internal/runner"
	"llave/internal/runner/runnertest"
	"llave/internal/secret"
	"llave/internal/store"
	"llave/internal/store/storetest"
)

// What stands between these two lines is in CONTRIBUTING.md word for word, but for the kind's name: a stored name of its own
// lets the day come on which somebody adds what is shown.
//
// begin: kind

// PromiseSMS names what SendSMS owes.
const PromiseSMS bot.PromiseKind = "example_sms"

// SendSMS sends a short message.
type SendSMS struct {
	Conv string `bson:"conv"` // whose it is, for which To is sealed
	To   string `bson:"to"`   // the telephone's number, sealed: secret.SMS
	Text string `bson:"text"` // names nobody
}

// Kind is PromiseSMS.
func (SendSMS) Kind() bot.PromiseKind { return PromiseSMS }

// Lane is that of everything that is neither a bubble nor a letter.
func (SendSMS) Lane() bot.Lane { return bot.LaneEvent }

// Told is true: the chat said "le avisamos por mensaje", so who gets none must hear that.
func (SendSMS) Told() bool { return true }

// end: kind

// sms is secret.SMS in the example.
var sms = &secret.Field{Collection: "conversations", Name: "promises.to"}

// begin: keeper

// sendSMS keeps promises of short messages. The id makes it happen once: the gateway drops one that it has had.
func (a *smsApp) sendSMS(ctx context.Context, p bot.Promise, what SendSMS) (runner.Effects, error) {
	to, err := a.Vault.Open(sms.Of(what.Conv), what.To)
	if err != nil {
		return runner.Effects{}, &bot.SendError{Failure: bot.Permanent, Reason: "number cannot be opened", Err: err}
	}
	form := url.Values{"id": {p.ID}, "to": {to}, "text": {what.Text}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.gateway, strings.NewReader(form.Encode()))
	if err != nil {
		return runner.Effects{}, fmt.Errorf("send short message: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := http.DefaultClient.Do(req)
	if err != nil { // temporary: tried again; its words would hold the gateway's address, with a token in it
		return runner.Effects{}, fmt.Errorf("send short message: %w", wire.Redact(err, strings.NewReplacer(to, "…")))
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode == http.StatusUnprocessableEntity:
		return runner.Effects{}, &bot.SendError{Failure: bot.Permanent, Reason: "the gateway refuses it"}
	case res.StatusCode/100 != 2:
		return runner.Effects{}, fmt.Errorf("send short message: the gateway answers %s", res.Status) // temporary
	}
	return runner.Effects{}, nil
}

// end: keeper

type smsApp struct {
	Vault   *secret.Vault
	gateway string
	regrets atomic.Int32 // how often the conversation heard that a message was given up
}

func newSMSApp(t *testing.T, gateway string) *smsApp {
	t.Helper()
	v, err := secret.New(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	return &smsApp{Vault: v, gateway: gateway}
}

func (a *smsApp) keepers() []runner.Keeper {
	return []runner.Keeper{
		runner.KeeperOf(a.sendSMS),
	}
}

// An outgoing effect is added as CONTRIBUTING.md says: without the kind on the list, or without its keeper, there is no
// runner; with both it happens, and where it cannot the conversation hears of it, as its person was told.
func TestPromise_addSMS(t *testing.T) {
	var mu sync.Mutex
	var got []url.Values
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		if got = append(got, r.PostForm); len(got) > 1 {
			w.WriteHeader(http.StatusUnprocessableEntity)
		}
	}))
	defer gateway.Close()
	a := newSMSApp(t, gateway.URL)
	s := store.New(storetest.Bolt(t, nil))
	engine := a.flow(t)
	build := func(keepers ...runner.Keeper) (*runner.Runner, error) {
		return runner.New(runner.Options{
			Name: "a", Conversations: s.Conversations, Unlocks: s.Unlocks, Processes: s.Processes, Engine: engine, Now: s.Now,
			Keepers: keepers, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		})
	}
	others := runnertest.Keepers()
	if _, err := build(append(a.keepers(), others...)...); err == nil {
		t.Error("a keeper whose kind is not on the list was taken")
	}
	defer bot.AddKind(bot.NewKind[SendSMS]())()
	if _, err := build(others...); err == nil {
		t.Error("a kind without a keeper was taken")
	}
	r, err := build(append(a.keepers(), others...)...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := r.Handle(ctx, bot.Update{ID: "1", Channel: "web", Chat: "1", Kind: bot.Text, Text: "avíseme"}); err != nil {
		t.Fatal(err)
	}
	if err := r.Idle(ctx); err != nil {
		t.Fatal(err)
	}
	if n := a.regrets.Load(); n != 0 {
		t.Errorf("the conversation heard %d times that the message was given up, which was sent", n)
	}
	if err := r.Handle(ctx, bot.Update{ID: "2", Channel: "web", Chat: "1", Kind: bot.Text, Text: "avíseme"}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r.Idle(ctx), r.Stop(ctx)); err != nil {
		t.Fatal(err)
	}
	if n := a.regrets.Load(); n != 1 {
		t.Errorf("the conversation heard %d times that the message which the gateway refused was given up, want once", n)
	}
	mu.Lock()
	defer mu.Unlock()
	if want := (url.Values{"id": {"web:1/1/example_sms"}, "to": {"0990000000"}, "text": {"Su clave está lista."}}).Encode(); len(got) != 2 || got[0].Encode() != want {
		t.Errorf("the gateway got %v, want %s, and the second", got, want)
	}
	if c, err := s.Conversations.Load(t.Context(), "web:1"); err != nil || len(c.Promises) != 0 {
		t.Errorf("owed %+v (%v), want nothing", c.Promises, err)
	}
}

// astray is a kind in a lane that is on no list.
type astray struct{ SendSMS }

func (astray) Kind() bot.PromiseKind { return "astray" }
func (astray) Lane() bot.Lane        { return "sms" }

// A promise in a lane that is not listed would never be due, so there is no runner for its kind.
func TestPromise_laneNotListed(t *testing.T) {
	defer bot.AddKind(bot.NewKind[astray]())()
	_, err := runner.New(runner.Options{Keepers: runnertest.Keepers()})
	if err == nil || !strings.Contains(err.Error(), `lane "sms"`) {
		t.Errorf("got %v, want that nobody looks into the lane", err)
	}
}

// A gateway that is out of order has not sent anything: the promise stays, and is tried again.
func TestPromise_smsGatewayFails(t *testing.T) {
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	defer gateway.Close()
	a := newSMSApp(t, gateway.URL)
	_, err := a.sendSMS(t.Context(), bot.Promise{ID: "p"}, SendSMS{Conv: "telegram:1", To: a.Vault.Seal(sms.Of("telegram:1"), "0990000000"), Text: "Su clave está lista."})
	if err == nil || bot.KindOf(err) != bot.Temporary {
		t.Errorf("got %v, want an error that is temporary", err)
	}
}

// What cannot be reached is in the error without its address, which may hold a token, and without the person's number.
func TestPromise_smsGatewayAway(t *testing.T) {
	gateway := httptest.NewServer(http.NotFoundHandler())
	a := newSMSApp(t, gateway.URL+"/?token=hidden&last=0990000000")
	gateway.Close()
	_, err := a.sendSMS(t.Context(), bot.Promise{ID: "p"}, SendSMS{Conv: "telegram:1", To: a.Vault.Seal(sms.Of("telegram:1"), "0990000000"), Text: "Su clave está lista."})
	if err == nil || bot.KindOf(err) != bot.Temporary || strings.Contains(err.Error(), "hidden") || strings.Contains(err.Error(), "0990000000") {
		t.Errorf("got %v, want an error that is temporary and holds neither token nor number", err)
	}
}

func (a *smsApp) flow(t *testing.T) *bot.Engine {
	t.Helper()
	return runnertest.Flow(t, func(_ context.Context, t *bot.Turn) (bot.Event, error) {
		t.Silent()
		if t.Update.Signal == bot.SignalGivenUp {
			a.regrets.Add(1)
			return "Heard", nil
		}
		t.Promise(bot.Promise{What: SendSMS{Conv: "telegram:1", To: a.Vault.Seal(sms.Of("telegram:1"), "0990000000"), Text: "Su clave está lista."}})
		return "Heard", nil
	})
}

// CONTRIBUTING.md shows what the test above runs, with the names as they are inside the packages where it belongs.
func TestPromise_contributing(t *testing.T) {
	source, err := os.ReadFile("sms_test.go")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []struct{ name, own string }{{"kind", "bot."}, {"keeper", ""}} {
		_, rest, _ := strings.Cut(string(source), "// begin: "+part.name+"\n")
		code, _, found := strings.Cut(rest, "// end: "+part.name+"\n")
		code = strings.TrimSpace(code)
		if part.own != "" {
			code = strings.ReplaceAll(strings.ReplaceAll(code, part.own, ""), `"example_sms"`, `"sms"`)
		} else {
			code = strings.ReplaceAll(strings.ReplaceAll(code, "smsApp", "App"), "what SendSMS", "what bot.SendSMS")
			code = strings.ReplaceAll(code, "sms.Of", "secret.SMS.Of")
		}
		if !found || !strings.Contains(string(page), "```go\n"+code+"\n```") {
			t.Errorf("CONTRIBUTING.md does not show this for the %s:\n%s", part.name, code)
		}
	}
	for _, row := range []string{"kindOf[SendSMS](),", "runner.KeeperOf(a.sendSMS),", "To: f.Vault.Seal(secret.SMS.Of(t.Conv.ID), "} {
		if !strings.Contains(string(page), row) {
			t.Errorf("CONTRIBUTING.md does not show %s", row)
		}
	}
}
