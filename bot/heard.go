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
	Asked  int    `bson:"asked,omitempty"`  // stamp of the question that it was sent to; it stands again when what was said to a piece is taken back
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

// Stands says whether the question that a message answered still does.
func (h *Heard) Stands(c *Conversation) bool {
	return h.State != "" && (h.Prompt == c.Prompt || h.Asked == c.Prompt)
}

// Reread takes an edit for what its message says now, typed anew.
func (t *Turn) Reread() {
	t.Update.Kind, t.Update.Changed = Text, true
	t.choice = t.engine.chosen(t.Conv, t.Update)
}

// noteHeard remembers what a message says, and where it was heard. One for which more is done than something said answers nothing
// any more: read anew, it would be done again.
func (e *Engine) noteHeard(t *Turn, from State, asked int) {
	u, c := t.Update, t.Conv
	if u.MessageID == "" || t.unkept || t.emptied || u.Kind != Text && u.Kind != Media && u.Kind != Edited {
		return
	}
	h := Heard{ID: u.MessageID, Digest: e.digest(u)}
	if u.Kind != Edited && !slices.ContainsFunc(t.promises, acts) { // an edit that was not read anew answers nothing
		h.State, h.Asked, h.Prompt = from, asked, c.Prompt
	}
	c.Heard = slices.DeleteFunc(c.Heard, func(was Heard) bool { return was.ID == h.ID })
	c.Heard = append(c.Heard, h)
	if extra := len(c.Heard) - heardMax; extra > 0 {
		c.Heard = slices.Delete(c.Heard, 0, extra)
	}
}

// acts says whether a promise is of more than what a chat shows and what was not understood.
func acts(p Promise) bool {
	return !slices.Contains([]PromiseKind{PromiseSay, PromiseUnheard, PromiseDelete, PromiseSpend}, p.Kind())
}

// Blank says whether there are no words in the update.
func (u Update) Blank() bool { return strings.TrimSpace(Clean(u.Text)) == "" }
