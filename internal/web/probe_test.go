package web_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"llave/internal/secret"
	"llave/internal/web"
)

// Who has the secret key is told through which hands a request came; who has not, or asks with an old question, is told nothing.
func TestProbe(t *testing.T) {
	keys, others := secret.Keys{secret.NewDataKey(), secret.NewDataKey()}, secret.Keys{secret.NewDataKey()}
	kit, err := web.New(web.Options{
		PublicURL: &url.URL{Scheme: "https", Host: "clave.example"}, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")},
	})
	if err != nil {
		t.Fatal(err)
	}
	h := kit.Probed(keys, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	ask := func(p web.Probe) http.Header {
		r := httptest.NewRequest(http.MethodGet, "/privacidad", nil)
		r.RemoteAddr = "192.0.2.7:5000"
		r.Header.Set("X-Forwarded-For", "203.0.113.9")
		p.Ask(r)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusNoContent {
			t.Errorf("the request itself is answered %d", w.Code)
		}
		return w.Header()
	}
	for name, signed := range map[string]secret.Keys{"the first key": keys, "an older key": keys[1:]} {
		p := web.NewProbe(signed, time.Now())
		got, err := p.Read(keys, ask(p))
		want := web.Seen{Peer: "192.0.2.7", Trusted: true, Forwarded: "203.0.113.9", Client: "203.0.113.9"}
		if err != nil || got != want {
			t.Errorf("%s: got %+v (%v), want %+v", name, got, err, want)
		}
		if _, err := web.NewProbe(keys, time.Now()).Read(keys, ask(p)); err == nil {
			t.Errorf("%s: the answer to another question counts", name)
		}
		if _, err := p.Read(others, ask(p)); err == nil {
			t.Errorf("%s: an answer under another key counts", name)
		}
	}
	for name, p := range map[string]web.Probe{
		"another key": web.NewProbe(others, time.Now()), "an old question": web.NewProbe(keys, time.Now().Add(-time.Hour)),
	} {
		if got := ask(p).Get(web.ProbeHeader); got != "" {
			t.Errorf("%s is told %q", name, got)
		}
	}
}
