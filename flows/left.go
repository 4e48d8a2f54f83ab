package flows

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"llave/bot"
)

// This file is about what lies behind somebody to whom something happened: a link was used, a key was made, a reminder dropped the
// number. What was waited for until then leads nowhere any more. A question that was being answered meanwhile is answered all the same.

// slotLeft is the question that something else than its answer took the place of: the place where it stood, its stamp, its text.
const slotLeft = "left"

// NumberDropped means that what is asked for needs the number, which a reminder dropped.
const NumberDropped bot.Event = "NumberDropped"

// isLink says whether a link is waited for in a place, or has ended there.
func isLink(p bot.Place) bool { return p.Is(LinkLives, LinkOver) }

// makesKey says whether a key is to be made yet in a place.
func makesKey(p bot.Place) bool { return isLink(p) || p.Is(InKey) && !p.Is(KeyMadeBy) }

// happenedInstead puts the place where an event leads where the conversation, or its way back, has one that is over by it.
func happenedInstead(t *bot.Turn, ev bot.Event, over func(bot.Place) bool) {
	c := t.Conv
	way := append(slices.Clone(c.Back), c.State)
	for i, s := range way {
		if over(t.PlaceOf(s)) {
			way[i] = t.Leads(s, ev)
		}
	}
	way = slices.Compact(way)
	last := len(way) - 1
	if i := slices.Index(way, way[last]); i < last { // been there
		way, last = way[:i+1], i
	}
	c.Back, c.State = way[:last], way[last]
}

// leavesQuestion notes the question that what became of a link took the place of. One that was about the link, or a menu, is over.
func (f *flow) leavesQuestion(t *bot.Turn, from bot.State, ev bot.Event) {
	p := t.PlaceOf(from)
	if to := t.Leads(t.Conv.State, ev); linkNotes[t.Update.Signal] == "" || ev == bot.Ignored || to == bot.Stay || to == from {
		return
	}
	if p.Ask != "" && !p.Is(NeedsNumber, AsksNumber, InKey, NoResume, BeforeTerms, AtDesk, InGroup) {
		leaves(t, from)
		if p.Is(bot.FreeText) && f.complaint(t) != "" {
			t.Add("complaint.left")
		}
	}
}

// leaves notes the question that stands.
func leaves(t *bot.Turn, at bot.State) {
	t.Remember(slotLeft, fmt.Sprintf("%s %d %s", at, t.Conv.Prompt, t.Conv.Text))
	if t.PlaceOf(at).Is(bot.FreeText) {
		leavesComplaint(t, brokenOff)
	}
}

// left is the question that was left.
func left(t *bot.Turn) (at bot.State, prompt int, text string, ok bool) {
	if t.Slot(slotLeft) == "" {
		return "", 0, "", false
	}
	n, err := fmt.Sscanf(t.Slot(slotLeft), "%s %d %s", &at, &prompt, &text)
	return at, prompt, text, err == nil && n == 3 && t.PlaceOf(at).Ask != ""
}

// hearLeft hears the answer to a question that was left, if what came is no answer to the one that stands: as if the other stood yet.
// What came instead is where the way back leads.
func (f *flow) hearLeft(ctx context.Context, t *bot.Turn) (bot.Event, error) {
	at, prompt, text, ok := left(t)
	if !ok {
		return "", nil
	}
	p := t.PlaceOf(at)
	if p.Is(NeedsNumber) {
		return f.hearDropped(t, p, prompt), nil
	}
	t.Forget(slotLeft)
	c := t.Conv
	was := *c
	if t.Choice() != "" || t.Update.Kind == bot.Press && t.Update.Prompt != prompt || t.Update.Kind != bot.Press && t.Update.Kind != bot.Text {
		return "", nil
	}
	c.State = at
	t.Ask(text)
	label := t.Update.Button
	if t.Update.Kind == bot.Text {
		label = t.Shows(t.Text())
	}
	city := t.Update.Kind == bot.Text && p.Has(FoundOffices) && len(f.Offices.Find(t.Text())) > 0
	if !slices.Contains(c.Shown, label) && !city {
		c.State, c.Text, c.Prompt, c.Shown = was.State, was.Text, was.Prompt, was.Shown
		return "", nil
	}
	c.Back = append(slices.DeleteFunc(slices.Clone(was.Back), func(s bot.State) bool { return s == at }), was.State)
	t.Choose(label)
	ev := f.hearPerson(t)
	if ev == "" {
		return p.Hear(ctx, t)
	}
	return ev, nil
}

// hearDropped hears somebody who goes on where they were before a reminder dropped the number: it is asked for, with the reason.
func (f *flow) hearDropped(t *bot.Turn, p bot.Place, prompt int) bot.Event {
	switch {
	case !t.Place().Is(AsksNumber) || t.Choice() != "":
		return ""
	case t.Update.Kind == bot.Press && t.Update.Prompt == prompt && !slices.Contains(offTheProcedure, t.Update.Button):
		return NumberDropped
	case t.Update.Kind != bot.Text || f.triesNumber(t):
		return ""
	case t.Says("send", "word_done") != "":
		return NumberDropped
	}
	goesOn := 0.0
	for _, g := range f.answers.read(f.model, t.Text(), p) {
		if topic, _, _ := strings.Cut(g.answer, "."); acting(g.answer) || topic == "next" {
			goesOn += g.confidence
		}
	}
	if goesOn >= surely {
		return NumberDropped
	}
	return ""
}

// offTheProcedure are the buttons that lead elsewhere, with a number or without.
var offTheProcedure = []string{"agent", "in_person", "menu", "remind", correctNumber}
