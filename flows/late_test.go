package flows_test

import (
	"slices"
	"testing"
	"time"

	"llave/bot"
	"llave/flows"
)

// service is a mail service that a test has in trouble or well.
type service struct{ trouble bool }

func (s *service) InTrouble() bool { return s.trouble }

// In `guided` a letter that does not go out is that letter's business: told once, told again when it went out, and at the end that
// it could not be sent, which takes the letter back.
func TestLate_guided(t *testing.T) {
	k := waitsForLetter(t, options(t))
	for i, step := range []struct {
		signal string
		want   bot.Event
	}{
		{bot.SignalMailLate, flows.MailLate}, {bot.SignalMailLate, bot.Ignored}, {bot.SignalMailSent, flows.MailSent},
		{bot.SignalMailSent, bot.Ignored}, {bot.SignalMailLate, bot.Ignored}, {bot.SignalLinkExpired, flows.LinkEndedOnce},
	} {
		if out := k.signal(step.signal); out.Event != step.want {
			t.Errorf("step %d, %s: got %s, want %s", i, step.signal, out.Event, step.want)
		}
	}
	k = waitsForLetter(t, options(t))
	if out := k.signal(bot.SignalLinkExpired); out.Event != flows.MailUnsent || k.c.State != flows.LinkUnsent || owesLetter(k.c) {
		t.Errorf("never sent: got %s in %s, a letter still owed: %t", out.Event, k.c.State, owesLetter(k.c))
	}
	if k.says("reenviar enlace"); k.c.State != flows.LinkSent || !owesLetter(k.c) {
		t.Errorf("asked again: got %s, a letter owed: %t", k.c.State, owesLetter(k.c))
	}
}

// A letter that came back, not for the mailbox's sake, could not be sent; one that is late on its way is late, though it left us.
func TestLate_reported(t *testing.T) {
	k := at(t, flows.LinkSent)
	k.signal(bot.SignalMailSent)
	if out := k.step(bot.Update{Kind: bot.Signal, Signal: bot.SignalMailLate, Text: bot.LateReported, Attempt: k.c.Attempt}); out.Event != flows.MailDelayed {
		t.Errorf("reported late: got %s", out.Event)
	}
	if out := k.signal(bot.SignalMailUnsent); out.Event != flows.MailUnsent || k.c.State != flows.LinkUnsent {
		t.Errorf("came back: got %s in %s", out.Event, k.c.State)
	}
}

// In `uniform` nothing follows the letter, whatever becomes of it; what is said follows the service (P303).
func TestLate_uniform(t *testing.T) {
	mail := &service{}
	k := uniformTalk(t, mail)
	ignored := func(signal string) {
		t.Helper()
		if out := k.signal(signal); out.Event != bot.Ignored {
			t.Errorf("%s: got %s, want nothing", signal, out.Event)
		}
	}
	ignored(bot.SignalMailLate) // the letter is owed still, and the service well
	for _, signal := range []string{bot.SignalMailSent, bot.SignalMailUnsent, bot.SignalMailRefused} {
		ignored(signal)
	}
	mail.trouble = true
	if out := k.signal(bot.SignalMailLate); out.Event != flows.MailLate {
		t.Errorf("in trouble: got %s", out.Event)
	}
	ignored(bot.SignalMailLate) // once
	ignored(bot.SignalMailSent)
	mail.trouble = false
	if out := k.signal(bot.SignalMailLate); out.Event != flows.MailRestored {
		t.Errorf("well again: got %s", out.Event)
	}
	ignored(bot.SignalMailLate)
	k.now = k.now.Add(4 * time.Minute)
	if out := k.signal(bot.SignalLinkExpired); out.Event != flows.LinkEndedOnce {
		t.Errorf("its end: got %s", out.Event)
	}

	mail.trouble = true
	k = uniformTalk(t, mail)
	k.signal(bot.SignalMailLate)
	if out := k.signal(bot.SignalLinkExpired); out.Event != flows.MailUnsent || owesLetter(k.c) {
		t.Errorf("in trouble to the end: got %s, a letter still owed: %t", out.Event, owesLetter(k.c))
	}
}

// uniformTalk is a chat in `uniform` that waits for its link.
func uniformTalk(t *testing.T, mail flows.MailService) *talk {
	t.Helper()
	o := options(t)
	o.Uniform, o.Mail = true, mail
	return waitsForLetter(t, o)
}

// waitsForLetter is a chat whose letter has not gone out.
func waitsForLetter(t *testing.T, o flows.Options) *talk {
	t.Helper()
	o.Records = oneRecord{}
	e, err := flows.New(o)
	if err != nil {
		t.Fatal(err)
	}
	k := newTalk(t)
	k.e, k.owes = e, true
	for _, words := range roads[flows.LinkSent] {
		k.says(words)
		k.c.Promises = slices.DeleteFunc(k.c.Promises, func(p bot.Promise) bool { return p.Lane() == bot.LaneChat }) // it was read
	}
	return k
}

func owesLetter(c bot.Conversation) bool {
	for _, p := range c.Promises {
		if p.Kind() == bot.PromiseLink {
			return true
		}
	}
	return false
}
