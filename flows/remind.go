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
	AskedStillWaiting, StillWaits             bot.Event = "AskedStillWaiting", "StillWaits"
)

// The slots.
const (
	slotRemindAsked = "remind_asked" // when the reminder was asked for, in seconds since 1970
	slotRemindPlace = "remind_place" // the state to go on from
)

const (
	remindAhead   = 72 * time.Hour   // how far ahead somebody is reminded at most
	remindHere    = 10 * time.Minute // who has come back by themselves and wrote less than that ago is reminded later
	windowSpare   = 10 * time.Minute // what is said this long before a channel stops taking it arrives in any case
	stillWaitsFor = 23 * time.Hour   // after so long without a word who waits is asked whether they still do
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
// question when is answered with a time alone.
func (f *flow) hearRemind(t *bot.Turn) bot.Event {
	place := t.Place()
	switch {
	case place.Is(BeforeTerms, InGroup):
		return ""
	case t.Choice() == "remind":
		return AskedRemind
	case t.Update.Kind != bot.Text || t.Choice() != "" || place.Is(bot.FreeText):
		return ""
	case t.Says("remind") != "":
		return AskedRemind
	}
	answers := place.Has(AskedHour)
	if !answers && !asksRemind(t.Text(), plainlyAsked) {
		return ""
	}
	if m, ok := readMoment(t.Text(), f.now(t), answers); ok {
		return f.remindAt(t, m)
	}
	return ""
}

// What asks to be written to, wherever it is said, and what does where later is meant for sure.
var (
	plainlyAsked = regexp.MustCompile(`\b(recuerd[ea](me|nme|melo)|recordatorio|acuerd[ea]me|(haga|hagame|hazme|hagan) (a)?cordar|remind me|reminder)\b`)
	askedLater   = regexp.MustCompile(`\b(recuerd[ea]\w*|recorda\w*|acuerd[ea]me|acordar|avis[ea](me|nme)?|me escrib[ea]|escrib[ea]me|remind\w*|let me know|write to me)\b`)
	askedThing   = regexp.MustCompile(`\b(recuerd[ea]\w*|record\w+|acuerd[ea]me|remind me)( \w+)? (cual|como|donde|cuanto|quien|what|which|how|where|(la|mi|el|su|un|una|the|my|a) (clave|contrasena|numero|cedula|codigo|correo|horario|direccion|key|password|number|code))\b`)
	notAsked     = regexp.MustCompile(`\b(no|sin|le|les|not|dont|don't|yo) (me |lo )?(recuerd|record|acuerd|avis|escrib|remind)`)
)

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
	if m, ok := readMoment(t.Text(), f.now(t), false); ok && asksRemind(t.Text(), askedLater) {
		return f.remindAt(t, m)
	}
	return AskedRemind
}

// hearWhen hears the buttons under the question when.
func (f *flow) hearWhen(_ context.Context, t *bot.Turn) (bot.Event, error) {
	now := f.now(t)
	switch t.Choice() {
	case "in_an_hour":
		return f.remindAt(t, moment{now.Add(time.Hour), true}), nil
	case "tomorrow":
		return f.remindAt(t, moment{clockOn(now, 1, dayStarts, 0), false}), nil
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
		return RemindPast
	}
	at, last := afterQuiet(m.at), f.lastReminder(t)
	if at.After(last) && !m.exact && handoff.DateOf(at) == handoff.DateOf(last) { // any hour of that day will do
		at = last
	}
	if at.After(last) {
		t.Say("moment", sayMoment(t, last))
		if f.window(t) > 0 {
			return RemindTooLateHere
		}
		return RemindTooLate
	}
	f.rests(t)
	t.Later(bot.SignalRemind, "", at)
	t.Remember(slotRemindAsked, strconv.FormatInt(t.Now.Unix(), 10))
	f.keepTill(t, at)
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
// with a person is about it.
func (f *flow) rests(t *bot.Turn) {
	c := t.Conv
	back := append(slices.Clone(c.Back), c.State)
	back = slices.DeleteFunc(back, func(s bot.State) bool { return t.PlaceOf(s).Is(Between) })
	if !c.Handoff.Open() {
		needed := len(back) > 0 && t.PlaceOf(back[len(back)-1]).Is(NeedsNumber)
		f.dropNumber(t)
		back = slices.DeleteFunc(back, func(s bot.State) bool { return t.PlaceOf(s).Is(NeedsNumber) })
		if asks := t.Leads(c.State, WantsUnlock); needed {
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
	t.Remember(slotRemindPlace, string(back[len(back)-1]))
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

// cancelled ends the procedure, and the reminder to go on with it.
func (f *flow) cancelled(t *bot.Turn) bot.Event {
	f.dropNumber(t)
	if _, set := reminder(t); set {
		t.Never(bot.SignalRemind)
		return RemindCancelled
	}
	return Cancelled
}

// keptSaid is what is said to be kept for a reminder.
func keptSaid(t *bot.Turn) string {
	if t.Conv.Handoff.Open() { // the case has the number, if there is one
		return t.Wording("remind.kept_case")
	}
	return t.Wording("remind.kept")
}

// reminderSaid is what is said of a reminder among what is kept, after a blank; nothing where none is set.
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
	switch {
	case place.Is(AtDesk, BeforeTerms, InGroup, AfterKey):
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
	stepsBack(t) // they were asked for another time
	if t.Place().Is(NoResume) {
		kept := bot.State(t.Slot(slotRemindPlace))
		if p := t.PlaceOf(kept); p.Ask == "" || p.Is(NoResume) {
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
	return beforeQuiet(at).Add(-29 * time.Minute) // 20:30
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
	return AskedStillWaiting
}

// hearStill hears the answer to that. The question that stood before stands again.
func (f *flow) hearStill(t *bot.Turn) bot.Event {
	if t.Conv.Text != stillWaiting || !t.Conv.Handoff.Open() {
		return ""
	}
	switch t.Choice() {
	case "still_yes":
		if t.Place().Is(AtDesk) {
			return StayedWaiting
		}
		t.Ask(t.Place().Ask)
		return StillWaits
	case "still_no":
		return f.leave(t)
	}
	return ""
}
