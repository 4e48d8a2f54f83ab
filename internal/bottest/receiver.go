package bottest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Receiver is a program of the institution for tests, which takes events by the Standard Webhooks convention. It checks signatures by
// the convention's words, with no library, and remembers what came. It can be slow (Slow), rude (FailWhere) and gone (Down, Up).
// Slow and Fail name the event's type; Slow with "" is every one.
type Receiver struct {
	platform[ReceiverFault]

	key  []byte
	told []Told
	bad  []string
}

// ReceiverFault is how the taking of an event goes wrong.
type ReceiverFault struct {
	Status   int    // what it is answered with; with Endless 200
	Location string // with a Status of 3xx
	Drop     bool   // close the connection instead of answering
	Done     bool   // with Drop: take it first, so that only the answer is lost
	Garbage  bool   // answer with what is no HTTP
	Endless  bool   // answer with a body that does not end
}

// Told is an event that was taken, as often as it came.
type Told struct {
	ID   string `json:"-"`
	Type string
	Data struct {
		RecordID string `json:"record_id"`
		IDType   string `json:"id_type"`
		Attempt  string
		Case     string
		Time     time.Time
	}
	Body string `json:"-"`
}

// NewReceiver makes one that has the secret, "whsec_" and base64. It does not listen yet.
func NewReceiver(secret string) (*Receiver, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return nil, fmt.Errorf("receiver: %w", err)
	}
	return &Receiver{platform: newPlatform[ReceiverFault](), key: key}, nil
}

// Up listens, again after Down, on the same port.
func (r *Receiver) Up() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.up(r)
}

// Told returns what was taken, oldest first.
func (r *Receiver) Told() []Told {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.told)
}

// Bad returns what was wrong with what came.
func (r *Receiver) Bad() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.bad)
}

// ServeHTTP takes one event.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	at := time.Now()
	body, err := io.ReadAll(req.Body)
	var e Told
	if err == nil {
		e, err = r.check(req, body)
	}
	call := BotCall{Method: e.Type, Params: map[string]string{"id": e.ID}, At: at}
	if err != nil {
		r.mu.Lock()
		r.bad = append(r.bad, err.Error())
		r.mu.Unlock()
		r.record(call, http.StatusUnauthorized)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	r.mu.Lock()
	delay, fault := r.slow[""]+r.slow[e.Type], r.fault(call)
	r.mu.Unlock()
	r.dawdle(req, delay)
	if fault == nil || fault.Done || fault.Endless {
		r.mu.Lock()
		r.told = append(r.told, e)
		r.mu.Unlock()
	}
	if fault == nil {
		r.record(call, http.StatusNoContent)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	r.record(call, fault.Status)
	fault.answer(w)
}

func (f *ReceiverFault) answer(w http.ResponseWriter) {
	switch {
	case f.Drop:
		panic(http.ErrAbortHandler)
	case f.Garbage:
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err) // HTTP/1 over TCP
		}
		_, _ = io.WriteString(conn, "hola\r\n\r\n") // the sender may have gone
		_ = conn.Close()
	case f.Endless:
		for {
			if _, err := w.Write(make([]byte, 1<<10)); err != nil {
				return
			}
		}
	default:
		if f.Location != "" {
			w.Header().Set("Location", f.Location)
		}
		w.WriteHeader(f.Status)
	}
}

// check says what is wrong with an event: its headers, its signature, how old it is, or its body.
func (r *Receiver) check(req *http.Request, body []byte) (e Told, err error) {
	id, at := req.Header.Get("webhook-id"), req.Header.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(at, 10, 64)
	if err != nil || id == "" || req.Method != http.MethodPost {
		return e, errors.New("no event: method, id or time")
	}
	if age := time.Since(time.Unix(seconds, 0)).Abs(); age > 5*time.Minute {
		return e, fmt.Errorf("an event %v off", age)
	}
	mac := hmac.New(sha256.New, r.key)
	mac.Write([]byte(id + "." + at + "."))
	mac.Write(body)
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	if !slices.Contains(strings.Fields(req.Header.Get("webhook-signature")), want) {
		return e, errors.New("an event whose signature does not hold")
	}
	if err := json.Unmarshal(body, &e); err != nil {
		return e, fmt.Errorf("an event that is no JSON: %w", err)
	}
	e.ID, e.Body = id, string(body)
	return e, nil
}
