package app

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"llave/bot"
	"llave/bot/whatsapp"
	"llave/internal/config"
	"llave/internal/runner"
	"llave/internal/runner/runnertest"
	"llave/internal/secret"
	"llave/internal/store"
	"llave/internal/store/storetest"
)

// A purge that dies half-way leaves nothing that the next one does not find: neither the names nor the conversation (P407).
func TestForget_halfWay(t *testing.T) {
	clock := storetest.NewClock(time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC))
	for _, fails := range []string{store.Names, store.Book, store.Conversations} {
		t.Run(fails, func(t *testing.T) {
			down := false
			s := store.New(storetest.Around(storetest.Bolt(t, clock.Now), func(c storetest.Call, do func() error) error {
				if down && c.Collection == fails && c.Write {
					return errors.New("the store is away")
				}
				return do()
			}))
			a := &App{Store: s, options: Options{Config: config.Config{}}}
			chat, err := s.People.Find(t.Context(), whatsapp.Name, store.KnownBy{Phone: "593990000001", UserID: "EC.1"}, nil)
			if err != nil {
				t.Fatal(err)
			}
			c := bot.Conversation{ID: bot.ConversationID(whatsapp.Name, chat), KeptTill: clock.Now().Add(-time.Hour)}
			if err := s.Conversations.Save(t.Context(), &c); err != nil {
				t.Fatal(err)
			}
			down = true
			_, _ = a.Forget(t.Context())
			down = false
			if _, err := a.Forget(t.Context()); err != nil {
				t.Fatal(err)
			}
			phone, userID, err := s.People.Address(t.Context(), whatsapp.Name, chat)
			if n, cerr := s.Conversations.Count(t.Context()); n != 0 || cerr != nil || phone != "" || userID != "" || err != nil {
				t.Errorf("%d conversations (%v) and the names %q, %q (%v) are kept, want none", n, cerr, phone, userID, err)
			}
		})
	}
}

// A conversation whose time is over stays while it owes a file, however many owe one; neither a bubble nor a change of one keeps it. After a
// month the file is given up aloud.
func TestForget_stillOwed(t *testing.T) {
	clock := storetest.NewClock(time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC))
	s := store.New(storetest.Bolt(t, clock.Now))
	var log bytes.Buffer
	var counts runnertest.Counts
	r, err := runner.New(runner.Options{Keepers: runnertest.Keepers(), Watch: &counts, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	a := &App{Store: s, Runner: r, options: Options{Config: config.Config{}}}
	for chat, what := range map[string]bot.Duty{"1": bot.KeepFile{Topic: "complaint"}, "2": bot.Say{Reply: &bot.Reply{}}, "3": bot.KeepCase{}, "4": bot.Spend{Bubble: "7"}} {
		c := bot.Conversation{ID: bot.ConversationID("telegram", chat), KeptTill: clock.Now()}
		c.Promises = []bot.Promise{{ID: "p" + chat, What: what, Made: clock.Now(), Schedule: bot.Schedule{Tries: 9}}}
		if err := s.Conversations.Save(t.Context(), &c); err != nil {
			t.Fatal(err)
		}
	}
	forget := func() (left int64) {
		t.Helper()
		if _, err := a.Forget(t.Context()); err != nil {
			t.Fatal(err)
		}
		left, err := s.Conversations.Count(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return left
	}
	if left := forget(); left != 2 {
		t.Fatalf("%d conversations are kept, want the two that owe a file and a case", left)
	}
	kept, err := s.Conversations.Load(t.Context(), "telegram:1")
	if want := clock.Now().Add(24 * time.Hour); err != nil || !kept.KeptTill.Equal(want) || len(kept.Promises) != 1 || kept.Promises[0].Tries != 9 {
		t.Errorf("kept till %v with %+v (%v), want till %v with the file as it was", kept.KeptTill, kept.Promises, err, want)
	}
	kept.Promises = nil // somebody could keep it
	if err := s.Conversations.Save(t.Context(), &kept); err != nil {
		t.Fatal(err)
	}
	clock.Advance(24 * time.Hour)
	if left := forget(); left != 1 {
		t.Errorf("a day later %d conversations are kept, want the one that still owes its case", left)
	}
	clock.Advance(29*24*time.Hour - time.Second)
	if left := forget(); left != 1 || counts.Of("given_up") != 0 {
		t.Errorf("within the month %d are kept and %d promises given up, want 1 and 0", left, counts.Of("given_up"))
	}
	clock.Advance(24 * time.Hour)
	if left := forget(); left != 0 || counts.Of("given_up") != 1 {
		t.Errorf("after it %d are kept and %d promises given up, want 0 and 1", left, counts.Of("given_up"))
	}
	if lines := log.String(); strings.Count(lines, "level=ERROR") != 1 || !strings.Contains(lines, `msg="promise given up" kind=case tries=9 person_told=false`) {
		t.Errorf("the log has no one error line that it was given up:\n%s", lines)
	}
}

// The report that a message failed may be first, before it is noted whose it is; what it was is told all the same.
func TestDeliveries_failedBeforeNoted(t *testing.T) {
	d := deliveriesOf(t, storetest.Bolt(t, nil))
	for _, s := range []whatsapp.Status{whatsapp.Sent, whatsapp.Failed} {
		if chat, _, _, err := d.Moved(t.Context(), "wamid.1", s, 131000); err != nil || chat != "" {
			t.Fatalf("%s of what is not noted: chat %q, %v", s, chat, err)
		}
	}
	overtaken, err := d.Sent(t.Context(), "wamid.1", "593990000001", bot.Reply{Text: "Hola"})
	if err != nil || overtaken == nil || overtaken.Code != 131000 || overtaken.Again == nil || !overtaken.Again.Sealed {
		t.Errorf("got %+v, %v, want the code and the sealed reply", overtaken, err)
	}
	chat, r, forward, err := d.Moved(t.Context(), "wamid.1", whatsapp.Failed, 131000)
	if err != nil || chat != "593990000001" || r == nil || !r.Sealed || !forward {
		t.Errorf("reported again: got chat %q, reply %+v, forward %t, %v, want the chat and the sealed reply", chat, r, forward, err)
	}
}

func deliveriesOf(t *testing.T, e store.Engine) whatsappDeliveries {
	t.Helper()
	v, err := secret.New(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	return whatsappDeliveries{store.New(e).Deliveries, v, func(wamid string) string { return wamid }}
}

// Reports that messages failed which are nobody's here cost three calls to the store each, and hold the webhook no longer (P784).
func TestDeliveries_foreignFailures(t *testing.T) {
	var calls atomic.Int64
	d := deliveriesOf(t, storetest.Around(storetest.Bolt(t, nil), func(_ storetest.Call, do func() error) error {
		calls.Add(1)
		return do()
	}))
	c, err := whatsapp.New(whatsapp.Options{
		Tokens: []whatsapp.Secret{"token"}, PhoneNumberID: "106540352242922", AppSecret: "app secret", VerifyToken: "verify", APIURL: "http://graph.invalid",
		Rate: 80, People: whatsappPeople{}, Deliveries: d, Log: slog.New(slog.DiscardHandler),
		Handle: func(context.Context, bot.Update) error { return errors.New("nobody is told") },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	const reports = 200
	var statuses []string
	for i := range reports {
		statuses = append(statuses, fmt.Sprintf(`{"id":"wamid.%d","status":"failed","timestamp":"1772467200","recipient_id":"593990000001","errors":[{"code":131026}]}`, i))
	}
	body := `{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":{"messaging_product":"whatsapp","metadata":{"phone_number_id":"106540352242922"},"statuses":[` + strings.Join(statuses, ",") + `]}}]}]}`
	mac := hmac.New(sha256.New, []byte("app secret"))
	mac.Write([]byte(body))
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, whatsapp.WebhookPath, strings.NewReader(body))
	r.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	answer := httptest.NewRecorder()
	c.Handler().ServeHTTP(answer, r)
	if answer.Code != http.StatusOK {
		t.Errorf("answered with %d, want 200", answer.Code)
	}
	if n := calls.Load(); n < reports || n > 3*reports {
		t.Errorf("%d reports took %d calls to the store, want one to three each", reports, n)
	}
}
