package chaos

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"llave/bot"
	"llave/flows"
	"llave/internal/bottest"
	"llave/internal/handoff"
	"llave/internal/store"
)

// deskLedger is what was promised of the desk, and what was found against it.
type deskLedger struct {
	ended, lost, both, unheard, unlike, repeated, two, alone, gaps, undone, nowhere, files, owed invariant

	cases, lines, answered, open int
	copies                       map[way]int
	events                       map[string]int
	drafts                       int    // that were looked for
	late                         [2]int // messages for later: said, left as a note
}

// judge compares what people and agents were told with the transcripts, these with the conversations, and the
// conversations with the case files.
func (d *desk) judge(t *testing.T, took time.Duration) {
	t.Helper()
	s, _ := d.openStore(t)
	v := &deskLedger{
		ended:    invariant{name: "people whose case had no end"},
		lost:     invariant{name: "people's messages in no transcript and not answered by the bot"},
		both:     invariant{name: "people's messages that the bot answered instead of an agent, or both"},
		unheard:  invariant{name: "agents' messages in a transcript that the person did not get"},
		unlike:   invariant{name: "agents' messages that the person got otherwise than they stand in the transcript"},
		repeated: invariant{name: "repeats of an agent's message that no kill explains"},
		two:      invariant{name: "cases that two agents held, or that an agent was told to hold who did not"},
		alone:    invariant{name: "deeds in a transcript of an agent who did not hold the case"},
		gaps:     invariant{name: "transcripts with gaps or with a line twice"},
		undone:   invariant{name: "acknowledged deeds that are not in the transcript, once"},
		nowhere:  invariant{name: "cases that neither are over nor stand anywhere"},
		files:    invariant{name: "cases whose file is not what the conversation says"},
		owed:     invariant{name: "promises not kept"},
		copies:   map[way]int{},
		events:   map[string]int{},
	}
	histories := map[string]*history{}
	recorded := map[string][]handoff.CaseFile{} // by conversation
	err := s.Desk.EachCase(t.Context(), time.Now().Add(-time.Hour), time.Now().Add(time.Hour), func(r handoff.CaseFile) bool {
		recorded[r.Conv] = append(recorded[r.Conv], r)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range d.callers {
		if c.failed != nil {
			v.ended.breaks("person %d: %v", c.index, c.failed)
		}
		conv, err := s.Conversations.Load(t.Context(), s.Book.Conv(c.conv))
		if err != nil {
			t.Fatal(err)
		}
		if n := owes(conv); n > 0 {
			v.owed.breaks("person %d: %d", c.index, n)
		}
		v.judgeFiles(c, conv, recorded[s.Book.Conv(c.conv)])
		var all []*history
		for _, r := range recorded[s.Book.Conv(c.conv)] {
			lines, err := s.Desk.Lines(t.Context(), r.Ref, 0, 10_000)
			if err != nil {
				t.Fatal(err)
			}
			v.cases++
			v.lines += len(lines)
			if r.Ref == conv.Handoff.Ref && conv.Handoff.Lines != int64(len(lines)) {
				v.gaps.breaks("case %s: %d lines of %d", r.Ref, len(lines), conv.Handoff.Lines)
			}
			h := v.read(r.Ref, lines)
			histories[r.Ref] = h
			all = append(all, h)
		}
		v.judgeWords(c, conv, all)
		v.judgeBubbles(d, c, all)
	}
	v.judgeFeats(d, histories)
	v.judgeDrafts(t, s, d, histories)
	d.printDesk(t, v, took)
}

// history is a case as its transcript has it.
type history struct {
	ref    string
	lines  []bot.Line
	asked  int      // the line since which a person has been asked for
	ends   int      // the line with which it ended
	shut   [][2]int // from which line to which it was over, before it was opened again
	held   []holding
	deeds  map[string]int // kind and agent's name → how often
	agents []bot.Line     // what agents wrote since
	notes  []bot.Line
}

// holding is a time for which an agent held the case.
type holding struct {
	name     string
	from, to time.Time
}

// The events that take the case from its holder, and those that agents press a button for.
var (
	freeing = []string{flows.NoteReleased, flows.NoteSilent, flows.NoteGone, flows.NoteReturned, flows.NoteResolved, flows.NoteLeft}
	feats   = map[string]string{flows.NoteTaken: "claim", flows.NotePassed: "pasar", flows.NoteReleased: "soltar", flows.NoteReturned: "devolver", flows.NoteResolved: "resolver"}
)

// read goes through a transcript as it was committed: one agent after the other holds the case, and what agents do they do
// while they hold it.
func (v *deskLedger) read(ref string, lines []bot.Line) *history {
	h := &history{ref: ref, lines: lines, asked: -1, ends: len(lines), deeds: map[string]int{}}
	words := map[string]bool{}
	holder := ""
	take := func(name string, at time.Time) {
		holder = name
		h.held = append(h.held, holding{name, at, time.Now().Add(time.Hour)})
	}
	free := func(at time.Time) {
		if holder != "" {
			h.held[len(h.held)-1].to = at
		}
		holder = ""
	}
	for i, l := range lines {
		if l.Seq != int64(i+1) {
			v.gaps.breaks("case %s: line %d where %d should be", ref, l.Seq, i+1)
		}
		if word := madeUp.FindString(last(l.Text)); word != "" {
			if words[l.From+word] {
				v.gaps.breaks("case %s: %q twice from the %s", ref, word, l.From)
			}
			words[l.From+word] = true
		}
		switch {
		case l.From == bot.FromEvent && l.Text == flows.NoteAsked:
			if h.asked >= 0 {
				v.gaps.breaks("case %s: asked for twice", ref)
			}
			h.asked = i
		case h.asked < 0: // the chat before
		case l.From == bot.FromEvent:
			v.events[l.Text]++
			if l.Text == flows.NoteTaken {
				if holder != "" {
					v.two.breaks("case %s: %s took it from %s", ref, l.By, holder)
				}
				take(l.By, l.At)
			} else if l.By != "" && l.By != holder {
				v.alone.breaks("case %s: %s by %s, held by %q", ref, l.Text, l.By, holder)
			}
			if slices.Contains(freeing, l.Text) {
				free(l.At)
			}
			if l.Text == flows.NoteReopened {
				h.shut = append(h.shut, [2]int{h.ends, i})
				h.ends = len(lines)
			}
			if l.Text == flows.NoteReturned || l.Text == flows.NoteResolved || l.Text == flows.NoteLeft {
				h.ends = i
			}
			if kind := feats[l.Text]; kind != "" {
				h.deeds[kind+" "+l.By]++
			}
		case l.From == bot.FromBot && strings.HasPrefix(l.Text, "Ahora le atiende "):
			name, _, _ := strings.Cut(strings.TrimPrefix(l.Text, "Ahora le atiende "), ".")
			free(l.At)
			take(name, l.At)
		case l.From == bot.FromBot && strings.HasPrefix(l.Text, "Le paso otra vez con "):
			name, _, _ := strings.Cut(strings.TrimPrefix(l.Text, "Le paso otra vez con "), ".")
			take(name, l.At)
		case l.From == bot.FromAgent, l.From == bot.FromNote:
			if l.By != holder {
				v.alone.breaks("case %s: %s writes, held by %q", ref, l.By, holder)
			}
			if l.From == bot.FromNote {
				h.notes = append(h.notes, l)
				continue
			}
			h.agents = append(h.agents, l)
		}
	}
	if h.asked < 0 {
		v.gaps.breaks("case %s: nobody asked for it", ref)
	}
	return h
}

// last is the end of a text, where a line that quotes another has its own word.
func last(text string) string { return text[strings.LastIndexByte(text, ' ')+1:] }

// judgeFiles compares the files of a person's cases with what the conversation says of the latest.
func (v *deskLedger) judgeFiles(c *caller, conv bot.Conversation, files []handoff.CaseFile) {
	if conv.Handoff == nil {
		if len(files) > 0 {
			v.files.breaks("person %d: %d files without a case", c.index, len(files))
		}
		return
	}
	found := false
	for _, r := range files {
		h := r.Handoff
		switch {
		case r.Ref != conv.Handoff.Ref:
			if h.Open() {
				v.files.breaks("person %d: case %s is %s, and there is a later one", c.index, r.Ref, h.Status)
			}
		default:
			found = true
			want := *conv.Handoff
			for _, of := range []*bot.Handoff{&h, &want} { // what moves with every line
				of.Lines, of.Said, of.Moved, of.Since, of.Told = 0, 0, time.Time{}, time.Time{}, 0
				of.Postponed, of.Until, of.Mentioned = "", time.Time{}, ""
			}
			if !reflect.DeepEqual(h, want) {
				v.files.breaks("person %d: recorded %+v, is %+v", c.index, h, want)
			}
		}
		over := h.Status == bot.HandoffClosed && h.Queue == "" && h.Reason != "" && !h.Ended.IsZero()
		stands := h.Status == bot.HandoffWaiting && strings.HasPrefix(h.Queue, handoff.QueueWaiting) ||
			h.Status == bot.HandoffHeld && h.Agent != "" && strings.HasPrefix(h.Queue, handoff.QueueHeld+h.Agent+"/")
		if !over && !stands {
			v.nowhere.breaks("case %s: %+v", r.Ref, h)
		}
		if !over {
			v.open++
		}
	}
	if !found {
		v.files.breaks("person %d: case %s has no file", c.index, conv.Handoff.Ref)
	}
}

// judgeWords looks where a person's messages have come to: a case's transcript, or an answer of the bot's. While a case is
// open an agent answers and nobody else; before and after it the bot alone.
func (v *deskLedger) judgeWords(c *caller, conv bot.Conversation, all []*history) {
	for _, word := range c.said {
		kept, bots, agents := false, false, false
		for _, h := range all {
			for i, l := range h.lines {
				switch {
				case !strings.Contains(l.Text, word):
				case l.From == bot.FromAgent:
					agents = true
				case l.From == bot.FromPerson:
					kept = true
					bots = bots || answeredAtOnce(h.lines, i)
					if h.open(i) && answeredAtOnce(h.lines, i) {
						v.both.breaks("case %s: %q, and the bot said %q", h.ref, word, begin(h.lines[i+1].Text))
					}
				}
			}
		}
		withMore := false // one answer was to it and to what came in one breath with it
		for i, l := range conv.Tail {
			if l.From == bot.FromPerson && strings.Contains(l.Text, word) {
				bots = bots || answeredAtOnce(conv.Tail, i)
				withMore = withMore || answeredAtOnce(conv.Tail, lastPiece(conv.Tail, i))
			}
		}
		if !kept && !bots && !withMore {
			v.lost.breaks("person %d: %q; the last lines: %s", c.index, word, lastLines(conv.Tail))
		}
		if agents {
			v.answered++
		}
		if agents && bots {
			v.both.breaks("person %d: %q", c.index, word)
		}
	}
}

// answeredAtOnce says whether the bot answered a line in the same turn. Where one stands in the queue is told by itself.
func answeredAtOnce(lines []bot.Line, i int) bool {
	if i+1 == len(lines) {
		return false
	}
	next := lines[i+1]
	return next.From == bot.FromBot && next.At.Equal(lines[i].At) && !strings.HasPrefix(next.Text, "Su lugar en la fila es")
}

// lastPiece is the last of the person's lines that came in one breath from this one on: one answer is to all of them.
func lastPiece(lines []bot.Line, i int) int {
	for i+1 < len(lines) && lines[i+1].From == bot.FromPerson && lines[i+1].At.Sub(lines[i].At) < bot.PieceWait {
		i++
	}
	return i
}

// judgeBubbles compares what agents wrote, as the transcripts have it, with what the person read.
func (v *deskLedger) judgeBubbles(d *desk, c *caller, all []*history) {
	said := d.phone(c.person).Messages(c.chat)
	for _, h := range all {
		for _, l := range h.agents {
			word := madeUp.FindString(last(l.Text))
			var got []bottest.ChatMessage
			for _, m := range said {
				if !strings.Contains(m.Text, word) {
					continue
				}
				got = append(got, m)
				if m.Text != l.Text && (c.by != byWhatsApp || !strings.Contains(m.Text, l.Text)) {
					v.unlike.breaks("case %s: %q, in the transcript %q", h.ref, begin(m.Text), begin(l.Text))
				}
			}
			if len(got) == 0 {
				v.unheard.breaks("case %s: %q", h.ref, l.Text)
			}
			for i := 1; i < len(got); i++ {
				v.copies[c.by]++
				if !d.explained(got[i-1].At, got[i].At) {
					v.repeated.breaks("case %s: %q at %s and %s", h.ref, l.Text, clock(got[i-1].At), clock(got[i].At))
				}
			}
			if len(got) > 1+len(d.fleet.kills) {
				v.repeated.breaks("case %s: %q came %d times", h.ref, l.Text, len(got))
			}
		}
	}
}

// open says whether the case was open at a line.
func (h *history) open(i int) bool {
	return i > h.asked && i < h.ends && !slices.ContainsFunc(h.shut, func(s [2]int) bool { return i > s[0] && i < s[1] })
}

// judgeFeats looks for what agents were told is done.
func (v *deskLedger) judgeFeats(d *desk, histories map[string]*history) {
	for _, a := range d.agents {
		told := map[string]int{}
		for _, f := range a.feats {
			if !f.done {
				continue
			}
			h := histories[f.ref]
			if h == nil {
				v.undone.breaks("%s: %s in case %s, of which nothing is kept", a.name, f.kind, f.ref)
				continue
			}
			switch f.kind {
			case "claim":
				if !h.heldBy(a.name, f.sent, f.answered) {
					v.two.breaks("case %s: %s was told to have it between %s and %s", f.ref, a.name, clock(f.sent), clock(f.answered))
				}
			case "say", "nota":
				among := h.agents
				if f.kind == "nota" {
					among = h.notes
				}
				n := 0
				for _, l := range among {
					if l.Text == f.text && l.By == a.name {
						n++
					}
				}
				if n != 1 {
					v.undone.breaks("case %s: %q of %s stands there %d times", f.ref, f.text, a.name, n)
				}
			case "programar":
				said, left := 0, 0
				for _, l := range slices.Concat(h.agents, h.notes) {
					switch {
					case l.Text != f.text || l.By != a.name:
					case l.From == bot.FromAgent:
						said++
					default:
						left++
					}
				}
				v.late[0], v.late[1] = v.late[0]+said, v.late[1]+left
				if said+left != 1 {
					v.undone.breaks("case %s: %q of %s, for later, was said %d times and left as a note %d times", f.ref, f.text, a.name, said, left)
				}
			case "borrador": // judgeDrafts
			case "posponer", "retomar": // the case comes back, or it would not have ended
			default:
				told[f.kind+" "+f.ref]++
			}
		}
		for what, n := range told {
			kind, ref, _ := strings.Cut(what, " ")
			if did := histories[ref].deeds[kind+" "+a.name]; did < n {
				v.undone.breaks("case %s: %s was told %d times of %s, which happened %d times", ref, a.name, n, kind, did)
			}
		}
	}
}

// judgeDrafts looks for what agents had begun to write when they had the case, and neither wrote over nor closed.
func (v *deskLedger) judgeDrafts(t *testing.T, s *store.Store, d *desk, histories map[string]*history) {
	t.Helper()
	for _, a := range d.agents {
		last := map[string]feat{}
		for _, f := range a.feats {
			if f.kind == "borrador" || f.kind == "resolver" {
				last[f.ref] = f
			}
		}
		for ref, f := range last {
			if !f.done || f.kind == "resolver" || !histories[ref].heldBy(a.name, f.answered, f.answered) {
				continue
			}
			v.drafts++
			kept, err := s.Desk.Draft(t.Context(), ref, a.login)
			if err != nil {
				t.Fatal(err)
			}
			if kept.Note != f.text {
				v.undone.breaks("case %s: %s had begun %q, and %q is kept", ref, a.name, f.text, kept.Note)
			}
		}
		for _, f := range a.feats { // what was never sent is nowhere
			if h := histories[f.ref]; f.kind == "borrador" && h != nil && slices.ContainsFunc(slices.Concat(h.agents, h.notes), func(l bot.Line) bool { return strings.Contains(l.Text, f.text) }) {
				v.undone.breaks("case %s: %s sent %q never, and it stands there", f.ref, a.name, f.text)
			}
		}
	}
}

// lastLines are the last of a transcript, short.
func lastLines(tail []bot.Line) string {
	const most = 12
	var b strings.Builder
	for _, l := range tail[max(0, len(tail)-most):] {
		fmt.Fprintf(&b, "\n\t\t%s %s %q", clock(l.At), l.From, begin(l.Text))
	}
	return b.String()
}

// heldBy says whether an agent held the case at some moment of a time, give or take how exact the store's clock is.
func (h *history) heldBy(name string, from, to time.Time) bool {
	const exact = 300 * time.Millisecond
	return slices.ContainsFunc(h.held, func(x holding) bool {
		return x.name == name && x.from.Before(to.Add(exact)) && x.to.After(from.Add(-exact))
	})
}

// printDesk prints what happened and every promise with its figure.
func (d *desk) printDesk(t *testing.T, v *deskLedger, took time.Duration) {
	t.Helper()
	said, did, refused, absences, tries, beats := 0, map[string]int{}, 0, 0, 0, int64(0)
	for _, c := range d.callers {
		said += len(c.said)
	}
	for _, a := range d.agents {
		refused, absences, beats = refused+a.refused, absences+a.absences, beats+a.beats.Load()
		for _, f := range a.feats {
			tries += f.tries - 1
			if f.done {
				did[f.kind]++
			}
		}
	}
	t.Logf("%d processes, kill -9 × %d; %d people wrote %d messages and %d agents answered %d of them, in %d cases with %d lines, in %v",
		len(d.fleet.instances), len(d.fleet.kills), len(d.callers), said, len(d.agents), v.answered, v.cases, v.lines, took.Round(time.Second))
	t.Logf("done for agents: %v; refused: %d; pressed once more: %d; absences: %d; heartbeats: %d; in the transcripts: %v", did, refused, tries, absences, beats, v.events)
	t.Logf("%d messages of agents repeated by Telegram, %d by WhatsApp; cases still open: %d; for later: %d said, %d left as a note; drafts: %d", v.copies[byTelegram], v.copies[byWhatsApp], v.open, v.late[0], v.late[1], v.drafts)
	for _, x := range []*invariant{&v.ended, &v.lost, &v.both, &v.unheard, &v.unlike, &v.repeated, &v.two, &v.alone, &v.gaps, &v.undone, &v.nowhere, &v.files, &v.owed} {
		x.report(t)
	}
	if v.cases == 0 || did["say"] == 0 || len(d.fleet.kills) == 0 {
		t.Errorf("nothing was proved: %d cases, %d answers, %d kills", v.cases, did["say"], len(d.fleet.kills))
	}
}
