package public_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"llave/bot"
	"llave/internal/affiliate"
	"llave/internal/secret"
	"llave/internal/store"
	"llave/internal/store/bolt"
	"llave/internal/store/storetest"
	"llave/internal/unlock"
	"llave/internal/web"
	"llave/internal/web/public"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Nobody has these numbers: the records are made up.
const (
	lockedNumber = "1710034065"
	activeNumber = "0900000019"
)

const goodKey = "caballo azul con tres lunas"

// world is the real site over a real store, with a clock that the test sets.
type world struct {
	t       *testing.T
	clock   *storetest.Clock
	engine  *bolt.Engine
	store   *store.Store
	vault   *secret.Vault
	links   *unlock.Service
	server  *httptest.Server
	log     *syncBuffer
	counted *counts
	turns   int
}

func newWorld(t *testing.T, change ...func(*public.Options)) *world {
	t.Helper()
	w := &world{t: t, clock: storetest.NewClock(time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)), log: &syncBuffer{}, counted: &counts{n: map[string]int{}}}
	var err error
	if w.engine, err = bolt.Open(t.Context(), bolt.Options{Dir: t.TempDir(), Now: w.clock.Now, NoSync: true}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.engine.Close() }) // some tests have closed it
	w.store = store.New(w.engine)
	if w.vault, err = secret.New(secret.NewDataKey()); err != nil {
		t.Fatal(err)
	}
	w.links = unlock.New(unlock.Options{
		Records: w.store.Unlocks, Affiliates: w.store.Affiliates, Vault: w.vault, Now: w.store.Now,
		Limits: unlock.Limits{Burst: 100, Window: 15 * time.Minute, Day: 100, PerDay: 24 * time.Hour, LinkTTL: 3 * time.Minute},
	})
	record := func(number string, status affiliate.Status) affiliate.Record {
		return affiliate.Record{
			ID: number, IDType: affiliate.Cedula, Category: affiliate.Affiliate, FullName: "PERSONA DE PRUEBA",
			Email: "persona" + number + "@example.com", DataUpdatedAt: time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC), Status: status,
		}
	}
	if err := w.store.Affiliates.Import(t.Context(), []affiliate.Record{record(lockedNumber, affiliate.Locked), record(activeNumber, affiliate.Active)}); err != nil {
		t.Fatal(err)
	}

	w.server = httptest.NewUnstartedServer(nil)
	log := slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	base := &url.URL{Scheme: "http", Host: w.server.Listener.Addr().String()}
	kit, err := web.New(web.Options{PublicURL: base, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	o := public.Options{
		Kit: kit, Links: w.links, LinkTTL: 3 * time.Minute, Log: log, Count: w.counted.add,
		Retention: public.Retention{Idle: 24 * time.Hour, Transcript: 30 * 24 * time.Hour, Audit: 365 * 24 * time.Hour, Complaint: 365 * 24 * time.Hour},
		Limit: func(ctx context.Context, source string) (bool, time.Duration, error) {
			n, resets, err := w.store.Counters.Add(ctx, "wrong-link/"+source, 1, time.Minute)
			return n <= 10, resets.Sub(w.clock.Now()), err
		},
	}
	for _, c := range change {
		c(&o)
	}
	site, err := public.New(o)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	site.Routes(mux)
	kit.Routes(mux)
	w.server.Config.Handler = kit.Wrap(mux)
	w.server.Start()
	t.Cleanup(w.server.Close)
	return w
}

// letter asks for a link, has it accepted by the mail server, and returns what the mail would hold.
func (w *world) letter(number string) unlock.Letter {
	w.t.Helper()
	ctx := w.t.Context()
	w.turns++
	rec := affiliate.Hash(w.vault, number)
	res, err := w.links.Reserve(ctx, bot.Ask{
		Turn: fmt.Sprint("telegram:1/", w.turns), Conv: "telegram:1", Record: rec, Sealed: affiliate.Seal(w.vault, number), Want: "unlock", Channel: "telegram",
	})
	if err != nil || !res.Granted {
		w.t.Fatalf("reserve: %+v, %v", res, err)
	}
	p := bot.Promise{Record: rec, Attempt: res.Attempt}
	l, err := w.links.Letter(ctx, p)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.links.Accepted(ctx, p); err != nil {
		w.t.Fatal(err)
	}
	return l
}

func (w *world) status(number string) affiliate.Status {
	w.t.Helper()
	r, _, err := w.store.Affiliates.Find(w.t.Context(), number)
	if err != nil {
		w.t.Fatal(err)
	}
	return r.Status
}

// promises counts what the record owes, by kind.
func (w *world) promises(number string) map[string]int {
	w.t.Helper()
	r, err := w.store.Unlocks.Load(w.t.Context(), affiliate.Hash(w.vault, number))
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[string]int{}
	for _, p := range r.Promises {
		out[p.Kind]++
	}
	return out
}

// browser is one person's browser: it keeps cookies and says where a form came from. It does not follow redirects.
type browser struct {
	w      *world
	client *http.Client
}

func (w *world) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return &browser{w, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// page is an answer.
type page struct {
	status   int
	header   http.Header
	body     string
	location string
}

func (b *browser) do(method, path string, form url.Values, header ...string) page {
	req, err := http.NewRequest(method, b.w.server.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.w.t.Error(err)
		return page{}
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", b.w.server.URL)
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Del(header[i])
		if header[i+1] != "" {
			req.Header.Set(header[i], header[i+1])
		}
	}
	res, err := b.client.Do(req)
	if err != nil {
		b.w.t.Error(err)
		return page{}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.w.t.Error(err)
	}
	return page{res.StatusCode, res.Header, string(body), res.Header.Get("Location")}
}

func (b *browser) get(path string) page                   { return b.do(http.MethodGet, path, nil) }
func (b *browser) press(path string) page                 { return b.do(http.MethodPost, path, nil) }
func (b *browser) post(path string, form url.Values) page { return b.do(http.MethodPost, path, form) }

// cookie is the value the browser has for a name.
func (b *browser) cookie(name string) string {
	u, _ := url.Parse(b.w.server.URL)
	for _, c := range b.client.Jar.Cookies(u) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// main is the part of the page that is not on every page.
func (p page) main() string {
	_, rest, _ := strings.Cut(p.body, "<main")
	main, _, _ := strings.Cut(rest, "</main>")
	return main
}

// want fails when the page is not the one expected.
func (p page) want(t *testing.T, status int, says ...string) page {
	t.Helper()
	if p.status != status {
		t.Errorf("status: got %d, want %d; page:\n%s", p.status, status, p.main())
	}
	for _, s := range says {
		if !strings.Contains(p.body, s) {
			t.Errorf("the page lacks %q:\n%s", s, p.main())
		}
	}
	return p
}

// to fails when the page does not send the browser on to that address.
func (p page) to(t *testing.T, location string) page {
	t.Helper()
	if p.status != http.StatusSeeOther || p.location != location {
		t.Errorf("got %d to %q, want 303 to %q; page:\n%s", p.status, p.location, location, p.main())
	}
	return p
}

type syncBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

type counts struct {
	mu sync.Mutex
	n  map[string]int
}

func (c *counts) add(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n[what]++
}
