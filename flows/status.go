package flows

import (
	"slices"

	"llave/bot"
)

// This file is what somebody hears who asks how far they are, or comes back. It is what the chat was told, and what its own
// clock says of a link: never what has become of the record since, which would tell more than the chat may know (P302, P303).

// The events of asking how far one is, beside those of a link that is waited for where one waits.
const (
	StatusOfLinkAway bot.Event = "StatusOfLinkAway" // a link lives, and the person is doing something else
	StatusUnlocked   bot.Event = "StatusUnlocked"   // the link was used, and the page to make the key on lives
	StatusPageOver   bot.Event = "StatusPageOver"   // the link was used, and that page lives no more
	StatusOfKey      bot.Event = "StatusOfKey"      // the key was made
	ResumedLate      bot.Event = "ResumedLate"      // goes on making the key, after the page's life
)

// status says where the conversation stands, what is left of a link that lives, and what it led to already.
func (f *flow) status(t *bot.Turn) bot.Event {
	place := t.Place()
	page, used := pageLives(t)
	switch left, lives := linkEnds(t); {
	case lives && place.Is(LinkLives):
		t.Say("left", leaving(t, left))
		return StatusOfLink
	case lives:
		t.Say("left", leaving(t, left))
		return StatusOfLinkAway
	case place.Is(InKey, AfterKey, LinkOver, BeforeTerms): // the place says it
	case t.Slot(slotMade) != "":
		return StatusOfKey
	case used && page > 0:
		t.Say("left", leaving(t, page))
		return StatusUnlocked
	case used:
		return StatusPageOver
	case t.Slot(slotRecord) == "" && place.Has(WantsMore):
		return StatusOfNothing
	}
	return AskedStatus
}

// linkTodo is what to do about a link that lives, after a blank: where it is, unless it cannot be there yet.
func (f *flow) linkTodo(t *bot.Turn) string {
	if isLate(t) {
		return " " + t.Wording("late.note")
	}
	return " " + t.Fill("status.todo")
}

// linkNote is what is left of a link that lives, after a blank; nothing where none does.
func linkNote(t *bot.Turn) string {
	left, lives := linkEnds(t)
	if !lives {
		return ""
	}
	t.Say("left", leaving(t, left))
	return " " + t.Fill("status.link_note")
}

// news is what somebody who comes back hears of what became of the link meanwhile, after a blank.
func (f *flow) news(t *bot.Turn) string {
	_, used := pageLives(t)
	switch {
	case t.Slot(slotMade) != "":
		return " " + t.Wording("resume.made")
	case used:
		return " " + t.Wording("resume.unlocked")
	}
	return linkNote(t)
}

// resumes goes on where the person was. Who was making their key goes on where another link can be asked for, once the page is
// over; who has made it is told so again.
func (f *flow) resumes(t *bot.Turn) bot.Event {
	for _, s := range slices.Backward(t.Conv.Back) {
		place := t.PlaceOf(s)
		if place.Ask == "" {
			continue
		}
		left, used := pageLives(t)
		switch {
		case t.Slot(slotMade) != "" && place.Has(NeedsHelp):
			t.Enter(s)
			return KeyMade
		case t.Slot(slotMade) == "" && used && left <= 0 && place.Has(ResumedLate):
			t.Enter(s)
			return ResumedLate
		}
		break
	}
	return Resumed
}
