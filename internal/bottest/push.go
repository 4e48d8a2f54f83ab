package bottest

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"
)

// PushHost is what the push service calls itself.
const PushHost = "push.example.com"

// Push is a push service (RFC 8030) with the browsers that are subscribed to it. It takes nothing that is not as RFC 8291 and 8292 want
// it, and reads what it was sent as the browser would.
type Push struct {
	mu      sync.Mutex
	server  *httptest.Server
	devices map[string]*PushDevice
	got     []Pushed
	refused []string // why something was not taken
	n       int
}

// PushDevice is a browser that is subscribed.
type PushDevice struct {
	id     string
	key    *ecdh.PrivateKey
	auth   []byte
	status int // what is answered instead of taking it; 0: it is taken
}

// Pushed is a message that was taken.
type Pushed struct {
	Device  *PushDevice
	Text    string
	TTL     string
	Topic   string
	Urgency string
	Key     string // by which the sender is known
	Subject string // whom to turn to
	Size    int    // of what went over the wire
	Raw     []byte
}

// NewPush starts one with its first request; Close ends it.
func NewPush() *Push { return &Push{devices: map[string]*PushDevice{}} }

// Close ends it.
func (p *Push) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.server != nil {
		p.server.Close()
	}
}

// Do is a client that finds the service by its name, over TLS.
func (p *Push) Do(r *http.Request) (*http.Response, error) {
	p.mu.Lock()
	if p.server == nil {
		p.server = httptest.NewTLSServer(http.HandlerFunc(p.serve))
	}
	to := p.server.Listener.Addr().String()
	p.mu.Unlock()
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if address != PushHost+":443" {
				return nil, fmt.Errorf("nobody is at %s", address)
			}
			return (&net.Dialer{}).DialContext(ctx, network, to)
		},
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // its certificate is another name's
	}}
	return client.Do(r)
}

// Device subscribes a browser.
func (p *Push) Device() *PushDevice {
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n++
	d := &PushDevice{id: fmt.Sprintf("device-%d", p.n), key: key, auth: []byte(rand.Text()[:16])}
	p.devices[d.id] = d
	return d
}

// Endpoint is where messages for the browser go.
func (d *PushDevice) Endpoint() string { return "https://" + PushHost + "/send/" + d.id }

// Subscription is what the browser gives to a page.
func (d *PushDevice) Subscription() string {
	b, err := json.Marshal(map[string]any{"endpoint": d.Endpoint(), "expirationTime": nil, "keys": map[string]string{
		"p256dh": base64.RawURLEncoding.EncodeToString(d.key.PublicKey().Bytes()), "auth": base64.RawURLEncoding.EncodeToString(d.auth),
	}})
	if err != nil {
		panic(err)
	}
	return string(b)
}

// Answers has what is sent to a browser answered with a status, and not taken; 0 takes it again.
func (p *Push) Answers(d *PushDevice, status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	d.status = status
}

// Got is what was taken.
func (p *Push) Got() []Pushed {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Pushed(nil), p.got...)
}

// Refused is why what was not taken was not, but for what Answers wanted.
func (p *Push) Refused() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.refused...)
}

func (p *Push) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	p.mu.Lock()
	defer p.mu.Unlock()
	refuse := func(status int, why string) {
		p.refused = append(p.refused, why)
		http.Error(w, why, status)
	}
	d := p.devices[strings.TrimPrefix(r.URL.Path, "/send/")]
	switch {
	case err != nil || r.Method != http.MethodPost:
		refuse(http.StatusBadRequest, "no POST with a body")
		return
	case d == nil:
		refuse(http.StatusNotFound, "no such subscription")
		return
	case d.status != 0:
		w.WriteHeader(d.status)
		return
	case r.Header.Get("TTL") == "":
		refuse(http.StatusBadRequest, "no TTL")
		return
	case len(body) > 4096:
		refuse(http.StatusRequestEntityTooLarge, "more than 4096 bytes")
		return
	case r.Header.Get("Content-Encoding") != "aes128gcm":
		refuse(http.StatusBadRequest, "not aes128gcm")
		return
	}
	v, err := VerifyVAPID(r.Header.Get("Authorization"), "https://"+PushHost, time.Now())
	if err != nil {
		refuse(http.StatusUnauthorized, err.Error())
		return
	}
	plain, err := DecryptPush(body, d.key, d.auth)
	if err != nil {
		refuse(http.StatusBadRequest, err.Error())
		return
	}
	p.got = append(p.got, Pushed{
		Device: d, Text: string(plain), TTL: r.Header.Get("TTL"), Topic: r.Header.Get("Topic"), Urgency: r.Header.Get("Urgency"), Key: v.Key, Subject: v.Subject,
		Size: len(body), Raw: body,
	})
	w.Header().Set("Location", "https://"+PushHost+"/message/1")
	w.WriteHeader(http.StatusCreated)
}

// DecryptPush reads a message as the browser whose keys these are: RFC 8291 over RFC 8188, in one record.
func DecryptPush(body []byte, key *ecdh.PrivateKey, auth []byte) ([]byte, error) {
	if len(body) < 21 || len(body) < 21+int(body[20]) {
		return nil, errors.New("no header of aes128gcm")
	}
	salt, size, keyID, sealed := body[:16], binary.BigEndian.Uint32(body[16:20]), body[21:21+int(body[20])], body[21+int(body[20]):]
	if uint32(len(sealed)) > size {
		return nil, errors.New("more than one record")
	}
	sender, err := ecdh.P256().NewPublicKey(keyID)
	if err != nil {
		return nil, fmt.Errorf("key of the sender: %w", err)
	}
	shared, err := key.ECDH(sender)
	if err != nil {
		return nil, fmt.Errorf("agree on a key: %w", err)
	}
	info := append(append([]byte("WebPush: info\x00"), key.PublicKey().Bytes()...), keyID...)
	ikm, err1 := hkdf.Key(sha256.New, shared, auth, string(info), 32)
	cek, err2 := hkdf.Key(sha256.New, ikm, salt, "Content-Encoding: aes128gcm\x00", 16)
	nonce, err3 := hkdf.Key(sha256.New, ikm, salt, "Content-Encoding: nonce\x00", 12)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(cek)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	plain, err := gcm.Open(nil, nonce, sealed, nil)
	if err != nil {
		return nil, errors.New("the message does not open")
	}
	plain = bytes.TrimRight(plain, "\x00")
	if len(plain) == 0 || plain[len(plain)-1] != 2 {
		return nil, errors.New("the record has no end of the last one")
	}
	return plain[:len(plain)-1], nil
}

// VAPID is who a sender says to be.
type VAPID struct{ Key, Subject string }

// VerifyVAPID reads the header Authorization of RFC 8292: signed by the key that stands in it, for that origin, good for a day at most.
func VerifyVAPID(header, origin string, now time.Time) (v VAPID, err error) {
	fields, found := strings.CutPrefix(header, "vapid ")
	if !found {
		return v, errors.New("no vapid")
	}
	given := map[string]string{}
	for part := range strings.SplitSeq(fields, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		given[name] = value
	}
	parts := strings.Split(given["t"], ".")
	raw, err := base64.RawURLEncoding.DecodeString(given["k"])
	if err != nil || len(parts) != 3 || len(raw) != 65 {
		return v, errors.New("no token, or no key")
	}
	head, err1 := base64.RawURLEncoding.DecodeString(parts[0])
	claims, err2 := base64.RawURLEncoding.DecodeString(parts[1])
	sig, err3 := base64.RawURLEncoding.DecodeString(parts[2])
	if errors.Join(err1, err2, err3) != nil || len(sig) != 64 {
		return v, errors.New("no token")
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), raw)
	if err != nil {
		return v, err
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if !ecdsa.Verify(key, sum[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])) {
		return v, errors.New("the signature is another key's")
	}
	var h struct {
		Alg string `json:"alg"`
	}
	var c struct {
		Aud string `json:"aud"`
		Exp int64  `json:"exp"`
		Sub string `json:"sub"`
	}
	if json.Unmarshal(head, &h) != nil || json.Unmarshal(claims, &c) != nil || h.Alg != "ES256" || c.Aud != origin {
		return v, fmt.Errorf("signed by %q for %q", h.Alg, c.Aud)
	}
	if left := time.Unix(c.Exp, 0).Sub(now); left <= 0 || left > 24*time.Hour {
		return v, fmt.Errorf("good for %v", left)
	}
	return VAPID{given["k"], c.Sub}, nil
}
