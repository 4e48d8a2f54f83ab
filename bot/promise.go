package bot

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// PromiseKind names what is owed. Kinds are stored: a rename is a migration.
type PromiseKind string

// The kinds of promise. Each is kept by one keeper (runner.Options), and a runner refuses one that nobody keeps.
const (
	PromiseSay      PromiseKind = "say"
	PromiseDelete   PromiseKind = "delete"
	PromiseLink     PromiseKind = "link"
	PromiseNotice   PromiseKind = "notice"
	PromiseRevoked  PromiseKind = "revoked"
	PromiseWarning  PromiseKind = "warning"
	PromiseActivate PromiseKind = "activate"
	PromiseLock     PromiseKind = "lock"
	PromiseSignal   PromiseKind = "signal"
	PromiseAnnounce PromiseKind = "announce"
	PromiseFile     PromiseKind = "file"
	PromiseCase     PromiseKind = "case"
	PromiseLines    PromiseKind = "lines"
	PromiseAudit    PromiseKind = "audit"
	PromiseErase    PromiseKind = "erase"
	PromiseUnheard  PromiseKind = "unheard"
	PromiseUnsay    PromiseKind = "unsay"
	PromiseSpend    PromiseKind = "spend"
	PromiseAlert    PromiseKind = "alert"
	PromiseVisit    PromiseKind = "visit"
)

// kinds is the closed list: what is not here can neither be promised nor be kept.
var kinds = []kind{
	kindOf[Say](),
	kindOf[Delete](),
	kindOf[MailLink](),
	kindOf[MailNotice](),
	kindOf[MailRevoked](),
	kindOf[MailWarning](),
	kindOf[Activate](),
	kindOf[Lock](),
	kindOf[SendSignal](),
	kindOf[Announce](),
	kindOf[KeepFile](),
	kindOf[KeepCase](),
	kindOf[KeepLines](),
	kindOf[KeepAudit](),
	kindOf[EraseChat](),
	kindOf[KeepUnheard](),
	kindOf[EraseUnheard](),
	kindOf[Spend](),
	kindOf[RaiseAlert](),
	kindOf[KeepVisit](),
}

// PromiseKinds are all kinds there are.
func PromiseKinds() []PromiseKind {
	var names []PromiseKind
	for _, k := range kinds {
		names = append(names, k.name)
	}
	return names
}

// LaneOf is the lane of a kind, or "" for none of them.
func LaneOf(name PromiseKind) Lane {
	k, _ := kindNamed(name)
	return k.lane
}

// Duty is what a promise owes, one type a kind. Its methods answer for the zero value too.
type Duty interface {
	Kind() PromiseKind
	Lane() Lane
	// Told says whether a person was told in the chat that it will be done, and so must hear when it cannot be.
	Told() bool
}

// Say is a bubble in the conversation's chat. Promise.Attempt is set where it speaks of that attempt's link.
type Say struct {
	Reply *Reply `bson:"reply,omitempty"`
}

// Delete deletes the person's message.
type Delete struct {
	MessageID string `bson:"message_id,omitempty"` // the channel's name for it
}

// MailLink mails the link of Promise.Record and Promise.Attempt, and starts its life.
type MailLink struct {
	Conv  string `bson:"conv,omitempty"`  // the conversation that asked, whose link it is
	Row   int    `bson:"row,omitempty"`   // in which of MailRows it waits
	Lang  string `bson:"lang,omitempty"`  // of the letter, whatever the conversation speaks by then; empty: the first
	Timed bool   `bson:"timed,omitempty"` // the conversation's own clock says when the link ends: sending it moves no timer
}

// MailNotice tells the owner of Promise.Record by mail what happened.
type MailNotice struct {
	Topic string `bson:"topic,omitempty"` // unlocked or generated
}

// MailRevoked tells the owner of Promise.Record by mail that it is locked again, and perhaps their key no key any more.
type MailRevoked struct {
	Dropped bool `bson:"dropped,omitempty"`
}

// MailWarning tells the institution by mail of a case that somebody should see now, when nobody is there to see it.
type MailWarning struct {
	Ref string `bson:"ref,omitempty"` // of the case
}

// Activate sets Promise.Record active.
type Activate struct{}

// Lock sets Promise.Record locked again.
type Lock struct{}

// SendSignal hands a conversation a signal of Promise.Attempt.
type SendSignal struct {
	Conv   string `bson:"conv,omitempty"`
	Signal string `bson:"topic,omitempty"` // one of Signal…
	Text   string `bson:"body,omitempty"`
}

// Announce tells the institution's own programs what happened to Promise.Record, or under the number that a person was told.
type Announce struct {
	Event string `bson:"topic,omitempty"` // one of Told…
	Ref   string `bson:"ref,omitempty"`
}

// What the institution's own programs are told of, by the names that were promised to them (P707).
const (
	ToldUnlocked  = "key.unlocked"
	ToldGenerated = "key.generated"
	ToldRevoked   = "key.revoked"   // "No fui yo" took it back
	ToldDisowned  = "link.disowned" // "No fui yo" was pressed
	ToldHandoff   = "handoff.requested"
	ToldComplaint = "complaint.registered"
)

// AnnouncedFor is for how long an event is tried.
const AnnouncedFor = 24 * time.Hour

// KeepFile files a complaint, a case or how a visit went, under the number that the person was told.
type KeepFile struct {
	Conv  string `bson:"conv,omitempty"`
	Topic string `bson:"topic,omitempty"`
	Ref   string `bson:"ref,omitempty"`
	Body  string `bson:"body,omitempty"` // what they wrote, masked
}

// KeepCase keeps the file of a case of the help desk as Handoff has it.
type KeepCase struct {
	Conv    string   `bson:"conv,omitempty"`
	Ref     string   `bson:"ref,omitempty"`
	Handoff *Handoff `bson:"handoff,omitempty"`
}

// KeepLines keeps lines of the handed-off chat of a case.
type KeepLines struct {
	Conv  string `bson:"conv,omitempty"`
	Ref   string `bson:"ref,omitempty"`
	Lines []Line `bson:"lines,omitempty"`
}

// KeepAudit writes down what an agent did.
type KeepAudit struct {
	Deed   string `bson:"topic,omitempty"`
	Agent  string `bson:"ref,omitempty"`  // login
	Detail string `bson:"body,omitempty"` // to what
	As     string `bson:"as,omitempty"`   // by what the audit has it where the chat's key was destroyed since; empty: that is derived
}

// EraseChat forgets the chat of a conversation, which was emptied in the same turn.
type EraseChat struct {
	Conv string `bson:"conv,omitempty"`
}

// KeepUnheard keeps a sentence that was not understood.
type KeepUnheard struct {
	Conv       string  `bson:"conv,omitempty"`
	Place      string  `bson:"topic,omitempty"` // Place.Name
	Lang       string  `bson:"lang,omitempty"`
	Said       string  `bson:"body,omitempty"` // masked
	Meaning    string  `bson:"meaning,omitempty"`
	Confidence float64 `bson:"confidence,omitempty"`
}

// EraseUnheard takes a conversation's sentences out of those that were not understood. Versions before owed it beside EraseChat, which
// does that now.
type EraseUnheard struct {
	Conv string `bson:"conv,omitempty"`
}

// RaiseAlert tells whoever at the desk something in a case concerns, on their devices: see Alert.
type RaiseAlert struct {
	Ref   string `bson:"ref,omitempty"`   // of the case
	Topic string `bson:"topic,omitempty"` // one of Alert…
	To    string `bson:"to,omitempty"`    // login; empty: everybody on duty
}

// KeepVisit counts how far a visit has come. It names no chat; what of the same visit is kept later takes its place.
type KeepVisit struct {
	Visit     string        `bson:"visit,omitempty"` // Visit.ID
	Began     time.Time     `bson:"began,omitempty"`
	Reached   []string      `bson:"reached,omitempty"`
	Attended  bool          `bson:"attended,omitempty"`  // the procedure was attended to
	Completed bool          `bson:"completed,omitempty"` // and completed,
	Took      time.Duration `bson:"took,omitempty"`      // so long after the person began
	Left      string        `bson:"left,omitempty"`      // why it ended short of its end; empty: it did not
}

// Kind and Lane of each duty, and whether a person was told.

func (Say) Kind() PromiseKind          { return PromiseSay }      // Kind is PromiseSay.
func (Say) Lane() Lane                 { return LaneChat }        // Lane is the chat's.
func (Say) Told() bool                 { return false }           // Told is false: the words are all there is of it.
func (Delete) Kind() PromiseKind       { return PromiseDelete }   // Kind is PromiseDelete.
func (Delete) Lane() Lane              { return LaneChat }        // Lane is the chat's.
func (Delete) Told() bool              { return false }           // Told is false: nothing is said of it.
func (MailLink) Kind() PromiseKind     { return PromiseLink }     // Kind is PromiseLink.
func (MailLink) Told() bool            { return true }            // Told is true: "look in your mail".
func (MailNotice) Kind() PromiseKind   { return PromiseNotice }   // Kind is PromiseNotice.
func (MailNotice) Lane() Lane          { return LaneMail }        // Lane is that of letters.
func (MailNotice) Told() bool          { return false }           // Told is false: it is for the record's owner.
func (MailRevoked) Kind() PromiseKind  { return PromiseRevoked }  // Kind is PromiseRevoked.
func (MailRevoked) Lane() Lane         { return LaneMail }        // Lane is that of letters.
func (MailRevoked) Told() bool         { return false }           // Told is false: the page has said it.
func (MailWarning) Kind() PromiseKind  { return PromiseWarning }  // Kind is PromiseWarning.
func (MailWarning) Lane() Lane         { return LaneDesk }        // Lane is that of letters to the institution.
func (MailWarning) Told() bool         { return false }           // Told is false: the case itself is kept.
func (Activate) Kind() PromiseKind     { return PromiseActivate } // Kind is PromiseActivate.
func (Activate) Lane() Lane            { return LaneEvent }       // Lane is that of everything else.
func (Activate) Told() bool            { return false }           // Told is false: the page waits for no word.
func (Lock) Kind() PromiseKind         { return PromiseLock }     // Kind is PromiseLock.
func (Lock) Lane() Lane                { return LaneEvent }       // Lane is that of everything else.
func (Lock) Told() bool                { return false }           // Told is false: the page waits for no word.
func (SendSignal) Kind() PromiseKind   { return PromiseSignal }   // Kind is PromiseSignal.
func (SendSignal) Lane() Lane          { return LaneEvent }       // Lane is that of everything else.
func (SendSignal) Told() bool          { return false }           // Told is false: it is said once it has come.
func (Announce) Kind() PromiseKind     { return PromiseAnnounce } // Kind is PromiseAnnounce.
func (Announce) Lane() Lane            { return LaneHook }        // Lane is that of other programs.
func (Announce) Told() bool            { return false }           // Told is false: it is for the institution.
func (KeepFile) Kind() PromiseKind     { return PromiseFile }     // Kind is PromiseFile.
func (KeepFile) Lane() Lane            { return LaneEvent }       // Lane is that of everything else.
func (KeepFile) Told() bool            { return true }            // Told is true: they have its number.
func (KeepCase) Kind() PromiseKind     { return PromiseCase }     // Kind is PromiseCase.
func (KeepCase) Lane() Lane            { return LaneEvent }       // Lane is that of everything else.
func (KeepCase) Told() bool            { return false }           // Told is false: the case itself is in the conversation.
func (KeepLines) Kind() PromiseKind    { return PromiseLines }    // Kind is PromiseLines.
func (KeepLines) Lane() Lane           { return LaneEvent }       // Lane is that of everything else.
func (KeepLines) Told() bool           { return false }           // Told is false: they are kept for the help desk.
func (KeepAudit) Kind() PromiseKind    { return PromiseAudit }    // Kind is PromiseAudit.
func (KeepAudit) Lane() Lane           { return LaneEvent }       // Lane is that of everything else.
func (KeepAudit) Told() bool           { return false }           // Told is false: it is the operator's.
func (EraseChat) Kind() PromiseKind    { return PromiseErase }    // Kind is PromiseErase.
func (EraseChat) Lane() Lane           { return LaneEvent }       // Lane is that of everything else.
func (EraseChat) Told() bool           { return true }            // Told is true: they asked for it.
func (KeepUnheard) Kind() PromiseKind  { return PromiseUnheard }  // Kind is PromiseUnheard.
func (KeepUnheard) Lane() Lane         { return LaneEvent }       // Lane is that of everything else.
func (KeepUnheard) Told() bool         { return false }           // Told is false: it is for the institution to learn from.
func (EraseUnheard) Kind() PromiseKind { return PromiseUnsay }    // Kind is PromiseUnsay.
func (EraseUnheard) Lane() Lane        { return LaneEvent }       // Lane is that of everything else.
func (EraseUnheard) Told() bool        { return true }            // Told is true: they asked for it.

func (RaiseAlert) Kind() PromiseKind { return PromiseAlert } // Kind is PromiseAlert.
func (RaiseAlert) Lane() Lane        { return LaneAlert }    // Lane is that of agents' devices.
func (RaiseAlert) Told() bool        { return false }        // Told is false: it is for the desk.
func (KeepVisit) Kind() PromiseKind  { return PromiseVisit } // Kind is PromiseVisit.
func (KeepVisit) Lane() Lane         { return LaneEvent }    // Lane is that of everything else.
func (KeepVisit) Told() bool         { return false }        // Told is false: it is a count.

// MailRows are the lanes of links: a chat's letters to different records do not wait for each other, or one's own would tell how
// long the other's takes (P303).
var MailRows = []Lane{LaneMail, LaneMail2, LaneMail3}

// Lane is that of letters to the record.
func (m MailLink) Lane() Lane { return MailRows[min(max(m.Row, 0), len(MailRows)-1)] }

// Unknown is what a promise owes that a later version made, while two versions share a store or after a step back. It
// is carried as it was read, so that whoever knows it finds it whole.
type Unknown struct {
	kind PromiseKind
	lane Lane
	raw  bson.Raw
}

// Kind is what the version that made it calls it.
func (u Unknown) Kind() PromiseKind { return u.kind }

// Lane is where it waits: with everything else where the version that made it has a lane of its own for it.
func (u Unknown) Lane() Lane { return u.lane }

// Told is true: this version cannot know.
func (Unknown) Told() bool { return true }

// Promise is something owed to the outside. ID is its idempotency key: the mail's Message-ID and the link's token are
// derived from it, so that a repeat is identical.
//
// In the store a promise is one flat document: the fields of its duty stand beside its own.
type Promise struct {
	ID      string
	What    Duty
	Record  string // keyed hash of the number it is about
	Attempt string // that record's attempt it is about
	Trace   string // reference of the turn that made it: see internal/trace; empty: a version before made it
	Made    time.Time
	Until   time.Time // worth nothing after; zero: always worth keeping
	Schedule
}

// Schedule is when a promise may be kept, as its tries have left it.
type Schedule struct {
	NotBefore time.Time `bson:"not_before,omitempty"`
	Tries     int       `bson:"tries,omitempty"`
	Waits     bool      `bson:"waits,omitempty"` // not before the person writes again
}

// Kind is the kind of what is owed.
func (p Promise) Kind() PromiseKind { return p.What.Kind() }

// Lane is the lane of what is owed.
func (p Promise) Lane() Lane { return p.What.Lane() }

// kind reads and writes the promises of one duty.
type kind struct {
	name  PromiseKind
	lane  Lane
	write func(p Promise) ([]byte, error)
	read  func(raw []byte) (Promise, error)
}

type head struct {
	ID   string      `bson:"id"`
	Lane Lane        `bson:"lane"`
	Kind PromiseKind `bson:"kind"`
}

type subject struct {
	Record  string `bson:"record,omitempty"`
	Attempt string `bson:"attempt,omitempty"`
	Trace   string `bson:"trace,omitempty"`
}

type times struct {
	Made  time.Time `bson:"made"`
	Until time.Time `bson:"until,omitempty"`
}

// flat is a promise as it is stored. Commit 06ecc36 wrote the fields in this order; duties of the chat have theirs before
// the subject (flatChat). Order means nothing to a reader, but a test can compare bytes.
type flat[D Duty] struct {
	Head     head     `bson:",inline"`
	Subject  subject  `bson:",inline"`
	Duty     D        `bson:",inline"`
	Times    times    `bson:",inline"`
	Schedule Schedule `bson:",inline"`
}

type flatChat[D Duty] struct {
	Head     head     `bson:",inline"`
	Duty     D        `bson:",inline"`
	Subject  subject  `bson:",inline"`
	Times    times    `bson:",inline"`
	Schedule Schedule `bson:",inline"`
}

func kindOf[D Duty]() kind {
	var none D
	return kind{
		name: none.Kind(),
		lane: none.Lane(),
		write: func(p Promise) ([]byte, error) {
			f := flat[D]{head{p.ID, p.Lane(), p.Kind()}, subject{p.Record, p.Attempt, p.Trace}, p.What.(D), times{p.Made, p.Until}, p.Schedule}
			if f.Head.Lane == LaneChat {
				return bson.Marshal(flatChat[D]{f.Head, f.Duty, f.Subject, f.Times, f.Schedule})
			}
			return bson.Marshal(f)
		},
		read: func(raw []byte) (Promise, error) {
			var f flat[D]
			err := bson.Unmarshal(raw, &f)
			return Promise{f.Head.ID, f.Duty, f.Subject.Record, f.Subject.Attempt, f.Subject.Trace, f.Times.Made, f.Times.Until, f.Schedule}, err
		},
	}
}

func kindNamed(name PromiseKind) (kind, bool) {
	i := slices.IndexFunc(kinds, func(k kind) bool { return k.name == name })
	if i < 0 {
		return kind{}, false
	}
	return kinds[i], true
}

// MarshalBSON writes the promise flat. It refuses a duty whose kind is not on the list: it could not be read again.
func (p Promise) MarshalBSON() ([]byte, error) {
	if p.What == nil {
		return nil, errors.New("a promise of nothing")
	}
	if u, ok := p.What.(Unknown); ok {
		return u.again(p.Schedule)
	}
	k, ok := kindNamed(p.Kind())
	if !ok {
		return nil, fmt.Errorf("a promise of kind %q, which is not on the list", p.Kind())
	}
	return k.write(p)
}

// UnmarshalBSON reads what MarshalBSON wrote, and what a later version wrote as Unknown.
func (p *Promise) UnmarshalBSON(raw []byte) error {
	name, _ := bson.Raw(raw).Lookup("kind").StringValueOK()
	k, ok := kindNamed(PromiseKind(name))
	if !ok {
		k = kindOf[Unknown]()
	}
	var err error
	if *p, err = k.read(raw); err != nil {
		return fmt.Errorf("read a promise of kind %q: %w", name, err)
	}
	if !ok {
		stored, _ := bson.Raw(raw).Lookup("lane").StringValueOK()
		lane := Lane(stored)
		if !slices.Contains(Lanes, lane) {
			lane = LaneEvent // nobody here looks into any other
		}
		p.What = Unknown{PromiseKind(name), lane, slices.Clone(raw)}
	}
	return nil
}

// again is the document as it was read, but for the schedule.
func (u Unknown) again(s Schedule) ([]byte, error) {
	var doc bson.D
	if err := bson.Unmarshal(u.raw, &doc); err != nil {
		return nil, fmt.Errorf("write a promise of kind %q: %w", u.kind, err)
	}
	doc = slices.DeleteFunc(doc, func(e bson.E) bool { return e.Key == "not_before" || e.Key == "tries" || e.Key == "waits" })
	own, err := bson.Marshal(s)
	if err != nil {
		return nil, err
	}
	var more bson.D
	if err := bson.Unmarshal(own, &more); err != nil {
		return nil, err
	}
	return bson.Marshal(append(doc, more...))
}
