package app_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/internal/affiliate"
	"llave/internal/app"
	"llave/internal/bottest"
	"llave/internal/bottest/world"
	"llave/internal/config"
	"llave/internal/secret"
	"llave/internal/store"
	"llave/internal/store/storetest"
)

// secretKey is a value of LLAVE_SECRET_KEY.
func secretKey(b byte) string { return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{b}, 32)) }

// TestRotation_everywhere shows P607, P732 and P733: a person goes the whole road to a new key, each message at another process than the
// last; at each place on it the key that seals is changed, or the setting that wraps the keys is rotated, or both, with all sealed anew or
// not, and the processes learn of it at their own times. Everything is answered as if nothing had been, the link and its No fui yo work,
// and nothing is in the log.
func TestRotation_everywhere(t *testing.T) {
	road := []string{"hola", "1", "1", theirs[:8], theirs[8:], "1", "1"}
	changes := map[string]func(r *rotating){
		"new key": func(r *rotating) { r.renews(); r.later(31 * time.Second) },
		"new key, one process does not look": func(r *rotating) {
			r.renews()
			r.clock.Add(int64(31 * time.Second))
			r.looks(r.now)
		},
		"new key, sealed anew": func(r *rotating) { r.renews(); r.later(31 * time.Second); r.reseals() },
		"setting":              func(r *rotating) { r.rotates() },
		"setting, then key":    func(r *rotating) { r.rotates(); r.renews(); r.later(31 * time.Second); r.reseals() },
	}
	sweep := bottest.NewSweep(t)
	for name, change := range changes {
		for at := sweep.Of(0, int(sweep.Seed%9)); at <= len(road)+1; at += sweep.Of(1, 9) {
			t.Run(fmt.Sprintf("%s before step %d", name, at), func(t *testing.T) {
				r := newRotating(t)
				for i, text := range road {
					if i == at {
						change(r)
					}
					r.says(text)
				}
				link, notMe := r.letter()
				if at == len(road) {
					change(r)
				}
				browser, w := world.NewBrowser(t), r.process()
				if status, page := w.Post(browser, w.URL(link), nil); status != http.StatusOK || !strings.Contains(page, "desbloqueada") {
					t.Fatalf("the link's button: %d %s", status, page)
				}
				if at > len(road) {
					change(r)
				}
				w = r.process()
				if status, page := w.Get(browser, w.URL("/clave")); status != http.StatusOK || !strings.Contains(page, "<form") {
					t.Fatalf("the key page: %d %s", status, page)
				}
				w = r.process()
				if status, page := w.Post(world.NewBrowser(t), w.URL(notMe), nil); status != http.StatusOK {
					t.Fatalf("No fui yo: %d %s", status, page)
				}
				for _, w := range r.all {
					if log := w.Log.String(); strings.Contains(log, `"ERROR"`) || strings.Contains(log, "cannot be opened") {
						t.Errorf("the log: %s", log)
					}
				}
			})
		}
	}
}

// TestStoreReseal_command shows P733: beside a service, and over the store itself, what another key sealed is sealed anew, once.
// Who interrupts it reads how it goes on.
func TestStoreReseal_interrupted(t *testing.T) {
	environ := []string{"LLAVE_DATA_DIR=" + t.TempDir()}
	inStore(t, environ, func(*store.Store) {})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	var errs bytes.Buffer
	code := app.Main(ctx, []string{"store", "reseal", "--new-key"}, app.IO{Environ: environ, Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: &errs})
	if code != 1 || !strings.Contains(errs.String(), "goes on once the key seals") {
		t.Errorf("exit %d: %s", code, errs.String())
	}
}

func TestStoreReseal_command(t *testing.T) {
	eachStore(t, func(t *testing.T, environ []string) {
		inStore(t, environ, func(s *store.Store) { ofAnotherKey(t, s, environ) })
		type sealed struct{ Sealed, Broken, Documents, Looked int }
		resealed := func() (got sealed, stderr string) {
			t.Helper()
			code, stdout, stderr := run(t, environ, "", "store", "reseal", "--json")
			if code != 0 {
				t.Fatalf("exit %d: %s", code, stderr)
			}
			if err := json.Unmarshal([]byte(stdout), &got); err != nil {
				t.Fatal(err)
			}
			return got, stderr
		}
		if got, stderr := resealed(); got.Sealed != 20 || got.Broken != 0 || got.Documents != 20 || got.Looked != 20 || !strings.Contains(stderr, "pass 2: 20 of 20 documents looked at, 20 values sealed anew") {
			t.Errorf("got %+v, %q, want 20 values sealed anew in two passes", got, stderr)
		}
		inStore(t, environ, func(s *store.Store) {
			list, err := s.Events.List(t.Context())
			if err != nil || len(list) != 20 {
				t.Fatal(len(list), err)
			}
			vault := vaultOf(t, s, environ)
			for _, e := range list {
				if key, _ := secret.KeyOf(e.Sealed); key != vault.Current() {
					t.Errorf("%s is sealed with %q, want the key of now", e.ID, key)
				}
				if text, err := vault.Open(secret.DeadEvent.Of(e.ID), e.Sealed); err != nil || text != e.Name {
					t.Errorf("%s says %q, %v", e.ID, text, err)
				}
			}
		})
		before := fmt.Sprint(resealed())
		if after := fmt.Sprint(resealed()); after != before {
			t.Errorf("again: %s after %s, want the same, nothing being done", after, before)
		}
	})
}

func vaultOf(t *testing.T, s *store.Store, environ []string) *secret.Vault {
	t.Helper()
	c, err := config.Load(environ, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	keys := c.SecretKey
	if keys == nil {
		if keys, err = config.EnsureSecretKey(c.DataDir); err != nil {
			t.Fatal(err)
		}
	}
	v, err := s.DataKey(t.Context(), keys)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// ofAnotherKey stores twenty dead events, and has another key seal since an hour ago.
func ofAnotherKey(t *testing.T, s *store.Store, environ []string) {
	t.Helper()
	vault, ctx := vaultOf(t, s, environ), t.Context()
	for i := range 20 {
		id := fmt.Sprint("e", i)
		if err := s.Events.Bury(ctx, store.DeadEvent{ID: id, Name: "key.unlocked", At: time.Now(), Died: time.Now(), Sealed: vault.Seal(secret.DeadEvent.Of(id), "key.unlocked")}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Ring.Renew(ctx); err != nil {
		t.Fatal(err)
	}
	raw, err := s.Engine().Get(ctx, store.Settings, "sealing_keys")
	if err != nil {
		t.Fatal(err)
	}
	var ring bson.M
	if err := bson.Unmarshal(raw, &ring); err != nil {
		t.Fatal(err)
	}
	for i, k := range ring["keys"].(bson.A) {
		k := k.(bson.D)
		for j := range k {
			if k[j].Key == "from" {
				k[j].Value = time.Now().Add(time.Duration(i-2) * time.Hour)
			}
		}
	}
	if raw, err = bson.Marshal(ring); err == nil {
		err = s.Engine().Replace(ctx, store.Settings, "sealing_keys", ring["v"].(int64), raw)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// rotating is two processes over one store, which change their keys.
type rotating struct {
	t       *testing.T
	engine  *movedEngine
	clock   *atomic.Int64
	setting string
	all     []*world.World // that there ever were
	two     [2]*world.World
	now     *world.World // whose turn it was last
	turns   int
}

// movedEngine is an engine whose clock is the test's.
type movedEngine struct {
	recorder
}

func newRotating(t *testing.T) *rotating {
	t.Helper()
	r := &rotating{t: t, clock: &atomic.Int64{}, setting: secretKey(1)}
	start := time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)
	r.engine = &movedEngine{recorder{Engine: storetest.Bolt(t, nil), written: map[string]bool{}, now: func() time.Time { return start.Add(time.Duration(r.clock.Load())) }}}
	if err := store.New(r.engine).Affiliates.Import(t.Context(), []affiliate.Record{{
		ID: theirs, IDType: affiliate.Cedula, Category: affiliate.Affiliate, FullName: "Persona Uno", Email: "uno@correo.example",
		DataUpdatedAt: time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC), Status: affiliate.Locked,
	}}); err != nil {
		t.Fatal(err)
	}
	for i := range r.two {
		r.starts(i)
	}
	r.later(11 * time.Minute)
	return r
}

// starts puts a new process in a place.
func (r *rotating) starts(i int) {
	w := world.NewOver(r.t, world.Telegram, r.engine, "LLAVE_SECRET_KEY="+r.setting)
	r.two[i], r.all = w, append(r.all, w)
	r.now = w
}

// process is the one whose turn it is.
func (r *rotating) process() *world.World {
	r.turns++
	r.now = r.two[r.turns%2]
	return r.now
}

func (r *rotating) says(text string) {
	r.t.Helper()
	w := r.process()
	w.API.NumberFrom(800_000_000 + 1000*r.turns)
	before := len(w.Phone.Messages(world.Chat))
	w.Phone.Say(world.Chat, text)
	w.Settle()
	r.clock.Add(int64(2 * time.Second)) // what may be a piece of a number waits for the rest
	w.Settle()
	heard := w.Phone.Messages(world.Chat)[before:]
	if len(heard) == 0 {
		r.t.Fatalf("after %q nothing was said", text)
	}
	if said := heard[len(heard)-1].Text; strings.Contains(said, "no le entendí") || strings.Contains(said, "algo falló") {
		r.t.Fatalf("after %q: %s", text, said)
	}
}

func (r *rotating) later(d time.Duration) {
	r.t.Helper()
	r.clock.Add(int64(d))
	for _, w := range r.two {
		r.looks(w)
	}
}

func (r *rotating) looks(w *world.World) {
	r.t.Helper()
	if err := w.App.Store.Ring.Look(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rotating) renews() {
	r.t.Helper()
	if _, err := r.two[0].App.Store.Ring.Renew(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rotating) reseals() {
	r.t.Helper()
	if _, err := r.two[1].App.Store.Reseal(r.t.Context(), r.two[1].App.Vault, "reseal", func(store.Resealing) {}); err != nil {
		r.t.Fatal(err)
	}
}

// rotates has first both processes know the new value of the setting, then both wrap with it, then both forget the old one.
func (r *rotating) rotates() {
	r.t.Helper()
	for _, setting := range []string{secretKey(1) + "," + secretKey(2), secretKey(2) + "," + secretKey(1), secretKey(2)} {
		r.setting = setting
		for i := range r.two {
			r.starts(i)
		}
	}
}

// letter is the one that came to the person with a link, by any process: its link, and its "No fui yo", as paths.
func (r *rotating) letter() (link, notMe string) {
	r.t.Helper()
	found := 0
	for _, w := range r.all {
		for _, l := range w.SMTP.LettersTo("uno@correo.example") {
			for _, k := range l.Links {
				u, err := url.Parse(k.URL)
				if err != nil {
					r.t.Fatal(err)
				}
				switch {
				case strings.HasPrefix(u.Path, "/desbloqueo/"):
					link = u.Path
					found++
				case strings.HasPrefix(u.Path, "/no-fui-yo/"):
					notMe = u.Path
				}
			}
		}
	}
	if found != 1 || notMe == "" {
		r.t.Fatalf("%d letters with a link came, want one", found)
	}
	return link, notMe
}
