package mail

import (
	"embed"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io/fs"
	"net/url"
	"slices"
	"strings"
	texttemplate "text/template"
	"time"
)

// Kind names a letter; each has a file of that name in templates/, and in the folder of a language that has it.
type Kind string

// The letters.
const (
	Unlock         Kind = "unlock"          // the link that unlocks
	Active         Kind = "active"          // unlocking was asked for, the key is not locked: a link to a new key
	Generate       Kind = "generate"        // a new key was asked for: the link to it
	GenerateLocked Kind = "generate_locked" // a new key was asked for, the old one is locked: the link that unlocks
	Unlocked       Kind = "unlocked"        // notice: the key was unlocked
	Generated      Kind = "generated"       // notice: there is a new key
	Revoked        Kind = "revoked"         // notice: the key is locked again, since its owner said that it was not them
	RevokedKey     Kind = "revoked_key"     // the same, and the key that was made is no key any more
	Disowned       Kind = "disowned"        // notice to the institution: a case of an owner who says so
	Monthly        Kind = "monthly"         // the institution's own report of a month
)

// Kinds are all letters.
var Kinds = []Kind{Unlock, Active, Generate, GenerateLocked, Unlocked, Generated, Revoked, RevokedKey, Disowned, Monthly}

// notice says whether the letter tells of something done, without a link that acts.
func (k Kind) notice() bool {
	return k == Unlocked || k == Generated || k == Revoked || k == RevokedKey || k.inside()
}

// inside says whether the letter goes to the institution.
func (k Kind) inside() bool { return k == Disowned || k == Monthly }

// Data is what a letter needs to know. Nothing in it says who the person is: a letter that names nobody tells nothing
// to a stranger's eyes, and teaches nobody to trust a letter because it knows their name.
type Data struct {
	Lang    string        // "en"; what no folder of templates/ is called, and what a language lacks, is Spanish
	Channel string        // "telegram", "whatsapp", "web", "terminal"; anything else is left out
	At      time.Time     // when it was asked for; in a notice, when it was done
	TTL     time.Duration // life of the link from the letter's arrival, told in whole minutes: "less than 3 minutes" where it is not 3
	Link    string        // what the button opens; notices have none of these three
	NotMe   string        // `No fui yo`
	Held    bool          // no letter with a link goes for a time
	Case    string        // number of the case, in what goes to the institution and there alone
	Month   *Month        // of the report, likewise
}

// Month is what a month's report tells.
type Month struct {
	Year, Number int
	Figures      []Figure
}

// Figure is a number with its name.
type Figure struct{ Name, Value string }

// ComposerOptions say where links may lead and which clock people read.
type ComposerOptions struct {
	PublicURL   string         // LLAVE_PUBLIC_URL
	GenerateURL string         // LLAVE_GENERATE_URL, or empty
	Zone        *time.Location // LLAVE_TIMEZONE; nil is UTC
}

// Composer writes letters from the catalogue in templates/.
type Composer struct {
	origins []string // scheme://host: links lead there or to the official pages, nowhere else
	zone    *time.Location
	letters map[letterIn]pages
}

// letterIn is a letter in a language; "" is Spanish.
type letterIn struct {
	lang string
	kind Kind
}

// pages are one letter's templates.
type pages struct {
	text *texttemplate.Template
	html *htmltemplate.Template
}

// official are the institution's own pages.
var official = []string{"https://www.iess.gob.ec", "https://app.iess.gob.ec"}

//go:embed templates
var catalogue embed.FS

// NewComposer parses the catalogue and checks the addresses.
func NewComposer(opt ComposerOptions) (*Composer, error) {
	c := &Composer{origins: slices.Clone(official), zone: opt.Zone, letters: map[letterIn]pages{}}
	for _, address := range []string{opt.PublicURL, opt.GenerateURL} {
		if address == "" && len(c.origins) > len(official) {
			continue // the second may be missing
		}
		u, err := url.Parse(address)
		if err != nil || u.Host == "" {
			return nil, errors.New("compose letters: links lead to what is not a web address")
		}
		c.origins = append(c.origins, u.Scheme+"://"+u.Host)
	}
	if c.zone == nil {
		c.zone = time.UTC
	}
	files, err := fs.ReadDir(catalogue, "templates")
	if err != nil {
		return nil, fmt.Errorf("compose letters: %w", err)
	}
	for _, kind := range Kinds {
		if err := c.parse(letterIn{"", kind}, nil); err != nil {
			return nil, err
		}
		for _, f := range files {
			if f.IsDir() {
				if err := c.parseIn(f.Name(), kind); err != nil {
					return nil, err
				}
			}
		}
	}
	return c, nil
}

// parseIn reads a letter in a language, if that has it: what the language's own files define comes in place of the Spanish. The subject,
// which the chat has people look for, and the names of buttons are fixed: they stay.
func (c *Composer) parseIn(lang string, kind Kind) error {
	own := "templates/" + lang + "/" + string(kind) + ".txt"
	if _, err := fs.Stat(catalogue, own); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return c.parse(letterIn{lang, kind}, []string{"templates/" + lang + "/common.txt", own})
}

// parse reads a letter: what all share, its own words, and those [over] these.
func (c *Composer) parse(l letterIn, over []string) error {
	words := append([]string{"templates/common.txt", "templates/" + string(l.kind) + ".txt"}, over...)
	text, err := texttemplate.New("").ParseFS(catalogue, append(words, "templates/letter.txt")...)
	if err != nil {
		return fmt.Errorf("compose letters: %w", err)
	}
	html, err := htmltemplate.New("").ParseFS(catalogue, append(words, "templates/letter.html")...)
	if err != nil {
		return fmt.Errorf("compose letters: %w", err)
	}
	c.letters[l] = pages{text, html}
	return nil
}

// view is what the templates see.
type view struct {
	Data
	Minutes int  // the link's life, rounded up
	Less    bool // it is less than that
	Next    bool // there is a word on what comes next
	Means   bool // and on what the names of what is pressed mean
	Inside  bool // it goes to the institution
}

// Compose writes the letter of that kind. Recipient, Message-ID and date are the caller's to fill in.
func (c *Composer) Compose(kind Kind, d Data) (Letter, error) {
	p, ok := c.letters[letterIn{d.Lang, kind}]
	if !ok {
		d.Lang = ""
		p, ok = c.letters[letterIn{"", kind}]
	}
	if !ok {
		return Letter{}, fmt.Errorf("compose letter: there is no kind %q", kind)
	}
	if err := c.check(kind, d); err != nil {
		return Letter{}, fmt.Errorf("compose letter %s: %w", kind, err)
	}
	d.At = d.At.In(c.zone)
	l, err := p.compose(d)
	if err != nil {
		return Letter{}, fmt.Errorf("compose letter %s: %w", kind, err)
	}
	return l, nil
}

func (p pages) compose(d Data) (Letter, error) {
	v := view{Data: d, Inside: d.Case != "" || d.Month != nil}
	life := max(time.Second, d.TTL.Round(time.Second))
	v.Minutes, v.Less = int((life+time.Minute-1)/time.Minute), life%time.Minute != 0
	for name, there := range map[string]*bool{"next": &v.Next, "button-means": &v.Means} {
		said, err := p.block(name, v)
		if err != nil {
			return Letter{}, err
		}
		*there = said != ""
	}
	subject, err := p.block("subject", v)
	if err != nil {
		return Letter{}, err
	}
	text, err := p.block("letter.txt", v)
	if err != nil {
		return Letter{}, err
	}
	var html strings.Builder
	if err := p.html.ExecuteTemplate(&html, "letter.html", v); err != nil {
		return Letter{}, err
	}
	return Letter{Subject: subject, Text: text + "\n", HTML: html.String(), Lang: d.Lang, AutoSubmitted: true}, nil
}

func (p pages) block(name string, v view) (string, error) {
	var b strings.Builder
	err := p.text.ExecuteTemplate(&b, name, v)
	return strings.TrimSpace(b.String()), err
}

// check's errors hold no link: a link is a secret.
func (c *Composer) check(kind Kind, d Data) error {
	switch {
	case d.At.IsZero():
		return errors.New("the time is missing")
	case kind.notice() && (d.Link != "" || d.NotMe != ""):
		return errors.New("a notice carries no link")
	case (kind == Disowned) != (d.Case != ""):
		return errors.New("a case is for the institution, and the institution for a case")
	case (kind == Monthly) != (d.Month != nil):
		return errors.New("a month is for its report, and the report for a month")
	case kind.notice():
		return nil
	case d.Link == "" || d.NotMe == "":
		return errors.New("a link is missing")
	case d.TTL <= 0:
		return errors.New("the link's life is missing")
	case !c.allows(d.Link) || !c.allows(d.NotMe):
		return errors.New("a link leads to a host that is not ours")
	}
	return nil
}

func (c *Composer) allows(link string) bool {
	u, err := url.Parse(link)
	return err == nil && u.User == nil && slices.Contains(c.origins, u.Scheme+"://"+u.Host)
}
