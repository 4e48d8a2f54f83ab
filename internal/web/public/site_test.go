package public_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"llave/bot"
	"llave/internal/affiliate"
	"llave/internal/bottest"
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

// site is the public pages over a real store, with a clock that the test sets.
type site struct {
	t       *testing.T
	clock   *storetest.Clock
	engine  *bolt.Engine
	store   *store.Store
	vault   *secret.Vault
	links   *unlock.Service
	server  *httptest.Server
	log     *bottest.Log
	counted *counts
	turns   int
	notMe   string // token of the "No fui yo" of the last letterOn
}

func newSite(t *testing.T, change ...func(*public.Options)) *site {
	t.Helper()
	s := &site{t: t, clock: storetest.NewClock(time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)), log: &bottest.Log{}, counted: &counts{n: map[string]int{}}}
	var err error
	if s.engine, err = bolt.Open(t.Context(), bolt.Options{Dir: t.TempDir(), Now: s.clock.Now, NoSync: true}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.engine.Close() }) // some tests have closed it
	s.store = store.New(s.engine)
	if s.vault, err = secret.New(secret.NewDataKey()); err != nil {
		t.Fatal(err)
	}
	s.links = unlock.New(unlock.Options{
		Documents: s.store.Unlocks, Affiliates: s.store.Affiliates, Vault: s.vault, Now: s.store.Now,
		Limits: unlock.Limits{Burst: 100, Window: 15 * time.Minute, Day: 100, PerDay: 24 * time.Hour, LinkTTL: 3 * time.Minute},
	})
	s.add(lockedNumber, affiliate.Locked)
	s.add(activeNumber, affiliate.Active)

	s.server = httptest.NewUnstartedServer(nil)
	log := slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	base := &url.URL{Scheme: "http", Host: s.server.Listener.Addr().String()}
	var o public.Options
	kit, err := web.New(web.Options{PublicURL: base, Log: log, Lang: public.Lang, Chats: func(r *http.Request) []web.Chat {
		if o.Chats == nil {
			return nil
		}
		return public.Back(r, o.Chats())
	}})
	if err != nil {
		t.Fatal(err)
	}
	o = public.Options{
		Kit: kit, Links: s.links, LinkTTL: 3 * time.Minute, Log: log, Count: s.counted.add,
		Retention: public.Retention{Idle: 24 * time.Hour, Transcript: 30 * 24 * time.Hour, Audit: 365 * 24 * time.Hour, Complaint: 365 * 24 * time.Hour},
		Limit: func(ctx context.Context, source string) (bool, time.Duration, error) {
			n, resets, err := s.store.Counters.Add(ctx, "wrong-link/"+source, 1, time.Minute)
			return n <= 10, resets.Sub(s.clock.Now()), err
		},
	}
	for _, c := range change {
		c(&o)
	}
	pages, err := public.New(o)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	pages.Routes(mux)
	kit.Routes(mux)
	s.server.Config.Handler = kit.Wrap(mux)
	s.server.Start()
	t.Cleanup(s.server.Close)
	return s
}

// add imports a record.
func (s *site) add(number string, status affiliate.Status) {
	s.t.Helper()
	err := s.store.Affiliates.Import(s.t.Context(), []affiliate.Record{{
		ID: number, IDType: affiliate.Cedula, Category: affiliate.Affiliate, FullName: "PERSONA DE PRUEBA",
		Email: "persona" + number + "@example.com", DataUpdatedAt: time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC), Status: status,
	}})
	if err != nil {
		s.t.Fatal(err)
	}
}

// letter asks for a link, has it accepted by the mail server, and returns what the mail would hold.
func (s *site) letter(number string) unlock.Letter { s.t.Helper(); return s.letterIn("", number) }

// letterIn is letter for a chat in a language.
func (s *site) letterIn(lang, number string) unlock.Letter {
	s.t.Helper()
	ctx := s.t.Context()
	s.turns++
	rec := affiliate.Hash(s.vault, number)
	res, err := s.links.Reserve(ctx, bot.Ask{
		Turn: fmt.Sprint("telegram:1/", s.turns), Conv: "telegram:1", Record: rec, Number: number, Want: "unlock", Channel: "telegram", Lang: lang,
	})
	if err != nil || !res.Granted {
		s.t.Fatalf("reserve: %+v, %v", res, err)
	}
	p := bot.Promise{Record: rec, Attempt: res.Attempt, What: bot.MailLink{Lang: lang}}
	l, err := s.links.Letter(ctx, p, "")
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.links.Accepted(ctx, p); err != nil {
		s.t.Fatal(err)
	}
	return l
}

func (s *site) status(number string) affiliate.Status {
	s.t.Helper()
	r, _, err := s.store.Affiliates.Find(s.t.Context(), number)
	if err != nil {
		s.t.Fatal(err)
	}
	return r.Status
}

// promises counts what the record owes, by kind.
func (s *site) promises(number string) map[bot.PromiseKind]int {
	s.t.Helper()
	r, err := s.store.Unlocks.Load(s.t.Context(), affiliate.Hash(s.vault, number))
	if err != nil {
		s.t.Fatal(err)
	}
	out := map[bot.PromiseKind]int{}
	for _, p := range r.Promises {
		out[p.Kind()]++
	}
	return out
}

// browser is one person's. What goes wrong on the way to the server is an error and an empty page: some ask at once.
type browser struct {
	*bottest.Browser
	w *site
}

func (s *site) browser() *browser {
	return &browser{bottest.NewBrowser(s.server.URL, s.server.URL), s}
}

func (b *browser) do(method, path string, form url.Values, header ...string) bottest.Page {
	p, err := b.Do(context.Background(), method, path, form, header...)
	if err != nil {
		b.w.t.Error(err)
	}
	return p
}

func (b *browser) get(path string) bottest.Page   { return b.do(http.MethodGet, path, nil) }
func (b *browser) press(path string) bottest.Page { return b.do(http.MethodPost, path, nil) }
func (b *browser) post(path string, form url.Values) bottest.Page {
	return b.do(http.MethodPost, path, form)
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
