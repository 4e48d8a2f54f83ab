package chaos

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"llave/bot"
	"llave/bot/whatsapp"
	"llave/internal/bottest"
	"llave/internal/mail/letter"
	"llave/internal/secret"
	"llave/internal/store"
	"llave/internal/store/storetest"
)

const token = "7000000001:AAtesttesttesttesttesttesttesttest01"

var secretKey = base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{42}, 32))

// kind is a sort of store and how many processes serve it.
type kind struct {
	name      string
	processes int
	settings  func(t *testing.T) []string // of a store that nobody else has
}

var (
	onBolt    = kind{"bolt", 1, func(*testing.T) []string { return nil }}
	onMongoDB = kind{"MongoDB", 2, func(t *testing.T) []string {
		uri := storetest.MongoURI(t)
		return []string{"LLAVE_MONGODB_URI=" + uri, "LLAVE_MONGODB_DATABASE=" + storetest.NewDatabase(t, uri)}
	}}
)

// needChaos skips a test that breaks things unless it was asked for.
func needChaos(t *testing.T) {
	t.Helper()
	if *duration <= 0 {
		t.Skip("SKIP: nothing is broken without -chaos.for (make chaos)")
	}
}

// alongside lets a test that mostly waits run beside others of its sort. At its full size it runs alone: its figures are
// kept.
func alongside(t *testing.T) {
	t.Helper()
	needChaos(t)
	if !*full {
		t.Parallel()
	}
}

// onBoth runs a test on each sort of store.
func onBoth(t *testing.T, test func(t *testing.T, k kind)) {
	t.Helper()
	needChaos(t)
	for _, k := range []kind{onBolt, onMongoDB} {
		t.Run(k.name, func(t *testing.T) { test(t, k) })
	}
}

// town is a world to be broken: stubs of Telegram, of WhatsApp where a test wants it, and of a mail server, processes of the built binary behind a front, and
// people who walk the road.
type town struct {
	t       *testing.T
	api     *bottest.BotAPI
	graph   *bottest.Graph // nil unless byWhatsApp
	ways    []way          // how people come, in turn
	smtp    *bottest.SMTP
	fleet   *fleet
	front   *front
	post    *postman
	people  []*person   // everybody who has a record
	lost    []time.Time // when a test had an answer lost
	back    time.Time   // when an API that was down came back
	public  string      // the front
	logPath string      // what all processes have written
	store   *store.Store
	vault   *secret.Vault
}

// newTown builds a town whose processes do not run yet. Everything in it ends with the test. Later settings win.
func newTown(t *testing.T, k kind, settings ...string) *town {
	t.Helper()
	w := &town{t: t, ways: []way{byTelegram}, api: bottest.NewBotAPI(token), post: &postman{boxes: map[string]chan letter.Letter{}}, logPath: filepath.Join(t.TempDir(), "log")}
	if err := w.api.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.api.Close)
	var err error
	if w.smtp, err = bottest.StartSMTP(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.smtp.Close() })
	log, err := os.Create(w.logPath)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	w.fleet = &fleet{t: t, dir: t.TempDir(), log: log}
	t.Cleanup(w.fleet.end)
	w.front = newFront(w.fleet)
	server := httptest.NewServer(w.front)
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	w.public = "http://localhost:" + port
	w.fleet.env = append([]string{
		"LLAVE_PUBLIC_URL=" + w.public, "LLAVE_DATA_DIR=" + t.TempDir(), "LLAVE_SECRET_KEY=" + secretKey,
		"LLAVE_SMTP_URL=" + w.smtp.URL(), "LLAVE_TRUSTED_PROXIES=127.0.0.0/8", "LLAVE_LINK_TTL=9m",
		"LLAVE_TELEGRAM_TOKEN=" + token, "LLAVE_TELEGRAM_API_URL=" + w.api.URL(), "LLAVE_TELEGRAM_MODE=webhook",
		"LLAVE_TELEGRAM_RATE=1000", "LLAVE_LOG_FORMAT=text",
	}, k.settings(t)...)
	w.fleet.env = append(w.fleet.env, settings...)
	for range k.processes {
		w.fleet.place = append(w.fleet.place, &place{addr: freeAddr(t), admin: freeAddr(t)})
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("what the processes complained of:\n%s", complaints(w.logPath))
		}
	})
	return w
}

// byWhatsApp opens the town to WhatsApp: people who are made up from now on come in these ways, in turn. Everything to be
// told to the webhook comes up to six in a body, and reports come out of order. WhatsApp's own limit of a pair is kept,
// the one of the whole number is not.
func (w *town) byWhatsApp(ways ...way) {
	w.t.Helper()
	w.ways = ways
	w.graph = bottest.NewGraph(bottest.GraphOptions{
		Tokens: graphTokens, PhoneNumberID: "106540352242922", AppSecret: "app-secret-of-the-town", VerifyToken: "verify-token-of-the-town", PerSecond: -1,
		Parallel: 4, // what comes meanwhile waits and shares a body
	})
	if err := w.graph.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(w.graph.Close)
	w.graph.Batch(6)
	w.graph.Statuses("delivered", "sent", "read")
	w.fleet.env = append(w.fleet.env,
		"LLAVE_WHATSAPP_TOKEN="+strings.Join(graphTokens, ","), "LLAVE_WHATSAPP_PHONE_NUMBER_ID=106540352242922", "LLAVE_WHATSAPP_APP_SECRET=app-secret-of-the-town",
		"LLAVE_WHATSAPP_VERIFY_TOKEN=verify-token-of-the-town", "LLAVE_WHATSAPP_API_URL="+w.graph.URL(), "LLAVE_WHATSAPP_RATE=1000")
}

// graphTokens are the access tokens of the town's bot.
var graphTokens = []string{"EAAfirst", "EAAsecond"}

// hide keeps the number of every fourth person on WhatsApp from the bot; half of those let it be known on the way.
func (w *town) hide(p *person, nth int) {
	if nth%4 != 3 {
		return
	}
	p.conv = bot.ConversationID(whatsapp.Name, w.graph.HidePhone(p.chat))
	if nth%8 == 7 {
		p.alias = conversation(p.by, p.chat)
		p.before = func(step int) {
			if step == len(road)/2 {
				w.graph.ShowPhone(p.chat)
			}
		}
	}
}

// populate makes up n further people, each with a chat and a record of their own, and imports their records as an
// operator does.
func (w *town) populate(n int) []*person {
	w.t.Helper()
	first := len(w.people)
	var b bytes.Buffer
	b.WriteString("_id,id_type,category,full_name,email,data_updated_at,status\n")
	for i := first; i < first+n; i++ {
		p := &person{index: i, by: w.ways[i%len(w.ways)], chat: 5551000000 + int64(i), number: bottest.Cedula(i), address: fmt.Sprintf("persona%05d@correo.example", i)}
		p.conv = conversation(p.by, p.chat)
		if p.by == byWhatsApp {
			w.hide(p, i/len(w.ways))
		}
		w.people = append(w.people, p)
		fmt.Fprintf(&b, "%s,cedula,affiliate,Persona %05d,%s,2025-03-01,locked\n", p.number, p.index, p.address)
	}
	file := filepath.Join(w.t.TempDir(), "people.csv")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		w.t.Fatal(err)
	}
	llave, err := binary()
	if err != nil {
		w.t.Fatal(err)
	}
	p, err := w.fleet.run(llave, w.fleet.env, "import", file)
	if err != nil {
		w.t.Fatal(err)
	}
	<-p.Done()
	if code := p.ExitCode(); code != 0 {
		w.t.Fatalf("import: exit %d", code)
	}
	return w.people[first:]
}

// start starts every process and waits until updates come in.
func (w *town) start() {
	w.t.Helper()
	for _, p := range w.fleet.place {
		if err := w.fleet.start(p); err != nil {
			w.t.Fatal(err)
		}
	}
	if !w.api.Wait(time.Minute, func() bool { return w.api.WebhookURL() != "" }) {
		w.t.Fatal("no webhook was registered")
	}
	if w.graph == nil {
		return
	}
	if err := w.graph.SetWebhook(w.public + whatsapp.WebhookPath); err != nil {
		w.t.Fatal(err)
	}
}

// phone is the stub that a person holds.
func (w *town) phone(p *person) phone { return w.way(p.by) }

// mainWay is the first of the ways in which people come.
func (w *town) mainWay() phone { return w.way(w.ways[0]) }

func (w *town) way(by way) phone {
	if by == byWhatsApp {
		return w.graph
	}
	return w.api
}

// walk has people walk the road, one beginning every so often as long as begin lives and not more than together at once.
// It returns when the last has come to the end, or given up because waiting ended.
func (w *town) walk(begin, waiting context.Context, people []*person, every time.Duration, together int) {
	var helpers, walkers sync.WaitGroup
	carry, stop := context.WithCancel(waiting)
	helpers.Go(func() { w.post.work(carry, w.smtp) })
	next := make(chan *person)
	for range together {
		walkers.Go(func() {
			for p := range next {
				p.began = time.Now()
				p.failed = p.walk(waiting, w.phone(p), w.post)
			}
		})
	}
	tick := time.NewTicker(max(every, time.Millisecond))
	defer tick.Stop()
	for _, p := range people {
		select {
		case <-tick.C:
		case <-begin.Done():
		}
		if begin.Err() != nil {
			break
		}
		select {
		case next <- p:
		case <-begin.Done():
		}
	}
	close(next)
	walkers.Wait()
	stop()
	helpers.Wait()
}

// settle waits until nothing was sent for a while.
func (w *town) settle(ctx context.Context) {
	last, since := -1, time.Now()
	for ctx.Err() == nil {
		calls, pending := len(w.api.Calls("")), w.api.Pending()
		if w.graph != nil {
			calls, pending = calls+len(w.graph.Calls("")), pending+w.graph.Pending()
		}
		n := calls + len(w.smtp.Letters()) + pending
		if n != last {
			last, since = n, time.Now()
		}
		if time.Since(since) > stillness && pending == 0 {
			return
		}
		time.Sleep(500 * time.Millisecond)
	}
}

// end ends every process as an operator does, so that the store can be read.
func (w *town) end() {
	w.t.Helper()
	w.front.close()
	for _, p := range w.fleet.place {
		if err := w.fleet.terminate(p); err != nil {
			w.t.Error(err)
		}
	}
	w.fleet.end()
}

// begun are those who have set out.
func (w *town) begun() (out []*person) {
	for _, p := range w.people {
		if !p.began.IsZero() {
			out = append(out, p)
		}
	}
	return out
}

// complaints returns the last warnings and errors of a log.
func complaints(path string) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	var lines []string
	for line := range strings.Lines(string(raw)) {
		if !strings.Contains(line, "level=INFO") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[max(0, len(lines)-60):], "")
}
