package handoff_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"llave/bot"
	"llave/flows"
	"llave/internal/bottest"
	"llave/internal/handoff"
)

// What is promised of a conversation that a person of the desk is asked into, whatever order things happen in, in two
// processes, while bubbles fail or are held up:
//
//  1. A message of the person's is answered by the bot or stands for the agent, never both. While an agent has the
//     conversation, or it waits in the queue and the bot has stepped back (flows.AtDesk), a message is the agent's: the bot
//     says nothing and the person waits for an answer (Since), unless it is one of the few words that ask the bot about
//     leaving, or, before anybody has taken it, about the place or the language; those the bot answers, in one bubble, and
//     nobody is waited for because of them. Everywhere else the bot answers, in one bubble. A second tap of the button that
//     was just answered is answered by nobody and stands nowhere.
//  2. No message is lost: what is written while a case is open stands in its lines exactly once, and what was accepted was
//     answered exactly once, whichever process got it and however often.
//  3. The lines of a case are numbered 1 to n, and those that are kept are those that were promised.
//  4. What an agent said and was not refused is said to the person exactly once, by the agent's name, and stands in the lines
//     once; a note stands there once and is never said. Refused words are nowhere.
//  5. A conversation is taken only by whoever finds it free, and of two who take it at once one gets it. A refused one
//     changes nothing.
//  6. Where a case stands among all follows from its status; with its conversation it is in the hands of one side.
//  7. The case file ends as the conversation had it.
//  8. What an agent has begun to write stays theirs until they send it or close the case, whoever else does what, and is nowhere else.
//  9. There is a way out: a case that is open can be taken and closed, and a person who waits can leave.

// How many histories are tried, and in a small sweep.
const (
	histories      = 10_000
	historiesSmall = 120
)

// How they are shared out: pairs of desks at once, and how many histories a pair sees before the next is built.
const (
	pairs = 4
	many  = 250
)

func TestInterleavings(t *testing.T) {
	checks := bottest.NewSweep(t).Of(histories, historiesSmall)
	setChecks(t, checks/pairs)
	var tried, operations, messages, versions atomic.Int64
	began := time.Now()
	t.Run("pairs", func(t *testing.T) {
		for i := range pairs {
			t.Run(strconv.Itoa(i), func(t *testing.T) {
				t.Parallel()
				var dp *deskPair
				n := 0
				rapid.Check(t, func(rt *rapid.T) {
					if n++; n%many == 1 {
						if dp != nil {
							dp.close()
						}
						dp = newDeskPair(t)
					}
					p := &play{deskPair: dp, rt: rt, chat: strconv.Itoa(n), updates: map[string]*operation{}}
					p.run()
					tried.Add(1)
					operations.Add(int64(p.operations))
					messages.Add(int64(len(p.messages())))
					versions.Add(int64(len(dp.written.history())))
				})
			})
		}
	})
	t.Logf("%d interleavings in %.0f s: %d operations, %d messages, %d versions written", tried.Load(), time.Since(began).Seconds(), operations.Load(), messages.Load(), versions.Load())
}

// setChecks has rapid try so many histories in this test.
func setChecks(t *testing.T, n int) {
	t.Helper()
	before := flag.Lookup("rapid.checks").Value.String()
	if err := flag.Set("rapid.checks", strconv.Itoa(n)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = flag.Set("rapid.checks", before) })
}

// operation is something that somebody does, and what came of it.
type operation struct {
	what    string
	id      string // of the update; of the desk's what comes after the login
	process int
	who     string // agent
	ref     string
	text    string
	step    bot.State
	button  string
	prompt  int
	until   string // of what is put off, and
	at      time.Time

	mu   sync.Mutex
	errs []error // of each time it was done
}

// isMessage says whether the person wrote or pressed something.
func (d *operation) isMessage() bool {
	return slices.Contains(personal, d.what) && d.what != "block"
}

// accepted says whether it was done and not refused.
func (d *operation) accepted() bool { return len(d.errs) > 0 && d.errs[0] == nil }

// play is one history.
type play struct {
	*deskPair
	rt         *rapid.T
	chat       string
	updates    map[string]*operation // by the update's id
	order      []*operation
	operations int
}

var agents = []string{"ana", "luis"}

func (p *play) fatal(format string, args ...any) {
	p.rt.Helper()
	var b strings.Builder
	for _, c := range p.written.history() {
		fmt.Fprintf(&b, "  %d %s", c.Version, c.State)
		if c.Handoff != nil {
			fmt.Fprintf(&b, " %s %s %s rev %d lines %d", c.Handoff.Ref, c.Handoff.Status, c.Handoff.Agent, c.Handoff.Rev, c.Handoff.Lines)
		}
		if n := len(c.Seen); n > 0 {
			fmt.Fprintf(&b, " %s", c.Seen[n-1].ID)
		}
		b.WriteString("\n")
	}
	p.rt.Fatalf("%s\n%s", fmt.Sprintf(format, args...), b.String())
}

func (p *play) run() {
	p.written.follow(bot.ConversationID("telegram", p.chat))
	fates := []fate{arrives, arrives, arrives, arrives, late, fails, throttled, shut}
	p.wire.follow(p.chat, rapid.SliceOfN(rapid.SampledFrom(fates), 0, 12).Draw(p.rt, "fates")...)
	p.unsent = false
	p.one("desk opens")
	roads := [][]string{{"hola", "persona"}, {"hola", "sí", "desbloquear", known, "sí", "persona"}, {"paso a paso", "zqx bdf", "zqx ghj", "persona"}, {"hola", "sí"}}
	for _, words := range rapid.SampledFrom(roads).Draw(p.rt, "road") {
		p.do(p.message(words))
	}
	for range rapid.IntRange(3, 12).Draw(p.rt, "length") {
		p.happens()
	}
	p.end()
	p.judge()
}

// The things that happen, as often as they stand here.
var (
	personal = strings.Split("writes,writes,writes,presses,presses,asks,asks,menú,sí,no,number,estado,block", ",")
	official = strings.Split("claim,claim,claim,claim,say,say,say,say,note,pass,release,return,resolve,link,office,postpone,postpone,go on,say later,say later,unsay,drafts,drafts,drafts note", ",")
	around   = strings.Split("tend,tend,sweep,link used,link ended,key made,again,again,again", ",")
	alone    = strings.Split("later,later,long,silence,hour,desk closes,desk opens,both claim,let go,no mails", ",")
)

// happens is one thing, or several at once.
func (p *play) happens() {
	together := rapid.SampledFrom([]int{1, 1, 1, 2, 3}).Draw(p.rt, "at once")
	if together == 1 && rapid.IntRange(0, 3).Draw(p.rt, "alone") == 0 {
		p.one(rapid.SampledFrom(alone).Draw(p.rt, "what"))
		return
	}
	all := slices.Concat(personal, official, official, around)
	var ds []*operation
	for range together {
		ds = append(ds, p.draw(rapid.SampledFrom(all).Draw(p.rt, "what")))
	}
	p.do(ds...)
}

// draw makes an operation of a word.
func (p *play) draw(what string) *operation {
	c, err := p.conv(p.chat)
	if err != nil {
		p.fatal("load: %v", err)
	}
	p.operations++
	d := &operation{what: what, id: fmt.Sprint("u", p.operations), process: rapid.IntRange(0, 1).Draw(p.rt, "process")}
	switch {
	case what == "again" && len(p.order) > 0: // the same once more, perhaps while it is being done, mostly in the other process
		before := rapid.SampledFrom(p.order).Draw(p.rt, "which")
		before.process = d.process
		return before
	case what == "writes":
		d.text = unlike(p.operations)
	case what == "asks":
		d.text = "persona"
	case what == "presses":
		d.button, d.prompt = "continue", -1
		if len(c.Shown) > 0 {
			d.button, d.prompt = rapid.SampledFrom(c.Shown).Draw(p.rt, "button"), c.Prompt
		}
		if c.Handoff != nil && d.button == "erase_yes" { // what is kept is forgotten then: another test's
			d.button = "erase_no"
		}
	case what == "sí" && c.Handoff != nil && (c.State == flows.OwnData || c.State == flows.OwnDataSure): // the same in a word
		d.text = "no"
	case what == "number":
		d.text = known
	case slices.Contains(personal, what):
		d.text = what
	case slices.Contains(official, what):
		d.who, d.text = rapid.SampledFrom([]string{"ana", "luis", "ana", "luis", "sup"}).Draw(p.rt, "who"), unlike(p.operations)
		d.ref = "C-0000-000"
		if refs := p.refs(); len(refs) > 0 {
			d.ref = refs[len(refs)-1]
			if rapid.IntRange(0, 9).Draw(p.rt, "stale") == 0 {
				d.ref = rapid.SampledFrom(refs).Draw(p.rt, "ref")
			}
		}
		d.step = rapid.SampledFrom(flows.ReturnSteps).Draw(p.rt, "step")
		d.until = rapid.SampledFrom([]string{bot.UntilTime, bot.UntilAnswer, bot.UntilOpening}).Draw(p.rt, "until")
		d.text = p.orBegun(d)
		d.at = p.clock.Now().Add(time.Duration(rapid.IntRange(-1, 60).Draw(p.rt, "in")) * time.Minute)
	case what == "link used", what == "link ended", what == "key made":
		d.text = c.Attempt
	}
	p.order = append(p.order, d)
	return d
}

// unlike is a word that means nothing and stands in no other.
func unlike(n int) string {
	s := "zq"
	for _, digit := range strconv.Itoa(n) {
		s += string("bcdfghjkmp"[digit-'0'])
	}
	return s + "xw"
}

// refs are the cases there have been.
func (p *play) refs() []string {
	var refs []string
	for _, c := range p.written.history() {
		if c.Handoff != nil && !slices.Contains(refs, c.Handoff.Ref) {
			refs = append(refs, c.Handoff.Ref)
		}
	}
	return refs
}

func (p *play) message(words string) *operation {
	p.operations++
	d := &operation{what: "writes", id: fmt.Sprint("u", p.operations), text: words}
	p.order = append(p.order, d)
	return d
}

// do has operations done, at once when there are several, and waits for what comes of them.
func (p *play) do(ds ...*operation) {
	var all sync.WaitGroup
	begunBefore, may := p.drafts(ds), p.mayDraft(ds[0], p.drafts(ds[:1]))
	for _, d := range ds {
		p.updates[d.update()] = d
		process := d.process
		all.Go(func() {
			err := p.act(d, process)
			if errors.Is(err, handoff.ErrNotHere) {
				return // the conversation was not asked: the same may be done later
			}
			d.mu.Lock()
			defer d.mu.Unlock()
			d.errs = append(d.errs, err)
		})
	}
	all.Wait()
	if err := p.settle(context.Background()); err != nil {
		p.fatal("settle: %v", err)
	}
	p.judgeDrafts(ds, begunBefore, may)
	for _, d := range ds {
		for _, err := range d.errs {
			if err != nil && !refused(err) {
				p.fatal("%s: %v", d.what, err)
			}
			if d.who != "" && d.what != "claim" && !slices.Contains(drafting, d.what) && (err == nil) != (d.errs[0] == nil) && !errors.Is(err, handoff.ErrNoCase) { // the person has another case by then
				p.fatal("%s: the same again: %v, before: %v", d.what, err, d.errs[0])
			}
		}
	}
}

// update is the id of the update that an operation is.
func (d *operation) update() string {
	if d.who != "" {
		return "desk/" + d.who + "/" + d.id
	}
	return d.id
}

func refused(err error) bool {
	var taken *handoff.TakenError
	return errors.As(err, &taken) || errors.Is(err, handoff.ErrNotYours) || errors.Is(err, handoff.ErrNoCase) ||
		errors.Is(err, handoff.ErrRefused) || errors.Is(err, handoff.ErrNoNumber) || errors.Is(err, handoff.ErrNotHere) || errors.Is(err, handoff.ErrNotThen)
}

// act does an operation in a process.
func (p *play) act(d *operation, process int) error {
	ctx, desk := context.Background(), p.desks[process]
	once := handoff.Deed{Once: d.id, Ref: d.ref, Actor: actor(d.who)}
	u := bot.Update{ID: d.id, Channel: "telegram", Chat: p.chat, MessageID: "m" + d.id}
	switch d.what {
	case "claim":
		return desk.Claim(ctx, once)
	case "drafts", "drafts note":
		return keepDraft(ctx, desk, d)
	case "say":
		return desk.Say(ctx, once, d.text)
	case "note":
		return desk.Note(ctx, once, d.text)
	case "pass":
		return desk.Pass(ctx, once, agents[process], d.text)
	case "release":
		return desk.Release(ctx, once)
	case "return":
		return desk.Return(ctx, once, d.step)
	case "resolve":
		return desk.Resolve(ctx, once, handoff.Solved)
	case "link":
		return desk.SendLink(ctx, once)
	case "office":
		return desk.Office(ctx, once)
	case "postpone":
		return desk.Postpone(ctx, once, d.until, d.at)
	case "go on":
		return desk.Resume(ctx, once)
	case "say later":
		return desk.SayLater(ctx, once, d.text, d.at, d.until == bot.UntilTime)
	case "unsay":
		return desk.Unsay(ctx, once)
	case "tend":
		return desk.Tend(ctx)
	case "sweep":
		return p.runners[process].Sweep(ctx)
	case "link used":
		u.Kind, u.Signal, u.Attempt = bot.Signal, bot.SignalLinkUsed, d.text
	case "link ended":
		u.Kind, u.Signal, u.Attempt = bot.Signal, bot.SignalLinkExpired, d.text
	case "key made":
		u.Kind, u.Signal, u.Attempt = bot.Signal, bot.SignalKeyMade, d.text
	case "block":
		u.Kind = bot.Blocked
	case "presses":
		u.Kind, u.Button, u.Prompt = bot.Press, d.button, d.prompt
	default:
		u.Kind, u.Text = bot.Text, d.text
	}
	_, err := p.runners[process].Answer(ctx, u)
	return err
}

// one is something that happens by itself.
func (p *play) one(what string) {
	ctx := context.Background()
	var err error
	switch what {
	case "later":
		err = p.later(ctx, time.Duration(rapid.IntRange(1, 40).Draw(p.rt, "seconds"))*time.Second, agents...)
		p.wire.release() // what is held up longer than that is another's to send, and is told so
	case "long": // one of the two is not there any more
		err = p.later(ctx, 70*time.Second, rapid.SampledFrom(agents).Draw(p.rt, "here"))
		p.wire.release()
	case "silence":
		err = p.later(ctx, 11*time.Minute, agents...)
		p.wire.release()
	case "hour":
		err = p.later(ctx, time.Hour, rapid.SampledFrom(agents).Draw(p.rt, "here"))
		p.wire.release()
	case "desk closes":
		err = p.schedule(ctx, true)
	case "desk opens":
		err = p.schedule(ctx, false)
	case "let go":
		p.wire.release()
	case "no mails":
		p.mu.Lock()
		p.unsent = !p.unsent
		p.mu.Unlock()
	case "both claim":
		p.bothClaim()
	}
	err = errors.Join(err, p.settle(ctx))
	if err != nil {
		p.fatal("%s: %v", what, err)
	}
}

func (p *play) schedule(ctx context.Context, closed bool) error {
	s, err := p.store.Schedule.Load(ctx)
	if err != nil || (s.ClosedNow != nil) == closed {
		return err
	}
	s.Reopen()
	if closed {
		err = s.Close("sup", p.clock.Now(), time.Time{}, "")
	}
	return errors.Join(err, p.store.Schedule.Save(ctx, &s))
}

// bothClaim has both agents take the case at the same moment, in different processes.
func (p *play) bothClaim() {
	c, err := p.conv(p.chat)
	if err != nil {
		p.fatal("load: %v", err)
	}
	if !c.Handoff.Open() || c.Handoff.Held() {
		return
	}
	var both []*operation
	for i, who := range agents {
		p.operations++
		both = append(both, &operation{what: "claim", id: fmt.Sprint("u", p.operations), process: i, who: who, ref: c.Handoff.Ref})
	}
	p.order = append(p.order, both...)
	p.do(both...)
	won, taken := 0, 0
	for _, d := range both {
		var already *handoff.TakenError
		switch {
		case d.accepted():
			won++
		case errors.As(d.errs[0], &already):
			taken++
		}
	}
	if won != 1 || taken != 1 {
		p.fatal("two take it at once: %v and %v", both[0].errs, both[1].errs)
	}
}

// end has everything that is owed kept, and the case closed.
func (p *play) end() {
	ctx := context.Background()
	p.wire.mu.Lock()
	p.wire.plan = nil
	p.wire.mu.Unlock()
	p.wire.release()
	p.drain(ctx)
	c, err := p.conv(p.chat)
	if err != nil {
		p.fatal("load: %v", err)
	}
	if h := c.Handoff; h.Open() {
		if inDesk(c.State) && rapid.Bool().Draw(p.rt, "leaves") {
			p.do(p.message("menú"))
			p.do(p.message("sí"))
		} else {
			who := h.Agent
			for _, what := range []string{"claim", "resolve"} {
				if who == "" {
					who = "ana"
				} else if what == "claim" && h.Held() {
					continue
				}
				p.operations++
				d := &operation{what: what, id: fmt.Sprint("u", p.operations), who: who, ref: h.Ref}
				p.order = append(p.order, d)
				if p.do(d); !d.accepted() {
					p.fatal("%s at the end: %v", what, d.errs)
				}
			}
		}
	}
	p.drain(ctx)
	if c, err = p.conv(p.chat); err != nil || c.Handoff.Open() {
		p.fatal("the case does not end: %+v %v", c.Handoff, err)
	}
}

// drain has the person write, which opens what is shut, and keeps what is owed.
func (p *play) drain(ctx context.Context) {
	p.do(p.message(unlike(p.operations + 1)))
	for range 12 {
		c, err := p.conv(p.chat)
		if err != nil {
			p.fatal("load: %v", err)
		}
		if len(c.Promises) == 0 {
			return
		}
		if err := p.later(ctx, 31*time.Second, agents...); err != nil {
			p.fatal("drain: %v", err)
		}
	}
	p.fatal("something is owed for ever")
}

// messages are what the person sent.
func (p *play) messages() []*operation {
	var all []*operation
	for _, d := range p.order {
		if d.isMessage() {
			all = append(all, d)
		}
	}
	return all
}

// turn is one committed turn.
type turn struct {
	before, after bot.Conversation
	id            string
	bubbles       int // the bot's
	agents        []string
	lines         []bot.Line // promised by it, without what was said before the case was opened
	tail          int
	cases         []bot.Handoff
}

// turns are what was written that answers something.
func (p *play) turns() []turn {
	var all []turn
	before := bot.Conversation{}
	for _, after := range p.written.history() {
		t := turn{before: before, after: after}
		if n := len(after.Seen); n > 0 && !seenIn(before, after.Seen[n-1]) {
			t.id = after.Seen[n-1].ID
		} else { // a timer leaves nothing but its place
			for _, timer := range before.Timers {
				if !slices.Contains(after.Timers, timer) {
					t.id = fmt.Sprint("timer/", timer.Signal, "/", timer.At.UnixMilli(), "/", after.Version)
				}
			}
		}
		for _, pr := range after.Promises {
			if before.Find(pr.ID) != nil {
				continue
			}
			switch what := pr.What.(type) {
			case bot.Say:
				if what.Reply.By == "" {
					t.bubbles++
				} else {
					t.agents = append(t.agents, what.Reply.Text)
				}
			case bot.KeepCase:
				t.cases = append(t.cases, *what.Handoff)
			case bot.KeepLines:
				t.lines = append(t.lines, what.Lines...)
			}
		}
		w := before.Pieces
		tookBack := w != nil && before.Find(w.Turn+"/say") != nil && after.Find(w.Turn+"/say") == nil
		if h := after.Handoff; h != nil && (before.Handoff == nil || before.Handoff.Ref != h.Ref) {
			t.tail = len(before.Tail)
			if tookBack {
				t.tail-- // what waited to be said was taken back
			}
		}
		if h, was := after.Handoff, before.Handoff; h.Open() && was != nil && was.Ref == h.Ref && !was.Open() { // what was said since it ended
			t.tail = len(before.Tail)
			for i, l := range before.Tail {
				if l.Seq > 0 {
					t.tail = len(before.Tail) - i - 1
				}
			}
			if tookBack && t.tail > 0 {
				t.tail--
			}
		}
		if owed := after.Find(turnLines(w)); tookBack && owed != nil { // so was its line
			i := slices.IndexFunc(all, func(of turn) bool { return strings.HasSuffix(w.Turn, "/"+of.id) })
			all[i].lines = owed.What.(bot.KeepLines).Lines
		}
		if t.id != "" {
			all = append(all, t)
		} else if !stirred(before.Handoff, after.Handoff) {
			p.fatal("version %d changes the case without a turn", after.Version)
		}
		before = after
	}
	return all
}

// turnLines is the promise of the lines of the turn whose reply waits.
func turnLines(w *bot.Pieces) string {
	if w == nil {
		return ""
	}
	return w.Turn + "/" + string(bot.PromiseLines)
}

func seenIn(c bot.Conversation, s bot.Seen) bool {
	return slices.ContainsFunc(c.Seen, func(o bot.Seen) bool { return o.ID == s.ID && o.At.Equal(s.At) })
}

// stirred says whether a case changed in nothing but when it moved.
func stirred(a, b *bot.Handoff) bool {
	if a == nil || b == nil {
		return a == b
	}
	return recorded(*a) == recorded(*b) && a.Since.Equal(b.Since) && a.Lines == b.Lines && a.Rev == b.Rev && a.Told == b.Told
}

// judge holds the history against what is promised.
func (p *play) judge() {
	turns := p.turns()
	answered := map[string]int{}
	promised, files := map[string][]bot.Line{}, map[string]bot.Handoff{}
	for _, t := range turns {
		answered[t.id]++
		p.judgeTurn(t)
		if h := t.after.Handoff; h != nil {
			promised[h.Ref] = append(promised[h.Ref], t.lines...)
			files[h.Ref] = *h
		}
	}
	for _, d := range p.messages() {
		if answered[d.id] != 1 {
			p.fatal("message %s was answered %d times", d.id, answered[d.id])
		}
	}
	var kept []bot.Line
	for ref, want := range promised {
		lines, err := p.store.Desk.Lines(context.Background(), ref, 0, 10_000)
		if err != nil {
			p.fatal("lines: %v", err)
		}
		if !slices.EqualFunc(lines, want, sameLine) {
			p.fatal("%s: kept %v, promised %v", ref, lines, want)
		}
		for i, l := range lines {
			if l.Seq != int64(i)+1 {
				p.fatal("%s: line %d has number %d", ref, i+1, l.Seq)
			}
		}
		last := files[ref]
		if last.Lines != int64(len(lines)) {
			p.fatal("%s: %d lines counted, %d kept", ref, last.Lines, len(lines))
		}
		r, found, err := p.store.Desk.Case(context.Background(), ref)
		if err != nil || !found || recorded(r.Handoff) != recorded(last) || r.Open != last.Open() || r.Handoff.Rev != last.Rev {
			p.fatal("%s: recorded %+v (%v), the conversation had %+v", ref, r, err, last)
		}
		kept = append(kept, lines...)
	}
	p.judgeAgents(turns, kept)
}

var deskStates = flows.Marked(flows.AtDesk)

// inDesk says whether what a person writes in a state is an agent's to answer.
func inDesk(s bot.State) bool { return slices.Contains(deskStates, s) }

func sameLine(a, b bot.Line) bool {
	return a.Seq == b.Seq && a.From == b.From && a.By == b.By && a.Text == b.Text && a.At.Equal(b.At)
}

func sameTimer(a, b bot.Timer) bool {
	return a.Signal == b.Signal && a.Attempt == b.Attempt && a.At.Equal(b.At)
}

// recorded is what a case file has of it, with times as the store keeps them.
func recorded(h bot.Handoff) bot.Handoff {
	h.Lines, h.Said, h.Rev, h.Moved, h.Since, h.Told = 0, 0, 0, time.Time{}, time.Time{}, 0
	h.Postponed, h.Until, h.Mentioned = "", time.Time{}, ""
	for _, at := range []*time.Time{&h.Asked, &h.Taken, &h.Answered, &h.Ended} {
		if !at.IsZero() {
			*at = at.UTC().Truncate(time.Millisecond)
		}
	}
	return h
}

// asides are what the bot answers although a person is asked for: in the first place while nobody has the conversation.
var (
	waitingAsides = []bot.State{flows.InQueue, flows.LeaveSure, flows.Menu}
	heldAsides    = []bot.State{flows.WithAgent, flows.LeaveSure, flows.Menu}
)

func (p *play) judgeTurn(t turn) {
	h, was := t.after.Handoff, t.before.Handoff
	p.judgeCase(t)
	d := p.updates[t.id]
	if d == nil || d.who != "" {
		if d != nil && !d.accepted() && d.what != "claim" || d != nil && d.what == "claim" && h.Agent != d.who {
			p.judgeRefused(t, d)
		}
		return
	}
	if !d.isMessage() {
		return
	}
	person := 0
	for _, l := range t.lines[min(t.tail, len(t.lines)):] {
		if l.From != bot.FromPerson {
			continue
		}
		if person++; d.button == "" && d.text != known && l.Text != d.text {
			p.fatal("%s: %q stands as %q", t.id, d.text, l.Text)
		}
	}
	if last, still := t.before.Tapped, t.after.Tapped; t.bubbles+person == 0 && last != nil && still != nil && *last == *still && d.button == last.Button {
		return
	}
	rates := h != nil && was != nil && (h.Rating != was.Rating || h.Commented != was.Commented) // the last lines of a case that is over
	if open := was.Open() || h.Open() || rates; open != (person == 1) {
		p.fatal("%s: a case is open: %t; lines of it: %v", t.id, open, t.lines)
	}
	handed := was.Open() && was.Status != bot.HandoffScheduled && inDesk(t.before.State)
	said, is := t.before.Answered, t.after.Answered
	rest := said != nil && is != nil && is.Told == said.Told && is.Since.Equal(said.Since) && t.bubbles == 0 // the end of what was answered, or the same again
	switch {
	case rest:
	case !handed && t.bubbles != 1:
		p.fatal("%s: the bot's to answer, %d bubbles", t.id, t.bubbles)
	case handed && t.bubbles > 1:
		p.fatal("%s: %d bubbles", t.id, t.bubbles)
	case handed && t.bubbles == 1:
		asides := waitingAsides
		if was.Held() {
			asides = heldAsides
		}
		if !slices.Contains(asides, t.after.State) || h.Open() && !h.Since.Equal(was.Since) {
			p.fatal("%s (%q): answered by the bot in %s and left to the agent", t.id, d.text, t.before.State)
		}
		if d.what == "writes" && strings.HasPrefix(d.text, "zq") {
			p.fatal("%s: the bot answers what is the agent's in %s", t.id, t.before.State)
		}
	case handed && h.Since.IsZero():
		p.fatal("%s: nobody answers it", t.id)
	}
}

// judgeCase is what holds of a case after every turn.
func (p *play) judgeCase(t turn) {
	h, was := t.after.Handoff, t.before.Handoff
	if h == nil {
		return
	}
	prefix := map[string]string{
		bot.HandoffWaiting: handoff.QueueWaiting, bot.HandoffScheduled: handoff.QueueScheduled, bot.HandoffHeld: handoff.QueueHeld + h.Agent + "/",
	}[h.Status]
	if !strings.HasPrefix(h.Queue, prefix) || (h.Queue == "") != (h.Status == bot.HandoffClosed) || h.Open() && !strings.HasSuffix(h.Queue, "/"+h.Ref) {
		p.fatal("%s: status %s and queue %q", t.id, h.Status, h.Queue)
	}
	desk := inDesk(t.after.State)
	if h.Held() && (t.after.State != flows.WithAgent && t.after.State != flows.LeaveSure || h.Agent == "") || desk && !h.Held() && !h.Waiting() {
		p.fatal("%s: status %s in %s", t.id, h.Status, t.after.State)
	}
	if t.after.State == flows.WithAgent && !h.Held() || t.after.State == flows.InQueue && !h.Waiting() {
		p.fatal("%s: status %s in %s", t.id, h.Status, t.after.State)
	}
	if h.Held() && was.Held() && was.Ref == h.Ref && was.Agent != h.Agent {
		if d := p.updates[t.id]; d == nil || d.what != "pass" {
			p.fatal("%s: %s had it, now %s", t.id, was.Agent, h.Agent)
		}
	}
	p.judgeLater(t)
	fresh := was == nil || was.Ref != h.Ref
	if fresh && was.Open() {
		p.fatal("%s: case %s while %s is open", t.id, h.Ref, was.Ref)
	}
	if changed := fresh || recorded(*h) != recorded(*was); changed != (len(t.cases) == 1) || changed && (t.cases[0].Rev != h.Rev || !fresh && h.Rev != was.Rev+1) {
		p.fatal("%s: the case changed: %t; its file is promised: %+v", t.id, changed, t.cases)
	}
}

// judgeLater is what holds of what is put off, and of what is said later, after every turn: both are of an agent who has the case, and
// there is a timer for whichever comes first and for nothing else.
func (p *play) judgeLater(t turn) {
	h, l := t.after.Handoff, t.after.Late
	var at time.Time
	if l != nil {
		at = l.At
		if !h.Held() || h.Agent != l.Agent {
			p.fatal("%s: %s says something later, and the case is %s of %q", t.id, l.Agent, h.Status, h.Agent)
		}
	}
	if h.Postponed != "" {
		if !h.Held() || !h.Since.IsZero() || h.Until.IsZero() {
			p.fatal("%s: put off, %s, since %v, until %v", t.id, h.Status, h.Since, h.Until)
		}
		if at.IsZero() || h.Until.Before(at) {
			at = h.Until
		}
	}
	var set time.Time
	for _, timer := range t.after.Timers {
		switch timer.Signal {
		case bot.SignalDeskDue:
			set = timer.At
		case bot.SignalAgentSilent:
			if h.Postponed != "" {
				p.fatal("%s: put off, and the agent's time to answer runs", t.id)
			}
		}
	}
	if !set.Equal(at) {
		p.fatal("%s: comes back at %v, timer at %v", t.id, at, set)
	}
}

// judgeRefused is that a refused operation changes nothing, but that it was seen; why no link was sent may stand in the lines.
func (p *play) judgeRefused(t turn, d *operation) {
	a, b := t.before.Clone(), t.after.Clone()
	if a.Handoff == nil || b.Handoff == nil {
		p.fatal("%s: refused, in a conversation without a case", t.id)
	}
	if len(t.agents) > 0 || t.bubbles > 0 || len(t.lines) > 0 && (d.what != "link" || t.lines[0].From != bot.FromEvent) {
		p.fatal("%s: refused, and says %v and %d bubbles, lines %v", t.id, t.agents, t.bubbles, t.lines)
	}
	if !maps.Equal(a.Slots, b.Slots) || a.State != b.State || a.Text != b.Text || a.Prompt != b.Prompt || !slices.EqualFunc(a.Timers, b.Timers, sameTimer) || !slices.EqualFunc(a.Tail, b.Tail, sameLine) ||
		recorded(*a.Handoff) != recorded(*b.Handoff) || !a.Handoff.Since.Equal(b.Handoff.Since) || a.Handoff.Told != b.Handoff.Told {
		p.fatal("%s: %s was refused (%v) and changes something", t.id, d.what, d.errs)
	}
}

// quoted is what a person hears again of their own words before they file it: a complaint that is read back.
var quoted = regexp.MustCompile(`«[^»]*»`)

// judgeAgents is what becomes of agents' words.
func (p *play) judgeAgents(turns []turn, kept []bot.Line) {
	blocked := slices.ContainsFunc(turns, func(t turn) bool { return t.after.Gone })
	said := p.wire.bubbles()
	for _, d := range p.order {
		if d.who == "" || d.what != "say" && d.what != "note" && d.what != "say later" {
			continue
		}
		if d.what == "say later" {
			p.judgeSaidLater(d, turns, kept, said, blocked)
			continue
		}
		from := map[string]string{"say": bot.FromAgent, "note": bot.FromNote}[d.what]
		lines, sent := 0, 0
		for _, l := range kept {
			if l.Text == d.text && l.From == from && l.By == name(d.who) {
				lines++
			} else if strings.Contains(l.Text, d.text) {
				p.fatal("%s: %q stands in %+v", d.update(), d.text, l)
			}
		}
		for _, r := range said {
			if strings.Contains(r.Text, d.text) {
				sent++
				if r.By != name(d.who) {
					p.fatal("%s: said by %q", d.update(), r.By)
				}
			}
		}
		wantLines, wantSent := 1, 1
		if d.what == "note" {
			wantSent = 0
		}
		if !d.accepted() {
			wantLines, wantSent = 0, 0
		}
		// The lines of a later case begin with what was said before it.
		if lines < wantLines || wantLines == 0 && lines > 0 || sent > wantSent || sent < wantSent && !blocked {
			p.fatal("%s, accepted %t: in %d lines, want %d; said %d times, want %d", d.update(), d.accepted(), lines, wantLines, sent, wantSent)
		}
	}
	p.judgeQuoted(said)
	p.judgeUnsaid(kept, said)
}

// judgeSaidLater is what becomes of words for later: what was not refused is said once, or stands once as a note, or was taken back.
func (p *play) judgeSaidLater(d *operation, turns []turn, kept []bot.Line, said []bot.Reply, blocked bool) {
	spoken, noted, sent := 0, 0, 0
	for _, l := range kept {
		switch {
		case !strings.Contains(l.Text, d.text):
		case l.Text == d.text && l.By == name(d.who) && l.From == bot.FromAgent:
			spoken++
		case l.Text == d.text && l.By == name(d.who) && l.From == bot.FromNote:
			noted++
		default:
			p.fatal("%s: %q stands in %+v", d.update(), d.text, l)
		}
	}
	for _, r := range said {
		if strings.Contains(r.Text, d.text) {
			sent++
			if r.By != name(d.who) {
				p.fatal("%s: said by %q", d.update(), r.By)
			}
		}
	}
	back := slices.ContainsFunc(turns, func(t turn) bool {
		by := p.updates[t.id]
		return by != nil && by.what == "unsay" && t.before.Late != nil && t.before.Late.Text == d.text && t.after.Late == nil
	})
	switch {
	case !d.accepted() && spoken+noted+sent > 0:
		p.fatal("%s was refused: %d lines, %d notes, said %d times", d.update(), spoken, noted, sent)
	case !d.accepted():
	case back && spoken+noted+sent > 0:
		p.fatal("%s was taken back: %d lines, %d notes, said %d times", d.update(), spoken, noted, sent)
	case back:
	case (spoken > 0) == (noted > 0):
		p.fatal("%s: %d lines, %d notes", d.update(), spoken, noted)
	case spoken == 0 && sent > 0, sent > 1, spoken > 0 && sent == 0 && !blocked:
		p.fatal("%s: %d lines, said %d times", d.update(), spoken, sent)
	}
}

// judgeQuoted is that nothing that was meant for an agent is said back.
func (p *play) judgeQuoted(said []bot.Reply) {
	for _, d := range p.messages() {
		for _, r := range said {
			if strings.HasPrefix(d.text, "zq") && strings.Contains(quoted.ReplaceAllString(r.Text, ""), d.text) {
				p.fatal("%s: said back: %q", d.id, r.Text)
			}
		}
	}
}
