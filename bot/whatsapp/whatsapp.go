// Package whatsapp is the channel to WhatsApp: the Cloud API's JSON on one side, bot.Update and bot.Reply on the other. It
// is a small client of our own on net/http; what the fields mean is in Meta's documentation of Graph v26.0.
//
// Messages and delivery reports come by webhook, many of them in one body. The body must be signed with the app's secret,
// which is checked before anything in it is read. It is answered 200 only once everything in it is durable. Until then Meta
// is the inbound queue: it sends the whole body again, and what was done is recognised as a repeat. Messages of one person
// are handled in the order of the body, and stop where one fails; those of others go on meanwhile. Each message is decoded
// by itself, so that a field of another type than expected costs that message at most.
//
// A person has two names here, a phone number and a business-scoped user id, and either may be missing, appear or change.
// Chat, in an update and in Send, is the stable one that People keeps: the first name we knew them by.
//
// Messages are sent within WhatsApp's limits: so many a second for the whole number (SetRate), one each six seconds and
// short bursts for one person. A message that was taken may still fail minutes later: its report becomes an update of kind
// bot.Undelivered.
//
// No error and no log line of this package holds a token, a secret, the id of our number or a person's name on the channel.
// A message's id is kept back too: it contains the person's number.
package whatsapp

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"llave/bot"
	"llave/bot/intro"
	"llave/bot/wire"
	"llave/internal/secret"
)

// Name is the channel's name in bot.Update.Channel.
const Name = "whatsapp"

// WebhookPath is where Handler must be mounted, below the public URL.
const WebhookPath = "/webhooks/whatsapp"

// The defaults of Options.
const (
	DefaultRate       = 80 // messages a second that WhatsApp lets one number send
	DefaultAPIURL     = "https://graph.facebook.com"
	DefaultAPIVersion = "v26.0"
)

// Secret is a value that must not be seen.
type Secret = secret.Text

const redacted = "[redacted]"

// Options are what the channel needs. All without a default in their comment are required.
type Options struct {
	Tokens        []Secret // access tokens; the one that works is used
	PhoneNumberID Secret   // the Cloud API's id of our number, which is not the number
	AppSecret     Secret   // what webhooks are signed with
	VerifyToken   Secret   // what Meta must show when the webhook is registered
	APIURL        string   // empty: DefaultAPIURL
	APIVersion    string   // empty: DefaultAPIVersion
	Template      string   // "name:language" of the approved template for after the 24-hour window; empty: none
	Rate          float64  // messages a second; zero: DefaultRate

	// Handle answers one update. It returns nil once the effect is durable, and gets the same update again otherwise.
	// It is called from many goroutines.
	Handle func(ctx context.Context, u bot.Update) error
	// People knows who is who.
	People People
	// Deliveries keeps what became of our messages.
	Deliveries Deliveries
	// Bodies is the room for bodies whose signature is not checked yet; nil: room of its own.
	Bodies *wire.Bodies
	Images bot.Images   // nil: texts go out without
	Shown  bot.ImageIDs // what images are called here, for every process; nil: this one remembers for itself
	// Introduce is what WhatsApp shows of the bot; nil: that is left as it is.
	Introduce *intro.Introduction
	// Count is told what happened, by one of the Count… names; nil counts nothing.
	Count func(name string)
	Log   *slog.Logger     // nil: discarded
	Now   func() time.Time // nil: time.Now
}

// What Count is told.
const (
	CountUpdate       = "update"         // an update was handled
	CountStatus       = "status"         // a delivery report was kept
	CountMoved        = "moved"          // a person's number or user id changed
	CountIgnored      = "ignored"        // a part of a webhook that nobody handles
	CountMalformed    = "malformed"      // a signed body that is no webhook
	CountHandleFailed = "handle_failed"  // something could not be made durable; it will come again
	CountNoRoom       = "no_room"        // a webhook for whose body there was no room; it will come again
	CountRefused      = "refused"        // a webhook without the signature, or a registration without the token
	CountReported     = "reported"       // an error that WhatsApp reports outside any message
	CountUnmarked     = "unmarked"       // a message that could not be marked as read
	CountSent         = "sent"           // a message was taken
	CountTemplate     = "sent_template"  // of these, a template: the person had been silent for more than a day
	CountImageless    = "image_left_out" // of these, one that went out without its image
	CountTokenChanged = "token_changed"  // an access token was refused and the next one taken
	CountThrottled    = "send_throttled" // a limit of WhatsApp's, or too long a queue
	CountGone         = "send_gone"      // not on WhatsApp, or cannot be written to
	CountPermanent    = "send_permanent" // a message that WhatsApp will never take
	CountTemporary    = "send_temporary" // network, server or token trouble
	CountClosed       = "send_closed"    // the 24-hour window is over
)

// Channel is our side of WhatsApp.
type Channel struct {
	opt         Options
	log         *slog.Logger
	now         func() time.Time
	client      *client
	pace        *pacing
	knocks      knocks
	remembering sync.WaitGroup // messages being remembered
	marks       chan mark
	uploads     *bot.Uploads
	strange     strange
	number      atomic.Value // our own, a string, once it is known
}

var (
	tokenPattern    = regexp.MustCompile(`^[!-~]+$`)
	numberIDPattern = regexp.MustCompile(`^[0-9]+$`)
	versionPattern  = regexp.MustCompile(`^v[0-9]+\.[0-9]+$`)
	templatePattern = regexp.MustCompile(`^[a-z0-9_]+:[A-Za-z]{2,3}(_[A-Za-z]+)*$`)
)

// New checks the options and builds the channel. It starts nothing and asks nothing.
func New(opt Options) (*Channel, error) {
	if opt.APIURL == "" {
		opt.APIURL = DefaultAPIURL
	}
	if opt.APIVersion == "" {
		opt.APIVersion = DefaultAPIVersion
	}
	if opt.Rate <= 0 {
		opt.Rate = DefaultRate
	}
	if opt.Bodies == nil {
		opt.Bodies = wire.NewBodies()
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
	if err := opt.check(); err != nil {
		return nil, err
	}
	return &Channel{
		opt:     opt,
		log:     opt.Log.With("channel", Name),
		now:     opt.Now,
		client:  newClient(opt),
		pace:    newPacing(opt.Rate, opt.Now),
		marks:   make(chan mark, marksQueued),
		uploads: bot.NewUploads(Name, opt.Shown),
	}, nil
}

// check says what is wrong without repeating any value: a secret may have been put into the wrong setting.
func (o Options) check() error {
	var wrong []error
	must := func(ok bool, problem string) {
		if !ok {
			wrong = append(wrong, errors.New("whatsapp: "+problem))
		}
	}
	must(len(o.Tokens) > 0, "no access token")
	for _, t := range o.Tokens {
		must(tokenPattern.MatchString(string(t)), "an access token is empty or holds spaces")
	}
	must(numberIDPattern.MatchString(string(o.PhoneNumberID)), "the phone number id must be digits; it is not the phone number")
	must(o.AppSecret != "", "no app secret")
	must(o.VerifyToken != "", "no verify token")
	must(versionPattern.MatchString(o.APIVersion), "the API's version must look like "+DefaultAPIVersion)
	must(o.Template == "" || templatePattern.MatchString(o.Template), "the template must look like name:es or name:es_EC")
	must(o.Handle != nil, "no handler of updates")
	must(o.People != nil, "nobody knows the people")
	must(o.Deliveries != nil, "nobody keeps the deliveries")
	u, err := url.Parse(o.APIURL)
	must(err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https"), "the API's URL must be http:// or https:// with a host")
	return errors.Join(wrong...)
}

// Run marks messages as read, learns our own number and introduces the bot until [ctx] ends, and has then waited for what it started. It always returns
// nil: messages come through Handler, and nothing that goes wrong here can only be mended by the operator.
func (c *Channel) Run(ctx context.Context) error {
	var all sync.WaitGroup
	for range markers {
		all.Go(func() { c.markAll(ctx) })
	}
	all.Go(func() { c.learnNumber(ctx) })
	all.Go(func() { c.introduce(ctx) })
	all.Go(func() { c.client.reach.Watch(ctx, c.client.knockAt) })
	<-ctx.Done()
	all.Wait()
	return nil
}

// Secrets are what we show the Graph API and it shows us.
type Secrets struct {
	Tokens []Secret // access tokens; the one that works is used
	App    Secret   // what webhooks are signed with
	Verify Secret   // what Meta must show when the webhook is registered
}

// Secrets are those among the options.
func (o Options) Secrets() Secrets { return Secrets{o.Tokens, o.AppSecret, o.VerifyToken} }

// SetSecrets has others be used from the next call on.
func (c *Channel) SetSecrets(s Secrets) error {
	next := c.opt
	next.Tokens, next.AppSecret, next.VerifyToken = s.Tokens, s.App, s.Verify
	if err := next.check(); err != nil {
		return err
	}
	c.client.access.Store(newAccess(s, append(slices.Clone(c.client.access.Load().hidden), string(s.App))...))
	return nil
}

// SetRate sets how many messages a second this process may send: its share of the whole number's rate.
func (c *Channel) SetRate(perSecond float64) { c.pace.SetRate(perSecond) }

// Close waits until everything sent is noted, and gives idle connections back. It is for after the last Send.
func (c *Channel) Close() {
	c.remembering.Wait()
	c.client.close()
}

// without returns the words of [err] without the given [names] of a person, nor anything that looks like one: the store's errors
// may quote what it was asked for, and a chat is called by the first name its person had.
func without(err error, names ...string) string {
	var hide []string
	for _, n := range names {
		if n != "" {
			hide = append(hide, n, redacted)
		}
	}
	return person.ReplaceAllString(strings.NewReplacer(hide...).Replace(err.Error()), redacted)
}
