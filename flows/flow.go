// Package flows is the conversation itself: which states there are, what can happen in each, and every word that is
// said. The map is in map.go; texts are in es.toml; what a person's words mean is decided by the hear functions
// beside it. Nothing here writes or sends: what a turn causes outside is a promise.
package flows

import (
	"cmp"
	"context"
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/BurntSushi/toml"

	"llave/bot"
	"llave/bot/intro"
	"llave/flows/meaning"
	"llave/internal/affiliate"
	"llave/internal/secret"
)

// A file for each language, es.toml first. Another language is another file.
//
//go:embed ??.toml
var catalogues embed.FS

// Records is what the conversation needs to know of the institution's records.
type Records interface {
	Find(ctx context.Context, number string) (affiliate.Record, bool, error)
}

// Limits of one chat (P304).
type Limits struct {
	NumbersHour, NumbersDay       int // different numbers
	MessagesMinute                int
	ComplaintsHour, ComplaintsDay int // zero: as many as they like
}

// Options are what the conversation depends on.
type Options struct {
	Records     Records
	Vault       *secret.Vault
	Offices     affiliate.Offices
	ForeignCode *regexp.Regexp // nil: the built-in rule
	Uniform     bool           // LLAVE_DISCLOSURE=uniform
	PublicURL   string
	LinkTTL     time.Duration
	Limits      Limits
	Idle        time.Duration // how long a conversation left alone keeps its place
	Seen        time.Duration // how long its seen ids are kept
	Erasing     func(channel string) Erasing
	Mail        MailService    // nil: never in trouble
	Desk        Desk           // nil: nobody is ever there, and who asks for a person has a case with a number
	Model       *meaning.Model // what sentences mean; nil: the one that is built in
	AbroadText  string         // LLAVE_ABROAD_TEXT: the institution's own words for people abroad
	Announce    bool           // the institution's programs are told of complaints and of who asks for a person
	Unheard     time.Duration  // how long sentences that were not understood are kept; 0: they are not
	Transcript  time.Duration  // how long what is said to an agent is kept; 0: 30 days
	Complaint   time.Duration  // how long complaints and cases are kept; 0: a year
	PortalText  string         // LLAVE_PORTAL_TEXT: its own words for how one gets into the portal; "": the catalogue's
	Silence     time.Duration  // how long an agent may leave a person without an answer; zero: DefaultSilence
	Zone        *time.Location // of the people who write; nil: that of Ecuador's mainland

	Window func(channel string) time.Duration // how long after a person's last word a channel lets us write; nil, or zero: for ever

	// SharesSpot says whether people can share a place in a channel; nil: nowhere.
	SharesSpot func(channel string) bool
}

// DefaultSilence is how long an agent may leave a person without an answer.
const DefaultSilence = 10 * time.Minute

var mainland = time.FixedZone("America/Guayaquil", -5*60*60)

// Erasing is what becomes of a message that a person wrote, once it was read.
type Erasing int

// What a channel can do about it.
const (
	StaysHere Erasing = iota // on the person's own screen: nothing need be said
	Deleted                  // we delete it, and say so beforehand
	Remains                  // nobody but the person can delete it: that is said, and the number not repeated needlessly
)

// ResumeAfter is how long somebody must have been away to be asked whether to go on.
const ResumeAfter = time.Hour

type flow struct {
	Options
	model   *meaning.Model
	answers answers
	asks    map[string]bool // texts said by an answer that ask something themselves
	watch   func(guess)     // told which guess was taken; nil but in a Trial
}

// New makes the engine of this conversation.
func New(o Options) (*bot.Engine, error) { return build(o, (*flow).places) }

// build makes the engine of a map.
func build(o Options, places func(*flow) []bot.Place) (*bot.Engine, error) {
	languages, err := Languages()
	if err != nil {
		return nil, err
	}
	answers, err := readAnswers()
	if err != nil {
		return nil, err
	}
	if o.Desk == nil {
		o.Desk = noDesk{}
	}
	if o.Mail == nil {
		o.Mail = wellMail{}
	}
	if o.Silence == 0 {
		o.Silence = DefaultSilence
	}
	if o.Zone == nil {
		o.Zone = mainland
	}
	if o.Model == nil {
		o.Model = meaning.Default()
	}
	if o.PortalText != "" { // the image shows the catalogue's way
		unshow(languages, "portal")
	}
	f := &flow{Options: o, model: o.Model, answers: answers, asks: map[string]bool{linkDead: true}}
	for _, key := range answers.texts() {
		f.asks[key] = !languages[0].Texts[key].Aside
	}
	declared := places(f)
	if err := answers.check(f.model, declared); err != nil {
		return nil, err
	}
	return bot.NewEngine(bot.Options{
		Start: Start, Languages: languages, Idle: o.Idle, Seen: o.Seen,
		Seal: func(conv string, what bot.Sealed, text string) string {
			return o.Vault.Seal(sealedAs[what].Of(conv), text)
		},
		Open: func(conv string, what bot.Sealed, sealed string) (string, error) {
			return o.Vault.Open(sealedAs[what].Of(conv), sealed)
		},
		Whole:   f.isWhole,
		Mask:    mask,
		Spread:  affiliate.MaskSpread,
		Digits:  affiliate.MaskDigits,
		Hash:    o.Vault.Hash,
		Lost:    f.hard,
		Tally:   tally,
		Passing: passing,
		Secrets: map[string]func(*bot.Turn) string{"number": f.readAloud, "complaint": f.readComplaint, "written": f.complaint},
		Vars: f.withPeriods(map[string]func(*bot.Turn) string{
			"erase":       func(t *bot.Turn) string { return f.erasing(t) },
			"privacy_url": func(*bot.Turn) string { return o.PublicURL + "/privacidad" },
			"life":        func(t *bot.Turn) string { return lasting(t, o.LinkTTL) },
			"unheard":     f.unheardSaid,
			"unseen":      unseenSaid,
			"reminder":    f.reminderSaid,
			"kept":        keptSaid,
			"want":        want,
			"press":       func(t *bot.Turn) string { return t.Wording(pressed[want(t)]) },
			"host":        func(*bot.Turn) string { return host(o.PublicURL) },
			"abroad":      func(*bot.Turn) string { return when(o.AbroadText != "", " "+o.AbroadText) },
			"portal":      func(t *bot.Turn) string { return cmp.Or(o.PortalText, t.Wording("portal.way")) },
			"subject":     func(t *bot.Turn) string { return t.Wording("mail.subject_" + want(t)) },
			"opening":     f.openingSaid,
			"place":       func(t *bot.Turn) string { return t.PlaceLabel() },
			"offices_ask": f.asksPlace, "place_or_hours": f.placeOrHours,
			"ticket":      caseNumber,
			"had":         hadBy,
			"ticket_note": func(t *bot.Turn) string { return when(t.Conv.Handoff.Open(), t.Fill("status.ticket")) },
			"case":        func(t *bot.Turn) string { return saidRef(t, t.Conv.Case) },
			"late":        func(t *bot.Turn) string { return when(isLate(t), " "+t.Wording("late.note")) },
			"lines":       func(*bot.Turn) string { return fmt.Sprint(bot.TailMax) },
			"todo":        f.linkTodo,
			"meanwhile":   meanwhile,
			"lost":        func(*bot.Turn) string { return "" }, // a turn that loses something says it
			"news":        f.news,
			"step":        f.mailStep,
		}),
	}, declared...)
}

// unshow has no text show an image.
func unshow(languages []bot.Catalogue, image string) {
	for _, cat := range languages {
		for key, text := range cat.Texts {
			if text.Image == image {
				text.Image = ""
				cat.Texts[key] = text
			}
		}
	}
}

var address = regexp.MustCompile(`[^\s@<>]+@[^\s@<>]+\.[^\s@<>]+`)

// mask is what the transcript keeps of free text: neither national numbers nor a person's mail address.
func mask(text string) string {
	return affiliate.MaskAll(address.ReplaceAllString(text, "•••@•••"))
}

// Languages are the catalogues, Spanish first. Each has a button for every language, under its own name. They are read
// once; what is returned is the caller's own.
func Languages() ([]bot.Catalogue, error) {
	read, err := readLanguages()
	out := slices.Clone(read)
	for i, cat := range out {
		out[i].Texts, out[i].Labels = maps.Clone(cat.Texts), maps.Clone(cat.Labels)
	}
	return out, err
}

var readLanguages = sync.OnceValues(func() ([]bot.Catalogue, error) {
	files, err := catalogues.ReadDir(".")
	if err != nil {
		return nil, fmt.Errorf("read the catalogues: %w", err)
	}
	slices.SortStableFunc(files, func(a, b fs.DirEntry) int { return cmp.Compare(rank(a.Name()), rank(b.Name())) })
	var out []bot.Catalogue
	var ids []string
	names := map[string]bot.Label{}
	for _, f := range files {
		data, err := catalogues.ReadFile(f.Name())
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", f.Name(), err)
		}
		cat, name, err := parse(f.Name(), string(data))
		if err != nil {
			return nil, err
		}
		id := languageButton + cat.Language
		for other, l := range names {
			if l.Title == name.Title {
				return nil, fmt.Errorf("read %s: the language is called %q under [name], as %s is", f.Name(), name.Title, strings.TrimPrefix(other, languageButton))
			}
		}
		if name.Title == "" {
			return nil, fmt.Errorf("read %s: what the language calls itself is missing: title under [name]", f.Name())
		}
		ids = append(ids, id)
		names[id] = name
		out = append(out, cat)
	}
	for _, cat := range out {
		shorten(cat)
		ask := cat.Texts["language.ask"]
		ask.Buttons = ids
		cat.Texts["language.ask"] = ask
		maps.Copy(cat.Labels, names)
	}
	return out, nil
})

// shorten gives each answer by the way ("info.…") that has no other words for step by step the same without the question
// again: its buttons still stand under it.
func shorten(cat bot.Catalogue) {
	for key, text := range cat.Texts {
		topic, _, _ := strings.Cut(key, ".")
		if _, own := cat.Texts[key+".slow"]; own || topic != "info" || strings.HasSuffix(key, ".slow") {
			continue
		}
		text.Text = strings.TrimSuffix(text.Text, " {again}")
		cat.Texts[key+".slow"] = text
	}
}

// spanish is spoken until another language is chosen, and understood in every one.
const (
	spanish = "es"
	english = "en"
)

// taught are the languages that people's sentences were labelled in. Of another one its labels are understood.
var taught = []string{spanish, english}

// languageButton and the language's name are the id of its button.
const languageButton = "language_"

// rank puts Spanish first.
func rank(file string) int {
	if file == spanish+".toml" {
		return 0
	}
	return 1
}

// prompts are what a channel offers to be asked first, by the texts' names.
var prompts = []string{"unlock", "generate", "in_person", "agent"}

// Introduction is what channels show of the bot before anybody has written: what it is, what can be asked, and the words that a menu
// of commands may offer, in order.
func Introduction(cat bot.Catalogue) intro.Texts {
	t := intro.Texts{Language: cat.Language, Description: cat.Texts["intro.description"].Text, Short: cat.Texts["intro.short"].Text}
	for _, name := range prompts {
		t.Prompts = append(t.Prompts, cat.Texts["intro.prompt_"+name].Text)
	}
	for _, name := range []string{"menu", "estado", "persona", "ayuda", "cancelar"} {
		t.Commands = append(t.Commands, intro.Command{Name: name, Description: cat.Texts["command."+name].Text})
	}
	return t
}

// parse reads a catalogue, and what its language is called in itself.
func parse(name, data string) (bot.Catalogue, bot.Label, error) {
	var file struct {
		Name   bot.Label            `toml:"name"`
		Texts  map[string]bot.Entry `toml:"texts"`
		Labels map[string]bot.Label `toml:"labels"`
	}
	meta, err := toml.Decode(data, &file)
	if err != nil {
		return bot.Catalogue{}, bot.Label{}, fmt.Errorf("read %s: %w", name, err)
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return bot.Catalogue{}, bot.Label{}, fmt.Errorf("read %s: unknown entries %v", name, unknown)
	}
	return bot.Catalogue{Language: strings.TrimSuffix(name, ".toml"), Texts: file.Texts, Labels: file.Labels}, file.Name, nil
}

// lasting says a link's life in words.
func lasting(t *bot.Turn, d time.Duration) string {
	n, key := int(d.Minutes()), "life.minutes"
	switch {
	case d < time.Minute:
		n, key = int(d.Seconds()), "life.seconds"
	case n == 1:
		key = "life.minute"
	}
	return strings.ReplaceAll(t.Wording(key), "{n}", fmt.Sprint(n))
}

func when(yes bool, s string) string {
	if yes {
		return s
	}
	return ""
}

// pressed is the text of the button on the page of a link, by what was wanted.
var pressed = map[string]string{"unlock": "page.press_unlock", "generate": "page.press_generate"}

// host is that of an address, for people to compare.
func host(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return u.Hostname()
}
