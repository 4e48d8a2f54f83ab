// Package bot is what a conversation is, and the engine that steps it.
//
// A conversation is one document: its state, what it remembers (slots), what must happen later (timers), which updates it
// has seen, and an outbox of promises not yet kept. Stepping is pure: a conversation and an update go in, a changed copy of
// the conversation comes out, with the promises it now owes. Loading, committing, sending and waiting are done by
// internal/runner. Nothing here knows a network or a database.
//
// The state machine is data, declared in package flows with In and On. looplab/fsm is derived from that table and checks
// every transition at run time; this package is its only user.
package bot

import (
	"strings"
	"time"
)

// Kind says what sort of thing came in.
type Kind string

// The kinds of update. Everything a channel can deliver is one of these; what a channel does not know is Unsupported.
const (
	Text        Kind = "text"        // Update.Text holds what was typed, or written under what Update.Media names
	Press       Kind = "press"       // Update.Button and Update.Prompt hold which button of which question
	Start       Kind = "start"       // the channel's "begin" (Telegram /start); Update.Text holds the payload
	Contact     Kind = "contact"     // a shared contact; Update.Phone is set only when it is the sender's own
	Media       Kind = "media"       // photo, voice, sticker, document … without a word; Update.Media names it
	Location    Kind = "location"    // a place, Update.Spot; never kept
	Edited      Kind = "edited"      // an earlier message was changed; Update.Text holds the new text, where the channel tells it
	Reaction    Kind = "reaction"    // a thumb under one of our messages: seen, never answered
	Unsupported Kind = "unsupported" // anything else a person did; Update.Media names it, where it has a name
	Blocked     Kind = "blocked"     // the person blocked us: we stop writing
	Unblocked   Kind = "unblocked"   // and let us in again
	Undelivered Kind = "undelivered" // a message of ours did not arrive after all: Update.Failure says why, Update.Again what it was
	Desk        Kind = "desk"        // an agent of the help desk did something: Update.Desk says what
	Signal      Kind = "signal"      // from inside: a timer, a used link, a made key; Update.Signal names it
)

// The signals a record or a timer sends to a conversation. Each carries the attempt it belongs to (Update.Attempt);
// one that belongs to an older attempt changes nothing.
const (
	SignalLinkUsed    = "link_used"    // the button on the unlock page was pressed
	SignalLinkVoided  = "link_voided"  // "No fui yo" was pressed
	SignalLinkExpired = "link_expired" // timer: the link no longer works
	SignalMailRefused = "mail_refused" // the mailbox refused for good
	SignalMailLate    = "mail_late"    // timer: whether the letter is late is looked at; from a delivery report: it is
	SignalMailSent    = "mail_sent"    // the mail server took the letter
	SignalMailUnsent  = "mail_unsent"  // the letter came back, and not for the mailbox's sake
	SignalKeyMade     = "key_made"     // the new key was stored
	SignalForget      = "forget"       // timer: an idle conversation is emptied
	SignalRemind      = "remind"       // timer: the person wanted to be reminded now
	SignalGivenUp     = "given_up"     // something that the person was told of cannot be done after all
	SignalNumberLost  = "number_lost"  // the chat's telephone number is somebody else's now: nobody is there any more
)

// LateReported is the text of a SignalMailLate that comes from a delivery report.
const LateReported = "reported"

// The signals of the help desk. Update.Text is the number of the case they belong to; of a case that is over, or has moved
// on meanwhile, they change nothing.
const (
	SignalDeskOpened   = "desk_opened"   // the desk has opened: who has a case joins the queue
	SignalDeskClosed   = "desk_closed"   // it has closed: who waits keeps the place for the next opening
	SignalPosition     = "place"         // the position in the queue has become much better
	SignalAgentSilent  = "agent_silent"  // timer: the agent has not answered for too long
	SignalSilenceNear  = "silence_near"  // timer: the agent has little time left to answer
	SignalStillWaiting = "still_waiting" // timer: the person has not written for so long that the channel will close
	SignalDeskDue      = "desk_due"      // timer: a postponed case comes back, or what an agent has said later is to be said
	SignalAgentGone    = "agent_gone"    // the agent's console is not there any more: Update.Desk.Agent
)

// Update is one thing that came in, whatever the channel.
type Update struct {
	ID        string // unique within the conversation and stable over redelivery, e.g. Telegram's update_id
	Order     int64  // grows with what the person did, where the channel knows; 0: no order
	Channel   string // "telegram", "whatsapp", "web", "terminal"
	Chat      string // the channel's name for the chat
	Kind      Kind
	Text      string
	Button    string   // Press: Button.ID as it was sent out
	Prompt    int      // Press: the stamp of the question the button belongs to; 0 when unknown
	MessageID string   // the channel's name for the message, so that it can be deleted; Edited: of the one that was changed
	Bubble    *Bubble  // Press: the bubble that the button is under, where the channel can change it
	Phone     string   // Contact: digits of the sender's own number; empty for anybody else's
	Media     string   // what was sent that is more than words: one of Thing…, or empty
	Spot      Spot     // Location: where it is
	Album     string   // the channel's name for what was sent at once with others; empty: alone
	Changed   bool     // Text: what an edited message says now
	Group     bool     // came from a chat with several people
	Signal    string   // Signal: one of the Signal… names
	Attempt   string   // Signal: the attempt it belongs to; empty fits every attempt
	Once      bool     // Signal: it comes of a promise that is kept in the same write, so that nothing need be noted of it
	Timer     bool     // Signal: a timer of the conversation itself, which goes off once because the step takes it off
	Failure   Failure  // Undelivered: what it means for the message
	Again     *Reply   // Undelivered: the message, where it is still known
	Desk      *DeskAct // Desk: what an agent did
	Trace     string   // reference of the turn that caused it; empty: no turn of ours did
	At        time.Time
}

// Conv is the id of the conversation the update belongs to.
func (u Update) Conv() string { return ConversationID(u.Channel, u.Chat) }

// ConversationID names the conversation of one chat on one channel.
func ConversationID(channel, chat string) string { return channel + ":" + chat }

// SplitConversationID is the inverse of ConversationID.
func SplitConversationID(id string) (channel, chat string) {
	channel, chat, _ = strings.Cut(id, ":")
	return channel, chat
}

// Button is one way to answer. Title is at most 20 characters (WhatsApp's limit for reply buttons). A button with a
// URL opens a public page and sends no update.
type Button struct {
	ID    string `bson:"id"`
	Title string `bson:"title"`
	URL   string `bson:"url,omitempty"`
	Main  bool   `bson:"main,omitempty"` // what most people press here: it stands out where the channel can show that
}

// Copy is a button that copies a text and sends nothing, where the channel has such buttons.
type Copy struct {
	Title string `bson:"title"`
	Text  string `bson:"text"`
}

// Reply is one bubble. Text is plain, never markup. Prompt stamps the buttons: a press is only an answer to the
// question it was shown under.
type Reply struct {
	Text    string   `bson:"text"`
	Buttons []Button `bson:"buttons,omitempty"`
	Prompt  int      `bson:"prompt,omitempty"`
	Copies  []Copy   `bson:"copies,omitempty"`
	Hint    string   `bson:"hint,omitempty"`    // what is to be written, for an empty input field; where there are no buttons, and the channel can
	Image   string   `bson:"picture,omitempty"` // name of an image to show with the text, never instead of it; stored under its first name
	Protect bool     `bson:"protect,omitempty"` // must not be forwarded or copied, where the channel can
	Sealed  bool     `bson:"sealed,omitempty"`  // Text is sealed: it holds what may only be opened to be sent
	Ask     int      `bson:"ask,omitempty"`     // how many bytes of the text's end ask something, once it is open
	By      string   `bson:"by,omitempty"`      // what the agent is called whose words these are; empty: ours

	Case     string        `bson:"case,omitempty"`     // an agent's words: the case, and
	Line     int64         `bson:"line,omitempty"`     // its line that they are
	Returned int           `bson:"returned,omitempty"` // how often it was taken and did not arrive
	Silence  time.Duration `bson:"-"`                  // how long the person has been silent when it is sent; known to the channel only
}
