package secret

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"

	"golang.org/x/crypto/chacha20poly1305"
)

// SealAt is Seal of bytes: the length of the key's id, the id and the sealed value. While the form of versions before is written the id
// is empty, and the key comes from the data key.
func (v *Vault) SealAt(at Place, plain []byte) []byte {
	r := v.ring.Load()
	key := v.sub("seal-at/" + at.Field.Was)
	if k := r.key(r.Current); k != nil {
		key = k.sealing
	}
	named := append([]byte{byte(len(r.Current))}, r.Current...) //nolint:gosec // eight signs at most
	return append(named, sealAt(key, string(at.bound(r.Current)), plain)...)
}

// OpenAt returns what SealAt was given for the same place, or ErrOpen.
func (v *Vault) OpenAt(at Place, sealed []byte) ([]byte, error) {
	id, value, err := KeyAt(sealed)
	switch {
	case err != nil:
		return nil, err
	case id == "" && (!v.ring.Load().Before || at.Field.Was == ""):
		return nil, ErrOpen
	case id == "":
		return openAt(v.sub("seal-at/"+at.Field.Was), string(at.bound("")), value)
	}
	k, err := v.find(id)
	if err != nil {
		return nil, err
	}
	return openAt(k.sealing, string(at.bound(id)), value)
}

// KeyAt is KeyOf what SealAt gave.
func KeyAt(sealed []byte) (id string, value []byte, err error) {
	if len(sealed) == 0 || len(sealed) <= int(sealed[0]) {
		return "", nil, ErrOpen
	}
	n := 1 + int(sealed[0])
	return string(sealed[1:n]), sealed[n:], nil
}

// ChatKey seals what one person wrote. It does not come from the data key: once it is destroyed nobody can open that. It prints
// as [redacted].
type ChatKey struct{ key []byte }

// NewChatKey returns a random one.
func NewChatKey() ChatKey { return ChatKey{NewDataKey()} }

// ChatKeyOf is the one of those bytes; of none it is none.
func ChatKeyOf(key []byte) ChatKey { return ChatKey{key} }

// Bytes are what it is kept by.
func (k ChatKey) Bytes() []byte { return k.key }

// IsZero says that it is none.
func (k ChatKey) IsZero() bool { return len(k.key) == 0 }

// Format keeps the key out of every verb.
func (ChatKey) Format(f fmt.State, _ rune) { io.WriteString(f, "[redacted]") }

// MarshalText keeps it out of JSON.
func (ChatKey) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }

// ID names the key without telling it.
func (k ChatKey) ID() string { return encoding.EncodeToString(k.sub("id"))[:16] }

// Pseudonym is what something is called that only who has the key can find again.
func (k ChatKey) Pseudonym(label, of string) string {
	v := Vault{key: k.key}
	return v.Derive("pseudonym/"+label, of)[:22]
}

// SealAt encrypts bytes for one place, as whose associated data it cannot be carried to another.
func (k ChatKey) SealAt(place string, plain []byte) []byte {
	return sealAt(k.sub("seal-at"), place, plain)
}

// OpenAt returns what SealAt was given for that place, or ErrOpen.
func (k ChatKey) OpenAt(place string, sealed []byte) ([]byte, error) {
	return openAt(k.sub("seal-at"), place, sealed)
}

func (k ChatKey) sub(label string) []byte {
	sub, err := hkdf.Key(sha256.New, k.key, nil, "chat/"+label, 32)
	if err != nil {
		panic(err) // lengths are constants
	}
	return sub
}

func sealAt(key []byte, place string, plain []byte) []byte {
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		panic(err)
	}
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(plain)+aead.Overhead())
	rand.Read(nonce)
	return aead.Seal(nonce, nonce, plain, []byte(place))
}

func openAt(key []byte, place string, sealed []byte) ([]byte, error) {
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		panic(err)
	}
	if len(sealed) < aead.NonceSize() {
		return nil, ErrOpen
	}
	plain, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], []byte(place))
	if err != nil {
		return nil, ErrOpen
	}
	return plain, nil
}
