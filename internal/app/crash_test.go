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
	"regexp"
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
	"llave/internal/report"
	"llave/internal/store"
	"llave/internal/store/storetest"
	"llave/internal/unheard"
)

// mortal is a process's life as its store sees it: it ends at the k-th call, which fails as all later ones do. The k-th
// itself may have been done, as it is when only the answer is lost. Zero is never.
type mortal struct {
	mu    sync.Mutex
	k     int // calls left, while counting
	done  bool
	lives bool // that call alone fails
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
	if slices.Contains([]string{store.Conversations, store.Book, store.Unlocks, store.Affiliates, store.Unheard, store.Counted}, c.Collection) {
		m.calls++
		if m.k > 0 {
			m.k--
			if dies = m.k == 0; dies {
				m.wrote = c.Write
				if !m.lives {
					close(m.dead)
				}
			}
		}
	}
	m.mu.Unlock()
	fails := errDead
	if m.lives {
		fails = store.ErrUnavailable
	}
	if dies && !m.done {
		return fails
	}
	err := do()
	if dies {
		return fails
	}
	return err
}

// arm has the k-th call from now be the last.
func (m *mortal) arm(k int, done bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.k, m.done, m.calls = k, done, 0
}

// clocked is an engine whose time is the test's.
type clocked struct {
	store.Engine
	clock *storetest.Clock
}

func (e clocked) Now(context.Context) (time.Time, error) { return e.clock.Now(), nil }

// crash is one conversation over a store whose process dies once.
type crash struct {
	t      *testing.T
	api    *bottest.BotAPI
	smtp   *bottest.SMTP
	clock  *storetest.Clock
	engine store.Engine
	chat   int64
	number string
	mail   string

	process *app.App        // the one that lives
	died    bool            // the first has
	lives   bool            // the first fails at one call, and goes on
	m       *mortal         // the first one's life
	dead    <-chan struct{} // of the one that lives; nil: it does not die
}

// start starts an App over a store, driven through its runner.
func (c *crash) start(e store.Engine) {
	c.t.Helper()
	settings, err := config.Load([]string{
		"LLAVE_HTTP_ADDR=127.0.0.1:0", "LLAVE_ADMIN_ADDR=127.0.0.1:0", "LLAVE_SMTP_URL=" + c.smtp.URL(),
		"LLAVE_SECRET_KEY=" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32)), "LLAVE_TELEGRAM_MODE=webhook",
		"LLAVE_TELEGRAM_TOKEN=" + world.Token, "LLAVE_TELEGRAM_API_URL=" + c.api.URL(), "LLAVE_TELEGRAM_RATE=1000",
	}, c.t.TempDir(), config.NeedMail)
	if err != nil {
		c.t.Fatal(err)
	}
	c.process, err = app.New(c.t.Context(), app.Options{
		Config: settings, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), LocalURL: true, NoSweep: true, Now: c.clock.Now, Engine: e,
	})
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *crash) end() {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := errors.Join(c.process.Runner.Stop(ctx), c.process.Stop(ctx)); err != nil {
		c.t.Errorf("stop: %v", err)
	}
}

// takeOver has another process go on when the first one has died.
func (c *crash) takeOver() {
	c.t.Helper()
	select {
	case <-c.m.dead:
	default:
		return
	}
	if c.died {
		return
	}
	c.end()
	c.start(c.engine)
	c.died, c.dead = true, nil
	c.clock.Advance(6 * time.Second) // a dead keeper is believed alive for five
}

// quiet waits until nothing is under way, or the process is dead.
func (c *crash) quiet() {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 20*time.Second)
	defer cancel()
	idle := make(chan error, 1)
	go func() { idle <- c.process.Runner.Idle(ctx) }()
	select {
	case err := <-idle:
		if err != nil {
			c.t.Fatalf("idle: %v", err)
		}
	case <-c.dead:
		cancel()
		<-idle
	}
}

// settle is what a healthy process does by itself in a few seconds, and another when it dies meanwhile.
func (c *crash) settle() {
	c.t.Helper()
	step := time.Second
	if c.lives {
		step *= 2 // what was written though the store said no is believed to be under way for five
	}
	for range 4 {
		c.quiet()
		if err := c.process.Runner.Sweep(c.t.Context()); err != nil && c.died {
			c.t.Fatalf("sweep: %v", err)
		}
		c.quiet()
		c.takeOver()
		c.clock.Advance(step)
	}
}

// does does something of the person's until the process that lives has taken it: a platform delivers again, a person
// presses again. Once it has been taken it is done again, since it may be.
func (c *crash) does(what string, do func(a *app.App) error) {
	c.t.Helper()
	c.clock.Advance(3 * time.Second)
	times := 1
	for n := 0; n < times; n++ {
		err := do(c.process)
		c.quiet()
		if err != nil {
			if c.died {
				c.t.Fatalf("%s: %v", what, err)
			}
			times = n + 3
		}
		c.takeOver()
	}
	c.settle()
}

func (c *crash) writes(text string) {
	c.t.Helper()
	id := c.api.Say(c.chat, text)
	u := bot.Update{
		ID: fmt.Sprint(1000 + id), Channel: telegram.Name, Chat: fmt.Sprint(c.chat), Kind: bot.Text, Text: text, MessageID: fmt.Sprint(id),
	}
	c.does(text, func(a *app.App) error { return a.Handle(c.t.Context(), u) })
}

// murmurs is what nobody understands, in words that nobody else says.
func (c *crash) murmurs() string {
	return "zqx " + strings.Map(func(digit rune) rune { return rune("bcdfghjkmp"[digit-'0']) }, fmt.Sprint(c.chat))
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
	key           bool
	asks, turns   int
	owed          int
	counted       string   // for the report (P801)
	unheard       int64    // times that what was not understood was kept
	said          []string // without immediate repeats
	letters       []string // subjects, each Message-ID once
}

// walk goes the whole road with a process that dies at call k, and another that takes over. It says how it ended, how many
// calls the first process made, and whether the last of them was a write.
func (c *crash) walk(k int, done bool) (ending, int, bool) {
	t := c.t
	t.Helper()
	c.m = &mortal{dead: make(chan struct{}), lives: c.lives}
	c.dead = c.m.dead
	c.start(storetest.Around(c.engine, c.m.call))
	err := c.process.Store.Affiliates.Import(t.Context(), []affiliate.Record{{
		ID: c.number, IDType: affiliate.Cedula, Category: affiliate.Affiliate, FullName: "Persona de Prueba", Email: c.mail,
		DataUpdatedAt: c.clock.Now().AddDate(-1, 0, 0), Status: affiliate.Locked,
	}})
	if err != nil {
		t.Fatal(err)
	}
	before := c.counted()
	c.m.arm(k, done)
	for _, text := range []string{
		"hola no puedo entrar me bloquearon la clave", "1", "mi numero es " + c.number, "1", // begun with a wish, which is kept
		"y esto cuesta algo", "mi hermano me dijo que cancele", "otra cosa", c.murmurs(), // answered by the way, asked about, not understood
		"1",
	} {
		c.writes(text)
	}
	if len(c.letters(linkSubject)) == 0 {
		t.Fatal("no letter with the link")
	}
	var pass string
	c.does("the button", func(a *app.App) error {
		r, err := a.Unlock.Redeem(t.Context(), token(c.letters(linkSubject)[0]), "nonce")
		pass = r.KeyPass
		return err
	})
	c.does("the key", func(a *app.App) error {
		problems, err := a.Unlock.MakeKey(t.Context(), pass, "cuatro caballos pintan la luna")
		if err == nil && len(problems) > 0 {
			t.Fatalf("the key has problems: %v", problems)
		}
		return err
	})
	c.writes("1") // yes, it opens
	c.writes("5")
	c.end()
	calls, wrote := c.m.calls, c.m.wrote
	c.start(c.engine)
	defer c.end()
	e := c.ending()
	was, is := before, c.counted()
	e.counted = fmt.Sprintf("%d visits, %d attended, %d completed, %d letters", is.Visits-was.Visits, is.Attentions-was.Attentions, is.Completed-was.Completed, is.Letters-was.Letters)
	return e, calls, wrote
}

// counted is what the report has, of everybody who has walked over this store.
func (c *crash) counted() report.Sum {
	c.t.Helper()
	month := report.MonthOf(c.clock.Now(), time.UTC)
	span, err := report.Book{Shelf: c.process.Store.Counts, Zone: time.UTC}.Read(c.t.Context(), month, month)
	if err != nil {
		c.t.Fatal(err)
	}
	return span.Total()
}

// owing is how many promises are owed, but for keyboards to take off: of a process that dies they are left for a minute, and then dropped.
func owing(all []bot.Promise) (n int) {
	for _, p := range all {
		if p.Lane() != bot.LaneEdit {
			n++
		}
	}
	return n
}

func (c *crash) ending() ending {
	t, a := c.t, c.process
	t.Helper()
	conv, err := a.Store.Conversations.Load(t.Context(), a.Store.Book.Conv(bot.ConversationID(telegram.Name, fmt.Sprint(c.chat))))
	if err != nil {
		t.Fatal(err)
	}
	record, err := a.Store.Unlocks.Load(t.Context(), affiliate.Hash(a.Vault, c.number))
	if err != nil {
		t.Fatal(err)
	}
	person, _, err := a.Store.Affiliates.Find(t.Context(), c.number)
	if err != nil {
		t.Fatal(err)
	}
	e := ending{
		state: string(conv.State), record: string(person.Status), key: record.Key != "", asks: len(record.Asks), turns: int(conv.Turns),
		owed: owing(conv.Promises) + owing(record.Promises),
	}
	err = a.Store.Unheard.Each(t.Context(), func(r unheard.Row) bool {
		if r.Said == c.murmurs() {
			e.unheard += r.Times
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
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
		} else if repeated++; token(before) != token(l) || lasts(before) != lasts(l) {
			t.Errorf("the letter that was repeated has another link, or tells another life of it")
		}
		seen[l.MessageID] = l
	}
	if repeated > 2 || repeated > 0 && c.lives {
		t.Errorf("got %d repeats of a message or letter, want one in each of two lanes at most, and none by a process that lives", repeated)
	}
	slices.Sort(e.letters) // two lanes
	return e
}

// lasts is the line of a letter that tells how long its link lives.
func lasts(l letter.Letter) string {
	for line := range strings.Lines(l.Text) {
		if strings.Contains(line, "minuto") {
			return line
		}
	}
	return ""
}

// A process dies at any of its calls to the store in the whole conversation, from "hola" to the rating, before the call was
// done or after: another takes over, and all ends as if nothing had happened. What was repeated was repeated identically (P401).
func TestCrash_atEveryCall(t *testing.T) { failsAtEveryCall(t, false) }

// The store fails at any of these calls, once, and the process lives: all ends as if nothing had happened, and nothing is said or
// mailed twice.
func TestHiccup_atEveryCall(t *testing.T) { failsAtEveryCall(t, true) }

// failsAtEveryCall walks the road once for each call. A small sweep tries one in sixteen.
func failsAtEveryCall(t *testing.T, lives bool) {
	sweep := bottest.NewSweep(t)
	storetest.Engines(t, func(t *testing.T, e store.Engine) {
		api := newAPI(t)
		smtp, err := bottest.StartSMTP()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = smtp.Close() })
		n := 0
		run := func(t *testing.T, k int, done bool) (ending, int, bool) {
			n++
			clock := storetest.NewClock(time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC))
			c := &crash{
				t: t, api: api, smtp: smtp, clock: clock, engine: clocked{e, clock}, chat: int64(5551240000 + n), number: bottest.Cedula(n),
				mail: fmt.Sprintf("persona%d@correo.example", n), lives: lives,
			}
			got, calls, wrote := c.walk(k, done)
			for i, said := range got.said { // what differs from one person to the next
				got.said[i] = digits.ReplaceAllString(said, "#")
			}
			return got, calls, wrote
		}
		want, calls, _ := run(t, 0, false)
		if want.record != string(affiliate.Active) || !want.key || want.state != "Done" || want.asks != 1 || want.owed != 0 || want.unheard != 1 || want.counted != "1 visits, 1 attended, 1 completed, 1 letters" || len(want.letters) != 3 {
			t.Fatalf("without a crash: got %+v", want)
		}
		t.Logf("the process makes %d calls", calls)
		check := func(k int, done bool) (wrote bool) {
			t.Run(fmt.Sprintf("%d/done=%t", k, done), func(t *testing.T) {
				var got ending
				got, _, wrote = run(t, k, done)
				if !reflect.DeepEqual(got, want) {
					t.Errorf("got  %+v\nwant %+v", got, want)
				}
			})
			return wrote
		}
		for k := 1; k <= calls; k++ {
			if !sweep.Takes(k, 16) {
				continue
			}
			if check(k, false) {
				check(k, true)
			}
		}
	})
}

var digits = regexp.MustCompile(`\bC[A-Z0-9]{8}\b|[0-9]+`)
