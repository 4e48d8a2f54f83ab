package flows

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"llave/bot"
	"llave/internal/unlock"
)

// act does what an answer of answers.toml is named for. It returns an event of the map, or "" when the place's own ear is
// to go on with the button that was chosen for it.
type act func(f *flow, t *bot.Turn) bot.Event

// acts by the names that answers.toml uses.
var acts map[string]act

func init() { // acts name each other by way of the flow
	acts = map[string]act{
		"unlock": wishing("unlock"), "generate": wishing("generate"), "office": wishing("in_person"), "complaint": wishing("complaint"),
		"own_data": wishing("my_data"), "relative": wishing("another"), "minor": wishing("minor"), "deceased": wishing("deceased"),
		"passport": (*flow).hasPassport,

		"slow": slowly(AskedSlow), "low_vision": slowly(LowVision), "english": (*flow).inEnglish, "reword": (*flow).rewords, "another": (*flow).another,
		"time_left": whileLinkLives(AskedTimeLeft, "info.link_life"), "wait_link": whileLinkLives(WaitsWithLink, "info.wait"),
		"no_hurry": whileLinkLives(WaitsWithLink, "info.no_hurry"),
		"remind":   (*flow).wantsLater, "page_left": (*flow).pageLeft, "status": (*flow).status, "emergency": alarms,
		"dead": whileLinkLives(DeadWhileNewLives, LinkDead), "mail_found": (*flow).mailFound, "correct": (*flow).corrects,
		"not_arrived": notArrived, "portal_again": portalAgain, "send": choosing("send"), "resend": choosing("resend"), "yes": agreed(saying("said.yes", "next.now")), "no": saying("said.no", SaidNo),
		"menu": agreed((*flow).toMenu), "back": agreed((*flow).goesBack), "cancel": (*flow).cancels, "hello": (*flow).greets,
	}
}

// wishing begins what people come for; before the terms are agreed to it is kept for later.
func wishing(label string) act {
	return func(f *flow, t *bot.Turn) bot.Event {
		if t.Place().Is(BeforeTerms) {
			t.Remember(slotWish, label)
			if label == "complaint" {
				f.tells(t)
			}
			return cmp.Or(firstAnswers[label], Greeted)
		}
		return f.wish(t, label)
	}
}

// firstAnswers are to wishes that cannot wait for the terms without a word: that somebody died, is under age, or needs a
// person. The wish itself is kept.
var firstAnswers = map[string]bot.Event{"deceased": "first.deceased", "minor": "first.minor", "agent": "first.person"}

// choosing takes what was said for a press of a button of the place.
func choosing(label string) act {
	return func(_ *flow, t *bot.Turn) bot.Event {
		t.Choose(label)
		return ""
	}
}

// agreed does what there is only for somebody who has agreed to go on; before that the question comes again.
func agreed(do act) act {
	return func(f *flow, t *bot.Turn) bot.Event {
		if t.Place().Is(BeforeTerms) {
			return AskedRepeat
		}
		return do(f, t)
	}
}

// toMenu leads to the menu; who has a complaint that is not filed is told so.
func (f *flow) toMenu(t *bot.Turn) bot.Event {
	if f.complaint(t) != "" {
		leavesComplaint(t, leftFor)
		return AskedMenuUnfiled
	}
	return AskedMenu
}

// cancels undoes a reminder; where none is set, it ends the procedure; before it has begun, the conversation.
func (f *flow) cancels(t *bot.Turn) bot.Event {
	if t.Place().Is(BeforeTerms) {
		t.Empty()
		return Declined
	}
	if ev := f.cancelsReminder(t); ev != "" {
		return ev
	}
	if f.complaint(t) != "" {
		t.Say("lost", " "+t.Wording("complaint.lost"))
	}
	dropComplaint(t)
	t.Forget(slotNext, slotMeanwhile)
	f.dropNumber(t)
	return Cancelled
}

// slowly goes on step by step, and answers so.
func slowly(answer bot.Event) act {
	return func(_ *flow, t *bot.Turn) bot.Event {
		t.Pace(slow)
		return answer
	}
}

func (f *flow) inEnglish(t *bot.Turn) bot.Event {
	speak(t, english)
	return AskedEnglish
}

// rewords counts as a miss: the question comes in other words, then step by step is offered, then a person.
func (f *flow) rewords(t *bot.Turn) bot.Event {
	t.Miss()
	if t.Place().Is(bot.FreeText) { // "no sé", "por qué me gritó"
		pieceOfSentence(t)
	}
	return Reworded
}

// another has one more link sent to somebody who is at the key already.
func (f *flow) another(t *bot.Turn) bot.Event {
	if t.Slot(slotRecord) == "" {
		return wishing("generate")(f, t)
	}
	t.Remember(slotWant, "generate") // it is unlocked by now
	return WantsAnother
}

// linkEnds is when the link that was asked for ends at the latest. In every disclosure it is what this chat's own clock says.
func linkEnds(t *bot.Turn) (left time.Duration, lives bool) {
	for _, timer := range t.Conv.Timers {
		if timer.Signal == bot.SignalLinkExpired && timer.Attempt == t.Conv.Attempt && timer.At.After(t.Now) {
			return timer.At.Sub(t.Now), true
		}
	}
	return 0, false
}

// linkDead is the question that an act asks: its buttons are heard as those of answers.
const linkDead = "sent.dead"

// whileLinkLives answers with what is left of the link that was asked for, or otherwise where none lives.
func whileLinkLives(answer, otherwise bot.Event) act {
	return func(_ *flow, t *bot.Turn) bot.Event {
		left, lives := linkEnds(t)
		if !lives {
			return otherwise
		}
		t.Say("left", leaving(t, left))
		return answer
	}
}

// portalAgain asks once more what the portal says. It counts as a miss: who gets no further is offered a person.
func portalAgain(_ *flow, t *bot.Turn) bot.Event {
	t.Miss()
	return PortalOther
}

// alarms names 911. Whoever has the person's case, or will have it, sees a mark.
func alarms(_ *flow, t *bot.Turn) bot.Event {
	if t.Conv.Handoff.Open() {
		t.Transcribe(bot.FromEvent, "", NoteEmergency)
	}
	return Emergency
}

// pageLeft answers with what is left of the page.
func (f *flow) pageLeft(t *bot.Turn) bot.Event {
	left, used := pageLives(t)
	switch {
	case !used: // used under a version that did not note it, or not at all: an agent led here
		return "next.now"
	case left <= 0:
		return PageOver
	}
	t.Say("left", leaving(t, left))
	return AskedPageLeft
}

// pageLives is how long the page of the link that was used lives yet; not used where none was, as far as the chat knows.
func pageLives(t *bot.Turn) (left time.Duration, used bool) {
	at, err := strconv.ParseInt(t.Slot(slotUsed), 10, 64)
	if err != nil {
		return 0, false
	}
	return unlock.KeyPassLife - t.Now.Sub(time.Unix(at, 0)), true
}

// hasPassport asks a foreigner for their code; who is past their number is told that it is enough.
func (f *flow) hasPassport(t *bot.Turn) bot.Event {
	if t.Slot(slotRecord) != "" && !t.Place().Is(AsksNumber, ReadsBack) {
		return "info.no_cedula"
	}
	return wishing("passport")(f, t)
}

// leaving says what is left of a link, in whole minutes that are there for sure.
func leaving(t *bot.Turn, left time.Duration) string {
	if left < time.Minute {
		return t.Wording("life.little")
	}
	return lasting(t, left.Truncate(time.Minute))
}

// notOnAGuess are buttons that are pressed, or said in their own words.
var notOnAGuess = []string{"erase", "erase_yes", "leave_yes", "restart"}

// saying takes a yes or a no, the text [word], in other words for the button that it stands for, and answers otherwise
// where there is none.
func saying(word string, otherwise bot.Event) act {
	return func(_ *flow, t *bot.Turn) bot.Event {
		label := t.Shows(t.Wording(word))
		if agreed := t.Agrees(); word == "said.yes" && agreed != "" {
			label = agreed
		}
		if label == "" || slices.Contains(notOnAGuess, label) {
			return otherwise
		}
		t.Choose(label)
		return ""
	}
}

// greets answers a greeting; who comes back after long is asked whether to go on.
func (f *flow) greets(t *bot.Turn) bot.Event {
	if cameBack(t) {
		return ""
	}
	return SaidHello
}
