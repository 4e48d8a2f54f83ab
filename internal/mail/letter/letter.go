// Package letter parses a letter from the bytes that an SMTP server was given.
//
// It serves whoever plays the mailbox: the mail catcher of `demo` and `chat`, and the servers of the tests. What takes
// delivery reports (internal/bounce) uses go-message too.
package letter

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-message"
	"github.com/emersion/go-message/mail"
)

// Link is one link of a letter's HTML part.
type Link struct {
	Text string // as a person reads it
	URL  string
}

// Letter is a parsed letter.
type Letter struct {
	Number    int // counts from 1 in the order of arrival; set by who received it
	Sender    string
	To        string // the envelope's recipients, comma-separated
	From      string // the header, decoded
	Subject   string
	MessageID string // without the angle brackets
	Date      time.Time
	Received  time.Time
	Header    map[string]string // canonical name → decoded value, the first of each
	Text      string            // text/plain part, line ends as \n
	HTML      string            // text/html part, line ends as \n
	Links     []Link            // of the HTML part, in order
	Raw       []byte
}

// Link returns the URL of the first link with that text, or "".
func (l Letter) Link(text string) string {
	i := slices.IndexFunc(l.Links, func(k Link) bool { return k.Text == text })
	if i < 0 {
		return ""
	}
	return l.Links[i].URL
}

// Parse reads a letter: its headers, the first text/plain and text/html parts, and the links of the latter. Envelope,
// Number and Received are the receiver's to fill in.
func Parse(raw []byte) (Letter, error) {
	r, err := mail.CreateReader(bytes.NewReader(raw))
	if err != nil {
		return Letter{}, fmt.Errorf("read letter: %w", err)
	}
	l := Letter{Raw: raw, Header: map[string]string{}}
	for fields := r.Header.Fields(); fields.Next(); {
		if _, seen := l.Header[fields.Key()]; seen {
			continue
		}
		value, err := fields.Text()
		if err != nil {
			value = fields.Value()
		}
		l.Header[fields.Key()] = value
	}
	l.From, l.Subject = l.Header["From"], l.Header["Subject"]
	if l.MessageID, err = r.Header.MessageID(); err != nil {
		return Letter{}, fmt.Errorf("read Message-ID: %w", err)
	}
	if l.Date, err = r.Header.Date(); err != nil {
		return Letter{}, fmt.Errorf("read Date: %w", err)
	}
	for {
		part, err := r.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			return Letter{}, fmt.Errorf("read part: %w", err)
		}
		if err := l.add(part); err != nil {
			return Letter{}, err
		}
	}
	l.Links = links(l.HTML)
	return l, nil
}

func (l *Letter) add(part *mail.Part) error {
	inline, ok := part.Header.(*mail.InlineHeader)
	if !ok {
		return nil
	}
	kind, _, err := inline.ContentType()
	if err != nil {
		return fmt.Errorf("read Content-Type: %w", err)
	}
	body, err := io.ReadAll(part.Body)
	if err != nil && !message.IsUnknownCharset(err) {
		return fmt.Errorf("read %s: %w", kind, err)
	}
	text := strings.ReplaceAll(string(body), "\r\n", "\n")
	switch {
	case kind == "text/plain" && l.Text == "":
		l.Text = text
	case kind == "text/html" && l.HTML == "":
		l.HTML = text
	}
	return nil
}

// Letters written here have plain anchors, so that two expressions do for a parser.
var (
	anchor = regexp.MustCompile(`(?is)<a\s[^>]*?href="([^"]*)"[^>]*>(.*?)</a>`)
	tag    = regexp.MustCompile(`(?s)<[^>]*>`)
)

func links(page string) []Link {
	var found []Link
	for _, m := range anchor.FindAllStringSubmatch(page, -1) {
		text := html.UnescapeString(tag.ReplaceAllString(m[2], ""))
		found = append(found, Link{Text: strings.Join(strings.Fields(text), " "), URL: html.UnescapeString(m[1])})
	}
	return found
}

// Clone returns a copy that shares no map or slice with l, save the raw bytes.
func (l Letter) Clone() Letter {
	l.Header = maps.Clone(l.Header)
	l.Links = slices.Clone(l.Links)
	return l
}
