// Package mail writes the letters and hands them to the mail server.
//
// A Composer turns a kind of letter and a few facts into text and HTML; every word is in templates/, Spanish first, another
// language in a folder of its own. A Sender hands a letter over and returns nil once the server has answered 250 to it,
// which starts the life of a link. Otherwise its error is a *bot.SendError that says whether a retry is worth anything (the
// table is at Judge, in verdict.go). A retry sends the same letter: Message-ID, date and boundary come from the caller or
// are derived, so that a mailbox can tell a repeat.
//
// A Sender pools its connections and drives go-mail's SMTP client itself, command by command. go-mail's own Client was
// turned down: it reports an accepted letter as failed when the RSET behind it fails, puts the recipient into its errors,
// sets no deadline on the greeting, leaks the connection when the dialogue after the greeting fails, and needs seven round
// trips a letter where four do. No other package uses go-mail.
package mail

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"strings"
	"time"

	"llave/internal/address"

	gomail "github.com/wneessen/go-mail"
)

// Letter is what goes out. Text and HTML say the same.
type Letter struct {
	To            string // one bare address (address.Wire)
	ReturnPath    string // the same, of the envelope; "" is the sender's own
	Subject       string
	Text          string
	HTML          string
	Lang          string // of both; "": Spanish
	MessageID     string // without brackets; what is left of the @ is enough. The same promise has the same one
	Date          time.Time
	AutoSubmitted bool // written by a machine: no out-of-office answers, please
	// Still is asked once the server is ready for the letter, last before it gets it: an error ends the sending there. nil: nobody
	// is asked.
	Still func() error
}

// check refuses what must not reach a header, but for the recipient. The errors hold nothing of the letter.
func (l Letter) check() error {
	if _, err := address.Wire(l.ReturnPath); err != nil && l.ReturnPath != "" {
		return fmt.Errorf("the return path is %w", err)
	}
	switch {
	case l.Subject == "" || address.HasUnseen(l.Subject):
		return errors.New("the subject is empty or holds a character that is not seen")
	case !isMessageID(l.MessageID):
		return errors.New("the Message-ID is empty or holds a character that does not belong there")
	case l.Text == "":
		return errors.New("the letter has no text")
	}
	return nil
}

// isMessageID says whether an id is one that every mail program reads (RFC 5322 3.6.4, without quotes), with a domain or without.
func isMessageID(id string) bool {
	left, right, domain := strings.Cut(id, "@")
	for _, half := range []string{left, right} {
		switch {
		case half == "" && !domain && left != "":
		case half == "" || strings.ContainsFunc(half, notInMessageID) || strings.Contains(half, "@") || strings.Contains("."+half+".", ".."):
			return false
		}
	}
	return true
}

func notInMessageID(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune(`<>()[],;:\"`, r)
}

// message lays the letter out; its recipient is in wire form (address.Wire), and so is From. The same letter gives the same
// bytes, whatever the server can do.
func (l Letter) message(from *mail.Address) *gomail.Msg {
	id := l.MessageID
	if !strings.Contains(id, "@") {
		_, domain, _ := strings.Cut(from.Address, "@")
		id += "@" + domain
	}
	sum := sha256.Sum256([]byte(id))
	m := gomail.NewMsg(
		gomail.WithNoDefaultUserAgent(),
		gomail.WithEncoding(gomail.EncodingQP),
		gomail.WithBoundary("llave-"+hex.EncodeToString(sum[:12])),
	)
	m.FromMailAddress(from)
	m.SetGenHeaderPreformatted("To", "<"+l.To+">") // as it is said to the server: net/mail would write quotes anew
	m.Subject(l.Subject)
	m.SetMessageIDWithValue(id)
	m.SetDateWithValue(l.Date)
	m.SetGenHeader(gomail.HeaderContentLang, cmp.Or(l.Lang, "es"))
	if l.AutoSubmitted {
		m.SetGenHeader("Auto-Submitted", "auto-generated")
		m.SetGenHeader("X-Auto-Response-Suppress", "All")
	}
	m.SetBodyString(gomail.TypeTextPlain, l.Text)
	if l.HTML != "" {
		m.AddAlternativeString(gomail.TypeTextHTML, l.HTML)
	}
	return m
}

func writeMessage(w io.Writer, m *gomail.Msg) error {
	if _, err := m.WriteTo(w); err != nil {
		return fmt.Errorf("write letter: %w", err)
	}
	return nil
}
