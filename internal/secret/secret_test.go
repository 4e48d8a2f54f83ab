package secret_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"llave/internal/secret"
)

func vault(t *testing.T) *secret.Vault {
	t.Helper()
	v, err := secret.New(bytes.Repeat([]byte{3}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestSeal(t *testing.T) {
	v := vault(t)
	at := secret.Number.Of("telegram:1")
	sealed := v.Seal(at, "hola")
	if got, err := v.Open(at, sealed); err != nil || got != "hola" {
		t.Errorf("opened %q (%v), want what was sealed", got, err)
	}
	if v.Seal(at, "hola") == sealed {
		t.Error("sealing twice gave the same value")
	}
	if id, _ := secret.KeyOf(sealed); id == "" || id != v.Current() {
		t.Errorf("the value names the key %q, want %q", id, v.Current())
	}
	flipped := []byte(sealed)
	flipped[len(flipped)/2] ^= 1
	for name, bad := range map[string]string{
		"changed": string(flipped), "cut": sealed[:10], "empty": "", "not base64": "ñ", "key alone": v.Current() + ".",
		"another key's": "1" + sealed, "no key's": sealed[strings.Index(sealed, ".")+1:],
	} {
		if _, err := v.Open(at, bad); !errors.Is(err, secret.ErrOpen) {
			t.Errorf("%s: %v, want ErrOpen", name, err)
		}
	}
}

// TestSeal_moved shows P731: a value opens in no other document, field or collection than its own.
func TestSeal_moved(t *testing.T) {
	v := vault(t)
	var places []secret.Place
	for _, f := range append([]*secret.Field{secret.KeyPass}, secret.Stored...) {
		for _, id := range []string{"", "a", "telegram:1", "telegram:11"} {
			places = append(places, f.Of(id))
		}
	}
	for i, from := range places {
		sealed, whole := v.Seal(from, "1"), v.SealAt(from, []byte("1"))
		for j, to := range places {
			if _, err := v.OpenAt(to, whole); (err == nil) != (i == j) {
				t.Errorf("bytes sealed for %s.%s of %q, opened as %s.%s of %q: %v", from.Field.Collection, from.Field.Name, from.ID, to.Field.Collection, to.Field.Name, to.ID, err)
			}
			if _, err := v.Open(to, sealed); (err == nil) != (i == j) {
				t.Errorf("sealed for %s.%s of %q, opened as %s.%s of %q: %v", from.Field.Collection, from.Field.Name, from.ID, to.Field.Collection, to.Field.Name, to.ID, err)
			}
		}
	}
}

// TestSeal_before shows that what versions before sealed opens, and what this one seals while such a version may be there opens in it.
func TestSeal_before(t *testing.T) {
	v := vault(t)
	id, key := v.Current(), mustHave(t, v)
	ring := secret.Ring{Keys: []secret.Key{key}, Before: true}
	v.Use(ring)
	before := v.Seal(secret.Number.Of("telegram:1"), "hola")
	if key, _ := secret.KeyOf(before); key != "" {
		t.Fatalf("a value of the form before names the key %q", key)
	}
	if got, err := v.Open(secret.Given.Of("telegram:2"), before); err != nil || got != "hola" { // as versions before did, which bound it to nothing
		t.Errorf("opened %q, %v", got, err)
	}
	ring.Current = id
	v.Use(ring)
	if got, err := v.Open(secret.Number.Of("telegram:1"), before); err != nil || got != "hola" {
		t.Errorf("opened %q, %v, once this version seals as it does", got, err)
	}
	ring.Before = false
	v.Use(ring)
	if _, err := v.Open(secret.Number.Of("telegram:1"), before); !errors.Is(err, secret.ErrOpen) {
		t.Errorf("got %v, want ErrOpen: none of the form before is left", err)
	}
}

// TestSealAt shows that bytes are sealed as texts are: by the key of now, which they name, and by the data key while versions before may
// be there.
func TestSealAt(t *testing.T) {
	v := vault(t)
	at := secret.BookEntry.Of("telegram:~a")
	id, key := v.Current(), mustHave(t, v)
	v.Use(secret.Ring{Keys: []secret.Key{key}, Before: true})
	before := v.SealAt(at, []byte("hola"))
	v.Use(secret.Ring{Keys: []secret.Key{key}, Current: id, Before: true})
	now := v.SealAt(at, []byte("hola"))
	for name, c := range map[string]struct {
		key    string
		sealed []byte
	}{"before": {"", before}, "now": {id, now}} {
		by, _, err := secret.KeyAt(c.sealed)
		if got, oerr := v.OpenAt(at, c.sealed); by != c.key || err != nil || oerr != nil || string(got) != "hola" {
			t.Errorf("%s: opened %q by the key %q, %v, %v", name, got, by, err, oerr)
		}
		for n := range c.sealed {
			flipped := bytes.Clone(c.sealed)
			flipped[n] ^= 1
			_, changed := v.OpenAt(at, flipped)
			if _, cut := v.OpenAt(at, c.sealed[:n]); !errors.Is(changed, secret.ErrOpen) || !errors.Is(cut, secret.ErrOpen) {
				t.Fatalf("%s, changed or cut at %d: %v, %v, want ErrOpen", name, n, changed, cut)
			}
		}
	}
	v.Use(secret.Ring{Keys: []secret.Key{key}, Current: id})
	if _, err := v.OpenAt(at, before); !errors.Is(err, secret.ErrOpen) {
		t.Errorf("got %v, want ErrOpen: none of the form before is left", err)
	}
	other := secret.NewKey()
	v.Use(secret.Ring{Keys: []secret.Key{other}, Current: other.ID})
	if _, err := v.OpenAt(at, now); !errors.Is(err, secret.ErrOpen) {
		t.Errorf("got %v, want ErrOpen: the key is gone", err)
	}
}

// TestRing shows P732: each value opens by its own key, one that this process does not know yet is asked for, and a token is derived by
// its own key for as long as that is there.
func TestRing(t *testing.T) {
	one, other := vault(t), vault(t)
	first := mustHave(t, one)
	at := secret.TOTP.Of("ana")
	old, derived := one.Seal(at, "hola"), one.DeriveBy(first.ID, "link", "a1")
	second := secret.NewKey()
	ring := secret.Ring{Keys: []secret.Key{first, second}, Current: second.ID}
	one.Use(ring)
	fresh := one.Seal(at, "hola")
	for name, sealed := range map[string]string{"first": old, "second": fresh} {
		if got, err := one.Open(at, sealed); err != nil || got != "hola" {
			t.Errorf("%s key: opened %q, %v", name, got, err)
		}
	}
	if one.DeriveBy(first.ID, "link", "a1") != derived || one.DeriveBy(second.ID, "link", "a1") == derived || one.DeriveBy("", "link", "a1") != one.Derive("link", "a1") {
		t.Error("a token is derived by another key than its own")
	}
	asked := 0
	other.OnUnknown(func() { asked++; other.Use(ring) })
	if got, err := other.Open(at, fresh); err != nil || got != "hola" || asked != 1 {
		t.Errorf("a process that did not know the key: opened %q, %v, asked %d times", got, err, asked)
	}
	for range 100 { // a stranger's cookie names whatever it likes
		_, _ = other.Open(secret.KeyPass.Of(""), "zzzz.AAAA")
	}
	if asked > 2 {
		t.Errorf("asked %d times for a key that nobody has", asked)
	}
	one.Use(secret.Ring{Keys: []secret.Key{second}, Current: second.ID})
	if _, err := one.Open(at, old); !errors.Is(err, secret.ErrOpen) {
		t.Errorf("got %v, want ErrOpen: the key is gone", err)
	}
	if one.DeriveBy(first.ID, "link", "a1") == derived {
		t.Error("a token of a key that is gone is derived all the same")
	}
}

// TestWrapAs shows that one wrapped key cannot stand for another.
func TestWrapAs(t *testing.T) {
	keys := secret.Keys{bytes.Repeat([]byte{1}, 32)}
	wrapped := keys.WrapAs("a", bytes.Repeat([]byte{2}, 32))
	if _, _, err := keys.UnwrapAs("a", wrapped); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"", "b"} {
		if _, _, err := keys.UnwrapAs(name, wrapped); !errors.Is(err, secret.ErrOpen) {
			t.Errorf("as %q: %v, want ErrOpen", name, err)
		}
	}
}

func mustHave(t *testing.T, v *secret.Vault) secret.Key {
	t.Helper()
	k, ok := v.Has(v.Current())
	if !ok {
		t.Fatal("the vault's current key is not in its ring")
	}
	return k
}

func TestHash_labels(t *testing.T) {
	v := vault(t)
	if v.Hash("a", "x") != v.Hash("a", "x") || v.Hash("a", "x") == v.Hash("b", "x") || v.Hash("a", "x") == v.Derive("a", "x") {
		t.Error("hashes must be the same for the same label and use, and differ otherwise")
	}
}

// TestKeys_rotate shows P607.
func TestKeys_rotate(t *testing.T) {
	one, two := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, 32)), base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{2}, 40))
	parse := func(s string) secret.Keys {
		t.Helper()
		k, err := secret.ParseKeys(s)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	data := secret.NewDataKey()
	wrapped := parse(one).Wrap(data)
	got, stale, err := parse(two + "," + one).Unwrap(wrapped)
	if err != nil || !stale || !bytes.Equal(got, data) {
		t.Errorf("after rotation: stale %t, %v, want the data key, to be wrapped anew", stale, err)
	}
	if _, _, err := parse(two).Unwrap(wrapped); !errors.Is(err, secret.ErrOpen) {
		t.Errorf("with another key: %v, want ErrOpen", err)
	}
	for _, bad := range []string{"", "short", one + ",AAAA", "!!!"} {
		if _, err := secret.ParseKeys(bad); err == nil {
			t.Errorf("ParseKeys(%q) was content", bad)
		}
	}
}

// TestNothingPrints shows P405.
func TestNothingPrints(t *testing.T) {
	keys := secret.Keys{bytes.Repeat([]byte{'K'}, 32)}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%q"} {
		if out := fmt.Sprintf(verb, keys) + fmt.Sprintf(verb, vault(t)); strings.Contains(out, "KKKK") || strings.Contains(out, "4b4b") || strings.Contains(out, "75 75") || strings.Contains(out, "3 3 3") || strings.Contains(out, "0303") {
			t.Errorf("%s prints %s", verb, out)
		}
	}
}
