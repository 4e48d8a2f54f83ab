package app_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"llave/bot"
	"llave/bot/telegram"
	"llave/internal/affiliate"
	"llave/internal/app"
	"llave/internal/bottest"
	"llave/internal/bottest/world"
	"llave/internal/config"
	"llave/internal/mail/letter"
	"llave/internal/store"
	"llave/internal/store/storetest"
)

// mortal is a process's life as its store sees it: it ends at the k-th call, which fails as all later ones do. The k-th
// itself may have been done, as it is when only the answer is lost. Zero is never.
type mortal struct {
	mu    sync.Mutex
	k     int // calls left, while counting
	done  bool
	calls int
	wrote bool          // the last call was a write
	dead  chan struct{} // closed when it dies
}

var errDead = errors.New("the process is dead")

func (m *mortal) call(c storetest.Call, do func() error) error {
	m.mu.Lock()
	select {
	case <-m.dead:
		m.mu.Unlock()
		return errDead
	default:
	}
	dies := false
	if c.Collection == store.Conversations || c.Collection == store.Unlocks || c.Collection == store.Affiliates {
		m.calls++
		if m.k > 0 {
			m.k--
			if dies = m.k == 0; dies {
				m.wrote = c.Write
				close(m.dead)
			}
		}
	}
	m.mu.Unlock()
	if dies && !m.done {
		return errDead
	}
	err := do()
	if dies {
		return errDead
	}
	return err
}

// arm has the k-th call from now be the last.
func (m *mortal) arm(k int, done bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.k, m.done, m.calls = k, done, 0
}

// crash is one run of the road over a store that dies once.
type crash struct {
	t     *testing.T
	api   *bottest.BotAPI
	smtp  *bottest.SMTP
	clock *storetest.Clock
	chat  int64
	mail  string
}

const crashNumber = "1790000002"

// process is an App over a store, driven through its runner.
func (c *crash) process(e store.Engine) *app.App {
	c.t.Helper()
	settings, err := config.Load([]string{
		"LLAVE_HTTP_ADDR=127.0.0.1:0", "LLAVE_ADMIN_ADDR=127.0.0.1:0", "LLAVE_SMTP_URL=" + c.smtp.URL(),
		"LLAVE_SECRET_KEY=" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32)), "LLAVE_TELEGRAM_MODE=webhook",
		"LLAVE_TELEGRAM_TOKEN=" + world.Token, "LLAVE_TELEGRAM_API_URL=" + c.api.URL(), "LLAVE_TELEGRAM_RATE=1000",
	}, c.t.TempDir(), config.NeedMail)
	if err != nil {
		c.t.Fatal(err)
	}
	a, err := app.New(c.t.Context(), app.Options{
		Config: settings, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), LocalURL: true, NoSweep: true, Now: c.clock.Now, Engine: e,
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return a
}

func (c *crash) end(a *app.App) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := errors.Join(a.Runner.Stop(ctx), a.Stop(ctx)); err != nil {
		c.t.Errorf("stop: %v", err)
	}
}

func (c *crash) update(text string) bot.Update {
	c.clock.Advance(3 * time.Second)
	id := c.api.Say(c.chat, text)
	return bot.Update{
		ID: fmt.Sprint(1000 + id), Channel: telegram.Name, Chat: fmt.Sprint(c.chat), Kind: bot.Text, Text: text, MessageID: fmt.Sprint(id),
	}
}

// quiet waits until nothing is under way, or the process is dead.
func (c *crash) quiet(a *app.App, dead <-chan struct{}) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 20*time.Second)
	defer cancel()
	idle := make(chan error, 1)
	go func() { idle <- a.Runner.Idle(ctx) }()
	select {
	case err := <-idle:
		if err != nil {
			c.t.Fatalf("idle: %v", err)
		}
	case <-dead:
		cancel()
		<-idle
	}
}

// settle is what a healthy process does by itself in a few seconds.
func (c *crash) settle(a *app.App) {
	c.t.Helper()
	for range 4 {
		c.quiet(a, nil)
		if err := a.Runner.Sweep(c.t.Context()); err != nil {
			c.t.Fatalf("sweep: %v", err)
		}
		c.quiet(a, nil)
		c.clock.Advance(time.Second)
	}
}

func (c *crash) letters(subject string) (out []letter.Letter) {
	for _, l := range c.smtp.LettersTo(c.mail) {
		if l.Subject == subject {
			out = append(out, l)
		}
	}
	return out
}

const linkSubject = "SOLICITUD DESBLOQUEO DE CLAVE"

// token is what a letter's link carries; its host is the process's own, whose port differs.
func token(l letter.Letter) string { return path.Base(l.Link("DESBLOQUEO DE CLAVE IESS")) }

// ending is what must be the same with a crash and without.
type ending struct {
	state, record string
	asks, turns   int
	owed          int
	said          []string // without immediate repeats
	letters       []string // subjects, each Message-ID once
}

// walk goes the road with a process that dies at call k after "Enviar enlace", and another that takes over. It says how
// it ended, how many calls the first process made, and whether the last of them was a write.
func (c *crash) walk(k int, done bool) (ending, int, bool) {
	t := c.t
	t.Helper()
	engine := storetest.Bolt(t, c.clock.Now)
	m := &mortal{dead: make(chan struct{})}
	first := c.process(storetest.Around(engine, m.call))
	err := first.Store.Affiliates.Import(t.Context(), []affiliate.Record{{
		ID: crashNumber, IDType: affiliate.Cedula, Category: affiliate.Affiliate, FullName: "Persona de Prueba", Email: c.mail,
		DataUpdatedAt: c.clock.Now().AddDate(-1, 0, 0), Status: affiliate.Locked,
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"hola", "1", "1", crashNumber, "1"} {
		if err := first.Runner.Handle(t.Context(), c.update(text)); err != nil {
			t.Fatal(err)
		}
		c.quiet(first, nil)
	}
	press := c.update("1")
	m.arm(k, done)
	acknowledged := first.Runner.Handle(t.Context(), press) == nil
	c.quiet(first, m.dead)
	redeemed := false
	redeem := func(a *app.App) error {
		_, err := a.Unlock.Redeem(t.Context(), token(c.letters(linkSubject)[0]), "nonce")
		return err
	}
	if len(c.letters(linkSubject)) > 0 {
		redeemed = redeem(first) == nil
		c.quiet(first, m.dead)
	}
	c.end(first)
	calls, wrote := m.calls, m.wrote

	second := c.process(engine)
	defer c.end(second)
	c.clock.Advance(6 * time.Second) // a dead keeper is believed alive for five
	if !acknowledged {               // Telegram gives it again; and once more, since it may
		for range 2 {
			if err := second.Runner.Handle(t.Context(), press); err != nil {
				t.Fatalf("given again: %v", err)
			}
		}
	}
	c.settle(second)
	if !redeemed {
		if len(c.letters(linkSubject)) == 0 {
			t.Fatal("no letter with the link")
		}
		if err := redeem(second); err != nil {
			t.Fatalf("the button, pressed again: %v", err)
		}
	}
	c.settle(second)
	return c.ending(second), calls, wrote
}

func (c *crash) ending(a *app.App) ending {
	t := c.t
	t.Helper()
	conv, err := a.Store.Conversations.Load(t.Context(), bot.ConversationID(telegram.Name, fmt.Sprint(c.chat)))
	if err != nil {
		t.Fatal(err)
	}
	record, err := a.Store.Unlocks.Load(t.Context(), affiliate.Hash(a.Vault, crashNumber))
	if err != nil {
		t.Fatal(err)
	}
	person, _, err := a.Store.Affiliates.Find(t.Context(), crashNumber)
	if err != nil {
		t.Fatal(err)
	}
	e := ending{state: string(conv.State), record: string(person.Status), asks: len(record.Asks), turns: int(conv.Turns), owed: len(conv.Promises) + len(record.Promises)}
	repeated := 0 // by a crash between "accepted" and our record of it: of each lane, what was under way
	for _, said := range c.api.Messages(c.chat) {
		if n := len(e.said); n > 0 && e.said[n-1] == said.Text {
			repeated++
			continue
		}
		e.said = append(e.said, said.Text)
	}
	seen := map[string]letter.Letter{}
	for _, l := range c.smtp.LettersTo(c.mail) {
		before, again := seen[l.MessageID]
		if !again {
			e.letters = append(e.letters, l.Subject)
		} else if repeated++; token(before) != token(l) {
			t.Errorf("the letter that was repeated has another link")
		}
		seen[l.MessageID] = l
	}
	if repeated > 2 {
		t.Errorf("got %d repeats of a message or letter, want one in each of two lanes at most", repeated)
	}
	return e
}

// A process dies at any of its calls to the store between "Enviar enlace" and the chat that says the key is unlocked,
// before the call was done or after: another takes over, and all ends as if nothing had happened. What was repeated was
// repeated identically.
func TestCrash_atEveryCall(t *testing.T) {
	api := newAPI(t)
	smtp, err := bottest.StartSMTP()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = smtp.Close() })
	run := func(t *testing.T, k int, done bool) (ending, int, bool) {
		chat := int64(5551240000 + 2*k)
		if done {
			chat++
		}
		c := &crash{
			t: t, api: api, smtp: smtp, chat: chat, mail: fmt.Sprintf("persona%d@correo.example", chat),
			clock: storetest.NewClock(time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)),
		}
		return c.walk(k, done)
	}
	want, calls, _ := run(t, 0, false)
	if want.record != string(affiliate.Active) || want.asks != 1 || want.owed != 0 || len(want.letters) != 2 ||
		!strings.Contains(want.said[len(want.said)-1], "ya está desbloqueada") {
		t.Fatalf("without a crash: got %+v", want)
	}
	slices.Sort(want.letters)
	t.Logf("the process makes %d calls", calls)
	check := func(k int, done bool) (wrote bool) {
		t.Run(fmt.Sprintf("%d/done=%t", k, done), func(t *testing.T) {
			var got ending
			got, _, wrote = run(t, k, done)
			slices.Sort(got.letters) // two lanes
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
		return wrote
	}
	for k := 1; k <= calls; k++ {
		if check(k, false) {
			check(k, true)
		}
	}
}
