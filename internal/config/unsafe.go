package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Warning is a setting that may stand, and is less safe than it could be.
type Warning struct {
	Setting  string
	What, Do string
}

// What is less than usual, or more than holds anybody back.
const (
	shortSecret   = 16            // signs of a secret
	fewSigns      = 12            // different bytes of a key; 32 random ones have 30 and more
	longIdle      = 2 * time.Hour // without an action at the desk
	shortAudit    = 30 * 24 * time.Hour
	manyNumbers   = 20  // an hour, for a chat
	manyLetters   = 10  // in a quarter of an hour, for a record
	manyLinks     = 100 // wrong ones a minute, for an address
	widestNetwork = 8   // bits of a network of trusted proxies
)

// Unsafe lists what `llave serve` warns of at start, and `llave doctor` too. What is plainly wrong is refused when it is read.
func (c Config) Unsafe() (list []Warning) {
	warn := func(setting, do, format string, args ...any) {
		list = append(list, Warning{setting, fmt.Sprintf(format, args...), do})
	}
	if c.SecondFactor == SecondFactorOptional || c.SecondFactor == "" {
		warn("LLAVE_SECOND_FACTOR", "set LLAVE_SECOND_FACTOR=supervisors, or all", "a password alone opens the desk")
	}
	switch wide := slices.IndexFunc(c.TrustedProxies, func(p netip.Prefix) bool { return p.Bits() < widestNetwork }); {
	case wide >= 0:
		warn("LLAVE_TRUSTED_PROXIES", "name the proxies alone", "%s is a trusted proxy: whoever writes X-Forwarded-For is believed, and no limit per address holds", c.TrustedProxies[wide])
	case len(c.TrustedProxies) == 0 && c.PublicURL != nil && c.PublicURL.Scheme == "https":
		warn("LLAVE_TRUSTED_PROXIES", "set LLAVE_TRUSTED_PROXIES to the address of what ends TLS in front of Llave", "people come by https, so a proxy stands in front, and none is trusted: all of them count as one address")
	}
	c.unsafeListeners(warn)
	c.unsafeSecrets(warn)
	c.unsafeServers(warn)
	if c.AgentIdle > longIdle {
		warn("LLAVE_AGENT_IDLE", "30m is usual", "a browser of the desk that was left open stays open for %v", c.AgentIdle)
	}
	if c.Retention.Audit > 0 && c.Retention.Audit < shortAudit {
		warn("LLAVE_RETENTION_AUDIT", "a year is usual", "who did what is forgotten after %v, often before anybody asks", c.Retention.Audit)
	}
	for _, l := range []struct {
		setting  string
		is, most int
	}{
		{"LLAVE_LIMIT_NUMBERS_HOUR", c.Limits.NumbersHour, manyNumbers}, {"LLAVE_LIMIT_MAILS_WINDOW", c.Limits.MailsWindow, manyLetters},
		{"LLAVE_LIMIT_WRONG_LINKS_MINUTE", c.Limits.WrongLinksMinute, manyLinks},
	} {
		if l.is > l.most {
			warn(l.setting, "leave it out, or lower it", "%d holds nobody back", l.is)
		}
	}
	return list
}

func (c Config) unsafeListeners(warn func(setting, do, format string, args ...any)) {
	if c.AdminAddr != "" && !loopbackAddr(c.AdminAddr) {
		warn("LLAVE_ADMIN_ADDR", "listen on 127.0.0.1, or let nobody but the collector reach it", "metrics and health are open to whoever reaches %s", c.AdminAddr)
	}
	if c.Pprof {
		warn("LLAVE_PPROF", "set LLAVE_PPROF=off when you have seen what you looked for", "whoever reaches the admin listener sees profiles of the process, and can make it work")
	}
	if c.PublicURL != nil && c.PublicURL.Scheme == "http" && !loopbackAddr(c.HTTPAddr) {
		warn("LLAVE_PUBLIC_URL", "set LLAVE_PUBLIC_URL to the https address that people reach, or LLAVE_HTTP_ADDR to 127.0.0.1", "pages are served without TLS to whoever reaches %s, passwords and links in clear", c.HTTPAddr)
	}
}

func (c Config) unsafeSecrets(warn func(setting, do, format string, args ...any)) {
	for _, k := range c.SecretKey {
		different := map[byte]bool{}
		for _, b := range k {
			different[b] = true
		}
		if len(different) < fewSigns {
			warn("LLAVE_SECRET_KEY", "put another in front: openssl rand -base64 32", "a key is not random: it has %d different bytes", len(different))
		}
	}
	for _, s := range []struct {
		setting string
		value   Secret
	}{
		{"LLAVE_TELEGRAM_WEBHOOK_SECRET", c.TelegramWebhookSecret}, {"LLAVE_WHATSAPP_APP_SECRET", c.WhatsApp.AppSecret}, {"LLAVE_WHATSAPP_VERIFY_TOKEN", c.WhatsApp.VerifyToken},
	} {
		if n := len(s.value.Reveal()); n > 0 && n < shortSecret {
			warn(s.setting, fmt.Sprintf("use %d random signs and more", shortSecret), "it has %d signs, and can be guessed", n)
		}
	}
}

func (c Config) unsafeServers(warn func(setting, do, format string, args ...any)) {
	for _, s := range []struct {
		setting, address string
		on               bool
	}{
		{"LLAVE_TELEGRAM_API_URL", c.TelegramAPIURL, c.TelegramToken != ""}, {"LLAVE_WHATSAPP_API_URL", c.WhatsApp.APIURL, c.WhatsApp.On()},
	} {
		if u, err := url.Parse(s.address); s.on && err == nil && u.Scheme == "http" && !Loopback(u.Hostname()) {
			warn(s.setting, "use https", "the channel's token and what people write go to %s in clear", u.Hostname())
		}
	}
	if c.MongoDBURI == "" {
		return
	}
	u, err := url.Parse(c.MongoDBURI.Reveal())
	if err != nil { // several hosts with ports: the rest is read by hand
		u = &url.URL{}
		_, u.RawQuery, _ = strings.Cut(c.MongoDBURI.Reveal(), "?")
		u.Scheme, u.Host, _ = strings.Cut(c.MongoDBURI.Reveal(), "://")
		u.Host, _, _ = strings.Cut(u.Host, "/")
		if user, host, ok := strings.Cut(u.Host, "@"); ok {
			u.User, u.Host = url.User(user), host
		}
	}
	here := true
	for host := range strings.SplitSeq(u.Host, ",") {
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		here = here && Loopback(strings.Trim(host, "[]"))
	}
	q := u.Query()
	tls := u.Scheme == "mongodb+srv" || q.Has("tls") || q.Has("ssl")
	if q.Get("tls") == "false" || q.Get("ssl") == "false" {
		tls = false
	}
	switch {
	case here:
	case !tls:
		warn("LLAVE_MONGODB_URI", "add tls=true", "what is kept goes to another machine in clear")
	case u.User == nil && q.Get("authMechanism") == "":
		warn("LLAVE_MONGODB_URI", "name a user and a password", "the database lets in whoever reaches it, if it lets us in")
	}
}

// loopbackAddr says whether a listener is reached from this machine alone.
func loopbackAddr(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	return err == nil && host != "" && Loopback(host)
}
