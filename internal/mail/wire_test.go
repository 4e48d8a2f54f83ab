package mail

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"llave/internal/bottest"
)

var (
	fieldName = regexp.MustCompile(`^[!-9;-~]+$`)          // RFC 5322 3.6.8
	alone     = regexp.MustCompile(`^([!-9;-~]+:)? ?\S+$`) // one word, which cannot be folded
	qpLine    = regexp.MustCompile(`^(?:[!-<>-~\t ]|=[0-9A-F]{2})*=?$`)
)

// strict reads a letter's bytes as they arrived by the letter of the standards, and returns its header and parts by type.
func strict(t *testing.T, raw []byte) (netmail.Header, map[string]string) {
	t.Helper()
	if i := bytes.IndexByte(bytes.ReplaceAll(raw, []byte("\r\n"), nil), '\n'); i >= 0 || bytes.Count(raw, []byte("\r")) != bytes.Count(raw, []byte("\r\n")) {
		t.Error("a line ends with something else than CRLF")
	}
	for i, line := range strings.Split(string(raw), "\r\n") {
		if len(line) > 998 || len(line) > 78 && !alone.MatchString(line) { // RFC 5322 2.1.1
			t.Errorf("line %d has %d octets: %q", i+1, len(line), line)
		}
		if j := strings.IndexFunc(line, func(r rune) bool { return r > '~' || r < ' ' && r != '\t' }); j >= 0 {
			t.Errorf("line %d holds %q", i+1, line[j])
		}
	}
	head, _, found := strings.Cut(string(raw), "\r\n\r\n")
	if !found {
		t.Fatal("no empty line ends the header")
	}
	seen := map[string]int{}
	for field := range strings.SplitSeq(strings.NewReplacer("\r\n ", " ", "\r\n\t", "\t").Replace(head), "\r\n") {
		name, body, ok := strings.Cut(field, ":")
		if !ok || !fieldName.MatchString(name) || strings.TrimSpace(body) == "" {
			t.Errorf("no header field: %q", field)
		}
		seen[strings.ToLower(name)]++
	}
	for _, name := range []string{"date", "from", "to", "subject", "message-id", "mime-version", "content-type", "content-language", "auto-submitted"} {
		if seen[name] != 1 {
			t.Errorf("%s stands %d times, want once", name, seen[name])
		}
	}
	for name, n := range seen {
		if n > 1 || strings.HasPrefix(name, "list-") || name == "feedback-id" || name == "bcc" || name == "precedence" {
			t.Errorf("the header has %s, %d times", name, n)
		}
	}
	m, err := netmail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return m.Header, strictParts(t, m)
}

// strictParts are the parts of a letter by their type, decoded.
func strictParts(t *testing.T, m *netmail.Message) map[string]string {
	t.Helper()
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("Content-Type %q: %v", m.Header.Get("Content-Type"), err)
	}
	parts, order := map[string]string{}, ""
	for r := multipart.NewReader(m.Body, params["boundary"]); ; {
		p, err := r.NextRawPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		coded, err := io.ReadAll(p)
		if err != nil {
			t.Fatal(err)
		}
		kind, params, err := mime.ParseMediaType(p.Header.Get("Content-Type"))
		if err != nil || !strings.EqualFold(params["charset"], "utf-8") || p.Header.Get("Content-Transfer-Encoding") != "quoted-printable" {
			t.Errorf("part %v: %v", p.Header, err)
		}
		for line := range strings.SplitSeq(string(coded), "\r\n") {
			if !qpLine.MatchString(line) || len(line) > 76 || strings.HasSuffix(line, " ") || strings.HasSuffix(line, "\t") {
				t.Errorf("no line of quoted-printable: %q", line) // RFC 2045 6.7
			}
		}
		plain, err := io.ReadAll(quotedprintable.NewReader(bytes.NewReader(coded)))
		if err != nil || !utf8.Valid(plain) {
			t.Errorf("%s: %v", kind, err)
		}
		parts[kind] = string(plain)
		order += kind + " "
	}
	if order != "text/plain text/html " {
		t.Errorf("the parts are %s", order)
	}
	return parts
}

// Every letter in every language, as it comes out of the mail server: what it is made of keeps to the standards, however long the names
// in it are.
func TestWire(t *testing.T) {
	server := startSMTP(t, bottest.SMTPOptions{})
	for _, to := range []string{"ana@example.org", strings.Repeat("a", 60) + "@" + strings.Repeat("correo.", 20) + "example.org"} {
		for i, lang := range []string{"", "en"} {
			for _, kind := range Kinds {
				t.Run(fmt.Sprint(kind, lang, len(to)), func(t *testing.T) {
					d := sample(t, kind)
					d.Lang = lang
					l := compose(t, kind, d)
					l.To, l.MessageID, l.Date = to, strings.Repeat("m", 43), d.At
					if err := newSender(t, server, Options{}).Send(t.Context(), l); err != nil {
						t.Fatal(err)
					}
					all := server.Letters()
					h, parts := strict(t, all[len(all)-1].Raw)
					want := map[string]string{
						"Message-Id": "<" + strings.Repeat("m", 43) + "@example.org>", "Auto-Submitted": "auto-generated", "Content-Language": []string{"es", "en"}[i],
					}
					if kind.inside() {
						want["Content-Language"] = "es"
					}
					for name, value := range want {
						if got := h.Get(name); got != value {
							t.Errorf("%s is %q, want %q", name, got, value)
						}
					}
					if when, err := h.Date(); err != nil || !when.Equal(d.At.Truncate(time.Second)) {
						t.Errorf("Date is %v (%v), want %v", when, err, d.At)
					}
					if parts["text/plain"] != strings.ReplaceAll(l.Text, "\n", "\r\n") || parts["text/html"] != strings.ReplaceAll(l.HTML, "\n", "\r\n") {
						t.Error("what arrives is not what was written")
					}
				})
			}
		}
	}
}

// A link stands alone in its line, also in the bytes, where the host is not longer than 25 characters: a second chat's letter has the
// longest token.
func TestWire_linkInOneLine(t *testing.T) {
	const token = "abcdefghijABCDEFGHIJ-_abcdefgh"
	site := "https://" + strings.Repeat("h", 14) + ".example.ec"
	c, err := NewComposer(ComposerOptions{PublicURL: site})
	if err != nil {
		t.Fatal(err)
	}
	d := sample(t, Unlock)
	d.Link, d.NotMe = site+"/desbloqueo/"+token, site+"/no-fui-yo/"+token
	for _, lang := range []string{"", "en"} {
		d.Lang = lang
		l, err := c.Compose(Unlock, d)
		if err != nil {
			t.Fatal(err)
		}
		l.To, l.MessageID, l.Date = "ana@example.org", "derived", d.At
		server := startSMTP(t, bottest.SMTPOptions{})
		if err := newSender(t, server, Options{}).Send(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		raw := string(server.Letters()[0].Raw)
		for _, link := range []string{d.Link, d.NotMe} {
			if !strings.Contains(raw, "\r\n"+link+"\r\n") {
				t.Errorf("%d characters are broken: %s\n%s", len(link), link, raw)
			}
		}
	}
}
