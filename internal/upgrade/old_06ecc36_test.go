package upgrade

import (
	"errors"
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/internal/store"
	"llave/internal/store/storetest"
)

// What commit 06ecc36 knows of a stored conversation and of a record's document, and how it keeps what a chat is owed: an old process beside a new one,
// for the minute of a roll-out. It reads what the new one wrote, forgets every field that it does not know, and writes the
// rest as it always has. This file is a copy of that commit's code, and stays as it is.
type (
	oldConversation struct {
		ID        string            `bson:"_id"`
		Version   int64             `bson:"v"`
		State     string            `bson:"state"`
		Lang      string            `bson:"lang,omitempty"`
		Way       string            `bson:"way,omitempty"`
		Back      []string          `bson:"back,omitempty"`
		Text      string            `bson:"text,omitempty"`
		Prompt    int               `bson:"prompt,omitempty"`
		Shown     []string          `bson:"shown,omitempty"`
		Slots     map[string]string `bson:"slots,omitempty"`
		Misses    int               `bson:"misses,omitempty"`
		Attempt   string            `bson:"attempt,omitempty"`
		Timers    []oldTimer        `bson:"timers,omitempty"`
		Numbers   []oldSeen         `bson:"numbers,omitempty"`
		Recent    []time.Time       `bson:"recent,omitempty"`
		Warned    time.Time         `bson:"warned,omitempty"`
		Seen      []oldSeen         `bson:"seen,omitempty"`
		LetGo     *oldSeen          `bson:"let_go,omitempty"`
		Tail      []oldLine         `bson:"tail,omitempty"`
		Gone      bool              `bson:"gone,omitempty"`
		Case      string            `bson:"case,omitempty"`
		Handoff   *oldHandoff       `bson:"handoff,omitempty"`
		Turns     int64             `bson:"turns,omitempty"`
		Born      time.Time         `bson:"born,omitempty"`
		LastAt    time.Time         `bson:"last_at,omitempty"`
		LastID    string            `bson:"last_id,omitempty"`
		KeptTill  time.Time         `bson:"kept_till,omitempty"`
		OldOutbox `bson:",inline"`
	}
	oldRecord struct {
		ID      string `bson:"_id"`
		Version int64  `bson:"v"`
		Asks    []struct {
			Turn    string    `bson:"turn"`
			Attempt string    `bson:"attempt"`
			At      time.Time `bson:"at"`
		} `bson:"asks,omitempty"`
		Live      *oldAttempt  `bson:"live,omitempty"`
		Used      []oldAttempt `bson:"used,omitempty"`
		Key       string       `bson:"key,omitempty"`
		KeyAt     time.Time    `bson:"key_at,omitempty"`
		PurgeAt   time.Time    `bson:"purge_at,omitempty"`
		OldOutbox `bson:",inline"`
	}
	oldAttempt struct {
		ID       string    `bson:"id"`
		Kind     string    `bson:"kind"`
		Want     string    `bson:"want"`
		Link     string    `bson:"link,omitempty"`
		NotMe    string    `bson:"not_me,omitempty"`
		Since    string    `bson:"since,omitempty"`
		Sealed   string    `bson:"sealed"`
		Channel  string    `bson:"channel"`
		Convs    []string  `bson:"convs"`
		Asked    time.Time `bson:"asked"`
		Accepted time.Time `bson:"accepted,omitempty"`
		First    string    `bson:"first,omitempty"`
		Refused  time.Time `bson:"refused,omitempty"`
		Voided   time.Time `bson:"voided,omitempty"`
		Redeemed time.Time `bson:"redeemed,omitempty"`
		Nonce    string    `bson:"nonce,omitempty"`
		KeyMade  time.Time `bson:"key_made,omitempty"`
	}
	OldOutbox struct {
		Promises []oldPromise         `bson:"promises,omitempty"`
		Keepers  map[string]oldKeeper `bson:"keepers,omitempty"`
		Paused   map[string]time.Time `bson:"paused,omitempty"`
		WakeAt   time.Time            `bson:"wake_at,omitempty"`
	}
	oldPromise struct {
		ID        string      `bson:"id"`
		Lane      string      `bson:"lane"`
		Kind      string      `bson:"kind"`
		Reply     *oldReply   `bson:"reply,omitempty"`
		MessageID string      `bson:"message_id,omitempty"`
		Record    string      `bson:"record,omitempty"`
		Attempt   string      `bson:"attempt,omitempty"`
		Conv      string      `bson:"conv,omitempty"`
		Topic     string      `bson:"topic,omitempty"`
		Ref       string      `bson:"ref,omitempty"`
		Body      string      `bson:"body,omitempty"`
		Handoff   *oldHandoff `bson:"handoff,omitempty"`
		Lines     []oldLine   `bson:"lines,omitempty"`
		Made      time.Time   `bson:"made"`
		Until     time.Time   `bson:"until,omitempty"`
		NotBefore time.Time   `bson:"not_before,omitempty"`
		Tries     int         `bson:"tries,omitempty"`
		Waits     bool        `bson:"waits,omitempty"`
	}
	oldTimer struct {
		Signal  string    `bson:"signal"`
		Attempt string    `bson:"attempt,omitempty"`
		At      time.Time `bson:"at"`
	}
	oldSeen struct {
		ID    string    `bson:"id"`
		Order int64     `bson:"order,omitempty"`
		At    time.Time `bson:"at"`
		Came  string    `bson:"came,omitempty"`
	}
	oldLine struct {
		From string    `bson:"from"`
		By   string    `bson:"by,omitempty"`
		Text string    `bson:"text"`
		At   time.Time `bson:"at"`
		Seq  int64     `bson:"seq,omitempty"`
	}
	oldKeeper struct {
		Who   string    `bson:"who"`
		Until time.Time `bson:"until"`
	}
	oldReply struct {
		Text    string `bson:"text"`
		Buttons []struct {
			ID    string `bson:"id"`
			Title string `bson:"title"`
			URL   string `bson:"url,omitempty"`
		} `bson:"buttons,omitempty"`
		Prompt   int    `bson:"prompt,omitempty"`
		Picture  string `bson:"picture,omitempty"`
		Protect  bool   `bson:"protect,omitempty"`
		Sealed   bool   `bson:"sealed,omitempty"`
		By       string `bson:"by,omitempty"`
		Returned int    `bson:"returned,omitempty"`
	}
	oldHandoff struct {
		Ref       string    `bson:"ref"`
		Status    string    `bson:"status"`
		Queue     string    `bson:"queue,omitempty"`
		Rank      int       `bson:"rank"`
		From      string    `bson:"from,omitempty"`
		Number    string    `bson:"number,omitempty"`
		Agent     string    `bson:"agent,omitempty"`
		AgentName string    `bson:"agent_name,omitempty"`
		Asked     time.Time `bson:"asked"`
		Taken     time.Time `bson:"taken,omitempty"`
		Answered  time.Time `bson:"answered,omitempty"`
		Ended     time.Time `bson:"ended,omitempty"`
		Since     time.Time `bson:"since,omitempty"`
		Told      int       `bson:"told,omitempty"`
		Reason    string    `bson:"reason,omitempty"`
		Rating    int       `bson:"rating,omitempty"`
		Lines     int64     `bson:"lines,omitempty"`
		Rev       int64     `bson:"rev"`
		Moved     time.Time `bson:"moved,omitempty"`
	}
)

func (o *OldOutbox) head(lane string) *oldPromise {
	for i := range o.Promises {
		if o.Promises[i].Lane == lane {
			return &o.Promises[i]
		}
	}
	return nil
}

func (o *OldOutbox) notBefore(p *oldPromise) time.Time {
	if until := o.Paused[p.Lane]; until.After(p.NotBefore) {
		return until
	}
	return p.NotBefore
}

func (o *OldOutbox) due(lane string, now time.Time) bool {
	head := o.head(lane)
	return head != nil && !head.Waits && !o.notBefore(head).After(now)
}

func (o *OldOutbox) wake(timers []oldTimer) {
	var wake time.Time
	earlier := func(t time.Time) {
		if !t.IsZero() && (wake.IsZero() || t.Before(wake)) {
			wake = t
		}
	}
	for lane, k := range o.Keepers {
		if o.head(lane) == nil || k.Who == "" {
			delete(o.Keepers, lane)
		}
	}
	for _, lane := range []string{"chat", "mail", "event"} {
		head := o.head(lane)
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
	for _, t := range timers {
		earlier(t.At)
	}
	o.WakeAt = wake
}

// oldProcess is a process of 06ecc36 that keeps what chats are owed, and dies now and then while it does.
type oldProcess struct {
	engine store.Engine
	clock  *storetest.Clock
	name   string
	sent   map[string]int       // by promise
	sends  map[string]time.Time // when that will be marked
	claims int
	deaths int
	saves  int
	rounds int
}

// takes is how long an old process takes for a bubble.
const takes = time.Second

// round is one sweep: it marks what has arrived, and claims what is due and has no living keeper, of every second
// conversation, so that the new process has its share. Some conversations that owe nothing are written anew too, as by a turn.
func (o *oldProcess) round(t *testing.T) {
	t.Helper()
	o.rounds++
	for i, d := range dumped(t, o.engine, conversations) {
		var c oldConversation
		must(t, bson.Unmarshal(d.doc, &c))
		head := c.head("chat")
		switch {
		case head != nil && (i%2 == o.rounds%2 || c.Keepers["chat"].Who == o.name):
			o.keep(t, &c, head)
		case (i+o.rounds)%8 == 0:
			o.save(t, &c)
		}
	}
	for i, d := range dumped(t, o.engine, store.Unlocks) {
		var r oldRecord
		must(t, bson.Unmarshal(d.doc, &r))
		if (i+o.rounds)%4 == 0 {
			r.wake(nil)
			o.replace(t, store.Unlocks, r.ID, r.Version, r)
		}
	}
}

// keep does what there is to do for the first thing that a chat is owed.
func (o *oldProcess) keep(t *testing.T, c *oldConversation, head *oldPromise) {
	t.Helper()
	now, keeper, arrives := o.clock.Now(), c.Keepers["chat"], o.sends[head.ID]
	switch {
	case keeper.Who == o.name && !arrives.IsZero():
		if now.Before(arrives) {
			return
		}
		c.Promises = slices.DeleteFunc(c.Promises, func(p oldPromise) bool { return p.ID == head.ID })
		delete(c.Keepers, "chat")
		o.save(t, c)
	case c.due("chat", now) && !keeper.Until.After(now):
		o.claim(t, c, head.ID, now)
	}
}

// claim takes a chat's lane over. Every third time the process dies before it sends anything: its name never comes again.
func (o *oldProcess) claim(t *testing.T, c *oldConversation, id string, now time.Time) {
	t.Helper()
	o.claims++
	name := o.name
	if o.claims%3 == 1 {
		name += "-dead"
	}
	if c.Keepers == nil {
		c.Keepers = map[string]oldKeeper{}
	}
	c.Keepers["chat"] = oldKeeper{name, now.Add(5 * time.Second)}
	switch saved := o.save(t, c); {
	case saved && name == o.name: // it is on its way, and nobody calls it back
		o.sent[id]++
		o.sends[id] = now.Add(takes)
	case saved:
		o.deaths++
	}
}

// save writes a conversation in the old form, and says whether nobody else was quicker.
func (o *oldProcess) save(t *testing.T, c *oldConversation) bool {
	t.Helper()
	c.wake(c.Timers)
	return o.replace(t, conversations, c.ID, c.Version, c)
}

func (o *oldProcess) replace(t *testing.T, collection, id string, version int64, doc any) bool {
	t.Helper()
	raw, err := bson.Marshal(doc)
	must(t, err)
	o.saves++
	err = o.engine.Replace(t.Context(), collection, id, version, raw)
	if err != nil && !errors.Is(err, store.ErrConflict) {
		t.Fatal(err)
	}
	return err == nil
}
