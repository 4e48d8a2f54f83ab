package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"llave/bot/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newKit makes a kit that logs everything into the buffer.
func newKit(t *testing.T, public string, proxies ...string) (*Kit, *bytes.Buffer) {
	t.Helper()
	u, err := url.Parse(public)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	o := Options{PublicURL: u, Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	for _, p := range proxies {
		o.TrustedProxies = append(o.TrustedProxies, netip.MustParsePrefix(p))
	}
	k, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return k, &log
}

func TestErrorPages(t *testing.T) {
	k, log := newKit(t, "http://localhost:8080")
	mux := http.NewServeMux()
	mux.Handle("GET /bien", k.Page(func(w http.ResponseWriter, r *http.Request) error { return nil }))
	mux.Handle("POST /form", k.Page(func(w http.ResponseWriter, r *http.Request) error {
		_, err := Form(r)
		return err
	}))
	mux.Handle("GET /falla/{token}", k.Page(func(w http.ResponseWriter, r *http.Request) error { return errors.New("broken inside") }))
	mux.Handle("GET /cae/{token}", k.Page(func(w http.ResponseWriter, r *http.Request) error { panic("secret of " + r.PathValue("token")) }))
	mux.Handle("GET /indice/{token}", k.Page(func(w http.ResponseWriter, r *http.Request) error {
		var none []int
		_ = none[len(r.URL.Path)]
		return nil
	}))
	mux.Handle("GET /muchos", k.Page(func(w http.ResponseWriter, r *http.Request) error {
		return &Error{Status: 429, RetryAfter: 61500 * time.Millisecond}
	}))
	mux.Handle("GET /espere", k.Page(func(w http.ResponseWriter, r *http.Request) error {
		return fmt.Errorf("wrapped: %w", &Error{Status: 503, RetryAfter: time.Second, Err: errors.New("store is away")})
	}))
	mux.Handle("GET /raro", k.Page(func(w http.ResponseWriter, r *http.Request) error { return &Error{Status: 418} }))
	h := k.Wrap(mux)

	for _, tt := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"GET", "/nada", "", 404, "Aquí no hay ninguna página"},
		{"POST", "/bien", "a=b", 405, "Eso no se puede hacer aquí"},
		{"POST", "/form", "a=" + strings.Repeat("x", FormLimit), 413, "demasiado grande"},
		{"POST", "/form", "a=%zz", 400, "No pudimos leer"},
		{"GET", "/falla/tok3n", "", 500, "Algo falló"},
		{"GET", "/cae/tok3n", "", 500, "Algo falló"},
		{"GET", "/indice/tok3n", "", 500, "Algo falló"},
		{"GET", "/muchos", "", 429, "Inténtelo otra vez en 2 minutos"},
		{"GET", "/espere", "", 503, "Abra otra vez esta página en 1 segundo."},
		{"GET", "/raro", "", 418, "No pudimos leer"},
	} {
		r := httptest.NewRequest(tt.method, tt.path, strings.NewReader(tt.body))
		if tt.method == "POST" {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.says) {
			t.Errorf("%s %s: got %d %q, want %d with %q", tt.method, tt.path, w.Code, w.Body, tt.status, tt.says)
		}
		if got := w.Header().Get("Content-Type"); got != "text/html; charset=utf-8" {
			t.Errorf("%s %s: Content-Type %q", tt.method, tt.path, got)
		}
		if got := w.Header().Get("Content-Security-Policy"); got != Policy {
			t.Errorf("%s %s: policy %q", tt.method, tt.path, got)
		}
	}
	r := httptest.NewRequest("DELETE", "/bien", nil)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if got, want := w.Header().Get("Allow"), "GET, HEAD"; got != want {
		t.Errorf("Allow: got %q, want %q", got, want)
	}
	if strings.Contains(log.String(), "tok3n") || strings.Contains(log.String(), "secret of") {
		t.Errorf("the log holds a token:\n%s", log)
	}
	for _, want := range []string{`route="GET /falla/{token}"`, "broken inside", "what=string", "index out of range", `route="GET (none)" status=404`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
}

// A form for which there is no room is asked for again later; one that is read has its room until it is answered.
func TestPage_noRoom(t *testing.T) {
	k, _ := newKit(t, "http://localhost:8080")
	bodies := k.options.Bodies
	mux := http.NewServeMux()
	var taken []*wire.Body
	fill := func(size int) {
		for { // what has arrived does not give way
			body, err := bodies.Read(httptest.NewRecorder(), httptest.NewRequest("POST", "/", strings.NewReader(strings.Repeat("x", size))), 4<<20, 1)
			if err != nil {
				return
			}
			taken = append(taken, body)
		}
	}
	mux.Handle("POST /form", k.Page(func(w http.ResponseWriter, r *http.Request) error {
		form, err := Form(r)
		if err == nil {
			fill(1 << 20)
			fmt.Fprintf(w, "%d, beside %d MiB", len(form.Get("a")), len(taken))
		}
		return err
	}))
	post := func() *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", "/form", strings.NewReader("a="+strings.Repeat("x", FormLimit-2)))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		k.Wrap(mux).ServeHTTP(w, r)
		return w
	}
	if w := post(); w.Code != 200 || w.Body.String() != "65534, beside 5 MiB" { // of 6
		t.Errorf("got %d %q, want the form and room for 5 MiB beside it", w.Code, w.Body)
	}
	fill(4 << 10)
	if w := post(); w.Code != 503 || w.Header().Get("Retry-After") != "2" || !strings.Contains(w.Body.String(), "en 2 segundos") {
		t.Errorf("got %d after %q: %q, want 503 after 2 s", w.Code, w.Header().Get("Retry-After"), w.Body)
	}
	for _, body := range taken {
		body.Release()
	}
	taken = nil
	if w := post(); w.Code != 200 {
		t.Errorf("with room again: got %d, want 200", w.Code)
	}
}

// A panic after half an answer must not look like a whole one.
func TestWrap_panicAfterWriting(t *testing.T) {
	k, _ := newKit(t, "http://localhost:8080")
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte("half"))
		panic("no more")
	})
	s := httptest.NewUnstartedServer(k.Wrap(mux))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.Start()
	defer s.Close()
	res, err := http.Get(s.URL)
	if err == nil {
		_, err = io.ReadAll(res.Body)
		res.Body.Close()
	}
	if err == nil {
		t.Error("the answer came whole")
	}
}

func TestPage_otherSites(t *testing.T) {
	k, _ := newKit(t, "https://llave.example")
	reached := 0
	h := k.Wrap(k.Page(func(w http.ResponseWriter, r *http.Request) error { reached++; return nil }))
	for _, tt := range []struct {
		name, method, fetchSite, origin string
		status                          int
	}{
		{"our own page", "POST", "same-origin", "https://llave.example", 200},
		{"our own page, a proxy changed the host", "POST", "", "https://llave.example", 200},
		{"our own page, no-referrer", "POST", "same-origin", "null", 200},
		{"no browser", "POST", "", "", 200},
		{"address typed", "POST", "none", "", 200},
		{"older browser, our host", "POST", "", "https://inside.example", 200},
		{"older browser, null", "POST", "", "null", 403},
		{"another site", "POST", "cross-site", "https://evil.example", 403},
		{"another site without a name", "POST", "cross-site", "null", 403},
		{"a neighbour", "POST", "same-site", "https://other.llave.example", 403},
		{"older browser, another site", "POST", "", "https://evil.example", 403},
		{"a link in a letter", "GET", "cross-site", "", 200},
	} {
		r := httptest.NewRequest(tt.method, "https://inside.example/", nil)
		if tt.fetchSite != "" {
			r.Header.Set("Sec-Fetch-Site", tt.fetchSite)
		}
		if tt.origin != "" {
			r.Header.Set("Origin", tt.origin)
		}
		before := reached
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tt.status || (reached > before) != (tt.status == 200) {
			t.Errorf("%s: got %d, want %d", tt.name, w.Code, tt.status)
		}
		if tt.status == 403 && !strings.Contains(w.Body.String(), "no se hizo nada") {
			t.Errorf("%s: no page of ours: %q", tt.name, w.Body)
		}
		if w.Header().Get("Strict-Transport-Security") == "" {
			t.Errorf("%s: no Strict-Transport-Security", tt.name)
		}
	}
}

func TestAddr(t *testing.T) {
	k, _ := newKit(t, "http://localhost:8080", "10.0.0.0/8", "fd00::/8")
	for _, tt := range []struct {
		name, remote string
		forwarded    []string
		want, source string
	}{
		{"direct", "203.0.113.7:1000", nil, "203.0.113.7", "203.0.113.7"},
		{"direct, and lies", "203.0.113.7:1000", []string{"198.51.100.1"}, "203.0.113.7", "203.0.113.7"},
		{"behind one proxy", "10.0.0.1:1000", []string{"198.51.100.1"}, "198.51.100.1", "198.51.100.1"},
		{"behind one proxy, and lies", "10.0.0.1:1000", []string{"192.0.2.9, 198.51.100.1"}, "198.51.100.1", "198.51.100.1"},
		{"behind two proxies", "10.0.0.1:1000", []string{"192.0.2.9, 198.51.100.1", "10.2.2.2"}, "198.51.100.1", "198.51.100.1"},
		{"with a port", "10.0.0.1:1000", []string{"198.51.100.1:5555"}, "198.51.100.1", "198.51.100.1"},
		{"proxies alone", "10.0.0.1:1000", []string{"10.0.0.9"}, "10.0.0.9", "10.0.0.9"},
		{"no header", "10.0.0.1:1000", nil, "10.0.0.1", "10.0.0.1"},
		{"nonsense", "10.0.0.1:1000", []string{"198.51.100.1, unknown"}, "10.0.0.1", "10.0.0.1"},
		{"mapped", "[::ffff:10.0.0.1]:1000", []string{"::ffff:198.51.100.1"}, "198.51.100.1", "198.51.100.1"},
		{"ipv6", "[fd00::1]:1000", []string{"[2001:db8:1:2:3:4:5:6]:99"}, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = tt.remote
		for _, f := range tt.forwarded {
			r.Header.Add("X-Forwarded-For", f)
		}
		if got := k.Addr(r).String(); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
		if got := k.Source(r); got != tt.source {
			t.Errorf("%s: source: got %s, want %s", tt.name, got, tt.source)
		}
		if got, want := k.Site(r), strings.ReplaceAll(tt.source, "2001:db8:1:2::/64", "2001:db8:1::/48"); got != want { // the desk's door
			t.Errorf("%s: site: got %s, want %s", tt.name, got, want)
		}
	}
}

func TestSetCookie(t *testing.T) {
	for _, tt := range []struct{ public, want string }{
		{"https://llave.example", "__Host-a=b; Path=/; Max-Age=600; HttpOnly; Secure; SameSite=Lax"},
		{"http://localhost:8080", "a=b; Path=/; Max-Age=600; HttpOnly; SameSite=Lax"},
	} {
		k, _ := newKit(t, tt.public)
		w := httptest.NewRecorder()
		k.SetCookie(w, "a", "b", 10*time.Minute)
		if got := w.Header().Get("Set-Cookie"); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.public, got, tt.want)
		}
		r := httptest.NewRequest("GET", "/", nil)
		r.AddCookie(w.Result().Cookies()[0])
		if got := k.Cookie(r, "a"); got != "b" {
			t.Errorf("%s: read back %q", tt.public, got)
		}
	}
}

func TestWait(t *testing.T) {
	for _, tt := range []struct {
		d    time.Duration
		want string
	}{
		{0, "0 "}, {time.Millisecond, "1 second"}, {59 * time.Second, "59 second"}, {time.Minute, "1 minute"},
		{61 * time.Second, "2 minute"}, {3 * time.Minute, "3 minute"}, {90 * time.Minute, "90 minute"}, {time.Hour, "1 hour"},
		{24 * time.Hour, "24 hour"}, {48 * time.Hour, "2 day"}, {30 * 24 * time.Hour, "30 day"}, {365 * 24 * time.Hour, "1 year"},
	} {
		if got := Wait(tt.d); fmt.Sprint(got.N, " ", got.Unit) != tt.want {
			t.Errorf("%s: got %d %s, want %s", tt.d, got.N, got.Unit, tt.want)
		}
	}
}

func TestAssets(t *testing.T) {
	k, _ := newKit(t, "http://localhost:8080")
	mux := http.NewServeMux()
	k.Routes(mux)
	h := k.Wrap(mux)
	for name, kind := range map[string]string{"llave.css": "text/css", "llave.svg": "image/svg+xml"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", shared.URL(name), nil))
		if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), kind) || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s: got %d %v", name, w.Code, w.Header())
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/recursos/000000000000/llave.css", nil))
	if w.Code != 404 {
		t.Errorf("an old hash: got %d, want 404", w.Code)
	}
}

// Stopping waits for what is under way, and streams end when they are told to.
func TestServer_Stop(t *testing.T) {
	entered, stopping := make(chan struct{}), make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /slow", func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-stopping // as a stream would
		io.WriteString(w, "whole")
	})
	s := NewServer(mux, slog.New(slog.DiscardHandler))
	s.OnStop(func() { close(stopping) })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.Start(l)
	body := make(chan string, 1)
	go func() {
		res, err := http.Get("http://" + l.Addr().String() + "/slow")
		if err != nil {
			body <- err.Error()
			return
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		body <- string(b)
	}()
	<-entered
	if err := s.Stop(context.Background()); err != nil {
		t.Errorf("stop: %v", err)
	}
	if got := <-body; got != "whole" {
		t.Errorf("got %q, want %q", got, "whole")
	}
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("still listening")
	}
}

// In a demo the desk stands in a frame, and so does whatever goes wrong there.
func TestError_framed(t *testing.T) {
	for _, framed := range []bool{false, true} {
		kit, err := New(Options{PublicURL: &url.URL{Scheme: "http", Host: "localhost"}, Log: slog.New(slog.DiscardHandler), Framed: framed})
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		kit.Wrap(http.NewServeMux()).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/nothing", nil))
		got := strings.Contains(w.Header().Get("Content-Security-Policy"), "frame-ancestors 'self'")
		if w.Code != http.StatusNotFound || got != framed {
			t.Errorf("framed %t: status %d, may be framed: %t", framed, w.Code, got)
		}
	}
}

// Every answer says that no page may use a camera, a place or the like: pages, files, errors, what there is no route for.
func TestPermissions(t *testing.T) {
	k, err := New(Options{PublicURL: &url.URL{Scheme: "https", Host: "llave.example"}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	k.Routes(mux)
	mux.Handle("GET /pagina", k.Page(func(w http.ResponseWriter, r *http.Request) error { return Redirect(w, r, "/otra") }))
	mux.Handle("GET /error", k.Page(func(http.ResponseWriter, *http.Request) error { return &Error{Status: 503} }))
	mux.HandleFunc("POST /webhooks/uno", func(http.ResponseWriter, *http.Request) {})
	for _, path := range []string{"/pagina", "/error", "/nada", "/webhooks/uno"} {
		rec := httptest.NewRecorder()
		k.Wrap(mux).ServeHTTP(rec, httptest.NewRequest(http.MethodGet, path, nil))
		p := rec.Header().Get("Permissions-Policy")
		for _, feature := range []string{"camera=()", "microphone=()", "geolocation=()", "payment=()", "usb=()"} {
			if !strings.Contains(p, feature) {
				t.Errorf("%s: %d, Permissions-Policy %q lacks %s", path, rec.Code, p, feature)
			}
		}
	}
}
