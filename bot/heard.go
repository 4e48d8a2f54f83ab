package bot

import (
	"slices"
	"strings"
)

// heardMax is of how many messages it is known what they said.
const heardMax = 8

// Heard is what is kept of a message of the person's so that an edit of it can be judged: whether it says anything new, and
// whether the question that it answered still stands.
type Heard struct {
	ID     string `bson:"id"`               // Update.MessageID
	Digest string `bson:"digest"`           // keyed hash of what it says
	State  State  `bson:"state,omitempty"`  // where it was heard; empty: nothing can be answered by it any more
	Prompt int    `bson:"prompt,omitempty"` // stamp of the question that stood once it was answered
}

// digest names what an update says.
func (e *Engine) digest(u Update) string {
	const half = 16 // of a hash, which is enough to tell eight messages apart
	return Cut(e.options.Hash("heard", u.Media+"\n"+u.Text), half)
}

// Before is what is known of the message that the update changes, or nil.
func (t *Turn) Before() *Heard {
	i := slices.IndexFunc(t.Conv.Heard, func(h Heard) bool { return h.ID != "" && h.ID == t.Update.MessageID })
	if i < 0 {
		return nil
	}
	return &t.Conv.Heard[i]
}

// SameAsBefore says whether an edit changes nothing of what its message said when it was read last.
func (t *Turn) SameAsBefore() bool {
	was := t.Before()
	return t.Update.Kind == Edited && was != nil && was.Digest == t.engine.digest(t.Update)
}

// Reread takes an edit for what its message says now, typed anew.
func (t *Turn) Reread() {
	t.Update.Kind, t.Update.Changed = Text, true
	t.choice = t.engine.chosen(t.Conv, t.Update)
}

// noteHeard remembers what a message says, and where it was heard.
func (e *Engine) noteHeard(t *Turn, from State) {
	u, c := t.Update, t.Conv
	if u.MessageID == "" || t.unkept || t.emptied || u.Kind != Text && u.Kind != Media && u.Kind != Edited {
		return
	}
	h := Heard{ID: u.MessageID, Digest: e.digest(u)}
	if u.Kind != Edited { // one that was not read anew answers nothing
		h.State, h.Prompt = from, c.Prompt
	}
	c.Heard = slices.DeleteFunc(c.Heard, func(was Heard) bool { return was.ID == h.ID })
	c.Heard = append(c.Heard, h)
	if extra := len(c.Heard) - heardMax; extra > 0 {
		c.Heard = slices.Delete(c.Heard, 0, extra)
	}
}

// Blank says whether there are no words in the update.
func (u Update) Blank() bool { return strings.TrimSpace(Clean(u.Text)) == "" }
