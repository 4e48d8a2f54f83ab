package mail

import (
	"embed"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"net/url"
	"slices"
	"strings"
	texttemplate "text/template"
	"time"
)

// Kind names a letter; each has a file of that name in templates/.
type Kind string

// The letters.
const (
	Unlock         Kind = "unlock"          // the link that unlocks
	Active         Kind = "active"          // unlocking was asked for, the key is not locked: a link to a new key
	Generate       Kind = "generate"        // a new key was asked for: the link to it
	GenerateLocked Kind = "generate_locked" // a new key was asked for, the old one is locked: the link that unlocks
	Unlocked       Kind = "unlocked"        // notice: the key was unlocked
	Generated      Kind = "generated"       // notice: there is a new key
)

// Kinds are all letters.
var Kinds = []Kind{Unlock, Active, Generate, GenerateLocked, Unlocked, Generated}

// notice says whether the letter tells the owner of something done, without a link that acts.
func (k Kind) notice() bool { return k == Unlocked || k == Generated }

// Data is what a letter needs to know. Nothing in it says who the person is: a letter that names nobody tells nothing
// to a stranger's eyes, and teaches nobody to trust a letter because it knows their name.
type Data struct {
	Channel string        // "telegram", "whatsapp", "web", "terminal"; anything else is left out
	At      time.Time     // when it was asked for, or done
	TTL     time.Duration // life of the link from its arrival; 0: the link is a public page that does not expire
	Link    string        // what the button opens; notices have none
	NotMe   string        // `No fui yo`; needed with a link that expires
}

// ComposerOptions say where links may lead and which clock people read.
type ComposerOptions struct {
	PublicURL   string         // LLAVE_PUBLIC_URL
	GenerateURL string         // LLAVE_GENERATE_URL, or empty
	Zone        *time.Location // LLAVE_TIMEZONE; nil is UTC
}

// Composer writes letters from the catalogue in templates/.
type Composer struct {
	zone    *time.Location
	hosts   []string
	letters map[Kind]pages
}

type pages struct {
	text *texttemplate.Template
	html *htmltemplate.Template
}

//go:embed templates
var catalogue embed.FS

// NewComposer parses the catalogue and checks the addresses that links may lead to.
func NewComposer(opt ComposerOptions) (*Composer, error) {
	c := &Composer{zone: opt.Zone, letters: map[Kind]pages{}}
	if c.zone == nil {
		c.zone = time.UTC
	}
	for name, address := range map[string]string{"public URL": opt.PublicURL, "generate URL": opt.GenerateURL} {
		if address == "" && name == "generate URL" {
			continue
		}
		u, err := url.Parse(address)
		if err != nil || u.Host == "" {
			return nil, fmt.Errorf("compose letters: the %s is not a web address", name)
		}
		c.hosts = append(c.hosts, u.Host)
	}
	for _, kind := range Kinds {
		own := "templates/" + string(kind) + ".txt"
		text, err := texttemplate.New("").Option("missingkey=error").
			ParseFS(catalogue, "templates/common.txt", own, "templates/letter.txt")
		if err != nil {
			return nil, fmt.Errorf("compose letters: %w", err)
		}
		html, err := htmltemplate.New("").Option("missingkey=error").
			ParseFS(catalogue, "templates/common.txt", own, "templates/letter.html")
		if err != nil {
			return nil, fmt.Errorf("compose letters: %w", err)
		}
		c.letters[kind] = pages{text, html}
	}
	return c, nil
}

// view is what the templates see.
type view struct {
	Data
	Lasts struct{ Minutes, Seconds int }
	Has   map[string]bool // blocks that are not empty
}

// Compose writes the letter of that kind. Recipient, Message-ID and date are the caller's to fill in.
func (c *Composer) Compose(kind Kind, d Data) (Letter, error) {
	p, ok := c.letters[kind]
	if !ok {
		return Letter{}, fmt.Errorf("compose letter: there is no kind %q", kind)
	}
	if err := c.check(kind, d); err != nil {
		return Letter{}, fmt.Errorf("compose letter %s: %w", kind, err)
	}
	v := view{Data: d, Has: map[string]bool{}}
	v.At = d.At.In(c.zone)
	whole := int(d.TTL / time.Second)
	v.Lasts.Minutes, v.Lasts.Seconds = whole/60, whole%60
	for _, block := range []string{"life", "next"} {
		s, err := p.block(block, v)
		if err != nil {
			return Letter{}, fmt.Errorf("compose letter %s: %w", kind, err)
		}
		v.Has[block] = s != ""
	}
	subject, err := p.block("subject", v)
	if err != nil {
		return Letter{}, fmt.Errorf("compose letter %s: %w", kind, err)
	}
	text, err := p.block("letter.txt", v)
	if err != nil {
		return Letter{}, fmt.Errorf("compose letter %s: %w", kind, err)
	}
	var html strings.Builder
	if err := p.html.ExecuteTemplate(&html, "letter.html", v); err != nil {
		return Letter{}, fmt.Errorf("compose letter %s: %w", kind, err)
	}
	return Letter{Subject: subject, Text: text + "\n", HTML: html.String(), AutoSubmitted: true}, nil
}

func (p pages) block(name string, v view) (string, error) {
	var b strings.Builder
	err := p.text.ExecuteTemplate(&b, name, v)
	return strings.TrimSpace(b.String()), err
}

func (c *Composer) check(kind Kind, d Data) error {
	switch {
	case d.At.IsZero():
		return errors.New("the time is missing")
	case kind.notice() && (d.Link != "" || d.NotMe != ""):
		return errors.New("a notice carries no link")
	case kind.notice():
		return nil
	case d.Link == "":
		return errors.New("the link is missing")
	case d.TTL < 0 || d.TTL%time.Second != 0:
		return errors.New("the link's life is not a number of seconds")
	case d.TTL > 0 && d.NotMe == "":
		return errors.New("a link that expires needs its `No fui yo`")
	}
	for _, link := range []string{d.Link, d.NotMe} {
		if link != "" && !c.allowed(link) {
			return errors.New("a link leads to a host that is not ours") // the link itself is a secret
		}
	}
	return nil
}

// official are the institution's own hosts.
var official = []string{"www.iess.gob.ec", "app.iess.gob.ec"}

func (c *Composer) allowed(link string) bool {
	u, err := url.Parse(link)
	if err != nil || u.User != nil || (u.Scheme != "https" && u.Scheme != "http") {
		return false
	}
	return slices.Contains(c.hosts, u.Host) || u.Scheme == "https" && slices.Contains(official, u.Host)
}
