// Package secret keeps the data key, from which all other keys are derived.
//
// Keyed hashes, sealed fields, link tokens and cookies use this random key. It is kept in the store, wrapped by
// LLAVE_SECRET_KEY (XChaCha20-Poly1305): rotating the setting re-wraps the data key and breaks nothing that was made with
// it. Every use has a label of its own, so that one use's output means nothing to another.
//
// What is sealed, and the tokens of links, come from keys of their own, the ring, which are wrapped likewise and can be changed
// (ring.go): a sealed value names its key and is bound to its place (field.go). Hashes stay with the data key, since stored documents
// are named by them.
package secret

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/chacha20poly1305"
)

// ErrOpen is returned for anything that was not sealed here, under this label, or was changed since.
var ErrOpen = errors.New("sealed value cannot be opened")

var encoding = base64.RawURLEncoding

// Vault holds the data key. It prints as [redacted].
type Vault struct {
	key  []byte
	subs sync.Map // label → derived 32-byte key
	ring atomic.Pointer[Ring]

	fetching sync.Mutex
	fetch    func() // has the ring read again, because a value names a key that is not in it; nil: nobody does
	fetched  time.Time
}

// New makes a vault over a data key of 32 bytes. Until it is given a ring, it has one with a key that comes from the data key.
func New(dataKey []byte) (*Vault, error) {
	if len(dataKey) != 32 {
		return nil, fmt.Errorf("data key has %d bytes, want 32", len(dataKey))
	}
	v := &Vault{key: append([]byte(nil), dataKey...)}
	v.Use(Ring{Keys: []Key{{ID: "0", Secret: v.sub("ring")}}, Current: "0", Before: true})
	return v, nil
}

// NewDataKey returns 32 random bytes.
func NewDataKey() []byte {
	key := make([]byte, 32)
	rand.Read(key) // never fails: crypto/rand ends the program instead
	return key
}

// String keeps the key out of logs.
func (*Vault) String() string { return "[redacted]" }

// Format keeps the key out of every verb, %#v and %d included.
func (*Vault) Format(f fmt.State, _ rune) { io.WriteString(f, "[redacted]") }

// MarshalText keeps the key out of JSON, whatever fields a vault comes to have.
func (*Vault) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }

func (v *Vault) sub(label string) []byte {
	if k, ok := v.subs.Load(label); ok {
		return k.([]byte)
	}
	k, err := hkdf.Key(sha256.New, v.key, nil, label, 32)
	if err != nil {
		panic(err) // lengths are constants
	}
	v.subs.Store(label, k)
	return k
}

// Hash is the keyed hash of [data] under a label: 43 characters, URL-safe. The same input gives the same output in
// every process of the installation, and nobody without the key can compute or test it.
func (v *Vault) Hash(label, data string) string {
	return encoding.EncodeToString(v.mac("hash/"+label, data))
}

// Derive is the secret that belongs to an id for good, for Message-IDs: 43 characters, URL-safe.
func (v *Vault) Derive(label, id string) string {
	return encoding.EncodeToString(v.mac("derive/"+label, id))
}

// DeriveBy is Derive with a key of the ring, for tokens: who keeps the key's id derives the same for as long as the ring has it. The key
// "" is the data key, for good.
func (v *Vault) DeriveBy(key, label, id string) string {
	if key == "" {
		return v.Derive(label, id)
	}
	k, err := v.find(key)
	if err != nil { // nobody can derive it any more: it is a token that nobody has
		return encoding.EncodeToString(v.mac("lost/"+key+"/"+label, id))
	}
	m := hmac.New(sha256.New, k.deriving)
	m.Write([]byte(label + "\x00" + id))
	return encoding.EncodeToString(m.Sum(nil))
}

func (v *Vault) mac(label, data string) []byte {
	m := hmac.New(sha256.New, v.sub(label))
	m.Write([]byte(data))
	return m.Sum(nil)
}

// Seal encrypts [text] for one place (XChaCha20-Poly1305, random nonce), with the ring's current key. Sealing twice gives two values.
func (v *Vault) Seal(at Place, text string) string {
	r := v.ring.Load()
	if r.Current == "" {
		return seal(v.sub("seal/"+at.Field.Was), text, nil)
	}
	return r.Current + idEnd + seal(r.key(r.Current).sealing, text, at.bound(r.Current))
}

// Open returns what Seal was given for the same place, or ErrOpen.
func (v *Vault) Open(at Place, sealed string) (string, error) {
	id, value := KeyOf(sealed)
	if id == "" {
		if !v.ring.Load().Before || at.Field.Was == "" {
			return "", ErrOpen
		}
		return open(v.sub("seal/"+at.Field.Was), sealed, nil)
	}
	k, err := v.find(id)
	if err != nil {
		return "", ErrOpen
	}
	return open(k.sealing, value, at.bound(id))
}

func seal(key []byte, text string, bound []byte) string {
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		panic(err)
	}
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(text)+aead.Overhead())
	rand.Read(nonce)
	return encoding.EncodeToString(aead.Seal(nonce, nonce, []byte(text), bound))
}

func open(key []byte, sealed string, bound []byte) (string, error) {
	b, err := encoding.DecodeString(sealed)
	if err != nil {
		return "", ErrOpen
	}
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		panic(err)
	}
	if len(b) < aead.NonceSize() {
		return "", ErrOpen
	}
	text, err := aead.Open(nil, b[:aead.NonceSize()], b[aead.NonceSize():], bound)
	if err != nil {
		return "", ErrOpen
	}
	return string(text), nil
}

// Keys are the values of LLAVE_SECRET_KEY: the first wraps, all unwrap.
type Keys [][]byte

// ParseKeys reads a comma-separated list of base64 values of 32 bytes or more each.
func ParseKeys(s string) (Keys, error) {
	var keys Keys
	for i, part := range strings.Split(s, ",") {
		part = strings.TrimSpace(part)
		b, err := decodeAny(part)
		if err != nil {
			return nil, fmt.Errorf("value %d is not base64", i+1)
		}
		if len(b) < 32 {
			return nil, fmt.Errorf("value %d has %d bytes, at least 32 are needed", i+1, len(b))
		}
		keys = append(keys, b)
	}
	return keys, nil
}

func decodeAny(s string) ([]byte, error) {
	s = strings.TrimRight(s, "=")
	if b, err := base64.RawStdEncoding.DecodeString(s); err == nil {
		return b, nil
	}
	return base64.RawURLEncoding.DecodeString(s)
}

// String keeps the keys out of logs.
func (Keys) String() string { return "[redacted]" }

// Format keeps the keys out of every verb, %#v and %d included.
func (Keys) Format(f fmt.State, _ rune) { io.WriteString(f, "[redacted]") }

// MarshalText keeps the keys out of JSON.
func (Keys) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }

// Wrap encrypts the data key with the first key.
func (k Keys) Wrap(dataKey []byte) string { return k.WrapAs("", dataKey) }

// WrapAs encrypts a key with the first key, under a name that unwrapping must say: one wrapped key cannot stand for another.
func (k Keys) WrapAs(name string, key []byte) string {
	return seal(k.wrapping(0), string(key), []byte(name))
}

// Unwrap opens a wrapped data key with whichever key fits. [stale] says that it was not the first, so that it should be
// wrapped again.
func (k Keys) Unwrap(wrapped string) (dataKey []byte, stale bool, err error) {
	return k.UnwrapAs("", wrapped)
}

// UnwrapAs is Unwrap of what WrapAs gave under that name.
func (k Keys) UnwrapAs(name, wrapped string) (key []byte, stale bool, err error) {
	for i := range k {
		if text, err := open(k.wrapping(i), wrapped, []byte(name)); err == nil {
			return []byte(text), i > 0, nil
		}
	}
	return nil, false, ErrOpen
}

// Sign is the mark under a text that only who has the first key can make: 43 characters, URL-safe. Each use has a label of its own.
func (k Keys) Sign(label, text string) string { return encoding.EncodeToString(k.mark(0, label, text)) }

// Signed says whether any of the keys made that mark.
func (k Keys) Signed(label, text, mark string) bool {
	given, err := encoding.DecodeString(mark)
	for i := range k {
		if err == nil && hmac.Equal(given, k.mark(i, label, text)) {
			return true
		}
	}
	return false
}

func (k Keys) mark(i int, label, text string) []byte {
	sub, err := hkdf.Key(sha256.New, k[i], nil, "sign/"+label, 32)
	if err != nil {
		panic(err) // lengths are constants
	}
	m := hmac.New(sha256.New, sub)
	m.Write([]byte(text))
	return m.Sum(nil)
}

func (k Keys) wrapping(i int) []byte {
	sum, err := hkdf.Key(sha256.New, k[i], nil, "wrap", 32)
	if err != nil {
		panic(err)
	}
	return sum
}
