package mail

import (
	"bytes"
	"maps"
	netmail "net/mail"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"llave/internal/address"
	"llave/internal/mail/letter"
)

// FuzzLetter: whatever a letter is made of, what is sent has the headers of a letter and no other, and says what was given.
func FuzzLetter(f *testing.F) {
	f.Add("ana@example.com", "SOLICITUD DESBLOQUEO DE CLAVE", "a1/link", "Hola.\nAdiós", "<p>Hola</p>", "es")
	f.Add("ana@ejemplo.com", "Ñandú ¿qué? "+strings.Repeat("x", 200), "b@c", ".\r\n.\r\nFrom x", "<a href='https://a'>b</a>", "en")
	f.Add("a@b.ec\r\nBcc: x@y.ec", "a\r\nBcc: x@y.ec", "a\r\nX: y", "\x00", "", "es\r\nX: y")
	f.Fuzz(func(t *testing.T, to, subject, id, text, html, lang string) {
		wire, err := address.Wire(to)
		if err != nil {
			return
		}
		if lang != "" && lang != "en" {
			lang = "es" // our own folders' names: see Composer
		}
		l := Letter{To: wire, Subject: subject, MessageID: id, Text: text, HTML: html, Lang: lang, Date: time.Unix(0, 0), AutoSubmitted: true}
		if l.check() != nil {
			return
		}
		var raw bytes.Buffer
		if err := writeMessage(&raw, l.message(&netmail.Address{Name: "IESS", Address: "no-responder@example.org"})); err != nil {
			t.Fatalf("not written: %v", err)
		}
		head, _, _ := bytes.Cut(raw.Bytes(), []byte("\r\n\r\n"))
		m, err := netmail.ReadMessage(bytes.NewReader(raw.Bytes()))
		if err != nil {
			t.Fatalf("cannot be read: %v\n%q", err, head)
		}
		known := []string{"Auto-Submitted", "Content-Language", "Content-Transfer-Encoding", "Content-Type", "Date", "From", "Message-Id", "Mime-Version", "Subject", "To", "X-Auto-Response-Suppress"}
		for _, name := range slices.Sorted(maps.Keys(m.Header)) {
			if !slices.Contains(known, name) || len(m.Header[name]) != 1 {
				t.Errorf("the header %s: %q", name, m.Header[name])
			}
		}
		for line := range bytes.SplitSeq(raw.Bytes(), []byte("\r\n")) {
			if len(line) > 998 || bytes.ContainsAny(line, "\r\n") {
				t.Errorf("a line of %d bytes, or with an end in it", len(line))
			}
		}
		got, err := letter.Parse(raw.Bytes())
		if err != nil {
			t.Fatalf("our own mailbox cannot read it: %v", err)
		}
		if bare := func(s string) string { return strings.Join(strings.Fields(s), " ") }; bare(got.Subject) != bare(subject) {
			t.Errorf("the subject %q became %q", subject, got.Subject)
		}
	})
}

// FuzzCompose: whatever the parts of a letter are, it is refused or its links lead to us, in one line of a subject.
func FuzzCompose(f *testing.F) {
	c, err := NewComposer(ComposerOptions{PublicURL: publicURL})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint8(0), "telegram", publicURL+"/desbloqueo/abc", publicURL+"/no-fui-yo/abc", "en", "")
	f.Add(uint8(1), "<script>", "javascript:alert(1)", publicURL+"/\"><img src=x>", "../es", "")
	f.Add(uint8(8), "web", "", "", "", "N<b>1\r\nBcc: x")
	f.Add(uint8(2), "terminal", publicURL+"@evil.example/", publicURL+".evil.example", "es", "")
	f.Fuzz(func(t *testing.T, kind uint8, channel, link, notMe, lang, ref string) {
		l, err := c.Compose(Kinds[int(kind)%len(Kinds)], Data{Lang: lang, Channel: channel, At: time.Unix(1e9, 0), TTL: time.Minute, Link: link, NotMe: notMe, Case: ref})
		if err != nil {
			return
		}
		if strings.ContainsAny(l.Subject, "\r\n") {
			t.Errorf("the subject has lines: %q", l.Subject)
		}
		parsed, err := letter.Parse([]byte("Content-Type: text/html; charset=utf-8\r\n\r\n" + l.HTML))
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range parsed.Links {
			u, err := url.Parse(k.URL)
			if err != nil || !slices.Contains(c.origins, u.Scheme+"://"+u.Host) && u.Scheme != "mailto" && u.Scheme != "tel" {
				t.Errorf("%q leads to %q", k.Text, k.URL)
			}
		}
	})
}
