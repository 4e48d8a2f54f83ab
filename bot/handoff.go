package bot

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A conversation that a person of the help desk is asked into has a case: Conversation.Handoff. Who answers is written
// there and nowhere else, in the same document as everything the bot does, so a message is answered by one of the two.
// What an agent does is an update like any other (Kind Desk), and taking a conversation is one replace of its document.

// The statuses of a case, in the order they are gone through.
const (
	HandoffScheduled = "scheduled" // asked for while the desk was closed: the bot goes on, the queue comes at opening
	HandoffWaiting   = "waiting"   // in the queue
	HandoffHeld      = "held"      // an agent has it
	HandoffClosed    = "closed"    // over: Reason says how
)

// Handoff is a conversation's case with the help desk.
type Handoff struct {
	Ref       string    `bson:"ref"`               // the number the person was told
	Status    string    `bson:"status"`            // one of Handoff…
	Queue     string    `bson:"queue,omitempty"`   // where it stands among all: see internal/handoff; empty when closed
	Rank      int       `bson:"rank"`              // lower comes first
	From      State     `bson:"from,omitempty"`    // where the conversation was
	Meaning   string    `bson:"meaning,omitempty"` // what the person's words came to before they asked; empty: nothing that is known
	Number    string    `bson:"number,omitempty"`  // mask of the number it is about
	Agent     string    `bson:"agent,omitempty"`   // login of who has it, or had it last
	AgentName string    `bson:"agent_name,omitempty"`
	Asked     time.Time `bson:"asked"`
	Taken     time.Time `bson:"taken,omitempty"`    // by the first agent
	Answered  time.Time `bson:"answered,omitempty"` // the first word of an agent
	Ended     time.Time `bson:"ended,omitempty"`
	Since     time.Time `bson:"since,omitempty"`     // the person has been writing without an answer since; zero: answered
	Told      int       `bson:"told,omitempty"`      // the position in the queue that the person heard last
	Reason    string    `bson:"reason,omitempty"`    // closed: how it ended
	Rating    int       `bson:"rating,omitempty"`    // 1 to 5; 0: none
	Commented bool      `bson:"commented,omitempty"` // with words, which are a line
	Reopened  time.Time `bson:"reopened,omitempty"`  // the person had more to say after its end, last
	Lines     int64     `bson:"lines,omitempty"`     // how many lines of transcript were kept
	Said      int       `bson:"said,omitempty"`      // of these, what the person wrote
	Rev       int64     `bson:"rev"`                 // grows when what the case file holds changes
	Moved     time.Time `bson:"moved,omitempty"`     // the last turn that the desk should see
	Trace     string    `bson:"trace,omitempty"`     // reference of the turn that asked for a person
	Patience  time.Time `bson:"patience,omitempty"`  // until then at most typing puts off the end of the agent's silence; zero: it has not yet

	// How an agent lost it last, so that their page can say where it went.
	Before     string `bson:"before,omitempty"`    // login of who had it; "": it was taken since
	Lost       string `bson:"lost,omitempty"`      // one of Lost…
	LostBy     string `bson:"lost_by,omitempty"`   // login of who took it away; "": nobody of the desk
	LostByName string `bson:"lost_name,omitempty"` // and what they are called

	Postponed string    `bson:"postponed,omitempty"` // held: what it is put off for, one of Until…; empty: it is not
	Until     time.Time `bson:"until,omitempty"`     // postponed: when it comes back at the latest
	Mentioned string    `bson:"mentioned,omitempty"` // logins that notes name, each with the line: "ana:3 luis:5"
}

// What an agent may put off a case for. Whatever it is, the case comes back at a moment that is known.
const (
	UntilTime    = "time"    // a moment
	UntilAnswer  = "answer"  // the person writes
	UntilOpening = "opening" // the desk opens next
)

// IsPostponed says whether its agent has put it off. It may be asked of nil.
func (h *Handoff) IsPostponed() bool { return h.Held() && h.Postponed != "" }

// MentionOf is the line of the last note that names an agent; 0: none does. It may be asked of nil.
func (h *Handoff) MentionOf(login string) int64 {
	if h == nil {
		return 0
	}
	for _, one := range strings.Fields(h.Mentioned) {
		if who, line, _ := strings.Cut(one, ":"); who == login {
			n, _ := strconv.ParseInt(line, 10, 64)
			return n
		}
	}
	return 0
}

// Mention notes that the line that comes next names some agents.
func (h *Handoff) Mention(logins []string) {
	kept := slices.DeleteFunc(strings.Fields(h.Mentioned), func(one string) bool {
		who, _, _ := strings.Cut(one, ":")
		return slices.Contains(logins, who)
	})
	for _, login := range logins {
		kept = append(kept, login+":"+strconv.FormatInt(h.Lines+1, 10))
	}
	h.Mentioned = strings.Join(kept, " ")
}

// Late is what an agent has said to the person at a later moment (Conversation.Late). It is replaced, never changed.
type Late struct {
	Text  string    `bson:"text"` // as it will be said
	Agent string    `bson:"agent"`
	Name  string    `bson:"name"` // what people are told
	At    time.Time `bson:"at"`
	Made  time.Time `bson:"made"`
}

// Open says whether the case is not over. It may be asked of nil.
func (h *Handoff) Open() bool { return h != nil && h.Status != HandoffClosed }

// Held says whether an agent has the conversation. It may be asked of nil.
func (h *Handoff) Held() bool { return h != nil && h.Status == HandoffHeld }

// Waiting says whether it stands in the queue. It may be asked of nil.
func (h *Handoff) Waiting() bool { return h != nil && h.Status == HandoffWaiting }

// Stir marks the case as changed: the desk sees that something about the conversation is new which is no turn of the flow's.
func (c *Conversation) Stir(now time.Time) {
	if c.Handoff.Open() {
		c.Handoff.Moved = now
	}
}

// recorded is what the case file holds: all but what moves with every line.
func (h Handoff) recorded() Handoff {
	h.Lines, h.Said, h.Rev, h.Moved, h.Since, h.Told, h.Patience = 0, 0, 0, time.Time{}, time.Time{}, 0, time.Time{}
	h.Postponed, h.Until, h.Mentioned = "", time.Time{}, ""
	return h
}

// How an agent loses a case.
const (
	LostSilent   = "silent"   // did not answer for too long
	LostGone     = "gone"     // the console was not there any more
	LostReleased = "released" // put back into the queue
	LostPassed   = "passed"   // given to a colleague
	LostOver     = "over"     // the case is closed: Reason says how
)

// What an agent does with a conversation.
const (
	DeskClaim   = "claim"   // take it out of the queue
	DeskSay     = "say"     // write Update.Text to the person
	DeskNote    = "note"    // keep Update.Text for colleagues
	DeskPass    = "pass"    // give it to the colleague To, with a note
	DeskRelease = "release" // back into the queue
	DeskReturn  = "return"  // back to the bot, at State
	DeskResolve = "resolve" // close the case, for Reason
	DeskLink    = "link"    // send the link again
	DeskOffice  = "office"  // tell the in-person route
	DeskType    = "type"    // is writing to the person: the end of the silence is put off

	DeskPostpone = "postpone" // put it off, for Until, at most until At
	DeskResume   = "resume"   // go on with it now
	DeskLater    = "later"    // write Update.Text to the person at At, and with Until put the case off until then
	DeskUnsay    = "unsay"    // take that back
)

// What comes of a deed of the desk that changes nothing. Flows has rows for both.
const (
	NotYours Event = "NotYours" // the case is over, or somebody else's
	NotSent  Event = "NotSent"  // no link: no number is known, or its record has had its mails
	NotThen  Event = "NotThen"  // not at that moment: it has passed, is too far off, or the channel would not take it
)

// DeskAct is one thing an agent does: what a deed, a command of the desk, has the conversation do. It counts for the case it names alone, and but for claiming only while the agent
// has the conversation.
type DeskAct struct {
	Do         string
	Ref        string   // the case
	Agent      string   // login
	Name       string   // what people are told
	Supervisor bool     // may also release and resolve what others have
	To, ToName string   // pass
	State      State    // return
	Reason     string   // resolve
	Names      []string // note: the logins of the colleagues it names
	Until      string   // postpone, later: one of Until…
	At         time.Time
}

// remember notes that a deed of the desk was refused, so that whoever repeats it hears that again.
func (c *Conversation) remember(u Update, ev Event) {
	for i := range c.Seen {
		if u.ID != "" && c.Seen[i].ID == u.ID {
			c.Seen[i].Came = ev
		}
	}
}

// refused is what came of an update that was seen before: NotYours, NotSent or NotThen of a deed that was refused, else Ignored.
func (c *Conversation) refused(u Update) Event {
	for _, s := range c.Seen {
		if s.ID == u.ID && s.Came != "" {
			return s.Came
		}
	}
	return Ignored
}

// LineRunes is how much of one message is kept as a line of a handed-off chat.
const LineRunes = 4000

// Relay says an agent's words to the person.
func (t *Turn) Relay(text, by string) {
	t.Promise(Promise{What: Say{&Reply{Text: text, By: by}}})
}

// Transcribe adds a line to the transcript of the handed-off chat that is not part of the chat: what happened, or a note.
func (t *Turn) Transcribe(from, by, text string) {
	t.lines = append(t.lines, Line{From: from, By: by, Text: Cut(t.engine.options.Mask(text), LineRunes), At: t.Now})
}

// notKept are the lines of a tail behind the last that is kept of a case.
func notKept(tail []Line) []Line {
	kept := 0
	for i, l := range tail {
		if l.Seq > 0 {
			kept = i + 1
		}
	}
	return slices.Clone(tail[kept:])
}

// markReplies notes in the agent's words that the turn owes which line of the case they are, so that what becomes of them can be told there.
func (t *Turn) markReplies(ref string) {
	var replies []*Reply
	for _, p := range t.Conv.Promises {
		if say, ok := p.What.(Say); ok && say.Reply.By != "" && strings.HasPrefix(p.ID, t.Key()+"/") {
			replies = append(replies, say.Reply)
		}
	}
	for _, l := range t.lines {
		if l.From == FromAgent && len(replies) > 0 {
			replies[0].Case, replies[0].Line = ref, l.Seq
			replies = replies[1:]
		}
	}
}

// later says whether a line of a turn stands after the person's.
func later(l Line) int {
	if l.From == FromPerson {
		return 0
	}
	return 1
}

// hand promises what a handed-off turn owes the desk: its lines, from the tail as it was when the case was opened, and
// the case file where it changed. [was] is the case before the turn.
func (t *Turn) hand(was *Handoff, tail []Line) {
	h := t.Conv.Handoff
	fresh := h != nil && (was == nil || was.Ref != h.Ref)
	if h == nil || !h.Open() && !fresh && !was.Open() && h.Rating == was.Rating && h.Commented == was.Commented {
		return
	}
	slices.SortStableFunc(t.lines, func(a, b Line) int { return cmp.Compare(later(a), later(b)) }) // first what was written, then what came of it
	if fresh {
		if t.tail != nil {
			tail = t.tail
		}
		t.lines, t.hid = append(append([]Line(nil), tail...), t.lines...), nil
		h.Lines, h.Said = 0, 0
	}
	if was != nil && !fresh && h.Open() && !was.Open() { // what was said between its end and this is a part of it
		if t.tail != nil {
			tail = t.tail
		}
		t.lines = append(notKept(tail), t.lines...)
	}
	h.Moved = t.Now
	if fresh || h.recorded() != was.recorded() {
		h.Rev++
		kept := *h
		kept.Postponed, kept.Until, kept.Mentioned = "", time.Time{}, "" // of now, and not of the case
		t.Promise(Promise{What: KeepCase{Conv: t.Conv.ID, Ref: h.Ref, Handoff: &kept}})
	}
	if t.emptied { // what was said is kept no longer; how it ended is
		t.lines = slices.DeleteFunc(t.lines, func(l Line) bool { return l.From != FromEvent })
	}
	for i := range t.lines {
		h.Lines++
		if t.lines[i].From == FromPerson {
			h.Said++
		}
		t.lines[i].Seq = h.Lines
	}
	t.number(t.lines)
	t.markReplies(h.Ref)
	if all := append(t.lines, t.hid...); len(all) > 0 {
		t.Promise(Promise{What: KeepLines{Conv: t.Conv.ID, Ref: h.Ref, Lines: all}})
	}
}
