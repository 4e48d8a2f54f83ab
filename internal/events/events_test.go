package events

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
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

// The vectors of the convention's reference: the same secret, id, time and body have the same signature.
func TestSign_reference(t *testing.T) {
	raw, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		From, Secret, ID, Payload, Signature string
		Time                                 int64
	}
	if err := json.Unmarshal(raw, &vectors); err != nil || len(vectors) < 2 {
		t.Fatalf("got %d vectors, %v", len(vectors), err)
	}
	for _, v := range vectors {
		s, err := New("http://localhost", v.Secret)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.sign.Sign(v.ID, time.Unix(v.Time, 0), []byte(v.Payload))
		if err != nil || got != v.Signature {
			t.Errorf("%s: got %q, %v, want %q", v.From, got, err, v.Signature)
		}
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
