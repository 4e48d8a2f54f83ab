package bot

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/looplab/fsm"
)

// Options are what the engine needs to know of the world. All are required.
type Options struct {
	Start     State
	Languages []Catalogue // the first is spoken until a conversation chooses another
	// Secrets fill {name} from what only an opened slot holds (the number). A text that used one is sealed before
	// it is kept.
	Secrets map[string]func(t *Turn) string
	Vars    map[string]func(t *Turn) string // fill {name} with what is no secret
	Passing map[string]string               // names of what no transcript keeps once it was said, and the text that stands there instead; "": none
	Seal    func(conv string, what Sealed, text string) string
	Open    func(conv string, what Sealed, sealed string) (string, error) // opens it again; nil: no reply waits for more pieces of a sentence
	Whole   func(t *Turn) bool                                            // says of an update that it is no piece of a sentence, whatever came before it; nil: of none
	Mask    func(text string) string                                      // hides national numbers in the transcript
	Spread  func(texts []string) []string                                 // hides what is spread over several lines of a person's, of which the last is new; nil: nothing
	Digits  func(text string) string                                      // hides the digits of a text that gave a part of a number; nil: none
	Hash    func(label, data string) string                               // keyed
	Lost    func(t *Turn)                                                 // told of a turn that was not understood, before it is answered; nil: nobody
	Tally   func(t *Turn, ev Event, y *Tally)                             // notes how far the person has come with what was heard; nil: nobody counts
	Idle    time.Duration                                                 // how long a conversation left alone keeps its place
	Seen    time.Duration                                                 // how long an emptied one keeps the ids it has seen (P406)
}

// Sealed is what the engine keeps sealed in a conversation.
type Sealed string

// What there is.
const (
	SealedReply Sealed = "reply" // the text of a reply that is owed
	SealedSaid  Sealed = "said"  // words to which more may belong
	SealedEach  Sealed = "each"  // what each message of several said
)

// Engine steps conversations through a table. It is safe for use by many goroutines.
type Engine struct {
	options Options
	tongues map[string]tongue
	places  map[State]Place
	order   []State
	any     Place
	judges  sync.Pool
}

// tongue is a language with its ears. It understands what is said in the first language too: words on a sign, or a habit.
type tongue struct {
	Catalogue
	words   *words
	copying []string // labels of buttons that copy
}

// tongue returns the language of a conversation.
func (e *Engine) tongue(c *Conversation) tongue {
	if t, ok := e.tongues[c.Lang]; ok {
		return t
	}
	return e.tongues[e.options.Languages[0].Language] // none chosen yet, or one that is not spoken any more
}

// copying are the labels of buttons that copy what is filled in, in order.
func copying(labels map[string]Label) (ids []string) {
	for id, l := range labels {
		if l.Copies != "" {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// NewEngine checks the table and derives the judge from it: no duplicate row, no unknown state or text, every state
// reachable and leavable. Everything wrong is reported at once.
func NewEngine(o Options, places ...Place) (*Engine, error) {
	e := &Engine{options: o, tongues: map[string]tongue{}, places: map[State]Place{}}
	var problems []error
	if len(o.Languages) == 0 {
		return nil, errors.New("flow: no language")
	}
	for _, cat := range o.Languages {
		if _, twice := e.tongues[cat.Language]; twice || cat.Language == "" {
			problems = append(problems, fmt.Errorf("language %q stands twice, or has no name", cat.Language))
		}
		e.tongues[cat.Language] = tongue{cat, newWords(cat.Labels, o.Languages[0].Labels), copying(cat.Labels)}
	}
	for _, p := range places {
		if p.State == Any {
			e.any = p
			continue
		}
		if _, ok := e.places[p.State]; ok {
			problems = append(problems, fmt.Errorf("state %s stands twice", p.State))
		}
		e.places[p.State] = p
		e.order = append(e.order, p.State)
	}
	problems = append(problems, e.check()...)
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("flow: %w", err)
	}
	events := e.events()
	e.judges.New = func() any { return fsm.NewFSM(string(o.Start), events, nil) }
	return e, nil
}

// States lists the states in the order they were declared.
func (e *Engine) States() []State { return slices.Clone(e.order) }

// Place returns the declaration of a state; Any is the place of the rows for every state.
func (e *Engine) Place(s State) Place {
	if s == Any {
		return e.any
	}
	return e.places[s]
}

// Languages returns the catalogues the engine speaks, the one it begins with first.
func (e *Engine) Languages() []Catalogue { return slices.Clone(e.options.Languages) }

func (e *Engine) check() []error {
	var problems []error
	first := e.options.Languages[0]
	if _, ok := e.places[e.options.Start]; !ok {
		problems = append(problems, fmt.Errorf("start state %q is not declared", e.options.Start))
	}
	for _, p := range append(e.placesInOrder(), e.any) {
		problems = append(problems, e.checkPlace(p, first)...)
	}
	for _, ev := range []Event{Missed, MissedOften, StaleButton, Ignored} {
		if !e.any.Has(ev) {
			problems = append(problems, fmt.Errorf("no row for %s in every state", ev))
		}
	}
	for _, cat := range e.options.Languages {
		problems = append(problems, cat.check()...)
		problems = append(problems, cat.unlike(first)...)
	}
	return append(problems, e.unreachable()...)
}

// checkPlace says what is wrong with one place.
func (e *Engine) checkPlace(p Place, first Catalogue) (problems []error) {
	bad := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if p.Hear == nil {
		bad("state %s has no ear", p.State)
	}
	if _, ok := first.Texts[p.Ask]; !ok && p.Ask != "" {
		bad("state %s asks %q, which the catalogue lacks", p.State, p.Ask)
	}
	seen := map[Event]bool{}
	for _, r := range p.Rows {
		if seen[r.Event] {
			bad("state %s has two rows for %s", p.State, r.Event)
		}
		seen[r.Event] = true
		if err := e.checkRow(p, r, first); err != nil {
			problems = append(problems, err)
		}
	}
	return problems
}

// checkRow says what is wrong with one row.
func (e *Engine) checkRow(p Place, r Row, first Catalogue) error {
	if r.decide != nil {
		for _, ev := range r.among {
			if !p.Has(ev) && !e.any.Has(ev) {
				return fmt.Errorf("state %s: %s may turn out as %s, which has no row", p.State, r.Event, ev)
			}
		}
		return nil
	}
	to, known := e.places[r.To]
	_, worded := first.Texts[r.Text]
	switch {
	case !known && r.To != Stay && r.To != Back:
		return fmt.Errorf("state %s: %s leads to %q, which is not declared", p.State, r.Event, r.To)
	case r.Text == NoText, worded:
		return nil
	case r.Text != "":
		return fmt.Errorf("state %s: %s says %q, which the catalogue lacks", p.State, r.Event, r.Text)
	case known && to.Ask == "" && r.Event != Ignored && r.Event != Forgotten:
		return fmt.Errorf("state %s: %s leads to %s without a text", p.State, r.Event, r.To)
	}
	return nil
}

func (e *Engine) placesInOrder() []Place {
	var out []Place
	for _, s := range e.order {
		out = append(out, e.places[s])
	}
	return out
}

func (e *Engine) unreachable() []error {
	reached := map[State]bool{e.options.Start: true}
	for todo := []State{e.options.Start}; len(todo) > 0; {
		s := todo[0]
		todo = todo[1:]
		for _, r := range append(slices.Clone(e.places[s].Rows), e.any.Rows...) {
			if _, ok := e.places[r.To]; ok && !reached[r.To] {
				reached[r.To] = true
				todo = append(todo, r.To)
			}
		}
	}
	var problems []error
	for _, s := range e.order {
		if !reached[s] {
			problems = append(problems, fmt.Errorf("state %s cannot be reached", s))
		}
		if !slices.ContainsFunc(append(slices.Clone(e.places[s].Rows), e.any.Rows...), func(r Row) bool { return r.To != s && r.To != Stay }) {
			problems = append(problems, fmt.Errorf("state %s cannot be left", s))
		}
	}
	return problems
}

// events derives looplab/fsm's table from ours. It has one destination per (event, source), so a row that leads back
// becomes one event for each state it may lead back to.
func (e *Engine) events() fsm.Events {
	var out fsm.Events
	add := func(from State, r Row) {
		switch {
		case r.decide != nil: // what it turns out as has a row of its own
		case r.To == Stay:
			out = append(out, fsm.EventDesc{Name: string(r.Event), Src: []string{string(from)}, Dst: string(from)})
		case r.To == Back:
			for _, to := range e.order {
				out = append(out, fsm.EventDesc{Name: leading(r.Event, to), Src: []string{string(from)}, Dst: string(to)})
			}
		default:
			out = append(out, fsm.EventDesc{Name: string(r.Event), Src: []string{string(from)}, Dst: string(r.To)})
		}
	}
	for _, from := range e.order {
		for _, r := range e.places[from].Rows {
			add(from, r)
		}
		for _, r := range e.any.Rows {
			if !e.places[from].Has(r.Event) {
				add(from, r)
			}
		}
	}
	return out
}

func leading(ev Event, to State) string { return string(ev) + ":" + string(to) }

func (e *Engine) row(s State, ev Event) (Row, bool) {
	if r, ok := e.places[s].row(ev); ok {
		return r, true
	}
	return e.any.row(ev)
}

// judge asks looplab/fsm whether the event leads from one state to the other.
func (e *Engine) judge(ctx context.Context, from State, r Row, to State) error {
	m := e.judges.Get().(*fsm.FSM)
	name := string(r.Event)
	if r.To == Back {
		name = leading(r.Event, to)
	}
	m.SetState(string(from))
	err := m.Event(context.WithoutCancel(ctx), name) // a cancelled context would leave the machine stuck
	var none fsm.NoTransitionError
	if errors.As(err, &none) {
		err = nil
	}
	got := State(m.Current())
	if err != nil {
		return err // the machine is not returned to the pool
	}
	e.judges.Put(m)
	if got != to {
		return fmt.Errorf("event %s leads from %s to %s, not to %s", r.Event, from, got, to)
	}
	return nil
}

// Outcome is what a step did, for the log and the metrics.
type Outcome struct {
	Repeat   bool // the update had been answered before: nothing changed. Event says whether it was refused then
	From, To State
	Event    Event
	Text     string // catalogue key of what was answered

	Withdrawn int // bubbles and letters that had not been sent and are worth nothing any more
	Unreached int // promises of the chat that are dropped because the person is gone
	Tally     Tally
}

// Step answers one update: conversation and update in, changed copy and outcome out. It writes nothing. It returns
// *NeedsReservation when the turn must reserve at a record first.
func (e *Engine) Step(ctx context.Context, c Conversation, u Update, env Env) (Conversation, Outcome, error) {
	if (u.Timer || c.SawUpdate(u, env.Now)) && !c.isDue(u, env.Now) {
		return c, Outcome{Repeat: true, From: c.State, To: c.State, Event: c.refused(u)}, nil
	}
	if u.Kind == Undelivered && c.LastAt.IsZero() { // forgotten: nothing is kept of it anew
		return c, Outcome{Repeat: true, From: c.State, To: c.State, Event: Ignored}, nil
	}
	step := e.step
	switch {
	case !u.isDeed():
	case c.isGathering(env.Now):
		step = e.gather
	case c.isResting(env.Now):
		step = e.gatherRest
	}
	s, err := step(ctx, c, u, env)
	if err != nil {
		return c, s.out, err
	}
	return s.next, s.out, nil
}

// stepped is what a step came to.
type stepped struct {
	next   Conversation
	out    Outcome
	missed bool   // it counts as a miss
	sense  int    // how far it was understood
	said   bool   // there is something to say to it
	told   string // keyed hash of that
	again  bool   // it was said a moment ago, and is not said again
}

// How far an update is understood.
const (
	lost    = iota // not at all, or it may be the first half of something
	guessed        // a little: more may come
	understood
)

// step is Step of an update by itself.
func (e *Engine) step(ctx context.Context, c Conversation, u Update, env Env) (stepped, error) {
	return e.stepAs(ctx, c, u, env, nil)
}

// stepAs steps one update; with [p] it is the newest of these pieces.
func (e *Engine) stepAs(ctx context.Context, c Conversation, u Update, env Env, p *piece) (s stepped, err error) {
	next := e.begin(c, env.Now)
	t := &Turn{Conv: &next, Update: u, Now: env.Now, env: env, engine: e}
	if p == nil {
		p = &piece{came: u, since: env.Now, part: c.inBreath(env.Now)}
	}
	t.afterPart, t.unread = p.part, p.unread
	t.came, t.again = p.came, p.again
	if u.Text != p.came.Text {
		t.earlier, t.earlierSaid = p.ids, p.each
	}
	next.see(u, env.Now)
	s.out = Outcome{From: next.State, To: next.State, Event: Ignored}
	if !e.arrive(t) {
		s.next, s.out.Unreached = next, t.unreached
		return s, nil
	}

	ev := Ignored
	if !p.rest {
		if ev, err = e.hear(ctx, t, env.Deaf); err != nil {
			return s, err
		}
	}
	s.missed = ev == Missed || t.missed
	s.sense = understood
	switch {
	case ev == Missed, t.piece && t.missed && !t.part:
		s.sense = lost
	case t.piece && !t.part:
		s.sense = guessed
	}
	p.isOne = e.isPiece(t, ev)
	ev = e.countMiss(t, ev)
	s.out.Event, s.out.Withdrawn = ev, t.withdrawn
	if ev == NotYours || ev == NotSent || ev == NotThen {
		next.remember(u, ev)
	}

	r, ok := e.row(next.State, ev)
	if !ok {
		return s, fmt.Errorf("state %s, event %s: %w", next.State, ev, ErrNoRow)
	}
	to := e.destination(&next, r)
	if err := e.judge(ctx, next.State, r, to); err != nil {
		return s, fmt.Errorf("flow: %w", err)
	}
	e.move(&next, r, to)
	s.out.To = to
	s.out.Tally = e.tell(t, s.out.From, ev, s.missed)
	t.unread = t.unread && to == s.out.From && next.Text == c.Text
	if ev != Ignored && r.Text != NoText && !t.silent {
		s.out.Text = e.answer(t, r, to)
	}
	s.said = s.out.Text != ""
	if u.Kind == Text && e.goesOn(t) {
		s.told = e.told(t)
		e.onceOnly(t, &s, &c)
	}
	if s.again {
		p.isOne = false
	}
	if t.Update.Text != t.came.Text {
		t.Update = t.came // heard as the end of a sentence, or as what it stands for; noted as it came
	}
	e.gathered(t, &s, *p, u, c)
	e.spend(t, &c, ev)
	e.tap(t, ev)
	e.noteUpdate(t, *p, u)
	e.noteHeard(t, s.out.From, c.Prompt, &s)
	e.promise(t)
	t.promises = nil
	t.hand(c.Handoff, c.Tail)
	e.promise(t)
	s.out.Unreached = t.unreached
	next.keepCounted()
	next.Wake(next.NextTimer())
	s.next = next
	return s, nil
}

// begin is the copy that a turn works on, in a state that this version knows.
func (e *Engine) begin(c Conversation, now time.Time) Conversation {
	next := c.Clone()
	if _, known := e.places[next.State]; !known {
		next.State = e.options.Start // new, or written by a version with other states
		next.Back, next.Text, next.Shown = nil, "", nil
	}
	if next.Born.IsZero() {
		next.Born = now
	}
	if !next.isGathering(now) {
		next.Pieces = nil
	}
	if !next.isResting(now) {
		next.Answered = nil
	}
	return next
}

// arrive writes down what the update changes by its kind alone, and says whether there is something in it to hear.
func (e *Engine) arrive(t *Turn) (heard bool) {
	next, u := t.Conv, t.Update
	if !t.FromPerson() {
		next.release() // what else is said comes behind it, and must not wait
	}
	switch u.Kind {
	case Signal:
		next.Timers = slices.DeleteFunc(next.Timers, func(tm Timer) bool { return tm.is(u, t.Now) })
		if u.Attempt != "" && u.Attempt != next.Attempt { // of an older attempt
			next.Wake(next.NextTimer())
			return false
		}
	case Desk: // an agent's deed is not the person's
	case Blocked:
		next.Gone = true
		next.Stir(t.Now)
		t.unreached += next.Unreach()
		next.Wake(next.NextTimer())
		return false
	case Unblocked:
		next.Gone = false
		return false
	case Undelivered:
		t.unreached += next.returned(u, t.Now)
		next.Stir(t.Now)
		return false
	default:
		e.arrivePerson(t)
	}
	return true
}

// arrivePerson writes down that the person is there.
func (e *Engine) arrivePerson(t *Turn) {
	next := t.Conv
	if !next.LastAt.IsZero() {
		t.idle = t.Now.Sub(next.LastAt)
	}
	next.Gone, next.LastAt, next.LastID = false, t.Now, t.Update.MessageID
	for i := range next.Promises {
		next.Promises[i].Waits = false // they have written
	}
	next.Turns++
	next.SetTimer(Timer{Signal: SignalForget, At: t.Now.Add(e.options.Idle)})
	next.KeptTill = t.Now.Add(e.options.Seen)
	t.noteAlbum()
	t.choice = e.chosen(next, t.Update)
	t.twice = next.isTwice(t.Update, t.Now)
}

// countMiss counts the times running that a person was not understood; the third is an event of its own.
func (e *Engine) countMiss(t *Turn, ev Event) Event {
	if ev == Missed || t.missed {
		if t.Conv.Misses++; t.Conv.Misses >= 3 {
			t.Conv.Misses = 0
			return MissedOften
		}
		if e.options.Lost != nil && ev != MissedOften {
			e.options.Lost(t)
		}
	} else if t.FromPerson() && ev != Ignored && ev != StaleButton {
		t.Conv.Misses = 0
	}
	return ev
}

// noteUpdate puts what the person wrote into the transcript. [heard] is the sentence that it is the last piece of, or itself. What is
// hidden of it may have begun in earlier lines.
func (e *Engine) noteUpdate(t *Turn, p piece, heard Update) {
	if !t.FromPerson() || t.unkept || t.twice {
		return
	}
	line := e.personLine(t.Update, e.tongue(t.Conv).Labels)
	switch {
	case t.hidden:
		line = hiddenLine
		if heard.Text != t.came.Text {
			t.hideSince(p.since)
		}
	case t.word != "":
		line = e.options.Mask(withoutWord(t.Update, line, t.word))
	case t.Update.Kind != Press:
		line = e.spread(t, t.mask(line))
	}
	e.note(t, Line{From: FromPerson, Text: line}, false)
}

// promise puts what the turn owes into the conversation's outbox, and what is said into the transcript.
func (e *Engine) promise(t *Turn) {
	next := t.Conv
	for _, p := range t.promises {
		if p.Lane() == LaneChat && next.Gone {
			t.unreached++
			continue
		}
		if say, ok := p.What.(Say); ok {
			line := Line{From: FromBot, Text: e.hide(t, say.Reply.Text)}
			if say.Reply.By != "" {
				line.From, line.By = FromAgent, say.Reply.By
			}
			e.note(t, line, t.sealed)
			if t.sealed {
				say.Reply.Text, say.Reply.Sealed = e.options.Seal(next.ID, SealedReply, say.Reply.Text), true
			}
			if t.FromPerson() {
				next.overtake(*say.Reply, t.Now)
			}
		}
		if slices.Contains(waitsWithReply, p.Kind()) {
			p.NotBefore = t.waits
		}
		next.Promises = append(next.Promises, p)
	}
}

// hear asks the ears in turn, unless they are not to be asked.
func (e *Engine) hear(ctx context.Context, t *Turn, deaf bool) (Event, error) {
	if t.twice {
		return Ignored, nil
	}
	if !deaf {
		for _, ear := range []Hear{e.any.Hear, e.places[t.Conv.State].Hear} {
			switch ev, err := ear(ctx, t); {
			case err != nil:
				return ev, err
			case ev != "":
				return e.decide(ctx, t, ev)
			case t.again:
				return Ignored, nil
			}
		}
	}
	switch {
	case !t.FromPerson():
		return Ignored, nil
	case t.Stale():
		return StaleButton, nil
	}
	return Missed, nil
}

// decide resolves an event whose row is one of several.
func (e *Engine) decide(ctx context.Context, t *Turn, ev Event) (Event, error) {
	r, _ := e.row(t.Conv.State, ev)
	if r.decide == nil {
		return ev, nil
	}
	turned, err := r.decide(ctx, t)
	if err == nil && !slices.Contains(r.among, turned) {
		return "", fmt.Errorf("state %s, event %s turned out as %q: %w", t.Conv.State, ev, turned, ErrNoRow)
	}
	return turned, err
}

func (e *Engine) destination(c *Conversation, r Row) State {
	switch r.To {
	case Stay:
		return c.State
	case Back:
		for i := len(c.Back) - 1; i >= 0; i-- {
			if p, ok := e.places[c.Back[i]]; ok && p.Ask != "" {
				return c.Back[i]
			}
		}
		return e.options.Start
	}
	return r.To
}

const backMax = 16

func (e *Engine) move(c *Conversation, r Row, to State) {
	switch {
	case r.To == Back:
		for len(c.Back) > 0 {
			last := c.Back[len(c.Back)-1]
			c.Back = c.Back[:len(c.Back)-1]
			if last == to {
				break
			}
		}
	case to != c.State && e.places[c.State].Ask != "":
		if i := slices.Index(c.Back, to); i >= 0 {
			c.Back = c.Back[:i] // been there: a loop is not a history
		} else {
			c.Back = append(c.Back, c.State)
		}
		if extra := len(c.Back) - backMax; extra > 0 {
			c.Back = slices.Delete(c.Back, 0, extra)
		}
	}
	c.State = to
}

var placeholder = regexp.MustCompile(`\{[a-z_]+\}`)

// answer writes the turn's one bubble.
func (e *Engine) answer(t *Turn, r Row, to State) string {
	c := t.Conv
	key := r.Text
	if key == "" {
		if key = e.places[to].Ask; key == "" {
			return ""
		}
	}
	cat := e.tongue(c)
	text := cat.Texts[cat.inWay(key, c.Way)]
	if text.Aside {
		e.stand(t, r, to)
	} else {
		e.askAnew(t, key)
		text, t.asks = e.question(c, key), true
	}
	if t.unread && text.Aside && !repeats(text) {
		text.Text += "\n\n{whole}"
	}
	reply, buttons := &Reply{Text: e.fill(t, text.Text), Prompt: c.Prompt, Image: e.fill(t, text.Image)}, text.Buttons
	if text.Aside {
		question := e.question(c, c.Text)
		if (strings.Contains(text.Text, "{question}") || strings.Contains(text.Text, "{whole}")) && reply.Image == "" {
			reply.Image = e.fill(t, question.Image)
		}
		if len(buttons) == 0 {
			buttons = question.Buttons
		}
	}
	reply.Protect = t.sealed // what holds the number must not be forwarded (P112); filling it in said so
	reply.Ask = e.asks(t, text, reply.Text)
	if t.added != "" {
		reply.Ask = 0
		buttons = e.add(t, reply, buttons)
	}
	for i, id := range buttons {
		l := cat.Labels[id]
		reply.Buttons = append(reply.Buttons, Button{ID: id, Title: l.Title, URL: l.URL, Main: l.Main && i == 0})
	}
	reply.Hint, reply.Copies = text.Hint, e.copies(t, reply.Text)
	p := Promise{What: Say{reply}, Until: t.expires}
	if text.Link {
		p.Attempt = c.Attempt
	}
	t.Promise(p)
	return key
}

// repeats says whether an answer by the way asks the question that stands again, in whatever words.
func repeats(text Entry) bool {
	return slices.ContainsFunc([]string{"{question}", "{whole}", "{again}"}, func(name string) bool { return strings.Contains(text.Text, name) })
}

// copies are the buttons that copy a part of what is said.
func (e *Engine) copies(t *Turn, said string) (all []Copy) {
	tongue := e.tongue(t.Conv)
	for _, id := range tongue.copying {
		l := tongue.Labels[id]
		if v := e.options.Vars[l.Copies]; v != nil {
			if what := v(t); what != "" && strings.Contains(said, what) {
				all = append(all, Copy{l.Title, what})
			}
		}
	}
	return all
}

// stand sees to the question that stands under an aside: the one asked where the turn leads to, or the old one reworded.
func (e *Engine) stand(t *Turn, r Row, to State) {
	c := t.Conv
	if ask := e.places[to].Ask; ask != "" && (c.Text == "" || r.To == Back) {
		e.ask(c, ask)
	} else if t.reworded && c.Text != "" {
		e.ask(c, c.Text)
	}
}

// askAnew makes a text the question, with what the turn has to say in it instead of what the last one had.
func (e *Engine) askAnew(t *Turn, key string) {
	for name := range t.Conv.Slots {
		if strings.HasPrefix(name, "say.") {
			delete(t.Conv.Slots, name)
		}
	}
	for name, value := range t.said {
		t.Remember("say."+name, value)
	}
	e.ask(t.Conv, key)
}

// add puts the turn's second text under the reply, and returns its buttons after those there are.
func (e *Engine) add(t *Turn, reply *Reply, buttons []string) []string {
	c, cat := t.Conv, e.tongue(t.Conv)
	more := cat.Texts[cat.inWay(t.added, c.Way)]
	reply.Text += "\n\n" + e.fill(t, more.Text)
	for _, id := range more.Buttons {
		if !slices.Contains(buttons, id) {
			buttons = append(slices.Clip(buttons), id)
		}
		if !slices.Contains(c.Shown, id) {
			c.Shown = append(c.Shown, id)
		}
	}
	return buttons
}

// ask makes a text the question that stands, with its own stamp and buttons.
func (e *Engine) ask(c *Conversation, key string) {
	c.Text = key
	c.Prompt++
	cat := e.tongue(c)
	c.Shown = slices.DeleteFunc(slices.Clone(e.question(c, key).Buttons), func(id string) bool { return cat.Labels[id].URL != "" })
}

// question is a text as the conversation is spoken to.
func (e *Engine) question(c *Conversation, key string) Entry {
	cat := e.tongue(c).Catalogue
	q := cat.Texts[cat.inWay(key, c.Way)]
	if q.Offers {
		q.Buttons = strings.Fields(c.Slots["say."+offered])
	}
	return q
}

// asked is what the question that stands asks, to be said under something else. What a text that stands in for its place's own told
// before it asked is no news any more.
func (e *Engine) asked(c *Conversation) string {
	said := e.question(c, c.Text).Text
	if n := questionOf(said); n > 0 && c.Text != e.places[c.State].Ask {
		return said[len(said)-n:]
	}
	return said
}

// fillsAlone says whether nothing in a question but what is the same in every turn is filled in.
func (e *Engine) fillsAlone(q Entry) bool {
	for _, p := range placeholder.FindAllString(strings.Join(append(q.Again, q.Text), " "), -1) {
		name := p[1 : len(p)-1]
		if e.options.Vars[name] == nil && e.options.Secrets[name] == nil {
			return false
		}
	}
	return true
}

func (e *Engine) fill(t *Turn, text string) string {
	return placeholder.ReplaceAllStringFunc(text, func(p string) string {
		name := p[1 : len(p)-1]
		if t.unread && (name == "question" || name == "again") {
			name = "whole"
		}
		switch name {
		case "question":
			return e.fill(t, e.asked(t.Conv))
		case "whole":
			unread := t.unread
			t.unread = false // a question may repeat another
			said := e.fill(t, e.question(t.Conv, t.Conv.Text).Text)
			t.unread = unread
			return said
		case "again":
			q := e.question(t.Conv, t.Conv.Text)
			if len(q.Again) == 0 { // a text that stands in for its place's question
				q = e.question(t.Conv, e.places[t.Conv.State].Ask)
			}
			if n := max(t.Conv.Misses-1, 0); n < len(q.Again) {
				return e.fill(t, q.Again[n])
			}
			return e.fill(t, q.Text)
		}
		for _, values := range []map[string]string{t.once, t.said} {
			if v, ok := values[name]; ok {
				e.passing(t, name, v)
				return v
			}
		}
		if v, ok := t.Conv.Slots["say."+name]; ok {
			e.passing(t, name, v)
			return v
		}
		if f, ok := e.options.Vars[name]; ok {
			return f(t)
		}
		if f, ok := e.options.Secrets[name]; ok {
			t.sealed = true
			s := f(t)
			t.secrets = append(t.secrets, s)
			return s
		}
		return p
	})
}

// hide takes out of a reply what a secret filled in and no mask would know.
func (e *Engine) hide(t *Turn, text string) string {
	text = e.pass(t, text)
	for _, s := range t.secrets {
		if s != "" && e.options.Mask(s) == s {
			text = strings.ReplaceAll(text, s, "•••")
		}
	}
	return text
}

// note adds a line to the tail of the transcript, cut, and masked where it may hold a number; and to what the turn has of a
// handed-off chat.
func (e *Engine) note(t *Turn, line Line, mask bool) {
	if line.Text == "" {
		return
	}
	if mask {
		line.Text = t.mask(line.Text)
	}
	line.At = t.Now
	c := t.Conv
	if c.Handoff != nil {
		whole := line
		whole.Text = Cut(line.Text, LineRunes)
		t.lines = append(t.lines, whole)
	}
	line.Text = Cut(line.Text, TailRunes)
	c.Tail = append(c.Tail, line)
	if extra := len(c.Tail) - TailMax; extra > 0 {
		c.Tail = slices.Delete(c.Tail, 0, extra)
	}
}

// Cut is the first so many runes of a text.
func Cut(s string, runes int) string {
	n := 0
	for i := range s {
		if n == runes {
			return s[:i]
		}
		n++
	}
	return s
}
