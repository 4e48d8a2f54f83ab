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
	sealed := v.Seal("number", "hola")
	if got, err := v.Open("number", sealed); err != nil || got != "hola" {
		t.Errorf("opened %q (%v), want what was sealed", got, err)
	}
	if v.Seal("number", "hola") == sealed {
		t.Error("sealing twice gave the same value")
	}
	flipped := []byte(sealed)
	flipped[len(flipped)/2] ^= 1
	for name, bad := range map[string]string{"changed": string(flipped), "cut": sealed[:10], "empty": "", "not base64": "ñ"} {
		if _, err := v.Open("number", bad); !errors.Is(err, secret.ErrOpen) {
			t.Errorf("%s: %v, want ErrOpen", name, err)
		}
	}
	if _, err := v.Open("ticket", sealed); !errors.Is(err, secret.ErrOpen) {
		t.Error("a value sealed under one label opened under another")
	}
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
