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

// onBoth runs a test on each sort of store.
func onBoth(t *testing.T, test func(t *testing.T, k kind)) {
	t.Helper()
	needChaos(t)
	for _, k := range []kind{onBolt, onMongoDB} {
		t.Run(k.name, func(t *testing.T) { test(t, k) })
	}
}

// town is a world to be broken: stubs of Telegram and of a mail server, processes of the built binary behind a front, and
// people who walk the road.
type town struct {
	t       *testing.T
	api     *bottest.BotAPI
	smtp    *bottest.SMTP
	fleet   *fleet
	front   *front
	post    *postman
	people  []*person   // everybody who has a record
	lost    []time.Time // when a test had an answer lost
	logPath string      // what all processes have written
	store   *store.Store
	vault   *secret.Vault
}

// newTown builds a town whose processes do not run yet. Everything in it ends with the test. Later settings win.
func newTown(t *testing.T, k kind, settings ...string) *town {
	t.Helper()
	w := &town{t: t, api: bottest.NewBotAPI(token), post: &postman{boxes: map[string]chan letter.Letter{}}, logPath: filepath.Join(t.TempDir(), "log")}
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
	w.fleet.env = append([]string{
		"LLAVE_PUBLIC_URL=http://localhost:" + port, "LLAVE_DATA_DIR=" + t.TempDir(), "LLAVE_SECRET_KEY=" + secretKey,
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

// populate makes up n further people, each with a chat and a record of their own, and imports their records as an
// operator does.
func (w *town) populate(n int) []*person {
	w.t.Helper()
	first := len(w.people)
	var b bytes.Buffer
	b.WriteString("_id,id_type,category,full_name,email,data_updated_at,status\n")
	for i := first; i < first+n; i++ {
		p := &person{index: i, chat: 5551000000 + int64(i), number: bottest.Cedula(i), address: fmt.Sprintf("persona%05d@correo.example", i)}
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
				p.failed = p.walk(waiting, w.api, w.post)
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
		n := len(w.api.Calls("")) + len(w.smtp.Letters()) + w.api.Pending()
		if n != last {
			last, since = n, time.Now()
		}
		if time.Since(since) > stillness && w.api.Pending() == 0 {
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
