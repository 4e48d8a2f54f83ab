package flows

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"llave/bot"
	"llave/internal/affiliate"
)

// The events: what an update meant.
const (
	AskedMenu, WentBack, AskedRepeat, AskedHelp  bot.Event = "AskedMenu", "WentBack", "AskedRepeat", "AskedHelp"
	AskedStatus, AskedLanguage, Cancelled        bot.Event = "AskedStatus", "AskedLanguage", "Cancelled"
	AskedPerson, AskedPersonAgain                bot.Event = "AskedPerson", "AskedPersonAgain"
	WantsUnlock, WantsGenerate, WantsOffice      bot.Event = "WantsUnlock", "WantsGenerate", "WantsOffice"
	WantsComplaint, WantsOwnData                 bot.Event = "WantsComplaint", "WantsOwnData"
	SentMedia, SentPlace, SentContact, Edited    bot.Event = "SentMedia", "SentPlace", "SentContact", "Edited"
	WroteTooMuch, WroteSecret, TooFast           bot.Event = "WroteTooMuch", "WroteSecret", "TooFast"
	CameBack, WroteInGroup                       bot.Event = "CameBack", "WroteInGroup"
	LinkUsed, LinkOpened, KeyMade                bot.Event = "LinkUsed", "LinkOpened", "KeyMade"
	Greeted, AskedNotice, Declined               bot.Event = "Greeted", "AskedNotice", "Declined"
	GaveNumber, GaveCode, GaveUnusual            bot.Event = "GaveNumber", "GaveCode", "GaveUnusual"
	GavePhoneLike, GaveNine, GaveRUC             bot.Event = "GavePhoneLike", "GaveNine", "GaveRUC"
	WrongCount, WrongProvince, WrongDigit        bot.Event = "WrongCount", "WrongProvince", "WrongDigit"
	PhoneOrSlip, GavePhone, GaveTwo              bot.Event = "PhoneOrSlip", "GavePhone", "GaveTwo"
	WantsCode, LostNumber                        bot.Event = "WantsCode", "LostNumber"
	Eligible, Unsaid, NotEligible, Corrected     bot.Event = "Eligible", "Unsaid", "NotEligible", "Corrected"
	TooManyNumbers, TooManyMails                 bot.Event = "TooManyNumbers", "TooManyMails"
	LinkAsked, LinkAskedUnsaid, NoMailbox        bot.Event = "LinkAsked", "LinkAskedUnsaid", "NoMailbox"
	NotArrived, LinkEndedOnce, LinkEndedTwice    bot.Event = "NotArrived", "LinkEndedOnce", "LinkEndedTwice"
	MailRefused, WentOn, GotStuck                bot.Event = "MailRefused", "WentOn", "GotStuck"
	WantsAnother, WantsNumber, Entered           bot.Event = "WantsAnother", "WantsNumber", "Entered"
	NeedsHelp, Rated, FoundOffices, NoOffice     bot.Event = "NeedsHelp", "Rated", "FoundOffices", "NoOffice"
	Stayed, Complained, AskedErase, Erased, Kept bot.Event = "Stayed", "Complained", "AskedErase", "Erased", "Kept"
	Resumed, Restarted                           bot.Event = "Resumed", "Restarted"
	SaidHello, SaidThanks, SentPhoto, LinkVoided bot.Event = "SaidHello", "SaidThanks", "SentPhoto", "LinkVoided"
	LinkAskedAgain                               bot.Event = "LinkAskedAgain"
)

// The slots.
const (
	slotWant   = "want"   // "unlock" or "generate"
	slotWish   = "wish"   // said before the person agreed to go on
	slotNumber = "number" // sealed; dropped at the end
	slotRecord = "record" // keyed hash of the number
	slotDoubt  = "doubt"  // keyed hash of a number that failed its check digit
	slotPhone  = "phone"  // sealed: the chat's own telephone number
	slotTicket = "ticket" // number of the open case with a person
	slotEnded  = "ended"  // how many links ended unused
	slotCode   = "code"   // the number is a foreigner's code
)

func want(t *bot.Turn) string {
	if t.Slot(slotWant) == "generate" {
		return "generate"
	}
	return "unlock"
}

// tooLong is where a message stops being an answer; the longest complaint fits.
const tooLong = 3000

// hearAny hears what is heard everywhere, before the state's own ear.
func (f *flow) hearAny(_ context.Context, t *bot.Turn) (bot.Event, error) {
	u, state := t.Update, t.Conv.State
	switch {
	case u.Kind == bot.Signal:
		return f.hearSignal(t), nil
	case u.Group && state != Group:
		return WroteInGroup, nil
	case u.Group, u.Kind == bot.Reaction:
		return bot.Ignored, nil
	}
	if fast, warn := f.tooFast(t); fast && warn {
		return TooFast, nil
	} else if fast {
		return bot.Ignored, nil
	}
	if state == Start {
		return "", nil
	}
	if ev := f.hearGlobal(t); ev != "" {
		return ev, nil
	}
	if t.Choice() == "" && t.Idle() >= ResumeAfter && resumable(state) {
		t.Say("place", t.PlaceName())
		return CameBack, nil
	}
	switch u.Kind {
	case bot.Media, bot.Unsupported:
		if u.Media == "photo" || u.Media == "document" {
			return SentPhoto, nil
		}
		return SentMedia, nil
	case bot.Location:
		return SentPlace, nil
	case bot.Contact:
		if u.Phone != "" {
			t.Remember(slotPhone, affiliate.Seal(f.Vault, u.Phone))
		}
		return SentContact, nil
	case bot.Edited:
		return Edited, nil
	case bot.Text:
		if utf8.RuneCountInString(u.Text) > tooLong {
			return WroteTooMuch, nil
		}
		if state != AskNumber && affiliate.ParseNumber(t.Text(), f.parsing(t)).Verdict == affiliate.SecretGiven {
			f.erase(t)
			return WroteSecret, nil
		}
	}
	if t.Choice() == "" && listensToWishes(state) {
		return f.wish(t, t.Meant(wishes...)), nil
	}
	return "", nil
}

// hearGlobal hears the words that hold in every state.
func (f *flow) hearGlobal(t *bot.Turn) bot.Event {
	said := t.Says("word_menu", "word_back", "word_repeat", "word_help", "word_person", "word_cancel", "word_language", "word_status", "word_hello", "word_thanks")
	if t.Update.Kind == bot.Start && t.Conv.State != Welcome {
		said = "word_menu"
	}
	if t.Choice() == "agent" {
		said = "word_person"
	}
	if t.Choice() == "menu" {
		said = "word_menu"
	}
	agreed := t.Conv.State != Welcome
	switch said {
	case "word_menu":
		if agreed {
			return AskedMenu
		}
	case "word_back":
		if agreed {
			return WentBack
		}
	case "word_cancel":
		if agreed {
			f.dropNumber(t)
			return Cancelled
		}
		return Declined
	case "word_repeat":
		return AskedRepeat
	case "word_help":
		return AskedHelp
	case "word_status":
		return AskedStatus
	case "word_language":
		return AskedLanguage
	case "word_person":
		return f.ticket(t)
	case "word_hello":
		if t.Idle() < ResumeAfter || !resumable(t.Conv.State) {
			return SaidHello
		}
	case "word_thanks":
		return SaidThanks
	}
	return ""
}

// hearSignal hears records and timers. What belongs to an older attempt never comes here.
func (f *flow) hearSignal(t *bot.Turn) bot.Event {
	state := t.Conv.State
	switch t.Update.Signal {
	case bot.SignalForget:
		t.Empty()
		t.Silent()
		return bot.Forgotten
	case bot.SignalLinkUsed:
		t.Never(bot.SignalLinkExpired)
		t.Forget(slotEnded)
		switch {
		case inKey(state) || state == Rating || state == Done:
			return bot.Ignored
		case t.Update.Text == "generate":
			return LinkOpened
		}
		return LinkUsed
	case bot.SignalKeyMade:
		if state == KeyTried || state == Rating || state == Done {
			return bot.Ignored
		}
		return KeyMade
	case bot.SignalMailRefused:
		if state == LinkSent && !f.Uniform {
			t.Never(bot.SignalLinkExpired)
			return MailRefused
		}
	case bot.SignalLinkVoided:
		if f.Uniform { // its timer will say the same at the usual time
			return bot.Ignored
		}
		t.Never(bot.SignalLinkExpired)
		if state == LinkSent {
			return LinkVoided
		}
	case bot.SignalLinkExpired:
		return f.ended(t)
	}
	return bot.Ignored
}

func (f *flow) ended(t *bot.Turn) bot.Event {
	if t.Conv.State != LinkSent {
		return bot.Ignored
	}
	if t.Slot(slotEnded) != "" {
		return LinkEndedTwice
	}
	t.Remember(slotEnded, "1")
	return LinkEndedOnce
}

func inKey(s bot.State) bool {
	return slices.Contains([]bot.State{KeyStep1, KeyStep2, KeyStep3, KeyStep4, KeyStep5, KeyStuck, KeyTried}, s)
}

func resumable(s bot.State) bool {
	return !slices.Contains([]bot.State{Start, Welcome, Menu, Done, Resume, Group}, s)
}

func listensToWishes(s bot.State) bool {
	return !slices.Contains([]bot.State{Start, Welcome, Complaining, Group}, s)
}

// tooFast keeps the limit of messages a minute; warn says that the person has not been told yet.
func (f *flow) tooFast(t *bot.Turn) (fast, warn bool) {
	c := t.Conv
	c.Recent = slices.DeleteFunc(c.Recent, func(at time.Time) bool { return t.Now.Sub(at) >= time.Minute })
	if len(c.Recent) < f.Limits.MessagesMinute {
		c.Recent = append(c.Recent, t.Now)
		return false, false
	}
	if t.Now.Sub(c.Warned) < time.Minute {
		return true, false
	}
	c.Warned = t.Now
	t.Say("when", waiting(t, c.Recent[0].Add(time.Minute)))
	return true, true
}

// waiting says in words when to come back.
func waiting(t *bot.Turn, at time.Time) string {
	minutes := int(math.Ceil(at.Sub(t.Now).Minutes()))
	switch {
	case minutes <= 1:
		return t.Wording("when.now")
	case minutes <= 90:
		return strings.ReplaceAll(t.Wording("when.minutes"), "{n}", fmt.Sprint(minutes))
	}
	return strings.ReplaceAll(t.Wording("when.hours"), "{n}", fmt.Sprint(int(math.Ceil(float64(minutes)/60))))
}

// erase promises to delete the person's message where the channel can.
func (f *flow) erase(t *bot.Turn) {
	if f.Erases(t.Update.Channel) && t.Update.MessageID != "" {
		t.Promise(bot.Promise{Lane: bot.LaneChat, Kind: bot.PromiseDelete, MessageID: t.Update.MessageID})
	}
}

func (f *flow) dropNumber(t *bot.Turn) {
	t.Forget(slotNumber, slotRecord, slotDoubt, slotCode, slotEnded)
	t.Never(bot.SignalLinkExpired)
}

// ticket opens a case with a person, one at a time.
func (f *flow) ticket(t *bot.Turn) bot.Event {
	if t.Slot(slotTicket) != "" {
		return AskedPersonAgain
	}
	ref := t.Ref("C")
	t.Remember(slotTicket, ref)
	t.Promise(bot.Promise{Lane: bot.LaneEvent, Kind: bot.PromiseFile, Topic: "person", Ref: ref, Conv: t.Conv.ID, Body: string(t.Conv.State)})
	return AskedPerson
}

// wishes are what people come for, in the order of the menu.
var wishes = []string{"unlock", "generate", "in_person", "agent", "complaint", "my_data"}

func (f *flow) wish(t *bot.Turn, label string) bot.Event {
	switch label {
	case "unlock", "generate":
		f.dropNumber(t)
		t.Remember(slotWant, label)
		if label == "unlock" {
			return WantsUnlock
		}
		return WantsGenerate
	case "in_person":
		return WantsOffice
	case "agent":
		return f.ticket(t)
	case "complaint":
		return WantsComplaint
	case "my_data":
		return WantsOwnData
	}
	return ""
}

func (f *flow) hearStart(_ context.Context, t *bot.Turn) (bot.Event, error) {
	if w := t.Meant(wishes...); w != "" {
		t.Remember(slotWish, w)
	}
	return Greeted, nil
}

func (f *flow) hearWelcome(_ context.Context, t *bot.Turn) (bot.Event, error) {
	switch t.Choice() {
	case "continue":
		w := t.Slot(slotWish)
		t.Forget(slotWish)
		if ev := f.wish(t, w); ev != "" {
			return ev, nil
		}
		return AskedMenu, nil
	case "notice":
		return AskedNotice, nil
	case "decline":
		t.Empty()
		return Declined, nil
	}
	if w := t.Meant(wishes...); w != "" {
		t.Remember(slotWish, w)
		return Greeted, nil
	}
	return "", nil
}

func (f *flow) hearMenu(_ context.Context, t *bot.Turn) (bot.Event, error) {
	return f.wish(t, t.Choice()), nil
}

func (f *flow) hearReady(_ context.Context, t *bot.Turn) (bot.Event, error) {
	switch t.Choice() {
	case "send":
		return f.askLink(t)
	case "no_mailbox":
		return NoMailbox, nil
	case "in_person":
		return WantsOffice, nil
	}
	return "", nil
}

func (f *flow) hearSent(_ context.Context, t *bot.Turn) (bot.Event, error) {
	switch t.Choice() {
	case "resend":
		return f.askLink(t)
	case "not_arrived":
		return NotArrived, nil
	case "no_mailbox":
		return NoMailbox, nil
	case "in_person":
		return WantsOffice, nil
	}
	return "", nil
}

// askLink reserves one mail of the record's live link and promises it. What the record is does not show.
func (f *flow) askLink(t *bot.Turn) (bot.Event, error) {
	record := t.Slot(slotRecord)
	if record == "" {
		return Corrected, fmt.Errorf("link asked for without a number")
	}
	res, err := t.Reserve(bot.Ask{Record: record, Sealed: t.Slot(slotNumber), Want: want(t), Channel: t.Update.Channel})
	if err != nil {
		return "", err
	}
	if !res.Granted {
		t.Say("when", waiting(t, res.RetryAt))
		return TooManyMails, nil
	}
	again := t.Conv.Attempt == res.Attempt
	t.Conv.Attempt = res.Attempt
	t.Promise(bot.Promise{Lane: bot.LaneMail, Kind: bot.PromiseLink, Record: record, Attempt: res.Attempt, Until: res.Ends})
	t.Later(bot.SignalLinkExpired, res.Attempt, res.Ends)
	switch {
	case f.Uniform:
		return LinkAskedUnsaid, nil
	case again: // the same link lives on: what is left of it is less than the usual words promise
		return LinkAskedAgain, nil
	}
	return LinkAsked, nil
}

func (f *flow) hearStep(_ context.Context, t *bot.Turn) (bot.Event, error) {
	switch t.Choice() {
	case "next":
		return WentOn, nil
	case "repeat":
		return AskedRepeat, nil
	case "back":
		return WentBack, nil
	case "stuck":
		return GotStuck, nil
	}
	return "", nil
}

func (f *flow) hearStuck(_ context.Context, t *bot.Turn) (bot.Event, error) {
	switch t.Choice() {
	case "another":
		if t.Slot(slotRecord) == "" {
			return WantsNumber, nil
		}
		t.Remember(slotWant, "generate") // the key is unlocked by now
		return WantsAnother, nil
	case "back_to_step":
		return WentOn, nil
	}
	return "", nil
}

func (f *flow) hearTried(_ context.Context, t *bot.Turn) (bot.Event, error) {
	switch t.Choice() {
	case "entered":
		return Entered, nil
	case "need_help":
		return NeedsHelp, nil
	}
	return "", nil
}

func (f *flow) hearRating(_ context.Context, t *bot.Turn) (bot.Event, error) {
	stars, ok := strings.CutPrefix(t.Choice(), "rate")
	if !ok {
		return "", nil
	}
	ref := t.Ref("C")
	t.Conv.Case = ref
	t.Promise(bot.Promise{Lane: bot.LaneEvent, Kind: bot.PromiseFile, Topic: "done_" + want(t), Ref: ref, Conv: t.Conv.ID, Body: "rating " + stars})
	f.dropNumber(t)
	t.Forget(slotWant)
	t.Conv.Attempt = ""
	return Rated, nil
}

func (f *flow) hearDone(_ context.Context, t *bot.Turn) (bot.Event, error) { return Greeted, nil }

func (f *flow) hearOffice(_ context.Context, t *bot.Turn) (bot.Event, error) {
	if t.Update.Kind != bot.Text || len(f.Offices) == 0 {
		return "", nil
	}
	found := f.Offices.Find(t.Text())
	if len(found) == 0 {
		return NoOffice, nil
	}
	var b strings.Builder
	for i, o := range found {
		if i > 0 {
			b.WriteString("\n\n")
		}
		b.WriteString(o.Name)
		for _, line := range []string{o.Address, strings.Trim(o.City+", "+o.Province, ", "), o.Hours, o.Note} {
			if line != "" {
				b.WriteString("\n" + line)
			}
		}
	}
	t.Say("offices", b.String())
	return FoundOffices, nil
}

func (f *flow) hearOffer(_ context.Context, t *bot.Turn) (bot.Event, error) {
	if t.Choice() == "stay" {
		return Stayed, nil
	}
	if t.Update.Kind == bot.Text && t.Says("continue") != "" {
		return f.ticket(t), nil // "sí" to "¿prefiere hablar con una persona?"
	}
	return "", nil
}

func (f *flow) hearTicket(context.Context, *bot.Turn) (bot.Event, error) { return "", nil }

// shortest complaint that says anything.
const shortestComplaint = 4

func (f *flow) hearComplaint(_ context.Context, t *bot.Turn) (bot.Event, error) {
	text := strings.TrimSpace(t.Text())
	if t.Update.Kind != bot.Text || utf8.RuneCountInString(text) < shortestComplaint {
		return "", nil
	}
	ref := t.Ref("Q")
	t.Say("ref", ref)
	t.Promise(bot.Promise{Lane: bot.LaneEvent, Kind: bot.PromiseFile, Topic: "complaint", Ref: ref, Conv: t.Conv.ID, Body: t.Mask(text)})
	return Complained, nil
}

func (f *flow) hearOwnData(_ context.Context, t *bot.Turn) (bot.Event, error) {
	switch t.Choice() {
	case "erase":
		return AskedErase, nil
	case "erase_yes":
		t.Empty()
		return Erased, nil
	case "erase_no":
		return Kept, nil
	}
	return "", nil
}

func (f *flow) hearResume(_ context.Context, t *bot.Turn) (bot.Event, error) {
	switch t.Choice() {
	case "continue":
		return Resumed, nil
	case "restart":
		f.dropNumber(t)
		t.Conv.Attempt = ""
		return Restarted, nil
	}
	return "", nil
}

func (f *flow) hearGroup(_ context.Context, t *bot.Turn) (bot.Event, error) { return bot.Ignored, nil }
