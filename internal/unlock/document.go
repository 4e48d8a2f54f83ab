// Package unlock is the life of a link: it is asked for, mailed, used once, and over.
//
// Everything about one number (its live link, who asked, the limits, the new key) is one document, under the number's keyed
// hash. Numbers that nobody has get one too, and go the same way, so that nothing tells them apart. Every change is one
// conditional replace of that document: asking while a link lives finds the same link, and pressing the button twice finds
// it pressed. What follows (activating the record, telling the chats, the owner's letter) is promises in the same replace.
//
// A link's token is derived from its attempt's id and from the chat that asked, so that mailing again is mailing the same
// link, and it shows whose letter it was; only the keyed hash of what is common to all is stored. Its life starts when the
// mail server has accepted the mail, and ends ten minutes after it was first asked for in any case (P205).
//
// "No fui yo" is for the attempt whose letter bears it, for seven days. What an attempt did, the record unlocked and the key
// made, it takes back; and for a time no letter goes to the record (P206).
package unlock

import (
	"slices"
	"time"

	"llave/bot"
)

// Want is what somebody asked the link for.
type Want string

// What can be wanted. What the link then does depends on the record: a locked record's link unlocks, an active
// record's link leads to the key page.
const (
	Unlock   Want = "unlock"
	Generate Want = "generate"
)

// Kind is what a live link does.
type Kind string

// The kinds of attempt. A decoy has no link and no letter: it keeps unknown and ineligible numbers on the same road.
const (
	KindUnlock   Kind = "unlock"
	KindGenerate Kind = "generate"
	KindDecoy    Kind = "decoy"
)

// MaxLife is how long after it was first asked for a link can live at most (P205).
const MaxLife = 10 * time.Minute

// notMeLife is how long "No fui yo" works after the button was pressed, or the link asked for (P206): who was away finds the
// letter when they are back.
const notMeLife = 7 * 24 * time.Hour

// KeyPassLife is how long the browser that pressed the button may make a key (P207).
const KeyPassLife = 10 * time.Minute

// Asked is one request for a mail; the limits count them.
type Asked struct {
	Turn    string    `bson:"turn"` // key of the turn that asked, which begins with its conversation's id and a slash: the same turn twice is one request
	Attempt string    `bson:"attempt"`
	Trace   string    `bson:"trace,omitempty"` // reference of that turn, which the press of its letter's button joins
	At      time.Time `bson:"at"`
	Sent    bool      `bson:"sent,omitempty"` // the mail server has accepted the letter
}

// Attempt is one link from its first request to its end.
type Attempt struct {
	ID         string    `bson:"id"`
	Kind       Kind      `bson:"kind"`
	Want       Want      `bson:"want"`
	Link       string    `bson:"link,omitempty"`         // keyed hash of what the tokens of all chats begin with; empty for a decoy
	NotMe      string    `bson:"not_me,omitempty"`       // keyed hash of what all "No fui yo" tokens of the document begin with
	Since      string    `bson:"since,omitempty"`        // the attempt that this beginning is derived from; empty: its own
	KeyID      string    `bson:"key_id,omitempty"`       // the key that its tokens are derived with, until it ends; empty: the data key
	SinceKeyID string    `bson:"since_key_id,omitempty"` // that of the attempt in Since
	Tagged     bool      `bson:"tagged,omitempty"`       // its letters' "No fui yo" say that they are its own; false: a version before made it
	Sealed     string    `bson:"sealed"`                 // the number
	Channel    string    `bson:"channel"`                // where it was first asked for
	Convs      []string  `bson:"convs"`                  // the conversations that asked
	Spoken     []Spoken  `bson:"spoken,omitempty"`       // in which languages they did; none: in the first alone
	Asked      time.Time `bson:"asked"`
	Accepted   time.Time `bson:"accepted,omitempty"` // when the mail server first took the mail
	Refused    time.Time `bson:"refused,omitempty"`  // when the mailbox refused for good
	Voided     time.Time `bson:"voided,omitempty"`   // "No fui yo"
	Redeemed   time.Time `bson:"redeemed,omitempty"`
	By         string    `bson:"by,omitempty"`    // the conversation whose letter's link was used; empty: a version wrote it that told all
	Nonce      string    `bson:"nonce,omitempty"` // keyed hash of the winning browser's nonce
	KeyMade    time.Time `bson:"key_made,omitempty"`
	Case       string    `bson:"case,omitempty"`     // number of the case that "No fui yo" opened
	Revoked    time.Time `bson:"revoked,omitempty"`  // when "No fui yo" had the record locked again
	Dropped    bool      `bson:"dropped,omitempty"`  // and whether there was a key that it took
	Returned   []string  `bson:"returned,omitempty"` // the delivery reports that were heeded
}

// Spoken is one change of the language that a conversation asks in, the newest last; before any it is the first language. Each
// was asked in, so that some letter may be in it.
type Spoken struct {
	Conv string `bson:"conv,omitempty"` // empty once that is not kept any more; the last one then is that of whose link was used
	Lang string `bson:"lang,omitempty"`
}

// speaks is the language that a conversation last asked in; "" is the first.
func (a *Attempt) speaks(conv string) string {
	for _, s := range slices.Backward(a.Spoken) {
		if s.Conv == conv {
			return s.Lang
		}
	}
	return ""
}

// hears notes in which language a conversation asks.
func (a *Attempt) hears(conv, lang string) {
	if a.speaks(conv) != lang {
		a.Spoken = append(a.Spoken, Spoken{conv, lang})
	}
}

// langs are the languages of all letters of the attempt.
func (a *Attempt) langs() []string {
	langs := []string{""}
	for _, s := range a.Spoken {
		if !slices.Contains(langs, s.Lang) {
			langs = append(langs, s.Lang)
		}
	}
	return langs
}

// forget takes off who asked.
func (a *Attempt) forget() {
	lang := a.speaks(a.asker())
	for i := range a.Spoken {
		a.Spoken[i].Conv = ""
	}
	a.Convs, a.By = nil, ""
	a.hears("", lang)
}

// channel is that of the chats that asked in a language, since one letter is of all of these, or of all chats where each speaks another
// by now; "" where they are of several, or not kept any more.
func (a *Attempt) channel(lang string) (one string) {
	asked := slices.DeleteFunc(slices.Clone(a.Convs), func(conv string) bool { return a.speaks(conv) != lang })
	if len(asked) == 0 {
		asked = a.Convs
	}
	for _, conv := range asked {
		channel, _ := bot.SplitConversationID(conv)
		if one != "" && one != channel {
			return ""
		}
		one = channel
	}
	return one
}

// Ends is when the link stops working: [ttl] after acceptance, MaxLife after the first request at the latest.
func (a *Attempt) Ends(ttl time.Duration) time.Time {
	latest := a.Asked.Add(MaxLife)
	if a.Accepted.IsZero() {
		return latest
	}
	if end := a.Accepted.Add(ttl); end.Before(latest) {
		return end
	}
	return latest
}

// Lives says whether the link can still be used.
func (a *Attempt) Lives(now time.Time, ttl time.Duration) bool {
	return a != nil && a.Voided.IsZero() && a.Refused.IsZero() && a.Redeemed.IsZero() && now.Before(a.Ends(ttl))
}

// keyPassEnds is when the browser that pressed the button may no longer make a key.
func (a *Attempt) keyPassEnds() time.Time { return a.Redeemed.Add(KeyPassLife) }

// notMeEnds is when "No fui yo" of the attempt's letters works no more.
func (a *Attempt) notMeEnds() time.Time {
	if !a.Redeemed.IsZero() {
		return a.Redeemed.Add(notMeLife)
	}
	return a.Asked.Add(notMeLife)
}

// asker is the conversation whose link was used, else the first that asked; "" once that is not kept any more.
func (a *Attempt) asker() string {
	if a.By == "" && len(a.Convs) > 0 {
		return a.Convs[0]
	}
	return a.By
}

// ends is when the link, and the key pass it gave, are over.
func (a *Attempt) ends(ttl time.Duration) time.Time {
	if !a.Redeemed.IsZero() {
		return a.keyPassEnds()
	}
	return a.Ends(ttl)
}

// Document is the unlock document of one number.
type Document struct {
	ID         string    `bson:"_id"` // keyed hash of the number
	Version    int64     `bson:"v"`
	Asks       []Asked   `bson:"asks,omitempty"`     // of the last 24 hours
	Live       *Attempt  `bson:"live,omitempty"`     // the newest, whether it lives or not
	Used       []Attempt `bson:"used,omitempty"`     // older ones whose letters' "No fui yo" still works
	Hold       time.Time `bson:"hold,omitempty"`     // until then no letter goes to the record: "No fui yo" was pressed
	Key        string    `bson:"key,omitempty"`      // argon2id
	KeyAt      time.Time `bson:"key_at,omitempty"`   // when it was made
	Bounced    *Bounced  `bson:"bounced,omitempty"`  // a mailbox that takes no mail
	PurgeAt    time.Time `bson:"purge_at,omitempty"` // when something may be taken off
	bot.Outbox `bson:",inline"`

	trace string // reference of what is being done to it now, which what it owes for that carries; not kept
}

// attempt returns the newest attempt or a used one by its id, or nil.
func (d *Document) attempt(id string) *Attempt {
	for _, a := range d.all() {
		if a.ID == id {
			return a
		}
	}
	return nil
}

// held says whether no letter goes to the record, because its owner said that it was not them.
func (d *Document) held(now time.Time) bool { return now.Before(d.Hold) }

// overtaken says whether a later attempt unlocked the record or made a key, and was not taken back: what the record is now is
// that one's doing.
func (d *Document) overtaken(a *Attempt) bool {
	return slices.ContainsFunc(d.all(), func(b *Attempt) bool { return b.overtakes(a) })
}

func (b *Attempt) overtakes(a *Attempt) bool {
	return b.ID != a.ID && b.Voided.IsZero() && b.Redeemed.After(a.Redeemed) && (b.Kind == KindUnlock || !b.KeyMade.IsZero())
}

// usedSince says whether a later attempt was used, whatever became of it.
func (d *Document) usedSince(a *Attempt) bool {
	return slices.ContainsFunc(d.all(), func(b *Attempt) bool { return b.ID != a.ID && b.Redeemed.After(a.Redeemed) })
}

// all are the attempts, the newest first.
func (d *Document) all() (all []*Attempt) {
	if d.Live != nil {
		all = append(all, d.Live)
	}
	for i := range d.Used {
		all = append(all, &d.Used[len(d.Used)-1-i])
	}
	return all
}

// owesKind says whether a promise of a kind, of the attempt, is not kept yet.
func (d *Document) owesKind(attempt string, kind bot.PromiseKind) bool {
	return slices.ContainsFunc(d.Promises, func(p bot.Promise) bool { return p.Attempt == attempt && p.Kind() == kind })
}

// owes says whether a promise of the attempt is not kept yet.
func (d *Document) owes(attempt string) bool {
	return slices.ContainsFunc(d.Promises, func(p bot.Promise) bool { return p.Attempt == attempt })
}

// Clone copies what changes.
func (d *Document) Clone() *Document {
	c := *d
	c.Asks = append([]Asked(nil), d.Asks...)
	if d.Live != nil {
		live := *d.Live
		live.Convs, live.Returned = slices.Clone(d.Live.Convs), slices.Clone(d.Live.Returned)
		live.Spoken = slices.Clone(d.Live.Spoken)
		c.Live = &live
	}
	c.Used = append([]Attempt(nil), d.Used...)
	for i := range c.Used {
		c.Used[i].Convs, c.Used[i].Returned = slices.Clone(c.Used[i].Convs), slices.Clone(c.Used[i].Returned)
		c.Used[i].Spoken = slices.Clone(c.Used[i].Spoken)
	}
	if d.Bounced != nil {
		bounced := *d.Bounced
		c.Bounced = &bounced
	}
	c.Outbox = d.Outbox.Clone()
	return &c
}
