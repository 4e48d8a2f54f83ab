// Package chaos proves "nothing lost, nothing twice" by breaking things: processes of the built binary are killed or
// ended while people walk the whole road, from "hola" to the chat that says the key is unlocked, with a fifth of all
// updates delivered to every process at once.
//
// When all is quiet four ledgers must agree: the updates that were answered 200 (front), the chat messages and letters
// that the stubs have seen, and the store. Every invariant is printed with its figure. Slowness is no violation: a
// person who waits is waited for, minutes long.
//
//	go test ./internal/chaos -v -chaos.for=2m
//
// runs every engine, kills for three quarters of the time and SIGTERM for the rest. Without the flag nothing is broken,
// and the test says so. The MongoDB part needs TEST_MONGODB_URI.
package chaos

import (
	"bytes"
	"context"
	"encoding/base64"
	"flag"
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
	"llave/internal/store/storetest"
)

var (
	duration = flag.Duration("chaos.for", 0, "how long processes are broken, for each engine; 0 breaks nothing")
	together = flag.Int("chaos.people", 100, "conversations at once")
	most     = flag.Int("chaos.most", 20000, "conversations in all, at most, for each phase")
)

const (
	token     = "7000000001:AAtesttesttesttesttesttesttesttest01"
	patience  = 4 * time.Minute // how long people wait after the last process was broken
	stillness = 8 * time.Second // longer than a dead keeper is believed alive
)

var secretKey = base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{42}, 32))

func TestMain(m *testing.M) {
	code := m.Run()
	if *duration > 0 {
		if llave, err := binary(); err == nil {
			_ = os.RemoveAll(filepath.Dir(llave)) // a folder for what is temporary
		}
	}
	os.Exit(code)
}

func TestChaos(t *testing.T) {
	if *duration <= 0 {
		t.Skip("SKIP: nothing is broken without -chaos.for (make chaos)")
	}
	engines := []struct {
		name      string
		processes int
		settings  func(t *testing.T) []string
	}{
		{"bolt", 1, func(*testing.T) []string { return nil }},
		{"MongoDB", 2, func(t *testing.T) []string {
			uri := storetest.MongoURI(t)
			return []string{"LLAVE_MONGODB_URI=" + uri, "LLAVE_MONGODB_DATABASE=" + storetest.NewDatabase(t, uri)}
		}},
	}
	for _, e := range engines {
		t.Run(e.name+"/kill", func(t *testing.T) { run(t, e.processes, false, *duration*3/4, e.settings(t)) })
		t.Run(e.name+"/term", func(t *testing.T) { run(t, e.processes, true, *duration/4, e.settings(t)) })
	}
}

// run is one phase: a world, people in it, and what breaks it.
func run(t *testing.T, processes int, gently bool, lasts time.Duration, settings []string) {
	api := bottest.NewBotAPI(token)
	if err := api.Start(); err != nil {
		t.Fatal(err)
	}
	defer api.Close()
	smtp, err := bottest.StartSMTP()
	if err != nil {
		t.Fatal(err)
	}
	defer smtp.Close()

	logPath := filepath.Join(t.TempDir(), "log")
	log, err := os.Create(logPath)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	fleet := &fleet{t: t, dir: t.TempDir(), log: log}
	defer fleet.end()
	front := newFront(fleet)
	server := httptest.NewServer(front)
	defer server.Close()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	fleet.env = append([]string{
		"LLAVE_PUBLIC_URL=http://localhost:" + port, "LLAVE_DATA_DIR=" + t.TempDir(), "LLAVE_SECRET_KEY=" + secretKey,
		"LLAVE_SMTP_URL=" + smtp.URL(), "LLAVE_LINK_TTL=9m", "LLAVE_TRUSTED_PROXIES=127.0.0.0/8",
		"LLAVE_TELEGRAM_TOKEN=" + token, "LLAVE_TELEGRAM_API_URL=" + api.URL(), "LLAVE_TELEGRAM_MODE=webhook",
		"LLAVE_TELEGRAM_RATE=1000", "LLAVE_LOG_FORMAT=text",
	}, settings...)
	people := makePeople(min(*most, int(lasts.Seconds())*40+*together)) // more than can walk the road
	load(t, fleet, people)
	for range processes {
		p := &place{addr: freeAddr(t), admin: freeAddr(t)}
		fleet.place = append(fleet.place, p)
		if err := fleet.start(p); err != nil {
			t.Fatal(err)
		}
	}
	if !api.Wait(time.Minute, func() bool { return api.WebhookURL() != "" }) {
		t.Fatal("no webhook was registered")
	}

	began := time.Now()
	breaking, stop := context.WithTimeout(t.Context(), lasts)
	defer stop()
	waiting, giveUp := context.WithTimeout(t.Context(), lasts+patience)
	defer giveUp()
	post := &postman{boxes: map[string]chan letter.Letter{}}
	var helpers, walkers sync.WaitGroup
	helpers.Go(func() { post.work(waiting, smtp) })
	next := make(chan *person)
	for range *together {
		walkers.Go(func() {
			for p := range next {
				p.began = time.Now()
				p.failed = p.walk(waiting, api, post)
			}
		})
	}
	walkers.Go(func() {
		defer close(next)
		for _, p := range people {
			select {
			case next <- p:
			case <-breaking.Done():
				return
			}
		}
	})
	broken := fleet.torment(breaking, gently)
	if broken != nil {
		t.Errorf("a process could not go on: %v", broken)
		giveUp()
	}
	walkers.Wait()
	front.close()
	if broken == nil {
		beStill(waiting, api, smtp)
	}
	giveUp()
	helpers.Wait()
	took := time.Since(began)
	if broken == nil {
		for _, p := range fleet.place {
			if err := fleet.terminate(p); err != nil {
				t.Error(err)
			}
		}
	}
	fleet.end()

	l := &ledgers{people: walked(people), api: api, smtp: smtp, front: front, fleet: fleet, gently: gently}
	l.reconcile(t, took)
	if t.Failed() {
		t.Logf("what the processes complained of:\n%s", complaints(logPath))
	}
}

// makePeople makes up n people, each with a chat and a record of their own.
func makePeople(n int) []*person {
	people := make([]*person, n)
	for i := range people {
		people[i] = &person{index: i, chat: 5551000000 + int64(i), number: bottest.Cedula(i), address: fmt.Sprintf("persona%05d@correo.example", i)}
	}
	return people
}

// load imports everybody's record, as an operator does.
func load(t *testing.T, f *fleet, people []*person) {
	t.Helper()
	var b bytes.Buffer
	b.WriteString("_id,id_type,category,full_name,email,data_updated_at,status\n")
	for _, p := range people {
		fmt.Fprintf(&b, "%s,cedula,affiliate,Persona %05d,%s,2025-03-01,locked\n", p.number, p.index, p.address)
	}
	file := filepath.Join(t.TempDir(), "people.csv")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	llave, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	p, err := f.run(llave, f.env, "import", file)
	if err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	if code := p.ExitCode(); code != 0 {
		t.Fatalf("import: exit %d", code)
	}
}

func walked(people []*person) []*person {
	for i, p := range people {
		if p.began.IsZero() {
			return people[:i]
		}
	}
	return people
}

// beStill waits until nothing was sent for a while.
func beStill(ctx context.Context, api *bottest.BotAPI, smtp *bottest.SMTP) {
	last, since := -1, time.Now()
	for ctx.Err() == nil {
		n := len(api.Calls("")) + len(smtp.Letters()) + api.Pending()
		if n != last {
			last, since = n, time.Now()
		}
		if time.Since(since) > stillness && api.Pending() == 0 {
			return
		}
		time.Sleep(500 * time.Millisecond)
	}
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
