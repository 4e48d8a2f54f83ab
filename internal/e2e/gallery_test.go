package e2e

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"testing"
	"time"

	"llave/bot"
	"llave/internal/affiliate"
	"llave/internal/bottest"
	"llave/internal/mail"
	"llave/internal/secret"
	"llave/internal/store"
	"llave/internal/store/bolt"
	"llave/internal/store/storetest"
	"llave/internal/unlock"
	"llave/internal/web"
	"llave/internal/web/public"
)

// gallery is the fixture of the page tests: the site in this process, over a real store, with a clock that stands still, so that every page can be seen
// in every state. Beside the site's own pages it has /error/{status}, the kit's page of an error, and /carta/{kind}, a
// letter as a mail program shows it, in another language with /{lang} behind.
type gallery struct {
	t      *testing.T
	base   string
	clock  *storetest.Clock
	vault  *secret.Vault
	store  *store.Store
	links  *unlock.Service
	people int
	lang   string // of the chats that ask for links
}

func newGallery(t *testing.T) *gallery {
	t.Helper()
	g := &gallery{t: t, clock: storetest.NewClock(time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC))}
	engine, err := bolt.Open(t.Context(), bolt.Options{Dir: t.TempDir(), Now: g.clock.Now, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
	g.store = store.New(engine)
	if g.vault, err = secret.New(secret.NewDataKey()); err != nil {
		t.Fatal(err)
	}
	g.links = unlock.New(unlock.Options{
		Documents: g.store.Unlocks, Affiliates: g.store.Affiliates, Vault: g.vault, Now: g.store.Now,
		Limits: unlock.Limits{Burst: 100, Window: 15 * time.Minute, Day: 100, PerDay: 24 * time.Hour, LinkTTL: 3 * time.Minute},
		Hold:   24 * time.Hour,
	})
	server := httptest.NewUnstartedServer(nil)
	log := slog.New(slog.DiscardHandler)
	base := &url.URL{Scheme: "http", Host: server.Listener.Addr().String()}
	kit, err := web.New(web.Options{PublicURL: base, Log: log, Lang: public.Lang, Chats: func(r *http.Request) []web.Chat { return public.Back(r, ourChats) }})
	if err != nil {
		t.Fatal(err)
	}
	const year = 365 * 24 * time.Hour
	site, err := public.New(public.Options{
		Kit: kit, Links: g.links, LinkTTL: 3 * time.Minute, Log: log, Chats: func() []web.Chat { return ourChats },
		Retention: public.Retention{Idle: 24 * time.Hour, Transcript: 30 * 24 * time.Hour, Audit: year, Complaint: year},
		Offices: func() affiliate.Offices {
			return affiliate.Offices{{Name: "Centro de Atención Universal de prueba", Province: "Loja", City: "Loja", Address: "Calle de Prueba 1 y Avenida de Prueba", Hours: "lunes a viernes 08:00-16:30", Note: "Entrada por la esquina", Code: "loja"}}
		},
		Limit: func(context.Context, string) (bool, time.Duration, error) { return true, 0, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	site.Routes(mux)
	kit.Routes(mux)
	mux.Handle("GET /error/{status}", kit.Page(func(_ http.ResponseWriter, r *http.Request) error {
		status, err := strconv.Atoi(r.PathValue("status"))
		e := &web.Error{Status: status, Err: err}
		if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
			e.RetryAfter = 5 * time.Second
		}
		return e
	}))
	mux.HandleFunc("GET /carta/{kind}/{lang...}", func(w http.ResponseWriter, r *http.Request) {
		l, err := letterOf(mail.Kind(r.PathValue("kind")), r.PathValue("lang"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, l.HTML) // a test that has gone away misses nothing
	})
	server.Config.Handler = kit.Wrap(mux)
	server.Start()
	t.Cleanup(server.Close)
	g.base = server.URL
	return g
}

// ourChats are the chats that the pages lead back to.
var ourChats = []web.Chat{{Channel: "telegram", URL: "https://t.me/example_bot"}, {Channel: "whatsapp", URL: "https://wa.me/15550783881"}}

// letterOf composes a letter with made-up links.
func letterOf(kind mail.Kind, lang string) (mail.Letter, error) {
	const site = "https://desbloqueo.example.org"
	zone, err := time.LoadLocation("America/Guayaquil")
	if err != nil {
		return mail.Letter{}, err
	}
	c, err := mail.NewComposer(mail.ComposerOptions{PublicURL: site, Zone: zone})
	if err != nil {
		return mail.Letter{}, err
	}
	d := mail.Data{Lang: lang, Channel: "telegram", At: time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)}
	switch kind {
	case mail.Unlocked, mail.Generated, mail.Revoked, mail.RevokedKey:
	case mail.Disowned:
		d.Case = "N00000000"
	case mail.Monthly:
		d.Month = &mail.Month{Year: 2026, Number: 2, Figures: []mail.Figure{{Name: "Atenciones", Value: "66000"}, {Name: "Quejas", Value: "120"}}}
	default:
		d.TTL, d.Link, d.NotMe = 3*time.Minute, site+"/desbloqueo/"+madeUpToken, site+"/no-fui-yo/"+madeUpToken
	}
	return c.Compose(kind, d)
}

// madeUpToken is as long as a real one.
const madeUpToken = "TGV0cmFzLWludmVudGFkYX"

// letter makes up a person whose key is as said, asks for a link for them and returns what their letter would hold, the
// mail server having taken it.
func (g *gallery) letter(key affiliate.Status) unlock.Letter {
	g.t.Helper()
	g.people++
	number, ctx := bottest.Cedula(g.people), g.t.Context()
	if err := g.store.Affiliates.Import(ctx, []affiliate.Record{{
		ID: number, IDType: affiliate.Cedula, Category: affiliate.Affiliate, FullName: "PERSONA DE PRUEBA",
		Email: "persona@example.com", DataUpdatedAt: time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC), Status: key,
	}}); err != nil {
		g.t.Fatal(err)
	}
	record := affiliate.Hash(g.vault, number)
	res, err := g.links.Reserve(ctx, bot.Ask{
		Turn: fmt.Sprint("telegram:1/", g.people), Conv: "telegram:1", Record: record, Number: number,
		Want: "unlock", Channel: "telegram", Lang: g.lang,
	})
	if err != nil || !res.Granted {
		g.t.Fatalf("reserve: %+v, %v", res, err)
	}
	p := bot.Promise{Record: record, Attempt: res.Attempt, What: bot.MailLink{Lang: g.lang}}
	l, err := g.links.Letter(ctx, p, "")
	if err != nil {
		g.t.Fatal(err)
	}
	if _, err := g.links.Accepted(ctx, p); err != nil {
		g.t.Fatal(err)
	}
	return l
}

// The addresses of a fresh letter's links.
func (g *gallery) unlockLink() string {
	return g.base + "/desbloqueo/" + g.letter(affiliate.Locked).Token
}
func (g *gallery) generateLink() string {
	return g.base + "/generar/" + g.letter(affiliate.Active).Token
}
func (g *gallery) notMeLink() string {
	return g.base + "/no-fui-yo/" + g.letter(affiliate.Locked).NotMe
}

// usedNotMeLink is notMeLink of a link that somebody has used.
func (g *gallery) usedNotMeLink() string {
	l := g.letter(affiliate.Locked)
	if _, err := g.links.Redeem(g.t.Context(), l.Token, "another browser"); err != nil {
		g.t.Fatal(err)
	}
	return g.base + "/no-fui-yo/" + l.NotMe
}
