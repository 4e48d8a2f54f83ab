package handoff

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"llave/bot"
)

// Store is what the desk reads, and the little that it writes itself: see store.DeskTable.
type Store interface {
	Queue(ctx context.Context, prefix string, limit int) ([]Case, error)
	Moved(ctx context.Context, since time.Time, limit int) ([]Case, error)
	FindCase(ctx context.Context, ref string) (bot.Conversation, bool, error)
	Ahead(ctx context.Context, queue string) (int, error)
	Between(ctx context.Context, from, to string) ([]string, error)
	MovedRefs(ctx context.Context, since time.Time) (map[string]bool, error)
	Line(ctx context.Context) (Line, error)
	SaveLine(ctx context.Context, l *Line) error
	Lines(ctx context.Context, ref string, after int64, limit int) ([]bot.Line, error)
	EachLine(ctx context.Context, from, to time.Time, each func(ref string, l bot.Line) bool) error
	Case(ctx context.Context, ref string) (CaseFile, bool, error)
	CasesOf(ctx context.Context, conv string) ([]CaseFile, error)
	EachCase(ctx context.Context, from, to time.Time, each func(CaseFile) bool) error
	CloseNotice(ctx context.Context, ref, by, answer string) (bool, error)
	Beat(ctx context.Context, p Presence) error
	Present(ctx context.Context) ([]Presence, error)
	Answers(ctx context.Context) (Answers, error)
	SaveAnswers(ctx context.Context, a *Answers) error
	Draft(ctx context.Context, ref, login string) (Draft, error)
	SaveDraft(ctx context.Context, d *Draft) error
	DropDraft(ctx context.Context, d Draft) error
}

// Schedules keeps the one schedule.
type Schedules interface {
	Load(ctx context.Context) (Schedule, error)
	Save(ctx context.Context, s *Schedule) error
}

// CaseFile is what is kept of a case after its conversation has moved on, or of an owner's notice that it was not them.
type CaseFile struct {
	Ref       string
	Conv      string
	Made      time.Time
	Handoff   bot.Handoff // zero for a notice
	Notice    bool
	AfterUse  bool // of a notice: the link had been used, and the record was locked again
	Overtaken bool // it had been used, and a later one since, as which the record was left
	Open      bool
	By        string // who closed a notice, and
	Answer    string // what they found
}

// Presence says when an agent's console was there last.
type Presence struct {
	Login   string    `bson:"_id"`
	Version int64     `bson:"v"`
	Name    string    `bson:"name"`
	At      time.Time `bson:"at"`
	Away    bool      `bson:"away,omitempty"`   // there, and takes no new conversation
	Speaks  string    `bson:"speaks,omitempty"` // languages beside the first, with blanks between
}

// GoneAfter is how long an agent's console may be silent before the agent's conversations go back to the queue (P504: an
// agent who vanishes frees it).
const GoneAfter = 60 * time.Second

// Here says whether the agent's console is there.
func (p Presence) Here(now time.Time) bool { return now.Sub(p.At) < GoneAfter }

// AnswersID is the id of the one document of Answers.
const AnswersID = "answers"

// Answers are the ready answers that supervisors wrote, beside the built-in ones.
type Answers struct {
	ID      string   `bson:"_id"`
	Version int64    `bson:"v"`
	List    []Answer `bson:"list,omitempty"`
}

// Answer is one ready answer. Its words may hold {agente} and {caso}.
type Answer struct {
	Name string `bson:"name"` // what is typed after the slash
	Text string `bson:"text"`
}

// Actor is the agent who does something.
type Actor struct {
	Login      string
	Name       string // what people are told
	Supervisor bool
	Speaks     string // languages beside the first, with blanks between
}

// Finding is why a record may use the virtual route or not, in the words of package affiliate. The desk may know it
// (P302 speaks of chats; see P507); who asks is written down.
type Finding struct {
	Known    bool // there is a record
	Status   string
	Category string
	Updated  bool // its data were updated in person
	Mail     bool // it has a usable address
	Eligible bool
	Held     bool // no link goes out for now: its owner said that it was not them
}

// Options are what the desk needs.
type Options struct {
	Store     Store
	Schedules Schedules
	Hours     Hours          // the setting's
	Zone      *time.Location // of the hours
	Target    time.Duration  // within which the desk means to give a first answer; 0: TargetUsual
	OpenMax   int            // how many conversations an agent has at most; 0: as many as they like
	Now       func(ctx context.Context) (time.Time, error)
	// Answer has the runner answer an update, and says what came of it.
	Answer func(ctx context.Context, u bot.Update) (bot.Outcome, error)
	// Number opens the number a conversation is about; "" when it has none.
	Number func(c bot.Conversation) (string, error)
	// Look says what stands in the record of a number.
	Look func(ctx context.Context, number string) (Finding, error)
	// Audit appends an audit entry: who did what to which case. [id] is the deed's idempotency key.
	Audit func(ctx context.Context, id, who, what, detail string) error
	// Mark is a keyed hash of words that were looked for, by which the audit can be asked whether somebody looked for them.
	Mark func(words string) string
	// Discreet is what goes out of an agent's words to the person; Noted what is kept of a note: both masked.
	Discreet, Noted func(text string) string
	// Silence is how long an agent may leave a person without an answer.
	Silence time.Duration
	// Window is how long after a person's last word a channel lets us write; nil, or zero: for ever.
	Window func(channel string) time.Duration
	// Tries counts the codes that somebody at a counter types, within the hour, and says how many there are; with -1 it takes one back.
	Tries func(ctx context.Context, login string, by int64) (int64, error)
	// Arrived calls [each] with what a channel said of an agent's words: the line of the case, and one of Arrived…, in any order. nil: no
	// channel says anything.
	Arrived func(ctx context.Context, conv, ref string, each func(line int64, status string)) error
	// Reports says whether a channel tells what became of a message after it took it. nil: any may.
	Reports func(channel string) bool
	// Typing shows the person that an agent writes, where the channel can; best effort.
	Typing func(ctx context.Context, conv string)
	// Known says whether an agent with that login may take conversations, and what people are told they are called.
	Known func(ctx context.Context, login string) (name string, ok bool, err error)
}

// Desk is the help desk. It is safe for use by many goroutines, and keeps nothing but what it has written down this hour: any number
// of processes may each have one over the same store.
type Desk struct {
	Options

	placing chan struct{} // holds who takes a place in the queue

	mu       sync.Mutex
	hour     string
	readings map[reading]bool
}

// TargetUsual is the target that the setting has where nobody sets another.
const TargetUsual = 2 * time.Minute

// NewDesk makes a desk.
func NewDesk(o Options) *Desk {
	o.Target = cmp.Or(o.Target, TargetUsual)
	return &Desk{Options: o, placing: make(chan struct{}, 1)}
}

// The errors that somebody at the desk can do something about.
var (
	ErrNoCase   = errors.New("no such case")
	ErrNotYours = errors.New("the conversation is not this agent's")
	ErrNoNumber = errors.New("the conversation has no number")
	ErrNotHere  = errors.New("the colleague is not there")
	ErrRefused  = errors.New("the record has had its mails for now")
	ErrNotThen  = errors.New("not at that moment")
	ErrEnough   = errors.New("the agent has as many conversations as one may")
	ErrNoRoom   = errors.New("the colleague has as many conversations as one may")
	ErrTries    = errors.New("too many codes were wrong: later")
)

// TakenError says who has a conversation that was to be taken.
type TakenError struct{ Name string }

// Error leaves out the colleague's name, which is for the page and not for a log.
func (e *TakenError) Error() string { return "the conversation is taken" }

// Calendar says when the desk is open, as supervisors have it at this moment.
func (d *Desk) Calendar(ctx context.Context) (Calendar, error) {
	s, err := d.Schedules.Load(ctx)
	if err != nil {
		return Calendar{}, fmt.Errorf("read the desk's hours: %w", err)
	}
	return Calendar{Hours: d.Hours, Schedule: s, Zone: d.Zone}, nil
}

// Ahead is how many cases stand in the queue before the one with that key.
func (d *Desk) Ahead(ctx context.Context, queue string) (int, error) {
	return d.Store.Ahead(ctx, queue)
}

// Deed is something an agent does to a case, a command: who does it, to which; bot.DeskAct is what. Once is its idempotency
// key: the same deed twice is done once.
type Deed struct {
	Once  string
	Ref   string
	Actor Actor
}

// id is the id of the update that a deed is.
func (d Deed) id() string { return "desk/" + d.Actor.Login + "/" + d.Once }

// Came says whether a deed has come to its case before.
func (d *Desk) Came(ctx context.Context, deed Deed) (bool, error) {
	c, found, err := d.Store.FindCase(ctx, deed.Ref)
	if err != nil {
		return false, fmt.Errorf("find case: %w", err)
	}
	return found && slices.ContainsFunc(c.Seen, func(s bot.Seen) bool { return s.ID == deed.id() }), nil
}

// act has an update of the desk answered and says what came of it, or had come of it when the same was asked before.
func (d *Desk) act(ctx context.Context, deed Deed, a bot.DeskAct, text string) (bot.Conversation, bot.Outcome, error) {
	c, found, err := d.Store.FindCase(ctx, deed.Ref)
	switch {
	case err != nil:
		return c, bot.Outcome{}, fmt.Errorf("find case: %w", err)
	case !found:
		return c, bot.Outcome{}, ErrNoCase
	}
	a.Ref, a.Agent, a.Name, a.Supervisor = deed.Ref, deed.Actor.Login, deed.Actor.Name, deed.Actor.Supervisor
	channel, chat := bot.SplitConversationID(c.ID)
	out, err := d.Answer(ctx, bot.Update{
		ID: deed.id(), Channel: channel, Chat: chat, Kind: bot.Desk, Text: text, Desk: &a,
	})
	if err != nil {
		return c, out, fmt.Errorf("%s: %w", a.Do, err)
	}
	switch out.Event {
	case bot.NotYours:
		return c, out, ErrNotYours
	case bot.NotSent:
		if a.Do == bot.DeskLink && c.Handoff.Number == "" {
			return c, out, ErrNoNumber
		}
		return c, out, ErrRefused
	case bot.NotThen:
		return c, out, ErrNotThen
	}
	return c, out, nil
}
