// Command receiver is an example of a program of the institution that hears of Llave's events: it checks each signature by the
// Standard Webhooks convention (https://www.standardwebhooks.com), takes what is new, and prints it, one JSON object a line. It
// needs nothing but Go's standard library, so that it can be read as a recipe for any other language.
//
//	EVENTS_SECRET=whsec_… go run ./deploy/receiver -addr 127.0.0.1:8090
//
// and in Llave LLAVE_EVENTS_URL=http://127.0.0.1:8090/ with the same secret in LLAVE_EVENTS_SECRET.
package main

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// tolerance is how old an event's signature may be: it is signed anew each time it is sent, so an older one is a replay.
const tolerance = 5 * time.Minute

func main() {
	addr := flag.String("addr", "127.0.0.1:8090", "where to listen")
	flag.Parse()
	r, err := newReceiver(os.Getenv("EVENTS_SECRET"), os.Stdout, time.Now)
	if err != nil {
		log.Fatal(err)
	}
	l, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("listening on %s", l.Addr())
	server := &http.Server{Handler: r, ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.Serve(l))
}

// receiver takes events.
type receiver struct {
	key []byte
	out io.Writer
	now func() time.Time

	mu   sync.Mutex
	seen map[string]bool // ids of what was taken. A real one keeps them with what it did, in one transaction of its database
}

func newReceiver(secret string, out io.Writer, now func() time.Time) (*receiver, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil || len(key) == 0 {
		return nil, errors.New("EVENTS_SECRET: whsec_ and base64 is expected")
	}
	return &receiver{key: key, out: out, now: now, seen: map[string]bool{}}, nil
}

// ServeHTTP answers 204 once an event is taken, also one that was taken before: Llave sends an event again until it hears a 2xx,
// and the answer may have been lost. Anything else, and it will be sent again.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, 1<<20))
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	// The signature is over the bytes as they came: check it before anything is read from them.
	if err := verify(r.key, req.Header, body, r.now()); err != nil {
		log.Printf("refused: %v", err)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if err := r.take(req.Header.Get("webhook-id"), body); err != nil {
		log.Printf("not taken: %v", err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// verify says what is wrong with a signature.
func verify(key []byte, h http.Header, body []byte, now time.Time) error {
	id, at := h.Get("webhook-id"), h.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(at, 10, 64)
	if err != nil || id == "" {
		return errors.New("the id or the time is missing")
	}
	if off := now.Sub(time.Unix(seconds, 0)); off > tolerance || off < -tolerance {
		return errors.New("it was signed too long ago, or the clocks differ")
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", id, at, body)
	want := mac.Sum(nil)
	for _, one := range strings.Fields(h.Get("webhook-signature")) { // several while a secret is being changed
		version, signature, _ := strings.Cut(one, ",")
		got, err := base64.StdEncoding.DecodeString(signature)
		if version == "v1" && err == nil && hmac.Equal(got, want) {
			return nil
		}
	}
	return errors.New("no signature of it holds")
}

// take does what an event is for, here printing it, once for each id.
func (r *receiver) take(id string, body []byte) error {
	var e struct {
		Type string `json:"type"`
		Data struct {
			RecordID string    `json:"record_id"` // whose key it is
			IDType   string    `json:"id_type"`   // cedula or foreign_code
			Attempt  string    `json:"attempt"`   // what the events of one link have in common
			Case     string    `json:"case"`      // the number that the person was told
			Time     time.Time `json:"time"`      // when it happened; events may come in another order
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &e); err != nil {
		return fmt.Errorf("event %s: %w", id, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen[id] {
		return nil
	}
	about := cmp.Or(e.Data.RecordID, e.Data.Case)
	line := map[string]any{"id": id, "event": e.Type, "about": about, "attempt": e.Data.Attempt, "time": e.Data.Time}
	if err := json.NewEncoder(r.out).Encode(line); err != nil {
		return err
	}
	r.seen[id] = true
	return nil
}
