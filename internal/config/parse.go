package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	mailaddress "llave/internal/address"
	"llave/internal/secret"
)

// Every function here turns a value into what it means, or says in one sentence what is wrong with it and what is
// expected. Those for secrets do not repeat the value.

func address(v string) (string, error) {
	_, port, err := net.SplitHostPort(v)
	_, bad := strconv.ParseUint(port, 10, 16)
	if err != nil || bad != nil {
		return "", fmt.Errorf("%q is no address to listen on; expected host:port, such as :8080 or 127.0.0.1:9090", v)
	}
	return v, nil
}

// absolute parses an http or https address with a host and no user, query or fragment.
func absolute(v string) (*url.URL, error) {
	u, err := url.Parse(v)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" {
		return nil, errors.New("is no web address; expected https://host")
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.ForceQuery {
		return nil, errors.New("has a user, a query or a fragment; expected https://host and at most a path")
	}
	return u, nil
}

// secure is absolute, and https where the way leaves the machine.
func secure(v string) (*url.URL, error) {
	u, err := absolute(v)
	if err != nil {
		return nil, err
	}
	if u.Scheme != "https" && !Loopback(u.Hostname()) {
		return nil, fmt.Errorf("begins with http:// and %s is not this machine; expected https://", u.Hostname())
	}
	return u, nil
}

func base(v string) (*url.URL, error) {
	u, err := secure(v)
	if err != nil {
		return nil, err
	}
	if strings.Trim(u.Path, "/") != "" {
		return nil, fmt.Errorf("has the path %s; expected the host alone, such as https://llave.example", u.Path)
	}
	u.Path = ""
	return u, nil
}

// server is the address of somebody else's interface; one inside the institution's own network may be http.
func server(v string) (string, error) {
	u, err := absolute(v)
	if err != nil {
		return "", err
	}
	return strings.TrimRight(u.String(), "/"), nil
}

// Loopback says whether a host is the machine itself.
func Loopback(host string) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		return a.IsLoopback()
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// mongoHostShape is a host of an address, with its port, an address of IPv6, or the path of a socket.
var mongoHostShape = regexp.MustCompile(`^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.%]+\])(:[0-9]{1,5})?$|^%2[Ff][A-Za-z0-9._%-]+\.sock$`)

// mongoURI reads an address of MongoDB. One whose password has signs of the address itself, not escaped, is refused: a piece of it
// would be taken for a host, printed, and asked of DNS.
func mongoURI(v string) (Secret, error) {
	const expected = "expected mongodb://host:27017/ or mongodb+srv://host/"
	scheme, rest, ok := strings.Cut(v, "://")
	if !ok || rest == "" || scheme != "mongodb" && scheme != "mongodb+srv" {
		return "", errors.New("is no MongoDB address; " + expected)
	}
	hosts := rest
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		hosts = rest[:i]
	}
	after := rest[len(hosts):]
	user, pass := "", ""
	if i := strings.LastIndex(hosts, "@"); i >= 0 {
		user, hosts = hosts[:i], hosts[i+1:]
		user, pass, _ = strings.Cut(user, ":")
	}
	_, badUser := url.PathUnescape(user)
	_, badPass := url.PathUnescape(pass)
	if strings.Contains(after, "@") || strings.ContainsAny(user+pass, ":@/?#[]") || badUser != nil || badPass != nil {
		return "", errors.New("has a user or password with one of : / ? # [ ] @ %, which are written %3A %2F %3F %23 %5B %5D %40 %25; expected mongodb://user:pass@host/")
	}
	for host := range strings.SplitSeq(hosts, ",") {
		if !mongoHostShape.MatchString(host) {
			return "", errors.New("has a host that is none; " + expected)
		}
	}
	return Secret(v), nil
}

func databaseName(v string) (string, error) {
	if len(v) > 63 || strings.ContainsAny(v, "/\\. \"$*<>:|?\x00") {
		return "", fmt.Errorf("%q is no name for a database; expected at most 63 letters, digits, dashes or underscores", v)
	}
	return v, nil
}

func secretKeys(v string) (secret.Keys, error) {
	keys, err := secret.ParseKeys(v)
	if err != nil {
		return nil, fmt.Errorf("%w; expected 32 bytes or more in base64, several separated by commas", err)
	}
	return keys, nil
}

var telegramTokenShape = regexp.MustCompile(`^[0-9]+:[A-Za-z0-9_-]+$`)

func telegramToken(v string) (Secret, error) {
	if !telegramTokenShape.MatchString(v) {
		return "", errors.New("is no bot token; expected digits, a colon, and letters, as BotFather shows it")
	}
	return Secret(v), nil
}

var webhookSecretShape = regexp.MustCompile(`^[A-Za-z0-9_-]{1,256}$`)

func webhookSecret(v string) (Secret, error) {
	if !webhookSecretShape.MatchString(v) {
		return "", errors.New("is not what Telegram takes; expected 1 to 256 letters, digits, dashes or underscores")
	}
	return Secret(v), nil
}

func digits(v string) (string, error) {
	if strings.Trim(v, "0123456789") != "" {
		return "", errors.New("is not the id of a number; expected digits alone")
	}
	return v, nil
}

var apiVersionShape = regexp.MustCompile(`^v[0-9]+\.[0-9]+$`)

func apiVersion(v string) (string, error) {
	if !apiVersionShape.MatchString(v) {
		return "", fmt.Errorf("%q is no version; expected one such as v26.0", v)
	}
	return v, nil
}

var templateShape = regexp.MustCompile(`^[a-z0-9_]{1,512}(:[A-Za-z]{2,3}(_[A-Za-z]+)*)?$`)

// template reads the name of an approved template and its language, which is Spanish unless said.
func template(v string) (string, error) {
	if !templateShape.MatchString(v) {
		return "", fmt.Errorf("%q is no template; expected its name (small letters, digits and underscores) and language, such as aviso:es", v)
	}
	if !strings.Contains(v, ":") {
		v += ":es"
	}
	return v, nil
}

func smtpURL(v string) (Secret, error) {
	const expected = "expected smtp://user:pass@host:587, smtps://user:pass@host:465 or smtp://localhost:1025?tls=none" //nolint:gosec // what a refusal says is expected
	u, err := url.Parse(v)
	if err != nil || (u.Scheme != "smtp" && u.Scheme != "smtps") || u.Hostname() == "" {
		return "", errors.New("is no mail server's address; " + expected + "; special characters in user and password are written as %XX (@ is %40, / is %2F, # is %23, ? is %3F, % is %25)")
	}
	if strings.Trim(u.Path, "/") != "" || u.Fragment != "" {
		return "", errors.New("has a path or a fragment (a password with / or # is written %2F or %23); " + expected)
	}
	q := u.Query()
	tls := q["tls"]
	q.Del("tls")
	switch {
	case len(q) > 0 || len(tls) > 1 || len(tls) == 1 && tls[0] != "none":
		return "", errors.New("has an option that is not known; the only one is tls=none")
	case len(tls) == 1 && u.Scheme == "smtps":
		return "", errors.New("asks for smtps and for tls=none; expected one of them")
	case len(tls) == 1 && !Loopback(u.Hostname()):
		return "", fmt.Errorf("has tls=none and %s is not this machine; expected a server that offers STARTTLS", u.Hostname())
	}
	return Secret(v), nil
}

func mailAddress(v string) (string, error) {
	if _, err := mailaddress.Sender(v); err != nil {
		return "", errors.New("is no sender; expected Name <mailbox@host>")
	}
	return v, nil
}

// mailbox is an address alone, as letters are sent to, in angle brackets or without.
func mailbox(v string) (string, error) {
	if inner, ok := strings.CutPrefix(v, "<"); ok {
		if v, ok = strings.CutSuffix(inner, ">"); !ok {
			v = "" // one bracket alone
		}
	}
	if _, err := mailaddress.Wire(v); err != nil {
		return "", errors.New("is no address; expected mailbox@host")
	}
	return v, nil
}

var mailDomainShape = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}$`)

// mailDomain is a domain as an envelope has it. A return address has 62 characters before the @, of 254 in all.
func mailDomain(v string) (string, error) {
	v = strings.ToLower(v)
	_, err := mailaddress.Wire("b@" + v) // what it refuses no letter could be sent with
	if err != nil || len(v) > 190 || !mailDomainShape.MatchString(v) {
		return "", fmt.Errorf("%q is no mail domain; expected one such as rebotes.example.org, beyond ASCII as xn--…", v)
	}
	return v, nil
}

// bounceListener reads host:port, lmtp:host:port or lmtp:/path.
func bounceListener(v string) (BounceListener, error) {
	addr, lmtp := strings.CutPrefix(v, "lmtp:")
	if lmtp && strings.HasPrefix(addr, "/") {
		return BounceListener{LMTP: true, Network: "unix", Addr: addr}, nil
	}
	if _, err := address(addr); err != nil {
		return BounceListener{}, fmt.Errorf("%q is nowhere to take mail; expected host:port, lmtp:host:port or lmtp:/path/of/socket", v)
	}
	return BounceListener{LMTP: lmtp, Network: "tcp", Addr: addr}, nil
}

func eventsSecret(v string) (Secret, error) {
	rest, ok := strings.CutPrefix(v, "whsec_")
	b, err := base64.StdEncoding.DecodeString(rest)
	if !ok || err != nil || len(b) < 24 || len(b) > 64 {
		return "", errors.New("is no Standard Webhooks secret; expected whsec_ and 24 to 64 bytes in base64")
	}
	return Secret(v), nil
}

func pattern(v string) (*regexp.Regexp, error) {
	if _, err := regexp.Compile(v); err != nil {
		return nil, fmt.Errorf("%w; expected a regular expression (RE2)", err)
	}
	return regexp.Compile("(?i:" + v + ")") // a code is the same in capitals and small letters (P115)
}

// sentenceMax is how long words of the institution's own may be inside a text of the chat: the text around them is as long
// again, and a WhatsApp message with buttons holds 1,024 characters.
const sentenceMax = 200

// sentence is plain text for people, on one line, with a full stop. Braces would be taken for what is filled in.
func sentence(v string) (string, error) {
	v, err := plain(v, "{}<>*_`", "{ } < > * _ or `")
	if last, _ := utf8.DecodeLastRuneInString(v); err == nil && !strings.ContainsRune(".!?…", last) {
		v += "."
	}
	return v, err
}

// contact is how somebody is found, in words for people.
func contact(v string) (string, error) { return plain(v, "{}<>", "{ } < or >") }

// plain is plain text on one line without some signs, which [named] names for people.
func plain(v, without, named string) (string, error) {
	v = strings.TrimSpace(v)
	n := utf8.RuneCountInString(v)
	switch {
	case !utf8.ValidString(v):
		return "", errors.New("is not UTF-8; expected plain text")
	case n == 0 || n > sentenceMax:
		return "", fmt.Errorf("has %d characters; expected 1 to %d", n, sentenceMax)
	case strings.ContainsFunc(v, func(r rune) bool { return !unicode.IsPrint(r) || strings.ContainsRune(without, r) }):
		return "", fmt.Errorf("holds a line break or markup; expected plain text on one line, without %s", named)
	}
	return v, nil
}

func location(v string) (*time.Location, error) {
	l, err := time.LoadLocation(v)
	if err != nil || v == "Local" {
		return nil, fmt.Errorf("%q is no time zone; expected one such as America/Guayaquil", v)
	}
	return l, nil
}

func prefixes(v string) ([]netip.Prefix, error) {
	var list []netip.Prefix
	for part := range strings.SplitSeq(v, ",") {
		part = strings.TrimSpace(part)
		p, err := netip.ParsePrefix(part)
		if a, alone := netip.ParseAddr(part); alone == nil {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil {
			return nil, fmt.Errorf("%q is no network; expected 10.0.0.0/8 or one address, several separated by commas", part)
		}
		list = append(list, p.Masked())
	}
	return list, nil
}

func oneOf[T ~string](v string, choices ...T) (T, error) {
	var names []string
	for _, c := range choices {
		if v == string(c) {
			return c, nil
		}
		names = append(names, string(c))
	}
	return "", fmt.Errorf("%q is not known; expected %s", v, strings.Join(names, " or "))
}

func onOff(v string) (bool, error) {
	v, err := oneOf(v, "on", "off")
	return v == "on", err
}

func count(v string) (int, error) {
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > 1_000_000 {
		return 0, fmt.Errorf("%q cannot be; expected a whole number, 1 or more", v)
	}
	return n, nil
}

// countOrNone is a count that 0 turns off.
func countOrNone(v string) (int, error) {
	if v == "0" {
		return 0, nil
	}
	n, err := count(v)
	if err != nil {
		return 0, fmt.Errorf("%w; 0 turns it off", err)
	}
	return n, nil
}

func between(v string, low, high time.Duration) (time.Duration, error) {
	d, err := time.ParseDuration(v)
	if err != nil || d < low || d > high {
		return 0, fmt.Errorf("%q cannot be; expected a time from %v to %v, written like 90s, 3m or 24h", v, low, high)
	}
	return d, nil
}

// retention is at least a minute, so that nothing goes before it was looked at, and at most ten years.
func retention(v string) (time.Duration, error) {
	return between(v, time.Minute, 10*8760*time.Hour)
}

// noneOr reads a retention that is 0 or [least] and more.
func noneOr(v string, least time.Duration) (time.Duration, error) {
	if d, err := time.ParseDuration(v); err == nil && d == 0 {
		return 0, nil
	}
	d, err := between(v, least, 10*8760*time.Hour)
	if err != nil {
		return 0, fmt.Errorf("%w, or 0", err)
	}
	return d, nil
}

func level(v string) (slog.Level, error) {
	for _, l := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		if strings.EqualFold(v, l.String()) {
			return l, nil
		}
	}
	return 0, fmt.Errorf("%q is no level; expected debug, info, warn or error", v)
}
