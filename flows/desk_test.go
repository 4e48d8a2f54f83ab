package flows_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"llave/bot"
	"llave/flows"
	"llave/internal/affiliate"
	"llave/internal/handoff"
	"llave/internal/secret"
)

// frontDesk is a help desk with somebody there, open at every hour but on days of rest, until it is closed by hand.
type frontDesk struct {
	closed atomic.Bool
	empty  atomic.Bool // nobody is there
	ahead  atomic.Int64
}

func (d *frontDesk) Calendar(context.Context) (handoff.Calendar, error) {
	hours, err := handoff.ParseHours("mon-sun 00:00-24:00")
	c := handoff.Calendar{Hours: hours, Zone: time.UTC}
	if d.closed.Load() {
		c.Schedule.ClosedNow = &handoff.Closed{}
	}
	return c, err
}

func (*frontDesk) Takes(context.Context, string) (bool, error)  { return false, nil }
func (d *frontDesk) Ahead(context.Context, string) (int, error) { return int(d.ahead.Load()), nil }
func (d *frontDesk) LineUp(ctx context.Context, h *bot.Handoff) (int, error) {
	handoff.Wait(h)
	return d.Ahead(ctx, h.Queue)
}
func (d *frontDesk) Staffed(context.Context) (bool, error) { return !d.empty.Load(), nil }

// staffedTalk is a talk with a desk.
func staffedTalk(t testing.TB) (*talk, *frontDesk) {
	t.Helper()
	k, d := newTalk(t), &frontDesk{}
	k.e = deskEngine(t, d, false)
	return k, d
}

// heldTalk is a talk that was handed over in a state, after more words there, and that an agent has taken.
func heldTalk(t testing.TB, s bot.State, more ...string) *talk {
	t.Helper()
	k, _ := staffedTalk(t)
	for _, words := range slices.Concat(roads[s], more, []string{"persona"}) {
		k.says(words)
	}
	k.desk(bot.DeskAct{Do: bot.DeskClaim}, "")
	return k
}

func deskEngine(t testing.TB, d flows.Desk, uniform bool) *bot.Engine {
	t.Helper()
	v, err := secret.New(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	e, err := flows.New(flows.Options{
		Records: oneRecord{}, Vault: v, PublicURL: "http://localhost:8080", LinkTTL: 3 * time.Minute, Desk: d, Uniform: uniform,
		Limits: flows.Limits{NumbersHour: 3, NumbersDay: 10, MessagesMinute: 20}, Idle: 24 * time.Hour, Seen: 192 * time.Hour,
		Erasing: func(string) flows.Erasing { return flows.Deleted },
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// desk is an agent's deed on the case of the talk.
func (k *talk) desk(act bot.DeskAct, words string) bot.Outcome {
	k.t.Helper()
	if act.Ref == "" && k.c.Handoff != nil {
		act.Ref = k.c.Handoff.Ref
	}
	if act.Agent == "" {
		act.Agent, act.Name = "ana", "Ana"
	}
	return k.step(bot.Update{Kind: bot.Desk, Text: words, Desk: &act})
}

// deed is something an agent, or the desk itself, may do to a conversation next.
func deed(r *rand.Rand, c bot.Conversation) bot.Update {
	h := c.Handoff
	if r.IntN(3) == 0 {
		signals := []string{bot.SignalDeskOpened, bot.SignalDeskClosed, bot.SignalPosition, bot.SignalAgentSilent, bot.SignalSilenceNear, bot.SignalAgentGone}
		return bot.Update{Kind: bot.Signal, Signal: signals[r.IntN(len(signals))], Text: h.Ref, Desk: &bot.DeskAct{Agent: h.Agent}}
	}
	dos := []string{
		bot.DeskClaim, bot.DeskClaim, bot.DeskSay, bot.DeskNote, bot.DeskPass, bot.DeskRelease, bot.DeskReturn, bot.DeskResolve, bot.DeskLink, bot.DeskOffice,
	}
	act := &bot.DeskAct{
		Do: dos[r.IntN(len(dos))], Ref: h.Ref, Agent: "ana", Name: "Ana", To: "luis", ToName: "Luis", Reason: handoff.Solved,
		State: flows.ReturnSteps[r.IntN(len(flows.ReturnSteps))],
	}
	if h.Held() {
		act.Agent, act.Name = h.Agent, h.AgentName
	}
	return bot.Update{Kind: bot.Desk, Text: "Buenos días", Desk: act}
}

// A number, a code or a key that is typed while a person helps: what is kept of it.
func TestDesk_typed(t *testing.T) {
	for _, tt := range []struct {
		name, says, line, mask string
		deleted                bool
	}{
		{"a number", known, "171•••••65", "171•••••65", true},
		{"a number in a sentence", "mi cédula es 171 003 4065", "mi cédula es 171•••••65", "171•••••65", true},
		{"a code", "AB-12345", "(•••)", "AB-•••45", true},
		{"a key", "mi clave es Perro2024!", "(•••)", "", true},
		{"words", "no me llega el correo", "no me llega el correo", "", false},
		{"a year", "nací en 1950", "nací en 1950", "", false},
		{"an address", "mi correo es ana@correo.example", "mi correo es •••@•••", "", false},
	} {
		for _, held := range []bool{false, true} {
			t.Run(tt.name, func(t *testing.T) {
				k, _ := staffedTalk(t)
				k.says("hola")
				k.says("persona")
				if held {
					k.desk(bot.DeskAct{Do: bot.DeskClaim}, "")
				}
				k.step(bot.Update{Kind: bot.Text, Text: tt.says, MessageID: "m"})
				if k.said {
					t.Errorf("the bot says %q", k.reply.Text)
				}
				deleted, line := false, ""
				for _, p := range k.c.Promises {
					deleted = deleted || p.Kind() == bot.PromiseDelete
					if kept, ok := p.What.(bot.KeepLines); ok {
						line = kept.Lines[0].Text
					}
				}
				if line != tt.line || deleted != tt.deleted || (k.c.Handoff.Number == "") != (tt.mask == "") {
					t.Errorf("line %q, deleted %t, number %q; want %q, %t, %q", line, deleted, k.c.Handoff.Number, tt.line, tt.deleted, tt.mask)
				}
			})
		}
	}
}

// A button that asks about leaving counts as long as it is there, whatever was written meanwhile.
func TestDesk_leavesLater(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(k *talk)
		want bot.Event
	}{
		{"at once", func(*talk) {}, flows.LeftDesk},
		{"something written meanwhile", func(k *talk) { k.says("no sé") }, flows.LeftDesk},
		{"taken meanwhile", func(k *talk) { k.desk(bot.DeskAct{Do: bot.DeskClaim}, "") }, flows.AskedLeaveAgent},
		{"asked anew", func(k *talk) { k.says("menú") }, flows.AskedLeave},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k, _ := staffedTalk(t)
			for _, words := range []string{"hola", "persona", "menú"} {
				k.says(words)
			}
			prompt := k.c.Prompt
			tt.do(k)
			if out := k.step(bot.Update{Kind: bot.Press, Button: "leave_yes", Prompt: prompt}); out.Event != tt.want || !k.said {
				t.Errorf("got %s, answered %t, want %s", out.Event, k.said, tt.want)
			}
		})
	}
}

// A deed that was refused is refused when it comes again, although it could be done by then.
func TestDesk_refusedAgain(t *testing.T) {
	k, _ := staffedTalk(t)
	k.says("hola")
	k.says("persona")
	say := bot.Update{ID: "desk/ana/1", Kind: bot.Desk, Text: "Buenos días", Desk: &bot.DeskAct{Do: bot.DeskSay, Ref: k.c.Handoff.Ref, Agent: "ana", Name: "Ana"}}
	if out := k.step(say); out.Event != bot.NotYours || out.Repeat {
		t.Fatalf("got %+v, want refused", out)
	}
	k.desk(bot.DeskAct{Do: bot.DeskClaim}, "")
	if out := k.step(say); out.Event != bot.NotYours || !out.Repeat {
		t.Errorf("got %+v, want refused as before", out)
	}
	say.ID = "desk/ana/2"
	for _, repeat := range []bool{false, true} {
		out := k.step(say)
		if want := map[bool]bot.Event{false: flows.AgentSpoke, true: bot.Ignored}[repeat]; out.Event != want || out.Repeat != repeat {
			t.Errorf("got %+v, want %s", out, want)
		}
	}
}

// A number given to an agent is shown to the agent, and links go to no more different ones than elsewhere. On the way back
// the chat is about what it was about before, until another number is confirmed.
func TestDesk_numbersLimit(t *testing.T) {
	k := heldTalk(t, flows.ReadyToSend)
	own := k.c.Slots["record"]
	for i, number := range []string{"0102030400", "0912345675", "1710034073"} {
		before := k.c.Handoff.Number
		if k.says(number); k.c.Handoff.Number == before {
			t.Errorf("%s is not shown", k.c.Handoff.Number)
		}
		if i == 0 && k.c.Slots["record"] != own {
			t.Error("a number that was only typed took the place of the confirmed one")
		}
		want := map[bool]bot.Event{true: flows.AgentSentLink, false: bot.NotSent}[i < 2]
		record, timers := k.c.Slots["record"], len(k.c.Timers)
		if out := k.desk(bot.DeskAct{Do: bot.DeskLink}, ""); out.Event != want {
			t.Errorf("link %d: got %s, want %s", i+1, out.Event, want)
		}
		if i == 2 && (k.c.Slots["record"] != record || len(k.c.Timers) != timers) {
			t.Error("a link that was not sent changed what the chat is about")
		}
	}
	if len(k.c.Numbers) != 3 {
		t.Errorf("%d different numbers count, want 3", len(k.c.Numbers))
	}
}

// A number that was read back and not confirmed before the case is not what the case is about, if there is a confirmed one.
func TestDesk_aboutTheConfirmed(t *testing.T) {
	k := heldTalk(t, flows.LinkSent, "0102030400", "menú", "0102030400")
	if want := affiliate.Mask(known); k.c.Handoff.Number != want {
		t.Errorf("the case is about %s, want %s", k.c.Handoff.Number, want)
	}
	own := k.c.Slots["record"]
	if k.desk(bot.DeskAct{Do: bot.DeskLink}, ""); k.c.Slots["record"] != own {
		t.Error("the agent's link went to a number that was never confirmed")
	}
}

// An agent gives back at the link: a number that was given meanwhile is confirmed first.
func TestDesk_givenIsConfirmed(t *testing.T) {
	k := heldTalk(t, flows.ReadyToSend)
	own := k.c.Slots["record"]
	k.says("0102030400")
	k.desk(bot.DeskAct{Do: bot.DeskReturn, State: flows.ReadyToSend}, "")
	if k.c.State != flows.ConfirmNumber || k.c.Slots["record"] != own {
		t.Errorf("in %s, want the number read back and the old one as it was", k.c.State)
	}
	if k.says("sí"); k.c.Slots["record"] == own {
		t.Error("the confirmed number was not taken")
	}
}

// That an agent had the link sent is written down, as is what else they do to a case.
func TestDesk_linkWrittenDown(t *testing.T) {
	k, _ := staffedTalk(t)
	for _, words := range append(slices.Clone(roads[flows.ReadyToSend]), "persona") {
		k.says(words)
	}
	written := func() (all []string) {
		for _, p := range k.c.Promises {
			if audit, ok := p.What.(bot.KeepAudit); ok {
				all = append(all, audit.Agent+" "+audit.Deed+" "+audit.Detail)
			}
		}
		return all
	}
	for _, do := range []string{bot.DeskClaim, bot.DeskLink} {
		k.desk(bot.DeskAct{Do: do}, "")
		if got, want := written(), []string{"ana case_" + do + " " + k.c.Handoff.Ref}; !slices.Equal(got, want) {
			t.Errorf("%s: written down %q, want %q", do, got, want)
		}
	}
}

// Whatever an agent tells a person is an answer: from then on it is not the agent who is silent.
func TestDesk_answers(t *testing.T) {
	for _, do := range []string{bot.DeskSay, bot.DeskLink, bot.DeskOffice} {
		k, _ := staffedTalk(t)
		for _, words := range append(slices.Clone(roads[flows.ReadyToSend]), "persona") {
			k.says(words)
		}
		silent := func() bool {
			return slices.ContainsFunc(k.c.Timers, func(x bot.Timer) bool { return x.Signal == bot.SignalAgentSilent })
		}
		k.desk(bot.DeskAct{Do: bot.DeskClaim}, "")
		if !silent() || k.c.Handoff.Since.IsZero() {
			t.Fatal("nobody waits for an answer")
		}
		k.desk(bot.DeskAct{Do: do}, "Buenos días")
		if silent() || !k.c.Handoff.Since.IsZero() || !k.said {
			t.Errorf("%s: still waited for, %t, since %v; told something %t", do, silent(), k.c.Handoff.Since, k.said)
		}
		k.says("gracias")
		if !silent() || k.c.Handoff.Since.IsZero() {
			t.Errorf("%s: what the person says then is not waited for", do)
		}
	}
}

// In `uniform` nothing that only happens to a member's letter changes what the chat will see, also while an agent has it: the
// agent reads of it, and that is all.
func TestDesk_refusedUniform(t *testing.T) {
	for _, signal := range []string{bot.SignalMailRefused, bot.SignalLinkVoided} {
		for _, held := range []bool{false, true} {
			k, d := staffedTalk(t)
			k.e = deskEngine(t, d, true)
			for _, words := range append(slices.Clone(roads[flows.LinkSent]), "persona") {
				k.says(words)
			}
			if held {
				k.desk(bot.DeskAct{Do: bot.DeskClaim}, "")
			}
			before := k.c
			k.signal(signal)
			after := k.c
			if !slices.ContainsFunc(after.Promises, func(p bot.Promise) bool { return p.Kind() == bot.PromiseLines }) {
				t.Errorf("%s: the agent reads nothing of it", signal)
			}
			if k.said || after.State != before.State || !slices.Equal(after.Back, before.Back) || !maps.Equal(after.Slots, before.Slots) || !slices.Equal(after.Timers, before.Timers) {
				t.Errorf("%s, held %t: the chat is another: in %s, back to %v, %v, timers %v", signal, held, after.State, after.Back, after.Slots, after.Timers)
			}
		}
	}
}

// Who waits hears that the link works no more: with uniform disclosure at the usual time, whatever happened to it.
func TestDesk_linkEndsWaiting(t *testing.T) {
	for _, uniform := range []bool{false, true} {
		for signal, want := range map[string]bot.Event{
			bot.SignalLinkExpired: flows.LinkEndedWaiting, bot.SignalMailRefused: bot.Ignored, bot.SignalLinkVoided: bot.Ignored,
		} {
			k, d := staffedTalk(t)
			k.e = deskEngine(t, d, uniform)
			for _, words := range append(slices.Clone(roads[flows.LinkSent]), "persona") {
				k.says(words)
			}
			k.signal(bot.SignalMailSent)
			if out := k.signal(signal); out.Event != want || k.c.State != flows.InQueue {
				t.Errorf("%s: got %s in %s, want %s", signal, out.Event, k.c.State, want)
			}
			waits := slices.ContainsFunc(k.c.Timers, func(x bot.Timer) bool { return x.Signal == bot.SignalLinkExpired })
			if waits != (uniform && want == bot.Ignored || signal == bot.SignalLinkVoided) {
				t.Errorf("%s, uniform %t: its end is still waited for: %t", signal, uniform, waits)
			}
		}
	}
}

// The signal of an opening or a closing that is not so any more changes nothing.
func TestDesk_hoursMovedOn(t *testing.T) {
	k, d := staffedTalk(t)
	k.says("hola")
	k.says("persona")
	ref := k.c.Handoff.Ref
	tell := func(signal string) bot.Event {
		return k.step(bot.Update{Kind: bot.Signal, Signal: signal, Text: ref}).Event
	}
	if got := tell(bot.SignalDeskClosed); got != bot.Ignored || !k.c.Handoff.Waiting() {
		t.Errorf("closed, while open: %s, %s", got, k.c.Handoff.Status)
	}
	d.closed.Store(true)
	if got := tell(bot.SignalDeskClosed); got != flows.DeskClosed || k.c.Handoff.Status != bot.HandoffScheduled {
		t.Errorf("closed: %s, %s", got, k.c.Handoff.Status)
	}
	if got := tell(bot.SignalDeskOpened); got != bot.Ignored || k.c.Handoff.Waiting() {
		t.Errorf("opened, while closed: %s, %s", got, k.c.Handoff.Status)
	}
	d.closed.Store(false)
	if got := tell(bot.SignalDeskOpened); got != flows.DeskOpened || !k.c.Handoff.Waiting() {
		t.Errorf("opened: %s, %s", got, k.c.Handoff.Status)
	}
}

// A case that nobody moves for as long as what was said is kept ends, and with it what was kept for it.
func TestDesk_nobodyCame(t *testing.T) {
	k, d := staffedTalk(t)
	for _, said := range []string{"hola", "sí", "desbloquear", known, "sí"} {
		k.says(said)
	}
	d.closed.Store(true)
	k.says("persona")
	idle := bot.Update{Kind: bot.Signal, Signal: bot.SignalForget}
	k.now = k.now.Add(29 * 24 * time.Hour)
	if k.step(idle); !k.c.Handoff.Open() || k.c.Slots["number"] == "" {
		t.Fatalf("after 29 days: case %+v, number kept %t, want an open case with it", k.c.Handoff, k.c.Slots["number"] != "")
	}
	k.now = k.now.Add(2 * 24 * time.Hour)
	k.step(idle)
	if h := k.c.Handoff; h.Open() || h == nil || h.Reason != handoff.NoAnswer || len(k.c.Slots) > 0 || k.said {
		t.Fatalf("after 31 days: case %+v, slots %v, said something %t, want it closed and silence", h, k.c.Slots, k.said)
	}
	k.now = k.now.Add(25 * time.Hour)
	if k.step(idle); k.c.Handoff != nil {
		t.Errorf("the closed case is still there: %+v", k.c.Handoff)
	}
}

// An agent's words go out without what no chat may hold.
func TestDesk_discreet(t *testing.T) {
	for words, want := range map[string]string{
		"Llame al 02 394 5666.":                              "Llame al 02 394 5666.",
		"Escriba a atencionalusuario@iess.gob.ec, por favor": "Escriba a atencionalusuario@iess.gob.ec, por favor",
		"Su correo es alguien@correo.example":                "Su correo es •••@•••",
		"a@iess.gob.ec.correo.example":                       "•••@•••",
		known + "@iess.gob.ec":                               "•••@•••",
		"Su número es " + known:                              "Su número es " + affiliate.Mask(known),
	} {
		k, _ := staffedTalk(t)
		k.says("hola")
		k.says("sí")
		k.says("persona")
		k.desk(bot.DeskAct{Do: bot.DeskClaim, Agent: "ana", Name: "Ana"}, "")
		k.desk(bot.DeskAct{Do: bot.DeskSay, Agent: "ana", Name: "Ana"}, words)
		if k.reply.Text != want {
			t.Errorf("%q went out as %q, want %q", words, k.reply.Text, want)
		}
	}
}

// What is typed to an agent in pieces is hidden with the last of them, in the lines that are kept already too, and the number is
// known.
func TestDesk_typedInParts(t *testing.T) {
	for _, tt := range []struct {
		name       string
		says, want []string
		mask       string
		deleted    int
	}{
		{"two", []string{"1710", "034065"}, []string{"••••", "••••••"}, "171•••••65", 2},
		{"three", []string{"mi cédula es 171", "003", "gracias", "4065"}, []string{"mi cédula es •••", "•••", "gracias", "••••"}, "171•••••65", 3},
		{"no number", []string{"1710", "034064"}, []string{"••••", "••••••"}, "", 0},
		{"a key", []string{"mi clave es", "Perro2024"}, []string{"mi clave es", "•••"}, "", 0},
		{"words", []string{"espero desde las 8", "son las 10"}, []string{"espero desde las 8", "son las 10"}, "", 0},
	} {
		for _, kept := range []bool{false, true} { // whether the lines before are kept when the last one comes
			t.Run(tt.name, func(t *testing.T) {
				k, _ := staffedTalk(t)
				k.says("hola")
				k.says("persona")
				k.desk(bot.DeskAct{Do: bot.DeskClaim}, "")
				k.owes = true
				ref, lines, deleted := k.c.Handoff.Ref, map[int64]string{}, map[string]bool{}
				keep := func() {
					for _, p := range k.c.Promises {
						switch what := p.What.(type) {
						case bot.KeepLines:
							for _, l := range what.Lines {
								if l.From == bot.FromPerson && what.Ref == ref {
									lines[l.Seq] = l.Text
								}
							}
						case bot.Delete:
							deleted[what.MessageID] = true
						}
					}
				}
				for i, words := range tt.says {
					k.step(bot.Update{Kind: bot.Text, Text: words, MessageID: fmt.Sprint("part", i)})
					if kept {
						keep()
						k.c.Promises = nil
					}
				}
				keep()
				var got []string
				for _, seq := range slices.Sorted(maps.Keys(lines)) {
					got = append(got, lines[seq])
				}
				got = got[len(got)-len(tt.want):]
				if !slices.Equal(got, tt.want) || k.c.Handoff.Number != tt.mask || len(deleted) != tt.deleted {
					t.Errorf("kept %q, number %q, %d deleted; want %q, %q, %d", got, k.c.Handoff.Number, len(deleted), tt.want, tt.mask, tt.deleted)
				}
				for _, p := range k.c.Promises { // nor does one that waits to be kept hold it
					if owed, ok := p.What.(bot.KeepLines); ok {
						for _, l := range owed.Lines {
							if l.From == bot.FromPerson && l.Text != lines[l.Seq] {
								t.Errorf("still owed: %q", l.Text)
							}
						}
					}
				}
			})
		}
	}
}

// What was typed in pieces before a person was asked for is hidden in what the agent gets, also where the last piece asks for the
// person.
func TestDesk_partsBefore(t *testing.T) {
	for _, says := range [][]string{
		{"hola", "1710", "034065", "persona"},
		{"hola", "1710", "persona", "034065"},
		{"1710", "034065 persona por favor", "persona"},
	} {
		k, _ := staffedTalk(t)
		lines := map[int64]string{}
		for _, words := range says {
			k.says(words)
			for _, p := range k.c.Promises {
				if owed, ok := p.What.(bot.KeepLines); ok {
					for _, l := range owed.Lines {
						lines[l.Seq] = l.Text
					}
				}
			}
		}
		if len(lines) == 0 {
			t.Fatalf("%q: no line is kept", says)
		}
		for _, text := range lines {
			if strings.Contains(text, "1710") || strings.Contains(text, "034065") {
				t.Errorf("%q: the agent reads %q", says, text)
			}
		}
		for _, l := range k.c.Tail {
			if strings.Contains(l.Text, "1710") || strings.Contains(l.Text, "034065") {
				t.Errorf("%q: the tail says %q", says, l.Text)
			}
		}
	}
}
