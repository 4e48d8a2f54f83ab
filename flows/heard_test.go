package flows_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"llave/bot"
	"llave/flows"
	"llave/internal/bottest"
)

// The histories that are tried, and how many things happen in each.
const (
	histories      = 10_000
	historiesSmall = 200 // in a small sweep
	happenings     = 24
)

// saidOrWritten are what people write, type under pictures and put into edits: answers, wishes, words that hold everywhere, numbers
// in parts and whole, codes, keys, complaints, and what means nothing.
var saidOrWritten = []string{
	"hola", "menú", "atrás", "ayuda", "persona", "cancelar", "estado", "gracias", "sí", "no", "1", "2", "3", "blabla", "mire esto",
	"quiero desbloquear mi clave", "cuánto cuesta", "queja", "mis datos", "no me llega", known, "mi cédula es " + known, "171003", "1710034064",
	"AB-12345", "mi clave es Perro2024!", "me trataron muy mal en la oficina", "me está dando un infarto", "paso a paso", "english",
}

// said is one message of a history: what it says, under what, and where its question stood once it was answered.
type said struct {
	id, words, thing string
	from             bot.State // none: what it says now was told of, and is no answer
	prompt           int
	before           bot.Conversation // where it was written
}

// remembered is of how many messages the bot knows what they said.
const remembered = 8

// history plays one chat: what the person does, and what came of it.
type history struct {
	t     *testing.T
	r     *rand.Rand
	e     *bot.Engine
	c     bot.Conversation
	now   time.Time
	n     int
	wrote []said
	read  int // lines of the person's that the agent, or who will be the agent, has
	acted int // messages that the bot answered
	quiet int // edits that change nothing
	again int // edits that were heard like words
}

// step is one update answered. What the turn owes is returned, and kept.
func (h *history) step(u bot.Update) (bot.Outcome, []bot.Promise) {
	h.t.Helper()
	if u.ID == "" {
		h.n++
		u.ID = fmt.Sprint(h.n)
	}
	next, out, owed := h.tries(u)
	h.c = next
	if len(next.Heard) == 0 { // what was said is kept no longer
		h.wrote = nil
	}
	return out, owed
}

// tries is what a step would come to.
func (h *history) tries(u bot.Update) (bot.Conversation, bot.Outcome, []bot.Promise) {
	h.t.Helper()
	u.Channel, u.Chat = "telegram", "1"
	c := h.c
	c.Promises = nil
	next, out, err := h.e.Step(context.Background(), c, u, bot.Env{
		Now: h.now, Reservation: &bot.Reservation{Granted: true, Attempt: "a1", Ends: h.now.Add(10 * time.Minute)},
	})
	if err != nil {
		h.t.Fatalf("%+v in %s: %v", u, c.State, err)
	}
	return next, out, next.Promises
}

// bubbles are the answers among what is owed; lines, what is kept of the person's words for the desk.
func bubbles(owed []bot.Promise) (n int) {
	for _, p := range owed {
		if _, ok := p.What.(bot.Say); ok {
			n++
		}
	}
	return n
}

func personLines(owed []bot.Promise) (lines []string) {
	for _, p := range owed {
		if kept, ok := p.What.(bot.KeepLines); ok {
			for _, l := range kept.Lines {
				if l.From == bot.FromPerson && l.At.Equal(p.Made) { // else an earlier one, in which something is hidden now
					lines = append(lines, l.Text)
				}
			}
		}
	}
	return lines
}

// acts says whether more is owed than what is said, deleted and not understood: an edit of the message does not do it again.
func acts(owed []bot.Promise) bool {
	said := []bot.PromiseKind{bot.PromiseSay, bot.PromiseDelete, bot.PromiseUnheard, bot.PromiseSpend, bot.PromiseLines}
	return slices.ContainsFunc(owed, func(p bot.Promise) bool { return !slices.Contains(said, p.Kind()) })
}

// noWords are what came where nothing was found in words that stand alone.
var noWords = []bot.Event{bot.Missed, bot.MissedOften, flows.Unclear}

// things that words stand under.
var under = []string{bot.ThingPhoto, bot.ThingDocument, bot.ThingVideo, bot.ThingVoice, bot.ThingAudio}

// A person writes words: alone, or under something. What is under something comes to what the same words alone would come to,
// unless there is nothing in those.
func (h *history) writes(words, thing string) {
	h.t.Helper()
	_, alone, _ := h.tries(bot.Update{ID: "alone", Kind: bot.Text, Text: words, MessageID: "alone"})
	u := bot.Update{MessageID: fmt.Sprintf("m%d", h.n)}
	u.Brings(bot.Media, thing, words)
	desk, before := h.atDesk(), h.c
	out, owed := h.step(u)
	switch {
	case thing == "", h.unseen(out.Event), out.Event == alone.Event && out.To == alone.To:
	case alone.Event == flows.Greeted && (out.Event == flows.AnsweredFirst || out.Event == flows.SentVoice) && out.To == alone.To: // the welcome, and that the thing is not seen
	case !slices.Contains(noWords, alone.Event):
		h.t.Errorf("%q under a %s in %s came to %s, alone to %s", words, thing, out.From, out.Event, alone.Event)
	}
	m := said{u.MessageID, words, thing, out.From, h.c.Prompt, before}
	if acts(owed) {
		m.from = ""
	}
	h.keeps(m)
	h.settles(out, owed, m, desk, "")
}

// alike says whether a message comes to the same with the words that it has now as with those that it had, where it was written.
func (h *history) alike(m said, old string) bool {
	now := h.c
	h.c = m.before
	defer func() { h.c = now }()
	comes := func(words string) string {
		next, out, _ := h.tries(bot.Update{ID: "alike", Kind: bot.Text, Text: words, Media: m.thing, MessageID: "alike"})
		return fmt.Sprint(out.Event, out.Text, next.State)
	}
	return comes(old) == comes(m.words)
}

// keeps has a message be the last one, unless what was said is kept no longer.
func (h *history) keeps(m said) {
	if len(h.c.Heard) == 0 {
		return
	}
	h.wrote = append(slices.DeleteFunc(h.wrote, func(was said) bool { return was.id == m.id }), m)
	h.wrote = h.wrote[max(0, len(h.wrote)-remembered):]
}

func (h *history) unseen(ev bot.Event) bool {
	return ev == flows.Unseen || ev == flows.UnseenBesideWords || ev == flows.WroteToAgent || ev == flows.WroteWaiting
}

// atDesk says whether what is written is an agent's to read.
func (h *history) atDesk() bool { return inDesk(h.c.State) && h.c.Handoff.Open() }

// settles holds that the message was answered by the bot, once, or is the agent's to read, once.
func (h *history) settles(out bot.Outcome, owed []bot.Promise, m said, desk bool, mark string) {
	h.t.Helper()
	switch said := bubbles(owed); {
	case said > 1:
		h.t.Errorf("%q in %s: %d answers", m.words, out.From, said)
	case said == 0 && !desk:
		h.t.Errorf("%q in %s: nobody hears it (%s)", m.words, out.From, out.Event)
	}
	if !desk {
		h.acted++
		return
	}
	lines := personLines(owed)
	if len(lines) != 1 {
		h.t.Errorf("%q in %s: the agent reads %q (%s)", m.words, out.From, lines, out.Event)
		return
	}
	h.read++
	want := mark
	if name := map[string]string{
		bot.ThingPhoto: "(foto) ", bot.ThingDocument: "(documento) ", bot.ThingVideo: "(video) ", bot.ThingVoice: "(nota de voz) ", bot.ThingAudio: "(audio) ",
	}[m.thing]; name != "" {
		want += name
	}
	switch {
	case strings.Contains(m.words, "Perro"), strings.HasPrefix(m.words, "AB-"):
		want = "(•••)"
	case strings.Contains(m.words, known):
		want += strings.ReplaceAll(m.words, known, "171•••••65")
	case strings.Trim(m.words, "0123456789") == "" && strings.HasSuffix(lines[0], "•"): // it ends what may be a number
		want = lines[0]
	case strings.HasPrefix(m.words, "17100340"):
		want = lines[0] // masked or not: a number that is none
		if strings.Contains(lines[0], m.words) && len(m.words) == 10 {
			return
		}
	default:
		want += m.words
	}
	if strings.TrimSpace(want) != lines[0] {
		h.t.Errorf("%q under %q: the agent reads %q, want %q", m.words, m.thing, lines[0], want)
	}
}

// changes edits one of the last messages. Without a change it is nothing. While the question of the message stands it comes to
// what the new words, typed there, would come to; later, and at the desk, it is told of or read.
func (h *history) changes() {
	h.t.Helper()
	if len(h.wrote) == 0 {
		return
	}
	m := h.wrote[h.r.IntN(len(h.wrote))]
	if h.r.IntN(2) == 0 {
		m = h.wrote[len(h.wrote)-1]
	}
	words := m.words
	if h.r.IntN(4) > 0 {
		words = saidOrWritten[h.r.IntN(len(saidOrWritten))]
	}
	same, old := words == m.words, m.words
	m.words = words
	desk := h.atDesk()
	first := m.from == flows.Start && h.c.State == flows.Welcome
	stands := (m.from == h.c.State || first) && m.prompt == h.c.Prompt
	mends := h.c.Slots["complaint"] != "" && slices.Contains(strings.Split(h.c.Slots["complaint_ids"], "\x1e"), m.id)
	writing := slices.Contains(flows.Marked(bot.FreeText), h.c.State)
	_, typed, _ := h.tries(bot.Update{ID: "typed", Kind: bot.Text, Text: m.words, Media: m.thing, MessageID: "typed"})
	out, owed := h.step(bot.Update{Kind: bot.Edited, Text: m.words, Media: m.thing, MessageID: m.id})
	if same {
		if bubbles(owed) > 0 || len(personLines(owed)) > 0 || out.Event != bot.Ignored {
			h.t.Errorf("an edit of %q without a change in %s came to %s", m.words, out.From, out.Event)
		}
		h.quiet++
		return
	}
	if out.Event == bot.Ignored && !desk && bubbles(owed) == 0 && h.alike(m, old) {
		h.quiet++
		h.keeps(m)
		return
	}
	asked := slices.Contains(flows.Marked(flows.AsksNumber), out.From) && slices.Contains(flows.Marked(flows.AsksNumber), m.from) // in other words by now
	parts := strings.Trim(m.words, "0123456789") == "" || strings.Trim(old, "0123456789") == ""                                   // a first part of a number is forgotten with the message that it stood in
	if stands && !mends && !desk && !parts && (out.Event != typed.Event || out.To != typed.To) {
		h.t.Errorf("%q put into an edit in %s came to %s, typed there to %s", m.words, out.From, out.Event, typed.Event)
	}
	if told := []bot.Event{flows.Edited, flows.EditedNumber, flows.WroteSecret, flows.Emergency, flows.EmergencyOrWords}; !stands && !mends && !desk &&
		!slices.Contains(told, out.Event) && !slices.Contains(flows.Marked(flows.ReadsBack), out.From) && !asked {
		h.t.Errorf("%q put into an edit in %s, of a message whose question is over, came to %s", m.words, out.From, out.Event)
	}
	m.from, m.prompt = "", 0
	if (stands || mends && writing) && !desk && !acts(owed) {
		m.from, m.prompt = out.From, h.c.Prompt
		h.again++
	}
	h.keeps(m)
	h.settles(out, owed, m, desk, "(mensaje corregido) ")
}

// repeats has the last update delivered once more.
func (h *history) repeats() {
	h.t.Helper()
	if h.n == 0 {
		return
	}
	before := h.c.Version
	next, out, owed := h.tries(bot.Update{ID: fmt.Sprint(h.n), Kind: bot.Text, Text: "hola", MessageID: "again"})
	if !out.Repeat || len(owed) > 0 || next.Version != before {
		h.t.Errorf("a repeat came to %s with %d promises", out.Event, len(owed))
	}
}

// presses one of the buttons that are shown.
func (h *history) presses() {
	h.t.Helper()
	if len(h.c.Shown) == 0 {
		return
	}
	h.step(bot.Update{Kind: bot.Press, Button: h.c.Shown[h.r.IntN(len(h.c.Shown))], Prompt: h.c.Prompt, MessageID: "question"})
}

// goes has the next thing happen.
func (h *history) goes(d *frontDesk) {
	h.t.Helper()
	h.now = h.now.Add(time.Duration(4+h.r.IntN(60)) * time.Second)
	words := saidOrWritten[h.r.IntN(len(saidOrWritten))]
	switch n := h.r.IntN(100); {
	case n < 30:
		h.writes(words, "")
	case n < 50:
		h.writes(words, under[h.r.IntN(len(under))])
	case n < 70:
		h.changes()
	case n < 75:
		h.repeats()
	case n < 88:
		h.presses()
	case h.c.Handoff.Open():
		h.step(deed(h.r, h.c))
	default:
		d.closed.Store(n == 99)
		h.step(bot.Update{Kind: bot.Signal, Signal: signalled[h.r.IntN(len(signalled))], Attempt: h.c.Attempt})
	}
}

// Every message, caption and edit of a person is found in what the bot acted on or in what the agent reads: none is lost and none is
// answered twice, whatever came before. 10,000 random histories, or 200 others each day. What is under a picture or in an edit
// comes to what the same words come to alone.
func TestHeard_once(t *testing.T) {
	t.Parallel()
	sweep := bottest.NewSweep(t)
	d := &frontDesk{}
	e := deskEngine(t, d, false)
	read, acted, quiet, again := 0, 0, 0, 0
	for i := range sweep.Of(histories, historiesSmall) {
		seed := uint64(i)
		if !sweep.Whole {
			seed += sweep.Seed * histories
		}
		d.closed.Store(false)
		h := &history{t: t, r: rand.New(rand.NewPCG(seed, 15)), e: e, c: bot.Conversation{ID: "telegram:1"}, now: time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)}
		for range happenings {
			h.goes(d)
		}
		if t.Failed() {
			t.Fatalf("history %d", seed)
		}
		read, acted, quiet, again = read+h.read, acted+h.acted, quiet+h.quiet, again+h.again
	}
	t.Logf("%d messages were acted on, %d of them edits whose question stood; %d are an agent's; %d edits changed nothing", acted, again, read, quiet)
	if read == 0 || acted == 0 || quiet == 0 || again == 0 {
		t.Error("the histories do not come everywhere")
	}
}
