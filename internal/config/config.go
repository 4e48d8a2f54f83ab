// Package config reads the settings into one struct: LLAVE_* names from the environment and from a .env file beside it, secrets also
// from files of their own (NAME_FILE). One table (settings.go) declares them, each with a default and a sentence; `llave help config` and the README print it. All
// mistakes are reported at once, each on a line that begins with the name: a value that cannot be meant, a name that does
// not exist, settings that only make sense together. Secret values are never part of an error, and print as [redacted].
package config

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"llave/bot"
	"llave/internal/handoff"
	"llave/internal/secret"
)

// Config is what the operator has decided. Load fills all of it; fields for which the table says "empty" may be zero.
type Config struct {
	HTTPAddr  string
	AdminAddr string
	PublicURL *url.URL // no path, no trailing slash

	MongoDBURI      Secret // empty: the embedded store
	MongoDBDatabase string
	DataDir         string
	ErasureLog      string      // empty: beside DataDir
	SecretKey       secret.Keys // nil only with the embedded store: then EnsureSecretKey finds or makes one

	TelegramToken         Secret // empty: channel off
	TelegramAPIURL        string // no trailing slash
	TelegramMode          TelegramMode
	TelegramWebhookSecret Secret // empty: to be derived
	TelegramRate          int    // messages a second
	Introduce             bool   // what channels show of the bot is kept as it should be

	WhatsApp     WhatsApp
	WhatsAppRate int // messages a second

	SMTPURL  Secret // holds a password; empty only where mail is not needed
	MailFrom string
	ReportTo string // empty: nobody

	PrivacyAddress string // where the institution lives, for the privacy notice; empty: not said
	PrivacyOfficer string // its data protection officer; empty: to be asked for

	MailRefusedRow int            // mailboxes refused in a row that count as trouble of the server; 0: never
	BounceDomain   string         // of return addresses; empty: off
	BounceAddr     BounceListener // where delivery reports are taken; set when BounceDomain is

	LinkTTL      time.Duration
	NotMeHold    time.Duration // how long no letter goes to a record after "No fui yo"
	GenerateURL  *url.URL      // nil: the built-in key page
	EventsURL    *url.URL      // nil: off
	EventsSecret Secret
	Disclosure   Disclosure

	Timezone           *time.Location
	OfficeHours        handoff.Hours
	AgentIdle          time.Duration  // how long a session lasts without an action
	AgentOpenMax       int            // how many conversations an agent has at most; 0: no limit
	AgentSilence       time.Duration  // after how long without an answer a chat goes back to the queue
	FirstAnswerTarget  time.Duration  // within which the desk means to give a first answer
	SecondFactor       SecondFactor   // who at the desk needs one
	OfficesFile        string         // empty: no list
	BreachedFile       string         // keys known to be stolen; empty: none are
	ForeignCodePattern *regexp.Regexp // nil: the built-in rule
	ModelFile          string         // what sentences mean; empty: the model that is built in
	AbroadText         string         // the institution's own words, in texts of the chat; empty: none
	PortalText         string         // empty: the catalogue's
	TrustedProxies     []netip.Prefix

	Limits    Limits
	Retention Retention

	LogLevel  slog.Level
	LogFormat LogFormat
	Pprof     bool // profiles on the admin listener

	secretFiles []SecretFile
	given       map[string]uint64 // hashes of the values, by name: to say which of them changed

	Telemetry map[string]string // OpenTelemetry's own variables, OTEL_…, as they are set
}

// Embedded says whether everything is kept in the data directory and not in MongoDB.
func (c Config) Embedded() bool { return c.MongoDBURI == "" }

// BounceListener is where delivery reports are taken.
type BounceListener struct {
	LMTP    bool   // else SMTP
	Network string // "tcp" or "unix", as net.Listen has it
	Addr    string // host:port, or the path of a socket
}

// TelegramMode is how updates come in.
type TelegramMode string

// The modes.
const (
	Polling TelegramMode = "polling"
	Webhook TelegramMode = "webhook"
)

// Disclosure is how much a chat may tell by what it does after a number was typed.
type Disclosure string

// The two degrees: two outcomes, or the same one for everybody.
const (
	Guided  Disclosure = "guided"
	Uniform Disclosure = "uniform"
)

// SecondFactor is who at the desk needs a second factor.
type SecondFactor string

// Whoever wants one, supervisors, everybody.
const (
	SecondFactorOptional    SecondFactor = "optional"
	SecondFactorSupervisors SecondFactor = "supervisors"
	SecondFactorAll         SecondFactor = "all"
)

// LogFormat is how log lines are written. Empty means text on a terminal, else JSON.
type LogFormat string

// The formats.
const (
	Text LogFormat = "text"
	JSON LogFormat = "json"
)

// WhatsApp is the channel of the Cloud API. The first four are set together or not at all.
type WhatsApp struct {
	Token         Secret // several with commas between them: see Tokens
	PhoneNumberID string
	AppSecret     Secret
	VerifyToken   Secret
	APIURL        string
	APIVersion    string
	Template      string // "name:language"; empty: nothing is said outside the 24-hour window
}

// On says whether the channel was asked for.
func (w WhatsApp) On() bool { return w.Token != "" }

// Tokens are the access tokens, the first one first.
func (w WhatsApp) Tokens() (tokens []Secret) {
	for t := range strings.SplitSeq(w.Token.Reveal(), ",") {
		tokens = append(tokens, Secret(strings.TrimSpace(t)))
	}
	return tokens
}

// Limits are those of P304 to P306.
type Limits struct {
	NumbersHour      int // different numbers an hour, per chat
	NumbersDay       int // and a day
	MailsWindow      int // mails in MailWindow, per record
	MailsDay         int // and a day
	MessagesMinute   int // messages a minute, per chat
	ComplaintsHour   int // complaints an hour, per chat
	ComplaintsDay    int // and a day
	WrongLinksMinute int // wrong links a minute, per address
}

// MailWindow is the time in which Limits.MailsWindow mails may go to one record.
const MailWindow = 15 * time.Minute

// Retention says how long things are kept.
type Retention struct {
	Idle       time.Duration // a conversation left alone
	Seen       time.Duration // the ids of updates seen
	Transcript time.Duration // the lines of a handed-off chat
	Audit      time.Duration
	Complaint  time.Duration
	Unheard    time.Duration // sentences that were not understood; 0: none are kept
}

// Need is something a command cannot do without and others can.
type Need int

// NeedMail is a command that sends letters: LLAVE_SMTP_URL must be set.
const NeedMail Need = iota + 1

const prefix = "LLAVE_"

// wrongValue stands for a value that cannot be meant, or a file that cannot be read: the setting is not missing beside others.
const wrongValue = "\x00"

// Load reads the settings from [environ], which is written like os.Environ, and from .env in [dir] where that exists; the
// environment wins, and an empty value is no value. The error holds one line per mistake.
func Load(environ []string, dir string, needs ...Need) (Config, error) {
	var c Config
	values, mistakes := gather(environ, dir)
	c.Telemetry = takeTelemetry(values)
	files, unread := readSecrets(values)
	c.secretFiles = files
	mistakes = append(mistakes, unread...)
	c.given = hashes(values)
	for _, s := range settings {
		v := values[s.name]
		if v == "" {
			v = s.fallback
		}
		if v == "" || v == wrongValue {
			continue
		}
		if err := s.set(&c, v); err != nil {
			name := s.name
			if values[name+inFile] != "" {
				name += inFile
			}
			mistakes = append(mistakes, fmt.Errorf("%s: %w", name, err))
			values[s.name] = wrongValue // it is given, as the checks below see it
		}
	}
	mistakes = append(mistakes, together(values, needs)...)
	if len(mistakes) > 0 {
		return Config{}, errors.Join(mistakes...)
	}
	return c, nil
}

// Only reads one setting that is no secret, from where Load does, and nothing else: what asks a running service must not fail by what
// that one has and its own surroundings lack.
func Only(environ []string, dir, name string) (c Config, err error) {
	values, err := readFile(filepath.Join(dir, ".env"))
	for _, pair := range environ {
		if given, v, ok := strings.Cut(pair, "="); ok && given == name && v != "" {
			values[name], err = v, nil // the file is not needed
		}
	}
	if err != nil {
		return c, err
	}
	i := slices.IndexFunc(settings, func(s setting) bool { return s.name == name })
	if err := settings[i].set(&c, cmp.Or(values[name], settings[i].fallback)); err != nil {
		return c, fmt.Errorf("%s: %w", name, err)
	}
	return c, nil
}

// HasEnvFile says whether there is a .env in [dir].
func HasEnvFile(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, ".env"))
	return err == nil
}

// gather lays the environment over the file and finds the names that nobody knows.
func gather(environ []string, dir string) (values map[string]string, mistakes []error) {
	values, err := readFile(filepath.Join(dir, ".env"))
	if err != nil {
		mistakes = append(mistakes, err)
	}
	dotEnv := maps.Clone(values)
	for _, pair := range environ {
		if name, v, ok := strings.Cut(pair, "="); ok && isOurs(name) && (v != "" || values[name] == "") {
			values[name] = v
			delete(dotEnv, name)
		}
	}
	for _, name := range secrets { // given in either manner, the environment wins
		for _, pair := range [][2]string{{name, name + inFile}, {name + inFile, name}} {
			if _, ok := dotEnv[pair[0]]; ok && values[pair[1]] != "" && dotEnv[pair[1]] == "" {
				delete(values, pair[0])
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if known(name) || strings.HasPrefix(name, telemetryPrefix) {
			continue
		}
		where := ""
		if _, ok := dotEnv[name]; ok {
			where = " (in .env)"
		}
		mistakes = append(mistakes, fmt.Errorf("%s%s: there is no such setting; %s", name, where, nearest(name)))
	}
	return values, mistakes
}

// telemetryPrefix is what the names of OpenTelemetry's own variables begin with. Which there are, its library knows.
const telemetryPrefix = "OTEL_"

func isOurs(name string) bool {
	return strings.HasPrefix(name, prefix) || strings.HasPrefix(name, telemetryPrefix)
}

// takeTelemetry takes OpenTelemetry's variables out of the values.
func takeTelemetry(values map[string]string) map[string]string {
	own := map[string]string{}
	for name, v := range values {
		if strings.HasPrefix(name, telemetryPrefix) {
			delete(values, name)
			if v != "" {
				own[name] = v
			}
		}
	}
	return own
}

func known(name string) bool {
	return slices.ContainsFunc(settings, func(s setting) bool { return s.name == name }) || slices.Contains(secrets, strings.TrimSuffix(name, inFile))
}

// nearest is what to say about a name that does not exist.
func nearest(name string) string {
	for _, s := range settings {
		if bot.Alike(strings.TrimPrefix(name, prefix), strings.TrimPrefix(s.name, prefix)) {
			return "did you mean " + s.name + "?"
		}
	}
	return "`llave help config` lists those that exist"
}

// together finds settings that are right alone and wrong beside others.
func together(values map[string]string, needs []Need) (mistakes []error) {
	wrong := func(name, format string, args ...any) {
		mistakes = append(mistakes, fmt.Errorf("%s: "+format, append([]any{name}, args...)...))
	}
	allOrNone := func(names ...string) {
		var set, missing []string
		for _, n := range names {
			if values[n] == wrongValue {
				return // that is said already, and the others can be judged once it is mended
			}
			if values[n] == "" {
				missing = append(missing, n)
			} else {
				set = append(set, n)
			}
		}
		if len(set) > 0 && len(missing) > 0 {
			for _, n := range missing {
				wrong(n, "is missing or wrong while %s is set; expected all of them or none", set[0])
			}
		}
	}
	if uri := values["LLAVE_MONGODB_URI"]; uri != "" && uri != wrongValue && values["LLAVE_SECRET_KEY"] == "" {
		wrong("LLAVE_SECRET_KEY", "is needed with MongoDB, the same in every process; expected 32 bytes or more in base64, such as `openssl rand -base64 32` prints")
	}
	if slices.Contains(needs, NeedMail) && values["LLAVE_SMTP_URL"] == "" {
		wrong("LLAVE_SMTP_URL", "is needed to send letters; expected smtp://user:pass@host:587 or smtps://user:pass@host:465")
	}
	allOrNone("LLAVE_WHATSAPP_TOKEN", "LLAVE_WHATSAPP_PHONE_NUMBER_ID", "LLAVE_WHATSAPP_APP_SECRET", "LLAVE_WHATSAPP_VERIFY_TOKEN")
	allOrNone("LLAVE_EVENTS_URL", "LLAVE_EVENTS_SECRET")
	allOrNone("LLAVE_MAIL_BOUNCE_DOMAIN", "LLAVE_BOUNCE_ADDR")
	return mistakes
}
