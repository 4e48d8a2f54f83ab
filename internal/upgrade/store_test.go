package upgrade

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.uber.org/goleak"

	"llave/internal/app"
	"llave/internal/bottest"
	"llave/internal/config"
	"llave/internal/handoff"
	"llave/internal/store"
	"llave/internal/store/bolt"
	"llave/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// left is a store as an earlier version left it: a copy, opened by this one, and what stands around it now.
type left struct {
	about
	docs   []document // what lay there
	engine store.Engine
	clock  *storetest.Clock // the store's; it begins when the store was left
	api    *bottest.BotAPI
	graph  *bottest.Graph
	smtp   *bottest.SMTP
	token  int  // how long those of its links are; 0: as 06ecc36 made them
	shared bool // the store is one that processes share; else it belongs to one

	app *app.App // the process that runs now
}

// ticking is an engine whose time is the test's.
type ticking struct {
	store.Engine
	clock *storetest.Clock
}

func (e ticking) Now(context.Context) (time.Time, error) { return e.clock.Now(), nil }

// stores runs a test on a copy of every store there is.
func stores(t *testing.T, test func(t *testing.T, l *left)) {
	t.Helper()
	dirs, err := filepath.Glob("testdata/*/*/dump.jsonl.gz")
	must(t, err)
	if len(dirs) < 2 {
		t.Fatalf("%d stores under testdata, want one for each engine at least", len(dirs))
	}
	for _, dump := range dirs {
		dir := filepath.Dir(dump)
		t.Run(filepath.Base(filepath.Dir(dir))+"/"+filepath.Base(dir), func(t *testing.T) { test(t, open(t, dir)) })
	}
}

// open opens a copy of a store.
func open(t *testing.T, dir string) *left {
	t.Helper()
	l := &left{docs: readDump(t, filepath.Join(dir, "dump.jsonl.gz"))}
	text, err := os.ReadFile(filepath.Join(dir, "about.json"))
	must(t, err)
	must(t, json.Unmarshal(text, &l.about))
	l.clock = storetest.NewClock(l.Left)
	if filepath.Base(dir) == "bolt" {
		data := t.TempDir()
		must(t, os.WriteFile(filepath.Join(data, bolt.FileName), unzip(t, filepath.Join(dir, bolt.FileName+".gz")), 0o600))
		e, err := bolt.Open(t.Context(), bolt.Options{Dir: data, Now: l.clock.Now, NoSync: true})
		must(t, err)
		t.Cleanup(func() { _ = e.Close() })
		l.engine = ticking{e, l.clock}
	} else {
		l.shared = true
		uri := storetest.MongoURI(t)
		database := storetest.NewDatabase(t, uri)
		all := map[string][]bson.Raw{}
		for _, d := range l.docs {
			all[d.collection] = append(all[d.collection], d.doc)
		}
		storetest.Restore(t, uri, database, all)
		l.engine = ticking{storetest.MongoDatabase(t, uri, database), l.clock}
	}
	l.outside(t)
	return l
}

// outside starts what stands around: the same chats, in which nothing is seen of what was said before.
func (l *left) outside(t *testing.T) {
	t.Helper()
	l.api = bottest.NewBotAPI(token)
	must(t, l.api.Start())
	t.Cleanup(l.api.Close)
	l.graph = bottest.NewGraph(bottest.GraphOptions{
		Tokens: []string{graphToken}, PhoneNumberID: phoneNumberID, AppSecret: "app-secret-of-the-test", VerifyToken: "verify-token-of-the-test",
		Now: l.clock.Now, PerSecond: -1, PairEvery: -1,
	})
	must(t, l.graph.Start())
	t.Cleanup(l.graph.Close)
	var err error
	l.smtp, err = bottest.StartSMTP()
	must(t, err)
	t.Cleanup(func() { _ = l.smtp.Close() })
	for _, p := range l.People {
		switch {
		case p.On == onTelegram:
			l.api.Resume(l.NextUpdate, p.Chat)
		case p.Hidden:
			l.graph.HidePhone(p.Chat)
			fallthrough
		default:
			l.graph.Resume(p.Chat)
		}
	}
}

// start starts a process over an engine. sweeping leaves sweeping and periodic work to it; else the test does that.
func (l *left) start(t *testing.T, e store.Engine, sweeping bool) error {
	t.Helper()
	env := append(settings(l.api, l.graph, l.smtp), "LLAVE_HTTP_ADDR=127.0.0.1:0", "LLAVE_ADMIN_ADDR=127.0.0.1:0")
	if l.shared {
		env = append(env, "LLAVE_MONGODB_URI=mongodb://127.0.0.1:1/") // nobody asks there: the engine is given
	}
	c, err := config.Load(env, t.TempDir(), config.NeedMail)
	must(t, err)
	l.app, err = app.New(t.Context(), app.Options{
		Config: c, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), LocalURL: true, Now: l.clock.Now, Engine: e, NoSweep: !sweeping,
	})
	if err != nil {
		return err
	}
	must(t, l.app.Start(t.Context()))
	return nil
}

// listen has people reach the process that runs.
func (l *left) listen(t *testing.T) {
	t.Helper()
	if !l.api.Wait(20*time.Second, func() bool { return l.api.WebhookURL() != "" }) {
		t.Fatal("no webhook was registered")
	}
	must(t, l.graph.SetWebhook(l.url("/webhooks/whatsapp")))
}

func (l *left) url(path string) string {
	_, port, _ := strings.Cut(l.app.Addr(), ":")
	return "http://localhost:" + port + path
}

func (l *left) stop(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	must(t, l.app.Stop(ctx))
}

// actor is the agent, at the console.
func (l *left) actor() handoff.Actor {
	return handoff.Actor{Login: l.Agent, Name: "Abril", Supervisor: true}
}

// sweep has what is due done, with the agent's console there.
func (l *left) sweep(t *testing.T) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := l.app.Desk.Beat(ctx, l.actor(), false); err != nil {
		return err
	}
	if err := l.app.Carry(ctx); err != nil {
		return err
	}
	if err := l.app.Runner.Sweep(ctx); err != nil {
		return err
	}
	return l.app.Runner.Idle(ctx)
}

// reads is what the store is read by: through the process, once there is one that can open what is sealed.
func (l *left) reads() store.Engine {
	if l.app != nil && l.app.Vault != nil {
		s := store.New(l.engine)
		s.Seal(l.app.Vault)
		return s.Engine()
	}
	return l.engine
}

// conv is what a conversation of the store is called now.
func (l *left) conv(id string) string { return l.app.Store.Book.Conv(id) }

// owes are the promises that nobody has kept yet, but for those that wait until the person writes.
func (l *left) owes(t *testing.T) (open []owed) {
	t.Helper()
	for _, p := range owedBy(dumped(t, l.reads(), conversations, store.Conversations, store.Unlocks)) {
		if !p.Waits {
			open = append(open, p)
		}
	}
	return open
}

func unzip(t *testing.T, path string) []byte {
	t.Helper()
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	must(t, err)
	data, err := io.ReadAll(z)
	must(t, err)
	return data
}

func readDump(t *testing.T, path string) (docs []document) {
	t.Helper()
	for line := range bytes.Lines(unzip(t, path)) {
		collection, text, _ := bytes.Cut(line, []byte(" "))
		var doc bson.Raw
		must(t, bson.UnmarshalExtJSON(text, true, &doc))
		docs = append(docs, document{string(collection), doc})
	}
	return docs
}

// conversation is the id of a person's conversation.
func (l *left) conversation(p person) string {
	name := fmt.Sprint(p.Chat)
	if p.Hidden {
		name = l.graph.UserID(p.Chat)
	}
	return p.On + ":" + name
}
