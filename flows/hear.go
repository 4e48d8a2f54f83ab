package flows

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"llave/bot"
	"llave/internal/affiliate"
	"llave/internal/handoff"
)

// The events: what an update meant.
const (
	AskedMenu, WentBack, AskedRepeat, AskedHelp bot.Event = "AskedMenu", "WentBack", "AskedRepeat", "AskedHelp"
	AskedStatus, AskedLanguage, Cancelled       bot.Event = "AskedStatus", "AskedLanguage", "Cancelled"
	AskedEnglish, ChoseLanguage                 bot.Event = "AskedEnglish", "ChoseLanguage"
	AskedPerson, AskedPersonAgain               bot.Event = "AskedPerson", "AskedPersonAgain"
	WantsUnlock, WantsGenerate, WantsOffice     bot.Event = "WantsUnlock", "WantsGenerate", "WantsOffice"
	WantsOwnData                                bot.Event = "WantsOwnData"
	WroteTooMuch, WroteSecret, TooFast          bot.Event = "WroteTooMuch", "WroteSecret", "TooFast"
	CameBack, WroteInGroup                      bot.Event = "CameBack", "WroteInGroup"
	LinkUsed, LinkOpened, KeyMade               bot.Event = "LinkUsed", "LinkOpened", "KeyMade"
	Greeted, AskedNotice, Declined              bot.Event = "Greeted", "AskedNotice", "Declined"
	GaveNumber, GaveCode, GaveUnusual           bot.Event = "GaveNumber", "GaveCode", "GaveUnusual"
	GavePhoneLike, GaveNine, GaveRUC            bot.Event = "GavePhoneLike", "GaveNine", "GaveRUC"
	WrongCount, WrongProvince, WrongDigit       bot.Event = "WrongCount", "WrongProvince", "WrongDigit"
	PhoneOrSlip, GavePhone, GaveTwo             bot.Event = "PhoneOrSlip", "GavePhone", "GaveTwo"
	WantsCode, LostNumber                       bot.Event = "WantsCode", "LostNumber"
	Eligible, Unsaid, NotEligible, Corrected    bot.Event = "Eligible", "Unsaid", "NotEligible", "Corrected"
	TooManyNumbers, TooManyMails                bot.Event = "TooManyNumbers", "TooManyMails"
	LinkAsked, LinkAskedUnsaid, NoMailbox       bot.Event = "LinkAsked", "LinkAskedUnsaid", "NoMailbox"
	NotArrived, LinkEndedOnce, LinkEndedTwice   bot.Event = "NotArrived", "LinkEndedOnce", "LinkEndedTwice"
	MailRefused, WentOn, GotStuck               bot.Event = "MailRefused", "WentOn", "GotStuck"
	WantsAnother, WantsNumber, Entered          bot.Event = "WantsAnother", "WantsNumber", "Entered"
	NumberRefused, KeyRefused, StillLocked      bot.Event = "NumberRefused", "KeyRefused", "StillLocked"
	PortalDown, PortalOther                     bot.Event = "PortalDown", "PortalOther"
	NeedsHelp, Rated, FoundOffices, NoOffice    bot.Event = "NeedsHelp", "Rated", "FoundOffices", "NoOffice"
	Stayed, AskedErase, Erased, Kept            bot.Event = "Stayed", "AskedErase", "Erased", "Kept"
	Resumed, Restarted                          bot.Event = "Resumed", "Restarted"
	SaidHello, SaidThanks                       bot.Event = "SaidHello", "SaidThanks"
	LinkAskedAgain, Arrived                     bot.Event = "LinkAskedAgain", "Arrived"
	EnoughMails, OtherNumber, OtherNumberLate   bot.Event = "EnoughMails", "OtherNumber", "OtherNumberLate"
	SameNumber                                  bot.Event = "SameNumber"
)

// The slots.
const (
	slotWant        = "want"         // "unlock" or "generate"
	slotWish        = "wish"         // said before the person agreed to go on
	slotGiven       = "given"        // sealed: a number that was read back and is not confirmed yet
	slotGivenTo     = "given_to"     // the case in which it was typed to an agent
	slotNumber      = "number"       // sealed: the confirmed one; dropped at the end
	slotShown       = "shown"        // the update that was answered with the whole number, where it remains in the chat
	slotRecord      = "record"       // keyed hash of the confirmed number
	slotDoubt       = "doubt"        // keyed hash of a number that failed its check digit
	slotPhone       = "phone"        // sealed: the chat's own telephone number
	slotCaseNumber  = "ticket"       // number of the open case with a person; written before Conversation.Handoff was
	slotEnded       = "ended"        // how many links ended unused
	slotUnsent      = "unsent"       // the attempt of which the mail server took no letter yet
	slotLate        = "late"         // whether it was said that the letter is late (saidLate), and that it went out (saidSent)
	slotUsed        = "used"         // when the link was used, in seconds since 1970
	slotMade        = "made"         // the key was made with the link that was used
	slotPart        = "part"         // sealed: what came so far of a number that is typed in parts, and in which messages
	slotTyped       = "typed"        // sealed: a number, or what was meant to be one, that came before the person agreed to go on
	slotAsked       = "asked"        // the question that stood before "¿Quiso decir …?"
	slotRests       = "rests"        // the number was dropped for a reminder; what is known of its link was not
	slotDanger      = "danger"       // 911 was named while free text was asked for
	slotAskedPrompt = "asked_prompt" // its stamp
	slotOpenly      = "openly"       // what is needed was asked openly already
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
func (f *flow) hearAny(ctx context.Context, t *bot.Turn) (bot.Event, error) {
	u, place := t.Update, t.Place()
	switch {
	case u.Kind == bot.Desk:
		return f.hearAgent(ctx, t)
	case slices.Contains(deskSignals, u.Signal):
		return f.hearDeskSignal(ctx, t)
	case u.Kind == bot.Signal:
		from := t.Conv.State
		ev := f.hearSignal(t)
		f.leavesQuestion(t, from, ev)
		return ev, nil
	case u.Group:
		t.Unkept() // nothing is heard there
		if !place.Is(InGroup) {
			return WroteInGroup, nil
		}
		return bot.Ignored, nil
	case t.SameAsBefore():
		t.Unkept()
		return bot.Ignored, nil
	case f.saysTheSame(ctx, t):
		return bot.Ignored, nil
	}
	if t.Conv.Handoff.Open() {
		f.watchesWindow(t)
	}
	f.rereads(t)
	f.hearDigits(t)
	if t.Unread() && f.complaint(t) != "" {
		t.Remember(slotUnread, "1")
	}
	f.notices(t)
	f.hearYes(t)
	fast, warn := f.tooFast(t)
	full := place.Is(AtDesk) && isFull(t)
	complains := fast && f.complains(t) // which would be lost
	if fast && !complains || full {
		t.Unkept()
	}
	if u.Kind == bot.Reaction {
		return bot.Ignored, nil
	}
	if !fast || warn {
		if ev := f.hearEmergency(t); ev != "" {
			if fast {
				warned(t)
			}
			return ev, nil
		}
	}
	switch {
	case place.Is(AtDesk):
		return tooMuch(t, fast, full, warn), nil
	case complains: // it is read back once they go on
		room := f.gather(t)
		f.numberInParts(t)
		switch {
		case !room && t.Conv.Text != "complaint.full": // said once, instead of that it is too fast
			t.Conv.Warned = t.Now
			return ComplaintFull, nil
		case !warn:
			return bot.Ignored, nil
		}
		warned(t)
		return TooFast, nil
	case fast:
		switch {
		case warn:
			warned(t)
			return TooFast, nil
		case !place.Is(FirstWord) && !t.Conv.Handoff.Open() && f.asksPerson(t): // what the notice promises
			f.keepsBeside(t)
			return AskedPerson, nil
		}
		return bot.Ignored, nil
	}
	switch {
	case t.Again():
		return bot.Ignored, nil
	case place.Is(FirstWord):
		return "", nil
	}
	if ev, err := f.hearLeft(ctx, t); ev != "" || err != nil {
		return ev, err
	}
	ev := f.hearPerson(t)
	if f.asksNotice(t, ev) {
		return NoticeChanged, nil
	}
	return ev, nil
}

// hearPerson hears what a person means wherever they are: a word that holds everywhere, something that is no words, a
// question about the procedure.
func (f *flow) hearPerson(t *bot.Turn) bot.Event {
	f.forgetWay(t)
	f.leavesWhen(t)
	f.returnsToOffice(t)
	if asked := t.Conv.Text; t.Stale() && (asked == askedMeant || f.asks[asked]) { // the buttons of the question before are still on the screen
		if ev := f.hearButtonBefore(t); ev != "" {
			return ev
		}
	}
	f.hearNod(t)
	if agreed := t.Agrees(); agreed != "" && t.Choice() == "" {
		word := "yes"
		if acting(agreed) { // "ok", "está bien" are no word for sending
			word = "word_yes"
		}
		if t.Says(word, "word_nod") != "" {
			t.Choose(agreed)
		}
	}
	for _, hear := range []func(*bot.Turn) bot.Event{f.hearPace, f.hearNotice, f.hearStill, f.hearMeant, f.hearGlobal, f.hearSame, f.hearRemind, f.hearPortalWords, f.hearReturn, f.hearAlbum, f.hearThing, f.hearSecret} {
		if ev := hear(t); ev != "" {
			return ev
		}
	}
	switch {
	case t.Place().Is(bot.FreeText, InGroup):
		return ""
	case t.AfterPart() && f.addsToComplaint(t):
		return ComplaintAdded
	}
	return f.hearMeaning(t)
}

// hearButtonBefore hears a press of a button above a question that was asked in between. The question before stands again; a
// button that it has is pressed, if it was that question's own and not an older one of the same name.
func (f *flow) hearButtonBefore(t *bot.Turn) bot.Event {
	prompt, before := t.Slot(slotAskedPrompt), t.Slot(slotAsked)
	if t.Conv.Text != askedMeant {
		prompt, before = strconv.Itoa(t.Conv.Prompt-1), t.Place().Ask
	}
	t.Ask(before)
	t.Forget(slotAsked, slotAskedPrompt)
	if strconv.Itoa(t.Update.Prompt) != prompt || !slices.Contains(t.Conv.Shown, t.Update.Button) {
		return NotMeant
	}
	t.Choose(t.Update.Button)
	return ""
}

// cameBack says that somebody writes after so long that they are asked whether to go on.
func cameBack(t *bot.Turn) bool { return t.Idle() >= ResumeAfter && !t.Place().Is(NoResume) }

// hearReturn asks who comes back after long whether to go on, unless what they write answers the question that stood there.
func (f *flow) hearReturn(t *bot.Turn) bot.Event {
	if t.Choice() != "" || !cameBack(t) || f.isAnswer(t) {
		return ""
	}
	t.Say("place", t.PlaceLabel())
	return CameBack
}

// hearSecret hears a key that was typed: it is deleted and not kept. In a place with free text the words around it are.
func (f *flow) hearSecret(t *bot.Turn) bot.Event {
	place := t.Place()
	if t.Update.Kind != bot.Text || place.Is(AsksNumber) || f.reading(t).Verdict != affiliate.SecretGiven {
		return ""
	}
	f.erase(t)
	t.Hide()
	if place.Is(bot.FreeText) && len(strings.Fields(t.Text())) > 1 {
		return ""
	}
	return WroteSecret
}

// globalWords hold in every state.
var globalWords = []string{
	"word_menu", "word_back", "word_repeat", "word_help", "word_person", "word_cancel", "word_language", "word_english", "word_status", "word_hello", "word_thanks",
	"word_correct", "word_lost", "word_wait", "notice",
}

// hearGlobal hears the words that hold in every state.
func (f *flow) hearGlobal(t *bot.Turn) bot.Event {
	said := t.Says(globalWords...)
	agreed := !t.Place().Is(BeforeTerms)
	if t.Update.Kind == bot.Start && agreed {
		said = "word_menu"
	}
	if f.asksPerson(t) {
		said = "word_person"
	}
	if t.Choice() == "menu" {
		said = "word_menu"
	}
	switch said {
	case "word_menu":
		if agreed {
			return f.toMenu(t)
		}
	case "word_back":
		if agreed {
			return f.goesBack(t)
		}
	case "word_cancel":
		return f.cancels(t)
	case "word_correct":
		if t.Choice() == "" {
			return f.corrects(t)
		}
	case "word_wait":
		if t.Choice() == "" && !t.Place().Is(bot.FreeText) {
			return f.answer(t, f.answers["wait"].in(t.Place()))
		}
	case "notice":
		if agreed && t.Choice() == "" && !t.Place().Is(bot.FreeText) {
			return ReadNotice
		}
	case "word_repeat":
		return AskedRepeat
	case "word_lost":
		if t.Choice() == "" && !f.saidInBreath(t) {
			return f.rewords(t)
		}
	case "word_help":
		return AskedHelp
	case "word_status":
		return f.status(t)
	case "word_language", "word_english":
		switch {
		case strings.HasPrefix(t.Choice(), languageButton): // the answer to which language
		case said == "word_english":
			speak(t, english)
			return AskedEnglish
		case t.Slot(slotTongue) != "" && asksSpanish(t):
			speak(t, spanish)
			return AskedSpanish
		default:
			return AskedLanguage
		}
	case "word_person":
		f.keepsBeside(t)
		return AskedPerson
	case "word_hello":
		if !cameBack(t) {
			return SaidHello
		}
		t.Choose("") // "ya volví" does not mean "ya"
	case "word_thanks":
		if t.Choice() == "" { // "sí, gracias" is an answer
			return SaidThanks
		}
	}
	return ""
}

// hearNod takes a sign alone, or a word that is said for yes or no and is on no button ("sip", "nel"), for the button that
// it stands for.
func (f *flow) hearNod(t *bot.Turn) {
	if t.Update.Kind != bot.Text || t.Place().Is(bot.FreeText) {
		return
	}
	if said := thumb(t.Text()); said != "" {
		t.Update.Text = t.Wording(said)
		t.Choose(t.Shows(t.Update.Text))
		return
	}
	words := map[string]string{"word_nod": "said.yes", "word_shake": "said.no"}
	said := words[t.Says("word_nod", "word_shake")]
	if said == "" || t.Choice() != "" {
		return
	}
	if label := t.Shows(t.Wording(said)); !slices.Contains(notOnAGuess, label) {
		t.Choose(label)
	}
}

// thumb says which answer a message of such a sign alone gives, or of the word said over and over.
func thumb(text string) string {
	switch strings.Trim(text, " \n\ufe0f\U0001F3FB\U0001F3FC\U0001F3FD\U0001F3FE\U0001F3FF") { // colours of skin
	case "👍", "👌", "✅", "👍👍":
		return "said.yes"
	case "👎", "❌":
		return "said.no"
	}
	switch folded := bot.Fold(text); {
	case manyYes.MatchString(folded):
		return "said.yes"
	case manyNo.MatchString(folded):
		return "said.no"
	}
	return ""
}

// A yes and a no that are said several times over, in one word or in more: "sisisi", "no no no".
var (
	manyYes = regexp.MustCompile(`^(?:(?:s+i+|y+e+s+)[ ,.!]*){2,}$`)
	manyNo  = regexp.MustCompile(`^(?:n+o+[ ,.!]*){2,}$`)
)

// asksPerson says whether a person is asked for, by the button, by the word alone, or beside a number.
func (f *flow) asksPerson(t *bot.Turn) bool {
	return t.Choice() == "agent" || t.Says("word_person") != "" || f.asksPersonBeside(t)
}

// isAnswer says that what was written after a long silence answers the question that stood there, or is a number: it is taken,
// not asked for again.
func (f *flow) isAnswer(t *bot.Turn) bool {
	switch {
	case f.findsNearest(t):
		return true
	case t.Update.Kind != bot.Text:
		return false
	case t.Place().Is(bot.FreeText):
		return t.Says("word_hello") == ""
	}
	return f.holdsNumber(t) || f.isCode(t) && !t.Place().Is(InKey, LinkLives)
}

// forgetWay takes out of the way back what cannot be asked any more without a number. There is always one, if only to the menu.
func (f *flow) forgetWay(t *bot.Turn) {
	c, place := t.Conv, t.Place()
	if place.Is(BeforeTerms) {
		return
	}
	if t.Slot(slotRecord) == "" {
		c.Back = slices.DeleteFunc(c.Back, func(s bot.State) bool {
			p := t.PlaceOf(s)
			return needsNumberNow(t, p) && !(p.Is(ReadsBack) && isAbout(t)) ||
				!place.Is(InKey, Between) && p.Is(InKey, AfterKey) && t.Slot(slotUsed) == ""
		})
	}
	if len(c.Back) == 0 {
		c.Back = []bot.State{t.Leads(c.State, AskedMenu)}
	}
}

// caseLife is how long a case stays open at most while the person is silent: as long as what was said is kept (P406). A
// number that nobody came to use is not kept for ever.
const caseLife = 30 * 24 * time.Hour

// hearSignal hears records and timers. What belongs to an older attempt never comes here.
func (f *flow) hearSignal(t *bot.Turn) bot.Event {
	place := t.Place()
	if note := linkNotes[t.Update.Signal]; note != "" && place.Is(AtDesk) {
		return f.hearLinkInDesk(t, note)
	}
	switch t.Update.Signal {
	case bot.SignalForget:
		return f.forgets(t)
	case bot.SignalRemind:
		return f.reminds(t)
	case bot.SignalNumberLost:
		return f.changesHands(t)
	case bot.SignalLinkUsed:
		t.Withdraw()
		waitsNoMore(t)
		usesLink(t)
		switch {
		case place.Is(LinkUsedBy):
			return bot.Ignored
		case t.Update.Text == "generate":
			happenedInstead(t, LinkOpened, isLink)
			return LinkOpened
		}
		happenedInstead(t, LinkUsed, isLink)
		return LinkUsed
	case bot.SignalKeyMade:
		t.Remember(slotMade, "1")
		if place.Is(KeyMadeBy) && (!place.Is(InKey) || t.Conv.Text == "key.made") { // else they have only said so
			return bot.Ignored
		}
		t.Never(bot.SignalRemind) // it was to make one
		happenedInstead(t, KeyMade, makesKey)
		return KeyMade
	case bot.SignalMailRefused:
		if waits(t) && !f.Uniform {
			t.Withdraw()
			waitsNoMore(t)
			return MailRefused
		}
		if !f.Uniform {
			waitsNoMore(t)
			endsMeanwhile(t, MailRefused)
			linkEndedInstead(t, MailRefused)
		}
	case bot.SignalMailLate:
		return f.late(t)
	case bot.SignalMailSent:
		return f.mailSent(t)
	case bot.SignalMailUnsent:
		if !f.Uniform {
			return f.unsent(t)
		}
	case bot.SignalLinkExpired:
		if f.wasUnsent(t) {
			return f.unsent(t)
		}
		return f.ended(t)
	case bot.SignalGivenUp:
		if !place.Is(AtDesk) { // there somebody is with them already
			return bot.MissedOften // a person may do it
		}
	}
	return bot.Ignored
}

// usesLink notes when the link was used: from then on its page lives.
func usesLink(t *bot.Turn) {
	t.Remember(slotUsed, strconv.FormatInt(t.Now.Unix(), 10))
	t.Forget(slotEnded, slotMade, slotMeanwhile)
	if _, set := reminder(t); set { // of the way to a link
		t.Remember(slotRemindPlace, string(t.Leads(t.Conv.State, LinkUsed)))
	}
}

// forgets empties a conversation left alone, unless somebody will write to them yet.
func (f *flow) forgets(t *bot.Turn) bot.Event {
	switch h := t.Conv.Handoff; {
	case h.Open() && t.Now.Sub(h.Asked) < caseLife:
		t.Later(bot.SignalForget, "", t.Now.Add(f.Idle))
		t.Conv.KeptTill = t.Now.Add(f.Seen)
		return bot.Ignored
	case h.Open():
		f.endCase(t, handoff.NoAnswer)
		f.emptiesIdle(t) // the closed case stays until it has been seen and recorded
		t.Later(bot.SignalForget, "", t.Now.Add(f.Idle))
		return bot.Forgotten
	}
	if at, set := reminder(t); set {
		f.keepTill(t, at)
		return bot.Ignored
	}
	f.emptiesIdle(t)
	t.Conv.Handoff = nil
	t.Silent()
	return bot.Forgotten
}

// emptiesIdle empties a conversation that nobody goes on with. That a complaint was not filed is said when they do.
func (f *flow) emptiesIdle(t *bot.Turn) {
	unfiled := f.complaint(t) != "" || t.Slot(slotUnfiled) != ""
	t.Empty()
	if unfiled {
		t.Remember(slotUnfiled, "1")
	}
}

// changesHands ends what was begun in a chat whose number is somebody else's now (P116).
func (f *flow) changesHands(t *bot.Turn) bot.Event {
	if t.Conv.Handoff.Open() {
		f.endCase(t, handoff.ChangedHands)
		t.Transcribe(bot.FromEvent, "", NoteChangedHands)
	}
	t.Vacate()
	t.Empty()
	t.Later(bot.SignalForget, "", t.Now.Add(f.Idle))
	t.Silent()
	return bot.Forgotten
}

func (f *flow) ended(t *bot.Turn) bot.Event {
	t.Withdraw()
	waitsNoMore(t)
	if !waits(t) {
		endsMeanwhile(t, LinkEndedOnce)
		if linkEndedInstead(t, LinkEndedOnce) && t.Slot(slotEnded) == "" {
			t.Remember(slotEnded, "1")
		}
		return bot.Ignored
	}
	f.hard(t)
	if t.Slot(slotEnded) != "" {
		return LinkEndedTwice
	}
	t.Remember(slotEnded, "1")
	return LinkEndedOnce
}

// waits says where somebody whose link was sent is told what became of it. Who is writing a complaint or another
// number is not interrupted, and finds it on the way back; who has cancelled waits for nothing.
func waits(t *bot.Turn) bool {
	return (t.Slot(slotRecord) != "" || t.Slot(slotRests) != "") && t.Place().Is(ToldOfLink)
}

// linkEndedInstead puts the place where an event of the link's end leads where the way back leads to one that lives, and says whether
// it did.
func linkEndedInstead(t *bot.Turn, ev bot.Event) bool {
	i := slices.IndexFunc(t.Conv.Back, func(s bot.State) bool { return t.PlaceOf(s).Is(LinkLives) })
	if i < 0 {
		return false
	}
	t.Conv.Back = slices.Clone(t.Conv.Back)
	t.Conv.Back[i] = t.Leads(t.Conv.Back[i], ev)
	return true
}

// tooFast keeps the limit of messages a minute; warn says that the person has not been told yet.
func (f *flow) tooFast(t *bot.Turn) (fast, warn bool) {
	c := t.Conv
	c.Recent = slices.DeleteFunc(c.Recent, func(at time.Time) bool { return t.Now.Sub(at) >= time.Minute })
	if t.RestOfAlbum() && !t.Conv.Handoff.Open() { // one act, of which no line is kept
		return false, false
	}
	if len(c.Recent) < f.Limits.MessagesMinute {
		c.Recent = append(c.Recent, t.Now)
		return false, false
	}
	return true, t.Now.Sub(c.Warned) >= time.Minute
}

// warned notes that the person is told now that it was too much, and says when they may go on.
func warned(t *bot.Turn) {
	t.Conv.Warned = t.Now
	t.Say("when", waiting(t, t.Conv.Recent[0].Add(time.Minute)))
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
	if f.Erasing(t.Update.Channel) == Deleted && t.Update.MessageID != "" {
		for _, id := range t.Earlier() {
			t.Promise(bot.Promise{ID: t.Key() + "/" + string(bot.PromiseDelete) + "/" + id, What: bot.Delete{MessageID: id}})
		}
		t.Promise(bot.Promise{What: bot.Delete{MessageID: t.Update.MessageID}})
	}
}

// erasing says beforehand what will become of the message with the number.
func (f *flow) erasing(t *bot.Turn) string {
	switch f.Erasing(t.Update.Channel) {
	case Deleted:
		return t.Wording("number.erase")
	case Remains:
		return t.Wording("number.keep")
	}
	return ""
}

// dropNumber forgets the number, and one that was given and not confirmed.
func (f *flow) dropNumber(t *bot.Turn) {
	dropGiven(t)
	t.Forget(slotNumber, slotRecord, slotEnded, slotUsed, slotMade, slotMeanwhile, slotRests, slotLeft)
	waitsNoMore(t)
}

// dropRead forgets the number that is read back: the one that was given, else the confirmed one, which is read back once more
// on the way back.
func (f *flow) dropRead(t *bot.Turn) {
	if t.Slot(slotGiven) == "" {
		f.dropNumber(t)
		return
	}
	dropGiven(t)
}

// dropGiven forgets a number that was given and not confirmed.
func dropGiven(t *bot.Turn) {
	t.Forget(slotGiven, slotGivenTo, slotShown, slotDoubt, slotPart, slotTyped)
}

// caseNumber is the number of the case with a person, or "".
func caseNumber(t *bot.Turn) string {
	if t.Conv.Handoff == nil {
		return ""
	}
	return saidRef(t, t.Conv.Handoff.Ref)
}

// saidRef is a case number as it is told: in groups to who goes step by step, since that is read aloud.
func saidRef(t *bot.Turn, ref string) string {
	if t.Conv.Way == slow {
		return bot.SayRef(ref)
	}
	return ref
}

func (f *flow) wish(t *bot.Turn, label string) bot.Event {
	switch label {
	case "unlock", "generate":
		if ev := f.underWay(t, label); ev != "" {
			return ev
		}
		part := t.Slot(slotPart)
		f.dropNumber(t)
		if t.Place().Is(AsksNumber) && part != "" { // it goes on
			t.Remember(slotPart, part)
		}
		t.Remember(slotWant, label)
		if label == "unlock" {
			return WantsUnlock
		}
		return WantsGenerate
	case "in_person":
		return WantsOffice
	case "agent":
		return AskedPerson
	case "complaint":
		if at := f.complaintsRetryAt(t); !at.IsZero() { // before they write it
			t.Say("when", waiting(t, at))
			return TooManyComplaints
		}
		before := f.complaint(t)
		t.Forget(slotAnew)
		f.tells(t)
		switch {
		case before != "": // left unfiled
			return readsComplaint(t)
		case f.complaint(t) != "":
			return ComplaintTold
		}
		return WantsComplaint
	case "my_data":
		return WantsOwnData
	case "another":
		return f.forAnother(t)
	case "minor":
		return ForMinor
	case "deceased":
		return ForDeceased
	case "passport":
		if t.Slot(slotWant) == "" {
			t.Remember(slotWant, "unlock")
		}
		return WantsCode
	}
	return ""
}

// underWay hears somebody who writes, in the middle of it, what they came for: the place is kept. At the steps of the
// key it means that these do not go well.
func (f *flow) underWay(t *bot.Turn, label string) bot.Event {
	p := t.Place()
	switch {
	case t.Update.Kind != bot.Text, t.Slot(slotRecord) == "" && t.Slot(slotRests) == "":
	case p.Is(InKey) && p.Has(NeedsHelp):
		f.hard(t)
		return NeedsHelp
	case p.Is(InKey) && p.Has(GotStuck):
		f.hard(t)
		return GotStuck
	case p.Is(InKey), p.Is(NeedsNumber) && !p.Is(ReadsBack) && (label == want(t) || t.Says(label) == ""):
		return AskedRepeat
	}
	return ""
}

// hearStart hears the first word. Whatever it is, the welcome comes; what was wanted, and a number, are kept until the person
// has agreed to go on; a question is answered at once; who writes English is answered in English.
func (f *flow) hearStart(_ context.Context, t *bot.Turn) (bot.Event, error) {
	if t.Slot(slotUnfiled) != "" {
		t.Forget(slotUnfiled)
		t.Add("complaint.forgotten")
	}
	if t.Update.Kind != bot.Text {
		return f.firstThing(t), nil
	}
	if t.Says("word_english") != "" {
		speak(t, english)
	}
	if t.Says("slow") != "" {
		t.Pace(slow)
		return Greeted, nil
	}
	kept := f.keepsNumber(t)
	if f.asksPersonBeside(t) {
		return f.answersFirst(t, AskedPerson), nil
	}
	ev, ok := f.understands(t)
	switch {
	case !ok && captioned(t) && !kept:
		return f.firstThing(t), nil
	case !ok:
		return Greeted, nil
	}
	return f.answersFirst(t, ev), nil
}

// answersFirst is what comes of a first word that was understood: [ev] is what it would be answered with elsewhere.
func (f *flow) answersFirst(t *bot.Turn, ev bot.Event) bot.Event {
	switch {
	case ev == AskedPerson:
		return f.answersFirst(t, wishing("agent")(f, t))
	case isText(string(ev)):
		t.Say("answer", strings.TrimSpace(strings.NewReplacer("{again}", "", "{question}", "").Replace(t.Fill(string(ev)))))
		return AnsweredFirst
	case t.Leads(t.Conv.State, ev) != bot.Stay && ev != Greeted && ev != "": // from there the way back is to the welcome
		t.Conv.Back = []bot.State{t.Leads(t.Conv.State, Greeted)}
		return ev
	}
	return Greeted
}

// keepsNumber keeps a number, or what was meant to be one, that came before anybody asked for it, sealed, until the person has
// agreed to go on.
func (f *flow) keepsNumber(t *bot.Turn) bool {
	typed, known, part := "", "", "" // known: the number, for an agent, if a person is asked for first
	if f.triesNumber(t) {
		r := f.reading(t)
		f.cleans(t, r)
		if f.holdsNumber(t) || f.isCode(t) {
			known = cmp.Or(r.Number, r.Code)
		}
		typed = cmp.Or(known, bot.Cut(t.Text(), mostTyped))
	} else if typed = f.keepsPart(t); typed == "" {
		return false
	} else if v := affiliate.Check(typed); v != affiliate.AskLength && !slips(v) {
		known = typed
	} else {
		part = t.Slot(slotPart)
	}
	dropGiven(t)
	if known != "" {
		f.keeps(t, slotGiven, known)
	}
	if part != "" { // a whole number leaves none of what was begun
		t.Remember(slotPart, part)
	} else {
		f.keeps(t, slotTyped, typed)
	}
	if w := f.wishedWith(t); w == "generate" || t.Slot(slotWish) == "" {
		t.Remember(slotWish, cmp.Or(w, "unlock"))
	}
	return true
}

// mostTyped is how much is kept of a message with what was meant to be a number.
const mostTyped = 100

func (f *flow) hearWelcome(_ context.Context, t *bot.Turn) (bot.Event, error) {
	switch t.Choice() {
	case "continue":
		f.agrees(t)
		return f.begins(t), nil
	case "notice":
		return AskedNotice, nil
	case "decline":
		t.Empty()
		return Declined, nil
	}
	switch {
	case t.Update.Kind == bot.Start:
		return SaidHello, nil
	case f.keepsNumber(t):
		return Greeted, nil
	}
	return "", nil
}

// begins goes on with what was said before the person agreed to. The first step back from there leads to the menu.
func (f *flow) begins(t *bot.Turn) bot.Event {
	t.Enter(t.Leads(t.Conv.State, AskedMenu))
	w := t.Slot(slotWish)
	t.Forget(slotWish)
	if slices.Contains([]string{"unlock", "generate", "another"}, w) {
		if ev := f.readsKept(t); ev != "" {
			if w != "another" {
				t.Remember(slotWant, w)
			}
			return ev
		}
	}
	if ev := f.wish(t, w); ev != "" {
		return ev
	}
	return AskedMenu
}

// readsKept reads the number that came before the person agreed to go on. Of a part of one the rest may come at once; that they agreed
// stays.
func (f *flow) readsKept(t *bot.Turn) bot.Event {
	typed, err := f.kept(t, slotTyped)
	if err != nil {
		typed, _ = f.partSoFar(t)
	}
	t.Forget(slotTyped)
	switch {
	case typed != "":
		ev := f.takeNumber(t, typed)
		if ev == WrongCount || ev == GaveMore {
			t.Part()
		}
		return ev
	case isAbout(t): // kept by a version that took whole numbers only
		return GaveNumber
	}
	return ""
}

func (f *flow) hearMenu(ctx context.Context, t *bot.Turn) (bot.Event, error) {
	if f.findsNearest(t) {
		return f.hearSpot(ctx, t)
	}
	if ev := f.wish(t, t.Choice()); ev != "" {
		return ev, nil
	}
	switch t.Choice() {
	case "more":
		return WantsMore, nil
	case "language":
		return AskedLanguage, nil
	}
	return f.numberUnasked(t), nil
}

func (f *flow) hearReady(ctx context.Context, t *bot.Turn) (bot.Event, error) {
	switch t.Choice() {
	case "send", "resend":
		return f.resends(ctx, t)
	case "no_mailbox":
		return NoMailbox, nil
	case "in_person":
		return WantsOffice, nil
	}
	if t.Choice() == "how_mail" {
		return AskedMailHelp, nil
	}
	return "", nil
}

func (f *flow) hearSent(ctx context.Context, t *bot.Turn) (bot.Event, error) {
	switch t.Choice() {
	case "resend":
		return f.resends(ctx, t)
	case "not_arrived":
		f.hard(t)
		return notArrived(f, t), nil
	case "arrived":
		return Arrived, nil
	case "page_open":
		return OpenedPage, nil
	case "how_mail":
		return AskedMailHelp, nil
	case "no_mailbox":
		return NoMailbox, nil
	case "in_person":
		return WantsOffice, nil
	case correctNumber:
		return f.correctsNumber(t), nil
	}
	return "", nil
}

// resends is askLink where the number may have been dropped for a reminder.
func (f *flow) resends(ctx context.Context, t *bot.Turn) (bot.Event, error) {
	if t.Slot(slotRests) != "" && t.Slot(slotRecord) == "" {
		return NumberDropped, nil
	}
	return f.askLink(ctx, t)
}

// askLink reserves one mail of the live link of the confirmed number's record and promises it. In `guided` it looks first whether the
// virtual route is still open: a letter may have come back since, of which the chat heard nothing because its link was over.
func (f *flow) askLink(ctx context.Context, t *bot.Turn) (bot.Event, error) {
	if t.Slot(slotRecord) == "" {
		return Corrected, fmt.Errorf("link asked for without a number")
	}
	if _, lives := linkEnds(t); lives && isLate(t) { // one waits to go out already
		return NotSentYet, nil
	}
	number, err := f.kept(t, slotNumber)
	if err != nil {
		return "", fmt.Errorf("open number: %w", err)
	}
	if !f.Uniform && f.numbersRetryAt(t, t.Slot(slotRecord)).IsZero() { // else the limit is told, and nothing looked up
		rec, _, err := f.Records.Find(ctx, number)
		if err != nil {
			return "", fmt.Errorf("find record: %w", err)
		}
		if rec.Outcome() == affiliate.InPerson {
			counts(t, t.Slot(slotRecord))
			t.Withdraw()
			t.WithdrawLetters()
			waitsNoMore(t)
			return MailRefused, nil
		}
	}
	ev, err := f.askLinkFor(t, t.Slot(slotRecord), number)
	if left, lives := linkEnds(t); ev == TooManyMails && lives {
		t.Say("left", leaving(t, left))
		return EnoughMails, err
	}
	return ev, err
}

// askLinkFor is askLink for a number, which becomes the confirmed one if a mail is granted. What the record is does not show,
// nor what became of its link in another chat: whether one lives already is what this chat's own clock says. In `uniform` that
// clock is all that the chat knows of the link (P303).
func (f *flow) askLinkFor(t *bot.Turn, record, number string) (bot.Event, error) {
	if at := f.numbersRetryAt(t, record); !at.IsZero() { // whatever road led here
		t.Say("when", waiting(t, at))
		return TooManyNumbers, nil
	}
	res, err := t.Reserve(bot.Ask{Record: record, Number: number, Want: want(t), Channel: t.Update.Channel, Lang: t.Conv.Lang})
	if err != nil {
		return "", err
	}
	if !res.Granted {
		t.Say("when", waiting(t, res.RetryAt))
		return TooManyMails, nil
	}
	left, again := linkEnds(t)
	again = again && t.Slot(slotRecord) == record
	ends := res.Ends
	switch {
	case again:
		ends = t.Now.Add(left)
	case f.Uniform:
		ends = t.Now.Add(f.LinkTTL)
	}
	if !again {
		t.Withdraw()
	}
	f.binds(t, record, number)
	t.Forget(slotMade)
	t.Conv.Attempt = res.Attempt
	f.watchesMail(t, again)
	t.Promise(bot.Promise{What: bot.MailLink{Conv: t.Conv.ID, Row: mailRow(t.Conv, record), Lang: t.Conv.Lang, Timed: again || f.Uniform}, Record: record, Attempt: res.Attempt, Until: res.Ends})
	t.Later(bot.SignalLinkExpired, res.Attempt, ends)
	switch {
	case f.Uniform:
		return LinkAskedUnsaid, nil
	case again: // the same link lives on: what is left of it is less than the usual words promise
		return LinkAskedAgain, nil
	}
	return LinkAsked, nil
}

// mailRow is where a letter to a record waits: with those to the same record, apart from those to others.
func mailRow(c *bot.Conversation, record string) int {
	taken := map[int]bool{}
	for _, p := range c.Promises {
		link, ok := p.What.(bot.MailLink)
		if ok && p.Record == record {
			return link.Row
		}
		taken[link.Row] = taken[link.Row] || ok
	}
	for row := range bot.MailRows {
		if !taken[row] {
			return row
		}
	}
	return len(bot.MailRows) - 1
}

func (f *flow) hearStep(_ context.Context, t *bot.Turn) (bot.Event, error) {
	switch t.Choice() {
	case "next":
		return WentOn, nil
	case "repeat":
		return AskedRepeat, nil
	case "back":
		return f.goesBack(t), nil
	case "stuck":
		f.hard(t)
		return GotStuck, nil
	}
	return "", nil
}

func (f *flow) hearStuck(_ context.Context, t *bot.Turn) (bot.Event, error) {
	switch t.Choice() {
	case "another":
		t.Remember(slotWant, "generate") // the key is unlocked by now
		switch {
		case t.Slot(slotRecord) != "":
			return WantsAnother, nil
		case t.Slot(slotRests) != "":
			return NumberDropped, nil
		}
		return WantsNumber, nil
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
		f.hard(t)
		return NeedsHelp, nil
	}
	return "", nil
}

// hearPortalWords takes what the portal says for its button, whichever of them stand there now.
func (f *flow) hearPortalWords(t *bot.Turn) bot.Event {
	if t.Place().Has(PortalOther) && t.Choice() == "" {
		if said := t.Says("portal_number", "portal_key", "portal_locked", "portal_down", "no_key", "portal_other", "another"); said != "" {
			t.Choose(said)
		}
	}
	return ""
}

// hearPortal hears what the portal says to somebody who did not get in.
func (f *flow) hearPortal(_ context.Context, t *bot.Turn) (bot.Event, error) {
	switch t.Choice() {
	case "entered":
		return Entered, nil
	case "portal_other":
		return PortalOther, nil
	case "portal_number":
		return NumberRefused, nil
	case "portal_key":
		return KeyRefused, nil
	case "portal_locked":
		return StillLocked, nil
	case "portal_down":
		return PortalDown, nil
	case "no_key":
		t.Enter(t.Leads(t.Conv.State, LinkUsed)) // "Volver al paso" leads to the first
		return GotStuck, nil
	case "another":
		return f.another(t), nil
	}
	return "", nil
}

func (f *flow) hearRating(_ context.Context, t *bot.Turn) (bot.Event, error) {
	given, ok := strings.CutPrefix(t.Choice(), "rate")
	if !ok {
		return "", nil
	}
	if short, few := stars[t.Choice()]; few {
		given = short
	}
	if h := t.Conv.Handoff; h != nil && !h.Open() && t.Slot(slotRates) == h.Ref { // the help, not the bot
		return ratesHelp(t, given), nil
	}
	ref := t.Ref("C")
	t.Conv.Case = ref
	t.Promise(bot.Promise{What: bot.KeepFile{Topic: "done_" + want(t), Ref: ref, Conv: t.Conv.ID, Body: "rating " + given}})
	f.dropNumber(t)
	t.Forget(slotWant)
	t.Never(bot.SignalRemind)
	t.Conv.Attempt = ""
	if f.complaint(t) != "" {
		t.Add("complaint.unfiled")
	}
	return Rated, nil
}

func (f *flow) hearDone(_ context.Context, t *bot.Turn) (bot.Event, error) {
	if t.Choice() == "complaint" { // one that is not filed
		return f.wish(t, "complaint"), nil
	}
	if ev := f.numberUnasked(t); ev != "" {
		return ev, nil
	}
	if len(f.answers.offers(f.read(t), "")) > 0 { // it is asked what was meant
		return "", nil
	}
	return Greeted, nil
}

func (f *flow) hearOffice(ctx context.Context, t *bot.Turn) (bot.Event, error) {
	switch t.Choice() {
	case correctNumber:
		return f.correctsNumber(t), nil
	case "what_to_bring":
		return AskedWhatToBring, nil
	case "contact_us":
		return AskedContact, nil
	}
	if ev := f.numberUnasked(t); ev != "" {
		return ev, nil
	}
	switch {
	case f.findsNearest(t):
		return f.hearSpot(ctx, t)
	case t.Update.Kind != bot.Text:
		return "", nil
	case len(f.Offices) == 0 && f.namesTown(t):
		offersAtOffice(t)
		return NoOfficeList, nil
	case len(f.Offices) == 0:
		return "", nil
	}
	return f.hearCity(ctx, t)
}

func (f *flow) hearOffer(ctx context.Context, t *bot.Turn) (bot.Event, error) {
	if t.Place().Has(FoundOffices) { // they went back there with their words
		return f.hearOffice(ctx, t)
	}
	if t.Choice() == "stay" {
		return Stayed, nil
	}
	if f.givesNumber(t) { // what was asked for before, after all
		t.Remember(slotWant, want(t))
		return f.readNumber(t), nil
	}
	return "", nil
}

func (f *flow) hearTicket(context.Context, *bot.Turn) (bot.Event, error) { return "", nil }

// announce has the institution's programs told of a case, where they are. Whose it is is not said: the chat has not proved it.
func (f *flow) announce(t *bot.Turn, event, ref string) {
	if f.Announce {
		t.Promise(bot.Promise{What: bot.Announce{Event: event, Ref: ref}, Until: t.Now.Add(bot.AnnouncedFor)})
	}
}

// hearLanguage hears the name of a language.
func (f *flow) hearLanguage(_ context.Context, t *bot.Turn) (bot.Event, error) {
	language, chosen := strings.CutPrefix(t.Choice(), languageButton)
	if !chosen {
		return "", nil
	}
	speak(t, language)
	return ChoseLanguage, nil
}

func (f *flow) hearOwnData(_ context.Context, t *bot.Turn) (bot.Event, error) {
	switch t.Choice() {
	case "erase":
		return AskedErase, nil
	case "erase_yes":
		if t.Conv.Handoff.Open() {
			f.endCase(t, handoff.Erased)
		}
		t.Promise(bot.Promise{What: bot.EraseChat{Conv: t.Conv.ID}})
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
		return f.resumes(t), nil
	case "restart":
		f.dropNumber(t)
		t.Conv.Attempt = ""
		return Restarted, nil
	}
	return "", nil
}

func (f *flow) hearGroup(_ context.Context, t *bot.Turn) (bot.Event, error) { return bot.Ignored, nil }
