package doctor

import (
	"crypto/x509"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"llave/internal/secret"
	"llave/internal/web"
)

// llave is a service at its own address, that trusts these proxies.
func llave(t *testing.T, key string, trusted ...string) *httptest.Server {
	t.Helper()
	keys, err := secret.ParseKeys(key)
	if err != nil {
		t.Fatal(err)
	}
	o := web.Options{PublicURL: &url.URL{Scheme: "https", Host: "clave.example"}, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	for _, p := range trusted {
		o.TrustedProxies = append(o.TrustedProxies, netip.MustParsePrefix(p))
	}
	kit, err := web.New(o)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /privacidad", func(w http.ResponseWriter, _ *http.Request) {})
	s := httptest.NewServer(kit.Probed(keys, mux))
	t.Cleanup(s.Close)
	return s
}

// The ways of proxies with X-Forwarded-For.
const (
	appends  = "appends"  // who asks, behind what came
	replaces = "replaces" // what came by who asks
	passes   = "passes"   // what came as it is
	drops    = "drops"
)

// proxy is what ends TLS in front of a service.
func proxy(t *testing.T, to *httptest.Server, way string) *httptest.Server {
	t.Helper()
	target, err := url.Parse(to.URL)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewTLSServer(&httputil.ReverseProxy{ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo), Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		switch way {
		case appends:
			r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
			r.SetXForwarded()
		case replaces:
			r.Out.Header.Del("X-Forwarded-For")
			r.SetXForwarded()
		case passes:
			r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
		}
	}})
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	t.Cleanup(s.Close)
	return s
}

// public is a clinic whose public address is a server's.
func public(t *testing.T, s *httptest.Server) *clinic {
	t.Helper()
	c := newClinic(t).set("LLAVE_SECRET_KEY="+secretKey, "LLAVE_PUBLIC_URL="+s.URL)
	if s.Certificate() != nil {
		c.opt.RootCAs = x509.NewCertPool()
		c.opt.RootCAs.AddCert(s.Certificate())
	}
	return c
}

func TestPublic(t *testing.T) {
	service := llave(t, secretKey, "127.0.0.0/8")
	c := public(t, proxy(t, service, appends))
	c.finds("public address", "name", Green, "127.0.0.1")
	c.finds("public address", "answer", Green, "this service answers")
	c.finds("public address", "certificate", Green, "good for")

	end := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	for days, want := range map[int]Status{100: Green, 15: Yellow, 2: Red} {
		c.opt.Now = func() time.Time { return end.AddDate(0, 0, -days).Add(-time.Hour) }
		d := newDoctor(c.opt)
		if got := d.certificate(end, renewPublic); got.status != want {
			t.Errorf("a certificate of %d days: %v, want %s", days, got, want)
		}
	}
}

func TestPublic_answer(t *testing.T) {
	other := func(status int, header ...string) func(t *testing.T) *clinic {
		return func(t *testing.T) *clinic {
			s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if len(header) > 0 {
					w.Header().Set(header[0], header[1])
				}
				w.WriteHeader(status)
			}))
			t.Cleanup(s.Close)
			return public(t, s)
		}
	}
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for name, tt := range map[string]struct {
		clinic func(t *testing.T) *clinic
		want   Status
		words  string
	}{
		"nobody": {func(t *testing.T) *clinic {
			return newClinic(t).set("LLAVE_SECRET_KEY="+secretKey, "LLAVE_PUBLIC_URL=http://"+nowhere(t))
		}, Red, "nobody listens"},
		"nothing behind":   {func(t *testing.T) *clinic { return public(t, proxy(t, gone, appends)) }, Red, "reaches nothing behind it"},
		"another":          {other(200), Red, "not this service"},
		"leads elsewhere":  {other(301, "Location", "https://other.example/"), Red, "leads elsewhere"},
		"another key":      {func(t *testing.T) *clinic { return public(t, proxy(t, llave(t, strings.Repeat("B", 43)+"="), appends)) }, Red, "not this service"},
		"unknown signer":   {func(t *testing.T) *clinic { c := public(t, proxy(t, gone, appends)); c.opt.RootCAs = nil; return c }, Red, "signed by nobody"},
		"another name":     {func(t *testing.T) *clinic { return public(t, proxy(t, gone, appends)).host("otro.invalid") }, Red, "another name"},
		"no TLS":           {func(t *testing.T) *clinic { return public(t, plainHTTP(t)) }, Red, "does not speak https"},
		"no key yet":       {func(t *testing.T) *clinic { return newClinic(t) }, Red, "no secret key"},
		"answers an error": {func(t *testing.T) *clinic { return public(t, broken(t)) }, Red, "with status 500"},
	} {
		t.Run(name, func(t *testing.T) {
			c := tt.clinic(t)
			c.finds("public address", "answer", tt.want, tt.words)
			c.lacks("public address", "proxy")
		})
	}
	c := newClinic(t).set("LLAVE_SECRET_KEY="+secretKey, "LLAVE_PUBLIC_URL=https://no.existe.example")
	c.finds("public address", "name", Red, "there is no no.existe.example")
	c.lacks("public address", "answer")
}

// host has the public address be called so.
func (c *clinic) host(name string) *clinic {
	last := c.env[len(c.env)-1]
	c.dns.Host(name, "127.0.0.1")
	return c.set(strings.Replace(last, "127.0.0.1", name, 1))
}

// plainHTTP speaks http where https is asked for.
func plainHTTP(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(s.Close)
	s.URL = strings.Replace(s.URL, "http://", "https://", 1)
	return s
}

// broken is a service that answers with an error of its own.
func broken(t *testing.T) *httptest.Server {
	t.Helper()
	keys, err := secret.ParseKeys(secretKey)
	if err != nil {
		t.Fatal(err)
	}
	kit, err := web.New(web.Options{PublicURL: &url.URL{Scheme: "http", Host: "localhost"}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(kit.Probed(keys, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })))
	t.Cleanup(s.Close)
	return s
}

func TestPublic_proxy(t *testing.T) {
	for name, tt := range map[string]struct {
		way     string
		trusted []string
		want    Status
		words   string
	}{
		"replaces":                 {replaces, []string{"127.0.0.1/32"}, Green, "by 127.0.0.1"},
		"replaces and not trusted": {replaces, nil, Red, "is not trusted"},
		"appends and not trusted":  {appends, nil, Red, "is not trusted"},
		"we are trusted ourselves": {appends, []string{"127.0.0.1/32"}, Yellow, "trusted itself"},
		"passes":                   {passes, []string{"127.0.0.1/32"}, Red, "anybody writes"},
		"drops":                    {drops, []string{"127.0.0.1/32"}, Red, "does not say for whom"},
	} {
		t.Run(name, func(t *testing.T) {
			public(t, proxy(t, llave(t, secretKey, tt.trusted...), tt.way)).finds("public address", "proxy", tt.want, tt.words)
		})
	}
	public(t, llave(t, secretKey)).finds("public address", "proxy", Green, "none stands between")
}
