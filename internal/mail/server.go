package mail

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// Security says how the way to the mail server is protected.
type Security string

// The three ways of LLAVE_SMTP_URL.
const (
	StartTLS    Security = "starttls" // smtp://: TLS is asked for and required
	ImplicitTLS Security = "tls"      // smtps://: TLS from the first byte
	Plain       Security = "none"     // ?tls=none: loopback only
)

// Password prints as [redacted] whatever the verb, inside other values too.
type Password struct{ text *string }

// NewPassword hides [text].
func NewPassword(text string) Password { return Password{&text} }

// Reveal returns the password itself.
func (p Password) Reveal() string {
	if p.text == nil {
		return ""
	}
	return *p.text
}

// String keeps the password out of logs.
func (Password) String() string { return "[redacted]" }

// Format keeps it out of every verb.
func (Password) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[redacted]") }

// MarshalJSON keeps it out of JSON.
func (Password) MarshalJSON() ([]byte, error) { return json.Marshal("[redacted]") }

// Server is a mail server and how to sign in there, as LLAVE_SMTP_URL has it.
type Server struct {
	Host     string
	Port     int
	Security Security
	User     string // empty: no sign-in
	Password Password
}

// Addr is host:port.
func (s Server) Addr() string { return net.JoinHostPort(s.Host, strconv.Itoa(s.Port)) }

// String names the server without the password.
func (s Server) String() string { return fmt.Sprintf("%s (%s)", s.Addr(), s.Security) }

// The mistakes in a URL have fixed words, since whatever stands in the wrong place may be a piece of the password.
var (
	errURLShape  = errors.New(`it cannot be read as smtp://user:password@host:587, smtps://user:password@host:465 or smtp://localhost:1025?tls=none; special characters in user and password are written as %XX (@ is %40, / is %2F, # is %23, ? is %3F, % is %25)`)
	errURLScheme = errors.New("it must begin with smtp:// (STARTTLS) or smtps:// (TLS)")
	errURLHost   = errors.New("the host is missing")
	errURLPort   = errors.New("the port must be a number from 1 to 65535")
	errURLAfter  = errors.New("nothing but ?tls=none may follow the host and port; special characters in user and password are written as %XX (/ is %2F, # is %23, ? is %3F)")
	errURLUser   = errors.New("user and password must both be there, or neither")
	errURLPlain  = errors.New("tls=none is for smtp:// only")
)

// ParseURL reads the value of LLAVE_SMTP_URL. The ports default to 587, to 465 for smtps and to 25 for tls=none. Its
// errors say what is wrong in the operator's words and never hold a piece of the password.
func ParseURL(s string) (Server, error) {
	u, err := url.Parse(strings.TrimSpace(s))
	if err != nil || u.Opaque != "" {
		return Server{}, errURLShape // url's own errors print the URL
	}
	var srv Server
	switch u.Scheme {
	case "smtp":
		srv.Security, srv.Port = StartTLS, 587
	case "smtps":
		srv.Security, srv.Port = ImplicitTLS, 465
	default:
		return Server{}, errURLScheme
	}
	if (u.Path != "" && u.Path != "/") || u.Fragment != "" || (u.RawQuery != "" && u.RawQuery != "tls=none") {
		return Server{}, errURLAfter
	}
	if u.RawQuery == "tls=none" {
		if srv.Security == ImplicitTLS {
			return Server{}, errURLPlain
		}
		srv.Security, srv.Port = Plain, 25
	}
	if srv.Host = u.Hostname(); srv.Host == "" {
		return Server{}, errURLHost
	}
	if port := u.Port(); port != "" {
		srv.Port, err = strconv.Atoi(port)
		if err != nil || srv.Port < 1 || srv.Port > 65535 {
			return Server{}, errURLPort
		}
	}
	if u.User != nil {
		password, ok := u.User.Password()
		if !ok || password == "" || u.User.Username() == "" {
			return Server{}, errURLUser
		}
		srv.User, srv.Password = u.User.Username(), NewPassword(password)
	}
	if srv.Security == Plain && !isLoopback(srv.Host) {
		return Server{}, fmt.Errorf("tls=none is for the same machine only (localhost, 127.0.0.1, [::1]), and %q is not: leave it out, and the connection is encrypted", srv.Host)
	}
	return srv, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}
