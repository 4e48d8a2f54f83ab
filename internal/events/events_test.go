package events

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.uber.org/goleak"

	"llave/bot"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" // of the convention's own example

var happened = Event{
	ID: "msg_1", Name: "key.revoked", At: time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC),
	Data: Data{RecordID: "AB-12345", IDType: "foreign_code", Attempt: "a1"},
}

// receive is a receiver that answers so and hands on what it got.
func receive(t *testing.T, answer func(w http.ResponseWriter)) (s *Sender, got chan *http.Request, bodies chan []byte) {
	t.Helper()
	got, bodies = make(chan *http.Request, 9), make(chan []byte, 9)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- r
		bodies <- body
		answer(w)
	}))
	t.Cleanup(server.Close)
	s, err := New(server.URL, secret)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, got, bodies
}

// The vector of the convention's reference: the same secret, id, time and body have the same signature.
func TestSign_reference(t *testing.T) {
	s, err := New("http://localhost", secret)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.sign.Sign("msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

func TestSend(t *testing.T) {
	s, got, bodies := receive(t, func(w http.ResponseWriter) { w.WriteHeader(http.StatusNoContent) })
	if err := s.Send(t.Context(), happened); err != nil {
		t.Fatal(err)
	}
	r, body := <-got, <-bodies
	if err := Verify(secret, body, r.Header); err != nil {
		t.Errorf("the reference's own library: %v", err)
	}
	want := `{"type":"key.revoked","timestamp":"2026-03-02T15:00:00Z","data":{"record_id":"AB-12345","id_type":"foreign_code","attempt":"a1","time":"2026-03-02T15:00:00Z"}}`
	if string(body) != want || r.Header.Get("webhook-id") != "msg_1" || r.Header.Get("Content-Type") != "application/json" {
		t.Errorf("got %s with id %q, want %s", body, r.Header.Get("webhook-id"), want)
	}
}

// Whatever is no 2xx is to be tried again: a refusal, a redirect, which is not followed, nobody there, no answer in time.
func TestSend_fails(t *testing.T) {
	elsewhere := make(chan struct{}, 1)
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere <- struct{}{} }))
	defer other.Close()
	for name, answer := range map[string]func(w http.ResponseWriter){
		"500":      func(w http.ResponseWriter) { w.WriteHeader(500) },
		"410":      func(w http.ResponseWriter) { w.WriteHeader(410) },
		"redirect": func(w http.ResponseWriter) { w.Header().Set("Location", other.URL); w.WriteHeader(307) },
		"cut":      func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
	} {
		s, _, _ := receive(t, answer)
		wantAgain(t, name, s.Send(t.Context(), happened))
	}
	if len(elsewhere) > 0 {
		t.Error("a redirect was followed")
	}
	s, _, _ := receive(t, func(http.ResponseWriter) {})
	s.address = "http://127.0.0.1:1"
	wantAgain(t, "nobody there", s.Send(t.Context(), happened))
	slow, _, _ := receive(t, func(http.ResponseWriter) { time.Sleep(200 * time.Millisecond) })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	wantAgain(t, "slow", slow.Send(ctx, happened))
}

func wantAgain(t *testing.T, name string, err error) {
	t.Helper()
	var se *bot.SendError
	if !errors.As(err, &se) || se.Failure != bot.Temporary {
		t.Errorf("%s: got %v, want one that says to try again", name, err)
	}
}
