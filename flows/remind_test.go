package flows_test

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"llave/bot"
	"llave/flows"
	"llave/internal/bottest"
	"llave/internal/handoff"
	"llave/internal/secret"
)

// closedDesk is never open, so that who asks for a person waits for good.
type closedDesk struct{ frontDesk }

// windowTalk is a talk at a moment, in a channel that closes so long after the person's last word (0: never).
func windowTalk(t testing.TB, now time.Time, window time.Duration) *talk {
	t.Helper()
	v, err := secret.New(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	d := &closedDesk{}
	d.closed.Store(true)
	e, err := flows.New(flows.Options{
		Records: oneRecord{}, Vault: v, PublicURL: "http://localhost:8080", LinkTTL: 3 * time.Minute, Desk: d,
		Limits: flows.Limits{NumbersHour: 3, NumbersDay: 10, MessagesMinute: 20}, Idle: 24 * time.Hour, Seen: 192 * time.Hour,
		Erasing: func(string) flows.Erasing { return flows.Deleted }, Zone: guayaquil, Window: func(string) time.Duration { return window },
	})
	if err != nil {
		t.Fatal(err)
	}
	return &talk{t: t, e: e, v: v, now: now, c: bot.Conversation{ID: "telegram:1"}}
}

// unasked is a bubble that answered no message.
type unasked struct {
	signal string
	at     time.Time
	until  time.Time // when it is not sent any more
	text   string
}

// outage is a while, counted from now, in which no process runs.
type outage struct{ from, to time.Duration }

// passes lets time pass: timers go off when they are due, or when somebody looks again.
func (k *talk) passes(d time.Duration, out outage) (came []unasked) {
	k.t.Helper()
	from, to, end := k.now.Add(out.from), k.now.Add(out.to), k.now.Add(d)
	for {
		var due *bot.Timer
		for i, timer := range k.c.Timers {
			if !timer.At.After(end) && (due == nil || timer.At.Before(due.At)) {
				due = &k.c.Timers[i]
			}
		}
		if due == nil {
			break
		}
		at := due.At
		if !at.Before(from) && at.Before(to) {
			at = to
		}
		if k.now.Before(at) {
			k.now = at
		}
		k.now = k.now.Add(-5 * time.Second) // which a step takes
		k.step(bot.Update{Kind: bot.Signal, Signal: due.Signal, Attempt: due.Attempt, Timer: true})
		for _, p := range k.c.Promises {
			if say, ok := p.What.(bot.Say); ok && slices.Contains([]string{bot.SignalRemind, bot.SignalStillWaiting}, due.Signal) {
				came = append(came, unasked{due.Signal, k.now, p.Until, say.Reply.Text})
			}
		}
	}
	if k.now.Before(end) {
		k.now = end
	}
	return came
}

// due is when a timer goes off; zero: there is none of that signal.
func (k *talk) due(signal string) (at time.Time) {
	for _, timer := range k.c.Timers {
		if timer.Signal == signal {
			at = timer.At
		}
	}
	return at
}

// when are ways to say when.
var when = []string{
	"recuérdeme mañana", "recuérdeme en una hora", "recuérdeme a las 10 de la noche", "recuérdeme a las 3 de la madrugada", "recuérdeme esta noche",
	"recuérdeme pasado mañana a las 9 de la noche", "recuérdeme en 20 minutos", "recuérdeme en dos días", "recuérdeme el lunes", "recuérdeme a las 8",
	"recuérdeme a medianoche", "recuérdeme en la tarde", "recuérdeme mañana temprano", "recuérdeme",
}

// Whenever somebody asks to be reminded, or for a person, whatever they do meanwhile and however long no process runs: no reminder and no
// question goes out between nine at night and seven in the morning, none twice, none more than 72 hours after it was asked for, none
// where the channel has closed (P510). A small sweep tries a fifth.
func TestRemind_night(t *testing.T) {
	t.Parallel()
	sweep := bottest.NewSweep(t)
	reminded, asked := 0, 0
	for i := range 1000 {
		if !sweep.Takes(i, 5) {
			continue
		}
		dice := rand.New(rand.NewPCG(14, uint64(i)))
		window := []time.Duration{0, 24 * time.Hour}[dice.IntN(2)]
		k := windowTalk(t, time.Date(2026, 3, 1, 0, 0, 0, 0, guayaquil).Add(time.Duration(dice.Int64N(int64(7*24*time.Hour)))), window)
		for _, words := range [][]string{{"hola", "sí"}, {"hola", "sí", "desbloquear"}, {"hola", "sí", "atención presencial"}, {"hola", "sí", "persona"}, {"hola", "sí", "persona", "menú"}}[dice.IntN(5)] {
			k.says(words)
		}
		var last time.Time // when a reminder was asked for
		told := 0
		for range 6 {
			k.now = k.now.Add(time.Duration(dice.Int64N(int64(3 * time.Minute))))
			if dice.IntN(3) == 0 {
				k.says([]string{"hola", "estado", "menú", "sí", "2", "3"}[dice.IntN(6)])
			} else {
				k.says(when[dice.IntN(len(when))])
			}
			if !k.due(bot.SignalRemind).IsZero() && strings.Contains(k.reply.Text, "cancelar") {
				last, told = k.now, 0
			}
			spoke, due := k.c.LastAt, k.due(bot.SignalRemind)
			waits := k.c.Handoff.Open() && window > 0
			var out outage
			if dice.IntN(4) == 0 {
				out.from = time.Duration(dice.Int64N(int64(25 * time.Hour)))
				out.to = out.from + time.Duration(dice.Int64N(int64(12*time.Hour)))
			}
			away := out.to - out.from
			lapse := time.Duration(dice.Int64N(int64(30 * time.Hour)))
			end := k.now.Add(lapse)
			came := k.passes(lapse, out)
			of := func(signal string) int {
				return len(slices.DeleteFunc(slices.Clone(came), func(u unasked) bool { return u.signal != signal }))
			}
			if !due.IsZero() && due.Before(end.Add(-time.Minute)) && away == 0 && of(bot.SignalRemind) != 1 {
				t.Errorf("%d: to be reminded at %s, and was not", i, due)
			}
			if waits && lapse > 24*time.Hour && away == 0 && of(bot.SignalStillWaiting) != 1 {
				t.Errorf("%d: the channel closed on somebody who waits since %s: %v", i, spoke, came)
			}
			for _, u := range came {
				at := u.at.In(guayaquil)
				if h := at.Hour(); h >= 21 || h < 7 {
					t.Errorf("%d: %s at %s", i, u.signal, at)
				}
				if until := u.until.In(guayaquil); until.IsZero() || until.Hour() > 21 || until.Sub(at) > 14*time.Hour {
					t.Errorf("%d: %s at %s is sent until %s", i, u.signal, at, until)
				}
				if window > 0 && u.at.Sub(spoke) > window {
					t.Errorf("%d: %s at %s, the last word was at %s", i, u.signal, at, spoke)
				}
				switch u.signal {
				case bot.SignalRemind:
					reminded++
					if told++; told > 1 {
						t.Errorf("%d: reminded twice", i)
					}
					if late := u.at.Sub(last); late > 72*time.Hour+away+10*time.Hour || away == 0 && late > 72*time.Hour+20*time.Minute {
						t.Errorf("%d: reminded after %s", i, late)
					}
				case bot.SignalStillWaiting:
					asked++
					if window == 0 {
						t.Errorf("%d: asked whether they still wait in a channel that does not close", i)
					}
				}
			}
		}
	}
	if least := sweep.Of(300, 50); reminded < least || asked < least/20 {
		t.Errorf("%d reminders and %d questions: this test sees too little", reminded, asked)
	}
}

// What is kept for a reminder, and for how long: the place, nothing of the number, a day longer than the reminder.
func TestRemind_kept(t *testing.T) {
	k := windowTalk(t, time.Date(2026, 3, 2, 10, 0, 0, 0, guayaquil), 0)
	for _, words := range []string{"hola", "sí", "desbloquear", known, "sí"} {
		k.says(words)
	}
	if k.c.State != flows.ReadyToSend || k.c.Slots["number"] == "" {
		t.Fatalf("got to %s, number %q", k.c.State, k.c.Slots["number"])
	}
	k.says("recuérdeme en tres días")
	for _, slot := range []string{"number", "record", "given", "doubt"} {
		if k.c.Slots[slot] != "" {
			t.Errorf("the slot %s is kept", slot)
		}
	}
	raw, err := json.Marshal(k.c)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(raw), known) {
		t.Error("the number is kept in clear")
	}
	if k.c.State != flows.AskNumber || k.c.Slots["want"] != "unlock" {
		t.Errorf("in %s, wanting %q; want AskNumber, unlock", k.c.State, k.c.Slots["want"])
	}
	k.says("gracias") // from when on the chat is left alone
	if came := k.passes(71*time.Hour+50*time.Minute, outage{}); len(came) > 0 || k.c.State != flows.AskNumber {
		t.Errorf("before its time: %v, in %s", came, k.c.State)
	}
	if came := k.passes(20*time.Minute, outage{}); len(came) != 1 || k.c.State != flows.Resume {
		t.Fatalf("at its time: %v, in %s", came, k.c.State)
	}
	if k.passes(23*time.Hour, outage{}); k.c.State != flows.Resume {
		t.Errorf("a day after it: in %s", k.c.State)
	}
	if k.passes(2*time.Hour, outage{}); k.c.State != flows.Start || len(k.c.Slots) > 0 || len(k.c.Timers) > 0 {
		t.Errorf("more than a day after it: in %s, slots %v, timers %v", k.c.State, k.c.Slots, k.c.Timers)
	}
}

// Where a reminder is asked for, the place is the one that is gone on from, and the words that end things end it.
func TestRemind_everywhere(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, s bot.State) {
		p := newEngine(t).Place(s)
		if p.Is(flows.BeforeTerms, bot.FreeText) {
			return
		}
		k := at(t, s)
		if k.now = time.Date(2026, 1, 5, 10, 0, 0, 0, guayaquil); k.now.Sub(k.c.LastAt) >= flows.ResumeAfter { // for who has not been away
			k.c.LastAt = k.now.Add(-time.Minute)
		}
		k.says("recuérdeme mañana a las 9")
		if at, want := k.due(bot.SignalRemind), time.Date(2026, 1, 6, 9, 0, 0, 0, guayaquil); !at.Equal(want) || !k.said {
			t.Fatalf("the reminder is set for %s, want %s (answered %q)", at, want, k.reply.Text)
		}
		want := s
		switch {
		case p.Is(flows.NeedsNumber):
			want = flows.AskNumber
		case s == flows.RemindWhen || s == flows.Resume:
			want = flows.AskNumber // where they were
		}
		if k.c.State != want && k.c.Handoff == nil {
			t.Errorf("then in %s, want %s", k.c.State, want)
		}
		if came := k.passes(24*time.Hour, outage{}); len(came) != 1 && !p.Is(flows.AfterKey) {
			t.Errorf("reminded %d times: %v", len(came), came)
		}
		k = at(t, s)
		k.says("recuérdeme mañana a las 9")
		if k.says("cancelar"); !k.due(bot.SignalRemind).IsZero() {
			t.Error("cancelar leaves the reminder")
		}
	})
}

// Who has finished since needs no reminder, nor who is with the desk; who has come back is reminded when they have gone quiet.
func TestRemind_needless(t *testing.T) {
	start := time.Date(2026, 3, 2, 10, 0, 0, 0, guayaquil)
	for name, c := range map[string]struct {
		says []string
		want int
	}{
		"finished":  {[]string{"desbloquear", known, "sí", "enviar enlace", "@" + bot.SignalLinkUsed, "@" + bot.SignalKeyMade}, 0},
		"goes on":   {[]string{"desbloquear", known, "sí"}, 1},
		"came back": {[]string{"+55m", "hola", "1"}, 1},
		"erased":    {[]string{"mis datos", "borrar mis datos", "sí"}, 0},
		"again":     {[]string{"recuérdeme en una hora"}, 1},
	} {
		k := windowTalk(t, start, 0)
		for _, words := range []string{"hola", "sí", "recuérdeme en una hora"} {
			k.says(words)
		}
		var came []unasked
		for _, words := range c.says {
			switch rest, wait := strings.CutPrefix(words, "+"); {
			case wait:
				d, err := time.ParseDuration(rest)
				if err != nil {
					t.Fatal(err)
				}
				came = append(came, k.passes(d, outage{})...)
			case strings.HasPrefix(words, "@"):
				k.signal(words[1:])
			default:
				k.says(words)
			}
		}
		came = append(came, k.passes(20*time.Hour, outage{})...)
		if len(came) != c.want {
			t.Errorf("%s: reminded %d times, want %d", name, len(came), c.want)
		}
		if name == "came back" && len(came) == 1 && came[0].at.Before(start.Add(65*time.Minute)) {
			t.Errorf("%s: reminded at %s, ten minutes after the last word at the earliest", name, came[0].at)
		}
	}
}

// Who asks for it, in whatever words, is reminded; who only goes on later, or may, is asked when; who means something else is not.
func TestRemind_words(t *testing.T) {
	const sets, asks, neither = "sets", "asks", "neither"
	for said, want := range map[string]string{
		"recuérdeme mañana": sets, "recuérdame en la tarde": sets, "me puede recordar mañana a las 8?": sets, "avíseme en la tarde por favor que ando en la obra": sets,
		"mándeme un recordatorio a las 8 pm": sets, "hágame acordar pasado mañana": sets, "me avisa el viernes para hacerlo con mi hija": asks,
		"remind me tomorrow": sets, "recuérdeme en una hora": sets, "recuérdeme a las cinco de la tarde": sets, "recuérdeme que siga con esto mañana": sets,
		"recuérdeme": asks, "más tarde": asks, "un recordatorio": asks, "recordatorio por favor": asks, "mejor mañana sigo, ya es muy tarde": asks,
		"hoy no tengo megas, la próxima semana que cobre meto saldo y seguimos": asks, "déjelo pendiente, yo regreso por aquí cuando tenga tiempo": asks,
		"recuérdeme cuál es mi clave, la necesito mañana": asks, "recuérdeme la clave mañana": asks, "no recuerdo mi clave": neither,
		"a qué hora atienden mañana": neither, "buenas tardes": neither, "quiero desbloquear mi clave": neither,
	} {
		k := windowTalk(t, time.Date(2026, 3, 2, 10, 0, 0, 0, guayaquil), 0)
		for _, words := range []string{"hola", "sí", said} {
			k.says(words)
		}
		got := neither
		switch {
		case !k.due(bot.SignalRemind).IsZero():
			got = sets
		case k.c.State == flows.RemindWhen || slices.Contains(k.c.Shown, "remind"):
			got = asks
		}
		if got != want {
			t.Errorf("%q: %s, want %s (%s)", said, got, want, k.reply.Text)
		}
	}
}

// What was said before nobody has agreed to anything sets no reminder.
func TestRemind_beforeTerms(t *testing.T) {
	for _, says := range [][]string{{"recuérdeme mañana"}, {"hola", "recuérdeme mañana a las 9"}} {
		k := windowTalk(t, time.Date(2026, 3, 2, 10, 0, 0, 0, guayaquil), 0)
		for _, words := range says {
			k.says(words)
		}
		if came := k.passes(48*time.Hour, outage{}); len(came) > 0 {
			t.Errorf("%q: reminded", says)
		}
	}
}

// The question whether one still waits stands in for the one before, wherever that was, and leaves it standing again.
func TestStillWaiting(t *testing.T) {
	for _, c := range []struct {
		name, answer string
		elsewhere    bool
		want         bot.State
		open         bool
	}{
		{"yes, with a case", "still_yes", false, flows.WithTicket, true},
		{"no, with a case", "still_no", false, flows.Menu, false},
		{"yes, at the menu", "still_yes", true, flows.Menu, true},
		{"no, at the menu", "still_no", true, flows.Menu, false},
	} {
		k := windowTalk(t, time.Date(2026, 3, 2, 10, 0, 0, 0, guayaquil), 24*time.Hour)
		for _, words := range []string{"hola", "sí", "persona"} {
			k.says(words)
		}
		if c.elsewhere {
			k.says("menú")
		}
		was := k.e.Place(k.c.State).Ask
		came := k.passes(23*time.Hour+time.Minute, outage{})
		if len(came) != 1 || came[0].signal != bot.SignalStillWaiting || !strings.Contains(came[0].text, "¿Sigue esperando") {
			t.Fatalf("%s: after 23 hours %v", c.name, came)
		}
		k.step(bot.Update{Kind: bot.Press, Button: c.answer, Prompt: k.c.Prompt})
		if k.c.State != c.want || k.c.Handoff.Open() != c.open || !k.said {
			t.Errorf("%s: in %s, case open %t, answered %t", c.name, k.c.State, k.c.Handoff.Open(), k.said)
		}
		if c.open && k.c.Text != was {
			t.Errorf("%s: the question %q stands, want %q", c.name, k.c.Text, was)
		}
		if !c.open && k.c.Handoff.Reason != handoff.Left {
			t.Errorf("%s: the case ended as %q", c.name, k.c.Handoff.Reason)
		}
		again := k.passes(30*time.Hour, outage{})
		if c.open && len(again) != 1 || !c.open && len(again) != 0 {
			t.Errorf("%s: then asked %d times", c.name, len(again))
		}
	}
}

// Who does not answer is asked no second time.
func TestStillWaiting_unanswered(t *testing.T) {
	k := windowTalk(t, time.Date(2026, 3, 2, 10, 0, 0, 0, guayaquil), 24*time.Hour)
	for _, words := range []string{"hola", "sí", "persona"} {
		k.says(words)
	}
	if came := k.passes(100*time.Hour, outage{}); len(came) != 1 {
		t.Errorf("asked %d times, want once", len(came))
	}
}

// What undoes a reminder undoes nothing else; what only sounds like it leaves it.
func TestRemind_undone(t *testing.T) {
	for said, undoes := range map[string]bool{
		"ya no me escriba": true, "no me escriba": true, "no me escriba más por favor": true, "ya no me recuerde": true, "no me lo recuerde": true, "borre el recordatorio": true,
		"quite el recordatorio por favor": true, "cancele ese recordatorio": true, "ya no quiero el recordatorio": true, "sin recordatorio": true, "no hace falta que me avise": true,
		"cancelar": true, "don't remind me": true, "cancel the reminder": true, "no reminder": true,
		"no me recuerdo de mi clave": false, "no recuerdo mi clave": false, "nadie me avisa nada": false, "no me llega el correo": false, "gracias": false, "estado": false,
	} {
		k := windowTalk(t, time.Date(2026, 3, 2, 10, 0, 0, 0, guayaquil), 0)
		for _, words := range []string{"hola", "sí", "desbloquear", known, "sí", "enviar enlace", "recuérdeme mañana"} {
			k.says(words)
		}
		if k.due(bot.SignalRemind).IsZero() || k.c.State != flows.LinkSent {
			t.Fatalf("in %s, reminder at %s", k.c.State, k.due(bot.SignalRemind))
		}
		k.says(said)
		if gone := k.due(bot.SignalRemind).IsZero(); gone != undoes {
			t.Errorf("%q: undone %t, want %t (%s)", said, gone, undoes, k.reply.Text)
		}
		if k.c.State != flows.LinkSent || k.due(bot.SignalLinkExpired).IsZero() {
			t.Errorf("%q: in %s, the link ends at %s", said, k.c.State, k.due(bot.SignalLinkExpired))
		}
	}
}
