package bot

import (
	"maps"
	"slices"
	"time"
)

// State is where a conversation waits. State names are stored: a rename is a migration.
type State string

// Event is what an update meant, in the past tense.
type Event string

// Lane is a queue of promises kept in order; lanes do not wait for each other.
type Lane string

// The lanes.
const (
	LaneChat  Lane = "chat"  // messages to the person
	LaneMail  Lane = "mail"  // letters
	LaneMail2 Lane = "mail2" // those to a second record that is asked for in the same chat meanwhile
	LaneMail3 Lane = "mail3" // and to a third: as many as an hour's limit has
	LaneEvent Lane = "event" // everything else a record or a conversation owes
	LaneDesk  Lane = "desk"  // letters to the institution, which wait for nobody's full mailbox
	LaneHook  Lane = "hook"  // what the institution's own programs are told: one that is away holds up nothing
	LaneAlert Lane = "alert" // what agents' devices are told: a push service that is away holds up nothing
	LaneEdit  Lane = "edit"  // changes of bubbles that were sent: they take what rate the chat's messages leave
)

// Lanes are all of them.
var Lanes = []Lane{LaneChat, LaneMail, LaneMail2, LaneMail3, LaneEvent, LaneDesk, LaneHook, LaneAlert, LaneEdit}

// Timer is something that becomes an update when its time has come.
type Timer struct {
	Signal  string    `bson:"signal"`
	Attempt string    `bson:"attempt,omitempty"`
	At      time.Time `bson:"at"`
}

// TimerAt is when the timer of a signal goes off, and whether there is one.
func (c *Conversation) TimerAt(signal string) (at time.Time, runs bool) {
	for _, t := range c.Timers {
		if t.Signal == signal {
			return t.At, true
		}
	}
	return time.Time{}, false
}

func (t Timer) is(u Update, now time.Time) bool {
	return u.Kind == Signal && t.Signal == u.Signal && t.Attempt == u.Attempt && !t.At.After(now)
}

// isDue says whether the update is a timer that is set and due. Taking it off is what makes a timer happen once: one
// that was set again for the same moment is not a repeat.
func (c *Conversation) isDue(u Update, now time.Time) bool {
	return slices.ContainsFunc(c.Timers, func(t Timer) bool { return t.is(u, now) })
}

// Seen is the id of an update already answered.
type Seen struct {
	ID    string    `bson:"id"`
	Order int64     `bson:"order,omitempty"` // Update.Order
	At    time.Time `bson:"at"`
	Came  Event     `bson:"came,omitempty"` // NotYours, NotSent or NotThen: the deed of the desk that was refused then
}

// Who a line of the transcript is from.
const (
	FromPerson = "person"
	FromBot    = "bot"
	FromAgent  = "agent"
	FromNote   = "note"  // an agent's, for colleagues: not part of the chat
	FromEvent  = "event" // what happened meanwhile: not part of the chat
)

// Line is one line of a transcript, masked and cut.
type Line struct {
	From string    `bson:"from"`         // one of From…
	By   string    `bson:"by,omitempty"` // agent and note: what the agent is called
	Text string    `bson:"text"`
	At   time.Time `bson:"at"`
	Seq  int64     `bson:"seq,omitempty"` // in a handed-off chat: from 1, without gaps
}

// Keeper is the process that is keeping a lane's promises, and until when it may be believed to be alive.
type Keeper struct {
	Who   string    `bson:"who"`
	Until time.Time `bson:"until"`
}

// Outbox is what a document owes the outside and when somebody must look at it again. Conversations and unlock
// documents both embed one.
type Outbox struct {
	Promises []Promise          `bson:"promises,omitempty"`
	Keepers  map[Lane]Keeper    `bson:"keepers,omitempty"`
	Paused   map[Lane]time.Time `bson:"paused,omitempty"` // until when the other side asked for nothing
	WakeAt   time.Time          `bson:"wake_at,omitempty"`
}

// Head returns the first promise of a lane, or nil.
func (o *Outbox) Head(lane Lane) *Promise {
	for i := range o.Promises {
		if o.Promises[i].Lane() == lane {
			return &o.Promises[i]
		}
	}
	return nil
}

// Drop removes the promise with that id.
func (o *Outbox) Drop(id string) {
	o.Promises = slices.DeleteFunc(o.Promises, func(p Promise) bool { return p.ID == id })
}

// DropLane removes all promises of a lane and says how many there were.
func (o *Outbox) DropLane(lane Lane) int {
	before := len(o.Promises)
	o.Promises = slices.DeleteFunc(o.Promises, func(p Promise) bool { return p.Lane() == lane })
	return before - len(o.Promises)
}

// Unreach removes what a person is owed who is not there any more, and says how many messages that were.
func (o *Outbox) Unreach() int {
	o.DropLane(LaneEdit)
	return o.DropLane(LaneChat)
}

// Find returns the promise with that id, or nil.
func (o *Outbox) Find(id string) *Promise {
	for i := range o.Promises {
		if o.Promises[i].ID == id {
			return &o.Promises[i]
		}
	}
	return nil
}

// Pause has a lane wait because the other side asked for that. It outlives the promise that met the request, which may be
// taken back meanwhile; the next success ends it.
func (o *Outbox) Pause(lane Lane, until time.Time) {
	if o.Paused == nil {
		o.Paused = map[Lane]time.Time{}
	}
	o.Paused[lane] = until
}

// Due says whether a lane has something that may be kept now.
func (o *Outbox) Due(lane Lane, now time.Time) bool {
	head := o.Head(lane)
	return head != nil && !head.Waits && !o.notBefore(head).After(now)
}

func (o *Outbox) notBefore(p *Promise) time.Time {
	if until := o.Paused[p.Lane()]; until.After(p.NotBefore) {
		return until
	}
	return p.NotBefore
}

// Wake recomputes WakeAt: the earliest moment at which a lane has something due and nobody alive to keep it, or one
// of the given times. Zero when nothing is owed.
func (o *Outbox) Wake(others ...time.Time) {
	var wake time.Time
	earlier := func(t time.Time) {
		if !t.IsZero() && (wake.IsZero() || t.Before(wake)) {
			wake = t
		}
	}
	for lane, k := range o.Keepers {
		if o.Head(lane) == nil || k.Who == "" {
			delete(o.Keepers, lane)
		}
	}
	for _, lane := range Lanes {
		head := o.Head(lane)
		if head == nil || head.Waits {
			continue
		}
		due := o.notBefore(head)
		if due.IsZero() {
			due = head.Made
		}
		if k, ok := o.Keepers[lane]; ok && k.Until.After(due) {
			due = k.Until
		}
		earlier(due)
	}
	for _, t := range others {
		earlier(t)
	}
	o.WakeAt = wake
}

// Clone returns a copy that shares nothing that stepping or keeping changes.
func (o Outbox) Clone() Outbox {
	o.Promises = slices.Clone(o.Promises)
	o.Keepers = maps.Clone(o.Keepers)
	o.Paused = maps.Clone(o.Paused)
	return o
}

// How much a conversation keeps.
const (
	SeenMax   = 64  // ids of updates
	TailMax   = 50  // lines of transcript
	TailRunes = 500 // runes a line
)

// idsGrow is for how long the order of updates is taken to grow. Telegram keeps an update for a day, and after a week in
// which it had none for the bot it begins its ids anew, lower perhaps.
const idsGrow = 6 * 24 * time.Hour

// Conversation is all we know of one chat. It is written whole, once a turn.
type Conversation struct {
	ID       string            `bson:"_id"`
	Version  int64             `bson:"v"`
	State    State             `bson:"state"`
	Lang     string            `bson:"lang,omitempty"`   // empty: the first
	Way      string            `bson:"way,omitempty"`    // way of speaking; empty: the usual one
	Back     []State           `bson:"back,omitempty"`   // where `atrás` leads, nearest last
	Text     string            `bson:"text,omitempty"`   // key of the question asked last
	Prompt   int               `bson:"prompt,omitempty"` // its stamp
	Shown    []string          `bson:"shown,omitempty"`  // ids of the buttons under it, in order
	Slots    map[string]string `bson:"slots,omitempty"`
	Misses   int               `bson:"misses,omitempty"`
	Attempt  string            `bson:"attempt,omitempty"` // what signals must carry to count
	Timers   []Timer           `bson:"timers,omitempty"`
	Numbers  []Seen            `bson:"numbers,omitempty"` // keyed hashes of the numbers looked up, for the limits
	Recent   []time.Time       `bson:"recent,omitempty"`  // when the last messages came, for the limit
	Warned   time.Time         `bson:"warned,omitempty"`  // when the person was last told of a limit
	Filed    []time.Time       `bson:"filed,omitempty"`   // when the last complaints were filed, for the limits
	Seen     []Seen            `bson:"seen,omitempty"`
	LetGo    *Seen             `bson:"let_go,omitempty"` // the highest in order of those that Seen had no room for
	Asked    *Asked            `bson:"asked,omitempty"`  // the bubble with the keyboard of the question that stands, where its channel can change it
	Tapped   *Tap              `bson:"tapped,omitempty"` // the button that was answered last, unless something else was since
	Tail     []Line            `bson:"tail,omitempty"`
	Heard    []Heard           `bson:"heard,omitempty"`    // the last messages of the person, newest last
	Pieces   *Pieces           `bson:"pieces,omitempty"`   // of a sentence that may not be at its end
	Answered *Answered         `bson:"answered,omitempty"` // words that were answered, to which more may belong
	Album    string            `bson:"album,omitempty"`    // Update.Album of the last thing the person did
	Gone     bool              `bson:"gone,omitempty"`     // they blocked us
	Case     string            `bson:"case,omitempty"`     // case number of this visit
	Handoff  *Handoff          `bson:"handoff,omitempty"`
	Late     *Late             `bson:"late,omitempty"`   // what the agent has said later
	Alerts   []Alert           `bson:"alerts,omitempty"` // of its cases, newest last
	Visit    *Visit            `bson:"visit,omitempty"`  // how far the person has come; nothing in it is changed, it is replaced
	Turns    int64             `bson:"turns,omitempty"`
	Born     time.Time         `bson:"born,omitempty"`
	LastAt   time.Time         `bson:"last_at,omitempty"` // last thing the person did
	LastID   string            `bson:"last_id,omitempty"` // the channel's name for it, where it was a message
	KeptTill time.Time         `bson:"kept_till,omitempty"`
	Outbox   `bson:",inline"`
}

// limitsCount is how long a number that was looked up, or a complaint, counts against its chat at most: the limit of a day (P304).
const limitsCount = 24 * time.Hour

// keepCounted has the conversation kept for as long as a number that was looked up in it, or a complaint, counts.
func (c *Conversation) keepCounted() {
	count := func(at time.Time) {
		if counts := at.Add(limitsCount); counts.After(c.KeptTill) {
			c.KeptTill = counts
		}
	}
	for _, n := range c.Numbers {
		count(n.At)
	}
	for _, at := range c.Filed {
		count(at)
	}
}

// Clone returns a copy that shares nothing that stepping changes.
func (c Conversation) Clone() Conversation {
	c.Back = slices.Clone(c.Back)
	c.Shown = slices.Clone(c.Shown)
	c.Slots = maps.Clone(c.Slots)
	c.Timers = slices.Clone(c.Timers)
	c.Numbers = slices.Clone(c.Numbers)
	c.Recent = slices.Clone(c.Recent)
	c.Filed = slices.Clone(c.Filed)
	c.Seen = slices.Clone(c.Seen)
	c.Tail = slices.Clone(c.Tail)
	c.Heard = slices.Clone(c.Heard)
	c.Alerts = slices.Clone(c.Alerts)
	if c.Handoff != nil {
		h := *c.Handoff
		c.Handoff = &h
	}
	c.Outbox = c.Outbox.Clone()
	return c
}

// SawUpdate says whether an update was answered already. Updates that have an order grow with time, so one that is not
// above the highest that the full list has let go is taken for a repeat too: they may come a little out of order, but not
// by the list's length.
func (c *Conversation) SawUpdate(u Update, now time.Time) bool {
	if u.ID == "" {
		return false
	}
	for _, s := range c.Seen {
		if s.ID == u.ID {
			return true
		}
	}
	return c.LetGo != nil && u.Order > 0 && u.Order <= c.LetGo.Order && now.Sub(c.LetGo.At) < idsGrow
}

func (c *Conversation) see(u Update, now time.Time) {
	if u.ID == "" || u.Timer || u.Once { // one that is looked at again and again must not push out what a person wrote
		return
	}
	c.Seen = append(c.Seen, Seen{ID: u.ID, Order: u.Order, At: now})
	for len(c.Seen) > SeenMax {
		old := c.Seen[0]
		if old.Order > 0 && (c.LetGo == nil || old.Order > c.LetGo.Order || old.At.Sub(c.LetGo.At) >= idsGrow) {
			c.LetGo = &old
		}
		c.Seen = slices.Delete(c.Seen, 0, 1)
	}
}

// How a message that was taken and did not arrive is sent again.
const (
	returnedMax  = 3                // times
	returnedWait = 10 * time.Second // it was refused by the other side's network, not by the person
)

// returned takes back a message of ours that did not arrive after all. Where it may arrive another time it is owed anew. A
// report that is older than the person's last word says nothing of what they can be sent now: a report's time is in whole
// seconds. It returns how many promises are dropped because they are gone.
func (c *Conversation) returned(u Update, now time.Time) (unreached int) {
	wrote := !u.At.IsZero() && c.LastAt.After(u.At.Add(time.Second))
	switch {
	case u.Failure == Gone && !wrote:
		c.Gone = true
		unreached = c.Unreach()
	case u.Failure != Permanent && u.Again != nil && u.Again.Returned < returnedMax && !c.Gone:
		again := *u.Again
		again.Returned++
		p := Promise{ID: c.ID + "/" + u.ID + "/" + string(PromiseSay), What: Say{&again}, Made: now}
		p.Waits = u.Failure == Closed && !wrote
		if !p.Waits {
			p.NotBefore = now.Add(returnedWait)
		}
		c.Promises = append(c.Promises, p)
	}
	c.Wake(c.NextTimer())
	return unreached
}

// NextTimer returns the earliest timer's time, or zero.
func (c *Conversation) NextTimer() time.Time {
	var next time.Time
	for _, t := range c.Timers {
		if next.IsZero() || t.At.Before(next) {
			next = t.At
		}
	}
	return next
}
