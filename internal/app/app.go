// Package app puts the parts together: it is the only package that knows all of them.
//
// New opens the store and builds the parts, Start listens and begins to work, Stop takes down in reverse. Each step
// registers its own clean-up once it has succeeded, so a failure half-way cleans up after itself.
package app

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"llave/bot"
	"llave/bot/telegram"
	"llave/bot/terminal"
	"llave/bot/webchat"
	"llave/bot/whatsapp"
	"llave/bot/wire"
	"llave/flows"
	"llave/flows/meaning"
	"llave/internal/affiliate"
	"llave/internal/agent"
	"llave/internal/alert"
	"llave/internal/bounce"
	"llave/internal/config"
	"llave/internal/doctor"
	"llave/internal/events"
	"llave/internal/handoff"
	"llave/internal/jobs"
	"llave/internal/key"
	"llave/internal/mail"
	"llave/internal/mail/catcher"
	"llave/internal/metrics"
	"llave/internal/runner"
	"llave/internal/secret"
	"llave/internal/store"
	"llave/internal/store/bolt"
	"llave/internal/store/mongodb"
	"llave/internal/trace"
	"llave/internal/unlock"
	"llave/internal/web"
	"llave/internal/web/console/alerts"
	"llave/internal/web/console/talk"
	"llave/internal/web/demo"
	"llave/internal/web/public"
)

// Options are what an App is built from. Config and Log are required.
type Options struct {
	Config config.Config
	Log    *slog.Logger
	// Demo serves the page of `llave demo` at "/" and catches letters instead of sending them.
	Demo bool
	// DemoWord is told each word that opens the desk of a demo which other machines reach; each does once.
	DemoWord func(word string)
	// Terminal is the channel of `llave chat`; nil: off.
	Terminal *terminal.Options
	// Now is the embedded store's clock; nil is time.Now. For tests.
	Now func() time.Time
	// Engine is the store instead of the one that the settings name; the caller closes it. For tests.
	Engine store.Engine
	// LocalURL makes the public listener's own address, on loopback, the base of every link.
	LocalURL bool
	// NoSweep leaves sweeping and cron to the caller. For tests.
	NoSweep bool
	// PushClient asks push services instead of one that reaches public addresses alone. For tests.
	PushClient alert.Doer
	// Hangup tells that Reload is to be called with what Again reads, and Level set to its level; nil: nothing does.
	Hangup <-chan os.Signal
	Again  func() (config.Config, error)
	Level  *slog.LevelVar
}

// App is one process. Its exported parts are there for commands and tests.
type App struct {
	Store   *store.Store
	Vault   *secret.Vault
	Unlock  *unlock.Service
	Runner  *runner.Runner
	Desk    *handoff.Desk
	Agents  *agent.Service
	Alerts  *alert.Service
	Metrics *metrics.Metrics
	Mailbox *catcher.Catcher // demo and chat
	Chat    *terminal.Channel

	options  Options
	name     string
	mailer   *mail.Sender
	letters  *mail.Composer
	telegram *telegram.Channel
	whatsapp *whatsapp.Channel
	web      *webchat.Channel
	talk     *talk.Room

	alertsRoom *alerts.Room
	channels   []channel      // all that are bound
	events     *events.Sender // nil: nobody is told

	reports      *bounce.Listener // nil: no delivery reports are taken
	security     security
	auditEnd     store.AuditEnd // where the audit ended when that was said in the log last
	bodies       *wire.Bodies   // room for what strangers send, of all ways in
	limits       chan limitMet  // for the audit
	demoPassword string         // of the agent in a demo
	demoWord     word           // opens its desk where other machines reach it
	jobs         *jobs.Table
	trace        *trace.Tracer // nil: traces are off
	engine       *bot.Engine   // the first: see fresh
	publicURL    *url.URL
	fresh        atomic.Pointer[fresh]
	storeHealth  *storeHealth

	handler       http.Handler // of the public listener
	public, admin net.Listener
	alone         bool                      // nobody else can have the store open
	raw           store.Engine              // as it is, which the socket lends
	erasures      store.ErasureLog          // nil: a demo's, or a command's that erases nobody
	older         atomic.Pointer[time.Time] // until when an earlier version may still write beside this one; nil: never
	stopping      atomic.Bool
	undo          []step
	background    sync.WaitGroup
	failed        chan error
}

type step struct {
	name string
	stop func(ctx context.Context) error
}

func (a *App) onStop(name string, stop func(ctx context.Context) error) {
	a.undo = append(a.undo, step{name, stop})
}

// holdStore opens the store the settings name. An embedded one belongs to this process from then on. [now] is its clock, nil for the
// real one.
func holdStore(ctx context.Context, c config.Config, now func() time.Time) (*store.Store, error) {
	if c.Embedded() {
		e, err := bolt.Open(ctx, bolt.Options{Dir: c.DataDir, Now: now})
		if err != nil {
			return nil, fmt.Errorf("open the embedded store (LLAVE_DATA_DIR): %w%s", err, advice(err))
		}
		return store.New(e), nil
	}
	e, err := mongodb.Open(ctx, mongodb.Options{URI: c.MongoDBURI.Reveal(), Database: c.MongoDBDatabase, AppName: "llave"})
	if err != nil {
		return nil, fmt.Errorf("open the store (LLAVE_MONGODB_URI): %w; %s", err, serverAdvice(err))
	}
	return store.New(e), nil
}

// advice says what to do about an embedded store that cannot be opened. It is never to begin another one unasked.
func advice(err error) string {
	switch {
	case errors.Is(err, store.ErrLocked):
		return "; stop that process, or name another folder"
	case errors.Is(err, store.ErrNewer):
		return "; start the version that wrote it or a later one, or name another folder"
	case errors.Is(err, store.ErrDamaged):
		return "" // it depends on the damage, and the store has said it
	}
	if errors.Is(err, fs.ErrPermission) {
		return "; let the user that runs Llave read and write the folder and the files in it (chown), or name another"
	}
	return "; name a folder that can be written and has room"
}

// serverAdvice says what to do about a MongoDB that cannot be used. One that answers is there, and says why it does not serve.
func serverAdvice(err error) string {
	switch why := store.Cause(err); {
	case errors.Is(err, store.ErrNewer):
		return "start the version that wrote it or a later one, or name another database"
	case errors.Is(err, store.ErrUnfinished):
		return "drop the database and restore again (llave restore), or name another"
	case errors.Is(err, store.ErrUnavailable) || why == "":
		return "check that the server runs and that the address is right"
	default:
		return why
	}
}

// openVault returns the secret keys, and the vault over the data key that they open. An embedded store's secret key is made only where
// the store has no data key yet: a new one beside an old store would open nothing, and hide that the old one is missing.
func openVault(ctx context.Context, c config.Config, s *store.Store) (k secret.Keys, v *secret.Vault, err error) {
	if k = c.SecretKey; k == nil {
		k, err = config.FindSecretKey(c.DataDir)
	}
	if errors.Is(err, fs.ErrNotExist) {
		set, serr := s.HasDataKey(ctx)
		switch {
		case serr != nil:
			return nil, nil, serr
		case set:
			return nil, nil, fmt.Errorf("the store is there, and its secret key (%s) is not: %s", config.SecretKeyPath(c.DataDir), doctor.PutKeyBack)
		}
		k, err = config.EnsureSecretKey(c.DataDir)
	}
	if err != nil {
		return nil, nil, err
	}
	v, err = s.DataKey(ctx, k)
	switch {
	case errors.Is(err, store.ErrSecretKey) && c.SecretKey == nil:
		return nil, nil, fmt.Errorf("the secret key (%s) does not open this store, which was set up with another one: %s", config.SecretKeyPath(c.DataDir), doctor.PutKeyBack)
	case err != nil:
		return nil, nil, fmt.Errorf("read the data key (LLAVE_SECRET_KEY): %w", err)
	}
	return k, v, nil
}

// New opens the listeners and the store and builds the parts. It starts nothing that works by itself. The function is
// long and straight on purpose: wiring is read from top to bottom.
func New(ctx context.Context, o Options) (a *App, err error) {
	c := o.Config
	a = &App{options: o, name: processName(), Metrics: newMetrics(), limits: make(chan limitMet, 64), failed: make(chan error, 4), storeHealth: newStoreHealth(o.Log)}
	defer func() {
		if err != nil {
			_ = a.Stop(context.WithoutCancel(ctx)) // the first error is the one to tell
		}
	}()
	if a.public, err = listen("LLAVE_HTTP_ADDR", c.HTTPAddr); err != nil {
		return a, err
	}
	a.onStop("public listener", func(context.Context) error { return closed(a.public.Close()) })
	if c.AdminAddr != "" {
		if a.admin, err = listen("LLAVE_ADMIN_ADDR", c.AdminAddr); err != nil {
			return a, err
		}
		a.onStop("admin listener", func(context.Context) error { return closed(a.admin.Close()) })
	}
	if err := a.openReports(); err != nil {
		return a, err
	}
	publicURL := c.PublicURL
	if o.LocalURL || o.Demo || o.Terminal != nil {
		publicURL = &url.URL{Scheme: "http", Host: localhost(a.public.Addr())}
	}

	if o.Engine != nil {
		a.raw = o.Engine
		a.Store = store.New(a.watchEngine(o.Engine))
	} else {
		if a.Store, err = holdStore(ctx, c, o.Now); err != nil {
			return a, err
		}
		a.onStop("store", func(context.Context) error { return a.Store.Engine().Close() })
		if a.alone = c.Embedded(); a.alone {
			a.lendStore()
		}
		a.raw = a.Store.Engine()
		a.Store = store.New(a.watchEngine(a.raw))
	}
	k, vault, err := openVault(ctx, c, a.Store)
	if err != nil {
		return a, err
	}
	a.Vault = vault
	a.Store.Seal(a.Vault)
	o.Log = slog.New(spare{hideChats(o.Log, a.Vault).Handler(), a.storeHealth})
	a.options.Log = o.Log
	if err := a.takeOver(ctx); err != nil {
		return a, err
	}
	if err := a.openTrace(ctx); err != nil {
		return a, err
	}

	if err := a.openEvents(c); err != nil {
		return a, err
	}
	if err := a.openMail(o, publicURL); err != nil {
		return a, err
	}

	var keys key.Rules
	if c.BreachedFile != "" {
		if keys.Stolen, err = key.OpenStolen(c.BreachedFile, o.Log); err != nil {
			return a, fmt.Errorf("LLAVE_BREACHED_FILE: %w", err)
		}
		o.Log.Info("stolen keys are refused", "file", c.BreachedFile)
	}

	a.Unlock = unlock.New(unlock.Options{
		Documents: a.Store.Unlocks, Affiliates: a.Store.Affiliates, Vault: a.Vault, Now: a.Store.Now,
		Limits: unlock.Limits{
			Burst: c.Limits.MailsWindow, Window: config.MailWindow, Day: c.Limits.MailsDay, PerDay: 24 * time.Hour, LinkTTL: c.LinkTTL,
		},
		Hold: c.NotMeHold, Uniform: c.Disclosure == config.Uniform, Announce: c.EventsURL != nil, Keys: keys, Trace: a.trace,
		Watch: a.watchLink, Conv: a.Store.Book.Conv,
		Kick: func(record string) { a.Runner.Kick(record) },
	})
	a.Desk = a.newDesk()
	a.Alerts = a.newAlerts(strings.TrimSuffix(publicURL.String(), "/"))
	a.Agents = newAgents(c, a.Store, a.Vault, a.alertDesk)
	a.Agents.Audit = a.seesAgents(a.Agents.Audit)
	a.options.Log.Info("what sentences mean is read by", "model", cmp.Or(c.ModelFile, "built in"))
	a.publicURL = publicURL
	fresh, err := a.refresh(c)
	if err != nil {
		return a, err
	}
	a.fresh.Store(fresh)
	a.engine = fresh.engine
	a.Runner, err = runner.New(runner.Options{
		Name: a.name, Conversations: a.Store.Conversations, Unlocks: a.Store.Unlocks, Processes: a.Store.Processes, Alone: a.alone, Engine: a.engine, Reserve: a.Unlock.Reserve,
		Now: a.Store.Now, Open: func(conv, s string) (string, error) { return flows.OpenReply(a.Vault, conv, s) },
		Address: a.address, Keepers: a.keepers(publicURL), Watch: watched{a.Metrics, a.sees, a.limits}, Log: o.Log, Trace: a.trace,
	})
	if err != nil {
		return a, err
	}

	a.bodies = wire.NewBodies()
	kit, err := web.New(web.Options{
		PublicURL: publicURL, TrustedProxies: c.TrustedProxies, Bodies: a.bodies, Log: o.Log, Framed: o.Demo, Lang: public.Lang, Count: a.watchRequest,
		Untrusted: a.forwardedBy(),
		Chats:     func(r *http.Request) []web.Chat { return public.Back(r, a.chats()) },
	})
	if err != nil {
		return a, err
	}
	mux := http.NewServeMux()
	kit.Routes(mux)
	site, err := public.New(public.Options{
		Kit: kit, Links: a.Unlock, LinkTTL: c.LinkTTL, GenerateURL: text(c.GenerateURL), Address: c.PrivacyAddress, Officer: c.PrivacyOfficer, NoHome: o.Demo, Offices: func() affiliate.Offices { return a.fresh.Load().offices }, Log: o.Log,
		Retention: public.Retention{Idle: c.Retention.Idle, Seen: c.Retention.Seen, Transcript: c.Retention.Transcript, Audit: c.Retention.Audit, Complaint: c.Retention.Complaint, Unheard: c.Retention.Unheard},
		Chats:     a.chats, Limit: a.wrongLink, Count: a.watchPage,
	})
	if err != nil {
		return a, err
	}
	site.Routes(mux)

	if err := a.newConsole(kit, mux); err != nil {
		return a, err
	}

	if err := a.bindChannels(kit, mux, publicURL); err != nil {
		return a, err
	}
	if a.jobs, err = a.newJobs(); err != nil {
		return a, err
	}

	a.watchNow()
	a.handler = kit.Probed(k, kit.Wrap(mux))
	return a, nil
}

// bindChannels builds the ways in, and gives the runner those to send by: the demo's page, the terminal, or whichever of
// Telegram and WhatsApp the settings name.
func (a *App) bindChannels(kit *web.Kit, mux *http.ServeMux, publicURL *url.URL) (err error) {
	c, o := a.options.Config, a.options
	if c.TelegramToken != "" && !o.Demo && o.Terminal == nil {
		if a.telegram, err = a.newTelegram(publicURL); err != nil {
			return err
		}
		if err := a.bind(telegram.Name, a.telegram, a.telegram.Run); err != nil {
			return err
		}
		mux.Handle(telegram.WebhookPath, a.telegram.Handler())
	}
	if c.WhatsApp.On() && !o.Demo && o.Terminal == nil {
		if a.whatsapp, err = a.newWhatsApp(); err != nil {
			return err
		}
		if err := a.bind(whatsapp.Name, a.whatsapp, a.whatsapp.Run); err != nil {
			return err
		}
		mux.Handle(whatsapp.WebhookPath, a.whatsapp.Handler())
	}
	if o.Demo {
		a.web = webchat.New(webchat.Options{Handle: a.Handle, PersonTyping: a.personTyping, Images: flows.Image, Log: o.Log})
		if err := a.bind(webchat.Name, a.web, nil); err != nil {
			return err
		}
		a.web.Routes(mux)
		page, err := demo.New(demo.Options{Kit: kit, Chat: a.web, Letters: a.demoLetters, People: people(), Zone: c.Timezone, Log: o.Log})
		if err != nil {
			return err
		}
		page.Routes(mux)
	}
	if o.Terminal != nil {
		t := *o.Terminal
		t.Handle, t.Letters = a.Handle, a.chatLetters
		a.Chat = terminal.New(t)
		if err := a.bind(terminal.Name, a.Chat, nil); err != nil { // the command runs it, and ends with it
			return err
		}
	}
	return nil
}

// windows are how long after a person's last word a channel lets us write, where that is not for ever.
var windows = map[string]time.Duration{whatsapp.Name: whatsapp.Window}

// chats are the chats that pages lead back to, as far as the platforms have said what we are called there.
func (a *App) chats() (list []web.Chat) {
	if a.telegram != nil {
		list = append(list, web.Chat{Channel: telegram.Name, URL: a.telegram.ChatURL()})
	}
	if a.whatsapp != nil {
		list = append(list, web.Chat{Channel: whatsapp.Name, URL: a.whatsapp.ChatURL()})
	}
	return slices.DeleteFunc(list, func(c web.Chat) bool { return c.URL == "" })
}

// erasing is what becomes, in each channel there is, of a message that held a number once it was read.
var erasing = map[string]flows.Erasing{
	telegram.Name: flows.Deleted,
	whatsapp.Name: flows.Remains,
	webchat.Name:  flows.StaysHere,
	terminal.Name: flows.StaysHere,
}

// sharesSpot are the channels in which people can share a place.
var sharesSpot = map[string]bool{telegram.Name: true, whatsapp.Name: true}

type channel struct {
	name    string
	channel runner.Channel
	run     func(ctx context.Context) error // nil: it does nothing by itself
}

// bind has a channel's chats answered through [ch], and Start has it run until the process stops; [run] is nil for one that
// does nothing by itself. What [run] returns before then the process cannot go on without. A name that nothing is promised of in
// erasing is refused: people would be told that nothing remains of what they wrote.
func (a *App) bind(name string, ch runner.Channel, run func(ctx context.Context) error) error {
	if _, known := erasing[name]; !known {
		return fmt.Errorf("channel %q: what becomes of a message in it is not said (erasing)", name)
	}
	a.Runner.Bind(name, ch)
	a.channels = append(a.channels, channel{name, ch, run})
	return nil
}

// FlowOptions are what the conversation stands on besides the settings.
type FlowOptions struct {
	Records   flows.Records
	Vault     *secret.Vault
	Offices   affiliate.Offices // may be nil: none are known
	PublicURL *url.URL          // the base of links
	Desk      flows.Desk        // may be nil: see flows.Options
	Mail      flows.MailService // may be nil: see flows.Options
}

// NewFlow builds the conversation's engine from the settings.
func NewFlow(c config.Config, o FlowOptions) (*bot.Engine, error) {
	options, err := flowOptions(c, o)
	if err != nil {
		return nil, err
	}
	return flows.New(options)
}

// flowOptions are what the settings say of the conversation.
func flowOptions(c config.Config, o FlowOptions) (flows.Options, error) {
	model := meaning.Default()
	if c.ModelFile != "" {
		var err error
		if model, err = flows.LoadModel(c.ModelFile); err != nil {
			return flows.Options{}, fmt.Errorf("LLAVE_MODEL_FILE: %w", err)
		}
	}
	return flows.Options{
		Records: o.Records, Vault: o.Vault, Offices: o.Offices, ForeignCode: c.ForeignCodePattern, Uniform: c.Disclosure == config.Uniform,
		PublicURL: strings.TrimSuffix(o.PublicURL.String(), "/"), LinkTTL: c.LinkTTL, Idle: c.Retention.Idle, Seen: c.Retention.Seen,
		Mail: o.Mail, Desk: o.Desk, Silence: c.AgentSilence, Unheard: c.Retention.Unheard, Transcript: c.Retention.Transcript, Complaint: c.Retention.Complaint,
		Limits: flows.Limits{
			NumbersHour: c.Limits.NumbersHour, NumbersDay: c.Limits.NumbersDay, MessagesMinute: c.Limits.MessagesMinute,
			ComplaintsHour: c.Limits.ComplaintsHour, ComplaintsDay: c.Limits.ComplaintsDay,
		},
		Erasing:    func(channel string) flows.Erasing { return erasing[channel] },
		Window:     func(channel string) time.Duration { return windows[channel] },
		Zone:       c.Timezone,
		SharesSpot: func(channel string) bool { return sharesSpot[channel] },
		Announce:   c.EventsURL != nil,
		Model:      model, AbroadText: c.AbroadText, PortalText: c.PortalText,
	}, nil
}

// openEvents makes what tells the institution's programs, where they are told.
func (a *App) openEvents(c config.Config) (err error) {
	if c.EventsURL == nil {
		return nil
	}
	if a.events, err = events.New(c.EventsURL.String(), c.EventsSecret.Reveal()); err != nil {
		return fmt.Errorf("LLAVE_EVENTS_SECRET: %w", err)
	}
	a.onStop("events", func(context.Context) error { a.events.Close(); return nil })
	return nil
}

func (a *App) openMail(o Options, publicURL *url.URL) error {
	address := o.Config.SMTPURL.Reveal()
	if o.Demo || o.Terminal != nil {
		c, err := catcher.Start("127.0.0.1:0")
		if err != nil {
			return fmt.Errorf("start the mail catcher: %w", err)
		}
		a.Mailbox = c
		a.onStop("mail catcher", func(context.Context) error { return c.Close() })
		address = c.URL()
	}
	server, err := mail.ParseURL(address)
	if err != nil {
		return fmt.Errorf("LLAVE_SMTP_URL: %w", err)
	}
	if a.mailer, err = mail.New(mail.Options{Server: server, From: o.Config.MailFrom, Log: o.Log, RefusedRow: o.Config.MailRefusedRow}); err != nil {
		return fmt.Errorf("LLAVE_MAIL_FROM: %w", err)
	}
	a.letters, err = mail.NewComposer(mail.ComposerOptions{
		PublicURL: publicURL.String(), GenerateURL: text(o.Config.GenerateURL), Zone: o.Config.Timezone,
	})
	if err != nil {
		return err
	}
	a.onStop("mailer", func(context.Context) error { return a.mailer.Close() })
	return nil
}

func (a *App) newTelegram(publicURL *url.URL) (*telegram.Channel, error) {
	c := a.options.Config
	hook := c.TelegramWebhookSecret.Reveal()
	if hook == "" {
		hook = a.Vault.Derive("telegram-webhook", "secret")
	}
	t, err := telegram.New(telegram.Options{
		Token: c.TelegramToken, APIURL: c.TelegramAPIURL, Mode: telegram.Mode(c.TelegramMode),
		PublicURL: strings.TrimSuffix(publicURL.String(), "/"), Secret: telegram.Secret(hook), Rate: float64(c.TelegramRate),
		Introduce: a.introduction(), Images: flows.Image, Shown: a.Store.Images,
		Handle: a.Handle, Lease: pollLease{a}, Count: a.watchChannel(telegram.Name), Log: a.options.Log,
		Now: a.options.Now,
	})
	if err != nil {
		return nil, fmt.Errorf("set up Telegram: %w", err)
	}
	a.onStop("telegram", func(context.Context) error { t.Close(); return nil })
	return t, nil
}

// pollLease waits until this process is the one that polls.
type pollLease struct{ a *App }

const (
	pollTTL  = 6 * time.Second  // how long a dead poller keeps the others waiting
	pollAsk  = 2 * time.Second  // how often they ask
	aliveTTL = 15 * time.Second // how long a dead process is counted
)

func (l pollLease) Hold(ctx context.Context, name string, do func(ctx context.Context) error) error {
	for {
		held, err := l.a.Store.Leases.Hold(ctx, name, l.a.name, pollTTL, do)
		if held || ctx.Err() != nil {
			return err
		}
		if err != nil {
			l.a.options.Log.Warn("lease", "name", name, "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pollAsk):
		}
	}
}

// Start begins to work: sweeping, cron, polling. It returns at once.
func (a *App) Start(ctx context.Context) error {
	if a.alone { // what has a lease died with the last process: polling, jobs, its share of the rates
		if err := a.Store.Leases.Void(ctx); err != nil { // no reason not to start: they run out in seconds
			a.options.Log.Warn("the last process's leases", "error", err)
		}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	a.onStop("runner", a.Runner.Stop)
	if !a.options.NoSweep {
		a.Runner.Start(ctx)
		a.jobs.Start()
		a.onStop("jobs", func(context.Context) error { a.jobs.Stop(); return nil })
		if err := a.Store.Counts.Begin(ctx); err != nil { // no reason not to start: the report's job comes by again
			a.options.Log.Warn("since when is counted could not be noted", "error", err)
		}
		a.background.Go(func() { a.carryAlong(ctx) })
		a.background.Go(func() { a.lookKeys(ctx) })
	}
	a.takeReports()
	a.serve("public server", a.handler, a.public)
	if a.admin != nil {
		a.serve("admin server", a.adminRoutes(), a.admin)
	}
	a.background.Go(func() { a.auditLimits(ctx) })
	a.background.Go(func() { a.stayAlive(ctx) })
	a.background.Go(func() { a.watchTrouble(ctx) })
	if a.Mailbox == nil && !a.options.NoSweep {
		a.background.Go(func() { a.mailer.Watch(ctx, a.probePath) })
	}
	for _, ch := range a.channels {
		if ch.run == nil {
			continue
		}
		a.background.Go(func() {
			if err := ch.run(ctx); err != nil {
				a.failed <- fmt.Errorf("%s: %w", ch.name, err)
			}
		})
	}
	a.onStop("channels", func(ctx context.Context) error { // they give their leases back while the store is there
		cancel()
		return a.wait(ctx)
	})
	return nil
}

// drainFor is how long requests under way may take once the process is stopping.
const drainFor = 4 * time.Second

func (a *App) serve(name string, h http.Handler, l net.Listener) {
	server := web.NewServer(h, a.options.Log)
	server.OnStop(a.talk.Close)
	if a.web != nil {
		server.OnStop(a.web.Close)
	}
	server.Start(l)
	a.onStop(name, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, drainFor)
		defer cancel()
		if err := server.Stop(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		return nil
	})
}

// stayAlive keeps this process counted among the living, and gives each its share of the channels' rates. It asks and writes the store
// every few seconds, so that how that is is known also while nobody writes to us.
func (a *App) stayAlive(ctx context.Context) {
	const prefix = "process/"
	tick := time.NewTicker(aliveTTL / 3)
	defer tick.Stop()
	var clock clockWatch
	clock.look(ctx, a)
	lease, held, err := a.Store.Leases.Acquire(ctx, prefix+a.name, a.name, aliveTTL)
	for {
		if err == nil && held {
			if live, err := a.Store.Leases.Live(ctx, prefix); err == nil {
				a.setRates(max(1, len(live)))
			}
		}
		select {
		case <-ctx.Done():
			after, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
			defer cancel()
			if held {
				_ = a.Store.Leases.Release(after, lease) // it ends by itself too
			}
			return
		case <-tick.C:
		}
		a.askStore(ctx)
		clock.look(ctx, a)
		if held {
			lease, held, err = a.Store.Leases.Renew(ctx, lease, aliveTTL)
		} else {
			lease, held, err = a.Store.Leases.Acquire(ctx, prefix+a.name, a.name, aliveTTL)
		}
	}
}

func (a *App) setRates(processes int) {
	c := a.options.Config
	if a.telegram != nil {
		a.telegram.SetRate(float64(c.TelegramRate) / float64(processes))
	}
	if a.whatsapp != nil {
		a.whatsapp.SetRate(float64(c.WhatsAppRate) / float64(processes))
	}
}

// Failed tells what the process cannot go on without.
func (a *App) Failed() <-chan error { return a.failed }

// Addr is where the public listener listens.
func (a *App) Addr() string { return a.public.Addr().String() }

// AdminAddr is where the admin listener listens.
func (a *App) AdminAddr() string { return a.admin.Addr().String() }

// Stop takes no more work, lets what is under way end, and closes everything in reverse, until [ctx] ends.
func (a *App) Stop(ctx context.Context) error {
	a.stopping.Store(true)
	var problems []error
	for _, s := range slices.Backward(a.undo) {
		if err := s.stop(ctx); err != nil {
			problems = append(problems, fmt.Errorf("stop %s: %w", s.name, err))
		}
	}
	a.undo = nil
	return errors.Join(problems...)
}

// wait waits for what runs in the background.
func (a *App) wait(ctx context.Context) error {
	done := make(chan struct{})
	go func() { a.background.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return errors.New("something is still running")
	}
}

func (a *App) adminRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", a.Metrics.Handler())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", a.readyz)
	if a.options.Config.Pprof {
		mux.HandleFunc("/debug/pprof/", pprof.Index)
		mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	}
	return mux
}

// wrongLink counts one wrong link against an address.
func (a *App) wrongLink(ctx context.Context, source string) (ok bool, retryAfter time.Duration, err error) {
	n, resets, err := a.Store.Counters.Add(ctx, "wrong-link/"+a.Vault.Hash("address", source), 1, time.Minute)
	if err != nil {
		return false, 0, err
	}
	now, err := a.Store.Now(ctx)
	return n <= int64(a.options.Config.Limits.WrongLinksMinute), resets.Sub(now), err
}

func listen(setting, addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("%s: cannot listen on %s: %w; choose a free address, or stop what holds it", setting, addr, err)
	}
	return l, nil
}

func closed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func localhost(addr net.Addr) string {
	_, port, _ := net.SplitHostPort(addr.String())
	return net.JoinHostPort("localhost", port)
}

func text(u *url.URL) string {
	if u == nil {
		return ""
	}
	return u.String()
}

// processName is unlike any other process's, also after a restart with the same pid.
func processName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	b := make([]byte, 4)
	rand.Read(b)
	return fmt.Sprintf("%s-%d-%s", host, os.Getpid(), hex.EncodeToString(b))
}
