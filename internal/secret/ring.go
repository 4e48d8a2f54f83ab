package secret

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"strings"
	"time"
)

// idEnd stands between a key's id and what was sealed with it. Values of versions before have none.
const idEnd = "."

// KeyOf is the id of the key that a value was sealed with, and the value without it. The id is empty for a value of versions before,
// which say neither key nor place.
func KeyOf(sealed string) (id, value string) {
	id, value, named := strings.Cut(sealed, idEnd)
	if !named {
		return "", sealed
	}
	return id, value
}

// Key is one key of the ring.
type Key struct {
	ID     string
	Secret []byte

	sealing, deriving []byte
}

// NewKey makes a random key with an id that no other has.
func NewKey() Key {
	return Key{ID: strings.ToLower(rand.Text()[:8]), Secret: NewDataKey()}
}

// Ring is the keys that values are sealed with and tokens derived from.
type Ring struct {
	Keys    []Key
	Current string // id of the one that seals now; empty: as versions before did, whose processes may be there yet
	Before  bool   // values of versions before are opened
}

func (r *Ring) key(id string) *Key {
	for i := range r.Keys {
		if r.Keys[i].ID == id {
			return &r.Keys[i]
		}
	}
	return nil
}

// Use gives the vault a ring in place of the one that it had. Current is one of its keys, or empty.
func (v *Vault) Use(r Ring) {
	ring := Ring{Keys: append([]Key(nil), r.Keys...), Current: r.Current, Before: r.Before}
	for i := range ring.Keys {
		k := &ring.Keys[i]
		k.sealing, k.deriving = part(k.Secret, "seal"), part(k.Secret, "derive")
	}
	v.ring.Store(&ring)
}

func part(key []byte, label string) []byte {
	sub, err := hkdf.Key(sha256.New, key, nil, "ring/"+label, 32)
	if err != nil {
		panic(err) // lengths are constants
	}
	return sub
}

// Current is the id of the key that seals now; empty: the form of versions before is written yet.
func (v *Vault) Current() string { return v.ring.Load().Current }

// Has is a key of the ring by its id; false: it is not in it.
func (v *Vault) Has(id string) (Key, bool) {
	if k := v.ring.Load().key(id); k != nil {
		return *k, true
	}
	return Key{}, false
}

// OnUnknown has [fetch] called, once a second at most, when a value names a key that is not in the ring: another process made it.
// fetch calls Use, and returns soon.
func (v *Vault) OnUnknown(fetch func()) {
	v.fetching.Lock()
	defer v.fetching.Unlock()
	v.fetch = fetch
}

const fetchEvery = time.Second

// find is the key with that id, which may have been made since the ring was read.
func (v *Vault) find(id string) (*Key, error) {
	if k := v.ring.Load().key(id); k != nil {
		return k, nil
	}
	v.fetching.Lock()
	defer v.fetching.Unlock()
	if v.ring.Load().key(id) == nil && v.fetch != nil && time.Since(v.fetched) >= fetchEvery {
		v.fetch()
		v.fetched = time.Now()
	}
	if k := v.ring.Load().key(id); k != nil {
		return k, nil
	}
	return nil, ErrOpen
}
