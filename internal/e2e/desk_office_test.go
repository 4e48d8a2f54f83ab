package e2e

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"llave/bot"
	"llave/internal/affiliate"
	"llave/internal/agent"
	"llave/internal/app"
	"llave/internal/bottest"
	"llave/internal/config"
	"llave/internal/handoff"
)

// office is the help desk with all that stands around it: the whole program in this process, Telegram with people who write,
// the browsers of those who answer, and a clock that tests move on. What is due is done when a test says so.
type office struct {
	t      testing.TB
	app    *app.App
	api    *bottest.BotAPI
	smtp   *bottest.SMTP
	push   *bottest.Push
	base   string // the public address
	people int    // who have written

	start time.Time
	begun time.Time // zero: the clock stands still between moves
	moved atomic.Int64

	mu   sync.Mutex
	here map[string]handoff.Actor // whose console is open
}

// monday is when an office begins: a Monday, at ten in the morning at the desk.
var monday = time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)

// deskPassword is everybody's at the desk.
const deskPassword = "sopa verde con nube y tambor"

// newOffice opens an office whose clock runs.
func newOffice(t testing.TB, settings ...string) *office {
	t.Helper()
	return openOffice(t, &office{start: monday, begun: time.Now()}, settings...)
}

func openOffice(t testing.TB, o *office, settings ...string) *office {
	t.Helper()
	findBrowser(t)
	o.t, o.here, o.api = t, map[string]handoff.Actor{}, bottest.NewBotAPI(token)
	if err := o.api.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.api.Close)
	o.push = bottest.NewPush()
	t.Cleanup(o.push.Close)
	var err error
	if o.smtp, err = bottest.StartSMTP(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.smtp.Close() }) // nobody reads from it any more
	log := &bottest.Buffer{}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("llave wrote:\n%s", log)
		}
	})
	c, err := config.Load(append([]string{
		"LLAVE_HTTP_ADDR=127.0.0.1:0", "LLAVE_ADMIN_ADDR=127.0.0.1:0", "LLAVE_DATA_DIR=" + t.TempDir(), "LLAVE_SECRET_KEY=" + secretKey,
		"LLAVE_SMTP_URL=" + o.smtp.URL(), "LLAVE_TELEGRAM_TOKEN=" + token, "LLAVE_TELEGRAM_API_URL=" + o.api.URL(), "LLAVE_TELEGRAM_MODE=webhook",
		"LLAVE_TELEGRAM_WEBHOOK_SECRET=" + hookSecret, "LLAVE_LIMIT_MESSAGES_MINUTE=1000",
	}, settings...), t.TempDir(), config.NeedMail)
	if err != nil {
		t.Fatal(err)
	}
	o.app, err = app.New(t.Context(), app.Options{Config: c, Log: slog.New(slog.NewTextHandler(log, nil)), LocalURL: true, NoSweep: true, Now: o.now, PushClient: o.push})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := o.app.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	if err := o.app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !o.api.Wait(answerWithin, func() bool { return o.api.WebhookURL() != "" }) {
		t.Fatal("llave has registered no webhook")
	}
	o.base = strings.TrimSuffix(o.api.WebhookURL(), "/webhooks/telegram")
	return o
}

func (o *office) now() time.Time {
	at := o.start.Add(time.Duration(o.moved.Load()))
	if !o.begun.IsZero() {
		at = at.Add(time.Since(o.begun))
	}
	return at
}

// later moves the clock on. Consoles that are open have said meanwhile that they are, and what is due is done.
func (o *office) later(d time.Duration) {
	o.t.Helper()
	o.moved.Add(int64(d))
	o.mu.Lock()
	defer o.mu.Unlock()
	ctx, cancel := context.WithTimeout(o.t.Context(), answerWithin)
	defer cancel()
	for _, who := range o.here {
		if err := o.app.Desk.Beat(ctx, who, false); err != nil {
			o.t.Fatalf("beat: %v", err)
		}
	}
	for what, do := range map[string]func(context.Context) error{"sweep": o.app.Runner.Sweep, "tend": o.app.Desk.Tend} {
		if err := do(ctx); err != nil {
			o.t.Fatalf("%s: %v", what, err)
		}
	}
}

// person is somebody new who holds a phone.
func (o *office) person() *phone {
	o.people++
	return &phone{t: o.t, api: o.api, chat: int64(5551240000 + o.people)}
}

// caseIn is the number of a case that was told, as it is stored.
func caseIn(told string) string {
	ref, _ := bot.ParseRef(caseNumber.FindString(told))
	return ref
}

var caseNumber = regexp.MustCompile(`\bC[0-9A-Z]{8}\b|\bC[0-9A-Z]{2}\x{a0}[0-9A-Z]{3}\x{a0}[0-9A-Z]{3}\b`)

// asks has a person ask for somebody of the desk, and returns the number of their case.
func (p *phone) asks() string {
	p.t.Helper()
	p.says("hola", "Hola. Soy Llave")
	ref := caseIn(p.says("persona", "Su caso es"))
	if ref == "" {
		p.t.Fatal("no case number was told")
	}
	return ref
}

// hire makes an account.
func (o *office) hire(login, name string, role agent.Role) agent.Agent {
	o.t.Helper()
	account, err := o.app.Agents.Add(o.t.Context(), agent.CommandLine, agent.Newcomer{Login: login, Name: name, Role: role}, deskPassword)
	if err != nil {
		o.t.Fatal(err)
	}
	return account
}

// clerk is somebody of the desk at their console.
type clerk struct {
	*visitor
	base  string // of the process that serves the console to them
	login string
}

// sits opens a browser in which somebody of the desk has signed in; their account is made, with that role, if there is none.
func (o *office) sits(login string, role agent.Role) *clerk {
	o.t.Helper()
	account, err := o.app.Agents.Find(o.t.Context(), login)
	if err != nil {
		account = o.hire(login, strings.ToUpper(login[:1])+login[1:], role)
	}
	c := &clerk{newVisitor(o.t), o.base, login}
	c.watch()
	o.mu.Lock()
	o.here[login] = handoff.Actor{Login: login, Name: account.Name, Supervisor: account.Role == agent.Supervisor}
	o.mu.Unlock()
	c.open(o.base + "/agentes")
	c.signIn(login, deskPassword)
	return c
}

// signIn fills in the page that asks who is there.
func (v *visitor) signIn(login, password string) string {
	v.t.Helper()
	return v.read("sign in", chromedp.Steps(
		chromedp.SendKeys(chromedp.CSS("#usuario"), login), chromedp.SendKeys(chromedp.CSS("#contrasena"), password),
		leaving(chromedp.Click(chromedp.CSS("main form button"))),
	))
}

// vanishes closes an agent's browser without a word.
func (o *office) vanishes(c *clerk) {
	o.t.Helper()
	o.mu.Lock()
	delete(o.here, c.login)
	o.mu.Unlock()
	if err := chromedp.Cancel(c.ctx); err != nil {
		o.t.Fatalf("close the browser: %v", err)
	}
}

// at opens a page of the console.
func (c *clerk) at(path string) string {
	c.t.Helper()
	text := c.open(c.base + path)
	c.listening()
	return text
}

// listening waits until the page's stream is there: what comes from then on appears by itself.
func (c *clerk) listening() {
	c.t.Helper()
	c.until("the stream is open", `typeof source === "object" && source !== null && source.readyState === EventSource.OPEN`)
}

// takes opens a case and takes it.
func (c *clerk) takes(ref string) {
	c.t.Helper()
	c.at("/agentes/casos/" + ref)
	do(c.visitor, "take the case", click("#tomar"))
	c.until("the case is taken", `document.querySelector("#texto") !== null`)
}

// writes writes to the person whose case is open.
func (c *clerk) writes(text string) {
	c.t.Helper()
	do(c.visitor, "write", chromedp.Steps(
		chromedp.SetValue(chromedp.CSS("#texto"), text), click("#decir .line-of button"),
	))
}

// acts opens one of the folded forms of the open case, fills in its choice, and sends it.
func (c *clerk) acts(form, choice string) {
	c.t.Helper()
	do(c.visitor, "open the form", click("#d-"+form+" summary"))
	c.fills(form, choice)
}

// fills fills in the choice of a form of the open case and sends it.
func (c *clerk) fills(form, choice string) {
	c.t.Helper()
	do(c.visitor, "fill in "+form, chromedp.Steps(
		chromedp.SetValue(chromedp.CSS("#d-"+form+" select"), choice), click("#d-"+form+" form > button"),
	))
}

// shows waits until the page's words hold a text.
func (v *visitor) shows(text string) {
	v.t.Helper()
	v.until(fmt.Sprintf("the page says %q", text), fmt.Sprintf(`document.querySelector("main").innerText.includes(%q)`, text))
}

// until waits until a script of the page is true, however often the page is left meanwhile.
func (v *visitor) until(what, script string) time.Duration {
	v.t.Helper()
	begun := time.Now()
	ctx, cancel := context.WithTimeout(v.ctx, pageWithin)
	defer cancel()
	for {
		if yes, err := chromedp.Run(ctx, chromedp.Evaluate[bool](script)); err == nil && yes {
			return time.Since(begun)
		}
		select {
		case <-ctx.Done():
			text, _ := chromedp.Run(v.ctx, chromedp.Evaluate[string](`document.title + "\n" + location.pathname + "\n" + document.body.innerText`))
			v.t.Fatalf("waited in vain until %s; the page is:\n%s", what, text)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// pressing presses keys as a keyboard does: what a page does at a key's way down keeps its letter from being typed.
func pressing(keys string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, page *chromedp.Target) error {
		for _, r := range keys {
			events := kb.Encode(r)
			if len(events) == 3 { // down, the letter, up
				events[0].Text, events[0].UnmodifiedText = events[1].Text, events[1].UnmodifiedText
				events = append(events[:1], events[2])
			}
			for _, e := range events {
				if _, err := cdp.Call(ctx, page, input.DispatchKeyEvent, *e); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// watch has the test fail for whatever the pages complain of to their console: faults of scripts, and what the policy forbade.
// A store or a server that is away, and an answer that is no 200, are told there too and no fault.
func (v *visitor) watch() {
	v.t.Helper()
	t, messages := v.t, chromedp.Console(v.ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for m, err := range messages {
			if err != nil {
				return
			}
			if (m.Type == chromedp.ConsoleError || m.Type == chromedp.ConsoleException) && m.Source != "network" {
				t.Errorf("the page complains: %s (%s)", m, m.URL)
			}
		}
	}()
	v.t.Cleanup(func() {
		_ = chromedp.Cancel(v.ctx) // its window may be closed already
		<-done
	})
}

// record puts a record into the store.
func (o *office) record(number, mail string, status affiliate.Status) {
	o.t.Helper()
	if err := o.app.Store.Affiliates.Import(o.t.Context(), []affiliate.Record{{
		ID: number, IDType: affiliate.Cedula, Category: affiliate.Affiliate, FullName: "PERSONA DE PRUEBA",
		Email: mail, DataUpdatedAt: time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC), Status: status,
	}}); err != nil {
		o.t.Fatal(err)
	}
}
