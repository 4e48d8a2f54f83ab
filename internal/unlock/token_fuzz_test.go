package unlock

import (
	"context"
	"errors"
	"testing"
	"time"

	"llave/internal/secret"
)

// FuzzToken: whatever stands in a link's address is no token, or one that is looked up by parts of itself.
func FuzzToken(f *testing.F) {
	v, err := secret.New(make([]byte, 32))
	if err != nil {
		f.Fatal(err)
	}
	long := v.Derive("link", "a")
	for _, s := range []string{"", long, long[:tokenSize], long[:tokenSize+tagSize], long + "12345678", long + "=", "ñ" + long[:tokenSize-2]} {
		f.Add(s)
	}
	s := New(Options{Vault: v})
	f.Fuzz(func(t *testing.T, text string) {
		c := cutToken(text)
		for _, b := range c.begins {
			if len(b) != tokenSize && len(b) != longSize || len(text) < len(b) || text[:len(b)] != b {
				t.Errorf("%q is looked up by %q", text, b)
			}
		}
		if len(c.begins) == 0 && c.is(s.hashLink(text), s.hashLink) {
			t.Errorf("%q is no token and is one", text)
		}
		if c.tag != "" && (len(c.tag) != tagSize || text[len(text)-tagSize:] != c.tag) {
			t.Errorf("%q has the tag %q", text, c.tag)
		}
		a := &Attempt{ID: "a", Convs: []string{"telegram:1", "telegram:2"}}
		if s.asker(a, c.tag) == "telegram:2" && c.tag != s.chatTag(a, "telegram:2") {
			t.Errorf("the tag %q is another chat's", c.tag)
		}
	})
}

// FuzzKeyPass: no cookie but one that was given out opens anything.
func FuzzKeyPass(f *testing.F) {
	v, err := secret.New(make([]byte, 32))
	if err != nil {
		f.Fatal(err)
	}
	s := New(Options{Vault: v, Now: func(context.Context) (time.Time, error) { return time.Unix(1e9, 0), nil }})
	for _, seed := range []string{"", "a|b", "AAAA", "1.AAAAAAAAAAAAAAAA", "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "\x00\xff", "===="} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, pass string) {
		if _, err := s.KeyPass(t.Context(), pass); !errors.Is(err, ErrKeyPass) {
			t.Errorf("%q: %v, want that it is none", pass, err)
		}
	})
}
