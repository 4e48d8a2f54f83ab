package flows

import (
	"slices"
	"time"

	"llave/bot"
)

// This file is what a person hears of a letter that does not go out (P213). In `guided` that is about their own letter. In `uniform`
// it is about the mail service as a whole, for members and for those whom no letter is written to alike: whoever waits hears
// the same at the same time, and never a word that follows one letter (P303).

// MailService is how the mail server fares.
type MailService interface {
	// InTrouble says whether it takes nobody's letters, as far as this process knows. It does not wait.
	InTrouble() bool
}

type wellMail struct{}

func (wellMail) InTrouble() bool { return false }

const (
	lateAfter = 20 * time.Second // after which somebody who waits is told that the letter is late
	lookAgain = 5 * time.Second  // how often it is looked again
)

// What slotLate says.
const (
	saidLate = "late"
	saidSent = "sent"

	saidDelayed = "delayed" // it went out, and another server has told of its delay
)

// The events of a letter that does not go out.
const (
	MailLate     bot.Event = "MailLate"
	MailDelayed  bot.Event = "MailDelayed"
	MailSent     bot.Event = "MailSent"     // the letter that was late went out
	MailRestored bot.Event = "MailRestored" // the mail service is well again: what became of one letter is not said
	MailUnsent   bot.Event = "MailUnsent"
	NotSentYet   bot.Event = "NotSentYet" // no letter can be in the mailbox yet
)

// watchesMail begins to watch a letter that was just asked for; [again] where one of the same attempt was before.
func (f *flow) watchesMail(t *bot.Turn, again bool) {
	if !again {
		t.Remember(slotUnsent, t.Conv.Attempt)
	}
	if !again || !isLate(t) {
		t.Forget(slotLate)
		t.Later(bot.SignalMailLate, t.Conv.Attempt, t.Now.Add(lateAfter))
	}
}

// waitsNoMore ends the waiting for a link.
func waitsNoMore(t *bot.Turn) {
	t.Never(bot.SignalLinkExpired)
	t.Never(bot.SignalMailLate)
	t.Forget(slotUnsent, slotLate)
}

// late looks whether the letter is late, and tells somebody who waits, once; and, once it is no more, that too. Who is doing something
// else is told when they are back.
func (f *flow) late(t *bot.Turn) bot.Event {
	said := t.Slot(slotLate)
	_, lives := linkEnds(t)
	switch {
	case t.Update.Text == bot.LateReported:
		return f.delayed(t)
	case !lives, said == saidSent, said == saidDelayed:
		return bot.Ignored
	case f.Uniform:
		return f.lateService(t)
	}
	return f.lateLetter(t)
}

// lateLetter goes by the chat's own letter.
func (f *flow) lateLetter(t *bot.Turn) bot.Event {
	owed := owesLetter(t.Conv)
	if !owed { // a version that does not tell of it may have sent it
		t.Forget(slotUnsent)
	}
	switch {
	case owed && isLate(t): // mailSent tells the rest
		return bot.Ignored
	case !owed && !isLate(t):
		return bot.Ignored
	case !f.hearsOfLetters(t):
		return looksAgain(t)
	case owed:
		t.Remember(slotLate, saidLate)
		return MailLate
	}
	t.Remember(slotLate, saidSent)
	return MailSent
}

// lateService goes by the mail service, and goes on looking until that is well again.
func (f *flow) lateService(t *bot.Turn) bot.Event {
	trouble := f.Mail.InTrouble()
	if !trouble { // by now a letter had the time to go out
		t.Forget(slotUnsent)
	}
	switch {
	case !trouble && !isLate(t):
		return bot.Ignored
	case trouble && isLate(t), !f.hearsOfLetters(t):
		return looksAgain(t)
	case trouble:
		t.Remember(slotLate, saidLate)
		looksAgain(t)
		return MailLate
	}
	t.Remember(slotLate, saidSent)
	return MailRestored
}

func looksAgain(t *bot.Turn) bot.Event {
	t.Later(bot.SignalMailLate, t.Conv.Attempt, t.Now.Add(lookAgain))
	return bot.Ignored
}

// delayed tells somebody who waits that the letter has left us and is late on its way, once. In `uniform` nothing follows a letter.
func (f *flow) delayed(t *bot.Turn) bot.Event {
	if _, lives := linkEnds(t); f.Uniform || !lives || t.Slot(slotLate) == saidDelayed || !f.hearsOfLetters(t) {
		return bot.Ignored
	}
	t.Remember(slotLate, saidDelayed)
	return MailDelayed
}

// hearsOfLetters says where the letter's way is told of: not to somebody who is doing something else, nor over an agent's words.
func (f *flow) hearsOfLetters(t *bot.Turn) bool {
	return waits(t) || t.Place().Has(UnlockedWaiting) && !t.Conv.Handoff.Held()
}

// isLate says whether the person knows that the letter is late, and not yet that it went out.
func isLate(t *bot.Turn) bool { return t.Slot(slotLate) == saidLate }

// notArrived answers somebody in whose mailbox there is no letter: where it may be, unless it cannot be there.
func notArrived(_ *flow, t *bot.Turn) bot.Event {
	if isLate(t) {
		return NotSentYet
	}
	return NotArrived
}

// owesLetter says whether a letter of the conversation's link did not go out yet.
func owesLetter(c *bot.Conversation) bool {
	return slices.ContainsFunc(c.Promises, func(p bot.Promise) bool { return p.Kind() == bot.PromiseLink && p.Attempt == c.Attempt })
}

// mailSent notes that the mail server took a letter, and tells somebody who heard that it was late.
func (f *flow) mailSent(t *bot.Turn) bot.Event {
	if f.Uniform { // the chat follows no letter
		return bot.Ignored
	}
	t.Never(bot.SignalMailLate)
	t.Forget(slotUnsent)
	switch {
	case !isLate(t):
		return bot.Ignored
	case !f.hearsOfLetters(t): // they are told when they are back
		return looksAgain(t)
	}
	t.Remember(slotLate, saidSent)
	return MailSent
}

// wasUnsent says whether the link that ends now never went out: in `uniform`, whether the mail service was in trouble from the moment
// it was asked for until now.
func (f *flow) wasUnsent(t *bot.Turn) bool {
	never := t.Slot(slotUnsent) != "" && t.Slot(slotUnsent) == t.Conv.Attempt
	return never && (!f.Uniform || isLate(t) && f.Mail.InTrouble())
}

// unsent ends the waiting for a letter that could not be sent, and takes it back: who was told so must not find it later.
func (f *flow) unsent(t *bot.Turn) bot.Event {
	t.Withdraw()
	t.WithdrawLetters()
	waitsNoMore(t)
	if !waits(t) {
		endsMeanwhile(t, MailUnsent)
		linkEndedInstead(t, MailUnsent)
		return bot.Ignored
	}
	f.hard(t)
	return MailUnsent
}
