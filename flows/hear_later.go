package flows

import (
	"context"
	"time"

	"llave/bot"
	"llave/internal/handoff"
)

// An agent may put a case off that they have, and have words said at a later moment. Both are data of the conversation and one timer of
// it (bot.SignalDeskDue). So a case that is put off comes back whatever dies, and what is said later is said once. While it is put off
// the case stays with its agent, who may sign out meanwhile (P770). Once it is back it is like any other that they have: if they are
// not there, the desk frees it, and the person hears that.

// slotPutOff is the case that was put off, and that nobody has gone on with since it came back.
const slotPutOff = "put_off"

// How long a case may be put off, and how long for an answer that does not come.
const (
	postponeMost = 14 * 24 * time.Hour
	answerWithin = 3 * 24 * time.Hour
)

// postpones puts the case off. The person is told until when, unless it is for their own answer.
func (f *flow) postpones(ctx context.Context, t *bot.Turn, act *bot.DeskAct) (bot.Event, error) {
	until, note := act.At, NotePostponed
	switch act.Until {
	case bot.UntilAnswer:
		until, note = t.Now.Add(answerWithin), NotePutOff
	case bot.UntilOpening:
		calendar, err := f.Desk.Calendar(ctx)
		if err != nil {
			return "", err
		}
		if until = openingAfter(calendar, t.Now); until.IsZero() {
			return bot.NotThen, nil
		}
	}
	if !until.After(t.Now) || until.After(t.Now.Add(postponeMost)) {
		return bot.NotThen, nil
	}
	answered(t)
	handoff.Postpone(t.Conv.Handoff, act.Until, until)
	setDue(t)
	writeDown(t, act, act.Ref)
	t.Transcribe(bot.FromEvent, act.Name, note)
	if act.Until == bot.UntilAnswer {
		return PostponedUnsaid, nil
	}
	t.Say("moment", sayMoment(t, until.In(f.Zone)))
	return Postponed, nil
}

// openingAfter is when the desk opens next, not counting that it is open now; zero: nobody knows.
func openingAfter(calendar handoff.Calendar, now time.Time) time.Time {
	if closes, open := calendar.NextClosing(now); open {
		now = closes
	} else if calendar.Open(now) {
		return time.Time{} // it does not close
	}
	at, known := calendar.NextOpening(now)
	if !known {
		return time.Time{}
	}
	return at
}

// resumesCase has the case be gone on with now.
func resumesCase(t *bot.Turn, act *bot.DeskAct) (bot.Event, error) {
	h := t.Conv.Handoff
	if !h.IsPostponed() {
		return bot.NotYours, nil
	}
	handoff.Resume(h)
	setDue(t)
	writeDown(t, act, act.Ref)
	t.Transcribe(bot.FromEvent, act.Name, NoteResumed)
	return CaseResumed, nil
}

// saysLater keeps an agent's words for a later moment: one message at a time, and only for when the channel takes it (P771).
func (f *flow) saysLater(t *bot.Turn, act *bot.DeskAct) (bot.Event, error) {
	last := t.Now.Add(postponeMost)
	if w := f.window(t); w > 0 {
		last = t.Conv.LastAt.Add(w - windowSpare)
	}
	if t.Conv.Late != nil || t.Conv.Gone || !act.At.After(t.Now) || act.At.After(last) {
		return bot.NotThen, nil
	}
	t.Conv.Late = &bot.Late{Text: discreet(t.Text()), Agent: act.Agent, Name: act.Name, At: act.At, Made: t.Now}
	t.Transcribe(bot.FromEvent, act.Name, NoteLate)
	if act.Until != "" {
		answered(t)
		handoff.Postpone(t.Conv.Handoff, bot.UntilTime, act.At)
	}
	setDue(t)
	return LateKept, nil
}

// takesBack takes back what was to be said later. What was put off with it stays so.
func takesBack(t *bot.Turn, act *bot.DeskAct) (bot.Event, error) {
	if t.Conv.Late == nil {
		return bot.NotThen, nil
	}
	t.Conv.Late = nil
	setDue(t)
	t.Transcribe(bot.FromEvent, act.Name, NoteUnsaid)
	return LateKept, nil
}

// leavesUnsaid gives up what was to be said later, because the agent who wrote it has the case no more: colleagues read it as a note.
func leavesUnsaid(t *bot.Turn) {
	late := t.Conv.Late
	if late == nil {
		return
	}
	t.Conv.Late = nil
	t.Transcribe(bot.FromEvent, late.Name, NoteLateUnsaid)
	t.Transcribe(bot.FromNote, late.Name, late.Text)
}

// setDue sets the timer for what comes first of a case that was put off and words for later, or takes it off.
func setDue(t *bot.Turn) {
	var at time.Time
	if late := t.Conv.Late; late != nil {
		at = late.At
	}
	if h := t.Conv.Handoff; h.IsPostponed() && (at.IsZero() || h.Until.Before(at)) {
		at = h.Until
	}
	if at.IsZero() {
		t.Never(bot.SignalDeskDue)
		return
	}
	t.Later(bot.SignalDeskDue, "", at)
}

// due is that moment. What is said then asks for the person's answer, for which the case is put off from then on.
func (f *flow) due(ctx context.Context, t *bot.Turn) (bot.Event, error) {
	h, late := t.Conv.Handoff, t.Conv.Late
	ev := bot.Ignored
	switch {
	case late != nil && h.Agent != late.Agent: // by a version that knew of none
		leavesUnsaid(t)
	case late != nil && !late.At.After(t.Now):
		t.Conv.Late = nil
		if h.IsPostponed() {
			handoff.Postpone(h, bot.UntilAnswer, t.Now.Add(answerWithin))
		}
		ev = speaks(t, late.Name, late.Text)
	case h.IsPostponed() && !h.Until.After(t.Now):
		calendar, err := f.Desk.Calendar(ctx)
		if err != nil {
			return "", err
		}
		if h.Postponed == bot.UntilOpening && !calendar.Open(t.Now) { // a day of rest was set meanwhile
			if at := openingAfter(calendar, t.Now); !at.IsZero() {
				handoff.Postpone(h, bot.UntilOpening, at)
				break
			}
		}
		if h.Postponed != bot.UntilAnswer { // the person was told when, and has waited until then
			h.Since = t.Now
			f.expectAnswer(t)
		}
		handoff.Resume(h)
		t.Remember(slotPutOff, h.Ref)
		t.Transcribe(bot.FromEvent, h.AgentName, NoteResumed)
		concerns(t, bot.AlertBack)
		ev = CaseResumed
	}
	setDue(t)
	return ev, nil
}
