package flows_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"llave/bot"
	"llave/flows"
	"llave/internal/affiliate"
	"llave/internal/bottest"
	"llave/internal/handoff"
	"llave/internal/secret"
)

// oneRecord knows one number that may be unlocked, and no other.
type oneRecord struct{}

const known = "1710034065"

func (oneRecord) Find(_ context.Context, number string) (affiliate.Record, bool, error) {
	if number != known {
		return affiliate.Record{}, false, nil
	}
	return affiliate.Record{ID: number, Email: "ana@correo.example", Status: affiliate.Locked, DataUpdatedAt: time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC)}, true, nil
}

// talk steps one conversation, without anything around it.
type talk struct {
	t     testing.TB
	e     *bot.Engine
	v     *secret.Vault
	c     bot.Conversation
	now   time.Time
	n     int
	grant bot.Reservation
	reply bot.Reply
	said  bool // the last step answered
	owes  bool // what was promised is not kept by itself
}

// talkEngine is made once: engines are safe for use by many.
var talkEngine = sync.OnceValues(func() (*bot.Engine, error) {
	v, err := secret.New(make([]byte, 32))
	if err != nil {
		return nil, err
	}
	return flows.New(flows.Options{
		Records: oneRecord{}, Vault: v, PublicURL: "http://localhost:8080", LinkTTL: 3 * time.Minute,
		Limits: flows.Limits{NumbersHour: 3, NumbersDay: 10, MessagesMinute: 20, ComplaintsHour: 3, ComplaintsDay: 5},
		Idle:   24 * time.Hour, Seen: 192 * time.Hour, Unheard: 720 * time.Hour,
		Erasing: func(string) flows.Erasing { return flows.Deleted },
	})
})

func newTalk(t testing.TB) *talk {
	t.Helper()
	e, err := talkEngine()
	if err != nil {
		t.Fatal(err)
	}
	v, err := secret.New(make([]byte, 32)) // the same key opens what the engine's sealed
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)
	return &talk{t: t, e: e, v: v, now: now, c: bot.Conversation{ID: "telegram:1"}}
}

func (k *talk) step(u bot.Update) bot.Outcome {
	k.t.Helper()
	k.n++
	k.now = k.now.Add(5 * time.Second)
	if u.ID == "" {
		u.ID = fmt.Sprint(k.n)
	}
	u.Channel, u.Chat = "telegram", "1"
	env := bot.Env{Now: k.now, Reservation: &bot.Reservation{Granted: true, Attempt: "a1", Ends: k.now.Add(10 * time.Minute)}}
	if !k.grant.RetryAt.IsZero() {
		env.Reservation = &k.grant
	}
	if !k.owes {
		k.c.Promises = nil
	}
	next, out, err := k.e.Step(context.Background(), k.c, u, env)
	if err != nil {
		k.t.Fatalf("%+v in %s: %v", u, k.c.State, err)
	}
	k.c, k.said = next, false
	for _, p := range next.Promises {
		if say, ok := p.What.(bot.Say); ok {
			k.said, k.reply = true, *say.Reply
			if k.reply.Sealed {
				if k.reply.Text, err = flows.OpenReply(k.v, k.c.ID, k.reply.Text); err != nil {
					k.t.Fatal(err)
				}
			}
		}
	}
	return out
}

func (k *talk) says(text string) bot.Outcome {
	k.t.Helper()
	return k.step(bot.Update{Kind: bot.Text, Text: text})
}

func (k *talk) signal(name string) bot.Outcome {
	k.t.Helper()
	return k.step(bot.Update{Kind: bot.Signal, Signal: name, Attempt: k.c.Attempt})
}

// roads leads to every state in which something is asked: what is said on the way, "@x" being a signal and "*x" an agent's deed.
var roads = map[bot.State][]string{
	flows.Welcome:       {"hola"},
	flows.Menu:          {"hola", "sí"},
	flows.AskNumber:     {"hola", "sí", "desbloquear"},
	flows.ConfirmNumber: {"hola", "sí", "desbloquear", known},
	flows.ReadyToSend:   {"hola", "sí", "desbloquear", known, "sí"},
	flows.LinkSent:      {"hola", "sí", "desbloquear", known, "sí", "enviar enlace"},
	flows.LinkUnsent:    {"hola", "sí", "desbloquear", known, "sí", "enviar enlace", "@" + bot.SignalLinkExpired},
	flows.LinkEnded:     {"hola", "sí", "desbloquear", known, "sí", "enviar enlace", "@" + bot.SignalMailSent, "@" + bot.SignalLinkExpired},
	flows.KeyStep1:      {"hola", "sí", "desbloquear", known, "sí", "enviar enlace", "@" + bot.SignalLinkUsed},
	flows.KeyStep2:      {"hola", "sí", "desbloquear", known, "sí", "enviar enlace", "@" + bot.SignalLinkUsed, "1"},
	flows.KeyStep3:      {"hola", "sí", "desbloquear", known, "sí", "enviar enlace", "@" + bot.SignalLinkUsed, "1", "1"},
	flows.KeyStep4:      {"hola", "sí", "desbloquear", known, "sí", "enviar enlace", "@" + bot.SignalLinkUsed, "1", "1", "1"},
	flows.KeyStep5:      {"hola", "sí", "desbloquear", known, "sí", "enviar enlace", "@" + bot.SignalLinkUsed, "1", "1", "1", "1"},
	flows.KeyStuck:      {"hola", "sí", "desbloquear", known, "sí", "enviar enlace", "@" + bot.SignalLinkUsed, "no me sale"},
	flows.PortalSays:    {"hola", "sí", "desbloquear", known, "sí", "enviar enlace", "@" + bot.SignalLinkUsed, "@" + bot.SignalKeyMade, "no pude entrar"},
	flows.KeyTried:      {"hola", "sí", "desbloquear", known, "sí", "enviar enlace", "@" + bot.SignalLinkUsed, "@" + bot.SignalKeyMade},
	flows.Rating:        {"hola", "sí", "desbloquear", known, "sí", "enviar enlace", "@" + bot.SignalLinkUsed, "@" + bot.SignalKeyMade, "sí"},
	flows.Done:          {"hola", "sí", "desbloquear", known, "sí", "enviar enlace", "@" + bot.SignalLinkUsed, "@" + bot.SignalKeyMade, "sí", "5"},
	flows.AtOffice:      {"hola", "sí", "atención presencial"},
	flows.OfferPerson:   {"hola", "sí", "blabla", "xyzzy", "qwerty"},
	flows.WithTicket:    {"hola", "sí", "persona"},
	flows.Complaining:   {"hola", "sí", "queja"},
	flows.ComplaintRead: {"hola", "sí", "queja", "esperé tres horas y nadie atendió"},
	flows.OwnData:       {"hola", "sí", "mis datos"},
	flows.OwnDataSure:   {"hola", "sí", "mis datos", "borrar mis datos"},
	flows.Resume:        {"hola", "sí", "desbloquear", "+2h", "tralala"},
	flows.RemindWhen:    {"hola", "sí", "desbloquear", "recuérdeme"},
	flows.Language:      {"hola", "sí", "idioma"},
	flows.RatingWords:   {"hola", "sí", "persona", "*" + bot.DeskClaim, "*" + bot.DeskResolve, "5"},
	flows.SameCase:      {"hola", "sí", "persona", "*" + bot.DeskClaim, "*" + bot.DeskResolve, "persona"},
	flows.MenuMore:      {"hola", "sí", "paso a paso", "más opciones"},
	flows.MenuOther:     {"hola", "sí", "paso a paso", "3", "3"},
	flows.MenuLast:      {"hola", "sí", "paso a paso", "3", "3", "3"},
	flows.MailWhere:     {"hola", "sí", "desbloquear", known, "sí", "cómo abro mi correo"},
	flows.OpenPhone:     {"hola", "sí", "desbloquear", known, "sí", "cómo abro mi correo", "1"},
	flows.OpenComputer:  {"hola", "sí", "desbloquear", known, "sí", "cómo abro mi correo", "2"},
	flows.MailPhone:     {"hola", "sí", "desbloquear", known, "sí", "enviar enlace", "cómo abro mi correo", "1"},
	flows.MailComputer:  {"hola", "sí", "desbloquear", known, "sí", "enviar enlace", "cómo abro mi correo", "2"},
	flows.MailSearch:    {"hola", "sí", "desbloquear", known, "sí", "enviar enlace", "cómo abro mi correo", "1", "1"},
	flows.MailSpam:      {"hola", "sí", "desbloquear", known, "sí", "enviar enlace", "cómo abro mi correo", "1", "1", "1"},
}

// at is a talk that stands in a state.
func at(t testing.TB, s bot.State) *talk {
	t.Helper()
	k := newTalk(t)
	for _, step := range roads[s] {
		switch {
		case step == "+2h":
			k.now = k.now.Add(2 * time.Hour)
		case strings.HasPrefix(step, "@"):
			k.signal(step[1:])
		case strings.HasPrefix(step, "*"):
			k.step(bot.Update{Kind: bot.Desk, Desk: &bot.DeskAct{Do: step[1:], Ref: k.c.Handoff.Ref, Agent: "ana", Name: "Ana", Reason: handoff.Solved}})
		default:
			k.says(step)
		}
	}
	if k.c.State != s {
		t.Fatalf("road to %s: got to %s", s, k.c.State)
	}
	k.now = k.now.Add(time.Minute)
	return k
}

// everywhere tests each state in which something is asked; under the race detector a small sweep tests a part of them.
func everywhere(t *testing.T, test func(t *testing.T, s bot.State)) {
	sweep := bottest.NewSweep(t)
	for i, s := range newEngine(t).States() {
		if !sweep.Takes(i, 1) {
			continue
		}
		if s == flows.Start || s == flows.Group || inDesk(s) { // with a person of the desk the bot does not answer: see desk_test.go
			continue
		}
		t.Run(string(s), func(t *testing.T) {
			if roads[s] == nil {
				t.Fatal("no road leads here")
			}
			test(t, s)
		})
	}
}

// What is not understood is explained, asked in other words, and the third time a person is offered: in every state (P104).
func TestMisses_everywhere(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, s bot.State) {
		k := at(t, s)
		words := []string{"blabla", "xyzzy", "qwerty"}
		switch {
		case k.e.Place(s).Is(bot.FreeText):
			words = []string{"...", "?", "!!"} // any word is what was asked for
		case s == flows.Done:
			if k.says("blabla"); k.c.State != flows.Menu {
				t.Errorf("got %s, want Menu", k.c.State)
			}
			return
		}
		last := k.reply.Text
		for i, w := range words {
			out := k.says(w)
			if !k.said || k.reply.Text == last {
				t.Errorf("miss %d: the same again: %q", i+1, k.reply.Text)
			}
			last = k.reply.Text
			if want := i == 2; (out.Event == bot.MissedOften) != want {
				t.Errorf("miss %d: got %s, a person offered: want %v", i+1, out.Event, want)
			}
		}
		if k.c.State != flows.OfferPerson {
			t.Errorf("third miss: got %s, want OfferPerson", k.c.State)
		}
	})
}

// The same for what is no text: photos do not go on for ever.
func TestMisses_photos(t *testing.T) {
	k := at(t, flows.AskNumber)
	for range 3 {
		k.step(bot.Update{Kind: bot.Media, Media: "photo"})
	}
	if k.c.State != flows.OfferPerson {
		t.Errorf("three photos: got %s, want OfferPerson", k.c.State)
	}
}

// Whatever is sent is answered once and moves nobody; a reaction needs no answer (P105).
func TestOddThings_everywhere(t *testing.T) {
	t.Parallel()
	odd := map[string]bot.Update{
		"photo": {Kind: bot.Media, Media: "photo"}, "voice": {Kind: bot.Media, Media: "voice"}, "sticker": {Kind: bot.Media, Media: "sticker"},
		"poll": {Kind: bot.Unsupported}, "place": {Kind: bot.Location}, "own contact": {Kind: bot.Contact, Phone: "593991234567"}, "contact": {Kind: bot.Contact},
		"edited": {Kind: bot.Edited, Text: "hola"}, "long": {Kind: bot.Text, Text: strings.Repeat("palabra ", 1250)},
		"empty": {Kind: bot.Text}, "old button": {Kind: bot.Press, Button: "continue", Prompt: -1},
	}
	everywhere(t, func(t *testing.T, s bot.State) {
		for name, u := range odd {
			k := at(t, s)
			k.step(u)
			if !k.said || k.reply.Text == "" {
				t.Errorf("%s: no answer", name)
			}
			if k.c.State != s && s != flows.Done {
				t.Errorf("%s: got to %s", name, k.c.State)
			}
		}
		k := at(t, s)
		if k.step(bot.Update{Kind: bot.Reaction}); k.said || k.c.State != s {
			t.Errorf("reaction: answered %v, in %s", k.said, k.c.State)
		}
	})
}

// The global words hold everywhere; before somebody has agreed to go on, there is no menu to go to (P102).
func TestGlobalWords_everywhere(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, s bot.State) {
		for _, w := range []struct {
			says []string
			want bot.State // "" stays
		}{
			{[]string{"menú", "MENU", "menú por favor"}, flows.Menu}, {[]string{"persona", "una persona, por favor", "quiero hablar con una persona"}, flows.WithTicket},
			{[]string{"cancelar"}, flows.Menu}, {[]string{"idioma"}, flows.Language}, {[]string{"ayuda", "estado", "repetir", "gracias"}, ""},
		} {
			for _, said := range w.says {
				k := at(t, s)
				want := w.want
				switch {
				case s == flows.RatingWords && said == "gracias": // they are words on how it went
					want = flows.Done
				case want == "":
					want = s
				case s == flows.Welcome && want == flows.Menu:
					if want = flows.Welcome; said == "cancelar" {
						want = flows.Start
					}
				case s == flows.RatingWords && want == flows.WithTicket: // it may be about the same
					want = flows.SameCase
				case s == flows.RemindWhen && said == "cancelar": // the reminder, and not what one is to be reminded of
					want = flows.AskNumber
				}
				if k.says(said); k.c.State != want || !k.said {
					t.Errorf("%q: got %s, want %s (answered: %v)", said, k.c.State, want, k.said)
				}
			}
		}
	})
}

// "atrás" until nothing is left behind never breaks, whatever was dropped meanwhile; nor does trying to go on there.
// A small sweep goes back a quarter of the numbers of steps.
func TestBack_everywhere(t *testing.T) {
	t.Parallel()
	sweep := bottest.NewSweep(t)
	everywhere(t, func(t *testing.T, s bot.State) {
		if s == flows.Welcome {
			return
		}
		for steps := 1; steps <= 16; steps++ {
			if !sweep.Takes(steps, 4) {
				continue
			}
			k := at(t, s)
			for range steps {
				if k.says("atrás"); !k.said {
					t.Fatalf("no answer to atrás in %s", k.c.State)
				}
				k.now = k.now.Add(time.Minute)
			}
			k.says("1")
			k.says("sí")
			k.says("reenviar enlace")
		}
	})
}

// How answers are understood, in every form (P103), and never as their opposite.
func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		in   bot.State
		want bot.State // "" stays, and asks again
		says []string
	}{
		{flows.Welcome, flows.Menu, []string{"Continuar", "continuarr", "1", "1.", "uno", "la 1", "opción 1", "la opción número 1", "sí", "SI", "claro", "dale, por favor", "sí señorita", "1️⃣"}},
		{flows.Welcome, flows.Start, []string{"No continuar", "no", "no quiero continuar", "por favor no quiero continuar", "yo no quiero continuar", "3", "tres", "claro que no", "no, gracias", "no señorita"}},
		{flows.Welcome, "", []string{"quiero desbloquear", "soy 171 003 4065 y quiero desbloquear", "1710034065"}},
		{flows.Menu, flows.AskNumber, []string{"desbloqear", "quiero desbloquear mi clave", "me bloquearon la clave", "no puedo entrar a mi cuenta", "me bloquearon la clave", "2", "olvide mi clave", "la primera"}},
		{flows.Menu, flows.ConfirmNumber, []string{known, "mi cédula es 171 003 4065"}},
		{flows.Menu, flows.WithTicket, []string{"4", "cuarta", "quiero hablar con alguien"}},
		{flows.Menu, "", []string{"no quiero desbloquear", "9", "no quiero poner una queja"}},
		{flows.ConfirmNumber, flows.ReadyToSend, []string{"Sí, es correcto", "si es corecto", "es correcto", "sí", "1", "así es", "está bien", "sí, " + known}},
		{flows.ConfirmNumber, flows.AskNumber, []string{"Corregir", "no", "no es correcto", "no es corecto", "eso no es correcto", "no está bien", "no es mi número", "claro que no", "ok no", "2", "dos", "no, señorita", "171003406", "17100340651", "1710034064"}},
		{flows.ConfirmNumber, "", []string{"no, es 0926687856", "0926687856", "no sé"}},
		{flows.ReadyToSend, flows.LinkSent, []string{"enviar enlace", "Enviar", "sí", "1", "listo", "envíe el enlace por favor", "ya está"}},
		{flows.ReadyToSend, flows.AtOffice, []string{"no tengo ese correo", "ya no tengo ese correo", "yo no tengo ese correo", "no puedo entrar a mi correo", "2", "olvidé la clave de mi correo"}},
		{flows.ReadyToSend, "", []string{"no", "ya no", "no envíe", "no enviar", "todavía no", "no está listo", "aún no quiero enviar el enlace"}},
		{flows.LinkSent, "", []string{"ya me llegó", "sí me llegó", "no me llega", "no", "no reenviar", "no puedo entrar a mi correo", "todavía no llega", "reenviar enlace"}},
		{flows.KeyStep2, flows.KeyStep3, []string{"siguiente", "siguente", "ya", "sí", "1", "listo"}},
		{flows.KeyStep2, flows.KeyStuck, []string{"no me sale", "no puedo", "no", "4", "no se abrió la página", "todavía no"}},
		{flows.KeyStep2, "", []string{"repetir", "2", "no puedo entrar"}},
		{flows.KeyTried, flows.Rating, []string{"sí", "sí pude entrar", "pude entrar", "ya entré", "1"}},
		{flows.KeyTried, flows.PortalSays, []string{"no", "no pude", "no pude entrar", "2", "no puedo entrar al portal", "todavía no pude entrar"}},
		{flows.PortalSays, "", []string{"no", "todavía no", "no me acepta la clave", "dice clave incorrecta", "sigue bloqueada", "usuario incorrecto", "no abre la página"}},
		{flows.PortalSays, flows.KeyStuck, []string{"no hice la clave"}},
		{flows.LinkUnsent, flows.LinkSent, []string{"reenviar enlace", "sí"}},
		{flows.PortalSays, flows.Rating, []string{"ya pude entrar"}},
		{flows.Rating, flows.Done, []string{"5", "muy bien", "cinco", "1 muy mal", "bien gracias", "más o menos"}},
		{flows.OfferPerson, flows.WithTicket, []string{"sí", "sí, por favor", "sí quiero", "1", "claro"}},
		{flows.OfferPerson, flows.Menu, []string{"no", "seguir aquí", "no gracias", "2"}},
		{flows.Complaining, flows.ComplaintRead, []string{"pedí una persona y nadie vino", "el menú no sirve para nada", "quiero desbloquear y no puedo", "¿por qué nadie me atiende?", "¿quién me devuelve el día que perdí?"}},
		{flows.Complaining, flows.Menu, []string{"menú", "no", "mejor no", "ya no quiero"}},
		{flows.Complaining, "", []string{"nada", "sí registre", "espere"}},
		{flows.Complaining, flows.ComplaintRead, []string{"¿por qué me cobraron?", "¿es justo que me cobren 20 dólares por un turno?", "¿quién me paga el pasaje?"}},
		{flows.Complaining, "", []string{"¿cuánto cuesta?", "¿usted es un robot?", "¿quién lee esto?", "quién responde la queja", "¿cuándo me contestan?", "no entiendo", "no entiendo qué poner", "¿qué escribo?", known, "mi cédula es " + known, "XE-77120"}},
		{flows.Complaining, flows.AskNumber, []string{"quiero desbloquear mi clave", "quiero una clave nueva", "mejor quiero desbloquear mi clave por favor"}},
		{flows.ComplaintRead, "", []string{"y además la página no abre", "¿quién lee esto?", "quiero desbloquear mi clave", known, "no entiendo", "IVA", "otra vez", "de nuevo", "está mal"}},
		{flows.ComplaintRead, "", []string{"no, gracias", "no", "3", "ya no", "mejor no", "no la registre", "bórrela"}}, // it is asked first
		{flows.ComplaintRead, "", []string{"nada", "nada más", "no, nada más", "no falta nada", "así nomás", "ya no más", "no, falta algo", "no espere", "espere un momento", "no la borre"}},
		{flows.ComplaintRead, flows.Menu, []string{"registrar", "sí", "1", "eso es todo", "sí registre", "sí, regístrela por favor", "no, nada más, registre", "ok, registre mi queja", "menú", "cancelar"}},
		{flows.ComplaintRead, flows.Complaining, []string{"corregir", "2", "me equivoqué", "no así no"}},
		{flows.OwnDataSure, flows.Start, []string{"sí", "sí, borrar", "1"}},
		{flows.OwnDataSure, flows.Menu, []string{"no", "no borrar", "no borre", "no quiero", "no quiero que borre", "mejor no", "2"}},
		{flows.OwnData, flows.OwnDataSure, []string{"borrar mis datos", "borre", "1"}},
		{flows.OwnData, "", []string{"no borre", "no quiero borrar mis datos"}},
		{flows.Resume, flows.AskNumber, []string{"continuar", "sí", "1", "sigamos"}},
		{flows.Resume, flows.Menu, []string{"empezar de nuevo", "2", "no"}},
	} {
		want := c.want
		if want == "" {
			want = c.in
		}
		for _, said := range c.says {
			k := at(t, c.in)
			if out := k.says(said); k.c.State != want || !k.said {
				t.Errorf("%s, %q: got %s (%s), want %s", c.in, said, k.c.State, out.Event, want)
			}
		}
	}
}

// News of a link is told wherever the person has gone meanwhile, once, and nothing of an erased chat's (P114).
func TestSignals_everywhere(t *testing.T) {
	t.Parallel()
	away := []string{"menú", "atención presencial", "persona", "queja", "mis datos"}
	for _, word := range away {
		for signal, want := range map[string]bot.State{
			bot.SignalLinkUsed: flows.KeyStep1, bot.SignalKeyMade: flows.KeyTried, bot.SignalLinkExpired: flows.LinkEnded, bot.SignalMailRefused: flows.AtOffice,
		} {
			k := at(t, flows.LinkSent)
			k.signal(bot.SignalMailSent)
			k.says(word)
			state := k.c.State
			k.signal(signal)
			if state == flows.Complaining && signal != bot.SignalLinkUsed && signal != bot.SignalKeyMade {
				if k.said || k.c.State != state { // a complaint is not interrupted by bad news
					t.Errorf("%s after %q: answered %v, in %s", signal, word, k.said, k.c.State)
				}
				continue
			}
			if k.c.State != want || !k.said {
				t.Errorf("%s after %q: got %s, want %s (answered: %v)", signal, word, k.c.State, want, k.said)
			}
		}
	}
	for _, word := range away { // that the owner said "No fui yo" is not for the chat
		k := at(t, flows.LinkSent)
		k.says(word)
		state, timers := k.c.State, slices.Clone(k.c.Timers)
		if k.signal(bot.SignalLinkVoided); k.said || k.c.State != state || !slices.Equal(k.c.Timers, timers) {
			t.Errorf("link_voided after %q: answered %v, in %s with timers %v, want nothing changed", word, k.said, k.c.State, k.c.Timers)
		}
	}
	for _, signal := range []string{bot.SignalLinkUsed, bot.SignalKeyMade, bot.SignalLinkExpired, bot.SignalMailRefused, bot.SignalLinkVoided} {
		k := at(t, flows.LinkSent)
		attempt := k.c.Attempt
		for _, word := range []string{"mis datos", "borrar mis datos", "sí"} {
			k.says(word)
		}
		k.step(bot.Update{Kind: bot.Signal, Signal: signal, Attempt: attempt})
		if k.said || k.c.State != flows.Start {
			t.Errorf("%s after erasing: answered %v, in %s", signal, k.said, k.c.State)
		}
	}
}

// Who has cancelled hears nothing of the link's end, and is not left where a number is needed.
func TestSignals_cancelled(t *testing.T) {
	for _, signal := range []string{bot.SignalLinkExpired, bot.SignalMailRefused, bot.SignalLinkVoided} {
		k := at(t, flows.LinkSent)
		k.says("cancelar")
		if k.signal(signal); k.said || k.c.State != flows.Menu {
			t.Errorf("%s: answered %v, in %s", signal, k.said, k.c.State)
		}
	}
}

// A link that ended while a complaint was being written is not shown as alive on the way back.
func TestSignals_wayBack(t *testing.T) {
	k := at(t, flows.LinkSent)
	k.signal(bot.SignalMailSent)
	k.says("queja")
	k.signal(bot.SignalLinkExpired)
	if k.says("atrás"); k.c.State != flows.LinkEnded {
		t.Errorf("got %s, want LinkEnded", k.c.State)
	}
}

// The limit of messages a minute is told once, and a person can still be asked for, as it says.
func TestLimit_messages(t *testing.T) {
	k := at(t, flows.Menu)
	var answered int
	fast := func(text string) {
		k.now = k.now.Add(-5 * time.Second)
		if k.says(text); k.said {
			answered++
		}
	}
	for range 20 {
		fast("repetir")
	}
	if answered != 20 {
		t.Fatalf("got %d answers to 20 messages, want 20", answered)
	}
	for range 5 {
		fast("repetir")
	}
	if answered != 21 || !strings.Contains(k.reply.Text, "persona") {
		t.Errorf("got %d answers, the last %q; want one more that offers a person", answered, k.reply.Text)
	}
	for range 3 {
		fast("persona")
	}
	if answered != 22 || k.c.State != flows.WithTicket {
		t.Errorf("a person asked for thrice: got %d answers in %s, want one more in WithTicket", answered, k.c.State)
	}
}

// Three numbers an hour: the fourth is told when to come back and offered a person, and "sí" is not asked for in vain (P304).
func TestLimit_numbers(t *testing.T) {
	k := at(t, flows.AskNumber)
	for _, n := range []string{"0926687856", "1710034065", "0102030400", "1713175071"} {
		k.now = k.now.Add(time.Minute)
		k.says(n)
		if k.c.State != flows.ConfirmNumber {
			k.says(n) // a failed check digit is looked up the second time
		}
		k.says("sí")
		if n != "1713175071" {
			k.says("menú")
			k.says("desbloquear")
		}
	}
	if k.c.State != flows.ConfirmNumber || !strings.Contains(k.reply.Text, "minutos") || len(k.reply.Buttons) == 0 || k.reply.Buttons[0].ID != "agent" {
		t.Fatalf("got %s, %q %v", k.c.State, k.reply.Text, k.reply.Buttons)
	}
	if k.says("sí"); strings.Contains(k.reply.Text, "sí o no") {
		t.Errorf("asked for a sí that is not heard: %q", k.reply.Text)
	}
	if k.says("1710034065"); k.says("sí").To != flows.ReadyToSend {
		t.Errorf("a number seen before: got %s, want ReadyToSend", k.c.State)
	}
}

// A record's mails are used up: said when to come back, and what one can press then is there.
func TestLimit_mails(t *testing.T) {
	for _, s := range []bot.State{flows.ReadyToSend, flows.LinkSent, flows.LinkEnded} {
		k := at(t, s)
		k.grant = bot.Reservation{RetryAt: k.now.Add(10 * time.Minute)}
		word := map[bool]string{true: "enviar enlace", false: "reenviar enlace"}[s == flows.ReadyToSend]
		k.says(word)
		ids := []string{}
		for _, b := range k.reply.Buttons {
			ids = append(ids, b.ID)
		}
		first := map[bool]string{true: "how_mail", false: "resend"}[s == flows.LinkSent] // the last link lives: another is not offered
		if !strings.Contains(k.reply.Text, "en 10 minutos") || !slices.Equal(ids, []string{first, "agent", "in_person"}) {
			t.Errorf("%s: got %q %v", s, k.reply.Text, ids)
		}
		k.grant, k.now = bot.Reservation{}, k.now.Add(10*time.Minute)
		if s == flows.LinkSent {
			k.signal(bot.SignalLinkExpired)
		}
		if k.says("reenviar enlace"); k.c.State != flows.LinkSent {
			t.Errorf("%s: afterwards got %s, want LinkSent", s, k.c.State)
		}
	}
}

// What answers the question after a long silence is taken, not asked for again (P106).
func TestComesBack_withTheAnswer(t *testing.T) {
	for _, c := range []struct {
		in   bot.State
		says string
		want bot.State
	}{
		{flows.AskNumber, known, flows.ConfirmNumber}, {flows.Complaining, "esperé tres horas y nadie atendió", flows.ComplaintRead}, {flows.Complaining, "hola", flows.Resume},
		{flows.ReadyToSend, known, flows.ReadyToSend}, {flows.AtOffice, known, flows.ConfirmNumber}, {flows.AskNumber, "aquí estoy", flows.Resume},
	} {
		k := at(t, c.in)
		k.now = k.now.Add(3 * time.Hour)
		if k.says(c.says); k.c.State != c.want {
			t.Errorf("%s, %q: got %s, want %s", c.in, c.says, k.c.State, c.want)
		}
	}
}

// A bubble that says to look for the link, not sent yet when the link ends, is taken back; what else is owed stays.
func TestLinkEnds_unsent(t *testing.T) {
	for signal, what := range map[string]string{
		bot.SignalLinkExpired: "ya no sirve", bot.SignalMailRefused: "Centro de Atención",
		bot.SignalLinkUsed: "ya está desbloqueada",
	} {
		k := at(t, flows.LinkSent)
		if !k.said || !strings.Contains(k.reply.Text, "Busque en su correo") {
			t.Fatalf("got %q, want the bubble that says to look for the link", k.reply.Text)
		}
		k.c.Slots["unsent"] = "" // the letter went out
		count := func(all []bot.Promise) int { // but for what is counted of the visit
			return len(slices.DeleteFunc(slices.Clone(all), func(p bot.Promise) bool { return p.Kind() == bot.PromiseVisit }))
		}
		others := count(k.c.Promises) - 1
		next, out, err := k.e.Step(t.Context(), k.c, bot.Update{
			ID: "signal", Channel: "telegram", Chat: "1", Kind: bot.Signal, Signal: signal, Attempt: k.c.Attempt,
		}, bot.Env{Now: k.now})
		if err != nil {
			t.Fatal(err)
		}
		var said []string
		for _, p := range next.Promises {
			if say, ok := p.What.(bot.Say); ok {
				said = append(said, say.Reply.Text)
			}
		}
		if out.Withdrawn != 1 || len(said) != 1 || !strings.Contains(said[0], what) || count(next.Promises) != others+1 {
			t.Errorf("%s: withdrawn %d, said %q, %d promises, want 1, one bubble with %q, %d", signal, out.Withdrawn, said, count(next.Promises), what, others+1)
		}
	}
}
