package flows

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"llave/bot"
	"llave/internal/affiliate"
	"llave/internal/handoff"
	"llave/internal/secret"
)

// With the help desk the bot is silent: what the person writes is the agent's to answer (P501). While nobody has taken the
// conversation yet, it still answers the words that ask where one stands, and wherever one is the word that leaves.

// The events.
const (
	AskedPosition, WroteWaiting, WroteToAgent          bot.Event = "AskedPosition", "WroteWaiting", "WroteToAgent"
	FastAtDesk, CaseFull                               bot.Event = "FastAtDesk", "CaseFull"
	AskedLeave, AskedLeaveAgent                        bot.Event = "AskedLeave", "AskedLeaveAgent"
	StayedWaiting, StayedWithAgent, LeftDesk           bot.Event = "StayedWaiting", "StayedWithAgent", "LeftDesk"
	Queued, QueuedAlone, Ticketed, PositionMoved       bot.Event = "Queued", "QueuedAlone", "Ticketed", "PositionMoved"
	DeskOpened, DeskOpenedAside                        bot.Event = "DeskOpened", "DeskOpenedAside"
	DeskClosed, DeskClosedAside                        bot.Event = "DeskClosed", "DeskClosedAside"
	Taken, Passed, AgentSpoke, AgentNoted              bot.Event = "Taken", "Passed", "AgentSpoke", "AgentNoted"
	AgentTyped                                         bot.Event = "AgentTyped"
	QueuedAgain, TicketedAgain                         bot.Event = "QueuedAgain", "TicketedAgain"
	HandedBack, Resolved, AgentSentLink, AgentToOffice bot.Event = "HandedBack", "Resolved", "AgentSentLink", "AgentToOffice"
	UnlockedWaiting, KeyMadeWaiting, LinkEndedWaiting  bot.Event = "UnlockedWaiting", "KeyMadeWaiting", "LinkEndedWaiting"
	UnsentWaiting, AskedPositionAndLink                bot.Event = "UnsentWaiting", "AskedPositionAndLink"
	QueuedAfter, TicketedAfter                         bot.Event = "QueuedAfter", "TicketedAfter"
	Postponed, PostponedUnsaid, CaseResumed, LateKept  bot.Event = "Postponed", "PostponedUnsaid", "CaseResumed", "LateKept"
)

// What a line from bot.FromEvent says. The console has the words.
const (
	NoteAsked       = "asked"      // a person was asked for
	NoteOpened      = "opened"     // joined the queue at opening
	NoteShut        = "shut"       // the desk closed meanwhile
	NoteTaken       = "taken"      // By took it
	NotePassed      = "passed"     // By passed it on
	NoteReleased    = "released"   // By gave it back to the queue
	NoteSilent      = "silent"     // By did not answer for too long
	NoteGone        = "gone"       // By's console went away
	NoteLeft        = "left"       // the person left
	NoteReturned    = "returned"   // By gave it back to the bot
	NoteResolved    = "resolved"   // By closed the case
	NoteLinkSent    = "link_sent"  // By had the link sent again
	NoteLinkLimit   = "link_limit" // By could not: the record has had its mails
	NoteLinkUsed    = "link_used"
	NoteLinkEnded   = "link_ended"
	NoteRefused     = "mail_refused"
	NoteUnsent      = "mail_unsent"
	NoteKeyMade     = "key_made"
	NoteVoided      = "voided"            // the record's owner: it was not them
	NoteBlocked     = handoff.NoteBlocked // the person has blocked the chat: the line before does not arrive
	NoteNumber      = "number"            // the person gave a number
	NoteNumberLimit = "number_limit"      // a link was not sent: it would be for one number more than the chat may ask for now
	NoteRated       = "rated"             // the person rated the help
	NoteEmergency   = "emergency"         // what the person wrote sounds like an emergency; the bot named 911
	NoteLeaving     = "leaving"           // the person is being asked whether to leave
	NoteStayed      = "stayed"            // and stays
	NoteReopened    = "reopened"          // the person has more to say of it, or of what was done
	NoteRatingWords = "rating_words"      // the line before is what the person says of the help
	NotePostponed   = "postponed"         // By put the case off until a moment
	NotePutOff      = "put_off"           // By put it off until the person writes
	NoteResumed     = "resumed"           // it is to be gone on with
	NoteLate        = "late"              // By has something said later
	NoteUnsaid      = "unsaid"            // By took that back
	NoteLateUnsaid  = "late_unsaid"       // what By had said later is not said: By has the case no more

	NoteChangedHands = "changed_hands" // the chat's telephone number is somebody else's now
)

// slotRates names the case that the rating asked for is of.
const slotRates = "rates"

// Desk is what the conversation needs to know of the help desk.
type Desk interface {
	// Calendar says when it is open, as supervisors have it at this moment.
	Calendar(ctx context.Context) (handoff.Calendar, error)
	// Ahead is how many cases stand in the queue before the one with that key.
	Ahead(ctx context.Context, queue string) (int, error)
	// LineUp puts a new case into the queue and returns how many stand before it, those included who ask at the same moment. The
	// same case again stays where it is.
	LineUp(ctx context.Context, h *bot.Handoff) (ahead int, err error)
	// Staffed says whether anybody is there now.
	Staffed(ctx context.Context) (bool, error)
	// Takes says whether an agent is on duty and has room for one conversation more.
	Takes(ctx context.Context, login string) (bool, error)
}

// noDesk is the desk of a program that has none: never open.
type noDesk struct{}

func (noDesk) Calendar(context.Context) (handoff.Calendar, error) {
	return handoff.Calendar{Zone: time.UTC}, nil
}

func (noDesk) Ahead(context.Context, string) (int, error)        { return 0, nil }
func (noDesk) LineUp(context.Context, *bot.Handoff) (int, error) { return 0, nil }
func (noDesk) Staffed(context.Context) (bool, error)             { return false, nil }

// Takes is false.
func (noDesk) Takes(context.Context, string) (bool, error) { return false, nil }

// hardEnough difficulties are believed. The way of speaking alone is chosen by two words, and moves nobody ahead.
const hardEnough = 2

// handOver opens a case with a person, one at a time, and says what can be promised of it: whether anybody is there.
func (f *flow) handOver(ctx context.Context, t *bot.Turn) (bot.Event, error) {
	h := t.Conv.Handoff
	again := h.Open()
	if !again {
		if asksSame(t, true) {
			return AskedSame, nil
		}
		ref := t.Slot(slotCaseNumber) // a case from before there were agents
		if ref == "" {
			ref = t.Ref("C")
		}
		t.Forget(slotCaseNumber)
		rank := handoff.RankUsual
		if t.Conv.Way == slow && number(t, slotHard) >= hardEnough {
			rank = handoff.RankSlowly
		}
		from := t.Conv.State
		if back := t.Conv.Back; t.Place().Has(OtherThan) && len(back) > 0 { // asked in between
			from = back[len(back)-1]
		}
		h = handoff.New(ref, rank, from, f.masked(t), t.Now)
		h.Trace, h.Meaning = t.Trace(), f.caseMeaning(t)
		h.Since = t.Now
		t.Conv.Handoff = h
		if t.Slot(slotGivenTo) == givenNext {
			t.Remember(slotGivenTo, ref)
			h.Number = f.masked(t)
		}
		t.Transcribe(bot.FromEvent, "", NoteAsked)
		f.announce(t, bot.ToldHandoff, ref)
	}
	return f.toQueue(ctx, t, again)
}

// toQueue lines a case up and says what can be promised; [again]: it stood there.
func (f *flow) toQueue(ctx context.Context, t *bot.Turn, again bool) (bot.Event, error) {
	open, err := f.lineUp(ctx, t)
	switch {
	case err != nil:
		return "", err
	case !open && again:
		return AskedPersonAgain, nil
	case !open:
		return Ticketed, nil
	}
	staffed, err := f.Desk.Staffed(ctx)
	switch {
	case err != nil:
		return "", fmt.Errorf("see who is at the desk: %w", err)
	case !staffed:
		return QueuedAlone, nil
	}
	return Queued, nil
}

// lineUp puts a case into the queue and fills in the position, or, while the desk is closed, has it wait for the next opening and
// fills in that.
func (f *flow) lineUp(ctx context.Context, t *bot.Turn) (open bool, err error) {
	f.watchesWindow(t)
	calendar, err := f.Desk.Calendar(ctx)
	if err != nil {
		return false, fmt.Errorf("read the desk's hours: %w", err)
	}
	if !calendar.Open(t.Now) {
		handoff.Defer(t.Conv.Handoff)
		sayOpening(t, calendar)
		return false, nil
	}
	if h := t.Conv.Handoff; h.Status == "" && h.Reopened.IsZero() { // a new one: another has its place since it was first asked for
		ahead, err := f.Desk.LineUp(ctx, h)
		if err != nil {
			return false, fmt.Errorf("line up: %w", err)
		}
		t.Alert(bot.AlertNew, "", "")
		sayAhead(t, ahead)
		return true, nil
	}
	joins(t)
	return true, f.sayPosition(ctx, t)
}

// joins puts a case into the queue, which concerns everybody on duty unless it stands there already.
func joins(t *bot.Turn) {
	was := t.Conv.Handoff.Waiting()
	handoff.Wait(t.Conv.Handoff)
	if !was {
		t.Alert(bot.AlertNew, "", "")
	}
}

// concerns tells the agent who has the conversation, if one has it.
func concerns(t *bot.Turn, what string) {
	if h := t.Conv.Handoff; h.Held() {
		t.Alert(what, h.Agent, "")
	}
}

// about is the slot of the number that a case is about: one that was typed in it, else the confirmed one, else one that was not
// confirmed yet.
func about(c *bot.Conversation) string {
	first, second := slotNumber, slotGiven
	if c.Handoff != nil && c.Slots[slotGivenTo] == c.Handoff.Ref {
		first, second = slotGiven, slotNumber
	}
	if c.Slots[first] != "" {
		return first
	}
	return second
}

// Number opens the number that a conversation is about; it is "" when there is none.
func Number(v *secret.Vault, c bot.Conversation) (string, error) {
	slot := about(&c)
	if c.Slots[slot] == "" {
		return "", nil
	}
	return opens(v, &c, slot)
}

// masked is the mask of the number the conversation is about, or "".
func (f *flow) masked(t *bot.Turn) string {
	number, err := f.kept(t, about(t.Conv))
	if err != nil {
		return ""
	}
	return affiliate.Mask(number)
}

// sayPosition fills in the position in the queue, which is told once and when it has halved.
func (f *flow) sayPosition(ctx context.Context, t *bot.Turn) error {
	ahead, err := f.Desk.Ahead(ctx, t.Conv.Handoff.Queue)
	if err != nil {
		return fmt.Errorf("find the position in the queue: %w", err)
	}
	sayAhead(t, ahead)
	return nil
}

func sayAhead(t *bot.Turn, ahead int) {
	t.Conv.Handoff.Told = ahead + 1
	t.Say("spot", ahead+1)
}

// sayOpening fills in when the desk opens next.
func sayOpening(t *bot.Turn, calendar handoff.Calendar) {
	t.Say("opening", opening(t, calendar))
}

// opening is when the desk opens next, in words.
func opening(t *bot.Turn, calendar handoff.Calendar) string {
	at, known := calendar.NextOpening(t.Now)
	if !known {
		return t.Wording("opening.unknown")
	}
	return inWords(t, "opening", at.In(calendar.Zone))
}

// openingSaid is that where no ear has said it: on the way back to somebody's case.
func (f *flow) openingSaid(t *bot.Turn) string {
	calendar, err := f.Desk.Calendar(context.Background()) // what fills in a text has no context of its own
	if err != nil {
		return t.Wording("opening.unknown")
	}
	return opening(t, calendar)
}

// inWords says a moment by the clock of its zone, as the texts of a family of the catalogue do: of today, of tomorrow, of a date.
func inWords(t *bot.Turn, family string, at time.Time) string {
	w := handoff.WhenOf(at, t.Now, at.Location())
	return strings.NewReplacer(
		"{clock}", w.Clock, "{weekday}", t.Wording(fmt.Sprintf("weekday.%d", w.Weekday)),
		"{day}", fmt.Sprint(at.Day()), "{month}", t.Wording(fmt.Sprintf("month.%d", at.Month())),
	).Replace(t.Wording(family + "." + string(w.Day)))
}

// hearHanded hears a person who waits for an agent or is with one.
func (f *flow) hearHanded(ctx context.Context, t *bot.Turn) (bot.Event, error) {
	h := t.Conv.Handoff
	if lost(h) {
		return LeftDesk, nil
	}
	if ev := f.hearStill(t); ev != "" {
		return ev, nil
	}
	if t.Update.Kind == bot.Press { // the buttons are still there when something else was written meanwhile
		if ev := f.hearLeave(t); ev != "" {
			return ev, nil
		}
	}
	if language, chosen := strings.CutPrefix(t.Choice(), languageButton); chosen && !h.Held() {
		speak(t, language)
		return ChoseLanguage, f.sayPosition(ctx, t)
	}
	switch word := deskWord(t); {
	case word == deskLeave:
		return f.asksLeave(t), nil
	case word == "":
		if ev, err := f.hearsQueue(ctx, t); ev != "" || err != nil {
			return ev, err
		}
		return f.forAgent(t), nil
	case word == "word_status" && h.IsPostponed() && h.Postponed != bot.UntilAnswer:
		t.Say("agent", h.AgentName)
		t.Say("moment", sayMoment(t, h.Until.In(f.Zone)))
		return Postponed, nil
	case h.Held():
		return f.forAgent(t), nil
	case word == "word_language":
		return AskedLanguage, nil
	}
	return f.position(ctx, t)
}

// hearLeaving hears a person who was asked whether to leave.
func (f *flow) hearLeaving(ctx context.Context, t *bot.Turn) (bot.Event, error) {
	if lost(t.Conv.Handoff) {
		return LeftDesk, nil
	}
	if ev := cmp.Or(f.hearStill(t), f.hearLeave(t)); ev != "" {
		return ev, nil
	}
	switch deskWord(t) {
	case deskLeave:
		return f.asksLeave(t), nil
	case "word_repeat":
		return AskedRepeat, nil
	case "word_status":
		if !t.Conv.Handoff.Held() {
			return f.position(ctx, t)
		}
	}
	if ev, err := f.hearsQueue(ctx, t); ev != "" || err != nil {
		return ev, err
	}
	return f.forAgent(t), nil
}

// caseLines is how much the person writes in a case before nothing more of it is kept. Only that counts: they must not tell by it
// what an agent reads besides.
const caseLines = 1000

// slotFull is the number of the case of which the person was told that it is full.
const slotFull = "full"

// isFull says whether no more is kept of what the person writes in the case; they can leave it all the same.
func isFull(t *bot.Turn) bool {
	h := t.Conv.Handoff
	leaves := deskWord(t) == deskLeave || t.Choice() == "leave_yes" || t.Choice() == "leave_no"
	return h.Open() && h.Said >= caseLines && !leaves
}

// tooMuch keeps the limits of what is written to an agent, a minute's and the case's. What is beyond them is not kept, which is
// said once.
func tooMuch(t *bot.Turn, fast, full, warn bool) bot.Event {
	switch {
	case !fast && !full:
		return ""
	case full && t.Slot(slotFull) != t.Conv.Handoff.Ref:
		t.Remember(slotFull, t.Conv.Handoff.Ref)
		return CaseFull
	case fast && !full && warn:
		warned(t)
		return FastAtDesk
	}
	return bot.Ignored
}

// lost says that a conversation stands at the desk without a case there: written by a version that knew other states.
func lost(h *bot.Handoff) bool { return !h.Open() || h.Status == bot.HandoffScheduled }

// hearLeave hears the answer to whether to leave, or "".
func (f *flow) hearLeave(t *bot.Turn) bot.Event {
	switch h := t.Conv.Handoff; t.Choice() {
	case "leave_yes":
		return f.leave(t)
	case "leave_no":
		t.Transcribe(bot.FromEvent, "", NoteStayed)
		if !h.Held() {
			return StayedWaiting
		}
		t.Say("agent", h.AgentName)
		return StayedWithAgent
	}
	return ""
}

// deskLeave is what deskWord answers for every word and button that leaves.
const deskLeave = "leave"

// deskWord is the bare word that is the bot's to answer while a person waits for an agent or is with one: deskLeave, the
// word's label, or "".
func deskWord(t *bot.Turn) string {
	u := t.Update
	said := t.Says("word_menu", "word_cancel", "word_status", "word_person", "word_repeat", "word_help", "word_language")
	if said == "word_menu" || said == "word_cancel" || u.Kind == bot.Start || u.Kind == bot.Press && (u.Button == "menu" || u.Button == "leave_yes") {
		return deskLeave
	}
	return said
}

// asksLeave asks whether to leave.
func (f *flow) asksLeave(t *bot.Turn) bot.Event {
	h := t.Conv.Handoff
	if !h.Held() {
		return AskedLeave
	}
	t.Say("agent", h.AgentName)
	t.Transcribe(bot.FromEvent, "", NoteLeaving)
	return AskedLeaveAgent
}

// forAgent keeps what was written for the agent, and of a number or a key what may be kept.
func (f *flow) forAgent(t *bot.Turn) bot.Event {
	h := t.Conv.Handoff
	if t.Update.Kind == bot.Text || t.Update.Kind == bot.Edited {
		r := f.reading(t)
		switch {
		case r.Verdict == affiliate.SecretGiven:
			f.erase(t)
			t.Hide()
		case r.Verdict == affiliate.Accept:
			f.erase(t)
			f.gaveAgent(t, r.Number)
		case f.isCode(t):
			f.erase(t)
			t.HideWord(r.Code)
			f.gaveAgent(t, r.Code)
		case t.Update.Kind == bot.Text:
			if number := f.partForAgent(t); number != "" {
				f.gaveAgent(t, number)
			}
		}
	}
	if h.Since.IsZero() {
		h.Since = t.Now
	}
	if h.Held() {
		what := bot.AlertWrote
		if h.IsPostponed() {
			t.Remember(slotPutOff, h.Ref)
			what = bot.AlertBack
		}
		handoff.Resume(h)
		setDue(t)
		f.expectAnswer(t)
		concerns(t, what)
	}
	switch said := f.unseen(t); {
	case said != "":
		return said
	case h.Held():
		return WroteToAgent
	}
	return WroteWaiting
}

// gaveAgent keeps a number for the agent who reads along.
func (f *flow) gaveAgent(t *bot.Turn, number string) {
	h := t.Conv.Handoff
	f.gave(t, number, GaveNumber)
	t.Remember(slotGivenTo, h.Ref)
	h.Number = f.masked(t)
	t.Transcribe(bot.FromEvent, "", NoteNumber)
}

// expectAnswer starts the time that an agent has to answer, unless it runs already.
func (f *flow) expectAnswer(t *bot.Turn) {
	if !slices.ContainsFunc(t.Conv.Timers, func(x bot.Timer) bool { return x.Signal == bot.SignalAgentSilent }) {
		t.Later(bot.SignalAgentSilent, "", t.Now.Add(f.Silence))
		t.Later(bot.SignalSilenceNear, "", t.Now.Add(f.Silence-f.silenceLeft()))
		t.Conv.Handoff.Patience = time.Time{}
	}
}

// isTyping puts off the end of the agent's silence: who is being written to is not forgotten. Typing alone does so for as long
// again at most (P765).
func (f *flow) isTyping(t *bot.Turn) {
	h := t.Conv.Handoff
	end, runs := t.Conv.TimerAt(bot.SignalAgentSilent)
	if !runs {
		return
	}
	if h.Patience.IsZero() {
		h.Patience = end.Add(f.Silence)
	}
	later := t.Now.Add(f.Silence)
	if later.After(h.Patience) {
		later = h.Patience
	}
	if later.After(end) {
		t.Later(bot.SignalAgentSilent, "", later)
		if near := later.Add(-f.silenceLeft()); near.After(t.Now) {
			t.Later(bot.SignalSilenceNear, "", near)
		}
	}
}

// silenceLeft is how much of the time to answer is left when the agent is told that it runs out: a fifth.
func (f *flow) silenceLeft() time.Duration { return f.Silence / 5 }

// hearSilenceNear tells the agent that the time to answer runs out. It goes by the timer of that time: where that was moved this one is
// set again.
func (f *flow) hearSilenceNear(t *bot.Turn) {
	for _, x := range t.Conv.Timers {
		if x.Signal != bot.SignalAgentSilent {
			continue
		}
		if near := x.At.Add(-f.silenceLeft()); near.After(t.Now) {
			t.Later(bot.SignalSilenceNear, "", near)
			return
		}
		concerns(t, bot.AlertSilence)
	}
}

// silenceEnds ends the time that an agent has to answer.
func silenceEnds(t *bot.Turn) {
	t.Never(bot.SignalAgentSilent)
	t.Never(bot.SignalSilenceNear)
}

// answered ends that time: the person was told something, and whatever comes next is theirs to say.
func answered(t *bot.Turn) {
	silenceEnds(t)
	t.Forget(slotPutOff)
	t.Conv.Handoff.Since, t.Conv.Handoff.Patience = time.Time{}, time.Time{}
}

// leave ends the case because the person does not want to wait, or goes elsewhere.
func (f *flow) leave(t *bot.Turn) bot.Event {
	f.endCase(t, handoff.Left)
	t.Transcribe(bot.FromEvent, "", NoteLeft)
	return LeftDesk
}

// endCase ends the case without an agent.
func (f *flow) endCase(t *bot.Turn, reason string) { f.endCaseBy(t, reason, &bot.DeskAct{}) }

// endCaseBy ends the case by what an agent does.
func (f *flow) endCaseBy(t *bot.Turn, reason string, act *bot.DeskAct) {
	leavesUnsaid(t)
	handoff.Lose(t.Conv.Handoff, bot.LostOver, act.Agent, act.Name)
	handoff.Close(t.Conv.Handoff, reason, t.Now)
	setDue(t)
	silenceEnds(t)
	t.Never(bot.SignalStillWaiting)
}

// deskSignals are what hearDeskSignal hears.
var deskSignals = []string{
	bot.SignalDeskOpened, bot.SignalDeskClosed, bot.SignalPosition, bot.SignalAgentSilent, bot.SignalSilenceNear, bot.SignalAgentGone, bot.SignalStillWaiting,
	bot.SignalDeskDue,
}

// hearDeskSignal hears what the desk has to say of a case. Of a case that is over, or has moved on, it says nothing.
func (f *flow) hearDeskSignal(ctx context.Context, t *bot.Turn) (bot.Event, error) {
	h, u := t.Conv.Handoff, t.Update
	if u.Signal == bot.SignalStillWaiting {
		return f.asksStill(t), nil
	}
	if u.Signal == bot.SignalSilenceNear && h.Held() {
		f.hearSilenceNear(t)
		return bot.Ignored, nil
	}
	if !h.Open() || u.Signal != bot.SignalAgentSilent && u.Signal != bot.SignalDeskDue && h.Ref != u.Text {
		return bot.Ignored, nil
	}
	switch u.Signal {
	case bot.SignalDeskOpened:
		return f.hearDeskOpened(ctx, t)
	case bot.SignalDeskClosed:
		return f.hearDeskClosed(ctx, t)
	case bot.SignalPosition:
		if !h.Waiting() {
			return bot.Ignored, nil
		}
		told := h.Told
		if err := f.sayPosition(ctx, t); err != nil {
			return "", err
		}
		if !handoff.Halved(told, h.Told) {
			h.Told = told
			return bot.Ignored, nil
		}
		return PositionMoved, nil
	case bot.SignalAgentSilent:
		if !h.Held() {
			return bot.Ignored, nil
		}
		return f.loseAgent(ctx, t, NoteSilent, &bot.DeskAct{})
	case bot.SignalAgentGone:
		if !h.Held() || u.Desk == nil || h.Agent != u.Desk.Agent || h.IsPostponed() && u.Desk.Do != bot.DeskRelease {
			return bot.Ignored, nil
		}
		return f.loseAgent(ctx, t, NoteGone, &bot.DeskAct{})
	case bot.SignalDeskDue:
		return f.due(ctx, t)
	}
	return bot.Ignored, nil
}

// hearDeskOpened puts a case that was asked for while the desk was closed into the queue.
func (f *flow) hearDeskOpened(ctx context.Context, t *bot.Turn) (bot.Event, error) {
	if t.Conv.Handoff.Status != bot.HandoffScheduled {
		return bot.Ignored, nil
	}
	if calendar, err := f.Desk.Calendar(ctx); err != nil || !calendar.Open(t.Now) {
		return bot.Ignored, err
	}
	joins(t)
	t.Transcribe(bot.FromEvent, "", NoteOpened)
	if t.Place().Has(DeskOpened) {
		return DeskOpened, f.sayPosition(ctx, t)
	}
	return DeskOpenedAside, f.sayPosition(ctx, t)
}

// hearDeskClosed tells who waits when the desk opens next.
func (f *flow) hearDeskClosed(ctx context.Context, t *bot.Turn) (bot.Event, error) {
	h := t.Conv.Handoff
	if !h.Waiting() {
		return bot.Ignored, nil
	}
	calendar, err := f.Desk.Calendar(ctx)
	if err != nil || calendar.Open(t.Now) {
		return bot.Ignored, err
	}
	handoff.Defer(h)
	t.Transcribe(bot.FromEvent, "", NoteShut)
	sayOpening(t, calendar)
	if t.Place().Is(AtDesk) {
		return DeskClosed, nil
	}
	return DeskClosedAside, nil
}

// linkNotes are what an agent reads of what becomes of the link.
var linkNotes = map[string]string{
	bot.SignalLinkUsed: NoteLinkUsed, bot.SignalKeyMade: NoteKeyMade, bot.SignalMailRefused: NoteRefused,
	bot.SignalLinkVoided: NoteVoided, bot.SignalLinkExpired: NoteLinkEnded, bot.SignalMailUnsent: NoteUnsent,
}

// hearLinkInDesk hears what became of the link while a person helps: the flow does not run on under them, and the agent
// reads it. Who still waits is told that it was used, or works no more, and goes on waiting or not.
func (f *flow) hearLinkInDesk(t *bot.Turn, note string) bot.Event {
	unsent := t.Update.Signal == bot.SignalMailUnsent || f.wasUnsent(t)
	if unsent && t.Update.Signal == bot.SignalLinkExpired {
		note = NoteUnsent
	}
	t.Transcribe(bot.FromEvent, "", note)
	if s := t.Update.Signal; s == bot.SignalLinkVoided || f.Uniform && (s == bot.SignalMailRefused || s == bot.SignalMailUnsent) { // for the agent alone: the chat sees the link end at the usual time
		return bot.Ignored
	}
	switch note {
	case NoteLinkUsed:
		concerns(t, bot.AlertLinkUsed)
	case NoteKeyMade:
		concerns(t, bot.AlertKeyMade)
	}
	t.Withdraw()
	waiting := t.Place().Has(UnlockedWaiting) && !t.Conv.Handoff.Held()
	switch t.Update.Signal {
	case bot.SignalLinkUsed:
		waitsNoMore(t)
		usesLink(t)
		happenedInstead(t, LinkUsed, isLink)
		if waiting && t.Update.Text != "generate" {
			return UnlockedWaiting
		}
	case bot.SignalKeyMade:
		if waiting {
			return KeyMadeWaiting
		}
	case bot.SignalLinkExpired, bot.SignalMailUnsent:
		if unsent {
			t.WithdrawLetters()
		}
		ended := LinkEndedOnce
		if unsent {
			ended = MailUnsent
		}
		linkEnded(t, ended)
		switch {
		case waiting && unsent:
			return UnsentWaiting
		case waiting:
			return LinkEndedWaiting
		}
	case bot.SignalMailRefused:
		linkEnded(t, MailRefused)
	}
	return bot.Ignored
}

// linkEnded has the way back lead to what became of a link instead of to one that lives.
func linkEnded(t *bot.Turn, ev bot.Event) {
	waitsNoMore(t)
	if ev == LinkEndedOnce {
		t.Remember(slotEnded, "1")
	}
	linkEndedInstead(t, ev)
}

// lostAs is how an agent's page calls what a line of the transcript says.
var lostAs = map[string]string{NoteSilent: bot.LostSilent, NoteGone: bot.LostGone, NoteReleased: bot.LostReleased}

// loseAgent puts a conversation back into the queue, where it stands as long as it has waited, or to the next opening.
func (f *flow) loseAgent(ctx context.Context, t *bot.Turn, why string, act *bot.DeskAct) (bot.Event, error) {
	h := t.Conv.Handoff
	leavesUnsaid(t)
	handoff.Lose(h, lostAs[why], act.Agent, act.Name)
	t.Transcribe(bot.FromEvent, h.AgentName, why)
	silenceEnds(t)
	t.Say("agent", h.AgentName)
	open, err := f.lineUp(ctx, t)
	setDue(t)
	after := why == NoteGone && t.Slot(slotPutOff) == h.Ref
	t.Forget(slotPutOff)
	switch {
	case err != nil:
		return "", err
	case !open && after:
		return TicketedAfter, nil
	case !open:
		return TicketedAgain, nil
	case after:
		return QueuedAfter, nil
	}
	return QueuedAgain, nil
}

// hearAgent hears what an agent does.
func (f *flow) hearAgent(ctx context.Context, t *bot.Turn) (bot.Event, error) {
	h, act := t.Conv.Handoff, t.Update.Desk
	if act == nil || !h.Open() || h.Ref != act.Ref {
		return bot.NotYours, nil
	}
	if act.Do == bot.DeskClaim {
		if h.Held() {
			return bot.NotYours, nil
		}
		handoff.Hold(h, act.Agent, act.Name, t.Now)
		writeDown(t, act, h.Ref)
		t.Say("agent", act.Name)
		t.Transcribe(bot.FromEvent, act.Name, NoteTaken)
		f.expectAnswer(t)
		return Taken, nil
	}
	others := act.Supervisor && (act.Do == bot.DeskRelease || act.Do == bot.DeskResolve || act.Do == bot.DeskNote || act.Do == bot.DeskPass)
	asked := act.Do == bot.DeskNote && h.MentionOf(act.Agent) > 0 // a note named them, and they answer
	if h.Agent != act.Agent && !others && !asked || !h.Held() && act.Do != bot.DeskNote {
		return bot.NotYours, nil
	}
	t.Say("agent", act.Name)
	switch act.Do {
	case bot.DeskSay:
		handoff.Resume(h)
		setDue(t)
		return speaks(t, act.Name, discreet(t.Text())), nil
	case bot.DeskType:
		f.isTyping(t)
		return AgentTyped, nil
	case bot.DeskNote:
		h.Mention(act.Names)
		t.Transcribe(bot.FromNote, act.Name, t.Text())
		tells(t, act)
		return AgentNoted, nil
	case bot.DeskPass:
		if act.To == h.Agent {
			return bot.NotYours, nil
		}
		t.Transcribe(bot.FromEvent, act.Name, NotePassed)
		if note := t.Text(); note != "" {
			t.Transcribe(bot.FromNote, act.Name, note)
		}
		leavesUnsaid(t)
		handoff.Lose(h, bot.LostPassed, act.Agent, act.Name)
		handoff.Hold(h, act.To, act.ToName, t.Now)
		setDue(t)
		t.Alert(bot.AlertPassed, act.To, act.Name)
		writeDown(t, act, h.Ref+" "+act.To)
		_, owed := t.Conv.TimerAt(bot.SignalAgentSilent)
		silenceEnds(t)
		if owed { // else nobody waits for a word, and nobody is told that the colleague did not say one
			f.expectAnswer(t)
		}
		t.Say("agent", act.ToName)
		return Passed, nil
	case bot.DeskRelease:
		writeDown(t, act, h.Ref)
		return f.loseAgent(ctx, t, NoteReleased, act)
	case bot.DeskReturn:
		return f.handBack(t, act)
	case bot.DeskResolve:
		f.endCaseBy(t, act.Reason, act)
		writeDown(t, act, h.Ref+" "+act.Reason)
		if why := strings.TrimSpace(t.Text()); why != "" {
			t.Transcribe(bot.FromNote, act.Name, why)
		}
		t.Transcribe(bot.FromEvent, act.Name, NoteResolved)
		t.Conv.Case = h.Ref
		f.dropNumber(t)
		t.Later(bot.SignalForget, "", t.Now.Add(f.Idle)) // who writes within a day is asked whether it is about the same
		if act.Reason == handoff.Misuse {
			return ResolvedMisuse, nil
		}
		t.Remember(slotRates, h.Ref)
		return Resolved, nil
	case bot.DeskLink:
		return f.linkForAgent(t, act)
	case bot.DeskOffice:
		answered(t)
		return AgentToOffice, nil
	case bot.DeskPostpone:
		return f.postpones(ctx, t, act)
	case bot.DeskResume:
		return resumesCase(t, act)
	case bot.DeskLater:
		return f.saysLater(t, act)
	case bot.DeskUnsay:
		return takesBack(t, act)
	}
	return bot.NotYours, nil
}

// speaks says an agent's words to the person.
func speaks(t *bot.Turn, name, words string) bot.Event {
	h := t.Conv.Handoff
	answered(t)
	if h.Answered.IsZero() {
		h.Answered = t.Now
	}
	if t.Conv.Gone {
		t.Transcribe(bot.FromAgent, name, words)
		t.Transcribe(bot.FromEvent, "", NoteBlocked)
		return AgentSpoke
	}
	t.Relay(words, name)
	return AgentSpoke
}

// tells has a note heard by whom it is for: those it names, and who has the conversation.
func tells(t *bot.Turn, act *bot.DeskAct) {
	for _, login := range act.Names {
		if login != act.Agent {
			t.Alert(bot.AlertNote, login, act.Name)
		}
	}
	if h := t.Conv.Handoff; h.Held() && h.Agent != act.Agent && !slices.Contains(act.Names, h.Agent) {
		t.Alert(bot.AlertNote, h.Agent, act.Name)
	}
}

// writeDown promises the audit an agent's deed.
func writeDown(t *bot.Turn, act *bot.DeskAct, detail string) {
	t.Promise(bot.Promise{What: bot.KeepAudit{Deed: "case_" + act.Do, Agent: act.Agent, Detail: detail}})
}

// linkForAgent sends the link of the record's again, if a number is known. One that the person gave here is taken for
// confirmed: the agent has read it.
func (f *flow) linkForAgent(t *bot.Turn, act *bot.DeskAct) (bot.Event, error) {
	number, err := f.kept(t, about(t.Conv))
	if err != nil {
		return bot.NotSent, nil // there is none
	}
	ev, err := f.askLinkFor(t, affiliate.Hash(f.Vault, number), number)
	switch {
	case err != nil:
		return "", err
	case ev == TooManyNumbers:
		t.Transcribe(bot.FromEvent, act.Name, NoteNumberLimit)
		return bot.NotSent, nil
	case ev == TooManyMails:
		t.Transcribe(bot.FromEvent, act.Name, NoteLinkLimit)
		return bot.NotSent, nil
	}
	answered(t)
	writeDown(t, act, act.Ref)
	t.Transcribe(bot.FromEvent, act.Name, NoteLinkSent)
	return AgentSentLink, nil
}

// handBack gives the conversation back to the bot at a step.
func (f *flow) handBack(t *bot.Turn, act *bot.DeskAct) (bot.Event, error) {
	to := act.State
	if !t.PlaceOf(to).Is(Returnable) {
		return bot.NotYours, nil
	}
	switch p := t.PlaceOf(to); {
	case p.Is(NeedsNumber) && t.Slot(slotGiven) != "" && about(t.Conv) == slotGiven: // it is confirmed first
		to = t.Leads(to, GaveNumber)
	case p.Is(NeedsNumber) && t.Slot(slotRecord) == "":
		to = t.Leads(to, WantsUnlock)
	}
	f.endCaseBy(t, handoff.Returned, act)
	writeDown(t, act, act.Ref+" "+string(to))
	t.Transcribe(bot.FromEvent, act.Name, NoteReturned)
	if i := slices.Index(t.Conv.Back, to); i >= 0 {
		t.Conv.Back = t.Conv.Back[:i]
	}
	t.Conv.Back = append(t.Conv.Back, to)
	return HandedBack, nil
}

// official are the institution's own addresses and its telephone number.
var official = regexp.MustCompile(`(?i)\b[a-z][a-z._-]*@(?:[a-z0-9-]+\.)*iess\.gob\.ec\b|\b02[ -]?394[ -]?5666\b`)

// goesOn says that an address only begins like an official one.
var goesOn = regexp.MustCompile(`^[.-]?[\pL\d@]`)

// Discreet is what of an agent's words goes out to the person, and Noted what is kept of a note.
func Discreet(text string) string { return discreet(text) }

// Noted is what is kept of a note.
func Noted(text string) string { return mask(text) }

// discreet masks what no chat may hold in an agent's words: numbers, and addresses that are not the institution's.
func discreet(text string) string {
	var b strings.Builder
	from := 0
	for _, at := range official.FindAllStringIndex(text, -1) {
		if goesOn.MatchString(text[at[1]:]) {
			continue
		}
		b.WriteString(mask(text[from:at[0]]) + text[at[0]:at[1]])
		from = at[1]
	}
	return b.String() + mask(text[from:])
}
