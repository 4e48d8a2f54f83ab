package flows

import (
	"context"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"llave/bot"
	"llave/internal/handoff"
)

// After a case has ended. Who writes within a day is asked once whether it is about the same, and if so the case goes on, with its number
// and its lines: to the agent who had it where they take it, else from the queue, in the place of when it was first asked for (P772). How
// it went is asked with a few words, which stand in the case's lines and nowhere else; not after misuse (P773).

// The events.
const (
	AskedSame, WantsSame, Reopened        bot.Event = "AskedSame", "WantsSame", "Reopened"
	RatedHelp, RatingTold, RatingEnded    bot.Event = "RatedHelp", "RatingTold", "RatingEnded"
	ResolvedMisuse, OtherThan, AskedAfter bot.Event = "ResolvedMisuse", "OtherThan", "AskedAfter"
)

// sameFor is how long after the end of a case it is asked whether what somebody writes is about the same.
const sameFor = 24 * time.Hour

const (
	slotSame    = "same"     // the case that was asked about
	slotSameFor = "same_for" // a person was asked for, when it was asked
)

// canReopen says whether what the person wants of a person may be the case that ended.
func canReopen(t *bot.Turn) bool {
	h := t.Conv.Handoff
	return h != nil && !h.Open() && h.Agent != "" && t.Now.Sub(h.Ended) < sameFor && (h.Reason == handoff.Returned || slices.Contains(handoff.Reasons, h.Reason) && h.Reason != handoff.Misuse)
}

// asksSame asks whether it is about the same, once for a case.
func asksSame(t *bot.Turn, person bool) bool {
	h := t.Conv.Handoff
	if !canReopen(t) || t.Slot(slotSame) == h.Ref {
		return false
	}
	t.Remember(slotSame, h.Ref)
	t.Forget(slotSameFor)
	if person {
		t.Remember(slotSameFor, h.Ref)
	}
	return true
}

// hadBy is what the agent is called who had the case last.
func hadBy(t *bot.Turn) string {
	if t.Conv.Handoff == nil {
		return ""
	}
	return t.Conv.Handoff.AgentName
}

// hearSame hears the first words after a case that an agent closed: they may be about that. Thanks, goodbyes, a number, an answer to
// what was asked are not.
func (f *flow) hearSame(t *bot.Turn) bot.Event {
	if canReopen(t) && t.Choice() == "same_yes" { // under the thanks for some words too
		return WantsSame
	}
	h := t.Conv.Handoff
	if t.Update.Kind != bot.Text || t.Choice() != "" || h == nil || h.Reason == handoff.Returned || t.Place().Is(bot.FreeText, InGroup, AtDesk, FirstWord, BeforeTerms, AsksNumber, ReadsBack) {
		return ""
	}
	if t.Place().Has(Rated) && within(t) != "" || t.Place().Has(OtherThan) {
		return ""
	}
	if f.holdsNumber(t) || f.isCode(t) || f.givesPart(t) || mannersOnly(t.Text()) || saysNeedsNobody(t.Text()) || len(clausesOf(t.Text())) == 0 {
		return ""
	}
	if asksSame(t, false) {
		return AskedAfter
	}
	return ""
}

// mannersOnly says whether nothing was said but greetings and thanks.
func mannersOnly(said string) bool {
	return !slices.ContainsFunc(clausesOf(said), func(c string) bool { return !mannersAlone.MatchString(c) })
}

// hearWhetherSame hears the answer to that.
func (f *flow) hearWhetherSame(_ context.Context, t *bot.Turn) (bot.Event, error) {
	switch t.Choice() {
	case "same_yes":
		return WantsSame, nil
	case "same_no":
		if t.Slot(slotSameFor) != "" {
			t.Forget(slotSameFor)
			return AskedPerson, nil
		}
		return OtherThan, nil
	}
	return "", nil
}

// reopens goes on with the case that ended.
func (f *flow) reopens(ctx context.Context, t *bot.Turn) (bot.Event, error) {
	if !canReopen(t) { // a day has passed meanwhile
		return f.handOver(ctx, t)
	}
	h := t.Conv.Handoff
	login, name := h.Agent, h.AgentName
	handoff.Reopen(h, t.Now)
	h.Since, h.Number = t.Now, f.masked(t) // the number was dropped at its end
	t.Forget(slotRates, slotSame, slotSameFor)
	t.Transcribe(bot.FromEvent, "", NoteReopened)
	takes, err := f.Desk.Takes(ctx, login)
	if err != nil {
		return "", err
	}
	if takes {
		handoff.Hold(h, login, name, t.Now)
		f.expectAnswer(t)
		concerns(t, bot.AlertAgain)
		t.Say("agent", name)
		return Reopened, nil
	}
	return f.toQueue(ctx, t, false)
}

// hearRatingWords hears a few words on how it went.
func (f *flow) hearRatingWords(_ context.Context, t *bot.Turn) (bot.Event, error) {
	h := t.Conv.Handoff
	switch {
	case t.Choice() == "rating_end", h == nil, h.Open():
		return RatingEnded, nil
	case t.Update.Kind != bot.Text, len(clausesOf(t.Text())) == 0:
		return "", nil
	case utf8.RuneCountInString(t.Text()) > tooLong:
		return WroteTooMuch, nil
	case mannersOnly(t.Text()):
		return RatingEnded, nil
	}
	h.Commented = true // the words are its last line
	t.Transcribe(bot.FromEvent, "", NoteRatingWords)
	return RatingTold, nil
}

// ratesHelp notes how the help of a person was rated.
func ratesHelp(t *bot.Turn, given string) bot.Event {
	t.Forget(slotRates)
	t.Conv.Handoff.Rating, _ = strconv.Atoi(given)
	t.Transcribe(bot.FromEvent, "", NoteRated)
	return RatedHelp
}
