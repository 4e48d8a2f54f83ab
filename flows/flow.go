// Package flows is the conversation itself: which states there are, what can happen in each, and every word that is
// said. The map is the table below; texts are in es.toml; what a person's words mean is decided by the hear functions
// beside it. Nothing here writes or sends: what a turn causes outside is a promise.
package flows

import (
	"cmp"
	"context"
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/BurntSushi/toml"

	"llave/bot"
	"llave/flows/understand"
	"llave/internal/affiliate"
	"llave/internal/secret"
)

// A file for each language, es.toml first. Another language is another file.
//
//go:embed ??.toml
var catalogues embed.FS

// The states. Their names are stored: a rename is a migration.
const (
	Start         bot.State = "Start"
	Welcome       bot.State = "Welcome"
	Menu          bot.State = "Menu"
	AskNumber     bot.State = "AskNumber"
	ConfirmNumber bot.State = "ConfirmNumber"
	ReadyToSend   bot.State = "ReadyToSend"
	LinkSent      bot.State = "LinkSent"
	LinkEnded     bot.State = "LinkEnded"
	KeyStep1      bot.State = "KeyStep1"
	KeyStep2      bot.State = "KeyStep2"
	KeyStep3      bot.State = "KeyStep3"
	KeyStep4      bot.State = "KeyStep4"
	KeyStep5      bot.State = "KeyStep5"
	KeyStuck      bot.State = "KeyStuck"
	KeyTried      bot.State = "KeyTried"
	Rating        bot.State = "Rating"
	Done          bot.State = "Done"
	AtOffice      bot.State = "AtOffice"
	OfferPerson   bot.State = "OfferPerson"
	WithTicket    bot.State = "WithTicket"
	Complaining   bot.State = "Complaining"
	OwnData       bot.State = "OwnData"
	OwnDataSure   bot.State = "OwnDataSure"
	Resume        bot.State = "Resume"
	Language      bot.State = "Language"
	Group         bot.State = "Group"
)

// places is the map. Rows of bot.Any hold in every state that has no row of its own for the event.
func (f *flow) places() []bot.Place {
	in, on := bot.In, bot.On
	step := func(s bot.State, n string, next bot.State) bot.Place {
		return in(s, "key.step"+n, f.hearStep,
			on(WentOn, next, ""), on(GotStuck, KeyStuck, "key.stuck"), on(WentBack, bot.Back, ""))
	}
	// numbers is what can come of a number: asked for, or said with a wish in any state.
	numbers := []bot.Row{
		on(GaveNumber, ConfirmNumber, "number.read_back"), on(GaveCode, ConfirmNumber, "number.read_back_code"),
		on(GaveUnusual, ConfirmNumber, "number.unusual"), on(GavePhoneLike, ConfirmNumber, "number.is_phone"),
		on(GaveNine, ConfirmNumber, "number.leading_zero"), on(GaveRUC, ConfirmNumber, "number.first_ten"),
		on(WrongCount, AskNumber, "number.wrong_count"), on(WrongProvince, AskNumber, "number.wrong_province"),
		on(WrongDigit, AskNumber, "number.check_digit"), on(PhoneOrSlip, AskNumber, "number.phone_or_typo"),
		on(GavePhone, AskNumber, "number.phone"), on(GaveTwo, AskNumber, "number.two"), on(WantsCode, AskNumber, "number.ask_code"),
		on(LostNumber, AskNumber, "number.forgotten"),
	}
	// links is what can come of asking for a link wherever one can be asked for.
	links := []bot.Row{
		on(LinkAsked, LinkSent, ""), on(LinkAskedUnsaid, LinkSent, "sent.uniform"), on(LinkAskedAgain, LinkSent, "sent.again"),
		on(TooManyMails, bot.Stay, "limit.mails"), on(NoMailbox, AtOffice, ""),
	}
	with := func(shared []bot.Row, own ...bot.Row) []bot.Row { return append(slices.Clone(shared), own...) }
	places := []bot.Place{
		in(bot.Any, "", f.hearAny, slices.Concat(meanings(), numbers, deskRows(), []bot.Row{
			on(AskedMenu, Menu, ""), on(WentBack, bot.Back, ""), on(AskedRepeat, bot.Stay, "repeat"), on(AskedHelp, bot.Stay, "help"),
			on(AskedStatus, bot.Stay, "status"), on(AskedLanguage, Language, ""), on(AskedEnglish, bot.Stay, "language.now"), on(SaidHello, bot.Stay, "hello"),
			on(SaidThanks, bot.Stay, "thanks"), on(Cancelled, Menu, "menu.cancelled"),
			on(WantsUnlock, AskNumber, ""), on(WantsGenerate, AskNumber, ""), on(WantsOffice, AtOffice, ""),
			on(WantsComplaint, Complaining, ""), on(WantsOwnData, OwnData, ""),
			on(SentMedia, bot.Stay, "media"), on(SentPhoto, bot.Stay, "media"), on(SentPlace, bot.Stay, "location"), on(SentContact, bot.Stay, "contact"),
			on(Edited, bot.Stay, "edited"), on(WroteTooMuch, bot.Stay, "too_long"), on(WroteSecret, bot.Stay, "secret"),
			on(TooFast, bot.Stay, "limit.messages"), on(CameBack, Resume, ""), on(WroteInGroup, Group, "group.refused"),
			on(LinkUsed, KeyStep1, "key.unlocked"), on(LinkOpened, KeyStep1, "key.opened"), on(KeyMade, KeyTried, "key.made"),
			on(LinkEndedOnce, LinkEnded, ""), on(LinkEndedTwice, LinkEnded, "ended.twice"), on(LinkVoided, LinkEnded, "ended.voided"), on(MailRefused, AtOffice, "in_person.outcome"),
			on(bot.Forgotten, Start, ""), on(AskedSlow, bot.Stay, "slow.on"), on(AskedQuick, bot.Stay, "slow.off"),
			on(bot.Missed, bot.Stay, "missed"), on(bot.MissedOften, OfferPerson, ""), on(bot.StaleButton, bot.Stay, "stale"),
			on(bot.Ignored, bot.Stay, "")})...),

		in(Start, "", f.hearStart, on(Greeted, Welcome, "")),
		in(Welcome, "welcome.ask", f.hearWelcome,
			on(AskedNotice, bot.Stay, "welcome.notice"), on(Declined, Start, "welcome.declined"), on(Greeted, bot.Stay, "welcome.wish"), on(SaidHello, bot.Stay, "")),
		in(Menu, "menu.ask", f.hearMenu, on(Greeted, bot.Stay, "menu.again"), on(WantsMore, MenuMore, ""), on(AskedSlow, bot.Stay, "slow.menu")),

		in(AskNumber, "number.ask", f.hearNumber,
			on(WroteSecret, bot.Stay, "number.secret"), on(SentPhoto, bot.Stay, "number.no_photo")),
		in(ConfirmNumber, "number.read_back", f.hearConfirm,
			on(Eligible, ReadyToSend, ""), on(Unsaid, ReadyToSend, "ready.ask_uniform"), on(NotEligible, AtOffice, "in_person.outcome"),
			on(TooManyNumbers, bot.Stay, "limit.numbers")),

		in(ReadyToSend, "ready.ask", f.hearReady, with(links, on(AskedMailHelp, MailWhere, ""))...),
		in(LinkSent, "sent.ask", f.hearSent, with(links,
			on(NotArrived, bot.Stay, "sent.not_arrived"), on(Arrived, bot.Stay, "sent.arrived"),
			on(OpenedPage, bot.Stay, "sent.page"), on(AskedMailHelp, MailWhere, ""))...),
		in(LinkEnded, "ended.ask", f.hearSent, with(links, on(NotArrived, bot.Stay, "sent.not_arrived"), on(AskedMailHelp, MailWhere, ""))...),

		step(KeyStep1, "1", KeyStep2), step(KeyStep2, "2", KeyStep3), step(KeyStep3, "3", KeyStep4), step(KeyStep4, "4", KeyStep5),
		step(KeyStep5, "5", KeyTried),
		in(KeyStuck, "key.stuck", f.hearStuck, on(WantsAnother, ReadyToSend, ""), on(WantsNumber, AskNumber, ""), on(WentOn, bot.Back, "")),
		in(KeyTried, "key.ask", f.hearTried, on(Entered, Rating, ""), on(NeedsHelp, KeyStuck, "")),
		in(Rating, "rating.ask", f.hearRating, on(Rated, Done, "done.thanks")),
		in(Done, "done.ask", f.hearDone,
			on(Greeted, Menu, "menu.again"), on(SaidHello, Menu, "menu.again"), on(SaidThanks, bot.Stay, "done.welcome")),

		in(AtOffice, "in_person.ask", f.hearOffice, on(FoundOffices, bot.Stay, "in_person.offices"), on(NoOffice, bot.Stay, "in_person.no_office"),
			on(AskedWhatToBring, bot.Stay, "in_person.bring"), on(AskedContact, bot.Stay, "in_person.contact")),
		in(OfferPerson, "person.offer", f.hearOffer, on(Stayed, bot.Back, "")),
		in(Complaining, "complaint.ask", f.hearComplaint, on(Complained, Menu, "complaint.done")),
		in(OwnData, "my_data.ask", f.hearOwnData, on(AskedErase, OwnDataSure, "")),
		in(OwnDataSure, "my_data.sure", f.hearOwnData, on(Erased, Start, "my_data.erased"), on(Kept, Menu, "")),
		in(Resume, "resume.ask", f.hearResume, on(Resumed, bot.Back, ""), on(Restarted, Menu, "")),
		in(Language, "language.ask", f.hearLanguage, on(ChoseLanguage, bot.Back, "language.now")),
		in(Group, "", f.hearGroup),
	}
	return f.toDesk(f.orAsk(slices.Concat(places, f.desk(), f.paging(), f.mailHelp())))
}

// Records is what the conversation needs to know of the institution's records.
type Records interface {
	Find(ctx context.Context, number string) (affiliate.Record, bool, error)
}

// Limits of one chat (P304).
type Limits struct {
	NumbersHour, NumbersDay int // different numbers
	MessagesMinute          int
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
	Desk        Desk          // nil: nobody is ever there, and who asks for a person has a case with a number
	Silence     time.Duration // how long an agent may leave a person without an answer; zero: DefaultSilence
}

// DefaultSilence is how long an agent may leave a person without an answer.
const DefaultSilence = 10 * time.Minute

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
	spoken map[string]*understand.Understanding // by language
}

// New makes the engine of this conversation.
func New(o Options) (*bot.Engine, error) {
	languages, err := Languages()
	if err != nil {
		return nil, err
	}
	spoken := map[string]*understand.Understanding{}
	for _, cat := range languages {
		if spoken[cat.Language], err = Understanding(cat.Language); err != nil {
			return nil, err
		}
	}
	if o.Desk == nil {
		o.Desk = noDesk{}
	}
	if o.Silence == 0 {
		o.Silence = DefaultSilence
	}
	f := &flow{o, spoken}
	return bot.NewEngine(bot.Options{
		Start: Start, Languages: languages, Idle: o.Idle, Seen: o.Seen,
		Seal:    func(text string) string { return o.Vault.Seal("reply", text) },
		Mask:    mask,
		Hash:    o.Vault.Hash,
		Lost:    f.hard,
		Secrets: map[string]func(*bot.Turn) string{"number": f.readAloud},
		Vars: map[string]func(*bot.Turn) string{
			"erase":       func(t *bot.Turn) string { return f.erasing(t) },
			"privacy_url": func(*bot.Turn) string { return o.PublicURL + "/privacidad" },
			"life":        func(t *bot.Turn) string { return lasting(t, o.LinkTTL) },
			"want":        want,
			"subject":     func(t *bot.Turn) string { return t.Wording("mail.subject_" + want(t)) },
			"place":       func(t *bot.Turn) string { return t.PlaceName() },
			"offices_ask": func(t *bot.Turn) string { return when(len(o.Offices) > 0, t.Wording("in_person.city")) },
			"ticket":      ticket,
			"ticket_note": func(t *bot.Turn) string { return when(t.Conv.Handoff.Open(), t.Fill("status.ticket")) },
			"case":        func(t *bot.Turn) string { return t.Conv.Case },
			"lines":       func(*bot.Turn) string { return fmt.Sprint(bot.TailMax) },
		},
	}, f.places()...)
}

var address = regexp.MustCompile(`[^\s@<>]+@[^\s@<>]+\.[^\s@<>]+`)

// mask is what the transcript keeps of free text: neither national numbers nor a person's mail address.
func mask(text string) string {
	return affiliate.MaskAll(address.ReplaceAllString(text, "•••@•••"))
}

// OpenReply opens a reply that was sealed because it holds a number.
func OpenReply(v *secret.Vault, sealed string) (string, error) { return v.Open("reply", sealed) }

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
		ids = append(ids, id)
		names[id] = name
		out = append(out, cat)
	}
	for _, cat := range out {
		ask := cat.Texts["language.ask"]
		ask.Buttons = ids
		cat.Texts["language.ask"] = ask
		maps.Copy(cat.Labels, names)
	}
	return out, nil
})

// spanish is spoken until another language is chosen, and understood in every one.
const spanish = "es"

// languageButton and the language's name are the id of its button.
const languageButton = "language_"

// rank puts Spanish first.
func rank(file string) int {
	if file == spanish+".toml" {
		return 0
	}
	return 1
}

// Command is an entry of a channel's own menu.
type Command struct{ Name, Description string }

// Commands are the words a channel with a menu of its own may offer, in order.
func Commands(cat bot.Catalogue) []Command {
	var out []Command
	for _, name := range []string{"menu", "estado", "persona", "ayuda", "cancelar"} {
		out = append(out, Command{name, cat.Texts["command."+name].Text})
	}
	return out
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
