package bot

import (
	"slices"
	"strconv"
	"time"
)

// What of a case concerns somebody at the desk. The console has the words.
const (
	AlertNew      = "new"       // somebody joined the queue
	AlertPassed   = "passed"    // the case was given to them
	AlertNote     = "note"      // a colleague wrote a note for them
	AlertWrote    = "wrote"     // the person of their case wrote
	AlertLinkUsed = "link_used" // the person used the link
	AlertKeyMade  = "key_made"  // the person made a key
	AlertSilence  = "silence"   // they have little time left to answer
	AlertBack     = "back"      // a case that they had put off is to be gone on with
	AlertAgain    = "again"     // the person goes on with a case of theirs that had ended
)

// Alert is something that concerns somebody at the desk. Nothing in it is the person's: it may go where only the agent is known.
type Alert struct {
	N    int64     `bson:"n"` // of its case, from 1
	What string    `bson:"what"`
	Ref  string    `bson:"ref"`
	To   string    `bson:"to,omitempty"` // login; empty: everybody on duty
	By   string    `bson:"by,omitempty"` // what the colleague is called whose doing it is
	At   time.Time `bson:"at"`
}

// For says whether an alert is for the agent with that login.
func (a Alert) For(login string) bool { return a.To == "" || a.To == login }

// AlertsMax is how many alerts a conversation keeps: pages that are open look many times a second.
const AlertsMax = 16

// AlertedFor is how long an alert is worth something where no page is open: later it would be no news.
const AlertedFor = 10 * time.Minute

// Alert tells somebody at the desk, or with no login everybody on duty, of something in the case: their pages find it in the conversation,
// and but for what the person writes, which a page alone tells of, it is promised to their devices.
func (t *Turn) Alert(what, to, by string) {
	c := t.Conv
	if c.Handoff == nil {
		return
	}
	a := Alert{N: 1, What: what, Ref: c.Handoff.Ref, To: to, By: by, At: t.Now}
	for _, other := range c.Alerts {
		if other.Ref == a.Ref {
			a.N = max(a.N, other.N+1)
		}
	}
	c.Alerts = append(c.Alerts, a)
	if extra := len(c.Alerts) - AlertsMax; extra > 0 {
		c.Alerts = slices.Delete(c.Alerts, 0, extra)
	}
	if what == AlertWrote {
		return
	}
	t.Promise(Promise{
		ID: t.Key() + "/" + string(PromiseAlert) + "/" + strconv.FormatInt(a.N, 10), Until: t.Now.Add(AlertedFor),
		What: RaiseAlert{Ref: a.Ref, Topic: what, To: to},
	})
}
