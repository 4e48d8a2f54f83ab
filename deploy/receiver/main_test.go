package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

// vector is a signature that others have made.
type vector struct {
	From, Secret, ID, Payload, Signature string
	Time                                 int64
}

func vectors(t *testing.T) (list []vector) {
	t.Helper()
	raw, err := os.ReadFile("../../internal/events/testdata/vectors.json")
	if err == nil {
		err = json.Unmarshal(raw, &list)
	}
	if err != nil || len(list) < 2 {
		t.Fatalf("got %d vectors, %v", len(list), err)
	}
	return list
}

func (v vector) request(payload, signature string) *http.Request {
	req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(payload))
	req.Header.Set("webhook-id", v.ID)
	req.Header.Set("webhook-timestamp", fmt.Sprint(v.Time))
	req.Header.Set("webhook-signature", signature)
	return req
}

// What the reference library takes is taken, and what it refuses is refused: the cases are those of its own tests.
func TestVerify(t *testing.T) {
	const other = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc="
	for _, v := range vectors(t) {
		signed := time.Unix(v.Time, 0)
		r, err := newReceiver(v.Secret, &bytes.Buffer{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		without := func(name string) *http.Request {
			req := v.request(v.Payload, v.Signature)
			req.Header.Del(name)
			return req
		}
		words := v.request(v.Payload, v.Signature)
		words.Header.Set("webhook-timestamp", "yesterday")
		for _, c := range []struct {
			name string
			req  *http.Request
			now  time.Time
			ok   bool
		}{
			{"as it is", v.request(v.Payload, v.Signature), signed, true},
			{"among others", v.request(v.Payload, strings.Join([]string{other, "v2" + other[2:], v.Signature, other}, " ")), signed, true},
			{"five minutes old", v.request(v.Payload, v.Signature), signed.Add(tolerance), true},
			{"older", v.request(v.Payload, v.Signature), signed.Add(tolerance + time.Second), false},
			{"of the future", v.request(v.Payload, v.Signature), signed.Add(-tolerance - time.Second), false},
			{"without id", without("webhook-id"), signed, false},
			{"without time", without("webhook-timestamp"), signed, false},
			{"without signature", without("webhook-signature"), signed, false},
			{"a time in words", words, signed, false},
			{"another's signature", v.request(v.Payload, other), signed, false},
			{"an empty one", v.request(v.Payload, "v1,"), signed, false},
			{"of another version", v.request(v.Payload, "v2"+v.Signature[2:]), signed, false},
			{"cut", v.request(v.Payload, v.Signature[:len(v.Signature)-4]), signed, false},
			{"another body", v.request(v.Payload+" ", v.Signature), signed, false},
		} {
			r.now = func() time.Time { return c.now }
			w := httptest.NewRecorder()
			r.ServeHTTP(w, c.req)
			if got := w.Code == http.StatusNoContent; got != c.ok || !c.ok && w.Code != http.StatusUnauthorized {
				t.Errorf("%s, %s: %d, want taken %t", v.From, c.name, w.Code, c.ok)
			}
		}
	}
}

// An event that comes twice is taken twice and done once.
func TestTake_twice(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(1614265330, 0)
	r, err := newReceiver(vectors(t)[0].Secret, &out, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	body := `{"type":"key.unlocked","timestamp":"2021-02-25T15:00:00Z","data":{"record_id":"AB-12345","id_type":"foreign_code","attempt":"a1","time":"2021-02-25T15:00:00Z"}}`
	for range 2 {
		mac := hmac.New(sha256.New, r.key)
		fmt.Fprintf(mac, "e1.%d.%s", now.Unix(), body)
		req := vector{ID: "e1", Time: now.Unix()}.request(body, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
		w := httptest.NewRecorder()
		if r.ServeHTTP(w, req); w.Code != http.StatusNoContent {
			t.Errorf("got %d, want 204", w.Code)
		}
		now = now.Add(time.Hour) // it is sent again, signed anew
	}
	if want := `{"about":"AB-12345","attempt":"a1","event":"key.unlocked","id":"e1","time":"2021-02-25T15:00:00Z"}` + "\n"; out.String() != want {
		t.Errorf("printed %q, want %q", out.String(), want)
	}
	w := httptest.NewRecorder()
	if r.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil)); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET: got %d, want 405", w.Code)
	}
}

func TestSecret(t *testing.T) {
	for _, secret := range []string{"", "whsec_", "whsec_not base64"} {
		if _, err := newReceiver(secret, nil, nil); err == nil {
			t.Errorf("%q was taken for a secret", secret)
		}
	}
}
