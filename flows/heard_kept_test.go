package flows_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"llave/bot"
	"llave/flows"
	"llave/internal/affiliate"
	"llave/internal/bottest"
	"llave/internal/secret"
)

// What comes of what a person writes, as they write it: in bursts and after a pause, in pieces and pictures, by either channel.

// happening is one thing that a person does, or that comes from elsewhere.
type happening struct {
	after               time.Duration // since the one before
	do                  string
	words, thing, album string
	pick                int // which message, button, signal or deed
}

func (p happening) String() string {
	said := fmt.Sprintf("+%v %s", p.after.Round(10*time.Millisecond), p.do)
	for _, more := range []string{p.thing, p.album, p.words} {
		if more != "" {
			said += fmt.Sprintf(" %q", more)
		}
	}
	return fmt.Sprintf("%s #%d", said, p.pick)
}

// topics are what people come for, in the order in which they write it. "|" parts what may come in pieces.
var topics = [][]string{
	{"quiero desbloquear mi clave", "[yes]", known, "[yes]", "[send]"},
	{"hola", "[yes]", "desbloquear", "1710|034065", "[yes]", "[send]", "no me llega"},
	{"desbloquear", "mi cédula es " + known, "sí", "[send]", "[resend]"},
	{"desbloquear", "171|003|4065", "sí", code, "sí"},
	{"desbloquear", "17100|34066", "1710034064", known, "sí"},
	{"queja", "me trataron|muy mal|en la|oficina", "y nadie|me ayuda", "[register]"},
	{"quiero|poner una|queja", "esperé tres horas y nadie atendió", "fue el lunes", "mi cédula es 17100|34065", "sí"},
	{"queja", "me hicieron volver|otra vez", "esto no funciona", "[rewrite]", "el guardia me gritó y me botó", "[register]"},
	{"persona", "buenos días|tengo una|pregunta", "1710|034065", "mi clave es Perro2024!"},
	{"desbloquear", known, "sí", "recuérdeme en una hora", "@wait"},
	{"desbloquear", "recuérdeme mañana", "estado", "@wait", "hola"},
	{"oficina", "@place", "menú"},
	{"hola|buenas|tardes", "necesito|una|persona"},
	{"mi clave está|bloqueada", "[yes]", "no|tengo correo"},
	{"queja", "no me trataron|bien", "y me botó|ya", "[register]"},
	{"queja", "no|me atendieron|bien", "y me negaron|todo", "sí"},
	{"queja", "no me dijeron|nada", "[rewrite]", "no|me|hicieron caso", "listo"},
	{"desbloquear", known, "sí", "[send]", "queja", "el guardia me gritó", "menú", "y también|me botó", "queja", "[register]"},
}

// manyTopics is the first seed of histories with all the topics; those before have the firstTopics.
const (
	manyTopics  = 500_000
	firstTopics = 14
)

// fewWords is how many may be a piece of something.
const fewWords = 2

// code is the one among them, which is masked in a complaint where it is known for one.
const code = "AB-12345"

// What people send beside that.
var (
	everywhereWords = []string{"estado", "atrás", "menú", "ayuda", "persona", "cancelar", "paso a paso"}

	loose  = []string{"gracias", "estado", "atrás", "menú", "ayuda", "no", "sí", "2", "blabla", "cuánto cuesta", "171003", "persona", "cancelar"}
	spots  = []bot.Spot{bot.SpotAt(-0.18, -78.48), bot.SpotAt(-2.17, -79.92), bot.SpotAt(48.1, 11.5)}
	things = []string{bot.ThingPhoto, bot.ThingVideo, bot.ThingDocument, bot.ThingVoice}
)

// historiesMet are the seeds of histories that once found a fault.
var historiesMet = []uint64{102667, 107185, 108176, 109412, 202024, 203960, 205757, 208848, 301480, 316464, 330374, 330735, 331352,
	332653, 337598, 342676, 345573, 347025, 364102, 208380137,
}

// pause is a time between 0.1 and 60 seconds, the short ones as often as the long.
func pause(r *rand.Rand) time.Duration {
	const shortest, longest = 0.1, 60
	return time.Duration(shortest * math.Pow(longest/shortest, r.Float64()) * float64(time.Second))
}

// within is a time in which more belongs to what was just sent.
func within(r *rand.Rand) time.Duration { return time.Duration(50+r.IntN(550)) * time.Millisecond }

// happens makes up a history.
func happens(seed uint64) (all []happening) {
	r, topics := rand.New(rand.NewPCG(seed, 17)), topics
	if seed < manyTopics {
		topics = topics[:firstTopics]
	}
	add := func(p happening) {
		p.pick = r.IntN(1 << 16)
		if p.after == 0 {
			p.after = pause(r)
		}
		all = append(all, p)
	}
	beside := func() {
		switch n := r.IntN(100); {
		case n < 20:
			add(happening{do: "says", words: loose[r.IntN(len(loose))]})
		case n < 35:
			add(happening{do: "edits", words: saidOrWritten[r.IntN(len(saidOrWritten))]})
		case n < 40:
			add(happening{do: "edits"})
		case n < 50:
			album, with := fmt.Sprint("album", len(all)), r.IntN(4)
			for i := range 2 + r.IntN(3) {
				p := happening{do: "says", thing: bot.ThingPhoto, album: album, after: within(r) / 4}
				if i == with {
					p.words = saidOrWritten[r.IntN(len(saidOrWritten))]
				}
				add(p)
			}
		case n < 58:
			add(happening{do: "says", thing: things[r.IntN(len(things))]})
		case n < 66:
			add(happening{do: "says", thing: things[r.IntN(len(things))], words: saidOrWritten[r.IntN(len(saidOrWritten))]})
		case n < 70:
			add(happening{do: "shares"})
		case n < 78:
			add(happening{do: "repeats"})
		case n < 86:
			add(happening{do: "presses"})
		case n < 90:
			add(happening{do: "desk"})
		case n < 95:
			add(happening{do: "signals"})
		default:
			add(happening{do: "waits", after: time.Duration(1+r.IntN(40)) * time.Minute})
		}
	}
	for len(all) < happenings {
		for _, words := range topics[r.IntN(len(topics))] {
			for r.IntN(4) == 0 {
				beside()
			}
			switch {
			case strings.HasPrefix(words, "["):
				add(happening{do: "presses", words: strings.Trim(words, "[]")})
				continue
			case words == "@place":
				add(happening{do: "shares"})
				continue
			case words == "@wait":
				add(happening{do: "waits", after: time.Duration(1+r.IntN(25)) * time.Hour})
				continue
			}
			slow := r.IntN(4) == 0
			for i, part := range strings.Split(words, "|") {
				p := happening{do: "says", words: part}
				if i > 0 && !slow {
					p.after = within(r)
				}
				if r.IntN(12) == 0 {
					p.thing = bot.ThingPhoto
				}
				if i > 0 && r.IntN(15) == 0 {
					beside()
				}
				add(p)
			}
		}
	}
	return all
}

// note is one message of the person's, as it reads now.
type note struct {
	id, words, thing string
	mailed           bool // a letter went out for it
	at               time.Time
	before           bot.Conversation // what it came to
}

// bubble is one answer that was read.
type bubble struct {
	text string
	at   time.Time
	of   int // the turn
}

// letters plays a history, and knows what must have come of it.
type played struct {
	e       *bot.Engine
	v       *secret.Vault
	c       bot.Conversation
	now     time.Time
	channel string
	n       int
	last    string // the last update of the person's
	faults  []string

	notes    []note
	typed    []string // all that was ever written, in order
	first    []string // but for edits
	read     []bubble
	lines    []string       // the person's, as the transcript has them
	other    int            // the last turn that was no few words
	parts    []note         // of a complaint that is not filed yet
	versions [][]note       // that there were
	digits   []string       // parts of a number that is asked for
	refused  []string       // numbers that failed their check digit
	ref      string         // of the case
	kept     map[int64]bool // its lines, by number
	counts   map[string]int
	came     map[int]time.Time // each turn
	began    map[int]time.Time // what came in one breath with it
}

func (h *played) breaks(kind, format string, args ...any) {
	h.faults = append(h.faults, kind+": "+fmt.Sprintf(format, args...))
}

// tries is what an update would come to.
func (h *played) tries(c bot.Conversation, u bot.Update) (bot.Conversation, bot.Outcome, error) {
	u.Channel, u.Chat = h.channel, "1"
	return h.e.Step(context.Background(), c, u, bot.Env{
		Now: h.now, Reservation: &bot.Reservation{Granted: true, Attempt: fmt.Sprint("a", h.n), Ends: h.now.Add(10 * time.Minute)},
	})
}

// turn is one update answered: what it newly owes.
type turn struct {
	out     bot.Outcome
	was     bot.Conversation
	says    []string // ours
	agent   []string // lines that an agent reads
	letters []bot.Promise
	filed   []string
}

func (h *played) step(u bot.Update) (got turn, ok bool) {
	if u.Text != "" {
		h.typed = append(h.typed, u.Text)
	}
	if u.Kind == bot.Text {
		h.first = append(h.first, u.Text)
	}
	h.n++
	h.came[h.n] = h.now
	if h.began[h.n] = h.began[h.n-1]; h.now.Sub(h.began[h.n]) > bot.PieceWait {
		h.began[h.n] = h.now
	}
	if u.ID == "" {
		u.ID = fmt.Sprint(h.n)
	}
	if !u.Timer {
		h.last = u.ID
	}
	next, out, err := h.tries(h.c, u)
	if err != nil {
		h.breaks("error", "%v", err)
		return got, false
	}
	got.out, got.was = out, h.c
	owed := map[string]bool{}
	for _, p := range h.c.Promises {
		owed[p.ID] = true
	}
	h.c = next
	for _, p := range next.Promises {
		if owed[p.ID] {
			continue
		}
		switch what := p.What.(type) {
		case bot.Say:
			if what.Reply.By == "" {
				got.says = append(got.says, h.open(*what.Reply))
			}
		case bot.KeepLines:
			if what.Ref != h.ref {
				h.ref, h.kept = what.Ref, map[int64]bool{}
			}
			for _, l := range what.Lines {
				if l.From == bot.FromPerson && !h.kept[l.Seq] { // else it is masked now
					got.agent = append(got.agent, l.Text)
				}
				h.kept[l.Seq] = true
			}
		case bot.MailLink:
			got.letters = append(got.letters, p)
		case bot.KeepFile:
			if what.Topic == "complaint" {
				got.filed = append(got.filed, what.Body)
			}
		}
	}
	h.keepsLines(u, got)
	h.keepsComplaint(got)
	h.keepsLetters(got)
	h.c.Promises = slices.DeleteFunc(h.c.Promises, func(p bot.Promise) bool { return p.Lane() != bot.LaneChat })
	if n := len(got.says); n > 1 {
		h.breaks("answered twice", "%d bubbles at once: %q", n, got.says)
	}
	return got, true
}

func (h *played) open(r bot.Reply) string {
	if !r.Sealed {
		return r.Text
	}
	text, err := flows.OpenReply(h.v, h.c.ID, r.Text)
	if err != nil {
		h.breaks("error", "%v", err)
	}
	return text
}

// passes has time go by: what is due is said, and what is set goes off.
func (h *played) passes(d time.Duration) {
	end := h.now.Add(d)
	for {
		h.delivers()
		next, timed := h.c.ReplyDue(), false
		if at := h.c.NextTimer(); !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next, timed = at, true
		}
		if next.IsZero() || next.After(end) {
			break
		}
		if next.After(h.now) {
			h.now = next
		}
		if timed {
			h.goesOff()
		}
	}
	h.now = end
	h.delivers()
}

// goesOff has the first timer go off. A reminder is one bubble, where it is not set anew.
func (h *played) goesOff() {
	i := slices.IndexFunc(h.c.Timers, func(t bot.Timer) bool { return t.At.Equal(h.c.NextTimer()) })
	timer := h.c.Timers[i]
	h.other = h.n + 1
	got, ok := h.step(bot.Update{Kind: bot.Signal, Signal: timer.Signal, Attempt: timer.Attempt, Timer: true})
	if !ok || timer.Signal != bot.SignalRemind || got.out.Repeat {
		return
	}
	h.counts["reminders"]++
	again := slices.ContainsFunc(h.c.Timers, func(t bot.Timer) bool { return t.Signal == bot.SignalRemind })
	if (len(got.says) == 1) == again && !h.e.Place(got.out.From).Is(flows.AtDesk, flows.BeforeTerms, flows.AfterKey) { // where it is not said
		h.breaks("reminder", "%d bubbles, set anew: %v (%s in %s)", len(got.says), again, got.out.Event, got.out.From)
	}
}

// delivers says what is due, in order.
func (h *played) delivers() {
	for {
		var due []bot.Promise
		for _, p := range h.c.Promises {
			if p.NotBefore.After(h.now) || p.Waits {
				break
			}
			due = append(due, p)
			if h.channel != "whatsapp" || p.Kind() != bot.PromiseSay {
				break
			}
		}
		if len(due) == 0 {
			return
		}
		for _, p := range due {
			h.c.Drop(p.ID)
			if say, ok := p.What.(bot.Say); ok && say.Reply.By == "" {
				h.reads(h.open(*say.Reply), turnOf(p))
			}
		}
		h.c.EndPieces()
	}
}

// reads is one bubble that arrives. The same is not said twice in one breath, to a few words that came in one, but to one that
// holds everywhere. Words after one that waited for more may be an answer to it.
func (h *played) reads(text string, of int) {
	if n := len(h.read); n > 0 {
		if b := h.read[n-1]; b.text == text && b.of > h.other && b.at.Equal(h.came[b.of]) && h.came[of].Sub(b.at) <= bot.PieceWait {
			h.breaks("said twice", "%q again after %v", cut(text), h.came[of].Sub(h.came[b.of]))
		}
	}
	h.read = append(h.read, bubble{text, h.now, of})
}

// turnOf is the turn that a promise was made in.
func turnOf(p bot.Promise) int {
	n, err := strconv.Atoi(strings.Split(p.ID, "/")[1])
	if err != nil {
		return 0
	}
	return n
}

func cut(text string) string { return bot.Cut(text, 60) }

// deskReads says whether what is written is an agent's to read.
func (h *played) deskReads() bool { return inDesk(h.c.State) && h.c.Handoff.Open() }

// says is a message: words, a thing, or both.
func (h *played) says(p happening) {
	u := bot.Update{MessageID: fmt.Sprint("m", h.n+1), Album: p.album, Kind: bot.Text, Text: p.words}
	if h.channel == "whatsapp" {
		u.Album = ""
	}
	if p.thing != "" {
		u.Brings(bot.Media, p.thing, p.words)
	}
	if p.do == "shares" {
		u.Kind, u.Spot = bot.Location, spots[p.pick%len(spots)]
	}
	desk, before := h.deskReads(), h.c
	h.counts[p.do]++
	if slices.Contains(everywhereWords, p.words) || len(strings.Fields(p.words)) > fewWords || digitsOf(p.words) != "" || u.Kind != bot.Text || u.Media != "" {
		h.other = h.n + 1
	}
	rest := u.Album != "" && h.c.Album == u.Album
	if n := len(h.notes); n > 0 && h.notes[n-1].thing != "" && u.Album == "" { // sent at once too: beside words that were answered all are silent
		rest = h.now.Sub(h.notes[n-1].at) < bot.PieceWait
	}
	got, ok := h.step(u)
	if !ok {
		return
	}
	m := note{id: u.MessageID, words: p.words, thing: p.thing, mailed: len(got.letters) > 0, at: h.now, before: before}
	h.notes = append(h.notes, m)
	if desk {
		h.agentReads(m.words, m.thing, u.Kind, "", got)
		return
	}
	if len(got.says) == 0 && !(u.Kind != bot.Text && rest) && !h.isRest(u, got) {
		h.breaks("nobody hears it", "%q (%s) in %s: %s", p.words, cmp.Or(p.thing, string(u.Kind)), got.out.From, got.out.Event)
	}
	h.takesComplaint(m, got)
	if u.Kind == bot.Text {
		h.takesNumber(m, got, false)
	}
}

// isRest says whether a message to which nothing is said belongs to those just before, so that what was said to them answers it: by
// itself, or with them, it comes to the same bubble and to what the conversation now is.
func (h *played) isRest(u bot.Update, got turn) bool {
	waits := h.c.ReplyDue().After(h.now)
	switch {
	case waits && u.Kind == bot.Media: // what is said to the one before is said to both
		return true
	case len(h.read) == 0:
		return false
	case slices.Contains([]string{"una", "un", "la", "los", "me"}, u.Text) && h.now.Sub(h.read[len(h.read)-1].at) <= bot.PieceWait: // means nothing alone
		return true
	}
	last := h.read[len(h.read)-1]
	if h.now.Sub(last.at) > bot.PieceWait {
		return false
	}
	h.counts["rest"]++
	if got.out.Event == flows.NumberInComplaint { // another part of one that was told of
		return true
	}
	if u.Kind != bot.Text {
		return u.Kind == bot.Media // more pictures beside what was answered
	}
	same := func(c bot.Conversation, words string) bool {
		c = takenBack(c)
		v := u
		v.ID, v.Text = "rest", words
		next, _, err := h.tries(c, v)
		if err != nil {
			return false
		}
		for _, p := range next.Promises {
			if say, ok := p.What.(bot.Say); ok && strings.HasPrefix(p.ID, next.ID) && h.open(*say.Reply) == last.text {
				return h.comesTo(next)
			}
		}
		return false
	}
	if digitsOf(u.Text) != "" && slices.ContainsFunc([]string{"part", "typed", "given"}, func(slot string) bool { return h.c.Slots[slot] != got.was.Slots[slot] }) {
		return true // it is kept with the number so far
	}
	if same(got.was, u.Text) {
		return true
	}
	words, before := u.Text, []bot.Conversation{got.was}
	for _, m := range slices.Backward(h.notes[:len(h.notes)-1]) {
		if h.now.Sub(m.at) > 2*bot.PieceWait {
			break
		}
		words, before = strings.TrimSpace(m.words+" "+words), append(before, m.before)
		if slices.ContainsFunc(before, func(c bot.Conversation) bool { return same(c, words) }) { // after a "no" that was answered too
			return true
		}
	}
	return false
}

// takenBack is a conversation as what waits for more found it: the next message takes that back, but for digits.
func takenBack(c bot.Conversation) bot.Conversation {
	if p := c.Pieces; p != nil && !p.Done {
		slots := maps.Clone(p.Before.Slots)
		for _, name := range p.Kept {
			if slots == nil {
				slots = map[string]string{}
			}
			if value, is := c.Slots[name]; is {
				slots[name] = value
			}
		}
		c.State, c.Back, c.Text, c.Prompt, c.Shown, c.Slots, c.Misses, c.Lang = p.Before.State, p.Before.Back, p.Before.Text, p.Before.Prompt, p.Before.Shown, slots, p.Before.Misses, p.Before.Lang
	}
	c.Pieces, c.Answered = nil, nil
	return c
}

// comesTo says whether the conversation stands where another does.
func (h *played) comesTo(other bot.Conversation) bool {
	complaint := func(c bot.Conversation) string { // in however many parts
		text, _ := flows.OpenComplaint(h.v, c)
		return inWords(strings.ReplaceAll(text, "\x1e", " "))
	}
	slots := func(c bot.Conversation) map[string]bool {
		has := map[string]bool{}
		for name := range c.Slots {
			has[name] = !strings.HasPrefix(name, "say.")
		}
		maps.DeleteFunc(has, func(_ string, counts bool) bool { return !counts })
		delete(has, "part") // what is said in between takes none of a number away
		return has
	}
	return h.c.State == other.State && h.c.Text == other.Text && complaint(h.c) == complaint(other) && maps.Equal(slots(h.c), slots(other))
}

// masked are words as they may be kept.
func masked(words string) string { return affiliate.MaskAll(bot.Clean(words)) }

// hides says whether nothing may be kept of words: a key, or a code that no mask knows.
func hides(words string) bool {
	return strings.Contains(words, "Perro") || strings.Contains(words, "AB-")
}

// agentReads holds that an agent reads a message, once, as it was written.
func (h *played) agentReads(words, thing string, kind bot.Kind, mark string, got turn) {
	h.counts["agent"]++
	if len(got.agent) != 1 {
		h.breaks("an agent", "reads %q of %q (%s)", got.agent, words, got.out.Event)
		return
	}
	line := got.agent[0]
	name := map[string]string{bot.ThingPhoto: "(foto)", bot.ThingDocument: "(documento)", bot.ThingVideo: "(video)", bot.ThingVoice: "(nota de voz)"}[thing]
	if kind == bot.Location {
		name = "(ubicación)"
	}
	want := strings.Join(strings.Fields(mark+" "+name+" "+masked(words)), " ")
	if line != want && !(hides(words) && line == "(•••)") && !(digitsOf(words) != "" && strings.Contains(line, "•")) {
		h.breaks("an agent", "reads %q, want %q", line, want)
	}
}

// digitsOf are all digits in a text.
func digitsOf(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return r
		}
		return -1
	}, text)
}

// keepsLines holds that the transcript has each message of the person once, in order, and no number in clear, not in parts either.
func (h *played) keepsLines(u bot.Update, got turn) {
	var lines []string
	for _, l := range h.c.Tail {
		if l.From == bot.FromPerson {
			lines = append(lines, l.Text)
		}
	}
	was := h.lines
	h.lines = lines
	if u.Kind == bot.Signal || u.Kind == bot.Desk || u.Kind == bot.Press {
		return
	}
	if len(lines) < len(was) && len(h.c.Tail) < bot.TailMax {
		if len(lines) > 1 { // else forgotten
			h.breaks("transcript", "%d lines of the person's became %d (%s)", len(was), len(lines), got.out.Event)
		}
		return
	}
	grown := len(lines) - len(was)
	forgot := len(lines) == 1 && len(was) == 1 && slices.Contains(flows.Marked(flows.FirstWord), h.c.State)
	if len(h.c.Tail) < bot.TailMax && grown != 1 && !forgot && got.out.Event != bot.Ignored {
		h.breaks("transcript", "%q is there %d times (%s)", u.Text, grown, got.out.Event)
	}
	if grown == 1 {
		line := lines[len(lines)-1]
		if masks := strings.Contains(line, "•"); !strings.Contains(line, masked(u.Text)) && !(masks && (hides(u.Text) || digitsOf(u.Text) != "")) {
			h.breaks("transcript", "has %q of %q", line, u.Text)
		}
	}
	run := ""
	for _, l := range lines {
		d := digitsOf(l)
		if d == "" || strings.ContainsFunc(l, func(r rune) bool { return unicode.IsLetter(r) || r == '•' }) {
			run = ""
			continue
		}
		if run += d; strings.Contains(run, known) {
			h.breaks("number in clear", "in the lines of the transcript: %q", lines[max(len(lines)-4, 0):])
			break
		}
	}
}

// takesNumber holds that a number that is read back was written, and that one that was written where it is asked for is read back:
// whole, or in parts, whatever was said between them.
func (h *played) takesNumber(m note, got turn, edited bool) {
	d := digitsOf(m.words)
	given, err := flows.OpenSlot(h.v, h.c, "given")
	was, _ := flows.OpenSlot(h.v, got.was, "given")
	asked := flows.Marked(flows.AsksNumber)
	if !slices.Contains(asked, got.out.From) || !slices.Contains(asked, got.was.State) {
		h.digits = nil
	} else if d != "" && d == strings.TrimSpace(m.words) {
		h.digits = append(h.digits, d)
	} else if d != "" {
		h.digits = nil
	}
	if slices.Contains([]bot.Event{flows.WrongDigit, flows.PhoneOrSlip}, got.out.Event) {
		h.refused = append(h.refused, d, strings.Join(h.digits, ""))
		h.digits = nil
	}
	if err == nil && given != was && h.c.Slots["given"] != "" {
		h.counts["numbers"]++
		if !h.wrote(given) {
			h.breaks("number made up", "%s is read back (%s)", given, got.out.Event)
		}
		if got.out.Event == flows.GaveNumber && affiliate.ParseNumber(given, affiliate.ParseOptions{}).Verdict != affiliate.Accept && !slices.Contains(h.refused, given) && !slices.Contains(h.typed[:len(h.typed)-1], given) {
			h.breaks("number unchecked", "%s is read back", given)
		}
		h.digits = nil
		return
	}
	if edited || d == "" && len(strings.Fields(m.words)) > fewWords {
		h.digits = nil // what was a part may be none, or all begins anew
	}
	if edited && d != "" {
		h.digits = []string{"edited"} // whatever follows, it is another number
	}
	if strings.Join(h.digits, "") == known && given != known {
		h.breaks("number lost", "%q: %s in %s", h.digits, got.out.Event, got.out.From)
		h.digits = nil
	}
}

// wrote says whether a number stands in a message, or in several that hold digits and follow each other, as they came or as they read
// now. A choice that is typed between two parts ("2") is none of them, and no digits of a key are.
func (h *played) wrote(number string) bool {
	var now []string
	for _, m := range h.notes {
		now = append(now, m.words)
	}
	return stands(number, h.typed) || stands(number, h.first) || stands(number, now)
}

// stands says whether a number is made of what was written, in that order: of a message, or of digits out of several.
func stands(number string, all []string) bool {
	begun := map[string]bool{"": true} // what of the number may have been written so far
	for _, words := range all {
		if strings.Contains(strings.ToUpper(words), strings.ToUpper(number)) || strings.Contains("0"+digitsOf(words), number) {
			return true
		}
		d := digitsOf(words)
		for part := range maps.Clone(begun) {
			if d != "" && strings.HasPrefix(number, part+d) {
				begun[part+d] = true
			}
		}
	}
	return begun[number]
}

// takesComplaint holds that a message that belongs to a complaint is in it, and in its place. What was said just before, or before a
// complaint was asked for, may turn out to be the beginning.
func (h *played) takesComplaint(m note, got turn) {
	text := inWords(h.complaint())
	if reads(h.parts, text) && slices.Contains(everywhereWords, m.words) { // it says that now, and nothing of a complaint
		return
	}
	took := got.out.Event == flows.ComplaintGathered
	asked := !h.e.Place(got.out.From).Is(bot.FreeText)
	if reads(h.parts, text) && (!took || asked) { // who asks for one that is there already is read it
		return
	}
	if slices.Contains([]string{"3", "no", "nada"}, m.words) && reads(h.parts, text) { // said of deleting or filing it: it is read again
		return
	}
	if m.words == "3" && got.out.Event == flows.ComplaintRewritten { // the third button: the other one of the two
		if h.returns(); reads(h.parts, text) {
			return
		}
	}
	if m.words == "atrás" && got.was.Slots["complaint_anew"] != "" && reads(h.parts, text) {
		return // "atrás" holds where a message was changed to it as well: what there is is read back, and nothing is filed unread
	}
	if took {
		h.counts["complained"]++
	}
	i := slices.IndexFunc(h.parts, func(p note) bool { return p.id == m.id })
	with := append(slices.Clone(h.parts), m)
	may := [][]note{with}
	if i >= 0 {
		with = slices.Clone(h.parts)
		with[i] = m
		may = [][]note{with, slices.Delete(slices.Clone(h.parts), i, i+1)} // what may not be kept is taken out
	}
	if string(got.out.Event) == "ComplaintRewritten" {
		may = append(may, []note{m})
		for from := range min(len(h.notes), remembered) {
			may = append(may, h.notes[len(h.notes)-1-from:])
		}
	}
	for from := range min(len(h.notes), remembered) { // newest first
		before := h.notes[len(h.notes)-1-from:]
		some := [][]note{before, before[:1], {before[0], m}}
		for to := range from {
			some = append(some, before[:to+1])
		}
		for _, more := range some {
			may = append(may, slices.Concat(h.parts, more), slices.Concat(h.parts[:max(len(h.parts)-1, 0)], more))
		}
	}
	if got.out.Event == flows.NumberInComplaint { // one that came in several messages is taken out
		for n := range with {
			if saysNumber(with[n:]) {
				may = append(may, with[:n])
			}
		}
	}
	h.takesBefore(m, got, text)
	for _, parts := range may {
		if reads(parts, text) && (text != "" || len(parts) == 0 || parts[len(parts)-1].thing != "") {
			h.parts = slices.Clone(parts) // an edit changes the notes
			h.versions = append(h.versions, h.parts)
			return
		}
	}
	if took || text != "" {
		h.breaks("complaint", "is %q, was written as %q (%s)", text, written(with), got.out.Event)
	}
	h.parts = []note{{words: text}}
}

// takesBefore holds that what was written in one breath before a part of a complaint, where one is written, is in it too.
func (h *played) takesBefore(m note, got turn, text string) {
	n := len(h.notes) - 2
	if n < 0 || h.notes[n+1].id != m.id || got.out.Event != flows.ComplaintGathered || !strings.Contains(text, masked(m.words)) {
		return
	}
	before := h.notes[n]
	asked := h.e.Place(before.before.State).Is(bot.FreeText)
	if !asked || before.thing != "" || before.id != fmt.Sprint("m", h.n-1) || m.at.Sub(before.at) >= bot.PieceWait || noPart(before.words) || m.words == "queja" {
		return
	}
	h.counts["in a breath"]++
	if !strings.Contains(text, masked(before.words)) {
		h.breaks("complaint torn", "is %q, and %q was written just before %q (%s)", text, before.words, m.words, got.out.Event)
	}
}

// noPart says of words that they are no part of a complaint wherever they are written: those that hold everywhere, manners, what else
// is wanted, and numbers.
func noPart(words string) bool {
	return slices.Contains(everywhereWords, words) || slices.Contains([]string{"gracias", "hola", "buenas", "queja", "desbloquear", "oficina", "sí", "bien", "ya", "listo", "recuérdeme mañana", "recuérdeme en una hora"}, words) ||
		digitsOf(words) != ""
}

// saysNumber says whether there is nothing but a number in some messages.
func saysNumber(notes []note) bool {
	digits := ""
	for _, p := range notes {
		words := strings.TrimPrefix(p.words, "mi cédula es ")
		if strings.Trim(words, "0123456789 ") != "" {
			return false
		}
		digits += digitsOf(words)
	}
	return len(digits) >= 9
}

// reads says whether a text is what was written, in one line or several.
func reads(parts []note, text string) bool {
	if text = affiliate.MaskAll(text, code); text == written(parts) {
		return true
	}
	var all []string
	for _, p := range parts {
		all = append(all, p.words)
	}
	return text == inWords(affiliate.MaskAll(strings.Join(all, " "), code))
}

// returns notes that an earlier complaint is there again: the new one was taken back.
func (h *played) returns() {
	text := inWords(h.complaint())
	if i := slices.IndexFunc(h.versions, func(parts []note) bool { return reads(parts, text) }); i >= 0 && !reads(h.parts, text) {
		h.parts = h.versions[i]
	}
}

// written is a complaint as it was written.
func written(parts []note) string {
	var all []string
	for _, p := range parts {
		all = append(all, affiliate.MaskAll(p.words))
	}
	return inWords(affiliate.MaskAll(strings.Join(all, "\n"), code))
}

// complaint is what there is of one.
func (h *played) complaint() string {
	text, _ := flows.OpenComplaint(h.v, h.c)
	return affiliate.MaskAll(inWords(strings.ReplaceAll(text, "\x1e", "\n")))
}

// inWords is a text without what parts its words, and without what else came with them.
func inWords(text string) string {
	return strings.Join(strings.Fields(strings.NewReplacer("(foto)", "", "(video)", "", "(documento)", "", "(nota de voz)", "").Replace(text)), " ")
}

// keepsComplaint holds that what is filed is what was written.
func (h *played) keepsComplaint(got turn) {
	for _, body := range got.filed {
		h.counts["filed"]++
		if !reads(h.parts, inWords(body)) {
			h.breaks("complaint", "what is filed is %q, was written as %q", body, written(h.parts))
		}
		if !slices.ContainsFunc(h.read, func(b bubble) bool { return strings.Contains(inWords(b.text), inWords(body)) }) {
			h.breaks("complaint unread", "%q is filed (%s), and was read back to nobody", body, got.out.Event)
		}
	}
	if h.c.Slots["complaint"] == "" && got.out.Event != flows.ComplaintGathered {
		h.parts = nil
	}
}

// keepsLetters holds that a letter goes to the number that was read back and confirmed, and that an act asks for one at most.
func (h *played) keepsLetters(got turn) {
	if len(got.letters) > 1 {
		h.breaks("letters", "%d at once", len(got.letters))
	}
	for _, p := range got.letters {
		h.counts["letters"]++
		number, err := flows.OpenSlot(h.v, h.c, "number")
		if err != nil || p.Record != affiliate.Hash(h.v, number) || !h.wrote(number) {
			h.breaks("letters", "one goes to another number than the one that is confirmed")
		}
	}
}

// alike says whether a message comes to the same bubble in the same place with the words that it has now as with those that it had.
func (h *played) alike(m note, old string) bool {
	now := h.now
	h.now = m.at
	defer func() { h.now = now }()
	comes := func(words string) (came []string) {
		u := bot.Update{ID: "alike", Kind: bot.Text, Text: words, Media: m.thing}
		next, out, err := h.tries(m.before, u)
		if err != nil {
			return nil
		}
		for _, p := range next.Promises {
			if say, ok := p.What.(bot.Say); ok && strings.HasPrefix(p.ID, next.ID+"/alike/") {
				came = append(came, h.open(*say.Reply), string(out.Event), string(next.State))
			}
		}
		return came
	}
	return slices.Equal(comes(old), comes(m.words))
}

// edits changes one of the last messages.
func (h *played) edits(p happening) {
	if len(h.notes) == 0 || h.channel == "whatsapp" { // which does not tell what an edit says
		return
	}
	i := len(h.notes) - 1 - p.pick%min(len(h.notes), 3)
	m := &h.notes[i]
	if m.thing != "" && m.words == "" || p.words == m.words {
		return
	}
	same, old := p.words == "", m.words
	if !same {
		m.words = p.words
	}
	desk := h.deskReads()
	h.other = h.n + 1
	h.counts["edits"]++
	got, ok := h.step(bot.Update{Kind: bot.Edited, Text: m.words, Media: m.thing, MessageID: m.id})
	if !ok {
		return
	}
	known := slices.ContainsFunc(got.was.Heard, func(was bot.Heard) bool { return was.ID == m.id })
	switch {
	case same && known:
		if len(got.says)+len(got.agent) > 0 {
			h.breaks("edit", "of %q without a change: %s", m.words, got.out.Event)
		}
		return
	case desk:
		if !same {
			h.agentReads(m.words, m.thing, bot.Text, "(mensaje corregido)", got)
		}
		return
	case len(got.says) == 0 && h.alike(*m, old):
		return
	case len(got.says) != 1 && !h.isRest(bot.Update{Kind: bot.Text, Text: m.words}, got):
		h.breaks("edit", "to %q in %s is not heard: %s", m.words, got.out.From, got.out.Event)
	case m.mailed && len(got.letters) > 0:
		h.breaks("letters", "another one for an edit of a message that one was sent for")
	}
	m.mailed = m.mailed || len(got.letters) > 0
	h.takesComplaint(*m, got)
	h.takesNumber(*m, got, true)
}

// presses a button that is shown, the one that is named first.
func (h *played) presses(p happening) {
	if len(h.c.Shown) == 0 {
		return
	}
	button := h.c.Shown[p.pick%len(h.c.Shown)]
	if slices.Contains(h.c.Shown, p.words) {
		button = p.words
	} else if p.words != "" {
		return
	}
	h.other = h.n + 1
	defer h.returns()
	if got, ok := h.step(bot.Update{Kind: bot.Press, Button: button, Prompt: h.c.Prompt, MessageID: "question"}); ok && len(got.says) == 0 && !h.deskReads() {
		h.breaks("nobody hears it", "[%s] in %s: %s", button, got.out.From, got.out.Event)
	}
}

// goes has a thing happen.
func (h *played) goes(p happening) {
	h.passes(p.after)
	switch p.do {
	case "says", "shares":
		h.says(p)
	case "edits":
		h.edits(p)
	case "presses":
		h.presses(p)
	case "repeats":
		if h.last == "" {
			return
		}
		next, out, err := h.tries(h.c, bot.Update{ID: h.last, Kind: bot.Text, Text: "hola", MessageID: "again"})
		if err == nil && (!out.Repeat || len(next.Promises) != len(h.c.Promises)) {
			h.breaks("repeat", "came to %s", out.Event)
		}
	case "desk":
		if h.c.Handoff.Open() {
			h.other = h.n + 1
			h.step(deed(rand.New(rand.NewPCG(uint64(p.pick), 0)), h.c))
		}
	case "signals":
		signals := []string{bot.SignalMailSent, bot.SignalLinkUsed, bot.SignalKeyMade, bot.SignalMailRefused}
		if h.c.Attempt != "" {
			h.other = h.n + 1
			h.step(bot.Update{Kind: bot.Signal, Signal: signals[p.pick%len(signals)], Attempt: h.c.Attempt})
		}
	}
}

// plays is what a history comes to.
func plays(e *bot.Engine, v *secret.Vault, channel string, all []happening) *played {
	h := &played{
		e: e, v: v, channel: channel, c: bot.Conversation{ID: channel + ":1"}, now: time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC), counts: map[string]int{},
		kept: map[int64]bool{}, came: map[int]time.Time{}, began: map[int]time.Time{},
	}
	for _, p := range all {
		h.goes(p)
	}
	h.passes(bot.PieceWait)
	return h
}

// kindOf is what sort of fault one is.
func kindOf(fault string) string {
	kind, _, _ := strings.Cut(fault, ":")
	return kind
}

// fault is the first of a kind.
func (h *played) fault(kind string) string {
	i := slices.IndexFunc(h.faults, func(f string) bool { return kindOf(f) == kind })
	if i < 0 {
		return ""
	}
	return h.faults[i]
}

// smallest leaves out of a history what a fault of a kind does not need.
func smallest(e *bot.Engine, v *secret.Vault, channel string, all []happening, kind string) []happening {
	for again := true; again; {
		again = false
		for i := range slices.Backward(all) {
			less := slices.Delete(slices.Clone(all), i, i+1)
			if plays(e, v, channel, less).fault(kind) != "" {
				all, again = less, true
				break
			}
		}
	}
	return all
}

// Whatever a person writes, types under a picture, shares or changes, in whatever haste, is in what comes of it: the complaint, the
// number that is read back, the letters, the transcript, what an agent reads. Nothing is lost, nothing made up, and nothing said or
// done twice. 10,000 random histories, or some others each day.
func TestHeard_kept(t *testing.T) {
	t.Parallel()
	sweep := bottest.NewSweep(t)
	v, err := secret.New(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	e, err := flows.New(flows.Options{
		Records: oneRecord{}, Vault: v, PublicURL: "http://localhost:8080", LinkTTL: 3 * time.Minute, Desk: &frontDesk{},
		Limits: flows.Limits{
			NumbersHour: 1000, NumbersDay: 1000, MessagesMinute: 1000, ComplaintsHour: 1000, ComplaintsDay: 1000,
		},
		Idle: 24 * time.Hour, Seen: 192 * time.Hour, Erasing: func(string) flows.Erasing { return flows.Deleted },
		Offices: affiliate.Offices{
			{Name: "Centro de prueba", Province: "Pichincha", City: "Quito", Address: "Calle de Prueba 1", Hours: "mon-fri 08:00-16:00", Code: "uno", Spot: bot.SpotAt(-0.2, -78.5)},
		},
		SharesSpot: func(string) bool { return true },
	})
	if err != nil {
		t.Fatal(err)
	}
	sum := map[string]int{}
	kinds := map[string]int{}
	seeds := slices.Clone(historiesMet)
	for i := range sweep.Cases(histories, historiesSmall) {
		seed := manyTopics + uint64(i)
		if !sweep.Whole {
			seed += sweep.Seed * histories
		}
		seeds = append(seeds, seed)
	}
	for _, seed := range seeds {
		all := happens(seed)
		channel := []string{"telegram", "whatsapp"}[seed%2]
		h := plays(e, v, channel, all)
		for name, n := range h.counts {
			sum[name] += n
		}
		for i, fault := range h.faults {
			kind := kindOf(fault)
			if slices.ContainsFunc(h.faults[:i], func(f string) bool { return kindOf(f) == kind }) {
				continue
			}
			if kinds[kind]++; kinds[kind] > 3 { // enough of these
				continue
			}
			least := smallest(e, v, channel, all, kind)
			var says strings.Builder
			for _, p := range least {
				fmt.Fprintf(&says, "\n\t%v", p)
			}
			t.Errorf("history %d, %s: %s%s", seed, channel, plays(e, v, channel, least).fault(kind), says.String())
		}
	}
	t.Logf("%v; faults %v", sum, kinds)
	for _, name := range []string{"says", "shares", "edits", "agent", "numbers", "complained", "filed", "letters", "reminders"} {
		if sum[name] == 0 {
			t.Errorf("the histories hold no %s", name)
		}
	}
}
