package config

import (
	"bytes"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"llave/internal/handoff"
)

// setting is a row of the table. set parses a value that is not empty; its error says what is wrong and what is
// expected, without the name.
type setting struct {
	name     string
	fallback string // used when the value is empty
	shown    string // what the table shows as the default where fallback is empty
	meaning  string
	set      func(c *Config, v string) error
}

// secrets are the settings that hold a secret. Each may be given as NAME_FILE instead.
var secrets = []string{
	"LLAVE_MONGODB_URI", "LLAVE_SECRET_KEY", "LLAVE_TELEGRAM_TOKEN", "LLAVE_TELEGRAM_WEBHOOK_SECRET", "LLAVE_WHATSAPP_TOKEN",
	"LLAVE_WHATSAPP_APP_SECRET", "LLAVE_WHATSAPP_VERIFY_TOKEN", "LLAVE_SMTP_URL", "LLAVE_EVENTS_SECRET",
}

var settings = []setting{
	{"LLAVE_HTTP_ADDR", ":8080", "", "public listener: webhooks, unlock and key pages",
		func(c *Config, v string) (err error) { c.HTTPAddr, err = address(v); return }},
	{"LLAVE_ADMIN_ADDR", "127.0.0.1:9090", "", "listener for `/metrics`, `/healthz`, `/readyz`, and `/debug/pprof` where `LLAVE_PPROF` is on; not for the public",
		func(c *Config, v string) (err error) { c.AdminAddr, err = address(v); return }},
	{"LLAVE_PUBLIC_URL", "http://localhost:8080", "", "base of every link sent out; `https` unless the host is loopback",
		func(c *Config, v string) (err error) { c.PublicURL, err = base(v); return }},

	{"LLAVE_MONGODB_URI", "", "empty: embedded store", "production store: a standalone, a replica set or a sharded cluster",
		func(c *Config, v string) (err error) { c.MongoDBURI, err = mongoURI(v); return }},
	{"LLAVE_MONGODB_DATABASE", "llave", "", "its database",
		func(c *Config, v string) (err error) { c.MongoDBDatabase, err = databaseName(v); return }},
	{"LLAVE_DATA_DIR", "./data", "", "where the embedded store keeps its files",
		func(c *Config, v string) error { c.DataDir = v; return nil }},
	{"LLAVE_ERASURE_LOG", "", "embedded store: beside the data directory", "file that lists which chats were erased; it must outlive what a backup puts back",
		func(c *Config, v string) error { c.ErasureLog = v; return nil }},
	{"LLAVE_SECRET_KEY", "", "embedded store: made in the data directory; MongoDB: required", "32 bytes or more in base64; a comma-separated list rotates: the first signs, all verify",
		func(c *Config, v string) (err error) { c.SecretKey, err = secretKeys(v); return }},

	{"LLAVE_TELEGRAM_TOKEN", "", "empty: channel off", "the bot's token, from BotFather",
		func(c *Config, v string) (err error) { c.TelegramToken, err = telegramToken(v); return }},
	{"LLAVE_TELEGRAM_API_URL", "https://api.telegram.org", "", "a self-hosted Bot API server",
		func(c *Config, v string) (err error) { c.TelegramAPIURL, err = server(v); return }},
	{"LLAVE_TELEGRAM_MODE", "polling", "", "`polling`, or `webhook` (registers itself at start)",
		func(c *Config, v string) (err error) { c.TelegramMode, err = oneOf(v, Polling, Webhook); return }},
	{"LLAVE_TELEGRAM_WEBHOOK_SECRET", "", "derived from the secret key", "what the webhook's calls must carry",
		func(c *Config, v string) (err error) { c.TelegramWebhookSecret, err = webhookSecret(v); return }},
	{"LLAVE_TELEGRAM_RATE", "30", "", "messages a second for the whole bot, shared out among the live processes",
		func(c *Config, v string) (err error) { c.TelegramRate, err = count(v); return }},

	{"LLAVE_WHATSAPP_TOKEN", "", "empty: channel off", "Cloud API token, several with commas: one that is refused gives way to the next; this and the next three: all or none",
		func(c *Config, v string) error { c.WhatsApp.Token = Secret(v); return nil }},
	{"LLAVE_WHATSAPP_PHONE_NUMBER_ID", "", "empty", "id of the number that people write to",
		func(c *Config, v string) (err error) { c.WhatsApp.PhoneNumberID, err = digits(v); return }},
	{"LLAVE_WHATSAPP_APP_SECRET", "", "empty", "signs the webhook's calls",
		func(c *Config, v string) error { c.WhatsApp.AppSecret = Secret(v); return nil }},
	{"LLAVE_WHATSAPP_VERIFY_TOKEN", "", "empty", "what the webhook's registration must carry",
		func(c *Config, v string) error { c.WhatsApp.VerifyToken = Secret(v); return nil }},
	{"LLAVE_WHATSAPP_API_URL", "https://graph.facebook.com", "", "the Graph API",
		func(c *Config, v string) (err error) { c.WhatsApp.APIURL, err = server(v); return }},
	{"LLAVE_WHATSAPP_API_VERSION", "v26.0", "", "its version",
		func(c *Config, v string) (err error) { c.WhatsApp.APIVersion, err = apiVersion(v); return }},
	{"LLAVE_WHATSAPP_TEMPLATE", "", "empty: nothing is said then", "approved template, `name` or `name:language`, that asks a person to write again after the 24-hour window",
		func(c *Config, v string) (err error) { c.WhatsApp.Template, err = template(v); return }},
	{"LLAVE_WHATSAPP_RATE", "80", "", "messages a second for the whole number, shared out among the live processes",
		func(c *Config, v string) (err error) { c.WhatsAppRate, err = count(v); return }},

	{"LLAVE_INTRODUCE", "on", "", "`on`: the bot's description, commands and ice breakers are kept as they should be, but for what others wrote there; `off`",
		func(c *Config, v string) (err error) { c.Introduce, err = onOff(v); return }},

	{"LLAVE_SMTP_URL", "", "required in `serve`; embedded catcher in `demo` and `chat`", "`smtp://user:pass@host:587` (STARTTLS required), `smtps://user:pass@host:465`, `smtp://localhost:1025?tls=none` (loopback only)",
		func(c *Config, v string) (err error) { c.SMTPURL, err = smtpURL(v); return }},
	{"LLAVE_MAIL_FROM", "IESS <no-responder@localhost>", "", "sender of every letter",
		func(c *Config, v string) (err error) { c.MailFrom, err = mailAddress(v); return }},
	{"LLAVE_MAIL_REFUSED_ROW", "5", "", "so many different mailboxes refused in a row are trouble of ours, and their letters wait; 0: never",
		func(c *Config, v string) (err error) { c.MailRefusedRow, err = countOrNone(v); return }},
	{"LLAVE_MAIL_BOUNCE_DOMAIN", "", "empty: off", "domain of a return address for each letter, by which reports of delivery are known; this and the next: both or none",
		func(c *Config, v string) (err error) { c.BounceDomain, err = mailDomain(v); return }},
	{"LLAVE_BOUNCE_ADDR", "", "empty: off", "where such reports are taken: `host:port` by SMTP, `lmtp:host:port` or `lmtp:/path/of/socket` by LMTP",
		func(c *Config, v string) (err error) { c.BounceAddr, err = bounceListener(v); return }},
	{"LLAVE_LINK_TTL", "3m", "", "life of the unlock link, from the moment the mail server took the letter; 10m at most",
		func(c *Config, v string) (err error) {
			c.LinkTTL, err = between(v, time.Second, 10*time.Minute)
			return
		}},
	{"LLAVE_NOT_ME_HOLD", "24h", "", "after \"No fui yo\": how long no letter goes to that record; 720h at most",
		func(c *Config, v string) (err error) { c.NotMeHold, err = between(v, 0, 720*time.Hour); return }},
	{"LLAVE_REPORT_TO", "", "empty: nobody", "who gets the report of each month, and is written to when an owner presses \"No fui yo\" and nobody is at the desk",
		func(c *Config, v string) (err error) { c.ReportTo, err = mailbox(v); return }},
	{"LLAVE_PRIVACY_ADDRESS", "", "empty: not said", "the institution's legal address, for the privacy notice, which the law wants there: one line, 200 characters at most",
		func(c *Config, v string) (err error) { c.PrivacyAddress, err = contact(v); return }},
	{"LLAVE_PRIVACY_OFFICER", "", "empty: to be asked for at the institution's telephone", "how its data protection officer (delegado) is reached, for the same",
		func(c *Config, v string) (err error) { c.PrivacyOfficer, err = contact(v); return }},
	{"LLAVE_GENERATE_URL", "", "empty: built-in key page", "the institution's own \"Generar / Recuperar Clave\" page; the built-in page is then off",
		func(c *Config, v string) (err error) { c.GenerateURL, err = secure(v); return }},
	{"LLAVE_BREACHED_FILE", "", "empty: off", "keys known to be stolen, which nobody may choose: a local file of sorted SHA-1 hashes (see \"Stolen keys\")",
		func(c *Config, v string) error { c.BreachedFile = v; return nil }},
	{"LLAVE_EVENTS_URL", "", "empty: off", "where signed events go (Standard Webhooks)",
		func(c *Config, v string) (err error) { c.EventsURL, err = secure(v); return }},
	{"LLAVE_EVENTS_SECRET", "", "empty", "signs them: `whsec_` and 24 to 64 bytes in base64",
		func(c *Config, v string) (err error) { c.EventsSecret, err = eventsSecret(v); return }},

	{"LLAVE_DISCLOSURE", "guided", "", "`guided`: a chat tells two outcomes; `uniform`: one wording for everybody",
		func(c *Config, v string) (err error) { c.Disclosure, err = oneOf(v, Guided, Uniform); return }},
	{"LLAVE_FOREIGN_CODE_PATTERN", "", "4 to 20 letters, digits or dashes, one letter and one digit at least", "regular expression of a foreigner's code",
		func(c *Config, v string) (err error) { c.ForeignCodePattern, err = pattern(v); return }},
	{"LLAVE_OFFICES_FILE", "", "empty: no list", "offices for the in-person route, CSV or JSON: name, province, city, address; if known hours, note, lat, lon, code",
		func(c *Config, v string) error { c.OfficesFile = v; return nil }},
	{"LLAVE_MODEL_FILE", "", "empty: the model that is built in", "a model of your own of what sentences mean, made by `llave train`",
		func(c *Config, v string) error { c.ModelFile = v; return nil }},
	{"LLAVE_ABROAD_TEXT", "", "empty: nothing is added", "your own words for people abroad, in Spanish: one line, 200 characters at most",
		func(c *Config, v string) (err error) { c.AbroadText, err = sentence(v); return }},
	{"LLAVE_PORTAL_TEXT", "", "Servicios en línea, Asegurados, Afiliados", "your own words, Spanish in every chat, for how one gets into the portal with the new key: one line, 200 characters at most",
		func(c *Config, v string) (err error) { c.PortalText, err = sentence(v); return }},
	{"LLAVE_TIMEZONE", "America/Guayaquil", "", "of hours and days told to people",
		func(c *Config, v string) (err error) { c.Timezone, err = location(v); return }},
	{"LLAVE_OFFICE_HOURS", "mon-fri 08:00-17:00", "", "when agents are expected, as one writes it in English or Spanish; several spans are separated by commas",
		func(c *Config, v string) (err error) { c.OfficeHours, err = handoff.ParseHours(v); return }},
	{"LLAVE_AGENT_IDLE", "30m", "", "how long an agent stays signed in without doing anything; 5m to 12h",
		func(c *Config, v string) (err error) {
			c.AgentIdle, err = between(v, 5*time.Minute, 12*time.Hour)
			return
		}},
	{"LLAVE_AGENT_SILENCE", "10m", "", "after how long without an answer of the agent a chat goes back to the queue; 1m to 24h",
		func(c *Config, v string) (err error) {
			c.AgentSilence, err = between(v, time.Minute, 24*time.Hour)
			return
		}},
	{"LLAVE_FIRST_ANSWER_TARGET", "2m", "", "within which the desk means to give a first answer: waits are coloured by it, and those beyond it counted; 10s to 24h",
		func(c *Config, v string) (err error) {
			c.FirstAnswerTarget, err = between(v, 10*time.Second, 24*time.Hour)
			return
		}},
	{"LLAVE_AGENT_OPEN_MAX", "0", "", "how many conversations an agent has at once at most, without those put off; `0`: as many as they take",
		func(c *Config, v string) (err error) { c.AgentOpenMax, err = countOrNone(v); return }},
	{"LLAVE_SECOND_FACTOR", "optional", "", "who at the desk needs a code besides the password: `optional`: who wants one; `supervisors`; `all`. It is set up at the next sign-in",
		func(c *Config, v string) (err error) {
			c.SecondFactor, err = oneOf(v, SecondFactorOptional, SecondFactorSupervisors, SecondFactorAll)
			return
		}},
	{"LLAVE_TRUSTED_PROXIES", "", "empty: none", "networks whose `X-Forwarded-For` counts, separated by commas",
		func(c *Config, v string) (err error) { c.TrustedProxies, err = prefixes(v); return }},

	{"LLAVE_LIMIT_NUMBERS_HOUR", "3", "", "different numbers an hour, per chat",
		func(c *Config, v string) (err error) { c.Limits.NumbersHour, err = count(v); return }},
	{"LLAVE_LIMIT_NUMBERS_DAY", "10", "", "different numbers a day, per chat",
		func(c *Config, v string) (err error) { c.Limits.NumbersDay, err = count(v); return }},
	{"LLAVE_LIMIT_MAILS_WINDOW", "3", "", "mails in 15 minutes, per record, across all chats",
		func(c *Config, v string) (err error) { c.Limits.MailsWindow, err = count(v); return }},
	{"LLAVE_LIMIT_MAILS_DAY", "6", "", "mails a day, per record, across all chats",
		func(c *Config, v string) (err error) { c.Limits.MailsDay, err = count(v); return }},
	{"LLAVE_LIMIT_MESSAGES_MINUTE", "20", "", "messages a minute, per chat",
		func(c *Config, v string) (err error) { c.Limits.MessagesMinute, err = count(v); return }},
	{"LLAVE_LIMIT_COMPLAINTS_HOUR", "3", "", "complaints an hour, per chat",
		func(c *Config, v string) (err error) { c.Limits.ComplaintsHour, err = count(v); return }},
	{"LLAVE_LIMIT_COMPLAINTS_DAY", "5", "", "complaints a day, per chat",
		func(c *Config, v string) (err error) { c.Limits.ComplaintsDay, err = count(v); return }},
	{"LLAVE_LIMIT_WRONG_LINKS_MINUTE", "10", "", "wrong links a minute, per address",
		func(c *Config, v string) (err error) { c.Limits.WrongLinksMinute, err = count(v); return }},

	{"LLAVE_RETENTION_IDLE", "24h", "", "how long a conversation left alone keeps its place",
		func(c *Config, v string) (err error) { c.Retention.Idle, err = retention(v); return }},
	{"LLAVE_RETENTION_SEEN", "192h", "", "how long the ids of updates seen are kept",
		func(c *Config, v string) (err error) { c.Retention.Seen, err = retention(v); return }},
	{"LLAVE_RETENTION_TRANSCRIPT", "720h", "", "how long the lines of a chat that was handed to a person are kept",
		func(c *Config, v string) (err error) { c.Retention.Transcript, err = retention(v); return }},
	{"LLAVE_RETENTION_AUDIT", "8760h", "", "how long it is kept who did what",
		func(c *Config, v string) (err error) { c.Retention.Audit, err = retention(v); return }},
	{"LLAVE_RETENTION_COMPLAINT", "8760h", "", "how long complaints are kept",
		func(c *Config, v string) (err error) { c.Retention.Complaint, err = retention(v); return }},
	{"LLAVE_RETENTION_UNHEARD", "720h", "", "how long sentences that were not understood are kept, masked, to learn from; 24h at least, or 0: none are kept",
		func(c *Config, v string) (err error) { c.Retention.Unheard, err = noneOr(v, 24*time.Hour); return }},

	{"LLAVE_LOG_LEVEL", "info", "", "`debug`, `info`, `warn` or `error`",
		func(c *Config, v string) (err error) { c.LogLevel, err = level(v); return }},
	{"LLAVE_LOG_FORMAT", "", "`text` on a terminal, else `json`", "`text` or `json`",
		func(c *Config, v string) (err error) { c.LogFormat, err = oneOf(v, Text, JSON); return }},
	{"LLAVE_PPROF", "off", "", "`on`: profiles of the process at `/debug/pprof` on the admin listener",
		func(c *Config, v string) (err error) { c.Pprof, err = onOff(v); return }},
}

// Table is every setting with its default and its meaning, for a terminal.
func Table() string {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	plain := func(s string) string { return strings.ReplaceAll(s, "`", "") }
	for _, s := range settings {
		def := s.fallback
		if def == "" {
			def = "(" + plain(s.shown) + ")"
		}
		fmt.Fprintf(w, "%s\t%s\n\t  %s\n", s.name, def, plain(s.meaning))
	}
	w.Flush()
	b.WriteString("\nA .env file in the working directory is read, a $ in it as it stands; the environment wins.\n" +
		"The content of a file can be given instead of these, as NAME_FILE=path:\n")
	for _, name := range secrets {
		b.WriteString("  " + name + inFile + "\n")
	}
	b.WriteString("While it runs, serve reads log level, offices, model and the tokens of the channels again when it gets the signal HUP.\n")
	return b.String()
}
