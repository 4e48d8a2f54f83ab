package flows

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"llave/bot"
	"llave/internal/handoff"
)

// Who cannot go on now may have themselves reminded (P510). A reminder is a timer of the conversation, so it outlives every process
// and goes off once. The place is kept for it, and the conversation with it; the number is not: it is asked for anew. By night nobody
// is written to, and where a channel lets us speak for so long after the person's last word only, not later than that.
//
// For the same reason who waits there for somebody of the help desk is asked before that time is over whether they still do: the
// answer is a word of theirs, and what the desk has to say arrives.

// The events.
const (
	AskedRemind, AskedHour                    bot.Event = "AskedRemind", "AskedHour"
	RemindSet, RemindMoved, RemindPast        bot.Event = "RemindSet", "RemindMoved", "RemindPast"
	RemindTooLate, RemindTooLateHere          bot.Event = "RemindTooLate", "RemindTooLateHere"
	RemindCancelled, Reminded, RemindedAtRest bot.Event = "RemindCancelled", "Reminded", "RemindedAtRest"
	RemindNone                                bot.Event = "RemindNone"    // one is to be undone, and none is set
	RemindOnlyKey                             bot.Event = "RemindOnlyKey" // of something else nobody is reminded
	AskedStillWaiting, StillWaits             bot.Event = "AskedStillWaiting", "StillWaits"
	AskedStillAside, StillWaitsOn, LeftAside  bot.Event = "AskedStillAside", "StillWaitsOn", "LeftAside" // of who is doing something else

	// Those after which tomorrow cannot be offered: the channel has closed by then.
	AskedRemindToday, RemindPastToday, RemindTooLateToday bot.Event = "AskedRemindToday", "RemindPastToday", "RemindTooLateToday"
)

// The slots.
const (
	slotRemindAsked = "remind_asked" // when the reminder was asked for, in seconds since 1970
	slotRemindPlace = "remind_place" // the state to go on from
	slotRemindDay   = "remind_day"   // the day that was named with it
	slotStill       = "still"        // it was asked last whether one still waits, and by the way
)

const (
	remindAhead   = 72 * time.Hour   // how far ahead somebody is reminded at most
	remindHere    = 10 * time.Minute // who has come back by themselves and wrote less than that ago is reminded later
	windowSpare   = 10 * time.Minute // what is said this long before a channel stops taking it arrives in any case
	stillWaitsFor = 23 * time.Hour   // after so long without a word who waits is asked whether they still do

	askedByHour, askedByMinute = 20, 30 // or the evening before, where that is by night
)

// stillWaiting is the question whether one still waits.
const stillWaiting = "waiting.ask"

// now is the turn's time by the clock of the people who write.
func (f *flow) now(t *bot.Turn) time.Time { return t.Now.In(f.Zone) }

// window is how long after a person's last word the conversation's channel lets us write; zero: for ever.
func (f *flow) window(t *bot.Turn) time.Duration {
	if f.Window == nil {
		return 0
	}
	channel, _ := bot.SplitConversationID(t.Conv.ID)
	return f.Window(channel)
}

// hearRemind hears that somebody wants to be reminded, and when: by a button, by the word alone, or asked for with a time. The
// question when is answered with a time alone, and so is a reminder that was just set. In words of their own only the word that
// begins a message asks for it.
func (f *flow) hearRemind(t *bot.Turn) bot.Event {
	place := t.Place()
	switch {
	case place.Is(BeforeTerms, InGroup):
		return ""
	case t.Choice() == "remind":
		return f.asksWhen(t)
	case t.Update.Kind != bot.Text || t.Choice() != "" || place.Is(bot.FreeText) && !remindsAlone(t.Text()):
		return ""
	}
	named := namesReminder(t.Text())
	if named {
		if ev := f.undoesReminder(t); ev != "" {
			return ev
		}
		if ofOther(t.Text()) {
			return RemindOnlyKey
		}
	}
	if t.Says("remind") != "" {
		return f.asksWhen(t)
	}
	answers := place.Has(AskedHour)
	_, set := reminder(t)
	if !named && !answers && !set {
		return ""
	}
	switch said := timeWords(t.Text()); {
	case answers, asksRemind(t.Text(), plainlyAsked):
	case !set || !ratherThen.MatchString(said) || len(strings.Fields(said)) > ratherWords:
		return ""
	}
	if m, ok := f.readWhen(t, answers || set); ok {
		return f.remindAt(t, m)
	}
	if answers && ofTime(t.Text()) && !f.givesNumber(t) { // a time that is none: no question about ours
		t.Miss()
		return AskedHour
	}
	if place.Is(bot.FreeText) {
		return f.asksWhen(t)
	}
	return ""
}

// namesReminder says whether words may ask for a reminder, or undo one. Most do not, and it is quickly seen.
func namesReminder(said string) bool {
	said = bot.Fold(said)
	return slices.ContainsFunc([]string{"record", "recuerd", "acuerd", "cordar", "avis", "escrib", "remind", "writ"}, func(part string) bool {
		return strings.Contains(said, part)
	})
}

// readWhen reads when was meant. Where only an hour is named it is one of the day that was named before.
func (f *flow) readWhen(t *bot.Turn, asked bool) (moment, bool) {
	day, err := time.ParseInLocation(time.DateOnly, t.Slot(slotRemindDay), f.Zone)
	if err != nil {
		day = time.Time{}
	}
	return readMomentOf(t.Text(), f.now(t), asked, day)
}

// asksWhen asks when, and keeps the day, if one was named.
func (f *flow) asksWhen(t *bot.Turn) bot.Event {
	now := f.now(t)
	if days, named := dayIn(timeWords(t.Text()), now); named && t.Update.Kind == bot.Text {
		t.Remember(slotRemindDay, clockOn(now, days, 0, 0).Format(time.DateOnly))
	} else {
		t.Forget(slotRemindDay)
	}
	return f.orToday(t, AskedRemind, AskedRemindToday)
}

// orToday is the event where tomorrow can be offered, or the one where it cannot.
func (f *flow) orToday(t *bot.Turn, tomorrow, today bot.Event) bot.Event {
	if at := afterQuiet(f.tomorrow(t).at); at.After(f.lastReminder(t)) && handoff.DateOf(at) != handoff.DateOf(f.lastReminder(t)) {
		return today
	}
	return tomorrow
}

// tomorrow is what the button of that name stands for: before dawn the morning that comes.
func (f *flow) tomorrow(t *bot.Turn) moment {
	now := f.now(t)
	return moment{at: clockOn(now, nextMorning(now), dayStarts, 0)}
}

// What undoes a reminder, by its name or not, and what says another time instead of the one that was just said.
var (
	undoneByName = regexp.MustCompile(`\b(borr|quit|cancel|anul|elimin|desactiv|suspend|olvid)\w* (el |ese |este |mi |su |los |lo del |con el )?(recordatorio|aviso)s?\b` +
		`|\b(ya no|no) (quiero|necesito|deseo) (el |ese |este |mi |mas |ningun |un )?(recordatorio|aviso)s?\b|\bsin recordatorio\b|\b(cancel|delete|remove|stop|forget) (the |my |that )?reminders?\b|\bno (more )?reminders?\b`)
	undonePlainly = regexp.MustCompile(`\b(no|ni|nunca) (me |se moleste en |quiero que me |hace falta que me |necesito que me )(lo )?(vuelva a |va a )?(escriba|escribas|escriban|escribir|recuerde|recuerdes|recuerden|recordar|avise|avises|avisen|avisar)\b` +
		`|\b(dont|do not|no need to|stop) (remind|write to|writing to|reminding) me\b`)
	ratherThen = regexp.MustCompile(`^((no|ay no|perdon|disculpe|ah) )*(mejor|mas bien|prefiero|que sea|digo|better|rather|make it)\b`)
	insteadOf  = regexp.MustCompile(`\b(mejor|mas bien|sino|prefiero|better|rather)\b`)
)

// ratherWords is how many words another time is said in at most.
const ratherWords = 8

// undoesReminder hears that somebody wants no reminder any more, or another one instead.
func (f *flow) undoesReminder(t *bot.Turn) bot.Event {
	said := strings.NewReplacer(",", "", ".", "", "'", "").Replace(bot.Fold(t.Text()))
	byName := undoneByName.MatchString(said)
	if !byName && !undonePlainly.MatchString(said) {
		return ""
	}
	_, set := reminder(t)
	if at := insteadOf.FindStringIndex(said); set && at != nil {
		if m, ok := readMomentOf(said[at[0]:], f.now(t), true, time.Time{}); ok {
			return f.remindAt(t, m)
		}
	}
	switch {
	case set, t.Place().Has(AskedHour):
		return f.cancelsReminder(t)
	case byName:
		return RemindNone
	}
	return ""
}

// cancelsReminder undoes the reminder, or the question when, and nothing else.
func (f *flow) cancelsReminder(t *bot.Turn) bot.Event {
	_, set := reminder(t)
	switch {
	case set:
		t.Never(bot.SignalRemind)
		t.Forget(slotRemindDay)
		stepsBack(t)
		return RemindCancelled
	case t.Place().Has(AskedHour):
		return SaidNo
	}
	return ""
}

// What asks to be written to, wherever it is said, and what does where later is meant for sure.
var (
	plainlyAsked = regexp.MustCompile(`\b(recuerd[ea](me|nme|melo)|recordatorio|acuerd[ea]me|(haga|hagame|hazme|hagan|(me|nos) (hace|hacen|haria|puede hacer|podria hacer)) (a ?)?(cordar|acordar|acuerdo)|hacerme (acordar|acuerdo)|remind me|reminder)\b`)
	askedLater   = regexp.MustCompile(`\b(recuerd[ea]\w*|recorda\w*|acuerd[ea]me|acordar|(hac|hag|haz|har)\w* acuerdo|avis[ea](me|nme)?|me (puede\w* |podria\w* )?(escrib[ea]|escribir|avisar)|escrib[ea]me|remind\w*|let me know|write to me)\b`)
	askedThing   = regexp.MustCompile(`\b(recuerd[ea]\w*|record\w+|acuerd[ea]me|remind me)( \w+)? (cual|como|donde|cuanto|quien|what|which|how|where|(la|mi|el|su|un|una|the|my|a) (clave|contrasena|numero|cedula|codigo|correo|horario|direccion|key|password|number|code))\b`)
	notAsked     = regexp.MustCompile(`\b(no|sin|le|les|not|dont|don't|yo) (me |lo )?(recuerd|record|acuerd|avis|escrib|remind)`)
	askedAlone   = regexp.MustCompile(`^(recuerd[ea](me|nme|melo)|remind me)\b`)
)

// remindsAlone says whether a message is nothing but that somebody wants to be reminded, and when.
func remindsAlone(said string) bool {
	s := timeWords(said)
	if !askedAlone.MatchString(s) || !asksRemind(said, plainlyAsked) {
		return false
	}
	rest := timeNamed.ReplaceAllString(askedAlone.ReplaceAllString(s, ""), "")
	return !slices.ContainsFunc(strings.Fields(rest), func(word string) bool { return !slices.Contains(amidTimes, word) && countWords[word] == 0 })
}

// amidTimes are words that stand between those of a time.
var amidTimes = strings.Fields("por favor porfa porfavor gracias a al la las el los en de del y media cuarto mas despues pasado proxima proximo pm am at in on the and please")

// asksRemind says whether somebody asks to be written to, rather than to write themselves or to be told a thing.
func asksRemind(said string, by *regexp.Regexp) bool {
	folded := bot.Fold(said)
	return by.MatchString(folded) && !notAsked.MatchString(folded) && !askedThing.MatchString(folded)
}

// wantsLater answers somebody who goes on later: with a reminder if they want one and say when, else with the question when.
func (f *flow) wantsLater(t *bot.Turn) bot.Event {
	if t.Place().Is(BeforeTerms) {
		return "info.remind"
	}
	if ofOther(t.Text()) {
		return RemindOnlyKey
	}
	if m, ok := readMoment(t.Text(), f.now(t), false); ok && asksRemind(t.Text(), askedLater) {
		return f.remindAt(t, m)
	}
	return f.asksWhen(t)
}

// hearWhen hears the buttons under the question when.
func (f *flow) hearWhen(_ context.Context, t *bot.Turn) (bot.Event, error) {
	switch t.Choice() {
	case "in_an_hour":
		return f.remindAt(t, moment{at: f.now(t).Add(time.Hour), exact: true}), nil
	case "tomorrow":
		return f.remindAt(t, f.tomorrow(t)), nil
	case "other_hour":
		return AskedHour, nil
	}
	return "", nil
}

// leavesWhen goes back to where the person was, who was asked when, did not answer, and writes something else after long.
func (f *flow) leavesWhen(t *bot.Turn) {
	if !t.Place().Has(AskedHour) || t.Idle() < ResumeAfter || t.Choice() != "" {
		return
	}
	if _, answers := readMoment(t.Text(), f.now(t), true); !answers {
		stepsBack(t)
	}
}

// stepsBack has who is asked when stand where they were before.
func stepsBack(t *bot.Turn) {
	if c := t.Conv; t.Place().Has(AskedHour) && len(c.Back) > 0 {
		c.State, c.Back = c.Back[len(c.Back)-1], c.Back[:len(c.Back)-1]
		t.Ask(t.Place().Ask)
	}
}

// remindAt sets the reminder, if it can be kept then.
func (f *flow) remindAt(t *bot.Turn, m moment) bot.Event {
	if !m.at.After(t.Now) {
		return f.orToday(t, RemindPast, RemindPastToday)
	}
	at, last := afterQuiet(m.at), f.lastReminder(t)
	if at.After(last) && !m.exact && handoff.DateOf(at) == handoff.DateOf(last) { // any hour of that day will do
		at = last
	}
	if at.After(last) {
		t.Say("moment", sayMoment(t, last))
		if f.window(t) > 0 {
			return f.orToday(t, RemindTooLateHere, RemindTooLateToday)
		}
		return RemindTooLate
	}
	f.rests(t)
	t.Later(bot.SignalRemind, "", at)
	t.Remember(slotRemindAsked, strconv.FormatInt(t.Now.Unix(), 10))
	f.keepTill(t, at)
	t.Remember(slotRemindDay, at.Format(time.DateOnly))
	t.Say("moment", sayMoment(t, at))
	if isQuiet(m.at) {
		return RemindMoved
	}
	return RemindSet
}

// lastReminder is the last moment at which somebody who writes now can be reminded.
func (f *flow) lastReminder(t *bot.Turn) time.Time {
	ahead := remindAhead
	if w := f.window(t); w > 0 {
		ahead = min(ahead, w-windowSpare)
	}
	return beforeQuiet(f.now(t).Add(ahead))
}

// rests has the way back lead to where the person was, as it can be gone on from without the number. That is dropped, unless a case
// with a person is about it; what is known of its link is not.
func (f *flow) rests(t *bot.Turn) {
	c := t.Conv
	back := append(slices.Clone(c.Back), c.State)
	back = slices.DeleteFunc(back, func(s bot.State) bool { return t.PlaceOf(s).Is(Between) })
	asks := t.Leads(c.State, WantsUnlock)
	if !c.Handoff.Open() {
		needed := len(back) > 0 && t.PlaceOf(back[len(back)-1]).Is(NeedsNumber)
		f.restsNumber(t)
		back = slices.DeleteFunc(back, func(s bot.State) bool { return needsNumberNow(t, t.PlaceOf(s)) })
		if needed && !(len(back) > 0 && t.PlaceOf(back[len(back)-1]).Is(LinkLives)) {
			if i := slices.Index(back, asks); i >= 0 {
				back = back[:i]
			}
			back = append(back, asks)
		}
	}
	if len(back) == 0 {
		back = []bot.State{t.Leads(c.State, AskedMenu)}
	}
	c.Back = back
	on := back[len(back)-1]
	if t.PlaceOf(on).Is(LinkLives) && !c.Handoff.Open() { // by then it has ended
		on = asks
	}
	t.Remember(slotRemindPlace, string(on))
}

// restsNumber drops the number for a reminder.
func (f *flow) restsNumber(t *bot.Turn) {
	if t.Slot(slotRecord) != "" {
		t.Remember(slotRests, "1")
	}
	if p := t.Place(); p.Is(NeedsNumber) && needsNumberNow(t, p) {
		leaves(t, t.Conv.State)
	}
	dropGiven(t)
	t.Forget(slotNumber, slotRecord)
}

// needsNumberNow says whether a place means nothing without the number. Where a link is waited for it can be waited for without.
func needsNumberNow(t *bot.Turn, p bot.Place) bool {
	_, lives := linkEnds(t)
	return p.Is(NeedsNumber) && !(p.Is(LinkLives) && lives)
}

// keepTill keeps the conversation until it has been left alone as long as ever after that moment.
func (f *flow) keepTill(t *bot.Turn, at time.Time) {
	t.Later(bot.SignalForget, "", at.Add(f.Idle))
	if till := at.Add(max(f.Idle, f.Seen)); till.After(t.Conv.KeptTill) {
		t.Conv.KeptTill = till
	}
}

// reminder is when a reminder goes off; not ok where none is set.
func reminder(t *bot.Turn) (at time.Time, ok bool) {
	for _, timer := range t.Conv.Timers {
		if timer.Signal == bot.SignalRemind {
			return timer.At, true
		}
	}
	return time.Time{}, false
}

// keptSaid is what is said to be kept for a reminder.
func keptSaid(t *bot.Turn) string {
	if t.Conv.Handoff.Open() { // the case has the number, if there is one
		return t.Wording("remind.kept_case")
	}
	return t.Wording("remind.kept")
}

// reminderSaid is what is said of a reminder among what is kept, and of who asks how far they are, after a blank; nothing where none is set.
func (f *flow) reminderSaid(t *bot.Turn) string {
	at, set := reminder(t)
	if !set {
		return ""
	}
	return " " + strings.ReplaceAll(t.Wording("my_data.reminder"), "{moment}", sayMoment(t, at.In(f.Zone)))
}

// sayMoment says a moment in words, by the clock of its zone.
func sayMoment(t *bot.Turn, at time.Time) string { return inWords(t, "moment", at) }

// reminds goes off. Whom an agent has, or will have, hears from them; who has just written is reminded when they have gone quiet.
func (f *flow) reminds(t *bot.Turn) bot.Event {
	now, place, w := f.now(t), t.Place(), f.window(t)
	kept := bot.State(t.Slot(slotRemindPlace))
	switch {
	case place.Is(AtDesk, FirstWord, InGroup):
		return bot.Ignored
	case place.Is(AfterKey) && !t.PlaceOf(kept).Is(AfterKey): // what it was to go on with is done
		return bot.Ignored
	case w > 0 && t.Now.Sub(t.Conv.LastAt) > w: // no process ran when it was time, and it cannot arrive any more
		return bot.Ignored
	case isQuiet(now):
		t.Later(bot.SignalRemind, "", afterQuiet(now))
		return bot.Ignored
	case t.Conv.LastAt.Unix() > int64(number(t, slotRemindAsked)) && t.Now.Sub(t.Conv.LastAt) < remindHere:
		t.Later(bot.SignalRemind, "", afterQuiet(now.Add(remindHere)))
		return bot.Ignored
	}
	f.keepTill(t, t.Now)
	t.Expire(clockOn(now, 0, quietFrom, 0))
	stepsBack(t)                                                                              // they were asked for another time
	if p := t.Place(); t.Slot(slotRecord) == "" && needsNumberNow(t, p) && !p.Is(ReadsBack) { // the link has ended since
		t.Enter(t.Leads(t.Conv.State, WantsUnlock))
	}
	if t.Place().Is(NoResume) {
		if p := t.PlaceOf(kept); p.Ask == "" || p.Is(NoResume, AfterKey) {
			return RemindedAtRest
		}
		t.Enter(kept) // they have been to the menu since
	}
	t.Say("place", t.PlaceLabel())
	return Reminded
}

// watchesWindow has who waits for somebody of the desk asked whether they still do, before the channel stops taking what we write.
func (f *flow) watchesWindow(t *bot.Turn) {
	w := f.window(t)
	if w == 0 || t.Conv.LastAt.IsZero() {
		return
	}
	if at := f.asksStillAt(t.Conv.LastAt, w); at.After(t.Now) {
		t.Later(bot.SignalStillWaiting, "", at)
	}
}

// asksStillAt is when somebody who was heard of last at a moment is asked: after 23 hours; where that is by night, in the morning if
// the window is open by then, else in the evening before.
func (f *flow) asksStillAt(last time.Time, window time.Duration) time.Time {
	at := last.Add(min(stillWaitsFor, window-windowSpare)).In(f.Zone)
	if morning := afterQuiet(at); !morning.After(last.Add(window - windowSpare)) {
		return morning
	}
	return clockOn(beforeQuiet(at), 0, askedByHour, askedByMinute)
}

// asksStill goes off. Nobody is asked who has left, or whom an agent has by now.
func (f *flow) asksStill(t *bot.Turn) bot.Event {
	h, now := t.Conv.Handoff, f.now(t)
	end := t.Conv.LastAt.Add(f.window(t))
	switch {
	case !h.Open(), h.Held(), !now.Before(end):
		return bot.Ignored
	case isQuiet(now): // no process ran when it was time
		if morning := afterQuiet(now); morning.Before(end) {
			t.Later(bot.SignalStillWaiting, "", morning)
		}
		return bot.Ignored
	}
	t.Expire(clockOn(now, 0, quietFrom, 0))
	if waitsHere(t) {
		return AskedStillWaiting
	}
	t.Remember(slotStill, "1")
	return AskedStillAside
}

// waitsHere says whether where somebody is there is nothing to do but wait for a person.
func waitsHere(t *bot.Turn) bool { return t.Place().Is(AtDesk) || t.Place().Has(DeskOpened) }

// hearStill hears the answer to that. Where it was asked by the way a word is no answer to be sure of: what stands there may be
// answered by it. A yes changes nothing, and a no is asked for by its button.
func (f *flow) hearStill(t *bot.Turn) bot.Event {
	aside := t.Slot(slotStill) != ""
	t.Forget(slotStill)
	switch press := t.Update.Kind == bot.Press; {
	case !t.Conv.Handoff.Open():
	case t.Conv.Text == stillWaiting:
		return f.stillWaits(t, t.Choice())
	case press && t.Choice() == "" && slices.Contains([]string{"still_yes", "still_no"}, t.Update.Button):
		return f.stillWaits(t, t.Update.Button)
	case !aside || press:
	case t.Says("still_yes", "word_nod") != "":
		return StillWaitsOn
	case t.Says("still_no", "word_shake") != "":
		t.Remember(slotStill, "1")
		return AskedStillAside
	}
	return ""
}

func (f *flow) stillWaits(t *bot.Turn, answer string) bot.Event {
	switch {
	case answer == "still_yes" && t.Place().Is(AtDesk):
		return StayedWaiting
	case answer == "still_yes" && waitsHere(t):
		t.Ask(t.Place().Ask)
		return StillWaits
	case answer == "still_yes":
		return StillWaitsOn
	case answer == "still_no" && waitsHere(t):
		return f.leave(t)
	case answer == "still_no":
		f.leave(t)
		return LeftAside
	}
	return ""
}
