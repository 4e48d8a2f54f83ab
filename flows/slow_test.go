package flows_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"llave/bot"
	"llave/flows"
)

// Step by step is offered at the second difficulty, whatever the two were, and not before.
func TestSlow_offered(t *testing.T) {
	difficulties := map[string]struct {
		in bot.State
		do func(k *talk)
	}{
		"a miss":          {flows.AskNumber, func(k *talk) { k.says("blabla") }},
		"a photo":         {flows.AskNumber, func(k *talk) { k.step(bot.Update{Kind: bot.Media, Media: "photo"}) }},
		"no me llega":     {flows.LinkSent, func(k *talk) { k.says("no me llega") }},
		"an expired link": {flows.LinkSent, func(k *talk) { k.signal(bot.SignalLinkExpired) }},
		"no me sale":      {flows.KeyStep2, func(k *talk) { k.says("no me sale") }},
		"necesito ayuda":  {flows.KeyTried, func(k *talk) { k.says("necesito ayuda") }},
	}
	for first, a := range difficulties {
		for second, b := range difficulties {
			k := at(t, a.in)
			a.do(k)
			if slices.Contains(k.c.Shown, "slow") {
				t.Errorf("%s: offered at once", first)
			}
			hard := k.c.Slots["hard"]
			k = at(t, b.in)
			k.c.Slots["hard"] = hard
			b.do(k)
			if !slices.Contains(k.c.Shown, "slow") || k.reply.Buttons[len(k.reply.Buttons)-1].ID != "slow" {
				t.Errorf("%s, then %s: not offered: %v", first, second, k.reply.Buttons)
			}
			state := k.c.State
			if k.says("paso a paso"); k.c.State != state || k.c.Way != "slow" {
				t.Errorf("%s, then %s: taken, got to %s, way %q", first, second, k.c.State, k.c.Way)
			}
		}
	}
}

// The way is the chat's: it outlives a cancelled procedure, a forgotten conversation and erased data, and ends when that is
// said. Whoever goes step by step is not offered it.
func TestSlow_remembered(t *testing.T) {
	k := at(t, flows.ConfirmNumber)
	k.says("más despacio")
	for _, then := range []func(){
		func() { k.says("cancelar") },
		func() { k.says("blabla"); k.says("xyzzy") },
		func() { k.says("mis datos"); k.says("1"); k.says("1") },
		func() { k.now = k.now.Add(25 * time.Hour); k.signal(bot.SignalForget) },
	} {
		if then(); k.c.Way != "slow" || slices.Contains(k.c.Shown, "slow") {
			t.Fatalf("in %s: way %q, buttons %v", k.c.State, k.c.Way, k.c.Shown)
		}
	}
	k.says("hola")
	k.says("1")
	if k.says("sin paso a paso"); k.c.Way != "" || len(k.c.Shown) < 6 {
		t.Errorf("left: way %q, buttons %v", k.c.Way, k.c.Shown)
	}
}

// Answers are numbers as well as buttons, also under an offer.
func TestSlow_numbers(t *testing.T) {
	k := at(t, flows.AskNumber)
	k.says("blabla")
	k.says("xyzzy")
	if k.says("1"); k.c.Way != "slow" {
		t.Errorf("the offer's number: way %q, %q", k.c.Way, k.reply.Text)
	}
}

// The way to one's mail ends where it began: before a link was sent, while one lives, and after it has ended.
func TestMailHelp_leadsBack(t *testing.T) {
	for _, s := range []bot.State{flows.ReadyToSend, flows.LinkSent, flows.LinkEnded} {
		for _, by := range []string{"1", "2"} {
			k := at(t, s)
			k.says("¿Cómo abro mi correo?")
			k.says(by)
			if s == flows.LinkSent { // there alone is a letter to look for
				k.says("siguiente")
				k.says("siguiente")
			}
			if strings.Contains(k.reply.Text, "Spam") != (s == flows.LinkSent) {
				t.Errorf("from %s by %s: the last step is %q", s, by, k.reply.Text)
			}
			k.says("ya abrí mi correo")
			if k.c.State != s {
				t.Errorf("from %s by %s: got to %s", s, by, k.c.State)
			}
		}
	}
	k := at(t, flows.MailSearch) // the link ends meanwhile
	k.signal(bot.SignalMailSent)
	if k.signal(bot.SignalLinkExpired); k.c.State != flows.LinkEnded {
		t.Errorf("the link ended on the way: got to %s", k.c.State)
	}
	k = at(t, flows.MailSpam) // and it is used on the way
	if k.signal(bot.SignalLinkUsed); k.c.State != flows.KeyStep1 {
		t.Errorf("the link was used on the way: got to %s", k.c.State)
	}
}
