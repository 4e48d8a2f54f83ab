package flows

import (
	"context"
	"slices"
	"strconv"

	"llave/bot"
)

// Step by step is a way of speaking, not another conversation. Whoever chose it, or took the offer that comes after two
// difficulties, stands in the same states and is heard by the same ears; of each text the catalogue's "text.slow" is said
// where there is one: one instruction, short, counted, with fewer buttons and an image. A second table would have been
// twice the map, and every mended row forgotten in one of them.
//
// Only where one message had to become several is there something new: the menu in pages of three, the message of the
// link in three parts (they are questions of LinkSent, which remains one state), the in-person route in three (likewise),
// and the way to one's mail, which everybody may ask for.
//
// The way belongs to the chat: it outlives the procedure, an emptied conversation and "borrar mis datos", as the language
// does. A button more than three would cost WhatsApp its image, so "Repetir" is only written there.
const slow = "slow"

// The events of going step by step, of the menu's pages and of the way to one's mail.
const (
	AskedSlow, AskedQuick, WantsMore           bot.Event = "AskedSlow", "AskedQuick", "WantsMore"
	AskedMailHelp, OnPhone, OnComputer         bot.Event = "AskedMailHelp", "OnPhone", "OnComputer"
	OnPhoneFirst, OnComputerFirst              bot.Event = "OnPhoneFirst", "OnComputerFirst"
	MailOpen, MailOpenSent, MailOpenLate       bot.Event = "MailOpen", "MailOpenSent", "MailOpenLate"
	OpenedPage, AskedWhatToBring, AskedContact bot.Event = "OpenedPage", "AskedWhatToBring", "AskedContact"
)

// slotHard counts difficulties, for the offer.
const slotHard = "hard"

// hearPace hears that somebody wants to go step by step, or no more.
func (f *flow) hearPace(t *bot.Turn) bot.Event {
	said := t.Choice()
	if said != "slow" && said != "quick" {
		said = t.Says("slow", "quick")
	}
	switch said {
	case "slow":
		t.Pace(slow)
		return AskedSlow
	case "quick":
		t.Pace("")
		return AskedQuick
	}
	return ""
}

// hard notes a difficulty. Every second one is answered with the offer to go step by step, to who does not yet.
func (f *flow) hard(t *bot.Turn) {
	if t.Place().Is(FirstWord, InGroup) {
		return
	}
	n := number(t, slotHard) + 1
	t.Remember(slotHard, strconv.Itoa(n))
	if t.Conv.Way == "" && n%2 == 0 {
		t.Add("slow.offer")
	}
}

func (f *flow) hearMailHelp(_ context.Context, t *bot.Turn) (bot.Event, error) {
	switch t.Choice() {
	case "mail_phone":
		return f.onceSent(t, OnPhone, OnPhoneFirst), nil
	case "mail_computer":
		return f.onceSent(t, OnComputer, OnComputerFirst), nil
	case "no_mailbox":
		return NoMailbox, nil
	case "back":
		return WentBack, nil
	case "stuck":
		f.hard(t)
		return GotStuck, nil
	case "next":
		return WentOn, nil
	case "mail_ready":
		return f.mailFound(t), nil
	}
	return "", nil
}

// onceSent is one event where the way to one's mail leads on to a letter, and another where there is none to look for: before one
// was sent, or when it has not gone out, or its link has ended.
func (f *flow) onceSent(t *bot.Turn, sent, not bot.Event) bot.Event {
	if f.mailFound(t) == MailOpenSent && !isLate(t) {
		return sent
	}
	return not
}

// mailStep is the step that the way to one's mail belongs to.
func (f *flow) mailStep(t *bot.Turn) string {
	if f.onceSent(t, MailOpenSent, MailOpen) == MailOpenSent {
		return "2"
	}
	return "1"
}

// mailFound leads back to where the help was asked for: before a link was sent, while one lives, or after.
func (f *flow) mailFound(t *bot.Turn) bot.Event {
	_, lives := linkEnds(t) // its end may be told on the way, which leads here again
	for _, s := range slices.Backward(t.Conv.Back) {
		switch p := t.PlaceOf(s); {
		case p.Is(FirstLink):
			return MailOpen
		case p.Is(LinkLives) && lives:
			return MailOpenSent
		case p.Is(LinkLives, LinkOver):
			return MailOpenLate
		}
	}
	return WantsNumber
}

// stars are what the shorter survey's answers count.
var stars = map[string]string{"rate_bad": "1", "rate_fair": "3", "rate_good": "5"}
