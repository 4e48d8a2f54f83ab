package bot

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Ask is what a turn wants reserved at a record before it is committed: one more mail of its live link.
type Ask struct {
	Turn    string // key of the turn: reserving twice is reserving once
	Trace   string // its reference, for whoever follows it; it decides nothing
	Conv    string
	Record  string // keyed hash of the number
	Number  string // in clear: an ask is not kept, nor said to anybody but the record's keeper
	Want    string // "unlock" or "generate"
	Channel string
	Lang    string // of the conversation; empty: the first
}

// Reservation is the record's answer. Wording must not depend on anything but Granted and RetryAt.
type Reservation struct {
	Granted bool
	Attempt string    // the record's live attempt
	Ends    time.Time // at the latest; earlier once the mail server has accepted the mail
	RetryAt time.Time // not granted: when it may be asked again
}

// NeedsReservation is returned by Step when the turn must reserve at a record first: do it, and step again with the
// answer in Env.
type NeedsReservation struct{ Ask Ask }

// Error is read by nobody: the turn is stepped again.
func (e *NeedsReservation) Error() string { return "turn needs a reservation at its record" }

// Turn is one update being answered. Hear functions read it and leave in it what the turn causes.
type Turn struct {
	Conv   *Conversation // the working copy
	Update Update
	Now    time.Time
	Memo   any // what the flow has read of the update, so that it need not read it again

	came     Update // as it came: Update may be the sentence that it is the last piece of
	env      Env
	engine   *Engine
	choice   string
	said     map[string]string
	once     map[string]string
	passed   []passed
	promises []Promise
	lines    []Line // of a handed-off chat, whole
	hid      []Line // of it, kept before, in which something is hidden now
	tail     []Line // what stood before the turn, where something in it is hidden now
	silent   bool
	missed   bool
	sealed   bool
	emptied  bool
	secrets  []string // what Options.Secrets filled in
	hidden   bool
	word     string // hidden, and what stands around it not
	digits   bool   // so are its digits
	unkept   bool
	twice    bool // the second tap of a button that was just answered
	idle     time.Duration
	again    bool // nothing is said to it, see Again
	same     bool // an edit that means what its message meant

	tally     Tally
	withdrawn int
	unreached int
	expires   time.Time // when the answer is worth nothing any more
	reworded  bool      // the question that stands is said in another way from now on
	added     string    // key of what is said under the answer

	earlier     []string  // messages, see Earlier
	earlierSaid []string  // what those say
	piece       bool      // more may follow within a moment
	kept        []string  // slots that stay then
	part        bool      // so may more of what the turn has a part of
	afterPart   bool      // see AfterPart
	asks        bool      // it asks a question anew
	unread      bool      // see Unread
	rest        bool      // of what was sent at once with the update before
	waits       time.Time // until when the reply waits for more
	masked      masked
}

// masked is a text, and what is kept of it.
type masked struct{ of, as string }

// mask is Options.Mask, which reads the whole text, for one that is asked about again.
func (t *Turn) mask(text string) string {
	if t.masked.of != text {
		t.masked = masked{text, t.engine.options.Mask(text)}
	}
	return t.masked.as
}

// Key names the turn: the same for every delivery of the same update.
func (t *Turn) Key() string { return t.Conv.ID + "/" + t.Update.ID }

// Text is what was typed, cleaned of invisible characters.
func (t *Turn) Text() string { return Clean(t.Update.Text) }

// Trace is the turn's reference, which the log and the desk know it by.
func (t *Turn) Trace() string { return t.env.Trace }

// FromPerson says whether the contact did this, rather than a timer, a record or an agent.
func (t *Turn) FromPerson() bool { return t.Update.Kind != Signal && t.Update.Kind != Desk }

// Choice is the id of the button that was pressed, or typed as its title, its number or in words; "" when none of
// the buttons under the last question.
func (t *Turn) Choice() string { return t.choice }

// Stale says that a button of an older question was pressed.
func (t *Turn) Stale() bool {
	return t.Update.Kind == Press && t.choice == ""
}

// Says returns the first of the labels that is all of what was typed (a word by itself, give or take a slip), or "".
func (t *Turn) Says(labels ...string) string {
	if t.Update.Kind != Text {
		return ""
	}
	return t.engine.tongue(t.Conv).words.match(t.Text(), labels)
}

// Means returns the first of the labels that those words, a part of what was typed, are all of, or "".
func (t *Turn) Means(words string, labels ...string) string {
	return t.engine.tongue(t.Conv).words.match(words, labels)
}

// Idle is how long the person had been away when the update came.
func (t *Turn) Idle() time.Duration { return t.idle }

// Place is where the conversation stands.
func (t *Turn) Place() Place { return t.PlaceOf(t.Conv.State) }

// PlaceOf is the declaration of another state, one on the way back perhaps.
func (t *Turn) PlaceOf(s State) Place { return t.engine.places[s] }

// Leads is where an event leads from a state, or "" when it has no row.
func (t *Turn) Leads(from State, ev Event) State {
	r, _ := t.engine.row(from, ev)
	return r.To
}

// Slot returns a remembered fact.
func (t *Turn) Slot(name string) string { return t.Conv.Slots[name] }

// Remember keeps a fact.
func (t *Turn) Remember(name, value string) {
	if t.Conv.Slots == nil {
		t.Conv.Slots = map[string]string{}
	}
	t.Conv.Slots[name] = value
}

// Forget drops facts.
func (t *Turn) Forget(names ...string) {
	for _, n := range names {
		delete(t.Conv.Slots, n)
	}
}

// Say fills {name} in the text that answers this turn. It is kept with the question, so never a secret: those come
// from Options.Secrets.
func (t *Turn) Say(name string, value any) {
	if t.said == nil {
		t.said = map[string]string{}
	}
	t.said[name] = fmt.Sprint(value)
}

// Miss counts the turn as a miss: the third in a row offers a person instead.
func (t *Turn) Miss() { t.missed = true }

// PlaceLabel says where the conversation is, in the catalogue's words ("el envío del enlace").
func (t *Turn) PlaceLabel() string {
	cat, ask := t.engine.tongue(t.Conv), t.engine.places[t.Conv.State].Ask
	return cmp.Or(cat.Texts[cat.inWay(ask, t.Conv.Way)].Place, cat.Texts[ask].Place)
}

// Wording returns a catalogue text that stands inside others.
func (t *Turn) Wording(key string) string { return t.engine.tongue(t.Conv).Texts[key].Text }

// Fill is Wording with its {names} filled in.
func (t *Turn) Fill(key string) string { return t.engine.fill(t, t.Wording(key)) }

// Withdraw takes back the bubbles that speak of the attempt's link and have not been sent: it has ended, so they would only
// mislead.
func (t *Turn) Withdraw() { t.withdraw(PromiseSay) }

// WithdrawLetters takes back the letters with the attempt's link that have not been sent.
func (t *Turn) WithdrawLetters() { t.withdraw(PromiseLink) }

func (t *Turn) withdraw(kind PromiseKind) {
	c := t.Conv
	before := len(c.Promises)
	c.Promises = slices.DeleteFunc(c.Promises, func(p Promise) bool { return p.Kind() == kind && p.Attempt != "" && p.Attempt == c.Attempt })
	t.withdrawn += before - len(c.Promises)
}

// Speak has the conversation go on in a language. One that the engine does not speak is the first.
func (t *Turn) Speak(language string) { t.Conv.Lang = language }

// Language is the one the conversation is in.
func (t *Turn) Language() string { return t.engine.tongue(t.Conv).Language }

// Pace has the conversation go on in a way of speaking: of each text the catalogue's "key.way" is said, where it has one.
// The empty way is the usual one.
func (t *Turn) Pace(way string) {
	t.reworded = t.reworded || t.Conv.Way != way
	t.Conv.Way = way
}

// Add puts a text of the catalogue under the turn's answer, with its buttons: an offer by the way.
func (t *Turn) Add(key string) { t.added = key }

// offered names the slot of what was offered.
const offered = "offer"

// Offer names the buttons that a text with Offers shows, in order.
func (t *Turn) Offer(labels ...string) { t.Say(offered, strings.Join(labels, " ")) }

// Title is what stands on a button.
func (t *Turn) Title(label string) string { return t.engine.tongue(t.Conv).Labels[label].Title }

// Shows returns the button under the last question that those words mean, or "".
func (t *Turn) Shows(words string) string {
	return t.engine.tongue(t.Conv).words.match(words, t.Conv.Shown)
}

// Agrees is the button that a plain "yes" stands for under the last question, where the catalogue names one, or "".
func (t *Turn) Agrees() string { return t.engine.question(t.Conv, t.Conv.Text).Yes }

// Choose takes the update for a press of that button, once the flow knows that it meant just this.
func (t *Turn) Choose(label string) { t.choice = label }

// Ask has the question [key] stand again, as it was before another was asked in between. One that was filled in by the turn
// that asked it is gone: the place's own stands then.
func (t *Turn) Ask(key string) {
	if q := t.engine.question(t.Conv, key); q.Text == "" || !t.engine.fillsAlone(q) {
		key = t.Place().Ask
	}
	t.engine.ask(t.Conv, key)
}

// Enter goes to a state on the way, of which nothing is said: the event that is heard is the new state's, and the way back
// leads there first.
func (t *Turn) Enter(s State) { t.engine.move(t.Conv, Row{To: s}, s) }

// Expire has the turn's answer not be sent after a moment.
func (t *Turn) Expire(at time.Time) { t.expires = at }

// Silent makes the turn answer nothing.
func (t *Turn) Silent() { t.silent = true }

// Hide keeps what was written out of the transcript: a key, a code that no mask would know.
func (t *Turn) Hide() { t.hidden = true }

// HideWord keeps a word of it out, and what stands around it in; all of it where that is just the word.
func (t *Turn) HideWord(word string) { t.word = word }

// HideDigits keeps its digits out: they are a part of something that may not be kept.
func (t *Turn) HideDigits() { t.digits = true }

// Unkept keeps nothing of the update in the transcript: it was one too many.
func (t *Turn) Unkept() { t.unkept = true }

// Promise owes something to the outside. Its id is the turn's key and its kind, unless it has one.
func (t *Turn) Promise(p Promise) {
	if p.ID == "" {
		p.ID = t.Key() + "/" + string(p.Kind())
	}
	p.Made, p.Trace = t.Now, t.env.Trace
	t.promises = append(t.promises, p)
}

// Later sets a timer; there is one of each signal.
func (t *Turn) Later(signal, attempt string, at time.Time) {
	t.Conv.SetTimer(Timer{Signal: signal, Attempt: attempt, At: at})
}

// Never drops the timer of a signal.
func (t *Turn) Never(signal string) { t.Conv.dropTimer(signal) }

// SetTimer sets a timer in place of the one with the same signal.
func (c *Conversation) SetTimer(timer Timer) {
	c.dropTimer(timer.Signal)
	c.Timers = append(c.Timers, timer)
}

// MoveTimer moves a timer of the same signal and attempt. One that was dropped meanwhile stays dropped.
func (c *Conversation) MoveTimer(timer Timer) {
	for i, t := range c.Timers {
		if t.Signal == timer.Signal && t.Attempt == timer.Attempt {
			c.Timers[i].At = timer.At
		}
	}
}

func (c *Conversation) dropTimer(signal string) {
	c.Timers = slices.DeleteFunc(c.Timers, func(t Timer) bool { return t.Signal == signal })
}

// Reserve asks the record for one more mail of its live link. The first time it returns *NeedsReservation, which the
// Hear function hands on.
func (t *Turn) Reserve(a Ask) (Reservation, error) {
	a.Turn, a.Trace, a.Conv = t.Key(), t.env.Trace, t.Conv.ID
	if t.env.Reservation == nil {
		return Reservation{}, &NeedsReservation{a}
	}
	return *t.env.Reservation, nil
}

// Env is what a step is given from outside.
type Env struct {
	Now         time.Time
	Reservation *Reservation
	Trace       string // reference of the turn, which what it promises carries; it decides nothing
	Deaf        bool   // answer as if nothing had been understood, after ErrNoRow or a panic
}

// ErrNoRow is what Step returns when the table has no row for what was heard: a mistake in the flow. The update would
// be delivered again for ever; step it Deaf, and tell the operator.
var ErrNoRow = errors.New("no row in the table")

// Vacate notes that nobody is at the other end any more: what has not been sent is dropped, and nothing is written until
// somebody writes.
func (t *Turn) Vacate() {
	t.Conv.Gone = true
	t.withdrawn += t.Conv.Unreach()
}

// Empty drops everything but what protects from repeats and misuse: the seen ids, the limits, and what is still owed, which
// a change of an old bubble is not. The case with the help desk stays; the flow decides when that is over.
func (t *Turn) Empty() {
	c := t.Conv
	c.DropLane(LaneEdit)
	t.emptied = true
	*c = Conversation{
		ID: c.ID, Version: c.Version, State: c.State, Lang: c.Lang, Way: c.Way, Prompt: c.Prompt, Seen: c.Seen, LetGo: c.LetGo, Numbers: c.Numbers, Recent: c.Recent,
		Warned: c.Warned, Filed: c.Filed, Gone: c.Gone, Turns: c.Turns, Born: c.Born, LastAt: c.LastAt, KeptTill: c.KeptTill, Handoff: c.Handoff, Visit: c.Visit, Outbox: c.Outbox,
	}
}
