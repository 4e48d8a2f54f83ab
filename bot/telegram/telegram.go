// Package telegram is the channel to Telegram: the Bot API's JSON on one side, bot.Update and bot.Reply on the other.
//
// Updates come by long polling or by webhook, and both promise the same: Telegram is told that an update arrived only after
// Handle has returned nil for it, when its effect is durable. Until then Telegram is the inbound queue and delivers again;
// Handle drops repeats. The acknowledgement of a webhook is its 200. That of polling is the offset of the next getUpdates,
// which never passes an update that has not been handled. Updates of different chats are handled at the same time, those of
// one chat in order.
//
// Messages are sent within Telegram's limits: so many a second for the whole bot (SetRate), about one a second with bursts
// of five for one chat, and none before the time that a 429 named. What would have to wait long is not held in memory: it
// is given back as a bot.SendError that says how long.
//
// The types and the request of tgbotapi v5.5.1 are used over an HTTP client of our own. That library (of 2021) knows no
// context, no timeout and no secret token, and prints the bot's token in its errors. No error and no log line of this
// package holds the token or the webhook's secret.
package telegram

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	tgbotapi "github.com/go-telegram-bot-api/telegram-bot-api/v5"

	"llave/bot"
	"llave/bot/intro"
	"llave/bot/wire"
	"llave/internal/secret"
)

// Name is the channel's name in bot.Update.Channel.
const Name = "telegram"

// WebhookPath is where Handler must be mounted, below the public URL.
const WebhookPath = "/webhooks/telegram"

// DefaultRate is how many messages a second Telegram lets one bot send.
const DefaultRate = 30

// How updates arrive.
const (
	Polling Mode = "polling"
	Webhook Mode = "webhook"
)

// Mode is how updates arrive: Polling or Webhook.
type Mode string

// ErrToken is that Telegram does not know the bot's token: only the operator can mend that.
var ErrToken = errors.New("the bot's token is not known to Telegram: check LLAVE_TELEGRAM_TOKEN")

// Secret is a value that must not be seen.
type Secret = secret.Text

const redacted = "[redacted]"

// Lease lets one process at a time do something. Hold waits until the lease is had, calls do with a context that
// ends when the lease is lost, and returns what do returned, or why the lease could not be had.
type Lease interface {
	Hold(ctx context.Context, name string, do func(ctx context.Context) error) error
}

// LeaseName is the lease that the polling process holds.
const LeaseName = "telegram-poll"

// Options are what the channel needs. Token and Handle are required; in Webhook mode PublicURL and Secret too.
type Options struct {
	Token     Secret
	APIURL    string // empty: https://api.telegram.org
	Mode      Mode   // empty: Polling
	PublicURL string // the webhook is registered below it
	Secret    Secret // what Telegram must send with every webhook
	Rate      float64
	Introduce *intro.Introduction // nil: what Telegram shows of the bot is left as it is
	Images    bot.Images          // nil: texts go out without
	Shown     bot.ImageIDs        // what images are called here, for every process; nil: this one remembers for itself

	// Handle answers one update. It returns nil once the effect is durable, and gets the same update again
	// otherwise. It is called from many goroutines, never twice at a time for one chat while polling.
	Handle func(ctx context.Context, u bot.Update) error
	// Lease chooses the process that polls; nil means that this is the only one.
	Lease Lease
	// Count is told what happened, by one of the Count… names; nil counts nothing.
	Count func(name string)
	Log   *slog.Logger
	Now   func() time.Time // nil: time.Now
}

// What Count is told.
const (
	CountUpdate       = "update"           // an update was handled
	CountIgnored      = "ignored"          // an update of a kind that nobody handles
	CountMalformed    = "malformed"        // something that is no update
	CountHandleFailed = "handle_failed"    // Handle returned an error; the update will come again
	CountRefused      = "refused"          // a webhook without the secret
	CountConflict     = "conflict"         // somebody else polls, or a webhook is set, while we poll
	CountHookMoved    = "webhook_moved"    // the webhook was found set to another address than ours
	CountUnanswered   = "unanswered"       // a button press whose spinner could not be stopped
	CountSent         = "sent"             // a message was taken
	CountThrottled    = "send_throttled"   // a 429, or too long a queue
	CountGone         = "send_gone"        // blocked, deleted, left
	CountPermanent    = "send_permanent"   // a message that Telegram will never take
	CountTemporary    = "send_temporary"   // network, server or token trouble
	CountImageless    = "image_left_out"   // of the messages taken, one that went out without its image
	CountDeleted      = "message_deleted"  // a person's message was deleted
	CountSpent        = "keyboard_removed" // a bubble that was answered lost its keyboard
	CountUnspent      = "keyboard_kept"    // Telegram refused that
)

// allowed are the kinds of update that are asked for, always by name: Telegram remembers the last list it was given.
var allowed = []string{"message", "edited_message", "callback_query", "my_chat_member", "message_reaction"}

// Channel is the bot's side of Telegram.
type Channel struct {
	opt     Options
	log     *slog.Logger
	now     func() time.Time
	client  client
	pace    *pacing
	answers chan string
	uploads *bot.Uploads
	name    atomic.Value // the bot's username, a string, once it is known
	fields  fields
	strange wire.Seldom // warnings of webhooks with another secret
	often   sync.Map    // *wire.Seldom by message: warnings of what is tried again and again
	rival   wire.Health // ill while somebody else receives with our token
	token   bell        // another token is there
}

// bell wakes everybody who waits. The zero value is ready.
type bell struct {
	mu   sync.Mutex
	rung chan struct{}
}

func (b *bell) wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rung == nil {
		b.rung = make(chan struct{})
	}
	return b.rung
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rung != nil {
		close(b.rung)
		b.rung = nil
	}
}

// warn writes a warning of what is tried again and again: once a minute.
func (c *Channel) warn(msg string, args ...any) {
	s, _ := c.often.LoadOrStore(msg, &wire.Seldom{})
	s.(*wire.Seldom).Warn(c.log, msg, args...)
}

var secretPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,256}$`)
var tokenPattern = regexp.MustCompile(`^[0-9]+:[A-Za-z0-9_-]+$`)

// New checks the options and builds the channel. It starts nothing and asks nothing.
func New(opt Options) (*Channel, error) {
	if opt.APIURL == "" {
		opt.APIURL = "https://api.telegram.org"
	}
	if opt.Mode == "" {
		opt.Mode = Polling
	}
	if opt.Rate <= 0 {
		opt.Rate = DefaultRate
	}
	if opt.Count == nil {
		opt.Count = func(string) {}
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	switch {
	case !tokenPattern.MatchString(string(opt.Token)):
		return nil, errors.New("telegram: the token must look like 123456:ABC-def")
	case opt.Mode != Polling && opt.Mode != Webhook:
		return nil, fmt.Errorf("telegram: mode %q, want %q or %q", opt.Mode, Polling, Webhook)
	case opt.Secret != "" && !secretPattern.MatchString(string(opt.Secret)):
		return nil, errors.New("telegram: the webhook secret must be 1 to 256 letters, digits, - or _")
	case opt.Mode == Webhook && opt.Secret == "":
		return nil, errors.New("telegram: a webhook needs a secret")
	case opt.Mode == Webhook && opt.PublicURL == "":
		return nil, errors.New("telegram: a webhook needs the public URL")
	case opt.Handle == nil:
		return nil, errors.New("telegram: no handler of updates")
	}
	if u, err := url.Parse(opt.APIURL); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, errors.New("telegram: the Bot API's URL must be http:// or https:// with a host")
	}
	c := &Channel{
		opt:     opt,
		log:     opt.Log.With("channel", Name),
		now:     opt.Now,
		pace:    newPacing(opt.Rate, opt.Now),
		answers: make(chan string, answersQueued),
		uploads: bot.NewUploads(Name, opt.Shown),
	}
	c.client = newClient(opt.APIURL, string(opt.Token), string(opt.Secret))
	return c, nil
}

// SetRate sets how many messages a second this process may send: its share of the whole bot's rate.
func (c *Channel) SetRate(perSecond float64) { c.pace.SetRate(perSecond) }

// SetToken has another token of the same bot be used from the next call on. A webhook is registered anew.
func (c *Channel) SetToken(token Secret) error {
	if !SameBot(c.opt.Token, token) {
		return errors.New("telegram: the token is another bot's, or none")
	}
	c.client.access.Store(newAccess(string(token), c.client.access.Load().secrets...))
	c.token.ring()
	return nil
}

// SameBot says whether two tokens are of one bot, whose id is their first part.
func SameBot(a, b Secret) bool {
	id := func(s Secret) string { id, _, _ := strings.Cut(string(s), ":"); return id }
	return tokenPattern.MatchString(string(a)) && tokenPattern.MatchString(string(b)) && id(a) == id(b)
}

// Close gives idle connections back. It is for after the last Send.
func (c *Channel) Close() { c.client.http.CloseIdleConnections() }

// ChatURL is the address that opens the chat with the bot, "https://t.me/example_bot"; "" until Telegram has said what the bot is called.
func (c *Channel) ChatURL() string {
	name, _ := c.name.Load().(string)
	if name == "" {
		return ""
	}
	return "https://t.me/" + url.PathEscape(name)
}

// Run receives updates until [ctx] ends, then waits for everything it started and returns nil. After any failure it tries again: also
// where Telegram does not know the token, since SetToken may bring another.
//
// By polling it asks for updates itself, while it holds the lease; by webhook it registers Handler's address.
func (c *Channel) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer func() {
		cancel()
		all.Wait()
		c.Close()
	}()
	for range answerers {
		all.Go(func() { c.answerPresses(ctx) })
	}
	all.Go(func() { c.learnName(ctx) })
	all.Go(func() { c.introduce(ctx) })
	all.Go(func() { c.client.health.Watch(ctx, c.ask) })
	if c.opt.Mode == Webhook {
		return c.runWebhook(ctx)
	}
	return c.runPolling(ctx)
}

// learnName learns what the bot is called. That is not needed to work, so it only keeps trying; a token that is not known is told by
// who receives.
func (c *Channel) learnName(ctx context.Context) {
	_ = c.persist(ctx, "getMe", func() error {
		var me tgbotapi.User
		if err := c.client.call(ctx, callTimeout, "getMe", nil, &me); err != nil {
			return err
		}
		c.name.Store(me.UserName)
		c.log.Info("telegram bot", "username", me.UserName)
		return nil
	})
}

// persist calls [do] with growing waits until it succeeds or [ctx] ends. Another token is tried at once.
func (c *Channel) persist(ctx context.Context, method string, do func() error) error {
	var wait backoff
	for {
		another := c.token.wait()
		err := do()
		if err == nil || ctx.Err() != nil {
			return ctx.Err()
		}
		if unauthorized(err) {
			c.warn(tokenRefused, "method", method, "err", err)
		} else {
			c.warn("telegram call failed, will try again", "method", method, "err", err)
		}
		if !wait.sleep(ctx, another, retryAfter(err)) {
			return ctx.Err()
		}
	}
}

const tokenRefused = "telegram refuses the bot's token, will try again: put the right one into LLAVE_TELEGRAM_TOKEN, and SIGHUP has it read"

// backoff is a wait that doubles from half a second to longestWait.
type backoff struct{ next time.Duration }

const (
	firstWait   = 500 * time.Millisecond
	longestWait = 30 * time.Second
)

// sleep waits, [atLeast] that long, and says whether [ctx] still lives. It ends early, and as if nothing had failed yet, when there
// is news.
func (b *backoff) sleep(ctx context.Context, news <-chan struct{}, atLeast time.Duration) bool {
	b.next = min(max(b.next*2, firstWait), longestWait)
	timer := time.NewTimer(max(b.next, atLeast))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
	case <-news:
		b.reset()
	}
	return true
}

func (b *backoff) reset() { b.next = 0 }
