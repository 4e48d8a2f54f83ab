package bot

import (
	"context"
	"maps"
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
	Folded string `bson:"folded,omitempty"` // keyed hash of what it says, but for accents, capitals and marks
	Event  Event  `bson:"event,omitempty"`  // what it meant
	Told   string `bson:"told,omitempty"`   // keyed hash of the bubble that answered it
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

// SameWords says whether an edit changes nothing but accents, capitals and marks.
func (t *Turn) SameWords() bool {
	was, u := t.Before(), t.Update
	t.same = u.Kind == Edited && was != nil && was.Folded != "" && was.Folded == t.engine.folded(u)
	return t.same
}

// SameMeaning says whether an edit says in other words what its message said: heard where that was, it means the same, would be answered
// with the same bubble, and does no more than that.
func (t *Turn) SameMeaning(ctx context.Context) bool {
	was, u := t.Before(), t.Update
	if u.Kind != Edited || u.Blank() || was == nil || was.Told == "" || was.State == "" || hasDigit(u.Text) {
		return false
	}
	e, as := t.engine, t.Conv.Clone()
	as.Pieces, as.Answered = nil, nil
	if as.State != was.State {
		as.State = was.State
		e.ask(&as, e.places[was.State].Ask)
	}
	u.ID, u.Kind = "", Text // nobody keeps what comes of it
	s, err := e.step(ctx, as, u, t.env)
	t.same = err == nil && !s.missed && s.told == was.Told && s.out.Event == was.Event && !doesMore(as, s.next)
	return t.same
}

// doesMore says whether a turn without an id has done more than say something.
func doesMore(before, after Conversation) bool {
	facts := func(c Conversation) map[string]string {
		own := maps.Clone(c.Slots)
		maps.DeleteFunc(own, func(name, _ string) bool { return strings.HasPrefix(name, "say.") })
		return own
	}
	return !maps.Equal(facts(before), facts(after)) ||
		slices.ContainsFunc(after.Promises, func(p Promise) bool { return strings.HasPrefix(p.ID, after.ID+"//") && acts(p) })
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
func (e *Engine) noteHeard(t *Turn, from State, asked int, s *stepped) {
	u, c := t.Update, t.Conv
	if u.MessageID == "" || t.unkept || t.emptied || u.Kind != Text && u.Kind != Media && u.Kind != Edited {
		return
	}
	h := Heard{ID: u.MessageID, Digest: e.digest(u), Folded: e.folded(u)}
	if was := t.Before(); t.same && was != nil {
		h.State, h.Asked, h.Prompt, h.Event, h.Told = was.State, was.Asked, was.Prompt, was.Event, was.Told
	} else if u.Kind != Edited && !slices.ContainsFunc(t.promises, acts) { // an edit that was not read anew answers nothing
		h.State, h.Asked, h.Prompt, h.Event, h.Told = from, asked, c.Prompt, s.out.Event, s.told
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

// folded names what an update says, but for accents, capitals and marks; "" where there are no words in it.
func (e *Engine) folded(u Update) string {
	const half = 16
	said := plain(u.Text)
	if said == "" {
		return ""
	}
	return Cut(e.options.Hash("folded", u.Media+"\n"+said), half)
}
